//! Where a peer has fallen silent, and what that mostly means.

use crate::eap::offer::Inner;

/// What a peer that is not heard of any more was to answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Silence {
    /// The question who it is.
    #[error("went silent when it was asked who it is")]
    Identity,
    /// The first message of a method.
    #[error("went silent when a method was offered to it")]
    Offer,
    /// Word that a fragment of its own has arrived.
    #[error("went silent amid a message of its own in fragments")]
    OwnFragments,
    /// A fragment of ours that is not the last one.
    #[error("went silent amid the gateway's message in fragments")]
    Fragments,
    /// The gateway's certificate.
    #[error("went silent when it saw the gateway's certificate")]
    Certificate,
    /// The end of the handshake, or of everything.
    #[error("went silent when all was said but its last word")]
    LastWord,
    /// That the tunnel is made.
    #[error("went silent when the tunnel was made and it was to say who it is")]
    Tunnel,
    /// A method inside of the tunnel.
    #[error("went silent inside of the tunnel, in {}", .0.name())]
    Inside(Inner),
    /// What binds the tunnel to the method inside of it.
    #[error("went silent when it was to bind the method inside to the tunnel (crypto-binding)")]
    Binding,
    /// Nothing: its message had to wait for us.
    #[error("went silent while its message waited for an overloaded gateway")]
    Overload,
}

impl Silence {
    /// What somebody can do about it.
    #[must_use]
    pub const fn advice(self) -> &'static str {
        match self {
            Self::Identity => {
                "the NAS began EAP and no supplicant answers: look whether the port's device has one"
            }
            Self::Offer => {
                "look whether the device has a profile for this network, and whether the NAS gives up \
                 sooner than a supplicant answers; it may only have begun anew"
            }
            Self::OwnFragments | Self::Fragments => {
                "fragments are lost on the way: lower fragment_size in [eap], look at the Framed-MTU of \
                 the NAS and at what drops long UDP packets between"
            }
            Self::Certificate => {
                "somebody was asked whether to trust it, and said no or nothing: give devices a profile \
                 with the CA and the server's name; else look for lost packets of about that size"
            }
            Self::LastWord => {
                "the last packet was lost, or the supplicant gave up after success: look at the NAS, and \
                 update the supplicant"
            }
            Self::Tunnel => {
                "the person has not typed a name and password, or the device is set to another method \
                 inside: look at its profile"
            }
            Self::Inside(_) => {
                "the device dislikes this method, or the person was asked for a password and went away: \
                 look at its profile and its log"
            }
            Self::Binding => {
                "the two sides have different keys, or the supplicant does not know crypto-binding: update \
                 it, look whether somebody relays, see require_binding in [eap]"
            }
            Self::Overload => {
                "see portreeve_radius_dropped_total{reason=\"overloaded\"}: add processors"
            }
        }
    }
}
