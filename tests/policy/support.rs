//! Facts as a case file writes them, and rules with every default outcome.

use std::time::Duration;

use portreeve::model::ClaimedDevice;
use portreeve::model::ComplianceState;
use portreeve::model::Credential;
use portreeve::model::Decision;
use portreeve::model::DeviceId;
use portreeve::model::Established;
use portreeve::model::Fact;
use portreeve::model::GroupId;
use portreeve::model::Join;
use portreeve::model::KnownClient;
use portreeve::model::MailContext;
use portreeve::model::Medium;
use portreeve::model::NasContext;
use portreeve::model::Ownership;
use portreeve::model::Plane;
use portreeve::model::Platform;
use portreeve::model::Posture;
use portreeve::model::Problem;
use portreeve::model::Retirement;
use portreeve::model::SourceId;
use portreeve::model::ThreatLevel;
use portreeve::model::Timestamp;
use portreeve::model::Tri;
use portreeve::model::UserRef;
use portreeve::policy::DeviceFacts;
use portreeve::policy::Explanation;
use portreeve::policy::Facts;
use portreeve::policy::Policy;
use portreeve::policy::Trace;
use portreeve::policy::UserFacts;
use portreeve::policy::evaluate;
use portreeve::policy::explain;
use portreeve::policy::parse;
use serde::Deserialize;

/// Every default outcome, each to be replaced by name; no rules.
pub(crate) const DEFAULTS: &str = include_str!("defaults.toml");

/// Rules behind [`DEFAULTS`].
pub(crate) fn policy(rules: &str) -> Policy {
    read(&format!("{DEFAULTS}\n{rules}"))
}

/// A whole file that has to be right.
pub(crate) fn read(text: &str) -> Policy {
    match parse("policy.toml", text) {
        Ok((policy, _)) => policy,
        Err(problems) => panic!("{}\n{text}", print(&problems)),
    }
}

/// [`DEFAULTS`] with one setting of `[defaults]` changed.
pub(crate) fn defaults_with(key: &str, value: &str) -> String {
    let line = DEFAULTS
        .lines()
        .find(|line| line.split(' ').next() == Some(key))
        .unwrap_or_else(|| panic!("no default {key}"));
    DEFAULTS.replace(line, &format!("{key} = \"{value}\""))
}

pub(crate) fn print(problems: &[Problem]) -> String {
    problems
        .iter()
        .map(|problem| format!("{problem}\n"))
        .collect()
}

/// One connection. Left out: a healthy device of Alice's, proven, at the network.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Connection {
    pub(crate) plane: String,
    pub(crate) credential: String,
    pub(crate) established: String,
    pub(crate) user: Option<User>,
    /// Leaves the user out.
    pub(crate) no_user: bool,
    /// `known`, `unknown`, `ambiguous` or `of-another-user`.
    pub(crate) found: String,
    pub(crate) device: Device,
    pub(crate) nas: Option<Nas>,
    pub(crate) mail: Option<Mail>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct User {
    pub(crate) name: String,
    /// Left out: the same name.
    pub(crate) presented: Option<String>,
    /// The device's owner; nobody presented a name.
    pub(crate) is_owner: bool,
    /// No source lists the user; only a device names them.
    pub(crate) only_owner: bool,
    /// 0 for a user whom no source knows.
    pub(crate) reference: u32,
    pub(crate) enabled: String,
    pub(crate) groups: Vec<String>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Device {
    pub(crate) owner: u32,
    pub(crate) managed: String,
    pub(crate) registered: String,
    /// `none` when no source gives a verdict.
    pub(crate) compliance: String,
    pub(crate) eas_activated: String,
    pub(crate) encrypted: String,
    pub(crate) jailbroken: String,
    pub(crate) passcode: String,
    pub(crate) threat: String,
    pub(crate) platform: String,
    pub(crate) os: String,
    pub(crate) join: String,
    pub(crate) ownership: String,
    pub(crate) retirement: String,
    /// Seconds from now until the grace period ends.
    pub(crate) grace_for: Option<i64>,
    pub(crate) groups: Vec<String>,
    /// Age of all facts in seconds.
    pub(crate) age: i64,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Nas {
    pub(crate) group: String,
    pub(crate) medium: String,
    pub(crate) ssid: Option<String>,
    /// What a VPN's client says: platform, host name, client.
    #[serde(default)]
    pub(crate) claims: Option<[String; 3]>,
}

impl Nas {
    fn claims(&self) -> Option<ClaimedDevice<'_>> {
        self.claims
            .as_ref()
            .map(|[platform, host_name, client]| ClaimedDevice {
                platform,
                os_version: "",
                host_name,
                client,
            })
    }
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Mail {
    pub(crate) device_type: String,
    pub(crate) user_agent: String,
    /// In tenths.
    pub(crate) version: u8,
    pub(crate) command: String,
    pub(crate) attachment: bool,
    pub(crate) model: String,
    pub(crate) os: String,
    pub(crate) rank: u16,
    /// Seconds ago.
    pub(crate) first_seen: Option<i64>,
    pub(crate) last_active: Option<i64>,
}

impl Default for Connection {
    fn default() -> Self {
        Self {
            plane: "network".into(),
            credential: "certificate".into(),
            established: "proven".into(),
            user: Some(User::default()),
            no_user: false,
            found: "known".into(),
            device: Device::default(),
            nas: None,
            mail: None,
        }
    }
}

impl Default for User {
    fn default() -> Self {
        Self {
            name: "alice@contoso.com".into(),
            presented: None,
            is_owner: false,
            only_owner: false,
            reference: 1,
            enabled: "yes".into(),
            groups: vec!["staff".into()],
        }
    }
}

impl Default for Device {
    fn default() -> Self {
        let yes = || String::from("yes");
        Self {
            owner: 1,
            managed: yes(),
            registered: yes(),
            compliance: "compliant".into(),
            eas_activated: yes(),
            encrypted: yes(),
            jailbroken: "no".into(),
            passcode: yes(),
            threat: "secured".into(),
            platform: "ios".into(),
            os: "17.1".into(),
            join: "registered".into(),
            ownership: "company".into(),
            retirement: "none".into(),
            grace_for: None,
            groups: Vec::new(),
            age: 240,
        }
    }
}

impl Connection {
    pub(crate) fn established(established: &str) -> Self {
        Self {
            established: established.into(),
            ..Self::default()
        }
    }

    pub(crate) fn no_user() -> Self {
        Self {
            user: None,
            ..Self::default()
        }
    }

    /// MAC authentication bypass: nothing is proved.
    pub(crate) fn mab() -> Self {
        Self {
            user: None,
            credential: "none".into(),
            established: "claimed".into(),
            ..Self::default()
        }
    }

    pub(crate) fn mail(device_type: &str, user_agent: &str) -> Self {
        Self {
            plane: "mail".into(),
            credential: "password".into(),
            established: "claimed".into(),
            mail: Some(Mail {
                device_type: device_type.into(),
                user_agent: user_agent.into(),
                version: 141,
                command: "Sync".into(),
                rank: 1,
                ..Mail::default()
            }),
            ..Self::default()
        }
    }

    pub(crate) fn in_groups(mut self, groups: &[&str]) -> Self {
        let user = self.user.get_or_insert_default();
        user.groups = groups.iter().map(|group| (*group).to_owned()).collect();
        self
    }

    pub(crate) fn with(mut self, change: impl FnOnce(&mut Device)) -> Self {
        change(&mut self.device);
        self
    }

    pub(crate) fn not_found(mut self, found: &str) -> Self {
        self.found = found.into();
        self
    }

    pub(crate) fn decide(&self, policy: &Policy) -> Decision {
        self.with_facts(|facts| evaluate(policy, facts, &mut Trace::new()))
    }

    pub(crate) fn explain(&self, policy: &Policy) -> Explanation {
        let name = |source: SourceId| (source == SOURCE).then(|| "file".to_owned());
        self.with_facts(|facts| explain(policy, facts, &name))
    }

    pub(crate) fn with_facts<T>(&self, run: impl FnOnce(&Facts<'_>) -> T) -> T {
        let user = self.user.as_ref().filter(|_| !self.no_user);
        let user_groups = user.map_or_else(Vec::new, |user| group_ids(&user.groups));
        let device_groups = group_ids(&self.device.groups);
        let posture = self.device.posture();
        run(&Facts {
            plane: match self.plane.as_str() {
                "network" => Plane::Network,
                "mail" => Plane::Mail,
                "web" => Plane::Web,
                other => panic!("plane {other}"),
            },
            now: now(),
            credential: match self.credential.as_str() {
                "none" => Credential::None,
                "password" => Credential::Password,
                "certificate" => Credential::Certificate,
                other => panic!("credential {other}"),
            },
            established: match self.established.as_str() {
                "none" => Established::None,
                "claimed" => Established::Claimed,
                "proven" => Established::Proven,
                other => panic!("established {other}"),
            },
            user: user.map(|user| UserFacts {
                name: &user.name,
                presented: match &user.presented {
                    _ if user.is_owner => None,
                    Some(presented) => Some(presented),
                    None => Some(&user.name),
                },
                reference: (user.reference != 0).then_some(UserRef(user.reference)),
                known: user.reference != 0 && !user.only_owner,
                enabled: tri(&user.enabled, 240),
                groups: &user_groups,
            }),
            device: match self.found.as_str() {
                "known" => DeviceFacts::Known {
                    posture: &posture,
                    groups: &device_groups,
                },
                "unknown" => DeviceFacts::Unknown,
                "ambiguous" => DeviceFacts::Ambiguous,
                "of-another-user" => DeviceFacts::OfAnotherUser,
                other => panic!("found {other}"),
            },
            nas: self.nas.as_ref().map(|nas| NasContext {
                name: "ap-1",
                group: &nas.group,
                medium: match nas.medium.as_str() {
                    "unknown" => Medium::Unknown,
                    "wired" => Medium::Wired,
                    "wireless" => Medium::Wireless,
                    "vpn" => Medium::Vpn,
                    other => panic!("medium {other}"),
                },
                ssid: nas.ssid.as_deref(),
                claims: nas.claims(),
            }),
            mail: self.mail.as_ref().map(|mail| MailContext {
                device_type: &mail.device_type,
                user_agent: &mail.user_agent,
                version: mail.version,
                command: &mail.command,
                attachment: mail.attachment,
                known: KnownClient {
                    model: &mail.model,
                    os_version: mail.os.parse().unwrap_or_default(),
                    rank: mail.rank,
                    first_seen: mail.first_seen.map(ago),
                    last_active: mail.last_active.map(ago),
                },
            }),
        })
    }
}

impl Device {
    fn posture(&self) -> Posture {
        let id = "0f8fad5b-d9cb-469f-a165-70867728950e".parse::<DeviceId>();
        let fact = |text: &str| tri(text, self.age);
        Posture {
            owner: (self.owner != 0).then_some(UserRef(self.owner)),
            managed: fact(&self.managed),
            registered: fact(&self.registered),
            compliance: if self.compliance == "none" {
                Fact::default()
            } else {
                let state = ComplianceState::parse(&self.compliance);
                assert_eq!(state.as_str(), self.compliance);
                Fact::new(state, SOURCE, ago(self.age))
            },
            eas_activated: fact(&self.eas_activated),
            encrypted: fact(&self.encrypted),
            jailbroken: fact(&self.jailbroken),
            passcode: fact(&self.passcode),
            threat: {
                let level = ThreatLevel::parse(&self.threat);
                assert_eq!(level.as_str(), self.threat);
                Fact::new(level, SOURCE, ago(self.age))
            },
            platform: {
                let platform = Platform::parse(&self.platform);
                assert_eq!(platform.as_str(), self.platform);
                platform
            },
            os_version: self.os.parse().unwrap_or_default(),
            join: {
                let join = Join::parse(&self.join);
                assert_eq!(join.as_str(), self.join);
                join
            },
            ownership: Ownership::parse(&self.ownership),
            retirement: match self.retirement.as_str() {
                "none" => Retirement::None,
                "retired" => Retirement::Retired,
                "wiped" => Retirement::Wiped,
                other => panic!("retirement {other}"),
            },
            grace_until: self.grace_for.map(|seconds| ago(-seconds)),
            ..Posture::unknown(id.unwrap())
        }
    }
}

pub(crate) fn now() -> Timestamp {
    Timestamp::parse_rfc3339("2026-11-21T09:30:00Z").unwrap()
}

/// The moment so many seconds before now.
pub(crate) fn ago(seconds: i64) -> Timestamp {
    Timestamp::from_unix_seconds(now().unix_seconds() - seconds)
}

/// The moment so long after now.
pub(crate) fn after(duration: Duration) -> Timestamp {
    now() + duration
}

fn tri(text: &str, age: i64) -> Fact<Tri> {
    match text {
        "yes" => Fact::new(Tri::Yes, SOURCE, ago(age)),
        "no" => Fact::new(Tri::No, SOURCE, ago(age)),
        "unknown" => Fact::default(),
        other => panic!("yes, no or unknown: {other}"),
    }
}

fn group_ids(names: &[String]) -> Vec<GroupId> {
    let mut ids: Vec<GroupId> = names.iter().map(|name| GroupId::named(name)).collect();
    ids.sort_unstable();
    ids.dedup();
    ids
}

const SOURCE: SourceId = SourceId(1);
