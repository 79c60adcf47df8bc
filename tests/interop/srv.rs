//! Servers behind the front that DNS names: unbound has the records, nginx answers.

use std::fs;
use std::net::SocketAddr;

use crate::discovery::Unbound;
use crate::gateway::Gateway;
use crate::gateway::until;
use crate::nginx::Nginx;
use crate::pki::Pki;
use crate::pki::Wrong;
use crate::ports;
use crate::upstreams::DEVICES;
use crate::upstreams::commands;
use crate::upstreams::devices;
use crate::upstreams::logged;
use crate::upstreams::mail_server;
use crate::upstreams::sync;
use crate::upstreams::upstreams;

const NAME: &str = "exchange.portreeve.test";
const SERVICE: &str = "_http._tcp.exchange.portreeve.test";

/// nginx at an address of its own.
fn server(address: &str, port: u16) -> Nginx {
    let nginx = Nginx::with(port, |root, port| {
        let listen = format!("listen {address}:{port};");
        mail_server(root, &listen, "keepalive_timeout 0;")
    });
    until("nginx listens", || {
        std::net::TcpStream::connect((address, port)).ok()
    });
    nginx
}

/// A gateway before an upstream by name, which asks this name server.
fn gateway(url: &str, dns: SocketAddr, more: &str) -> Gateway {
    Gateway::start(|conf| {
        upstreams(conf, &[url.to_owned()], more);
        let servers = "name_servers = []           # [\"10.0.0.53:53\"]";
        let own = format!("name_servers = [\"{dns}\"]");
        conf.replace("gateway.toml", servers, &own);
    })
}

fn status(gateway: &Gateway) -> String {
    String::from_utf8(gateway.command(&["status"]).stdout).unwrap()
}

/// Where the servers are, as `portreeve status` has them.
fn places(gateway: &Gateway) -> Vec<String> {
    let status = status(gateway);
    let mut places: Vec<String> = status
        .lines()
        .filter(|line| line.starts_with("mail upstream "))
        .filter_map(|line| Some(line.split(" at ").nth(1)?.split(' ').next()?.to_owned()))
        .collect();
    places.sort();
    places
}

fn named(gateway: &Gateway, expected: &[String]) {
    until("status has the servers that DNS names", || {
        (places(gateway) == expected).then_some(())
    });
}

/// A command of each device.
fn all(gateway: &Gateway, servers: &[&Nginx]) {
    let before: usize = servers.iter().map(|server| commands(server).len()).sum();
    for device in DEVICES {
        assert_eq!(sync(gateway, device), 200, "row {device}");
    }
    logged(servers, before + DEVICES.len());
}

#[test]
fn srv_records_name_the_servers_and_are_followed_without_a_restart_rfc2782() {
    let (dns, port, other) = (ports::udp(), ports::tcp(), ports::tcp());
    let mut one = server("127.0.0.31", port);
    let mut two = server("127.0.0.32", port);
    let three = server("127.0.0.33", other);
    // Nobody is at the URL itself.
    let gateway = gateway(
        &format!("http://{NAME}"),
        dns,
        &format!("srv = \"{SERVICE}\""),
    );
    let srv = |priority: u16, weight: u16, port: u16, target: &str| {
        format!("{SERVICE}. 1 IN SRV {priority} {weight} {port} {target}.portreeve.test.")
    };
    let host = |target: &str, address: &str| format!("{target}.portreeve.test. 1 IN A {address}");
    let hosts = [
        host("one", "127.0.0.31"),
        host("two", "127.0.0.32"),
        host("three", "127.0.0.33"),
    ];
    let says = |records: &[String]| {
        let records = [&hosts[..], records].concat();
        Unbound::start(&gateway, dns, &records)
    };
    let unbound = says(&[
        srv(10, 50, port, "one"),
        srv(10, 50, port, "two"),
        srv(20, 0, other, "three"),
        // One that is not there, and one that says that it is nobody.
        srv(10, 50, port, "four"),
        srv(10, 50, 0, "one"),
    ]);
    let place = |address: &str, port: u16| format!("{address}:{port}");
    named(
        &gateway,
        &[
            place("127.0.0.31", port),
            place("127.0.0.32", port),
            place("127.0.0.33", other),
        ],
    );
    all(&gateway, &[&one, &two, &three]);
    let (ours, theirs) = (devices(&one, 0), devices(&two, 0));
    assert_eq!(ours.len() + theirs.len(), DEVICES.len(), "one server each");
    assert!(!ours.is_empty() && !theirs.is_empty());
    assert!(commands(&three).is_empty(), "the others are there");
    // What is asked for is what is configured, whoever DNS names.
    let asked = format!("host={NAME} ");
    for line in commands(&one).iter().chain(&commands(&two)) {
        assert!(line.contains(&asked), "{line}");
    }
    // Without those of the first priority the next one has everybody.
    one.stop();
    two.stop();
    all(&gateway, &[&three]);
    assert_eq!(devices(&three, 0), DEVICES);
    one.resume();
    two.resume();
    // Other records, and nobody is told.
    drop(unbound);
    let unbound = says(&[srv(0, 0, port, "two")]);
    named(&gateway, &[place("127.0.0.32", port)]);
    let before = [&one, &two, &three].map(|server| commands(server).len());
    all(&gateway, &[&one, &two, &three]);
    assert_eq!(devices(&two, before[1]), DEVICES);
    assert_eq!(
        commands(&one).len() + commands(&three).len(),
        before[0] + before[2]
    );
    // A DNS that is gone, or has forgotten them, changes nothing.
    drop(unbound);
    let missed = "DNS does not name its servers, those that are known stay";
    until("DNS is missed", || {
        status(&gateway).contains(missed).then_some(())
    });
    all(&gateway, &[&two]);
    let unbound = says(&[]);
    until("DNS says that there is nobody", || {
        let said = format!("{missed}: the name {SERVICE} has no such record");
        status(&gateway).contains(&said).then_some(())
    });
    assert_eq!(places(&gateway), [place("127.0.0.32", port)]);
    // Nor does a reload.
    gateway.reload();
    all(&gateway, &[&two]);
    assert_eq!(places(&gateway), [place("127.0.0.32", port)]);
    drop(unbound);
    let _unbound = says(&[srv(0, 0, other, "three")]);
    named(&gateway, &[place("127.0.0.33", other)]);
    assert!(!status(&gateway).contains(missed));
}

#[test]
fn each_address_of_a_name_is_a_server_if_it_is_to_be() {
    let (dns, port) = (ports::udp(), ports::tcp());
    let one = server("127.0.0.41", port);
    let two = server("127.0.0.42", port);
    let gateway = gateway(&format!("http://{NAME}:{port}"), dns, "each_address = true");
    let says = |addresses: &[&str]| {
        let record = |address: &&str| format!("{NAME}. 1 IN A {address}");
        let records: Vec<String> = addresses.iter().map(record).collect();
        Unbound::start(&gateway, dns, &records)
    };
    let place = |address: &str| format!("{address}:{port}");
    let unbound = says(&["127.0.0.41", "127.0.0.42"]);
    named(&gateway, &[place("127.0.0.41"), place("127.0.0.42")]);
    all(&gateway, &[&one, &two]);
    let (ours, theirs) = (devices(&one, 0), devices(&two, 0));
    assert_eq!(ours.len() + theirs.len(), DEVICES.len(), "one server each");
    assert!(!ours.is_empty() && !theirs.is_empty());
    drop(unbound);
    let unbound = says(&["127.0.0.42"]);
    named(&gateway, &[place("127.0.0.42")]);
    let before = commands(&two).len();
    all(&gateway, &[&one, &two]);
    assert_eq!(devices(&two, before), DEVICES);
    drop(unbound);
    let _unbound = says(&["127.0.0.42", "127.0.0.41"]);
    named(&gateway, &[place("127.0.0.41"), place("127.0.0.42")]);
    let before = commands(&one).len();
    all(&gateway, &[&one, &two]);
    assert_eq!(devices(&one, before), ours, "who was there before");
}

/// RFC 9525 section 6.1: what DNS says is no name that a certificate could be checked for, or whoever
/// answers DNS would choose who has the mail.
#[test]
fn a_certificate_must_be_for_the_configured_name_and_not_for_that_of_dns_rfc9525() {
    let pki = Pki::new();
    let target = "one.portreeve.test";
    for (row, bears, more, expected) in [
        ("configured", NAME, "", 200),
        ("of DNS", target, "", 503),
        (
            "of DNS, and configured",
            target,
            "server_name = \"one.portreeve.test\"",
            200,
        ),
    ] {
        let (dns, port) = (ports::udp(), ports::tcp());
        let holder = pki.issue(bears, 2, Wrong::Nothing);
        let nginx = Nginx::with(port, |root, port| {
            fs::write(root.join("crt"), holder.pem()).unwrap();
            fs::write(root.join("key"), holder.key.serialize_pem()).unwrap();
            let folder = root.display();
            let listen = format!(
                "listen 127.0.0.51:{port} ssl;\nssl_certificate {folder}/crt;\n\
                 ssl_certificate_key {folder}/key;"
            );
            mail_server(root, &listen, "")
        });
        let gateway = Gateway::start(|conf| {
            let srv = "srv = \"_https._tcp.exchange.portreeve.test\"";
            let more = format!("ca = \"conf/upstream-ca.pem\"\n{srv}\n{more}");
            upstreams(conf, &[format!("https://{NAME}")], &more);
            conf.write("upstream-ca.pem", &pki.authority.pem());
            let servers = "name_servers = []           # [\"10.0.0.53:53\"]";
            let own = format!("name_servers = [\"{dns}\"]");
            conf.replace("gateway.toml", servers, &own);
        });
        let records = [
            format!("_https._tcp.{NAME}. 60 IN SRV 0 0 {port} {target}."),
            format!("{target}. 60 IN A 127.0.0.51"),
        ];
        let _unbound = Unbound::start(&gateway, dns, &records);
        named(&gateway, &[format!("127.0.0.51:{port}")]);
        assert_eq!(sync(&gateway, "a1"), expected, "row {row}");
        let served = usize::from(expected == 200);
        logged(&[&nginx], served);
        assert_eq!(commands(&nginx).len(), served, "row {row}");
    }
}
