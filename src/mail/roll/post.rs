//! Mails to users: which is to be sent next, and how many may be.

use std::collections::HashMap;
use std::time::Duration;

use serde::Deserialize;
use serde::Serialize;

use crate::message::Kind;
use crate::message::Language;
use crate::model::EasDeviceId;
use crate::model::Reason;
use crate::model::Timestamp;

use super::Care;
use super::Entry;
use super::Key;
use super::Mail;
use super::MailState;
use super::Phase;
use super::Roll;

/// A mail that is to be sent now.
#[derive(Clone, Debug)]
pub struct Post {
    pub(in crate::mail) key: Key,
    /// What it is to say.
    pub kind: Kind,
    /// To whom.
    pub user: String,
    /// About which device.
    pub device: EasDeviceId,
    /// Its DeviceId as the device spells it.
    pub spelled: String,
    /// What kind of device.
    pub device_type: String,
    /// Why.
    pub reason: Reason,
    /// When access ends, if it has not ended yet.
    pub until: Option<Timestamp>,
    pub(in crate::mail) name: Option<Box<str>>,
    pub(in crate::mail) model: Option<Box<str>>,
    pub(in crate::mail) os: Option<Box<str>>,
    pub(in crate::mail) languages: Vec<Language>,
}

/// What has become of a [`Post`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Posted {
    /// The mail server has taken it.
    Sent,
    /// It has not, and may later.
    Later(String),
    /// It has not, and will not.
    Refused(String),
}

/// How mails are getting on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PostCounts {
    /// Taken by the mail server.
    pub sent: u64,
    /// Tries that failed and come again.
    pub again: u64,
    /// Given up.
    pub failed: u64,
    /// Not sent because their user has had enough of them today.
    pub too_many: u64,
    /// Waiting to be sent.
    pub waiting: usize,
}

/// How many mails have left.
#[derive(Debug, Default)]
pub(super) struct Throttle {
    /// The minute, since 1970, and the mails of it.
    minute: (i64, u32),
    pub(super) today: Today,
    tidied: Option<Timestamp>,
    counts: PostCounts,
}

/// The mails of a day by user, as they are written down, too.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Today {
    /// Since 1970.
    day: i64,
    users: HashMap<Box<str>, u32>,
}

impl Today {
    /// How many a user has had on the day of this time.
    fn of(&mut self, at: Timestamp, user: &str) -> &mut u32 {
        let day = day(at);
        if self.day != day {
            *self = Self {
                day,
                users: HashMap::new(),
            };
        }
        self.users.entry(user.into()).or_default()
    }

    /// One was sent, and before a restart perhaps: what is told of a day before the one that is counted
    /// comes late.
    pub(super) fn add(&mut self, at: Timestamp, user: &str) {
        if day(at) >= self.day {
            let sent = self.of(at, user);
            *sent = sent.saturating_add(1);
        }
    }
}

/// Since 1970.
const fn day(at: Timestamp) -> i64 {
    at.unix_seconds().div_euclid(24 * 3600)
}

impl Throttle {
    pub(super) fn may_tidy(&mut self, now: Timestamp) -> bool {
        let is_due = self
            .tidied
            .is_none_or(|at| now.since(at) >= Duration::from_mins(1));
        if is_due {
            self.tidied = Some(now);
        }
        is_due
    }

    fn has_room(&mut self, now: Timestamp, care: &Care) -> bool {
        let minute = now.unix_seconds().div_euclid(60);
        if self.minute.0 != minute {
            self.minute = (minute, 0);
        }
        self.minute.1 < care.per_minute
    }

    /// Whether this user may have one more today. It is handed out then, and counts for the user once it
    /// is sent: one that a restart overtakes is handed out again.
    fn takes_one(&mut self, now: Timestamp, user: &str, care: &Care) -> bool {
        let takes = *self.today.of(now, user) < care.per_user;
        if takes {
            self.minute.1 = self.minute.1.saturating_add(1);
        }
        takes
    }
}

impl Roll {
    /// No mail leaves before then.
    pub(in crate::mail) fn hold_post(&self, until: Timestamp) {
        self.lock().held_until = Some(until);
    }

    /// The next mail, if there is one that may be sent now. Its fate is to be told by
    /// [`Roll::posted`].
    pub(in crate::mail) fn next_post(&self, now: Timestamp, care: &Care) -> Option<Post> {
        let mut table = self.lock();
        let table = &mut *table;
        let is_held = table.held_until.is_some_and(|until| now < until);
        if !care.notify || is_held || !table.throttle.has_room(now, care) {
            return None;
        }
        for _ in 0..table.queue.len() {
            let (at, key) = table.queue.pop_front()?;
            let Some(entry) = table.entries.get_mut(&key) else {
                continue;
            };
            let Some(mail) = entry.mail.as_mut() else {
                continue;
            };
            // Of one that was written anew since, this is the earlier place.
            let MailState::Pending(due, _) = mail.state else {
                continue;
            };
            if due != at {
                continue;
            }
            if due > now {
                table.queue.push_back((at, key));
                continue;
            }
            if !table.throttle.takes_one(now, &entry.user, care) {
                let why = format!("the user has had {} mails today", care.per_user);
                mail.state = MailState::Failed(now, why.into());
                table.throttle.counts.too_many += 1;
                self.changed();
                continue;
            }
            return Some(Post::of(key, entry, mail_kind(entry)));
        }
        None
    }

    /// What has become of a mail.
    pub(in crate::mail) fn posted(&self, now: Timestamp, post: &Post, posted: &Posted) {
        let mut table = self.lock();
        let table = &mut *table;
        let counts = &mut table.throttle.counts;
        match posted {
            Posted::Sent => counts.sent += 1,
            Posted::Later(_) => counts.again += 1,
            Posted::Refused(_) => counts.failed += 1,
        }
        if *posted == Posted::Sent {
            table.throttle.today.add(now, &post.user);
        }
        self.note(table, post.key);
        let counts = &mut table.throttle.counts;
        let Some(mail) = table
            .entries
            .get_mut(&post.key)
            .and_then(|entry| entry.mail.as_mut())
            .filter(|mail| mail.kind == post.kind)
        else {
            return;
        };
        let MailState::Pending(_, tries) = mail.state else {
            return;
        };
        mail.state = match posted {
            Posted::Sent => MailState::Sent(now),
            Posted::Refused(why) => MailState::Failed(now, short(why)),
            Posted::Later(why) if tries >= MAX_TRIES => {
                counts.failed += 1;
                MailState::Failed(now, short(why))
            }
            Posted::Later(_) => {
                let pause = FIRST_PAUSE.saturating_mul(1 << tries.min(6));
                let at = now + pause.min(LONGEST_PAUSE);
                table.queue.push_back((at, post.key));
                MailState::Pending(at, tries + 1)
            }
        };
    }

    /// How mails are getting on.
    pub(in crate::mail) fn post_counts(&self) -> PostCounts {
        let table = self.lock();
        PostCounts {
            waiting: table.queue.len(),
            ..table.throttle.counts
        }
    }
}

impl Post {
    fn of(key: Key, entry: &Entry, kind: Kind) -> Self {
        let itself = &entry.itself;
        let languages = itself.language.iter().chain(&entry.wanted);
        Self {
            key,
            kind,
            user: entry.user.to_string(),
            device: entry.device,
            spelled: entry.spelled.to_string(),
            device_type: entry.device_type.to_string(),
            reason: entry.reason,
            until: match entry.phase {
                Phase::Waiting(until) => Some(until),
                Phase::Allowed | Phase::Held => None,
            },
            name: itself.name.clone(),
            model: itself.model.clone(),
            os: itself.os.clone(),
            languages: languages.cloned().collect(),
        }
    }
}

fn mail_kind(entry: &Entry) -> Kind {
    let mail: Option<&Mail> = entry.mail.as_ref();
    mail.map_or(Kind::Held, |mail| mail.kind)
}

/// What a mail server says, as much of it as people read.
fn short(why: &str) -> Box<str> {
    let kept = why.chars().filter(|c| !c.is_control());
    kept.take(200).collect::<String>().into()
}

/// After as many tries that failed, over eight hours or so, a mail is given up.
const MAX_TRIES: u32 = 12;
const FIRST_PAUSE: Duration = Duration::from_mins(1);
const LONGEST_PAUSE: Duration = Duration::from_hours(1);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_late_of_a_day_before_is_not_counted_and_makes_nothing_forgotten() {
        let [today, yesterday] = [86_400 * 9 + 5, 86_400 * 9 - 5].map(Timestamp::from_unix_seconds);
        let mut mails = Today::default();
        for at in [yesterday, today, yesterday, today] {
            mails.add(at, "alice");
        }
        assert_eq!(*mails.of(today, "alice"), 2);
        // A clock that was wrong is put right.
        assert_eq!(*mails.of(yesterday, "alice"), 0);
    }
}
