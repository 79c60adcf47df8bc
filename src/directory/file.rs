//! Users from a file, held in memory.

use std::collections::HashMap;

use super::name::LoginName;
use super::password::Password;
use crate::model::NtKey;
use crate::model::Proof;
use crate::model::ProofKind;
use crate::model::Secret;
use crate::model::UserId;

/// One user of the file.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The name, compared without case.
    pub name: UserId,
    /// What a password is compared with.
    pub password: Password,
}

/// The users of one file; immutable, shared between threads.
#[derive(Debug, Default)]
pub struct Users {
    entries: HashMap<UserId, Password>,
    /// The names with a realm or a domain, by what they are without.
    accounts: HashMap<Box<str>, Vec<UserId>>,
    /// The most expensive hash of the file: what an unknown name is compared with.
    decoy: Option<Password>,
}

impl Users {
    /// Takes the entries over.
    ///
    /// # Errors
    ///
    /// When a name stands there twice, in whatever case: one of the two passwords would silently
    /// not work.
    pub fn new(entries: Vec<Entry>) -> Result<Self, DuplicateUser> {
        let mut users = Self::default();
        for Entry { name, password } in entries {
            let dearest = users.decoy.as_ref().map_or(0, Password::cost);
            if password.is_slow() && password.cost() > dearest {
                users.decoy = Some(password.clone());
            }
            if users.entries.insert(name.clone(), password).is_some() {
                return Err(DuplicateUser { name });
            }
            let login = LoginName::new(name.as_str());
            if login.user != login.whole {
                let of_account = users.accounts.entry(login.user.into()).or_default();
                of_account.push(name);
            }
        }
        Ok(users)
    }

    /// How many users there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// What the file has of a user of that name.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<&Password> {
        let mut folded = [0; UserId::MAX];
        UserId::fold(name, &mut folded).and_then(|name| self.entries.get(name))
    }

    /// What the file has of a user whom `is_same` takes for the one of that name, which it does not
    /// have: under the same account without a realm, with another one or in a domain. It is asked about
    /// few: an account is in as many realms as there are companies.
    #[must_use]
    pub fn find_account(&self, name: &str, is_same: impl Fn(&str) -> bool) -> Option<&Password> {
        let mut folded = [0; UserId::MAX];
        let name = UserId::fold(name, &mut folded)?;
        let account = LoginName::new(name).user;
        let elsewhere = self.accounts.get(account).into_iter().flatten();
        let names = elsewhere.map(UserId::as_str).take(MOST_REALMS);
        let mut same = names.chain([account]).filter(|name| is_same(name));
        same.find_map(|name| self.entries.get(name))
    }

    /// Compares what was sent with what is stored for `name`. See [`Users::verify_found`].
    #[must_use]
    pub fn verify(&self, name: &str, proof: &Proof<'_>) -> Verification {
        self.verify_found(self.find(name), proof)
    }

    /// Whether a proof of that kind can be told by what was found; of nobody, by what is
    /// compared in its place, so that what is proposed to a peer tells a hash from nobody as little as
    /// the time of the answer does.
    #[must_use]
    pub fn suits(&self, found: Option<&Password>, kind: ProofKind) -> bool {
        let stored = found.or(self.decoy.as_ref());
        stored.is_none_or(|stored| stored.suits(kind))
    }

    /// Compares what was sent with what was found.
    ///
    /// Where the file holds slow hashes, an unknown name costs as much as the most expensive of
    /// them, so that the time of an answer does not tell which names exist. A name whose password
    /// is stored as NT hash or in clear is answered at once and can be told from both; those are
    /// compared without allocating.
    #[must_use]
    pub fn verify_found(&self, found: Option<&Password>, proof: &Proof<'_>) -> Verification {
        match (found, proof) {
            (Some(stored), Proof::Password(given)) if stored.is_slow() => Verification::Slow(Job {
                stored: stored.clone(),
                given: Secret::new(given.to_vec()),
                known: true,
            }),
            (Some(stored), proof) => Verification::Immediate(stored.answers(proof)),
            (None, Proof::Password(given)) => match &self.decoy {
                Some(decoy) => Verification::Slow(Job {
                    stored: decoy.clone(),
                    given: Secret::new(given.to_vec()),
                    known: false,
                }),
                None => Verification::Immediate(Outcome::Unknown),
            },
            (None, Proof::Chap { .. } | Proof::MsChap { .. }) => {
                Verification::Immediate(Outcome::Unknown)
            }
        }
    }
}

/// An answer, or the work that leads to one.
#[derive(Debug)]
pub enum Verification {
    /// Known now.
    Immediate(Outcome),
    /// Takes tens of milliseconds of a core: run it on a pool.
    Slow(Job),
}

impl Verification {
    /// Does the work here, for callers that may block.
    #[must_use]
    pub fn wait(self) -> Outcome {
        match self {
            Self::Immediate(outcome) => outcome,
            Self::Slow(job) => job.run(),
        }
    }
}

/// A comparison to be made; owns all it needs.
#[derive(Debug)]
pub struct Job {
    stored: Password,
    given: Secret,
    known: bool,
}

impl Job {
    /// Compares. Blocks a core for as long as the hash was made to.
    #[must_use]
    pub fn run(self) -> Outcome {
        let matched = self.stored.matches(self.given.expose());
        match (self.known, matched) {
            (true, true) => Outcome::Accepted(None),
            (true, false) => Outcome::Refused,
            (false, _) => Outcome::Unknown,
        }
    }
}

/// What the directory says of a name and a password.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// The password is the user's; of MSCHAP with the key that it leaves.
    Accepted(Option<NtKey>),
    /// The user exists, the password is another.
    Refused,
    /// The user exists, and what is stored of the password cannot tell whether this proof is of it.
    /// Peers must not be told this apart from `Refused`.
    Unsuited,
    /// No such user. Peers must not be told this apart from `Refused`.
    Unknown,
}

/// Names with one account that are looked at for a user by another name.
const MOST_REALMS: usize = 16;

/// A name that two entries share.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the user {name} stands there twice")]
pub struct DuplicateUser {
    /// The name, folded.
    pub name: UserId,
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use md5::Digest;
    use md5::Md5;

    use super::*;
    use crate::directory::Argon2Hash;

    fn secret(text: &str) -> Secret {
        Secret::new(text.as_bytes().to_vec())
    }

    fn entry(name: &str, password: Password) -> Entry {
        Entry {
            name: UserId::parse(name).unwrap(),
            password,
        }
    }

    fn argon2(password: &str) -> Password {
        Password::Argon2(Box::new(Argon2Hash::new(&secret(password)).unwrap()))
    }

    fn nt(hash: &str) -> Password {
        Password::NtHash(hash.parse().unwrap())
    }

    fn said(verification: Verification) -> &'static str {
        match verification.wait() {
            Outcome::Accepted(None) => "accepted",
            Outcome::Accepted(Some(_)) => "accepted with a key",
            Outcome::Refused => "refused",
            Outcome::Unsuited => "unsuited",
            Outcome::Unknown => "unknown",
        }
    }

    fn users() -> Users {
        Users::new(vec![
            entry("alice@contoso.com", argon2("a-password")),
            entry("bob", nt("44ebba8d5312b8d611474411f56989ae")),
            entry("carol", Password::Clear(secret("c-password"))),
        ])
        .unwrap()
    }

    #[test]
    fn passwords_of_all_three_kinds() {
        let users = users();
        assert_eq!(users.len(), 3);
        for (name, password, expected) in [
            ("alice@contoso.com", "a-password", "accepted"),
            (" Alice@CONTOSO.com", "a-password", "accepted"),
            ("alice@contoso.com", "A-password", "refused"),
            ("alice@contoso.com", "", "refused"),
            ("bob", "clientPass", "accepted"),
            ("bob", "clientPass ", "refused"),
            ("carol", "c-password", "accepted"),
            ("carol", "c-passwor", "refused"),
            ("carol", "", "refused"),
            ("dave", "a-password", "unknown"),
            ("", "a-password", "unknown"),
        ] {
            let outcome = users.verify(name, &Proof::Password(password.as_bytes()));
            assert_eq!(said(outcome), expected, "row {name} {password}");
        }
    }

    #[test]
    fn an_answer_to_a_challenge_needs_a_stored_form_that_can_tell() {
        let users = users();
        // RFC 2759 section 9.2: bob's password is that of the RFC.
        let of_bob = [
            0x82, 0x30, 0x9e, 0xcd, 0x8d, 0x70, 0x8b, 0x5e, 0xa0, 0x8f, 0xaa, 0x39, 0x81, 0xcd,
            0x83, 0x54, 0x42, 0x33, 0x11, 0x4a, 0x3d, 0x85, 0xd6, 0xdf,
        ];
        let ms_chap = |response| Proof::MsChap {
            challenge: [0xd0, 0x2e, 0x43, 0x86, 0xbc, 0xe9, 0x12, 0x26],
            response,
        };
        let of_carol: [u8; 16] = Md5::digest(b"\x07c-passwordchallenge").into();
        let chap = |response| Proof::Chap {
            identifier: 7,
            challenge: b"challenge",
            response,
        };
        for (name, proof, expected) in [
            ("bob", ms_chap(of_bob), "accepted with a key"),
            ("bob", ms_chap([0; 24]), "refused"),
            ("carol", ms_chap(of_bob), "refused"),
            ("alice@contoso.com", ms_chap(of_bob), "unsuited"),
            ("dave", ms_chap(of_bob), "unknown"),
            ("carol", chap(&of_carol), "accepted"),
            ("carol", chap(&[0; 16]), "refused"),
            ("bob", chap(&of_carol), "unsuited"),
            ("alice@contoso.com", chap(&of_carol), "unsuited"),
            ("dave", chap(&of_carol), "unknown"),
        ] {
            let outcome = said(users.verify(name, &proof));
            assert_eq!(outcome, expected, "row {name} {proof:?}");
        }
    }

    #[test]
    fn unknown_names_cost_what_known_ones_do() {
        let users = users();
        for (name, slow) in [("alice@contoso.com", true), ("dave", true), ("bob", false)] {
            let verification = users.verify(name, &Proof::Password(b"x"));
            let is_slow = matches!(verification, Verification::Slow(_));
            assert_eq!(is_slow, slow, "row {name}");
        }
        let without_argon2 =
            Users::new(vec![entry("carol", Password::Clear(secret("c")))]).unwrap();
        let verification = without_argon2.verify("dave", &Proof::Password(b"x"));
        assert!(matches!(
            verification,
            Verification::Immediate(Outcome::Unknown)
        ));
    }

    #[test]
    fn a_stamp_lasts_until_what_is_stored_is_another() {
        let stamp = |password: Password| {
            let users = Users::new(vec![entry("Alice", password)]).unwrap();
            users.find(" alice").unwrap().stamp()
        };
        let nt_hash = "44ebba8d5312b8d611474411f56989ae";
        let tail = "N9qo8uLOickgx2ZMRZoMyeMOFXszCJkI5KqfYSu1k8RjzTK3dUv/G";
        let crypt = |cost| format!("$2b${cost}${tail}").parse().unwrap();
        let hash = argon2("one");
        let all = [
            hash.clone(),
            argon2("one"),
            crypt("05"),
            crypt("06"),
            nt(nt_hash),
            nt("44ebba8d5312b8d611474411f56989af"),
            Password::Clear(secret("one")),
            Password::Clear(secret("two")),
            Password::Clear(secret("")),
        ];
        assert_eq!(stamp(hash.clone()), stamp(hash));
        let different: HashSet<u64> = all.clone().map(stamp).into_iter().collect();
        assert_eq!(different.len(), all.len());
        assert_eq!(all.clone().map(stamp), all.map(stamp));
    }

    #[test]
    fn names_are_known_whatever_their_case() {
        let users = users();
        for (name, known) in [(" BOB ", true), ("dave", false), ("", false)] {
            assert_eq!(users.find(name).is_some(), known, "row {name}");
        }
    }

    #[test]
    fn a_user_by_another_name_is_found_by_the_account_if_it_is_the_same() {
        let clear = |password| Password::Clear(secret(password));
        let users = Users::new(vec![
            entry("bob", clear("1")),
            entry("alice@contoso.com", clear("2")),
            entry("alice@fabrikam.com", clear("3")),
            entry("CONTOSO\\carol", clear("4")),
        ])
        .unwrap();
        for (name, same, expected) in [
            ("EXAMPLE\\Bob", "bob", Some("1")),
            ("bob@contoso.com", "bob", Some("1")),
            ("EXAMPLE\\Bob", "", None),
            ("alice", "alice@contoso.com", Some("2")),
            ("X\\alice", "alice@fabrikam.com", Some("3")),
            ("alice", "bob", None),
            ("carol", "contoso\\carol", Some("4")),
            ("dave", "bob", None),
        ] {
            let found = users.find_account(name, |candidate| candidate == same);
            let password = expected.map(clear);
            match (found, &password) {
                (Some(found), Some(password)) => assert!(found.same_as(password), "row {name}"),
                (found, expected) => assert_eq!(found.is_some(), expected.is_some(), "row {name}"),
            }
        }
    }

    #[test]
    fn a_stored_form_suits_what_it_can_tell_and_nobody_what_a_hash_suits() {
        use ProofKind::Chap;
        use ProofKind::MsChap;
        let users = users();
        for (name, kinds) in [
            ("alice@contoso.com", &[][..]),
            ("dave", &[]),
            ("bob", &[MsChap]),
            ("carol", &[MsChap, Chap]),
        ] {
            let found = users.find(name);
            assert!(users.suits(found, ProofKind::Password), "row {name}");
            for kind in [MsChap, Chap] {
                let suits = users.suits(found, kind);
                assert_eq!(suits, kinds.contains(&kind), "row {name}, {kind:?}");
            }
        }
        let without_a_hash =
            Users::new(vec![entry("carol", Password::Clear(secret("c")))]).unwrap();
        assert!(without_a_hash.suits(None, MsChap));
    }

    #[test]
    fn an_unknown_name_is_never_accepted_by_the_decoy() {
        let users = users();
        let outcome = users.verify("dave", &Proof::Password(b"a-password"));
        assert_eq!(said(outcome), "unknown");
    }

    #[test]
    fn the_decoy_is_the_most_expensive_hash_of_whatever_kind() {
        let tail = "$c29tZXNhbHQ$iWh06vD8Fy27wf9npn6FXWiCX4K6pW6Ue1Bnzz07Z8A";
        let hash = |parameters: &str| -> Password {
            let text = format!("$argon2id$v=19${parameters}{tail}");
            Password::Argon2(Box::new(text.parse().unwrap()))
        };
        let users = Users::new(vec![
            entry("a", hash("m=16,t=1,p=1")),
            entry("b", hash("m=64,t=3,p=1")),
            entry("c", hash("m=128,t=1,p=1")),
        ])
        .unwrap();
        assert_eq!(users.decoy.unwrap().cost(), 64 * 3);
        let bcrypt = "$2b$10$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy";
        let users = Users::new(vec![
            entry("a", hash("m=16,t=1,p=1")),
            entry("b", bcrypt.parse().unwrap()),
            entry("c", hash("m=128,t=1,p=1")),
        ])
        .unwrap();
        assert!(matches!(users.decoy, Some(Password::Crypt(_))));
    }

    #[test]
    fn hashes_of_other_systems_answer_to_the_password_alone() {
        let sha: Password = "$5$abcdefghijklmnop$49yU6pOqknRiraoDvy5YVUvquhabVUIYqKQ8se7bFj2"
            .parse()
            .unwrap();
        let users = Users::new(vec![entry("alice", sha)]).unwrap();
        let challenge = b"challenge";
        for (proof, expected) in [
            (Proof::Password(b"a-password"), "accepted"),
            (Proof::Password(b"A-password"), "refused"),
            (
                Proof::Chap {
                    identifier: 7,
                    challenge,
                    response: &[0; 16],
                },
                "unsuited",
            ),
        ] {
            let verification = users.verify("alice", &proof);
            let is_slow = matches!(verification, Verification::Slow(_));
            assert_eq!(is_slow, expected != "unsuited", "row {expected}");
            assert_eq!(said(verification), expected);
        }
    }

    #[test]
    fn a_name_twice_is_refused_whatever_its_case() {
        let error = Users::new(vec![
            entry("Carol", Password::Clear(secret("1"))),
            entry("carol", Password::Clear(secret("2"))),
        ])
        .unwrap_err();
        assert_eq!(error.to_string(), "the user carol stands there twice");
    }
}
