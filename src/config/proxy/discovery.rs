//! `[discovery]` of `proxy.toml`: home servers found by DNS (RFC 7585).

use std::net::SocketAddr;
use std::time::Duration;

use super::HomeTls;
use crate::document::Choice;
use crate::document::Section;

/// How home servers are looked up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Discovery {
    /// Services in NAPTR records that lead to them.
    pub services: Vec<String>,
    /// DNS servers; those of the system if empty.
    pub name_servers: Vec<SocketAddr>,
    /// What a certificate has to name.
    pub check: Check,
    /// Realms that are remembered.
    pub max_realms: usize,
    /// What was found counts for so long at least.
    pub shortest: Duration,
    /// And at most.
    pub longest: Duration,
    /// After which a realm without servers is looked up again.
    pub retry: Duration,
    /// What connections are made with.
    pub tls: HomeTls,
}

/// What the certificate of a server has to name that DNS has led to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Check {
    /// The realm, as NAIRealm.
    #[default]
    Realm,
    /// The realm, or the name that DNS gave.
    Name,
}

impl Choice for Check {
    const ALL: &'static [(&'static str, Self)] = &[("realm", Self::Realm), ("name", Self::Name)];
}

/// Reads the table; what is missing is reported.
pub(super) fn read(mut section: Section<'_>, is_there: bool) -> Option<Discovery> {
    if !is_there {
        section.finish();
        return None;
    }
    let mut discovery = Discovery {
        services: vec!["aaa+auth:radius.tls.tcp".to_owned()],
        name_servers: Vec::new(),
        check: Check::default(),
        max_realms: 1000,
        shortest: Duration::from_mins(1),
        longest: Duration::from_hours(24),
        retry: Duration::from_mins(10),
        tls: HomeTls::read(&mut section, "discovery"),
    };
    section.set("service", &mut discovery.services);
    section.set("name_servers", &mut discovery.name_servers);
    section.set("check", &mut discovery.check);
    section.set_within("max_realms", 1..=100_000, &mut discovery.max_realms);
    let (second, day) = (Duration::from_secs(1), Duration::from_hours(24));
    section.set_within("shortest", second..=day, &mut discovery.shortest);
    section.set_within("longest", second..=day * 7, &mut discovery.longest);
    section.set_within("retry_after", second..=day, &mut discovery.retry);
    discovery.tls.check(&section);
    if discovery.services.is_empty() {
        section.error("service", "names no service");
    }
    if discovery.shortest > discovery.longest {
        section.error("shortest", "is more than longest");
    }
    section.finish();
    Some(discovery)
}
