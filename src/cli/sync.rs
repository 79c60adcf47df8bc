//! `portreeve sync`: the sources are asked now, and the command waits for what comes of it.

use std::path::Path;
use std::time::Duration;

use clap::Args;
use serde_json::Value;

use super::conf::ConfOption;
use super::control::fetch;
use super::control::socket;
use super::output::Answer;
use super::output::Done;
use super::output::Failed;
use super::output::print;
use super::output::print_json;
use super::output::say;
use crate::net::control::Request;
use crate::net::control::Response;

/// Ask the sources now instead of at their next interval, and wait for the end.
///
/// Without options everything is read, which takes hours in a large tenant; Ctrl-C stops the
/// waiting, not the run. A complete list that lacks too much is held back, and what was known
/// stays; when devices really have gone, --accept-shrink takes the list as it is.
///
/// Exit code 0: all went well. 1: a source failed, or its list is held back. 2: nobody answers, or
/// there is no such source.
#[derive(Clone, Debug, Args)]
pub(super) struct Arguments {
    /// A source by its name in source.toml; all of them when left out.
    #[arg(value_name = "SOURCE")]
    pub source: Option<String>,
    /// Read everything (the default).
    #[arg(long)]
    pub full: bool,
    /// Read only what may have changed since the last run.
    #[arg(long, conflicts_with = "full")]
    pub quick: bool,
    /// Take the list that comes now however short it is, even an empty one; what it lacks is gone.
    #[arg(long, requires = "source", conflicts_with = "quick")]
    pub accept_shrink: bool,
    /// Where the control socket is configured.
    #[command(flatten)]
    pub conf: ConfOption,
    /// Print one JSON object at the end instead.
    #[arg(long)]
    pub json: bool,
}

pub(super) fn run(arguments: &Arguments) -> Done {
    let socket = socket(arguments.conf.folder());
    let request = Request::Sync {
        source: arguments.source.clone(),
        quick: arguments.quick,
        accept: arguments.accept_shrink,
    };
    let (asked, _) = answer(&socket, &request)?;
    let number = asked.get("number").and_then(Value::as_u64);
    let progress = Request::SyncProgress {
        source: arguments.source.clone(),
        number: number.ok_or_else(|| Failed::new("the gateway is of another version"))?,
    };
    let timer = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()?;
    let mut shown = String::new();
    let mut pause = FIRST_PAUSE;
    loop {
        let (state, text) = answer(&socket, &progress)?;
        let is = |name: &str| state.get(name).and_then(Value::as_bool) == Some(true);
        if is("done") {
            if arguments.json {
                print_json(&state)?;
            } else {
                print(text.trim_end())?;
            }
            return Ok(if is("well") { Answer::Yes } else { Answer::No });
        }
        if !arguments.json && pause == LONGEST_PAUSE && text != shown {
            say(text.trim_end());
            shown = text;
        }
        timer.block_on(async { tokio::time::sleep(pause).await });
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// What the gateway answers; a refusal means that nothing could be carried out.
fn answer(socket: &Path, request: &Request) -> Result<(Value, String), Failed> {
    match fetch(socket, request)? {
        Response::Answer { json, text } => Ok((json, text)),
        Response::Refused(why) => Err(Failed::new(why)),
    }
}

/// Most files are read within this.
const FIRST_PAUSE: Duration = Duration::from_millis(50);

/// Progress is told this often, once it takes longer than a moment.
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
