//! A NAS may change its source port in the middle of a conversation, and so the loop that its
//! packets come to: they are handed to the loop that has the conversation.

use std::fmt;
use std::net::SocketAddr;

use crate::network::Door;
use crate::network::conversation::State;
use crate::network::discard::Discarded;
use crate::network::server::Server;
use crate::radius::AccessRequest;
use crate::radius::Packet;

/// A datagram that belongs to a conversation of another loop.
pub struct Handover {
    worker: u8,
    pub(super) door: Door,
    pub(super) from: SocketAddr,
    pub(super) octets: Box<[u8]>,
}

impl Handover {
    /// The loop that it belongs to.
    #[must_use]
    pub const fn worker(&self) -> u8 {
        self.worker
    }
}

/// Without the octets: they name people.
impl fmt::Debug for Handover {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handover")
            .field("worker", &self.worker)
            .field("door", &self.door)
            .field("from", &self.from)
            .field("octets", &self.octets.len())
            .finish()
    }
}

impl Server {
    pub(super) fn hand_over(
        &mut self,
        worker: u8,
        door: Door,
        from: SocketAddr,
        packet: &Packet<'_>,
    ) -> Result<(), Discarded> {
        if self.handovers.len() >= MAX_HANDOVERS {
            return Err(Discarded::HandoverFull);
        }
        self.counters.handed_over.count();
        self.handovers.push_back(Handover {
            worker,
            door,
            from,
            octets: packet.octets().into(),
        });
        Ok(())
    }

    /// The loop that has the conversation of this request, if it is not this one.
    pub(super) fn other_loop(&self, request: &AccessRequest<'_>) -> Option<u8> {
        let worker = State::parse(request.state()?)?.worker();
        (worker != self.worker && worker < self.shared.loops).then_some(worker)
    }
}

/// Datagrams for other loops between two looks of the shell, which takes them after each batch of
/// far fewer. A NAS that changes its source port in mid-conversation is rare; what is dropped is
/// sent again.
const MAX_HANDOVERS: usize = 1024;
