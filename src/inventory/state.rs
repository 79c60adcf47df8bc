//! All that the writer knows, behind the one lock that descriptions share with it.

use crate::inventory::batch::Batch;
use crate::inventory::batch::Outcome;
use crate::inventory::cache::Config;
use crate::inventory::devices::Devices;
use crate::inventory::group::Interner;
use crate::inventory::group::MAX_SETS;
use crate::inventory::key::Keys;
use crate::inventory::names::Names;
use crate::inventory::report::Update;
use crate::inventory::statement::Name;
use crate::model::DeviceId;
use crate::model::EasDeviceId;
use crate::model::SourceId;
use crate::model::Timestamp;
use crate::model::UserId;

pub(crate) struct State {
    keys: Keys,
    pub(crate) devices: Devices,
    pub(crate) names: Names,
    pub(crate) groups: Interner,
    /// By source number, less one.
    sources: Vec<Origin>,
}

/// A source as it is configured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// Its name.
    pub name: String,
    /// Where its facts come from: a path, a tenant. What was stated under the same name from
    /// somewhere else is no longer the source's word.
    pub place: String,
}

/// Who delivers what, and when.
#[derive(Clone, Copy)]
pub(crate) struct Delivery {
    pub(crate) source: SourceId,
    pub(crate) at: Timestamp,
    /// A complete list.
    pub(crate) walk: bool,
}

impl State {
    pub(crate) fn open(config: &Config) -> Self {
        Self {
            keys: Keys::new(config.seed),
            devices: Devices::open(config.expected_devices),
            names: Names::open(config.expected_names),
            groups: Interner::new(MAX_SETS),
            sources: Vec::new(),
        }
    }

    /// The number of a source, given on first asking: in the order of asking, so in the order of
    /// precedence. [`SourceId::NONE`] when all 255 are given.
    pub(crate) fn name_source(&mut self, name: &str, place: &str) -> SourceId {
        let known = self.sources.iter().position(|source| source.name == name);
        let number = known.unwrap_or(self.sources.len()) + 1;
        let Ok(number) = u8::try_from(number) else {
            return SourceId::NONE;
        };
        if known.is_none() {
            self.sources.push(Origin {
                name: name.to_owned(),
                place: place.to_owned(),
            });
        }
        SourceId(number)
    }

    pub(crate) fn source_name(&self, source: SourceId) -> Option<&str> {
        let at = usize::from(source.0).checked_sub(1)?;
        self.sources.get(at).map(|source| &*source.name)
    }

    /// In the order of their numbers, from 1.
    pub(crate) fn sources(&self) -> &[Origin] {
        &self.sources
    }

    /// Everything, to be filled with what was saved.
    pub(crate) const fn parts(&mut self) -> (&Keys, &mut Devices, &mut Names, &mut Interner) {
        let Self {
            keys,
            devices,
            names,
            groups,
            ..
        } = self;
        (keys, devices, names, groups)
    }

    pub(crate) fn update(&mut self, delivery: Delivery, outcome: &mut Outcome, update: &Update) {
        let Self {
            keys,
            devices,
            names,
            groups,
            ..
        } = self;
        let mut batch = delivery.batch(keys, groups, outcome);
        match update {
            Update::Device(report) => devices.state(&mut batch, names, report),
            Update::User(report) => names.state(&mut batch, report),
            Update::DeviceGone(device) => {
                if let Some(row) = devices.row(batch.keys, *device) {
                    devices.unstate(&mut batch, names, row);
                }
            }
            Update::UserGone(user) => {
                if let Some(name) = names.find(batch.keys, user) {
                    names.unstate(&mut batch, name);
                }
            }
        }
    }

    /// What the source of a complete list did not mention is gone.
    pub(crate) fn forget(
        &mut self,
        delivery: Delivery,
        outcome: &mut Outcome,
        (rows, users): (&[u32], &[Name]),
    ) {
        let mut batch = delivery.batch(&self.keys, &mut self.groups, outcome);
        for row in rows {
            self.devices.unstate(&mut batch, &mut self.names, *row);
        }
        for user in users {
            self.names.unstate(&mut batch, *user);
        }
    }

    pub(crate) fn bind(
        &mut self,
        at: Timestamp,
        outcome: &mut Outcome,
        device: DeviceId,
        (eas, user): (EasDeviceId, &UserId),
    ) {
        let delivery = Delivery {
            source: SourceId::NONE,
            at,
            walk: false,
        };
        let mut batch = delivery.batch(&self.keys, &mut self.groups, outcome);
        let Some(row) = self.devices.row(batch.keys, device) else {
            return;
        };
        match self.names.intern(batch.keys, user) {
            Some(user) => self
                .devices
                .bind(&mut batch, &mut self.names, row, (eas, user)),
            None => batch.outcome.overflowed += 1,
        }
    }

    /// Devices follow names that mean another user than before.
    pub(crate) fn follow(&mut self, delivery: Delivery, outcome: &mut Outcome) {
        let mut batch = delivery.batch(&self.keys, &mut self.groups, outcome);
        self.devices.follow(&mut batch, &self.names);
    }
}

impl Delivery {
    fn batch<'a>(
        self,
        keys: &'a Keys,
        groups: &'a mut Interner,
        outcome: &'a mut Outcome,
    ) -> Batch<'a> {
        Batch {
            source: self.source,
            at: self.at,
            walk: self.walk,
            keys,
            groups,
            outcome,
        }
    }
}
