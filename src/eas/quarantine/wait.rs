//! Ping: it is held, unless the client lacks the message.

use crate::eas::body;
use crate::eas::error::BadBody;
use crate::wbxml::Writer;
use crate::wbxml::sync::ping;

use super::Answer;
use super::Given;
use super::Hold;
use super::INBOX;
use super::Inbox;
use super::LONGEST;
use super::folder_id;
use super::is_ours;

pub(super) fn ping(
    octets: &[u8],
    inbox: Inbox<'_>,
    given: &mut Given<'_>,
) -> Result<Answer, BadBody> {
    let ping = if octets.is_empty() {
        body::Ping::default()
    } else {
        body::ping(octets)?
    };
    let (Some(heartbeat), false) = (ping.heartbeat, ping.folders.is_empty()) else {
        // 3: parameters are missing; the last Ping is not remembered (3.1.5.8).
        return Ok(Answer::Reply(200, told("3", None, &[])));
    };
    if !(1..=LONGEST).contains(&heartbeat) {
        let limit = heartbeat.clamp(1, LONGEST);
        return Ok(Answer::Reply(200, told("5", Some(limit), &[])));
    }
    let made_up = ping.folders.iter().any(|id| is_ours(id));
    given.whole = true;
    given.folders = made_up;
    given.real = ping.folders.iter().any(|id| !is_ours(id));
    let ours = folder_id(INBOX);
    if inbox.is_news && ping.folders.iter().any(|id| **id == ours) {
        // 2: a Sync of these folders brings something.
        return Ok(Answer::Reply(200, told("2", None, &[&ours])));
    }
    let released = if made_up {
        // 7: the folders have changed.
        told("7", None, &[])
    } else {
        told("2", None, &ping.folders)
    };
    Ok(Answer::Hold(Hold {
        seconds: heartbeat,
        expired: told("1", None, &[]),
        released,
    }))
}

/// The answer to a Ping (2.2.3.177.11).
pub(super) fn told(status: &str, heartbeat: Option<u32>, folders: &[&str]) -> Vec<u8> {
    let mut writer = Writer::new();
    writer.element(ping::PING, |writer| {
        writer.leaf(ping::STATUS, status);
        if !folders.is_empty() {
            writer.element(ping::FOLDERS, |writer| {
                for id in folders {
                    writer.leaf(ping::FOLDER, id);
                }
            });
        }
        if let Some(heartbeat) = heartbeat {
            writer.leaf(ping::HEARTBEAT_INTERVAL, &heartbeat.to_string());
        }
    });
    writer.finish()
}
