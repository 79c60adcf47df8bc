//! ItemOperations: the message can be fetched, and nothing else.

use crate::eas::Command;
use crate::eas::Status;
use crate::eas::Version;
use crate::eas::body;
use crate::eas::error::BadBody;
use crate::wbxml::Writer;
use crate::wbxml::service::item_operations;
use crate::wbxml::sync::air_sync;

use super::Answer;
use super::Inbox;
use super::item_id;
use super::refuse;

pub(super) fn fetch(version: Version, octets: &[u8], inbox: Inbox<'_>) -> Result<Answer, BadBody> {
    let operations = body::operations(octets)?;
    let item = item_id(inbox.message.revision);
    let fetches = &operations.fetches;
    let only = operations.empties.is_empty() && operations.moves.is_empty();
    if !only || !fetches.iter().any(|fetch| fetch.item == item) {
        let command = Command::ItemOperations;
        return Ok(refuse(command, version, Status::AccessDenied));
    }
    let mut parts = inbox.multipart.then(Vec::new);
    let mut writer = Writer::new();
    writer.element(item_operations::ITEM_OPERATIONS, |writer| {
        writer.leaf(item_operations::STATUS, "1");
        writer.element(item_operations::RESPONSE, |writer| {
            for fetch in fetches {
                let is_it = fetch.item == item;
                writer.element(item_operations::FETCH, |writer| {
                    // 6: it is not there, or access is denied (2.2.3.177.8).
                    writer.leaf(item_operations::STATUS, if is_it { "1" } else { "6" });
                    if !fetch.collection.is_empty() {
                        writer.leaf(air_sync::COLLECTION_ID, fetch.collection);
                    }
                    if !fetch.item.is_empty() {
                        writer.leaf(air_sync::SERVER_ID, fetch.item);
                    }
                    if !is_it {
                        return;
                    }
                    writer.leaf(air_sync::CLASS, "Email");
                    writer.element(item_operations::PROPERTIES, |writer| {
                        inbox
                            .message
                            .write(writer, &fetch.preferences, parts.as_mut());
                    });
                });
            }
        });
    });
    let document = writer.finish();
    Ok(match parts {
        None => Answer::Reply(200, document),
        Some(parts) => Answer::Parts(joined(&document, &parts)),
    })
}

/// The document and its parts, after how many they are and where each begins and how long it is
/// (MS-ASCMD 2.2.1.10.1): numbers of four octets, the lowest first.
fn joined(document: &[u8], parts: &[Vec<u8>]) -> Vec<u8> {
    let all = || std::iter::once(document).chain(parts.iter().map(Vec::as_slice));
    let number = |number: usize| u32::try_from(number).unwrap_or(u32::MAX).to_le_bytes();
    let count = parts.len().saturating_add(1);
    let mut octets = number(count).to_vec();
    let mut at = count.saturating_mul(8).saturating_add(4);
    for part in all() {
        octets.extend(number(at));
        octets.extend(number(part.len()));
        at = at.saturating_add(part.len());
    }
    all().for_each(|part| octets.extend_from_slice(part));
    octets
}
