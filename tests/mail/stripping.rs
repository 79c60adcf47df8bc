//! Orders to wipe that come from the mail server, where they are kept from devices.

use http_body_util::BodyExt;
use http_body_util::Full;
use hyper::Request;
use hyper::Response;
use hyper::StatusCode;
use hyper::body::Bytes;
use hyper::body::Incoming;
use portreeve::eas::Command;
use portreeve::eas::Version;
use portreeve::mail::Event;
use portreeve::wbxml::Tag;
use portreeve::wbxml::Writer;
use portreeve::wbxml::service::provision;
use portreeve::wbxml::sync::get_item_estimate;
use portreeve::wbxml::sync::r#move;

use crate::quarantine::written;
use crate::site::Plan;
use crate::site::Site;
use crate::site::command;
use crate::site::over_http1;
use crate::site::over_http2;
use crate::upstream::Terse;
use crate::upstream::terse;

/// What the site answers by the version of HTTP that this says.
async fn ask_by(alpn: &[u8], site: &Site, request: Request<Full<Bytes>>) -> Response<Incoming> {
    let stream = site.tls(alpn, None).await;
    match alpn {
        b"h2" => over_http2(stream, request).await,
        _ => over_http1(stream, request).await,
    }
}

/// An answer with this status, and something after it.
pub(crate) fn with_status(root: Tag, status: Tag, number: &str, more: usize) -> Vec<u8> {
    let mut writer = Writer::new();
    writer.element(root, |writer| {
        writer.leaf(status, number);
        writer.leaf(status, &"1".repeat(more));
    });
    writer.finish()
}

/// There are clients that erase themselves when a command is answered so (MS-ASCMD 2.2.2).
#[tokio::test]
async fn status_140_of_the_mail_server_does_not_reach_a_device_that_is_not_to_be_wiped_r41() {
    let (root, status) = (
        get_item_estimate::GET_ITEM_ESTIMATE,
        get_item_estimate::STATUS,
    );
    let gzip = b"\x1f\x8b\x08 and so on".to_vec();
    for (strips, number, more, expected) in [
        (false, "140", 0, 200),
        (false, "140", 100_000, 200),
        (true, "140", 0, 503),
        (true, "140", 100_000, 503),
        (true, "1", 0, 200),
        (true, "1", 100_000, 200),
        (true, "14", 0, 200),
        (true, "gzip", 0, 503),
        (false, "gzip", 0, 200),
    ] {
        let site = Site::with(Plan {
            strip_wipe: strips,
            ..Plan::default()
        })
        .await;
        let body = match number {
            "gzip" => gzip.clone(),
            number => with_status(root, status, number, more),
        };
        for alpn in [&b"http/1.1"[..], b"h2"] {
            let row = format!("row {strips} {number} {more} {}", alpn.len());
            let full = Full::new(Bytes::from(body.clone()));
            let request = command("good", "GetItemEstimate", "echo", full);
            let answer = ask_by(alpn, &site, request).await;
            assert_eq!(answer.status(), expected, "{row}");
            let kept_back = answer.status() == StatusCode::SERVICE_UNAVAILABLE;
            assert_eq!(
                answer.headers().contains_key("retry-after"),
                kept_back,
                "{row}"
            );
            let received = answer.into_body().collect().await.unwrap().to_bytes();
            assert_eq!(received == body, !kept_back, "{row}");
            // It is asked for what can be read.
            let coding = site.origin.next().await.headers.remove("accept-encoding");
            let is_plain = coding.is_some_and(|coding| coding == "identity");
            assert!(is_plain || !strips, "{row}");
        }
        let events = site.events.lock().unwrap();
        let told = events.iter().filter(|event| match event {
            Event::Decision(record) => format!("{:?}", record.outcome).contains("wipe"),
            Event::Binding(_) | Event::LookUp(_) | Event::Notes(_) | Event::Told => false,
        });
        assert_eq!(told.count(), if expected == 503 { 2 } else { 0 });
    }
}

/// An answer of HTTP/1.1 whose body comes in chunks of so many octets.
pub(crate) fn chunked(body: &[u8], size: usize) -> &'static str {
    let mut answer = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
    for chunk in body.chunks(size) {
        answer.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
        answer.extend_from_slice(chunk);
        answer.extend_from_slice(b"\r\n");
    }
    answer.extend_from_slice(b"0\r\n\r\n");
    // WBXML of short texts is ASCII.
    String::from_utf8(answer).unwrap().leak()
}

/// The first chunk was all that was looked at.
#[tokio::test]
async fn status_140_is_seen_however_the_answer_is_cut_into_chunks_r41() {
    let (root, status) = (r#move::MOVE_ITEMS, r#move::STATUS);
    for (number, more, expected) in [
        ("140", 0, 503),
        ("140", 1000, 503),
        ("1", 0, 200),
        ("1", 1000, 200),
    ] {
        let body = with_status(root, status, number, more);
        for size in [1, 2, 4, 6, 10, 255, 256, 257, 5000] {
            let post = chunked(&body, size);
            let upstream = terse(Terse {
                post,
                ..Terse::default()
            });
            let site = Site::with(Plan {
                strip_wipe: true,
                upstream: Some(upstream.await),
                ..Plan::default()
            })
            .await;
            for alpn in [&b"http/1.1"[..], b"h2"] {
                let row = format!("row {number} {more} {size} {}", alpn.len());
                let request = command("good", "MoveItems", "", Full::new(Bytes::new()));
                let answer = ask_by(alpn, &site, request).await;
                assert_eq!(answer.status(), expected, "{row}");
                let received = answer.into_body().collect().await.unwrap().to_bytes();
                assert_eq!(received == body, expected == 200, "{row}");
            }
            site.drain().await;
        }
    }
}

/// The order was taken out of the answer, the status left in it.
#[tokio::test]
async fn status_140_of_a_provision_does_not_reach_a_device_that_is_not_to_be_wiped_r41() {
    let body = with_status(provision::PROVISION, provision::STATUS, "140", 0);
    for (strips, expected) in [(false, 200), (true, 503)] {
        let upstream = terse(Terse {
            post: chunked(&body, 5000),
            ..Terse::default()
        });
        let site = Site::with(Plan {
            strip_wipe: strips,
            upstream: Some(upstream.await),
            ..Plan::default()
        })
        .await;
        let asked = with_status(provision::PROVISION, provision::POLICY_TYPE, "x", 0);
        let request = command("good", "Provision", "", Full::new(Bytes::from(asked)));
        let answer = over_http1(site.tls(b"http/1.1", None).await, request).await;
        assert_eq!(answer.status(), expected, "row {strips}");
        let received = answer.into_body().collect().await.unwrap().to_bytes();
        assert_eq!(received == body, !strips, "row {strips}");
        site.drain().await;
    }
}

/// A word that is none in a command's own answer is none in another's.
#[test]
fn status_140_is_one_of_the_command_that_was_asked() {
    let asks = |command, octets: &[u8]| portreeve::eas::order::asks_for_wipe(command, octets);
    let moved = with_status(r#move::MOVE_ITEMS, r#move::STATUS, "140", 0);
    assert!(asks(Command::MoveItems, &moved));
    let of_item = written(r#move::MOVE_ITEMS, |writer| {
        writer.element(r#move::RESPONSE, |writer| {
            writer.leaf(r#move::SRC_MSG_ID, "5:1");
            writer.leaf(r#move::STATUS, "140");
        });
    });
    assert!(asks(Command::MoveItems, &of_item));
    assert!(!asks(Command::GetItemEstimate, &moved));
    assert!(!asks(Command::GetAttachment, &moved));
    for cut in 0..moved.len() - 8 {
        assert!(!asks(Command::MoveItems, &moved[..cut]), "row {cut}");
    }
    for command in Command::ALL {
        for status in portreeve::eas::Status::ALL {
            let body = status.body(command, Version::V16_1).unwrap_or_default();
            assert!(!asks(command, &body), "row {command} {status:?}");
        }
    }
}

/// The client was told that its request had not arrived.
#[tokio::test]
async fn an_answer_that_breaks_off_before_it_is_clear_what_it_says_is_the_servers_fault() {
    for post in [
        "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n\x03\x01",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    ] {
        let upstream = terse(Terse {
            post,
            closes: true,
            ..Terse::default()
        });
        let site = Site::with(Plan {
            strip_wipe: true,
            upstream: Some(upstream.await),
            ..Plan::default()
        })
        .await;
        for alpn in [&b"http/1.1"[..], b"h2"] {
            let request = command("good", "MoveItems", "", Full::new(Bytes::new()));
            let answer = ask_by(alpn, &site, request).await;
            let row = format!("row {post:?} {}", alpn.len());
            assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE, "{row}");
            assert!(answer.headers().contains_key("retry-after"), "{row}");
        }
        site.drain().await;
    }
}
