//! What stands before and beside ActiveSync: PROXY headers and Autodiscover's XML. Never a panic, and
//! what is written again says the same.

use portreeve::mail::Discovered;
use portreeve::mail::read_answer;
use portreeve::mail::read_request;
use portreeve::net::proxy_header::MAX_LENGTH;
use portreeve::net::proxy_header::ProxyHeader;
use portreeve::net::proxy_header::read;

/// Reads `octets` as each of them.
pub fn drive(octets: &[u8]) {
    if let Ok(header) = read(octets) {
        assert!(header.length <= octets.len() && header.length <= MAX_LENGTH);
        if let Some(ends) = header.ends {
            for version in [ProxyHeader::V1, ProxyHeader::V2] {
                let written = version.write(&ends);
                let again = read(&written).map(|read| (read.length, read.ends.is_some()));
                assert_eq!(again, Ok((written.len(), true)));
            }
        }
    }
    if let Ok(address) = read_request(octets) {
        assert!(address.len() <= 320 && !address.contains(char::is_control));
    }
    if let Ok(Discovered::Elsewhere(place)) = read_answer(octets) {
        assert!(!place.contains(char::is_control));
    }
}
