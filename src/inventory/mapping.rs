//! Keys to devices, where one key can have several devices and one device many keys; and the
//! bindings of ActiveSync ids that the mail plane learns.

use std::collections::HashMap;
use std::collections::HashSet;

use crate::inventory::cache::Reader;
use crate::inventory::index::Key;
use crate::inventory::key::Keys;
use crate::inventory::names::Names;
use crate::inventory::record;
use crate::inventory::record::DEVICE_WORDS;
use crate::inventory::statement::Detail;
use crate::inventory::statement::Name;
use crate::inventory::statement::Statement;
use crate::inventory::table::Found;
use crate::inventory::table::Holder;
use crate::inventory::table::Owner;
use crate::model::DeviceId;
use crate::model::EasDeviceId;
use crate::model::Timestamp;
use crate::model::UserId;
use crate::model::UserRef;

/// That a user's mail client uses an ActiveSync id on a device, as an upstream has shown.
pub(crate) struct Binding {
    pub(crate) eas: EasDeviceId,
    pub(crate) user: Name,
    /// Whom the name meant when the key was made.
    pub(crate) keyed: UserRef,
    pub(crate) at: Timestamp,
}

/// An ActiveSync id that led to a device in the hands of a user, until another one took its place.
pub(crate) struct Displaced {
    pub(crate) eas: EasDeviceId,
    /// A text, so that nobody has a row among names for it.
    pub(crate) user: UserId,
}

/// A key of a device. That an ActiveSync id is known at all is a key that devices may share.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Held {
    pub(crate) key: Key,
    pub(crate) shareable: bool,
    /// The key that is looked for when this one finds nothing.
    pub(crate) before: Option<Key>,
}

impl Reader {
    /// Whether an ActiveSync id in the hands of this user, and not of anybody, leads to the device, so
    /// that nothing has to be learned. Neither locks nor allocates.
    #[must_use]
    pub fn has_place(&self, eas: &EasDeviceId, user: &str, device: DeviceId) -> bool {
        let whose = self.user(user).map(|entry| entry.user);
        whose.is_some_and(|whose| {
            let key = self.shared.keys.eas(eas, Some(whose));
            match self.shared.devices.find(key) {
                Found::One(_, words) => record::device_in(&words) == device,
                Found::Nothing | Found::Several => false,
            }
        })
    }

    /// Cold: the ActiveSync ids whose place on their device others have taken, each with its user.
    #[must_use]
    pub fn displaced(&self) -> HashSet<(EasDeviceId, UserRef)> {
        let rows = self.lock().devices.rows_of_displaced();
        let mut all = HashSet::new();
        for rows in rows.chunks(AT_A_TIME) {
            let state = self.lock();
            let ids = (rows.iter()).flat_map(|row| state.devices.all_displaced(&state.names, *row));
            all.extend(ids.filter_map(|(eas, user)| {
                let user = state.names.find(&self.shared.keys, &user?)?;
                Some((eas, state.names.reference(user)))
            }));
        }
        all
    }
}

/// The keys of a device besides its own id: sorted, each once.
pub(crate) fn keys_of(
    keys: &Keys,
    statements: &[Statement],
    owner: Option<UserRef>,
    bindings: &[Binding],
    reference: impl Fn(&Binding) -> UserRef,
) -> Vec<Held> {
    let mut all = Vec::new();
    keys_into(&mut all, keys, statements, (owner, bindings), reference);
    all
}

/// The same in a list that is reused.
pub(crate) fn keys_into(
    all: &mut Vec<Held>,
    keys: &Keys,
    statements: &[Statement],
    (owner, bindings): (Option<UserRef>, &[Binding]),
    reference: impl Fn(&Binding) -> UserRef,
) {
    all.clear();
    let mut hold = |key: Option<Key>, shareable, before| {
        all.extend(key.map(|key| Held {
            key,
            shareable,
            before,
        }));
    };
    let outdated = is_outdated(statements, owner, bindings, &reference);
    for detail in statements.iter().flat_map(|said| said.details.iter()) {
        match detail {
            Detail::Eas(_) if outdated => {}
            Detail::Entra(entra) => hold(keys.entra(entra), false, None),
            Detail::Certificate(certificate) => {
                hold(Some(keys.certificate(certificate)), false, None)
            }
            Detail::Serial(serial) => hold(Some(keys.serial(serial)), false, None),
            Detail::Mac(mac) => hold(keys.mac(mac), false, None),
            Detail::Eas(eas) => {
                // A device without owner is anybody's, until somebody is seen to use it.
                let taken = bindings.iter().any(|binding| binding.eas == eas);
                if owner.is_some() || !taken {
                    let anybody = owner.map(|_| keys.eas(&eas, None));
                    hold(Some(keys.eas(&eas, owner)), false, anybody);
                }
                hold(Some(keys.eas_known(&eas)), true, None);
            }
            Detail::Name(_) | Detail::Model(_) | Detail::GraceUntil(_) => {}
        }
    }
    for binding in bindings {
        let user = Some(reference(binding));
        let anybody = Some(keys.eas(&binding.eas, None));
        hold(Some(keys.eas(&binding.eas, user)), false, anybody);
        hold(Some(keys.eas_known(&binding.eas)), true, None);
    }
    all.sort_unstable();
    all.dedup();
}

/// Whether the ActiveSync ids that sources state are of before a reset: the device has proved another
/// one since, in its owner's hands. When a source states another one after that, the binding goes.
pub(crate) fn is_outdated(
    statements: &[Statement],
    owner: Option<UserRef>,
    bindings: &[Binding],
    reference: impl Fn(&Binding) -> UserRef,
) -> bool {
    let mut proven = (bindings.iter())
        .filter(|binding| owner.is_none_or(|owner| reference(binding) == owner))
        .peekable();
    proven.peek().is_some() && proven.all(|binding| !is_stated(statements, &binding.eas))
}

/// Whether a source says that a device has this ActiveSync id.
pub(crate) fn is_stated(statements: &[Statement], eas: &EasDeviceId) -> bool {
    let mut details = statements.iter().flat_map(|said| said.details.iter());
    details.any(|detail| detail.eas() == Some(*eas))
}

/// Gives each binding the user its name means now.
pub(crate) fn rekey(bindings: &mut [Binding], names: &Names) {
    for binding in bindings {
        binding.keyed = names.reference(binding.user);
    }
}

/// Who holds a key that several devices hold. The index says no more than that there are several:
/// such a key finds no device, whichever came last.
#[derive(Default)]
pub(crate) struct Shared(HashMap<Key, Vec<u32>>);

impl Shared {
    /// The rows that hold `key`.
    pub(crate) fn holders(&self, table: &Owner<DEVICE_WORDS>, key: Key) -> Vec<u32> {
        match table.holder(key) {
            None => Vec::new(),
            Some(Holder::One(row)) => vec![row],
            Some(Holder::Several) => self.0.get(&key).cloned().unwrap_or_default(),
        }
    }

    /// `row` now holds `key`. The other row whose look-ups this alters, if there is one, and
    /// whether the key could be stored.
    pub(crate) fn add(
        &mut self,
        table: &mut Owner<DEVICE_WORDS>,
        key: Key,
        row: u32,
    ) -> (Option<u32>, bool) {
        match table.holder(key) {
            None => (None, table.set_key(key, Holder::One(row)).is_ok()),
            Some(Holder::One(other)) if other == row => (None, true),
            Some(Holder::One(other)) => {
                self.0.insert(key, vec![other, row]);
                // The entry is there already, so there is room for it.
                (Some(other), table.set_key(key, Holder::Several).is_ok())
            }
            Some(Holder::Several) => {
                let rows = self.0.entry(key).or_default();
                if !rows.contains(&row) {
                    rows.push(row);
                }
                (None, true)
            }
        }
    }

    /// `row` no longer holds `key`. The other row whose look-ups this alters, if there is one.
    pub(crate) fn remove(
        &mut self,
        table: &mut Owner<DEVICE_WORDS>,
        key: Key,
        row: u32,
    ) -> Option<u32> {
        match table.holder(key)? {
            Holder::One(holder) => {
                if holder == row {
                    table.clear_key(key);
                }
                None
            }
            Holder::Several => {
                let rows = self.0.get_mut(&key)?;
                rows.retain(|other| *other != row);
                let &[left] = &**rows else {
                    return None;
                };
                self.0.remove(&key);
                // The entry is there already, so this stores it.
                table.set_key(key, Holder::One(left)).ok()?;
                Some(left)
            }
        }
    }
}

/// Devices that are looked at without giving the lock away: the writer waits a millisecond for them.
const AT_A_TIME: usize = 1024;
