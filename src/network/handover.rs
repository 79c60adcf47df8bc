//! Datagrams for a conversation that another loop has: a NAS may change its source port in
//! mid-conversation, and its datagrams come to another loop then.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use crate::model::Now;
use crate::network::Door;
use crate::network::conversation::State;
use crate::network::discard::Discarded;
use crate::network::server::Server;
use crate::radius::AccessRequest;
use crate::radius::Nas;
use crate::radius::Packet;

/// A datagram that belongs to a conversation of another loop.
pub struct Handover {
    worker: u8,
    door: Door,
    from: SocketAddr,
    /// Who sent it, where the address does not tell.
    nas: Option<Arc<Nas>>,
    octets: Box<[u8]>,
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
    /// Takes in a datagram that another loop received. It is verified again, here.
    pub fn handle_handover(&mut self, now: Now, handover: Handover) {
        let Handover {
            door, from, nas, ..
        } = &handover;
        // The shell of another loop has the connection; what is wrong is counted.
        self.take_in(now, *door, *from, nas.as_ref(), &handover.octets);
    }

    /// Takes back a datagram for which the other loop has no place: its NAS will send it again.
    pub fn handle_refused_handover(&mut self, handover: Handover) {
        drop(handover);
        self.counters.discard(Discarded::HandoverFull);
    }

    /// The next datagram for another loop.
    pub fn poll_handover(&mut self) -> Option<Handover> {
        self.handovers.pop_front()
    }

    /// Puts a datagram aside for its loop.
    pub(super) fn hand_over(
        &mut self,
        worker: u8,
        door: Door,
        from: SocketAddr,
        nas: &Arc<Nas>,
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
            nas: (door == Door::STREAM).then(|| Arc::clone(nas)),
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
