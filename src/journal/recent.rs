//! The last records, in memory, for the operator who asks right after it happened.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;

use crate::access::Correlation;
use crate::access::DecisionRecord;
use crate::model::DeviceId;
use crate::model::EasDeviceId;
use crate::model::Plane;

/// A bounded list of records, newest last. Locked by the journal thread and the control socket
/// only; no plane ever waits for it.
#[derive(Debug)]
pub struct Recent {
    records: Mutex<VecDeque<Box<DecisionRecord>>>,
    capacity: usize,
}

impl Recent {
    pub(super) fn new(capacity: usize) -> Self {
        Self {
            records: Mutex::new(VecDeque::new()),
            capacity: capacity.max(1),
        }
    }

    /// Takes records in, and hands those out to `forgotten` for which there is no more room.
    pub(super) fn take_in(
        &self,
        new: impl Iterator<Item = Box<DecisionRecord>>,
        mut forgotten: impl FnMut(Box<DecisionRecord>),
    ) {
        let mut records = self.lock();
        for record in new {
            if records.len() >= self.capacity
                && let Some(oldest) = records.pop_front()
            {
                forgotten(oldest);
            }
            records.push_back(record);
        }
    }

    /// The record with this number, if it is still kept.
    #[must_use]
    pub fn find(&self, id: Correlation) -> Option<DecisionRecord> {
        self.lock()
            .iter()
            .rev()
            .find(|record| record.id == id)
            .map(|record| (**record).clone())
    }

    /// The newest record of a device.
    #[must_use]
    pub fn last_of(&self, device: DeviceId) -> Option<DecisionRecord> {
        self.lock()
            .iter()
            .rev()
            .find(|record| {
                record
                    .seen
                    .posture()
                    .is_some_and(|posture| posture.device == device)
            })
            .map(|record| (**record).clone())
    }

    /// The newest records of mail requests with this DeviceId, newest first, whoever sent them and
    /// whether the inventory knows the device or not.
    #[must_use]
    pub fn with_mail_id(&self, eas: EasDeviceId, count: usize) -> Vec<DecisionRecord> {
        let records = self.lock();
        records
            .iter()
            .rev()
            .filter(|record| {
                let presented = record.presented.as_str();
                record.seen.plane == Plane::Mail && presented.eq_ignore_ascii_case(eas.as_str())
            })
            .take(count)
            .map(|record| (**record).clone())
            .collect()
    }

    /// The newest records, newest first.
    #[must_use]
    pub fn newest(&self, count: usize) -> Vec<DecisionRecord> {
        let records = self.lock();
        let newest = records.iter().rev().take(count);
        newest.map(|record| (**record).clone()).collect()
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Box<DecisionRecord>>> {
        // A panic elsewhere while holding the lock leaves a usable list.
        self.records.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
