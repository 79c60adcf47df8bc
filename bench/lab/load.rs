//! `portreeve-lab load`: traffic for a gateway, every answer checked, every latency counted.
//!
//! | file | what |
//! | --- | --- |
//! | `radius`, `eap_tls`, `eas` | one kind of traffic each |
//! | `flood` | conversations that nobody goes on with, and logins meanwhile |
//! | `certs`, `inventory`, `world` | the made-up devices and users that the traffic speaks of |
//! | `pace` | when operations begin: closed or open loop |
//! | `drive`, `udp` | operations in flight over RADIUS, in batches of datagrams |
//! | `expect` | what an answer should say |
//! | `report`, `histogram`, `process` | what came out, and what it cost the processor |
//!
//! A generator stops after `--count` operations or `--seconds`, whichever comes first. It ends
//! with an error if a single operation went wrong, so that a measurement of refusals is not taken
//! for one of answers.

mod certs;
mod drive;
mod eap_tls;
mod eas;
mod expect;
mod flood;
mod histogram;
mod inventory;
mod pace;
mod process;
mod radius;
mod report;
mod udp;
pub(crate) mod world;

use std::io;

use clap::Args;
use clap::Subcommand;

pub(crate) use certs::Algorithm;
pub(crate) use drive::read_secret;
pub(crate) use eap_tls::version as tls_version;
pub(crate) use process::Process;

/// Put a gateway under load, or make the devices and certificates for it.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Radius(radius::Arguments),
    EapTls(eap_tls::Arguments),
    Flood(flood::Arguments),
    Eas(eas::Arguments),
    Certs(certs::Arguments),
    Inventory(inventory::Arguments),
}

/// Runs one generator.
pub(crate) fn run(arguments: Arguments) -> io::Result<()> {
    match arguments.command {
        Command::Radius(arguments) => radius::run(arguments),
        Command::EapTls(arguments) => eap_tls::run(arguments),
        Command::Flood(arguments) => flood::run(arguments),
        Command::Eas(arguments) => eas::run(arguments),
        Command::Certs(arguments) => certs::run(&arguments),
        Command::Inventory(arguments) => inventory::run(&arguments),
    }
}

/// An argument or a file that cannot be used.
fn unusable(message: impl Into<String>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, message.into())
}
