//! Clients of HTTP/2 that ask and take nothing of the answers: what the library holds for them has an
//! end.

use std::sync::atomic::Ordering;
use std::time::Duration;

use portreeve::net::eas::Limits;
use tokio::io::AsyncReadExt;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::time::interval;
use tokio::time::timeout;
use tokio_rustls::client::TlsStream;

use crate::http2::DATA;
use crate::http2::END_HEADERS;
use crate::http2::END_STREAM;
use crate::http2::GOAWAY;
use crate::http2::HEADERS;
use crate::http2::LONG;
use crate::http2::PING;
use crate::http2::PREFACE;
use crate::http2::RST_STREAM;
use crate::http2::SETTINGS;
use crate::http2::WINDOW_UPDATE;
use crate::http2::frame;
use crate::http2::good;
use crate::http2::packed;
use crate::site::Plan;
use crate::site::Site;
use crate::site::target;

/// A client that gives what windows it likes.
pub(crate) struct Client {
    stream: TlsStream<TcpStream>,
    received: Vec<u8>,
}

/// A frame of the front.
#[derive(Debug)]
pub(crate) struct Came {
    pub(crate) kind: u8,
    pub(crate) flags: u8,
    pub(crate) stream: u8,
    octets: usize,
}

impl Client {
    /// One that gives each stream `window` octets.
    pub(crate) async fn new(site: &Site, window: u32) -> Self {
        let [a, b, c, d] = window.to_be_bytes();
        let mut client = Self {
            stream: site.tls(b"h2", None).await,
            received: Vec::new(),
        };
        client.send(PREFACE).await;
        client
            .send(&frame(SETTINGS, 0, 0, &[0, 4, a, b, c, d]))
            .await;
        client
    }

    pub(crate) async fn send(&mut self, octets: &[u8]) {
        self.stream.write_all(octets).await.unwrap();
        self.stream.flush().await.unwrap();
    }

    /// Asks for a command, whose body is all of it.
    pub(crate) async fn ask(&mut self, stream: u32, command: &str, act: &str, body: &[u8]) {
        let mut fields = good();
        fields[3].1 = target("good", command, act);
        self.send(&frame(HEADERS, END_HEADERS, stream, &packed(&fields)))
            .await;
        for piece in body.chunks(16_384) {
            self.send(&frame(DATA, 0, stream, piece)).await;
        }
        self.send(&frame(DATA, END_STREAM, stream, &[])).await;
    }

    async fn give(&mut self, stream: u32, octets: u32) {
        let update = frame(WINDOW_UPDATE, 0, stream, &octets.to_be_bytes());
        self.send(&update).await;
    }

    /// The next frame of an answer or answer to a PING, or the end.
    pub(crate) async fn next(&mut self) -> Option<Came> {
        loop {
            if let [a, b, c, kind, flags, _, _, _, stream, rest @ ..] = self.received.as_slice() {
                let octets = usize::try_from(u32::from_be_bytes([0, *a, *b, *c])).unwrap();
                if rest.len() >= octets {
                    let (kind, flags, stream) = (*kind, *flags, *stream);
                    self.received.drain(..9 + octets);
                    let is_pong = kind == PING && flags & ACK != 0;
                    if !is_pong && ![DATA, HEADERS, RST_STREAM, GOAWAY].contains(&kind) {
                        continue;
                    }
                    return Some(Came {
                        kind,
                        flags,
                        stream,
                        octets,
                    });
                }
            }
            let mut buffer = [0; 4096];
            // A close without a closing alert is a close.
            match self.stream.read(&mut buffer).await {
                Ok(0) | Err(_) => return None,
                Ok(count) => self.received.extend(&buffer[..count]),
            }
        }
    }

    /// The kinds and streams of the next frames.
    pub(crate) async fn see(&mut self, expected: &[(u8, u8)]) {
        for (kind, stream) in expected {
            let came = timeout(LONG, self.next()).await.expect("nothing came");
            let came = came.expect("the connection was ended");
            assert_eq!((came.kind, came.stream), (*kind, *stream), "{came:?}");
        }
    }

    /// Waits for the end of the connection, before which its client is told to go.
    pub(crate) async fn see_end(&mut self) {
        let mut is_told = false;
        while let Some(came) = timeout(LONG, self.next()).await.expect("still open") {
            assert_eq!(came.kind, GOAWAY, "{came:?}");
            is_told = true;
        }
        assert!(is_told, "it ended without a word");
    }
}

/// With this patience, and as much for a head.
pub(crate) async fn site(patience: Duration) -> Site {
    Site::with(Plan {
        limits: Limits {
            head: patience,
            idle: patience,
            ..Limits::default()
        },
        ..Plan::default()
    })
    .await
}

fn stalled(site: &Site) -> u64 {
    site.front.counters.stalled.load(Ordering::Relaxed)
}

pub(crate) const SHORT: Duration = Duration::from_millis(200);

/// The flag of an answer to a PING.
const ACK: u8 = 1;

/// It held its connection, 32 exchanges and their connections to the mail server for as long as it
/// liked.
#[tokio::test]
async fn an_answer_of_which_nothing_is_taken_is_cut_and_its_neighbours_are_not() {
    let site = site(SHORT).await;
    let mut client = Client::new(&site, 0).await;
    client.ask(1, "Ping", "hold", b"folders").await;
    site.origin.next().await;
    let body = [b'x'; 60_000];
    let streams: Vec<_> = (1..32).map(|count| 1 + 2 * count).collect();
    client.ask(3, "Sync", "echo", &body).await;
    for stream in &streams[1..] {
        client.ask(*stream, "Sync", "length", b"mail").await;
    }
    let (mut answered, mut cut) = (Vec::new(), Vec::new());
    while cut.len() < streams.len() {
        let came = timeout(LONG, client.next()).await.expect("none is cut");
        let came = came.expect("the connection was ended");
        match came.kind {
            HEADERS => answered.push(u32::from(came.stream)),
            RST_STREAM => cut.push(u32::from(came.stream)),
            kind => panic!("{kind}: {came:?}"),
        }
    }
    answered.sort_unstable();
    cut.sort_unstable();
    assert_eq!((&answered, &cut), (&streams, &streams));
    assert_eq!(stalled(&site), 31);
    // Their places are free, and a Ping has waited for all that time.
    client.ask(65, "Sync", "length", b"mail").await;
    client.give(65, 100).await;
    client.see(&[(HEADERS, 65), (DATA, 65)]).await;
    client.give(1, 100).await;
    site.origin.release();
    let came = client.next().await.unwrap();
    assert_eq!((came.kind, came.stream), (HEADERS, 1), "{came:?}");
    let came = client.next().await.unwrap();
    assert_eq!((came.stream, came.octets), (1, "released".len()));
    assert_ne!(came.flags & END_STREAM, 0, "{came:?}");
    // And such a connection ends as any other.
    client.see_end().await;
    site.drain().await;
}

/// Nothing but the end of the connection takes from the library what it has in full.
#[tokio::test]
async fn an_answer_of_which_the_end_is_not_taken_ends_the_connection_beside_a_ping() {
    let site = site(SHORT).await;
    let mut client = Client::new(&site, 1).await;
    client.ask(1, "Ping", "hold", b"folders").await;
    site.origin.next().await;
    client.ask(3, "Sync", "length", b"mail").await;
    client.see(&[(HEADERS, 3), (DATA, 3)]).await;
    client.see_end().await;
    assert_eq!(stalled(&site), 1);
    site.drain().await;
}

#[tokio::test]
async fn a_client_that_has_not_signed_in_holds_no_connection_by_taking_nothing() {
    let site = site(SHORT).await;
    for window in [0, 1] {
        let mut client = Client::new(&site, window).await;
        let mut fields = good();
        fields.retain(|(name, _)| name != "authorization");
        let flags = END_HEADERS | END_STREAM;
        let head = frame(HEADERS, flags, 1, &packed(&fields));
        client.send(&head).await;
        client.see(&[(HEADERS, 1)]).await;
        if window == 0 {
            client.see(&[(RST_STREAM, 1)]).await;
        } else {
            client.see(&[(DATA, 1)]).await;
        }
        client.see_end().await;
    }
    assert_eq!(stalled(&site), 2);
    site.drain().await;
}

#[tokio::test]
async fn an_answer_of_which_an_octet_is_taken_now_and_then_is_not_cut() {
    let site = site(Duration::from_secs(1)).await;
    let mut client = Client::new(&site, 0).await;
    client.ask(1, "Sync", "echo", &[b'x'; 60_000]).await;
    client.see(&[(HEADERS, 1)]).await;
    let mut steps = interval(Duration::from_millis(50));
    let mut taken = 0;
    // What others are cut for shows how time goes by.
    let mut other = Client::new(&site, 0).await;
    let others = async {
        for stream in [1, 3] {
            other.ask(stream, "Sync", "length", b"mail").await;
            let number = u8::try_from(stream).unwrap();
            other.see(&[(HEADERS, number), (RST_STREAM, number)]).await;
        }
    };
    tokio::pin!(others);
    loop {
        tokio::select! {
            () = &mut others => break,
            _ = steps.tick() => client.give(1, 1).await,
            came = client.next() => {
                let came = came.expect("the connection was ended");
                assert_eq!((came.kind, came.stream), (DATA, 1), "after {taken}: {came:?}");
                taken += came.octets;
            }
        }
    }
    assert!(taken > 10, "{taken}");
    site.drain().await;
}
