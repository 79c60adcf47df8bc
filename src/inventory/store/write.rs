//! From the writer's state to octets.

use std::collections::HashMap;

use crate::inventory::devices::BLOCK;
use crate::inventory::group::GroupSet;
use crate::inventory::mapping::Binding;
use crate::inventory::mapping::Displaced;
use crate::inventory::record::Walks;
use crate::inventory::record::device_in;
use crate::inventory::record::tri_number;
use crate::inventory::state::State;
use crate::inventory::statement::Facts;
use crate::inventory::statement::Name;
use crate::inventory::statement::Statement;
use crate::inventory::store::BINDING_BITS;
use crate::inventory::store::NO_VALUE;
use crate::inventory::store::NONE;
use crate::inventory::store::octets::put_count;
use crate::inventory::store::octets::put_sized;
use crate::inventory::store::octets::put_time;
use crate::model::SourceId;

/// A copy that is being made.
#[derive(Default)]
pub(super) struct Copy {
    blocks: Vec<Block>,
    numbers: Numbers,
}

#[derive(Default)]
struct Block {
    /// What had been altered when it was copied; `None` before that.
    copied: Option<u64>,
    devices: usize,
    octets: Vec<u8>,
}

impl Copy {
    /// The blocks that are not in it as they are now.
    pub(super) fn behind(&mut self, state: &State) -> Vec<usize> {
        let blocks = (state.devices.rows() as usize).div_ceil(BLOCK);
        self.blocks.resize_with(blocks, Block::default);
        let known = self.blocks.iter().enumerate();
        known
            .filter(|(block, known)| {
                known
                    .copied
                    .is_none_or(|at| at < state.devices.changed(*block))
            })
            .map(|(block, _)| block)
            .collect()
    }

    /// How many devices, how many octets, the devices.
    pub(super) fn block(&mut self, state: &State, number: usize) {
        let Some(block) = self.blocks.get_mut(number) else {
            return;
        };
        block.copied = Some(state.devices.changes());
        block.devices = 0;
        let out = &mut block.octets;
        out.clear();
        out.reserve(BLOCK * TYPICAL);
        put_count(out, 0);
        put_count(out, 0);
        let first = u32::try_from(number * BLOCK).unwrap_or(u32::MAX);
        for row in (first..state.devices.rows()).take(BLOCK) {
            let statements = state.devices.statements(row);
            let words = state.devices.owner().read(row);
            let Some(words) = words.filter(|_| !statements.is_empty()) else {
                continue;
            };
            block.devices += 1;
            out.extend_from_slice(&device_in(&words).as_u128().to_le_bytes());
            let learned = (state.devices.bindings(row), state.devices.displaced(row));
            put_device(out, statements, learned, &mut self.numbers);
        }
        let mut sizes = Vec::new();
        put_count(&mut sizes, block.devices);
        put_count(&mut sizes, out.len() - SIZES);
        if let Some(place) = out.get_mut(..SIZES) {
            place.copy_from_slice(&sizes);
        }
    }

    /// Head and blocks, once nothing is behind.
    pub(super) fn finish(self, state: &State, walks: &Walks) -> (Vec<u8>, Vec<Vec<u8>>) {
        let Self {
            mut blocks,
            mut numbers,
        } = self;
        blocks.retain(|block| block.devices > 0);
        let devices = blocks.iter().map(|block| block.devices).sum();
        let mut users = Vec::new();
        put_users(&mut users, state, &mut numbers);

        let mut head = Vec::new();
        put_count(&mut head, devices);
        put_count(&mut head, state.sources().len());
        for (source, number) in state.sources().iter().zip(1..) {
            put_sized(&mut head, source.name.as_bytes());
            put_sized(&mut head, source.place.as_bytes());
            let walked = walks.last(SourceId(number));
            head.push(u8::from(walked.is_some()));
            put_time(&mut head, walked.unwrap_or_default());
        }
        put_count(&mut head, numbers.used_sets.len());
        for set in &numbers.used_sets {
            let groups = state.groups.get(*set);
            put_count(&mut head, groups.len());
            for group in groups {
                head.extend_from_slice(&group.as_u128().to_le_bytes());
            }
        }
        put_count(&mut head, numbers.used_names.len());
        for name in &numbers.used_names {
            let text = state.names.text(name.get());
            put_sized(&mut head, text.map_or(&[], |text| text.as_str().as_bytes()));
        }
        head.append(&mut users);
        // So that whoever reads finds the devices.
        let length = head.len() as u64;
        head.splice(0..0, length.to_le_bytes());
        (head, blocks.into_iter().map(|block| block.octets).collect())
    }
}

/// Names and sets by the numbers they are written with: one after the other as they are met.
#[derive(Default)]
struct Numbers {
    /// By row, the number and one more; 0 has none yet.
    names: Vec<u32>,
    used_names: Vec<Name>,
    sets: HashMap<u32, u32>,
    used_sets: Vec<GroupSet>,
}

impl Numbers {
    fn name(&mut self, name: Name) -> u32 {
        let row = name.get() as usize;
        if self.names.len() <= row {
            self.names.resize((row + 1).next_power_of_two(), 0);
        }
        let Some(number) = self.names.get_mut(row) else {
            return NONE;
        };
        if *number == 0 {
            self.used_names.push(name);
            *number = u32::try_from(self.used_names.len()).unwrap_or(NONE);
        }
        *number - 1
    }

    /// 0 is the set without groups.
    fn set(&mut self, set: Option<GroupSet>) -> u32 {
        match set {
            None => NONE,
            Some(GroupSet::EMPTY) => 0,
            Some(set) => *self.sets.entry(set.number()).or_insert_with(|| {
                self.used_sets.push(set);
                u32::try_from(self.used_sets.len()).unwrap_or(NONE)
            }),
        }
    }
}

fn put_users(out: &mut Vec<u8>, state: &State, numbers: &mut Numbers) {
    put_count(out, state.names.users());
    for (user, statements) in state.names.stated() {
        out.extend_from_slice(&numbers.name(user).to_le_bytes());
        put_short_count(out, statements.len());
        for said in statements {
            out.push(said.source.0);
            put_time(out, said.at);
            out.push(tri_number(said.enabled));
            out.extend_from_slice(&numbers.set(said.groups).to_le_bytes());
            put_count(out, said.aliases.len());
            for alias in &said.aliases {
                out.extend_from_slice(&numbers.name(*alias).to_le_bytes());
            }
        }
    }
}

fn put_device(
    out: &mut Vec<u8>,
    statements: &[Statement],
    (bindings, displaced): (&[Binding], &[Displaced]),
    numbers: &mut Numbers,
) {
    put_short_count(out, statements.len());
    put_short_count(out, displaced.len() << BINDING_BITS | bindings.len());
    for said in statements {
        out.push(said.source.0);
        put_time(out, said.at);
        put_facts(out, &said.facts, numbers);
        put_sized(out, said.details.octets());
    }
    for binding in bindings {
        put_sized(out, binding.eas.as_str().as_bytes());
        out.extend_from_slice(&numbers.name(binding.user).to_le_bytes());
        put_time(out, binding.at);
    }
    for of in displaced {
        put_sized(out, of.eas.as_str().as_bytes());
        put_sized(out, of.user.as_str().as_bytes());
    }
}

fn put_facts(out: &mut Vec<u8>, facts: &Facts, numbers: &mut Numbers) {
    out.extend_from_slice(&[
        tri_number(facts.managed),
        tri_number(facts.registered),
        tri_number(facts.eas_activated),
        tri_number(facts.encrypted),
        tri_number(facts.jailbroken),
        tri_number(facts.passcode),
        facts.compliance.map_or(NO_VALUE, |value| value as u8),
        facts.threat.map_or(NO_VALUE, |value| value as u8),
        facts.platform as u8,
        facts.join as u8,
        facts.ownership as u8,
        facts.retirement as u8,
    ]);
    let owner = facts.owner.map_or(NONE, |owner| numbers.name(owner));
    out.extend_from_slice(&owner.to_le_bytes());
    out.extend_from_slice(&numbers.set(facts.groups).to_le_bytes());
    out.extend_from_slice(&facts.os_version.to_bits().to_le_bytes());
}

/// Statements and bindings of one device or user: one for each of 255 sources, or what fits into an
/// octet.
fn put_short_count(out: &mut Vec<u8>, count: usize) {
    out.push(u8::try_from(count).unwrap_or(u8::MAX));
}

const SIZES: usize = 8;

/// Octets of most devices.
const TYPICAL: usize = 224;
