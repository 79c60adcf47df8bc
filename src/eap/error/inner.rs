//! What can go wrong inside of a tunnel; each sentence says what somebody can do about it.

use std::sync::Arc;

use crate::eap::error::Side;
use crate::eap::method::Wanted;
use crate::eap::offer::Inner;

/// Why a peer that has made a tunnel is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InnerRefusal {
    /// Wrong password.
    #[error("the password is not this user's")]
    Password,
    /// The password was refused for this reason, or not looked at.
    #[error("{0}")]
    Unchecked(Arc<str>),
    /// The directory has no form of the password that could tell.
    #[error(
        "what is known of this user's password cannot answer {}: CHAP needs it in clear, MSCHAP and \
         MSCHAPv2 that, the NT hash or winbind; PAP and GTC work with every form, and with LDAP",
        .0.name()
    )]
    Unsuited(Inner),
    /// The name is empty or no text.
    #[error("the name inside of the tunnel is empty or no UTF-8 text: set it on the device")]
    Name,
    /// The realm inside is not that of the outside.
    #[error(
        "the name inside of the tunnel is of another realm than the one outside: give both the same \
         realm on the device, or see same_realm in [eap]"
    )]
    Realm,
    /// The method names another user than the identity before it.
    #[error("the method inside of the tunnel names another user than the identity before it")]
    OtherName,
    /// A method that is switched off.
    #[error(
        "{} inside of a tunnel is switched off for this NAS: set the device to another method, or \
         see inside in [methods]",
        .0.name()
    )]
    Off(Inner),
    /// The peer refused what it was offered inside.
    #[error(
        "refuses what may be spoken inside of a tunnel, wants {0}: set the device to a method that is \
         offered, or see inside in [methods]"
    )]
    Refused(Wanted),
    /// No EAP method may be spoken inside.
    #[error("no EAP method may be spoken inside of a tunnel at this NAS, see inside in [methods]")]
    NothingOffered,
    /// Nothing that authenticates, or two of them.
    #[error("what came inside of the tunnel has no credential, or more than one")]
    Credential,
    /// What came cannot be read.
    #[error("what came inside of the tunnel cannot be read: {0}")]
    Malformed(&'static str),
    /// An attribute with the mandatory flag that is not known.
    #[error("an attribute inside of the tunnel is mandatory and not known: {0}")]
    Mandatory(u32),
    /// An answer to a challenge that this tunnel did not give (RFC 5281 section 11.2.2).
    #[error(
        "the answer is not to the challenge of this tunnel: the supplicant is broken, or somebody \
         relays another exchange"
    )]
    Challenge,
    /// The peer did not accept our side of MSCHAPv2.
    #[error("does not accept that this server knows the password")]
    Distrust,
    /// The crypto-binding is wrong.
    #[error(
        "the crypto-binding does not hold: the supplicant is broken, or somebody stands between it \
         and this server"
    )]
    Binding,
    /// There is no crypto-binding where one is demanded.
    #[error(
        "the peer does not bind the method inside to the tunnel: switch crypto-binding on at the \
         device, or see require_binding in [eap]"
    )]
    Unbound,
    /// The peer's Result is failure.
    #[error("gave the method inside up")]
    Result,
    /// The peer has said neither of a machine nor of a user who it is.
    #[error(
        "said neither of the machine nor of the user who it is: give the device a certificate or its \
         user a password"
    )]
    Nobody,
    /// The peer reported an error of TEAP (RFC 9930 section 4.2.6).
    #[error("reports error {0} of TEAP")]
    Reported(u32),
    /// Out of order.
    #[error("what came inside of the tunnel is out of turn")]
    Order,
}

impl InnerRefusal {
    /// Which side ended the conversation.
    #[must_use]
    pub const fn side(&self) -> Side {
        match self {
            Self::Refused(_) | Self::Distrust | Self::Result | Self::Nobody | Self::Reported(_) => {
                Side::Peer
            }
            Self::Password
            | Self::Unchecked(_)
            | Self::Unsuited(_)
            | Self::Name
            | Self::Realm
            | Self::OtherName
            | Self::Off(_)
            | Self::NothingOffered
            | Self::Credential
            | Self::Malformed(_)
            | Self::Mandatory(_)
            | Self::Challenge
            | Self::Binding
            | Self::Unbound
            | Self::Order => Side::Server,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::eap::FailureReason;

    #[test]
    fn sentences_fit_into_a_record() {
        let all = [
            InnerRefusal::Password,
            InnerRefusal::Unsuited(Inner::MsChapV2),
            InnerRefusal::Name,
            InnerRefusal::Realm,
            InnerRefusal::OtherName,
            InnerRefusal::Off(Inner::MsChapV2),
            InnerRefusal::NothingOffered,
            InnerRefusal::Credential,
            InnerRefusal::Malformed("attributes of EAP-TTLS"),
            InnerRefusal::Mandatory(u32::MAX),
            InnerRefusal::Challenge,
            InnerRefusal::Distrust,
            InnerRefusal::Binding,
            InnerRefusal::Unbound,
            InnerRefusal::Result,
            InnerRefusal::Nobody,
            InnerRefusal::Reported(u32::MAX),
            InnerRefusal::Order,
        ];
        for refusal in all {
            let sentence = FailureReason::from(refusal).to_string();
            assert!(sentence.len() <= 255, "{}: {sentence}", sentence.len());
        }
    }
}
