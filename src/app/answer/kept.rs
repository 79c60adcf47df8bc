//! What is explained of a decision that is in memory no more: what the history or the journal has of it.

use std::path::PathBuf;

use serde_json::Value;
use serde_json::json;

use crate::access::Correlation;
use crate::journal;
use crate::journal::Found;
use crate::journal::Query;
use crate::journal::Sought;
use crate::model::DeviceId;
use crate::model::Plain;
use crate::model::Timestamp;
use crate::net::control::Response;

/// Where records are kept.
pub(in crate::app) struct Kept {
    pub(in crate::app) journal: PathBuf,
    /// None where no history is kept.
    pub(in crate::app) history: Option<PathBuf>,
}

impl Kept {
    /// What is on disk of a decision.
    pub(super) fn explain(&self, id: Correlation) -> Option<Response> {
        // Of a serial number that looks like this there may be others.
        let of_history = self.of_history(&id.to_string(), |found| found.id == id);
        let (line, whose) = of_history
            .map(|line| (line, "the history"))
            .or_else(|| Some((self.of_journal(id)?, "the journal")))?;
        explained(&line, whose)
    }

    /// What the history has of the latest decision about a device.
    pub(super) fn explain_latest(&self, device: DeviceId) -> Option<Response> {
        let line = self.of_history(&device.to_string(), |_| true)?;
        explained(&line, "the history")
    }

    fn of_history(&self, subject: &str, is_it: impl Fn(&Found) -> bool) -> Option<String> {
        let query = Query {
            subject: Some(subject.to_owned()),
            alias: None,
            outcome: Sought::Any,
            nas: None,
            since: Timestamp::from_unix_seconds(0),
            until: Timestamp::from_unix_seconds(i64::from(u32::MAX)),
            limit: 10,
        };
        let found = journal::search(self.history.as_deref()?, &query, |error| {
            tracing::warn!(%error, "a day of the history cannot be read");
        });
        let (found, _) = found.ok()?;
        found.into_iter().find(is_it).map(|found| found.line)
    }

    fn of_journal(&self, id: Correlation) -> Option<String> {
        journal::find(&self.journal, id).unwrap_or_else(|error| {
            tracing::warn!(%error, "the journal cannot be read");
            None
        })
    }
}

fn explained(line: &str, whose: &str) -> Option<Response> {
    let record: Value = serde_json::from_str(line).ok()?;
    Some(Response::Answer {
        text: text(&record, whose),
        json: json!({ "record": record, "trace": null }),
    })
}

/// A journal's line for people.
fn text(record: &Value, whose: &str) -> String {
    let said = |key: &str| record.get(key).and_then(Value::as_str).unwrap_or_default();
    let is_reject = said("verdict") == "reject";
    let mut lines = if is_reject {
        vec![
            format!("{} {}", said("time"), said("id")),
            format!("not authenticated: {}", said("reason")),
        ]
    } else {
        let code = record.get("code").and_then(Value::as_u64);
        let code = code.map_or_else(String::new, |code| format!("{code} "));
        vec![
            format!("decision {} of {}", said("id"), said("time")),
            format!(
                "{}: {code}{}. {}",
                said("verdict"),
                said("reason"),
                said("sentence")
            ),
        ]
    };
    let list = |key: &str| -> Vec<&str> {
        let values = record.get(key).and_then(Value::as_array);
        values
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect()
    };
    let policies = list("policies").join(", ");
    for (name, value) in [
        ("what to do", said("advice")),
        ("decided by", &policies),
        ("method", said("method")),
        ("user", said("user")),
        ("device", said("device")),
        ("established", said("established")),
        ("presented", said("presented")),
        ("station", said("station")),
        ("NAS", said("nas")),
        ("group of NASes", said("nas_group")),
        ("network", said("ssid")),
        ("from", said("from")),
        ("kind of mail client", said("device_type")),
        ("user agent", said("user_agent")),
    ] {
        if !value.is_empty() {
            lines.push(format!("{name}: {value}"));
        }
    }
    if let Some(rounds) = record.get("rounds").and_then(Value::as_u64) {
        lines.push(format!("last round: {rounds}"));
    }
    for (place, one) in (1..).zip(said("chain").split("; ").filter(|one| !one.is_empty())) {
        lines.push(format!("certificate {place}: {one}"));
    }
    lines.extend(facts(record));
    if !is_reject {
        lines.push(format!(
            "This is what {whose} has. What each policy and condition said is kept in memory alone, of the \
             last few thousand decisions and not over a restart; for the policies of today ask about \
             the device."
        ));
    }
    lines
        .iter()
        .map(|line| format!("{}\n", Plain(line)))
        .collect()
}

/// What was seen of the device: `managed: yes (intune, 240 s old)`.
fn facts(record: &Value) -> Vec<String> {
    let Some(facts) = record.get("facts").and_then(Value::as_object) else {
        return Vec::new();
    };
    let line = |(name, fact): (&String, &Value)| {
        let value = fact.as_str().or_else(|| fact.get("value")?.as_str())?;
        let source = fact.get("source").and_then(Value::as_str);
        let age = fact.get("age").and_then(Value::as_u64);
        Some(match (source, age) {
            (Some(source), Some(age)) => format!("seen, {name}: {value} ({source}, {age} s old)"),
            (None, _) | (_, None) => format!("seen, {name}: {value}"),
        })
    };
    facts.iter().filter_map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_decision_on_disk_is_told_with_all_that_its_line_has() {
        let record = json!({
            "time": "2026-11-28T09:00:00.000Z", "id": "0000000000001234", "method": "eap-tls 1.3",
            "nas": "ap-1", "user": "eve\u{1b}[2J\nforged", "device": "0f8fad5b",
            "verdict": "quarantine", "code": 53003, "reason": "DeviceNotCompliant",
            "sentence": "The device is not compliant.", "policies": ["staff", "all"],
            "facts": { "managed": { "value": "yes", "source": "intune", "age": 240 }, "platform": "iOS" },
        });
        let text = text(&record, "the history");
        for line in [
            "decision 0000000000001234 of 2026-11-28T09:00:00.000Z",
            "quarantine: 53003 DeviceNotCompliant. The device is not compliant.",
            "decided by: staff, all",
            r"user: eve\x1b[2J\nforged",
            "seen, managed: yes (intune, 240 s old)",
            "seen, platform: iOS",
        ] {
            assert!(text.lines().any(|of| of == line), "{line:?} in {text}");
        }
        assert!(text.contains("kept in memory alone"));
    }

    #[test]
    fn a_reject_on_disk_is_told_with_what_to_do_and_what_was_shown() {
        let record = json!({
            "time": "2026-11-28T09:00:00.000Z", "id": "0000000000001234", "method": "eap-tls 1.3",
            "verdict": "reject", "reason": "server: the certificate is expired", "advice": "renew it",
            "rounds": 4, "chain": "CN=a by CN=b; CN=b by CN=b",
        });
        let text = text(&record, "the journal");
        for line in [
            "not authenticated: server: the certificate is expired",
            "what to do: renew it",
            "last round: 4",
            "certificate 2: CN=b by CN=b",
        ] {
            assert!(text.lines().any(|of| of == line), "{line:?} in {text}");
        }
    }
}
