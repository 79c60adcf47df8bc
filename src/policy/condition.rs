//! Conditions: on which connections a policy applies (R81).

mod client;

use super::facts::Facts;
use super::glob::Glob;
use super::words::Set;
use crate::model::ClaimedDevice;
use crate::model::Credential;
use crate::model::Established;
use crate::model::MailContext;
use crate::model::Medium;
use crate::model::Ownership;
use crate::model::Platform;

pub(super) use client::Client;
pub(super) use client::Commands;
pub(super) use client::Texts;

/// One of the conditions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Condition {
    /// Operating system family, stated by a source or claimed by the mail client.
    Platform,
    /// Group of the NAS.
    NasGroup,
    /// Network name.
    Ssid,
    /// Kind of port.
    Medium,
    /// Mail application, or client of a VPN.
    App,
    /// How the device became known.
    Established,
    /// What was proved about the user.
    Credential,
    /// Whose device it is.
    Ownership,
    /// DeviceType of a mail client.
    DeviceType,
    /// Model of its device.
    Model,
    /// Its User-Agent.
    UserAgent,
    /// Version of the operating system.
    OsBelow,
    /// Version of the mail client's protocol.
    ProtocolVersion,
    /// What the mail client asks for.
    Command,
    /// Which of the user's mail clients it is.
    DevicesOver,
    /// When it was last active.
    Inactive,
}

impl Condition {
    /// The number of the first condition of [`Client`].
    pub(super) const FIRST_OF_CLIENT: u8 = Self::DeviceType as u8;

    /// Whether a source can state what it asks, which counts more than the client's word then.
    pub(super) const fn may_be_stated(self) -> bool {
        matches!(self, Self::Platform | Self::OsBelow)
    }
}

/// The conditions of a policy. What is `None` is not configured and so holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct When {
    pub(super) platforms: Option<Set<Platform>>,
    pub(super) nas_groups: Option<NameSet>,
    pub(super) ssids: Option<NameSet>,
    pub(super) media: Option<Set<Medium>>,
    pub(super) apps: Option<AppCondition>,
    pub(super) established: Option<Set<Established>>,
    pub(super) credentials: Option<Set<Credential>>,
    pub(super) ownership: Option<Set<Ownership>>,
    /// The conditions from [`Condition::DeviceType`] on.
    pub(super) client: Option<Box<Client>>,
}

/// How the conditions came out, a bit each in the order of [`Condition`].
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Answers {
    pub(super) configured: u8,
    pub(super) held: u8,
}

impl Answers {
    pub(super) const fn all_hold(self) -> bool {
        self.configured == self.held
    }
}

/// Which applications a condition lets through: any of `with`, if configured, and none of
/// `without`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct AppCondition {
    pub(super) with: Option<AppBits>,
    pub(super) without: AppBits,
}

/// Some of the file's applications, by position.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct AppBits(pub(super) u64);

impl AppBits {
    pub(super) const fn intersects(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    pub(super) const fn contains(self, position: usize) -> bool {
        position < App::MAX && self.0 >> position & 1 == 1
    }
}

/// An application, known by what it says of itself: one of mail, or a VPN's client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct App {
    pub(super) name: Box<str>,
    pub(super) device_types: Box<[Glob]>,
    pub(super) user_agents: Box<[Glob]>,
    pub(super) vpn_clients: Box<[Glob]>,
    pub(super) host_names: Box<[Glob]>,
    pub(super) approved: bool,
}

impl App {
    /// Most applications in a file: what one set of 64 bits holds.
    pub(super) const MAX: usize = 64;

    fn matches(&self, mail: &MailContext<'_>) -> bool {
        let is_mail = !self.device_types.is_empty() || !self.user_agents.is_empty();
        is_mail
            && fits(&self.device_types, mail.device_type)
            && fits(&self.user_agents, mail.user_agent)
    }

    fn matches_vpn(&self, claims: &ClaimedDevice<'_>) -> bool {
        let is_vpn = !self.vpn_clients.is_empty() || !self.host_names.is_empty();
        is_vpn && fits(&self.vpn_clients, claims.client) && fits(&self.host_names, claims.host_name)
    }
}

fn fits(patterns: &[Glob], text: &str) -> bool {
    patterns.is_empty() || patterns.iter().any(|pattern| pattern.matches(text))
}

/// Some names out of a table, by sorted position.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct NameSet(pub(super) Box<[u16]>);

impl NameSet {
    /// Most names in one condition. A longer list is a NAS group of its own.
    pub(super) const MAX: usize = 64;

    #[inline]
    #[expect(
        clippy::manual_contains,
        reason = "the search of `contains` is made for long lists and costs more than it saves here"
    )]
    fn contains(&self, name: Option<u16>) -> bool {
        name.is_some_and(|name| self.0.iter().any(|known| *known == name))
    }
}

/// All names of one kind that the file mentions, sorted, so that a connection's own name is looked
/// up once and compared as a number afterwards.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct NameTable(Box<[Box<str>]>);

impl NameTable {
    /// Most names in one table: positions are 16 bits wide. The bounds on policies and lists keep
    /// every file far below it.
    const MAX: usize = 1 << 16;

    pub(super) fn new(mut names: Vec<Box<str>>) -> Self {
        names.sort_unstable();
        names.dedup();
        names.truncate(Self::MAX);
        Self(names.into())
    }

    pub(super) fn position(&self, name: &str) -> Option<u16> {
        let position = self
            .0
            .binary_search_by(|known| known.as_ref().cmp(name))
            .ok()?;
        u16::try_from(position).ok()
    }

    pub(super) fn names(&self, set: &NameSet) -> impl Iterator<Item = &str> {
        set.0
            .iter()
            .filter_map(|&position| self.0.get(usize::from(position)))
            .map(AsRef::as_ref)
    }
}

/// A connection as conditions see it; worked out once for an evaluation.
#[derive(Clone, Copy, Debug)]
pub(super) struct Surroundings {
    pub(super) platform: Platform,
    pub(super) nas_group: Option<u16>,
    pub(super) ssid: Option<u16>,
    pub(super) medium: Option<Medium>,
    pub(super) apps: Option<AppBits>,
    pub(super) established: Established,
    pub(super) credential: Credential,
    pub(super) ownership: Ownership,
    /// Whether the application is only what a VPN's client says.
    pub(super) app_is_claim: bool,
    /// Whether the platform is only what the client of mail or of a VPN says.
    pub(super) platform_is_claim: bool,
}

impl Surroundings {
    pub(super) fn of(
        facts: &Facts<'_>,
        nas_groups: &NameTable,
        ssids: &NameTable,
        apps: &[App],
    ) -> Self {
        let nas = facts.nas.as_ref();
        let claims = facts.claims();
        let stated = facts
            .posture()
            .is_some_and(|posture| posture.platform != Platform::Unknown);
        Self {
            app_is_claim: claims.is_some(),
            platform_is_claim: !stated && (facts.mail.is_some() || claims.is_some()),
            platform: facts.platform(),
            nas_group: nas.and_then(|nas| nas_groups.position(nas.group)),
            ssid: nas
                .and_then(|nas| nas.ssid)
                .and_then(|ssid| ssids.position(ssid)),
            medium: nas.map(|nas| nas.medium),
            apps: match (&facts.mail, claims) {
                (Some(mail), _) => Some(apps_of(mail, apps)),
                (None, Some(claims)) => Some(vpn_clients_of(&claims, apps)),
                (None, None) => None,
            },
            established: facts.established,
            credential: facts.credential,
            ownership: facts
                .posture()
                .map_or(Ownership::Unknown, |posture| posture.ownership),
        }
    }
}

/// The applications that a mail client can be.
pub(super) fn apps_of(mail: &MailContext<'_>, apps: &[App]) -> AppBits {
    those(apps, |app| app.matches(mail))
}

/// The applications that the client of a VPN can be.
pub(super) fn vpn_clients_of(claims: &ClaimedDevice<'_>, apps: &[App]) -> AppBits {
    those(apps, |app| app.matches_vpn(claims))
}

fn those(apps: &[App], are: impl Fn(&App) -> bool) -> AppBits {
    let bits = apps
        .iter()
        .take(App::MAX)
        .enumerate()
        .filter(|(_, app)| are(app))
        .fold(0, |bits, (position, _)| bits | 1 << position);
    AppBits(bits)
}

impl When {
    /// Asks every configured condition, the later ones too when an earlier one fails.
    #[inline]
    pub(super) fn ask(&self, seen: &Surroundings) -> Answers {
        let mut answers = Answers::default();
        let mut note = |condition: Condition, held: Option<bool>| {
            let bit = 1 << condition as u8;
            match held {
                Some(true) => {
                    answers.configured |= bit;
                    answers.held |= bit;
                }
                Some(false) => answers.configured |= bit,
                None => {}
            }
        };
        note(
            Condition::Platform,
            self.platforms.map(|wanted| wanted.contains(seen.platform)),
        );
        note(
            Condition::NasGroup,
            self.nas_groups
                .as_ref()
                .map(|wanted| wanted.contains(seen.nas_group)),
        );
        note(
            Condition::Ssid,
            self.ssids.as_ref().map(|wanted| wanted.contains(seen.ssid)),
        );
        note(
            Condition::Medium,
            self.media
                .map(|wanted| seen.medium.is_some_and(|medium| wanted.contains(medium))),
        );
        note(
            Condition::App,
            self.apps
                .map(|wanted| seen.apps.is_some_and(|apps| wanted.admits(apps))),
        );
        note(
            Condition::Established,
            self.established
                .map(|wanted| wanted.contains(seen.established)),
        );
        note(
            Condition::Credential,
            self.credentials
                .map(|wanted| wanted.contains(seen.credential)),
        );
        note(
            Condition::Ownership,
            self.ownership.map(|wanted| wanted.contains(seen.ownership)),
        );
        answers
    }

    /// Whether it depends on what a VPN's client says and nobody has proved.
    pub(super) const fn rests_on_claims(&self, seen: &Surroundings) -> bool {
        seen.app_is_claim
            && (self.apps.is_some() || seen.platform_is_claim && self.platforms.is_some())
    }

    /// Whether any condition may be one of [`Self::claims`]: mostly none is.
    pub(super) fn is_about_clients(&self) -> bool {
        self.platforms.is_some() || self.apps.is_some() || self.client.is_some()
    }

    /// Its conditions that hold or not by what a client says of itself, in the order of [`Condition`]; by what
    /// a source states, if one does, where [it can](Condition::may_be_stated).
    pub(super) fn claims(&self) -> impl Iterator<Item = Condition> + use<> {
        let client = self.client.as_deref();
        let of = |is_configured: fn(&Client) -> bool| client.is_some_and(is_configured);
        let narrows = |wanted: Set<Platform>| wanted != Set::all();
        [
            (Condition::Platform, self.platforms.is_some_and(narrows)),
            (Condition::App, self.apps.is_some()),
            (
                Condition::DeviceType,
                of(|client| client.device_types.is_some()),
            ),
            (Condition::Model, of(|client| client.models.is_some())),
            (
                Condition::UserAgent,
                of(|client| client.user_agents.is_some()),
            ),
            (Condition::OsBelow, of(|client| client.os_below.is_some())),
            (
                Condition::ProtocolVersion,
                of(|client| client.versions.is_some()),
            ),
        ]
        .into_iter()
        .filter_map(|(condition, is_configured)| is_configured.then_some(condition))
    }

    /// Whether nothing but the platform, if that, narrows the connections.
    pub(super) const fn narrows_by_platform_at_most(&self) -> bool {
        self.nas_groups.is_none()
            && self.ssids.is_none()
            && self.media.is_none()
            && self.apps.is_none()
            && self.established.is_none()
            && self.credentials.is_none()
            && self.ownership.is_none()
            && self.client.is_none()
    }
}

impl AppCondition {
    fn admits(self, seen: AppBits) -> bool {
        self.with.is_none_or(|with| with.intersects(seen)) && !self.without.intersects(seen)
    }
}
