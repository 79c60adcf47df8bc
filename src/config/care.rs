//! `[mail.wait]` and `[mail.notify]`: how users whose devices are not let in any more are treated.

use std::path::PathBuf;
use std::time::Duration;

use super::host::is_server;
use super::text::read_octets;
use crate::document::Choice;
use crate::document::Section;
use crate::mail::Care;
use crate::model::Problem;
use crate::model::Reason;
use crate::model::Secret;
use crate::model::Severity;
use crate::notify;
use crate::notify::Security;

/// Whether and how users are told by mail, and whether devices wait.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notify {
    /// How long they wait, how many mails leave, and whether any do.
    pub care: Care,
    /// The mail server; without one no mail is sent.
    pub host: Option<String>,
    /// Its port; by default that of its security.
    pub port: Option<u16>,
    /// When TLS begins.
    pub security: Security,
    /// PEM file of the authority that issued its certificate; the system's when `None`.
    pub ca: Option<PathBuf>,
    /// The name to sign in with.
    pub user: Option<String>,
    /// The file of the password.
    pub password_file: Option<PathBuf>,
    /// The address that mails come from.
    pub from: Option<String>,
    /// Where answers go.
    pub reply_to: Option<String>,
    /// Where the mail server reports what it cannot deliver.
    pub envelope_from: Option<String>,
    /// The domain of the addresses of users whose names have none.
    pub domain: Option<String>,
    /// Time for a whole conversation.
    pub timeout: Duration,
}

impl Default for Notify {
    fn default() -> Self {
        Self {
            care: Care::default(),
            host: None,
            port: None,
            security: Security::Starttls,
            ca: None,
            user: None,
            password_file: None,
            from: None,
            reply_to: None,
            envelope_from: None,
            domain: None,
            timeout: Duration::from_mins(1),
        }
    }
}

impl Choice for Security {
    const ALL: &'static [(&'static str, Self)] = &[
        ("starttls", Self::Starttls),
        ("tls", Self::Tls),
        ("none", Self::None),
    ];
}

impl Notify {
    pub(super) fn read_wait(&mut self, mut section: Section<'_>) {
        let care = &mut self.care;
        let times = Duration::ZERO..=Duration::from_hours(30 * 24);
        section.set_within("time", times, &mut care.wait);
        if let Some(names) = section.read::<Vec<String>>("reasons") {
            care.reasons.clear();
            for name in names {
                let mut all = Reason::ALL.into_iter();
                match all.find(|reason| reason.name() == name) {
                    Some(reason) if Care::NEVER_WAIT.contains(&reason) => {
                        section.error("reasons", format!("{name} never waits"));
                    }
                    Some(reason) => care.reasons.push(reason),
                    None => {
                        let names = Reason::ALL.map(|reason| reason.name());
                        let message = match crate::document::suggestion(&name, names) {
                            Some(meant) => format!("{name} is no reason, did you mean {meant}?"),
                            None => format!("{name} is no reason, there are {}", may_wait()),
                        };
                        section.error("reasons", message);
                    }
                }
            }
        }
        section.finish();
    }

    pub(super) fn read(&mut self, mut section: Section<'_>) {
        section.set("host", &mut self.host);
        if let Some(host) = self.host.as_deref().filter(|host| !is_server(host)) {
            let found = host.escape_debug();
            let message = format!(
                "expected the name of a mail server such as \"mail.example.org\", found \"{found}\""
            );
            section.error("host", message);
        }
        section.set("port", &mut self.port);
        if self.port == Some(0) {
            section.error("port", "expected 1 to 65535, found 0");
        }
        section.set("security", &mut self.security);
        section.set("ca", &mut self.ca);
        section.set("user", &mut self.user);
        section.set("password_file", &mut self.password_file);
        if self.user.is_some() != self.password_file.is_some() {
            section.error("user", "user and password_file belong together");
        }
        for (key, slot) in [
            ("from", &mut self.from),
            ("reply_to", &mut self.reply_to),
            ("envelope_from", &mut self.envelope_from),
        ] {
            section.set(key, slot);
            if slot
                .as_deref()
                .is_some_and(|text| !notify::is_address(text))
            {
                section.error(key, "expected a mail address such as \"mail@example.org\"");
            }
        }
        section.set("domain", &mut self.domain);
        let has_good_domain = |domain: &str| notify::is_address(&format!("a@{domain}"));
        if self
            .domain
            .as_deref()
            .is_some_and(|domain| !has_good_domain(domain))
        {
            section.error("domain", "expected a domain such as \"example.org\"");
        }
        let times = Duration::from_secs(1)..=Duration::from_mins(5);
        section.set_within("timeout", times, &mut self.timeout);
        section.set_within("per_minute", 1..=6000, &mut self.care.per_minute);
        section.set_within("per_user_a_day", 1..=1000, &mut self.care.per_user);
        section.set("restored", &mut self.care.restored);
        if self.host.is_some() && self.from.is_none() {
            section.missing("from", "\"mail-access@example.org\"");
        }
        // What is not encrypted goes to this machine and no further.
        let is_local = self.host.as_deref().is_some_and(|host| {
            host == "localhost"
                || host
                    .parse()
                    .is_ok_and(|address: std::net::IpAddr| address.is_loopback())
        });
        if self.security == Security::None && self.host.is_some() && !is_local {
            section.error(
                "security",
                "without TLS only a server of this machine is spoken to",
            );
        }
        self.care.notify = self.host.is_some();
        section.finish();
    }

    /// What the mail server is spoken to with; `None` without one.
    ///
    /// # Errors
    ///
    /// Files that cannot be read, with the key that names them.
    pub fn mailer(&self, file: &str, hello: &str) -> Result<Option<notify::Config>, Vec<Problem>> {
        let (Some(host), Some(from)) = (&self.host, &self.from) else {
            return Ok(None);
        };
        let problem = |key: &str, path: &PathBuf, why: String| {
            vec![Problem {
                file: file.to_owned(),
                line: None,
                key: format!("mail.notify.{key}"),
                message: format!("{}: {why}", path.display()),
                severity: Severity::Error,
            }]
        };
        let open = |key: &str, path: &PathBuf| {
            read_octets(path, MAX_FILE).map_err(|error| problem(key, path, error.to_string()))
        };
        let roots = self.ca.as_ref().map(|path| open("ca", path)).transpose()?;
        let login = match (&self.user, &self.password_file) {
            (Some(user), Some(path)) => {
                let password = open("password_file", path)?;
                if super::text::open_to_others(path).is_some() {
                    let why = "may be read by others: chmod 600".to_owned();
                    return Err(problem("password_file", path, why));
                }
                let password = password.trim_ascii_end().to_vec();
                Some((user.clone(), Secret::new(password)))
            }
            (_, _) => None,
        };
        let usual = match self.security {
            Security::Starttls => 587,
            Security::Tls => 465,
            Security::None => 25,
        };
        Ok(Some(notify::Config {
            host: host.clone(),
            port: self.port.unwrap_or(usual),
            security: self.security,
            roots,
            login,
            from: from.clone(),
            reply_to: self.reply_to.clone(),
            envelope_from: self.envelope_from.clone(),
            hello: hello.to_owned(),
            timeout: self.timeout,
        }))
    }

    /// The address of a user; `None` if there is none.
    #[must_use]
    pub fn address_of(&self, user: &str) -> Option<String> {
        if user.contains('@') {
            return notify::is_address(user).then(|| user.to_owned());
        }
        let account = user.rsplit('\\').next().unwrap_or(user);
        let address = format!("{account}@{}", self.domain.as_deref()?);
        notify::is_address(&address).then_some(address)
    }
}

/// The names of the reasons that may wait.
fn may_wait() -> String {
    let all = Reason::ALL.into_iter();
    // What keeps nobody out has no advice.
    let may = all.filter(|reason| reason.advice().is_some() && !Care::NEVER_WAIT.contains(reason));
    may.map(Reason::name).collect::<Vec<_>>().join(", ")
}

/// Octets of a password's file, or of a bundle of authorities.
const MAX_FILE: u64 = 1024 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_have_an_address_by_their_name_or_by_the_domain() {
        let with = Notify {
            domain: Some("example.org".into()),
            ..Notify::default()
        };
        for (user, with_domain, without) in [
            (
                "alice@example.com",
                Some("alice@example.com"),
                Some("alice@example.com"),
            ),
            ("alice", Some("alice@example.org"), None),
            ("contoso\\alice", Some("alice@example.org"), None),
            ("a b", None, None),
            ("a\r\nRCPT TO:<x@y>", None, None),
            ("@", None, None),
            ("", None, None),
        ] {
            assert_eq!(with.address_of(user).as_deref(), with_domain, "row {user}");
            assert_eq!(
                Notify::default().address_of(user).as_deref(),
                without,
                "row {user}"
            );
        }
    }
}
