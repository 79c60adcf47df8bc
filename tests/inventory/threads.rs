//! Readers on other threads while the writer refreshes and the tables grow.

use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::thread;

use portreeve::inventory::Complete;
use portreeve::inventory::Config;
use portreeve::inventory::DeviceReport;
use portreeve::inventory::Lookup;
use portreeve::inventory::Reader;
use portreeve::inventory::Update;
use portreeve::inventory::open;
use portreeve::model::Identifier;
use portreeve::model::MacAddress;
use portreeve::model::OsVersion;
use portreeve::model::Posture;
use portreeve::model::Retirement;
use portreeve::model::Timestamp;
use portreeve::model::Tri;

use crate::at;
use crate::device;
use crate::name;

const DEVICES: u32 = 20_000;

fn mac(number: u32) -> MacAddress {
    let [a, b, c, d] = number.to_be_bytes();
    MacAddress::new([0, 1, a, b, c, d])
}

/// A report whose facts all say the same round.
fn round_report(number: u32, round: u64) -> DeviceReport {
    let yes = Tri::from(round % 2 == 1);
    DeviceReport {
        macs: vec![mac(number)],
        serial: format!("SN{number}").parse().ok(),
        owner: Some(name(&format!("user{number}@x"))),
        managed: yes,
        registered: yes,
        encrypted: yes,
        passcode: yes,
        os_version: OsVersion::from_bits(round),
        grace_until: None,
        retirement: Retirement::None,
        ..DeviceReport::new(device(u128::from(number)))
    }
}

/// The round of a record, after checking that all of it is of one round and of one device.
fn round_of(posture: &Posture, number: u32) -> u64 {
    let round = posture.os_version.to_bits();
    let yes = Tri::from(round % 2 == 1);
    assert_eq!(posture.device, device(u128::from(number)));
    for fact in [
        posture.managed,
        posture.registered,
        posture.encrypted,
        posture.passcode,
    ] {
        assert_eq!(fact.value, yes, "a torn record of round {round}");
    }
    round
}

fn look_up(reader: &Reader, number: u32, turn: u64) -> Posture {
    let serial = format!("SN{number}");
    let identifier = match turn % 3 {
        0 => Identifier::Mac(mac(number)),
        1 => Identifier::Serial(&serial),
        _ => Identifier::Device(device(u128::from(number))),
    };
    match reader.find(&identifier) {
        Lookup::Found(posture, _) => posture,
        missed @ (Lookup::Unknown | Lookup::Ambiguous | Lookup::OfAnotherUser) => {
            panic!("{identifier:?} is there all the time and finds {missed:?}")
        }
    }
}

/// Runs `write` while two readers look up devices `0..DEVICES`, each at least `look_ups` times.
fn while_reading(
    reader: &Reader,
    look_ups: u64,
    check: impl Fn(&Reader, u32, u64) + Sync,
    write: impl FnOnce(),
) {
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        for thread in 1..=2_u64 {
            let (reader, check, done) = (reader.clone(), &check, &done);
            scope.spawn(move || {
                let mut random = thread.wrapping_mul(0x9e37_79b9_7f4a_7c15);
                let mut turn = 0;
                while turn < look_ups || !done.load(Ordering::Relaxed) {
                    random ^= random << 13;
                    random ^= random >> 7;
                    random ^= random << 17;
                    let number = u32::try_from(random % u64::from(DEVICES)).unwrap();
                    check(&reader, number, turn);
                    turn += 1;
                }
            });
        }
        write();
        done.store(true, Ordering::Relaxed);
    });
}

fn complete(round: u64) -> Complete {
    Complete {
        devices: (0..DEVICES)
            .map(|number| round_report(number, round))
            .collect(),
        ..Complete::default()
    }
}

#[test]
fn readers_see_whole_records_of_all_devices_during_refreshes() {
    let (mut writer, reader) = open(Config::new([3; 16]));
    let source = writer.name_source("file");
    writer.replace(source, at(1), complete(1)).unwrap();
    while_reading(
        &reader,
        200_000,
        |reader, number, turn| {
            let first = round_of(&look_up(reader, number, turn), number);
            let second = round_of(&look_up(reader, number, turn + 1), number);
            assert!(
                first <= second,
                "another key of the device shows an older record"
            );
        },
        || {
            for round in 2..8 {
                let now = Timestamp::from_unix_seconds(i64::try_from(round).unwrap());
                writer.replace(source, now, complete(round)).unwrap();
            }
        },
    );
    assert_eq!(look_up(&reader, 5, 0).os_version.to_bits(), 7);
}

#[test]
fn readers_miss_nobody_while_the_tables_grow_and_shrink() {
    // Room for a thousand, so that segments are split all along.
    let (mut writer, reader) = open(Config::new([4; 16]));
    let [source, other] = ["file", "other"].map(|name| writer.name_source(name));
    writer.replace(source, at(1), complete(1)).unwrap();
    while_reading(
        &reader,
        100_000,
        |reader, number, turn| {
            round_of(&look_up(reader, number, turn), number);
            let name = format!("USER{number}@x");
            let owner = reader.user(&name).expect("named by a device all the time");
            assert_eq!(look_up(reader, number, turn).owner, Some(owner.user));
        },
        || {
            let extra = DEVICES..DEVICES + 40_000;
            for part in 0..4 {
                let some: Vec<u32> = extra.clone().filter(|number| number % 4 == part).collect();
                let added = some.iter().map(|number| round_report(*number, 1));
                writer.apply(other, at(2), added.map(Update::Device).collect());
                let gone = some.iter().filter(|number| **number % 3 != 0);
                let gone = gone.map(|number| Update::DeviceGone(device(u128::from(*number))));
                writer.apply(other, at(3), gone.collect());
            }
        },
    );
}

#[test]
fn whoever_sees_the_generation_sees_the_batch() {
    let (mut writer, reader) = open(Config::new([5; 16]));
    let source = writer.name_source("file");
    let rounds = 5000;
    writer.apply(source, at(1), vec![Update::Device(round_report(1, 1))]);
    let first = reader.generation();
    thread::scope(|scope| {
        let reader = &reader;
        scope.spawn(move || {
            loop {
                let generation = reader.generation();
                let round = round_of(&look_up(reader, 1, generation), 1);
                assert!(round > generation - first, "round {round} at {generation}");
                if round == rounds {
                    break;
                }
            }
        });
        for round in 2..=rounds {
            let update = Update::Device(round_report(1, round));
            assert_eq!(writer.apply(source, at(2), vec![update]).len(), 1);
        }
    });
}
