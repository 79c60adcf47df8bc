//! Any octets as the fragments of one peer, and as a message to cut and join.
//!
//! The input is a list of fragments, each after an octet with its length.

use portreeve::eap::Fragment;
use portreeve::eap::Fragmenter;
use portreeve::eap::MAX_MESSAGE;
use portreeve::eap::Progress;
use portreeve::eap::Reassembler;

/// One run.
pub fn drive(octets: &[u8]) {
    join(octets);
    let Some((room, message)) = octets.split_first() else {
        return;
    };
    if !message.is_empty() {
        cut_and_join(message, usize::from(*room) * 4);
    }
}

fn join(mut octets: &[u8]) {
    let mut reassembler = Reassembler::default();
    let mut taken = 0;
    while let Some((length, rest)) = octets.split_first() {
        let (type_data, next) = rest.split_at(usize::from(*length).min(rest.len()));
        octets = next;
        let Ok(fragment) = Fragment::parse(type_data) else {
            continue;
        };
        let before = reassembler.is_waiting();
        match reassembler.push(&fragment) {
            Ok(Progress::More) => {
                assert!(reassembler.is_waiting());
                taken += type_data.len();
            }
            Ok(Progress::Whole(message)) => {
                taken += type_data.len();
                assert!(!message.is_empty() && message.len() <= MAX_MESSAGE.min(taken));
                assert!(!reassembler.is_waiting());
                taken = 0;
            }
            Err(error) if error.is_fatal() => return,
            Err(_) => assert_eq!(reassembler.is_waiting(), before),
        }
    }
}

fn cut_and_join(message: &[u8], room: usize) {
    let mut fragmenter = Fragmenter::new(message.to_vec(), room);
    let mut reassembler = Reassembler::default();
    while let Some(type_data) = fragmenter.next_fragment() {
        assert!(type_data.len() <= room.max(6));
        let fragment = Fragment::parse(&type_data).expect("our own fragments can be read");
        match reassembler.push(&fragment) {
            Ok(Progress::More) => assert!(!fragmenter.is_done()),
            Ok(Progress::Whole(whole)) => {
                assert_eq!(whole, message);
                assert!(fragmenter.is_done());
            }
            Err(error) => assert!(message.len() > MAX_MESSAGE, "{error}"),
        }
    }
}
