//! Home servers found by DNS (RFC 7585), in virtual time: what is looked up, how often, for whom, and
//! what becomes of those who wait.

use std::net::SocketAddr;
use std::time::Duration;

use portreeve::model::Fingerprint;
use portreeve::network::Discovery;
use portreeve::network::Found;
use portreeve::network::FoundServer;
use portreeve::network::HomeConfig;
use portreeve::network::LinkId;
use portreeve::network::Nobody;
use portreeve::network::Spoken;
use portreeve::radius::AttributeType;
use portreeve::radius::Code;

use crate::homes_over_tls::Site;
use crate::homes_over_tls::home;
use crate::lab::refusal;

const MINUTE: Duration = Duration::from_mins(1);

fn discovery() -> Discovery {
    Discovery {
        material: Fingerprint::of(b"certificates"),
        realms: 4,
        shortest: MINUTE,
        longest: 60 * MINUTE,
        retry: 10 * MINUTE,
    }
}

/// All realms are looked up.
fn site(fallback: Vec<HomeConfig>) -> Site {
    let mut site = Site::with(fallback, |route| {
        route.realm = "*".into();
        route.discovered = true;
    });
    site.proxy.handle_discovery(Some(discovery()));
    site
}

fn server(host: &str) -> FoundServer {
    let address: SocketAddr = "198.51.100.7:2083".parse().unwrap();
    FoundServer {
        host: host.to_owned(),
        port: 2083,
        addresses: vec![address],
    }
}

impl Site {
    fn lookups(&mut self) -> Vec<String> {
        let mut all = Vec::new();
        while let Some(realm) = self.proxy.poll_lookup() {
            all.push(realm.to_string());
        }
        all
    }

    fn finds(&mut self, realm: &str, found: Found) {
        let now = self.lab.now.monotonic;
        self.proxy.handle_found(now, realm, found);
        self.turn();
    }

    /// The connection that was asked for last comes about.
    fn connected(&mut self) -> LinkId {
        let (link, _) = self.links.last().unwrap().clone();
        let now = self.lab.now.monotonic;
        assert!(self.proxy.handle_connected(now, link, Spoken::Historic));
        self.turn();
        link
    }
}

#[test]
fn a_realm_is_looked_up_once_and_those_who_wait_are_all_served_rfc7585_3_4() {
    let mut site = site(Vec::new());
    let first = site.login_of("alice@Example.org", None);
    site.login_of("bob@example.org", None);
    assert_eq!(site.lookups(), ["example.org"]);
    assert!(site.links.is_empty());
    site.finds(
        "example.org",
        Ok((vec![server("radius.example.org")], MINUTE)),
    );
    assert_eq!(site.links.len(), 1);
    let way = site.links[0].1.tls().unwrap().clone();
    assert_eq!(way.realm.as_deref(), Some("example.org"));
    let link = site.connected();
    let asked = site.next(link).unwrap();
    assert!(site.next(link).is_some());
    site.answers(link, &asked, Code::AccessAccept);
    assert_eq!(site.believes(&first).code, Code::AccessAccept);
    // It is known now.
    site.login_of("carol@example.org", None);
    assert!(site.next(link).is_some());
    assert_eq!(site.lookups(), Vec::<String>::new());
    let discovered = site.proxy.discovered();
    assert_eq!(discovered.homes().len(), 1);
    assert_eq!((discovered.looked_up.get(), discovered.found.get()), (1, 1));
}

#[test]
fn what_was_found_counts_as_long_as_dns_says_within_a_floor_and_a_ceiling_rfc7585_3_4_4() {
    for (said, counts) in [
        (Duration::ZERO, MINUTE),
        (30 * MINUTE, 30 * MINUTE),
        (Duration::from_hours(24 * 365), 60 * MINUTE),
    ] {
        let mut site = site(Vec::new());
        site.login_of("alice@example.org", None);
        site.finds(
            "example.org",
            Ok((vec![server("radius.example.org")], said)),
        );
        let link = site.connected();
        let before = site.links[0].1.clone();
        site.passes(counts - Duration::from_secs(1));
        site.login_of("alice@example.org", None);
        assert_eq!(site.lookups(), ["example.org"], "row {said:?}: the first");
        site.passes(Duration::from_secs(2));
        // Looked up again, and asked all the same while that takes.
        let links = site.links.len();
        site.login_of("alice@example.org", None);
        assert_eq!(site.lookups(), ["example.org"], "row {said:?}: again");
        site.finds(
            "example.org",
            Ok((vec![server("radius.example.org")], said)),
        );
        let after = &site.proxy.discovered().homes()[0];
        assert!(std::sync::Arc::ptr_eq(&before, after), "row {said:?}");
        if site.links.len() == links {
            assert!(site.next(link).is_some(), "row {said:?}");
        }
    }
}

#[test]
fn a_realm_without_servers_is_remembered_as_such_and_others_are_asked_if_there_are_some() {
    for fallback in [false, true] {
        let homes = if fallback {
            vec![home("national", 1)]
        } else {
            vec![]
        };
        let mut site = site(homes);
        let first = site.login_of("alice@example.org", None);
        site.finds(
            "example.org",
            Err(Nobody::certain("example.org does not exist in DNS")),
        );
        assert_eq!(site.lookups(), ["example.org"]);
        if !fallback {
            assert_eq!(site.believes(&first).code, Code::AccessReject);
        }
        let second = site.login_of("alice@example.org", None);
        assert_eq!(
            site.lookups(),
            Vec::<String>::new(),
            "nothing is looked up again"
        );
        if fallback {
            let link = site.connected();
            assert!(site.next(link).is_some() && site.next(link).is_some());
        } else {
            assert_eq!(site.believes(&second).code, Code::AccessReject);
            assert_eq!(site.lab.dropped("home_silent"), 0);
            let why = refusal(&site.lab.records()[0]);
            assert!(why.contains("example.org does not exist in DNS"), "{why}");
        }
        site.passes(10 * MINUTE);
        site.login_of("alice@example.org", None);
        assert_eq!(site.lookups(), ["example.org"], "after a while it is");
    }
}

#[test]
fn realms_that_are_no_names_are_not_looked_up_and_refused() {
    let mut site = site(Vec::new());
    for user in [
        "alice@localhost",
        "alice@..",
        "alice@a b.example.org",
        "alice@192.0.2.1",
    ] {
        let request = site.login_of(user, None);
        assert_eq!(site.lookups(), Vec::<String>::new(), "row {user}");
        let reply = site.believes(&request);
        assert_eq!(reply.code, Code::AccessReject, "row {user}");
        assert_eq!(reply.eap(), None, "row {user}");
        let why = refusal(site.lab.records().last().unwrap());
        assert!(
            why.contains("no name that DNS can have"),
            "row {user}: {why}"
        );
    }
    assert_eq!(site.lab.dropped("home_silent"), 0);
}

#[test]
fn only_where_dns_says_nothing_nothing_is_answered_rfc7585_3_4_3() {
    for (nobody, answered) in [
        (Nobody::for_now("DNS has not answered within 6 s"), 0),
        (Nobody::for_now("DNS has no answer: SERVFAIL"), 0),
        (Nobody::certain("example.org does not exist in DNS"), 1),
    ] {
        let mut site = site(Vec::new());
        site.login_of("alice@example.org", None);
        site.finds("example.org", Err(nobody.clone()));
        assert_eq!(site.answered().len(), answered, "row {nobody:?}");
        let silent = site.lab.dropped("home_silent");
        assert_eq!(silent, 1 - answered as u64, "row {nobody:?}");
        assert_eq!(site.lab.records().len(), 1, "row {nobody:?}");
    }
}

#[test]
fn a_peer_of_a_realm_that_does_not_exist_gets_a_failure_as_late_as_any_rfc3579_2_6_3() {
    const DELAY: Duration = Duration::from_secs(1);
    let mut site = site(Vec::new());
    let routes = site.lab.shared.settings.load().routes.clone();
    site.lab.configure(|config| config.reject_delay = DELAY);
    site.lab.reload(|settings| settings.routes = routes);
    let request = site.nas.access(|request| {
        request
            .octets(AttributeType::USER_NAME, b"anonymous@example.org")
            .eap_message(&[2, 9, 0, 5, 1]);
    });
    site.ask(&request);
    site.finds(
        "example.org",
        Err(Nobody::certain("example.org does not exist in DNS")),
    );
    assert_eq!(site.answered(), []);
    site.passes(DELAY);
    let now = site.lab.now;
    site.lab.servers[0].handle_timeout(now);
    let reject = site.believes(&request);
    assert_eq!(reject.code, Code::AccessReject);
    assert_eq!(reject.eap().unwrap(), [4, 9, 0, 4]);
}

#[test]
fn made_up_realms_take_the_places_of_each_other_and_of_no_real_one() {
    let mut site = site(Vec::new());
    site.login_of("alice@example.org", None);
    site.finds(
        "example.org",
        Ok((vec![server("radius.example.org")], 30 * MINUTE)),
    );
    for number in 0..50 {
        let realm = format!("x{number}.example.net");
        site.login_of(&format!("mallory@{realm}"), None);
        let nobody = Nobody::certain(format!("{realm} does not exist in DNS"));
        site.finds(&realm, Err(nobody));
    }
    assert_eq!(site.lookups().len(), 51);
    site.login_of("alice@example.org", None);
    assert_eq!(site.lookups(), Vec::<String>::new());
    // Look-ups under way have their places too: four, of which one is taken.
    for number in 0..10 {
        site.login_of(&format!("mallory@y{number}.example.net"), None);
    }
    assert_eq!(site.lookups().len(), 3);
    assert_eq!(site.proxy.discovered().refused.get(), 7);
}

#[test]
fn a_look_up_that_hangs_is_given_up_and_its_late_answer_does_no_harm() {
    let mut site = site(Vec::new());
    site.login_of("alice@example.org", None);
    assert_eq!(site.lookups(), ["example.org"]);
    site.passes(Duration::from_secs(7));
    assert_eq!(site.answered(), []);
    assert_eq!(site.lab.dropped("home_silent"), 1);
    assert!(site.lab.servers[0].is_idle());
    site.finds(
        "example.org",
        Ok((vec![server("radius.example.org")], MINUTE)),
    );
    assert!(site.links.is_empty());
    assert_eq!(site.proxy.pending(), 0);
}

#[test]
fn what_was_found_is_forgotten_when_discovery_is_switched_off() {
    let mut site = site(Vec::new());
    site.login_of("alice@example.org", None);
    site.finds(
        "example.org",
        Ok((vec![server("radius.example.org")], MINUTE)),
    );
    site.connected();
    site.login_of("alice@example.net", None);
    site.proxy.handle_discovery(None);
    site.login_of("alice@example.org", None);
    site.finds(
        "example.net",
        Ok((vec![server("radius.example.net")], MINUTE)),
    );
    assert_eq!(site.answered(), []);
    let why = refusal(site.lab.records().last().unwrap());
    assert!(why.contains("discovery is switched off"), "{why}");
    assert_eq!(site.proxy.discovered().homes().len(), 0);
}
