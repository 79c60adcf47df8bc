//! From what was measured to rows: Portreeve, the first one, beside each of the others, beside the
//! best of some, and beside what was promised.

use super::contest::About;
use super::contest::Outcome;
use super::row::Measure;
use super::row::Of;
use super::row::Row;
use super::row::Target;
use super::row::rounded;

/// The rows of a case.
pub(super) fn rows(
    case: &str,
    commit: &str,
    measures: &[Measure],
    outcomes: &[Outcome],
    targets: &[Target],
) -> Vec<Row> {
    let Some((ours, others)) = outcomes.split_first() else {
        return Vec::new();
    };
    let mut rows = Vec::new();
    for measure in measures {
        let bench = Bench {
            case,
            commit,
            measure: *measure,
            ours,
        };
        if others.is_empty() {
            rows.push(bench.row(&about("none"), None));
        }
        for other in others {
            let target = targets.iter().find(|target| {
                target.measure == *measure && target.of == Of::Peer(other.about.name)
            });
            rows.push(bench.beside(other, target));
        }
        for target in targets.iter().filter(|target| target.measure == *measure) {
            match &target.of {
                Of::Peer(_) => {}
                Of::Best(names) => rows.push(bench.beside_best(others, names, target.most)),
                Of::Ours => rows.push(bench.beside_goal(Some(target.most))),
                Of::Above(name) => {
                    let below = others.iter().find(|other| other.about.name == *name);
                    let below = below.and_then(|other| bench.figure(other));
                    rows.push(bench.beside_goal(below.map(|below| below + target.most)));
                }
            }
        }
    }
    rows.into_iter().map(Row::judge).collect()
}

/// One measure of one case.
struct Bench<'a> {
    case: &'a str,
    commit: &'a str,
    measure: Measure,
    ours: &'a Outcome,
}

impl Bench<'_> {
    fn figure(&self, outcome: &Outcome) -> Option<f64> {
        self.measure.of(outcome.figures.as_ref().ok()?)
    }

    fn row(&self, peer: &About, peer_figure: Option<f64>) -> Row {
        let ours = &self.ours.about;
        Row {
            case: self.case.to_owned(),
            measure: self.measure.name().to_owned(),
            figure: self.figure(self.ours),
            unit: self.measure.unit().to_owned(),
            peer: peer.name.to_owned(),
            peer_figure,
            ratio: None,
            target: None,
            met: None,
            commit: self.commit.to_owned(),
            peer_version: peer.version.clone(),
            devices: ours.devices,
            logs: ours.logs.to_owned(),
            peer_logs: peer.logs.to_owned(),
            peer_wrong: None,
            note: note(self.ours).map_or_else(String::new, |note| format!("Portreeve: {note}")),
        }
    }

    fn beside(&self, other: &Outcome, target: Option<&Target>) -> Row {
        let mut row = self.row(&other.about, self.figure(other));
        row.target = target.map(|target| target.most);
        let wrong = other.figures.as_ref().map_or(0.0, |figures| figures.wrong);
        row.peer_wrong = (wrong > 0.0).then(|| rounded(wrong));
        let fewer = (other.about.devices > 0 && other.about.devices < row.devices)
            .then(|| format!("it knew {} devices", other.about.devices));
        let ours = Some(row.note.clone()).filter(|note| !note.is_empty());
        let notes = [ours, note(other), fewer];
        row.note = notes.into_iter().flatten().collect::<Vec<_>>().join("; ");
        row
    }

    /// The one of `names` with the smallest figure; those who answered wrongly are not the best.
    fn beside_best(&self, others: &[Outcome], names: &[&str], most: f64) -> Row {
        let able = others.iter().filter(|other| {
            names.contains(&other.about.name)
                && other
                    .figures
                    .as_ref()
                    .is_ok_and(|figures| figures.wrong < TOLERATED)
        });
        let best = able
            .filter_map(|other| Some((other, self.figure(other)?)))
            .min_by(|(_, one), (_, other)| one.total_cmp(other));
        let nobody = about("");
        let mut row = match best {
            Some((best, figure)) => self.row(&best.about, Some(figure)),
            None => self.row(&nobody, None),
        };
        let which = best.map_or("none of them could", |(best, _)| best.about.name);
        row.note = format!("best: {which}");
        row.peer = format!("best of {}", names.join(", "));
        row.target = Some(most);
        row
    }

    /// A figure that was written down before, or follows from a floor.
    fn beside_goal(&self, most: Option<f64>) -> Row {
        let goal = about("goal");
        let mut row = self.row(&goal, most);
        row.target = Some(1.0);
        row
    }
}

/// Somebody who is no program.
const fn about(name: &'static str) -> About {
    About {
        name,
        version: String::new(),
        logs: "",
        devices: 0,
    }
}

/// What went wrong.
fn note(outcome: &Outcome) -> Option<String> {
    match &outcome.figures {
        Ok(figures) if figures.wrong > 0.0 => Some(format!(
            "{:.0} % of its answers were wrong: {}",
            (figures.wrong * 100.0).max(1.0),
            figures.errors
        )),
        Ok(_) => None,
        Err(why) => Some(why.clone()),
    }
}

/// Share of wrong answers from which on a figure is not one of this case.
pub(super) const TOLERATED: f64 = 0.01;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::figures::Figures;

    fn outcome(name: &'static str, figures: Result<f64, &str>, wrong: f64) -> Outcome {
        Outcome {
            about: About {
                name,
                version: "1".to_owned(),
                logs: "nothing",
                devices: 10,
            },
            figures: figures.map_err(str::to_owned).map(|cpu| Figures {
                cpu,
                wrong,
                errors: "5 timeout".to_owned(),
                ..Figures::default()
            }),
        }
    }

    #[test]
    fn every_peer_has_a_row_and_every_target_a_verdict() {
        let outcomes = [
            outcome("Portreeve", Ok(6.0), 0.0),
            outcome("null", Ok(4.0), 0.0),
            outcome("a", Ok(20.0), 0.0),
            outcome("b", Ok(10.0), 0.5),
            outcome("c", Err("not installed"), 0.0),
        ];
        let target = |of, most| Target {
            measure: Measure::Cpu,
            of,
            most,
        };
        let targets = [
            target(Of::Peer("null"), 1.4),
            target(Of::Best(&["a", "b", "c"]), 0.333),
            target(Of::Ours, 6.0),
            target(Of::Above("null"), 1.0),
        ];
        let rows = rows("MAB", "abc", &[Measure::Cpu], &outcomes, &targets);
        let told: Vec<_> = rows
            .iter()
            .map(|row| (row.peer.as_str(), row.ratio, row.met, row.note.as_str()))
            .collect();
        assert_eq!(rows[2].peer_wrong, Some(0.5));
        assert_eq!(
            told,
            [
                ("null", Some(1.5), Some(false), ""),
                ("a", Some(0.3), None, ""),
                (
                    "b",
                    Some(0.6),
                    None,
                    "50 % of its answers were wrong: 5 timeout"
                ),
                ("c", None, None, "not installed"),
                ("best of a, b, c", Some(0.3), Some(true), "best: a"),
                ("goal", Some(1.0), Some(true), ""),
                ("goal", Some(1.2), Some(false), ""),
            ]
        );
    }

    #[test]
    fn who_is_alone_has_a_row_too() {
        let rows = rows(
            "MAB",
            "abc",
            &[Measure::Cpu],
            &[outcome("Portreeve", Ok(6.0), 0.0)],
            &[],
        );
        let told: Vec<_> = rows
            .iter()
            .map(|row| (row.peer.as_str(), row.figure))
            .collect();
        assert_eq!(told, [("none", Some(6.0))]);
    }

    #[test]
    fn what_ours_could_not_do_is_missed() {
        let outcomes = [
            outcome("Portreeve", Err("ended"), 0.0),
            outcome("a", Ok(1.0), 0.0),
        ];
        let target = Target {
            measure: Measure::Cpu,
            of: Of::Peer("a"),
            most: 1.0,
        };
        let rows = rows("MAB", "abc", &[Measure::Cpu], &outcomes, &[target]);
        assert_eq!(rows[0].met, Some(false));
        assert_eq!(rows[0].note, "Portreeve: ended");
    }
}
