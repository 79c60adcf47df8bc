//! For which host a request is, and whether that is one of ours.

use http::Version;
use http::header;
use http::uri::Authority;
use http::uri::Scheme;

use super::error::Malformed;
use super::head::Head;
use super::head::Peer;

impl Head<'_> {
    /// One host, said in every place in the same way, published here, and the one that the TLS
    /// handshake asked for.
    ///
    /// # Errors
    ///
    /// When it is not, or the place is another one's.
    pub(super) fn check_host<'p>(
        &self,
        peer: &Peer,
        published: &'p [String],
    ) -> Result<&'p str, Malformed> {
        let mut hosts = self.headers.get_all(header::HOST).iter();
        let (first, second) = (hosts.next(), hosts.next());
        // What nearly all say is one of our names, and need not be taken apart.
        if let (Some(host), None) = (first, second)
            && self.uri.authority().is_none()
            && self.uri.scheme().is_none()
            && let Some(name) = published.iter().find(|name| is_at(host.as_bytes(), name))
        {
            return named(peer, name).ok_or(Malformed::Misdirected);
        }
        let stated = first
            .map(|host| Authority::try_from(host.as_bytes()).map_err(|_| Malformed::Host))
            .transpose()?;
        if second.is_some() {
            return Err(Malformed::Host);
        }
        let absolute = self.uri.authority();
        if self.version == Version::HTTP_11 && stated.is_none() {
            return Err(Malformed::Host);
        }
        if self
            .uri
            .scheme()
            .is_some_and(|scheme| *scheme != Scheme::HTTPS)
        {
            return Err(Malformed::Host);
        }
        if let (Some(stated), Some(absolute)) = (&stated, absolute)
            && !same_authority(stated, absolute)
        {
            return Err(Malformed::Host);
        }
        if [stated.as_ref(), absolute]
            .into_iter()
            .flatten()
            .any(is_more)
        {
            return Err(Malformed::Host);
        }
        let authority = stated.as_ref().or(absolute).ok_or(Malformed::Host)?;
        let host = authority.host();
        let mut published = published.iter();
        let known = published.find(|name| name.eq_ignore_ascii_case(host));
        let named = known.and_then(|name| named(peer, name));
        named.ok_or(Malformed::Misdirected)
    }

    /// The port that the client says it has come to, of a head whose host is checked. It may be another
    /// one than the one listened at: of whatever stands before.
    pub(super) fn stated_port(&self) -> Option<u16> {
        let stated = self.headers.get(header::HOST);
        let stated = stated.and_then(|host| Authority::try_from(host.as_bytes()).ok());
        stated.as_ref().or_else(|| self.uri.authority())?.port_u16()
    }
}

/// The published name, if the TLS handshake asked for it or for none.
fn named<'p>(peer: &Peer, published: &'p str) -> Option<&'p str> {
    let asked_for = peer.server_name.as_ref();
    let is_asked_for = asked_for.is_none_or(|name| name.eq_ignore_ascii_case(published));
    is_asked_for.then_some(published)
}

/// Whether a Host header is this name, with or without a port.
fn is_at(host: &[u8], name: &str) -> bool {
    let Some((host, port)) = host.split_at_checked(name.len()) else {
        return false;
    };
    host.eq_ignore_ascii_case(name.as_bytes()) && (port.is_empty() || is_port(port))
}

/// Whether there is more than a host and a port in it, or a port that is none (RFC 3986 section 3.2.3).
fn is_more(authority: &Authority) -> bool {
    let rest = authority.as_str().strip_prefix(authority.host());
    rest.is_none_or(|rest| !rest.is_empty() && !is_port(rest.as_bytes()))
}

/// Whether this is a colon and the digits of a port.
fn is_port(text: &[u8]) -> bool {
    let digits = text.strip_prefix(b":");
    let digits = digits.and_then(|digits| str::from_utf8(digits).ok());
    let digits = digits.filter(|digits| digits.bytes().all(|octet| octet.is_ascii_digit()));
    digits.is_some_and(|digits| digits.parse::<u16>().is_ok())
}

fn same_authority(one: &Authority, other: &Authority) -> bool {
    let port = |authority: &Authority| authority.port_u16().unwrap_or(443);
    one.host().eq_ignore_ascii_case(other.host()) && port(one) == port(other)
}
