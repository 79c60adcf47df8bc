//! `portreeve-lab compare`: Portreeve, its peers and the floors under one load, side by side.
//!
//! Every program is started in a temporary folder, the servers on core 0 and the generators on
//! core 1, and the rounds of a case take turns, so that whatever else the machine does falls on
//! all. The generators check every reply.
//!
//! | file | holds |
//! | --- | --- |
//! | `radius`, `eap_tls`, `tunnels`, `mail`, `change`, `overload` | the cases: who takes part, under what load |
//! | `gateway`, `freeradius`, `hostapd`, `go`, `front` | how each program is started, in its best form |
//! | `program`, `folder`, `pki` | processes, places and certificates of a comparison |
//! | `contest`, `figures` | rounds in turn, and what one of them measured |
//! | `row`, `judge` | a figure beside a peer's, and the targets |
//! | `report`, `plot` | the table, results.json and pictures of them |
//!
//! A peer that cannot be started or that answers wrongly has a row that says so; the rest goes on.

mod change;
mod contest;
mod eap_tls;
mod figures;
mod folder;
mod freeradius;
mod front;
mod gateway;
mod go;
mod hostapd;
mod judge;
mod mail;
mod overload;
mod pki;
mod plot;
mod program;
mod radius;
mod report;
mod row;
mod tunnels;

use std::io;
use std::io::Write;
use std::path::PathBuf;

use clap::Args;
use clap::ValueEnum;
use portreeve::net::Clock;

use folder::Folder;
use report::Report;

/// Measure Portreeve beside its peers and the floors, and write results.json and plots.
#[derive(Clone, Debug, Args)]
pub(crate) struct Arguments {
    /// A first look: 10,000 devices, 2 seconds, one round, into target/compare.
    #[arg(long)]
    quick: bool,
    /// Only these cases; rows of others that are in results.json stay.
    #[arg(long, value_enum, value_name = "CASE", num_args = 1.., value_delimiter = ',')]
    only: Vec<Case>,
    /// Seconds of each round [default: 5].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=600))]
    seconds: Option<u32>,
    /// Rounds; the median counts [default: 3].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=99))]
    rounds: Option<u32>,
    /// Devices in the inventories [default: 1000000].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1_000..=5_000_000))]
    devices: Option<u32>,
    /// Pings that are held [default: 8000].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=50_000))]
    held: Option<u32>,
    /// Folder with the source of layeh.com/radius, for the server in Go, where the module proxy is
    /// not to be had.
    #[arg(long, value_name = "FOLDER")]
    layeh: Option<PathBuf>,
    /// Folder with the configuration to start from.
    #[arg(long, value_name = "FOLDER", default_value = "conf")]
    conf: PathBuf,
    /// Folder for results.json and the plots [default: bench].
    #[arg(long, value_name = "FOLDER")]
    out: Option<PathBuf>,
}

/// The cases.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Case {
    /// MAC authentication bypass.
    Mab,
    /// Passwords.
    Pap,
    /// EAP-TLS, all versions and keys, full and resumed.
    EapTls,
    /// Passwords in the tunnels of PEAP, EAP-TTLS and TEAP, full and resumed.
    Tunnels,
    /// ActiveSync requests.
    Mail,
    /// Pings that wait.
    Held,
    /// The state of one device changes.
    Change,
    /// Twice what Portreeve can do, of EAP-TLS and of MAC authentication bypass.
    Overload,
    /// A million conversations that nobody goes on with, and logins meanwhile.
    Flood,
}

/// What all cases have in common.
#[derive(Debug)]
struct Setting {
    devices: u32,
    seconds: u32,
    rounds: u32,
    quick: bool,
    layeh: Option<PathBuf>,
    folder: Folder,
    clock: Clock,
}

impl Arguments {
    fn includes(&self, case: Case) -> bool {
        self.only.is_empty() || self.only.contains(&case)
    }

    fn setting(&self) -> io::Result<Setting> {
        let pick = |given: Option<u32>, quick, full| {
            given.unwrap_or(if self.quick { quick } else { full })
        };
        Ok(Setting {
            devices: pick(self.devices, 10_000, 1_000_000),
            seconds: pick(self.seconds, 2, 5),
            rounds: pick(self.rounds, 1, 3),
            quick: self.quick,
            layeh: self.layeh.clone(),
            folder: Folder::new(&self.conf)?,
            clock: Clock::start(),
        })
    }

    fn out(&self) -> PathBuf {
        let usual = if self.quick {
            "target/compare"
        } else {
            "bench"
        };
        self.out.clone().unwrap_or_else(|| usual.into())
    }
}

/// Runs the cases; an error says that one of Portreeve's own could not be measured.
pub(crate) fn run(arguments: &Arguments) -> io::Result<()> {
    let setting = arguments.setting()?;
    let mut report = Report::new(arguments.out())?;
    say(&format!(
        "{} devices, {} rounds of {} s",
        setting.devices, setting.rounds, setting.seconds
    ))?;
    if arguments.includes(Case::Mab) || arguments.includes(Case::Pap) {
        let kinds: Vec<radius::Kind> = [
            (Case::Mab, radius::Kind::Mab),
            (Case::Pap, radius::Kind::Pap),
        ]
        .into_iter()
        .filter(|(case, _)| arguments.includes(*case))
        .map(|(_, kind)| kind)
        .collect();
        radius::run(&setting, &kinds, &mut report)?;
    }
    if arguments.includes(Case::EapTls) {
        eap_tls::run(&setting, &mut report)?;
    }
    if arguments.includes(Case::Tunnels) {
        tunnels::run(&setting, &mut report)?;
    }
    if arguments.includes(Case::Mail) {
        mail::run(&setting, &mut report)?;
    }
    if arguments.includes(Case::Held) {
        mail::run_held(&setting, arguments.held, &mut report)?;
    }
    if arguments.includes(Case::Change) {
        change::run(&setting, &mut report)?;
    }
    if arguments.includes(Case::Overload) || arguments.includes(Case::Flood) {
        let cases = [Case::Overload, Case::Flood].map(|case| arguments.includes(case));
        overload::run(&setting, cases, &mut report)?;
    }
    report.finish()
}

/// Tells whoever waits what is going on.
fn say(line: &str) -> io::Result<()> {
    writeln!(io::stdout(), "{line}")
}
