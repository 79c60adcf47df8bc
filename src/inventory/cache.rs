//! The two ends of the inventory: [`open`] gives the one [`Writer`] and a [`Reader`] to copy.

use std::sync::Arc;
use std::sync::PoisonError;
use std::sync::RwLock;
use std::sync::RwLockReadGuard;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;

use crate::inventory::clients::Clients;
use crate::inventory::description::Description;
use crate::inventory::group::GroupSet;
use crate::inventory::group::GroupSets;
use crate::inventory::index::Key;
use crate::inventory::key::Keys;
use crate::inventory::names::Spellings;
use crate::inventory::record;
use crate::inventory::record::DEVICE_WORDS;
use crate::inventory::record::NameRecord;
use crate::inventory::record::Resolution;
use crate::inventory::record::USER_WORDS;
use crate::inventory::record::Walks;
use crate::inventory::state::State;
use crate::inventory::statement::Name;
use crate::inventory::table::Found;
use crate::inventory::table::Table;
use crate::inventory::writer::Writer;
use crate::model::DeviceId;
use crate::model::EasDeviceId;
use crate::model::Fact;
use crate::model::GroupId;
use crate::model::Identifier;
use crate::model::MacAddress;
use crate::model::Posture;
use crate::model::SourceId;
use crate::model::Timestamp;
use crate::model::Tri;
use crate::model::UserId;
use crate::model::UserRef;

/// How an inventory is set up.
#[derive(Clone, Debug)]
pub struct Config {
    /// Key of the hashes of identifiers: random for each process, so that nobody can choose
    /// identifiers that fall together.
    pub seed: [u8; 16],
    /// Devices to make room for at the start; more are taken as they come.
    pub expected_devices: usize,
    /// Names of users to make room for at the start.
    pub expected_names: usize,
    /// When a complete list is too short to be true.
    pub guard: Guard,
}

impl Config {
    /// The defaults with a seed.
    #[must_use]
    pub const fn new(seed: [u8; 16]) -> Self {
        Self {
            seed,
            expected_devices: 1000,
            expected_names: 1000,
            guard: Guard::DEFAULT,
        }
    }
}

/// A complete list that leaves out more than `percent` of what its source had stated, and at
/// least `at_least`, is refused. An empty one always is, unless there was nothing before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Guard {
    /// Percentage that may go missing.
    pub percent: u8,
    /// Number below which any percentage may.
    pub at_least: usize,
}

impl Guard {
    /// More than 10 %, and at least 50.
    pub const DEFAULT: Self = Self {
        percent: 10,
        at_least: 50,
    };
}

/// Makes an empty inventory.
#[must_use]
pub fn open(config: Config) -> (Writer, Reader) {
    assemble(&config, State::open(&config))
}

/// The two ends of a state.
pub(crate) fn assemble(config: &Config, state: State) -> (Writer, Reader) {
    let shared = Arc::new(Shared {
        keys: Keys::new(config.seed),
        devices: state.devices.owner().table(),
        names: state.names.owner().table(),
        spellings: state.names.spellings(),
        groups: state.groups.sets(),
        clients: Clients::new(),
        walks: Walks::new(),
        generation: AtomicU64::new(0),
        deliveries: AtomicU64::new(0),
        device_count: AtomicUsize::new(state.devices.count()),
        user_count: AtomicUsize::new(state.names.users()),
        overflowed: AtomicU64::new(0),
    });
    let reader = Reader {
        shared,
        state: Arc::new(RwLock::new(state)),
    };
    (Writer::new(reader.clone(), config.guard), reader)
}

/// What readers use without a lock.
pub(crate) struct Shared {
    pub(crate) keys: Keys,
    pub(crate) devices: Arc<Table<DEVICE_WORDS>>,
    pub(crate) names: Arc<Table<USER_WORDS>>,
    pub(crate) spellings: Arc<Spellings>,
    pub(crate) groups: Arc<GroupSets>,
    pub(crate) clients: Clients,
    pub(crate) walks: Walks,
    pub(crate) generation: AtomicU64,
    pub(crate) deliveries: AtomicU64,
    pub(crate) device_count: AtomicUsize,
    pub(crate) user_count: AtomicUsize,
    pub(crate) overflowed: AtomicU64,
}

/// The readers' end. It never waits for the writer, and its hot methods ([`Reader::find`],
/// [`Reader::user`], [`Reader::owner`], [`Reader::user_name`], [`Reader::groups`],
/// [`Reader::generation`]) neither lock nor allocate.
///
/// The methods marked *cold* take a lock that the writer holds for a thousand updates at a time.
#[derive(Clone)]
pub struct Reader {
    pub(crate) shared: Arc<Shared>,
    pub(crate) state: Arc<RwLock<State>>,
}

/// What an identifier finds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lookup {
    /// One device: all that is known of it, and its groups.
    Found(Posture, GroupSet),
    /// No device, or the identifier is of a kind that identifies nothing.
    Unknown,
    /// More than one device has it; which of them asks cannot be told.
    Ambiguous,
    /// An ActiveSync id that is known, but not in the hands of this user.
    OfAnotherUser,
}

/// What is known of a user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UserEntry {
    /// The user's number, the same for all names and the one in [`Posture::owner`].
    pub user: UserRef,
    /// Whether a source lists the user. Not so of a name that only a device has as its owner: the
    /// directory may have deleted them.
    pub listed: bool,
    /// Whether the account may be used. Without source when no source states the account, for
    /// example when only a device names the user as its owner.
    pub enabled: Fact<Tri>,
    /// The user's groups, of all sources together.
    pub groups: GroupSet,
}

/// Addresses that [`Reader::read_ahead`] takes at once.
const READ_AHEAD: usize = 64;

impl Reader {
    /// Finds a device.
    ///
    /// The record is whole, and was current at some moment during the call. All identifiers of a
    /// device show a new record at the same moment; identifiers that a device gains or loses do
    /// so one after the other. The facts' times are those of the last delivery that stated them,
    /// a complete walk included.
    #[must_use]
    pub fn find(&self, identifier: &Identifier<'_>) -> Lookup {
        if let Identifier::Eas(eas, user) = identifier {
            return self.find_eas(eas, user);
        }
        let key = self.key(identifier);
        key.map_or(Lookup::Unknown, |key| self.find_key(key))
    }

    /// Finds a device and a user: what [`find`](Self::find) and [`user`](Self::user) give, one
    /// after the other, but their waits for memory overlap.
    #[must_use]
    pub fn find_with_user(
        &self,
        identifier: &Identifier<'_>,
        name: &str,
    ) -> (Lookup, Option<UserEntry>) {
        let shared = &*self.shared;
        if let Identifier::Eas(eas, holder) = identifier {
            // The device is found through the user, who is mostly the one that is asked for.
            let user = self.user(name);
            let holder = if *holder == name {
                user
            } else {
                self.user(holder)
            };
            return (self.find_eas_of(eas, holder.map(|entry| entry.user)), user);
        }
        let (Some(device), Some(user)) = (self.key(identifier), shared.keys.user(name)) else {
            return (self.find(identifier), self.user(name));
        };
        // Entries first, then rows: nothing waits for the other's memory.
        let entries = shared.devices.touch_entry(device) ^ shared.names.touch_entry(user);
        let (to, leads) = (shared.devices.target(device), shared.names.target(user));
        let rows = shared.devices.touch_row(to) ^ shared.names.touch_row(leads);
        std::hint::black_box(entries ^ rows);
        (
            self.lookup_of(&shared.devices.follow(device, to)),
            self.entry_of(&shared.names.follow(user, leads)),
        )
    }

    /// `None` for an identifier that identifies nothing, and for one that has several keys.
    fn key(&self, identifier: &Identifier<'_>) -> Option<Key> {
        let keys = &self.shared.keys;
        match identifier {
            Identifier::Device(device) => Some(keys.device(*device)),
            Identifier::Entra(entra) => keys.entra(*entra),
            Identifier::Certificate(certificate) => Some(keys.certificate(*certificate)),
            Identifier::Serial(serial) => Some(keys.serial(serial)),
            Identifier::Eas(..) => None,
            Identifier::Mac(mac) => keys.mac(*mac),
        }
    }

    /// Reads what [`find`](Self::find) will read for these addresses, of which it is to be asked
    /// next, so that the memory accesses of all of them overlap. With a million devices each
    /// look-up waits for memory several times; together they wait little longer than one.
    ///
    /// It is a hint: nothing is promised, and nothing changes but what stands in the processor's
    /// caches. At most 64 addresses are taken.
    pub fn read_ahead(&self, addresses: &[MacAddress]) {
        if addresses.len() < 2 {
            return;
        }
        let mut keys = [Key(0); READ_AHEAD];
        let mut count = 0;
        let all = addresses
            .iter()
            .filter_map(|mac| self.shared.keys.mac(*mac));
        for (place, key) in keys.iter_mut().zip(all) {
            *place = key;
            count += 1;
        }
        self.shared
            .devices
            .read_ahead(keys.get(..count).unwrap_or(&[]));
    }

    /// The device with this ActiveSync id that belongs to the user or is bound to the user, else
    /// the one that has no owner.
    fn find_eas(&self, eas: &EasDeviceId, user: &str) -> Lookup {
        self.find_eas_of(eas, self.user(user).map(|entry| entry.user))
    }

    fn find_eas_of(&self, eas: &EasDeviceId, user: Option<UserRef>) -> Lookup {
        let keys = &self.shared.keys;
        for user in user.map(Some).into_iter().chain([None]) {
            match self.find_key(keys.eas(eas, user)) {
                Lookup::Unknown => {}
                found @ (Lookup::Found(..) | Lookup::Ambiguous | Lookup::OfAnotherUser) => {
                    return found;
                }
            }
        }
        match self.shared.devices.find(keys.eas_known(eas)) {
            Found::Nothing => Lookup::Unknown,
            Found::One(..) | Found::Several => Lookup::OfAnotherUser,
        }
    }

    fn find_key(&self, key: Key) -> Lookup {
        self.lookup_of(&self.shared.devices.find(key))
    }

    fn lookup_of(&self, found: &Found<DEVICE_WORDS>) -> Lookup {
        match found {
            Found::Nothing => Lookup::Unknown,
            Found::Several => Lookup::Ambiguous,
            Found::One(_, words) => {
                let (posture, groups) = record::decode(words, &self.shared.walks);
                Lookup::Found(posture, groups)
            }
        }
    }

    /// Finds a user by any name, without case. `None` when no source and no device names the
    /// user, and when several users have the name as an alias.
    #[must_use]
    pub fn user(&self, name: &str) -> Option<UserEntry> {
        let shared = &*self.shared;
        self.entry_of(&shared.names.find(shared.keys.user(name)?))
    }

    fn entry_of(&self, found: &Found<USER_WORDS>) -> Option<UserEntry> {
        let Found::One(row, words) = found else {
            return None;
        };
        self.leads_to(*row, NameRecord::decode(words, &self.shared.walks))
    }

    /// The user that a device's owner is. `None` when the owner's name is an alias of several
    /// users.
    #[must_use]
    pub fn owner(&self, owner: UserRef) -> Option<UserEntry> {
        let shared = &*self.shared;
        let words = shared.names.read(owner.0)?;
        self.leads_to(owner.0, NameRecord::decode(&words, &shared.walks))
    }

    /// The user whom the name of `row` means.
    fn leads_to(&self, row: u32, named: NameRecord) -> Option<UserEntry> {
        let shared = &*self.shared;
        let Resolution::User(user) = named.leads_to else {
            return None;
        };
        let record = if user == row {
            named
        } else {
            // Names keep their rows, so this is the record of the user that the alias led to.
            NameRecord::decode(&shared.names.read(user)?, &shared.walks)
        };
        Some(UserEntry {
            user: UserRef(user),
            listed: record.listed,
            enabled: record.enabled,
            groups: record.groups,
        })
    }

    /// The groups of a set, sorted, without duplicates.
    #[must_use]
    pub fn groups(&self, set: GroupSet) -> &[GroupId] {
        self.shared.groups.get(set)
    }

    /// Counts the batches that changed something.
    ///
    /// A batch is first published, record by record, then counted, then its changes are handed
    /// out. So whoever (1) reads the generation, (2) registers where changes are looked for,
    /// (3) looks facts up and decides, and (4) reads the same generation again has decided on
    /// facts of which no completed batch has taken anything away; and a batch that completes
    /// later finds the registration.
    #[must_use]
    pub fn generation(&self) -> u64 {
        // Acquire: nothing that is read after this call is older than the batches it counts.
        // What was read before it came from acquiring loads, and so stays before.
        self.shared.generation.load(Ordering::Acquire)
    }

    /// Counts what sources have delivered, whether it changed anything or only said it again.
    #[must_use]
    pub fn deliveries(&self) -> u64 {
        self.shared.deliveries.load(Ordering::Acquire)
    }

    /// Devices that a source knows.
    #[must_use]
    pub fn device_count(&self) -> usize {
        self.shared.device_count.load(Ordering::Relaxed)
    }

    /// Users that a source knows.
    #[must_use]
    pub fn user_count(&self) -> usize {
        self.shared.user_count.load(Ordering::Relaxed)
    }

    /// Reports and identifiers that were not kept, or not whole, because a table is full. What
    /// they were about is unknown, or has no facts, until it is reported again.
    #[must_use]
    pub fn overflowed(&self) -> u64 {
        self.shared.overflowed.load(Ordering::Relaxed)
    }

    /// When a source last delivered a complete list, if ever.
    #[must_use]
    pub fn walked(&self, source: SourceId) -> Option<Timestamp> {
        self.shared.walks.last(source)
    }

    /// All devices in no particular order, without a lock; one that comes or goes meanwhile may
    /// be left out or not.
    pub fn devices(&self) -> impl Iterator<Item = (Posture, GroupSet)> {
        (0..self.shared.devices.high()).filter_map(|row| {
            let words = self.shared.devices.read(row)?;
            Some(record::decode(&words, &self.shared.walks))
        })
    }

    /// Cold: all that is known of a device, for people.
    #[must_use]
    pub fn describe(&self, device: DeviceId) -> Option<Description> {
        let Lookup::Found(posture, groups) = self.find(&Identifier::Device(device)) else {
            return None;
        };
        let state = self.lock();
        let row = state.devices.row(&self.shared.keys, device)?;
        let groups = self.groups(groups).to_vec();
        let mut description = Description::new(posture, groups, &state.names);
        let statements = state.devices.statements(row);
        let bindings = state.devices.bindings(row);
        description.add_statements(statements, &self.shared.walks);
        description.add_bindings(bindings, &state.names);
        description.add_displaced(state.devices.all_displaced(&state.names, row));
        Some(description)
    }

    /// Cold: whether a source has said of any user or device that it is in the group.
    #[must_use]
    pub fn knows_group(&self, group: GroupId) -> bool {
        self.lock().groups.knows(group)
    }

    /// Cold: the devices of which a source says something.
    #[must_use]
    pub fn devices_of(&self, source: SourceId) -> Vec<DeviceId> {
        let state = self.lock();
        let rows = state.devices.stated_by(source);
        let words = rows.filter_map(|row| state.devices.owner().read(row));
        words.map(|words| record::device_in(&words)).collect()
    }

    /// Cold: the users of whom a source says something, by their own names.
    #[must_use]
    pub fn users_of(&self, source: SourceId) -> Vec<UserId> {
        let state = self.lock();
        let names = state.names.stated_by(source);
        names
            .filter_map(|name| state.names.text(name.get()).cloned())
            .collect()
    }

    /// Cold: which sources say something of a user, whatever name it is found by, and when each last
    /// did: its source, the user's own name, the time.
    #[must_use]
    pub fn said_of_user(&self, name: &str) -> Vec<(String, UserId, Timestamp)> {
        let Some(entry) = self.user(name) else {
            return Vec::new();
        };
        let state = self.lock();
        let (Some(own), Some(row)) = (state.names.text(entry.user.0), Name::new(entry.user.0))
        else {
            return Vec::new();
        };
        let said = state.names.statements(row).iter();
        said.filter_map(|said| {
            let source = state.source_name(said.source)?;
            Some((source.to_owned(), own.clone(), said.at))
        })
        .collect()
    }

    /// Cold: a source's name.
    #[must_use]
    pub fn source_name(&self, source: SourceId) -> Option<String> {
        self.lock().source_name(source).map(str::to_owned)
    }

    /// A user's own name, whatever name it was found by.
    #[must_use]
    pub fn user_name(&self, user: UserRef) -> Option<&UserId> {
        self.shared.spellings.get(user.0)
    }

    pub(crate) fn note_overflowed(&self, more: u64) {
        self.shared.overflowed.fetch_add(more, Ordering::Relaxed);
    }

    pub(crate) fn lock(&self) -> RwLockReadGuard<'_, State> {
        // A panic of the writer leaves nothing here half done that a description could not show.
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }
}
