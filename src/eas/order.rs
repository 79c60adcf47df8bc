//! The answer to a Provision that orders a wipe, or takes note of one (MS-ASPROV 3.2.5.1.2), and the status
//! by which any other answer says that one is ordered.

use crate::eas::Command;
use crate::eas::status::elements;
use crate::wbxml::Event;
use crate::wbxml::Reader;
use crate::wbxml::Writer;
use crate::wbxml::service::provision;

/// `Provision` with a status of 1 or 2; with the order to erase the device (`Some(false)`) or what the
/// account has brought to it (`Some(true)`), or without one.
#[must_use]
pub fn provision(status: &str, account_only: Option<bool>) -> Vec<u8> {
    let mut writer = Writer::new();
    writer.element(provision::PROVISION, |writer| {
        writer.leaf(provision::STATUS, status);
        match account_only {
            Some(false) => writer.empty(provision::REMOTE_WIPE),
            Some(true) => writer.empty(provision::ACCOUNT_ONLY_REMOTE_WIPE),
            None => {}
        }
    });
    writer.finish()
}

/// Whether the answer to a command, which begins with `octets`, says that a wipe of the device is ordered:
/// 140, RemoteWipeRequested (MS-ASCMD 2.2.2). There are clients that erase themselves upon it. Of an item it
/// would mean the same.
#[must_use]
pub fn asks_for_wipe(command: Command, octets: &[u8]) -> bool {
    let Some((root, status)) = elements(command) else {
        return false;
    };
    let Ok(mut reader) = Reader::new(octets) else {
        return false;
    };
    let mut next = || reader.next_event().ok().flatten();
    if next() != Some(Event::Start(root)) {
        return false;
    }
    while let Some(event) = next() {
        if event == Event::Start(status) && next() == Some(Event::Text("140")) {
            return true;
        }
    }
    false
}
