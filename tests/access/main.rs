//! Decision, registration and revocation; records and what becomes of them.
#![allow(
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    reason = "tests and their helpers fail by panic on what they do not expect"
)]

mod explain;
mod house;
mod owners;
mod permits;
mod races;
mod records;
mod subjects;
mod sweeps;
