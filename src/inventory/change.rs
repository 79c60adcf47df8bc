//! What a batch altered.

use crate::model::DeviceId;
use crate::model::UserRef;

/// Something whose decisions must be made anew. A batch returns each once, sorted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Change {
    /// The device appeared, went, has other facts, other groups, another owner or other keys, or
    /// one of its keys became ambiguous or ceased to be.
    Device(DeviceId),
    /// The user appeared, went, was enabled or disabled, has other groups or other names.
    User(UserRef),
}
