//! What is said of mistakes in a configuration, and the commands that say it.

#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot prepare its ground must fail"
)]

mod certificates;
mod commands;
mod home;
mod homes;
mod mail;
mod rules;
