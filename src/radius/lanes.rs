//! MD5 of several short messages side by side (RFC 1321), for datagrams that come together.
//!
//! MD5 is 64 steps of which each waits for the one before, so one message leaves most of a
//! processor idle: 128 ns for a block, and signatures are some nine blocks of a request. Four
//! messages side by side take 184 ns for a block of each. The lanes are arrays, which the compiler
//! puts into vector registers; there is nothing about a particular processor here.
//!
//! It is for signatures of packets only, whose messages are short. All else is done by the `md-5`
//! crate, against which the tests hold this.
#![warn(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

use std::fmt;

use zeroize::Zeroize;

/// Messages side by side: what a vector register of every x86-64 and ARM processor holds.
pub(super) const LANES: usize = 4;

/// Octets of a block (RFC 1321 section 3.4).
pub(super) const BLOCK: usize = 64;

/// The longest message; packets without EAP are shorter. It bounds the memory of the lanes.
pub(super) const LONGEST: usize = 512;

/// A digest, as it stands in packets.
pub(super) type Digest = [u8; 16];

/// One word of each lane.
type Words = [u32; LANES];

/// Where a hash stands after whole blocks.
#[derive(Clone, Copy)]
pub(super) struct Midstate([u32; 4]);

/// A message: the octets of its parts, one after the other.
#[derive(Clone, Copy)]
pub(super) struct Message<'m> {
    /// What was hashed before.
    pub(super) from: Midstate,
    /// Octets of it: a multiple of [`BLOCK`].
    pub(super) before: usize,
    /// At most [`LONGEST`] octets together.
    pub(super) parts: [&'m [u8]; PARTS],
}

impl Message<'_> {
    /// The empty message.
    pub(super) const NOTHING: Self = Self {
        from: Midstate::START,
        before: 0,
        parts: [&[]; PARTS],
    };
}

/// Parts of a message: a packet around two fields that are hashed with other values.
pub(super) const PARTS: usize = 5;

/// Room for messages side by side; kept and used again.
pub struct Lanes {
    rooms: Box<[[u8; ROOM]; LANES]>,
}

/// With the end of the message and its length.
const ROOM: usize = LONGEST + 2 * BLOCK;

impl Lanes {
    /// Room for four messages, about three kilobytes.
    #[must_use]
    pub fn new() -> Self {
        Self {
            rooms: Box::new([[0; ROOM]; LANES]),
        }
    }

    /// The digests of up to [`LANES`] messages; of those that are not there, nothing sensible.
    pub(super) fn digest(&mut self, messages: &[Message<'_>]) -> [Digest; LANES] {
        let mut blocks = [0; LANES];
        let mut begun = [Midstate::START.0; LANES];
        let places = self.rooms.iter_mut().zip(&mut blocks).zip(&mut begun);
        for (message, ((room, blocks), begun)) in messages.iter().zip(places) {
            *blocks = fill(room, message);
            *begun = message.from.0;
        }
        let mut states = turned(begun);
        let mut ended = begun;
        let longest = blocks.into_iter().max().unwrap_or(0);
        for block in 0..longest {
            states = compress(&states, &self.block(block));
            let reached = block.saturating_add(1);
            if blocks.contains(&reached) {
                let now = turned(states);
                for ((ended, now), blocks) in ended.iter_mut().zip(now).zip(blocks) {
                    if blocks == reached {
                        *ended = now;
                    }
                }
            }
        }
        ended.map(octets)
    }

    /// The words of one block of each room.
    fn block(&self, number: usize) -> [Words; BLOCK / 4] {
        let mut words = [[0; LANES]; BLOCK / 4];
        let at = number.saturating_mul(BLOCK);
        for (lane, room) in self.rooms.iter().enumerate() {
            let block = room.get(at..).unwrap_or(&[]);
            let (chunks, _) = block.as_chunks::<4>();
            for (word, chunk) in words.iter_mut().zip(chunks) {
                if let Some(word) = word.get_mut(lane) {
                    *word = u32::from_le_bytes(*chunk);
                }
            }
        }
        words
    }
}

impl Default for Lanes {
    fn default() -> Self {
        Self::new()
    }
}

/// The rooms still hold the last messages, and with them secrets.
impl Drop for Lanes {
    fn drop(&mut self) {
        self.rooms.iter_mut().for_each(Zeroize::zeroize);
    }
}

/// Without the messages, which hold secrets.
impl fmt::Debug for Lanes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lanes").finish_non_exhaustive()
    }
}

impl Midstate {
    /// Before the first block (RFC 1321 section 3.3).
    pub(super) const START: Self = Self([0x6745_2301, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476]);

    /// After one block more.
    pub(super) fn after(self, block: &[u8; BLOCK]) -> Self {
        let (chunks, _) = block.as_chunks::<4>();
        let mut words = [[0; LANES]; BLOCK / 4];
        for (word, chunk) in words.iter_mut().zip(chunks) {
            *word = [u32::from_le_bytes(*chunk); LANES];
        }
        let [state, ..] = turned(compress(&turned([self.0; LANES]), &words));
        Self(state)
    }
}

/// Writes a message with its padding and length (RFC 1321 sections 3.1 and 3.2); gives the number
/// of its blocks.
fn fill(room: &mut [u8; ROOM], message: &Message<'_>) -> usize {
    let mut used: usize = 0;
    for part in message.parts {
        let end = used.saturating_add(part.len());
        if let Some(place) = room.get_mut(used..end) {
            place.copy_from_slice(part);
            used = end;
        }
    }
    let length = used.saturating_add(message.before).saturating_mul(8);
    let length = u64::try_from(length).unwrap_or(0).to_le_bytes();
    let blocks = used.saturating_add(length.len()) / BLOCK;
    let blocks = blocks.saturating_add(1);
    let end = blocks.saturating_mul(BLOCK);
    if let Some([first, padding @ ..]) = room.get_mut(used..end) {
        *first = 0x80;
        padding.fill(0);
        if let Some(place) = padding.last_chunk_mut::<8>() {
            *place = length;
        }
    }
    blocks
}

/// The words of each lane from the lanes of each word, and back: there are four of both.
fn turned([a, b, c, d]: [Words; 4]) -> [Words; 4] {
    let [[a, e, i, m], [b, f, j, n], [c, g, k, o], [d, h, l, p]] = [a, b, c, d];
    [[a, b, c, d], [e, f, g, h], [i, j, k, l], [m, n, o, p]]
}

fn octets(state: [u32; 4]) -> Digest {
    let mut digest = [0; 16];
    let (places, _) = digest.as_chunks_mut::<4>();
    for (place, word) in places.iter_mut().zip(state) {
        *place = word.to_le_bytes();
    }
    digest
}

/// One block of each lane (RFC 1321 section 3.4).
///
/// The lanes are the outer loop: that is what the compiler makes vector instructions of, where a
/// loop in each step stays four times scalar.
#[inline(never)]
#[expect(
    clippy::indexing_slicing,
    reason = "a lane is below the length of every array"
)]
fn compress(states: &[Words; 4], m: &[Words; BLOCK / 4]) -> [Words; 4] {
    let mut after = *states;
    for lane in 0..LANES {
        let [mut a, mut b, mut c, mut d] = [
            states[0][lane],
            states[1][lane],
            states[2][lane],
            states[3][lane],
        ];
        // Round 1.
        a = step(a, b, f(b, c, d), m[0][lane], 0xd76a_a478, 7);
        d = step(d, a, f(a, b, c), m[1][lane], 0xe8c7_b756, 12);
        c = step(c, d, f(d, a, b), m[2][lane], 0x2420_70db, 17);
        b = step(b, c, f(c, d, a), m[3][lane], 0xc1bd_ceee, 22);
        a = step(a, b, f(b, c, d), m[4][lane], 0xf57c_0faf, 7);
        d = step(d, a, f(a, b, c), m[5][lane], 0x4787_c62a, 12);
        c = step(c, d, f(d, a, b), m[6][lane], 0xa830_4613, 17);
        b = step(b, c, f(c, d, a), m[7][lane], 0xfd46_9501, 22);
        a = step(a, b, f(b, c, d), m[8][lane], 0x6980_98d8, 7);
        d = step(d, a, f(a, b, c), m[9][lane], 0x8b44_f7af, 12);
        c = step(c, d, f(d, a, b), m[10][lane], 0xffff_5bb1, 17);
        b = step(b, c, f(c, d, a), m[11][lane], 0x895c_d7be, 22);
        a = step(a, b, f(b, c, d), m[12][lane], 0x6b90_1122, 7);
        d = step(d, a, f(a, b, c), m[13][lane], 0xfd98_7193, 12);
        c = step(c, d, f(d, a, b), m[14][lane], 0xa679_438e, 17);
        b = step(b, c, f(c, d, a), m[15][lane], 0x49b4_0821, 22);
        // Round 2.
        a = step(a, b, g(b, c, d), m[1][lane], 0xf61e_2562, 5);
        d = step(d, a, g(a, b, c), m[6][lane], 0xc040_b340, 9);
        c = step(c, d, g(d, a, b), m[11][lane], 0x265e_5a51, 14);
        b = step(b, c, g(c, d, a), m[0][lane], 0xe9b6_c7aa, 20);
        a = step(a, b, g(b, c, d), m[5][lane], 0xd62f_105d, 5);
        d = step(d, a, g(a, b, c), m[10][lane], 0x0244_1453, 9);
        c = step(c, d, g(d, a, b), m[15][lane], 0xd8a1_e681, 14);
        b = step(b, c, g(c, d, a), m[4][lane], 0xe7d3_fbc8, 20);
        a = step(a, b, g(b, c, d), m[9][lane], 0x21e1_cde6, 5);
        d = step(d, a, g(a, b, c), m[14][lane], 0xc337_07d6, 9);
        c = step(c, d, g(d, a, b), m[3][lane], 0xf4d5_0d87, 14);
        b = step(b, c, g(c, d, a), m[8][lane], 0x455a_14ed, 20);
        a = step(a, b, g(b, c, d), m[13][lane], 0xa9e3_e905, 5);
        d = step(d, a, g(a, b, c), m[2][lane], 0xfcef_a3f8, 9);
        c = step(c, d, g(d, a, b), m[7][lane], 0x676f_02d9, 14);
        b = step(b, c, g(c, d, a), m[12][lane], 0x8d2a_4c8a, 20);
        // Round 3.
        a = step(a, b, h(b, c, d), m[5][lane], 0xfffa_3942, 4);
        d = step(d, a, h(a, b, c), m[8][lane], 0x8771_f681, 11);
        c = step(c, d, h(d, a, b), m[11][lane], 0x6d9d_6122, 16);
        b = step(b, c, h(c, d, a), m[14][lane], 0xfde5_380c, 23);
        a = step(a, b, h(b, c, d), m[1][lane], 0xa4be_ea44, 4);
        d = step(d, a, h(a, b, c), m[4][lane], 0x4bde_cfa9, 11);
        c = step(c, d, h(d, a, b), m[7][lane], 0xf6bb_4b60, 16);
        b = step(b, c, h(c, d, a), m[10][lane], 0xbebf_bc70, 23);
        a = step(a, b, h(b, c, d), m[13][lane], 0x289b_7ec6, 4);
        d = step(d, a, h(a, b, c), m[0][lane], 0xeaa1_27fa, 11);
        c = step(c, d, h(d, a, b), m[3][lane], 0xd4ef_3085, 16);
        b = step(b, c, h(c, d, a), m[6][lane], 0x0488_1d05, 23);
        a = step(a, b, h(b, c, d), m[9][lane], 0xd9d4_d039, 4);
        d = step(d, a, h(a, b, c), m[12][lane], 0xe6db_99e5, 11);
        c = step(c, d, h(d, a, b), m[15][lane], 0x1fa2_7cf8, 16);
        b = step(b, c, h(c, d, a), m[2][lane], 0xc4ac_5665, 23);
        // Round 4.
        a = step(a, b, i(b, c, d), m[0][lane], 0xf429_2244, 6);
        d = step(d, a, i(a, b, c), m[7][lane], 0x432a_ff97, 10);
        c = step(c, d, i(d, a, b), m[14][lane], 0xab94_23a7, 15);
        b = step(b, c, i(c, d, a), m[5][lane], 0xfc93_a039, 21);
        a = step(a, b, i(b, c, d), m[12][lane], 0x655b_59c3, 6);
        d = step(d, a, i(a, b, c), m[3][lane], 0x8f0c_cc92, 10);
        c = step(c, d, i(d, a, b), m[10][lane], 0xffef_f47d, 15);
        b = step(b, c, i(c, d, a), m[1][lane], 0x8584_5dd1, 21);
        a = step(a, b, i(b, c, d), m[8][lane], 0x6fa8_7e4f, 6);
        d = step(d, a, i(a, b, c), m[15][lane], 0xfe2c_e6e0, 10);
        c = step(c, d, i(d, a, b), m[6][lane], 0xa301_4314, 15);
        b = step(b, c, i(c, d, a), m[13][lane], 0x4e08_11a1, 21);
        a = step(a, b, i(b, c, d), m[4][lane], 0xf753_7e82, 6);
        d = step(d, a, i(a, b, c), m[11][lane], 0xbd3a_f235, 10);
        c = step(c, d, i(d, a, b), m[2][lane], 0x2ad7_d2bb, 15);
        b = step(b, c, i(c, d, a), m[9][lane], 0xeb86_d391, 21);
        after[0][lane] = after[0][lane].wrapping_add(a);
        after[1][lane] = after[1][lane].wrapping_add(b);
        after[2][lane] = after[2][lane].wrapping_add(c);
        after[3][lane] = after[3][lane].wrapping_add(d);
    }
    after
}

#[inline(always)]
const fn step(a: u32, b: u32, mixed: u32, word: u32, constant: u32, by: u32) -> u32 {
    let sum = a
        .wrapping_add(mixed)
        .wrapping_add(word.wrapping_add(constant));
    sum.rotate_left(by).wrapping_add(b)
}

// The four functions of RFC 1321 section 3.4; F and G in the form with one operation less.
#[inline(always)]
const fn f(x: u32, y: u32, z: u32) -> u32 {
    z ^ (x & (y ^ z))
}

#[inline(always)]
const fn g(x: u32, y: u32, z: u32) -> u32 {
    y ^ (z & (x ^ y))
}

#[inline(always)]
const fn h(x: u32, y: u32, z: u32) -> u32 {
    x ^ y ^ z
}

#[inline(always)]
const fn i(x: u32, y: u32, z: u32) -> u32 {
    y ^ (x | !z)
}

#[cfg(test)]
mod tests;
