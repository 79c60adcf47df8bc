//! Why a head is refused before anybody is asked about it.

use crate::eas;

/// A head that is refused for its form; see [`Malformed::status`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Malformed {
    /// No Host, several, one that is none, or one that differs from the authority.
    #[error("the host is missing, double or unclear")]
    Host,
    /// A host that is not published here, or not the one of the TLS handshake.
    #[error("the host is not served here")]
    Misdirected,
    /// Any path but the one.
    #[error("the path does not exist here")]
    Path,
    /// One that the path does not have.
    #[error("the method is not served at this path")]
    Method,
    /// HTTP/1.0 or older.
    #[error("the HTTP version is not supported")]
    HttpVersion,
    /// A header that counts stands there twice.
    #[error("a header stands there twice")]
    HeaderTwice,
    /// A header that counts is not text.
    #[error("a header is not text")]
    Header,
    /// `Connection` names a header that counts.
    #[error("the Connection header names a header that counts")]
    Connection,
    /// A body in another coding than chunks: what it means behind us could differ.
    #[error("the transfer coding is not supported")]
    TransferCoding,
    /// WebSocket, or another protocol that the connection is to become.
    #[error("the connection stays one of HTTP: upgrades are not served")]
    Upgrade,
    /// The query is not one.
    #[error(transparent)]
    Query(#[from] eas::Malformed),
}

impl Malformed {
    /// The HTTP status that says so.
    #[must_use]
    pub const fn status(self) -> u16 {
        match self {
            Self::Misdirected => 421,
            Self::Path => 404,
            Self::Method => 405,
            Self::HttpVersion => 505,
            Self::TransferCoding | Self::Upgrade => 501,
            Self::Host | Self::HeaderTwice | Self::Header | Self::Connection | Self::Query(_) => {
                400
            }
        }
    }

    /// A short name for counters.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Host => "host",
            Self::Misdirected => "misdirected",
            Self::Path => "path",
            Self::Method => "method",
            Self::HttpVersion => "http-version",
            Self::HeaderTwice => "header-twice",
            Self::Header => "header",
            Self::Connection => "connection",
            Self::TransferCoding => "transfer-coding",
            Self::Upgrade => "upgrade",
            Self::Query(_) => "query",
        }
    }
}
