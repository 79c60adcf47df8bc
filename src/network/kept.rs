//! Who is in, written down: what the next start has to know so that a device which turns bad is put
//! out although another process has let it in.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use serde::Serialize;

use crate::access::Correlation;
use crate::access::KeptSubject;
use crate::access::OwnedSubject;
use crate::access::Rhythm;
use crate::access::Silence;
use crate::model::Established;
use crate::model::Timestamp;
use crate::model::Verdict;
use crate::network::admission::Admission;
use crate::network::admission::Admissions;
use crate::network::admission::PeerIdentity;
use crate::radius::AttributeType;
use crate::radius::MAX_VALUE;
use crate::radius::Nas;
use crate::radius::Transport;

/// What came of reading it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Restored {
    /// Who is followed again.
    pub sessions: usize,
    /// Whose NAS is not in the table any more, takes no requests any more, or whose time is over.
    pub gone: usize,
    /// Lines that cannot be read.
    pub unreadable: usize,
}

/// Which NAS a session is at.
#[derive(Clone, Copy, Debug)]
pub struct At<'a> {
    /// Its name.
    pub name: &'a str,
    /// The address that it asked from.
    pub address: IpAddr,
    /// How it asked.
    pub transport: Transport,
}

/// One session.
#[derive(Debug, Serialize, Deserialize)]
struct Kept {
    number: String,
    given: String,
    established: String,
    nas: Box<str>,
    address: IpAddr,
    over_tls: bool,
    /// When it was heard of, in Unix seconds.
    heard: i64,
    /// When its Session-Timeout is over, likewise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ends: Option<i64>,
    /// How often its NAS reports, in seconds; 0 if that is not known.
    #[serde(default)]
    interval: u32,
    attributes: Vec<(u8, String)>,
    subject: KeptSubject,
}

impl Admissions {
    /// All who are in, a line of JSON each. Takes a lock for each of them and no longer, so that
    /// nobody waits for the whole.
    #[must_use]
    pub fn save(&self) -> Vec<u8> {
        let mut lines = Vec::new();
        for number in self.numbers() {
            let kept = self.with(number, |admission| Kept::of(number, admission));
            let Some(Some(kept)) = kept else {
                continue;
            };
            let begun = lines.len();
            if serde_json::to_writer(&mut lines, &kept).is_ok() {
                lines.push(b'\n');
            } else {
                lines.truncate(begun);
            }
        }
        lines
    }

    /// Follows again who was in when `lines` were [saved](Self::save), as long as there is room;
    /// `nas` finds the device in the table of today. What is decided about them today is not looked
    /// at: a [`sweep_all`](Self::sweep_all) does that, with the brake on.
    pub fn restore(
        &self,
        now: Timestamp,
        silence: &Silence,
        lines: &[u8],
        nas: impl Fn(&At<'_>) -> Option<Arc<Nas>>,
    ) -> Restored {
        let mut restored = Restored::default();
        for line in lines.split(|octet| *octet == b'\n') {
            if line.is_empty() {
                continue;
            }
            let kept: Option<Kept> = serde_json::from_slice(line).ok();
            let Some((number, read)) = kept.and_then(|kept| kept.read()) else {
                restored.unreadable += 1;
                continue;
            };
            let at = At {
                name: &read.nas,
                address: read.address,
                transport: read.transport,
            };
            let takes_requests = |nas: &Arc<Nas>| nas.dynamic_authorization().is_some();
            let found = nas(&at).filter(takes_requests);
            let is_over = now.since(read.heard) >= silence.longest;
            let Some(nas) = found.filter(|_| !is_over) else {
                restored.gone += 1;
                continue;
            };
            // A line that stands there twice is one session.
            if self.with(number, |_| ()).is_some() {
                restored.unreadable += 1;
                continue;
            }
            let rhythm = read.rhythm(now);
            let permit = self.live().resume(now, read.subject, read.given);
            let admission = Admission {
                permit,
                granted: read.given,
                nas,
                address: read.address,
                peer: read.peer,
                established: read.established,
                rhythm,
                ends: read.ends,
            };
            restored.sessions += usize::from(self.put(number, admission));
        }
        restored
    }
}

/// A line that could be read.
struct Read {
    given: Verdict,
    established: Established,
    nas: Box<str>,
    address: IpAddr,
    transport: Transport,
    heard: Timestamp,
    ends: Option<Timestamp>,
    interval: Duration,
    peer: PeerIdentity,
    subject: OwnedSubject,
}

impl Read {
    /// Its NAS had nobody to report to meanwhile: silence by its timer begins now.
    fn rhythm(&self, now: Timestamp) -> Rhythm {
        let is_timed = !self.interval.is_zero();
        let heard = if is_timed { now } else { self.heard.min(now) };
        Rhythm::resumed(heard, self.interval)
    }
}

impl Kept {
    fn of(number: Correlation, admission: &Admission) -> Option<Self> {
        let attributes = admission.peer.attributes.iter();
        Some(Self {
            number: number.to_string(),
            given: admission.granted.as_str().to_owned(),
            established: admission.established.as_str().to_owned(),
            nas: admission.nas.name().into(),
            address: admission.address,
            over_tls: admission.nas.transport() == Transport::Tls,
            heard: admission.rhythm.heard().unix_seconds(),
            ends: admission.ends.map(Timestamp::unix_seconds),
            interval: seconds(admission.rhythm.interval()),
            attributes: attributes
                .map(|(kind, value)| (kind.0, hexadecimal(value)))
                .collect(),
            subject: admission.permit.subject().keep()?,
        })
    }

    fn read(self) -> Option<(Correlation, Read)> {
        let given = match self.given.as_str() {
            "allow" => Verdict::Allow,
            "quarantine" => Verdict::Quarantine,
            _ => return None,
        };
        let attributes = self.attributes.into_iter().take(PeerIdentity::MAX);
        let attributes =
            attributes.map(|(kind, value)| Some((AttributeType(kind), octets(&value)?)));
        let transport = if self.over_tls {
            Transport::Tls
        } else {
            Transport::Udp
        };
        let read = Read {
            given,
            established: Established::parse(&self.established)?,
            nas: self.nas,
            address: self.address,
            transport,
            heard: Timestamp::from_unix_seconds(self.heard),
            ends: self.ends.map(Timestamp::from_unix_seconds),
            interval: Duration::from_secs(self.interval.into()),
            peer: PeerIdentity {
                attributes: attributes.collect::<Option<_>>()?,
            },
            subject: self.subject.subject()?,
        };
        Some((Correlation::parse(&self.number)?, read))
    }
}

fn seconds(interval: Duration) -> u32 {
    u32::try_from(interval.as_secs()).unwrap_or(u32::MAX)
}

fn hexadecimal(octets: &[u8]) -> String {
    let digit = |value: u8| char::from_digit(u32::from(value), 16).unwrap_or('0');
    octets
        .iter()
        .flat_map(|octet| [digit(octet >> 4), digit(octet & 0xf)])
        .collect()
}

/// `None` if it is no value of an attribute.
fn octets(text: &str) -> Option<Box<[u8]>> {
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    if !rest.is_empty() || !(1..=MAX_VALUE).contains(&pairs.len()) {
        return None;
    }
    let digit = |digit: u8| char::from(digit).to_digit(16);
    let octet = |pair: &[u8; 2]| u8::try_from(digit(pair[0])? * 16 + digit(pair[1])?).ok();
    pairs.iter().map(octet).collect()
}
