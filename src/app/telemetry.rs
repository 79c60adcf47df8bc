//! Log lines on standard error, for people or as JSON.

use std::io;
use std::io::IsTerminal;
use std::io::Write;

use tracing::level_filters::LevelFilter;

use crate::config::Log;
use crate::config::LogFormat;
use crate::config::LogLevel;
use crate::model::Plain;

/// Starts logging as configured. A second call in one process changes nothing.
pub(super) fn start(log: &Log) {
    let level = match log.level {
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Trace => LevelFilter::TRACE,
    };
    let has_colours = io::stderr().is_terminal() && log.format == LogFormat::Text;
    let builder = tracing_subscriber::fmt()
        .with_max_level(level)
        .with_ansi(has_colours)
        .with_target(false);
    // Refused only when logging has started already.
    let _started_before = match log.format {
        LogFormat::Text => builder
            .with_writer(move || PlainLines {
                to: io::stderr(),
                has_colours,
            })
            .try_init(),
        LogFormat::Json => builder.with_writer(io::stderr).json().try_init(),
    };
}

/// Writes each event, which comes in one piece, as one plain line: what a peer has sent and an event
/// tells neither moves a cursor nor makes a line of its own.
#[derive(Debug)]
struct PlainLines<W> {
    to: W,
    /// Whether the formatter puts colours in. It escapes every ESC of a value itself, so that those
    /// which are left are its own.
    has_colours: bool,
}

impl<W: Write> Write for PlainLines<W> {
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(event);
        let text = text.strip_suffix('\n').unwrap_or(&text);
        let mut line = String::with_capacity(text.len() + 1);
        let mut pieces = text.split(COLOUR);
        if let Some(first) = pieces.next() {
            line.push_str(&Plain(first).to_string());
        }
        for piece in pieces {
            let (colour, rest) = match colour(piece).filter(|_| self.has_colours) {
                Some(length) => (piece.get(..length), piece.get(length..)),
                None => (None, Some(piece)),
            };
            match colour {
                Some(colour) => line.extend([COLOUR, colour]),
                None => line.push_str(&Plain(COLOUR).to_string()),
            }
            line.push_str(&Plain(rest.unwrap_or("")).to_string());
        }
        line.push('\n');
        self.to.write_all(line.as_bytes())?;
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

/// How a change of colour begins (ECMA-48, SGR); digits, semicolons and an `m` follow.
const COLOUR: &str = "\u{1b}[";

/// Octets of the rest of a change of colour with which `text` begins.
fn colour(text: &str) -> Option<usize> {
    let length = text.find(|of: char| !of.is_ascii_digit() && of != ';')?;
    text.get(length..)?.starts_with('m').then_some(length + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(event: &str, has_colours: bool) -> String {
        let mut to = Vec::new();
        let mut lines = PlainLines {
            to: &mut to,
            has_colours,
        };
        lines.write_all(event.as_bytes()).unwrap();
        String::from_utf8(to).unwrap()
    }

    #[test]
    fn an_event_is_one_line_whatever_a_peer_has_put_into_it() {
        let event = "WARN who: eve\r\n2026 INFO forged \u{1b}[2J \u{9b}1A\n";
        let line = "WARN who: eve\\r\\n2026 INFO forged \\x1b[2J \\x9b1A\n";
        assert_eq!(written(event, false), line);
        assert_eq!(written(event, true), line);
    }

    #[test]
    fn colours_of_the_formatter_stay_on_a_terminal() {
        let event = "\u{1b}[2mtime\u{1b}[0m \u{1b}[1;32mINFO\u{1b}[0m a\n";
        assert_eq!(written(event, true), event);
        assert!(!written(event, false).contains('\u{1b}'));
    }
}
