//! Portreeve, a network access control gateway.

pub mod access;
pub mod app;
pub mod cli;
pub mod config;
pub mod directory;
pub mod eap;
pub mod eas;
pub mod inventory;
pub mod journal;
pub mod mail;
pub mod model;
pub mod net;
pub mod network;
pub mod policy;
pub mod probe;
pub mod radius;
pub mod sync;
