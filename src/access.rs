//! Where subject, facts and policy meet. One invariant: no reply without a [`Decided`].
//!
//! Every plane brings a [`Subject`](crate::model::Subject) to [`DecisionPoint::decide`] and gets
//! the decision together with the facts it was made from ([`Seen`]). Nothing on that path waits,
//! locks or allocates: the inventory is read lock-free, the policy through an atomic pointer.
//!
//! What was granted is registered here ([`Live`]), so that a change of a device, of a user or of
//! the policy finds the requests that hang on it. The order is always *register, decide, compare
//! generations*: a change is published before its generation is counted, so whoever still sees
//! the old generation after registering will be found by the change, and whoever sees a new one
//! asks again. No change falls between a decision and its registration.
//!
//! Where a policy goes by how many mail devices a user has, one that is let in and does not count yet
//! stands in line until it does (`line`), so that of several that come at once each is judged behind
//! the others. Only those that are let in stand there: a question about somebody takes no place.
//!
//! No protocol is named in this room, and no other room names `policy` or `inventory` on the way
//! to a verdict.

mod admit;
mod change;
mod claimed;
mod correlation;
mod decide;
mod line;
mod permit;
mod queue;
mod record;
mod rhythm;
mod seen;
mod session;
mod subject;
mod text;

pub use crate::inventory::Change;
pub use crate::inventory::ClientEntry;
pub use crate::inventory::Sighting;
pub use crate::inventory::Told;
pub use crate::inventory::Wipe;
pub use crate::inventory::WipeOrder;
pub use crate::inventory::WipeStage;
pub use crate::inventory::said_by;
pub use crate::policy::Trace;
pub use change::Sweep;
pub use claimed::ClaimedTexts;
pub use correlation::Correlation;
pub use correlation::CorrelationSource;
pub use decide::Decided;
pub use decide::DecisionPoint;
pub use line::InLine;
pub use permit::Live;
pub use permit::Permit;
pub use permit::Revoked;
pub use queue::RecordQueue;
pub use record::Called;
pub use record::DecisionRecord;
pub use record::Outcome;
pub use rhythm::Rhythm;
pub use rhythm::Silence;
pub use seen::Seen;
pub use seen::SeenDevice;
pub use session::NasNames;
pub use session::Places;
pub use session::Session;
pub use session::SessionEvent;
pub use session::SessionKey;
pub use session::Sessions;
pub use subject::KeptSubject;
pub use subject::OwnedSubject;
pub use text::Text;
