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
    let mut text = String::new();
    for file in fs::read_dir(gateway.path("var/accounting")).unwrap() {
        let file = file.unwrap();
        let mode = file.metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "it names people");
        text.push_str(&fs::read_to_string(file.path()).unwrap());
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
