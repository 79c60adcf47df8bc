//! What the control socket answers: `status`, `explain`, `device`, `sync`.

use std::net::SocketAddr;
use std::sync::Arc;

use serde_json::Value;
use serde_json::json;

use crate::access::Correlation;
use crate::access::DecisionPoint;
use crate::access::DecisionRecord;
use crate::access::Live;
use crate::access::Outcome;
use crate::access::Sessions;
use crate::app::clients::Clients;
use crate::app::groups;
use crate::app::metrics::Metrics;
use crate::app::revocation::Revocation;
use crate::app::sources;
use crate::app::users::Users;
use crate::inventory::Lookup;
use crate::journal;
use crate::journal::Recent;
use crate::model::DeviceId;
use crate::model::EasDeviceId;
use crate::model::EntraDeviceId;
use crate::model::Identifier;
use crate::model::MacAddress;
use crate::model::Plain;
use crate::model::Reason;
use crate::model::SerialNumber;
use crate::model::Timestamp;
use crate::net::Clock;
use crate::net::control::Request;
use crate::net::control::Response;
use crate::sync;

mod clients;
mod device;
mod kept;
mod mail;
mod planes;
mod told;
mod trees;

pub(super) use kept::Kept;
use planes::counts;
use planes::counts_line;
use planes::directories_json;
use planes::directory_lines;
use planes::home_json;
use planes::home_line;
use planes::mail_json;
use planes::mail_lines;
use planes::radsec_json;
use planes::radsec_line;

/// Everything that an answer may need.
pub(super) struct Desk {
    pub(super) clock: Clock,
    pub(super) started: Timestamp,
    pub(super) point: Arc<DecisionPoint>,
    pub(super) live: Arc<Live>,
    pub(super) sessions: Arc<Sessions>,
    pub(super) recent: Arc<Recent>,
    pub(super) journal: journal::Flush,
    /// Where records are kept that are in memory no more.
    pub(super) kept: Kept,
    pub(super) sources: sync::Handle,
    pub(super) revocation: Arc<Revocation>,
    pub(super) metrics: Metrics,
    pub(super) clients: Arc<Clients>,
    /// What listens where, for people.
    pub(super) doors: Vec<(&'static str, SocketAddr)>,
}

impl Desk {
    pub(super) fn answer(&self, request: &Request) -> Response {
        match request {
            Request::Status => self.status(),
            Request::Explain { id } => self.explain(id),
            Request::ExplainDevice { device } => self.explain_device(device),
            Request::Device { device } => self.device(device),
            Request::Sync {
                source,
                quick,
                accept,
            } => sources::ask(&self.sources, source.as_deref(), *quick, *accept),
            Request::Release { keep } => self.release(*keep),
            Request::Clients { filter, from } => self.clients(filter, *from),
            Request::ExplainClient {
                device,
                user,
                no_message,
            } => self.explain_client(device, user.as_deref(), *no_message),
            Request::ClientAction {
                device,
                user,
                action,
                by,
                confirmed,
            } => self.client_action(device, user.as_deref(), *action, (by, *confirmed)),
            Request::SyncProgress { source, number } => {
                let now = self.clock.now().wall;
                sources::progress(&self.sources, source.as_deref(), *number, now)
            }
        }
    }

    fn status(&self) -> Response {
        let now = self.clock.now().wall;
        let reader = self.point.reader();
        let generation = self.point.generation();
        let uptime = now.since(self.started).as_secs();
        let feeds = self.sources.status();
        let policies = self.point.policy().len();
        let unmet = groups::unmet_now(&self.point);
        let lost: u64 = self.metrics.lost().iter().map(|(_, count)| count).sum();
        let (_, skipped) = self.metrics.history();
        let directories = self.metrics.directories.load().status();
        let discovered = self.metrics.discovered.homes();
        let json = json!({
            "version": env!("CARGO_PKG_VERSION"),
            "uptime": uptime,
            "devices": reader.device_count(),
            "users": reader.user_count(),
            "policies": policies,
            "generation": { "inventory": generation.inventory, "policy": generation.policy },
            "sessions": self.sessions.len(),
            "mail_requests": self.live.len(),
            "mail_clients": reader.client_count(),
            "network_peers": self.metrics.admissions.len(),
            "network_peers_held": self.metrics.admissions.held(),
            "records_lost": lost,
            "history": { "rows": self.metrics.history().0, "without_place": skipped },
            "doors": self.doors.iter().map(|(door, address)| {
                json!({ "door": door, "address": address.to_string() })
            }).collect::<Vec<_>>(),
            "replies": counts(&self.metrics.replies()),
            "dropped": counts(&self.metrics.dropped()),
            "sources": feeds.iter().map(|source| sources::json(source, now)).collect::<Vec<_>>(),
            "warnings": unmet.iter().map(ToString::to_string).collect::<Vec<_>>(),
            "radsec": self.metrics.radsec.as_deref().map(radsec_json),
            "homes": self.metrics.homes().iter().map(|home| home_json(home)).collect::<Vec<_>>(),
            "discovered": discovered.iter().map(|home| home_json(home)).collect::<Vec<_>>(),
            "lookups": counts(&self.metrics.lookups()),
            "revocation": self.revocation.json(),
            "directories": directories_json(&directories),
            "mail": self.metrics.mail.as_deref().map(mail_json),
            "mail_users": self.metrics.users.as_ref().map(Users::json),
            "snapshot": self.metrics.snapshots.as_deref().map(|snapshots| snapshots.json(now)),
        });
        let mut text = format!(
            "up {uptime} s, {} devices, {} users, {policies} policies\n\
             {} sessions reported by accounting, {} let in that are followed, {} mail requests under way, \
             {lost} records lost\n",
            reader.device_count(),
            reader.user_count(),
            self.sessions.len(),
            self.metrics.admissions.len(),
            self.live.len(),
        );
        if skipped > 0 {
            text.push_str(&format!(
                "{skipped} decisions had no place in the history; the journal's files have them\n"
            ));
        }
        let held = self.metrics.admissions.held();
        if held > 0 {
            text.push_str(&format!(
                "{held} network sessions would end and are held: `portreeve release` ends them, \
                 `portreeve release --keep` lets them stay\n"
            ));
        }
        for (door, address) in &self.doors {
            text.push_str(&format!("door {door}: {address}\n"));
        }
        for (what, counts) in [
            ("replies", self.metrics.replies()),
            ("dropped", self.metrics.dropped()),
        ] {
            text.push_str(&format!("{what}: {}\n", counts_line(&counts)));
        }
        if let Some(radsec) = &self.metrics.radsec {
            text.push_str(&radsec_line(radsec));
        }
        for home in self.metrics.homes() {
            text.push_str(&home_line(&home));
        }
        for home in discovered.iter().take(SHOWN) {
            text.push_str(&home_line(home));
        }
        if discovered.len() > SHOWN {
            let more = discovered.len() - SHOWN;
            text.push_str(&format!("{more} more home servers that DNS has led to\n"));
        }
        text.push_str(&self.revocation.lines(now));
        text.push_str(&directory_lines(&directories));
        if let Some(mail) = &self.metrics.mail {
            text.push_str(&mail_lines(mail));
        }
        if let Some(users) = &self.metrics.users {
            text.push_str(&users.lines());
        }
        if let Some(snapshots) = &self.metrics.snapshots {
            text.push_str(&snapshots.line(now));
        }
        for source in &feeds {
            text.push_str(&sources::lines(source, now));
        }
        for problem in &unmet {
            text.push_str(&format!("{problem}\n"));
        }
        Response::Answer { json, text }
    }

    fn release(&self, keep: bool) -> Response {
        let count = self.metrics.admissions.release(self.clock.now().wall, keep);
        if count == 0 {
            return refused("nothing is held");
        }
        let what = if keep { "stay" } else { "end now" };
        tracing::warn!(sessions = count, keep, "held network sessions are released");
        Response::Answer {
            json: json!({ "released": count, "kept": keep }),
            text: format!("{count} network sessions {what}\n"),
        }
    }

    fn explain(&self, id: &str) -> Response {
        self.journal.flush();
        let Some(number) = Correlation::parse(id) else {
            return refused("a decision's number has sixteen hexadecimal digits");
        };
        if let Some(record) = self.recent.find(number) {
            return self.explain_record(&record);
        }
        if let Some(explanation) = self.kept.explain(number) {
            return explanation;
        }
        // A serial number or DeviceId can look like a decision's number.
        let found = self.find(id).ok();
        self.explain_latest(id, found).unwrap_or_else(|| {
            refused(
                "no decision of that number is in memory, in the history or in the journal's files; \
                 `portreeve decisions` searches by device, user and address",
            )
        })
    }

    fn explain_device(&self, text: &str) -> Response {
        self.journal.flush();
        let found = self.find(text);
        let device = found.as_ref().ok().copied();
        let latest = self.explain_latest(text, device);
        let latest = latest.or_else(|| self.kept.explain_latest(device?));
        match (latest, found) {
            (Some(explanation), _) => self.with_standings(explanation, text, device),
            (None, Ok(_)) => refused(
                "no decision about that device has been made since the start, and the history has none",
            ),
            (None, Err(response)) => response,
        }
    }

    /// The latest decision about a device; or, where `text` is the DeviceId of mail clients that
    /// were not taken for any device, the latest of theirs.
    fn explain_latest(&self, text: &str, device: Option<DeviceId>) -> Option<Response> {
        if let Some(record) = device.and_then(|device| self.recent.last_of(device)) {
            return Some(self.explain_record(&record));
        }
        let eas = text.trim().parse().ok()?;
        let records = self.recent.with_mail_id(eas, EARLIER + 1);
        let (newest, earlier) = records.split_first()?;
        let Response::Answer { mut json, mut text } = self.explain_record(newest) else {
            return None;
        };
        for line in earlier.iter().map(brief) {
            text.push_str(&format!("earlier with this DeviceId: {line}\n"));
        }
        let ids = earlier.iter().map(|record| record.id.to_string());
        json["earlier"] = ids.collect();
        Some(Response::Answer { json, text })
    }

    fn explain_record(&self, record: &DecisionRecord) -> Response {
        let line = journal::render(record, &self.point);
        let line_json: Value = serde_json::from_str(&line).unwrap_or(Value::Null);
        match record.outcome {
            Outcome::NotAuthenticated(why) => Response::Answer {
                text: refusal_text(record, why.as_str()),
                json: json!({ "record": line_json }),
            },
            // No policy was asked.
            Outcome::Decided(decision) if decision.reason == Reason::CertificateRevoked => {
                Response::Answer {
                    text: format!(
                        "decision {} of {}: {} ({})\n{} It was let in before that; whoever comes \
                         anew with it is refused. Issue the device another certificate.\n",
                        record.id,
                        record.seen.at,
                        decision.verdict,
                        decision.reason,
                        decision.reason.sentence()
                    ),
                    json: json!({ "record": line_json, "trace": null }),
                }
            }
            // No policy was asked.
            Outcome::Decided(decision)
                if decision.reason == Reason::DeviceRetired
                    && record.client().is_some_and(|client| client.wipe.is_some()) =>
            {
                Response::Answer {
                    text: format!(
                        "decision {} of {}: {} ({})\nAn administrator has ordered a wipe of this mail \
                         client; `portreeve wipe --list` shows how far it is, `portreeve wipe --cancel` \
                         lets it in again.\n",
                        record.id, record.seen.at, decision.verdict, decision.reason
                    ),
                    json: json!({ "record": line_json, "trace": null }),
                }
            }
            Outcome::Decided(decision) => match self.point.explain(record) {
                Some(explanation) => Response::Answer {
                    text: format!(
                        "decision {} of {}\n{explanation}",
                        record.id, record.seen.at
                    ),
                    json: json!({ "record": line_json, "trace": explanation }),
                },
                None => Response::Answer {
                    text: format!(
                        "decision {} of {}: {} ({})\n{}\n\
                         The policy has been replaced since; its trace is not kept.\n",
                        record.id,
                        record.seen.at,
                        decision.verdict,
                        decision.reason,
                        decision.reason.sentence()
                    ),
                    json: json!({ "record": line_json, "trace": null }),
                },
            },
        }
    }

    fn device(&self, text: &str) -> Response {
        let device = match self.find(text) {
            Ok(device) => device,
            // The inventory does not know it; the mail plane may.
            Err(response) => {
                let standings = self.standings(text, None);
                if standings.is_empty() {
                    return response;
                }
                return Response::Answer {
                    json: json!({ "device": null, "mail": mail::json(&standings) }),
                    text: format!("no source knows the device\n{}", mail::lines(&standings)),
                };
            }
        };
        match self.point.reader().describe(device) {
            Some(description) => {
                self.with_standings(self.describe(&description), text, Some(device))
            }
            None => refused("the device has just been removed"),
        }
    }

    /// The device that `text` names, by whatever kind of identifier it is.
    fn find(&self, text: &str) -> Result<DeviceId, Response> {
        let reader = self.point.reader();
        let text = text.trim();
        let serial: Option<SerialNumber> = text.parse().ok();
        let guid: Option<DeviceId> = text.parse().ok();
        let entra: Option<EntraDeviceId> = text.parse().ok();
        let mac: Option<MacAddress> = text.parse().ok();
        let identifiers = [
            guid.map(Identifier::Device),
            entra.map(Identifier::Entra),
            mac.map(Identifier::Mac),
            serial
                .as_ref()
                .map(|serial| Identifier::Serial(serial.as_str())),
        ];
        for identifier in identifiers.into_iter().flatten() {
            match reader.find(&identifier) {
                Lookup::Found(posture, _) => return Ok(posture.device),
                Lookup::Ambiguous => {
                    return Err(refused("more than one device has that identifier"));
                }
                Lookup::Unknown | Lookup::OfAnotherUser => {}
            }
        }
        // The rest is cold: names, and ActiveSync ids whose user was not given.
        let eas: Option<EasDeviceId> = text.parse().ok();
        let mut found = reader.devices().filter_map(|(posture, _)| {
            let description = reader.describe(posture.device)?;
            let named = description
                .name
                .as_deref()
                .is_some_and(|n| n.eq_ignore_ascii_case(text));
            let used = eas.is_some_and(|eas| description.eas.iter().any(|of| of.eas == eas));
            (named || used).then_some(posture.device)
        });
        match (found.next(), found.next()) {
            (Some(device), None) => Ok(device),
            (Some(_), Some(_)) => Err(refused("more than one device has that name")),
            (None, _) => Err(refused(
                "no device is known by that; try its Intune or Entra id, MAC address, serial \
                 number, ActiveSync DeviceId or name",
            )),
        }
    }
}

/// A record in one line.
fn brief(record: &DecisionRecord) -> String {
    let came = match record.outcome {
        Outcome::Decided(decision) => format!("{} ({})", decision.verdict, decision.reason),
        Outcome::NotAuthenticated(why) => {
            format!("not authenticated ({})", Plain(why.as_str()))
        }
    };
    let user = Plain(record.user.as_str());
    format!("{} {}, user {user}: {came}", record.seen.at, record.id)
}

fn refused(why: &str) -> Response {
    Response::Refused(why.to_owned())
}

/// Why a peer was not authenticated, what to do about it, and what it showed.
fn refusal_text(record: &DecisionRecord, why: &str) -> String {
    let mut text = format!(
        "{} {}\nnot authenticated: {}\n",
        record.seen.at,
        record.id,
        Plain(why)
    );
    let mut line = |name: &str, value: &str| {
        text.push_str(&format!("{name}: {}\n", Plain(value)));
    };
    if let Some(advice) = record.advice {
        line("what to do", advice);
    }
    line("method", record.method.as_str());
    if let Some(user) = record.user.as_option() {
        line("name given", user);
    }
    if record.rounds > 0 {
        line("last round", &record.rounds.to_string());
    }
    if let Some(chain) = &record.chain {
        for (place, one) in (1..).zip(chain.split("; ")) {
            line(&format!("certificate {place}"), one);
        }
    }
    text
}

/// Home servers that DNS has led to and that are named one by one; the others are counted.
const SHOWN: usize = 20;

/// How many earlier decisions are named beside the one that is explained.
const EARLIER: usize = 4;
