//! FreeRADIUS as home server: it authenticates, and the gateway judges the device on the way back.

use crate::certificate;
use crate::certificate::Wanted;
use crate::eapol_test;
use crate::eapol_test::Login;
use crate::freeradius::FreeRadius;
use crate::freeradius::SECRET;
use crate::gateway::Gateway;
use crate::gateway::until;
use crate::ports;
use crate::radclient::SIGNED;
use crate::radclient::metrics;
use crate::radclient::send;

/// A gateway that asks FreeRADIUS about everybody of a realm.
struct Site {
    gateway: Gateway,
    home: Option<FreeRadius>,
}

impl Site {
    fn start(realm: &str) -> Self {
        let (authentication, accounting) = (ports::udp(), ports::udp());
        let gateway = Gateway::start(|conf| {
            // Calling-Station-Id proves nothing.
            conf.replace(
                "policy.toml",
                "require   = [\"managed\", \"registered\", \"compliant\", \"proven\"]",
                "require = [\"managed\", \"registered\", \"compliant\"]",
            );
            conf.append(
                "proxy.toml",
                &format!(
                    "[[home]]\nname = \"freeradius\"\nauthentication = \"{authentication}\"\n\
                     accounting = \"{accounting}\"\nsecret = \"{SECRET}\"\n\n\
                     [[realm]]\nname = \"example.com\"\nhomes = [\"freeradius\"]\n{realm}"
                ),
            );
        });
        let home = FreeRadius::start(&gateway, authentication, accounting);
        Self {
            gateway,
            home: Some(home),
        }
    }

    fn login(&self, user: &str, password: &str, station: &str) -> String {
        let attributes = format!(
            "User-Name = \"{user}\"\nUser-Password = \"{password}\"\n\
             Calling-Station-Id = \"{station}\"\nProxy-State = 0x0102\n{SIGNED}"
        );
        let gateway = &self.gateway;
        send(
            gateway.authentication,
            "auth",
            &gateway.secret(),
            &attributes,
        )
    }
}

#[test]
fn the_home_servers_word_becomes_allow_quarantine_or_reject() {
    let site = Site::start("");
    let alice = site.login("alice@example.com", "of-home", "00-00-5E-00-53-01");
    for line in [
        "Received Access-Accept",
        "Tunnel-Private-Group-Id:0 = \"77\"",
        "Filter-Id = \"home-staff\"",
        "Class = 0x6f6620686f6d65",
        "Class = 0x706f72747265657665",
        "Proxy-State = 0x0102",
        "Message-Authenticator = 0x",
    ] {
        assert!(alice.contains(line), "{line} is not in {alice}");
    }
    let bob = site.login("bob@example.com", "of-home", "00-00-5E-00-53-02");
    for line in [
        "Received Access-Accept",
        "Tunnel-Private-Group-Id:0 = \"20\"",
        "Filter-Id = \"quarantine\"",
        "Class = 0x6f6620686f6d65",
    ] {
        assert!(bob.contains(line), "{line} is not in {bob}");
    }
    assert!(
        !bob.contains("\"77\"") && !bob.contains("home-staff"),
        "{bob}"
    );
    // The home server lets in somebody whom no source knows.
    let mallory = site.login("mallory@example.com", "of-home", "00-00-5E-00-53-01");
    assert!(mallory.contains("Received Access-Reject"), "{mallory}");
    assert!(!mallory.contains("\"77\""), "{mallory}");
    // And the home server's own word stands.
    let wrong = site.login("alice@example.com", "wrong", "00-00-5E-00-53-01");
    assert!(wrong.contains("Received Access-Reject"), "{wrong}");
    // Realms of others are answered here.
    let carol = site.login("carol", "carol-sample", "00-00-5E-00-53-03");
    assert!(carol.contains("Received Access-Accept"), "{carol}");
    let decisions = site.gateway.command(&["decisions", "--json"]);
    let decisions = String::from_utf8(decisions.stdout).unwrap();
    assert!(decisions.contains("\"proxied\""), "{decisions}");
    let text = metrics(&site.gateway);
    assert!(
        text.contains("portreeve_home_up{home=\"freeradius\"} 1"),
        "{text}"
    );
    assert!(text.contains("portreeve_proxy_forwarded_total 4"), "{text}");
}

#[test]
fn eap_passes_through_with_its_keys_and_a_blocked_device_sees_a_failure() {
    let site = Site::start("");
    let gateway = &site.gateway;
    let login = |name, user, device| {
        let wanted = Wanted {
            name,
            device,
            user,
            ..Wanted::default()
        };
        let files = certificate::issue(gateway, &wanted);
        eapol_test::run(gateway, &Login::new(user, &files))
    };
    // The stations of eapol_test are unknown here: nothing but the user is.
    let good = login(
        "good",
        "alice@example.com",
        "5d1c8a40-6f2e-4b7a-9c31-000000000001",
    );
    assert!(good.success(), "{}", good.output);
    assert_eq!(good.keys(), (1, 0), "{}", good.output);
    let bad = login(
        "bad",
        "mallory@example.com",
        "5d1c8a40-6f2e-4b7a-9c31-0000000000ee",
    );
    assert!(!bad.success(), "{}", bad.output);
    assert!(
        bad.says("EAP-Failure") || bad.says("EAP: Received EAP-Failure"),
        "{}",
        bad.output
    );
    let text = metrics(gateway);
    let begun = "portreeve_eap_begun_total 0";
    assert!(text.contains(begun), "the home server speaks EAP: {text}");
}

#[test]
fn our_authorisation_can_stand_in_place_of_the_home_servers() {
    let site = Site::start("authorization = \"ours\"\n");
    let alice = site.login("alice@example.com", "of-home", "00-00-5E-00-53-01");
    assert!(alice.contains("Received Access-Accept"), "{alice}");
    assert!(
        !alice.contains("\"77\"") && !alice.contains("home-staff"),
        "{alice}"
    );
    assert!(
        alice.contains("Tunnel-Private-Group-Id:0 = \"30\""),
        "{alice}"
    );
    assert!(alice.contains("Class = 0x6f6620686f6d65"), "{alice}");
}

#[test]
fn accounting_is_recorded_when_its_home_server_has_answered() {
    let mut site = Site::start("");
    let account = |site: &Site, session: &str| {
        let attributes = format!(
            "User-Name = \"alice@example.com\"\nAcct-Status-Type = Start\n\
             Acct-Session-Id = \"{session}\"\nNAS-Identifier = \"test\"\n"
        );
        let gateway = &site.gateway;
        send(gateway.accounting, "acct", &gateway.secret(), &attributes)
    };
    let answer = account(&site, "0001");
    assert!(answer.contains("Received Accounting-Response"), "{answer}");
    site.home = None;
    let answer = account(&site, "0002");
    assert!(answer.contains("No reply from server"), "{answer}");
    let recorded = site.gateway.accounted();
    assert!(
        recorded.contains("\"0001\"") && !recorded.contains("\"0002\""),
        "{recorded}"
    );
    until("the home server is known to be silent", || {
        let text = metrics(&site.gateway);
        text.contains("portreeve_home_up{home=\"freeradius\"} 0")
            .then_some(())
    });
    let silent = site.login("alice@example.com", "of-home", "00-00-5E-00-53-01");
    assert!(silent.contains("No reply from server"), "{silent}");
    // What is answered here goes on.
    let carol = site.login("carol", "carol-sample", "00-00-5E-00-53-03");
    assert!(carol.contains("Received Access-Accept"), "{carol}");
}
