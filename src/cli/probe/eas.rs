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
use crate::model::Secret;
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
    let let_through = answer.reason.is_none() && answer.status < 400;
    if arguments.json {
        print_json(&json!({
            "question": format!("{} of {} with {}", command.name(), request.user, request.device),
            "status": answer.status,
            "reason": answer.reason,
            "octets": answer.body.len(),
            "let_through": let_through,
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
            line.push_str(&format!(", refused by the gateway: {reason}"));
        }
        print(&line)?;
    }
    Ok(if let_through { Answer::Yes } else { Answer::No })
}
