//! What is told of mail clients: what they are, what was decided and when they were served last.
//!
//! A request of a client of which nothing has changed tells nothing: its record was looked up for the
//! decision and is compared. What is told goes into a queue that is never waited for; if it is full the
//! news is dropped, counted, and told again with the next request.

use std::sync::atomic::AtomicBool;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crossbeam_queue::ArrayQueue;

use crate::access::ClientEntry;
use crate::access::Decided;
use crate::access::Sighting;
use crate::access::Told;
use crate::access::said_by;
use crate::eas;
use crate::eas::Command;
use crate::eas::body;
use crate::model::DeviceId;
use crate::model::Established;
use crate::model::Timestamp;

use super::gateway::Gateway;
use super::who::Who;

/// News of mail clients on their way to the inventory.
#[derive(Debug)]
pub(super) struct Sightings {
    queue: ArrayQueue<Box<Sighting>>,
    lost: AtomicU64,
    /// Something waits by which the client's next command is judged.
    is_urgent: AtomicBool,
}

impl Default for Sightings {
    fn default() -> Self {
        Self {
            queue: ArrayQueue::new(QUEUE),
            lost: AtomicU64::new(0),
            is_urgent: AtomicBool::new(false),
        }
    }
}

impl Sightings {
    fn push(&self, sighting: Sighting) {
        if self.queue.push(Box::new(sighting)).is_err() {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Gateway {
    /// The next news of a mail client, for the inventory.
    pub fn poll_sighting(&self) -> Option<Box<Sighting>> {
        self.sightings.queue.pop()
    }

    /// Whether a client has told of its device since the last time: its next command is judged by
    /// that, so that [`Gateway::poll_sighting`] is to be called at once.
    #[must_use]
    pub fn is_hurried(&self) -> bool {
        let urgent = &self.sightings.is_urgent;
        urgent.load(Ordering::Relaxed) && urgent.swap(false, Ordering::Relaxed)
    }

    /// How much news found no room.
    #[must_use]
    pub fn sightings_lost(&self) -> u64 {
        self.sightings.lost.load(Ordering::Relaxed)
    }

    /// Whether the body of an allowed command says something that is asked for: what the client tells
    /// of its device, or whether it fetches an attachment or sends a message.
    pub(super) fn must_be_read(&self, request: &eas::Request) -> bool {
        let command = request.command;
        command.may_tell_device()
            || body::may_fetch_attachment(command) && self.live.asks_about_attachments()
            || self.may_send(request)
    }

    /// A client was decided about.
    pub(super) fn note_decision(&self, who: &Who, request: &eas::Request, decided: &Decided) {
        let Some(known) = decided.client else {
            return;
        };
        let decision = &decided.decision;
        let state = Some((decision.verdict, decision.reason))
            .filter(|_| !decision.reason.is_of_one_command());
        let at = decided.seen.at;
        let is_old = |last: Timestamp| at.since(last) >= GRAIN;
        let has_news = if is_new(&known) {
            !known.is_full
        } else {
            state.is_some() && known.state != state
                || known.said != said(who, request)
                || decision.active && known.last_active.is_none_or(is_old)
        };
        if has_news {
            self.sightings.push(Sighting {
                state,
                active: decision.active,
                proven: proven(decided),
                ..sighting(who, request, at)
            });
        }
    }

    /// Whether it is worth telling that the mail server answers a command with success.
    pub(super) fn wants_success(now: Timestamp, request: &eas::Request, decided: &Decided) -> bool {
        // By these a client learns its orders; they bring it no mail.
        if request.command.may_tell_device() {
            return false;
        }
        decided.client.is_some_and(|known| {
            let last = known.last_success;
            let has_place = !(is_new(&known) && known.is_full);
            has_place && (!known.counts || last.is_none_or(|last| now.since(last) >= GRAIN))
        })
    }

    /// The news that the mail server has answered a command with success.
    pub(super) fn success(
        now: Timestamp,
        who: &Who,
        request: &eas::Request,
        decided: &Decided,
    ) -> Sighting {
        Sighting {
            success: true,
            active: true,
            proven: proven(decided),
            ..sighting(who, request, now)
        }
    }

    /// Tells it.
    pub(super) fn note_success(&self, success: Sighting) {
        self.sightings.push(success);
    }

    /// The body of a Settings or Provision has come: a client that tells of its device is believed
    /// only as far as it is a client.
    pub(super) fn note_body(
        &self,
        now: Timestamp,
        who: &Who,
        request: &eas::Request,
        octets: &[u8],
    ) {
        if let Some(told) = told(request.command, octets) {
            self.sightings.push(Sighting {
                told: Some(told),
                ..sighting(who, request, now)
            });
            self.sightings.is_urgent.store(true, Ordering::Relaxed);
        }
    }
}

/// What a client tells of its device in the body of a Settings or a Provision.
pub(super) fn told(command: Command, octets: &[u8]) -> Option<Told> {
    let information = if command == Command::Settings {
        body::information(octets).ok().flatten()
    } else if command == Command::Provision {
        body::provision(octets).ok()?.information
    } else {
        None
    }?;
    let text = |text: &str| cut(text.trim()).into();
    Some(Told {
        model: text(information.model),
        friendly_name: text(information.friendly_name),
        os: text(information.os),
    })
}

const fn is_new(known: &ClientEntry) -> bool {
    known.first_seen.is_none()
}

/// The device, if it is proven.
pub(super) fn proven(decided: &Decided) -> Option<DeviceId> {
    let seen = &decided.seen;
    if seen.established != Established::Proven {
        return None;
    }
    Some(seen.posture()?.device)
}

fn said(who: &Who, request: &eas::Request) -> u32 {
    said_by(
        &request.device_type,
        cut(who.user_agent()),
        request.version.tenths(),
        request.policy_key,
    )
}

fn sighting(who: &Who, request: &eas::Request, at: Timestamp) -> Sighting {
    Sighting {
        eas: request.device,
        spelled: request.spelled().into(),
        user: who.login.user.as_str().into(),
        device_type: request.device_type.as_str().into(),
        user_agent: cut(who.user_agent()).into(),
        version: request.version.tenths(),
        policy_key: request.policy_key,
        at,
        success: false,
        active: false,
        proven: None,
        state: None,
        told: None,
    }
}

/// As much of a text as a record keeps.
fn cut(text: &str) -> &str {
    text.get(..text.floor_char_boundary(MAX_TEXT)).unwrap_or("")
}

/// How exactly times are kept: a phone that is served all day changes its record four times an hour.
const GRAIN: Duration = Duration::from_mins(15);

/// News that waits: 8,000 phones that come at once, a quarter of a second's.
const QUEUE: usize = 8192;

/// Octets of a text. What clients send has fewer than 100.
const MAX_TEXT: usize = 128;
