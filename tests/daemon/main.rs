//! The real program: first start, commands, reload, drain. Nothing here but loopback.
#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "tests: a failure ends them, and real programs live in real time"
)]

mod accounting;
#[path = "../support/gateway.rs"]
mod gateway;
#[path = "../support/nas.rs"]
mod nas;
mod sessions;
mod warm;

use std::fs;
use std::io::BufRead;
use std::io::BufReader;
use std::io::Read;
use std::io::Write;
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::process::Output;

use gateway::Conf;
use gateway::Gateway;
use gateway::program;
use gateway::until;
use nix::sys::signal::Signal;
use nix::sys::signal::kill;
use nix::unistd::Pid;

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
    let gateway = Gateway::start(|conf| {
        let (sample, own) = ("127.0.0.1:18080\"", "127.0.0.1:9\"");
        conf.replace("gateway.toml", sample, own);
    });
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
    // A file that is away for a moment, or cut off, is no order to take the sample's mail server.
    let settings = conf.read("gateway.toml");
    for (written, said) in [
        ("", "is missing or empty"),
        ("# to be written\n", "is missing or empty"),
        ("[log]\nlevel = \"info\"\n", "mail.upstream: is missing"),
        ("[log]\nlevel = \"info\n", "gateway.toml:2"),
        ("[lgo]\n", "lgo"),
    ] {
        conf.write("gateway.toml", written);
        let log = gateway.reload();
        assert!(log.contains("stays in force"), "{written:?}: {log}");
        assert!(log.contains(said), "{written:?}: {log}");
    }
    conf.write("gateway.toml", &settings);
    for name in ["nas.toml", "users.toml"] {
        let written = conf.read(name);
        conf.write(name, "");
        let log = gateway.reload();
        assert!(log.contains("stays in force"), "{name}: {log}");
        assert!(
            log.contains(&format!("{name}: is missing or empty, which")),
            "{log}"
        );
        conf.write(name, &written);
    }
    conf.write("users.toml", "# none any more\n");
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
        ("b", "10.0.0.2", "fifteen octets!"),
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
    // A decision could be explained only some 20 ms after it was answered.
    for _ in 0..5 {
        assert!(says(&probe(&gateway), "Access-Accept"));
        let answer = command(&gateway, &["explain", "alice-desktop"]);
        assert!(says(&answer, "allow: 54000 RequirementsMet"), "{answer:?}");
    }
    for (arguments, expected) in [
        (&["status"][..], "6 devices, 6 users"),
        (&["status"], "mail replies: none"),
        (&["status"], "mail: 0 credential checks, 0 requests ended"),
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
    let line = until("the record is on disk", || {
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
fn decisions_are_searched_while_the_gateway_runs_and_after_it() {
    let gateway = Gateway::start(|_| {});
    let none = command(&gateway, &["decisions"]);
    assert_eq!(none.status.code(), Some(1), "{none:?}");
    for _ in 0..3 {
        let bob = ["probe", "eap-tls", "--device", "bob-laptop"];
        assert!(says(&command(&gateway, &bob), "VLAN 20"));
    }
    assert!(says(&probe(&gateway), "Access-Accept"));
    let line = until("the row is in the history", || {
        let found = command(&gateway, &["decisions", "BOB@example.com"]);
        (found.status.success()).then(|| String::from_utf8_lossy(&found.stdout).into_owned())
    });
    assert_eq!(line.lines().count(), 1, "three alike have one row: {line}");
    assert!(line.contains(" quarantine eap-tls 1.3 of bob@example.com, "));
    assert!(line.contains("DeviceNotCompliant ("), "{line}");
    let (_, folder) = gateway.stop();
    let after = |arguments: &[&str]| {
        let output = program(folder.path()).args(arguments).output();
        output.unwrap()
    };
    for (arguments, rows) in [
        (&["decisions", "--json"][..], 2),
        (&["decisions", "--json", "--outcome", "not-allowed"], 1),
        (&["decisions", "--json", "--outcome", "allow"], 1),
        (&["decisions", "--json", "--nas", "nowhere"], 0),
        (&["decisions", "--json", "--until", "1h"], 0),
        (&["decisions", "--json", "--limit", "1"], 1),
    ] {
        let output = after(arguments);
        let answer: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        let found = answer["decisions"].as_array().unwrap().len();
        assert_eq!(found, rows, "row {arguments:?}: {answer:#}");
        let code = if rows == 0 { 1 } else { 0 };
        assert_eq!(output.status.code(), Some(code), "row {arguments:?}");
    }
    let id = line.split_whitespace().nth(1).unwrap();
    let one = after(&["decisions", id, "--json"]);
    let one: serde_json::Value = serde_json::from_slice(&one.stdout).unwrap();
    assert_eq!(one["decisions"][0]["id"], id);
    assert_eq!(
        one["decisions"][0]["facts"]["compliance"]["value"],
        "noncompliant"
    );
}

#[test]
fn without_a_history_nothing_is_kept_and_the_search_says_so() {
    let gateway = Gateway::start(|conf| conf.replace("gateway.toml", "days = 30", "days = 0"));
    assert!(says(&probe(&gateway), "Access-Accept"));
    let refused = command(&gateway, &["decisions"]);
    assert_eq!(refused.status.code(), Some(2), "{refused:?}");
    assert!(says(&refused, "history.days is 0"), "{refused:?}");
    assert!(!gateway.path("var/history").exists());
}

#[test]
fn release_says_that_nothing_is_held() {
    let gateway = Gateway::start(|_| {});
    let nothing = command(&gateway, &["release"]);
    assert_eq!(nothing.status.code(), Some(1), "{nothing:?}");
    assert!(says(&nothing, "nothing is held"), "{nothing:?}");
}

/// A short list was held back without a word of how to release it, and only a restart did.
#[test]
fn sync_asks_the_sources_now_and_tells_what_came_of_it_r47() {
    let gateway = Gateway::start(|_| {});
    let sample = gateway.conf().read("devices.csv");
    let write = |rows: &str| {
        gateway
            .conf()
            .write("devices.csv", &(sample.clone() + rows))
    };
    let sync = |arguments: &[&str], code: i32| {
        let answer = command(&gateway, &[&["sync"], arguments].concat());
        assert_eq!(
            answer.status.code(),
            Some(code),
            "{arguments:?}: {answer:?}"
        );
        answer
    };
    let told = sync(&[], 0);
    assert!(
        says(&told, "sample/devices: full run went well, 6 entries"),
        "{told:?}"
    );
    assert!(says(&told, "sample/users: full run went well"), "{told:?}");
    sync(&["sample", "--quick"], 0);
    let unknown = sync(&["nowhere"], 2);
    assert!(
        says(&unknown, "no source is named nowhere; there are sample"),
        "{unknown:?}"
    );

    let more = (0..100).map(|n| row(&sample, &format!("0f8fad5b-d9cb-469f-a165-{n:012}")));
    write(&more.collect::<String>());
    sync(&["sample"], 0);
    write("");
    for _ in 0..2 {
        let held = sync(&["sample"], 1);
        assert!(says(&held, "leaves out 100 of 106 devices"), "{held:?}");
        assert!(
            says(&held, "portreeve sync sample --accept-shrink"),
            "{held:?}"
        );
    }
    let status = command(&gateway, &["status"]);
    assert!(
        says(&status, "source sample/devices: degraded since"),
        "{status:?}"
    );
    assert!(
        says(&status, "portreeve sync sample --accept-shrink"),
        "{status:?}"
    );
    let json = command(&gateway, &["status", "--json"]);
    let json: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
    for (field, expected) in [
        ("state", serde_json::Value::from("degraded")),
        ("held", true.into()),
        ("release", "portreeve sync sample --accept-shrink".into()),
        ("entries", 106.into()),
    ] {
        assert_eq!(json["sources"][0][field], expected, "row {field}: {json:#}");
    }
    assert_eq!(json["sources"][0]["full"]["outcome"], "held", "{json:#}");
    assert!(json["sources"][0]["full"]["age"].is_u64(), "{json:#}");
    let page = page(&gateway, "/metrics");
    let held = "source_held{feed=\"sample/devices\"} 1";
    assert!(page.contains(held), "{page}");

    let accepted = sync(&["sample", "--accept-shrink", "--json"], 0);
    let accepted: serde_json::Value = serde_json::from_slice(&accepted.stdout).unwrap();
    assert_eq!(accepted["well"], true, "{accepted:#}");
    assert_eq!(accepted["feeds"][0]["entries"], 6, "{accepted:#}");
    assert_eq!(count(&gateway, "held until the command accepts it"), 1);
    assert_eq!(count(&gateway, "goes well again"), 1);
}

/// Each repetition of a failure was a line of the log, and each bad row was one with every load.
#[test]
fn the_log_tells_a_trouble_once_and_its_end_once() {
    let gateway = Gateway::start(|_| {});
    let sample = gateway.conf().read("devices.csv");
    let load = |text: &str, code: i32| {
        gateway.conf().write("devices.csv", text);
        for _ in 0..3 {
            let answer = command(&gateway, &["sync", "sample"]);
            assert_eq!(answer.status.code(), Some(code), "{answer:?}");
        }
    };
    load(&format!("{sample}{}", row(&sample, "nonsense")), 0);
    assert_eq!(count(&gateway, "rows with mistakes are not used"), 1);
    let status = command(&gateway, &["status"]);
    assert!(
        says(&status, "6 entries, 1 row with a mistake"),
        "{status:?}"
    );
    load("", 1);
    assert_eq!(count(&gateway, " not synced"), 1, "{}", gateway.log());
    load(&sample, 0);
    assert_eq!(count(&gateway, "goes well again"), 1);
    assert_eq!(count(&gateway, "no row has a mistake any more"), 1);
}

#[test]
fn metrics_tell_how_each_source_does_r57() {
    let gateway = Gateway::start(|_| {});
    let page = page(&gateway, "/metrics");
    for sample in [
        "source_state{feed=\"sample/devices\",state=\"connected\"} 1",
        "source_state{feed=\"sample/devices\",state=\"degraded\"} 0",
        "source_full_age_seconds{feed=\"sample/devices\"} ",
        "source_entries{feed=\"sample/users\"} 6",
        "source_bad_rows{feed=\"sample/devices\"} 0",
        "source_held{feed=\"sample/devices\"} 0",
        "source_runs_total{feed=\"sample/devices\"} ",
        "source_failed_runs_total{feed=\"sample/devices\"} 0",
        "source_rows_total{feed=\"sample/devices\"} 6",
        "source_retries_total{feed=\"sample/devices\"} 0",
        "source_throttled_total{feed=\"sample/devices\"} 0",
    ] {
        assert!(
            page.contains(&format!("\nportreeve_{sample}")),
            "{sample}:\n{page}"
        );
    }
}

#[test]
fn metrics_and_health_answer_on_loopback() {
    let gateway = Gateway::start(|_| {});
    let get = |path: &str| page(&gateway, path);
    for line in [
        "portreeve_devices 6",
        "portreeve_eap_evicted_total 0",
        "portreeve_jobs_lost_total 0",
        "portreeve_handed_over_total 0",
        "portreeve_mail_replies_total{outcome=\"throttled\"} 0",
        "portreeve_mail_credential_checks_total 0",
        "portreeve_mail_ended_by_change_total 0",
        "portreeve_mail_answers_stalled_total 0",
        "portreeve_mail_upstream_up 1",
    ] {
        let metrics = get("/metrics");
        assert!(metrics.contains(line), "{line} is not in\n{metrics}");
    }
    assert!(
        get("/health").starts_with("HTTP/1.1 200"),
        "{}",
        get("/health")
    );
    assert!(get("/").starts_with("HTTP/1.1 404"), "{}", get("/"));
}

#[test]
fn what_only_a_restart_takes_over_is_said_as_long_as_it_waits() {
    let gateway = Gateway::start(|_| {});
    let conf = gateway.conf();
    let (now, then) = ("level = \"info\"", "level = \"warn\"");
    let waits = |expected: bool| {
        let log = gateway.reload();
        let said = log.contains("only a restart takes over: log");
        assert_eq!(said, expected, "{log}");
    };
    conf.replace("gateway.toml", now, then);
    waits(true);
    waits(true);
    conf.replace("gateway.toml", then, now);
    waits(false);
    for (now, then, said) in [
        ("grace = \"10s\"", "grace = \"9s\"", "shutdown"),
        (
            "\nfolder = \"var\"",
            "\nfolder = \"var2\"",
            "data, shutdown",
        ),
    ] {
        conf.replace("gateway.toml", now, then);
        let log = gateway.reload();
        let said = format!("only a restart takes over: {said}");
        assert!(log.contains(&said), "{said}: {log}");
    }
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

/// Two gateways on one UDP port shared its packets silently, because each loop's socket may share.
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
fn two_gateways_cannot_write_the_same_records() {
    // They wrote over each other's lines, and saved over each other's devices.
    let gateway = Gateway::start(|_| {});
    for (key, theirs) in [
        ("folder = \"var/journal\"", "var/journal"),
        ("folder = \"var\"", "var"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let conf = Conf::sample(folder.path());
        let theirs = format!("folder = {:?}", gateway.path(theirs));
        conf.replace("gateway.toml", key, &theirs);
        let second = program(folder.path()).output().unwrap();
        assert_eq!(second.status.code(), Some(2), "row {key}: {second:?}");
        assert!(says_error(&second, "another gateway writes to this folder"));
    }
}

#[test]
fn what_is_no_socket_is_not_removed_for_one() {
    // A file that data.control_socket named was deleted.
    let folder = tempfile::tempdir().unwrap();
    let conf = Conf::sample(folder.path());
    conf.replace("gateway.toml", "var/control.sock", "conf/users.csv");
    let start = program(folder.path()).output().unwrap();
    assert!(!start.status.success());
    assert!(says_error(&start, "data.control_socket"), "{start:?}");
    assert!(folder.path().join("conf/users.csv").exists());
}

#[test]
fn a_group_that_nobody_is_in_is_told_of() {
    // A group that was misspelt on its right side opened the door without a word.
    let gateway = Gateway::start(|conf| {
        conf.replace("policy.toml", "= \"staff\"\n", "= \"stuff\"\n");
    });
    for said in [
        gateway.log(),
        String::from_utf8_lossy(&command(&gateway, &["status"]).stdout).into_owned(),
        String::from_utf8_lossy(&command(&gateway, &["check"]).stdout).into_owned(),
    ] {
        assert!(
            said.contains("groups.staff: no source knows anybody"),
            "{said}"
        );
    }
}

#[test]
fn a_probe_that_is_told_everything_needs_no_configuration() {
    let gateway = Gateway::start(|_| {});
    let secret = gateway.path("secret");
    fs::write(&secret, gateway.secret()).unwrap();
    let elsewhere = tempfile::tempdir().unwrap();
    let probe = |server: &str| {
        let arguments = ["probe", "radius", "--server", server, "--secret-file"];
        program(elsewhere.path())
            .args(arguments)
            .arg(&secret)
            .output()
            .unwrap()
    };
    let port = gateway.authentication.port();
    assert!(says(&probe(&format!("127.0.0.1:{port}")), "alive"));
    // A server that listens everywhere is asked where it can be reached.
    assert!(says(&probe(&format!("0.0.0.0:{port}")), "alive"));
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

/// It ended the process: the signal was not listened for before the doors were open.
#[test]
fn a_signal_to_reload_during_the_start_is_acted_on_after_it() {
    let folder = tempfile::tempdir().unwrap();
    Conf::sample(folder.path());
    let mut child = program(folder.path())
        .stdout(std::process::Stdio::piped())
        .stderr(fs::File::create(folder.path().join("log")).unwrap())
        .spawn()
        .unwrap();
    // The first line tells of what the first start makes; the doors are not open yet.
    let mut lines = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    lines.read_line(&mut line).unwrap();
    let id = i32::try_from(child.id()).unwrap();
    kill(Pid::from_raw(id), Signal::SIGHUP).unwrap();
    let log = || fs::read_to_string(folder.path().join("log")).unwrap();
    until("the reload", || log().contains("is in force").then_some(()));
    kill(Pid::from_raw(id), Signal::SIGTERM).unwrap();
    assert!(child.wait().unwrap().success(), "{}", log());
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
        "run",
        "check",
        "status",
        "sync",
        "explain",
        "decisions",
        "device",
        "probe",
        "certs",
    ] {
        assert!(says(&help, word), "{word} is not in the help");
    }
}

/// A page of the metrics door, with its head.
fn page(gateway: &Gateway, path: &str) -> String {
    let mut stream = TcpStream::connect(gateway.metrics).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

/// A row of the sample's device file with nothing but its first field.
fn row(sample: &str, first: &str) -> String {
    let columns = sample.lines().find(|line| line.starts_with("device_id,"));
    let columns = columns.unwrap();
    format!("{first}{}\n", ",".repeat(columns.matches(',').count()))
}

/// How often the log says `what`.
fn count(gateway: &Gateway, what: &str) -> usize {
    gateway.log().matches(what).count()
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

fn says_error(output: &Output, text: &str) -> bool {
    String::from_utf8_lossy(&output.stderr).contains(text)
}

fn says(output: &Output, text: &str) -> bool {
    [&output.stdout, &output.stderr]
        .iter()
        .any(|said| String::from_utf8_lossy(said).contains(text))
}

/// The newest decision of the history, once it is there.
fn newest(gateway: &Gateway) -> String {
    until("a decision in the history", || {
        let output = gateway.command(&["decisions", "--json", "--limit", "1"]);
        let found: serde_json::Value = serde_json::from_slice(&output.stdout).ok()?;
        Some(found["decisions"][0]["id"].as_str()?.to_owned())
    })
}

#[test]
fn a_decision_is_explained_after_a_restart_by_what_is_on_disk_issue_4() {
    let gateway = Gateway::start(|_| {});
    probe(&gateway);
    let id = newest(&gateway);
    let told = command(&gateway, &["explain", &id]);
    assert!(says(&told, "before all policies"), "{told:?}");
    let (_, folder) = gateway.stop();
    let gateway = Gateway::again(folder);
    let told = command(&gateway, &["explain", &id]);
    assert!(says(&told, "method: eap-tls"), "{told:?}");
    assert!(says(&told, "seen, managed: yes"), "{told:?}");
    assert!(says(&told, "This is what the history has."), "{told:?}");
    let latest = command(&gateway, &["explain", "alice-desktop"]);
    assert!(says(&latest, &id), "{latest:?}");
    assert!(says(&latest, "This is what the history has."), "{latest:?}");
    let (_, folder) = gateway.stop();
    fs::remove_dir_all(folder.path().join("var/history")).unwrap();
    let gateway = Gateway::again(folder);
    let told = command(&gateway, &["explain", &id]);
    assert!(says(&told, "This is what the journal has."), "{told:?}");
}

#[test]
fn a_name_full_of_controls_neither_moves_the_terminal_nor_forges_a_line_issue_4() {
    let gateway = Gateway::start(|_| {});
    let name = "eve\u{1b}[1A\u{1b}[2K\r\n2026 forged \u{9b}31m\u{202e}";
    gateway.conf().write("password", "wrong");
    let tried = command(
        &gateway,
        &["probe", "pap", name, "--password-file", "conf/password"],
    );
    let id = newest(&gateway);
    let shown = r"eve\x1b[1A\x1b[2K\r\n2026 forged \x9b31m\u{202e}";
    for output in [
        tried,
        gateway.command(&["decisions"]),
        gateway.command(&["explain", &id]),
    ] {
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(text.contains(shown), "{text:?}");
        let plain = |of: char| of == '\n' || portreeve::model::is_plain(of);
        assert!(text.chars().all(plain), "{text:?}");
        assert!(!text.lines().any(|line| line.starts_with("2026 forged")));
    }
    let log = gateway.log();
    assert!(!log.contains('\u{1b}'), "{log:?}");
}
