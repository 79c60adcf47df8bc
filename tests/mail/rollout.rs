//! The day on which the gateway is put before the mail server: every device has real folders already, and
//! none was ever let in here. No message comes into those, so users are told by mail (R32, R33).

use http::StatusCode;
use portreeve::mail::Care;
use portreeve::mail::Gateway;
use portreeve::mail::Phase;
use portreeve::mail::Posted;
use portreeve::mail::Quarantine;
use portreeve::mail::Words;
use portreeve::message::Kind;
use portreeve::model::ComplianceState;
use portreeve::model::Now;
use portreeve::wbxml::Writer;
use portreeve::wbxml::sync::air_sync;
use portreeve::wbxml::sync::get_item_estimate;
use portreeve::wbxml::sync::ping;

use crate::quarantine::folder_sync;
use crate::quarantine::sync;
use crate::quarantine::written;
use crate::users::caring;
use crate::users::held;
use crate::users::later;
use crate::users::send;
use crate::users::standing;
use crate::users::waits;
use crate::world::Request;
use crate::world::World;
use crate::world::config;
use crate::world::forward;
use crate::world::peer;
use crate::world::read;
use crate::world::reply;
use crate::world::start;

/// The mails that may leave now, which do.
fn mails(gateway: &Gateway, now: Now) -> usize {
    let mut count = 0;
    while let Some(post) = gateway.poll_post(now) {
        assert_eq!((post.kind, &*post.user), (Kind::Held, "alice"));
        gateway.handle_posted(now, &post, &Posted::Sent);
        count += 1;
    }
    count
}

/// A Ping that says everything.
fn pinged(folders: &[&str]) -> Vec<u8> {
    written(ping::PING, |writer| {
        writer.leaf(ping::HEARTBEAT_INTERVAL, "300");
        writer.element(ping::FOLDERS, |writer| {
            for id in folders {
                writer.element(ping::FOLDER, |writer| {
                    writer.leaf(ping::ID, id);
                    writer.leaf(ping::CLASS, "Email");
                });
            }
        });
    })
}

fn estimated(id: &str) -> Vec<u8> {
    written(
        get_item_estimate::GET_ITEM_ESTIMATE,
        |writer: &mut Writer| {
            writer.element(get_item_estimate::COLLECTIONS, |writer| {
                writer.element(get_item_estimate::COLLECTION, |writer| {
                    writer.leaf(air_sync::SYNC_KEY, "1");
                    writer.leaf(get_item_estimate::COLLECTION_ID, id);
                });
            });
        },
    )
}

fn tell(gateway: &Gateway, now: Now, command: &str, body: &[u8]) {
    let aside = read(send(gateway, now, "new", command)).aside;
    drop(gateway.handle_body(now, aside, Some(body)));
}

/// Such a user was told nothing at all.
#[test]
fn a_device_with_real_folders_that_was_never_let_in_has_its_user_told_once_by_mail_r33() {
    for (row, command, body) in [
        ("its folders", "FolderSync", folder_sync("real-1")),
        ("a key", "Sync", sync("5", "real-2")),
        ("a folder without key", "Sync", sync("5", "0")),
        ("a wait", "Ping", pinged(&["5", "6"])),
        ("a count", "GetItemEstimate", estimated("5")),
    ] {
        let world = World::new();
        let gateway = caring(&world, waits(0));
        tell(&gateway, start(), command, &body);
        assert!(standing(&gateway, "new").real, "row {row}");
        // It is written at once, for a gateway that is killed.
        let notes = gateway.poll_notes().unwrap();
        let (again, _) = world.gateway_with(config()).restore(start(), b"", &notes);
        again.replace_words(Words {
            care: waits(0),
            ..Words::default()
        });
        assert_eq!(mails(&again, later(1)), 1, "row {row}");
        for round in 2..5 {
            tell(&again, later(round), "FolderSync", &folder_sync("real-1"));
            tell(&again, later(round), command, &body);
            assert_eq!(mails(&again, later(round)), 0, "row {row}");
        }
        assert!(standing(&again, "new").real, "row {row}");
    }
}

/// They got 403 and nothing else, and their users were told nothing either.
#[test]
fn whoever_has_no_mailbox_in_quarantine_is_told_once_by_mail_r33() {
    let refuses = Words {
        quarantine: Quarantine::Refuse,
        care: waits(0),
        ..Words::default()
    };
    for (row, words, version) in [("2.5", None, "2.5"), ("refused", Some(refuses), "14.1")] {
        let world = World::new();
        let gateway = caring(&world, waits(0));
        words
            .into_iter()
            .for_each(|words| gateway.replace_words(words));
        let mut request = Request::of("new", "FolderSync");
        let version = version.parse().unwrap();
        request.headers.insert("ms-asprotocolversion", version);
        let first = reply(request.settle(&gateway, &peer()));
        assert_eq!(first.status, StatusCode::FORBIDDEN, "row {row}");
        assert_eq!(mails(&gateway, start()), 1, "row {row}");
        for round in 1..4 {
            let again = reply(request.send_at(later(round), &gateway, &peer()));
            assert_eq!(again.status, StatusCode::FORBIDDEN, "row {row}");
            assert_eq!(mails(&gateway, later(round)), 0, "row {row}");
        }
        assert!(standing(&gateway, "new").real, "row {row}");
    }
}

#[test]
fn a_new_partnership_finds_the_message_in_its_inbox_and_has_no_mail_r32() {
    let world = World::new();
    let gateway = caring(&world, waits(0));
    for (command, body) in [
        ("FolderSync", folder_sync("0")),
        ("FolderSync", folder_sync("portreeve.folders")),
        ("Sync", sync("portreeve.2", "0")),
        ("Sync", sync("portreeve.2", "portreeve.empty")),
        ("Ping", pinged(&["portreeve.2"])),
        // Of an account that was taken away: what it shows beside is no Inbox any more.
        ("Sync", sync("5", "real-2")),
    ] {
        tell(&gateway, start(), command, &body);
        assert_eq!(mails(&gateway, start()), 0, "{command}");
    }
    let one = standing(&gateway, "new");
    assert!(one.made_up && one.mail.is_none());
    // Neither has one that says nothing of what it holds.
    let silent = caring(&world, waits(0));
    tell(&silent, start(), "Ping", b"");
    tell(&silent, start(), "Sync", b"");
    assert_eq!(mails(&silent, start()), 0);
    assert!(!standing(&silent, "new").real);
}

#[test]
fn who_could_not_be_told_is_told_when_mails_are_switched_on() {
    let world = World::new();
    let gateway = caring(&world, Care::default());
    let real = folder_sync("real-1");
    tell(&gateway, start(), "FolderSync", &real);
    assert!(standing(&gateway, "new").real);
    assert_eq!(mails(&gateway, start()), 0);
    gateway.replace_words(Words {
        care: waits(0),
        ..Words::default()
    });
    tell(&gateway, later(1), "FolderSync", &real);
    assert_eq!(mails(&gateway, later(1)), 1);
}

#[test]
fn who_is_let_in_before_the_mail_leaves_is_not_told() {
    let world = World::new();
    let gateway = caring(&world, waits(0));
    drop(held(
        &gateway,
        start(),
        "new",
        "FolderSync",
        &folder_sync("real-1"),
    ));
    world.set("new", ComplianceState::Compliant);
    drop(forward(send(&gateway, later(1), "new", "MoveItems")));
    assert_eq!(standing(&gateway, "new").phase, Phase::Allowed);
    assert_eq!(mails(&gateway, later(2)), 0);
}

#[test]
fn a_whole_site_is_told_slowly() {
    let world = World::new();
    let care = Care {
        per_minute: 2,
        per_user: 3,
        ..waits(0)
    };
    let gateway = caring(&world, care);
    for number in 0..6 {
        let device = format!("many{number}");
        world.report(&device, &device, "alice", ComplianceState::Unknown);
        drop(held(
            &gateway,
            start(),
            &device,
            "FolderSync",
            &folder_sync("real-1"),
        ));
    }
    let sent = [0, 60, 120, 180].map(|second| mails(&gateway, later(second)));
    assert_eq!(sent, [2, 1, 0, 0]);
    assert_eq!(gateway.post_counts().too_many, 3);
}
