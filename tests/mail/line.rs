//! Devices of one user that come for the first time while others of theirs do, where a policy says how
//! many there may be.

use std::thread;

use portreeve::access::Outcome;
use portreeve::access::Trace;
use portreeve::mail::Action;
use portreeve::mail::Event;
use portreeve::mail::Forward;
use portreeve::mail::Gateway;
use portreeve::mail::Reply;
use portreeve::model::ComplianceState;
use portreeve::model::Credential;
use portreeve::model::Established;
use portreeve::model::Identifier;
use portreeve::model::MailContext;
use portreeve::model::Plane;
use portreeve::model::Presented;
use portreeve::model::Reason;
use portreeve::model::Subject;
use portreeve::wbxml::Writer;
use portreeve::wbxml::sync::air_sync;

use crate::world::Request;
use crate::world::World;
use crate::world::answered;
use crate::world::forward;
use crate::world::peer;
use crate::world::reply;
use crate::world::start;

const TEN: [&str; 10] = ["n0", "n1", "n2", "n3", "n4", "n5", "n6", "n7", "n8", "n9"];

/// Two devices for each user, and ten of Alice's that are in order and were never seen.
fn world() -> (World, Gateway) {
    world_in("on")
}

fn world_in(state: &str) -> (World, Gateway) {
    let world = World::new();
    for device in TEN {
        world.set(device, ComplianceState::Compliant);
    }
    world.with_policies(&format!(
        "[[conditional]]\nname = \"Two devices\"\nplanes = [\"mail\"]\ntargets = [\"staff\"]\n\
         when = {{ devices_over = 2 }}\naction = \"block\"\nstate = \"{state}\"\n",
    ));
    let gateway = world.gateway();
    (world, gateway)
}

fn send(gateway: &Gateway, device: &str) -> Result<Forward, Box<Reply>> {
    let step = Request::of(device, "Sync").settle(gateway, &peer());
    match step.action {
        Action::Forward(forward) => Ok(forward),
        Action::Answer(reply) => Err(Box::new(reply)),
        Action::Ask(_) | Action::Read(_) | Action::Publish(_) | Action::Discover(_) => {
            panic!("{device}: {:?}", step.action)
        }
    }
}

fn let_in(gateway: &Gateway, device: &str) -> Forward {
    forward(Request::of(device, "Sync").settle(gateway, &peer()))
}

fn is_one_too_many(gateway: &Gateway, device: &str) -> bool {
    let refused = reply(Request::of(device, "Sync").settle(gateway, &peer()));
    refused.headers["x-portreeve-reason"] == "54023"
}

fn is_refused_otherwise(gateway: &Gateway, device: &str) {
    let refused = reply(Request::of(device, "Sync").settle(gateway, &peer()));
    assert_ne!(refused.headers["x-portreeve-reason"], "54023");
}

/// The mail server answers and the answer is over.
fn end(gateway: &Gateway, forward: Forward, status: u16) {
    drop(answered(gateway, start(), &forward.exchange, status, b""));
}

/// Each was found to be the first, because none had been served when the others were decided about.
#[test]
fn of_ten_new_devices_that_come_before_any_is_answered_two_are_let_in() {
    let (world, gateway) = world();
    let sent = TEN.map(|device| send(&gateway, device));
    let mut under_way = Vec::new();
    for (place, sent) in sent.into_iter().enumerate() {
        match sent {
            Ok(forward) => under_way.push((place, forward)),
            Err(refused) => assert_eq!(refused.headers["x-portreeve-reason"], "54023"),
        }
    }
    let places: Vec<_> = under_way.iter().map(|(place, _)| *place).collect();
    assert_eq!(places, [0, 1]);
    for (place, forward) in under_way {
        end(&gateway, forward, 200);
        // The inventory does not know of it yet.
        assert!(is_one_too_many(&gateway, "n5"), "after {place}");
    }
    world.learn(&gateway);
    assert!(
        TEN[2..]
            .iter()
            .all(|device| is_one_too_many(&gateway, device))
    );
    for device in &TEN[..2] {
        drop(let_in(&gateway, device));
    }
}

#[test]
fn of_ten_that_come_at_the_same_moment_two_are_let_in() {
    for _ in 0..20 {
        let (_world, gateway) = world();
        // The mail server's word on the password is had.
        is_refused_otherwise(&gateway, "bad");
        let sent: Vec<_> = thread::scope(|scope| {
            let gateway = &gateway;
            let threads = TEN.map(|device| scope.spawn(move || send(gateway, device)));
            threads.map(|thread| thread.join().unwrap()).into()
        });
        assert_eq!(sent.iter().filter(|sent| sent.is_ok()).count(), 2);
    }
}

#[test]
fn a_place_is_free_when_its_request_is_over_without_success() {
    let (world, gateway) = world();
    let (one, two) = (let_in(&gateway, "n0"), let_in(&gateway, "n1"));
    assert!(is_one_too_many(&gateway, "n2"));
    end(&gateway, one, 503);
    let three = let_in(&gateway, "n2");
    assert!(is_one_too_many(&gateway, "n0"));
    // Its client has gone, or the mail server does not answer.
    drop(two);
    end(&gateway, let_in(&gateway, "n3"), 200);
    drop(three);
    // A success with the status of a failure in its body.
    let four = let_in(&gateway, "n4");
    let failed = [
        0x03, 0x01, 0x6a, 0x00, 0x45, 0x4e, 0x03, b'3', 0x00, 0x01, 0x01,
    ];
    drop(answered(&gateway, start(), &four.exchange, 200, &failed));
    assert!(is_one_too_many(&gateway, "n5"), "it is not over yet");
    drop(four);
    end(&gateway, let_in(&gateway, "n5"), 200);
    world.learn(&gateway);
    assert!(is_one_too_many(&gateway, "n4"));
    drop((let_in(&gateway, "n3"), let_in(&gateway, "n5")));
}

/// Such a client gave its place back each time, and any number of them read mail.
#[test]
fn a_place_stays_where_nobody_can_tell_what_the_mail_server_has_answered() {
    let first_folder_failed = {
        let mut writer = Writer::new();
        writer.element(air_sync::SYNC, |writer| {
            writer.element(air_sync::COLLECTIONS, |writer| {
                for status in ["3", "1"] {
                    writer.element(air_sync::COLLECTION, |writer| {
                        writer.leaf(air_sync::STATUS, status);
                    });
                }
            });
        });
        writer.finish()
    };
    for (command, body) in [
        ("Sync", &first_folder_failed[..]),
        ("Sync", b"\x1f\x8b\x08 and so on"),
        ("GetAttachment", b"an attachment"),
        ("ItemOperations", b"\x01\0\0\0 in parts"),
    ] {
        let (world, gateway) = world();
        for device in ["n0", "n1", "n0"] {
            let sent = forward(Request::of(device, command).settle(&gateway, &peer()));
            drop(answered(&gateway, start(), &sent.exchange, 200, body));
        }
        world.learn(&gateway);
        assert!(is_one_too_many(&gateway, "n2"), "row {command} {body:?}");
    }
}

#[test]
fn a_device_that_sends_several_requests_is_one_device() {
    let (_world, gateway) = world();
    let several = ["n0", "n0", "n1", "n0", "n1"].map(|device| let_in(&gateway, device));
    assert!(is_one_too_many(&gateway, "n2"));
    let [one, two, three, four, five] = several;
    // It keeps its place as long as one of them is under way.
    drop((one, two, three));
    assert!(is_one_too_many(&gateway, "n2"));
    drop(four);
    let _in_its_place = let_in(&gateway, "n2");
    assert!(is_one_too_many(&gateway, "n0"));
    drop(five);
}

#[test]
fn whoever_counts_or_is_refused_or_belongs_to_another_takes_no_place() {
    let (world, gateway) = world();
    end(&gateway, let_in(&gateway, "n0"), 200);
    world.learn(&gateway);
    let _counted = [let_in(&gateway, "n0"), let_in(&gateway, "n0")];
    world.report("bobs", "bobs", "bob", ComplianceState::Compliant);
    let bobs = "Cmd=Sync&User=bob&DeviceId=bobs&DeviceType=phone";
    let bobs = Request::post(bobs).basic("bob", "right");
    let _bobs = forward(bobs.settle(&gateway, &peer()));
    is_refused_otherwise(&gateway, "bad");
    let _second = let_in(&gateway, "n1");
    assert!(is_one_too_many(&gateway, "n2"));
}

/// Whatever is only asked about, by `explain`, a page or another look at those who wait.
#[test]
fn a_question_takes_no_place_and_is_answered_as_a_request_would_be() {
    let (world, gateway) = world();
    let asked = |device: &str| {
        let subject = Subject {
            plane: Plane::Mail,
            user: Some("alice"),
            credential: Credential::Password,
            device: &[Presented {
                identifier: Identifier::Eas(device.parse().unwrap(), "alice"),
                established: Established::Claimed,
            }],
            nas: None,
            mail: Some(MailContext::default()),
        };
        let point = world.live.point();
        let decided = point.decide(start().wall, &subject, &mut Trace::default());
        (decided.decision.reason, decided.client.unwrap().rank)
    };
    for device in TEN {
        assert_eq!(asked(device), (Reason::RequirementsMet, 1));
    }
    let _under_way = [let_in(&gateway, "n0"), let_in(&gateway, "n1")];
    assert_eq!(asked("n1"), (Reason::RequirementsMet, 2));
    assert_eq!(asked("n2"), (Reason::TooManyDevices, 3));
    assert!(is_one_too_many(&gateway, "n2"));
}

#[test]
fn a_policy_in_trial_lets_all_in_and_says_who_would_be_one_too_many() {
    let (_world, gateway) = world_in("report-only");
    let mut under_way = Vec::new();
    let would = TEN.map(|device| {
        let step = Request::of(device, "Sync").settle(&gateway, &peer());
        let Some(Event::Decision(record)) = &step.event else {
            panic!("no record of {device}");
        };
        let Outcome::Decided(decision) = record.outcome else {
            panic!("no decision on {device}");
        };
        let rank = record.client().unwrap().rank;
        under_way.push(forward(step));
        (rank, decision.rehearsed.map(|would| would.reason))
    });
    let expected = (1..=10).map(|rank| (rank, (rank > 2).then_some(Reason::TooManyDevices)));
    assert!(would.into_iter().eq(expected), "{would:?}");
}

/// Their places in line were left to time out, and the one of the forgotten device with them.
#[test]
fn a_device_that_is_forgotten_makes_room_at_once() {
    let (world, gateway) = world();
    let (one, two) = (let_in(&gateway, "n0"), let_in(&gateway, "n1"));
    let again = let_in(&gateway, "n1");
    end(&gateway, one, 200);
    end(&gateway, two, 200);
    world.learn(&gateway);
    assert!(is_one_too_many(&gateway, "n2"));
    world.forget("n0");
    let third = let_in(&gateway, "n2");
    assert!(is_one_too_many(&gateway, "n3"));
    end(&gateway, third, 200);
    world.learn(&gateway);
    // It was let in when it did not count yet, and is over when it does.
    end(&gateway, again, 200);
    world.live.sweep_due(start().wall);
    world.forget("n1");
    drop(let_in(&gateway, "n3"));
}

/// Its place was kept for a minute more, though by then there was no device that it was for.
#[test]
fn a_device_that_is_forgotten_makes_room_at_once_whatever_it_was_answered() {
    let (world, gateway) = world();
    let answer = |device| {
        let sent = forward(Request::of(device, "Sync").settle(&gateway, &peer()));
        drop(answered(
            &gateway,
            start(),
            &sent.exchange,
            200,
            b"\x1f\x8b\x08 and so on",
        ));
    };
    answer("n0");
    answer("n1");
    world.learn(&gateway);
    assert!(is_one_too_many(&gateway, "n2"));
    // It is not forgotten.
    world.free_place("n0");
    assert!(is_one_too_many(&gateway, "n2"));
    world.forget("n0");
    let third = let_in(&gateway, "n2");
    assert!(is_one_too_many(&gateway, "n3"));
    // What is under way holds a place all the same.
    let under_way = let_in(&gateway, "n1");
    drop(third);
    world.forget("n1");
    let _third = let_in(&gateway, "n2");
    assert!(is_one_too_many(&gateway, "n3"));
    drop(under_way);
    drop(let_in(&gateway, "n3"));
}

/// What is put into force now holds for those who stand in line, too.
#[test]
fn another_number_is_counted_by_the_line_that_there_is() {
    let (world, gateway) = world();
    let (one, two) = (let_in(&gateway, "n0"), let_in(&gateway, "n1"));
    world.with_policies(
        "[[conditional]]\nname = \"One device\"\nplanes = [\"mail\"]\ntargets = [\"staff\"]\n\
         when = { devices_over = 1 }\naction = \"block\"\n",
    );
    world.live.sweep_all(start().wall);
    assert!(one.permit.revoked().is_none());
    let revoked = two.permit.revoked().unwrap();
    assert_eq!(revoked.decision.reason, Reason::TooManyDevices);
    assert_eq!(revoked.client.unwrap().rank, 2);
}
