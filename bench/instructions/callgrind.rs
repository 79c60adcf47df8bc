//! This program under `valgrind --tool=callgrind`.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::process::Stdio;

/// What one operation of a case costs.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Count {
    pub(crate) case: String,
    pub(crate) instructions: u64,
}

/// Runs every case and gives what callgrind has counted, in their order.
pub(crate) fn counts() -> Result<Vec<Count>, String> {
    let folder = tempfile::tempdir().map_err(|error| format!("no temporary folder: {error}"))?;
    let out = folder.path().join("out");
    let program = std::env::current_exe().map_err(|error| format!("who am I: {error}"))?;
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--collect-atstart=no"])
        .arg(format!("--callgrind-out-file={}", out.display()))
        .arg("--toggle-collect=*instructions::measured*")
        .arg("--dump-before=*instructions::case_is_over*")
        .arg(program)
        .arg("run")
        .stderr(Stdio::piped())
        .output()
        .map_err(|error| format!("valgrind cannot be started: {error}"))?;
    let said = String::from_utf8_lossy(&output.stdout);
    if !output.status.success() {
        let end = String::from_utf8_lossy(&output.stderr);
        return Err(format!("valgrind ended with {}: {end}", output.status));
    }
    // The first dump is numbered 1.
    let counts = said.lines().zip(1_u32..).map(|(line, number)| {
        let (operations, case) = line
            .split_once(' ')
            .and_then(|(operations, case)| Some((operations.parse::<u64>().ok()?, case)))
            .ok_or_else(|| format!("not a case: {line}"))?;
        let total = total(&out.with_extension(number.to_string()))?;
        if total == 0 {
            return Err(format!(
                "{case}: valgrind saw nothing of it; it may know function names otherwise"
            ));
        }
        Ok(Count {
            case: case.to_owned(),
            instructions: total.div_ceil(operations.max(1)),
        })
    });
    counts.collect()
}

/// The instructions of a dump: the line `summary: N`, or `totals: N`.
fn total(dump: &Path) -> Result<u64, String> {
    let text = fs::read_to_string(dump).map_err(|error| format!("{}: {error}", dump.display()))?;
    text.lines()
        .filter_map(|line| {
            line.strip_prefix("summary: ")
                .or_else(|| line.strip_prefix("totals: "))
        })
        .filter_map(|number| number.trim().parse().ok())
        .max()
        .ok_or_else(|| format!("{}: no sum in it", dump.display()))
}
