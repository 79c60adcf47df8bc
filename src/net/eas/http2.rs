//! Connections of HTTP/2 (RFC 9113): the library reads and writes them, and runs each exchange.

use std::convert::Infallible;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use http::HeaderMap;
use http::StatusCode;
use hyper::Request;
use hyper::Response;
use hyper::body::Bytes;
use hyper::body::Incoming;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use hyper_util::rt::TokioTimer;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio_rustls::server::TlsStream;
use tracing::debug;

use crate::eas::outcome::TELLING;
use crate::mail::Discovery;
use crate::mail::Head;
use crate::mail::Next;
use crate::mail::Outcome;
use crate::mail::Outgoing;
use crate::mail::Peer;
use crate::mail::Read;
use crate::mail::Reply;
use crate::net::body::Alarm;
use crate::net::http1::Length;
use crate::net::proxy_header::Ends;
use crate::net::upstream::Exchange;
use crate::net::upstream::Failure;

use super::Front;
use super::Lane;
use super::STALL;
use super::Settled;
use super::Stop;
use super::aside::Waiting;
use super::aside::attest;
use super::aside::fetch;
use super::aside::go_on;
use super::ask;
use super::calm::Calm;
use super::conclude;
use super::discover;
use super::gather::gather;
use super::settle;
use super::tell;
use super::watch_answer;
use super::way::Going;
use super::way::Way;

mod download;
mod idleness;
mod streams;
mod upload;

use download::Answer;
use download::Download;
use download::Relay;
use idleness::Idleness;
use streams::Stream;
use streams::Streams;
use streams::Tasks;
use upload::discard;
use upload::hear_out;
use upload::length_of;

/// Serves a connection until it ends.
pub(super) async fn serve(
    lane: &Arc<Lane>,
    peer: &Arc<Peer>,
    stream: TlsStream<TcpStream>,
    ends: Ends,
    stop: watch::Receiver<bool>,
) {
    let exchange_stop = stop.clone();
    let (limits, counters) = (&lane.front.limits, &lane.front.counters);
    let streams = Arc::default();
    let mut idleness = Idleness::new(limits, &streams, counters);
    let service = service_fn(move |request| {
        let (lane, peer) = (Arc::clone(lane), Arc::clone(peer));
        let stop = exchange_stop.clone();
        async move {
            let response = respond(&lane, &peer, ends, request, stop).await;
            let hand_over = |answer| Download::new(answer, Stream::current());
            Ok::<_, Infallible>(response.map(hand_over))
        }
    });
    let mut stop = Stop::new(stop);
    let stream = TokioIo::new(Calm::new(stream, Arc::clone(counters)));
    let mut connection = pin!(builder(&streams).serve_connection(stream, service));
    let mut is_told = false;
    let ended = poll_fn(|context| {
        if !is_told && stop.is_said(context) {
            is_told = true;
            connection.as_mut().graceful_shutdown();
            idleness.hasten();
        }
        while idleness.poll(context).is_ready() {
            // Told before, it has not gone.
            if std::mem::replace(&mut is_told, true) {
                return Poll::Ready(Ok(()));
            }
            connection.as_mut().graceful_shutdown();
        }
        connection.as_mut().poll(context)
    });
    if let Err(error) = ended.await {
        debug!(%error, "a mail connection ended early");
    }
}

fn builder(streams: &Arc<Streams>) -> http2::Builder<Tasks> {
    let mut builder = http2::Builder::new(Tasks::of(streams));
    builder
        .timer(TokioTimer::new())
        .max_concurrent_streams(MAX_STREAMS)
        .max_header_list_size(MAX_HEAD)
        .max_pending_accept_reset_streams(MAX_RESETS)
        .max_local_error_reset_streams(MAX_REFUSED)
        .max_send_buf_size(MAX_BUFFER)
        .keep_alive_interval(KEEPALIVE)
        .keep_alive_timeout(STALL);
    builder
}

/// What a request is answered.
enum Answered {
    /// By ourselves.
    Locally(Reply),
    /// By the mail server.
    Passed(Box<Passed>),
}

/// An answer of the mail server; its body is to follow.
struct Passed {
    exchange: Exchange,
    alarm: Alarm,
    status: StatusCode,
    headers: HeaderMap,
    length: Length,
}

/// One request, from its head to the head of its answer.
async fn respond(
    lane: &Lane,
    peer: &Arc<Peer>,
    ends: Ends,
    request: Request<Incoming>,
    stop: watch::Receiver<bool>,
) -> Response<Answer> {
    let front = &lane.front;
    let (parts, mut body) = request.into_parts();
    let head = Head {
        method: &parts.method,
        uri: &parts.uri,
        version: parts.version,
        headers: &parts.headers,
    };
    let step = front.gateway.handle_head(front.clock.now(), peer, &head);
    drop(parts);
    let settled = match settle(front, step) {
        Ok(settled) => settled,
        Err(first) => Box::pin(ask(lane, ends, first)).await,
    };
    let answered = match settled {
        Settled::Answer(reply) => Answered::Locally(reply),
        Settled::Go(going) => {
            let begun = begin(lane, going, ends, length_of(&body), &[]);
            carry(lane, begun, &mut body, stop).await
        }
        Settled::Discover(discovery) => {
            Answered::Locally(Box::pin(find_out(lane, discovery, ends, &mut body)).await)
        }
        Settled::Read(aside) => Box::pin(read(lane, aside, ends, &mut body, stop)).await,
    };
    match answered {
        Answered::Locally(reply) => {
            tell(front, &reply);
            discard(body).await;
            local(reply)
        }
        Answered::Passed(passed) => pass(front, *passed, body),
    }
}

/// A request for Autodiscover whose credentials are good.
async fn find_out(lane: &Lane, discovery: Discovery, ends: Ends, body: &mut Incoming) -> Reply {
    match gather(&lane.front, body, Discovery::MAX_REQUEST).await {
        Ok(gathered) => discover(lane, ends, discovery, gathered.whole()).await,
        Err(reply) => reply,
    }
}

/// A request whose body is read first.
async fn read(
    lane: &Lane,
    read: Read,
    ends: Ends,
    body: &mut Incoming,
    stop: watch::Receiver<bool>,
) -> Answered {
    let front = &lane.front;
    let length = length_of(body);
    let gathered = match gather(front, body, read.limit).await {
        Ok(gathered) => gathered,
        Err(reply) => return Answered::Locally(reply),
    };
    let next = go_on(front, read.aside, &gathered);
    // What was read is let go: what comes now may take an hour.
    Answered::Locally(match next {
        Next::Answer(reply) => reply,
        Next::Forward(forward) => {
            let begun = begin(lane, forward.into(), ends, length, gathered.octets());
            drop(gathered);
            return carry(lane, begun, body, stop).await;
        }
        Next::Fetch(wanted) => {
            drop(gathered);
            Box::pin(fetch(lane, ends, wanted)).await
        }
        Next::Attest(wanted) => {
            drop(gathered);
            Box::pin(attest(lane, wanted)).await
        }
        Next::Wait(wait) => {
            drop(gathered);
            let (mut stop, mut alarm) = (Stop::new(stop), Alarm::default());
            let mut waiting = Waiting::new(wait);
            let over = poll_fn(|context| waiting.poll(context, &mut stop, &mut alarm)).await;
            waiting.conclude(front, over)
        }
    })
}

/// Begins a request that is let through, with what has been read of its body already.
fn begin(lane: &Lane, going: Going, ends: Ends, length: Length, octets: &[u8]) -> (Exchange, Way) {
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
    exchange.begin_with(octets);
    (exchange, way)
}

/// A request that is let through.
async fn carry(
    lane: &Lane,
    (mut exchange, way): (Exchange, Way),
    body: &mut Incoming,
    stop: watch::Receiver<bool>,
) -> Answered {
    let front = &lane.front;
    // A Ping would hold the drain up; its client asks again, and meets whoever serves then.
    let mut stop = way.goes_home().then(|| Stop::new(stop));
    let mut alarm = Alarm::default();
    let answer = poll_fn(|context| {
        if let Poll::Ready(answer) = exchange.poll_answer(context, body) {
            return Poll::Ready(Some(answer));
        }
        if stop.as_mut().is_some_and(|stop| stop.is_said(context)) {
            return Poll::Ready(None);
        }
        let late = alarm.poll(context, exchange.deadline());
        late.map(|()| Some(Err(Failure::from(exchange.late()).into())))
    });
    let head = match answer.await {
        None => return Answered::Locally(front.gateway.come_again()),
        Some(Err(ended)) => return Answered::Locally(conclude(front, &way, ended)),
        Some(Ok(head)) => head,
    };
    front.counters.upstream(None);
    let (outgoing, event) = way.answer(front, head.status, head.headers);
    if let Some(event) = event {
        (front.events)(event);
    }
    let (status, headers) = match outgoing {
        Outgoing::Pass(status, headers) => (status, headers),
        Outgoing::Watch(status, headers, promise) => {
            watch_answer(front, &mut exchange, promise);
            (status, headers)
        }
        Outgoing::Answer(reply) => return Answered::Locally(reply),
    };
    if way.wants_first(front, status) {
        let first = poll_fn(|context| {
            if let Poll::Ready(first) = exchange.poll_beginning(context, body, TELLING) {
                return Poll::Ready(first);
            }
            let late = alarm.poll(context, exchange.deadline());
            late.map(|()| Err(exchange.late()))
        });
        let first = first.await;
        if let Some(reply) = way.instead(front, &exchange, first) {
            return Answered::Locally(reply);
        }
    }
    front.counters.reply(Outcome::Allow);
    Answered::Passed(Box::new(Passed {
        exchange,
        alarm,
        status,
        headers,
        length: head.length,
    }))
}

/// An answer of the mail server to a request with this body.
fn pass(front: &Front, passed: Passed, body: Incoming) -> Response<Answer> {
    let Passed {
        mut exchange,
        alarm,
        status,
        headers,
        length,
    } = passed;
    let answer = if length == Length::Known(0) {
        exchange.finish();
        hear_out(body);
        Answer::Text(None)
    } else {
        let counters = Arc::clone(&front.counters);
        let relay = Relay::new(exchange, body, alarm, length, counters);
        Answer::Upstream(Box::new(relay))
    };
    let mut response = Response::new(answer);
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}

/// An answer of our own.
fn local(reply: Reply) -> Response<Answer> {
    let mut response = Response::new(Answer::Text(Some(Bytes::from(reply.body))));
    *response.status_mut() = reply.status;
    *response.headers_mut() = reply.headers;
    response
}

/// Octets of a head by the count of RFC 9113 section 6.5.2. The stream is refused beyond it.
const MAX_HEAD: u32 = 32 * 1024;
/// Octets held of a stream; a slow reader slows the mail server down.
const MAX_BUFFER: usize = 64 * 1024;
/// Exchanges at the same time on one connection; a phone has one or two.
const MAX_STREAMS: u32 = 32;
/// Streams beyond [`MAX_STREAMS`] that are refused before the connection is closed: a client may open
/// a hundred, which many servers allow, before it has read how many we do.
const MAX_REFUSED: usize = 128;
/// Streams reset before they are answered; the connection is closed beyond it (CVE-2023-44487).
const MAX_RESETS: usize = 20;
/// How often a client is asked whether it is still there: rarely, because the question wakes a
/// phone up.
const KEEPALIVE: Duration = Duration::from_mins(10);
