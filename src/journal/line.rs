//! A record as one JSON object, written where it is to stand: nothing is allocated on the way.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fmt::Display;
use std::io;
use std::net::IpAddr;

use serde::Serialize;
use serde::Serializer;

use crate::access::Correlation;
use crate::access::DecisionPoint;
use crate::access::DecisionRecord;
use crate::access::Outcome;
use crate::access::Text;
use crate::model::ComplianceState;
use crate::model::Decision;
use crate::model::DeviceId;
use crate::model::Established;
use crate::model::Fact;
use crate::model::Generation;
use crate::model::MacAddress;
use crate::model::OsVersion;
use crate::model::Plane;
use crate::model::PolicyId;
use crate::model::Posture;
use crate::model::Shown;
use crate::model::SourceId;
use crate::model::ThreatLevel;
use crate::model::Timestamp;
use crate::model::Tri;

/// The record as it is written, without the line break. Names of policies, sources and users
/// are those of now; a policy that has been replaced since is given by its position.
#[must_use]
pub fn render(record: &DecisionRecord, point: &DecisionPoint) -> String {
    let mut line = Vec::new();
    match Names::default().write(&mut line, record, point) {
        Ok(()) => String::from_utf8_lossy(&line).into_owned(),
        Err(error) => format!("{{\"error\":\"record not written: {error}\"}}"),
    }
}

/// Names of sources that have been asked for. A source keeps its name as long as the process
/// lives, and asking takes a lock that the writer of the inventory holds while it works a batch
/// in: the journal must not wait for each fact of each record.
#[derive(Debug, Default)]
pub(super) struct Names(BTreeMap<u8, String>);

impl Names {
    /// Appends what [`render`] gives, with the names that are known already.
    pub(super) fn write(
        &mut self,
        to: &mut Vec<u8>,
        record: &DecisionRecord,
        point: &DecisionPoint,
    ) -> io::Result<()> {
        if let Some(posture) = record.seen.posture() {
            self.learn(posture, point);
        }
        let line = Line::new(record, point, self);
        serde_json::to_writer(to, &line).map_err(io::Error::from)
    }

    fn learn(&mut self, posture: &Posture, point: &DecisionPoint) {
        for source in sources(posture) {
            if let Entry::Vacant(entry) = self.0.entry(source.0)
                && let Some(name) = point.reader().source_name(source)
            {
                entry.insert(name);
            }
        }
    }

    fn of(&self, source: SourceId) -> Option<&str> {
        self.0.get(&source.0).map(String::as_str)
    }
}

fn sources(posture: &Posture) -> [SourceId; 8] {
    [
        posture.managed.source,
        posture.registered.source,
        posture.compliance.source,
        posture.encrypted.source,
        posture.jailbroken.source,
        posture.passcode.source,
        posture.eas_activated.source,
        posture.threat.source,
    ]
}

#[derive(Serialize)]
struct Line<'a> {
    time: Shown<Timestamp>,
    id: Shown<Correlation>,
    plane: Shown<Plane>,
    method: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    nas: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    nas_group: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ssid: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<Shown<IpAddr>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<&'a str>,
    /// `inventory` when the credential named a device and no user, who is then its owner.
    #[serde(skip_serializing_if = "Option::is_none")]
    user_from: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    device: Option<Shown<DeviceId>>,
    established: Shown<Established>,
    #[serde(skip_serializing_if = "Option::is_none")]
    presented: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    station: Option<Shown<MacAddress>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    device_type: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_agent: Option<&'a str>,
    verdict: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<u16>,
    reason: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    sentence: Option<&'static str>,
    #[serde(skip_serializing_if = "Policies::is_empty")]
    policies: Policies<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    facts: Option<Facts<'a>>,
}

impl<'a> Line<'a> {
    fn new(record: &'a DecisionRecord, point: &'a DecisionPoint, names: &'a Names) -> Self {
        let posture = record.seen.posture();
        let presented = record.user.as_option();
        let owner = match presented {
            Some(_) => None,
            None => record.seen.user_name(point.reader()),
        };
        let (verdict, code, reason, sentence, deciding) = match &record.outcome {
            Outcome::Decided(decision) => (
                decision.verdict.as_str(),
                Some(decision.reason.code()),
                decision.reason.name(),
                Some(decision.reason.sentence()),
                decision.deciding,
            ),
            Outcome::NotAuthenticated(why) => (
                "reject",
                None,
                why.as_str(),
                None,
                [None; Decision::DECIDING],
            ),
        };
        Self {
            time: Shown(record.seen.at),
            id: Shown(record.id),
            plane: Shown(record.seen.plane),
            method: record.method.as_str(),
            nas: record.nas.as_option(),
            nas_group: record.nas_group.as_option(),
            ssid: record.ssid.as_option(),
            from: record.from.map(Shown),
            user: presented.or(owner),
            user_from: owner.map(|_| "inventory"),
            device: posture.map(|posture| Shown(posture.device)),
            established: Shown(record.seen.established),
            presented: record.presented.as_option(),
            station: record.station.map(Shown),
            device_type: record.device_type.as_option(),
            user_agent: record.user_agent.as_option(),
            verdict,
            code,
            reason,
            sentence,
            policies: Policies {
                deciding,
                generation: record.generation,
                point,
            },
            facts: posture.map(|posture| Facts::new(posture, record.seen.at, names)),
        }
    }
}

/// The policies that decided, by name; by number if they have been replaced since.
struct Policies<'a> {
    deciding: [Option<PolicyId>; Decision::DECIDING],
    generation: Generation,
    point: &'a DecisionPoint,
}

impl Policies<'_> {
    fn is_empty(&self) -> bool {
        self.deciding.iter().all(Option::is_none)
    }
}

impl Serialize for Policies<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let deciding = self.deciding.iter().flatten();
        match self.point.policy_of(self.generation) {
            Some(policy) => serializer.collect_seq(deciding.map(|id| policy.name(*id))),
            None => {
                let number = |id: &PolicyId| Text::<8>::display(&format_args!("#{}", id.0));
                serializer.collect_seq(deciding.map(|id| Shown(number(id))))
            }
        }
    }
}

#[derive(Serialize)]
struct Facts<'a> {
    managed: Known<'a, Tri>,
    registered: Known<'a, Tri>,
    compliance: Known<'a, ComplianceState>,
    #[serde(skip_serializing_if = "Known::is_unknown")]
    encrypted: Known<'a, Tri>,
    #[serde(skip_serializing_if = "Known::is_unknown")]
    jailbroken: Known<'a, Tri>,
    #[serde(skip_serializing_if = "Known::is_unknown")]
    passcode: Known<'a, Tri>,
    #[serde(skip_serializing_if = "Known::is_unknown")]
    eas_activated: Known<'a, Tri>,
    #[serde(skip_serializing_if = "Known::is_unknown")]
    threat: Known<'a, ThreatLevel>,
    platform: &'static str,
    os_version: Shown<OsVersion>,
}

impl<'a> Facts<'a> {
    fn new(posture: &Posture, at: Timestamp, names: &'a Names) -> Self {
        Self {
            managed: Known::new(&posture.managed, at, names),
            registered: Known::new(&posture.registered, at, names),
            compliance: Known::new(&posture.compliance, at, names),
            encrypted: Known::new(&posture.encrypted, at, names),
            jailbroken: Known::new(&posture.jailbroken, at, names),
            passcode: Known::new(&posture.passcode, at, names),
            eas_activated: Known::new(&posture.eas_activated, at, names),
            threat: Known::new(&posture.threat, at, names),
            platform: posture.platform.as_str(),
            os_version: Shown(posture.os_version),
        }
    }
}

/// A fact with its source and its age in seconds at the time of the decision.
#[derive(Serialize)]
#[serde(bound = "T: Display")]
struct Known<'a, T: Display> {
    value: Shown<T>,
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    age: Option<u64>,
}

impl<'a, T: Display + Copy> Known<'a, T> {
    fn new(fact: &Fact<T>, at: Timestamp, names: &'a Names) -> Self {
        let known = fact.is_known();
        Self {
            value: Shown(fact.value),
            source: names.of(fact.source).filter(|_| known),
            age: known.then(|| fact.age(at).as_secs()),
        }
    }

    fn is_unknown(&self) -> bool {
        self.age.is_none()
    }
}
