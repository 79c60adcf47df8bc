//! `portreeve device`: what is known of a device.

use clap::Args;

use super::conf::ConfOption;
use super::control::ask;
use super::output::Done;
use crate::net::control::Request;

/// Show what is known of a device: each fact with its source and age, its user and identifiers.
///
/// Exit code 0: the device is known. 1: it is not, or the identifier fits several.
#[derive(Clone, Debug, Args)]
pub(super) struct Arguments {
    /// The device: Intune or Entra id, name, serial number, MAC address or ActiveSync DeviceId.
    #[arg(value_name = "DEVICE")]
    pub device: String,
    /// Where the control socket is configured.
    #[command(flatten)]
    pub conf: ConfOption,
    /// Print one JSON object instead.
    #[arg(long)]
    pub json: bool,
}

pub(super) fn run(arguments: &Arguments) -> Done {
    let request = Request::Device {
        device: arguments.device.clone(),
    };
    ask(arguments.conf.folder(), &request, arguments.json)
}
