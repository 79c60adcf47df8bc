//! The mail plane: curl as the phone, nginx as the mail server.

use std::process::Command;

use crate::gateway::Gateway;
use crate::gateway::until;
use crate::nginx::Nginx;

/// alice's compliant phone, bob's phone that is not compliant, and one in quarantine.
fn world() -> (Nginx, Gateway) {
    let nginx = Nginx::start();
    let gateway = Gateway::start(|conf| {
        conf.replace(
            "gateway.toml",
            "http://127.0.0.1:18080",
            &format!("http://127.0.0.1:{}", nginx.port),
        );
        for (number, name, owner, compliance, eas_activated) in [
            (
                "0000000000b1",
                "bob-phone",
                "bob@example.com",
                "noncompliant",
                "yes",
            ),
            (
                "0000000000b2",
                "bob-tablet",
                "bob@example.com",
                "compliant",
                "no",
            ),
        ] {
            conf.append(
                "devices.csv",
                &format!(
                    "5d1c8a40-6f2e-4b7a-9c31-{number},{name},{owner},ios,18.1,,,{},yes,yes,{compliance},\
                     yes,no,yes,{eas_activated},registered,company,managed\n",
                    name.replace('-', ""),
                ),
            );
        }
    });
    (nginx, gateway)
}

/// What curl got: status, reason header, body.
pub(crate) struct Got {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

pub(crate) fn curl(gateway: &Gateway, user: &str, target: &str, more: &[&str]) -> Got {
    let port = gateway.mail.unwrap().port();
    let output = Command::new("curl")
        .args(["-sS", "-i", "--http1.1", "--path-as-is", "--max-time", "10"])
        .args(["--cacert", gateway.path("certs/root.pem").to_str().unwrap()])
        .args([
            "--resolve",
            &format!("mail.portreeve.test:{port}:127.0.0.1"),
        ])
        .args(["-u", user, "-A", "Apple-iPhone15C2/2201.1"])
        .args(more)
        .arg(format!("https://mail.portreeve.test:{port}{target}"))
        .output()
        .expect("curl is installed by tests/run");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
    let status = head
        .split_whitespace()
        .nth(1)
        .and_then(|status| status.parse().ok());
    let error = String::from_utf8_lossy(&output.stderr);
    Got {
        status: status.unwrap_or_else(|| panic!("no answer: {error}\n{text}")),
        head: head.to_owned(),
        body: body.to_owned(),
    }
}

pub(crate) const POST: &[&str] = &["--data-binary", "x", "-H", "MS-ASProtocolVersion: 14.1"];

pub(crate) fn plain(user: &str, device: &str) -> String {
    format!(
        "/Microsoft-Server-ActiveSync?Cmd=FolderSync&User={user}&DeviceId={device}&DeviceType=iPhone"
    )
}

#[test]
fn every_verdict_in_both_query_forms() {
    let (nginx, gateway) = world();
    for (name, user, password, device, status, reason) in [
        (
            "compliant",
            "alice@example.com",
            "alice-mail",
            "ApplSAMPLE0001",
            200,
            "",
        ),
        (
            "not compliant",
            "bob@example.com",
            "bob-mail",
            "bobphone",
            403,
            "53000",
        ),
        (
            "quarantine",
            "bob@example.com",
            "bob-mail",
            "bobtablet",
            200,
            "54013",
        ),
        (
            "unknown",
            "alice@example.com",
            "alice-mail",
            "unknown0001",
            200,
            "54003",
        ),
        (
            "somebody else's",
            "bob@example.com",
            "bob-mail",
            "ApplSAMPLE0001",
            403,
            "54016",
        ),
    ] {
        let credentials = format!("{user}:{password}");
        let before = nginx.requests().len();
        let got = curl(&gateway, &credentials, &plain(user, device), POST);
        assert_eq!(
            got.status, status,
            "plain, row {name}: {}\n{}",
            got.head, got.body
        );
        assert!(got.head.contains(reason), "plain, row {name}: {}", got.head);

        let query = gateway_base64(device);
        let got = curl(
            &gateway,
            &credentials,
            &format!("/Microsoft-Server-ActiveSync?{query}"),
            &["--data-binary", "x"],
        );
        assert_eq!(
            got.status, status,
            "base64, row {name}: {}\n{}",
            got.head, got.body
        );
        let reached: Vec<String> = nginx.requests().into_iter().skip(before).collect();
        let posts = reached
            .iter()
            .filter(|line| line.starts_with("POST"))
            .count();
        assert_eq!(
            posts,
            if reason.is_empty() { 2 } else { 0 },
            "row {name}: {reached:?}"
        );
    }
}

#[test]
fn a_wrong_password_is_refused_by_the_mail_server_and_nothing_is_said_of_the_device() {
    let (nginx, gateway) = world();
    let target = plain("alice@example.com", "unknown0001");
    let got = curl(&gateway, "alice@example.com:wrong", &target, POST);
    assert_eq!(got.status, 401, "{}", got.head);
    assert!(
        !got.head.to_lowercase().contains("x-portreeve-reason: 5"),
        "{}",
        got.head
    );
    assert!(
        nginx
            .requests()
            .iter()
            .all(|line| line.starts_with("OPTIONS")),
        "{:?}",
        nginx.requests()
    );
}

#[test]
fn the_request_is_written_anew_for_the_mail_server() {
    let (nginx, gateway) = world();
    let more = [
        POST,
        &[
            "-H",
            "X-Evil: 1",
            "-H",
            "X-Forwarded-For: 6.6.6.6",
            "-H",
            "Connection: X-Evil",
        ],
    ]
    .concat();
    // DeviceId in another case and percent-encoded: the same device, forwarded in one spelling.
    let target = "/Microsoft-Server-ActiveSync?Cmd=FolderSync&User=alice%40example.com\
                  &DeviceId=%41pplSAMPLE0001&DeviceType=iPhone";
    let got = curl(&gateway, "alice@example.com:alice-mail", target, &more);
    assert_eq!(got.status, 200, "{}\n{}", got.head, got.body);
    assert_eq!(got.body, "answered by the mail server");
    let line = until("the request is logged", || {
        nginx
            .requests()
            .into_iter()
            .find(|line| line.starts_with("POST"))
    });
    assert!(line.contains("evil=- "), "{line}");
    assert!(line.contains("xff=127.0.0.1 "), "{line}");
    assert!(!line.contains("%41"), "{line}");
}

#[test]
fn other_paths_and_spellings_do_not_reach_the_mail_server() {
    let (nginx, gateway) = world();
    for (target, status) in [
        ("/owa/", 404),
        ("/ews/exchange.asmx", 404),
        ("/autodiscover/autodiscover.json?@evil", 404),
        ("/Microsoft-Server-ActiveSync/../owa/", 404),
        ("//Microsoft-Server-ActiveSync", 404),
        ("/Microsoft-Server-ActiveSync;x=y", 404),
        ("/Microsoft-Server-ActiveSync/", 404),
        (
            "/Microsoft-Server-ActiveSync?Cmd=Sync&User=a&DeviceId=a&DeviceId=b&DeviceType=c",
            400,
        ),
    ] {
        let got = curl(&gateway, "alice@example.com:alice-mail", target, POST);
        assert_eq!(got.status, status, "row {target}: {}", got.head);
    }
    let reached = nginx.requests();
    assert!(
        reached.iter().all(|line| line.starts_with("OPTIONS")),
        "{reached:?}"
    );
}

/// What the mail server says of a request that is let through is for the client, octet for octet.
#[test]
fn statuses_waits_and_packed_bodies_of_the_mail_server_pass_unharmed() {
    let (nginx, gateway) = world();
    let user = "alice@example.com";
    let credentials = format!("{user}:alice-mail");
    // SmartReply, because the gateway reads the body of no such command.
    let target = |act: &str| {
        format!(
            "/Microsoft-Server-ActiveSync?Cmd=SmartReply&User={user}&DeviceId=ApplSAMPLE0001\
             &DeviceType=iPhone&ItemId={act}"
        )
    };
    for (act, status, body, lines) in [
        ("x", 200, "answered by the mail server", &[][..]),
        (
            "s401",
            401,
            "sign in",
            &["www-authenticate: basic realm=\"mail\", charset=\"utf-8\""],
        ),
        ("s449", 449, "provision", &[]),
        (
            "s503",
            503,
            "later",
            &["retry-after: 77", "x-ms-asthrottle: commandfrequency"],
        ),
        ("s507", 507, "full", &[]),
    ] {
        let got = curl(&gateway, &credentials, &target(act), POST);
        assert_eq!(got.status, status, "row {act}: {}", got.head);
        assert_eq!(got.body, body, "row {act}");
        let head = got.head.to_lowercase();
        for line in lines {
            assert!(head.contains(line), "row {act}: {head}");
        }
        assert_eq!(
            head.matches("www-authenticate").count(),
            usize::from(status == 401),
            "{head}"
        );
        assert!(!head.contains("x-portreeve"), "row {act}: {head}");
    }
    let before = nginx.requests().len();
    let packed = [POST, &["-H", "Accept-Encoding: gzip", "--compressed"]].concat();
    // Until it is on record that the server serves the client, which the body of an answer tells.
    assert_eq!(curl(&gateway, &credentials, &target("sent"), POST).body, "");
    let got = until("an answer comes as the client wants it", || {
        let got = curl(&gateway, &credentials, &target("x"), &packed);
        let head = got.head.to_lowercase();
        head.contains("content-encoding: gzip").then_some(got)
    });
    assert_eq!(got.body, "answered by the mail server");
    assert!(nginx.requests().len() > before);
}

#[test]
fn the_probe_command_asks_the_same() {
    let (_nginx, gateway) = world();
    let server = gateway.mail.unwrap().to_string();
    let password = gateway.path("password");
    std::fs::write(&password, "alice-mail\n").unwrap();
    let password = password.to_str().unwrap();
    for (device, base64, code, says) in [
        ("ApplSAMPLE0001", false, 0, "HTTP 200"),
        ("ApplSAMPLE0001", true, 0, "HTTP 200"),
        (
            "unknown0001",
            false,
            0,
            "octets, from the mailbox of the gateway's quarantine: 54003",
        ),
    ] {
        let mut arguments = vec!["probe", "eas", "alice@example.com", device];
        arguments.extend(["--server", &server, "--password-file", password]);
        if base64 {
            arguments.push("--base64");
        }
        let output = gateway.command(&arguments);
        assert_eq!(
            output.status.code(),
            Some(code),
            "row {device} {base64}: {output:?}"
        );
        assert!(
            String::from_utf8_lossy(&output.stdout).contains(says),
            "{output:?}"
        );
    }
}

/// `explain` knew only devices of the inventory, not the one whose user is on the phone.
#[test]
fn an_unknown_device_id_is_explained_by_its_decisions() {
    let (_nginx, gateway) = world();
    // The second looks like the number of a decision.
    for device in ["unknown0001", "0123456789abcdef"] {
        for user in ["alice", "bob"] {
            let name = format!("{user}@example.com");
            let target = plain(&name, device);
            let got = curl(&gateway, &format!("{name}:{user}-mail"), &target, POST);
            // Quarantine: a mailbox of its own, and the reason.
            assert_eq!(got.status, 200, "row {device} {user}: {}", got.head);
            assert!(
                got.head.contains("x-portreeve-reason: 54003"),
                "{}",
                got.head
            );
        }
        let shouted = device.to_uppercase();
        let text = until("both decisions are kept", || {
            let explained = gateway.command(&["explain", &shouted]);
            let text = String::from_utf8_lossy(&explained.stdout).into_owned();
            text.contains("earlier with this DeviceId: ")
                .then_some(text)
        });
        assert!(text.starts_with("decision "), "{text}");
        assert!(
            text.contains("user alice@example.com: quarantine (54003"),
            "{text}"
        );
    }
    let explained = gateway.command(&["explain", "neverseen"]);
    assert_ne!(explained.status.code(), Some(0), "{explained:?}");
}

/// A client certificate made any DeviceId pass as the device that it proves, and taught it.
#[test]
fn a_certificate_lends_its_proof_to_no_other_device() {
    let (nginx, gateway) = world();
    let (chain, key) = (
        gateway.path("certs/devices/bob-laptop.pem"),
        gateway.path("certs/keys/devices/bob-laptop.key"),
    );
    let presenting = [
        POST,
        &[
            "--cert",
            chain.to_str().unwrap(),
            "--key",
            key.to_str().unwrap(),
        ],
    ]
    .concat();
    for (device, reason) in [("ApplSAMPLE0001", "54016"), ("bobtablet", "54015")] {
        for more in [&presenting[..], POST] {
            let got = curl(
                &gateway,
                "bob@example.com:bob-mail",
                &plain("bob@example.com", device),
                more,
            );
            // Without the certificate the tablet is judged as itself.
            let judged_alone = more.len() == POST.len() && device == "bobtablet";
            let expected = if judged_alone { "54013" } else { reason };
            assert!(got.head.contains(expected), "row {device}: {}", got.head);
        }
    }
    let reached = nginx.requests();
    assert!(
        reached.iter().all(|line| line.starts_with("OPTIONS")),
        "{reached:?}"
    );
}

/// A base64 query for FolderSync by an iPhone, version 14.1, without User.
fn gateway_base64(device: &str) -> String {
    use base64::Engine;
    let mut octets = vec![141, 9, 9, 4, u8::try_from(device.len()).unwrap()];
    octets.extend_from_slice(device.as_bytes());
    octets.extend_from_slice(&[0, 6]);
    octets.extend_from_slice(b"iPhone");
    base64::engine::general_purpose::STANDARD.encode(octets)
}
