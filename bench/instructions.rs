//! How many instructions the paths cost that every request takes: guarded by a stored budget.
//!
//! `bench/budget` runs this: it starts itself under `valgrind --tool=callgrind`, which counts
//! what happens inside [`measured`] for each case, prints the counts beside `bench/budget.toml`
//! and fails where one is above its budget. `bench/budget --write` stores the counts of today.
//!
//! | file | holds |
//! | --- | --- |
//! | `network`, `mail`, `handshake`, `tunnels`, `decision`, `codecs` | the cases |
//! | `callgrind` | this program under valgrind, and its counts |
//! | `budget` | the stored counts and the verdict |
//!
//! A count hardly depends on the machine: valgrind 3.19 shows the same processor on every host
//! with AVX2, so that the C library and the TLS library choose the same code (theirs without
//! AVX-512 or SHA extensions, so a count says nothing of how fast a real processor is). What is
//! left is chance: hash tables with random seeds, signatures, ephemeral keys. Every case is an
//! average of many operations, and each budget says how much more than it a count may be.

#[path = "instructions/budget.rs"]
mod budget;
#[path = "instructions/callgrind.rs"]
mod callgrind;
#[path = "instructions/codecs.rs"]
mod codecs;
#[path = "instructions/decision.rs"]
mod decision;
#[path = "decide/gateway.rs"]
mod gateway;
#[path = "instructions/handshake.rs"]
mod handshake;
#[path = "instructions/mail.rs"]
mod mail;
#[path = "../tests/support/nas.rs"]
#[allow(clippy::unwrap_used, reason = "it belongs to tests")]
mod nas;
#[path = "instructions/network.rs"]
mod network;
#[path = "../tests/support/pair.rs"]
#[allow(clippy::unwrap_used, reason = "it belongs to tests")]
mod pair;
#[path = "../tests/support/pki.rs"]
#[allow(clippy::unwrap_used, reason = "it belongs to tests")]
mod pki;
#[path = "instructions/tunnels.rs"]
mod tunnels;
#[path = "decide/world.rs"]
mod world;

use std::hint::black_box;
use std::io::Write;
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let outcome = match arguments.as_slice() {
        ["run"] => {
            run(&mut case_is_over);
            Ok(true)
        }
        [] => budget::check(),
        ["--write"] => budget::write(None),
        ["--write", reason] => budget::write(Some(reason)),
        _ => Err("usage: bench/budget [--write [REASON]]".to_owned()),
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(problem) => {
            say(&problem);
            ExitCode::FAILURE
        }
    }
}

/// Every case; `over` is told the name and the number of operations after each.
fn run(over: &mut dyn FnMut(&str, u32)) {
    network::run(over);
    mail::run(over);
    decision::run(over);
    codecs::run(over);
    handshake::run(over);
    tunnels::run(over);
}

/// Carries out what is counted: callgrind collects while it is inside this function.
#[inline(never)]
fn measured<R>(work: impl FnOnce() -> R) -> R {
    black_box(work())
}

/// Callgrind writes the counts so far down when it comes here, and begins anew.
#[inline(never)]
fn case_is_over(name: &str, operations: u32) {
    say(&format!("{operations} {name}"));
}

fn say(line: &str) {
    writeln!(std::io::stdout(), "{line}").expect("standard output is open");
}
