//! The RADIUS server without sockets: datagrams in, replies, jobs and records out.
//!
//! One [`Server`] for each packet loop. It owns that loop's conversations, duplicates and
//! counters as plain maps; what loops share is in [`Shared`]. It never learns how a decision is
//! made (that is `access`) nor what TLS is (that is `eap`).
//!
//! A datagram goes through these steps, and the first that fails drops it, counted:
//!
//! 1. its source is a NAS of the table, else it is not even read;
//! 2. *ok*: lengths and shape ([`radius::Packet`](crate::radius::Packet));
//! 3. a retransmission gets the stored reply (RFC 5080 section 2.2.2);
//! 4. *verify*: Message-Authenticator, or the Request Authenticator of accounting;
//! 5. *decode*: an Access-Request, an Accounting-Request or a Status-Server;
//! 6. if its State names another loop, the datagram goes there;
//! 7. if its realm is another server's, it goes there and is judged when it comes back; else
//!    the method: EAP, MAC authentication bypass or PAP, and the decision;
//! 8. *encode* and *sign* the reply, Message-Authenticator first;
//! 9. a reply to accounting leaves when what it answers is on record
//!    ([`Server::handle_recorded`]).
//!
//! Datagrams that come together ([`Server::handle_datagrams`]) go the same way, but that the
//! inventory is read ahead and signatures are computed for all of them at once.
//!
//! # Bounds
//!
//! Nothing here grows with what is sent. Conversations have [`Config::conversations`] places, of
//! which one source may have three quarters in progress; when all are taken, the oldest whose peer
//! has not answered gives way. Each step may take [`Config::patience`], the whole twice that.
//! Passwords under way, rejects that wait, wrong passwords remembered, datagrams for other loops and
//! stored replies have limits of their own. What finds no place is dropped, counted by reason, and answered when its NAS asks again.

mod abandon;
mod accounting;
mod admission;
mod arrival;
mod attempt;
mod away;
mod brake;
mod challenge;
mod chance;
mod charging;
mod check;
mod claims;
mod context;
mod conversation;
mod counters;
mod decision;
mod delay;
mod discard;
mod dynamic;
mod eap;
mod enforce;
mod forward;
mod guess;
mod handover;
mod job;
mod judge;
mod kept;
mod ledger;
mod methods;
mod outbox;
mod password;
mod proxy;
mod reaction;
mod refuse;
mod server;
mod shared;
mod stream;

pub use admission::Admissions;
pub use arrival::MAX_BATCH;
pub use away::MAX_FORWARDS;
pub use away::MAX_INQUIRIES;
pub use brake::Swept;
pub use charging::ChargingKey;
pub use check::Answer;
pub use check::Check;
pub use check::Inquiry;
pub use check::LookUp;
pub use check::Passwords;
pub use check::Why;
pub use counters::Counter;
pub use counters::Counters;
pub use dynamic::Dynamic;
pub use dynamic::DynamicCounters;
pub use dynamic::Reach;
pub use enforce::Enforcement;
pub use enforce::Profile;
pub use enforce::Profiles;
pub use handover::Handover;
pub use job::Done;
pub use job::Inquiring;
pub use job::Job;
pub use job::Lane;
pub use kept::At;
pub use kept::Restored;
pub use methods::INSIDE;
pub use methods::Method;
pub use methods::MethodSet;
pub use methods::Methods;
pub use outbox::Transmit;
pub use proxy::Discovered;
pub use proxy::Discovery;
pub use proxy::Filters;
pub use proxy::Forwarding;
pub use proxy::Found;
pub use proxy::FoundServer;
pub use proxy::Health;
pub use proxy::Home;
pub use proxy::HomeConfig;
pub use proxy::HomeCounters;
pub use proxy::LinkId;
pub use proxy::Nobody;
pub use proxy::Proxy;
pub use proxy::Route;
pub use proxy::Routes;
pub use proxy::SOCKETS;
pub use proxy::Spoken;
pub use proxy::TlsWay;
pub use proxy::Via;
pub use proxy::Way;
pub use reaction::Reaction;
pub use reaction::Reactions;
pub use server::Server;
pub use shared::Settings;
pub use shared::Shared;

use std::net::IpAddr;
use std::time::Duration;

use crate::access::Silence;

/// Longest RADIUS packet (RFC 2865 section 3).
pub const MAX_PACKET: usize = crate::radius::MAX_PACKET;

/// What is expected at a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Access-Request.
    Authentication,
    /// Accounting-Request.
    Accounting,
    /// Either, on a TLS connection: RADIUS over TLS has one port for both (RFC 6614 section 2.1).
    Both,
}

/// How far the workers are behind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Backlog {
    /// A conversation that begins now is worked on soon.
    #[default]
    Short,
    /// It would have to wait: sources that have several in progress begin no more, so that a
    /// flood from behind some NASes leaves the others a way in.
    Long,
    /// It would wait for too long: nobody begins one.
    TooLong,
}

/// Where a datagram came in, and its reply goes out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Door {
    /// What is expected there.
    pub role: Role,
    /// The loop's number for the socket; [`Door::STREAM`] has none.
    pub socket: u8,
    /// The address of ours that was asked, where the socket listens on all of them: the reply has
    /// to come from there (RFC 2865 section 3). `None` where the socket has but one.
    pub local: Option<IpAddr>,
}

impl Door {
    /// A TLS connection. The address it comes from tells it from the others.
    pub const STREAM: Self = Self {
        role: Role::Both,
        socket: u8::MAX,
        local: None,
    };
}

/// Bounds of one loop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    /// EAP conversations under way at one time. Beyond that a new one takes the place of the
    /// oldest whose peer has not answered the method yet, or of one whose peer has fallen
    /// silent for half a second, or is dropped where there is none; those with progress finish.
    /// Default 4,096, what one core can finish in a second: at 14 KiB each, 56 MiB a loop.
    pub conversations: usize,
    /// How long a conversation may wait for its peer, and for a worker; all of it may last twice
    /// as long. Default 30 s: the time that access points give a supplicant before they begin
    /// anew.
    pub patience: Duration,
    /// Largest EAP packet sent; Framed-MTU may lower it. Default 1024 octets.
    pub eap_packet: usize,
    /// Whether the Access-Accept names the authenticated user, so that accounting does too.
    /// Default true.
    pub user_name_in_accept: bool,
    /// How long after its request the Access-Reject to a password leaves, at the soonest. Default 1 s;
    /// below the 10 s for which a request is remembered, so that its retransmissions are known.
    pub reject_delay: Duration,
    /// Wrong passwords of one user at one NAS after which they are slowed; at least 1. Default 5.
    pub free_guesses: u32,
    /// The longest time for which none is looked at after another wrong one; zero slows nobody.
    /// Default 1 min.
    pub longest_wait: Duration,
    /// Whether a request gets an Access-Reject when nobody who knows the password has answered. A NAS
    /// that gets no answer asks elsewhere, and stops asking here. Default true.
    pub reject_when_unavailable: bool,
    /// When sessions are over of which nothing more is heard.
    pub silence: Silence,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            conversations: 4_096,
            patience: Duration::from_secs(30),
            eap_packet: 1024,
            user_name_in_accept: true,
            reject_delay: Duration::from_secs(1),
            free_guesses: 5,
            longest_wait: Duration::from_mins(1),
            reject_when_unavailable: true,
            silence: Silence::default(),
        }
    }
}
