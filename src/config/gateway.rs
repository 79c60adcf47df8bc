//! `gateway.toml`: the keys of everything but NASes and users.

use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use super::dictionaries::Dictionaries;
use super::enforcement;
use super::host::check_domains;
use super::host::check_hosts;
use super::host::check_upstream;
use super::host::is_suffix;
use super::methods;
use super::methods::Methods;
use super::passwords::Passwords;
use super::revocation::Revocation;
use super::sessions;
use super::settings::Accounting;
use super::settings::Certificates;
use super::settings::Data;
use super::settings::Eap;
use super::settings::History;
use super::settings::Journal;
use super::settings::Listen;
use super::settings::Log;
use super::settings::Mail;
use super::settings::Radsec;
use super::settings::Shutdown;
use super::settings::Workers;
use super::upstreams;
use crate::access::Silence;
use crate::document::Octets;
use crate::document::Section;
use crate::eap::MAX_PACKET;
use crate::eap::MAX_TICKETS;
use crate::eap::MIN_PACKET;
use crate::eap::Resumption;
use crate::eap::TeapSettings;
use crate::mail::Bearer;
use crate::mail::UserHeader;

/// The file as read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Gateway {
    /// Where relative paths start, itself relative to the conf folder.
    pub(super) base: PathBuf,
    pub(super) listen: Listen,
    pub(super) data: Data,
    pub(super) certificates: Certificates,
    pub(super) eap: Eap,
    pub(super) radsec: Radsec,
    pub(super) revocation: Revocation,
    pub(super) workers: Workers,
    pub(super) mail: Mail,
    pub(super) journal: Journal,
    pub(super) history: History,
    pub(super) accounting: Accounting,
    pub(super) log: Log,
    pub(super) shutdown: Shutdown,
    pub(super) sessions: Silence,
    pub(super) methods: Methods,
    pub(super) passwords: Passwords,
    pub(super) enforcement: enforcement::Written,
    pub(super) dictionaries: Dictionaries,
}

impl Default for Gateway {
    fn default() -> Self {
        Self {
            base: "..".into(),
            listen: Listen::default(),
            data: Data::default(),
            certificates: Certificates::default(),
            eap: Eap::default(),
            radsec: Radsec::default(),
            revocation: Revocation::default(),
            workers: Workers::default(),
            mail: Mail::default(),
            journal: Journal::default(),
            history: History::default(),
            accounting: Accounting::default(),
            log: Log::default(),
            shutdown: Shutdown::default(),
            sessions: Silence::default(),
            methods: Methods::default(),
            passwords: Passwords::default(),
            enforcement: enforcement::Written::default(),
            dictionaries: Dictionaries::default(),
        }
    }
}

impl Gateway {
    /// Reads the file over the defaults.
    pub(super) fn read(section: &mut Section<'_>) -> Self {
        let mut gateway = Self::default();
        section.set("base", &mut gateway.base);
        gateway.listen.read(section.child("listen"));
        gateway.data.read(section.child("data"));
        gateway.certificates.read(section.child("certificates"));
        gateway.eap.read(section.child("eap"));
        gateway.radsec.read(section.child("radsec"));
        gateway.revocation.read(section.child("revocation"));
        gateway.workers.read(section.child("workers"));
        gateway.mail.read(section.child("mail"));
        gateway.journal.read(section.child("journal"));
        gateway.history.read(section.child("history"));
        gateway.accounting.read(section.child("accounting"));
        gateway.log.read(section.child("log"));
        gateway.shutdown.read(section.child("shutdown"));
        sessions::read(&mut gateway.sessions, section.child("sessions"));
        gateway.methods = methods::read(section.child("methods"));
        gateway.passwords.read(section.child("passwords"));
        gateway.dictionaries.read(section.child("dictionaries"));
        let mut enforce = section.child("enforce");
        gateway.enforcement = enforcement::read(&mut enforce);
        enforce.finish();
        gateway
    }

    /// Every path of the file, to be joined to the base folder.
    pub(super) fn paths_mut(&mut self) -> impl Iterator<Item = &mut PathBuf> {
        [
            &mut self.data.folder,
            &mut self.data.control_socket,
            &mut self.certificates.folder,
            &mut self.eap.tls.certificate,
            &mut self.eap.tls.key,
            &mut self.radsec.certificate,
            &mut self.radsec.key,
            &mut self.mail.certificate,
            &mut self.mail.key,
            &mut self.journal.folder,
            &mut self.history.folder,
            &mut self.accounting.folder,
            &mut self.revocation.folder,
        ]
        .into_iter()
        .chain(&mut self.dictionaries.folder)
        .chain(&mut self.mail.upstream_ca)
        .chain(&mut self.mail.message.folder)
        .chain(&mut self.mail.notify.ca)
        .chain(&mut self.mail.notify.password_file)
        .chain(
            self.mail
                .upstreams
                .values_mut()
                .flat_map(|upstream| &mut upstream.ca),
        )
        .chain(
            self.eap
                .groups
                .values_mut()
                .flat_map(|group| [&mut group.certificate, &mut group.key]),
        )
        .chain(&mut self.eap.client_ca)
        .chain(&mut self.eap.revocation_lists)
        .chain(&mut self.radsec.client_ca)
        .chain(&mut self.radsec.revocation_lists)
        .chain(&mut self.mail.client_ca)
    }
}

impl Listen {
    fn read(&mut self, mut section: Section<'_>) {
        section.set("authentication", &mut self.authentication);
        section.set("accounting", &mut self.accounting);
        section.set("radsec", &mut self.radsec);
        section.set("mail", &mut self.mail);
        section.set("metrics", &mut self.metrics);
        section.finish();
    }
}

impl Data {
    fn read(&mut self, mut section: Section<'_>) {
        section.set("folder", &mut self.folder);
        section.set("control_socket", &mut self.control_socket);
        section.set("warm_start", &mut self.warm_start);
        let intervals = Duration::from_secs(10)..=days(1);
        section.set_within("snapshot_interval", intervals, &mut self.snapshot_interval);
        section.finish();
    }
}

impl Certificates {
    fn read(&mut self, mut section: Section<'_>) {
        section.set("folder", &mut self.folder);
        section.set("make_sample", &mut self.make_sample);
        section.set_within("warn_before", ZERO..=days(365), &mut self.warn_before);
        section.finish();
    }
}

impl Eap {
    fn read(&mut self, mut section: Section<'_>) {
        self.tls.read(&mut section);
        section.set("client_ca", &mut self.client_ca);
        if self.client_ca.is_empty() {
            section.error(
                "client_ca",
                "without an authority no certificate is accepted",
            );
        }
        let group = section.child("group");
        for entry in group.entries() {
            let mut table = group.table_of(&entry);
            let mut policy = self.tls.clone();
            policy.read(&mut table);
            table.finish();
            self.groups.insert(entry.name, policy);
        }
        section.set("revocation_lists", &mut self.revocation_lists);
        section.set("demand_revocation", &mut self.demand_revocation);
        let sizes = MIN_PACKET..=MAX_PACKET;
        section.set_within("fragment_size", sizes, &mut self.fragment_size);
        section.set_within("max_rounds", 10..=1000, &mut self.max_rounds);
        let timeouts = Duration::from_secs(5)..=Duration::from_mins(5);
        section.set_within("timeout", timeouts, &mut self.timeout);
        section.set_within("tickets", 0..=MAX_TICKETS, &mut self.tickets);
        let lifetimes = Duration::from_mins(1)..=Resumption::LONGEST_LIFETIME;
        section.set_within(
            "resumption_lifetime",
            lifetimes,
            &mut self.resumption_lifetime,
        );
        section.set_within(
            "resumption_capacity",
            0..=10_000_000,
            &mut self.resumption_capacity,
        );
        section.set_within(
            "remembered_chains",
            0..=10_000_000,
            &mut self.remembered_chains,
        );
        section.set("ask_certificate", &mut self.tunnel.ask_certificate);
        section.set("same_realm", &mut self.tunnel.same_realm);
        section.set("require_binding", &mut self.tunnel.require_binding);
        read_teap(&mut self.teap, section.child("teap"));
        section.finish();
    }
}

fn read_teap(teap: &mut TeapSettings, mut section: Section<'_>) {
    section.set("identities", &mut teap.identities);
    if teap.identities.is_empty() {
        section.error("identities", "somebody has to be asked for");
    }
    section.set("certificate", &mut teap.certificate);
    section.set("binding", &mut teap.binding);
    section.set("tls_max", &mut teap.tls_max);
    section.set("tls13_keys", &mut teap.tls13_keys);
    let mut id = String::from_utf8_lossy(&teap.authority_id).into_owned();
    section.set("authority_id", &mut id);
    if !(1..=TeapSettings::MAX_ID).contains(&id.len()) {
        let message = format!("expected 1 to {} octets", TeapSettings::MAX_ID);
        section.error("authority_id", message);
    }
    teap.authority_id = id.into_bytes();
    section.finish();
}

impl Radsec {
    fn read(&mut self, mut section: Section<'_>) {
        section.set("certificate", &mut self.certificate);
        section.set("key", &mut self.key);
        section.set("client_ca", &mut self.client_ca);
        section.set("revocation_lists", &mut self.revocation_lists);
        section.set("demand_revocation", &mut self.demand_revocation);
        let connections = 1..=MAX_CONNECTIONS;
        section.set_within(
            "max_connections",
            connections.clone(),
            &mut self.max_connections,
        );
        section.set_within(
            "max_connections_per_address",
            connections,
            &mut self.max_connections_per_address,
        );
        let silences = Duration::from_mins(1)..=days(7);
        section.set_within("idle_timeout", silences, &mut self.idle_timeout);
        section.set("radius_1_1", &mut self.radius_1_1);
        section.finish();
    }
}

impl Workers {
    fn read(&mut self, mut section: Section<'_>) {
        section.set_within("radius", 0..=MAX_WORKERS, &mut self.radius);
        section.set_within("handshake", 0..=MAX_WORKERS, &mut self.handshake);
        section.set_within("mail", 0..=MAX_WORKERS, &mut self.mail);
        section.set_within("runtime", 0..=MAX_WORKERS, &mut self.runtime);
        section.finish();
    }
}

impl Mail {
    fn read(&mut self, mut section: Section<'_>) {
        section.set("upstream", &mut self.upstream);
        if self.upstream.is_empty() {
            section.error("upstream", "expected the base URL of one server at least");
        }
        for url in &self.upstream {
            if let Err(message) = check_upstream(url) {
                section.error("upstream", message);
            }
        }
        section.set("upstream_ca", &mut self.upstream_ca);
        self.upstreams = upstreams::read(&section.child("upstreams"));
        self.routes = upstreams::read_routes(section.children("route"), &self.upstreams);
        section.set("learn_redirects", &mut self.learn_redirects);
        section.set("autodiscover", &mut self.autodiscover);
        let applications = section.child("applications");
        self.applications = upstreams::read_applications(&applications, &self.upstreams);
        section.set("name_servers", &mut self.name_servers);
        section.set("proxy_protocol_from", &mut self.proxy_protocol_from);
        section.set("published_names", &mut self.published_names);
        if self.published_names.is_empty() {
            section.error("published_names", "without a name every request is refused");
        }
        check_hosts(&section, "published_names", &self.published_names);
        section.set("certificate", &mut self.certificate);
        section.set("key", &mut self.key);
        section.set("client_ca", &mut self.client_ca);
        section.set("default_suffix", &mut self.default_suffix);
        if let Some(suffix) = self
            .default_suffix
            .as_deref()
            .filter(|text| !is_suffix(text))
        {
            let found = suffix.escape_debug();
            let message = format!("expected a suffix such as \"example.com\", found \"{found}\"");
            section.error("default_suffix", message);
        }
        section.set("domains", &mut self.domains);
        check_domains(&section, &self.domains);
        section.set("certificate_user_header", &mut self.certificate_user_header);
        if let Some(Err(error)) = self
            .certificate_user_header
            .as_ref()
            .map(|name| name.parse::<UserHeader>())
        {
            section.error("certificate_user_header", error.to_string());
        }
        section.set("bearer_challenge", &mut self.bearer_challenge);
        section.set("bearer_user_claim", &mut self.bearer_user_claim);
        let claim = self.bearer_user_claim.trim();
        if claim.is_empty() {
            let message = "expected the claim that names the user, such as \"upn\"";
            section.error("bearer_user_claim", message);
        } else if CHANGEABLE_CLAIMS.contains(&claim) {
            let message = format!(
                "expected a claim that users cannot change themselves, such as \"upn\", found {claim}"
            );
            section.error("bearer_user_claim", message);
        }
        if let Some(challenge) = &self.bearer_challenge
            && let Err(error) = Bearer::new(challenge, &self.bearer_user_claim)
        {
            section.error("bearer_challenge", error.to_string());
        }
        section.set("oldest_version", &mut self.oldest_version);
        section.set("strip_wipe", &mut self.strip_wipe);
        section.set("refusals", &mut self.refusals);
        let lifetimes = Duration::from_secs(1)..=days(1);
        section.set_within(
            "credential_lifetime",
            lifetimes,
            &mut self.credential_lifetime,
        );
        let holds = Duration::from_mins(1)..=days(1);
        section.set_within("hold_limit", holds, &mut self.hold_limit);
        let heads = Duration::from_secs(1)..=Duration::from_mins(5);
        section.set_within("header_timeout", heads, &mut self.header_timeout);
        section.set_within(
            "max_connections",
            1..=MAX_CONNECTIONS,
            &mut self.max_connections,
        );
        section.set_within(
            "max_connections_per_address",
            1..=MAX_CONNECTIONS,
            &mut self.max_connections_per_address,
        );
        section.set("quarantine", &mut self.quarantine);
        self.message.read(section.child("message"));
        self.notify.read_wait(section.child("wait"));
        self.notify.read(section.child("notify"));
        section.finish();
    }
}

impl History {
    fn read(&mut self, mut section: Section<'_>) {
        section.set("folder", &mut self.folder);
        section.set_within("days", 0..=3660, &mut self.days);
        let sizes = Octets::new(10_000_000)..=Octets::new(10_000_000_000_000);
        section.set_within("size", sizes, &mut self.size);
        section.finish();
    }
}

impl Accounting {
    fn read(&mut self, mut section: Section<'_>) {
        section.set("folder", &mut self.folder);
        section.set_within("file_size", FILE_SIZES, &mut self.file_size);
        section.set_within("files", FILES, &mut self.files);
        section.set_within("days", 0..=3660, &mut self.days);
        let sizes = Octets::new(10_000_000)..=Octets::new(10_000_000_000_000);
        section.set_within("size", sizes, &mut self.size);
        section.finish();
    }
}

impl Journal {
    fn read(&mut self, mut section: Section<'_>) {
        section.set("folder", &mut self.folder);
        section.set_within("file_size", FILE_SIZES, &mut self.file_size);
        section.set_within("files", FILES, &mut self.files);
        section.set_within("queue", 16..=1_000_000, &mut self.queue);
        section.finish();
    }
}

impl Log {
    fn read(&mut self, mut section: Section<'_>) {
        section.set("level", &mut self.level);
        section.set("format", &mut self.format);
        section.finish();
    }
}

impl Shutdown {
    fn read(&mut self, mut section: Section<'_>) {
        section.set_within("grace", ZERO..=Duration::from_mins(10), &mut self.grace);
        section.finish();
    }
}

/// Claims that users can change, or that others may have too (OpenID Connect Core section 5.7).
const CHANGEABLE_CLAIMS: [&str; 4] = ["email", "name", "nickname", "preferred_username"];

const fn days(count: u64) -> Duration {
    Duration::from_hours(count * 24)
}

const ZERO: Duration = Duration::ZERO;

/// Of files in a circle: smaller ones would be begun all the time, one alone would be emptied.
const FILE_SIZES: RangeInclusive<Octets> = Octets::new(64 * 1024)..=Octets::new(10_000_000_000);
const FILES: RangeInclusive<u16> = 2..=10_000;
/// More threads than any machine of today has cores.
const MAX_WORKERS: usize = 1024;
/// Descriptors that a Linux process can be given by default limits of systemd.
const MAX_CONNECTIONS: usize = 500_000;
