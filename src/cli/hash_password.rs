//! `portreeve hash-password`: an argon2 hash for `users.toml`.

use std::io;
use std::io::IsTerminal;
use std::io::Read;

use clap::Args;
use zeroize::Zeroizing;

use super::output::Answer;
use super::output::Done;
use super::output::Failed;
use super::output::print;
use super::output::say;
use crate::directory::Argon2Hash;
use crate::model::Secret;

/// Make an argon2 hash for users.toml from a password on standard input.
///
/// The password is the first line; it is not taken from the arguments, where others could see it:
///
///   printf %s 'the password' | portreeve hash-password
#[derive(Debug, Args)]
pub(super) struct Arguments {}

pub(super) fn run(_: &Arguments) -> Done {
    if io::stdin().is_terminal() {
        say("Type the password, then Enter and Ctrl-D. It is shown as you type.");
    }
    let mut octets = Zeroizing::new(Vec::new());
    io::stdin().take(MAX_INPUT).read_to_end(&mut octets)?;
    let line = octets.split(|octet| *octet == b'\n').next().unwrap_or(&[]);
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    if line.is_empty() {
        return Err(Failed::new("no password on standard input"));
    }
    if line.len() > MAX_PASSWORD {
        let message =
            format!("the password has over {MAX_PASSWORD} octets, more than RADIUS carries");
        return Err(Failed::new(message));
    }
    let hash = Argon2Hash::new(&Secret::new(line.to_vec()))?;
    print(&hash.to_string())?;
    Ok(Answer::Yes)
}

/// Octets of a User-Password (RFC 2865 section 5.2).
const MAX_PASSWORD: usize = 128;
/// Octets read before the line must have ended.
const MAX_INPUT: u64 = 4096;
