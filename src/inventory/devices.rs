//! Devices, the writer's side: statements of sources in, hot records and keys out.

mod learned;
mod publish;
mod restore;

use std::collections::HashMap;

use crate::inventory::arena::Limits;
use crate::inventory::batch::Batch;
use crate::inventory::group::GroupSet;
use crate::inventory::index::Extent;
use crate::inventory::index::MAX_ROWS;
use crate::inventory::key::Keys;
use crate::inventory::mapping::Binding;
use crate::inventory::mapping::Displaced;
use crate::inventory::mapping::Shared;
use crate::inventory::mapping::is_stated;
use crate::inventory::merge;
use crate::inventory::names::Names;
use crate::inventory::record;
use crate::inventory::record::DEVICE_WORDS;
use crate::inventory::report::DeviceReport;
use crate::inventory::statement::BySource;
use crate::inventory::statement::Detail;
use crate::inventory::statement::Details;
use crate::inventory::statement::Facts;
use crate::inventory::statement::Statement;
use crate::inventory::table::Holder;
use crate::inventory::table::Owner;
use crate::model::DeviceId;
use crate::model::EasDeviceId;
use crate::model::Posture;
use crate::model::SourceId;

/// All devices.
pub(crate) struct Devices {
    owner: Owner<DEVICE_WORDS>,
    shared: Shared,
    /// By row.
    statements: Vec<BySource<Statement>>,
    /// By row, for the few devices that have any.
    bindings: HashMap<u32, Vec<Binding>>,
    /// By row, the oldest first.
    displaced: HashMap<u32, Vec<Displaced>>,
    count: usize,
    /// Counts what alters a statement or a binding, if only its time.
    changes: u64,
    /// By block of rows: that number when something in it was last altered.
    changed: Vec<u64>,
    /// Reused for the details of each report.
    buffer: Vec<u8>,
}

impl Devices {
    pub(crate) fn open(expected: usize) -> Self {
        Self {
            owner: Owner::open(
                LIMITS,
                Extent::for_keys(expected.saturating_mul(KEYS_EXPECTED)),
            ),
            shared: Shared::default(),
            statements: Vec::new(),
            bindings: HashMap::new(),
            displaced: HashMap::new(),
            count: 0,
            changes: 0,
            changed: Vec::new(),
            buffer: Vec::new(),
        }
    }

    pub(crate) const fn owner(&self) -> &Owner<DEVICE_WORDS> {
        &self.owner
    }

    pub(crate) const fn count(&self) -> usize {
        self.count
    }

    pub(crate) fn row(&self, keys: &Keys, device: DeviceId) -> Option<u32> {
        match self.owner.holder(keys.device(device))? {
            Holder::One(row) => Some(row),
            Holder::Several => None,
        }
    }

    /// Rows that were ever used.
    pub(crate) fn rows(&self) -> u32 {
        u32::try_from(self.statements.len()).unwrap_or(u32::MAX)
    }

    /// How many statements and bindings have been altered.
    pub(crate) const fn changes(&self) -> u64 {
        self.changes
    }

    /// That number when something in a block of [`BLOCK`] rows was last altered.
    pub(crate) fn changed(&self, block: usize) -> u64 {
        self.changed.get(block).copied().unwrap_or(0)
    }

    fn touch(&mut self, row: u32) {
        let block = row as usize / BLOCK;
        if self.changed.len() <= block {
            self.changed.resize(block + 1, 0);
        }
        self.changes += 1;
        if let Some(changed) = self.changed.get_mut(block) {
            *changed = self.changes;
        }
    }

    /// What sources say of the device in `row`.
    pub(crate) fn statements(&self, row: u32) -> &[Statement] {
        self.statements
            .get(row as usize)
            .map_or(&[], BySource::as_slice)
    }

    pub(crate) fn bindings(&self, row: u32) -> &[Binding] {
        self.bindings.get(&row).map_or(&[], Vec::as_slice)
    }

    pub(crate) fn is_stated_by(&self, row: u32, source: SourceId) -> bool {
        self.statements(row)
            .iter()
            .any(|said| said.source == source)
    }

    /// Rows of devices of which `source` says something.
    pub(crate) fn stated_by(&self, source: SourceId) -> impl Iterator<Item = u32> {
        let rows = self.statements.iter().zip(0..);
        rows.filter_map(move |(said, row)| said.get(source).map(|_| row))
    }

    /// A source says this of a device.
    pub(crate) fn state(
        &mut self,
        batch: &mut Batch<'_>,
        names: &mut Names,
        report: &DeviceReport,
    ) {
        let mut written = std::mem::take(&mut self.buffer);
        Details::write(report, &mut written);
        let facts = facts(batch, names, report);
        let row = self.row(batch.keys, report.device);
        let before =
            row.and_then(|row| self.statements.get_mut(row as usize)?.get_mut(batch.source));
        match before {
            Some(before) if before.facts == facts && before.details.are(&written) => {
                before.at = batch.at;
                if let Some(row) = row {
                    self.touch(row);
                    if !batch.walk {
                        self.freshen(batch, row);
                    }
                }
            }
            Some(_) | None => {
                let statement = Statement {
                    source: batch.source,
                    at: batch.at,
                    facts,
                    details: Details::keep(&written),
                };
                match row {
                    Some(row) => self.restate(batch, names, row, Some(statement)),
                    None => self.add(batch, names, report.device, statement),
                }
            }
        }
        self.buffer = written;
    }

    /// A source no longer knows the device in `row`.
    pub(crate) fn unstate(&mut self, batch: &mut Batch<'_>, names: &mut Names, row: u32) {
        match self.statements(row) {
            [] => {}
            [last] if last.source == batch.source => self.remove(batch, names, row),
            [..] if self.is_stated_by(row, batch.source) => self.restate(batch, names, row, None),
            [..] => {}
        }
    }

    /// Names in `moved` mean another user than before: devices that depend on one follow.
    pub(crate) fn follow(&mut self, batch: &mut Batch<'_>, names: &Names) {
        let moved = std::mem::take(&mut batch.outcome.moved);
        if moved.is_empty() {
            return;
        }
        for row in 0..self.rows() {
            let owner = merge::owner(self.statements(row));
            let bindings = self.bindings(row);
            if owner.is_some_and(|owner| moved.contains(&owner))
                || bindings.iter().any(|binding| moved.contains(&binding.user))
            {
                self.publish(batch, names, row, None);
            }
        }
    }

    fn add(
        &mut self,
        batch: &mut Batch<'_>,
        names: &mut Names,
        device: DeviceId,
        statement: Statement,
    ) {
        let posture = Posture::unknown(device);
        let words = record::encode(&posture, GroupSet::EMPTY);
        let Some(row) = self.owner.add(&words) else {
            batch.outcome.overflowed += 1;
            return;
        };
        let at = row as usize;
        if self.statements.len() <= at {
            self.statements.resize_with(at + 1, BySource::default);
        }
        // The facts first, then the keys: whoever finds the device finds what is said of it.
        self.restate(batch, names, row, Some(statement));
        let key = batch.keys.device(device);
        if self.owner.set_key(key, Holder::One(row)).is_err() {
            batch.outcome.overflowed += 1;
            self.remove(batch, names, row);
            return;
        }
        self.count += 1;
        self.note(batch.outcome, row);
    }

    fn remove(&mut self, batch: &mut Batch<'_>, names: &mut Names, row: u32) {
        self.touch(row);
        let before = self.keys_before(batch.keys, row);
        self.note(batch.outcome, row);
        if let Some(words) = self.owner.read(row) {
            let key = batch.keys.device(record::device_in(&words));
            if self.owner.holder(key).is_some() {
                self.owner.clear_key(key);
                self.count -= 1;
            }
        }
        self.change_keys(batch.outcome, row, &before, &[]);
        self.owner.remove(row);
        self.displaced.remove(&row);
        let said = self.statements.get_mut(row as usize).map(std::mem::take);
        let owners = said.iter().flat_map(BySource::as_slice);
        let users = self.bindings.remove(&row).into_iter().flatten();
        for name in owners
            .filter_map(|said| said.facts.owner)
            .chain(users.map(|binding| binding.user))
        {
            names.mention(name, false);
        }
    }

    /// Puts a statement in the place of its source's last, or takes that away, and publishes.
    fn restate(
        &mut self,
        batch: &mut Batch<'_>,
        names: &mut Names,
        row: u32,
        statement: Option<Statement>,
    ) {
        self.touch(row);
        let Some(said) = self.statements.get_mut(row as usize) else {
            return;
        };
        let same_keys = match (&statement, said.get(batch.source)) {
            (Some(new), Some(old)) => {
                new.details == old.details && new.facts.owner == old.facts.owner
            }
            (Some(_) | None, _) => false,
        };
        let before = (!same_keys).then(|| self.keys_before(batch.keys, row));
        let is_new = |eas: &EasDeviceId| !is_stated(self.statements(row), eas);
        let said_anew = statement.iter().filter(|_| !same_keys);
        let new: Vec<EasDeviceId> = (said_anew.flat_map(|new| new.details.iter()))
            .filter_map(Detail::eas)
            .filter(is_new)
            .collect();
        if let Some(owner) = statement.as_ref().and_then(|new| new.facts.owner) {
            names.mention(owner, true);
        }
        let said = self.statements.get_mut(row as usize);
        let old = match (statement, said) {
            (Some(new), Some(said)) => said.put(new),
            (None, Some(said)) => said.take(batch.source),
            (_, None) => None,
        };
        let was = (old.as_ref().filter(|_| !new.is_empty())).and_then(|old| {
            let ids = old.details.iter().filter_map(Detail::eas);
            let owner = old
                .facts
                .owner
                .or_else(|| merge::owner(self.statements(row)))?;
            Some(ids.map(|eas| (eas, owner)).collect::<Vec<_>>())
        });
        if let Some(owner) = old.and_then(|old| old.facts.owner) {
            names.mention(owner, false);
        }
        self.outdate(names, row, &new, was.unwrap_or_default());
        self.publish(batch, names, row, before);
    }
}

/// The facts of a report with its owner and groups by number.
fn facts(batch: &mut Batch<'_>, names: &mut Names, report: &DeviceReport) -> Facts {
    let mut groups = batch.groups.intern(&report.groups);
    let owner = report.owner.as_ref().and_then(|owner| {
        let name = names.intern(batch.keys, owner);
        if name.is_none() {
            // An owner who cannot be named must not become nobody's device.
            groups = None;
        }
        name
    });
    batch.outcome.overflowed += u64::from(groups.is_none());
    Facts::new(report, owner, groups)
}

const LIMITS: Limits = Limits {
    rows: MAX_ROWS,
    chunk_bits: CHUNK_BITS,
    rest: REST,
};

const CHUNK_BITS: u32 = 12;

/// Own id, Entra id, serial, two addresses, ActiveSync with and without user.
const KEYS_EXPECTED: usize = 7;

/// Vacated rows that rest before the first is used again; see the arena.
const REST: usize = 4096;

/// Rows that are saved at a time.
pub(crate) const BLOCK: usize = 1024;

/// Learned bindings of one device: a family's tablet has a few (R36). The oldest makes room.
pub(crate) const MAX_BINDINGS: usize = 16;

/// Displaced ids of one device that are remembered, for people to see: more than a phone is reset
/// before its management reports it, and as many as three bits count. The oldest makes room.
pub(crate) const MAX_DISPLACED: usize = 7;
