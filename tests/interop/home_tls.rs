//! Home servers that are asked over TLS: `radsecproxy`, FreeRADIUS and another gateway behind us, and
//! servers of our own that nobody should believe.

use std::io::Read;
use std::io::Write;
use std::net::SocketAddr;
use std::net::TcpListener;
use std::net::TcpStream;
use std::sync::Arc;
use std::thread;

use rustls::RootCertStore;
use rustls::ServerConfig;
use rustls::ServerConnection;
use rustls::StreamOwned;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::server::WebPkiClientVerifier;
use serde_json::Value;

use crate::certificate;
use crate::certificate::Wanted;
use crate::eapol_test;
use crate::eapol_test::Login;
use crate::freeradius::FreeRadius;
use crate::freeradius::SECRET;
use crate::gateway::Gateway;
use crate::gateway::until;
use crate::pki::Holder;
use crate::pki::Pki;
use crate::pki::Wrong;
use crate::ports;
use crate::radclient::SIGNED;
use crate::radclient::metrics;
use crate::radclient::send;
use crate::radsec::NAME;
use crate::radsec::Site;
use crate::radsecproxy::Proxy;
use crate::radsecproxy::UDP_SECRET;

/// The name that home servers' certificates must have.
const HOME: &str = "home.example.org";

fn branch() -> String {
    format!("\n[[nas]]\nname = \"branch\"\ncertificate_name = \"{NAME}\"\ngroup = \"default\"\n")
}

/// A home server over TLS and its realm, as `proxy.toml` says it.
fn home(name: &str, address: SocketAddr, realm: &str, more: &str) -> String {
    format!(
        "\n[[home]]\nname = \"{name}\"\ntls = \"{address}\"\ncertificate_name = \"{HOME}\"\n\
         ca = \"conf/nas-ca.crt\"\n{more}\n[[realm]]\nname = \"{realm}\"\nhomes = [\"{name}\"]\n"
    )
}

fn is_up(gateway: &Gateway, name: &str) {
    let line = format!("portreeve_home_up{{home=\"{name}\"}} 1");
    until("the home server is connected", || {
        metrics(gateway).contains(&line).then_some(())
    });
}

/// What `portreeve status` says of a home server.
fn status_of(gateway: &Gateway, name: &str) -> Value {
    let said = gateway.command(&["status", "--json"]);
    let said: Value = serde_json::from_slice(&said.stdout).unwrap();
    let homes = said["homes"].as_array().unwrap();
    let found = homes.iter().find(|home| home["home"] == name);
    found.unwrap().clone()
}

/// What a NAS is answered that asks for a user of this realm at `to`.
fn login(to: SocketAddr, secret: &str, user: &str, password: &str) -> String {
    let attributes = format!(
        "User-Name = \"{user}\"\nUser-Password = \"{password}\"\n\
         Calling-Station-Id = \"00-00-5E-00-53-01\"\n{SIGNED}"
    );
    send(to, "auth", secret, &attributes)
}

#[test]
fn a_login_goes_by_radsecproxy_us_and_radsecproxy_to_freeradius_and_back() {
    let behind = ports::udp();
    let site = Site::with(&branch(), |conf| {
        conf.replace(
            "policy.toml",
            "require   = [\"managed\", \"registered\", \"compliant\", \"proven\"]",
            "require = [\"managed\", \"registered\", \"compliant\"]",
        );
        let home = home("behind", behind, "example.com", "radius_1_1 = \"forbid\"");
        conf.append("proxy.toml", &home);
    });
    let (authentication, accounting) = (ports::udp(), ports::udp());
    let _freeradius = FreeRadius::start(&site.gateway, authentication, accounting);
    let holder = site.pki.issue(HOME, 7, Wrong::Nothing);
    let server = (authentication, accounting, SECRET);
    let _behind = Proxy::behind(&site, &holder, behind, server);
    let front = Proxy::in_front(&site, &site.pki.issue(NAME, 2, Wrong::Nothing));
    is_up(&site.gateway, "behind");
    until("the proxy in front is connected", || {
        let text = metrics(&site.gateway);
        text.contains("portreeve_radsec_accepted_total 1")
            .then_some(())
    });
    let good = login(front.address, UDP_SECRET, "alice@example.com", "of-home");
    for line in [
        "Received Access-Accept",
        "Tunnel-Private-Group-Id:0 = \"77\"",
        "Filter-Id = \"home-staff\"",
        "Class = 0x6f6620686f6d65",
    ] {
        assert!(good.contains(line), "{line} is not in {good}");
    }
    let bad = login(front.address, UDP_SECRET, "alice@example.com", "wrong");
    assert!(bad.contains("Received Access-Reject"), "{bad}");
    let accounting = "User-Name = \"alice@example.com\"\nAcct-Status-Type = Start\n\
                      Acct-Session-Id = \"0001\"\nNAS-Identifier = \"test\"\n";
    let answer = send(front.address, "acct", UDP_SECRET, accounting);
    assert!(answer.contains("Received Accounting-Response"), "{answer}");

    // EAP-TLS with FreeRADIUS, with keys that have been hidden four times.
    let files = certificate::issue(&site.gateway, &Wanted::default());
    let wanted = Login::new("alice@example.com", &files);
    let outcome = eapol_test::run_at(&site.gateway, front.address, UDP_SECRET, &wanted);
    assert!(outcome.success(), "{}", outcome.output);
    assert_eq!(outcome.keys(), (1, 0), "{}", outcome.output);
    let begun = "portreeve_eap_begun_total 0";
    assert!(
        metrics(&site.gateway).contains(begun),
        "FreeRADIUS speaks EAP"
    );

    let status = status_of(&site.gateway, "behind");
    assert_eq!(status["transport"], "tls");
    assert_eq!(status["connections"], 1);
    assert!(status["round_trip_ms"].as_f64().unwrap() > 0.0);

    // Nothing about it changes with this reload: it keeps its connection and its numbers.
    let answered = status["requests"]["answered"].clone();
    site.gateway.conf().append("proxy.toml", "# a remark\n");
    assert!(site.gateway.reload().contains("is in force"));
    let status = status_of(&site.gateway, "behind");
    assert_eq!(status["requests"]["answered"], answered);
    let text = metrics(&site.gateway);
    let opened = "portreeve_home_connection_events_total{home=\"behind\",event=\"opened\"} 1";
    assert!(text.contains(opened), "{text}");
}

#[test]
fn freeradius_is_asked_at_its_own_door_for_tls_rfc6614() {
    let door = ports::udp();
    let site = Site::with(&branch(), |conf| {
        let mut home = home("freeradius", door, "example.com", "");
        home.push_str("judge = false\n");
        conf.append("proxy.toml", &home);
    });
    let holder = site.pki.issue(HOME, 7, Wrong::Nothing);
    let freeradius = FreeRadius::over_tls(&site.gateway, door, &holder);
    is_up(&site.gateway, "freeradius");
    let (to, secret) = (site.gateway.authentication, site.gateway.secret());
    let good = login(to, &secret, "alice@example.com", "of-home");
    assert!(good.contains("Received Access-Accept"), "{good}");
    assert!(good.contains("Filter-Id = \"home-staff\""), "{good}");
    let bad = login(to, &secret, "alice@example.com", "wrong");
    assert!(bad.contains("Received Access-Reject"), "{bad}");
    // It stops: requests are dropped at once, and the record says why.
    drop(freeradius);
    until("the end of the connection is noticed", || {
        let status = status_of(&site.gateway, "freeradius");
        (status["connections"] == 0).then_some(())
    });
    let none = login(to, &secret, "alice@example.com", "of-home");
    assert!(none.contains("No reply from server"), "{none}");
    let decisions = site.gateway.command(&["decisions", "--json"]);
    let decisions = String::from_utf8(decisions.stdout).unwrap();
    assert!(
        decisions.contains("no home server of realm") && decisions.contains("is not connected"),
        "{decisions}"
    );
}

#[test]
fn two_gateways_speak_radius_1_1_with_each_other_rfc9765_3() {
    let home = Site::start(&branch());
    let holder = home.pki.issue(NAME, 2, Wrong::Nothing);
    let asks = Gateway::start(|conf| {
        conf.write("ca.crt", &home.pki.authority.pem());
        conf.write("us.crt", &holder.pem());
        conf.write("us.key", &holder.key_pem());
        conf.append(
            "proxy.toml",
            &format!(
                "\n[[home]]\nname = \"other\"\ntls = \"{}\"\nca = \"conf/ca.crt\"\n\
                 certificate_name = \"radius.example.org\"\ncertificate = \"conf/us.crt\"\n\
                 key = \"conf/us.key\"\nradius_1_1 = \"require\"\n\n\
                 [[realm]]\nname = \"example.com\"\nhomes = [\"other\"]\njudge = false\n\n\
                 [[realm]]\nname = \"\"\nhomes = [\"other\"]\njudge = false\n",
                home.radsec
            ),
        );
    });
    is_up(&asks, "other");
    let carol = login(asks.authentication, &asks.secret(), "carol", "carol-sample");
    assert!(carol.contains("Received Access-Accept"), "{carol}");
    assert_eq!(status_of(&asks, "other")["transport"], "tls, RADIUS/1.1");
    let files = certificate::issue(&home.gateway, &Wanted::default());
    let wanted = Login::new("alice@example.com", &files);
    let (to, secret) = (asks.authentication, asks.secret());
    let outcome = eapol_test::run_at(&home.gateway, to, &secret, &wanted);
    assert!(outcome.success(), "{}", outcome.output);
    assert_eq!(outcome.keys(), (1, 0), "{}", outcome.output);
}

/// A TLS server that does as it likes with each connection.
fn serve(
    pki: &Pki,
    holder: &Holder,
    behave: fn(StreamOwned<ServerConnection, TcpStream>),
) -> SocketAddr {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let mut roots = RootCertStore::empty();
    roots.add(pki.authority.der().clone()).unwrap();
    let roots = Arc::new(roots);
    let clients = WebPkiClientVerifier::builder_with_provider(roots, Arc::clone(&provider));
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(holder.key.serialize_der()));
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_client_cert_verifier(clients.build().unwrap())
        .with_single_cert(vec![holder.certificate.clone()], key)
        .unwrap();
    let config = Arc::new(config);
    plain(move |stream| {
        let connection = ServerConnection::new(Arc::clone(&config)).unwrap();
        behave(StreamOwned::new(connection, stream));
    })
}

/// A TCP server that does as it likes with each connection; it ends with the test.
fn plain(behave: impl Fn(TcpStream) + Send + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            behave(stream.unwrap());
        }
    });
    address
}

/// Shakes hands, says this and closes.
fn say(mut stream: StreamOwned<ServerConnection, TcpStream>, octets: &[u8]) {
    // Where the other side has had enough, it says so, and that is what is looked for.
    drop(stream.conn.complete_io(&mut stream.sock));
    drop(stream.write_all(octets));
    drop(stream.flush());
}

#[test]
fn servers_that_lie_or_are_strangers_are_not_believed_and_nobody_else_minds() {
    let pki = Pki::new();
    let issue = |name, serial, wrong| pki.issue(name, serial, wrong);
    let good = issue(HOME, 7, Wrong::Nothing);
    let ends = |stream| say(stream, b"");
    let stranger = serve(&pki, &issue(HOME, 8, Wrong::Authority), ends);
    let misnamed = serve(&pki, &issue("other.example.org", 9, Wrong::Nothing), ends);
    let expired = serve(&pki, &issue(HOME, 10, Wrong::Time), ends);
    let revoked = serve(&pki, &issue(HOME, 11, Wrong::Nothing), ends);
    let garbage = serve(&pki, &good, |stream| {
        say(stream, b"HTTP/1.1 400 What?\r\n\r\n")
    });
    let lying = serve(&pki, &good, |stream| {
        say(
            stream,
            &[[2, 1, 0, 22].as_slice(), &[0; 16], &[1, 1]].concat(),
        );
    });
    let cut = serve(&pki, &good, |stream| say(stream, &[2, 1, 0, 40, 0, 0, 0]));
    let no_tls = plain(|mut stream| drop(stream.write_all(b"220 mail.example.org ESMTP\r\n")));
    let silent = plain(|mut stream| drop(stream.read_to_end(&mut Vec::new())));
    let rows = [
        ("stranger", stranger, "unknown CA"),
        ("misnamed", misnamed, HOME),
        ("expired", expired, "expired"),
        ("revoked", revoked, "is revoked"),
        ("garbage", garbage, "is announced"),
        ("lying", lying, "no RADIUS"),
        ("cut", cut, "closed"),
        ("no-tls", no_tls, "TLS"),
        ("silent", silent, "within 10 s"),
    ];
    let gateway = Gateway::start(|conf| {
        let ours = issue("radius.example.org", 1, Wrong::Nothing);
        conf.write("nas-ca.crt", &pki.authority.pem());
        conf.write("homes.crl", &pki.revocation_list(&[11]));
        conf.write("us.crt", &ours.pem());
        conf.write("us.key", &ours.key_pem());
        let more = "revocation_lists = \"conf/homes.crl\"\ncertificate = \"conf/us.crt\"\n\
                    key = \"conf/us.key\"\n";
        for (name, address, _) in rows {
            let realm = format!("{name}.test");
            conf.append("proxy.toml", &home(name, address, &realm, more));
        }
    });
    for (name, _, expected) in rows {
        until(&format!("{name} is found out"), || {
            let status = status_of(&gateway, name);
            let found = status["trouble"]
                .as_str()
                .is_some_and(|said| said.contains(expected));
            found.then_some(())
        });
    }
    // Those whom we know ourselves come in meanwhile.
    let (to, secret) = (gateway.authentication, gateway.secret());
    let carol = login(to, &secret, "carol", "carol-sample");
    assert!(carol.contains("Received Access-Accept"), "{carol}");
    // Nobody has been let in by any of them.
    let answered = metrics(&gateway);
    let answered = answered
        .lines()
        .filter(|line| line.contains("outcome=\"answered\""));
    for line in answered {
        assert!(line.ends_with(" 0"), "{line}");
    }
}
