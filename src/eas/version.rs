//! Protocol versions and what differs between them at a gateway.

use std::fmt;

/// A version of the protocol, from `MS-ASProtocolVersion` (MS-ASHTTP 2.2.1.1.2.6) or from the first
/// octet of a base64 query.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Version {
    /// Exchange 2003 SP2; passed through.
    V2_5,
    /// Exchange 2007.
    V12_0,
    /// Exchange 2007 SP1; the first with the base64 query.
    V12_1,
    /// Exchange 2010.
    V14_0,
    /// Exchange 2010 SP1.
    V14_1,
    /// Exchange 2016.
    V16_0,
    /// Exchange 2016 CU3 and later.
    V16_1,
}

impl Version {
    /// All versions, oldest first.
    pub const ALL: [Self; 7] = [
        Self::V2_5,
        Self::V12_0,
        Self::V12_1,
        Self::V14_0,
        Self::V14_1,
        Self::V16_0,
        Self::V16_1,
    ];

    /// The text of the header.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::V2_5 => "2.5",
            Self::V12_0 => "12.0",
            Self::V12_1 => "12.1",
            Self::V14_0 => "14.0",
            Self::V14_1 => "14.1",
            Self::V16_0 => "16.0",
            Self::V16_1 => "16.1",
        }
    }

    /// The version times ten: 25, 120, …, 161.
    #[must_use]
    pub const fn tenths(self) -> u8 {
        match self {
            Self::V2_5 => 25,
            Self::V12_0 => 120,
            Self::V12_1 => 121,
            Self::V14_0 => 140,
            Self::V14_1 => 141,
            Self::V16_0 => 160,
            Self::V16_1 => 161,
        }
    }

    /// Reads the header. Only the exact spellings are versions: `14` or `014.0` could be another
    /// version to somebody else.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|version| version.as_str() == text)
    }

    /// The octet of the base64 query: ten times the version. Versions 2.5 and 12.0 have no such
    /// query (MS-ASHTTP 2.2.1.1.1.1).
    #[must_use]
    pub const fn octet(self) -> Option<u8> {
        match self {
            Self::V2_5 | Self::V12_0 => None,
            Self::V12_1 => Some(121),
            Self::V14_0 => Some(140),
            Self::V14_1 => Some(141),
            Self::V16_0 => Some(160),
            Self::V16_1 => Some(161),
        }
    }

    /// The version behind the first octet of a base64 query.
    #[must_use]
    pub fn from_octet(octet: u8) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|version| version.octet() == Some(octet))
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_and_octets_find_their_version_r29() {
        for version in Version::ALL {
            assert_eq!(Version::parse(version.as_str()), Some(version));
            if let Some(octet) = version.octet() {
                assert_eq!(Version::from_octet(octet), Some(version));
            }
        }
        for text in ["", "14", "14.00", "014.0", " 14.0", "16.2", "1.0"] {
            assert_eq!(Version::parse(text), None, "row {text:?}");
        }
        for octet in [0, 25, 120, 122, 162, 255] {
            assert_eq!(Version::from_octet(octet), None, "row {octet}");
        }
    }
}
