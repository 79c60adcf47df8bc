//! Mail servers that answer in ways of their own, behind the front on loopback.

use std::io::Write;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::OnceLock;

use http_body_util::BodyExt;
use http_body_util::Empty;
use hyper::Response;
use hyper::StatusCode;
use hyper::body::Bytes;
use hyper::body::Incoming;
use tokio::io::AsyncReadExt;
use tokio::io::AsyncWriteExt;
use tokio::io::BufReader;
use tokio::net::TcpListener;
use tracing_subscriber::fmt::MakeWriter;

use crate::site::Plan;
use crate::site::Site;
use crate::site::basic;
use crate::site::command;
use crate::site::target;
use crate::world::HOST;

/// What is pooled is dead when it is needed.
#[tokio::test]
async fn connections_that_died_in_the_pool_cost_no_request() {
    let upstream = terse(Terse {
        closes: true,
        ..Terse::default()
    })
    .await;
    let site = Site::with(Plan {
        upstream: Some(upstream),
        ..Plan::default()
    })
    .await;
    let mut client = site.http1().await;
    for row in 0..50 {
        client.ready().await.unwrap();
        let sent = command("good", "Sync", "length", Empty::<Bytes>::new());
        let response = client.send_request(sent).await.unwrap();
        assert_eq!(response.status(), StatusCode::OK, "row {row}");
        drop(read(response).await);
    }
    site.drain().await;
}

#[tokio::test]
async fn a_second_answer_is_never_taken_for_the_next_requests() {
    let post = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nfirst\
               HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nsecond";
    let upstream = terse(Terse {
        post,
        ..Terse::default()
    })
    .await;
    let site = Site::with(Plan {
        upstream: Some(upstream),
        ..Plan::default()
    })
    .await;
    let mut client = site.http1().await;
    for row in 0..20 {
        client.ready().await.unwrap();
        let sent = command("good", "Sync", "length", Empty::<Bytes>::new());
        let response = client.send_request(sent).await.unwrap();
        assert_eq!(response.status(), StatusCode::OK, "row {row}");
        assert_eq!(read(response).await, "first", "row {row}");
    }
    site.drain().await;
}

/// However the mail server says where its answer ends, the client learns it, and an answer that is
/// cut off never looks whole.
#[tokio::test]
async fn answers_end_where_the_mail_server_ends_them() {
    let length = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n";
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    for (row, head, body, closes, expected) in [
        ("length", length, "whole", false, Some("whole")),
        (
            "chunks",
            chunked,
            "2;x=y\r\nwh\r\n3\r\nole\r\n0\r\nX: y\r\n\r\n",
            false,
            Some("whole"),
        ),
        (
            "close",
            "HTTP/1.1 200 OK\r\n\r\n",
            "whole",
            true,
            Some("whole"),
        ),
        (
            "HTTP/1.0",
            "HTTP/1.0 200 OK\r\n\r\n",
            "whole",
            true,
            Some("whole"),
        ),
        (
            "interim",
            "HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n",
            "whole",
            false,
            Some("whole"),
        ),
        (
            "both lengths",
            "HTTP/1.1 200 OK\r\nContent-Length: 99\r\nTransfer-Encoding: chunked\r\n\r\n",
            "5\r\nwhole\r\n0\r\n\r\n",
            false,
            Some("whole"),
        ),
        ("no content", "HTTP/1.1 204 No\r\n\r\n", "", false, Some("")),
        ("short", length, "who", true, None),
        ("no last chunk", chunked, "5\r\nwhole\r\n", true, None),
        ("bad chunk", chunked, "5\r\nwholeX\r\n", false, None),
    ] {
        let post: &'static str = Box::leak(format!("{head}{body}").into_boxed_str());
        let upstream = terse(Terse {
            post,
            closes,
            ..Terse::default()
        })
        .await;
        let site = Site::with(Plan {
            upstream: Some(upstream),
            ..Plan::default()
        })
        .await;
        for http in ["HTTP/1.1", "HTTP/2"] {
            let sent = command("good", "Sync", "length", Empty::<Bytes>::new());
            let response = if http == "HTTP/2" {
                let mut sent = sent;
                sent.headers_mut().remove("host");
                let target = format!("https://{HOST}{}", sent.uri());
                *sent.uri_mut() = target.parse().unwrap();
                site.http2()
                    .await
                    .send_request(sent.map(|_| Default::default()))
                    .await
            } else {
                site.http1().await.send_request(sent).await
            };
            let body = match response {
                Ok(response) => response.into_body().collect().await.ok(),
                Err(_) => None,
            };
            let body = body.map(|body| String::from_utf8(body.to_bytes().to_vec()).unwrap());
            assert_eq!(body.as_deref(), expected, "row {row} {http}");
        }
        site.drain().await;
    }
}

/// What is no answer of HTTP/1.1 is no answer, and the next request is not spoilt by it.
#[tokio::test]
async fn nonsense_of_the_mail_server_is_503() {
    for post in [
        "SSH-2.0-x\r\n\r\n",
        "HTTP/2 200 OK\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1, 1\r\n\r\nx",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nx",
        "HTTP/1.1 200 OK\r\n folded: x\r\n\r\n",
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n",
        "HTTP/1.1 200 OK\r\nX: a\rSet-Cookie: b=c\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nX: a\0b\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nX : a\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 100 Go\r\n\r\nHTTP/1.1 100 Go\r\n\r\nHTTP/1.1 100 Go\r\n\r\nHTTP/1.1 100 Go\r\n\r\n\
         HTTP/1.1 100 Go\r\n\r\nHTTP/1.1 100 Go\r\n\r\nHTTP/1.1 100 Go\r\n\r\nHTTP/1.1 100 Go\r\n\r\n\
         HTTP/1.1 100 Go\r\n\r\nHTTP/1.1 100 Go\r\n\r\nHTTP/1.1 100 Go\r\n\r\nHTTP/1.1 100 Go\r\n\r\n",
        "HTTP/1.1 ",
    ] {
        let upstream = terse(Terse {
            post,
            closes: true,
            ..Terse::default()
        })
        .await;
        let site = Site::with(Plan {
            upstream: Some(upstream),
            ..Plan::default()
        })
        .await;
        let mut client = site.http1().await;
        for _ in 0..2 {
            let sent = command("good", "Sync", "length", Empty::<Bytes>::new());
            let response = client.send_request(sent).await.unwrap();
            assert_eq!(
                response.status(),
                StatusCode::SERVICE_UNAVAILABLE,
                "row {post:?}"
            );
            drop(read(response).await);
        }
        site.drain().await;
    }
}

/// A site whose server has made three commands come to 503, and what their clients were told.
async fn asked_thrice(upstream: String) -> (Site, Vec<String>) {
    let site = Site::with(Plan {
        upstream: Some(upstream),
        ..Plan::default()
    })
    .await;
    let mut client = site.http1().await;
    let mut told = Vec::new();
    for row in 0..3 {
        client.ready().await.unwrap();
        let sent = command("good", "Sync", "length", Empty::<Bytes>::new());
        let response = client.send_request(sent).await.unwrap();
        assert_eq!(
            response.status(),
            StatusCode::SERVICE_UNAVAILABLE,
            "row {row}"
        );
        told.push(read(response).await);
    }
    (site, told)
}

/// Nobody was told that mail.upstream is no ActiveSync server.
#[tokio::test]
async fn a_server_without_activesync_is_complained_of_and_not_for_every_request() {
    let log = log();
    let upstream = terse(Terse {
        options: "HTTP/1.1 200 OK\r\nAllow: OPTIONS, GET\r\nContent-Length: 0\r\n\r\n",
        ..Terse::default()
    })
    .await;
    let (site, _) = asked_thrice(upstream).await;
    let text = log.text();
    assert!(
        text.contains("WARN") && text.contains("status=200"),
        "{text}"
    );
    assert_eq!(
        text.matches("no MS-ASProtocolVersions").count(),
        1,
        "{text}"
    );
    site.drain().await;
}

/// Only the records had it, and nobody knew that they had to be read.
#[tokio::test]
async fn an_answer_that_leads_elsewhere_is_complained_of_and_not_for_every_request() {
    let log = log();
    let upstream = terse(Terse {
        post: "HTTP/1.1 451 Moved\r\nContent-Length: 0\r\n\
               X-MS-Location: https://elsewhere.test/Microsoft-Server-ActiveSync\r\n\r\n",
        ..Terse::default()
    })
    .await;
    let (site, told) = asked_thrice(upstream).await;
    for body in told {
        assert!(body.contains("is not passed on"), "{body}");
    }
    let counted = site.front.counters.answered();
    assert!(counted.contains(&("sent-elsewhere", 3)), "{counted:?}");
    let text = log.text();
    let complaints = text
        .lines()
        .filter(|line| line.contains("is not passed on"));
    let [complaint] = complaints.collect::<Vec<_>>()[..] else {
        panic!("{text}");
    };
    assert!(complaint.contains("WARN"), "{complaint}");
    assert!(complaint.contains("portreeve decisions"), "{complaint}");
    site.drain().await;
}

/// The mail server's 413 became 503, and the phone tried again for ever.
#[tokio::test]
async fn a_413_before_the_end_of_the_body_reaches_the_client() {
    let post =
        "HTTP/1.1 413 Payload Too Large\r\nContent-Length: 5\r\nConnection: close\r\n\r\nlarge";
    for (row, closes, length) in [("stays", false, 64 << 10), ("closes", true, 4 << 20)] {
        let upstream = terse(Terse {
            post,
            closes,
            ..Terse::default()
        })
        .await;
        let site = Site::with(Plan {
            upstream: Some(upstream),
            ..Plan::default()
        })
        .await;
        let body = "x".repeat(length);
        let counted = format!("Content-Length: {length}\r\n\r\n{body}");
        let chunk = format!("{length:x}\r\n{body}\r\n0\r\n\r\n");
        let chunked = format!("Transfer-Encoding: chunked\r\n\r\n{chunk}");
        for (form, rest) in [("length", counted), ("chunks", chunked)] {
            let octets = format!(
                "POST {} HTTP/1.1\r\nHost: {HOST}\r\nMS-ASProtocolVersion: 14.1\r\n\
                 Connection: close\r\nAuthorization: {}\r\n{rest}",
                target("good", "SendMail", "length"),
                basic("right")
            );
            let received = both_ways(&site, &octets).await;
            assert!(
                received.starts_with("HTTP/1.1 413 ") && received.ends_with("large"),
                "row {row} {form}: {received}"
            );
            assert!(site.front.upstream_is_up(), "row {row} {form}");
        }
        site.drain().await;
    }
}

/// Sends octets, and takes in what comes meanwhile and after; either may end early.
async fn both_ways(site: &Site, octets: &str) -> String {
    let stream = site.tls(b"http/1.1", None).await;
    let (mut reader, mut writer) = tokio::io::split(stream);
    let mut received = Vec::new();
    let sent = async {
        drop(writer.write_all(octets.as_bytes()).await);
        drop(writer.flush().await);
    };
    let (_, _) = tokio::join!(sent, reader.read_to_end(&mut received));
    String::from_utf8_lossy(&received).into_owned()
}

/// What a mail server of few words says, whole.
#[derive(Clone, Copy)]
pub(crate) struct Terse {
    /// To OPTIONS with credentials; without, it says 401.
    pub(crate) options: &'static str,
    /// To the head of a POST, whose body it does not read.
    pub(crate) post: &'static str,
    /// Whether it closes the connection after an answer, without having said so.
    pub(crate) closes: bool,
}

impl Default for Terse {
    fn default() -> Self {
        Self {
            options: "HTTP/1.1 200 OK\r\nMS-ASProtocolVersions: 14.1\r\nContent-Length: 0\r\n\r\n",
            post: "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
            closes: false,
        }
    }
}

/// Starts one. Gives its address.
pub(crate) async fn terse(says: Terse) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let mut stream = BufReader::new(stream);
            tokio::spawn(async move {
                loop {
                    let mut head = Vec::new();
                    while !head.ends_with(b"\r\n\r\n") {
                        let Ok(octet) = stream.read_u8().await else {
                            return;
                        };
                        head.push(octet);
                    }
                    let head = String::from_utf8(head).unwrap().to_lowercase();
                    let sent = if !head.contains("authorization:") {
                        "HTTP/1.1 401 No\r\nContent-Length: 0\r\n\r\n"
                    } else if head.starts_with("options") {
                        says.options
                    } else {
                        says.post
                    };
                    if stream.write_all(sent.as_bytes()).await.is_err() || says.closes {
                        return;
                    }
                }
            });
        }
    });
    address
}

async fn read(response: Response<Incoming>) -> String {
    let body = response.into_body().collect().await.unwrap().to_bytes();
    String::from_utf8(body.to_vec()).unwrap()
}

/// What all tests here log: a subscriber of one thread only can miss lines that another thread has met
/// before. So no two tests have a server that is complained of in the same words.
fn log() -> &'static Log {
    static LOG: OnceLock<Log> = OnceLock::new();
    LOG.get_or_init(|| {
        let log = Log::default();
        let subscriber = tracing_subscriber::fmt()
            .with_writer(log.clone())
            .with_ansi(false)
            .with_max_level(tracing::Level::WARN)
            .finish();
        tracing::subscriber::set_global_default(subscriber).unwrap();
        log
    })
}

/// Keeps what is logged.
#[derive(Clone, Debug, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap()).into_owned()
    }
}

impl Write for Log {
    fn write(&mut self, octets: &[u8]) -> std::io::Result<usize> {
        if let Ok(mut kept) = self.0.lock() {
            kept.extend_from_slice(octets);
        }
        Ok(octets.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}
