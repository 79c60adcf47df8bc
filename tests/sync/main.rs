//! Sources from outside: files that change, and the emulated cloud with all its faults.
//!
//! Each test has its own tenant on a loopback port, its own inventory and its own feeds. Waits are
//! for a status or a change; nothing sleeps.
#![allow(
    clippy::unwrap_used,
    reason = "tests and their helpers fail by panic on what they do not expect"
)]

#[path = "../../bench/lab/emulator.rs"]
mod emulator;

mod faults;
mod files;
mod freshness;
mod groups;
mod lab;
mod misbehaviour;
mod removal;
mod restart;
mod sample;
mod secrets;
mod status;
mod trust;
mod walks;
