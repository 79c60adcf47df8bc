//! Policies that shut a door to everybody, whatever conditions they seem to have.

use super::lockout::known_platforms;
use crate::model::Credential;
use crate::model::Established;
use crate::model::Medium;
use crate::model::Ownership;
use crate::model::Plane;
use crate::model::Verdict;
use crate::policy::condition::Client;
use crate::policy::condition::Texts;
use crate::policy::condition::When;
use crate::policy::conditional::ConditionalPolicy;
use crate::policy::conditional::State;
use crate::policy::conditional::Then;
use crate::policy::groups::GroupBits;
use crate::policy::set::Policy;
use crate::policy::words::Set;

/// What a policy shuts.
pub(super) struct Shut {
    doors: Set<Plane>,
    /// Everybody in these groups; `None` for everybody.
    groups: Option<GroupBits>,
    /// Whether they are held back and not refused.
    in_quarantine: bool,
    /// The first of its conditions, all of which hold for everybody.
    condition: Option<&'static str>,
}

/// Who comes.
#[derive(Clone, Copy)]
struct Comers<'a> {
    /// The doors that are looked at.
    doors: Set<Plane>,
    /// The versions of their protocol that mail clients speak.
    spoken: &'a [u8],
    /// Whether somebody can prove the device.
    proven: bool,
}

impl Shut {
    /// What the policy shuts, whatever version of the protocol mail clients speak.
    pub(super) fn anyway(policy: &Policy, rule: &ConditionalPolicy) -> Option<Self> {
        Self::of(policy, rule, &every_version())
    }

    /// What the policy shuts, if mail clients speak no other versions of the protocol than these.
    pub(super) fn of(policy: &Policy, rule: &ConditionalPolicy, spoken: &[u8]) -> Option<Self> {
        let comers = Comers {
            doors: rule.planes,
            spoken,
            proven: true,
        };
        Self::to(policy, rule, comers)
    }

    /// What of these doors the policy shuts, if nobody has a certificate to show there.
    pub(super) fn unproven(
        policy: &Policy,
        rule: &ConditionalPolicy,
        doors: Set<Plane>,
    ) -> Option<Self> {
        let shut = |door: Plane| {
            let comers = Comers {
                doors: [door].into_iter().collect(),
                spoken: &every_version(),
                proven: false,
            };
            Self::to(policy, rule, comers)
        };
        let doors = doors.intersection(rule.planes).iter().filter_map(shut);
        doors.reduce(|first, other| Self {
            doors: first.doors.union(other.doors),
            ..first
        })
    }

    fn to(policy: &Policy, rule: &ConditionalPolicy, comers: Comers<'_>) -> Option<Self> {
        let in_quarantine = match rule.then {
            Then::Act(Verdict::Block) => false,
            Then::Act(Verdict::Quarantine) => true,
            Then::Act(Verdict::Allow) | Then::Require(_) => return None,
        };
        if !rule.targets.exempt.is_empty() {
            return None;
        }
        let (doors, condition) = met_by_all(&rule.when, comers)?;
        let groups = if rule.targets.targeted.everyone {
            None
        } else {
            Some(all_groups(policy, rule, doors)?)
        };
        Some(Self {
            doors,
            groups,
            in_quarantine,
            condition,
        })
    }

    /// Where in the policy to say so.
    pub(super) fn key(&self, key: &str) -> String {
        match self.condition {
            None => format!("{key}.action"),
            Some(name) => format!("{key}.when.{name}"),
        }
    }

    /// Who stays out where.
    pub(super) fn text(&self, policy: &Policy) -> String {
        let doors = self.doors.text();
        let (keeps, out) = if self.in_quarantine {
            ("holds", "back in quarantine")
        } else {
            ("keeps", "out")
        };
        let Some(groups) = &self.groups else {
            return format!("{keeps} everybody {out} at {doors}");
        };
        let names = policy.groups.names_in(groups);
        let word = if names.len() == 1 { "group" } else { "groups" };
        format!(
            "{keeps} everybody in the {word} {} {out} at {doors}, and [groups] declares no others",
            names.join(", ")
        )
    }

    /// Whether it has conditions at all.
    pub(super) const fn is_conditional(&self) -> bool {
        self.condition.is_some()
    }
}

fn every_version() -> [u8; Client::VERSIONS.len()] {
    Client::VERSIONS.map(|(_, tenths)| tenths)
}

/// The targeted groups, if they are all that the file declares, but for those who are let in anyway.
///
/// They may still be a few among many who are in none of them: those to be kept out. So it counts only
/// where nothing is about everybody, and where another policy would let these groups in or whoever is in
/// none is not let in.
fn all_groups(policy: &Policy, rule: &ConditionalPolicy, doors: Set<Plane>) -> Option<GroupBits> {
    let targeted = &rule.targets.targeted.groups;
    let mut groups = GroupBits::default();
    for (position, _) in policy.groups.iter().enumerate() {
        if policy.break_glass.groups.contains(position) {
            continue;
        }
        if !targeted.contains(position) {
            return None;
        }
        groups.insert(position);
    }
    let counting = || {
        let rules = policy.conditional.iter();
        rules.filter(|other| other.state == State::On)
    };
    let somebody_else = counting().any(|other| other.targets.targeted.everyone)
        || policy
            .compliance
            .iter()
            .any(|one| one.targets.targeted.everyone);
    let let_in_otherwise = counting().any(|other| {
        !matches!(other.then, Then::Act(Verdict::Quarantine | Verdict::Block))
            && !other.planes.intersection(doors).is_empty()
            && other.targets.targeted.groups.intersects(&groups)
    });
    let is_meant = !let_in_otherwise && policy.defaults.not_targeted == Verdict::Allow;
    (!groups.is_empty() && !somebody_else && !is_meant).then_some(groups)
}

/// Whether every condition holds for every mail client.
pub(super) fn meets_all_mail(when: &When) -> bool {
    let comers = Comers {
        doors: [Plane::Mail].into_iter().collect(),
        spoken: &every_version(),
        proven: true,
    };
    met_by_all(when, comers).is_some()
}

/// The doors at which every condition holds for everybody, and the first condition; `None` if one
/// does not.
fn met_by_all(when: &When, comers: Comers<'_>) -> Option<(Set<Plane>, Option<&'static str>)> {
    if when.nas_groups.is_some() || when.ssids.is_some() || when.apps.is_some() {
        return None;
    }
    let only = |plane| [plane].into_iter().collect::<Set<Plane>>();
    let mut doors = comers.doors;
    if when.media.is_some() {
        doors = doors.intersection(only(Plane::Network));
    }
    if when.client.is_some() {
        doors = doors.intersection(only(Plane::Mail));
    }
    // A mail client always has a DeviceId and a user, and a browser claims no device.
    let is_mail = doors == only(Plane::Mail);
    let is_web = doors == only(Plane::Web);
    let comes = |how: &Established| match how {
        Established::None => !is_mail,
        Established::Claimed => !is_web,
        Established::Proven => comers.proven,
    };
    let established: Set<Established> = Set::all().iter().filter(comes).collect();
    let mut credentials: Set<Credential> = Set::all();
    if is_mail {
        credentials = credentials.without([Credential::None].into_iter().collect());
    }
    let media: Set<Medium> = [Medium::Wired, Medium::Wireless, Medium::Vpn]
        .into_iter()
        .collect();
    let of_all = [
        (
            "platforms",
            when.platforms.map(|some| some.covers(known_platforms())),
        ),
        ("media", when.media.map(|some| some.covers(media))),
        (
            "established",
            when.established.map(|some| some.covers(established)),
        ),
        (
            "credentials",
            when.credentials.map(|some| some.covers(credentials)),
        ),
        (
            "ownership",
            when.ownership
                .map(|some| some.covers(Set::<Ownership>::all())),
        ),
    ];
    let of_clients = when
        .client
        .as_deref()
        .map(|client| of_client(client, comers.spoken));
    let configured = || of_all.iter().chain(of_clients.iter().flatten());
    let mut configured = configured().filter_map(|(name, held)| Some((*name, (*held)?)));
    let first = configured.clone().next().map(|(name, _)| name);
    (!doors.is_empty() && configured.all(|(_, held)| held)).then_some((doors, first))
}

/// Whether every mail client meets these conditions; `None` of one that is not configured.
fn of_client(client: &Client, spoken: &[u8]) -> [(&'static str, Option<bool>); 8] {
    let every = |texts: &Option<Texts>| {
        let texts = texts.as_ref()?;
        let with = texts.with.as_deref().unwrap_or_default();
        Some(texts.without.is_empty() && with.iter().any(|glob| glob.matches_all()))
    };
    let versions = client.versions.as_deref();
    [
        ("device_types", every(&client.device_types)),
        ("models", every(&client.models)),
        ("user_agents", every(&client.user_agents)),
        ("os_below", client.os_below.map(|_| false)),
        (
            "protocol_versions",
            versions.map(|some| spoken.iter().all(|version| some.contains(version))),
        ),
        ("commands", client.commands.map(|some| some.are_all())),
        ("devices_over", client.devices_over.map(|_| false)),
        ("inactive_for", client.inactive_for.map(|_| false)),
    ]
}
