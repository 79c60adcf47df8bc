//! The beginning of an answer's body, while all of it is still there to be kept back.

use std::task::Context;
use std::task::Poll;
use std::task::ready;

use crate::net::body::Cut;
use crate::net::body::Source;

use super::Exchange;
use super::State;

impl Exchange {
    /// Waits until `enough` octets of the answer's body are there, or all of it, in however many chunks it
    /// comes; tells how many [`Self::piece`] has now. None is taken.
    pub(in crate::net) fn poll_beginning(
        &mut self,
        context: &mut Context<'_>,
        source: &mut impl Source,
        enough: usize,
    ) -> Poll<Result<usize, Cut>> {
        loop {
            let ahead = self.ahead.len();
            if ahead >= enough {
                return Poll::Ready(Ok(ahead));
            }
            let there = ready!(self.poll_arrival(context, source))?;
            let State::Open(link) = &mut self.state else {
                return Poll::Ready(Ok(ahead));
            };
            if there == 0 {
                return Poll::Ready(Ok(ahead));
            }
            // Mostly all of it lies there in one piece.
            if ahead == 0 && (there >= enough || self.decoder.is_last(there)) {
                return Poll::Ready(Ok(there));
            }
            let count = there.min(enough - ahead);
            let octets = link.input.filled().get(..count).unwrap_or_default();
            self.ahead.append(octets);
            link.input.consume(count);
            self.decoder.took(count);
        }
    }
}
