//! What a 451 has taught of a user's place: over a restart, and when the upstream that it names is gone.

use http::HeaderMap;
use http::HeaderValue;
use http::StatusCode;
use portreeve::mail::Action;
use portreeve::mail::Cause;
use portreeve::mail::Config;
use portreeve::mail::Event;
use portreeve::mail::Gateway;
use portreeve::mail::Outgoing;
use portreeve::mail::Rule;
use portreeve::mail::Step;
use portreeve::mail::Told;
use portreeve::mail::UpstreamId;
use portreeve::mail::Whose;
use portreeve::model::Now;

use crate::upstreams::two_upstreams;
use crate::users::later;
use crate::users::send;
use crate::world::Request;
use crate::world::World;
use crate::world::ask;
use crate::world::forward;
use crate::world::honest;
use crate::world::peer;
use crate::world::start;

const OLD: &str = "old.internal";
const CLOUD: &str = "outlook.office365.com";

/// Where the next request of alice goes.
fn place(gateway: &Gateway, now: Now) -> String {
    let forward = forward(send(gateway, now, "good", "Sync"));
    forward.request.uri().host().unwrap().to_owned()
}

/// Her upstream, the old one, says that she is in the cloud.
fn moves(gateway: &Gateway, now: Now) {
    let forward = forward(send(gateway, now, "good", "Sync"));
    assert_eq!(forward.request.uri().host(), Some(OLD));
    let mut headers = HeaderMap::new();
    let location = format!("https://{CLOUD}/Microsoft-Server-ActiveSync");
    let location = HeaderValue::from_str(&location).unwrap();
    headers.insert("x-ms-location", location);
    let moved = StatusCode::from_u16(451).unwrap();
    let (outgoing, _) = gateway.handle_answer(now, &forward.exchange, moved, headers);
    assert!(
        matches!(outgoing, Outgoing::Pass(status, _) if status == moved),
        "{outgoing:?}"
    );
    assert_eq!(place(gateway, now), CLOUD);
}

/// How a request of alice fails.
#[derive(Clone, Copy, Debug)]
enum Failing {
    /// There is no answer to the question about her password.
    SignIn,
    /// There is none to a command.
    Command,
    /// Another server answers for the one that is gone.
    NotFound,
    /// The balancer before it has none to send her to.
    BadGateway,
}

fn fails(gateway: &Gateway, now: Now, how: Failing) {
    let command = || forward(send(gateway, now, "good", "Sync")).exchange;
    match how {
        Failing::Command => {
            let reply = gateway.handle_unreachable(now, &command());
            assert_eq!(reply.status, StatusCode::SERVICE_UNAVAILABLE);
        }
        Failing::BadGateway => {
            let status = StatusCode::BAD_GATEWAY;
            drop(gateway.handle_answer(now, &command(), status, HeaderMap::new()));
        }
        Failing::SignIn | Failing::NotFound => {
            // Another password of hers, about which nothing is known.
            let request = Request::of("good", "Sync").basic("alice", "right");
            let step = request.send_at(now, gateway, &peer());
            assert!(matches!(step.action, Action::Ask(_)), "{now:?}: known");
            let headers = HeaderMap::new();
            let told = match how {
                Failing::NotFound => Told::Answer(StatusCode::NOT_FOUND, &headers),
                Failing::SignIn | Failing::Command | Failing::BadGateway => Told::Unreachable,
            };
            drop(gateway.handle_told(now, ask(step).ticket, told));
        }
    }
}

fn restarted(world: &World, config: Config, saved: &[u8], now: Now) -> (Gateway, usize) {
    let (gateway, restored) = world.gateway_with(config).restore(now, saved, b"");
    assert_eq!(restored.unreadable, 0);
    (gateway, restored.places)
}

/// Asks until the front has made up its mind; every question with credentials at a host of `sends` is
/// answered by 451 to the place beside it, others as by a server that knows its users.
fn settle(gateway: &Gateway, sends: &[(&str, &str)]) -> (Step, Vec<String>) {
    let mut asked = Vec::new();
    let mut step = Request::of("good", "Sync").send(gateway, &peer());
    while let Action::Ask(ask) = step.action {
        assert!(asked.len() < 50, "it comes to no end: {asked:?}");
        let host = ask.request.uri().host().unwrap().to_owned();
        let has_credential = ask.request.headers().contains_key("authorization");
        let sent = sends.iter().find(|(at, _)| has_credential && *at == host);
        asked.push(host);
        step = match sent {
            Some((_, to)) => {
                let mut headers = HeaderMap::new();
                headers.insert("x-ms-location", HeaderValue::from_str(to).unwrap());
                let moved = StatusCode::from_u16(451).unwrap();
                gateway.handle_told(start(), ask.ticket, Told::Answer(moved, &headers))
            }
            None => honest(gateway, ask),
        };
    }
    (step, asked)
}

/// The question about a password is the first that a server is asked: its 451 was no answer, and a user
/// whose mailbox had moved was told 503 for ever.
#[test]
fn a_451_to_the_question_about_a_password_leads_to_where_the_mailbox_is_r56() {
    let world = World::new();
    let cloud = format!("https://{CLOUD}/Microsoft-Server-ActiveSync");
    let gateway = world.gateway_with(two_upstreams(vec![]));
    let (step, asked) = settle(&gateway, &[(OLD, &cloud)]);
    assert_eq!(forward(step).request.uri().host(), Some(CLOUD));
    assert_eq!(asked, [OLD, OLD, CLOUD, CLOUD]);
    assert_eq!(place(&gateway, start()), CLOUD, "and it is learned");

    let old = format!("https://{OLD}/Microsoft-Server-ActiveSync");
    for (row, sends) in [
        ("nowhere", &[(OLD, "https://elsewhere.example/")][..]),
        ("itself", &[(OLD, &old)]),
        ("to and fro", &[(OLD, &cloud), (CLOUD, &old)]),
    ] {
        let gateway = world.gateway_with(two_upstreams(vec![]));
        let (step, _) = settle(&gateway, sends);
        let Action::Answer(reply) = step.action else {
            panic!("row {row}: {:?}", step.action);
        };
        assert_eq!(reply.cause, Cause::SentElsewhere, "row {row}");
        let Some(Event::Decision(record)) = step.event else {
            panic!("row {row}: not recorded");
        };
        let why = format!("{:?}", record.outcome);
        assert!(why.contains("the mail server sends the user to"), "{why}");
    }
}

/// Every user who had been sent elsewhere went to the old server after a restart, and was sent once more.
#[test]
fn what_a_451_has_taught_outlives_a_restart_r56() {
    let world = World::new();
    let gateway = world.gateway_with(two_upstreams(vec![]));
    let before = gateway.changes();
    moves(&gateway, start());
    assert_ne!(gateway.changes(), before, "it has to be saved");
    let saved = gateway.save(later(60));
    let rule = Rule {
        whose: Whose::User("bob".to_owned()),
        upstream: UpstreamId::of("cloud"),
    };
    let mut off = two_upstreams(vec![]);
    off.routes.learn = false;
    let mut without = two_upstreams(vec![]);
    without.routes.resources.pop();
    let day = 24 * 3600;
    for (row, config, after, expected) in [
        ("the same", two_upstreams(vec![]), 100, CLOUD),
        ("a day later", two_upstreams(vec![]), day, OLD),
        ("the map is another", two_upstreams(vec![rule]), 100, OLD),
        ("nothing is learned", off, 100, OLD),
        ("the upstream is gone", without, 100, OLD),
    ] {
        let now = later(after);
        let (again, places) = restarted(&world, config, &saved, now);
        assert_eq!(place(&again, now), expected, "row {row}");
        assert_eq!(places, usize::from(expected == CLOUD), "row {row}");
    }
    // It ends when it would have ended.
    let (again, _) = restarted(&world, two_upstreams(vec![]), &saved, later(day - 10));
    assert_eq!(place(&again, later(day - 1)), CLOUD);
    assert_eq!(place(&again, later(day)), OLD);
}

#[test]
fn a_snapshot_from_before_places_were_saved_has_none() {
    let world = World::new();
    let saved = world.gateway_with(two_upstreams(vec![])).save(start());
    assert_eq!(saved.iter().filter(|octet| **octet == b'\n').count(), 1);
    let (again, places) = restarted(&world, two_upstreams(vec![]), &saved, start());
    assert_eq!((place(&again, start()).as_str(), places), (OLD, 0));
}

/// A user whose mailbox had moved on, or back, was told 503 for a day when the server that the user was sent
/// to had been switched off.
#[test]
fn a_learned_upstream_that_is_gone_is_left_for_the_one_of_the_map_r56() {
    for how in [
        Failing::SignIn,
        Failing::Command,
        Failing::NotFound,
        Failing::BadGateway,
    ] {
        let world = World::new();
        let gateway = world.gateway_with(two_upstreams(vec![]));
        moves(&gateway, start());
        // The word on her password is asked for again once it is old.
        let begins = 7200;
        fails(&gateway, later(begins), how);
        fails(&gateway, later(begins + 299), how);
        if let Failing::Command | Failing::BadGateway = how {
            assert_eq!(place(&gateway, later(begins + 299)), CLOUD, "{how:?}");
        }
        let changes = gateway.changes();
        fails(&gateway, later(begins + 599), how);
        assert_ne!(gateway.changes(), changes, "{how:?}: it has to be saved");
        let step = Request::of("good", "Sync").send_at(later(begins + 599), &gateway, &peer());
        let asked = ask(step);
        let host = asked.request.uri().host();
        assert_eq!(host, Some(OLD), "{how:?}: who is asked about her password");
        drop(gateway.handle_told(later(begins + 599), asked.ticket, Told::Unreachable));
        assert_eq!(place(&gateway, later(begins + 599)), OLD, "{how:?}");
        let saved = gateway.save(later(begins + 599));
        let (_, places) = restarted(&world, two_upstreams(vec![]), &saved, later(8000));
        assert_eq!(places, 0, "{how:?}");
    }
}

#[test]
fn an_upstream_that_answers_somebody_keeps_all_users_it_was_given_r56() {
    let world = World::new();
    let rule = Rule {
        whose: Whose::User("bob".to_owned()),
        upstream: UpstreamId::of("cloud"),
    };
    let gateway = world.gateway_with(two_upstreams(vec![rule]));
    moves(&gateway, start());
    for minute in 10..60 {
        let now = later(minute * 60);
        fails(&gateway, now, Failing::Command);
        assert_eq!(place(&gateway, now), CLOUD, "minute {minute}");
        if minute % 4 == 0 {
            let password = minute.to_string();
            let request = Request::post("Cmd=Sync&User=bob&DeviceId=x&DeviceType=phone");
            let step = request.basic("bob", &password);
            let asked = ask(step.send_at(now, &gateway, &peer()));
            assert_eq!(asked.request.uri().host(), Some(CLOUD));
            let (status, headers) = (StatusCode::UNAUTHORIZED, HeaderMap::new());
            drop(gateway.handle_told(now, asked.ticket, Told::Answer(status, &headers)));
        }
    }
}

/// As long as the upstream is away, the one of the map sends its user there again and again.
#[test]
fn who_is_sent_again_to_an_upstream_that_is_away_is_never_refused_for_it_r56() {
    let world = World::new();
    let gateway = world.gateway_with(two_upstreams(vec![]));
    moves(&gateway, start());
    let mut sent = 0;
    for ten in 1..1000 {
        let now = later(ten * 10);
        if place(&gateway, now) == OLD {
            moves(&gateway, now);
            sent += 1;
        }
        fails(&gateway, now, Failing::Command);
    }
    assert!((15..=34).contains(&sent), "{sent} times in 10,000 seconds");
}
