//! `portreeve decisions`: the history of decisions, searched.

use clap::Args;
use clap::ValueEnum;
use serde_json::Value;
use serde_json::json;

use super::conf::ConfOption;
use super::moment::FOREVER;
use super::moment::Moment;
use super::moment::moment;
use super::output::Answer;
use super::output::Done;
use super::output::Failed;
use super::output::now;
use super::output::print;
use super::output::print_json;
use super::output::say;
use crate::config;
use crate::journal;
use crate::journal::Found;
use crate::journal::Query;
use crate::journal::Sought;
use crate::model::Plain;
use crate::model::Timestamp;
use crate::model::Verdict;
use crate::model::causes;
use crate::radius::ErrorCause;

/// Search the decisions of the last weeks, newest first; no gateway has to run.
///
/// A decision is kept when the outcome of a device changed, and of an outcome that stays the same
/// once an hour, or once a minute where it was not let in: "+12 like the one before" counts the
/// others. At most 200 a second are kept for long, and 10,000 at once; `portreeve status` says how
/// many had no place. The files of the journal have each single one, for as long as they reach.
///
/// Exit code 0: something was found. 1: nothing was. 2: the history cannot be read.
#[derive(Clone, Debug, Args)]
pub(super) struct Arguments {
    /// A device's id, a user with or without a suffix, an identifier or MAC address as it was presented, or the number of a
    /// decision; all of them when left out.
    #[arg(value_name = "SUBJECT|DECISION")]
    pub subject: Option<String>,
    /// Only decisions with this outcome.
    #[arg(long, value_enum)]
    pub outcome: Option<Outcome>,
    /// Only decisions at this NAS, by its name in nas.toml.
    #[arg(long)]
    pub nas: Option<String>,
    /// From this moment on: 2026-11-28T09:00:00Z, or so long ago: 2h, 7d.
    #[arg(long, value_name = "TIME", value_parser = moment)]
    pub since: Option<Moment>,
    /// Until this moment, in the same forms.
    #[arg(long, value_name = "TIME", value_parser = moment)]
    pub until: Option<Moment>,
    /// Decisions at most.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub limit: u32,
    /// Where the history's folder is configured.
    #[command(flatten)]
    pub conf: ConfOption,
    /// Print one JSON object instead, each decision as the journal wrote it.
    #[arg(long)]
    pub json: bool,
}

/// What came of a decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Outcome {
    /// Let in.
    Allow,
    /// Let into the quarantine.
    Quarantine,
    /// Authenticated and not let in.
    Block,
    /// Not authenticated.
    Reject,
    /// Everything but allow.
    NotAllowed,
}

impl From<Outcome> for Sought {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Allow => Self::Verdict(Verdict::Allow),
            Outcome::Quarantine => Self::Verdict(Verdict::Quarantine),
            Outcome::Block => Self::Verdict(Verdict::Block),
            Outcome::Reject => Self::NotAuthenticated,
            Outcome::NotAllowed => Self::NotAllowed,
        }
    }
}

pub(super) fn run(arguments: &Arguments) -> Done {
    let draft = config::read(arguments.conf.folder());
    let history = draft.history();
    if history.days == 0 {
        return Err(Failed::new(
            "history.days is 0 in gateway.toml: no history is kept",
        ));
    }
    if !history.folder.is_dir() {
        return Err(Failed::new(format!(
            "{} does not exist: no gateway has run with this configuration",
            history.folder.display()
        )));
    }
    let mut query = query(arguments, now());
    let by_domain = query.subject.as_ref().filter(|name| name.contains('\\'));
    query.alias = by_domain.map(|name| draft.names().canonical(name));
    let mut unread = 0;
    let (found, has_more) = journal::search(&history.folder, &query, |error| {
        unread += 1;
        say(&format!("left out: {}", causes(&error)));
    })?;
    if found.is_empty() && unread > 0 {
        return Err(Failed::new("no day that was asked for could be read"));
    }
    if arguments.json {
        let decisions: Vec<Value> = found.iter().map(as_json).collect();
        print_json(&json!({ "decisions": decisions, "more": has_more, "unread": unread }))?;
    } else {
        for decision in &found {
            print(&line(decision))?;
        }
        if has_more {
            say("there are more: narrow the search, or raise --limit");
        }
    }
    if found.is_empty() {
        if !arguments.json {
            say("nothing found");
        }
        return Ok(Answer::No);
    }
    Ok(Answer::Yes)
}

fn query(arguments: &Arguments, now: Timestamp) -> Query {
    Query {
        subject: arguments.subject.clone(),
        alias: None,
        outcome: arguments.outcome.map(Sought::from).unwrap_or_default(),
        nas: arguments.nas.clone(),
        since: arguments
            .since
            .map_or(Timestamp::from_unix_seconds(0), |since| since.at(now)),
        until: arguments.until.map_or(FOREVER, |until| until.at(now)),
        limit: usize::try_from(arguments.limit).unwrap_or(usize::MAX),
    }
}

/// The journal's line, with the count.
fn as_json(found: &Found) -> Value {
    let mut line: Value = serde_json::from_str(&found.line).unwrap_or(Value::Null);
    if let Value::Object(line) = &mut line {
        line.insert("alike".to_owned(), found.alike.into());
    }
    line
}

/// For people: when, what, who, where, why, and the number to go on with.
fn line(found: &Found) -> String {
    let record = as_json(found);
    // Whatever a peer has said stays in its line.
    let text = |key: &str| {
        let value = record.get(key).and_then(Value::as_str);
        value.map(|value| Plain(value).to_string())
    };
    let who: Vec<String> = ["user", "device", "presented", "station"]
        .into_iter()
        .filter_map(text)
        .collect();
    let mut line = format!(
        "{} {} {:10} {}",
        found.at,
        found.id,
        text("verdict").unwrap_or_default(),
        text("method").unwrap_or_default(),
    );
    for (word, value) in [
        ("of", who.join(", ")),
        ("at", text("nas").unwrap_or_default()),
    ] {
        if !value.is_empty() {
            line.push_str(&format!(" {word} {value}"));
        }
    }
    line.push_str(&format!(": {}", text("reason").unwrap_or_default()));
    if let Some(why) = text("method").as_deref().and_then(refusal) {
        line.push_str(&format!(", {why}"));
    }
    if let Some(sentence) = text("sentence") {
        line.push_str(&format!(" ({sentence})"));
    }
    if found.alike > 0 {
        line.push_str(&format!(" [+{} like the one before]", found.alike));
    }
    line
}

/// Why a NAS refused what it was asked, from the method of a record: `disconnect nak 503`.
fn refusal(method: &str) -> Option<&'static str> {
    let (_, cause) = method.split_once(" nak ")?;
    cause.parse().ok().map(|cause| ErrorCause(cause).words())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::Correlation;

    #[test]
    fn a_refusal_of_a_nas_is_told_in_words() {
        let why = refusal("disconnect nak 503");
        assert_eq!(why, Some("the NAS has no such session any more"));
        assert_eq!(refusal("coa nak 0"), Some("the NAS does not say why"));
        for method in ["disconnect ack", "mab", "x nak y"] {
            assert_eq!(refusal(method), None, "row {method}");
        }
    }

    #[test]
    fn a_line_says_when_what_who_where_and_why() {
        let found = Found {
            id: Correlation(0x1234),
            at: Timestamp::parse_rfc3339("2026-11-28T09:00:00Z").unwrap(),
            alike: 3,
            line: r#"{"method":"mab","nas":"ap-1","verdict":"block","user":"eve","presented":"aa-bb","reason":"unknown_device","sentence":"Nobody knows it."}"#.to_owned(),
        };
        assert_eq!(
            line(&found),
            "2026-11-28T09:00:00.000Z 0000000000001234 block      mab of eve, aa-bb at ap-1: \
             unknown_device (Nobody knows it.) [+3 like the one before]"
        );
    }

    #[test]
    fn a_name_with_line_breaks_and_escapes_stays_in_its_line() {
        let found = Found {
            id: Correlation(1),
            at: Timestamp::parse_rfc3339("2026-11-28T09:00:00Z").unwrap(),
            alike: 0,
            line: r#"{"method":"pap","user":"eve\u001b[1A\u001b[2K\r\n2026 forged \u202e","verdict":"reject","reason":"no"}"#.to_owned(),
        };
        let line = line(&found);
        assert!(line.chars().all(crate::model::is_plain), "{line:?}");
        assert!(
            line.contains(r"of eve\x1b[1A\x1b[2K\r\n2026 forged \u{202e}: no"),
            "{line}"
        );
    }
}
