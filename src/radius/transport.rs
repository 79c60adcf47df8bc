//! What differs between the transports of RADIUS: UDP (RFC 2865) and TLS over TCP (RFC 6613, 6614).
//!
//! A stream has no boundaries but the Length of each packet. Where that is wrong nothing behind it
//! can be found, so the connection is closed (RFC 6613 section 2.6.4).
//!
//! RADIUS over DTLS (RFC 7360) is the third transport that would stand here: datagrams as over UDP,
//! and the peer, the secret and the ports as over TLS. It is left out because rustls has no DTLS, and
//! the sans-IO DTLS for the same cryptography (`dimpl`) is made for WebRTC: no RSA, no verified chains.
//! The door is open: [`Transport`] gets a third case; towards NASes a DTLS session would be a link of
//! `net::streams` with [`next_packet`] left out; towards home servers it would be a third `Via` of
//! `network::proxy`, whose places are those of a connection and whose repetitions are those of UDP.
//!
//! Pre-shared keys (RFC 9813) would be one more way to know the peer, in `net::tls` and
//! `net::home`; rustls has none.
#![warn(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

use crate::radius::packet::HEADER;
use crate::radius::packet::MAX_PACKET;

/// How a network device and this side reach each other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Transport {
    /// Datagrams, protected by the shared secret alone.
    #[default]
    Udp,
    /// A TLS connection that the device opens, whose certificate tells who it is.
    Tls,
}

/// The shared secret inside TLS (RFC 6614 section 2.3): it protects nothing, TLS does.
pub const RADSEC_SECRET: &[u8] = b"radsec";

/// A stream that holds no packet where one should begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a packet of {length} octets is announced, 20 to 4096 are possible")]
pub struct Broken {
    /// The Length field.
    pub length: u16,
}

/// The octets of the packet that `octets` begin with, by its Length; `None` while some are missing.
/// Nothing but the length is looked at.
///
/// # Errors
///
/// When the Length is none that a packet can have (RFC 2865 section 3).
pub fn next_packet(octets: &[u8]) -> Result<Option<&[u8]>, Broken> {
    let Some(&[_, _, high, low]) = octets.first_chunk::<4>() else {
        return Ok(None);
    };
    let length = u16::from_be_bytes([high, low]);
    if !(HEADER..=MAX_PACKET).contains(&usize::from(length)) {
        return Err(Broken { length });
    }
    Ok(octets.get(..usize::from(length)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_is_cut_by_the_length_of_each_packet_rfc6613_2_6_4() {
        for (length, found) in [
            (0, Err(Broken { length: 0 })),
            (19, Err(Broken { length: 19 })),
            (20, Ok(Some(20))),
            (21, Ok(Some(21))),
            (4096, Ok(Some(4096))),
            (4097, Err(Broken { length: 4097 })),
            (u16::MAX, Err(Broken { length: u16::MAX })),
        ] {
            let mut stream = [[0, 0], length.to_be_bytes()].concat();
            stream.resize(70_000, 0);
            let cut = next_packet(&stream).map(|packet| packet.map(<[u8]>::len));
            assert_eq!(cut, found, "row {length}");
        }
    }

    #[test]
    fn a_packet_that_is_not_all_there_is_waited_for() {
        let packet = [[1, 1, 0, 21].as_slice(), &[0; 17]].concat();
        for octets in 0..21 {
            let part: Vec<u8> = packet.iter().take(octets).copied().collect();
            assert_eq!(next_packet(&part), Ok(None), "row {octets}");
        }
        assert_eq!(next_packet(&packet), Ok(Some(&packet[..])));
    }
}
