//! The made-up world of the generators: device `n` has the same id, addresses and owner in the
//! inventory, in its certificate and in the requests that speak of it.

use portreeve::model::DeviceId;
use portreeve::model::MacAddress;

/// The GUID of a device. The first group says what it is; no management system makes such ids.
pub(crate) const fn device_id(n: u32) -> DeviceId {
    let n = n as u128;
    DeviceId::from_u128(0x10ad_0000_0000_4000_8000_0000_0000_0000 | n)
}

/// The MAC address of a device, in the block that belongs to IANA: no card has it.
pub(crate) const fn mac(n: u32) -> MacAddress {
    let [_, a, b, c] = (FIRST_MAC + n).to_be_bytes();
    MacAddress::new([0x00, 0x00, 0x5e, a, b, c])
}

/// The principal name of a user.
pub(crate) fn user(n: u32) -> String {
    format!("load{n}@example.com")
}

/// The password of a user.
pub(crate) fn password(n: u32) -> String {
    format!("password{n}")
}

/// The ActiveSync DeviceId of a device.
pub(crate) fn eas_id(n: u32) -> String {
    format!("load{n}")
}

/// The most devices that fit in the block of addresses.
pub(crate) const MAX_DEVICES: u32 = 0x50_0000;

/// Behind 00:00:5e:00 and :01, which RFC 9542 uses, and before the multicast half.
const FIRST_MAC: u32 = 0x10_0000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_device_has_an_address_that_identifies_it() {
        for (n, text) in [
            (0, "00:00:5e:10:00:00"),
            (0xff, "00:00:5e:10:00:ff"),
            (MAX_DEVICES - 1, "00:00:5e:5f:ff:ff"),
        ] {
            assert_eq!(mac(n).to_string(), text, "row {n}");
            assert!(mac(n).is_identity(), "row {n}");
        }
        assert_eq!(
            device_id(1_000_000).to_string(),
            "10ad0000-0000-4000-8000-0000000f4240"
        );
    }
}
