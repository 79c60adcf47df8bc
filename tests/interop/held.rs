//! A change is felt: a waiting `Ping` ends, and the next request is refused, within a second.

use std::io::Read;
use std::io::Write;
use std::net::TcpListener;
use std::net::TcpStream;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;
use std::time::Duration;
use std::time::Instant;

use crate::gateway::Gateway;
use crate::gateway::until;

/// A mail server that checks passwords and then holds every POST for ever.
struct Holding {
    port: u16,
    held: Arc<AtomicUsize>,
}

impl Holding {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let held = Arc::new(AtomicUsize::new(0));
        let holding = Arc::clone(&held);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let holding = Arc::clone(&holding);
                std::thread::spawn(move || serve(stream, &holding));
            }
        });
        Self { port, held }
    }
}

fn serve(mut stream: TcpStream, held: &AtomicUsize) {
    let mut seen = Vec::new();
    let mut holds = false;
    let mut buffer = [0; 4096];
    while let Ok(read @ 1..) = stream.read(&mut buffer) {
        seen.extend_from_slice(&buffer[..read]);
        let text = String::from_utf8_lossy(&seen).to_lowercase();
        if !text.contains("\r\n\r\n") {
            continue;
        }
        if text.starts_with("post") {
            // Once: its body may come by itself.
            if !std::mem::replace(&mut holds, true) {
                held.fetch_add(1, Ordering::SeqCst);
            }
            continue;
        }
        let answer = if text.contains("authorization: basic") {
            "HTTP/1.1 200 OK\r\nMS-ASProtocolVersions: 14.0,14.1\r\nContent-Length: 0\r\n\r\n"
        } else {
            "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"x\"\r\nContent-Length: 0\r\n\r\n"
        };
        seen.clear();
        if stream.write_all(answer.as_bytes()).is_err() {
            return;
        }
    }
}

fn ping(gateway: &Gateway) -> Child {
    let port = gateway.mail.unwrap().port();
    Command::new("curl")
        .args([
            "-sS",
            "-o",
            "/dev/null",
            "-w",
            "%{http_code}",
            "--max-time",
            "60",
        ])
        .args(["--cacert", gateway.path("certs/root.pem").to_str().unwrap()])
        .args([
            "--resolve",
            &format!("mail.portreeve.test:{port}:127.0.0.1"),
        ])
        .args(["-u", "alice@example.com:any", "--data-binary", "x"])
        .args(["-H", "MS-ASProtocolVersion: 14.1"])
        .arg(format!(
            "https://mail.portreeve.test:{port}/Microsoft-Server-ActiveSync\
             ?Cmd=Ping&User=alice@example.com&DeviceId=ApplSAMPLE0001&DeviceType=iPhone"
        ))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .expect("curl is installed by tests/run")
}

#[test]
fn a_waiting_ping_ends_when_its_device_turns_bad_r14() {
    let upstream = Holding::start();
    let gateway = Gateway::start(|conf| {
        let port = upstream.port;
        conf.replace(
            "gateway.toml",
            "http://127.0.0.1:18080",
            &format!("http://127.0.0.1:{port}"),
        );
    });
    let waiting = ping(&gateway);
    until("the mail server holds the Ping", || {
        (upstream.held.load(Ordering::SeqCst) == 1).then_some(())
    });
    let from = "ApplSAMPLE0001,yes,yes,compliant";
    gateway
        .conf()
        .replace("devices.csv", from, "ApplSAMPLE0001,yes,yes,noncompliant");
    let changed = Instant::now();
    let ended = waiting.wait_with_output().unwrap();
    let took = changed.elapsed();
    assert_eq!(
        String::from_utf8_lossy(&ended.stdout),
        "403",
        "the waiting Ping"
    );
    assert!(
        took < Duration::from_secs(1),
        "it took {took:?} from the file to the end of the Ping"
    );
    let status = gateway.command(&["status", "--json"]);
    let status: serde_json::Value = serde_json::from_slice(&status.stdout).unwrap();
    let mail = |pointer| status.pointer(pointer).and_then(|count| count.as_u64());
    assert_eq!(mail("/mail/ended_by_change"), Some(1), "{status}");
    assert_eq!(mail("/mail/replies/block"), Some(1), "{status}");
    let next = ping(&gateway).wait_with_output().unwrap();
    assert_eq!(
        String::from_utf8_lossy(&next.stdout),
        "403",
        "the next request"
    );
    assert_eq!(
        upstream.held.load(Ordering::SeqCst),
        1,
        "nothing more reached the mail server"
    );
}
