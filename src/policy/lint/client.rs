//! Rules about mail clients that keep out more than was meant, or nobody.

use super::Report;
use super::shut::Shut;
use crate::model::Plane;
use crate::model::Verdict;
use crate::policy::condition::Client;
use crate::policy::condition::Commands;
use crate::policy::conditional::ConditionalPolicy;
use crate::policy::conditional::Then;
use crate::policy::words::either;

pub(super) fn check(report: &mut Report<'_>) {
    for (key, policy) in report.evaluated() {
        if let Some(client) = policy.when.client.as_deref() {
            doors(report, &key, policy, client);
            claims(report, &key, policy, client);
            lockout(report, &key, policy, client);
        }
    }
}

/// Conditions that only mail clients have.
fn doors(report: &mut Report<'_>, key: &str, policy: &ConditionalPolicy, client: &Client) {
    if policy.planes.contains(Plane::Mail) {
        return;
    }
    for (name, configured) in [
        ("device_types", client.device_types.is_some()),
        ("models", client.models.is_some()),
        ("user_agents", client.user_agents.is_some()),
        ("protocol_versions", client.versions.is_some()),
        ("commands", client.commands.is_some()),
        ("devices_over", client.devices_over.is_some()),
        ("inactive_for", client.inactive_for.is_some()),
    ] {
        if configured {
            report.warn(
                &format!("{key}.when.{name}"),
                "W-NEVER: only mail clients have this, so that the policy never applies",
            );
        }
    }
}

/// What a client says of itself lets nobody in.
fn claims(report: &mut Report<'_>, key: &str, policy: &ConditionalPolicy, client: &Client) {
    let rests = client.device_types.is_some()
        || client.models.is_some()
        || client.user_agents.is_some()
        || client.versions.is_some();
    if rests && !policy.accept_claimed && matches!(policy.then, Then::Act(Verdict::Allow)) {
        report.warn(
            &format!("{key}.action"),
            "W-NEVER: what a mail client says of itself lets nobody in; require something that is \
             known of the device, or write accept_claimed = true",
        );
    }
    // Blocked from the first command on, it could never say what it is.
    let never_told = client
        .models
        .as_ref()
        .is_some_and(|models| models.with.is_none());
    if never_told && matches!(policy.then, Then::Act(Verdict::Block)) {
        report.warn(
            &format!("{key}.when.not_models"),
            "W-LOCKOUT: a mail client tells its model after it was let in or held back, so that this \
             policy keeps every new one out for good; write action = \"quarantine\"",
        );
    }
}

/// Commands without which no mail client works.
fn lockout(report: &mut Report<'_>, key: &str, policy: &ConditionalPolicy, client: &Client) {
    let Some(commands) = client.commands else {
        return;
    };
    let vital = VITAL.into_iter().filter(|name| {
        let one = Commands::one(name);
        one.is_some_and(|one| commands.contains(one))
    });
    let vital = vital.collect::<Vec<_>>();
    // One that shuts the mailbox to everybody is told of as that.
    if !vital.is_empty()
        && policy.planes.contains(Plane::Mail)
        && Shut::anyway(report.policy, policy).is_none()
    {
        report.warn(
            &format!("{key}.when.commands"),
            format!(
                "W-LOCKOUT: no mail client works without {}, so that this policy shuts the whole \
                 mailbox",
                either(vital.into_iter())
            ),
        );
    }
}

/// A client that is refused one of these shows no mailbox.
const VITAL: [&str; 5] = ["Sync", "FolderSync", "Provision", "Ping", "Settings"];
