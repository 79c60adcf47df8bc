//! Programs that run beside this one: found, pinned to a core, watched and ended.

use std::fs;
use std::fs::File;
use std::io;
use std::path::Path;
use std::path::PathBuf;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;
use std::thread;
use std::time::Duration;

use nix::sys::signal::Signal;
use nix::sys::signal::kill;
use nix::unistd::Pid;

use crate::load::Process;

/// A running server.
#[derive(Debug)]
pub(super) struct Program {
    child: Child,
    log: PathBuf,
}

impl Program {
    /// Starts `command` on the server's core; what it says goes to `log`.
    pub(super) fn start(command: &[String], folder: &Path, log: PathBuf) -> io::Result<Self> {
        Self::start_on(SERVER_CORE, command, folder, log)
    }

    /// Starts `command` on some core.
    pub(super) fn start_on(
        core: u32,
        command: &[String],
        folder: &Path,
        log: PathBuf,
    ) -> io::Result<Self> {
        let out = File::create(&log)?;
        let errors = out.try_clone()?;
        let child = on(core, command)?
            .current_dir(folder)
            .stdin(Stdio::null())
            .stdout(out)
            .stderr(errors)
            .spawn()?;
        Ok(Self { child, log })
    }

    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The most octets of memory that it has held.
    pub(super) fn peak_memory(&self) -> io::Result<u64> {
        Process::of(self.pid()).peak_memory()
    }

    /// Why it is not there any more; `None` while it is.
    pub(super) fn ended(&mut self) -> Option<String> {
        let status = self.child.try_wait().ok()??;
        Some(format!("ended with {status}: {}", self.last_words()))
    }

    /// The end of what it said.
    pub(super) fn last_words(&self) -> String {
        let text = fs::read(&self.log).unwrap_or_default();
        let text = String::from_utf8_lossy(&text).into_owned();
        let mut lines: Vec<&str> = text.lines().rev().take(3).collect();
        lines.reverse();
        lines.join(" / ")
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        if let Ok(pid) = i32::try_from(self.child.id()) {
            // Or it has ended by itself.
            let _told = kill(Pid::from_raw(pid), Signal::SIGTERM);
        }
        for _ in 0..PATIENCE {
            if matches!(self.child.try_wait(), Ok(Some(_))) {
                return;
            }
            pause(Duration::from_millis(100));
        }
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// A command on one core, where there are several and `taskset` to choose.
pub(super) fn on(core: u32, command: &[String]) -> io::Result<Command> {
    let several = thread::available_parallelism().is_ok_and(|cores| cores.get() > 1);
    let (program, arguments) = command.split_first().ok_or(io::ErrorKind::InvalidInput)?;
    let mut pinned = if let (true, Some(taskset)) = (several, find("taskset")) {
        let mut pinned = Command::new(taskset);
        pinned.args(["-c", &core.to_string()]).arg(program);
        pinned
    } else {
        Command::new(program)
    };
    pinned.args(arguments);
    Ok(pinned)
}

/// Where a program is installed.
pub(super) fn find(name: &str) -> Option<PathBuf> {
    let folders = [
        "/usr/local/sbin",
        "/usr/local/bin",
        "/usr/sbin",
        "/usr/bin",
        "/sbin",
        "/bin",
    ];
    let mut places = folders.iter().map(|folder| Path::new(folder).join(name));
    places.find(|place| place.is_file())
}

/// The first line with a digit of what a program says of its version, on either stream.
pub(super) fn version(program: &Path, option: &str) -> String {
    let Ok(output) = Command::new(program).arg(option).output() else {
        return "unknown".to_owned();
    };
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said).into_owned();
    let line = said
        .lines()
        .find(|line| line.contains(|c: char| c.is_ascii_digit()));
    line.and_then(number).unwrap_or("unknown").to_owned()
}

/// The version in such a line: what begins with a digit and holds a point.
fn number(line: &str) -> Option<&str> {
    let words = line.split([' ', ',', '/', '(']);
    let mut words = words.map(|word| word.trim_start_matches('v'));
    words.find(|word| word.starts_with(|c: char| c.is_ascii_digit()) && word.contains('.'))
}

/// Waits; a comparison has nothing else to do meanwhile.
#[expect(
    clippy::disallowed_methods,
    reason = "a process that starts or ends tells nobody when it has"
)]
pub(super) fn pause(time: Duration) {
    thread::sleep(time);
}

/// Where servers run.
pub(super) const SERVER_CORE: u32 = 0;

/// Where generators and origins run.
pub(super) const GENERATOR_CORE: u32 = 1;

/// Tenths of a second for a server to end in peace.
const PATIENCE: u32 = 50;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_found_in_what_programs_say() {
        for (line, expected) in [
            (
                "radiusd: FreeRADIUS Version 3.2.1, for host x86_64",
                Some("3.2.1"),
            ),
            ("nginx version: nginx/1.22.1", Some("1.22.1")),
            (
                "HAProxy version 2.6.12-1+deb12u4 2026/10/17 - https://x",
                Some("2.6.12-1+deb12u4"),
            ),
            ("hostapd v2.10", Some("2.10")),
            ("portreeve 0.1.0", Some("0.1.0")),
            ("nothing 7", None),
        ] {
            assert_eq!(number(line), expected, "row {line}");
        }
    }
}
