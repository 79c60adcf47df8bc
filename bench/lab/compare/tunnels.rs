//! Passwords in a tunnel: PEAP with MSCHAPv2, EAP-TTLS with PAP and TEAP with MSCHAPv2, full and
//! resumed, of Portreeve and FreeRADIUS.
//!
//! The server's key is of P-256, and no device has a certificate. The passwords are known in clear,
//! so that what is measured is the method and not a hash. FreeRADIUS 3.2 of Debian speaks no TEAP, and
//! hostapd as it is built there none either.

use std::io;

use super::Setting;
use super::contest;
use super::contest::Contender;
use super::contest::Load;
use super::contest::words;
use super::eap_tls::Cache;
use super::eap_tls::door;
use super::eap_tls::signed_later;
use super::folder::free_port;
use super::folder::text;
use super::freeradius;
use super::freeradius::Form;
use super::gateway::Gateway;
use super::gateway::USERS;
use super::pki::Pki;
use super::report::Report;
use super::row::Measure;
use super::row::Of;
use super::row::Target;
use super::say;
use crate::load::Algorithm;

/// Starts both and measures.
pub(super) fn run(setting: &Setting, report: &mut Report) -> io::Result<()> {
    say("Tunnels: making certificates, starting Portreeve and FreeRADIUS")?;
    let pki = Pki::make(setting, Algorithm::P256, FEW)?;
    let cache = Cache::new()?;
    let mut contenders = start(setting, &pki, &cache)?;
    for (method, inside, most) in [
        ("peap", "mschapv2", Some(180.0)),
        ("eap-ttls", "pap", Some(150.0)),
        ("teap", "mschapv2", None),
    ] {
        for version in ["1.2", "1.3"] {
            for resumed in [false, true] {
                let kind = if resumed { "resumed" } else { "full" };
                let case = format!("{method}/{inside} {version}, {kind}");
                let load = load(setting, &pki, (method, inside, version), resumed);
                let with = if method == "teap" { 1 } else { 2 };
                let Some(taking_part) = contenders.get_mut(..with) else {
                    continue;
                };
                let outcomes = contest::run(setting, &case, taking_part, &load)?;
                let target = most.filter(|_| !resumed).map(|most| Target {
                    measure: Measure::Cpu,
                    of: Of::Ours,
                    most,
                });
                let targets: Vec<Target> = target.into_iter().collect();
                report.add(&case, &Measure::OF_REQUESTS, &outcomes, &targets)?;
            }
        }
    }
    Ok(())
}

fn load(
    setting: &Setting,
    pki: &Pki,
    (method, inside, version): (&str, &str, &str),
    resumed: bool,
) -> Load {
    let (seconds, root) = (setting.seconds.to_string(), pki.file("root.pem"));
    let mut server = words(&[
        "load",
        "eap-tls",
        "--json",
        "--method",
        method,
        "--inside",
        inside,
        "--tls",
        version,
        "--users",
        LOGINS,
        "--ca",
        &root,
        "--outstanding",
        "32",
        "--seconds",
        &seconds,
    ]);
    if resumed {
        server.push("--resume".to_owned());
    }
    Load {
        server,
        floor: Vec::new(),
    }
}

/// Portreeve first.
fn start(setting: &Setting, pki: &Pki, cache: &Cache) -> io::Result<Vec<Contender>> {
    let secret = text(&setting.folder.write("secret", super::radius::SECRET)?);
    let mut gateway = Gateway::new(setting, "portreeve-tunnels", USERS, USERS)?;
    let port = gateway.open("authentication")?;
    let quoted = |file: &str| format!("\"{}\"", pki.file(file));
    gateway.set("[eap]", "certificate", quoted("server.pem"));
    gateway.set("[eap]", "key", quoted("server.key"));
    gateway.set("[eap]", "client_ca", format!("[{}]", quoted("root.pem")));
    gateway.set(
        "[methods]",
        "allow",
        r#"["peap", "eap-ttls", "teap"]"#.to_owned(),
    );
    gateway.set("[methods]", "inside", r#"["mschapv2", "pap"]"#.to_owned());
    gateway.set("[eap.teap]", "tls_max", "\"1.3\"".to_owned());
    let started = gateway.start(setting);
    let secret_of_ours = gateway.file("certs/secrets/nas-local");
    let started = started.map(|program| (program, door(port, &secret_of_ours)));
    let ours = Contender::server(gateway.about(setting), started);
    let port = free_port()?;
    let started = freeradius::start_with_tunnels(setting, port, pki, (&cache.path(), USERS));
    let peer = Contender::server(
        freeradius::about(Form::Single, USERS),
        started.map(|program| (program, signed_later(door(port, &secret)))),
    );
    let mut contenders = vec![ours, peer];
    let root = pki.file("root.pem");
    for contender in &mut contenders {
        let first = [
            "load",
            "eap-tls",
            "--json",
            "--method",
            "peap",
            "--users",
            LOGINS,
            "--ca",
            &root,
            "--count",
            "1",
            "--outstanding",
            "1",
            "--timeout",
            "500",
        ];
        contender.await_first_answer(setting, &first);
    }
    Ok(contenders)
}

/// Users of the made-up world.
const LOGINS: &str = "load{n}@example.com:password{n}+1000";

/// Certificates of devices, of which nobody needs any here.
const FEW: u32 = 1;
