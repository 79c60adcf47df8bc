#![allow(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test may panic"
)]

use super::*;

fn at(seconds: u64) -> Monotonic {
    Monotonic::from_elapsed(Duration::from_secs(seconds))
}

fn hasher() -> Hasher {
    Hasher::new(&[7; 32])
}

fn attempt(password: &str, user: &str, address: &str) -> Attempt {
    let hasher = hasher();
    Attempt {
        credential: hasher.key(&[user.as_bytes(), password.as_bytes()]),
        user: hasher.key(&[user.as_bytes()]),
        address: hasher.key(&[address.as_bytes()]),
        place: hasher.key(&[user.as_bytes(), address.as_bytes()]),
        device: None,
        counted: None,
    }
}

fn offer() -> Offer {
    Offer(HeaderMap::new())
}

#[test]
fn hashes_depend_on_the_key_and_on_where_parts_end() {
    let key = hasher().key(&[b"ab", b"c"]);
    assert_eq!(key, hasher().key(&[b"ab", b"c"]));
    assert_ne!(key, hasher().key(&[b"a", b"bc"]));
    assert_ne!(key, Hasher::new(&[8; 32]).key(&[b"ab", b"c"]));
}

#[test]
fn acceptance_and_refusal_expire() {
    let mut credentials = Credentials::new(Memory::default());
    let mut good = attempt("right", "alice", "1");
    let mut bad = attempt("wrong", "alice", "1");
    assert!(matches!(
        credentials.standing(at(0), good.credential),
        Standing::Unknown
    ));
    credentials.begin(at(0), &mut good).unwrap();
    credentials.accept(at(0), &good, offer(), Duration::MAX);
    credentials.begin(at(0), &mut bad).unwrap();
    credentials.refuse(at(0), &bad);
    for (seconds, accepted, refused) in [
        (0, true, true),
        (4, true, true),
        (5, true, false),
        (599, true, false),
        (600, false, false),
    ] {
        let standing = credentials.standing(at(seconds), good.credential);
        assert_eq!(
            matches!(standing, Standing::Accepted(_)),
            accepted,
            "row {seconds}"
        );
        let standing = credentials.standing(at(seconds), bad.credential);
        assert_eq!(
            matches!(standing, Standing::Refused),
            refused,
            "row {seconds}"
        );
    }
    credentials.forget(good.credential);
    assert!(matches!(
        credentials.standing(at(1), good.credential),
        Standing::Unknown
    ));
}

/// A refused password stayed refused for its minute even if it was the right one by then.
#[test]
fn a_refusal_is_believed_for_seconds_and_longer_only_if_it_is_repeated() {
    let mut credentials = Credentials::new(Memory::default());
    let mut bad = attempt("wrong", "alice", "1");
    let mut refuse = |second| {
        credentials.begin(at(second), &mut bad).unwrap();
        credentials.refuse(at(second), &bad);
        (0..)
            .find(|pause| {
                let standing = credentials.standing(at(second + pause), bad.credential);
                matches!(standing, Standing::Unknown)
            })
            .unwrap()
    };
    let mut now = 0;
    for expected in [5, 10, 20, 40, 60, 60, 60] {
        let pause = refuse(now);
        assert_eq!(pause, expected, "row {now}");
        now += pause;
    }
    // Left alone for the window, it is as if it had never been refused.
    assert_eq!(refuse(now + 600), 5);
    // And once it is accepted as well.
    credentials.begin(at(2000), &mut bad).unwrap();
    credentials.accept(at(2000), &bad, offer(), Duration::MAX);
    credentials.begin(at(2600), &mut bad).unwrap();
    credentials.refuse(at(2600), &bad);
    let standing = credentials.standing(at(2605), bad.credential);
    assert!(matches!(standing, Standing::Unknown));
}

#[test]
fn guesses_are_limited_by_user_and_by_address() {
    let memory = Memory {
        user_failures: 3,
        address_failures: 5,
        ..Memory::default()
    };
    let mut credentials = Credentials::new(memory);
    let mut refuse = |second, password: &str, user, address| {
        let mut attempt = attempt(password, user, address);
        let begun = credentials.begin(at(second), &mut attempt);
        if begun.is_ok() {
            credentials.refuse(at(second), &attempt);
        }
        begun.map_err(|throttle| (throttle.excess, throttle.wait.as_secs(), throttle.first))
    };
    for guess in ["1", "2", "3"] {
        assert_eq!(refuse(0, guess, "alice", "1"), Ok(()), "row {guess}");
    }
    for (row, first) in [(1, true), (2, false)] {
        let refused = refuse(row, "4", "alice", "2");
        assert_eq!(refused, Err((Excess::User, 600 - row, first)), "row {row}");
    }
    for user in ["bob", "carol"] {
        assert_eq!(refuse(1, "x", user, "1"), Ok(()), "row {user}");
    }
    let refused = refuse(1, "x", "dave", "1");
    assert_eq!(refused, Err((Excess::Address, 599, true)));
    assert_eq!(refuse(1, "x", "dave", "3"), Ok(()));
    // The window is over.
    assert_eq!(refuse(600, "4", "alice", "2"), Ok(()));
}

/// Questions that were merely under way cost the rest of the ten minutes.
#[test]
fn questions_under_way_make_others_wait_for_their_answers_only() {
    let memory = Memory {
        user_failures: 2,
        ..Memory::default()
    };
    let mut credentials = Credentials::new(memory);
    let mut asked = ["1", "2", "3"].map(|password| attempt(password, "alice", "1"));
    credentials.begin(at(0), &mut asked[0]).unwrap();
    credentials.begin(at(0), &mut asked[1]).unwrap();
    let throttle = credentials.begin(at(0), &mut asked[2]).unwrap_err();
    assert_eq!(throttle.excess, Excess::AtOnce);
    assert!(throttle.wait <= Duration::from_secs(2), "{throttle:?}");
    credentials.refuse(at(1), &asked[0]);
    credentials.accept(at(1), &asked[1], offer(), Duration::MAX);
    assert_eq!(credentials.begin(at(1), &mut asked[2]), Ok(()));
}

#[test]
fn accepted_and_unanswered_attempts_are_no_failures() {
    let memory = Memory {
        user_failures: 1,
        ..Memory::default()
    };
    let mut credentials = Credentials::new(memory);
    for second in 0..5 {
        let mut good = attempt("right", "alice", "1");
        assert_eq!(
            credentials.begin(at(second), &mut good),
            Ok(()),
            "row {second}"
        );
        if second % 2 == 0 {
            credentials.accept(at(second), &good, offer(), Duration::MAX);
        } else {
            credentials.release(&good);
        }
    }
}

#[test]
fn an_old_password_again_and_again_does_not_keep_the_new_one_out() {
    let memory = Memory {
        user_failures: 2,
        user_repeats: 3,
        ..Memory::default()
    };
    let mut credentials = Credentials::new(memory);
    let mut refuse = |second| {
        let mut old = attempt("old", "alice", "1");
        let begun = credentials.begin(at(second), &mut old);
        if begun.is_ok() {
            credentials.refuse(at(second), &old);
        }
        begun.map_err(|throttle| throttle.excess)
    };
    for minute in 0..4 {
        assert_eq!(refuse(60 * minute), Ok(()), "row {minute}");
    }
    // Nor is the upstream asked about it without end.
    assert_eq!(refuse(240), Err(Excess::User));
    let mut new = attempt("new", "alice", "2");
    assert_eq!(credentials.begin(at(241), &mut new), Ok(()));
}

#[test]
fn the_oldest_is_forgotten_at_the_limit() {
    let memory = Memory {
        credentials: 2,
        ..Memory::default()
    };
    let mut credentials = Credentials::new(memory);
    let users = ["a", "b", "c"].map(|user| attempt("x", user, "1"));
    for user in &users {
        credentials.accept(at(0), user, offer(), Duration::MAX);
    }
    let known = users.map(|user| {
        matches!(
            credentials.standing(at(0), user.credential),
            Standing::Accepted(_)
        )
    });
    assert_eq!(known, [false, true, true]);
    // Learning the same one again and again does not make the queue grow.
    for _ in 0..100 {
        credentials.accept(at(0), &attempt("x", "c", "1"), offer(), Duration::MAX);
    }
    assert!(credentials.order.len() <= 4, "{}", credentials.order.len());
    assert!(credentials.known.len() <= 2);
}

/// Sends a wrong password; whether the upstream was asked.
fn guess(credentials: &mut Credentials, second: u64, mut attempt: Attempt) -> bool {
    let begun = credentials.begin(at(second), &mut attempt).is_ok();
    if begun {
        credentials.refuse(at(second), &attempt);
    }
    begun
}

/// How many different wrong passwords the upstream is asked about within a window.
fn guesses(credentials: &mut Credentials, second: u64, of: &Attempt) -> usize {
    let asked = (0..1000).filter(|number| {
        let credential = attempt(&format!("{second} {number}"), "any", "1").credential;
        guess(credentials, second, Attempt { credential, ..*of })
    });
    asked.count()
}

/// Ten wrong passwords from anywhere kept the user's own phones out.
#[test]
fn whoever_has_proved_itself_is_asked_about_whatever_others_guess() {
    let mut credentials = Credentials::new(Memory::default());
    let mut phone = attempt("right", "alice", "1");
    credentials.begin(at(0), &mut phone).unwrap();
    credentials.accept(at(0), &phone, offer(), Duration::MAX);
    let elsewhere = attempt("", "alice", "2");
    assert_eq!(guesses(&mut credentials, 1, &elsewhere), 10);
    // The password that was accepted, from anywhere, when it has to be asked about again.
    for (second, address) in [(601, "1"), (602, "3")] {
        assert_eq!(guesses(&mut credentials, second, &elsewhere) % 10, 0);
        let mut again = attempt("right", "alice", address);
        assert_eq!(credentials.begin(at(second), &mut again), Ok(()));
        credentials.release(&again);
    }
    // A new one, from where the user has signed in, and from a device that has.
    let mut new = attempt("new", "alice", "1");
    assert_eq!(credentials.begin(at(602), &mut new), Ok(()));
    credentials.release(&new);
    let mut new = attempt("new", "alice", "3");
    assert!(credentials.begin(at(602), &mut new).is_err());
    new.device = Some(Key([1; 16]));
    assert_eq!(credentials.begin(at(602), &mut new), Ok(()));
    credentials.release(&new);
    // And a success has opened nothing for others.
    credentials.accept(at(602), &new, offer(), Duration::MAX);
    assert_eq!(guesses(&mut credentials, 603, &elsewhere), 0);
}

#[test]
fn a_hundred_wrong_passwords_from_an_address_keep_out_nobody_known_behind_it() {
    let mut credentials = Credentials::new(Memory::default());
    let mut phone = attempt("right", "alice", "1");
    credentials.begin(at(0), &mut phone).unwrap();
    credentials.accept(at(0), &phone, offer(), Duration::MAX);
    let asked = (0..300).filter(|number| {
        let user = format!("user {number}");
        guess(&mut credentials, 500, attempt("wrong", &user, "1"))
    });
    assert_eq!(asked.count(), 100);
    assert_eq!(credentials.begin(at(601), &mut phone), Ok(()));
    let mut new = attempt("new", "alice", "1");
    assert!(credentials.begin(at(601), &mut new).is_err());
    new.device = Some(Key([1; 16]));
    assert_eq!(credentials.begin(at(601), &mut new), Ok(()));
}

/// What has proved itself may be used for guessing, too: each has the bound that everybody has.
#[test]
fn guessing_stays_bounded_from_wherever_it_comes() {
    let mut credentials = Credentials::new(Memory::default());
    let mut phone = attempt("right", "alice", "1");
    credentials.begin(at(0), &mut phone).unwrap();
    credentials.accept(at(0), &phone, offer(), Duration::MAX);
    let here = attempt("", "alice", "1");
    let elsewhere = attempt("", "alice", "2");
    let device = Attempt {
        device: Some(Key([1; 16])),
        ..elsewhere
    };
    for (second, of) in [(1, here), (3, elsewhere), (5, device)] {
        assert_eq!(guesses(&mut credentials, second, &of), 10, "row {second}");
        assert_eq!(
            guesses(&mut credentials, second + 1, &of),
            0,
            "row {second}"
        );
    }
    // A password that is not right any more proves nothing, after it was asked about once.
    assert!(guess(&mut credentials, 7, phone));
    assert!(!guess(&mut credentials, 7, attempt("other", "alice", "1")));
    let asked = (0..600).filter(|second| guess(&mut credentials, 7 + second, phone));
    assert!(asked.count() <= 30);
}

/// As many as before are asked about at once, so that a restart is no flood for the upstream.
#[test]
fn those_who_have_proved_themselves_queue_by_address_apart_from_others() {
    let mut credentials = Credentials::new(Memory::default());
    let mut begin = |number: u8, device: Option<Key>| {
        let mut attempt = attempt("right", &format!("user {number}"), "1");
        attempt.device = device;
        let begun = credentials.begin(at(0), &mut attempt);
        begun.map_err(|throttle| throttle.excess)
    };
    for number in 0..100 {
        assert_eq!(begin(number, None), Ok(()), "row {number}");
        let device = Some(Key([number; 16]));
        assert_eq!(begin(number, device), Ok(()), "row {number}");
    }
    assert_eq!(begin(100, None), Err(Excess::AtOnce));
    assert_eq!(begin(100, Some(Key([100; 16]))), Err(Excess::AtOnce));
}
