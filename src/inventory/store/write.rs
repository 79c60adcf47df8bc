//! From the writer's state to octets.

use std::collections::HashMap;

use crate::inventory::group::GroupSet;
use crate::inventory::mapping::Binding;
use crate::inventory::record::Walks;
use crate::inventory::record::device_in;
use crate::inventory::record::tri_number;
use crate::inventory::state::State;
use crate::inventory::statement::Facts;
use crate::inventory::statement::Name;
use crate::inventory::statement::Statement;
use crate::inventory::store::BLOCK;
use crate::inventory::store::NO_VALUE;
use crate::inventory::store::NONE;
use crate::inventory::store::octets::put_count;
use crate::inventory::store::octets::put_sized;
use crate::inventory::store::octets::put_time;
use crate::model::SourceId;
use crate::model::UserId;

/// Head and devices.
pub(super) fn write(state: &State, walks: &Walks) -> (Vec<u8>, Vec<u8>) {
    let (mut numbers, names) = Numbers::of(state);
    let mut devices = Vec::with_capacity(state.devices.count() * TYPICAL);
    let count = put_devices(&mut devices, state, &mut numbers);
    let mut users = Vec::new();
    put_users(&mut users, state, &names, &mut numbers);

    let mut head = Vec::new();
    put_count(&mut head, count);
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
    put_count(&mut head, names.len());
    for (_, text) in &names {
        put_sized(&mut head, text.as_str().as_bytes());
    }
    head.append(&mut users);
    // So that whoever reads finds the devices.
    let length = head.len() as u64;
    head.splice(0..0, length.to_le_bytes());
    (head, devices)
}

/// Names and sets by the numbers they are written with: only those in use, one after the other.
struct Numbers {
    /// By row.
    names: Vec<u32>,
    sets: HashMap<u32, u32>,
    used_sets: Vec<GroupSet>,
}

impl Numbers {
    fn of(state: &State) -> (Self, Vec<(Name, UserId)>) {
        let in_use = state.names.in_use();
        let all: Vec<(Name, UserId)> = in_use.map(|(name, text)| (name, text.clone())).collect();
        let rows = all.last().map_or(0, |(name, _)| name.get() as usize + 1);
        let mut names = vec![NONE; rows];
        for ((name, _), number) in all.iter().zip(0..) {
            if let Some(place) = names.get_mut(name.get() as usize) {
                *place = number;
            }
        }
        let numbers = Self {
            names,
            sets: HashMap::new(),
            used_sets: Vec::new(),
        };
        (numbers, all)
    }

    fn name(&self, name: Name) -> u32 {
        let number = self.names.get(name.get() as usize);
        number.copied().unwrap_or(NONE)
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

fn put_users(out: &mut Vec<u8>, state: &State, names: &[(Name, UserId)], numbers: &mut Numbers) {
    let users = names
        .iter()
        .map(|(name, _)| (*name, state.names.statements(*name)))
        .filter(|(_, said)| !said.is_empty());
    put_count(out, users.clone().count());
    for (user, statements) in users {
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

/// Blocks: how many devices, how many octets, the devices. Gives how many there are in all.
fn put_devices(out: &mut Vec<u8>, state: &State, numbers: &mut Numbers) -> usize {
    let mut all = 0;
    let known = (0..state.devices.rows()).filter(|row| !state.devices.statements(*row).is_empty());
    let mut known = known.peekable();
    while known.peek().is_some() {
        let start = out.len();
        put_count(out, 0);
        put_count(out, 0);
        let mut count = 0;
        for row in known.by_ref().take(BLOCK) {
            let Some(words) = state.devices.owner().read(row) else {
                continue;
            };
            count += 1;
            let device = device_in(&words).as_u128();
            out.extend_from_slice(&device.to_le_bytes());
            put_device(
                out,
                state.devices.statements(row),
                state.devices.bindings(row),
                numbers,
            );
        }
        let mut sizes = Vec::new();
        put_count(&mut sizes, count);
        put_count(&mut sizes, out.len() - start - SIZES);
        if let Some(place) = out.get_mut(start..start + SIZES) {
            place.copy_from_slice(&sizes);
        }
        all += count;
    }
    all
}

fn put_device(
    out: &mut Vec<u8>,
    statements: &[Statement],
    bindings: &[Binding],
    numbers: &mut Numbers,
) {
    put_short_count(out, statements.len());
    put_short_count(out, bindings.len());
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

/// Statements and bindings of one device or user: one for each of 255 sources, or 16.
fn put_short_count(out: &mut Vec<u8>, count: usize) {
    out.push(u8::try_from(count).unwrap_or(u8::MAX));
}

const SIZES: usize = 8;

/// Octets of most devices.
const TYPICAL: usize = 224;
