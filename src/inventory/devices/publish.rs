//! From what sources say of a device to its record, and to the keys that lead to it.

use crate::inventory::batch::Batch;
use crate::inventory::batch::Outcome;
use crate::inventory::change::Change;
use crate::inventory::devices::Devices;
use crate::inventory::group::GroupSet;
use crate::inventory::key::Keys;
use crate::inventory::mapping::Held;
use crate::inventory::mapping::keys_of;
use crate::inventory::mapping::rekey;
use crate::inventory::merge;
use crate::inventory::names::Names;
use crate::inventory::record;
use crate::inventory::record::DEVICE_WORDS;
use crate::inventory::record::FIRST_FACT;
use crate::model::DeviceId;
use crate::model::Posture;

impl Devices {
    /// Merges what is said of a device and stores what differs from its record; with the keys
    /// it had, its keys too.
    pub(super) fn publish(
        &mut self,
        batch: &mut Batch<'_>,
        names: &Names,
        row: u32,
        keys_before: Option<Vec<Held>>,
    ) {
        let Some(before) = self.owner.read(row) else {
            return;
        };
        let words = self.merged(batch, names, record::device_in(&before), row);
        // Its owner's name, or that of a binding, may mean another user by now.
        let moved = record::owner_in(&before) != record::owner_in(&words)
            || (self.bindings(row).iter()).any(|known| known.keyed != names.reference(known.user));
        let keys_before = keys_before.or_else(|| moved.then(|| self.keys_before(batch.keys, row)));
        if !record::same_but_for_times(&before, &words) {
            self.owner.replace(row, &words);
            self.note(batch.outcome, row);
        } else if before != words {
            self.amend_times(row, &words);
        }
        if let Some(keys_before) = keys_before {
            if let Some(bindings) = self.bindings.get_mut(&row) {
                rekey(bindings, names);
            }
            let after = self.keys_after(batch.keys, names, row);
            if self.change_keys(batch.outcome, row, &keys_before, &after) {
                self.note(batch.outcome, row);
            }
        }
    }

    pub(super) fn merged(
        &self,
        batch: &mut Batch<'_>,
        names: &Names,
        device: DeviceId,
        row: u32,
    ) -> [u64; DEVICE_WORDS] {
        let said = self.statements(row);
        let sets = said.iter().map(|said| said.facts.groups);
        let whole = sets.collect::<Option<Vec<GroupSet>>>();
        let groups = whole.and_then(|sets| batch.groups.union(sets.into_iter()));
        // Without its groups a device could fall out of a policy's target: better no facts.
        let merged = match groups {
            Some(_) => merge::merge(device, said),
            None => Posture::unknown(device),
        };
        let owner = merge::owner(said).map(|owner| names.reference(owner));
        record::encode(&Posture { owner, ..merged }, groups.unwrap_or_default())
    }

    /// What a source says has been said again: only times move on, in place.
    pub(super) fn freshen(&mut self, batch: &Batch<'_>, row: u32) {
        let Some(before) = self.owner.read(row) else {
            return;
        };
        let word = record::fact_word(batch.source, batch.at);
        for (index, fact) in before.iter().enumerate().skip(FIRST_FACT) {
            if record::source_in(*fact) == batch.source {
                self.owner.amend(row, index, word);
            }
        }
    }

    pub(super) fn amend_times(&mut self, row: u32, words: &[u64; DEVICE_WORDS]) {
        for (index, word) in words.iter().enumerate().skip(FIRST_FACT) {
            self.owner.amend(row, index, *word);
        }
    }

    /// The keys that lead to `row` now, made with the owner of its record.
    pub(super) fn keys_before(&self, keys: &Keys, row: u32) -> Vec<Held> {
        let owner = self
            .owner
            .read(row)
            .and_then(|words| record::owner_in(&words));
        let bindings = self.bindings(row);
        keys_of(keys, self.statements(row), owner, bindings, |b| b.keyed)
    }

    pub(super) fn keys_after(&self, keys: &Keys, names: &Names, row: u32) -> Vec<Held> {
        let said = self.statements(row);
        let owner = merge::owner(said).map(|owner| names.reference(owner));
        let bindings = self.bindings(row);
        keys_of(keys, said, owner, bindings, |b| names.reference(b.user))
    }

    /// Adds first, then removes: a device that changes keys is never without any.
    pub(super) fn change_keys(
        &mut self,
        outcome: &mut Outcome,
        row: u32,
        before: &[Held],
        after: &[Held],
    ) -> bool {
        let added = after.iter().filter(|held| !before.contains(held));
        let removed = before.iter().filter(|held| !after.contains(held));
        for held in added.clone() {
            let (other, stored) = self.shared.add(&mut self.owner, held.key, row);
            outcome.overflowed += u64::from(!stored);
            if let Some(other) = other.filter(|_| !held.shareable) {
                self.note(outcome, other);
            }
        }
        for held in removed.clone() {
            let other = self.shared.remove(&mut self.owner, held.key, row);
            if let Some(other) = other.filter(|_| !held.shareable) {
                self.note(outcome, other);
            }
        }
        // What was found instead, or is from now on.
        for key in added.chain(removed).filter_map(|held| held.before) {
            for other in self.shared.holders(&self.owner, key) {
                self.note(outcome, other);
            }
        }
        before != after
    }

    pub(super) fn note(&self, outcome: &mut Outcome, row: u32) {
        if let Some(words) = self.owner.read(row) {
            let device = record::device_in(&words);
            outcome.changes.push(Change::Device(device));
        }
    }
}
