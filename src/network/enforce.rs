//! From a verdict to attributes: VLAN, filter, role, time limit, message.

use std::collections::HashMap;
use std::time::Duration;

use crate::access::Correlation;
use crate::access::Decided;
use crate::model::Credential;
use crate::model::Decision;
use crate::model::Established;
use crate::model::Timestamp;
use crate::model::Verdict;
use crate::network::charging::Identity;
use crate::network::context::Context;
use crate::network::reaction::Reactions;
use crate::radius::AttributeType;
use crate::radius::Nas;
use crate::radius::Prepared;
use crate::radius::Reply;
use crate::radius::Salt;
use crate::radius::Values;

/// What a NAS is told for one outcome.
#[derive(Clone, Debug, Default)]
pub struct Profile {
    /// Attributes in the order of the configuration.
    pub attributes: Prepared,
    /// After this time the NAS asks again.
    pub session_timeout: Option<Duration>,
    /// The same where the NAS cannot be told of a change (RFC 5176): the earlier one counts.
    pub recheck: Option<Duration>,
    /// Shown to the user by methods that can; never sent with EAP (RFC 3579 section 2.6.5).
    pub reply_message: Option<String>,
    /// Whether the devices take all that it says in a CoA-Request too.
    pub in_coa: bool,
}

/// The profiles of one NAS group.
#[derive(Clone, Debug, Default)]
pub struct Profiles {
    /// Allow, for whoever has shown a device's certificate.
    pub allow: Profile,
    /// Allow, for a device that is merely claimed, or not known at all: what MAC authentication
    /// bypass can get, and what a password can.
    pub allow_claimed: Profile,
    /// Quarantine.
    pub quarantine: Profile,
    /// Block; only the message is used, an Access-Reject carries nothing else.
    pub block: Profile,
    /// What is asked of a NAS when the verdict about somebody changes.
    pub reactions: Reactions,
}

/// The profiles of every NAS group.
#[derive(Clone, Debug, Default)]
pub struct Enforcement {
    /// For groups without profiles of their own.
    pub default: Profiles,
    /// By group name.
    pub groups: HashMap<String, Profiles>,
}

impl Enforcement {
    /// The profiles of a group.
    #[must_use]
    pub fn of(&self, group: &str) -> &Profiles {
        self.groups.get(group).unwrap_or(&self.default)
    }

    /// The profile that carries out `verdict` for a device so established, with a user who
    /// proved so much.
    #[must_use]
    pub fn profile(
        &self,
        group: &str,
        verdict: Verdict,
        established: Established,
        credential: Credential,
    ) -> &Profile {
        let profiles = self.of(group);
        // A password proves a user and no device, known or not; who proves nothing has no more.
        let proven = match credential {
            Credential::Certificate => established != Established::Claimed,
            Credential::None | Credential::Password => established == Established::Proven,
        };
        match verdict {
            Verdict::Allow if proven => &profiles.allow,
            Verdict::Allow => &profiles.allow_claimed,
            Verdict::Quarantine => &profiles.quarantine,
            Verdict::Block => &profiles.block,
        }
    }

    /// The Session-Timeout in seconds that somebody is given whom `decided` lets in at `nas`.
    pub(super) fn limit(&self, nas: &Nas, decided: &Decided, now: Timestamp) -> Option<u32> {
        let (decision, seen) = (&decided.decision, &decided.seen);
        let (verdict, established) = (decision.verdict, seen.established);
        let profile = self.profile(nas.group(), verdict, established, seen.credential);
        session_timeout(profile, nas, decision, now)
    }
}

/// What an Access-Accept is about.
pub(super) struct Accepted<'a> {
    pub(super) decision: &'a Decision,
    pub(super) id: Correlation,
    /// Whether that number leads anybody to a record: only then the NAS gets it as a Class.
    pub(super) on_record: bool,
    /// The authenticated user.
    pub(super) user: Option<&'a str>,
    pub(super) context: &'a Context,
    pub(super) nas: &'a Nas,
    /// `None` where it is not asked for, and where the user has one already.
    pub(super) charged: Option<Identity>,
}

impl<'a> Accepted<'a> {
    /// What attributes with variables may name.
    fn values(&self) -> Values<'a> {
        let context = self.context.nas(self.nas);
        Values {
            user: self.user,
            mac: self.context.station,
            reason: self.decision.reason.name(),
            code: self.decision.reason.code(),
            verdict: self.decision.verdict.as_str(),
            nas: context.name,
            group: context.group,
            ssid: context.ssid,
            decision: self.id.0,
        }
    }
}

/// Writes a profile into an Access-Accept: its attributes, the time limit, a Class by which
/// accounting finds the decision, and the identity for charging where it is asked for.
pub(super) fn write(
    reply: &mut Reply<'_, '_>,
    profile: &Profile,
    accepted: &Accepted<'_>,
    now: Timestamp,
    random: fn(&mut [u8]),
) {
    let salt = || {
        let mut octets = [0; 2];
        random(&mut octets);
        Salt::new(u16::from_ne_bytes(octets))
    };
    reply.prepared(&profile.attributes, || accepted.values(), salt);
    let limit = session_timeout(profile, accepted.nas, accepted.decision, now);
    write_limit(reply, limit, accepted.on_record.then_some(accepted.id));
    if let Some(identity) = &accepted.charged {
        reply.octets(AttributeType::CHARGEABLE_USER_IDENTITY, identity);
    }
}

/// Writes the time limit, if there is one, and the Class of a decision.
pub(super) fn write_limit(reply: &mut Reply<'_, '_>, limit: Option<u32>, id: Option<Correlation>) {
    /// The NAS is to ask again, not to end the session (RFC 2865 section 5.29).
    const RADIUS_REQUEST: u32 = 1;
    if let Some(seconds) = limit {
        reply.integer(AttributeType::SESSION_TIMEOUT, seconds);
        reply.integer(AttributeType::TERMINATION_ACTION, RADIUS_REQUEST);
    }
    if let Some(id) = id {
        reply.octets(AttributeType::CLASS, &class(id));
    }
}

/// `portreeve:` and the decision's number.
fn class(id: Correlation) -> [u8; CLASS_OCTETS] {
    let mut class = [0; CLASS_OCTETS];
    let (prefix, number) = class.split_at_mut(CLASS_PREFIX.len());
    prefix.copy_from_slice(CLASS_PREFIX);
    number.copy_from_slice(&id.0.to_be_bytes());
    class
}

/// The decision that a Class attribute names, if it is one of ours.
pub(super) fn decision_of(class: &[u8]) -> Option<Correlation> {
    let number = class.strip_prefix(CLASS_PREFIX)?;
    number
        .try_into()
        .ok()
        .map(u64::from_be_bytes)
        .map(Correlation)
}

const CLASS_PREFIX: &[u8] = b"portreeve:";
const CLASS_OCTETS: usize = CLASS_PREFIX.len() + 8;

/// Session-Timeout in seconds: the profile's, or earlier if a fact behind the decision expires, or
/// if the NAS has to ask again because nobody can tell it of a change.
///
/// A fact that expires within the minute is given a minute: asking again costs a NAS more than
/// the minute is worth.
pub(super) fn session_timeout(
    profile: &Profile,
    nas: &Nas,
    decision: &Decision,
    now: Timestamp,
) -> Option<u32> {
    let expiry = decision.revisit.map(|at| at.since(now).max(SHORTEST));
    let recheck = match nas.dynamic_authorization() {
        Some(_) => None,
        None => profile.recheck,
    };
    let limit = earlier(earlier(profile.session_timeout, expiry), recheck)?;
    Some(u32::try_from(limit.as_secs()).unwrap_or(u32::MAX))
}

fn earlier(one: Option<Duration>, other: Option<Duration>) -> Option<Duration> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}

const SHORTEST: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use crate::model::Reason;
    use crate::model::Secret;
    use crate::radius::MessageAuthenticatorPolicy;
    use crate::radius::NasConfig;
    use crate::radius::NasTable;

    use super::*;

    fn nas(dynamic_authorization: Option<u16>) -> Arc<Nas> {
        let network = "192.0.2.1/32".parse().unwrap();
        let config = NasConfig {
            name: "ap".to_owned(),
            group: "office".to_owned(),
            network,
            secret: Secret::new(b"0123456789abcdef".to_vec()),
            message_authenticator: MessageAuthenticatorPolicy::Require,
            accounting: true,
            dynamic_authorization: dynamic_authorization.map(Into::into),
        };
        let table = NasTable::new(vec![config]).unwrap();
        Arc::clone(table.iter().next().unwrap())
    }

    #[test]
    fn the_earlier_of_profile_and_expiry_limits_a_session() {
        let now = Timestamp::from_unix_seconds(1_000);
        let profile = |seconds: Option<u64>| Profile {
            session_timeout: seconds.map(Duration::from_secs),
            ..Profile::default()
        };
        let decision = |expiry: Option<i64>| Decision {
            revisit: expiry.map(Timestamp::from_unix_seconds),
            ..Decision::new(Verdict::Allow, Reason::RequirementsMet)
        };
        for (configured, expiry, expected) in [
            (None, None, None),
            (Some(3600), None, Some(3600)),
            (None, Some(1_500), Some(500)),
            (Some(3600), Some(1_500), Some(500)),
            (Some(300), Some(1_500), Some(300)),
            (None, Some(1_001), Some(60)),
            (None, Some(900), Some(60)),
        ] {
            let (profile, decision) = (profile(configured), decision(expiry));
            for (port, recheck) in [(None, None), (Some(3799), None), (None, Some(400))] {
                let profile = Profile {
                    recheck: Some(Duration::from_secs(recheck.unwrap_or(100_000).into())),
                    ..profile.clone()
                };
                let limit = session_timeout(&profile, &nas(port), &decision, now);
                let recheck = recheck.or_else(|| port.is_none().then_some(100_000));
                let expected = [expected, recheck].into_iter().flatten().min();
                assert_eq!(limit, expected, "row {configured:?} {expiry:?} {port:?}");
            }
        }
    }

    #[test]
    fn a_class_leads_back_to_its_decision() {
        let id = Correlation(0x0123_4567_89ab_cdef);
        assert_eq!(decision_of(&class(id)), Some(id));
        for foreign in [
            &b""[..],
            b"portreeve:",
            b"portreeve:123456789",
            b"other:12345678",
        ] {
            assert_eq!(decision_of(foreign), None, "row {foreign:?}");
        }
    }

    #[test]
    fn a_claimed_device_never_gets_the_profile_of_a_proven_one() {
        let named = |name: &str| Profile {
            reply_message: Some(name.to_owned()),
            ..Profile::default()
        };
        let enforcement = Enforcement {
            default: Profiles {
                allow: named("allow"),
                allow_claimed: named("limited"),
                quarantine: named("quarantine"),
                block: named("block"),
                ..Profiles::default()
            },
            groups: HashMap::from([("lab".to_owned(), Profiles::default())]),
        };
        let (cert, none) = (Credential::Certificate, Credential::None);
        let word = Credential::Password;
        for (group, verdict, established, credential, expected) in [
            (
                "office",
                Verdict::Allow,
                Established::Proven,
                cert,
                Some("allow"),
            ),
            (
                "office",
                Verdict::Allow,
                Established::None,
                cert,
                Some("allow"),
            ),
            (
                "office",
                Verdict::Allow,
                Established::None,
                none,
                Some("limited"),
            ),
            (
                "office",
                Verdict::Allow,
                Established::Claimed,
                none,
                Some("limited"),
            ),
            (
                "office",
                Verdict::Allow,
                Established::None,
                word,
                Some("limited"),
            ),
            (
                "office",
                Verdict::Allow,
                Established::Claimed,
                word,
                Some("limited"),
            ),
            (
                "office",
                Verdict::Allow,
                Established::Proven,
                word,
                Some("allow"),
            ),
            (
                "office",
                Verdict::Quarantine,
                Established::Claimed,
                none,
                Some("quarantine"),
            ),
            (
                "office",
                Verdict::Block,
                Established::Proven,
                cert,
                Some("block"),
            ),
            ("lab", Verdict::Allow, Established::Proven, cert, None),
        ] {
            let profile = enforcement.profile(group, verdict, established, credential);
            let row = format!("row {group} {verdict} {established} {credential}");
            assert_eq!(profile.reply_message.as_deref(), expected, "{row}");
        }
    }
}
