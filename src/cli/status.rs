//! `portreeve status`: how a running gateway is.

use clap::Args;

use super::conf::ConfOption;

/// Show how the running gateway is: doors, inventory, sources, counters.
///
/// Exit code 0: it answers and is well. 1: it answers and says what is not.
#[derive(Clone, Debug, Args)]
pub struct Arguments {
    /// Where the control socket is configured.
    #[command(flatten)]
    pub conf: ConfOption,
    /// Print one JSON object instead.
    #[arg(long)]
    pub json: bool,
}
