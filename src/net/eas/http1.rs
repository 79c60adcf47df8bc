//! Connections of HTTP/1.1 (RFC 9112): one request after the other, each with its exchange at the
//! mail server, in one task without another task, channel or timer beside it.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::Context;
use std::task::Poll;
use std::task::ready;

use http::Method;
use http::header;
use tokio::net::TcpStream;
use tokio::time::Instant;
use tokio_rustls::server::TlsStream;

use crate::mail;
use crate::mail::Ask;
use crate::mail::Cause;
use crate::mail::Peer;
use crate::mail::Reply;
use crate::net::body::Alarm;
use crate::net::http1::BadHead;
use crate::net::http1::Buffer;
use crate::net::http1::Decoder;
use crate::net::http1::Length;
use crate::net::http1::MAX_HEAD;
use crate::net::http1::RequestHead;
use crate::net::http1::date;
use crate::net::http1::end_of_head;
use crate::net::http1::put_answer;
use crate::net::proxy_header::Ends;

use super::Lane;
use super::Settled;
use super::Stop;
use super::aside::Waiting;
use super::ask;
use super::settle;
use super::tell;
use super::unwanted::DISCARD_TIME;
use super::unwanted::DISCARDED;

mod carry;
mod read;
mod wire;

use carry::Forwarded;
use read::Discovering;
use read::Reading;

/// Serves a connection until it ends.
///
/// What is large lives in no await: a waiting connection keeps the room of its whole future, so
/// heads, replies and steps come and go within one poll, and what lasts is in a box.
pub(super) async fn serve(lane: &Lane, peer: &Arc<Peer>, mut client: Box<Client>) {
    loop {
        let until = Instant::now() + lane.front.limits.head;
        let mut turn = poll_fn(|context| client.poll_turn(context, lane, peer, until)).await;
        if let Turn::Ask(asking) = turn {
            turn = Box::pin(client.ask(lane, asking)).await;
        }
        if let Turn::Read(reading) = turn {
            turn = Box::pin(client.read(lane, reading)).await;
        }
        if let Turn::Discover(discovering) = turn {
            turn = Box::pin(client.discover(lane, discovering)).await;
        }
        if let Turn::Carry(forwarded) = turn {
            turn = client.carry(lane, forwarded).await;
        }
        if let Turn::Wait { waiting, keeps } = turn {
            turn = client.wait(lane, waiting, keeps).await;
        }
        let goes_on = match turn {
            Turn::Reply { keeps } => client.send_reply(keeps).await,
            Turn::Over { keeps } => keeps,
            Turn::Ask(_)
            | Turn::Read(_)
            | Turn::Discover(_)
            | Turn::Carry(_)
            | Turn::Wait { .. } => false,
        };
        if !goes_on {
            break;
        }
    }
    Box::pin(client.close()).await;
}

/// What follows in a connection.
enum Turn {
    /// The mail server is to be asked first.
    Ask(Box<Asking>),
    /// Its body is to be read first.
    Read(Box<Reading>),
    /// Where a mailbox is has to be found out.
    Discover(Box<Discovering>),
    /// A request is let through.
    Carry(Box<Forwarded>),
    /// A request waits in quarantine.
    Wait { waiting: Box<Waiting>, keeps: bool },
    /// An answer of our own lies in `output`; after it another request may follow, or not.
    Reply { keeps: bool },
    /// Nothing is left to send.
    Over { keeps: bool },
}

/// A request whose credentials the mail server is asked about.
struct Asking {
    ask: Box<Ask>,
    length: Length,
    keeps: bool,
}

/// A client of HTTP/1.1.
pub(super) struct Client {
    stream: TlsStream<TcpStream>,
    ends: Ends,
    stop: Stop,
    /// What has come and was not read: of a head, of a body, of the next request.
    input: Buffer,
    /// What is to go.
    output: Buffer,
    /// Octets of `input` that are known not to hold the end of a head.
    scanned: usize,
    /// The body of the request in hand.
    body: Decoder,
    /// Whether the request in hand is a HEAD, whose answer has no body (RFC 9110 section 9.3.2).
    is_head: bool,
    /// Whether the client waits for a word before it sends its body.
    waits_for_word: bool,
    alarm: Alarm,
}

/// Why there is no request.
#[derive(Clone, Copy, Debug)]
enum NoHead {
    /// The client went away, or said nothing for too long, or the front stops.
    Closed,
    Bad(BadHead),
}

impl Client {
    pub(super) fn new(mut stream: TlsStream<TcpStream>, ends: Ends, stop: Stop) -> Self {
        // Room for what a full buffer and a head become.
        stream.get_mut().1.set_buffer_limit(Some(MAX_UNSENT));
        Self {
            stream,
            ends,
            stop,
            input: Buffer::default(),
            output: Buffer::default(),
            scanned: 0,
            body: Decoder::new(Length::Known(0)),
            is_head: false,
            waits_for_word: false,
            alarm: Alarm::default(),
        }
    }

    /// Waits for the next request, and for what is to be done with it.
    fn poll_turn(
        &mut self,
        context: &mut Context<'_>,
        lane: &Lane,
        peer: &Arc<Peer>,
        until: Instant,
    ) -> Poll<Turn> {
        Poll::Ready(match ready!(self.poll_head(context, until)) {
            Ok(head) => self.take(lane, peer, &head),
            Err(NoHead::Bad(bad)) => self.refuse(lane, bad),
            Err(NoHead::Closed) => Turn::Over { keeps: false },
        })
    }

    /// Waits for the next head.
    fn poll_head(
        &mut self,
        context: &mut Context<'_>,
        until: Instant,
    ) -> Poll<Result<RequestHead, NoHead>> {
        loop {
            self.skip_empty_lines();
            let filled = self.input.filled();
            let end = end_of_head(filled, self.scanned);
            if end.unwrap_or(filled.len()) > MAX_HEAD {
                return Poll::Ready(Err(NoHead::Bad(BadHead::TooLarge)));
            }
            if let Some(end) = end {
                let head = RequestHead::parse(filled.get(..end).unwrap_or_default());
                self.input.consume(end);
                self.scanned = 0;
                let head = head.map_err(NoHead::Bad)?;
                self.body = Decoder::new(head.length);
                self.is_head = head.method == Method::HEAD;
                self.waits_for_word = head.expects_continue && !self.body.is_over();
                return Poll::Ready(Ok(head));
            }
            self.scanned = filled.len();
            match self.poll_fill(context) {
                Poll::Ready(Ok(1..)) => {}
                Poll::Ready(Ok(0) | Err(_)) => return Poll::Ready(Err(NoHead::Closed)),
                Poll::Pending => break,
            }
        }
        self.input.park();
        // What has come of a head is no request yet, and is sent again to whoever serves then.
        if self.stop.is_said(context) || self.alarm.poll(context, until).is_ready() {
            return Poll::Ready(Err(NoHead::Closed));
        }
        Poll::Pending
    }

    /// RFC 9112 section 2.2: what some clients send after a body. A line feed alone is no empty line, as
    /// it ends no line of a head either.
    fn skip_empty_lines(&mut self) {
        while self.input.filled().starts_with(b"\r\n") {
            self.input.consume(2);
            self.scanned = 0;
        }
    }

    /// Takes a request in.
    fn take(&mut self, lane: &Lane, peer: &Arc<Peer>, head: &RequestHead) -> Turn {
        let front = &lane.front;
        let step = front.gateway.handle_head(
            front.clock.now(),
            peer,
            &mail::Head {
                method: &head.method,
                uri: &head.uri,
                version: head.version,
                headers: &head.headers,
            },
        );
        let (length, keeps) = (head.length, head.keeps);
        match settle(front, step) {
            Ok(settled) => self.begin(lane, settled, length, keeps),
            Err(ask) => Turn::Ask(Box::new(Asking { ask, length, keeps })),
        }
    }

    async fn ask(&mut self, lane: &Lane, asking: Box<Asking>) -> Turn {
        let settled = ask(lane, self.ends, asking.ask).await;
        self.begin(lane, settled, asking.length, asking.keeps)
    }

    fn begin(&mut self, lane: &Lane, settled: Settled, length: Length, keeps: bool) -> Turn {
        match settled {
            Settled::Answer(reply) => self.reply(lane, reply, keeps),
            Settled::Go(going) => {
                Turn::Carry(Forwarded::new(lane, going, self.ends, length, keeps))
            }
            Settled::Discover(discovery) => {
                Turn::Discover(Box::new(Discovering { discovery, keeps }))
            }
            Settled::Read(read) => Turn::Read(Box::new(Reading {
                read,
                length,
                keeps,
            })),
        }
    }

    /// Answers what is no request.
    fn refuse(&mut self, lane: &Lane, bad: BadHead) -> Turn {
        let headers = self.dated(lane, http::HeaderMap::new());
        put_answer(
            &mut self.output,
            bad.status(),
            &headers,
            Length::Known(0),
            false,
        );
        self.body = Decoder::new(Length::UntilClose);
        Turn::Reply { keeps: false }
    }

    /// An answer of our own.
    fn reply(&mut self, lane: &Lane, reply: Reply, keeps: bool) -> Turn {
        tell(&lane.front, &reply);
        // Whoever sends one unclear request gets no second one read.
        let is_unclear = matches!(
            reply.cause,
            Cause::Malformed(_) | Cause::BodyMissing | Cause::BodyMalformed
        );
        // A body that nobody has asked for does not come, or it does.
        let is_long = self.body.has_more_than(DISCARDED);
        let keeps =
            keeps && !is_unclear && !is_long && !self.waits_for_word && !self.stop.was_said();
        let length = u64::try_from(reply.body.len()).unwrap_or(u64::MAX);
        let headers = self.dated(lane, reply.headers);
        put_answer(
            &mut self.output,
            reply.status,
            &headers,
            Length::Known(length),
            keeps,
        );
        if !self.is_head {
            self.output.append(&reply.body);
        }
        Turn::Reply { keeps }
    }

    /// Sends it, and reads what is left of the request; tells whether another may follow.
    async fn send_reply(&mut self, keeps: bool) -> bool {
        if self.send().await.is_err() || !keeps {
            return false;
        }
        let until = Instant::now() + DISCARD_TIME;
        let mut left = DISCARDED;
        poll_fn(|context| self.poll_discard(context, until, &mut left)).await
    }

    /// Takes in the rest of a small body that is not wanted; tells whether that was all.
    fn poll_discard(
        &mut self,
        context: &mut Context<'_>,
        until: Instant,
        left: &mut usize,
    ) -> Poll<bool> {
        loop {
            let Ok(count) = self.body.ready(&mut self.input) else {
                return Poll::Ready(false);
            };
            if count == 0 && self.body.is_over() {
                return Poll::Ready(true);
            }
            if count > *left {
                return Poll::Ready(false);
            }
            *left -= count;
            self.input.consume(count);
            self.body.took(count);
            if count > 0 {
                continue;
            }
            match self.poll_fill(context) {
                Poll::Ready(Ok(1..)) => {}
                Poll::Ready(Ok(0) | Err(_)) => return Poll::Ready(false),
                Poll::Pending => break,
            }
        }
        self.alarm.poll(context, until).map(|()| false)
    }

    fn dated(&self, lane: &Lane, mut headers: http::HeaderMap) -> http::HeaderMap {
        if !headers.contains_key(header::DATE)
            && let Some(date) = date(lane.front.clock.now().wall)
        {
            headers.insert(header::DATE, date);
        }
        headers
    }
}

/// Octets that TLS may hold of an answer before a slow client slows the mail server down.
const MAX_UNSENT: usize = 96 << 10;
