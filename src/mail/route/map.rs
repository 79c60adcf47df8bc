//! Who is where, as the administrator has written it down.

use std::sync::Arc;

use crate::access::Live;
use crate::mail::config::Origin;
use crate::mail::web::Application;
use crate::model::GroupId;

use super::FNV_BASIS;
use super::UpstreamId;
use super::fnv;
use super::host_of;

/// Whose requests stay together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Affinity {
    /// Those of a user.
    User,
    /// Those of a user's device, by its DeviceId.
    #[default]
    Device,
}

/// An upstream, as far as this room has to know it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resource {
    /// Its name.
    pub name: Arc<str>,
    /// Where its servers are, one at least.
    pub members: Vec<Origin>,
    /// Whether DNS may name several servers of it.
    pub is_discovered: bool,
    /// Of what else makes its servers the right ones: another number when they are found by another name in
    /// DNS, or when their certificates have to be other ones.
    pub identity: [u8; 32],
    /// Other hosts that are this upstream when an upstream sends a user there.
    pub also_known: Vec<String>,
    /// Whose requests stay together.
    pub affinity: Affinity,
}

impl Resource {
    /// One server.
    #[must_use]
    pub fn single(name: &str, origin: Origin) -> Self {
        Self {
            name: name.into(),
            members: vec![origin],
            is_discovered: false,
            identity: [0; 32],
            also_known: Vec::new(),
            affinity: Affinity::default(),
        }
    }

    fn is_at(&self, host: &str) -> bool {
        let mut own = self.members.iter().map(Origin::host);
        let mut known = self.also_known.iter();
        own.any(|own| own.eq_ignore_ascii_case(host))
            || known.any(|known| known.eq_ignore_ascii_case(host))
    }
}

/// Whose mailboxes are at an upstream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Whose {
    /// The user with this canonical name.
    User(String),
    /// All users of a suffix: `example.org` is everybody@example.org.
    Suffix(String),
    /// The members of a group, as the inventory knows them when the request comes.
    Group(GroupId),
}

/// One line of the map.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Whose.
    pub whose: Whose,
    /// Where.
    pub upstream: UpstreamId,
}

/// All upstreams, and who is where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Routes {
    /// The upstreams; the first is that of everybody for whom no rule says otherwise.
    pub resources: Vec<Resource>,
    /// The first that fits counts.
    pub rules: Vec<Rule>,
    /// Whether upstreams may send users to each other.
    pub learn: bool,
    /// What is published beside ActiveSync.
    pub applications: Vec<Arc<Application>>,
    /// Whether Autodiscover is.
    pub autodiscover: bool,
}

impl Routes {
    /// Whether each user is led to the same servers.
    pub(super) fn leads_as(&self, other: &Self) -> bool {
        self.resources == other.resources && self.rules == other.rules && self.learn == other.learn
    }

    /// One upstream.
    #[must_use]
    pub fn only(origin: Origin) -> Self {
        Self {
            resources: vec![Resource::single(UpstreamId::DEFAULT, origin)],
            rules: Vec::new(),
            learn: false,
            applications: Vec::new(),
            autodiscover: false,
        }
    }

    pub(in crate::mail) fn get(&self, id: UpstreamId) -> Option<&Resource> {
        let mut resources = self.resources.iter();
        resources.find(|resource| UpstreamId::of(&resource.name) == id)
    }

    /// The upstream at a host.
    pub(in crate::mail) fn at(&self, host: &str) -> Option<&Resource> {
        let mut resources = self.resources.iter();
        resources.find(|resource| resource.is_at(host))
    }

    /// Whether an ActiveSync URL is one of an upstream, or ours.
    ///
    /// # Errors
    ///
    /// The place, for people, if it is neither.
    pub(in crate::mail) fn is_here(&self, url: &str, published: &[String]) -> Result<(), String> {
        let host = host_of(url).ok_or_else(|| "a place that is no ActiveSync URL".to_owned())?;
        let is_ours = published
            .iter()
            .any(|name| name.eq_ignore_ascii_case(&host));
        if is_ours || self.at(&host).is_some() {
            Ok(())
        } else {
            Err(format!("{host}, which is no configured upstream"))
        }
    }

    /// Of what this says of users: another map has another number, and the same has the same in every
    /// process.
    pub(super) fn fingerprint(&self) -> u64 {
        let mut hash = fnv(FNV_BASIS, &[u8::from(self.learn)]);
        for Rule { whose, upstream } in &self.rules {
            hash = match whose {
                Whose::User(name) => fnv(fnv(hash, b"user "), name.as_bytes()),
                Whose::Suffix(suffix) => fnv(fnv(hash, b"suffix "), suffix.as_bytes()),
                Whose::Group(group) => fnv(fnv(hash, b"group "), &group.as_u128().to_be_bytes()),
            };
            // An octet that no name has ends it.
            hash = fnv(fnv(hash, &[0xff]), &upstream.as_u64().to_be_bytes());
        }
        hash
    }

    /// A rule fits a user by any of its names, the own one and the one it has signed in with.
    pub(super) fn ruled(&self, live: &Live, names: [&str; 2]) -> Option<UpstreamId> {
        let [user, _] = names;
        let has_suffix = |name: &str, wanted: &str| {
            let suffix = name.rsplit_once('@').map(|(_, suffix)| suffix);
            suffix == Some(wanted)
        };
        let fits = |rule: &&Rule| match &rule.whose {
            Whose::User(name) => names.contains(&name.as_str()) || live.own_name(name) == user,
            Whose::Suffix(wanted) => names.iter().any(|name| has_suffix(name, wanted)),
            Whose::Group(group) => live.is_member(user, *group),
        };
        self.rules.iter().find(fits).map(|rule| rule.upstream)
    }
}
