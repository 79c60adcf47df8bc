//! One user's device on the roll, and how it gets from one state to the next (R33).
//!
//! ```text
//!              not allowed, may wait              the wait is over, or may not wait any more
//!   Allowed ---------------------------> Waiting ------------------------------------------+
//!      ^  \                                 |                                              v
//!      |   \------ not allowed, may not wait ------------------------------------------> Held
//!      +------------------------------ allowed -------------------------------------------+
//! ```
//!
//! Each arrow but the way back writes one mail to the user, before anything else happens. Whether the
//! mail gets through changes nothing: a wait begins with the change and not with the mail.

use std::time::Duration;

use crate::access::OwnedSubject;
use crate::eas::quarantine::Given;
use crate::message::Kind;
use crate::message::Language;
use crate::model::EasDeviceId;
use crate::model::Reason;
use crate::model::Timestamp;
use crate::model::Verdict;

use super::holds::Holds;

/// How a site treats users whose devices are not let in any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Care {
    /// How long a device that was let in goes on being let in after a change; zero ends it at once.
    pub wait: Duration,
    /// The reasons that may wait at all.
    pub reasons: Vec<Reason>,
    /// Whether users are told by mail.
    pub notify: bool,
    /// Whether they are told when access is back, too.
    pub restored: bool,
    /// Mails within a minute, all users together.
    pub per_minute: u32,
    /// Mails to one user within a day.
    pub per_user: u32,
}

impl Default for Care {
    fn default() -> Self {
        Self {
            wait: Duration::ZERO,
            reasons: Self::MAY_WAIT.to_vec(),
            notify: false,
            restored: false,
            per_minute: 60,
            per_user: 5,
        }
    }
}

impl Care {
    /// The reasons that may wait unless a site says otherwise: what a user mends in a day's work.
    /// Not those that say that the device is gone, another's, attacked, or unknown.
    pub const MAY_WAIT: [Reason; 5] = [
        Reason::DeviceNotCompliant,
        Reason::DeviceNotRegistered,
        Reason::ComplianceNotEvaluated,
        Reason::ComplianceForAnotherUser,
        Reason::EasNotActivated,
    ];

    /// Reasons that no site lets wait: access ends at once (R40). The second half are those that a rule
    /// of the administrator sets, who wants them to hold now; not among them are the versions of
    /// systems and protocols that a rule demands ([`Reason::OsVersionNotAllowed`],
    /// [`Reason::ProtocolNotAllowed`]), because an update mends them, which takes its time.
    pub const NEVER_WAIT: [Reason; 13] = [
        Reason::DeviceRetired,
        Reason::UserUnknown,
        Reason::DeviceUnknown,
        Reason::DeviceAmbiguous,
        Reason::DeviceOfAnotherUser,
        Reason::CertificateRevoked,
        Reason::BlockedByPolicy,
        Reason::ApplicationNotApproved,
        Reason::PlatformNotAllowed,
        Reason::CommandNotAllowed,
        Reason::AttachmentNotAllowed,
        Reason::TooManyDevices,
        Reason::DeviceInactive,
    ];

    /// Whether devices that are let in are followed.
    pub(super) fn is_on(&self) -> bool {
        self.notify || !self.wait.is_zero()
    }

    fn may_wait(&self, reason: Reason) -> bool {
        !self.wait.is_zero()
            && self.reasons.contains(&reason)
            && !Self::NEVER_WAIT.contains(&reason)
    }
}

/// Where a device is between being let in and being kept out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Let in.
    Allowed,
    /// Let in until then.
    Waiting(Timestamp),
    /// In quarantine or blocked.
    Held,
}

/// A mail to the user about a device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mail {
    /// What it says.
    pub kind: Kind,
    /// What has become of it.
    pub state: MailState,
    /// It was written while the device was away; it is written once more when the device comes.
    pub while_away: bool,
}

/// What has become of a mail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MailState {
    /// To be sent, not before then, after so many tries that failed.
    Pending(Timestamp, u32),
    /// The mail server has taken it.
    Sent(Timestamp),
    /// It is not tried any more.
    Failed(Timestamp, Box<str>),
}

/// What a device has told of itself (`DeviceInformation`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::mail) struct Itself {
    pub(in crate::mail) name: Option<Box<str>>,
    pub(in crate::mail) model: Option<Box<str>>,
    pub(in crate::mail) os: Option<Box<str>>,
    pub(in crate::mail) language: Option<Language>,
}

/// One user's device.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) user: Box<str>,
    pub(super) device: EasDeviceId,
    /// The same as the device spells it.
    pub(super) spelled: Box<str>,
    pub(super) device_type: Box<str>,
    pub(super) holds: Holds,
    /// It has shown in quarantine that it has real folders, where no message comes.
    pub(super) real: bool,
    /// The revision of the message that it was given last.
    pub(super) delivered: Option<u32>,
    pub(super) itself: Itself,
    /// What its requests ask for.
    pub(super) wanted: Option<Language>,
    pub(super) phase: Phase,
    pub(super) verdict: Verdict,
    pub(super) reason: Reason,
    /// When the phase began.
    pub(super) since: Timestamp,
    /// When its last request came.
    pub(super) seen: Timestamp,
    /// To judge it without a request; not kept over a restart.
    pub(super) subject: Option<OwnedSubject>,
    pub(super) mail: Option<Mail>,
}

/// What a judgement is made of.
#[derive(Clone, Copy, Debug)]
pub(super) struct Judgement {
    pub(super) now: Timestamp,
    pub(super) verdict: Verdict,
    pub(super) reason: Reason,
    /// It comes with a request of the device.
    pub(super) is_contact: bool,
}

impl Entry {
    /// One that comes for the first time. It has no wait: nothing was let in yet. Its user is told by
    /// the message in its Inbox, or by mail as soon as it shows that it has an Inbox already.
    pub(super) fn new(
        user: &str,
        device: EasDeviceId,
        device_type: &str,
        judged: Judgement,
    ) -> Self {
        Self {
            user: user.into(),
            device,
            spelled: device.as_str().into(),
            device_type: device_type.into(),
            holds: Holds::default(),
            real: false,
            delivered: None,
            itself: Itself::default(),
            wanted: None,
            phase: match judged.verdict {
                Verdict::Allow => Phase::Allowed,
                Verdict::Quarantine | Verdict::Block => Phase::Held,
            },
            verdict: judged.verdict,
            reason: judged.reason,
            since: judged.now,
            seen: judged.now,
            subject: None,
            mail: None,
        }
    }

    /// It is new here only, and had its mail until now: its user is told that it is kept out.
    pub(super) fn miss(&mut self, judged: Judgement, care: &Care) {
        if self.phase == Phase::Held {
            self.write(Kind::Held, judged, care);
        }
    }

    /// It was answered in quarantine. Whether its user is to be told by mail, once: it has had its mail
    /// before, past this gateway or forgotten here.
    pub(super) fn show(&mut self, now: Timestamp, given: &Given<'_>, care: &Care) -> bool {
        if given.folders {
            self.real = false;
        } else if given.real {
            self.real = true;
        }
        let is_untold = self.mail.is_none() && !self.holds.folders;
        if !given.real || !is_untold || self.phase != Phase::Held {
            return false;
        }
        self.mail = care.notify.then_some(Mail {
            kind: Kind::Held,
            state: MailState::Pending(now, 0),
            while_away: false,
        });
        self.mail.is_some()
    }

    /// Whether anything would be lost with it.
    pub(super) fn is_plain(&self) -> bool {
        let told = matches!(
            self.mail,
            Some(Mail {
                state: MailState::Pending(..),
                ..
            })
        );
        self.phase == Phase::Allowed && self.holds.is_nothing() && !told
    }

    /// Takes a judgement in. Whether it was news: a phase has changed, or a mail was written.
    pub(super) fn judge(&mut self, judged: Judgement, care: &Care) -> bool {
        let Judgement {
            now,
            verdict,
            reason,
            is_contact,
        } = judged;
        self.verdict = verdict;
        self.reason = reason;
        let is_allowed = verdict == Verdict::Allow;
        let next = match self.phase {
            Phase::Allowed if is_allowed => Phase::Allowed,
            Phase::Allowed if care.may_wait(reason) => Phase::Waiting(now + care.wait),
            Phase::Waiting(_) | Phase::Held if is_allowed => Phase::Allowed,
            Phase::Waiting(until) if care.may_wait(reason) && now < until => Phase::Waiting(until),
            Phase::Allowed | Phase::Waiting(_) | Phase::Held => Phase::Held,
        };
        let mut is_news = next != self.phase;
        if is_news {
            self.phase = next;
            self.since = now;
            match next {
                Phase::Allowed => self.restore(judged, care),
                Phase::Waiting(_) => self.write(Kind::Waiting, judged, care),
                Phase::Held => self.write(Kind::Held, judged, care),
            }
        } else if is_contact {
            is_news = self.write_again(now);
        }
        if is_contact {
            self.seen = now;
        }
        is_news
    }

    fn write(&mut self, kind: Kind, judged: Judgement, care: &Care) {
        self.mail = care.notify.then_some(Mail {
            kind,
            state: MailState::Pending(judged.now, 0),
            while_away: !judged.is_contact,
        });
    }

    /// Who was never told that access ended is not told that it is back.
    fn restore(&mut self, judged: Judgement, care: &Care) {
        let was_told = matches!(
            self.mail,
            Some(Mail {
                state: MailState::Sent(_),
                ..
            })
        );
        self.mail = None;
        if was_told && care.restored {
            self.write(Kind::Restored, judged, care);
        }
    }

    /// A device that was away when its user was told is back: its user is told once more, unless
    /// that was a moment ago.
    fn write_again(&mut self, now: Timestamp) -> bool {
        let Some(mail) = self.mail.as_mut().filter(|mail| mail.while_away) else {
            return false;
        };
        let MailState::Sent(at) = mail.state else {
            return false;
        };
        mail.while_away = false;
        let is_old = now.since(at) >= AGAIN;
        if is_old {
            mail.state = MailState::Pending(now, 0);
        }
        is_old
    }
}

/// A mail of the last hour is still at the top of the Inbox.
const AGAIN: Duration = Duration::from_hours(1);

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 3600;

    fn care(wait: u64) -> Care {
        Care {
            wait: Duration::from_secs(wait),
            notify: true,
            restored: true,
            ..Care::default()
        }
    }

    fn judged(at: i64, reason: Reason, is_contact: bool) -> Judgement {
        Judgement {
            now: Timestamp::from_unix_seconds(at),
            verdict: if reason == Reason::RequirementsMet {
                Verdict::Allow
            } else if reason == Reason::DeviceRetired {
                Verdict::Block
            } else {
                Verdict::Quarantine
            },
            reason,
            is_contact,
        }
    }

    fn entry(reason: Reason) -> Entry {
        let device = "ApplX1".parse().unwrap();
        Entry::new("alice", device, "iPhone", judged(0, reason, true))
    }

    fn told(entry: &Entry) -> Option<(Kind, bool)> {
        let mail = entry.mail.as_ref()?;
        let pending = matches!(mail.state, MailState::Pending(..));
        Some((mail.kind, pending))
    }

    const GOOD: Reason = Reason::RequirementsMet;
    const BAD: Reason = Reason::DeviceNotCompliant;

    #[test]
    fn notify_then_wait_then_hold_then_let_in_r33() {
        let care = care(100);
        let mut entry = entry(GOOD);
        assert_eq!((entry.phase, told(&entry)), (Phase::Allowed, None));
        let until = Timestamp::from_unix_seconds(110);
        for (at, reason, phase, kind, news) in [
            (5, GOOD, Phase::Allowed, None, false),
            (10, BAD, Phase::Waiting(until), Some(Kind::Waiting), true),
            (60, BAD, Phase::Waiting(until), Some(Kind::Waiting), false),
            (109, BAD, Phase::Waiting(until), Some(Kind::Waiting), false),
            (110, BAD, Phase::Held, Some(Kind::Held), true),
            (500, BAD, Phase::Held, Some(Kind::Held), false),
        ] {
            let came = entry.judge(judged(at, reason, true), &care);
            assert_eq!((came, entry.phase), (news, phase), "row {at}");
            assert_eq!(told(&entry).map(|(kind, _)| kind), kind, "row {at}");
        }
        let sent = MailState::Sent(Timestamp::from_unix_seconds(111));
        entry.mail.as_mut().unwrap().state = sent;
        entry.judge(judged(600, GOOD, false), &care);
        assert_eq!(told(&entry), Some((Kind::Restored, true)));
    }

    #[test]
    fn nothing_waits_by_default_and_what_is_new_never_waits() {
        let none = care(0);
        let mut known = entry(GOOD);
        known.judge(judged(1, BAD, false), &none);
        assert_eq!(
            (known.phase, told(&known)),
            (Phase::Held, Some((Kind::Held, true)))
        );
        // It was never given mail, so nothing is taken away of which its user could be told by mail.
        let mut new = entry(BAD);
        assert_eq!((new.phase, told(&new)), (Phase::Held, None));
        new.judge(judged(1, BAD, true), &care(100));
        assert_eq!((new.phase, told(&new)), (Phase::Held, None));
        // Unless the mail server has answered it before.
        new.miss(judged(1, BAD, true), &none);
        assert_eq!(told(&new), Some((Kind::Held, true)));
        let mut good = entry(GOOD);
        good.miss(judged(1, GOOD, true), &none);
        assert_eq!(told(&good), None);
    }

    #[test]
    fn some_reasons_never_wait_whatever_is_configured_r40() {
        let mut care = care(100);
        care.reasons = Reason::ALL.to_vec();
        for reason in Care::NEVER_WAIT {
            assert!(!Care::MAY_WAIT.contains(&reason), "{reason}");
            let mut entry = entry(GOOD);
            entry.judge(judged(1, reason, true), &care);
            assert_eq!(entry.phase, Phase::Held, "{reason}");
            let mut waiting = self::entry(GOOD);
            waiting.judge(judged(1, BAD, true), &care);
            assert!(matches!(waiting.phase, Phase::Waiting(_)));
            waiting.judge(judged(2, reason, true), &care);
            assert_eq!(waiting.phase, Phase::Held, "{reason}");
        }
    }

    #[test]
    fn a_device_that_was_away_is_written_to_again_when_it_comes_r33() {
        let care = care(0);
        let mut entry = entry(GOOD);
        entry.judge(judged(10, BAD, false), &care);
        let sent = |entry: &mut Entry, at| {
            let state = MailState::Sent(Timestamp::from_unix_seconds(at));
            entry.mail.as_mut().unwrap().state = state;
        };
        sent(&mut entry, 11);
        assert!(
            !entry.judge(judged(2 * HOUR, BAD, false), &care),
            "still away"
        );
        assert!(entry.judge(judged(2 * HOUR, BAD, true), &care));
        assert_eq!(told(&entry), Some((Kind::Held, true)));
        sent(&mut entry, 2 * HOUR);
        assert!(!entry.judge(judged(9 * HOUR, BAD, true), &care), "once");
    }

    #[test]
    fn whoever_was_not_told_of_the_end_is_not_told_of_the_return() {
        let care = care(100);
        let mut entry = entry(GOOD);
        entry.judge(judged(10, BAD, true), &care);
        entry.judge(judged(11, GOOD, true), &care);
        assert_eq!((entry.phase, told(&entry)), (Phase::Allowed, None));
    }
}
