//! What takes a place among its user's devices and what does not, where a policy says how many there may
//! be; and for how long one may stay away.

use std::time::Duration;

use portreeve::mail::Action;
use portreeve::mail::Event;
use portreeve::mail::Gateway;
use portreeve::mail::Step;
use portreeve::model::ComplianceState;

use crate::gateway::identity;
use crate::world::Request;
use crate::world::World;
use crate::world::answered;
use crate::world::certified;
use crate::world::forward;
use crate::world::honest_at;
use crate::world::peer;
use crate::world::reply;
use crate::world::start;

/// Alice's `good` and `other` are in order, and so many devices may be hers.
fn world(most: u16) -> (World, Gateway) {
    let world = World::new();
    world.set("other", ComplianceState::Compliant);
    world.with_policies(&format!(
        "[[conditional]]\nname = \"So many\"\nplanes = [\"mail\"]\ntargets = [\"staff\"]\n\
         when = {{ devices_over = {most} }}\naction = \"block\"\n"
    ));
    let gateway = world.gateway();
    (world, gateway)
}

/// It is let in, and what comes of it is known.
fn serve(world: &World, gateway: &Gateway, eas: &str, certificate_of: Option<&str>) {
    let device = certificate_of.map(|device| world.id(device).to_string());
    let peer = device.map_or_else(peer, |device| certified(identity(None, Some(&device))));
    let forward = forward(Request::of(eas, "Sync").settle(gateway, &peer));
    if let Some(Event::Binding(binding)) = answered(gateway, start(), &forward.exchange, 200, b"") {
        world.bind(&binding);
    }
    world.learn(gateway);
}

/// Why it is refused.
fn refusal(gateway: &Gateway, eas: &str) -> String {
    let refused = reply(Request::of(eas, "Sync").settle(gateway, &peer()));
    refused.headers["x-portreeve-reason"]
        .to_str()
        .unwrap()
        .to_owned()
}

#[test]
fn a_device_that_proves_another_id_after_a_reset_keeps_its_one_place() {
    let (world, gateway) = world(1);
    for eas in ["before", "reset1", "reset2"] {
        serve(&world, &gateway, eas, Some("good"));
        assert_eq!(refusal(&gateway, "other"), "54023", "after {eas}");
    }
    // Forgotten is the device, with all that it was called before.
    world.forget("reset2");
    serve(&world, &gateway, "other", None);
    let proven = certified(identity(None, Some(&world.id("good").to_string())));
    let refused = reply(Request::of("reset3", "Sync").settle(&gateway, &proven));
    assert_eq!(refused.headers["x-portreeve-reason"], "54023");
}

#[test]
fn a_device_under_another_id_stands_before_nobody_while_it_is_not_served_yet() {
    let (world, gateway) = world(2);
    serve(&world, &gateway, "before", Some("good"));
    let proven = certified(identity(None, Some(&world.id("good").to_string())));
    let under_way = forward(Request::of("reset", "Sync").settle(&gateway, &proven));
    drop(forward(
        Request::of("other", "Sync").settle(&gateway, &peer()),
    ));
    drop(under_way);
}

#[test]
fn a_device_of_which_a_source_states_another_id_keeps_its_one_place() {
    let (world, gateway) = world(2);
    serve(&world, &gateway, "good", None);
    world.report("good", "renewed", "alice", ComplianceState::Compliant);
    serve(&world, &gateway, "renewed", None);
    serve(&world, &gateway, "other", None);
    world.set("third", ComplianceState::Compliant);
    assert_eq!(refusal(&gateway, "third"), "54023");
    serve(&world, &gateway, "renewed", None);
    // The id that was displaced is not the device any more.
    assert_eq!(refusal(&gateway, "good"), "54003");
}

/// A request at this hour; its password is right.
fn send_at(gateway: &Gateway, hour: u64) -> Step {
    let now = start().plus(Duration::from_hours(hour));
    let mut step = Request::of("good", "Sync").send_at(now, gateway, &peer());
    while let Action::Ask(ask) = step.action {
        step = honest_at(now, gateway, ask);
    }
    step
}

#[test]
fn a_device_that_comes_while_it_is_kept_out_is_not_inactive_and_one_that_stays_away_is() {
    let world = World::new();
    world.with_policies(
        "[[conditional]]\nname = \"A day\"\nplanes = [\"mail\"]\ntargets = [\"staff\"]\n\
         when = { inactive_for = \"1d\" }\naction = \"block\"\n",
    );
    let gateway = world.gateway();
    let set = |hour, state| {
        let now = start().plus(Duration::from_hours(hour));
        world.set_at(now.wall, "good", state);
    };
    serve(&world, &gateway, "good", None);
    for hour in (20..=100).step_by(20) {
        let state = match hour % 40 {
            0 => ComplianceState::NonCompliant,
            _ => ComplianceState::Unknown,
        };
        set(hour, state);
        drop(send_at(&gateway, hour));
        world.learn(&gateway);
    }
    set(120, ComplianceState::Compliant);
    drop(forward(send_at(&gateway, 120)));
    world.learn(&gateway);
    // It stays away, and whatever it does then, also while it is not in order, does not help.
    for (hour, state) in [
        (145, ComplianceState::Compliant),
        (146, ComplianceState::NonCompliant),
        (147, ComplianceState::Unknown),
        (148, ComplianceState::Compliant),
    ] {
        set(hour, state);
        let step = send_at(&gateway, hour);
        if state == ComplianceState::Compliant {
            let refused = reply(step);
            assert_eq!(refused.headers["x-portreeve-reason"], "54024", "at {hour}");
        }
        world.learn(&gateway);
    }
}
