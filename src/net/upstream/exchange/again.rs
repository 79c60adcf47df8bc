//! How a request gets to a connection, when it may go by another one, and when it cannot be called
//! back.

use std::future::Future;
use std::pin::Pin;
use std::task::Context;
use std::task::Poll;
use std::time::Duration;

use tokio::time::Instant;
use tokio::time::Sleep;
use tracing::warn;

use crate::eas;
use crate::eas::Command;
use crate::model::causes;
use crate::net::http1::Length;
use crate::net::http1::end_of_head;
use crate::net::http1::put_other_host;
use crate::net::upstream::LinkError;
use crate::net::upstream::connect::OpenError;
use crate::net::upstream::counted::Fate;

use super::Exchange;
use super::State;

impl Exchange {
    /// Whether it is a message that the mail server has in full: it sends it whatever is decided now,
    /// and a client that is told otherwise would send it again. Nothing of the mailbox comes with the
    /// answer, which is waited for as long as any.
    pub(super) fn is_beyond_recall(&self) -> bool {
        let sends = matches!(
            self.command,
            Some(Command::SendMail | Command::SmartReply | Command::SmartForward)
        );
        if !sends || !self.is_uploaded || !self.is_flushed {
            return false;
        }
        let State::Open(link) = &self.state else {
            return false;
        };
        self.output.len() == self.written && !self.is_unsent && !link.is_deaf()
    }

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
                            // Servers close connections for idleness, for a reload, for their number.
                            self.kept = Some(link.written());
                            State::Open(link)
                        }
                        None => State::Opening(self.pool.open(member, self.ends)),
                    };
                }
                State::Opening(opening) => {
                    let error = match opening.as_mut().poll(context) {
                        Poll::Ready(Ok(link)) => {
                            // What it was tells whether it only waited.
                            if self.command == Some(Command::Sync) {
                                self.kept = Some(link.written());
                            }
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
            let (upstream, server) = (&member.settings.name, member.place());
            warn!(%upstream, %server, why, "a server does not answer; others are preferred for now");
        }
    }

    /// Whether a request may go by another connection when one that was kept from an earlier request
    /// broke before the answer. It can have been carried out by nobody if the server had closed the
    /// connection before it came ([`Fate::MetNobody`]). Where that is not known, as after a reset, it is one
    /// that may be carried out twice.
    pub(super) fn poll_may_begin_anew(&mut self, context: &mut Context<'_>) -> Poll<bool> {
        let State::Open(link) = &self.state else {
            return Poll::Ready(false);
        };
        if !link.was_used || !link.input.is_empty() || self.interim > 0 {
            return Poll::Ready(false);
        }
        if self.is_unsent {
            return Poll::Ready(true);
        }
        // Everything that was sent must be there to be sent again.
        let Some(before) = self.kept else {
            return Poll::Ready(false);
        };
        if self.is_harmless || self.may_be_repeated() {
            return Poll::Ready(true);
        }
        match link.fate_after(before) {
            Fate::MetNobody => Poll::Ready(true),
            Fate::PerhapsRead => Poll::Ready(false),
            Fate::Unknown => self.doubt.poll_over(context).map(|()| false),
        }
    }

    /// Whether it is a command that changes nothing, and all of it is here to be sent again.
    fn may_be_repeated(&self) -> bool {
        let body = self.whole_body();
        self.command
            .is_some_and(|command| body.is_some_and(|body| eas::may_be_repeated(command, body)))
    }

    /// Whether it is a Sync of which it is known that it sends nothing up.
    pub(super) fn only_waits(&self) -> bool {
        if self.command != Some(Command::Sync) {
            return false;
        }
        self.length == Length::Known(0) || self.whole_body().is_some_and(eas::only_waits)
    }

    /// The body, if all of it is here still.
    fn whole_body(&self) -> Option<&[u8]> {
        let Length::Known(length) = self.length else {
            return None;
        };
        let octets = self.output.filled();
        let body = octets.get(end_of_head(octets, 0)?..)?;
        let is_whole = u64::try_from(body.len()).is_ok_and(|count| count == length);
        is_whole.then_some(body)
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
        if self.kept.take().is_some()
            && let State::Open(link) = &mut self.state
        {
            self.output.consume_to(self.written, &mut link.spare);
            self.written = 0;
        }
    }
}

/// How long it has been unknown whether a request was read, and when the next look is due: the system
/// wakes nobody for an acknowledgement.
#[derive(Default)]
pub(super) struct Doubt(Option<(Instant, Pin<Box<Sleep>>)>);

impl Doubt {
    /// Waits for as long as an answer of the other end's system may take; wakes for a look meanwhile.
    fn poll_over(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let now = Instant::now();
        let (since, look) = self
            .0
            .get_or_insert_with(|| (now, Box::pin(tokio::time::sleep(SOON))));
        let passed = now - *since;
        if passed >= MAX_DOUBT {
            return Poll::Ready(());
        }
        while look.as_mut().poll(context).is_ready() {
            look.as_mut().reset(now + passed.clamp(SOON, LATE));
        }
        Poll::Pending
    }
}

/// Members that are tried for one request.
const MAX_TRIED: usize = 3;
/// Within a network a reset comes in less.
const SOON: Duration = Duration::from_millis(1);
/// The longest time between two looks.
const LATE: Duration = Duration::from_millis(50);
/// An acknowledgement may take half a second, and what was lost on the way is sent again twice.
const MAX_DOUBT: Duration = Duration::from_secs(2);
