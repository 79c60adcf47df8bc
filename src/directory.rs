//! Asking who a user is.
//!
//! This room answers one question: does this password belong to this name? It owns the stored
//! forms of passwords and the comparison; it never knows what the answer is used for, and opens
//! no file: `config` reads `users.toml` and hands over [`Entry`]s.
//!
//! A password is shown in the clear, or by an answer to a challenge ([`Proof`](crate::model::Proof)).
//! Not every stored form can tell for every proof: a slow hash (argon2, bcrypt, SHA-crypt) only for the
//! password itself, an NT hash for that and MSCHAP, the password in clear for all.
//!
//! A slow hash takes tens of milliseconds of a core by design. A caller on a packet loop gets a
//! [`Job`] for that and runs it on a pool; everything else is answered on the spot.
//!
//! The one directory so far is the file, [`Users`]. Start there.

mod crypt;
mod file;
mod mschap;
mod password;

pub use crypt::CryptHash;
pub use file::DuplicateUser;
pub use file::Entry;
pub use file::Job;
pub use file::Outcome;
pub use file::Users;
pub use file::Verification;
pub use password::Argon2Hash;
pub use password::HashError;
pub use password::NtHash;
pub use password::Password;
