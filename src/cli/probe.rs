//! `portreeve probe`: ask a gateway the way a NAS, a supplicant or a phone does.

mod eas;
mod network;

use std::io;
use std::io::Read;
use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::net::Ipv6Addr;
use std::net::SocketAddr;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use clap::Subcommand;

use super::conf::ConfOption;
use super::output::Done;
use super::output::Failed;
use super::output::now;
use crate::config;
use crate::config::Config;
use crate::config::Purpose;
use crate::eap::Outer;
use crate::probe::Challenged;

/// Try a gateway: ask it the way an access point, a laptop or a phone does.
///
/// Secrets, addresses and certificates are taken from the configuration unless they are given, so
/// that a gateway on this machine needs no options at all.
///
/// Exit code 0: it answered and let the device in, if only into quarantine (the VLAN says so; of mail the
/// line does, and the mailbox is one of the gateway's). 1: it answered and did not. 2: no answer, or one
/// that cannot be trusted.
#[derive(Clone, Debug, Args)]
pub(super) struct Arguments {
    /// What to ask.
    #[command(subcommand)]
    pub question: Question,
}

pub(super) fn run(arguments: &Arguments) -> Done {
    match &arguments.question {
        Question::Radius(arguments) => network::status(arguments),
        Question::EapTls(arguments) => network::eap_tls(arguments),
        Question::EapTtls(arguments) => network::tunnel(arguments, Outer::Ttls),
        Question::Peap(arguments) => network::tunnel(arguments, Outer::Peap),
        Question::Teap(arguments) => network::teap(arguments),
        Question::Mab(arguments) => network::bypass(arguments),
        Question::Pap(arguments) => network::password(arguments),
        Question::Chap(arguments) => network::challenged(arguments, Challenged::Chap),
        Question::Mschap(arguments) => network::challenged(arguments, Challenged::MsChap),
        Question::Mschapv2(arguments) => network::challenged(arguments, Challenged::MsChapV2),
        Question::Eas(arguments) => eas::request(arguments),
    }
}

/// The configuration, from which come the addresses and secrets that are not given. A broken one
/// matters only to who needs something of it: probing is wanted most when things are broken.
struct Known(Result<Box<Config>, String>);

impl Known {
    fn read(folder: &Path) -> Self {
        let loaded = config::read(folder).complete(Purpose::Check, now(), &[]);
        Self(match loaded {
            Ok(loaded) => Ok(Box::new(loaded.config)),
            Err(refused) => Err(refused.to_string()),
        })
    }

    fn config(&self) -> Result<&Config, Failed> {
        match &self.0 {
            Ok(config) => Ok(config),
            Err(why) => Err(Failed::new(why.clone())),
        }
    }

    /// The root that was given, or that of the sample PKI.
    fn root(&self, given: Option<&Path>) -> Result<PathBuf, Failed> {
        if let Some(given) = given {
            return Ok(given.to_owned());
        }
        let sample = self.config()?.certificates.folder.join("root.pem");
        if sample.exists() {
            return Ok(sample);
        }
        Err(Failed::new(format!(
            "there is no sample root {}; give --ca with the CA of the gateway's certificate",
            sample.display()
        )))
    }
}

/// Where a server on this machine is reached that listens on every address.
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip @ (IpAddr::V4(_) | IpAddr::V6(_)) => ip,
    };
    SocketAddr::new(ip, address.port())
}

/// The first line of a file, or of standard input: where passwords come from.
fn first_line(file: Option<&Path>) -> Result<Vec<u8>, Failed> {
    let text = match file {
        Some(file) => std::fs::read(file)
            .map_err(|error| Failed::new(format!("{}: {error}", file.display())))?,
        None => {
            let mut octets = Vec::new();
            io::stdin().take(MAX_LINE).read_to_end(&mut octets)?;
            octets
        }
    };
    let line = text.split(|octet| *octet == b'\n').next().unwrap_or(&[]);
    Ok(line.strip_suffix(b"\r").unwrap_or(line).to_vec())
}

/// Longest line of standard input that is read; passwords have at most 128 octets.
const MAX_LINE: u64 = 4096;

/// What to ask.
#[derive(Clone, Debug, Subcommand)]
pub(super) enum Question {
    /// Ask whether the RADIUS server is alive (Status-Server, RFC 5997).
    Radius(Radius),
    /// Log in with a device's certificate (EAP-TLS over RADIUS).
    EapTls(EapTls),
    /// Log in with a name and a password through a tunnel (EAP-TTLS over RADIUS).
    EapTtls(Box<Tunnel>),
    /// Log in with a name and a password through a tunnel (PEAP over RADIUS).
    #[command(mut_arg("inside", |inside| inside.value_parser(INSIDE_PEAP)))]
    Peap(Box<Tunnel>),
    /// Log in as a machine and its user through a tunnel (TEAP over RADIUS).
    #[command(mut_arg("inside", |inside| inside.value_parser(INSIDE_TEAP)))]
    Teap(Box<Teap>),
    /// Ask for a device by its MAC address (MAC authentication bypass).
    Mab(Mab),
    /// Log in with a name and a password (PAP).
    Pap(Pap),
    /// Log in with a name and the answer to a challenge (CHAP).
    Chap(Pap),
    /// The same by MSCHAP, as old VPN concentrators do.
    Mschap(Pap),
    /// The same by MSCHAPv2, as VPN concentrators do; the gateway has to know the password, too.
    Mschapv2(Pap),
    /// Send an ActiveSync request to the mail front.
    Eas(Eas),
}

/// How to reach the RADIUS server.
#[derive(Clone, Debug, Args)]
pub(super) struct Server {
    /// Address and port [default: the first of listen.authentication].
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub server: Option<SocketAddr>,
    /// File with the shared secret [default: that of the NAS that this machine is].
    #[arg(long, value_name = "FILE")]
    pub secret_file: Option<PathBuf>,
    /// Seconds to wait for each answer.
    #[arg(long, value_name = "SECONDS", default_value = "3", value_parser = seconds)]
    pub timeout: Duration,
    /// Where the configuration is.
    #[command(flatten)]
    pub conf: ConfOption,
    /// Print one JSON object instead.
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `probe radius`.
#[derive(Clone, Debug, Args)]
pub(super) struct Radius {
    /// How to reach the server.
    #[command(flatten)]
    pub server: Server,
}

/// Arguments of `probe eap-tls`.
#[derive(Clone, Debug, Args)]
pub(super) struct EapTls {
    /// The sample device whose certificate is used, as in certs/devices [default: the first].
    #[arg(long, value_name = "NAME", conflicts_with_all = ["certificate", "key"])]
    pub device: Option<String>,
    /// The client certificate (PEM), instead of a sample device's.
    #[arg(long, value_name = "FILE", requires = "key")]
    pub certificate: Option<PathBuf>,
    /// Its private key (PEM).
    #[arg(long, value_name = "FILE", requires = "certificate")]
    pub key: Option<PathBuf>,
    /// Authority that issued the server's certificate (PEM) [default: certs/root.pem].
    #[arg(long, value_name = "FILE")]
    pub ca: Option<PathBuf>,
    /// Outer identity [default: the user of the certificate, else its name].
    #[arg(long, value_name = "NAME")]
    pub identity: Option<String>,
    /// TLS version: 1.2 or 1.3 [default: the newest that both know].
    #[arg(long, value_name = "VERSION", value_parser = ["1.2", "1.3"])]
    pub tls: Option<String>,
    /// How to reach the server.
    #[command(flatten)]
    pub server: Server,
}

/// Arguments of `probe eap-ttls` and `probe peap`.
#[derive(Clone, Debug, Args)]
pub(super) struct Tunnel {
    /// Name of the user, inside of the tunnel.
    #[arg(value_name = "USER")]
    pub user: String,
    /// What is spoken inside: gtc, mschapv2-eap or eap-tls; in eap-ttls pap, chap, mschap or mschapv2
    /// without EAP, too, and in teap pap.
    #[arg(long, value_name = "METHOD", default_value = "gtc", value_parser = INSIDE)]
    pub inside: String,
    /// File with the password; without it the password is the first line of standard input.
    #[arg(long, value_name = "FILE")]
    pub password_file: Option<PathBuf>,
    /// Client certificate (PEM): shown to the tunnel where it asks, and for eap-tls inside.
    #[arg(long, value_name = "FILE", requires = "key")]
    pub certificate: Option<PathBuf>,
    /// Its private key (PEM).
    #[arg(long, value_name = "FILE", requires = "certificate")]
    pub key: Option<PathBuf>,
    /// Authority that issued the server's certificate (PEM) [default: certs/root.pem].
    #[arg(long, value_name = "FILE")]
    pub ca: Option<PathBuf>,
    /// Name outside of the tunnel [default: anonymous, in the realm of the user if there is one].
    #[arg(long, value_name = "NAME")]
    pub identity: Option<String>,
    /// Claim this MAC address (Calling-Station-Id) [default: 00:00:5e:00:53:01, a sample device's].
    #[arg(long, value_name = "MAC")]
    pub station: Option<String>,
    /// TLS version: 1.2 or 1.3 [default: the newest that both know].
    #[arg(long, value_name = "VERSION", value_parser = ["1.2", "1.3"])]
    pub tls: Option<String>,
    /// How to reach the server.
    #[command(flatten)]
    pub server: Server,
}

/// Arguments of `probe teap`.
#[derive(Clone, Debug, Args)]
pub(super) struct Teap {
    /// The user; in TEAP `pap` is a password without EAP. An empty name is nobody: then only the
    /// machine speaks.
    #[command(flatten)]
    pub tunnel: Tunnel,
    /// Name of the machine, as host/pc.example.com.
    #[arg(long, value_name = "NAME")]
    pub machine: Option<String>,
    /// What the machine speaks: eap-tls, mschapv2, gtc or pap.
    #[arg(long, value_name = "METHOD", default_value = "eap-tls", value_parser = MACHINES)]
    pub machine_inside: String,
    /// The machine's certificate (PEM).
    #[arg(long, value_name = "FILE", requires = "machine_key")]
    pub machine_certificate: Option<PathBuf>,
    /// Its private key (PEM).
    #[arg(long, value_name = "FILE", requires = "machine_certificate")]
    pub machine_key: Option<PathBuf>,
    /// File with the machine's password.
    #[arg(long, value_name = "FILE", requires = "machine")]
    pub machine_password_file: Option<PathBuf>,
}

/// What `--machine-inside` takes.
const MACHINES: [&str; 4] = ["eap-tls", "mschapv2", "gtc", "pap"];

/// What `--inside` takes in PEAP and in TEAP, where all is spoken by EAP but TEAP's password.
const INSIDE_PEAP: [&str; 4] = ["mschapv2", "mschapv2-eap", "gtc", "eap-tls"];
const INSIDE_TEAP: [&str; 5] = ["pap", "mschapv2", "mschapv2-eap", "gtc", "eap-tls"];

/// What it takes in EAP-TTLS.
const INSIDE: [&str; 7] = [
    "pap",
    "chap",
    "mschap",
    "mschapv2",
    "mschapv2-eap",
    "gtc",
    "eap-tls",
];

/// Arguments of `probe mab`.
#[derive(Clone, Debug, Args)]
pub(super) struct Mab {
    /// MAC address, with any separators.
    #[arg(value_name = "MAC")]
    pub mac: String,
    /// How to reach the server.
    #[command(flatten)]
    pub server: Server,
}

/// Arguments of `probe pap`, `probe chap`, `probe mschap` and `probe mschapv2`.
#[derive(Clone, Debug, Args)]
pub(super) struct Pap {
    /// Name of the user.
    #[arg(value_name = "USER")]
    pub user: String,
    /// File with the password; without it the password is the first line of standard input.
    #[arg(long, value_name = "FILE")]
    pub password_file: Option<PathBuf>,
    /// How to reach the server.
    #[command(flatten)]
    pub server: Server,
}

/// Arguments of `probe eas`.
#[derive(Clone, Debug, Args)]
pub(super) struct Eas {
    /// Name of the user.
    #[arg(value_name = "USER")]
    pub user: String,
    /// ActiveSync DeviceId: up to 32 letters and digits.
    #[arg(value_name = "DEVICEID")]
    pub device: String,
    /// File with the password; without it the password is the first line of standard input.
    #[arg(long, value_name = "FILE")]
    pub password_file: Option<PathBuf>,
    /// Command to send.
    #[arg(long, value_name = "COMMAND", default_value = "FolderSync")]
    pub command: String,
    /// What the phone says it is.
    #[arg(long, value_name = "TYPE", default_value = "iPhone")]
    pub device_type: String,
    /// Send the query in its base64 form.
    #[arg(long)]
    pub base64: bool,
    /// Address and port of the front [default: the first of listen.mail].
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub server: Option<SocketAddr>,
    /// Host name to ask for [default: the first of mail.published_names].
    #[arg(long, value_name = "NAME")]
    pub host: Option<String>,
    /// Authority that issued the front's certificate (PEM) [default: certs/root.pem].
    #[arg(long, value_name = "FILE")]
    pub ca: Option<PathBuf>,
    /// Seconds to wait for the answer.
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = seconds)]
    pub timeout: Duration,
    /// Where the configuration is.
    #[command(flatten)]
    pub conf: ConfOption,
    /// Print one JSON object instead.
    #[arg(long)]
    pub json: bool,
}

/// Whole seconds from 1 to an hour.
fn seconds(text: &str) -> Result<Duration, String> {
    match text.parse() {
        Ok(seconds @ 1..=3600) => Ok(Duration::from_secs(seconds)),
        Ok(_) | Err(_) => Err("expected 1 to 3600 seconds".to_owned()),
    }
}
