//! The policy room from outside: cases as files, the matrices of the requirements, refusals, and
//! properties that hold for any rules and facts.
//!
//! A case file says what it is about, holds rules and facts, and the decision and explanation that
//! are expected.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod allocation;
mod cases;
mod clients;
mod hash;
mod matrix;
mod properties;
mod refusals;
mod sample;
mod support;
