//! FreeRADIUS's `radclient`: what NASes send besides EAP.

use std::io::Write;
use std::net::SocketAddr;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;

use crate::gateway::Gateway;
use crate::gateway::until;

/// Sends one request and gives what was printed.
pub(crate) fn send(server: SocketAddr, kind: &str, secret: &str, attributes: &str) -> String {
    let child = run(server, kind, secret, attributes, "4");
    let output = child.wait_with_output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    String::from_utf8_lossy(&text).into_owned()
}

/// Sends one request, whose answer nobody waits for here.
pub(crate) fn begin(server: SocketAddr, secret: &str, attributes: &str) -> Asking {
    Asking(run(server, "auth", secret, attributes, "60"))
}

/// A request that waits for its answer, until this is dropped.
pub(crate) struct Asking(Child);

impl Drop for Asking {
    fn drop(&mut self) {
        // Fails only if it has ended already.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

fn run(server: SocketAddr, kind: &str, secret: &str, attributes: &str, seconds: &str) -> Child {
    let mut child = Command::new("radclient")
        .args([
            "-x",
            "-r",
            "1",
            "-t",
            seconds,
            &server.to_string(),
            kind,
            secret,
        ])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("radclient is installed by tests/run");
    child
        .stdin
        .take()
        .unwrap()
        .write_all(attributes.as_bytes())
        .unwrap();
    child
}

pub(crate) const SIGNED: &str = "Message-Authenticator = 0x00\n";

#[test]
fn status_server_is_answered_on_both_ports_rfc5997_3() {
    let gateway = Gateway::start(|_| {});
    let answer = send(gateway.authentication, "status", &gateway.secret(), SIGNED);
    assert!(answer.contains("Received Access-Accept"), "{answer}");
    let answer = send(gateway.accounting, "status", &gateway.secret(), SIGNED);
    assert!(answer.contains("Received Accounting-Response"), "{answer}");
}

#[test]
fn passwords_of_all_kinds_are_checked_rfc2865_5_2() {
    let gateway = Gateway::start(|conf| {
        // Without a device of theirs, users are judged by what is known of them alone.
        conf.replace(
            "policy.toml",
            "no_policy_applies      = \"quarantine\"",
            "no_policy_applies = \"allow\"",
        );
        conf.replace(
            "policy.toml",
            "unknown_device         = \"quarantine\"",
            "unknown_device = \"allow\"",
        );
    });
    for (user, password, accepted) in [
        ("alice", "alice-sample", true),
        ("alice", "wrong", false),
        ("bob", "bob-sample", true),
        ("bob", "wrong", false),
        ("carol", "carol-sample", true),
        ("carol", "wrong", false),
        ("nobody", "wrong", false),
        // By other names of theirs in users.csv.
        ("EXAMPLE\\\\Alice", "alice-sample", true),
        ("EXAMPLE\\\\bob", "bob-sample", true),
        ("bob@example.com", "bob-sample", true),
        ("bob@example.com", "wrong", false),
        ("OTHER\\\\bob", "bob-sample", false),
        ("bob@example.org", "bob-sample", false),
    ] {
        let attributes =
            format!("User-Name = \"{user}\"\nUser-Password = \"{password}\"\n{SIGNED}");
        let answer = send(
            gateway.authentication,
            "auth",
            &gateway.secret(),
            &attributes,
        );
        let expected = if accepted {
            "Received Access-Accept"
        } else {
            "Received Access-Reject"
        };
        assert!(
            answer.contains(expected),
            "row {user} {password}:\n{answer}"
        );
    }
}

#[test]
fn a_mac_address_gets_its_own_limited_profile_at_best() {
    let gateway = Gateway::start(|conf| {
        conf.replace(
            "policy.toml",
            "no_credential          = \"quarantine\"",
            "no_credential = \"allow\"",
        );
    });
    let attributes = format!(
        "User-Name = \"00005e005301\"\nUser-Password = \"00005e005301\"\n\
         Calling-Station-Id = \"00-00-5E-00-53-01\"\nService-Type = Call-Check\n{SIGNED}"
    );
    let answer = send(
        gateway.authentication,
        "auth",
        &gateway.secret(),
        &attributes,
    );
    assert!(answer.contains("Received Access-Accept"), "{answer}");
    assert!(
        answer.contains("Tunnel-Private-Group-Id:0 = \"30\""),
        "{answer}"
    );
    assert!(answer.contains("Filter-Id = \"limited\""), "{answer}");

    let other = attributes.replace("00-00-5E-00-53-01", "00-00-5E-00-53-02");
    let answer = send(gateway.authentication, "auth", &gateway.secret(), &other);
    assert!(
        answer.contains("Received Access-Reject"),
        "two addresses in one request:\n{answer}"
    );
}

#[test]
fn what_is_not_signed_with_our_secret_is_dropped_and_counted_rfc3579_3_2() {
    let gateway = Gateway::start(|_| {});
    let attributes = "User-Name = \"carol\"\nUser-Password = \"carol-sample\"\n";
    let signed = format!("{attributes}{SIGNED}");
    let answer = send(
        gateway.authentication,
        "auth",
        "not-the-secret-of-this-gateway",
        &signed,
    );
    assert!(answer.contains("No reply from server"), "{answer}");
    let answer = send(
        gateway.authentication,
        "auth",
        &gateway.secret(),
        attributes,
    );
    assert!(answer.contains("No reply from server"), "{answer}");
    for reason in ["bad_message_authenticator", "missing_message_authenticator"] {
        let metrics = metrics(&gateway);
        let counted = format!("portreeve_radius_dropped_total{{reason=\"{reason}\"}} 1");
        assert!(metrics.contains(&counted), "{counted} is not in\n{metrics}");
    }
}

#[test]
fn accounting_opens_updates_and_closes_a_session_rfc2866_4() {
    let gateway = Gateway::start(|_| {});
    let sessions = || {
        let status = gateway.command(&["status", "--json"]);
        let status: serde_json::Value = serde_json::from_slice(&status.stdout).unwrap();
        status.get("sessions").unwrap().as_u64().unwrap()
    };
    for (kind, open) in [("Start", 1), ("Interim-Update", 1), ("Stop", 0)] {
        let attributes = format!(
            "User-Name = \"carol\"\nAcct-Status-Type = {kind}\nAcct-Session-Id = \"0001\"\n\
             NAS-Identifier = \"test\"\n"
        );
        let answer = send(gateway.accounting, "acct", &gateway.secret(), &attributes);
        assert!(
            answer.contains("Received Accounting-Response"),
            "row {kind}:\n{answer}"
        );
        assert_eq!(sessions(), open, "row {kind}");
    }
}

#[test]
fn a_reload_changes_who_is_let_in_without_a_restart() {
    let gateway = Gateway::start(|_| {});
    let attributes = format!("User-Name = \"carol\"\nUser-Password = \"changed\"\n{SIGNED}");
    let answer = send(
        gateway.authentication,
        "auth",
        &gateway.secret(),
        &attributes,
    );
    assert!(answer.contains("Received Access-Reject"), "{answer}");
    gateway.conf().replace(
        "users.toml",
        "clear = \"carol-sample\"",
        "clear = \"changed\"",
    );
    assert!(gateway.reload().contains("is in force"));
    let answer = send(
        gateway.authentication,
        "auth",
        &gateway.secret(),
        &attributes,
    );
    assert!(answer.contains("Received Access-Accept"), "{answer}");
}

#[test]
fn a_device_file_is_felt_by_the_next_login() {
    let gateway = Gateway::start(|conf| {
        conf.replace(
            "policy.toml",
            "no_credential          = \"quarantine\"",
            "no_credential = \"allow\"",
        );
        conf.replace(
            "policy.toml",
            "unknown_device         = \"quarantine\"",
            "unknown_device = \"block\"",
        );
    });
    let attributes = format!(
        "User-Name = \"00005e0053aa\"\nUser-Password = \"00005e0053aa\"\nService-Type = Call-Check\n{SIGNED}"
    );
    let ask = || {
        send(
            gateway.authentication,
            "auth",
            &gateway.secret(),
            &attributes,
        )
    };
    assert!(ask().contains("Received Access-Reject"));
    gateway.conf().append(
        "devices.csv",
        "5d1c8a40-6f2e-4b7a-9c31-0000000000aa,printer,alice@example.com,linux,6.1,00:00:5e:00:53:aa,\
         SAMPLE00AA,,yes,yes,compliant,yes,no,yes,unknown,entra,company,managed\n",
    );
    until("the new device is let in", || {
        ask().contains("Received Access-Accept").then_some(())
    });
}

pub(crate) fn metrics(gateway: &Gateway) -> String {
    let output = Command::new("curl")
        .args(["-sS", &format!("http://{}/metrics", gateway.metrics)])
        .output()
        .expect("curl is installed by tests/run");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// An answer that RFC 2759 section 9.2 gives for the name `User` and the password `clientPass`.
pub(crate) const RFC2759_CHALLENGE: &str = "0x5b5d7c7d7b3f2f3e3c2c602132262628";
pub(crate) const RFC2759_RESPONSE: &str = "0x070021402324255e262a28295f2b3a337c7e0000000000000000\
                                82309ecd8d708b5ea08faa3981cd83544233114a3d85d6df";

#[test]
fn answers_to_challenges_are_checked_where_their_method_is_switched_on() {
    let gateway = Gateway::start(|conf| {
        for rule in ["no_policy_applies      ", "unknown_device         "] {
            let written = format!("{rule}= \"quarantine\"");
            conf.replace("policy.toml", &written, &format!("{rule}= \"allow\""));
        }
        // The user of the RFC is in no inventory.
        conf.replace(
            "policy.toml",
            "unknown_user           = \"block\"",
            "unknown_user = \"allow\"",
        );
        conf.replace(
            "gateway.toml",
            r#"allow = ["eap-tls", "eap-ttls", "peap", "teap", "pap", "mab"]"#,
            r#"allow = ["chap", "mschap", "mschapv2"]"#,
        );
        conf.append(
            "users.toml",
            "\n[[user]]\nname = \"User\"\nnt_hash = \"44ebba8d5312b8d611474411f56989ae\"\n",
        );
    });
    let ask = |attributes: &str| {
        let attributes = format!("{attributes}\n{SIGNED}");
        send(
            gateway.authentication,
            "auth",
            &gateway.secret(),
            &attributes,
        )
    };
    for (attributes, accepted) in [
        (
            "User-Name = \"carol\"\nCHAP-Password = \"carol-sample\"",
            true,
        ),
        ("User-Name = \"carol\"\nCHAP-Password = \"wrong\"", false),
        ("User-Name = \"bob\"\nCHAP-Password = \"bob-sample\"", false),
        (
            "User-Name = \"bob\"\nMS-CHAP-Password = \"bob-sample\"",
            true,
        ),
        (
            "User-Name = \"carol\"\nMS-CHAP-Password = \"carol-sample\"",
            true,
        ),
        ("User-Name = \"bob\"\nMS-CHAP-Password = \"wrong\"", false),
        (
            "User-Name = \"alice\"\nMS-CHAP-Password = \"alice-sample\"",
            false,
        ),
        (
            "User-Name = \"carol\"\nUser-Password = \"carol-sample\"",
            false,
        ),
    ] {
        let answer = ask(attributes);
        let expected = if accepted {
            "Received Access-Accept"
        } else {
            "Received Access-Reject"
        };
        assert!(answer.contains(expected), "row {attributes}: {answer}");
    }
    let version2 = format!(
        "User-Name = \"User\"\nMS-CHAP-Challenge = {RFC2759_CHALLENGE}\nMS-CHAP2-Response = {RFC2759_RESPONSE}"
    );
    let answer = ask(&version2);
    assert!(answer.contains("Received Access-Accept"), "{answer}");
    // The identifier, then "S=407A5589115FD0D6209F510FE9C04566932CDA56" (RFC 2759 section 9.2).
    let success = "MS-CHAP2-Success = 0x07533d343037413535383931313546443044363230394635313046453943303435363639333243444135360a";
    let success = success.trim_end_matches("0a");
    assert!(answer.contains(success), "{answer}");
    // As `radclient` took them out of hiding (RFC 3079 section 3.5.3).
    for key in [
        "MS-MPPE-Send-Key = 0x8b7cdc149b993a1ba118cb153f56dccb",
        "MS-MPPE-Recv-Key = 0xd5f0e9521e3ea9589645e86051c82226",
    ] {
        assert!(answer.contains(key), "{key} is not in {answer}");
    }
}

#[test]
fn a_user_keeps_the_identity_for_charging_over_a_restart_rfc4372_2() {
    let gateway = Gateway::start(|conf| {
        for rule in ["no_policy_applies      ", "unknown_device         "] {
            let written = format!("{rule}= \"quarantine\"");
            conf.replace("policy.toml", &written, &format!("{rule}= \"allow\""));
        }
    });
    let attributes = |asked: &str| {
        format!("User-Name = \"carol\"\nUser-Password = \"carol-sample\"\n{asked}{SIGNED}")
    };
    let identity = |gateway: &Gateway, asked: &str| {
        let secret = gateway.secret();
        let answer = send(gateway.authentication, "auth", &secret, &attributes(asked));
        assert!(answer.contains("Received Access-Accept"), "{answer}");
        let (_, received) = answer.split_once("Received").unwrap();
        let line = received
            .lines()
            .find(|line| line.contains("Chargeable-User-Identity"));
        line.map(str::to_owned)
    };
    let asked = "Chargeable-User-Identity = 0x00\n";
    assert_eq!(identity(&gateway, ""), None, "nobody asked");
    let first = identity(&gateway, asked).expect("it was asked for");
    let elsewhere = format!("{asked}Operator-Name = \"1abroad.example\"\n");
    assert_ne!(identity(&gateway, &elsewhere), Some(first.clone()));
    let (_, folder) = gateway.stop();
    let gateway = Gateway::again(folder);
    assert_eq!(identity(&gateway, asked), Some(first));
}
