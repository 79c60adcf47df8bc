//! How cost and memory grow with what a gateway holds: devices, NASes, policies, sessions,
//! conversations, Pings, and cores.
//!
//! `bench/growth` runs this. Every point is measured by a process of its own, so that one does not
//! use the memory of another: `curves point CURVE X` prints its figures, a name and a number in
//! each line. `bench/growth.json` has all figures, `bench/growth.svg` the pictures.
//!
//! | file | holds |
//! | --- | --- |
//! | `points` | what is measured at a point |
//! | `walk` | a full walk through the emulator's devices while others decide |
//! | `draw` | the pictures |
//! | `told` | growth.json, and what should be flat and is not |

#![expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]

#[path = "curves/draw.rs"]
mod draw;
#[path = "decide/gateway.rs"]
mod gateway;
#[path = "../tests/support/nas.rs"]
#[allow(clippy::unwrap_used, reason = "it belongs to tests")]
mod nas;
#[path = "../tests/support/pki.rs"]
#[allow(clippy::unwrap_used, reason = "it belongs to tests")]
mod pki;
#[path = "curves/points.rs"]
mod points;
#[path = "lab/svg.rs"]
mod svg;
#[path = "curves/told.rs"]
mod told;
#[path = "curves/walk.rs"]
mod walk;
#[path = "decide/world.rs"]
mod world;

use std::io::Write;
use std::process::Command;
use std::process::ExitCode;

use told::Figure;

/// A curve: what grows, where it is measured, and what of it.
pub(crate) struct Curve {
    pub(crate) name: &'static str,
    /// What the horizontal axis counts.
    pub(crate) axis: &'static str,
    pub(crate) points: &'static [u32],
    pub(crate) series: &'static [Series],
}

/// What is measured at each point of a curve.
pub(crate) struct Series {
    pub(crate) name: &'static str,
    pub(crate) unit: &'static str,
    /// Whether it ought not to grow.
    pub(crate) flat: bool,
}

const fn series(name: &'static str, unit: &'static str, flat: bool) -> Series {
    Series { name, unit, flat }
}

const CURVES: &[Curve] = &[
    Curve {
        name: "devices",
        axis: "devices in the inventory",
        points: &[1_000, 10_000, 100_000, 1_000_000, 10_000_000],
        series: &[
            series("decision", "ns", true),
            series("MAC bypass, datagram to reply", "ns", true),
            series("write of one device", "ns", true),
            series("memory of a device", "octets", true),
        ],
    },
    Curve {
        name: "instructions",
        axis: "devices in the inventory",
        points: &[1_000, 10_000, 100_000],
        series: &[
            series("instructions of a decision", "", true),
            series("misses of the first cache", "", false),
            series("misses of the last cache", "", false),
        ],
    },
    Curve {
        name: "nas",
        axis: "prefixes of NASes",
        points: &[10, 100, 1_000, 10_000, 50_000],
        series: &[
            series("look-up of a NAS", "ns", true),
            series("memory of a NAS", "octets", true),
        ],
    },
    Curve {
        name: "policies",
        axis: "policies that all apply",
        points: &[1, 5, 20, 50, 100, 200],
        series: &[series("decision", "ns", false)],
    },
    Curve {
        name: "sessions",
        axis: "live accounting sessions",
        points: &[1, 1_000, 10_000, 100_000, 1_000_000],
        series: &[
            series("Interim-Update, datagram to reply", "ns", true),
            series("memory of a session", "octets", true),
        ],
    },
    Curve {
        name: "conversations",
        axis: "EAP-TLS conversations in flight",
        points: &[1_000, 4_000, 16_000],
        series: &[series("memory of a conversation", "octets", true)],
    },
    Curve {
        name: "pings",
        axis: "held Pings",
        points: &[1_000, 2_000, 4_000, 8_000],
        series: &[series("memory of a Ping", "octets", true)],
    },
    Curve {
        name: "walk",
        axis: "devices in a full walk",
        points: &[10_000, 100_000, 1_000_000],
        series: &[
            series("full walk", "s", false),
            series("decision p99.9, no walk", "ns", false),
            series("decision p99.9 during a walk", "ns", false),
        ],
    },
    Curve {
        name: "cores",
        axis: "threads that serve",
        points: &[1, 2],
        series: &[
            series("MAC bypass, processor time", "ns", true),
            series("decision, processor time", "ns", true),
        ],
    },
];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments
        .iter()
        .map(String::as_str)
        .filter(|argument| *argument != "--bench")
        .collect();
    let outcome = match arguments.as_slice() {
        ["point", curve, x] => x
            .parse()
            .map_err(|_| format!("{x} is no number"))
            .and_then(|x| points::measure(curve, x)),
        ["draw"] => told::read().and_then(|figures| draw::write(&figures)),
        only => grow(only),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            say(&problem);
            ExitCode::FAILURE
        }
    }
}

/// Measures all curves, or some, and writes everything down after each.
fn grow(only: &[&str]) -> Result<(), String> {
    for name in only {
        if CURVES.iter().all(|curve| curve.name != *name) {
            let known: Vec<&str> = CURVES.iter().map(|curve| curve.name).collect();
            return Err(format!("no curve {name}; there are {}", known.join(", ")));
        }
    }
    let mut figures = told::read()?;
    let wanted = |curve: &&Curve| only.is_empty() || only.contains(&curve.name);
    for curve in CURVES.iter().filter(wanted) {
        say(curve.axis);
        let mut new = Vec::new();
        for x in curve.points {
            match point(curve, *x) {
                Ok(point) => new.extend(point),
                // A machine may be too small for the last points of a curve.
                Err(problem) => say(&format!("{x:>12}  {problem}")),
            }
        }
        figures.retain(|figure| figure.curve != curve.name);
        figures.extend(new);
        told::write(&figures)?;
        draw::write(&figures)?;
    }
    told::judge(&figures);
    Ok(())
}

/// One point, by a process of its own.
fn point(curve: &Curve, x: u32) -> Result<Vec<Figure>, String> {
    let program = std::env::current_exe().map_err(|error| format!("who am I: {error}"))?;
    let output = Command::new(program)
        .args(["point", curve.name, &x.to_string()])
        .output()
        .map_err(|error| error.to_string())?;
    let said = String::from_utf8_lossy(&output.stdout);
    if !output.status.success() {
        let error = String::from_utf8_lossy(&output.stderr);
        return Err(format!(
            "{}: {}{}",
            output.status,
            said.trim(),
            error.trim()
        ));
    }
    let mut figures = Vec::new();
    for series in curve.series {
        let mut lines = said.lines();
        let value = lines.find_map(|line| {
            let value = line.strip_prefix(series.name)?.strip_prefix('\t')?;
            value.parse().ok()
        });
        // Memory of few things is lost among the pages that tables begin with.
        let Some(value) = value else {
            continue;
        };
        say(&format!(
            "{x:>12}  {:40} {value:>12.1} {}",
            series.name, series.unit
        ));
        figures.push(Figure {
            curve: curve.name.to_owned(),
            x,
            series: series.name.to_owned(),
            unit: series.unit.to_owned(),
            value,
        });
    }
    Ok(figures)
}

fn say(line: &str) {
    writeln!(std::io::stdout(), "{line}").expect("standard output is open");
}
