//! One connection to a server: one question at a time, TLS before anything is said.

use std::io;
use std::net::IpAddr;
use std::sync::Arc;

use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::AsyncRead;
use tokio::io::AsyncReadExt;
use tokio::io::AsyncWrite;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::directory::ldap::ber;
use crate::directory::ldap::message;
use crate::directory::ldap::message::Outcome;
use crate::directory::ldap::message::Response;
use crate::directory::ldap::message::Search;
use crate::model::Secret;

/// How a connection is protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protection {
    /// LDAPS: TLS from the first octet.
    Tls,
    /// TLS after the server has agreed to it (RFC 4513 section 3).
    StartTls,
    /// None: for a server on this machine.
    Clear,
}

/// Where a server is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// Name or IP address, which its certificate must have.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// How it is spoken to.
    pub protection: Protection,
}

/// As a URL.
impl std::fmt::Display for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let scheme = match self.protection {
            Protection::Tls => "ldaps",
            Protection::StartTls | Protection::Clear => "ldap",
        };
        match self.host.parse::<IpAddr>() {
            Ok(IpAddr::V6(ip)) => write!(f, "{scheme}://[{ip}]:{}", self.port),
            Ok(IpAddr::V4(_)) | Err(_) => write!(f, "{scheme}://{}:{}", self.host, self.port),
        }
    }
}

/// Why a server gave no answer that can be used.
#[derive(Debug, thiserror::Error)]
pub(super) enum Trouble {
    #[error("cannot be reached: {0}")]
    Connect(io::Error),
    #[error("TLS fails: {0}")]
    Tls(io::Error),
    #[error("the connection broke: {0}")]
    Broken(io::Error),
    #[error("does not answer in time")]
    Late,
    #[error("answers what is no LDAP")]
    Malformed,
    #[error("ends the connection: {0}")]
    Disconnects(String),
    #[error("{what} is refused with code {code}: {text}")]
    Refused {
        what: &'static str,
        code: u32,
        text: String,
    },
    #[error("finds more than {0} entries")]
    TooMany(usize),
}

impl From<ber::Malformed> for Trouble {
    fn from(_: ber::Malformed) -> Self {
        Self::Malformed
    }
}

/// What came of a bind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Bound {
    pub(super) code: u32,
    pub(super) text: String,
}

/// An entry that was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) name: String,
    attributes: Vec<(String, Vec<Vec<u8>>)>,
}

impl Entry {
    /// The values of an attribute that are text. Its name is compared without case and options: of
    /// many values Active Directory gives the first 1,500 as `memberOf;range=0-1499`.
    pub(super) fn texts<'e>(&'e self, attribute: &'e str) -> impl Iterator<Item = &'e str> {
        let is_meant = move |name: &str| {
            let name = name.split(';').next().unwrap_or_default();
            name.eq_ignore_ascii_case(attribute)
        };
        let found = self
            .attributes
            .iter()
            .filter(move |(name, _)| is_meant(name));
        let values = found.flat_map(|(_, values)| values);
        values.filter_map(|value| std::str::from_utf8(value).ok())
    }
}

impl From<message::Entry<'_>> for Entry {
    fn from(entry: message::Entry<'_>) -> Self {
        let attributes = entry.attributes.into_iter().map(|(name, values)| {
            let values = values.into_iter().map(<[u8]>::to_vec).collect();
            (name.to_owned(), values)
        });
        Self {
            name: entry.name.to_owned(),
            attributes: attributes.collect(),
        }
    }
}

/// A stream of octets, whatever protects it.
trait Stream: AsyncRead + AsyncWrite + Send + Sync + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Sync + Unpin> Stream for T {}

/// A connection. Whoever is cancelled in the middle of a question must drop it: an answer may be on
/// its way.
pub(super) struct Connection {
    stream: Box<dyn Stream>,
    id: u32,
    buffer: Vec<u8>,
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connection").finish_non_exhaustive()
    }
}

impl Connection {
    /// Connects, and is protected when it returns. Waits as long as the system does: the caller sets
    /// a deadline.
    pub(super) async fn open(address: &Address, tls: &Arc<ClientConfig>) -> Result<Self, Trouble> {
        let stream = TcpStream::connect((address.host.as_str(), address.port));
        let stream = stream.await.map_err(Trouble::Connect)?;
        stream.set_nodelay(true).map_err(Trouble::Connect)?;
        let stream = match address.protection {
            Protection::Clear => return Ok(Self::over(stream)),
            Protection::Tls => stream,
            Protection::StartTls => start_tls(stream).await?,
        };
        let name = ServerName::try_from(address.host.clone())
            .map_err(|error| Trouble::Tls(io::Error::other(error)))?;
        let connecting = TlsConnector::from(Arc::clone(tls)).connect(name, stream);
        Ok(Self::over(connecting.await.map_err(Trouble::Tls)?))
    }

    fn over(stream: impl Stream + 'static) -> Self {
        Self {
            stream: Box::new(stream),
            id: 0,
            buffer: Vec::new(),
        }
    }

    /// A simple bind (RFC 4511 section 4.2). With an empty password it would be an anonymous one that
    /// always succeeds (RFC 4513 section 5.1.2): `None` stands for that, and no password is empty.
    pub(super) async fn bind(
        &mut self,
        name: &str,
        password: Option<&Secret>,
    ) -> Result<Bound, Trouble> {
        let id = self.next_id();
        let password = password.map_or(&[][..], Secret::expose);
        // Never moved, so that no copy of the password stays behind.
        let room = name.len() + password.len() + message::BIND_WRAPPING;
        let mut request = zeroize::Zeroizing::new(Vec::with_capacity(room));
        message::bind(&mut request, id, name, password);
        self.send(&request).await?;
        let mut octets = Vec::new();
        match self.answer(id, &mut octets).await? {
            Response::Bind(Outcome { code, text }) => Ok(Bound {
                code,
                text: text.to_owned(),
            }),
            Response::Entry(_)
            | Response::Reference
            | Response::Done(_)
            | Response::Extended(_)
            | Response::Intermediate => Err(Trouble::Malformed),
        }
    }

    /// Searches. More than `search.limit` entries are an error; what a server cuts off by limits of
    /// its own is too.
    pub(super) async fn search(&mut self, search: &Search<'_>) -> Result<Vec<Entry>, Trouble> {
        let id = self.next_id();
        let mut request = Vec::new();
        message::search(&mut request, id, search);
        self.send(&request).await?;
        let most = usize::try_from(search.limit).unwrap_or(usize::MAX);
        let mut found = Vec::new();
        let mut octets = Vec::new();
        loop {
            match self.answer(id, &mut octets).await? {
                Response::Entry(entry) => found.push(Entry::from(entry)),
                Response::Reference | Response::Intermediate => {}
                Response::Done(Outcome { code: SUCCESS, .. }) => return Ok(found),
                Response::Done(Outcome {
                    code: SIZE_LIMIT_EXCEEDED,
                    ..
                }) => return Err(Trouble::TooMany(most)),
                Response::Done(Outcome { code, text }) => {
                    return Err(Trouble::Refused {
                        what: "the search",
                        code,
                        text: text.to_owned(),
                    });
                }
                Response::Bind(_) | Response::Extended(_) => return Err(Trouble::Malformed),
            }
            // A server that ignores the limit must not fill our memory.
            if found.len() > most {
                return Err(Trouble::TooMany(most));
            }
        }
    }

    fn next_id(&mut self) -> u32 {
        self.id = self.id % MAX_ID + 1;
        self.id
    }

    async fn send(&mut self, request: &[u8]) -> Result<(), Trouble> {
        let stream = &mut self.stream;
        stream.write_all(request).await.map_err(Trouble::Broken)?;
        stream.flush().await.map_err(Trouble::Broken)
    }

    /// The next message, which answers `id`; its octets are in `octets`.
    async fn answer<'o>(
        &mut self,
        id: u32,
        octets: &'o mut Vec<u8>,
    ) -> Result<Response<'o>, Trouble> {
        receive(&mut self.stream, &mut self.buffer, octets).await?;
        let message = message::read(octets)?;
        // Notice of Disconnection (section 4.4.1).
        if let (0, Response::Extended(Outcome { text, .. })) = (message.id, &message.response) {
            return Err(Trouble::Disconnects((*text).to_owned()));
        }
        if message.id == id {
            Ok(message.response)
        } else {
            Err(Trouble::Malformed)
        }
    }
}

/// Says that the connection ends, best effort.
pub(super) async fn close(mut connection: Connection) {
    let mut request = Vec::new();
    message::unbind(&mut request, connection.next_id());
    drop(connection.send(&request).await);
}

/// Asks a server for TLS. Nothing that it has sent in the clear is kept.
async fn start_tls(mut stream: TcpStream) -> Result<TcpStream, Trouble> {
    let mut request = Vec::new();
    message::start_tls(&mut request, 1);
    stream.write_all(&request).await.map_err(Trouble::Broken)?;
    let (mut octets, mut rest) = (Vec::new(), Vec::new());
    receive(&mut stream, &mut rest, &mut octets).await?;
    if !rest.is_empty() {
        // Somebody on the way has added it: the server has nothing more to say before the handshake.
        return Err(Trouble::Malformed);
    }
    match message::read(&octets)? {
        message::Message {
            id: 1,
            response: Response::Extended(Outcome { code: SUCCESS, .. }),
        } => Ok(stream),
        message::Message {
            response: Response::Extended(Outcome { code, text }),
            ..
        } => Err(Trouble::Refused {
            what: "StartTLS",
            code,
            text: text.to_owned(),
        }),
        message::Message { .. } => Err(Trouble::Malformed),
    }
}

/// Receives one whole message into `octets`; what came after it stays in `buffer`.
async fn receive(
    stream: &mut (impl AsyncRead + Unpin + ?Sized),
    buffer: &mut Vec<u8>,
    octets: &mut Vec<u8>,
) -> Result<(), Trouble> {
    loop {
        if let Some(length) = ber::message_length(buffer)?
            && length <= buffer.len()
        {
            octets.clear();
            octets.extend(buffer.drain(..length));
            return Ok(());
        }
        if stream.read_buf(buffer).await.map_err(Trouble::Broken)? == 0 {
            return Err(Trouble::Broken(io::ErrorKind::UnexpectedEof.into()));
        }
    }
}

pub(super) const SUCCESS: u32 = 0;
const SIZE_LIMIT_EXCEEDED: u32 = 4;

/// The largest that LDAP allows (RFC 4511 section 4.1.1.1).
const MAX_ID: u32 = 0x7fff_ffff;
