//! Fragments of TLS messages: the L, M and S flags and the message length (RFC 5216 sections
//! 2.1.5 and 3.1).
//!
//! ```text
//!  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-
//! |L M S R R R R R|  TLS Message Length, if L     | TLS data ...
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-
//! ```
//!
//! Reserved bits are ignored. The announced length is never allocated from: memory grows with
//! the octets that really arrive.
#![warn(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

/// One fragment: the Type-Data of an EAP-TLS packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fragment<'a> {
    start: bool,
    more: bool,
    version: u8,
    announced: Option<u32>,
    data: &'a [u8],
}

impl<'a> Fragment<'a> {
    /// Reads flags and length.
    ///
    /// # Errors
    ///
    /// When the flags are missing, or the length that they announce.
    pub fn parse(type_data: &'a [u8]) -> Result<Self, FragmentError> {
        let [flags, rest @ ..] = type_data else {
            return Err(FragmentError::NoFlags);
        };
        let (announced, data) = if flags & LENGTH_INCLUDED == 0 {
            (None, rest)
        } else {
            let (length, data) = rest
                .split_first_chunk::<4>()
                .ok_or(FragmentError::NoLength)?;
            (Some(u32::from_be_bytes(*length)), data)
        };
        Ok(Self {
            start: flags & START != 0,
            more: flags & MORE_FRAGMENTS != 0,
            version: flags & VERSION,
            announced,
            data,
        })
    }

    /// The same of TEAP, where a packet may say how many octets of outer TLVs stand at its end (RFC
    /// 9930 section 4.1); gives them apart, empty if it does not say so.
    ///
    /// # Errors
    ///
    /// As [`Fragment::parse`], and when there are fewer octets than said.
    pub fn parse_with_outer(type_data: &'a [u8]) -> Result<(Self, &'a [u8]), FragmentError> {
        let fragment = Self::parse(type_data)?;
        if type_data
            .first()
            .is_none_or(|flags| flags & OUTER_TLVS == 0)
        {
            return Ok((fragment, &[]));
        }
        let split = || {
            let (length, rest) = fragment.data.split_first_chunk::<4>()?;
            let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
            rest.split_at_checked(rest.len().checked_sub(length)?)
        };
        let (data, outer) = split().ok_or(FragmentError::Outer)?;
        Ok((Self { data, ..fragment }, outer))
    }

    /// Whether the S flag is set: the server's first packet.
    #[must_use]
    pub const fn is_start(&self) -> bool {
        self.start
    }

    /// The method's version in the lowest bits, which EAP-TLS has none of.
    #[must_use]
    pub const fn version(&self) -> u8 {
        self.version
    }

    /// Whether this only acknowledges the other side's fragment: no flag, no data.
    #[must_use]
    pub const fn is_acknowledgement(&self) -> bool {
        !self.start && !self.more && self.announced.is_none() && self.data.is_empty()
    }
}

/// The Type-Data of the server's first packet.
pub(super) const START_DATA: [u8; 1] = [START];

/// Flags of the first packet of a server of TEAP: start, outer TLVs, version 1.
pub(super) const TEAP_START: u8 = START | OUTER_TLVS | 1;

/// The most that one message may hold. A flight with two chains of 4 KiB is under 16 KiB; a
/// message that announces or reaches more ends the conversation.
pub const MAX_MESSAGE: usize = 64 * 1024;

/// Joins the fragments of one message after the other.
#[derive(Debug, Default)]
pub struct Reassembler {
    message: Vec<u8>,
    announced: Option<u32>,
}

impl Reassembler {
    /// Whether a first fragment is here and more are to come.
    #[must_use]
    pub const fn is_waiting(&self) -> bool {
        !self.message.is_empty()
    }

    /// Adds a fragment. The length is demanded with the first fragment of several, tolerated and
    /// compared elsewhere.
    ///
    /// # Errors
    ///
    /// When the fragment breaks the rules. Nothing was taken from a fragment whose error is not
    /// [fatal](FragmentError::is_fatal).
    pub fn push(&mut self, fragment: &Fragment<'_>) -> Result<Progress, FragmentError> {
        if fragment.start {
            return Err(FragmentError::Start);
        }
        if fragment.data.is_empty() {
            return Err(FragmentError::Empty);
        }
        if fragment.more && fragment.announced.is_none() && !self.is_waiting() {
            return Err(FragmentError::NoLength);
        }
        let announced = self.announced.or(fragment.announced);
        let received = self.message.len().saturating_add(fragment.data.len());
        if let Some(length) = announced {
            if usize::try_from(length).map_or(true, |length| length > MAX_MESSAGE) {
                return Err(FragmentError::TooLong);
            }
            let agrees = fragment.announced.is_none_or(|again| again == length);
            let fits = usize::try_from(length).is_ok_and(|length| {
                if fragment.more {
                    received < length
                } else {
                    received == length
                }
            });
            if !agrees || !fits {
                return Err(FragmentError::Mismatch {
                    announced: length,
                    received,
                });
            }
        }
        if received > MAX_MESSAGE {
            return Err(FragmentError::TooLong);
        }
        self.message.extend_from_slice(fragment.data);
        if fragment.more {
            self.announced = announced;
            return Ok(Progress::More);
        }
        self.announced = None;
        Ok(Progress::Whole(std::mem::take(&mut self.message)))
    }
}

/// What a fragment led to.
#[derive(Debug, PartialEq, Eq)]
pub enum Progress {
    /// More are to come: acknowledge this one.
    More,
    /// The message is whole.
    Whole(Vec<u8>),
}

/// Cuts one message into the Type-Data of packets. What has been handed out is not kept.
#[derive(Debug)]
pub struct Fragmenter {
    /// What is still to be handed out; `None` after the last fragment.
    rest: Option<Vec<u8>>,
    first: bool,
    room: usize,
    version: u8,
}

impl Fragmenter {
    /// `room` is the octets of Type-Data in a packet, flags included; at least 6 are used, so
    /// that each fragment carries something.
    #[must_use]
    pub fn new(message: Vec<u8>, room: usize) -> Self {
        Self {
            rest: Some(message),
            first: true,
            room: room.max(SMALLEST_ROOM),
            version: 0,
        }
    }

    /// Of a method with another version than 0.
    #[must_use]
    pub fn of_version(mut self, version: u8) -> Self {
        self.version = version;
        self
    }

    /// The next Type-Data; `None` when all has been handed out. An empty message is one packet
    /// without data.
    pub fn next_fragment(&mut self) -> Option<Vec<u8>> {
        let mut rest = self.rest.take()?;
        let first = std::mem::replace(&mut self.first, false);
        let whole = first && rest.len() < self.room;
        let announces = first && !whole;
        let head = if announces { 5 } else { 1 };
        let taken = rest.len().min(self.room.saturating_sub(head));
        let more = taken < rest.len();

        let mut octets = Vec::with_capacity(head.saturating_add(taken));
        let mut flags = self.version & VERSION;
        if more {
            flags |= MORE_FRAGMENTS;
        }
        if announces {
            flags |= LENGTH_INCLUDED;
        }
        octets.push(flags);
        if announces {
            let length = u32::try_from(rest.len()).unwrap_or(u32::MAX);
            octets.extend_from_slice(&length.to_be_bytes());
        }
        octets.extend(rest.drain(..taken));
        if more {
            if first {
                // It waits for the peer, as thousands may.
                rest.shrink_to_fit();
            }
            self.rest = Some(rest);
        }
        Some(octets)
    }

    /// Whether all has been handed out.
    #[must_use]
    pub const fn is_done(&self) -> bool {
        self.rest.is_none()
    }
}

/// Why a fragment is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FragmentError {
    /// Type-Data without the flags octet.
    #[error("the flags are missing")]
    NoFlags,
    /// The length is announced and missing, or missing from the first of several fragments.
    #[error("the message length is missing")]
    NoLength,
    /// A peer set the S flag.
    #[error("only the server sends the start flag")]
    Start,
    /// A fragment without data where data is due.
    #[error("a fragment without data")]
    Empty,
    /// Data where an acknowledgement is due.
    #[error("data instead of an acknowledgement")]
    NotAcknowledged,
    /// The fragments do not add up to what was announced, or a later fragment announces another
    /// length.
    #[error("{announced} octets were announced, {received} came")]
    Mismatch {
        /// The TLS Message Length.
        announced: u32,
        /// Octets up to and with this fragment.
        received: usize,
    },
    /// Fewer octets of outer TLVs than announced, or they stand where none may.
    #[error("outer TLVs that are cut off or out of place")]
    Outer,
    /// More than [`MAX_MESSAGE`].
    #[error("a TLS message of more than {MAX_MESSAGE} octets")]
    TooLong,
}

impl FragmentError {
    /// Whether the conversation is over. Else the packet is as if it had not come, and the peer
    /// is asked again.
    #[must_use]
    pub const fn is_fatal(self) -> bool {
        match self {
            Self::Mismatch { .. } | Self::TooLong => true,
            Self::NoFlags
            | Self::NoLength
            | Self::Start
            | Self::Empty
            | Self::NotAcknowledged
            | Self::Outer => false,
        }
    }
}

const LENGTH_INCLUDED: u8 = 0x80;
const MORE_FRAGMENTS: u8 = 0x40;
const START: u8 = 0x20;
const OUTER_TLVS: u8 = 0x10;
const VERSION: u8 = 0x07;

/// Flags, length and one octet.
const SMALLEST_ROOM: usize = 6;

#[cfg(test)]
#[allow(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "tests fail by panic"
)]
mod tests;
