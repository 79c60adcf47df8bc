//! The temporary folder of a comparison, and the programs it is made with.

use std::fs;
use std::io;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;

/// A folder that ends with the comparison.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    conf: PathBuf,
    lab: PathBuf,
}

impl Folder {
    /// Makes the folder; `conf` is what Portreeve's configurations start from.
    pub(super) fn new(conf: &Path) -> io::Result<Self> {
        let conf = conf.canonicalize().map_err(|error| {
            io::Error::new(error.kind(), format!("{}: {error}", conf.display()))
        })?;
        let path = nix::unistd::mkdtemp(&std::env::temp_dir().join("compare-XXXXXX"))?;
        Ok(Self {
            path,
            conf,
            lab: std::env::current_exe()?,
        })
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// This program.
    pub(super) fn lab(&self) -> &Path {
        &self.lab
    }

    /// The gateway, built beside this program.
    pub(super) fn gateway(&self) -> PathBuf {
        self.lab.with_file_name("portreeve")
    }

    /// Writes a file that only its owner reads, with the folders above it.
    pub(super) fn write(&self, name: &str, text: &str) -> io::Result<PathBuf> {
        let path = self.path(name);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::write(&path, text)?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600))?;
        Ok(path)
    }

    /// Copies the configuration to begin with; gives its folder.
    pub(super) fn copy_conf(&self, name: &str) -> io::Result<PathBuf> {
        let into = self.path(name);
        fs::create_dir_all(&into)?;
        for entry in fs::read_dir(&self.conf)? {
            let entry = entry?;
            // What is in folders is built into the program, too: messages for example.
            if entry.file_type()?.is_file() {
                fs::copy(entry.path(), into.join(entry.file_name()))?;
            }
        }
        Ok(into)
    }

    /// Runs one of our own commands that makes something.
    pub(super) fn make(&self, arguments: &[&str]) -> io::Result<()> {
        let output = Command::new(&self.lab).args(arguments).output()?;
        if output.status.success() {
            return Ok(());
        }
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        Err(io::Error::other(said))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What stays lies where temporary things are thrown away anyway.
        drop(fs::remove_dir_all(&self.path));
    }
}

/// A port of the loopback address that nobody has just now, neither in TCP nor, as a rule, in UDP.
pub(super) fn free_port() -> io::Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

/// Paths as arguments and in configurations.
pub(super) fn text(path: &Path) -> String {
    path.display().to_string()
}
