//! `[revocation]`: how the gateway learns while it runs that certificates are revoked.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::document::Choice;
use crate::document::Octets;
use crate::document::Section;
use crate::revocation;
use crate::trust::Fail;
use crate::trust::OnlineCheck;
use crate::trust::Upkeep;
use crate::trust::Watch;

/// `[revocation]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revocation {
    /// Addresses of revocation lists.
    pub lists: Vec<String>,
    /// Whether the distribution points that certificates name are followed.
    pub follow_points: bool,
    /// The longest time between two looks at a list.
    pub refresh: Duration,
    /// Time for a list to come.
    pub deadline: Duration,
    /// The largest list that is taken.
    pub max_size: Octets,
    /// Where lists are kept.
    pub folder: PathBuf,
    /// What becomes of certificates that only lists out of date cover.
    pub outdated: Strictness,
    /// How long after its nextUpdate a list still counts as current.
    pub grace: Duration,
    /// Whether responders are asked.
    pub ocsp: Ocsp,
    /// The responder that is asked in the place of those that certificates name.
    pub responder: Option<String>,
    /// Time for a responder to answer.
    pub responder_deadline: Duration,
    /// How long an answer is believed at most.
    pub lifetime: Duration,
    /// Whether questions have a nonce.
    pub nonce: bool,
}

/// What becomes of a certificate of which it is not known whether it is revoked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Strictness {
    /// It passes.
    #[default]
    Soft,
    /// It does not.
    Hard,
}

/// Whether OCSP responders are asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Ocsp {
    /// They are not.
    #[default]
    Off,
    /// They are, and a certificate of which none says anything passes.
    Soft,
    /// They are, and it does not.
    Hard,
}

impl Choice for Strictness {
    const ALL: &'static [(&'static str, Self)] = &[("soft", Self::Soft), ("hard", Self::Hard)];
}

impl Choice for Ocsp {
    const ALL: &'static [(&'static str, Self)] = &[
        ("off", Self::Off),
        ("soft", Self::Soft),
        ("hard", Self::Hard),
    ];
}

impl Default for Revocation {
    fn default() -> Self {
        Self {
            lists: Vec::new(),
            follow_points: false,
            refresh: Duration::from_hours(1),
            deadline: Duration::from_secs(30),
            max_size: Octets::new(16 << 20),
            folder: "var/revocation".into(),
            outdated: Strictness::default(),
            grace: Duration::ZERO,
            ocsp: Ocsp::default(),
            responder: None,
            responder_deadline: Duration::from_secs(5),
            lifetime: Duration::from_hours(1),
            nonce: false,
        }
    }
}

impl Revocation {
    pub(super) fn read(&mut self, mut section: Section<'_>) {
        section.set("lists", &mut self.lists);
        if self.lists.len() > MAX_LISTS {
            section.error("lists", format!("more than {MAX_LISTS} addresses"));
        }
        for address in &self.lists {
            if let Err(message) = check_address(address, &["http", "https"]) {
                section.error("lists", message);
            }
        }
        section.set("follow_points", &mut self.follow_points);
        let refreshes = Duration::from_secs(10)..=Duration::from_hours(7 * 24);
        section.set_within("refresh", refreshes, &mut self.refresh);
        let deadlines = Duration::from_secs(1)..=Duration::from_mins(10);
        section.set_within("deadline", deadlines, &mut self.deadline);
        let sizes = Octets::new(1024)..=Octets::new(256 << 20);
        section.set_within("max_size", sizes, &mut self.max_size);
        section.set("folder", &mut self.folder);
        section.set("outdated", &mut self.outdated);
        let graces = Duration::ZERO..=Duration::from_hours(30 * 24);
        section.set_within("grace", graces, &mut self.grace);
        section.set("ocsp", &mut self.ocsp);
        section.set("responder", &mut self.responder);
        if let Some(address) = &self.responder
            && let Err(message) = check_address(address, &["http", "https"])
        {
            section.error("responder", message);
        }
        let deadlines = Duration::from_millis(100)..=Duration::from_secs(20);
        section.set_within(
            "responder_deadline",
            deadlines,
            &mut self.responder_deadline,
        );
        let lifetimes = Duration::from_secs(10)..=Duration::from_hours(7 * 24);
        section.set_within("lifetime", lifetimes, &mut self.lifetime);
        section.set("nonce", &mut self.nonce);
        section.finish();
    }

    /// Whether anything here is switched on.
    #[must_use]
    pub fn is_on(&self) -> bool {
        !self.lists.is_empty() || self.follow_points || self.ocsp != Ocsp::Off
    }

    /// What is fetched.
    #[must_use]
    pub fn fetching(&self) -> revocation::Config {
        revocation::Config {
            lists: self.lists.clone(),
            follow_points: self.follow_points,
            refresh: self.refresh,
            deadline: self.deadline,
            max_list: usize::try_from(self.max_size.get()).unwrap_or(usize::MAX),
            folder: self.folder.clone(),
            responder: self.responder.clone(),
            responder_deadline: self.responder_deadline,
            longest: self.lifetime,
            nonce: self.nonce,
        }
    }

    /// What verifiers need of it.
    #[must_use]
    pub fn upkeep(&self, watch: &Arc<Watch>) -> Upkeep {
        let has_responder = self.responder.is_some();
        let check = |fail| OnlineCheck {
            fail,
            has_responder,
        };
        Upkeep {
            watch: Arc::clone(watch),
            demand_current: self.outdated == Strictness::Hard,
            grace: self.grace,
            follow_points: self.follow_points,
            online: match self.ocsp {
                Ocsp::Off => None,
                Ocsp::Soft => Some(check(Fail::Soft)),
                Ocsp::Hard => Some(check(Fail::Hard)),
            },
        }
    }
}

fn check_address(text: &str, schemes: &[&str]) -> Result<(), String> {
    let expected = || {
        format!(
            "expected a URL such as \"http://crl.example.org/ca.crl\", found \"{}\"",
            text.escape_debug()
        )
    };
    let uri: http::Uri = text.parse().map_err(|_| expected())?;
    let known = uri
        .scheme_str()
        .is_some_and(|scheme| schemes.contains(&scheme));
    let host = uri.host().is_some_and(|host| !host.is_empty());
    if known && host {
        Ok(())
    } else {
        Err(expected())
    }
}

/// Lists of a large company's authorities.
const MAX_LISTS: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_lists_table() {
        for (text, good) in [
            ("http://crl.example.org/ca.crl", true),
            ("https://crl.example.org/ca.crl", true),
            ("http://127.0.0.1:8080/", true),
            ("ldap://crl.example.org/cn=ca", false),
            ("crl.example.org/ca.crl", false),
            ("http:///ca.crl", false),
            ("", false),
        ] {
            let checked = check_address(text, &["http", "https"]);
            assert_eq!(checked.is_ok(), good, "row {text:?}");
        }
    }
}
