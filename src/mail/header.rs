//! Which headers pass, in either direction.
//!
//! Towards the mail server only listed headers pass, so that nothing the client invents can mean
//! something there. Towards the client everything passes but what belongs to one connection
//! (RFC 9110 section 7.6.1) and what stands in the table of withheld headers: what would show the
//! client a way round the gateway, speak in the gateway's name, or tell what is behind it. What
//! ActiveSync needs is in none of them: MS-Server-ActiveSync, MS-ASProtocol*, X-MS-*, Retry-After,
//! Set-Cookie, request-id (MS-ASHTTP 2.2.2.1.2).

use std::time::Duration;

use http::HeaderMap;
use http::HeaderName;
use http::HeaderValue;
use http::header;

use crate::eas::Version;

use super::cookie;
use super::error::Malformed;

/// Request headers that pass as they are; lists, which may stand in several lines.
static PASSED_LISTS: [HeaderName; 4] = [
    header::ACCEPT,
    header::ACCEPT_CHARSET,
    header::ACCEPT_ENCODING,
    header::ACCEPT_LANGUAGE,
];

/// Request headers that pass as they are, each at most once.
static PASSED: [HeaderName; 3] = [
    header::CONTENT_ENCODING,
    header::CONTENT_TYPE,
    header::USER_AGENT,
];

/// Request headers that are read, and written anew for the mail server.
static READ: [HeaderName; 6] = [
    header::AUTHORIZATION,
    header::COOKIE,
    header::HOST,
    VERSION,
    POLICY_KEY,
    ACCEPT_MULTIPART,
];

/// Headers that the gateway sets itself on the way to the mail server.
pub(super) const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
pub(super) const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
pub(super) const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");

/// `MS-ASProtocolVersion`.
pub(super) const VERSION: HeaderName = HeaderName::from_static("ms-asprotocolversion");
/// `X-MS-PolicyKey`.
pub(super) const POLICY_KEY: HeaderName = HeaderName::from_static("x-ms-policykey");
/// `MS-ASAcceptMultiPart`.
pub(super) const ACCEPT_MULTIPART: HeaderName = HeaderName::from_static("ms-asacceptmultipart");
/// `X-MS-Location`: the address that a client is to use from now on (451).
pub(super) const LOCATION: HeaderName = HeaderName::from_static("x-ms-location");
/// `X-MS-ASThrottle`: why a server asks to wait (MS-ASHTTP 2.2.2.1.2.13).
pub(super) const THROTTLE: HeaderName = HeaderName::from_static("x-ms-asthrottle");
/// `MS-ASProtocolVersions`: what the mail server speaks; the mark of an ActiveSync answer.
pub(super) const VERSIONS: HeaderName = HeaderName::from_static("ms-asprotocolversions");

/// `X-MS-RP`: the client is to synchronise anew, in one of these versions (MS-ASHTTP 2.2.2.1.2).
const RESYNCHRONISE: HeaderName = HeaderName::from_static("x-ms-rp");

/// Versions from before 2.5, which Exchange offers still (MS-ASHTTP 2.2.3.1.1.1).
const UNSPOKEN: [&str; 3] = ["1.0", "2.0", "2.1"];

/// What an OPTIONS answer tells a client (MS-ASHTTP 2.2.4.1).
const OFFERED: [HeaderName; 6] = [
    VERSIONS,
    HeaderName::from_static("ms-asprotocolcommands"),
    HeaderName::from_static("ms-server-activesync"),
    HeaderName::from_static("ms-asprotocolrevisions"),
    HeaderName::from_static("public"),
    header::ALLOW,
];

/// Headers of one connection, in either direction, whether `Connection` names them or not.
static HOP_BY_HOP: [HeaderName; 9] = [
    header::CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    header::PROXY_AUTHENTICATE,
    header::PROXY_AUTHORIZATION,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
];

/// Withheld response headers, in lower case.
const WITHHELD: [&str; 11] = [
    // They lead the client elsewhere, or the gateway writes them itself.
    "www-authenticate",
    "location",
    "content-location",
    "refresh",
    "alt-svc",
    // They tell which software is behind the gateway, and of which version.
    "server",
    "via",
    "x-powered-by",
    "x-generator",
    "x-served-by",
    "x-diaginfo",
];

/// What follows `x-` in withheld ones that are one name of many.
const WITHHELD_AFTER_X: [&str; 10] = [
    // Only the gateway speaks in its name.
    "portreeve-",
    "aspnet",
    // Of Exchange, with the names of servers: X-FEServer, X-FEProxyInfo, X-FEEFZInfo, X-FirstHopCafeEFZ;
    // X-BEServer, X-BeSku, X-BEPartition, X-BackEndHttpStatus; X-CalculatedBETarget, X-TargetBEServer.
    "fe",
    "firsthop",
    "be",
    "backend",
    "calculated",
    "targetbe",
    "proxy-",
    "rum-",
];

/// Whether a header of this name has a meaning here already, on the way to the mail server.
pub(super) fn is_ours(name: &HeaderName) -> bool {
    let set = [
        FORWARDED_FOR,
        FORWARDED_PROTO,
        FORWARDED_HOST,
        header::CONTENT_LENGTH,
        header::EXPECT,
    ];
    [&PASSED_LISTS[..], &PASSED, &READ, &HOP_BY_HOP, &set]
        .iter()
        .any(|list| list.contains(name))
}

/// The headers that pass towards the mail server.
///
/// # Errors
///
/// When a header that counts stands there twice, or `Connection` names one.
pub(super) fn passed(headers: &HeaderMap) -> Result<HeaderMap, Malformed> {
    check_connection(headers)?;
    let mut passed = HeaderMap::with_capacity(16);
    // Once over those that are there: to look each up would hash a name for each that may be there.
    for (name, value) in headers {
        if PASSED.contains(name) {
            if passed.insert(name.clone(), value.clone()).is_some() {
                return Err(Malformed::HeaderTwice);
            }
        } else if PASSED_LISTS.contains(name) {
            passed.append(name.clone(), value.clone());
        }
    }
    if let Some(cookies) = cookie::passed(headers, cookie::OF_ACTIVE_SYNC)? {
        passed.insert(header::COOKIE, cookies);
    }
    Ok(passed)
}

/// The value of a header that may stand there once.
///
/// # Errors
///
/// When it stands there twice: two servers may read two values.
pub(super) fn single<'a>(
    headers: &'a HeaderMap,
    name: &HeaderName,
) -> Result<Option<&'a HeaderValue>, Malformed> {
    let mut values = headers.get_all(name).iter();
    let first = values.next();
    match values.next() {
        None => Ok(first),
        Some(_) => Err(Malformed::HeaderTwice),
    }
}

/// The same as text, which must be ASCII.
///
/// # Errors
///
/// As [`single`], and when it holds other characters.
pub(super) fn single_text<'a>(
    headers: &'a HeaderMap,
    name: &HeaderName,
) -> Result<Option<&'a str>, Malformed> {
    single(headers, name)?
        .map(|value| value.to_str().map_err(|_| Malformed::Header))
        .transpose()
}

/// `Connection` must not name a header that counts: it would be a header for one server and none
/// for the next.
pub(super) fn check_connection(headers: &HeaderMap) -> Result<(), Malformed> {
    for name in connection_names(headers) {
        let counts = HeaderName::from_bytes(name.as_bytes())
            .is_ok_and(|name| PASSED.contains(&name) || READ.contains(&name));
        if counts {
            return Err(Malformed::Connection);
        }
    }
    Ok(())
}

fn connection_names(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    headers
        .get_all(header::CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(|name| name.trim_matches([' ', '\t']))
}

/// Takes out of an answer what must not reach the client.
pub(super) fn strip_answer(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = connection_names(headers)
        .filter_map(|name| HeaderName::from_bytes(name.as_bytes()).ok())
        // A length or type that the connection claims to own would leave a body nobody can read.
        .filter(|name| *name != header::CONTENT_LENGTH && *name != header::CONTENT_TYPE)
        .collect();
    let taken: Vec<HeaderName> = headers
        .keys()
        .filter(|name| HOP_BY_HOP.contains(name) || is_withheld(name.as_str()))
        .cloned()
        .collect();
    for name in taken.iter().chain(&named) {
        headers.remove(name);
    }
    if !headers.contains_key(header::SET_COOKIE) {
        return;
    }
    for (name, value) in headers.iter_mut() {
        if *name == header::SET_COOKIE
            && let Some(bound) = cookie::without_domain(value)
        {
            *value = bound;
        }
    }
}

fn is_withheld(name: &str) -> bool {
    let begins = |rest: &str| WITHHELD_AFTER_X.iter().any(|start| rest.starts_with(start));
    WITHHELD.contains(&name) || name.strip_prefix("x-").is_some_and(begins)
}

/// What of an OPTIONS answer is kept for clients.
pub(super) fn offered(headers: &HeaderMap) -> HeaderMap {
    let mut offered = HeaderMap::with_capacity(OFFERED.len());
    for name in OFFERED {
        for value in headers.get_all(&name) {
            offered.append(name.clone(), value.clone());
        }
    }
    offered
}

/// Takes versions of the protocol before `oldest`, and those that nobody speaks here, out of what an answer
/// offers. What is no version stays.
pub(super) fn speak_from(headers: &mut HeaderMap, oldest: Version) {
    for name in [VERSIONS, RESYNCHRONISE] {
        let Some(offered) = headers.get(&name).and_then(|value| value.to_str().ok()) else {
            continue;
        };
        let is_old = |text: &str| match Version::parse(text.trim()) {
            Some(version) => version < oldest,
            None => UNSPOKEN.contains(&text.trim()),
        };
        if !offered.split(',').any(is_old) {
            continue;
        }
        let kept: Vec<&str> = offered.split(',').filter(|text| !is_old(text)).collect();
        match HeaderValue::from_str(&kept.join(",")) {
            Ok(kept) if !kept.is_empty() => headers.insert(name, kept),
            Ok(_) | Err(_) => headers.remove(name),
        };
    }
}

/// How long a server asks to wait, if it says so in seconds; ActiveSync servers do (MS-ASHTTP
/// 3.1.5.2.3), the form with a date is none of that protocol.
pub(super) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let value = headers.get(header::RETRY_AFTER)?.to_str().ok()?;
    value.trim().parse().ok().map(Duration::from_secs)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(lines: &[(&str, &str)]) -> HeaderMap {
        lines
            .iter()
            .map(|(name, value)| {
                let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
                (name, HeaderValue::from_str(value).unwrap())
            })
            .collect::<Vec<_>>()
            .into_iter()
            .fold(HeaderMap::new(), |mut map, (name, value)| {
                map.append(name, value);
                map
            })
    }

    #[test]
    fn only_listed_headers_pass_towards_the_mail_server() {
        let sent = headers(&[
            ("User-Agent", "Apple-iPhone/1"),
            ("Content-Type", "application/vnd.ms-sync.wbxml"),
            ("Accept-Language", "de"),
            ("Cookie", "a=1; X-BEResource=evil~1"),
            ("Cookie", "x-anonresource-backend=evil/x; b=2"),
            ("Authorization", "Basic x"),
            ("X-Forwarded-For", "127.0.0.1"),
            ("Forwarded", "for=127.0.0.1"),
            ("X-Original-URL", "/owa"),
            ("X-Rewrite-URL", "/owa"),
            ("X-ARR-ClientCert", "MII"),
            ("X-MS-Edge", "1"),
            ("X_MS_PolicyKey", "1"),
            ("User_Agent", "other"),
            ("X-Portreeve-User", "admin"),
            ("Transfer-Encoding", "chunked"),
            ("Content-Length", "5"),
            ("Upgrade", "h2c"),
            ("HTTP2-Settings", "AAMAAABkAAQAAP__"),
            ("Connection", "Upgrade, HTTP2-Settings, X-Forwarded-For"),
            ("TE", "trailers"),
            ("Expect", "100-continue"),
            ("Range", "bytes=0-1"),
        ]);
        let expected = headers(&[
            ("User-Agent", "Apple-iPhone/1"),
            ("Content-Type", "application/vnd.ms-sync.wbxml"),
            ("Accept-Language", "de"),
            ("Cookie", "a=1; b=2"),
        ]);
        assert_eq!(passed(&sent), Ok(expected));
    }

    #[test]
    fn headers_that_count_stand_there_once_and_belong_to_no_connection() {
        for (lines, expected) in [
            (
                &[("User-Agent", "a"), ("User-Agent", "b")][..],
                Malformed::HeaderTwice,
            ),
            (
                &[("Content-Type", "a"), ("Content-Type", "a")],
                Malformed::HeaderTwice,
            ),
            (
                &[("Connection", "close, Authorization")],
                Malformed::Connection,
            ),
            (
                &[("Connection", "close"), ("Connection", "user-agent")],
                Malformed::Connection,
            ),
            (
                &[("Connection", "MS-ASProtocolVersion")],
                Malformed::Connection,
            ),
        ] {
            assert_eq!(passed(&headers(lines)), Err(expected), "row {lines:?}");
        }
    }

    #[test]
    fn versions_that_are_not_spoken_are_not_offered() {
        for (oldest, expected, again) in [
            (
                Version::V2_5,
                Some(" 2.5, 12.0,14.1,16.9"),
                Some("2.5,12.0"),
            ),
            (Version::V12_0, Some(" 12.0,14.1,16.9"), Some("12.0")),
            (Version::V16_1, Some("16.9"), None),
        ] {
            let mut answer = headers(&[
                ("MS-ASProtocolVersions", "2.0,2.1, 2.5, 12.0,14.1,16.9"),
                ("X-MS-RP", "2.5,12.0"),
                ("MS-ASProtocolCommands", "Sync,2.5"),
            ]);
            speak_from(&mut answer, oldest);
            let text = |name: &str| answer.get(name).map(|value| value.to_str().unwrap());
            assert_eq!(text("ms-asprotocolversions"), expected, "row {oldest}");
            assert_eq!(text("x-ms-rp"), again, "row {oldest}");
            assert_eq!(text("ms-asprotocolcommands"), Some("Sync,2.5"));
        }
    }

    /// Names and versions of servers passed, and the gateway's own headers could be forged.
    #[test]
    fn answers_tell_nothing_of_what_is_behind_the_gateway() {
        for name in [
            "Server",
            "Via",
            "Content-Location",
            "X-FEServer",
            "X-BEServer",
            "X-CalculatedBETarget",
            "X-TargetBEServer",
            "X-BackEndHttpStatus",
            "X-DiagInfo",
            "X-BeSku",
            "X-FirstHopCafeEFZ",
            "X-Powered-By",
            "X-AspNet-Version",
            "X-AspNetMvc-Version",
            "X-Portreeve-Reason",
            "X-Portreeve-Anything",
        ] {
            let mut answer = headers(&[(name, "a"), (name, "b")]);
            strip_answer(&mut answer);
            assert!(answer.is_empty(), "row {name}");
        }
        // The whole of what MS-ASHTTP 2.2.2.1.2 names, and what HTTP needs.
        for name in [
            "MS-Server-ActiveSync",
            "MS-ASProtocolVersions",
            "MS-ASProtocolCommands",
            "X-MS-RP",
            "X-MS-ASThrottle",
            "X-MS-Credentials-Expire",
            "X-MS-BackOffDuration",
            "Retry-After",
            "Set-Cookie",
            "Content-Type",
            "Content-Encoding",
            "Cache-Control",
            "Date",
            "request-id",
        ] {
            let mut answer = headers(&[(name, "a")]);
            strip_answer(&mut answer);
            assert_eq!(answer.len(), 1, "row {name}");
        }
    }

    #[test]
    fn answers_lose_what_belongs_to_the_connection_or_leads_away() {
        let mut answer = headers(&[
            ("Connection", "close, X-Internal, Content-Length"),
            ("Keep-Alive", "timeout=5"),
            ("Transfer-Encoding", "chunked"),
            ("X-Internal", "1"),
            ("WWW-Authenticate", "Negotiate"),
            ("WWW-Authenticate", "NTLM"),
            ("Location", "https://owa.internal/"),
            ("Alt-Svc", "h3=\":443\""),
            ("Content-Length", "5"),
            ("Content-Type", "application/vnd.ms-sync.wbxml"),
            ("Set-Cookie", "a=1"),
            ("Set-Cookie", "b=2; Path=/; DOMAIN = ex.internal; Secure"),
            ("MS-ASProtocolVersions", "2.5,12.0"),
            ("X-MS-RP", "2.5,12.0"),
        ]);
        strip_answer(&mut answer);
        let expected = headers(&[
            ("Content-Length", "5"),
            ("Content-Type", "application/vnd.ms-sync.wbxml"),
            ("Set-Cookie", "a=1"),
            ("Set-Cookie", "b=2; Path=/; Secure"),
            ("MS-ASProtocolVersions", "2.5,12.0"),
            ("X-MS-RP", "2.5,12.0"),
        ]);
        assert_eq!(answer, expected);
    }
}
