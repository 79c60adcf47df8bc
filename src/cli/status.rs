//! `portreeve status`: how a running gateway is.

use clap::Args;

use super::conf::ConfOption;
use super::control::ask;
use super::output::Done;
use crate::net::control::Request;

/// Show how the running gateway is: doors, inventory, sources, counters.
///
/// Exit code 0: it answers. 2: nobody answers.
#[derive(Clone, Debug, Args)]
pub(super) struct Arguments {
    /// Where the control socket is configured.
    #[command(flatten)]
    pub conf: ConfOption,
    /// Print one JSON object instead.
    #[arg(long)]
    pub json: bool,
}

pub(super) fn run(arguments: &Arguments) -> Done {
    ask(arguments.conf.folder(), &Request::Status, arguments.json)
}
