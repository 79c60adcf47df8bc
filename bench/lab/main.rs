//! `portreeve-lab`: what people need to try, test and load a gateway.

mod bare;
mod compare;
mod emulate;
mod emulator;
mod load;
mod login;
mod null;
mod origin;
mod svg;

use std::io::Write;
use std::process::ExitCode;

use clap::Parser;
use clap::Subcommand;

/// Emulators and load generators for the Portreeve gateway.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Bare(bare::Arguments),
    Compare(compare::Arguments),
    Emulate(emulate::Arguments),
    Load(load::Arguments),
    Null(null::Arguments),
    Origin(origin::Arguments),
}

fn main() -> ExitCode {
    let outcome = match Arguments::parse().command {
        Command::Bare(arguments) => bare::run(&arguments),
        Command::Compare(arguments) => compare::run(&arguments),
        Command::Emulate(arguments) => emulate::run(&arguments),
        Command::Load(arguments) => load::run(arguments),
        Command::Null(arguments) => null::run(&arguments),
        Command::Origin(arguments) => origin::run(&arguments),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Nothing is left to do when even this cannot be told.
            drop(writeln!(std::io::stderr(), "portreeve-lab: {error}"));
            ExitCode::FAILURE
        }
    }
}
