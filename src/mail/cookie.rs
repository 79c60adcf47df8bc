//! Cookies on their way through: without those that would steer Exchange, and without the names of domains
//! behind the gateway.
//!
//! Exchange's front remembers in cookies to which server behind it a request goes: `X-BackEndCookie` for
//! every user, `X-BEResource`, `X-AnonResource-Backend` and `X-BackEndOverrideCookie` for itself. All can be
//! written by whoever sends them, and the front goes where they say (CVE-2021-26855). None is needed: where
//! a mailbox is the front looks up, and a device stays with one server by the gateway's own affinity.

use http::HeaderMap;
use http::HeaderValue;
use http::header;

use super::error::Malformed;

/// What the names of cookies begin with that do not pass, in lower case.
pub(super) type Steering = &'static [&'static [u8]];

/// For ActiveSync: all of Exchange's own begin so. Those of load balancers and of firewalls between the
/// gateway and Exchange do not, and clients have to send theirs back (MS-ASHTTP 2.2.1.1.2.4).
pub(super) const OF_ACTIVE_SYNC: Steering = &[b"x-"];

/// For applications, of which OWA and others need cookies that begin with `X-` too.
pub(super) const OF_APPLICATIONS: Steering = &[
    b"x-beresource",
    b"x-backend",
    b"x-anonresource",
    b"x-calculated",
    b"x-target",
];

/// The cookies as one header (HTTP/2 sends them in pieces, RFC 9113 section 8.2.3), without those that
/// would steer.
///
/// # Errors
///
/// When they do not make one header.
pub(super) fn passed(
    headers: &HeaderMap,
    steering: Steering,
) -> Result<Option<HeaderValue>, Malformed> {
    let mut kept: Vec<&[u8]> = Vec::new();
    for value in headers.get_all(header::COOKIE) {
        for cookie in value.as_bytes().split(|octet| *octet == b';') {
            let cookie = cookie.trim_ascii();
            let name = cookie.split(|octet| *octet == b'=').next();
            let name = name.unwrap_or_default().trim_ascii();
            // One without a name has another one to who takes the sign for a part of it.
            let steers = name.is_empty()
                || steering.iter().any(|start| {
                    let begin = name.get(..start.len());
                    begin.is_some_and(|begin| begin.eq_ignore_ascii_case(start))
                });
            if !steers {
                kept.push(cookie);
            }
        }
    }
    if kept.is_empty() {
        return Ok(None);
    }
    let joined = HeaderValue::from_bytes(&kept.join(&b"; "[..]));
    let mut joined = joined.map_err(|_| Malformed::Header)?;
    joined.set_sensitive(true);
    Ok(Some(joined))
}

/// A cookie of a domain behind the gateway as one of the gateway itself, which is the only place that its
/// client would send it to; `None` if it names none.
pub(super) fn without_domain(cookie: &HeaderValue) -> Option<HeaderValue> {
    let is_domain = |part: &&[u8]| {
        let name = part.split(|octet| *octet == b'=').next();
        name.is_some_and(|name| name.trim_ascii().eq_ignore_ascii_case(b"domain"))
    };
    let mut parts = cookie.as_bytes().split(|octet| *octet == b';');
    let value = parts.next()?;
    let attributes: Vec<&[u8]> = parts.collect();
    if !attributes.iter().any(is_domain) {
        return None;
    }
    let kept = attributes.into_iter().filter(|part| !is_domain(part));
    let kept: Vec<&[u8]> = std::iter::once(value).chain(kept).collect();
    let mut bound = HeaderValue::from_bytes(&kept.join(&b';')).ok()?;
    bound.set_sensitive(true);
    Some(bound)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_cookie_steers_exchange() {
        for (sent, to_mail, to_application) in [
            ("a=1; b=2", Some("a=1; b=2"), Some("a=1; b=2")),
            (
                "BIGipServerpool=1; NSC_x=2",
                Some("BIGipServerpool=1; NSC_x=2"),
                Some("BIGipServerpool=1; NSC_x=2"),
            ),
            (
                "ClientId=A; exchangecookie=b",
                Some("ClientId=A; exchangecookie=b"),
                Some("ClientId=A; exchangecookie=b"),
            ),
            ("X-BEResource=evil~1; a=1", Some("a=1"), Some("a=1")),
            ("a=1;x-beresource-abc = evil", Some("a=1"), Some("a=1")),
            ("X-BackEndCookie=S-1-5-21=u56", None, None),
            ("X-BackEndOverrideCookie=ex1~1", None, None),
            (
                "x-ANONRESOURCE-Backend=evil; X-AnonResource=true",
                None,
                None,
            ),
            ("X-TargetServer=evil; X-CalculatedBETarget=evil", None, None),
            ("\tX-BEResource\t=evil", None, None),
            (
                "X-OWA-CANARY=c; a=1",
                Some("a=1"),
                Some("X-OWA-CANARY=c; a=1"),
            ),
            ("; ;", None, None),
            ("=X-BEResource=evil; a=1", Some("a=1"), Some("a=1")),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::COOKIE, HeaderValue::from_str(sent).unwrap());
            for (steering, expected) in
                [(OF_ACTIVE_SYNC, to_mail), (OF_APPLICATIONS, to_application)]
            {
                let passed = passed(&headers, steering).unwrap();
                let passed = passed.as_ref().map(|value| value.to_str().unwrap());
                assert_eq!(passed, expected, "row {sent} {}", steering.len());
            }
        }
    }
}
