//! Conversations that come back from where they were worked on or asked about.

use std::time::Duration;

use crate::eap::Conversation;
use crate::eap::Step;
use crate::model::Now;
use crate::network::Settings;
use crate::network::away::Asked;
use crate::network::away::Parted;
use crate::network::conversation::Slot;
use crate::network::eap::Round;
use crate::network::server::Server;

impl Server {
    /// A conversation that was away takes its place again; `None` if that was given to another one.
    pub(super) fn rejoined<'a>(
        &mut self,
        settings: &'a Settings,
        asked: &'a Asked<'a>,
        parted: Parted,
        conversation: Box<Conversation>,
    ) -> Option<(Round<'a>, Slot)> {
        if !self.conversations.rejoin(parted.state) {
            self.forget(asked);
            return None;
        }
        let round = Round {
            asked,
            settings,
            wants_key_name: parted.wants_key_name,
            state: Some(parted.state),
            delay: Duration::ZERO,
        };
        let slot = Slot {
            conversation,
            judge: parted.judge,
            standing: parted.standing,
        };
        Some((round, slot))
    }

    /// Goes on with a conversation whose flight has been worked on.
    pub(in crate::network) fn resume_conversation(
        &mut self,
        now: Now,
        settings: &Settings,
        asked: &Asked<'_>,
        parted: Parted,
        conversation: Box<Conversation>,
        step: Step,
    ) {
        let Some((round, mut slot)) = self.rejoined(settings, asked, parted, conversation) else {
            return;
        };
        slot.standing.worked = true;
        self.take_step(now, &round, slot, step);
    }

    /// Puts a conversation back whose work was not done; it waits for the same request again.
    pub(in crate::network) fn take_back(
        &mut self,
        parted: Parted,
        conversation: Box<Conversation>,
    ) {
        if self.conversations.rejoin(parted.state) {
            let slot = Slot {
                conversation,
                judge: parted.judge,
                standing: parted.standing,
            };
            self.conversations.wait(parted.state, slot);
        }
    }
}
