//! The wall clock that rustls is shown: the one of the call that is being worked on.

use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::time::Duration;

use rustls::pki_types::UnixTime;
use rustls::time_provider::TimeProvider;

use crate::model::Now;
use crate::model::Timestamp;

/// A clock that stands still until it is set. Both ends of EAP-TLS set it before each use of
/// rustls, so that certificates and tickets age in virtual time too.
#[derive(Debug, Default)]
pub(crate) struct Clock(AtomicU64);

impl Clock {
    /// Moves the clock; times before 1970 count as 1970.
    pub(crate) fn set(&self, now: Now) {
        self.0.store(unix_seconds(now.wall), Ordering::Relaxed);
    }
}

impl TimeProvider for Clock {
    fn current_time(&self) -> Option<UnixTime> {
        let since_epoch = Duration::from_secs(self.0.load(Ordering::Relaxed));
        Some(UnixTime::since_unix_epoch(since_epoch))
    }
}

/// A point in time as rustls wants it; times before 1970 count as 1970.
pub(super) fn unix_time(wall: Timestamp) -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_secs(unix_seconds(wall)))
}

fn unix_seconds(wall: Timestamp) -> u64 {
    u64::try_from(wall.unix_seconds()).unwrap_or(0)
}
