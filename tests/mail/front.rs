//! The front on loopback: what only sockets, TLS and two HTTP peers can show.

use std::sync::atomic::Ordering;
use std::time::Duration;

use http_body_util::BodyExt;
use http_body_util::Full;
use hyper::Response;
use hyper::StatusCode;
use hyper::body::Bytes;
use hyper::body::Incoming;
use portreeve::eas::Command;
use portreeve::eas::Status;
use portreeve::eas::Version;
use portreeve::mail::Event;
use portreeve::model::ComplianceState;
use portreeve::net::eas;
use tokio::io::AsyncReadExt;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;
use tokio::time::timeout;

use crate::site::Plan;
use crate::site::Site;
use crate::site::basic;
use crate::site::command;
use crate::site::target;
use crate::world::HOST;

pub(crate) const SECOND: Duration = Duration::from_secs(1);

pub(crate) async fn read(response: Response<Incoming>) -> String {
    let body = response.into_body().collect().await.unwrap().to_bytes();
    String::from_utf8(body.to_vec()).unwrap()
}

pub(crate) fn octets(text: &'static str) -> Full<Bytes> {
    Full::new(Bytes::from_static(text.as_bytes()))
}

#[tokio::test]
async fn a_command_passes_and_is_answered() {
    let site = Site::start().await;
    let mut client = site.http1().await;
    for _ in 0..3 {
        let sent = command("good", "Sync", "length", octets("0123456789"));
        let response = client.send_request(sent).await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(read(response).await, "10 octets");
        let seen = site.origin.next().await;
        assert_eq!(seen.target, target("good", "Sync", "length"));
        assert_eq!(seen.headers["content-length"], "10");
        assert!(!seen.headers.contains_key("transfer-encoding"));
    }
    // No body is no body: neither length nor chunks are made up.
    let sent = command("good", "Ping", "length", Full::default());
    assert_eq!(
        read(client.send_request(sent).await.unwrap()).await,
        "0 octets"
    );
    site.drain().await;
}

#[tokio::test]
async fn refusals_reach_the_client_and_nothing_reaches_the_mail_server() {
    let site = Site::start().await;
    let mut client = site.http1().await;
    for (device, password, status) in [
        ("good", "wrong", 401),
        ("bad", "right", 403),
        // Not WBXML, and told so from the mailbox of the quarantine.
        ("new", "right", 200),
        ("unheardof", "right", 403),
    ] {
        let mut sent = command(device, "Sync", "length", octets("mail"));
        sent.headers_mut()
            .insert("authorization", basic(password).parse().unwrap());
        client.ready().await.unwrap();
        let response = client.send_request(sent).await.unwrap();
        assert_eq!(response.status(), status, "row {device} {password}");
        if status == 401 {
            // The mail server offered Negotiate, which cannot work through a pool.
            let offers: Vec<_> = response
                .headers()
                .get_all("www-authenticate")
                .iter()
                .collect();
            assert_eq!(offers, ["Basic realm=\"Mail\", charset=\"UTF-8\""]);
        }
        drop(read(response).await);
    }
    assert_eq!(site.origin.waiting(), 0);
    site.drain().await;
}

#[tokio::test]
async fn a_large_body_passes_both_ways_without_being_held() {
    let site = Site::start().await;
    let mut stream = site.tls(b"http/1.1", None).await;
    let total = 96 * 1024 * 1024_usize;
    let head = format!(
        "POST {} HTTP/1.1\r\nHost: {HOST}\r\nMS-ASProtocolVersion: 14.1\r\n\
         Authorization: {}\r\nContent-Length: {total}\r\n\r\n",
        target("good", "SendMail", "echo"),
        basic("right")
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let (mut reader, mut writer) = tokio::io::split(stream);
    let block = vec![b'x'; 64 * 1024];
    let mut buffer = vec![0; 64 * 1024];
    let (mut sent, mut received, mut held) = (0, 0, 0);
    let mut all_sent = false;
    while received < total {
        let rest = block.len().min(total - sent);
        // Of what it was given last, TLS may keep some until it is flushed.
        let give = async {
            match rest {
                0 => writer.flush().await.map(|()| 0),
                _ => writer.write(&block[..rest]).await,
            }
        };
        // Octets are taken only when no more can be given: what is under way then is all that the
        // gateway and the buffers of four sockets hold.
        tokio::select! {
            biased;
            count = give, if !all_sent => {
                sent += count.unwrap();
                all_sent = rest == 0;
            }
            count = reader.read(&mut buffer) => received += count.unwrap(),
        }
        held = held.max(sent.saturating_sub(received));
    }
    assert!(held < total / 2, "{held} octets were held");
    site.drain().await;
}

#[tokio::test]
async fn a_waiting_ping_ends_within_a_second_of_the_change_r14() {
    let site = Site::start().await;
    let mut client = site.http1().await;
    let sent = command("good", "Ping", "hold", octets("folders"));
    let waiting = tokio::spawn(client.send_request(sent));
    site.origin.next().await;
    assert_eq!(site.world.live.len(), 1);
    site.world.set("good", ComplianceState::NonCompliant);
    let response = timeout(SECOND, waiting)
        .await
        .expect("within a second")
        .unwrap()
        .unwrap();
    assert_eq!(response.status(), StatusCode::FORBIDDEN);
    assert_eq!(response.headers()["x-portreeve-reason"], "53000");
    assert!(site.world.live.is_empty());
    site.drain().await;
}

/// The client was told to try again, kept its message and sent it a second time.
#[tokio::test]
async fn a_message_that_the_mail_server_has_in_full_is_answered_by_it_whatever_changes() {
    let site = Site::start().await;
    for name in ["SendMail", "SmartReply", "SmartForward"] {
        site.world.set("good", ComplianceState::Compliant);
        let mut client = site.http1().await;
        let sent = command("good", name, "hold", octets("a message"));
        let waiting = tokio::spawn(client.send_request(sent));
        site.origin.next().await;
        let mut other = site.http2().await;
        let mut sent = command("good", name, "hold", octets("a message"));
        sent.headers_mut().remove("host");
        let uri = format!("https://{HOST}{}", target("good", name, "hold"));
        *sent.uri_mut() = uri.parse().unwrap();
        let beside = tokio::spawn(other.send_request(sent));
        site.origin.next().await;
        site.world.set("good", ComplianceState::NonCompliant);
        site.origin.release();
        site.origin.release();
        for waiting in [waiting, beside] {
            let response = timeout(5 * SECOND, waiting).await.unwrap().unwrap();
            let response = response.unwrap();
            assert_eq!(response.status(), StatusCode::OK, "row {name}");
            assert_eq!(read(response).await, "released", "row {name}");
        }
        let sent = command("good", name, "length", octets("the next one"));
        let response = client.send_request(sent).await.unwrap();
        assert_eq!(response.status(), StatusCode::FORBIDDEN, "row {name}");
    }
    // Half of one never becomes a message, so that it can be refused at once.
    site.world.set("good", ComplianceState::Compliant);
    let half = format!(
        "POST {} HTTP/1.1\r\nHost: {HOST}\r\nMS-ASProtocolVersion: 14.1\r\n\
         Authorization: {}\r\nContent-Length: 10\r\n\r\nhalf",
        target("good", "SendMail", "length"),
        basic("right")
    );
    let change = async {
        while !site.origin.next().await.target.contains("length") {}
        site.world.set("good", ComplianceState::NonCompliant);
    };
    let (received, ()) = tokio::join!(site.raw(&half, "\r\n\r\n"), change);
    assert!(received.starts_with("HTTP/1.1 403 "), "{received}");
    site.drain().await;
}

#[tokio::test]
async fn a_streaming_answer_is_cut_by_the_change_r14() {
    let site = Site::start().await;
    let mut client = site.http1().await;
    let sent = command("good", "Sync", "trickle", octets(""));
    let mut response = client.send_request(sent).await.unwrap();
    let first = response.body_mut().frame().await.unwrap().unwrap();
    assert_eq!(first.into_data().unwrap(), "first");
    site.world.set("good", ComplianceState::NonCompliant);
    let next = timeout(SECOND, response.body_mut().frame())
        .await
        .expect("within a second");
    assert!(
        next.is_none_or(|frame| frame.is_err()),
        "the answer went on, or ended well"
    );
    site.drain().await;
}

#[tokio::test]
async fn what_came_of_requests_is_counted() {
    let site = Site::start().await;
    let mut client = site.http1().await;
    for (device, password) in [
        ("good", "right"),
        ("good", "right"),
        ("new", "right"),
        ("bad", "right"),
        ("good", "wrong"),
    ] {
        let mut sent = command(device, "Sync", "length", octets("x"));
        let credential = basic(password).parse().unwrap();
        sent.headers_mut().insert("authorization", credential);
        client.ready().await.unwrap();
        drop(read(client.send_request(sent).await.unwrap()).await);
    }
    let mut other = site.http1().await;
    let sent = command("good", "Sync", "trickle", octets(""));
    let mut streaming = other.send_request(sent).await.unwrap();
    drop(streaming.body_mut().frame().await.unwrap().unwrap());
    client.ready().await.unwrap();
    let waiting = tokio::spawn(client.send_request(command("good", "Ping", "hold", octets(""))));
    while site.origin.next().await.target != target("good", "Ping", "hold") {}
    site.world.set("good", ComplianceState::NonCompliant);
    drop(waiting.await.unwrap().unwrap());
    while let Some(Ok(_)) = streaming.body_mut().frame().await {}
    let counters = &site.front.counters;
    let counted: Vec<_> = counters
        .replies()
        .into_iter()
        .filter(|(_, count)| *count > 0)
        .collect();
    let expected = [
        ("allow", 3),
        ("quarantine", 1),
        ("block", 2),
        ("not_authenticated", 1),
    ];
    assert_eq!(counted, expected);
    // Whether it asks at all, the right password, and the wrong one.
    assert_eq!(counters.asked.load(Ordering::Relaxed), 3);
    assert_eq!(counters.revoked.load(Ordering::Relaxed), 2);
    site.drain().await;
}

#[tokio::test]
async fn a_client_that_goes_away_ends_its_request_at_the_mail_server() {
    let site = Site::start().await;
    let mut client = site.http1().await;
    let sent = command("good", "Ping", "hold", octets(""));
    let waiting = tokio::spawn(client.send_request(sent));
    site.origin.next().await;
    drop(client);
    waiting.abort();
    let gone = async {
        while !site.world.live.is_empty() {
            tokio::task::yield_now().await;
        }
    };
    timeout(5 * SECOND, gone).await.expect("the permit is kept");
    site.drain().await;
}

#[tokio::test]
async fn hop_by_hop_headers_stay_on_their_hop() {
    let site = Site::start().await;
    let mut client = site.http1().await;
    let mut sent = command("good", "Sync", "hop", octets("x"));
    for (name, value) in [
        ("connection", "keep-alive, x-private"),
        ("keep-alive", "timeout=5"),
        ("x-private", "1"),
        ("te", "trailers"),
        ("proxy-authorization", "Basic eDp5"),
        ("x-forwarded-for", "10.0.0.1"),
        ("x_ms_policykey", "7"),
    ] {
        sent.headers_mut().insert(name, value.parse().unwrap());
    }
    let response = client.send_request(sent).await.unwrap();
    for name in ["connection", "keep-alive", "x-internal", "alt-svc"] {
        assert!(!response.headers().contains_key(name), "row {name}");
    }
    assert_eq!(response.headers()["set-cookie"], "a=1");
    let seen = site.origin.next().await;
    let mut names: Vec<&str> = seen.headers.keys().map(|name| name.as_str()).collect();
    names.sort_unstable();
    assert_eq!(
        names,
        [
            "accept-encoding",
            "authorization",
            "content-length",
            "host",
            "ms-asprotocolversion",
            "user-agent",
            "x-forwarded-for",
            "x-forwarded-host",
            "x-forwarded-proto",
        ]
    );
    assert_eq!(seen.headers["x-forwarded-for"], "127.0.0.1");
    site.drain().await;
}

#[tokio::test]
async fn a_refused_body_is_not_even_asked_for() {
    let site = Site::start().await;
    for (device, status) in [("bad", "403"), ("good", "100")] {
        let octets = format!(
            "POST {} HTTP/1.1\r\nHost: {HOST}\r\nMS-ASProtocolVersion: 14.1\r\n\
             Authorization: {}\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n",
            target(device, "SendMail", "length"),
            basic("right")
        );
        let received = site.raw(&octets, "\r\n\r\n").await;
        assert!(
            received.starts_with(&format!("HTTP/1.1 {status} ")),
            "row {device}: {received}"
        );
    }
    site.drain().await;
}

#[tokio::test]
async fn http2_requests_take_the_same_path() {
    let site = Site::start().await;
    let mut client = site.http2().await;
    let build = |device: &str| {
        let mut sent = command(device, "Sync", "length", octets("mail"));
        sent.headers_mut().remove("host");
        let uri = format!("https://{HOST}{}", target(device, "Sync", "length"));
        *sent.uri_mut() = uri.parse().unwrap();
        for cookie in ["a=1", "b=2"] {
            sent.headers_mut().append("cookie", cookie.parse().unwrap());
        }
        sent
    };
    let response = client.send_request(build("good")).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(read(response).await, "4 octets");
    let seen = site.origin.next().await;
    assert_eq!(seen.headers["cookie"], "a=1; b=2");
    assert_eq!(seen.headers.get_all("cookie").iter().count(), 1);
    let response = client.send_request(build("bad")).await.unwrap();
    assert_eq!(response.status(), StatusCode::FORBIDDEN);
    // A host beside the authority must agree with it.
    let mut two = build("good");
    two.headers_mut()
        .insert("host", "other.example".parse().unwrap());
    assert_eq!(
        client.send_request(two).await.unwrap().status(),
        StatusCode::BAD_REQUEST
    );
    let mut heavy = build("good");
    for n in 0..40 {
        let name: hyper::header::HeaderName = format!("x-{n}").parse().unwrap();
        heavy
            .headers_mut()
            .insert(name, "x".repeat(1000).parse().unwrap());
    }
    let response = client.send_request(heavy).await;
    assert!(
        response.is_ok_and(|response| response.status() == 431),
        "a head of 40 kilobytes was taken"
    );
    assert_eq!(site.origin.waiting(), 0);
    site.drain().await;
}

/// One HTTP/2 frame (RFC 9113 section 4.1) on a stream below 2^24.
fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let [_, length @ ..] = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut frame = length.to_vec();
    frame.extend([kind, flags]);
    frame.extend(stream.to_be_bytes());
    frame.extend(payload);
    frame
}

#[tokio::test]
async fn a_flood_of_reset_streams_ends_the_connection() {
    const HEADERS: u8 = 1;
    const RST_STREAM: u8 = 3;
    const SETTINGS: u8 = 4;
    const GOAWAY: u8 = 7;
    const ENHANCE_YOUR_CALM: u8 = 11;
    let site = Site::start().await;
    let mut stream = site.tls(b"h2", None).await;
    let mut octets = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    octets.extend(frame(SETTINGS, 0, 0, &[]));
    for number in 0..200 {
        let stream = 2 * number + 1;
        // POST https / of RFC 7541's static table; END_HEADERS without END_STREAM.
        octets.extend(frame(HEADERS, 4, stream, &[0x83, 0x87, 0x84]));
        octets.extend(frame(RST_STREAM, 0, stream, &8_u32.to_be_bytes()));
    }
    stream.write_all(&octets).await.unwrap();
    let mut received = Vec::new();
    // A close without a closing alert is a close.
    drop(stream.read_to_end(&mut received).await);
    let mut rest = received.as_slice();
    let mut last = None;
    while let [a, b, c, kind, _, _, _, _, _, tail @ ..] = rest {
        let length = usize::try_from(u32::from_be_bytes([0, *a, *b, *c])).unwrap();
        let (payload, tail) = tail.split_at(length);
        last = Some((*kind, payload.get(7).copied()));
        rest = tail;
    }
    assert_eq!(last, Some((GOAWAY, Some(ENHANCE_YOUR_CALM))));
    site.drain().await;
}

#[tokio::test]
async fn a_waiting_ping_over_http2_is_cut_and_its_neighbours_are_not() {
    let site = Site::start().await;
    let mut client = site.http2().await;
    let build = |command_name: &str, act: &str| {
        let mut sent = command("good", command_name, act, octets(""));
        sent.headers_mut().remove("host");
        *sent.uri_mut() = format!("https://{HOST}{}", target("good", command_name, act))
            .parse()
            .unwrap();
        sent
    };
    let mut waiting = client.clone();
    let waiting = tokio::spawn(waiting.send_request(build("Ping", "hold")));
    site.origin.next().await;
    site.world.set("good", ComplianceState::NonCompliant);
    assert_eq!(
        waiting.await.unwrap().unwrap().status(),
        StatusCode::FORBIDDEN
    );
    site.world.set("good", ComplianceState::Compliant);
    let response = client.send_request(build("Sync", "length")).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    site.drain().await;
}

#[tokio::test]
async fn a_device_certificate_proves_the_device_and_binds_its_id() {
    let plan = Plan {
        client_certificates: true,
        ..Plan::default()
    };
    let site = Site::with(plan).await;
    let good = site.world.id("good").to_string();
    let device = site.pki.device(&good);
    // The mail server gives back what it got.
    let refusal = Status::DeviceIsBlockedForThisUser;
    let refusal = refusal.body(Command::Sync, Version::V14_1);
    let refusal = refusal.unwrap();
    for (row, eas, certificate, body, status) in [
        ("none", "neverseen", None, &[][..], "403"),
        ("refused", "refused", Some(&device), &refusal, "200"),
        ("no WBXML", "unclear", Some(&device), b"hello", "200"),
        ("device", "neverseen", Some(&device), &[], "200"),
    ] {
        let mut stream = site.tls(b"http/1.1", certificate).await;
        let octets = format!(
            "POST {} HTTP/1.1\r\nHost: {HOST}\r\nMS-ASProtocolVersion: 14.1\r\n\
             Authorization: {}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
            target(eas, "Sync", "echo"),
            basic("right"),
            body.len()
        );
        stream.write_all(octets.as_bytes()).await.unwrap();
        stream.write_all(body).await.unwrap();
        let mut received = Vec::new();
        stream.read_to_end(&mut received).await.unwrap();
        assert!(received.ends_with(body), "row {row}");
        let received = String::from_utf8_lossy(&received);
        assert!(
            received.starts_with(&format!("HTTP/1.1 {status} ")),
            "row {row}: {received}"
        );
    }
    let events = site.events.lock().unwrap().clone();
    let bound: Vec<&str> = events
        .iter()
        .filter_map(|event| match event {
            Event::Binding(binding) => Some(binding.eas.as_str()),
            Event::Decision(_) | Event::LookUp(_) | Event::Notes(_) | Event::Told => None,
        })
        .collect();
    assert_eq!(bound, ["neverseen"]);
    // A certificate of somebody else's authority ends the handshake.
    let stranger = crate::site::Pki::new().device(&good);
    let mut stream = site.tls(b"http/1.1", Some(&stranger)).await;
    let request = b"POST / HTTP/1.1\r\n\r\n";
    let sent = stream.write_all(request).await;
    let mut received = Vec::new();
    let read = stream.read_to_end(&mut received).await;
    assert!(sent.is_err() || read.is_err(), "{received:?}");
    assert!(received.is_empty());
    site.drain().await;
}

#[tokio::test]
async fn the_host_is_the_one_of_the_handshake() {
    let site = Site::start().await;
    let octets = "OPTIONS /Microsoft-Server-ActiveSync HTTP/1.1\r\nHost: other.example\r\n\r\n";
    let received = site.raw(octets, "\r\n\r\n").await;
    assert!(received.starts_with("HTTP/1.1 421 "), "{received}");
    site.drain().await;
}

#[tokio::test]
async fn a_mail_server_that_is_away_is_503_and_never_accepted() {
    // A port that nobody listens on: bound, and let go.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let away = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let site = Site::with(Plan {
        upstream: Some(away),
        ..Plan::default()
    })
    .await;
    let mut client = site.http1().await;
    for device in ["good", "bad"] {
        client.ready().await.unwrap();
        let sent = command(device, "Sync", "length", octets("mail"));
        let response = client.send_request(sent).await.unwrap();
        assert_eq!(
            response.status(),
            StatusCode::SERVICE_UNAVAILABLE,
            "row {device}"
        );
        assert!(response.headers().contains_key("retry-after"));
        drop(read(response).await);
    }
    assert!(!site.front.upstream_is_up());
    site.drain().await;
}

#[tokio::test]
async fn the_way_to_the_mail_server_can_be_tls_by_name() {
    let site = Site::with(Plan {
        upstream_tls: true,
        ..Plan::default()
    })
    .await;
    let mut client = site.http1().await;
    let sent = command("good", "Sync", "length", octets("mail"));
    let response = client.send_request(sent).await.unwrap();
    assert_eq!(read(response).await, "4 octets");
    site.drain().await;
}

#[tokio::test]
async fn a_mail_server_with_a_strange_certificate_is_not_talked_to() {
    let strange = crate::site::Pki::new().server("127.0.0.1");
    let config = portreeve::net::tls::server(portreeve::net::tls::ServerPem {
        chain: strange.chain.as_bytes(),
        key: strange.key.as_bytes(),
        client_roots: None,
        upkeep: None,
    });
    let acceptor = tokio_rustls::TlsAcceptor::from(std::sync::Arc::new(config.unwrap()));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let upstream = Some(format!("https://{}", listener.local_addr().unwrap()));
    let handshakes = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        acceptor.accept(stream).await.is_err()
    });
    let site = Site::with(Plan {
        upstream,
        ..Plan::default()
    })
    .await;
    let mut client = site.http1().await;
    let sent = command("good", "Sync", "length", octets("mail"));
    let response = client.send_request(sent).await.unwrap();
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(handshakes.await.unwrap(), "the handshake was completed");
    site.drain().await;
}

#[tokio::test]
async fn draining_sends_pings_home_and_lets_others_finish() {
    let site = Site::start().await;
    let mut one = site.http1().await;
    let mut two = site.http1().await;
    let ping = tokio::spawn(one.send_request(command("good", "Ping", "hold", octets(""))));
    site.origin.next().await;
    let sync = tokio::spawn(two.send_request(command("good", "Sync", "hold", octets(""))));
    site.origin.next().await;
    site.stop.send(true).unwrap();
    let home = ping.await.unwrap().unwrap();
    assert_eq!(home.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(home.headers().contains_key("retry-after"));
    drop(home);
    // Twice, because the waiting Ping may have taken the first.
    site.origin.release();
    let answer = tokio::select! {
        answer = sync => answer.unwrap().unwrap(),
        () = async {
            loop {
                tokio::task::yield_now().await;
                site.origin.release();
            }
        } => unreachable!("the loop does not end"),
    };
    assert_eq!(read(answer).await, "released");
    site.served.await.unwrap().unwrap();
    assert!(tokio::net::TcpStream::connect(site.address).await.is_err());
}

/// A client may send the next request before it has the answer to the last; none is lost, none is
/// answered twice, and what stands between them is not taken for one.
#[tokio::test]
async fn requests_that_come_at_once_are_answered_in_turn() {
    let site = Site::start().await;
    let lines = format!(
        "Host: {HOST}\r\nMS-ASProtocolVersion: 14.1\r\nAuthorization: {}\r\n",
        basic("right")
    );
    let post = |device: &str, more: &str, body: &str| {
        let target = target(device, "Sync", "length");
        format!("POST {target} HTTP/1.1\r\n{lines}{more}\r\n{body}")
    };
    let octets = [
        post("good", "Content-Length: 4\r\n", "mail"),
        // Some clients end a body with an empty line that is none of it.
        format!(
            "\r\n{}",
            post(
                "good",
                "Transfer-Encoding: chunked\r\n",
                "3\r\nabc\r\n0\r\n\r\n"
            )
        ),
        post("bad", "Content-Length: 6\r\n", "POST /"),
        post("good", "Content-Length: 2\r\nConnection: close\r\n", "xy"),
        post("good", "Content-Length: 1\r\n", "z"),
    ]
    .concat();
    let received = site.raw(&octets, "").await;
    let statuses: Vec<&str> = received
        .split("HTTP/1.1 ")
        .skip(1)
        .filter_map(|answer| answer.get(..3))
        .collect();
    assert_eq!(statuses, ["200", "200", "403", "200"], "{received}");
    let lengths = ["4 octets", "3 octets", "2 octets"];
    let places = lengths.map(|length| received.find(length));
    assert!(
        places.iter().all(Option::is_some) && places.is_sorted(),
        "{received}"
    );
    assert_eq!(site.origin.waiting(), 3);
    site.drain().await;
}

/// The head of a mail of so many octets, from a device that is refused.
fn refused_mail(length: usize) -> String {
    format!(
        "POST {} HTTP/1.1\r\nHost: {HOST}\r\nMS-ASProtocolVersion: 14.1\r\n\
         Authorization: {}\r\nContent-Length: {length}\r\n\r\n",
        target("bad", "SendMail", "length"),
        basic("right")
    )
}

/// A phone that is refused while it sends a mail must learn it, and need not sign in anew for
/// something small.
#[tokio::test]
async fn a_refusal_reaches_a_client_that_is_still_sending() {
    let site = Site::start().await;
    for (row, length, goes_on) in [("small", 30_000, true), ("large", 200_000, false)] {
        let head = refused_mail(length);
        let mut stream = site.tls(b"http/1.1", None).await;
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut received = vec![0; 12];
        stream.read_exact(&mut received).await.unwrap();
        assert_eq!(received, b"HTTP/1.1 403", "row {row}");
        stream.write_all(&vec![b'x'; length]).await.unwrap();
        stream.write_all(head.as_bytes()).await.unwrap();
        stream.flush().await.unwrap();
        let second = async {
            let mut buffer = [0; 4096];
            while let Ok(count @ 1..) = stream.read(&mut buffer).await {
                received.extend(&buffer[..count]);
                if received.windows(12).skip(1).any(|at| at == b"HTTP/1.1 403") {
                    return true;
                }
            }
            false
        };
        assert_eq!(second.await, goes_on, "row {row}");
    }
    site.drain().await;
}

/// Such a client found its connection broken, and sent the mail again.
#[tokio::test]
async fn a_refusal_reaches_a_client_that_reads_when_it_has_sent_a_whole_mail() {
    let site = Site::start().await;
    let length = 20 << 20;
    let head = refused_mail(length);
    let mut stream = site.tls(b"http/1.1", None).await;
    stream.write_all(head.as_bytes()).await.unwrap();
    for _ in 0..length / (64 << 10) {
        stream.write_all(&[b'x'; 64 << 10]).await.unwrap();
    }
    stream.flush().await.unwrap();
    let mut received = Vec::new();
    stream.read_to_end(&mut received).await.unwrap();
    let received = String::from_utf8_lossy(&received);
    assert!(received.starts_with("HTTP/1.1 403"), "{received}");
    assert!(received.contains("connection: close\r\n"), "{received}");
    site.drain().await;
}

/// Connections are spread over the lanes, so that some of sixteen meet each.
#[tokio::test]
async fn lanes_serve_alike_and_end_together() {
    let mut site = Site::start().await;
    let bound = eas::bind_lanes("127.0.0.1:0".parse().unwrap(), 2).unwrap();
    let own = std::mem::replace(&mut site.address, bound.address);
    assert!(
        eas::bind_lanes(site.address, 2).is_err(),
        "two gateways would share the connections"
    );
    let lanes = eas::Lanes::start(&site.front, vec![bound]).unwrap();
    let mut waiting = Vec::new();
    for row in 0..16 {
        let mut client = site.http1().await;
        let sent = command("good", "Sync", "length", octets("mail"));
        let response = client.send_request(sent).await.unwrap();
        assert_eq!(response.status(), StatusCode::OK, "row {row}");
        assert_eq!(read(response).await, "4 octets", "row {row}");
        drop(site.origin.next().await);
        client.ready().await.unwrap();
        let ping = command("good", "Ping", "hold", octets(""));
        waiting.push(tokio::spawn(async move {
            let answer = client.send_request(ping).await.unwrap();
            (answer.status(), client)
        }));
        drop(site.origin.next().await);
    }
    site.world.set("good", ComplianceState::NonCompliant);
    let mut clients = Vec::new();
    for ping in waiting {
        let ended = timeout(SECOND, ping).await.expect("within a second");
        let (status, client) = ended.unwrap();
        assert_eq!(status, StatusCode::FORBIDDEN);
        clients.push(client);
    }
    let ended = tokio::task::spawn_blocking(move || lanes.stop());
    timeout(5 * SECOND, ended).await.unwrap().unwrap();
    assert!(tokio::net::TcpStream::connect(site.address).await.is_err());
    site.address = own;
    site.drain().await;
}
