//! Rules about mail clients that keep out more than was meant, or nobody.

use super::Report;
use crate::model::Plane;
use crate::model::Verdict;
use crate::policy::condition::Client;
use crate::policy::condition::Commands;
use crate::policy::condition::Texts;
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

/// Conditions that every mail client meets, and commands without which none works.
fn lockout(report: &mut Report<'_>, key: &str, policy: &ConditionalPolicy, client: &Client) {
    if let Some(commands) = client.commands {
        let vital = VITAL.into_iter().filter(|name| {
            let one = Commands::one(name);
            one.is_some_and(|one| commands.contains(one))
        });
        let vital = vital.collect::<Vec<_>>();
        if !vital.is_empty() && policy.planes.contains(Plane::Mail) {
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
    if policy.accept_lockout_risk
        || !policy.targets.targeted.everyone
        || !policy.targets.exempt.is_empty()
        || !matches!(policy.then, Then::Act(Verdict::Block))
    {
        return;
    }
    let everything = |texts: &Option<Texts>| {
        let with = texts.as_ref().and_then(|texts| texts.with.as_deref());
        with.is_some_and(|with| with.iter().any(|glob| glob.matches_all()))
    };
    for (name, meets_all) in [
        ("device_types", everything(&client.device_types)),
        ("models", everything(&client.models)),
        ("user_agents", everything(&client.user_agents)),
        (
            "protocol_versions",
            client.versions.as_ref().is_some_and(|all| all.len() == 7),
        ),
    ] {
        if meets_all {
            report.warn(
                &format!("{key}.when.{name}"),
                "W-LOCKOUT: every mail client meets this, so that the policy keeps everybody out; \
                 exempt a group, narrow it, or write accept_lockout_risk = true",
            );
        }
    }
}

/// A client that is refused one of these shows no mailbox.
const VITAL: [&str; 5] = ["Sync", "FolderSync", "Provision", "Ping", "Settings"];
