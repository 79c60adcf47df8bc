//! Heads of requests and answers, read whole or refused.

use std::mem::MaybeUninit;

use bytes::Bytes;
use http::HeaderMap;
use http::HeaderName;
use http::HeaderValue;
use http::Method;
use http::StatusCode;
use http::Uri;
use http::Version;
use http::header;
use memchr::memchr;

use super::framing::Length;

/// The head of a request.
#[derive(Debug)]
pub struct RequestHead {
    /// As it was sent; extensions too.
    pub method: Method,
    /// The target in any of its forms (RFC 9112 section 3.2).
    pub uri: Uri,
    /// HTTP/1.0 or 1.1.
    pub version: Version,
    /// All of them, in the order of their names' first appearance.
    pub headers: HeaderMap,
    /// Of the body that follows.
    pub length: Length,
    /// Whether another request may follow on the connection.
    pub keeps: bool,
    /// Whether the client waits for a word before it sends the body (RFC 9110 section 10.1.1).
    pub expects_continue: bool,
}

/// The head of an answer.
#[derive(Debug)]
pub struct AnswerHead {
    /// 100 to 999.
    pub status: StatusCode,
    /// Without a Content-Length that does not count.
    pub headers: HeaderMap,
    /// Of the body that follows.
    pub length: Length,
    /// Whether the connection may be used again after it.
    pub keeps: bool,
}

/// A head that is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadHead {
    /// It is not formed as one.
    #[error("the head is malformed")]
    Malformed,
    /// It is too long, or has too many headers.
    #[error("the head is too large")]
    TooLarge,
}

impl BadHead {
    /// What a client is told.
    pub const fn status(self) -> StatusCode {
        match self {
            Self::Malformed => StatusCode::BAD_REQUEST,
            Self::TooLarge => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
        }
    }
}

impl From<httparse::Error> for BadHead {
    fn from(error: httparse::Error) -> Self {
        if error == httparse::Error::TooManyHeaders {
            Self::TooLarge
        } else {
            Self::Malformed
        }
    }
}

/// How long the head at the front of `octets` is, if its end is there. Of the octets before `from`
/// it is known that they do not hold it.
pub fn end_of_head(octets: &[u8], from: usize) -> Option<usize> {
    // The end is a line end after a line end, each of them with or without a return.
    let mut at = from.saturating_sub(2);
    loop {
        let rest = octets.get(at..)?;
        at += memchr(b'\n', rest)? + 1;
        match octets.get(at..) {
            Some([b'\n', ..]) => return Some(at + 1),
            Some([b'\r', b'\n', ..]) => return Some(at + 2),
            _ => {}
        }
    }
}

impl RequestHead {
    /// Reads a head with its end.
    ///
    /// # Errors
    ///
    /// When it is none, or what follows it would be unclear.
    pub fn parse(octets: &[u8]) -> Result<Self, BadHead> {
        if has_bare_feed(octets) {
            return Err(BadHead::Malformed);
        }
        let text = Bytes::copy_from_slice(octets);
        let mut lines = [const { MaybeUninit::uninit() }; MAX_HEADERS];
        let mut parsed = httparse::Request::new(&mut []);
        let read = parsed.parse_with_uninit_headers(&text, &mut lines)?;
        // It ends where we have seen its end, and nowhere else.
        if read != httparse::Status::Complete(text.len()) {
            return Err(BadHead::Malformed);
        }
        let malformed = BadHead::Malformed;
        let method = Method::from_bytes(parsed.method.ok_or(malformed)?.as_bytes());
        let target = text.slice_ref(parsed.path.ok_or(malformed)?.as_bytes());
        let version = version(parsed.version)?;
        let headers = headers(&text, parsed.headers)?;
        let codings = last_coding(&headers)?;
        let length = match (codings, content_length(&headers)?) {
            (Some(Coding::Chunked), _) if version == Version::HTTP_11 => Length::Chunked,
            (Some(_), _) => return Err(malformed),
            (None, length) => Length::Known(length.unwrap_or(0)),
        };
        // RFC 9112 section 6.1: where both stand, one server may go by the one and the next by the
        // other. A target has no fragment (section 3.2).
        let is_unclear = codings.is_some() && headers.contains_key(header::CONTENT_LENGTH);
        if is_unclear || target.contains(&b'#') {
            return Err(malformed);
        }
        Ok(Self {
            method: method.map_err(|_| malformed)?,
            uri: Uri::from_maybe_shared(target).map_err(|_| malformed)?,
            version,
            length,
            keeps: keeps(version, &headers),
            expects_continue: version == Version::HTTP_11 && expects_continue(&headers),
            headers,
        })
    }
}

impl AnswerHead {
    /// Reads a head with its end. Interim answers are heads, too; their body is none.
    ///
    /// # Errors
    ///
    /// When it is none, or its body cannot be told from what follows.
    pub fn parse(octets: &[u8]) -> Result<Self, BadHead> {
        let text = Bytes::copy_from_slice(octets);
        let mut lines = [const { MaybeUninit::uninit() }; MAX_ANSWER_HEADERS];
        let mut parsed = httparse::Response::new(&mut []);
        let config = httparse::ParserConfig::default();
        let read = config.parse_response_with_uninit_headers(&mut parsed, &text, &mut lines)?;
        if read != httparse::Status::Complete(text.len()) {
            return Err(BadHead::Malformed);
        }
        let status = StatusCode::from_u16(parsed.code.unwrap_or_default());
        let status = status.map_err(|_| BadHead::Malformed)?;
        let version = version(parsed.version)?;
        let mut headers = headers(&text, parsed.headers)?;
        let mut keeps = keeps(version, &headers);
        let has_no_body = status.is_informational()
            || status == StatusCode::NO_CONTENT
            || status == StatusCode::NOT_MODIFIED;
        let length = match (last_coding(&headers)?, content_length(&headers)?) {
            _ if has_no_body => Length::Known(0),
            (None, Some(length)) => Length::Known(length),
            (None, None) => Length::UntilClose,
            (Some(Coding::Chunked), stated) => {
                // The coding counts, and whoever states both is not asked again.
                keeps &= stated.is_none();
                headers.remove(header::CONTENT_LENGTH);
                Length::Chunked
            }
            (Some(Coding::Other), _) => return Err(BadHead::Malformed),
        };
        if has_no_body && status != StatusCode::NOT_MODIFIED {
            headers.remove(header::CONTENT_LENGTH);
        }
        Ok(Self {
            status,
            headers,
            length,
            keeps,
        })
    }
}

/// Whether a line ends without a return. RFC 9112 section 2.2 lets a server take that; one that does not
/// cannot be at odds with others over where a header ends.
fn has_bare_feed(octets: &[u8]) -> bool {
    let pairs = octets.iter().zip(octets.iter().skip(1));
    let bare = |found, (before, octet): (&u8, &u8)| found | (*octet == b'\n' && *before != b'\r');
    octets.first() == Some(&b'\n') || pairs.fold(false, bare)
}

fn version(minor: Option<u8>) -> Result<Version, BadHead> {
    match minor {
        Some(1) => Ok(Version::HTTP_11),
        Some(0) => Ok(Version::HTTP_10),
        _ => Err(BadHead::Malformed),
    }
}

/// The headers as values that share `text`.
fn headers(text: &Bytes, lines: &[httparse::Header<'_>]) -> Result<HeaderMap, BadHead> {
    let mut headers = HeaderMap::with_capacity(lines.len());
    for line in lines {
        let name = HeaderName::from_bytes(line.name.as_bytes()).map_err(|_| BadHead::Malformed)?;
        let value = HeaderValue::from_maybe_shared(text.slice_ref(line.value))
            .map_err(|_| BadHead::Malformed)?;
        headers.append(name, value);
    }
    Ok(headers)
}

/// The transfer coding that ends a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Coding {
    Chunked,
    Other,
}

/// The last coding, of several in one line or in several. What comes before it is not looked at.
fn last_coding(headers: &HeaderMap) -> Result<Option<Coding>, BadHead> {
    let Some(last) = headers
        .get_all(header::TRANSFER_ENCODING)
        .iter()
        .next_back()
    else {
        return Ok(None);
    };
    let last = last.to_str().map_err(|_| BadHead::Malformed)?;
    let last = last.rsplit(',').next().unwrap_or_default();
    let is_chunked = last
        .trim_matches([' ', '\t'])
        .eq_ignore_ascii_case("chunked");
    Ok(Some(if is_chunked {
        Coding::Chunked
    } else {
        Coding::Other
    }))
}

/// The one Content-Length: digits and nothing else.
fn content_length(headers: &HeaderMap) -> Result<Option<u64>, BadHead> {
    let mut values = headers.get_all(header::CONTENT_LENGTH).iter();
    let Some(value) = values.next() else {
        return Ok(None);
    };
    let digits = value.as_bytes();
    let are_digits = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
    if !are_digits || values.next().is_some() {
        return Err(BadHead::Malformed);
    }
    let length = value.to_str().ok().and_then(|digits| digits.parse().ok());
    length.map(Some).ok_or(BadHead::Malformed)
}

fn keeps(version: Version, headers: &HeaderMap) -> bool {
    let closes = headers
        .get_all(header::CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|word| word.trim_matches([' ', '\t']).eq_ignore_ascii_case("close"));
    version == Version::HTTP_11 && !closes
}

fn expects_continue(headers: &HeaderMap) -> bool {
    headers
        .get(header::EXPECT)
        .is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"100-continue"))
}

/// Octets of a request's head; 431 beyond it.
pub const MAX_HEAD: usize = 32 << 10;
/// Headers of a request; clients send about fifteen. 431 beyond it.
const MAX_HEADERS: usize = 64;
/// Headers of an answer; Exchange sends about twenty.
const MAX_ANSWER_HEADERS: usize = 100;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_ends_at_its_empty_line() {
        for (octets, end) in [
            (&b"A\r\nB\r\n\r\nrest"[..], Some(8)),
            (b"A\nB\n\nrest", Some(5)),
            (b"A\nB\n\r\nrest", Some(6)),
            (b"A\r\nB\r\n\r", None),
            (b"A\r\nB\r\n", None),
            (b"", None),
        ] {
            for from in 0..octets.len() {
                let known = end.is_none_or(|end| from < end);
                if known {
                    assert_eq!(end_of_head(octets, from), end, "row {octets:?} {from}");
                }
            }
        }
    }

    #[test]
    fn the_length_of_a_request_is_clear_or_it_is_none() {
        let bad = Err(BadHead::Malformed);
        for (lines, expected) in [
            ("", Ok((Length::Known(0), true))),
            ("Content-Length: 4\r\n", Ok((Length::Known(4), true))),
            (
                "Transfer-Encoding: Chunked\r\n",
                Ok((Length::Chunked, true)),
            ),
            (
                "Transfer-Encoding: gzip, chunked\r\n",
                Ok((Length::Chunked, true)),
            ),
            ("Connection: x, Close\r\n", Ok((Length::Known(0), false))),
            ("Content-Length: 4\r\nTransfer-Encoding: chunked\r\n", bad),
            ("Transfer-Encoding: chunked\r\nContent-Length: 0\r\n", bad),
            ("X: a\nY: b\r\n", bad),
            ("X: a\r\n\n", bad),
            ("Transfer-Encoding: chunked, gzip\r\n", bad),
            ("Transfer-Encoding: \x0bchunked\r\n", bad),
            (
                "Transfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n",
                bad,
            ),
            ("Content-Length: 4\r\nContent-Length: 4\r\n", bad),
            ("Content-Length: 4, 4\r\n", bad),
            ("Content-Length: +4\r\n", bad),
            ("Content-Length: 0x4\r\n", bad),
            ("Content-Length: \r\n", bad),
            ("Content-Length: 99999999999999999999\r\n", bad),
            ("Content-Length : 4\r\n", bad),
            ("X: a\r\n b\r\n", bad),
            ("X: a\0b\r\n", bad),
            ("X: a\rY: b\r\n", bad),
        ] {
            let head = format!("POST /x HTTP/1.1\r\n{lines}\r\n");
            let parsed = RequestHead::parse(head.as_bytes());
            let got = parsed.map(|head| (head.length, head.keeps));
            assert_eq!(got, expected, "row {lines:?}");
        }
        let many = "X: y\r\n".repeat(MAX_HEADERS + 1);
        let head = format!("POST /x HTTP/1.1\r\n{many}\r\n");
        let parsed = RequestHead::parse(head.as_bytes());
        assert_eq!(parsed.err(), Some(BadHead::TooLarge));
        for target in ["/x#y", "/x?a=b#&a=c", "https://mail.test/x#"] {
            let head = format!("POST {target} HTTP/1.1\r\n\r\n");
            let parsed = RequestHead::parse(head.as_bytes());
            assert_eq!(parsed.err(), Some(BadHead::Malformed), "row {target}");
        }
        for head in ["POST /x HTTP/1.1\n\n", "\nPOST /x HTTP/1.1\r\n\r\n"] {
            let parsed = RequestHead::parse(head.as_bytes());
            assert_eq!(parsed.err(), Some(BadHead::Malformed), "row {head:?}");
        }
        let old = RequestHead::parse(b"POST /x HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n");
        assert_eq!(old.err(), Some(BadHead::Malformed));
    }

    #[test]
    fn the_length_of_an_answer_is_clear_or_it_is_none() {
        for (head, expected) in [
            (
                "200 OK\r\nContent-Length: 4",
                Some((Length::Known(4), true)),
            ),
            ("200 OK\r\nX: y", Some((Length::UntilClose, true))),
            (
                "200 OK\r\nTransfer-Encoding: chunked",
                Some((Length::Chunked, true)),
            ),
            (
                "200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 4",
                Some((Length::Chunked, false)),
            ),
            (
                "200 OK\r\nConnection: close\r\nContent-Length: 4",
                Some((Length::Known(4), false)),
            ),
            (
                "204 No\r\nContent-Length: 4",
                Some((Length::Known(0), true)),
            ),
            ("100 Go\r\nX: y", Some((Length::Known(0), true))),
            ("200 OK\r\nTransfer-Encoding: gzip", None),
            ("200 OK\r\nContent-Length: 4\r\nContent-Length: 5", None),
            ("99 No\r\nX: y", None),
        ] {
            let head = format!("HTTP/1.1 {head}\r\n\r\n");
            let parsed = AnswerHead::parse(head.as_bytes()).ok();
            let got = parsed.map(|head| (head.length, head.keeps));
            assert_eq!(got, expected, "row {head:?}");
        }
        let old = AnswerHead::parse(b"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n").unwrap();
        assert!(!old.keeps);
    }
}
