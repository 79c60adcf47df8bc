//! Which request headers reach an application: listed ones, and those that it is given by name. What
//! could speak for somebody else has no way there, whatever the list says.

use http::HeaderMap;
use http::HeaderName;
use http::HeaderValue;
use http::header;

use crate::mail::cookie;
use crate::mail::error::Malformed;
use crate::mail::header as mail;

use super::Application;
use super::SignIn;

/// Headers of browsers and of programs that any application may see.
const USUAL: [HeaderName; 24] = [
    header::ACCEPT,
    header::ACCEPT_CHARSET,
    header::ACCEPT_ENCODING,
    header::ACCEPT_LANGUAGE,
    header::CACHE_CONTROL,
    header::CONTENT_DISPOSITION,
    header::CONTENT_ENCODING,
    header::CONTENT_LANGUAGE,
    header::CONTENT_TYPE,
    header::DNT,
    header::IF_MATCH,
    header::IF_MODIFIED_SINCE,
    header::IF_NONE_MATCH,
    header::IF_RANGE,
    header::IF_UNMODIFIED_SINCE,
    header::ORIGIN,
    header::PRAGMA,
    header::RANGE,
    header::REFERER,
    header::USER_AGENT,
    HeaderName::from_static("prefer"),
    HeaderName::from_static("soapaction"),
    HeaderName::from_static("x-requested-with"),
    HeaderName::from_static("depth"),
];

/// Headers that the applications of Exchange know beside them (MS-OXCMAPIHTTP 2.2.3.3, and what
/// the browser's part of OWA sends).
const OF_EXCHANGE: [(&str, &[&str]); 2] = [
    (
        "mapi",
        &[
            "x-requesttype",
            "x-requestid",
            "x-clientinfo",
            "x-clientapplication",
        ],
    ),
    ("owa", &["action", "x-owa-canary", "x-owa-correlationid"]),
];

/// What some server takes for the word of a proxy before it, by the beginning of the name.
const SPEAKING: [&str; 26] = [
    "forwarded",
    "x-forwarded",
    "x-original",
    "x-rewrite",
    "x-real-ip",
    "x-client",
    "x-arr-",
    "x-ssl",
    "ssl-",
    "x-remote",
    "remote",
    "x-user",
    "x-auth",
    "x-webauth",
    "x-ms-",
    "x-common",
    "x-iisnode",
    "x-portreeve",
    "x-be",
    "x-fe",
    "x-proxy",
    "x-wap",
    "x-http-method",
    "x-method",
    "true-client",
    "client-",
];

/// Whether a header may be listed for an application.
#[must_use]
pub fn is_passed_on(name: &HeaderName) -> bool {
    let text = name.as_str();
    let speaks = SPEAKING.iter().any(|start| text.starts_with(start));
    let is_known = OF_EXCHANGE.iter().any(|(_, names)| names.contains(&text));
    is_known || !speaks && !text.contains('_') && !mail::is_ours(name)
}

/// The headers that pass.
///
/// # Errors
///
/// When a header that counts stands there twice, or `Connection` names one.
pub(super) fn passed(
    headers: &HeaderMap,
    application: &Application,
) -> Result<HeaderMap, Malformed> {
    mail::check_connection(headers)?;
    let of_exchange = OF_EXCHANGE
        .iter()
        .filter(|(name, _)| *name == application.name)
        .flat_map(|(_, names)| *names)
        .map(|name| HeaderName::from_static(name));
    let listed = application.headers.iter().cloned();
    let mut passed = HeaderMap::with_capacity(16);
    for name in USUAL.into_iter().chain(of_exchange).chain(listed) {
        if passed.contains_key(&name) {
            continue;
        }
        for value in headers.get_all(&name) {
            passed.append(name.clone(), value.clone());
        }
    }
    mail::single(headers, &header::CONTENT_TYPE)?;
    if let Some(authorization) = mail::single(headers, &header::AUTHORIZATION)?
        && application.sign_in == SignIn::Certificate
        && is_of_a_request(authorization)
    {
        let mut authorization = authorization.clone();
        authorization.set_sensitive(true);
        passed.insert(header::AUTHORIZATION, authorization);
    }
    if let Some(cookies) = cookie::passed(headers, cookie::OF_APPLICATIONS)? {
        passed.insert(header::COOKIE, cookies);
    }
    Ok(passed)
}

/// Whether it authenticates the request that it stands in: NTLM and Negotiate authenticate the
/// connection, which others use too.
fn is_of_a_request(authorization: &HeaderValue) -> bool {
    let scheme = authorization
        .as_bytes()
        .split(|octet| *octet == b' ')
        .next();
    let scheme = scheme.unwrap_or_default();
    [&b"basic"[..], b"bearer", b"digest"]
        .iter()
        .any(|known| scheme.eq_ignore_ascii_case(known))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mail::UpstreamId;

    fn application(sign_in: SignIn, listed: &[&'static str]) -> Application {
        Application {
            name: "intranet".to_owned(),
            hosts: Vec::new(),
            path: "/intranet".to_owned(),
            upstream: UpstreamId::of("default"),
            resource: String::new(),
            sign_in,
            headers: listed
                .iter()
                .map(|name| HeaderName::from_static(name))
                .collect(),
            redirects: Vec::new(),
        }
    }

    fn map(lines: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut map = HeaderMap::new();
        for (name, value) in lines {
            map.append(*name, HeaderValue::from_static(value));
        }
        map
    }

    #[test]
    fn nobody_speaks_for_somebody_else() {
        let sent = map(&[
            ("accept", "text/html"),
            ("user-agent", "Mozilla/5.0"),
            ("x-forwarded-for", "127.0.0.1"),
            ("x-forwarded-user", "admin"),
            ("forwarded", "for=127.0.0.1"),
            ("x-original-url", "/ecp"),
            ("x-rewrite-url", "/ecp"),
            ("x-arr-clientcert", "MII"),
            ("x-client-cert", "MII"),
            ("ssl-client-cert", "MII"),
            ("x-remote-user", "admin"),
            ("remote-user", "admin"),
            ("x_remote_user", "admin"),
            ("x-commonaccesstoken", "VgEA"),
            ("x-ms-client-principal-name", "admin"),
            ("x-http-method-override", "DELETE"),
            ("x-portreeve-user", "admin"),
            ("x-custom", "1"),
            ("x-listed", "2"),
            ("host", "mail.example.org"),
            ("te", "trailers"),
            ("expect", "100-continue"),
            ("cookie", "a=1; X-BEResource=evil~1; X-AnonResource=true"),
            ("cookie", "X-AnonResource-Backend=evil; b=2"),
            ("authorization", "Basic YTpi"),
        ]);
        let application = application(SignIn::Certificate, &["x-listed"]);
        let expected = map(&[
            ("accept", "text/html"),
            ("user-agent", "Mozilla/5.0"),
            ("x-listed", "2"),
            ("authorization", "Basic YTpi"),
            ("cookie", "a=1; b=2"),
        ]);
        assert_eq!(passed(&sent, &application), Ok(expected));
        for (name, _) in &map(&[
            ("x-forwarded-for", ""),
            ("x-client-cert", ""),
            ("x_custom", ""),
            ("authorization", ""),
            ("cookie", ""),
            ("transfer-encoding", ""),
            ("content-length", ""),
            ("upgrade", ""),
        ]) {
            assert!(!is_passed_on(name), "row {name}");
        }
        assert!(is_passed_on(&HeaderName::from_static("x-custom")));
    }

    #[test]
    fn what_authenticates_a_connection_does_not_pass() {
        for (value, passes) in [
            ("Basic YTpi", true),
            ("bearer x", true),
            ("NTLM TlRM", false),
            ("Negotiate YII", false),
            ("Kerberos x", false),
        ] {
            let sent = map(&[("authorization", value)]);
            let known = passed(&sent, &application(SignIn::Certificate, &[])).unwrap();
            assert_eq!(known.contains_key("authorization"), passes, "row {value}");
            let known = passed(&sent, &application(SignIn::Password, &[])).unwrap();
            assert!(!known.contains_key("authorization"), "row {value}");
        }
    }
}
