//! A record as one JSON object.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use serde::Serialize;

use crate::access::DecisionPoint;
use crate::access::DecisionRecord;
use crate::access::Outcome;
use crate::model::Decision;
use crate::model::Fact;
use crate::model::PolicyId;
use crate::model::Posture;
use crate::model::SourceId;
use crate::model::Timestamp;

/// The record as it is written, without the line break. Names of policies, sources and users
/// are those of now; a policy that has been replaced since is given by its position.
#[must_use]
pub fn render(record: &DecisionRecord, point: &DecisionPoint) -> String {
    Names::default().render(record, point)
}

/// Names of sources that have been asked for. A source keeps its name as long as the process
/// lives, and asking takes a lock that the writer of the inventory holds while it works a batch
/// in: the journal must not wait for each fact of each record.
#[derive(Debug, Default)]
pub(super) struct Names(BTreeMap<u8, String>);

impl Names {
    /// The same as [`render`], with the names that are known already.
    pub(super) fn render(&mut self, record: &DecisionRecord, point: &DecisionPoint) -> String {
        if let Some(posture) = record.seen.posture() {
            self.learn(posture, point);
        }
        serde_json::to_string(&Line::new(record, point, self))
            .unwrap_or_else(|error| format!("{{\"error\":\"record not written: {error}\"}}"))
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
    facts: Option<Facts<'a>>,
}

impl<'a> Line<'a> {
    fn new(record: &'a DecisionRecord, point: &DecisionPoint, names: &'a Names) -> Self {
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
            facts: posture.map(|posture| Facts::new(posture, record.seen.at, names)),
        }
    }
}

fn policy_names(
    record: &DecisionRecord,
    decision: &Decision,
    point: &DecisionPoint,
) -> Vec<String> {
    let policy = point.policy_of(record.generation);
    let name = |id: PolicyId| match &policy {
        Some(policy) => policy.name(id).to_owned(),
        None => format!("#{}", id.0),
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
struct Facts<'a> {
    managed: Known<'a>,
    registered: Known<'a>,
    compliance: Known<'a>,
    #[serde(skip_serializing_if = "Known::is_unknown")]
    encrypted: Known<'a>,
    #[serde(skip_serializing_if = "Known::is_unknown")]
    jailbroken: Known<'a>,
    #[serde(skip_serializing_if = "Known::is_unknown")]
    passcode: Known<'a>,
    #[serde(skip_serializing_if = "Known::is_unknown")]
    eas_activated: Known<'a>,
    #[serde(skip_serializing_if = "Known::is_unknown")]
    threat: Known<'a>,
    platform: &'static str,
    os_version: String,
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
            os_version: posture.os_version.to_string(),
        }
    }
}

/// A fact with its source and its age in seconds at the time of the decision.
#[derive(Serialize)]
struct Known<'a> {
    value: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    age: Option<u64>,
}

impl<'a> Known<'a> {
    fn new<T: ToString>(fact: &Fact<T>, at: Timestamp, names: &'a Names) -> Self {
        let known = fact.is_known();
        Self {
            value: fact.value.to_string(),
            source: names.of(fact.source).filter(|_| known),
            age: known.then(|| fact.age(at).as_secs()),
        }
    }

    fn is_unknown(&self) -> bool {
        self.age.is_none()
    }
}
