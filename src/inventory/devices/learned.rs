//! ActiveSync ids that devices have proved, and those whose place another one has taken.

use crate::inventory::batch::Batch;
use crate::inventory::devices::Devices;
use crate::inventory::devices::MAX_BINDINGS;
use crate::inventory::devices::MAX_DISPLACED;
use crate::inventory::mapping::Binding;
use crate::inventory::mapping::Displaced;
use crate::inventory::mapping::is_outdated;
use crate::inventory::mapping::is_stated;
use crate::inventory::merge;
use crate::inventory::names::Names;
use crate::inventory::statement::BySource;
use crate::inventory::statement::Detail;
use crate::inventory::statement::Name;
use crate::inventory::table::Holder;
use crate::model::EasDeviceId;
use crate::model::UserId;

impl Devices {
    /// Makes an ActiveSync id in the hands of a user lead to a device, in the place of the one that
    /// was learned of this user before. Nothing happens when it does so already.
    pub(crate) fn bind(
        &mut self,
        batch: &mut Batch<'_>,
        names: &mut Names,
        row: u32,
        (eas, user): (EasDeviceId, Name),
    ) {
        self.touch(row);
        let whose = names.reference(user);
        let is_replaced = |names: &Names, known: &Binding| {
            known.eas != eas && names.reference(known.user) == whose
        };
        let key = batch.keys.eas(&eas, Some(whose));
        let leads_here = self.owner.holder(key) == Some(Holder::One(row));
        let learned = self.bindings.get_mut(&row);
        let mut learned = learned.map_or(&mut [][..], Vec::as_mut_slice).iter_mut();
        let known = learned.find(|known| known.eas == eas && known.user == user);
        let is_new = known.is_none() && !leads_here;
        if let Some(known) = known {
            known.at = batch.at;
        }
        let replaces = (self.bindings(row).iter()).any(|known| is_replaced(names, known));
        if !is_new && !replaces {
            return;
        }
        let before = self.keys_before(batch.keys, row);
        let learned = self.bindings.entry(row).or_default();
        let replaced = learned.extract_if(.., |known| is_replaced(names, known));
        let replaced: Vec<Binding> = replaced.collect();
        let mut gone: Vec<Name> = replaced.iter().map(|binding| binding.user).collect();
        if is_new {
            names.mention(user, true);
            let oldest = (0..learned.len()).min_by_key(|&at| learned.get(at).map(|b| b.at));
            if let Some(oldest) = oldest.filter(|_| learned.len() >= MAX_BINDINGS) {
                gone.push(learned.remove(oldest).user);
            }
            learned.push(Binding {
                eas,
                user,
                keyed: whose,
                at: batch.at,
            });
        }
        self.place(row, |of| {
            of.eas == eas
                && names
                    .find(batch.keys, &of.user)
                    .map(|of| names.reference(of))
                    == Some(whose)
        });
        self.displace(names, row, replaced.into_iter().map(|b| (b.eas, b.user)));
        self.forget(names, row, gone);
        self.publish(batch, names, row, Some(before));
        self.note(batch.outcome, row);
    }

    /// The ActiveSync ids that led to the device in `row` and whose place others have taken, as far
    /// as no source states them.
    pub(crate) fn displaced(&self, row: u32) -> &[Displaced] {
        self.displaced.get(&row).map_or(&[], Vec::as_slice)
    }

    /// Rows of devices that have displaced ids, or may have: one that sources state is displaced by
    /// one that was learned.
    pub(crate) fn rows_of_displaced(&self) -> Vec<u32> {
        let mut rows: Vec<u32> = self.bindings.keys().copied().collect();
        rows.extend(self.displaced.keys());
        rows.sort_unstable();
        rows.dedup();
        rows
    }

    /// The displaced ids of the device in `row`, stated or not, each with its user's name; without one
    /// when a source states it of a device without owner.
    pub(crate) fn all_displaced(
        &self,
        names: &Names,
        row: u32,
    ) -> Vec<(EasDeviceId, Option<UserId>)> {
        let statements = self.statements(row);
        let owner = merge::owner(statements);
        let whose = owner.map(|owner| names.reference(owner));
        let reference = |binding: &Binding| names.reference(binding.user);
        let mut all = Vec::new();
        if is_outdated(statements, whose, self.bindings(row), reference) {
            let owner = owner.and_then(|owner| names.text(owner.get()));
            let stated = statements.iter().flat_map(|said| said.details.iter());
            all.extend((stated.filter_map(Detail::eas)).map(|eas| (eas, owner.cloned())));
        }
        let learned = self.displaced(row).iter();
        all.extend(learned.map(|of| (of.eas, Some(of.user.clone()))));
        all.sort_unstable();
        all.dedup();
        all
    }

    /// A source has begun to state ActiveSync ids that none did before: what was learned beside what is
    /// stated now counts no more, nor does what the source said `before`, if no other does.
    pub(super) fn outdate(
        &mut self,
        names: &mut Names,
        row: u32,
        new: &[EasDeviceId],
        before: Vec<(EasDeviceId, Name)>,
    ) {
        if new.is_empty() {
            return;
        }
        self.place(row, |of| new.contains(&of.eas));
        let said = self.statements.get(row as usize);
        let statements = said.map_or(&[][..], BySource::as_slice);
        let mut displaced = before;
        displaced.retain(|(eas, _)| !is_stated(statements, eas));
        let mut gone = Vec::new();
        if let Some(learned) = self.bindings.get_mut(&row) {
            let outdated = learned.extract_if(.., |known| !is_stated(statements, &known.eas));
            for binding in outdated {
                displaced.push((binding.eas, binding.user));
                gone.push(binding.user);
            }
        }
        self.displace(names, row, displaced.into_iter());
        self.forget(names, row, gone);
    }

    /// Bindings of the device in `row`, by these users, are gone.
    fn forget(&mut self, names: &mut Names, row: u32, users: Vec<Name>) {
        if self.bindings(row).is_empty() {
            self.bindings.remove(&row);
        }
        for user in users {
            names.mention(user, false);
        }
    }

    /// Others have taken the place of these ids.
    fn displace(
        &mut self,
        names: &Names,
        row: u32,
        ids: impl Iterator<Item = (EasDeviceId, Name)>,
    ) {
        for (eas, user) in ids {
            let Some(user) = names.text(user.get()).cloned() else {
                continue;
            };
            let displaced = self.displaced.entry(row).or_default();
            displaced.retain(|of| of.eas != eas || of.user != user);
            if displaced.len() >= MAX_DISPLACED {
                displaced.remove(0);
            }
            displaced.push(Displaced { eas, user });
        }
    }

    /// These ids have their place again.
    fn place(&mut self, row: u32, is_back: impl Fn(&Displaced) -> bool) {
        if let Some(displaced) = self.displaced.get_mut(&row) {
            displaced.retain(|of| !is_back(of));
            if displaced.is_empty() {
                self.displaced.remove(&row);
            }
        }
    }
}
