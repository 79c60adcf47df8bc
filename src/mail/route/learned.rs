//! Places that upstreams have told of users: a bound for all, an end for each, and a way back when the
//! upstream that a user was sent to is gone.
//!
//! A place is given up when it is old enough and nobody has had an answer from its upstream for as long
//! ([`patience`]): the user's usual upstream is asked again, which sends the user there once more or knows
//! better. A server that is restarted costs nobody a place; while one is away for hours its users ask
//! elsewhere once in five to ten minutes each, at times of their own, so that the usual upstream is not
//! overrun by all of them.

use std::collections::BTreeMap;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use crate::model::Monotonic;

use super::FNV_BASIS;
use super::UpstreamId;
use super::fnv;

/// What was learned.
#[derive(Default)]
pub(super) struct Learned {
    places: HashMap<Arc<str>, Place>,
    /// Users by the number of their place: whose was learned first comes first.
    order: BTreeMap<u64, Arc<str>>,
    last: u64,
    /// Upstreams that have left a user without an answer whom they were told to have, since when, and
    /// nobody has had one since: some of those that are configured.
    silent: HashMap<UpstreamId, Monotonic>,
    /// Users who were sent to where they had asked: since when, and how often.
    circles: HashMap<Arc<str>, (Monotonic, u32)>,
}

/// Where a user is.
#[derive(Clone, Copy)]
struct Place {
    upstream: UpstreamId,
    number: u64,
    /// Since when it is known here.
    at: Monotonic,
    /// When it counts no more.
    ends: Monotonic,
    /// How often it has changed within a short time.
    moves: u32,
}

impl Learned {
    pub(super) fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.places.len()
    }

    pub(super) fn has_silent(&self) -> bool {
        !self.silent.is_empty()
    }

    pub(super) fn place(&self, now: Monotonic, user: &str) -> Option<UpstreamId> {
        let place = self.places.get(user)?;
        (now < place.ends).then_some(place.upstream)
    }

    /// All places that count, with their ends: what was learned first comes first.
    pub(super) fn all(&self, now: Monotonic) -> Vec<(Arc<str>, UpstreamId, Monotonic)> {
        let known = self.order.values().filter_map(|user| {
            let place = self.places.get(user)?;
            Some((Arc::clone(user), place.upstream, place.ends))
        });
        known.filter(|(_, _, ends)| now < *ends).collect()
    }

    /// An upstream says where a user is. False if the user is sent to and fro.
    pub(super) fn learn(&mut self, now: Monotonic, user: &str, upstream: UpstreamId) -> bool {
        let moves = match self.places.get(user) {
            Some(place) if now.since(place.at) >= TO_AND_FRO => 0,
            // Several requests were under way when the first of them was answered.
            Some(place) if place.upstream == upstream => place.moves,
            Some(place) => place.moves.saturating_add(1),
            None => 0,
        };
        if moves > MAX_MOVES {
            return false;
        }
        self.insert(now, user, (upstream, now + HOLDS), moves);
        true
    }

    /// An upstream sends a user to where the user has asked. False if it did so again and again: there the
    /// user would be told the same for ever.
    pub(super) fn may_ask_again(&mut self, now: Monotonic, user: &str) -> bool {
        let is_over = |since: Monotonic| now.since(since) >= TO_AND_FRO;
        if self.circles.len() >= MAX_CIRCLES && !self.circles.contains_key(user) {
            self.circles.retain(|_, (since, _)| !is_over(*since));
            if self.circles.len() >= MAX_CIRCLES {
                return false;
            }
        }
        let (since, times) = self.circles.entry(user.into()).or_insert((now, 0));
        if is_over(*since) {
            (*since, *times) = (now, 0);
        }
        *times = times.saturating_add(1);
        *times <= MAX_TURNS
    }

    /// What was learned before a restart, which counts for so long still.
    pub(super) fn remember(
        &mut self,
        now: Monotonic,
        user: &str,
        upstream: UpstreamId,
        left: Duration,
    ) {
        // A clock that was set back makes no place hold for longer.
        self.insert(now, user, (upstream, now + left.min(HOLDS)), 0);
    }

    fn insert(
        &mut self,
        now: Monotonic,
        user: &str,
        (upstream, ends): (UpstreamId, Monotonic),
        moves: u32,
    ) {
        self.forget(user);
        self.last = self.last.saturating_add(1);
        let place = Place {
            upstream,
            number: self.last,
            at: now,
            ends,
            moves,
        };
        let user: Arc<str> = user.into();
        self.order.insert(place.number, Arc::clone(&user));
        self.places.insert(user, place);
        while self.places.len() > MAX_LEARNED {
            let Some((_, oldest)) = self.order.pop_first() else {
                break;
            };
            self.places.remove(&oldest);
        }
    }

    fn forget(&mut self, user: &str) {
        if let Some(place) = self.places.remove(user) {
            self.order.remove(&place.number);
        }
    }

    /// A user has had no answer from an upstream. Whether the user's place there is given up for it.
    pub(super) fn unanswered(&mut self, now: Monotonic, user: &str, upstream: UpstreamId) -> bool {
        let place = self.places.get(user);
        let Some(place) = place.filter(|place| place.upstream == upstream) else {
            return false;
        };
        let since = *self.silent.entry(upstream).or_insert(now);
        let patience = patience(user);
        let is_over = now.since(since) >= patience && now.since(place.at) >= patience;
        if is_over {
            // With its moves: that the same place is told again is no to and fro.
            self.forget(user);
        }
        is_over
    }

    /// Somebody has had an answer from an upstream.
    pub(super) fn answered(&mut self, upstream: UpstreamId) {
        self.silent.remove(&upstream);
    }

    /// Forgets places at upstreams that there are no more.
    pub(super) fn keep(&mut self, is_there: impl Fn(UpstreamId) -> bool) {
        self.places.retain(|_, place| is_there(place.upstream));
        self.order.retain(|_, user| self.places.contains_key(user));
        self.silent.retain(|upstream, _| is_there(*upstream));
    }
}

/// How long an upstream may be silent until a user asks elsewhere: five to ten minutes, always the same
/// for a user.
fn patience(user: &str) -> Duration {
    let share = fnv(FNV_BASIS, user.as_bytes()) % 60;
    let share = u32::try_from(share).unwrap_or_default();
    PATIENCE + PATIENCE * share / 60
}

/// Users whose place is remembered, some 10 MB of them, and 5 MB in the snapshot; of more the one that was
/// told first is forgotten, and sent there once more.
pub(super) const MAX_LEARNED: usize = 65_536;
/// How long a learned place counts: a mailbox that moved back is found within a day.
pub(super) const HOLDS: Duration = Duration::from_hours(24);
/// Moves within this time belong together.
const TO_AND_FRO: Duration = Duration::from_mins(10);
/// Moves of a user that belong together; beyond them two upstreams send the user to each other.
const MAX_MOVES: u32 = 3;
/// Times within [`TO_AND_FRO`] that a user is led to where it has asked: a few requests may be under way
/// while a mailbox moves.
const MAX_TURNS: u32 = 8;
/// Users who are led so at the same time, some 100 octets each; an upstream that does it to more of them
/// is set up wrongly, and all others are told 503.
const MAX_CIRCLES: usize = 16_384;
/// A server is restarted in less.
const PATIENCE: Duration = Duration::from_mins(5);

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Monotonic {
        Monotonic::from_elapsed(Duration::from_secs(seconds))
    }

    fn names() -> [UpstreamId; 2] {
        [UpstreamId::DEFAULT, "cloud"].map(UpstreamId::of)
    }

    const DAY: u64 = 24 * 3600;

    #[test]
    fn what_is_learned_ends_and_nobody_is_sent_to_and_fro_for_ever() {
        let [default, cloud] = names();
        let mut learned = Learned::default();
        assert!(learned.learn(at(1), "alice", cloud));
        assert_eq!(learned.place(at(DAY), "alice"), Some(cloud));
        assert_eq!(learned.place(at(1 + DAY), "alice"), None, "after a day");
        assert!(learned.learn(at(2), "alice", default));
        assert!(learned.learn(at(3), "alice", cloud));
        assert!(learned.learn(at(4), "alice", default));
        assert!(!learned.learn(at(5), "alice", cloud));
        assert_eq!(learned.place(at(6), "alice"), Some(default));
        assert!(learned.learn(at(604), "alice", cloud), "after a while");
    }

    /// All connections of a user that were under way met the 451 of a mailbox that was moved, and the fifth
    /// of them was refused as if two servers sent the user to each other.
    #[test]
    fn the_same_place_told_to_many_requests_is_one_move() {
        let [default, cloud] = names();
        let mut learned = Learned::default();
        for second in 1..20 {
            assert!(learned.learn(at(second), "alice", cloud), "{second}");
        }
        assert_eq!(learned.place(at(19 + DAY - 1), "alice"), Some(cloud));
        for (second, back) in [(20, default), (21, cloud), (22, default)] {
            assert!(learned.learn(at(second), "alice", back), "{second}");
            assert!(learned.learn(at(second), "alice", back), "{second}, again");
        }
        assert!(!learned.learn(at(23), "alice", cloud));
    }

    /// A server that knows itself by the gateway's name sent its users round for ever.
    #[test]
    fn who_is_sent_to_where_it_has_asked_is_sent_there_a_few_times_only() {
        let mut learned = Learned::default();
        let mut turns = |second, user: &str| {
            let may = |_: &u32| learned.may_ask_again(at(second), user);
            (0..100).take_while(may).count()
        };
        assert_eq!(turns(1, "alice"), 8);
        assert_eq!(turns(600, "alice"), 0);
        assert_eq!(turns(2, "bob"), 8);
        assert_eq!(turns(601, "alice"), 8, "after a while");
        let first = |second, user: usize| learned.may_ask_again(at(second), &user.to_string());
        let mut first = first;
        assert_eq!(
            (0..20_000).filter(|user| first(1000, *user)).count(),
            16_384 - 1
        );
        assert!(first(1700, 20_000));
    }

    #[test]
    fn the_oldest_of_too_many_places_is_forgotten() {
        let [_, cloud] = names();
        let mut learned = Learned::default();
        for number in 0..MAX_LEARNED {
            assert!(learned.learn(at(1), &number.to_string(), cloud));
        }
        // Told again it is none of the oldest.
        assert!(learned.learn(at(2), "0", cloud));
        assert!(learned.learn(at(2), "new", cloud));
        assert_eq!(learned.place(at(2), "1"), None);
        for user in ["0", "2", "new"] {
            assert_eq!(learned.place(at(2), user), Some(cloud), "{user}");
        }
        assert_eq!(learned.places.len(), MAX_LEARNED);
        assert_eq!(learned.order.len(), MAX_LEARNED);
    }

    #[test]
    fn a_place_at_an_upstream_that_is_gone_is_given_up_and_one_that_is_away_for_a_moment_keeps_it()
    {
        let [default, cloud] = names();
        let mut learned = Learned::default();
        let patience = patience("alice").as_secs();
        assert!((300..600).contains(&patience));
        assert!(learned.learn(at(1), "alice", cloud));
        assert!(!learned.unanswered(at(1000), "alice", cloud), "the first");
        assert!(!learned.unanswered(at(1000 + patience - 1), "alice", cloud));
        // Whoever has an answer, it is there.
        learned.answered(cloud);
        assert!(!learned.unanswered(at(2000), "alice", cloud));
        assert!(
            !learned.unanswered(at(2600), "bob", cloud),
            "he is not there"
        );
        assert!(!learned.unanswered(at(2600), "alice", default), "nor she");
        assert_eq!(learned.place(at(2600), "alice"), Some(cloud));
        assert!(learned.unanswered(at(2000 + patience), "alice", cloud));
        assert_eq!(learned.place(at(2600), "alice"), None);
        assert!(!learned.unanswered(at(2600), "alice", cloud), "once");
    }

    /// As long as it is away its users are sent there again and again.
    #[test]
    fn who_is_sent_to_an_upstream_that_is_away_for_a_day_asks_seldom_and_is_never_refused() {
        let [_, cloud] = names();
        let mut learned = Learned::default();
        assert!(learned.learn(at(1), "alice", cloud));
        let mut asked = 0;
        for second in (10..DAY).step_by(10) {
            if learned.unanswered(at(second), "alice", cloud) {
                asked += 1;
                assert!(learned.learn(at(second), "alice", cloud), "{second}");
            }
        }
        let patience = patience("alice").as_secs();
        assert!((DAY / (patience + 10)..=DAY / patience).contains(&asked));
    }

    #[test]
    fn users_of_an_upstream_that_is_away_ask_elsewhere_one_after_another() {
        let [_, cloud] = names();
        let mut learned = Learned::default();
        for user in 0..1000 {
            assert!(learned.learn(at(1), &user.to_string(), cloud));
        }
        let mut most = 0;
        let mut all = 0;
        for second in (1000..1700).step_by(10) {
            let users = (0..1000_u32).map(|user| user.to_string());
            let asked = users.filter(|user| learned.unanswered(at(second), user, cloud));
            let asked = asked.count();
            assert!(asked == 0 || second >= 1300, "{second}");
            most = most.max(asked);
            all += asked;
        }
        assert_eq!(all, 1000);
        assert!(most < 100, "{most} within ten seconds");
        assert!(learned.is_empty() && learned.order.is_empty());
    }
}
