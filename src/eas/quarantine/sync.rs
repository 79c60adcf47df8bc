//! Sync and GetItemEstimate: the message comes into the made-up Inbox, and whatever else a client syncs
//! stays as it is.

use crate::eas::Version;
use crate::eas::body;
use crate::eas::body::Collection;
use crate::eas::body::Wait;
use crate::eas::error::BadBody;
use crate::wbxml::Writer;
use crate::wbxml::sync::air_sync;
use crate::wbxml::sync::get_item_estimate;

use super::Answer;
use super::EMPTY;
use super::Given;
use super::Hold;
use super::INBOX;
use super::LONGEST;
use super::Message;
use super::NOTHING;
use super::folder_id;
use super::is_ours;
use super::item_id;
use super::key_of;
use super::revision_in;

pub(super) fn sync<'a>(
    version: Version,
    octets: &'a [u8],
    message: &Message,
    given: &mut Given<'a>,
) -> Result<Answer, BadBody> {
    if octets.is_empty() {
        // It repeats its last Sync (2.2.1.21.1), which is not remembered: 13 has it send it whole.
        return Ok(Answer::Reply(200, sync_status("13")));
    }
    let sync = match body::sync(octets) {
        // 4: protocol error (2.2.3.88.2, 2.2.3.198).
        Err(BadBody::TwoWaits) => return Ok(Answer::Reply(200, sync_status("4"))),
        read => read?,
    };
    if sync.partial {
        return Ok(Answer::Reply(200, sync_status("13")));
    }
    let seconds = match sync.wait {
        None => None,
        Some(Wait::Minutes(minutes @ 1..=59)) => Some(minutes * 60),
        Some(Wait::Seconds(seconds @ 1..=LONGEST)) => Some(seconds),
        Some(Wait::Minutes(_)) => return Ok(Answer::Reply(200, wait_limit("59"))),
        Some(Wait::Seconds(_)) => return Ok(Answer::Reply(200, wait_limit("3540"))),
    };
    given.whole = true;
    let plans: Vec<Plan> = sync
        .collections
        .iter()
        .map(|collection| Plan::of(collection, message))
        .collect();
    let planned = || sync.collections.iter().zip(&plans);
    for (collection, plan) in planned() {
        note(collection, plan, message, given);
    }
    let is_quiet = planned().all(|(collection, plan)| {
        collection.changes == 0 && collection.fetches.is_empty() && plan.key == collection.key
    });
    match seconds {
        Some(seconds) if is_quiet => {
            let made_up = sync.collections.iter().any(|one| is_ours(one.key));
            // 12: the folders have changed, ask for them (2.2.3.177.17).
            let released = if made_up {
                sync_status("12")
            } else {
                Vec::new()
            };
            Ok(Answer::Hold(Hold {
                seconds,
                expired: Vec::new(),
                released,
            }))
        }
        // Nothing changed in any folder (2.2.1.21.2).
        None if is_quiet => Ok(Answer::Reply(200, Vec::new())),
        Some(_) | None => {
            let mut writer = Writer::new();
            writer.element(air_sync::SYNC, |writer| {
                writer.element(air_sync::COLLECTIONS, |writer| {
                    for (collection, plan) in planned() {
                        writer.element(air_sync::COLLECTION, |writer| {
                            answer_folder(writer, version, collection, plan, message);
                        });
                    }
                });
            });
            Ok(Answer::Reply(200, writer.finish()))
        }
    }
}

/// What becomes of a folder.
#[derive(Debug, Default)]
struct Plan {
    /// What the client holds of it after the answer: first a key and nothing else, then in the Inbox
    /// the message (3.1.5.4), then no more. A real key stays what it is.
    key: String,
    /// What it sends up is refused.
    refuses: bool,
    /// An earlier message goes.
    deletes: Option<u32>,
    /// The message comes.
    adds: bool,
}

impl Plan {
    fn of(collection: &Collection<'_>, message: &Message) -> Self {
        let stays = || collection.key.to_owned();
        if !takes(collection) {
            return Self {
                key: stays(),
                refuses: true,
                ..Self::default()
            };
        }
        let is_inbox = collection.id == folder_id(INBOX);
        let key = match collection.key {
            NOTHING => EMPTY.to_owned(),
            key if !is_ours(key) || !is_inbox || collection.no_news => stays(),
            _ => key_of(message.revision),
        };
        let comes = is_inbox && key != collection.key && key != EMPTY;
        Self {
            refuses: false,
            deletes: revision_in(collection.key).filter(|_| comes),
            adds: comes,
            key,
        }
    }
}

/// Whether what a client sends up for a folder may be forgotten: it has read or deleted our own
/// message, or it sends nothing. Everything else is refused, so that it keeps it.
fn takes(collection: &Collection<'_>) -> bool {
    usize::try_from(collection.changes) == Ok(collection.touched.len())
        && collection.touched.iter().all(|id| is_ours(id))
}

/// What is to be remembered of a folder.
fn note<'a>(collection: &Collection<'a>, plan: &Plan, message: &Message, given: &mut Given<'a>) {
    if !is_ours(collection.id) {
        given.real = true;
        if is_ours(&plan.key) {
            given.keys.push(collection.id);
        }
        return;
    }
    given.folders = true;
    if collection.id == folder_id(INBOX) {
        given.inbox = Some(if plan.refuses {
            // It would be tried again by the next Ping, at once, if that said that there is news.
            Some(message.revision)
        } else {
            revision_in(&plan.key)
        });
    }
}

/// One folder's part of the answer to a Sync.
fn answer_folder(
    writer: &mut Writer,
    version: Version,
    collection: &Collection<'_>,
    plan: &Plan,
    message: &Message,
) {
    if let (Some(class), Version::V12_0) = (collection.class, version) {
        writer.leaf(air_sync::CLASS, class);
    }
    writer.leaf(air_sync::SYNC_KEY, &plan.key);
    writer.leaf(air_sync::COLLECTION_ID, collection.id);
    if plan.refuses {
        // 16: again later (2.2.3.177.17); so the client keeps what it wants to send up.
        writer.leaf(air_sync::STATUS, "16");
        return;
    }
    writer.leaf(air_sync::STATUS, "1");
    let item = item_id(message.revision);
    if collection.fetches.iter().any(|id| **id == item) {
        writer.element(air_sync::RESPONSES, |writer| {
            writer.element(air_sync::FETCH, |writer| {
                writer.leaf(air_sync::SERVER_ID, &item);
                writer.leaf(air_sync::STATUS, "1");
                writer.element(air_sync::APPLICATION_DATA, |writer| {
                    message.write(writer, &collection.preferences, None);
                });
            });
        });
    }
    if plan.deletes.is_none() && !plan.adds {
        return;
    }
    writer.element(air_sync::COMMANDS, |writer| {
        if let Some(revision) = plan.deletes {
            writer.element(air_sync::DELETE, |writer| {
                writer.leaf(air_sync::SERVER_ID, &item_id(revision));
            });
        }
        if plan.adds {
            writer.element(air_sync::ADD, |writer| {
                writer.leaf(air_sync::SERVER_ID, &item);
                writer.element(air_sync::APPLICATION_DATA, |writer| {
                    message.write(writer, &collection.preferences, None);
                });
            });
        }
    });
}

/// GetItemEstimate: how many changes a Sync would bring.
pub(super) fn estimate(
    version: Version,
    octets: &[u8],
    message: &Message,
    given: &mut Given<'_>,
) -> Result<Answer, BadBody> {
    let collections = body::estimate(octets)?;
    given.real = collections.iter().any(|one| !is_ours(one.id));
    let mut writer = Writer::new();
    writer.element(get_item_estimate::GET_ITEM_ESTIMATE, |writer| {
        for collection in &collections {
            let plan = Plan::of(collection, message);
            let count = u8::from(plan.adds) + u8::from(plan.deletes.is_some());
            // Of a folder without any key the client learns of one, and of the message only then.
            let count = if collection.key == NOTHING { 1 } else { count };
            writer.element(get_item_estimate::RESPONSE, |writer| {
                writer.leaf(get_item_estimate::STATUS, "1");
                writer.element(get_item_estimate::COLLECTION, |writer| {
                    if let (Some(class), Version::V12_0) = (collection.class, version) {
                        writer.leaf(get_item_estimate::CLASS, class);
                    }
                    writer.leaf(get_item_estimate::COLLECTION_ID, collection.id);
                    writer.leaf(get_item_estimate::ESTIMATE, &count.to_string());
                });
            });
        }
    });
    Ok(Answer::Reply(200, writer.finish()))
}

pub(super) fn sync_status(status: &str) -> Vec<u8> {
    let mut writer = Writer::new();
    writer.element(air_sync::SYNC, |writer| {
        writer.leaf(air_sync::STATUS, status)
    });
    writer.finish()
}

/// 14: the wait is out of range; `limit` is the longest, in the unit that was asked in.
fn wait_limit(limit: &str) -> Vec<u8> {
    let mut writer = Writer::new();
    writer.element(air_sync::SYNC, |writer| {
        writer.leaf(air_sync::LIMIT, limit);
        writer.leaf(air_sync::STATUS, "14");
    });
    writer.finish()
}
