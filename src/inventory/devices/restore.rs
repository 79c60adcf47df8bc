//! All devices at once, from what was saved of them.
//!
//! Nobody reads yet, so nothing has to be published one by one: threads read the blocks of
//! devices, each filling rows of its own; then the keys, sorted into parts, are entered by
//! threads into segments of their own. What only one can do comes last: keys that several devices
//! have, and devices whose sources name different groups.

use std::ops::Range;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::AtomicI32;
use std::sync::atomic::Ordering;

use crate::inventory::batch::Batch;
use crate::inventory::batch::Outcome;
use crate::inventory::devices::Devices;
use crate::inventory::devices::LIMITS;
use crate::inventory::group::GroupSet;
use crate::inventory::group::Interner;
use crate::inventory::index::Entered;
use crate::inventory::index::Extent;
use crate::inventory::index::MAX_ROWS;
use crate::inventory::index::PARTS;
use crate::inventory::key::Keys;
use crate::inventory::mapping::Binding;
use crate::inventory::mapping::Displaced;
use crate::inventory::mapping::Held;
use crate::inventory::mapping::keys_into;
use crate::inventory::mapping::rekey;
use crate::inventory::merge;
use crate::inventory::names::Names;
use crate::inventory::record;
use crate::inventory::record::DEVICE_WORDS;
use crate::inventory::statement::BySource;
use crate::inventory::statement::Name;
use crate::inventory::statement::Statement;
use crate::inventory::store::Block;
use crate::inventory::store::Damaged;
use crate::inventory::store::Run;
use crate::inventory::store::SavedDevice;
use crate::inventory::store::Tables;
use crate::inventory::table::Filling;
use crate::inventory::table::Holder;
use crate::model::DeviceId;
use crate::model::Posture;
use crate::model::SourceId;
use crate::model::Timestamp;

/// What every thread looks at.
struct Shop<'a> {
    keys: &'a Keys,
    names: &'a Names,
    tables: &'a Tables,
    filling: &'a Filling<DEVICE_WORDS>,
    /// How often a name is named, by row.
    mentions: &'a [AtomicI32],
}

/// A thread's share: blocks, and the rows of their devices.
struct Share<'a> {
    blocks: &'a [Block<'a>],
    rows: Range<u32>,
    said: &'a mut [BySource<Statement>],
}

/// What came of a share.
struct Made {
    /// By part.
    entries: Vec<Vec<Entered>>,
    /// Rows of devices of which no source that is still asked says anything.
    vacant: Vec<u32>,
    bindings: Vec<(u32, Vec<Binding>)>,
    displaced: Vec<(u32, Vec<Displaced>)>,
    /// Rows whose record still lacks its facts, because their groups are those of several sets.
    several_sets: Vec<u32>,
}

impl Devices {
    /// Takes the place of no devices at all. Counts what there was no room for.
    pub(crate) fn restore(
        &mut self,
        keys: &Keys,
        names: &mut Names,
        groups: &mut Interner,
        (tables, blocks): (&Tables, &[Block<'_>]),
        run: Run,
    ) -> Result<u64, Damaged> {
        let devices: usize = blocks.iter().map(|block| block.devices).sum();
        let rows = u32::try_from(devices).ok().filter(|rows| *rows <= MAX_ROWS);
        let rows = rows.ok_or(Damaged::Full("devices"))?;
        let filling = Filling::open(LIMITS);
        let mentions: Vec<AtomicI32> = (0..names.rows()).map(|_| AtomicI32::new(0)).collect();
        self.statements.resize_with(devices, BySource::default);
        let shop = Shop {
            keys,
            names,
            tables,
            filling: &filling,
            mentions: &mentions,
        };
        let shares = shares(blocks, &mut self.statements);
        let made: Result<Vec<Made>, Damaged> = each(run, shares, |share| shop.work(share))
            .into_iter()
            .collect();
        let mut made = made?;

        let entries = made.iter().flat_map(|made| &made.entries);
        let extent = Extent::for_keys(entries.map(Vec::len).sum::<usize>().max(SMALL));
        let vacant: Vec<u32> = made.iter().flat_map(|made| made.vacant.clone()).collect();
        self.count = devices - vacant.len();
        self.owner = filling.finish(rows, vacant, extent);
        for made in &mut made {
            self.bindings.extend(made.bindings.drain(..));
            self.displaced.extend(made.displaced.drain(..));
        }
        let overflowed = self.enter(keys, &made, run)?;

        for name in tables.names() {
            let mentioned = mentions.get(name.get() as usize);
            let times = mentioned.map_or(0, |times| times.load(Ordering::Relaxed));
            if times > 0 {
                names.mentioned(*name, times);
            }
        }
        let mut outcome = Outcome::default();
        let mut batch = Batch {
            source: SourceId::NONE,
            at: Timestamp::default(),
            walk: true,
            keys,
            groups,
            outcome: &mut outcome,
        };
        for row in made.iter().flat_map(|made| &made.several_sets) {
            self.publish(&mut batch, names, *row, None);
        }
        Ok(overflowed + outcome.overflowed)
    }

    /// Makes all keys lead to their devices.
    fn enter(&mut self, keys: &Keys, made: &[Made], run: Run) -> Result<u64, Damaged> {
        let index = self.owner.index();
        let groups: Vec<usize> = (0..index.groups()).collect();
        let stored = each(run, groups, |group| {
            let parts = index.parts_of(group);
            let entries = parts.flat_map(|part| {
                made.iter()
                    .filter_map(move |made| made.entries.get(part))
                    .flatten()
                    .copied()
            });
            index.enter(group, entries)
        });
        for stored in &stored {
            self.owner.entered(stored);
        }
        let mut overflowed = 0;
        let mut held = Vec::new();
        for entered in stored.iter().flat_map(|stored| &stored.left) {
            let found = entered
                .row()
                .and_then(|row| Some((row, self.owner.read(row)?)));
            let Some((row, words)) = found else { continue };
            let own = keys.device(record::device_in(&words));
            if entered.is_of(own) {
                // Its segment was full; or another row has it.
                let set = match self.owner.holder(own) {
                    None => self.owner.set_key(own, Holder::One(row)),
                    Some(_) => return Err(Damaged::Invalid("a device twice")),
                };
                set.map_err(|_| Damaged::Full("devices"))?;
                continue;
            }
            let owner = record::owner_in(&words);
            let bindings = self.bindings.get(&row).map_or(&[][..], Vec::as_slice);
            let said = self
                .statements
                .get(row as usize)
                .map_or(&[][..], BySource::as_slice);
            keys_into(&mut held, keys, said, (owner, bindings), |b| b.keyed);
            for held in held.iter().filter(|held| entered.is_of(held.key)) {
                let (_, stored) = self.shared.add(&mut self.owner, held.key, row);
                overflowed += u64::from(!stored);
            }
        }
        Ok(overflowed)
    }
}

impl Shop<'_> {
    fn work(&self, share: Share<'_>) -> Result<Made, Damaged> {
        let Share { blocks, rows, said } = share;
        let keys = rows.len() * KEYS;
        let mut made = Made {
            entries: (0..PARTS)
                .map(|_| Vec::with_capacity(keys / PARTS + 1))
                .collect(),
            vacant: Vec::new(),
            bindings: Vec::new(),
            displaced: Vec::new(),
            several_sets: Vec::new(),
        };
        let mut places = rows.zip(said);
        let mut held = Vec::new();
        for block in blocks {
            self.tables.each_device(*block, |device, saved| {
                let Some((row, place)) = places.next() else {
                    return Err(Damaged::Invalid("a block"));
                };
                if saved.said.is_empty() {
                    made.vacant.push(row);
                    return Ok(());
                }
                *place = self.device(&mut made, &mut held, (row, device), saved)?;
                Ok(())
            })?;
        }
        Ok(made)
    }

    fn device(
        &self,
        made: &mut Made,
        held: &mut Vec<Held>,
        (row, device): (u32, DeviceId),
        saved: SavedDevice,
    ) -> Result<BySource<Statement>, Damaged> {
        let SavedDevice {
            said,
            mut bindings,
            displaced,
        } = saved;
        let statements = said.as_slice();
        rekey(&mut bindings, self.names);
        let owners = statements.iter().filter_map(|said| said.facts.owner);
        for name in owners.chain(bindings.iter().map(|binding| binding.user)) {
            self.mention(name);
        }
        let owner = merge::owner(statements).map(|owner| self.names.reference(owner));
        let words = match one_set(statements) {
            Some(groups) => {
                let merged = match groups {
                    Some(_) => merge::merge(device, statements),
                    None => Posture::unknown(device),
                };
                record::encode(&Posture { owner, ..merged }, groups.unwrap_or_default())
            }
            None => {
                made.several_sets.push(row);
                let unknown = Posture::unknown(device);
                record::encode(&Posture { owner, ..unknown }, GroupSet::EMPTY)
            }
        };
        if !self.filling.fill(row, &words) {
            return Err(Damaged::Full("devices"));
        }
        keys_into(held, self.keys, statements, (owner, &bindings), |b| b.keyed);
        let all = held.iter().map(|held| held.key);
        for key in all.chain([self.keys.device(device)]) {
            let entered = Filling::<DEVICE_WORDS>::entry(key, row);
            if let Some(part) = made.entries.get_mut(entered.part()) {
                part.push(entered);
            }
        }
        if !bindings.is_empty() {
            made.bindings.push((row, bindings));
        }
        if !displaced.is_empty() {
            made.displaced.push((row, displaced));
        }
        Ok(said)
    }

    fn mention(&self, name: Name) {
        if let Some(times) = self.mentions.get(name.get() as usize) {
            times.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// The groups of a device whose sources name one set, or none that could be kept: `Some(None)`.
/// `None` when sets have to be joined first.
fn one_set(statements: &[Statement]) -> Option<Option<GroupSet>> {
    let mut one = GroupSet::EMPTY;
    let mut several = false;
    for said in statements {
        match said.facts.groups {
            None => return Some(None),
            Some(set) if set == GroupSet::EMPTY || set == one => {}
            Some(set) => {
                several |= one != GroupSet::EMPTY;
                one = set;
            }
        }
    }
    (!several).then_some(Some(one))
}

/// Divides blocks and places evenly.
fn shares<'a>(blocks: &'a [Block<'a>], said: &'a mut [BySource<Statement>]) -> Vec<Share<'a>> {
    let mut shares = Vec::new();
    let mut rest = said;
    let mut first = 0;
    for blocks in blocks.chunks(blocks.len().div_ceil(SHARES).max(1)) {
        let devices: usize = blocks.iter().map(|block| block.devices).sum();
        let (said, after) = rest.split_at_mut(devices.min(rest.len()));
        rest = after;
        let end = first + u32::try_from(devices).unwrap_or(0);
        shares.push(Share {
            blocks,
            rows: first..end,
            said,
        });
        first = end;
    }
    shares
}

/// What `work` makes of each item, in order.
fn each<T: Send, R: Send>(run: Run, items: Vec<T>, work: impl Fn(T) -> R + Sync) -> Vec<R> {
    let cells: Vec<Mutex<(Option<T>, Option<R>)>> = items
        .into_iter()
        .map(|item| Mutex::new((Some(item), None)))
        .collect();
    let job = |at: usize| {
        let Some(cell) = cells.get(at) else { return };
        let taken = cell.lock().unwrap_or_else(PoisonError::into_inner).0.take();
        if let Some(item) = taken {
            let result = work(item);
            cell.lock().unwrap_or_else(PoisonError::into_inner).1 = Some(result);
        }
    };
    run(&job, cells.len());
    // What nobody has done is done here.
    (0..cells.len()).for_each(job);
    let results = cells.into_iter();
    results
        .filter_map(|cell| cell.into_inner().unwrap_or_else(PoisonError::into_inner).1)
        .collect()
}

/// More than any machine has threads for, so that the last one is not waited for long.
const SHARES: usize = 64;

/// Keys of most devices, to make room for: own id, Entra id, serial, address, ActiveSync twice.
const KEYS: usize = 6;

/// Keys that an index always has room for.
const SMALL: usize = 10_000;
