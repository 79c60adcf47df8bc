//! Faults that last: the inventory stays as it is, the status says why, and when the fault is
//! over, so is the failure.

use std::time::Duration;

use portreeve::sync::Run;
use portreeve::sync::State;
use serde_json::Value;
use serde_json::json;
use tokio::net::TcpListener;

use crate::lab::DEVICES;
use crate::lab::Lab;
use crate::lab::Tenant;
use crate::lab::reason;

#[tokio::test]
async fn no_fault_changes_the_inventory_and_each_is_named_r54() {
    let tenant = Tenant::new(1500, 5).await;
    let mut source = tenant.source();
    source.limits.retries = 1;
    let lab = Lab::filled(source).await;
    let generation = lab.reader.generation();
    for (fault, page, told) in [
        (
            json!({"kind": "throttle"}),
            2,
            "429 Too Many Requests TooManyRequests",
        ),
        (json!({"kind": "unavailable"}), 1, "503 Service Unavailable"),
        (json!({"kind": "gatewayTimeout"}), 2, "504 Gateway Timeout"),
        (
            json!({"kind": "internalError"}),
            1,
            "500 Internal Server Error",
        ),
        (
            json!({"kind": "unauthorized"}),
            1,
            "401 Unauthorized UnknownError",
        ),
        (
            json!({"kind": "forbidden"}),
            2,
            "403 Forbidden Authorization_RequestDenied",
        ),
        (json!({"kind": "gone"}), 2, "410 Gone resyncRequired"),
        (json!({"kind": "html"}), 1, "no list of rows"),
        (json!({"kind": "oversize"}), 1, "larger than 16 MiB"),
        (json!({"kind": "truncate"}), 2, "ends in the middle"),
        (json!({"kind": "disconnect"}), 2, "the connection broke"),
        (json!({"kind": "noValue"}), 1, "no `value`"),
        (json!({"kind": "noValue"}), 2, "no `value`"),
        (json!({"kind": "nullValue"}), 2, "no `value`"),
        (
            json!({"kind": "errorInstead"}),
            1,
            "an error in place of rows",
        ),
        (json!({"kind": "repeatLink"}), 1, "loops"),
        (json!({"kind": "repeatLink"}), 2, "loops"),
        (
            json!({"kind": "badRows"}),
            1,
            "250 of 1500 rows cannot be used",
        ),
        (
            json!({"kind": "foreignLink", "link": "https://evil.example/v1.0/x"}),
            1,
            "leads away",
        ),
        (
            json!({"kind": "foreignLink", "link": ""}),
            1,
            "is no address",
        ),
        (
            json!({"kind": "redirect", "link": "/v1.0/users"}),
            1,
            "302 Found",
        ),
    ] {
        let mut fault: Value = fault;
        fault["times"] = 0.into();
        fault["page"] = page.into();
        fault["on"] = "devices".into();
        tenant.fault(fault.clone()).await;
        let status = lab.run(DEVICES, Run::Full).await;
        let reason = reason(&status);
        assert!(reason.contains(told), "row {fault}: {reason}");
        assert_eq!(lab.reader.device_count(), 1500, "row {fault}");
        assert_eq!(lab.reader.generation(), generation, "row {fault}");

        tenant.mend().await;
        let status = lab.run(DEVICES, Run::Full).await;
        assert_eq!(status.state, State::Connected, "row {fault}");
        assert_eq!(lab.reader.generation(), generation, "row {fault}");
    }
}

#[tokio::test]
async fn a_server_that_never_answers_is_left_at_the_deadline() {
    let tenant = Tenant::new(10, 5).await;
    tenant
        .fault(json!({"kind": "hang", "on": "devices", "times": 0}))
        .await;
    let mut source = tenant.source();
    source.timing.request_deadline = Duration::from_secs(1);
    source.limits.retries = 1;
    let lab = Lab::of(source);
    let status = lab.until(DEVICES, |s| s.counters.failures > 0).await;
    let reason = reason(&status);
    assert!(reason.contains("no whole answer within 1 s"), "{reason}");
}

#[tokio::test]
async fn the_token_goes_to_no_other_host() {
    let tenant = Tenant::new(10, 5).await;
    let lab = Lab::filled(tenant.source()).await;
    let elsewhere = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let link = format!("http://{}/v1.0/x", elsewhere.local_addr().unwrap());
    for kind in ["foreignLink", "redirect"] {
        tenant.fault(json!({"kind": kind, "link": link})).await;
        let status = lab.run(DEVICES, Run::Full).await;
        assert!(!reason(&status).is_empty(), "row {kind}");
    }
    // The runs are over: whoever connected would be in the queue now.
    let nobody = tokio::time::timeout(Duration::ZERO, elsewhere.accept()).await;
    assert!(nobody.is_err(), "somebody followed the link");
}

#[tokio::test]
async fn a_tenant_that_is_not_there_fails_and_the_feeds_stop_all_the_same() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let tenant = Tenant::new(1, 1).await;
    let mut source = tenant.source();
    let gone = listener.local_addr().unwrap();
    drop(listener);
    source.graph = portreeve::sync::Base::parse(&format!("http://{gone}/v1.0")).unwrap();
    let lab = Lab::of(source);
    let status = lab.until(DEVICES, |s| s.counters.failures > 0).await;
    assert!(reason(&status).contains("cannot connect"), "{status:?}");
    lab.tasks.stop().await;
}
