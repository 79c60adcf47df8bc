//! What is written at once of a device, so that a program that is killed forgets nothing that its client
//! was told.

use portreeve::mail::Gateway;
use portreeve::mail::Phase;
use portreeve::mail::Posted;
use portreeve::mail::Words;
use portreeve::model::ComplianceState;

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

/// The gateway that starts after another was killed, which had saved this and noted that.
fn restarted(world: &World, saved: &[u8], notes: &[u8]) -> Gateway {
    let (again, restored) = world.gateway_with(config()).restore(start(), saved, notes);
    assert_eq!((restored.devices, restored.unreadable), (1, 0));
    again.replace_words(Words {
        care: waits(100),
        ..Words::default()
    });
    again
}

/// Its user was told until when it is let in, and it was kept out.
#[test]
fn a_wait_is_kept_by_a_gateway_that_is_killed_r33() {
    let world = World::new();
    let gateway = caring(&world, waits(100));
    drop(forward(send(&gateway, start(), "good", "Ping")));
    let let_in = gateway.poll_notes().unwrap();
    drop(forward(send(&gateway, start(), "good", "Ping")));
    assert_eq!(gateway.poll_notes(), None, "nothing new");
    let saved = gateway.save(start());
    world.set("good", ComplianceState::NonCompliant);
    drop(forward(send(&gateway, later(10), "good", "Ping")));
    let notes = gateway.poll_notes().unwrap();
    assert_eq!(gateway.poll_notes(), None, "once");
    let until = Phase::Waiting(later(110).wall);
    for saved in [&saved[..], b""] {
        let again = restarted(&world, saved, &notes);
        assert_eq!(standing(&again, "good").phase, until);
        drop(forward(send(&again, later(60), "good", "Ping")));
        assert_eq!(standing(&again, "good").phase, until);
    }
    // One that was killed before: whether it waits hangs on its having been let in.
    let again = restarted(&world, b"", &let_in);
    drop(forward(send(&again, later(10), "good", "Ping")));
    assert_eq!(standing(&again, "good").phase, until);
    // A line that was cut as the machine lost its power costs itself.
    let cut = notes.get(..notes.len() / 2).unwrap();
    let (_, restored) = world.gateway_with(config()).restore(start(), &saved, cut);
    assert_eq!((restored.devices, restored.unreadable), (1, 1));
}

#[test]
fn notes_that_are_older_than_the_snapshot_mean_nothing() {
    let world = World::new();
    let gateway = caring(&world, waits(100));
    drop(forward(send(&gateway, start(), "good", "Ping")));
    world.set("good", ComplianceState::NonCompliant);
    drop(forward(send(&gateway, later(10), "good", "Ping")));
    let waiting = gateway.poll_notes().unwrap();
    world.set("good", ComplianceState::Compliant);
    drop(forward(send(&gateway, later(20), "good", "Ping")));
    let allowed = gateway.poll_notes().unwrap();
    let saved = gateway.save(start());
    let again = restarted(&world, &saved, &waiting);
    assert_eq!(standing(&again, "good").phase, Phase::Allowed);
    // In whatever order the files are read.
    let again = restarted(&world, b"", &[&allowed[..], &waiting].concat());
    assert_eq!(standing(&again, "good").phase, Phase::Allowed);
    // The numbers go on after a restart.
    world.set("good", ComplianceState::NonCompliant);
    drop(forward(send(&again, later(30), "good", "Ping")));
    let later_note = again.poll_notes().unwrap();
    let all = [&later_note[..], &allowed, &waiting].concat();
    let third = restarted(&world, &saved, &all);
    let until = Phase::Waiting(later(130).wall);
    assert_eq!(standing(&third, "good").phase, until);
}

#[test]
fn made_up_folders_and_mails_that_were_sent_are_noted() {
    let world = World::new();
    let gateway = caring(&world, waits(100));
    drop(held(&gateway, start(), "new", "FolderSync", &folder_sync()));
    let notes = gateway.poll_notes().unwrap();
    assert!(standing(&restarted(&world, b"", &notes), "new").made_up);

    let gateway = caring(&world, waits(100));
    drop(forward(send(&gateway, start(), "good", "Ping")));
    world.set("good", ComplianceState::NonCompliant);
    drop(forward(send(&gateway, later(10), "good", "Ping")));
    let post = gateway.poll_post(later(10)).unwrap();
    gateway.handle_posted(later(10), &post, &Posted::Sent);
    let notes = gateway.poll_notes().unwrap();
    let again = restarted(&world, b"", &notes);
    assert!(again.poll_post(later(10)).is_none(), "one mail is enough");
}
