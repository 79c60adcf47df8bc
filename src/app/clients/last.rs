//! What the audit of wipes makes of the records of the last start.
//!
//! Of each client the last line counts, also of one that the records do not know: they may be lost or
//! put back from a copy, and whoever was to be wiped then stays out all the same. Of the order that such
//! a line names the records may know more: that it has been called off, or that it is done. An order
//! whose line is not here holds as the records have it, and one that is called off here, or was never
//! given, is in force nowhere.
//!
//! What the records alone know of an order that has its line here is to be written here as well: they may
//! be lost by the next start, and it would be in force again.

use std::collections::HashMap;
use std::io;
use std::path::Path;

use serde::Deserialize;

use crate::inventory::MailClient;
use crate::inventory::Reader;
use crate::inventory::Wipe;
use crate::inventory::WipeOrder;
use crate::inventory::WipeStage;
use crate::model::EasDeviceId;
use crate::model::Timestamp;

use super::audit;
use super::audit::Event;

/// What came of it, in numbers.
#[derive(Debug, Default)]
pub(super) struct Heard {
    /// Lines that were understood.
    pub(super) lines: usize,
    /// Lines that were not.
    pub(super) unreadable: usize,
    /// Clients whose wipe is another one than their records had.
    pub(super) altered: usize,
    /// Those among them of whose order no line says what is to be erased.
    pub(super) unclear: usize,
    /// What the records know of orders and the audit should.
    pub(super) missing: Vec<(MailClient, Event, WipeOrder)>,
    /// Why a file could not be read.
    pub(super) error: Option<io::Error>,
}

impl Heard {
    /// The lines that are missing, as of now. Nobody knows any more who called a wipe off.
    pub(super) fn owed(&self, now: Timestamp) -> String {
        let lines = self.missing.iter();
        lines
            .map(|(client, event, order)| audit::line(now, *event, client, Some(*order), None))
            .collect()
    }
}

/// Has the audit overrule what was kept of `clients`, and adds those that it alone knows to be wiped.
///
/// What this holds and adds has no bound of its own. It is less than what the audit has, a circle of
/// files of bounded size, into which only administrators' orders bring a client; and beyond the records
/// that the inventory has room for nothing is taken from here.
pub(super) fn overrule(folder: &Path, reader: &Reader, clients: &mut Vec<MailClient>) -> Heard {
    let mut heard = Heard::default();
    let mut last: HashMap<Key, Last> = HashMap::new();
    let read = audit::circle(folder).read(|octets| {
        if octets.is_empty() {
            return;
        }
        let Some((key, line)) = Line::parse(reader, octets) else {
            heard.unreadable += 1;
            return;
        };
        heard.lines += 1;
        let before = last.remove(&key);
        last.insert(key, Last::after(before, line));
    });
    heard.error = read.err();
    for client in clients.iter_mut() {
        let key = key(reader, &client.user, client.eas);
        if let Some(last) = key.and_then(|key| last.remove(&key)) {
            last.overrule(client, &mut heard);
        }
    }
    let unknown = last.into_iter().map(|((_, eas), last)| {
        let mut client = last.line.client(eas);
        last.overrule(&mut client, &mut heard);
        client
    });
    let mut unknown: Vec<MailClient> = unknown.filter(|client| client.wipe.is_some()).collect();
    unknown.sort_by(|one, other| (&one.user, one.eas).cmp(&(&other.user, other.eas)));
    clients.append(&mut unknown);
    if heard.error.is_some() {
        // It may stand in what was not read, with what came after it.
        heard.missing.clear();
    }
    heard
}

/// By what the inventory tells clients apart: their user, however the name is spelled, and DeviceId.
type Key = (u128, EasDeviceId);

fn key(reader: &Reader, user: &str, eas: EasDeviceId) -> Option<Key> {
    Some((reader.client_user(user)?, eas))
}

/// What counts of a line at a start.
#[derive(Debug, Deserialize)]
struct Line {
    time: Box<str>,
    event: Box<str>,
    /// Earlier versions gave their orders no number.
    #[serde(default)]
    order: Option<u64>,
    /// What is to be erased; earlier versions say so only where it is ordered.
    #[serde(default)]
    wipe: Option<Box<str>>,
    user: Box<str>,
    device: Box<str>,
    #[serde(default)]
    device_type: Box<str>,
    #[serde(default)]
    model: Box<str>,
    #[serde(default)]
    by: Option<Box<str>>,
}

impl Line {
    fn parse(reader: &Reader, octets: &[u8]) -> Option<(Key, Self)> {
        let line: Self = serde_json::from_slice(octets).ok()?;
        Event::parse(&line.event)?;
        let key = key(reader, &line.user, line.device.parse().ok()?)?;
        Some((key, line))
    }

    /// The client, so far as the line tells.
    fn client(&self, eas: EasDeviceId) -> MailClient {
        let at = Timestamp::parse_rfc3339(&self.time).unwrap_or_default();
        let mut client = MailClient::new(eas, &self.user, at);
        client.spelled.clone_from(&self.device);
        client.device_type.clone_from(&self.device_type);
        client.model.clone_from(&self.model);
        client
    }
}

/// The last line of a client, and what those before it say of the same order.
#[derive(Debug)]
struct Last {
    line: Line,
    number: u64,
    /// How far it is; `None` of one that is not in force.
    stage: Option<WipeStage>,
    wipe: Option<Wipe>,
    by: Box<str>,
}

impl Last {
    fn after(before: Option<Self>, mut line: Line) -> Self {
        let event = Event::parse(&line.event);
        let number = match (line.order, event) {
            (Some(number), _) => number,
            // None is in force then: it is about those before it.
            (None, Some(Event::Forgotten)) => before.as_ref().map_or(0, |before| before.number),
            (None, _) => 0,
        };
        let known = before.filter(|before| before.number == number);
        let (wipe, by) = known.map_or_else(Default::default, |known| (known.wipe, known.by));
        let said = line.wipe.as_deref().and_then(Wipe::parse);
        let (stage, wipe, by) = match event {
            Some(Event::Ordered(wipe)) => {
                let by = line.by.take().unwrap_or_default();
                (Some(WipeStage::Ordered), Some(wipe), by)
            }
            Some(Event::At(stage)) => (Some(stage), said.or(wipe), by),
            Some(Event::Cancelled | Event::Refused | Event::Forgotten) | None => {
                (None, said.or(wipe), by)
            }
        };
        Self {
            line,
            number,
            stage,
            wipe,
            by,
        }
    }

    /// Says what is in force of a client.
    fn overrule(self, client: &mut MailClient, heard: &mut Heard) {
        let kept = client.wipe;
        client.wipe = self.order(kept, client.called_off);
        heard.altered += usize::from(client.wipe != kept);
        if let Some((event, order)) = self.missing(client.wipe) {
            heard.missing.push((client.clone(), event, order));
        }
        match client.wipe {
            None => {
                client.wipe_by = Box::default();
                // Numbers rise, whatever else is known of it.
                client.called_off = client.called_off.max(Some(self.number));
            }
            Some(order) if kept.is_none_or(|kept| kept.number != order.number) => {
                client.wipe_by = self.by;
                heard.unclear += usize::from(self.wipe.is_none());
            }
            Some(_) => {}
        }
    }

    /// What no line says of the order of this one, where `wipe` is in force.
    fn missing(&self, wipe: Option<WipeOrder>) -> Option<(Event, WipeOrder)> {
        let said = WipeOrder {
            wipe: self.wipe.unwrap_or(Wipe::Account),
            number: self.number,
            stage: self.stage?,
        };
        match wipe {
            None => Some((Event::Cancelled, said)),
            Some(order) if order.number != said.number || order.stage == said.stage => None,
            Some(order) => Some((Event::At(order.stage), order)),
        }
    }

    /// The order that is in force, where the records have `kept`, and of which they know until which
    /// number they are called off.
    fn order(&self, kept: Option<WipeOrder>, called_off: Option<u64>) -> Option<WipeOrder> {
        if let Some(kept) = kept.filter(|kept| kept.number >= self.number) {
            if kept.number > self.number {
                // Its own lines are not there: they cannot be read, or somebody has put the files aside.
                return Some(kept);
            }
            // A line may be missing: what is done is done, and what is sent is more than ordered.
            let is_later = |stage| kept.stage != WipeStage::Done && stage != WipeStage::Ordered;
            let later = |stage| is_later(stage).then(|| kept.at(stage));
            return self.stage.map(|stage| later(stage).unwrap_or(kept));
        }
        // Another is given only when the one before it is called off.
        if kept.is_none() && called_off.is_some_and(|number| number >= self.number) {
            return None;
        }
        self.stage.map(|stage| WipeOrder {
            // What was not to be erased does not come back.
            wipe: self.wipe.unwrap_or(Wipe::Account),
            number: self.number,
            stage,
        })
    }
}

#[cfg(test)]
mod tests;
