//! The commands that need no running gateway, as a person runs them.

use std::fs;

use portreeve::directory::Outcome;
use portreeve::directory::Users;
use portreeve::model::Proof;

use crate::home::Home;
use crate::home::run;
use crate::home::run_with_input;
use crate::home::text_of;

#[test]
fn check_prints_a_problem_a_line_and_ends_with_1_for_errors_only() {
    let home = Home::new();
    let output = run(&home, &["check"]);
    assert_eq!(text_of(&output.stdout), "conf: 0 errors, 0 warnings\n");
    assert_eq!(output.status.code(), Some(0));

    home.edit(
        "nas.toml",
        "message_authenticator = \"require\"",
        "message_authenticator = \"off\"",
    );
    assert_eq!(run(&home, &["check"]).status.code(), Some(0));

    home.edit("gateway.toml", "grace = \"10s\"", "grase = \"10s\"");
    home.edit("gateway.toml", "format = \"text\"", "format = 3");
    let output = run(&home, &["check", "conf"]);
    let text = text_of(&output.stdout);
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 4, "{text}");
    assert!(lines.iter().all(|line| line.starts_with("conf")), "{text}");
    assert_eq!(lines.last(), Some(&"conf: 2 errors, 1 warning"));
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(text_of(&output.stderr), "");

    let output = run(&home, &["check", "--json", "--conf", "conf"]);
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert_eq!((&json["errors"], &json["warnings"]), (&2.into(), &1.into()));
    let first = &json["problems"][0];
    assert_eq!(first["file"], "conf/gateway.toml");
    assert_eq!(first["key"], "log.format");
    assert_eq!(first["severity"], "error");
    assert!(first["line"].is_u64());
}

/// A request that is given up before its directory is gets no answer and no record.
#[test]
fn check_warns_of_directories_that_may_take_longer_than_their_requests() {
    let home = Home::new();
    let text = "deadline = \"20s\"\n[[ldap]]\nname = \"corp\"\nservers = [\"ldap://127.0.0.1\"]\n\
                start_tls = false\nbase = \"dc=a\"\n";
    fs::write(home.conf().join("directory.toml"), text).unwrap();
    let said = || text_of(&run(&home, &["check"]).stdout);
    assert!(!said().contains("eap.timeout"), "{}", said());
    home.edit("gateway.toml", "timeout = \"30s\"", "timeout = \"20s\"");
    let text = said();
    let expected = "directory.toml: warning: deadline: 20s is not shorter than eap.timeout";
    assert!(text.contains(expected), "{text}");
    assert!(text.contains("0 errors, 1 warning"), "{text}");
}

#[test]
fn check_tells_of_teap_that_is_left_with_tls_1_3_issue_4() {
    let home = Home::new();
    home.edit(
        "gateway.toml",
        "# [eap.group.secure]",
        "[eap.group.secure]\ntls_min = \"1.3\"\n# [eap.group.other]",
    );
    let text = text_of(&run(&home, &["check"]).stdout);
    let told = |line: &str| line.contains("eap.group.secure.tls_min: TEAP is allowed here");
    assert_eq!(text.lines().filter(|line| told(line)).count(), 1, "{text}");
}

#[test]
fn check_finds_material_that_a_start_would_refuse() {
    let home = Home::new();
    home.edit(
        "gateway.toml",
        "# [eap.group.secure]",
        "[eap.group.secure]\nprofile = \"suiteb192\"\n# [eap.group.other]",
    );
    let output = run(&home, &["check"]);
    let text = text_of(&output.stdout);
    assert!(
        text.lines()
            .any(|line| line.contains("eap.group.secure")
                && line.contains("192-bit mode takes P-384")),
        "{text}"
    );
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn certs_commands_make_show_and_watch() {
    let home = Home::bare();
    let output = run(&home, &["certs", "make"]);
    assert_eq!(output.status.code(), Some(0));
    assert!(text_of(&output.stdout).contains("made certs/radius.pem (certificate)"));
    let device = "0f8fad5b-d9cb-469f-a165-70867728950e";
    let make = [
        "certs",
        "make",
        "--device",
        device,
        "--user",
        "alice@contoso.com",
        "--name",
        "Phone",
    ];
    assert_eq!(run(&home, &make).status.code(), Some(0));
    assert!(home.path("certs/devices/phone.pem").exists());

    let output = run(&home, &["certs", "show", "--json"]);
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let all = json.as_array().unwrap();
    assert!(all.len() >= 4);
    let phone = all
        .iter()
        .find(|one| one["file"] == "certs/devices/phone.pem")
        .unwrap();
    assert_eq!(phone["device"], device);
    assert_eq!(phone["user"], "alice@contoso.com");
    assert_eq!(
        (&phone["client"], &phone["server"]),
        (&true.into(), &false.into())
    );

    assert_eq!(run(&home, &["certs", "expiry"]).status.code(), Some(0));
    let output = run(
        &home,
        &["certs", "expiry", "--warn-days", "400", "--dir", "certs"],
    );
    assert_eq!(output.status.code(), Some(1));
    assert!(text_of(&output.stdout).contains("certs/radius.pem"));

    // A file that the configuration names and that is not there ends the watch's peace.
    home.edit(
        "gateway.toml",
        "certificate = \"certs/eas.pem\"",
        "certificate = \"own/eas.pem\"",
    );
    let output = run(&home, &["certs", "expiry"]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(text_of(&output.stdout), "own/eas.pem does not exist\n");
}

#[test]
fn misuse_ends_with_2_and_one_line() {
    let home = Home::new();
    for arguments in [
        &["certs", "show", "--dir", "missing"][..],
        &["certs", "show", "--conf", "missing"],
        &["hash-password"],
    ] {
        let output = run(&home, arguments);
        assert_eq!(output.status.code(), Some(2), "row {arguments:?}");
        let text = text_of(&output.stderr);
        assert!(text.starts_with("portreeve: "), "row {arguments:?}: {text}");
        assert_eq!(text.lines().count(), 1, "row {arguments:?}: {text}");
    }
    assert_eq!(run(&home, &["chekc"]).status.code(), Some(2));
}

/// A language that there is not was shown as English, with exit code 0.
#[test]
fn a_message_is_shown_in_a_language_that_there_is_and_in_no_other() {
    let home = Home::new();
    let preview = |language: &str| {
        let reason = ["--reason", "TooManyDevices", "--language", language];
        run(&home, &[&["message", "preview"][..], &reason].concat())
    };
    for (language, expected) in [("fr", "plus d'appareils"), ("de-CH", "mehr Geräte")] {
        let output = preview(language);
        assert_eq!(output.status.code(), Some(0), "row {language}");
        let text = text_of(&output.stdout);
        assert!(text.contains(expected), "row {language}: {text}");
    }
    home.edit("gateway.toml", "language = \"en\"", "language = \"fr\"");
    let output = preview("it");
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(text_of(&output.stdout), "");
    assert_eq!(
        text_of(&output.stderr),
        "portreeve: there are no texts in the language \"it\"; there are de, en, es, fr, ja; whoever reads none of them is told \
         in fr\n"
    );
}

#[test]
fn a_hashed_password_can_be_put_into_users_toml() {
    let home = Home::new();
    let output = run_with_input(&["hash-password"], "correct horse\nbattery\n");
    assert_eq!(output.status.code(), Some(0));
    let hash = text_of(&output.stdout);
    let user = format!(
        "\n[[user]]\nname = \"dave\"\npassword = \"{}\"\n",
        hash.trim_end()
    );
    home.append("users.toml", &user);
    let config = home.loaded().config;
    let users = Users::new(config.users).unwrap();
    for (name, password, expected) in [
        ("dave", "correct horse", true),
        ("dave", "battery", false),
        ("alice", "alice-sample", true),
        ("bob", "bob-sample", true),
        ("carol", "carol-sample", true),
        ("carol", "alice-sample", false),
    ] {
        let found = users
            .verify(name, &Proof::Password(password.as_bytes()))
            .wait();
        let found = matches!(found, Outcome::Accepted(None));
        assert_eq!(found, expected, "row {name}");
    }
    let long = run_with_input(&["hash-password"], &"x".repeat(129));
    assert_eq!(long.status.code(), Some(2));
}
