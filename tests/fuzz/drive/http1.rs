//! HTTP/1.1 octets of a client: never a panic, one reading however they arrive, and what is
//! written reads the same again.

use http::Request;
use http::header;
use portreeve::net::http1::AnswerHead;
use portreeve::net::http1::Buffer;
use portreeve::net::http1::Decoder;
use portreeve::net::http1::Length;
use portreeve::net::http1::RequestHead;
use portreeve::net::http1::end_of_head;
use portreeve::net::http1::put_end;
use portreeve::net::http1::put_piece;
use portreeve::net::http1::put_request;

/// Reads `octets` as a connection of requests, as an answer, and as chunks.
pub fn drive(octets: &[u8]) {
    let mut rest = octets;
    for _ in 0..16 {
        let Some(end) = end_of_head(rest, 0) else {
            break;
        };
        // Where it ends does not hang on how much of it was looked at before.
        for seen in 0..end.min(64) {
            assert_eq!(end_of_head(&rest[..end], seen.min(end - 1)), Some(end));
        }
        answer(&rest[..end]);
        let Ok(head) = RequestHead::parse(&rest[..end]) else {
            break;
        };
        written_again(&head);
        rest = match body(head.length, &rest[end..]) {
            Some(taken) if head.keeps => &rest[end + taken..],
            _ => break,
        };
    }
    body(Length::Chunked, octets);
}

/// A head that was read says the same once it is written.
fn written_again(head: &RequestHead) {
    let mut request = Request::new(());
    *request.method_mut() = head.method.clone();
    *request.uri_mut() = head.uri.clone();
    for (name, value) in &head.headers {
        let is_ours = [
            header::HOST,
            header::CONTENT_LENGTH,
            header::TRANSFER_ENCODING,
            header::CONNECTION,
        ];
        if !is_ours.contains(name) {
            request.headers_mut().append(name, value.clone());
        }
    }
    // The target of CONNECT has no path, and the front forwards none.
    if head.uri.path_and_query().is_none() {
        return;
    }
    let mut output = Buffer::default();
    put_request(&mut output, &request, "h", head.length);
    let octets = output.filled();
    assert_eq!(end_of_head(octets, 0), Some(octets.len()));
    let Ok(again) = RequestHead::parse(octets) else {
        // The name of a server and a few headers more than it had may be too many.
        assert!(request.headers().len() > 60 || head.uri.authority().is_some());
        return;
    };
    assert_eq!(again.method, head.method);
    assert_eq!(again.length, head.length);
    assert_eq!(again.uri.path_and_query(), head.uri.path_and_query());
    for name in request.headers().keys() {
        let values = request.headers().get_all(name).iter();
        assert!(values.eq(again.headers.get_all(name).iter()), "{name}");
    }
}

fn answer(octets: &[u8]) {
    if let Ok(head) = AnswerHead::parse(octets)
        && head.length == Length::Chunked
    {
        assert!(!head.headers.contains_key(header::CONTENT_LENGTH));
    }
}

/// The same body however its octets arrive, and however it is framed; tells how many were its.
fn body(length: Length, octets: &[u8]) -> Option<usize> {
    let whole = decode(length, octets, octets.len().max(1));
    for by in [1, 2, 3, 7] {
        assert_eq!(decode(length, octets, by), whole, "in pieces of {by}");
    }
    let (body, taken) = whole?;
    let mut framed = Buffer::default();
    for piece in body.chunks(5) {
        put_piece(&mut framed, true, piece);
    }
    put_end(&mut framed, true);
    let framed = framed.filled();
    assert_eq!(
        decode(Length::Chunked, framed, 4),
        Some((body, framed.len()))
    );
    Some(taken)
}

/// The body, and how many octets it took; `None` if it is malformed or not all there.
fn decode(length: Length, octets: &[u8], by: usize) -> Option<(Vec<u8>, usize)> {
    let mut decoder = Decoder::new(length);
    let mut buffer = Buffer::default();
    let mut body = Vec::new();
    let mut given = 0;
    let mut pieces = octets.chunks(by);
    loop {
        let ready = decoder.ready(&mut buffer).ok()?;
        assert!(ready <= buffer.len());
        if ready > 0 {
            body.extend_from_slice(&buffer.filled()[..ready]);
            buffer.consume(ready);
            decoder.took(ready);
        } else if decoder.is_over() {
            return Some((body, given - buffer.len()));
        } else {
            let piece = pieces.next()?;
            given += piece.len();
            buffer.append(piece);
        }
    }
}
