//! Replies on their way out, in buffers that are used again.

use std::net::SocketAddr;

use crate::network::Door;
use crate::network::MAX_PACKET;

/// One datagram to send.
#[derive(Clone, Copy, Debug)]
pub struct Transmit<'a> {
    /// By which socket.
    pub door: Door,
    /// To whom.
    pub to: SocketAddr,
    /// What.
    pub octets: &'a [u8],
}

/// Datagrams that wait for the shell to send them. Grows to the largest batch and stays there.
#[derive(Default)]
pub(super) struct Outbox {
    slots: Vec<Slot>,
    used: usize,
}

struct Slot {
    door: Door,
    to: SocketAddr,
    length: usize,
    octets: Box<[u8; MAX_PACKET]>,
}

impl Outbox {
    /// Lends the next buffer to `write`, which says how much of it is the datagram. `None`, or a
    /// length beyond the buffer, sends nothing. What was written is lent out once more.
    pub(super) fn put(
        &mut self,
        door: Door,
        to: SocketAddr,
        write: impl FnOnce(&mut [u8]) -> Option<usize>,
    ) -> Option<&[u8]> {
        if self.used == self.slots.len() {
            let octets = Box::new([0; MAX_PACKET]);
            self.slots.push(Slot {
                door,
                to,
                length: 0,
                octets,
            });
        }
        let slot = self.slots.get_mut(self.used)?;
        let length = write(slot.octets.as_mut_slice()).filter(|&length| length <= MAX_PACKET)?;
        (slot.door, slot.to, slot.length) = (door, to, length);
        self.used += 1;
        slot.octets.get(..length)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = Transmit<'_>> {
        self.slots.iter().take(self.used).map(|slot| Transmit {
            door: slot.door,
            to: slot.to,
            octets: slot.octets.get(..slot.length).unwrap_or(&[]),
        })
    }

    /// The buffers of what waits, by slot, to be changed once more.
    pub(super) fn buffers(&mut self) -> impl Iterator<Item = &mut [u8]> {
        let used = self.slots.iter_mut().take(self.used);
        used.map(|slot| slot.octets.get_mut(..slot.length).unwrap_or_default())
    }

    /// What waits in that slot.
    pub(super) fn get(&self, slot: usize) -> Option<&[u8]> {
        let slot = self.slots.get(..self.used)?.get(slot)?;
        slot.octets.get(..slot.length)
    }

    pub(super) const fn len(&self) -> usize {
        self.used
    }

    pub(super) fn clear(&mut self) {
        self.used = 0;
    }

    /// Keeps so many of the oldest.
    pub(super) fn keep_first(&mut self, count: usize) {
        self.used = self.used.min(count);
    }

    /// Forgets so many of the oldest; their buffers are used again.
    pub(super) fn forget_first(&mut self, count: usize) {
        let count = count.min(self.used);
        if let Some(used) = self.slots.get_mut(..self.used) {
            used.rotate_left(count);
        }
        self.used -= count;
    }
}
