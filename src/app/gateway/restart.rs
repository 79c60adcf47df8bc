//! What a reload does not take over.

use std::time::Duration;

use crate::config;
use crate::config::Config;

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
            "mail, but for its certificates and messages",
            mail_differs(old, new),
        ),
        ("log", old.log != new.log),
    ]
    .into_iter()
    .filter(|(_, differs)| *differs)
    .map(|(what, _)| what.to_owned())
    .collect()
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

/// Whether anything but the front's certificates and what people are told differs.
fn mail_differs(old: &Config, new: &Config) -> bool {
    let old = old.mail.clone();
    let new = new.mail.clone();
    let (certificate, key, client_ca) = (
        old.certificate.clone(),
        old.key.clone(),
        old.client_ca.clone(),
    );
    let (quarantine, message) = (old.quarantine, old.message.clone());
    // Its waits and bounds are taken over; its server is not.
    let mut notify = new.notify.clone();
    notify.care = old.notify.care.clone();
    old != config::Mail {
        certificate,
        key,
        client_ca,
        quarantine,
        message,
        notify,
        ..new
    }
}
