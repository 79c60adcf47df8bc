//! `eapol_test`: wpa_supplicant's own supplicant behind a NAS of one page.

use std::fs;
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

/// Runs it.
pub(crate) fn run(gateway: &Gateway, login: &Login<'_>) -> Outcome {
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
    let file = tempfile::NamedTempFile::new_in(gateway.folder()).unwrap();
    fs::write(file.path(), network).unwrap();
    let output = Command::new("eapol_test")
        .arg("-c")
        .arg(file.path())
        .args(["-a", &gateway.authentication.ip().to_string()])
        .args(["-p", &gateway.authentication.port().to_string()])
        .args([
            "-s",
            &gateway.secret(),
            "-t",
            "15",
            "-M",
            "00:00:5e:00:53:77",
        ])
        .args(["-r", &login.again.to_string()])
        .output()
        .expect("eapol_test is installed by tests/run");
    Outcome {
        output: String::from_utf8_lossy(&output.stdout).into_owned(),
    }
}
