//! A value as a line for people: nothing that it has in it can move, colour or forge what stands
//! around it.

use std::fmt;
use std::fmt::Display;
use std::fmt::Write;

/// Prints its value in one line, with what is no visible text escaped: `\n`, `\r`, `\t`, `\x1b`,
/// `\u{202e}`.
///
/// Names of users, of devices and of certificates come from whoever sends them, unproven. A terminal
/// obeys what stands in them (ECMA-48: ESC and the C1 controls), a line break makes a line that nobody
/// wrote, and marks of direction (UAX #9) show a text in another order than it has. Whatever came from
/// elsewhere goes through here on its way to a person, and nowhere else; JSON has its own escapes.
#[derive(Clone, Copy, Debug)]
pub struct Plain<T>(pub T);

impl<T: Display> Display for Plain<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(Escaping(f), "{}", self.0)
    }
}

/// Whether a character shows itself and nothing more: no control, no line separator, no mark of
/// direction.
#[must_use]
pub const fn is_plain(character: char) -> bool {
    !matches!(
        character,
        '\u{0}'..='\u{1f}'
            | '\u{7f}'..='\u{9f}'
            | '\u{61c}'
            | '\u{200e}' | '\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2066}'..='\u{2069}'
    )
}

struct Escaping<'a, 'f>(&'a mut fmt::Formatter<'f>);

impl Write for Escaping<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let mut rest = text;
        while let Some((place, character)) = rest.char_indices().find(|(_, of)| !is_plain(*of)) {
            let (before, after) = rest.split_at(place);
            self.0.write_str(before)?;
            match character {
                '\n' => self.0.write_str("\\n")?,
                '\r' => self.0.write_str("\\r")?,
                '\t' => self.0.write_str("\\t")?,
                '\u{0}'..='\u{ff}' => write!(self.0, "\\x{:02x}", u32::from(character))?,
                _ => write!(self.0, "\\u{{{:x}}}", u32::from(character))?,
            }
            rest = after.get(character.len_utf8()..).unwrap_or("");
        }
        self.0.write_str(rest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_would_obey_is_shown_instead_ecma_48() {
        for (text, shown) in [
            ("alice@example.com", "alice@example.com"),
            ("CORP\\zo\u{eb} \u{1f600}", "CORP\\zo\u{eb} \u{1f600}"),
            ("a\u{1b}[2Jb", "a\\x1b[2Jb"),
            ("a\r\nb\tc\0", "a\\r\\nb\\tc\\x00"),
            ("\u{7f}\u{9b}31m", "\\x7f\\x9b31m"),
            ("\u{202e}moc\u{2069}", "\\u{202e}moc\\u{2069}"),
            ("a\u{2028}b", "a\\u{2028}b"),
        ] {
            assert_eq!(Plain(text).to_string(), shown, "row {text:?}");
        }
    }

    #[test]
    fn nothing_that_is_not_plain_is_left_of_any_character() {
        for character in '\0'..=char::MAX {
            if is_plain(character) {
                assert!(!character.is_control(), "{character:?}");
                continue;
            }
            let shown = Plain(character).to_string();
            assert!(shown.is_ascii() && shown.chars().all(is_plain), "{shown:?}");
        }
    }
}
