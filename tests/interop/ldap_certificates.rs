//! Groups of slapd for those whom a certificate proves, and what a slow or dead directory costs them.

use std::thread;

use crate::certificate::Files;
use crate::certificate::Wanted;
use crate::certificate::issue;
use crate::certificate::sample;
use crate::eapol_test::Login;
use crate::eapol_test::Outcome;
use crate::eapol_test::Tunnel;
use crate::eapol_test::run;
use crate::eapol_test::run_tunnel;
use crate::gateway::Conf;
use crate::gateway::Gateway;
use crate::gateway::until;
use crate::ldap::CLEAR;
use crate::ldap::allow_users;
use crate::ldap::ban;
use crate::ldap::clear;
use crate::ldap::directory;
use crate::ldap::last_record;
use crate::ldap::status;
use crate::ports;
use crate::slapd::Slapd;

/// A gateway that looks the groups of certificates up, in seconds rather than minutes.
fn start(servers: &[String], more: &str, edit: impl FnOnce(&Conf)) -> Gateway {
    Gateway::start(|conf| {
        allow_users(conf);
        let more = format!("{CLEAR}\ngroups = \"search\"\n{more}");
        directory(conf, servers, &more);
        edit(conf);
    })
}

fn login(gateway: &Gateway, files: &Files) -> Outcome {
    run(gateway, &Login::new("anonymous@example.com", files))
}

#[track_caller]
fn accepts(gateway: &Gateway, files: &Files) {
    let outcome = login(gateway, files);
    let log = gateway.log();
    assert!(outcome.success(), "{}\n{log}", outcome.output);
    assert_eq!(outcome.keys(), (1, 0));
}

/// Gives what the record says of it.
#[track_caller]
fn rejects(gateway: &Gateway, files: &Files) -> String {
    let outcome = login(gateway, files);
    assert!(!outcome.success(), "{}", outcome.output);
    assert!(outcome.says("code=3 (Access-Reject)"), "{}", outcome.output);
    last_record(gateway)
}

fn asked(gateway: &Gateway) -> u64 {
    let status = status(gateway);
    let servers = status.get("servers").unwrap().as_array().unwrap().iter();
    let asked = servers.filter_map(|server| server.get("asked")?.as_u64());
    asked.sum()
}

#[test]
fn groups_of_the_directory_count_for_certificates_as_for_passwords() {
    let slapd = Slapd::start();
    for (group, banned) in [("inner", true), ("outer", true), ("another", false)] {
        let gateway = start(&clear(&slapd), "certificates = \"require\"", |conf| {
            ban(conf, group);
            conf.write("users.toml", "");
        });
        let files = sample(&gateway, "alice-phone");
        for tls13 in [false, true] {
            let mut login = Login::new("anonymous@example.com", &files);
            login.tls13 = tls13;
            let outcome = run(&gateway, &login);
            let row = format!("{group} {tls13}");
            assert_eq!(outcome.success(), !banned, "row {row}: {}", outcome.output);
            let record = last_record(&gateway);
            assert_eq!(record.contains("\"verdict\":\"block\""), banned, "{record}");
        }
        let password = ("alice", "alice-ldap");
        for (method, inside, files) in [
            ("TTLS", "auth=PAP", None),
            ("PEAP", "auth=GTC", None),
            ("TTLS", "autheap=TLS", Some(&files)),
        ] {
            let tunnel = Tunnel {
                files,
                ..Tunnel::new(method, inside, password)
            };
            let outcome = run_tunnel(&gateway, &tunnel);
            let row = format!("{group} {method} {inside}");
            assert_eq!(outcome.success(), !banned, "row {row}: {}", outcome.output);
        }
    }
}

#[test]
fn groups_are_asked_for_once_in_their_time_and_again_after_it() {
    let slapd = Slapd::start();
    let gateway = start(&clear(&slapd), "certificates = \"require\"", |conf| {
        ban(conf, "inner");
        let text = conf.read("directory.toml");
        conf.write(
            "directory.toml",
            &format!("groups_fresh_for = \"1s\"\n{text}"),
        );
    });
    let alice = sample(&gateway, "alice-phone");
    rejects(&gateway, &alice);
    let leave = |verb: &str| {
        slapd.modify(&format!(
            "dn: cn=inner,ou=groups,dc=example,dc=org\nchangetype: modify\n{verb}: member\n\
             member: uid=alice,ou=people,dc=example,dc=org\n"
        ));
    };
    leave("delete");
    until("she has left the group", || {
        login(&gateway, &alice).success().then_some(())
    });
    // A ticket does not carry groups either: resumed again and again, until she is in it once more.
    leave("add");
    until("she is in the group again", || {
        let mut resuming = Login::new("anonymous@example.com", &alice);
        resuming.again = 2;
        (!run(&gateway, &resuming).success()).then_some(())
    });
    // One who is in no directory costs a question each time too, and no more.
    gateway
        .conf()
        .replace("directory.toml", "groups_fresh_for = \"1s\"", "");
    assert!(gateway.reload().contains("is in force"));
    let before = asked(&gateway);
    let bob = sample(&gateway, "alice-desktop");
    for _ in 0..3 {
        rejects(&gateway, &bob);
    }
    assert_eq!(asked(&gateway), before + 1, "{}", status(&gateway));
}

#[test]
fn whoever_leaves_the_directory_leaves_its_groups() {
    let slapd = Slapd::start();
    let gateway = start(&clear(&slapd), "certificates = \"require\"", |conf| {
        ban(conf, "inner");
    });
    let alice = sample(&gateway, "alice-phone");
    rejects(&gateway, &alice);
    slapd.modify("dn: uid=alice,ou=people,dc=example,dc=org\nchangetype: delete\n");
    // Within their time they are not asked for again, but after a reload.
    rejects(&gateway, &alice);
    assert!(gateway.reload().contains("is in force"));
    accepts(&gateway, &alice);
}

#[test]
fn a_machine_has_the_groups_of_its_account() {
    let slapd = Slapd::start();
    slapd.add(
        "dn: ou=computers,dc=example,dc=org\nobjectClass: organizationalUnit\nou: computers\n\n\
         dn: cn=pc1$,ou=computers,dc=example,dc=org\nobjectClass: device\ncn: pc1$\n\n\
         dn: cn=kiosks,ou=groups,dc=example,dc=org\nobjectClass: groupOfNames\ncn: kiosks\n\
         member: cn=pc1$,ou=computers,dc=example,dc=org\n",
    );
    let more =
        "certificates = \"require\"\nmachine_filter = \"(&(objectClass=device)(cn={user}$))\"";
    for (name, banned) in [("kiosks", true), ("another", false)] {
        let gateway = start(&clear(&slapd), more, |conf| {
            ban(conf, name);
            let rule = "no_credential          = \"quarantine\"";
            conf.replace("policy.toml", rule, "no_credential = \"allow\"");
        });
        let machine = |machine| Wanted {
            name: machine,
            machine,
            user: "",
            device: "",
            ..Wanted::default()
        };
        let pc1 = issue(&gateway, &machine("pc1.example.com"));
        let pc2 = issue(&gateway, &machine("pc2.example.com"));
        if banned {
            let record = rejects(&gateway, &pc1);
            assert!(record.contains("host/pc1.example.com"), "{record}");
        } else {
            accepts(&gateway, &pc1);
        }
        accepts(&gateway, &pc2);
        let record = last_record(&gateway);
        assert!(!record.contains("host/pc2"), "in no directory: {record}");
    }
}

/// Somebody of another realm, whom no directory is asked about.
fn stranger(gateway: &Gateway) -> Files {
    let wanted = Wanted {
        name: "stranger",
        user: "zoe@elsewhere.example",
        ..Wanted::default()
    };
    issue(gateway, &wanted)
}

#[test]
fn a_directory_that_halts_costs_only_those_whose_groups_are_due() {
    let slapd = Slapd::start();
    let more = "certificates = \"require\"\nrealms = [\"example.com\"]";
    let gateway = start(&clear(&slapd), more, |conf| {
        let text = conf.read("directory.toml");
        let text = text.replace("\"1s\"", "\"15s\"");
        conf.write("directory.toml", &format!("deadline = \"15s\"\n{text}"));
    });
    let (alice, bob) = (
        sample(&gateway, "alice-phone"),
        sample(&gateway, "bob-laptop"),
    );
    let stranger = stranger(&gateway);
    accepts(&gateway, &alice);
    slapd.halt(true);
    thread::scope(|scope| {
        let waiting = scope.spawn(|| login(&gateway, &bob));
        until("bob waits", || {
            let waiting = status(&gateway).get("waiting")?.as_u64()?;
            (waiting == 1).then_some(())
        });
        // Known of late, and never asked for.
        for _ in 0..3 {
            accepts(&gateway, &alice);
            accepts(&gateway, &stranger);
        }
        assert_eq!(
            status(&gateway).get("waiting").unwrap(),
            1,
            "he still waits"
        );
        slapd.halt(false);
        let outcome = waiting.join().unwrap();
        assert!(outcome.says("code="), "{}", outcome.output);
        assert!(
            !last_record(&gateway).contains("directory corp"),
            "he was answered by the directory"
        );
    });
}

#[test]
fn without_an_answer_what_was_known_counts_for_its_time_and_then_what_is_configured() {
    let mut slapd = Slapd::start();
    let servers = clear(&slapd);
    let gateway = start(&servers, "certificates = \"require\"", |conf| {
        ban(conf, "inner");
        let text = conf.read("directory.toml");
        conf.write(
            "directory.toml",
            &format!("groups_fresh_for = \"1s\"\n{text}"),
        );
    });
    let (alice, stranger) = (sample(&gateway, "alice-phone"), stranger(&gateway));
    rejects(&gateway, &alice);
    slapd.halt(true);
    // Each try waits its second until the server is left alone, and then no more.
    let record = rejects(&gateway, &stranger);
    assert!(record.contains("directory corp"), "{record}");
    assert!(record.contains("zoe@elsewhere.example"), "{record}");
    for _ in 0..3 {
        let record = rejects(&gateway, &alice);
        assert!(record.contains("\"verdict\":\"block\""), "{record}");
    }
    until("the server is left alone", || {
        rejects(&gateway, &stranger);
        status(&gateway).to_string().contains("down").then_some(())
    });
    slapd.kill();
    gateway.conf().replace(
        "directory.toml",
        "certificates = \"require\"",
        "certificates = \"prefer\"",
    );
    assert!(gateway.reload().contains("is in force"));
    // Her groups are still known; of the other nothing is, and the rest decides.
    let record = rejects(&gateway, &alice);
    assert!(record.contains("\"verdict\":\"block\""), "{record}");
    accepts(&gateway, &stranger);
}

#[test]
fn whoever_cannot_be_looked_up_is_not_answered_where_the_nas_is_to_ask_elsewhere() {
    let nowhere = [format!("ldap://127.0.0.1:{}", ports::tcp())];
    let gateway = start(&nowhere, "certificates = \"require\"", |conf| {
        conf.replace(
            "gateway.toml",
            "when_unavailable = \"reject\"",
            "when_unavailable = \"drop\"",
        );
    });
    let outcome = login(&gateway, &sample(&gateway, "alice-phone"));
    assert!(!outcome.success());
    assert!(
        !outcome.says("code=3 (Access-Reject)"),
        "{}",
        outcome.output
    );
    let record = last_record(&gateway);
    assert!(record.contains("cannot be reached"), "{record}");
}
