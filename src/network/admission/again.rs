//! Whether a peer that comes is one that was in: then it has left before, though its NAS did not say so.

use std::net::IpAddr;

use crate::access::Correlation;
use crate::model::Credential;
use crate::network::admission::Admission;
use crate::network::admission::Admissions;
use crate::radius::AttributeType;

/// See [`Admissions::same`].
pub(super) type Same = (IpAddr, Box<[u8]>, u64);

impl Admissions {
    /// What two sessions have in common of which only the newer one can be: the station at its NAS; where
    /// the NAS names none, who it is, and what the NAS calls the peer.
    pub(super) fn same(&self, admission: &Admission) -> Same {
        match admission.peer.find(AttributeType::CALLING_STATION_ID) {
            Some(station) => (admission.address, station.into(), 0),
            None => {
                let who = admission.permit.subject().who(self.newest.hasher());
                (admission.address, admission.peer.names(), who)
            }
        }
    }

    /// Whether one who comes is one who was in and has the [`Same`]. A user without a station's name may
    /// be in twice, and the NAS tells the two apart; a MAC address is one station without it, too.
    pub(super) fn is_again(&self, before: Correlation, comes: &Admission) -> bool {
        let is_station = comes.peer.find(AttributeType::CALLING_STATION_ID).is_some()
            || comes.permit.subject().credential() == Credential::None;
        let same = |before: &Admission| before.peer.session() == comes.peer.session();
        is_station || self.with(before, same) == Some(true)
    }
}
