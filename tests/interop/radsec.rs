//! RADIUS over TLS: `radsecproxy` in front of the gateway, and TLS clients of our own that it does
//! not want.

use std::io::ErrorKind;
use std::io::Read;
use std::io::Write;
use std::net::SocketAddr;
use std::net::TcpStream;
use std::process::Command;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use nix::sys::signal::Signal;
use rustls::ClientConfig;
use rustls::ClientConnection;
use rustls::RootCertStore;
use rustls::StreamOwned;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::PrivatePkcs8KeyDer;

use crate::certificate;
use crate::certificate::Wanted;
use crate::eapol_test;
use crate::eapol_test::Login;
use crate::freeradius;
use crate::gateway::Gateway;
use crate::gateway::until;
use crate::pki::Holder;
use crate::pki::Pki;
use crate::pki::Wrong;
use crate::radclient::SIGNED;
use crate::radclient::metrics;
use crate::radclient::send;
use crate::radsecproxy::Proxy;
use crate::radsecproxy::UDP_SECRET;

/// A gateway with an open door for RADIUS over TLS, and the authority of its NASes.
pub(crate) struct Site {
    pub(crate) gateway: Gateway,
    pub(crate) pki: Pki,
    pub(crate) radsec: SocketAddr,
}

/// The DNS name of the NAS that may come.
pub(crate) const NAME: &str = "proxy.branch.example.org";

impl Site {
    pub(crate) fn start(nas: &str) -> Self {
        Self::with(nas, |_| {})
    }

    pub(crate) fn with(nas: &str, edit: impl FnOnce(&crate::gateway::Conf)) -> Self {
        let pki = Pki::new();
        let server = pki.issue("radius.example.org", 1, Wrong::Nothing);
        let gateway = Gateway::start(|conf| {
            let write = |name: &str, text: &str| conf.write(name, text);
            write("nas-ca.crt", &pki.authority.pem());
            write("radsec.crt", &server.pem());
            write("radsec.key", &server.key_pem());
            write("nas.crl", &pki.revocation_list(&[]));
            conf.replace("gateway.toml", "radsec = []", "radsec = [\"127.0.0.1:0\"]");
            conf.replace(
                "gateway.toml",
                "[radsec]\n# The certificate that NASes see: PEM, the gateway's own first, then its intermediates.\ncertificate = \"certs/radius.pem\"\n",
                "[radsec]\ncertificate = \"conf/radsec.crt\"\n",
            );
            conf.replace(
                "gateway.toml",
                "key = \"certs/keys/radius.key\"\n# The authorities that issue the NASes'",
                "key = \"conf/radsec.key\"\n# The authorities that issue the NASes'",
            );
            conf.replace(
                "gateway.toml",
                "client_ca = []              # [\"certs/nas-ca.pem\"]",
                "client_ca = \"conf/nas-ca.crt\"",
            );
            conf.replace(
                "gateway.toml",
                "# revoked since; so does the end of a certificate.\nrevocation_lists = []",
                "revocation_lists = \"conf/nas.crl\"",
            );
            conf.append("nas.toml", nas);
            edit(conf);
        });
        let radsec = gateway
            .banner
            .lines()
            .find(|line| line.contains("RADIUS over TLS"))
            .and_then(|line| line.split_whitespace().last()?.parse().ok())
            .unwrap();
        Self {
            gateway,
            pki,
            radsec,
        }
    }

    /// A TLS connection that shows this certificate; `Err` with the reason when the handshake or
    /// what follows it fails.
    fn connect(&self, holder: Option<&Holder>) -> Result<Connection, String> {
        let mut connection = self.tls(holder, &[]);
        // In TLS 1.3 a client learns that it is refused with the first octets it reads.
        connection.ask(&status(7))?;
        Ok(connection)
    }

    /// A connection that has not shaken hands yet, and offers these protocols.
    fn tls(&self, holder: Option<&Holder>, protocols: &[&str]) -> Connection {
        let mut roots = RootCertStore::empty();
        roots.add(self.pki.authority.der().clone()).unwrap();
        let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots);
        let mut config = match holder {
            Some(holder) => {
                let key = PrivatePkcs8KeyDer::from(holder.key.serialize_der());
                config
                    .with_client_auth_cert(
                        vec![holder.certificate.clone()],
                        PrivateKeyDer::from(key),
                    )
                    .unwrap()
            }
            None => config.with_no_client_auth(),
        };
        config.alpn_protocols = protocols.iter().map(|name| (*name).into()).collect();
        let name = "radius.example.org".try_into().unwrap();
        let client = ClientConnection::new(Arc::new(config), name).unwrap();
        let socket = TcpStream::connect(self.radsec).unwrap();
        socket
            .set_read_timeout(Some(Duration::from_secs(10)))
            .unwrap();
        Connection(StreamOwned::new(client, socket))
    }

    fn metric(&self, line: &str) -> bool {
        metrics(&self.gateway).lines().any(|found| found == line)
    }
}

struct Connection(StreamOwned<ClientConnection, TcpStream>);

impl Connection {
    fn write(&mut self, octets: &[u8]) -> Result<(), String> {
        let written = self.0.write_all(octets).and_then(|()| self.0.flush());
        written.map_err(|error| error.to_string())
    }

    /// Sends a packet and gives the next one that comes.
    fn ask(&mut self, packet: &[u8]) -> Result<Vec<u8>, String> {
        self.write(packet)?;
        self.next()
    }

    fn next(&mut self) -> Result<Vec<u8>, String> {
        let mut header = [0; 4];
        let read = |error: std::io::Error| format!("{:?}: {error}", error.kind());
        self.0.read_exact(&mut header).map_err(read)?;
        let length = usize::from(u16::from_be_bytes([header[2], header[3]]));
        let mut packet = header.to_vec();
        packet.resize(length, 0);
        self.0.read_exact(&mut packet[4..]).map_err(read)?;
        Ok(packet)
    }

    /// Whether the gateway has closed it.
    fn is_closed(&mut self) -> bool {
        let mut octet = [0];
        match self.0.read(&mut octet) {
            Ok(read) => read == 0,
            Err(error) => error.kind() != ErrorKind::WouldBlock,
        }
    }
}

/// A Status-Server with this identifier, signed with the secret of RADIUS over TLS.
fn status(identifier: u8) -> Vec<u8> {
    use portreeve::model::Secret;
    use portreeve::radius::RequestAuthenticator;
    use portreeve::radius::RequestBuilder;
    use portreeve::radius::SharedSecret;

    let secret = SharedSecret::new(Secret::new(b"radsec".to_vec()));
    let mut buffer = [0; 4096];
    let authenticator = RequestAuthenticator::new([identifier; 16]);
    RequestBuilder::status_server(&mut buffer, identifier, authenticator, &secret)
        .finish()
        .unwrap()
        .to_vec()
}

fn branch(extra: &str) -> String {
    format!("\n[[nas]]\nname = \"branch\"\ncertificate_name = \"{NAME}\"\n{extra}")
}

#[test]
fn only_a_certificate_of_our_authority_with_a_known_name_gets_in_rfc6614_2_3() {
    let site = Site::start(&branch(""));
    let issue = |name, serial, wrong| site.pki.issue(name, serial, wrong);
    let good = issue(NAME, 2, Wrong::Nothing);
    let mut connection = site.connect(Some(&good)).unwrap();
    assert_eq!(connection.ask(&status(1)).unwrap()[..2], [2, 1]);
    for (row, holder, counted) in [
        ("no certificate", None, "handshake"),
        (
            "another authority",
            Some(issue(NAME, 3, Wrong::Authority)),
            "handshake",
        ),
        ("expired", Some(issue(NAME, 4, Wrong::Time)), "handshake"),
        (
            "unknown name",
            Some(issue("proxy.elsewhere.example.org", 5, Wrong::Nothing)),
            "stranger",
        ),
    ] {
        let count = || {
            let text = metrics(&site.gateway);
            let name = format!("portreeve_radsec_closed_total{{reason=\"{counted}\"}} ");
            let line = text.lines().find_map(|line| line.strip_prefix(&name));
            line.unwrap().parse::<u32>().unwrap()
        };
        let before = count();
        assert!(site.connect(holder.as_ref()).is_err(), "row {row}");
        until("it is counted", || (count() == before + 1).then_some(()));
    }
    let said = site.gateway.command(&["status", "--json"]);
    let said: serde_json::Value = serde_json::from_slice(&said.stdout).unwrap();
    assert_eq!(said.pointer("/radsec/accepted"), Some(&1.into()));
    // None of them cost the one that may be there anything.
    assert_eq!(connection.ask(&status(2)).unwrap()[..2], [2, 2]);
}

#[test]
fn a_fingerprint_and_a_wildcard_bind_a_nas_too_rfc6614_3_4() {
    let site = Site::start("");
    let pinned = site.pki.issue("whatever.example.org", 2, Wrong::Nothing);
    let wild = site.pki.issue("ap-7.aps.example.org", 3, Wrong::Nothing);
    let deeper = site.pki.issue("x.ap-7.aps.example.org", 4, Wrong::Nothing);
    let elsewhere = site.pki.issue("far.example.org", 5, Wrong::Nothing);
    let print = portreeve::model::Fingerprint::of(&pinned.certificate);
    site.gateway.conf().append(
        "nas.toml",
        &format!(
            "\n[[nas]]\nname = \"pinned\"\ncertificate_fingerprint = \"{print}\"\n\
             \n[[nas]]\nname = \"aps\"\ncertificate_name = \"*.aps.example.org\"\n\
             \n[[nas]]\nname = \"far\"\ncertificate_name = \"far.example.org\"\n\
             network = \"192.0.2.0/24\"\n"
        ),
    );
    assert!(site.gateway.reload().contains("is in force"));
    for (row, holder, good) in [
        ("pinned", &pinned, true),
        ("wildcard", &wild, true),
        ("a label too many", &deeper, false),
        ("from the wrong network", &elsewhere, false),
    ] {
        assert_eq!(site.connect(Some(holder)).is_ok(), good, "row {row}");
    }
}

#[test]
fn a_reload_ends_revoked_connections_and_no_others() {
    let second = "\n[[nas]]\nname = \"second\"\ncertificate_name = \"second.example.org\"\n";
    let site = Site::start(&(branch("") + second));
    let good = site.pki.issue(NAME, 2, Wrong::Nothing);
    let revoked = site.pki.issue("second.example.org", 3, Wrong::Nothing);
    let mut stays = site.connect(Some(&good)).unwrap();
    let mut leaves = site.connect(Some(&revoked)).unwrap();
    // Another certificate of the gateway's own comes with the same reload.
    let renewed = site.pki.issue("radius.example.org", 9, Wrong::Nothing);
    let conf = site.gateway.conf();
    conf.write("radsec.crt", &renewed.pem());
    conf.write("radsec.key", &renewed.key_pem());
    conf.write("nas.crl", &site.pki.revocation_list(&[3]));
    assert!(site.gateway.reload().contains("is in force"));
    assert!(leaves.is_closed());
    assert!(site.connect(Some(&revoked)).is_err());
    assert_eq!(stays.ask(&status(1)).unwrap()[..2], [2, 1]);
    let mut new = site.connect(Some(&good)).unwrap();
    let shown = new.0.conn.peer_certificates().unwrap()[0].clone();
    assert_eq!(shown, renewed.certificate);
    assert_eq!(new.ask(&status(1)).unwrap()[..2], [2, 1]);
}

#[test]
fn garbage_closes_its_connection_and_no_other_rfc6613_2_6_4() {
    let site = Site::start(&branch(""));
    let good = site.pki.issue(NAME, 2, Wrong::Nothing);
    let mut bystander = site.connect(Some(&good)).unwrap();
    let mut wrong_signature = status(3);
    *wrong_signature.last_mut().unwrap() ^= 1;
    let mut cut = status(5);
    cut.truncate(30);
    cut.extend_from_slice(&status(6));
    let rows: [(&str, &[u8], &str); 9] = [
        ("length 0", &[1, 1, 0, 0, 0, 0, 0], "malformed"),
        ("zeros", &[0; 4096], "malformed"),
        ("length 65535", &[1, 1, 0xff, 0xff, 0, 0, 0], "malformed"),
        ("a packet that is cut", &cut, "distrusted"),
        ("length 19", &[1, 1, 0, 19, 0, 0, 0], "malformed"),
        ("length 4097", &[1, 1, 0x10, 1, 0, 0, 0], "malformed"),
        ("text", b"GET / HTTP/1.1\r\n\r\n", "malformed"),
        (
            "an attribute of length 1",
            &[
                1, 9, 0, 22, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1,
            ],
            "distrusted",
        ),
        ("another secret", &wrong_signature, "distrusted"),
    ];
    for (row, octets, _) in rows {
        let mut connection = site.connect(Some(&good)).unwrap();
        connection.write(octets).unwrap();
        assert!(connection.is_closed(), "row {row}");
        assert_eq!(bystander.ask(&status(4)).unwrap()[..2], [2, 4], "row {row}");
    }
    // What is no TLS at all.
    let mut plain = TcpStream::connect(site.radsec).unwrap();
    plain.write_all(&status(1)).unwrap();
    plain
        .set_read_timeout(Some(Duration::from_secs(10)))
        .unwrap();
    let mut rest = Vec::new();
    drop(plain.read_to_end(&mut rest));
    assert!(!rest.starts_with(&[2]), "answered without TLS");
    for (reason, count) in [("malformed", 6), ("distrusted", 3)] {
        let line = format!("portreeve_radsec_closed_total{{reason=\"{reason}\"}} {count}");
        until("it is counted", || site.metric(&line).then_some(()));
    }
}

#[test]
fn packets_are_found_however_the_stream_is_cut_and_answered_by_identifier_rfc6613_2_6_1() {
    let site = Site::start(&branch(""));
    let good = site.pki.issue(NAME, 2, Wrong::Nothing);
    let mut connection = site.connect(Some(&good)).unwrap();
    // One octet at a time.
    for octet in status(1) {
        connection.write(&[octet]).unwrap();
    }
    assert_eq!(connection.next().unwrap()[..2], [2, 1]);
    // All identifiers at once; each may be used again when it is answered.
    for _ in 0..2 {
        let all: Vec<u8> = (0..=255).flat_map(status).collect();
        connection.write(&all).unwrap();
        let mut answered: Vec<u8> = (0..=255).map(|_| connection.next().unwrap()[1]).collect();
        answered.sort_unstable();
        assert_eq!(answered, (0..=255).collect::<Vec<u8>>());
    }
}

#[test]
fn beyond_their_number_connections_are_turned_away() {
    let site = Site::with(&branch(""), |conf| {
        let written = "max_connections_per_address = 64";
        conf.replace("gateway.toml", written, "max_connections_per_address = 2");
    });
    let good = site.pki.issue(NAME, 2, Wrong::Nothing);
    let mut first = site.connect(Some(&good)).unwrap();
    let second = site.connect(Some(&good)).unwrap();
    assert!(site.connect(Some(&good)).is_err());
    drop(second);
    until("the place is free again", || site.connect(Some(&good)).ok());
    assert_eq!(first.ask(&status(1)).unwrap()[..2], [2, 1]);
}

#[test]
fn radsecproxy_carries_logins_and_accounting_over_tls_rfc6614() {
    let site = Site::start(&branch("group = \"default\"\n"));
    let gateway = &site.gateway;
    let proxy = Proxy::in_front(&site, &site.pki.issue(NAME, 2, Wrong::Nothing));
    let login = |password: &str| {
        let attributes = format!("User-Name = \"carol\"\nUser-Password = \"{password}\"\n{SIGNED}");
        send(proxy.address, "auth", UDP_SECRET, &attributes)
    };
    until("the proxy is connected", || {
        let connected = "portreeve_radsec_accepted_total 1";
        site.metric(connected).then_some(())
    });
    let answer = login("carol-sample");
    assert!(answer.contains("Received Access-Accept"), "{answer}");
    assert!(answer.contains("Class = 0x"), "{answer}");
    let answer = login("wrong");
    assert!(answer.contains("Received Access-Reject"), "{answer}");
    let accounting = "User-Name = \"carol\"\nAcct-Status-Type = Start\n\
                      Acct-Session-Id = \"0001\"\nNAS-Identifier = \"test\"\n";
    let answer = send(proxy.address, "acct", UDP_SECRET, accounting);
    assert!(answer.contains("Received Accounting-Response"), "{answer}");
    let recorded = gateway.accounted();
    assert!(recorded.contains("\"nas\":\"branch\""), "{recorded}");

    // EAP-TLS through it, with keys that the supplicant believes.
    let files = certificate::issue(gateway, &Wanted::default());
    let outcome = eapol_test::run_at(
        gateway,
        proxy.address,
        UDP_SECRET,
        &Login::new("alice@example.com", &files),
    );
    assert!(outcome.success(), "{}", outcome.output);
    assert_eq!(outcome.keys(), (1, 0), "{}", outcome.output);
    assert!(
        !proxy.log().contains("Message-Authenticator"),
        "{}",
        proxy.log()
    );
}

#[test]
fn radsecproxy_with_a_certificate_of_another_authority_gets_nothing() {
    let site = Site::start(&branch(""));
    let proxy = Proxy::in_front(&site, &site.pki.issue(NAME, 2, Wrong::Authority));
    until("the handshake fails", || {
        let text = metrics(&site.gateway);
        let failed = "portreeve_radsec_closed_total{reason=\"handshake\"} 0";
        (!text.contains(failed) && text.contains("reason=\"handshake\"")).then_some(())
    });
    let attributes = format!("User-Name = \"carol\"\nUser-Password = \"carol-sample\"\n{SIGNED}");
    let answer = send(proxy.address, "auth", UDP_SECRET, &attributes);
    assert!(answer.contains("No reply from server"), "{answer}");
}

#[test]
fn who_must_leave_is_told_so_on_the_connection_rfc5176_rfc6614_2_1() {
    let site = Site::with(&branch("dynamic_authorization = true\n"), |conf| {
        conf.replace(
            "policy.toml",
            "no_credential          = \"quarantine\"",
            "no_credential = \"allow\"",
        );
        conf.replace(
            "policy.toml",
            "unknown_device         = \"quarantine\"",
            "unknown_device = \"block\"",
        );
    });
    let good = site.pki.issue(NAME, 2, Wrong::Nothing);
    let mut connection = site.connect(Some(&good)).unwrap();
    let accept = connection.ask(&bypass("00005e005301")).unwrap();
    assert_eq!(accept[0], 2);
    // The address is no known device's any more.
    site.gateway
        .conf()
        .replace("devices.csv", "00:00:5e:00:53:01", "00:00:5e:00:53:91");
    let request = connection.next().unwrap();
    assert_eq!(request[0], 40, "a Disconnect-Request");
    connection.write(&answer(&request, 41)).unwrap();
    let acknowledged = "portreeve_disconnects_total{outcome=\"acknowledged\"} 1";
    until("the answer is counted", || {
        site.metric(acknowledged).then_some(())
    });
    let line = "portreeve_disconnects_total{outcome=\"repeated\"} 0";
    assert!(site.metric(line), "{}", metrics(&site.gateway));
}

/// A request of MAC authentication bypass, over TLS.
fn bypass(station: &str) -> Vec<u8> {
    use portreeve::model::Secret;
    use portreeve::radius::AttributeType;
    use portreeve::radius::RequestAuthenticator;
    use portreeve::radius::RequestBuilder;
    use portreeve::radius::SharedSecret;

    let secret = SharedSecret::new(Secret::new(b"radsec".to_vec()));
    let mut buffer = [0; 4096];
    let authenticator = RequestAuthenticator::new([9; 16]);
    let mut request = RequestBuilder::access_request(&mut buffer, 9, authenticator, &secret);
    request
        .octets(AttributeType::USER_NAME, station.as_bytes())
        .octets(AttributeType::CALLING_STATION_ID, station.as_bytes())
        .user_password(station.as_bytes());
    request.finish().unwrap().to_vec()
}

/// The answer of a NAS: no attributes, signed as a reply.
fn answer(request: &[u8], code: u8) -> Vec<u8> {
    let mut reply = vec![code, request[1], 0, 20];
    let mut signed = reply.clone();
    signed.extend_from_slice(&request[4..20]);
    signed.extend_from_slice(b"radsec");
    reply.extend_from_slice(&md5_of(&signed));
    reply
}

fn md5_of(octets: &[u8]) -> [u8; 16] {
    use md5::Digest;
    md5::Md5::digest(octets).into()
}

#[test]
fn freeradius_proxies_to_us_over_tls_rfc6614() {
    let site = Site::start(&branch("group = \"default\"\n"));
    let holder = site.pki.issue(NAME, 2, Wrong::Nothing);
    let front = freeradius::in_front(&site, &holder);
    until("FreeRADIUS answers", || {
        let answer = send(front.address, "status", UDP_SECRET, SIGNED);
        answer.contains("Received Access-Accept").then_some(())
    });
    for (password, expected) in [
        ("carol-sample", "Received Access-Accept"),
        ("wrong", "Received Access-Reject"),
    ] {
        let attributes = format!("User-Name = \"carol\"\nUser-Password = \"{password}\"\n{SIGNED}");
        let answer = send(front.address, "auth", UDP_SECRET, &attributes);
        assert!(answer.contains(expected), "{answer}\n{}", front.log());
    }
    let files = certificate::issue(&site.gateway, &Wanted::default());
    let login = Login::new("alice@example.com", &files);
    let outcome = eapol_test::run_at(&site.gateway, front.address, UDP_SECRET, &login);
    assert!(outcome.success(), "{}", outcome.output);
    assert_eq!(outcome.keys(), (1, 0), "{}", outcome.output);
}

/// A packet of RADIUS/1.1 (RFC 9765 section 4).
fn version11(code: u8, token: u8, attributes: &[(u8, &[u8])]) -> Vec<u8> {
    let mut octets = vec![code, 0, 0, 0, 0xa0, 0, 0, token];
    octets.resize(20, 0);
    for (kind, value) in attributes {
        octets.extend_from_slice(&[*kind, u8::try_from(value.len() + 2).unwrap()]);
        octets.extend_from_slice(value);
    }
    let length = u16::try_from(octets.len()).unwrap().to_be_bytes();
    octets[2..4].copy_from_slice(&length);
    octets
}

#[test]
fn radius_1_1_is_spoken_with_those_that_ask_for_it_rfc9765_3() {
    let site = Site::start(&branch(""));
    let good = site.pki.issue(NAME, 2, Wrong::Nothing);
    let mut new = site.tls(Some(&good), &["radius/1.1", "radius/1.0"]);
    assert_eq!(
        new.ask(&version11(12, 1, &[])).unwrap(),
        version11(2, 1, &[]),
        "neither authenticator nor Message-Authenticator"
    );
    assert_eq!(new.0.conn.alpn_protocol(), Some(&b"radius/1.1"[..]));
    for (password, code) in [(&b"carol-sample"[..], 2), (b"wrong", 3)] {
        let login = version11(1, 9, &[(1, b"carol"), (2, password)]);
        let answer = new.ask(&login).unwrap();
        assert_eq!((answer[0], answer[1]), (code, 0));
        assert_eq!(answer[4..20], login[4..20], "the Token comes back");
    }
    // More than 256 at once: the Token has 32 bits, the identifier means nothing.
    let all: Vec<u8> = (0..=255)
        .chain(0..=255)
        .flat_map(|token| version11(12, token, &[]))
        .collect();
    new.write(&all).unwrap();
    for _ in 0..512 {
        assert_eq!(new.next().unwrap()[0], 2);
    }
    // Others are served as ever; a name that nobody knows ends the handshake.
    let mut old = site.tls(Some(&good), &["radius/1.0"]);
    assert_eq!(old.ask(&status(1)).unwrap()[..2], [2, 1]);
    let mut other = site.tls(Some(&good), &["h2"]);
    assert!(other.ask(&status(1)).is_err());

    // No downgrade where it is demanded.
    let conf = site.gateway.conf();
    conf.replace(
        "gateway.toml",
        "radius_1_1 = \"allow\"",
        "radius_1_1 = \"require\"",
    );
    assert!(site.gateway.reload().contains("is in force"));
    for protocols in [&["radius/1.0"][..], &[]] {
        let mut old = site.tls(Some(&good), protocols);
        assert!(old.ask(&status(1)).is_err(), "row {protocols:?}");
    }
    let mut new = site.tls(Some(&good), &["radius/1.1"]);
    assert_eq!(new.ask(&version11(12, 2, &[])).unwrap()[0], 2);
}

/// A client that offered RADIUS/1.1 over TLS 1.2 was closed after a handshake that had agreed on it.
#[test]
fn radius_1_1_is_agreed_on_over_tls_1_3_alone_rfc9765_3() {
    let site = Site::start(&branch(""));
    let good = site.pki.issue(NAME, 2, Wrong::Nothing);
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: String| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let certificate = file("nas.crt", good.pem());
    let key = file("nas.key", good.key.serialize_pem());
    for (version, protocols, expected) in [
        (
            "-tls1_3",
            "radius/1.1,radius/1.0",
            "ALPN protocol: radius/1.1",
        ),
        ("-tls1_3", "radius/1.0", "ALPN protocol: radius/1.0"),
        (
            "-tls1_2",
            "radius/1.1,radius/1.0",
            "ALPN protocol: radius/1.0",
        ),
        ("-tls1_2", "radius/1.0", "ALPN protocol: radius/1.0"),
        ("-tls1_2", "radius/1.1", "SSL alert number 120"),
        ("-tls1_3", "h2", "SSL alert number 120"),
    ] {
        let output = Command::new("openssl")
            .args(["s_client", "-connect", &site.radsec.to_string()])
            .args([version, "-alpn", protocols])
            .arg("-cert")
            .arg(&certificate)
            .arg("-key")
            .arg(&key)
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let said = [&output.stdout[..], &output.stderr].concat();
        let said = String::from_utf8_lossy(&said);
        assert!(said.contains(expected), "row {version} {protocols}: {said}");
    }
}

#[test]
fn stopping_says_goodbye_on_the_connections() {
    let site = Site::start(&branch(""));
    let good = site.pki.issue(NAME, 2, Wrong::Nothing);
    let mut connection = site.connect(Some(&good)).unwrap();
    site.gateway.signal(Signal::SIGTERM);
    let mut octet = [0];
    // An orderly close_notify, and no torn connection.
    assert_eq!(connection.0.read(&mut octet).unwrap(), 0);
}
