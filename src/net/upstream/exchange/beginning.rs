//! An answer's body: its octets as they come, and its beginning while all of it is still there to be kept
//! back.

use std::future::Future;
use std::pin::Pin;
use std::task::Context;
use std::task::Poll;
use std::task::ready;

use tokio::time::Instant;

use crate::net::body::Cut;
use crate::net::body::Source;
use crate::net::body::ended_early;

use super::Exchange;
use super::State;

impl Exchange {
    /// Waits for octets of the answer's body, while the rest of the request's goes on its way; tells
    /// how many [`Self::piece`] has now, 0 at the end.
    pub(in crate::net) fn poll_piece(
        &mut self,
        context: &mut Context<'_>,
        source: &mut impl Source,
    ) -> Poll<Result<usize, Cut>> {
        if self.ahead.is_empty() {
            return self.poll_arrival(context, source);
        }
        self.check_permit(context)?;
        Poll::Ready(Ok(self.ahead.len()))
    }

    /// The same behind what [`Self::poll_beginning`] has laid by.
    fn poll_arrival(
        &mut self,
        context: &mut Context<'_>,
        source: &mut impl Source,
    ) -> Poll<Result<usize, Cut>> {
        loop {
            self.check_permit(context)?;
            self.pump(context, source)?;
            let State::Open(link) = &mut self.state else {
                return Poll::Ready(Ok(0));
            };
            let ready = self.decoder.ready(&mut link.input);
            let ready = ready.map_err(|error| Cut::Malformed(error.into()))?;
            if ready > 0 || self.decoder.is_over() {
                return Poll::Ready(Ok(ready));
            }
            match link.poll_fill(context) {
                Poll::Ready(Ok(0)) if self.decoder.end() => return Poll::Ready(Ok(0)),
                Poll::Ready(Ok(0)) => {
                    return Poll::Ready(Err(ended_early()));
                }
                Poll::Ready(Ok(_)) => self.heard = Instant::now(),
                Poll::Ready(Err(error)) => return Poll::Ready(Err(Cut::Broken(error.into()))),
                Poll::Pending => return Poll::Pending,
            }
        }
    }

    /// Cuts the exchange if its permission was taken back; wakes whoever asks when that happens.
    fn check_permit(&mut self, context: &mut Context<'_>) -> Result<(), Cut> {
        if !self.is_beyond_recall()
            && let Some(permit) = &mut self.permit
            && Pin::new(permit).poll(context).is_ready()
        {
            self.cut();
            return Err(Cut::Revoked);
        }
        Ok(())
    }

    /// The first `count` octets of the body that have not been taken.
    pub(in crate::net) fn piece(&self, count: usize) -> &[u8] {
        let there = match &self.state {
            State::Open(_) if !self.ahead.is_empty() => self.ahead.filled(),
            State::Open(link) => link.input.filled(),
            State::Begun | State::Opening(_) | State::Nowhere(_) | State::Over => &[],
        };
        there.get(..count).unwrap_or_default()
    }

    /// Takes `count` octets of the body away.
    pub(in crate::net) fn take(&mut self, count: usize) {
        if let Some(mut glimpse) = self.glimpse.take() {
            if glimpse.has_enough(self.piece(count)) {
                glimpse.show();
            } else {
                self.glimpse = Some(glimpse);
            }
        }
        if !self.ahead.is_empty() {
            self.ahead.consume(count);
        } else if let State::Open(link) = &mut self.state {
            link.input.consume(count);
            self.decoder.took(count);
        }
    }

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
