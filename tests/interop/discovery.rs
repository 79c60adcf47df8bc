//! Home servers found by DNS (RFC 7585): `unbound` says where FreeRADIUS is, and others say what is
//! wrong or nothing at all.

use std::fs;
use std::net::SocketAddr;
use std::net::UdpSocket;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;
use std::thread;

use serde_json::Value;

use crate::freeradius::FreeRadius;
use crate::gateway::Gateway;
use crate::gateway::until;
use crate::pki::Wrong;
use crate::ports;
use crate::radclient::SIGNED;
use crate::radclient::metrics;
use crate::radclient::send;
use crate::radsec::Site;

/// A running DNS server; dropping it kills it.
pub(crate) struct Unbound(Child);

impl Drop for Unbound {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

impl Unbound {
    /// One that knows these records and nothing else.
    pub(crate) fn start(gateway: &Gateway, address: SocketAddr, records: &[String]) -> Self {
        let folder = gateway.path("dns");
        fs::create_dir_all(&folder).unwrap();
        let records: String = records
            .iter()
            .map(|record| format!(" local-data: '{record}'\n"))
            .collect();
        let config = format!(
            "server:\n interface: 127.0.0.1@{port}\n port: {port}\n do-daemonize: no\n \
             username: \"\"\n chroot: \"\"\n pidfile: \"\"\n directory: \"{folder}\"\n \
             use-syslog: no\n module-config: \"iterator\"\n \
             access-control: 127.0.0.0/8 allow\n local-zone: \".\" static\n{records}\
             remote-control:\n control-enable: no\n",
            port = address.port(),
            folder = folder.display(),
        );
        let file = folder.join("unbound.conf");
        fs::write(&file, config).unwrap();
        let child = Command::new("/usr/sbin/unbound")
            .args(["-d", "-c"])
            .arg(&file)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("unbound is installed by tests/run");
        let started = Self(child);
        let asks = UdpSocket::bind("127.0.0.1:0").unwrap();
        asks.set_read_timeout(Some(std::time::Duration::from_millis(50)))
            .unwrap();
        until("unbound answers", || {
            // The root's name servers: refused or not, it is there.
            let query = [0, 7, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 1];
            asks.send_to(&query, address).ok()?;
            asks.recv(&mut [0; 512]).ok()
        });
        started
    }
}

/// Everybody with a realm is asked for at the home servers that DNS names.
fn discovering(name_server: SocketAddr, more: &str) -> String {
    format!(
        "\n[discovery]\nservice = [\"x-eduroam:radius.tls\", \"aaa+auth:radius.tls.tcp\"]\n\
         ca = \"conf/nas-ca.crt\"\nname_servers = [\"{name_server}\"]\nradius_1_1 = \"forbid\"\n{more}\n\
         [[realm]]\nname = \"*\"\ndiscover = true\njudge = false\nauthorization = \"home\"\n"
    )
}

fn login(gateway: &Gateway, user: &str) -> String {
    let attributes = format!("User-Name = \"{user}\"\nUser-Password = \"of-home\"\n{SIGNED}");
    let to = gateway.authentication;
    send(to, "auth", &gateway.secret(), &attributes)
}

/// Why a user was not answered, by what `portreeve explain` says.
fn why(gateway: &Gateway, user: &str) -> String {
    until("the request is on record", || {
        let said = gateway.command(&["decisions", user, "--json"]);
        let found: Value = serde_json::from_slice(&said.stdout).ok()?;
        let id = found.pointer("/decisions/0/id")?.as_str()?.to_owned();
        let said = gateway.command(&["explain", &id]);
        Some(String::from_utf8(said.stdout).unwrap())
    })
}

#[test]
fn dns_leads_to_freeradius_whose_certificate_bears_the_realm_rfc7585() {
    let (dns, home, ours) = (ports::udp(), ports::udp(), ports::udp());
    let site = Site::with("", |conf| {
        let door = format!("radsec = [\"{ours}\"]");
        conf.replace("gateway.toml", "radsec = [\"127.0.0.1:0\"]", &door);
        conf.append("proxy.toml", &discovering(dns, ""));
    });
    let gateway = &site.gateway;
    let naptr = |realm: &str, service: &str, to: &str| {
        format!("{realm}. 300 IN NAPTR 100 10 \"s\" \"{service}\" \"\" {to}.")
    };
    let srv = |name: &str, port: u16| format!("{name}. 300 IN SRV 0 0 {port} radius.example.com.");
    let eduroam = "x-eduroam:radius.tls";
    let records = [
        naptr("example.com", eduroam, "_radsec._tcp.example.com"),
        srv("_radsec._tcp.example.com", home.port()),
        "radius.example.com. 300 IN A 127.0.0.1".to_owned(),
        // The same server, whose certificate says nothing of this realm.
        naptr(
            "forged.test",
            "aaa+auth:radius.tls.tcp",
            "_radsec._tcp.example.com",
        ),
        // This gateway itself.
        naptr("loop.test", eduroam, "_loop._tcp.example.com"),
        srv("_loop._tcp.example.com", ours.port()),
        // Records that lead nowhere.
        naptr("other.test", "sip+d2u", "_radsec._tcp.example.com"),
        naptr("broken.test", eduroam, "_nobody._tcp.example.com"),
        naptr("root.test", eduroam, ""),
    ];
    let _dns = Unbound::start(gateway, dns, &records);
    let holder = site
        .pki
        .issue_for_realm("radius.example.com", 7, "example.com");
    let _freeradius = FreeRadius::over_tls(gateway, home, &holder);
    let alice = login(gateway, "alice@example.com");
    assert!(alice.contains("Received Access-Accept"), "{alice}");
    assert!(alice.contains("Filter-Id = \"home-staff\""), "{alice}");
    // Where DNS says for sure that nobody answers for a realm, its users are refused.
    const SILENCE: &str = "No reply from server";
    const REJECT: &str = "Received Access-Reject";
    for (user, heard, expected) in [
        (
            "a@forged.test",
            SILENCE,
            "does not bear the realm forged.test",
        ),
        ("a@loop.test", SILENCE, "the request would go round"),
        (
            "a@nowhere.test",
            REJECT,
            "nowhere.test does not exist in DNS",
        ),
        ("a@other.test", REJECT, "other.test has no NAPTR record for"),
        (
            "a@broken.test",
            REJECT,
            "_nobody._tcp.example.com does not exist",
        ),
        ("a@root.test", REJECT, "root.test has no NAPTR record for"),
        (
            "a@localhost",
            REJECT,
            "its realm is no name that DNS can have",
        ),
    ] {
        let answer = login(gateway, user);
        assert!(answer.contains(heard), "{user}: {answer}");
        let why = why(gateway, user);
        assert!(why.contains(expected), "{user}: {why}");
    }
    // Who has no realm is known here, and comes in as ever.
    let attributes = format!("User-Name = \"carol\"\nUser-Password = \"carol-sample\"\n{SIGNED}");
    let to = gateway.authentication;
    let carol = send(to, "auth", &gateway.secret(), &attributes);
    assert!(carol.contains("Received Access-Accept"), "{carol}");
    let status = gateway.command(&["status"]);
    let status = String::from_utf8(status.stdout).unwrap();
    let line = "home server example.com (radius.example.com:";
    assert!(status.contains(line), "{status}");
}

#[test]
fn a_certificate_of_another_authority_is_not_believed_whatever_realm_it_bears() {
    let (dns, home) = (ports::udp(), ports::udp());
    let site = Site::with("", |conf| {
        // Not even where the name that DNS gives is enough.
        let text = discovering(dns, "check = \"name\"");
        conf.append("proxy.toml", &text);
    });
    let gateway = &site.gateway;
    let records = [
        "radius.example.com. 300 IN A 127.0.0.1".to_owned(),
        "named.test. 300 IN NAPTR 1 1 \"s\" \"aaa+auth:radius.tls.tcp\" \"\" _r._tcp.example.com."
            .to_owned(),
        format!(
            "_r._tcp.example.com. 300 IN SRV 0 0 {} radius.example.com.",
            home.port()
        ),
    ];
    let _dns = Unbound::start(gateway, dns, &records);
    let foreign = site.pki.issue("radius.example.com", 7, Wrong::Authority);
    let freeradius = FreeRadius::over_tls(gateway, home, &foreign);
    let answer = login(gateway, "alice@named.test");
    assert!(answer.contains("No reply from server"), "{answer}");
    let told = why(gateway, "alice@named.test");
    assert!(told.contains("unknown CA"), "{told}");
    drop(freeradius);
    // With ours it is, by its name.
    let own = site.pki.issue("radius.example.com", 8, Wrong::Nothing);
    let _freeradius = FreeRadius::over_tls(gateway, home, &own);
    until("it is asked when the next attempt is due", || {
        let answer = login(gateway, "alice@named.test");
        answer.contains("Received Access-Reject").then_some(())
    });
}

/// What comes back for a query; nothing if it is empty.
type Lie = fn(&[u8]) -> Vec<u8>;

/// A DNS server that answers each query so.
fn lies(answer: Lie) -> SocketAddr {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    thread::spawn(move || {
        let mut buffer = [0; 1500];
        while let Ok((length, from)) = socket.recv_from(&mut buffer) {
            let answer = answer(&buffer[..length]);
            if !answer.is_empty() {
                drop(socket.send_to(&answer, from));
            }
        }
    });
    address
}

/// The query as the head of an answer that claims so many records.
fn answers(query: &[u8], count: u8) -> Vec<u8> {
    let mut answer = query.to_vec();
    answer[2] = 0x84;
    answer[3] = 0;
    answer[7] = count;
    // No additional records, whatever was asked with.
    answer[11] = 0;
    answer
}

#[test]
fn dns_servers_that_lie_or_say_nothing_cost_their_realm_only() {
    let rows: [(&str, Lie); 5] = [
        ("silence", |_| Vec::new()),
        ("noise", |query| vec![0xa5; query.len() * 3]),
        ("records that are not there", |query| answers(query, 200)),
        ("a name that points at itself", |query| {
            let mut answer = answers(query, 1);
            let here = u8::try_from(answer.len()).unwrap();
            answer.extend_from_slice(&[0xc0, here, 0, 35, 0, 1, 0, 0, 1, 0, 0, 0]);
            answer
        }),
        ("an answer to another question", |query| {
            let mut answer = answers(query, 0);
            answer[0] ^= 0xff;
            answer
        }),
    ];
    for (row, answer) in rows {
        let site = Site::with("", |conf| {
            conf.append("proxy.toml", &discovering(lies(answer), ""));
        });
        let gateway = &site.gateway;
        let alice = login(gateway, "alice@example.com");
        assert!(alice.contains("No reply from server"), "{row}: {alice}");
        until("the look-up has come to nothing", || {
            let text = metrics(gateway);
            let line = "portreeve_discovery_lookups_total{outcome=\"nothing\"} 1";
            text.contains(line).then_some(())
        });
        let attributes =
            format!("User-Name = \"carol\"\nUser-Password = \"carol-sample\"\n{SIGNED}");
        let to = gateway.authentication;
        let carol = send(to, "auth", &gateway.secret(), &attributes);
        assert!(carol.contains("Received Access-Accept"), "{row}: {carol}");
    }
}
