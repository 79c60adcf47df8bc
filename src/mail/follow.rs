//! What the shell does about the roll: judge it again, send its mails, save it with what is saved beside
//! it, show it.

use crate::model::EasDeviceId;
use crate::model::Now;
use crate::model::Timestamp;

use super::gateway::Gateway;
use super::roll::Post;
use super::roll::PostCounts;
use super::roll::Posted;
use super::roll::Standing;
use super::words::Quarantine;

impl Gateway {
    /// Judges the devices on the roll again if anything has changed, so that their users are told
    /// without a request of theirs. To be called every few seconds, off the request path. Gives how
    /// many changed their phase.
    pub fn judge_roll(&self, now: Now) -> usize {
        let words = self.words.load();
        self.roll
            .judge_all(now.wall, self.live.point(), &words.care)
    }

    /// The next mail to a user that may be sent now; its fate is to be told by
    /// [`Gateway::handle_posted`].
    pub fn poll_post(&self, now: Now) -> Option<Post> {
        let words = self.words.load();
        self.roll.next_post(now.wall, &words.care)
    }

    /// No mail before then: what it would tell may mend itself by then.
    pub fn hold_post(&self, until: Timestamp) {
        self.roll.hold_post(until);
    }

    /// What has become of a mail.
    pub fn handle_posted(&self, now: Now, post: &Post, posted: &Posted) {
        self.roll.posted(now.wall, post, posted);
    }

    /// How mails are getting on.
    #[must_use]
    pub fn post_counts(&self) -> PostCounts {
        self.roll.post_counts()
    }

    /// Every user's device with this DeviceId that is on the roll.
    #[must_use]
    pub fn standings(&self, device: EasDeviceId) -> Vec<Standing> {
        self.roll.standings(device)
    }

    /// Until when a user's device is let in although its verdict is none that lets in.
    #[must_use]
    pub fn lets_in_until(
        &self,
        user: &str,
        device: EasDeviceId,
        now: Timestamp,
    ) -> Option<Timestamp> {
        self.roll.waits_until(self.roll.key(user, device), now)
    }

    /// Whether a device in quarantine is given a made-up mailbox, and not 403.
    #[must_use]
    pub fn gives_mailbox(&self) -> bool {
        self.words.load().quarantine == Quarantine::Mailbox
    }

    /// How many requests of devices found no place on the roll, and how many devices made place for
    /// another of their user.
    #[must_use]
    pub fn roll_crowding(&self) -> (u64, u64) {
        self.roll.crowding()
    }

    /// How many devices on the roll are let in, waiting and held; and how many found no place on it.
    #[must_use]
    pub fn roll_counts(&self) -> ([usize; 3], u64) {
        self.roll.counts()
    }

    /// Counts what has to be saved.
    #[must_use]
    pub fn changes(&self) -> u64 {
        self.roll.changes().wrapping_add(self.router.changes())
    }

    /// Lines that are to be written before the client is answered whose request was handled last: what
    /// it relies on after a start that comes without a [`Gateway::save`]. To be asked for after each
    /// call that handles something; mostly there are none.
    #[must_use]
    pub fn poll_notes(&self) -> Option<Vec<u8>> {
        self.roll.poll_notes()
    }

    /// What the next start is to know, as octets: the roll, and where users are sent by their upstreams.
    /// It names people, and holds the secret that links are signed with.
    #[must_use]
    pub fn save(&self, now: Now) -> Vec<u8> {
        let mut octets = self.roll.save();
        octets.append(&mut self.router.save(now));
        octets
    }
}
