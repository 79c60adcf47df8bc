//! How much of a body that nobody wants is taken in, so that its client hears why: before the answer, and
//! after it.

use std::time::Duration;

/// Octets of an unwanted body that are taken in: commands have a few kilobytes, mails more.
pub(super) const DISCARDED: usize = 64 << 10;

/// How long an unwanted body is waited for.
pub(super) const DISCARD_TIME: Duration = Duration::from_secs(1);

/// Octets that are read of a client that goes on sending after its last answer: a client that reads only
/// when it has sent all of a mail would else not learn why it was refused, and send it again. Exchange
/// takes mails of 10 MB by default; few take more than 25.
pub(super) const LINGER: usize = 32 << 20;

/// How long that may take: a mail of 25 MB at 2 Mbit/s.
pub(super) const LINGER_TIME: Duration = Duration::from_mins(2);

/// How long nothing may come meanwhile.
pub(super) const LINGER_IDLE: Duration = Duration::from_secs(10);
