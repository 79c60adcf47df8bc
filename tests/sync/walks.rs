//! Whole walks: what they bring, and how they come through trouble.

use std::time::Duration;

use portreeve::inventory::Lookup;
use portreeve::model::ComplianceState;
use portreeve::model::Identifier;
use portreeve::model::Platform;
use portreeve::model::Tri;
use portreeve::sync::Run;
use portreeve::sync::State;
use serde_json::json;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc2822;

use crate::lab;
use crate::lab::DEVICES;
use crate::lab::Lab;
use crate::lab::Tenant;
use crate::lab::reason;

#[tokio::test]
async fn a_walk_of_several_pages_fills_the_inventory() {
    let tenant = Tenant::new(2500, 40).await;
    let lab = Lab::filled(tenant.source()).await;
    assert_eq!(lab.reader.device_count(), 2500);
    let status = lab.until(DEVICES, |_| true).await;
    assert_eq!(status.entries, 2500);
    assert_eq!(status.progress, (3, 2500));
    assert!(status.full.last_success.is_some());
    // Dates in headers have whole seconds.
    let ahead = status.clock_ahead.unwrap();
    assert!(ahead.abs() < 10_000, "{ahead}");
    let first = lab.device(0).unwrap();
    assert_eq!(first.managed.value, Tri::Yes);
    assert_eq!(first.platform, Platform::Ios);
    let owner = lab.reader.user_name(first.owner.unwrap()).unwrap();
    assert_eq!(owner.as_str(), "user000000@lab.example");
    lab.tasks.stop().await;
}

#[tokio::test]
async fn a_walk_counts_only_when_its_last_page_is_in() {
    let tenant = Tenant::new(2500, 1).await;
    tenant
        .fault(json!({"kind": "forbidden", "page": 3, "times": 0}))
        .await;
    let lab = Lab::of(tenant.source());
    let status = lab.until(DEVICES, |s| s.counters.failures > 0).await;
    assert_eq!(status.progress, (2, 1998));
    assert_eq!(lab.reader.device_count(), 0);
}

#[tokio::test]
async fn a_gateway_timeout_in_mid_walk_resumes_at_its_page_r46() {
    let tenant = Tenant::new(2500, 1).await;
    tenant
        .fault(json!({"kind": "gatewayTimeout", "page": 2, "times": 3}))
        .await;
    let lab = Lab::filled(tenant.source()).await;
    assert_eq!(lab.reader.device_count(), 2500);
    let asked = tenant.asked("managedDevices").await;
    let first = asked.iter().filter(|query| !query.contains("skiptoken"));
    assert_eq!(first.count(), 1, "the first page is asked for once");
    assert_eq!(asked.len(), 6, "three pages and three attempts more");
    let status = lab.until(DEVICES, |_| true).await;
    assert_eq!(status.counters.retries, 3);
}

#[tokio::test]
async fn a_walk_given_up_goes_on_later_where_it_stopped_r46() {
    let tenant = Tenant::new(2500, 1).await;
    tenant
        .fault(json!({"kind": "gatewayTimeout", "page": 2, "times": 4}))
        .await;
    let lab = Lab::of(tenant.source());
    let status = lab.until(DEVICES, |s| s.counters.failures > 0).await;
    assert!(reason(&status).contains("504"), "{status:?}");
    let status = lab.run(DEVICES, Run::Full).await;
    assert_eq!(status.state, State::Connected);
    assert_eq!(lab.reader.device_count(), 2500);
    let asked = tenant.asked("managedDevices").await;
    let first = asked.iter().filter(|query| !query.contains("skiptoken"));
    assert_eq!(first.count(), 1);
}

#[tokio::test]
async fn the_wait_that_a_server_asks_for_is_kept_r59() {
    let tenant = Tenant::new(10, 1).await;
    tenant
        .fault(json!({"kind": "throttle", "on": "devices", "retryAfter": "1"}))
        .await;
    let start = tokio::time::Instant::now();
    let lab = Lab::filled(tenant.source()).await;
    assert!(start.elapsed() >= Duration::from_secs(1));
    let status = lab.until(DEVICES, |_| true).await;
    assert_eq!(status.counters.throttled, 1);
}

#[tokio::test]
async fn the_wait_may_be_a_date_r59() {
    let tenant = Tenant::new(10, 1).await;
    // The date is of whole seconds, and so is the date of the answer that it is measured against:
    // what is left of two seconds is more than one.
    let at = lab::clock().now().wall + Duration::from_secs(2);
    let at = OffsetDateTime::from_unix_timestamp(at.unix_seconds()).unwrap();
    let date = at.format(&Rfc2822).unwrap().replace("+0000", "GMT");
    tenant
        .fault(json!({"kind": "unavailable", "on": "devices", "retryAfter": date}))
        .await;
    let start = tokio::time::Instant::now();
    let lab = Lab::filled(tenant.source()).await;
    assert!(start.elapsed() >= Duration::from_secs(1), "{date}");
    let status = lab.until(DEVICES, |_| true).await;
    assert_eq!(status.counters.throttled, 1);
}

#[tokio::test]
async fn a_token_that_ends_in_mid_walk_is_replaced_at_its_page_r46() {
    let tenant = Tenant::new(2500, 1).await;
    tenant
        .fault(json!({"kind": "throttle", "page": 2, "retryAfter": "1"}))
        .await;
    let lab = Lab::of(tenant.source());
    // Page 1 is in, and page 2 is a second away.
    lab.until(DEVICES, |s| s.counters.throttled == 1).await;
    tenant.tell("POST", "token", &json!({"revoke": true})).await;
    let status = lab.until(DEVICES, |s| s.state == State::Connected).await;
    assert_eq!(status.progress, (3, 2500));
    assert_eq!(tenant.asked("/token").await.len(), 2);
    let asked = tenant.asked("managedDevices").await;
    assert_eq!(asked.len(), 5, "three pages, one turned away, one refused");
    let first = asked.iter().filter(|query| !query.contains("skiptoken"));
    assert_eq!(first.count(), 1);
}

#[tokio::test]
async fn a_longer_wait_than_a_walk_waits_for_closes_the_source_r59() {
    let tenant = Tenant::new(10, 1).await;
    tenant
        .fault(json!({"kind": "unavailable", "on": "devices", "retryAfter": "1800"}))
        .await;
    let lab = Lab::of(tenant.source());
    let status = lab.until(DEVICES, |s| s.counters.failures > 0).await;
    assert!(reason(&status).contains("1800 s"), "{status:?}");
    // Not even a request passes before the server's time is over.
    lab.handle.sync_now(Some("lab"), Run::Full, false).unwrap();
    let status = lab.until(DEVICES, |s| s.next_run.is_some()).await;
    assert_eq!(status.counters.requests, 1);
}

#[tokio::test]
async fn repeated_rows_and_unknown_words_do_not_stop_a_walk() {
    let tenant = Tenant::new(100, 1).await;
    tenant.fault(json!({"kind": "duplicate"})).await;
    let lab = Lab::filled(tenant.source()).await;
    assert_eq!(lab.reader.device_count(), 100);

    tenant.fault(json!({"kind": "unknownEnum"})).await;
    let status = lab.run(DEVICES, Run::Full).await;
    assert_eq!(status.state, State::Connected);
    let device = lab.device(0).unwrap();
    assert_eq!(device.compliance.value, ComplianceState::Unknown);
    assert_eq!(device.managed.value, Tri::Unknown);
}

#[tokio::test]
async fn two_devices_that_claim_one_address_are_found_by_neither() {
    let tenant = Tenant::new(10, 1).await;
    tenant
        .change(3, json!({"wiFiMacAddress": "00005E000004"}))
        .await;
    let lab = Lab::filled(tenant.source()).await;
    for (address, expected) in [
        ("00005E000004", Lookup::Ambiguous),
        ("00005E000003", Lookup::Unknown),
    ] {
        let found = lab.reader.find(&Identifier::Mac(address.parse().unwrap()));
        assert_eq!(found, expected, "row {address}");
    }
    let found = lab
        .reader
        .find(&Identifier::Mac("00005E000005".parse().unwrap()));
    assert!(matches!(found, Lookup::Found(..)), "{found:?}");
}
