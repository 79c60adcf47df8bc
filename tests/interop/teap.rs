//! TEAP with wpa_supplicant. Debian builds it without TEAP; `tests/run` builds it with, from Debian's
//! sources of version 2.10, twice: as they are, and with three of its faults put right as later versions
//! have them.
//!
//! Where 2.10 differs from RFC 9930:
//!
//! - It puts the keys of MSCHAPv2 the other way round (section 3.6.3): put right.
//! - It forgets a method before it answers the Crypto-Binding of it, if the next one is asked for in the
//!   same message (section 4.3: Crypto-Binding comes first): put right, or no machine is followed by a
//!   user.
//! - Without an inner method, and with a password without EAP, its MSK is of the seed of the chain and not
//!   of the round that it has bound (section 6.4): put right.
//! - It wants a file of PACs, which RFC 9930 has done away with (`pac_file`); none is used.
//! - It sends Identity-Type and Basic-Password-Auth-Resp without the mandatory flag (sections 4.2.3 and
//!   4.2.15).
//! - It knows no Identity-Hint, and never resumes a tunnel of TEAP (section 3.5).
//! - In TLS 1.3 it derives keys by the PRF of TLS 1.2 with the suite's hash; see `tls13_keys`.

use crate::certificate::Wanted;
use crate::certificate::issue;
use crate::certificate::sample;
use crate::eapol_test::Outcome;
use crate::eapol_test::Tunnel;
use crate::eapol_test::run_tunnel;
use crate::gateway::Conf;
use crate::gateway::Gateway;
use crate::gateway::until;

/// Debian's sources as they are, and with the faults put right.
const AS_THEY_ARE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/target/teap/eapol_test");
pub(crate) const PUT_RIGHT: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/target/teap/eapol_test.right");

pub(crate) const PAC: &str = "pac_file=\"blob://none\"\n";

const BOB: (&str, &str) = ("bob", "bob-sample");
const ALICE: (&str, &str) = ("alice", "alice-sample");

fn gateway(edit: impl FnOnce(&Conf)) -> Gateway {
    Gateway::start(|conf| {
        conf.replace("gateway.toml", "tls_max = \"1.2\"", "tls_max = \"1.3\"");
        edit(conf);
    })
}

/// One at which everything may be spoken inside, in this order.
fn speaking(inside: &str) -> Gateway {
    gateway(|conf| {
        let from = r#"inside = ["gtc", "pap", "eap-tls"]"#;
        conf.replace("gateway.toml", from, &format!("inside = [{inside}]"));
    })
}

fn both(gateway: &Gateway, login: &Tunnel<'_>, look: impl Fn(&str, &Outcome)) {
    for tls13 in [false, true] {
        let outcome = run_tunnel(gateway, &Tunnel { tls13, ..*login });
        let version = if tls13 { "TLSv1.3" } else { "TLSv1.2" };
        let row = format!("{} {} {version}", login.inside, login.user);
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

fn teap<'a>(inside: &'a str, who: (&'a str, &'a str), program: &'a str) -> Tunnel<'a> {
    Tunnel {
        program,
        more: PAC,
        ..Tunnel::new("TEAP", inside, who)
    }
}

/// Settings of a machine with a sample device's certificate.
fn machine(gateway: &Gateway, device: &str) -> String {
    let files = sample(gateway, device);
    format!(
        "{PAC}machine_identity=\"host/{device}\"\nmachine_ca_cert=\"{}\"\n\
         machine_client_cert=\"{}\"\nmachine_private_key=\"{}\"\nmachine_phase2=\"auth=TLS\"\n",
        gateway.path("certs/root.pem").display(),
        files.certificate.display(),
        files.key.display(),
    )
}

#[test]
fn a_user_gets_in_with_the_same_keys_rfc9930_6_4() {
    let gateway = speaking(r#""mschapv2", "gtc", "eap-tls""#);
    for program in [AS_THEY_ARE, PUT_RIGHT] {
        both(&gateway, &teap("auth=GTC", ALICE, program), succeeds);
        let files = sample(&gateway, "alice-phone");
        let login = Tunnel {
            files: Some(&files),
            ..teap("auth=TLS", ("alice@example.com", ""), program)
        };
        both(&gateway, &login, |row, outcome| {
            succeeds(row, outcome);
            assert_eq!(outcome.attribute(81), None, "row {row}: no VLAN");
        });
    }
    both(&gateway, &teap("auth=MSCHAPV2", BOB, PUT_RIGHT), succeeds);
}

#[test]
fn a_user_gets_in_by_a_password_without_eap_rfc9930_3_6_2() {
    let gateway = speaking(r#""pap""#);
    both(&gateway, &teap("", ALICE, PUT_RIGHT), succeeds);
    both(&gateway, &teap("", ("alice", "wrong"), PUT_RIGHT), fails);
    assert!(gateway.journal().contains("\"teap/pap 1.2\""));
}

#[test]
fn a_machine_and_its_user_are_the_device_and_the_user_rfc9930_3_6() {
    let gateway = speaking(r#""mschapv2", "gtc", "eap-tls""#);
    let more = machine(&gateway, "bob-laptop");
    let login = Tunnel {
        more: &more,
        ..teap("auth=MSCHAPV2", BOB, PUT_RIGHT)
    };
    both(&gateway, &login, succeeds);
    let alone = Tunnel {
        more: &more,
        user: "",
        password: "",
        ..login
    };
    both(&gateway, &alone, succeeds);
    let wrong = Tunnel {
        password: "wrong",
        ..login
    };
    both(&gateway, &wrong, fails);
    let journal = gateway.journal();
    for version in ["1.2", "1.3"] {
        let method = format!("\"teap/eap-tls+mschapv2 {version}\"");
        let line = journal.lines().find(|line| line.contains(&method));
        let line = line.unwrap_or_else(|| panic!("{method}: {journal}"));
        for part in ["\"user\":\"bob\"", "\"established\":\"proven\""] {
            assert!(line.contains(part), "{part}: {line}");
        }
        let method = format!("\"teap/eap-tls {version}\"");
        assert!(journal.contains(&method), "{method}: {journal}");
    }
}

#[test]
fn a_machine_that_is_refused_keeps_its_user_out() {
    let gateway = speaking(r#""mschapv2", "gtc", "eap-tls""#);
    let expired = issue(
        &gateway,
        &Wanted {
            name: "expired",
            expired: true,
            ..Wanted::default()
        },
    );
    let more = format!(
        "{PAC}machine_identity=\"host/pc\"\nmachine_ca_cert=\"{}\"\nmachine_client_cert=\"{}\"\n\
         machine_private_key=\"{}\"\nmachine_phase2=\"auth=TLS\"\n",
        gateway.path("certs/root.pem").display(),
        expired.certificate.display(),
        expired.key.display(),
    );
    let login = Tunnel {
        more: &more,
        ..teap("auth=MSCHAPV2", BOB, PUT_RIGHT)
    };
    both(&gateway, &login, fails);
    assert!(gateway.journal().contains("expired"));
}

#[test]
fn the_certificate_of_the_tunnel_is_enough_where_somebody_says_so_rfc9930_c() {
    let gateway = gateway(|conf| {
        conf.replace(
            "gateway.toml",
            "certificate = \"unasked\"",
            "certificate = \"enough\"",
        );
    });
    let files = sample(&gateway, "alice-phone");
    let more = format!(
        "{PAC}client_cert=\"{}\"\nprivate_key=\"{}\"\n",
        files.certificate.display(),
        files.key.display(),
    );
    let login = Tunnel {
        more: &more,
        ..teap("auth=GTC", ("alice@example.com", "none"), PUT_RIGHT)
    };
    both(&gateway, &login, |row, outcome| {
        succeeds(row, outcome);
        assert_eq!(outcome.attribute(81), None, "row {row}: no VLAN");
    });
}

/// What wpa_supplicant 2.10 does as it is: a peer that binds other keys is not let in.
#[test]
fn a_peer_that_binds_other_keys_is_refused_rfc9930_4_2_13() {
    let gateway = speaking(r#""mschapv2", "gtc", "eap-tls""#);
    both(&gateway, &teap("auth=MSCHAPV2", BOB, AS_THEY_ARE), fails);
    until("what the peer reports is on record", || {
        let journal = gateway.journal();
        journal.contains("reports error 2001 of TEAP").then_some(())
    });
}

#[test]
fn a_wrong_password_and_a_method_that_is_off_are_refused() {
    let gateway = speaking(r#""gtc""#);
    let wrong = teap("auth=GTC", ("alice", "wrong"), AS_THEY_ARE);
    both(&gateway, &wrong, fails);
    both(&gateway, &teap("auth=MSCHAPV2", BOB, AS_THEY_ARE), fails);
    let gateway = self::gateway(|conf| {
        conf.replace("gateway.toml", "\"peap\", \"teap\"", "\"peap\"");
    });
    let off = run_tunnel(&gateway, &teap("auth=GTC", ALICE, AS_THEY_ARE));
    fails("off", &off);
}

#[test]
fn the_probe_speaks_it_too() {
    let gateway = speaking(r#""mschapv2", "gtc", "pap", "eap-tls""#);
    let server = gateway.authentication.to_string();
    let secret = gateway.path("certs/secrets/nas-local");
    let file = gateway.path("password");
    let machine = sample(&gateway, "bob-laptop");
    let (certificate, key) = (machine.certificate.display(), machine.key.display());
    let (certificate, key) = (certificate.to_string(), key.to_string());
    let machine = [
        "--machine",
        "host/bob-laptop",
        "--machine-certificate",
        &certificate,
        "--machine-key",
        &key,
    ];
    for (inside, (user, password), more, good) in [
        ("gtc", ALICE, &[][..], true),
        ("pap", ALICE, &[][..], true),
        ("mschapv2", BOB, &[][..], true),
        ("mschapv2", BOB, &machine[..], true),
        ("mschapv2", ("bob", "wrong"), &machine[..], false),
        ("gtc", ("", ""), &machine[..], true),
    ] {
        std::fs::write(&file, format!("{password}\n")).unwrap();
        for tls in ["1.2", "1.3"] {
            let mut arguments = vec!["probe", "teap", user, "--inside", inside, "--tls", tls];
            arguments.extend(["--password-file", file.to_str().unwrap()]);
            arguments.extend(["--server", &server]);
            arguments.extend(["--secret-file", secret.to_str().unwrap()]);
            arguments.extend(["--station", "00:00:5e:00:53:77"]);
            arguments.extend(more);
            let output = gateway.command(&arguments);
            let text = String::from_utf8_lossy(&output.stdout).into_owned();
            let row = format!("row {inside} {user} {tls} {}: {text}", more.len());
            assert_eq!(output.status.code(), Some(i32::from(!good)), "{row}");
        }
    }
}
