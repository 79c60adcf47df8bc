//! The one place of the sockets' side where clocks are read.
#![expect(
    clippy::disallowed_methods,
    reason = "this is the front door through which time comes in"
)]

use std::time::Instant;
use std::time::SystemTime;
use std::time::UNIX_EPOCH;

use crate::model::Monotonic;
use crate::model::Now;
use crate::model::Timestamp;

/// Reads both clocks; copies agree with each other.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    start: Instant,
}

impl Clock {
    /// A clock whose monotonic part begins now.
    #[must_use]
    pub fn start() -> Self {
        Self {
            start: Instant::now(),
        }
    }

    /// One reading.
    #[must_use]
    pub fn now(&self) -> Now {
        // A wall clock before 1970 is a machine without a battery: count it as 1970.
        let since_epoch = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        let millis = i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX);
        Now {
            monotonic: Monotonic::from_elapsed(self.start.elapsed()),
            wall: Timestamp::from_unix_millis(millis),
        }
    }
}
