//! What has become of the two identities that a peer may have: its machine's and its user's.

use super::tlv::TeapIdentity;
use crate::eap::offer::Inner;
use crate::eap::principal::Principal;
use crate::eap::proof::Proven;

/// Both.
#[derive(Default)]
pub(super) struct Identities {
    machine: Place,
    user: Place,
}

/// What has become of one kind of identity.
#[derive(Default)]
enum Place {
    /// It has not been asked for.
    #[default]
    Open,
    /// It need not be asked for, or the peer has none.
    Passed,
    Proven(Proven),
}

impl Identities {
    /// Whether this one has still to be asked for.
    pub(super) const fn is_open(&self, kind: TeapIdentity) -> bool {
        let place = match kind {
            TeapIdentity::Machine => &self.machine,
            TeapIdentity::User => &self.user,
        };
        matches!(place, Place::Open)
    }

    /// It need not be asked for, or the peer has none.
    pub(super) fn pass(&mut self, kind: TeapIdentity) {
        *self.place_mut(kind) = Place::Passed;
    }

    /// A method has come to its end with it.
    pub(super) fn prove(&mut self, kind: TeapIdentity, proven: Proven) {
        *self.place_mut(kind) = Place::Proven(proven);
    }

    /// What was spoken for the machine, and for the user.
    pub(super) fn inners(&self) -> [Option<Inner>; 2] {
        self.proven().map(|proven| proven.map(Proven::inner))
    }

    /// Who the peer has proved to be so far.
    pub(super) fn proved(&self) -> Option<Principal> {
        let [machine, user] = self.proven().map(|proven| proven.map(Proven::proved));
        Principal::of(machine, user)
    }

    /// The machine and the user, as far as they are proven.
    pub(super) fn into_proven(self) -> [Option<Proven>; 2] {
        [self.machine, self.user].map(|place| match place {
            Place::Proven(proven) => Some(proven),
            Place::Open | Place::Passed => None,
        })
    }

    fn proven(&self) -> [Option<&Proven>; 2] {
        [&self.machine, &self.user].map(|place| match place {
            Place::Proven(proven) => Some(proven),
            Place::Open | Place::Passed => None,
        })
    }

    const fn place_mut(&mut self, kind: TeapIdentity) -> &mut Place {
        match kind {
            TeapIdentity::Machine => &mut self.machine,
            TeapIdentity::User => &mut self.user,
        }
    }
}
