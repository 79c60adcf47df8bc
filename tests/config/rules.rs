//! What must hold between several keys.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use portreeve::config;
use portreeve::config::Purpose;
use portreeve::model::Problem;
use portreeve::model::Severity;

use crate::home::Home;
use crate::home::assert_only;
use crate::home::now;
use crate::home::only;
use crate::home::run;
use crate::home::text_of;

#[test]
fn known_short_and_empty_secrets_are_refused() {
    for (secret, expected) in [
        (
            "testing123",
            "the secret is a well-known default, or words or characters in a row",
        ),
        (
            "aaaaaaaaaaaaaaaaaaaaaaaa",
            "the secret is a well-known default, or words or characters in a row",
        ),
        (
            "fifteen octets!",
            "the secret has 15 octets, at least 16 are needed",
        ),
        ("", "the secret has 0 octets, at least 16 are needed"),
    ] {
        let inline = Home::new();
        inline.edit(
            "nas.toml",
            "secret_file = \"certs/secrets/nas-local\"",
            &format!("secret = \"{secret}\""),
        );
        let problem = only(inline.refused().problems);
        assert_eq!(
            (problem.key.as_str(), problem.message.as_str()),
            ("nas[0].secret", expected)
        );
        assert!(problem.line.is_some(), "row {secret}");

        let file = Home::new();
        fs::write(
            file.path("certs/secrets/nas-local"),
            format!("{secret}\r\n"),
        )
        .unwrap();
        let problem = only(file.refused().problems);
        assert_eq!(
            (problem.key.as_str(), problem.message.as_str()),
            ("nas[0].secret_file", expected)
        );
        assert!(
            secret.is_empty() || !problem.to_string().contains(secret),
            "row {secret}"
        );
    }
}

#[test]
fn files_with_keys_and_secrets_that_others_may_read_are_warned_of() {
    for (file, key) in [
        ("certs/secrets/nas-local", "nas[0].secret_file"),
        ("certs/keys/radius.key", "eap.key"),
        ("certs/keys/eas.key", "mail.key"),
    ] {
        let home = Home::new();
        fs::set_permissions(home.path(file), fs::Permissions::from_mode(0o640)).unwrap();
        let problem = only(home.loaded().warnings);
        assert_eq!(problem.key, key);
        assert!(
            problem
                .message
                .contains("has mode 0640, others may read it: chmod 600"),
            "{problem}"
        );
    }
    let home = Home::new();
    home.edit(
        "nas.toml",
        "secret_file = \"certs/secrets/nas-local\"",
        "secret = \"sixteen octets!!\"",
    );
    fs::set_permissions(
        home.conf().join("nas.toml"),
        fs::Permissions::from_mode(0o644),
    )
    .unwrap();
    let problem = only(home.loaded().warnings);
    assert_eq!(problem.key, "nas[0].secret");
}

#[test]
fn ports_that_clash_are_refused() {
    for (from, to, clashes) in [
        ("\"127.0.0.1:11813\"", "\"127.0.0.1:11812\"", true),
        ("\"127.0.0.1:19090\"", "\"127.0.0.1:18443\"", true),
        // UDP and TCP have ports of their own.
        ("\"127.0.0.1:19090\"", "\"127.0.0.1:11812\"", false),
        ("\"127.0.0.1:19090\"", "\"127.0.0.2:18443\"", false),
        (
            "\"127.0.0.1:11813\", \"[::1]:11813\"",
            "\"127.0.0.1:0\", \"127.0.0.1:0\"",
            false,
        ),
    ] {
        let home = Home::new();
        home.edit("gateway.toml", from, to);
        match home.complete() {
            Ok(_) => assert!(!clashes, "row {to}"),
            Err(refused) => {
                assert!(clashes, "row {to}: {refused}");
                assert!(
                    refused.to_string().contains("is taken by"),
                    "row {to}: {refused}"
                );
            }
        }
    }
    let home = Home::new();
    home.own_pki();
    home.remove_sample_users();
    home.edit(
        "gateway.toml",
        "\"127.0.0.1:11812\", \"[::1]:11812\"",
        "\"0.0.0.0:11812\"",
    );
    home.edit(
        "gateway.toml",
        "\"127.0.0.1:11813\", \"[::1]:11813\"",
        "\"127.0.0.1:11812\"",
    );
    let problem = only(home.refused().problems);
    assert!(
        problem
            .message
            .ends_with("is taken by 0.0.0.0:11812 of listen.authentication")
    );
}

#[test]
fn overlapping_networks_are_warned_of_and_equal_ones_refused() {
    for (network, expected) in [
        (
            "127.0.0.0/8",
            Err("127.0.0.0/8 already belongs to local (nas[0])"),
        ),
        (
            "127.1.2.3/8",
            Err("127.0.0.0/8 already belongs to local (nas[0])"),
        ),
        (
            "127.1.0.0/16",
            Ok("127.1.0.0/16 overlaps 127.0.0.0/8 of local (nas[0]); the longer prefix wins"),
        ),
        ("::/0", Ok("::/0 lets every address on earth ask")),
        ("10.0.0.0/8", Ok("")),
    ] {
        let home = Home::new();
        let entry = format!(
            "\n[[nas]]\nname = \"other\"\nnetwork = \"{network}\"\n\
             secret_file = \"certs/secrets/nas-local\"\n"
        );
        home.append("nas.toml", &entry);
        let found = match home.complete() {
            Ok(loaded) => Ok(loaded
                .warnings
                .first()
                .map_or_else(String::new, |one| one.message.clone())),
            Err(refused) => Err(only(refused.problems).message),
        };
        assert_eq!(
            found,
            expected.map(str::to_owned).map_err(str::to_owned),
            "row {network}"
        );
    }
}

#[test]
fn networks_in_networks_are_told_with_the_nearest_around_them() {
    let home = Home::new();
    for (name, networks) in [
        ("site", "\"10.0.0.0/8\", \"10.1.0.0/16\", \"2001:db8::/32\""),
        ("floor", "\"10.1.2.0/24\", \"10.200.0.0/24\""),
        ("switch", "\"10.1.2.3\", \"2001:db8::1\""),
        ("wide", "\"10.0.0.0/7\""),
    ] {
        home.append(
            "nas.toml",
            &format!(
                "\n[[nas]]\nname = \"{name}\"\nnetwork = [{networks}]\n\
                 secret_file = \"certs/secrets/nas-local\"\n"
            ),
        );
    }
    let warnings = home.complete().unwrap().warnings;
    let mut told: Vec<&str> = warnings
        .iter()
        .filter(|one| one.message.contains("overlaps"))
        .map(|one| one.message.split(" of ").next().unwrap())
        .collect();
    told.sort_unstable();
    assert_eq!(
        told,
        [
            "10.0.0.0/7 overlaps 10.0.0.0/8",
            "10.1.2.0/24 overlaps 10.1.0.0/16",
            "10.1.2.3/32 overlaps 10.1.2.0/24",
            "10.200.0.0/24 overlaps 10.0.0.0/8",
            "2001:db8::1/128 overlaps 2001:db8::/32",
        ]
    );
}

/// Every network was compared with every other: half a minute for such a table, at each reload.
#[test]
fn a_table_of_fifty_thousand_networks_is_read_and_its_one_overlap_told() {
    let home = Home::new();
    let mut text = String::new();
    for site in 0..1_000_u32 {
        let networks: Vec<String> = (0..50_u32)
            .map(|n| (site * 50 + n) << 8 | 10 << 24)
            .map(|bits| format!("\"{}/24\"", std::net::Ipv4Addr::from_bits(bits)))
            .collect();
        text.push_str(&format!(
            "\n[[nas]]\nname = \"site-{site}\"\nnetwork = [{}]\n\
             secret_file = \"certs/secrets/nas-local\"\n",
            networks.join(", ")
        ));
    }
    text.push_str("\n[[nas]]\nname = \"inside\"\nnetwork = \"10.0.7.9\"\nsecret_file = \"certs/secrets/nas-local\"\n");
    home.append("nas.toml", &text);
    let warnings = home.complete().unwrap().warnings;
    let overlaps: Vec<_> = warnings
        .iter()
        .filter(|one| one.message.contains("overlaps"))
        .collect();
    assert_eq!(overlaps.len(), 1);
    assert_eq!(overlaps[0].key, "nas[1001].network");
}

/// Decision records cut longer names, so that one could not be told from another.
#[test]
fn names_that_records_cannot_keep_are_refused() {
    for (key, most) in [("name", 64), ("group", 48)] {
        for (octets, fits) in [(most, true), (most + 1, false)] {
            let home = Home::new();
            let text = "n".repeat(octets);
            let (name, group) = match key {
                "name" => (text.as_str(), "other"),
                _ => ("other", text.as_str()),
            };
            home.append(
                "nas.toml",
                &format!(
                    "\n[[nas]]\nname = \"{name}\"\ngroup = \"{group}\"\n\
                     network = \"10.0.0.0/8\"\nsecret_file = \"certs/secrets/nas-local\"\n"
                ),
            );
            if fits {
                assert_eq!(home.loaded().warnings, [], "row {key} {octets}");
                continue;
            }
            let problem = only(home.refused().problems);
            let message = format!("{octets} octets, decision records keep {most}");
            assert_eq!(problem.message, message, "row {key}");
            assert!(problem.key.ends_with(&format!("].{key}")), "{problem}");
        }
    }
}

#[test]
fn other_rules_table() {
    let long = format!("control_socket = \"{}/control.sock\"", "x".repeat(120));
    for (file, from, to, severity, key) in [
        (
            "nas.toml",
            "message_authenticator = \"require\"",
            "message_authenticator = \"off\"",
            Severity::Warning,
            "nas[0].message_authenticator",
        ),
        (
            "gateway.toml",
            "control_socket = \"var/control.sock\"",
            &long,
            Severity::Error,
            "data.control_socket",
        ),
        (
            "gateway.toml",
            "tls_max = \"1.3\"",
            "tls_max = \"1.1\"",
            Severity::Error,
            "eap.tls_max",
        ),
        (
            "gateway.toml",
            "tls_min = \"1.2\"\n# The newest TLS version.\ntls_max = \"1.3\"",
            "tls_min = \"1.3\"\n# The newest TLS version.\ntls_max = \"1.2\"",
            Severity::Error,
            "eap.tls_min",
        ),
        (
            "gateway.toml",
            "upstream = \"http://127.0.0.1:18080\"",
            "upstream = \"http://exchange.example.org\"",
            Severity::Warning,
            "mail.upstream",
        ),
        (
            "gateway.toml",
            "upstream = \"http://127.0.0.1:18080\"",
            "upstream = \"https://exchange.example.org/ews\"",
            Severity::Error,
            "mail.upstream",
        ),
        (
            "gateway.toml",
            "# upstream_ca = ",
            "upstream_ca = ",
            Severity::Error,
            "mail.upstream_ca",
        ),
        (
            "gateway.toml",
            "# [enforce.group.aruba]\n# template",
            "[enforce.group.defautl]\ntemplate",
            Severity::Warning,
            "enforce.group.defautl",
        ),
    ] {
        let home = Home::new();
        home.edit(file, from, to);
        let problems = match home.complete() {
            Ok(loaded) => loaded.warnings,
            Err(refused) => refused.problems,
        };
        let problem = only(problems);
        assert_eq!(
            (problem.severity, problem.key.as_str()),
            (severity, key),
            "row {to}: {problem}"
        );
        assert!(problem.line.is_some(), "row {to}: {problem}");
    }
}

#[test]
fn what_other_rooms_find_is_reported_along() {
    fn hook(config: &config::Config) -> Vec<Problem> {
        vec![Problem {
            file: config.folder.join("policy.toml").display().to_string(),
            line: Some(3),
            key: "policy[0]".to_owned(),
            message: "locks everybody out".to_owned(),
            severity: Severity::Error,
        }]
    }
    let home = Home::new();
    let draft = config::read(&home.conf());
    let refused = draft.complete(Purpose::Start, now(), &[hook]).unwrap_err();
    assert_only(
        &refused.problems,
        "policy.toml:3: policy[0]: locks everybody out",
    );
}

#[test]
fn the_files_of_other_rooms_are_checked_along_by_the_command() {
    for (file, from, to, code, expected) in [
        (
            "policy.toml",
            "#",
            "unknown_key = 1\n#",
            1,
            "conf/policy.toml:1: unknown_key: ",
        ),
        (
            "source.toml",
            "devices = \"devices.csv\"",
            "device = \"devices.csv\"",
            1,
            "conf/source.toml:",
        ),
        (
            "source.toml",
            "\"devices.csv\"",
            "\"missing.csv\"",
            1,
            "conf/missing.csv: does not exist",
        ),
        (
            "devices.csv",
            "# compliant\n5d1c8a40",
            "# compliant\nzzzzzzzz",
            0,
            "conf/devices.csv:",
        ),
        (
            "users.csv",
            "frank@example.com,",
            "frank@example.com,alice;",
            0,
            "conf/users.csv: warning: the alias alice is both of alice@example.com",
        ),
        (
            "policy.toml",
            "\"staff\"\n",
            "\"stuff\"\n",
            0,
            "conf/policy.toml:",
        ),
        (
            "users.csv",
            "user,aliases",
            "usr,aliases",
            1,
            "conf/users.csv:",
        ),
    ] {
        let home = Home::new();
        home.edit(file, from, to);
        let output = run(&home, &["check"]);
        let text = text_of(&output.stdout);
        assert!(text.starts_with(expected), "row {file} {to}: {text}");
        assert_eq!(output.status.code(), Some(code), "row {file} {to}: {text}");
    }
    let home = Home::new();
    fs::remove_file(home.conf().join("policy.toml")).unwrap();
    let text = text_of(&run(&home, &["check"]).stdout);
    assert!(
        text.starts_with("conf/policy.toml: does not exist"),
        "{text}"
    );
}

#[test]
fn doors_without_a_nas_and_no_door_at_all_are_told_of() {
    for (from, to, key) in [("gateway.toml", "", "listen"), ("nas.toml", "", "nas")] {
        let home = Home::new();
        if key == "listen" {
            for door in ["authentication", "accounting", "mail"] {
                let text = fs::read_to_string(home.conf().join(from)).unwrap();
                let line = text.lines().find(|line| line.starts_with(door)).unwrap();
                home.edit(from, line, &format!("{door} = []"));
            }
        } else {
            fs::write(home.conf().join(from), to).unwrap();
        }
        let warnings = home.loaded().warnings;
        assert!(
            warnings.iter().any(|problem| problem.key == key),
            "row {key}: {warnings:?}"
        );
    }
}

#[test]
fn a_file_in_the_place_of_a_folder_is_refused() {
    let home = Home::new();
    fs::write(home.path("taken"), "a file").unwrap();
    home.edit("gateway.toml", "var/accounting", "taken/accounting");
    let problem = only(home.refused().problems);
    assert_eq!(problem.key, "accounting.folder");
    assert!(
        problem.message.contains("taken is there and no folder"),
        "{problem}"
    );
}

#[test]
fn a_missing_secret_comes_with_a_remedy_and_matters_to_open_doors_only() {
    let home = Home::new();
    home.edit("nas.toml", "certs/secrets/nas-local", "elsewhere/nas-3");
    let problem = only(home.refused().problems);
    assert!(
        problem.message.contains("openssl rand -hex 16"),
        "{problem}"
    );
    for door in ["authentication", "accounting"] {
        let text = fs::read_to_string(home.conf().join("gateway.toml")).unwrap();
        let line = text.lines().find(|line| line.starts_with(door)).unwrap();
        home.edit("gateway.toml", line, &format!("{door} = []"));
    }
    let warnings = home.loaded().warnings;
    assert!(
        warnings
            .iter()
            .any(|problem| problem.key == "nas[0].secret_file")
    );
}

#[test]
fn weak_methods_and_tunnels_without_anything_inside_are_warned_of() {
    for (to, warned) in [
        (r#"inside = ["gtc"]"#, vec![]),
        (
            r#"inside = ["gtc", "mschapv2"]"#,
            vec![("methods.inside", "NT hash")],
        ),
        (
            r#"inside = ["chap", "mschap", "mschapv2", "gtc"]"#,
            vec![
                ("methods.inside", "in clear"),
                ("methods.inside", "NT hash"),
            ],
        ),
        (
            r#"inside = ["pap"]"#,
            vec![("methods.inside", "is not offered")],
        ),
    ] {
        let home = Home::new();
        home.edit("gateway.toml", r#"inside = ["gtc", "pap", "eap-tls"]"#, to);
        let warnings = home.loaded().warnings;
        assert_eq!(warnings.len(), warned.len(), "row {to}: {warnings:?}");
        for (warning, (key, words)) in warnings.iter().zip(warned) {
            assert_eq!(warning.key, key, "row {to}");
            assert!(warning.message.contains(words), "row {to}: {warning}");
        }
    }
}
