//! One session that has to end or to change: what its NAS is asked, and what follows from the answer.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::access::Correlation;
use crate::access::Decided;
use crate::access::OwnedSubject;
use crate::model::Established;
use crate::model::MacAddress;
use crate::model::Now;
use crate::model::Verdict;
use crate::network::Settings;
use crate::network::admission::Admission;
use crate::network::admission::PeerIdentity;
use crate::network::reaction::Reaction;
use crate::radius::AttributeType;
use crate::radius::ErrorCause;
use crate::radius::MAX_PACKET;
use crate::radius::Nas;
use crate::radius::RequestBuilder;
use crate::radius::Transport;
use crate::radius::Values;

/// Who is meant, and how far it has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Errand {
    pub(super) number: Correlation,
    pub(super) step: Step,
    /// How often the NAS was left alone for a while.
    pub(super) rounds: u8,
}

/// What is asked next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Step {
    /// What is configured for the NAS's group.
    First,
    /// A Disconnect-Request.
    Disconnect,
    /// The same with as little as names a session.
    Less,
}

/// What a request is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A Disconnect-Request, and whether it can say less than it does.
    Disconnect { can_say_less: bool },
    /// A CoA-Request that makes the device come anew.
    Command,
    /// A CoA-Request that gives it another access.
    Push(Established),
}

impl Kind {
    /// As records call it.
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Disconnect { .. } => "disconnect",
            Self::Command | Self::Push(_) => "coa",
        }
    }
}

/// A session as it is when it is asked to end; it may be gone when the answer comes.
pub(super) struct Session {
    pub(super) subject: OwnedSubject,
    pub(super) nas: Arc<Nas>,
    pub(super) address: IpAddr,
    pub(super) peer: PeerIdentity,
    given: Verdict,
    established: Established,
}

impl Session {
    pub(super) fn of(admission: &Admission, settings: &Settings) -> Self {
        Self {
            subject: admission.permit.subject().clone(),
            nas: Arc::clone(nas_today(admission, settings)),
            address: admission.address,
            peer: admission.peer.clone(),
            given: admission.granted,
            established: admission.established,
        }
    }

    pub(super) fn station(&self) -> Option<MacAddress> {
        let station = self.peer.find(AttributeType::CALLING_STATION_ID);
        station.and_then(MacAddress::parse)
    }

    /// The request for a step, and what it is; `None` if it cannot be written.
    pub(super) fn request(
        &self,
        now: Now,
        settings: &Settings,
        (step, decided, id): (Step, &Decided, Correlation),
        identifier: u8,
    ) -> Option<(Kind, Vec<u8>)> {
        let enforcement = &settings.enforcement;
        let group = self.nas.group();
        let reactions = &enforcement.of(group).reactions;
        let verdict = decided.decision.verdict;
        let reaction = match verdict {
            Verdict::Block => &reactions.blocked,
            Verdict::Allow | Verdict::Quarantine => &reactions.changed,
        };
        if step == Step::First {
            match reaction {
                Reaction::Disconnect => {}
                Reaction::Command(command) => {
                    let octets = self.coa(now, identifier, |request| {
                        request.prepared(command, Values::default);
                    });
                    // One that does not fit is followed by one that does.
                    if let Some(octets) = octets {
                        return Some((Kind::Command, octets));
                    }
                }
                Reaction::Push => {
                    let credential = self.subject.with(|subject| subject.credential);
                    let profile = |verdict, established| {
                        enforcement.profile(group, verdict, established, credential)
                    };
                    let before = profile(self.given, self.established);
                    let next = profile(verdict, decided.seen.established);
                    if before.becomes(next) {
                        let octets = self.coa(now, identifier, |request| {
                            self.subject.with(|subject| {
                                request.prepared(&next.attributes, || Values {
                                    user: subject.user,
                                    mac: self.station(),
                                    reason: decided.decision.reason.name(),
                                    code: decided.decision.reason.code(),
                                    verdict: verdict.as_str(),
                                    nas: self.nas.name(),
                                    group,
                                    ssid: subject.nas.and_then(|nas| nas.ssid),
                                    decision: id.0,
                                });
                            });
                        });
                        if let Some(octets) = octets {
                            return Some((Kind::Push(decided.seen.established), octets));
                        }
                    }
                }
            }
        }
        let mut buffer = [0; MAX_PACKET];
        let secret = self.nas.dynamic_secret();
        let mut request = RequestBuilder::disconnect_request(&mut buffer, identifier, secret);
        timestamp(&mut request, now);
        let is_less = step == Step::Less;
        for (kind, value) in &self.peer.attributes {
            if !is_less || NAMES_A_SESSION.contains(kind) {
                request.octets(*kind, value);
            }
        }
        let octets = request.finish().ok()?.to_vec();
        let can_say_less = !is_less && self.can_say_less();
        Some((Kind::Disconnect { can_say_less }, octets))
    }

    fn coa(
        &self,
        now: Now,
        identifier: u8,
        add: impl FnOnce(&mut RequestBuilder<'_, '_>),
    ) -> Option<Vec<u8>> {
        let mut buffer = [0; MAX_PACKET];
        let secret = self.nas.dynamic_secret();
        let mut request = RequestBuilder::coa_request(&mut buffer, identifier, secret);
        timestamp(&mut request, now);
        for (kind, value) in &self.peer.attributes {
            request.octets(*kind, value);
        }
        add(&mut request);
        request.finish().ok().map(<[u8]>::to_vec)
    }

    /// Whether something names the session even without the rest.
    fn can_say_less(&self) -> bool {
        let mut names = NAMES_A_SESSION.iter();
        names.any(|kind| self.peer.find(*kind).is_some()) && self.peer.attributes.len() > 1
    }
}

/// The NAS that somebody is at as it is configured now: a reload may have brought another secret or
/// port.
pub(super) fn nas_today<'a>(admission: &'a Admission, settings: &'a Settings) -> &'a Arc<Nas> {
    let known = settings.nas.find(admission.address);
    let same = |nas: &&Arc<Nas>| {
        admission.nas.transport() == Transport::Udp && nas.name() == admission.nas.name()
    };
    known.filter(same).unwrap_or(&admission.nas)
}

fn timestamp(request: &mut RequestBuilder<'_, '_>, now: Now) {
    let seconds = u32::try_from(now.wall.unix_seconds()).unwrap_or(u32::MAX);
    request.integer(AttributeType::EVENT_TIMESTAMP, seconds);
}

/// What is done about a session after an answer, or after none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// It is over.
    Ended,
    /// It has another access now; how its device is established.
    Changed(Established),
    /// Its device comes anew within [`COMES_ANEW`]; if it does not, this step follows.
    Awaited(Step),
    /// This step follows at once.
    Ask(Step),
    /// The same is asked again when some time has passed.
    Later(Step),
    /// The NAS does not end it: it stays until its next change.
    Stays,
}

/// What an acknowledgement means.
pub(super) const fn acknowledged(kind: Kind) -> Next {
    match kind {
        Kind::Disconnect { .. } => Next::Ended,
        Kind::Command => Next::Awaited(Step::Disconnect),
        Kind::Push(established) => Next::Changed(established),
    }
}

/// What a refusal means (RFC 5176 section 3.5).
pub(super) const fn refused(kind: Kind, step: Step, cause: ErrorCause) -> Next {
    if cause.means_ended() {
        return Next::Ended;
    }
    if cause.means_later() {
        return Next::Later(step);
    }
    match kind {
        // Whatever it is that the NAS cannot do: everybody can end a session.
        Kind::Command | Kind::Push(_) => Next::Ask(Step::Disconnect),
        Kind::Disconnect { can_say_less: true } if cause.means_less() => Next::Ask(Step::Less),
        Kind::Disconnect { .. } => Next::Stays,
    }
}

/// What silence means: a NAS may drop what it does not know, so the plainest request is next.
pub(super) const fn unanswered(kind: Kind, step: Step) -> Next {
    match kind {
        Kind::Disconnect { .. } => Next::Later(step),
        Kind::Command | Kind::Push(_) => Next::Ask(Step::Disconnect),
    }
}

/// What is left of a session's names when a NAS stumbles over the others.
const NAMES_A_SESSION: [AttributeType; 2] = [
    AttributeType::CALLING_STATION_ID,
    AttributeType::ACCT_SESSION_ID,
];

/// Within this a device that was told to authenticate again has done so: EAP takes some seconds, a
/// port that bounces ten more.
pub(super) const COMES_ANEW: Duration = Duration::from_secs(30);

/// How long a NAS is left alone that did not answer, or could not do it now: half a minute, and four
/// times as long each time. A switch that restarts is back by then.
pub(super) fn pause(rounds: u8) -> Duration {
    Duration::from_secs(30).saturating_mul(4_u32.saturating_pow(u32::from(rounds)))
}

/// After so many pauses, ten minutes in all, it is given up.
pub(super) const MAX_ROUNDS: u8 = 3;

#[cfg(test)]
mod tests {
    use super::*;

    /// Each Error-Cause, and what is done about a session.
    #[test]
    fn refusals_table_rfc5176_3_5() {
        let disconnect = Kind::Disconnect { can_say_less: true };
        let least = Kind::Disconnect {
            can_say_less: false,
        };
        let (first, less) = (Step::First, Next::Ask(Step::Less));
        for (cause, of_disconnect, of_least) in [
            (0, Next::Stays, Next::Stays),
            (201, Next::Ended, Next::Ended),
            (401, less, Next::Stays),
            (402, Next::Stays, Next::Stays),
            (403, less, Next::Stays),
            (404, less, Next::Stays),
            (405, Next::Stays, Next::Stays),
            (406, Next::Stays, Next::Stays),
            (407, less, Next::Stays),
            (501, Next::Stays, Next::Stays),
            (502, Next::Later(first), Next::Later(first)),
            (503, Next::Ended, Next::Ended),
            (504, Next::Stays, Next::Stays),
            (505, Next::Later(first), Next::Later(first)),
            (506, Next::Later(first), Next::Later(first)),
            (507, Next::Stays, Next::Stays),
            (508, less, Next::Stays),
        ] {
            let cause = ErrorCause(cause);
            assert_eq!(
                refused(disconnect, first, cause),
                of_disconnect,
                "row {cause}"
            );
            assert_eq!(refused(least, first, cause), of_least, "row {cause}");
            let of_coa = match of_disconnect {
                Next::Ended | Next::Later(_) => of_disconnect,
                Next::Changed(_) | Next::Awaited(_) | Next::Ask(_) | Next::Stays => {
                    Next::Ask(Step::Disconnect)
                }
            };
            assert_eq!(refused(Kind::Command, first, cause), of_coa, "row {cause}");
        }
    }

    #[test]
    fn pauses_grow_to_minutes() {
        let pauses: Vec<_> = (0..MAX_ROUNDS)
            .map(|rounds| pause(rounds).as_secs())
            .collect();
        assert_eq!(pauses, [30, 120, 480]);
    }
}
