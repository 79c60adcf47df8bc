//! Random operations on the inventory and on the reference, compared after each.
//!
//! Everything is drawn from a few of its kind, so that devices share keys, users share aliases,
//! and sources contradict each other all the time.

use std::collections::BTreeSet;

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::sample::subsequence;

use portreeve::inventory::Change;
use portreeve::inventory::Complete;
use portreeve::inventory::Config;
use portreeve::inventory::DeviceReport;
use portreeve::inventory::Guard;
use portreeve::inventory::Lookup;
use portreeve::inventory::Origin;
use portreeve::inventory::Reader;
use portreeve::inventory::Update;
use portreeve::inventory::UserReport;
use portreeve::inventory::Writer;
use portreeve::inventory::open;
use portreeve::inventory::reopen;
use portreeve::model::CertificateId;
use portreeve::model::ComplianceState;
use portreeve::model::DeviceId;
use portreeve::model::EasDeviceId;
use portreeve::model::EntraDeviceId;
use portreeve::model::GroupId;
use portreeve::model::Identifier;
use portreeve::model::Join;
use portreeve::model::MacAddress;
use portreeve::model::Ownership;
use portreeve::model::Platform;
use portreeve::model::Posture;
use portreeve::model::Retirement;
use portreeve::model::SourceId;
use portreeve::model::ThreatLevel;
use portreeve::model::Timestamp;
use portreeve::model::Tri;
use portreeve::model::UserId;
use portreeve::model::UserRef;

use crate::at;
use crate::device;
use crate::reference::Device;
use crate::reference::Reference;
use crate::reference::Seen;
use crate::reference::User;
use crate::store::in_threads;
use crate::store::octets;
use crate::store::origin;

const NAMES: [&str; 5] = ["alice@x", "bob@x", "X\\alice", "bob", "carol@x"];
const SERIALS: [&str; 2] = ["AB12", "CD34"];
const EAS: [&str; 2] = ["appl1", "appl2"];

#[derive(Clone, Debug)]
enum Operation {
    Apply(u8, Vec<Update>),
    Replace(u8, Complete),
    Bind(EasDeviceId, UserId, DeviceId),
}

fn operation() -> impl Strategy<Value = Operation> {
    let source = 1..=3_u8;
    let all = (
        vec(device_report(), 0..4),
        vec(user_report(), 0..3),
        any::<bool>(),
    )
        .prop_map(|(devices, users, force)| Complete {
            devices,
            users,
            force,
        });
    prop_oneof![
        5 => (source.clone(), vec(update(), 1..4)).prop_map(|(s, u)| Operation::Apply(s, u)),
        2 => (source, all).prop_map(|(s, all)| Operation::Replace(s, all)),
        2 => (eas(), name(), device_id()).prop_map(|(e, n, d)| Operation::Bind(e, n, d)),
    ]
}

fn update() -> impl Strategy<Value = Update> {
    prop_oneof![
        5 => device_report().prop_map(Update::Device),
        3 => user_report().prop_map(Update::User),
        2 => device_id().prop_map(Update::DeviceGone),
        1 => name().prop_map(Update::UserGone),
    ]
}

fn device_report() -> impl Strategy<Value = DeviceReport> {
    let identifiers = (
        option::of(0..3_u128),
        option::of(select(SERIALS.to_vec())),
        vec(select(macs()), 0..3),
        option::of(select(certificates())),
        option::of(eas()),
        option::of(name()),
    );
    let facts = (
        (tri(), tri(), tri(), tri(), tri(), tri()),
        option::of(select(ComplianceState::ALL.to_vec())),
        option::of(select(ThreatLevel::ALL.to_vec())),
        select(Platform::ALL.to_vec()),
        select(Join::ALL.to_vec()),
        select(Ownership::ALL.to_vec()),
        select(Retirement::ALL.to_vec()),
        option::of(1..3_i64),
        vec(group(), 0..3),
    );
    (device_id(), identifiers, facts).prop_map(|(device, identifiers, facts)| {
        let (entra, serial, macs, certificate, eas, owner) = identifiers;
        let (tris, compliance, threat, platform, join, ownership, retirement, grace, groups) =
            facts;
        DeviceReport {
            entra: entra.map(EntraDeviceId::from_u128),
            serial: serial.map(|serial| serial.parse().unwrap()),
            macs,
            certificates: certificate.into_iter().collect(),
            eas,
            owner,
            managed: tris.0,
            registered: tris.1,
            eas_activated: tris.2,
            encrypted: tris.3,
            jailbroken: tris.4,
            passcode: tris.5,
            compliance,
            threat,
            platform,
            join,
            ownership,
            retirement,
            grace_until: grace.map(at),
            groups,
            ..DeviceReport::new(device)
        }
    })
}

fn user_report() -> impl Strategy<Value = UserReport> {
    (name(), vec(name(), 0..3), tri(), vec(group(), 0..3)).prop_map(
        |(user, aliases, enabled, groups)| UserReport {
            user,
            aliases,
            enabled,
            groups,
        },
    )
}

fn device_id() -> impl Strategy<Value = DeviceId> {
    (1..5_u128).prop_map(device)
}

fn name() -> impl Strategy<Value = UserId> {
    select(NAMES.to_vec()).prop_map(crate::name)
}

fn eas() -> impl Strategy<Value = EasDeviceId> {
    select(EAS.to_vec()).prop_map(crate::eas)
}

fn tri() -> impl Strategy<Value = Tri> {
    select(vec![Tri::Unknown, Tri::No, Tri::Yes])
}

fn group() -> impl Strategy<Value = GroupId> {
    select(vec!["g1", "g2", "g3"]).prop_map(GroupId::named)
}

fn macs() -> Vec<MacAddress> {
    [0x00, 0x00, 0x02]
        .into_iter()
        .zip(1..)
        .map(|(first, last)| MacAddress::new([first, 0, 0, 0, 0, last]))
        .collect()
}

fn certificates() -> Vec<CertificateId> {
    [b"1", b"2"]
        .map(|serial| CertificateId::new(b"ca", serial))
        .into()
}

/// Every identifier that can occur.
fn identifiers() -> Vec<Identifier<'static>> {
    let eas_ids = EAS.iter().flat_map(|id| {
        let users = NAMES.iter().chain(&["nobody"]);
        users.map(|user| Identifier::Eas(crate::eas(id), user))
    });
    let mut all: Vec<Identifier<'static>> = eas_ids.collect();
    all.extend((1..5).map(|number| Identifier::Device(device(number))));
    all.extend((0..3).map(|bits| Identifier::Entra(EntraDeviceId::from_u128(bits))));
    all.extend(certificates().into_iter().map(Identifier::Certificate));
    all.extend(SERIALS.map(Identifier::Serial));
    all.extend(macs().into_iter().map(Identifier::Mac));
    all
}

fn seen(reader: &Reader, identifier: &Identifier<'_>) -> Seen {
    match reader.find(identifier) {
        Lookup::Unknown => Seen::Unknown,
        Lookup::Ambiguous => Seen::Ambiguous,
        Lookup::OfAnotherUser => Seen::OfAnotherUser,
        Lookup::Found(posture, groups) => Seen::Device(Box::new(Device {
            owner: posture
                .owner
                .map(|owner| reader.user_name(owner).unwrap().clone()),
            posture: Posture {
                owner: None,
                ..posture
            },
            groups: reader.groups(groups).to_vec(),
        })),
    }
}

fn seen_user(reader: &Reader, name: &str) -> Option<User> {
    let entry = reader.user(name)?;
    Some(User {
        own: reader.user_name(entry.user).unwrap().clone(),
        enabled: entry.enabled,
        groups: reader.groups(entry.groups).to_vec(),
    })
}

/// All look-ups at one moment, without the times that alone make no change.
struct Answers {
    devices: Vec<(Identifier<'static>, Seen)>,
    /// By name; a user of whom nothing is stated counts as none.
    users: Vec<Option<(UserRef, User)>>,
}

impl Answers {
    fn of(reader: &Reader) -> Self {
        let devices = identifiers().into_iter().map(|identifier| {
            let mut seen = seen(reader, &identifier);
            if let Seen::Device(device) = &mut seen {
                let none = Timestamp::default();
                let p = &mut device.posture;
                p.managed.observed = none;
                p.registered.observed = none;
                p.compliance.observed = none;
                p.eas_activated.observed = none;
                p.encrypted.observed = none;
                p.jailbroken.observed = none;
                p.passcode.observed = none;
                p.threat.observed = none;
            }
            (identifier, seen)
        });
        let users = NAMES.iter().map(|name| {
            let mut user = seen_user(reader, name)?;
            user.enabled.observed = Timestamp::default();
            let stated = user.enabled.is_known() || !user.groups.is_empty();
            stated.then_some((reader.user(name)?.user, user))
        });
        Self {
            devices: devices.collect(),
            users: users.collect(),
        }
    }

    /// What must be reported when these answers become `after`; `same` says of which names the
    /// user they mean has not changed.
    fn changes(&self, after: &Self, same: impl Fn(&str) -> bool) -> BTreeSet<Change> {
        let mut changes = BTreeSet::new();
        for (before, after) in self.users.iter().zip(&after.users) {
            if before != after {
                let both = before.iter().chain(after);
                changes.extend(both.map(|(user, _)| Change::User(*user)));
            }
        }
        for ((identifier, before), (_, after)) in self.devices.iter().zip(&after.devices) {
            // Another user's device may be found only because the name means another user:
            // then it is the users that have changed.
            if let Identifier::Eas(_, user) = identifier
                && !same(user)
            {
                continue;
            }
            for seen in [before, after].into_iter().filter(|_| before != after) {
                if let Seen::Device(device) = seen {
                    changes.insert(Change::Device(device.posture.device));
                }
            }
        }
        changes
    }
}

fn check(reader: &Reader, reference: &Reference) -> Result<(), TestCaseError> {
    for identifier in identifiers() {
        let expected = reference.find(&identifier);
        prop_assert_eq!(seen(reader, &identifier), expected, "{:?}", identifier);
    }
    for name in NAMES {
        let expected = reference.user(&crate::name(name));
        prop_assert_eq!(seen_user(reader, name), expected, "user {}", name);
    }
    prop_assert_eq!(reader.device_count(), reference.devices().len());
    prop_assert_eq!(reader.user_count(), reference.users().len());
    let listed: BTreeSet<DeviceId> = reader.devices().map(|(known, _)| known.device).collect();
    prop_assert_eq!(listed, reference.devices());
    prop_assert_eq!(reader.overflowed(), 0);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn look_ups_are_those_of_the_reference(operations in vec(operation(), 1..40)) {
        let any_size = Guard { percent: 100, at_least: 0 };
        let (mut writer, reader) = open(Config { guard: any_size, ..Config::new([9; 16]) });
        let mut reference = Reference::default();
        let sources = ["one", "two", "three"].map(|source| writer.name_source(source));
        for (operation, now) in operations.into_iter().zip(1..) {
            let (before, generation) = (Answers::of(&reader), reader.generation());
            let meant = NAMES.map(|name| reader.user(name).map(|entry| entry.user));
            let changes = match operation {
                Operation::Apply(source, updates) => {
                    for update in updates.clone() {
                        reference.apply(source, at(now), update);
                    }
                    writer.apply(sources[usize::from(source) - 1], at(now), updates)
                }
                Operation::Replace(source, all) => {
                    let taken = reference.replace(source, at(now), all.clone());
                    let result = writer.replace(sources[usize::from(source) - 1], at(now), all);
                    prop_assert_eq!(result.is_ok(), taken);
                    result.unwrap_or_default()
                }
                Operation::Bind(eas, user, device) => {
                    reference.bind(eas, user.clone(), device);
                    writer.bind(eas, user.as_str(), device, at(now))
                }
            };
            check(&reader, &reference)?;

            // Whatever differs is reported, once, and counted.
            let after = Answers::of(&reader);
            let same = |asked: &str| {
                NAMES.iter().zip(meant).all(|(name, meant)| {
                    *name != asked || meant == reader.user(name).map(|entry| entry.user)
                })
            };
            for change in &before.changes(&after, same) {
                prop_assert!(changes.contains(change), "{change:?} in {changes:?}");
            }
            prop_assert!(changes.is_sorted_by(|a, b| a < b));
            prop_assert_eq!(reader.generation() - generation, u64::from(!changes.is_empty()));
        }
    }

    #[test]
    fn a_restart_in_between_changes_nothing_but_what_is_configured(
        before in vec(operation(), 1..20),
        sources in subsequence(vec![1, 2, 3_u8], 0..=3).prop_shuffle(),
        after in vec(operation(), 0..20),
    ) {
        let any_size = Guard { percent: 100, at_least: 0 };
        let config = Config { guard: any_size, ..Config::new([9; 16]) };
        let (mut writer, reader) = open(config.clone());
        let mut reference = Reference::default();
        let mut numbers = SOURCES.map(|source| writer.name_origin(&origin(source)));
        let mut now = 0;
        for operation in before {
            now += 1;
            work_in(&mut writer, &mut reference, numbers, operation, now);
        }
        // From here on with the sources in another order, and some of them new.
        let saved = octets(&reader);
        let configured: Vec<Origin> = sources
            .iter()
            .map(|number| origin(SOURCES[usize::from(*number) - 1]))
            .collect();
        let config = Config { seed: [8; 16], ..config };
        let (mut writer, reader) = reopen(&config, &configured, &saved, in_threads).unwrap();
        reference.restart(&sources);
        numbers = SOURCES.map(|source| writer.name_origin(&origin(source)));
        check(&reader, &reference)?;
        for operation in after {
            now += 1;
            work_in(&mut writer, &mut reference, numbers, operation, now);
            check(&reader, &reference)?;
        }
    }
}

const SOURCES: [&str; 3] = ["one", "two", "three"];

/// The same operation on both.
fn work_in(
    writer: &mut Writer,
    reference: &mut Reference,
    numbers: [SourceId; 3],
    operation: Operation,
    now: i64,
) {
    let number = |source: u8| numbers[usize::from(source) - 1];
    match operation {
        Operation::Apply(source, updates) => {
            for update in updates.clone() {
                reference.apply(number(source).0, at(now), update);
            }
            writer.apply(number(source), at(now), updates);
        }
        Operation::Replace(source, all) => {
            let taken = reference.replace(number(source).0, at(now), all.clone());
            assert_eq!(writer.replace(number(source), at(now), all).is_ok(), taken);
        }
        Operation::Bind(eas, user, device) => {
            reference.bind(eas, user.clone(), device);
            writer.bind(eas, user.as_str(), device, at(now));
        }
    }
}
