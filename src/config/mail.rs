//! What must hold between several keys of the mail plane.

use std::net::IpAddr;

use http::Uri;

use super::Draft;
use super::rules::is_loopback;
use super::rules::is_of_this_machine;
use crate::document::suggestion;
use crate::mail::SignIn;
use crate::model::Problem;

/// Every rule of the mail plane, if it has a door.
pub(super) fn check(draft: &Draft, problems: &mut Vec<Problem>) {
    applications(draft, problems);
    source_addresses(draft, problems);
    servers(draft, problems);
    default_suffix(draft, problems);
}

/// Names under which nobody comes, and what administers Exchange behind a password.
fn applications(draft: &Draft, problems: &mut Vec<Problem>) {
    let written = &draft.written.gateway;
    let mail = &draft.gateway.mail;
    let published = || mail.published_names.iter().map(String::as_str);
    for (name, application) in &mail.applications {
        let key = |key: &str| format!("mail.applications.{name}.{key}");
        for host in &application.hosts {
            if published().any(|known| known.eq_ignore_ascii_case(host)) {
                continue;
            }
            let mut message = format!(
                "expected one of mail.published_names, found \"{}\"",
                host.escape_debug()
            );
            if let Some(meant) = suggestion(host, published()) {
                message.push_str(&format!(": did you mean {meant}?"));
            }
            problems.push(written.error(&key("hosts"), message));
        }
        let paths = [&application.path, &application.upstream_path];
        let administers = paths.iter().any(|path| {
            let first = path.split('/').nth(1).unwrap_or_default();
            ADMINISTRATION
                .iter()
                .any(|one| one.eq_ignore_ascii_case(first))
        });
        if administers && application.sign_in == SignIn::Password {
            let message = "a password alone opens what administers Exchange: leave it closed, or \
                           with sign_in = \"certificate\"";
            problems.push(written.warning(&key("sign_in"), message));
        }
    }
}

/// Addresses that no connection can leave from.
fn source_addresses(draft: &Draft, problems: &mut Vec<Problem>) {
    for (name, upstream) in &draft.gateway.mail.upstreams {
        let is_elsewhere = |address: &&IpAddr| {
            !is_loopback(**address) && is_of_this_machine(**address) == Some(false)
        };
        for address in upstream.source_addresses.iter().filter(is_elsewhere) {
            let key = format!("mail.upstreams.{name}.source_addresses");
            let message = format!(
                "{address} is no address of this machine now: no connection can leave from it"
            );
            problems.push(draft.written.gateway.warning(&key, message));
        }
    }
}

/// Servers that stand twice in one list: each is asked, checked and counted as if it were two.
fn servers(draft: &Draft, problems: &mut Vec<Problem>) {
    let mail = &draft.gateway.mail;
    let others = mail.upstreams.iter();
    let others = others.map(|(name, one)| (format!("mail.upstreams.{name}.urls"), &one.urls));
    for (key, urls) in others.chain([("mail.upstream".to_owned(), &mail.upstream)]) {
        let mut seen: Vec<Origin> = Vec::with_capacity(urls.len());
        for url in urls {
            let Some(origin) = origin(url) else {
                // Told of already.
                continue;
            };
            if seen.contains(&origin) {
                let message = format!(
                    "{} stands here twice: it is asked as if it were two servers",
                    url.escape_debug()
                );
                problems.push(draft.written.gateway.warning(&key, message));
            }
            seen.push(origin);
        }
    }
}

/// Scheme, host and port.
type Origin = (Option<String>, String, Option<u16>);

/// The server of a base URL, whatever its spelling.
fn origin(url: &str) -> Option<Origin> {
    let uri: Uri = url.parse().ok()?;
    let usual = match uri.scheme_str() {
        Some("https") => Some(443),
        Some("http") => Some(80),
        Some(_) | None => None,
    };
    let scheme = uri.scheme_str().map(str::to_owned);
    let host = uri.host()?.to_ascii_lowercase();
    Some((scheme, host, uri.port_u16().or(usual)))
}

/// A suffix of names without one that is a domain with another suffix: `alice` and `EXAMPLE\alice` would
/// be two users.
fn default_suffix(draft: &Draft, problems: &mut Vec<Problem>) {
    let mail = &draft.gateway.mail;
    let Some(own) = mail.default_suffix.as_deref() else {
        return;
    };
    let mut pairs = mail.domains.iter().filter_map(|pair| pair.split_once('='));
    let same = pairs.find(|(domain, _)| domain.trim().eq_ignore_ascii_case(own));
    let Some((_, suffix)) = same else {
        return;
    };
    let suffix = suffix.trim();
    if !suffix.eq_ignore_ascii_case(own) {
        let message = format!(
            "{own} is a domain whose users are those of {suffix}: did you mean \"{suffix}\"? With this, \
             alice and {own}\\alice are two users"
        );
        let key = "mail.default_suffix";
        problems.push(draft.written.gateway.warning(key, message));
    }
}

/// The first part of the path of what administers Exchange.
const ADMINISTRATION: [&str; 2] = ["ecp", "powershell"];
