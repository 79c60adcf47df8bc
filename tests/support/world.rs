//! A small world to decide in: rules, an inventory with one source, and the decision point over
//! both, in virtual time that stands still until a test moves it.
#![allow(dead_code, reason = "each test takes the parts that it needs")]

use std::sync::Arc;
use std::time::Duration;

use portreeve::access::CorrelationSource;
use portreeve::access::DecisionPoint;
use portreeve::access::RecordQueue;
use portreeve::access::Sessions;
use portreeve::inventory;
use portreeve::inventory::DeviceReport;
use portreeve::inventory::Update;
use portreeve::inventory::Writer;
use portreeve::model::ComplianceState;
use portreeve::model::DeviceId;
use portreeve::model::MacAddress;
use portreeve::model::Monotonic;
use portreeve::model::Now;
use portreeve::model::Secret;
use portreeve::model::SourceId;
use portreeve::model::Timestamp;
use portreeve::model::Tri;
use portreeve::network::Admissions;
use portreeve::network::Settings;
use portreeve::network::Shared;
use portreeve::policy;
use portreeve::policy::Policy;
use portreeve::radius::MessageAuthenticatorPolicy;
use portreeve::radius::NasConfig;

/// What NASes share with the gateway.
pub(crate) const SECRET: &[u8] = b"a secret of 24 octets...";

/// Managed and compliant devices get in; what nobody knows is quarantined.
pub(crate) const POLICY: &str = r#"
[break_glass]
members = ["user:rescue@contoso.com"]

[defaults]
not_targeted = "allow"
no_policy_applies = "quarantine"
no_credential = "quarantine"
unknown_user = "quarantine"
unknown_device = "quarantine"
ambiguous_device = "block"
device_of_another_user = "block"
unmanaged_device = "quarantine"
evaluating = "quarantine"
no_compliance_policy = "compliant"

[stale.network]
fresh_for = "24h"
grace_for = "24h"
then = "quarantine"

[stale.mail]
fresh_for = "24h"
grace_for = "24h"
then = "block"

[stale.web]
fresh_for = "24h"
grace_for = "24h"
then = "block"

[[conditional]]
name = "Healthy devices"
planes = ["network", "mail"]
targets = ["all"]
require = ["managed", "compliant"]
otherwise = "block"
"#;

/// What decides.
pub(crate) struct World {
    pub(crate) writer: Writer,
    pub(crate) source: SourceId,
    pub(crate) point: Arc<DecisionPoint>,
}

impl World {
    /// With [`POLICY`], and what the source `mdm` says at [`noon`].
    pub(crate) fn new(updates: Vec<Update>) -> Self {
        let (mut writer, reader) = inventory::open(inventory::Config::new(*b"a seed for tests"));
        let source = writer.name_source("mdm");
        writer.apply(source, noon().wall, updates);
        Self {
            writer,
            source,
            point: Arc::new(DecisionPoint::new(reader, rules(""))),
        }
    }

    /// What the loops of the network plane have in common here; `records` may wait.
    pub(crate) fn shared(
        &self,
        settings: Settings,
        records: usize,
        loops: u8,
        random: fn(&mut [u8]),
    ) -> Arc<Shared> {
        Arc::new(Shared {
            settings: Arc::new(settings).into(),
            point: Arc::clone(&self.point),
            sessions: Arc::new(Sessions::new(100)),
            admissions: Arc::new(Admissions::new(Arc::clone(&self.point), 1000)),
            records: Arc::new(RecordQueue::new(records)),
            correlations: Arc::new(CorrelationSource::starting_at(noon().wall)),
            random,
            loops,
        })
    }
}

/// Noon of the day around which the throw-away PKI is valid, with the monotonic clock at an hour.
pub(crate) fn noon() -> Now {
    Now {
        monotonic: Monotonic::from_elapsed(Duration::from_secs(3600)),
        wall: Timestamp::from_unix_seconds(1_780_315_200),
    }
}

/// [`POLICY`] and more rules.
pub(crate) fn rules(more: &str) -> Policy {
    match policy::parse("policy.toml", &format!("{POLICY}\n{more}")) {
        Ok((policy, _)) => policy,
        Err(problems) => panic!("{problems:?}"),
    }
}

/// What a source says of a device.
pub(crate) fn report(
    device: DeviceId,
    mac: MacAddress,
    managed: Tri,
    state: ComplianceState,
) -> DeviceReport {
    let mut report = DeviceReport::new(device);
    report.macs = vec![mac];
    report.managed = managed;
    report.compliance = Some(state);
    report
}

/// A NAS, or a network of them, that does as it should.
pub(crate) fn nas_config(name: &str, group: &str, network: &str) -> NasConfig {
    NasConfig {
        name: name.into(),
        group: group.into(),
        network: network.parse().expect("a network"),
        secret: Secret::new(SECRET.to_vec()),
        message_authenticator: MessageAuthenticatorPolicy::Require,
        accounting: true,
        dynamic_authorization: None,
    }
}
