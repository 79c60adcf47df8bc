//! The question that goes to the mail front.

use serde_json::json;

use super::Eas;
use super::Known;
use super::first_line;
use super::network::certificates;
use super::reachable;
use crate::cli::output::Answer;
use crate::cli::output::Done;
use crate::cli::output::Failed;
use crate::cli::output::print;
use crate::cli::output::print_json;
use crate::eas::Command;
use crate::eas::outcome::is_refusal;
use crate::model::Reason;
use crate::model::Secret;
use crate::probe::EasAnswer;
use crate::probe::EasRequest;
use crate::probe::ask;

pub(super) fn request(arguments: &Eas) -> Done {
    let known = Known::read(arguments.conf.folder());
    let command = Command::from_name(&arguments.command).ok_or_else(|| {
        let known: Vec<_> = Command::ALL.iter().map(|command| command.name()).collect();
        Failed::new(format!(
            "{}: expected one of {}",
            arguments.command,
            known.join(", ")
        ))
    })?;
    let none = |what: &str| Failed::new(format!("{what} is empty in gateway.toml"));
    let address = match arguments.server {
        Some(address) => address,
        None => *known
            .config()?
            .listen
            .mail
            .first()
            .ok_or_else(|| none("listen.mail; give --server"))?,
    };
    let host = match &arguments.host {
        Some(host) => host.clone(),
        None => known
            .config()?
            .mail
            .published_names
            .first()
            .cloned()
            .ok_or_else(|| none("mail.published_names; give --host"))?,
    };
    let ca = known.root(arguments.ca.as_deref())?;
    let request = EasRequest {
        address: reachable(address),
        host,
        roots: certificates(&ca)?,
        user: arguments.user.clone(),
        password: Secret::new(first_line(arguments.password_file.as_deref())?),
        device: arguments.device.clone(),
        device_type: arguments.device_type.clone(),
        command,
        base64: arguments.base64,
    };
    let answer = ask(&request, arguments.timeout)?;
    let outcome = outcome(command, &answer);
    let let_through = outcome == Outcome::Through;
    if arguments.json {
        print_json(&json!({
            "question": format!("{} of {} with {}", command.name(), request.user, request.device),
            "status": answer.status,
            "reason": answer.reason,
            "octets": answer.body.len(),
            "let_through": let_through,
            "quarantine": outcome == Outcome::Quarantine,
        }))?;
    } else {
        let mut line = format!(
            "{} of {} with device {}: HTTP {}, {} octets",
            command.name(),
            request.user,
            request.device,
            answer.status,
            answer.body.len()
        );
        if let Some(reason) = &answer.reason {
            let told = match outcome {
                Outcome::Quarantine => "from the mailbox of the gateway's quarantine",
                Outcome::Through | Outcome::Refused => "refused by the gateway",
            };
            line.push_str(&format!(", {told}: {reason}"));
        }
        print(&line)?;
    }
    Ok(match outcome {
        Outcome::Through | Outcome::Quarantine => Answer::Yes,
        Outcome::Refused => Answer::No,
    })
}

/// What became of the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    /// The mail server has answered, and not refused.
    Through,
    /// The gateway has answered itself, and given what a device in quarantine has.
    Quarantine,
    /// Refused by either, with a status of HTTP or in the body.
    Refused,
}

fn outcome(command: Command, answer: &EasAnswer) -> Outcome {
    match &answer.reason {
        _ if answer.status >= 400 => Outcome::Refused,
        None => Outcome::Through,
        // It gets its orders with success.
        Some(reason) if *reason == Reason::DeviceRetired.code().to_string() => Outcome::Refused,
        Some(_) if is_refusal(command, &answer.body) => Outcome::Refused,
        Some(_) => Outcome::Quarantine,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::eas::Status;
    use crate::eas::Version;

    /// A device in quarantine was said to be refused, although it has a mailbox.
    #[test]
    fn quarantine_is_told_from_a_refusal_and_from_the_mail_server() {
        // FolderSync with status 1, without folders.
        let given = b"\x03\x01\x6a\x00\x00\x07\x56\x4c\x03\x31\x00\x01\x01";
        let refused = |status: Status| status.body(Command::FolderSync, Version::V14_1).unwrap();
        for (status, reason, body, expected) in [
            (200, None, &given[..], Outcome::Through),
            (401, None, b"", Outcome::Refused),
            (200, Some("54003"), given, Outcome::Quarantine),
            (200, Some("54011"), given, Outcome::Refused),
            (403, Some("54003"), b"Access held back.", Outcome::Refused),
            (
                200,
                Some("53000"),
                &refused(Status::DeviceIsBlockedForThisUser),
                Outcome::Refused,
            ),
            (
                200,
                Some("54019"),
                &refused(Status::DeviceNotProvisioned),
                Outcome::Refused,
            ),
        ] {
            let answer = EasAnswer {
                status,
                reason: reason.map(str::to_owned),
                body: body.to_vec(),
            };
            let found = outcome(Command::FolderSync, &answer);
            assert_eq!(found, expected, "row {answer:?}");
        }
    }
}
