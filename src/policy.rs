//! Rules and their evaluation: may this device, with this user, in?
//!
//! This room owns the policy language (`policy.toml`), its compiled form and the one function that
//! chooses an outcome from facts, [`evaluate()`]. It knows no protocol, no clock, no file and no
//! inventory: all that it may see stands in [`Facts`]. It never waits, locks or allocates while it
//! evaluates.
//!
//! # Order of an evaluation
//!
//! 1. **Break-glass** users and groups are let in and nothing else is asked (R77).
//! 2. A **disabled user** is blocked; a **retired or wiped device** is blocked (R40).
//! 3. Each **conditional policy** that is `on` is asked in file order. It *applies* when its planes
//!    hold the plane, its targets hold the subject, its exempt list does not (exempt wins, R8), and
//!    every configured condition holds (R81). A policy that applies gives a verdict: its `action`,
//!    or that of its worst failed requirement. Policies in `report-only` are asked and traced, and
//!    never count.
//! 4. The **strictest** verdict of all that apply is the answer; its reason is that of the first
//!    policy in file order that gave it. A user whom no source knows gets at least
//!    `defaults.unknown_user`, because no group of theirs can be known.
//! 5. When no policy applies, the reason why decides which default answers: exempt from all that
//!    would have applied (allow), targeted but under no fitting condition
//!    (`no_policy_applies`), not targeted (`not_targeted`, or `no_credential` where nothing was
//!    proved, or the default of the unknown device where there is no user either).
//!
//! What a client says of itself lets nobody in (`accept_claimed` aside): an `allow` that rests on that alone
//! does not count, and requirements that a device without known facts meets by it (`approved_app`) give,
//! where no other policy counts, the default for that device.
//!
//! # Verdict of a failed requirement
//!
//! What is special about a device or its facts keeps its own outcome, set once for all policies:
//! unknown, ambiguous, somebody else's, unmanaged (with exceptions per platform, R15), cannot enrol
//! (R16), still evaluating (R21), stale (R49). Every other failure gives the policy's `otherwise`.
//! A policy's `otherwise_for` overrides either. A platform exception is asked only of a device that
//! is *not* managed, so an enrolled and compliant device is never kept out by one (R15); to keep a
//! platform out entirely, write a conditional policy with `when.platforms` and `action = "block"`.
//!
//! # Compliance
//!
//! `compliant` holds when the source's verdict holds **and** every `[[compliance]]` policy that
//! reaches the user and device holds. Several that reach one device ask as much as the strictest
//! mixture of them would (R11). Where none reaches, `no_compliance_policy`
//! decides, as in the seeds enrolment may be enough (R4).
//!
//! # Numbers
//!
//! A [`PolicyId`](crate::model::PolicyId) counts the `[[compliance]]` policies in file order from
//! 0, and then the `[[conditional]]` ones.
//!
//! Start at [`parse()`], the only way to a [`Policy`]; then [`evaluate()`]; then [`explain()`], which
//! evaluates again and says in words what [`Trace`] holds in sixteen octets a policy.

mod availability;
mod compliance;
mod condition;
mod conditional;
mod defaults;
mod evaluate;
mod explain;
mod facts;
mod glob;
mod groups;
mod lint;
mod parse;
mod reason;
mod set;
mod targeting;
mod trace;
mod words;

pub use compliance::Setting;
pub use condition::Condition;
pub use conditional::Requirement;
pub use evaluate::evaluate;
pub use explain::CheckExplanation;
pub use explain::Explanation;
pub use explain::PolicyExplanation;
pub use explain::RehearsedExplanation;
pub use explain::explain;
pub use facts::DeviceFacts;
pub use facts::Facts;
pub use facts::UserFacts;
pub use lint::Doors;
pub use lint::lint;
pub use lint::lint_doors;
pub use lint::lint_freshness;
pub use parse::UNUSED_GROUP;
pub use parse::parse;
pub use set::Policy;
pub use targeting::Targeting;
pub use trace::Check;
pub use trace::Checked;
pub use trace::Finding;
pub use trace::Gate;
pub use trace::Trace;
