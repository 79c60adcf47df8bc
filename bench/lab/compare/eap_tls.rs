//! EAP-TLS: TLS 1.3 and 1.2, keys of P-256 and RSA-2048, full handshakes and resumed ones, of
//! Portreeve, FreeRADIUS and hostapd, beside rustls in memory.
//!
//! Portreeve checks revocation, the others do not. For full handshakes every conversation has
//! another certificate, as long as there are some; RSA's share a key, which the servers cannot
//! make use of. Portreeve remembers far fewer chains than there are certificates, so none of them
//! is remembered when it comes again; *known devices* are few, and all are.

use std::fs;
use std::io;
use std::path::Path;
use std::path::PathBuf;

use super::Setting;
use super::contest;
use super::contest::About;
use super::contest::Contender;
use super::contest::Load;
use super::contest::words;
use super::folder::free_port;
use super::folder::text;
use super::freeradius;
use super::freeradius::Form;
use super::gateway::Gateway;
use super::gateway::USERS;
use super::hostapd;
use super::pki;
use super::pki::Pki;
use super::program;
use super::program::GENERATOR_CORE;
use super::program::Program;
use super::report::Report;
use super::row::Measure;
use super::row::Of;
use super::row::Target;
use super::say;
use crate::load::Algorithm;

/// Starts everybody for each kind of keys and measures.
pub(super) fn run(setting: &Setting, report: &mut Report) -> io::Result<()> {
    for algorithm in [Algorithm::P256, Algorithm::Rsa2048] {
        say("EAP-TLS: making certificates, starting Portreeve, FreeRADIUS and hostapd")?;
        let cold = if setting.quick { QUICK_COLD } else { DEVICES };
        let pki = Pki::make(setting, algorithm, cold)?;
        let cache = Cache::new()?;
        let mut contenders = start(setting, &pki, &cache)?;
        let (devices, root) = (pki.file(pki::WARM), pki.file("root.pem"));
        for contender in &mut contenders {
            contender.await_first_answer(setting, &first_login(&devices, &root));
        }
        for version in ["1.3", "1.2"] {
            for kind in [Kind::Full, Kind::Known, Kind::Resumed] {
                let key = match algorithm {
                    Algorithm::P256 => "P-256",
                    Algorithm::Rsa2048 => "RSA-2048",
                };
                let case = format!("EAP-TLS {version}, {key}, {}", kind.name());
                let load = load(setting, &pki, version, kind);
                let outcomes = contest::run(setting, &case, &mut contenders, &load)?;
                // Targets are about P-256, which is what devices are enrolled with.
                let targets = match algorithm {
                    Algorithm::P256 => targets(version, kind),
                    Algorithm::Rsa2048 => Vec::new(),
                };
                report.add(&case, &Measure::OF_REQUESTS, &outcomes, &targets)?;
            }
        }
        if algorithm == Algorithm::P256 {
            run_mab_beside(setting, &pki, &mut contenders, report)?;
        }
    }
    Ok(())
}

/// What MAB waits for while EAP-TLS takes all that both cores have; of Portreeve alone, since the
/// peers are set up for one of the two.
fn run_mab_beside(
    setting: &Setting,
    pki: &Pki,
    contenders: &mut [Contender],
    report: &mut Report,
) -> io::Result<()> {
    let Some(ours) = contenders.get_mut(..1) else {
        return Ok(());
    };
    // The generator of MAB goes first on their core: its own waiting is not the server's.
    let missing = || io::Error::other("chrt is not installed (package util-linux)");
    let chrt = program::find("chrt").ok_or_else(missing)?;
    let mut command = words(&[&text(&chrt), "--idle", "0", &text(setting.folder.lab())]);
    command.extend(load(setting, pki, "1.3", Kind::Full).server);
    command.extend(ours.iter().flat_map(|ours| ours.door.iter().cloned()));
    // Until it is ended.
    if let Some(seconds) = command.iter().position(|word| word == "--seconds")
        && let Some(seconds) = command.get_mut(seconds + 1)
    {
        *seconds = "3600".to_owned();
    }
    let folder = setting.folder.path("");
    let log = setting.folder.path("beside.log");
    let _load = Program::start_on(GENERATOR_CORE, &command, &folder, log)?;
    let case = "MAB while EAP-TLS saturates";
    let seconds = setting.seconds.to_string();
    let load = Load::of(&[
        "load",
        "radius",
        "--json",
        "--kind",
        "mab",
        "--expect",
        "vlan=20",
        "--rate",
        "1000",
        "--seconds",
        &seconds,
    ]);
    let outcomes = contest::run(setting, case, ours, &load)?;
    let (measure, of, most) = (Measure::P99, Of::Ours, 2_000.0);
    let measures = [Measure::P50, Measure::P99, Measure::P999];
    report.add(case, &measures, &outcomes, &[Target { measure, of, most }])
}

/// What a handshake is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Full, with a certificate that was not seen for long.
    Full,
    /// Full, of devices that come again and again.
    Known,
    /// Resumed.
    Resumed,
}

impl Kind {
    const fn name(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Known => "full, known devices",
            Self::Resumed => "resumed",
        }
    }
}

fn load(setting: &Setting, pki: &Pki, version: &str, kind: Kind) -> Load {
    let devices = pki.file(match kind {
        Kind::Full => pki::COLD,
        Kind::Known | Kind::Resumed => pki::WARM,
    });
    let (seconds, root) = (setting.seconds.to_string(), pki.file("root.pem"));
    let count = if setting.quick { "200" } else { "2000" };
    let mut server = words(&[
        "load",
        "eap-tls",
        "--json",
        "--tls",
        version,
        "--devices",
        &devices,
        "--ca",
        &root,
        "--outstanding",
        "32",
        "--seconds",
        &seconds,
    ]);
    let mut floor = words(&[
        "bare",
        "--tls",
        version,
        "--algorithm",
        pki.name(),
        "--count",
        count,
    ]);
    if kind == Kind::Resumed {
        server.push("--resume".to_owned());
        floor.push("--resume".to_owned());
    }
    Load { server, floor }
}

fn targets(version: &str, kind: Kind) -> Vec<Target> {
    let cpu = |of, most| Target {
        measure: Measure::Cpu,
        of,
        most,
    };
    match (kind, version) {
        (Kind::Known, _) => vec![cpu(Of::Peer(FLOOR), 1.0)],
        (Kind::Full, _) => vec![
            cpu(Of::Peer(FLOOR), 1.25),
            cpu(Of::Peer("FreeRADIUS -s"), 0.333),
        ],
        (Kind::Resumed, version) => {
            let goal = if version == "1.3" { 125.0 } else { 50.0 };
            vec![
                cpu(Of::Ours, goal),
                cpu(Of::Best(&["FreeRADIUS -s", "hostapd"]), 1.0),
            ]
        }
    }
}

/// One login, to see that a server is there.
fn first_login<'a>(devices: &'a str, root: &'a str) -> [&'a str; 13] {
    [
        "load",
        "eap-tls",
        "--json",
        "--devices",
        devices,
        "--ca",
        root,
        "--count",
        "1",
        "--outstanding",
        "1",
        "--timeout",
        "500",
    ]
}

/// How a generator finds a server.
pub(super) fn door(port: u16, secret: &str) -> Vec<String> {
    let server = format!("127.0.0.1:{port}");
    words(&["--server", &server, "--secret-file", secret])
}

/// Portreeve with certificates of `pki`, in a folder of its own.
pub(super) fn start_ours(setting: &Setting, pki: &Pki, folder: &str) -> io::Result<Contender> {
    let mut gateway = Gateway::new(setting, folder, DEVICES, USERS)?;
    let port = gateway.open("authentication")?;
    let quoted = |file: &str| format!("\"{}\"", pki.file(file));
    gateway.set("[eap]", "certificate", quoted("server.pem"));
    gateway.set("[eap]", "key", quoted("server.key"));
    gateway.set("[eap]", "client_ca", format!("[{}]", quoted("root.pem")));
    gateway.set(
        "[eap]",
        "revocation_lists",
        format!("[{}]", quoted("revoked.pem")),
    );
    gateway.set("[eap]", "demand_revocation", "true".to_owned());
    gateway.set("[eap]", "remembered_chains", REMEMBERED.to_string());
    let ours = gateway.start(setting);
    let secret_of_ours = gateway.file("certs/secrets/nas-local");
    let ours = ours.map(|program| (program, door(port, &secret_of_ours)));
    let mut ours = Contender::server(gateway.about(setting), ours);
    let (devices, root) = (pki.file(pki::WARM), pki.file("root.pem"));
    ours.await_first_answer(setting, &first_login(&devices, &root));
    Ok(ours)
}

/// Portreeve first.
fn start(setting: &Setting, pki: &Pki, cache: &Cache) -> io::Result<Vec<Contender>> {
    let secret = text(&setting.folder.write("secret", super::radius::SECRET)?);
    let ours = start_ours(setting, pki, &format!("portreeve-{}", pki.name()))?;
    let floor = Contender {
        about: About {
            name: FLOOR,
            version: "of Portreeve".to_owned(),
            logs: "nothing",
            devices: 0,
        },
        door: Vec::new(),
        program: None,
        limit: None,
    };
    let port = free_port()?;
    let started = freeradius::start_with_tls(setting, port, pki, &cache.path());
    let freeradius = Contender::server(
        freeradius::about(Form::Single, DEVICES),
        started.map(|program| (program, signed_later(door(port, &secret)))),
    );
    let port = free_port()?;
    let started = hostapd::start_with_tls(setting, port, pki);
    let mut hostapd = Contender::server(
        hostapd::about(DEVICES),
        started.map(|program| (program, signed_later(door(port, &secret)))),
    );
    hostapd.limit = Some(hostapd::EAP_LIMIT);
    Ok(vec![ours, floor, freeradius, hostapd])
}

/// Peers put Message-Authenticator behind other attributes.
pub(super) fn signed_later(mut door: Vec<String>) -> Vec<String> {
    door.push("--signed-later".to_owned());
    door
}

/// Where FreeRADIUS keeps sessions: in memory, if the system has a folder there.
pub(super) struct Cache(PathBuf);

impl Cache {
    pub(super) fn new() -> io::Result<Self> {
        let shared = Path::new("/dev/shm");
        let usual = std::env::temp_dir();
        let above = if shared.is_dir() { shared } else { &usual };
        let path = nix::unistd::mkdtemp(&above.join("compare-sessions-XXXXXX"))?;
        Ok(Self(path))
    }

    pub(super) fn path(&self) -> String {
        text(&self.0)
    }
}

impl Drop for Cache {
    fn drop(&mut self) {
        // What stays is a folder of sessions that nobody will resume.
        drop(fs::remove_dir_all(&self.0));
    }
}

const FLOOR: &str = "rustls in memory";

/// Devices in the inventory, and certificates for full handshakes.
const DEVICES: u32 = 10_000;
const QUICK_COLD: u32 = 4_000;

/// Chains that Portreeve remembers: all of the known devices, and none of the others, of which as
/// many come in between as fill it several times.
const REMEMBERED: u32 = 1_024;
