//! How a request gets to a connection, and when it may go by another one.

use std::task::Context;
use std::task::Poll;

use tracing::warn;

use crate::model::causes;
use crate::net::http1::put_other_host;
use crate::net::upstream::LinkError;
use crate::net::upstream::connect::OpenError;

use super::Exchange;
use super::State;

impl Exchange {
    /// Gets to where the request can be written: a kept connection, a new one, one to another
    /// member while nobody could be connected to.
    pub(super) fn poll_link(&mut self, context: &mut Context<'_>) -> Poll<Result<(), LinkError>> {
        loop {
            match &mut self.state {
                State::Begun => {
                    let Some(member) = &self.member else {
                        return Poll::Ready(Err(LinkError::Open(OpenError::Gone)));
                    };
                    self.state = match self.pool.take(member, self.ends.as_ref()) {
                        Some(link) => {
                            // Beside traffic no server closes a connection for its idleness.
                            let is_doubtful = link.idle_since.elapsed() >= self.pool.timing.doubt;
                            if is_doubtful || self.is_harmless {
                                self.kept = Some(link.acknowledged().unwrap_or(u64::MAX));
                            }
                            State::Open(link)
                        }
                        None => State::Opening(self.pool.open(member, self.ends)),
                    };
                }
                State::Opening(opening) => {
                    let error = match opening.as_mut().poll(context) {
                        Poll::Ready(Ok(link)) => {
                            self.state = State::Open(link);
                            continue;
                        }
                        Poll::Ready(Err(error)) => LinkError::Open(error),
                        Poll::Pending => return Poll::Pending,
                    };
                    self.note(&error, false);
                    self.state = State::Over;
                    // Nothing has left, so another member may have it.
                    if !self.turn_to_another() {
                        return Poll::Ready(Err(error));
                    }
                }
                State::Open(_) => return Poll::Ready(Ok(())),
                State::Nowhere(_) => {
                    let error = match std::mem::replace(&mut self.state, State::Over) {
                        State::Nowhere(error) => error,
                        State::Begun | State::Opening(_) | State::Open(_) | State::Over => {
                            OpenError::AllDown
                        }
                    };
                    return Poll::Ready(Err(LinkError::Open(error)));
                }
                State::Over => return Poll::Ready(Err(LinkError::Closed)),
            }
        }
    }

    /// Chooses another member, and writes its name into the head.
    fn turn_to_another(&mut self) -> bool {
        let Some(member) = self.member.take() else {
            return false;
        };
        self.tried.push(member.number);
        if self.stays || self.tried.len() >= MAX_TRIED {
            return false;
        }
        let Ok(next) = self.pool.choose(self.to, &self.tried) else {
            return false;
        };
        if next.origin.authority() != member.origin.authority() {
            let head = std::mem::take(&mut self.output);
            put_other_host(&mut self.output, head.filled(), next.origin.authority());
        }
        next.health.begin();
        self.member = Some(next);
        self.state = State::Begun;
        true
    }

    /// It is about this member and no other.
    pub(in crate::net::upstream) fn stay(&mut self) {
        self.stays = true;
    }

    /// The answer to a question of our own has not come in time.
    pub(in crate::net::upstream) fn give_up(&self) {
        self.note(&LinkError::Silent, true);
    }

    /// Tells of a member that did not answer.
    pub(super) fn note(&self, error: &LinkError, was_open: bool) {
        let Some(member) = &self.member else {
            return;
        };
        let why = causes(error);
        if member.health.fail(&why, was_open) {
            let (upstream, server) = (&member.settings.name, &member.origin);
            warn!(%upstream, %server, why, "a server does not answer; others are preferred for now");
        }
    }

    /// Whether a connection that broke before the answer can have carried nothing to anybody: it
    /// was kept from an earlier request, and of this one the other end's system has acknowledged
    /// no octet. A server that had closed the connection before acknowledges none; one that has
    /// read a request has.
    pub(super) fn may_begin_anew(&self) -> bool {
        let State::Open(link) = &self.state else {
            return false;
        };
        if !link.was_used || !link.input.is_empty() || self.interim > 0 {
            return false;
        }
        // Everything that was sent must be there to be sent again.
        let is_known = self.is_harmless || self.kept == link.acknowledged();
        self.is_unsent || self.kept.is_some() && is_known
    }

    /// Sends everything by a new connection.
    pub(super) fn begin_anew(&mut self) {
        let Some(member) = &self.member else {
            return;
        };
        self.state = State::Opening(self.pool.open(member, self.ends));
        self.written = 0;
        self.kept = None;
        self.is_unsent = true;
        self.is_flushed = true;
        self.scanned = 0;
    }

    /// What was written need not be sent again.
    pub(super) fn let_go(&mut self) {
        if self.kept.take().is_some() {
            self.output.consume(self.written);
            self.written = 0;
        }
    }
}

/// Members that are tried for one request.
const MAX_TRIED: usize = 3;
