//! Health checks of an upstream's servers: how often, and what becomes of one that fails.

use std::net::SocketAddr;
use std::time::Duration;

use portreeve::net::upstream::Check;
use portreeve::net::upstream::Timing;
use tokio::io::AsyncReadExt;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio::time::timeout;

use crate::site::Site;
use crate::upstreams::nobody;
use crate::upstreams::settings;
use crate::upstreams::site;

/// A server that is only ever asked how it is.
struct Checked {
    address: SocketAddr,
    heads: mpsc::UnboundedReceiver<(Instant, String)>,
}

impl Checked {
    /// It says that it is well so many times, and 503 from then on.
    async fn well_for(times: usize) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (sender, heads) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            let mut asked = 0;
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                let head = head(&mut stream).await;
                drop(sender.send((Instant::now(), head)));
                let status = if asked < times { "200 OK" } else { "503 No" };
                asked += 1;
                let answer =
                    format!("HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
                drop(stream.write_all(answer.as_bytes()).await);
            }
        });
        Self { address, heads }
    }

    async fn next(&mut self) -> (Instant, String) {
        let next = timeout(Duration::from_secs(20), self.heads.recv()).await;
        next.expect("no check came").unwrap()
    }
}

async fn head(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    String::from_utf8(head).unwrap()
}

async fn checked(members: &[SocketAddr], interval: u64, deadline: u64) -> Site {
    let mut checked = settings(members);
    checked.check = Some(Check {
        path: "/health".to_owned(),
        interval: Duration::from_secs(interval),
        deadline: Duration::from_secs(deadline),
    });
    site(vec![checked], Timing::default()).await
}

/// How its servers are, once that is so.
async fn until(site: &Site, is_so: impl Fn(&[String]) -> bool) {
    let looking = async {
        loop {
            let standing = site.front.upstream.standing().into_iter();
            let health: Vec<String> = standing.map(|one| one.health).collect();
            if is_so(&health) {
                return;
            }
            tokio::task::yield_now().await;
        }
    };
    let seen = timeout(Duration::from_secs(20), looking).await;
    seen.unwrap_or_else(|_| panic!("{:?}", site.front.upstream.standing()));
}

#[tokio::test]
async fn a_server_is_asked_how_it_is_and_gets_nothing_while_it_is_not_well() {
    let mut server = Checked::well_for(usize::MAX).await;
    let site = checked(&[server.address, nobody().await], 1, 1).await;
    let (_, head) = server.next().await;
    assert!(head.starts_with("GET /health HTTP/1.1\r\n"), "{head}");
    until(&site, |health| {
        health[0] == "up (health check)" && health[1].starts_with("down: ")
    })
    .await;
    let standing = site.front.upstream.standing();
    assert_eq!(standing.iter().filter(|one| one.is_up).count(), 1);
    site.drain().await;
}

#[tokio::test]
async fn a_server_is_asked_as_often_as_configured_however_long_an_answer_may_take() {
    let mut server = Checked::well_for(usize::MAX).await;
    let site = checked(&[server.address], 1, 60).await;
    for _ in 0..2 {
        server.next().await;
    }
    site.drain().await;
}

#[tokio::test]
async fn a_check_that_fails_is_repeated_soon_so_that_a_failing_server_is_out() {
    let mut server = Checked::well_for(1).await;
    let site = checked(&[server.address], 3, 3).await;
    server.next().await;
    let (failed, _) = server.next().await;
    let (again, _) = server.next().await;
    let gap = again.duration_since(failed);
    assert!(gap < Duration::from_millis(2_500), "{gap:?}");
    until(&site, |health| health[0].starts_with("down: ")).await;
    // While it is down it is asked no more often than any other.
    let (next, _) = server.next().await;
    let gap = next.duration_since(failed);
    assert!(gap > Duration::from_millis(2_500), "{gap:?}");
    site.drain().await;
}
