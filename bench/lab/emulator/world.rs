//! What is emulated: made-up things and what has been changed of them.

use std::collections::BTreeMap;
use std::collections::HashMap;
use std::collections::VecDeque;

use axum::Json;
use axum::extract::Path;
use axum::extract::State;
use axum::http::StatusCode;
use portreeve::model::Timestamp;
use serde_json::Map;
use serde_json::Value;
use serde_json::json;

use super::Config;
use super::Shared;
use super::fault::Fault;
use super::made_up::GROUPS;
use super::made_up::Kind;
use super::made_up::MadeUp;
use super::query::Filter;
use super::token::Tokens;

/// All state of the emulator.
#[derive(Debug)]
pub(super) struct World {
    pub(super) config: Config,
    /// Where Graph is, for links.
    pub(super) base: String,
    pub(super) made_up: MadeUp,
    pub(super) tokens: Tokens,
    pub(super) faults: Vec<Fault>,
    /// Overridden properties by device.
    changed: HashMap<u32, Map<String, Value>>,
    /// Members by group where they are not the made-up ones.
    groups: BTreeMap<String, Group>,
    requests: VecDeque<Value>,
}

#[derive(Debug)]
struct Group {
    number: u32,
    name: String,
    /// `None`: as from the start.
    users: Option<Vec<u32>>,
}

impl World {
    pub(super) fn new(config: Config, base: String) -> Self {
        let groups = GROUPS.iter().zip(0..).map(|(name, number)| {
            let group = Group {
                number,
                name: (*name).to_owned(),
                users: None,
            };
            ((*name).to_owned(), group)
        });
        Self {
            made_up: MadeUp {
                seed: config.seed,
                users: config.users,
                started: now(),
            },
            config,
            base,
            tokens: Tokens::default(),
            faults: Vec::new(),
            changed: HashMap::new(),
            groups: groups.collect(),
            requests: VecDeque::new(),
        }
    }

    /// Remembers a request.
    pub(super) fn note(&mut self, path: &str, query: &str, authorized: bool) {
        if self.requests.len() >= MAX_REQUESTS {
            self.requests.pop_front();
        }
        self.requests
            .push_back(json!({"path": path, "query": query, "authorized": authorized}));
    }

    /// Whether the device is to be listed under `filters`.
    pub(super) fn lists(&self, number: u32, filters: &[Filter]) -> bool {
        let changed = self.changed.get(&number);
        let property = |name: &str| changed.and_then(|changed| changed.get(name));
        let is_set = |name: &str| property(name).and_then(Value::as_bool) == Some(true);
        if is_set(HIDDEN) || is_set(DELETED) {
            return false;
        }
        filters.iter().all(|filter| match filter {
            Filter::CheckedInSince(since) => {
                let at = property("lastSyncDateTime").and_then(Value::as_str);
                let at = at.and_then(Timestamp::parse_rfc3339);
                at.unwrap_or_else(|| self.made_up.checked_in(number)) >= *since
            }
            Filter::Equals(name, value) => {
                let state = property(name).and_then(Value::as_str);
                state.unwrap_or_else(|| self.made_up.compliance(number)) == value
            }
        })
    }

    /// A device as it is now; `None` when there is none.
    pub(super) fn device(&self, number: u32) -> Option<Map<String, Value>> {
        if number >= self.config.devices {
            return None;
        }
        let mut device = self.made_up.device(number);
        if let Some(changed) = self.changed.get(&number) {
            if changed.get(DELETED).and_then(Value::as_bool) == Some(true) {
                return None;
            }
            device.extend(changed.clone());
            device.retain(|name, _| !name.starts_with(LAB));
        }
        Some(device)
    }

    /// Ids and names of the groups.
    pub(super) fn groups(&self, name: Option<&str>) -> Vec<Value> {
        let wanted =
            |group: &&Group| name.is_none_or(|name| name.eq_ignore_ascii_case(&group.name));
        let groups = self.groups.values().filter(wanted);
        groups
            .map(|group| {
                let id = self.made_up.id(Kind::Group, group.number);
                json!({"id": id, "displayName": group.name})
            })
            .collect()
    }

    /// The users in a group, by number; `None` when there is no such group.
    pub(super) fn members(&self, id: &str) -> Option<Vec<u32>> {
        let number = self.made_up.number(Kind::Group, id)?;
        let group = self.groups.values().find(|group| group.number == number)?;
        Some(match &group.users {
            Some(users) => users.clone(),
            None => (0..self.config.users)
                .filter(|&user| MadeUp::starts_in(&group.name, user))
                .collect(),
        })
    }
}

/// Overrides properties of a device. It has checked in just now, unless the change says when.
/// `@lab.hidden` takes it out of lists, `@lab.deleted` out of the world.
pub(super) async fn change_device(
    State(shared): State<Shared>,
    Path(id): Path<String>,
    Json(change): Json<Map<String, Value>>,
) -> StatusCode {
    let mut world = shared.world();
    let number = id.parse().ok();
    let number = number.or_else(|| world.made_up.number(Kind::Device, &id));
    let Some(number) = number.filter(|&number| number < world.config.devices) else {
        return StatusCode::NOT_FOUND;
    };
    let changed = world.changed.entry(number).or_default();
    changed.insert("lastSyncDateTime".to_owned(), now().to_string().into());
    changed.extend(change);
    StatusCode::NO_CONTENT
}

/// Replaces the members of a group. The name may end in `#2`, for a second group that bears the
/// same display name.
pub(super) async fn change_group(
    State(shared): State<Shared>,
    Path(key): Path<String>,
    Json(change): Json<Value>,
) -> StatusCode {
    let users = change["users"].as_array().map(|users| {
        let numbers = users.iter().filter_map(Value::as_u64);
        numbers.filter_map(|n| u32::try_from(n).ok()).collect()
    });
    let mut world = shared.world();
    if change["deleted"] == true {
        world.groups.remove(&key);
        return StatusCode::NO_CONTENT;
    }
    let number = world.groups.values().map(|group| group.number + 1).max();
    let name = key.split('#').next().unwrap_or_default().to_owned();
    let group = world.groups.entry(key).or_insert_with(|| Group {
        number: number.unwrap_or(0),
        name,
        users: Some(Vec::new()),
    });
    group.users = users;
    StatusCode::NO_CONTENT
}

/// Everything that has been asked.
pub(super) async fn requests(State(shared): State<Shared>) -> Json<Value> {
    Json(shared.world().requests.iter().cloned().collect())
}

/// The wall clock.
#[expect(
    clippy::disallowed_methods,
    reason = "the emulated service has a clock of its own, read here"
)]
pub(super) fn now() -> Timestamp {
    let since = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap_or_default();
    Timestamp::from_unix_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

const LAB: &str = "@lab.";
const HIDDEN: &str = "@lab.hidden";
const DELETED: &str = "@lab.deleted";

/// The latest requests are what anyone looks at.
const MAX_REQUESTS: usize = 10_000;
