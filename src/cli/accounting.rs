//! `portreeve accounting`: what NASes have reported, out of the store.

use std::io;

use clap::Args;
use clap::Subcommand;
use serde_json::Value;

use super::conf::ConfOption;
use super::moment::FOREVER;
use super::moment::Moment;
use super::moment::moment;
use super::output::Answer;
use super::output::Done;
use super::output::Failed;
use super::output::json_line;
use super::output::now;
use super::output::say;
use super::sheet::Sheet;
use crate::config;
use crate::journal;
use crate::journal::ExportError;
use crate::journal::Wanted;
use crate::model::Timestamp;
use crate::model::causes;

/// Accounting that NASes have reported.
#[derive(Clone, Debug, Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Clone, Debug, Subcommand)]
enum Command {
    Export(Export),
}

/// Print the reports of the last months, oldest first, as CSV; no gateway has to run.
///
/// Each report of a NAS is a row: when it was put on record, what it says of the session, and the
/// number of the decision that let the device in, for `portreeve explain`. What reached the files of
/// accounting only, because the store had no place, is counted in portreeve_accounting_unstored_total.
///
/// Exit code 0: something was found. 1: nothing was. 2: the store cannot be read.
#[derive(Clone, Debug, Args)]
pub(super) struct Export {
    /// Only this day (UTC): 2026-11-28.
    #[arg(long, value_name = "DAY", value_parser = day, conflicts_with_all = ["since", "until"])]
    day: Option<Timestamp>,
    /// From this moment on: 2026-11-28T09:00:00Z, or so long ago: 2h, 7d.
    #[arg(long, value_name = "TIME", value_parser = moment)]
    since: Option<Moment>,
    /// Until this moment, in the same forms.
    #[arg(long, value_name = "TIME", value_parser = moment)]
    until: Option<Moment>,
    /// Only this user, upper and lower case the same.
    #[arg(long)]
    user: Option<String>,
    /// Only this device: its MAC address in any spelling, or what the NAS calls it.
    #[arg(long)]
    device: Option<String>,
    /// Only this NAS, by its name in nas.toml.
    #[arg(long)]
    nas: Option<String>,
    /// Only this session, by the name that the NAS gives it.
    #[arg(long)]
    session: Option<String>,
    /// Where the folder is configured.
    #[command(flatten)]
    conf: ConfOption,
    /// Print one JSON object a line instead, each as it stands on record.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &Arguments) -> Done {
    let Command::Export(export) = &arguments.command;
    let draft = config::read(export.conf.folder());
    let accounting = draft.accounting();
    if accounting.days == 0 {
        return Err(Failed::new(
            "accounting.days is 0 in gateway.toml: nothing is kept but the files",
        ));
    }
    if !accounting.folder.is_dir() {
        return Err(Failed::new(format!(
            "{} does not exist: no gateway has run with this configuration",
            accounting.folder.display()
        )));
    }
    let wanted = export.wanted(now());
    let mut out = Out::new(io::stdout().lock(), export.json);
    let mut unread = 0;
    let mut count = 0_u64;
    let exported = journal::export(
        &accounting.folder,
        &wanted,
        |error| {
            unread += 1;
            say(&format!("left out: {}", causes(&error)));
        },
        |line| {
            count += 1;
            out.put(line)
        },
    );
    let ended = match exported {
        Ok(()) => out.end(),
        Err(ExportError::Taken(error)) => Err(error),
        Err(ExportError::Folder(error)) => return Err(Failed::new(causes(&error))),
    };
    match ended {
        // Whoever reads has had enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(Answer::Yes),
        Err(error) => return Err(Failed::new(format!("cannot be printed: {error}"))),
        Ok(()) => {}
    }
    if count == 0 && unread > 0 {
        return Err(Failed::new("no day that was asked for could be read"));
    }
    if count == 0 {
        say("nothing found");
        return Ok(Answer::No);
    }
    Ok(Answer::Yes)
}

impl Export {
    fn wanted(&self, now: Timestamp) -> Wanted {
        let (since, until) = match self.day {
            Some(day) => (day, Timestamp::from_unix_seconds(day.unix_seconds() + DAY)),
            None => (
                self.since
                    .map_or(Timestamp::from_unix_seconds(0), |since| since.at(now)),
                self.until.map_or(FOREVER, |until| until.at(now)),
            ),
        };
        Wanted {
            since,
            until,
            user: self.user.clone(),
            device: self.device.clone(),
            nas: self.nas.clone(),
            session: self.session.clone(),
        }
    }
}

fn day(text: &str) -> Result<Timestamp, String> {
    Timestamp::parse_rfc3339(&format!("{text}T00:00:00Z"))
        .ok_or_else(|| "expected a day such as 2026-11-28".to_owned())
}

/// Where reports are printed.
enum Out<W: io::Write> {
    Lines(io::BufWriter<W>),
    /// And whether the head has been printed.
    Table(Box<Sheet<W>>, bool),
}

impl<W: io::Write> Out<W> {
    fn new(to: W, json: bool) -> Self {
        if json {
            return Self::Lines(io::BufWriter::new(to));
        }
        Self::Table(Box::new(Sheet::new(to)), false)
    }

    fn put(&mut self, line: &str) -> io::Result<()> {
        match self {
            Self::Lines(to) => {
                io::Write::write_all(to, json_line(line).as_bytes())?;
                io::Write::write_all(to, b"\n")
            }
            Self::Table(table, has_head) => {
                if !std::mem::replace(has_head, true) {
                    table.put(COLUMNS)?;
                }
                let report: Value = serde_json::from_str(line).unwrap_or(Value::Null);
                let cells = COLUMNS.map(|column| cell(report.get(column)));
                table.put(cells.iter().map(String::as_str))
            }
        }
    }

    fn end(&mut self) -> io::Result<()> {
        match self {
            Self::Lines(to) => io::Write::flush(to),
            Self::Table(table, _) => table.end(),
        }
    }
}

fn cell(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    }
}

/// Those of the files of accounting, in their order.
const COLUMNS: [&str; 21] = [
    "time",
    "nas",
    "from",
    "nas_identifier",
    "event",
    "session",
    "multi_session",
    "user",
    "calling",
    "called",
    "port",
    "address",
    "decision",
    "happened",
    "delay",
    "seconds",
    "octets_in",
    "octets_out",
    "packets_in",
    "packets_out",
    "cause",
];

/// Seconds.
const DAY: i64 = 86_400;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_has_what_the_report_says_and_no_formula() {
        let mut octets = Vec::new();
        let mut out = Out::new(&mut octets, false);
        out.put(r#"{"time":"t","nas":"ap","event":"stop","session":"s,1","user":"=cmd()","seconds":60,"more":1}"#)
            .unwrap();
        out.end().unwrap();
        drop(out);
        let text = String::from_utf8(octets).unwrap();
        let expected = "t,ap,,,stop,\"s,1\",,'=cmd(),,,,,,,,60,,,,,";
        assert_eq!(text.lines().nth(1), Some(expected));
        assert_eq!(text.lines().next(), Some(COLUMNS.join(",").as_str()));
    }

    #[test]
    fn lines_are_printed_as_they_stand_but_for_what_a_terminal_obeys() {
        let mut octets = Vec::new();
        let mut out = Out::new(&mut octets, true);
        out.put("{\"a\":1,\"b\":\"\u{e9}\u{9b}31m\u{7f}\"}")
            .unwrap();
        out.end().unwrap();
        drop(out);
        let expected = "{\"a\":1,\"b\":\"\u{e9}\\u009b31m\\u007f\"}\n";
        assert_eq!(String::from_utf8(octets).unwrap(), expected);
    }

    #[test]
    fn days_are_whole() {
        let begin = day("2026-11-28").unwrap();
        assert_eq!(begin.to_string(), "2026-11-28T00:00:00.000Z");
        assert!(day("28.11.2026").is_err());
    }
}
