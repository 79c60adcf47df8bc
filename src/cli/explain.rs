//! `portreeve explain`: why a decision came out as it did.

use clap::Args;

use super::conf::ConfOption;

/// Explain a decision: for every policy and every condition what was seen, what was wanted, and
/// whether it held.
///
/// Give the correlation id of a record in the journal to see that decision as it was, or a device
/// to see what would be decided for it now.
#[derive(Clone, Debug, Args)]
pub struct Arguments {
    /// Correlation id of a decision, or a device: id, name, serial number or MAC address.
    #[arg(value_name = "DECISION|DEVICE")]
    pub what: String,
    /// With a device: the user who would ask with it [default: its owner].
    #[arg(long, value_name = "NAME")]
    pub user: Option<String>,
    /// Where the control socket is configured.
    #[command(flatten)]
    pub conf: ConfOption,
    /// Print one JSON object instead.
    #[arg(long)]
    pub json: bool,
}
