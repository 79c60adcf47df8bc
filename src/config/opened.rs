//! The files that the configuration points at: secrets, certificates, keys, authorities.

use std::collections::BTreeSet;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;

use super::Draft;
use super::Purpose;
use super::certificate;
use super::certificate::FileError;
use super::certificate::Inspected;
use super::material;
use super::nas::SecretSource;
use super::proxy::HomeServer;
use super::settings::Eap;
use super::text::ReadError;
use super::text::open_to_others;
use super::text::read_octets;
use crate::document::Written;
use crate::eap::Misconfigured;
use crate::model::Problem;
use crate::model::Secret;
use crate::model::Severity;
use crate::model::Timestamp;
use crate::model::causes;
use crate::radius::NasConfig;

/// What is found when the files are opened.
pub(super) struct Opened<'d> {
    draft: &'d Draft,
    purpose: Purpose,
    now: Timestamp,
    /// What is wrong.
    pub(super) problems: Vec<Problem>,
    /// The files in use that are of the sample PKI.
    pub(super) sample: BTreeSet<String>,
}

impl<'d> Opened<'d> {
    /// Before anything has been opened.
    pub(super) fn new(draft: &'d Draft, purpose: Purpose, now: Timestamp) -> Self {
        Self {
            draft,
            purpose,
            now,
            problems: Vec::new(),
            sample: BTreeSet::new(),
        }
    }

    /// The NASes whose secrets were found.
    pub(super) fn secrets(&mut self) -> Vec<NasConfig> {
        let written = &self.draft.written.nas;
        let mut complete = Vec::with_capacity(self.draft.nas.len());
        let mut open = open_to_others(Path::new(&written.file));
        for entry in &self.draft.nas {
            let [own, dynamic] = entry.secrets();
            let Some(own) = own else { continue };
            let Some(secret) = self.nas_secret(own, &mut open) else {
                continue;
            };
            let requests = match dynamic {
                // Without its secret it is not asked with the wrong one.
                Some(source) => match self.nas_secret(source, &mut open) {
                    Some(secret) => Some(secret),
                    None => continue,
                },
                None => None,
            };
            complete.extend(entry.with_secrets(&secret, requests.as_ref()));
        }
        complete
    }

    /// One secret of `nas.toml`; `open` is its mode as long as nothing was said of that.
    fn nas_secret(
        &mut self,
        (key, source): (String, &SecretSource),
        open: &mut Option<u32>,
    ) -> Option<Secret> {
        let written = &self.draft.written.nas;
        let secret = match source {
            SecretSource::Given(secret) => {
                // Said once, however many secrets stand there.
                if let Some(mode) = open.take() {
                    let message = format!(
                        "the secret stands in a file of mode {mode:04o} that others may \
                         read: use secret_file, or chmod 600 {}",
                        written.file
                    );
                    self.problems.push(written.warning(&key, message));
                }
                secret.clone()
            }
            SecretSource::File(path) => self.secret(written, &key, path, "this NAS")?,
        };
        if let Some(weakness) = secret.weakness() {
            self.problems
                .push(written.error(&key, weakness.to_string()));
        }
        Some(secret)
    }

    /// Certificates, keys and authorities of both TLS servers and of the upstream; nothing is said
    /// of those of a door that is closed.
    pub(super) fn certificates(&mut self) {
        let listen = &self.draft.gateway.listen;
        let (eap, mail) = (&self.draft.gateway.eap, &self.draft.gateway.mail);
        if listen.is_open_to_eap() {
            self.server("eap", &eap.tls.certificate, &eap.tls.key, &[]);
            for (name, group) in &eap.groups {
                if (&group.certificate, &group.key) != (&eap.tls.certificate, &eap.tls.key) {
                    let room = format!("eap.group.{name}");
                    self.server(&room, &group.certificate, &group.key, &[]);
                }
            }
            self.authorities("eap.client_ca", &eap.client_ca);
            self.revocation_lists(LISTS, &eap.revocation_lists);
        }
        if listen.is_open_to_radsec() {
            let radsec = &self.draft.gateway.radsec;
            self.server("radsec", &radsec.certificate, &radsec.key, &[]);
            self.authorities("radsec.client_ca", &radsec.client_ca);
            self.revocation_lists("radsec.revocation_lists", &radsec.revocation_lists);
        }
        if listen.is_open_to_mail() {
            self.server("mail", &mail.certificate, &mail.key, &mail.published_names);
            self.authorities("mail.client_ca", &mail.client_ca);
            self.authorities("mail.upstream_ca", mail.upstream_ca.as_slice());
            for (name, upstream) in &mail.upstreams {
                let key = format!("mail.upstreams.{name}.ca");
                self.authorities(&key, upstream.ca.as_slice());
            }
        }
    }

    /// The home servers whose secrets were found.
    pub(super) fn homes(&mut self) -> Vec<HomeServer> {
        let written = &self.draft.written.proxy;
        let mut complete = Vec::with_capacity(self.draft.proxy.homes.len());
        for entry in &self.draft.proxy.homes {
            let key = entry.secret_key();
            let secret = match &entry.secret {
                SecretSource::Given(secret) if entry.tls.is_some() => Some(secret.clone()),
                SecretSource::Given(secret) => {
                    if let Some(mode) = open_to_others(Path::new(&written.file)) {
                        let message = opened(Path::new(&written.file), mode);
                        self.problems.push(written.warning(&key, message));
                    }
                    Some(secret.clone())
                }
                SecretSource::File(path) => self.secret(written, &key, path, "this server"),
            };
            let Some(secret) = secret else { continue };
            // Over TLS it protects nothing.
            if let Some(weakness) = secret.weakness().filter(|_| entry.tls.is_none()) {
                self.problems
                    .push(written.error(&key, weakness.to_string()));
            }
            complete.push(entry.with_secret(secret));
        }
        complete
    }

    fn secret(&mut self, written: &Written, key: &str, path: &Path, whose: &str) -> Option<Secret> {
        match read_octets(path, MAX_SECRET) {
            Ok(mut octets) => {
                // Editors end a file with a line break, which is not part of the secret.
                while octets
                    .pop_if(|octet| matches!(*octet, b'\n' | b'\r'))
                    .is_some()
                {}
                if let Some(mode) = open_to_others(path) {
                    self.problems.push(written.warning(key, opened(path, mode)));
                }
                Some(Secret::new(octets))
            }
            Err(ReadError::Missing) if self.draft.is_radius_closed() => {
                let message = format!("{} does not exist; no RADIUS door is open", path.display());
                self.problems.push(written.warning(key, message));
                None
            }
            Err(error) => {
                self.unusable(written, key, path, &FileError::Read(error));
                if let Some(problem) = self.problems.last_mut()
                    && problem.severity == Severity::Error
                    && !path.exists()
                {
                    let file = path.display();
                    problem.message.push_str(&format!(
                        ": make it with (umask 077; openssl rand -hex 16 > {file}), or remove {whose}"
                    ));
                }
                None
            }
        }
    }

    fn server(&mut self, room: &str, certificate: &Path, key: &Path, names: &[String]) {
        let written = &self.draft.written.gateway;
        let place = format!("{room}.certificate");
        let chain = match certificate::inspect(certificate) {
            Ok(chain) => chain,
            Err(error) => {
                self.unusable(written, &place, certificate, &error);
                return;
            }
        };
        self.note_sample(certificate, &chain);
        self.chain(&place, certificate, &chain, names);
        let place = format!("{room}.key");
        if let Err(error) = certificate::check_key(key, &chain) {
            self.unusable(written, &place, key, &error);
        } else if let Some(mode) = open_to_others(key) {
            self.problems
                .push(written.warning(&place, opened(key, mode)));
        }
    }

    fn chain(&mut self, place: &str, path: &Path, chain: &[Inspected], names: &[String]) {
        let written = &self.draft.written.gateway;
        let file = path.display();
        for (index, one) in chain.iter().enumerate() {
            let what = match index {
                0 => "the certificate".to_owned(),
                _ => format!("certificate {} of the chain", index + 1),
            };
            if let Some((severity, message)) = self.validity(one) {
                let message = format!("{file}: {what} {message}");
                self.problems
                    .push(written.problem(severity, place, message));
            }
        }
        let Some(first) = chain.first() else { return };
        if !first.usage.server {
            let message =
                format!("{file} is not for servers: its extended key usage lacks serverAuth");
            self.problems.push(written.error(place, message));
        }
        for name in names.iter().filter(|name| !first.covers(name)) {
            let message = format!("{file} lacks the published name {name}");
            self.problems.push(written.warning(place, message));
        }
    }

    fn authorities(&mut self, place: &str, files: &[PathBuf]) {
        let written = &self.draft.written.gateway;
        for path in files {
            match certificate::inspect(path) {
                Ok(found) => {
                    self.note_sample(path, &found);
                    self.authority_file(place, path, &found);
                }
                Err(error) => self.unusable(written, place, path, &error),
            }
        }
    }

    /// Lists past their date are used all the same unless `demand_revocation` is set, when nobody
    /// whom they cover gets in.
    fn revocation_lists(&mut self, place: &str, files: &[PathBuf]) {
        let written = &self.draft.written.gateway;
        for path in files {
            let lists = match material::revocation_lists(path) {
                Ok(lists) => lists,
                Err(error) => {
                    self.unusable(written, place, path, &error);
                    continue;
                }
            };
            let ends = lists
                .iter()
                .filter_map(|list| material::next_update(list).ok()?);
            for end in ends.filter(|end| *end < self.now) {
                let message = format!(
                    "{}: a newer revocation list was due on {end}",
                    path.display()
                );
                self.problems.push(written.warning(place, message));
            }
        }
    }

    /// What the EAP room says of the files together, once each is in order by itself.
    pub(super) fn whole_eap(&mut self) {
        let written = &self.draft.written.gateway;
        let eap = &self.draft.gateway.eap;
        if !self.draft.gateway.listen.is_open_to_eap() {
            return;
        }
        let Ok(settings) = eap.settings(&eap.resumption()) else {
            // A file is missing or broken, which has been said.
            return;
        };
        match crate::eap::Config::build(settings) {
            Ok(built) => {
                for (position, issuer) in built.waiting_lists() {
                    let message = format!(
                        "{}a revocation list of {issuer}, which is no authority of eap.client_ca: it \
                         counts once a device has presented that authority's certificate",
                        list_file(eap, *position)
                    );
                    self.problems.push(written.warning(LISTS, message));
                }
            }
            Err(Misconfigured::RevocationList(error)) => {
                let file = error.list().map(|position| list_file(eap, position));
                let message = file.unwrap_or_default() + &causes(&error);
                self.problems.push(written.error(LISTS, message));
            }
            Err(error) => self.problems.push(written.error("eap", causes(&error))),
        }
    }

    /// One that has ended does no harm beside one that is valid; a file of ended ones does.
    fn authority_file(&mut self, place: &str, path: &Path, found: &[Inspected]) {
        let written = &self.draft.written.gateway;
        let file = path.display();
        let mut ended = 0;
        for one in found {
            let name = &one.identity.subject;
            if !one.usage.authority {
                let message = format!("{file}: {name} is no authority (basic constraints)");
                self.problems.push(written.error(place, message));
            } else if let Some((severity, message)) = self.validity(one) {
                ended += usize::from(severity == Severity::Error);
                let message = format!("{file}: {name} {message}");
                self.problems.push(written.warning(place, message));
            }
        }
        if ended == found.len() {
            let message = format!("{file} holds no authority that is valid today");
            self.problems.push(written.error(place, message));
        }
    }

    /// What is to be said of a certificate's validity.
    fn validity(&self, one: &Inspected) -> Option<(Severity, String)> {
        let (begin, end) = (one.identity.not_before, one.identity.not_after);
        if self.now < begin {
            return Some((Severity::Error, format!("is valid only from {begin} on")));
        }
        let Some(remaining) = one.remaining(self.now) else {
            return Some((Severity::Error, format!("ended on {end}")));
        };
        let warn_before: Duration = self.draft.gateway.certificates.warn_before;
        (remaining < warn_before).then(|| {
            let days = one.days_left(self.now);
            (Severity::Warning, format!("ends on {end}, in {days} days"))
        })
    }

    fn note_sample(&mut self, path: &Path, found: &[Inspected]) {
        if found.iter().any(|one| one.sample) {
            self.sample.insert(path.display().to_string());
        }
    }

    /// A file that cannot be used. One that is absent and that the next start makes is only worth
    /// a warning to somebody who checks before it.
    fn unusable(&mut self, written: &Written, key: &str, path: &Path, error: &FileError) {
        let absent = matches!(error, FileError::Read(ReadError::Missing));
        let made = self.draft.may_make_sample() && self.draft.layout().makes(path);
        let file = path.display();
        self.problems
            .push(if absent && made && self.purpose == Purpose::Check {
                written.warning(
                    key,
                    format!("{file} does not exist yet, portreeve run makes it"),
                )
            } else {
                written.error(key, format!("{file} {error}"))
            });
    }
}

fn opened(path: &Path, mode: u32) -> String {
    let path = path.display();
    format!("{path} has mode {mode:04o}, others may read it: chmod 600 {path}")
}

/// Which file holds the revocation list that stands at `position`, from 1, among those of all
/// files; to begin a sentence with.
fn list_file(eap: &Eap, position: usize) -> String {
    let mut before = 0;
    for path in &eap.revocation_lists {
        before += material::revocation_lists(path).map_or(0, |lists| lists.len());
        if position <= before {
            return format!("{}: ", path.display());
        }
    }
    String::new()
}

/// Where revocation lists are named.
const LISTS: &str = "eap.revocation_lists";

/// Octets of a secret file: RADIUS sets no bound, no NAS takes more than 128.
const MAX_SECRET: u64 = 1024;
