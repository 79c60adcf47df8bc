use proptest::prelude::*;

use super::*;

fn push(reassembler: &mut Reassembler, octets: &[u8]) -> Result<Progress, FragmentError> {
    reassembler.push(&Fragment::parse(octets)?)
}

#[test]
fn flags_and_length_at_their_boundaries_rfc5216_3_1() {
    let fragment = |start, more, announced, data| {
        Ok(Fragment {
            start,
            more,
            version: 0,
            announced,
            data,
        })
    };
    for (octets, expected) in [
        (&[][..], Err(FragmentError::NoFlags)),
        (&[0x00], fragment(false, false, None, &[][..])),
        (&[0x20], fragment(true, false, None, &[])),
        (&[0x18, 1], fragment(false, false, None, &[1])),
        (&[0x80, 0, 0, 0], Err(FragmentError::NoLength)),
        (&[0x80, 0, 0, 0, 1], fragment(false, false, Some(1), &[])),
        (&[0xc0, 0, 0, 0, 2, 9], fragment(false, true, Some(2), &[9])),
    ] {
        assert_eq!(Fragment::parse(octets), expected, "row {octets:?}");
    }
}

#[test]
fn the_lowest_bits_are_the_methods_version() {
    for (flags, version) in [(0x00, 0), (0x21, 1), (0x1f, 7), (0xf8, 0)] {
        let octets = [flags, 0, 0, 0, 1];
        assert_eq!(Fragment::parse(&octets).unwrap().version(), version);
    }
}

#[test]
fn only_a_bare_flags_octet_acknowledges() {
    for (octets, expected) in [
        (&[0x00][..], true),
        (&[0x1f], true), // reserved bits do not count
        (&[0x20], false),
        (&[0x40], false),
        (&[0x00, 1], false),
        (&[0x80, 0, 0, 0, 0], false),
    ] {
        let fragment = Fragment::parse(octets).unwrap();
        assert_eq!(fragment.is_acknowledgement(), expected, "row {octets:?}");
    }
}

type Row<'a> = (&'a [&'a [u8]], Result<Progress, FragmentError>);

/// Rows of one message each: its fragments and what the last of them leads to.
#[test]
fn fragments_add_up_or_are_refused_rfc5216_3_1() {
    let mismatch = |announced, received| {
        Err(FragmentError::Mismatch {
            announced,
            received,
        })
    };
    let whole = |octets: &[u8]| Ok(Progress::Whole(octets.to_vec()));
    let rows: [Row<'_>; 16] = [
        (&[&[0x00, 1, 2]], whole(&[1, 2])),
        // RFC 9190 section 2.1.5: a length on an unfragmented message must be accepted.
        (&[&[0x80, 0, 0, 0, 2, 1, 2]], whole(&[1, 2])),
        (&[&[0x80, 0, 0, 0, 3, 1, 2]], mismatch(3, 2)),
        (&[&[0x80, 0, 0, 0, 1, 1, 2]], mismatch(1, 2)),
        (&[&[0xc0, 0, 0, 0, 2, 1], &[0x00, 2]], whole(&[1, 2])),
        // Some peers repeat the length on each fragment.
        (
            &[&[0xc0, 0, 0, 0, 2, 1], &[0x80, 0, 0, 0, 2, 2]],
            whole(&[1, 2]),
        ),
        (
            &[&[0xc0, 0, 0, 0, 2, 1], &[0x80, 0, 0, 0, 3, 2]],
            mismatch(2, 2),
        ),
        (&[&[0xc0, 0, 0, 0, 3, 1], &[0x00, 2]], mismatch(3, 2)),
        (&[&[0xc0, 0, 0, 0, 2, 1], &[0x00, 2, 3]], mismatch(2, 3)),
        (&[&[0xc0, 0, 0, 0, 2, 1], &[0x40, 2]], mismatch(2, 2)),
        (&[&[0x40, 1]], Err(FragmentError::NoLength)),
        (&[&[0x00]], Err(FragmentError::Empty)),
        (&[&[0xc0, 0, 0, 0, 2]], Err(FragmentError::Empty)),
        (
            &[&[0xc0, 0, 0, 0, 2, 1], &[0x40]],
            Err(FragmentError::Empty),
        ),
        (&[&[0x20, 1]], Err(FragmentError::Start)),
        (
            &[&[0xc0, 0xff, 0xff, 0xff, 0xff, 1]],
            Err(FragmentError::TooLong),
        ),
    ];
    for (fragments, expected) in rows {
        let mut reassembler = Reassembler::default();
        let (last, before) = fragments.split_last().unwrap();
        for fragment in before {
            assert_eq!(push(&mut reassembler, fragment), Ok(Progress::More));
        }
        assert_eq!(
            push(&mut reassembler, last),
            expected,
            "row {fragments:02x?}"
        );
    }
}

#[test]
fn a_refused_fragment_leaves_the_message_as_it_was() {
    let mut reassembler = Reassembler::default();
    let first = [0xc0, 0, 0, 0, 2, 1];
    assert_eq!(push(&mut reassembler, &first), Ok(Progress::More));
    for refused in [&[0x40][..], &[0x00], &[0x20, 2], &[]] {
        assert!(push(&mut reassembler, refused).is_err_and(|error| !error.is_fatal()));
    }
    assert_eq!(
        push(&mut reassembler, &[0x00, 2]),
        Ok(Progress::Whole(vec![1, 2]))
    );
}

#[test]
fn nothing_is_allocated_for_a_length_that_is_only_announced() {
    let mut reassembler = Reassembler::default();
    let first = [0xc0, 0, 1, 0, 0, 1];
    assert_eq!(push(&mut reassembler, &first), Ok(Progress::More));
    assert!(reassembler.message.capacity() < 64);
    let above = [0xc0, 0, 1, 0, 1, 1];
    assert_eq!(
        push(&mut Reassembler::default(), &above),
        Err(FragmentError::TooLong)
    );
}

#[test]
fn headers_are_those_of_the_vectors() {
    let mut fragmenter = Fragmenter::new(vec![7; 3000], 1024 - 5);
    let first = fragmenter.next_fragment().unwrap();
    assert_eq!(
        (first.len(), &first[..5]),
        (1019, &[0xc0, 0, 0, 0x0b, 0xb8][..])
    );
    let middle = fragmenter.next_fragment().unwrap();
    assert_eq!((middle.len(), middle[0]), (1019, 0x40));
    assert!(!fragmenter.is_done());
    let last = fragmenter.next_fragment().unwrap();
    assert_eq!((last.len(), last[0]), (3000 - 1014 - 1018 + 1, 0));
    assert!(fragmenter.is_done());
    assert_eq!(fragmenter.next_fragment(), None);
}

proptest! {
    #[test]
    fn what_is_cut_is_joined(message in prop::collection::vec(any::<u8>(), 1..5000), room in 0_usize..1500) {
        let mut fragmenter = Fragmenter::new(message.clone(), room);
        let mut reassembler = Reassembler::default();
        let mut joined = None;
        while let Some(octets) = fragmenter.next_fragment() {
            prop_assert!(octets.len() <= room.max(SMALLEST_ROOM));
            prop_assert!(joined.is_none());
            match push(&mut reassembler, &octets).unwrap() {
                Progress::More => prop_assert!(!fragmenter.is_done()),
                Progress::Whole(whole) => joined = Some(whole),
            }
        }
        prop_assert_eq!(joined, Some(message));
        prop_assert!(!reassembler.is_waiting());
    }

    #[test]
    fn any_fragments_stay_within_the_bound(fragments in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..40)) {
        let mut reassembler = Reassembler::default();
        for octets in fragments {
            match push(&mut reassembler, &octets) {
                Ok(Progress::Whole(whole)) => prop_assert!(!whole.is_empty() && whole.len() <= MAX_MESSAGE),
                Ok(Progress::More) => prop_assert!(reassembler.is_waiting()),
                Err(_) => prop_assert!(reassembler.message.len() <= MAX_MESSAGE),
            }
        }
    }
}
