//! Where a request came from, in words that a decision understands.

use std::net::IpAddr;

use crate::access::Correlation;
use crate::access::Decided;
use crate::access::DecisionRecord;
use crate::access::Text;
use crate::model::Credential;
use crate::model::MacAddress;
use crate::model::Medium;
use crate::model::NasContext;
use crate::model::Plane;
use crate::model::Subject;
use crate::model::Timestamp;
use crate::radius::AccessRequest;
use crate::radius::Nas;

/// The NAS and port of one request; of fixed size, so that a conversation can keep it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Context {
    pub(super) from: IpAddr,
    nas: Text<64>,
    group: Text<48>,
    medium: Medium,
    ssid: Text<32>,
    /// Calling-Station-Id, where it is a MAC address.
    pub(super) station: Option<MacAddress>,
}

impl Context {
    pub(super) fn new(from: IpAddr, nas: &Nas, request: &AccessRequest<'_>) -> Self {
        Self {
            from,
            nas: Text::new(nas.name()),
            group: Text::new(nas.group()),
            medium: request.medium(),
            ssid: request.ssid().map_or(Text::EMPTY, Text::from_utf8_prefix),
            station: request.calling_mac(),
        }
    }

    pub(super) fn group(&self) -> &str {
        self.group.as_str()
    }

    pub(super) fn nas(&self) -> NasContext<'_> {
        NasContext {
            name: self.nas.as_str(),
            group: self.group.as_str(),
            medium: self.medium,
            ssid: self.ssid.as_option(),
        }
    }

    /// The record of a decision about a subject from here.
    pub(super) fn record(
        &self,
        id: Correlation,
        method: &str,
        subject: &Subject<'_>,
        decided: &Decided,
    ) -> DecisionRecord {
        let mut record = DecisionRecord::new(id, method, subject, decided);
        record.from = Some(self.from);
        record.station = self.station;
        record
    }

    /// The record of a peer that was not authenticated: nobody was judged, and why.
    pub(super) fn refusal(
        &self,
        id: Correlation,
        method: &str,
        user: &str,
        why: &str,
        now: Timestamp,
    ) -> DecisionRecord {
        let subject = Subject {
            plane: Plane::Network,
            user: Some(user),
            credential: Credential::None,
            device: &[],
            nas: Some(self.nas()),
            mail: None,
        };
        let mut record = DecisionRecord::not_authenticated(id, method, &subject, why, now);
        record.from = Some(self.from);
        record.station = self.station;
        record
    }
}
