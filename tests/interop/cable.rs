//! A cable between this machine and a network namespace, and programs at its ends.

use std::fs;
use std::fs::File;
use std::path::Path;
use std::path::PathBuf;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;

use nix::sys::signal::Signal;
use nix::sys::signal::kill;
use nix::unistd::Pid;

/// Two ends of a cable: one here, one in a network namespace. Both go with it.
pub(crate) struct Cable {
    /// The namespace.
    pub(crate) name: String,
    pub(crate) near: String,
    pub(crate) far: String,
}

impl Cable {
    /// `None` where the system gives no namespaces, as in most containers.
    /// `kind` tells the cables of tests apart that run at the same time.
    pub(crate) fn lay(kind: char) -> Option<Self> {
        let number = std::process::id() % 100_000;
        let cable = Self {
            name: format!("portreeve-{kind}{number}"),
            near: format!("prn{kind}{number}"),
            far: format!("prf{kind}{number}"),
        };
        let Self { name, near, far } = &cable;
        ip(&["netns", "add", name]).then_some(())?;
        let laid = ip(&[
            "link", "add", near, "type", "veth", "peer", "name", far, "netns", name,
        ]) && ip(&["link", "set", near, "up"])
            && ip(&["-n", name, "link", "set", far, "up"]);
        laid.then_some(cable)
    }
}

impl Drop for Cable {
    fn drop(&mut self) {
        ip(&["netns", "del", &self.name]);
    }
}

/// Whether a command of iproute2 succeeds.
pub(crate) fn ip(arguments: &[&str]) -> bool {
    let mut command = Command::new("ip");
    let output = command.args(arguments).stderr(Stdio::null()).status();
    output.is_ok_and(|status| status.success())
}

/// A program that writes a log and does not outlive the test.
pub(crate) struct Running {
    child: Child,
    log: PathBuf,
}

impl Running {
    pub(crate) fn start(program: &str, arguments: &[&str], log: &Path) -> Self {
        let path = format!("{}:/usr/sbin:/sbin", std::env::var("PATH").unwrap());
        let file = File::create(log).unwrap();
        let child = Command::new(program)
            .args(arguments)
            .env("PATH", path)
            .stdout(file.try_clone().unwrap())
            .stderr(file)
            .spawn()
            .unwrap_or_else(|error| panic!("{program} is installed by tests/run: {error}"));
        Self {
            child,
            log: log.to_owned(),
        }
    }

    /// The number of the process.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Asks it to end, and waits until it has.
    pub(crate) fn end(&mut self, signal: Signal) {
        let pid = i32::try_from(self.child.id()).unwrap();
        // Fails only if it has ended already.
        kill(Pid::from_raw(pid), signal).ok();
        drop(self.child.wait());
    }

    /// How often a text stands in the log.
    pub(crate) fn count(&self, text: &str) -> usize {
        let log = fs::read(&self.log).unwrap();
        String::from_utf8_lossy(&log).matches(text).count()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Fails only if it has ended already.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
