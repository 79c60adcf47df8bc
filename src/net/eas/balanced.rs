//! Connections that a load balancer hands on: they begin with whose they are, and are bounded by
//! that client's address and not by the balancer's.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::timeout;

use crate::mail::network;
use crate::net::places::Most;
use crate::net::places::Place;
use crate::net::proxy_header::Ends;
use crate::net::proxy_header::MAX_LENGTH;
use crate::net::proxy_header::NoHeader;
use crate::net::proxy_header::Read;
use crate::net::proxy_header::read;

use super::Lane;
use super::unless_stopped;

/// From the balancer's header to the close.
pub(super) async fn connection(
    lane: &Arc<Lane>,
    mut stream: TcpStream,
    balancer: SocketAddr,
    mut stop: watch::Receiver<bool>,
) {
    let front = &lane.front;
    let turn_away = || {
        front.counters.turned_away.fetch_add(1, Ordering::Relaxed);
    };
    let most = front.limits.most();
    // Until it is known whose it is, the bound on all is the only one.
    let of_balancer = Most {
        of_address: most.all,
        ..most
    };
    let places = &front.counters.places;
    let Some(waiting) = Place::take(places, of_balancer, balancer.ip()) else {
        turn_away();
        return;
    };
    let header = timeout(front.limits.handshake, read_header(&mut stream));
    let header = unless_stopped(&mut stop, header).await;
    let Some(ends) = header.and_then(Result::ok).flatten() else {
        let failed = &front.counters.handshakes_failed;
        failed.fetch_add(1, Ordering::Relaxed);
        return;
    };
    drop(waiting);
    let Some(place) = Place::take(places, most, network(ends.from.ip())) else {
        turn_away();
        return;
    };
    super::connection(lane, stream, ends, stop).await;
    drop(place);
}

/// Reads the header and nothing beyond it; `None` when there is none. A connection that the balancer
/// has opened itself, a health check mostly, is its own.
async fn read_header(stream: &mut TcpStream) -> Option<Ends> {
    let mut octets = [0; MAX_LENGTH];
    let mut seen = 0;
    loop {
        // Only looked at: what follows the header is the client's.
        let length = stream.peek(&mut octets).await.ok()?;
        match read(octets.get(..length)?) {
            Ok(Read { length, ends }) => {
                stream.read_exact(octets.get_mut(..length)?).await.ok()?;
                return match ends {
                    Some(ends) => Some(ends),
                    None => Some(Ends {
                        from: stream.peer_addr().ok()?,
                        to: stream.local_addr().ok()?,
                    }),
                };
            }
            // It has come in pieces, which is rare: the rest follows at once or never.
            Err(NoHeader::Short) if length > seen => seen = length,
            Err(NoHeader::Short) if length > 0 && length < MAX_LENGTH => {
                tokio::time::sleep(PIECES).await;
            }
            Err(NoHeader::Short | NoHeader::Bad) => return None,
        }
    }
}

/// Between looks at a header that comes in pieces.
const PIECES: std::time::Duration = std::time::Duration::from_millis(5);
