//! `eapol_test`: wpa_supplicant's own supplicant behind a NAS of one page.

use std::fs;
use std::net::SocketAddr;
use std::process::Command;

use crate::certificate::Files;
use crate::gateway::Gateway;

/// One login.
pub(crate) struct Login<'a> {
    pub(crate) identity: &'a str,
    pub(crate) files: &'a Files,
    pub(crate) tls13: bool,
    /// Octets of a fragment that the peer sends.
    pub(crate) fragment: usize,
    /// Logins one after another in the same process, which resume the first.
    pub(crate) again: u32,
}

impl<'a> Login<'a> {
    pub(crate) fn new(identity: &'a str, files: &'a Files) -> Self {
        Self {
            identity,
            files,
            tls13: true,
            fragment: 1398,
            again: 0,
        }
    }
}

/// What the supplicant said.
pub(crate) struct Outcome {
    pub(crate) output: String,
}

impl Outcome {
    pub(crate) fn success(&self) -> bool {
        self.output.trim_end().ends_with("SUCCESS")
    }

    /// How often the keys in the Access-Accept were the peer's, and how often not.
    pub(crate) fn keys(&self) -> (u32, u32) {
        let line = self
            .output
            .lines()
            .find(|line| line.starts_with("MPPE keys OK"))
            .unwrap();
        let mut numbers = line.split_whitespace().filter_map(|word| word.parse().ok());
        (numbers.next().unwrap(), numbers.next().unwrap())
    }

    pub(crate) fn says(&self, text: &str) -> bool {
        self.output.contains(text)
    }

    /// The values, as hexadecimal, of an attribute of the last RADIUS packet received.
    pub(crate) fn attribute(&self, number: u8) -> Option<String> {
        let packet = self.output.rsplit("Received RADIUS message").next()?;
        let mut lines = packet.lines();
        lines.find(|line| line.contains(&format!("Attribute {number} (")))?;
        let value = lines.next()?.trim();
        Some(value.strip_prefix("Value: ")?.trim_matches('\'').to_owned())
    }
}

/// Runs it against the gateway.
pub(crate) fn run(gateway: &Gateway, login: &Login<'_>) -> Outcome {
    run_at(gateway, gateway.authentication, &gateway.secret(), login)
}

/// Runs it against a RADIUS server that stands before or behind the gateway.
pub(crate) fn run_at(
    gateway: &Gateway,
    server: SocketAddr,
    secret: &str,
    login: &Login<'_>,
) -> Outcome {
    let no_tls13 = u8::from(!login.tls13);
    let network = format!(
        "network={{\n\
         key_mgmt=IEEE8021X\neap=TLS\nidentity=\"{}\"\n\
         ca_cert=\"{}\"\nclient_cert=\"{}\"\nprivate_key=\"{}\"\n\
         fragment_size={}\nphase1=\"tls_disable_tlsv1_3={no_tls13}\"\n}}\n",
        login.identity,
        gateway.path("certs/root.pem").display(),
        login.files.certificate.display(),
        login.files.key.display(),
        login.fragment,
    );
    let by = (DEBIANS, MAC, login.again, None);
    launch(gateway, (server, secret), &network, by)
}

/// One login through a tunnel.
#[derive(Clone, Copy)]
pub(crate) struct Tunnel<'a> {
    /// `TTLS`, `PEAP` or `TEAP`.
    pub(crate) method: &'a str,
    /// The name outside.
    pub(crate) outside: &'a str,
    /// The name inside.
    pub(crate) user: &'a str,
    pub(crate) password: &'a str,
    /// What is spoken inside, as wpa_supplicant names it.
    pub(crate) inside: &'a str,
    /// More of the method's settings.
    pub(crate) phase1: &'a str,
    /// For EAP-TLS inside.
    pub(crate) files: Option<&'a Files>,
    /// The root that the supplicant trusts, in the gateway's folder.
    pub(crate) root: &'a str,
    pub(crate) tls13: bool,
    pub(crate) again: u32,
    pub(crate) mac: &'a str,
    /// Which build of it.
    pub(crate) program: &'a str,
    /// More of its settings.
    pub(crate) more: &'a str,
    /// An attribute of the requests, as eapol_test takes it (`89:x:00`).
    pub(crate) attribute: Option<&'a str>,
}

impl<'a> Tunnel<'a> {
    pub(crate) fn new(
        method: &'a str,
        inside: &'a str,
        (user, password): (&'a str, &'a str),
    ) -> Self {
        Self {
            method,
            outside: "anonymous",
            user,
            password,
            inside,
            phase1: "",
            files: None,
            root: "certs/root.pem",
            tls13: false,
            again: 0,
            mac: MAC,
            program: DEBIANS,
            more: "",
            attribute: None,
        }
    }
}

/// Runs it.
pub(crate) fn run_tunnel(gateway: &Gateway, login: &Tunnel<'_>) -> Outcome {
    let certificate = login.files.map_or_else(String::new, |files| {
        format!(
            "ca_cert2=\"{}\"\nclient_cert2=\"{}\"\nprivate_key2=\"{}\"\n",
            gateway.path("certs/root.pem").display(),
            files.certificate.display(),
            files.key.display(),
        )
    });
    let network = format!(
        "network={{\nkey_mgmt=IEEE8021X\neap={}\nanonymous_identity=\"{}\"\nidentity=\"{}\"\n\
         password=\"{}\"\nca_cert=\"{}\"\nphase2=\"{}\"\n{certificate}{}\
         phase1=\"tls_disable_tlsv1_3={} {}\"\n}}\n",
        login.method,
        login.outside,
        login.user,
        login.password,
        gateway.path(login.root).display(),
        login.inside,
        login.more,
        u8::from(!login.tls13),
        login.phase1,
    );
    let secret = gateway.secret();
    let server = (gateway.authentication, secret.as_str());
    let by = (login.program, login.mac, login.again, login.attribute);
    launch(gateway, server, &network, by)
}

/// Runs what a network block says.
pub(crate) fn run_network(gateway: &Gateway, network: &str) -> Outcome {
    let secret = gateway.secret();
    let server = (gateway.authentication, secret.as_str());
    launch(gateway, server, network, (DEBIANS, MAC, 0, None))
}

fn launch(
    gateway: &Gateway,
    (server, secret): (SocketAddr, &str),
    network: &str,
    (program, mac, again, attribute): (&str, &str, u32, Option<&str>),
) -> Outcome {
    let file = tempfile::NamedTempFile::new_in(gateway.folder()).unwrap();
    fs::write(file.path(), network).unwrap();
    let output = Command::new(program)
        .arg("-c")
        .arg(file.path())
        .args(["-a", &server.ip().to_string()])
        .args(["-p", &server.port().to_string()])
        .args(["-s", secret, "-t", "15", "-M", mac])
        .args(["-r", &again.to_string()])
        .args(
            attribute
                .into_iter()
                .flat_map(|attribute| ["-N", attribute]),
        )
        .output()
        .unwrap_or_else(|error| panic!("{program}, which tests/run installs or builds: {error}"));
    Outcome {
        output: String::from_utf8_lossy(&output.stdout).into_owned(),
    }
}

/// The one that Debian has built.
const DEBIANS: &str = "eapol_test";

/// A device that nobody knows.
const MAC: &str = "00:00:5e:00:53:77";
