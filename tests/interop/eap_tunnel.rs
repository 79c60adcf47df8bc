//! EAP-TTLS and PEAP with wpa_supplicant: who gets in, with what keys, and who does not.

use crate::certificate::Wanted;
use crate::certificate::issue;
use crate::certificate::sample;
use crate::eapol_test::Outcome;
use crate::eapol_test::Tunnel;
use crate::eapol_test::run_tunnel;
use crate::gateway::Gateway;
use crate::gateway::until;

const ALICE: (&str, &str) = ("alice", "alice-sample");
const BOB: (&str, &str) = ("bob", "bob-sample");
const CAROL: (&str, &str) = ("carol", "carol-sample");

/// A gateway at which everything may be spoken inside of a tunnel.
fn gateway() -> Gateway {
    gateway_with(r#"inside = ["mschapv2", "gtc", "pap", "chap", "mschap", "eap-tls"]"#)
}

fn gateway_with(methods: &str) -> Gateway {
    Gateway::start(|conf| {
        let from = r#"inside = ["gtc", "pap", "eap-tls"]"#;
        conf.replace("gateway.toml", from, methods);
    })
}

fn both(gateway: &Gateway, login: &Tunnel<'_>, look: impl Fn(&str, &Outcome)) {
    for tls13 in [false, true] {
        let outcome = run_tunnel(gateway, &Tunnel { tls13, ..*login });
        let version = if tls13 { "TLSv1.3" } else { "TLSv1.2" };
        let row = format!("{} {} {} {version}", login.method, login.inside, login.user);
        let said = outcome.says(&format!("Using TLS version {version}"));
        assert!(said, "row {row}:\n{}", outcome.output);
        look(&row, &outcome);
    }
}

fn succeeds(row: &str, outcome: &Outcome) {
    assert!(outcome.success(), "row {row}:\n{}", outcome.output);
    assert_eq!(outcome.keys(), (1, 0), "row {row}");
}

fn fails(row: &str, outcome: &Outcome) {
    assert!(!outcome.success(), "row {row}:\n{}", outcome.output);
    let accepted = outcome.says("code=2 (Access-Accept)");
    assert!(!accepted, "row {row}:\n{}", outcome.output);
    let rejected = outcome.says("code=3 (Access-Reject)");
    assert!(rejected, "row {row}: no answer\n{}", outcome.output);
}

#[test]
fn every_method_of_ttls_lets_in_with_the_same_keys_rfc5281_8() {
    let gateway = gateway();
    for (inside, user) in [
        ("auth=PAP", ALICE),
        ("auth=PAP", BOB),
        ("auth=CHAP", CAROL),
        ("auth=MSCHAP", BOB),
        ("auth=MSCHAPV2", BOB),
        ("auth=MSCHAPV2", CAROL),
        ("autheap=MSCHAPV2", BOB),
        ("autheap=GTC", ALICE),
    ] {
        both(&gateway, &Tunnel::new("TTLS", inside, user), succeeds);
    }
}

#[test]
fn every_method_of_peap_lets_in_with_the_same_keys_and_binding() {
    let gateway = gateway();
    for (inside, user) in [("auth=MSCHAPV2", BOB), ("auth=GTC", ALICE)] {
        for binding in 0..=2 {
            let phase1 = format!("peapver=0 crypto_binding={binding}");
            let login = Tunnel {
                phase1: &phase1,
                ..Tunnel::new("PEAP", inside, user)
            };
            both(&gateway, &login, succeeds);
        }
    }
}

#[test]
fn a_certificate_inside_of_a_tunnel_proves_the_device() {
    let gateway = gateway();
    let files = sample(&gateway, "alice-phone");
    for (method, inside) in [("TTLS", "autheap=TLS"), ("PEAP", "auth=TLS")] {
        let login = Tunnel {
            files: Some(&files),
            ..Tunnel::new(method, inside, ("alice@example.com", ""))
        };
        both(&gateway, &login, |row, outcome| {
            succeeds(row, outcome);
            assert_eq!(outcome.attribute(81), None, "row {row}: no VLAN");
        });
    }
    let explained = gateway.command(&["explain", "alice-phone", "--json"]);
    let text = String::from_utf8_lossy(&explained.stdout).into_owned();
    assert!(text.contains("peap/eap-tls 1.3"), "{text}");
}

#[test]
fn a_wrong_certificate_inside_is_refused() {
    let gateway = gateway();
    let expired = issue(
        &gateway,
        &Wanted {
            name: "expired",
            expired: true,
            ..Wanted::default()
        },
    );
    let foreign = issue(
        &gateway,
        &Wanted {
            name: "foreign",
            foreign: true,
            ..Wanted::default()
        },
    );
    for files in [&expired, &foreign] {
        for (method, inside) in [("TTLS", "autheap=TLS"), ("PEAP", "auth=TLS")] {
            let login = Tunnel {
                files: Some(files),
                ..Tunnel::new(method, inside, ("alice@example.com", ""))
            };
            both(&gateway, &login, fails);
        }
    }
}

#[test]
fn wrong_passwords_and_unknown_users_are_refused() {
    let gateway = gateway();
    for (method, inside, user) in [
        ("TTLS", "auth=PAP", ("alice", "wrong")),
        ("TTLS", "auth=PAP", ("nobody", "alice-sample")),
        ("TTLS", "auth=CHAP", ("carol", "wrong")),
        ("TTLS", "auth=CHAP", BOB),
        ("TTLS", "auth=MSCHAP", ("bob", "wrong")),
        ("TTLS", "auth=MSCHAPV2", ("bob", "wrong")),
        ("TTLS", "auth=MSCHAPV2", ALICE),
        ("TTLS", "autheap=MSCHAPV2", ("bob", "wrong")),
        ("TTLS", "autheap=GTC", ("alice", "wrong")),
        ("PEAP", "auth=MSCHAPV2", ("bob", "wrong")),
        ("PEAP", "auth=MSCHAPV2", ("nobody", "wrong")),
        ("PEAP", "auth=MSCHAPV2", ALICE),
        ("PEAP", "auth=GTC", ("alice", "wrong")),
    ] {
        both(&gateway, &Tunnel::new(method, inside, user), fails);
    }
}

#[test]
fn mschapv2_inside_is_off_unless_switched_on() {
    let gateway = Gateway::start(|_| {});
    for (method, inside) in [
        ("TTLS", "auth=MSCHAPV2"),
        ("TTLS", "autheap=MSCHAPV2"),
        ("PEAP", "auth=MSCHAPV2"),
    ] {
        both(&gateway, &Tunnel::new(method, inside, BOB), fails);
    }
    both(&gateway, &Tunnel::new("TTLS", "auth=PAP", BOB), succeeds);
}

#[test]
fn the_realm_inside_is_that_of_the_outside_unless_switched_off() {
    let gateway = Gateway::start(|conf| {
        let user = "\n[[user]]\nname = \"alice@example.com\"\nclear = \"realm-sample\"\n";
        conf.append("users.toml", user);
    });
    let user = ("alice@example.com", "realm-sample");
    for (outside, good) in [
        ("@example.com", true),
        ("anonymous", true),
        ("anonymous@example.org", false),
    ] {
        let login = Tunnel {
            outside,
            ..Tunnel::new("TTLS", "auth=PAP", user)
        };
        both(&gateway, &login, if good { succeeds } else { fails });
    }
    let from = "same_realm = true";
    (gateway.conf()).replace("gateway.toml", from, "same_realm = false");
    let log = gateway.reload();
    assert!(log.contains("is in force"), "{log}");
    let login = Tunnel {
        outside: "anonymous@example.org",
        ..Tunnel::new("TTLS", "auth=PAP", user)
    };
    both(&gateway, &login, succeeds);
}

#[test]
fn a_peer_that_distrusts_the_gateway_says_no_password() {
    let gateway = gateway();
    let foreign = issue(
        &gateway,
        &Wanted {
            name: "foreign",
            foreign: true,
            ..Wanted::default()
        },
    );
    for (method, inside) in [("TTLS", "auth=PAP"), ("PEAP", "auth=GTC")] {
        let login = Tunnel {
            root: foreign.certificate.file_name().unwrap().to_str().unwrap(),
            ..Tunnel::new(method, inside, ALICE)
        };
        both(&gateway, &login, |row, outcome| {
            fails(row, outcome);
            assert!(outcome.says("unknown CA"), "row {row}:\n{}", outcome.output);
        });
    }
}

#[test]
fn a_tunnel_is_resumed_with_fresh_keys_rfc9427_4() {
    let gateway = gateway();
    for (method, inside, user) in [
        ("TTLS", "auth=PAP", ALICE),
        ("TTLS", "auth=MSCHAPV2", BOB),
        ("PEAP", "auth=MSCHAPV2", BOB),
        ("PEAP", "auth=GTC", ALICE),
    ] {
        for binding in [0, 2] {
            let phase1 = format!("crypto_binding={binding}");
            let login = Tunnel {
                again: 2,
                phase1: &phase1,
                ..Tunnel::new(method, inside, user)
            };
            both(&gateway, &login, |row, outcome| {
                assert!(outcome.success(), "row {row}:\n{}", outcome.output);
                assert_eq!(outcome.keys(), (3, 0), "row {row}");
            });
        }
    }
    for method in [
        "eap-ttls/pap",
        "eap-ttls/mschapv2",
        "peap/mschapv2",
        "peap/gtc",
    ] {
        for version in ["1.2", "1.3"] {
            let resumed = format!("{method} {version} resumed");
            until(&resumed, || {
                gateway.journal().contains(&resumed).then_some(())
            });
        }
    }
}

#[test]
fn the_probe_speaks_them_too() {
    let gateway = gateway();
    let server = gateway.authentication.to_string();
    let secret = gateway.path("certs/secrets/nas-local");
    let file = gateway.path("password");
    for (method, inside, (user, password), good) in [
        ("eap-ttls", "pap", ALICE, true),
        ("eap-ttls", "chap", CAROL, true),
        ("eap-ttls", "mschap", BOB, true),
        ("eap-ttls", "mschapv2", BOB, true),
        ("eap-ttls", "mschapv2-eap", BOB, true),
        ("eap-ttls", "gtc", ("alice", "wrong"), false),
        ("peap", "gtc", ALICE, true),
        ("peap", "mschapv2", BOB, true),
        ("peap", "mschapv2", ("bob", "wrong"), false),
    ] {
        std::fs::write(&file, format!("{password}\n")).unwrap();
        for tls in ["1.2", "1.3"] {
            let output = gateway.command(&[
                "probe",
                method,
                user,
                "--inside",
                inside,
                "--tls",
                tls,
                "--password-file",
                file.to_str().unwrap(),
                "--server",
                &server,
                "--secret-file",
                secret.to_str().unwrap(),
                "--station",
                "00:00:5e:00:53:77",
            ]);
            let text = String::from_utf8_lossy(&output.stdout).into_owned();
            let code = output.status.code();
            let row = format!("row {method} {inside} {user} {tls}: {text}");
            assert_eq!(code, Some(i32::from(!good)), "{row}");
        }
    }
}

#[test]
fn somebody_anonymous_is_charged_as_who_they_are_and_only_where_it_is_asked_rfc4372_2() {
    let gateway = gateway();
    let charged = |attribute, outside, user| {
        let login = Tunnel {
            outside,
            attribute,
            ..Tunnel::new("TTLS", "auth=PAP", user)
        };
        let outcome = run_tunnel(&gateway, &login);
        assert!(outcome.success(), "{}", outcome.output);
        outcome.attribute(89)
    };
    let asked = Some("89:x:00");
    assert_eq!(charged(None, "anonymous@example.org", ALICE), None);
    let alice = charged(asked, "anonymous@example.org", ALICE);
    assert!(alice.is_some());
    // Whatever the name outside, and of nobody else.
    assert_eq!(charged(asked, "somebody@example.org", ALICE), alice);
    assert_ne!(charged(asked, "anonymous@example.org", BOB), alice);
}
