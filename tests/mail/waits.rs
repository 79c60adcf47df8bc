//! What is under way when its device begins to be let in for some time only (R33).

use http::StatusCode;
use portreeve::inventory::Wipe;
use portreeve::mail::Event;
use portreeve::mail::Phase;
use portreeve::mail::Words;
use portreeve::message::Kind;
use portreeve::model::ComplianceState;

use crate::clients::shown;
use crate::users::caring;
use crate::users::later;
use crate::users::send;
use crate::users::standing;
use crate::users::waits;
use crate::world::World;
use crate::world::forward;
use crate::world::said;
use crate::world::start;

/// Every phone holds a Ping: at the beginning of the time in which it is let in each was told of a block.
#[test]
fn what_is_under_way_when_a_device_begins_to_wait_is_asked_again_and_not_blocked_r33() {
    for (wait, command, told) in [
        (3600, "Ping", "Ping(Status(1))"),
        (3600, "MoveItems", "Status(111)"),
        (3600, "GetAttachment", "has just changed"),
        (0, "Ping", "Access blocked"),
    ] {
        let row = format!("row {wait} {command}");
        let world = World::new();
        let gateway = caring(&world, waits(wait));
        let going = forward(send(&gateway, start(), "good", command));
        world.set("good", ComplianceState::NonCompliant);
        let revoked = going.permit.revoked().unwrap();
        let (exchange, now) = (&going.exchange, later(1));
        let (reply, event) = gateway.handle_revoked(now, exchange, &revoked, false);
        let Some(Event::Decision(record)) = event else {
            panic!("{row}: {event:?}");
        };
        let body = match reply.status {
            StatusCode::OK => shown(&reply.body),
            _ => said(&reply),
        };
        assert!(body.contains(told), "{row}: {body}");
        let is_let_in = wait > 0;
        assert_eq!(
            record.method.as_str().ends_with("let in to wait"),
            is_let_in
        );
        if is_let_in {
            assert!(gateway.poll_notes().is_some(), "{row}: nothing is written");
            let until = Phase::Waiting(later(1 + wait).wall);
            assert_eq!(standing(&gateway, "good").phase, until, "{row}");
            drop(forward(send(&gateway, later(2), "good", command)));
        }
    }
    // What no site lets wait is blocked at once.
    let world = World::new();
    let gateway = caring(&world, waits(3600));
    let going = forward(send(&gateway, start(), "good", "Ping"));
    world.order("good", Some(Wipe::Device));
    let revoked = going.permit.revoked().unwrap();
    let (reply, _) = gateway.handle_revoked(later(1), &going.exchange, &revoked, false);
    assert_eq!(shown(&reply.body), "Ping(Status(140))");
}

/// Its user was told that access has ended, and it got no wait.
#[test]
fn a_device_that_was_let_in_before_waits_were_given_begins_one_r33() {
    let world = World::new();
    let gateway = caring(&world, waits(0));
    gateway.replace_words(Words::default());
    let going = forward(send(&gateway, start(), "good", "Ping"));
    gateway.replace_words(Words {
        care: waits(3600),
        ..Words::default()
    });
    world.set("good", ComplianceState::NonCompliant);
    let revoked = going.permit.revoked().unwrap();
    let (reply, _) = gateway.handle_revoked(later(1), &going.exchange, &revoked, true);
    assert_eq!(shown(&reply.body), "Ping(Status(1))");
    let standing = standing(&gateway, "good");
    assert_eq!(standing.phase, Phase::Waiting(later(3601).wall));
    assert_eq!(standing.mail.unwrap().kind, Kind::Waiting);
}
