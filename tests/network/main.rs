//! NAS and supplicant against the network core: no socket, no clock, in virtual time.
#![allow(
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    reason = "tests and their helpers fail by panic on what they do not expect"
)]

mod accepts;
mod accounting;
mod allocation;
mod batches;
mod bounds;
mod challenges;
mod changes;
mod conversation;
mod crowd;
mod disconnects;
mod discovery;
mod doors;
mod duplicates;
mod guesses;
mod handover;
mod homes_over_tls;
mod lab;
mod lookups;
mod passwords;
mod proxying;
mod reactions;
mod restarts;
mod rounds;
mod silence;
mod silences;
mod simulation;
mod slow_homes;
mod streams;
mod tunnels;
mod visitors;

#[path = "../support/alloc.rs"]
mod alloc;
#[path = "../support/nas.rs"]
mod nas;
#[path = "../support/pair.rs"]
mod pair;
#[path = "../support/pki.rs"]
mod pki;
#[path = "../support/world.rs"]
mod world;
