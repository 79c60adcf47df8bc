//! Commands: one subcommand per file, each with its `Arguments` and its `run`.
//!
//! Every command ends with one of three exit codes, so that scripts can rely on them: 0 when all
//! is well, 1 when the answer is no (a configuration with errors, a certificate about to end), 2
//! when the command was misused or could not be carried out.
//!
//! To add a command: write `Arguments` and `run` in its file, then add a variant to `Command`
//! and an arm in [`main`].

mod accounting;
mod certs;
mod check;
mod conf;
mod control;
mod decisions;
mod device;
mod devices;
mod explain;
mod hash_password;
mod message;
mod moment;
mod output;
mod probe;
mod release;
mod run;
mod sheet;
mod status;
mod sync;
mod wipe;

use std::process::ExitCode;

use clap::Parser;
use clap::Subcommand;

pub use conf::Conf;
pub use conf::ConfOption;

/// The command line.
#[derive(Debug, Parser)]
#[command(
    name = "portreeve",
    version,
    about = "Decides who gets into the network and to the mail, by the health of the device.",
    after_help = "Exit codes: 0 all is well, 1 the answer is no, 2 the command could not be carried out.",
    disable_help_subcommand = true
)]
pub struct Cli {
    /// What to do; without a command the gateway runs.
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    Run(run::Arguments),
    Check(check::Arguments),
    Certs(certs::Arguments),
    Status(status::Arguments),
    Sync(sync::Arguments),
    Explain(explain::Arguments),
    Decisions(decisions::Arguments),
    Accounting(accounting::Arguments),
    Release(release::Arguments),
    Device(device::Arguments),
    Message(message::Arguments),
    Devices(devices::Arguments),
    Wipe(wipe::Arguments),
    Probe(probe::Arguments),
    HashPassword(hash_password::Arguments),
}

/// Reads the arguments and carries out the command.
#[must_use]
pub fn main() -> ExitCode {
    let done = match Cli::parse().command {
        None => run::run(&run::Arguments::default()),
        Some(Command::Run(arguments)) => run::run(&arguments),
        Some(Command::Check(arguments)) => check::run(&arguments),
        Some(Command::Status(arguments)) => status::run(&arguments),
        Some(Command::Sync(arguments)) => sync::run(&arguments),
        Some(Command::Explain(arguments)) => explain::run(&arguments),
        Some(Command::Decisions(arguments)) => decisions::run(&arguments),
        Some(Command::Accounting(arguments)) => accounting::run(&arguments),
        Some(Command::Release(arguments)) => release::run(&arguments),
        Some(Command::Device(arguments)) => device::run(&arguments),
        Some(Command::Message(arguments)) => message::run(&arguments),
        Some(Command::Devices(arguments)) => devices::run(&arguments),
        Some(Command::Wipe(arguments)) => wipe::run(&arguments),
        Some(Command::Probe(arguments)) => probe::run(&arguments),
        Some(Command::Certs(arguments)) => certs::run(&arguments),
        Some(Command::HashPassword(arguments)) => hash_password::run(&arguments),
    };
    output::exit(done)
}

#[cfg(test)]
mod tests;
