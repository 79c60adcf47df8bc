//! `[mail.upstreams]`, `[[mail.route]]` and `[mail.applications]`: where requests go that are let in.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use http::HeaderName;

use super::host::check_hosts;
use super::host::check_upstream;
use super::host::is_suffix;
use crate::document::Choice;
use crate::document::Section;
use crate::mail::Affinity;
use crate::mail::SignIn;
use crate::mail::UpstreamId;
use crate::mail::is_passed_on;
use crate::mail::known_application;
use crate::net::proxy_header::ProxyHeader;

/// An upstream: servers that all have the same mailboxes, or the same application.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upstream {
    /// Base URLs of its servers, without a path.
    pub urls: Vec<String>,
    /// Whether each address of a server's name is a server of its own.
    pub each_address: bool,
    /// The SRV records that name the servers; the one URL then says how they are spoken to.
    pub srv: Option<String>,
    /// PEM file of the authority that issued their certificates; the system's when `None`.
    pub ca: Option<PathBuf>,
    /// The name that their certificates are for, in place of the host of each URL.
    pub server_name: Option<String>,
    /// The path that each server is asked for to find out how it is; nobody is asked when `None`.
    pub check: Option<String>,
    /// How often.
    pub check_interval: Duration,
    /// Time for the answer.
    pub check_deadline: Duration,
    /// Whose requests stay with one server.
    pub affinity: Affinity,
    /// Whether connections begin with the address of the client.
    pub proxy_protocol: ProxyHeader,
    /// Addresses that connections leave from.
    pub source_addresses: Vec<IpAddr>,
    /// How long an idle connection is kept.
    pub idle: Duration,
    /// Other hosts by which upstreams mean this one when they send a user there.
    pub also_known: Vec<String>,
}

impl Default for Upstream {
    fn default() -> Self {
        Self {
            urls: Vec::new(),
            each_address: false,
            srv: None,
            ca: None,
            server_name: None,
            check: None,
            check_interval: Duration::from_secs(10),
            check_deadline: Duration::from_secs(5),
            affinity: Affinity::Device,
            proxy_protocol: ProxyHeader::Off,
            source_addresses: Vec::new(),
            idle: Duration::from_secs(4),
            also_known: Vec::new(),
        }
    }
}

/// One line of the map of mailboxes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MailRoute {
    /// Users by name, or all of a suffix: `*@example.org`.
    pub users: Vec<String>,
    /// Groups of the inventory, by their names at the source or their ids.
    pub groups: Vec<String>,
    /// Where their mailboxes are.
    pub upstream: String,
}

/// An application that is published beside ActiveSync.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Application {
    /// Under which of the published names; all when empty.
    pub hosts: Vec<String>,
    /// Under which path, and everything below it.
    pub path: String,
    /// The upstream that has it.
    pub upstream: String,
    /// The path that it has there.
    pub upstream_path: String,
    /// How its users say who they are.
    pub sign_in: SignIn,
    /// Request headers that pass beside the usual ones.
    pub pass_headers: Vec<String>,
    /// Hosts that it may send users to.
    pub redirects: Vec<String>,
}

impl Choice for Affinity {
    const ALL: &'static [(&'static str, Self)] = &[("device", Self::Device), ("user", Self::User)];
}

impl Choice for ProxyHeader {
    const ALL: &'static [(&'static str, Self)] =
        &[("off", Self::Off), ("v1", Self::V1), ("v2", Self::V2)];
}

impl Choice for SignIn {
    const ALL: &'static [(&'static str, Self)] = &[
        ("certificate", Self::Certificate),
        ("password", Self::Password),
    ];
}

/// Reads `[mail.upstreams.NAME]`. What stands under `default` is about `mail.upstream`.
pub(super) fn read(section: &Section<'_>) -> BTreeMap<String, Upstream> {
    let mut upstreams = BTreeMap::new();
    for entry in section.entries() {
        let mut table = section.table_of(&entry);
        let upstream = one(&mut table, &entry.name);
        for host in &upstream.also_known {
            let is_other = |(_, other): &(&String, &Upstream)| {
                let mut known = other.also_known.iter();
                known.any(|known| known.eq_ignore_ascii_case(host))
            };
            if let Some((other, _)) = upstreams.iter().find(is_other) {
                let message = format!("{} is the upstream {other} already", host.escape_debug());
                table.error("also_known", message);
            }
        }
        table.finish();
        upstreams.insert(entry.name, upstream);
    }
    upstreams
}

fn one(table: &mut Section<'_>, name: &str) -> Upstream {
    let mut upstream = Upstream::default();
    table.set("urls", &mut upstream.urls);
    let is_default = name == UpstreamId::DEFAULT;
    if is_default && !upstream.urls.is_empty() {
        table.error(
            "urls",
            "those of the default upstream stand at mail.upstream",
        );
    }
    if !is_default && upstream.urls.is_empty() {
        table.error("urls", "expected the base URL of one server at least");
    }
    if upstream.urls.len() > MAX_SERVERS {
        table.error("urls", format!("expected at most {MAX_SERVERS} servers"));
    }
    for url in &upstream.urls {
        if let Err(message) = check_upstream(url) {
            table.error("urls", message);
        }
    }
    table.set("each_address", &mut upstream.each_address);
    table.set("srv", &mut upstream.srv);
    if let Some(name) = &upstream.srv {
        if !is_service(name) {
            let message = "expected a name such as \"_https._tcp.exchange.example.com\"";
            table.error("srv", message);
        }
        if upstream.each_address {
            table.error("srv", "each of its addresses is a server anyway");
        }
        if !is_default && upstream.urls.len() > 1 {
            table.error("srv", ONE_URL);
        }
    }
    table.set("ca", &mut upstream.ca);
    table.set("server_name", &mut upstream.server_name);
    if let Some(name) = &upstream.server_name
        && rustls::pki_types::ServerName::try_from(name.as_str()).is_err()
    {
        table.error(
            "server_name",
            "expected a name that a certificate can be for",
        );
    }
    table.set("check", &mut upstream.check);
    if upstream.check.as_ref().is_some_and(|path| !is_path(path)) {
        table.error(
            "check",
            "expected a path such as /Microsoft-Server-ActiveSync/healthcheck.htm",
        );
    }
    let intervals = Duration::from_secs(1)..=Duration::from_hours(1);
    table.set_within("check_interval", intervals, &mut upstream.check_interval);
    let deadlines = Duration::from_secs(1)..=Duration::from_mins(1);
    table.set_within("check_deadline", deadlines, &mut upstream.check_deadline);
    table.set("affinity", &mut upstream.affinity);
    table.set("proxy_protocol", &mut upstream.proxy_protocol);
    let mut sources: Vec<String> = Vec::new();
    table.set("source_addresses", &mut sources);
    for source in sources {
        match source.parse() {
            Ok(address) => upstream.source_addresses.push(address),
            Err(_) => table.error(
                "source_addresses",
                format!("{} is no IP address", source.escape_debug()),
            ),
        }
    }
    let idle = Duration::from_millis(100)..=Duration::from_mins(5);
    table.set_within("idle", idle, &mut upstream.idle);
    table.set("also_known", &mut upstream.also_known);
    check_hosts(table, "also_known", &upstream.also_known);
    upstream
}

/// Reads `[[mail.route]]`.
pub(super) fn read_routes(
    sections: Vec<Section<'_>>,
    upstreams: &BTreeMap<String, Upstream>,
) -> Vec<MailRoute> {
    let mut routes = Vec::new();
    for mut section in sections {
        let mut route = MailRoute::default();
        section.set("users", &mut route.users);
        for user in route.users.iter().filter(|user| !is_whose(user)) {
            let found = user.escape_debug();
            let message =
                format!("expected a user, or *@example.org for all of a suffix; found \"{found}\"");
            section.error("users", message);
        }
        section.set("groups", &mut route.groups);
        if route.groups.iter().any(|group| group.trim().is_empty()) {
            let message = "expected the name of a group at its source, or its id; found \"\"";
            section.error("groups", message);
        }
        if route.users.is_empty() && route.groups.is_empty() {
            section.error("", "expected users or groups, else it is about nobody");
        }
        if let Some(upstream) = section.require("upstream", "\"cloud\"") {
            route.upstream = upstream;
            known(&section, &route.upstream, upstreams);
        }
        section.finish();
        routes.push(route);
    }
    routes
}

/// Reads `[mail.applications.NAME]`.
pub(super) fn read_applications(
    section: &Section<'_>,
    upstreams: &BTreeMap<String, Upstream>,
) -> BTreeMap<String, Application> {
    let mut applications: BTreeMap<String, Application> = BTreeMap::new();
    for entry in section.entries() {
        let mut table = section.table_of(&entry);
        let path = known_application(&entry.name).unwrap_or_default();
        let mut application = Application {
            hosts: Vec::new(),
            path: path.to_owned(),
            upstream: UpstreamId::DEFAULT.to_owned(),
            upstream_path: String::new(),
            sign_in: SignIn::default(),
            pass_headers: Vec::new(),
            redirects: Vec::new(),
        };
        table.set("hosts", &mut application.hosts);
        table.set("path", &mut application.path);
        let own = |path: &str| path.get(1..).is_some_and(|rest| !rest.is_empty());
        if !is_path(&application.path) || !own(&application.path) {
            table.error("path", "expected a path such as /intranet");
        } else if is_taken(&application.path) {
            table.error(
                "path",
                "ActiveSync, Autodiscover or a page of the gateway has this path",
            );
        }
        let mut others = applications.values();
        if others.any(|other| other.path.eq_ignore_ascii_case(&application.path)) {
            table.error("path", "another application has this path");
        }
        table.set("upstream", &mut application.upstream);
        known(&table, &application.upstream, upstreams);
        application.upstream_path.clone_from(&application.path);
        table.set("upstream_path", &mut application.upstream_path);
        if application.upstream_path != "/" && !is_path(&application.upstream_path) {
            table.error("upstream_path", "expected a path such as /intranet, or /");
        }
        table.set("sign_in", &mut application.sign_in);
        table.set("pass_headers", &mut application.pass_headers);
        for name in &application.pass_headers {
            let passes = name
                .parse::<HeaderName>()
                .is_ok_and(|name| is_passed_on(&name));
            if !passes {
                let name = name.escape_debug();
                let message = format!(
                    "{name} may not pass: whoever sends it could speak in the place of the gateway"
                );
                table.error("pass_headers", message);
            }
        }
        table.set("redirects", &mut application.redirects);
        check_hosts(&table, "redirects", &application.redirects);
        table.finish();
        applications.insert(entry.name, application);
    }
    applications
}

fn known(section: &Section<'_>, name: &str, upstreams: &BTreeMap<String, Upstream>) {
    if name != UpstreamId::DEFAULT && !upstreams.contains_key(name) {
        section.error("upstream", format!("no [mail.upstreams.{name}] is there"));
    }
}

/// A name, or `*@` and a suffix.
fn is_whose(text: &str) -> bool {
    match text.trim().strip_prefix("*@") {
        Some(suffix) => is_suffix(suffix),
        None => !text.trim().is_empty() && !text.contains('*') && !text.contains(char::is_control),
    }
}

/// A service, a protocol and a domain (RFC 2782).
fn is_service(name: &str) -> bool {
    let labels: Vec<&str> = name.trim_end_matches('.').split('.').collect();
    let good = |label: &&str| {
        let is_name = |octet: u8| octet.is_ascii_alphanumeric() || b"-_".contains(&octet);
        (1..=63).contains(&label.len()) && label.bytes().all(is_name)
    };
    let is_marked = |label: Option<&&str>| label.is_some_and(|label| label.starts_with('_'));
    name.len() <= 253
        && labels.len() >= 3
        && labels.iter().all(good)
        && is_marked(labels.first())
        && labels
            .get(1)
            .is_some_and(|label| label.eq_ignore_ascii_case("_tcp"))
}

/// Why an upstream with SRV records has no further URL.
pub const ONE_URL: &str = "SRV records name the servers of an upstream with one URL, which says how they \
     are spoken to";

/// A path without anything that two readers could read in two ways.
fn is_path(path: &str) -> bool {
    let good = |octet: u8| octet.is_ascii_alphanumeric() || b"-._~/".contains(&octet);
    let is_whole = path.len() == 1 || !path.ends_with('/');
    path.starts_with('/')
        && is_whole
        && path.bytes().all(good)
        && !path.contains("//")
        && !path.split('/').any(|part| part == "." || part == "..")
}

fn is_taken(path: &str) -> bool {
    let first = path.split('/').nth(1).unwrap_or_default();
    ["Microsoft-Server-ActiveSync", "autodiscover", "portreeve"]
        .iter()
        .any(|taken| taken.eq_ignore_ascii_case(first))
}

/// Servers of one upstream.
const MAX_SERVERS: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_has_a_protocol_and_a_domain_rfc2782() {
        for (name, good) in [
            ("_https._tcp.exchange.example.com", true),
            ("_https._tcp.example.com.", true),
            ("_eas-2._TCP.example", true),
            ("exchange.example.com", false),
            ("_https.example.com", false),
            ("_https._udp.example.com", false),
            ("_https._tcp", false),
            ("_https._tcp..com", false),
            ("_https._tcp.exchange example.com", false),
            ("", false),
        ] {
            assert_eq!(is_service(name), good, "row {name}");
        }
    }
}
