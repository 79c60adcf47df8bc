//! Rejects of passwords wait, and guessing is slowed; nobody else is.

use std::sync::Arc;
use std::time::Duration;

use portreeve::eap::Inner;
use portreeve::eap::Outer;
use portreeve::model::Secret;
use portreeve::network::Config;
use portreeve::network::Method;
use portreeve::network::MethodSet;
use portreeve::probe::InsideSettings;
use portreeve::probe::Profile;
use portreeve::probe::ProfileSettings;
use portreeve::probe::TeapPeer;
use portreeve::radius::AttributeType;
use portreeve::radius::Code;

use crate::lab::ALICE;
use crate::lab::AUTHENTICATION;
use crate::lab::BAD_MAC;
use crate::lab::BOB;
use crate::lab::CAROL;
use crate::lab::DAVE;
use crate::lab::GOOD_MAC;
use crate::lab::Lab;
use crate::lab::STRANGER_MAC;
use crate::lab::Sent;
use crate::lab::refusal;
use crate::nas::Nas;
use crate::pair::End;
use crate::pair::Next;
use crate::pair::Pair;

const SECOND: Duration = Duration::from_secs(1);

/// With the defaults that other tests go without.
fn lab() -> Lab {
    let lab = Lab::new();
    lab.configure(|config| *config = Config::default());
    lab
}

fn request(nas: &mut Nas, user: &str, password: &str) -> Vec<u8> {
    nas.access(|request| {
        request
            .octets(AttributeType::USER_NAME, user.as_bytes())
            .user_password(password.as_bytes())
            .octets(AttributeType::CALLING_STATION_ID, GOOD_MAC.as_bytes());
    })
}

fn right(user: &str) -> String {
    user.chars().rev().collect()
}

/// Lets time pass and the timer ring; gives what is sent then.
fn later(lab: &mut Lab, by: Duration) -> Vec<Sent> {
    lab.passes(by);
    let now = lab.now;
    lab.servers[0].handle_timeout(now);
    lab.settle()
}

#[test]
fn the_reject_of_a_password_leaves_a_second_after_its_request() {
    let mut lab = lab();
    let mut nas = lab.nas();
    for user in [ALICE, BOB, CAROL, DAVE, "nobody@contoso.com"] {
        let request = request(&mut nas, user, "wrong");
        assert!(
            lab.ask(&nas, &request).is_none(),
            "row {user}: nothing at once"
        );
        let due = lab.servers[0].poll_timeout();
        assert_eq!(due, Some(lab.now.monotonic + SECOND), "row {user}");
        // Decided and on record all the same.
        refusal(&lab.record());
        assert_eq!(later(&mut lab, SECOND / 2), [], "row {user}");
        let sent = later(&mut lab, SECOND / 2);
        assert_eq!(sent.len(), 1, "row {user}");
        assert_eq!((sent[0].to, sent[0].door), (nas.address, AUTHENTICATION));
        let reply = nas.believe(&request, &sent[0].octets);
        assert_eq!(reply.code, Code::AccessReject, "row {user}");
    }
    assert_eq!(lab.servers[0].counters().delayed.get(), 5);
}

#[test]
fn the_time_of_the_check_counts_towards_the_second() {
    // What takes less than the delay cannot be told from what takes no time.
    let mut lab = lab();
    let mut nas = lab.nas();
    for (took, waits) in [(SECOND / 4, SECOND * 3 / 4), (SECOND * 3, Duration::ZERO)] {
        let request = request(&mut nas, BOB, "wrong");
        let now = lab.now;
        lab.servers[0].handle_datagram(now, AUTHENTICATION, nas.address, &request);
        let job = lab.servers[0].poll_job().unwrap();
        lab.passes(took);
        let now = lab.now;
        let done = job.run(|| now);
        lab.servers[0].handle_job(now, done);
        let at_once = lab.take_sent(0);
        assert_eq!(at_once.len(), usize::from(waits.is_zero()), "row {took:?}");
        if !waits.is_zero() {
            assert_eq!(later(&mut lab, waits).len(), 1, "row {took:?}");
        }
        lab.record();
    }
}

#[test]
fn a_retransmission_meanwhile_is_dropped_and_then_gets_the_same_octets_rfc5080_2_2_2() {
    let mut lab = lab();
    let mut nas = lab.nas();
    let request = request(&mut nas, ALICE, "wrong");
    assert!(lab.ask(&nas, &request).is_none());
    assert!(lab.ask(&nas, &request).is_none(), "a retransmission");
    assert_eq!(lab.dropped("duplicate_in_progress"), 1);
    let sent = later(&mut lab, SECOND);
    assert_eq!(sent.len(), 1, "one reply for both");
    let again = lab.deliver(0, AUTHENTICATION, nas.address, &request);
    assert_eq!(again, sent, "bit for bit");
    assert_eq!(lab.servers[0].counters().replayed.get(), 1);
    refusal(&lab.record());
}

#[test]
fn those_without_a_password_are_answered_at_once() {
    let mut lab = lab();
    let mut nas = lab.nas();
    for (mac, code) in [
        (GOOD_MAC, Code::AccessAccept),
        (BAD_MAC, Code::AccessReject),
        (STRANGER_MAC, Code::AccessAccept),
    ] {
        let request = nas.access(|request| {
            request
                .octets(AttributeType::USER_NAME, mac.as_bytes())
                .user_password(mac.as_bytes());
        });
        assert_eq!(lab.ask(&nas, &request).unwrap().code, code, "row {mac}");
    }
    let mut pair = lab.pair(crate::lab::BAD);
    let end = lab.login(&mut pair);
    assert!(matches!(end, End::Rejected { .. }), "{end:?}");
    // And a right password, where the device may in.
    let request = request(&mut nas, ALICE, &right(ALICE));
    let reply = lab.ask(&nas, &request).unwrap();
    assert_eq!(reply.code, Code::AccessAccept);
    assert_eq!(lab.servers[0].counters().delayed.get(), 0);
}

#[test]
fn a_blocked_device_with_a_right_password_waits_as_one_with_a_wrong_one() {
    let mut lab = lab();
    lab.reload(|settings| {
        settings.config = Config::default();
        settings.methods.default = MethodSet::of(&Method::ALL);
    });
    let mut nas = lab.nas();
    let request = nas.access(|request| {
        request
            .octets(AttributeType::USER_NAME, ALICE.as_bytes())
            .user_password(right(ALICE).as_bytes())
            .octets(AttributeType::CALLING_STATION_ID, BAD_MAC.as_bytes());
    });
    assert!(lab.ask(&nas, &request).is_none());
    let sent = later(&mut lab, SECOND);
    let reply = nas.believe(&request, &sent[0].octets);
    assert_eq!(reply.code, Code::AccessReject);
}

#[test]
fn so_many_rejects_wait_and_the_oldest_leaves_early_for_a_new_one() {
    let mut lab = lab();
    lab.configure(|config| config.free_guesses = 1_000_000);
    let mut sent = 0;
    for port in 0..20 {
        let mut nas = lab.nas();
        nas.address.set_port(3000 + port);
        for number in 0..250 {
            let request = request(&mut nas, ALICE, "wrong");
            let octets = lab.deliver(0, AUTHENTICATION, nas.address, &request);
            sent += octets.len();
            let before = usize::from(port) * 250 + number < 4096;
            assert_eq!(octets.is_empty(), before, "row {port} {number}");
            lab.record();
        }
    }
    let counters = lab.servers[0].counters();
    assert_eq!(counters.hurried.get(), 5_000 - 4_096);
    assert_eq!(sent, 5_000 - 4_096);
    assert_eq!(later(&mut lab, SECOND).len(), 4_096, "nobody is forgotten");
    assert!(lab.servers[0].is_idle());
}

#[test]
fn a_server_that_is_to_end_sends_what_waits() {
    let mut lab = lab();
    let mut nas = lab.nas();
    let request = request(&mut nas, ALICE, "wrong");
    assert!(lab.ask(&nas, &request).is_none());
    lab.servers[0].refuse_new_conversations();
    assert!(!lab.servers[0].is_idle());
    assert_eq!(later(&mut lab, SECOND).len(), 1);
    assert!(lab.servers[0].is_idle());
}

/// Tries a password and gives what the record says of it, an empty text where it is let in.
fn tries(lab: &mut Lab, nas: &mut Nas, user: &str, password: &str) -> String {
    let request = request(nas, user, password);
    let reply = lab.ask(nas, &request).expect("a reply");
    let record = lab.record();
    match reply.code {
        Code::AccessAccept => String::new(),
        _ => refusal(&record),
    }
}

#[test]
fn guessing_is_slowed_for_the_user_at_that_nas() {
    let mut lab = Lab::new();
    let mut nas = lab.nas();
    for _ in 0..5 {
        let why = tries(&mut lab, &mut nas, ALICE, "wrong");
        assert!(why.starts_with("the password is not"), "{why}");
    }
    // Not even the right one is looked at, in whatever case the name is written.
    for user in [ALICE, "Alice@CONTOSO.com"] {
        let request = request(&mut nas, user, &right(ALICE));
        lab.ask(&nas, &request).expect("a reply");
        let record = lab.record();
        assert!(record.advice.unwrap().contains("free_guesses"));
        assert_eq!(
            refusal(&record),
            "5 wrong passwords of this user at this NAS: none is looked at for 2 s",
            "row {user}"
        );
    }
    assert_eq!(lab.servers[0].counters().slowed.get(), 2);
    // Nobody else is concerned, and nor is the user elsewhere.
    assert_eq!(tries(&mut lab, &mut nas, BOB, &right(BOB)), "");
    let mut elsewhere = Nas::new("192.0.2.2:1812", crate::world::SECRET);
    assert_eq!(tries(&mut lab, &mut elsewhere, ALICE, &right(ALICE)), "");
    // The wait ends, and the next wrong one doubles it.
    lab.passes(SECOND * 2);
    let why = tries(&mut lab, &mut nas, ALICE, "wrong");
    assert!(why.starts_with("the password is not"), "{why}");
    let why = tries(&mut lab, &mut nas, ALICE, "wrong");
    assert!(
        why.starts_with("6 wrong") && why.ends_with("for 4 s"),
        "{why}"
    );
    // A right one ends it.
    lab.passes(SECOND * 4);
    assert_eq!(tries(&mut lab, &mut nas, ALICE, &right(ALICE)), "");
    for _ in 0..5 {
        let why = tries(&mut lab, &mut nas, ALICE, "wrong");
        assert!(why.starts_with("the password is not"), "{why}");
    }
}

/// Who guesses does not begin anew with each spelling of the name.
#[test]
fn all_spellings_of_a_name_are_slowed_together() {
    let mut lab = Lab::new();
    let mut nas = lab.nas();
    for name in ["alice", "X\\alice", "alice@a.example", "Y\\ALICE", ALICE] {
        let why = tries(&mut lab, &mut nas, name, "wrong");
        assert!(!why.starts_with("5 wrong passwords"), "row {name}: {why}");
    }
    let why = tries(&mut lab, &mut nas, "alice@b.example", "wrong");
    assert!(why.starts_with("5 wrong passwords"), "{why}");
}

#[test]
fn a_wait_has_an_end_however_many_were_wrong() {
    let mut lab = Lab::new();
    let mut nas = lab.nas();
    for _ in 0..100 {
        tries(&mut lab, &mut nas, ALICE, "wrong");
        lab.passes(SECOND * 60);
    }
    tries(&mut lab, &mut nas, ALICE, "wrong");
    let why = tries(&mut lab, &mut nas, ALICE, &right(ALICE));
    assert!(why.ends_with("for 60 s"), "{why}");
    lab.passes(SECOND * 60);
    assert_eq!(tries(&mut lab, &mut nas, ALICE, &right(ALICE)), "");
}

#[test]
fn wrong_passwords_are_forgotten_after_a_quarter_of_an_hour() {
    let mut lab = Lab::new();
    let mut nas = lab.nas();
    for _ in 0..4 {
        tries(&mut lab, &mut nas, ALICE, "wrong");
    }
    lab.passes(SECOND * 15 * 60);
    for _ in 0..5 {
        let why = tries(&mut lab, &mut nas, ALICE, "wrong");
        assert!(why.starts_with("the password is not"), "{why}");
    }
}

#[test]
fn a_list_of_names_does_not_push_out_the_user_who_is_guessed_at() {
    let mut lab = Lab::new();
    let mut nas = lab.nas();
    for _ in 0..5 {
        tries(&mut lab, &mut nas, ALICE, "wrong");
    }
    // More names than the table has places.
    for number in 0..20_000 {
        let name = format!("made-up-{number}@contoso.com");
        tries(&mut lab, &mut nas, &name, "wrong");
    }
    let why = tries(&mut lab, &mut nas, ALICE, &right(ALICE));
    assert!(why.starts_with("5 wrong"), "{why}");
}

#[test]
fn a_longest_wait_of_zero_slows_nobody() {
    let mut lab = Lab::new();
    lab.configure(|config| config.longest_wait = Duration::ZERO);
    let mut nas = lab.nas();
    for _ in 0..20 {
        tries(&mut lab, &mut nas, ALICE, "wrong");
    }
    assert_eq!(tries(&mut lab, &mut nas, ALICE, &right(ALICE)), "");
}

#[test]
fn a_directory_that_is_away_is_no_guess_and_its_users_wait_for_nothing() {
    let mut lab = Lab::new();
    let mut nas = lab.nas();
    for _ in 0..10 {
        let why = tries(&mut lab, &mut nas, DAVE, "wrong");
        assert_eq!(why, "the directory does not answer");
    }
    lab.configure(|config| config.reject_when_unavailable = false);
    let request = request(&mut nas, DAVE, "wrong");
    assert!(lab.ask(&nas, &request).is_none(), "the NAS asks elsewhere");
    assert_eq!(refusal(&lab.record()), "the directory does not answer");
    assert_eq!(lab.dropped("directory_unavailable"), 1);
    // Its retransmission is tried anew.
    assert!(lab.ask(&nas, &request).is_none());
    assert_eq!(lab.dropped("directory_unavailable"), 2);
}

#[test]
fn a_burst_of_guesses_gets_no_more_looks_than_one_after_the_other() {
    let mut lab = Lab::new();
    let mut nas = lab.nas();
    let now = lab.now;
    let mut jobs = Vec::new();
    for _ in 0..200 {
        let request = request(&mut nas, CAROL, "wrong");
        lab.servers[0].handle_datagram(now, AUTHENTICATION, nas.address, &request);
        jobs.extend(lab.servers[0].poll_job());
    }
    assert_eq!(jobs.len(), 64);
    assert_eq!(lab.dropped("overloaded"), 200 - 64);
    // Another user is not concerned.
    let other = request(&mut nas, BOB, "wrong");
    lab.servers[0].handle_datagram(now, AUTHENTICATION, nas.address, &other);
    assert!(lab.servers[0].poll_job().is_some());
    for job in jobs {
        let done = job.run(|| now);
        lab.servers[0].handle_job(now, done);
    }
    lab.take_sent(0);
    while lab.shared.records.pop().is_some() {}
    let why = tries(&mut lab, &mut nas, CAROL, &right(CAROL));
    assert!(
        why.starts_with("64 wrong") && why.ends_with("60 s"),
        "{why}"
    );
    // After a wrong one fewer are looked at together.
    lab.passes(SECOND * 15 * 60);
    let now = lab.now;
    tries(&mut lab, &mut nas, CAROL, "wrong");
    let mut looked_at = 0;
    for _ in 0..20 {
        let request = request(&mut nas, CAROL, "wrong");
        lab.servers[0].handle_datagram(now, AUTHENTICATION, nas.address, &request);
        looked_at += usize::from(lab.servers[0].poll_job().is_some());
    }
    assert_eq!(looked_at, 4);
}

#[test]
fn a_look_that_comes_to_nothing_gives_its_place_back() {
    let mut lab = Lab::new();
    let mut nas = lab.nas();
    for _ in 0..3 {
        for _ in 0..64 {
            let request = request(&mut nas, CAROL, "wrong");
            let now = lab.now;
            lab.servers[0].handle_datagram(now, AUTHENTICATION, nas.address, &request);
            let job = lab.servers[0].poll_job().expect("a place");
            lab.servers[0].handle_refused_job(job);
        }
    }
    for _ in 0..64 {
        let request = request(&mut nas, CAROL, "wrong");
        let now = lab.now;
        lab.servers[0].handle_datagram(now, AUTHENTICATION, nas.address, &request);
        assert!(lab.servers[0].poll_job().is_some());
    }
    // Their time passes without an answer.
    lab.passes(SECOND * 31);
    let now = lab.now;
    lab.servers[0].handle_timeout(now);
    assert_eq!(tries(&mut lab, &mut nas, CAROL, &right(CAROL)), "");
}

const SPOKEN: [(Outer, Inner); 4] = [
    (Outer::Ttls, Inner::Pap),
    (Outer::Peap, Inner::Gtc),
    (Outer::Teap, Inner::Gtc),
    (Outer::Teap, Inner::Pap),
];

/// A login through a tunnel.
fn tunnel(lab: &Lab, (outer, inner): (Outer, Inner), user: &str, password: &str) -> Pair {
    let roots = lab.profile_settings(crate::lab::GOOD).roots;
    let mut settings = ProfileSettings::new("anonymous@contoso.com", None, roots);
    settings.method = outer;
    settings.inside = Some(InsideSettings {
        inner,
        by_eap: false,
        user: user.into(),
        password: Secret::new(password.into()),
        binding: true,
        resumes: true,
        early: false,
        teap: TeapPeer::default(),
    });
    let mut pair = lab.pair_of(&Arc::new(Profile::build(settings).unwrap()));
    GOOD_MAC.clone_into(&mut pair.station);
    pair
}

/// Carries a login to its end; how long the answers took that did not come at once, in the order in
/// which they came.
fn carry(lab: &mut Lab, pair: &mut Pair) -> (End, Vec<Duration>) {
    let mut request = pair.request();
    let mut waits = Vec::new();
    for _ in 0..40 {
        let mut sent = lab.deliver(0, AUTHENTICATION, pair.nas.address, &request);
        if sent.is_empty() {
            let due = lab.servers[0].poll_timeout().unwrap();
            let wait = lab.now.monotonic.until(due);
            waits.push(wait);
            sent = later(lab, wait);
        }
        let mine = sent.iter().find(|sent| sent.octets[1] == request[1]);
        let reply = pair.nas.believe(&request, &mine.unwrap().octets);
        match pair.take(lab.now, reply) {
            Next::Request(next) => request = next,
            Next::End(end) => return (end, waits),
        }
    }
    panic!("the login goes on for ever");
}

#[test]
fn what_refuses_a_password_inside_of_a_tunnel_leaves_a_second_after_its_request() {
    for spoken in SPOKEN {
        for user in [ALICE, BOB, "nobody@contoso.com"] {
            let mut lab = lab();
            let mut pair = tunnel(&lab, spoken, user, "wrong");
            let (end, waits) = carry(&mut lab, &mut pair);
            end.rejected();
            assert_eq!(waits, [SECOND], "row {spoken:?}, {user}: once");
            refusal(&lab.record());
        }
        let mut lab = lab();
        let mut pair = tunnel(&lab, spoken, ALICE, &right(ALICE));
        let (end, waits) = carry(&mut lab, &mut pair);
        end.accepted(&pair.nas);
        assert!(
            waits.is_empty(),
            "row {spoken:?}: a right one does not wait"
        );
        // A block must not tell that the password was right.
        let mut pair = tunnel(&lab, spoken, ALICE, &right(ALICE));
        BAD_MAC.clone_into(&mut pair.station);
        let (end, waits) = carry(&mut lab, &mut pair);
        end.rejected();
        assert_eq!(waits, [SECOND], "row {spoken:?}: blocked");
    }
}

#[test]
fn guesses_inside_of_tunnels_and_outside_count_together() {
    for spoken in SPOKEN {
        for user in [ALICE, BOB] {
            let mut lab = lab();
            let free = Config::default().free_guesses;
            for guess in 0..free {
                let mut pair = tunnel(&lab, spoken, user, &format!("guess {guess}"));
                carry(&mut lab, &mut pair).0.rejected();
                let why = refusal(&lab.record());
                assert!(why.contains("not this user's"), "row {spoken:?}: {why}");
            }
            // The right one is not looked at now, by whatever method.
            let mut nas = lab.nas();
            let outside = request(&mut nas, user, &right(user));
            assert!(lab.ask(&nas, &outside).is_none());
            let why = refusal(&lab.record());
            assert!(why.contains("none is looked at"), "row {spoken:?}: {why}");
            let mut pair = tunnel(&lab, spoken, user, &right(user));
            carry(&mut lab, &mut pair).0.rejected();
            let why = refusal(&lab.record());
            assert!(why.contains("none is looked at"), "row {spoken:?}: {why}");
            // Another user is, and this one after a while.
            let mut pair = tunnel(&lab, spoken, CAROL, &right(CAROL));
            let (end, _) = carry(&mut lab, &mut pair);
            assert!(matches!(end, End::Accepted { .. }), "row {spoken:?}");
            lab.record();
            later(&mut lab, SECOND * 10);
            let mut pair = tunnel(&lab, spoken, user, &right(user));
            carry(&mut lab, &mut pair);
            let record = lab.record();
            let why = format!("{record:?}");
            assert!(!why.contains("looked at"), "row {spoken:?}: {why}");
        }
    }
}
