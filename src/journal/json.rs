//! JSON as it is needed for lines: appended to octets, in the order it is written, without trees
//! and without the machinery of formatting.

use std::fmt::Display;
use std::io::Write;

/// Appends JSON to a line.
pub(super) struct Json<'v>(pub(super) &'v mut Vec<u8>);

impl Json<'_> {
    /// Octets that are JSON already: keys with their punctuation, numbers, names that were escaped
    /// before.
    pub(super) fn raw(&mut self, json: &[u8]) {
        self.0.extend_from_slice(json);
    }

    /// A string in quotes.
    pub(super) fn string(&mut self, text: &str) {
        self.0.push(b'"');
        self.escaped(text);
        self.0.push(b'"');
    }

    /// `key`, which is JSON with the colon, and a string; nothing if there is none.
    pub(super) fn optional(&mut self, key: &[u8], text: Option<&str>) {
        if let Some(text) = text {
            self.raw(key);
            self.string(text);
        }
    }

    /// What `value` prints, in quotes. It must need no escapes.
    pub(super) fn shown(&mut self, value: &impl Display) {
        self.0.push(b'"');
        // Writing to memory does not fail.
        let _done = write!(self.0, "{value}");
        self.0.push(b'"');
    }

    /// A number without a sign.
    pub(super) fn number(&mut self, mut number: u64) {
        const DIGITS: usize = 20;
        let mut digits = [b'0'; DIGITS];
        let mut first = DIGITS;
        for (place, digit) in digits.iter_mut().enumerate().rev() {
            // A digit is below 10.
            *digit += (number % 10) as u8;
            number /= 10;
            first = place;
            if number == 0 {
                break;
            }
        }
        self.raw(digits.get(first..).unwrap_or(&[]));
    }

    /// A number with leading zeros, as many digits as asked for, at most four.
    pub(super) fn padded(&mut self, number: u32, digits: usize) {
        let [a, b, c, d] = [1000, 100, 10, 1].map(|unit| b'0' + (number / unit % 10) as u8);
        let all = [a, b, c, d];
        self.raw(all.get(4_usize.saturating_sub(digits)..).unwrap_or(&all));
    }

    fn escaped(&mut self, text: &str) {
        let mut rest = text.as_bytes();
        loop {
            let (plain, special) = rest.split_at(plain(rest));
            self.raw(plain);
            let Some((&octet, behind)) = special.split_first() else {
                return;
            };
            self.escape(octet);
            rest = behind;
        }
    }

    fn escape(&mut self, octet: u8) {
        let short = match octet {
            b'"' | b'\\' => octet,
            0x08 => b'b',
            b'\t' => b't',
            b'\n' => b'n',
            0x0c => b'f',
            b'\r' => b'r',
            _ => {
                const DIGITS: &[u8; 16] = b"0123456789abcdef";
                let [high, low] = [octet >> 4, octet & 15].map(|n| DIGITS[usize::from(n)]);
                return self.raw(&[b'\\', b'u', b'0', b'0', high, low]);
            }
        };
        self.raw(&[b'\\', short]);
    }
}

/// How many octets at the start stand for themselves in a string (RFC 8259 section 7): all but
/// quotes, backslashes and controls.
fn plain(octets: &[u8]) -> usize {
    let mut chunks = octets.chunks_exact(8);
    let mut count = 0;
    for chunk in &mut chunks {
        let chunk: [u8; 8] = chunk.try_into().unwrap_or_default();
        if has_special(u64::from_le_bytes(chunk)) {
            break;
        }
        count += 8;
    }
    let rest = octets.get(count..).unwrap_or(&[]);
    let special = |octet: &u8| *octet < b' ' || *octet == b'"' || *octet == b'\\';
    count + rest.iter().position(special).unwrap_or(rest.len())
}

/// Whether any of eight octets is special; sometimes also said of eight that are not.
///
/// Subtracting borrows into the top bit of an octet that was less, and of no ASCII octet that was
/// not unless a lower one borrowed.
const fn has_special(word: u64) -> bool {
    const EACH: u64 = 0x0101_0101_0101_0101;
    const TOP: u64 = EACH << 7;
    let quotes = word ^ (EACH * b'"' as u64);
    let backslashes = word ^ (EACH * b'\\' as u64);
    let controls = word.wrapping_sub(EACH * b' ' as u64) & !word;
    let quotes = quotes.wrapping_sub(EACH) & !quotes;
    let backslashes = backslashes.wrapping_sub(EACH) & !backslashes;
    (controls | quotes | backslashes) & TOP != 0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(write: impl FnOnce(&mut Json<'_>)) -> String {
        let mut octets = Vec::new();
        write(&mut Json(&mut octets));
        String::from_utf8(octets).unwrap()
    }

    #[test]
    fn strings_are_escaped_as_serde_escapes_them() {
        let mut texts: Vec<String> = ["", "plain", "caf\u{e9} \u{1f600}", "\u{7f}", "a\"b\\c"]
            .map(str::to_owned)
            .to_vec();
        // Every ASCII character at every place of a word and beyond.
        for octet in 0..=0x7f_u8 {
            for before in 0..18 {
                let mut text = "x".repeat(before);
                text.push(char::from(octet));
                text.push_str("caf\u{e9} yes");
                texts.push(text);
            }
        }
        for text in texts {
            let expected = serde_json::to_string(&text).unwrap();
            assert_eq!(written(|json| json.string(&text)), expected, "row {text:?}");
        }
    }

    #[test]
    fn numbers_are_those_of_formatting() {
        for number in [0, 7, 10, 99, 100, 12_345, 53_000, u64::MAX] {
            assert_eq!(written(|json| json.number(number)), number.to_string());
        }
        for (number, digits, expected) in [(7, 3, "007"), (250, 3, "250"), (9999, 4, "9999")] {
            assert_eq!(written(|json| json.padded(number, digits)), expected);
        }
    }
}
