//! The members of an upstream, and which of them a request goes to.

use std::cmp::Reverse;
use std::net::IpAddr;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;
use std::time::Duration;

use rustls::ClientConfig;
use rustls::pki_types::ServerName;

use crate::mail::Origin;
use crate::mail::UpstreamId;
use crate::net::proxy_header::ProxyHeader;

use super::health::Health;

/// One upstream, as it is configured: several servers that all have the same mailboxes or the same
/// application.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// Its name, for people.
    pub name: Arc<str>,
    /// Where its members are, one at least.
    pub members: Vec<Origin>,
    /// Whether DNS says more of that.
    pub discover: Discover,
    /// How TLS there is spoken.
    pub tls: Tls,
    /// What a member is asked now and then.
    pub check: Option<Check>,
    /// Whether its connections begin with who the client is. Each client then has connections of
    /// its own.
    pub proxy_header: ProxyHeader,
    /// Addresses that connections leave from, in turn; those of the system if there are none. One
    /// address has 28,000 ports towards one member.
    pub sources: Vec<IpAddr>,
    /// How long an idle connection is kept, 4 s by default: below what servers and firewalls are
    /// known to allow.
    pub idle: Duration,
}

/// What DNS is asked about the members of an upstream.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Discover {
    /// Nothing but an address when one is connected to: each URL is a member.
    #[default]
    Off,
    /// The addresses of each URL's host, each of which is a member.
    Addresses,
    /// The SRV records of this name (RFC 2782): each address of their targets is a member, which is
    /// spoken to as the one URL says.
    Services(Arc<str>),
}

/// How an SRV record ranks a server (RFC 2782).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Rank {
    /// Lower ones come first, as long as they are well.
    pub(super) priority: u16,
    /// How much it gets of what goes to its priority.
    pub(super) weight: u16,
}

/// How TLS to an upstream is spoken.
#[derive(Clone, Debug)]
pub struct Tls {
    /// Roots and the rest.
    pub config: Arc<ClientConfig>,
    /// The roots that were read from a file: two configurations are the same if these are.
    pub roots: Option<Arc<[u8]>>,
    /// The name that certificates have to be for, in place of the host of each member.
    pub server_name: Option<ServerName<'static>>,
}

impl PartialEq for Tls {
    fn eq(&self, other: &Self) -> bool {
        self.roots == other.roots && self.server_name == other.server_name
    }
}

/// What a member is asked to find out how it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// A path, for a GET: `/Microsoft-Server-ActiveSync/healthcheck.htm` of Exchange. 200 is well,
    /// everything else is not.
    pub path: String,
    /// How often, 1 s to 1 h.
    pub interval: Duration,
    /// For the answer.
    pub deadline: Duration,
}

impl Settings {
    /// One server, everything else as by default.
    #[must_use]
    pub fn single(name: &str, origin: Origin, tls: Arc<ClientConfig>) -> Self {
        Self {
            name: name.into(),
            members: vec![origin],
            discover: Discover::Off,
            tls: Tls {
                config: tls,
                roots: None,
                server_name: None,
            },
            check: None,
            proxy_header: ProxyHeader::Off,
            sources: Vec::new(),
            idle: Duration::from_secs(4),
        }
    }

    /// Whether a member of the one is the same under the other.
    fn serves_like(&self, other: &Self) -> bool {
        let alone = |settings: &Self| Self {
            members: Vec::new(),
            ..settings.clone()
        };
        alone(self) == alone(other)
    }
}

/// One server of an upstream. It lives on while requests are under way there, whatever a reload
/// says.
#[derive(Debug)]
pub(super) struct Member {
    /// No two members have ever had the same.
    pub(super) number: u64,
    pub(super) origin: Origin,
    /// Its address, if DNS has named it as a server of its own.
    pub(super) address: Option<SocketAddr>,
    /// A [`Rank`]: the priority above the weight.
    rank: AtomicU32,
    pub(super) settings: Arc<Settings>,
    pub(super) health: Health,
    /// What its name comes to, for the choice.
    mark: u64,
    next_source: AtomicUsize,
    /// Whether a reload has taken it away.
    pub(super) is_retired: AtomicBool,
}

impl Member {
    fn new(origin: Origin, settings: Arc<Settings>) -> Self {
        let mark = origin.to_string();
        Self::at(origin, settings, None, &mark)
    }

    /// One that DNS has named.
    pub(super) fn found(origin: Origin, settings: Arc<Settings>, address: SocketAddr) -> Self {
        Self::at(origin, settings, Some(address), &address.to_string())
    }

    fn at(
        origin: Origin,
        settings: Arc<Settings>,
        address: Option<SocketAddr>,
        mark: &str,
    ) -> Self {
        static NUMBERS: AtomicU64 = AtomicU64::new(0);
        Self {
            number: NUMBERS.fetch_add(1, Ordering::Relaxed),
            mark: UpstreamId::of(mark).as_u64(),
            origin,
            address,
            rank: AtomicU32::new(0),
            settings,
            health: Health::new(),
            next_source: AtomicUsize::new(0),
            is_retired: AtomicBool::new(false),
        }
    }

    /// Where it is, for people: its URL, and the address that DNS has named.
    pub(super) fn place(&self) -> String {
        match self.address {
            Some(address) => format!("{} at {address}", self.origin),
            None => self.origin.to_string(),
        }
    }

    pub(super) fn set_rank(&self, rank: Rank) {
        let word = u32::from(rank.priority) << 16 | u32::from(rank.weight);
        self.rank.store(word, Ordering::Relaxed);
    }

    /// The source addresses of this family, each time beginning with the next one.
    pub(super) fn sources(&self, is_v4: bool) -> impl Iterator<Item = IpAddr> {
        let all = &self.settings.sources;
        let first = if all.is_empty() {
            0
        } else {
            self.next_source.fetch_add(1, Ordering::Relaxed) % all.len()
        };
        let (before, after) = all.split_at(first);
        let turned = after.iter().chain(before).copied();
        turned.filter(move |address| address.is_ipv4() == is_v4)
    }

    /// A number by which members compete for `affinity`: each request goes to the highest, so that
    /// one that is lost moves nobody but those who were there.
    ///
    /// Among members with an SRV record the priority counts first, and then each gets its weight's
    /// share.
    fn claim(&self, affinity: u64) -> (Reverse<u32>, u64) {
        let number = mix(self.mark ^ affinity);
        if !matches!(self.settings.discover, Discover::Services(_)) {
            return (Reverse(0), number);
        }
        let rank = self.rank.load(Ordering::Relaxed);
        let (priority, weight) = (rank >> 16, rank & 0xffff);
        (Reverse(priority), weighted(number, weight))
    }
}

/// A number by which a share of `weight` goes to its member: that of weighted rendezvous hashing, whose
/// greatest is each member's with the probability of its part of all weights. Those without weight
/// get next to nothing beside others (RFC 2782), and the same among themselves.
fn weighted(number: u64, weight: u32) -> u64 {
    let upper = u32::try_from(number >> 32).unwrap_or(u32::MAX);
    // Above 0 and below 1.
    let chance = (f64::from(upper) + 0.5) / 4_294_967_296.0;
    let weight = f64::from(weight).max(0.01);
    // Above 0, where greater numbers have greater bits.
    (weight / -chance.ln()).to_bits()
}

/// The finalizer of SplitMix64: every bit of the argument counts.
const fn mix(value: u64) -> u64 {
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

/// An upstream, as requests find it.
#[derive(Clone, Debug)]
pub(super) struct Group {
    pub(super) id: UpstreamId,
    pub(super) settings: Arc<Settings>,
    pub(super) members: Vec<Arc<Member>>,
}

impl Group {
    /// `known` are upstreams whose members are taken over as far as they are the same.
    pub(super) fn new(settings: Settings, known: &[Self]) -> Self {
        let settings = Arc::new(settings);
        let id = UpstreamId::of(&settings.name);
        let before = known.iter().find(|group| group.id == id);
        let before = before.filter(|group| group.settings.serves_like(&settings));
        // What DNS has said stays true.
        if settings.discover != Discover::Off
            && let Some(before) = before
            && before.settings.members == settings.members
        {
            return Self {
                id,
                members: before.members.clone(),
                settings,
            };
        }
        let members = settings.members.iter().map(|origin| {
            let mut known = before.iter().flat_map(|group| &group.members);
            let known = known.find(|member| member.origin == *origin);
            known.map_or_else(
                || Arc::new(Member::new(origin.clone(), Arc::clone(&settings))),
                Arc::clone,
            )
        });
        Self {
            id,
            members: members.collect(),
            settings,
        }
    }

    /// The member for a request: of those that were not tried the one that it belongs to, among
    /// those that are well if there are any. `None` when there is none left, or all are down by
    /// their checks.
    pub(super) fn choose(&self, affinity: u64, tried: &[u64]) -> Option<&Arc<Member>> {
        if let [member] = self.members.as_slice() {
            let is_left = tried.is_empty() && !member.health.is_down();
            return is_left.then_some(member);
        }
        let left = || {
            let mut all = self.members.iter();
            std::iter::from_fn(move || {
                all.find(|member| !tried.contains(&member.number) && !member.health.is_down())
            })
        };
        let claim = |member: &&Arc<Member>| member.claim(affinity);
        let well = left().filter(|member| !member.health.is_avoided());
        well.max_by_key(claim).or_else(|| left().max_by_key(claim))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::tls;
    use crate::net::upstream::discover::Place;

    fn group(members: &[&str], known: &[Group]) -> Group {
        let tls = tls::client(tls::Roots::System).unwrap();
        let origin = members[0].parse().unwrap();
        let mut settings = Settings::single("mail", origin, Arc::new(tls));
        settings.members = members.iter().map(|url| url.parse().unwrap()).collect();
        Group::new(settings, known)
    }

    const THREE: [&str; 3] = [
        "http://a.internal",
        "http://b.internal",
        "http://c.internal",
    ];

    fn places(group: &Group) -> Vec<String> {
        let place = |affinity| group.choose(mix(affinity), &[]).unwrap().origin.to_string();
        (0..3000).map(place).collect()
    }

    #[test]
    fn a_lost_member_moves_only_its_own() {
        let group = group(&THREE, &[]);
        let before = places(&group);
        for url in THREE {
            let share = before.iter().filter(|place| *place == url).count();
            assert!((850..1150).contains(&share), "row {url}: {share}");
        }
        let lost = group
            .members
            .iter()
            .find(|m| m.origin.to_string() == THREE[1]);
        let lost = lost.unwrap();
        assert!(lost.health.check_fails("gone"));
        let after = places(&group);
        for (before, after) in before.iter().zip(&after) {
            let moved = before != after;
            assert_eq!(moved, before == THREE[1], "{before} {after}");
        }
        lost.health.check_succeeds();
        assert_eq!(places(&group), before, "and all come back");
    }

    #[test]
    fn those_that_are_down_get_nothing_and_those_avoided_only_for_want_of_others() {
        let group = group(&THREE, &[]);
        for member in &group.members {
            member.health.fail("refused", false);
        }
        let chosen = group.choose(7, &[]).unwrap();
        let second = group.choose(7, &[chosen.number]).unwrap();
        assert_ne!(chosen.number, second.number, "another one for another try");
        for member in &group.members {
            member.health.check_fails("gone");
        }
        assert!(group.choose(7, &[]).is_none());
    }

    #[test]
    fn a_reload_keeps_members_that_are_the_same() {
        let before = group(&THREE, &[]);
        let after = group(&THREE[1..], std::slice::from_ref(&before));
        assert_eq!(before.members[1].number, after.members[0].number);
        assert_eq!(after.members.len(), 2);
        let mut settings = (*before.settings).clone();
        settings.sources = vec![IpAddr::from([127, 0, 0, 2])];
        let other = Group::new(settings, std::slice::from_ref(&before));
        assert_ne!(before.members[1].number, other.members[1].number);
    }

    fn found(group: &Group, places: &[(&str, u16, u16)]) -> Group {
        let places = places.iter().map(|(address, priority, weight)| Place {
            rank: Rank {
                priority: *priority,
                weight: *weight,
            },
            address: address.parse().unwrap(),
        });
        let origin = group.settings.members[0].clone();
        group.with_found(&vec![(origin, Some(places.collect()))])
    }

    fn by_service() -> Group {
        let mut settings = (*group(&THREE[..1], &[]).settings).clone();
        settings.discover = Discover::Services("_http._tcp.a.internal".into());
        Group::new(settings, &[])
    }

    fn shares(group: &Group) -> Vec<(u16, usize)> {
        let mut shares = std::collections::BTreeMap::new();
        for affinity in 0..4000 {
            let chosen = group.choose(mix(affinity), &[]).unwrap();
            *shares.entry(chosen.address.unwrap().port()).or_default() += 1;
        }
        shares.into_iter().collect()
    }

    #[test]
    fn priority_counts_first_and_weight_is_a_share_rfc2782() {
        let group = found(
            &by_service(),
            &[
                ("10.0.0.1:1", 10, 60),
                ("10.0.0.2:2", 10, 30),
                ("10.0.0.3:3", 10, 10),
                ("10.0.0.4:4", 20, 1),
                ("10.0.0.5:5", 10, 0),
            ],
        );
        let mut rest = 4000;
        for ((port, share), expected) in shares(&group).into_iter().zip([60, 30, 10]) {
            let near = expected * 36..expected * 44;
            assert!(near.contains(&share), "{port}: {share}");
            rest -= share;
        }
        assert!(rest <= 4, "next to nothing without weight: {rest}");
        for member in &group.members {
            if member.address.unwrap().port() != 4 {
                member.health.check_fails("gone");
            }
        }
        assert_eq!(shares(&group), [(4, 4000)], "the next priority");
    }

    #[test]
    fn what_dns_says_anew_moves_only_what_it_is_about() {
        let before = by_service();
        assert_eq!(
            before.members[0].place(),
            THREE[0],
            "until it has said something"
        );
        let first = found(&before, &[("10.0.0.1:80", 0, 1), ("10.0.0.2:80", 0, 1)]);
        assert_eq!(first.members[1].place(), "http://a.internal at 10.0.0.2:80");
        first.members[1].health.check_fails("gone");
        let second = found(&first, &[("10.0.0.2:80", 0, 7), ("10.0.0.3:80", 0, 1)]);
        let numbers = |group: &Group| [0, 1].map(|at| group.members[at].number);
        assert_eq!(numbers(&second)[0], numbers(&first)[1], "the same server");
        assert!(second.members[0].health.is_down(), "as it was");
        assert!(
            numbers(&first)
                .iter()
                .all(|number| *number != numbers(&second)[1])
        );
        // Nothing at all is no answer, and a reload forgets nothing.
        assert_eq!(numbers(&found(&second, &[])), numbers(&second));
        let nothing = second.with_found(&vec![(second.settings.members[0].clone(), None)]);
        assert_eq!(numbers(&nothing), numbers(&second));
        let reloaded = Group::new((*second.settings).clone(), std::slice::from_ref(&second));
        assert_eq!(numbers(&reloaded), numbers(&second));
        let many: Vec<String> = (0..200).map(|n| format!("10.0.1.{n}:80")).collect();
        let many: Vec<_> = many
            .iter()
            .map(|address| (address.as_str(), 0, 1))
            .collect();
        assert_eq!(found(&second, &many).members.len(), 64);
    }

    #[test]
    fn source_addresses_take_turns() {
        let mut settings = (*group(&THREE[..1], &[]).settings).clone();
        settings.sources = [[127, 0, 0, 2], [127, 0, 0, 3]].map(IpAddr::from).to_vec();
        settings.sources.push("::1".parse().unwrap());
        let group = Group::new(settings, &[]);
        let member = &group.members[0];
        let firsts: Vec<_> = (0..6).filter_map(|_| member.sources(true).next()).collect();
        let [two, three] = [[127, 0, 0, 2], [127, 0, 0, 3]].map(IpAddr::from);
        assert_eq!(firsts, [two, three, two, two, three, two]);
        assert_eq!(member.sources(false).count(), 1);
    }
}
