//! Why a datagram was dropped without an answer.

use crate::radius::DropReason;

/// A reason of the codec's, or one of the server's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Discarded {
    /// The packet itself.
    Packet(DropReason),
    /// An EAP message that does not fit the state of its conversation.
    Eap,
    /// Every place for a conversation is taken.
    ConversationsFull,
    /// The handshake workers have no place.
    Overloaded,
    /// Another worker's queue is full.
    HandoverFull,
}

impl Discarded {
    pub(super) const COUNT: usize = DropReason::ALL.len() + 4;

    pub(super) fn all() -> impl Iterator<Item = Self> {
        DropReason::ALL.into_iter().map(Self::Packet).chain([
            Self::Eap,
            Self::ConversationsFull,
            Self::Overloaded,
            Self::HandoverFull,
        ])
    }

    pub(super) const fn index(self) -> usize {
        match self {
            Self::Packet(reason) => reason.index(),
            Self::Eap => DropReason::ALL.len(),
            Self::ConversationsFull => DropReason::ALL.len() + 1,
            Self::Overloaded => DropReason::ALL.len() + 2,
            Self::HandoverFull => DropReason::ALL.len() + 3,
        }
    }

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Packet(reason) => reason.name(),
            Self::Eap => "eap_out_of_order",
            Self::ConversationsFull => "conversations_full",
            Self::Overloaded => "overloaded",
            Self::HandoverFull => "handover_full",
        }
    }
}

impl From<DropReason> for Discarded {
    fn from(reason: DropReason) -> Self {
        Self::Packet(reason)
    }
}
