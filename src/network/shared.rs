//! What the loops have in common, and what a reload replaces.

use std::collections::HashMap;
use std::sync::Arc;

use arc_swap::ArcSwap;

use crate::access::CorrelationSource;
use crate::access::DecisionPoint;
use crate::access::RecordQueue;
use crate::access::Sessions;
use crate::network::Admissions;
use crate::network::ChargingKey;
use crate::network::Config;
use crate::network::Enforcement;
use crate::network::Methods;
use crate::network::Passwords;
use crate::network::Routes;
use crate::radius::NasTable;

/// What a reload replaces, all at once.
#[derive(Debug)]
pub struct Settings {
    /// Who may send requests, and with what secret.
    pub nas: NasTable,
    /// TLS material and limits of EAP; a conversation keeps what it began with. `None` where the
    /// authentication door is closed, and so nothing is known of the material.
    pub eap: Option<Arc<crate::eap::Config>>,
    /// That of the groups of NASes that have another one.
    pub eap_groups: HashMap<String, Arc<crate::eap::Config>>,
    /// Attributes for each outcome.
    pub enforcement: Enforcement,
    /// By which methods a peer may authenticate.
    pub methods: Methods,
    /// Who knows passwords.
    pub passwords: Arc<dyn Passwords>,
    /// Names people for those who must not know them.
    pub charging: ChargingKey,
    /// Which requests other servers answer; `None` where all are answered here.
    pub routes: Option<Arc<Routes>>,
    /// Bounds.
    pub config: Config,
}

impl Settings {
    /// The TLS material and limits of EAP with the NASes of a group.
    pub(super) fn eap_of(&self, group: &str) -> Option<&Arc<crate::eap::Config>> {
        let default = self.eap.as_ref()?;
        if self.eap_groups.is_empty() {
            return Some(default);
        }
        Some(self.eap_groups.get(group).unwrap_or(default))
    }
}

/// What the loops have in common.
#[derive(Debug)]
pub struct Shared {
    /// Replaced by a reload.
    pub settings: ArcSwap<Settings>,
    /// Who decides.
    pub point: Arc<DecisionPoint>,
    /// Accounting sessions.
    pub sessions: Arc<Sessions>,
    /// Who is in at NASes that take Disconnect-Requests.
    pub admissions: Arc<Admissions>,
    /// Where records go.
    pub records: Arc<RecordQueue>,
    /// Numbers of records.
    pub correlations: Arc<CorrelationSource>,
    /// Fills a buffer with random octets.
    pub random: fn(&mut [u8]),
    /// How many loops there are.
    pub loops: u8,
}
