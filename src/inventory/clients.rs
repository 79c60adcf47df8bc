//! Mail clients: one record for each user and ActiveSync DeviceId that the mail plane has seen.
//!
//! Read without a lock and without memory of its own: a hash of the user's name leads to a bucket, a
//! list that is never changed and only replaced as a whole. There is one writer, that of the inventory.
//!
//! A record is what a client says of itself and what the gateway did with it. It is not a device: that
//! is found by the DeviceId as any other is, and may turn up later than its mail client (R36, R37).

mod read;
mod record;
mod user;

use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;

use arc_swap::ArcSwapOption;

use crate::inventory::index::Key;
use crate::model::DeviceId;
use crate::model::EasDeviceId;
use crate::model::OsVersion;
use crate::model::Reason;
use crate::model::Timestamp;
use crate::model::Verdict;

pub use record::MailClient;
pub use record::Sighting;
pub use record::Told;
pub use record::Wipe;
pub use record::WipeOrder;
pub use record::WipeStage;
use user::User;

/// What a decision and the mail plane see of a client; copied out of its record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ClientEntry {
    /// When it was first seen; `None` of a client that has no record.
    pub first_seen: Option<Timestamp>,
    /// When the mail server last answered it with success.
    pub last_success: Option<Timestamp>,
    /// See [`MailClient::last_active`].
    pub last_active: Option<Timestamp>,
    /// What it says of its operating system's version.
    pub os_version: OsVersion,
    /// The number of the text of its model, see [`Clients::text`]; 0 for none.
    pub(crate) model: u16,
    /// Which of its user's devices it is by when each was first served, from 1; of one that never was,
    /// which it would be if it were now.
    pub rank: u16,
    /// Whether it has that rank for good: it was served, or another client that is the same device. See
    /// [`Reader::counts_alone`](crate::inventory::Reader::counts_alone) for the first only.
    pub counts: bool,
    /// What was decided of it last.
    pub state: Option<(Verdict, Reason)>,
    /// A number that what it says of itself leads to, see [`said_by`].
    pub said: u32,
    /// The wipe that an administrator has ordered.
    pub wipe: Option<WipeOrder>,
    /// There is no room for another record.
    pub is_full: bool,
}

type Bucket = Box<[Arc<User>]>;

/// All clients.
pub(crate) struct Clients {
    buckets: Box<[ArcSwapOption<Bucket>]>,
    /// Models by number, given once and never taken back.
    texts: Box<[OnceLock<Box<str>>]>,
    count: AtomicUsize,
    is_full: AtomicBool,
}

impl Clients {
    pub(crate) fn new() -> Self {
        Self {
            buckets: (0..BUCKETS).map(|_| ArcSwapOption::empty()).collect(),
            texts: (0..MAX_TEXTS).map(|_| OnceLock::new()).collect(),
            count: AtomicUsize::new(0),
            is_full: AtomicBool::new(false),
        }
    }

    /// What is known of a client, of whom the rank at least: if it has no place, behind those that have
    /// one and those that stand before it. With `is` that is the device which it is known to be.
    pub(crate) fn find(
        &self,
        user: Key,
        (eas, is): (&EasDeviceId, Option<DeviceId>),
        ahead: &[EasDeviceId],
    ) -> ClientEntry {
        let mut entry = ClientEntry {
            rank: rank_behind(ahead.len()),
            is_full: self.is_full.load(Ordering::Relaxed),
            ..ClientEntry::default()
        };
        let bucket = self.bucket(user).load();
        let users = bucket.as_deref().map_or(&[][..], |bucket| &**bucket);
        let Some(user) = users.iter().find(|one| one.key == user) else {
            return entry;
        };
        let place = user.place(eas, is);
        entry.counts = place.is_some();
        entry.rank = rank_behind(place.unwrap_or_else(|| user.places() + user.unplaced(ahead)));
        if let Some(client) = user.clients.iter().find(|one| one.eas == *eas) {
            entry.first_seen = Some(client.first_seen);
            entry.last_success = client.last_success;
            entry.last_active = client.last_active;
            entry.os_version = client.os_version();
            entry.model = client.model_number;
            entry.state = client.state;
            entry.said = client.said;
            entry.wipe = client.wipe;
        }
        entry
    }

    /// The text of a number.
    pub(crate) fn text(&self, number: u16) -> &str {
        let text = self.texts.get(usize::from(number));
        text.and_then(OnceLock::get).map_or("", |text| text)
    }

    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        self.count.load(Ordering::Relaxed)
    }

    /// All records, user by user.
    pub(crate) fn all(&self) -> Vec<Arc<MailClient>> {
        let mut all = Vec::with_capacity(self.count());
        for bucket in &self.buckets {
            for user in bucket.load().as_deref().into_iter().flatten() {
                all.extend(user.clients.iter().cloned());
            }
        }
        all
    }

    /// Changes the record of a client, or makes one. Only the inventory's writer may call this. What
    /// `change` returns, or `None` where there is no room.
    pub(crate) fn change<T>(
        &self,
        key: Key,
        of: (&EasDeviceId, &str),
        at: Timestamp,
        change: impl FnOnce(&mut MailClient) -> T,
    ) -> Option<T> {
        let (eas, name) = of;
        let user = self.user(key);
        let known = user.clients.iter().find(|one| one.eas == *eas);
        let is_new = known.is_none();
        if is_new && self.count() >= MAX_CLIENTS {
            self.is_full.store(true, Ordering::Relaxed);
            return None;
        }
        let mut client = match known {
            Some(client) => MailClient::clone(client),
            None => MailClient::new(*eas, name, at),
        };
        let changed = change(&mut client);
        client.said = said_by(
            &client.device_type,
            &client.user_agent,
            client.version,
            client.policy_key,
        );
        client.model_number = self.number(&client.model);
        let others = user.clients.iter().filter(|one| one.eas != *eas).cloned();
        let mut clients: Vec<Arc<MailClient>> = others.collect();
        if clients.len() >= MAX_OF_USER {
            // The one that has been idle for longest; of one whose wipe is under way something is left.
            let idle = (0..clients.len())
                .filter(|place| clients.get(*place).is_some_and(|one| one.wipe.is_none()))
                .min_by_key(|place| {
                    let one = clients.get(*place);
                    one.map(|one| (one.first_success.is_some(), one.last_seen))
                });
            clients.remove(idle?);
        }
        clients.push(Arc::new(client));
        self.put(key, clients);
        Some(changed)
    }

    /// Forgets a client. What else is the same device counts no more either, until it is served again.
    /// Only the inventory's writer may call this.
    pub(crate) fn forget(&self, key: Key, eas: &EasDeviceId) -> bool {
        let user = self.user(key);
        let Some(gone) = user.clients.iter().find(|one| one.eas == *eas) else {
            return false;
        };
        let others = user.clients.iter().filter(|one| one.eas != *eas).cloned();
        let left = others.map(|mut one| {
            if gone.device.is_some() && one.device == gone.device {
                Arc::make_mut(&mut one).first_success = None;
            }
            one
        });
        self.put(key, left.collect());
        true
    }

    fn user(&self, key: Key) -> Arc<User> {
        let bucket = self.bucket(key).load();
        let mut users = bucket.as_deref().into_iter().flatten();
        let found = users.find(|user| user.key == key).cloned();
        found.unwrap_or_else(|| Arc::new(User::new(key, Vec::new())))
    }

    fn put(&self, key: Key, clients: Vec<Arc<MailClient>>) {
        let place = self.bucket(key);
        let bucket = place.load();
        let all = bucket.as_deref().map_or(&[][..], |bucket| &**bucket);
        let had = all.iter().filter(|user| user.key == key);
        let had: usize = had.map(|user| user.clients.len()).sum();
        let mut users: Vec<_> = all.iter().filter(|user| user.key != key).cloned().collect();
        let has = clients.len();
        if has > 0 {
            users.push(Arc::new(User::new(key, clients)));
        }
        place.store(Some(Arc::new(users.into())));
        let count = self.count() + has - had;
        self.count.store(count, Ordering::Relaxed);
        self.is_full.store(count >= MAX_CLIENTS, Ordering::Relaxed);
    }

    fn bucket(&self, key: Key) -> &ArcSwapOption<Bucket> {
        let place = (key.0 & (BUCKETS as u128 - 1)) as usize;
        // `BUCKETS` is a power of two.
        self.buckets.get(place).unwrap_or(&EMPTY)
    }

    /// The number of a text; 0 for none, and when all numbers are given.
    fn number(&self, text: &str) -> u16 {
        if text.is_empty() {
            return 0;
        }
        for (number, place) in (0_u16..).zip(&self.texts).skip(1) {
            if place.get_or_init(|| text.into()).as_ref() == text {
                return number;
            }
        }
        0
    }
}

/// The rank of a client that has so many before it.
fn rank_behind(before: usize) -> u16 {
    u16::try_from(before + 1).unwrap_or(u16::MAX)
}

/// What a client says of itself in each request, as a number: while it is the same, nothing of the
/// record changes. FNV-1a, because it is counted anew for each request.
#[must_use]
pub fn said_by(device_type: &str, user_agent: &str, version: u8, policy_key: Option<u32>) -> u32 {
    let fold = |hash: u32, octets: &[u8]| {
        octets.iter().chain([&0xff]).fold(hash, |hash, octet| {
            (hash ^ u32::from(*octet)).wrapping_mul(0x0100_0193)
        })
    };
    let hash = fold(0x811c_9dc5, device_type.as_bytes());
    let hash = fold(hash, user_agent.as_bytes());
    let key = policy_key.map_or([0; 5], |key| {
        let [a, b, c, d] = key.to_be_bytes();
        [1, a, b, c, d]
    });
    fold(fold(hash, &[version]), &key)
}

static EMPTY: ArcSwapOption<Bucket> = ArcSwapOption::const_empty();

/// A user's clients stand together, so that this is for some hundred thousand users.
const BUCKETS: usize = 1 << 14;

/// Clients of one user: Exchange's own limit (`EasMaxDevices`). Another one takes the place of the one
/// that has been idle for longest.
const MAX_OF_USER: usize = 100;

/// Clients in all, about half a kilobyte each: 100,000 users with two and a half.
const MAX_CLIENTS: usize = 250_000;

/// Different models. There are some thousand on the market; a client may make up as many as it likes.
const MAX_TEXTS: usize = 16_384;

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_unix_seconds(seconds)
    }

    fn eas(number: usize) -> EasDeviceId {
        format!("d{number}").parse().unwrap()
    }

    fn succeed(clients: &Clients, user: u128, number: usize, when: i64) {
        let done = clients.change(Key(user), (&eas(number), "u"), at(when), |client| {
            client.first_success = client.first_success.or_else(|| Some(at(when)));
            client.last_success = Some(at(when));
            client.last_seen = at(when);
        });
        assert!(done.is_some());
    }

    #[test]
    fn a_client_keeps_its_rank_whatever_comes_after_it() {
        let clients = Clients::new();
        for number in 1..=3 {
            succeed(&clients, 7, number, 10 * number as i64);
        }
        // Another user in the same bucket.
        succeed(&clients, 7 + BUCKETS as u128, 1, 5);
        succeed(&clients, 7, 1, 100);
        let rank = |number| clients.find(Key(7), (&eas(number), None), &[]).rank;
        assert_eq!([1, 2, 3, 4, 5].map(rank), [1, 2, 3, 4, 4]);
        // One that was refused only has no place among those that were served.
        let refused = clients.change(Key(7), (&eas(9), "u"), at(1), |_| ());
        assert!(refused.is_some());
        assert_eq!([9, 4].map(rank), [4, 4]);
        assert!(clients.forget(Key(7), &eas(2)));
        assert_eq!([1, 3, 4].map(rank), [1, 2, 3]);
        assert_eq!(clients.count(), 4);
    }

    #[test]
    fn a_client_that_stands_before_another_is_counted_once_whether_it_was_served_by_now_or_not() {
        let clients = Clients::new();
        let rank = |number: usize, ahead: &[usize]| {
            let ahead: Vec<_> = ahead.iter().map(|number| eas(*number)).collect();
            clients.find(Key(7), (&eas(number), None), &ahead).rank
        };
        assert_eq!(rank(3, &[1, 2]), 3, "nobody is known");
        succeed(&clients, 7, 1, 10);
        assert_eq!(rank(3, &[1, 2]), 3);
        succeed(&clients, 7, 2, 20);
        assert_eq!(rank(3, &[1, 2]), 3);
        // Whoever has been served keeps the rank that it has.
        assert_eq!(rank(1, &[3, 4]), 1);
        assert!(
            clients
                .change(Key(7), (&eas(4), "u"), at(30), |_| ())
                .is_some()
        );
        assert_eq!(rank(3, &[4]), 4, "it was refused only");
    }

    #[test]
    fn a_device_has_one_place_whatever_it_calls_itself_and_a_mere_claim_does_not_share_it() {
        let clients = Clients::new();
        let [tablet, phone] = [1, 2].map(DeviceId::from_u128);
        let is = |number: usize, device: Option<DeviceId>| {
            let done = clients.change(Key(7), (&eas(number), "u"), at(0), |client| {
                client.device = device;
            });
            assert!(done.is_some());
        };
        let found = |number: usize, device: Option<DeviceId>| {
            let found = clients.find(Key(7), (&eas(number), device), &[]);
            (found.rank, found.counts)
        };
        for (number, device) in [(1, tablet), (2, phone), (3, tablet)] {
            succeed(&clients, 7, number, 10 * number as i64);
            is(number, Some(device));
        }
        succeed(&clients, 7, 4, 40);
        for (number, device, expected) in [
            (1, Some(tablet), (1, true)),
            (3, Some(tablet), (1, true)),
            (2, Some(phone), (2, true)),
            // The only id of its device keeps its place when nothing leads to the device any more.
            (2, None, (2, true)),
            (4, None, (3, true)),
            // New ones, of which one is known to be the phone.
            (5, Some(phone), (2, true)),
            (5, None, (4, false)),
            // The displaced id in the hands of whoever claims it.
            (1, None, (4, false)),
        ] {
            assert_eq!(found(number, device), expected, "row {number} {device:?}");
        }
        // It is served all the same, and counts.
        is(1, None);
        assert_eq!(found(1, None), (1, true));
        assert_eq!(found(5, None), (5, false));
        is(1, Some(tablet));
        // Forgotten is the device, and not only what it is called now.
        assert!(clients.forget(Key(7), &eas(3)));
        assert_eq!(found(5, None), (3, false));
        assert_eq!(found(1, Some(tablet)), (3, false));
        assert_eq!(found(2, Some(phone)), (1, true));
    }

    #[test]
    fn a_user_has_a_hundred_and_the_idlest_goes_first() {
        let clients = Clients::new();
        for number in 0..MAX_OF_USER {
            succeed(&clients, 1, number, 1000 + number as i64);
        }
        succeed(&clients, 1, 0, 5000);
        succeed(&clients, 1, MAX_OF_USER, 5001);
        assert_eq!(clients.count(), MAX_OF_USER);
        assert!(
            clients
                .find(Key(1), (&eas(0), None), &[])
                .first_seen
                .is_some()
        );
        assert!(
            clients
                .find(Key(1), (&eas(1), None), &[])
                .first_seen
                .is_none()
        );
    }

    #[test]
    fn models_are_texts_by_number() {
        let clients = Clients::new();
        for (number, model) in [
            (1, "iPhone15C2"),
            (2, ""),
            (3, "iPhone15C2"),
            (4, "SM-G960F"),
        ] {
            clients.change(Key(1), (&eas(number), "u"), at(0), |client| {
                client.model = model.into();
            });
            let found = clients.find(Key(1), (&eas(number), None), &[]).model;
            assert_eq!(clients.text(found), model);
        }
        assert_eq!(
            clients.find(Key(1), (&eas(1), None), &[]).model,
            clients.find(Key(1), (&eas(3), None), &[]).model
        );
    }

    #[test]
    fn whatever_a_client_says_differently_gives_another_number() {
        let base = said_by("iPhone", "Apple", 141, None);
        for other in [
            said_by("iPad", "Apple", 141, None),
            said_by("iPhoneA", "pple", 141, None),
            said_by("iPhone", "Apple2", 141, None),
            said_by("iPhone", "Apple", 161, None),
            said_by("iPhone", "Apple", 141, Some(0)),
        ] {
            assert_ne!(base, other);
        }
    }
}
