//! Hosts, domains and base URLs, as they may be written down.

use std::net::IpAddr;
use std::net::Ipv6Addr;

use crate::document::Section;

/// Whether it is a host as it stands in a URL and in `Host`: a name (RFC 1123 section 2.1), an IPv4
/// address, or an IPv6 address in brackets; without scheme, port and path.
pub(super) fn is_host(text: &str) -> bool {
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label
                .bytes()
                .all(|octet| octet.is_ascii_alphanumeric() || b"-_".contains(&octet))
    };
    let within = text
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'));
    match within {
        Some(address) => address.parse::<Ipv6Addr>().is_ok(),
        None => text.len() <= 253 && text.split('.').all(is_label),
    }
}

/// Whether it is a host that is connected to by its name alone: an IPv6 address has no brackets there.
pub(super) fn is_server(text: &str) -> bool {
    is_host(text) || text.parse::<IpAddr>().is_ok()
}

/// Reports each of `hosts`, which stand at `key`, that is none.
pub(super) fn check_hosts(section: &Section<'_>, key: &str, hosts: &[String]) {
    for host in hosts.iter().filter(|host| !is_host(host)) {
        let message = format!(
            "expected a host such as \"mail.example.org\", without scheme, port and path; found \"{}\"",
            host.escape_debug()
        );
        section.error(key, message);
    }
}

/// Whether names of users can end in it, behind an at sign.
pub(super) fn is_suffix(text: &str) -> bool {
    let is_part = |part: &str| {
        !part.is_empty()
            && !part.contains(|letter: char| {
                letter.is_whitespace() || letter.is_control() || "@=\\/:,;\"*".contains(letter)
            })
    };
    text.split('.').all(is_part)
}

/// Reports each of `pairs`, which stand at `domains`, that is no `DOMAIN=suffix`, and each domain that
/// stands there twice.
pub(super) fn check_domains(section: &Section<'_>, pairs: &[String]) {
    let mut seen: Vec<String> = Vec::new();
    for pair in pairs {
        let split = pair.split_once('=');
        let split = split.map(|(domain, suffix)| (domain.trim(), suffix.trim()));
        let is_domain = |text: &str| {
            !text.is_empty()
                && !text.contains(|letter: char| letter.is_control() || "@\\".contains(letter))
        };
        let good = split.filter(|(domain, suffix)| is_domain(domain) && is_suffix(suffix));
        let Some((domain, _)) = good else {
            let found = pair.escape_debug();
            section.error("domains", format!("expected DOMAIN=suffix, found {found}"));
            continue;
        };
        let folded = domain.to_ascii_lowercase();
        if seen.contains(&folded) {
            section.error("domains", format!("{domain} stands here twice"));
        }
        seen.push(folded);
    }
}

/// `http://host[:port]` or `https://host[:port]`, nothing behind it but one slash.
pub(super) fn check_upstream(text: &str) -> Result<(), String> {
    const EXPECTED: &str = "expected a URL such as \"https://exchange.example.org\"";
    let uri: http::Uri = text
        .parse()
        .map_err(|_| format!("{EXPECTED}, found \"{}\"", text.escape_debug()))?;
    let authority = uri.authority().map_or("", http::uri::Authority::as_str);
    let host = uri.host().unwrap_or_default();
    if !matches!(uri.scheme_str(), Some("http" | "https")) || host.is_empty() {
        return Err(format!("{EXPECTED}, found \"{}\"", text.escape_debug()));
    }
    if authority.contains('@') {
        return Err("credentials do not belong into the upstream's URL".to_owned());
    }
    if let Some(port) = authority.strip_prefix(host)
        && !port.is_empty()
        && !is_port(port)
    {
        return Err(format!(
            "expected a port of 1 to 65535, found \"{}\"",
            text.escape_debug()
        ));
    }
    if uri
        .path_and_query()
        .is_some_and(|rest| rest.as_str() != "/")
    {
        return Err(format!(
            "{EXPECTED} without a path: the request brings its own"
        ));
    }
    Ok(())
}

/// A colon and digits.
fn is_port(text: &str) -> bool {
    let digits = text.strip_prefix(':').unwrap_or_default();
    let are_digits = digits.bytes().all(|octet| octet.is_ascii_digit());
    are_digits && digits.parse::<u16>().is_ok_and(|port| port > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn upstreams_table() {
        for (text, good) in [
            ("http://127.0.0.1:18080", true),
            ("https://exchange.example.org", true),
            ("https://exchange.example.org/", true),
            ("https://[2001:db8::1]:8443", true),
            ("https://[2001:db8::1]", true),
            ("http://exchange.example.org:65535", true),
            ("http://exchange.example.org:65536", false),
            ("http://exchange.example.org:70000", false),
            ("http://exchange.example.org:0", false),
            ("http://exchange.example.org:", false),
            ("http://exchange.example.org:+80", false),
            ("", false),
            ("exchange.example.org", false),
            ("ftp://exchange.example.org", false),
            ("https://", false),
            ("https://a:b@exchange.example.org", false),
            ("https://exchange.example.org/owa", false),
            ("https://exchange.example.org/?x", false),
            ("https://exchange example.org", false),
        ] {
            assert_eq!(check_upstream(text).is_ok(), good, "row {text:?}");
        }
    }

    #[test]
    fn hosts_have_no_scheme_port_or_path() {
        for (text, good) in [
            ("mail.example.org", true),
            ("localhost", true),
            ("192.0.2.1", true),
            ("[2001:db8::1]", true),
            ("xn--mller-kva.example", true),
            ("_spf.example.org", true),
            ("", false),
            ("https://mail.example.org", false),
            ("mail.example.org:443", false),
            ("mail.example.org/", false),
            ("mail.example.org.", false),
            ("mail..example.org", false),
            ("*.example.org", false),
            ("a b", false),
            ("-a.example.org", false),
            ("[mail]", false),
            ("m\u{fc}ller.example", false),
        ] {
            assert_eq!(is_host(text), good, "row {text:?}");
        }
        assert!(is_server("2001:db8::1") && !is_server("[x]") && !is_server(""));
    }

    #[test]
    fn suffixes_stand_behind_an_at_sign_without_it() {
        for (text, good) in [
            ("example.org", true),
            ("corp", true),
            ("m\u{fc}ller.example", true),
            ("", false),
            ("@example.org", false),
            ("a b", false),
            (".example.org", false),
            ("example.org.", false),
            ("a=b", false),
            ("https://example.org", false),
        ] {
            assert_eq!(is_suffix(text), good, "row {text:?}");
        }
    }
}
