//! Answers over HTTP/2 that come before the end of their request: the client is heard out. One that was
//! reset in the middle of its mail missed the answer, and sent the mail again for ever.

use std::sync::atomic::Ordering;
use std::time::Duration;

use http_body_util::BodyExt;
use hyper::StatusCode;
use hyper::body::Bytes;
use portreeve::model::ComplianceState;
use portreeve::net::eas::Limits;
use portreeve::wbxml::sync::r#move;
use tokio::time::timeout;

use crate::http2::DATA;
use crate::http2::END_HEADERS;
use crate::http2::END_STREAM;
use crate::http2::GOAWAY;
use crate::http2::HEADERS;
use crate::http2::LONG;
use crate::http2::PING;
use crate::http2::frame;
use crate::http2::good;
use crate::http2::packed;
use crate::passing::Upload;
use crate::site::Plan;
use crate::site::Site;
use crate::site::target;
use crate::stalling::Client;
use crate::stalling::SHORT;
use crate::stalling::site;
use crate::stripping::chunked;
use crate::stripping::with_status;
use crate::upstream::Terse;
use crate::upstream::terse;

/// What has come of an upload: its answer, and how many octets of it nobody has taken.
async fn sent(upload: Upload) -> (StatusCode, Bytes, usize) {
    let Upload {
        mut client,
        request,
        rest,
        ..
    } = upload;
    timeout(LONG, async {
        let response = client.send_request(request).await.unwrap();
        let status = response.status();
        let body = response.into_body().collect().await.unwrap();
        (status, body.to_bytes(), rest.await.unwrap())
    })
    .await
    .expect("nothing came")
}

#[tokio::test]
async fn a_client_that_is_refused_is_heard_out() {
    let site = Site::start().await;
    let mut upload = Upload::new(&site, "SendMail", "length", TOTAL).await;
    upload.request.headers_mut().remove("authorization");
    let (status, _, rest) = sent(upload).await;
    assert_eq!((status, rest), (StatusCode::UNAUTHORIZED, 0));
    site.drain().await;
}

#[tokio::test]
async fn a_client_whose_request_the_mail_server_answers_early_or_not_at_all_is_heard_out() {
    let ordered = with_status(r#move::MOVE_ITEMS, r#move::STATUS, "140", 0);
    let ordered = chunked(&ordered, 255);
    for (row, post, closes, expected, told) in [
        (
            "413",
            "HTTP/1.1 413 Payload Too Large\r\nContent-Length: 5\r\nConnection: close\r\n\r\nlarge",
            false,
            413,
            Some("large"),
        ),
        (
            "413 and the end",
            "HTTP/1.1 413 Payload Too Large\r\nContent-Length: 5\r\nConnection: close\r\n\r\nlarge",
            true,
            413,
            Some("large"),
        ),
        (
            "413 in chunks",
            "HTTP/1.1 413 Payload Too Large\r\nTransfer-Encoding: chunked\r\n\r\n\
             2\r\nla\r\n3\r\nrge\r\n0\r\n\r\n",
            false,
            413,
            Some("large"),
        ),
        (
            "413 without a body",
            "HTTP/1.1 413 Payload Too Large\r\nContent-Length: 0\r\n\r\n",
            false,
            413,
            Some(""),
        ),
        ("the end", "", true, 503, None),
        ("no HTTP", "SSH-2.0-x\r\n\r\n", false, 503, None),
        (
            "not passed on",
            "HTTP/1.1 451 Moved\r\nContent-Length: 0\r\n\
             X-MS-Location: https://elsewhere.test/Microsoft-Server-ActiveSync\r\n\r\n",
            false,
            503,
            None,
        ),
        ("kept back", ordered, false, 503, None),
    ] {
        let upstream = terse(Terse {
            post,
            closes,
            ..Terse::default()
        })
        .await;
        let site = Site::with(Plan {
            upstream: Some(upstream),
            strip_wipe: true,
            ..Plan::default()
        })
        .await;
        let name = if row == "kept back" {
            "MoveItems"
        } else {
            "SendMail"
        };
        let upload = Upload::new(&site, name, "length", TOTAL).await;
        let (status, body, rest) = sent(upload).await;
        assert_eq!(status, expected, "row {row}");
        assert!(told.is_none_or(|told| body == told), "row {row}: {body:?}");
        assert_eq!(rest, 0, "row {row}: octets that nobody took");
        site.drain().await;
    }
}

#[tokio::test]
async fn a_client_whose_permit_is_taken_back_in_the_middle_of_its_mail_is_heard_out_r14() {
    let site = Site::start().await;
    // The mail server takes nothing of it in.
    let upload = Upload::new(&site, "SendMail", "hold", TOTAL).await;
    let made = upload.sent.clone();
    let change = async {
        site.origin.next().await;
        site.world.set("good", ComplianceState::NonCompliant);
        assert!(made.load(Ordering::Relaxed) < TOTAL, "in the middle");
    };
    let ((status, _, rest), ()) = tokio::join!(sent(upload), change);
    assert_eq!((status, rest), (StatusCode::FORBIDDEN, 0));
    assert!(site.world.live.is_empty());
    site.drain().await;
}

/// Fields of a request whose body is still to come.
fn head(stream: u32, command: &str, is_signed_in: bool) -> Vec<u8> {
    let mut fields = good();
    fields[3].1 = target("good", command, "length");
    fields.retain(|(name, _)| is_signed_in || name != "authorization");
    frame(HEADERS, END_HEADERS, stream, &packed(&fields))
}

/// Waits for the end of an answer, and for nothing else.
async fn answered(client: &mut Client, stream: u8) {
    loop {
        let came = timeout(LONG, client.next()).await.expect("nothing came");
        let came = came.expect("the connection was ended");
        let is_of_it = [HEADERS, DATA].contains(&came.kind) && came.stream == stream;
        assert!(is_of_it, "{came:?}");
        if came.flags & END_STREAM != 0 {
            return;
        }
    }
}

#[tokio::test]
async fn a_client_whose_body_came_too_late_is_heard_out() {
    let site = Site::with(Plan {
        limits: Limits {
            body: Duration::from_millis(100),
            ..Limits::default()
        },
        ..Plan::default()
    })
    .await;
    // Before anything is asked of the mail server, and in the middle of it.
    for command in ["Settings", "SendMail"] {
        let mut client = Client::new(&site, 65_535).await;
        client.send(&head(1, command, true)).await;
        answered(&mut client, 1).await;
        for _ in 0..3 {
            client.send(&frame(DATA, 0, 1, b"late")).await;
        }
        client.send(&frame(DATA, END_STREAM, 1, b"later")).await;
        client.ask(3, "Sync", "length", b"mail").await;
        answered(&mut client, 3).await;
    }
    site.drain().await;
}

/// The stream was over for whoever looked whether one was under way.
#[tokio::test]
async fn a_client_that_is_heard_out_may_take_longer_than_a_connection_may_be_idle() {
    let site = site(SHORT).await;
    let mut client = Client::new(&site, 65_535).await;
    client.send(&head(1, "SendMail", false)).await;
    answered(&mut client, 1).await;
    // Another one that asks nothing more is gone meanwhile.
    let mut other = Client::new(&site, 65_535).await;
    other.ask(1, "Sync", "length", b"mail").await;
    answered(&mut other, 1).await;
    other.see_end().await;
    client.send(&frame(DATA, END_STREAM, 1, b"late")).await;
    client.ask(3, "Sync", "length", b"mail").await;
    answered(&mut client, 3).await;
    client.see_end().await;
    site.drain().await;
}

/// It had a fifth of a second for the rest of its mail.
#[tokio::test]
async fn a_client_that_is_heard_out_is_not_cut_off_when_the_front_stops() {
    let site = Site::start().await;
    let mut other = Client::new(&site, 65_535).await;
    other.ask(1, "Sync", "length", b"mail").await;
    answered(&mut other, 1).await;
    let mut client = Client::new(&site, 65_535).await;
    client.send(&head(1, "SendMail", false)).await;
    answered(&mut client, 1).await;
    site.stop.send(true).unwrap();
    other.see_end().await;
    client.see(&[(GOAWAY, 0)]).await;
    client.send(&frame(PING, 0, 0, b"are you?")).await;
    client.see(&[(PING, 0)]).await;
    client.send(&frame(DATA, END_STREAM, 1, b"late")).await;
    timeout(LONG, site.served).await.unwrap().unwrap().unwrap();
}

/// More than all windows hold.
const TOTAL: usize = 20 << 20;
