use super::*;

fn one(fields: &str) -> DeviceReport {
    let text = format!(r#"{{"value":[{{"id":"{ID}",{fields}}}]}}"#);
    let mut page = read_managed_devices(text.as_bytes()).unwrap();
    assert_eq!(page.refused, 0, "{fields}");
    page.rows.pop().unwrap()
}

const ID: &str = "0f8fad5b-d9cb-469f-a165-70867728950e";

#[test]
fn management_agents_and_states_tell_managed_devices_r1() {
    for (agent, state, expected) in [
        ("mdm", "managed", Tri::Yes),
        ("easMdm", "managed", Tri::Yes),
        ("intuneClient", "managed", Tri::Yes),
        ("easIntuneClient", "managed", Tri::Yes),
        ("configurationManagerClient", "managed", Tri::Yes),
        ("configurationManagerClientMdm", "managed", Tri::Yes),
        ("configurationManagerClientMdmEas", "managed", Tri::Yes),
        ("jamf", "managed", Tri::Yes),
        ("googleCloudDevicePolicyController", "managed", Tri::Yes),
        ("microsoft365ManagedMdm", "managed", Tri::Yes),
        ("MDM", "retirePending", Tri::Yes),
        ("mdm", "wipeIssued", Tri::Yes),
        ("mdm", "discovered", Tri::No),
        ("eas", "managed", Tri::No),
        ("msSense", "managed", Tri::No),
        ("unknown", "managed", Tri::Unknown),
        ("agentOfTheFuture", "managed", Tri::Unknown),
        ("", "managed", Tri::Unknown),
    ] {
        let device = one(&format!(
            r#""managementAgent":"{agent}","managementState":"{state}""#
        ));
        assert_eq!(device.managed, expected, "row {agent} {state}");
    }
}

#[test]
fn registration_is_a_fact_of_its_own_r2() {
    for (fields, expected) in [
        (r#""deviceRegistrationState":"registered""#, Tri::Yes),
        (r#""deviceRegistrationState":"notRegistered""#, Tri::No),
        (r#""deviceRegistrationState":"revoked""#, Tri::No),
        (r#""deviceRegistrationState":"keyConflict""#, Tri::No),
        (r#""deviceRegistrationState":"approvalPending""#, Tri::No),
        (r#""deviceRegistrationState":"certificateReset""#, Tri::No),
        (
            r#""deviceRegistrationState":"notRegisteredPendingEnrollment""#,
            Tri::No,
        ),
        (r#""deviceRegistrationState":"unknown""#, Tri::Unknown),
        (
            r#""deviceRegistrationState":"unknown","azureADRegistered":true"#,
            Tri::Yes,
        ),
        (r#""azureADRegistered":false"#, Tri::No),
        (
            r#""deviceRegistrationState":"notRegistered","azureADRegistered":true"#,
            Tri::No,
        ),
        (r#""azureADRegistered":null"#, Tri::Unknown),
    ] {
        assert_eq!(one(fields).registered, expected, "row {fields}");
    }
    let device = one(r#""deviceRegistrationState":"notRegistered","complianceState":"compliant""#);
    assert_eq!(device.compliance, Some(ComplianceState::Compliant));
}

#[test]
fn orders_to_retire_or_wipe_show_at_once_r40() {
    for (state, expected) in [
        ("managed", Retirement::None),
        ("retirePending", Retirement::Retired),
        ("deletePending", Retirement::Retired),
        ("wipeIssued", Retirement::Wiped),
        ("wipeCanceled", Retirement::None),
    ] {
        let device = one(&format!(r#""managementState":"{state}""#));
        assert_eq!(device.retirement, expected, "row {state}");
    }
}

#[test]
fn health_facts_are_yes_no_or_unknown_r18() {
    for (word, expected) in [
        ("true", Tri::Yes),
        ("false", Tri::No),
        ("null", Tri::Unknown),
        (r#""True""#, Tri::Yes),
        (r#""False""#, Tri::No),
        (r#""Unknown""#, Tri::Unknown),
        (r#""""#, Tri::Unknown),
        ("7", Tri::Unknown),
        ("[true]", Tri::Unknown),
    ] {
        let device = one(&format!(
            r#""jailBroken":{word},"isEncrypted":{word},"easActivated":{word}"#
        ));
        assert_eq!(device.jailbroken, expected, "row {word}");
        assert_eq!(device.encrypted, expected, "row {word}");
        assert_eq!(device.eas_activated, expected, "row {word}");
    }
}

#[test]
fn all_threat_states_are_read_r22() {
    for level in ThreatLevel::ALL {
        let device = one(&format!(r#""partnerReportedThreatState":"{level}""#));
        assert_eq!(device.threat, Some(level), "row {level}");
    }
    let device = one(r#""partnerReportedThreatState":"melting""#);
    assert_eq!(device.threat, Some(ThreatLevel::Unknown));
}

#[test]
fn all_compliance_states_are_read_and_new_ones_are_unknown() {
    for state in ComplianceState::ALL {
        let device = one(&format!(r#""complianceState":"{state}""#));
        assert_eq!(device.compliance, Some(state), "row {state}");
    }
    let device = one(r#""complianceState":"almostCompliant""#);
    assert_eq!(device.compliance, Some(ComplianceState::Unknown));
    assert_eq!(one(r#""complianceState":null"#).compliance, None);
}

#[test]
fn grace_ends_are_dates_or_nothing() {
    for (state, date, expected) in [
        (
            "inGracePeriod",
            r#""2026-11-21T09:30:00Z""#,
            Timestamp::parse_rfc3339("2026-11-21T09:30:00Z"),
        ),
        ("inGracePeriod", r#""9999-12-31T23:59:59.9999999Z""#, None),
        ("inGracePeriod", r#""0001-01-01T00:00:00Z""#, None),
        ("inGracePeriod", r#""soon""#, None),
        ("inGracePeriod", "null", None),
        ("compliant", r#""2026-11-21T09:30:00Z""#, None),
    ] {
        let device = one(&format!(
            r#""complianceState":"{state}","complianceGracePeriodExpirationDateTime":{date}"#
        ));
        assert_eq!(device.grace_until, expected, "row {state} {date}");
    }
}

#[test]
fn identifiers_are_read_and_placeholders_left_out_r36() {
    let device = one(
        r#""azureADDeviceId":"9C5B94B1-35AD-49BB-B118-8E8FC24ABF80","serialNumber":"c02x1",
            "wiFiMacAddress":"001122AABBCC","ethernetMacAddress":null,
            "easDeviceId":"ApplDNQM1234ABCD","userPrincipalName":"Alice@Contoso.example",
            "deviceName":"Alice's iPhone","model":"iPhone 15","operatingSystem":"iOS",
            "osVersion":"17.0.3","managedDeviceOwnerType":"company","iccid":"not asked for""#,
    );
    assert_eq!(device.device.to_string(), ID);
    assert_eq!(
        device.entra.unwrap().to_string(),
        "9c5b94b1-35ad-49bb-b118-8e8fc24abf80"
    );
    assert_eq!(device.serial.unwrap().as_str(), "C02X1");
    assert_eq!(device.macs, ["00:11:22:aa:bb:cc".parse().unwrap()]);
    assert_eq!(device.eas.unwrap().as_str(), "appldnqm1234abcd");
    assert_eq!(device.owner, UserId::parse("alice@contoso.example"));
    assert_eq!(device.platform, Platform::Ios);
    assert_eq!(device.os_version, "17.0.3".parse().unwrap());
    assert_eq!(device.ownership, Ownership::Company);

    let device = one(
        r#""azureADDeviceId":"00000000-0000-0000-0000-000000000000","serialNumber":"",
            "wiFiMacAddress":"","ethernetMacAddress":"n/a","easDeviceId":"","osVersion":"",
            "userPrincipalName":"","deviceName":null"#,
    );
    assert_eq!(device, DeviceReport::new(ID.parse().unwrap()));
}

#[test]
fn a_device_without_a_usable_id_is_a_bad_row() {
    for id in [
        r#""id":null"#,
        r#""id":"""#,
        r#""id":"seven""#,
        r#""id":"00000000-0000-0000-0000-000000000000""#,
        r#""name":"x""#,
    ] {
        let page = read_managed_devices(format!(r#"{{"value":[{{{id}}}]}}"#).as_bytes()).unwrap();
        assert_eq!(page.rows, [], "row {id}");
        assert_eq!(page.first_refusal, Some(RowError::Identifier("id")));
    }
}

#[test]
fn queries_name_what_they_need_and_no_bypass_codes() {
    let all = all_query();
    assert!(all.starts_with("/deviceManagement/managedDevices?$select=id,"));
    assert!(all.ends_with("&$top=999"));
    assert!(!all.contains("activationLock"));
    let since = since_query(Timestamp::from_unix_millis(1_795_253_400_250));
    assert!(
        since.ends_with("&$filter=lastSyncDateTime%20ge%202026-11-21T09:30:00.000Z"),
        "{since}"
    );
}
