//! What `status` and `sync` say of the sources, for people and for scripts.

use serde_json::Value;
use serde_json::json;

use crate::model::Plain;
use crate::model::Timestamp;
use crate::net::control::Response;
use crate::sync;
use crate::sync::Answered;
use crate::sync::Outcome;
use crate::sync::Run;
use crate::sync::RunError;
use crate::sync::RunStatus;
use crate::sync::Status;

/// The lines of one feed: its state, then each kind of run.
pub(super) fn lines(status: &Status, now: Timestamp) -> String {
    let bad = match status.bad_rows {
        0 => String::new(),
        1 => ", 1 row with a mistake".to_owned(),
        bad => format!(", {bad} rows with mistakes"),
    };
    let mut text = format!(
        "source {}: {} since {}, {} entries{bad} in the last list\n",
        status.feed,
        status.state.as_str(),
        status.since,
        status.entries
    );
    let mut line = |what: &str, line: String| {
        text.push_str(&format!("  {what}: {}\n", Plain(line)));
    };
    for (kind, run) in runs(status) {
        line(kind, run_line(run, now));
    }
    if let Some(run) = status.running {
        line("under way", under_way(status, run));
    }
    if let Some(error) = &status.retrying {
        line("asked again", since(error));
    }
    if let Some(command) = release(status) {
        line("held", format!("if the list is right: {command}"));
    }
    if let Some(note) = &status.note {
        line("note", note.clone());
    }
    if let Some(problem) = status.problems.first() {
        let more = match status.problems.len() - 1 {
            0 => String::new(),
            more => format!(" (and {more} more; `portreeve check` tells them)"),
        };
        line("mistake", format!("{problem}{more}"));
    }
    text
}

/// The same for scripts.
pub(super) fn json(status: &Status, now: Timestamp) -> Value {
    json!({
        "feed": status.feed,
        "state": status.state.as_str(),
        "since": status.since.to_string(),
        "reason": status.failing().next().map(|(_, error)| &error.reason),
        "full": run_json(&status.full, now),
        "quick": status.quick.as_ref().map(|quick| run_json(quick, now)),
        "asked_again": status.retrying.as_ref().map(error_json),
        "running": status.running.map(Run::as_str),
        "pages": status.progress.0,
        "rows": status.progress.1,
        "entries": status.entries,
        "bad_rows": status.bad_rows,
        "problems": status.problems.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "held": status.is_held(),
        "release": release(status),
        "worst_latency": status.worst_latency.as_secs(),
        "next_run": status.next_run.map(|at| at.to_string()),
        "note": status.note,
    })
}

/// Asks the feeds for a run.
pub(super) fn ask(
    sources: &sync::Handle,
    source: Option<&str>,
    quick: bool,
    accept: bool,
) -> Response {
    let run = if quick { Run::Quick } else { Run::Full };
    match sources.sync_now(source, run, accept) {
        Ok(number) => {
            let run = run.as_str();
            tracing::info!(source, run, accept, "an operator asks for a sync");
            Response::Answer {
                json: json!({ "number": number }),
                text: format!("request {number}\n"),
            }
        }
        Err(error) => Response::Refused(error.to_string()),
    }
}

/// How a request stands.
pub(super) fn progress(
    sources: &sync::Handle,
    source: Option<&str>,
    number: u64,
    now: Timestamp,
) -> Response {
    let Some(feeds) = sources.request(source, number) else {
        return Response::Refused(
            "the gateway knows no such request; it has been started again since".to_owned(),
        );
    };
    let done = feeds.iter().all(|(_, answered)| answered.is_some());
    let well = feeds.iter().all(|(_, answered)| {
        answered
            .as_ref()
            .is_some_and(|answered| answered.outcome == Outcome::Well)
    });
    let mut text = String::new();
    for (status, answered) in &feeds {
        let line = match answered {
            Some(answered) => ended(status, answered),
            None => waiting(status),
        };
        text.push_str(&format!("{}: {line}\n", status.feed));
    }
    let feeds: Vec<Value> = feeds
        .iter()
        .map(|(status, answered)| {
            let mut feed = json(status, now);
            if let Value::Object(fields) = &mut feed {
                let outcome = answered.as_ref().map(|answered| answered.outcome.as_str());
                let reason = answered.as_ref().and_then(|of| of.reason.as_deref());
                fields.insert("outcome".to_owned(), json!(outcome));
                fields.insert("reason".to_owned(), json!(reason));
            }
            feed
        })
        .collect();
    Response::Answer {
        json: json!({ "done": done, "well": well, "feeds": feeds }),
        text,
    }
}

fn ended(status: &Status, answered: &Answered) -> String {
    let run = answered.run.as_str();
    let reason = Plain(answered.reason.as_deref().unwrap_or(""));
    let note = status.note.as_deref();
    match answered.outcome {
        Outcome::Well => {
            let note = note.map_or(String::new(), |note| format!("; {}", Plain(note)));
            let entries = status.entries;
            format!("{run} run went well, {entries} entries{note}")
        }
        Outcome::Held => {
            let command = release(status).unwrap_or_default();
            format!("held back: {reason}\n  if the list is right: {command}")
        }
        Outcome::Failed => format!("{run} run failed: {reason}"),
        Outcome::Pending => "no full run has ended yet".to_owned(),
    }
}

fn waiting(status: &Status) -> String {
    let again = status.retrying.as_ref();
    let again = again.map_or(String::new(), |error| {
        format!(", asked again {}", since(error))
    });
    match (status.running, status.next_run) {
        (Some(run), _) => format!("{}{again}", under_way(status, run)),
        (None, Some(at)) => format!("waits until {at}"),
        (None, None) => "waits".to_owned(),
    }
}

/// The command that takes a list which is held back.
fn release(status: &Status) -> Option<String> {
    let source = status.source();
    status
        .is_held()
        .then(|| format!("portreeve sync {source} --accept-shrink"))
}

fn runs(status: &Status) -> impl Iterator<Item = (&'static str, &RunStatus)> {
    let quick = status.quick.as_ref().map(|quick| ("quick run", quick));
    [("full run", &status.full)].into_iter().chain(quick)
}

fn run_line(run: &RunStatus, now: Timestamp) -> String {
    let last = match run.last_success {
        Some(at) => format!("{} s ago", now.since(at).as_secs()),
        None => "never".to_owned(),
    };
    match (run.outcome, &run.last_error) {
        (Outcome::Pending, _) | (_, None) if run.last_success.is_none() => {
            "none has ended".to_owned()
        }
        (Outcome::Failed | Outcome::Held, Some(error)) => {
            let failed = since(error);
            let outcome = run.outcome.as_str();
            format!("{outcome} {failed}; well {last}")
        }
        (_, Some(error)) => {
            let ago = now.since(error.last).as_secs();
            format!("well {last}; failed {ago} s ago: {}", error.reason)
        }
        (_, None) => format!("well {last}"),
    }
}

fn run_json(run: &RunStatus, now: Timestamp) -> Value {
    json!({
        "outcome": run.outcome.as_str(),
        "last_success": run.last_success.map(|at| at.to_string()),
        "age": run.last_success.map(|at| now.since(at).as_secs()),
        "last_error": run.last_error.as_ref().map(error_json),
    })
}

fn error_json(error: &RunError) -> Value {
    json!({
        "reason": error.reason,
        "since": error.since.to_string(),
        "last": error.last.to_string(),
        "times": error.times,
    })
}

fn since(error: &RunError) -> String {
    let times = match error.times {
        1 => String::new(),
        times => format!(" ({times} times)"),
    };
    format!("since {}{times}: {}", error.since, error.reason)
}

fn under_way(status: &Status, run: Run) -> String {
    let (pages, rows) = status.progress;
    format!("{} run, {pages} pages, {rows} rows so far", run.as_str())
}
