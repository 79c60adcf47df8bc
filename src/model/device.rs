//! Identifiers and plain properties of devices, each with one canonical spelling.

use std::fmt;
use std::str::FromStr;

use uuid::Uuid;

use super::hex::hex;

/// The gateway's name for a device: Intune's device id where there is one.
///
/// Sources without GUIDs derive one from their own identifier with [`DeviceId::derived`], so a
/// device keeps its id across restarts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DeviceId(Uuid);

impl DeviceId {
    /// From the 128 bits of a GUID.
    #[must_use]
    pub const fn from_u128(bits: u128) -> Self {
        Self(Uuid::from_u128(bits))
    }

    /// The 128 bits of the GUID.
    #[must_use]
    pub const fn as_u128(self) -> u128 {
        self.0.as_u128()
    }

    /// A stable id (UUID version 5) for a device that `source` knows by `identifier` only.
    #[must_use]
    pub fn derived(source: &str, identifier: &str) -> Self {
        let name = format!("{source}\u{0}{identifier}");
        Self(Uuid::new_v5(&DERIVED_NAMESPACE, name.as_bytes()))
    }
}

/// Takes the forms found in certificates and exports: with or without braces, hyphens, any case.
impl FromStr for DeviceId {
    type Err = ParseIdentifierError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        parse_guid(text).map(Self).ok_or(ParseIdentifierError::Guid)
    }
}

/// Lower case with hyphens.
impl fmt::Display for DeviceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.hyphenated().fmt(f)
    }
}

/// Entra's device id (`device.deviceId`, `managedDevice.azureADDeviceId`); not its object id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EntraDeviceId(Uuid);

impl EntraDeviceId {
    /// From the 128 bits of a GUID.
    #[must_use]
    pub const fn from_u128(bits: u128) -> Self {
        Self(Uuid::from_u128(bits))
    }

    /// The 128 bits of the GUID.
    #[must_use]
    pub const fn as_u128(self) -> u128 {
        self.0.as_u128()
    }

    /// Whether this is the all-zero GUID that Intune sends for an unregistered device.
    #[must_use]
    pub const fn is_nil(self) -> bool {
        self.0.is_nil()
    }
}

impl FromStr for EntraDeviceId {
    type Err = ParseIdentifierError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        parse_guid(text).map(Self).ok_or(ParseIdentifierError::Guid)
    }
}

impl fmt::Display for EntraDeviceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.hyphenated().fmt(f)
    }
}

/// A 48-bit MAC address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MacAddress([u8; 6]);

impl MacAddress {
    /// From its six octets in transmission order.
    #[must_use]
    pub const fn new(octets: [u8; 6]) -> Self {
        Self(octets)
    }

    /// The six octets.
    #[must_use]
    pub const fn octets(self) -> [u8; 6] {
        self.0
    }

    /// Whether it can identify a device: universally administered, unicast and not zero.
    ///
    /// A locally administered address (second hexadecimal digit 2, 6, A or E) is made up by the
    /// device, changes at will, and is never an identity.
    #[must_use]
    pub fn is_identity(self) -> bool {
        let [first, ..] = self.0;
        let local_or_group = first & 0b11 != 0;
        !local_or_group && self.0 != [0; 6]
    }

    /// What [`fmt::Display`] prints.
    #[must_use]
    pub const fn spelled(self) -> [u8; 17] {
        let [a, b, c, d, e, f] = self.0;
        let [i, j, k, l, m, n, o, p] = hex(u32::from_be_bytes([a, b, c, d]));
        let [.., q, r, s, t] = hex(u32::from_be_bytes([0, 0, e, f]));
        [
            i, j, b':', k, l, b':', m, n, b':', o, p, b':', q, r, b':', s, t,
        ]
    }

    /// Reads an address from octets as NASes send it, without allocating; see [`FromStr`].
    #[must_use]
    pub fn parse(text: &[u8]) -> Option<Self> {
        let mut number = 0_u64;
        let mut digits = 0_u32;
        for &character in text.trim_ascii() {
            match MEANING[usize::from(character)] {
                digit @ 0..16 => {
                    number = number << 4 | u64::from(digit);
                    digits += 1;
                    if digits > 12 {
                        return None;
                    }
                }
                // It stands after an even count of digits, never first or last.
                SEPARATOR if digits > 0 && digits < 12 && digits.is_multiple_of(2) => {}
                _ => return None,
            }
        }
        let [_, _, octets @ ..] = number.to_be_bytes();
        (digits == 12).then_some(Self(octets))
    }
}

/// What a character means in an address: a digit's value, [`SEPARATOR`], or nothing.
static MEANING: [u8; 256] = {
    let mut meaning = [u8::MAX; 256];
    let mut value: u8 = 0;
    while value < 16 {
        meaning[b"0123456789abcdef"[value as usize] as usize] = value;
        meaning[b"0123456789ABCDEF"[value as usize] as usize] = value;
        value += 1;
    }
    meaning[b':' as usize] = SEPARATOR;
    meaning[b'-' as usize] = SEPARATOR;
    meaning[b'.' as usize] = SEPARATOR;
    meaning
};

const SEPARATOR: u8 = 16;

/// Takes every separator NASes send: `:`, `-`, `.` in any grouping, or none; any case.
impl FromStr for MacAddress {
    type Err = ParseIdentifierError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text.as_bytes()).ok_or(ParseIdentifierError::MacAddress)
    }
}

/// Lower case with colons: `00:11:22:aa:bb:cc`.
impl fmt::Display for MacAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Digits and colons are ASCII.
        f.write_str(std::str::from_utf8(&self.spelled()).unwrap_or_default())
    }
}

/// The DeviceId of Exchange ActiveSync: 1 to 32 letters and digits, compared without case
/// (MS-ASHTTP 2.2.1.1.1.2.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EasDeviceId {
    octets: [u8; Self::MAX],
    length: u8,
}

impl EasDeviceId {
    /// The longest DeviceId the protocol allows.
    pub const MAX: usize = 32;

    /// Reads a DeviceId; letters are folded to lower case.
    #[must_use]
    pub fn parse(text: &[u8]) -> Option<Self> {
        let length = u8::try_from(text.len()).ok()?;
        if text.is_empty() || !text.iter().all(u8::is_ascii_alphanumeric) {
            return None;
        }
        let mut octets = [0; Self::MAX];
        octets.get_mut(..text.len())?.copy_from_slice(text);
        octets.make_ascii_lowercase();
        Some(Self { octets, length })
    }

    /// The folded letters and digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        let used = self.octets.get(..usize::from(self.length)).unwrap_or(&[]);
        // Only ASCII is ever stored.
        std::str::from_utf8(used).unwrap_or("")
    }
}

impl FromStr for EasDeviceId {
    type Err = ParseIdentifierError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text.as_bytes()).ok_or(ParseIdentifierError::EasDeviceId)
    }
}

impl fmt::Display for EasDeviceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A manufacturer's serial number: 1 to 64 printable ASCII characters, upper case, trimmed.
///
/// Placeholders that firmware ships with ("To be filled by O.E.M.", all zeros) are refused: they
/// would make one device of thousands.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SerialNumber(Box<str>);

impl SerialNumber {
    /// The canonical text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for SerialNumber {
    type Err = ParseIdentifierError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        let printable = text.bytes().all(|octet| (0x20..0x7f).contains(&octet));
        let one_character = text.bytes().all(|octet| Some(octet) == text.bytes().next());
        let placeholder = PLACEHOLDER_SERIALS
            .iter()
            .any(|placeholder| text.eq_ignore_ascii_case(placeholder));
        if text.is_empty() || text.len() > 64 || !printable || one_character || placeholder {
            return Err(ParseIdentifierError::SerialNumber);
        }
        Ok(Self(text.to_ascii_uppercase().into_boxed_str()))
    }
}

impl fmt::Display for SerialNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Text that is not the identifier it was given as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseIdentifierError {
    /// Not a GUID.
    #[error("expected a GUID such as 0f8fad5b-d9cb-469f-a165-70867728950e")]
    Guid,
    /// Not twelve hexadecimal digits.
    #[error("expected a MAC address of twelve hexadecimal digits such as 00:11:22:aa:bb:cc")]
    MacAddress,
    /// Not 1 to 32 letters and digits.
    #[error("expected an ActiveSync DeviceId of 1 to 32 letters and digits")]
    EasDeviceId,
    /// Empty, too long, unprintable or a placeholder.
    #[error("expected a serial number of 1 to 64 printable characters that is no placeholder")]
    SerialNumber,
    /// No leading number.
    #[error("expected a version of one to four numbers such as 17.0.3")]
    OsVersion,
}

fn parse_guid(text: &str) -> Option<Uuid> {
    let text = text.trim();
    // 38: braces and hyphens. Longer forms (urn:uuid:) do not occur in the field.
    if text.len() > 38 {
        None
    } else {
        Uuid::try_parse(text).ok()
    }
}

/// Namespace of [`DeviceId::derived`]; a random UUID chosen once for this project.
const DERIVED_NAMESPACE: Uuid = Uuid::from_u128(0x6c8f_2d1e_93b4_4a57_8f0e_2b7d_51c9_e3a6);

const PLACEHOLDER_SERIALS: [&str; 7] = [
    "to be filled by o.e.m.",
    "system serial number",
    "default string",
    "not specified",
    "not applicable",
    "unknown",
    "none",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mac_addresses_in_every_vendors_spelling_are_one_value() {
        let expected = MacAddress::new([0x00, 0x11, 0x22, 0xaa, 0xbb, 0xcc]);
        for text in [
            "00:11:22:aa:bb:cc",
            "00-11-22-AA-BB-CC",
            "0011.22aa.bbcc",
            "001122-aabbcc",
            "001122AABBCC",
            " 001122aabbcc ",
        ] {
            assert_eq!(text.parse(), Ok(expected), "row {text}");
        }
        for text in [
            "",
            "00:11:22:aa:bb",
            "00:11:22:aa:bb:cc:dd",
            "0:011:22aabbcc",
            "00:11:22:aa:bb:cg",
        ] {
            assert_eq!(
                text.parse::<MacAddress>(),
                Err(ParseIdentifierError::MacAddress),
                "row {text}"
            );
        }
        assert_eq!(expected.to_string(), "00:11:22:aa:bb:cc");
    }

    #[test]
    fn made_up_mac_addresses_are_no_identity() {
        for (text, identity) in [
            ("00:11:22:aa:bb:cc", true),
            ("02:11:22:aa:bb:cc", false),
            ("da:11:22:aa:bb:cc", false),
            ("01:00:5e:00:00:01", false),
            ("00:00:00:00:00:00", false),
        ] {
            let mac: MacAddress = text.parse().unwrap();
            assert_eq!(mac.is_identity(), identity, "row {text}");
        }
    }

    #[test]
    fn eas_device_ids_fold_case_and_keep_bounds() {
        assert_eq!(
            EasDeviceId::parse(b"ApplF2LX").unwrap().as_str(),
            "applf2lx"
        );
        assert!(EasDeviceId::parse(&[b'a'; 32]).is_some());
        for bad in [&b""[..], &[b'a'; 33], b"a,b", b"a b", b"\xc3\xa9"] {
            assert!(EasDeviceId::parse(bad).is_none(), "row {bad:?}");
        }
    }

    #[test]
    fn serial_numbers_refuse_placeholders() {
        assert_eq!(
            "c02xl0gtjgh5".parse::<SerialNumber>().unwrap().as_str(),
            "C02XL0GTJGH5"
        );
        for bad in ["", "0000000", "To Be Filled By O.E.M.", "a\u{7}b"] {
            assert!(bad.parse::<SerialNumber>().is_err(), "row {bad}");
        }
    }

    #[test]
    fn guids_parse_with_and_without_braces() {
        let plain: DeviceId = "0F8FAD5B-D9CB-469F-A165-70867728950E".parse().unwrap();
        assert_eq!("{0f8fad5b-d9cb-469f-a165-70867728950e}".parse(), Ok(plain));
        assert_eq!("0f8fad5bd9cb469fa16570867728950e".parse(), Ok(plain));
        assert!("0f8fad5b".parse::<DeviceId>().is_err());
    }

    #[test]
    fn derived_ids_depend_on_source_and_identifier() {
        assert_eq!(
            DeviceId::derived("jamf", "17"),
            DeviceId::derived("jamf", "17")
        );
        assert_ne!(
            DeviceId::derived("jamf", "17"),
            DeviceId::derived("jamf", "18")
        );
        assert_ne!(DeviceId::derived("a", "b1"), DeviceId::derived("ab", "1"));
    }
}
