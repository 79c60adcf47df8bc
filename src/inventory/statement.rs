//! The cold side of a report: what each source last said, kept so that another source's word
//! comes back when this one falls silent.
//!
//! There is one statement for each device and source, so its size counts: facts stand in a small
//! fixed part, identifiers and texts in one block of octets.

use crate::inventory::group::GroupSet;
use crate::inventory::report::DeviceReport;
use crate::model::CertificateId;
use crate::model::ComplianceState;
use crate::model::EasDeviceId;
use crate::model::EntraDeviceId;
use crate::model::Join;
use crate::model::MacAddress;
use crate::model::OsVersion;
use crate::model::Ownership;
use crate::model::Platform;
use crate::model::Retirement;
use crate::model::SourceId;
use crate::model::ThreatLevel;
use crate::model::Timestamp;
use crate::model::Tri;

/// What a source says of a device.
pub(crate) struct Statement {
    pub(crate) source: SourceId,
    /// When it said so, apart from complete walks since.
    pub(crate) at: Timestamp,
    pub(crate) facts: Facts,
    pub(crate) details: Details,
}

/// The facts of a report, owner and groups by number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Facts {
    pub(crate) managed: Tri,
    pub(crate) registered: Tri,
    pub(crate) compliance: Option<ComplianceState>,
    pub(crate) eas_activated: Tri,
    pub(crate) encrypted: Tri,
    pub(crate) jailbroken: Tri,
    pub(crate) passcode: Tri,
    pub(crate) threat: Option<ThreatLevel>,
    pub(crate) platform: Platform,
    pub(crate) join: Join,
    pub(crate) ownership: Ownership,
    pub(crate) retirement: Retirement,
    pub(crate) owner: Option<Name>,
    /// `None` when the report could not be kept whole, because a table is full.
    pub(crate) groups: Option<GroupSet>,
    pub(crate) os_version: OsVersion,
}

/// The row of a user's name, never of row 0: so that an optional one takes no more room.
pub(crate) type Name = std::num::NonZeroU32;

impl Facts {
    pub(crate) const fn new(
        report: &DeviceReport,
        owner: Option<Name>,
        groups: Option<GroupSet>,
    ) -> Self {
        Self {
            managed: report.managed,
            registered: report.registered,
            compliance: report.compliance,
            eas_activated: report.eas_activated,
            encrypted: report.encrypted,
            jailbroken: report.jailbroken,
            passcode: report.passcode,
            threat: report.threat,
            platform: report.platform,
            join: report.join,
            ownership: report.ownership,
            retirement: report.retirement,
            owner,
            groups,
            os_version: report.os_version,
        }
    }
}

/// Identifiers, texts and the grace period, as octets: for each a kind, a length and a value.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Details(Box<[u8]>);

/// One of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Detail<'a> {
    Entra(EntraDeviceId),
    Certificate(CertificateId),
    Serial(&'a str),
    Eas(EasDeviceId),
    Mac(MacAddress),
    Name(&'a str),
    Model(&'a str),
    GraceUntil(Timestamp),
}

impl Detail<'_> {
    /// The ActiveSync id, if it is one.
    pub(crate) fn eas(self) -> Option<EasDeviceId> {
        match self {
            Self::Eas(eas) => Some(eas),
            Self::Entra(_)
            | Self::Certificate(_)
            | Self::Serial(_)
            | Self::Mac(_)
            | Self::Name(_)
            | Self::Model(_)
            | Self::GraceUntil(_) => None,
        }
    }
}

impl Details {
    /// Writes those of a report into `buffer`, in an order that does not depend on the report's.
    pub(crate) fn write(report: &DeviceReport, buffer: &mut Vec<u8>) {
        buffer.clear();
        if let Some(entra) = report.entra.filter(|entra| !entra.is_nil()) {
            put(buffer, Kind::Entra, &entra.as_u128().to_be_bytes());
        }
        for octets in distinct(report.certificates.iter().map(|id| id.octets())) {
            put(buffer, Kind::Certificate, &octets);
        }
        if let Some(serial) = &report.serial {
            put(buffer, Kind::Serial, serial.as_str().as_bytes());
        }
        if let Some(eas) = &report.eas {
            put(buffer, Kind::Eas, eas.as_str().as_bytes());
        }
        let macs = report.macs.iter().filter(|mac| mac.is_identity());
        for octets in distinct(macs.map(|mac| mac.octets())) {
            put(buffer, Kind::Mac, &octets);
        }
        if let Some(name) = &report.name {
            put(buffer, Kind::Name, cut(name).as_bytes());
        }
        if let Some(model) = &report.model {
            put(buffer, Kind::Model, cut(model).as_bytes());
        }
        if let Some(grace) = report.grace_until {
            put(buffer, Kind::GraceUntil, &grace.unix_millis().to_be_bytes());
        }
    }

    /// Keeps what [`Details::write`] wrote.
    pub(crate) fn keep(written: &[u8]) -> Self {
        Self(written.into())
    }

    /// Keeps octets that may be none of ours: `None` unless all of them are details.
    pub(crate) fn check(octets: &[u8]) -> Option<Self> {
        let mut rest = octets;
        while !rest.is_empty() {
            let (&[kind, length], after) = rest.split_first_chunk()?;
            let (value, after) = after.split_at_checked(usize::from(length))?;
            read(kind, value)?;
            rest = after;
        }
        Some(Self(octets.into()))
    }

    pub(crate) const fn octets(&self) -> &[u8] {
        &self.0
    }

    /// Whether these are the ones written.
    pub(crate) fn are(&self, written: &[u8]) -> bool {
        *self.0 == *written
    }

    /// All of them.
    pub(crate) fn iter(&self) -> impl Iterator<Item = Detail<'_>> {
        let mut rest = &*self.0;
        std::iter::from_fn(move || {
            let (&[kind, length], after) = rest.split_first_chunk()?;
            let (value, after) = after.split_at_checked(usize::from(length))?;
            rest = after;
            read(kind, value)
        })
    }
}

#[derive(Clone, Copy)]
enum Kind {
    Entra = 1,
    Certificate,
    Serial,
    Eas,
    Mac,
    Name,
    Model,
    GraceUntil,
}

fn put(buffer: &mut Vec<u8>, kind: Kind, value: &[u8]) {
    // Identifiers are shorter than 256 octets and texts were cut.
    if let Ok(length) = u8::try_from(value.len()) {
        buffer.extend_from_slice(&[kind as u8, length]);
        buffer.extend_from_slice(value);
    }
}

fn read(kind: u8, value: &[u8]) -> Option<Detail<'_>> {
    let text = || std::str::from_utf8(value).ok();
    Some(match kind {
        k if k == Kind::Entra as u8 => Detail::Entra(EntraDeviceId::from_u128(
            u128::from_be_bytes(value.try_into().ok()?),
        )),
        k if k == Kind::Certificate as u8 => {
            Detail::Certificate(CertificateId::from_octets(value.try_into().ok()?))
        }
        k if k == Kind::Serial as u8 => Detail::Serial(text()?),
        k if k == Kind::Eas as u8 => Detail::Eas(EasDeviceId::parse(value)?),
        k if k == Kind::Mac as u8 => Detail::Mac(MacAddress::new(value.try_into().ok()?)),
        k if k == Kind::Name as u8 => Detail::Name(text()?),
        k if k == Kind::Model as u8 => Detail::Model(text()?),
        k if k == Kind::GraceUntil as u8 => {
            let millis = i64::from_be_bytes(value.try_into().ok()?);
            Detail::GraceUntil(Timestamp::from_unix_millis(millis))
        }
        _ => return None,
    })
}

/// Sorted, each once, at most as many as a report may have.
fn distinct<const N: usize>(all: impl Iterator<Item = [u8; N]>) -> Vec<[u8; N]> {
    let mut all: Vec<[u8; N]> = all.collect();
    all.sort_unstable();
    all.dedup();
    all.truncate(DeviceReport::MAX_IDENTIFIERS);
    all
}

fn cut(text: &str) -> &str {
    &text[..text.floor_char_boundary(usize::from(u8::MAX))]
}

/// A few statements, sorted by source; nearly always one, which then needs no memory of its own.
#[derive(Default)]
pub(crate) enum BySource<T> {
    #[default]
    None,
    One(T),
    Many(Vec<T>),
}

/// Something that one source said.
pub(crate) trait Sourced {
    fn source(&self) -> SourceId;
}

impl Sourced for Statement {
    fn source(&self) -> SourceId {
        self.source
    }
}

impl<T: Sourced> BySource<T> {
    pub(crate) fn as_slice(&self) -> &[T] {
        match self {
            Self::None => &[],
            Self::One(one) => std::slice::from_ref(one),
            Self::Many(many) => many,
        }
    }

    pub(crate) fn get(&self, source: SourceId) -> Option<&T> {
        self.as_slice().iter().find(|item| item.source() == source)
    }

    pub(crate) fn get_mut(&mut self, source: SourceId) -> Option<&mut T> {
        let items = match self {
            Self::None => &mut [],
            Self::One(one) => std::slice::from_mut(one),
            Self::Many(many) => &mut many[..],
        };
        items.iter_mut().find(|item| item.source() == source)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.as_slice().is_empty()
    }

    /// Puts `item` in the place of what its source said before, which is returned.
    pub(crate) fn put(&mut self, item: T) -> Option<T> {
        if let Some(place) = self.get_mut(item.source()) {
            return Some(std::mem::replace(place, item));
        }
        *self = match std::mem::take(self) {
            Self::None => Self::One(item),
            Self::One(one) => Self::many(vec![one, item]),
            Self::Many(mut many) => {
                many.push(item);
                Self::many(many)
            }
        };
        None
    }

    /// Takes out what `source` said.
    pub(crate) fn take(&mut self, source: SourceId) -> Option<T> {
        let (kept, taken) = match std::mem::take(self) {
            Self::One(one) if one.source() == source => (Self::None, Some(one)),
            Self::Many(mut many) => {
                let at = many.iter().position(|item| item.source() == source);
                let taken = at.map(|at| many.remove(at));
                let last = if many.len() == 1 { many.pop() } else { None };
                (last.map_or(Self::Many(many), Self::One), taken)
            }
            other @ (Self::None | Self::One(_)) => (other, None),
        };
        *self = kept;
        taken
    }

    fn many(mut items: Vec<T>) -> Self {
        items.sort_by_key(Sourced::source);
        Self::Many(items)
    }
}
