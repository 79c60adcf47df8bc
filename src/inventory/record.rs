//! The hot records: what a look-up copies out, packed into fixed words.

use std::sync::atomic::AtomicI64;
use std::sync::atomic::Ordering;

use crate::inventory::group::GroupSet;
use crate::inventory::statement::Name;
use crate::model::ComplianceState;
use crate::model::DeviceId;
use crate::model::Fact;
use crate::model::Join;
use crate::model::OsVersion;
use crate::model::Ownership;
use crate::model::Platform;
use crate::model::Posture;
use crate::model::Retirement;
use crate::model::SourceId;
use crate::model::ThreatLevel;
use crate::model::Timestamp;
use crate::model::Tri;
use crate::model::UserRef;

/// Words of a device's record: with its stamp, 120 octets of two cache lines.
pub(crate) const DEVICE_WORDS: usize = 14;

/// Words of a user name's record.
pub(crate) const USER_WORDS: usize = 3;

/// The first of the eight words of a device's record that each hold one fact's source and time,
/// in the order of [`facts_of`].
pub(crate) const FIRST_FACT: usize = 6;

/// When each source last delivered a complete list.
///
/// A fact is as fresh as the last complete list of its source, because a device that such a list
/// leaves out loses what the source said. So a nightly walk over a million unchanged devices
/// stores one word and no record.
pub(crate) struct Walks(Box<[AtomicI64]>);

impl Walks {
    pub(crate) fn new() -> Self {
        Self((0..=u8::MAX).map(|_| AtomicI64::new(i64::MIN)).collect())
    }

    pub(crate) fn complete(&self, source: SourceId, at: Timestamp) {
        if let Some(walk) = self.0.get(usize::from(source.0)) {
            walk.store(at.unix_millis(), Ordering::Release);
        }
    }

    /// When `source` last delivered a complete list, if ever.
    pub(crate) fn last(&self, source: SourceId) -> Option<Timestamp> {
        let at = self.0.get(usize::from(source.0))?.load(Ordering::Acquire);
        (at != i64::MIN).then(|| Timestamp::from_unix_millis(at))
    }

    /// The later of a fact's own time and its source's last complete list.
    pub(crate) fn observed(&self, source: SourceId, own: Timestamp) -> Timestamp {
        if source == SourceId::NONE {
            return own;
        }
        self.last(source).map_or(own, |walk| walk.max(own))
    }
}

/// A device's record in words. Times are the facts' own, not those of walks.
pub(crate) fn encode(posture: &Posture, groups: GroupSet) -> [u64; DEVICE_WORDS] {
    let device = posture.device.as_u128();
    let mut values = Packer::default();
    for tri in [
        posture.managed.value,
        posture.registered.value,
        posture.eas_activated.value,
        posture.encrypted.value,
        posture.jailbroken.value,
        posture.passcode.value,
    ] {
        values.push(tri_number(tri), 2);
    }
    values.push(posture.compliance.value as u8, 3);
    values.push(posture.threat.value as u8, 4);
    values.push(posture.platform as u8, 3);
    values.push(posture.join as u8, 3);
    values.push(posture.ownership as u8, 2);
    values.push(posture.retirement as u8, 2);
    let owner = posture.owner.map_or(NOBODY, |owner| owner.0);
    let grace = posture.grace_until.map_or(i64::MIN, Timestamp::unix_millis);
    let [a, b, c, d, e, f, g, h] = facts_of(posture).map(|(source, at)| fact_word(source, at));
    [
        (device >> 64) as u64,
        (device & 0xffff_ffff_ffff_ffff) as u64,
        u64::from(owner) << 32 | values.bits,
        u64::from(groups.number()),
        posture.os_version.to_bits(),
        grace.cast_unsigned(),
        a,
        b,
        c,
        d,
        e,
        f,
        g,
        h,
    ]
}

/// The inverse of [`encode`], with the times of walks.
pub(crate) fn decode(words: &[u64; DEVICE_WORDS], walks: &Walks) -> (Posture, GroupSet) {
    let [
        high,
        low,
        owner,
        groups,
        version,
        grace,
        a,
        b,
        c,
        d,
        e,
        f,
        g,
        h,
    ] = *words;
    let mut values = Packer {
        bits: owner,
        used: 0,
    };
    let tri = |values: &mut Packer| tri_from(values.pull(2));
    let [
        managed,
        registered,
        eas_activated,
        encrypted,
        jailbroken,
        passcode,
    ] = std::array::from_fn(|_| tri(&mut values));
    let compliance = ComplianceState::ALL.get(values.pull(3)).copied();
    let threat = ThreatLevel::ALL.get(values.pull(4)).copied();
    let platform = Platform::ALL.get(values.pull(3)).copied();
    let join = Join::ALL.get(values.pull(3)).copied();
    let ownership = Ownership::ALL.get(values.pull(2)).copied();
    let retirement = Retirement::ALL.get(values.pull(2)).copied();
    let owner = (owner >> 32) as u32;
    let grace = grace.cast_signed();
    let posture = Posture {
        device: device_of(high, low),
        owner: (owner != NOBODY).then_some(UserRef(owner)),
        managed: fact(managed, a, walks),
        registered: fact(registered, b, walks),
        compliance: fact(compliance.unwrap_or_default(), c, walks),
        eas_activated: fact(eas_activated, d, walks),
        encrypted: fact(encrypted, e, walks),
        jailbroken: fact(jailbroken, f, walks),
        passcode: fact(passcode, g, walks),
        threat: fact(threat.unwrap_or_default(), h, walks),
        platform: platform.unwrap_or_default(),
        os_version: OsVersion::from_bits(version),
        join: join.unwrap_or_default(),
        ownership: ownership.unwrap_or_default(),
        retirement: retirement.unwrap_or_default(),
        grace_until: (grace != i64::MIN).then(|| Timestamp::from_unix_millis(grace)),
    };
    (
        posture,
        GroupSet::from_number((groups & 0xffff_ffff) as u32),
    )
}

/// Whose record it is.
pub(crate) fn device_in(words: &[u64; DEVICE_WORDS]) -> DeviceId {
    let [high, low, ..] = *words;
    device_of(high, low)
}

/// Its owner.
pub(crate) fn owner_in(words: &[u64; DEVICE_WORDS]) -> Option<UserRef> {
    let [_, _, owner, ..] = *words;
    let owner = (owner >> 32) as u32;
    (owner != NOBODY).then_some(UserRef(owner))
}

/// Whether two records of one device lead to the same decisions, apart from the facts' ages.
pub(crate) fn same_but_for_times(a: &[u64; DEVICE_WORDS], b: &[u64; DEVICE_WORDS]) -> bool {
    a.iter().zip(b).enumerate().all(|(word, (a, b))| {
        if word < FIRST_FACT {
            a == b
        } else {
            a >> TIME_BITS == b >> TIME_BITS
        }
    })
}

/// A name's record: which user it leads to, and, in the record of a user's own name, the user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NameRecord {
    pub(crate) leads_to: Resolution,
    /// Whether a source lists the user, and not only a device or a binding names them.
    pub(crate) listed: bool,
    pub(crate) enabled: Fact<Tri>,
    pub(crate) groups: GroupSet,
}

/// Whom a name means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Resolution {
    /// Nobody any more.
    Nobody,
    /// Several users have it as an alias.
    Several,
    /// This one.
    User(u32),
}

impl Resolution {
    /// The user that the owner called `name` is: the one it leads to, or, when that is not one
    /// user, the name itself, which then is nobody who could ask.
    pub(crate) const fn reference(self, name: Name) -> UserRef {
        match self {
            Self::User(user) => UserRef(user),
            Self::Nobody | Self::Several => UserRef(name.get()),
        }
    }
}

impl NameRecord {
    /// The word with the source and time of `enabled`.
    pub(crate) const FACT: usize = 2;

    /// A name of which nothing is known but whom it means.
    pub(crate) fn of(leads_to: Resolution) -> Self {
        Self {
            leads_to,
            listed: false,
            enabled: Fact::default(),
            groups: GroupSet::EMPTY,
        }
    }

    pub(crate) fn encode(&self) -> [u64; USER_WORDS] {
        let user = match self.leads_to {
            Resolution::Nobody => NOBODY,
            Resolution::Several => SEVERAL,
            Resolution::User(user) => user,
        };
        [
            u64::from(user) << 32 | u64::from(self.groups.number()),
            u64::from(tri_number(self.enabled.value)) | u64::from(self.listed) << LISTED_BIT,
            fact_word(self.enabled.source, self.enabled.observed),
        ]
    }

    /// The inverse, with the times of walks.
    pub(crate) fn decode(words: &[u64; USER_WORDS], walks: &Walks) -> Self {
        let mut record = Self::of_words(words);
        record.enabled.observed = walks.observed(record.enabled.source, record.enabled.observed);
        record
    }

    /// The inverse of [`NameRecord::encode`].
    pub(crate) fn of_words(words: &[u64; USER_WORDS]) -> Self {
        let [user, enabled, stated] = *words;
        Self {
            leads_to: match (user >> 32) as u32 {
                NOBODY => Resolution::Nobody,
                SEVERAL => Resolution::Several,
                user => Resolution::User(user),
            },
            listed: enabled >> LISTED_BIT & 1 == 1,
            enabled: own_fact(tri_from((enabled & 3) as usize), stated),
            groups: GroupSet::from_number((user & 0xffff_ffff) as u32),
        }
    }
}

/// Source and own time of the eight facts, in the order of their words.
pub(crate) fn facts_of(posture: &Posture) -> [(SourceId, Timestamp); 8] {
    let p = posture;
    [
        (p.managed.source, p.managed.observed),
        (p.registered.source, p.registered.observed),
        (p.compliance.source, p.compliance.observed),
        (p.eas_activated.source, p.eas_activated.observed),
        (p.encrypted.source, p.encrypted.observed),
        (p.jailbroken.source, p.jailbroken.observed),
        (p.passcode.source, p.passcode.observed),
        (p.threat.source, p.threat.observed),
    ]
}

/// Source in the upper octet, milliseconds since 1970 in the other 56 bits: a million years
/// either way, beyond which times are cut.
pub(crate) fn fact_word(source: SourceId, at: Timestamp) -> u64 {
    let millis = at.unix_millis().clamp(-TIME_LIMIT, TIME_LIMIT - 1);
    u64::from(source.0) << TIME_BITS | millis.cast_unsigned() & ((1 << TIME_BITS) - 1)
}

/// The source of a fact word.
pub(crate) const fn source_in(word: u64) -> SourceId {
    SourceId((word >> TIME_BITS) as u8)
}

fn fact<T>(value: T, word: u64, walks: &Walks) -> Fact<T> {
    let own = own_fact(value, word);
    let observed = walks.observed(own.source, own.observed);
    Fact { observed, ..own }
}

fn own_fact<T>(value: T, word: u64) -> Fact<T> {
    // The arithmetic shift brings the sign back.
    let millis = (word << (64 - TIME_BITS)).cast_signed() >> (64 - TIME_BITS);
    Fact::new(value, source_in(word), Timestamp::from_unix_millis(millis))
}

fn device_of(high: u64, low: u64) -> DeviceId {
    DeviceId::from_u128(u128::from(high) << 64 | u128::from(low))
}

pub(crate) const fn tri_number(tri: Tri) -> u8 {
    match tri {
        Tri::Unknown => 0,
        Tri::No => 1,
        Tri::Yes => 2,
    }
}

pub(crate) const fn tri_from(number: usize) -> Tri {
    match number {
        1 => Tri::No,
        2 => Tri::Yes,
        _ => Tri::Unknown,
    }
}

/// Small numbers side by side in a word, lowest first.
#[derive(Default)]
struct Packer {
    bits: u64,
    used: u32,
}

impl Packer {
    const fn push(&mut self, number: u8, width: u32) {
        self.bits |= (number as u64) << self.used;
        self.used += width;
    }

    /// The next number of at most eight bits.
    const fn pull(&mut self, width: u32) -> usize {
        let number = (self.bits >> self.used & 0xff) as u8 & ((1 << width) - 1);
        self.used += width;
        number as usize
    }
}

/// Above the two bits of the account's state.
const LISTED_BIT: u32 = 2;

const TIME_BITS: u32 = 56;
const TIME_LIMIT: i64 = 1 << 55;

/// Numbers beyond every row.
const NOBODY: u32 = u32::MAX;
const SEVERAL: u32 = u32::MAX - 1;

#[cfg(test)]
mod tests {
    use super::*;

    fn stated<T>(value: T, source: u8, seconds: i64) -> Fact<T> {
        Fact::new(
            value,
            SourceId(source),
            Timestamp::from_unix_seconds(seconds),
        )
    }

    fn full() -> Posture {
        Posture {
            owner: Some(UserRef(77)),
            managed: stated(Tri::Yes, 1, 10),
            registered: stated(Tri::No, 2, -20),
            compliance: stated(ComplianceState::ConfigManager, 255, 30),
            eas_activated: stated(Tri::No, 4, 40),
            encrypted: stated(Tri::Yes, 5, 50),
            jailbroken: stated(Tri::No, 6, 60),
            passcode: stated(Tri::Yes, 7, 70),
            threat: stated(ThreatLevel::Misconfigured, 8, 80),
            platform: Platform::ChromeOs,
            os_version: "10.0.19043.2006".parse().unwrap(),
            join: Join::ActiveDirectory,
            ownership: Ownership::Personal,
            retirement: Retirement::Wiped,
            grace_until: Timestamp::parse_rfc3339("9999-12-31T23:59:59.9999999Z"),
            ..Posture::unknown(DeviceId::from_u128(u128::MAX - 5))
        }
    }

    #[test]
    fn records_come_back_as_they_went_in() {
        let walks = Walks::new();
        let unknown = Posture::unknown(DeviceId::from_u128(3));
        for posture in [full(), unknown] {
            let words = encode(&posture, GroupSet::from_number(9));
            let expected = (posture, GroupSet::from_number(9));
            assert_eq!(decode(&words, &walks), expected);
            assert_eq!(device_in(&words), posture.device);
        }
    }

    #[test]
    fn every_value_of_every_enumeration_comes_back() {
        let walks = Walks::new();
        let mut posture = full();
        for number in 0..10 {
            posture.compliance.value = ComplianceState::ALL[number % 7];
            posture.threat.value = ThreatLevel::ALL[number];
            posture.platform = Platform::ALL[number % 8];
            posture.join = Join::ALL[number % 6];
            posture.ownership = Ownership::ALL[number % 3];
            posture.retirement = Retirement::ALL[number % 3];
            let words = encode(&posture, GroupSet::EMPTY);
            assert_eq!(decode(&words, &walks).0, posture, "row {number}");
        }
    }

    #[test]
    fn a_complete_walk_refreshes_the_facts_of_its_source_only() {
        let walks = Walks::new();
        let words = encode(&full(), GroupSet::EMPTY);
        let night = Timestamp::from_unix_seconds(1000);
        walks.complete(SourceId(1), night);
        walks.complete(SourceId(5), Timestamp::from_unix_seconds(20));
        let (posture, _) = decode(&words, &walks);
        assert_eq!(posture.managed.observed, night);
        assert_eq!(posture.registered, full().registered);
        assert_eq!(posture.encrypted, full().encrypted);
    }

    #[test]
    fn a_later_time_alone_makes_no_different_record() {
        let one = encode(&full(), GroupSet::EMPTY);
        let mut later = full();
        later.managed.observed = Timestamp::from_unix_seconds(11);
        assert!(same_but_for_times(&one, &encode(&later, GroupSet::EMPTY)));
        later.managed.source = SourceId(3);
        assert!(!same_but_for_times(&one, &encode(&later, GroupSet::EMPTY)));
    }

    #[test]
    fn names_come_back_as_they_went_in() {
        for leads_to in [Resolution::Nobody, Resolution::Several, Resolution::User(5)] {
            let record = NameRecord {
                leads_to,
                listed: leads_to == Resolution::User(5),
                enabled: stated(Tri::No, 3, 9),
                groups: GroupSet::from_number(4),
            };
            assert_eq!(NameRecord::decode(&record.encode(), &Walks::new()), record);
        }
    }
}
