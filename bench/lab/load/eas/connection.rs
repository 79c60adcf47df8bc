//! Connections to a front.

use std::io;
use std::net::SocketAddr;
use std::net::ToSocketAddrs;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use http::Request;
use http::Response;
use http::Uri;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper::client::conn::http2;
use hyper_util::rt::TokioExecutor;
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::RootCertStore;
use rustls::client::Resumption;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::ServerName;
use rustls::pki_types::pem::PemObject;
use tokio::io::AsyncRead;
use tokio::io::AsyncWrite;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::load::unusable;

/// How to get in.
pub(super) struct Door {
    address: SocketAddr,
    authority: String,
    tls: Option<(TlsConnector, ServerName<'static>)>,
    http2: bool,
}

/// A connection that is open.
pub(super) enum Connection {
    Http1(http1::SendRequest<Full<Bytes>>),
    Http2(http2::SendRequest<Full<Bytes>>),
}

impl Connection {
    /// Handles for `count` requests at once; HTTP/1.1 takes one at a time.
    pub(super) fn shares(self, count: u16) -> Vec<Self> {
        match self {
            Self::Http1(sender) => vec![Self::Http1(sender)],
            Self::Http2(sender) => (0..count).map(|_| Self::Http2(sender.clone())).collect(),
        }
    }

    /// Sends a request and waits for the head of the answer.
    pub(super) async fn send(
        &mut self,
        request: Request<Full<Bytes>>,
    ) -> hyper::Result<Response<Incoming>> {
        match self {
            Self::Http1(sender) => {
                sender.ready().await?;
                sender.send_request(request).await
            }
            Self::Http2(sender) => {
                sender.ready().await?;
                sender.send_request(request).await
            }
        }
    }
}

/// TLS or plain.
trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

impl Door {
    /// Finds the address and prepares TLS.
    pub(super) fn new(url: &Uri, ca: Option<&Path>, http2: bool) -> io::Result<Self> {
        let wrong = |what: &str| unusable(format!("--url {url}: {what}"));
        let authority = url
            .authority()
            .ok_or_else(|| wrong("expected https://NAME:PORT"))?;
        let secure = match url.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            Some(_) | None => return Err(wrong("expected https:// or http://")),
        };
        let port = url.port_u16().unwrap_or(if secure { 443 } else { 80 });
        let host = authority
            .host()
            .trim_start_matches('[')
            .trim_end_matches(']');
        // "localhost" has two addresses on most machines; servers under test listen on the first kind.
        let mut addresses: Vec<SocketAddr> = (host, port).to_socket_addrs()?.collect();
        addresses.sort_by_key(SocketAddr::is_ipv6);
        let address = addresses
            .first()
            .copied()
            .ok_or_else(|| wrong("the name has no address"))?;
        let tls = match (secure, ca) {
            (false, _) => None,
            (true, None) => return Err(unusable("--ca is needed: who issued the certificate?")),
            (true, Some(ca)) => {
                let name = ServerName::try_from(host.to_owned())
                    .map_err(|_| wrong("the name is no host name"))?;
                Some((TlsConnector::from(Arc::new(tls(ca, http2)?)), name))
            }
        };
        if http2 && tls.is_none() {
            return Err(wrong("HTTP/2 is spoken over TLS only"));
        }
        Ok(Self {
            address,
            authority: authority.as_str().to_owned(),
            tls,
            http2,
        })
    }

    /// Host and port as the URL spells them.
    pub(super) fn authority(&self) -> &str {
        &self.authority
    }

    /// Opens a connection.
    pub(super) async fn open(&self) -> io::Result<Connection> {
        let stream = TcpStream::connect(self.address).await?;
        stream.set_nodelay(true)?;
        match &self.tls {
            Some((connector, name)) => {
                let stream = connector.connect(name.clone(), stream).await?;
                if self.http2 && stream.get_ref().1.alpn_protocol() != Some(b"h2") {
                    return Err(unusable("the server does not speak HTTP/2"));
                }
                self.speak(stream).await
            }
            None => self.speak(stream).await,
        }
    }

    async fn speak(&self, stream: impl Stream + 'static) -> io::Result<Connection> {
        let stream = TokioIo::new(stream);
        if self.http2 {
            let executor = TokioExecutor::new();
            let (sender, connection) = http2::handshake(executor, stream)
                .await
                .map_err(io::Error::other)?;
            // Its end shows at the next request.
            tokio::task::spawn_local(async move { drop(connection.await) });
            Ok(Connection::Http2(sender))
        } else {
            let (sender, connection) = http1::handshake(stream).await.map_err(io::Error::other)?;
            tokio::task::spawn_local(async move { drop(connection.await) });
            Ok(Connection::Http1(sender))
        }
    }
}

/// Full handshakes only: what a resumed one costs is another question.
fn tls(ca: &Path, http2: bool) -> io::Result<ClientConfig> {
    let at = |error: &dyn std::fmt::Display| unusable(format!("{}: {error}", ca.display()));
    let mut roots = RootCertStore::empty();
    let certificates = CertificateDer::pem_file_iter(ca).map_err(|error| at(&error))?;
    for certificate in certificates {
        let certificate = certificate.map_err(|error| at(&error))?;
        roots.add(certificate).map_err(|error| at(&error))?;
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut tls = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| at(&error))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    tls.resumption = Resumption::disabled();
    tls.alpn_protocols = vec![if http2 {
        b"h2".to_vec()
    } else {
        b"http/1.1".to_vec()
    }];
    Ok(tls)
}
