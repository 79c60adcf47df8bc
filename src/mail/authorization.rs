//! The Authorization header: Basic (RFC 7617), and Bearer where it is switched on (`token.rs`).
//!
//! Negotiate and NTLM authenticate the connection and not the request (RFC 4559 section 6): behind a
//! pool of connections one user would be served as another. They are never offered, and what is sent
//! all the same is answered with 401 and never reaches the mail server, whose own offers of them are
//! withheld. To carry them, each client's connection would need one of its own to the mail server
//! for its whole life, which is not built: `net::upstream` has no way to pin one.
//!
//! The name is UTF-8, as the challenge says (RFC 7617 section 2.1). What is no UTF-8 is taken as ISO
//! 8859-1, which older clients send and which IIS reads in the same way; its control characters are
//! no part of a name. The mail server gets the octets as they were sent.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::HeaderValue;
use zeroize::Zeroizing;

/// A name and password as a client sent them.
pub(super) struct Basic {
    /// The name, as sent.
    pub(super) user: String,
    /// `user:password`, decoded.
    pub(super) octets: Zeroizing<Vec<u8>>,
    /// The header, if it stands there as we write it.
    sent: Option<HeaderValue>,
}

impl Basic {
    /// Reads the one Authorization header; `None` if it is none of Basic, or broken.
    pub(super) fn parse(header: &HeaderValue) -> Option<Self> {
        let text = header.to_str().ok()?;
        let (scheme, token) = text.split_once(' ')?;
        if !scheme.eq_ignore_ascii_case("Basic") {
            return None;
        }
        // The engine takes one text for each value only, so that nothing but this can differ.
        let is_ours = scheme == "Basic" && !token.starts_with(' ') && !token.ends_with(' ');
        let octets = Zeroizing::new(STANDARD.decode(token.trim_matches(' ')).ok()?);
        let colon = octets.iter().position(|&octet| octet == b':')?;
        let name = octets.get(..colon)?;
        let user = match std::str::from_utf8(name) {
            Ok(user) => user.to_owned(),
            Err(_) => name.iter().copied().map(char::from).collect(),
        };
        let usable = !user.trim().is_empty()
            && user.len() <= MAX_USER
            && octets.len() <= MAX_CREDENTIAL
            && !user.chars().any(char::is_control);
        if !usable {
            return None;
        }
        Some(Self {
            user,
            octets,
            sent: is_ours.then(|| header.clone()),
        })
    }

    /// The header for the upstream, written anew and marked as one that is never shown.
    pub(super) fn header(&self) -> Option<HeaderValue> {
        let mut value = match &self.sent {
            Some(sent) => sent.clone(),
            None => {
                let text = Zeroizing::new(format!("Basic {}", STANDARD.encode(&*self.octets)));
                HeaderValue::from_str(&text).ok()?
            }
        };
        value.set_sensitive(true);
        Some(value)
    }
}

/// The bound of a user's name everywhere in the gateway; a longer one is not authenticated.
pub(super) const MAX_USER: usize = 253;
/// Name, colon and password; no directory takes passwords of more than 256 characters.
const MAX_CREDENTIAL: usize = 1536;

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(scheme: &str, credential: &[u8]) -> Option<Basic> {
        let header = format!("{scheme} {}", STANDARD.encode(credential));
        Basic::parse(&HeaderValue::from_str(&header).unwrap())
    }

    #[test]
    fn basic_credentials_are_read_and_written_anew_r30() {
        for (credential, user) in [
            (&b"alice:secret"[..], "alice"),
            (b"CONTOSO\\alice:se:cr:et", "CONTOSO\\alice"),
            (
                "j\u{fc}rgen@contoso.com:p\u{e4}ss".as_bytes(),
                "j\u{fc}rgen@contoso.com",
            ),
            (b"alice:", "alice"),
            // ISO 8859-1.
            (b"CORP\\j\xfcrgen:p\xe4ss", "CORP\\j\u{fc}rgen"),
            // The password may be in another coding than the name.
            (b"alice:p\xe4ss", "alice"),
        ] {
            let basic = parse("bAsIc", credential).unwrap();
            assert_eq!(basic.user, user);
            let again = Basic::parse(&basic.header().unwrap()).unwrap();
            assert_eq!(*again.octets, credential, "row {user}");
        }
    }

    #[test]
    fn anything_else_is_no_credential() {
        for (scheme, credential) in [
            ("Bearer", &b"alice:secret"[..]),
            ("Negotiate", b"alice:secret"),
            ("NTLM", b"alice:secret"),
            ("Basic", b"alice"),
            ("Basic", b":secret"),
            ("Basic", b" :secret"),
            ("Basic", b"al\x00ice:secret"),
            // A control character of ISO 8859-1, which is a letter in another coding.
            ("Basic", b"\x8alice:secret"),
            ("Basic", &[b'a'; 300]),
            ("Basic", &[0xe4; 300]),
        ] {
            assert!(parse(scheme, credential).is_none(), "row {credential:?}");
        }
        for header in ["", "Basic", "Basic !!!!", "Basic YWxpY2U6"] {
            let parsed = Basic::parse(&HeaderValue::from_static(header));
            assert_eq!(parsed.is_some(), header.ends_with('6'), "row {header}");
        }
    }
}
