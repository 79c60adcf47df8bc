//! The known word that a mistyped one was probably meant to be.

/// The one of `known` that `text` was probably meant to be: mistyped, or not written to its end.
#[must_use]
pub fn suggestion<'k>(text: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    let text = text.to_ascii_lowercase().replace('-', "_");
    let limit = (text.chars().count() / 3).clamp(1, 3);
    known
        .into_iter()
        .map(|candidate| {
            let plain = candidate.replace('-', "_");
            let begun = text.len() >= SHORTEST_BEGINNING && plain.starts_with(&text);
            let distance = distance(&text, &plain);
            (
                if begun { limit.min(distance) } else { distance },
                candidate,
            )
        })
        .filter(|(distance, _)| *distance <= limit)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// How many letters are to be inserted, removed, replaced or swapped with their neighbour.
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    // Three rows of the table: two letters back, one letter back, this letter.
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=other.len()).collect();
    let mut previous = None;
    for (row, letter) in one.chars().enumerate() {
        let mut next = vec![row + 1];
        for (column, &wanted) in other.iter().enumerate() {
            let replaced = last.get(column).copied().unwrap_or(usize::MAX);
            let replaced = replaced.saturating_add(usize::from(letter != wanted));
            let removed = last.get(column + 1).copied().unwrap_or(usize::MAX);
            let inserted = next.last().copied().unwrap_or(usize::MAX);
            let mut best = replaced.min(removed.saturating_add(1));
            best = best.min(inserted.saturating_add(1));
            let left = column.checked_sub(1).and_then(|left| other.get(left));
            if previous == Some(wanted)
                && left == Some(&letter)
                && let Some(swapped) = column.checked_sub(1).and_then(|left| before.get(left))
            {
                best = best.min(swapped + 1);
            }
            next.push(best);
        }
        before = last;
        last = next;
        previous = Some(letter);
    }
    last.last().copied().unwrap_or(0)
}

/// Fewer letters begin too many words.
const SHORTEST_BEGINNING: usize = 3;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_table() {
        for (one, other, expected) in [
            ("", "", 0),
            ("", "abc", 3),
            ("abc", "", 3),
            ("abc", "abc", 0),
            ("abc", "abd", 1),
            ("abc", "ab", 1),
            ("abc", "xabc", 1),
            ("netwrok", "network", 1),
            ("kitten", "sitting", 3),
        ] {
            assert_eq!(distance(one, other), expected, "row {one} {other}");
        }
    }

    #[test]
    fn suggestions_are_near_or_absent() {
        let known = ["authentication", "accounting", "mail", "metrics"];
        for (text, expected) in [
            ("autentication", Some("authentication")),
            ("Mail", Some("mail")),
            ("mial", Some("mail")),
            ("metric", Some("metrics")),
            ("acounnting", Some("accounting")),
            ("auth", Some("authentication")),
            ("ac", None),
            ("x", None),
            ("radius", None),
        ] {
            assert_eq!(suggestion(text, known), expected, "row {text}");
        }
        assert_eq!(suggestion("tls-min", ["tls_min"]), Some("tls_min"));
    }
}
