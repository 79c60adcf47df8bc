//! OpenLDAP's slapd as directory: passwords, groups, TLS, and servers that are dead or hang.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;

use serde_json::Value;

use crate::certificate::sample;
use crate::eapol_test::Login;
use crate::eapol_test::Tunnel;
use crate::eapol_test::run;
use crate::eapol_test::run_tunnel;
use crate::gateway::Conf;
use crate::gateway::Gateway;
use crate::gateway::until;
use crate::ports;
use crate::radclient::SIGNED;
use crate::radclient::begin;
use crate::radclient::send;
use crate::slapd::Slapd;
use crate::teap::PAC;
use crate::teap::PUT_RIGHT;

/// Judges users by what is known of them alone: who has logged in may in, unless banned.
pub(crate) fn allow_users(conf: &Conf) {
    for rule in ["no_policy_applies      ", "unknown_device         "] {
        let written = format!("{rule}= \"quarantine\"");
        conf.replace("policy.toml", &written, &format!("{rule}= \"allow\""));
    }
    conf.replace(
        "policy.toml",
        "unknown_user           = \"block\"",
        "unknown_user = \"allow\"",
    );
}

/// Writes a directory with these servers into the configuration.
pub(crate) fn directory(conf: &Conf, servers: &[String], more: &str) {
    let secret = conf.path("ldap.secret");
    fs::write(&secret, "reader-secret\n").unwrap();
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o600)).unwrap();
    conf.write(
        "directory.toml",
        &format!(
            "[[ldap]]\nname = \"corp\"\nservers = {servers:?}\nbase = \"dc=example,dc=org\"\n\
             bind_dn = \"cn=reader,dc=example,dc=org\"\nbind_password_file = \"ldap.secret\"\n\
             server_deadline = \"1s\"\n{more}\n"
        ),
    );
}

pub(crate) fn clear(slapd: &Slapd) -> Vec<String> {
    vec![format!("ldap://127.0.0.1:{}", slapd.port)]
}

pub(crate) const CLEAR: &str = "start_tls = false";

fn login(gateway: &Gateway, user: &str, password: &str) -> String {
    let attributes = format!("User-Name = \"{user}\"\nUser-Password = \"{password}\"\n{SIGNED}");
    let secret = gateway.secret();
    send(gateway.authentication, "auth", &secret, &attributes)
}

#[track_caller]
fn accepts(gateway: &Gateway, user: &str, password: &str) {
    let answer = login(gateway, user, password);
    assert!(
        answer.contains("Received Access-Accept"),
        "{user} {password}:\n{answer}\n{}",
        gateway.log()
    );
}

/// Gives what the record says of it.
#[track_caller]
fn rejects(gateway: &Gateway, user: &str, password: &str) -> String {
    let answer = login(gateway, user, password);
    assert!(
        answer.contains("Received Access-Reject"),
        "{user} {password}:\n{answer}"
    );
    last_record(gateway)
}

pub(crate) fn last_record(gateway: &Gateway) -> String {
    let journal = gateway.path("var/journal/decisions0.jsonl");
    until("the decision is on record", || {
        // `explain` writes what waits.
        gateway.command(&["explain", "0000000000000000"]);
        let text = fs::read_to_string(&journal).ok()?;
        text.lines().last().map(str::to_owned)
    })
}

pub(crate) fn status(gateway: &Gateway) -> Value {
    let status = gateway.command(&["status", "--json"]);
    let status: Value = serde_json::from_slice(&status.stdout).unwrap();
    status.get("directories").unwrap().clone()
}

/// Takes the users of the sample file away, so that alice is the directory's.
fn no_file_users(conf: &Conf) {
    conf.write("users.toml", "");
}

fn start(edit: impl FnOnce(&Conf)) -> Gateway {
    Gateway::start(|conf| {
        allow_users(conf);
        no_file_users(conf);
        edit(conf);
    })
}

#[test]
fn a_password_is_checked_by_binding_as_the_user_rfc4513_5_1() {
    let slapd = Slapd::start();
    let gateway = start(|conf| directory(conf, &clear(&slapd), CLEAR));
    accepts(&gateway, "alice", "alice-ldap");
    // The realm is no part of what is searched.
    accepts(&gateway, "Alice@example.org", "alice-ldap");
    accepts(&gateway, "EXAMPLE\\\\alice", "alice-ldap");
    let why = rejects(&gateway, "alice", "wrong");
    assert!(why.contains("the password is not this user's"), "{why}");
    let why = rejects(&gateway, "carol", "alice-ldap");
    assert!(why.contains("there is no such user"), "{why}");
    let answers = status(&gateway);
    let answers = answers.get("answers").unwrap();
    for (outcome, count) in [("accepted", 3), ("refused", 1), ("unknown", 1)] {
        assert_eq!(answers.get(outcome).unwrap(), count, "{answers}");
    }
}

#[test]
fn passwords_inside_of_tunnels_are_checked_by_binding_too() {
    let slapd = Slapd::start();
    let gateway = start(|conf| directory(conf, &clear(&slapd), CLEAR));
    let without_eap = start(|conf| {
        directory(conf, &clear(&slapd), CLEAR);
        let from = r#"inside = ["gtc", "pap", "eap-tls"]"#;
        conf.replace("gateway.toml", from, r#"inside = ["pap"]"#);
    });
    for (gateway, method, inside, program, more) in [
        (&gateway, "PEAP", "auth=GTC", "eapol_test", ""),
        (&gateway, "TTLS", "auth=PAP", "eapol_test", ""),
        (&gateway, "TTLS", "autheap=GTC", "eapol_test", ""),
        (&gateway, "TEAP", "auth=GTC", PUT_RIGHT, PAC),
        (&without_eap, "TEAP", "", PUT_RIGHT, PAC),
    ] {
        let login = Tunnel {
            program,
            more,
            ..Tunnel::new(method, inside, ("alice", "alice-ldap"))
        };
        let outcome = run_tunnel(gateway, &login);
        let row = format!("row {method} {inside}");
        assert!(outcome.success(), "{row}:\n{}", outcome.output);
        assert_eq!(outcome.keys(), (1, 0), "{row}");
        for (user, password, why) in [
            ("alice", "alice-wrong", "the password is not"),
            ("carol", "alice-ldap", "there is no such user"),
        ] {
            let wrong = Tunnel {
                user,
                password,
                ..login
            };
            let outcome = run_tunnel(gateway, &wrong);
            assert!(!outcome.success(), "{row} {user}:\n{}", outcome.output);
            let record = last_record(gateway);
            assert!(record.contains(why), "{row}: {record}");
        }
    }
}

#[test]
fn an_empty_password_never_becomes_an_anonymous_bind_rfc4513_5_1_2() {
    let slapd = Slapd::start();
    let gateway = start(|conf| directory(conf, &clear(&slapd), CLEAR));
    // It gets no further than the codec, which takes it for none; see the directory's own test.
    rejects(&gateway, "alice", "");
    accepts(&gateway, "alice", "alice-ldap");
}

#[test]
fn what_is_typed_as_a_name_is_matched_as_it_stands_rfc4515_4() {
    let slapd = Slapd::start();
    let gateway = start(|conf| directory(conf, &clear(&slapd), CLEAR));
    for name in [
        "*",
        "a*",
        "*)(uid=alice",
        "alice)(objectClass=*",
        "*)(|(uid=*",
        "al\\\\2aice",
        "alice\\000",
    ] {
        let answer = login(&gateway, name, "alice-ldap");
        assert!(
            answer.contains("Received Access-Reject"),
            "row {name}:\n{answer}"
        );
    }
    accepts(&gateway, "alice", "alice-ldap");
}

#[test]
fn users_of_the_file_are_looked_for_nowhere_else() {
    let slapd = Slapd::start();
    let gateway = Gateway::start(|conf| {
        allow_users(conf);
        directory(conf, &clear(&slapd), CLEAR);
    });
    // alice is of users.toml too, with another password.
    accepts(&gateway, "alice", "alice-sample");
    rejects(&gateway, "alice", "alice-ldap");
    accepts(&gateway, "bob-ldap", "bob-ldap");
}

#[test]
fn starttls_and_ldaps_carry_passwords_rfc4513_3() {
    let slapd = Slapd::start();
    for url in [
        format!("ldap://localhost:{}", slapd.port),
        format!("ldaps://localhost:{}", slapd.tls_port),
    ] {
        let ca = format!("ca_file = {:?}", slapd.ca_file());
        let gateway = start(|conf| directory(conf, std::slice::from_ref(&url), &ca));
        accepts(&gateway, "alice", "alice-ldap");
        let why = rejects(&gateway, "alice", "wrong");
        assert!(
            why.contains("the password is not this user's"),
            "{url} {why}"
        );
    }
}

#[test]
fn a_server_with_another_name_or_authority_gets_no_password_rfc4513_3_1_3() {
    let slapd = Slapd::start();
    for (host, ca, expected) in [
        ("127.0.0.1", slapd.ca_file(), "not valid for name"),
        ("localhost", slapd.other_ca_file(), "UnknownIssuer"),
    ] {
        for url in [
            format!("ldap://{host}:{}", slapd.port),
            format!("ldaps://{host}:{}", slapd.tls_port),
        ] {
            let ca = format!("ca_file = {ca:?}");
            let gateway = start(|conf| directory(conf, std::slice::from_ref(&url), &ca));
            let why = rejects(&gateway, "alice", "alice-ldap");
            assert!(why.contains("TLS fails"), "{url} {why}");
            let status = status(&gateway).to_string();
            assert!(status.contains(expected), "{url} {status}");
        }
    }
}

/// Bans the members of a group of the directory.
pub(crate) fn ban(conf: &Conf, group: &str) {
    conf.replace(
        "policy.toml",
        "[groups]\n",
        &format!("[groups]\nbanned = \"{group}\"\n"),
    );
    conf.append(
        "policy.toml",
        "\n[[conditional]]\nname = \"Banned\"\nplanes = [\"network\"]\ntargets = [\"banned\"]\n\
         action = \"block\"\n",
    );
}

#[test]
fn groups_of_the_directory_are_in_the_decision_nested_ones_too() {
    let slapd = Slapd::start();
    let search = format!("{CLEAR}\ngroups = \"search\"");
    let member_of = format!("{CLEAR}\ngroups = \"member-of\"");
    let flat = format!("{search}\nnested = 0");
    for (group, how, banned) in [
        ("inner", &search, true),
        // In a circle with the other, which ends all the same.
        ("outer", &search, true),
        ("outer", &flat, false),
        ("posix", &search, true),
        ("inner", &member_of, true),
        ("outer", &member_of, true),
        ("posix", &member_of, false),
        ("another", &search, false),
    ] {
        let gateway = start(|conf| {
            ban(conf, group);
            directory(conf, &clear(&slapd), how);
        });
        if banned {
            let record = rejects(&gateway, "alice", "alice-ldap");
            assert!(record.contains("block"), "row {group} {how}: {record}");
        } else {
            accepts(&gateway, "alice", "alice-ldap");
        }
        accepts(&gateway, "bob-ldap", "bob-ldap");
    }
}

#[test]
fn a_change_of_groups_counts_from_the_next_login_on() {
    let slapd = Slapd::start();
    let search = format!("{CLEAR}\ngroups = \"search\"\nuser_attribute = \"mail\"");
    let gateway = start(|conf| {
        ban(conf, "inner");
        directory(conf, &clear(&slapd), &search);
    });
    rejects(&gateway, "alice", "alice-ldap");
    slapd.modify(
        "dn: cn=inner,ou=groups,dc=example,dc=org\nchangetype: modify\ndelete: member\n\
         member: uid=alice,ou=people,dc=example,dc=org\n",
    );
    accepts(&gateway, "alice", "alice-ldap");
    slapd.modify(
        "dn: cn=inner,ou=groups,dc=example,dc=org\nchangetype: modify\nadd: member\n\
         member: uid=alice,ou=people,dc=example,dc=org\n",
    );
    rejects(&gateway, "alice", "alice-ldap");
}

/// A server that accepts and never says anything.
fn hanging() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    (listener, format!("ldap://127.0.0.1:{port}"))
}

#[test]
fn the_next_server_is_asked_when_one_is_dead_or_hangs() {
    let slapd = Slapd::start();
    let (_listener, hangs) = hanging();
    let dead = format!("ldap://127.0.0.1:{}", ports::tcp());
    let servers = [vec![dead, hangs], clear(&slapd)].concat();
    let gateway = start(|conf| directory(conf, &servers, CLEAR));
    // Three times the first two are tried, then they are left alone.
    for _ in 0..5 {
        accepts(&gateway, "alice", "alice-ldap");
    }
    let status = status(&gateway);
    let servers = status.get("servers").unwrap().as_array().unwrap().clone();
    let of = |number: usize, key: &str| servers[number].get(key).unwrap().clone();
    assert_eq!(of(0, "health"), "down", "{status}");
    assert_eq!(of(1, "health"), "down", "{status}");
    assert_eq!(of(2, "health"), "up", "{status}");
    assert_eq!(of(2, "asked"), 5, "{status}");
    assert!(of(1, "trouble").as_str().unwrap().contains("in time"));
    assert!(gateway.log().contains("left alone for a while"));
}

/// A reload had servers asked again that had just failed.
#[test]
fn a_reload_keeps_what_is_known_of_the_servers_of_a_directory() {
    let slapd = Slapd::start();
    let dead = format!("ldap://127.0.0.1:{}", ports::tcp());
    let servers = [vec![dead], clear(&slapd)].concat();
    let gateway = start(|conf| directory(conf, &servers, CLEAR));
    for _ in 0..3 {
        accepts(&gateway, "alice", "alice-ldap");
    }
    let servers = |gateway: &Gateway| status(gateway).get("servers").unwrap().clone();
    let before = servers(&gateway);
    assert_eq!(before[0]["health"], "down", "{before}");
    gateway
        .conf()
        .replace("gateway.toml", "free_guesses = 5", "free_guesses = 6");
    assert!(gateway.reload().contains("is in force"));
    assert_eq!(servers(&gateway), before);
    accepts(&gateway, "alice", "alice-ldap");
    let after = servers(&gateway);
    assert_eq!(after[0], before[0], "nobody asks it for a while");
    assert_eq!(after[1]["asked"], 4, "{after}");
    // What is configured otherwise begins anew.
    directory(
        &gateway.conf(),
        &clear(&slapd),
        "start_tls = false\nnested = 3",
    );
    assert!(gateway.reload().contains("is in force"));
    assert_eq!(servers(&gateway)[0]["asked"], 0);
}

#[test]
fn a_directory_that_hangs_costs_only_those_who_need_it() {
    let (_listener, hangs) = hanging();
    let gateway = start(|conf| {
        directory(conf, &[hangs], CLEAR);
        conf.replace("directory.toml", "\"1s\"", "\"20s\"");
        conf.write(
            "directory.toml",
            &format!("deadline = \"20s\"\n{}", conf.read("directory.toml")),
        );
        conf.replace(
            "policy.toml",
            "no_credential          = \"quarantine\"",
            "no_credential = \"allow\"",
        );
    });
    // Each from a socket of its own, so that none is a retransmission.
    let attributes = format!("User-Name = \"alice\"\nUser-Password = \"x\"\n{SIGNED}");
    let secret = gateway.secret();
    let waiting: Vec<_> = (0..20)
        .map(|_| begin(gateway.authentication, &secret, &attributes))
        .collect();
    until("all of them wait", || {
        let waiting = status(&gateway).get("waiting")?.as_u64()?;
        (waiting == 20).then_some(())
    });
    // A MAC address and a certificate are answered while they do.
    let bypass = format!(
        "User-Name = \"00005e005301\"\nUser-Password = \"00005e005301\"\n\
         Service-Type = Call-Check\n{SIGNED}"
    );
    let answer = send(gateway.authentication, "auth", &secret, &bypass);
    assert!(answer.contains("Received Access-Accept"), "{answer}");
    let files = sample(&gateway, "alice-phone");
    let outcome = run(&gateway, &Login::new("alice@example.com", &files));
    assert!(outcome.success(), "{}", outcome.output);
    assert_eq!(
        status(&gateway).get("waiting").unwrap(),
        20,
        "they still wait"
    );
    drop(waiting);
}

#[test]
fn no_answer_is_given_where_the_nas_is_to_ask_elsewhere() {
    let gateway = start(|conf| {
        directory(conf, &[format!("ldap://127.0.0.1:{}", ports::tcp())], CLEAR);
        conf.replace(
            "gateway.toml",
            "when_unavailable = \"reject\"",
            "when_unavailable = \"drop\"",
        );
    });
    let answer = login(&gateway, "alice", "alice-ldap");
    assert!(answer.contains("No reply from server"), "{answer}");
    let record = last_record(&gateway);
    assert!(record.contains("cannot be reached"), "{record}");
}

#[test]
fn a_server_that_dies_between_two_logins_is_noticed_and_one_that_is_back_is_used() {
    let mut slapd = Slapd::start();
    let gateway = start(|conf| directory(conf, &clear(&slapd), CLEAR));
    accepts(&gateway, "alice", "alice-ldap");
    slapd.kill();
    let why = rejects(&gateway, "alice", "alice-ldap");
    assert!(why.contains("cannot be reached"), "{why}");
    // A reload puts another one in its place.
    let other = Slapd::start();
    directory(&gateway.conf(), &clear(&other), CLEAR);
    assert!(gateway.reload().contains("is in force"));
    accepts(&gateway, "alice", "alice-ldap");
}

#[test]
fn check_tells_mistakes_of_the_directory_file_with_line_and_key() {
    let gateway = start(|_| {});
    gateway.conf().write(
        "directory.toml",
        "[[ldap]]\nname = \"corp\"\nservers = [\"ldap://dc.example.org\"]\nstart_tls = false\n\
         base = \"dc=a\"\nfilter = \"(uid=*)\"\n",
    );
    let log = gateway.reload();
    assert!(log.contains("stays in force"), "{log}");
    for expected in [
        "directory.toml:3: ldap[0].servers: passwords would go to ldap://dc.example.org in the clear",
        "directory.toml:6: ldap[0].filter: has neither {user} nor {name}",
    ] {
        assert!(log.contains(expected), "{expected} is not in {log}");
    }
}
