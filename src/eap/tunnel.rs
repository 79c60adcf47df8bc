//! TLS inside EAP: an in-memory rustls connection that eats one whole message and gives one.

use std::io::Write;
use std::sync::Arc;

use rustls::HandshakeKind;
use rustls::ServerConfig;
use rustls::ServerConnection;

use super::config::TlsVersion;
use super::key::Keys;
use super::key::Randoms;

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

    /// Feeds what the peer sent in one turn. After an error [`Tunnel::take_output`] holds the
    /// alert for the peer, if one is due.
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

    pub(super) fn keys(&self) -> Result<Keys, rustls::Error> {
        Keys::derive(&self.connection, &self.randoms)
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
