//! What must hold between several keys.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::net::SocketAddr;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileTypeExt;
use std::path::Path;

use nix::ifaddrs::InterfaceAddress;
use nix::ifaddrs::getifaddrs;

use super::Draft;
use super::default;
use super::gateway::Gateway;
use super::mail;
use super::text::ReadError;
use super::text::open_to_others;
use super::users;
use crate::document::suggestion;
use crate::mail::Quarantine;
use crate::model::Problem;
use crate::model::Secret;
use crate::model::Severity;
use crate::network::Method;
use crate::radius::PeerTable;

/// Every rule that needs no other file to be opened but those of `sample`, the files in use that
/// are of the sample PKI.
pub(super) fn check(draft: &Draft, sample: &BTreeSet<String>) -> Vec<Problem> {
    let mut problems = Vec::new();
    ports(draft, &mut problems);
    control_socket(draft, &mut problems);
    folders(draft, &mut problems);
    groups(draft, &mut problems);
    loops(draft, &mut problems);
    methods(draft, &mut problems);
    teap(draft, &mut problems);
    upstream(draft, &mut problems);
    mail::check(draft, &mut problems);
    let Some((key, address)) = beyond_loopback(&draft.gateway) else {
        return problems;
    };
    for file in sample {
        problems.push(draft.written.gateway.error(
            &key,
            format!(
                "{address} can be reached by others, and {file} is of the sample PKI, whose keys \
                 lie beside it: use certificates of your own, or listen on loopback only"
            ),
        ));
    }
    sample_users(draft, address, &mut problems);
    untold_users(draft, &mut problems);
    if let Some((user, mode)) = draft
        .users
        .iter()
        .find(|user| !user.entry.password.is_slow())
        .zip(open_to_others(Path::new(&draft.written.users.file)))
    {
        let message = format!(
            "this user's password can be used by whoever reads the file, and its mode is \
             {mode:04o}: chmod 600 {}",
            draft.written.users.file
        );
        problems.push(draft.written.users.warning(&user.key, message));
    }
    problems
}

/// Devices that have real folders are told nothing in quarantine but by mail to their users.
fn untold_users(draft: &Draft, problems: &mut Vec<Problem>) {
    let Gateway { listen, mail, .. } = &draft.gateway;
    let is_mailbox = mail.quarantine == Quarantine::Mailbox;
    let is_for_others = listen.mail.iter().any(|address| !is_loopback(address.ip()));
    if is_for_others && is_mailbox && mail.notify.host.is_none() {
        let message = "none is set: users whose devices hold their real folders, as all do on the first day, are \
                       told nothing when their mail is held back, for no message is put into those";
        let written = &draft.written.gateway;
        problems.push(written.warning("mail.notify.host", message.to_owned()));
    }
}

/// Warns of `.toml` files that nobody reads, which are misspelt ones as a rule.
pub(super) fn unknown_files(folder: &Path) -> Vec<Problem> {
    let problem = |file: &Path, severity: Severity, message: String| Problem {
        file: file.display().to_string(),
        line: None,
        key: String::new(),
        message,
        severity,
    };
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) => {
            let message = ReadError::from(error).to_string();
            return vec![problem(folder, Severity::Error, message)];
        }
    };
    let mut names: Vec<String> = entries
        .flatten()
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter(|name| name.ends_with(".toml") && !name.starts_with('.'))
        .filter(|name| !KNOWN_FILES.contains(&name.as_str()))
        .collect();
    names.sort();
    names
        .into_iter()
        .map(|name| {
            let message = match suggestion(&name, KNOWN_FILES) {
                Some(meant) => format!("is not read, did you mean {meant}?"),
                None => format!(
                    "is not read, the files of this folder are {}",
                    KNOWN_FILES.join(", ")
                ),
            };
            problem(&folder.join(name), Severity::Warning, message)
        })
        .collect()
}

/// The first listening address that other machines may reach, with its key.
pub(super) fn beyond_loopback(gateway: &Gateway) -> Option<(String, SocketAddr)> {
    let listen = &gateway.listen;
    [
        ("listen.authentication", &listen.authentication),
        ("listen.accounting", &listen.accounting),
        ("listen.radsec", &listen.radsec),
        ("listen.mail", &listen.mail),
        ("listen.metrics", &listen.metrics),
    ]
    .into_iter()
    .find_map(|(key, addresses)| {
        let address = addresses
            .iter()
            .find(|address| !is_loopback(address.ip()))?;
        Some((key.to_owned(), *address))
    })
}

pub(super) fn is_loopback(address: IpAddr) -> bool {
    address.to_canonical().is_loopback()
}

/// Two sockets of one protocol on one port cannot both be bound.
fn ports(draft: &Draft, problems: &mut Vec<Problem>) {
    let listen = &draft.gateway.listen;
    let doors = [
        ("listen.authentication", "UDP", &listen.authentication),
        ("listen.accounting", "UDP", &listen.accounting),
        ("listen.radsec", "TCP", &listen.radsec),
        ("listen.mail", "TCP", &listen.mail),
        ("listen.metrics", "TCP", &listen.metrics),
    ];
    let written = &draft.written.gateway;
    let mut taken: Vec<(&str, &str, SocketAddr)> = Vec::new();
    for (key, protocol, addresses) in doors {
        for &address in addresses {
            let clash = taken.iter().find(|(_, other_protocol, other)| {
                *other_protocol == protocol && clash(*other, address)
            });
            if let Some((other_key, _, other)) = clash {
                let message = format!("{protocol} {address} is taken by {other} of {other_key}");
                problems.push(written.error(key, message));
            }
            taken.push((key, protocol, address));
        }
    }
    if let Some(address) = listen
        .metrics
        .iter()
        .find(|address| !is_loopback(address.ip()))
    {
        let message = format!("whoever reaches {address} can read the metrics: there is no login");
        problems.push(written.warning("listen.metrics", message));
    }
}

/// Port 0 lets the system choose, so it never clashes.
fn clash(one: SocketAddr, other: SocketAddr) -> bool {
    let same_family = one.is_ipv4() == other.is_ipv4();
    let same_address =
        one.ip() == other.ip() || one.ip().is_unspecified() || other.ip().is_unspecified();
    one.port() != 0 && one.port() == other.port() && same_family && same_address
}

/// Folders that cannot be made because a file has their name.
fn folders(draft: &Draft, problems: &mut Vec<Problem>) {
    let gateway = &draft.gateway;
    for (key, folder) in [
        ("data.folder", &gateway.data.folder),
        ("journal.folder", &gateway.journal.folder),
        ("history.folder", &gateway.history.folder),
        ("accounting.folder", &gateway.accounting.folder),
        ("revocation.folder", &gateway.revocation.folder),
    ] {
        let mut above = folder.ancestors();
        let file = above.find(|path| path.symlink_metadata().is_ok());
        if let Some(file) = file.filter(|path| !path.is_dir()) {
            let message = format!("{} is there and no folder", file.display());
            problems.push(draft.written.gateway.error(key, message));
        }
    }
}

/// Doors that nobody can come through; for files that could be read, as a mistake in one leaves it
/// empty.
pub(super) fn doors(draft: &Draft, problems: &mut Vec<Problem>) {
    let listen = &draft.gateway.listen;
    if draft.is_radius_closed() && listen.mail.is_empty() {
        let message = "no door is open: authentication, accounting, radsec and mail are all empty";
        problems.push(draft.written.gateway.warning("listen", message.to_owned()));
    }
    radsec(draft, problems);
    if !draft.is_radius_closed() && draft.nas.is_empty() {
        let message = "no NAS is named, so that every RADIUS packet is dropped";
        problems.push(draft.written.nas.warning("nas", message.to_owned()));
    }
}

/// RADIUS over TLS needs an authority for its clients and clients that it may issue for.
fn radsec(draft: &Draft, problems: &mut Vec<Problem>) {
    let written = &draft.written;
    let over_tls = draft.nas.iter().find(|entry| entry.is_over_tls());
    if draft.gateway.listen.is_open_to_radsec() {
        if draft.gateway.radsec.client_ca.is_empty() {
            let message = "names no authority, so that no NAS could connect: name the one that \
                           issues their certificates, and nothing else's";
            let message = message.to_owned();
            problems.push(written.gateway.error("radsec.client_ca", message));
        }
        let eap = &draft.gateway.eap.client_ca;
        let shared = draft.gateway.radsec.client_ca.iter();
        for path in shared.filter(|path| eap.contains(path)) {
            let message = format!(
                "{} issues the devices' certificates too (eap.client_ca): NASes need an authority \
                 of their own, or a device with the right name is one",
                path.display()
            );
            problems.push(written.gateway.warning("radsec.client_ca", message));
        }
        if over_tls.is_none() {
            let message = "no NAS of nas.toml has certificate_name or certificate_fingerprint, so \
                           that every connection is refused";
            let message = message.to_owned();
            problems.push(written.gateway.warning("listen.radsec", message));
        }
    } else if let Some(entry) = over_tls.filter(|entry| entry.secret.is_none()) {
        let message = "comes over TLS only, and listen.radsec of gateway.toml is empty";
        problems.push(written.nas.warning(&entry.key, message.to_owned()));
    }
    let peers = draft.nas.iter().filter_map(super::nas::Entry::over_tls);
    for error in PeerTable::new(peers.collect()).err().unwrap_or_default() {
        let entry = draft.nas.iter().find(|entry| entry.name == error.name);
        let key = entry.map_or("nas", |entry| &entry.key);
        problems.push(written.nas.error(key, error.to_string()));
    }
}

fn control_socket(draft: &Draft, problems: &mut Vec<Problem>) {
    let path = &draft.gateway.data.control_socket;
    let length = path.as_os_str().as_bytes().len();
    if length > MAX_SOCKET_PATH {
        problems.push(draft.written.gateway.error(
            "data.control_socket",
            format!(
                "{} has {length} octets, a socket's path may have {MAX_SOCKET_PATH}",
                path.display()
            ),
        ));
    }
    let found = std::fs::symlink_metadata(path);
    if found.is_ok_and(|found| !found.file_type().is_socket()) {
        problems.push(draft.written.gateway.error(
            "data.control_socket",
            format!(
                "{} is there and no socket: name another path",
                path.display()
            ),
        ));
    }
}

fn groups(draft: &Draft, problems: &mut Vec<Problem>) {
    let known: Vec<&str> = draft.nas.iter().map(|nas| nas.group.as_str()).collect();
    let enforced = draft.gateway.enforcement.groups.keys();
    let enforced = enforced.map(|group| ("enforce", group));
    let methods = draft.gateway.methods.groups.keys();
    let tls = draft.gateway.eap.groups.keys();
    let tls = tls.map(|group| ("eap", group));
    let methods = methods.map(|group| ("methods", group));
    for (section, group) in enforced.chain(methods).chain(tls) {
        if known.contains(&group.as_str()) {
            continue;
        }
        let mut message = "no NAS of nas.toml is in this group".to_owned();
        if let Some(meant) = suggestion(group, known.iter().copied()) {
            message.push_str(&format!(", did you mean {meant}?"));
        }
        let key = format!("{section}.group.{group}");
        problems.push(draft.written.gateway.warning(&key, message));
    }
}

/// Home servers that are this gateway: what goes to them comes back, and goes to them again.
fn loops(draft: &Draft, problems: &mut Vec<Problem>) {
    let written = &draft.written.proxy;
    for home in &draft.proxy.homes {
        for (key, address, ours) in home.addresses(&draft.gateway.listen) {
            let is_it = |ours: &&SocketAddr| is_at(**ours, address);
            if let Some(ours) = ours.iter().find(is_it) {
                let message = format!(
                    "{address} is this gateway itself ({ours} of gateway.toml): its requests would go round \
                     and round"
                );
                problems.push(written.error(&key, message));
            }
        }
    }
}

/// Whether what is sent to `address` arrives at a socket of ours that listens at `ours`.
fn is_at(ours: SocketAddr, address: SocketAddr) -> bool {
    let (here, there) = (ours.ip().to_canonical(), address.ip().to_canonical());
    let is_any = here.is_unspecified() && (here.is_ipv6() || there.is_ipv4());
    ours.port() == address.port()
        && (here == there
            || is_any && (is_loopback(there) || is_of_this_machine(there) == Some(true)))
}

/// Whether an interface has this address now; `None` if that cannot be known.
pub(super) fn is_of_this_machine(address: IpAddr) -> Option<bool> {
    let has_it = |interface: InterfaceAddress| {
        let storage = interface.address?;
        let v4 = storage.as_sockaddr_in().map(|at| IpAddr::V4(at.ip()));
        v4.or_else(|| storage.as_sockaddr_in6().map(|at| IpAddr::V6(at.ip())))
    };
    let mut own = getifaddrs().ok()?.filter_map(has_it);
    Some(own.any(|own| own == address))
}

/// Methods that are switched on and should not be without a thought.
fn methods(draft: &Draft, problems: &mut Vec<Problem>) {
    for (key, message) in draft.gateway.methods.weaknesses() {
        problems.push(draft.written.gateway.warning(&key, message.to_owned()));
    }
}

/// TEAP that TLS 1.3 alone is left for, against its own bound.
fn teap(draft: &Draft, problems: &mut Vec<Problem>) {
    let (eap, methods) = (&draft.gateway.eap, &draft.gateway.methods);
    let own = [("eap".to_owned(), &eap.tls, &methods.default)];
    let groups = eap.groups.iter().map(|(name, tls)| {
        let allowed = methods.groups.get(name).unwrap_or(&methods.default);
        (format!("eap.group.{name}"), tls, allowed)
    });
    for (section, tls, allowed) in own.into_iter().chain(groups) {
        let lowest = tls.tunnel_tls_min.unwrap_or(tls.tls_min);
        // Where no version is left, that is said already.
        let is_some_left = lowest <= tls.tunnel_tls_max.unwrap_or(tls.tls_max);
        if allowed.methods.contains(&Method::Teap) && lowest > eap.teap.tls_max && is_some_left {
            let message = "TEAP is allowed here and left with TLS 1.3, which hardly any device speaks it in \
                           (see tls_max in [eap.teap]): set tunnel_tls_min = \"1.2\", or leave teap out of \
                           [methods]";
            let key = format!("{section}.tls_min");
            problems.push(draft.written.gateway.warning(&key, message.to_owned()));
        }
    }
}

/// Passwords go to the upstream, so plain HTTP may not leave the machine unnoticed.
fn upstream(draft: &Draft, problems: &mut Vec<Problem>) {
    let mail = &draft.gateway.mail;
    let own = mail
        .upstream
        .iter()
        .map(|url| ("mail.upstream".to_owned(), url));
    let others = mail.upstreams.iter().flat_map(|(name, upstream)| {
        let key = format!("mail.upstreams.{name}.urls");
        upstream.urls.iter().map(move |url| (key.clone(), url))
    });
    for (key, url) in own.chain(others) {
        let Ok(uri) = url.parse::<http::Uri>() else {
            continue;
        };
        let host = uri.host().unwrap_or("").trim_matches(['[', ']']);
        let local = host == "localhost" || host.parse().is_ok_and(is_loopback);
        if uri.scheme_str() == Some("http") && !local {
            problems.push(draft.written.gateway.warning(
                &key,
                "passwords travel to the upstream unencrypted, use https://",
            ));
        }
    }
}

/// The sample's passwords are public knowledge.
fn sample_users(draft: &Draft, address: SocketAddr, problems: &mut Vec<Problem>) {
    let sample = sample_entries();
    for user in &draft.users {
        let stored = &user.entry.password;
        let copied = sample
            .iter()
            .any(|(known, _)| known.entry.password.same_as(stored));
        let kept = sample.iter().any(|(known, password)| {
            known.entry.name == user.entry.name && stored.matches(password.expose())
        });
        if copied || kept {
            problems.push(draft.written.users.error(
                &user.key,
                format!(
                    "{} has a password of the sample users.toml, which everybody knows, and {address} \
                     can be reached by others: change it or remove the user",
                    user.entry.name
                ),
            ));
        }
    }
}

/// The users of the sample file with the passwords that its comments name.
fn sample_entries() -> Vec<(users::Keyed, Secret)> {
    let text = default::FILES
        .iter()
        .find(|(name, _)| *name == "users.toml")
        .map_or("", |(_, text)| *text);
    let (users, _, _) = crate::document::read("users.toml", text, users::read);
    users
        .into_iter()
        .map(|user| {
            let name = user.entry.name.as_str();
            let account = name.split_once('@').map_or(name, |(account, _)| account);
            let password = format!("{account}-sample");
            (user, Secret::new(password.into_bytes()))
        })
        .collect()
}

/// Files of the conf folder that some room reads.
const KNOWN_FILES: [&str; 7] = [
    "gateway.toml",
    "nas.toml",
    "users.toml",
    "policy.toml",
    "source.toml",
    "proxy.toml",
    "directory.toml",
];
/// Octets of `sun_path` on Linux without the final zero (unix(7)).
const MAX_SOCKET_PATH: usize = 107;
