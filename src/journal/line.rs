//! A record as one JSON object, written where it is to stand: nothing is allocated on the way.
//!
//! What is the same in line after line is made once: the names of sources with the punctuation
//! around them, and the time down to the second.

use std::net::IpAddr;

use crate::access::DecisionPoint;
use crate::access::DecisionRecord;
use crate::access::Outcome;
use crate::journal::json::Json;
use crate::model::Decision;
use crate::model::DeviceId;
use crate::model::Fact;
use crate::model::Generation;
use crate::model::OsVersion;
use crate::model::PolicyId;
use crate::model::Posture;
use crate::model::SourceId;
use crate::model::Timestamp;
use crate::model::hex;

/// The record as it is written, without the line break. Names of policies, sources and users
/// are those of now; a policy that has been replaced since is given by its position.
#[must_use]
pub fn render(record: &DecisionRecord, point: &DecisionPoint) -> String {
    let mut line = Vec::new();
    Lines::default().write(&mut line, record, point);
    String::from_utf8_lossy(&line).into_owned()
}

/// Writes lines, and keeps what they have in common.
#[derive(Debug, Default)]
pub(super) struct Lines {
    sources: Sources,
    second: Option<Second>,
}

impl Lines {
    /// Appends what [`render`] gives.
    pub(super) fn write(
        &mut self,
        to: &mut Vec<u8>,
        record: &DecisionRecord,
        point: &DecisionPoint,
    ) {
        let posture = record.seen.posture();
        if let Some(posture) = posture {
            self.sources.learn(posture, point);
        }
        to.reserve(USUAL);
        let mut json = Json(to);
        json.raw(b"{\"time\":");
        self.time(&mut json, record.seen.at);
        json.raw(b",\"id\":\"");
        let [.., a, b] = quarters(u128::from(record.id.0));
        json.raw(&hex(a));
        json.raw(&hex(b));
        json.raw(b"\",\"plane\":\"");
        json.raw(record.seen.plane.as_str().as_bytes());
        json.raw(b"\",\"method\":");
        json.string(record.method.as_str());
        origin(&mut json, record);
        who(&mut json, record, point);
        if let Some(posture) = posture {
            json.raw(b",\"device\":\"");
            guid(&mut json, posture.device);
            json.raw(b"\"");
        }
        json.raw(b",\"established\":\"");
        json.raw(record.seen.established.as_str().as_bytes());
        json.raw(b"\"");
        json.optional(b",\"presented\":", record.presented.as_option());
        if let Some(station) = record.station {
            json.raw(b",\"station\":\"");
            json.raw(&station.spelled());
            json.raw(b"\"");
        }
        json.optional(b",\"device_type\":", record.device_type.as_option());
        json.optional(b",\"user_agent\":", record.user_agent.as_option());
        if record.mail_version > 0 {
            json.raw(b",\"protocol\":\"");
            json.number(u64::from(record.mail_version / 10));
            json.raw(b".");
            json.number(u64::from(record.mail_version % 10));
            json.raw(b"\"");
        }
        if record.attachment {
            json.raw(b",\"attachment\":true");
        }
        if let Some(called) = &record.called {
            let application = Some(&*called.application).filter(|name| !name.is_empty());
            json.optional(b",\"application\":", application);
            json.optional(b",\"upstream\":", Some(&called.upstream));
        }
        match &record.outcome {
            Outcome::Decided(decision) => decided(&mut json, decision, record.generation, point),
            Outcome::NotAuthenticated(why) => {
                json.raw(b",\"verdict\":\"reject\",\"reason\":");
                json.string(why.as_str());
                json.optional(b",\"advice\":", record.advice);
                if record.rounds > 0 {
                    json.raw(b",\"rounds\":");
                    json.number(u64::from(record.rounds));
                }
                json.optional(b",\"chain\":", record.chain.as_deref());
            }
        }
        if let Some(posture) = posture {
            self.facts(&mut json, posture, record.seen.at);
        }
        json.raw(b"}");
    }

    /// As [`Timestamp`] prints itself.
    fn time(&mut self, json: &mut Json<'_>, at: Timestamp) {
        let seconds = at.unix_seconds();
        if self
            .second
            .as_ref()
            .is_none_or(|last| last.number != seconds)
        {
            self.second = Second::of(at);
        }
        match &self.second {
            Some(second) => {
                json.raw(b"\"");
                json.raw(&second.text);
                let millis = at.unix_millis().rem_euclid(1000);
                json.padded(u32::try_from(millis).unwrap_or(0), 3);
                json.raw(b"Z\"");
            }
            None => json.shown(&at),
        }
    }

    fn facts(&self, json: &mut Json<'_>, posture: &Posture, at: Timestamp) {
        let p = posture;
        json.raw(b",\"facts\":{\"managed\":");
        self.fact(json, &p.managed, p.managed.value.as_str(), at);
        json.raw(b",\"registered\":");
        self.fact(json, &p.registered, p.registered.value.as_str(), at);
        json.raw(b",\"compliance\":");
        self.fact(json, &p.compliance, p.compliance.value.as_str(), at);
        // Of these only what somebody stated.
        self.known(
            json,
            b",\"encrypted\":",
            &p.encrypted,
            p.encrypted.value.as_str(),
            at,
        );
        self.known(
            json,
            b",\"jailbroken\":",
            &p.jailbroken,
            p.jailbroken.value.as_str(),
            at,
        );
        self.known(
            json,
            b",\"passcode\":",
            &p.passcode,
            p.passcode.value.as_str(),
            at,
        );
        let eas = &p.eas_activated;
        self.known(json, b",\"eas_activated\":", eas, eas.value.as_str(), at);
        self.known(
            json,
            b",\"threat\":",
            &p.threat,
            p.threat.value.as_str(),
            at,
        );
        json.raw(b",\"platform\":\"");
        json.raw(p.platform.as_str().as_bytes());
        json.raw(b"\",\"os_version\":\"");
        version(json, p.os_version);
        json.raw(b"\"}");
    }

    fn known<T>(
        &self,
        json: &mut Json<'_>,
        key: &'static [u8],
        fact: &Fact<T>,
        value: &'static str,
        at: Timestamp,
    ) {
        if fact.is_known() {
            json.raw(key);
            self.fact(json, fact, value, at);
        }
    }

    /// A fact with its source and its age in seconds at the time of the decision.
    fn fact<T>(&self, json: &mut Json<'_>, fact: &Fact<T>, value: &'static str, at: Timestamp) {
        json.raw(b"{\"value\":\"");
        json.raw(value.as_bytes());
        json.raw(b"\"");
        if fact.is_known() {
            json.raw(self.sources.of(fact.source));
            json.raw(b",\"age\":");
            json.number(fact.age(at).as_secs());
        }
        json.raw(b"}");
    }
}

/// Names of sources that have been asked for, by number, as they stand in a line: key, name and
/// punctuation. A source keeps its name as long as the process lives, and asking takes a lock that
/// the writer of the inventory holds while it works a batch in: the journal must not wait for each
/// fact of each record.
#[derive(Debug, Default)]
struct Sources(Vec<Vec<u8>>);

impl Sources {
    fn learn(&mut self, posture: &Posture, point: &DecisionPoint) {
        for source in sources(posture) {
            let place = usize::from(source.0);
            if self.0.get(place).is_none_or(Vec::is_empty)
                && let Some(name) = point.reader().source_name(source)
            {
                if self.0.len() <= place {
                    self.0.resize(place + 1, Vec::new());
                }
                if let Some(fragment) = self.0.get_mut(place) {
                    Json(fragment).optional(b",\"source\":", Some(&name));
                }
            }
        }
    }

    /// Nothing for a source without a name.
    fn of(&self, source: SourceId) -> &[u8] {
        self.0.get(usize::from(source.0)).map_or(&[], Vec::as_slice)
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

/// The beginning of every time of one second, up to the point before its thousandths.
#[derive(Debug)]
struct Second {
    number: i64,
    text: [u8; 20],
}

impl Second {
    /// `None` of a time that has no calendar form.
    fn of(at: Timestamp) -> Option<Self> {
        let text = at.to_string();
        let text = text.as_bytes().split_last_chunk::<4>()?.0;
        Some(Self {
            number: at.unix_seconds(),
            text: text
                .try_into()
                .ok()
                .filter(|text: &[u8; 20]| text.ends_with(b"."))?,
        })
    }
}

/// Where the request came from.
fn origin(json: &mut Json<'_>, record: &DecisionRecord) {
    json.optional(b",\"nas\":", record.nas.as_option());
    json.optional(b",\"nas_group\":", record.nas_group.as_option());
    json.optional(b",\"ssid\":", record.ssid.as_option());
    if let Some(claims) = &record.claims {
        let said = claims.claims();
        json.raw(b",\"claimed\":{");
        let mut first = true;
        for (key, text) in [
            (&b"\"platform\":"[..], said.platform),
            (b"\"os_version\":", said.os_version),
            (b"\"host_name\":", said.host_name),
            (b"\"client\":", said.client),
        ] {
            if text.is_empty() {
                continue;
            }
            if !first {
                json.raw(b",");
            }
            first = false;
            json.raw(key);
            json.string(text);
        }
        json.raw(b"}");
    }
    match record.from {
        Some(IpAddr::V4(address)) => {
            json.raw(b",\"from\":\"");
            for (place, octet) in address.octets().into_iter().enumerate() {
                if place > 0 {
                    json.raw(b".");
                }
                json.number(u64::from(octet));
            }
            json.raw(b"\"");
        }
        Some(from @ IpAddr::V6(_)) => {
            json.raw(b",\"from\":");
            json.shown(&from);
        }
        None => {}
    }
}

/// The user who was named, else the owner of the device, who is marked as such.
fn who(json: &mut Json<'_>, record: &DecisionRecord, point: &DecisionPoint) {
    match record.user.as_option() {
        Some(user) => json.optional(b",\"user\":", Some(user)),
        None => {
            if let Some(owner) = record.seen.user_name(point.reader()) {
                json.optional(b",\"user\":", Some(owner));
                json.raw(b",\"user_from\":\"inventory\"");
            }
        }
    }
}

fn decided(
    json: &mut Json<'_>,
    decision: &Decision,
    generation: Generation,
    point: &DecisionPoint,
) {
    json.raw(b",\"verdict\":\"");
    json.raw(decision.verdict.as_str().as_bytes());
    json.raw(b"\",\"code\":");
    json.number(u64::from(decision.reason.code()));
    json.raw(b",\"reason\":");
    json.string(decision.reason.name());
    json.raw(b",\"sentence\":");
    json.string(decision.reason.sentence());
    policies(json, &decision.deciding, generation, point);
    if let Some(rehearsed) = &decision.rehearsed {
        json.raw(b",\"report_only\":{\"verdict\":\"");
        json.raw(rehearsed.verdict.as_str().as_bytes());
        json.raw(b"\",\"code\":");
        json.number(u64::from(rehearsed.reason.code()));
        json.raw(b",\"reason\":");
        json.string(rehearsed.reason.name());
        let mut only = [None; Decision::DECIDING];
        if let Some(first) = only.first_mut() {
            *first = Some(rehearsed.policy);
        }
        policies(json, &only, generation, point);
        json.raw(b"}");
    }
}

/// The policies that decided, by name; by number if they have been replaced since.
fn policies(
    json: &mut Json<'_>,
    deciding: &[Option<PolicyId>; Decision::DECIDING],
    generation: Generation,
    point: &DecisionPoint,
) {
    if deciding.iter().all(Option::is_none) {
        return;
    }
    let policy = point.policy_of(generation);
    json.raw(b",\"policies\":[");
    for (place, id) in deciding.iter().flatten().enumerate() {
        if place > 0 {
            json.raw(b",");
        }
        match &policy {
            Some(policy) => json.string(policy.name(*id)),
            None => {
                json.raw(b"\"#");
                json.number(u64::from(id.0));
                json.raw(b"\"");
            }
        }
    }
    json.raw(b"]");
}

/// As [`DeviceId`] prints itself.
fn guid(json: &mut Json<'_>, device: DeviceId) {
    let [a, b, c, d] = quarters(device.as_u128()).map(hex);
    let (b, c) = (b.split_at(4), c.split_at(4));
    for (place, digits) in [&a, b.0, b.1, c.0].into_iter().enumerate() {
        if place > 0 {
            json.raw(b"-");
        }
        json.raw(digits);
    }
    json.raw(b"-");
    json.raw(c.1);
    json.raw(&d);
}

/// A number in four parts, highest first.
fn quarters(number: u128) -> [u32; 4] {
    [96, 64, 32, 0].map(|shift| (number >> shift & 0xffff_ffff) as u32)
}

/// As [`OsVersion`] prints itself.
fn version(json: &mut Json<'_>, version: OsVersion) {
    for (place, number) in version.numbers().iter().enumerate() {
        if place > 0 {
            json.raw(b".");
        }
        json.number(u64::from(*number));
    }
}

/// Octets of a usual line; a longer one grows the batch.
const USUAL: usize = 1024;
