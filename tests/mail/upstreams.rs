//! Several upstreams, and several servers of one: who goes where, and what becomes of a request
//! whose server does not answer.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;

use http::HeaderMap;
use http::HeaderValue;
use http::StatusCode;
use http_body_util::BodyExt;
use http_body_util::Full;
use hyper::body::Bytes;
use portreeve::access::Outcome as Recorded;
use portreeve::mail::Action;
use portreeve::mail::Config;
use portreeve::mail::Gateway;
use portreeve::mail::Outgoing;
use portreeve::mail::Resource;
use portreeve::mail::Routes;
use portreeve::mail::Rule;
use portreeve::mail::UpstreamId;
use portreeve::mail::Whose;
use portreeve::model::GroupId;
use portreeve::net::proxy_header::ProxyHeader;
use portreeve::net::upstream::Settings;
use portreeve::net::upstream::Timing;
use socket2::SockFilter;
use socket2::SockRef;
use tokio::io::AsyncReadExt;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;
use tokio::net::TcpStream;
use tokio::net::UdpSocket;
use tokio::sync::mpsc;

use crate::gateway::record;
use crate::site::Plan;
use crate::site::Site;
use crate::site::command;
use crate::world::HOST;
use crate::world::Request;
use crate::world::World;
use crate::world::ask;
use crate::world::forward;
use crate::world::honest;
use crate::world::peer;
use crate::world::start;

const PATH: &str = "/Microsoft-Server-ActiveSync";

pub(crate) fn two_upstreams(rules: Vec<Rule>) -> Config {
    let mut routes = Routes::only("https://old.internal".parse().unwrap());
    let cloud = "https://outlook.office365.com".parse().unwrap();
    routes.resources.push(Resource::single("cloud", cloud));
    routes.rules = rules;
    routes.learn = true;
    let mut config = Config::new(
        vec![HOST.to_owned()],
        "https://old.internal".parse().unwrap(),
    );
    config.routes = routes;
    config
}

/// Where the next request of alice goes; its record names an upstream that is not the usual one.
fn place(gateway: &Gateway, device: &str) -> String {
    let step = Request::of(device, "Sync").settle(gateway, &peer());
    let called = record(step.event.as_ref()).called.clone();
    let upstream = called.map(|called| called.upstream.to_string());
    let host = forward(step).request.uri().host().unwrap().to_owned();
    let is_usual = host == "old.internal";
    assert_eq!(upstream.as_deref(), (!is_usual).then_some("cloud"));
    host
}

#[test]
fn the_map_says_whose_mailbox_is_where_r56() {
    let cloud = UpstreamId::of("cloud");
    let whose = |whose| {
        vec![Rule {
            whose,
            upstream: cloud,
        }]
    };
    for (row, rules, expected) in [
        ("nothing", vec![], "old.internal"),
        (
            "user",
            whose(Whose::User("alice".to_owned())),
            "outlook.office365.com",
        ),
        (
            "another",
            whose(Whose::User("bob".to_owned())),
            "old.internal",
        ),
        (
            "group",
            whose(Whose::Group(GroupId::named("staff"))),
            "outlook.office365.com",
        ),
        (
            "other group",
            whose(Whose::Group(GroupId::named("guests"))),
            "old.internal",
        ),
        (
            "suffix",
            whose(Whose::Suffix("example.org".to_owned())),
            "old.internal",
        ),
    ] {
        let world = World::new();
        let again = two_upstreams(rules.clone()).routes;
        let gateway = world.gateway_with(two_upstreams(rules));
        assert_eq!(place(&gateway, "good"), expected, "row {row}");
        // One that is read again and is the same has nobody asked; nor is it forgotten who proved itself.
        gateway.replace_routes(again);
        let sync = Request::of("good", "Sync").send(&gateway, &peer());
        drop(forward(sync));
        // A map that changes asks the upstream for its word on the credentials again.
        gateway.replace_routes(two_upstreams(whose(Whose::User("alice".to_owned()))).routes);
        assert_eq!(
            place(&gateway, "good"),
            "outlook.office365.com",
            "row {row}"
        );
    }
}

/// What an impostor had accepted counted on when its authority was replaced.
#[test]
fn passwords_count_no_more_once_servers_are_found_or_verified_otherwise() {
    let world = World::new();
    let gateway = world.gateway_with(two_upstreams(vec![]));
    let replace = |identity| {
        let mut routes = two_upstreams(vec![]).routes;
        routes.resources[0].identity = [identity; 32];
        gateway.replace_routes(routes);
    };
    let sync = || Request::of("good", "Sync").send(&gateway, &peer());
    assert_eq!(place(&gateway, "good"), "old.internal");
    replace(0);
    drop(forward(sync()));
    replace(1);
    let asked = ask(sync());
    // Nor does what is answered later by those who were asked before.
    replace(2);
    let mut step = honest(&gateway, asked);
    while let Action::Ask(asked) = step.action {
        step = honest(&gateway, asked);
    }
    drop(forward(step));
    drop(ask(sync()));
    assert_eq!(place(&gateway, "good"), "old.internal");
    drop(forward(sync()));
}

#[test]
fn an_upstream_may_send_a_user_to_another_one_and_nowhere_else_r56() {
    let world = World::new();
    let gateway = world.gateway_with(two_upstreams(vec![]));
    let answer = |location: Option<&str>| {
        let forward = forward(Request::of("good", "Sync").settle(&gateway, &peer()));
        let mut headers = HeaderMap::new();
        if let Some(location) = location {
            headers.insert("x-ms-location", HeaderValue::from_str(location).unwrap());
        }
        let moved = StatusCode::from_u16(451).unwrap();
        gateway.handle_answer(start(), &forward.exchange, moved, headers)
    };
    for location in [
        Some("https://attacker.example/Microsoft-Server-ActiveSync"),
        Some("https://169.254.169.254/Microsoft-Server-ActiveSync"),
        Some("https://old.internal:444@attacker.example/Microsoft-Server-ActiveSync"),
        Some("/Microsoft-Server-ActiveSync"),
        Some("//outlook.office365.com/Microsoft-Server-ActiveSync"),
        Some(""),
        Some(" "),
        None,
    ] {
        let (outgoing, event) = answer(location);
        let Outgoing::Answer(reply) = outgoing else {
            panic!("row {location:?}: passed");
        };
        assert_eq!(
            reply.status,
            StatusCode::SERVICE_UNAVAILABLE,
            "row {location:?}"
        );
        let Recorded::NotAuthenticated(why) = record(event.as_ref()).outcome else {
            panic!("row {location:?}: recorded as a decision");
        };
        assert!(
            why.as_str().contains("the mail server sends the user to"),
            "{why}"
        );
        assert_eq!(place(&gateway, "good"), "old.internal", "row {location:?}");
    }
    let (outgoing, event) = answer(Some(&format!("https://outlook.office365.com{PATH}")));
    let Outgoing::Pass(status, headers) = outgoing else {
        panic!("refused");
    };
    assert_eq!(status.as_u16(), 451);
    assert_eq!(headers["x-ms-location"], format!("https://{HOST}{PATH}"));
    assert!(event.is_none());
    assert_eq!(place(&gateway, "good"), "outlook.office365.com");
}

/// What a server has seen of its connections: each one's first line and octets.
struct Server {
    address: SocketAddr,
    heads: mpsc::UnboundedReceiver<String>,
}

/// How a server ends a request.
#[derive(Clone, Copy, PartialEq)]
enum Habit {
    /// With 200.
    Answers,
    /// It reads a command and closes without an answer.
    ReadsAndCloses,
    /// It reads a command and resets the connection, before its system has acknowledged anything.
    ReadsAndResets,
    /// With 200, and closes the connection.
    ClosesAfterIt,
}

/// A mail server that takes any credentials.
async fn server(habit: Habit) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (sender, heads) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            tokio::spawn(serve(stream, habit, sender.clone()));
        }
    });
    Server { address, heads }
}

async fn serve(mut stream: TcpStream, habit: Habit, sender: mpsc::UnboundedSender<String>) {
    while answer(&mut stream, habit, &sender).await.is_some() {}
}

/// Answers one request; `None` when the connection is over.
async fn answer(
    stream: &mut TcpStream,
    habit: Habit,
    sender: &mpsc::UnboundedSender<String>,
) -> Option<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    let head = String::from_utf8(head).unwrap();
    let is_post = head.starts_with("POST ") || head.contains("\r\nPOST ");
    let lower = head.to_lowercase();
    if let Some((_, rest)) = lower.split_once("content-length: ") {
        let length = rest.split("\r\n").next().unwrap().parse().unwrap();
        let mut body = vec![0; length];
        stream.read_exact(&mut body).await.ok()?;
    }
    if is_post {
        drop(sender.send(head));
    }
    let sent = if !lower.contains("authorization:") {
        "HTTP/1.1 401 No\r\nContent-Length: 0\r\n\r\n"
    } else if is_post {
        if habit == Habit::ReadsAndCloses {
            return None;
        }
        if habit == Habit::ReadsAndResets {
            reset_when_dropped(stream);
            return None;
        }
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
    } else {
        "HTTP/1.1 200 OK\r\nMS-ASProtocolVersions: 14.1\r\nContent-Length: 0\r\n\r\n"
    };
    stream.write_all(sent.as_bytes()).await.ok()?;
    (habit != Habit::ClosesAfterIt || !is_post).then_some(())
}

fn reset_when_dropped(stream: &TcpStream) {
    let stream = SockRef::from(stream);
    stream.set_linger(Some(Duration::ZERO)).unwrap();
}

pub(crate) fn settings(members: &[SocketAddr]) -> Settings {
    let tls = portreeve::net::tls::client(portreeve::net::tls::Roots::System).unwrap();
    let origin = |address: &SocketAddr| format!("http://{address}").parse().unwrap();
    let mut settings = Settings::single("default", origin(&members[0]), Arc::new(tls));
    settings.members = members.iter().map(origin).collect();
    settings
}

pub(crate) async fn site(settings: Vec<Settings>, timing: Timing) -> Site {
    let site = Site::with(Plan {
        upstream: Some(settings[0].members[0].to_string()),
        timing,
        ..Plan::default()
    })
    .await;
    let mut routes = Routes::only(settings[0].members[0].clone());
    routes.resources[0].members = settings[0].members.clone();
    site.front.gateway.replace_routes(routes);
    site.front.upstream.replace(&settings);
    site
}

async fn sync(site: &Site) -> (StatusCode, HeaderMap) {
    post(site, "Sync", b"body").await
}

async fn post(site: &Site, name: &str, body: &'static [u8]) -> (StatusCode, HeaderMap) {
    let mut client = site.http1().await;
    let sent = command("good", name, "length", Full::new(Bytes::from_static(body)));
    let answer = client.send_request(sent).await.unwrap();
    let (parts, body) = answer.into_parts();
    drop(body.collect().await);
    (parts.status, parts.headers)
}

/// An address where nobody listens.
pub(crate) async fn nobody() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    listener.local_addr().unwrap()
}

#[tokio::test]
async fn a_dead_server_of_several_costs_no_request() {
    let mut server = server(Habit::Answers).await;
    for dead_first in [true, false] {
        let dead = nobody().await;
        let members = if dead_first {
            [dead, server.address]
        } else {
            [server.address, dead]
        };
        let site = site(vec![settings(&members)], Timing::default()).await;
        for row in 0..10 {
            assert_eq!(sync(&site).await.0, StatusCode::OK, "row {row}");
            let head = server.heads.recv().await.unwrap();
            let host = format!("host: {}\r\n", server.address);
            assert!(head.contains(&host), "row {row}: {head}");
        }
        site.drain().await;
    }
}

#[tokio::test]
async fn a_dead_upstream_is_503_with_retry_after_and_its_health_says_so() {
    let members = [nobody().await, nobody().await];
    let site = site(vec![settings(&members)], Timing::default()).await;
    let (status, headers) = sync(&site).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(headers.contains_key("retry-after"));
    for standing in site.front.upstream.standing() {
        assert!(!standing.is_up, "{standing:?}");
        assert!(standing.health.contains("refused"), "{standing:?}");
        assert!(standing.failed > 0);
    }
    site.drain().await;
}

/// A server that has closed acknowledges nothing and resets: a command that met it goes by another connection.
#[tokio::test]
async fn a_command_that_meets_a_closed_connection_goes_by_another_one() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let site = site(vec![settings(&[address])], Timing::default()).await;
    let (sender, mut heads) = mpsc::unbounded_channel();
    let serving = tokio::spawn(async move {
        let (mut kept, _) = listener.accept().await.unwrap();
        for _ in 0..3 {
            answer(&mut kept, Habit::Answers, &sender).await.unwrap();
        }
        // Until it is gone nothing reaches the server.
        let all = SockFilter::new(RETURN, 0, 0, 0);
        SockRef::from(&kept).attach_filter(&[all]).unwrap();
        (listener, kept, sender)
    });
    assert_eq!(sync(&site).await.0, StatusCode::OK);
    heads.recv().await.unwrap();
    let (listener, kept, sender) = serving.await.unwrap();
    let before = site.front.upstream.standing()[0].requests;
    let again = async {
        let (status, _) = sync(&site).await;
        assert_eq!(status, StatusCode::OK);
    };
    let reset = async {
        while site.front.upstream.standing()[0].requests == before {
            tokio::task::yield_now().await;
        }
        // All run in one thread: the request was written when it was counted. It comes once more, and
        // meets a closed end.
        SockRef::from(&kept).detach_filter().unwrap();
        drop(kept);
        let (mut next, _) = listener.accept().await.unwrap();
        answer(&mut next, Habit::Answers, &sender).await.unwrap();
        next
    };
    let ((), _next) = tokio::join!(again, reset);
    let head = heads.recv().await.unwrap();
    assert!(head.starts_with("POST "), "{head}");
    assert!(heads.try_recv().is_err(), "once");
    site.drain().await;
}

/// `BPF_RET | BPF_K` (linux/filter.h): so many octets of a packet are taken.
const RETURN: u16 = 0x06;

/// A command that was read may have been carried out: it is never sent again. One whose server was
/// quicker to reset than to acknowledge was.
#[tokio::test]
async fn a_command_that_was_read_is_not_sent_twice() {
    for habit in [Habit::ReadsAndCloses, Habit::ReadsAndResets] {
        let mut server = server(habit).await;
        let site = site(vec![settings(&[server.address])], Timing::default()).await;
        for row in 0..5 {
            let (status, headers) = sync(&site).await;
            assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE, "row {row}");
            assert!(headers.contains_key("retry-after"), "row {row}");
            server.heads.recv().await.unwrap();
            assert!(server.heads.try_recv().is_err(), "row {row}: sent twice");
        }
        site.drain().await;
    }
}

/// A server that ends closes a connection whose octets have come already: what only asks is asked once
/// more, by a connection that was not used before, and so never a third time (RFC 9110 section 9.2.2).
#[tokio::test]
async fn a_command_that_changes_nothing_is_sent_once_more() {
    // Sync(Collections(Collection(SyncKey(7)))), and the same with Commands beside the key.
    const READS: &[u8] = b"\x03\x01\x6a\x00\x45\x5c\x4f\x4b\x037\x00\x01\x01\x01\x01";
    const SENDS: &[u8] = b"\x03\x01\x6a\x00\x45\x5c\x4f\x4b\x037\x00\x01\x16\x01\x01\x01";
    for (name, body, times) in [
        ("FolderSync", READS, 2),
        ("Ping", b"", 2),
        ("Sync", READS, 2),
        ("Sync", SENDS, 1),
        ("SendMail", READS, 1),
        ("MoveItems", READS, 1),
        ("Provision", READS, 1),
        ("FolderCreate", READS, 1),
    ] {
        for habit in [Habit::ReadsAndCloses, Habit::ReadsAndResets] {
            let mut server = server(habit).await;
            let site = site(vec![settings(&[server.address])], Timing::default()).await;
            let (status, _) = post(&site, name, body).await;
            assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE, "{name}");
            let mut heads = 0;
            while server.heads.try_recv().is_ok() {
                heads += 1;
            }
            assert_eq!(heads, times, "{name} {body:?}");
            site.drain().await;
        }
    }
    // And comes to its answer.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let site = site(vec![settings(&[address])], Timing::default()).await;
    let (sender, mut heads) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        let (mut kept, _) = listener.accept().await.unwrap();
        for _ in 0..3 {
            answer(&mut kept, Habit::Answers, &sender).await.unwrap();
        }
        let ended = answer(&mut kept, Habit::ReadsAndCloses, &sender).await;
        assert!(ended.is_none());
        drop(kept);
        let (mut next, _) = listener.accept().await.unwrap();
        while answer(&mut next, Habit::Answers, &sender).await.is_some() {}
    });
    for row in 0..2 {
        let (status, _) = post(&site, "Sync", READS).await;
        assert_eq!(status, StatusCode::OK, "row {row}");
    }
    let mut read = Vec::new();
    while let Ok(head) = heads.try_recv() {
        read.push(head);
    }
    assert_eq!(read.len(), 3);
    assert_eq!(read[1], read[2], "the same octets");
    site.drain().await;
}

#[tokio::test]
async fn a_reload_takes_other_servers_and_ends_no_request() {
    let mut first = server(Habit::Answers).await;
    let mut second = server(Habit::Answers).await;
    let site = site(vec![settings(&[first.address])], Timing::default()).await;
    assert_eq!(sync(&site).await.0, StatusCode::OK);
    first.heads.recv().await.unwrap();
    let mut routes = Routes::only(format!("http://{}", second.address).parse().unwrap());
    routes.learn = false;
    site.front.gateway.replace_routes(routes);
    site.front.upstream.replace(&[settings(&[second.address])]);
    assert_eq!(sync(&site).await.0, StatusCode::OK);
    second.heads.recv().await.unwrap();
    assert!(first.heads.try_recv().is_err());
    site.drain().await;

    // A Ping that waits at a server that is gone from the configuration goes on waiting.
    let site = Site::start().await;
    let mut client = site.http1().await;
    let sent = command("good", "Ping", "hold", Full::new(Bytes::new()));
    let waiting = tokio::spawn(async move { client.send_request(sent).await });
    site.origin.next().await;
    site.front.upstream.replace(&[settings(&[second.address])]);
    site.origin.release();
    let answer = waiting.await.unwrap().unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    site.drain().await;
}

#[tokio::test]
async fn each_client_has_connections_of_its_own_where_they_begin_with_who_it_is() {
    let mut server = server(Habit::Answers).await;
    let mut proxied = settings(&[server.address]);
    proxied.proxy_header = ProxyHeader::V1;
    let site = site(vec![proxied], Timing::default()).await;
    let mut first = String::new();
    for row in 0..2 {
        let mut client = site.http1().await;
        for turn in 0..2 {
            let body = Full::new(Bytes::new());
            client.ready().await.unwrap();
            let answer = client.send_request(command("good", "Sync", "length", body));
            let answer = answer.await.unwrap();
            assert_eq!(answer.status(), StatusCode::OK);
            drop(answer.into_body().collect().await);
            let head = server.heads.recv().await.unwrap();
            let line = head.lines().next().unwrap().to_owned();
            if turn == 0 {
                let is_header = line.starts_with("PROXY TCP4 127.0.0.1 127.0.0.1 ");
                // Of the very first client the question about credentials came first.
                assert!(is_header || row == 0, "row {row}: {head}");
                assert_ne!(line, first, "another client, another port");
                first = line;
            } else {
                assert!(line.starts_with("POST "), "its connection again: {head}");
            }
        }
    }
    site.drain().await;
}

#[tokio::test]
async fn connections_leave_from_the_source_addresses_in_turn() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut sourced = settings(&[listener.local_addr().unwrap()]);
    sourced.sources = vec!["127.0.0.2".parse().unwrap(), "127.0.0.3".parse().unwrap()];
    let site = site(vec![sourced], Timing::default()).await;
    let asking = async {
        for _ in 0..2 {
            sync(&site).await;
        }
    };
    let accepting = async {
        let mut from = Vec::new();
        for _ in 0..2 {
            let (stream, address) = listener.accept().await.unwrap();
            from.push(address.ip().to_string());
            drop(stream);
        }
        from
    };
    let (from, ()) = tokio::join!(accepting, asking);
    assert_eq!(from, ["127.0.0.2", "127.0.0.3"]);
    site.drain().await;
}

/// A name server that knows one address of every name.
async fn name_server(address: [u8; 4], lifetime: u32) -> (SocketAddr, Arc<Mutex<usize>>) {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let own = socket.local_addr().unwrap();
    let asked = Arc::new(Mutex::new(0));
    let count = Arc::clone(&asked);
    tokio::spawn(async move {
        let mut buffer = [0; 512];
        loop {
            let (length, from) = socket.recv_from(&mut buffer).await.unwrap();
            let question = &buffer[12..length];
            let name = question.iter().position(|octet| *octet == 0).unwrap();
            let question = &question[..name + 5];
            let is_v4 = question[name + 1..name + 3] == [0, 1];
            let mut answer = buffer[..2].to_vec();
            answer.extend([0x81, 0x80, 0, 1, 0, u8::from(is_v4), 0, 0, 0, 0]);
            answer.extend(question);
            if is_v4 {
                *count.lock().unwrap() += 1;
                answer.extend([0xc0, 12, 0, 1, 0, 1]);
                answer.extend(lifetime.to_be_bytes());
                answer.extend([0, 4]);
                answer.extend(address);
            }
            socket.send_to(&answer, from).await.unwrap();
        }
    });
    (own, asked)
}

#[tokio::test]
async fn a_name_is_asked_for_again_when_its_time_is_over() {
    let mut server = server(Habit::ClosesAfterIt).await;
    for (lifetime, expected) in [(0, 2), (3600, 1)] {
        let (names, asked) = name_server([127, 0, 0, 1], lifetime).await;
        let mut named = settings(&[server.address]);
        let port = server.address.port();
        named.members = vec![format!("http://mail.internal:{port}").parse().unwrap()];
        named.idle = Duration::ZERO;
        let site = Site::with(Plan {
            upstream: Some(named.members[0].to_string()),
            name_servers: vec![names],
            ..Plan::default()
        })
        .await;
        site.front.upstream.replace(&[named]);
        for _ in 0..2 {
            assert_eq!(sync(&site).await.0, StatusCode::OK);
            server.heads.recv().await.unwrap();
        }
        let asked = *asked.lock().unwrap();
        assert!(
            asked >= expected && (expected > 1 || asked == 1),
            "{lifetime}: {asked}"
        );
        site.drain().await;
    }
}

#[tokio::test]
async fn a_listed_balancer_says_whose_connection_it_is_and_nobody_else_does() {
    let header = "PROXY TCP4 192.0.2.77 198.51.100.1 40000 443\r\n";
    // Version 2, command LOCAL, as HAProxy's health checks send it (proxy-protocol.txt 2.2).
    let local = "\r\n\r\n\0\r\nQUIT\n\x20\0\0\0";
    let unknown = "PROXY UNKNOWN\r\n";
    for (row, balancers, sent, expected) in [
        ("its own", vec!["127.0.0.0/8"], local, Some("127.0.0.1")),
        ("unknown", vec!["127.0.0.0/8"], unknown, Some("127.0.0.1")),
        ("listed", vec!["127.0.0.0/8"], header, Some("192.0.2.77")),
        ("listed, silent", vec!["127.0.0.0/8"], "", None),
        ("not listed", vec!["192.0.2.0/24"], header, None),
        ("none", vec![], "", Some("127.0.0.1")),
    ] {
        let site = Site::with(Plan {
            balancers: balancers.iter().map(|net| net.parse().unwrap()).collect(),
            ..Plan::default()
        })
        .await;
        let mut stream = TcpStream::connect(site.address).await.unwrap();
        stream.write_all(sent.as_bytes()).await.unwrap();
        let client = site.pki.client(b"http/1.1", None);
        let name = HOST.try_into().unwrap();
        let opened = tokio_rustls::TlsConnector::from(client).connect(name, stream);
        match (opened.await, expected) {
            (Ok(stream), Some(address)) => {
                let body = Full::new(Bytes::new());
                let mut request = command("good", "Sync", "length", body);
                let target = format!("https://{HOST}{}", request.uri());
                *request.uri_mut() = target.parse().unwrap();
                let answer = crate::site::over_http1(stream, request).await;
                assert_eq!(answer.status(), StatusCode::OK, "row {row}");
                let seen = site.origin.next().await;
                assert_eq!(seen.headers["x-forwarded-for"], address, "row {row}");
            }
            (Err(_), None) => {}
            (Ok(_), None) => panic!("row {row}: served"),
            (Err(error), Some(_)) => panic!("row {row}: {error}"),
        }
        site.drain().await;
    }
}
