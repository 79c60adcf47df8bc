//! Attributes that are not carried on to another server, or not back: chosen by name when the
//! configuration is read, found by number afterwards.

use crate::radius::attribute::AttributeType;
use crate::radius::attribute::VendorId;
use crate::radius::attribute::VendorSpecific;
use crate::radius::dictionary::Dictionary;
use crate::radius::dictionary::Space;
use crate::radius::hidden;
use crate::radius::home::Carried;
use crate::radius::home::Hiding;
use crate::radius::mschap;

/// A set of attributes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AttributeFilter {
    kinds: Vec<AttributeType>,
    vendors: Vec<VendorId>,
    of_vendors: Vec<(VendorId, u8)>,
}

/// A name that stands for no attribute that can be chosen.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FilterError {
    /// No dictionary has it.
    #[error("no dictionary has an attribute or a vendor called {0}")]
    Unknown(String),
    /// Nothing could be authenticated without it.
    #[error("{0} belongs to the authentication itself")]
    Needed(String),
    /// It is inside another attribute.
    #[error("{0} stands inside another attribute: name that one")]
    Inside(String),
}

impl AttributeFilter {
    /// The set of these: names of attributes, or of vendors for everything of theirs.
    ///
    /// # Errors
    ///
    /// The first name that cannot be chosen.
    pub fn new(dictionary: &Dictionary, names: &[String]) -> Result<Self, FilterError> {
        let mut filter = Self::default();
        for name in names {
            let needed = || FilterError::Needed(name.clone());
            let Some(definition) = dictionary.find(name) else {
                let vendor = dictionary.vendor(name);
                let vendor = vendor.ok_or_else(|| FilterError::Unknown(name.clone()))?;
                filter.vendors.push(vendor);
                continue;
            };
            let number = match &*definition.numbers {
                [number] => u8::try_from(*number).ok(),
                _ => None,
            };
            let number = number.ok_or_else(|| FilterError::Inside(name.clone()))?;
            match definition.space {
                Space::Standard if NEEDED.contains(&AttributeType(number)) => return Err(needed()),
                Space::Standard => filter.kinds.push(AttributeType(number)),
                Space::Vendor(VendorId::MICROSOFT) if is_needed_of_microsoft(number) => {
                    return Err(needed());
                }
                Space::Vendor(vendor) => filter.of_vendors.push((vendor, number)),
                Space::Extended(_) | Space::ExtendedVendor(..) | Space::Internal => {
                    return Err(FilterError::Inside(name.clone()));
                }
            }
        }
        Ok(filter)
    }

    /// Whether nothing is chosen.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.kinds.is_empty() && self.vendors.is_empty() && self.of_vendors.is_empty()
    }

    /// Whether an attribute is chosen; one of a vendor is when something in it is. What an
    /// authentication needs never is, be it one of a vendor that is chosen as a whole.
    #[must_use]
    pub fn has(&self, kind: AttributeType, value: &[u8]) -> bool {
        if self.kinds.contains(&kind) {
            return true;
        }
        if kind != AttributeType::VENDOR_SPECIFIC || self.is_empty() {
            return false;
        }
        VendorSpecific::parse(value).is_some_and(|specific| {
            let vendor = specific.vendor;
            let mut numbers = specific.attributes().map(|(number, _)| number);
            if vendor == VendorId::MICROSOFT {
                return numbers.any(|number| {
                    let chosen = self.vendors.contains(&vendor)
                        || self.of_vendors.contains(&(vendor, number));
                    chosen && !is_needed_of_microsoft(number)
                });
            }
            self.vendors.contains(&vendor)
                || numbers.any(|number| self.of_vendors.contains(&(vendor, number)))
        })
    }

    /// The same for an attribute of another server's answer.
    #[must_use]
    pub fn has_carried(&self, carried: &Carried) -> bool {
        match carried.hiding() {
            // Keys are needed.
            Hiding::Mppe(_) | Hiding::MsChapKeys => false,
            Hiding::None | Hiding::TunnelPassword(_) => self.has(carried.kind(), carried.value()),
        }
    }
}

const fn is_needed_of_microsoft(number: u8) -> bool {
    matches!(
        number,
        hidden::MS_MPPE_SEND_KEY
            | hidden::MS_MPPE_RECV_KEY
            | mschap::MS_CHAP_MPPE_KEYS
            | MS_CHAP_RESPONSE
            | MS_CHAP_ERROR
            | MS_CHAP_CHALLENGE
            | MS_CHAP2_RESPONSE
            | MS_CHAP2_SUCCESS
    )
}

/// RFC 2548 sections 2.1.3, 2.1.5, 2.1.2, 2.3.2 and 2.3.3.
const MS_CHAP_RESPONSE: u8 = 1;
const MS_CHAP_ERROR: u8 = 2;
const MS_CHAP_CHALLENGE: u8 = 11;
const MS_CHAP2_RESPONSE: u8 = 25;
const MS_CHAP2_SUCCESS: u8 = 26;

/// What no authentication goes without, and what belongs to the hop.
const NEEDED: [AttributeType; 10] = [
    AttributeType::USER_NAME,
    AttributeType::USER_PASSWORD,
    AttributeType::CHAP_PASSWORD,
    AttributeType::CHAP_CHALLENGE,
    AttributeType::STATE,
    AttributeType::PROXY_STATE,
    AttributeType::EAP_MESSAGE,
    AttributeType::EAP_KEY_NAME,
    AttributeType::MESSAGE_AUTHENTICATOR,
    // Alone it would choose every vendor's, keys among them.
    AttributeType::VENDOR_SPECIFIC,
];

#[cfg(test)]
mod tests {
    use super::*;

    fn filter(names: &[&str]) -> Result<AttributeFilter, FilterError> {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        AttributeFilter::new(Dictionary::builtin(), &names)
    }

    #[test]
    fn attributes_are_chosen_by_name_and_vendors_as_a_whole() {
        let chosen = filter(&["Filter-Id", "Cisco", "MS-Primary-DNS-Server"]).unwrap();
        let of = |vendor: u32, number| [&vendor.to_be_bytes()[..], &[number, 3, 1]].concat();
        let vendor = AttributeType::VENDOR_SPECIFIC;
        for (kind, value, has) in [
            (AttributeType::FILTER_ID, b"x".to_vec(), true),
            (AttributeType::REPLY_MESSAGE, b"x".to_vec(), false),
            (vendor, of(9, 1), true),
            (vendor, of(9, 200), true),
            (vendor, of(311, 28), true),
            (vendor, of(311, 29), false),
            (vendor, of(25461, 1), false),
            (vendor, b"too".to_vec(), false),
        ] {
            assert_eq!(chosen.has(kind, &value), has, "row {kind} {value:?}");
        }
        let all = filter(&["Microsoft"]).unwrap();
        assert!(all.has(vendor, &of(311, 28)));
        for needed in [1, 2, 11, 12, 16, 17, 25, 26] {
            assert!(!all.has(vendor, &of(311, needed)), "row {needed}");
        }
    }

    #[test]
    fn what_an_authentication_needs_cannot_be_chosen() {
        for name in [
            "User-Name",
            "EAP-Message",
            "State",
            "Proxy-State",
            "Message-Authenticator",
            "MS-MPPE-Send-Key",
            "MS-CHAP2-Response",
        ] {
            assert_eq!(filter(&[name]), Err(FilterError::Needed(name.to_owned())));
        }
        let unknown = FilterError::Unknown("Filtre-Id".to_owned());
        assert_eq!(filter(&["Filtre-Id"]), Err(unknown));
    }
}
