//! What of the roll is written at once, beside the snapshot: a device's phase, with the end of its wait;
//! what it holds of the made-up mailbox; and what was sent to its user. Each note is the line that a
//! snapshot would have, with its number; a snapshot has the number of the last note that it knows, so
//! that older ones mean nothing any more.
//!
//! Notes are taken when something changes, and handed out by [`Roll::poll_notes`] before the client that
//! brought the change is answered.

use super::Entry;
use super::HashMap;
use super::Key;
use super::MAX_ENTRIES;
use super::MailState;
use super::Ordering;
use super::Roll;
use super::Table;
use super::Timestamp;
use super::kept::Line;
use super::kept::Restored;

impl Roll {
    /// Has what is known of a device written at once.
    pub(super) fn note(&self, table: &mut Table, key: Key) {
        table.sequence = table.sequence.saturating_add(1);
        table.noted.insert(key);
        self.has_notes.store(true, Ordering::Release);
        self.changed();
    }

    /// The lines that are to be written now, if there are any.
    pub(in crate::mail) fn poll_notes(&self) -> Option<Vec<u8>> {
        if !self.has_notes.load(Ordering::Acquire) {
            return None;
        }
        let lines: Vec<Line> = {
            let mut table = self.lock();
            self.has_notes.store(false, Ordering::Relaxed);
            let noted = std::mem::take(&mut table.noted);
            let number = table.sequence;
            let entries = noted.iter().filter_map(|key| table.entries.get(key));
            entries
                .map(|entry| Line::of(entry).numbered(number))
                .collect()
        };
        let mut octets = Vec::new();
        for line in lines {
            if let Ok(line) = serde_json::to_vec(&line) {
                octets.extend_from_slice(&line);
                octets.push(b'\n');
            }
        }
        (!octets.is_empty()).then_some(octets)
    }
}

/// Puts what was written at once after note `last` in the place of what a snapshot says, and tells of each
/// mail that was sent since. Gives the number of the last note.
pub(super) fn restore(
    roll: &Roll,
    entries: &mut HashMap<Key, Entry>,
    (last, octets): (u64, &[u8]),
    mut sent: impl FnMut(Timestamp, &str),
    restored: &mut Restored,
) -> u64 {
    let mut notes: Vec<(u64, Entry)> = Vec::new();
    for line in octets.split(|octet| *octet == b'\n') {
        if line.is_empty() {
            continue;
        }
        let read: Option<Line> = serde_json::from_slice(line).ok();
        let number = read.as_ref().map(|line| line.number);
        if number.is_some_and(|number| number <= last) {
            continue;
        }
        match (number, read.and_then(Line::entry)) {
            (Some(number), Some(entry)) => notes.push((number, entry)),
            // The last line of a machine that lost its power may be cut.
            (None, _) | (Some(_), None) => restored.unreadable += 1,
        }
    }
    // The files of a circle come in any order.
    notes.sort_by_key(|(number, _)| *number);
    let mut last = last;
    for (number, entry) in notes {
        last = number;
        let key = roll.key(&entry.user, entry.device);
        if entries.len() >= MAX_ENTRIES && !entries.contains_key(&key) {
            continue;
        }
        let before = entries.get(&key).and_then(sent_at);
        if let Some(at) = sent_at(&entry).filter(|at| before != Some(*at)) {
            sent(at, &entry.user);
        }
        entries.insert(key, entry);
    }
    last
}

/// When the mail about a device was sent, if it was.
fn sent_at(entry: &Entry) -> Option<Timestamp> {
    match entry.mail.as_ref()?.state {
        MailState::Sent(at) => Some(at),
        MailState::Pending(..) | MailState::Failed(..) => None,
    }
}
