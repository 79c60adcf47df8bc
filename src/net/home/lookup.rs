//! Home servers looked up by DNS (RFC 7585): NAPTR, then SRV, then addresses.
//!
//! Each look-up is a task of its own, which ends within [`WHOLE`]; how many there are is bounded by the
//! core. Nothing is asked below the system's search domains: a realm is a whole name.

use std::net::SocketAddr;
use std::net::UdpSocket;
use std::sync::Arc;
use std::time::Duration;

use hickory_resolver::TokioResolver;
use hickory_resolver::config::ConnectionConfig;
use hickory_resolver::config::NameServerConfig;
use hickory_resolver::config::ResolveHosts;
use hickory_resolver::config::ResolverConfig;
use hickory_resolver::config::ResolverOpts;
use hickory_resolver::lookup::Lookup;
use hickory_resolver::net::DnsError;
use hickory_resolver::net::NetError;
use hickory_resolver::net::NoRecords;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::rr::RData;
use hickory_resolver::proto::rr::RecordType;
use rustls::pki_types::ServerName;
use tokio::time::timeout;

use super::Wanted;
use super::trust::Trust;
use crate::network::Discovery;
use crate::network::Found;
use crate::network::FoundServer;
use crate::network::Nobody;
use crate::network::TlsWay;
use crate::radius::Lead;
use crate::radius::MAX_SERVERS;
use crate::radius::Naptr;
use crate::radius::Srv;
use crate::radius::leads;
use crate::radius::servers;

/// How home servers are looked up.
#[derive(Debug)]
pub struct Lookups {
    /// What the core does with what is found.
    pub discovery: Discovery,
    /// The services that are looked for, in NAPTR records.
    pub services: Vec<String>,
    /// Whether a certificate may name the server that DNS gave, in place of the realm.
    pub by_name: bool,
    /// What connections are made with.
    pub trust: Arc<Trust>,
    /// Our own doors of RADIUS over TLS: a realm that leads there would go round.
    pub own: Vec<SocketAddr>,
    resolver: TokioResolver,
}

impl Lookups {
    /// Ways to look up: those of the system, or `name_servers` if there are some.
    ///
    /// # Errors
    ///
    /// When the system's configuration cannot be used.
    pub fn new(
        discovery: Discovery,
        trust: Arc<Trust>,
        name_servers: &[SocketAddr],
    ) -> Result<Self, Box<NetError>> {
        let mut builder = if name_servers.is_empty() {
            TokioResolver::builder_tokio()?
        } else {
            let servers = name_servers.iter().map(|server| {
                let mut ways = [ConnectionConfig::udp(), ConnectionConfig::tcp()];
                for way in &mut ways {
                    way.port = server.port();
                }
                NameServerConfig::new(server.ip(), true, ways.into())
            });
            let config = ResolverConfig::from_parts(None, Vec::new(), servers.collect());
            TokioResolver::builder_with_config(config, TokioRuntimeProvider::default())
        };
        let options: &mut ResolverOpts = builder.options_mut();
        options.timeout = EACH;
        options.attempts = 2;
        // What is known is known to the core, with a floor and a ceiling.
        options.cache_size = 0;
        options.use_hosts_file = ResolveHosts::Never;
        // A longer answer is asked for again over TCP.
        options.try_tcp_on_error = true;
        Ok(Self {
            discovery,
            services: Vec::new(),
            by_name: false,
            trust,
            own: Vec::new(),
            resolver: builder.build()?,
        })
    }

    /// Whom the certificate of a server has to name that was found for a realm.
    pub(super) fn wanted(&self, way: &TlsWay) -> Option<Wanted> {
        let realm = way.realm.clone()?;
        let name = ServerName::try_from(way.host.to_string()).ok();
        Some(Wanted::Realm(realm, name.filter(|_| self.by_name)))
    }

    /// Looks a realm up.
    pub(super) async fn find(&self, realm: &str) -> Found {
        match timeout(WHOLE, self.follow(realm)).await {
            Ok(found) => found,
            Err(_) => Err(Nobody::for_now(format!(
                "DNS has not answered within 6 s for {realm}"
            ))),
        }
    }

    async fn follow(&self, realm: &str) -> Found {
        let (records, mut lifetime) = self.ask(realm, RecordType::NAPTR).await?;
        let records: Vec<_> = records
            .answers()
            .iter()
            .filter_map(|record| {
                let RData::NAPTR(naptr) = &record.data else {
                    return None;
                };
                Some((naptr, naptr.replacement.to_ascii()))
            })
            .take(MAX_RECORDS)
            .collect();
        let records: Vec<Naptr<'_>> = records
            .iter()
            .map(|(naptr, replacement)| Naptr {
                order: naptr.order,
                preference: naptr.preference,
                flags: &naptr.flags,
                service: &naptr.services,
                regexp: &naptr.regexp,
                replacement,
            })
            .collect();
        let mut hosts = Vec::new();
        let mut trouble = Nobody::certain(format!(
            "{realm} has no NAPTR record for {}",
            self.services.join(" or ")
        ));
        for lead in leads(&records, &self.services) {
            match lead {
                Lead::Host(host) => hosts.push((host, RADSEC_PORT)),
                Lead::Services(name) => match self.ask(&name, RecordType::SRV).await {
                    Ok((records, alive)) => {
                        lifetime = lifetime.min(alive);
                        hosts.extend(services(&records));
                    }
                    Err(why) => trouble = worse(trouble, why),
                },
            }
        }
        let mut found = Vec::new();
        let mut ours = false;
        hosts.truncate(MAX_SERVERS);
        for (host, port) in hosts {
            match self.addresses(&host, port).await {
                Ok((addresses, alive)) => {
                    lifetime = lifetime.min(alive);
                    ours |= addresses.iter().any(|address| self.is_ours(*address));
                    found.push(FoundServer {
                        host,
                        port,
                        addresses,
                    });
                }
                Err(why) => trouble = worse(trouble, why),
            }
        }
        if ours {
            return Err(Nobody::for_now(format!(
                "the servers of {realm} are this gateway, and the request would go round"
            )));
        }
        if found.is_empty() {
            return Err(trouble);
        }
        Ok((found, lifetime))
    }

    async fn addresses(
        &self,
        host: &str,
        port: u16,
    ) -> Result<(Vec<SocketAddr>, Duration), Nobody> {
        let found = self.resolver.lookup_ip(whole(host)).await;
        let found = found.map_err(|error| why(host, &error))?;
        let lifetime = lifetime(found.as_lookup());
        let addresses: Vec<SocketAddr> = found
            .iter()
            .map(|address| SocketAddr::new(address, port))
            .take(MAX_ADDRESSES)
            .collect();
        if addresses.is_empty() {
            return Err(Nobody::certain(format!("{host} has no address")));
        }
        Ok((addresses, lifetime))
    }

    async fn ask(&self, name: &str, kind: RecordType) -> Result<(Lookup, Duration), Nobody> {
        let found = self.resolver.lookup(whole(name), kind).await;
        let found = found.map_err(|error| why(name, &error))?;
        let lifetime = lifetime(&found);
        Ok((found, lifetime))
    }

    /// Whether a connection there would come to us.
    fn is_ours(&self, address: SocketAddr) -> bool {
        self.own.iter().any(|own| {
            own.port() == address.port()
                && (own.ip() == address.ip()
                    || own.ip().is_unspecified() && UdpSocket::bind((address.ip(), 0)).is_ok())
        })
    }
}

fn services(records: &Lookup) -> Vec<(String, u16)> {
    let records: Vec<_> = records
        .answers()
        .iter()
        .filter_map(|record| {
            let RData::SRV(srv) = &record.data else {
                return None;
            };
            Some((srv, srv.target.to_ascii()))
        })
        .take(MAX_RECORDS)
        .collect();
    let records: Vec<Srv<'_>> = records
        .iter()
        .map(|(srv, target)| Srv {
            priority: srv.priority,
            weight: srv.weight,
            port: srv.port,
            target,
        })
        .collect();
    servers(&records, |below| {
        let mut octets = [0; 4];
        match aws_lc_rs::rand::fill(&mut octets) {
            Ok(()) => u32::from_ne_bytes(octets) % below.max(1),
            // The first, then.
            Err(_) => 0,
        }
    })
}

/// How long all records of an answer are good.
fn lifetime(found: &Lookup) -> Duration {
    let records = found.answers().iter();
    let shortest = records.map(|record| record.ttl).min().unwrap_or(0);
    Duration::from_secs(shortest.into())
}

/// A name that no search domain is put behind.
fn whole(name: &str) -> String {
    format!("{name}.")
}

/// The later of two reasons; certain only if both are.
fn worse(before: Nobody, later: Nobody) -> Nobody {
    Nobody {
        certain: before.certain && later.certain,
        ..later
    }
}

/// Why a look-up has failed; the resolver prints its whole query. Only a name server that answers for
/// the name says for certain that there is nothing (RFC 2308 section 2): one that names others does
/// not, nor does one in trouble.
fn why(name: &str, error: &NetError) -> Nobody {
    let refers = matches!(
        error,
        NetError::Dns(DnsError::NoRecordsFound(NoRecords {
            soa: None,
            ns: Some(_),
            ..
        }))
    );
    if error.is_nx_domain() {
        Nobody::certain(format!("{name} does not exist in DNS"))
    } else if error.is_no_records_found() && !refers {
        Nobody::certain(format!("{name} has no such record in DNS"))
    } else {
        let said = error.to_string();
        let said: String = said.chars().take(MAX_SAID).collect();
        Nobody::for_now(format!("DNS has no answer for {name}: {said}"))
    }
}

/// For one question to one server.
const EACH: Duration = Duration::from_secs(2);

/// For all questions about a realm.
const WHOLE: Duration = Duration::from_secs(6);

/// Records of one answer that are looked at: DNS allows more than anybody has servers.
const MAX_RECORDS: usize = 64;

/// Addresses of one host.
const MAX_ADDRESSES: usize = 8;

/// Characters of an error.
const MAX_SAID: usize = 120;

/// RFC 6614 section 2.1.
const RADSEC_PORT: u16 = 2083;
