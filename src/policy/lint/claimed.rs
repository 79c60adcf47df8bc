//! Ways in which a mail client gets in by what it says of itself.
//!
//! A policy lets nobody in by a claim unless it says `accept_claimed`. What `[defaults]` says of a platform,
//! of devices that cannot be enrolled, and of those to whom no policy applies, is taken at the client's word.

use super::Report;
use super::shut::meets_all_mail;
use crate::model::Plane;
use crate::model::Platform;
use crate::model::Verdict;
use crate::policy::condition::AppBits;
use crate::policy::condition::AppCondition;
use crate::policy::condition::Client;
use crate::policy::condition::Texts;
use crate::policy::condition::When;
use crate::policy::conditional::ConditionalPolicy;
use crate::policy::conditional::Requirement;
use crate::policy::conditional::RequirementSet;
use crate::policy::conditional::Then;
use crate::policy::words::Set;
use crate::policy::words::Word;
use crate::policy::words::either;

pub(super) fn check(report: &mut Report<'_>) {
    if report.counting().any(|(_, policy)| asks_for_facts(policy)) {
        exceptions(report);
    }
    if report.policy.defaults.no_policy_applies == Verdict::Allow {
        ways_out(report);
    }
}

/// Whether a device of which nothing is known fails it, and gets what `[defaults]` says of that.
fn asks_for_facts(policy: &ConditionalPolicy) -> bool {
    let claims = RequirementSet::NONE
        .with(Requirement::Proven)
        .with(Requirement::ApprovedApp);
    match &policy.then {
        Then::Act(_) => false,
        Then::Require(requirements) => !requirements.asked.without(claims).is_empty(),
    }
}

/// Kinds of devices that are let in though nothing is known of them.
fn exceptions(report: &mut Report<'_>) {
    let defaults = &report.policy.defaults;
    // Who lets every such device in is told of that.
    let is_open = [defaults.unknown_device, defaults.unmanaged_device]
        .iter()
        .all(|verdict| *verdict == Verdict::Allow);
    for (word, platform) in Platform::WORDS {
        if defaults.exception(*platform) == Some(Verdict::Allow) && !is_open {
            report.warn(
                &format!("defaults.platforms.{word}"),
                format!(
                    "W-OPEN: where no source states the platform it is what the client says, so that a \
                     device that no source knows passes policies that require managed or compliant as \
                     soon as it says that it is {word:?}"
                ),
            );
        }
    }
    let cannot = &defaults.cannot_enrol;
    let is_used = !cannot.platforms.is_empty() || !cannot.mail_devices.is_empty();
    if is_used && cannot.verdict == Verdict::Allow {
        report.warn(
            "defaults.cannot_enrol.verdict",
            "W-OPEN: its DeviceType is what the client says, and so is its platform where no source \
             states that: a device that no source knows passes policies that require managed or \
             compliant as soon as it says that it is one of these",
        );
    }
}

/// Policies for mail that hold nobody back who says something else of itself.
fn ways_out(report: &mut Report<'_>) {
    for (key, policy) in report.counting() {
        if !judges_mail(policy) || matches!(policy.then, Then::Act(Verdict::Allow)) {
            continue;
        }
        let claims = claims(&policy.when);
        let Some(first) = claims.first() else {
            continue;
        };
        let is_closed = report.counting().any(|(_, other)| {
            judges_mail(other)
                && policy.targets.targeted.is_within(&other.targets.targeted)
                && other.targets.exempt.is_within(&policy.targets.exempt)
                && (is_for_all_clients(&other.when) || complete(&policy.when, &other.when))
        });
        if !is_closed {
            report.warn(
                &format!("{key}.when.{first}"),
                format!(
                    "W-OPEN: a mail client says this of itself ({}): one that says something else gets \
                     no_policy_applies = \"allow\" of [defaults] and is let in; write a policy for mail \
                     that is for the others, or another default",
                    either(claims.iter().copied())
                ),
            );
        }
    }
}

/// Whether it says of a device whether it has its mail.
fn judges_mail(policy: &ConditionalPolicy) -> bool {
    policy.planes.contains(Plane::Mail) && !policy.is_of_commands()
}

fn is_for_all_clients(when: &When) -> bool {
    meets_all_mail(when) && when.platforms.is_none_or(|some| some == Set::all())
}

/// Conditions that hold or not by what a mail client says of itself.
fn claims(when: &When) -> Vec<&'static str> {
    let list = |texts: &Option<Texts>, with, without| {
        let texts = texts.as_ref()?;
        Some(if texts.with.is_some() { with } else { without })
    };
    let client = when.client.as_deref();
    let of =
        |texts: fn(&Client) -> &Option<Texts>, with, without| list(texts(client?), with, without);
    let narrowed = when.platforms.filter(|some| *some != Set::all());
    let app = when.apps.as_ref();
    let app = app.map(|app| {
        if app.with.is_some() {
            "apps"
        } else {
            "not_apps"
        }
    });
    let versions = client.and_then(|client| client.versions.as_ref());
    [
        narrowed.map(|_| "platforms"),
        app,
        of(
            |client| &client.device_types,
            "device_types",
            "not_device_types",
        ),
        of(|client| &client.models, "models", "not_models"),
        of(
            |client| &client.user_agents,
            "user_agents",
            "not_user_agents",
        ),
        versions.map(|_| "protocol_versions"),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Whether one of two policies applies to every mail client: each has one such condition and no other, and
/// the one names what the other leaves out.
fn complete(one: &When, other: &When) -> bool {
    let mut rest = one.clone();
    let mut bare = one.clone();
    (bare.platforms, bare.apps) = (None, None);
    rest.platforms = one.platforms.map(|some| Set::all().without(some));
    rest.apps = one.apps.map(|app| AppCondition {
        with: app.with.is_none().then_some(app.without),
        without: app.with.unwrap_or_default(),
    });
    if let (Some(rest), Some(bare)) = (&mut rest.client, &mut bare.client) {
        for texts in each_text(rest).into_iter().flatten() {
            *texts = Texts {
                with: texts.with.is_none().then(|| texts.without.clone()),
                without: texts.with.take().unwrap_or_default(),
            };
        }
        for texts in each_text(bare) {
            *texts = None;
        }
    }
    let has_one = claims(one).len() == 1 && !has_both(one) && !has_both(other);
    has_one && is_for_all_clients(&bare) && rest == *other
}

/// Whether a list and its opposite stand in one policy.
fn has_both(when: &When) -> bool {
    let app = when.apps.as_ref();
    let by_app = app.is_some_and(|app| app.with.is_some() && app.without != AppBits::default());
    let mut client = when.client.as_deref().cloned().unwrap_or_default();
    by_app
        || each_text(&mut client).into_iter().any(|texts| {
            let texts = texts.as_ref();
            texts.is_some_and(|texts| texts.with.is_some() && !texts.without.is_empty())
        })
}

fn each_text(client: &mut Client) -> [&mut Option<Texts>; 3] {
    [
        &mut client.device_types,
        &mut client.models,
        &mut client.user_agents,
    ]
}
