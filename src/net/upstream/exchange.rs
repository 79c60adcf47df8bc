//! One request at the mail server, as a machine that whoever waits for it polls: it runs in the
//! task of the client's connection, which it costs no other task, channel or wake.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Context;
use std::task::Poll;
use std::time::Duration;

use http::Method;
use http::Request;
use tokio::time::Instant;
use tracing::info;

use crate::access::Permit;
use crate::eas::Command;
use crate::mail::Route;
use crate::net::body::Cut;
use crate::net::body::Pace;
use crate::net::body::Source;
use crate::net::http1::AnswerHead;
use crate::net::http1::Buffer;
use crate::net::http1::Decoder;
use crate::net::http1::Length;
use crate::net::http1::end_of_head;
use crate::net::http1::put_end;
use crate::net::http1::put_piece;
use crate::net::http1::put_request;
use crate::net::proxy_header::Ends;
use crate::net::proxy_header::ProxyHeader;

use super::Ended;
use super::Failure;
use super::LinkError;
use super::connect::OpenError;
use super::connect::Opening;
use super::group::Member;
use super::link::Link;
use super::pool::Pool;

mod again;
mod beginning;
mod glimpse;

use again::Doubt;
use glimpse::Glimpse;

/// One request at the mail server. Dropping it ends it there, too.
pub(in crate::net) struct Exchange {
    pool: Arc<Pool>,
    /// While it is held a change finds the request. Questions of our own have none.
    permit: Option<Permit>,
    /// Where it goes, and for whom.
    to: Route,
    ends: Option<Ends>,
    member: Option<Arc<Member>>,
    /// Members that could not be connected to.
    tried: Vec<u64>,
    /// Whether no other member will do.
    stays: bool,
    state: State,
    /// The head and so much of the body as was not written yet; on a connection that was kept, and of a
    /// Sync, also what was written, until the answer comes.
    output: Buffer,
    /// Octets of `output` that were written.
    written: usize,
    /// Whether what was written is kept, and what had been written to the connection before it.
    kept: Option<u64>,
    doubt: Doubt,
    /// Whether nothing has left yet: the request may go by another connection.
    is_unsent: bool,
    /// Whether it may be sent twice without harm, as HTTP has it (RFC 9110 section 9.2.1).
    is_harmless: bool,
    /// What it is of ActiveSync.
    command: Option<Command>,
    is_flushed: bool,
    /// Whether its answer has no body, whatever its head says (RFC 9110 section 9.3.2).
    is_head: bool,
    length: Length,
    /// Whether all of the body has come.
    is_uploaded: bool,
    pace: Pace,
    hold: Duration,
    /// When the mail server was heard last, or the request began.
    heard: Instant,
    /// Octets of the answer that are known not to hold the end of its head.
    scanned: usize,
    interim: u8,
    decoder: Decoder,
    /// The beginning of its body, if it was waited for and came in pieces.
    ahead: Buffer,
    keeps: bool,
    glimpse: Option<Box<Glimpse>>,
}

/// Where a request goes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Course {
    pub(super) to: Route,
    /// Of the client's connection.
    pub(super) ends: Option<Ends>,
    pub(super) length: Length,
    pub(super) patience: Duration,
}

enum State {
    Begun,
    Opening(Opening),
    Open(Box<Link>),
    /// There is no member to send it to.
    Nowhere(OpenError),
    Over,
}

impl Exchange {
    pub(super) fn new(
        pool: &Arc<Pool>,
        permit: Option<Permit>,
        request: &Request<()>,
        course: Course,
    ) -> Self {
        match pool.choose(course.to, &[]) {
            Ok(member) => Self::at(pool, permit, request, course, member),
            Err(error) => {
                let mut exchange = Self::blank(pool, permit, course);
                exchange.state = State::Nowhere(error);
                exchange
            }
        }
    }

    /// One with a member that is chosen already.
    pub(super) fn at(
        pool: &Arc<Pool>,
        permit: Option<Permit>,
        request: &Request<()>,
        course: Course,
        member: Arc<Member>,
    ) -> Self {
        let mut exchange = Self::blank(pool, permit, course);
        put_request(
            &mut exchange.output,
            request,
            member.origin.authority(),
            course.length,
        );
        if member.settings.proxy_header == ProxyHeader::Off {
            exchange.ends = None;
        }
        let is_safe = exchange.permit.is_none() || request.method().is_safe();
        exchange.is_harmless = is_safe && course.length == Length::Known(0);
        exchange.is_head = request.method() == Method::HEAD;
        member.health.begin();
        exchange.member = Some(member);
        exchange
    }

    fn blank(pool: &Arc<Pool>, permit: Option<Permit>, course: Course) -> Self {
        let hold = pool.timing.hold;
        Self {
            pool: Arc::clone(pool),
            permit,
            to: course.to,
            ends: course.ends,
            member: None,
            tried: Vec::new(),
            stays: false,
            state: State::Begun,
            output: Buffer::default(),
            written: 0,
            kept: None,
            doubt: Doubt::default(),
            is_unsent: true,
            is_harmless: false,
            command: None,
            is_flushed: true,
            is_head: false,
            length: course.length,
            is_uploaded: course.length == Length::Known(0),
            pace: Pace::new(course.patience),
            hold,
            heard: Instant::now(),
            scanned: 0,
            interim: 0,
            decoder: Decoder::new(Length::Known(0)),
            ahead: Buffer::default(),
            keeps: false,
            glimpse: None,
        }
    }

    /// What has come of the body before it was begun; the rest follows from the source.
    pub(in crate::net) fn begin_with(&mut self, octets: &[u8]) {
        if !octets.is_empty() {
            put_piece(&mut self.output, self.length == Length::Chunked, octets);
            self.pace.go_on(octets.len());
        }
    }

    /// Sends the request, with the body that comes from `source`, and waits for the head of the
    /// answer. Pending also wakes at a change; time is the caller's, see [`Self::deadline`].
    pub(in crate::net) fn poll_answer(
        &mut self,
        context: &mut Context<'_>,
        source: &mut impl Source,
    ) -> Poll<Result<AnswerHead, Ended>> {
        loop {
            // First of all, so that nothing is sent if the permission is gone already.
            if !self.is_beyond_recall()
                && let Some(permit) = &mut self.permit
                && let Poll::Ready(decided) = Pin::new(permit).poll(context)
            {
                let only_waited = self.only_waits();
                self.cut();
                return Poll::Ready(Err(Ended::Revoked {
                    decided: Box::new(decided),
                    only_waited,
                }));
            }
            if let Err(error) = match self.poll_link(context) {
                Poll::Ready(opened) => opened,
                Poll::Pending => {
                    self.output.park();
                    return Poll::Pending;
                }
            } {
                return Poll::Ready(Err(error.into()));
            }
            if let Err(cut) = self.pump(context, source) {
                return Poll::Ready(Err(Failure::from(cut).into()));
            }
            // A connection that was dead before anything left is replaced.
            let State::Open(link) = &mut self.state else {
                continue;
            };
            let filled = link.input.filled();
            if let Some(end) = end_of_head(filled, self.scanned) {
                let head = AnswerHead::parse(filled.get(..end).unwrap_or_default());
                link.input.consume(end);
                self.scanned = 0;
                match self.take_head(head.map_err(|_| LinkError::NotHttp)?)? {
                    Some(head) => return Poll::Ready(Ok(head)),
                    None => continue,
                }
            }
            self.scanned = filled.len();
            if link.input.is_full() {
                return Poll::Ready(Err(LinkError::NotHttp.into()));
            }
            let error = match link.poll_fill(context) {
                Poll::Ready(Ok(0)) => LinkError::Closed,
                Poll::Ready(Ok(_)) => continue,
                Poll::Ready(Err(error)) => LinkError::Io(error),
                Poll::Pending => {
                    if self.kept.is_some() {
                        self.output.park_in(&mut link.spare);
                    }
                    return Poll::Pending;
                }
            };
            match self.poll_may_begin_anew(context) {
                Poll::Ready(true) => self.begin_anew(),
                Poll::Ready(false) => {
                    self.note(&error, true);
                    return Poll::Ready(Err(error.into()));
                }
                Poll::Pending => return Poll::Pending,
            }
        }
    }

    /// The head of an answer has come; `None` if it is an interim one, after which another comes.
    fn take_head(&mut self, mut head: AnswerHead) -> Result<Option<AnswerHead>, LinkError> {
        if self.is_head {
            head.length = Length::Known(0);
        }
        self.let_go();
        if head.status.is_informational() {
            self.interim += 1;
            // 101 would turn the connection into something else.
            return if head.status.as_u16() == 101 || self.interim > MAX_INTERIM {
                Err(LinkError::NotHttp)
            } else {
                Ok(None)
            };
        }
        self.heard = Instant::now();
        self.decoder = Decoder::of_answer(head.length);
        self.keeps = head.keeps && head.length != Length::UntilClose;
        if let Some(member) = &self.member
            && member.health.succeed()
        {
            let (upstream, server) = (&member.settings.name, member.place());
            info!(%upstream, %server, "a server answers again");
        }
        Ok(Some(head))
    }

    /// Whether the request's body has come to its end.
    pub(in crate::net) fn is_uploaded(&self) -> bool {
        self.is_uploaded
    }

    /// It is this command, which may be one that can be sent twice.
    pub(in crate::net) fn is_of(&mut self, command: Option<Command>) {
        self.command = command;
    }

    /// It is for nothing that waits for news: the mail server may be silent for a shorter time.
    pub(in crate::net) fn hurry(&mut self) {
        self.hold = self.hold.min(self.pool.timing.answer);
    }

    /// Until when the mail server may be silent.
    fn silent_until(&self) -> Instant {
        self.heard + self.hold
    }

    /// When [`Self::late`] is to be called, unless something happens before.
    pub(in crate::net) fn deadline(&self) -> Instant {
        match self.pace.deadline() {
            Some(pace) if !self.is_uploaded => pace.min(self.silent_until()),
            Some(_) | None => self.silent_until(),
        }
    }

    /// Who is late at the deadline: the client, if it is not the mail server.
    pub(in crate::net) fn late(&self) -> Cut {
        match self.pace.deadline() {
            Some(pace) if !self.is_uploaded && pace <= self.silent_until() => Cut::Slow,
            Some(_) | None => {
                self.give_up();
                Cut::Silent
            }
        }
    }

    /// The answer was read to its end: the connection may serve again, if nothing is left on it.
    pub(in crate::net) fn finish(&mut self) {
        self.permit = None;
        if self.decoder.is_over() {
            self.glimpse.take().into_iter().for_each(Glimpse::show);
        }
        let State::Open(link) = std::mem::replace(&mut self.state, State::Over) else {
            return;
        };
        let is_clean = self.is_uploaded && self.output.is_empty() && link.input.is_empty();
        let may_serve = self.keeps && is_clean && self.decoder.is_over() && !link.is_deaf();
        if let Some(member) = &self.member
            && may_serve
        {
            self.pool.give(member, link, self.heard);
        }
    }

    /// Sends and reads nothing more. The connection is closed after the answers to this client and
    /// to others that the same change concerns.
    fn cut(&mut self) {
        self.permit = None;
        if let State::Open(link) = std::mem::replace(&mut self.state, State::Over) {
            self.pool.closing.put(link);
        }
    }

    /// Moves what has come of the request to the mail server, as far as it goes.
    fn pump(&mut self, context: &mut Context<'_>, source: &mut impl Source) -> Result<(), Cut> {
        let State::Open(link) = &mut self.state else {
            return Ok(());
        };
        if link.is_deaf() {
            self.output.consume(usize::MAX);
            self.written = 0;
            self.pace.go_on(0);
            return Ok(());
        }
        let is_chunked = self.length == Length::Chunked;
        let mut is_waiting = self.is_uploaded;
        loop {
            while !is_waiting && self.output.len() - self.written < ENOUGH {
                match source.poll_octets(context, &mut self.output, is_chunked) {
                    Poll::Ready(Ok(0)) => {
                        put_end(&mut self.output, is_chunked);
                        self.pace.go_on(0);
                        self.is_uploaded = true;
                        is_waiting = true;
                    }
                    Poll::Ready(Ok(count)) => self.pace.go_on(count),
                    Poll::Ready(Err(cut)) => return Err(cut),
                    Poll::Pending => is_waiting = true,
                }
            }
            let unsent = self.output.filled().get(self.written..);
            let unsent = unsent.unwrap_or_default();
            if unsent.is_empty() {
                if !self.is_uploaded {
                    self.pace.wait();
                }
                break;
            }
            match link.poll_write(context, unsent) {
                Poll::Ready(Ok(count)) => {
                    if self.kept.is_some() && self.output.len() <= MAX_KEPT {
                        self.written += count;
                    } else {
                        self.kept = None;
                        self.output.consume(self.written + count);
                        self.written = 0;
                    }
                    self.is_unsent = false;
                    self.is_flushed = false;
                }
                Poll::Ready(Err(_)) if self.is_unsent && link.was_used => {
                    self.begin_anew();
                    return Ok(());
                }
                // What is known of a dead connection is found out when it is read.
                Poll::Ready(Err(_)) if self.kept.is_some() => return Ok(()),
                Poll::Ready(Err(_)) => {
                    link.turn_deaf();
                    self.output.consume(usize::MAX);
                    self.written = 0;
                    return Ok(());
                }
                Poll::Pending => break,
            }
        }
        if !self.is_flushed
            && let Poll::Ready(flushed) = link.poll_flush(context)
        {
            self.is_flushed = true;
            if flushed.is_err() && self.kept.is_none() {
                link.turn_deaf();
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Exchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Exchange")
            .field("member", &self.member.as_ref().map(|member| &member.origin))
            .field("is_uploaded", &self.is_uploaded)
            .finish_non_exhaustive()
    }
}

/// Octets of a request that are kept to be sent again; those of commands without a mail have less.
const MAX_KEPT: usize = 16 << 10;
/// So much of a body is written at once.
const ENOUGH: usize = 16 << 10;
/// Interim answers (RFC 9110 section 15.2) before the answer; more are no server's.
const MAX_INTERIM: u8 = 8;
