//! One user with more devices than anybody has: what is remembered of them.

use portreeve::mail::Gateway;
use portreeve::mail::Phase;
use portreeve::model::ComplianceState;
use portreeve::model::EasDeviceId;

use crate::users::caring;
use crate::users::folder_sync;
use crate::users::held;
use crate::users::later;
use crate::users::send;
use crate::users::standing;
use crate::users::waits;
use crate::world::World;
use crate::world::config;
use crate::world::forward;
use crate::world::start;

fn is_known(gateway: &Gateway, device: &str) -> bool {
    let id = EasDeviceId::parse(device.as_bytes()).unwrap();
    !gateway.standings(id).is_empty()
}

fn known(gateway: &Gateway) -> usize {
    gateway.roll_counts().0.into_iter().sum()
}

/// One user took every place of all.
#[test]
fn a_user_has_a_hundred_places_and_those_that_are_missed_most_stay() {
    let world = World::new();
    let gateway = caring(&world, waits(1_000_000));
    drop(forward(send(&gateway, start(), "good", "Ping")));
    world.set("good", ComplianceState::NonCompliant);
    drop(forward(send(&gateway, start(), "good", "Ping")));
    drop(held(&gateway, start(), "new", "FolderSync", &folder_sync()));
    for number in 0..300 {
        drop(send(
            &gateway,
            later(1 + number),
            &format!("made{number}"),
            "Ping",
        ));
    }
    assert_eq!(known(&gateway), 100);
    assert_eq!(gateway.roll_crowding(), (0, 202));
    assert!(matches!(
        standing(&gateway, "good").phase,
        Phase::Waiting(_)
    ));
    assert!(standing(&gateway, "new").made_up);
    assert!(!is_known(&gateway, "made201") && is_known(&gateway, "made202"));
    // Neither does what was written at once bring back more.
    let notes = gateway.poll_notes().unwrap();
    let (again, restored) =
        world
            .gateway_with(config())
            .restore(start(), &gateway.save(start()), &notes);
    assert_eq!((restored.devices, known(&again)), (100, 100));
    // Who holds made-up folders everywhere has the newest hundred of them.
    for number in 0..200 {
        let device = format!("more{number}");
        world.report(&device, &device, "alice", ComplianceState::Unknown);
        drop(held(
            &gateway,
            later(1000 + number),
            &device,
            "FolderSync",
            &folder_sync(),
        ));
    }
    assert_eq!(known(&gateway), 100);
    assert!(is_known(&gateway, "good") && is_known(&gateway, "more199"));
    assert!(!is_known(&gateway, "new") && !is_known(&gateway, "more100"));
}
