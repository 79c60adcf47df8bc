//! The inventory from outside: what sources deliver, what look-ups then find.

#![expect(
    clippy::unwrap_used,
    clippy::unwrap_in_result,
    reason = "a test that cannot go on should fail where it stands"
)]

mod allocation;
mod displaced;
mod guard;
mod keys;
mod operations;
mod reference;
mod sources;
mod store;
mod threads;
mod users;

use portreeve::inventory::Config;
use portreeve::inventory::DeviceReport;
use portreeve::inventory::Lookup;
use portreeve::inventory::Reader;
use portreeve::inventory::Update;
use portreeve::inventory::UserReport;
use portreeve::inventory::Writer;
use portreeve::inventory::open;
use portreeve::model::DeviceId;
use portreeve::model::EasDeviceId;
use portreeve::model::GroupId;
use portreeve::model::Identifier;
use portreeve::model::Posture;
use portreeve::model::Timestamp;
use portreeve::model::UserId;

fn inventory() -> (Writer, Reader) {
    open(Config::new(*b"a seed for tests"))
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_unix_seconds(seconds)
}

const fn device(number: u128) -> DeviceId {
    DeviceId::from_u128(number)
}

fn report(number: u128, change: impl FnOnce(&mut DeviceReport)) -> DeviceReport {
    let mut report = DeviceReport::new(device(number));
    change(&mut report);
    report
}

fn said(number: u128, change: impl FnOnce(&mut DeviceReport)) -> Update {
    Update::Device(report(number, change))
}

fn name(text: &str) -> UserId {
    UserId::parse(text).unwrap()
}

fn user(own: &str, aliases: &[&str]) -> UserReport {
    UserReport {
        aliases: aliases.iter().map(|alias| name(alias)).collect(),
        ..UserReport::new(name(own))
    }
}

fn eas(text: &str) -> EasDeviceId {
    text.parse().unwrap()
}

fn groups(names: &[&str]) -> Vec<GroupId> {
    names.iter().map(|name| GroupId::named(name)).collect()
}

/// The device that an identifier finds, which must be exactly one.
fn found(reader: &Reader, identifier: &Identifier<'_>) -> Posture {
    match reader.find(identifier) {
        Lookup::Found(posture, _) => posture,
        other @ (Lookup::Unknown | Lookup::Ambiguous | Lookup::OfAnotherUser) => {
            panic!("{identifier:?} finds {other:?}")
        }
    }
}

fn posture(reader: &Reader, number: u128) -> Posture {
    found(reader, &Identifier::Device(device(number)))
}
