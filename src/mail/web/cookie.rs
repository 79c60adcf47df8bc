//! Cookies of an application as its browsers know it: for the path that it is published under
//! (RFC 6265 section 5.2.4). Which host they are of was left out before, like for every answer, so that
//! they are the gateway's.

use http::HeaderMap;
use http::HeaderValue;
use http::header::SET_COOKIE;

use super::Application;

/// Writes the paths of all cookies in an answer anew.
pub(super) fn publish(answer: &mut HeaderMap, application: &Application) {
    if application.resource == application.path || !answer.contains_key(SET_COOKIE) {
        return;
    }
    for (name, value) in answer.iter_mut() {
        if *name == SET_COOKIE
            && let Some(ours) = published(value.as_bytes(), application)
            && let Ok(mut ours) = HeaderValue::from_bytes(&ours)
        {
            ours.set_sensitive(true);
            *value = ours;
        }
    }
}

/// A cookie for the published path; `None` if it stays as it is.
fn published(cookie: &[u8], application: &Application) -> Option<Vec<u8>> {
    let (value, attributes) = cookie.split_at(cookie.iter().position(|octet| *octet == b';')?);
    // One that is for a host and all its paths, or is none (RFC 6265bis section 4.1.3.2).
    let prefix = b"__host-";
    let start = value.trim_ascii_start().get(..prefix.len());
    if start.is_some_and(|start| start.eq_ignore_ascii_case(prefix)) {
        return None;
    }
    let mut ours = value.to_vec();
    let mut is_changed = false;
    for attribute in attributes.split(|octet| *octet == b';').skip(1) {
        ours.push(b';');
        match path(attribute).and_then(|path| ours_of(path, application)) {
            Some(path) => {
                ours.extend_from_slice(b" Path=");
                ours.extend(path);
                is_changed = true;
            }
            None => ours.extend_from_slice(attribute),
        }
    }
    is_changed.then_some(ours)
}

/// The value of a Path attribute.
fn path(attribute: &[u8]) -> Option<&[u8]> {
    let (name, value) = attribute.split_at(attribute.iter().position(|octet| *octet == b'=')?);
    let value = value.get(1..)?.trim_ascii();
    let is_path = name.trim_ascii().eq_ignore_ascii_case(b"path");
    (is_path && value.starts_with(b"/")).then_some(value)
}

/// The path under which clients know one of the upstream; `None` where it stays what it is: the whole
/// host, which other applications of the same upstream may count on, and what lies elsewhere.
fn ours_of(path: &[u8], application: &Application) -> Option<Vec<u8>> {
    let (ours, resource) = (&application.path, application.resource.as_bytes());
    let below = path
        .strip_prefix(resource)
        .filter(|below| below.is_empty() || below.starts_with(b"/"));
    if let Some(below) = below {
        // With a slash in the end it would not be for the path itself (section 5.1.4).
        let below = if below == b"/" && resource.is_empty() {
            b""
        } else {
            below
        };
        return Some([ours.as_bytes(), below].concat());
    }
    // A path above the resource is sent to it.
    let parent = path.strip_suffix(b"/").unwrap_or(path);
    let is_above = resource
        .strip_prefix(parent)
        .is_some_and(|rest| rest.starts_with(b"/"));
    (is_above && !parent.is_empty()).then(|| ours.as_bytes().to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mail::SignIn;
    use crate::mail::UpstreamId;

    fn application(resource: &str) -> Application {
        Application {
            name: "wiki".to_owned(),
            hosts: Vec::new(),
            path: "/wiki".to_owned(),
            upstream: UpstreamId::of("default"),
            resource: resource.to_owned(),
            sign_in: SignIn::Password,
            headers: Vec::new(),
            redirects: Vec::new(),
        }
    }

    #[test]
    fn a_cookie_is_for_the_published_path_rfc6265_5_2_4() {
        for (resource, cookie, expected) in [
            ("/app", "s=1", "s=1"),
            ("/app", "s=1; Path=/app", "s=1; Path=/wiki"),
            (
                "/app",
                "s=1; path = /app ; Secure",
                "s=1; Path=/wiki; Secure",
            ),
            (
                "/app",
                "s=1;HttpOnly;Path=/app/",
                "s=1;HttpOnly; Path=/wiki/",
            ),
            ("/app", "s=1; Path=/app/a b", "s=1; Path=/wiki/a b"),
            (
                "/app",
                "s=1; Path=/app; Path=/app/x",
                "s=1; Path=/wiki; Path=/wiki/x",
            ),
            ("/app", "s=Path=/app", "s=Path=/app"),
            ("/app", "s=1; Path=/", "s=1; Path=/"),
            ("/app", "s=1; Path=", "s=1; Path="),
            ("/app", "s=1; Path", "s=1; Path"),
            ("/app", "s=1; Path=\"/app\"", "s=1; Path=\"/app\""),
            ("/app", "s=1; Path=/application", "s=1; Path=/application"),
            ("/app", "s=1; Path=/other", "s=1; Path=/other"),
            ("/app", "s=1; PathX=/app", "s=1; PathX=/app"),
            ("/a/b", "s=1; Path=/a", "s=1; Path=/wiki"),
            ("/a/b", "s=1; Path=/a/", "s=1; Path=/wiki"),
            ("/a/b", "s=1; Path=/a/bc", "s=1; Path=/a/bc"),
            ("", "s=1; Path=/", "s=1; Path=/wiki"),
            ("", "s=1; Path=/app", "s=1; Path=/wiki/app"),
            (
                "",
                "__Host-s=1; Secure; Path=/",
                "__Host-s=1; Secure; Path=/",
            ),
            (
                "",
                "__Secure-s=1; Secure; Path=/",
                "__Secure-s=1; Secure; Path=/wiki",
            ),
            ("", "=; Path=/", "=; Path=/wiki"),
            ("/wiki", "s=1; Path=/wiki/x", "s=1; Path=/wiki/x"),
        ] {
            let mut answer = HeaderMap::new();
            answer.append(SET_COOKIE, HeaderValue::from_static("first=1"));
            answer.append(SET_COOKIE, cookie.parse().unwrap());
            publish(&mut answer, &application(resource));
            let all: Vec<_> = answer.get_all(SET_COOKIE).iter().collect();
            assert_eq!(all, ["first=1", expected], "row {resource} {cookie}");
        }
    }

    #[test]
    fn octets_that_are_no_text_stay() {
        let cookie = b"s=\xff\xe9; Path=/app; Comment=\xe9";
        let mut answer = HeaderMap::new();
        answer.append(SET_COOKIE, HeaderValue::from_bytes(cookie).unwrap());
        publish(&mut answer, &application("/app"));
        let expected = b"s=\xff\xe9; Path=/wiki; Comment=\xe9";
        assert_eq!(answer[SET_COOKIE].as_bytes(), expected);
        assert!(answer[SET_COOKIE].is_sensitive());
    }
}
