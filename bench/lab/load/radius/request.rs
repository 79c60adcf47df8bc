//! What a NAS writes into its requests.

use std::fs;
use std::io;

use portreeve::model::MacAddress;
use portreeve::radius::AttributeType;
use portreeve::radius::RequestBuilder;

use crate::load::unusable;

/// MAC addresses, from a file or counted up.
#[derive(Debug)]
pub(super) enum Macs {
    List(Vec<MacAddress>),
    Range { first: u64, count: u64 },
}

impl Macs {
    /// Reads `FIRST+COUNT`, or else the file of that name.
    pub(super) fn read(text: &str) -> io::Result<Self> {
        if let Some(range) = range(text) {
            return Ok(range);
        }
        let content = fs::read_to_string(text).map_err(|error| {
            io::Error::new(
                error.kind(),
                format!("{text} is neither FIRST+COUNT nor a file: {error}"),
            )
        })?;
        let mut list = Vec::new();
        for (number, line) in (1..).zip(content.lines()) {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let mac = MacAddress::parse(line.as_bytes())
                .ok_or_else(|| unusable(format!("{text}: line {number}: no MAC address")))?;
            list.push(mac);
        }
        if list.is_empty() {
            return Err(unusable(format!("{text} has no MAC address")));
        }
        Ok(Self::List(list))
    }

    /// Address number `index`, counted round and round.
    pub(super) fn get(&self, index: u64) -> MacAddress {
        let index = index % self.len();
        match self {
            Self::List(list) => {
                let mac = usize::try_from(index)
                    .ok()
                    .and_then(|index| list.get(index));
                mac.copied().unwrap_or(MacAddress::new([0; 6]))
            }
            Self::Range { first, .. } => {
                let [_, _, mac @ ..] = (first + index).to_be_bytes();
                MacAddress::new(mac)
            }
        }
    }

    fn len(&self) -> u64 {
        match self {
            Self::List(list) => u64::try_from(list.len()).unwrap_or(u64::MAX),
            Self::Range { count, .. } => *count,
        }
    }
}

fn range(text: &str) -> Option<Macs> {
    let (first, count) = text.rsplit_once('+')?;
    let [a, b, c, d, e, f] = MacAddress::parse(first.as_bytes())?.octets();
    let first = u64::from_be_bytes([0, 0, a, b, c, d, e, f]);
    let count = count.parse().ok().filter(|count| *count > 0)?;
    (first.checked_add(count)? <= 1 << 48).then_some(Macs::Range { first, count })
}

/// MAC authentication bypass as switches send it.
pub(super) fn bypass(request: &mut RequestBuilder<'_, '_>, mac: MacAddress) {
    /// Service-Type (RFC 2865 section 5.6).
    const CALL_CHECK: u32 = 10;
    /// NAS-Port-Type (RFC 2865 section 5.41).
    const ETHERNET: u32 = 15;
    let plain = plain(mac);
    request
        .octets(AttributeType::USER_NAME, &plain)
        .user_password(&plain)
        .octets(AttributeType::CALLING_STATION_ID, &station(mac))
        .integer(AttributeType::SERVICE_TYPE, CALL_CHECK)
        .integer(AttributeType::NAS_PORT_TYPE, ETHERNET)
        .octets(AttributeType::NAS_IDENTIFIER, NAS);
}

/// PAP.
pub(super) fn password(request: &mut RequestBuilder<'_, '_>, name: &str, password: &str) {
    request
        .octets(AttributeType::USER_NAME, name.as_bytes())
        .user_password(password.as_bytes())
        .octets(AttributeType::NAS_IDENTIFIER, NAS);
}

/// Status-Server.
pub(super) fn status(request: &mut RequestBuilder<'_, '_>) {
    request.octets(AttributeType::NAS_IDENTIFIER, NAS);
}

/// Start, Interim-Update and Stop of the sessions of each address in turn: the first request of
/// all, then the second, then the third, then new sessions.
pub(super) fn accounting(request: &mut RequestBuilder<'_, '_>, macs: &Macs, run: u32, number: u64) {
    /// Acct-Status-Type (RFC 2866 section 5.1): Start, Interim-Update, Stop.
    const STATUS: [u32; 3] = [1, 3, 2];
    let (mac, round) = (macs.get(number), number / macs.len());
    let status = STATUS
        .into_iter()
        .cycle()
        .nth((round % 3) as usize)
        .unwrap_or(1);
    let session = format!("{run:08x}{:08x}{}", round / 3, number % macs.len());
    request
        .integer(AttributeType::ACCT_STATUS_TYPE, status)
        .octets(AttributeType::USER_NAME, &plain(mac))
        .octets(AttributeType::CALLING_STATION_ID, &station(mac))
        .octets(AttributeType::ACCT_SESSION_ID, session.as_bytes())
        .octets(AttributeType::NAS_IDENTIFIER, NAS)
        .integer(AttributeType::NAS_PORT, 1);
}

/// Twelve small digits, as in User-Name.
fn plain(mac: MacAddress) -> [u8; 12] {
    let mut text = [0; 12];
    for (pair, octet) in text.as_chunks_mut::<2>().0.iter_mut().zip(mac.octets()) {
        *pair = [digit(octet >> 4), digit(octet & 0xf)];
    }
    text
}

/// Capitals with dashes, as in Calling-Station-Id (RFC 3580 section 3.21).
pub(in crate::load) fn station(mac: MacAddress) -> [u8; 17] {
    let mut text = [b'-'; 17];
    for (place, octet) in text.chunks_mut(3).zip(mac.octets()) {
        for (place, digit) in place
            .iter_mut()
            .zip([digit(octet >> 4), digit(octet & 0xf)])
        {
            *place = digit.to_ascii_uppercase();
        }
    }
    text
}

const fn digit(value: u8) -> u8 {
    match value {
        0..=9 => b'0' + value,
        _ => b'a' + value - 10,
    }
}

/// NAS-Identifier of everything that the generators send.
pub(in crate::load) const NAS: &[u8] = b"portreeve-lab";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_count_up_and_round() {
        let macs = Macs::read("00:00:5e:10:00:fe+3").unwrap();
        for (index, text) in [
            (0, "00:00:5e:10:00:fe"),
            (2, "00:00:5e:10:01:00"),
            (3, "00:00:5e:10:00:fe"),
        ] {
            assert_eq!(macs.get(index).to_string(), text, "row {index}");
        }
        for wrong in [
            "00:00:5e:10:00:00+0",
            "00:00:5e:10:00:00+x",
            "ff:ff:ff:ff:ff:ff+2",
            "/does/not/exist",
        ] {
            assert!(Macs::read(wrong).is_err(), "row {wrong}");
        }
    }

    #[test]
    fn addresses_are_spelt_as_nases_do() {
        let mac = MacAddress::new([0x00, 0x1b, 0x2c, 0xf0, 0x9e, 0x05]);
        assert_eq!(&plain(mac), b"001b2cf09e05");
        assert_eq!(&station(mac), b"00-1B-2C-F0-9E-05");
    }
}
