use super::*;

const INTUNE: Schedule = Schedule {
    full: Duration::from_hours(24),
    quick: Some(Duration::from_secs(60)),
    backoff: Backoff {
        first: Duration::from_secs(5),
        cap: Duration::from_mins(5),
    },
};

fn at(seconds: u64) -> Monotonic {
    Monotonic::from_elapsed(Duration::from_secs(seconds))
}

/// The random number that leaves the longest time to the next planned run.
const LATEST: u64 = 0;
/// The one that leaves the shortest.
const EARLIEST: u64 = u64::MAX;
/// The one that makes the longest wait after a failure.
const LONGEST: u64 = u64::MAX;

#[test]
fn a_full_run_comes_first_and_then_every_24_hours_r44() {
    let mut plan = Plan::new(
        at(0),
        Schedule {
            quick: None,
            ..INTUNE
        },
    );
    assert_eq!(plan.poll_timeout(), Some(at(0)));
    assert_eq!(plan.poll_run(at(0)), Some(Run::Full));
    assert_eq!(plan.poll_run(at(1)), None, "one run at a time");
    assert_eq!(plan.poll_timeout(), None);
    plan.handle_success(at(100), Run::Full, LATEST);
    assert_eq!(plan.poll_timeout(), Some(at(100 + 24 * 3600)));
    assert_eq!(plan.poll_run(at(99 + 24 * 3600)), None);
    assert_eq!(plan.poll_run(at(100 + 24 * 3600)), Some(Run::Full));
}

#[test]
fn quick_runs_follow_in_their_interval_and_never_later_r45() {
    let mut plan = Plan::new(at(0), INTUNE);
    assert_eq!(plan.poll_run(at(0)), Some(Run::Full));
    plan.handle_success(at(10), Run::Full, LATEST);
    let mut now = 60;
    for round in 0..100 {
        assert_eq!(plan.poll_timeout(), Some(at(now)), "round {round}");
        assert_eq!(plan.poll_run(at(now)), Some(Run::Quick), "round {round}");
        plan.handle_success(at(now), Run::Quick, LATEST);
        now += 60;
    }
    plan.handle_request(Run::Quick);
    assert_eq!(plan.poll_run(at(now)), Some(Run::Quick));
    plan.handle_success(at(now), Run::Quick, EARLIEST);
    assert_eq!(plan.poll_timeout(), Some(at(now + 54)), "jitter is early");
}

#[test]
fn a_quick_run_passes_a_full_run_of_hours_r46() {
    let mut plan = Plan::new(at(0), INTUNE);
    assert_eq!(plan.poll_run(at(0)), Some(Run::Full));
    assert_eq!(plan.pause_at(), Some(at(60)));
    plan.handle_pause(at(60), Run::Full);
    assert_eq!(plan.poll_run(at(60)), Some(Run::Quick));
    plan.handle_success(at(62), Run::Quick, LATEST);
    assert_eq!(plan.poll_run(at(62)), Some(Run::Full), "goes on at once");
    assert_eq!(plan.pause_at(), Some(at(122)));
    plan.handle_success(at(100), Run::Full, LATEST);
    assert_eq!(plan.poll_timeout(), Some(at(122)));
}

#[test]
fn failures_wait_longer_each_time_up_to_the_cap() {
    let mut plan = Plan::new(
        at(0),
        Schedule {
            quick: None,
            ..INTUNE
        },
    );
    let mut now = 0;
    for wait in [5, 10, 20, 40, 80, 160, 300, 300] {
        assert_eq!(plan.poll_run(at(now)), Some(Run::Full), "wait {wait}");
        plan.handle_failure(at(now), Run::Full, None, LONGEST);
        assert_eq!(plan.poll_timeout(), Some(at(now + wait)), "wait {wait}");
        assert_eq!(plan.poll_run(at(now + wait - 1)), None, "wait {wait}");
        now += wait;
    }
    assert_eq!(plan.poll_run(at(now)), Some(Run::Full));
    plan.handle_success(at(now), Run::Full, LATEST);
    assert_eq!(plan.poll_timeout(), Some(at(now + 24 * 3600)));
}

#[test]
fn a_failed_full_run_does_not_stop_the_quick_ones() {
    let mut plan = Plan::new(at(0), INTUNE);
    assert_eq!(plan.poll_run(at(0)), Some(Run::Full));
    for _ in 0..10 {
        plan.handle_failure(at(30), Run::Full, None, LONGEST);
        plan.running = Some(Run::Full);
    }
    plan.handle_failure(at(30), Run::Full, None, LONGEST);
    assert_eq!(plan.poll_run(at(60)), Some(Run::Quick));
}

#[test]
fn the_servers_wait_holds_for_all_runs_and_requests_r59() {
    let mut plan = Plan::new(at(0), INTUNE);
    assert_eq!(plan.poll_run(at(0)), Some(Run::Full));
    let wait = Some(Duration::from_secs(120));
    plan.handle_failure(at(1), Run::Full, wait, LONGEST);
    plan.handle_request(Run::Quick);
    assert_eq!(plan.poll_run(at(120)), None);
    assert_eq!(plan.poll_timeout(), Some(at(121)));
    assert_eq!(plan.poll_run(at(121)), Some(Run::Quick));
}

#[test]
fn an_absurd_wait_is_cut_to_an_hour() {
    let mut plan = Plan::new(at(0), INTUNE);
    assert_eq!(plan.poll_run(at(0)), Some(Run::Full));
    let year = Some(Duration::from_hours(24 * 365));
    plan.handle_failure(at(0), Run::Full, year, LONGEST);
    assert_eq!(plan.poll_timeout(), Some(at(3600)));
}

#[test]
fn sync_now_passes_the_wait_after_a_failure_r47() {
    let mut plan = Plan::new(at(0), INTUNE);
    assert_eq!(plan.poll_run(at(0)), Some(Run::Full));
    plan.handle_failure(at(1), Run::Full, None, LONGEST);
    assert_eq!(plan.poll_run(at(2)), None);
    plan.handle_request(Run::Full);
    assert_eq!(plan.poll_timeout(), Some(at(0)));
    assert_eq!(plan.poll_run(at(2)), Some(Run::Full));
}

#[test]
fn a_request_during_a_run_asks_for_one_more() {
    for succeeds in [true, false] {
        let mut plan = Plan::new(at(0), INTUNE);
        assert_eq!(plan.poll_run(at(0)), Some(Run::Full));
        plan.handle_request(Run::Full);
        assert_eq!(plan.poll_run(at(1)), None, "row {succeeds}");
        if succeeds {
            plan.handle_success(at(3), Run::Full, LATEST);
        } else {
            plan.handle_failure(at(3), Run::Full, None, LONGEST);
        }
        assert_eq!(plan.poll_run(at(3)), Some(Run::Full), "row {succeeds}");
        assert_eq!(plan.poll_run(at(4)), None, "row {succeeds}");
    }
}

#[test]
fn delays_stay_between_half_and_all_of_the_doubled_wait() {
    let backoff = INTUNE.backoff;
    for failures in [0, 1, 5, 6, 31, u32::MAX] {
        let longest = backoff.delay(failures, u64::MAX);
        let shortest = backoff.delay(failures, 0);
        assert_eq!(shortest * 2, longest, "row {failures}");
        assert!(longest <= backoff.cap, "row {failures}");
    }
}
