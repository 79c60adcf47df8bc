//! The PROXY protocol of HAProxy, versions 1 and 2: who is at the other end of a connection that a
//! load balancer has handed on. Read before TLS of listed balancers, written before TLS to
//! upstreams that want it.
//!
//! Strict: one that is listed has to send a header, its length is bounded, and what follows it is
//! left alone. Options of version 2 (TLVs) are skipped: nothing here depends on them.

use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::net::Ipv6Addr;
use std::net::SocketAddr;

/// Both ends of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ends {
    /// Who has opened it.
    pub from: SocketAddr,
    /// Where to.
    pub to: SocketAddr,
}

/// Which version is spoken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ProxyHeader {
    /// None.
    #[default]
    Off,
    /// One line of text.
    V1,
    /// Binary.
    V2,
}

impl ProxyHeader {
    /// The header of a connection that was opened for `ends`, in whose place we come.
    #[must_use]
    pub fn write(self, ends: &Ends) -> Vec<u8> {
        let ends = canonical(ends);
        match self {
            Self::Off => Vec::new(),
            Self::V1 => {
                let (from, to) = (ends.from, ends.to);
                let family = if from.is_ipv4() { "TCP4" } else { "TCP6" };
                let (source, destination) = (from.ip(), to.ip());
                let (from, to) = (from.port(), to.port());
                format!("PROXY {family} {source} {destination} {from} {to}\r\n").into_bytes()
            }
            Self::V2 => {
                let mut header = SIGNATURE.to_vec();
                // Version 2, command PROXY.
                header.push(0x21);
                match (ends.from.ip(), ends.to.ip()) {
                    (IpAddr::V4(from), IpAddr::V4(to)) => {
                        header.extend([0x11, 0, 12]);
                        header.extend(from.octets());
                        header.extend(to.octets());
                    }
                    (from, to) => {
                        header.extend([0x21, 0, 36]);
                        header.extend(mapped(from).octets());
                        header.extend(mapped(to).octets());
                    }
                }
                header.extend(ends.from.port().to_be_bytes());
                header.extend(ends.to.port().to_be_bytes());
                header
            }
        }
    }
}

/// Addresses of one family, IPv4 where both are.
fn canonical(ends: &Ends) -> Ends {
    let canonical = |end: SocketAddr| SocketAddr::new(end.ip().to_canonical(), end.port());
    let (from, to) = (canonical(ends.from), canonical(ends.to));
    if from.is_ipv4() == to.is_ipv4() {
        return Ends { from, to };
    }
    let six = |end: SocketAddr| SocketAddr::new(mapped(end.ip()).into(), end.port());
    Ends {
        from: six(from),
        to: six(to),
    }
}

fn mapped(address: IpAddr) -> Ipv6Addr {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped(),
        IpAddr::V6(address) => address,
    }
}

/// A header that was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Read {
    /// How long it is; what follows is the connection's.
    pub length: usize,
    /// Whose connection it is; `None` of one that the balancer has opened itself, a health check, or
    /// of which it says nothing: LOCAL and UNKNOWN (proxy-protocol.txt, 2.1 and 2.2). It is to be served
    /// with its real addresses.
    pub ends: Option<Ends>,
}

/// Why there is no header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoHeader {
    /// It may become one.
    #[error("the header is not there yet")]
    Short,
    /// It is none, and never will be.
    #[error("this is no header of the PROXY protocol")]
    Bad,
}

/// Reads the header at the front of `octets`, which holds at most [`MAX_LENGTH`] octets of it.
///
/// # Errors
///
/// When there is none, or not yet.
pub fn read(octets: &[u8]) -> Result<Read, NoHeader> {
    let begins = |with: &[u8]| {
        let length = octets.len().min(with.len());
        octets.get(..length) == with.get(..length)
    };
    if begins(&SIGNATURE) {
        return read_binary(octets);
    }
    if begins(b"PROXY ") {
        return read_line(octets);
    }
    Err(NoHeader::Bad)
}

fn read_binary(octets: &[u8]) -> Result<Read, NoHeader> {
    let head = octets.get(12..16).ok_or(NoHeader::Short)?;
    let &[command, family, high, low] = head else {
        return Err(NoHeader::Bad);
    };
    let length = usize::from(u16::from_be_bytes([high, low]));
    if length > MAX_LENGTH - 16 {
        return Err(NoHeader::Bad);
    }
    if !matches!(command, 0x20 | 0x21) {
        return Err(NoHeader::Bad);
    }
    let body = octets.get(16..16 + length).ok_or(NoHeader::Short)?;
    let length = 16 + length;
    if command == 0x20 {
        return Ok(Read { length, ends: None });
    }
    let ends = match family {
        0x11 => {
            let body: &[u8; 12] = body.first_chunk().ok_or(NoHeader::Bad)?;
            let &[a, b, c, d, e, f, g, h, i, j, k, l] = body;
            Ends {
                from: ([a, b, c, d], u16::from_be_bytes([i, j])).into(),
                to: ([e, f, g, h], u16::from_be_bytes([k, l])).into(),
            }
        }
        0x21 => {
            let address = |at: usize| -> Result<Ipv6Addr, NoHeader> {
                let octets = body.get(at..).and_then(<[u8]>::first_chunk::<16>);
                Ok(Ipv6Addr::from(*octets.ok_or(NoHeader::Bad)?))
            };
            let port = |at: usize| -> Result<u16, NoHeader> {
                let octets = body.get(at..).and_then(<[u8]>::first_chunk::<2>);
                Ok(u16::from_be_bytes(*octets.ok_or(NoHeader::Bad)?))
            };
            Ends {
                from: (address(0)?, port(32)?).into(),
                to: (address(16)?, port(34)?).into(),
            }
        }
        // UNSPEC, datagrams, local sockets: nobody whom a policy or a limit could be about.
        _ => return Err(NoHeader::Bad),
    };
    Ok(Read {
        length,
        ends: Some(ends),
    })
}

fn read_line(octets: &[u8]) -> Result<Read, NoHeader> {
    let line = octets.get(..octets.len().min(MAX_LINE)).unwrap_or_default();
    let Some(end) = line.windows(2).position(|pair| pair == b"\r\n") else {
        let is_full = octets.len() >= MAX_LINE;
        return Err(if is_full {
            NoHeader::Bad
        } else {
            NoHeader::Short
        });
    };
    let line = line.get(..end).unwrap_or_default();
    let line = std::str::from_utf8(line).map_err(|_| NoHeader::Bad)?;
    let words: Vec<&str> = line.split(' ').collect();
    // What stands behind it is to be ignored (section 2.1).
    if let ["PROXY", "UNKNOWN", ..] = words.as_slice() {
        return Ok(Read {
            length: end + 2,
            ends: None,
        });
    }
    let &["PROXY", family, from, to, from_port, to_port] = words.as_slice() else {
        return Err(NoHeader::Bad);
    };
    let (from, to): (IpAddr, IpAddr) = match family {
        "TCP4" => {
            let address = |text: &str| text.parse::<Ipv4Addr>().map(IpAddr::V4);
            (
                address(from).map_err(|_| NoHeader::Bad)?,
                address(to).map_err(|_| NoHeader::Bad)?,
            )
        }
        "TCP6" => {
            let address = |text: &str| text.parse::<Ipv6Addr>().map(IpAddr::V6);
            (
                address(from).map_err(|_| NoHeader::Bad)?,
                address(to).map_err(|_| NoHeader::Bad)?,
            )
        }
        _ => return Err(NoHeader::Bad),
    };
    Ok(Read {
        length: end + 2,
        ends: Some(Ends {
            from: SocketAddr::new(from, port(from_port)?),
            to: SocketAddr::new(to, port(to_port)?),
        }),
    })
}

/// Digits, and no more of them than needed.
fn port(text: &str) -> Result<u16, NoHeader> {
    let are_digits = !text.is_empty() && text.bytes().all(|octet| octet.is_ascii_digit());
    let is_padded = text.len() > 1 && text.starts_with('0');
    if !are_digits || is_padded {
        return Err(NoHeader::Bad);
    }
    text.parse().map_err(|_| NoHeader::Bad)
}

/// Octets of a header; those of balancers have 28 to 52, and some hundred with their options.
pub const MAX_LENGTH: usize = 1024;

/// Octets of a line of version 1, by its description.
const MAX_LINE: usize = 107;

/// What every header of version 2 begins with.
const SIGNATURE: [u8; 12] = *b"\r\n\r\n\0\r\nQUIT\n";

#[cfg(test)]
mod tests {
    use super::*;

    fn ends(from: &str, to: &str) -> Ends {
        Ends {
            from: from.parse().unwrap(),
            to: to.parse().unwrap(),
        }
    }

    #[test]
    fn what_is_written_is_read() {
        for (from, to) in [
            ("192.0.2.7:40000", "198.51.100.1:443"),
            ("[2001:db8::7]:40000", "[2001:db8::1]:443"),
        ] {
            let ends = ends(from, to);
            for version in [ProxyHeader::V1, ProxyHeader::V2] {
                let mut octets = version.write(&ends);
                let length = octets.len();
                octets.extend(b"\x16\x03\x01");
                let read = read(&octets);
                let expected = Read {
                    length,
                    ends: Some(ends),
                };
                assert_eq!(read, Ok(expected), "row {from} {version:?}");
                for short in 0..length {
                    let read = super::read(&octets[..short]);
                    assert_eq!(read, Err(NoHeader::Short), "row {from} {version:?} {short}");
                }
            }
        }
        let mixed = ends("[::ffff:192.0.2.7]:1", "[2001:db8::1]:443");
        for version in [ProxyHeader::V1, ProxyHeader::V2] {
            let read = read(&version.write(&mixed)).unwrap();
            assert_eq!(read.ends, Some(mixed), "row {version:?}");
        }
        assert!(ProxyHeader::Off.write(&mixed).is_empty());
    }

    #[test]
    fn what_is_no_header_is_none() {
        let two = |rest: &[u8]| [&SIGNATURE[..], rest].concat();
        for (row, octets) in [
            ("TLS", b"\x16\x03\x01\x02\x00".to_vec()),
            ("HTTP", b"POST / HTTP/1.1\r\n".to_vec()),
            ("unknown of none", b"PROXY UNKNOWNS\r\n".to_vec()),
            (
                "word missing",
                b"PROXY TCP4 192.0.2.7 192.0.2.1 1\r\n".to_vec(),
            ),
            (
                "word too many",
                b"PROXY TCP4 192.0.2.7 192.0.2.1 1 2 3\r\n".to_vec(),
            ),
            ("other family", b"PROXY TCP4 ::1 ::1 1 2\r\n".to_vec()),
            (
                "padded port",
                b"PROXY TCP4 192.0.2.7 192.0.2.1 01 2\r\n".to_vec(),
            ),
            (
                "signed port",
                b"PROXY TCP4 192.0.2.7 192.0.2.1 +1 2\r\n".to_vec(),
            ),
            (
                "large port",
                b"PROXY TCP4 192.0.2.7 192.0.2.1 65536 2\r\n".to_vec(),
            ),
            ("endless", [&b"PROXY TCP4 "[..], &[b'1'; 107]].concat()),
            (
                "version 3",
                two(&[0x31, 0x11, 0, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
            ),
            (
                "datagram",
                two(&[0x21, 0x12, 0, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
            ),
            ("unspecified", two(&[0x21, 0x00, 0, 0])),
            (
                "cut addresses",
                two(&[0x21, 0x11, 0, 11, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
            ),
            ("too long", two(&[0x21, 0x11, 0xff, 0xff])),
        ] {
            assert_eq!(read(&octets), Err(NoHeader::Bad), "row {row}");
        }
        for (octets, length) in [
            (two(&[0x20, 0x00, 0, 0]), 16),
            (
                two(&[
                    0x20, 0x11, 0, 12, 1, 2, 3, 4, 5, 6, 7, 8, 0, 1, 0, 2, 0x16, 3, 1,
                ]),
                28,
            ),
            (b"PROXY UNKNOWN\r\n\x16\x03\x01".to_vec(), 15),
            (b"PROXY UNKNOWN ::1 ::2 1 2\r\n".to_vec(), 27),
        ] {
            let expected = Read { length, ends: None };
            assert_eq!(read(&octets), Ok(expected), "a balancer's own check");
        }
    }
}
