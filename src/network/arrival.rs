//! Datagrams as they arrive, before anything is believed of them.

use std::net::SocketAddr;
use std::sync::Arc;

use crate::model::MacAddress;
use crate::network::Settings;
use crate::network::discard::Discarded;
use crate::radius::AttributeType;
use crate::radius::DropReason;
use crate::radius::Nas;
use crate::radius::Packet;

/// Datagrams that are looked at together: as many as a packet loop takes from a socket at once.
/// Their device records, 32 times two cache lines, are a small part of a processor's inner cache.
pub const MAX_BATCH: usize = 32;

/// A datagram from a known address, with sound lengths.
#[derive(Debug)]
pub(super) struct Arrived<'a> {
    pub(super) from: SocketAddr,
    pub(super) nas: &'a Arc<Nas>,
    pub(super) packet: Packet<'a>,
}

impl<'a> Arrived<'a> {
    pub(super) fn new(
        settings: &'a Settings,
        from: SocketAddr,
        octets: &'a [u8],
    ) -> Result<Self, Discarded> {
        let nas = settings.nas.find(from.ip()).ok_or(DropReason::UnknownNas)?;
        let packet = Packet::new_checked(octets).map_err(DropReason::from)?;
        Ok(Self { from, nas, packet })
    }
}

/// The devices that a batch will ask about, if its packets turn out to be right: nothing is done
/// with these addresses but to read ahead.
#[derive(Debug)]
pub(super) struct Expected {
    addresses: [MacAddress; MAX_BATCH],
    count: usize,
}

impl Default for Expected {
    fn default() -> Self {
        Self {
            addresses: [MacAddress::new([0; 6]); MAX_BATCH],
            count: 0,
        }
    }
}

impl Expected {
    /// A request without EAP is decided upon by the address of its station; one with EAP seldom
    /// is, and not yet.
    pub(super) fn note(&mut self, packet: &Packet<'_>) {
        if packet.contains(AttributeType::EAP_MESSAGE) {
            return;
        }
        let station = packet
            .find(AttributeType::CALLING_STATION_ID)
            .or_else(|| packet.find(AttributeType::USER_NAME))
            .and_then(MacAddress::parse);
        if let (Some(station), Some(place)) = (station, self.addresses.get_mut(self.count)) {
            *place = station;
            self.count += 1;
        }
    }

    pub(super) fn addresses(&self) -> &[MacAddress] {
        self.addresses.get(..self.count).unwrap_or(&[])
    }
}
