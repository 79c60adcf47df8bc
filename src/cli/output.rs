//! What commands print, and how they end.

use std::error::Error;
use std::io;
use std::io::Write;
use std::process::ExitCode;
use std::time::SystemTime;
use std::time::UNIX_EPOCH;

use crate::model::Timestamp;
use crate::model::causes;

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

/// Prints a line on standard output. A reader that has gone away (`portreeve … | head`) is no
/// failure of the command.
pub(super) fn print(line: &str) -> Result<(), Failed> {
    match writeln!(io::stdout().lock(), "{line}") {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.into()),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Prints a line on standard error, for people; if even that fails there is nobody to tell.
pub(super) fn say(line: &str) {
    drop(writeln!(io::stderr().lock(), "{line}"));
}

/// Prints `value` as indented JSON.
pub(super) fn print_json(value: &serde_json::Value) -> Result<(), Failed> {
    print(&format!("{value:#}"))
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
