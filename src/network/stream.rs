//! Packets that come over TLS (RFC 6613, RFC 6614). A connection is a source like an address and
//! port over UDP, and its certificate has told whose it is.

use std::net::SocketAddr;
use std::sync::Arc;

use crate::model::Now;
use crate::network::Door;
use crate::network::discard::Discarded;
use crate::network::server::Server;
use crate::radius::DropReason;
use crate::radius::Nas;

impl Server {
    /// Takes in a packet that `nas` sent over its TLS connection from `from`. It is handled like a
    /// datagram, but that the certificate has told whose it is.
    ///
    /// `false` for one that shows that the two sides do not understand each other: its attributes
    /// do not add up, or it is signed with another secret. The connection is to be closed then
    /// (RFC 6613 section 2.6.4).
    #[must_use]
    pub fn handle_packet(
        &mut self,
        now: Now,
        from: SocketAddr,
        nas: &Arc<Nas>,
        octets: &[u8],
    ) -> bool {
        self.counters.received.count();
        let discarded = self.take_in(now, Door::STREAM, from, Some(nas), octets);
        !matches!(
            discarded,
            Some(Discarded::Packet(
                DropReason::Malformed
                    | DropReason::BadAuthenticator
                    | DropReason::BadMessageAuthenticator
            ))
        )
    }

    /// The TLS connection from `from` has ended: the replies that were kept for it must not be sent
    /// on another one (RFC 6613 section 2.6.1).
    pub fn handle_closed(&mut self, from: SocketAddr) {
        self.duplicates.forget_source(from);
    }
}
