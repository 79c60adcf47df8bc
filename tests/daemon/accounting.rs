//! Accounting is on record before it is answered.

use std::fs;
use std::net::UdpSocket;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use nix::sys::signal::Signal;
use portreeve::radius::AttributeType;

use crate::gateway::Gateway;
use crate::gateway::until;
use crate::nas::Nas;

const REPORTS: usize = 200;

/// Sends a report until it is answered.
fn report(gateway: &Gateway, socket: &UdpSocket, nas: &mut Nas, id: &str) {
    let request = nas.accounting(|request| {
        request
            .integer(AttributeType::ACCT_STATUS_TYPE, 1)
            .octets(AttributeType::ACCT_SESSION_ID, id.as_bytes());
    });
    let mut answer = [0; 4096];
    until("the report is answered", || {
        socket.send_to(&request, gateway.accounting).unwrap();
        let length = socket.recv(&mut answer).ok()?;
        nas.answers(&request, answer.get(..length)?).then_some(())
    });
}

fn nas_of(gateway: &Gateway) -> (UdpSocket, Nas) {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket
        .set_read_timeout(Some(Duration::from_millis(500)))
        .unwrap();
    (socket, Nas::new("127.0.0.1:1", gateway.secret().as_bytes()))
}

#[test]
fn no_report_that_was_answered_is_lost_by_sigkill_rfc2866_4_1() {
    let gateway = Gateway::start(|_| {});
    let (socket, mut nas) = nas_of(&gateway);
    for number in 0..REPORTS {
        report(&gateway, &socket, &mut nas, &format!("session-{number}"));
    }
    gateway.signal(Signal::SIGKILL);
    let text = gateway.accounted();
    for file in fs::read_dir(gateway.path("var/accounting")).unwrap() {
        let file = file.unwrap();
        let mode = file.metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "it names people");
    }
    assert_eq!(text.lines().count(), REPORTS);
    for number in 0..REPORTS {
        let session = format!("\"session\":\"session-{number}\"");
        assert!(text.contains(&session), "{session} is missing");
    }
}

#[test]
fn a_folder_for_accounting_that_cannot_be_made_is_told_at_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let conf = crate::gateway::Conf::sample(folder.path());
    fs::write(folder.path().join("taken"), "a file").unwrap();
    conf.replace("gateway.toml", "var/accounting", "taken/accounting");
    let output = crate::gateway::program(folder.path()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success());
    assert!(said.contains("taken/accounting"), "{said}");
}

#[test]
fn what_was_reported_is_exported_by_user_device_nas_and_day() {
    let gateway = Gateway::start(|_| {});
    let (socket, mut nas) = nas_of(&gateway);
    let mut answer = [0; 4096];
    for (user, calling, session) in [
        ("alice@example.com", "00-00-5E-00-53-01", "one"),
        ("=cmd()", "00-00-5E-00-53-02", "two"),
    ] {
        let request = nas.accounting(|request| {
            request
                .integer(AttributeType::ACCT_STATUS_TYPE, 2)
                .octets(AttributeType::ACCT_SESSION_ID, session.as_bytes())
                .octets(AttributeType::USER_NAME, user.as_bytes())
                .octets(AttributeType::CALLING_STATION_ID, calling.as_bytes());
        });
        until("the report is answered", || {
            socket.send_to(&request, gateway.accounting).unwrap();
            let length = socket.recv(&mut answer).ok()?;
            nas.answers(&request, answer.get(..length)?).then_some(())
        });
    }
    let metrics = "portreeve_accounting_unstored_total 0";
    assert!(super::page(&gateway, "/metrics").contains(metrics));
    // At the end all of it is written.
    let (status, folder) = gateway.stop();
    assert!(status.success());
    let export = |arguments: &[&str]| {
        let mut program = crate::gateway::program(folder.path());
        program.args(["accounting", "export"]).args(arguments);
        let output = program.output().unwrap();
        (
            String::from_utf8(output.stdout).unwrap(),
            output.status.code(),
        )
    };
    let (all, code) = export(&[]);
    assert_eq!(code, Some(0));
    assert_eq!(all.lines().count(), 3, "a head and two rows: {all}");
    assert!(all.starts_with("time,nas,from,"), "{all}");
    assert!(all.contains(",'=cmd(),"), "no formula: {all}");
    for arguments in [
        &["--user", "ALICE@example.com"][..],
        &["--device", "0000.5e00.5301"],
        &["--session", "one", "--nas", "local"],
    ] {
        let (found, code) = export(arguments);
        assert_eq!(code, Some(0), "row {arguments:?}");
        assert_eq!(found.lines().count(), 2, "row {arguments:?}: {found}");
        assert!(found.contains("alice@example.com"), "row {arguments:?}");
    }
    let (lines, _) = export(&["--json"]);
    assert_eq!(lines.lines().count(), 2);
    assert!(lines.lines().all(|line| line.starts_with('{')), "{lines}");
    assert_eq!(export(&["--day", "2020-01-01"]), (String::new(), Some(1)));
    assert_eq!(export(&["--nas", "elsewhere"]).1, Some(1));
}
