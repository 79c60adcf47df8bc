//! Which version of RADIUS a connection speaks, agreed on by ALPN (RFC 9765 section 3).

use std::io;
use std::sync::Arc;

use rustls::CipherSuite;
use rustls::ProtocolVersion;
use rustls::ServerConfig;
use rustls::ServerConnection;
use rustls::server::Acceptor;
use tokio::net::TcpStream;
use tokio_rustls::LazyConfigAcceptor;
use tokio_rustls::server::TlsStream;

use super::Closed;
use crate::radius::Version11;

/// The names of the two versions in ALPN (RFC 9765 section 3.1).
pub const VERSION_10: &[u8] = b"radius/1.0";
/// RADIUS/1.1.
pub const VERSION_11: &[u8] = b"radius/1.1";

/// What handshakes are made with. RADIUS/1.1 needs TLS 1.3: a client without that is offered the
/// version before alone, and one that wants no other is told so by the alert `no_application_protocol`.
#[derive(Debug)]
pub struct Handshake {
    tls: Arc<ServerConfig>,
    before_tls13: Arc<ServerConfig>,
}

impl Handshake {
    /// With the protocols that `tls` has.
    #[must_use]
    pub fn new(tls: ServerConfig) -> Self {
        let mut before_tls13 = tls.clone();
        if !tls.alpn_protocols.is_empty() {
            before_tls13.alpn_protocols = vec![VERSION_10.to_vec()];
        }
        Self {
            tls: Arc::new(tls),
            before_tls13: Arc::new(before_tls13),
        }
    }

    /// Shakes hands.
    pub(super) async fn accept(&self, stream: TcpStream) -> io::Result<TlsStream<TcpStream>> {
        let started = LazyConfigAcceptor::new(Acceptor::default(), stream).await?;
        let config = if speaks_tls13(started.client_hello().cipher_suites()) {
            &self.tls
        } else {
            &self.before_tls13
        };
        started.into_stream(Arc::clone(config)).await
    }
}

/// Whether a client that offers these can mean TLS 1.3, whose suites have numbers of their own (RFC 8446
/// appendix B.4).
fn speaks_tls13(suites: &[CipherSuite]) -> bool {
    let mut numbers = suites.iter().map(|suite| u16::from(*suite));
    numbers.any(|number| number >> 8 == 0x13)
}

/// What the handshake has agreed on: `None` is RADIUS as it always was.
pub(super) fn agreed(
    session: &ServerConnection,
    only_11: bool,
) -> Result<Option<Version11>, Closed> {
    if session.alpn_protocol() != Some(VERSION_11) {
        return if only_11 {
            Err(Closed::Version)
        } else {
            Ok(None)
        };
    }
    // A client may offer suites of TLS 1.3 and not the version.
    if session.protocol_version() != Some(ProtocolVersion::TLSv1_3) {
        return Err(Closed::Version);
    }
    let mut salt = [0; 8];
    match aws_lc_rs::rand::fill(&mut salt) {
        Ok(()) => Ok(Some(Version11::new(salt))),
        Err(_) => Err(Closed::Handshake),
    }
}
