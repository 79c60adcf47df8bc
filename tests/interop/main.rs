//! Third-party programs against the real gateway on loopback; `tests/run` installs them.
#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "tests: a failure ends them, and real programs live in real time"
)]

#[path = "../support/gateway.rs"]
mod gateway;

mod certificate;
mod eap_tls;
mod eapol_test;
mod held;
mod ldap;
mod mail;
mod nginx;
mod radclient;
mod slapd;
mod winbind;
mod wired;
