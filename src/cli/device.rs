//! `portreeve device`: what is known of a device.

use clap::Args;

use super::conf::ConfOption;
use super::control::answered;
use super::control::fetch;
use super::control::socket;
use super::output::Answer;
use super::output::Done;
use crate::net::control::Request;
use crate::net::control::Response;

/// Show what is known of a device: each fact with its source and age, its user and identifiers.
///
/// Exit code 0: a source knows the device. 1: none does, though it may have been here for its mail, which is
/// shown then; or the identifier fits several.
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
    let response = fetch(&socket(arguments.conf.folder()), &request)?;
    let is_known = match &response {
        Response::Answer { json, .. } => json.get("device").is_some_and(|id| !id.is_null()),
        Response::Refused(_) => false,
    };
    answered(response, arguments.json)?;
    Ok(if is_known { Answer::Yes } else { Answer::No })
}
