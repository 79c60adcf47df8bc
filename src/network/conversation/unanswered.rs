//! Conversations whose peer has not answered the method: anybody can begin those, and who has begun
//! most of them loses the first.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::collections::HashMap;
use std::net::IpAddr;

use super::Id;

/// By source and age. One entry for each conversation and two for each source that has any.
#[derive(Debug, Default)]
pub(super) struct Unanswered {
    ids: BTreeMap<(IpAddr, u64), Id>,
    sources: HashMap<IpAddr, Source>,
    /// The noisiest last; of those alike the one whose oldest is the oldest of all.
    order: BTreeSet<(usize, Reverse<u64>, IpAddr)>,
}

/// How many a source has, and the number of its oldest.
#[derive(Clone, Copy, Debug)]
struct Source {
    count: usize,
    oldest: u64,
}

impl Source {
    fn place(self, from: IpAddr) -> (usize, Reverse<u64>, IpAddr) {
        (self.count, Reverse(self.oldest), from)
    }
}

impl Unanswered {
    pub(super) fn len(&self) -> usize {
        self.ids.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    /// The oldest of the noisiest source.
    pub(super) fn first_to_go(&self) -> Option<Id> {
        let (_, Reverse(oldest), from) = self.order.last().copied()?;
        self.ids.get(&(from, oldest)).copied()
    }

    /// Adds one; numbers are in the order in which conversations began.
    pub(super) fn insert(&mut self, from: IpAddr, number: u64, id: Id) {
        if self.ids.insert((from, number), id).is_none() {
            self.count(from, |count| count.saturating_add(1));
        }
    }

    pub(super) fn remove(&mut self, from: IpAddr, number: u64) {
        if self.ids.remove(&(from, number)).is_some() {
            self.count(from, |count| count.saturating_sub(1));
        }
    }

    /// Puts a source in its place after one of its conversations came or went.
    fn count(&mut self, from: IpAddr, change: impl FnOnce(usize) -> usize) {
        let before = self.sources.get(&from).copied();
        if let Some(before) = before {
            self.order.remove(&before.place(from));
        }
        let count = change(before.map_or(0, |before| before.count));
        let mut own = self.ids.range((from, 0)..=(from, u64::MAX));
        match own.next() {
            Some((&(_, oldest), _)) => {
                let source = Source { count, oldest };
                self.sources.insert(from, source);
                self.order.insert(source.place(from));
            }
            None => {
                self.sources.remove(&from);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    fn source(last: u8) -> IpAddr {
        IpAddr::from([192, 0, 2, last])
    }

    fn id(number: u64) -> Id {
        let mut id = Id::default();
        id[..8].copy_from_slice(&number.to_be_bytes());
        id
    }

    proptest! {
        /// Beside a list that is looked through: the same one goes first after any coming and going.
        #[test]
        fn the_oldest_of_the_noisiest_goes_first(steps in vec((0_u8..5, 0_usize..4), 1..200)) {
            let mut indexed = Unanswered::default();
            let mut list: Vec<(u8, u64)> = Vec::new();
            for (number, (from, leaves)) in (1..).zip(steps) {
                indexed.insert(source(from), number, id(number));
                list.push((from, number));
                for place in 0..leaves {
                    if list.len() > 3 {
                        let (from, number) = list.remove(place % list.len());
                        indexed.remove(source(from), number);
                    }
                }
                let count = |from: u8| list.iter().filter(|(of, _)| *of == from).count();
                let most = list.iter().map(|(from, _)| count(*from)).max().unwrap();
                // The list is in the order of age.
                let first = list.iter().find(|(from, _)| count(*from) == most).unwrap();
                prop_assert_eq!(indexed.first_to_go(), Some(id(first.1)));
                prop_assert_eq!(indexed.len(), list.len());
            }
            for (from, number) in list {
                indexed.remove(source(from), number);
            }
            prop_assert!(indexed.is_empty() && indexed.sources.is_empty());
            prop_assert!(indexed.order.is_empty());
        }
    }
}
