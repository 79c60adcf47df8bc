//! The forms of body that clients take, and what they want of items one by one (ItemOperations).

use super::Element;
use super::children;
use super::document;
use super::number;
use super::push;
use super::skip;
use super::text;
use crate::eas::error::BadBody;
use crate::wbxml::Reader;
use crate::wbxml::item::air_sync_base;
use crate::wbxml::service::item_operations;
use crate::wbxml::sync::air_sync;

/// A form of body that a client takes (`BodyPreference`, MS-ASAIRS 2.2.2.12).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Preference {
    /// 1 is text, 2 is HTML, 3 is RTF, 4 is the message as it travelled (MS-ASAIRS 2.2.2.41.4).
    pub kind: u8,
    /// The most octets of it that the client takes (2.2.2.40.1); all of them without.
    pub most: Option<u32>,
    /// It wants nothing of the body rather than a part (2.2.2.1.1).
    pub all_or_none: bool,
}

/// An ItemOperations.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Operations<'a> {
    /// The items that it fetches.
    pub fetches: Vec<Fetch<'a>>,
    /// The folders that it empties.
    pub empties: Vec<&'a str>,
    /// The conversations that it moves: so many of them, and to these folders.
    pub moves: Vec<&'a str>,
}

/// One item that an ItemOperations fetches.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fetch<'a> {
    /// The folder.
    pub collection: &'a str,
    /// The item.
    pub item: &'a str,
    /// The forms of body that the client takes, the most wanted first.
    pub preferences: Vec<Preference>,
}

/// Reads an ItemOperations.
///
/// # Errors
///
/// [`BadBody`].
pub fn operations(octets: &[u8]) -> Result<Operations<'_>, BadBody> {
    let mut found = Operations::default();
    let outermost = item_operations::ITEM_OPERATIONS;
    document(octets, outermost, |reader, element| match element.tag {
        item_operations::FETCH => push(&mut found.fetches, fetch(reader, element)?),
        item_operations::EMPTY_FOLDER_CONTENTS => {
            let folder = child(reader, element, air_sync::COLLECTION_ID)?;
            push(&mut found.empties, folder)
        }
        item_operations::MOVE => {
            let folder = child(reader, element, item_operations::DST_FLD_ID)?;
            push(&mut found.moves, folder)
        }
        _ => skip(reader, element),
    })?;
    Ok(found)
}

fn fetch<'a>(reader: &mut Reader<'a>, element: Element) -> Result<Fetch<'a>, BadBody> {
    let mut fetch = Fetch::default();
    children(reader, element, |reader, element| {
        match element.tag {
            air_sync::COLLECTION_ID => fetch.collection = text(reader, element)?,
            air_sync::SERVER_ID => fetch.item = text(reader, element)?,
            item_operations::OPTIONS => preferences(reader, element, &mut fetch.preferences)?,
            _ => skip(reader, element)?,
        }
        Ok(())
    })?;
    Ok(fetch)
}

/// The text of the last child `tag` of `element`; empty without one.
fn child<'a>(
    reader: &mut Reader<'a>,
    element: Element,
    tag: crate::wbxml::Tag,
) -> Result<&'a str, BadBody> {
    let mut found = "";
    children(reader, element, |reader, element| {
        if element.tag != tag {
            return skip(reader, element);
        }
        found = text(reader, element)?;
        Ok(())
    })?;
    Ok(found)
}

/// The BodyPreferences among options.
pub(super) fn preferences(
    reader: &mut Reader<'_>,
    element: Element,
    found: &mut Vec<Preference>,
) -> Result<(), BadBody> {
    children(reader, element, |reader, element| match element.tag {
        air_sync_base::BODY_PREFERENCE => preference(reader, element, found),
        _ => skip(reader, element),
    })
}

/// One of them.
pub(super) fn preference(
    reader: &mut Reader<'_>,
    element: Element,
    found: &mut Vec<Preference>,
) -> Result<(), BadBody> {
    let mut one = Preference::default();
    children(reader, element, |reader, element| {
        match element.tag {
            air_sync_base::TYPE => {
                let kind = number(reader, element)?;
                one.kind = u8::try_from(kind).map_err(|_| BadBody::Value)?;
            }
            air_sync_base::TRUNCATION_SIZE => one.most = Some(number(reader, element)?),
            air_sync_base::ALL_OR_NONE => {
                // Without a content it is 1, as every boolean (MS-ASDTYPE 2.1).
                one.all_or_none = text(reader, element)?.trim() != "0";
            }
            _ => skip(reader, element)?,
        }
        Ok(())
    })?;
    push(found, one)
}
