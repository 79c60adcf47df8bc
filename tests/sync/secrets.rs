//! Tokens and secrets: got, renewed, and never shown.

use std::io::Write;
use std::sync::Arc;
use std::sync::Mutex;

use portreeve::sync::Run;
use portreeve::sync::State;
use serde_json::json;
use tracing_subscriber::fmt::MakeWriter;

use crate::lab::DEVICES;
use crate::lab::Lab;
use crate::lab::SECRET;
use crate::lab::Tenant;
use crate::lab::reason;

#[tokio::test]
async fn one_token_serves_until_it_is_old() {
    let tenant = Tenant::new(10, 5).await;
    let lab = Lab::filled(tenant.source()).await;
    lab.run(DEVICES, Run::Quick).await;
    assert_eq!(tenant.asked("/token").await.len(), 1);

    // A life of no time is over at once, so each request has its own.
    let short = Tenant::new(10, 5).await;
    short.tell("POST", "token", &json!({"lifetime": 1})).await;
    let lab = Lab::filled(short.source()).await;
    let renewed = async {
        while short.asked("/token").await.len() < 2 {
            let status = lab.run(DEVICES, Run::Quick).await;
            assert_eq!(status.state, State::Connected);
        }
    };
    renewed.await;
}

#[tokio::test]
async fn a_revoked_token_is_replaced_once() {
    let tenant = Tenant::new(10, 5).await;
    let lab = Lab::filled(tenant.source()).await;
    tenant.tell("POST", "token", &json!({"revoke": true})).await;
    let status = lab.run(DEVICES, Run::Full).await;
    assert_eq!(status.state, State::Connected);
    assert_eq!(tenant.asked("/token").await.len(), 2);

    tenant
        .fault(json!({"kind": "unauthorized", "times": 0, "on": "devices"}))
        .await;
    let status = lab.run(DEVICES, Run::Full).await;
    assert!(reason(&status).contains("401"), "{status:?}");
    let asked = tenant.asked("managedDevices").await;
    assert_eq!(asked.len(), 1 + 2 + 2, "one attempt more, no loop");
}

#[tokio::test]
async fn refusals_of_the_token_endpoint_are_told_r54() {
    let tenant = Tenant::new(10, 5).await;
    let mut unknown = tenant.source();
    unknown.client_id = "somebody".to_owned();
    let mut elsewhere = tenant.source();
    elsewhere.tenant = "elsewhere.example".to_owned();
    let mut missing = tenant.source();
    missing.client_secret_file = tenant.folder.path().join("missing");
    let mut empty = tenant.source();
    empty.client_secret_file = tenant.folder.path().join("empty");
    std::fs::write(&empty.client_secret_file, "\n").unwrap();
    for (source, told) in [
        (unknown, "AADSTS700016"),
        (elsewhere, "AADSTS90002"),
        (missing, "cannot read the client secret"),
        (empty, "holds no client secret"),
    ] {
        let lab = Lab::of(source);
        let status = lab.until(DEVICES, |s| s.counters.failures > 0).await;
        assert!(reason(&status).contains(told), "row {told}: {status:?}");
    }
}

#[tokio::test]
async fn a_new_secret_is_taken_from_its_file_without_a_restart() {
    let tenant = Tenant::new(10, 5).await;
    let new = json!({"secret": "a-new-secret", "revoke": true});
    tenant.tell("POST", "token", &new).await;
    let lab = Lab::of(tenant.source());
    let status = lab.until(DEVICES, |s| s.counters.failures > 0).await;
    assert!(reason(&status).contains("AADSTS7000215"), "{status:?}");
    tenant.write_secret("a-new-secret");
    let status = lab.run(DEVICES, Run::Full).await;
    assert_eq!(status.state, State::Connected);
}

#[tokio::test]
async fn a_token_endpoint_that_is_down_harms_nobody_who_has_a_token() {
    let tenant = Tenant::new(10, 5).await;
    let down = json!({"kind": "unavailable", "on": "token", "times": 0, "retryAfter": "1"});
    let lab = Lab::filled(tenant.source()).await;
    tenant.fault(down).await;
    let status = lab.run(DEVICES, Run::Full).await;
    assert_eq!(status.state, State::Connected);
    let other = Lab::of(tenant.source());
    let status = other.until(DEVICES, |s| s.counters.failures > 0).await;
    assert!(reason(&status).contains("503"), "{status:?}");
}

#[tokio::test]
async fn neither_secret_nor_token_is_shown_anywhere() {
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(log.clone())
        .finish();
    // For all tests here: what any of them logs is looked at. A subscriber of one thread only
    // would race with the other threads for what is logged at all.
    tracing::subscriber::set_global_default(subscriber).unwrap();
    let tenant = Tenant::new(10, 5).await;
    let source = tenant.source();
    let lab = Lab::filled(source.clone()).await;
    let mut shown = format!("{source:?} {:?} {:?}", lab.handle, lab.tasks);
    for kind in ["forbidden", "unauthorized", "truncate", "redirect"] {
        tenant.fault(json!({"kind": kind, "link": "/x"})).await;
        let status = lab.run(DEVICES, Run::Full).await;
        shown.push_str(&format!("{status:?}"));
    }
    tenant.write_secret(&format!("{SECRET} wrong"));
    tenant.tell("POST", "token", &json!({"revoke": true})).await;
    let status = lab.run(DEVICES, Run::Full).await;
    shown.push_str(&format!("{status:?}"));
    lab.tasks.stop().await;
    shown.push_str(&log.text());
    assert!(shown.contains("AADSTS7000215"), "{shown}");
    assert!(log.text().contains("not synced"), "the log was written");
    for secret in [SECRET, "lab-token-", "Bearer "] {
        assert!(!shown.contains(secret), "{secret} is shown");
    }
}

/// Keeps what is logged.
#[derive(Clone, Debug, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap()).into_owned()
    }
}

impl Write for Log {
    fn write(&mut self, octets: &[u8]) -> std::io::Result<usize> {
        if let Ok(mut kept) = self.0.lock() {
            kept.extend_from_slice(octets);
        }
        Ok(octets.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}
