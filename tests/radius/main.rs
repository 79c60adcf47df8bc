//! The RADIUS room from outside: vectors, boundaries, authenticators, duplicates, replies.
//!
//! Tests of a rule are named after the RFC and section that states it.

#![expect(
    clippy::unwrap_used,
    clippy::unwrap_in_result,
    reason = "a test fails by panicking"
)]

mod allocation;
mod authentic;
mod boundaries;
mod differential;
mod duplicates;
mod nas;
mod properties;
mod replies;
mod requests;
mod support;
mod templates;
mod together;
mod vectors;
