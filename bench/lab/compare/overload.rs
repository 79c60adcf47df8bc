//! More than Portreeve can do: twice its capacity, and a flood of conversations that nobody goes
//! on with. Of Portreeve alone: the goals are about what is left of its own capacity.
//!
//! *Overload.* A closed loop finds the capacity; then an open loop offers twice that. Who is not
//! answered at all was refused, which is right; who was begun and not finished is an error. What
//! counts is the time for each operation that was served: at most 1/0.9 of that at capacity. The
//! server's key is RSA here, and those of the devices are P-256: a generator on the other core,
//! which is to offer twice what the server can do, must have less to do than the server.
//!
//! *Flood.* Conversations begin from 64 addresses and nobody answers, or nobody answers the
//! server's first flight of TLS, while ten devices a second log in.

use std::io;

use super::Setting;
use super::contest;
use super::contest::Contender;
use super::contest::Load;
use super::contest::words;
use super::eap_tls;
use super::pki;
use super::pki::Pki;
use super::report::Report;
use super::row::Measure;
use super::row::Of;
use super::row::Target;
use super::say;
use crate::load::Algorithm;

/// Overload, flood, or both.
pub(super) fn run(setting: &Setting, cases: [bool; 2], report: &mut Report) -> io::Result<()> {
    say("overload: making certificates, starting Portreeve")?;
    let pki = Pki::make_with(setting, Algorithm::P256, Algorithm::Rsa2048, CERTIFICATES)?;
    let [overload, flood] = cases;
    if overload {
        let mut ours = [eap_tls::start_ours(setting, &pki, "portreeve-overload")?];
        for (kind, load) in [
            ("EAP-TLS 1.3, RSA server", eap_load(&pki)),
            ("MAB", mab_load()),
        ] {
            twice(setting, kind, &load, &mut ours, report)?;
        }
    }
    if flood {
        for (case, answer) in [("first requests", false), ("first flights", true)] {
            // A new one each time: memory that it could use again would hide what a flood takes.
            let folder = if answer {
                "portreeve-flights"
            } else {
                "portreeve-flood"
            };
            let mut ours = [eap_tls::start_ours(setting, &pki, folder)?];
            run_flood(
                setting,
                &pki,
                &format!("Flood of {case}"),
                answer,
                &mut ours,
                report,
            )?;
        }
    }
    Ok(())
}

/// Twice the capacity that a closed loop finds.
fn twice(
    setting: &Setting,
    kind: &str,
    load: &[String],
    ours: &mut [Contender],
    report: &mut Report,
) -> io::Result<()> {
    let with = |more: &[&str]| {
        let mut server = load.to_vec();
        server.extend(words(&["--seconds", &setting.seconds.to_string()]));
        server.extend(words(more));
        Load {
            server,
            floor: Vec::new(),
        }
    };
    let case = format!("Overload: {kind} at capacity");
    let closed = with(&["--outstanding", "64"]);
    let outcomes = contest::run(setting, &case, ours, &closed)?;
    let measures = [Measure::Cpu, Measure::Rate, Measure::Each, Measure::P99];
    report.add(&case, &measures, &outcomes, &[])?;
    let rate = outcomes.first().and_then(|ours| ours.figures.as_ref().ok());
    let Some(capacity) = rate.map(|figures| figures.rate) else {
        return Ok(());
    };
    let offered = format!("{:.0}", capacity * 2.0);
    // As a NAS that gives up after 2 s; ports for as many as wait for that.
    let open = with(&[
        "--rate",
        &offered,
        "--shed",
        "--timeout",
        "2000",
        "--ports",
        "256",
    ]);
    let case = format!("Overload: {kind} at twice its capacity");
    let outcomes = contest::run(setting, &case, ours, &open)?;
    let goal = Target {
        measure: Measure::Each,
        of: Of::Ours,
        most: 1e6 / (GOODPUT * capacity),
    };
    report.add(&case, &measures, &outcomes, &[goal])
}

fn run_flood(
    setting: &Setting,
    pki: &Pki,
    case: &str,
    answer: bool,
    ours: &mut [Contender],
    report: &mut Report,
) -> io::Result<()> {
    let (count, rate) = match (setting.quick, answer) {
        (true, _) => ("40000", "20000"),
        (false, false) => ("1000000", "40000"),
        (false, true) => ("1000000", "20000"),
    };
    let (devices, root) = (pki.file(pki::WARM), pki.file("root.pem"));
    let mut load = Load::of(&[
        "load",
        "flood",
        "--json",
        "--half-open",
        count,
        "--flood-rate",
        rate,
        "--devices",
        &devices,
        "--ca",
        &root,
        "--rate",
        "10",
        "--timeout",
        "500",
        "--tries",
        "4",
    ]);
    if answer {
        load.server.push("--answer".to_owned());
    }
    let outcomes = contest::run_rounds(setting, 1, case, ours, &load)?;
    let most = |measure, most| Target {
        measure,
        of: Of::Ours,
        most,
    };
    let targets = [most(Measure::P999, 1e6), most(Measure::Growth, 128.0)];
    let measures = [Measure::P50, Measure::P99, Measure::P999, Measure::Growth];
    report.add(case, &measures, &outcomes, &targets)
}

fn eap_load(pki: &Pki) -> Vec<String> {
    let (devices, root) = (pki.file(pki::COLD), pki.file("root.pem"));
    words(&[
        "load",
        "eap-tls",
        "--json",
        "--tls",
        "1.3",
        "--devices",
        &devices,
        "--ca",
        &root,
    ])
}

fn mab_load() -> Vec<String> {
    words(&[
        "load", "radius", "--json", "--kind", "mab", "--expect", "vlan=20",
    ])
}

const CERTIFICATES: u32 = 1_000;

/// Share of the capacity that must be left.
const GOODPUT: f64 = 0.9;
