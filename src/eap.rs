//! EAP conversations and methods, server side.
//!
//! The device is the *peer*, the NAS is the authenticator that only carries packets, we are the
//! server. This room turns a peer's responses into requests and ends with keys or with a reason.
//! It does not know RADIUS, the policy or the inventory: whether a peer may pass is asked of a
//! [`Judge`].
//!
//! # Start here
//!
//! [`Conversation`]: `handle` takes a response and does framing only; when a TLS message is whole
//! it gives [`Step::Work`], and `work` does the cryptography on a worker thread.
//! [`Config::build`] makes what conversations share.
//!
//! # The verdict comes from inside the handshake
//!
//! A blocked device gets no protected success indication, no ticket and a true alert. rustls
//! writes tickets and the TLS 1.2 Finished while it handles the peer's Finished, so a verdict
//! given afterwards would be too late. The judge is therefore asked by the certificate verifier,
//! right after the peer has proved that it holds its key, and again whenever a handshake is
//! resumed; `gate` has the details. A ticket never holds a decision.
//!
//! # What is implemented
//!
//! - RFC 3748: sections 4 and 5 as server; not Notification, MD5, OTP, GTC; Expanded types only
//!   as a Nak.
//! - RFC 3579 sections 2.1 and 2.2, as far as EAP goes: EAP-Start, invalid packets.
//! - RFC 5216: whole but for section 2.1.4 (privacy by renegotiation).
//! - RFC 9190: whole; no early data, no external PSK, no post-handshake authentication.
//! - RFC 2759 sections 8.2 and 8.7 and RFC 3079 section 3.4: what answers MSCHAPv2, which RADIUS
//!   carries without EAP so far.
//! - RFC 8996, RFC 9325: TLS 1.2 and 1.3 with ECDHE and AEAD suites, nothing older.
//!
//! # Order of checks
//!
//! `packet` (code, lengths), identifier, type for the state, `fragment` (flags, lengths, bounds),
//! then TLS. A response that fails before the type is dropped in silence; one that fails at type
//! or flags makes the last request be repeated, five times at most; the rest ends the
//! conversation.

mod clock;
mod config;
mod conversation;
mod error;
mod fragment;
mod gate;
mod hello;
mod identity;
mod key;
mod method;
mod mschapv2;
mod packet;
mod resumption;
mod tls;
mod tunnel;
mod turnstile;

pub(crate) use clock::Clock;
pub use config::Config;
pub use config::MAX_TICKETS;
pub use config::Settings;
pub use config::TlsVersion;
pub(crate) use config::provider;
pub use conversation::Conversation;
pub use conversation::MAX_INVALID;
pub use conversation::MAX_PACKET;
pub use conversation::MIN_PACKET;
pub use conversation::Outcome;
pub use conversation::Step;
pub use error::CertificateRefusal;
pub use error::Discard;
pub use error::Failed;
pub use error::FailureReason;
pub use error::Invalid;
pub use error::Misconfigured;
pub use error::Side;
pub use error::Silent;
pub(crate) use fragment::ACKNOWLEDGEMENT;
pub use fragment::Fragment;
pub use fragment::FragmentError;
pub use fragment::Fragmenter;
pub use fragment::MAX_MESSAGE;
pub use fragment::Progress;
pub use fragment::Reassembler;
pub use gate::Judge;
pub use gate::Peer;
pub use gate::Stage;
pub use identity::Identity;
pub use key::Emsk;
pub use key::Keys;
pub use key::Msk;
pub use key::Randoms;
pub use key::SessionId;
pub use method::Wanted;
pub use mschapv2::MsChapV2;
pub use mschapv2::SessionKeys;
pub use packet::Code;
pub use packet::Malformed;
pub use packet::Packet;
pub use packet::Type;
pub use packet::failure;
pub use packet::request;
pub use packet::response;
pub use packet::success;
pub use resumption::Resumption;
