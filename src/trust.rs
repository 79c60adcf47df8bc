//! Whom a certificate proves: chains of device certificates verified against an operator's roots
//! and revocation lists, for both doors that ask for a certificate.
//!
//! # Start here
//!
//! [`Verifier::build`] checks roots and lists once; [`Verifier::verify`] is asked in each
//! handshake and gives a [`Chain`], what the rest of the gateway needs of a certificate, read once.
//!
//! # What is done once and what each time
//!
//! - A list's signature is verified once: when the verifier is built, or, if none of the roots has
//!   issued it, when the first chain comes that carries its issuer. Which certificates it revokes
//!   is a set from then on, keyed by issuer and serial number.
//! - Each time: validity of every certificate of the path, the purpose clientAuth, key usages, the
//!   sets, and, where a current list is demanded, the list's nextUpdate. That the peer holds its
//!   key is proven in each full handshake and remembered nowhere.
//! - The signatures of a chain are verified when it comes for the first time; a bounded number of
//!   chains is remembered, as long as the roots and lists are the same. `memory` says who gets in.
//! - Lists that a shell fetches, and what OCSP responders say, come through a [`Watch`], from which
//!   each look-up takes what is there: nothing here waits, and what is missing is asked for.
//!
//! # What is implemented
//!
//! RFC 5280 sections 6.1 (by webpki), 4.2.1.3, 4.2.1.12 and 6.3 with complete lists: an issuing
//! distribution point may narrow a list to users or authorities, or to the distribution points
//! that it names. Delta lists, indirect ones, and lists by reason are refused when they are read.
//! RFC 6960 for the holder's certificate, with delegated responders; authorities are for lists.

mod chain;
mod error;
mod key_usage;
mod list;
mod material;
mod memory;
mod ocsp;
mod provider;
mod revocation;
mod status;
mod strength;
mod verifier;
mod watch;

pub use chain::Chain;
pub use error::Online;
pub use error::OnlineRefusal;
pub use error::Unusable;
pub use key_usage::KeyMisused;
pub use list::ListError;
pub use list::RevocationList;
pub use material::Fail;
pub use material::Material;
pub use material::OnlineCheck;
pub use material::Upkeep;
pub use ocsp::OcspAnswer;
pub use ocsp::OcspError;
pub use ocsp::Question;
pub use provider::ours;
pub use provider::provider;
pub use revocation::Demand;
pub use status::Settled;
pub use status::Told;
pub use strength::SIGNATURES_192;
pub use strength::TooShort;
pub use strength::TooWeak;
pub use strength::check_key;
pub use verifier::Verifier;
pub use watch::Installed;
pub use watch::NotInstalled;
pub use watch::Watch;
