//! The places of connections at a door: how many there are in all, and of one address.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;

/// The places of one door.
#[derive(Debug, Default)]
pub(super) struct Places {
    open: AtomicU64,
    /// Of each address. Held for a few operations, never across an await.
    taken: Mutex<HashMap<IpAddr, usize>>,
}

/// How many there may be.
#[derive(Clone, Copy, Debug)]
pub(super) struct Most {
    pub(super) all: usize,
    pub(super) of_address: usize,
}

/// The right of one connection to be there; it ends with it.
#[derive(Debug)]
pub(super) struct Place {
    places: Arc<Places>,
    address: IpAddr,
}

impl Places {
    /// Connections that are there now.
    pub(super) fn open(&self) -> u64 {
        self.open.load(Ordering::Relaxed)
    }
}

impl Place {
    /// `address` is what connections of one origin have in common.
    pub(super) fn take(places: &Arc<Places>, most: Most, address: IpAddr) -> Option<Self> {
        let all = u64::try_from(most.all).unwrap_or(u64::MAX);
        let mut taken = places.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let here = taken.get(&address).copied().unwrap_or_default();
        if here >= most.of_address || places.open() >= all {
            return None;
        }
        taken.insert(address, here.saturating_add(1));
        places.open.fetch_add(1, Ordering::Relaxed);
        Some(Self {
            places: Arc::clone(places),
            address,
        })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.places.open.fetch_sub(1, Ordering::Relaxed);
        let taken = &self.places.taken;
        let mut taken = taken.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = taken.get_mut(&self.address) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                taken.remove(&self.address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_bounded_in_all_and_for_an_address_and_given_back() {
        let places = Arc::new(Places::default());
        let most = Most {
            all: 3,
            of_address: 2,
        };
        let take = |last| Place::take(&places, most, IpAddr::from([192, 0, 2, last]));
        let (first, second) = (take(1).unwrap(), take(1).unwrap());
        assert!(take(1).is_none(), "a third one of one address");
        let third = take(2).unwrap();
        assert!(take(3).is_none(), "a fourth one");
        drop(first);
        assert_eq!(places.open(), 2);
        let again = take(1);
        assert!(again.is_some());
        drop((second, third, again));
        assert_eq!(places.open(), 0);
        assert!(
            places.taken.lock().unwrap().is_empty(),
            "nobody is remembered"
        );
    }
}
