//! An evaluation does not allocate: measured, not believed.

#[path = "../support/alloc.rs"]
mod alloc;

use std::hint::black_box;

use alloc::allocations;
use portreeve::policy::Trace;
use portreeve::policy::evaluate;

use crate::support::Connection;
use crate::support::policy;

#[test]
fn evaluating_two_hundred_policies_does_not_allocate() {
    let mut rules = String::from(
        "[[app]]\nname = \"o\"\ndevice_types = [\"out*\"]\nuser_agents = [\"*ios*\"]\napproved = true\n",
    );
    for number in 0..50 {
        rules.push_str(&format!(
            "[[compliance]]\nname = \"c{number}\"\ntargets = [\"staff\"]\n\
             require = {{ encrypted = true, passcode = true, max_threat = \"low\" }}\n"
        ));
    }
    for number in 0..150 {
        rules.push_str(&format!(
            "[[conditional]]\nname = \"a{number}\"\ntargets = [\"staff\", \"user:bob\"]\n\
             exempt = [\"guests\"]\nwhen = {{ platforms = [\"ios\"] }}\n\
             require = [\"managed\", \"registered\", \"compliant\", \"eas_activated\"]\n\
             require_any = [\"approved_app\", \"proven\"]\notherwise = \"block\"\n"
        ));
    }
    let policy = policy(&rules);
    let mut trace = Trace::new();
    for connection in [
        Connection::default(),
        Connection::mail("Outlook", "Outlook-iOS-Android/1.0"),
        Connection::default().with(|device| device.age = 1_000_000),
        Connection::default().not_found("unknown"),
    ] {
        connection.with_facts(|facts| {
            let before = allocations();
            black_box(evaluate(&policy, facts, &mut trace));
            assert_eq!(allocations() - before, 0, "{connection:?}");
        });
    }
}

#[test]
fn the_counter_counts() {
    let before = allocations();
    black_box(vec![0_u8; 100]);
    assert!(allocations() > before);
}
