//! What a list lacks: removed when it is gone, kept when it only hides.

use portreeve::sync::Run;
use portreeve::sync::State;
use serde_json::json;

use crate::lab::DEVICES;
use crate::lab::Lab;
use crate::lab::Tenant;
use crate::lab::reason;

#[tokio::test]
async fn a_device_that_hides_from_one_list_stays() {
    let tenant = Tenant::new(200, 5).await;
    let lab = Lab::filled(tenant.source()).await;
    tenant
        .change(
            3,
            json!({"@lab.hidden": true, "complianceState": "noncompliant"}),
        )
        .await;
    let status = lab.run(DEVICES, Run::Full).await;
    assert_eq!(
        status.note.as_deref(),
        Some("1 devices exist and were not in the list")
    );
    assert_eq!(lab.reader.device_count(), 200);
    let compliance = lab.device(3).unwrap().compliance.value;
    assert_eq!(compliance.as_str(), "noncompliant", "it was asked for");
}

#[tokio::test]
async fn a_device_that_is_gone_is_removed() {
    let tenant = Tenant::new(200, 5).await;
    let lab = Lab::filled(tenant.source()).await;
    tenant.change(3, json!({"@lab.deleted": true})).await;
    let status = lab.run(DEVICES, Run::Full).await;
    assert_eq!(status.state, State::Connected);
    assert_eq!(lab.reader.device_count(), 199);
    assert_eq!(lab.device(3), None);
}

#[tokio::test]
async fn many_that_are_gone_are_removed_when_a_second_list_agrees() {
    let tenant = Tenant::new(2000, 5).await;
    let lab = Lab::filled(tenant.source()).await;
    for number in 0..150 {
        tenant.change(number, json!({"@lab.deleted": true})).await;
    }
    let status = lab.run(DEVICES, Run::Full).await;
    assert_eq!(
        status.note.as_deref(),
        Some("the list lacks 150 known devices; they stay until a second list agrees")
    );
    assert_eq!(lab.reader.device_count(), 2000);
    let status = lab.run(DEVICES, Run::Full).await;
    assert_eq!(status.note, None);
    assert_eq!(lab.reader.device_count(), 1850);
}

#[tokio::test]
async fn an_empty_or_shortened_list_never_empties_the_inventory() {
    for fault in [
        json!({"kind": "empty", "times": 0, "on": "devices"}),
        json!({"kind": "shorten", "keep": 300, "times": 0, "on": "devices"}),
    ] {
        let tenant = Tenant::new(1000, 5).await;
        let lab = Lab::filled(tenant.source()).await;
        tenant.fault(fault.clone()).await;
        let status = lab.run(DEVICES, Run::Full).await;
        assert!(status.note.unwrap().contains("known devices"), "{fault}");
        for again in 0..3 {
            let status = lab.run(DEVICES, Run::Full).await;
            let reason = reason(&status);
            assert!(status.is_held(), "{fault} {again}: {reason}");
            assert_eq!(lab.reader.device_count(), 1000, "{fault} {again}");
        }
        tenant.mend().await;
        let status = lab.run(DEVICES, Run::Full).await;
        assert_eq!(status.state, State::Connected, "{fault}");
    }
}

#[tokio::test]
async fn an_operator_can_say_that_a_short_list_is_right_r47() {
    let tenant = Tenant::new(400, 5).await;
    let lab = Lab::filled(tenant.source()).await;
    for number in 0..150 {
        tenant.change(number, json!({"@lab.deleted": true})).await;
    }
    lab.run(DEVICES, Run::Full).await;
    let status = lab.run(DEVICES, Run::Full).await;
    assert!(reason(&status).contains("150 of 400"), "{status:?}");
    assert_eq!(lab.reader.device_count(), 400);
    let asked = lab.handle.sync_now(Some("lab"), Run::Full, true);
    assert!(asked.is_ok(), "{asked:?}");
    lab.until(DEVICES, |s| s.state == State::Connected).await;
    assert_eq!(lab.reader.device_count(), 250);
    assert!(
        lab.handle
            .sync_now(Some("nowhere"), Run::Full, false)
            .is_err()
    );
}
