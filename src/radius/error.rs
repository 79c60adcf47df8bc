//! What can be wrong with a datagram, sorted by whose fault it is.
//!
//! The three blame enums carry evidence for a trace. [`DropReason`] carries none: it is the name
//! under which a drop is counted.

use std::fmt;

use crate::radius::attribute::AttributeType;
use crate::radius::code::Code;

/// The octets are no RADIUS packet (RFC 2865 sections 3 and 5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// Fewer octets than a header.
    #[error("{octets} octets are fewer than the 20 of a header")]
    Header {
        /// How many arrived.
        octets: usize,
    },
    /// The Length field is outside 20 to 4096.
    #[error("the length field says {length}, allowed are 20 to 4096")]
    LengthField {
        /// What the field says.
        length: u16,
    },
    /// The datagram is shorter than its Length field.
    #[error("the length field says {length}, but {octets} octets arrived")]
    Cut {
        /// What the field says.
        length: u16,
        /// How many arrived.
        octets: usize,
    },
    /// The code is not one of [`Code`].
    #[error("code {code} is unknown")]
    UnknownCode {
        /// The first octet.
        code: u8,
    },
    /// An attribute is shorter than its own header, or has a length its type forbids.
    #[error("the attribute at octet {offset} has the length {length}")]
    AttributeLength {
        /// Where the attribute begins, from the start of the packet.
        offset: usize,
        /// What its length octet says.
        length: u8,
    },
    /// An attribute, or a lone octet after the last one, runs past the end of the packet.
    #[error("the attribute at octet {offset} runs past the end")]
    AttributeOverrun {
        /// Where the attribute begins, from the start of the packet.
        offset: usize,
    },
    /// More attributes than [`MAX_ATTRIBUTES`](crate::radius::MAX_ATTRIBUTES).
    #[error("more attributes than are accepted")]
    TooManyAttributes,
}

/// The packet cannot be shown to come from who holds the secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unauthentic {
    /// The Request Authenticator of an Accounting-Request is wrong (RFC 2866 section 3).
    #[error("the request authenticator is wrong")]
    RequestAuthenticator,
    /// The Response Authenticator is wrong (RFC 2865 section 3).
    #[error("the response authenticator is wrong")]
    ResponseAuthenticator,
    /// The Message-Authenticator is wrong (RFC 3579 section 3.2).
    #[error("the Message-Authenticator is wrong")]
    MessageAuthenticator,
    /// A Message-Authenticator is required here and there is none.
    #[error("there is no Message-Authenticator")]
    MissingMessageAuthenticator,
    /// Proxy-State without Message-Authenticator: the shape of an attack (CVE-2024-3596).
    #[error("there is a Proxy-State without a Message-Authenticator")]
    ProxyStateWithoutMessageAuthenticator,
    /// A reply whose identifier or code does not belong to the request.
    #[error("the packet is not an answer to the request")]
    NotTheAnswer,
}

/// The packet is authentic and its content breaks a rule of the RFCs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NasMisbehaved {
    /// A code that no client sends to a server.
    #[error("{0} is not sent to a server")]
    UnexpectedCode(Code),
    /// The network device is not configured to send accounting.
    #[error("accounting is switched off for this network device")]
    AccountingNotAllowed,
    /// More than one of an attribute that may stand once (RFC 2865 section 5.44, RFC 2866
    /// section 5.13, RFC 3579 section 3.3).
    #[error("{0} stands more than once")]
    Repeated(AttributeType),
    /// Two of User-Password, CHAP-Password and EAP-Message (RFC 2865 section 4.1, RFC 3579
    /// section 3.3).
    #[error("the request holds more than one kind of credential")]
    ConflictingCredentials,
    /// User-Password is not 16 to 128 octets in steps of 16 (RFC 2865 section 5.2), or
    /// CHAP-Password is not 17 octets (section 5.3), or an answer of MSCHAP or its challenge has
    /// another form than RFC 2548 sections 2.1 and 2.3 give it.
    #[error("{kind} has {octets} octets")]
    PasswordLength {
        /// Which of them.
        kind: AttributeType,
        /// Octets of its value.
        octets: usize,
    },
    /// Another attribute stands between the pieces of an EAP-Message (RFC 3579 section 3.1).
    #[error("the pieces of the EAP-Message are not adjacent")]
    SplitEapMessage,
    /// An attribute that must be there is missing or has the wrong size.
    #[error("{0} is missing or has the wrong size")]
    Missing(AttributeType),
}

/// Why a datagram was dropped without an answer; counted by [`DropReason::name`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum DropReason {
    /// No network device has the source address.
    UnknownNas,
    /// Not a RADIUS packet.
    Malformed,
    /// A code that is unknown or that no client sends to a server.
    UnexpectedCode,
    /// Wrong Request Authenticator in accounting: usually a wrong secret.
    BadAuthenticator,
    /// Wrong Message-Authenticator: usually a wrong secret.
    BadMessageAuthenticator,
    /// No Message-Authenticator where one is required.
    MissingMessageAuthenticator,
    /// Proxy-State without Message-Authenticator.
    ProxyStateWithoutMessageAuthenticator,
    /// A retransmission of a request that is still being worked on.
    DuplicateInProgress,
    /// Accounting from a device that is not configured for it.
    AccountingNotAllowed,
    /// More than one of an attribute that may stand once.
    RepeatedAttribute,
    /// More than one kind of credential.
    ConflictingCredentials,
    /// A password attribute of an impossible length.
    BadPasswordLength,
    /// An EAP-Message that is not in one run.
    SplitEapMessage,
    /// A required attribute is missing.
    MissingAttribute,
}

impl DropReason {
    /// All reasons, in the order of [`DropReason::index`].
    pub const ALL: [Self; 14] = [
        Self::UnknownNas,
        Self::Malformed,
        Self::UnexpectedCode,
        Self::BadAuthenticator,
        Self::BadMessageAuthenticator,
        Self::MissingMessageAuthenticator,
        Self::ProxyStateWithoutMessageAuthenticator,
        Self::DuplicateInProgress,
        Self::AccountingNotAllowed,
        Self::RepeatedAttribute,
        Self::ConflictingCredentials,
        Self::BadPasswordLength,
        Self::SplitEapMessage,
        Self::MissingAttribute,
    ];

    /// The place of this reason in an array of counters of the length of [`DropReason::ALL`].
    #[must_use]
    pub const fn index(self) -> usize {
        self as usize
    }

    /// The stable name for counters and records, in snake case.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::UnknownNas => "unknown_nas",
            Self::Malformed => "malformed",
            Self::UnexpectedCode => "unexpected_code",
            Self::BadAuthenticator => "bad_authenticator",
            Self::BadMessageAuthenticator => "bad_message_authenticator",
            Self::MissingMessageAuthenticator => "missing_message_authenticator",
            Self::ProxyStateWithoutMessageAuthenticator => {
                "proxy_state_without_message_authenticator"
            }
            Self::DuplicateInProgress => "duplicate_in_progress",
            Self::AccountingNotAllowed => "accounting_not_allowed",
            Self::RepeatedAttribute => "repeated_attribute",
            Self::ConflictingCredentials => "conflicting_credentials",
            Self::BadPasswordLength => "bad_password_length",
            Self::SplitEapMessage => "split_eap_message",
            Self::MissingAttribute => "missing_attribute",
        }
    }
}

impl fmt::Display for DropReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl From<Malformed> for DropReason {
    fn from(error: Malformed) -> Self {
        match error {
            Malformed::UnknownCode { .. } => Self::UnexpectedCode,
            Malformed::Header { .. }
            | Malformed::LengthField { .. }
            | Malformed::Cut { .. }
            | Malformed::AttributeLength { .. }
            | Malformed::AttributeOverrun { .. }
            | Malformed::TooManyAttributes => Self::Malformed,
        }
    }
}

impl From<Unauthentic> for DropReason {
    fn from(error: Unauthentic) -> Self {
        match error {
            Unauthentic::RequestAuthenticator | Unauthentic::ResponseAuthenticator => {
                Self::BadAuthenticator
            }
            Unauthentic::MessageAuthenticator => Self::BadMessageAuthenticator,
            Unauthentic::MissingMessageAuthenticator => Self::MissingMessageAuthenticator,
            Unauthentic::ProxyStateWithoutMessageAuthenticator => {
                Self::ProxyStateWithoutMessageAuthenticator
            }
            Unauthentic::NotTheAnswer => Self::UnexpectedCode,
        }
    }
}

impl From<NasMisbehaved> for DropReason {
    fn from(error: NasMisbehaved) -> Self {
        match error {
            NasMisbehaved::UnexpectedCode(_) => Self::UnexpectedCode,
            NasMisbehaved::AccountingNotAllowed => Self::AccountingNotAllowed,
            NasMisbehaved::Repeated(_) => Self::RepeatedAttribute,
            NasMisbehaved::ConflictingCredentials => Self::ConflictingCredentials,
            NasMisbehaved::PasswordLength { .. } => Self::BadPasswordLength,
            NasMisbehaved::SplitEapMessage => Self::SplitEapMessage,
            NasMisbehaved::Missing(_) => Self::MissingAttribute,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_has_its_own_index_and_name() {
        for (place, reason) in DropReason::ALL.into_iter().enumerate() {
            assert_eq!(reason.index(), place, "row {reason}");
            let same = DropReason::ALL
                .iter()
                .filter(|other| other.name() == reason.name())
                .count();
            assert_eq!(same, 1, "row {reason}");
            assert!(
                reason
                    .name()
                    .bytes()
                    .all(|octet| octet.is_ascii_lowercase() || octet == b'_'),
                "row {reason}"
            );
        }
    }
}
