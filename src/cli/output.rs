//! What commands print, and how they end.

use std::error::Error;
use std::io;
use std::io::Write;
use std::process::ExitCode;
use std::time::SystemTime;
use std::time::UNIX_EPOCH;

use crate::model::Plain;
use crate::model::Timestamp;
use crate::model::causes;
use crate::model::is_plain;

/// How a command that was carried out ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// All is well.
    Yes,
    /// The answer is no.
    No,
}

/// Why a command was not carried out; shown to the person in one line.
#[derive(Debug)]
pub(super) struct Failed(String);

impl Failed {
    /// With a message of our own.
    pub(super) fn new(message: impl Into<String>) -> Self {
        Self(message.into())
    }
}

impl<E: Error + 'static> From<E> for Failed {
    fn from(error: E) -> Self {
        Self(causes(&error))
    }
}

/// What every command returns.
pub(super) type Done = Result<Answer, Failed>;

/// The exit code of `done`; a failure is said on standard error.
pub(super) fn exit(done: Done) -> ExitCode {
    match done {
        Ok(Answer::Yes) => ExitCode::SUCCESS,
        Ok(Answer::No) => ExitCode::from(1),
        Err(Failed(message)) => {
            say(&format!("portreeve: {message}"));
            ExitCode::from(2)
        }
    }
}

/// Prints lines on standard output, each plain. A reader that has gone away (`portreeve … | head`) is
/// no failure of the command.
pub(super) fn print(lines: &str) -> Result<(), Failed> {
    print_as_it_is(&plain(lines))
}

/// Each line of a text as [`Plain`]. Who puts together a text of several lines has made plain what came
/// from elsewhere: here a line break of it is one like all others.
fn plain(lines: &str) -> String {
    let lines: Vec<String> = lines.split('\n').map(|of| Plain(of).to_string()).collect();
    lines.join("\n")
}

fn print_as_it_is(text: &str) -> Result<(), Failed> {
    printed(writeln!(io::stdout().lock(), "{text}"))
}

/// How printing went: a reader that has had enough is no failure.
pub(super) fn printed(how: io::Result<()>) -> Result<(), Failed> {
    match how {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.into()),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Prints lines on standard error, each plain, for people; if even that fails there is nobody to tell.
pub(super) fn say(lines: &str) {
    drop(writeln!(io::stderr().lock(), "{}", plain(lines)));
}

/// Prints `value` as indented JSON.
pub(super) fn print_json(value: &serde_json::Value) -> Result<(), Failed> {
    print_as_it_is(&json(value))
}

/// Indented JSON in which what a terminal would obey is escaped too, where JSON lets it stand: DEL, the
/// C1 controls, marks of direction. Those stand in strings only.
fn json(value: &serde_json::Value) -> String {
    json_line(&format!("{value:#}"))
}

/// JSON that stands somewhere already, with the same characters escaped.
pub(super) fn json_line(line: &str) -> String {
    let mut text = String::with_capacity(line.len());
    for character in line.chars() {
        if is_plain(character) || character == '\n' {
            text.push(character);
        } else {
            text.push_str(&format!("\\u{:04x}", u32::from(character)));
        }
    }
    text
}

/// The wall clock, for validity of certificates.
#[expect(
    clippy::disallowed_methods,
    reason = "the front door of the commands: everything behind it takes time as an argument"
)]
pub(super) fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    let millis = since.map_or(0, |since| {
        i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
    });
    Timestamp::from_unix_millis(millis)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_line_of_any_command_has_what_a_terminal_obeys() {
        assert_eq!(plain("a\u{1b}]0;x\u{7}\nb\r"), "a\\x1b]0;x\\x07\nb\\r");
    }

    #[test]
    fn json_is_the_same_value_with_every_control_escaped_rfc_8259_section_7() {
        let value = serde_json::json!({ "user": "a\u{1b}\u{7f}\u{9b}\u{202e}\n\u{e9}" });
        let text = json(&value);
        assert!(
            text.chars().all(|of| is_plain(of) || of == '\n'),
            "{text:?}"
        );
        let read: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(read, value);
    }
}
