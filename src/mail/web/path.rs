//! Paths that everybody reads in the same way, or none.

use percent_encoding::AsciiSet;
use percent_encoding::CONTROLS;
use percent_encoding::percent_decode_str;
use percent_encoding::utf8_percent_encode;

/// A path decoded once; `None` if another reader could find another one in it: by a second
/// decoding, dots, empty parts, backslashes, parameters or octets that are no text.
pub(super) fn clean(path: &str) -> Option<String> {
    let decoded = percent_decode_str(path).decode_utf8().ok()?;
    let is_odd = |character: char| matches!(character, '%' | '\\' | ';') || character.is_control();
    if !decoded.starts_with('/') || decoded.chars().any(is_odd) {
        return None;
    }
    // A slash that was encoded is one for some and none for others.
    let slashes = |text: &str| text.bytes().filter(|octet| *octet == b'/').count();
    if slashes(&decoded) != slashes(path) {
        return None;
    }
    let mut parts = decoded.split('/').skip(1).peekable();
    while let Some(part) = parts.next() {
        let is_last = parts.peek().is_none();
        let is_dots = part.trim_end_matches(['.', ' ']).is_empty() && !part.is_empty();
        if is_dots || part.is_empty() && !is_last {
            return None;
        }
    }
    Some(decoded.into_owned())
}

/// A clean path behind a resource's, encoded again.
pub(super) fn written(resource: &str, below: &str) -> String {
    let mut target = resource.to_owned();
    target.extend(utf8_percent_encode(below, &ODD));
    if target.is_empty() {
        target.push('/');
    }
    target
}

/// What is not left as it is in a path (RFC 3986 section 3.3).
const ODD: AsciiSet = CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'<')
    .add(b'>')
    .add(b'?')
    .add(b'[')
    .add(b']')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}');

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_one_reading_of_a_path_passes() {
        for (path, expected) in [
            ("/owa", Some("/owa")),
            ("/owa/", Some("/owa/")),
            ("/owa/a%20b", Some("/owa/a b")),
            ("/owa/%C3%A9", Some("/owa/\u{e9}")),
            ("/owa/a.b", Some("/owa/a.b")),
            ("owa", None),
            ("/owa//x", None),
            ("//owa", None),
            ("/owa/../ecp", None),
            ("/owa/./x", None),
            ("/owa/..", None),
            ("/owa/.../x", None),
            ("/owa/.. /x", None),
            ("/owa/%2e%2e/ecp", None),
            ("/owa/%252e%252e/ecp", None),
            ("/owa%2fx", None),
            ("/owa%5cx", None),
            ("/owa\\x", None),
            ("/owa;x=1", None),
            ("/owa%3bx", None),
            ("/owa%00", None),
            ("/owa%0d%0a", None),
            ("/owa/%ff", None),
            ("/owa/%u002e", None),
            ("/owa/%zz", None),
        ] {
            assert_eq!(clean(path).as_deref(), expected, "row {path}");
        }
    }

    #[test]
    fn what_is_clean_is_written_as_one_path() {
        for (resource, below, expected) in [
            ("/owa", "", "/owa"),
            ("", "", "/"),
            ("", "/x", "/x"),
            ("/apps/x", "/a b?c#d", "/apps/x/a%20b%3Fc%23d"),
            ("/owa", "/\u{e9}", "/owa/%C3%A9"),
        ] {
            assert_eq!(written(resource, below), expected, "row {resource} {below}");
            assert!(written(resource, below).parse::<http::Uri>().is_ok());
        }
    }
}
