//! Asking who a user is.
//!
//! This room answers one question: does this password belong to this name? It owns the stored
//! forms of passwords and the comparison; it never knows what the answer is used for, and opens
//! no file: `config` reads `users.toml` and hands over [`Entry`]s.
//!
//! An argon2 hash takes tens of milliseconds of a core by design. A caller on a packet loop gets a
//! [`Job`] for that and runs it on a pool; everything else is answered on the spot.
//!
//! The one directory so far is the file, [`Users`]. Start there.

mod file;
mod password;

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
