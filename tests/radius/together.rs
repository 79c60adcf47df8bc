//! Packets that come together are verified and signed like each of them alone.

use std::sync::Arc;

use portreeve::radius::AttributeType;
use portreeve::radius::DropReason;
use portreeve::radius::Lanes;
use portreeve::radius::MAX_PACKET;
use portreeve::radius::MessageAuthenticatorPolicy;
use portreeve::radius::Nas;
use portreeve::radius::Packet;
use portreeve::radius::Reply;
use portreeve::radius::Unsealed;
use portreeve::radius::sign_each;
use portreeve::radius::verify;
use portreeve::radius::verify_each;

use crate::support;
use crate::support::SECRET;

/// Requests of lengths from a few octets to the longest packet, with and without signature, right
/// and wrong.
fn requests() -> Vec<Vec<u8>> {
    let text = [b'x'; 253];
    let mut requests = Vec::new();
    for length in (0..40).chain([50, 60, 100, 200, 400, 470, 480, 500, 1000, 4000]) {
        let mut attributes = vec![(AttributeType::USER_NAME, &b"alice"[..])];
        let mut left = length;
        while left > 0 {
            let piece = left.min(text.len());
            attributes.push((AttributeType::PROXY_STATE, &text[..piece]));
            left -= piece;
        }
        requests.push(support::access(&attributes));
        if length % 3 == 0 {
            requests.push(support::unsigned_access(&attributes));
        }
        if length % 4 == 0 {
            let mut forged = support::access(&attributes);
            *forged.last_mut().unwrap() ^= 1;
            requests.push(forged);
        }
    }
    requests
}

/// With other secrets, one of them longer than a block, and policies.
fn devices() -> [Arc<Nas>; 4] {
    let long = [b's'; 100];
    let with = support::nas_with;
    [
        with(SECRET, MessageAuthenticatorPolicy::Require),
        with(SECRET, MessageAuthenticatorPolicy::Auto),
        with(SECRET, MessageAuthenticatorPolicy::Off),
        with(&long, MessageAuthenticatorPolicy::Require),
    ]
}

/// The device that item `number` comes from.
fn device(devices: &[Arc<Nas>; 4], number: usize) -> &Nas {
    &devices[number * 7 % 5 % 4]
}

#[test]
fn verdicts_are_those_of_each_alone() {
    let requests = requests();
    let packets: Vec<Packet<'_>> = requests
        .iter()
        .map(|octets| Packet::new_checked(octets).unwrap())
        .collect();
    let mut right = 0;
    for count in [1, 2, 3, 4, 5, 8, 11, packets.len()] {
        let (alone, together) = (devices(), devices());
        for (begin, chunk) in packets.chunks(count).enumerate() {
            let number = |place: usize| begin * count + place;
            let expected: Vec<Result<(), DropReason>> = chunk
                .iter()
                .enumerate()
                .map(|(place, packet)| verify(*packet, device(&alone, number(place))).map(drop))
                .collect();
            let mut items: Vec<(usize, Option<Result<(), DropReason>>)> =
                (0..chunk.len()).map(|place| (place, None)).collect();
            verify_each(
                &mut Lanes::new(),
                &mut items,
                |(place, _)| Some((chunk[*place], device(&together, number(*place)))),
                |(_, found), verdict| *found = Some(verdict.map(drop)),
            );
            for ((place, found), expected) in items.into_iter().zip(expected) {
                assert_eq!(found, Some(expected), "row {count}, {}", number(place));
                right += usize::from(expected.is_ok());
            }
        }
    }
    assert!(right > 100, "most are right");
}

#[test]
fn signatures_are_those_of_each_alone() {
    let requests = requests();
    let devices = devices();
    let of_first = |octets: &[u8]| {
        let packet = Packet::new_checked(octets).ok()?;
        verify(packet, &devices[0]).map(drop).ok()
    };
    let asked: Vec<&Vec<u8>> = requests
        .iter()
        .filter(|octets| octets.len() < 3700 && of_first(octets).is_some())
        .collect();
    for count in [1, 2, 3, 4, 5, 8, 11, asked.len()] {
        let mut begun: Vec<(Unsealed, Vec<u8>, usize)> = Vec::new();
        let mut expected = Vec::new();
        for (number, octets) in asked.iter().take(count).enumerate() {
            let secret = device(&devices, number).secret();
            let packet = Packet::new_checked(octets).unwrap();
            let verified = verify(packet, &devices[0]).unwrap();
            let reply = |buffer: &mut [u8], whole: bool| {
                let mut reply = Reply::access_accept(buffer, verified.origin(), secret);
                let text = [b'y'; 253];
                reply.octets(AttributeType::FILTER_ID, &text[..number % 200 + 1]);
                if whole {
                    (None, reply.finish().unwrap().len())
                } else {
                    let unsealed = reply.finish_unsealed().unwrap();
                    (Some(unsealed), unsealed.length())
                }
            };
            let mut buffer = vec![0; MAX_PACKET];
            let (_, length) = reply(&mut buffer, true);
            buffer.truncate(length);
            expected.push(buffer);
            let mut buffer = vec![0; MAX_PACKET];
            let (unsealed, length) = reply(&mut buffer, false);
            assert_ne!(
                buffer[..length],
                expected[number],
                "row {number}: not signed"
            );
            begun.push((unsealed.unwrap(), buffer, number));
        }
        let replies = begun.iter_mut().map(|(unsealed, buffer, number)| {
            (
                *unsealed,
                &mut buffer[..],
                device(&devices, *number).secret(),
            )
        });
        sign_each(&mut Lanes::new(), replies);
        for ((unsealed, buffer, number), expected) in begun.iter().zip(&expected) {
            let signed = &buffer[..unsealed.length()];
            assert_eq!(signed, expected, "row {count}, {number}");
        }
    }
}
