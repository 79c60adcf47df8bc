//! Asking who a user is.
//!
//! This room answers one question: does this password belong to this name? It owns the stored
//! forms of passwords and the comparison, and the ways to ask other systems; it never knows what the
//! answer is used for. `config` reads `users.toml` and hands over [`Entry`]s.
//!
//! A password is shown in the clear, or by an answer to a challenge ([`Proof`](crate::model::Proof)).
//! Not every stored form can tell for every proof: a slow hash (argon2, bcrypt, SHA-crypt) only for the
//! password itself, an NT hash for that and MSCHAP, the password in clear for all.
//!
//! A slow hash takes tens of milliseconds of a core by design. A caller on a packet loop gets a
//! [`Job`] for that and runs it on a pool; everything else of the file is answered on the spot.
//!
//! Directories elsewhere are asked by [`Directories::ask`], which waits and so is for a runtime to drive:
//!
//! - LDAP ([`Ldap`]): the user is searched and binds with the password; groups are looked up;
//! - Active Directory ([`Winbind`]): answers to a challenge, by Samba's helper program.
//!
//! Somebody whom a certificate proves has no password to check, but may have groups:
//! [`Directories::look_up`] finds those of the user, or of the machine.
//!
//! What holds whatever a directory does: the answer comes by a deadline; so many may wait and no more; a
//! server that has failed three times in a row is left alone for a while; and one that cannot tell is
//! never taken for one that does not know.
//!
//! Start at [`Users`] and [`Directories`]; `settings` reads `directory.toml`.

mod breaker;
mod crypt;
mod directories;
mod file;
mod ldap;
mod mschap;
mod name;
mod password;
mod settings;
mod trust;
mod winbind;

pub use breaker::Health;
pub use crypt::CryptHash;
pub use directories::Clock;
pub use directories::Config;
pub use directories::Directories;
pub use directories::Found;
pub use directories::Question;
pub use directories::Status;
pub use directories::Told;
pub use file::DuplicateUser;
pub use file::Entry;
pub use file::Job;
pub use file::Outcome;
pub use file::Users;
pub use file::Verification;
pub use ldap::Address;
pub use ldap::Certificates;
pub use ldap::Filter;
pub use ldap::FilterError;
pub use ldap::GroupLookup;
pub use ldap::Groups;
pub use ldap::Ldap;
pub use ldap::LdapConfig;
pub use ldap::Places;
pub use ldap::Protection;
pub use ldap::Scope;
pub use ldap::ServerStatus;
pub use ldap::is_response;
pub use password::Argon2Hash;
pub use password::HashError;
pub use password::NtHash;
pub use password::Password;
pub use settings::parse;
pub use trust::Trust;
pub use trust::TrustError;
pub use trust::trust;
pub use winbind::Incomplete;
pub use winbind::Reply;
pub use winbind::Winbind;
pub use winbind::WinbindConfig;
pub use winbind::read as read_reply;
