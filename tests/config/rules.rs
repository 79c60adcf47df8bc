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

/// It had none, where our own problems had that of the table.
#[test]
fn what_other_rooms_find_at_a_key_that_is_not_written_has_the_line_of_its_table() {
    fn hook(config: &config::Config) -> Vec<Problem> {
        vec![Problem {
            file: config.folder.join("gateway.toml").display().to_string(),
            line: None,
            key: "mail.upstreams.cloud".to_owned(),
            message: "is nowhere".to_owned(),
            severity: Severity::Error,
        }]
    }
    let home = Home::new();
    let draft = config::read(&home.conf());
    let refused = draft.complete(Purpose::Start, now(), &[hook]).unwrap_err();
    let text = fs::read_to_string(home.conf().join("gateway.toml")).unwrap();
    let table = text.lines().position(|line| line == "[mail]").unwrap();
    let expected = format!(
        "gateway.toml:{}: mail.upstreams.cloud: is nowhere",
        table + 1
    );
    assert_only(&refused.problems, &expected);
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

#[test]
fn radius_over_tls_needs_an_authority_and_somebody_who_may_come() {
    let open = |home: &Home| home.edit("gateway.toml", "radsec = []", "radsec = \"127.0.0.1:0\"");
    let home = Home::new();
    open(&home);
    let problem = only(errors(home.refused().problems));
    assert_eq!(problem.key, "radsec.client_ca");
    assert!(problem.message.contains("names no authority"), "{problem}");

    let home = Home::new();
    open(&home);
    home.edit(
        "gateway.toml",
        "client_ca = []              # [\"certs/nas-ca.pem\"]",
        "client_ca = \"certs/root.pem\"",
    );
    let warnings = home.loaded().warnings;
    let keys: Vec<&str> = warnings.iter().map(|one| one.key.as_str()).collect();
    assert_eq!(keys, ["listen.radsec", "radsec.client_ca"], "{warnings:?}");

    home.append(
        "nas.toml",
        "\n[[nas]]\nname = \"branch\"\ncertificate_name = \"branch.example.org\"\n",
    );
    let loaded = home.loaded();
    assert_eq!(loaded.warnings.len(), 1, "{:?}", loaded.warnings);
    assert_eq!(loaded.config.peers.len(), 1);
    assert_eq!(loaded.config.nas.len(), 2, "no datagrams from the branch");

    for (entry, expected) in [
        (
            "name = \"other\"\ncertificate_name = \"BRANCH.example.org\"",
            "other: branch.example.org already stands for branch",
        ),
        (
            "name = \"other\"\ncertificate_name = \"*.org\"",
            "\"*.org\" is no DNS name such as \"ap-1.example.org\" or \"*.aps.example.org\"",
        ),
        (
            "name = \"other\"\ncertificate_fingerprint = \"abcd\"",
            "\"abcd\" is no SHA-256 fingerprint: 64 hexadecimal digits, with or without colons",
        ),
        (
            "name = \"other\"\ncertificate_name = []",
            "an empty list lets nobody in",
        ),
    ] {
        let path = home.conf().join("nas.toml");
        let before = fs::read_to_string(&path).unwrap();
        home.append("nas.toml", &format!("\n[[nas]]\n{entry}\n"));
        let refused = errors(home.refused().problems);
        let found = refused.iter().any(|one| one.message == expected);
        assert!(found, "row {entry}: {refused:?}");
        fs::write(path, before).unwrap();
    }
}

fn errors(problems: Vec<Problem>) -> Vec<Problem> {
    let mut problems = problems;
    problems.retain(|one| one.severity == Severity::Error);
    problems
}

#[test]
fn groups_of_nases_that_only_the_policy_or_only_nas_toml_names_are_told_of() {
    let told = |home: &Home| {
        let output = run(home, &["check"]);
        let text = text_of(&output.stdout);
        assert_eq!(output.status.code(), Some(0), "{text}");
        let about = |line: &&str| line.contains("group");
        let lines: Vec<String> = text.lines().filter(about).map(str::to_owned).collect();
        lines
    };
    let home = Home::new();
    let of_switches = "group = \"access-switches\"";
    home.edit("nas.toml", "group = \"default\"", of_switches);
    assert_eq!(told(&home), [""; 0], "no policy names any");
    home.append(
        "policy.toml",
        "\n[[conditional]]\nname = \"Wired\"\nplanes = [\"network\"]\ntargets = [\"staff\"]\n\
         when = { nas_groups = [\"acces-switches\"] }\nrequire = [\"managed\"]\notherwise = \"block\"\n",
    );
    let lines = told(&home);
    assert_eq!(lines.len(), 2, "{lines:?}");
    for (file, key, expected) in [
        (
            "conf/nas.toml:",
            " nas[0].group: ",
            "are about the group access-switches, did you mean acces-switches?",
        ),
        (
            "conf/policy.toml:",
            ".when.nas_groups: ",
            "no NAS of nas.toml is in the group acces-switches, did you mean access-switches?",
        ),
    ] {
        let line = lines.iter().find(|line| line.starts_with(file)).unwrap();
        let number = line[file.len()..].split(':').next().unwrap();
        assert!(number.parse::<usize>().is_ok(), "{line}");
        assert!(line.contains(key) && line.contains(expected), "{line}");
    }
    // One that a section of gateway.toml is about has its use.
    home.edit("nas.toml", of_switches, "group = \"lab\"");
    home.append("gateway.toml", "\n[methods.group.lab]\nallow = [\"mab\"]\n");
    let lines = told(&home);
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(lines[0].starts_with("conf/policy.toml:"), "{lines:?}");
    home.edit("policy.toml", "\"acces-switches\"", "\"lab\"");
    assert_eq!(told(&home), [""; 0]);
}

#[test]
fn a_home_server_that_is_this_gateway_is_refused() {
    for (listen, to, key) in [
        (
            "127.0.0.1:11812",
            "authentication = \"127.0.0.1:11812\"",
            "authentication",
        ),
        (
            "0.0.0.0:11812",
            "authentication = \"127.0.0.9:11812\"",
            "authentication",
        ),
        (
            "[::]:11812",
            "authentication = \"[::ffff:127.0.0.1]:11812\"",
            "authentication",
        ),
        (
            "127.0.0.1:11812",
            "accounting = \"127.0.0.1:11813\"",
            "accounting",
        ),
    ] {
        let home = Home::new();
        home.remove_sample_users();
        home.edit(
            "gateway.toml",
            "authentication = [\"127.0.0.1:11812\", \"[::1]:11812\"]",
            &format!("authentication = [\"{listen}\"]"),
        );
        home.append(
            "proxy.toml",
            &format!("[[home]]\nname = \"one\"\n{to}\nsecret = \"a secret for the one server\"\n"),
        );
        let problems = home.refused().problems;
        let about = problems
            .iter()
            .find(|one| one.key == format!("home[0].{key}"));
        let about = about.unwrap_or_else(|| panic!("row {to}: {problems:?}"));
        assert_eq!(about.severity, Severity::Error, "row {to}");
        assert!(about.message.contains("is this gateway itself"), "row {to}");
        assert!(about.line.is_some(), "row {to}");
    }
    // Another port, another address.
    for to in ["127.0.0.1:11912", "192.0.2.1:11812"] {
        let home = Home::new();
        home.append(
            "proxy.toml",
            &format!("[[home]]\nname = \"one\"\nauthentication = \"{to}\"\nsecret = \"a secret for the one server\"\n"),
        );
        assert!(home.complete().is_ok(), "row {to}");
    }
}

#[test]
fn home_servers_and_realms_are_checked_together() {
    let home = Home::new();
    let server = "[[home]]\nname = \"one\"\nauthentication = \"192.0.2.10:1812\"\n\
                  secret = \"a secret for the one server\"\n";
    fs::set_permissions(
        home.conf().join("proxy.toml"),
        fs::Permissions::from_mode(0o600),
    )
    .unwrap();
    home.append("proxy.toml", server);
    home.append(
        "proxy.toml",
        "[[realm]]\nname = \"example.org\"\nhomes = [\"one\"]\n",
    );
    let loaded = home.loaded();
    assert_eq!(loaded.warnings, []);
    assert_eq!(loaded.config.homes.len(), 1);
    assert!(loaded.config.realms[0].judge, "unless it is switched off");

    for (entry, key, expected) in [
        (
            "[[realm]]\nname = \"Example.ORG\"",
            "realm[1].name",
            "\"Example.ORG\" is already realm[0]",
        ),
        (
            "[[realm]]\nname = \"x.org\"\nhomes = [\"two\"]",
            "realm[1].homes",
            "no [[home]] is called two",
        ),
        (
            "[[realm]]\nname = \"a@b\"",
            "realm[1].name",
            "expected a realm such as \"example.org\", \"*.example.org\", \"*\" or \"\", found \"a@b\"",
        ),
        (
            "[[home]]\nname = \"one\"\naccounting = \"192.0.2.10:1813\"\nsecret = \"a secret for another one\"",
            "home[1].name",
            "one is already the name of home[0]",
        ),
        (
            "[[home]]\nname = \"two\"\naccounting = \"192.0.2.10:1813\"\nsecret = \"testing123\"",
            "home[1].secret",
            "the secret is a well-known default, or words or characters in a row",
        ),
    ] {
        let path = home.conf().join("proxy.toml");
        let before = fs::read_to_string(&path).unwrap();
        home.append("proxy.toml", &format!("{entry}\n"));
        let problem = only(errors(home.refused().problems));
        let found = (problem.key.as_str(), problem.message.as_str());
        assert_eq!(found, (key, expected), "row {entry}");
        fs::write(path, before).unwrap();
    }
}
