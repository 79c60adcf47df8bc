//! What a gateway has to know of the bodies that clients send: folders, keys, how long they wait.
//!
//! Everything else in them is skipped, item by item, and never kept.

use crate::eas::error::BadBody;
use crate::wbxml::Event;
use crate::wbxml::Reader;
use crate::wbxml::Tag;
use crate::wbxml::service::settings;
use crate::wbxml::sync::air_sync;
use crate::wbxml::sync::folder_hierarchy;
use crate::wbxml::sync::get_item_estimate;
use crate::wbxml::sync::ping;

mod client;
mod items;
mod moves;

use items::preferences;

pub use client::Information;
pub use client::Provision;
pub use client::fetches_attachment;
pub use client::information;
pub use client::may_fetch_attachment;
pub use client::provision;
pub use items::Fetch;
pub use items::Operations;
pub use items::Preference;
pub use items::operations;
pub use moves::Meeting;
pub use moves::Move;
pub use moves::meetings;
pub use moves::moves;

/// The most folders of one request. Exchange's default is 200 for Ping
/// (`MaxNumOfFolders`), and no client has more than some hundred.
pub const MAX_FOLDERS: usize = 512;

/// One folder of a Sync or GetItemEstimate.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Collection<'a> {
    /// The folder.
    pub id: &'a str,
    /// What the client holds of it; `0` is nothing.
    pub key: &'a str,
    /// Its class, which versions below 12.1 send.
    pub class: Option<&'a str>,
    /// The client does not want to be told what is new now (`GetChanges` is 0, 2.2.3.84).
    pub no_news: bool,
    /// Changes that the client sends up.
    pub changes: u32,
    /// The items that it changes or deletes with them; of more than [`MAX_FOLDERS`] the first.
    pub touched: Vec<&'a str>,
    /// Items that it wants again (`Fetch`), by their ids.
    pub fetches: Vec<&'a str>,
    /// The forms of body that it takes, the most wanted first.
    pub preferences: Vec<Preference>,
}

/// A Sync.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sync<'a> {
    /// Its folders.
    pub collections: Vec<Collection<'a>>,
    /// How long it waits for changes, in seconds.
    pub wait: Option<Wait>,
    /// What is left out is as in the client's last Sync (MS-ASCMD 2.2.3.124).
    pub partial: bool,
}

/// How long a client waits for changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// `Wait`, which counts minutes: 1 to 59.
    Minutes(u32),
    /// `HeartbeatInterval`, which counts seconds: 60 to 3540.
    Seconds(u32),
}

/// A Ping.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ping<'a> {
    /// Seconds; absent where the last Ping's counts.
    pub heartbeat: Option<u32>,
    /// Folders; none where the last Ping's count.
    pub folders: Vec<&'a str>,
}

/// Reads a Sync.
///
/// # Errors
///
/// [`BadBody`].
pub fn sync(octets: &[u8]) -> Result<Sync<'_>, BadBody> {
    let mut sync = Sync::default();
    sync_into(octets, &mut sync)?;
    Ok(sync)
}

/// Reads as much of a Sync as there is, which may end anywhere.
#[must_use]
pub fn sync_begun(octets: &[u8]) -> Sync<'_> {
    let mut sync = Sync::default();
    // The error is that it ends.
    let _cut = sync_into(octets, &mut sync);
    sync
}

fn sync_into<'a>(octets: &'a [u8], sync: &mut Sync<'a>) -> Result<(), BadBody> {
    document(octets, air_sync::SYNC, |reader, element| {
        match element.tag {
            air_sync::COLLECTIONS => collections(reader, element, &mut sync.collections)?,
            air_sync::WAIT => {
                let minutes = Wait::Minutes(number(reader, element)?);
                refuse_second_wait(sync.wait.replace(minutes), minutes)?;
            }
            air_sync::HEARTBEAT_INTERVAL => {
                let seconds = Wait::Seconds(number(reader, element)?);
                refuse_second_wait(sync.wait.replace(seconds), seconds)?;
            }
            tag => {
                sync.partial |= tag == air_sync::PARTIAL;
                skip(reader, element)?;
            }
        }
        Ok(())
    })
}

/// Reads the folders of a GetItemEstimate.
///
/// # Errors
///
/// [`BadBody`].
pub fn estimate(octets: &[u8]) -> Result<Vec<Collection<'_>>, BadBody> {
    let mut found = Vec::new();
    let outermost = get_item_estimate::GET_ITEM_ESTIMATE;
    document(octets, outermost, |reader, element| match element.tag {
        get_item_estimate::COLLECTIONS => collections(reader, element, &mut found),
        _ => skip(reader, element),
    })?;
    Ok(found)
}

/// Reads a Ping.
///
/// # Errors
///
/// [`BadBody`].
pub fn ping(octets: &[u8]) -> Result<Ping<'_>, BadBody> {
    let mut ping = Ping::default();
    document(octets, ping::PING, |reader, element| match element.tag {
        ping::HEARTBEAT_INTERVAL => refuse_second(ping.heartbeat.replace(number(reader, element)?)),
        ping::FOLDERS => children(reader, element, |reader, folder| {
            children(reader, folder, |reader, element| match element.tag {
                ping::ID => push(&mut ping.folders, text(reader, element)?),
                _ => skip(reader, element),
            })
        }),
        _ => skip(reader, element),
    })?;
    Ok(ping)
}

/// Reads the key of a FolderSync.
///
/// # Errors
///
/// [`BadBody`]; also without a key.
pub fn folder_sync(octets: &[u8]) -> Result<&str, BadBody> {
    let mut key = None;
    let outermost = folder_hierarchy::FOLDER_SYNC;
    document(octets, outermost, |reader, element| match element.tag {
        folder_hierarchy::SYNC_KEY => refuse_second(key.replace(text(reader, element)?)),
        _ => skip(reader, element),
    })?;
    key.ok_or(BadBody::Incomplete)
}

/// Whether a Settings does nothing but tell what kind of device sends it, in values and nothing that could
/// ask.
///
/// # Errors
///
/// [`BadBody`].
pub fn is_device_information(octets: &[u8]) -> Result<bool, BadBody> {
    let mut only = true;
    document(octets, settings::SETTINGS, |reader, element| {
        only &= element.tag == settings::DEVICE_INFORMATION;
        children(reader, element, |reader, element| {
            only &= element.tag == settings::SET;
            children(reader, element, |reader, value| {
                children(reader, value, |reader, inside| {
                    only = false;
                    skip(reader, inside)
                })
            })
        })
    })?;
    Ok(only)
}

fn collections<'a>(
    reader: &mut Reader<'a>,
    element: Element,
    found: &mut Vec<Collection<'a>>,
) -> Result<(), BadBody> {
    children(reader, element, |reader, element| match element.tag {
        air_sync::COLLECTION | get_item_estimate::COLLECTION => {
            push(found, Collection::default())?;
            // As much as there is of one that is cut.
            found
                .last_mut()
                .map_or(Ok(()), |found| collection(reader, element, found))
        }
        _ => skip(reader, element),
    })
}

fn collection<'a>(
    reader: &mut Reader<'a>,
    element: Element,
    found: &mut Collection<'a>,
) -> Result<(), BadBody> {
    children(reader, element, |reader, element| {
        match element.tag {
            // The key of an estimate has the same element as that of a Sync (2.2.3.181.3).
            air_sync::SYNC_KEY => found.key = text(reader, element)?,
            air_sync::COLLECTION_ID | get_item_estimate::COLLECTION_ID => {
                found.id = text(reader, element)?;
            }
            air_sync::CLASS | get_item_estimate::CLASS => {
                found.class = Some(text(reader, element)?);
            }
            air_sync::COMMANDS => commands(reader, element, found)?,
            air_sync::GET_CHANGES => found.no_news = text(reader, element)? == "0",
            air_sync::OPTIONS => preferences(reader, element, &mut found.preferences)?,
            _ => skip(reader, element)?,
        }
        Ok(())
    })
}

fn commands<'a>(
    reader: &mut Reader<'a>,
    element: Element,
    found: &mut Collection<'a>,
) -> Result<(), BadBody> {
    children(reader, element, |reader, element| {
        let (is_fetch, is_add) = (element.tag == air_sync::FETCH, element.tag == air_sync::ADD);
        if !is_fetch {
            found.changes = found.changes.saturating_add(1);
        }
        children(reader, element, |reader, element| match element.tag {
            air_sync::SERVER_ID if is_fetch => push(&mut found.fetches, text(reader, element)?),
            air_sync::SERVER_ID if !is_add && found.touched.len() < MAX_FOLDERS => {
                found.touched.push(text(reader, element)?);
                Ok(())
            }
            _ => skip(reader, element),
        })
    })
}

/// An element that has just begun.
#[derive(Clone, Copy)]
pub(super) struct Element {
    pub(super) tag: Tag,
    has_content: bool,
}

/// Reads a whole document, and the children of its outermost element, which must be `tag`, by
/// `child`.
pub(super) fn document<'a>(
    octets: &'a [u8],
    tag: Tag,
    child: impl FnMut(&mut Reader<'a>, Element) -> Result<(), BadBody>,
) -> Result<(), BadBody> {
    let mut reader = Reader::new(octets)?;
    let root = reader.next_event()?.and_then(begun);
    let root = root.filter(|root| root.tag == tag);
    children(&mut reader, root.ok_or(BadBody::OtherCommand)?, child)?;
    // Whatever comes behind it is an error.
    while reader.next_event()?.is_some() {}
    Ok(())
}

/// The elements in `element`, past its end; `child` goes past the end of each.
pub(super) fn children<'a>(
    reader: &mut Reader<'a>,
    element: Element,
    mut child: impl FnMut(&mut Reader<'a>, Element) -> Result<(), BadBody>,
) -> Result<(), BadBody> {
    if !element.has_content {
        return Ok(());
    }
    loop {
        match reader.next_event()? {
            Some(Event::End(_)) | None => return Ok(()),
            Some(event) => {
                if let Some(element) = begun(event) {
                    child(reader, element)?;
                }
            }
        }
    }
}

const fn begun(event: Event<'_>) -> Option<Element> {
    match event {
        Event::Start(tag) => Some(Element {
            tag,
            has_content: true,
        }),
        Event::Empty(tag) => Some(Element {
            tag,
            has_content: false,
        }),
        Event::Text(_) | Event::Opaque(_) | Event::End(_) => None,
    }
}

pub(super) fn skip(reader: &mut Reader<'_>, element: Element) -> Result<(), BadBody> {
    if element.has_content {
        reader.skip()?;
    }
    Ok(())
}

/// The text in `element`, past its end.
pub(super) fn text<'a>(reader: &mut Reader<'a>, element: Element) -> Result<&'a str, BadBody> {
    let mut found = "";
    if !element.has_content {
        return Ok(found);
    }
    loop {
        match reader.next_event()? {
            // In two parts it would have to be put together; nobody writes it so.
            Some(Event::Text(text)) if found.is_empty() => found = text,
            Some(Event::End(_)) | None => return Ok(found),
            Some(_) => return Err(BadBody::Value),
        }
    }
}

fn number(reader: &mut Reader<'_>, element: Element) -> Result<u32, BadBody> {
    let text = text(reader, element)?;
    text.trim().parse().map_err(|_| BadBody::Value)
}

fn push<T>(list: &mut Vec<T>, one: T) -> Result<(), BadBody> {
    if list.len() == MAX_FOLDERS {
        return Err(BadBody::TooMany);
    }
    list.push(one);
    Ok(())
}

fn refuse_second_wait(earlier: Option<Wait>, wait: Wait) -> Result<(), BadBody> {
    match (earlier, wait) {
        (Some(Wait::Minutes(_)), Wait::Seconds(_)) | (Some(Wait::Seconds(_)), Wait::Minutes(_)) => {
            Err(BadBody::TwoWaits)
        }
        (earlier, _) => refuse_second(earlier),
    }
}

fn refuse_second<T>(earlier: Option<T>) -> Result<(), BadBody> {
    earlier.map_or(Ok(()), |_| Err(BadBody::Twice))
}
