//! Intune's managed devices (`/deviceManagement/managedDevices`, Graph v1.0): what is asked for
//! and what an answer says of a device.
//!
//! The list has no change feed. A full walk is the only complete answer; between two of them a
//! quick run asks for the devices that checked in since the last one, and for all devices that
//! are not compliant. What neither shows until the next full walk: a device that the service
//! itself has retired or re-judged as compliant without a check-in.
//!
//! The list leaves `ethernetMacAddress` and a few more properties `null` that a request for one
//! device fills. They are not fetched one by one here: a wired MAC address is only ever a claim.

use crate::inventory::DeviceReport;
use crate::model::ComplianceState;
use crate::model::DeviceId;
use crate::model::EntraDeviceId;
use crate::model::Ownership;
use crate::model::Platform;
use crate::model::Retirement;
use crate::model::ThreatLevel;
use crate::model::Timestamp;
use crate::model::Tri;
use crate::model::UserId;
use crate::sync::json::Page;
use crate::sync::json::PageError;
use crate::sync::json::Row;
use crate::sync::json::RowError;

/// Reads a page of managed devices.
///
/// # Errors
///
/// When the answer as a whole is not a page; a bad row is counted in it.
pub fn read_managed_devices(octets: &[u8]) -> Result<Page<DeviceReport>, PageError> {
    Page::read(octets, |row| report(row).map(Some))
}

/// Reads the answer to [`device_query`].
pub(super) fn read_managed_device(octets: &[u8]) -> Option<DeviceReport> {
    let row: Row<'_> = serde_json::from_slice(octets).ok()?;
    report(row.checked().ok()?).ok()
}

/// All devices.
pub(super) fn all_query() -> String {
    format!("{PATH}?$select={}&$top={PAGE}", SELECT.join(","))
}

/// The devices that checked in at or after `since`.
pub(super) fn since_query(since: Timestamp) -> String {
    let since = Timestamp::from_unix_seconds(since.unix_seconds());
    let query = all_query();
    format!("{query}&$filter=lastSyncDateTime%20ge%20{since}")
}

/// The devices that are not compliant.
pub(super) fn noncompliant_query() -> String {
    let query = all_query();
    format!("{query}&$filter=complianceState%20eq%20'noncompliant'")
}

/// One device, to learn whether it still exists.
pub(super) fn device_query(device: DeviceId) -> String {
    format!("{PATH}/{device}?$select={}", SELECT.join(","))
}

/// What one row says.
fn report(row: &Row<'_>) -> Result<DeviceReport, RowError> {
    let device: DeviceId = row
        .text("id")
        .and_then(|id| id.parse().ok())
        .filter(|id: &DeviceId| id.as_u128() != 0)
        .ok_or(RowError::Identifier("id"))?;
    let compliance = row.text("complianceState").map(ComplianceState::parse);
    let state = row.text("managementState");
    Ok(DeviceReport {
        entra: row
            .text("azureADDeviceId")
            .and_then(|id| id.parse().ok())
            .filter(|id: &EntraDeviceId| !id.is_nil()),
        serial: row
            .text("serialNumber")
            .and_then(|serial| serial.parse().ok()),
        macs: ["wiFiMacAddress", "ethernetMacAddress"]
            .into_iter()
            .filter_map(|field| row.text(field)?.parse().ok())
            .collect(),
        eas: row.text("easDeviceId").and_then(|id| id.parse().ok()),
        owner: row.text("userPrincipalName").and_then(UserId::parse),
        name: row.text("deviceName").map(str::to_owned),
        model: row.text("model").map(str::to_owned),
        managed: managed(row.text("managementAgent"), state),
        registered: registered(
            row.text("deviceRegistrationState"),
            row.truth("azureADRegistered"),
        ),
        compliance,
        eas_activated: row.truth("easActivated").into(),
        encrypted: row.truth("isEncrypted").into(),
        // A text: "True", "False", "Unknown".
        jailbroken: row.truth("jailBroken").into(),
        threat: row
            .text("partnerReportedThreatState")
            .map(ThreatLevel::parse),
        platform: row
            .text("operatingSystem")
            .map_or(Platform::Unknown, Platform::parse),
        os_version: row
            .text("osVersion")
            .and_then(|version| version.parse().ok())
            .unwrap_or_default(),
        ownership: row
            .text("managedDeviceOwnerType")
            .map_or(Ownership::Unknown, Ownership::parse),
        retirement: state.map_or(Retirement::None, Retirement::from_management_state),
        grace_until: compliance
            .filter(|&state| state == ComplianceState::InGracePeriod)
            .and_then(|_| row.text("complianceGracePeriodExpirationDateTime"))
            .and_then(date),
        ..DeviceReport::new(device)
    })
}

/// R1: enrolled, by the agent that manages the device. ActiveSync alone and Defender alone manage
/// nothing; a discovered device is not enrolled yet.
fn managed(agent: Option<&str>, state: Option<&str>) -> Tri {
    if state.is_some_and(|state| state.eq_ignore_ascii_case("discovered")) {
        return Tri::No;
    }
    let Some(agent) = agent else {
        return Tri::Unknown;
    };
    let is = |names: &[&str]| names.iter().any(|name| name.eq_ignore_ascii_case(agent));
    if is(&["eas", "msSense"]) {
        Tri::No
    } else if is(&MANAGING_AGENTS) {
        Tri::Yes
    } else {
        Tri::Unknown
    }
}

/// R2: registered in the directory. The state is the finer word; the flag counts when the state
/// is missing or not one we know.
fn registered(state: Option<&str>, flag: Option<bool>) -> Tri {
    let state = state.unwrap_or("");
    if state.eq_ignore_ascii_case("registered") {
        return Tri::Yes;
    }
    let known = UNREGISTERED
        .iter()
        .any(|name| name.eq_ignore_ascii_case(state));
    if known { Tri::No } else { flag.into() }
}

/// A date that says something: year 1 stands for "not set", year 9999 for "no end".
fn date(text: &str) -> Option<Timestamp> {
    let unset = text.starts_with("0001-") || text.starts_with("9999-");
    if unset {
        None
    } else {
        Timestamp::parse_rfc3339(text)
    }
}

const PATH: &str = "/deviceManagement/managedDevices";

/// Graph takes 1000 at most; 999 is what it is known to take everywhere.
const PAGE: usize = 999;

/// Only these properties are asked for: never `activationLockBypassCode`, which would defeat
/// Activation Lock, and no phone numbers.
const SELECT: [&str; 22] = [
    "id",
    "azureADDeviceId",
    "azureADRegistered",
    "complianceGracePeriodExpirationDateTime",
    "complianceState",
    "deviceName",
    "deviceRegistrationState",
    "easActivated",
    "easDeviceId",
    "ethernetMacAddress",
    "isEncrypted",
    "jailBroken",
    "managedDeviceOwnerType",
    "managementAgent",
    "managementState",
    "model",
    "operatingSystem",
    "osVersion",
    "partnerReportedThreatState",
    "serialNumber",
    "userPrincipalName",
    "wiFiMacAddress",
];

const MANAGING_AGENTS: [&str; 10] = [
    "mdm",
    "easMdm",
    "intuneClient",
    "easIntuneClient",
    "configurationManagerClient",
    "configurationManagerClientMdm",
    "configurationManagerClientMdmEas",
    "jamf",
    "googleCloudDevicePolicyController",
    "microsoft365ManagedMdm",
];

const UNREGISTERED: [&str; 6] = [
    "notRegistered",
    "revoked",
    "keyConflict",
    "approvalPending",
    "certificateReset",
    "notRegisteredPendingEnrollment",
];

#[cfg(test)]
mod tests;
