//! How a peer shows that it knows a password, and what that leaves behind.

use std::fmt;

use zeroize::Zeroizing;

/// What a peer sends in the place of a password.
#[derive(Clone, Copy)]
pub enum Proof<'a> {
    /// The password itself: PAP, Basic, GTC.
    Password(&'a [u8]),
    /// CHAP (RFC 1994 section 4.1): MD5 over identifier, password and challenge.
    Chap {
        /// CHAP Identifier.
        identifier: u8,
        /// What the peer was challenged with.
        challenge: &'a [u8],
        /// Its answer.
        response: &'a [u8; 16],
    },
    /// MSCHAP (RFC 2433 appendix A) and MSCHAPv2 (RFC 2759 section 8.5): the challenge under the NT
    /// hash of the password. Of MSCHAPv2 the challenge is the hash of both sides' challenges and
    /// the name.
    MsChap {
        /// Eight octets.
        challenge: [u8; 8],
        /// NT-Response.
        response: [u8; 24],
    },
}

/// Which [`Proof`] it is, without what is in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProofKind {
    /// The password itself.
    Password,
    /// CHAP.
    Chap,
    /// MSCHAP and MSCHAPv2.
    MsChap,
}

impl Proof<'_> {
    /// Which one it is.
    #[must_use]
    pub const fn kind(&self) -> ProofKind {
        match self {
            Self::Password(_) => ProofKind::Password,
            Self::Chap { .. } => ProofKind::Chap,
            Self::MsChap { .. } => ProofKind::MsChap,
        }
    }
}

/// The kind alone.
impl fmt::Debug for Proof<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.kind().fmt(f)
    }
}

/// MD4 of the NT hash, PasswordHashHash of RFC 2759 section 8.4: what MSCHAPv2's answer to the
/// peer and its keys are made of.
#[derive(Clone)]
pub struct NtKey(Zeroizing<[u8; 16]>);

impl NtKey {
    /// From the octets.
    #[must_use]
    pub fn new(octets: [u8; 16]) -> Self {
        Self(Zeroizing::new(octets))
    }

    /// The octets.
    #[must_use]
    pub fn expose(&self) -> &[u8; 16] {
        &self.0
    }
}

impl fmt::Debug for NtKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NtKey(present)")
    }
}
