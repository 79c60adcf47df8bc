//! From octets to the writer's state, nothing believed.

use crate::inventory::batch::Batch;
use crate::inventory::batch::Outcome;
use crate::inventory::devices::MAX_BINDINGS;
use crate::inventory::devices::MAX_DISPLACED;
use crate::inventory::group::GroupSet;
use crate::inventory::mapping::Binding;
use crate::inventory::mapping::Displaced;
use crate::inventory::names::UserStatement;
use crate::inventory::record::tri_from;
use crate::inventory::state::State;
use crate::inventory::statement::BySource;
use crate::inventory::statement::Details;
use crate::inventory::statement::Facts;
use crate::inventory::statement::Name;
use crate::inventory::statement::Statement;
use crate::inventory::store::BINDING_BITS;
use crate::inventory::store::Damaged;
use crate::inventory::store::NO_VALUE;
use crate::inventory::store::NONE;
use crate::inventory::store::Walk;
use crate::inventory::store::octets::Octets;
use crate::model::ComplianceState;
use crate::model::DeviceId;
use crate::model::EasDeviceId;
use crate::model::GroupId;
use crate::model::Join;
use crate::model::OsVersion;
use crate::model::Ownership;
use crate::model::Platform;
use crate::model::Retirement;
use crate::model::SourceId;
use crate::model::ThreatLevel;
use crate::model::Timestamp;
use crate::model::Tri;
use crate::model::UserId;
use crate::model::UserRef;

/// Devices of one block.
#[derive(Clone, Copy)]
pub(crate) struct Block<'a> {
    pub(crate) devices: usize,
    octets: Octets<'a>,
}

/// The head, and the devices in blocks.
pub(super) fn split(octets: &[u8]) -> Result<(Octets<'_>, Vec<Block<'_>>), Damaged> {
    let mut all = Octets::new(octets);
    let length = usize::try_from(all.u64()?).map_err(|_| Damaged::Cut)?;
    let mut head = Octets::new(all.take(length)?);
    let announced = head.u32()? as usize;
    let mut blocks: Vec<Block<'_>> = Vec::new();
    while !all.is_empty() {
        let devices = all.u32()? as usize;
        let length = all.u32()? as usize;
        if devices == 0 || devices > length / SHORTEST_DEVICE {
            return Err(Damaged::Invalid("a block"));
        }
        blocks.push(Block {
            devices,
            octets: Octets::new(all.take(length)?),
        });
    }
    if blocks.iter().map(|block| block.devices).sum::<usize>() != announced {
        return Err(Damaged::Cut);
    }
    Ok((head, blocks))
}

/// What the numbers in devices mean.
#[derive(Debug)]
pub(crate) struct Tables {
    /// By saved number, less one; `None` for a source that is not asked any more.
    sources: Vec<Option<SourceId>>,
    /// By saved number; the first is the one without groups.
    sets: Vec<GroupSet>,
    names: Vec<Name>,
}

/// Reads sources, groups, names and users into a state that has no devices yet.
pub(super) fn head(
    mut octets: Octets<'_>,
    state: &mut State,
) -> Result<(Tables, Vec<Walk>), Damaged> {
    let (sources, walks) = read_sources(&mut octets, state)?;
    let (keys, _, names, groups) = state.parts();
    let mut sets = vec![GroupSet::EMPTY];
    for _ in 0..octets.count(4)? {
        let count = octets.count(16)?;
        let ids: Result<Vec<GroupId>, Damaged> = (0..count)
            .map(|_| octets.u128().map(GroupId::from_u128))
            .collect();
        sets.push(groups.intern(&ids?).ok_or(Damaged::Full("groups"))?);
    }
    let mut interned = Vec::new();
    for _ in 0..octets.count(2)? {
        let text = octets.text()?;
        let name = UserId::parse(text).filter(|name| name.as_str() == text);
        let name = name.ok_or(Damaged::Invalid("a name"))?;
        if names.find(keys, &name).is_some() {
            return Err(Damaged::Invalid("a name twice"));
        }
        let name = names.intern(keys, &name).ok_or(Damaged::Full("names"))?;
        interned.push(name);
    }
    let tables = Tables {
        sources,
        sets,
        names: interned,
    };
    let mut outcome = Outcome::default();
    let mut batch = Batch {
        source: SourceId::NONE,
        at: Timestamp::default(),
        walk: true,
        keys,
        groups,
        outcome: &mut outcome,
    };
    for _ in 0..octets.count(5)? {
        let user = tables.name(octets.u32()?)?;
        if !names.statements(user).is_empty() {
            return Err(Damaged::Invalid("a user twice"));
        }
        let said = tables.user(&mut octets, user)?;
        if !said.is_empty() {
            names.restore(&mut batch, user, said);
        }
    }
    octets.end()?;
    Ok((tables, walks))
}

fn read_sources(
    octets: &mut Octets<'_>,
    state: &State,
) -> Result<(Vec<Option<SourceId>>, Vec<Walk>), Damaged> {
    let mut sources = Vec::new();
    let mut walks = Vec::new();
    for _ in 0..octets.count(13)? {
        let (name, place) = (octets.text()?, octets.text()?);
        let walked = (octets.u8()? != 0, octets.time()?);
        let configured = (state.sources().iter().zip(1_u8..))
            .find(|(source, _)| source.name == name && source.place == place)
            .map(|(_, number)| SourceId(number));
        if configured.is_some() && sources.contains(&configured) {
            return Err(Damaged::Invalid("a source twice"));
        }
        sources.push(configured);
        if let (Some(source), (true, at)) = (configured, walked) {
            walks.push((source, at));
        }
    }
    Ok((sources, walks))
}

/// What was saved of a device.
#[derive(Default)]
pub(crate) struct SavedDevice {
    pub(crate) said: BySource<Statement>,
    pub(crate) bindings: Vec<Binding>,
    pub(crate) displaced: Vec<Displaced>,
}

impl Tables {
    /// Reads the devices of a block one after the other.
    pub(crate) fn each_device(
        &self,
        block: Block<'_>,
        mut device: impl FnMut(DeviceId, SavedDevice) -> Result<(), Damaged>,
    ) -> Result<(), Damaged> {
        let mut octets = block.octets;
        for _ in 0..block.devices {
            let id = DeviceId::from_u128(octets.u128()?);
            device(id, self.device(&mut octets)?)?;
        }
        octets.end()
    }

    fn device(&self, octets: &mut Octets<'_>) -> Result<SavedDevice, Damaged> {
        let [statements, learned] = octets.octets()?;
        let displaced = usize::from(learned >> BINDING_BITS);
        let bindings = learned & ((1 << BINDING_BITS) - 1);
        let mut saved = SavedDevice::default();
        let mut last = 0;
        for _ in 0..statements {
            let source = self.source(octets, &mut last)?;
            let at = octets.time()?;
            let facts = self.facts(octets)?;
            let details = Details::check(octets.sized()?).ok_or(Damaged::Invalid("a detail"))?;
            if let Some(source) = source {
                saved.said.put(Statement {
                    source,
                    at,
                    facts,
                    details,
                });
            }
        }
        if usize::from(bindings) > MAX_BINDINGS || displaced > MAX_DISPLACED {
            return Err(Damaged::Invalid("a device with so many bindings"));
        }
        for _ in 0..bindings {
            let eas = EasDeviceId::parse(octets.sized()?);
            let user = self.name(octets.u32()?)?;
            saved.bindings.push(Binding {
                eas: eas.ok_or(Damaged::Invalid("a DeviceId"))?,
                user,
                keyed: UserRef(user.get()),
                at: octets.time()?,
            });
        }
        for _ in 0..displaced {
            let eas = EasDeviceId::parse(octets.sized()?);
            let text = octets.text()?;
            let user = UserId::parse(text).filter(|user| user.as_str() == text);
            saved.displaced.push(Displaced {
                eas: eas.ok_or(Damaged::Invalid("a DeviceId"))?,
                user: user.ok_or(Damaged::Invalid("a name"))?,
            });
        }
        Ok(saved)
    }

    fn facts(&self, octets: &mut Octets<'_>) -> Result<Facts, Damaged> {
        let [
            managed,
            registered,
            eas_activated,
            encrypted,
            jailbroken,
            passcode,
            compliance,
            threat,
            platform,
            join,
            ownership,
            retirement,
        ] = octets.octets()?;
        let owner = match octets.u32()? {
            NONE => None,
            number => Some(self.name(number)?),
        };
        Ok(Facts {
            managed: tri(managed)?,
            registered: tri(registered)?,
            compliance: optional(&ComplianceState::ALL, compliance)?,
            eas_activated: tri(eas_activated)?,
            encrypted: tri(encrypted)?,
            jailbroken: tri(jailbroken)?,
            passcode: tri(passcode)?,
            threat: optional(&ThreatLevel::ALL, threat)?,
            platform: one_of(&Platform::ALL, platform)?,
            join: one_of(&Join::ALL, join)?,
            ownership: one_of(&Ownership::ALL, ownership)?,
            retirement: one_of(&Retirement::ALL, retirement)?,
            owner,
            groups: self.set(octets.u32()?)?,
            os_version: OsVersion::from_bits(octets.u64()?),
        })
    }

    /// What sources said of a user.
    fn user(&self, octets: &mut Octets<'_>, user: Name) -> Result<Vec<UserStatement>, Damaged> {
        let mut all = Vec::new();
        let mut last = 0;
        for _ in 0..octets.u8()? {
            let source = self.source(octets, &mut last)?;
            let at = octets.time()?;
            let enabled = tri(octets.u8()?)?;
            let groups = self.set(octets.u32()?)?;
            let count = octets.count(4)?;
            let aliases: Result<Vec<Name>, Damaged> =
                (0..count).map(|_| self.name(octets.u32()?)).collect();
            let mut aliases = aliases?;
            if aliases.contains(&user) {
                return Err(Damaged::Invalid("an alias"));
            }
            // Rows are given anew, and aliases are kept in the order of their rows.
            aliases.sort_unstable();
            aliases.dedup();
            if let Some(source) = source {
                all.push(UserStatement {
                    source,
                    at,
                    enabled,
                    groups,
                    aliases: aliases.into(),
                });
            }
        }
        Ok(all)
    }

    /// The source of a statement; those of one device or user come in the order of their numbers.
    fn source(&self, octets: &mut Octets<'_>, last: &mut u8) -> Result<Option<SourceId>, Damaged> {
        let number = octets.u8()?;
        if number <= *last {
            return Err(Damaged::Invalid("a source out of order"));
        }
        *last = number;
        let source = self.sources.get(usize::from(number) - 1);
        source.copied().ok_or(Damaged::Invalid("a source"))
    }

    fn name(&self, number: u32) -> Result<Name, Damaged> {
        let name = self.names.get(number as usize);
        name.copied().ok_or(Damaged::Invalid("a name's number"))
    }

    fn set(&self, number: u32) -> Result<Option<GroupSet>, Damaged> {
        if number == NONE {
            return Ok(None);
        }
        let set = self.sets.get(number as usize).copied();
        set.map(Some).ok_or(Damaged::Invalid("a group's number"))
    }

    /// All names that were saved.
    pub(crate) fn names(&self) -> &[Name] {
        &self.names
    }
}

fn tri(number: u8) -> Result<Tri, Damaged> {
    if number > 2 {
        return Err(Damaged::Invalid("a fact"));
    }
    Ok(tri_from(usize::from(number)))
}

fn optional<T: Copy>(all: &[T], number: u8) -> Result<Option<T>, Damaged> {
    if number == NO_VALUE {
        return Ok(None);
    }
    one_of(all, number).map(Some)
}

fn one_of<T: Copy>(all: &[T], number: u8) -> Result<T, Damaged> {
    let value = all.get(usize::from(number)).copied();
    value.ok_or(Damaged::Invalid("a fact"))
}

/// Its id and how many statements and bindings it has.
const SHORTEST_DEVICE: usize = 18;
