//! The real program: first start, commands, reload, drain. Nothing here but loopback.
#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "tests: a failure ends them, and real programs live in real time"
)]

#[path = "../support/gateway.rs"]
mod gateway;

use std::fs;
use std::io::Read;
use std::io::Write;
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::process::Output;

use gateway::Conf;
use gateway::Gateway;
use gateway::program;
use nix::sys::signal::Signal;

#[test]
fn the_first_start_makes_what_is_missing_and_says_what_to_try() {
    let gateway = Gateway::start(|_| {});
    assert!(
        gateway
            .banner
            .contains("6 devices, 6 users, 7 policies are loaded.")
    );
    let commands =
        gateway.banner.matches(" probe ").count() + gateway.banner.matches(" status").count();
    assert_eq!(commands, 3, "{}", gateway.banner);
    for private in [
        "certs/keys/root.key",
        "certs/secrets/nas-local",
        "var/control.sock",
    ] {
        let mode = fs::metadata(gateway.path(private))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600, "mode of {private}");
    }
    assert_eq!(
        gateway.log().matches(" WARN ").count(),
        0,
        "{}",
        gateway.log()
    );
}

#[test]
fn sigterm_ends_it_with_exit_code_0() {
    let gateway = Gateway::start(|_| {});
    let socket = gateway.path("var/control.sock");
    assert!(socket.exists());
    let (status, folder) = gateway.stop();
    assert!(status.success(), "{status}");
    assert!(
        !socket.exists(),
        "the control socket is left behind in {folder:?}"
    );
}

#[test]
fn a_broken_configuration_keeps_the_running_one_and_says_why() {
    let gateway = Gateway::start(|_| {});
    let conf = gateway.conf();
    let good = conf.read("policy.toml");
    conf.write(
        "policy.toml",
        &good.replace("unknown_device ", "unknown_devise "),
    );
    conf.replace(
        "nas.toml",
        "message_authenticator = \"require\"",
        "message_authenticator = \"maybe\"",
    );
    let log = gateway.reload();
    assert!(log.contains("stays in force"), "{log}");
    assert!(log.contains("nas.toml") && log.contains("maybe"), "{log}");

    conf.replace("nas.toml", "\"maybe\"", "\"require\"");
    let log = gateway.reload();
    assert!(
        log.contains("unknown_devise"),
        "the misspelt key is not named:\n{log}"
    );
    assert!(says(
        &probe(&gateway),
        "alice@example.com by EAP-TLS in TLS 1.3: Access-Accept"
    ));

    let strict = good.replace(
        "no_credential          = \"quarantine\"",
        "no_credential = \"block\"",
    );
    conf.write("policy.toml", &strict);
    assert!(gateway.reload().contains("is in force"));
    let answer = command(&gateway, &["probe", "mab", "00:00:5e:00:53:01"]);
    assert!(says(&answer, "Access-Reject"), "{answer:?}");
    assert_eq!(answer.status.code(), Some(1), "no is exit code 1");
}

#[test]
fn another_address_with_the_sample_pki_is_an_error_of_check() {
    let folder = tempfile::tempdir().unwrap();
    let conf = Conf::sample(folder.path());
    let made = program(folder.path())
        .args(["certs", "make"])
        .output()
        .unwrap();
    assert!(made.status.success(), "{made:?}");
    let check = || program(folder.path()).arg("check").output().unwrap();
    assert_eq!(check().status.code(), Some(0), "{:?}", check());
    conf.replace(
        "gateway.toml",
        "authentication = [\"127.0.0.1:0\"",
        "authentication = [\"0.0.0.0:0\"",
    );
    let refused = check();
    assert_eq!(refused.status.code(), Some(1), "{refused:?}");
    assert!(says(&refused, "sample"), "{refused:?}");
    let start = program(folder.path()).output().unwrap();
    assert_eq!(
        start.status.code(),
        Some(2),
        "it must not start:\n{start:?}"
    );
}

#[test]
fn weak_secrets_are_errors_of_check_and_all_problems_come_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let conf = Conf::sample(folder.path());
    for (name, address, secret) in [
        ("a", "10.0.0.1", "testing123"),
        ("b", "10.0.0.2", "0123456789abcde"),
    ] {
        let entry = format!(
            "\n[[nas]]\nname = \"{name}\"\nnetwork = \"{address}\"\nsecret = \"{secret}\"\n"
        );
        conf.append("nas.toml", &entry);
    }
    conf.replace("gateway.toml", "tickets = 1", "tikets = 1");
    let check = program(folder.path())
        .args(["check", "--json"])
        .output()
        .unwrap();
    assert_eq!(check.status.code(), Some(1));
    let report: serde_json::Value = serde_json::from_slice(&check.stdout).unwrap();
    let text = report.to_string();
    for expected in ["well-known default", "15 octets", "tikets", "tickets"] {
        assert!(
            text.contains(expected),
            "{expected:?} is not in\n{report:#}"
        );
    }
}

#[test]
fn status_device_and_explain_answer_for_people_and_for_scripts() {
    let gateway = Gateway::start(|_| {});
    assert!(says(&probe(&gateway), "Access-Accept"));
    gateway::until("the decision is kept", || {
        let answer = command(&gateway, &["explain", "alice-desktop"]);
        says(&answer, "allow: 54000 RequirementsMet").then_some(())
    });
    for (arguments, expected) in [
        (&["status"][..], "6 devices, 6 users"),
        (&["device", "00-00-5E-00-53-01"], "alice@example.com"),
        (&["device", "SAMPLE0002"], "bob-laptop"),
        (
            &["device", "5d1c8a40-6f2e-4b7a-9c31-000000000001"],
            "compliant (sample/devices",
        ),
        (
            &["explain", "alice-desktop"],
            "allow: 54000 RequirementsMet",
        ),
    ] {
        let answer = command(&gateway, arguments);
        assert!(says(&answer, expected), "row {arguments:?}:\n{answer:?}");
        let json = command(&gateway, &[arguments, &["--json"]].concat());
        let parsed: Result<serde_json::Value, _> = serde_json::from_slice(&json.stdout);
        assert!(parsed.is_ok(), "row {arguments:?}:\n{json:?}");
    }
    let unknown = command(&gateway, &["device", "nobody"]);
    assert_eq!(unknown.status.code(), Some(1), "{unknown:?}");
    assert!(says(&unknown, "no device is known by that"), "{unknown:?}");
}

#[test]
fn every_decision_is_one_json_line_and_its_number_leads_to_its_trace_r80() {
    let gateway = Gateway::start(|_| {});
    assert!(says(
        &command(&gateway, &["probe", "eap-tls", "--device", "bob-laptop"]),
        "VLAN 20"
    ));
    let line = gateway::until("the record is on disk", || {
        let text = fs::read_to_string(gateway.path("var/journal/decisions0.jsonl")).ok()?;
        text.lines().next().map(str::to_owned)
    });
    let record: serde_json::Value = serde_json::from_str(&line).unwrap();
    for (field, expected) in [
        ("/plane", "network"),
        ("/user", "bob@example.com"),
        ("/verdict", "quarantine"),
        ("/reason", "DeviceNotCompliant"),
        ("/policies/0", "Network for staff"),
        ("/facts/compliance/value", "noncompliant"),
        ("/facts/compliance/source", "sample/devices"),
    ] {
        let value = record.pointer(field).and_then(|value| value.as_str());
        assert_eq!(value, Some(expected), "{field} of {line}");
    }
    assert_eq!(record.pointer("/code").unwrap(), 53000);
    let id = record.pointer("/id").unwrap().as_str().unwrap();
    let trace = command(&gateway, &["explain", id]);
    assert!(says(&trace, "compliant: seen noncompliant"), "{trace:?}");
}

#[test]
fn metrics_and_health_answer_on_loopback() {
    let gateway = Gateway::start(|_| {});
    let get = |path: &str| {
        let mut stream = TcpStream::connect(gateway.metrics).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    };
    assert!(
        get("/metrics").contains("portreeve_devices 6"),
        "{}",
        get("/metrics")
    );
    assert!(
        get("/health").starts_with("HTTP/1.1 200"),
        "{}",
        get("/health")
    );
    assert!(get("/").starts_with("HTTP/1.1 404"), "{}", get("/"));
}

/// Two gateways on one UDP port shared its packets silently, because each loop's socket may share.
#[test]
fn two_gateways_cannot_share_a_port() {
    let gateway = Gateway::start(|_| {});
    let folder = tempfile::tempdir().unwrap();
    let conf = Conf::sample(folder.path());
    let taken = format!("authentication = [\"{}\"", gateway.authentication);
    conf.replace("gateway.toml", "authentication = [\"127.0.0.1:0\"", &taken);
    let second = program(folder.path()).output().unwrap();
    assert_eq!(second.status.code(), Some(2));
    assert!(says(&second, "cannot be listened on"), "{second:?}");
}

/// The system shortens the room for a source address to what it wrote there, and IPv6 sources
/// were cut off once IPv4 packets had come in.
#[test]
fn ipv6_is_answered_after_ipv4() {
    let gateway = Gateway::start(|_| {});
    let port = gateway
        .banner
        .split("[::1]:")
        .nth(1)
        .and_then(|rest| rest.split([',', '\n']).next())
        .unwrap();
    let v6 = format!("[::1]:{port}");
    for round in 0..8 {
        for server in [gateway.authentication.to_string(), v6.clone()] {
            let answer =
                gateway.command(&["probe", "radius", "--timeout", "2", "--server", &server]);
            assert_eq!(
                answer.status.code(),
                Some(0),
                "round {round}, {server}: {answer:?}"
            );
        }
    }
}

#[test]
fn two_gateways_cannot_share_a_folder() {
    let gateway = Gateway::start(|_| {});
    let second = program(gateway.folder()).output().unwrap();
    assert_eq!(second.status.code(), Some(2));
    assert!(says(&second, "another gateway answers"), "{second:?}");
    assert!(
        says(&command(&gateway, &["status"]), "devices"),
        "the first one goes on"
    );
}

#[test]
fn signals_in_a_row_are_all_acted_on() {
    let gateway = Gateway::start(|_| {});
    for _ in 0..3 {
        gateway.signal(Signal::SIGHUP);
    }
    assert!(gateway.reload().contains("is in force"));
    assert!(gateway.stop().0.success());
}

#[test]
fn errors_show_no_backtrace_and_help_reads_well() {
    let folder = tempfile::tempdir().unwrap();
    let run = |arguments: &[&str]| program(folder.path()).args(arguments).output().unwrap();
    let misuse: [&[&str]; 4] = [
        &["status"],
        &["run", "nowhere"],
        &["probe", "mab", "x"],
        &["check", "nowhere"],
    ];
    for arguments in misuse {
        let output = run(arguments);
        assert!(!output.status.success(), "row {arguments:?}");
        for word in ["panicked", "backtrace", "RUST_BACKTRACE"] {
            assert!(!says(&output, word), "row {arguments:?}: {output:?}");
        }
    }
    let help = run(&["--help"]);
    for word in [
        "run", "check", "status", "explain", "device", "probe", "certs",
    ] {
        assert!(says(&help, word), "{word} is not in the help");
    }
}

fn probe(gateway: &Gateway) -> Output {
    command(gateway, &["probe", "eap-tls"])
}

/// A command beside the gateway; probes are told the port that the system chose.
fn command(gateway: &Gateway, arguments: &[&str]) -> Output {
    let server = gateway.authentication.to_string();
    let mut arguments = arguments.to_vec();
    if arguments.first() == Some(&"probe") {
        arguments.extend(["--server", &server]);
    }
    gateway.command(&arguments)
}

fn says(output: &Output, text: &str) -> bool {
    [&output.stdout, &output.stderr]
        .iter()
        .any(|said| String::from_utf8_lossy(said).contains(text))
}
