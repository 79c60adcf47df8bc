//! Octets of replies, written one after the other and over the oldest.
#![warn(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

/// The storage. It does not know what in it is still wanted: the cache keeps its entries in the
/// order of writing and drops those that a [`Place`] takes.
#[derive(Debug)]
pub(super) struct Ring {
    octets: Box<[u8]>,
    end: usize,
}

/// Where the next reply goes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    start: usize,
    /// One beyond the last octet.
    end: usize,
    /// If the reply begins anew at 0, everything from here to the end of the ring is given up
    /// with it, so that the order of entries stays the order of their places.
    skipped: Option<usize>,
}

impl Place {
    /// Whether an entry that starts there must go. Entries are asked from the oldest on, until
    /// one may stay.
    pub(super) const fn takes(&self, start: usize) -> bool {
        let overwritten = start >= self.start && start < self.end;
        match self.skipped {
            Some(from) => start >= from || overwritten,
            None => overwritten,
        }
    }
}

impl Ring {
    pub(super) fn new(octets: usize) -> Self {
        Self {
            octets: vec![0; octets].into_boxed_slice(),
            end: 0,
        }
    }

    /// Where a reply of that length goes; `None` if the ring is shorter.
    pub(super) fn place_for(&self, length: usize) -> Option<Place> {
        let end = self.end.saturating_add(length);
        if end <= self.octets.len() {
            return Some(Place {
                start: self.end,
                end,
                skipped: None,
            });
        }
        (length <= self.octets.len()).then_some(Place {
            start: 0,
            end: length,
            skipped: Some(self.end),
        })
    }

    /// Writes a reply at its place and returns where it starts.
    pub(super) fn write(&mut self, place: Place, reply: &[u8]) -> usize {
        if let Some(octets) = self.octets.get_mut(place.start..place.end) {
            octets.copy_from_slice(reply);
        }
        self.end = place.end;
        place.start
    }

    pub(super) fn get(&self, start: usize, length: usize) -> &[u8] {
        let end = start.saturating_add(length);
        self.octets.get(start..end).unwrap_or(&[])
    }
}
