//! TLS inside EAP: an in-memory rustls connection that eats one whole message and gives one.

use std::io::Read;
use std::io::Write;
use std::sync::Arc;

use rustls::HandshakeKind;
use rustls::ServerConfig;
use rustls::ServerConnection;
use rustls::SupportedCipherSuite;
use rustls::crypto::hash::HashAlgorithm;
use zeroize::Zeroizing;

use super::config::TlsVersion;
use super::key::Keys;
use super::key::Randoms;
use super::offer::Outer;

/// The server's end of TLS.
#[derive(Debug)]
pub(super) struct Tunnel {
    connection: ServerConnection,
    randoms: Randoms,
}

impl Tunnel {
    pub(super) fn new(config: Arc<ServerConfig>) -> Result<Self, rustls::Error> {
        Ok(Self {
            connection: ServerConnection::new(config)?,
            randoms: Randoms::default(),
        })
    }

    /// Feeds what the peer sent in one turn, and takes out what it says inside. After an error
    /// [`Tunnel::take_output`] holds the alert for the peer, if one is due.
    pub(super) fn receive_inside(
        &mut self,
        message: &[u8],
    ) -> Result<(Received, Zeroizing<Vec<u8>>), rustls::Error> {
        self.randoms.observe(message);
        // What is inside is shorter, so that the buffer never moves and leaves a copy behind.
        let mut inside = Zeroizing::new(Vec::with_capacity(message.len()));
        let mut rest = message;
        let mut received = Received::default();
        while !rest.is_empty() {
            let taken = self.connection.read_tls(&mut rest);
            let state = self.connection.process_new_packets()?;
            received.closed |= state.peer_has_closed();
            let (from, count) = (inside.len(), state.plaintext_bytes_to_read());
            if count > 0 {
                received.plaintext = true;
                inside.resize(from.saturating_add(count), 0);
                let to = inside.get_mut(from..).unwrap_or_default();
                let read = self.connection.reader().read_exact(to);
                read.map_err(|error| rustls::Error::General(error.to_string()))?;
            }
            match taken {
                Ok(0) | Err(_) => break,
                Ok(_) if received.closed => break,
                Ok(_) => {}
            }
        }
        Ok((received, inside))
    }

    /// The same of a method in which nothing is said inside.
    pub(super) fn receive(&mut self, message: &[u8]) -> Result<Received, rustls::Error> {
        self.randoms.observe(message);
        let mut rest = message;
        let mut received = Received::default();
        while !rest.is_empty() {
            // An error says that a buffer is full, 0 that the peer has closed before.
            let taken = self.connection.read_tls(&mut rest);
            let state = self.connection.process_new_packets()?;
            received.plaintext |= state.plaintext_bytes_to_read() > 0;
            received.closed |= state.peer_has_closed();
            match taken {
                Ok(0) | Err(_) => break,
                Ok(_) if received.plaintext || received.closed => break,
                Ok(_) => {}
            }
        }
        Ok(received)
    }

    /// Everything that TLS wants to send.
    pub(super) fn take_output(&mut self) -> Vec<u8> {
        let mut output = Vec::new();
        while self.connection.wants_write() {
            if self.connection.write_tls(&mut output).is_err() {
                break; // Vec takes everything.
            }
        }
        self.randoms.observe(&output);
        output
    }

    /// Encrypts application data of ours.
    pub(super) fn send(&mut self, data: &[u8]) -> Result<(), rustls::Error> {
        self.connection
            .writer()
            .write_all(data)
            .map_err(|error| rustls::Error::General(error.to_string()))
    }

    /// Says that nothing more will come.
    pub(super) fn close(&mut self) {
        self.connection.send_close_notify();
    }

    pub(super) fn is_handshaking(&self) -> bool {
        self.connection.is_handshaking()
    }

    pub(super) fn is_resumed(&self) -> bool {
        self.connection.handshake_kind() == Some(HandshakeKind::Resumed)
    }

    /// Whether our part of a full handshake of TLS 1.3 is done, so that without a certificate the peer
    /// has nothing left to say but that it has finished. After a HelloRetryRequest nothing is done.
    pub(super) fn expects_finished(&self) -> bool {
        self.version() == Some(TlsVersion::Tls13)
            && self.connection.handshake_kind() == Some(HandshakeKind::Full)
    }

    /// The peer's own certificate.
    pub(super) fn leaf(&self) -> &[u8] {
        let chain = self.connection.peer_certificates();
        chain.and_then(<[_]>::first).map_or(&[], |leaf| leaf)
    }

    /// The version in use; `None` early in the handshake.
    pub(super) fn version(&self) -> Option<TlsVersion> {
        TlsVersion::of(&self.connection)
    }

    /// The cipher suite in use, as rustls spells it.
    pub(super) fn suite(&self) -> &'static str {
        let suite = self.connection.negotiated_cipher_suite();
        suite
            .and_then(|suite| suite.suite().as_str())
            .unwrap_or_default()
    }

    /// The hash of the cipher suite, of which its PRF is made.
    pub(super) fn hash(&self) -> Option<HashAlgorithm> {
        let common = match self.connection.negotiated_cipher_suite()? {
            SupportedCipherSuite::Tls12(suite) => &suite.common,
            SupportedCipherSuite::Tls13(suite) => &suite.common,
        };
        Some(common.hash_provider.algorithm())
    }

    pub(super) fn keys(&self, method: Outer) -> Result<Keys, rustls::Error> {
        Keys::derive(&self.connection, &self.randoms, method)
    }

    /// So many octets that both ends know and nobody else (RFC 5705); in TLS 1.3 their number is
    /// an input.
    pub(super) fn export<const COUNT: usize>(
        &self,
        label: &[u8],
    ) -> Result<[u8; COUNT], rustls::Error> {
        (self.connection).export_keying_material([0; COUNT], label, None)
    }

    /// The same with a context, into `to`.
    pub(super) fn export_to(
        &self,
        label: &[u8],
        context: &[u8],
        to: &mut [u8],
    ) -> Result<(), rustls::Error> {
        let exported = (self.connection).export_keying_material(to, label, Some(context));
        exported.map(|_| ())
    }
}

/// What came besides the handshake.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Received {
    /// Application data.
    pub(super) plaintext: bool,
    /// close_notify.
    pub(super) closed: bool,
}
