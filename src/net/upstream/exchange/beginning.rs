//! The beginning of an answer's body, while all of it is still there to be kept back.

use std::task::Context;
use std::task::Poll;
use std::task::ready;

use tokio::time::Instant;

use crate::net::body::Cut;
use crate::net::body::Source;

use super::Exchange;
use super::State;

impl Exchange {
    /// Waits until `enough` octets of the answer's body are there, or all of it or of its first chunk; tells
    /// how many [`Self::piece`] has now. None is taken.
    pub(in crate::net) fn poll_beginning(
        &mut self,
        context: &mut Context<'_>,
        source: &mut impl Source,
        enough: usize,
    ) -> Poll<Result<usize, Cut>> {
        loop {
            let there = ready!(self.poll_piece(context, source))?;
            let State::Open(link) = &mut self.state else {
                return Poll::Ready(Ok(there));
            };
            if there == 0 || there >= enough || self.decoder.ends_after(there) {
                return Poll::Ready(Ok(there));
            }
            match ready!(link.poll_fill(context)) {
                Ok(0) => return Poll::Ready(Ok(there)),
                Ok(_) => self.heard = Instant::now(),
                Err(error) => return Poll::Ready(Err(Cut::Broken(error.into()))),
            }
        }
    }
}
