//! Certificates that are revoked while the gateway runs: lists over HTTP, and `openssl ocsp` as the
//! responder of wpa_supplicant's certificates.

use std::fs;
use std::io::Read;
use std::io::Write;
use std::net::TcpListener;
use std::net::TcpStream;
use std::net::UdpSocket;
use std::os::unix::process::CommandExt;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::Mutex;
use std::thread;
use std::time::Duration;
use std::time::Instant;

use nix::sys::signal::Signal;
use nix::sys::signal::killpg;
use nix::unistd::Pid;

use crate::certificate::Files;
use crate::certificate::Wanted;
use crate::certificate::issue;
use crate::certificate::list;
use crate::eapol_test::Login;
use crate::eapol_test::Outcome;
use crate::eapol_test::run;
use crate::gateway::Conf;
use crate::gateway::Gateway;
use crate::gateway::until;
use crate::ports;

/// A web server with one document, which can be changed or taken away.
#[derive(Clone)]
struct Shelf {
    port: u16,
    state: Arc<Mutex<Document>>,
}

#[derive(Default)]
struct Document {
    /// What is answered; nothing at all if empty: the connection is held.
    body: Vec<u8>,
    /// Whether connections are closed at once.
    dead: bool,
    /// Documents sent, and how often that nothing has changed.
    sent: usize,
    spared: usize,
}

impl Shelf {
    fn open(body: &[u8]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let shelf = Self {
            port: listener.local_addr().unwrap().port(),
            state: Arc::default(),
        };
        shelf.put(body);
        let serving = shelf.clone();
        // Ends with the process: it waits for a connection that nobody makes any more.
        thread::spawn(move || {
            for stream in listener.incoming() {
                let serving = serving.clone();
                thread::spawn(move || serving.serve(&mut stream.unwrap()));
            }
        });
        shelf
    }

    fn address(&self) -> String {
        format!("http://127.0.0.1:{}/list.crl", self.port)
    }

    fn put(&self, body: &[u8]) {
        self.state.lock().unwrap().body = body.to_vec();
    }

    fn dies(&self) {
        self.state.lock().unwrap().dead = true;
    }

    fn counts(&self) -> (usize, usize) {
        let state = self.state.lock().unwrap();
        (state.sent, state.spared)
    }

    fn serve(&self, stream: &mut TcpStream) {
        let mut request = Vec::new();
        let mut octets = [0; 4096];
        while !request.windows(4).any(|four| four == b"\r\n\r\n") {
            match stream.read(&mut octets) {
                Ok(0) | Err(_) => return,
                Ok(count) => request.extend_from_slice(&octets[..count]),
            }
        }
        let request = String::from_utf8_lossy(&request).to_lowercase();
        let (answer, held) = {
            let mut state = self.state.lock().unwrap();
            if state.dead {
                return;
            }
            // A sum of all octets is mark enough.
            let sum: u64 = state.body.iter().map(|&octet| u64::from(octet)).sum();
            let mark = format!("\"{sum}\"");
            if request.contains(&format!("if-none-match: {mark}")) {
                state.spared += 1;
                let head = format!("HTTP/1.1 304 Not Modified\r\nETag: {mark}\r\n\r\n");
                (head.into_bytes(), false)
            } else {
                state.sent += 1;
                let length = state.body.len();
                let head = format!(
                    "HTTP/1.1 200 OK\r\nETag: {mark}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
                );
                (
                    [head.into_bytes(), state.body.clone()].concat(),
                    length == 0,
                )
            }
        };
        if held {
            // Until the other side gives up.
            while !matches!(stream.read(&mut octets), Ok(0) | Err(_)) {}
            return;
        }
        drop(stream.write_all(&answer));
    }
}

/// `openssl ocsp` as responder for the sample root.
struct Responder {
    child: Option<Child>,
    port: u16,
}

impl Responder {
    fn at(port: u16) -> Self {
        Self { child: None, port }
    }

    /// Serial numbers and how they stand: `V` or `R`; others it does not know. `shift` is what its
    /// clock is off, for faketime.
    fn start(&mut self, gateway: &Gateway, known: &[(u8, char)], shift: Option<&str>) {
        self.stop();
        let index: String = known
            .iter()
            .map(|(serial, status)| {
                let revoked = if *status == 'R' { "260101000000Z" } else { "" };
                format!("{status}\t400101000000Z\t{revoked}\t{serial:02X}\tunknown\t/CN=device {serial}\n")
            })
            .collect();
        let file = gateway.path("index.txt");
        fs::write(&file, index).unwrap();
        let mut command = match shift {
            Some(shift) => {
                let mut command = Command::new("faketime");
                command.args(["-f", shift, "openssl"]);
                command
            }
            None => Command::new("openssl"),
        };
        let port = self.port;
        let child = command
            .process_group(0)
            .args(["ocsp", "-port", &port.to_string(), "-nmin", "60"])
            .arg("-index")
            .arg(&file)
            .arg("-CA")
            .arg(gateway.path("certs/root.pem"))
            .arg("-rsigner")
            .arg(gateway.path("certs/root.pem"))
            .arg("-rkey")
            .arg(gateway.path("certs/keys/root.key"))
            .stdout(Stdio::null())
            .stderr(fs::File::create(gateway.path("responder.log")).unwrap())
            .spawn()
            .expect("openssl and faketime are installed by tests/run");
        self.child = Some(child);
        Self::wait(gateway);
    }

    /// It serves one connection after the other, so none is made to see whether it listens.
    fn wait(gateway: &Gateway) {
        until("the responder listens", || {
            let log = fs::read_to_string(gateway.path("responder.log")).unwrap();
            log.contains("waiting for OCSP client").then_some(())
        });
    }

    fn stop(&mut self) {
        if let Some(mut child) = self.child.take() {
            // faketime has a child of its own.
            let group = i32::try_from(child.id()).unwrap();
            killpg(Pid::from_raw(group), Signal::SIGKILL).unwrap();
            drop(child.wait());
        }
    }
}

impl Drop for Responder {
    fn drop(&mut self) {
        self.stop();
    }
}

fn section(conf: &Conf, lines: &str) {
    let text = conf.read("gateway.toml");
    let start = text.find("\n[revocation]\n").unwrap() + 1;
    let end = text[start..].find("\n# Threads; 0").unwrap() + start;
    let text = format!("{}[revocation]\n{lines}\n{}", &text[..start], &text[end..]);
    conf.write("gateway.toml", &text);
}

/// A gateway that asks the responder at this port.
fn asking(mode: &str, port: u16, more: &str) -> Gateway {
    Gateway::start(|conf| {
        let lines = format!("ocsp = \"{mode}\"\nresponder = \"http://127.0.0.1:{port}\"\n{more}");
        section(conf, &lines);
    })
}

fn device(gateway: &Gateway, name: &'static str, serial: u8) -> Files {
    issue(
        gateway,
        &Wanted {
            name,
            serial,
            ..Wanted::default()
        },
    )
}

fn login(gateway: &Gateway, files: &Files, tls13: bool) -> Outcome {
    run(
        gateway,
        &Login {
            tls13,
            ..Login::new("alice@example.com", files)
        },
    )
}

/// The last refusal that the journal has, once it has that many.
pub(crate) fn refusals(gateway: &Gateway, count: usize) -> Vec<String> {
    until("the refusals are in the journal", || {
        let journal = gateway.journal();
        let lines = journal.lines();
        let refused = lines.filter(|line| line.contains("\"verdict\":\"reject\""));
        let refused: Vec<_> = refused.map(str::to_owned).collect();
        (refused.len() >= count).then_some(refused)
    })
}

#[test]
fn hard_mode_waits_for_the_responder_and_lets_in_only_the_good_rfc6960() {
    let port = ports::tcp();
    let gateway = asking("hard", port, "");
    let mut responder = Responder::at(port);
    responder.start(&gateway, &[(1, 'V'), (2, 'R'), (4, 'V'), (5, 'R')], None);
    let mut refused = 0;
    for (name, serial, tls13, says) in [
        ("good-13", 1, true, None),
        ("good-12", 4, false, None),
        (
            "revoked-13",
            2,
            true,
            Some("the certificate is revoked, by the OCSP responder"),
        ),
        (
            "revoked-12",
            5,
            false,
            Some("the certificate is revoked, by the OCSP responder"),
        ),
        ("unknown", 3, true, Some("the responder does not know it")),
    ] {
        let files = device(&gateway, name, serial);
        let outcome = login(&gateway, &files, tls13);
        assert_eq!(
            outcome.success(),
            says.is_none(),
            "row {name}:\n{}",
            outcome.output
        );
        if let Some(says) = says {
            assert!(
                !outcome.says("ACKing protected success indication"),
                "row {name}"
            );
            refused += 1;
            let last = refusals(&gateway, refused).pop().unwrap();
            assert!(last.contains(says), "row {name}: {last}");
            // What is known by now is refused in the handshake.
            refused += 1;
            let again = login(&gateway, &files, tls13);
            assert!(!again.success(), "row {name}, again");
        }
    }
    let status = gateway.command(&["status"]);
    let status = String::from_utf8_lossy(&status.stdout).into_owned();
    assert!(
        status.contains("OCSP: 5 asked, 5 answered, 0 failed"),
        "{status}"
    );
}

#[test]
fn hard_mode_refuses_when_the_responder_is_old_dead_slow_or_lies_rfc6960_3_2() {
    let port = ports::tcp();
    let gateway = asking("hard", port, "responder_deadline = \"1s\"");
    let mut responder = Responder::at(port);
    let mut rows = 0;
    let mut refused = |gateway: &Gateway, name, serial, says: &str| {
        let files = device(gateway, name, serial);
        let began = Instant::now();
        let outcome = login(gateway, &files, true);
        assert!(!outcome.success(), "row {name}:\n{}", outcome.output);
        assert!(
            began.elapsed() < Duration::from_secs(12),
            "row {name}: waited too long"
        );
        rows += 1;
        let last = refusals(gateway, rows).pop().unwrap();
        assert!(last.contains(says), "row {name}: {last}");
    };
    responder.start(&gateway, &[(1, 'V')], Some("-1d"));
    refused(&gateway, "old", 1, "it is out of date");
    responder.start(&gateway, &[(2, 'V')], Some("+1d"));
    refused(&gateway, "early", 2, "it is of the future");
    responder.stop();
    refused(&gateway, "dead", 3, "cannot connect");
    // Another responder in its place.
    let shelf = Shelf::open(b"");
    let address = format!("responder = \"http://127.0.0.1:{port}\"");
    let moved = format!("responder = \"{}\"", shelf.address());
    gateway.conf().replace("gateway.toml", &address, &moved);
    assert!(gateway.reload().contains("is in force"));
    refused(&gateway, "slow", 4, "no whole answer within 1000 ms");
    shelf.put(b"garbage");
    refused(
        &gateway,
        "garbage",
        5,
        "its answer does not count: it cannot be read",
    );
    shelf.put(&[b'x'; 100_000]);
    refused(
        &gateway,
        "bomb",
        6,
        "the answer is larger than 65536 octets",
    );
}

/// One failure kept its device out for half a minute, though the responder was well again.
#[test]
fn hard_mode_asks_again_at_the_next_try_after_a_failure() {
    let port = ports::tcp();
    let gateway = asking("hard", port, "responder_deadline = \"1s\"");
    let files = device(&gateway, "patient", 1);
    let outcome = login(&gateway, &files, true);
    assert!(!outcome.success(), "{}", outcome.output);
    let mut responder = Responder::at(port);
    responder.start(&gateway, &[(1, 'V')], None);
    let well = Instant::now();
    until("the device is let in", || {
        login(&gateway, &files, true).success().then_some(())
    });
    assert!(well.elapsed() < Duration::from_secs(15), "{well:?}");
}

#[test]
fn an_answer_that_somebody_else_has_signed_lets_nobody_in_rfc6960_3_2() {
    let port = ports::tcp();
    let gateway = asking("hard", port, "");
    let foreign = Gateway::start(|_| {});
    // The responder signs with another root's key, and says that it is the issuer.
    let mut responder = Responder::at(port);
    let files = device(&gateway, "forged", 1);
    fs::copy(
        foreign.path("certs/keys/root.key"),
        gateway.path("other.key"),
    )
    .unwrap();
    fs::copy(foreign.path("certs/root.pem"), gateway.path("other.pem")).unwrap();
    fs::write(
        gateway.path("index.txt"),
        "V\t400101000000Z\t\t01\tunknown\t/CN=device\n",
    )
    .unwrap();
    responder.child = Some(
        Command::new("openssl")
            .process_group(0)
            .args(["ocsp", "-port", &port.to_string(), "-nmin", "60"])
            .arg("-index")
            .arg(gateway.path("index.txt"))
            .arg("-CA")
            .arg(gateway.path("certs/root.pem"))
            .arg("-rsigner")
            .arg(gateway.path("other.pem"))
            .arg("-rkey")
            .arg(gateway.path("other.key"))
            .stdout(Stdio::null())
            .stderr(fs::File::create(gateway.path("responder.log")).unwrap())
            .spawn()
            .unwrap(),
    );
    Responder::wait(&gateway);
    assert!(!login(&gateway, &files, true).success());
    let last = refusals(&gateway, 1).pop().unwrap();
    assert!(
        last.contains("its signature is neither the issuer's"),
        "{last}"
    );
}

#[test]
fn soft_mode_lets_in_at_once_and_cuts_when_the_answer_is_revoked_rfc5176() {
    let port = ports::tcp();
    let nas = UdpSocket::bind("127.0.0.1:0").unwrap();
    nas.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let dynamic = nas.local_addr().unwrap().port();
    let gateway = Gateway::start(|conf| {
        section(
            conf,
            &format!("ocsp = \"soft\"\nresponder = \"http://127.0.0.1:{port}\""),
        );
        conf.replace(
            "nas.toml",
            "accounting = true",
            &format!(
                "accounting = true\ndynamic_authorization = true\n\
                 dynamic_authorization_port = {dynamic}"
            ),
        );
    });
    let files = device(&gateway, "alice-revoked", 2);
    // Nobody answers: it gets in, and is not asked about again for half a minute.
    let dead = device(&gateway, "alice-unasked", 3);
    assert!(login(&gateway, &dead, true).success());
    let mut responder = Responder::at(port);
    responder.start(&gateway, &[(2, 'R')], None);
    let outcome = login(&gateway, &files, true);
    assert!(outcome.success(), "{}", outcome.output);
    let mut octets = [0; 4096];
    let (count, _) = nas.recv_from(&mut octets).expect("a Disconnect-Request");
    assert_eq!((octets[0], count > 20), (40, true), "Disconnect-Request");
    let again = login(&gateway, &files, true);
    assert!(!again.success(), "{}", again.output);
    assert!(again.says("fatal:certificate revoked"), "{}", again.output);
    until("the journal says why it was put out", || {
        gateway
            .journal()
            .contains("CertificateRevoked")
            .then_some(())
    });
}

#[test]
fn the_responder_that_a_certificate_names_is_asked_rfc5280_4_2_2_1() {
    let port = ports::tcp();
    let gateway = Gateway::start(|conf| section(conf, "ocsp = \"hard\""));
    let mut responder = Responder::at(port);
    responder.start(&gateway, &[(1, 'V')], None);
    let named = issue(
        &gateway,
        &Wanted {
            name: "named",
            serial: 1,
            responder: Some(format!("http://127.0.0.1:{port}")),
            ..Wanted::default()
        },
    );
    assert!(login(&gateway, &named, true).success());
    let unnamed = device(&gateway, "unnamed", 9);
    assert!(!login(&gateway, &unnamed, true).success());
    let last = refusals(&gateway, 1).pop().unwrap();
    assert!(last.contains("names no OCSP responder"), "{last}");
}

#[test]
fn a_list_is_fetched_kept_and_survives_a_dead_server_and_a_restart_rfc5280_5() {
    let shelf = Shelf::open(b"not yet");
    let gateway = Gateway::start(|conf| {
        section(
            conf,
            &format!("lists = [\"{}\"]\nrefresh = \"10s\"", shelf.address()),
        );
    });
    let good = device(&gateway, "good", 1);
    let stolen = device(&gateway, "stolen", 2);
    assert!(login(&gateway, &stolen, true).success(), "no list yet");
    let status = |gateway: &Gateway| {
        let status = gateway.command(&["status"]);
        String::from_utf8_lossy(&status.stdout).into_owned()
    };
    assert!(
        status(&gateway).contains("it is no X.509 revocation list"),
        "{}",
        status(&gateway)
    );
    shelf.put(&list(&gateway, &[2], 1));
    assert!(gateway.reload().contains("is in force"));
    until("the list is here", || {
        status(&gateway)
            .contains("1 entries, good until")
            .then_some(())
    });
    for tls13 in [false, true] {
        let refused = login(&gateway, &stolen, tls13);
        assert!(
            refused.says("fatal:certificate revoked"),
            "{}",
            refused.output
        );
        assert!(login(&gateway, &good, tls13).success());
    }
    let last = refusals(&gateway, 1).pop().unwrap();
    let by = format!("in {}", shelf.address());
    assert!(
        last.contains("the certificate is revoked, by the list of"),
        "{last}"
    );
    assert!(last.contains(&by), "{last}");
    let sent = shelf.counts().0;
    assert!(gateway.reload().contains("is in force"));
    until("the server is asked again", || {
        (shelf.counts().1 > 0).then_some(())
    });
    assert_eq!(shelf.counts().0, sent, "the list did not come twice");
    // A list of somebody else, and garbage, change nothing.
    let foreign = Gateway::start(|_| {});
    shelf.put(&list(&foreign, &[], 9));
    assert!(gateway.reload().contains("is in force"));
    until("the forged list is refused", || {
        status(&gateway)
            .contains("who has not signed it")
            .then_some(())
    });
    assert!(!login(&gateway, &stolen, true).success());
    shelf.dies();
    let (_, folder) = gateway.stop();
    let gateway = Gateway::again(folder);
    assert!(!login(&gateway, &stolen, true).success(), "after a restart");
    assert!(login(&gateway, &good, true).success());
}

#[test]
fn lists_that_certificates_name_are_fetched_where_that_is_set_rfc5280_4_2_1_13() {
    let shelf = Shelf::open(b"");
    let gateway = Gateway::start(|conf| section(conf, "follow_points = true"));
    shelf.put(&list(&gateway, &[2], 1));
    let wanted = |name, serial| Wanted {
        name,
        serial,
        point: Some(shelf.address()),
        ..Wanted::default()
    };
    // The first one shows where the list is.
    let first = issue(&gateway, &wanted("first", 1));
    assert!(login(&gateway, &first, true).success());
    until("the list is here", || (shelf.counts().0 > 0).then_some(()));
    let stolen = issue(&gateway, &wanted("stolen", 2));
    until("the list counts", || {
        (!login(&gateway, &stolen, true).success()).then_some(())
    });
}
