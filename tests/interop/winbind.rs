//! Active Directory through a helper that speaks as `ntlm_auth --helper-protocol=ntlm-server-1` is
//! documented to (ntlm_auth(1)): there is no domain here to join.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use crate::eapol_test::Tunnel;
use crate::eapol_test::run_tunnel;
use crate::gateway::Conf;
use crate::gateway::Gateway;
use crate::ldap::allow_users;
use crate::ldap::ban;
use crate::ldap::directory;
use crate::ldap::last_record;
use crate::ldap::status;
use crate::radclient::RFC2759_CHALLENGE;
use crate::radclient::RFC2759_RESPONSE;
use crate::radclient::SIGNED;
use crate::radclient::send;
use crate::slapd::Slapd;
use crate::teap::PAC;
use crate::teap::PUT_RIGHT;

/// Knows `User` of RFC 2759 section 9.2 by the DES keys that the hash there makes and by the key that
/// stands there, and answers of others as winbind does when something is wrong. Each start is a line of
/// the file `starts`.
const HELPER: &str = r#"#!/bin/bash
echo "$$" >> "$(dirname "$0")/starts"
answer_to() {
    for key in 4474ee50d4984a70 d60850e8408ed4d2 88d6800000000000; do
        printf "$(sed 's/../\\x&/g' <<<"$1")" |
            openssl enc -des-ecb -nopad -K $key -provider legacy -provider default
    done | od -An -v -tx1 | tr -d ' \n' | tr a-f A-F
}
while IFS= read -r line; do
    case "$line" in
        "Username:: "*) user=$(printf %s "${line#Username:: }" | base64 -d) ;;
        "NT-Domain:: "*) domain=$(printf %s "${line#NT-Domain:: }" | base64 -d) ;;
        "LANMAN-Challenge: "*) challenge=${line#LANMAN-Challenge: } ;;
        "NT-Response: "*) response=${line#NT-Response: } ;;
        "Request-User-Session-Key: Yes") ;;
        .)
            case "$user" in
                User)
                    if [ "$response" = "$(answer_to "$challenge")" ] &&
                        [ "$domain" = "${WANTED_DOMAIN-EXAMPLE}" ]; then
                        printf 'Authenticated: Yes\nUser-Session-Key: 41C00C584BD2D91C4017A2A12FA59F3F\n.\n'
                    else
                        printf 'Authenticated: No\nAuthentication-Error: The attempted logon is invalid. (0xc000006d)\n.\n'
                    fi ;;
                locked) printf 'Authenticated: No\nAuthentication-Error: Account locked out (0xc0000234)\n.\n' ;;
                away) printf 'Authenticated: No\nAuthentication-Error: No logon servers are currently available to service the logon request. (0xc000005e)\n.\n' ;;
                garbage) printf 'what is this\n.\n' ;;
                dies) exit 1 ;;
                hangs) exec sleep 60 ;;
            esac
            user= domain= challenge= response= ;;
        *) printf 'Error: Unknown request\n.\n' ;;
    esac
done
"#;

/// A gateway that asks the helper, which starts three programs for an answer: on a busy machine they take
/// their time.
fn start(edit: impl FnOnce(&Conf)) -> Gateway {
    Gateway::start(|conf| {
        allow_users(conf);
        conf.replace(
            "gateway.toml",
            r#"allow = ["eap-tls", "eap-ttls", "peap", "teap", "pap", "mab"]"#,
            r#"allow = ["chap", "mschap", "mschapv2", "pap", "peap", "eap-ttls", "teap"]"#,
        );
        conf.replace(
            "gateway.toml",
            r#"inside = ["gtc", "pap", "eap-tls"]"#,
            r#"inside = ["mschapv2"]"#,
        );
        let helper = conf.path("helper");
        fs::write(&helper, HELPER).unwrap();
        fs::set_permissions(&helper, fs::Permissions::from_mode(0o755)).unwrap();
        let helper = helper.canonicalize().unwrap();
        conf.write(
            "directory.toml",
            &format!(
                "[winbind]\ncommand = [{helper:?}]\ndomain = \"EXAMPLE\"\nprocesses = 2\n\
                 deadline = \"5s\"\n"
            ),
        );
        edit(conf);
    })
}

fn login(gateway: &Gateway, user: &str) -> String {
    let attributes = format!(
        "User-Name = \"{user}\"\nMS-CHAP-Challenge = {RFC2759_CHALLENGE}\n\
         MS-CHAP2-Response = {RFC2759_RESPONSE}\n{SIGNED}"
    );
    let secret = gateway.secret();
    send(gateway.authentication, "auth", &secret, &attributes)
}

#[track_caller]
fn rejects(gateway: &Gateway, user: &str, why: &str) {
    let answer = login(gateway, user);
    assert!(
        answer.contains("Received Access-Reject"),
        "{user}: {answer}"
    );
    let record = last_record(gateway);
    assert!(record.contains(why), "{user}: {record}");
}

fn starts(gateway: &Gateway) -> usize {
    let text = fs::read_to_string(gateway.conf().path("starts")).unwrap();
    text.lines().count()
}

#[test]
fn the_domain_checks_an_answer_and_its_key_makes_the_nas_keys_rfc2759_9_2() {
    let gateway = start(|_| {});
    for user in ["User", "EXAMPLE\\\\User"] {
        let answer = login(&gateway, user);
        assert!(
            answer.contains("Received Access-Accept"),
            "{user}: {answer}"
        );
        // "S=407A5589115FD0D6209F510FE9C04566932CDA56" (RFC 2759 section 9.2).
        let success = "MS-CHAP2-Success = 0x07533d3430374135353839313135464430443632303946353130464539433034353636393332434441353";
        assert!(answer.contains(success), "{user}: {answer}");
        for key in [
            "MS-MPPE-Send-Key = 0x8b7cdc149b993a1ba118cb153f56dccb",
            "MS-MPPE-Recv-Key = 0xd5f0e9521e3ea9589645e86051c82226",
        ] {
            assert!(answer.contains(key), "{key} is not in {answer}");
        }
    }
    assert_eq!(starts(&gateway), 1, "one helper has answered both");
    rejects(&gateway, "OTHER\\\\User", "the domain refuses");
    rejects(&gateway, "locked", "Account locked out");
    // What no domain controller can check.
    let secret = gateway.secret();
    let chap = format!("User-Name = \"User\"\nCHAP-Password = \"clientPass\"\n{SIGNED}");
    let answer = send(gateway.authentication, "auth", &secret, &chap);
    assert!(answer.contains("Received Access-Reject"), "{answer}");
    assert!(last_record(&gateway).contains("cannot answer a challenge"));
}

#[test]
fn the_domain_checks_answers_inside_of_tunnels() {
    let gateway = start(|_| {});
    for (method, inside, program, more) in [
        ("PEAP", "auth=MSCHAPV2", "eapol_test", ""),
        ("TTLS", "auth=MSCHAPV2", "eapol_test", ""),
        ("TTLS", "autheap=MSCHAPV2", "eapol_test", ""),
        ("TEAP", "auth=MSCHAPV2", PUT_RIGHT, PAC),
    ] {
        for user in ["User", "EXAMPLE\\User"] {
            let login = Tunnel {
                program,
                more,
                ..Tunnel::new(method, inside, (user, "clientPass"))
            };
            let outcome = run_tunnel(&gateway, &login);
            let row = format!("row {method} {inside} {user}");
            assert!(outcome.success(), "{row}:\n{}", outcome.output);
            assert_eq!(outcome.keys(), (1, 0), "{row}");
            let wrong = Tunnel {
                password: "clientpass",
                ..login
            };
            let outcome = run_tunnel(&gateway, &wrong);
            assert!(!outcome.success(), "{row}:\n{}", outcome.output);
            let record = last_record(&gateway);
            assert!(record.contains("the domain refuses"), "{row}: {record}");
        }
        let locked = Tunnel {
            program,
            more,
            ..Tunnel::new(method, inside, ("locked", "clientPass"))
        };
        assert!(!run_tunnel(&gateway, &locked).success(), "{method}");
        let record = last_record(&gateway);
        assert!(record.contains("Account locked out"), "{method}: {record}");
    }
}

#[test]
fn a_helper_that_hangs_dies_or_babbles_is_replaced() {
    let gateway = start(|conf| {
        conf.replace("directory.toml", "deadline = \"5s\"", "deadline = \"2s\"");
    });
    for (user, why) in [
        ("hangs", "does not answer in time"),
        ("dies", "ends or breaks"),
    ] {
        rejects(&gateway, user, why);
        let answer = login(&gateway, "User");
        assert!(
            answer.contains("Received Access-Accept"),
            "{user}: {answer}"
        );
    }
    rejects(&gateway, "garbage", "answers what is not its protocol");
    let answer = login(&gateway, "User");
    assert!(answer.contains("Received Access-Accept"), "{answer}");
    assert!(starts(&gateway) > 3, "each of them was replaced");
}

#[test]
fn a_domain_that_cannot_be_asked_is_left_alone_after_three_tries() {
    let gateway = start(|_| {});
    for _ in 0..3 {
        rejects(&gateway, "away", "cannot ask the domain");
    }
    rejects(&gateway, "away", "has not answered lately");
    let status = status(&gateway).to_string();
    assert!(status.contains("No logon servers"), "{status}");
}

#[test]
fn groups_of_a_domain_user_come_from_ldap() {
    let slapd = Slapd::start();
    let gateway = start(|conf| {
        let winbind = conf.read("directory.toml");
        ban(conf, "domain-users");
        let servers = [format!("ldap://127.0.0.1:{}", slapd.port)];
        directory(conf, &servers, "start_tls = false\ngroups = \"search\"");
        conf.append("directory.toml", &winbind);
    });
    let answer = login(&gateway, "User");
    assert!(
        answer.contains("Received Access-Accept"),
        "unknown to LDAP: {answer}"
    );
    slapd.add(
        "dn: uid=user,ou=people,dc=example,dc=org\nobjectClass: inetOrgPerson\nuid: user\ncn: U\n\
         sn: U\n\ndn: cn=domain-users,ou=groups,dc=example,dc=org\nobjectClass: groupOfNames\n\
         cn: domain-users\nmember: uid=user,ou=people,dc=example,dc=org\n",
    );
    let answer = login(&gateway, "User");
    assert!(answer.contains("Received Access-Reject"), "{answer}");
    assert!(last_record(&gateway).contains("block"));
}
