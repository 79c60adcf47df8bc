//! A body that leaves slowly, as a large attachment does on a slow line.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::task::Context;
use std::task::Poll;
use std::task::ready;
use std::time::Duration;

use bytes::Bytes;
use hyper::body::Body;
use hyper::body::Frame;
use hyper::body::SizeHint;
use tokio::time::Instant;
use tokio::time::Sleep;
use tokio::time::sleep_until;

/// Pieces at even times.
pub(super) struct Paced {
    left: Bytes,
    /// Octets a second.
    rate: u32,
    begun: Instant,
    sent: u64,
    sleep: Pin<Box<Sleep>>,
}

impl Paced {
    /// `rate` octets of `body` a second, from now on.
    pub(super) fn new(body: Bytes, rate: u32) -> Self {
        let begun = Instant::now();
        Self {
            left: body,
            rate,
            begun,
            sent: 0,
            sleep: Box::pin(sleep_until(begun)),
        }
    }
}

impl Body for Paced {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.left.is_empty() {
            return Poll::Ready(None);
        }
        ready!(self.sleep.as_mut().poll(context));
        let length = self.left.len().min(PIECE);
        let piece = self.left.split_to(length);
        self.sent += u64::try_from(length).unwrap_or(u64::MAX);
        let at = self.begun + due(self.sent, self.rate);
        self.sleep.as_mut().reset(at);
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(u64::try_from(self.left.len()).unwrap_or(u64::MAX))
    }
}

/// After how long so many octets may have left.
fn due(octets: u64, rate: u32) -> Duration {
    Duration::from_nanos(octets.saturating_mul(NANOS) / u64::from(rate.max(1)))
}

const NANOS: u64 = 1_000_000_000;

/// What a server writes at once.
const PIECE: usize = 16 << 10;

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;

    use super::*;

    #[tokio::test]
    async fn a_body_comes_whole_and_in_the_time_that_its_rate_says() {
        let octets: Vec<u8> = (0..=255).cycle().take(100_000).collect();
        let body = Paced::new(octets.clone().into(), u32::MAX);
        assert_eq!(body.size_hint().exact(), Some(100_000));
        assert_eq!(body.collect().await.unwrap().to_bytes(), octets);
        assert_eq!(due(100_000, 50_000), Duration::from_secs(2));
        assert_eq!(due(0, 1), Duration::ZERO);
    }
}
