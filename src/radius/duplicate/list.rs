//! A queue through the slots that gives up any of its members in constant time.

use super::Slot;

/// The neighbours of a slot in its list.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Links {
    before: Option<u32>,
    after: Option<u32>,
}

/// Slots from the oldest to the newest.
#[derive(Debug, Default)]
pub(super) struct List {
    first: Option<u32>,
    last: Option<u32>,
    length: usize,
}

impl List {
    pub(super) const fn first(&self) -> Option<u32> {
        self.first
    }

    pub(super) const fn len(&self) -> usize {
        self.length
    }

    /// Adds a slot that is in no list as the newest.
    pub(super) fn push(&mut self, slots: &mut [Slot], place: u32) {
        let before = self.last.replace(place);
        match before.and_then(|before| links(slots, before)) {
            Some(links) => links.after = Some(place),
            None => self.first = Some(place),
        }
        if let Some(links) = links(slots, place) {
            *links = Links {
                before,
                after: None,
            };
        }
        self.length = self.length.saturating_add(1);
    }

    /// Takes out a slot that is in this list.
    pub(super) fn remove(&mut self, slots: &mut [Slot], place: u32) {
        let Some(own) = links(slots, place).map(std::mem::take) else {
            return;
        };
        match own.before.and_then(|before| links(slots, before)) {
            Some(links) => links.after = own.after,
            None => self.first = own.after,
        }
        match own.after.and_then(|after| links(slots, after)) {
            Some(links) => links.before = own.before,
            None => self.last = own.before,
        }
        self.length = self.length.saturating_sub(1);
    }
}

fn links(slots: &mut [Slot], place: u32) -> Option<&mut Links> {
    let place = usize::try_from(place).ok()?;
    slots.get_mut(place).map(|slot| &mut slot.links)
}
