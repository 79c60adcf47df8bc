//! Random octets, fetched many at a time: a call of the generator costs as much for sixteen.
//!
//! For what NASes are told anyway, States and EAP identifiers; keys are not made of these.

/// Random octets that nobody has been given.
#[derive(Debug)]
pub(super) struct Chance {
    fill: fn(&mut [u8]),
    octets: [u8; FETCHED],
    used: usize,
}

impl Chance {
    /// None yet; `fill` fills a buffer with random octets.
    pub(super) const fn new(fill: fn(&mut [u8])) -> Self {
        Self {
            fill,
            octets: [0; FETCHED],
            used: FETCHED,
        }
    }

    /// The next octets, at most [`FETCHED`]. None of them is given twice.
    pub(super) fn next<const COUNT: usize>(&mut self) -> [u8; COUNT] {
        const { assert!(COUNT <= FETCHED) };
        if let Some((next, _)) = self
            .octets
            .get(self.used..)
            .and_then(<[u8]>::split_first_chunk)
        {
            self.used += COUNT;
            return *next;
        }
        (self.fill)(&mut self.octets);
        self.used = COUNT;
        let mut next = [0; COUNT];
        let (first, _) = self.octets.split_at(COUNT);
        next.copy_from_slice(first);
        next
    }
}

/// Sixteen States.
const FETCHED: usize = 256;

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    thread_local! {
        static NEXT: Cell<u8> = const { Cell::new(0) };
    }

    /// Counts on, so that an octet that is given twice is seen.
    fn count(octets: &mut [u8]) {
        for octet in octets {
            *octet = NEXT.replace(NEXT.get().wrapping_add(1));
        }
    }

    #[test]
    fn octets_are_given_once_across_fetches() {
        let mut chance = Chance::new(count);
        let mut last = None;
        for _ in 0..100 {
            let [one] = chance.next();
            let [a, b, c, d, e, ..]: [u8; 16] = chance.next();
            assert_ne!(Some(one), last);
            for (before, after) in [(one, a), (a, b), (b, c), (c, d), (d, e)] {
                let step = after.wrapping_sub(before);
                // What is left over of a fetch is let go.
                assert!((1..=16).contains(&step), "{before} {after}");
            }
            last = Some(e);
        }
    }
}
