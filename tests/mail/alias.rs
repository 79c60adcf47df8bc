//! A user of several names, all of which the inventory knows, is one user.

use http::StatusCode;
use portreeve::inventory::Wipe;
use portreeve::mail::Action;
use portreeve::mail::Reply;
use portreeve::mail::Resource;
use portreeve::mail::Rule;
use portreeve::mail::Step;
use portreeve::mail::UpstreamId;
use portreeve::mail::Whose;
use portreeve::model::ComplianceState;

use crate::clients::succeed;
use crate::gateway::record;
use crate::world::Request;
use crate::world::World;
use crate::world::config;
use crate::world::forward;
use crate::world::honest;
use crate::world::peer;
use crate::world::reply;
use crate::world::said;

/// Alice's own name, and two others of hers.
const NAMES: [&str; 3] = ["alice", "corp\\alice", "alice@corp.example"];

fn of(name: &str, device: &str, command: &str) -> Request {
    let query = name.replace('\\', "%5C");
    let query = format!("Cmd={command}&User={query}&DeviceId={device}&DeviceType=phone");
    Request::post(&query).basic(name, "right")
}

fn refused(step: Step) -> Reply {
    let reply = reply(step);
    assert_ne!(reply.status, StatusCode::OK);
    reply
}

#[test]
fn a_wipe_reaches_the_device_whichever_name_its_account_has_r41() {
    for ordered in NAMES {
        let world = World::new();
        let gateway = world.gateway();
        succeed(&gateway, &of(ordered, "good", "Sync"));
        world.learn(&gateway);
        let waiting = forward(of(NAMES[2], "good", "Ping").settle(&gateway, &peer()));
        world.order("good", Some(Wipe::Device));
        assert!(waiting.permit.revoked().is_some(), "row {ordered}");
        for name in NAMES {
            let told = reply(of(name, "good", "FolderSync").settle(&gateway, &peer()));
            assert_eq!(
                told.headers["x-portreeve-reason"], "54011",
                "row {ordered} {name}"
            );
        }
    }
}

#[test]
fn devices_are_counted_by_user_and_not_by_name() {
    let world = World::new();
    for device in ["second", "third"] {
        world.set(device, ComplianceState::Compliant);
    }
    world.with_policies(
        "[[conditional]]\nname = \"One device\"\nplanes = [\"mail\"]\ntargets = [\"staff\"]\n\
         when = { devices_over = 1 }\naction = \"block\"\n",
    );
    let gateway = world.gateway();
    succeed(&gateway, &of(NAMES[0], "good", "Sync"));
    world.learn(&gateway);
    for name in NAMES {
        drop(forward(of(name, "good", "Sync").settle(&gateway, &peer())));
        let more = refused(of(name, "second", "Sync").settle(&gateway, &peer()));
        assert_eq!(more.headers["x-portreeve-reason"], "54023", "row {name}");
    }
}

#[test]
fn wrong_passwords_are_counted_by_user_and_not_by_name() {
    let world = World::new();
    let gateway = world.gateway();
    let mut asked = 0;
    for guess in 0..20 {
        for name in NAMES {
            let request = of(name, "good", "Sync").basic(name, &guess.to_string());
            let mut step = request.send(&gateway, &peer());
            while let Action::Ask(ask) = step.action {
                asked += u32::from(ask.request.headers().contains_key("authorization"));
                step = honest(&gateway, ask);
            }
        }
    }
    assert_eq!(asked, 10);
}

#[test]
fn one_name_may_sign_in_and_another_stand_in_the_query() {
    let world = World::new();
    let gateway = world.gateway();
    for typed in NAMES {
        for named in NAMES {
            let request = of(named, "good", "Sync").basic(typed, "right");
            let step = request.settle(&gateway, &peer());
            assert_eq!(record(step.event.as_ref()).user.as_str(), "alice");
            let sent = forward(step).request;
            // What the mail server makes of a name is its own business.
            let expected = of(named, "good", "Sync").basic(typed, "right");
            assert_eq!(
                sent.headers()["authorization"],
                expected.headers["authorization"],
                "row {typed} {named}"
            );
        }
    }
    let other = of("bob", "good", "Sync").basic(NAMES[1], "right");
    let other = reply(other.settle(&gateway, &peer()));
    assert_eq!(other.status, StatusCode::FORBIDDEN);
    assert!(said(&other).contains("another user"));
}

#[test]
fn a_route_of_a_user_is_one_of_all_its_names_r56() {
    let other = UpstreamId::of("other");
    for whose in [
        Whose::User(NAMES[1].to_owned()),
        Whose::User(NAMES[0].to_owned()),
    ] {
        let world = World::new();
        let mut config = config();
        let place = "http://other.internal".parse().unwrap();
        config
            .routes
            .resources
            .push(Resource::single("other", place));
        config.routes.rules.push(Rule {
            whose,
            upstream: other,
        });
        let gateway = world.gateway_with(config);
        for name in NAMES {
            let step = of(name, "good", "Sync").settle(&gateway, &peer());
            assert_eq!(forward(step).to.upstream, other, "row {name}");
        }
        let bob = of("bob", "bobs", "Ping").send(&gateway, &peer());
        let Action::Ask(ask) = bob.action else {
            panic!("{:?}", bob.action);
        };
        assert_ne!(ask.to.upstream, other);
    }
}

/// What the mail server adds to a name that is typed without it stood between the two.
#[test]
fn an_account_is_known_by_a_name_without_the_suffix_that_is_added_to_it() {
    let world = World::new();
    let mut config = config();
    config.names.default_suffix = Some("mail.example".to_owned());
    config.names.domains = vec![("CORP".to_owned(), "mail.example".to_owned())];
    let gateway = world.gateway_with(config);
    for name in NAMES {
        let forward = forward(of(name, "good", "Sync").settle(&gateway, &peer()));
        drop(forward);
    }
    // It is nobody's.
    let other = refused(of("corp2\\alice", "good", "Sync").settle(&gateway, &peer()));
    assert_eq!(other.status, StatusCode::FORBIDDEN);
}
