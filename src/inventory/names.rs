//! Users by any of their names, the writer's side.
//!
//! A name is given a row once and keeps it, so the number of a user means the same person as long
//! as the process lives, even if the user goes and comes back. A user's number is the row of the
//! user's own name; an alias leads there. A name that two users claim as an alias leads to nobody:
//! never to whoever came last. A user's own name is never another's alias.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::OnceLock;

use crate::inventory::arena::Chunks;
use crate::inventory::arena::Limits;
use crate::inventory::batch::Batch;
use crate::inventory::batch::Outcome;
use crate::inventory::change::Change;
use crate::inventory::group::GroupSet;
use crate::inventory::index::Extent;
use crate::inventory::index::MAX_ROWS;
use crate::inventory::key::Keys;
use crate::inventory::record::NameRecord;
use crate::inventory::record::Resolution;
use crate::inventory::record::USER_WORDS;
use crate::inventory::record::fact_word;
use crate::inventory::report::UserReport;
use crate::inventory::statement::BySource;
use crate::inventory::statement::Name;
use crate::inventory::statement::Sourced;
use crate::inventory::table::Holder;
use crate::inventory::table::Owner;
use crate::model::Fact;
use crate::model::SourceId;
use crate::model::Timestamp;
use crate::model::Tri;
use crate::model::UserId;
use crate::model::UserRef;

/// Readers' side: how the name of a row is spelled. A row keeps its name, so each is set once.
pub(crate) struct Spellings(Chunks<OnceLock<UserId>>);

impl Spellings {
    /// The name of a row; `None` for a row that was never given out.
    pub(crate) fn get(&self, row: u32) -> Option<&UserId> {
        self.0.get(row)?.get()
    }

    fn set(&self, row: u32, text: &UserId) {
        if let Some(place) = self.0.make(row, OnceLock::new) {
            place.get_or_init(|| text.clone());
        }
    }
}

/// All names.
pub(crate) struct Names {
    owner: Owner<USER_WORDS>,
    spellings: Arc<Spellings>,
    /// By row.
    cold: Vec<ColdName>,
    /// Who claims a name that more than one user claims as an alias.
    claims: HashMap<Name, Vec<Name>>,
    users: usize,
}

struct ColdName {
    /// What sources say of the user whose own name this is.
    statements: BySource<UserStatement>,
    /// Groups of all statements; `None` when they could not be kept.
    groups: Option<GroupSet>,
    /// Who claims the name as an alias, if it is one user.
    claimant: Option<Name>,
    /// Statements and bindings of devices that name it.
    mentions: u32,
}

impl ColdName {
    const fn new() -> Self {
        Self {
            statements: BySource::None,
            groups: Some(GroupSet::EMPTY),
            claimant: None,
            mentions: 0,
        }
    }
}

/// What a source says of a user.
pub(crate) struct UserStatement {
    pub(crate) source: SourceId,
    pub(crate) at: Timestamp,
    pub(crate) enabled: Tri,
    /// `None` when there was no room for the set.
    pub(crate) groups: Option<GroupSet>,
    /// Sorted.
    pub(crate) aliases: Box<[Name]>,
}

impl Sourced for UserStatement {
    fn source(&self) -> SourceId {
        self.source
    }
}

impl Names {
    pub(crate) fn open(expected: usize) -> Self {
        let limits = Limits {
            rows: MAX_ROWS,
            chunk_bits: CHUNK_BITS,
            rest: REST,
        };
        let mut owner = Owner::open(limits, Extent::for_keys(expected));
        // Row 0 stays without a name, so that a row can be a number other than zero.
        owner.add(&NameRecord::of(Resolution::Nobody).encode());
        Self {
            owner,
            spellings: Arc::new(Spellings(Chunks::new(MAX_ROWS, CHUNK_BITS))),
            cold: vec![ColdName::new()],
            claims: HashMap::new(),
            users: 0,
        }
    }

    pub(crate) const fn owner(&self) -> &Owner<USER_WORDS> {
        &self.owner
    }

    pub(crate) fn spellings(&self) -> Arc<Spellings> {
        Arc::clone(&self.spellings)
    }

    /// Users of whom a source says something.
    pub(crate) const fn users(&self) -> usize {
        self.users
    }

    pub(crate) fn text(&self, row: u32) -> Option<&UserId> {
        self.spellings.get(row)
    }

    /// All users of whom `source` says something.
    pub(crate) fn stated_by(&self, source: SourceId) -> impl Iterator<Item = Name> {
        self.cold.iter().zip(0..).filter_map(move |(cold, row)| {
            cold.statements.get(source)?;
            Name::new(row)
        })
    }

    /// The row of a name that has one.
    pub(crate) fn find(&self, keys: &Keys, text: &UserId) -> Option<Name> {
        match self.owner.holder(keys.user(text.as_str())?)? {
            Holder::One(row) => Name::new(row),
            Holder::Several => None,
        }
    }

    /// The row of a name, made if need be; `None` when there is no room for another.
    pub(crate) fn intern(&mut self, keys: &Keys, text: &UserId) -> Option<Name> {
        if let Some(name) = self.find(keys, text) {
            return Some(name);
        }
        let key = keys.user(text.as_str())?;
        let row = self
            .owner
            .add(&NameRecord::of(Resolution::Nobody).encode())?;
        if self.owner.set_key(key, Holder::One(row)).is_err() {
            self.owner.remove(row);
            return None;
        }
        let at = row as usize;
        if self.cold.len() <= at {
            self.cold.resize_with(at + 1, ColdName::new);
        }
        self.cold[at] = ColdName::new();
        self.spellings.set(row, text);
        Name::new(row)
    }

    /// The user that a device's owner of this name is.
    pub(crate) fn reference(&self, name: Name) -> UserRef {
        self.resolve(name).reference(name)
    }

    /// Rows that were ever used.
    pub(crate) const fn rows(&self) -> usize {
        self.cold.len()
    }

    /// All users, and what sources say of them.
    pub(crate) fn stated(&self) -> impl Iterator<Item = (Name, &[UserStatement])> {
        (0..).zip(&self.cold).filter_map(|(row, cold)| {
            let said = cold.statements.as_slice();
            Some((Name::new(row)?, said)).filter(|_| !said.is_empty())
        })
    }

    /// What sources say of the user whose own name this is.
    pub(crate) fn statements(&self, name: Name) -> &[UserStatement] {
        self.cold(name)
            .map_or(&[], |cold| cold.statements.as_slice())
    }

    /// Says again what sources have said of a user.
    pub(crate) fn restore(&mut self, batch: &mut Batch<'_>, user: Name, said: Vec<UserStatement>) {
        self.restate(batch, user, |statements| {
            for statement in said {
                statements.put(statement);
            }
        });
    }

    /// One more device's statement or binding names `name`, or one less.
    pub(crate) fn mention(&mut self, name: Name, more: bool) {
        self.mentioned(name, if more { 1 } else { -1 });
    }

    /// So many more statements and bindings of devices name `name`, or less.
    pub(crate) fn mentioned(&mut self, name: Name, more: i32) {
        if let Some(cold) = self.cold_mut(name) {
            cold.mentions = cold.mentions.saturating_add_signed(more);
        }
        // Whether a name without a user is found or not decides nothing: no change to report.
        let record = self.record(name).encode();
        if self.owner.read(name.get()) != Some(record) {
            self.owner.replace(name.get(), &record);
        }
    }

    /// A source says this of a user.
    pub(crate) fn state(&mut self, batch: &mut Batch<'_>, report: &UserReport) {
        let Some(user) = self.intern(batch.keys, &report.user) else {
            batch.outcome.overflowed += 1;
            return;
        };
        let mut aliases: Vec<Name> = Vec::new();
        for alias in report.aliases.iter().take(UserReport::MAX_ALIASES) {
            match self.intern(batch.keys, alias) {
                Some(alias) if alias != user => aliases.push(alias),
                Some(_) => {}
                None => batch.outcome.overflowed += 1,
            }
        }
        aliases.sort_unstable();
        aliases.dedup();
        let statement = UserStatement {
            source: batch.source,
            at: batch.at,
            enabled: report.enabled,
            groups: batch.groups.intern(&report.groups),
            aliases: aliases.into(),
        };
        batch.outcome.overflowed += u64::from(statement.groups.is_none());
        let Some(cold) = self.cold_mut(user) else {
            return;
        };
        if let Some(before) = cold.statements.get_mut(statement.source)
            && before.enabled == statement.enabled
            && before.groups == statement.groups
            && before.aliases == statement.aliases
        {
            before.at = statement.at;
            if !batch.walk {
                self.freshen(user);
            }
            return;
        }
        self.restate(batch, user, |statements| {
            statements.put(statement);
        });
    }

    /// A source no longer says anything of a user.
    pub(crate) fn unstate(&mut self, batch: &mut Batch<'_>, user: Name) {
        let source = batch.source;
        self.restate(batch, user, |statements| {
            statements.take(source);
        });
    }

    fn restate(
        &mut self,
        batch: &mut Batch<'_>,
        user: Name,
        change: impl FnOnce(&mut BySource<UserStatement>),
    ) {
        let Some(cold) = self.cold_mut(user) else {
            return;
        };
        let was_user = !cold.statements.is_empty();
        let before = aliases_of(&cold.statements);
        change(&mut cold.statements);
        let after = aliases_of(&cold.statements);
        let is_user = !cold.statements.is_empty();
        let mut sets = cold.statements.as_slice().iter().map(|said| said.groups);
        // One set that could not be kept spoils the union.
        cold.groups = sets
            .by_ref()
            .collect::<Option<Vec<GroupSet>>>()
            .and_then(|sets| batch.groups.union(sets.into_iter()));
        self.users = self.users + usize::from(is_user) - usize::from(was_user);
        let outcome = &mut *batch.outcome;
        self.publish(user, outcome);
        for alias in before.iter().filter(|alias| !after.contains(alias)) {
            self.claim(*alias, user, false, outcome);
        }
        for alias in after.iter().filter(|alias| !before.contains(alias)) {
            self.claim(*alias, user, true, outcome);
        }
    }

    /// `user` has `alias` as an alias, or no longer has.
    fn claim(&mut self, alias: Name, user: Name, has: bool, outcome: &mut Outcome) {
        let Some(cold) = self.cold.get_mut(alias.get() as usize) else {
            return;
        };
        let mut claimants = match (self.claims.remove(&alias), cold.claimant) {
            (Some(several), _) => several,
            (None, one) => one.into_iter().collect(),
        };
        claimants.retain(|claimant| *claimant != user);
        if has {
            claimants.push(user);
        }
        cold.claimant = None;
        match *claimants {
            [] => {}
            [one] => cold.claimant = Some(one),
            [..] => {
                self.claims.insert(alias, claimants);
            }
        }
        self.publish(alias, outcome);
    }

    /// Whom a name means now.
    fn resolve(&self, name: Name) -> Resolution {
        let Some(cold) = self.cold(name) else {
            return Resolution::Nobody;
        };
        if !cold.statements.is_empty() {
            // Without its groups a user could fall out of a policy's target: better unknown.
            return match cold.groups {
                Some(_) => Resolution::User(name.get()),
                None => Resolution::Several,
            };
        }
        match cold.claimant {
            Some(user) => Resolution::User(user.get()),
            None if self.claims.contains_key(&name) => Resolution::Several,
            None if cold.mentions > 0 => Resolution::User(name.get()),
            None => Resolution::Nobody,
        }
    }

    /// Stores the record of a name if it differs, and notes what that alters.
    fn publish(&mut self, name: Name, outcome: &mut Outcome) {
        let (row, record) = (name.get(), self.record(name));
        let Some(before) = self
            .owner
            .read(row)
            .map(|words| NameRecord::of_words(&words))
        else {
            return;
        };
        if before == record {
            return;
        }
        self.owner.replace(row, &record.encode());
        let moved = before.leads_to != record.leads_to;
        if before.leads_to.reference(name) != record.leads_to.reference(name)
            && self.cold(name).is_some_and(|cold| cold.mentions > 0)
        {
            outcome.moved.insert(name);
        }
        let differs = before.enabled.value != record.enabled.value
            || before.enabled.source != record.enabled.source
            || before.listed != record.listed
            || before.groups != record.groups;
        if moved || differs {
            for whom in [before.leads_to, record.leads_to] {
                if let Resolution::User(user) = whom {
                    outcome.changes.push(Change::User(UserRef(user)));
                }
            }
        }
    }

    /// The account's state was said again: only its time moves on, in place.
    fn freshen(&mut self, user: Name) {
        let enabled = self.record(user).enabled;
        let word = fact_word(enabled.source, enabled.observed);
        self.owner.amend(user.get(), NameRecord::FACT, word);
    }

    fn record(&self, name: Name) -> NameRecord {
        let cold = self.cold(name);
        NameRecord {
            leads_to: self.resolve(name),
            listed: cold.is_some_and(|cold| !cold.statements.is_empty()),
            enabled: cold
                .map(|cold| enabled(&cold.statements))
                .unwrap_or_default(),
            groups: cold.and_then(|cold| cold.groups).unwrap_or_default(),
        }
    }

    fn cold(&self, name: Name) -> Option<&ColdName> {
        self.cold.get(name.get() as usize)
    }

    fn cold_mut(&mut self, name: Name) -> Option<&mut ColdName> {
        self.cold.get_mut(name.get() as usize)
    }
}

/// The first source that states a value.
fn enabled(statements: &BySource<UserStatement>) -> Fact<Tri> {
    statements
        .as_slice()
        .iter()
        .find(|said| said.enabled != Tri::Unknown)
        .map(|said| Fact::new(said.enabled, said.source, said.at))
        .unwrap_or_default()
}

fn aliases_of(statements: &BySource<UserStatement>) -> Vec<Name> {
    let said = statements.as_slice().iter();
    let mut all: Vec<Name> = said.flat_map(|said| said.aliases.iter().copied()).collect();
    all.sort_unstable();
    all.dedup();
    all
}

const CHUNK_BITS: u32 = 12;

/// Vacated rows that rest before the first is used again; see the arena.
const REST: usize = 4096;
