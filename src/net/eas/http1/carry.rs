//! A request that is let through: the wait for the mail server, and its answer's way back.

use std::future::poll_fn;
use std::io;
use std::sync::atomic::Ordering;
use std::task::Context;
use std::task::Poll;
use std::task::ready;

use tracing::debug;

use crate::eas::outcome::TELLING;
use crate::mail::Outcome;
use crate::mail::Outgoing;
use crate::net::body::Cut;
use crate::net::body::ended_early;
use crate::net::eas::Lane;
use crate::net::eas::conclude;
use crate::net::eas::watch_answer;
use crate::net::eas::way::Going;
use crate::net::eas::way::Way;
use crate::net::http1::AnswerHead;
use crate::net::http1::Length;
use crate::net::http1::put_answer;
use crate::net::http1::put_end;
use crate::net::http1::put_piece;
use crate::net::proxy_header::Ends;
use crate::net::upstream::Ended;
use crate::net::upstream::Exchange;
use crate::net::upstream::Failure;

use super::Client;
use super::Turn;

/// A request under way; in one piece, so that what waits with it is small.
pub(super) struct Forwarded {
    exchange: Exchange,
    way: Way,
    /// Whether its client wants to send another.
    keeps: bool,
    /// A Ping would hold the drain up; its client asks again, and meets whoever serves then.
    goes_home: bool,
}

impl Forwarded {
    pub(super) fn new(
        lane: &Lane,
        going: Going,
        ends: Ends,
        length: Length,
        keeps: bool,
    ) -> Box<Self> {
        let Going {
            to,
            permit,
            request,
            way,
        } = going;
        let patience = lane.front.limits.body;
        let mut exchange = lane
            .upstream
            .forward(to, permit, &request, ends, length, patience);
        exchange.is_of(way.command());
        if !way.may_wait() {
            exchange.hurry();
        }
        Box::new(Self {
            exchange,
            goes_home: way.goes_home(),
            keeps,
            way,
        })
    }

    /// What has been read of the body already.
    pub(super) fn begin_with(&mut self, octets: &[u8]) {
        self.exchange.begin_with(octets);
    }
}

/// What ended a wait for the mail server.
enum Waited {
    Answer(AnswerHead),
    Ended(Ended),
    /// The front stops; the client is sent home.
    Stopped,
    /// The client has gone.
    Gone,
}

/// What a wait for the mail server led to.
enum Answered {
    /// Its head lies in `output`; the body is to follow.
    Relay {
        is_chunked: bool,
        keeps: bool,
        /// How its body begins is to be seen first.
        wants_first: bool,
    },
    /// Its answer is not passed on.
    Instead(Turn),
    /// A change has ended the wait.
    Revoked(Turn),
}

impl Client {
    /// Goes with a request to its end.
    pub(super) async fn carry(&mut self, lane: &Lane, mut forwarded: Box<Forwarded>) -> Turn {
        let answered = poll_fn(|context| {
            let waited = ready!(self.poll_answer(context, &mut forwarded));
            Poll::Ready(self.answered(lane, &mut forwarded, waited))
        });
        let (is_chunked, keeps) = match answered.await {
            Answered::Relay {
                is_chunked,
                keeps,
                wants_first,
            } => {
                if wants_first && let Some(turn) = self.look(lane, &mut forwarded, keeps).await {
                    return turn;
                }
                (is_chunked, keeps)
            }
            Answered::Instead(turn) => return turn,
            Answered::Revoked(turn) => {
                // There may be others to be told first.
                lane.upstream.drop_later(forwarded);
                return turn;
            }
        };
        let mut has_ended = false;
        let relayed = poll_fn(|context| {
            self.poll_relay(context, &mut forwarded.exchange, is_chunked, &mut has_ended)
        });
        match relayed.await {
            Ok(()) => {
                forwarded.exchange.finish();
                Turn::Over { keeps }
            }
            Err(cut) => {
                if matches!(cut, Cut::Revoked) {
                    let revoked = &lane.front.counters.revoked;
                    revoked.fetch_add(1, Ordering::Relaxed);
                }
                debug!(error = %cut, "an answer was cut");
                // What the client has is no whole answer, and must not look like one.
                self.output.consume(usize::MAX);
                Turn::Over { keeps: false }
            }
        }
    }

    /// Waits for the head of the mail server's answer.
    fn poll_answer(
        &mut self,
        context: &mut Context<'_>,
        forwarded: &mut Forwarded,
    ) -> Poll<Waited> {
        let exchange = &mut forwarded.exchange;
        match exchange.poll_answer(context, self) {
            Poll::Ready(Ok(head)) => return Poll::Ready(Waited::Answer(head)),
            Poll::Ready(Err(ended)) => return Poll::Ready(Waited::Ended(ended)),
            Poll::Pending => {}
        }
        if self.is_gone(context) {
            return Poll::Ready(Waited::Gone);
        }
        self.input.park();
        if self.stop.is_said(context) && forwarded.goes_home {
            return Poll::Ready(Waited::Stopped);
        }
        let late = self.alarm.poll(context, exchange.deadline());
        late.map(|()| Waited::Ended(Failure::from(exchange.late()).into()))
    }

    /// What becomes of the request now.
    fn answered(&mut self, lane: &Lane, forwarded: &mut Forwarded, waited: Waited) -> Answered {
        let front = &lane.front;
        let head = match waited {
            Waited::Answer(head) => head,
            Waited::Ended(ended) => {
                let is_revoked = matches!(ended, Ended::Revoked { .. });
                let reply = conclude(front, &forwarded.way, ended);
                let turn = self.reply(lane, reply, forwarded.keeps);
                return if is_revoked {
                    Answered::Revoked(turn)
                } else {
                    Answered::Instead(turn)
                };
            }
            Waited::Stopped => {
                let reply = front.gateway.come_again();
                return Answered::Instead(self.reply(lane, reply, false));
            }
            Waited::Gone => return Answered::Instead(Turn::Over { keeps: false }),
        };
        front.counters.upstream(None);
        let (outgoing, event) = forwarded.way.answer(front, head.status, head.headers);
        if let Some(event) = event {
            (front.events)(event);
        }
        let (status, headers) = match outgoing {
            Outgoing::Pass(status, headers) => (status, headers),
            Outgoing::Watch(status, headers, promise) => {
                watch_answer(front, &mut forwarded.exchange, promise);
                (status, headers)
            }
            Outgoing::Answer(reply) => {
                return Answered::Instead(self.reply(lane, reply, forwarded.keeps));
            }
        };
        let wants_first = forwarded.way.wants_first(front, status);
        if !wants_first {
            front.counters.reply(Outcome::Allow);
        }
        // What is left of the request's body is not read once the answer is out.
        let keeps = forwarded.keeps && forwarded.exchange.is_uploaded() && !self.stop.was_said();
        let headers = self.dated(lane, headers);
        put_answer(&mut self.output, status, &headers, head.length, keeps);
        Answered::Relay {
            is_chunked: !matches!(head.length, Length::Known(_)),
            keeps,
            wants_first,
        }
    }

    /// Looks at the beginning of the answer's body, whose head lies in `output`. What follows instead, if
    /// the client must not have it, or it does not come.
    async fn look(&mut self, lane: &Lane, forwarded: &mut Forwarded, keeps: bool) -> Option<Turn> {
        let front = &lane.front;
        let exchange = &mut forwarded.exchange;
        let first = poll_fn(|context| {
            if let Poll::Ready(first) = exchange.poll_beginning(context, self, TELLING) {
                return Poll::Ready(first);
            }
            let late = self.alarm.poll(context, exchange.deadline());
            late.map(|()| Err(exchange.late()))
        });
        let first = first.await;
        let reply = (forwarded.way).instead(front, &forwarded.exchange, first);
        let Some(reply) = reply else {
            front.counters.reply(Outcome::Allow);
            return None;
        };
        self.output.consume(usize::MAX);
        Some(self.reply(lane, reply, keeps))
    }

    /// Moves the answer's body to the client, to its end.
    fn poll_relay(
        &mut self,
        context: &mut Context<'_>,
        exchange: &mut Exchange,
        is_chunked: bool,
        has_ended: &mut bool,
    ) -> Poll<Result<(), Cut>> {
        let broken = |error: io::Error| Cut::Broken(error.into());
        let is_client_slow = loop {
            match exchange.poll_piece(context, self) {
                Poll::Ready(Err(cut)) => return Poll::Ready(Err(cut)),
                Poll::Ready(Ok(0)) => {
                    if !std::mem::replace(has_ended, true) {
                        put_end(&mut self.output, is_chunked);
                    }
                    match self.poll_send(context) {
                        Poll::Ready(sent) => return Poll::Ready(sent.map_err(broken)),
                        Poll::Pending => break true,
                    }
                }
                // A short body goes in one record with its head, a long one as it is.
                Poll::Ready(Ok(count)) if is_chunked || self.output.len() + count <= RECORD => {
                    if self.output.len() < RECORD {
                        let count = count.min(RECORD);
                        put_piece(&mut self.output, is_chunked, exchange.piece(count));
                        exchange.take(count);
                        continue;
                    }
                    match self.poll_send(context) {
                        Poll::Ready(sent) => sent.map_err(broken)?,
                        Poll::Pending => break true,
                    }
                }
                Poll::Ready(Ok(count)) => match self.poll_write(context, exchange.piece(count)) {
                    Poll::Ready(count) => exchange.take(count.map_err(broken)?),
                    Poll::Pending => break true,
                },
                Poll::Pending => match self.poll_send(context) {
                    Poll::Ready(sent) => {
                        sent.map_err(broken)?;
                        break false;
                    }
                    Poll::Pending => break true,
                },
            }
        };
        if self.is_gone(context) {
            return Poll::Ready(Err(ended_early()));
        }
        // Whether the front stops is asked now and then, so that its word is known at the end.
        let _later = self.stop.is_said(context);
        if !is_client_slow && self.alarm.poll(context, exchange.deadline()).is_ready() {
            return Poll::Ready(Err(exchange.late()));
        }
        Poll::Pending
    }
}

/// Octets that one TLS record holds.
const RECORD: usize = 16 << 10;
