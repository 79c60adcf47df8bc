#![expect(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test fails by panicking"
)]

use md5::Digest as _;
use md5::Md5;

use super::*;

/// Octets that are different everywhere.
fn some(length: usize, seed: usize) -> Vec<u8> {
    let octet = |place: usize| (place * 31 + place / 251 + seed * 97) % 256;
    (0..length)
        .map(|place| u8::try_from(octet(place)).unwrap())
        .collect()
}

fn plain(octets: &[u8]) -> Digest {
    Md5::digest(octets).into()
}

#[test]
fn rfc1321_a_5() {
    let mut lanes = Lanes::new();
    for (text, expected) in [
        ("", 0xd41d8cd98f00b204e9800998ecf8427e_u128),
        ("a", 0x0cc175b9c0f1b6a831c399e269772661),
        ("abc", 0x900150983cd24fb0d6963f7d28e17f72),
        ("message digest", 0xf96b697d7cb7938d525a2f31aaf161d0),
    ] {
        let message = Message {
            from: Midstate::START,
            before: 0,
            parts: [text.as_bytes(), &[], &[], &[], &[]],
        };
        let [digest, ..] = lanes.digest(&[message]);
        assert_eq!(u128::from_be_bytes(digest), expected, "row {text}");
    }
}

#[test]
fn every_length_beside_every_other_is_that_of_the_crate() {
    let mut lanes = Lanes::new();
    for length in 0..=LONGEST {
        // Neighbours of other lengths, and of what they left in the rooms.
        let lengths = [length, LONGEST - length, length / 2, 17];
        let octets = lengths.map(|length| some(length, length));
        for count in 1..=LANES {
            let messages: Vec<Message<'_>> = octets[..count]
                .iter()
                .map(|octets| {
                    let (head, rest) = octets.split_at(octets.len() / 3);
                    let (body, tail) = rest.split_at(rest.len() / 2);
                    Message {
                        from: Midstate::START,
                        before: 0,
                        parts: [head, &[], body, tail, &[]],
                    }
                })
                .collect();
            let digests = lanes.digest(&messages);
            for (octets, digest) in octets[..count].iter().zip(digests) {
                assert_eq!(digest, plain(octets), "row {length}, {count}");
            }
        }
    }
}

#[test]
fn a_message_goes_on_where_whole_blocks_were_hashed() {
    let mut lanes = Lanes::new();
    for blocks in 0..4 {
        let all = some(blocks * BLOCK + 20, blocks);
        let (before, rest) = all.split_at(blocks * BLOCK);
        let from = before.chunks(BLOCK).fold(Midstate::START, |state, block| {
            state.after(block.try_into().unwrap())
        });
        let message = Message {
            from,
            before: before.len(),
            parts: [rest, &[], &[], &[], &[]],
        };
        let [digest, ..] = lanes.digest(&[message]);
        assert_eq!(digest, plain(&all), "row {blocks}");
    }
}
