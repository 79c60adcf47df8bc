use super::*;
use crate::model::Monotonic;

fn at(seconds: i64) -> Now {
    Now {
        monotonic: Monotonic::default(),
        wall: Timestamp::from_unix_seconds(seconds),
    }
}

fn board(quick: bool, whole: bool) -> (Board, watch::Receiver<Status>) {
    let latency = Duration::from_mins(1);
    Board::new("lab/devices", latency, (quick, whole), at(0))
}

fn done() -> Done {
    Done {
        entries: Some(9),
        bad: 0,
        problems: Vec::new(),
        note: None,
    }
}

fn failed(held: bool) -> Failed {
    Failed {
        reason: "why".to_owned(),
        held,
        problems: Vec::new(),
    }
}

/// One success of a quick run hid that the full walk had failed for days.
#[test]
fn a_state_tells_how_both_kinds_of_runs_end_r57() {
    use Run::Full;
    use Run::Quick;
    for (runs, state) in [
        (&[][..], State::Pending),
        (&[(Quick, "well")], State::Pending),
        (&[(Full, "well")], State::Connected),
        (&[(Full, "failed")], State::Disconnected),
        (&[(Full, "held")], State::Degraded),
        (&[(Quick, "failed")], State::Disconnected),
        (&[(Full, "well"), (Quick, "well")], State::Connected),
        (&[(Full, "failed"), (Quick, "well")], State::Degraded),
        (&[(Full, "held"), (Quick, "well")], State::Degraded),
        // Whoever answers nothing each minute is gone, whatever it said yesterday.
        (&[(Full, "well"), (Quick, "failed")], State::Disconnected),
        (&[(Quick, "failed"), (Full, "well")], State::Degraded),
        (
            &[(Quick, "failed"), (Full, "well"), (Quick, "failed")],
            State::Degraded,
        ),
        (
            &[(Quick, "failed"), (Full, "well"), (Full, "failed")],
            State::Disconnected,
        ),
        (
            &[(Quick, "failed"), (Full, "well"), (Quick, "well")],
            State::Connected,
        ),
    ] {
        let (board, status) = board(true, false);
        for (&(run, outcome), second) in runs.iter().zip(1..) {
            let now = at(second);
            match outcome {
                "well" => drop(board.succeeded(now, run, done())),
                outcome => drop(board.failed(now, run, failed(outcome == "held"))),
            }
        }
        assert_eq!(status.borrow().state, state, "row {runs:?}");
    }
}

#[test]
fn a_state_has_the_time_since_when_it_lasts_and_an_error_stays_readable() {
    let (board, status) = board(true, false);
    board.succeeded(at(1), Run::Full, done());
    assert!(board.failed(at(2), Run::Full, failed(false)), "news");
    board.succeeded(at(3), Run::Quick, done());
    assert!(!board.failed(at(4), Run::Full, failed(false)), "no news");
    {
        let status = status.borrow();
        assert_eq!(status.state, State::Degraded);
        assert_eq!(status.since, at(3).wall);
        let error = status.full.last_error.clone().unwrap();
        assert_eq!((error.since, error.last), (at(2).wall, at(4).wall));
        assert_eq!((&*error.reason, error.times), ("why", 2));
        assert_eq!(status.full.last_success, Some(at(1).wall));
    }
    let over = board.succeeded(at(5), Run::Full, done()).unwrap();
    assert_eq!(over.times, 2);
    let status = status.borrow();
    assert_eq!((status.state, status.since), (State::Connected, at(5).wall));
    assert_eq!(status.failing().count(), 0);
    assert_eq!(status.full.last_error, Some(over));
}

#[test]
fn a_request_that_is_asked_again_degrades_a_feed_until_it_is_answered() {
    let (board, status) = board(true, false);
    board.succeeded(at(1), Run::Full, done());
    board.retried(at(2), true, "503".to_owned());
    board.retried(at(4), false, "504".to_owned());
    assert_eq!(status.borrow().state, State::Degraded);
    let again = status.borrow().retrying.clone().unwrap();
    assert_eq!((&*again.reason, again.times), ("504", 2));
    assert_eq!((again.since, again.last), (at(2).wall, at(4).wall));
    board.answers(at(5));
    assert_eq!(status.borrow().state, State::Connected);
    assert_eq!(status.borrow().since, at(5).wall);
}

#[test]
fn a_look_at_a_bad_file_does_not_make_it_better() {
    let (board, status) = board(true, true);
    board.failed(at(1), Run::Quick, failed(false));
    board.unchanged(at(2), Run::Quick);
    assert_eq!(status.borrow().state, State::Disconnected);
    assert_eq!(status.borrow().counters.successes, 0);
    board.succeeded(at(3), Run::Quick, done());
    assert_eq!(status.borrow().state, State::Connected);
    board.unchanged(at(4), Run::Quick);
    let status = status.borrow();
    assert_eq!(status.full.last_success, Some(at(3).wall));
    assert_eq!(
        status.quick.as_ref().unwrap().last_success,
        Some(at(4).wall)
    );
}
