//! What the inventory should know, computed anew for each question from plain maps.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use portreeve::inventory::Complete;
use portreeve::inventory::DeviceReport;
use portreeve::inventory::Update;
use portreeve::inventory::UserReport;
use portreeve::model::ComplianceState;
use portreeve::model::DeviceId;
use portreeve::model::EasDeviceId;
use portreeve::model::Fact;
use portreeve::model::GroupId;
use portreeve::model::Identifier;
use portreeve::model::Join;
use portreeve::model::OsVersion;
use portreeve::model::Ownership;
use portreeve::model::Platform;
use portreeve::model::Posture;
use portreeve::model::Retirement;
use portreeve::model::SourceId;
use portreeve::model::ThreatLevel;
use portreeve::model::Timestamp;
use portreeve::model::Tri;
use portreeve::model::UserId;

#[derive(Clone, Default)]
pub(crate) struct Reference {
    sources: BTreeMap<u8, Said>,
    bindings: Vec<Binding>,
}

#[derive(Clone, Default)]
struct Said {
    devices: BTreeMap<DeviceId, (DeviceReport, Timestamp)>,
    users: BTreeMap<UserId, (UserReport, Timestamp)>,
    walked: Option<Timestamp>,
}

#[derive(Clone)]
struct Binding {
    eas: EasDeviceId,
    user: UserId,
    device: DeviceId,
}

/// A look-up's result; users by their own names, so that two can be compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    Unknown,
    Ambiguous,
    OfAnotherUser,
    Device(Box<Device>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Device {
    /// Without owner.
    pub(crate) posture: Posture,
    pub(crate) owner: Option<UserId>,
    pub(crate) groups: Vec<GroupId>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct User {
    pub(crate) own: UserId,
    pub(crate) enabled: Fact<Tri>,
    pub(crate) groups: Vec<GroupId>,
}

impl Reference {
    pub(crate) fn apply(&mut self, source: u8, at: Timestamp, update: Update) {
        let was = self.clone();
        let said = self.sources.entry(source).or_default();
        match update {
            Update::Device(report) => {
                said.devices.insert(report.device, (report, at));
            }
            Update::User(report) => {
                said.users.insert(report.user.clone(), (report, at));
            }
            Update::DeviceGone(device) => {
                said.devices.remove(&device);
            }
            Update::UserGone(user) => {
                said.users.remove(&user);
            }
        }
        self.outdate(&was);
        self.drop_bindings();
    }

    /// Whether the list is taken.
    pub(crate) fn replace(&mut self, source: u8, at: Timestamp, all: Complete) -> bool {
        let said = self.sources.entry(source).or_default();
        let empties = |had: bool, given: bool| had && !given && !all.force;
        if empties(!said.devices.is_empty(), !all.devices.is_empty())
            || empties(!said.users.is_empty(), !all.users.is_empty())
        {
            return false;
        }
        // One after the other: a list may name a device twice.
        for report in &all.devices {
            let was = self.clone();
            let said = self.sources.entry(source).or_default();
            said.devices.insert(report.device, (report.clone(), at));
            self.outdate(&was);
        }
        let said = self.sources.entry(source).or_default();
        *said = Said {
            devices: (all.devices.into_iter())
                .map(|report| (report.device, (report, at)))
                .collect(),
            users: (all.users.into_iter())
                .map(|report| (report.user.clone(), (report, at)))
                .collect(),
            walked: Some(at),
        };
        self.drop_bindings();
        true
    }

    pub(crate) fn bind(&mut self, eas: EasDeviceId, user: UserId, device: DeviceId) {
        if !self.devices().contains(&device) {
            return;
        }
        let same = |b: &Binding| b.eas == eas && b.user == user && b.device == device;
        let canonical = self.reference(&user);
        let holders = self.eas_holders(eas, Some(&canonical));
        let replaced: Vec<bool> = (self.bindings.iter())
            .map(|b| b.device == device && b.eas != eas && self.reference(&b.user) == canonical)
            .collect();
        let mut replaced = replaced.into_iter();
        self.bindings.retain(|_| !replaced.next().unwrap());
        if self.bindings.iter().any(same) || holders.iter().eq([&device]) {
            return;
        }
        self.bindings.push(Binding { eas, user, device });
    }

    /// From now on only these sources are asked, in this order.
    pub(crate) fn restart(&mut self, sources: &[u8]) {
        let said = std::mem::take(&mut self.sources);
        let kept = (1..)
            .zip(sources)
            .filter_map(|(number, old)| Some((number, said.get(old)?.clone())));
        self.sources = kept.collect();
        self.drop_bindings();
    }

    pub(crate) fn devices(&self) -> BTreeSet<DeviceId> {
        let said = self.sources.values();
        said.flat_map(|said| said.devices.keys().copied()).collect()
    }

    pub(crate) fn users(&self) -> BTreeSet<UserId> {
        let said = self.sources.values();
        said.flat_map(|said| said.users.keys().cloned()).collect()
    }

    pub(crate) fn find(&self, identifier: &Identifier<'_>) -> Seen {
        if let Identifier::Eas(eas, user) = identifier {
            return self.find_eas(*eas, user);
        }
        self.one_of(self.holders(identifier))
    }

    pub(crate) fn holders(&self, identifier: &Identifier<'_>) -> BTreeSet<DeviceId> {
        self.having(|report| match identifier {
            Identifier::Device(device) => report.device == *device,
            Identifier::Entra(entra) => !entra.is_nil() && report.entra == Some(*entra),
            Identifier::Certificate(certificate) => report.certificates.contains(certificate),
            Identifier::Serial(serial) => report
                .serial
                .as_ref()
                .is_some_and(|s| s.as_str() == *serial),
            Identifier::Mac(mac) => mac.is_identity() && report.macs.contains(mac),
            Identifier::Eas(..) => false,
        })
    }

    pub(crate) fn user(&self, name: &UserId) -> Option<User> {
        let own = self.resolve(name)?;
        let mut user = User {
            own: own.clone(),
            enabled: Fact::default(),
            groups: Vec::new(),
        };
        for (source, said) in &self.sources {
            let Some((report, at)) = said.users.get(&own) else {
                continue;
            };
            if !user.enabled.is_known() && report.enabled != Tri::Unknown {
                let observed = said.walked.map_or(*at, |walked| walked.max(*at));
                user.enabled = Fact::new(report.enabled, SourceId(*source), observed);
            }
            user.groups.extend(&report.groups);
        }
        user.groups.sort_unstable();
        user.groups.dedup();
        Some(user)
    }

    fn find_eas(&self, eas: EasDeviceId, user: &str) -> Seen {
        let user = UserId::parse(user).and_then(|name| self.resolve(&name));
        for user in user.iter().map(Some).chain([None]) {
            let holders = self.eas_holders(eas, user);
            if !holders.is_empty() {
                return self.one_of(holders);
            }
        }
        let reported = !self.stating(eas).is_empty();
        if reported || self.bindings.iter().any(|binding| binding.eas == eas) {
            Seen::OfAnotherUser
        } else {
            Seen::Unknown
        }
    }

    fn eas_holders(&self, eas: EasDeviceId, user: Option<&UserId>) -> BTreeSet<DeviceId> {
        let bound = |device: DeviceId| {
            (self.bindings.iter())
                .filter(move |binding| binding.eas == eas && binding.device == device)
        };
        let mut holders = self.stating(eas);
        holders.retain(|device| {
            let owner = self.owner(*device);
            owner.as_ref() == user && (owner.is_some() || bound(*device).next().is_none())
        });
        let learned = self.devices().into_iter().filter(|device| {
            bound(*device).any(|binding| Some(&self.reference(&binding.user)) == user)
        });
        holders.extend(learned);
        holders
    }

    /// Of which a source states this id, but for those that have proved another one since.
    fn stating(&self, eas: EasDeviceId) -> BTreeSet<DeviceId> {
        let mut stating = self.having(|report| report.eas == Some(eas));
        stating.retain(|device| {
            let (owner, stated) = (self.owner(*device), self.stated(*device));
            let mut proven = (self.bindings.iter())
                .filter(|b| b.device == *device)
                .filter(|b| owner.is_none() || owner == Some(self.reference(&b.user)))
                .peekable();
            proven.peek().is_none() || proven.any(|b| stated.contains(&b.eas))
        });
        stating
    }

    fn stated(&self, device: DeviceId) -> BTreeSet<EasDeviceId> {
        let said = self.sources.values();
        said.filter_map(|said| said.devices.get(&device)?.0.eas)
            .collect()
    }

    /// `was` is what was stated of each device before a delivery.
    fn outdate(&mut self, was: &Self) {
        let bindings = std::mem::take(&mut self.bindings);
        self.bindings = (bindings.into_iter())
            .filter(|b| {
                let (before, now) = (was.stated(b.device), self.stated(b.device));
                now.is_subset(&before) || now.contains(&b.eas)
            })
            .collect();
    }

    fn having(&self, has: impl Fn(&DeviceReport) -> bool) -> BTreeSet<DeviceId> {
        let reports = self.sources.values().flat_map(|said| said.devices.values());
        reports
            .filter(|(report, _)| has(report))
            .map(|(report, _)| report.device)
            .collect()
    }

    fn one_of(&self, holders: BTreeSet<DeviceId>) -> Seen {
        match *holders.into_iter().collect::<Vec<_>>() {
            [] => Seen::Unknown,
            [one] => Seen::Device(Box::new(self.device(one))),
            [..] => Seen::Ambiguous,
        }
    }

    fn owner_name(&self, device: DeviceId) -> Option<&UserId> {
        (self.sources.values())
            .filter_map(|said| said.devices.get(&device))
            .find_map(|(report, _)| report.owner.as_ref())
    }

    fn owner(&self, device: DeviceId) -> Option<UserId> {
        self.owner_name(device).map(|name| self.reference(name))
    }

    fn device(&self, device: DeviceId) -> Device {
        let said: Vec<(u8, &DeviceReport, Timestamp)> = (self.sources.iter())
            .filter_map(|(source, said)| {
                let (report, at) = said.devices.get(&device)?;
                let observed = said.walked.map_or(*at, |walked| walked.max(*at));
                Some((*source, report, observed))
            })
            .collect();
        let tri = |of: fn(&DeviceReport) -> Tri| {
            let stated = said
                .iter()
                .find(|(_, report, _)| of(report) != Tri::Unknown);
            stated
                .map(|(source, report, at)| Fact::new(of(report), SourceId(*source), *at))
                .unwrap_or_default()
        };
        let reports = || said.iter().map(|(_, report, _)| *report);
        let compliance = known_else_stated(&said, ComplianceState::Unknown, |r| r.compliance);
        let mut groups: Vec<GroupId> = reports().flat_map(|r| r.groups.clone()).collect();
        groups.sort_unstable();
        groups.dedup();
        let with_verdict = said
            .iter()
            .find(|said| SourceId(said.0) == compliance.source);
        let posture = Posture {
            managed: tri(|report| report.managed),
            registered: tri(|report| report.registered),
            compliance,
            eas_activated: tri(|report| report.eas_activated),
            encrypted: tri(|report| report.encrypted),
            jailbroken: tri(|report| report.jailbroken),
            passcode: tri(|report| report.passcode),
            threat: known_else_stated(&said, ThreatLevel::Unknown, |report| report.threat),
            platform: other_than(reports().map(|r| r.platform), Platform::Unknown),
            os_version: other_than(reports().map(|r| r.os_version), OsVersion::UNKNOWN),
            join: other_than(reports().map(|r| r.join), Join::Unknown),
            ownership: other_than(reports().map(|r| r.ownership), Ownership::Unknown),
            retirement: other_than(reports().map(|r| r.retirement), Retirement::None),
            grace_until: with_verdict.and_then(|(_, report, _)| report.grace_until),
            ..Posture::unknown(device)
        };
        Device {
            posture,
            owner: self.owner(device),
            groups,
        }
    }

    fn reference(&self, name: &UserId) -> UserId {
        let claimants = self.claimants(name);
        match claimants.first() {
            Some(one) if claimants.len() == 1 && !self.users().contains(name) => one.clone(),
            Some(_) | None => name.clone(),
        }
    }

    fn claimants(&self, name: &UserId) -> BTreeSet<UserId> {
        let users = self.sources.values().flat_map(|said| said.users.values());
        users
            .filter(|(report, _)| report.aliases.contains(name) && report.user != *name)
            .map(|(report, _)| report.user.clone())
            .collect()
    }

    fn resolve(&self, name: &UserId) -> Option<UserId> {
        if self.users().contains(name) {
            return Some(name.clone());
        }
        let claimants = self.claimants(name);
        match claimants.len() {
            0 => self.is_mentioned(name).then(|| name.clone()),
            1 => claimants.into_iter().next(),
            _ => None,
        }
    }

    fn is_mentioned(&self, name: &UserId) -> bool {
        !self
            .having(|report| report.owner.as_ref() == Some(name))
            .is_empty()
            || self.bindings.iter().any(|binding| binding.user == *name)
    }

    fn drop_bindings(&mut self) {
        let devices = self.devices();
        self.bindings
            .retain(|binding| devices.contains(&binding.device));
    }
}

fn known_else_stated<T: Copy + PartialEq + Default>(
    said: &[(u8, &DeviceReport, Timestamp)],
    unknown: T,
    of: fn(&DeviceReport) -> Option<T>,
) -> Fact<T> {
    let stated = said
        .iter()
        .filter_map(|(source, report, at)| Some(Fact::new(of(report)?, SourceId(*source), *at)));
    let all: Vec<Fact<T>> = stated.collect();
    let known = all.iter().find(|fact| fact.value != unknown);
    known.or_else(|| all.first()).copied().unwrap_or_default()
}

fn other_than<T: PartialEq>(mut values: impl Iterator<Item = T>, unknown: T) -> T {
    values.find(|value| *value != unknown).unwrap_or(unknown)
}
