//! How soon a change is felt.

use std::time::Duration;

use portreeve::inventory::Lookup;
use portreeve::model::ComplianceState;
use portreeve::model::Identifier;
use portreeve::model::Retirement;
use portreeve::model::UserId;
use portreeve::sync::Binding;
use portreeve::sync::Run;
use serde_json::json;

use crate::lab::DEVICES;
use crate::lab::Lab;
use crate::lab::Tenant;

#[tokio::test]
async fn a_quick_run_brings_what_has_checked_in_within_its_interval_r45() {
    let tenant = Tenant::new(300, 5).await;
    let mut source = tenant.source();
    source.timing.quick_interval = Duration::from_millis(200);
    let lab = Lab::filled(source).await;
    let device = lab.device(0).unwrap();
    assert_eq!(device.compliance.value, ComplianceState::Compliant);
    lab.forget_changes();
    for (change, expected) in [
        (
            json!({"complianceState": "noncompliant"}),
            ComplianceState::NonCompliant,
        ),
        (
            json!({"complianceState": "compliant"}),
            ComplianceState::Compliant,
        ),
    ] {
        tenant.change(0, change).await;
        lab.until_changed(device.device).await;
        let posture = lab.posture(device.device).unwrap();
        assert_eq!(posture.compliance.value, expected);
    }
    tenant
        .change(0, json!({"managementState": "wipeIssued"}))
        .await;
    lab.until_changed(device.device).await;
    let posture = lab.posture(device.device).unwrap();
    assert_eq!(posture.retirement, Retirement::Wiped);
}

#[tokio::test]
async fn a_quick_run_also_brings_what_turned_bad_without_checking_in() {
    let tenant = Tenant::new(300, 5).await;
    let lab = Lab::filled(tenant.source()).await;
    let device = lab.device(0).unwrap().device;
    tenant
        .change(
            0,
            json!({"complianceState": "noncompliant", "lastSyncDateTime": "2020-01-01T00:00:00Z"}),
        )
        .await;
    lab.run(DEVICES, Run::Quick).await;
    let posture = lab.posture(device).unwrap();
    assert_eq!(posture.compliance.value, ComplianceState::NonCompliant);
}

#[tokio::test]
async fn a_quick_run_asks_only_for_what_is_new() {
    let tenant = Tenant::new(300, 5).await;
    let mut source = tenant.source();
    source.timing.overlap = Duration::ZERO;
    let lab = Lab::filled(source).await;
    let full = lab.until(DEVICES, |_| true).await;
    lab.run(DEVICES, Run::Quick).await;
    let quick = lab.until(DEVICES, |_| true).await;
    assert_eq!(full.full.last_success, quick.full.last_success);
    assert!(quick.quick.unwrap().last_success >= full.full.last_success);
    assert_eq!(quick.entries, 300, "the size of the whole list");
    let asked = tenant.asked("managedDevices").await;
    assert!(asked[1].contains("lastSyncDateTime%20ge%20"), "{asked:?}");
    assert!(asked[2].contains("complianceState%20eq%20"), "{asked:?}");
    assert!(quick.progress.1 < 100, "{:?}", quick.progress);
}

#[tokio::test]
async fn a_page_read_before_does_not_overwrite_what_a_quick_run_learned() {
    let tenant = Tenant::new(3000, 5).await;
    tenant
        .fault(json!({"kind": "throttle", "page": 2, "retryAfter": "1"}))
        .await;
    let mut source = tenant.source();
    source.timing.quick_interval = Duration::from_millis(100);
    let lab = Lab::of(source);
    // Page 1 is in and said that device 0 is compliant; page 2 is a second away.
    lab.until(DEVICES, |s| s.counters.throttled == 1).await;
    tenant
        .change(0, json!({"complianceState": "noncompliant"}))
        .await;
    lab.until(DEVICES, |s| s.full.last_success.is_some()).await;
    let device = lab.device(0).unwrap();
    assert_eq!(device.compliance.value, ComplianceState::NonCompliant);
    assert_eq!(lab.reader.device_count(), 3000);
    let asked = tenant.asked("managedDevices").await;
    let before_last = asked.len() - 1;
    let passed = asked[..before_last].iter().any(|q| q.contains("$filter"));
    assert!(passed, "a quick run passed the walk: {asked:?}");
}

#[tokio::test]
async fn a_failed_quick_run_keeps_its_place() {
    let tenant = Tenant::new(300, 5).await;
    let mut source = tenant.source();
    source.limits.retries = 0;
    source.timing.overlap = Duration::ZERO;
    let lab = Lab::filled(source).await;
    let device = lab.device(0).unwrap().device;
    tenant.change(0, json!({"complianceState": "error"})).await;
    tenant.fault(json!({"kind": "internalError"})).await;
    let status = lab.run(DEVICES, Run::Quick).await;
    assert_eq!(status.counters.failures, 1);
    lab.run(DEVICES, Run::Quick).await;
    let posture = lab.posture(device).unwrap();
    assert_eq!(posture.compliance.value, ComplianceState::Error);
}

#[tokio::test]
async fn a_mail_id_that_the_service_links_late_is_found_when_it_comes_r37() {
    let tenant = Tenant::new(10, 5).await;
    tenant.change(0, json!({"easDeviceId": ""})).await;
    let lab = Lab::filled(tenant.source()).await;
    let device = lab.device(0).unwrap().device;
    let mail = Identifier::Eas("ApplLATE0001".parse().unwrap(), "user000000@lab.example");
    assert_eq!(lab.reader.find(&mail), Lookup::Unknown);
    let late = json!({"easDeviceId": "ApplLATE0001"});
    tenant.change(0, late).await;
    lab.run(DEVICES, Run::Quick).await;
    let found = lab.reader.find(&mail);
    assert!(matches!(found, Lookup::Found(posture, _) if posture.device == device));
}

#[tokio::test]
async fn a_binding_that_the_mail_plane_learned_is_found_and_told_r36() {
    let tenant = Tenant::new(10, 5).await;
    let lab = Lab::filled(tenant.source()).await;
    let device = lab.device(2).unwrap().device;
    let eas = "ApplNEW0001".parse().unwrap();
    lab.forget_changes();
    let binding = Binding {
        eas,
        user: UserId::parse("user000002@lab.example").unwrap(),
        device,
    };
    assert!(lab.handle.bind_eas(binding.clone()));
    lab.until_changed(device).await;
    let found = lab
        .reader
        .find(&Identifier::Eas(eas, "user000002@lab.example"));
    assert!(matches!(found, Lookup::Found(posture, _) if posture.device == device));
    let handle = lab.handle.clone();
    lab.tasks.stop().await;
    assert!(!handle.bind_eas(binding), "the writer is gone");
    assert_eq!(handle.dropped_bindings(), 1);
}

#[tokio::test]
async fn one_device_is_looked_up_alone_and_at_once_r39() {
    let tenant = Tenant::new(300, 5).await;
    let mut source = tenant.source();
    source.users = true;
    let lab = Lab::filled(source).await;
    let device = lab.device(0).unwrap().device;
    lab.forget_changes();
    let lists = tenant.asked("managedDevices").await.len();
    tenant
        .change(0, json!({"complianceState": "noncompliant"}))
        .await;
    // Of the two lists one is of users, who are not asked for.
    assert_eq!(lab.handle.look_up(Some(device)), 1);
    lab.until_changed(device).await;
    let posture = lab.posture(device).unwrap();
    assert_eq!(posture.compliance.value, ComplianceState::NonCompliant);
    assert_eq!(tenant.asked("managedDevices").await.len(), lists);
    let path = format!("managedDevices/{device}");
    assert_eq!(tenant.asked(&path).await.len(), 1);
    // One that nobody knows comes with a quick run.
    tenant
        .change(0, json!({"complianceState": "compliant"}))
        .await;
    assert_eq!(lab.handle.look_up(None), 1);
    lab.until_changed(device).await;
    assert_eq!(tenant.asked("managedDevices").await.len(), lists + 2);
    // Somebody who holds the key down is not listened to for long.
    let taken = (0..1000).filter(|_| lab.handle.look_up(Some(device)) == 1);
    assert!(taken.count() < 1000);
}
