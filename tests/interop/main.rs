//! Third-party programs against the real gateway on loopback; `tests/run` installs them.
#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "tests: a failure ends them, and real programs live in real time"
)]

#[path = "../support/gateway.rs"]
mod gateway;

mod active_sync;
mod certificate;
mod dictionaries;
mod discovery;
mod eap_tls;
mod eap_tunnel;
mod eapol_test;
mod freeradius;
mod held;
mod home_tls;
mod ldap;
mod mail;
mod nginx;
mod overlay;
mod pki;
mod radclient;
mod radsec;
mod radsecproxy;
mod slapd;
mod sogo;
mod templates;
mod winbind;
mod wired;
