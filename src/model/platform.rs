//! Plain properties of devices that policies tell apart.

use std::fmt;
use std::str::FromStr;

use super::device::ParseIdentifierError;

/// Operating system families that policies tell apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Platform {
    /// None stated, or one we do not know.
    #[default]
    Unknown = 0,
    /// Android and its derivatives.
    Android = 1,
    /// iPhone and iPad.
    Ios = 2,
    /// Mac.
    MacOs = 3,
    /// Windows 8.1 and later.
    Windows = 4,
    /// Windows Phone and Windows 10 Mobile.
    WindowsPhone = 5,
    /// Linux desktops.
    Linux = 6,
    /// ChromeOS.
    ChromeOs = 7,
}

impl Platform {
    /// All platforms, in the order of their stored numbers.
    pub const ALL: [Self; 8] = [
        Self::Unknown,
        Self::Android,
        Self::Ios,
        Self::MacOs,
        Self::Windows,
        Self::WindowsPhone,
        Self::Linux,
        Self::ChromeOs,
    ];

    /// Our spelling, used in policies and records.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Android => "android",
            Self::Ios => "ios",
            Self::MacOs => "macos",
            Self::Windows => "windows",
            Self::WindowsPhone => "windows-phone",
            Self::Linux => "linux",
            Self::ChromeOs => "chromeos",
        }
    }

    /// Reads our spelling and those of Intune's `operatingSystem` (`iOS`, `iPadOS`, `Windows`,
    /// `Android (dedicated)`, …); anything else is `Unknown`.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let text = text.trim().to_ascii_lowercase();
        match text.as_str() {
            "ios" | "ipados" | "iphone" | "ipad" => Self::Ios,
            "macos" | "mac os x" | "macmdm" | "mac" => Self::MacOs,
            "windowsphone" | "windows-phone" | "windows phone" | "windows 10 mobile" => {
                Self::WindowsPhone
            }
            "chromeos" | "chrome os" => Self::ChromeOs,
            _ if text.starts_with("android") => Self::Android,
            _ if text.starts_with("windows") => Self::Windows,
            _ if text.starts_with("linux") || text.starts_with("ubuntu") => Self::Linux,
            _ => Self::Unknown,
        }
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// An operating system version of up to four numbers, compared number by number.
///
/// `17.0.3` is later than `17`; `10.0.19043.2006` is later than `10.0.19043`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct OsVersion([u16; 4]);

impl OsVersion {
    /// Zero: no version stated.
    pub const UNKNOWN: Self = Self([0; 4]);

    /// Packed into 64 bits; the order of the numbers is the order of the versions.
    #[must_use]
    pub fn to_bits(self) -> u64 {
        self.0
            .iter()
            .fold(0, |bits, &number| bits << 16 | u64::from(number))
    }

    /// One to four numbers, trailing zeros left out.
    #[must_use]
    pub fn numbers(&self) -> &[u16] {
        let last = self.0.iter().rposition(|&number| number != 0);
        self.0.get(..=last.unwrap_or(0)).unwrap_or(&self.0)
    }

    /// The inverse of [`OsVersion::to_bits`].
    #[must_use]
    pub fn from_bits(bits: u64) -> Self {
        let [a, b, c, d, e, f, g, h] = bits.to_be_bytes();
        Self([
            u16::from_be_bytes([a, b]),
            u16::from_be_bytes([c, d]),
            u16::from_be_bytes([e, f]),
            u16::from_be_bytes([g, h]),
        ])
    }
}

/// Reads leading numbers separated by dots; what follows a blank, `(` or letter is ignored
/// (`8.1 (build 9600)`), as is a fifth number.
impl FromStr for OsVersion {
    type Err = ParseIdentifierError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let numbers: &str = text
            .trim()
            .split(|c: char| !c.is_ascii_digit() && c != '.')
            .next()
            .unwrap_or("");
        let mut version = [0_u16; 4];
        let parts = numbers.split('.').filter(|part| !part.is_empty());
        let mut count = 0_usize;
        for (slot, part) in version.iter_mut().zip(parts) {
            // A build number beyond 65535 still orders after every smaller one.
            *slot = part
                .parse::<u64>()
                .map_or(u16::MAX, |n| u16::try_from(n).unwrap_or(u16::MAX));
            count += 1;
        }
        if count == 0 {
            Err(ParseIdentifierError::OsVersion)
        } else {
            Ok(Self(version))
        }
    }
}

/// Trailing zeros are left out: `17`, `17.0.3`.
impl fmt::Display for OsVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, number) in self.numbers().iter().enumerate() {
            if index > 0 {
                f.write_str(".")?;
            }
            write!(f, "{number}")?;
        }
        Ok(())
    }
}

/// How a device is joined to a directory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Join {
    /// Nothing stated.
    #[default]
    Unknown = 0,
    /// Stated to be joined to nothing.
    None = 1,
    /// Workplace join (Entra registered).
    Registered = 2,
    /// Entra joined.
    Entra = 3,
    /// Entra hybrid joined.
    Hybrid = 4,
    /// Joined to Active Directory only.
    ActiveDirectory = 5,
}

impl Join {
    /// All kinds, in the order of their stored numbers.
    pub const ALL: [Self; 6] = [
        Self::Unknown,
        Self::None,
        Self::Registered,
        Self::Entra,
        Self::Hybrid,
        Self::ActiveDirectory,
    ];

    /// Our spelling.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::None => "none",
            Self::Registered => "registered",
            Self::Entra => "entra",
            Self::Hybrid => "hybrid",
            Self::ActiveDirectory => "ad",
        }
    }

    /// Reads our spelling and Entra's `trustType` (`Workplace`, `AzureAd`, `ServerAd`).
    #[must_use]
    pub fn parse(text: &str) -> Self {
        match text.trim().to_ascii_lowercase().as_str() {
            "none" => Self::None,
            "registered" | "workplace" => Self::Registered,
            "entra" | "azuread" => Self::Entra,
            "hybrid" | "serverad" => Self::Hybrid,
            "ad" => Self::ActiveDirectory,
            _ => Self::Unknown,
        }
    }
}

impl fmt::Display for Join {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Whose device it is (`managedDeviceOwnerType`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Ownership {
    /// Nothing stated.
    #[default]
    Unknown = 0,
    /// The organisation's.
    Company = 1,
    /// The user's own.
    Personal = 2,
}

impl Ownership {
    /// All kinds, in the order of their stored numbers.
    pub const ALL: [Self; 3] = [Self::Unknown, Self::Company, Self::Personal];

    /// Intune's spelling.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Company => "company",
            Self::Personal => "personal",
        }
    }

    /// Reads Intune's spelling, in any case.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        Self::ALL
            .into_iter()
            .find(|kind| kind.as_str().eq_ignore_ascii_case(text.trim()))
            .unwrap_or(Self::Unknown)
    }
}

impl fmt::Display for Ownership {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_order_number_by_number_r28() {
        let rows = [
            "4.0",
            "7.1",
            "8.1 (build 9600)",
            "10.0.19043",
            "10.0.19043.2006",
            "17",
            "17.0.3",
        ];
        let versions: Vec<OsVersion> = rows.iter().map(|row| row.parse().unwrap()).collect();
        assert!(versions.is_sorted_by(|a, b| a < b), "{versions:?}");
        for version in versions {
            assert_eq!(OsVersion::from_bits(version.to_bits()), version);
        }
        assert_eq!("17.0.3".parse::<OsVersion>().unwrap().to_string(), "17.0.3");
        assert!("Tiramisu".parse::<OsVersion>().is_err());
    }
}
