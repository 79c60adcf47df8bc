//! EAP from both ends, in memory and in virtual time: what each side sees, for each outcome.
#![allow(
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    reason = "tests and their helpers fail by panic on what they do not expect"
)]

mod conversation;
mod hostile;
mod keys;
mod light;
mod online;
mod policy;
mod property;
mod proposal;
mod refusal;
mod resumption;
mod success;
mod teap;
mod tunnel;
mod vectors;
mod world;

#[path = "../support/pki.rs"]
mod pki;
