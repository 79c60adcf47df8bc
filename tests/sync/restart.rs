//! What was known before a restart is known after it, and guarded as before.

use portreeve::sync::Run;
use portreeve::sync::State;
use serde_json::json;

use crate::lab::DEVICES;
use crate::lab::Lab;
use crate::lab::Tenant;
use crate::lab::USERS;
use crate::lab::only;

#[tokio::test]
async fn a_cloud_that_is_down_over_a_restart_changes_nothing() {
    let tenant = Tenant::new(200, 5).await;
    let lab = Lab::filled(tenant.source()).await;
    let before = lab.device(3).unwrap();
    tenant
        .fault(json!({"kind": "internalError", "times": 0}))
        .await;
    let lab = lab.restart(&only(tenant.source())).await;
    lab.until(DEVICES, |status| status.state == State::Disconnected)
        .await;
    assert_eq!(lab.reader.device_count(), 200);
    let after = lab.device(3).unwrap();
    assert_eq!(before.compliance, after.compliance, "its age among it");

    tenant.mend().await;
    lab.run(DEVICES, Run::Full).await;
    let fresh = lab.device(3).unwrap().compliance;
    assert!(fresh.observed > before.compliance.observed);
}

#[tokio::test]
async fn the_first_list_after_a_restart_is_not_believed_in_what_it_lacks() {
    let tenant = Tenant::new(2000, 5).await;
    let lab = Lab::filled(tenant.source()).await;
    for number in 0..150 {
        tenant.change(number, json!({"@lab.deleted": true})).await;
    }
    let lab = lab.restart(&only(tenant.source())).await;
    let status = lab.until(DEVICES, |s| s.state == State::Connected).await;
    assert_eq!(
        status.note.as_deref(),
        Some("the list lacks 150 known devices; they stay until a second list agrees")
    );
    assert_eq!(lab.reader.device_count(), 2000);
    lab.run(DEVICES, Run::Full).await;
    assert_eq!(lab.reader.device_count(), 1850);
}

#[tokio::test]
async fn users_that_are_gone_since_before_a_restart_go_when_a_second_list_agrees() {
    let tenant = Tenant::new(5, 40).await;
    let mut source = tenant.source();
    (source.devices, source.users) = (false, true);
    let lab = Lab::filled(source.clone()).await;
    assert_eq!(lab.reader.user_count(), 40);
    tenant
        .fault(json!({"kind": "shorten", "keep": 30, "times": 0, "on": "users"}))
        .await;
    let lab = lab.restart(&only(source)).await;
    let status = lab.until(USERS, |s| s.state == State::Connected).await;
    assert_eq!(
        status.note.as_deref(),
        Some("the list lacks 10 known users; they stay until a second list agrees")
    );
    assert_eq!(lab.reader.user_count(), 40);
    let status = lab.run(USERS, Run::Full).await;
    assert_eq!(status.note, None);
    assert_eq!(lab.reader.user_count(), 30);
}
