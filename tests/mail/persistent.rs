//! A mail server that authenticates connections, as IIS does with Negotiate and NTLM (RFC 4559 section
//! 6), and two users behind one pool.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::Mutex;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use portreeve::model::ComplianceState;
use tokio::io::AsyncReadExt;
use tokio::io::AsyncWriteExt;
use tokio::io::BufReader;
use tokio::net::TcpListener;

use crate::site::Plan;
use crate::site::Site;
use crate::world::HOST;

/// What the mail server saw of one request.
#[derive(Clone, Debug)]
struct Served {
    connection: usize,
    /// OPTIONS or POST, and the Authorization header.
    said: String,
    /// As whom it was served.
    user: Option<String>,
}

type Log = Arc<Mutex<Vec<Served>>>;

/// Starts one. A request with Negotiate or NTLM makes its connection the user's from then on; one
/// without Authorization is served as whoever the connection belongs to.
async fn start(log: Log) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        for connection in 0.. {
            let (stream, _) = listener.accept().await.unwrap();
            tokio::spawn(serve(BufReader::new(stream), connection, Arc::clone(&log)));
        }
    });
    address
}

async fn serve(mut stream: BufReader<tokio::net::TcpStream>, connection: usize, log: Log) {
    let mut owner: Option<String> = None;
    loop {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let Ok(octet) = stream.read_u8().await else {
                return;
            };
            head.push(octet);
        }
        let head = String::from_utf8(head).unwrap();
        let method = head.split(' ').next().unwrap();
        let said = head
            .lines()
            .find_map(|line| line.strip_prefix("authorization: "))
            .unwrap_or("nothing");
        let user = match said.split_once(' ') {
            Some(("Basic", token)) => {
                let octets = STANDARD.decode(token).unwrap();
                let text = String::from_utf8(octets).unwrap();
                text.strip_suffix(":right").map(str::to_owned)
            }
            Some((_, token)) => {
                owner = Some(token.to_owned());
                owner.clone()
            }
            None => owner.clone(),
        };
        log.lock().unwrap().push(Served {
            connection,
            said: format!("{method} {said}"),
            user: user.clone(),
        });
        let answer = match user {
            None => "HTTP/1.1 401 No\r\nWWW-Authenticate: Negotiate\r\nWWW-Authenticate: NTLM\r\n\
                     WWW-Authenticate: Basic realm=\"x\"\r\nContent-Length: 0\r\n\r\n"
                .to_owned(),
            Some(user) => format!(
                "HTTP/1.1 200 OK\r\nMS-ASProtocolVersions: 14.1\r\nContent-Length: {}\r\n\r\n{user}",
                user.len()
            ),
        };
        if stream.write_all(answer.as_bytes()).await.is_err() {
            return;
        }
    }
}

#[tokio::test]
async fn two_users_of_a_server_that_authenticates_connections_are_never_each_other_rfc4559_6() {
    let log = Log::default();
    let upstream = start(Arc::clone(&log)).await;
    let site = Site::with(Plan {
        upstream: Some(upstream),
        ..Plan::default()
    })
    .await;
    let state = ComplianceState::Compliant;
    site.world.report("phone of bob", "bobs", "bob", state);
    let post = |user: &str, device: &str, authorization: &str| {
        format!(
            "POST /Microsoft-Server-ActiveSync?Cmd=Sync&User={user}&DeviceId={device}&DeviceType=phone \
             HTTP/1.1\r\nHost: {HOST}\r\nMS-ASProtocolVersion: 14.1\r\nAuthorization: {authorization}\r\n\
             Content-Length: 0\r\nConnection: close\r\n\r\n"
        )
    };
    let basic = |user: &str| format!("Basic {}", STANDARD.encode(format!("{user}:right")));
    for round in 0..5 {
        for (user, device) in [("alice", "good"), ("bob", "bobs")] {
            // What would make a connection the user's is refused, and asked of in another way.
            for scheme in ["Negotiate", "NTLM", "negotiate", "Kerberos"] {
                let sent = post(user, device, &format!("{scheme} {user}"));
                let received = site.raw(&sent, "").await;
                let row = format!("row {round} {user} {scheme}: {received}");
                assert!(received.starts_with("HTTP/1.1 401 "), "{row}");
                let offered = received.to_lowercase();
                assert!(offered.contains("www-authenticate: basic "), "{row}");
                assert!(
                    !offered.contains("negotiate") && !offered.contains("ntlm"),
                    "{row}"
                );
            }
            let received = site.raw(&post(user, device, &basic(user)), "").await;
            assert!(
                received.starts_with("HTTP/1.1 200 "),
                "row {round} {user}: {received}"
            );
            assert!(
                received.ends_with(&format!("\r\n\r\n{user}")),
                "row {round} {user}: {received}"
            );
        }
    }
    let served = log.lock().unwrap().clone();
    for one in &served {
        let is_ours = one.said.contains(" Basic ") || one.said == "OPTIONS nothing";
        assert!(is_ours, "{one:?}");
        if one.said == "OPTIONS nothing" {
            assert_eq!(one.user, None, "a connection belongs to somebody: {one:?}");
        }
    }
    let users = |connection: usize| {
        let of_it = served
            .iter()
            .filter(move |one| one.connection == connection);
        of_it
            .filter_map(|one| one.user.clone())
            .collect::<BTreeSet<_>>()
    };
    assert!(
        (0..served.len()).any(|connection| users(connection).len() == 2),
        "no connection was shared, so nothing was shown: {served:?}"
    );
    site.drain().await;
}
