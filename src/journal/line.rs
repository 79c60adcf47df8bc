//! A record as one JSON object.

use std::borrow::Cow;

use serde::Serialize;

use crate::access::DecisionPoint;
use crate::access::DecisionRecord;
use crate::access::Outcome;
use crate::model::Decision;
use crate::model::Fact;
use crate::model::Posture;
use crate::model::Timestamp;

/// The record as it is written, without the line break. Names of policies, sources and users
/// are those of now; a policy that has been replaced since is given by its position.
#[must_use]
pub fn render(record: &DecisionRecord, point: &DecisionPoint) -> String {
    serde_json::to_string(&Line::new(record, point))
        .unwrap_or_else(|error| format!("{{\"error\":\"record not written: {error}\"}}"))
}

#[derive(Serialize)]
struct Line<'a> {
    time: String,
    id: String,
    plane: String,
    method: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    nas: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    nas_group: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ssid: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    device: Option<String>,
    established: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    presented: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    station: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    device_type: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_agent: Option<&'a str>,
    verdict: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<u16>,
    reason: Cow<'a, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sentence: Option<&'static str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    policies: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    facts: Option<Facts>,
}

impl<'a> Line<'a> {
    fn new(record: &'a DecisionRecord, point: &DecisionPoint) -> Self {
        let posture = record.seen.posture();
        let (verdict, code, reason, sentence, policies) = match &record.outcome {
            Outcome::Decided(decision) => (
                decision.verdict.to_string(),
                Some(decision.reason.code()),
                Cow::Borrowed(decision.reason.name()),
                Some(decision.reason.sentence()),
                policy_names(record, decision, point),
            ),
            Outcome::NotAuthenticated(why) => (
                "reject".to_owned(),
                None,
                Cow::Borrowed(why.as_str()),
                None,
                Vec::new(),
            ),
        };
        Self {
            time: record.seen.at.to_string(),
            id: record.id.to_string(),
            plane: record.seen.plane.to_string(),
            method: record.method.as_str(),
            nas: record.nas.as_option(),
            nas_group: record.nas_group.as_option(),
            ssid: record.ssid.as_option(),
            from: record.from.map(|address| address.to_string()),
            user: record.user.as_option(),
            device: posture.map(|posture| posture.device.to_string()),
            established: record.seen.established.to_string(),
            presented: record.presented.as_option(),
            station: record.station.map(|station| station.to_string()),
            device_type: record.device_type.as_option(),
            user_agent: record.user_agent.as_option(),
            verdict,
            code,
            reason,
            sentence,
            policies,
            facts: posture.map(|posture| Facts::new(posture, record.seen.at, point)),
        }
    }
}

fn policy_names(
    record: &DecisionRecord,
    decision: &Decision,
    point: &DecisionPoint,
) -> Vec<String> {
    let current = point.generation().policy == record.generation.policy;
    let policy = point.policy();
    let name = |id| {
        if current {
            policy.name(id).to_owned()
        } else {
            format!("#{}", id.0)
        }
    };
    decision
        .deciding
        .iter()
        .flatten()
        .copied()
        .map(name)
        .collect()
}

#[derive(Serialize)]
struct Facts {
    managed: Known,
    registered: Known,
    compliance: Known,
    #[serde(skip_serializing_if = "Known::is_unknown")]
    encrypted: Known,
    #[serde(skip_serializing_if = "Known::is_unknown")]
    jailbroken: Known,
    #[serde(skip_serializing_if = "Known::is_unknown")]
    passcode: Known,
    #[serde(skip_serializing_if = "Known::is_unknown")]
    eas_activated: Known,
    #[serde(skip_serializing_if = "Known::is_unknown")]
    threat: Known,
    platform: &'static str,
    os_version: String,
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
            os_version: posture.os_version.to_string(),
        }
    }
}

/// A fact with its source and its age in seconds at the time of the decision.
#[derive(Serialize)]
struct Known {
    value: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    age: Option<u64>,
}

impl Known {
    fn new<T: ToString>(fact: &Fact<T>, at: Timestamp, point: &DecisionPoint) -> Self {
        let known = fact.is_known();
        Self {
            value: fact.value.to_string(),
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
