//! The path of a packet does not allocate: measured, not believed.

#[path = "../support/alloc.rs"]
mod alloc;

use std::hint::black_box;
use std::net::SocketAddr;
use std::time::Duration;

use alloc::allocations;
use portreeve::model::Monotonic;
use portreeve::radius::AttributeType;
use portreeve::radius::DuplicateCache;
use portreeve::radius::DuplicateLimits;
use portreeve::radius::Lookup;
use portreeve::radius::MAX_PACKET;
use portreeve::radius::MppeKeys;
use portreeve::radius::NasTable;
use portreeve::radius::Packet;
use portreeve::radius::Reply;
use portreeve::radius::Request;
use portreeve::radius::RequestAuthenticator;
use portreeve::radius::RequestBuilder;
use portreeve::radius::Salt;
use portreeve::radius::SharedSecret;
use portreeve::radius::Template;
use portreeve::radius::verify;
use portreeve::radius::verify_reply;

use crate::support;

#[test]
fn the_path_of_a_packet_does_not_allocate() {
    let table = NasTable::new(vec![support::config("n", "192.0.2.0/24")]).unwrap();
    let secret = support::shared();
    let template = Template::parse("Filter-Id", "guest").unwrap();
    let keys = MppeKeys::from_msk(&[7; 64]);
    // Small enough that entries and octets are evicted all the time.
    let mut cache = DuplicateCache::new(DuplicateLimits {
        entries: 64,
        octets: 8192,
        ..DuplicateLimits::default()
    });
    let from: SocketAddr = "192.0.2.1:1000".parse().unwrap();
    let before = allocations();
    for round in 0..2_000_u16 {
        let now = Monotonic::from_elapsed(Duration::from_millis(u64::from(round)));
        let [high, low] = round.to_be_bytes();
        let field = RequestAuthenticator::new([high; 16]);
        let (mut asked, mut answer) = ([0; MAX_PACKET], [0; MAX_PACKET]);
        let request = if round.is_multiple_of(3) {
            accounting(&mut asked, low, &secret)
        } else {
            access(&mut asked, low, field, &secret)
        };
        let nas = table.find(from.ip()).unwrap();
        let packet = Packet::new_checked(request).unwrap();
        assert_eq!(cache.find(now, from, &packet), Lookup::New);
        let verified = verify(packet, nas).unwrap();
        let ticket = cache.begin(now, from, &verified).unwrap();
        let reply = match verified.request().unwrap() {
            Request::Access(access) => {
                black_box(access.password(nas.secret().secret()));
                black_box(access.calling_mac());
                let mut reply = Reply::access_accept(&mut answer, verified.origin(), nas.secret());
                reply
                    .vlan(0, b"20")
                    .template(&template)
                    .mppe_keys(&keys, Salt::new(round))
                    .eap_message(&[3, 1, 0, 4]);
                reply.finish().unwrap()
            }
            Request::Accounting(accounting) => {
                black_box(accounting.session_id());
                let origin = verified.origin();
                let reply = Reply::accounting_response(&mut answer, origin, nas.secret());
                reply.finish().unwrap()
            }
            Request::Status(_) => panic!("none was sent"),
        };
        cache.complete(now, ticket, reply);
        assert_eq!(cache.find(now, from, &packet), Lookup::Replay(reply));
        let reply = Packet::new_checked(reply).unwrap();
        verify_reply(reply, &packet, &secret).unwrap();
    }
    assert_eq!(allocations() - before, 0);
}

#[test]
fn the_counter_counts() {
    let before = allocations();
    black_box(vec![0_u8; 100]);
    assert!(allocations() > before);
}

fn access<'b>(
    buffer: &'b mut [u8],
    identifier: u8,
    field: RequestAuthenticator,
    secret: &SharedSecret,
) -> &'b [u8] {
    let mut request = RequestBuilder::access_request(buffer, identifier, field, secret);
    request
        .octets(AttributeType::USER_NAME, b"alice")
        .user_password(b"wonderland")
        .octets(AttributeType::CALLING_STATION_ID, b"00-AA-BB-CC-DD-EE")
        .octets(AttributeType::PROXY_STATE, b"p");
    request.finish().unwrap()
}

fn accounting<'b>(buffer: &'b mut [u8], identifier: u8, secret: &SharedSecret) -> &'b [u8] {
    let mut request = RequestBuilder::accounting_request(buffer, identifier, secret);
    request
        .integer(AttributeType::ACCT_STATUS_TYPE, 1)
        .octets(AttributeType::ACCT_SESSION_ID, &[identifier; 8]);
    request.finish().unwrap()
}
