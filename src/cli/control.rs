//! Asking a running gateway over its control socket, for every command that does.

use std::io;
use std::path::Path;
use std::path::PathBuf;

use super::output::Answer;
use super::output::Done;
use super::output::Failed;
use super::output::print;
use super::output::print_json;
use super::output::say;
use crate::config;
use crate::net::control;
use crate::net::control::Request;
use crate::net::control::Response;

/// Asks the gateway of the conf folder and prints its answer.
pub(super) fn ask(folder: &Path, request: &Request, json: bool) -> Done {
    answered(fetch(&socket(folder), request)?, json)
}

/// Prints an answer.
pub(super) fn answered(response: Response, json: bool) -> Done {
    match response {
        Response::Answer { json: value, .. } if json => {
            print_json(&value)?;
            Ok(Answer::Yes)
        }
        Response::Answer { text, .. } => {
            print(text.trim_end())?;
            Ok(Answer::Yes)
        }
        Response::Refused(why) if json => {
            print_json(&serde_json::json!({ "refused": why }))?;
            Ok(Answer::No)
        }
        Response::Refused(why) => {
            say(&why);
            Ok(Answer::No)
        }
    }
}

/// Where the gateway of the conf folder is asked.
pub(super) fn socket(folder: &Path) -> PathBuf {
    config::read(folder).control_socket()
}

/// Asks the gateway at `socket`; a gateway that does not answer is a failure of the command.
pub(super) fn fetch(socket: &Path, request: &Request) -> Result<Response, Failed> {
    control::ask(socket, request).map_err(|error| {
        let kind = error.kind();
        let hint = if matches!(
            kind,
            io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused
        ) {
            "no gateway is running with this configuration"
        } else if kind == io::ErrorKind::PermissionDenied {
            "only root and the gateway's own user may ask"
        } else {
            "the gateway did not answer"
        };
        Failed::new(format!("{}: {hint} ({error})", socket.display()))
    })
}
