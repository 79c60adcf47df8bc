//! Bodies that are read before it is known what is to be done with them, in bounded memory for all
//! together: what one client may send so is little, but it may send as many at once as it likes.

use std::fmt;
use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;
use std::task::Poll;
use std::time::Duration;

use tokio::time::timeout;
use tracing::debug;

use crate::mail::Reply;
use crate::net::body::Cut;
use crate::net::body::Source;
use crate::net::http1::Buffer;

use super::Front;

/// The memory of all bodies that are being read so.
#[derive(Clone, Debug, Default)]
pub(super) struct Room(Arc<AtomicUsize>);

/// What one of them has of it.
#[derive(Debug)]
struct Share {
    room: Room,
    octets: usize,
}

impl Share {
    /// Has so much from now on, if there is room.
    fn set(&mut self, octets: usize) -> bool {
        let before = std::mem::replace(&mut self.octets, octets);
        let taken = &self.room.0;
        let Some(more) = octets.checked_sub(before) else {
            taken.fetch_sub(before - octets, Ordering::Relaxed);
            return true;
        };
        taken.fetch_add(more, Ordering::Relaxed) + more <= MOST
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.room.0.fetch_sub(self.octets, Ordering::Relaxed);
    }
}

/// What was read of a body.
#[derive(Debug)]
pub(super) struct Gathered {
    octets: Buffer,
    is_whole: bool,
    _share: Share,
}

impl Gathered {
    /// The octets that have come.
    pub(super) fn octets(&self) -> &[u8] {
        self.octets.filled()
    }

    /// The same, if they are all that comes.
    pub(super) fn whole(&self) -> Option<&[u8]> {
        self.is_whole.then(|| self.octets.filled())
    }
}

/// Why a body was not read.
#[derive(Debug)]
enum NotGathered {
    /// It did not arrive.
    Cut(Cut),
    /// Others take all of the memory.
    NoRoom,
}

impl NotGathered {
    /// What its client is told.
    fn reply(&self, front: &Front) -> Reply {
        match self {
            Self::Cut(Cut::Malformed(_)) => Reply::body_malformed(),
            Self::Cut(Cut::Broken(_) | Cut::Slow | Cut::Silent | Cut::Revoked) => {
                Reply::body_missing()
            }
            Self::NoRoom => {
                front.counters.no_room(front.clock.now().monotonic);
                front.gateway.come_again()
            }
        }
    }
}

impl fmt::Display for NotGathered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cut(cut) => cut.fmt(f),
            Self::NoRoom => f.write_str("too many bodies are being read"),
        }
    }
}

/// Reads a body to its end, or a piece beyond `limit` octets.
///
/// # Errors
///
/// What its client is told, if it does not arrive or there is no room for it.
pub(super) async fn gather(
    front: &Front,
    source: &mut impl Source,
    limit: usize,
) -> Result<Gathered, Reply> {
    let (room, patience) = (&front.counters.bodies, front.limits.body);
    let read = read(room, source, limit, patience).await;
    read.map_err(|error| {
        debug!(%error, "a client's body is not read");
        error.reply(front)
    })
}

/// The same; its sender is waited for so long.
async fn read(
    room: &Room,
    source: &mut impl Source,
    limit: usize,
    patience: Duration,
) -> Result<Gathered, NotGathered> {
    let mut octets = Buffer::default();
    let mut share = Share {
        room: room.clone(),
        octets: 0,
    };
    let gathering = poll_fn(|context| {
        while octets.len() <= limit {
            match source.poll_octets(context, &mut octets, false) {
                Poll::Ready(Ok(0)) => return Poll::Ready(Ok(true)),
                Poll::Ready(Ok(_)) if share.set(octets.memory()) => {}
                Poll::Ready(Ok(_)) => return Poll::Ready(Err(NotGathered::NoRoom)),
                Poll::Ready(Err(cut)) => return Poll::Ready(Err(NotGathered::Cut(cut))),
                Poll::Pending => {
                    octets.park();
                    share.set(octets.memory());
                    return Poll::Pending;
                }
            }
        }
        Poll::Ready(Ok(false))
    });
    let is_whole = timeout(patience, gathering)
        .await
        .unwrap_or(Err(NotGathered::Cut(Cut::Slow)))?;
    Ok(Gathered {
        octets,
        is_whole,
        _share: share,
    })
}

/// A thousand of the largest at once; those of usual commands have some hundred octets.
const MOST: usize = 256 << 20;

#[cfg(test)]
mod tests {
    use std::future::Future;
    use std::task::Context;
    use std::task::Waker;

    use super::*;

    /// A client that sends so many octets, and nothing more.
    struct Sends(usize);

    impl Source for Sends {
        fn poll_octets(
            &mut self,
            _: &mut Context<'_>,
            to: &mut Buffer,
            _: bool,
        ) -> Poll<Result<usize, Cut>> {
            let count = std::mem::take(&mut self.0);
            if count == 0 {
                return Poll::Pending;
            }
            to.append(&vec![0; count]);
            Poll::Ready(Ok(count))
        }
    }

    const PATIENCE: Duration = Duration::from_secs(20);
    const BODY: usize = 256 << 10;

    #[tokio::test]
    async fn bodies_that_do_not_end_take_no_more_memory_than_there_is_for_all() {
        let room = Room::default();
        let body = || {
            let room = room.clone();
            Box::pin(async move { read(&room, &mut Sends(BODY - 1), BODY, PATIENCE).await })
        };
        let mut all: Vec<_> = (0..1030).map(|_| body()).collect();
        let mut context = Context::from_waker(Waker::noop());
        let polled = all.iter_mut().map(|one| one.as_mut().poll(&mut context));
        let refused = |polled: &Poll<_>| matches!(polled, Poll::Ready(Err(NotGathered::NoRoom)));
        let refused = polled.filter(refused).count();
        assert!((1..30).contains(&refused), "{refused} of 1,030");
        drop(all);
        assert_eq!(room.0.load(Ordering::Relaxed), 0, "all of it is free again");
    }

    #[tokio::test]
    async fn a_body_that_was_read_has_its_memory_until_it_is_dropped() {
        let room = Room::default();
        let gathered = read(&room, &mut Sends(BODY + 1), BODY, PATIENCE).await;
        let gathered = gathered.unwrap();
        assert_eq!(gathered.whole(), None);
        assert!(room.0.load(Ordering::Relaxed) > BODY);
        drop(gathered);
        assert_eq!(room.0.load(Ordering::Relaxed), 0);
    }
}
