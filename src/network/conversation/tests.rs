use super::*;

#[test]
fn states_carry_their_loop_and_refuse_other_lengths() {
    let state = State::new(3, 7);
    assert_eq!(State::parse(state.octets()), Some(state));
    assert_eq!(state.worker(), 3);
    assert_eq!(State::parse(&state.octets()[1..]), None);
    assert_eq!(State::parse(&[0; 20]), None);
    let next = state.next();
    assert_ne!(next, state);
    assert_eq!(next.id(), state.id());
    assert_eq!(State::parse(next.octets()), Some(next));
}

fn binding(last: u8) -> Binding {
    Binding {
        from: IpAddr::from([192, 0, 2, last]),
        station: 1,
        user: Some(2),
    }
}

fn standing(table: &mut Conversations, last: u8, answered: bool) -> Standing {
    let patience = Duration::from_secs(30);
    Standing {
        answered,
        ..table.begin(Monotonic::default(), patience, binding(last), state(0))
    }
}

fn state(number: u128) -> State {
    State::new(0, number)
}

#[test]
fn every_index_is_as_long_as_the_table() {
    let mut table = Conversations::new();
    for number in 0..100 {
        // The same State again and again: entries of an index must not pile up.
        let standing = standing(&mut table, 1, number % 2 == 0);
        table.part(state(number % 7), standing);
        let progress: usize = table.progress.values().sum();
        assert_eq!(table.deadlines.len(), table.places.len());
        assert_eq!(table.unanswered.len() + progress, table.places.len());
    }
    for number in 0..7 {
        assert!(table.rejoin(state(number)));
    }
    assert!(table.deadlines.is_empty() && table.unanswered.is_empty());
    assert!(table.progress.is_empty());
}

#[test]
fn the_oldest_without_progress_gives_way() {
    let mut table = Conversations::new();
    for number in 0..4 {
        let standing = standing(&mut table, 1, number == 0);
        table.part(state(number), standing);
    }
    assert!(table.has_room(Monotonic::default(), 4));
    assert_eq!(table.make_room(Monotonic::default(), 4), 1);
    assert!(!table.rejoin(state(1)), "the oldest without progress");
    assert_eq!(table.make_room(Monotonic::default(), 4), 0);
    assert_eq!(
        table.make_room(Monotonic::default(), 1),
        2,
        "the one with progress stays"
    );
    assert!(!table.has_room(Monotonic::default(), 1));
    assert!(table.rejoin(state(0)));
}

#[test]
fn a_source_has_three_quarters_of_the_places_at_most() {
    let mut table = Conversations::new();
    for number in 0..3 {
        let standing = standing(&mut table, 1, true);
        table.part(state(number), standing);
    }
    let (another, elsewhere) = (
        standing(&mut table, 1, false),
        standing(&mut table, 2, false),
    );
    assert_eq!(
        table.may_progress(Monotonic::default(), &another, 4),
        Share::Taken
    );
    assert_eq!(
        table.may_progress(Monotonic::default(), &another, 5),
        Share::Free
    );
    assert_eq!(
        table.may_progress(Monotonic::default(), &elsewhere, 4),
        Share::Free
    );
    assert!(table.rejoin(state(2)));
    assert_eq!(
        table.may_progress(Monotonic::default(), &another, 4),
        Share::Free
    );
}

#[test]
fn nothing_lasts_longer_than_a_lifetime() {
    let mut table = Conversations::new();
    let patience = Duration::from_secs(30);
    let mut now = Monotonic::default();
    let mut standing = table.begin(now, patience, binding(1), state(0));
    for _ in 0..10 {
        now = now + Duration::from_secs(29);
        standing.prolong(now, patience);
    }
    assert_eq!(
        standing.deadline(),
        Monotonic::default() + Duration::from_secs(60)
    );
}

#[test]
fn a_name_is_bound_once_it_is_known() {
    let (first, other) = (binding(1), binding(2));
    let renamed = Binding {
        user: Some(3),
        ..first
    };
    for (bound, request, holds) in [
        (first, first, true),
        (first, other, false),
        (first, renamed, false),
        (first.without_user(), renamed, true),
        (first.without_user(), other, false),
    ] {
        assert_eq!(bound.holds(&request), holds, "row {bound:?} {request:?}");
    }
}
