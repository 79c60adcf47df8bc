//! Devices, users and groups made up from their number.

use portreeve::model::Timestamp;
use serde_json::Map;
use serde_json::Value;
use serde_json::json;
use uuid::Uuid;

/// Makes things up, always the same for the same seed.
#[derive(Clone, Copy, Debug)]
pub(super) struct MadeUp {
    pub(super) seed: u64,
    pub(super) users: u32,
    /// Check-ins lie in the hours before this.
    pub(super) started: Timestamp,
}

/// Properties that the service fills for one device and leaves `null` in lists.
pub(super) const WITHHELD: [&str; 7] = [
    "activationLockBypassCode",
    "ethernetMacAddress",
    "iccid",
    "notes",
    "physicalMemoryInBytes",
    "requireUserEnrollmentApproval",
    "udid",
];

impl MadeUp {
    /// The id of the `number`th thing of a kind; the number can be read from it.
    pub(super) fn id(self, kind: Kind, number: u32) -> String {
        let high = u128::from(mix(self.seed ^ kind as u64)) << 64;
        Uuid::from_u128(high | VARIANT | u128::from(number)).to_string()
    }

    /// The number of an id that [`MadeUp::id`] has made.
    pub(super) fn number(self, kind: Kind, id: &str) -> Option<u32> {
        let id = Uuid::try_parse(id).ok()?;
        let number = u32::try_from(id.as_u128() & u128::from(u32::MAX)).ok()?;
        (self.id(kind, number) == id.to_string()).then_some(number)
    }

    /// The name of a user.
    pub(super) fn user_name(number: u32) -> String {
        format!("user{number:06}@lab.example")
    }

    /// A user as listed.
    pub(super) fn user(self, number: u32) -> Map<String, Value> {
        object(json!({
            "id": self.id(Kind::User, number),
            "userPrincipalName": Self::user_name(number),
            "accountEnabled": !mix(self.seed ^ u64::from(number)).is_multiple_of(50),
            "onPremisesSamAccountName": format!("user{number:06}"),
        }))
    }

    /// How compliant a device is: 90 of 100 are.
    pub(super) fn compliance(self, number: u32) -> &'static str {
        match self.chance(number) % 100 {
            0..90 => "compliant",
            90..96 => "noncompliant",
            96 | 97 => "inGracePeriod",
            98 => "unknown",
            _ => "error",
        }
    }

    /// When a device last checked in: within eight hours before the start.
    pub(super) fn checked_in(self, number: u32) -> Timestamp {
        let ago = (self.chance(number) >> 32) % (8 * 3_600_000);
        let ago = i64::try_from(ago).unwrap_or(0);
        Timestamp::from_unix_millis(self.started.unix_millis() - ago)
    }

    /// A device with all properties that anyone here asks for.
    pub(super) fn device(self, number: u32) -> Map<String, Value> {
        let (system, version, agent, prefix) = match number % 4 {
            0 => ("iOS", "18.1", "mdm", "Appl"),
            1 => (
                "Android",
                "14.0",
                "googleCloudDevicePolicyController",
                "android",
            ),
            2 => ("Windows", "10.0.22631.4460", "mdm", ""),
            _ => ("macOS", "15.1 (24B83)", "mdm", ""),
        };
        let mobile = !prefix.is_empty();
        let grace = match self.compliance(number) {
            "inGracePeriod" => {
                Timestamp::from_unix_millis(self.started.unix_millis() + 3 * 24 * 3_600_000)
                    .to_string()
            }
            _ => "9999-12-31T23:59:59.9999999Z".to_owned(),
        };
        let owner = (self.users > 0).then(|| Self::user_name(number % self.users));
        object(json!({
            "id": self.id(Kind::Device, number),
            "activationLockBypassCode": "not for anyone",
            "azureADDeviceId": self.id(Kind::Registration, number),
            "azureADRegistered": true,
            "complianceGracePeriodExpirationDateTime": grace,
            "complianceState": self.compliance(number),
            "deviceName": format!("LAB-{number:07}"),
            "deviceRegistrationState": "registered",
            "easActivated": mobile,
            "easActivationDateTime": "0001-01-01T00:00:00Z",
            "easDeviceId": if mobile { format!("{prefix}{number:012X}") } else { String::new() },
            "ethernetMacAddress": if mobile { String::new() } else { format!("00005F{number:06X}") },
            "iccid": "",
            "isEncrypted": !number.is_multiple_of(20),
            "jailBroken": if mobile { "False" } else { "Unknown" },
            "lastSyncDateTime": self.checked_in(number).to_string(),
            "managedDeviceOwnerType": if number.is_multiple_of(3) { "personal" } else { "company" },
            "managementAgent": agent,
            "managementState": "managed",
            "model": "Lab model",
            "notes": "",
            "operatingSystem": system,
            "osVersion": version,
            "partnerReportedThreatState": "unknown",
            "physicalMemoryInBytes": 8_u64 << 30,
            "requireUserEnrollmentApproval": false,
            "serialNumber": format!("LAB{number:09}"),
            "udid": "",
            "userPrincipalName": owner.unwrap_or_default(),
            "wiFiMacAddress": format!("00005E{number:06X}"),
        }))
    }

    /// The members of the groups that are there from the start: everybody is staff, every tenth
    /// user a contractor, and the first one breaks the glass.
    pub(super) fn starts_in(group: &str, user: u32) -> bool {
        match group {
            "staff" => true,
            "contractors" => user % 10 == 9,
            "break-glass" => user == 0,
            _ => false,
        }
    }

    fn chance(self, number: u32) -> u64 {
        mix(self.seed.rotate_left(17) ^ u64::from(number))
    }
}

/// Kinds of things, so that their ids differ.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    Device = 1,
    Registration = 2,
    User = 3,
    Group = 4,
}

/// The groups that are there from the start.
pub(super) const GROUPS: [&str; 3] = ["staff", "contractors", "break-glass"];

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
            Map::new()
        }
    }
}

/// SplitMix64: well mixed and the same everywhere.
fn mix(seed: u64) -> u64 {
    let mut z = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// The bits that make 128 of them look like a GUID.
const VARIANT: u128 = 0x8000_0000_0000_0000;
