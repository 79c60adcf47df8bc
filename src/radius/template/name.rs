//! Which attribute a configured name stands for, and whether it may be configured.

use super::error::TemplateError;
use super::layout::Layout;
use crate::radius::attribute::AttributeType;
use crate::radius::attribute::TypeSet;
use crate::radius::attribute::VendorId;
use crate::radius::dictionary::DataType;
use crate::radius::dictionary::Definition;
use crate::radius::dictionary::Dictionary;
use crate::radius::dictionary::Hiding;
use crate::radius::dictionary::MAX_NUMBERS;
use crate::radius::dictionary::Space;

/// What a configured name stands for.
pub(super) struct Named<'n> {
    /// As it is shown in messages.
    name: &'n str,
    pub(super) kind: DataType,
    /// Names of its values.
    pub(super) values: &'n [(Box<str>, u64)],
    pub(super) tagged: bool,
    /// The tag that was written.
    pub(super) tag: Option<u8>,
    pub(super) hiding: Hiding,
    pub(super) concat: bool,
    attribute: AttributeType,
    layout: Layout,
}

impl<'n> Named<'n> {
    pub(super) fn resolve(
        dictionary: &'n Dictionary,
        name: &'n str,
    ) -> Result<Self, TemplateError> {
        let name = name.trim();
        if let Some(by_number) = by_number(dictionary, name)? {
            return Ok(by_number);
        }
        let unknown = || TemplateError::UnknownName { name: name.into() };
        // A name may hold a colon itself.
        let (definition, tag) = match (dictionary.find(name), name.rsplit_once(':')) {
            (Some(definition), _) => (definition, None),
            (None, Some((base, tag))) => (dictionary.find(base).ok_or_else(unknown)?, Some(tag)),
            (None, None) => return Err(unknown()),
        };
        permit(definition)?;
        let tag = match tag {
            None => None,
            Some(tag) => {
                let tag = tag.parse::<u8>().ok();
                let tag = tag.filter(|tag| definition.tagged && *tag <= MAX_TAG);
                Some(tag.ok_or_else(|| TemplateError::Tag { name: name.into() })?)
            }
        };
        Ok(Self {
            name: &definition.name,
            kind: definition.kind,
            values: dictionary.values(definition),
            tagged: definition.tagged,
            tag,
            hiding: definition.hiding,
            concat: definition.concat,
            attribute: attribute_of(definition.space, &definition.numbers),
            layout: layout_of(dictionary, definition.space, &definition.numbers),
        })
    }

    pub(super) fn shown(&self) -> String {
        self.name.into()
    }

    pub(super) const fn attribute(&self) -> AttributeType {
        self.attribute
    }

    pub(super) const fn layout(&self) -> &Layout {
        &self.layout
    }
}

/// `attribute:NUMBER` and `vendor:ID:NUMBER`; `None` for a name of another form.
fn by_number<'n>(
    dictionary: &'n Dictionary,
    name: &'n str,
) -> Result<Option<Named<'n>>, TemplateError> {
    let unknown = || TemplateError::UnknownName { name: name.into() };
    let mut parts = name.split(':');
    let form = parts.next().unwrap_or_default();
    let vendor = if form.eq_ignore_ascii_case("vendor") {
        let id = parts.next().and_then(|id| id.parse::<u32>().ok());
        // The first octet of the vendor's number is 0 (RFC 2865 section 5.26).
        let id = id.filter(|id| (1..1 << 24).contains(id));
        Some(VendorId(id.ok_or_else(unknown)?))
    } else if form.eq_ignore_ascii_case("attribute") {
        None
    } else {
        return Ok(None);
    };
    let numbers = parts.next().unwrap_or_default();
    let numbers = numbers.split('.').map(str::parse::<u32>);
    let mut numbers: Vec<u32> = numbers.collect::<Result<_, _>>().map_err(|_| unknown())?;
    let space = match (vendor, numbers.as_slice()) {
        (Some(vendor), _) => Space::Vendor(vendor),
        (None, [first @ 241..=246, _, ..]) => {
            let first = u8::try_from(*first).map_err(|_| unknown())?;
            numbers.remove(0);
            Space::Extended(first)
        }
        (None, _) => Space::Standard,
    };
    let largest = match space {
        Space::Vendor(vendor) => dictionary.format(vendor).largest(),
        Space::Standard | Space::Extended(_) | Space::ExtendedVendor(..) | Space::Internal => 255,
    };
    let fits = numbers.len() <= MAX_NUMBERS
        && numbers
            .first()
            .is_some_and(|first| (1..=largest).contains(first))
        && numbers
            .iter()
            .skip(1)
            .all(|inner| (1..=255).contains(inner));
    let holds_others = space == Space::Standard && matches!(numbers[..], [26 | 241..=246, ..])
        || matches!(space, Space::Extended(_)) && matches!(numbers[..], [26, ..]);
    if !fits || holds_others || parts.next().is_some() {
        return Err(unknown());
    }
    if let Some(definition) = dictionary.at(space, &numbers) {
        permit_setting(definition)?;
    }
    Ok(Some(Named {
        name,
        kind: DataType::Octets(None),
        values: &[],
        tagged: false,
        tag: None,
        hiding: Hiding::None,
        concat: false,
        attribute: attribute_of(space, &numbers),
        layout: layout_of(dictionary, space, &numbers),
    }))
}

fn attribute_of(space: Space, numbers: &[u32]) -> AttributeType {
    match space {
        Space::Standard | Space::Internal => {
            let first = numbers.first().copied().unwrap_or_default();
            AttributeType(u8::try_from(first).unwrap_or_default())
        }
        Space::Vendor(_) => AttributeType::VENDOR_SPECIFIC,
        Space::Extended(number) | Space::ExtendedVendor(number, _) => AttributeType(number),
    }
}

fn layout_of(dictionary: &Dictionary, space: Space, numbers: &[u32]) -> Layout {
    let format = match space {
        Space::Vendor(vendor) => dictionary.format(vendor),
        Space::Standard | Space::Extended(_) | Space::ExtendedVendor(..) | Space::Internal => {
            dictionary.format(VendorId(0))
        }
    };
    Layout::new(space, numbers, format)
}

/// Whether an attribute can be configured.
fn permit(definition: &Definition) -> Result<(), TemplateError> {
    let unusable = |why| TemplateError::Unusable {
        name: definition.name.to_string(),
        why,
    };
    permit_setting(definition)?;
    if definition.space == Space::Internal {
        return Err(unusable(
            "is a word of another server and never stands in a packet",
        ));
    }
    if definition.kind.is_space() {
        return Err(unusable("holds other attributes: name one of those"));
    }
    match definition.hiding {
        Hiding::None | Hiding::Salted => Ok(()),
        Hiding::Password => Err(unusable("is hidden as passwords are, in requests only")),
        Hiding::Ascend => Err(unusable(
            "is hidden in Ascend's way, which is not supported",
        )),
    }
}

fn permit_setting(definition: &Definition) -> Result<(), TemplateError> {
    let name = || definition.name.to_string();
    let first = definition.numbers.first().copied().unwrap_or_default();
    let first = u8::try_from(first).unwrap_or_default();
    match definition.space {
        Space::Standard if BY_GATEWAY.contains(AttributeType(first)) => {
            Err(TemplateError::SetByGateway { name: name() })
        }
        Space::Standard if BY_NAS.contains(AttributeType(first)) => {
            Err(TemplateError::SetByNas { name: name() })
        }
        Space::Vendor(VendorId::MICROSOFT) if MICROSOFT_KEYS.contains(&first) => {
            Err(TemplateError::SetByGateway { name: name() })
        }
        Space::Standard
        | Space::Vendor(_)
        | Space::Extended(_)
        | Space::ExtendedVendor(..)
        | Space::Internal => Ok(()),
    }
}

/// Written by the gateway alone: State, Proxy-State, EAP-Message, Message-Authenticator,
/// Chargeable-User-Identity, Error-Cause, EAP-Key-Name.
const BY_GATEWAY: TypeSet = TypeSet::of(&[
    AttributeType::STATE,
    AttributeType::PROXY_STATE,
    AttributeType::EAP_MESSAGE,
    AttributeType::MESSAGE_AUTHENTICATOR,
    AttributeType::CHARGEABLE_USER_IDENTITY,
    AttributeType::ERROR_CAUSE,
    AttributeType::EAP_KEY_NAME,
]);

/// Sent by network devices alone.
const BY_NAS: TypeSet = TypeSet::of(&[
    AttributeType::USER_PASSWORD,
    AttributeType::CHAP_PASSWORD,
    AttributeType::NAS_IP_ADDRESS,
    AttributeType::NAS_PORT,
    AttributeType::CALLED_STATION_ID,
    AttributeType::CALLING_STATION_ID,
    AttributeType::NAS_IDENTIFIER,
    AttributeType::ACCT_STATUS_TYPE,
    AttributeType::ACCT_DELAY_TIME,
    AttributeType::ACCT_INPUT_OCTETS,
    AttributeType::ACCT_OUTPUT_OCTETS,
    AttributeType::ACCT_SESSION_ID,
    AttributeType(45),
    AttributeType::ACCT_SESSION_TIME,
    AttributeType::ACCT_INPUT_PACKETS,
    AttributeType::ACCT_OUTPUT_PACKETS,
    AttributeType::ACCT_TERMINATE_CAUSE,
    AttributeType::ACCT_MULTI_SESSION_ID,
    AttributeType(51),
    AttributeType::ACCT_INPUT_GIGAWORDS,
    AttributeType::ACCT_OUTPUT_GIGAWORDS,
    AttributeType::EVENT_TIMESTAMP,
    AttributeType::CHAP_CHALLENGE,
    AttributeType::NAS_PORT_TYPE,
    AttributeType::CONNECT_INFO,
    AttributeType::NAS_PORT_ID,
    AttributeType::NAS_IPV6_ADDRESS,
    AttributeType::OPERATOR_NAME,
]);

/// MS-MPPE-Send-Key and MS-MPPE-Recv-Key.
const MICROSOFT_KEYS: [u8; 2] = [16, 17];

/// RFC 2868 section 3.1.
const MAX_TAG: u8 = 0x1f;
