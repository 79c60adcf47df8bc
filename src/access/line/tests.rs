use super::*;
use proptest::collection::vec;
use proptest::prelude::*;

const ALICE: u128 = 7;
const BOB: u128 = 8;

fn at(seconds: u64) -> Timestamp {
    Timestamp::from_unix_seconds(1_795_253_400) + Duration::from_secs(seconds)
}

fn eas(number: usize) -> EasDeviceId {
    format!("d{number}").parse().unwrap()
}

/// How many stand before a client that asks for a place, and the place.
fn take(line: &Arc<Line>, user: u128, number: usize) -> (usize, Option<Arc<InLine>>) {
    let stand = line.take(at(0), user, eas(number));
    let ahead = line.ahead(at(0), user, eas(number));
    (ahead.len(), stand.place().cloned())
}

fn ahead_of(line: &Line, now: u64, number: usize) -> Vec<EasDeviceId> {
    line.ahead(at(now), ALICE, eas(number))
}

fn succeed(line: &Arc<Line>, number: usize, now: u64) {
    line.find(ALICE, eas(number)).unwrap().served(at(now));
}

/// Of nobody it is known yet that it counts.
fn tidy(line: &Line, now: u64) {
    line.tidy_all(at(now), |_, _| Some(false));
}

#[test]
fn each_user_has_a_line_of_its_own_and_each_client_one_place_in_it() {
    let line = Arc::default();
    let (first, one) = take(&line, ALICE, 1);
    let (second, _two) = take(&line, ALICE, 2);
    let (again, same) = take(&line, ALICE, 1);
    let (of_another, _bob) = take(&line, BOB, 1);
    assert_eq!([first, second, again, of_another], [0, 1, 0, 0]);
    assert_eq!(line.len(), 3);
    // The place is free with the last request that holds it, and who comes again is the last.
    drop(one);
    assert_eq!(take(&line, ALICE, 3).0, 2);
    drop(same);
    assert_eq!(take(&line, ALICE, 3).0, 1);
    assert_eq!(take(&line, ALICE, 1).0, 1);
}

#[test]
fn whoever_was_answered_stays_a_day_and_a_success_makes_it_no_shorter() {
    let line = Arc::default();
    let (_, one) = take(&line, ALICE, 1);
    line.find(ALICE, eas(1)).unwrap().answered(at(0));
    succeed(&line, 1, 10);
    drop(one);
    let day = 24 * 3600;
    assert_eq!(ahead_of(&line, 9 + day, 2), [eas(1)]);
    assert_eq!(ahead_of(&line, 10 + day, 2), []);
    tidy(&line, 10 + day);
    assert!(line.is_empty());
    // Whose record is forgotten goes as soon as it is sure that there is none.
    let (_, two) = take(&line, ALICE, 2);
    line.find(ALICE, eas(2)).unwrap().answered(at(0));
    drop(two);
    line.tidy_all(at(59), |_, _| None);
    assert_eq!(ahead_of(&line, 59, 3), [eas(2)]);
    line.tidy_all(at(60), |_, _| None);
    assert!(line.is_empty());
}

#[test]
fn whoever_leaves_without_success_lets_the_others_move_up() {
    let line = Arc::default();
    let (_, one) = take(&line, ALICE, 1);
    let (_, two) = take(&line, ALICE, 2);
    assert_eq!(ahead_of(&line, 0, 2), [eas(1)]);
    assert_eq!(ahead_of(&line, 0, 3), [eas(1), eas(2)], "it has no place");
    drop(one);
    assert_eq!(ahead_of(&line, 0, 2), []);
    drop(two);
    assert!(line.is_empty());
    assert_eq!(line.users.len(), 0);
    assert!(line.find(ALICE, eas(2)).is_none());
}

#[test]
fn whoever_was_served_keeps_its_place_until_the_inventory_has_taken_it_in() {
    let line = Arc::default();
    let (_, one) = take(&line, ALICE, 1);
    let (_, two) = take(&line, ALICE, 2);
    succeed(&line, 1, 0);
    drop(one);
    assert_eq!(ahead_of(&line, 59, 2), [eas(1)]);
    // A request that fails afterwards takes nothing away.
    drop(take(&line, ALICE, 1));
    assert_eq!(ahead_of(&line, 59, 2), [eas(1)]);
    assert_eq!(ahead_of(&line, 60, 2), []);
    tidy(&line, 60);
    assert_eq!(line.len(), 1);
    succeed(&line, 2, 60);
    drop(two);
    // Another thread may have read the clock before.
    assert_eq!(ahead_of(&line, 59, 3), [eas(2)]);
    tidy(&line, 119);
    assert_eq!(line.len(), 1);
    // One that was set back leaves nobody there for ever.
    tidy(&line, 0);
    assert!(line.is_empty());
    assert_eq!(line.users.len(), 0);
}

#[test]
fn whoever_counts_in_the_inventory_keeps_no_place_but_for_requests_under_way() {
    let line = Arc::default();
    let (_, one) = take(&line, ALICE, 1);
    let (_, two) = take(&line, ALICE, 2);
    succeed(&line, 1, 0);
    drop(one);
    succeed(&line, 2, 0);
    let counts = |user, client: &EasDeviceId| Some(user == ALICE && *client != eas(3));
    line.tidy_all(at(0), counts);
    assert_eq!(ahead_of(&line, 0, 3), [eas(2)]);
    drop(two);
    assert!(line.is_empty());
    let (_, three) = take(&line, ALICE, 3);
    succeed(&line, 3, 0);
    drop(three);
    line.tidy_all(at(0), counts);
    assert_eq!(ahead_of(&line, 0, 4), [eas(3)]);
}

#[test]
fn the_end_of_a_full_line_is_behind_all_of_it_and_holds_no_place() {
    let line = Arc::default();
    let held: Vec<_> = (0..MAX_OF_USER)
        .map(|number| take(&line, ALICE, number).1.unwrap())
        .collect();
    let (ahead, place) = take(&line, ALICE, 500);
    assert_eq!((ahead, place.is_some()), (MAX_OF_USER, false));
    // Its own place each of them finds all the same.
    assert_eq!(take(&line, ALICE, 42).0, 42);
    drop(held);
    assert!(line.is_empty());
}

#[test]
fn beyond_the_bound_nobody_gets_a_place_but_who_has_one() {
    let line: Arc<Line> = Arc::default();
    let held: Vec<_> = (0..MAX_PLACES)
        .map(|number| take(&line, (number / 90) as u128, number % 90).1.unwrap())
        .collect();
    assert_eq!(line.len(), MAX_PLACES);
    let has_room = |user, number| !matches!(line.take(at(0), user, eas(number)), Stand::NoRoom);
    assert!(!has_room(u128::MAX, 1) && !has_room(3, 95));
    assert!(take(&line, 3, 5).1.is_some());
    drop(held);
    assert!(has_room(u128::MAX, 1));
    assert_eq!(line.users.len(), 0);
}

/// Clients whose answers can never be read kept everybody else out.
#[test]
fn whoever_was_answered_first_gives_way_when_the_places_are_taken() {
    let line: Arc<Line> = Arc::default();
    let user = |number: usize| (number / 90) as u128;
    let under_way = take(&line, user(0), 0).1.unwrap();
    for number in 0..MAX_PLACES {
        let (user, eas) = (user(number), eas(number));
        let place = take(&line, user, number).1.unwrap();
        line.find(user, eas).unwrap().answered(at(number as u64));
        drop(place);
    }
    let now = at(MAX_PLACES as u64);
    let is_let_in = || !matches!(line.take(now, u128::MAX, eas(1)), Stand::NoRoom);
    assert!(!is_let_in());
    tidy(&line, MAX_PLACES as u64);
    assert!(is_let_in());
    let stands = |number| line.find(user(number), eas(number)).is_some();
    let newest = MAX_PLACES - MAX_ANSWERED;
    let expected = [true, false, false, true, true];
    assert_eq!(
        [0, 1, newest - 1, newest, MAX_PLACES - 1].map(stands),
        expected
    );
    assert_eq!(line.len(), MAX_ANSWERED + 1);
    drop(under_way);
    for _ in 0..2 {
        tidy(&line, MAX_PLACES as u64);
        assert_eq!(line.len(), MAX_ANSWERED);
    }
    assert!(!stands(0) && stands(newest));
}

/// What happens to a client's requests.
#[derive(Clone, Copy, Debug)]
enum Event {
    Begins(usize),
    Fails(usize),
    Succeeds(usize),
}

fn event() -> impl Strategy<Value = Event> {
    (0..3_u8, 0..6_usize).prop_map(|(kind, number)| match kind {
        0 => Event::Begins(number),
        1 => Event::Fails(number),
        _ => Event::Succeeds(number),
    })
}

proptest! {
    /// Compared with a list: a client comes in at its end, goes when its last request is over
    /// without a success, and otherwise stays.
    #[test]
    fn a_line_is_the_order_in_which_clients_came(events in vec(event(), 0..60)) {
        let line = Arc::default();
        let mut held: Vec<(usize, Arc<InLine>)> = Vec::new();
        let mut expected: Vec<usize> = Vec::new();
        let mut served = Vec::new();
        for event in events {
            match event {
                Event::Begins(number) => {
                    let place = expected.iter().position(|one| *one == number);
                    let (ahead, place_in_line) = take(&line, ALICE, number);
                    prop_assert_eq!(ahead, place.unwrap_or(expected.len()));
                    if place.is_none() {
                        expected.push(number);
                    }
                    held.push((number, place_in_line.unwrap()));
                }
                Event::Fails(number) | Event::Succeeds(number) => {
                    let Some(place) = held.iter().position(|(one, _)| *one == number) else {
                        continue;
                    };
                    if matches!(event, Event::Succeeds(_)) {
                        succeed(&line, number, 0);
                        served.push(number);
                    }
                    drop(held.remove(place));
                    let stays = served.contains(&number)
                        || held.iter().any(|(one, _)| *one == number);
                    if !stays {
                        expected.retain(|one| *one != number);
                    }
                }
            }
            prop_assert_eq!(line.len(), expected.len());
            for number in 0..7 {
                let ahead = expected.iter().take_while(|one| **one != number);
                let ahead: Vec<_> = ahead.map(|one| eas(*one)).collect();
                prop_assert_eq!(ahead_of(&line, 0, number), ahead);
            }
        }
        drop(held);
        tidy(&line, 60);
        prop_assert!(line.is_empty() && line.users.is_empty());
    }
}
