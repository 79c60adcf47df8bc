//! By what a NAS knows who is in.

use crate::radius::AccessRequest;
use crate::radius::AttributeType;
use crate::radius::MAX_VALUE;
use crate::radius::VendorId;

/// By what a NAS knows a peer (RFC 5176 section 3): each attribute as the NAS sent it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::network) struct PeerIdentity {
    pub(in crate::network) attributes: Vec<(AttributeType, Box<[u8]>)>,
}

impl PeerIdentity {
    /// Attributes that there may be: one of each kind.
    pub(in crate::network) const MAX: usize = IDENTIFYING.len() + 1;

    /// What an Access-Request says of its peer and of the NAS.
    pub(in crate::network) fn of(request: &AccessRequest<'_>) -> Self {
        let attributes = IDENTIFYING.into_iter().filter_map(|kind| {
            let value = request.find(kind).filter(|value| !value.is_empty())?;
            Some((kind, value.into()))
        });
        let mut attributes: Vec<(AttributeType, Box<[u8]>)> = attributes.collect();
        // Cisco's devices want their own name of a session back, Meraki's nothing less.
        if let Some(session) = request.audit_session()
            && let Some(value) = cisco_pair(session)
        {
            attributes.push((AttributeType::VENDOR_SPECIFIC, value));
        }
        Self { attributes }
    }

    pub(in crate::network) fn find(&self, kind: AttributeType) -> Option<&[u8]> {
        let mut attributes = self.attributes.iter();
        attributes
            .find(|(of, _)| *of == kind)
            .map(|(_, value)| &**value)
    }

    /// What names the NAS and the peer, and not one session of it.
    pub(in crate::network) fn names(&self) -> Box<[u8]> {
        let mut names = Vec::new();
        for kind in IDENTIFYING {
            let value = self.find(kind);
            if let Some(value) = value.filter(|_| kind != AttributeType::ACCT_SESSION_ID) {
                names.extend([kind.0, u8::try_from(value.len()).unwrap_or(u8::MAX)]);
                names.extend(value);
            }
        }
        names.into()
    }

    /// By what its NAS tells a session from others of the same peer.
    pub(in crate::network) fn session(&self) -> [Option<&[u8]>; 2] {
        [
            AttributeType::ACCT_SESSION_ID,
            AttributeType::VENDOR_SPECIFIC,
        ]
        .map(|kind| self.find(kind))
    }

    /// The same, with another value of one attribute.
    pub(in crate::network) fn set(&mut self, kind: AttributeType, value: &[u8]) {
        self.attributes.retain(|(of, _)| *of != kind);
        self.attributes.push((kind, value.into()));
    }
}

/// The value of a Vendor-Specific with one Cisco-AVPair; `None` if that is too long.
fn cisco_pair(text: &[u8]) -> Option<Box<[u8]>> {
    const AV_PAIR: u8 = 1;
    let length = u8::try_from(text.len() + 2).ok()?;
    let head = [&VendorId::CISCO.0.to_be_bytes()[..], &[AV_PAIR, length]];
    let value = [head.concat().as_slice(), text].concat();
    (value.len() <= MAX_VALUE).then(|| value.into_boxed_slice())
}

/// What identifies a session at its NAS (RFC 5176 section 3, Table 1) and is known when it begins.
/// State, Class and ports are left out: NASes refuse what they do not expect (hostapd answers 401).
const IDENTIFYING: [AttributeType; 6] = [
    AttributeType::NAS_IP_ADDRESS,
    AttributeType::NAS_IPV6_ADDRESS,
    AttributeType::NAS_IDENTIFIER,
    AttributeType::USER_NAME,
    AttributeType::CALLING_STATION_ID,
    AttributeType::ACCT_SESSION_ID,
];
