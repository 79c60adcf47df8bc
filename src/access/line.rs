//! Mail clients that were let in and have not been served yet, in a line for each user.
//!
//! A policy may go by how many devices a user has. A client counts among them from its first success
//! on, which comes after its decision: of several that come at once each would be the next one, and be
//! let in. So one that is let in stands in line until it counts, and whoever comes behind it is judged as
//! if it did.
//!
//! A place is held by each request that was let in, and is free when the last of them is over without
//! success. By a success it stays until the inventory has taken that in, and no longer: a record that is
//! forgotten after that makes room. An answer of which it cannot be told whether it was one keeps the place for a
//! day. It goes before that if an administrator has its record forgotten, if too many stay so and it was
//! answered longest ago, and with a restart.
//!
//! Whoever asks the line first and then the inventory ([`Reader::client_behind`]) counts nobody twice, and
//! leaves nobody out.
//!
//! Places are taken where such a policy is in force, by clients that are let in and do not count yet, and
//! looked at by decisions on those that do not count yet; others do not come here.
//!
//! [`Reader::client_behind`]: crate::inventory::Reader::client_behind

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;
use std::time::Duration;

use dashmap::DashMap;
use dashmap::Entry;

use crate::model::EasDeviceId;
use crate::model::Timestamp;

/// The lines of all users, by [`Reader::client_user`](crate::inventory::Reader::client_user).
///
/// One shard is locked for a few lines; nothing that locks is called while a guard is held.
#[derive(Default)]
pub(super) struct Line {
    users: DashMap<u128, Vec<Waiting>>,
    count: AtomicUsize,
}

/// A client in line.
struct Waiting {
    eas: EasDeviceId,
    /// Requests under way that hold its place.
    holders: usize,
    /// When one of them had success, and for how long that keeps the place.
    served: Option<(Timestamp, Duration)>,
}

impl Waiting {
    fn stands(&self, now: Timestamp) -> bool {
        // Either way: another thread may have read the clock before, and it may have been set back.
        let is_recent = |(at, lasts): (Timestamp, _)| now.since(at).max(at.since(now)) < lasts;
        self.holders > 0 || self.served.is_some_and(is_recent)
    }

    /// When it was answered, if that is all that keeps its place.
    fn answered_at(&self) -> Option<Timestamp> {
        let (at, lasts) = self.served.filter(|_| self.holders == 0)?;
        (lasts == UNTOLD).then_some(at)
    }
}

/// Where a client stands that is let in.
pub(super) enum Stand {
    /// In no line: it needs no place, or is judged behind all of one that is as long as can be.
    Outside,
    /// In its place.
    InLine(Arc<InLine>),
    /// Nowhere, because there is no room for another one in any line.
    NoRoom,
}

impl Stand {
    pub(super) const fn place(&self) -> Option<&Arc<InLine>> {
        match self {
            Self::InLine(place) => Some(place),
            Self::Outside | Self::NoRoom => None,
        }
    }
}

impl Line {
    /// A place for a client at the end of the line, or the one that it has.
    pub(super) fn take(self: &Arc<Self>, now: Timestamp, user: u128, eas: EasDeviceId) -> Stand {
        let mut entry = match self.users.entry(user) {
            Entry::Occupied(entry) => entry,
            Entry::Vacant(_) if self.len() >= MAX_PLACES => return Stand::NoRoom,
            Entry::Vacant(vacant) => vacant.insert_entry(Vec::new()),
        };
        let waiting = entry.get_mut();
        self.tidy(waiting, now);
        if let Some(one) = waiting.iter_mut().find(|one| one.eas == eas) {
            one.holders += 1;
        } else if waiting.len() >= MAX_OF_USER {
            return Stand::Outside;
        } else if self.len() >= MAX_PLACES {
            return Stand::NoRoom;
        } else {
            waiting.push(Waiting {
                eas,
                holders: 1,
                served: None,
            });
            self.count.fetch_add(1, Ordering::Relaxed);
        }
        drop(entry);
        let line = Arc::clone(self);
        Stand::InLine(Arc::new(InLine { line, user, eas }))
    }

    /// Who stands before a client: of one that is not in line, everybody.
    pub(super) fn ahead(&self, now: Timestamp, user: u128, eas: EasDeviceId) -> Vec<EasDeviceId> {
        let waiting = self.users.get(&user);
        let waiting = waiting.iter().flat_map(|waiting| waiting.iter());
        let ahead = waiting.take_while(|one| one.eas != eas);
        let ahead = ahead.filter(|one| one.stands(now));
        ahead.map(|one| one.eas).collect()
    }

    /// The place that a client has, to be held once more.
    pub(super) fn find(self: &Arc<Self>, user: u128, eas: EasDeviceId) -> Option<InLine> {
        let mut waiting = self.users.get_mut(&user)?;
        let one = waiting.iter_mut().find(|one| one.eas == eas)?;
        one.holders += 1;
        drop(waiting);
        let line = Arc::clone(self);
        Some(InLine { line, user, eas })
    }

    /// Takes from a client that it was answered, however that was: from then on requests under way hold its
    /// place, and nothing else.
    pub(super) fn forget(&self, user: u128, eas: EasDeviceId) {
        self.change(user, eas, |one| one.served = None);
    }

    /// Whether nobody stands anywhere. So it is as a rule, unless a mail server answers in a form that
    /// cannot be read, compressed in spite of what it was asked for: then clients stand here day and night.
    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Lets go of those who were served some time ago, of those that count in the inventory, and of those
    /// whose record there was forgotten; `counts` must not lock to say which it is, and says nothing of
    /// one without a record. If more stand here after that because they were answered than may, those go
    /// that were answered first. To be called about once a second, and when clients have begun to count.
    pub(super) fn tidy_all(
        &self,
        now: Timestamp,
        counts: impl Fn(u128, &EasDeviceId) -> Option<bool>,
    ) {
        if self.is_empty() {
            return;
        }
        self.users.retain(|user, waiting| {
            for one in waiting.iter_mut() {
                let Some((at, _)) = one.served else {
                    continue;
                };
                // A record is made within a moment.
                let is_forgotten = || now.since(at).max(at.since(now)) >= TAKEN_IN;
                if counts(*user, &one.eas).unwrap_or_else(is_forgotten) {
                    one.served = None;
                }
            }
            self.tidy(waiting, now);
            !waiting.is_empty()
        });
        if self.len() > MAX_ANSWERED {
            self.make_room();
        }
    }

    /// Lets as many of those go that were answered first that [`MAX_ANSWERED`] of them are left.
    #[cold]
    fn make_room(&self) {
        let mut answered = Vec::with_capacity(self.len());
        for waiting in &self.users {
            answered.extend(waiting.iter().filter_map(Waiting::answered_at));
        }
        let mut excess = answered.len().saturating_sub(MAX_ANSWERED);
        let Some(last) = excess.checked_sub(1) else {
            return;
        };
        let (_, last, _) = answered.select_nth_unstable(last);
        let last = *last;
        self.users.retain(|_, waiting| {
            waiting.retain(|one| {
                let goes = excess > 0 && one.answered_at().is_some_and(|at| at <= last);
                if goes {
                    excess -= 1;
                    self.count.fetch_sub(1, Ordering::Relaxed);
                }
                !goes
            });
            !waiting.is_empty()
        });
    }

    fn tidy(&self, waiting: &mut Vec<Waiting>, now: Timestamp) {
        let before = waiting.len();
        waiting.retain(|one| one.stands(now));
        let gone = before - waiting.len();
        self.count.fetch_sub(gone, Ordering::Relaxed);
    }

    fn len(&self) -> usize {
        self.count.load(Ordering::Relaxed)
    }

    /// Does something to a client in line, and lets it go if nothing holds its place any more.
    fn change(&self, user: u128, eas: EasDeviceId, change: impl FnOnce(&mut Waiting)) {
        let Entry::Occupied(mut entry) = self.users.entry(user) else {
            return;
        };
        let waiting = entry.get_mut();
        let Some(place) = waiting.iter().position(|one| one.eas == eas) else {
            return;
        };
        if let Some(one) = waiting.get_mut(place) {
            change(one);
            if one.holders == 0 && one.served.is_none() {
                waiting.remove(place);
                self.count.fetch_sub(1, Ordering::Relaxed);
            }
        }
        if waiting.is_empty() {
            entry.remove();
        }
    }
}

/// A place in line, held by one request: when the last that holds it is dropped, it is free.
pub struct InLine {
    line: Arc<Line>,
    user: u128,
    eas: EasDeviceId,
}

impl InLine {
    /// It was served: it keeps its place until the inventory has taken that in.
    pub fn served(self, now: Timestamp) {
        self.stays(now, TAKEN_IN);
    }

    /// It was answered, and nobody can tell whether that was a success. The inventory learns nothing of it,
    /// so its place is all that counts it.
    pub fn answered(self, now: Timestamp) {
        self.stays(now, UNTOLD);
    }

    fn stays(&self, now: Timestamp, lasts: Duration) {
        self.line.change(self.user, self.eas, |one| {
            let longest = one.served.map_or(lasts, |(_, before)| before.max(lasts));
            one.served = Some((now, longest));
        });
    }
}

impl Drop for InLine {
    fn drop(&mut self) {
        self.line.change(self.user, self.eas, |one| {
            one.holders = one.holders.saturating_sub(1);
        });
    }
}

/// Without the client: it names people.
impl fmt::Debug for InLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InLine").finish_non_exhaustive()
    }
}

/// For how long one that was served keeps its place. The inventory is told within a quarter of a second,
/// unless it is busy with a long list; one that it was never told of comes again, and is told then.
const TAKEN_IN: Duration = Duration::from_mins(1);

/// For how long one keeps its place whose success nobody has seen: it may have read mail, and comes again
/// within a day if it is in use.
const UNTOLD: Duration = Duration::from_hours(24);

/// Places of one user: of as many clients there is a record, so that no policy can go by more. Another
/// one is judged behind all of them.
const MAX_OF_USER: usize = 100;

/// Places that are kept for nothing but an answer, half of all: the others are for requests under way. A
/// mail server whose answers cannot be read makes every client stand here that it serves, and keeps it from
/// ever counting in the inventory. Of more such clients than this, those which came last count, and nobody
/// is kept out for the others.
const MAX_ANSWERED: usize = MAX_PLACES / 2;

/// Places in all, some 60 octets each; for every one the inventory is asked each second and with each batch.
/// When they are taken, whoever needs one is asked to come again: anybody who was let in without would be
/// a hole in the rule, and anybody who counts needs none. Requests under way fill the other half only where
/// some 30,000 of them are of clients that do not count yet.
const MAX_PLACES: usize = 65_536;

#[cfg(test)]
mod tests;
