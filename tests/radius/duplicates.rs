//! Retransmissions as a server meets them.

use std::net::SocketAddr;
use std::time::Duration;

use portreeve::model::Monotonic;
use portreeve::radius::AttributeType;
use portreeve::radius::DuplicateCache;
use portreeve::radius::DuplicateLimits;
use portreeve::radius::Lookup;
use portreeve::radius::MAX_PACKET;
use portreeve::radius::Packet;
use portreeve::radius::RequestAuthenticator;
use portreeve::radius::RequestBuilder;
use portreeve::radius::Ticket;
use portreeve::radius::verify;

use crate::support;

#[test]
fn a_retransmission_gets_the_same_octets_rfc5080_2_2_2() {
    let mut cache = DuplicateCache::new(DuplicateLimits::default());
    let request = access(1, 1);
    assert_eq!(find(&mut cache, 0, NAS, &request), Lookup::New);
    let ticket = begin(&mut cache, 0, NAS, &request);
    assert_eq!(find(&mut cache, 1, NAS, &request), Lookup::InProgress);
    cache.complete(at(2), ticket, b"the reply, bit for bit");
    for second in [2, 3, 7] {
        let found = find(&mut cache, second, NAS, &request);
        assert_eq!(
            found,
            Lookup::Replay(b"the reply, bit for bit"),
            "row {second}"
        );
    }
}

#[test]
fn source_port_code_and_identifier_tell_requests_apart_rfc5080_2_2_2() {
    let mut cache = DuplicateCache::new(DuplicateLimits::default());
    let request = access(1, 1);
    let ticket = begin(&mut cache, 0, NAS, &request);
    cache.complete(at(0), ticket, b"reply");
    assert_eq!(
        find(&mut cache, 0, NAS, &access(2, 1)),
        Lookup::New,
        "identifier"
    );
    assert_eq!(
        find(&mut cache, 0, NAS, &access(1, 2)),
        Lookup::New,
        "authenticator"
    );
    assert_eq!(
        find(&mut cache, 0, "192.0.2.1:1001", &request),
        Lookup::New,
        "port"
    );
    assert_eq!(
        find(&mut cache, 0, "192.0.2.2:1000", &request),
        Lookup::New,
        "address"
    );
    let accounting = accounting(1);
    begin(&mut cache, 0, NAS, &accounting);
    let found = find(&mut cache, 0, NAS, &request);
    assert_eq!(found, Lookup::Replay(b"reply"), "accounting counts apart");
}

#[test]
fn a_new_authenticator_replaces_the_entry_rfc5080_2_2_2() {
    let mut cache = DuplicateCache::new(DuplicateLimits::default());
    let (old, new) = (access(1, 1), access(1, 2));
    let first = begin(&mut cache, 0, NAS, &old);
    cache.complete(at(0), first, b"old");
    let second = begin(&mut cache, 1, NAS, &new);
    assert_eq!(cache.len(), 1);
    assert_eq!(find(&mut cache, 1, NAS, &old), Lookup::New);
    assert_eq!(find(&mut cache, 1, NAS, &new), Lookup::InProgress);
    cache.complete(at(1), second, b"new");
    assert_eq!(find(&mut cache, 1, NAS, &new), Lookup::Replay(b"new"));
}

#[test]
fn asking_changes_nothing_rfc5080_2_2_2() {
    // Only `begin` remembers, and it takes a verified request.
    let mut cache = DuplicateCache::new(DuplicateLimits::default());
    let good = access(1, 1);
    let ticket = begin(&mut cache, 0, NAS, &good);
    cache.complete(at(0), ticket, b"reply");
    let mut forged = access(1, 2);
    forged[22] ^= 1;
    assert_eq!(find(&mut cache, 0, NAS, &forged), Lookup::New);
    assert_eq!(find(&mut cache, 0, NAS, &good), Lookup::Replay(b"reply"));
}

#[test]
fn entries_live_for_their_time_rfc5080_2_2_2() {
    let limits = DuplicateLimits::default();
    assert!(
        (5..=30).contains(&limits.lifetime.as_secs()),
        "the RFC's bounds"
    );
    let lifetime = limits.lifetime.as_secs();
    let mut cache = DuplicateCache::new(limits);
    assert_eq!(cache.poll_timeout(), None);
    let request = access(1, 1);
    let ticket = begin(&mut cache, 100, NAS, &request);
    assert_eq!(cache.poll_timeout(), Some(at(100 + lifetime)));
    cache.complete(at(104), ticket, b"reply");
    assert_eq!(
        cache.poll_timeout(),
        Some(at(104 + lifetime)),
        "from the reply on"
    );
    let last = 104 + lifetime - 1;
    assert_eq!(
        find(&mut cache, last, NAS, &request),
        Lookup::Replay(b"reply")
    );
    assert_eq!(find(&mut cache, last + 1, NAS, &request), Lookup::New);
    assert!(cache.is_empty());

    let lost = begin(&mut cache, 200, NAS, &request);
    cache.handle_timeout(at(200 + lifetime));
    assert!(cache.is_empty(), "work that never ends is forgotten too");
    cache.complete(at(300), lost, b"late");
    assert_eq!(find(&mut cache, 300, NAS, &request), Lookup::New);
}

#[test]
fn abandoned_requests_are_tried_afresh() {
    let mut cache = DuplicateCache::new(DuplicateLimits::default());
    let request = access(1, 1);
    let ticket = begin(&mut cache, 0, NAS, &request);
    cache.abandon(ticket);
    assert_eq!(find(&mut cache, 0, NAS, &request), Lookup::New);
    assert!(cache.is_empty());
}

#[test]
fn a_source_holds_256_of_each_code() {
    let mut cache = DuplicateCache::new(DuplicateLimits::default());
    for round in 0..3_u8 {
        for identifier in 0..=u8::MAX {
            let ticket = begin(&mut cache, 0, NAS, &access(identifier, round));
            cache.complete(at(0), ticket, &[identifier]);
        }
        assert_eq!(cache.len(), 256, "round {round}");
    }
    for identifier in 0..=u8::MAX {
        let found = find(&mut cache, 0, NAS, &access(identifier, 2));
        assert_eq!(found, Lookup::Replay(&[identifier]), "row {identifier}");
    }
}

#[test]
fn the_whole_is_bounded_and_the_oldest_goes_first() {
    let mut cache = DuplicateCache::new(DuplicateLimits {
        entries: 100,
        ..DuplicateLimits::default()
    });
    for identifier in 0..200 {
        let ticket = begin(&mut cache, 0, NAS, &access(identifier, 1));
        cache.complete(at(0), ticket, b"reply");
        assert!(cache.len() <= 100);
    }
    for identifier in 0..200 {
        let found = find(&mut cache, 0, NAS, &access(identifier, 1));
        assert_eq!(found != Lookup::New, identifier >= 100, "row {identifier}");
    }
}

const NAS: &str = "192.0.2.1:1000";

fn at(seconds: u64) -> Monotonic {
    Monotonic::from_elapsed(Duration::from_secs(seconds))
}

fn access(identifier: u8, field: u8) -> Vec<u8> {
    let mut buffer = [0; MAX_PACKET];
    let secret = support::shared();
    let field = RequestAuthenticator::new([field; 16]);
    let mut request = RequestBuilder::access_request(&mut buffer, identifier, field, &secret);
    request.octets(AttributeType::USER_NAME, b"alice");
    request.finish().unwrap().to_vec()
}

fn accounting(identifier: u8) -> Vec<u8> {
    let mut buffer = [0; MAX_PACKET];
    let secret = support::shared();
    let request = RequestBuilder::accounting_request(&mut buffer, identifier, &secret);
    request.finish().unwrap().to_vec()
}

fn find<'c>(cache: &'c mut DuplicateCache, second: u64, from: &str, request: &[u8]) -> Lookup<'c> {
    let from: SocketAddr = from.parse().unwrap();
    cache.find(at(second), from, &Packet::new_checked(request).unwrap())
}

fn begin(cache: &mut DuplicateCache, second: u64, from: &str, request: &[u8]) -> Ticket {
    let from: SocketAddr = from.parse().unwrap();
    let nas = support::nas();
    let verified = verify(Packet::new_checked(request).unwrap(), &nas).unwrap();
    cache.begin(at(second), from, &verified).unwrap()
}
