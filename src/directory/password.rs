//! The forms in which a password is stored, and how a given password is compared with each.

use std::fmt;
use std::hash::BuildHasher;
use std::hash::RandomState;
use std::str::FromStr;
use std::sync::LazyLock;

use argon2::Argon2;
use argon2::Params;
use argon2::PasswordHasher;
use argon2::PasswordVerifier;
use argon2::password_hash::phc;
use md4::Digest;
use md4::Md4;
use md5::Md5;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::directory::CryptHash;
use crate::directory::Outcome;
use crate::directory::mschap;
use crate::model::NtKey;
use crate::model::Proof;
use crate::model::ProofKind;
use crate::model::Secret;

/// A stored password, best form first.
#[derive(Clone, Debug)]
pub enum Password {
    /// Argon2, for every method that hands the password over (PAP, Basic).
    Argon2(Box<Argon2Hash>),
    /// SHA-crypt or bcrypt, for the same methods.
    Crypt(Box<CryptHash>),
    /// MD4 of the UTF-16 password, which MSCHAP needs. Whoever has it can log in with it.
    NtHash(NtHash),
    /// The password itself, for CHAP and for those who must.
    Clear(Secret),
}

impl Password {
    /// Whether comparing takes so long that it belongs on a pool.
    #[must_use]
    pub const fn is_slow(&self) -> bool {
        match self {
            Self::Argon2(_) | Self::Crypt(_) => true,
            Self::NtHash(_) | Self::Clear(_) => false,
        }
    }

    /// Whether it can tell if such a proof is of the password.
    pub(super) const fn suits(&self, kind: ProofKind) -> bool {
        match (self, kind) {
            (_, ProofKind::Password)
            | (Self::NtHash(_), ProofKind::MsChap)
            | (Self::Clear(_), ProofKind::Chap | ProofKind::MsChap) => true,
            (Self::Argon2(_) | Self::Crypt(_), ProofKind::Chap | ProofKind::MsChap)
            | (Self::NtHash(_), ProofKind::Chap) => false,
        }
    }

    /// About the microseconds of a core that one comparison takes.
    pub(super) fn cost(&self) -> u64 {
        match self {
            Self::Argon2(hash) => hash.cost(),
            Self::Crypt(hash) => hash.cost(),
            Self::NtHash(_) | Self::Clear(_) => 0,
        }
    }

    /// Compares with `given`, in a time that does not depend on where the two differ.
    #[must_use]
    pub fn matches(&self, given: &[u8]) -> bool {
        match self {
            Self::Argon2(stored) => stored.matches(given),
            Self::Crypt(stored) => stored.matches(given),
            Self::NtHash(stored) => stored.matches(given),
            Self::Clear(stored) => stored.ct_eq(given),
        }
    }

    /// Compares with what was sent, in a time that does not depend on where the two differ.
    pub(super) fn answers(&self, proof: &Proof<'_>) -> Outcome {
        let matches = match (self, proof) {
            (stored, Proof::Password(given)) => stored.matches(given),
            (
                Self::Clear(stored),
                Proof::Chap {
                    identifier,
                    challenge,
                    response,
                },
            ) => {
                let mut digest = Md5::new();
                digest.update([*identifier]);
                digest.update(stored.expose());
                digest.update(challenge);
                bool::from(digest.finalize().ct_eq(response.as_slice()))
            }
            (
                Self::NtHash(stored),
                Proof::MsChap {
                    challenge,
                    response,
                },
            ) => {
                return stored.answers(challenge, response);
            }
            (
                Self::Clear(stored),
                Proof::MsChap {
                    challenge,
                    response,
                },
            ) => {
                return match NtHash::new(stored.expose()) {
                    Some(hash) => hash.answers(challenge, response),
                    None => Outcome::Unsuited,
                };
            }
            (Self::Argon2(_) | Self::Crypt(_), Proof::Chap { .. } | Proof::MsChap { .. })
            | (Self::NtHash(_), Proof::Chap { .. }) => return Outcome::Unsuited,
        };
        if matches {
            Outcome::Accepted(None)
        } else {
            Outcome::Refused
        }
    }

    /// A number that is the same of the same stored octets, for as long as the process runs: keyed, so
    /// that it tells nothing about them.
    #[must_use]
    pub fn stamp(&self) -> u64 {
        static KEY: LazyLock<RandomState> = LazyLock::new(RandomState::new);
        match self {
            Self::Argon2(hash) => KEY.hash_one((0, hash.to_string())),
            Self::Crypt(hash) => KEY.hash_one((1, hash.as_str())),
            Self::NtHash(hash) => KEY.hash_one((2, hash.0.as_slice())),
            Self::Clear(secret) => KEY.hash_one((3, secret.expose())),
        }
    }

    /// Whether both are the same stored octets; two slow hashes of one password with different
    /// salts are not.
    #[must_use]
    pub fn same_as(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Argon2(one), Self::Argon2(other)) => one.0 == other.0,
            (Self::Crypt(one), Self::Crypt(other)) => one.same_as(other),
            (Self::NtHash(one), Self::NtHash(other)) => bool::from(one.0.ct_eq(other.0.as_ref())),
            (Self::Clear(one), Self::Clear(other)) => one.ct_eq(other.expose()),
            (Self::Argon2(_) | Self::Crypt(_) | Self::NtHash(_) | Self::Clear(_), _) => false,
        }
    }
}

/// A slow hash of any kind, told by how it begins.
impl FromStr for Password {
    type Err = HashError;

    fn from_str(text: &str) -> Result<Self, HashError> {
        if text.starts_with("$argon2") {
            return text.parse().map(|hash| Self::Argon2(Box::new(hash)));
        }
        text.parse().map(|hash| Self::Crypt(Box::new(hash)))
    }
}

/// An argon2 hash in the PHC string format, `$argon2id$v=19$m=19456,t=2,p=1$salt$hash`.
///
/// Its parameters are bounded: a hash that asks for more memory or rounds than
/// [`Argon2Hash::MAX_MEMORY`] and [`Argon2Hash::MAX_ROUNDS`] would let one login attempt stall the
/// gateway, so it is refused when the file is read.
#[derive(Clone)]
pub struct Argon2Hash(phc::PasswordHash);

impl Argon2Hash {
    /// Kibibytes of memory: 256 MiB, five times what RFC 9106 recommends where memory is scarce.
    pub const MAX_MEMORY: u32 = 256 * 1024;
    /// Passes over the memory.
    pub const MAX_ROUNDS: u32 = 16;

    /// Hashes `password` with a random salt: argon2id, 19 MiB, two passes.
    ///
    /// # Errors
    ///
    /// When the system gives no random octets.
    pub fn new(password: &Secret) -> Result<Self, HashError> {
        Argon2::default()
            .hash_password(password.expose())
            .map(Self)
            .map_err(|_| HashError::Random)
    }

    /// About the microseconds of a core that one comparison takes, as long as one kibibyte does in
    /// one pass.
    pub(super) fn cost(&self) -> u64 {
        Params::try_from(&self.0).map_or(0, |params| {
            u64::from(params.m_cost()) * u64::from(params.t_cost())
        })
    }

    pub(super) fn matches(&self, given: &[u8]) -> bool {
        Argon2::default().verify_password(given, &self.0).is_ok()
    }
}

impl FromStr for Argon2Hash {
    type Err = HashError;

    fn from_str(text: &str) -> Result<Self, HashError> {
        let hash = phc::PasswordHash::new(text).map_err(|_| HashError::NotArgon2)?;
        if !matches!(hash.algorithm.as_str(), "argon2id" | "argon2i" | "argon2d")
            || hash.salt.is_none()
            || hash.hash.is_none()
        {
            return Err(HashError::NotArgon2);
        }
        let params = Params::try_from(&hash).map_err(|_| HashError::NotArgon2)?;
        if params.m_cost() > Self::MAX_MEMORY || params.t_cost() > Self::MAX_ROUNDS {
            return Err(HashError::TooExpensive {
                memory: params.m_cost(),
                rounds: params.t_cost(),
            });
        }
        Ok(Self(hash))
    }
}

/// The PHC string; a hash is meant to be written to a file.
impl fmt::Display for Argon2Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Without salt and hash.
impl fmt::Debug for Argon2Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Argon2Hash(present)")
    }
}

/// MD4 of the password in UTF-16, little-endian (RFC 2759 section 8.3).
#[derive(Clone)]
pub struct NtHash(Zeroizing<[u8; 16]>);

impl NtHash {
    /// Hashes `password`; `None` when it is not UTF-8 text.
    #[must_use]
    pub fn new(password: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(password).ok()?;
        let mut hash = Md4::new();
        for unit in text.encode_utf16() {
            hash.update(unit.to_le_bytes());
        }
        Some(Self(Zeroizing::new(hash.finalize().into())))
    }

    /// ChallengeResponse of RFC 2759 section 8.5: what a peer with this password answers.
    #[must_use]
    pub fn response(&self, challenge: &[u8; 8]) -> [u8; 24] {
        mschap::response(&self.0, challenge)
    }

    /// PasswordHashHash of RFC 2759 section 8.4.
    #[must_use]
    pub fn key(&self) -> NtKey {
        NtKey::new(Md4::digest(self.0.as_slice()).into())
    }

    fn matches(&self, given: &[u8]) -> bool {
        Self::new(given).is_some_and(|given| bool::from(self.0.ct_eq(given.0.as_ref())))
    }

    fn answers(&self, challenge: &[u8; 8], response: &[u8; 24]) -> Outcome {
        let expected = self.response(challenge);
        if bool::from(expected.ct_eq(response)) {
            Outcome::Accepted(Some(self.key()))
        } else {
            Outcome::Refused
        }
    }
}

/// 32 hexadecimal digits, in any case.
impl FromStr for NtHash {
    type Err = HashError;

    fn from_str(text: &str) -> Result<Self, HashError> {
        let digits: Option<Vec<u8>> = text
            .chars()
            .map(|digit| {
                digit
                    .to_digit(16)
                    .and_then(|value| u8::try_from(value).ok())
            })
            .collect();
        let digits = Zeroizing::new(digits.ok_or(HashError::NotNtHash)?);
        let (pairs, rest) = digits.as_chunks::<2>();
        if pairs.len() != 16 || !rest.is_empty() {
            return Err(HashError::NotNtHash);
        }
        let mut octets = Zeroizing::new([0; 16]);
        for (octet, [high, low]) in octets.iter_mut().zip(pairs) {
            *octet = high << 4 | low;
        }
        Ok(Self(octets))
    }
}

impl fmt::Debug for NtHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NtHash(present)")
    }
}

/// Text that is not the hash it was given as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HashError {
    /// Not a PHC string of argon2.
    #[error("expected an argon2 hash such as portreeve hash-password prints")]
    NotArgon2,
    /// A comparison would take too much.
    #[error(
        "the hash asks for {memory} KiB and {rounds} rounds, at most {} KiB and {} rounds are accepted",
        Argon2Hash::MAX_MEMORY,
        Argon2Hash::MAX_ROUNDS
    )]
    TooExpensive {
        /// Kibibytes.
        memory: u32,
        /// Passes.
        rounds: u32,
    },
    /// Neither SHA-crypt nor bcrypt.
    #[error(
        "expected a hash such as portreeve hash-password prints, or a whole one that begins with \
         $5$, $6$, $2a$, $2b$ or $2y$"
    )]
    NotCrypt,
    /// A comparison would take too long.
    #[error(
        "the hash asks for {rounds} rounds, at most {} are accepted",
        CryptHash::MAX_ROUNDS
    )]
    TooManyRounds {
        /// Of SHA-crypt.
        rounds: u32,
    },
    /// A comparison would take too long.
    #[error(
        "the hash has a cost of {cost}, at most {} is accepted",
        CryptHash::MAX_BCRYPT_COST
    )]
    BcryptCost {
        /// Logarithm of the rounds.
        cost: u32,
    },
    /// Not 32 hexadecimal digits.
    #[error("expected an NT hash of 32 hexadecimal digits")]
    NotNtHash,
    /// No salt could be made.
    #[error("the system gives no random octets")]
    Random,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(text: &str) -> Secret {
        Secret::new(text.as_bytes().to_vec())
    }

    #[test]
    fn rfc2759_9_2_password_hash() {
        let stored: NtHash = "44EBBA8D5312B8D611474411F56989AE".parse().unwrap();
        assert!(stored.matches("clientPass".as_bytes()));
        assert!(!stored.matches("clientpass".as_bytes()));
        assert!(!stored.matches(&[0xff, 0xfe]));
    }

    #[test]
    fn nt_hashes_are_32_digits() {
        for (text, good) in [
            ("44ebba8d5312b8d611474411f56989ae", true),
            ("", false),
            ("44ebba8d5312b8d611474411f56989a", false),
            ("44ebba8d5312b8d611474411f56989ae0", false),
            ("44ebba8d5312b8d611474411f56989ae00", false),
            ("44ebba8d5312b8d611474411f56989ag", false),
            ("+4ebba8d5312b8d611474411f56989ae", false),
        ] {
            assert_eq!(text.parse::<NtHash>().is_ok(), good, "row {text}");
        }
    }

    #[test]
    fn argon2_hashes_print_and_parse() {
        let hash = Argon2Hash::new(&secret("correct horse")).unwrap();
        let text = hash.to_string();
        assert!(
            text.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"),
            "{text}"
        );
        let again: Argon2Hash = text.parse().unwrap();
        assert!(again.matches("correct horse".as_bytes()));
        assert!(!again.matches("correct horsf".as_bytes()));
        assert_ne!(
            text,
            Argon2Hash::new(&secret("correct horse"))
                .unwrap()
                .to_string(),
            "each hash has a salt of its own"
        );
    }

    #[test]
    fn argon2_hashes_that_cost_too_much_are_refused() {
        let tail = "$c29tZXNhbHQ$iWh06vD8Fy27wf9npn6FXWiCX4K6pW6Ue1Bnzz07Z8A";
        for (parameters, expected) in [
            ("m=19456,t=2,p=1", None),
            ("m=262144,t=16,p=1", None),
            (
                "m=262145,t=1,p=1",
                Some(HashError::TooExpensive {
                    memory: 262_145,
                    rounds: 1,
                }),
            ),
            (
                "m=19456,t=17,p=1",
                Some(HashError::TooExpensive {
                    memory: 19_456,
                    rounds: 17,
                }),
            ),
            ("m=0,t=1,p=1", Some(HashError::NotArgon2)),
        ] {
            let text = format!("$argon2id$v=19${parameters}{tail}");
            assert_eq!(
                text.parse::<Argon2Hash>().err(),
                expected,
                "row {parameters}"
            );
        }
        for text in ["", "secret", "$argon2id$v=19$m=19456,t=2,p=1", "$2b$10$abc"] {
            assert_eq!(
                text.parse::<Argon2Hash>().err(),
                Some(HashError::NotArgon2),
                "row {text}"
            );
        }
    }

    #[test]
    fn debug_shows_no_hash() {
        let nt: NtHash = "44ebba8d5312b8d611474411f56989ae".parse().unwrap();
        assert_eq!(
            format!("{:?}", Password::NtHash(nt)),
            "NtHash(NtHash(present))"
        );
        let argon2 = Password::Argon2(Box::new(Argon2Hash::new(&secret("x")).unwrap()));
        assert_eq!(format!("{argon2:?}"), "Argon2(Argon2Hash(present))");
    }
}
