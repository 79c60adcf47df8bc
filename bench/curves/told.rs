//! What was measured, as growth.json keeps it, and what should be flat.

use std::fs;

use serde::Deserialize;
use serde::Serialize;

use crate::CURVES;
use crate::say;

/// A figure at a point of a curve.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub(crate) struct Figure {
    pub(crate) curve: String,
    pub(crate) x: u32,
    pub(crate) series: String,
    pub(crate) unit: String,
    pub(crate) value: f64,
}

/// The figures of earlier runs.
pub(crate) fn read() -> Result<Vec<Figure>, String> {
    match fs::read(FILE) {
        Ok(text) => serde_json::from_slice(&text).map_err(|error| format!("{FILE}: {error}")),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(format!("{FILE}: {error}")),
    }
}

/// One figure a line: a change of one is a change of one line.
pub(crate) fn write(figures: &[Figure]) -> Result<(), String> {
    let lines: Result<Vec<String>, _> = figures.iter().map(serde_json::to_string).collect();
    let lines = lines.map_err(|error| error.to_string())?;
    fs::write(FILE, format!("[\n{}\n]\n", lines.join(",\n")))
        .map_err(|error| format!("{FILE}: {error}"))
}

/// Says of each series that ought to be flat by how much its largest is above its smallest.
pub(crate) fn judge(figures: &[Figure]) {
    for curve in CURVES {
        for series in curve.series.iter().filter(|series| series.flat) {
            let values = figures
                .iter()
                .filter(|figure| figure.curve == curve.name && figure.series == series.name)
                .map(|figure| figure.value);
            let smallest = values.clone().fold(f64::INFINITY, f64::min);
            let largest = values.fold(0.0, f64::max);
            if largest > 0.0 {
                let above = (largest / smallest - 1.0) * 100.0;
                let verdict = if above <= FLAT { "flat" } else { "NOT FLAT" };
                say(&format!(
                    "{verdict:>8}  {}: {} (the largest is {above:.0} % above the smallest)",
                    curve.axis, series.name
                ));
            }
        }
    }
}

/// Cargo runs benches in the package's folder.
const FILE: &str = "bench/growth.json";

/// Hundredths above the smallest within which a curve counts as flat.
const FLAT: f64 = 25.0;
