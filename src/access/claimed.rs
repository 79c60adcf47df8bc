//! What a VPN's client has said of its device, in a form that outlives the request.

use crate::access::text::Text;
use crate::model::ClaimedDevice;

/// The owned form of [`ClaimedDevice`], of fixed size; longer texts are cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClaimedTexts {
    platform: Text<32>,
    os_version: Text<64>,
    host_name: Text<64>,
    client: Text<64>,
}

impl ClaimedTexts {
    /// Keeps what was said; `None` if that is nothing.
    #[must_use]
    pub fn new(said: &ClaimedDevice<'_>) -> Option<Self> {
        (*said != ClaimedDevice::default()).then(|| Self {
            platform: Text::new(said.platform),
            os_version: Text::new(said.os_version),
            host_name: Text::new(said.host_name),
            client: Text::new(said.client),
        })
    }

    /// What was said.
    #[must_use]
    pub fn claims(&self) -> ClaimedDevice<'_> {
        ClaimedDevice {
            platform: self.platform.as_str(),
            os_version: self.os_version.as_str(),
            host_name: self.host_name.as_str(),
            client: self.client.as_str(),
        }
    }
}
