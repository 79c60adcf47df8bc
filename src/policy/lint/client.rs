//! Rules about mail clients that keep out more than was meant, or nobody.

use super::Report;
use super::shut::Shut;
use crate::model::Plane;
use crate::model::Verdict;
use crate::policy::condition::Client;
use crate::policy::condition::Commands;
use crate::policy::conditional::ConditionalPolicy;
use crate::policy::conditional::Requirement;
use crate::policy::conditional::RequirementSet;
use crate::policy::conditional::Then;
use crate::policy::reason::Failure;
use crate::policy::words::Word;
use crate::policy::words::either;

pub(super) fn check(report: &mut Report<'_>) {
    strangers(report);
    for (key, policy) in report.evaluated() {
        let client = policy.when.client.as_deref();
        claims(report, &key, policy, client);
        if let Some(client) = client {
            doors(report, &key, policy, client);
            lockout(report, &key, policy, client);
            inactivity(report, &key, policy, client);
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
fn claims(report: &mut Report<'_>, key: &str, policy: &ConditionalPolicy, client: Option<&Client>) {
    let rests = policy.when.claims().any(|one| !one.may_be_stated());
    if rests && !policy.accept_claimed && matches!(policy.then, Then::Act(Verdict::Allow)) {
        report.warn(
            &format!("{key}.action"),
            "W-NEVER: what a client says of itself lets nobody in; require something that is known \
             of the device, or write accept_claimed = true",
        );
    }
    // Blocked from the first command on, it could never say what it is.
    let models = client.and_then(|client| client.models.as_ref());
    let never_told = models.is_some_and(|models| models.with.is_none());
    if never_told && matches!(policy.then, Then::Act(Verdict::Block)) {
        report.warn(
            &format!("{key}.when.not_models"),
            "W-LOCKOUT: a mail client tells its model after it was let in or held back, so that this \
             policy keeps every new one out for good; write action = \"quarantine\"",
        );
    }
}

/// Requirements that any device meets by what it says: where no other policy lets these users in, a device
/// that no source knows gets the default.
fn strangers(report: &mut Report<'_>) {
    let default = report.policy.defaults.unknown_device;
    if default == Verdict::Allow {
        return;
    }
    for (key, policy) in report.counting() {
        let Some(member) = requires_claims(policy).filter(|_| !policy.accept_claimed) else {
            continue;
        };
        let ours = &policy.targets.targeted;
        let others_let_in = report.counting().any(|(_, other)| {
            let theirs = &other.targets.targeted;
            let is_about_them = ours.everyone
                || theirs.everyone
                || ours.groups.intersects(&theirs.groups)
                || ours.users.iter().any(|user| theirs.users.contains(user));
            is_about_them
                && other.planes.contains(Plane::Mail)
                && !other.is_of_commands()
                && (other.accept_claimed || requires_claims(other).is_none())
                && !matches!(other.then, Then::Act(Verdict::Quarantine | Verdict::Block))
        });
        if others_let_in || !policy.planes.contains(Plane::Mail) {
            continue;
        }
        report.warn(
            &format!("{key}.{member}"),
            format!(
                "W-NEVER: approved_app is met by what a mail client says of itself, which lets nobody \
                 in: a device that no source knows gets unknown_device = {:?} of [defaults]; require \
                 something that is known of the device as well, or write accept_claimed = true",
                default.word()
            ),
        );
    }
}

/// The key by which a policy requires nothing but what a mail client says of itself, and has no word of its
/// own about unknown devices.
fn requires_claims(policy: &ConditionalPolicy) -> Option<&'static str> {
    let Then::Require(requirements) = &policy.then else {
        return None;
    };
    let claims = RequirementSet::NONE.with(Requirement::ApprovedApp);
    let of_unknown = requirements
        .otherwise_for
        .get(Failure::DeviceUnknown as usize);
    if policy.is_of_commands() || of_unknown.copied().flatten().is_some() {
        return None;
    }
    let one_of = requirements.any.contains(&Requirement::ApprovedApp);
    let others = requirements.all.without(claims);
    if !others.is_empty() {
        None
    } else if one_of {
        Some("require_any")
    } else {
        (requirements.any.is_empty() && !requirements.all.is_empty()).then_some("require")
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

/// Inactivity that a rule about some commands looks for, which any other command ends.
fn inactivity(report: &mut Report<'_>, key: &str, policy: &ConditionalPolicy, client: &Client) {
    let is_of_some = client.commands.is_some_and(|commands| !commands.are_all());
    if is_of_some && client.inactive_for.is_some() && policy.planes.contains(Plane::Mail) {
        report.warn(
            &format!("{key}.when.inactive_for"),
            "W-IDLE: by the first command that is not among commands the device is active again, and \
             this policy has no effect from then on; leave commands out",
        );
    }
}

/// A client that is refused one of these shows no mailbox.
const VITAL: [&str; 5] = ["Sync", "FolderSync", "Provision", "Ping", "Settings"];
