//! Packets that nobody should send, to the real program on real sockets; after each of them the
//! gateway still answers, and says by a counter why it has not answered that one.
//!
//! `rows` holds the list of attacks and of sentences of RFCs against the names of tests.
#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "tests: a failure ends them, and real programs live in real time"
)]

mod dynamic;
mod eap;
#[path = "../support/gateway.rs"]
mod gateway;
mod packet;
mod radius;
mod rows;
mod world;
