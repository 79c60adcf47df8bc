//! `proxy.toml`: what is wrong with a home server over TLS, and with discovery.

use portreeve::app;
use portreeve::config;
use portreeve::config::Purpose;

use crate::home::Home;
use crate::home::now;
use crate::home::only;

const TLS: &str =
    "[[home]]\nname = \"radius-1\"\ntls = \"radius.example.org\"\nca = \"certs/root.pem\"\n";

#[test]
fn a_home_server_over_tls_needs_no_more_than_its_name_and_its_authority() {
    for (row, to, host, port) in [
        ("name", "radius.example.org", "radius.example.org", 2083),
        (
            "name and port",
            "radius.example.org:3000",
            "radius.example.org",
            3000,
        ),
        ("address", "192.0.2.7", "192.0.2.7", 2083),
        (
            "address and port",
            "[2001:db8::7]:2084",
            "2001:db8::7",
            2084,
        ),
        ("IPv6 address", "2001:db8::7", "2001:db8::7", 2083),
    ] {
        let home = Home::new();
        let text = TLS.replace("radius.example.org", to);
        home.append("proxy.toml", &text);
        let loaded = home.loaded();
        let server = &loaded.config.homes[0];
        let portreeve::network::Way::Tls(way) = &server.server.way else {
            panic!("row {row}: not over TLS");
        };
        assert_eq!((&*way.host, way.port), (host, port), "row {row}");
        assert_eq!(server.tls.as_ref().unwrap().names, [host], "row {row}");
        assert_eq!(server.server.secret.expose(), b"radsec", "row {row}");
    }
}

#[test]
fn what_does_not_fit_together_is_refused_with_its_place() {
    let discovery = "[discovery]\nca = \"certs/root.pem\"\n";
    for (row, text, key, expected) in [
        (
            "TLS and UDP",
            format!("{TLS}authentication = \"192.0.2.1:1812\"\n"),
            "home[0].tls",
            "over TLS one port takes everything",
        ),
        (
            "no authority",
            TLS.replace("ca = \"certs/root.pem\"\n", ""),
            "home[0].ca",
            "this key is needed",
        ),
        (
            "no name",
            TLS.replace("radius.example.org", "radius example"),
            "home[0].tls",
            "expected a name or an address",
        ),
        (
            "a certificate without its key",
            format!("{TLS}certificate = \"certs/radius.pem\"\n"),
            "home[0].certificate",
            "certificate and key go together",
        ),
        (
            "an authority that is not there",
            TLS.replace("certs/root.pem", "certs/nowhere.pem"),
            "home[0]",
            "nowhere.pem",
        ),
        (
            "too many connections",
            format!("{TLS}connections = 17\n"),
            "home[0].connections",
            "17",
        ),
        (
            "what UDP does not have",
            "[[home]]\nname = \"x\"\nauthentication = \"192.0.2.1:1812\"\n\
             secret = \"a secret of its own 4711\"\nca = \"certs/root.pem\"\n"
                .to_owned(),
            "home[0].ca",
            "is for a home server over TLS",
        ),
        (
            "discovery that is not said how",
            "[[realm]]\nname = \"*\"\ndiscover = true\n".to_owned(),
            "realm[0].discover",
            "[discovery] says how",
        ),
        (
            "nothing to look up",
            format!("{discovery}[[realm]]\nname = \"\"\ndiscover = true\n"),
            "realm[0].discover",
            "nothing to look up",
        ),
        (
            "a floor above the ceiling",
            format!("{discovery}shortest = \"2h\"\nlongest = \"1h\"\n"),
            "discovery.shortest",
            "is more than longest",
        ),
        (
            "an attribute that nobody knows",
            "[[realm]]\nname = \"x.org\"\nremove_from_answers = [\"Filtre-Id\"]\n".to_owned(),
            "realm[0].remove_from_answers",
            "no dictionary has",
        ),
        (
            "an attribute that is needed",
            "[[realm]]\nname = \"x.org\"\nremove_from_requests = [\"State\"]\n".to_owned(),
            "realm[0].remove_from_requests",
            "belongs to the authentication itself",
        ),
    ] {
        let home = Home::new();
        home.append("proxy.toml", &text);
        let draft = config::read(&home.conf());
        let refused = draft.complete(Purpose::Start, now(), app::HOOKS);
        let problem = only(refused.unwrap_err().problems);
        assert_eq!(problem.key, key, "row {row}: {problem}");
        assert!(problem.message.contains(expected), "row {row}: {problem}");
    }
}
