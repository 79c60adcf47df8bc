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
//! it gives [`Step::Work`], and `work` does the cryptography on a worker thread. A password inside
//! of a tunnel gives [`Step::Ask`]: whoever knows a directory asks it and calls `answer`.
//! [`Config::build`] makes what conversations share.
//!
//! # The verdict comes from inside the method
//!
//! A blocked device gets no protected success indication, no ticket and a true alert. rustls
//! writes tickets and the TLS 1.2 Finished while it handles the peer's Finished, so a verdict
//! given afterwards would be too late. EAP-TLS asks the judge from the certificate verifier,
//! right after the peer has proved that it holds its key, and again whenever a handshake is
//! resumed; `gate` has the details.
//!
//! In a tunnel (`tunnelled`) the peer says inside who it is. The judge is asked when a directory has
//! accepted its password, before the answer of MSCHAPv2, a Result or EAP-Success says so. TLS may have
//! told the peer the name of a ticket by then: nothing stands behind it until the end. `proof` makes
//! a success that was not earned impossible to write. A ticket never holds a decision.
//!
//! # What is implemented
//!
//! - RFC 3748: sections 4 and 5 as server; GTC inside of tunnels; not Notification, MD5, OTP;
//!   Expanded types only as a Nak.
//! - RFC 3579 sections 2.1 and 2.2, as far as EAP goes: EAP-Start, invalid packets.
//! - RFC 5216: whole but for section 2.1.4 (privacy by renegotiation).
//! - RFC 9190: whole; no early data, no external PSK, no post-handshake authentication.
//! - RFC 5281: EAP-TTLS version 0 with PAP, CHAP, MSCHAP, MSCHAPv2 and EAP inside; no accounting, no
//!   change of passwords, no AVPs in the Start.
//! - \[MS-PEAP\]: version 0 with EAP-MSCHAPv2, GTC and EAP-TLS inside, crypto-binding, fast reconnect; no
//!   statement of health.
//! - RFC 9930: TEAP version 1 as server, but for provisioning, Channel-Binding and Request-Action of ours;
//!   what else differs stands in `teap`.
//! - RFC 9427 sections 2.4, 2.5 and 4: keys of TTLS and PEAP in TLS 1.3, and their resumption.
//! - RFC 2759 sections 8.2 and 8.7 and RFC 3079 section 3.4: what answers MSCHAPv2.
//! - RFC 8996, RFC 9325: TLS 1.2 and 1.3 with ECDHE and AEAD suites, nothing older.
//!
//! # Order of checks
//!
//! `packet` (code, lengths), identifier, type for the state, `fragment` (flags, lengths, bounds),
//! then TLS. A response that fails before the type is dropped in silence; one that fails at type
//! or flags makes the last request be repeated, five times at most; the rest ends the
//! conversation.

mod carrier;
mod chosen;
mod clock;
mod config;
mod conversation;
mod error;
mod fragment;
mod gate;
mod hello;
mod identity;
mod inner;
mod key;
mod link;
mod method;
mod mschapv2;
mod offer;
mod packet;
mod peap;
mod principal;
mod proof;
mod resumption;
mod shown;
mod spoken;
mod step;
mod talk;
mod teap;
mod tls;
pub(crate) mod ttls;
mod tunnel;
mod tunnel_gate;
mod tunnelled;
mod turnstile;

pub(crate) use clock::Clock;
pub use config::Config;
pub use config::MAX_TICKETS;
pub use config::Settings;
pub use config::TlsVersion;
pub use config::TunnelSettings;
pub(crate) use config::provider;
pub use conversation::Conversation;
pub use conversation::MAX_INVALID;
pub use conversation::MAX_PACKET;
pub use conversation::MIN_PACKET;
pub use error::CertificateRefusal;
pub use error::Discard;
pub use error::Failed;
pub use error::FailureReason;
pub use error::InnerRefusal;
pub use error::Invalid;
pub use error::Misconfigured;
pub use error::Side;
pub use error::Silence;
pub use error::Silent;
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
pub use offer::Inner;
pub use offer::Offer;
pub use offer::Outer;
pub use packet::Code;
pub use packet::Malformed;
pub use packet::Packet;
pub use packet::Type;
pub use packet::failure;
pub use packet::request;
pub use packet::response;
pub use packet::success;
pub(crate) use peap::Binding;
pub use peap::Extensions;
pub(crate) use peap::extension::tlvs as result_tlvs;
pub use principal::Principal;
pub use principal::Proved;
pub use proof::Answer;
pub use proof::Question;
pub use resumption::Resumption;
pub use shown::Shown;
pub use spoken::Spoken;
pub use step::Outcome;
pub use step::Step;
pub use teap::TeapBinding;
pub use teap::TeapCertificate;
pub use teap::TeapIdentity;
pub use teap::TeapKeys;
pub use teap::TeapMessage;
pub use teap::TeapSettings;
pub use ttls::Avp;
pub use ttls::Avps;
pub use ttls::BadAvp;
