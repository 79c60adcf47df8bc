//! Who is in and is heard of no more is forgotten, and nobody else.

use std::time::Duration;

use portreeve::access::Silence;
use portreeve::model::ComplianceState;
use portreeve::radius::AttributeType;

use crate::disconnects::Door;
use crate::lab::GOOD_MAC;
use crate::lab::UNMANAGED_MAC;

const START: u32 = 1;
const INTERIM: u32 = 3;

impl Door {
    /// How many are in after so many minutes more.
    fn left_after(&mut self, minutes: u64) -> usize {
        self.lab.passes(Duration::from_mins(minutes));
        let admissions = &self.lab.shared.admissions;
        admissions.expire(self.lab.now.wall, &Silence::default());
        admissions.len()
    }
}

#[test]
fn a_session_whose_updates_stop_is_followed_no_more_rfc2869_2_1() {
    let mut door = Door::new();
    let class = door.enter(GOOD_MAC, "s-1");
    door.account(START, "s-1", &class);
    for _ in 0..2 {
        assert_eq!(door.left_after(10), 1);
        door.account(INTERIM, "s-1", &class);
    }
    assert_eq!(door.left_after(40), 1, "the last one may be late");
    assert_eq!(door.left_after(1), 0);
    door.judged(ComplianceState::NonCompliant);
    assert!(door.sent().is_empty());
}

/// Updates for other reasons than a timer are no rhythm: who was forgotten while in could not be put
/// out.
#[test]
fn a_session_without_a_rhythm_is_followed_for_a_day() {
    let mut door = Door::new();
    let class = door.enter(GOOD_MAC, "s-1");
    door.account(START, "s-1", &class);
    for minutes in [0, 1, 20] {
        assert_eq!(door.left_after(minutes), 1);
        door.account(INTERIM, "s-1", &class);
    }
    assert_eq!(door.left_after(24 * 60 - 1), 1);
    door.judged(ComplianceState::NonCompliant);
    assert_eq!(door.sent().len(), 1, "it is put out as ever");
    assert_eq!(door.left_after(1), 0);
}

#[test]
fn a_session_ends_an_hour_after_its_session_timeout_rfc2865_5_27() {
    let mut door = Door::new();
    let (class, minutes) = door.enter_for_a_while("s-1");
    assert_eq!(door.left_after(minutes + 59), 1);
    assert_eq!(door.left_after(1), 0);
    // One whose NAS reports it after its time does not heed it.
    let (again, minutes) = door.enter_for_a_while("s-2");
    assert_ne!(again, class);
    assert_eq!(door.left_after(minutes + 1), 1);
    door.account(INTERIM, "s-2", &again);
    assert_eq!(door.left_after(minutes + 120), 1);
}

impl Door {
    /// Lets a device in that gets a Session-Timeout; its Class, and the timeout in whole minutes.
    fn enter_for_a_while(&mut self, session: &str) -> (Vec<u8>, u64) {
        let request = self.nas.access(|request| {
            request
                .octets(AttributeType::USER_NAME, UNMANAGED_MAC.as_bytes())
                .octets(AttributeType::CALLING_STATION_ID, UNMANAGED_MAC.as_bytes())
                .octets(AttributeType::ACCT_SESSION_ID, session.as_bytes());
        });
        let reply = self.lab.ask(&self.nas, &request).unwrap();
        let seconds = reply.integer(AttributeType::SESSION_TIMEOUT).unwrap();
        assert_eq!(seconds % 60, 0, "{seconds}");
        let class = reply.find(AttributeType::CLASS).unwrap();
        (class, u64::from(seconds / 60))
    }
}
