//! What a comparison leaves behind: a table on the terminal, results.json and the plots.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::PathBuf;
use std::process::Command;

use super::contest::Outcome;
use super::judge;
use super::plot;
use super::row::Measure;
use super::row::Row;
use super::row::Target;
use super::say;

/// The rows so far, kept on disk after each case.
#[derive(Debug)]
pub(super) struct Report {
    out: PathBuf,
    commit: String,
    rows: Vec<Row>,
    /// Cases of which Portreeve did not do its part.
    failed: Vec<String>,
}

impl Report {
    /// Rows of an earlier run stay until their case is measured again.
    pub(super) fn new(out: PathBuf) -> io::Result<Self> {
        fs::create_dir_all(&out)?;
        let rows = match fs::read(out.join(RESULTS)) {
            Ok(text) => serde_json::from_slice(&text)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(error),
        };
        Ok(Self {
            out,
            commit: commit(),
            rows,
            failed: Vec::new(),
        })
    }

    /// Takes a case in, prints its table and writes everything down.
    pub(super) fn add(
        &mut self,
        case: &str,
        measures: &[Measure],
        outcomes: &[Outcome],
        targets: &[Target],
    ) -> io::Result<()> {
        let rows = judge::rows(case, &self.commit, measures, outcomes, targets);
        say(&table(&rows))?;
        let ours = outcomes.first().map(|ours| &ours.figures);
        if !ours.is_some_and(|ours| ours.as_ref().is_ok_and(|figures| figures.wrong == 0.0)) {
            self.failed.push(case.to_owned());
        }
        merge(&mut self.rows, case, rows);
        self.save()
    }

    fn save(&self) -> io::Result<()> {
        fs::write(self.out.join(RESULTS), json(&self.rows)?)?;
        for (file, picture) in plot::pictures(&self.rows) {
            fs::write(self.out.join(file), picture)?;
        }
        Ok(())
    }

    /// Says where everything is; an error if Portreeve failed in a case.
    pub(super) fn finish(&self) -> io::Result<()> {
        let missed = self
            .rows
            .iter()
            .filter(|row| row.met == Some(false))
            .count();
        let out = self.out.display();
        say(&format!(
            "{missed} targets are missed; results.json and the plots are in {out}"
        ))?;
        if self.failed.is_empty() {
            return Ok(());
        }
        let cases = self.failed.join(", ");
        Err(io::Error::other(format!(
            "Portreeve did not answer everything rightly in: {cases}"
        )))
    }
}

/// Puts the rows of `case` in the place of its old ones, or at the end.
fn merge(all: &mut Vec<Row>, case: &str, rows: Vec<Row>) {
    let place = all
        .iter()
        .position(|row| row.case == case)
        .unwrap_or(all.len());
    all.retain(|row| row.case != case);
    let place = place.min(all.len());
    all.splice(place..place, rows);
}

/// One row a line: a change of one figure is a change of one line.
fn json(rows: &[Row]) -> io::Result<String> {
    let lines: Result<Vec<String>, _> = rows.iter().map(serde_json::to_string).collect();
    Ok(format!("[\n{}\n]\n", lines?.join(",\n")))
}

/// The rows of a case: a line for each measure, a column for each who took part, then targets and
/// notes.
fn table(rows: &[Row]) -> String {
    let mut text = String::new();
    let mut peers: Vec<&str> = Vec::new();
    for row in rows.iter().filter(|row| is_peer(row)) {
        if !peers.contains(&row.peer.as_str()) {
            peers.push(&row.peer);
        }
    }
    let mut line = format!("  {:28}{:>12}", "", "Portreeve");
    for peer in &peers {
        line.push_str(&format!("{peer:>26}"));
    }
    text.push_str(&line);
    let mut measures: Vec<&str> = rows.iter().map(|row| row.measure.as_str()).collect();
    measures.dedup();
    for measure in measures {
        let of: Vec<&Row> = rows.iter().filter(|row| row.measure == measure).collect();
        let Some(first) = of.first() else {
            continue;
        };
        let name = format!("{measure}, {}", first.unit);
        text.push_str(&format!("\n  {name:28}{:>12}", shown(first.figure)));
        for row in of.iter().filter(|row| is_peer(row)) {
            let ratio = row
                .ratio
                .map_or_else(String::new, |ratio| format!(" (× {ratio:.2})"));
            text.push_str(&format!(
                "{:>26}",
                format!("{}{ratio}", shown(row.peer_figure))
            ));
        }
    }
    for row in rows.iter().filter(|row| row.target.is_some()) {
        let verdict = match row.met {
            Some(true) => "met",
            Some(false) => "MISSED",
            None => "not known",
        };
        let exact = |ratio: Option<f64>| {
            ratio.map_or_else(|| "–".to_owned(), |ratio| format!("{ratio:.3}"))
        };
        let (ratio, most) = (exact(row.ratio), exact(row.target));
        let (measure, peer) = (&row.measure, &row.peer);
        text.push_str(&format!(
            "\n  {measure} / {peer}: {ratio}, at most {most}: {verdict}"
        ));
    }
    let notes: BTreeSet<String> = rows
        .iter()
        .filter(|row| is_peer(row) && !row.note.is_empty())
        .map(|row| format!("\n  {}: {}", row.peer, row.note))
        .collect();
    text.extend(notes);
    text.push('\n');
    text
}

/// Whether a row is about a program that was measured, and about all of it.
pub(super) fn is_peer(row: &Row) -> bool {
    !matches!(row.peer.as_str(), "goal" | "none") && !row.peer.starts_with("best of ")
}

fn shown(figure: Option<f64>) -> String {
    figure.map_or_else(|| "–".to_owned(), short)
}

/// As many digits as are worth reading.
pub(super) fn short(figure: f64) -> String {
    match figure {
        100.0.. => format!("{figure:.0}"),
        10.0.. => format!("{figure:.1}"),
        _ => format!("{figure:.2}"),
    }
}

/// The commit that is measured, with a + if files have been changed since.
fn commit() -> String {
    let git = |arguments: &[&str]| {
        let output = Command::new("git").args(arguments).output().ok()?;
        let said = String::from_utf8(output.stdout).ok()?;
        output.status.success().then(|| said.trim().to_owned())
    };
    let Some(commit) = git(&["rev-parse", "--short", "HEAD"]) else {
        return "unknown".to_owned();
    };
    let changed = git(&["status", "--porcelain", "--", "src", "Cargo.lock", "conf"]);
    let mark = if changed.is_none_or(|changed| changed.is_empty()) {
        ""
    } else {
        "+"
    };
    format!("{commit}{mark}")
}

const RESULTS: &str = "results.json";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::row::tests::row;

    #[test]
    fn json_holds_a_row_a_line_and_is_read_again() {
        let rows = [row(Some(6.0), Some(18.0)).judge(), row(None, None)];
        let text = json(&rows).unwrap();
        assert_eq!(text.lines().count(), 4);
        assert!(text.contains("\"case\":\"MAB\",\"measure\":\"server CPU\",\"figure\":6.0"));
        let again: Vec<Row> = serde_json::from_str(&text).unwrap();
        assert_eq!(again, rows);
    }

    #[test]
    fn a_case_that_is_measured_again_takes_its_old_place() {
        let named = |case: &str, figure| Row {
            case: case.to_owned(),
            ..row(Some(figure), None)
        };
        let mut all = vec![
            named("a", 1.0),
            named("b", 1.0),
            named("b", 2.0),
            named("c", 1.0),
        ];
        merge(&mut all, "b", vec![named("b", 9.0)]);
        merge(&mut all, "d", vec![named("d", 9.0)]);
        assert_eq!(
            all,
            [
                named("a", 1.0),
                named("b", 9.0),
                named("c", 1.0),
                named("d", 9.0)
            ]
        );
    }

    #[test]
    fn tables_show_figures_ratios_and_verdicts() {
        let mut goal = Row {
            target: Some(1.0),
            ..row(Some(6.0), Some(5.0))
        };
        goal.peer = "goal".to_owned();
        let mut absent = row(Some(6.0), None);
        absent.note = "not installed".to_owned();
        let text = table(&[row(Some(6.0), Some(18.0)).judge(), absent, goal.judge()]);
        assert!(text.contains("server CPU, µs/operation"), "{text}");
        assert!(text.contains("18.0 (× 0.33)"), "{text}");
        assert!(
            text.contains("server CPU / goal: 1.200, at most 1.000: MISSED"),
            "{text}"
        );
        assert!(text.contains("FreeRADIUS: not installed"), "{text}");
    }
}
