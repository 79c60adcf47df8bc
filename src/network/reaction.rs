//! What a NAS is asked to do when the verdict about somebody who is in has changed (RFC 5176).

use crate::network::enforce::Profile;
use crate::radius::Prepared;

/// What is asked first; whatever a NAS does not do is followed by a Disconnect-Request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Reaction {
    /// A Disconnect-Request: the session ends, and the device may come back into what it gets now.
    #[default]
    Disconnect,
    /// A CoA-Request with these attributes beside those that name the session: to authenticate
    /// again, to bounce the port or to switch it off, in the words of the vendor.
    Command(Prepared),
    /// A CoA-Request with the attributes of the new profile, for devices that change a session in
    /// place. Only where the profiles before and after say nothing else ([`Profile::in_coa`]) and
    /// the new one says something; else a Disconnect-Request.
    Push,
}

/// What the NASes of a group are asked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reactions {
    /// When somebody may stay in, with another access.
    pub changed: Reaction,
    /// When somebody may not be in any more.
    pub blocked: Reaction,
}

impl Profile {
    /// Whether a session with this profile becomes one with `next` by a CoA-Request that has the
    /// attributes of `next`.
    pub(super) fn becomes(&self, next: &Self) -> bool {
        self.in_coa && next.in_coa && !next.attributes.is_empty()
    }
}
