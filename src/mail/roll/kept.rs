//! The roll as it is written down: one JSON object a line, the gateway's secret first.

use std::collections::HashMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use serde::Deserialize;
use serde::Serialize;

use crate::message::Kind;
use crate::message::Language;
use crate::model::EasDeviceId;
use crate::model::Reason;
use crate::model::Timestamp;
use crate::model::Verdict;

use super::Entry;
use super::Itself;
use super::Key;
use super::MAX_ENTRIES;
use super::Mail;
use super::MailState;
use super::Ordering;
use super::Phase;
use super::Roll;
use super::holds::Holds;
use super::notes as since;
use super::post::Today;

/// What of a written roll could be read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Restored {
    /// Devices.
    pub devices: usize,
    /// Users of whom an upstream has said where they are; of the router.
    pub places: usize,
    /// Lines that mean nothing.
    pub unreadable: usize,
}

#[derive(Serialize, Deserialize)]
struct Head {
    secret: String,
    /// The last note that this knows of.
    #[serde(default)]
    notes: u64,
    /// The mails that users have had today.
    #[serde(default)]
    mails: Today,
}

#[derive(Serialize, Deserialize)]
pub(super) struct Line {
    user: Box<str>,
    /// As the device spells it.
    device: Box<str>,
    device_type: Box<str>,
    #[serde(default)]
    made_up: bool,
    #[serde(default)]
    holds: Option<Holds>,
    #[serde(default)]
    real: bool,
    #[serde(default)]
    delivered: Option<u32>,
    phase: String,
    /// Milliseconds since 1970, as every time here.
    until: Option<i64>,
    verdict: String,
    reason: u16,
    since: i64,
    seen: i64,
    name: Option<Box<str>>,
    model: Option<Box<str>>,
    os: Option<Box<str>>,
    language: Option<String>,
    wanted: Option<String>,
    mail: Option<MailLine>,
    /// Of a note; 0 in a snapshot.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(super) number: u64,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde hands over a reference"
)]
const fn is_zero(number: &u64) -> bool {
    *number == 0
}

#[derive(Serialize, Deserialize)]
struct MailLine {
    kind: String,
    state: String,
    at: i64,
    tries: Option<u32>,
    why: Option<Box<str>>,
    #[serde(default)]
    while_away: bool,
}

impl Roll {
    /// Everything that the next start is to know.
    pub(in crate::mail) fn save(&self) -> Vec<u8> {
        let (notes, mails, lines): (u64, Today, Vec<Line>) = {
            let table = self.lock();
            let lines = table.entries.values().map(Line::of);
            (
                table.sequence,
                table.throttle.today.clone(),
                lines.collect(),
            )
        };
        let head = Head {
            secret: STANDARD_NO_PAD.encode(self.secret),
            notes,
            mails,
        };
        let mut octets = serde_json::to_vec(&head).unwrap_or_default();
        octets.push(b'\n');
        for line in lines {
            if let Ok(line) = serde_json::to_vec(&line) {
                octets.extend_from_slice(&line);
                octets.push(b'\n');
            }
        }
        octets
    }

    /// A roll from what [`Roll::save`] has written, and from the lines of [`Roll::poll_notes`] in any
    /// order; its secret is new if none can be read.
    pub(in crate::mail) fn restore(
        secret: [u8; 32],
        octets: &[u8],
        notes: &[u8],
    ) -> (Self, Restored) {
        let mut restored = Restored::default();
        let mut lines = octets
            .split(|octet| *octet == b'\n')
            .filter(|line| !line.is_empty());
        let head = lines.next().and_then(|line| {
            let head: Head = serde_json::from_slice(line).ok()?;
            let secret = STANDARD_NO_PAD.decode(head.secret).ok()?;
            let secret = <[u8; 32]>::try_from(secret.as_slice()).ok()?;
            Some((secret, head.notes, head.mails))
        });
        let has_head = head.is_some();
        let (kept, last, mut today) = head.unwrap_or_else(|| {
            restored.unreadable = usize::from(!octets.is_empty());
            (secret, 0, Today::default())
        });
        let roll = Self::new(kept);
        let mut entries = HashMap::new();
        // Of a snapshot without its head nothing is known to be right.
        let lines = lines.filter(|_| has_head);
        for line in lines.take(MAX_ENTRIES) {
            let read: Option<Line> = serde_json::from_slice(line).ok();
            let Some(entry) = read.and_then(Line::entry) else {
                restored.unreadable += 1;
                continue;
            };
            let key = roll.key(&entry.user, entry.device);
            entries.insert(key, entry);
        }
        let sent = |at, user: &str| today.add(at, user);
        let sequence = since::restore(&roll, &mut entries, (last, notes), sent, &mut restored);
        let pending = |(key, entry): (&Key, &Entry)| match &entry.mail {
            Some(Mail {
                state: MailState::Pending(at, _),
                ..
            }) => Some((*at, *key)),
            Some(_) | None => None,
        };
        let queue = entries.iter().filter_map(pending).collect();
        let made_up = entries
            .values()
            .filter(|entry| !entry.holds.is_nothing())
            .count();
        let is_out = |entry: &&Entry| entry.phase != Phase::Allowed;
        let kept_out = entries.values().filter(is_out).count();
        roll.made_up.store(made_up, Ordering::Relaxed);
        roll.kept_out.store(kept_out, Ordering::Relaxed);
        {
            let mut table = roll.lock();
            table.entries = entries;
            table.queue = queue;
            table.sequence = sequence;
            table.throttle.today = today;
            roll.settle(&mut table);
            restored.devices = table.entries.len();
        }
        (roll, restored)
    }
}

impl Line {
    pub(super) fn numbered(self, number: u64) -> Self {
        Self { number, ..self }
    }

    pub(super) fn of(entry: &Entry) -> Self {
        let (phase, until) = match entry.phase {
            Phase::Allowed => ("allowed", None),
            Phase::Waiting(until) => ("waiting", Some(until.unix_millis())),
            Phase::Held => ("held", None),
        };
        let itself = &entry.itself;
        Self {
            user: entry.user.clone(),
            device: entry.spelled.clone(),
            device_type: entry.device_type.clone(),
            made_up: entry.holds.folders,
            holds: Some(entry.holds.clone()).filter(|holds| !holds.is_nothing()),
            real: entry.real,
            delivered: entry.delivered,
            phase: phase.to_owned(),
            until,
            verdict: entry.verdict.to_string(),
            reason: entry.reason.code(),
            since: entry.since.unix_millis(),
            seen: entry.seen.unix_millis(),
            name: itself.name.clone(),
            model: itself.model.clone(),
            os: itself.os.clone(),
            language: itself.language.as_ref().map(Language::to_string),
            wanted: entry.wanted.as_ref().map(Language::to_string),
            mail: entry.mail.as_ref().map(MailLine::of),
            number: 0,
        }
    }

    /// `None` if a word of it means nothing.
    pub(super) fn entry(self) -> Option<Entry> {
        let time = Timestamp::from_unix_millis;
        Some(Entry {
            user: self.user,
            device: EasDeviceId::parse(self.device.as_bytes())?,
            spelled: self.device,
            device_type: self.device_type,
            holds: match self.holds {
                Some(holds) => holds,
                // As it was written before anything else was remembered.
                None if self.made_up => Holds::made_up_folders(),
                None => Holds::default(),
            },
            real: self.real,
            delivered: self.delivered,
            phase: match (&*self.phase, self.until) {
                ("allowed", None) => Phase::Allowed,
                ("waiting", Some(until)) => Phase::Waiting(time(until)),
                ("held", None) => Phase::Held,
                _ => return None,
            },
            verdict: [Verdict::Allow, Verdict::Quarantine, Verdict::Block]
                .into_iter()
                .find(|verdict| verdict.as_str() == self.verdict)?,
            reason: Reason::ALL
                .into_iter()
                .find(|reason| reason.code() == self.reason)?,
            since: time(self.since),
            seen: time(self.seen),
            subject: None,
            itself: Itself {
                name: self.name,
                model: self.model,
                os: self.os,
                language: self.language.and_then(|tag| tag.parse().ok()),
            },
            wanted: self.wanted.and_then(|tag| tag.parse().ok()),
            mail: match self.mail {
                Some(mail) => Some(mail.mail()?),
                None => None,
            },
        })
    }
}

impl MailLine {
    fn of(mail: &Mail) -> Self {
        let (state, at, tries, why) = match &mail.state {
            MailState::Pending(at, tries) => ("pending", at, Some(*tries), None),
            MailState::Sent(at) => ("sent", at, None, None),
            MailState::Failed(at, why) => ("failed", at, None, Some(why.clone())),
        };
        Self {
            kind: mail.kind.name().to_owned(),
            state: state.to_owned(),
            at: at.unix_millis(),
            tries,
            why,
            while_away: mail.while_away,
        }
    }

    fn mail(self) -> Option<Mail> {
        let at = Timestamp::from_unix_millis(self.at);
        Some(Mail {
            kind: Kind::ALL
                .into_iter()
                .find(|kind| kind.name() == self.kind)?,
            state: match &*self.state {
                "pending" => MailState::Pending(at, self.tries?),
                "sent" => MailState::Sent(at),
                "failed" => MailState::Failed(at, self.why?),
                _ => return None,
            },
            while_away: self.while_away,
        })
    }
}
