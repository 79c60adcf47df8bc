//! What the mail server is told of the client: the forwarding headers.

use std::net::IpAddr;

use http::HeaderMap;
use http::HeaderValue;
use http::header;

use super::head::Head;
use super::head::Peer;
use super::header::FORWARDED_FOR;
use super::header::FORWARDED_HOST;
use super::header::FORWARDED_PROTO;

/// The forwarding headers are ours: what the client sent under these names has not passed.
pub(super) fn set_forwarded(headers: &mut HeaderMap, peer: &Peer, head: &Head<'_>) {
    if let Ok(address) = HeaderValue::from_bytes(Written::new(peer.address).as_bytes()) {
        headers.insert(FORWARDED_FOR, address);
    }
    headers.insert(FORWARDED_PROTO, HeaderValue::from_static("https"));
    let host = head.headers.get(header::HOST).cloned();
    let authority = head.uri.authority();
    let host = host.or_else(|| HeaderValue::from_str(authority?.as_str()).ok());
    if let Some(host) = host {
        headers.insert(FORWARDED_HOST, host);
    }
}

/// An address as text, without memory of its own: it goes on every request.
pub(super) struct Written {
    octets: [u8; 39],
    length: usize,
}

impl Written {
    pub(super) fn new(address: IpAddr) -> Self {
        let mut written = Self {
            octets: [0; 39],
            length: 0,
        };
        match address.to_canonical() {
            IpAddr::V4(address) => {
                for (number, octet) in address.octets().into_iter().enumerate() {
                    if number > 0 {
                        written.push(b'.');
                    }
                    for place in [100, 10, 1] {
                        if octet >= place || place == 1 {
                            written.push(b'0' + octet / place % 10);
                        }
                    }
                }
            }
            // The longest has 39 characters.
            address @ IpAddr::V6(_) => {
                use std::io::Write;
                let mut rest = &mut written.octets[..];
                let _fits = write!(rest, "{address}");
                let left = rest.len();
                written.length = written.octets.len() - left;
            }
        }
        written
    }

    fn push(&mut self, octet: u8) {
        if let Some(place) = self.octets.get_mut(self.length) {
            *place = octet;
            self.length += 1;
        }
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        self.octets.get(..self.length).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_written_as_everywhere() {
        for text in [
            "0.0.0.0",
            "127.0.0.1",
            "192.0.2.7",
            "10.20.100.255",
            "::1",
            "2001:db8::1:0:0:1",
            "2001:db8:1111:2222:3333:4444:5555:6666",
            "::ffff:192.0.2.7",
        ] {
            let address: IpAddr = text.parse().unwrap();
            let expected = address.to_canonical().to_string();
            assert_eq!(Written::new(address).as_bytes(), expected.as_bytes());
        }
    }
}
