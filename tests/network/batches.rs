//! Datagrams that come together are handled like those that come one after the other.

use std::net::SocketAddr;

use portreeve::network::MAX_BATCH;
use portreeve::radius::AttributeType;

use crate::lab::ALICE;
use crate::lab::AUTHENTICATION;
use crate::lab::BAD_MAC;
use crate::lab::GOOD_MAC;
use crate::lab::Lab;
use crate::lab::STRANGER_MAC;
use crate::nas::Nas;

/// Requests of every kind that is answered at once, retransmissions among them, and datagrams that
/// are dropped for every reason.
fn mixture(lab: &Lab, count: usize) -> Vec<(SocketAddr, Vec<u8>)> {
    let stranger: SocketAddr = "203.0.113.9:1812".parse().unwrap();
    let right: String = ALICE.chars().rev().collect();
    let mut nas = lab.nas();
    let bypass = |nas: &mut Nas, mac: &str| {
        nas.access(|request| {
            request
                .octets(AttributeType::USER_NAME, mac.as_bytes())
                .octets(AttributeType::CALLING_STATION_ID, mac.as_bytes());
        })
    };
    let password = |nas: &mut Nas, password: &str| {
        nas.access(|request| {
            request
                .octets(AttributeType::USER_NAME, ALICE.as_bytes())
                .user_password(password.as_bytes())
                .octets(AttributeType::CALLING_STATION_ID, GOOD_MAC.as_bytes());
        })
    };
    let mut datagrams: Vec<(SocketAddr, Vec<u8>)> = Vec::new();
    for number in 0..count {
        let from = nas.address;
        let next = match number % 11 {
            0 => (from, bypass(&mut nas, GOOD_MAC)),
            1 => (from, bypass(&mut nas, BAD_MAC)),
            2 => (from, bypass(&mut nas, STRANGER_MAC)),
            3 => (from, bypass(&mut nas, "no address at all")),
            4 => (from, password(&mut nas, &right)),
            5 => (from, password(&mut nas, "wrong")),
            6 => (from, nas.status()),
            // Once more what came six before.
            7 => datagrams[number - 6].clone(),
            8 => {
                let mut forged = bypass(&mut nas, GOOD_MAC);
                *forged.last_mut().unwrap() ^= 1;
                (from, forged)
            }
            9 => (stranger, bypass(&mut nas, GOOD_MAC)),
            _ => (from, vec![1; number % 30]),
        };
        datagrams.push(next);
    }
    datagrams
}

#[test]
fn a_batch_is_answered_like_its_datagrams_one_by_one() {
    for count in [
        0,
        1,
        2,
        MAX_BATCH - 1,
        MAX_BATCH,
        MAX_BATCH + 1,
        5 * MAX_BATCH,
    ] {
        let (mut single, mut together) = (Lab::new(), Lab::new());
        let datagrams = mixture(&single, count);
        for (from, octets) in &datagrams {
            single.servers[0].handle_datagram(single.now, AUTHENTICATION, *from, octets);
        }
        let batch = datagrams
            .iter()
            .map(|(from, octets)| (*from, octets.as_slice()));
        together.servers[0].handle_datagrams(together.now, AUTHENTICATION, batch);
        let (expected, found) = (single.settle(), together.settle());
        let answered = datagrams.len() - datagrams.len() / 11;
        assert!(
            count < 11 || expected.len() > answered / 2,
            "row {count}: most are answered"
        );
        assert_eq!(found, expected, "row {count}");
        let told = |lab: &Lab| -> Vec<String> {
            let records = lab.records().into_iter();
            records.map(|record| format!("{record:?}")).collect()
        };
        assert_eq!(told(&together), told(&single), "row {count}");
        let counted = |lab: &Lab| -> Vec<(&'static str, u64)> {
            let counters = lab.servers[0].counters();
            counters.discarded().collect()
        };
        assert_eq!(counted(&together), counted(&single), "row {count}");
        let received = together.servers[0].counters().received.get();
        assert_eq!(received, u64::try_from(count).unwrap());
    }
}
