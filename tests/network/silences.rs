//! Peers that fall silent amid a conversation: what is on record, and that a flood of them is not.

use std::sync::Arc;
use std::time::Duration;

use portreeve::access::DecisionRecord;
use portreeve::eap::Inner;
use portreeve::eap::Outer;
use portreeve::probe::Profile;

use crate::lab::ALICE;
use crate::lab::GOOD;
use crate::lab::GOOD_MAC;
use crate::lab::Lab;
use crate::lab::refusal;
use crate::nas::Nas;
use crate::pair::Next;
use crate::pair::Pair;
use crate::tunnels::settings;
use crate::world::SECRET;

/// Lets a peer fall silent after so many challenges; `false` if its login ends before.
fn silent_after(lab: &mut Lab, pair: &mut Pair, challenges: usize) -> bool {
    let mut request = pair.request();
    while pair.challenges < challenges {
        let reply = lab.ask(&pair.nas, &request).expect("a reply");
        match pair.take(lab.now, reply) {
            Next::Request(next) => request = next,
            Next::End(_) => return false,
        }
    }
    true
}

/// All who are silent are given up.
fn give_up(lab: &mut Lab) -> Vec<DecisionRecord> {
    lab.passes(Duration::from_secs(30));
    let now = lab.now;
    lab.servers[0].handle_timeout(now);
    lab.records()
}

#[test]
fn a_device_that_goes_silent_at_the_gateways_certificate_is_on_record_issue_4() {
    let mut lab = Lab::new();
    lab.configure(|config| config.eap_packet = 3072);
    let mut pair = lab.pair(GOOD);
    assert!(silent_after(&mut lab, &mut pair, 2));
    let records = give_up(&mut lab);
    let [record] = &records[..] else {
        panic!("{records:?}")
    };
    assert_eq!(
        refusal(record),
        "peer: went silent when it saw the gateway's certificate"
    );
    let advice = record.advice.unwrap();
    assert!(advice.contains("whether to trust it"), "{advice}");
    assert!(record.method.as_str().starts_with("eap-tls"));
    assert_eq!(record.user.as_str(), "anonymous@contoso.com");
    assert_eq!(record.rounds, 2);
    assert!(record.nas.as_option().is_some() && record.station.is_some());
    assert_eq!(lab.servers[0].counters().unrecorded.get(), 0);
}

#[test]
fn wherever_a_peer_goes_silent_there_is_one_record_that_says_where_and_what_to_do() {
    let mut said = Vec::new();
    for (outer, inner) in [
        (Outer::Ttls, Inner::Gtc),
        (Outer::Ttls, Inner::Pap),
        (Outer::Peap, Inner::Gtc),
        (Outer::Teap, Inner::Pap),
    ] {
        for challenges in 1..40 {
            let mut lab = Lab::new();
            let profile = Profile::build(settings(&lab, outer, inner, ALICE)).unwrap();
            let mut pair = lab.pair_of(&Arc::new(profile));
            GOOD_MAC.clone_into(&mut pair.station);
            if !silent_after(&mut lab, &mut pair, challenges) {
                break;
            }
            let records = give_up(&mut lab);
            let row = format!("row {outer:?} {inner:?} {challenges}: {records:?}");
            let [record] = &records[..] else {
                panic!("{row}")
            };
            let why = refusal(record);
            assert!(why.starts_with("peer: "), "{row}");
            assert!(record.advice.is_some(), "{row}");
            assert_eq!(usize::from(record.rounds), challenges, "{row}");
            said.push(why);
        }
    }
    for expected in [
        "went silent when a method was offered to it",
        "went silent when the tunnel was made and it was to say who it is",
        "went silent inside of the tunnel, in gtc",
        "(crypto-binding)",
    ] {
        let found = said.iter().any(|why| why.contains(expected));
        assert!(found, "nobody {expected}: {said:?}");
    }
}

#[test]
fn a_peer_that_began_anew_and_was_let_in_meanwhile_leaves_no_record_of_its_silence() {
    let mut lab = Lab::new();
    let mut first = lab.pair(GOOD);
    assert!(silent_after(&mut lab, &mut first, 2));
    lab.passes(Duration::from_secs(5));
    let mut second = lab.pair(GOOD);
    second.nas = Nas::new("192.0.2.1:50001", SECRET);
    lab.login(&mut second).accepted(&second.nas);
    assert_eq!(lab.records().len(), 1);
    let records = give_up(&mut lab);
    assert!(records.is_empty(), "{records:?}");
    assert_eq!(lab.servers[0].counters().abandoned.get(), 1);
}

#[test]
fn a_flood_of_beginnings_does_not_flood_the_journal_issue_4() {
    let mut lab = Lab::new();
    let profile = lab.profile(GOOD);
    for number in 0..2000_u32 {
        let mut pair = lab.pair_of(&profile);
        let [.., high, low] = number.to_be_bytes();
        pair.station = format!("00-00-5E-00-{high:02X}-{low:02X}");
        assert!(silent_after(&mut lab, &mut pair, 1));
    }
    let records = give_up(&mut lab);
    assert_eq!(records.len(), 20);
    let counters = lab.servers[0].counters();
    assert_eq!(counters.abandoned.get(), 2000);
    assert_eq!(counters.unrecorded.get(), 1980);
}
