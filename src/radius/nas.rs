//! Network devices: who may ask, with which secret, under which rules.

use std::collections::BTreeMap;
use std::fmt;
use std::iter;
use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;

use ipnet::IpNet;
use ipnet::Ipv4Net;

use crate::model::Secret;
use crate::radius::authenticator::SharedSecret;
use crate::radius::transport::Transport;

/// When an Access-Request without Message-Authenticator is dropped (CVE-2024-3596).
///
/// One with EAP-Message, and a Status-Server, is dropped under every policy, and a wrong
/// Message-Authenticator is never accepted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum MessageAuthenticatorPolicy {
    /// Always.
    #[default]
    Require,
    /// Once the device has sent a right Message-Authenticator; before that, if there is a
    /// Proxy-State, which is what the attack needs.
    Auto,
    /// Never: for a device that cannot be updated, on a network of its own.
    Off,
}

/// `require`, `auto`, `off`.
impl fmt::Display for MessageAuthenticatorPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Require => "require",
            Self::Auto => "auto",
            Self::Off => "off",
        })
    }
}

/// A network device, or a network of devices that share a secret, as configured.
#[derive(Clone, Debug)]
pub struct NasConfig {
    /// Its name in records and reports.
    pub name: String,
    /// The group by which policies and reply attributes name it.
    pub group: String,
    /// Which source addresses it has; a single address is a /32 or /128.
    pub network: IpNet,
    /// The shared secret; never empty.
    pub secret: Secret,
    /// Whether requests must be signed.
    pub message_authenticator: MessageAuthenticatorPolicy,
    /// Whether it may send accounting.
    pub accounting: bool,
    /// How it takes Disconnect- and CoA-Requests; `None` if it takes none.
    pub dynamic_authorization: Option<DynamicAuthorization>,
}

/// How a device takes Disconnect- and CoA-Requests (RFC 5176).
#[derive(Clone, Debug)]
pub struct DynamicAuthorization {
    /// The UDP port (section 2); over TLS it means nothing.
    pub port: u16,
    /// The shared secret, never empty, where it is not the one of the device's own requests: many
    /// devices are told another one for this direction.
    pub secret: Option<Secret>,
}

/// With the secret of the device's own requests.
impl From<u16> for DynamicAuthorization {
    fn from(port: u16) -> Self {
        Self { port, secret: None }
    }
}

/// A network device in use.
#[derive(Debug)]
pub struct Nas {
    name: Box<str>,
    group: Box<str>,
    network: IpNet,
    secret: SharedSecret,
    message_authenticator: MessageAuthenticatorPolicy,
    accounting: bool,
    dynamic_authorization: Option<u16>,
    /// Boxed: few have one, and the tables are long.
    dynamic_secret: Option<Box<SharedSecret>>,
    transport: Transport,
    learned: AtomicBool,
}

impl Nas {
    pub(super) fn new(config: NasConfig, transport: Transport) -> Self {
        let (dynamic_authorization, dynamic_secret) = match config.dynamic_authorization {
            Some(DynamicAuthorization { port, secret }) => (Some(port), secret),
            None => (None, None),
        };
        Self {
            name: config.name.into_boxed_str(),
            group: config.group.into_boxed_str(),
            network: canonical(config.network),
            secret: SharedSecret::new(config.secret),
            message_authenticator: config.message_authenticator,
            accounting: config.accounting,
            dynamic_authorization,
            dynamic_secret: dynamic_secret.map(|secret| Box::new(SharedSecret::new(secret))),
            transport,
            learned: AtomicBool::new(false),
        }
    }

    /// Its name in records and reports.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The group by which policies and reply attributes name it.
    #[must_use]
    pub fn group(&self) -> &str {
        &self.group
    }

    /// Its source addresses, without host bits; an IPv4-mapped network as the IPv4 one.
    #[must_use]
    pub const fn network(&self) -> IpNet {
        self.network
    }

    /// The shared secret.
    #[must_use]
    pub const fn secret(&self) -> &SharedSecret {
        &self.secret
    }

    /// Whether requests must be signed.
    #[must_use]
    pub const fn message_authenticator(&self) -> MessageAuthenticatorPolicy {
        self.message_authenticator
    }

    /// Whether it may send accounting.
    #[must_use]
    pub const fn accounting(&self) -> bool {
        self.accounting
    }

    /// How it reaches us, and we it.
    #[must_use]
    pub const fn transport(&self) -> Transport {
        self.transport
    }

    /// The UDP port at which it takes Disconnect-Requests, if it takes any; over TLS they go on its
    /// connection, and the port means nothing.
    #[must_use]
    pub const fn dynamic_authorization(&self) -> Option<u16> {
        self.dynamic_authorization
    }

    /// The secret that signs Disconnect- and CoA-Requests to it, and its answers to them.
    #[must_use]
    pub fn dynamic_secret(&self) -> &SharedSecret {
        self.dynamic_secret.as_deref().unwrap_or(&self.secret)
    }

    /// Whether a right Message-Authenticator was seen while the policy was `auto`, so that `auto`
    /// now means `require`.
    #[must_use]
    pub fn has_learned(&self) -> bool {
        // The flag guards no other data.
        self.learned.load(Ordering::Relaxed)
    }

    pub(super) fn learn(&self) {
        // Read first: a store for each packet would bounce the cache line between workers.
        if self.message_authenticator == MessageAuthenticatorPolicy::Auto && !self.has_learned() {
            self.learned.store(true, Ordering::Relaxed);
        }
    }
}

/// One entry that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NasError {
    /// A secret of no octets (RFC 2865 section 3 forbids it).
    #[error("{name}: the secret is empty")]
    EmptySecret {
        /// Which entry.
        name: String,
    },
    /// Two entries for the same network, so that neither is meant.
    #[error("{name}: {network} is already {first}")]
    SameNetwork {
        /// The later entry.
        name: String,
        /// The earlier one.
        first: String,
        /// What they share.
        network: IpNet,
    },
}

/// All network devices, found by source address; immutable once built.
///
/// The longest prefix wins. The prefixes are cut into ranges that do not overlap, so a look-up
/// is one binary search however deep they nest: 17 steps at 50,000 prefixes, without a hash of an
/// address that anybody may choose, and without allocation.
#[derive(Debug, Default)]
pub struct NasTable {
    all: Box<[Arc<Nas>]>,
    v4: Ranges,
    v6: Ranges,
}

impl NasTable {
    /// Builds the table.
    ///
    /// # Errors
    ///
    /// Every entry that cannot be used.
    pub fn new(configs: Vec<NasConfig>) -> Result<Self, Vec<NasError>> {
        let mut errors = Vec::new();
        let mut by_network: BTreeMap<IpNet, Arc<Nas>> = BTreeMap::new();
        let mut all = Vec::with_capacity(configs.len());
        for config in configs {
            let dynamic = config.dynamic_authorization.as_ref();
            let dynamic = dynamic.and_then(|dynamic| dynamic.secret.as_ref());
            let mut secrets = iter::once(&config.secret).chain(dynamic);
            if secrets.any(|secret| secret.expose().is_empty()) {
                errors.push(NasError::EmptySecret { name: config.name });
                continue;
            }
            let nas = Arc::new(Nas::new(config, Transport::Udp));
            if let Some(first) = by_network.get(&nas.network) {
                errors.push(NasError::SameNetwork {
                    name: nas.name.to_string(),
                    first: first.name.to_string(),
                    network: nas.network,
                });
                continue;
            }
            by_network.insert(nas.network, Arc::clone(&nas));
            all.push(nas);
        }
        if !errors.is_empty() {
            return Err(errors);
        }
        Ok(Self {
            v4: Ranges::new(&all, |network| matches!(network, IpNet::V4(_))),
            v6: Ranges::new(&all, |network| matches!(network, IpNet::V6(_))),
            all: all.into_boxed_slice(),
        })
    }

    /// The device with that source address; an IPv4-mapped IPv6 address is the IPv4 address.
    #[must_use]
    pub fn find(&self, address: IpAddr) -> Option<&Arc<Nas>> {
        let place = match address.to_canonical() {
            IpAddr::V4(address) => self.v4.find(u128::from(address.to_bits())),
            IpAddr::V6(address) => self.v6.find(address.to_bits()),
        }?;
        self.all.get(place)
    }

    /// All devices, in the order they were configured.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Nas>> {
        self.all.iter()
    }

    /// How many devices there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.all.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// Takes over what `auto` has learned for each device whose name and network are unchanged,
    /// so that a reload does not reopen it. Call it before the table is put to use.
    pub fn inherit(&self, previous: &Self) {
        let learned: BTreeMap<IpNet, &str> = previous
            .iter()
            .filter(|nas| nas.has_learned())
            .map(|nas| (nas.network, nas.name()))
            .collect();
        for nas in self.iter() {
            if learned.get(&nas.network) == Some(&nas.name()) {
                nas.learn();
            }
        }
    }
}

/// Ranges of addresses in ascending order, each from its start to the next one's.
#[derive(Debug, Default)]
struct Ranges {
    starts: Box<[u128]>,
    /// Beside `starts`: which device owns the range, if one does.
    owners: Box<[Option<u32>]>,
}

impl Ranges {
    fn new(all: &[Arc<Nas>], family: impl Fn(&IpNet) -> bool) -> Self {
        let mut prefixes: Vec<(u128, u128, u32)> = (0_u32..)
            .zip(all)
            .filter(|(_, nas)| family(&nas.network))
            .map(|(place, nas)| {
                let (first, last) = bounds(&nas.network);
                (first, last, place)
            })
            .collect();
        // Of prefixes with one start the widest comes first, so that those inside cut it.
        prefixes.sort_by(|a, b| a.0.cmp(&b.0).then(b.1.cmp(&a.1)));
        let mut sweep = Sweep::default();
        for (first, last, place) in prefixes {
            sweep.close_before(first);
            sweep.cut(first, Some(place));
            sweep.open.push((last, place));
        }
        while sweep.close_innermost().is_some() {}
        Self {
            starts: sweep.starts.into_boxed_slice(),
            owners: sweep.owners.into_boxed_slice(),
        }
    }

    fn find(&self, address: u128) -> Option<usize> {
        let after = self.starts.partition_point(|&start| start <= address);
        let owner = *self.owners.get(after.checked_sub(1)?)?;
        owner.and_then(|place| usize::try_from(place).ok())
    }
}

/// A walk over the prefixes in ascending order that remembers which are still open.
#[derive(Default)]
struct Sweep {
    starts: Vec<u128>,
    owners: Vec<Option<u32>>,
    /// Last address and owner, innermost last.
    open: Vec<(u128, u32)>,
}

impl Sweep {
    fn close_before(&mut self, first: u128) {
        while self.open.last().is_some_and(|&(last, _)| last < first) {
            self.close_innermost();
        }
    }

    fn close_innermost(&mut self) -> Option<()> {
        let (last, _) = self.open.pop()?;
        if let Some(next) = last.checked_add(1) {
            self.cut(next, self.open.last().map(|&(_, place)| place));
        }
        Some(())
    }

    fn cut(&mut self, start: u128, owner: Option<u32>) {
        if self.starts.last() == Some(&start) {
            self.owners.pop();
        } else {
            self.starts.push(start);
        }
        self.owners.push(owner);
    }
}

fn bounds(network: &IpNet) -> (u128, u128) {
    let number = |address: IpAddr| match address {
        IpAddr::V4(address) => u128::from(address.to_bits()),
        IpAddr::V6(address) => address.to_bits(),
    };
    (number(network.network()), number(network.broadcast()))
}

/// Without host bits, and as IPv4 if it lies in `::ffff:0:0/96`.
fn canonical(network: IpNet) -> IpNet {
    let network = network.trunc();
    let IpNet::V6(v6) = network else {
        return network;
    };
    let mapped: Option<Ipv4Addr> = v6.network().to_ipv4_mapped();
    match (mapped, v6.prefix_len().checked_sub(96)) {
        (Some(address), Some(length)) => Ipv4Net::new(address, length).map_or(network, IpNet::V4),
        (Some(_) | None, Some(_) | None) => network,
    }
}
