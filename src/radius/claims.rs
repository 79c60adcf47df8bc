//! What VPN gateways pass on of what their clients say of the device: claims, all of them.
//!
//! Cisco's ASA and Secure Firewall send the identity extensions of AnyConnect and Secure Client as
//! pairs of words, `mdm-tlv=device-mac=00-11-22-aa-bb-cc`; Palo Alto's GlobalProtect has numbers of
//! its own for the client's system, host name and version, which the firewall sends when it is told
//! to. A client can say whatever it likes.
#![warn(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

use crate::model::MacAddress;
use crate::radius::attribute::VendorId;
use crate::radius::packet::Packet;

/// What was said of a device, as far as it can be used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DeviceClaims<'a> {
    macs: [Option<MacAddress>; MAX_MACS],
    /// `device-uid`, or `device-uid-global` where there is no other: a serial number, a GUID or a
    /// hash, by platform. 1 to 64 octets.
    pub uid: Option<&'a str>,
    /// `device-platform` (`win`, `mac-intel`, `linux-64`, `apple-ios`, `android`), or GlobalProtect's
    /// client OS (`Windows`, `Mac`). 1 to 64 octets.
    pub platform: Option<&'a str>,
    /// `device-platform-version`: 1 to 64 octets.
    pub platform_version: Option<&'a str>,
    /// GlobalProtect's client host name: 1 to 64 octets.
    pub hostname: Option<&'a str>,
    /// The VPN client and its version: `ac-user-agent`, or GlobalProtect's client version. 1 to 64
    /// octets.
    pub client: Option<&'a str>,
}

impl DeviceClaims<'_> {
    /// Network cards that are looked at; a laptop has two or three.
    pub const MAX_MACS: usize = MAX_MACS;

    /// MAC addresses of the device's network cards, each once, the first four.
    pub fn macs(&self) -> impl Iterator<Item = MacAddress> {
        self.macs.iter().copied().flatten()
    }

    fn add_mac(&mut self, text: &str) {
        let Some(mac) = MacAddress::parse(text.as_bytes()) else {
            return;
        };
        if self.macs.contains(&Some(mac)) {
            return;
        }
        if let Some(place) = self.macs.iter_mut().find(|place| place.is_none()) {
            *place = Some(mac);
        }
    }
}

impl<'a> Packet<'a> {
    /// What a VPN gateway passes on of the device; nothing of it is proof.
    #[must_use]
    pub fn device_claims(&self) -> DeviceClaims<'a> {
        let mut claims = DeviceClaims::default();
        let mut global_uid = None;
        for specific in self.vendor_specific() {
            for (number, value) in specific.attributes() {
                match (specific.vendor, number) {
                    (VendorId::CISCO, CISCO_AV_PAIR) => {
                        pair(value, &mut claims, &mut global_uid);
                    }
                    (VendorId::PALO_ALTO, CLIENT_OS) => keep(&mut claims.platform, value),
                    (VendorId::PALO_ALTO, CLIENT_HOSTNAME) => keep(&mut claims.hostname, value),
                    (VendorId::PALO_ALTO, CLIENT_VERSION) => keep(&mut claims.client, value),
                    _ => {}
                }
            }
        }
        claims.uid = claims.uid.or(global_uid);
        claims
    }
}

/// One of Cisco's pairs.
fn pair<'a>(value: &'a [u8], claims: &mut DeviceClaims<'a>, global_uid: &mut Option<&'a str>) {
    let Some(pair) = value.strip_prefix(MDM_TLV) else {
        return;
    };
    let Some(equals) = pair.iter().position(|octet| *octet == b'=') else {
        return;
    };
    let (key, value) = pair.split_at(equals);
    let value = value.get(1..).unwrap_or_default();
    match key {
        b"device-mac" | b"device-public-mac" => {
            if let Some(text) = usable(value) {
                claims.add_mac(text);
            }
        }
        b"device-uid" => keep(&mut claims.uid, value),
        b"device-uid-global" => keep(global_uid, value),
        b"device-platform" => keep(&mut claims.platform, value),
        b"device-platform-version" => keep(&mut claims.platform_version, value),
        b"ac-user-agent" => keep(&mut claims.client, value),
        _ => {}
    }
}

/// The first that is said counts.
fn keep<'a>(slot: &mut Option<&'a str>, value: &'a [u8]) {
    if slot.is_none() {
        *slot = usable(value);
    }
}

/// Printable text of up to 64 octets, the most that Cisco's guide gives these strings.
fn usable(value: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(value).ok()?.trim();
    let sound = !text.is_empty() && text.len() <= MAX_CLAIM && !text.chars().any(char::is_control);
    sound.then_some(text)
}

const MDM_TLV: &[u8] = b"mdm-tlv=";

const CISCO_AV_PAIR: u8 = 1;
/// PaloAlto-Client-OS, PaloAlto-Client-Hostname, PaloAlto-GlobalProtect-Client-Version.
const CLIENT_OS: u8 = 8;
const CLIENT_HOSTNAME: u8 = 9;
const CLIENT_VERSION: u8 = 10;

const MAX_CLAIM: usize = 64;

const MAX_MACS: usize = 4;

#[cfg(test)]
#[expect(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "lengths of packets that the test makes"
)]
mod tests {
    use super::*;

    /// An Access-Request with these attributes of vendors.
    fn packet(attributes: &[(u32, u8, &[u8])]) -> Vec<u8> {
        let mut octets = vec![1, 7, 0, 0];
        octets.resize(20, 0);
        for (vendor, number, value) in attributes {
            let inner = u8::try_from(value.len() + 2).unwrap();
            octets.extend_from_slice(&[26, inner + 6]);
            octets.extend_from_slice(&vendor.to_be_bytes());
            octets.extend_from_slice(&[*number, inner]);
            octets.extend_from_slice(value);
        }
        let length = u16::try_from(octets.len()).unwrap().to_be_bytes();
        octets[2..4].copy_from_slice(&length);
        octets
    }

    #[test]
    fn what_anyconnect_says_is_read() {
        let octets = packet(&[
            (9, 1, b"mdm-tlv=device-platform=win"),
            (9, 1, b"mdm-tlv=device-mac=00-11-22-aa-bb-cc"),
            (9, 1, b"audit-session-id=0a4012b20a59a0005f99afba"),
            (9, 1, b"mdm-tlv=device-platform-version=10.0.19041 "),
            (9, 1, b"mdm-tlv=device-public-mac=00-11-22-aa-bb-cc"),
            (9, 1, b"mdm-tlv=device-mac=00-11-22-aa-bb-dd"),
            (9, 1, b"mdm-tlv=ac-user-agent=AnyConnect Windows 4.10.05085"),
            (9, 1, b"mdm-tlv=device-uid-global=3F7A"),
            (9, 1, b"mdm-tlv=device-uid=C02XL0GTJGH5"),
        ]);
        let claims = Packet::new_checked(&octets).unwrap().device_claims();
        let macs: Vec<_> = claims.macs().map(|mac| mac.to_string()).collect();
        assert_eq!(macs, ["00:11:22:aa:bb:cc", "00:11:22:aa:bb:dd"]);
        assert_eq!(claims.uid, Some("C02XL0GTJGH5"));
        assert_eq!(claims.platform, Some("win"));
        assert_eq!(claims.platform_version, Some("10.0.19041"));
        assert_eq!(claims.client, Some("AnyConnect Windows 4.10.05085"));
        assert_eq!(claims.hostname, None);
    }

    #[test]
    fn what_globalprotect_says_is_read() {
        let octets = packet(&[
            (25461, 7, b"198.51.100.7"),
            (25461, 8, b"Windows"),
            (25461, 9, b"LAPTOP-7"),
            (25461, 10, b"6.2.1-132"),
        ]);
        let claims = Packet::new_checked(&octets).unwrap().device_claims();
        assert_eq!(claims.platform, Some("Windows"));
        assert_eq!(claims.hostname, Some("LAPTOP-7"));
        assert_eq!(claims.client, Some("6.2.1-132"));
        assert_eq!((claims.uid, claims.macs().count()), (None, 0));
    }

    #[test]
    fn what_cannot_be_used_is_as_if_unsaid() {
        let long = [&b"mdm-tlv=device-uid="[..], &[b'x'; 65]].concat();
        let rows: [&[u8]; 8] = [
            b"",
            b"mdm-tlv=",
            b"mdm-tlv=device-uid",
            b"mdm-tlv=device-uid=",
            b"mdm-tlv=device-uid=a\x07b",
            b"mdm-tlv=device-uid=\xff",
            b"mdm-tlv=device-mac=00-11-22-aa-bb",
            &long,
        ];
        for value in rows {
            let octets = packet(&[(9, 1, value)]);
            let claims = Packet::new_checked(&octets).unwrap().device_claims();
            assert_eq!(claims, DeviceClaims::default(), "row {value:?}");
        }
        let many: Vec<String> = (0..9)
            .map(|n| format!("mdm-tlv=device-mac=00112200000{n}"))
            .collect();
        let many: Vec<_> = many.iter().map(|pair| (9, 1, pair.as_bytes())).collect();
        let octets = packet(&many);
        let claims = Packet::new_checked(&octets).unwrap().device_claims();
        assert_eq!(claims.macs().count(), DeviceClaims::MAX_MACS);
    }
}
