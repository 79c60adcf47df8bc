//! The answer to each requirement, from the device's facts; the same for every policy that asks.

use super::Evaluation;
use super::NEVER;
use crate::model::ComplianceState;
use crate::model::Established;
use crate::model::Join;
use crate::model::Posture;
use crate::model::Timestamp;
use crate::model::Tri;
use crate::policy::availability::Age;
use crate::policy::availability::Staleness;
use crate::policy::compliance::Dated;
use crate::policy::compliance::Health;
use crate::policy::compliance::Setting;
use crate::policy::compliance::effective_state;
use crate::policy::condition::Condition;
use crate::policy::conditional::Requirement;
use crate::policy::conditional::RequirementSet;
use crate::policy::facts::DeviceFacts;
use crate::policy::reason::Failure;
use crate::policy::reason::Failures;
use crate::policy::targeting::Targeting;
use crate::policy::trace::Check;
use crate::policy::trace::Finding;
use crate::policy::trace::Row;

/// How a requirement came out.
#[derive(Clone, Copy, Debug)]
pub(super) struct Answer {
    failures: Failures,
    /// The first moment at which a fact behind it is stale, or its grace period is over.
    until: Timestamp,
}

/// The answers that have been worked out; sets and lists, so that many policies that ask the same
/// cost little more than one.
#[derive(Debug)]
pub(super) struct Answers {
    known: RequirementSet,
    held: RequirementSet,
    stale: RequirementSet,
    failures: [Failures; Requirement::COUNT],
    until: [Timestamp; Requirement::COUNT],
}

impl Answers {
    pub(super) const fn new() -> Self {
        Self {
            known: RequirementSet::NONE,
            held: RequirementSet::NONE,
            stale: RequirementSet::NONE,
            failures: [Failures::NONE; Requirement::COUNT],
            until: [NEVER; Requirement::COUNT],
        }
    }

    pub(super) const fn known(&self) -> RequirementSet {
        self.known
    }

    pub(super) const fn held(&self) -> RequirementSet {
        self.held
    }

    /// Those that would hold if every fact were fresh.
    pub(super) const fn stale(&self) -> RequirementSet {
        self.stale
    }

    pub(super) const fn met_but_for_age(&self) -> RequirementSet {
        self.held.union(self.stale)
    }

    pub(super) fn failures(&self, of: RequirementSet) -> Failures {
        of.without(self.held)
            .iter()
            .map(|one| self.failures_of(one))
            .fold(Failures::NONE, Failures::union)
    }

    pub(super) fn failures_of(&self, requirement: Requirement) -> Failures {
        self.failures
            .get(requirement as usize)
            .copied()
            .unwrap_or_default()
    }

    /// The earliest moment at which one of the answers may change.
    pub(super) fn until(&self, of: RequirementSet) -> Timestamp {
        of.iter()
            .filter_map(|one| self.until.get(one as usize))
            .fold(NEVER, |until, one| until.min(*one))
    }

    fn keep(&mut self, requirement: Requirement, answer: Answer) {
        let place = requirement as usize;
        if let (Some(failures), Some(until)) =
            (self.failures.get_mut(place), self.until.get_mut(place))
        {
            *failures = answer.failures;
            *until = answer.until;
        }
        self.known = self.known.with(requirement);
        if answer.failures.is_empty() {
            self.held = self.held.with(requirement);
        } else if answer.is_met_but_for_age() {
            self.stale = self.stale.with(requirement);
        }
    }
}

impl Evaluation<'_> {
    /// Answers a requirement for the first time in this evaluation.
    #[cold]
    #[inline(never)]
    pub(super) fn work_out(&mut self, requirement: Requirement) {
        let answer = self.answer(requirement);
        self.answers.keep(requirement, answer);
    }

    fn answer(&mut self, requirement: Requirement) -> Answer {
        if requirement == Requirement::ApprovedApp {
            // Of mail applications: that of a VPN proves nothing by its name.
            let apps = self.seen.apps.filter(|_| self.facts.mail.is_some());
            let approved = apps.is_some_and(|apps| apps.intersects(self.policy.approved_apps));
            return Answer::held_or(approved, Failure::AppNotApproved);
        }
        if requirement == Requirement::EasActivated && self.facts.mail.is_none() {
            // Only a mail client can be activated; at other doors there is nothing to ask (R5).
            return Answer::HELD;
        }
        let Some(posture) = self.facts.posture() else {
            return Answer {
                failures: self.device_failure().map_or(Failures::NONE, Failures::one),
                until: self.pending_until().unwrap_or(NEVER),
            };
        };
        match requirement {
            Requirement::Managed => self.tri(
                posture.managed.value,
                Dated::by(&posture.managed),
                self.unenrolled(Failure::DeviceUnmanaged),
            ),
            Requirement::Registered => self.tri(
                posture.registered.value,
                Dated::by(&posture.registered),
                Failure::NotRegistered,
            ),
            Requirement::EasActivated => self.tri(
                posture.eas_activated.value,
                Dated::by(&posture.eas_activated),
                Failure::EasNotActivated,
            ),
            Requirement::DomainJoined => {
                self.joined(posture, &[Join::Hybrid, Join::ActiveDirectory])
            }
            Requirement::EntraJoined => self.joined(posture, &[Join::Entra, Join::Hybrid]),
            Requirement::Compliant => self.compliant(posture),
            Requirement::Proven | Requirement::ApprovedApp => Answer::held_or(
                self.facts.established == Established::Proven,
                Failure::NotProven,
            ),
        }
    }

    /// Why nothing is known of the device, if nothing is.
    pub(super) fn device_failure(&self) -> Option<Failure> {
        match self.facts.device {
            DeviceFacts::Known { .. } => None,
            DeviceFacts::Unknown => Some(match self.pending_until() {
                Some(_) => Failure::MappingPending,
                None => self.unenrolled(Failure::DeviceUnknown),
            }),
            DeviceFacts::Ambiguous => Some(Failure::DeviceAmbiguous),
            DeviceFacts::OfAnotherUser => Some(Failure::DeviceOfAnotherUser),
        }
    }

    /// Until when a mail client that no source knows may be one of a device whose source has not told
    /// of it yet (R37); `None` when it is not so, or not any more.
    pub(super) fn pending_until(&self) -> Option<Timestamp> {
        let pending = self.policy.defaults.mapping_pending?;
        let mail = self.facts.mail.as_ref()?;
        if !matches!(self.facts.device, DeviceFacts::Unknown)
            || self.unenrolled(Failure::DeviceUnknown) == Failure::CannotEnrol
        {
            return None;
        }
        let first_seen = mail.known.first_seen.unwrap_or(self.facts.now);
        let until = first_seen + pending.wait;
        (self.facts.now < until).then_some(until)
    }

    /// `failure`, unless the device is of a kind that no management system takes (R16).
    fn unenrolled(&self, failure: Failure) -> Failure {
        let cannot = &self.policy.defaults.cannot_enrol;
        let by_type = self.facts.mail.is_some_and(|mail| {
            cannot
                .mail_devices
                .iter()
                .any(|pattern| pattern.matches(mail.device_type))
        });
        if by_type || cannot.platforms.contains(self.seen.platform) {
            Failure::CannotEnrol
        } else {
            failure
        }
    }

    fn tri(&self, value: Tri, dated: Dated, failure: Failure) -> Answer {
        let mut answer = Answer::held_or(value == Tri::Yes, failure);
        if value != Tri::Unknown {
            self.date(&mut answer, dated);
        }
        answer
    }

    fn joined(&self, posture: &Posture, joins: &[Join]) -> Answer {
        let value = match posture.join {
            Join::Unknown => Tri::Unknown,
            join @ (Join::None
            | Join::Registered
            | Join::Entra
            | Join::Hybrid
            | Join::ActiveDirectory) => Tri::from(joins.contains(&join)),
        };
        self.tri(value, Dated::with_directory(posture), Failure::NotJoined)
    }

    /// The source's verdict and our own health policies together.
    fn compliant(&mut self, posture: &Posture) -> Answer {
        let mut answer = Answer::HELD;
        let said = posture.compliance.is_known();
        let state = if said {
            effective_state(posture, self.facts.now)
        } else {
            ComplianceState::Unknown
        };
        match state.as_tri() {
            Tri::Yes => {}
            Tri::No | Tri::Unknown if posture.managed.value == Tri::No => {
                return self.unmanaged(posture);
            }
            Tri::No => answer.fail(Failure::NotCompliant),
            Tri::Unknown if said => answer.fail(Failure::Evaluating),
            Tri::Unknown if posture.managed.value == Tri::Unknown => {
                return self.unmanaged(posture);
            }
            Tri::Unknown => {}
        }
        if said {
            self.date(&mut answer, Dated::by(&posture.compliance));
            if posture.compliance.value == ComplianceState::InGracePeriod
                && let Some(end) = posture.grace_until
                && end > self.facts.now
            {
                answer.until = answer.until.min(end);
            }
        } else {
            // Enrolment stands for the verdict that no source gives (R4).
            self.date(&mut answer, Dated::by(&posture.managed));
        }
        if self.computed_for_another_user(posture) {
            answer.fail(Failure::ComplianceForAnotherUser);
        }
        self.health(posture, said, &mut answer);
        answer
    }

    /// Compliance presupposes management: the cause is reported alone.
    fn unmanaged(&self, posture: &Posture) -> Answer {
        let mut answer = Answer::HELD;
        answer.fail(self.unenrolled(Failure::DeviceUnmanaged));
        if posture.managed.value == Tri::No {
            self.date(&mut answer, Dated::by(&posture.managed));
        }
        answer
    }

    fn computed_for_another_user(&self, posture: &Posture) -> bool {
        if self.policy.defaults.accept_other_users_compliance {
            return false;
        }
        match (posture.owner, &self.facts.user) {
            (Some(owner), Some(user)) => user.reference != Some(owner),
            (None, _) | (_, None) => false,
        }
    }

    /// Every compliance policy that reaches the user and device. `said`: the source has given a
    /// verdict.
    fn health(&mut self, posture: &Posture, said: bool, answer: &mut Answer) {
        let policy = self.policy;
        let mut reached = false;
        for (position, compliance) in policy.compliance.iter().enumerate() {
            let id = policy.compliance_id(position);
            let mut row = Row::BLANK;
            let targeting = compliance.targets.judge(&self.member);
            row.targeting = Some(targeting);
            let platform = self.seen.platform;
            let fits = compliance
                .platforms
                .map(|platforms| platforms.contains(platform));
            if let Some(fits) = fits {
                row.note(Check::Condition(Condition::Platform), fits.into());
            }
            if targeting == Targeting::Targeted && fits != Some(false) {
                reached = true;
                let here = self.health_policy(&compliance.health, posture, said, &mut row);
                row.outcome = Some(here.finding());
                answer.join(here);
            } else {
                row.outcome = Some(Finding::NotApplied);
            }
            self.trace.put(id, row);
        }
        if !reached && !policy.defaults.no_policy_is_compliant {
            answer.fail(Failure::NoCompliancePolicy);
        }
    }

    fn health_policy(
        &self,
        health: &Health,
        posture: &Posture,
        said: bool,
        row: &mut Row,
    ) -> Answer {
        let mut all = Answer::HELD;
        health.ask(posture, self.seen.platform, |setting, held, dated| {
            let mut one = Answer::held_or(held, Failure::Unhealthy);
            self.date(&mut one, dated);
            row.note(Check::Health(setting), one.finding());
            all.join(one);
        });
        if health.source_verdict {
            let one = self.source_verdict(posture, said);
            row.note(Check::Health(Setting::SourceVerdict), one.finding());
            all.join(one);
        }
        all
    }

    /// What a source said, where a policy asks for it. Its word has been counted already, its
    /// silence has not; either way the policy's own finding must agree with it.
    fn source_verdict(&self, posture: &Posture, said: bool) -> Answer {
        if !said {
            return Answer::held_or(false, Failure::Evaluating);
        }
        let mut answer = match effective_state(posture, self.facts.now).as_tri() {
            Tri::Yes => Answer::HELD,
            Tri::No => Answer::held_or(false, Failure::NotCompliant),
            Tri::Unknown => Answer::held_or(false, Failure::Evaluating),
        };
        self.date(&mut answer, Dated::by(&posture.compliance));
        answer
    }

    fn date(&self, answer: &mut Answer, dated: Dated) {
        answer.date(self.staleness, self.facts.now, dated);
    }
}

impl Answer {
    const HELD: Self = Self {
        failures: Failures::NONE,
        until: NEVER,
    };

    fn held_or(held: bool, failure: Failure) -> Self {
        Self {
            failures: if held {
                Failures::NONE
            } else {
                Failures::one(failure)
            },
            until: NEVER,
        }
    }

    const fn fail(&mut self, failure: Failure) {
        self.failures = self.failures.with(failure);
    }

    fn join(&mut self, other: Self) {
        self.failures = self.failures.union(other.failures);
        self.until = self.until.min(other.until);
    }

    fn date(&mut self, staleness: &Staleness, now: Timestamp, dated: Dated) {
        let observed = match dated {
            Dated::Never => return,
            Dated::Unstated => return self.fail(Failure::Stale),
            Dated::At(observed) => observed,
        };
        match staleness.age(observed, now) {
            Age::Fresh | Age::Grace => {
                self.until = self.until.min(staleness.turns(observed).unwrap_or(NEVER));
            }
            Age::Stale => self.fail(Failure::Stale),
        }
    }

    /// Whether it would hold if every fact were fresh.
    pub(super) fn is_met_but_for_age(self) -> bool {
        self.failures.is_empty() || self.failures == Failures::one(Failure::Stale)
    }

    pub(super) fn finding(self) -> Finding {
        if self.failures.is_empty() {
            Finding::Held
        } else if self.is_met_but_for_age() {
            Finding::Stale
        } else {
            Finding::Failed
        }
    }
}
