use std::collections::VecDeque;

use proptest::prelude::*;

use super::*;
use crate::model::Secret;
use crate::radius::AttributeType;
use crate::radius::MAX_PACKET;
use crate::radius::MessageAuthenticatorPolicy;
use crate::radius::NasConfig;
use crate::radius::NasTable;
use crate::radius::RequestBuilder;
use crate::radius::SharedSecret;
use crate::radius::verify;

#[test]
fn a_limit_of_nothing_remembers_nothing() {
    let mut cache = cache(0, 4096);
    assert_eq!(
        with_request(1, 1, |now, from, request| cache.begin(now, from, request)),
        None
    );
    assert!(cache.is_empty());
}

#[test]
fn a_reply_longer_than_the_ring_is_forgotten() {
    let mut cache = cache(4, 19);
    let ticket = begin(&mut cache, 1, 1).unwrap();
    cache.complete(at(1), ticket, &[0; 20]);
    assert_eq!(find(&mut cache, 1, 1, 1), None);
    assert!(cache.is_empty());
}

#[test]
fn a_stale_ticket_changes_nothing() {
    let mut cache = cache(2, 4096);
    let old = begin(&mut cache, 1, 1).unwrap();
    let new = begin(&mut cache, 1, 2).unwrap();
    cache.complete(at(1), old, b"old");
    assert_eq!(
        find(&mut cache, 1, 1, 2),
        Some(None),
        "still being worked on"
    );
    cache.complete(at(1), new, b"new");
    cache.complete(at(1), new, b"again");
    cache.abandon(new);
    assert_eq!(find(&mut cache, 1, 1, 2), Some(Some(b"new".to_vec())));
}

#[test]
fn the_oldest_reply_goes_before_work_in_progress() {
    let mut cache = cache(3, 4096);
    let working = begin(&mut cache, 1, 1).unwrap();
    let answered = begin(&mut cache, 2, 1).unwrap();
    cache.complete(at(1), answered, b"two");
    begin(&mut cache, 3, 1).unwrap();
    begin(&mut cache, 4, 1).unwrap();
    assert_eq!(find(&mut cache, 1, 2, 1), None, "the reply went");
    assert_eq!(find(&mut cache, 1, 1, 1), Some(None), "the work stayed");
    begin(&mut cache, 5, 1).unwrap();
    assert_eq!(find(&mut cache, 1, 1, 1), None, "the oldest work went");
    cache.complete(at(1), working, b"late");
    assert_eq!(cache.len(), 3);
}

/// One step of a run against the model.
#[derive(Clone, Debug)]
enum Step {
    Begin { identifier: u8, authenticator: u8 },
    Complete { which: usize, length: usize },
    Abandon { which: usize },
    Wait { seconds: u64 },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => (0..6_u8, 0..3_u8)
            .prop_map(|(identifier, authenticator)| Step::Begin { identifier, authenticator }),
        4 => (0..4_usize, 20..60_usize)
            .prop_map(|(which, length)| Step::Complete { which, length }),
        1 => (0..4_usize).prop_map(|which| Step::Abandon { which }),
        1 => (0..7_u64).prop_map(|seconds| Step::Wait { seconds }),
    ];
    proptest::collection::vec(step, 0..200)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// What was just begun or answered is found; what is found later is the reply that was stored
    /// last for that identifier and authenticator; the count never exceeds the limit.
    #[test]
    fn finds_exactly_what_a_plain_model_holds(steps in steps()) {
        // The ring holds three to ten replies, so it wraps and evicts all the time.
        let mut cache = cache(4, 200);
        let mut seconds = 0;
        let mut tickets = VecDeque::new();
        let mut replies: Vec<((u8, u8), Vec<u8>)> = Vec::new();
        let mut count = 0_u8;
        for step in steps {
            match step {
                Step::Begin { identifier, authenticator } => {
                    let ticket = with_request(identifier, authenticator, |_, from, request| {
                        cache.begin(at(seconds), from, request)
                    });
                    replies.retain(|((held, _), _)| *held != identifier);
                    let found = find(&mut cache, seconds, identifier, authenticator);
                    prop_assert_eq!(found, Some(None), "just begun");
                    tickets.push_back(((identifier, authenticator), ticket.unwrap()));
                }
                Step::Complete { which, length } => {
                    if let Some((key, ticket)) = tickets.remove(which) {
                        count = count.wrapping_add(1);
                        let reply = vec![count; length];
                        let live = cache.is_working(ticket);
                        cache.complete(at(seconds), ticket, &reply);
                        if live {
                            let found = find(&mut cache, seconds, key.0, key.1);
                            prop_assert_eq!(found, Some(Some(reply.clone())), "just answered");
                            replies.push((key, reply));
                        }
                    }
                }
                Step::Abandon { which } => {
                    if let Some((_, ticket)) = tickets.remove(which) {
                        cache.abandon(ticket);
                    }
                }
                Step::Wait { seconds: more } => seconds += more,
            }
            prop_assert!(cache.len() <= 4);
            for identifier in 0..6 {
                for authenticator in 0..3 {
                    if let Some(Some(found)) = find(&mut cache, seconds, identifier, authenticator) {
                        let held = replies
                            .iter()
                            .rev()
                            .find(|(key, _)| *key == (identifier, authenticator));
                        prop_assert_eq!(Some(&found), held.map(|(_, reply)| reply));
                    }
                }
            }
        }
    }
}

#[test]
fn the_newest_reply_survives_every_wrap() {
    let mut cache = cache(64, 1000);
    for round in 0..5_000_usize {
        let identifier = u8::try_from(round % 200).unwrap();
        let authenticator = u8::try_from(round % 251).unwrap();
        let ticket = begin(&mut cache, identifier, authenticator).unwrap();
        let reply = vec![authenticator; 20 + round % 97];
        cache.complete(at(1), ticket, &reply);
        let found = find(&mut cache, 1, identifier, authenticator);
        assert_eq!(found, Some(Some(reply)), "round {round}");
    }
    // 1,000 octets hold at least seven replies of at most 116 beside the gap at the end.
    assert!(cache.len() >= 7, "{} entries are left", cache.len());
}

fn cache(entries: u32, octets: usize) -> DuplicateCache {
    DuplicateCache::new(DuplicateLimits {
        entries,
        octets,
        ..DuplicateLimits::default()
    })
}

fn at(seconds: u64) -> Monotonic {
    Monotonic::from_elapsed(Duration::from_secs(seconds))
}

fn begin(cache: &mut DuplicateCache, identifier: u8, authenticator: u8) -> Option<Ticket> {
    with_request(identifier, authenticator, |now, from, request| {
        cache.begin(now, from, request)
    })
}

/// `None` for new, `Some(None)` for in progress, else the reply.
fn find(
    cache: &mut DuplicateCache,
    seconds: u64,
    identifier: u8,
    authenticator: u8,
) -> Option<Option<Vec<u8>>> {
    with_request(identifier, authenticator, |_, from, request| {
        match cache.find(at(seconds), from, request.packet()) {
            Lookup::New => None,
            Lookup::InProgress => Some(None),
            Lookup::Replay(octets) => Some(Some(octets.to_vec())),
        }
    })
}

/// Calls with a verified request from 192.0.2.1 port 1000 at second 1.
fn with_request<T>(
    identifier: u8,
    authenticator: u8,
    call: impl FnOnce(Monotonic, SocketAddr, &Verified<'_>) -> T,
) -> T {
    let secret = Secret::new(b"a secret of 24 octets...".to_vec());
    let shared = SharedSecret::new(secret.clone());
    let table = NasTable::new(vec![NasConfig {
        name: "nas".into(),
        group: "group".into(),
        network: "192.0.2.1/32".parse().unwrap(),
        secret,
        message_authenticator: MessageAuthenticatorPolicy::Require,
        accounting: true,
        dynamic_authorization: None,
    }])
    .unwrap();
    let from: SocketAddr = "192.0.2.1:1000".parse().unwrap();
    let mut buffer = [0; MAX_PACKET];
    let field = RequestAuthenticator::new([authenticator; 16]);
    let mut request = RequestBuilder::access_request(&mut buffer, identifier, field, &shared);
    request.octets(AttributeType::USER_NAME, b"alice");
    let packet = Packet::new_checked(request.finish().unwrap()).unwrap();
    let verified = verify(packet, table.find(from.ip()).unwrap()).unwrap();
    call(at(1), from, &verified)
}
