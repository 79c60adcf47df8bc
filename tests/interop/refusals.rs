//! Every refusal of EAP-TLS, and of the same certificates inside of PEAP and EAP-TTLS, with
//! wpa_supplicant: that nobody gets in, and what the operator is told.

use std::fs;
use std::thread;

use rcgen::ExtendedKeyUsagePurpose;
use serde_json::Value;

use crate::certificate::Files;
use crate::certificate::Wanted;
use crate::certificate::issue;
use crate::certificate::list;
use crate::certificate::sample;
use crate::eapol_test::Login;
use crate::eapol_test::Outcome;
use crate::eapol_test::Tunnel;
use crate::eapol_test::run;
use crate::eapol_test::run_tunnel;
use crate::gateway::Gateway;
use crate::gateway::until;
use crate::revocation::refusals;

/// EAP-TLS by itself and inside of each tunnel.
const WAYS: [&str; 3] = ["TLS", "PEAP", "TTLS"];

fn login(
    gateway: &Gateway,
    (way, user): (&str, &str),
    files: &Files,
    tls13: bool,
    again: u32,
) -> Outcome {
    let tunnel = |method, inside| Tunnel {
        files: Some(files),
        tls13,
        again,
        ..Tunnel::new(method, inside, (user, ""))
    };
    match way {
        "PEAP" => run_tunnel(gateway, &tunnel("PEAP", "auth=TLS")),
        "TTLS" => run_tunnel(gateway, &tunnel("TTLS", "autheap=TLS")),
        _ => run(
            gateway,
            &Login {
                tls13,
                again,
                ..Login::new(user, files)
            },
        ),
    }
}

/// What `portreeve explain` says of a record of the journal.
fn explained(gateway: &Gateway, record: &str) -> String {
    let record: Value = serde_json::from_str(record).unwrap();
    let output = gateway.command(&["explain", record["id"].as_str().unwrap()]);
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn each_bad_certificate_is_refused_in_every_way_and_explained_rfc5216_5_3() {
    // The root is made by the start, and its list after it.
    let gateway = Gateway::start(|_| {});
    let pem = pem(&list(&gateway, &[66], 1));
    fs::write(gateway.path("list.pem"), pem).unwrap();
    let conf = gateway.conf();
    conf.replace(
        "gateway.toml",
        "revocation_lists = []\n# Whether a certificate that no current revocation list covers is refused.\n\
         demand_revocation = false\n# Octets",
        "revocation_lists = [\"list.pem\"]\n# Octets",
    );
    assert!(gateway.reload().contains("is in force"));
    let rows = [
        (
            Wanted {
                name: "revoked",
                serial: 66,
                ..Wanted::default()
            },
            "the certificate is revoked, by the list of",
            "issue it another certificate",
        ),
        (
            Wanted {
                name: "expired",
                expired: true,
                ..Wanted::default()
            },
            "the certificate is expired",
            "renew it",
        ),
        (
            Wanted {
                name: "early",
                early: true,
                ..Wanted::default()
            },
            "the certificate is not valid yet",
            "compare the clocks",
        ),
        (
            Wanted {
                name: "foreign",
                foreign: true,
                ..Wanted::default()
            },
            "the certificate is of an unknown CA",
            "add its CA there",
        ),
        (
            Wanted {
                name: "for-servers",
                usage: ExtendedKeyUsagePurpose::ServerAuth,
                ..Wanted::default()
            },
            "the certificate is not for clients",
            "clientAuth",
        ),
    ];
    let mut count = 0;
    for (wanted, why, advice) in rows {
        let files = issue(&gateway, &wanted);
        for way in WAYS {
            for tls13 in [false, true] {
                let row = format!("row {}, {way}, tls13 {tls13}", wanted.name);
                let outcome = login(&gateway, (way, "alice@example.com"), &files, tls13, 0);
                assert!(!outcome.success(), "{row}:\n{}", outcome.output);
                count += 1;
                let record = refusals(&gateway, count).pop().unwrap();
                assert!(record.contains(why), "{row}: {record}");
                let text = explained(&gateway, &record);
                assert!(text.contains(why), "{row}: {text}");
                assert!(text.contains(advice), "{row}: {text}");
                let shown = format!("certificate 1: CN={} by ", wanted.name);
                assert!(text.contains(&shown), "{row}: {text}");
                assert!(text.contains("last round: "), "{row}: {text}");
            }
        }
    }
}

#[test]
fn a_peer_that_distrusts_the_gateway_is_explained_rfc8446_6_2() {
    let gateway = Gateway::start(|_| {});
    let foreign = issue(
        &gateway,
        &Wanted {
            name: "foreign",
            foreign: true,
            ..Wanted::default()
        },
    );
    let files = sample(&gateway, "alice-phone");
    let mut count = 0;
    for tls13 in [false, true] {
        let network = format!(
            "network={{\nkey_mgmt=IEEE8021X\neap=TLS\nidentity=\"alice@example.com\"\n\
             ca_cert=\"{}\"\nclient_cert=\"{}\"\nprivate_key=\"{}\"\n\
             phase1=\"tls_disable_tlsv1_3={}\"\n}}\n",
            foreign.certificate.display(),
            files.certificate.display(),
            files.key.display(),
            u8::from(!tls13),
        );
        let outcome = crate::eapol_test::run_network(&gateway, &network);
        assert!(!outcome.success(), "{}", outcome.output);
        count += 1;
        let record = refusals(&gateway, count).pop().unwrap();
        assert!(
            record.contains("peer: TLS alert 48 (unknown CA)"),
            "{record}"
        );
        let text = explained(&gateway, &record);
        assert!(text.contains("give the CA to the devices"), "{text}");
    }
    // One who shows nothing.
    let network = format!(
        "network={{\nkey_mgmt=IEEE8021X\neap=PEAP\nidentity=\"carol\"\npassword=\"wrong\"\n\
         ca_cert=\"{}\"\nphase2=\"auth=GTC\"\n}}\n",
        gateway.path("certs/root.pem").display(),
    );
    assert!(!crate::eapol_test::run_network(&gateway, &network).success());
    let record = refusals(&gateway, count + 1).pop().unwrap();
    let text = explained(&gateway, &record);
    assert!(text.contains("the password is not this user's"), "{text}");
    assert!(text.contains("what to do: type it again"), "{text}");
}

/// A contractor's laptop, which is blocked when it is not compliant.
const CONTRACTORS: &str = "5d1c8a40-6f2e-4b7a-9c31-000000000099,dave-laptop,dave@example.com,windows,\
                           10.0.22631,00:00:5e:00:53:99,SAMPLE0099,,yes,yes,compliant,yes,no,yes,unknown,\
                           entra,company,managed\n";

/// One process logs in again and again, by its session; meanwhile something about the device changes.
/// wpa_supplicant resumes a tunnel with EAP-TLS inside once only, so tunnels have passwords inside, and a
/// device that is known by its MAC address.
#[test]
fn a_device_that_turned_bad_does_not_get_in_by_its_session_rfc9190_5_7() {
    let alice = ("alice", "alice-sample");
    let tunnel = |method, inside, tls13| Tunnel {
        tls13,
        again: 5000,
        mac: "00:00:5e:00:53:01",
        ..Tunnel::new(method, inside, alice)
    };
    for (way, device, good, bad, reason) in [
        (
            "TLS",
            "dave-laptop",
            ",compliant,",
            ",noncompliant,",
            "DeviceNotCompliant",
        ),
        (
            "PEAP",
            "alice-phone",
            ",managed",
            ",retirePending",
            "DeviceRetired",
        ),
        (
            "TTLS",
            "alice-phone",
            ",managed",
            ",retirePending",
            "DeviceRetired",
        ),
    ] {
        for tls13 in [false, true] {
            let gateway = Gateway::start(|conf| conf.append("devices.csv", CONTRACTORS));
            let files = sample(&gateway, "dave-laptop");
            let row = format!("row {way}, tls13 {tls13}");
            thread::scope(|scope| {
                let logins = scope.spawn(|| match way {
                    "PEAP" => run_tunnel(&gateway, &tunnel("PEAP", "auth=GTC", tls13)),
                    "TTLS" => run_tunnel(&gateway, &tunnel("TTLS", "auth=PAP", tls13)),
                    _ => login(&gateway, (way, "dave@example.com"), &files, tls13, 5000),
                });
                until("it has come by its session", || {
                    (gateway.journal().matches(" resumed").count() > 3).then_some(())
                });
                let devices = gateway.conf().read("devices.csv");
                let line = devices.lines().find(|line| line.contains(device));
                let line = line.unwrap();
                let changed = line.replace(good, bad);
                assert_ne!(line, changed, "{row}");
                gateway.conf().replace("devices.csv", line, &changed);
                let outcome = logins.join().unwrap();
                assert!(!outcome.success(), "{row}");
            });
            let last = until("the journal says why", || {
                let journal = gateway.journal();
                let blocked = journal
                    .lines()
                    .find(|line| line.contains("\"verdict\":\"block\""));
                blocked.map(str::to_owned)
            });
            assert!(last.contains(reason), "{row}: {last}");
        }
    }
}

/// A list in PEM.
fn pem(der: &[u8]) -> String {
    use base64::Engine;
    let text = base64::engine::general_purpose::STANDARD.encode(der);
    format!("-----BEGIN X509 CRL-----\n{text}\n-----END X509 CRL-----\n")
}
