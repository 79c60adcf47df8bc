//! Rules about mail clients: what they are, what they ask for, how long they have been known.

use portreeve::model::Decision;
use portreeve::model::PolicyId;
use portreeve::model::Reason;
use portreeve::model::Verdict;
use portreeve::policy::Policy;
use portreeve::policy::lint;
use portreeve::policy::parse;

use crate::support::Connection;
use crate::support::DEFAULTS;
use crate::support::Mail;
use crate::support::policy;

use Verdict::Allow;
use Verdict::Block;
use Verdict::Quarantine;

fn outcome(decision: &Decision) -> (Verdict, Reason) {
    (decision.verdict, decision.reason)
}

fn client(change: impl FnOnce(&mut Mail)) -> Connection {
    let mut connection = Connection::mail("iPhone", "Apple-iPhone15C2/2201.1");
    change(connection.mail.as_mut().unwrap());
    connection
}

/// A policy for staff with this condition and action, behind one that lets them in.
fn rule(when: &str, action: &str) -> String {
    format!(
        "[[conditional]]\nname = \"in\"\nplanes = [\"mail\"]\ntargets = [\"staff\"]\naction = \"allow\"\n\
         [[conditional]]\nname = \"rule\"\nplanes = [\"mail\"]\ntargets = [\"staff\"]\n\
         when = {{ {when} }}\n{action}\n"
    )
}

/// A condition, whom it singles out, whom it does not, and what the first is told.
fn rows() -> Vec<(&'static str, Connection, Connection, Reason)> {
    let days = |days: i64| days * 86_400;
    vec![
        (
            "device_types = [\"Windows*\"]",
            client(|mail| mail.device_type = "WindowsMail".into()),
            client(|_| {}),
            Reason::PlatformNotAllowed,
        ),
        (
            "not_device_types = [\"iP*\"]",
            client(|mail| mail.device_type = "SAMSUNGSMG960F".into()),
            client(|_| {}),
            Reason::PlatformNotAllowed,
        ),
        (
            "models = [\"iPhone9*\"]",
            client(|mail| mail.model = "iPhone9C1".into()),
            // It has not told its model.
            client(|_| {}),
            Reason::PlatformNotAllowed,
        ),
        (
            "not_models = [\"iPhone15*\"]",
            client(|_| {}),
            client(|mail| mail.model = "iPhone15C2".into()),
            Reason::PlatformNotAllowed,
        ),
        (
            "user_agents = [\"*TouchDown*\"]",
            client(|mail| mail.user_agent = "TouchDown(MSRPC)/8.1".into()),
            client(|_| {}),
            Reason::ApplicationNotApproved,
        ),
        (
            "os_below = { ios = \"17\" }",
            client(|mail| mail.os = "16.7.2".into()).not_found("unknown"),
            client(|mail| mail.os = "17.0".into()).not_found("unknown"),
            Reason::OsVersionNotAllowed,
        ),
        (
            // What a source states counts before what the client says.
            "os_below = { ios = \"17.2\" }",
            client(|mail| mail.os = "18.1".into()),
            client(|_| {}).with(|device| device.os = "17.2".into()),
            Reason::OsVersionNotAllowed,
        ),
        (
            "protocol_versions = [\"2.5\", \"12.0\", \"12.1\"]",
            client(|mail| mail.version = 121),
            client(|mail| mail.version = 140),
            Reason::ProtocolNotAllowed,
        ),
        (
            "commands = [\"Search\", \"Find\"]",
            client(|mail| mail.command = "Find".into()),
            client(|_| {}),
            Reason::CommandNotAllowed,
        ),
        (
            "commands = [\"attachments\"]",
            client(|mail| {
                mail.command = "ItemOperations".into();
                mail.attachment = true;
            }),
            client(|mail| mail.command = "ItemOperations".into()),
            Reason::AttachmentNotAllowed,
        ),
        (
            "devices_over = 2",
            client(|mail| mail.rank = 3),
            client(|mail| mail.rank = 2),
            Reason::TooManyDevices,
        ),
        (
            "inactive_for = \"30d\"",
            client(|mail| mail.last_active = Some(days(31))),
            client(|mail| mail.last_active = Some(days(29))),
            Reason::DeviceInactive,
        ),
    ]
}

#[test]
fn every_rule_singles_out_its_clients_and_says_what_to_do_r23() {
    for (when, meant, other, reason) in rows() {
        let policy = policy(&rule(when, "action = \"block\""));
        let other = other.decide(&policy);
        assert_ne!(other.reason, reason, "row {when}");
        assert_eq!(
            outcome(&meant.decide(&policy)),
            (Block, reason),
            "row {when}"
        );
        assert_eq!(meant.decide(&policy).ruled, Some(reason), "row {when}");
        let explained = meant.explain(&policy);
        assert_eq!(explained.decided_by, ["rule"], "row {when}");
        assert_eq!(explained.what_to_do, reason.advice(), "row {when}");
        let text = explained.to_string();
        assert!(text.contains("what to do: "), "row {when}: {text}");
        let key = when.split(' ').next().unwrap().trim_start_matches("not_");
        assert!(
            text.contains(&format!("  {key}: seen ")),
            "row {when}: {text}"
        );
        assert!(text.contains(": held\n"), "row {when}: {text}");
    }
}

#[test]
fn a_client_that_stayed_away_is_not_active_by_coming_again_whatever_else_is_found() {
    let seen = |days: i64| client(|mail| mail.last_active = Some(days * 86_400));
    let shut = "[[conditional]]\nname = \"shut\"\nplanes = [\"mail\"]\ntargets = [\"staff\"]\n\
                action = \"block\"\n";
    for (action, more, active) in [
        ("action = \"block\"", "", false),
        ("action = \"quarantine\"", "", false),
        ("action = \"quarantine\"", shut, false),
        ("state = \"report-only\"\naction = \"block\"", shut, true),
    ] {
        let rules = rule("inactive_for = \"30d\"", action);
        let policy = policy(&format!("{rules}\n{more}"));
        assert_eq!(seen(31).decide(&policy).active, active, "row {action}");
        assert!(seen(29).decide(&policy).active, "row {action}");
    }
}

#[test]
fn every_rule_can_be_tried_out_first_r67() {
    for (when, meant, other, reason) in rows() {
        let policy = policy(&rule(when, "state = \"report-only\"\naction = \"block\""));
        let decision = meant.decide(&policy);
        assert_eq!(decision.verdict, Allow, "row {when}");
        let rehearsed = decision.rehearsed.unwrap();
        assert_eq!(
            (rehearsed.verdict, rehearsed.reason, rehearsed.policy),
            (Block, reason, PolicyId(1)),
            "row {when}"
        );
        assert_eq!(other.decide(&policy).rehearsed, None, "row {when}");
        let text = meant.explain(&policy).to_string();
        let line = format!("report-only: \"rule\" would block ({reason})");
        assert!(text.contains(&line), "row {when}: {text}");
    }
}

#[test]
fn a_rule_about_commands_takes_away_and_never_gives() {
    let attachments = "[[conditional]]\nname = \"attachments\"\nplanes = [\"mail\"]\n\
                       targets = [\"staff\"]\nwhen = { commands = [\"attachments\"] }\n\
                       require = [\"compliant\"]\notherwise = \"block\"\n";
    let fetches = |compliance: &str| {
        let compliance = compliance.to_owned();
        client(|mail| mail.attachment = true).with(|device| device.compliance = compliance)
    };
    // Alone it targets nobody, so that the default answers for everything else.
    let alone = policy(attachments);
    assert_eq!(
        outcome(&client(|_| {}).decide(&alone)),
        (Allow, Reason::NotTargeted)
    );
    assert_eq!(
        outcome(&fetches("compliant").decide(&alone)),
        (Allow, Reason::NotTargeted)
    );
    assert_eq!(
        outcome(&fetches("noncompliant").decide(&alone)),
        (Block, Reason::AttachmentNotAllowed)
    );
    // Where a device would be held back it is refused: there is no mailbox for one command.
    assert_eq!(
        outcome(&fetches("compliant").not_found("unknown").decide(&alone)),
        (Block, Reason::AttachmentNotAllowed)
    );
    // By how the device is known.
    let proven = policy(&rule(
        "commands = [\"attachments\"], established = [\"claimed\", \"none\"]",
        "action = \"block\"",
    ));
    let mut device = fetches("compliant");
    assert_eq!(device.decide(&proven).verdict, Block);
    device.established = "proven".into();
    assert_eq!(device.decide(&proven).verdict, Allow);
}

#[test]
fn what_a_client_says_of_itself_lets_it_in_only_if_the_policy_says_so() {
    let allow = |more: &str| {
        policy(&format!(
            "[[conditional]]\nname = \"a\"\nplanes = [\"mail\"]\ntargets = [\"staff\"]\n\
             when = {{ models = [\"iPhone*\"] }}\naction = \"allow\"\n{more}"
        ))
    };
    let phone = client(|mail| mail.model = "iPhone15C2".into());
    assert_eq!(
        outcome(&phone.decide(&allow(""))),
        (Quarantine, Reason::NoPolicyApplies)
    );
    assert_eq!(phone.decide(&allow("accept_claimed = true")).verdict, Allow);
}

/// Where a source states it, it is more than a word; and it may choose what is required.
#[test]
fn a_platform_that_only_the_client_states_lets_nobody_in_but_chooses_what_is_required() {
    let rule = |platforms: &str, then: &str| {
        policy(&format!(
            "[[conditional]]\nname = \"a\"\nplanes = [\"mail\"]\ntargets = [\"staff\"]\n\
             when = {{ {platforms} }}\n{then}"
        ))
    };
    let (ios, allow) = ("platforms = [\"ios\"]", "action = \"allow\"");
    let mut unstated = client(|_| {});
    unstated.device.platform = "unknown".into();
    let stranger = client(|_| {}).not_found("unknown");
    for named in [ios, "not_platforms = [\"windows-phone\"]"] {
        let refused = outcome(&stranger.decide(&rule(named, allow)));
        assert_eq!(refused, (Quarantine, Reason::NoPolicyApplies), "{named}");
        let accepted = rule(named, "action = \"allow\"\naccept_claimed = true");
        assert_eq!(stranger.decide(&accepted).verdict, Allow, "{named}");
    }
    let text = stranger.explain(&rule(ios, allow)).to_string();
    assert!(text.contains("because of claims"), "{text}");
    assert_eq!(
        stranger.decide(&rule(ios, "action = \"block\"")).verdict,
        Block
    );
    let stated = client(|_| {});
    assert_eq!(stated.decide(&rule(ios, allow)).verdict, Allow);
    assert_eq!(
        outcome(&unstated.decide(&rule(ios, allow))),
        (Quarantine, Reason::NoPolicyApplies)
    );
    let required = rule(ios, "require = [\"compliant\"]\notherwise = \"block\"");
    assert_eq!(unstated.decide(&required).verdict, Allow);
}

/// A source stated the version and not the platform, on which it depends which version is old.
#[test]
fn a_version_is_as_good_as_the_platform_that_it_is_of() {
    let rule = policy(
        "[[conditional]]\nname = \"a\"\nplanes = [\"mail\"]\ntargets = [\"staff\"]\n\
         when = { os_below = { ios = \"18\" } }\naction = \"allow\"",
    );
    let mut phone = client(|mail| mail.os = String::new());
    phone.device.os = "17.1".into();
    assert_eq!(phone.decide(&rule).verdict, Allow);
    phone.device.platform = "unknown".into();
    assert_eq!(
        outcome(&phone.decide(&rule)),
        (Quarantine, Reason::NoPolicyApplies)
    );
}

const APPROVED: &str = "[[app]]\nname = \"mail\"\ndevice_types = [\"iPhone\"]\napproved = true\n";

/// The only policy of staff, and met by a word: a device that no source knows came to real mail.
#[test]
fn an_approved_application_lets_no_device_in_that_nobody_knows() {
    let only = |require: &str, more: &str| {
        policy(&format!(
            "{APPROVED}[[conditional]]\nname = \"apps\"\nplanes = [\"mail\"]\ntargets = [\"staff\"]\n\
             {require}\notherwise = \"block\"\n{more}"
        ))
    };
    let all = "require = [\"approved_app\"]";
    let any = "require_any = [\"approved_app\", \"compliant\"]";
    for require in [all, any] {
        let apps = only(require, "");
        for (found, expected) in [
            ("known", (Allow, Reason::RequirementsMet)),
            ("unknown", (Quarantine, Reason::DeviceUnknown)),
            ("ambiguous", (Block, Reason::DeviceAmbiguous)),
            ("of-another-user", (Block, Reason::DeviceOfAnotherUser)),
        ] {
            let decision = client(|_| {}).not_found(found).decide(&apps);
            assert_eq!(outcome(&decision), expected, "row {require} {found}");
        }
        let accepted = only(require, "accept_claimed = true");
        let stranger = client(|_| {}).not_found("unknown");
        assert_eq!(stranger.decide(&accepted).verdict, Allow, "row {require}");
        let excepted = only(require, "otherwise_for = { unknown_device = \"allow\" }");
        assert_eq!(stranger.decide(&excepted).verdict, Allow, "row {require}");
        let text = stranger.explain(&apps).to_string();
        assert!(text.contains("because of claims"), "{text}");
        assert!(
            text.contains("answered by: defaults.unknown_device"),
            "{text}"
        );
    }
    // It keeps out as before, and what another policy allows it does not take.
    let other = client(|mail| mail.device_type = "Toaster".into());
    assert_eq!(
        outcome(&other.not_found("unknown").decide(&only(all, ""))),
        (Block, Reason::ApplicationNotApproved)
    );
    let beside = "[[conditional]]\nname = \"in\"\ntargets = [\"staff\"]\naction = \"allow\"";
    let stranger = client(|_| {}).not_found("unknown");
    assert_eq!(stranger.decide(&only(all, beside)).verdict, Allow);
}

/// What names the application came in by its word, where a device type did not.
#[test]
fn the_name_of_an_application_alone_lets_no_mail_client_in() {
    let allow = |more: &str| {
        policy(&format!(
            "{APPROVED}[[conditional]]\nname = \"apps\"\nplanes = [\"mail\"]\ntargets = [\"staff\"]\n\
             when = {{ apps = [\"mail\"] }}\naction = \"allow\"\n{more}"
        ))
    };
    let stranger = client(|_| {}).not_found("unknown");
    assert_eq!(
        outcome(&stranger.decide(&allow(""))),
        (Quarantine, Reason::NoPolicyApplies)
    );
    let accepted = allow("accept_claimed = true");
    assert_eq!(stranger.decide(&accepted).verdict, Allow);
    let warned = |policy: &Policy| {
        let told = lint(policy);
        told.iter()
            .any(|one| one.to_string().contains("W-NEVER: what a client"))
    };
    assert!(warned(&allow("")));
    assert!(!warned(&accepted));
}

#[test]
fn a_trial_of_approved_applications_tells_what_becomes_of_unknown_devices() {
    let rule = "[[conditional]]\nname = \"apps\"\nplanes = [\"mail\"]\nstate = \"report-only\"\n\
                targets = [\"staff\"]\nrequire = [\"approved_app\"]\notherwise = \"block\"\n";
    let trial = policy(&format!("{APPROVED}{rule}"));
    let stranger = client(|_| {}).not_found("unknown");
    let rehearsed = stranger.decide(&trial).rehearsed.unwrap();
    assert_eq!(
        (rehearsed.verdict, rehearsed.reason),
        (Quarantine, Reason::DeviceUnknown)
    );
    assert_eq!(client(|_| {}).decide(&trial).rehearsed, None);
    let beside = "[[conditional]]\nname = \"in\"\ntargets = [\"staff\"]\naction = \"allow\"";
    let both = policy(&format!("{APPROVED}{rule}{beside}"));
    assert_eq!(stranger.decide(&both).rehearsed, None);
}

#[test]
fn a_new_client_with_an_approved_application_waits_for_its_source_r37() {
    let pending = "[defaults.mapping_pending]\nfor = \"15m\"\nthen = \"quarantine\"\n";
    let policy = policy(&format!(
        "{pending}{APPROVED}[[conditional]]\nname = \"apps\"\nplanes = [\"mail\"]\n\
         targets = [\"staff\"]\nrequire = [\"approved_app\"]\notherwise = \"block\"\n"
    ));
    let decision = client(|_| {}).not_found("unknown").decide(&policy);
    assert_eq!(outcome(&decision), (Quarantine, Reason::MappingPending));
    assert!(decision.revisit.is_some());
}

#[test]
fn a_new_client_may_be_one_whose_source_has_not_told_of_it_yet_r37() {
    let text = format!(
        "{DEFAULTS}\n[defaults.mapping_pending]\nfor = \"15m\"\nthen = \"quarantine\"\n\
         [[conditional]]\nname = \"a\"\ntargets = [\"staff\"]\nrequire = [\"managed\"]\notherwise = \"block\"\n"
    );
    let (policy, _) = parse("policy.toml", &text).unwrap();
    let new = client(|mail| mail.first_seen = None).not_found("unknown");
    let decision = new.decide(&policy);
    assert_eq!(outcome(&decision), (Quarantine, Reason::MappingPending));
    // It is judged again by itself when the time is over.
    assert!(decision.revisit.is_some());
    let minutes = |minutes: i64| client(|mail| mail.first_seen = Some(minutes * 60));
    let waiting = minutes(14).not_found("unknown").decide(&policy);
    assert_eq!(waiting.reason, Reason::MappingPending);
    let over = minutes(15).not_found("unknown").decide(&policy);
    assert_eq!(over.reason, Reason::DeviceUnknown);
    // It is about clients that nobody knows, and about mail.
    assert_eq!(minutes(1).decide(&policy).verdict, Allow);
    let network = Connection::mab().not_found("unknown").decide(&policy);
    assert_ne!(network.reason, Reason::MappingPending);
}

#[test]
fn mistakes_are_told_with_line_and_key() {
    for (when, then, key, part) in [
        (
            "commands = [\"Wipe\"]",
            "action = \"block\"",
            "when.commands[0]",
            "expected Sync",
        ),
        (
            "commands = [\"syncs\"]",
            "action = \"block\"",
            "when.commands[0]",
            "expected",
        ),
        (
            "commands = [\"Search\"]",
            "action = \"quarantine\"",
            "action",
            "expected block",
        ),
        (
            "commands = [\"Search\"]",
            "require = [\"managed\"]\notherwise = \"quarantine\"",
            "otherwise",
            "expected block",
        ),
        (
            "devices_over = 0",
            "action = \"block\"",
            "when.devices_over",
            "from 1 to 100",
        ),
        (
            "devices_over = \"3\"",
            "action = \"block\"",
            "when.devices_over",
            "a whole number",
        ),
        (
            "inactive_for = \"2h\"",
            "action = \"block\"",
            "when.inactive_for",
            "at least a day",
        ),
        (
            "protocol_versions = [\"14\"]",
            "action = \"block\"",
            "when.protocol_versions[0]",
            "14.0",
        ),
        (
            "os_below = {}",
            "action = \"block\"",
            "when.os_below",
            "names no version",
        ),
        (
            "os_below = { ios = \"x\" }",
            "action = \"block\"",
            "when.os_below.ios",
            "17.0.3",
        ),
        (
            "models = []",
            "action = \"block\"",
            "when.models",
            "an empty list",
        ),
        (
            "model = [\"a\"]",
            "action = \"block\"",
            "when.model",
            "did you mean \"models\"?",
        ),
    ] {
        let text = format!("{DEFAULTS}\n{}", rule(when, then));
        let problems = parse("policy.toml", &text).unwrap_err();
        let key = format!("conditional[1].{key}");
        let found = problems.iter().find(|problem| problem.key == key);
        let found = found.unwrap_or_else(|| panic!("row {when}: {problems:?}"));
        assert!(found.message.contains(part), "row {when}: {found}");
        assert!(found.line.is_some(), "row {when}: {found}");
    }
}

#[test]
fn rules_that_lock_everybody_out_are_told() {
    for (when, then, code) in [
        (
            "commands = [\"FolderSync\"]",
            "action = \"block\"",
            "W-LOCKOUT",
        ),
        ("user_agents = [\"*\"]", "action = \"block\"", "W-LOCKOUT"),
        (
            "protocol_versions = [\"2.5\", \"12.0\", \"12.1\", \"14.0\", \"14.1\", \"16.0\", \"16.1\"]",
            "action = \"block\"",
            "W-LOCKOUT",
        ),
        (
            "not_models = [\"iPhone*\"]",
            "action = \"block\"",
            "W-LOCKOUT",
        ),
        ("models = [\"iPhone*\"]", "action = \"allow\"", "W-NEVER"),
        ("commands = [\"attachments\"]", "action = \"block\"", ""),
        ("not_models = [\"iPhone*\"]", "action = \"quarantine\"", ""),
        ("os_below = { ios = \"16\" }", "action = \"block\"", ""),
    ] {
        let text = format!(
            "[[conditional]]\nname = \"r\"\nplanes = [\"mail\"]\ntargets = [\"all\"]\n\
             when = {{ {when} }}\n{then}\n"
        );
        let problems = lint(&policy(&text));
        let about = problems
            .iter()
            .find(|problem| problem.key.starts_with("conditional[0]"));
        let found = about.map_or("", |problem| problem.message.split(':').next().unwrap());
        assert_eq!(found, code, "row {when}");
    }
    // A door without mail clients.
    let network = policy(
        "[[conditional]]\nname = \"r\"\nplanes = [\"network\"]\ntargets = [\"staff\"]\n\
         when = { devices_over = 3 }\naction = \"block\"\n",
    );
    assert!(
        lint(&network)
            .iter()
            .any(|problem| problem.message.starts_with("W-NEVER: only mail clients"))
    );
}

/// By the first command that it was not about the device was active again, and `check` said nothing.
#[test]
fn inactivity_that_the_next_other_command_ends_is_told() {
    let every = "[\"Sync\", \"SendMail\", \"SmartForward\", \"SmartReply\", \"GetAttachment\", \
        \"GetHierarchy\", \"CreateCollection\", \"DeleteCollection\", \"MoveCollection\", \
        \"FolderSync\", \"FolderCreate\", \"FolderDelete\", \"FolderUpdate\", \"MoveItems\", \
        \"GetItemEstimate\", \"MeetingResponse\", \"Search\", \"Settings\", \"Ping\", \
        \"ItemOperations\", \"Provision\", \"ResolveRecipients\", \"ValidateCert\", \"Find\"]";
    for (commands, expected) in [
        (Some("[\"SendMail\"]"), true),
        (Some("[\"attachments\"]"), true),
        (Some(every), false),
        (None, false),
    ] {
        let commands = commands.map(|commands| format!("commands = {commands}, "));
        let commands = commands.unwrap_or_default();
        let when = format!("{commands}inactive_for = \"30d\"");
        let told = lint(&policy(&rule(&when, "action = \"block\"")));
        let about = told
            .iter()
            .find(|problem| problem.key == "conditional[1].when.inactive_for");
        assert_eq!(about.is_some(), expected, "row {when}");
        assert!(about.is_none_or(|one| one.message.starts_with("W-IDLE: ") && one.line.is_some()));
    }
}
