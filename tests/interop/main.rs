//! Third-party programs against the real gateway on loopback; `tests/run` installs them.
#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "tests: a failure ends them, and real programs live in real time"
)]

#[path = "../support/gateway.rs"]
mod gateway;

mod active_sync;
mod applications;
mod cable;
mod certificate;
mod coa;
mod dictionaries;
mod discovery;
mod eap_tls;
mod eap_tunnel;
mod eapol_test;
mod freeradius;
mod held;
mod home_tls;
mod ldap;
mod ldap_certificates;
mod mail;
mod nginx;
mod openvpn;
mod overlay;
mod pki;
mod ports;
mod radclient;
mod radsec;
mod radsecproxy;
mod redirects;
mod refusals;
mod replies;
mod revocation;
mod samba;
mod slapd;
mod smtp;
mod sogo;
mod srv;
mod strongswan;
mod teap;
mod templates;
mod tls_policy;
mod tokens;
mod upstreams;
mod vpn;
mod winbind;
mod wipe;
mod wired;
