//! Where an interface lives, and links that stay inside it.
//!
//! A cloud answers each page with the address of the next one. Following it blindly would hand
//! the access token to whoever can write into an answer, so a [`Link`] can only be made by the
//! [`Base`] that the configuration names: same scheme, host, port and path prefix. The HTTP client
//! takes nothing else.

use std::fmt;
use std::net::IpAddr;

use http::Uri;
use percent_encoding::percent_decode_str;

/// The configured start of an interface's addresses: `https://graph.microsoft.com/v1.0`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Base {
    scheme: Scheme,
    /// Lower case.
    host: String,
    port: u16,
    /// Starts with `/` and ends without, or is empty.
    prefix: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scheme {
    Http,
    Https,
}

impl Scheme {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }

    const fn default_port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }
}

impl Base {
    /// Reads a configured address.
    ///
    /// # Errors
    ///
    /// When it is no `https://` address, `http://` to a loopback address aside (for the
    /// emulator), or has a user, query or fragment.
    pub fn parse(text: &str) -> Result<Self, BaseError> {
        let text = text.trim();
        if text.contains('#') {
            return Err(BaseError::Extra);
        }
        let uri: Uri = text.parse().map_err(|_| BaseError::NotAnAddress)?;
        let parts = Parts::of(&uri).ok_or(BaseError::NotAnAddress)?;
        if parts.user || uri.query().is_some() {
            return Err(BaseError::Extra);
        }
        if has_odd_segment(uri.path()) {
            return Err(BaseError::NotAnAddress);
        }
        if parts.scheme == Scheme::Http && !is_loopback(&parts.host) {
            return Err(BaseError::ClearText);
        }
        Ok(Self {
            scheme: parts.scheme,
            host: parts.host,
            port: parts.port,
            prefix: uri.path().trim_end_matches('/').to_owned(),
        })
    }

    /// Scheme, host and port, without the prefix.
    #[must_use]
    pub fn origin(&self) -> String {
        let origin = Self {
            prefix: String::new(),
            ..self.clone()
        };
        origin.to_string()
    }

    /// The link to `path_and_query` below this base; it starts with `/` and is already encoded.
    ///
    /// # Errors
    ///
    /// When the two do not make an address.
    pub fn link(&self, path_and_query: &str) -> Result<Link, LinkError> {
        self.accept(&format!("{self}{path_and_query}"))
    }

    /// Takes a link that an answer carried.
    ///
    /// # Errors
    ///
    /// When it leads out of this base in any spelling, or is longer than 8 KiB.
    pub fn accept(&self, text: &str) -> Result<Link, LinkError> {
        if text.len() > MAX_LINK {
            return Err(LinkError::TooLong);
        }
        if text.contains('#') {
            return Err(LinkError::NotALink);
        }
        let uri: Uri = text.parse().map_err(|_| LinkError::NotALink)?;
        let parts = Parts::of(&uri).ok_or(LinkError::NotALink)?;
        if parts.user {
            return Err(LinkError::User);
        }
        if (parts.scheme, parts.host.as_str(), parts.port) != (self.scheme, &self.host, self.port) {
            return Err(LinkError::OtherOrigin {
                base: self.to_string(),
            });
        }
        let below = uri
            .path()
            .strip_prefix(self.prefix.as_str())
            .is_some_and(|rest| rest.starts_with('/'));
        if !below || has_odd_segment(uri.path()) {
            return Err(LinkError::OtherPath {
                base: self.to_string(),
            });
        }
        Ok(Link(uri))
    }
}

/// The address as configured, without a final `/`.
impl fmt::Display for Base {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.scheme.as_str(), self.host)?;
        if self.port != self.scheme.default_port() {
            write!(f, ":{}", self.port)?;
        }
        f.write_str(&self.prefix)
    }
}

/// An address below a [`Base`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Link(Uri);

impl Link {
    /// The address, for a request.
    #[must_use]
    pub const fn uri(&self) -> &Uri {
        &self.0
    }
}

/// Why a configured address is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BaseError {
    /// Not `https://host/path`.
    #[error("expected an address such as https://graph.microsoft.com/v1.0")]
    NotAnAddress,
    /// A user, query or fragment.
    #[error("the address must not carry a user, a query or a fragment")]
    Extra,
    /// Secrets would cross a network unprotected.
    #[error("http:// is for loopback addresses such as http://127.0.0.1:8443 only; use https://")]
    ClearText,
}

/// Why a link is not followed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LinkError {
    /// Not an absolute `http` or `https` address.
    #[error("the link to the next page is no address")]
    NotALink,
    /// Longer than any real one.
    #[error("the link to the next page is longer than {MAX_LINK} octets")]
    TooLong,
    /// `https://graph.microsoft.com@elsewhere/`.
    #[error("the link to the next page carries a user")]
    User,
    /// Another scheme, host or port.
    #[error("the link to the next page leads away from {base}")]
    OtherOrigin {
        /// The configured base.
        base: String,
    },
    /// Another interface on the same host, or a path that climbs.
    #[error("the link to the next page leads out of {base}")]
    OtherPath {
        /// The configured base.
        base: String,
    },
}

struct Parts {
    scheme: Scheme,
    host: String,
    port: u16,
    user: bool,
}

impl Parts {
    fn of(uri: &Uri) -> Option<Self> {
        let scheme = match uri.scheme_str()? {
            "http" => Scheme::Http,
            "https" => Scheme::Https,
            _ => return None,
        };
        let authority = uri.authority()?;
        Some(Self {
            scheme,
            host: authority.host().to_ascii_lowercase(),
            port: authority
                .port_u16()
                .unwrap_or_else(|| scheme.default_port()),
            user: authority.as_str().contains('@'),
        })
    }
}

/// Only literal addresses: what `localhost` resolves to is not ours to say.
fn is_loopback(host: &str) -> bool {
    let literal = host.trim_start_matches('[').trim_end_matches(']');
    literal
        .parse::<IpAddr>()
        .is_ok_and(|address| address.is_loopback())
}

/// Whether a path climbs, or hides a separator, in any spelling.
fn has_odd_segment(path: &str) -> bool {
    path.split('/').any(|segment| {
        let plain: Vec<u8> = percent_decode_str(segment).collect();
        let climbs = plain == b"." || plain == b"..";
        climbs
            || plain
                .iter()
                .any(|octet| matches!(octet, b'/' | b'\\' | b'%'))
    })
}

/// Skip tokens are a few hundred octets; a longer link fails the run.
const MAX_LINK: usize = 8 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bases_are_https_or_loopback() {
        for (text, expected) in [
            (
                "https://graph.microsoft.com/v1.0/",
                Ok("https://graph.microsoft.com/v1.0"),
            ),
            (
                " HTTPS://Graph.Microsoft.us:443 ",
                Ok("https://graph.microsoft.us"),
            ),
            (
                "http://127.0.0.1:8443/v1.0",
                Ok("http://127.0.0.1:8443/v1.0"),
            ),
            ("http://[::1]:8443", Ok("http://[::1]:8443")),
            ("http://graph.microsoft.com", Err(BaseError::ClearText)),
            ("http://localhost:8443", Err(BaseError::ClearText)),
            ("ftp://graph.microsoft.com", Err(BaseError::NotAnAddress)),
            ("graph.microsoft.com", Err(BaseError::NotAnAddress)),
            ("/v1.0", Err(BaseError::NotAnAddress)),
            ("https://a/v1.0/../beta", Err(BaseError::NotAnAddress)),
            ("https://user@a/v1.0", Err(BaseError::Extra)),
            ("https://a/v1.0?x=1", Err(BaseError::Extra)),
            ("https://a/v1.0#x", Err(BaseError::Extra)),
        ] {
            let base = Base::parse(text).map(|base| base.to_string());
            assert_eq!(base, expected.map(str::to_owned), "row {text}");
        }
    }

    #[test]
    fn links_keep_scheme_host_port_and_prefix() {
        let base = Base::parse("https://graph.example/v1.0").unwrap();
        for (link, followed) in [
            ("https://graph.example/v1.0/devices?$skiptoken=a'b", true),
            ("https://GRAPH.example:443/v1.0/devices", true),
            ("https://graph.example/v1.0/", true),
            ("https://graph.example/v1.0", false),
            ("https://graph.example/v1.01/devices", false),
            ("https://graph.example/beta/devices", false),
            ("https://graph.example/v1.0/../beta", false),
            ("https://graph.example/v1.0/%2e%2E/beta", false),
            ("https://graph.example/v1.0/%252e%252e/beta", false),
            ("https://graph.example/v1.0/..%2fbeta", false),
            ("https://graph.example/v1.0/..\\beta", false),
            ("http://graph.example/v1.0/devices", false),
            ("https://graph.example:8443/v1.0/devices", false),
            ("https://graph.example.evil/v1.0/devices", false),
            ("https://graph.example./v1.0/devices", false),
            ("https://graph.example@evil/v1.0/devices", false),
            ("https://graph.example:x@graph.example/v1.0/a", false),
            ("https://127.0.0.1/v1.0/devices", false),
            ("https://graph.example/v1.0/devices#x", false),
            ("//graph.example/v1.0/devices", false),
            ("/v1.0/devices", false),
            ("", false),
        ] {
            assert_eq!(base.accept(link).is_ok(), followed, "row {link}");
        }
        let long = format!("https://graph.example/v1.0/{}", "a".repeat(MAX_LINK));
        assert_eq!(base.accept(&long), Err(LinkError::TooLong));
    }
}
