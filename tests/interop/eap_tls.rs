//! EAP-TLS with wpa_supplicant: who gets in, with what keys, and what the others are told.

use rcgen::ExtendedKeyUsagePurpose;

use crate::certificate::Wanted;
use crate::certificate::issue;
use crate::certificate::sample;
use crate::eapol_test::Login;
use crate::eapol_test::run;
use crate::gateway::Gateway;

/// A gateway that blocks unknown devices, and knows one that is not compliant of a contractor.
fn gateway() -> Gateway {
    Gateway::start(|conf| {
        let from = "unknown_device         = \"quarantine\"";
        conf.replace("policy.toml", from, "unknown_device = \"block\"");
        conf.append(
            "devices.csv",
            "5d1c8a40-6f2e-4b7a-9c31-000000000099,dave-laptop,dave@example.com,windows,10.0.22631,\
             00:00:5e:00:53:99,SAMPLE0099,,yes,yes,noncompliant,yes,no,yes,unknown,entra,company,managed\n",
        );
    })
}

#[test]
fn compliant_device_gets_in_with_the_same_keys_in_both_tls_versions_rfc5216_2_3() {
    let gateway = gateway();
    let files = sample(&gateway, "alice-phone");
    for tls13 in [false, true] {
        let login = Login {
            tls13,
            ..Login::new("alice@example.com", &files)
        };
        let outcome = run(&gateway, &login);
        assert!(outcome.success(), "tls13 {tls13}:\n{}", outcome.output);
        assert_eq!(outcome.keys(), (1, 0), "tls13 {tls13}");
        assert_eq!(outcome.attribute(81), None, "tls13 {tls13}: no VLAN");
        let version = if tls13 { "TLSv1.3" } else { "TLSv1.2" };
        assert!(
            outcome.says(&format!("Using TLS version {version}")),
            "{}",
            outcome.output
        );
    }
}

#[test]
fn device_in_quarantine_gets_its_vlan_and_filter_rfc3580_3_31() {
    let gateway = gateway();
    let files = sample(&gateway, "bob-laptop");
    let outcome = run(&gateway, &Login::new("bob@example.com", &files));
    assert!(outcome.success(), "{}", outcome.output);
    assert_eq!(outcome.keys(), (1, 0));
    assert_eq!(
        outcome.attribute(64).as_deref(),
        Some("0000000d"),
        "Tunnel-Type VLAN"
    );
    assert_eq!(
        outcome.attribute(65).as_deref(),
        Some("00000006"),
        "Tunnel-Medium-Type 802"
    );
    assert_eq!(outcome.attribute(81).as_deref(), Some("3230"), "VLAN 20");
    // eapol_test does not know Filter-Id and prints its size only: ten letters.
    assert!(
        outcome.says("Attribute 11 (?Unknown?) length=12"),
        "{}",
        outcome.output
    );
    assert_eq!(
        outcome.attribute(27).as_deref(),
        Some("3600"),
        "Session-Timeout"
    );
}

#[test]
fn blocked_devices_are_told_access_denied_and_get_no_indication_rfc9190_2_5() {
    let gateway = gateway();
    let unknown = issue(
        &gateway,
        &Wanted {
            name: "unknown",
            device: "5d1c8a40-6f2e-4b7a-9c31-00000000ffff",
            ..Wanted::default()
        },
    );
    let noncompliant = sample(&gateway, "dave-laptop");
    let retired = sample(&gateway, "erin-old-phone");
    for (name, user, files) in [
        ("unknown", "alice@example.com", &unknown),
        ("not compliant", "dave@example.com", &noncompliant),
        ("retired", "erin@example.com", &retired),
    ] {
        for tls13 in [false, true] {
            let outcome = run(
                &gateway,
                &Login {
                    tls13,
                    ..Login::new(user, files)
                },
            );
            let row = format!("row {name}, tls13 {tls13}");
            assert!(!outcome.success(), "{row}:\n{}", outcome.output);
            assert!(
                outcome.says("fatal:access denied"),
                "{row}: no alert\n{}",
                outcome.output
            );
            assert!(
                !outcome.says("ACKing protected success indication"),
                "{row}: indication"
            );
            assert!(!outcome.says("SSL session ticket"), "{row}: a ticket");
        }
    }
}

#[test]
fn wrong_certificates_are_refused_with_the_alert_that_says_why_rfc5216_2_1_3() {
    let gateway = gateway();
    for (wanted, alert) in [
        (
            Wanted {
                name: "expired",
                expired: true,
                ..Wanted::default()
            },
            "certificate expired",
        ),
        (
            Wanted {
                name: "foreign",
                foreign: true,
                ..Wanted::default()
            },
            "unknown CA",
        ),
        (
            Wanted {
                name: "for-servers",
                usage: ExtendedKeyUsagePurpose::ServerAuth,
                ..Wanted::default()
            },
            "unsupported certificate",
        ),
    ] {
        let files = issue(&gateway, &wanted);
        for tls13 in [false, true] {
            let login = Login {
                tls13,
                ..Login::new("alice@example.com", &files)
            };
            let outcome = run(&gateway, &login);
            let row = format!("row {}, tls13 {tls13}", wanted.name);
            assert!(!outcome.success(), "{row}:\n{}", outcome.output);
            let said = outcome.says(&format!("fatal:{alert}"));
            assert!(said, "{row}: {alert} was not said\n{}", outcome.output);
        }
    }
}

#[test]
fn a_long_certificate_passes_in_small_fragments_rfc5216_2_1_5() {
    let gateway = gateway();
    let wanted = Wanted {
        name: "long",
        ballast: 5000,
        ..Wanted::default()
    };
    let files = issue(&gateway, &wanted);
    for tls13 in [false, true] {
        let login = Login {
            tls13,
            fragment: 200,
            ..Login::new("alice@example.com", &files)
        };
        let outcome = run(&gateway, &login);
        assert!(outcome.success(), "tls13 {tls13}:\n{}", outcome.output);
        assert_eq!(outcome.keys(), (1, 0), "tls13 {tls13}");
    }
}

#[test]
fn a_long_identity_passes() {
    let gateway = gateway();
    let files = sample(&gateway, "alice-phone");
    let identity = format!("{}@example.com", "a".repeat(240));
    let outcome = run(&gateway, &Login::new(&identity, &files));
    assert!(outcome.success(), "{}", outcome.output);
}

#[test]
fn a_session_is_resumed_with_fresh_keys_in_both_tls_versions_rfc9190_2_1_2() {
    let gateway = gateway();
    let files = sample(&gateway, "alice-phone");
    for tls13 in [false, true] {
        let login = Login {
            tls13,
            again: 2,
            ..Login::new("alice@example.com", &files)
        };
        let outcome = run(&gateway, &login);
        assert!(outcome.success(), "tls13 {tls13}:\n{}", outcome.output);
        assert_eq!(outcome.keys(), (3, 0), "tls13 {tls13}");
    }
    let explained = gateway.command(&["explain", "alice-phone", "--json"]);
    let text = String::from_utf8_lossy(&explained.stdout).into_owned();
    assert!(text.contains("eap-tls 1.3 resumed"), "{text}");
}

/// A certificate that named no user met no policy, whoever the device belonged to.
#[test]
fn a_certificate_without_a_user_is_judged_for_the_devices_owner_r3() {
    let gateway = Gateway::start(|conf| {
        conf.append(
            "devices.csv",
            "5d1c8a40-6f2e-4b7a-9c31-000000000098,kiosk,,windows,10.0.22631,\
             00:00:5e:00:53:98,SAMPLE0098,,yes,yes,compliant,yes,no,yes,unknown,entra,company,managed\n",
        );
    });
    for (name, device, vlan) in [
        ("alice-phone", "5d1c8a40-6f2e-4b7a-9c31-000000000001", None),
        (
            "bob-laptop",
            "5d1c8a40-6f2e-4b7a-9c31-000000000002",
            Some("3230"),
        ),
        // Nobody's, so that no policy targets it: the answer for those without a user.
        (
            "kiosk",
            "5d1c8a40-6f2e-4b7a-9c31-000000000098",
            Some("3230"),
        ),
    ] {
        let wanted = Wanted {
            name,
            device,
            user: "",
            ..Wanted::default()
        };
        let files = issue(&gateway, &wanted);
        let outcome = run(&gateway, &Login::new(&format!("host/{name}"), &files));
        assert!(outcome.success(), "row {name}: {}", outcome.output);
        assert_eq!(outcome.attribute(81).as_deref(), vlan, "row {name}");
    }
    let explained = gateway.command(&["explain", "alice-phone"]);
    let text = String::from_utf8_lossy(&explained.stdout).into_owned();
    let owner = "alice@example.com, the device's owner by the inventory, at network";
    assert!(text.contains(owner), "{text}");
}
