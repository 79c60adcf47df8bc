//! Certificates that cannot serve, and those that everybody knows.

use std::fs;

use portreeve::config;
use portreeve::config::Purpose;
use portreeve::model::Severity;
use portreeve::model::Timestamp;
use rcgen::ExtendedKeyUsagePurpose;
use rcgen::KeyPair;

use crate::home::Home;
use crate::home::now;
use crate::home::only;
use crate::home::run_with_input;
use crate::home::text_of;

#[test]
fn another_address_together_with_the_sample_pki_is_refused() {
    for (from, to, key) in [
        (
            "\"127.0.0.1:11812\"",
            "\"0.0.0.0:11812\"",
            "listen.authentication",
        ),
        (
            "\"[::1]:11813\"",
            "\"[2001:db8::1]:11813\"",
            "listen.accounting",
        ),
        ("\"127.0.0.1:18443\"", "\"192.0.2.1:443\"", "listen.mail"),
    ] {
        let home = Home::new();
        home.remove_sample_users();
        home.edit("gateway.toml", from, to);
        let refused = home.refused();
        // Whoever opens the mail door is warned beside it that users are told nothing.
        let errors = refused.problems.iter();
        let errors: Vec<_> = errors
            .filter(|problem| problem.severity == Severity::Error)
            .collect();
        assert_eq!(errors.len(), 3, "row {to}: {refused}");
        let warned = (refused.problems.iter()).find(|problem| problem.key == "mail.notify.host");
        assert_eq!(
            warned.is_some(),
            key == "listen.mail",
            "row {to}: {refused}"
        );
        assert!(warned.is_none_or(|problem| problem.line.is_some()), "{to}");
        for (problem, file) in errors.iter().zip(["eas.pem", "radius.pem", "root.pem"]) {
            assert_eq!(problem.key, key, "row {to}");
            assert!(problem.line.is_some(), "row {to}");
            assert!(problem.message.contains(file), "row {to}: {problem}");
            assert!(
                problem.message.contains("is of the sample PKI"),
                "row {to}: {problem}"
            );
        }
    }
    let home = Home::new();
    home.edit("gateway.toml", "\"127.0.0.1:11812\"", "\"127.1.2.3:11812\"");
    assert_eq!(
        home.loaded().warnings,
        [],
        "all of 127.0.0.0/8 is this machine"
    );
}

#[test]
fn another_address_together_with_sample_users_is_refused() {
    let home = Home::new();
    home.own_pki();
    home.edit("gateway.toml", "\"127.0.0.1:11812\"", "\"192.0.2.1:1812\"");
    let refused = home.refused();
    let keys: Vec<&str> = refused
        .problems
        .iter()
        .map(|problem| problem.key.as_str())
        .collect();
    assert_eq!(keys, ["user[0]", "user[1]", "user[2]"], "{refused}");

    // Another hash of the sample password, and the sample's hash under another name.
    let hash = run_with_input(&["hash-password"], "alice-sample");
    let text = fs::read_to_string(home.conf().join("users.toml")).unwrap();
    let sample = text
        .lines()
        .find(|line| line.starts_with("nt_hash"))
        .unwrap();
    let own = "0123456789abcdef0123456789abcdef";
    let users = format!(
        "[[user]]\nname = \"alice\"\npassword = \"{}\"\n\
         [[user]]\nname = \"dave\"\n{sample}\n\
         [[user]]\nname = \"bob\"\nnt_hash = \"{own}\"\n",
        text_of(&hash.stdout).trim_end()
    );
    fs::write(home.conf().join("users.toml"), users).unwrap();
    let refused = home.refused();
    let keys: Vec<&str> = refused
        .problems
        .iter()
        .map(|problem| problem.key.as_str())
        .collect();
    assert_eq!(keys, ["user[0]", "user[1]"], "{refused}");
}

#[test]
fn another_address_with_certificates_and_users_of_ones_own_is_fine() {
    let home = Home::new();
    home.own_pki();
    home.remove_sample_users();
    home.edit("gateway.toml", "\"127.0.0.1:11812\"", "\"192.0.2.1:1812\"");
    assert_eq!(home.loaded().warnings, []);
}

/// A closed mail door had to have certificates of one's own before another door could be opened.
#[test]
fn the_certificates_of_a_closed_door_are_not_judged() {
    for (closed, server, other) in [
        (["\"127.0.0.1:18443\"", "\"[::1]:18443\""], "eas", "radius"),
        (["\"127.0.0.1:11812\"", "\"[::1]:11812\""], "radius", "eas"),
    ] {
        let home = Home::new();
        home.remove_sample_users();
        home.edit("gateway.toml", &closed.join(", "), "");
        // That of the open door is of one's own, that of the closed one is the sample's.
        let root = home.write_root();
        let host = match other {
            "eas" => "mail.portreeve.test",
            _ => "radius.example.org",
        };
        home.write_leaf(&root, other, host, &[ExtendedKeyUsagePurpose::ServerAuth]);
        home.edit("gateway.toml", ", \"localhost\"]", "]");
        home.edit("gateway.toml", "\"127.0.0.1:11813\"", "\"192.0.2.1:1813\"");
        assert_eq!(home.loaded().warnings, [], "row {server}: the sample's");
        fs::write(home.path(&format!("certs/{server}.pem")), "broken").unwrap();
        fs::remove_file(home.path(&format!("certs/keys/{server}.key"))).unwrap();
        assert_eq!(
            home.loaded().warnings,
            [],
            "row {server}: broken and missing"
        );
    }
}

#[test]
fn certificates_that_cannot_serve_are_refused() {
    type Change = fn(&Home);
    let rows: [(&str, Change, &str, &str); 9] = [
        (
            "missing certificate",
            |home| fs::remove_file(home.path("certs/radius.pem")).unwrap(),
            "eap.certificate",
            "radius.pem does not exist",
        ),
        (
            "missing key",
            |home| fs::remove_file(home.path("certs/keys/eas.key")).unwrap(),
            "mail.key",
            "eas.key does not exist",
        ),
        (
            "no PEM",
            |home| fs::write(home.path("certs/eas.pem"), "hello").unwrap(),
            "mail.certificate",
            "eas.pem holds no certificate",
        ),
        (
            "broken DER",
            |home| {
                let pem = "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n";
                fs::write(home.path("certs/eas.pem"), pem).unwrap();
            },
            "mail.certificate",
            "eas.pem holds a certificate that cannot be read: not an X.509 certificate",
        ),
        (
            "key of another",
            |home| {
                fs::copy(
                    home.path("certs/keys/eas.key"),
                    home.path("certs/keys/radius.key"),
                )
                .unwrap();
            },
            "eap.key",
            "radius.key is not the key of this certificate",
        ),
        (
            "certificate in place of the key",
            |home| {
                fs::copy(home.path("certs/eas.pem"), home.path("certs/keys/eas.key")).unwrap();
            },
            "mail.key",
            "eas.key holds no private key without a passphrase",
        ),
        (
            "not for servers",
            |home| {
                home.write_own("radius", &[ExtendedKeyUsagePurpose::ClientAuth]);
            },
            "eap.certificate",
            "radius.pem is not for servers: its extended key usage lacks serverAuth",
        ),
        (
            "for nothing in particular",
            |home| {
                home.write_own("radius", &[]);
            },
            "eap.certificate",
            "radius.pem is not for servers: its extended key usage lacks serverAuth",
        ),
        (
            "no authority",
            |home| {
                home.edit(
                    "gateway.toml",
                    "client_ca = [\"certs/root.pem\"]\n# The oldest",
                    "client_ca = [\"certs/eas.pem\"]\n# The oldest",
                )
            },
            "eap.client_ca",
            "is no authority (basic constraints)",
        ),
    ];
    for (row, change, key, message) in rows {
        let home = Home::new();
        change(&home);
        let problem = only(home.refused().problems);
        assert_eq!(problem.key, key, "row {row}");
        assert!(problem.message.ends_with(message), "row {row}: {problem}");
        assert!(problem.line.is_some(), "row {row}: {problem}");
    }
}

#[test]
fn revocation_lists_are_read_and_warned_of_when_they_are_old() {
    let home = Home::new();
    home.edit(
        "gateway.toml",
        "revocation_lists = []",
        "revocation_lists = \"certs/list.pem\"",
    );
    let problem = only(home.refused().problems);
    assert_eq!(problem.key, "eap.revocation_lists");
    assert!(
        problem.message.ends_with("list.pem does not exist"),
        "{problem}"
    );

    fs::copy(home.path("certs/root.pem"), home.path("certs/list.pem")).unwrap();
    let problem = only(home.refused().problems);
    assert!(
        problem
            .message
            .ends_with("holds no revocation list that can be read"),
        "{problem}"
    );

    home.write_revocation_list("list", 24);
    assert_eq!(home.loaded().warnings, []);
    let later = now() + std::time::Duration::from_secs(25 * 3600);
    let loaded = config::read(&home.conf())
        .complete(Purpose::Start, later, &[])
        .unwrap();
    let problem = only(loaded.warnings);
    assert_eq!(problem.key, "eap.revocation_lists");
    assert!(
        problem
            .message
            .contains("a newer revocation list was due on"),
        "{problem}"
    );
}

#[test]
fn a_list_that_its_authority_has_not_signed_is_refused_with_its_file() {
    let home = Home::new();
    home.edit(
        "gateway.toml",
        "revocation_lists = []",
        "revocation_lists = [\"certs/good.pem\", \"certs/forged.pem\"]",
    );
    home.write_revocation_list("good", 24);
    home.write_list_signed_with(KeyPair::generate().unwrap(), "forged", 24);
    let problem = only(home.refused().problems);
    assert_eq!(problem.key, "eap.revocation_lists");
    assert!(
        problem.message.contains("forged.pem: ")
            && problem.message.ends_with("and not signed with its key"),
        "{problem}"
    );
}

#[test]
fn a_list_of_an_authority_that_nobody_knows_is_warned_of() {
    let home = Home::new();
    home.edit(
        "gateway.toml",
        "revocation_lists = []",
        "revocation_lists = [\"certs/good.pem\", \"certs/strange.pem\"]",
    );
    home.write_revocation_list("good", 24);
    home.write_strange_list("strange", 24);
    let problem = only(home.loaded().warnings);
    assert_eq!(problem.key, "eap.revocation_lists");
    assert!(
        problem.message.contains("strange.pem: ") && problem.message.contains("CN=Strange CA"),
        "{problem}"
    );
}

#[test]
fn what_is_read_for_eap_is_what_the_files_hold() {
    let home = Home::new();
    home.write_revocation_list("list", 24);
    home.edit(
        "gateway.toml",
        "revocation_lists = []",
        "revocation_lists = [\"certs/list.pem\"]",
    );
    home.edit("gateway.toml", "tls_min = \"1.2\"", "tls_min = \"1.3\"");
    let eap = home.loaded().config.eap;
    let settings = eap.settings(&eap.resumption()).unwrap();
    let lengths = (
        settings.chain.len(),
        settings.roots.len(),
        settings.revocation_lists.len(),
    );
    assert_eq!(lengths, (1, 1, 1));
    assert_eq!(
        (settings.lowest, settings.highest),
        (eap.tls.tls_min, eap.tls.tls_max)
    );
    assert!(settings.resumption.is_some());

    home.edit("gateway.toml", "tickets = 1", "tickets = 0");
    let eap = home.loaded().config.eap;
    assert!(
        eap.settings(&eap.resumption())
            .unwrap()
            .resumption
            .is_none()
    );
    fs::remove_file(&eap.tls.key).unwrap();
    let error = eap.settings(&eap.resumption()).unwrap_err().to_string();
    assert!(error.ends_with("radius.key does not exist"), "{error}");
}

#[test]
fn what_the_first_start_makes_is_only_warned_about_by_check() {
    let home = Home::bare();
    let draft = config::read(&home.conf());
    let loaded = draft.clone().complete(Purpose::Check, now(), &[]).unwrap();
    assert_eq!(loaded.warnings.len(), 5);
    for problem in &loaded.warnings {
        assert!(
            problem
                .message
                .ends_with("does not exist yet, portreeve run makes it"),
            "{problem}"
        );
    }
    let refused = draft.complete(Purpose::Start, now(), &[]).unwrap_err();
    assert_eq!(refused.problems.len(), 5);
}

#[test]
fn the_end_of_a_certificate_is_warned_of_and_then_refused() {
    let day = |days: u64| now() + std::time::Duration::from_secs(days * 86_400);
    let home = Home::new();
    for (at, errors, warnings) in [
        (day(300), 0, 0),
        (day(340), 0, 2),
        (day(366), 2, 0),
        (day(710), 2, 2),
        (day(740), 4, 2),
    ] {
        let problems = match config::read(&home.conf()).complete(Purpose::Start, at, &[]) {
            Ok(loaded) => loaded.warnings,
            Err(refused) => refused.problems,
        };
        let count = |severity| {
            problems
                .iter()
                .filter(|one| one.severity == severity)
                .count()
        };
        let found = (count(Severity::Error), count(Severity::Warning));
        assert_eq!(found, (errors, warnings), "row {at}: {problems:?}");
    }
    let before = Timestamp::from_unix_seconds(now().unix_seconds() - 86_400);
    let refused = config::read(&home.conf())
        .complete(Purpose::Start, before, &[])
        .unwrap_err();
    assert!(
        refused.to_string().contains("is valid only from"),
        "{refused}"
    );
}

#[test]
fn names_that_the_mail_certificate_lacks_are_warned_of() {
    let home = Home::new();
    home.edit(
        "gateway.toml",
        "\"localhost\"]",
        "\"Localhost\", \"mail.example.org\"]",
    );
    let problem = only(home.loaded().warnings);
    assert_eq!(problem.key, "mail.certificate");
    assert!(
        problem
            .message
            .ends_with("lacks the published name mail.example.org"),
        "{problem}"
    );
}
