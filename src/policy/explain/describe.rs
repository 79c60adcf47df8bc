//! What was seen and what was wanted, as text.

use std::fmt::Display;

use super::CheckExplanation;
use super::client;
use super::text::age;
use super::text::any_of;
use super::text::joins;
use super::text::key;
use super::text::max_threat;
use super::text::min_os;
use super::text::names;
use super::text::nothing;
use super::text::or_unknown;
use super::text::result;
use super::text::version;
use crate::model::ComplianceState;
use crate::model::Fact;
use crate::model::Platform;
use crate::model::PolicyId;
use crate::model::Posture;
use crate::model::SourceId;
use crate::model::Timestamp;
use crate::model::Tri;
use crate::policy::availability::Age;
use crate::policy::compliance::CompliancePolicy;
use crate::policy::compliance::Dated;
use crate::policy::compliance::Health;
use crate::policy::compliance::Setting;
use crate::policy::compliance::effective_state;
use crate::policy::condition::Condition;
use crate::policy::condition::When;
use crate::policy::conditional::ConditionalPolicy;
use crate::policy::conditional::Requirement;
use crate::policy::facts::DeviceFacts;
use crate::policy::facts::Facts;
use crate::policy::set::Policy;
use crate::policy::targeting::Audience;
use crate::policy::targeting::Membership;
use crate::policy::targeting::Targets;
use crate::policy::trace::Check;
use crate::policy::trace::Checked;
use crate::policy::trace::Finding;
use crate::policy::trace::Gate;
use crate::policy::trace::Trace;
use crate::policy::words::Word;
use crate::policy::words::either;

/// Puts the findings of one evaluation into words.
pub(super) struct Describe<'e> {
    pub(super) policy: &'e Policy,
    pub(super) facts: &'e Facts<'e>,
    source_name: &'e dyn Fn(SourceId) -> Option<String>,
    trace: &'e Trace,
    member: Membership<'e>,
}

impl<'e> Describe<'e> {
    pub(super) fn new(
        policy: &'e Policy,
        facts: &'e Facts<'e>,
        source_name: &'e dyn Fn(SourceId) -> Option<String>,
        trace: &'e Trace,
    ) -> Self {
        Self {
            policy,
            facts,
            source_name,
            trace,
            member: Membership::of(facts, &policy.groups),
        }
    }

    pub(super) const fn policy(&self) -> &'e Policy {
        self.policy
    }

    /// `alice@contoso.com at network, credential certificate; device 0f8f… (ios 17.1), proven`.
    pub(super) fn subject(&self) -> String {
        let named = self.facts.user.is_none_or(|user| user.presented.is_some());
        let user = if named {
            self.user()
        } else {
            format!("{}, the device's owner by the inventory,", self.user())
        };
        let device = match self.facts.device {
            DeviceFacts::Known { posture, .. } => {
                format!("device {} ({})", posture.device, version(posture))
            }
            DeviceFacts::Unknown => "unknown device".to_owned(),
            DeviceFacts::Ambiguous => "ambiguous device".to_owned(),
            DeviceFacts::OfAnotherUser => "device of another user".to_owned(),
        };
        format!(
            "{user} at {}, credential {}; {device}, {}",
            self.facts.plane, self.facts.credential, self.facts.established
        )
    }

    /// The user's own name, and the presented one if it is another.
    fn user(&self) -> String {
        let Some(user) = self.facts.user else {
            return "no user".to_owned();
        };
        let alias = user.presented.map(str::trim);
        match alias.filter(|alias| !alias.eq_ignore_ascii_case(user.name)) {
            Some(alias) => format!("{} (as {alias})", user.name),
            None => user.name.to_owned(),
        }
    }

    pub(super) fn check(&self, found: &Checked, one_of: bool) -> CheckExplanation {
        let id = found.policy;
        let conditional = id.and_then(|id| self.conditional(id));
        let compliance = id.and_then(|id| self.policy.compliance.get(usize::from(id.0)));
        let (seen, wanted) = match (found.check, conditional, compliance) {
            (Check::Gate(gate), _, _) => self.gate(gate),
            (check, Some(conditional), _) => self.access(conditional, check),
            (check, None, Some(compliance)) => self.compliance(compliance, check),
            (_, None, None) => nothing(),
        };
        CheckExplanation {
            check: key(found.check),
            one_of,
            seen,
            wanted,
            result: result(found.finding),
        }
    }

    fn conditional(&self, id: PolicyId) -> Option<&'e ConditionalPolicy> {
        let position = usize::from(id.0).checked_sub(self.policy.compliance.len())?;
        self.policy.conditional.get(position)
    }

    fn gate(&self, gate: Gate) -> (String, String) {
        match gate {
            Gate::BreakGlass => {
                let audience = &self.policy.break_glass;
                (self.membership(&[audience]), self.audience(audience))
            }
            Gate::UserEnabled => (
                self.facts.user.map_or_else(String::new, |user| {
                    self.fact(&user.enabled, &user.enabled.value)
                }),
                "yes or unknown".to_owned(),
            ),
            Gate::UserKnown => {
                let known = self.facts.user.is_some_and(|user| user.known);
                let floor = self.policy.defaults.unknown_user.word();
                (
                    Tri::from(known).to_string(),
                    format!("yes, else at least {floor}"),
                )
            }
            Gate::NotRetired => (
                self.posture(|posture| posture.retirement.as_str().to_owned()),
                "none".to_owned(),
            ),
        }
    }

    fn access(&self, policy: &ConditionalPolicy, check: Check) -> (String, String) {
        match check {
            Check::State => ("off".to_owned(), "on or report-only".to_owned()),
            Check::Plane => (self.facts.plane.to_string(), policy.planes.text()),
            Check::Target => self.target(&policy.targets),
            Check::Condition(condition) => self.condition(&policy.when, condition),
            Check::Requirement(requirement) => self.requirement(requirement),
            Check::AnyOf => any_of(policy),
            Check::Gate(_) | Check::Health(_) | Check::Outcome => nothing(),
        }
    }

    fn compliance(&self, policy: &CompliancePolicy, check: Check) -> (String, String) {
        match check {
            Check::Target => self.target(&policy.targets),
            Check::Condition(_) => (self.platform(), policy.platforms.unwrap_or_default().text()),
            Check::Health(setting) => self.setting(&policy.health, setting),
            Check::Gate(_)
            | Check::State
            | Check::Plane
            | Check::Requirement(_)
            | Check::AnyOf
            | Check::Outcome => nothing(),
        }
    }

    fn condition(&self, when: &When, condition: Condition) -> (String, String) {
        let nas = self.facts.nas.as_ref();
        let unstated = || "nothing stated".to_owned();
        match condition {
            Condition::Platform => (self.platform(), when.platforms.unwrap_or_default().text()),
            Condition::NasGroup => (
                nas.map_or_else(unstated, |nas| nas.group.to_owned()),
                names(&self.policy.nas_groups, when.nas_groups.as_ref()),
            ),
            Condition::Ssid => (
                nas.and_then(|nas| nas.ssid)
                    .map_or_else(unstated, str::to_owned),
                names(&self.policy.ssids, when.ssids.as_ref()),
            ),
            Condition::Medium => (
                nas.map_or_else(unstated, |nas| nas.medium.to_string()),
                when.media.unwrap_or_default().text(),
            ),
            Condition::App => (
                self.app(),
                when.apps.map_or_else(String::new, |apps| self.apps(apps)),
            ),
            Condition::Established => (
                self.facts.established.to_string(),
                when.established.unwrap_or_default().text(),
            ),
            Condition::Credential => (
                self.facts.credential.to_string(),
                when.credentials.unwrap_or_default().text(),
            ),
            Condition::Ownership => (
                self.posture(|posture| posture.ownership.to_string()),
                when.ownership.unwrap_or_default().text(),
            ),
            Condition::DeviceType
            | Condition::Model
            | Condition::UserAgent
            | Condition::OsBelow
            | Condition::ProtocolVersion
            | Condition::Command
            | Condition::DevicesOver
            | Condition::Inactive => when.client.as_deref().map_or_else(nothing, |client| {
                client::condition(client, self.facts, condition)
            }),
        }
    }

    fn requirement(&self, requirement: Requirement) -> (String, String) {
        let (seen, wanted) = match requirement {
            Requirement::Managed => (self.tri(|posture| &posture.managed), "yes"),
            Requirement::Registered => (self.tri(|posture| &posture.registered), "yes"),
            Requirement::Compliant => (self.compliant(), "yes"),
            Requirement::Proven => (self.facts.established.to_string(), "proven"),
            Requirement::DomainJoined => (self.join(), "hybrid or ad"),
            Requirement::EntraJoined => (self.join(), "entra or hybrid"),
            Requirement::EasActivated if self.facts.mail.is_none() => {
                ("no mail client".to_owned(), "yes, of mail clients")
            }
            Requirement::EasActivated => (
                self.tri(|posture| &posture.eas_activated),
                "yes, of mail clients",
            ),
            Requirement::ApprovedApp => {
                return (self.app(), self.app_names(self.policy.approved_apps));
            }
        };
        (seen, wanted.to_owned())
    }

    fn setting(&self, health: &Health, setting: Setting) -> (String, String) {
        match setting {
            Setting::Encrypted => (
                self.tri(|posture| &posture.encrypted),
                or_unknown("yes", health.encrypted),
            ),
            Setting::NotJailbroken => (
                self.posture(|posture| {
                    let jailbroken = &posture.jailbroken;
                    self.fact(jailbroken, &format_args!("jailbroken {}", jailbroken.value))
                }),
                or_unknown("jailbroken no", health.not_jailbroken),
            ),
            Setting::Passcode => (
                self.tri(|posture| &posture.passcode),
                or_unknown("yes", health.passcode),
            ),
            Setting::MinOs => (
                self.posture(|posture| {
                    self.dated(&version(posture), Dated::with_record(posture), None)
                }),
                min_os(health, self.facts.platform()),
            ),
            Setting::MaxThreat => (
                self.posture(|posture| self.fact(&posture.threat, &posture.threat.value)),
                max_threat(health),
            ),
            Setting::Join => (self.join(), joins(health)),
            Setting::SourceVerdict => (
                self.posture(|posture| self.state(posture)),
                "compliant or inGracePeriod".to_owned(),
            ),
        }
    }

    fn target(&self, targets: &Targets) -> (String, String) {
        let mut wanted = self.audience(&targets.targeted);
        if !targets.exempt.is_empty() {
            wanted = format!("{wanted}, and not {}", self.audience(&targets.exempt));
        }
        let mut seen = self.membership(&[&targets.targeted, &targets.exempt]);
        let mut unsure = targets.exempt.groups;
        unsure.retain(|position| {
            self.member.any().contains(position) && !self.member.sure().contains(position)
        });
        if !unsure.is_empty() {
            let names = self.policy.groups.names_in(&unsure).join(", ");
            seen = format!("{seen} (no exemption by {names}: the device is not proven)");
        }
        (seen, wanted)
    }

    /// Which of the groups that some audiences name the subject is in.
    fn membership(&self, audiences: &[&Audience]) -> String {
        let who = self.user();
        let mut common = *self.member.any();
        common.retain(|position| {
            audiences
                .iter()
                .any(|audience| audience.groups.contains(position))
        });
        if common.is_empty() {
            who
        } else {
            let names = self.policy.groups.names_in(&common).join(", ");
            let device = if self.facts.user.is_none() {
                ", device"
            } else {
                ""
            };
            format!("{who}{device} in {names}")
        }
    }

    fn audience(&self, audience: &Audience) -> String {
        if audience.everyone {
            return "all".to_owned();
        }
        let groups = self.policy.groups.names_in(&audience.groups);
        let users = audience.users.iter().map(|user| user.as_str());
        let names: Vec<&str> = groups.into_iter().chain(users).collect();
        if names.is_empty() {
            "nobody".to_owned()
        } else {
            either(names.into_iter())
        }
    }

    fn platform(&self) -> String {
        let platform = self.facts.platform();
        let stated = self.facts.posture().map(|posture| posture.platform);
        if platform == Platform::Unknown || stated == Some(platform) {
            platform.to_string()
        } else {
            let claimant = match self.facts.mail {
                Some(_) => "mail client",
                None => "VPN client",
            };
            format!("{platform} (claimed by the {claimant})")
        }
    }

    fn compliant(&self) -> String {
        let Some(posture) = self.facts.posture() else {
            return self.posture(|_| String::new());
        };
        let mut seen = self.state(posture);
        if !posture.compliance.is_known() {
            let managed = self.fact(&posture.managed, &posture.managed.value);
            seen = format!("{seen}, managed {managed}");
        }
        let other = match (posture.owner, &self.facts.user) {
            (Some(owner), Some(user)) => user.reference != Some(owner),
            (None, _) | (_, None) => false,
        };
        if other {
            seen.push_str(", computed for another user");
        }
        let mut reached = 0;
        for position in 0..self.policy.compliance.len() {
            let id = self.policy.compliance_id(position);
            let outcome = self
                .trace
                .of(id)
                .find(|found| found.check == Check::Outcome);
            let Some(found) = outcome.filter(|found| found.finding != Finding::NotApplied) else {
                continue;
            };
            reached += 1;
            let name = self.policy.name(id);
            seen = format!("{seen}, policy {name:?} {}", result(found.finding));
        }
        if reached == 0 {
            seen.push_str(", no compliance policy reaches it");
        }
        seen
    }

    fn state(&self, posture: &Posture) -> String {
        let effective = effective_state(posture, self.facts.now);
        let fact = &posture.compliance;
        match (fact.value, posture.grace_until) {
            (ComplianceState::InGracePeriod, Some(end)) if effective != fact.value => self.fact(
                fact,
                &format_args!("{effective} since its grace ended at {end}"),
            ),
            (ComplianceState::InGracePeriod, Some(end)) => {
                self.fact(fact, &format_args!("{effective} until {end}"))
            }
            _ => self.fact(fact, &effective),
        }
    }

    fn join(&self) -> String {
        self.posture(|posture| self.dated(&posture.join, Dated::with_directory(posture), None))
    }

    fn tri(&self, of: impl Fn(&Posture) -> &Fact<Tri>) -> String {
        self.posture(|posture| {
            let fact = of(posture);
            self.fact(fact, &fact.value)
        })
    }

    /// `text`, with who said it and how long ago.
    fn fact<T>(&self, fact: &Fact<T>, text: &dyn Display) -> String {
        self.dated(text, Dated::by(fact), Some(fact.source))
    }

    fn dated(&self, text: &dyn Display, dated: Dated, source: Option<SourceId>) -> String {
        let source = source
            .filter(|source| *source != SourceId::NONE)
            .map(|source| {
                let name = (self.source_name)(source);
                format!("source {}, ", name.unwrap_or_else(|| source.0.to_string()))
            });
        match dated {
            Dated::At(observed) => format!(
                "{text} ({}{} old{})",
                source.unwrap_or_default(),
                age(self.facts.now.since(observed)),
                self.worth(observed)
            ),
            Dated::Never | Dated::Unstated => format!("{text} (no source)"),
        }
    }

    fn worth(&self, observed: Timestamp) -> &'static str {
        let staleness = self.policy.availability.at(self.facts.plane);
        match staleness.age(observed, self.facts.now) {
            Age::Fresh => "",
            Age::Grace => ", in grace",
            Age::Stale => ", stale",
        }
    }

    /// What `text` says of the device's facts, or why there are none.
    fn posture(&self, text: impl Fn(&Posture) -> String) -> String {
        match self.facts.device {
            DeviceFacts::Known { posture, .. } => text(posture),
            DeviceFacts::Unknown => "unknown device".to_owned(),
            DeviceFacts::Ambiguous => "ambiguous device".to_owned(),
            DeviceFacts::OfAnotherUser => "device of another user".to_owned(),
        }
    }
}
