//! CSV (RFC 4180) of texts that peers have chosen.

use std::io;

use crate::model::Plain;

/// Prints rows of cells. What a spreadsheet would take for a formula begins with an apostrophe, and
/// what a terminal would obey is escaped as everywhere.
pub(super) struct Sheet<W: io::Write>(csv::Writer<W>);

impl<W: io::Write> Sheet<W> {
    pub(super) fn new(to: W) -> Self {
        let mut settings = csv::WriterBuilder::new();
        Self(settings.terminator(csv::Terminator::CRLF).from_writer(to))
    }

    /// One row; all have the same number of cells.
    pub(super) fn put<'a>(&mut self, cells: impl IntoIterator<Item = &'a str>) -> io::Result<()> {
        let cells = cells.into_iter().map(cell);
        self.0.write_record(cells).map_err(io::Error::from)
    }

    pub(super) fn end(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

fn cell(text: &str) -> String {
    let is_formula = text.starts_with(FORMULA);
    let before = if is_formula { "'" } else { "" };
    format!("{before}{}", Plain(text))
}

/// What begins a formula, for some spreadsheets in full width too.
const FORMULA: [char; 11] = [
    '=', '+', '-', '@', '\t', '\r', '\n', '\u{ff1d}', '\u{ff0b}', '\u{ff0d}', '\u{ff20}',
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_end_with_two_characters_and_cells_are_quoted_rfc_4180() {
        let mut octets = Vec::new();
        let mut sheet = Sheet::new(&mut octets);
        sheet.put(["User", "Wipe"]).unwrap();
        sheet.put(["a,b", "say \"x\""]).unwrap();
        sheet.put(["", ""]).unwrap();
        sheet.end().unwrap();
        drop(sheet);
        assert_eq!(
            String::from_utf8(octets).unwrap(),
            "User,Wipe\r\n\"a,b\",\"say \"\"x\"\"\"\r\n,\r\n"
        );
    }

    #[test]
    fn cells_are_no_formulas_and_move_no_cursor() {
        for (text, expected) in [
            ("iPhone", "iPhone"),
            ("=HYPERLINK(\"http://x\",1)", "'=HYPERLINK(\"http://x\",1)"),
            ("+1", "'+1"),
            ("\u{ff1d}1+1", "'\u{ff1d}1+1"),
            ("-2+3", "'-2+3"),
            ("@SUM(A1)", "'@SUM(A1)"),
            ("\tx", "'\\tx"),
            ("b\u{1b}[2J\u{9b}31m\u{7f}", "b\\x1b[2J\\x9b31m\\x7f"),
            ("", ""),
        ] {
            assert_eq!(cell(text), expected, "row {text}");
        }
    }
}
