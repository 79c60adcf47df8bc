//! The device that a VPN's client claims to be, in the order in which it is looked for.

use crate::access::ClaimedTexts;
use crate::access::Text;
use crate::model::ClaimedDevice;
use crate::model::DeviceId;
use crate::model::EntraDeviceId;
use crate::model::Established;
use crate::model::Identifier;
use crate::model::MacAddress;
use crate::model::Presented;
use crate::radius::DeviceClaims;

/// Of fixed size, so that a request that waits can keep it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Claims {
    /// In upper case, as serial numbers are kept.
    uid: Text<64>,
    macs: [Option<MacAddress>; DeviceClaims::MAX_MACS],
    /// What else was said.
    texts: Option<ClaimedTexts>,
}

impl Claims {
    /// `None` if nothing was said.
    pub(super) fn new(said: &DeviceClaims<'_>) -> Option<Self> {
        let mut macs = [None; DeviceClaims::MAX_MACS];
        for (place, mac) in macs.iter_mut().zip(said.macs()) {
            *place = Some(mac);
        }
        let texts = ClaimedTexts::new(&ClaimedDevice {
            platform: said.platform.unwrap_or_default(),
            os_version: said.platform_version.unwrap_or_default(),
            host_name: said.hostname.unwrap_or_default(),
            client: said.client.unwrap_or_default(),
        });
        if said.uid.is_none() && macs == [None; DeviceClaims::MAX_MACS] && texts.is_none() {
            return None;
        }
        let mut uid = [0; 64];
        let text = said.uid.unwrap_or_default();
        let uid = uid.get_mut(..text.len()).unwrap_or_default();
        uid.copy_from_slice(text.as_bytes().get(..uid.len()).unwrap_or_default());
        uid.make_ascii_uppercase();
        Some(Self {
            uid: Text::new(std::str::from_utf8(uid).unwrap_or_default()),
            macs,
            texts,
        })
    }

    /// What was said besides identifiers.
    pub(super) fn texts(&self) -> Option<ClaimedDevice<'_>> {
        self.texts.as_ref().map(ClaimedTexts::claims)
    }

    /// Whether there is anything by which a device could be found.
    pub(super) fn identify(&self) -> bool {
        self.uid.as_option().is_some() || self.macs.iter().any(Option::is_some)
    }

    /// What was said first, for records.
    pub(super) fn shown(&self) -> Text<64> {
        match (self.uid.as_option(), self.macs.iter().flatten().next()) {
            (Some(uid), _) => Text::new(uid),
            (None, Some(mac)) => Text::display(mac),
            (None, None) => Text::EMPTY,
        }
    }

    /// The identifiers, best first: the unique number as the id of a device and as its serial
    /// number, then network cards. All of them are claimed.
    pub(super) fn with<T>(&self, ask: impl FnOnce(&[Presented<'_>]) -> T) -> T {
        let uid = self.uid.as_option();
        let device = uid.and_then(|uid| uid.parse::<DeviceId>().ok());
        let entra = uid.and_then(|uid| uid.parse::<EntraDeviceId>().ok());
        let identifiers = [
            device.map(Identifier::Device),
            entra.map(Identifier::Entra),
            uid.map(Identifier::Serial),
        ];
        let macs = self.macs.iter().flatten().copied().map(Identifier::Mac);
        let nothing = Presented {
            identifier: Identifier::Mac(MacAddress::new([0; 6])),
            established: Established::None,
        };
        let mut presented = [nothing; MAX_IDENTIFIERS];
        let mut count: usize = 0;
        for (place, identifier) in presented
            .iter_mut()
            .zip(identifiers.into_iter().flatten().chain(macs))
        {
            *place = Presented {
                identifier,
                established: Established::Claimed,
            };
            count = count.saturating_add(1);
        }
        ask(presented.get(..count).unwrap_or(&[]))
    }
}

/// Three kinds of a unique number, and the network cards.
const MAX_IDENTIFIERS: usize = 3 + DeviceClaims::MAX_MACS;
