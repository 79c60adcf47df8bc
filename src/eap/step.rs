//! What a conversation gives to whoever carries its packets.

use std::time::Duration;

use super::config::TlsVersion;
use super::error::Discard;
use super::error::Failed;
use super::key::Keys;
use super::packet::Type;
use super::principal::Principal;
use super::spoken::Spoken;
use crate::model::Verdict;

/// What a response led to.
#[derive(Debug)]
pub enum Step {
    /// Send this EAP-Request in an Access-Challenge.
    Request(Vec<u8>),
    /// Call [`Conversation::work`](super::Conversation::work) where cryptography may take its time.
    Work,
    /// Ask a directory what [`Conversation::question`](super::Conversation::question) says, and call [`Conversation::answer`](super::Conversation::answer).
    Ask,
    /// Wait for what [`Conversation::waits_for`](super::Conversation::waits_for) gives, off the packet
    /// loop, and call [`Conversation::settle`](super::Conversation::settle).
    Wait,
    /// The end: Access-Accept, or what the verdict Quarantine asks for.
    Success(Box<Outcome>),
    /// The end: Access-Reject.
    Failure(Failed),
    /// Nothing has changed.
    Discard(Discard),
}

/// A success, and what it established.
#[derive(Debug)]
pub struct Outcome {
    /// EAP-Success, for the Access-Accept.
    pub packet: [u8; 4],
    /// The method.
    pub method: Type,
    /// What was spoken.
    pub spoken: Spoken,
    /// For the NAS, and to name the conversation.
    pub keys: Keys,
    /// Who the peer proved to be.
    pub principal: Principal,
    /// The final answer of the [`Judge`](super::Judge), never Block.
    pub verdict: Verdict,
    /// TLS version.
    pub version: TlsVersion,
    /// Cipher suite, as rustls spells it.
    pub suite: &'static str,
    /// Whether an earlier handshake was resumed.
    pub resumed: bool,
    /// Requests that were sent.
    pub rounds: u16,
    /// From the peer's first packet to its last.
    pub elapsed: Duration,
}
