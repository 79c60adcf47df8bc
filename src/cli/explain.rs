//! `portreeve explain`: why a decision came out as it did.

use clap::Args;

use super::conf::ConfOption;
use super::control::ask;
use super::output::Done;
use crate::access::Correlation;
use crate::net::control::Request;

/// Explain a decision: for every policy and every condition what was seen, what was wanted, and
/// whether it held.
///
/// Give the correlation id of a record in the journal, or a device to see its latest decision. A
/// mail client that is not in the inventory is found by its ActiveSync DeviceId. Of the last few
/// thousand decisions the gateway keeps this in memory; of older ones, and after a restart, it tells what
/// the history and the journal have: verdict, reason, policies and facts.
#[derive(Clone, Debug, Args)]
pub(super) struct Arguments {
    /// Correlation id of a decision, or a device: id, name, serial number, MAC address or
    /// ActiveSync DeviceId.
    #[arg(value_name = "DECISION|DEVICE")]
    pub what: String,
    /// Of a mail client: why it is not blocked although its device is not compliant.
    #[arg(long, conflicts_with = "no_message")]
    pub not_blocked: bool,
    /// Of a mail client: why it is kept out without a message.
    #[arg(long)]
    pub no_message: bool,
    /// The mail client's user, where clients of several have the DeviceId.
    #[arg(long)]
    pub user: Option<String>,
    /// Where the control socket is configured.
    #[command(flatten)]
    pub conf: ConfOption,
    /// Print one JSON object instead.
    #[arg(long)]
    pub json: bool,
}

pub(super) fn run(arguments: &Arguments) -> Done {
    let what = arguments.what.clone();
    if arguments.not_blocked || arguments.no_message {
        let request = Request::ExplainClient {
            device: what,
            user: arguments.user.clone(),
            no_message: arguments.no_message,
        };
        return ask(arguments.conf.folder(), &request, arguments.json);
    }
    let request = match Correlation::parse(&what) {
        Some(_) => Request::Explain { id: what },
        None => Request::ExplainDevice { device: what },
    };
    ask(arguments.conf.folder(), &request, arguments.json)
}
