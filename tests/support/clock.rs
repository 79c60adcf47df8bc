//! Virtual time: it stands still until a test moves it.
#![allow(dead_code, reason = "each test takes the parts that it needs")]

use std::time::Duration;

use portreeve::model::Monotonic;
use portreeve::model::Now;
use portreeve::model::Timestamp;

/// Noon of the day around which the throw-away PKI is valid, with the monotonic clock at an hour.
pub(crate) fn noon() -> Now {
    Now {
        monotonic: Monotonic::from_elapsed(Duration::from_secs(3600)),
        wall: Timestamp::from_unix_seconds(crate::pki::TODAY + 12 * 3600),
    }
}
