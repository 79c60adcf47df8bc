//! Datagrams as they arrive, one or many, before anything is believed of them.
//!
//! Those that a packet loop takes from its socket at once are handled together where that spares
//! time: their devices are read ahead, so that the waits for memory overlap, and their signatures
//! are verified side by side, as are those of their replies made. What is decided, recorded,
//! counted and answered is the same as one after the other.

use std::net::SocketAddr;
use std::sync::Arc;

use crate::model::MacAddress;
use crate::model::Now;
use crate::network::Door;
use crate::network::Server;
use crate::network::Settings;
use crate::network::discard::Discarded;
use crate::radius::AttributeType;
use crate::radius::DropReason;
use crate::radius::Nas;
use crate::radius::Packet;
use crate::radius::Ticket;
use crate::radius::Unsealed;
use crate::radius::Verified;
use crate::radius::sign_each;
use crate::radius::verify_each;

/// Datagrams that are looked at together: as many as a packet loop takes from a socket at once.
/// Their device records, 32 times two cache lines, are a small part of a processor's inner cache.
pub const MAX_BATCH: usize = 32;

impl Server {
    /// Takes in the datagrams that came together, in their order; more than [`MAX_BATCH`] are
    /// taken in as several batches.
    pub fn handle_datagrams<'o>(
        &mut self,
        now: Now,
        door: Door,
        datagrams: impl IntoIterator<Item = (SocketAddr, &'o [u8])>,
    ) {
        let shared = Arc::clone(&self.shared);
        let settings = shared.settings.load();
        let mut datagrams = datagrams.into_iter().fuse();
        loop {
            let mut batch: [Option<Arrived<'_>>; MAX_BATCH] = [const { None }; MAX_BATCH];
            let mut expected = Expected::default();
            let (mut received, mut known) = (0, 0);
            for (place, (from, octets)) in batch.iter_mut().zip(datagrams.by_ref()) {
                self.counters.received.count();
                received += 1;
                match Arrived::new(&settings, from, octets) {
                    Ok(arrived) => {
                        expected.note(&arrived.packet);
                        *place = Some(arrived);
                        known += 1;
                    }
                    Err(why) => self.counters.discard(why),
                }
            }
            let together = known > 1;
            if together {
                shared.point.read_ahead(expected.addresses());
                verify_each(&mut self.lanes, &mut batch, request, |place, verdict| {
                    if let Some(arrived) = place {
                        arrived.verdict = Some(verdict);
                    }
                });
            }
            for number in 0..received {
                self.answering = together.then_some(number);
                if let Err(why) = self.receive(now, &settings, door, &batch, number) {
                    self.counters.discard(why);
                }
            }
            self.answering = None;
            self.sign(now, &batch);
            if received < MAX_BATCH {
                return;
            }
        }
    }

    /// Signs the replies of a batch, so that they may leave, and keeps them for retransmissions.
    pub(super) fn sign(&mut self, now: Now, batch: &[Option<Arrived<'_>>]) {
        let mut waiting = self.unsigned.iter().peekable();
        let replies = self.outbox.buffers().enumerate();
        let replies = replies.filter_map(|(slot, buffer)| {
            let next = waiting.next_if(|next| next.slot == slot)?;
            let arrived = batch.get(next.number)?.as_ref()?;
            Some((next.unsealed, buffer, arrived.nas.secret()))
        });
        sign_each(&mut self.lanes, replies);
        for signed in self.unsigned.drain(..) {
            if let (Some(held), Some(octets)) = (signed.held, self.outbox.get(signed.slot)) {
                self.duplicates.complete(now.monotonic, held, octets);
            }
        }
    }
}

/// A reply in the outbox that waits for its signatures.
#[derive(Debug)]
pub(super) struct Unsigned {
    pub(super) slot: usize,
    /// Which datagram of the batch it answers.
    pub(super) number: usize,
    pub(super) held: Option<Ticket>,
    pub(super) unsealed: Unsealed,
}

/// A datagram from a known address, with sound lengths.
#[derive(Debug)]
pub(super) struct Arrived<'a> {
    pub(super) from: SocketAddr,
    pub(super) nas: &'a Arc<Nas>,
    pub(super) packet: Packet<'a>,
    /// What its signatures say, where they were looked at together with others'.
    pub(super) verdict: Option<Result<Verified<'a>, DropReason>>,
}

impl<'a> Arrived<'a> {
    pub(super) fn new(
        settings: &'a Settings,
        from: SocketAddr,
        octets: &'a [u8],
    ) -> Result<Self, Discarded> {
        let nas = settings.nas.find(from.ip()).ok_or(DropReason::UnknownNas)?;
        Self::of(nas, from, octets)
    }

    /// The same of one whose sender is known already.
    pub(super) fn of(
        nas: &'a Arc<Nas>,
        from: SocketAddr,
        octets: &'a [u8],
    ) -> Result<Self, Discarded> {
        let packet = Packet::new_checked(octets).map_err(DropReason::from)?;
        Ok(Self {
            from,
            nas,
            packet,
            verdict: None,
        })
    }
}

fn request<'a>(place: &Option<Arrived<'a>>) -> Option<(Packet<'a>, &'a Nas)> {
    let arrived = place.as_ref()?;
    Some((arrived.packet, arrived.nas))
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
