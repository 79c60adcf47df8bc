//! Network devices that come over TLS: told by their certificate, not by their address
//! (RFC 6614 sections 2.3 and 3.4).

use std::collections::HashMap;
use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;
use std::sync::Arc;

use ipnet::IpNet;

use crate::model::CertificateIdentity;
use crate::model::Fingerprint;
use crate::radius::nas::Nas;
use crate::radius::nas::NasConfig;
use crate::radius::transport::Transport;

/// A name that a device's certificate must have: `ap-1.example.org`, or `*.aps.example.org` for
/// every name with one label more. Case does not count.
///
/// It is compared with the certificate's `dNSName` alternatives, and with its common name only if
/// it has none (RFC 6125 section 6.4.4). A wildcard in the certificate matches nothing but the same
/// text: who may speak for many devices is said here and not by the authority.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PeerName(Box<str>);

impl FromStr for PeerName {
    type Err = PeerNameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let name = text.strip_prefix("*.").unwrap_or(text);
        let sound = |label: &str| {
            !label.is_empty()
                && label.len() <= MAX_LABEL
                && label
                    .bytes()
                    .all(|octet| octet.is_ascii_alphanumeric() || b"-_".contains(&octet))
        };
        let whole = name.len() <= MAX_NAME && name.split('.').all(sound);
        // A wildcard for a whole top-level domain is a slip of the pen.
        let wide = name.len() < text.len() && !name.contains('.');
        if whole && !wide {
            Ok(Self(text.to_ascii_lowercase().into()))
        } else {
            Err(PeerNameError)
        }
    }
}

impl fmt::Display for PeerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A text that is no name of a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("is no DNS name such as \"ap-1.example.org\" or \"*.aps.example.org\"")]
pub struct PeerNameError;

/// A device that comes over TLS, as configured.
#[derive(Clone, Debug)]
pub struct PeerConfig {
    /// The device; its `network` and `secret` are not used.
    pub nas: NasConfig,
    /// Names, one of which its certificate must have.
    pub names: Vec<PeerName>,
    /// Certificates that are its own, whatever their names.
    pub fingerprints: Vec<Fingerprint>,
    /// From where it may come; from everywhere if empty.
    pub networks: Vec<IpNet>,
}

/// Two devices that the same certificate would stand for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{name}: {what} already stands for {first}")]
pub struct PeerError {
    /// The later entry.
    pub name: String,
    /// The earlier one.
    pub first: String,
    /// The name or fingerprint that both claim.
    pub what: String,
}

/// Why a certificate that its authority vouches for is let in for no device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Stranger {
    /// No entry has one of its names, nor its fingerprint.
    #[error("no NAS has a name or the fingerprint of this certificate")]
    Unknown,
    /// Its names belong to several entries.
    #[error("the names of this certificate belong to several NASes")]
    Several,
    /// It came from an address that its entry does not have.
    #[error("the NAS of this certificate may not come from this address")]
    Elsewhere,
}

/// All devices that come over TLS; immutable once built.
#[derive(Debug, Default)]
pub struct PeerTable {
    all: Vec<Peer>,
    by_name: HashMap<Box<str>, usize>,
    by_fingerprint: HashMap<Fingerprint, usize>,
}

#[derive(Debug)]
struct Peer {
    nas: Arc<Nas>,
    networks: Vec<IpNet>,
}

impl PeerTable {
    /// Builds the table.
    ///
    /// # Errors
    ///
    /// Every name or fingerprint that two entries have.
    pub fn new(configs: Vec<PeerConfig>) -> Result<Self, Vec<PeerError>> {
        let mut table = Self::default();
        let mut errors = Vec::new();
        for config in configs {
            let place = table.all.len();
            for name in config.names {
                let first = *table.by_name.entry(name.0.clone()).or_insert(place);
                errors.extend(table.clash(&config.nas, first, &name));
            }
            for print in config.fingerprints {
                let first = *table.by_fingerprint.entry(print).or_insert(place);
                errors.extend(table.clash(&config.nas, first, &print));
            }
            table.all.push(Peer {
                nas: Arc::new(Nas::new(config.nas, Transport::Tls)),
                networks: config.networks,
            });
        }
        if errors.is_empty() {
            Ok(table)
        } else {
            Err(errors)
        }
    }

    fn clash(&self, nas: &NasConfig, first: usize, what: &dyn fmt::Display) -> Option<PeerError> {
        let first = self.all.get(first)?;
        Some(PeerError {
            name: nas.name.clone(),
            first: first.nas.name().to_owned(),
            what: what.to_string(),
        })
    }

    /// The device that a verified certificate stands for, which comes from `address`. A fingerprint
    /// tells more than a name, and a whole name more than a wildcard.
    ///
    /// # Errors
    ///
    /// Why it is nobody's.
    pub fn find(
        &self,
        certificate: &CertificateIdentity,
        address: IpAddr,
    ) -> Result<&Arc<Nas>, Stranger> {
        let pinned = self.by_fingerprint.get(&certificate.fingerprint);
        let place = match pinned {
            Some(place) => *place,
            None => self.by_names(certificate)?,
        };
        let peer = self.all.get(place).ok_or(Stranger::Unknown)?;
        let address = address.to_canonical();
        let from_there = |network: &IpNet| network.contains(&address);
        if peer.networks.is_empty() || peer.networks.iter().any(from_there) {
            Ok(&peer.nas)
        } else {
            Err(Stranger::Elsewhere)
        }
    }

    fn by_names(&self, certificate: &CertificateIdentity) -> Result<usize, Stranger> {
        let common = certificate.common_name.as_ref();
        let common = common.filter(|_| certificate.dns_names.is_empty());
        let names = certificate.dns_names.iter().chain(common);
        let names: Vec<String> = names.map(|name| name.to_ascii_lowercase()).collect();
        let whole = |name: &String| self.by_name.get(&**name);
        let wide = |name: &String| {
            let (_, parent) = name.split_once('.')?;
            self.by_name.get(&*format!("*.{parent}"))
        };
        if let Some(place) = one_of(names.iter().filter_map(whole))? {
            return Ok(place);
        }
        one_of(names.iter().filter_map(wide))?.ok_or(Stranger::Unknown)
    }

    /// The device called `name`.
    #[must_use]
    pub fn named(&self, name: &str) -> Option<&Arc<Nas>> {
        let mut all = self.all.iter();
        all.find(|peer| peer.nas.name() == name)
            .map(|peer| &peer.nas)
    }

    /// How many devices there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.all.len()
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.all.is_empty()
    }
}

fn one_of<'a>(mut places: impl Iterator<Item = &'a usize>) -> Result<Option<usize>, Stranger> {
    let Some(&first) = places.next() else {
        return Ok(None);
    };
    if places.all(|&other| other == first) {
        Ok(Some(first))
    } else {
        Err(Stranger::Several)
    }
}

/// RFC 1035 section 2.3.4.
const MAX_LABEL: usize = 63;
const MAX_NAME: usize = 253;
