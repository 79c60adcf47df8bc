//! What the gateway is told about itself and its mail server.

use std::fmt;
use std::str::FromStr;

use http::HeaderName;
use http::HeaderValue;
use http::Uri;
use http::uri::Authority;
use http::uri::Parts;
use http::uri::Scheme;

use crate::eas::Refused;
use crate::eas::Version;

use super::credential::Memory;
use super::header;
use super::name::Names;
use super::route::Routes;
use super::words::Words;

/// Everything the mail core is configured with.
#[derive(Clone, Debug)]
pub struct Config {
    /// The names under which clients reach the front, without port; the first one is the name that
    /// redirections point to. A request for any other name gets 421.
    pub published: Vec<String>,
    /// The upstreams, and whose mailboxes are where.
    pub routes: Routes,
    /// The realm of the Basic challenge: what the password dialogue of some clients shows.
    pub realm: String,
    /// How spellings of user names are brought together.
    pub names: Names,
    /// The request header in which the mail server takes the user of a verified client certificate
    /// from this gateway. `None`: a certificate does not authenticate a user, a password is needed
    /// with it.
    ///
    /// The mail server must take this header from the gateway's address only: it is as good as any
    /// password.
    pub certificate_user_header: Option<UserHeader>,
    /// Whether and how tokens are taken beside passwords; they are not by default.
    pub bearer: Option<Bearer>,
    /// The oldest version of the protocol that is spoken; 2.5 by default.
    pub oldest_version: Version,
    /// Whether orders to wipe that a mail server gives are kept from devices; not by default.
    pub strip_wipe: bool,
    /// How a client that is blocked is told so.
    pub refused: Refused,
    /// How long and how many credentials are remembered.
    pub memory: Memory,
    /// What people are told; [`Gateway::replace_words`](super::Gateway::replace_words) replaces it.
    pub words: Words,
}

impl Config {
    /// A gateway named `published` before `upstream`, everything else as by default.
    #[must_use]
    pub fn new(published: Vec<String>, upstream: Origin) -> Self {
        Self::routed(published, Routes::only(upstream))
    }

    /// The same before these upstreams.
    #[must_use]
    pub fn routed(published: Vec<String>, routes: Routes) -> Self {
        Self {
            published,
            routes,
            realm: "Mail".to_owned(),
            names: Names::default(),
            certificate_user_header: None,
            bearer: None,
            oldest_version: Version::V2_5,
            strip_wipe: false,
            refused: Refused::default(),
            memory: Memory::default(),
            words: Words::default(),
        }
    }
}

/// Scheme, host and port of a server: `https://mail.internal`, `http://127.0.0.1:8080`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    scheme: Scheme,
    authority: Authority,
}

impl Origin {
    /// The address of `path_and_query` there; `None` if that is no path.
    #[must_use]
    pub fn uri(&self, path_and_query: String) -> Option<Uri> {
        let mut parts = Parts::default();
        parts.scheme = Some(self.scheme.clone());
        parts.authority = Some(self.authority.clone());
        parts.path_and_query = Some(path_and_query.try_into().ok()?);
        Uri::from_parts(parts).ok()
    }

    /// Whether the way there is encrypted.
    #[must_use]
    pub fn is_tls(&self) -> bool {
        self.scheme == Scheme::HTTPS
    }

    /// Host and port, as they are written in URLs.
    #[must_use]
    pub fn authority(&self) -> &str {
        self.authority.as_str()
    }

    /// The port.
    #[must_use]
    pub fn port(&self) -> u16 {
        let usual = if self.is_tls() { 443 } else { 80 };
        self.authority.port_u16().unwrap_or(usual)
    }

    /// The host, a name or an address.
    #[must_use]
    pub fn host(&self) -> &str {
        self.authority.host()
    }
}

impl FromStr for Origin {
    type Err = ConfigError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parts = text
            .trim()
            .parse::<Uri>()
            .map_err(|_| ConfigError::Origin)?
            .into_parts();
        let path = parts
            .path_and_query
            .as_ref()
            .map_or("/", |path| path.as_str());
        match (parts.scheme, parts.authority) {
            (Some(scheme), Some(authority))
                if (scheme == Scheme::HTTPS || scheme == Scheme::HTTP)
                    && path == "/"
                    && !authority.as_str().contains('@')
                    && !authority.host().is_empty() =>
            {
                Ok(Self { scheme, authority })
            }
            _ => Err(ConfigError::Origin),
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.scheme, self.authority)
    }
}

/// The name of the header that carries the user of a client certificate to the mail server.
///
/// It is one that no client's header can reach the mail server under: not one that is passed on,
/// not one that the gateway or the HTTP library sets, and without `_`, which some servers fold
/// with `-`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserHeader(HeaderName);

impl UserHeader {
    /// The name.
    #[must_use]
    pub fn name(&self) -> &HeaderName {
        &self.0
    }
}

impl FromStr for UserHeader {
    type Err = ConfigError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let name: HeaderName = text.trim().parse().map_err(|_| ConfigError::UserHeader)?;
        if header::is_ours(&name) || !name.as_str().starts_with("x-") || name.as_str().contains('_')
        {
            return Err(ConfigError::UserHeader);
        }
        Ok(Self(name))
    }
}

/// How tokens are asked for and read (RFC 6750).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bearer {
    /// `Bearer` and the parameters of its challenge.
    pub(super) challenge: HeaderValue,
    /// The claim that names the user.
    pub(super) claim: String,
}

impl Bearer {
    /// `parameters` are those of the challenge that the mail server gives, such as
    /// `authorization_uri="https://…"`, for clients to find the issuer by; `claim` is the claim by
    /// which the mail server knows the user: one that users cannot change themselves.
    ///
    /// # Errors
    ///
    /// When they cannot stand in a header, or the claim is empty.
    pub fn new(parameters: &str, claim: &str) -> Result<Self, ConfigError> {
        let (parameters, claim) = (parameters.trim(), claim.trim());
        let printable =
            |text: &str| !text.is_empty() && text.chars().all(|c| matches!(c, ' '..='~'));
        if !printable(parameters) || !printable(claim) || !parameters.contains('=') {
            return Err(ConfigError::Bearer);
        }
        let challenge = HeaderValue::from_str(&format!("Bearer {parameters}"));
        Ok(Self {
            challenge: challenge.map_err(|_| ConfigError::Bearer)?,
            claim: claim.to_owned(),
        })
    }
}

/// A configured value that cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// Not `http://host[:port]` or `https://host[:port]`.
    #[error(
        "expected http or https, a host and perhaps a port, without path: https://mail.internal"
    )]
    Origin,
    /// A header that means something else already.
    #[error("expected a header name that begins with X-, has no _ and no other meaning")]
    UserHeader,
    /// A challenge without parameters, or a claim without a name.
    #[error(
        "expected parameters of a challenge, such as authorization_uri=\"https://login.example/\""
    )]
    Bearer,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_are_scheme_host_and_port() {
        for (text, printed) in [
            ("https://mail.internal", "https://mail.internal"),
            (" http://127.0.0.1:8080/ ", "http://127.0.0.1:8080"),
            ("https://[::1]:444", "https://[::1]:444"),
        ] {
            let origin: Origin = text.parse().unwrap();
            assert_eq!(origin.to_string(), printed);
            assert_eq!(origin.is_tls(), printed.starts_with("https"));
            let uri = origin.uri("/x?y=1".to_owned()).unwrap();
            assert_eq!(uri.to_string(), format!("{printed}/x?y=1"));
        }
        for text in [
            "",
            "mail.internal",
            "mail.internal:443",
            "ftp://mail.internal",
            "https://mail.internal/owa",
            "https://mail.internal/?x",
            "https://user@mail.internal",
        ] {
            assert_eq!(
                text.parse::<Origin>(),
                Err(ConfigError::Origin),
                "row {text}"
            );
        }
    }

    #[test]
    fn the_user_header_has_no_other_meaning() {
        assert!("X-Portreeve-User".parse::<UserHeader>().is_ok());
        for text in [
            "",
            "Authorization",
            "Cookie",
            "Host",
            "X-Forwarded-For",
            "X-MS-PolicyKey",
            "X-Remote_User",
            "Remote-User",
            "X User",
        ] {
            let parsed = text.parse::<UserHeader>();
            assert_eq!(parsed, Err(ConfigError::UserHeader), "row {text}");
        }
    }

    #[test]
    fn a_challenge_for_tokens_is_one_header() {
        assert!(
            Bearer::new(
                "realm=\"x\", authorization_uri=\"https://a.example/\"",
                "upn"
            )
            .is_ok()
        );
        for (parameters, claim) in [
            ("", "upn"),
            ("realm", "upn"),
            ("realm=\"x\"\r\nX: y", "upn"),
            ("realm=\"\u{e4}\"", "upn"),
            ("realm=\"x\"", " "),
        ] {
            let bearer = Bearer::new(parameters, claim);
            assert_eq!(bearer, Err(ConfigError::Bearer), "row {parameters} {claim}");
        }
    }
}
