//! Clients that are blocked for what they say of themselves can say that it is different now.

use std::time::Duration;

use http::StatusCode;
use portreeve::eas::Version;
use portreeve::inventory::Wipe;
use portreeve::mail::Action;
use portreeve::mail::Care;
use portreeve::mail::Cause;
use portreeve::mail::Forward;
use portreeve::mail::Gateway;
use portreeve::mail::Next;
use portreeve::mail::Quarantine;
use portreeve::mail::Reply;
use portreeve::mail::Step;
use portreeve::mail::Words;
use portreeve::model::ComplianceState;
use portreeve::model::Now;
use portreeve::wbxml::Tag;
use portreeve::wbxml::Writer;
use portreeve::wbxml::service::provision;
use portreeve::wbxml::service::settings;

use crate::world::Request;
use crate::world::World;
use crate::world::config;
use crate::world::forward;
use crate::world::peer;
use crate::world::read;
use crate::world::reply;
use crate::world::said;
use crate::world::start;

const RULES: &str = "[[conditional]]\nname = \"No old systems\"\nplanes = [\"mail\"]\n\
    targets = [\"staff\"]\nwhen = { os_below = { ios = \"16\" } }\naction = \"block\"\n\
    [[conditional]]\nname = \"No old models\"\nplanes = [\"mail\"]\ntargets = [\"staff\"]\n\
    when = { models = [\"iPhone7*\"] }\naction = \"block\"\n";

fn of(command: &str, version: Version) -> Request {
    let query = format!("Cmd={command}&User=alice&DeviceId=good&DeviceType=iPhone");
    let mut request = Request::post(&query).basic("alice", "right");
    let tenths = version.tenths();
    let version = format!("{}.{}", tenths / 10, tenths % 10);
    let version = version.parse().unwrap();
    request.headers.insert("ms-asprotocolversion", version);
    request
}

/// What a client sends that tells of its device.
fn tells(root: Tag, model: &str, os: &str) -> Vec<u8> {
    let mut writer = Writer::new();
    writer.element(root, |writer| {
        writer.element(settings::DEVICE_INFORMATION, |writer| {
            writer.element(settings::SET, |writer| {
                writer.leaf(settings::MODEL, model);
                writer.leaf(settings::OS, os);
            });
        });
    });
    writer.finish()
}

/// The manual's own example, by which every new phone is held back.
const KNOWN_MODELS: &str = "[[conditional]]\nname = \"Only models that we know\"\n\
    planes = [\"mail\"]\ntargets = [\"staff\"]\nwhen = { not_models = [\"iPhone15*\"] }\n\
    action = \"quarantine\"\n";
const KEEPS_BACK_OLD: &str = "[[conditional]]\nname = \"No old systems\"\nplanes = [\"mail\"]\n\
    targets = [\"staff\"]\nwhen = { os_below = { ios = \"16\" } }\naction = \"quarantine\"\n";

/// What may tell what device its client is.
const TELLING: [(&str, Tag); 2] = [
    ("Settings", settings::SETTINGS),
    ("Provision", provision::PROVISION),
];

fn with_body(gateway: &Gateway, step: Step, body: &[u8]) -> Next {
    gateway.handle_body(start(), read(step).aside, Some(body)).0
}

fn refused(next: Next) -> Reply {
    let Next::Answer(reply) = next else {
        panic!("{next:?}");
    };
    assert_eq!(reply.status, StatusCode::FORBIDDEN);
    reply
}

#[test]
fn a_client_that_was_updated_says_so_and_is_in_at_once() {
    let rows = [
        (
            "Settings",
            settings::SETTINGS,
            "iPhone15C2",
            "iOS 15.8 19H370",
        ),
        ("Provision", provision::PROVISION, "iPhone15C2", "iOS 15.8"),
        ("Provision", provision::PROVISION, "iPhone7C1", "iOS 18.1"),
    ];
    for (command, root, model, os) in rows {
        let world = World::new();
        let gateway = world.gateway();
        world.with_policies(RULES);
        let ask = || of(command, Version::V14_1).settle(&gateway, &peer());
        let folders = || of("FolderSync", Version::V14_0).settle(&gateway, &peer());
        // Until it has told, nothing is known of it, and what it tells counts at once.
        drop(forward(
            of("Sync", Version::V14_1).settle(&gateway, &peer()),
        ));
        let old = tells(root, model, os);
        assert!(!gateway.is_hurried());
        refused(with_body(&gateway, ask(), &old));
        // By it the next command is judged, which may come as soon as this one is answered.
        assert!(gateway.is_hurried() && !gateway.is_hurried());
        world.learn(&gateway);
        let reason = reply(folders()).headers["x-portreeve-reason"].clone();
        assert!(reason == "54019" || reason == "54010", "{reason:?}");
        // The same again, something else, and nothing change nothing; and it stays here.
        for body in [&old[..], b"", b"\x03\x01"] {
            let refused = refused(with_body(&gateway, ask(), body));
            assert_eq!(
                refused.headers["x-portreeve-reason"], reason,
                "row {command}"
            );
        }
        world.learn(&gateway);
        let new = tells(root, "iPhone15C2", "iOS 18.1 22B83");
        assert!(
            matches!(with_body(&gateway, ask(), &new), Next::Forward(_)),
            "row {command}"
        );
        world.learn(&gateway);
        let step = folders();
        assert!(
            matches!(step.action, Action::Read(_) | Action::Forward(_)),
            "row {command}: {step:?}"
        );
        drop(forward(
            of("Sync", Version::V14_1).settle(&gateway, &peer()),
        ));
    }
}

#[test]
fn a_blocked_client_is_asked_for_its_version_once_an_hour_ms_asprov_3_1_5_1() {
    let world = World::new();
    let mut config = config();
    config.memory.accepted = Duration::from_hours(2);
    let gateway = world.gateway_with(config);
    world.with_policies(RULES);
    let step = of("Settings", Version::V14_1).settle(&gateway, &peer());
    let old = tells(settings::SETTINGS, "iPhone15C2", "iOS 15.8");
    refused(with_body(&gateway, step, &old));
    world.learn(&gateway);
    let at = |seconds: u64| Now {
        monotonic: start().monotonic + Duration::from_secs(seconds),
        wall: start().wall + Duration::from_secs(seconds),
    };
    let asked = |request: &Request, seconds| {
        let reply = reply(request.send_at(at(seconds), &gateway, &peer()));
        assert_eq!(reply.headers["x-portreeve-reason"], "54019");
        match reply.status {
            StatusCode::OK => said(&reply),
            status => status.as_str().to_owned(),
        }
    };
    // Its Provision would tell nothing.
    for version in [Version::V2_5, Version::V12_1, Version::V14_0] {
        assert_eq!(asked(&of("FolderSync", version), 0), "403");
    }
    let folders = of("FolderSync", Version::V14_1);
    assert!(asked(&folders, 1).contains("142"));
    for seconds in [1, 60, 3500] {
        assert_eq!(asked(&folders, seconds), "403", "row {seconds}");
    }
    let with_key = of("Ping", Version::V16_1).with("x-ms-policykey", "7");
    assert!(asked(&with_key, 3602).contains("144"));
    assert_eq!(asked(&with_key, 3603), "403");
    // A wipe is told first, and whoever is blocked for something else is asked nothing.
    let bad = Request::of("bad", "FolderSync").settle(&gateway, &peer());
    assert_eq!(reply(bad).status, StatusCode::FORBIDDEN);
}

/// It can tell nothing by which that would change.
#[test]
fn a_client_that_is_blocked_for_its_type_is_not_asked_what_it_is() {
    let world = World::new();
    let gateway = world.gateway();
    let rule = "[[conditional]]\nname = \"No toasters\"\nplanes = [\"mail\"]\n\
        targets = [\"staff\"]\nwhen = { device_types = [\"Toast*\"] }\naction = \"block\"\n";
    world.with_policies(&format!("{RULES}{rule}"));
    let query = "Cmd=FolderSync&User=alice&DeviceId=good&DeviceType=Toaster";
    let mut request = Request::post(query).basic("alice", "right");
    let version = "14.1".parse().unwrap();
    request.headers.insert("ms-asprotocolversion", version);
    let reply = reply(request.settle(&gateway, &peer()));
    assert_eq!(reply.status, StatusCode::FORBIDDEN);
    assert_eq!(reply.headers["x-portreeve-reason"], "54010");
}

/// Of the policies that have decided no more than four are kept; the one about the type is the last.
#[test]
fn a_client_that_many_rules_keep_out_is_asked_only_where_all_of_them_go_by_its_word() {
    let of_model = "[[conditional]]\nname = \"N\"\nplanes = [\"mail\"]\ntargets = [\"staff\"]\n\
        when = { not_models = [\"iPhone15*\"] }\naction = \"block\"\n";
    let of_type = "[[conditional]]\nname = \"No toasters\"\nplanes = [\"mail\"]\n\
        targets = [\"staff\"]\nwhen = { device_types = [\"Toast*\"] }\naction = \"block\"\n";
    for (rules, device_type, expected) in [
        (3, "Toaster", StatusCode::FORBIDDEN),
        (4, "Toaster", StatusCode::FORBIDDEN),
        (4, "iPhone", StatusCode::OK),
    ] {
        let world = World::new();
        let gateway = world.gateway();
        let numbered = |number| of_model.replace('N', &format!("Models {number}"));
        let of_models: String = (0..rules).map(numbered).collect();
        world.with_policies(&format!("{of_models}{of_type}"));
        let query = format!("Cmd=FolderSync&User=alice&DeviceId=good&DeviceType={device_type}");
        let mut request = Request::post(&query).basic("alice", "right");
        let version = "14.1".parse().unwrap();
        request.headers.insert("ms-asprotocolversion", version);
        let reply = reply(request.settle(&gateway, &peer()));
        assert_eq!(reply.status, expected, "row {rules} {device_type}");
        assert_eq!(reply.headers["x-portreeve-reason"], "54010");
    }
}

/// A command of a client in quarantine, let through to the mail server.
fn under_way(gateway: &Gateway, request: &Request, body: &[u8]) -> Forward {
    match with_body(gateway, request.settle(gateway, &peer()), body) {
        Next::Forward(forward) => forward,
        next @ (Next::Answer(_) | Next::Fetch(_) | Next::Attest(_) | Next::Wait(_)) => {
            panic!("{next:?}")
        }
    }
}

/// It was cut by what it told, and answered that the mail server could not be reached.
#[test]
fn what_a_client_in_quarantine_tells_goes_on_when_it_lets_it_in() {
    for (command, root) in TELLING {
        for version in [Version::V12_1, Version::V14_1, Version::V16_1] {
            let row = format!("{command} {version:?}");
            let world = World::new();
            let gateway = world.gateway();
            world.with_policies(KNOWN_MODELS);
            let body = tells(root, "iPhone15C2", "iOS 18.1");
            let telling = under_way(&gateway, &of(command, version), &body);
            world.learn(&gateway);
            assert!(telling.permit.revoked().is_none(), "row {row}");
            drop(forward(of("Sync", version).settle(&gateway, &peer())));
            // Out again, for another reason than before.
            world.set("good", ComplianceState::Unknown);
            assert!(telling.permit.revoked().is_none(), "row {row}");
            world.set("good", ComplianceState::NonCompliant);
            let revoked = telling.permit.revoked().unwrap();
            let (reply, _) = gateway.handle_revoked(start(), &telling.exchange, &revoked, false);
            assert_eq!(reply.status, StatusCode::FORBIDDEN, "row {row}");
        }
    }
}

#[test]
fn what_a_client_in_quarantine_tells_goes_on_when_its_source_lets_it_in() {
    for (command, root) in TELLING {
        let world = World::new();
        let gateway = world.gateway();
        let body = tells(root, "iPhone15C2", "iOS 18.1");
        let telling = under_way(&gateway, &Request::of("new", command), &body);
        world.set("new", ComplianceState::Compliant);
        assert!(telling.permit.revoked().is_none(), "row {command}");
        world.set("new", ComplianceState::NonCompliant);
        assert!(telling.permit.revoked().is_some(), "row {command}");
    }
}

#[test]
fn a_wipe_reaches_a_client_that_is_telling_in_quarantine_r41() {
    for (command, root) in TELLING {
        let world = World::new();
        let gateway = world.gateway();
        let body = tells(root, "iPhone15C2", "iOS 18.1");
        let telling = under_way(&gateway, &Request::of("new", command), &body);
        world.learn(&gateway);
        world.order("new", Some(Wipe::Device));
        let revoked = telling.permit.revoked().unwrap();
        let (reply, _) = gateway.handle_revoked(start(), &telling.exchange, &revoked, false);
        assert!(said(&reply).contains("140"), "row {command}: {reply:?}");
    }
}

fn refusing(world: &World, care: Care) -> Gateway {
    let gateway = world.gateway();
    gateway.replace_words(Words {
        quarantine: Quarantine::Refuse,
        care,
        ..Words::default()
    });
    gateway
}

/// Each new phone was out for good: whatever could have told its model was refused.
#[test]
fn a_new_client_that_is_refused_in_quarantine_is_asked_for_its_model_and_heard() {
    for (command, root) in TELLING {
        let world = World::new();
        let gateway = refusing(&world, Care::default());
        world.with_policies(KNOWN_MODELS);
        let folders = || reply(of("FolderSync", Version::V14_1).settle(&gateway, &peer()));
        let asked = folders();
        assert_eq!(asked.status, StatusCode::OK, "row {command}");
        assert!(said(&asked).contains("142"), "row {command}");
        assert_eq!(asked.cause, Cause::Quarantined);
        let again = folders();
        assert_eq!(again.status, StatusCode::FORBIDDEN, "row {command}");
        assert_eq!(again.headers["x-portreeve-reason"], "54010");
        let ask = || of(command, Version::V14_1).settle(&gateway, &peer());
        // Nothing of it goes on before it is let in.
        let other = tells(root, "SM-1", "Android 15");
        for body in [&other[..], b"", b"\x03\x01"] {
            let reply = refused(with_body(&gateway, ask(), body));
            assert_eq!(reply.cause, Cause::Quarantined, "row {command}");
        }
        world.learn(&gateway);
        assert_eq!(folders().status, StatusCode::FORBIDDEN, "row {command}");
        let known = tells(root, "iPhone15C2", "iOS 18.1");
        let next = with_body(&gateway, ask(), &known);
        assert!(matches!(next, Next::Forward(_)), "row {command}: {next:?}");
        world.learn(&gateway);
        drop(forward(
            of("Sync", Version::V14_1).settle(&gateway, &peer()),
        ));
    }
}

#[test]
fn a_client_that_is_refused_in_quarantine_says_that_it_was_updated() {
    for (command, root) in TELLING {
        let world = World::new();
        let gateway = refusing(&world, Care::default());
        world.with_policies(KEEPS_BACK_OLD);
        let ask = || of(command, Version::V14_1).settle(&gateway, &peer());
        let old = tells(root, "iPhone15C2", "iOS 15.8");
        refused(with_body(&gateway, ask(), &old));
        world.learn(&gateway);
        refused(with_body(&gateway, ask(), &old));
        let new = tells(root, "iPhone15C2", "iOS 18.1");
        let next = with_body(&gateway, ask(), &new);
        assert!(matches!(next, Next::Forward(_)), "row {command}: {next:?}");
    }
}

/// One that is only asked what it is may be let in by its answer.
#[test]
fn the_user_of_a_client_that_is_heard_in_vain_is_told_by_mail_r33() {
    let world = World::new();
    let care = Care {
        notify: true,
        ..Care::default()
    };
    let gateway = refusing(&world, care);
    world.with_policies(KNOWN_MODELS);
    let folders = of("FolderSync", Version::V14_1);
    assert!(said(&reply(folders.settle(&gateway, &peer()))).contains("142"));
    assert!(gateway.poll_post(start()).is_none());
    let step = of("Provision", Version::V14_1).settle(&gateway, &peer());
    let other = tells(provision::PROVISION, "SM-1", "Android 15");
    refused(with_body(&gateway, step, &other));
    assert!(gateway.poll_post(start()).is_some());
}

/// It was given made-up folders, whatever the site wants.
#[test]
fn a_client_that_comes_into_quarantine_while_its_body_comes_is_refused_where_all_are() {
    let world = World::new();
    let gateway = refusing(&world, Care::default());
    let aside = read(Request::of("good", "FolderSync").settle(&gateway, &peer())).aside;
    world.set("good", ComplianceState::Unknown);
    refused(gateway.handle_body(start(), aside, Some(b"")).0);
}

/// It was answered 142, and its Provision with another version was refused all the same.
#[test]
fn a_client_whose_version_a_source_states_is_not_asked_for_it() {
    let world = World::new();
    let gateway = world.gateway();
    world.with_policies(RULES);
    world.state_version("good", "15.8");
    for command in ["FolderSync", "Provision", "Settings"] {
        let step = of(command, Version::V14_1).settle(&gateway, &peer());
        let reply = reply(step);
        assert_eq!(reply.status, StatusCode::FORBIDDEN, "row {command}");
        assert_eq!(reply.headers["x-portreeve-reason"], "54019");
    }
    // A model no source states, so that it may tell another one.
    world.state_version("good", "18.1");
    let step = of("Settings", Version::V14_1).settle(&gateway, &peer());
    let old = tells(settings::SETTINGS, "iPhone7C1", "iOS 15.8");
    refused(with_body(&gateway, step, &old));
    world.learn(&gateway);
    let step = of("FolderSync", Version::V14_1).settle(&gateway, &peer());
    assert!(said(&reply(step)).contains("142"));
}

#[test]
fn a_client_that_is_blocked_for_something_else_too_is_not_asked_what_it_is() {
    let world = World::new();
    let gateway = world.gateway();
    let step = of("Settings", Version::V14_1).settle(&gateway, &peer());
    drop(with_body(
        &gateway,
        step,
        &tells(settings::SETTINGS, "iPhone15C2", "iOS 15.8"),
    ));
    world.learn(&gateway);
    let phones = "[[conditional]]\nname = \"No telephones\"\nplanes = [\"mail\"]\n\
        targets = [\"staff\"]\nwhen = { device_types = [\"iPhone\"] }\naction = \"block\"\n";
    for (rules, status) in [
        (RULES.to_owned(), StatusCode::OK),
        (format!("{RULES}{phones}"), StatusCode::FORBIDDEN),
    ] {
        world.with_policies(&rules);
        let reply = reply(of("FolderSync", Version::V14_1).settle(&gateway, &peer()));
        assert_eq!(reply.headers["x-portreeve-reason"], "54019");
        assert_eq!(reply.status, status, "row {rules}");
    }
}
