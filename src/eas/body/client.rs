//! What clients say of their devices, what they have done of an order to erase them, and whether they
//! fetch an attachment.

use super::Element;
use super::children;
use super::document;
use super::items::preference;
use super::items::preferences;
use super::number;
use super::refuse_second;
use super::skip;
use super::text;
use crate::eas::command::Command;
use crate::eas::error::BadBody;
use crate::wbxml::Reader;
use crate::wbxml::item::air_sync_base;
use crate::wbxml::service::document_library;
use crate::wbxml::service::item_operations;
use crate::wbxml::service::provision;
use crate::wbxml::service::search;
use crate::wbxml::service::settings;
use crate::wbxml::sync::air_sync;

/// What a client tells of its device (MS-ASCMD 2.2.3.45). IMEI, telephone number and operator are
/// skipped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Information<'a> {
    /// Model.
    pub model: &'a str,
    /// What its user calls it.
    pub friendly_name: &'a str,
    /// Operating system and version.
    pub os: &'a str,
}

/// The device information in a Settings.
///
/// # Errors
///
/// [`BadBody`].
pub fn information(octets: &[u8]) -> Result<Option<Information<'_>>, BadBody> {
    let mut found = None;
    document(
        octets,
        settings::SETTINGS,
        |reader, element| match element.tag {
            settings::DEVICE_INFORMATION => told(reader, element, &mut found),
            _ => skip(reader, element),
        },
    )?;
    Ok(found)
}

/// A Provision.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Provision<'a> {
    /// What the client tells of its device, from version 14.1 on.
    pub information: Option<Information<'a>>,
    /// What it says of a wipe that it was told of: 1 is done, 2 is failed (MS-ASPROV 2.2.2.54).
    pub wiped: Option<u32>,
    /// The same of a wipe of the account only.
    pub account_wiped: Option<u32>,
}

/// Reads a Provision; an empty body is one that asks for nothing in particular.
///
/// # Errors
///
/// [`BadBody`].
pub fn provision(octets: &[u8]) -> Result<Provision<'_>, BadBody> {
    let mut found = Provision::default();
    if octets.is_empty() {
        return Ok(found);
    }
    document(
        octets,
        provision::PROVISION,
        |reader, element| match element.tag {
            settings::DEVICE_INFORMATION => told(reader, element, &mut found.information),
            provision::REMOTE_WIPE => wiped(reader, element, &mut found.wiped),
            provision::ACCOUNT_ONLY_REMOTE_WIPE => wiped(reader, element, &mut found.account_wiped),
            _ => skip(reader, element),
        },
    )?;
    Ok(found)
}

/// Whether it is the body of a command that says if it fetches an attachment, see [`fetches_attachment`].
#[must_use]
pub const fn may_fetch_attachment(command: Command) -> bool {
    matches!(command, Command::ItemOperations | Command::Search)
}

/// Whether a command fetches an attachment, a document, or whole messages as they travelled, with all
/// that is attached (body type 4, MS-ASAIRS 2.2.2.22.2): of those that [may](may_fetch_attachment).
///
/// # Errors
///
/// [`BadBody`].
pub fn fetches_attachment(command: Command, octets: &[u8]) -> Result<bool, BadBody> {
    if command == Command::Search {
        return finds_whole_messages(octets);
    }
    let mut found = false;
    let outermost = item_operations::ITEM_OPERATIONS;
    document(octets, outermost, |reader, element| match element.tag {
        item_operations::FETCH => children(reader, element, |reader, element| match element.tag {
            air_sync_base::FILE_REFERENCE | document_library::LINK_ID => {
                found = true;
                skip(reader, element)
            }
            item_operations::OPTIONS => {
                let mut wanted = Vec::new();
                preferences(reader, element, &mut wanted)?;
                found |= wanted.iter().any(|one| one.kind == WHOLE_MESSAGE);
                Ok(())
            }
            _ => skip(reader, element),
        }),
        _ => skip(reader, element),
    })?;
    Ok(found)
}

/// Whether a Search has the messages that it finds come whole. It should say so by a body type, and the
/// mail server may go by `MIMESupport` alone (MS-ASCMD 2.2.3.110.2).
fn finds_whole_messages(octets: &[u8]) -> Result<bool, BadBody> {
    let mut found = false;
    document(octets, search::SEARCH, |reader, element| {
        children(reader, element, |reader, element| {
            if element.tag != search::OPTIONS {
                return skip(reader, element);
            }
            let mut wanted = Vec::new();
            children(reader, element, |reader, element| match element.tag {
                air_sync::MIME_SUPPORT => {
                    found |= number(reader, element)? != NEVER_MIME;
                    Ok(())
                }
                air_sync_base::BODY_PREFERENCE => preference(reader, element, &mut wanted),
                _ => skip(reader, element),
            })?;
            found |= wanted.iter().any(|one| one.kind == WHOLE_MESSAGE);
            Ok(())
        })
    })?;
    Ok(found)
}

/// The value of `MIMESupport` by which no message comes as it travelled.
const NEVER_MIME: u32 = 0;

/// The type of a body that is the message as it travelled.
const WHOLE_MESSAGE: u8 = 4;

fn told<'a>(
    reader: &mut Reader<'a>,
    element: Element,
    found: &mut Option<Information<'a>>,
) -> Result<(), BadBody> {
    children(reader, element, |reader, element| {
        if element.tag != settings::SET {
            return skip(reader, element);
        }
        let information = found.get_or_insert_default();
        children(reader, element, |reader, element| {
            match element.tag {
                settings::MODEL => information.model = text(reader, element)?,
                settings::FRIENDLY_NAME => information.friendly_name = text(reader, element)?,
                settings::OS => information.os = text(reader, element)?,
                _ => skip(reader, element)?,
            }
            Ok(())
        })
    })
}

fn wiped(
    reader: &mut Reader<'_>,
    element: Element,
    found: &mut Option<u32>,
) -> Result<(), BadBody> {
    children(reader, element, |reader, element| match element.tag {
        provision::STATUS => refuse_second(found.replace(number(reader, element)?)),
        _ => skip(reader, element),
    })
}
