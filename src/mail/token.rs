//! Bearer tokens (RFC 6750), where they are taken: whose a token says it is, and until when.
//!
//! Nothing is verified here. The mail server verifies the token, and is asked before anything is
//! decided, as it is about a password; what the token says of its user is believed only after that,
//! because the same signature covers it. What is read must therefore be what the mail server reads:
//! a JWS in compact form (RFC 7515 section 7.1) whose claims are one JSON object in which no name
//! stands twice, in whatever case (RFC 7519 section 4 lets readers differ there), and one claim that names the user
//! ([`Bearer::claim`]). An encrypted token (RFC 7516), one without user (of an application) and one
//! that has expired are no credentials.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::HeaderValue;
use serde::Deserialize;
use serde::Deserializer;
use serde::de::Error;
use serde::de::MapAccess;
use serde::de::Visitor;
use serde_json::Number;
use serde_json::Value;
use zeroize::Zeroizing;

use crate::model::Timestamp;

use super::authorization::MAX_USER;
use super::config::Bearer;

/// A token as a client sent it.
pub(super) struct Token {
    /// The user that it names.
    pub(super) user: String,
    /// Its octets.
    pub(super) octets: Zeroizing<Vec<u8>>,
    /// When it ends.
    pub(super) expires: Timestamp,
}

impl Token {
    /// Reads the one Authorization header; `None` if it is none of Bearer, or holds no token that
    /// can count at `now`.
    pub(super) fn parse(header: &HeaderValue, config: &Bearer, now: Timestamp) -> Option<Self> {
        let text = header.to_str().ok()?;
        let (scheme, token) = text.split_once(' ')?;
        let token = token.trim_matches(' ');
        if !scheme.eq_ignore_ascii_case("Bearer") || token.len() > MAX_TOKEN {
            return None;
        }
        let mut parts = token.split('.');
        let (head, claims) = (parts.next()?, parts.next()?);
        let signature = parts.next().filter(|signature| !signature.is_empty())?;
        URL_SAFE_NO_PAD.decode(signature).ok()?;
        if parts.next().is_some() {
            return None;
        }
        // Whoever signs nothing names whom he likes (RFC 7515 section 10.7).
        let algorithm = object(head)?.text("alg")?.to_owned();
        if algorithm.eq_ignore_ascii_case("none") {
            return None;
        }
        let claims = object(claims)?;
        let user = claims.text(&config.claim)?.to_owned();
        let usable = !user.trim().is_empty()
            && user.len() <= MAX_USER
            && !user.chars().any(char::is_control);
        let seconds = claims.number("exp")?;
        let expires = Timestamp::from_unix_seconds(seconds);
        (usable && now < expires).then(|| Self {
            user,
            octets: Zeroizing::new(token.as_bytes().to_vec()),
            expires,
        })
    }

    /// The header for the upstream, written anew and marked as one that is never shown.
    pub(super) fn header(&self) -> Option<HeaderValue> {
        let mut text = Zeroizing::new(b"Bearer ".to_vec());
        text.extend_from_slice(&self.octets);
        let mut value = HeaderValue::from_bytes(&text).ok()?;
        value.set_sensitive(true);
        Some(value)
    }
}

/// A JSON object whose names stand there once.
struct Object(Vec<(String, Value)>);

impl Object {
    fn value(&self, name: &str) -> Option<&Value> {
        self.0
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value)
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.value(name)?.as_str()
    }

    /// A NumericDate (RFC 7519 section 2), which may have a fraction.
    fn number(&self, name: &str) -> Option<i64> {
        let number: &Number = self.value(name)?.as_number()?;
        let whole = match number.as_i64() {
            Some(whole) => whole,
            None => number.to_string().split('.').next()?.parse().ok()?,
        };
        (0..=LAST_SECOND).contains(&whole).then_some(whole)
    }
}

impl<'de> Deserialize<'de> for Object {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Each;

        impl<'de> Visitor<'de> for Each {
            type Value = Object;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Object, A::Error> {
                let mut members: Vec<(String, Value)> = Vec::new();
                while let Some((name, value)) = map.next_entry::<String, Value>()? {
                    if members.len() == MAX_MEMBERS {
                        return Err(A::Error::custom("too many members"));
                    }
                    // There are readers that do not tell capitals from small letters.
                    let same = |known: &str| known.eq_ignore_ascii_case(&name);
                    if members.iter().any(|(known, _)| same(known)) {
                        return Err(A::Error::custom("a name stands there twice"));
                    }
                    members.push((name, value));
                }
                Ok(Object(members))
            }
        }

        deserializer.deserialize_map(Each)
    }
}

fn object(part: &str) -> Option<Object> {
    let octets = Zeroizing::new(URL_SAFE_NO_PAD.decode(part).ok()?);
    serde_json::from_slice(&octets).ok()
}

/// The longest token: those of Entra have up to 4 kilobytes, and a head has 32.
const MAX_TOKEN: usize = 16 << 10;
/// The end of the year 9999.
const LAST_SECOND: i64 = 253_402_300_799;
/// Claims of a token; those of Entra have about forty.
const MAX_MEMBERS: usize = 128;

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_795_253_400;

    fn token(head: &str, claims: &str) -> String {
        let parts = [head, claims, "signature"].map(|part| URL_SAFE_NO_PAD.encode(part));
        format!("Bearer {}", parts.join("."))
    }

    fn parse(header: &str) -> Option<Token> {
        let config = Bearer::new("authorization_uri=\"https://login.example/\"", "upn").unwrap();
        let now = Timestamp::from_unix_seconds(NOW);
        Token::parse(&HeaderValue::from_str(header).unwrap(), &config, now)
    }

    #[test]
    fn a_token_names_its_user_and_its_end() {
        let sent = token(
            r#"{"typ":"JWT","alg":"RS256"}"#,
            &format!(
                r#"{{"aud":"x","upn":"alice@corp.example","exp":{}.5}}"#,
                NOW + 60
            ),
        );
        let token = parse(&sent.replace("Bearer", "bearer ")).unwrap();
        assert_eq!(token.user, "alice@corp.example");
        assert_eq!(token.expires.unix_seconds(), NOW + 60);
        let header = token.header().unwrap();
        assert_eq!(header, sent);
        assert!(header.is_sensitive());
    }

    #[test]
    fn what_two_readers_could_read_differently_is_no_token_rfc7519_4() {
        let signed = r#"{"alg":"RS256"}"#;
        let claims = |more: &str| format!(r#"{{"exp":{},{more}}}"#, NOW + 60);
        let good = claims(r#""upn":"alice@corp.example""#);
        assert!(parse(&token(signed, &good)).is_some());
        let many: Vec<String> = (0..MAX_MEMBERS).map(|n| format!(r#""c{n}":1"#)).collect();
        for (row, head, claims) in [
            ("twice", signed, claims(r#""upn":"alice","upn":"bob""#)),
            (
                "escaped",
                signed,
                claims(r#""upn":"alice","\u0075pn":"bob""#),
            ),
            (
                "another case",
                signed,
                claims(r#""UPN":"bob@corp.example","upn":"alice@corp.example""#),
            ),
            ("not text", signed, claims(r#""upn":["alice"]"#)),
            ("no user", signed, claims(r#""app":"x""#)),
            ("empty", signed, claims(r#""upn":" ""#)),
            ("control", signed, claims(r#""upn":"al\u0000ice""#)),
            ("other case", signed, claims(r#""UPN":"alice""#)),
            ("many", signed, claims(&many.join(","))),
            ("no end", signed, r#"{"upn":"alice"}"#.to_owned()),
            ("ended", signed, format!(r#"{{"exp":{NOW},"upn":"alice"}}"#)),
            (
                "no time",
                signed,
                r#"{"exp":9223372036854775807,"upn":"a"}"#.to_owned(),
            ),
            ("no number", signed, r#"{"exp":1e300,"upn":"a"}"#.to_owned()),
            (
                "end is text",
                signed,
                r#"{"exp":"9999999999","upn":"a"}"#.to_owned(),
            ),
            ("no object", signed, "[]".to_owned()),
            ("no JSON", signed, "{".to_owned()),
            ("something after", signed, format!("{good} {{}}")),
            ("not signed", r#"{"alg":"none"}"#, good.clone()),
            ("not signed", r#"{"alg":"NONE"}"#, good.clone()),
            ("no algorithm", "{}", good.clone()),
            (
                "two algorithms",
                r#"{"alg":"RS256","alg":"none"}"#,
                good.clone(),
            ),
        ] {
            assert!(parse(&token(head, &claims)).is_none(), "row {row}");
        }
        let sent = token(signed, &good);
        let (body, _) = sent.rsplit_once('.').unwrap();
        for header in [
            "Bearer".to_owned(),
            "Bearer ".to_owned(),
            "Bearer x".to_owned(),
            sent.replace("Bearer", "Basic"),
            format!("{body}."),
            body.to_owned(),
            format!("{sent}.{0}.{0}", "eA"),
            format!("{sent}="),
            format!("Bearer {}", "x".repeat(MAX_TOKEN + 1)),
        ] {
            assert!(parse(&header).is_none(), "row {header:.40}");
        }
    }
}
