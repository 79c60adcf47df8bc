//! What happens when places run out, and that nobody can take them all.

use std::time::Duration;

use portreeve::network::Backlog;
use portreeve::network::Job;
use portreeve::network::Lane;
use portreeve::network::MAX_INQUIRIES;
use portreeve::radius::AttributeType;
use portreeve::radius::Code;

use crate::lab::AUTHENTICATION;
use crate::lab::BOB;
use crate::lab::CAROL;
use crate::lab::GOOD;
use crate::lab::Lab;
use crate::nas::Nas;
use crate::pair::Next;
use crate::pair::Pair;
use crate::world::SECRET;

fn login(nas: &mut Nas, user: &str) -> Vec<u8> {
    let password: String = user.chars().rev().collect();
    nas.access(|request| {
        request
            .octets(AttributeType::USER_NAME, user.as_bytes())
            .user_password(password.as_bytes());
    })
}

/// A login of another device behind the NAS with this address.
fn another(lab: &Lab, number: usize, address: &str) -> Pair {
    let mut pair = lab.pair(GOOD);
    pair.nas = Nas::new(address, SECRET);
    pair.station = format!("00-00-5E-00-54-{number:02X}");
    pair
}

#[test]
fn a_full_table_drops_new_conversations_and_running_ones_finish() {
    let mut lab = Lab::new();
    lab.configure(|config| config.conversations = 3);
    let mut running = Vec::new();
    for number in 0..3 {
        // No NAS may have more than its share of three quarters.
        let mut pair = another(&lab, number, &format!("192.0.2.{}:1812", number % 2 + 1));
        // Two challenges: the peer has answered the method.
        let request = lab.login_up_to(&mut pair, 2);
        running.push((pair, request));
    }
    let mut late = another(&lab, 9, "192.0.2.9:1812");
    let request = late.request();
    assert!(lab.ask(&late.nas, &request).is_none());
    assert_eq!(lab.dropped("conversations_full"), 1);
    for (mut pair, request) in running {
        lab.go_on(&mut pair, request).accepted(&pair.nas);
    }
    // The retransmission finds room now: the drop was not remembered as an answer.
    lab.go_on(&mut late, request).accepted(&late.nas);
}

#[test]
fn those_at_work_count_too() {
    let mut lab = Lab::new();
    lab.configure(|config| config.conversations = 1);
    let mut pair = another(&lab, 1, "192.0.2.1:1812");
    let request = lab.login_up_to(&mut pair, 1);
    let now = lab.now;
    lab.servers[0].handle_datagram(now, AUTHENTICATION, pair.nas.address, &request);
    let job = lab.servers[0].poll_job().unwrap();
    let mut late = another(&lab, 2, "192.0.2.2:1812");
    let first = late.request();
    assert!(lab.ask(&late.nas, &first).is_none());
    assert_eq!(lab.dropped("conversations_full"), 1);
    let done = job.run(|| now);
    lab.servers[0].handle_job(now, done);
    assert_eq!(lab.take_sent(0).len(), 1);
}

#[test]
fn the_oldest_without_progress_gives_way_to_a_new_one() {
    // A flood of first requests took every place for 30 seconds.
    let mut lab = Lab::new();
    lab.configure(|config| config.conversations = 8);
    let mut pair = another(&lab, 0, "192.0.2.1:1812");
    let running = lab.login_up_to(&mut pair, 2);
    let mut flood = Vec::new();
    for number in 1..100 {
        let mut attacker = another(&lab, number, "192.0.2.66:1812");
        flood.push(lab.login_up_to(&mut attacker, 1));
    }
    assert_eq!(lab.servers[0].counters().evicted.get(), 92);
    // A new login gets in, among the flood and at once.
    let mut late = another(&lab, 200, "192.0.2.9:1812");
    lab.login(&mut late).accepted(&late.nas);
    // What had made progress finishes.
    lab.go_on(&mut pair, running).accepted(&pair.nas);
    assert_eq!(lab.dropped("conversations_full"), 0);
    // Who was put out and comes back soon may be a healthy device: no reject, its NAS begins anew.
    let attacker = Nas::new("192.0.2.66:1812", SECRET);
    assert!(lab.ask(&attacker, &flood[0]).is_none());
    assert_eq!(lab.dropped("conversations_full"), 1);
    // Later nobody is waiting for it, and it is told so.
    lab.passes(Duration::from_secs(31));
    let reply = lab.ask(&attacker, &flood[0]).unwrap();
    assert_eq!(reply.code, Code::AccessReject);
}

#[test]
fn a_flood_of_beginnings_puts_out_none_of_another_nas_issue_4() {
    // The conversation of another NAS was the oldest of all, and the first to go.
    let mut lab = Lab::new();
    lab.configure(|config| config.conversations = 8);
    let mut victims = Vec::new();
    for number in 0..3 {
        let mut pair = another(&lab, number, "192.0.2.9:1812");
        let request = lab.login_up_to(&mut pair, 1);
        victims.push((pair, request));
    }
    for number in 10..210 {
        let mut attacker = another(&lab, number, "192.0.2.66:1812");
        lab.login_up_to(&mut attacker, 1);
        lab.passes(Duration::from_millis(1));
    }
    assert_eq!(lab.servers[0].counters().evicted.get(), 195);
    for (mut pair, request) in victims {
        lab.go_on(&mut pair, request).accepted(&pair.nas);
    }
    assert_eq!(lab.dropped("conversations_full"), 0);
}

#[test]
fn logins_that_fall_silent_are_put_out_where_most_of_them_are() {
    let mut lab = Lab::new();
    lab.configure(|config| config.conversations = 8);
    let mut victim = another(&lab, 0, "192.0.2.9:1812");
    let request = lab.login_up_to(&mut victim, 2);
    for number in 1..7 {
        let mut attacker = another(&lab, number, "192.0.2.66:1812");
        lab.login_up_to(&mut attacker, 2);
    }
    // All have been silent for as long; another kind of flood comes from elsewhere.
    lab.passes(Duration::from_secs(1));
    for number in 10..14 {
        let mut late = another(&lab, number, &format!("192.0.2.{}:1812", 100 + number));
        lab.login_up_to(&mut late, 2);
    }
    assert_eq!(lab.servers[0].counters().evicted.get(), 3);
    lab.go_on(&mut victim, request).accepted(&victim.nas);
}

#[test]
fn one_nas_cannot_have_all_places_in_progress() {
    // Logins that answer the first request and then stop took every place, from behind one NAS.
    let mut lab = Lab::new();
    lab.configure(|config| config.conversations = 8);
    let mut held = Vec::new();
    let mut dropped = 0;
    for number in 0..20 {
        let mut attacker = another(&lab, number, "192.0.2.66:1812");
        let answer = lab.login_up_to(&mut attacker, 1);
        match lab.ask(&attacker.nas, &answer) {
            Some(reply) => held.push((attacker, reply)),
            None => dropped += 1,
        }
    }
    assert_eq!((held.len(), dropped), (6, 14));
    assert_eq!(lab.dropped("share_full"), 14);
    let mut good = another(&lab, 200, "192.0.2.9:1812");
    lab.login(&mut good).accepted(&good.nas);
    // Those in progress are not harmed by the limit.
    for (mut pair, reply) in held {
        let Next::Request(next) = pair.take(lab.now, reply) else {
            panic!("the end");
        };
        lab.go_on(&mut pair, next).accepted(&pair.nas);
    }
}

#[test]
fn a_login_beyond_the_share_goes_on_when_there_is_room_again() {
    let mut lab = Lab::new();
    lab.configure(|config| config.conversations = 4);
    let mut running: Vec<(Pair, Vec<u8>)> = Vec::new();
    for number in 0..3 {
        let mut pair = another(&lab, number, "192.0.2.1:1812");
        let request = lab.login_up_to(&mut pair, 2);
        running.push((pair, request));
    }
    let mut waiting = another(&lab, 9, "192.0.2.1:1812");
    let request = lab.login_up_to(&mut waiting, 1);
    assert!(lab.ask(&waiting.nas, &request).is_none());
    assert_eq!(lab.dropped("share_full"), 1);
    let (mut pair, next) = running.remove(0);
    lab.go_on(&mut pair, next).accepted(&pair.nas);
    lab.go_on(&mut waiting, request).accepted(&waiting.nas);
}

#[test]
fn those_who_answer_and_fall_silent_give_way() {
    // A flood of logins that answer the first request and then stop kept everybody out for 30 s.
    let mut lab = Lab::new();
    lab.configure(|config| config.conversations = 8);
    let mut flood = Vec::new();
    for number in 0..8 {
        let mut attacker = another(&lab, number, &format!("192.0.2.{}:1812", 100 + number));
        flood.push(lab.login_up_to(&mut attacker, 2));
        lab.passes(Duration::from_millis(1));
    }
    lab.passes(Duration::from_millis(400));
    let mut running = another(&lab, 50, "192.0.2.9:1812");
    let first = running.request();
    assert!(lab.ask(&running.nas, &first).is_none());
    assert_eq!(lab.dropped("conversations_full"), 1);
    lab.passes(Duration::from_millis(100));
    let request = lab.login_up_to(&mut running, 2);
    for number in 51..58 {
        let mut late = another(&lab, number, "192.0.2.10:1812");
        lab.login(&mut late).accepted(&late.nas);
    }
    assert_eq!(
        lab.servers[0].counters().evicted.get(),
        2,
        "a place for the running one, and one for all the others"
    );
    lab.go_on(&mut running, request).accepted(&running.nas);
    // The one that had been silent for longest is the one that is gone.
    let attacker = Nas::new("192.0.2.100:1812", SECRET);
    assert!(lab.ask(&attacker, &flood[0]).is_none());
    assert_eq!(lab.dropped("conversations_full"), 2);
}

#[test]
fn a_source_beyond_its_share_loses_its_own_silent_ones() {
    let mut lab = Lab::new();
    lab.configure(|config| config.conversations = 8);
    for number in 0..6 {
        let mut attacker = another(&lab, number, "192.0.2.66:1812");
        lab.login_up_to(&mut attacker, 2);
    }
    lab.passes(Duration::from_secs(1));
    let mut good = another(&lab, 200, "192.0.2.66:1812");
    lab.login(&mut good).accepted(&good.nas);
    assert_eq!(lab.dropped("share_full"), 0);
    assert_eq!(lab.servers[0].counters().evicted.get(), 1);
}

#[test]
fn new_conversations_are_refused_first_while_workers_are_behind() {
    let mut lab = Lab::new();
    let mut running = another(&lab, 1, "192.0.2.1:1812");
    let request = lab.login_up_to(&mut running, 1);
    lab.servers[0].set_backlog(Backlog::TooLong);
    let mut late = another(&lab, 2, "192.0.2.1:1812");
    let first = late.request();
    assert!(lab.ask(&late.nas, &first).is_none());
    assert_eq!(lab.dropped("overloaded"), 1);
    // What has begun ends, and who needs no worker is served.
    lab.go_on(&mut running, request).accepted(&running.nas);
    let mut nas = lab.nas();
    let status = nas.status();
    assert!(lab.ask(&nas, &status).is_some());
    lab.servers[0].set_backlog(Backlog::Short);
    lab.go_on(&mut late, first).accepted(&late.nas);
}

#[test]
fn a_flood_behind_some_nases_leaves_others_a_way_in() {
    // Peers that sent their first flight and no more kept the workers busy: a login elsewhere was
    // refused as often as they were.
    let mut lab = Lab::new();
    for number in 0..4 {
        let mut attacker = another(&lab, number, "192.0.2.66:1812");
        lab.login_up_to(&mut attacker, 2);
    }
    lab.servers[0].set_backlog(Backlog::Long);
    let mut attacker = another(&lab, 5, "192.0.2.66:1812");
    let request = attacker.request();
    assert!(lab.ask(&attacker.nas, &request).is_none());
    assert_eq!(lab.dropped("overloaded"), 1);
    let mut good = another(&lab, 200, "192.0.2.9:1812");
    lab.login(&mut good).accepted(&good.nas);
    lab.servers[0].set_backlog(Backlog::TooLong);
    let mut late = another(&lab, 201, "192.0.2.9:1812");
    let request = late.request();
    assert!(lab.ask(&late.nas, &request).is_none());
}

#[test]
fn flights_of_what_has_begun_are_told_from_first_ones() {
    let mut lab = Lab::new();
    let mut pair = another(&lab, 1, "192.0.2.1:1812");
    let mut request = lab.login_up_to(&mut pair, 1);
    let mut lanes = Vec::new();
    loop {
        let now = lab.now;
        lab.servers[0].handle_datagram(now, AUTHENTICATION, pair.nas.address, &request);
        while let Some(job) = lab.servers[0].poll_job() {
            lanes.push(job.lane());
            let done = job.run(|| now);
            lab.servers[0].handle_job(now, done);
        }
        let sent = lab.take_sent(0);
        let reply = pair.nas.believe(&request, &sent[0].octets);
        match pair.take(now, reply) {
            Next::Request(next) => request = next,
            Next::End(end) => {
                end.accepted(&pair.nas);
                break;
            }
        }
    }
    assert_eq!(lanes, [Lane::First, Lane::Begun]);
}

#[test]
fn places_come_back_with_time() {
    let mut lab = Lab::new();
    lab.configure(|config| config.conversations = 2);
    for number in 0..2 {
        let address = format!("192.0.2.{}:1812", number + 1);
        let mut pair = another(&lab, number, &address);
        lab.login_up_to(&mut pair, 2);
    }
    let mut late = another(&lab, 9, "192.0.2.9:1812");
    let request = late.request();
    assert!(lab.ask(&late.nas, &request).is_none());
    lab.passes(Duration::from_secs(30));
    let now = lab.now;
    lab.servers[0].handle_timeout(now);
    assert_eq!(lab.servers[0].counters().abandoned.get(), 2);
    lab.go_on(&mut late, request).accepted(&late.nas);
}

#[test]
fn slow_passwords_do_not_pile_up() {
    // A flood of slow hashes would keep every handshake waiting behind it.
    let mut lab = Lab::new();
    let mut nas = lab.nas();
    let now = lab.now;
    let mut jobs: Vec<Job> = Vec::new();
    let mut requests = Vec::new();
    for _ in 0..100 {
        let request = nas.access(|request| {
            request
                .octets(AttributeType::USER_NAME, b"bob@contoso.com")
                .user_password(b"moc.osotnoc@bob");
        });
        lab.servers[0].handle_datagram(now, AUTHENTICATION, nas.address, &request);
        jobs.extend(std::iter::from_fn(|| lab.servers[0].poll_job()));
        requests.push(request);
    }
    assert_eq!((jobs.len(), lab.dropped("overloaded")), (64, 36));
    for job in jobs {
        let done = job.run(|| now);
        lab.servers[0].handle_job(now, done);
    }
    assert_eq!(lab.take_sent(0).len(), 64);
    // What was dropped is answered when it comes again.
    assert!(lab.ask(&nas, &requests[99]).is_some());
}

#[test]
fn questions_to_a_server_do_not_pile_up_and_cost_no_place_of_others() {
    let mut lab = Lab::new();
    let now = lab.now;
    let mut under_way = Vec::new();
    let mut asked = 0;
    for port in 0..8 {
        let mut nas = lab.nas();
        nas.address.set_port(2000 + port);
        for number in 0..200 {
            let request = login(&mut nas, &format!("carol-{number}@contoso.com"));
            lab.servers[0].handle_datagram(now, AUTHENTICATION, nas.address, &request);
            under_way.extend(lab.servers[0].poll_job());
            asked += 1;
        }
    }
    assert_eq!(under_way.len(), MAX_INQUIRIES);
    assert_eq!(
        lab.dropped("overloaded"),
        (asked - MAX_INQUIRIES) as u64,
        "the others"
    );
    assert!(under_way.iter().all(Job::is_inquiry));
    // Slow hashes have places of their own.
    let mut nas = lab.nas();
    let request = login(&mut nas, BOB);
    lab.servers[0].handle_datagram(now, AUTHENTICATION, nas.address, &request);
    assert!(lab.servers[0].poll_job().is_some());
    // Their time is over: there is room again.
    lab.passes(Duration::from_secs(31));
    let now = lab.now;
    lab.servers[0].handle_timeout(now);
    let request = login(&mut nas, CAROL);
    lab.servers[0].handle_datagram(now, AUTHENTICATION, nas.address, &request);
    assert!(lab.servers[0].poll_job().is_some());
}

#[test]
fn a_refused_password_job_is_done_when_the_nas_asks_again() {
    let mut lab = Lab::new();
    let mut nas = lab.nas();
    let request = nas.access(|request| {
        request
            .octets(AttributeType::USER_NAME, b"bob@contoso.com")
            .user_password(b"moc.osotnoc@bob");
    });
    let now = lab.now;
    lab.servers[0].handle_datagram(now, AUTHENTICATION, nas.address, &request);
    let job = lab.servers[0].poll_job().unwrap();
    lab.servers[0].handle_refused_job(job);
    assert_eq!(lab.dropped("overloaded"), 1);
    let reply = lab.ask(&nas, &request).unwrap();
    assert_eq!(reply.code, Code::AccessAccept);
}

#[test]
fn a_smaller_table_after_a_reload_lets_running_ones_finish() {
    let mut lab = Lab::new();
    let mut running: Vec<(Pair, Vec<u8>)> = Vec::new();
    for number in 0..4 {
        let mut pair = another(&lab, number, "192.0.2.1:1812");
        let request = lab.login_up_to(&mut pair, 2);
        running.push((pair, request));
    }
    lab.configure(|config| config.conversations = 1);
    for (mut pair, request) in running {
        lab.go_on(&mut pair, request).accepted(&pair.nas);
    }
}

#[test]
fn a_server_that_is_to_end_finishes_what_has_begun() {
    let mut lab = Lab::new();
    assert!(lab.servers[0].is_idle());
    let mut running = another(&lab, 1, "192.0.2.1:1812");
    let request = lab.login_up_to(&mut running, 2);
    // Anybody can begin a conversation; one that its peer has not answered keeps nobody waiting.
    let mut begun = another(&lab, 2, "192.0.2.1:1812");
    let answer = lab.login_up_to(&mut begun, 1);
    lab.servers[0].refuse_new_conversations();
    assert!(!lab.servers[0].is_idle());
    let mut late = another(&lab, 3, "192.0.2.1:1812");
    let first = late.request();
    assert!(lab.ask(&late.nas, &first).is_none());
    assert_eq!(lab.dropped("conversations_full"), 1);
    lab.go_on(&mut running, request).accepted(&running.nas);
    assert!(lab.servers[0].is_idle());
    // A job under way is something begun.
    let now = lab.now;
    lab.servers[0].handle_datagram(now, AUTHENTICATION, begun.nas.address, &answer);
    assert!(!lab.servers[0].is_idle());
    lab.settle();
}
