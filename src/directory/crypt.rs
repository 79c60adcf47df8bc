//! Hashes that other systems have left: SHA-crypt and bcrypt, as `/etc/shadow` and `htpasswd` write
//! them. New ones are argon2.

use std::fmt;
use std::str::FromStr;

use sha_crypt::PasswordVerifier;
use sha_crypt::ShaCrypt;
use subtle::ConstantTimeEq;

use crate::directory::HashError;

/// A hash in the modular crypt format: `$5$` (SHA-256-crypt), `$6$` (SHA-512-crypt), `$2a$`, `$2b$`
/// or `$2y$` (bcrypt).
///
/// What a comparison may take is bounded by [`CryptHash::MAX_ROUNDS`] and
/// [`CryptHash::MAX_BCRYPT_COST`]: a dearer hash would let one login attempt stall the gateway, so it is
/// refused when the file is read.
///
/// bcrypt looks at the first 72 octets of a password, whatever follows them.
#[derive(Clone)]
pub struct CryptHash {
    /// What was written.
    text: Box<str>,
    kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Sha { rounds: u32 },
    Bcrypt { cost: u32 },
}

impl CryptHash {
    /// Rounds of SHA-crypt, a hundred times the usual 5,000: half a second of a core.
    pub const MAX_ROUNDS: u32 = 500_000;
    /// Logarithm of bcrypt's rounds, four more than the usual 10: a second of a core.
    pub const MAX_BCRYPT_COST: u32 = 14;

    /// About the microseconds of a core that one comparison takes.
    pub(super) const fn cost(&self) -> u64 {
        match self.kind {
            Kind::Sha { rounds } => rounds as u64,
            Kind::Bcrypt { cost } => 60 << cost,
        }
    }

    pub(super) fn matches(&self, given: &[u8]) -> bool {
        match self.kind {
            Kind::Sha { .. } => ShaCrypt::default()
                .verify_password(given, &*self.text)
                .is_ok(),
            Kind::Bcrypt { .. } => bcrypt::verify(given, &self.text).unwrap_or(false),
        }
    }

    /// What was written.
    pub(super) fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether both are the same stored octets.
    pub(super) fn same_as(&self, other: &Self) -> bool {
        self.text.as_bytes().ct_eq(other.text.as_bytes()).into()
    }
}

impl FromStr for CryptHash {
    type Err = HashError;

    fn from_str(text: &str) -> Result<Self, HashError> {
        let kind = match text.as_bytes() {
            [b'$', b'5', b'$', ..] => sha(text, SHA256_DIGITS)?,
            [b'$', b'6', b'$', ..] => sha(text, SHA512_DIGITS)?,
            // Not `$2x$`: hashes of a program that mistook characters beyond ASCII.
            [b'$', b'2', b'a' | b'b' | b'y', b'$', ..] => blowfish(text)?,
            _ => return Err(HashError::NotCrypt),
        };
        Ok(Self {
            text: text.into(),
            kind,
        })
    }
}

/// `$5$[rounds=N$]salt$hash`.
fn sha(text: &str, digits: usize) -> Result<Kind, HashError> {
    let fields: Vec<&str> = text.split('$').skip(2).collect();
    let (rounds, salt, hash) = match fields.as_slice() {
        [salt, hash] => (DEFAULT_ROUNDS, salt, hash),
        [rounds, salt, hash] => {
            let rounds = rounds.strip_prefix("rounds=").unwrap_or_default();
            let rounds = rounds.parse().map_err(|_| HashError::NotCrypt)?;
            (rounds, salt, hash)
        }
        _ => return Err(HashError::NotCrypt),
    };
    let is_whole = (1..=MAX_SALT).contains(&salt.len())
        && hash.len() == digits
        && salt.bytes().chain(hash.bytes()).all(is_digit);
    // Below the least number crypt(3) would have used that instead, and said so in the hash.
    if !is_whole || rounds < MIN_ROUNDS {
        return Err(HashError::NotCrypt);
    }
    if rounds > CryptHash::MAX_ROUNDS {
        return Err(HashError::TooManyRounds { rounds });
    }
    Ok(Kind::Sha { rounds })
}

/// `$2b$NN$` with 22 digits of salt and 31 of hash.
fn blowfish(text: &str) -> Result<Kind, HashError> {
    let parts: bcrypt::HashParts = text.parse().map_err(|_| HashError::NotCrypt)?;
    match parts.get_cost() {
        cost if cost > CryptHash::MAX_BCRYPT_COST => Err(HashError::BcryptCost { cost }),
        cost if cost < MIN_BCRYPT_COST => Err(HashError::NotCrypt),
        cost => Ok(Kind::Bcrypt { cost }),
    }
}

/// A digit of crypt(3)'s base 64.
const fn is_digit(octet: u8) -> bool {
    octet.is_ascii_alphanumeric() || matches!(octet, b'.' | b'/')
}

/// Without salt and hash.
impl fmt::Debug for CryptHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CryptHash({:?})", self.kind)
    }
}

const SHA256_DIGITS: usize = 43;
const SHA512_DIGITS: usize = 86;
const MAX_SALT: usize = 16;
const DEFAULT_ROUNDS: u32 = 5_000;
const MIN_ROUNDS: u32 = 1_000;
/// The least that bcrypt is defined for.
const MIN_BCRYPT_COST: u32 = 4;

#[cfg(test)]
mod tests {
    use super::*;

    /// What `openssl passwd -5` makes of `a-password`.
    const SHA256: &str = "$5$abcdefghijklmnop$49yU6pOqknRiraoDvy5YVUvquhabVUIYqKQ8se7bFj2";

    #[test]
    fn hashes_of_other_programs_are_compared() {
        for (hash, password) in VECTORS {
            let hash: CryptHash = hash.parse().unwrap();
            assert!(hash.matches(password.as_bytes()), "row {hash:?} {password}");
            assert!(!hash.matches(b"another"), "row {hash:?}");
            assert!(!hash.matches(b""), "row {hash:?}");
        }
    }

    #[test]
    fn bcrypt_knows_72_octets_of_a_password() {
        let long = "a".repeat(72);
        let hash = bcrypt::hash(&long, 4).unwrap();
        let hash: CryptHash = hash.parse().unwrap();
        assert!(hash.matches(long.as_bytes()));
        assert!(!hash.matches(&long.as_bytes()[1..]));
        assert!(hash.matches(format!("{long}b").as_bytes()));
    }

    #[test]
    fn what_costs_too_much_or_is_no_hash_is_refused() {
        let (salt, hash) = ("abcdefghijklmnop", SHA256.rsplit('$').next().unwrap());
        let tail = "N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy";
        for (text, expected) in [
            (SHA256.to_owned(), None),
            (format!("$5$rounds=500000${salt}${hash}"), None),
            (
                format!("$5$rounds=500001${salt}${hash}"),
                Some(HashError::TooManyRounds { rounds: 500_001 }),
            ),
            (
                format!("$5$rounds=999${salt}${hash}"),
                Some(HashError::NotCrypt),
            ),
            (
                format!("$5$rounds=x${salt}${hash}"),
                Some(HashError::NotCrypt),
            ),
            (format!("$5${salt}q${hash}"), Some(HashError::NotCrypt)),
            (format!("$5$${hash}"), Some(HashError::NotCrypt)),
            (format!("$6${salt}${hash}"), Some(HashError::NotCrypt)),
            (format!("$5${salt}${hash}x"), Some(HashError::NotCrypt)),
            (format!("$5${salt}${hash}$"), Some(HashError::NotCrypt)),
            (
                format!("$5${salt}$\u{fc}{}", &hash[2..]),
                Some(HashError::NotCrypt),
            ),
            (format!("$2b$14${tail}"), None),
            (
                format!("$2b$15${tail}"),
                Some(HashError::BcryptCost { cost: 15 }),
            ),
            (format!("$2b$03${tail}"), Some(HashError::NotCrypt)),
            (format!("$2x$10${tail}"), Some(HashError::NotCrypt)),
            (format!("$2b$10${tail}x"), Some(HashError::NotCrypt)),
            (format!("$2b$\u{fc}${tail}"), Some(HashError::NotCrypt)),
            ("$1$abcdefgh$".to_owned(), Some(HashError::NotCrypt)),
            (String::new(), Some(HashError::NotCrypt)),
        ] {
            assert_eq!(text.parse::<CryptHash>().err(), expected, "row {text}");
        }
    }

    #[test]
    fn debug_shows_no_hash() {
        let hash: CryptHash = SHA256.parse().unwrap();
        assert_eq!(format!("{hash:?}"), "CryptHash(Sha { rounds: 5000 })");
    }

    /// From `openssl passwd` and from the C library's crypt(3).
    const VECTORS: [(&str, &str); 7] = [
        (SHA256, "a-password"),
        (
            "$6$abcdefghijklmnop$eyRrNpxSWI.Yjh605hpFoHvkvpx5MFhVg5BGu2QWUge7akZPLBiB8kzX9CoCQxci\
             tRm3UoBGt7mvh29AHvZQR1",
            "a-password",
        ),
        (
            "$6$ab$LOcW3v.voJ0i0q2ujwoo16EUe.0CFT2JL9d/8CObqXr78PbVXe7ibS4kTbOCjb3GJNDh9rJVndKsx5JO\
             qRZxX0",
            "p\u{e4}ssword",
        ),
        (
            "$6$rounds=10000$saltstring$GwJaxf.n.0fh3KYC1jL7ljtNyXEZ1fv2vQioAebNV.4UHdAZ9N44XYsE7I\
             R4quRavAXZSJCg.uVximk7VJCFB0",
            "a-password",
        ),
        (
            "$2b$05$N9qo8uLOickgx2ZMRZoMyeMOFXszCJkI5KqfYSu1k8RjzTK3dUv/G",
            "a-password",
        ),
        (
            "$2y$05$N9qo8uLOickgx2ZMRZoMyeMOFXszCJkI5KqfYSu1k8RjzTK3dUv/G",
            "a-password",
        ),
        (
            "$2a$05$N9qo8uLOickgx2ZMRZoMyeMOFXszCJkI5KqfYSu1k8RjzTK3dUv/G",
            "a-password",
        ),
    ];
}
