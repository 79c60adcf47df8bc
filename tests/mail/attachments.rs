//! Whatever brings an attachment counts as one, where a policy asks about attachments, and nothing else does.

use http::StatusCode;
use portreeve::mail::Next;
use portreeve::model::Reason;
use portreeve::model::Verdict;
use portreeve::wbxml::Writer;
use portreeve::wbxml::item::air_sync_base;
use portreeve::wbxml::service::item_operations;
use portreeve::wbxml::service::search;
use portreeve::wbxml::sync::air_sync;

use crate::clients::answered;
use crate::clients::succeed;
use crate::clients::with_body;
use crate::clients::written;
use crate::world::Request;
use crate::world::World;
use crate::world::forward;
use crate::world::peer;
use crate::world::read;
use crate::world::reply;
use crate::world::said;
use crate::world::start;

const RULE: &str = "[[conditional]]\nname = \"No attachments\"\nplanes = [\"mail\"]\n\
    targets = [\"staff\"]\nwhen = { commands = [\"attachments\"], established = [\"claimed\"] }\n\
    action = \"block\"\n";

/// Fetches by ItemOperations.
fn fetch(content: impl Fn(&mut Writer)) -> Vec<u8> {
    written(item_operations::ITEM_OPERATIONS, |writer| {
        writer.element(item_operations::FETCH, |writer| {
            writer.leaf(item_operations::STORE, "Mailbox");
            content(writer);
        });
    })
}

#[test]
fn attachments_are_refused_and_nothing_else_is_r23() {
    let world = World::new();
    let gateway = world.gateway();
    world.with_policies(RULE);
    let file = fetch(|writer| writer.leaf(air_sync_base::FILE_REFERENCE, "5%3a1%3a0"));
    let whole = fetch(|writer| {
        writer.element(item_operations::OPTIONS, |writer| {
            writer.element(air_sync_base::BODY_PREFERENCE, |writer| {
                writer.leaf(air_sync_base::TYPE, "4");
            });
        });
    });
    let message = fetch(|writer| {
        writer.element(item_operations::OPTIONS, |writer| {
            writer.element(air_sync_base::BODY_PREFERENCE, |writer| {
                writer.leaf(air_sync_base::TYPE, "2");
            });
        });
    });
    let request = Request::of("good", "ItemOperations");
    for body in [&file[..], &whole, b"no document"] {
        let reply = answered(with_body(&gateway, request.settle(&gateway, &peer()), body));
        assert_eq!(reply.status, StatusCode::OK);
        assert_eq!(reply.headers["x-portreeve-reason"], "54022");
        assert!(said(&reply).contains("130"), "{reply:?}");
    }
    // Longer than is read: it may well ask for one.
    let aside = read(request.settle(&gateway, &peer())).aside;
    let (next, _) = gateway.handle_body(start(), aside, None);
    assert_eq!(answered(next).headers["x-portreeve-reason"], "54022");
    let next = with_body(&gateway, request.settle(&gateway, &peer()), &message);
    assert!(matches!(next, Next::Forward(_)));
    // Older clients have a command for it; the reply is theirs.
    let old = "Cmd=GetAttachment&User=alice&DeviceId=good&DeviceType=phone&AttachmentName=a";
    let old = Request::post(old).basic("alice", "right");
    assert_eq!(
        reply(old.settle(&gateway, &peer())).status,
        StatusCode::FORBIDDEN
    );
    // The device is not blocked by it: neither its other commands nor its record.
    succeed(&gateway, &Request::of("good", "Sync"));
    world.learn(&gateway);
    let client = world.client("good", "alice").unwrap();
    assert_eq!(
        client.state,
        Some((Verdict::Allow, Reason::RequirementsMet))
    );
}

/// Looks for messages, with these options.
fn look(options: impl Fn(&mut Writer)) -> Vec<u8> {
    written(search::SEARCH, |writer| {
        writer.element(search::STORE, |writer| {
            writer.leaf(search::NAME, "Mailbox");
            writer.element(search::OPTIONS, |writer| {
                writer.leaf(search::RANGE, "0-9");
                options(writer);
            });
        });
    })
}

/// It passed, and brought whole messages with all that is attached.
#[test]
fn a_search_for_whole_messages_counts_as_an_attachment_ms_ascmd_2_2_3_110_2() {
    let world = World::new();
    let gateway = world.gateway();
    let request = Request::of("good", "Search");
    // Nobody asks, so that it is not read.
    drop(forward(request.settle(&gateway, &peer())));
    world.with_policies(RULE);
    let of_type = |writer: &mut Writer, kind: &str| {
        writer.element(air_sync_base::BODY_PREFERENCE, |writer| {
            writer.leaf(air_sync_base::TYPE, kind);
        });
    };
    let mime = |writer: &mut Writer, which: &str| writer.leaf(air_sync::MIME_SUPPORT, which);
    let refused = [
        look(|writer| of_type(writer, "4")),
        look(|writer| {
            of_type(writer, "2");
            of_type(writer, "4");
        }),
        // With this alone a mail server may send them, too.
        look(|writer| mime(writer, "1")),
        look(|writer| mime(writer, "2")),
        b"no document".to_vec(),
    ];
    for (row, body) in refused.iter().enumerate() {
        let reply = answered(with_body(&gateway, request.settle(&gateway, &peer()), body));
        assert_eq!(reply.status, StatusCode::OK, "row {row}");
        assert_eq!(reply.headers["x-portreeve-reason"], "54022", "row {row}");
        assert!(said(&reply).contains("130"), "row {row}: {reply:?}");
    }
    let passed = [
        look(|_| ()),
        look(|writer| of_type(writer, "1")),
        look(|writer| {
            mime(writer, "0");
            of_type(writer, "2");
        }),
    ];
    for (row, body) in passed.iter().enumerate() {
        let next = with_body(&gateway, request.settle(&gateway, &peer()), body);
        assert!(matches!(next, Next::Forward(_)), "row {row}: {next:?}");
    }
    // Longer than is read: it may well ask for them.
    let aside = read(request.settle(&gateway, &peer())).aside;
    let (next, _) = gateway.handle_body(start(), aside, None);
    assert_eq!(answered(next).headers["x-portreeve-reason"], "54022");
}
