//! What was learned of users' places as it is written down: lines at the end of the roll's snapshot, after
//! one that begins with [`BEGINNING`] and says which map of users they stand beside. Readers that do not
//! know them count them as lines that mean nothing, and keep the rest.
//!
//! They are not among the notes that are written at once: nobody is told to rely on them, and one that is
//! lost costs its user one more 451.

use std::time::Duration;

use serde::Deserialize;
use serde::Serialize;

use crate::model::Now;
use crate::model::Timestamp;

use super::Learned;
use super::Router;
use super::Routes;
use super::UpstreamId;
use super::learned::MAX_LEARNED;

#[derive(Serialize, Deserialize)]
struct Head {
    /// [`Routes::fingerprint`], in hex.
    learned: String,
}

#[derive(Serialize, Deserialize)]
struct Line {
    user: String,
    upstream: String,
    /// Milliseconds since 1970.
    until: i64,
}

/// The lines of the roll, and those after them that tell of places.
pub(in crate::mail) fn split(saved: &[u8]) -> (&[u8], &[u8]) {
    let mut lines = saved.split_inclusive(|octet| *octet == b'\n');
    let before = lines
        .by_ref()
        .take_while(|line| !line.starts_with(BEGINNING));
    let length = before.map(<[u8]>::len).sum();
    saved.split_at_checked(length).unwrap_or((saved, b""))
}

impl Router {
    /// Lines for the next start; none if nothing was learned.
    pub(in crate::mail) fn save(&self, now: Now) -> Vec<u8> {
        let routes = self.routes();
        let all = self.learned().all(now.monotonic);
        let mut octets = Vec::new();
        if all.is_empty() {
            return octets;
        }
        let head = Head {
            learned: format!("{:016x}", routes.fingerprint()),
        };
        write(&mut octets, &head);
        for (user, upstream, ends) in all {
            // It is in no other map than that which was replaced a moment ago.
            let Some(resource) = routes.get(upstream) else {
                continue;
            };
            let until = now.wall + now.monotonic.until(ends);
            let line = Line {
                user: user.to_string(),
                upstream: resource.name.to_string(),
                until: until.unix_millis(),
            };
            write(&mut octets, &line);
        }
        octets
    }

    /// Takes over what [`Router::save`] has written, if the map says the same of users as then, at
    /// upstreams that are there. Gives how many places are known, and how many lines mean nothing.
    pub(in crate::mail) fn restore(&self, now: Now, octets: &[u8]) -> (usize, usize) {
        let mut lines = octets
            .split(|octet| *octet == b'\n')
            .filter(|line| !line.is_empty());
        let Some(head) = lines.next() else {
            return (0, 0);
        };
        let routes = self.routes();
        match written_beside(head) {
            None => return (0, 1),
            Some(map) if map != routes.fingerprint() || !routes.learn => return (0, 0),
            Some(_) => {}
        }
        let mut learned = Learned::default();
        let mut unreadable = 0;
        for line in lines.take(MAX_LEARNED) {
            let Ok(line) = serde_json::from_slice::<Line>(line) else {
                unreadable += 1;
                continue;
            };
            if let Some((upstream, left)) = line.counts(now.wall, &routes) {
                learned.remember(now.monotonic, &line.user, upstream, left);
            }
        }
        let places = learned.len();
        self.show(&learned);
        *self.learned() = learned;
        (places, unreadable)
    }
}

impl Line {
    /// Where the user is, and for how long still.
    fn counts(&self, now: Timestamp, routes: &Routes) -> Option<(UpstreamId, Duration)> {
        let upstream = UpstreamId::of(&self.upstream);
        let left = Timestamp::from_unix_millis(self.until).since(now);
        let counts = !left.is_zero() && routes.get(upstream).is_some();
        counts.then_some((upstream, left))
    }
}

/// The map that a head names.
fn written_beside(head: &[u8]) -> Option<u64> {
    let head: Head = serde_json::from_slice(head).ok()?;
    u64::from_str_radix(&head.learned, 16).ok()
}

fn write(octets: &mut Vec<u8>, line: &impl Serialize) {
    if let Ok(line) = serde_json::to_vec(line) {
        octets.extend_from_slice(&line);
        octets.push(b'\n');
    }
}

/// How a [`Head`] begins, and no line of the roll.
const BEGINNING: &[u8] = br#"{"learned":"#;

#[cfg(test)]
mod tests {
    use super::*;

    use crate::mail::roll::Roll;
    use crate::mail::route::Resource;
    use crate::mail::route::Rule;
    use crate::mail::route::Whose;
    use crate::model::Monotonic;

    fn now() -> Now {
        Now {
            monotonic: Monotonic::from_elapsed(Duration::from_secs(1000)),
            wall: Timestamp::from_unix_seconds(1_795_253_400),
        }
    }

    /// A process that has just begun, so long after.
    fn then(seconds: i64) -> Now {
        Now {
            monotonic: Monotonic::default(),
            wall: Timestamp::from_unix_seconds(1_795_253_400 + seconds),
        }
    }

    fn routes() -> Routes {
        let mut routes = Routes::only("https://old.internal".parse().unwrap());
        let cloud = "https://outlook.office365.com".parse().unwrap();
        routes.resources.push(Resource::single("cloud", cloud));
        routes.learn = true;
        routes
    }

    fn taught() -> Router {
        let router = Router::new(routes());
        for user in ["bob", "alice"] {
            assert!(router.learn(now().monotonic, user, UpstreamId::of("cloud")));
        }
        router
    }

    const DAY: i64 = 24 * 3600;

    #[test]
    fn places_outlive_a_restart_for_as_long_as_they_would_have_counted_r56() {
        let cloud = Some(UpstreamId::of("cloud"));
        let saved = taught().save(now());
        for (row, at, left) in [
            ("at once", 0, DAY),
            ("later", 3600, DAY - 3600),
            ("a moment before they end", DAY - 1, 1),
            ("the clock was set back", -1_000_000, DAY),
        ] {
            let router = Router::new(routes());
            assert_eq!(router.restore(then(at), &saved), (2, 0), "row {row}");
            for user in ["alice", "bob"] {
                let place = |at| router.place(then(0).monotonic + Duration::from_secs(at), user);
                let left = u64::try_from(left).unwrap();
                assert_eq!(place(0), cloud, "row {row}: {user}");
                assert_eq!(place(left - 1), cloud, "row {row}: {user}");
                assert_eq!(place(left), None, "row {row}: {user}");
            }
            // What is saved again says the same.
            let again = router.save(then(at));
            assert_eq!(again == saved, at >= 0, "row {row}");
        }
        let router = Router::new(routes());
        assert_eq!(router.restore(then(DAY), &saved), (0, 0), "a day after");
        assert_eq!(taught().save(now().plus(Duration::from_hours(24))), b"");
    }

    #[test]
    fn places_count_beside_the_map_that_they_were_learned_beside_r56() {
        let rule = |whose| Rule {
            whose,
            upstream: UpstreamId::of("cloud"),
        };
        let carol = || rule(Whose::User("carol".to_owned()));
        let suffix = || rule(Whose::Suffix("carol".to_owned()));
        let with = |rules: Vec<Rule>| Routes { rules, ..routes() };
        let without = Routes {
            resources: routes().resources.into_iter().take(1).collect(),
            ..routes()
        };
        let mut elsewhere = routes();
        elsewhere.resources[1].name = "other".into();
        let off = Routes {
            learn: false,
            ..routes()
        };
        for (row, before, after, expected) in [
            ("the same", with(vec![]), with(vec![]), 2),
            ("the same rule", with(vec![carol()]), with(vec![carol()]), 2),
            ("a rule is new", with(vec![]), with(vec![carol()]), 0),
            ("a rule is gone", with(vec![carol()]), with(vec![]), 0),
            ("of others", with(vec![carol()]), with(vec![suffix()]), 0),
            (
                "in another order",
                with(vec![carol(), suffix()]),
                with(vec![suffix(), carol()]),
                0,
            ),
            ("nothing is learned any more", with(vec![]), off, 0),
            ("the upstream is gone", with(vec![]), without, 0),
            ("it has another name", with(vec![]), elsewhere, 0),
        ] {
            let router = Router::new(before);
            for user in ["alice", "bob"] {
                assert!(router.learn(now().monotonic, user, UpstreamId::of("cloud")));
            }
            let saved = router.save(now());
            let router = Router::new(after);
            assert_eq!(router.restore(then(1), &saved), (expected, 0), "row {row}");
            let has_learned = router
                .has_learned
                .load(std::sync::atomic::Ordering::Relaxed);
            assert_eq!(has_learned, expected > 0, "row {row}");
        }
    }

    #[test]
    fn a_snapshot_of_before_has_none_and_a_reader_of_before_keeps_the_rest() {
        let roll = Roll::new([7; 32]).save();
        assert_eq!(split(&roll), (&roll[..], &b""[..]));
        let places = taught().save(now());
        let both = [&roll[..], &places].concat();
        assert_eq!(split(&both), (&roll[..], &places[..]));
        // Without the split, as it was read before there were places.
        let (kept, restored) = Roll::restore([0; 32], &both, b"");
        assert_eq!((restored.devices, restored.unreadable), (0, 3));
        assert_eq!(kept.save(), roll, "with its secret");
    }

    #[test]
    fn lines_that_mean_nothing_are_counted() {
        let saved = taught().save(now());
        let lines: Vec<&[u8]> = saved.split_inclusive(|octet| *octet == b'\n').collect();
        let cut = &saved[..saved.len() - 5];
        let headless = [BEGINNING, &b"7}\n"[..], lines[1]].concat();
        let odd = [lines[0], &b"{\"user\":\"x\"}\nnot JSON\n"[..], lines[1]].concat();
        for (row, octets, expected) in [
            ("nothing", &b""[..], (0, 0)),
            ("its end is cut", cut, (1, 1)),
            ("its head is none", &headless, (0, 1)),
            ("odd lines", &odd, (1, 2)),
        ] {
            let router = Router::new(routes());
            assert_eq!(router.restore(then(1), octets), expected, "row {row}");
        }
    }
}
