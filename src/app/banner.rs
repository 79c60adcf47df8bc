//! What is printed when the gateway is up: what listens where, what is loaded, what to try.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use crate::model::Timestamp;

/// The facts of the banner.
#[derive(Debug)]
pub(super) struct Banner {
    pub(super) authentication: Vec<SocketAddr>,
    pub(super) accounting: Vec<SocketAddr>,
    pub(super) radsec: Vec<SocketAddr>,
    pub(super) mail: Vec<SocketAddr>,
    pub(super) metrics: Vec<SocketAddr>,
    pub(super) control: PathBuf,
    pub(super) devices: usize,
    pub(super) users: usize,
    pub(super) policies: usize,
    /// When the snapshot was written that the inventory comes from, and its age.
    pub(super) restored: Option<(Timestamp, Duration)>,
    pub(super) warnings: Vec<String>,
    /// Commands to paste, each with what it shows.
    pub(super) tries: Vec<(String, String)>,
}

impl fmt::Display for Banner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "Portreeve {} is up.", env!("CARGO_PKG_VERSION"))?;
        writeln!(f)?;
        for (what, addresses) in [
            ("RADIUS authentication (UDP)", &self.authentication),
            ("RADIUS accounting (UDP)", &self.accounting),
            ("RADIUS over TLS (TCP)", &self.radsec),
            ("ActiveSync front (TLS)", &self.mail),
            ("metrics and health (HTTP)", &self.metrics),
        ] {
            if !addresses.is_empty() {
                let addresses: Vec<_> = addresses.iter().map(SocketAddr::to_string).collect();
                writeln!(f, "  {what:<28} {}", addresses.join(", "))?;
            }
        }
        writeln!(f, "  {:<28} {}", "control socket", self.control.display())?;
        writeln!(f)?;
        writeln!(
            f,
            "  {} devices, {} users, {} policies are loaded.",
            self.devices, self.users, self.policies
        )?;
        if let Some((at, age)) = self.restored {
            let age = age.as_secs();
            writeln!(
                f,
                "  Devices and users are those of the snapshot of {at}, {age} s old; the sources refresh them now."
            )?;
        }
        for warning in &self.warnings {
            // It says itself that it is a warning, and of what.
            writeln!(f, "  {warning}")?;
        }
        if !self.tries.is_empty() {
            writeln!(f)?;
            writeln!(f, "  Try it from another terminal in this folder:")?;
            for (what, command) in &self.tries {
                writeln!(f)?;
                writeln!(f, "    # {what}")?;
                writeln!(f, "    {command}")?;
            }
        }
        writeln!(f)?;
        write!(
            f,
            "  Ctrl-C stops it; kill -HUP makes it read its configuration again."
        )
    }
}
