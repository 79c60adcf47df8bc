//! Pictures of the rows: bars of what an operation costs, in SVG.

use super::judge::TOLERATED;
use super::radius::ONE_BY_ONE;
use super::report::is_peer;
use super::report::short;
use super::row::Measure;
use super::row::Row;
use crate::svg::element;
use crate::svg::picture;

/// A bar.
#[derive(Clone, Debug, PartialEq)]
struct Bar {
    name: String,
    /// None where it could not be measured.
    figure: Option<f64>,
    /// Share of the answers that were wrong.
    wrong: Option<f64>,
    ours: bool,
}

/// The bars of a case.
#[derive(Clone, Debug, PartialEq)]
struct Group {
    title: String,
    unit: String,
    bars: Vec<Bar>,
}

/// The files and what stands in them; a plane without rows has none.
pub(super) fn pictures(rows: &[Row]) -> Vec<(&'static str, String)> {
    let planes = [
        (
            "radius.svg",
            "MAC bypass and passwords",
            &["MAB", "PAP"][..],
        ),
        ("eap-tls.svg", "EAP-TLS", &["EAP-TLS"][..]),
        ("mail.svg", "ActiveSync", &["Mail"][..]),
    ];
    let pictures = planes.into_iter().filter_map(|(file, title, cases)| {
        let of = rows
            .iter()
            .filter(|row| cases.iter().any(|case| row.case.starts_with(case)));
        let groups = groups(of);
        (!groups.is_empty()).then(|| (file, draw(title, &groups)))
    });
    pictures.collect()
}

/// What an operation costs the processor, or memory where it only waits, or time where there is
/// one at a time; in order of the rows.
fn groups<'a>(rows: impl Iterator<Item = &'a Row>) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    for row in rows.filter(|row| is_shown(row) && is_peer(row)) {
        let title = format!("{}: {}", row.case, row.measure);
        if groups.last().is_none_or(|group| group.title != title) {
            let ours = Bar {
                name: "Portreeve".to_owned(),
                figure: row.figure,
                wrong: None,
                ours: true,
            };
            groups.push(Group {
                title,
                unit: row.unit.clone(),
                bars: vec![ours],
            });
        }
        if let Some(group) = groups.last_mut() {
            let bar = Bar {
                name: row.peer.clone(),
                figure: row.peer_figure,
                wrong: row.peer_wrong,
                ours: false,
            };
            group.bars.push(bar);
        }
    }
    groups
}

fn is_shown(row: &Row) -> bool {
    let measure = if row.case.ends_with(ONE_BY_ONE) {
        Measure::P50
    } else {
        Measure::Cpu
    };
    [measure.name(), Measure::Held.name()].contains(&row.measure.as_str())
}

/// Groups below each other, each with a scale of its own.
fn draw(title: &str, groups: &[Group]) -> String {
    let mut body = String::new();
    let mut y = 56.0;
    for group in groups {
        element(&mut body, 20.0, y, "start", "#333333", "bold", &group.title);
        y += 12.0;
        let largest = group
            .bars
            .iter()
            .filter_map(|bar| bar.figure)
            .fold(0.0, f64::max);
        for bar in &group.bars {
            let length = bar
                .figure
                .map_or(0.0, |figure| LENGTH * figure / largest.max(1e-9));
            let (colour, weight) = if bar.ours {
                ("#1f6f43", "bold")
            } else {
                ("#8da0b3", "normal")
            };
            element(
                &mut body,
                LEFT - 8.0,
                y + 13.0,
                "end",
                "#333333",
                weight,
                &bar.name,
            );
            body.push_str(&format!("<rect x=\"{LEFT}\" y=\"{y}\" width=\"{length:.1}\" height=\"16\" fill=\"{colour}\"/>\n"));
            let figure = bar.figure.map_or_else(
                || "not measured".to_owned(),
                |figure| format!("{} {}{}", short(figure), group.unit, blemish(bar)),
            );
            element(
                &mut body,
                LEFT + length + 6.0,
                y + 13.0,
                "start",
                "#333333",
                weight,
                &figure,
            );
            y += 21.0;
        }
        y += 24.0;
    }
    let mut heading = String::new();
    let line = format!("{title}: what an operation costs the server (shorter is better)");
    element(&mut heading, 20.0, 26.0, "start", "#111111", "bold", &line);
    picture(y, &format!("{heading}{body}"))
}

/// A figure of wrong answers is not one of the case, and says so.
fn blemish(bar: &Bar) -> String {
    let wrong = bar.wrong.filter(|wrong| *wrong >= TOLERATED);
    wrong.map_or_else(String::new, |wrong| {
        format!(" ({:.0} % wrong)", wrong * 100.0)
    })
}

/// Where bars begin.
const LEFT: f64 = 200.0;

/// The longest bar; its figure stands behind it.
const LENGTH: f64 = 460.0;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::row::tests::row;

    #[test]
    fn a_case_is_a_group_of_bars() {
        let goal = Row {
            peer: "goal".to_owned(),
            ..row(Some(6.0), Some(5.0))
        };
        let p50 = Row {
            measure: "p50".to_owned(),
            ..row(Some(6.0), Some(5.0))
        };
        let null = Row {
            peer: "null".to_owned(),
            ..row(Some(6.0), None)
        };
        let rows = [row(Some(6.0), Some(18.0)), null, goal, p50];
        let groups = groups(rows.iter());
        assert_eq!(groups.len(), 1);
        let bars: Vec<_> = groups[0]
            .bars
            .iter()
            .map(|bar| (bar.name.as_str(), bar.figure))
            .collect();
        assert_eq!(
            bars,
            [
                ("Portreeve", Some(6.0)),
                ("FreeRADIUS", Some(18.0)),
                ("null", None)
            ]
        );
    }

    #[test]
    fn pictures_are_drawn_to_scale_with_their_figures() {
        let peer = Row {
            peer: "<a>".to_owned(),
            peer_wrong: Some(0.49),
            ..row(Some(6.0), Some(12.0))
        };
        let pictures = pictures(&[peer]);
        let (file, svg) = &pictures[0];
        assert_eq!((*file, pictures.len()), ("radius.svg", 1));
        for part in [
            "width=\"460.0\"",
            "width=\"230.0\"",
            "6.00 µs/operation",
            "&lt;a&gt;",
            "12.0 µs/operation (49 % wrong)",
            "#ffffff",
        ] {
            assert!(svg.contains(part), "{part} in {svg}");
        }
        assert!(svg.starts_with("<svg ") && svg.ends_with("</svg>\n"));
    }
}
