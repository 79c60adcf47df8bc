//! Bodies of requests: how long they are, and what becomes of what nobody wants of them.

use http_body_util::BodyExt;
use hyper::body::Body;
use hyper::body::Bytes;
use hyper::body::Incoming;
use tokio::time::timeout;

use crate::net::eas::unwanted::DISCARD_TIME;
use crate::net::eas::unwanted::DISCARDED;
use crate::net::eas::unwanted::LINGER;
use crate::net::eas::unwanted::LINGER_IDLE;
use crate::net::eas::unwanted::LINGER_TIME;
use crate::net::http1::Length;

use super::streams::Stream;

/// How long a body is, as far as its sender has said.
pub(super) fn length_of(body: &Incoming) -> Length {
    match body.size_hint().exact() {
        _ if body.is_end_stream() => Length::Known(0),
        Some(octets) => Length::Known(octets),
        None => Length::Chunked,
    }
}

/// Takes in the rest of a small body that is not wanted, before the answer. A client that sends more, or
/// more slowly, is answered meanwhile and heard out.
pub(super) async fn discard(mut body: Incoming) {
    if body.is_end_stream() || timeout(DISCARD_TIME, take(&mut body, DISCARDED)).await == Ok(true) {
        return;
    }
    hear_out(body);
}

/// Takes in the rest of a body beside the answer and after it: the stream is reset when nobody holds the
/// body any more, and clients (curl among them) then miss the answer.
pub(super) fn hear_out(mut body: Incoming) {
    if body.is_end_stream() {
        return;
    }
    Stream::current().go_on(async move {
        drop(timeout(LINGER_TIME, take(&mut body, LINGER)).await);
    });
}

/// Takes in so many octets of a body; whether it has ended then, or will not.
async fn take(body: &mut Incoming, most: usize) -> bool {
    let mut left = most;
    while let Ok(Some(Ok(frame))) = timeout(LINGER_IDLE, body.frame()).await {
        let octets = frame.data_ref().map_or(0, Bytes::len);
        let Some(rest) = left.checked_sub(octets) else {
            return false;
        };
        left = rest;
    }
    true
}
