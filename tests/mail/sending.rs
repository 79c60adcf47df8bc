//! Messages that clients of version 16.x send by a Sync, and policies about SendMail.

use std::time::Duration;

use portreeve::access::DecisionRecord;
use portreeve::access::Outcome;
use portreeve::mail::Action;
use portreeve::mail::Care;
use portreeve::mail::Event;
use portreeve::mail::Gateway;
use portreeve::mail::Next;
use portreeve::mail::Phase;
use portreeve::mail::Reply;
use portreeve::mail::Words;
use portreeve::model::ComplianceState;
use portreeve::model::Verdict;
use portreeve::wbxml::Writer;
use portreeve::wbxml::item::email2;
use portreeve::wbxml::sync::air_sync;

use crate::world::Request;
use crate::world::World;
use crate::world::forward;
use crate::world::peer;
use crate::world::read;
use crate::world::reply;
use crate::world::said;
use crate::world::start;

fn rule(more: &str) -> String {
    format!(
        "[[conditional]]\nname = \"No mail\"\nplanes = [\"mail\"]\ntargets = [\"staff\"]\n\
         when = {{ commands = [\"SendMail\"] }}\naction = \"block\"\n{more}"
    )
}

/// A Sync of two folders, with a draft in the first.
fn sync(send: bool) -> Vec<u8> {
    let mut writer = Writer::new();
    writer.element(air_sync::SYNC, |writer| {
        writer.element(air_sync::COLLECTIONS, |writer| {
            writer.element(air_sync::COLLECTION, |writer| {
                writer.leaf(air_sync::SYNC_KEY, "drafts-7");
                writer.leaf(air_sync::COLLECTION_ID, "3");
                writer.element(air_sync::COMMANDS, |writer| {
                    writer.element(air_sync::ADD, |writer| {
                        writer.leaf(air_sync::CLIENT_ID, "d1");
                        if send {
                            writer.empty(email2::SEND);
                        }
                        writer.empty(air_sync::APPLICATION_DATA);
                    });
                });
            });
            writer.element(air_sync::COLLECTION, |writer| {
                writer.leaf(air_sync::SYNC_KEY, "inbox-7");
                writer.leaf(air_sync::COLLECTION_ID, "2");
            });
        });
    });
    writer.finish()
}

fn of_16(device: &str, command: &str) -> Request {
    let mut request = Request::of(device, command);
    request.headers.remove("ms-asprotocolversion");
    request.with("ms-asprotocolversion", "16.1")
}

/// What becomes of a Sync with this body, and the record that was made of that.
fn sent(gateway: &Gateway, device: &str, body: Option<&[u8]>) -> (Next, Option<DecisionRecord>) {
    let step = of_16(device, "Sync").settle(gateway, &peer());
    let (next, event) = gateway.handle_body(start(), read(step).aside, body);
    let record = event.map(|event| {
        let Event::Decision(record) = event else {
            panic!("{event:?}");
        };
        *record
    });
    (next, record)
}

fn refused(next: Next) -> Reply {
    let Next::Answer(reply) = next else {
        panic!("{next:?}");
    };
    reply
}

#[test]
fn a_draft_is_no_way_round_a_rule_about_sendmail_r23() {
    let world = World::new();
    let gateway = world.gateway();
    world.with_policies(&rule(""));
    let (next, record) = sent(&gateway, "good", Some(&sync(true)));
    let reply = refused(next);
    assert_eq!(reply.headers["x-portreeve-reason"], "54021");
    // The folder of drafts comes again later, with its key as it was; the other has no changes.
    let text = said(&reply);
    for part in ["drafts-7", "16", "inbox-7", "1"] {
        assert!(text.contains(&format!("{part}\0")), "{part}: {text:?}");
    }
    let record = record.unwrap();
    assert_eq!(record.method.as_str(), "eas SendMail, by Sync");
    let Outcome::Decided(decision) = record.outcome else {
        panic!("{record:?}");
    };
    assert_eq!(decision.verdict, Verdict::Block);
    // Asked again from its record, it is the same command.
    let explained = world.live.point().explain(&record).unwrap();
    assert_eq!(explained.decision.verdict, Verdict::Block);
    assert_eq!(explained.decision.reason, decision.reason);
    // A draft that is only saved goes on, as does a Sync that asks for the same once more.
    for body in [&sync(false)[..], b""] {
        let (next, record) = sent(&gateway, "good", Some(body));
        assert!(matches!(next, Next::Forward(_)), "{next:?}");
        assert!(record.is_none());
    }
}

#[test]
fn a_sync_that_cannot_be_read_may_well_send_a_message() {
    let world = World::new();
    let gateway = world.gateway();
    world.with_policies(&rule(""));
    let cut = sync(false);
    for (body, status) in [
        (None, "111"),
        (Some(&b"no document"[..]), "103"),
        (Some(&cut[..cut.len() - 1]), "103"),
    ] {
        let (next, _) = sent(&gateway, "good", body);
        let reply = refused(next);
        assert_eq!(reply.headers["x-portreeve-reason"], "54021");
        assert!(said(&reply).contains(status), "{reply:?}");
    }
}

#[test]
fn bodies_are_read_only_where_a_policy_asks_and_the_version_can_send_by_them() {
    let world = World::new();
    let gateway = world.gateway();
    let goes_on = |request: Request| {
        let step = request.settle(&gateway, &peer());
        assert!(matches!(step.action, Action::Forward(_)), "{request:?}");
    };
    goes_on(of_16("good", "Sync"));
    world.with_policies(
        "[[conditional]]\nname = \"No files\"\nplanes = [\"mail\"]\ntargets = [\"staff\"]\n\
         when = { commands = [\"attachments\"] }\naction = \"block\"\n",
    );
    goes_on(of_16("good", "Sync"));
    world.with_policies(&rule("state = \"off\"\n"));
    goes_on(of_16("good", "Sync"));
    world.with_policies(&rule(""));
    goes_on(Request::of("good", "Sync"));
    goes_on(of_16("good", "Ping"));
}

#[test]
fn a_rule_that_is_only_tried_out_lets_the_message_go_and_says_what_it_would_have_done_r67() {
    let world = World::new();
    let gateway = world.gateway();
    world.with_policies(&rule("state = \"report-only\"\n"));
    for body in [Some(sync(true)), None] {
        let (next, record) = sent(&gateway, "good", body.as_deref());
        assert!(matches!(next, Next::Forward(_)), "{next:?}");
        let Outcome::Decided(decision) = record.unwrap().outcome else {
            panic!("no decision");
        };
        let rehearsed = decision.rehearsed.unwrap();
        assert_eq!(rehearsed.verdict, Verdict::Block);
        assert_eq!(rehearsed.reason.code(), 54021);
    }
}

#[test]
fn a_rule_about_a_command_holds_while_its_device_is_let_in_to_wait_r33() {
    let world = World::new();
    let gateway = world.gateway();
    gateway.replace_words(Words {
        care: Care {
            wait: Duration::from_secs(100),
            ..Care::default()
        },
        ..Words::default()
    });
    drop(forward(of_16("good", "Ping").settle(&gateway, &peer())));
    world.set("good", ComplianceState::NonCompliant);
    world.with_policies(&rule(""));
    let waiting = forward(of_16("good", "Ping").settle(&gateway, &peer()));
    let by_command = reply(of_16("good", "SendMail").settle(&gateway, &peer()));
    let (next, _) = sent(&gateway, "good", Some(&sync(true)));
    for (reply, status) in [(&by_command, "120"), (&refused(next), "16")] {
        assert_eq!(reply.headers["x-portreeve-reason"], "54021");
        assert!(said(reply).contains(status), "{reply:?}");
    }
    // It goes on waiting, and mail goes on coming.
    assert!(waiting.permit.revoked().is_none());
    let (next, _) = sent(&gateway, "good", Some(&sync(false)));
    assert!(matches!(next, Next::Forward(_)), "{next:?}");
    let standings = gateway.standings("good".parse().unwrap());
    assert!(matches!(standings[0].phase, Phase::Waiting(_)));
}

#[test]
fn a_rule_about_the_application_ends_a_wait_although_another_reason_is_told_first_r40() {
    let world = World::new();
    let gateway = world.gateway();
    gateway.replace_words(Words {
        care: Care {
            wait: Duration::from_secs(100),
            ..Care::default()
        },
        ..Words::default()
    });
    let ping = || of_16("good", "Ping").settle(&gateway, &peer());
    drop(forward(ping()));
    world.set("good", ComplianceState::NonCompliant);
    let waiting = forward(ping());
    world.with_policies(
        "[[conditional]]\nname = \"Not this one\"\nplanes = [\"mail\"]\ntargets = [\"staff\"]\n\
         when = { user_agents = [\"Test/*\"] }\naction = \"block\"\n",
    );
    world.live.sweep_all(start().wall);
    let revoked = waiting.permit.revoked().unwrap();
    assert_eq!(revoked.decision.reason.code(), 53000);
    assert_eq!(revoked.decision.lasting().code(), 53002);
    let out = reply(ping());
    assert_eq!(out.status, 403);
    assert_eq!(out.headers["x-portreeve-reason"], "53000");
}
