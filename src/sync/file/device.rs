//! The columns of a device file.

use crate::inventory::DeviceReport;
use crate::model::ComplianceState;
use crate::model::DeviceId;
use crate::model::EasDeviceId;
use crate::model::GroupId;
use crate::model::Join;
use crate::model::MacAddress;
use crate::model::Ownership;
use crate::model::Platform;
use crate::model::Retirement;
use crate::model::SerialNumber;
use crate::model::ThreatLevel;
use crate::model::Timestamp;
use crate::model::UserId;
use crate::sync::file::Columns;
use crate::sync::file::row::Row;

pub(super) const COLUMNS: Columns = Columns {
    names: &[
        "device_id",
        "entra_device_id",
        "serial",
        "macs",
        "eas_id",
        "owner",
        "name",
        "model",
        "platform",
        "os_version",
        "managed",
        "registered",
        "compliance",
        "grace_until",
        "encrypted",
        "jailbroken",
        "passcode",
        "threat",
        "join",
        "ownership",
        "management_state",
        "eas_activated",
        "groups",
    ],
    identifiers: &["device_id", "serial", "macs", "eas_id"],
};

/// What a row says; `None` when any of its cells is bad. `source` names the devices that have no
/// GUID.
pub(super) fn report(row: &mut Row<'_>, source: &str) -> Option<DeviceReport> {
    let stated: Option<DeviceId> = row.parsed("device_id");
    let serial: Option<SerialNumber> = row.parsed("serial");
    let macs: Vec<MacAddress> = row.list("macs");
    for mac in macs.iter().filter(|mac| !mac.is_identity()) {
        row.hint(
            "macs",
            format!("{mac} is made up by the device (its second digit is 2, 6, A or E), or a group's or zero: \
                 no device is known by it"),
        );
    }
    let eas: Option<EasDeviceId> = row.parsed("eas_id");
    let fallback = serial
        .as_ref()
        .map(|serial| format!("serial {serial}"))
        .or_else(|| macs.first().map(|mac| format!("mac {mac}")))
        .or_else(|| eas.map(|eas| format!("eas {eas}")));
    let derived = fallback.map(|identifier| DeviceId::derived(source, &identifier));
    let device = stated.filter(|id| id.as_u128() != 0).or(derived);
    if device.is_none() && row.is_sound() {
        let message = "expected a device id, a serial number, a MAC address or an eas_id";
        row.refuse("device_id", message.to_owned());
    }
    // The id stands in for a missing one only to have all cells of the row judged.
    let placeholder = device.unwrap_or(DeviceId::from_u128(0));
    let report = DeviceReport {
        entra: row.parsed("entra_device_id"),
        serial,
        macs,
        eas,
        owner: owner(row),
        name: row.text("name"),
        model: row.text("model"),
        platform: word(row, "platform", &Platform::ALL, Platform::parse, |p| {
            p.as_str()
        })
        .unwrap_or_default(),
        os_version: row.parsed("os_version").unwrap_or_default(),
        managed: row.tri("managed"),
        registered: row.tri("registered"),
        compliance: word(
            row,
            "compliance",
            &ComplianceState::ALL,
            ComplianceState::parse,
            |state| state.as_str(),
        ),
        grace_until: time(row, "grace_until"),
        encrypted: row.tri("encrypted"),
        jailbroken: row.tri("jailbroken"),
        passcode: row.tri("passcode"),
        threat: word(
            row,
            "threat",
            &ThreatLevel::ALL,
            ThreatLevel::parse,
            |level| level.as_str(),
        ),
        join: word(row, "join", &Join::ALL, Join::parse, |join| join.as_str()).unwrap_or_default(),
        ownership: word(
            row,
            "ownership",
            &Ownership::ALL,
            Ownership::parse,
            |ownership| ownership.as_str(),
        )
        .unwrap_or_default(),
        retirement: row
            .word("management_state", &MANAGEMENT_STATES, retirement)
            .unwrap_or_default(),
        eas_activated: row.tri("eas_activated"),
        groups: row
            .names("groups")
            .iter()
            .map(|name| GroupId::named(name))
            .collect(),
        ..DeviceReport::new(placeholder)
    };
    row.is_sound().then_some(report)
}

fn owner(row: &mut Row<'_>) -> Option<UserId> {
    let text = row.text("owner")?;
    let owner = UserId::parse(&text);
    if owner.is_none() {
        row.refuse("owner", "expected a name of at most 253 octets".to_owned());
    }
    owner
}

fn time(row: &mut Row<'_>, column: &'static str) -> Option<Timestamp> {
    let text = row.text(column)?;
    let time = Timestamp::parse_rfc3339(&text);
    if time.is_none() {
        let message = "expected a time such as 2026-11-21T09:30:00Z";
        row.refuse(column, message.to_owned());
    }
    time
}

/// One of the words of an enum that reads words it does not know as its default, `unknown`.
fn word<T: Copy + Default + PartialEq>(
    row: &mut Row<'_>,
    column: &'static str,
    all: &[T],
    parse: fn(&str) -> T,
    spell: fn(T) -> &'static str,
) -> Option<T> {
    let words: Vec<&str> = all.iter().map(|&value| spell(value)).collect();
    row.word(column, &words, |text| {
        let value = parse(text);
        let known = value != T::default() || text.eq_ignore_ascii_case(spell(value));
        known.then_some(value)
    })
}

fn retirement(text: &str) -> Option<Retirement> {
    let is = |word: &&str| word.eq_ignore_ascii_case(text);
    if let Some(own) = Retirement::ALL.into_iter().find(|own| is(&own.as_str())) {
        return Some(own);
    }
    let known = MANAGEMENT_STATES.iter().any(is);
    known.then(|| Retirement::from_management_state(text))
}

/// Intune's `managementState`, and our own three words.
const MANAGEMENT_STATES: [&str; 15] = [
    "managed",
    "retirePending",
    "retireFailed",
    "wipePending",
    "wipeFailed",
    "unhealthy",
    "deletePending",
    "retireIssued",
    "wipeIssued",
    "wipeCanceled",
    "retireCanceled",
    "discovered",
    "none",
    "retired",
    "wiped",
];
