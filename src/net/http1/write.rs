//! Heads of requests and answers, written from values.

use http::HeaderMap;
use http::Method;
use http::Request;
use http::StatusCode;
use http::header;

use super::buffer::Buffer;
use super::framing::Length;

/// Writes the head of a request to `host` with a body of this length. Headers of the body's framing
/// and Host must not be among its own.
pub fn put_request(output: &mut Buffer, request: &Request<()>, host: &str, length: Length) {
    let target = request.uri().path_and_query();
    let target = target.map_or("/", |target| target.as_str());
    output.append(request.method().as_str().as_bytes());
    output.append(b" ");
    output.append(target.as_bytes());
    output.append(b" HTTP/1.1\r\nhost: ");
    output.append(host.as_bytes());
    output.append(b"\r\n");
    put_headers(output, request.headers());
    // A server may answer a POST without any length with 411.
    if request.method() != Method::OPTIONS || length != Length::Known(0) {
        put_length(output, length);
    }
    output.append(b"\r\n");
}

/// Writes a request that [`put_request`] has begun, and what follows it, for another host.
pub fn put_other_host(output: &mut Buffer, request: &[u8], host: &str) {
    let line_end = |from: usize| {
        let rest = request.get(from..).unwrap_or_default();
        let at = rest.iter().position(|&octet| octet == b'\n');
        at.map_or(request.len(), |at| from + at + 1)
    };
    let first = line_end(0);
    let second = line_end(first);
    output.append(request.get(..first).unwrap_or_default());
    output.append(b"host: ");
    output.append(host.as_bytes());
    output.append(b"\r\n");
    output.append(request.get(second..).unwrap_or_default());
}

/// Writes the head of an answer. Where its length is known and its headers do not state it, or it
/// is not known, a header says so.
pub fn put_answer(
    output: &mut Buffer,
    status: StatusCode,
    headers: &HeaderMap,
    length: Length,
    keeps: bool,
) {
    output.append(b"HTTP/1.1 ");
    output.append(status.as_str().as_bytes());
    output.append(b" ");
    output.append(status.canonical_reason().unwrap_or_default().as_bytes());
    output.append(b"\r\n");
    put_headers(output, headers);
    let is_stated = headers.contains_key(header::CONTENT_LENGTH);
    if !is_stated && status != StatusCode::NO_CONTENT && status != StatusCode::NOT_MODIFIED {
        put_length(output, length);
    }
    if !keeps {
        output.append(b"connection: close\r\n");
    }
    output.append(b"\r\n");
}

fn put_headers(output: &mut Buffer, headers: &HeaderMap) {
    for (name, value) in headers {
        output.append(name.as_str().as_bytes());
        output.append(b": ");
        output.append(value.as_bytes());
        output.append(b"\r\n");
    }
}

fn put_length(output: &mut Buffer, length: Length) {
    match length {
        Length::Known(octets) => {
            let mut digits = [0; 20];
            let mut first = digits.len();
            let mut rest = octets;
            for (place, digit) in digits.iter_mut().enumerate().rev() {
                // Below ten.
                *digit = b'0' + u8::try_from(rest % 10).unwrap_or_default();
                rest /= 10;
                first = place;
                if rest == 0 {
                    break;
                }
            }
            output.append(b"content-length: ");
            output.append(digits.get(first..).unwrap_or_default());
            output.append(b"\r\n");
        }
        Length::Chunked | Length::UntilClose => {
            output.append(b"transfer-encoding: chunked\r\n");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_are_written_with_one_length() {
        let request = Request::post("https://mail.internal:444/x?y=1")
            .header("x-a", "b")
            .body(())
            .unwrap();
        let mut output = Buffer::default();
        put_request(&mut output, &request, "mail.internal:444", Length::Known(4));
        assert_eq!(
            output.filled(),
            b"POST /x?y=1 HTTP/1.1\r\nhost: mail.internal:444\r\nx-a: b\r\n\
              content-length: 4\r\n\r\n"
        );
        let mut other = Buffer::default();
        put_other_host(&mut other, output.filled(), "b");
        assert_eq!(
            other.filled(),
            b"POST /x?y=1 HTTP/1.1\r\nhost: b\r\nx-a: b\r\ncontent-length: 4\r\n\r\n"
        );
        for octets in [0, 9, 10, 1024, u64::MAX] {
            let mut output = Buffer::default();
            put_length(&mut output, Length::Known(octets));
            let expected = format!("content-length: {octets}\r\n");
            assert_eq!(output.filled(), expected.as_bytes());
        }
        let mut output = Buffer::default();
        let headers = HeaderMap::new();
        put_answer(
            &mut output,
            StatusCode::OK,
            &headers,
            Length::UntilClose,
            false,
        );
        assert_eq!(
            output.filled(),
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n"
        );
    }
}
