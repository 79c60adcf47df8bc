//! `portreeve wipe`: order that a mail client erases itself, list such orders, call one off.

use clap::Args;
use nix::unistd::Uid;
use nix::unistd::User;
use serde_json::Value;

use super::conf::ConfOption;
use super::control::ask;
use super::devices::all_rows;
use super::devices::table;
use super::output::Answer;
use super::output::Done;
use super::output::print;
use super::output::print_json;
use super::output::say;
use crate::net::control::ClientAction;
use crate::net::control::ClientFilter;
use crate::net::control::Request;

/// Order that a mail client erases its device, or only what the account has brought to it.
///
/// The order is for exactly one user and DeviceId. The client is told with its next request and keeps
/// being refused afterwards, until --cancel. Every order, who gave it, and what the device says goes to
/// the audit (wipes*.jsonl in the journal's folder) before anything happens. An erased device cannot be
/// brought back: without --yes nothing is done.
///
/// Exit code 0: done. 1: not done, with the reason. 2: nobody answers.
#[derive(Clone, Debug, Args)]
pub(super) struct Arguments {
    /// The ActiveSync DeviceId, in any case.
    #[arg(value_name = "DEVICEID", required_unless_present = "list")]
    pub device: Option<String>,
    /// The user, where clients of several have the DeviceId.
    #[arg(long)]
    pub user: Option<String>,
    /// Erase only what the account has brought to the device; clients of version 16.1 and later.
    #[arg(long, conflicts_with_all = ["cancel", "list"])]
    pub account_only: bool,
    /// Call the order off, or let a device in again that has been erased.
    #[arg(long, conflicts_with = "list")]
    pub cancel: bool,
    /// List the clients with an order, and how far it is.
    #[arg(long)]
    pub list: bool,
    /// Do it, and not only say what would be done.
    #[arg(long)]
    pub yes: bool,
    /// Where the control socket is configured.
    #[command(flatten)]
    pub conf: ConfOption,
    /// Print JSON instead.
    #[arg(long)]
    pub json: bool,
}

pub(super) fn run(arguments: &Arguments) -> Done {
    let Some(device) = arguments.device.as_ref().filter(|_| !arguments.list) else {
        return list(arguments);
    };
    let action = if arguments.cancel {
        ClientAction::Cancel
    } else if arguments.account_only {
        ClientAction::WipeAccount
    } else {
        ClientAction::Wipe
    };
    let request = Request::ClientAction {
        device: device.clone(),
        user: arguments.user.clone(),
        action,
        by: by_whom(),
        confirmed: arguments.yes,
    };
    ask(arguments.conf.folder(), &request, arguments.json)
}

fn list(arguments: &Arguments) -> Done {
    let filter = ClientFilter {
        user: arguments.user.clone(),
        device: arguments.device.clone(),
        wipes: true,
        ..ClientFilter::default()
    };
    let rows = match all_rows(&arguments.conf, filter)? {
        Ok(rows) => rows,
        Err(why) => {
            say(&why);
            return Ok(Answer::No);
        }
    };
    if arguments.json {
        print_json(&Value::from(rows))?;
    } else if rows.is_empty() {
        print("no wipe is ordered")?;
    } else {
        print(table(&rows, &SHOWN).trim_end())?;
    }
    Ok(Answer::Yes)
}

/// Who gives the order, for the audit: the user who has logged in, whatever user the command runs as,
/// where the system keeps that. Only root and the gateway's own user get as far as the control socket.
pub(super) fn by_whom() -> String {
    let login = std::fs::read_to_string("/proc/self/loginuid").ok();
    let login = login.and_then(|text| text.trim().parse::<u32>().ok());
    // All bits set: nobody has logged in, as in a container or a job.
    let uid = login.filter(|uid| *uid != u32::MAX).map(Uid::from_raw);
    let uid = uid.unwrap_or_else(Uid::current);
    match User::from_uid(uid) {
        Ok(Some(user)) => format!("{} (uid {uid})", user.name),
        Ok(None) | Err(_) => format!("uid {uid}"),
    }
}

const SHOWN: [&str; 7] = [
    "User",
    "EAS Device ID",
    "Device Type",
    "Wipe",
    "Wipe Ordered",
    "Wipe Ordered By",
    "Last Success Sync Time To Exchange Server",
];
