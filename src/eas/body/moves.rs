//! Items that a client moves (MoveItems), and meetings that it answers (MeetingResponse).

use super::children;
use super::document;
use super::push;
use super::skip;
use super::text;
use crate::eas::error::BadBody;
use crate::wbxml::item::meeting_response;
use crate::wbxml::sync::r#move;

/// An item that is moved (MS-ASCMD 2.2.3.117.2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Move<'a> {
    /// The item.
    pub item: &'a str,
    /// Where it is.
    pub from: &'a str,
    /// Where it is to go.
    pub to: &'a str,
}

/// A meeting that is answered (2.2.3.147).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Meeting<'a> {
    /// The folder of the request.
    pub folder: &'a str,
    /// The request.
    pub request: &'a str,
}

/// Reads a MoveItems.
///
/// # Errors
///
/// [`BadBody`].
pub fn moves(octets: &[u8]) -> Result<Vec<Move<'_>>, BadBody> {
    let mut found = Vec::new();
    document(octets, r#move::MOVE_ITEMS, |reader, element| {
        if element.tag != r#move::MOVE {
            return skip(reader, element);
        }
        let mut one = Move::default();
        children(reader, element, |reader, element| {
            match element.tag {
                r#move::SRC_MSG_ID => one.item = text(reader, element)?,
                r#move::SRC_FLD_ID => one.from = text(reader, element)?,
                r#move::DST_FLD_ID => one.to = text(reader, element)?,
                _ => skip(reader, element)?,
            }
            Ok(())
        })?;
        push(&mut found, one)
    })?;
    Ok(found)
}

/// Reads a MeetingResponse.
///
/// # Errors
///
/// [`BadBody`].
pub fn meetings(octets: &[u8]) -> Result<Vec<Meeting<'_>>, BadBody> {
    let mut found = Vec::new();
    let outermost = meeting_response::MEETING_RESPONSE;
    document(octets, outermost, |reader, element| {
        if element.tag != meeting_response::REQUEST {
            return skip(reader, element);
        }
        let mut one = Meeting::default();
        children(reader, element, |reader, element| {
            match element.tag {
                meeting_response::COLLECTION_ID => one.folder = text(reader, element)?,
                meeting_response::REQUEST_ID => one.request = text(reader, element)?,
                _ => skip(reader, element)?,
            }
            Ok(())
        })?;
        push(&mut found, one)
    })?;
    Ok(found)
}
