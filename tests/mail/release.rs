//! A device that was let in, and what it still has of its time in quarantine: none of that goes to the
//! mail server.

use portreeve::eas::quarantine::MAX_BODY;
use portreeve::mail::Gateway;
use portreeve::mail::Next;
use portreeve::model::ComplianceState;
use portreeve::wbxml::Event;
use portreeve::wbxml::Reader;
use portreeve::wbxml::sync::air_sync;
use portreeve::wbxml::sync::r#move;

use crate::quarantine::Client;
use crate::quarantine::folder_sync;
use crate::quarantine::ping;
use crate::quarantine::sync;
use crate::quarantine::written;
use crate::site::Site;
use crate::users::held;
use crate::users::send;
use crate::world::Request;
use crate::world::World;
use crate::world::config;
use crate::world::forward;
use crate::world::peer;
use crate::world::read;
use crate::world::start;

/// The answer of our own to a command of the device `new`, in short; `up` if it goes to the mail server.
fn asked(gateway: &Gateway, command: &str, body: &[u8]) -> String {
    let aside = read(send(gateway, start(), "new", command)).aside;
    match gateway.handle_body(start(), aside, Some(body)).0 {
        Next::Answer(reply) => shown(&reply.body),
        Next::Forward(_) => "up".to_owned(),
        other @ (Next::Wait(_) | Next::Fetch(_) | Next::Attest(_)) => panic!("{other:?}"),
    }
}

fn shown(octets: &[u8]) -> String {
    let mut reader = Reader::new(octets).unwrap();
    let mut shown = String::new();
    while let Some(event) = reader.next_event().unwrap() {
        match event {
            Event::Start(tag) => shown.push_str(&format!("{}(", tag.name())),
            Event::Text(text) => shown.push_str(text),
            Event::End(_) => shown.push(')'),
            Event::Empty(tag) => shown.push_str(tag.name()),
            Event::Opaque(_) => shown.push_str("..."),
        }
    }
    shown
}

/// The key stood in no memory, so it went up.
#[test]
fn a_key_of_ours_for_a_real_folder_is_answered_here_until_the_folder_is_begun_anew() {
    let world = World::new();
    let gateway = world.gateway();
    drop(held(
        &gateway,
        start(),
        "new",
        "FolderSync",
        &folder_sync("{real}1"),
    ));
    drop(held(
        &gateway,
        start(),
        "new",
        "Sync",
        &sync("5", "{real}9"),
    ));
    drop(held(&gateway, start(), "new", "Sync", &sync("6", "0")));
    // Whatever has happened to the gateway meanwhile.
    let notes = gateway.poll_notes().unwrap();
    let killed = world.gateway_with(config()).restore(start(), b"", &notes).0;
    let stopped = world
        .gateway_with(config())
        .restore(start(), &gateway.save(start()), b"")
        .0;
    world.set("new", ComplianceState::Compliant);
    for gateway in [gateway, killed, stopped] {
        let ours = sync("6", "portreeve.empty");
        let anew = "Sync(Collections(Collection(SyncKey(0)CollectionId(6)Status(3))))";
        for _ in 0..2 {
            assert_eq!(asked(&gateway, "FolderSync", &folder_sync("{real}1")), "up");
            assert_eq!(asked(&gateway, "Sync", &ours), anew);
            assert_eq!(asked(&gateway, "Sync", &sync("5", "{real}9")), "up");
        }
        // A Ping has no keys.
        drop(forward(send(&gateway, start(), "new", "Ping")));
        assert_eq!(asked(&gateway, "Sync", &sync("6", "0")), "up");
        drop(forward(send(&gateway, start(), "new", "Sync")));
        drop(forward(send(&gateway, start(), "new", "GetItemEstimate")));
    }
}

#[test]
fn what_the_client_wants_repeated_is_nothing_that_the_mail_server_knows_from_before() {
    let world = World::new();
    let gateway = world.gateway();
    drop(held(
        &gateway,
        start(),
        "new",
        "Sync",
        &sync("5", "{real}9"),
    ));
    // A Ping is held, and so it was answered here.
    let aside = read(send(&gateway, start(), "new", "Ping")).aside;
    let (next, _) = gateway.handle_body(start(), aside, Some(&ping("600", "5")));
    assert!(matches!(next, Next::Wait(_)), "{next:?}");
    let notes = gateway.poll_notes().unwrap();
    let killed = world.gateway_with(config()).restore(start(), b"", &notes).0;
    world.set("new", ComplianceState::Compliant);
    for gateway in [gateway, killed] {
        assert_eq!(asked(&gateway, "Sync", b""), "Sync(Status(13))");
        assert_eq!(asked(&gateway, "Ping", b""), "Ping(Status(3))");
        assert_eq!(asked(&gateway, "Sync", &sync("5", "{real}9")), "up");
        // Nothing is looked at any more.
        drop(forward(send(&gateway, start(), "new", "Sync")));
        assert_eq!(asked(&gateway, "Ping", &ping("600", "5")), "up");
        drop(forward(send(&gateway, start(), "new", "Ping")));
    }
}

#[test]
fn a_device_that_was_never_in_quarantine_has_no_body_read() {
    let world = World::new();
    let gateway = world.gateway();
    drop(held(
        &gateway,
        start(),
        "new",
        "FolderSync",
        &folder_sync("0"),
    ));
    for command in [
        "Sync",
        "Ping",
        "GetItemEstimate",
        "MoveItems",
        "SmartReply",
        "Search",
        "ItemOperations",
    ] {
        drop(forward(send(&gateway, start(), "good", command)));
    }
    world.set("new", ComplianceState::Compliant);
    let moves = written(r#move::MOVE_ITEMS, |writer| {
        writer.element(r#move::MOVE, |writer| {
            writer.leaf(r#move::SRC_MSG_ID, "portreeve.2:54006");
            writer.leaf(r#move::SRC_FLD_ID, "portreeve.2");
            writer.leaf(r#move::DST_FLD_ID, "5");
        });
    });
    assert_eq!(
        asked(&gateway, "MoveItems", &moves),
        "MoveItems(Response(SrcMsgId(portreeve.2:54006)Status(1)))"
    );
}

/// Versions below 14.0 name the message in the query, which every device's is looked at for.
#[test]
fn a_query_never_takes_an_id_of_ours_upstream() {
    let world = World::new();
    let gateway = world.gateway();
    let query = "Cmd=SmartReply&User=alice&DeviceId=good&DeviceType=phone&CollectionId=portreeve.2\
                 &ItemId=portreeve.2:54006";
    for (version, status) in [("12.1", 500), ("14.1", 200)] {
        let mut request = Request::post(query).basic("alice", "right");
        request
            .headers
            .insert("ms-asprotocolversion", version.parse().unwrap());
        let step = request.settle(&gateway, &peer());
        assert_eq!(crate::world::reply(step).status, status, "{version}");
    }
}

/// It was passed on, since it is too long to be read.
#[tokio::test]
async fn a_body_over_the_limit_is_known_by_its_beginning() {
    for version in ["1.1", "2"] {
        let site = Site::start().await;
        let mut client = Client::of(&site, version).await;
        drop(client.ask("FolderSync", folder_sync("0")).await);
        site.world.set("new", ComplianceState::Compliant);
        let long = written(air_sync::SYNC, |writer| {
            writer.element(air_sync::COLLECTIONS, |writer| {
                writer.element(air_sync::COLLECTION, |writer| {
                    writer.leaf(air_sync::SYNC_KEY, "portreeve.empty");
                    writer.leaf(air_sync::COLLECTION_ID, "portreeve.3");
                    writer.element(air_sync::COMMANDS, |writer| {
                        writer.leaf(air_sync::ADD, &"x".repeat(MAX_BODY + 200_000));
                    });
                });
            });
        });
        assert_eq!(
            client.ask("Sync", long).await,
            "Sync(Status(12))",
            "{version}"
        );
        assert_eq!(site.origin.waiting(), 0, "{version}");
        drop(client);
        site.drain().await;
    }
}
