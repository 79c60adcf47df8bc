//! Why a datagram was dropped without an answer.

use crate::radius::DropReason;

/// A reason of the codec's, or one of the server's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Discarded {
    /// The packet itself.
    Packet(DropReason),
    /// An EAP message that does not fit the state of its conversation.
    Eap,
    /// Every place for a conversation is taken by one that has made progress.
    ConversationsFull,
    /// The source has its share of the places.
    ShareFull,
    /// A job for the same conversation is under way.
    ConversationBusy,
    /// A State of a round that has been answered, or of a conversation that has just ended.
    RoundOver,
    /// The handshake workers have no place.
    Overloaded,
    /// Another worker's queue is full.
    HandoverFull,
    /// The reply would be longer than a packet: the configured attributes and what the request
    /// wants back do not fit.
    ReplyTooLong,
    /// What it reports could not be recorded.
    Unrecorded,
    /// We have forwarded it before: it goes round in a circle.
    Loop,
    /// No home server of its realm answers.
    HomeSilent,
    /// Nobody who knows the password has answered, and the NAS is to ask elsewhere.
    Unavailable,
}

impl Discarded {
    pub(super) const COUNT: usize = DropReason::ALL.len() + Self::OWN.len();

    /// Those of the server, in the order of their indices.
    const OWN: [Self; 12] = [
        Self::Eap,
        Self::ConversationsFull,
        Self::ShareFull,
        Self::ConversationBusy,
        Self::Overloaded,
        Self::HandoverFull,
        Self::ReplyTooLong,
        Self::Unrecorded,
        Self::Loop,
        Self::HomeSilent,
        Self::Unavailable,
        Self::RoundOver,
    ];

    pub(super) fn all() -> impl Iterator<Item = Self> {
        DropReason::ALL
            .into_iter()
            .map(Self::Packet)
            .chain(Self::OWN)
    }

    pub(super) const fn index(self) -> usize {
        match self {
            Self::Packet(reason) => reason.index(),
            Self::Eap => DropReason::ALL.len(),
            Self::ConversationsFull => DropReason::ALL.len() + 1,
            Self::ShareFull => DropReason::ALL.len() + 2,
            Self::ConversationBusy => DropReason::ALL.len() + 3,
            Self::Overloaded => DropReason::ALL.len() + 4,
            Self::HandoverFull => DropReason::ALL.len() + 5,
            Self::ReplyTooLong => DropReason::ALL.len() + 6,
            Self::Unrecorded => DropReason::ALL.len() + 7,
            Self::Loop => DropReason::ALL.len() + 8,
            Self::HomeSilent => DropReason::ALL.len() + 9,
            Self::Unavailable => DropReason::ALL.len() + 10,
            Self::RoundOver => DropReason::ALL.len() + 11,
        }
    }

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Packet(reason) => reason.name(),
            Self::Eap => "eap_out_of_order",
            Self::ConversationsFull => "conversations_full",
            Self::ShareFull => "share_full",
            Self::ConversationBusy => "conversation_busy",
            Self::Overloaded => "overloaded",
            Self::HandoverFull => "handover_full",
            Self::ReplyTooLong => "reply_too_long",
            Self::Unrecorded => "accounting_unrecorded",
            Self::Loop => "proxy_loop",
            Self::HomeSilent => "home_silent",
            Self::Unavailable => "directory_unavailable",
            Self::RoundOver => "round_over",
        }
    }
}

impl From<DropReason> for Discarded {
    fn from(reason: DropReason) -> Self {
        Self::Packet(reason)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_reason_has_its_own_place_and_name() {
        let mut names = HashSet::new();
        for (place, why) in Discarded::all().enumerate() {
            assert_eq!(why.index(), place, "row {why:?}");
            assert!(names.insert(why.name()), "row {why:?}");
        }
        assert_eq!(names.len(), Discarded::COUNT);
    }
}
