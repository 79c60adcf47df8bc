//! libwbxml reads every answer that the gateway makes up itself.

use std::collections::BTreeSet;
use std::fs;
use std::process::Command as Program;

use portreeve::eas::Command;
use portreeve::eas::Status;
use portreeve::eas::Version;
use portreeve::eas::draft;
use portreeve::eas::quarantine;
use portreeve::eas::quarantine::Answer;
use portreeve::eas::quarantine::Inbox;
use portreeve::eas::quarantine::Message;
use portreeve::eas::quarantine::Spoken;
use portreeve::model::Timestamp;
use portreeve::wbxml::Tag;
use portreeve::wbxml::Writer;
use portreeve::wbxml::item::air_sync_base;
use portreeve::wbxml::item::meeting_response;
use portreeve::wbxml::service::compose_mail;
use portreeve::wbxml::service::find;
use portreeve::wbxml::service::item_operations;
use portreeve::wbxml::service::search;
use portreeve::wbxml::sync::air_sync;
use portreeve::wbxml::sync::folder_hierarchy;
use portreeve::wbxml::sync::get_item_estimate;
use portreeve::wbxml::sync::r#move;
use portreeve::wbxml::sync::ping;

fn message() -> Message {
    Message {
        revision: 54003,
        from: "Mail access <no-reply@mail.example.org>".into(),
        to: "alice@example.com".into(),
        subject: "Mail is held back \u{2013} <&>".into(),
        text: "Because.\r\n".into(),
        html: "<html><body><p>Because.</p></body></html>".into(),
        sent: Timestamp::from_unix_seconds(1_795_253_400),
    }
}

fn written(root: Tag, content: impl FnOnce(&mut Writer)) -> Vec<u8> {
    let mut writer = Writer::new();
    writer.element(root, content);
    writer.finish()
}

fn folder_sync(key: &str) -> Vec<u8> {
    written(folder_hierarchy::FOLDER_SYNC, |writer| {
        writer.leaf(folder_hierarchy::SYNC_KEY, key);
    })
}

fn sync(key: &str, wait: Option<&str>, body: &str, sends: bool) -> Vec<u8> {
    sync_of("portreeve.2", key, wait, body, sends)
}

fn sync_of(folder: &str, key: &str, wait: Option<&str>, body: &str, sends: bool) -> Vec<u8> {
    written(air_sync::SYNC, |writer| {
        writer.element(air_sync::COLLECTIONS, |writer| {
            writer.element(air_sync::COLLECTION, |writer| {
                writer.leaf(air_sync::CLASS, "Email");
                writer.leaf(air_sync::SYNC_KEY, key);
                writer.leaf(air_sync::COLLECTION_ID, folder);
                writer.element(air_sync::OPTIONS, |writer| {
                    writer.element(air_sync_base::BODY_PREFERENCE, |writer| {
                        writer.leaf(air_sync_base::TYPE, body);
                    });
                });
                writer.element(air_sync::COMMANDS, |writer| {
                    if sends {
                        writer.element(air_sync::DELETE, |writer| {
                            writer.leaf(air_sync::SERVER_ID, "1");
                        });
                    }
                    writer.element(air_sync::FETCH, |writer| {
                        writer.leaf(air_sync::SERVER_ID, "portreeve.2:54003");
                    });
                });
            });
        });
        if let Some(wait) = wait {
            writer.leaf(air_sync::WAIT, wait);
        }
    })
}

fn pinged(seconds: &str, folder: &str) -> Vec<u8> {
    written(ping::PING, |writer| {
        writer.leaf(ping::HEARTBEAT_INTERVAL, seconds);
        writer.element(ping::FOLDERS, |writer| {
            writer.element(ping::FOLDER, |writer| {
                writer.leaf(ping::ID, folder);
                writer.leaf(ping::CLASS, "Email");
            });
        });
    })
}

/// What clients send, for each command whose answer depends on it.
fn questions() -> Vec<(Command, Vec<u8>)> {
    let mut all = vec![
        (Command::FolderSync, folder_sync("0")),
        (Command::FolderSync, folder_sync("portreeve.folders")),
        (Command::FolderSync, folder_sync("{real}7")),
        (Command::Sync, Vec::new()),
        (
            Command::Sync,
            sync("portreeve.empty", Some("99"), "1", false),
        ),
        (Command::Sync, sync("portreeve.empty", None, "1", true)),
        (Command::Ping, Vec::new()),
        (Command::Ping, pinged("480", "portreeve.2")),
        (Command::Ping, pinged("480", "real")),
        (Command::Ping, pinged("99999", "real")),
    ];
    for key in [
        "0",
        "portreeve.empty",
        "portreeve.message.54003",
        "portreeve.message.53000",
        "real",
    ] {
        for body in ["1", "2", "4"] {
            all.push((Command::Sync, sync(key, None, body, false)));
        }
        let estimate = written(get_item_estimate::GET_ITEM_ESTIMATE, |writer| {
            writer.element(get_item_estimate::COLLECTIONS, |writer| {
                writer.element(get_item_estimate::COLLECTION, |writer| {
                    writer.leaf(air_sync::SYNC_KEY, key);
                    writer.leaf(get_item_estimate::COLLECTION_ID, "portreeve.2");
                });
            });
        });
        all.push((Command::GetItemEstimate, estimate));
    }
    for item in ["portreeve.2:54003", "real"] {
        let fetch = written(item_operations::ITEM_OPERATIONS, |writer| {
            writer.element(item_operations::FETCH, |writer| {
                writer.leaf(item_operations::STORE, "Mailbox");
                writer.leaf(air_sync::COLLECTION_ID, "portreeve.2");
                writer.leaf(air_sync::SERVER_ID, item);
            });
        });
        all.push((Command::ItemOperations, fetch));
    }
    all.extend(of_made_up_items());
    all.extend(Command::ALL.map(|command| (command, b"no WBXML".to_vec())));
    all
}

/// Commands of a device that was let in and still names what it had in quarantine.
fn of_made_up_items() -> Vec<(Command, Vec<u8>)> {
    let of = |command, root, parent: &[Tag], ids: &[Tag]| {
        let mut writer = Writer::new();
        let within = parent.iter().fold(
            Box::new(|writer: &mut Writer| {
                for id in ids {
                    writer.leaf(*id, "portreeve.2");
                }
            }) as Box<dyn FnOnce(&mut Writer)>,
            |within, tag| Box::new(move |writer: &mut Writer| writer.element(*tag, within)),
        );
        writer.element(root, within);
        (command, writer.finish())
    };
    let key = &[folder_hierarchy::SYNC_KEY][..];
    let folder = &[air_sync::COLLECTION_ID][..];
    vec![
        (
            Command::Sync,
            sync_of("6", "portreeve.empty", None, "1", true),
        ),
        of(
            Command::FolderCreate,
            folder_hierarchy::FOLDER_CREATE,
            &[],
            key,
        ),
        of(
            Command::FolderDelete,
            folder_hierarchy::FOLDER_DELETE,
            &[],
            key,
        ),
        of(
            Command::FolderUpdate,
            folder_hierarchy::FOLDER_UPDATE,
            &[],
            key,
        ),
        of(
            Command::MoveItems,
            r#move::MOVE_ITEMS,
            &[r#move::MOVE],
            &[r#move::SRC_MSG_ID, r#move::SRC_FLD_ID],
        ),
        of(
            Command::MeetingResponse,
            meeting_response::MEETING_RESPONSE,
            &[meeting_response::REQUEST],
            &[meeting_response::REQUEST_ID],
        ),
        of(
            Command::ItemOperations,
            item_operations::ITEM_OPERATIONS,
            &[item_operations::EMPTY_FOLDER_CONTENTS],
            folder,
        ),
        of(
            Command::ItemOperations,
            item_operations::ITEM_OPERATIONS,
            &[item_operations::MOVE],
            &[item_operations::DST_FLD_ID],
        ),
        of(Command::Search, search::SEARCH, &[search::STORE], folder),
        of(Command::Find, find::FIND, &[find::EXECUTE_SEARCH], folder),
        of(
            Command::SmartReply,
            compose_mail::SMART_REPLY,
            &[compose_mail::SOURCE],
            &[compose_mail::FOLDER_ID],
        ),
    ]
}

/// The first part of an answer in several parts.
fn document_of(parts: &[u8]) -> &[u8] {
    let number = |at: usize| {
        let octets = parts[at..at + 4].try_into().unwrap();
        usize::try_from(u32::from_le_bytes(octets)).unwrap()
    };
    &parts[number(4)..number(4) + number(8)]
}

/// Every answer, whatever the version; each once.
fn answers() -> BTreeSet<Vec<u8>> {
    let mut answers = BTreeSet::new();
    for version in Version::ALL {
        for command in Command::ALL {
            answers.extend(
                Status::ALL
                    .into_iter()
                    .filter_map(|status| status.body(command, version)),
            );
            answers.insert(quarantine::cut(command, version, true).1);
            answers.insert(quarantine::cut(command, version, false).1);
        }
        answers.extend(draft::keep(version, None));
        for (command, body) in questions() {
            answers.extend(draft::keep(version, Some(&body)));
            for (is_news, multipart) in [(false, false), (true, true)] {
                let inbox = Inbox {
                    message: &message(),
                    is_news,
                    multipart,
                };
                match quarantine::answer(command, version, &body, inbox).0 {
                    Answer::Reply(_, body) => drop(answers.insert(body)),
                    Answer::Parts(parts) => drop(answers.insert(document_of(&parts).to_vec())),
                    Answer::Hold(hold) => answers.extend([hold.expired, hold.released]),
                    Answer::Forward => {}
                }
            }
            for was_here in [false, true] {
                if let Spoken::OfOurs(_, body) =
                    quarantine::spoken(command, version, &body, was_here)
                {
                    answers.insert(body);
                }
            }
            if let Spoken::OfOurs(_, body) = quarantine::spoken_in_part(command, version, &body) {
                answers.insert(body);
            }
        }
    }
    answers.retain(|answer| !answer.is_empty());
    answers
}

#[test]
fn every_answer_of_ours_decodes_with_wbxml2xml() {
    let folder = tempfile::tempdir().unwrap();
    let answers = answers();
    // Fifteen statuses of nineteen commands, and the made-up mailbox.
    assert!(
        answers.len() > 15 * 19 + 20,
        "only {} answers",
        answers.len()
    );
    let (file, shown) = (folder.path().join("wbxml"), folder.path().join("xml"));
    for answer in answers {
        fs::write(&file, &answer).unwrap();
        drop(fs::remove_file(&shown));
        let output = Program::new("wbxml2xml")
            .args(["-l", "ACTIVESYNC", "-o"])
            .arg(&shown)
            .arg(&file)
            .output()
            .expect("wbxml2xml is installed by tests/run");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(said.contains("succeeded"), "{said}\n{answer:02x?}");
        let xml = fs::read_to_string(&shown).unwrap();
        // Names of the 25th page, with Find, are younger than libwbxml 0.11.
        let is_find = answer.get(4..6) == Some(&[0, 25]);
        assert_eq!(xml.contains("unknown"), is_find, "{xml}\n{answer:02x?}");
    }
}
