//! Connections of HTTP/1.1 (RFC 9112): one request after the other, each with its exchange at the
//! mail server, in one task without another task, channel or timer beside it.

use std::future::poll_fn;
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Context;
use std::task::Poll;

use http::Method;
use http::header;
use tokio::net::TcpStream;
use tokio::time::Instant;
use tokio_rustls::server::TlsStream;
use tracing::debug;

use crate::eas::Command;
use crate::mail;
use crate::mail::Cause;
use crate::mail::Forward;
use crate::mail::Outcome;
use crate::mail::Outgoing;
use crate::mail::Peer;
use crate::mail::Reply;
use crate::net::body::Alarm;
use crate::net::body::Cut;
use crate::net::body::ended_early;
use crate::net::http1::BadHead;
use crate::net::http1::Buffer;
use crate::net::http1::Decoder;
use crate::net::http1::Length;
use crate::net::http1::MAX_HEAD;
use crate::net::http1::RequestHead;
use crate::net::http1::date;
use crate::net::http1::end_of_head;
use crate::net::http1::put_answer;
use crate::net::http1::put_end;
use crate::net::http1::put_piece;
use crate::net::upstream::Ended;
use crate::net::upstream::Exchange;
use crate::net::upstream::Failure;

use super::DISCARD_TIME;
use super::DISCARDED;
use super::Lane;
use super::Settled;
use super::Stop;
use super::conclude;
use super::settle;
use super::tell;

mod wire;

/// Serves a connection until it ends.
pub(super) async fn serve(lane: &Lane, peer: &Arc<Peer>, mut client: Box<Client>) {
    loop {
        let until = Instant::now() + lane.front.limits.head;
        match poll_fn(|context| client.poll_head(context, until)).await {
            Ok(head) => {
                if let Next::Close = client.converse(lane, peer, head).await {
                    break;
                }
            }
            Err(NoHead::Bad(bad)) => {
                let headers = client.dated(lane, http::HeaderMap::new());
                put_answer(
                    &mut client.output,
                    bad.status(),
                    &headers,
                    Length::Known(0),
                    false,
                );
                client.body = Decoder::new(Length::UntilClose);
                drop(client.send().await);
                break;
            }
            Err(NoHead::Closed) => break,
        }
    }
    Box::pin(client.close()).await;
}

/// A client of HTTP/1.1.
pub(super) struct Client {
    stream: TlsStream<TcpStream>,
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

/// Whether another request may follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    Read,
    Close,
}

/// Why there is no request.
#[derive(Clone, Copy, Debug)]
enum NoHead {
    /// The client went away, or said nothing for too long, or the front stops.
    Closed,
    Bad(BadHead),
}

/// What ended a wait for the mail server.
enum Waited {
    Answer(crate::net::http1::AnswerHead),
    Ended(Ended),
    /// The front stops; the client is sent home.
    Stopped,
    /// The client has gone.
    Gone,
}

/// A request that is let through, under way; in one piece, so that what waits with it is small.
struct Forwarded {
    exchange: Exchange,
    way: mail::Exchange,
    /// A Ping would hold the drain up; its client asks again, and meets whoever serves then.
    goes_home: bool,
}

impl Forwarded {
    fn new(lane: &Lane, forward: Forward, length: Length) -> Box<Self> {
        let Forward {
            permit,
            request,
            exchange: way,
        } = forward;
        let patience = lane.front.limits.body;
        Box::new(Self {
            exchange: lane.upstream.forward(permit, &request, length, patience),
            goes_home: way.command() == Command::Ping,
            way,
        })
    }
}

impl Client {
    pub(super) fn new(mut stream: TlsStream<TcpStream>, stop: Stop) -> Self {
        // Room for what a full buffer and a head become.
        stream.get_mut().1.set_buffer_limit(Some(MAX_UNSENT));
        Self {
            stream,
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
        // One that has begun may be sent to its end.
        let is_over = self.stop.is_said(context) && self.input.is_empty();
        if is_over || self.alarm.poll(context, until).is_ready() {
            return Poll::Ready(Err(NoHead::Closed));
        }
        Poll::Pending
    }

    /// RFC 9112 section 2.2: what some clients send after a body.
    fn skip_empty_lines(&mut self) {
        loop {
            let line = match self.input.filled() {
                [b'\r', b'\n', ..] => 2,
                [b'\n', ..] => 1,
                _ => return,
            };
            self.input.consume(line);
            self.scanned = 0;
        }
    }

    /// One request and its answer.
    async fn converse(&mut self, lane: &Lane, peer: &Arc<Peer>, head: RequestHead) -> Next {
        let front = &lane.front;
        let (length, keeps) = (head.length, head.keeps);
        let step = {
            let head = mail::Head {
                method: &head.method,
                uri: &head.uri,
                version: head.version,
                headers: &head.headers,
            };
            front.gateway.handle_head(front.clock.now(), peer, &head)
        };
        drop(head);
        match settle(lane, step).await {
            Settled::Answer(reply) => self.reply(lane, reply, keeps).await,
            Settled::Forward(forward) => {
                let forwarded = Forwarded::new(lane, forward, length);
                self.carry(lane, forwarded, keeps).await
            }
        }
    }

    /// A request that is let through.
    async fn carry(&mut self, lane: &Lane, mut forwarded: Box<Forwarded>, keeps: bool) -> Next {
        let front = &lane.front;
        let waited = poll_fn(|context| self.poll_answer(context, &mut forwarded)).await;
        let head = match waited {
            Waited::Answer(head) => head,
            Waited::Ended(ended) => {
                let reply = conclude(front, &forwarded.way, ended);
                drop(forwarded);
                return self.reply(lane, reply, keeps).await;
            }
            Waited::Stopped => {
                let reply = front.gateway.handle_unreachable();
                return self.reply(lane, reply, false).await;
            }
            Waited::Gone => return Next::Close,
        };
        front.counters.upstream(None);
        let now = front.clock.now();
        let (outgoing, event) =
            front
                .gateway
                .handle_answer(now, &forwarded.way, head.status, head.headers);
        if let Some(event) = event {
            (front.events)(event);
        }
        let (status, headers) = match outgoing {
            Outgoing::Pass(status, headers) => (status, headers),
            Outgoing::Answer(reply) => {
                drop(forwarded);
                return self.reply(lane, reply, keeps).await;
            }
        };
        front.counters.reply(Outcome::Allow);
        // What is left of the request's body is not read once the answer is out.
        let keeps = keeps && forwarded.exchange.is_uploaded() && !self.stop.was_said();
        let headers = self.dated(lane, headers);
        put_answer(&mut self.output, status, &headers, head.length, keeps);
        drop(headers);
        let is_chunked = !matches!(head.length, Length::Known(_));
        let mut has_ended = false;
        let relayed = poll_fn(|context| {
            self.poll_relay(context, &mut forwarded.exchange, is_chunked, &mut has_ended)
        });
        match relayed.await {
            Ok(()) => {
                forwarded.exchange.finish();
                if keeps { Next::Read } else { Next::Close }
            }
            Err(cut) => {
                if matches!(cut, Cut::Revoked) {
                    front.counters.revoked.fetch_add(1, Ordering::Relaxed);
                }
                debug!(error = %cut, "an answer was cut");
                // What the client has is no whole answer, and must not look like one.
                self.output.consume(usize::MAX);
                Next::Close
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

    /// An answer of our own.
    async fn reply(&mut self, lane: &Lane, reply: Reply, keeps: bool) -> Next {
        tell(&lane.front, &reply);
        // Whoever sends one unclear request gets no second one read.
        let is_unclear = matches!(
            reply.cause,
            Cause::Malformed(_) | Cause::BodyMissing | Cause::BodyMalformed
        );
        // A body that nobody has asked for does not come, or it does.
        let keeps = keeps && !is_unclear && !self.waits_for_word && !self.stop.was_said();
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
            self.output.append(reply.body.as_bytes());
        }
        drop(headers);
        if self.send().await.is_err() || !keeps {
            return Next::Close;
        }
        let until = Instant::now() + DISCARD_TIME;
        let mut left = DISCARDED;
        let is_over = poll_fn(|context| self.poll_discard(context, until, &mut left)).await;
        if is_over { Next::Read } else { Next::Close }
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

/// Octets that one TLS record holds.
const RECORD: usize = 16 << 10;

/// Octets that TLS may hold of an answer before a slow client slows the mail server down.
const MAX_UNSENT: usize = 96 << 10;
