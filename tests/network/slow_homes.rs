//! Home servers over UDP that are slow, lose and reorder what they get, in virtual time, with NASes that
//! ask again meanwhile.

use std::collections::HashMap;
use std::time::Duration;

use portreeve::network::Via;
use portreeve::radius::Code;
use proptest::prelude::*;

use crate::lab::AUTHENTICATION;
use crate::lab::GOOD_MAC;
use crate::proxying::Site;

#[test]
fn a_nas_that_asks_again_while_home_is_slow_is_answered_once_and_then_from_memory() {
    let mut site = Site::new();
    let request = site.login(GOOD_MAC);
    site.ask(&request);
    let first = site.only();
    let from = site.nas.address;
    // RFC 5080 section 2.2.1: every 2 s or more, and the home server takes more than 3.
    site.passes(2);
    assert_eq!(site.lab.deliver(0, AUTHENTICATION, from, &request), []);
    assert_eq!(site.only(), first, "our own repetition and no other");
    site.passes(1);
    assert_eq!(site.lab.deliver(0, AUTHENTICATION, from, &request), []);
    assert_eq!(site.sent(), []);
    site.answer(&first, Code::AccessAccept, |_| {});
    let answers = site.answered();
    assert_eq!(answers.len(), 1);
    let again = site.lab.deliver(0, AUTHENTICATION, from, &request);
    assert_eq!(again[0].octets, answers[0].octets);
    assert_eq!(site.sent(), [], "nobody is asked again");
    // The second answer of the home server answers nothing.
    site.answer(&first, Code::AccessAccept, |_| {});
    assert_eq!(site.answered(), []);
    assert_eq!(site.lab.dropped("home_silent"), 0);
}

/// What may happen between two moments.
#[derive(Clone, Copy, Debug)]
enum Event {
    Asked,
    /// The NAS sends its last request once more.
    Repeated,
    /// A packet is answered: which one of those that wait, modulo their number.
    Answered(u8),
    /// It is lost.
    Lost(u8),
    Passed(u8),
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let event = prop_oneof![
        3 => Just(Event::Asked),
        1 => Just(Event::Repeated),
        3 => any::<u8>().prop_map(Event::Answered),
        2 => any::<u8>().prop_map(Event::Lost),
        3 => (1_u8..4).prop_map(Event::Passed),
    ];
    prop::collection::vec(event, 0..50)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// However packets are lost and reordered: no request is answered twice with different words,
    /// each is let go of in time, and a home server that answers is alive in the end.
    #[test]
    fn each_request_is_answered_once_or_let_go_of(happens in events()) {
        let mut site = Site::new();
        let mut waiting: Vec<(Via, Vec<u8>)> = Vec::new();
        let mut last: Option<Vec<u8>> = None;
        let mut told: HashMap<Vec<u8>, Vec<u8>> = HashMap::new();
        let mut asked: u64 = 0;
        for event in happens {
            match event {
                Event::Asked => {
                    let request = site.login(GOOD_MAC);
                    site.ask(&request);
                    asked += 1;
                    last = Some(request);
                }
                Event::Repeated => if let Some(request) = &last {
                    let from = site.nas.address;
                    let again = site.lab.deliver(0, AUTHENTICATION, from, request);
                    for sent in &again {
                        prop_assert_eq!(Some(&sent.octets), told.get(request));
                    }
                    // One that comes when its answer is forgotten is a request of its own.
                    if again.is_empty() {
                        told.remove(request);
                    }
                },
                Event::Answered(which) if !waiting.is_empty() => {
                    let one = waiting.swap_remove(usize::from(which) % waiting.len());
                    let is_status = one.1[0] == 12;
                    let code = if is_status { Code::AccessAccept } else { Code::AccessReject };
                    site.answer(&one, code, |_| {});
                }
                Event::Lost(which) if !waiting.is_empty() => {
                    waiting.swap_remove(usize::from(which) % waiting.len());
                }
                Event::Answered(_) | Event::Lost(_) => {}
                Event::Passed(seconds) => site.passes(seconds.into()),
            }
            waiting.extend(site.sent());
            for sent in site.answered() {
                if let Some(request) = last.as_ref().filter(|last| last[1] == sent.octets[1]) {
                    let before = told.insert(request.clone(), sent.octets);
                    prop_assert_eq!(before, None, "answered twice");
                }
            }
        }
        // Nothing is lost any more.
        for _ in 0..40 {
            site.lab.passes(Duration::from_millis(500));
            for one in site.sent() {
                let is_status = one.1[0] == 12;
                let code = if is_status { Code::AccessAccept } else { Code::AccessReject };
                site.answer(&one, code, |_| {});
            }
            site.answered();
        }
        prop_assert_eq!(site.proxy.pending(), 0);
        prop_assert!(site.lab.servers[0].is_idle());
        let counters = site.lab.servers[0].counters();
        prop_assert!(counters.forwarded.get() >= asked);
        for home in &site.homes {
            prop_assert!(home.in_flight() == 0);
            prop_assert_eq!(home.health(), portreeve::network::Health::Alive);
        }
    }
}
