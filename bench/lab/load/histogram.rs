//! A small picture of latencies for a terminal.

use hdrhistogram::Histogram;

/// Rows of a picture: one for each step of 1, 2, 5, 10, … µs that has something in it.
pub(super) fn picture(latency: &Histogram<u64>) -> String {
    let mut rows: Vec<(u64, u64)> = Vec::new();
    let mut low = 0;
    for high in steps() {
        // The histogram rounds values; a value on a border may be counted on either side.
        rows.push((high, latency.count_between(low, high.saturating_sub(1))));
        low = high;
        if high > latency.max() {
            break;
        }
    }
    let empty = rows.iter().take_while(|(_, count)| *count == 0).count();
    let most = rows.iter().map(|(_, count)| *count).max().unwrap_or(0);
    let mut picture = String::new();
    for (high, count) in rows.into_iter().skip(empty) {
        let width = (count * WIDTH).checked_div(most).unwrap_or(0);
        let bar = "#".repeat(usize::try_from(width).unwrap_or(0));
        let bar = if bar.is_empty() && count > 0 {
            "."
        } else {
            &bar
        };
        let row = format!("{:>9}  {count:>9}  {bar}", format!("< {}", time(high)));
        picture.push_str(row.trim_end());
        picture.push('\n');
    }
    picture
}

/// Nanoseconds in the unit that suits them.
pub(super) fn time(nanos: u64) -> String {
    match nanos {
        0..1_000 => format!("{nanos} ns"),
        1_000..1_000_000 => format!("{} µs", nanos / 1_000),
        1_000_000..1_000_000_000 => format!("{} ms", nanos / 1_000_000),
        _ => format!("{} s", nanos / 1_000_000_000),
    }
}

/// 1, 2, 5 µs and so on up to 500 s.
fn steps() -> impl Iterator<Item = u64> {
    let powers = std::iter::successors(Some(1_000), |power| Some(power * 10));
    powers
        .take(9)
        .flat_map(|power| [power, 2 * power, 5 * power])
}

/// Characters of the longest bar.
const WIDTH: u64 = 50;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_has_a_row_for_each_step_between_the_ends() {
        let mut latency = Histogram::new(3).unwrap();
        latency.record_n(30_000, 100).unwrap();
        latency.record_n(1_500_000, 1).unwrap();
        let picture = picture(&latency);
        let rows: Vec<&str> = picture.lines().collect();
        assert!(
            rows[0].starts_with("  < 50 µs        100  ####"),
            "{picture}"
        );
        assert!(rows[1].ends_with("0"), "{picture}");
        assert!(rows.last().unwrap().ends_with("1  ."), "{picture}");
        assert_eq!(rows.len(), 6, "50, 100, 200, 500 µs, 1, 2 ms: {picture}");
    }

    #[test]
    fn nothing_gives_no_rows_that_count() {
        let picture = picture(&Histogram::new(3).unwrap());
        assert_eq!(picture, "");
    }
}
