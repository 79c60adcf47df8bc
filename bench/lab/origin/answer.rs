//! What the origin answers (MS-ASHTTP 2.2.2, 2.2.4).

use std::borrow::Cow;
use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use http::HeaderMap;
use http::Method;
use http::Request;
use http::Response;
use http::StatusCode;
use http::header;
use http_body_util::BodyExt;
use http_body_util::Either;
use http_body_util::Full;
use http_body_util::Limited;
use hyper::body::Incoming;
use portreeve::wbxml::Writer;
use portreeve::wbxml::item::air_sync_base;
use portreeve::wbxml::sync::air_sync;
use tokio::time::sleep;

use super::paced::Paced;
use crate::login::Logins;

/// The body of an answer: whole, or piece by piece.
pub(super) type Body = Either<Full<Bytes>, Paced>;

/// The one path there is.
pub(super) const PATH: &str = "/Microsoft-Server-ActiveSync";

/// What it knows.
pub(super) struct Origin {
    /// Without a list everybody has a mailbox.
    users: Option<Logins>,
    /// The answer to a Sync, and to every other command.
    synced: Bytes,
    body: Bytes,
    /// Octets a second.
    rate: Option<u32>,
    hold: Duration,
}

impl Origin {
    pub(super) fn new(users: Option<Logins>, body: u32, rate: Option<u32>, hold: Duration) -> Self {
        let length = usize::try_from(body).unwrap_or(usize::MAX);
        // A header that WBXML readers take, then ballast.
        let mut octets = vec![0x03, 0x01, 0x6a, 0x00];
        octets.resize(length, 0x5a);
        Self {
            users,
            synced: synced(length).unwrap_or_else(|| octets.clone()).into(),
            body: octets.into(),
            rate,
            hold,
        }
    }

    /// Answers one request.
    pub(super) async fn answer(&self, request: Request<Incoming>) -> Response<Body> {
        if !request.uri().path().eq_ignore_ascii_case(PATH) {
            return status(StatusCode::NOT_FOUND);
        }
        if !self.knows(request.headers()) {
            let mut refusal = status(StatusCode::UNAUTHORIZED);
            let realm = header::HeaderValue::from_static("Basic realm=\"portreeve-lab origin\"");
            refusal
                .headers_mut()
                .insert(header::WWW_AUTHENTICATE, realm);
            return refusal;
        }
        if request.method() == Method::OPTIONS {
            return options();
        }
        if request.method() != Method::POST {
            return status(StatusCode::NOT_IMPLEMENTED);
        }
        let query = request.uri().query().unwrap_or_default().to_owned();
        let Ok(body) = Limited::new(request.into_body(), MAX_BODY).collect().await else {
            return status(StatusCode::BAD_REQUEST);
        };
        match command(&query) {
            None => status(StatusCode::BAD_REQUEST),
            Some(command) if command.eq_ignore_ascii_case("Ping") => {
                let asked = heartbeat(&body.to_bytes()).unwrap_or(self.hold);
                sleep(asked.min(self.hold)).await;
                wbxml(Bytes::from_static(&PING_EXPIRED))
            }
            Some(command) => {
                let is_sync = command.eq_ignore_ascii_case("Sync") || command == SYNC_CODE;
                let body = if is_sync { &self.synced } else { &self.body };
                let mut answer = wbxml(body.clone());
                if let Some(rate) = self.rate {
                    *answer.body_mut() = Body::Right(Paced::new(body.clone(), rate));
                }
                answer
            }
        }
    }

    fn knows(&self, headers: &HeaderMap) -> bool {
        let Some((name, password)) = headers.get(header::AUTHORIZATION).and_then(basic) else {
            return false;
        };
        let users = self.users.as_ref();
        users.is_none_or(|users| users.accept(&name, &password))
    }
}

/// Name and password of Basic credentials (RFC 7617).
fn basic(value: &header::HeaderValue) -> Option<(String, String)> {
    let (scheme, credentials) = value.to_str().ok()?.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let octets = BASE64_STANDARD.decode(credentials.trim()).ok()?;
    let text = String::from_utf8(octets).ok()?;
    let (name, password) = text.split_once(':')?;
    Some((name.to_owned(), password.to_owned()))
}

/// The command of a query in either form.
fn command(query: &str) -> Option<Cow<'_, str>> {
    let plain = query.split('&').find_map(|pair| {
        let (name, value) = pair.split_once('=')?;
        name.eq_ignore_ascii_case("Cmd").then_some(value)
    });
    if let Some(plain) = plain {
        return Some(plain.into());
    }
    let octets = BASE64_STANDARD.decode(query).ok()?;
    match octets.get(1)? {
        &PING_CODE => Some("Ping".into()),
        code => Some(code.to_string().into()),
    }
}

/// A Sync that brings one mail (MS-ASCMD 2.2.1.21.2), so many octets long; `None` where that is too
/// short for one. A gateway that reads of an answer whether it is a success finds one, as it does
/// before an Exchange.
fn synced(length: usize) -> Option<Vec<u8>> {
    let written = |text: &str| {
        let mut writer = Writer::new();
        writer.element(air_sync::SYNC, |writer| {
            writer.element(air_sync::COLLECTIONS, |writer| {
                writer.element(air_sync::COLLECTION, |writer| {
                    writer.leaf(air_sync::SYNC_KEY, "2");
                    writer.leaf(air_sync::COLLECTION_ID, "5");
                    writer.leaf(air_sync::STATUS, "1");
                    writer.element(air_sync::COMMANDS, |writer| {
                        writer.element(air_sync::ADD, |writer| {
                            writer.leaf(air_sync::SERVER_ID, "5:1");
                            writer.element(air_sync::APPLICATION_DATA, |writer| {
                                writer.element(air_sync_base::BODY, |writer| {
                                    writer.leaf(air_sync_base::DATA, text);
                                });
                            });
                        });
                    });
                });
            });
        });
        writer.finish()
    };
    let frame = written("Z").len() - 1;
    let ballast = length.checked_sub(frame).filter(|ballast| *ballast > 0)?;
    Some(written(&"Z".repeat(ballast)))
}

/// The HeartbeatInterval of a Ping, where it is written as everybody does: its tag, then a string.
fn heartbeat(body: &[u8]) -> Option<Duration> {
    let at = body
        .windows(2)
        .position(|pair| pair == HEARTBEAT_INTERVAL)?;
    let digits = body.get(at + 2..)?;
    let end = digits.iter().position(|octet| *octet == 0)?;
    let text = std::str::from_utf8(digits.get(..end)?).ok()?;
    text.parse().ok().map(Duration::from_secs)
}

fn options() -> Response<Body> {
    let mut answer = status(StatusCode::OK);
    for (name, value) in [
        ("ms-server-activesync", "14.3"),
        ("ms-asprotocolversions", "2.5,12.0,12.1,14.0,14.1,16.0,16.1"),
        (
            "ms-asprotocolcommands",
            "Sync,SendMail,SmartForward,SmartReply,GetAttachment,FolderSync,FolderCreate,\
             FolderDelete,FolderUpdate,MoveItems,GetItemEstimate,MeetingResponse,Search,Settings,\
             Ping,ItemOperations,Provision,ResolveRecipients,ValidateCert",
        ),
    ] {
        let name = header::HeaderName::from_static(name);
        answer
            .headers_mut()
            .insert(name, header::HeaderValue::from_static(value));
    }
    answer
}

fn status(status: StatusCode) -> Response<Body> {
    let mut answer = Response::new(Body::Left(Full::default()));
    *answer.status_mut() = status;
    answer
}

fn wbxml(body: Bytes) -> Response<Body> {
    let mut answer = Response::new(Body::Left(Full::new(body)));
    let kind = header::HeaderValue::from_static("application/vnd.ms-sync.wbxml");
    answer.headers_mut().insert(header::CONTENT_TYPE, kind);
    answer
}

/// Sync in a base64 query, as [`command`] gives it.
const SYNC_CODE: &str = "0";

/// Ping in a base64 query (MS-ASHTTP 2.2.1.1.1.1.2).
const PING_CODE: u8 = 18;

/// The tag HeartbeatInterval of code page 13 with content, and the token of a string.
const HEARTBEAT_INTERVAL: [u8; 2] = [0x48, 0x03];

/// Ping with Status 1: the time is over and nothing has changed (MS-ASCMD 2.2.3.177.11).
const PING_EXPIRED: [u8; 13] = [
    0x03, 0x01, 0x6a, 0x00, 0x00, 0x0d, 0x45, 0x47, 0x03, b'1', 0x00, 0x01, 0x01,
];

/// A mail with its attachments; Exchange's own limit is of that order.
const MAX_BODY: usize = 64 << 20;

#[cfg(test)]
mod tests {
    use portreeve::eas::Command;
    use portreeve::eas::outcome::TELLING;
    use portreeve::eas::outcome::is_success;

    use super::*;

    #[test]
    fn commands_are_found_in_both_forms() {
        let base64 = BASE64_STANDARD.encode([141, 18, 9, 4, 1, b'd', 0, 1, b't']);
        for (query, expected) in [
            ("User=a&DeviceId=b&Cmd=Sync", Some("Sync")),
            ("cmd=Ping", Some("Ping")),
            (base64.as_str(), Some("Ping")),
            ("jAAJBAp2MTQwRGV2aWNlAApTbWFydFBob25l", Some("0")),
            ("", None),
            ("User=a", None),
        ] {
            assert_eq!(command(query).as_deref(), expected, "row {query}");
        }
    }

    #[test]
    fn the_answer_to_a_sync_is_a_success_of_its_length() {
        let origin = Origin::new(None, 1024, None, Duration::ZERO);
        assert_eq!(origin.synced.len(), 1024);
        for length in [200, 1024, 65_536] {
            let body = synced(length).unwrap();
            assert_eq!(body.len(), length);
            let beginning = &body[..TELLING.min(length)];
            assert!(is_success(Command::Sync, beginning), "row {length}");
        }
        assert_eq!(synced(13), None, "too short for a mail");
        assert_eq!(Origin::new(None, 13, None, Duration::ZERO).synced.len(), 13);
    }

    #[test]
    fn heartbeats_are_found_in_the_body_of_a_ping() {
        let body = b"\x03\x01\x6a\x00\x00\x0d\x45\x48\x03480\x00\x01\x01";
        assert_eq!(heartbeat(body), Some(Duration::from_secs(480)));
        assert_eq!(heartbeat(b""), None);
        assert_eq!(heartbeat(b"\x48\x03480"), None);
        assert_eq!(heartbeat(b"\x48\x03x\x00"), None);
    }
}
