//! What a reload does not take over.

use std::fs;
use std::io;
use std::path::Path;
use std::time::Duration;

use crate::app::passwords::FILE as DIRECTORY;
use crate::config;
use crate::config::Config;
use crate::model::Problem;
use crate::model::Severity;

/// Settings of the new configuration that only a restart can take over.
pub(super) fn needs_restart(old: &Config, new: &Config) -> Vec<String> {
    [
        ("listen", old.listen != new.listen),
        ("workers", old.workers != new.workers),
        ("data", old.data != new.data),
        ("journal", old.journal != new.journal),
        ("history", old.history != new.history),
        ("accounting", old.accounting != new.accounting),
        ("bounds of radsec", radsec_bounds(old) != radsec_bounds(new)),
        (
            "mail, but for its certificates, messages and upstreams",
            mail_differs(old, new),
        ),
        (
            "eap.resumption_capacity and resumption_lifetime",
            resumption(old) != resumption(new),
        ),
        ("log", old.log != new.log),
        ("shutdown", old.shutdown != new.shutdown),
    ]
    .into_iter()
    .filter(|(_, differs)| *differs)
    .map(|(what, _)| what.to_owned())
    .collect()
}

/// Why a configuration cannot be meant that is to follow the running one: what it leaves out would send
/// everybody's mail and passwords to the server of the sample. A file that is being written looks so.
pub(super) fn is_cut_off(folder: &Path, old: &Config, new: &Config) -> Option<Problem> {
    let sample = config::Mail::default().upstream;
    (new.mail.upstream == sample && old.mail.upstream != sample).then(|| Problem {
        file: folder.join("gateway.toml").display().to_string(),
        line: None,
        key: "mail.upstream".to_owned(),
        message: format!(
            "is missing, or the server of the sample, and was {}; only a restart goes back to the sample's",
            old.mail.upstream.join(", ")
        ),
        severity: Severity::Error,
    })
}

/// Files that are missing or empty, and had something that is in force. They are being written; who means to
/// have nothing in one leaves a comment there.
pub(super) fn lost_files(folder: &Path, old: &Config, has_directories: bool) -> Vec<Problem> {
    [
        ("nas.toml", !old.nas.is_empty() || !old.peers.is_empty()),
        ("users.toml", !old.users.is_empty()),
        (
            "proxy.toml",
            !old.homes.is_empty() || !old.realms.is_empty(),
        ),
        (DIRECTORY, has_directories),
    ]
    .into_iter()
    .filter(|(name, had)| *had && is_blank(&folder.join(name)))
    .map(|(name, _)| Problem {
        file: folder.join(name).display().to_string(),
        line: None,
        key: String::new(),
        message: "is missing or empty, which is taken for a file that is being written; a comment in it would say \
                  that this is meant"
            .to_owned(),
        severity: Severity::Error,
    })
    .collect()
}

/// What cannot be read is told of elsewhere.
fn is_blank(path: &Path) -> bool {
    match fs::read(path) {
        Ok(octets) => octets.trim_ascii().is_empty(),
        Err(error) => error.kind() == io::ErrorKind::NotFound,
    }
}

/// What of RADIUS over TLS a reload does not take over.
const fn radsec_bounds(config: &Config) -> (usize, usize, Duration) {
    let radsec = &config.radsec;
    (
        radsec.max_connections,
        radsec.max_connections_per_address,
        radsec.idle_timeout,
    )
}

/// Sessions that were kept count on, by what was said when they were.
const fn resumption(config: &Config) -> (usize, Duration) {
    let eap = &config.eap;
    (eap.resumption_capacity, eap.resumption_lifetime)
}

/// Whether anything differs but the front's certificates, what people are told, the upstreams, and who
/// is where.
fn mail_differs(old: &Config, new: &Config) -> bool {
    let known = old.mail.clone();
    // Its waits and bounds are taken over; its server is not.
    let mut notify = new.mail.notify.clone();
    notify.care = known.notify.care;
    old.mail
        != config::Mail {
            certificate: known.certificate,
            key: known.key,
            client_ca: known.client_ca,
            quarantine: known.quarantine,
            message: known.message,
            notify,
            upstream: known.upstream,
            upstream_ca: known.upstream_ca,
            upstreams: known.upstreams,
            routes: known.routes,
            learn_redirects: known.learn_redirects,
            autodiscover: known.autodiscover,
            applications: known.applications,
            ..new.mail.clone()
        }
}
