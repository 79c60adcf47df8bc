//! Ways in which a client gets in by what it says of itself: one of mail, or of a VPN.
//!
//! A policy lets nobody in by a claim unless it says `accept_claimed`. What `[defaults]` says of a platform,
//! of devices that cannot be enrolled, and of those to whom no policy applies, is taken at the client's word.

use super::Report;
use super::shut::meets_all_mail;
use crate::model::Medium;
use crate::model::Plane;
use crate::model::Platform;
use crate::model::Verdict;
use crate::policy::condition::AppBits;
use crate::policy::condition::AppCondition;
use crate::policy::condition::Client;
use crate::policy::condition::Condition;
use crate::policy::condition::Texts;
use crate::policy::condition::When;
use crate::policy::conditional::ConditionalPolicy;
use crate::policy::conditional::Requirement;
use crate::policy::conditional::RequirementSet;
use crate::policy::conditional::Then;
use crate::policy::facts;
use crate::policy::words::Set;
use crate::policy::words::Word;
use crate::policy::words::either;

pub(super) fn check(report: &mut Report<'_>) {
    exceptions(report);
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
    let asked = |judges: fn(&ConditionalPolicy) -> bool| {
        let mut policies = report.counting();
        policies.any(|(_, policy)| asks_for_facts(policy) && judges(policy))
    };
    let (by_mail, by_vpn) = (asked(judges_mail), asked(judges_vpn));
    let is_asked_anywhere = asked(|policy| !policy.is_of_commands());
    let claimed = |is_asked: bool, platforms: fn() -> Set<Platform>| {
        is_asked.then(platforms).unwrap_or_default()
    };
    let mail = claimed(by_mail, facts::claimed_by_mail);
    let vpn = claimed(by_vpn, facts::claimed_by_vpn);
    let defaults = &report.policy.defaults;
    // Who lets every such device in is told of that.
    let is_open = [defaults.unknown_device, defaults.unmanaged_device]
        .iter()
        .all(|verdict| *verdict == Verdict::Allow);
    for (word, platform) in Platform::WORDS {
        if defaults.exception(*platform) != Some(Verdict::Allow) || is_open {
            continue;
        }
        let why = if *platform == Platform::Unknown {
            is_asked_anywhere.then(|| {
                format!("{PASSES} as long as its client does not state its platform either")
            })
        } else {
            who(mail.contains(*platform), vpn.contains(*platform)).map(|who| {
                format!(
                    "{PASSES} as soon as {who} says that it is {word:?}, since no source states its \
                     platform"
                )
            })
        };
        if let Some(why) = why {
            report.warn(
                &format!("defaults.platforms.{word}"),
                format!("W-OPEN: a device that no source knows {why}"),
            );
        }
    }
    let cannot = &defaults.cannot_enrol;
    let by_type = by_mail && !cannot.mail_devices.is_empty();
    let by_platform = |claimed: Set<Platform>| !cannot.platforms.intersection(claimed).is_empty();
    let what = match (by_type, by_platform(mail.union(vpn))) {
        (true, true) => "DeviceType; the platform where no source states it",
        (true, false) => "DeviceType",
        (false, _) => "the platform where no source states it",
    };
    let who = who(by_type || by_platform(mail), by_platform(vpn));
    if let Some(who) = who.filter(|_| cannot.verdict == Verdict::Allow) {
        report.warn(
            "defaults.cannot_enrol.verdict",
            format!(
                "W-OPEN: a device counts as one of these by what {who} says of it ({what}), so that one \
                 that no source knows {PASSES}"
            ),
        );
    }
}

/// Whose word it is; `None` if nobody's.
const fn who(by_mail: bool, by_vpn: bool) -> Option<&'static str> {
    match (by_mail, by_vpn) {
        (true, true) => Some("its client of mail or of a VPN"),
        (true, false) => Some("its mail client"),
        (false, true) => Some("its client of a VPN"),
        (false, false) => None,
    }
}

/// Policies for mail that hold nobody back who says something else of itself.
fn ways_out(report: &mut Report<'_>) {
    for (key, policy) in report.counting() {
        if !judges_mail(policy) || matches!(policy.then, Then::Act(Verdict::Allow)) {
            continue;
        }
        let claims = policy.when.claims().filter_map(word);
        let claims: Vec<String> = claims
            .map(|name| report.written(&format!("{key}.when.{name}")))
            .collect();
        let Some(first) = claims.first() else {
            continue;
        };
        let is_closed = report.counting().any(|(_, other)| {
            judges_mail(other)
                && policy.targets.targeted.is_within(&other.targets.targeted)
                && other.targets.exempt.is_within(&policy.targets.exempt)
                && (is_for_all_clients(&other.when)
                    || counts_by_claims(other) && complete(&policy.when, &other.when))
        });
        if !is_closed {
            let names = claims.iter().map(|claim| name_of(claim));
            report.warn(
                first,
                format!(
                    "W-OPEN: a mail client says this of itself ({}): one that says something else, or \
                     nothing, gets no_policy_applies = \"allow\" of [defaults] and is let in; write a policy \
                     for mail that is for the others, or another default",
                    either(names)
                ),
            );
        }
    }
}

/// The last part of a key.
fn name_of(key: &str) -> &str {
    key.rsplit_once('.').map_or(key, |(_, name)| name)
}

/// Whether it says of a device whether it has its mail.
fn judges_mail(policy: &ConditionalPolicy) -> bool {
    policy.planes.contains(Plane::Mail) && !policy.is_of_commands()
}

/// Whether clients of VPNs meet it, and get what `[defaults]` says of devices. One that rests on their word
/// itself lets nobody in by it.
fn judges_vpn(policy: &ConditionalPolicy) -> bool {
    let when = &policy.when;
    let is_at_vpn =
        when.media.is_none_or(|some| some.contains(Medium::Vpn)) && when.ssids.is_none();
    let rests_on_claims = when.apps.is_some() || when.platforms.is_some();
    policy.planes.contains(Plane::Network)
        && !policy.is_of_commands()
        && is_at_vpn
        && (policy.accept_claimed || !rests_on_claims)
}

/// Whether it is of account where it applies by what the client says: what does no more than allow is not.
fn counts_by_claims(policy: &ConditionalPolicy) -> bool {
    policy.accept_claimed || !matches!(policy.then, Then::Act(Verdict::Allow))
}

/// Whether no mail client is left out. Model and User-Agent need not be stated, and who does not is in no
/// list, be it `["*"]`.
fn is_for_all_clients(when: &When) -> bool {
    let client = when.client.as_deref();
    let is_in_list = |texts: &Option<Texts>| texts.as_ref().is_some_and(|some| some.with.is_some());
    let must_state =
        client.is_some_and(|client| is_in_list(&client.models) || is_in_list(&client.user_agents));
    meets_all_mail(when) && !must_state && when.platforms.is_none_or(|some| some == Set::all())
}

/// The word of a claim in `when`; that of the opposite begins with `not_`.
const fn word(claim: Condition) -> Option<&'static str> {
    match claim {
        Condition::Platform => Some("platforms"),
        Condition::App => Some("apps"),
        Condition::DeviceType => Some("device_types"),
        Condition::Model => Some("models"),
        Condition::UserAgent => Some("user_agents"),
        Condition::OsBelow => Some("os_below"),
        Condition::ProtocolVersion => Some("protocol_versions"),
        Condition::NasGroup
        | Condition::Ssid
        | Condition::Medium
        | Condition::Established
        | Condition::Credential
        | Condition::Ownership
        | Condition::Command
        | Condition::DevicesOver
        | Condition::Inactive => None,
    }
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
    let has_one = one.claims().count() == 1 && !has_both(one) && !has_both(other);
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

const PASSES: &str = "passes policies that require managed or compliant";
