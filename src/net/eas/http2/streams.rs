//! The streams of a connection, and what of their answers the client has not taken.
//!
//! The library asks for the next piece of an answer only when the client has given it a window for the
//! last, and holds what was handed to it for as long as the client likes. So each stream counts what
//! was handed over and what of that went out, and whoever serves the connection looks now and then
//! whether anything moved. A stream that waits for the mail server owes nothing, however long it waits.
//!
//! A stream may also stand because the window of the whole connection went to its neighbours. The
//! library gives that to one after the other, so each has had its turn after [`ROUND`] octets.

use std::future::Future;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::OnceLock;
use std::sync::PoisonError;
use std::sync::Weak;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;

use hyper::body::Buf;
use hyper::body::Bytes;
use hyper::rt::Executor;
use tokio::task::AbortHandle;
use tokio::task_local;

use super::MAX_BUFFER;
use super::MAX_STREAMS;

task_local! {
    /// That of the exchange which the task runs.
    static STREAM: Arc<Stream>;
}

/// The streams of a connection that are under way, and how many there were.
#[derive(Debug, Default)]
pub(super) struct Streams {
    /// Those that the library lets in at the same time, and no more.
    open: Mutex<Vec<Weak<Stream>>>,
    begun: AtomicU64,
    /// Octets of answers that the library has written; by the task of the connection alone.
    gone: AtomicU64,
    /// The same at the last look.
    seen: AtomicU64,
}

impl Streams {
    /// How many have begun so far.
    pub(super) fn begun(&self) -> u64 {
        self.begun.load(Ordering::Relaxed)
    }

    /// Whether one is under way.
    pub(super) fn is_any_open(&self) -> bool {
        !self.open().is_empty()
    }

    /// Cuts the exchanges whose client has taken nothing of their answers since the last look.
    pub(super) fn look(&self) -> Looked {
        let mut looked = Looked::default();
        let gone = self.gone.load(Ordering::Relaxed);
        let is_still = self.seen.swap(gone, Ordering::Relaxed) == gone;
        // The last handle of a stream takes it out of the list, and must not be dropped in there.
        let open: Vec<_> = self.open().iter().filter_map(Weak::upgrade).collect();
        for stream in open {
            let passed_by = stream.passed_by(gone);
            if !passed_by.is_some_and(|passed_by| is_still || passed_by >= ROUND) {
                continue;
            }
            if !stream.is_cut.swap(true, Ordering::Relaxed) {
                looked.cut += 1;
            }
            if let Some(rest) = stream.rest.get() {
                rest.abort();
            }
            match stream.task.get() {
                // The library resets its stream, and drops what it holds of it.
                Some(task) if !task.is_finished() => task.abort(),
                Some(_) | None => looked.holds = true,
            }
        }
        looked
    }

    fn open(&self) -> MutexGuard<'_, Vec<Weak<Stream>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What has come of a look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Looked {
    /// Answers that nobody took any more.
    pub(super) cut: u64,
    /// Whether the library holds the rest of such an answer whose exchange is over: nothing but the
    /// end of the connection takes that away from it.
    pub(super) holds: bool,
}

/// One stream, from its head to the last octet of its answer that leaves.
#[derive(Debug)]
pub(super) struct Stream {
    streams: Arc<Streams>,
    task: OnceLock<AbortHandle>,
    /// What goes on beside it.
    rest: OnceLock<AbortHandle>,
    /// Octets of its answer that were handed to the library; written by the task of its exchange
    /// alone.
    given: AtomicU64,
    /// Octets of those that it has written; by the task of the connection alone.
    gone: AtomicU64,
    /// Both together at the last look.
    seen: AtomicU64,
    /// What had gone of all answers of the connection at the last look before which it moved.
    mark: AtomicU64,
    is_cut: AtomicBool,
}

impl Stream {
    pub(super) fn begin(streams: &Arc<Streams>) -> Arc<Self> {
        streams.begun.fetch_add(1, Ordering::Relaxed);
        let stream = Arc::new(Self {
            streams: Arc::clone(streams),
            task: OnceLock::new(),
            rest: OnceLock::new(),
            given: AtomicU64::new(0),
            gone: AtomicU64::new(0),
            seen: AtomicU64::new(0),
            mark: AtomicU64::new(0),
            is_cut: AtomicBool::new(false),
        });
        streams.open().push(Arc::downgrade(&stream));
        stream
    }

    /// That of the exchange which asks.
    pub(super) fn current() -> Arc<Self> {
        STREAM.with(Arc::clone)
    }

    /// Does once what may last longer than the exchange; the stream is under way for so long, and when it
    /// is cut, this ends.
    pub(super) fn go_on(self: &Arc<Self>, rest: impl Future<Output = ()> + Send + 'static) {
        let stream = Arc::clone(self);
        let task = tokio::spawn(async move {
            rest.await;
            drop(stream);
        });
        drop(self.rest.set(task.abort_handle()));
    }

    /// If the library holds octets of it, and neither had room for more nor got rid of any since this
    /// was last asked: how many of others have gone meanwhile, of `gone` in all.
    fn passed_by(&self, gone: u64) -> Option<u64> {
        let (given, own) = (&self.given, &self.gone);
        let (given, own) = (given.load(Ordering::Relaxed), own.load(Ordering::Relaxed));
        let both = given.wrapping_add(own);
        let has_moved = self.seen.swap(both, Ordering::Relaxed) != both;
        if has_moved || given == own {
            self.mark.store(gone, Ordering::Relaxed);
            return None;
        }
        Some(gone.wrapping_sub(self.mark.load(Ordering::Relaxed)))
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.streams.open().retain(|one| one.strong_count() > 0);
    }
}

/// What runs the exchanges of a connection for the library, each in a task of its own.
#[derive(Clone, Debug)]
pub(super) struct Tasks(Arc<Streams>);

impl Tasks {
    pub(super) fn of(streams: &Arc<Streams>) -> Self {
        Self(Arc::clone(streams))
    }
}

impl<F> Executor<F> for Tasks
where
    F: Future<Output = ()> + Send + 'static,
{
    fn execute(&self, exchange: F) {
        let stream = Stream::begin(&self.0);
        let task = tokio::spawn(STREAM.scope(Arc::clone(&stream), exchange));
        drop(stream.task.set(task.abort_handle()));
    }
}

/// Octets of an answer that the library holds until the client has room for them.
#[derive(Debug)]
pub(super) struct Piece {
    octets: Bytes,
    stream: Arc<Stream>,
}

impl Piece {
    pub(super) fn new(octets: Bytes, stream: &Arc<Stream>) -> Self {
        add(&stream.given, octets.len());
        Self {
            octets,
            stream: Arc::clone(stream),
        }
    }
}

impl Buf for Piece {
    fn remaining(&self) -> usize {
        self.octets.remaining()
    }

    fn chunk(&self) -> &[u8] {
        self.octets.chunk()
    }

    fn advance(&mut self, count: usize) {
        self.octets.advance(count);
        add(&self.stream.gone, count);
        add(&self.stream.streams.gone, count);
    }
}

/// Adds to what nobody else writes.
fn add(sum: &AtomicU64, count: usize) {
    let count = u64::try_from(count).unwrap_or(u64::MAX);
    let more = sum.load(Ordering::Relaxed).wrapping_add(count);
    sum.store(more, Ordering::Relaxed);
}

/// What the library may hold of all streams of a connection.
const ROUND: u64 = MAX_STREAMS as u64 * MAX_BUFFER as u64;

#[cfg(test)]
mod tests {
    use std::future::pending;
    use std::time::Duration;

    use tokio::sync::oneshot;
    use tokio::time::timeout;

    use super::*;

    /// Whatever goes on for ever has an end here.
    const LONG: Duration = Duration::from_secs(10);

    /// The stream of an exchange that goes on.
    fn begin(streams: &Arc<Streams>) -> Arc<Stream> {
        let stream = Stream::begin(streams);
        let task = tokio::spawn(pending::<()>());
        stream.task.set(task.abort_handle()).unwrap();
        stream
    }

    fn piece(stream: &Arc<Stream>, octets: usize) -> Piece {
        Piece::new(Bytes::from(vec![b'x'; octets]), stream)
    }

    const NOTHING: Looked = Looked {
        cut: 0,
        holds: false,
    };
    const CUT: Looked = Looked {
        cut: 1,
        holds: false,
    };

    #[tokio::test]
    async fn an_answer_of_which_nothing_is_taken_is_cut_at_the_second_look() {
        let streams = Arc::default();
        let stream = begin(&streams);
        let held = piece(&stream, 100);
        assert_eq!(streams.look(), NOTHING, "it came just now");
        assert_eq!(streams.look(), CUT);
        drop((held, stream));
        assert!(!streams.is_any_open());
    }

    #[tokio::test]
    async fn one_of_which_something_is_taken_now_and_then_is_not() {
        let streams = Arc::default();
        let stream = begin(&streams);
        let mut held = piece(&stream, 100);
        assert_eq!(streams.look(), NOTHING);
        for _ in 0..50 {
            held.advance(1);
            assert_eq!(streams.look(), NOTHING);
        }
        // The library had room for another one.
        let _more = piece(&stream, 1);
        assert_eq!(streams.look(), NOTHING);
        assert_eq!(streams.look(), CUT);
    }

    #[tokio::test]
    async fn one_that_waits_for_more_is_not() {
        let streams = Arc::default();
        let stream = begin(&streams);
        for _ in 0..50 {
            assert_eq!(streams.look(), NOTHING);
        }
        piece(&stream, 100).advance(100);
        for _ in 0..50 {
            assert_eq!(streams.look(), NOTHING);
        }
        assert!(streams.is_any_open());
    }

    /// The library holds the last octets, and has no exchange any more that it could be told to end.
    #[tokio::test]
    async fn what_is_left_of_an_exchange_that_is_over_ends_the_connection() {
        let streams = Arc::default();
        let stream = Stream::begin(&streams);
        let held = piece(&stream, 100);
        let over = tokio::spawn(async {});
        stream.task.set(over.abort_handle()).unwrap();
        over.await.unwrap();
        drop(stream);
        assert_eq!(streams.look(), NOTHING);
        let holds = |cut| Looked { cut, holds: true };
        assert_eq!(streams.look(), holds(1));
        assert_eq!(streams.look(), holds(0), "it is counted once");
        drop(held);
        assert!(!streams.is_any_open());
        assert_eq!(streams.look(), NOTHING);
    }

    /// The rest of a body that was still read kept its stream from being reset.
    #[tokio::test]
    async fn what_goes_on_beside_an_exchange_keeps_its_stream_open_and_ends_when_it_is_cut() {
        let streams = Arc::default();
        let stream = begin(&streams);
        let (told, over) = oneshot::channel::<()>();
        let (held, gone) = oneshot::channel::<()>();
        stream.go_on(async move {
            drop(over.await);
            drop(held);
        });
        drop(stream);
        assert!(streams.is_any_open());
        drop(told);
        timeout(LONG, gone).await.unwrap().unwrap_err();
        assert!(!streams.is_any_open());
        let stream = begin(&streams);
        let (held, gone) = oneshot::channel::<()>();
        stream.go_on(async move {
            pending::<()>().await;
            drop(held);
        });
        let piece = piece(&stream, 100);
        assert_eq!(streams.look(), NOTHING);
        assert_eq!(streams.look(), CUT);
        drop((piece, stream));
        timeout(LONG, gone).await.unwrap().unwrap_err();
        assert!(!streams.is_any_open());
    }

    /// The window of the connection is used up, and it is its turn sooner or later.
    #[tokio::test]
    async fn one_that_stands_behind_others_is_cut_after_a_round() {
        let streams = Arc::default();
        let (stands, moves) = (begin(&streams), begin(&streams));
        let _held = piece(&stands, 100);
        assert_eq!(streams.look(), NOTHING);
        for _ in 0..MAX_STREAMS - 1 {
            piece(&moves, MAX_BUFFER).advance(MAX_BUFFER);
            assert_eq!(streams.look(), NOTHING);
        }
        piece(&moves, MAX_BUFFER).advance(MAX_BUFFER);
        assert_eq!(streams.look(), CUT);
        // Nothing moves at all.
        let _other = piece(&moves, 100);
        assert_eq!(streams.look(), NOTHING);
    }
}
