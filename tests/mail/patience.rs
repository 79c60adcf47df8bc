//! For how long the front waits for clients and mail servers, and for how many.

use std::time::Duration;

use http_body_util::BodyExt;
use hyper::StatusCode;
use portreeve::net::eas::Limits;
use portreeve::net::upstream::Timing;
use tokio::io::AsyncReadExt;
use tokio::io::AsyncWriteExt;
use tokio::time::timeout;

use crate::front::SECOND;
use crate::front::octets;
use crate::front::read;
use crate::site::Plan;
use crate::site::Site;
use crate::site::basic;
use crate::site::command;
use crate::site::target;
use crate::world::HOST;

#[tokio::test]
async fn a_silent_mail_server_is_given_up() {
    let timing = Timing {
        hold: Duration::from_millis(200),
        ..Timing::default()
    };
    let site = Site::with(Plan {
        timing,
        ..Plan::default()
    })
    .await;
    let mut client = site.http1().await;
    let sent = command("good", "Sync", "hold", octets(""));
    let response = client.send_request(sent).await.unwrap();
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    drop(read(response).await);
    let sent = command("good", "Sync", "trickle", octets(""));
    let response = client.send_request(sent).await.unwrap();
    assert!(response.into_body().collect().await.is_err());
    site.drain().await;
}

/// It was given an hour, as a Ping is.
#[tokio::test]
async fn a_mail_server_that_is_silent_to_a_command_without_a_wait_is_given_up_early() {
    let timing = Timing {
        answer: Duration::from_millis(200),
        ..Timing::default()
    };
    let site = Site::with(Plan {
        timing,
        ..Plan::default()
    })
    .await;
    let mut client = site.http1().await;
    let waiting = client.send_request(command("good", "Ping", "hold", octets("")));
    let waiting = tokio::spawn(waiting);
    site.origin.next().await;
    for _ in 0..3 {
        let mut client = site.http1().await;
        let sent = command("good", "Settings", "hold", octets(""));
        let response = client.send_request(sent).await.unwrap();
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert!(response.headers().contains_key("retry-after"));
    }
    let standing = site.front.upstream.standing();
    assert_eq!(standing[0].failed, 3, "{standing:?}");
    assert!(!standing[0].is_up, "{standing:?}");
    assert!(!waiting.is_finished(), "the Ping was given up, too");
    waiting.abort();
    site.drain().await;
}

#[tokio::test]
async fn slow_clients_are_cut_off() {
    let limits = Limits {
        head: Duration::from_millis(200),
        body: Duration::from_millis(200),
        handshake: Duration::from_millis(200),
        ..Limits::default()
    };
    let site = Site::with(Plan {
        limits,
        ..Plan::default()
    })
    .await;
    // Half a head.
    let received = site
        .raw("POST /Microsoft-Server-ActiveSync HTTP/1.1\r\nHost:", "")
        .await;
    assert!(!received.contains("200 OK"), "{received}");
    // Half a body.
    let octets = format!(
        "POST {} HTTP/1.1\r\nHost: {HOST}\r\nMS-ASProtocolVersion: 14.1\r\n\
         Authorization: {}\r\nContent-Length: 10\r\n\r\nhalf",
        target("good", "Sync", "length"),
        basic("right")
    );
    let received = site.raw(&octets, "").await;
    assert!(received.starts_with("HTTP/1.1 408 "), "{received}");
    assert!(
        site.front.upstream_is_up(),
        "the client's fault, not the server's"
    );
    // No handshake.
    let mut stream = tokio::net::TcpStream::connect(site.address).await.unwrap();
    let mut buffer = [0; 1];
    assert!(matches!(stream.read(&mut buffer).await, Ok(0) | Err(_)));
    site.drain().await;
}

/// They were waited for, ten seconds.
#[tokio::test]
async fn a_connection_without_a_request_ends_at_once_when_the_front_stops() {
    let long = Duration::from_mins(10);
    let site = Site::with(Plan {
        limits: Limits {
            head: long,
            handshake: long,
            drain: long,
            ..Limits::default()
        },
        ..Plan::default()
    })
    .await;
    let mut silent = tokio::net::TcpStream::connect(site.address).await.unwrap();
    let mut halves = Vec::new();
    for begun in ["", "POST /Micro", "POST / HTTP/1.1\r\nHost: "] {
        let mut stream = site.tls(b"http/1.1", None).await;
        stream.write_all(begun.as_bytes()).await.unwrap();
        halves.push(stream);
    }
    halves.push(site.tls(b"h2", None).await);
    // Whatever came before has been taken in, when this is answered.
    let mut client = site.http1().await;
    let sent = command("good", "Sync", "length", octets("mail"));
    drop(read(client.send_request(sent).await.unwrap()).await);
    timeout(10 * SECOND, site.drain())
        .await
        .expect("nothing is waited for");
    let mut buffer = [0; 1];
    assert!(matches!(silent.read(&mut buffer).await, Ok(0) | Err(_)));
}

#[tokio::test]
async fn connections_of_one_address_are_limited() {
    let limits = Limits {
        connections_per_address: 2,
        ..Limits::default()
    };
    let site = Site::with(Plan {
        limits,
        ..Plan::default()
    })
    .await;
    let first = site.tls(b"http/1.1", None).await;
    let _second = site.tls(b"http/1.1", None).await;
    assert!(site.named(HOST, b"http/1.1", None).await.is_err());
    drop(first);
    let again = async {
        while site.named(HOST, b"http/1.1", None).await.is_err() {
            tokio::task::yield_now().await;
        }
    };
    timeout(5 * SECOND, again)
        .await
        .expect("a place is given back");
    site.drain().await;
}
