//! `portreeve devices`: mail clients with their access state, as table, CSV or JSON.

use std::io;
use std::time::Duration;

use clap::Args;
use clap::ValueEnum;
use serde_json::Map;
use serde_json::Value;

use super::conf::ConfOption;
use super::control::ask;
use super::control::fetch;
use super::control::socket;
use super::output::Answer;
use super::output::Done;
use super::output::Failed;
use super::output::print;
use super::output::print_json;
use super::output::printed;
use super::output::say;
use super::sheet::Sheet;
use super::wipe::by_whom;
use crate::document::parse_duration;
use crate::model::Plain;
use crate::net::control::ClientAction;
use crate::net::control::ClientFilter;
use crate::net::control::Request;
use crate::net::control::Response;

/// List the mail clients (ActiveSync partnerships) that have been seen.
///
/// Each has its user, its DeviceId as it spells it, its "Exchange Access State" and "Last Success Sync
/// Time To Exchange Server", what it says of itself, and the device that it is mapped to. With --forget
/// the record of one is removed, so that its next request makes it a new one.
///
/// Exit code 0: some were found. 1: none was. 2: nobody answers.
#[derive(Clone, Debug, Args)]
pub(super) struct Arguments {
    /// Only this DeviceId, in any case.
    #[arg(value_name = "DEVICEID")]
    pub device: Option<String>,
    /// Only clients of this user.
    #[arg(long)]
    pub user: Option<String>,
    /// Only clients in this state.
    #[arg(long)]
    pub state: Option<State>,
    /// Only clients that are mapped to no device.
    #[arg(long)]
    pub unmapped: bool,
    /// Only clients that were not served for so long, such as 30d.
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub inactive_for: Option<Duration>,
    /// Print CSV with all columns (RFC 4180).
    #[arg(long, conflicts_with = "json")]
    pub csv: bool,
    /// Print a JSON list of objects instead.
    #[arg(long)]
    pub json: bool,
    /// Remove the record of the one client that is named.
    #[arg(long, requires = "device", conflicts_with_all = ["csv", "state", "unmapped", "inactive_for"])]
    pub forget: bool,
    /// Do it, and not only say what would be done.
    #[arg(long, requires = "forget")]
    pub yes: bool,
    /// Where the control socket is configured.
    #[command(flatten)]
    pub conf: ConfOption,
}

/// The words of the "Exchange Access State".
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum State {
    Allowed,
    Quarantined,
    Blocked,
    Unknown,
}

impl State {
    const fn word(self) -> &'static str {
        match self {
            Self::Allowed => "allowed",
            Self::Quarantined => "quarantined",
            Self::Blocked => "blocked",
            Self::Unknown => "unknown",
        }
    }
}

pub(super) fn run(arguments: &Arguments) -> Done {
    if let (true, Some(device)) = (arguments.forget, &arguments.device) {
        let request = Request::ClientAction {
            device: device.clone(),
            user: arguments.user.clone(),
            action: ClientAction::Forget,
            by: by_whom(),
            confirmed: arguments.yes,
        };
        return ask(arguments.conf.folder(), &request, arguments.json);
    }
    let filter = ClientFilter {
        user: arguments.user.clone(),
        device: arguments.device.clone(),
        state: arguments.state.map(|state| state.word().to_owned()),
        unmapped: arguments.unmapped,
        inactive: arguments.inactive_for.map(|time| time.as_secs()),
        wipes: false,
    };
    let rows = match rows(arguments, filter)? {
        Ok(rows) => rows,
        Err(why) => {
            say(&why);
            return Ok(Answer::No);
        }
    };
    if arguments.json {
        print_json(&Value::from(rows.clone()))?;
    } else if arguments.csv {
        printed(sheet(&rows, &SHOWN, io::stdout().lock()))?;
    } else if rows.is_empty() {
        say("no mail client is like that");
    } else {
        print(table(&rows, &SHOWN).trim_end())?;
    }
    Ok(if rows.is_empty() {
        Answer::No
    } else {
        Answer::Yes
    })
}

fn rows(
    arguments: &Arguments,
    filter: ClientFilter,
) -> Result<Result<Vec<Map<String, Value>>, String>, Failed> {
    all_rows(&arguments.conf, filter)
}

/// All rows, page by page; or why there are none.
pub(super) fn all_rows(
    conf: &ConfOption,
    filter: ClientFilter,
) -> Result<Result<Vec<Map<String, Value>>, String>, Failed> {
    let socket = socket(conf.folder());
    let (mut rows, mut from) = (Vec::new(), 0);
    loop {
        let request = Request::Clients {
            filter: filter.clone(),
            from,
        };
        let mut json = match fetch(&socket, &request)? {
            Response::Answer { json, .. } => json,
            Response::Refused(why) => return Ok(Err(why)),
        };
        let page = json.get_mut("devices").map(Value::take);
        for row in page
            .as_ref()
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
        {
            rows.extend(row.as_object().cloned());
        }
        let next = json.get("next").and_then(Value::as_u64);
        match next.and_then(|next| usize::try_from(next).ok()) {
            Some(next) if next > from => from = next,
            Some(_) | None => return Ok(Ok(rows)),
        }
    }
}

/// Prints all columns that the first row has: those that are named in the order given, then the others.
fn sheet(rows: &[Map<String, Value>], names: &[&str], to: impl io::Write) -> io::Result<()> {
    let Some(first) = rows.first() else {
        return Ok(());
    };
    let named = names
        .iter()
        .copied()
        .filter(|name| first.contains_key(*name));
    let others = first.keys().map(String::as_str);
    let others = others.filter(|name| !names.contains(name));
    let names: Vec<&str> = named.chain(others).collect();
    let mut sheet = Sheet::new(to);
    sheet.put(names.iter().copied())?;
    for row in rows {
        let texts = names.iter();
        sheet.put(texts.map(|name| row.get(*name).and_then(Value::as_str).unwrap_or_default()))?;
    }
    sheet.end()
}

/// Some columns side by side.
pub(super) fn table(rows: &[Map<String, Value>], names: &[&str]) -> String {
    let text = |row: &Map<String, Value>, name: &str| {
        let text = row.get(name).and_then(Value::as_str).unwrap_or_default();
        Plain(text).to_string()
    };
    let mut lines = vec![
        names
            .iter()
            .map(|name| (*name).to_owned())
            .collect::<Vec<_>>(),
    ];
    lines.extend(
        rows.iter()
            .map(|row| names.iter().map(|name| text(row, name)).collect()),
    );
    let width = |column: usize| {
        let cells = lines.iter().filter_map(|line| line.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..names.len()).map(width).collect();
    let mut table = String::new();
    for line in &lines {
        let cells = line.iter().zip(&widths);
        let cells: Vec<String> = cells
            .map(|(cell, width)| format!("{cell:<width$}"))
            .collect();
        table.push_str(cells.join("  ").trim_end());
        table.push('\n');
    }
    table
}

fn duration(text: &str) -> Result<Duration, String> {
    parse_duration(text).map_err(|error| error.to_string())
}

/// Columns of the table; all are in CSV and JSON.
const SHOWN: [&str; 7] = [
    "User",
    "EAS Device ID",
    "Device Type",
    "Device Model",
    "Exchange Access State",
    "Last Success Sync Time To Exchange Server",
    "Mapping",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_stand_under_each_other() {
        let row = |user: &str, id: &str| {
            let mut row = Map::new();
            row.insert("User".to_owned(), user.into());
            row.insert("ID".to_owned(), id.into());
            row
        };
        let rows = [row("alice@example.com", "1"), row("b\u{1b}[31m", "22")];
        assert_eq!(
            table(&rows, &["User", "ID"]),
            "User               ID\nalice@example.com  1\nb\\x1b[31m          22\n"
        );
        let mut octets = Vec::new();
        sheet(&rows[..1], &["User"], &mut octets).unwrap();
        assert_eq!(octets, b"User,ID\r\nalice@example.com,1\r\n");
    }
}
