//! The curves as pictures: one panel for each series, the horizontal axis in powers of ten.

use std::fs;

use crate::CURVES;
use crate::Curve;
use crate::Series;
use crate::svg::element;
use crate::svg::picture;
use crate::told::Figure;

/// Draws what there is.
pub(crate) fn write(figures: &[Figure]) -> Result<(), String> {
    let mut body = String::new();
    element(
        &mut body,
        20.0,
        26.0,
        "start",
        "#111111",
        "bold",
        "How cost and memory grow (vertical axes begin at 0)",
    );
    let mut panel = 0;
    for curve in CURVES {
        for series in curve.series {
            let points: Vec<(u32, f64)> = figures
                .iter()
                .filter(|figure| figure.curve == curve.name && figure.series == series.name)
                .map(|figure| (figure.x, figure.value))
                .collect();
            if !points.is_empty() {
                let (left, top) = place(panel);
                body.push_str(&draw(curve, series, &points, left, top));
                panel += 1;
            }
        }
    }
    let (_, top) = place(panel + 1);
    fs::write(FILE, picture(top, &body)).map_err(|error| format!("{FILE}: {error}"))
}

/// Two panels stand beside each other.
fn place(panel: u32) -> (f64, f64) {
    let (row, column) = (panel / 2, panel % 2);
    (
        20.0 + f64::from(column) * (PANEL + 20.0),
        50.0 + f64::from(row) * 190.0,
    )
}

fn draw(curve: &Curve, series: &Series, points: &[(u32, f64)], left: f64, top: f64) -> String {
    let mut svg = String::new();
    element(
        &mut svg,
        left,
        top + 12.0,
        "start",
        "#333333",
        "bold",
        series.name,
    );
    let largest = points.iter().map(|(_, value)| *value).fold(0.0, f64::max);
    let (bottom, width) = (top + 130.0, PANEL - 40.0);
    let spread = |x: u32| f64::from(x.max(1)).log10();
    let first = points.first().map_or(0.0, |(x, _)| spread(*x));
    let last = points.last().map_or(1.0, |(x, _)| spread(*x));
    let at = |x: u32, value: f64| {
        (
            left + 10.0 + width * (spread(x) - first) / (last - first).max(1e-9),
            bottom - 80.0 * value / largest.max(1e-9),
        )
    };
    svg.push_str(&format!(
        "<line x1=\"{left}\" y1=\"{bottom}\" x2=\"{}\" y2=\"{bottom}\" stroke=\"#999999\"/>\n",
        left + PANEL - 20.0
    ));
    let path: Vec<String> = points
        .iter()
        .map(|(x, value)| {
            let (x, y) = at(*x, *value);
            format!("{x:.1},{y:.1}")
        })
        .collect();
    svg.push_str(&format!(
        "<polyline points=\"{}\" fill=\"none\" stroke=\"#1f6f43\" stroke-width=\"2\"/>\n",
        path.join(" ")
    ));
    for (x, value) in points {
        let (across, up) = at(*x, *value);
        svg.push_str(&format!(
            "<circle cx=\"{across:.1}\" cy=\"{up:.1}\" r=\"3\" fill=\"#1f6f43\"/>\n"
        ));
        let figure = format!("{} {}", short(*value), series.unit);
        element(
            &mut svg,
            across,
            up - 8.0,
            "middle",
            "#333333",
            "normal",
            figure.trim(),
        );
        element(
            &mut svg,
            across,
            bottom + 16.0,
            "middle",
            "#666666",
            "normal",
            &round(*x),
        );
    }
    element(
        &mut svg,
        left,
        bottom + 34.0,
        "start",
        "#666666",
        "normal",
        curve.axis,
    );
    svg
}

/// Three digits are enough for a picture.
fn short(value: f64) -> String {
    if value >= 10_000.0 {
        format!("{:.0} k", value / 1e3)
    } else if value >= 100.0 {
        format!("{value:.0}")
    } else if value >= 10.0 {
        format!("{value:.1}")
    } else {
        format!("{value:.2}")
    }
}

fn round(x: u32) -> String {
    match x {
        1_000_000.. => format!("{} M", x / 1_000_000),
        1_000.. => format!("{} k", x / 1_000),
        _ => x.to_string(),
    }
}

const FILE: &str = "bench/growth.svg";

/// Width of a panel.
const PANEL: f64 = 380.0;
