//! The inventory's table, compiled from its own sources with loom's atomics.

#![allow(
    dead_code,
    reason = "the models drive the table without the rooms around it"
)]

mod inventory;

#[cfg(test)]
mod models;
