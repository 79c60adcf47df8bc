//! Portreeve, a network access control gateway: RADIUS/EAP server and Exchange ActiveSync front
//! that let a connection in by the health of its device.
//!
//! Every plane asks one question, *may this device, with this user, in?* The question is answered
//! in one room, without waiting, from facts that others supplied earlier; everything that touches
//! the outside world is a thin shell around that.
//!
//! ```text
//!    supplicant              device (mail)              operator       Intune, Entra, files
//!        | EAPOL                   | HTTPS                  |                  ^
//!      [NAS]                       |                        |                  | HTTPS
//!        | Access-Request          |                        |                  |
//! =======|=========================|========================|==================|====== shells
//!   net::radius, pool       net::eas --- net::upstream   net::control        sync
//!        | octets, Now             | head        ^          |                  |
//!        v                         v             | Permit   | explain          | Writer::apply
//!   +--network------------+  +--mail-------------+------+   |                  |
//!   | datagram to reply   |  | head to Action           |   |                  |
//!   +-----|---------|-----+  +-----|--------------------+   |                  |
//!    radius, eap    |           eas                         |                  |
//!         |         +----- access: decide(Subject, Now) ----+---> journal      |
//!         |                    |                  |                            |
//!         |             policy::evaluate   inventory::Reader <-----------------+  cores
//!         |             (pure)             (lock-free)
//!   ------------------------------- model ------------------------------------- words
//! ```
//!
//! # Rooms
//!
//! A room is a file of this folder with the folder of the same name. What a room may name is
//! enforced by `tests/architecture.rs`, which reads this table.
//!
//! | room | kind | owns | may name |
//! | --- | --- | --- | --- |
//! | `model` | core | the words every plane uses | |
//! | `trust` | core | chains of client certificates and revocation lists, verified | `model` |
//! | `radius` | core | RADIUS octets, signatures, duplicates, NAS table, what DNS says of realms | `model` |
//! | `eap` | core | EAP octets, conversations, methods, keys | `trust`, `model` |
//! | `wbxml` | core | WBXML octets and code pages | |
//! | `eas` | core | ActiveSync request heads, commands, refusals, quarantine | `wbxml`, `model` |
//! | `document` | core | TOML texts read key by key, every problem with its line | `model` |
//! | `message` | core | what people are told: templates, languages, the check-again page | `document`, `model` |
//! | `policy` | core | rules, their evaluation, their lint | `document`, `model` |
//! | `inventory` | core | the lock-free cache of devices, users, groups and mail clients | `model` |
//! | `access` | core | the decision: subject, facts and policy meet; permits, sessions, records | `policy`, `inventory`, `model` |
//! | `network` | core | the RADIUS server without sockets; proxying and its home servers | `access`, `radius`, `eap`, `model` |
//! | `mail` | core | the gateway of ActiveSync, Autodiscover and published applications, without sockets | `access`, `eas`, `message`, `model` |
//! | `store` | shell | files on disk: what is durable, and when an answer may say so | `model` |
//! | `journal` | shell | decision records on disk and in memory | `access`, `store`, `model` |
//! | `net` | shell | listening sockets, TLS, timers, handshake workers, control socket, metrics | `network`, `mail`, `access`, `radius`, `eas`, `journal`, `trust`, `model` |
//! | `sync` | shell | pulling facts from files and management systems | `inventory`, `document`, `model` |
//! | `revocation` | shell | fetching revocation lists and OCSP answers, lists on disk | `trust`, `store`, `model` |
//! | `directory` | shell | asking who a user is: users file, LDAP, Active Directory | `document`, `model` |
//! | `notify` | shell | messages to users: mail by SMTP | `model` |
//! | `probe` | shell | clients of our own: RADIUS, the EAP peer, ActiveSync | `radius`, `eap`, `eas`, `directory`, `model` |
//! | `config` | shell | files to typed configuration | `*` |
//! | `app` | shell | building, wiring, reloading, draining | `*` |
//! | `cli` | shell | commands | `*` |
//!
//! # The contract of a core
//!
//! A core takes time ([`model::Now`]), randomness and octets as arguments and returns values. It
//! never awaits, logs above TRACE, reads a clock, opens a file or spawns. Its verbs stand in this
//! order: `handle_*(now, …)`, `handle_timeout(now)`, `poll_transmit()`, `poll_job()`,
//! `poll_event()`, `poll_timeout()`. Work that is slow leaves as a job that owns what it works on
//! and comes back by `handle_job(now, done)`.
//!
//! # Where this departs from its own plan
//!
//! * The verdict of an EAP-TLS conversation is asked for *inside* the handshake, through
//!   [`eap::Judge`], and not after it: the TLS library makes tickets and its own Finished while
//!   it handles the peer's last flight, so a verdict that came later could neither withhold a
//!   ticket nor send a true alert.
//! * The mail front speaks HTTP/1.1 itself, heads read by `httparse`: a library's connections cost a
//!   task, channels and 32 KiB of buffers for each waiting Ping. HTTP/2 stays with the library.
//! * LDAP is spoken by a client of our own (`directory/ldap`): the library for it reads what a server
//!   sends with recursion and panics, before TLS too, where it may be anybody's.
//! * `probe` is a room of its own, because the `probe` command, the load generator and the tests
//!   share its supplicant.
//!
//! # Reading order
//!
//! `main.rs`, `app.rs`, `network.rs`, `access/decide.rs`, `policy/evaluate.rs`,
//! `inventory/cache.rs`, then any codec.

pub mod access;
pub mod app;
pub mod cli;
pub mod config;
pub mod directory;
pub mod document;
pub mod eap;
pub mod eas;
pub mod inventory;
pub mod journal;
pub mod mail;
pub mod message;
pub mod model;
pub mod net;
pub mod network;
pub mod notify;
pub mod policy;
pub mod probe;
pub mod radius;
pub mod revocation;
pub mod store;
pub mod sync;
pub mod trust;
pub mod wbxml;
