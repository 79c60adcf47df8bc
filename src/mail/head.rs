//! A request head as the front hands it over, and the checks that need nobody's word.

use std::net::IpAddr;

use http::HeaderMap;
use http::Method;
use http::Uri;
use http::Version;
use http::header;

use crate::eas;
use crate::model::CertificateIdentity;
use crate::model::EasDeviceId;

use super::error::Malformed;
use super::header::ACCEPT_MULTIPART;
use super::header::POLICY_KEY;
use super::header::VERSION;
use super::header::single_text;
use super::web;

/// Who is at the other end of the connection.
#[derive(Clone, Debug)]
pub struct Peer {
    /// Its address.
    pub address: IpAddr,
    /// The name that it asked for in the TLS handshake (RFC 6066 section 3), in lower case.
    pub server_name: Option<String>,
    /// The client certificate, verified against the configured roots, with proof of its key.
    pub certificate: Option<CertificateIdentity>,
}

/// The part of an address that one client cannot change at will: all of an IPv4 address, the /64
/// of an IPv6 address. What is limited "by address" is limited by this.
#[must_use]
pub fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            IpAddr::from([a, b, c, d, 0, 0, 0, 0])
        }
    }
}

/// One request head; the body stays with the front.
#[derive(Clone, Copy, Debug)]
pub struct Head<'a> {
    /// Method.
    pub method: &'a Method,
    /// Target, relative or absolute.
    pub uri: &'a Uri,
    /// Version of HTTP.
    pub version: Version,
    /// Headers as received.
    pub headers: &'a HeaderMap,
}

/// What is asked for.
#[derive(Clone, Debug)]
pub(super) enum Wanted {
    /// OPTIONS: versions and commands.
    Offer,
    /// POST: a command.
    Command(Box<eas::Request>),
    /// POST: where the mailbox of an address is.
    Discovery,
    /// A request for an application.
    Visit(Box<web::Asked>),
}

impl Wanted {
    /// The DeviceId; OPTIONS has none.
    pub(super) fn device(&self) -> Option<EasDeviceId> {
        match self {
            Self::Offer | Self::Discovery | Self::Visit(_) => None,
            Self::Command(request) => Some(request.device),
        }
    }

    /// The DeviceId as the device spells it.
    pub(super) fn spelled(&self) -> Option<&str> {
        match self {
            Self::Offer | Self::Discovery | Self::Visit(_) => None,
            Self::Command(request) => Some(request.spelled()),
        }
    }
}

impl Head<'_> {
    /// Host, path, method and query, in this order.
    ///
    /// # Errors
    ///
    /// The first that is not as it must be.
    pub(super) fn check(&self, peer: &Peer, published: &[String]) -> Result<Wanted, Malformed> {
        self.check_form(peer, published)?;
        if !eas::is_path(self.uri.path()) {
            return Err(Malformed::Path);
        }
        if self.method == Method::OPTIONS {
            // Some clients send their query along; the answer does not depend on it.
            return Ok(Wanted::Offer);
        }
        if self.method != Method::POST {
            return Err(Malformed::Method);
        }
        let stated = eas::Stated {
            version: single_text(self.headers, &VERSION)?,
            policy_key: single_text(self.headers, &POLICY_KEY)?,
            accept_multipart: single_text(self.headers, &ACCEPT_MULTIPART)?,
        };
        let query = self.uri.query().unwrap_or_default();
        let request = eas::Request::parse(query.as_bytes(), stated)?;
        Ok(Wanted::Command(Box::new(request)))
    }

    /// Version and host of a request for a page of our own.
    ///
    /// # Errors
    ///
    /// As [`Head::check`].
    pub(super) fn check_page(&self, peer: &Peer, published: &[String]) -> Result<(), Malformed> {
        if self.version != Version::HTTP_11 && self.version != Version::HTTP_2 {
            return Err(Malformed::HttpVersion);
        }
        self.check_host(peer, published).map(drop)
    }

    /// What has to be right whatever is asked for; gives the host.
    ///
    /// # Errors
    ///
    /// The first that is not.
    pub(super) fn check_form<'p>(
        &self,
        peer: &Peer,
        published: &'p [String],
    ) -> Result<&'p str, Malformed> {
        if self.version != Version::HTTP_11 && self.version != Version::HTTP_2 {
            return Err(Malformed::HttpVersion);
        }
        // Their targets are no paths: nothing below applies to them.
        if self.method == Method::CONNECT || self.method == Method::TRACE {
            return Err(Malformed::Method);
        }
        // RFC 9112 section 6.1: 501 for a coding that is not understood.
        let mut codings = self.headers.get_all(header::TRANSFER_ENCODING).iter();
        let only_chunks = codings.next().is_none_or(|coding| {
            coding
                .as_bytes()
                .trim_ascii()
                .eq_ignore_ascii_case(b"chunked")
        });
        if !only_chunks || codings.next().is_some() {
            return Err(Malformed::TransferCoding);
        }
        self.check_host(peer, published)
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    const QUERY: &str = "?Cmd=Sync&User=u&DeviceId=d&DeviceType=t";

    fn peer(server_name: Option<&str>) -> Peer {
        Peer {
            address: IpAddr::from([127, 0, 0, 1]),
            server_name: server_name.map(str::to_owned),
            certificate: None,
        }
    }

    #[expect(
        clippy::unwrap_in_result,
        reason = "a row that cannot be built fails the test"
    )]
    fn check(
        method: &str,
        uri: &str,
        version: Version,
        hosts: &[&str],
        server_name: Option<&str>,
    ) -> Result<(), Malformed> {
        let mut headers = HeaderMap::new();
        headers.insert(VERSION, HeaderValue::from_static("14.1"));
        for host in hosts {
            headers.append(header::HOST, HeaderValue::from_str(host).unwrap());
        }
        let head = Head {
            method: &method.parse().unwrap(),
            uri: &uri.parse().unwrap(),
            version,
            headers: &headers,
        };
        let published = ["mail.example.org".to_owned(), "127.0.0.1".to_owned()];
        head.check(&peer(server_name), &published).map(|_| ())
    }

    #[test]
    fn neighbours_of_one_ipv6_network_are_one_client() {
        for (address, expected) in [
            ("192.0.2.7", "192.0.2.7"),
            ("::ffff:192.0.2.7", "192.0.2.7"),
            ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
        ] {
            let address = network(address.parse().unwrap());
            assert_eq!(address.to_string(), expected);
        }
    }

    #[test]
    fn one_path_in_one_spelling() {
        for (path, expected) in [
            ("/Microsoft-Server-ActiveSync", Ok(())),
            ("/microsoft-server-activesync", Ok(())),
            ("/MICROSOFT-SERVER-ACTIVESYNC", Ok(())),
            ("//Microsoft-Server-ActiveSync", Err(Malformed::Path)),
            ("/./Microsoft-Server-ActiveSync", Err(Malformed::Path)),
            ("/x/../Microsoft-Server-ActiveSync", Err(Malformed::Path)),
            ("/Microsoft-Server-ActiveSync/", Err(Malformed::Path)),
            (
                "/Microsoft-Server-ActiveSync/default.eas",
                Err(Malformed::Path),
            ),
            ("/Microsoft-Server-ActiveSync;x=y", Err(Malformed::Path)),
            ("/x/..;/Microsoft-Server-ActiveSync", Err(Malformed::Path)),
            ("/Microsoft-Server-ActiveSync/..;/owa", Err(Malformed::Path)),
            ("/Microsoft-Server-ActiveSync%20", Err(Malformed::Path)),
            ("/Microsoft-Server-ActiveSync%00", Err(Malformed::Path)),
            ("/Microsoft-Server-ActiveSyn%63", Err(Malformed::Path)),
            ("/Microsoft-Server-ActiveSyn%2563", Err(Malformed::Path)),
            ("/Microsoft-Server-ActiveSyn%u0063", Err(Malformed::Path)),
            ("/Microsoft-Server-ActiveSyn%C1%A3", Err(Malformed::Path)),
            ("/%2FMicrosoft-Server-ActiveSync", Err(Malformed::Path)),
            ("/Microsoft-Server-ActiveSync/../owa", Err(Malformed::Path)),
            ("/", Err(Malformed::Path)),
            ("/owa/", Err(Malformed::Path)),
            ("/ecp/", Err(Malformed::Path)),
            ("/ews/exchange.asmx", Err(Malformed::Path)),
            ("/mapi/emsmdb", Err(Malformed::Path)),
            ("/rpc/rpcproxy.dll", Err(Malformed::Path)),
            ("/oab/", Err(Malformed::Path)),
            ("/powershell", Err(Malformed::Path)),
            ("/api/v2.0/me", Err(Malformed::Path)),
            ("/autodiscover/autodiscover.xml", Err(Malformed::Path)),
            ("/autodiscover/autodiscover.json", Err(Malformed::Path)),
        ] {
            let uri = format!("{path}{QUERY}");
            let result = check("POST", &uri, Version::HTTP_11, &["mail.example.org"], None);
            assert_eq!(result, expected, "row {path}");
        }
        let backslash = "/Microsoft-Server-ActiveSync\\x".parse::<Uri>();
        assert!(backslash.is_err() || !eas::is_path(backslash.unwrap().path()));
        let host = &["mail.example.org"];
        let fragment = format!("/Microsoft-Server-ActiveSync{QUERY}&Occurrence=1#&DeviceId=e");
        // The parser of the library cuts a fragment off; the target is written anew without it.
        assert_eq!(
            check("POST", &fragment, Version::HTTP_11, host, None),
            Ok(())
        );
    }

    #[test]
    fn only_options_and_post_are_methods_here() {
        let path = format!("/Microsoft-Server-ActiveSync{QUERY}");
        let host = &["mail.example.org"];
        for (method, uri, expected) in [
            ("POST", path.as_str(), Ok(())),
            ("OPTIONS", "/Microsoft-Server-ActiveSync", Ok(())),
            ("OPTIONS", &path, Ok(())),
            ("OPTIONS", "*", Err(Malformed::Path)),
            ("GET", &path, Err(Malformed::Method)),
            ("HEAD", &path, Err(Malformed::Method)),
            ("PUT", &path, Err(Malformed::Method)),
            ("TRACE", &path, Err(Malformed::Method)),
            ("post", &path, Err(Malformed::Method)),
            ("PROPFIND", &path, Err(Malformed::Method)),
            ("CONNECT", "mail.example.org:443", Err(Malformed::Method)),
            ("GET", "/owa", Err(Malformed::Path)),
            (
                "POST",
                "/Microsoft-Server-ActiveSync",
                Err(Malformed::Query(eas::Malformed::NoQuery)),
            ),
        ] {
            let result = check(method, uri, Version::HTTP_11, host, None);
            assert_eq!(result, expected, "row {method} {uri}");
        }
    }

    #[test]
    fn the_host_is_published_and_said_once() {
        let relative = format!("/Microsoft-Server-ActiveSync{QUERY}");
        let absolute = format!("https://mail.example.org{relative}");
        let plain = format!("http://mail.example.org{relative}");
        let other = format!("https://other.example.org{relative}");
        let (one, two) = (Version::HTTP_11, Version::HTTP_2);
        for (uri, version, hosts, name, expected) in [
            (&relative, one, &["mail.example.org"][..], None, Ok(())),
            (&relative, one, &["MAIL.example.org:8443"], None, Ok(())),
            (&relative, one, &["127.0.0.1:8443"], None, Ok(())),
            (
                &relative,
                one,
                &["mail.example.org"],
                Some("mail.example.org"),
                Ok(()),
            ),
            (&absolute, one, &["mail.example.org"], None, Ok(())),
            (&absolute, one, &["mail.example.org:443"], None, Ok(())),
            (&absolute, two, &[], None, Ok(())),
            (&absolute, two, &["mail.example.org"], None, Ok(())),
            (&relative, two, &["mail.example.org"], None, Ok(())),
            (&relative, one, &[], None, Err(Malformed::Host)),
            (&absolute, one, &[], None, Err(Malformed::Host)),
            (&relative, two, &[], None, Err(Malformed::Host)),
            (
                &relative,
                one,
                &["mail.example.org", "mail.example.org"],
                None,
                Err(Malformed::Host),
            ),
            (&relative, one, &["MAIL.example.org:8443"], None, Ok(())),
            (
                &relative,
                one,
                &["mail.example.org:"],
                None,
                Err(Malformed::Host),
            ),
            (
                &relative,
                one,
                &["mail.example.org:65536"],
                None,
                Err(Malformed::Host),
            ),
            (
                &relative,
                one,
                &["mail.example.org:+80"],
                None,
                Err(Malformed::Host),
            ),
            (
                &relative,
                one,
                &["mail.example.org:80x"],
                None,
                Err(Malformed::Host),
            ),
            (&relative, one, &[""], None, Err(Malformed::Host)),
            (
                &relative,
                one,
                &["mail.example.org:+443"],
                None,
                Err(Malformed::Host),
            ),
            (
                &relative,
                two,
                &["mail.example.org:+443"],
                None,
                Err(Malformed::Host),
            ),
            (
                &relative,
                one,
                &["mail.example.org/owa"],
                None,
                Err(Malformed::Host),
            ),
            (
                &relative,
                one,
                &["x@mail.example.org"],
                None,
                Err(Malformed::Host),
            ),
            (
                &absolute,
                one,
                &["mail.example.org:444"],
                None,
                Err(Malformed::Host),
            ),
            (
                &other,
                one,
                &["mail.example.org"],
                None,
                Err(Malformed::Host),
            ),
            (
                &other,
                two,
                &["mail.example.org"],
                None,
                Err(Malformed::Host),
            ),
            (
                &plain,
                one,
                &["mail.example.org"],
                None,
                Err(Malformed::Host),
            ),
            (
                &relative,
                one,
                &["other.example.org"],
                None,
                Err(Malformed::Misdirected),
            ),
            (
                &relative,
                one,
                &["mail.example.org."],
                None,
                Err(Malformed::Misdirected),
            ),
            (
                &relative,
                one,
                &["mail.example.org"],
                Some("other.example.org"),
                Err(Malformed::Misdirected),
            ),
            (
                &relative,
                Version::HTTP_10,
                &["mail.example.org"],
                None,
                Err(Malformed::HttpVersion),
            ),
        ] {
            let result = check("POST", uri, version, hosts, name);
            assert_eq!(result, expected, "row {uri} {version:?} {hosts:?} {name:?}");
        }
    }
}
