//! Accounting on its way to the record: answered only when it is there (RFC 2866 section 4.1).

use std::fmt;
use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::net::SocketAddr;

use serde::Serialize;
use serde::Serializer;

use crate::access::Correlation;
use crate::access::NasNames;
use crate::access::SessionEvent;
use crate::access::SessionKey;
use crate::model::Now;
use crate::model::Shown;
use crate::model::Timestamp;
use crate::network::Door;
use crate::network::Transmit;
use crate::network::enforce;
use crate::network::outbox::Outbox;
use crate::radius::AccountingRequest;
use crate::radius::AcctStatusType;
use crate::radius::AttributeType;
use crate::radius::Nas;
use crate::radius::Ticket as Held;

/// What follows once a report is on record.
pub(super) struct Entry {
    pub(super) news: News,
    /// Where the reply will be kept for retransmissions.
    pub(super) held: Option<Held>,
}

/// What a report says of sessions.
#[expect(
    clippy::large_enum_variant,
    reason = "they stand in a list that is used again; boxes would be allocated for each packet"
)]
pub(super) enum News {
    Session(SessionKey, SessionEvent),
    /// The NAS has none any more.
    NoSessions(NasNames),
    Nothing,
}

/// What one batch of datagrams reported, and the replies that wait until it is on record.
#[derive(Default)]
pub(super) struct Ledger {
    /// Not on record yet.
    lines: Vec<u8>,
    /// One for each line.
    entries: Vec<Entry>,
    /// First those whose reports are on record, then one for each line.
    replies: Outbox,
    recorded: usize,
}

impl Ledger {
    /// What is to be recorded, a line of JSON for each report; empty when nothing is.
    pub(super) fn lines(&self) -> &[u8] {
        &self.lines
    }

    /// Adds a report, and the reply that `write` writes. Without a reply there is no report:
    /// its NAS will send it again.
    pub(super) fn enter(
        &mut self,
        report: &Report<'_>,
        entry: Entry,
        door: Door,
        to: SocketAddr,
        write: impl FnOnce(&mut [u8]) -> Option<usize>,
    ) -> bool {
        let begun = self.lines.len();
        let written = serde_json::to_writer(&mut self.lines, report).is_ok();
        if !written || self.replies.put(door, to, write).is_none() {
            self.lines.truncate(begun);
            return false;
        }
        self.lines.push(b'\n');
        self.entries.push(entry);
        true
    }

    /// The reports are on record: their replies may leave.
    pub(super) fn release(&mut self) -> impl Iterator<Item = (Entry, Transmit<'_>)> {
        let before = std::mem::replace(&mut self.recorded, self.replies.len());
        self.lines.clear();
        self.entries.drain(..).zip(self.replies.iter().skip(before))
    }

    /// The reports could not be recorded: their replies are gone.
    pub(super) fn refuse(&mut self) -> impl Iterator<Item = Entry> {
        self.lines.clear();
        self.replies.keep_first(self.recorded);
        self.entries.drain(..)
    }

    /// Replies whose reports are on record.
    pub(super) fn transmits(&self) -> impl Iterator<Item = Transmit<'_>> {
        self.replies.iter().take(self.recorded)
    }

    /// Forgets what has been sent.
    pub(super) fn clear_transmits(&mut self) {
        self.replies.forget_first(self.recorded);
        self.recorded = 0;
    }
}

/// An Accounting-Request as it is recorded. Absent is what the NAS did not say.
#[derive(Serialize)]
pub(super) struct Report<'a> {
    time: Shown<Timestamp>,
    nas: &'a str,
    from: Shown<IpAddr>,
    #[serde(skip_serializing_if = "Option::is_none")]
    nas_identifier: Option<Octets<'a>>,
    event: Event,
    session: Octets<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    multi_session: Option<Octets<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<Octets<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    calling: Option<Octets<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    called: Option<Octets<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    port: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    address: Option<Shown<Ipv4Addr>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    decision: Option<Shown<Correlation>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    happened: Option<Shown<Timestamp>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    delay: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    seconds: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    octets_in: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    octets_out: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    packets_in: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    packets_out: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cause: Option<u32>,
}

impl<'a> Report<'a> {
    pub(super) fn new(
        now: Now,
        nas: &'a Nas,
        from: SocketAddr,
        request: &AccountingRequest<'a>,
    ) -> Self {
        let octets = |kind| request.find(kind).map(Octets);
        Self {
            time: Shown(now.wall),
            nas: nas.name(),
            from: Shown(from.ip()),
            nas_identifier: octets(AttributeType::NAS_IDENTIFIER),
            event: Event(request.status()),
            session: Octets(request.session_id()),
            multi_session: request.multi_session_id().map(Octets),
            user: request.user_name().map(Octets),
            calling: octets(AttributeType::CALLING_STATION_ID),
            called: octets(AttributeType::CALLED_STATION_ID),
            port: request.integer(AttributeType::NAS_PORT),
            address: request.framed_ip_address().map(Shown),
            decision: request.classes().find_map(enforce::decision_of).map(Shown),
            happened: request.event_timestamp().map(Shown),
            delay: request.delay_seconds(),
            seconds: request.session_seconds(),
            octets_in: request.input_octets(),
            octets_out: request.output_octets(),
            packets_in: request.input_packets(),
            packets_out: request.output_packets(),
            cause: request.terminate_cause(),
        }
    }
}

/// Acct-Status-Type by a word, or by its number where there is none (RFC 2866 section 5.1).
struct Event(AcctStatusType);

impl Serialize for Event {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let word = match self.0 {
            AcctStatusType::Start => "start",
            AcctStatusType::InterimUpdate => "interim",
            AcctStatusType::Stop => "stop",
            AcctStatusType::AccountingOn => "on",
            AcctStatusType::AccountingOff => "off",
            AcctStatusType::Other(number) => return serializer.collect_str(&number),
        };
        serializer.serialize_str(word)
    }
}

/// Octets that are mostly a text; where they are none, `0x` and hexadecimal.
struct Octets<'a>(&'a [u8]);

impl Serialize for Octets<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match std::str::from_utf8(self.0) {
            Ok(text) => serializer.serialize_str(text),
            Err(_) => serializer.collect_str(self),
        }
    }
}

impl fmt::Display for Octets<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("0x")?;
        self.0.iter().try_for_each(|octet| write!(f, "{octet:02x}"))
    }
}
