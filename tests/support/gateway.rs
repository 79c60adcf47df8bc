//! The real program on loopback, with a conf folder of its own and ports that the system chose.
#![allow(dead_code, reason = "each test takes the parts that it needs")]

use std::fs;
use std::io::BufRead;
use std::io::BufReader;
use std::net::SocketAddr;
use std::path::Path;
use std::path::PathBuf;
use std::process::Child;
use std::process::Command;
use std::process::ExitStatus;
use std::process::Output;
use std::process::Stdio;

use nix::sys::signal::Signal;
use nix::sys::signal::kill;
use nix::unistd::Pid;
use tempfile::TempDir;

/// A running gateway; dropping it kills it, and its folder goes.
pub(crate) struct Gateway {
    // Before the folder, so that the process is gone when the folder goes.
    child: Killed,
    folder: TempDir,
    /// Everything that it printed until it was up.
    pub(crate) banner: String,
    pub(crate) authentication: SocketAddr,
    pub(crate) accounting: SocketAddr,
    pub(crate) mail: Option<SocketAddr>,
    pub(crate) metrics: SocketAddr,
}

impl Gateway {
    /// Starts one with the sample configuration on free ports, after `edit` has changed it.
    pub(crate) fn start(edit: impl FnOnce(&Conf)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let conf = Conf::sample(folder.path());
        edit(&conf);
        Self::again(folder)
    }

    /// Starts one in the folder that [`Gateway::stop`] has left.
    pub(crate) fn again(folder: TempDir) -> Self {
        let mut child = program(folder.path())
            .stdout(Stdio::piped())
            .stderr(fs::File::create(folder.path().join("log")).unwrap())
            .spawn()
            .unwrap();
        let mut banner = String::new();
        let mut lines = BufReader::new(child.stdout.take().unwrap());
        while !banner.contains("Ctrl-C stops it") {
            let read = lines.read_line(&mut banner).unwrap();
            let log = || fs::read_to_string(folder.path().join("log")).unwrap();
            assert!(read > 0, "the gateway did not start:\n{banner}\n{}", log());
        }
        let listens = |what: &str| {
            let line = banner.lines().find(|line| line.contains(what))?;
            line.split_whitespace()
                .find_map(|word| word.trim_end_matches(',').parse().ok())
        };
        Self {
            authentication: listens("RADIUS authentication").unwrap(),
            accounting: listens("RADIUS accounting").unwrap(),
            mail: listens("ActiveSync front"),
            metrics: listens("metrics and health").unwrap(),
            folder,
            child: Killed(child),
            banner,
        }
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn conf(&self) -> Conf {
        Conf(self.folder.path().join("conf"))
    }

    /// The shared secret of this machine.
    pub(crate) fn secret(&self) -> String {
        let secret = fs::read_to_string(self.path("certs/secrets/nas-local")).unwrap();
        secret.trim().to_owned()
    }

    pub(crate) fn path(&self, relative: &str) -> PathBuf {
        self.folder.path().join(relative)
    }

    /// The record of its decisions so far.
    pub(crate) fn journal(&self) -> String {
        let files = fs::read_dir(self.path("var/journal")).unwrap();
        files
            .map(|file| whole_lines(&file.unwrap().path()))
            .collect()
    }

    /// The record of accounting so far; the store is beside it.
    pub(crate) fn accounted(&self) -> String {
        let files = fs::read_dir(self.path("var/accounting")).unwrap();
        let paths = files.map(|file| file.unwrap().path());
        paths
            .filter(|path| path.extension().is_some_and(|ending| ending == "jsonl"))
            .map(|path| whole_lines(&path))
            .collect()
    }

    /// What it has logged so far.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.path("log")).unwrap()
    }

    /// Runs a command of the program beside the running gateway.
    pub(crate) fn command(&self, arguments: &[&str]) -> Output {
        program(self.folder.path())
            .args(arguments)
            .output()
            .unwrap()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.child.0.id()).unwrap();
        kill(Pid::from_raw(pid), signal).unwrap();
    }

    /// Tells it to read its configuration again and waits until the log says what came of it.
    pub(crate) fn reload(&self) -> String {
        let before = self.log().len();
        self.signal(Signal::SIGHUP);
        until("the reload is logged", || {
            let log = self.log();
            let new = log.get(before..).unwrap_or("").to_owned();
            (new.contains("is in force") || new.contains("stays in force")).then_some(new)
        })
    }

    /// Tells it to stop and waits for the end; its folder is still there.
    pub(crate) fn stop(self) -> (ExitStatus, TempDir) {
        self.signal(Signal::SIGTERM);
        let Self {
            folder, mut child, ..
        } = self;
        (child.0.wait().unwrap(), folder)
    }
}

/// A process that does not outlive the test.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        // Fails only if it has ended already.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// A conf folder.
pub(crate) struct Conf(PathBuf);

impl Conf {
    /// The sample in `folder`, with every port chosen by the system.
    pub(crate) fn sample(folder: &Path) -> Self {
        let conf = Self(folder.join("conf"));
        fs::create_dir(&conf.0).unwrap();
        for entry in fs::read_dir("conf").unwrap() {
            let entry = entry.unwrap();
            // The texts of messages are compiled in.
            if entry.file_type().unwrap().is_file() {
                fs::copy(entry.path(), conf.0.join(entry.file_name())).unwrap();
            }
        }
        for port in ["11812", "11813", "18443", "19090"] {
            conf.replace("gateway.toml", &format!(":{port}\""), ":0\"");
        }
        conf
    }

    /// That of a gateway that has been stopped.
    pub(crate) fn of(folder: &TempDir) -> Self {
        Self(folder.path().join("conf"))
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    /// Replaces every `from`, which must be there.
    pub(crate) fn replace(&self, name: &str, from: &str, to: &str) {
        let text = self.read(name);
        assert!(text.contains(from), "{name} has no {from:?}");
        self.write(name, &text.replace(from, to));
    }

    pub(crate) fn append(&self, name: &str, text: &str) {
        self.write(name, &(self.read(name) + text));
    }
}

/// The program, to be run in `folder`.
pub(crate) fn program(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_portreeve"));
    command.current_dir(folder).stdin(Stdio::null());
    command
}

/// Asks again and again, for at most twenty seconds, until `look` finds something.
pub(crate) fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(20);
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(
            std::time::Instant::now() < deadline,
            "waited in vain until {what}"
        );
        std::thread::yield_now();
    }
}

/// A line that is being written is none yet.
fn whole_lines(path: &Path) -> String {
    let text = fs::read(path).unwrap();
    let end = text.iter().rposition(|octet| *octet == b'\n');
    let whole = text[..end.map_or(0, |end| end + 1)].to_vec();
    String::from_utf8(whole).unwrap()
}
