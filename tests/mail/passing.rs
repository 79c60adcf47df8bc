//! What passes as it is, whatever its size and however long it takes.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;
use std::task::Context;
use std::task::Poll;
use std::time::Duration;

use http_body_util::BodyExt;
use http_body_util::Full;
use hyper::Request;
use hyper::StatusCode;
use hyper::body::Body;
use hyper::body::Bytes;
use hyper::body::Frame;
use hyper::client::conn::http2;
use hyper_util::rt::TokioExecutor;
use hyper_util::rt::TokioIo;
use portreeve::net::eas::Limits;
use portreeve::net::upstream::Timing;
use tokio::io::AsyncReadExt;
use tokio::io::AsyncWriteExt;
use tokio::sync::oneshot;

use crate::site::Plan;
use crate::site::Site;
use crate::site::basic;
use crate::site::command;
use crate::site::target;
use crate::world::HOST;

/// What may be under way of 200 MiB: the buffers of four sockets, each of which Linux lets grow to 36
/// MiB (tcp_rmem, tcp_wmem), and some kilobytes of the gateway, which would have all 200 if it held
/// a body.
const HELD: usize = 150 << 20;

#[tokio::test]
async fn a_body_of_200_mib_passes_both_ways_in_either_form_without_being_held() {
    let total = 200 << 20;
    for form in ["length", "chunks"] {
        let site = Site::start().await;
        let stream = site.tls(b"http/1.1", None).await;
        let (length, block) = match form {
            "length" => (format!("Content-Length: {total}"), vec![b'x'; 64 << 10]),
            _ => {
                let mut chunk = b"10000\r\n".to_vec();
                chunk.resize(7 + (64 << 10), b'x');
                chunk.extend(b"\r\n");
                ("Transfer-Encoding: chunked".to_owned(), chunk)
            }
        };
        let head = format!(
            "POST {} HTTP/1.1\r\nHost: {HOST}\r\nMS-ASProtocolVersion: 14.1\r\nConnection: close\r\n\
             Authorization: {}\r\n{length}\r\n\r\n",
            target("good", "SendMail", "echo"),
            basic("right")
        );
        let end = if form == "length" { "" } else { "0\r\n\r\n" };
        let blocks = total / (64 << 10);
        let all = head.len() + blocks * block.len() + end.len();
        let (mut reader, mut writer) = tokio::io::split(stream);
        writer.write_all(head.as_bytes()).await.unwrap();
        let (mut sent, mut received, mut held) = (head.len(), 0_usize, 0_usize);
        let mut buffer = vec![0; 64 << 10];
        let mut is_flushed = false;
        loop {
            let at = (sent - head.len()) % block.len();
            let rest = match (sent - head.len()) / block.len() {
                full if full < blocks => block.get(at..).unwrap(),
                _ => end.as_bytes().get(sent + end.len() - all..).unwrap(),
            };
            // Of what it was given last, TLS may keep some until it is flushed.
            let give = async {
                match rest {
                    [] => writer.flush().await.map(|()| 0),
                    _ => writer.write(rest).await,
                }
            };
            // Octets are taken only when no more can be given: what is under way then is all that
            // the gateway and the sockets hold.
            tokio::select! {
                biased;
                count = give, if !is_flushed => {
                    let count = count.unwrap();
                    is_flushed = count == 0;
                    sent += count;
                }
                count = reader.read(&mut buffer) => match count {
                    Ok(0) | Err(_) => break,
                    Ok(count) => received += count,
                },
            }
            held = held.max(sent.saturating_sub(received));
        }
        assert!(received >= total, "row {form}: {received}");
        assert!(held < HELD, "row {form}: {held} octets were held");
        site.drain().await;
    }
}

/// A body of so many octets, in pieces that are made when they are asked for.
pub(crate) struct Made {
    left: usize,
    sent: Arc<AtomicUsize>,
    /// Told in the end how many nobody has asked for.
    rest: Option<oneshot::Sender<usize>>,
}

impl Drop for Made {
    fn drop(&mut self) {
        if let Some(rest) = self.rest.take() {
            rest.send(self.left).ok();
        }
    }
}

impl Body for Made {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        static PIECE: [u8; 64 << 10] = [b'x'; 64 << 10];
        let piece = PIECE.get(..self.left.min(PIECE.len())).unwrap();
        if piece.is_empty() {
            return Poll::Ready(None);
        }
        self.left -= piece.len();
        self.sent.fetch_add(piece.len(), Ordering::Relaxed);
        Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(piece)))))
    }
}

/// A command over HTTP/2 with a long body.
pub(crate) struct Upload {
    pub(crate) client: http2::SendRequest<Made>,
    pub(crate) request: Request<Made>,
    /// Octets of the body that have been made.
    pub(crate) sent: Arc<AtomicUsize>,
    /// Those that have not when nobody wants any more of them.
    pub(crate) rest: oneshot::Receiver<usize>,
}

impl Upload {
    /// One of so many octets on a connection of its own.
    pub(crate) async fn new(site: &Site, name: &str, act: &str, total: usize) -> Self {
        let stream = TokioIo::new(site.tls(b"h2", None).await);
        let (client, connection) = http2::handshake(TokioExecutor::new(), stream)
            .await
            .unwrap();
        tokio::spawn(connection);
        let sent = Arc::new(AtomicUsize::new(0));
        let (told, rest) = oneshot::channel();
        let body = Made {
            left: total,
            sent: Arc::clone(&sent),
            rest: Some(told),
        };
        let mut request = command("good", name, act, body);
        request.headers_mut().remove("host");
        let uri = format!("https://{HOST}{}", target("good", name, act));
        *request.uri_mut() = uri.parse().unwrap();
        Self {
            client,
            request,
            sent,
            rest,
        }
    }
}

#[tokio::test]
async fn a_body_of_200_mib_passes_both_ways_over_http2_without_being_held() {
    let total = 200 << 20;
    let site = Site::start().await;
    let mut upload = Upload::new(&site, "SendMail", "echo", total).await;
    let sending = upload.client.send_request(upload.request);
    let mut response = sending.await.unwrap();
    let (mut received, mut held) = (0, 0);
    while let Some(frame) = response.body_mut().frame().await {
        // What was made by now and has not come back yet is on its way.
        held = held.max(upload.sent.load(Ordering::Relaxed) - received);
        received += frame.unwrap().into_data().unwrap().len();
    }
    assert_eq!(received, total);
    assert!(held < HELD, "{held} octets were held");
    site.drain().await;
}

/// A Ping waits for longer than a client may take for a head or a body, and than a connection may be
/// idle.
#[tokio::test]
async fn a_wait_is_bound_by_nothing_but_its_own_limit() {
    // What MS-ASCMD lets a client ask for.
    let longest = Duration::from_secs(3540);
    assert!(Timing::default().hold > longest);
    let short = Duration::from_millis(100);
    let site = Site::with(Plan {
        limits: Limits {
            head: short,
            body: short,
            ..Limits::default()
        },
        timing: Timing {
            connect: short,
            ask: Duration::from_secs(10),
            ..Timing::default()
        },
        idle: short,
        ..Plan::default()
    })
    .await;
    for name in ["Ping", "Sync"] {
        let mut client = site.http1().await;
        let body = Full::new(Bytes::from_static(b"folders"));
        let waiting = tokio::spawn(client.send_request(command("good", name, "hold", body)));
        site.origin.next().await;
        // Clients that come later and go on with no head are gone, one after the other.
        for _ in 0..4 {
            let begun = "POST /Microsoft-Server-ActiveSync HTTP/1.1\r\nHost:";
            let received = site.raw(begun, "").await;
            assert!(
                received.is_empty() || received.contains(" 408 "),
                "{received}"
            );
        }
        assert!(!waiting.is_finished(), "row {name}");
        site.origin.release();
        let response = waiting.await.unwrap().unwrap();
        assert_eq!(response.status(), StatusCode::OK, "row {name}");
        let body = response.into_body().collect().await.unwrap().to_bytes();
        assert_eq!(body, "released", "row {name}");
    }
    site.drain().await;
}
