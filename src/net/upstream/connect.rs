//! New connections to a member of an upstream: its addresses by DNS, the address they leave from,
//! who the client is, TLS.

use std::error::Error;
use std::future::Future;
use std::io;
use std::net::IpAddr;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use hickory_resolver::TokioResolver;
use hickory_resolver::config::ConnectionConfig;
use hickory_resolver::config::NameServerConfig;
use hickory_resolver::config::ResolverConfig;
use hickory_resolver::net::NetError;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::rr::RData;
use hickory_resolver::proto::rr::RecordType;
use nix::sys::socket::setsockopt;
use nix::sys::socket::sockopt::IpBindAddressNoPort;
use rustls::pki_types::ServerName;
use socket2::SockRef;
use socket2::TcpKeepalive;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpSocket;
use tokio::net::TcpStream;
use tokio::time::Instant;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tracing::warn;

use crate::net::proxy_header::Ends;

use super::counted::Counted;
use super::group::Member;
use super::group::Rank;
use super::link::Link;

/// A connection on its way.
pub(super) type Opening = Pin<Box<dyn Future<Output = Result<Box<Link>, OpenError>> + Send>>;

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// No address, or nobody there.
    #[error("no connection")]
    Connect(#[source] Box<dyn Error + Send + Sync>),
    /// No TLS: not the right certificate, mostly.
    #[error("no TLS")]
    Tls(#[source] io::Error),
    /// The name is none that a certificate could have.
    #[error("the name of the server is none")]
    Name,
    /// Too long.
    #[error("it took too long")]
    Timeout,
    /// No member is left that could be tried.
    #[error("all servers of the upstream are down by their health checks")]
    AllDown,
    /// A reload has taken the upstream away.
    #[error("the upstream is not configured any more")]
    Gone,
}

/// Names to addresses, for one runtime.
#[derive(Clone, Debug)]
pub(super) struct Names(Option<TokioResolver>);

impl Names {
    /// Asks these servers, or those of the system if there are none. What they say is remembered
    /// as long as they say, and asked again with the next connection after that. Without a usable
    /// configuration only servers given by address can be reached.
    pub(super) fn new(servers: &[SocketAddr]) -> Self {
        let builder = if servers.is_empty() {
            TokioResolver::builder_tokio()
        } else {
            let servers = servers.iter().map(|server| {
                let mut ways = [ConnectionConfig::udp(), ConnectionConfig::tcp()];
                for way in &mut ways {
                    way.port = server.port();
                }
                NameServerConfig::new(server.ip(), true, ways.into())
            });
            let config = ResolverConfig::from_parts(None, Vec::new(), servers.collect());
            let provider = TokioRuntimeProvider::default();
            Ok(TokioResolver::builder_with_config(config, provider))
        };
        let resolver = builder.and_then(|mut builder| {
            builder.options_mut().positive_max_ttl = Some(LONGEST);
            builder.options_mut().negative_max_ttl = Some(FORGOTTEN);
            builder.build()
        });
        let resolver = resolver
            .inspect_err(|error| warn!(%error, "the system's resolver configuration is unusable"));
        Self(resolver.ok())
    }

    async fn addresses(
        &self,
        host: &str,
        port: u16,
    ) -> Result<Vec<SocketAddr>, Box<dyn Error + Send + Sync>> {
        if let Ok(address) = host.parse::<IpAddr>() {
            return Ok(vec![SocketAddr::new(address, port)]);
        }
        let resolver = self
            .0
            .as_ref()
            .ok_or("no resolver is configured on this system")?;
        let found = resolver.lookup_ip(host).await;
        let found = found.map_err(|error| no_address(host, error))?;
        let addresses = found.iter().map(|address| SocketAddr::new(address, port));
        Ok(addresses.take(MAX_ADDRESSES).collect())
    }
}

/// A server that an SRV record names.
pub(super) struct Service {
    pub(super) rank: Rank,
    pub(super) target: String,
    pub(super) port: u16,
}

/// Why DNS names nobody.
pub(super) struct Nobody {
    pub(super) why: String,
    /// Whether a name server has said that there is nothing.
    pub(super) is_certain: bool,
}

impl Names {
    /// The addresses of a name, and for how long they are good: those of IPv4 if there are any, else
    /// those of IPv6, because both mostly lead to the same server.
    pub(super) async fn look_up(
        &self,
        host: &str,
        port: u16,
    ) -> Result<(Vec<SocketAddr>, Duration), Nobody> {
        let found = self.resolver()?.lookup_ip(host).await;
        let found = found.map_err(|error| nobody(host, error))?;
        let v4 = found.iter().filter(IpAddr::is_ipv4).count();
        let addresses = found.iter().filter(|one| one.is_ipv4() == (v4 > 0));
        let addresses = addresses.map(|address| SocketAddr::new(address, port));
        let mut addresses: Vec<_> = addresses.take(MAX_RECORDS).collect();
        // DNS turns them round with each answer.
        addresses.sort();
        Ok((addresses, left(found.valid_until())))
    }

    /// The servers that the SRV records of a name name, the best first (RFC 2782), and for how long.
    /// A target `.` is none.
    pub(super) async fn services(&self, name: &str) -> Result<(Vec<Service>, Duration), Nobody> {
        let whole = format!("{}.", name.trim_end_matches('.'));
        let found = self.resolver()?.lookup(whole, RecordType::SRV).await;
        let found = found.map_err(|error| nobody(name, error))?;
        let mut services: Vec<_> = found
            .answers()
            .iter()
            .filter_map(|record| {
                let RData::SRV(srv) = &record.data else {
                    return None;
                };
                let rank = Rank {
                    priority: srv.priority,
                    weight: srv.weight,
                };
                // Nobody listens at port 0, either.
                (!srv.target.is_root() && srv.port > 0).then(|| Service {
                    rank,
                    target: srv.target.to_ascii(),
                    port: srv.port,
                })
            })
            .take(MAX_RECORDS)
            .collect();
        services.sort_by(|one, other| (one.rank, &one.target).cmp(&(other.rank, &other.target)));
        Ok((services, left(found.valid_until())))
    }

    fn resolver(&self) -> Result<&TokioResolver, Nobody> {
        self.0.as_ref().ok_or_else(|| Nobody {
            why: "no resolver is configured on this system".to_owned(),
            is_certain: false,
        })
    }
}

/// How long it is until then.
fn left(until: std::time::Instant) -> Duration {
    Instant::from_std(until).saturating_duration_since(Instant::now())
}

fn nobody(name: &str, error: NetError) -> Nobody {
    let is_certain = error.is_no_records_found();
    let why = if is_certain {
        format!("the name {name} has no such record")
    } else {
        let said = error.to_string();
        let said: String = said.chars().take(MAX_SAID).collect();
        format!("no answer for {name}: {said}")
    };
    Nobody { why, is_certain }
}

/// Why a name has no address; the resolver prints its whole query.
fn no_address(name: &str, error: NetError) -> Box<dyn Error + Send + Sync> {
    if error.is_no_records_found() {
        format!("the name {name} has no address").into()
    } else {
        error.into()
    }
}

/// Opens a connection to a member, for a client whose connection has these ends.
pub(super) fn open(
    names: Names,
    member: Arc<Member>,
    ends: Option<Ends>,
    within: Duration,
) -> Opening {
    let opening = async move {
        let (origin, settings) = (&member.origin, &member.settings);
        let host = origin.host().trim_matches(['[', ']']);
        let addresses = match member.address {
            Some(address) => vec![address],
            None => names
                .addresses(host, origin.port())
                .await
                .map_err(OpenError::Connect)?,
        };
        // An address that does not answer leaves time for the next one.
        let each = within / u32::try_from(addresses.len().max(1)).unwrap_or(1);
        let mut why: Box<dyn Error + Send + Sync> = "it has no address".into();
        let mut connected = None;
        for address in addresses {
            match timeout(each, connect(&member, address)).await {
                Ok(Ok(stream)) => {
                    connected = Some(stream);
                    break;
                }
                Ok(Err(error)) => why = error.into(),
                Err(_) => why = format!("{address} did not answer in time").into(),
            }
        }
        let stream = connected.ok_or(OpenError::Connect(why))?;
        prepare(&stream).map_err(|error| OpenError::Connect(error.into()))?;
        let mut stream = Counted::new(stream);
        if let Some(ends) = ends {
            let header = settings.proxy_header.write(&ends);
            let written = stream.write_all(&header).await;
            written.map_err(|error| OpenError::Connect(error.into()))?;
        }
        if !origin.is_tls() {
            return Ok(Box::new(Link::plain(stream, ends)));
        }
        let name = match &settings.tls.server_name {
            Some(name) => name.clone(),
            None => ServerName::try_from(host.to_owned()).map_err(|_| OpenError::Name)?,
        };
        let connector = TlsConnector::from(Arc::clone(&settings.tls.config));
        let stream = connector.connect(name, stream).await;
        Ok(Box::new(Link::tls(stream.map_err(OpenError::Tls)?, ends)))
    };
    Box::pin(async move {
        timeout(within, opening)
            .await
            .unwrap_or(Err(OpenError::Timeout))
    })
}

/// Connects, from a source address if some are configured; from the next one where one has no
/// port left.
async fn connect(member: &Member, address: SocketAddr) -> io::Result<TcpStream> {
    if member.settings.sources.is_empty() {
        return TcpStream::connect(address).await;
    }
    let mut why = io::Error::new(
        io::ErrorKind::AddrNotAvailable,
        "no source address is of this family",
    );
    for source in member.sources(address.is_ipv4()) {
        let socket = if address.is_ipv4() {
            TcpSocket::new_v4()?
        } else {
            TcpSocket::new_v6()?
        };
        // The port is chosen when it connects: the same one may lead to several servers.
        setsockopt(&socket, IpBindAddressNoPort, &true)?;
        let connected = match socket.bind(SocketAddr::new(source, 0)) {
            Ok(()) => socket.connect(address).await,
            Err(error) => Err(error),
        };
        match connected {
            Err(error) if error.kind() == io::ErrorKind::AddrNotAvailable => why = error,
            connected => return connected,
        }
    }
    Err(why)
}

fn prepare(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    // A waiting Ping is silent for an hour: this notices a server that is gone.
    let keepalive = TcpKeepalive::new().with_time(KEEPALIVE);
    SockRef::from(stream).set_tcp_keepalive(&keepalive)
}

/// Probing a silent connection from then on.
const KEEPALIVE: Duration = Duration::from_mins(1);
/// Addresses of one name that are tried.
const MAX_ADDRESSES: usize = 8;
/// What DNS says is believed for no longer, whatever it says.
pub(super) const LONGEST: Duration = Duration::from_hours(1);
/// That a name is not there is believed for no longer: it may be put right at any time.
const FORGOTTEN: Duration = Duration::from_secs(1);
/// Records of one answer that are looked at.
const MAX_RECORDS: usize = 64;
/// Characters of an error.
const MAX_SAID: usize = 200;
