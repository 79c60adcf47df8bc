//! The same line, as serde makes it: slow, and plain to see.

use std::fmt::Display;
use std::net::IpAddr;

use portreeve::access::Correlation;
use portreeve::access::DecisionPoint;
use portreeve::access::DecisionRecord;
use portreeve::access::Outcome;
use portreeve::model::ComplianceState;
use portreeve::model::Decision;
use portreeve::model::DeviceId;
use portreeve::model::Established;
use portreeve::model::Fact;
use portreeve::model::Generation;
use portreeve::model::MacAddress;
use portreeve::model::OsVersion;
use portreeve::model::Plane;
use portreeve::model::PolicyId;
use portreeve::model::Posture;
use portreeve::model::Shown;
use portreeve::model::ThreatLevel;
use portreeve::model::Timestamp;
use portreeve::model::Tri;
use serde::Serialize;
use serde::Serializer;

/// What [`render`](portreeve::journal::render) is to give.
pub(crate) fn line(record: &DecisionRecord, point: &DecisionPoint) -> String {
    serde_json::to_string(&Line::new(record, point)).unwrap()
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
    facts: Option<Facts>,
}

impl<'a> Line<'a> {
    fn new(record: &'a DecisionRecord, point: &'a DecisionPoint) -> Self {
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
            facts: posture.map(|posture| Facts::new(posture, record.seen.at, point)),
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
                let number = |id: &PolicyId| format!("#{}", id.0);
                serializer.collect_seq(deciding.map(|id| Shown(number(id))))
            }
        }
    }
}

#[derive(Serialize)]
struct Facts {
    managed: Known<Tri>,
    registered: Known<Tri>,
    compliance: Known<ComplianceState>,
    #[serde(skip_serializing_if = "Known::is_unknown")]
    encrypted: Known<Tri>,
    #[serde(skip_serializing_if = "Known::is_unknown")]
    jailbroken: Known<Tri>,
    #[serde(skip_serializing_if = "Known::is_unknown")]
    passcode: Known<Tri>,
    #[serde(skip_serializing_if = "Known::is_unknown")]
    eas_activated: Known<Tri>,
    #[serde(skip_serializing_if = "Known::is_unknown")]
    threat: Known<ThreatLevel>,
    platform: &'static str,
    os_version: Shown<OsVersion>,
}

impl Facts {
    fn new(posture: &Posture, at: Timestamp, point: &DecisionPoint) -> Self {
        Self {
            managed: Known::new(&posture.managed, at, point),
            registered: Known::new(&posture.registered, at, point),
            compliance: Known::new(&posture.compliance, at, point),
            encrypted: Known::new(&posture.encrypted, at, point),
            jailbroken: Known::new(&posture.jailbroken, at, point),
            passcode: Known::new(&posture.passcode, at, point),
            eas_activated: Known::new(&posture.eas_activated, at, point),
            threat: Known::new(&posture.threat, at, point),
            platform: posture.platform.as_str(),
            os_version: Shown(posture.os_version),
        }
    }
}

/// A fact with its source and its age in seconds at the time of the decision.
#[derive(Serialize)]
#[serde(bound = "T: Display")]
struct Known<T: Display> {
    value: Shown<T>,
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    age: Option<u64>,
}

impl<T: Display + Copy> Known<T> {
    fn new(fact: &Fact<T>, at: Timestamp, point: &DecisionPoint) -> Self {
        let known = fact.is_known();
        Self {
            value: Shown(fact.value),
            source: known
                .then(|| point.reader().source_name(fact.source))
                .flatten(),
            age: known.then(|| fact.age(at).as_secs()),
        }
    }

    fn is_unknown(&self) -> bool {
        self.age.is_none()
    }
}
