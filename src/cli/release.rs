//! `portreeve release`: what the brake holds is let go.

use clap::Args;

use super::conf::ConfOption;
use super::control::ask;
use super::output::Done;
use crate::net::control::Request;

/// Let go of the network sessions that a change would end and that are held.
///
/// A change that would end more than a tenth of the sessions, and at least 50, is held: a garbled
/// list looks like that. Look at `status` and `device` first. Without --keep the sessions end now,
/// those whose verdict has mended meanwhile excepted; with it they stay until their next change.
///
/// Exit code 0: done. 1: nothing is held. 2: nobody answers.
#[derive(Clone, Debug, Args)]
pub(super) struct Arguments {
    /// Let them stay.
    #[arg(long)]
    pub keep: bool,
    /// Where the control socket is configured.
    #[command(flatten)]
    pub conf: ConfOption,
    /// Print one JSON object instead.
    #[arg(long)]
    pub json: bool,
}

pub(super) fn run(arguments: &Arguments) -> Done {
    let request = Request::Release {
        keep: arguments.keep,
    };
    ask(arguments.conf.folder(), &request, arguments.json)
}
