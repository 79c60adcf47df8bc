//! RADIUS octets, signatures, duplicates and the NAS table.
//!
//! This room turns datagrams into verified requests and answers into signed datagrams. It must
//! never know what is decided, nor a socket, a clock or a file; randomness and time are arguments.
//! Decoding, verifying and encoding work on borrowed slices and do not allocate.
//!
//! Order of checks for a datagram, cheapest and most telling first:
//!
//! 1. [`NasTable::find`]: the source address has a secret, else drop;
//! 2. [`Packet::new_checked`]: lengths are sound (*ok*);
//! 3. [`DuplicateCache::find`]: a retransmission gets its reply again;
//! 4. [`verify()`]: the code, the Message-Authenticator, the Request Authenticator (*verify*); only
//!    now may [`DuplicateCache::begin`] remember it;
//! 5. [`Verified::request`]: attributes that contradict each other (*decode*);
//! 6. [`Reply`]: attributes and signatures (*encode*, *sign*).
//!
//! What fails is dropped without an answer and counted by [`DropReason`].
//!
//! Implemented: RFC 2865 sections 3, 4, 5 (as a server); RFC 2866; RFC 2868 section 3; RFC 2869
//! section 5; RFC 3162 section 2; RFC 3579 sections 2 and 3; RFC 3580 sections 3.10, 3.20 and 3.31;
//! RFC 5080 section 2.2.2; RFC 5997; RFC 6929 sections 2 and 3 and RFC 8044 section 3 (as a
//! writer); RFC 2548 section 2.4; RFC 2865
//! section 2.3 and RFC 7542 (proxies, realms); RFC 9765 (RADIUS/1.1). Left out so far: dynamic authorization (RFC 5176) beyond its
//! codes, DTLS (RFC 7360). Over TLS (RFC 6613, 6614) a packet is the same; [`next_packet`] finds it in
//! the stream and [`PeerTable`] whose it is.
//!
//! Names of attributes come from dictionaries in FreeRADIUS's text format ([`Dictionary`]), which
//! no packet needs: what is configured is encoded when it is loaded ([`Template`], [`Prepared`]).
//!
//! Departures from the RFCs carry the word RFC-DEVIATION where they are made.
//!
//! Start at [`Packet`] for octets, at [`verify()`] for trust and at [`Reply`] for answers. The probe
//! and the tests, which are clients, start at [`RequestBuilder`].

mod attribute;
mod authenticator;
mod claims;
mod client;
mod code;
mod dictionary;
mod discovery;
mod duplicate;
mod dynamic;
mod encode;
mod error;
mod filter;
mod hidden;
mod home;
mod lanes;
mod mschap;
mod nai;
mod nas;
mod packet;
mod peer;
mod realm;
mod reply;
mod request;
mod reverse;
mod seal;
mod station;
mod template;
mod token;
mod transport;
mod verify;
mod version11;

pub use attribute::Attribute;
pub use attribute::AttributeType;
pub use attribute::Attributes;
pub use attribute::EapMessage;
pub use attribute::MAX_VALUE;
pub use attribute::VendorAttributes;
pub use attribute::VendorId;
pub use attribute::VendorSpecific;
pub use authenticator::MessageAuthenticator;
pub use authenticator::RequestAuthenticator;
pub use authenticator::ResponseAuthenticator;
pub use authenticator::SharedSecret;
pub use claims::DeviceClaims;
pub use client::RequestBuilder;
pub use client::Signature;
pub use client::VerifiedReply;
pub use client::verify_reply;
pub use code::Code;
pub use dictionary::DataType;
pub use dictionary::Definition;
pub use dictionary::Dictionary;
pub use dictionary::Fault;
pub use dictionary::Hiding;
pub use dictionary::Space;
pub use dictionary::SyntaxError;
pub use dictionary::VendorFormat;
pub use discovery::Lead;
pub use discovery::MAX_LEADS;
pub use discovery::MAX_SERVERS;
pub use discovery::Naptr;
pub use discovery::Srv;
pub use discovery::leads;
pub use discovery::realm_to_look_up;
pub use discovery::servers;
pub use duplicate::DuplicateCache;
pub use duplicate::DuplicateLimits;
pub use duplicate::Lookup;
pub use duplicate::Ticket;
pub use dynamic::ErrorCause;
pub use encode::EncodeError;
pub use error::DropReason;
pub use error::Malformed;
pub use error::NasMisbehaved;
pub use error::Unauthentic;
pub use filter::AttributeFilter;
pub use filter::FilterError;
pub use hidden::MAX_PASSWORD;
pub use hidden::MppeKeys;
pub use hidden::Password;
pub use hidden::Salt;
pub use home::Carried;
pub use home::Forward;
pub use home::Returned;
pub use lanes::Lanes;
pub use mschap::MsChap;
pub use nai::bears_realm;
pub use nas::DynamicAuthorization;
pub use nas::MessageAuthenticatorPolicy;
pub use nas::Nas;
pub use nas::NasConfig;
pub use nas::NasError;
pub use nas::NasTable;
pub use packet::HEADER;
pub use packet::MAX_ATTRIBUTES;
pub use packet::MAX_PACKET;
pub use packet::Packet;
pub use peer::PeerConfig;
pub use peer::PeerError;
pub use peer::PeerName;
pub use peer::PeerNameError;
pub use peer::PeerTable;
pub use peer::Stranger;
pub use realm::RealmTable;
pub use realm::realm_of;
pub use reply::Reply;
pub use request::AccessRequest;
pub use request::AccountingRequest;
pub use request::AcctStatusType;
pub use request::ChapResponse;
pub use request::Offered;
pub use request::Request;
pub use request::StatusServer;
pub use reverse::NOT_ROUTABLE;
pub use reverse::refuse_reverse;
pub use seal::Unsealed;
pub use seal::sign_each;
pub use template::Prepared;
pub use template::Template;
pub use template::TemplateError;
pub use template::Values;
pub use template::Variable;
pub use token::answer_11;
pub use token::status_server_11;
pub use token::token_of;
pub use transport::Broken;
pub use transport::RADSEC_SECRET;
pub use transport::Transport;
pub use transport::next_packet;
pub use verify::HeldOrigin;
pub use verify::Origin;
pub use verify::Verified;
pub use verify::verify;
pub use verify::verify_each;
pub use version11::Untranslatable;
pub use version11::Version11;
