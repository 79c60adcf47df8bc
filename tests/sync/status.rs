//! What a status says while things go wrong, and what an operator who asks is told.

use portreeve::sync::Answered;
use portreeve::sync::Outcome;
use portreeve::sync::Run;
use portreeve::sync::State;
use serde_json::json;

use crate::lab::DEVICES;
use crate::lab::Lab;
use crate::lab::Tenant;
use crate::lab::reason;

/// The full walk failed for days while every minute's quick run said "connected".
#[tokio::test]
async fn a_failing_full_walk_does_not_hide_behind_quick_runs_r57() {
    let tenant = Tenant::new(1500, 5).await;
    let lab = Lab::filled(tenant.source()).await;
    let before = lab.until(DEVICES, |_| true).await;
    let fault = json!({"kind": "forbidden", "on": "devices", "page": 2, "times": 0});
    tenant.fault(fault).await;
    lab.run(DEVICES, Run::Full).await;
    let status = lab.run(DEVICES, Run::Quick).await;
    assert_eq!(status.state, State::Degraded);
    assert!(status.since > before.since, "{status:?}");
    assert_eq!(status.full.outcome, Outcome::Failed);
    assert_eq!(status.full.last_success, before.full.last_success);
    assert_eq!(status.quick.clone().unwrap().outcome, Outcome::Well);
    assert!(reason(&status).contains("403 Forbidden"), "{status:?}");
    let again = lab.run(DEVICES, Run::Full).await;
    let (first, second) = (status.full.last_error, again.full.last_error.unwrap());
    assert_eq!(first.map(|error| error.since), Some(second.since));
    assert_eq!(second.times, 2);

    tenant.mend().await;
    let status = lab.run(DEVICES, Run::Full).await;
    assert_eq!(status.state, State::Connected);
    let error = status.full.last_error.unwrap();
    assert!(error.reason.contains("403"), "still readable: {error:?}");
}

/// A walk that asked one page again and again for minutes was "connected" all the time.
#[tokio::test]
async fn a_request_that_is_asked_again_shows_r59() {
    let tenant = Tenant::new(10, 5).await;
    let lab = Lab::filled(tenant.source()).await;
    let fault = json!({"kind": "throttle", "on": "devices", "retryAfter": "1"});
    tenant.fault(fault).await;
    lab.handle.sync_now(None, Run::Full, false).unwrap();
    let status = lab.until(DEVICES, |s| s.retrying.is_some()).await;
    assert_eq!(status.state, State::Degraded);
    let error = status.retrying.unwrap();
    assert!(error.reason.contains("429"), "{error:?}");
    let status = lab.until(DEVICES, |s| s.state == State::Connected).await;
    assert_eq!(status.retrying, None);
}

#[tokio::test]
async fn whoever_asks_for_a_run_learns_how_it_ended_r47() {
    let tenant = Tenant::new(400, 5).await;
    let lab = Lab::filled(tenant.source()).await;
    let ask = |run, accept| lab.handle.sync_now(Some("lab"), run, accept).unwrap();

    let number = ask(Run::Full, false);
    assert_eq!(end(&lab, number).await.outcome, Outcome::Well);
    let quick = ask(Run::Quick, false);
    assert_eq!(end(&lab, quick).await.run, Run::Quick);
    tenant
        .fault(json!({"kind": "forbidden", "on": "devices"}))
        .await;
    let failed = end(&lab, ask(Run::Full, false)).await;
    assert_eq!(failed.outcome, Outcome::Failed);
    assert!(failed.reason.unwrap().contains("403"));
    // A later request stands for the earlier ones.
    assert_eq!(end(&lab, number).await.outcome, Outcome::Failed);

    for number in [0, failed.number + 1, u64::MAX] {
        assert_eq!(
            lab.handle.request(Some("lab"), number),
            None,
            "row {number}"
        );
    }
    let unknown = lab.handle.sync_now(Some("nowhere"), Run::Full, false);
    let told = unknown.unwrap_err().to_string();
    assert_eq!(told, "no source is named nowhere; there are lab");
}

/// Once given, the word of an operator stayed until the next complete list, whenever that came
/// and whatever it lacked.
#[tokio::test]
async fn an_accepted_list_is_the_one_that_was_asked_for_r47() {
    let tenant = Tenant::new(400, 5).await;
    let lab = Lab::filled(tenant.source()).await;
    tenant
        .fault(json!({"kind": "forbidden", "on": "devices"}))
        .await;
    let number = lab.handle.sync_now(Some("lab"), Run::Full, true).unwrap();
    assert_eq!(end(&lab, number).await.outcome, Outcome::Failed);
    let short = json!({"kind": "shorten", "keep": 100, "times": 0, "on": "devices"});
    tenant.fault(short).await;
    lab.run(DEVICES, Run::Full).await;
    let status = lab.run(DEVICES, Run::Full).await;
    assert!(status.is_held(), "{status:?}");
    assert_eq!(status.state, State::Degraded);
    assert_eq!(lab.reader.device_count(), 400);
}

/// Of a list that lacks more devices than are asked for one by one, an operator had to wait for
/// a second one.
#[tokio::test]
async fn an_accepted_list_needs_no_second_one_r47() {
    let tenant = Tenant::new(400, 5).await;
    let lab = Lab::filled(tenant.source()).await;
    for number in 0..150 {
        tenant.change(number, json!({"@lab.deleted": true})).await;
    }
    let number = lab.handle.sync_now(Some("lab"), Run::Full, true).unwrap();
    assert_eq!(end(&lab, number).await.outcome, Outcome::Well);
    assert_eq!(lab.reader.device_count(), 250);
}

async fn end(lab: &Lab, number: u64) -> Answered {
    lab.until(DEVICES, |status| {
        let known = status.answered.as_ref();
        known.is_some_and(|known| known.number >= number)
    })
    .await;
    let feeds = lab.handle.request(Some("lab"), number).unwrap();
    feeds.into_iter().next().unwrap().1.unwrap()
}
