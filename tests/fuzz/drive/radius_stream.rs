//! Any octets as a stream of a TLS connection, in both versions, and its packets on their way
//! through a proxy.

use std::sync::Arc;

use portreeve::model::Secret;
use portreeve::radius::Code;
use portreeve::radius::Forward;
use portreeve::radius::MAX_PACKET;
use portreeve::radius::MessageAuthenticatorPolicy;
use portreeve::radius::Nas;
use portreeve::radius::NasConfig;
use portreeve::radius::NasTable;
use portreeve::radius::Packet;
use portreeve::radius::RADSEC_SECRET;
use portreeve::radius::RealmTable;
use portreeve::radius::Reply;
use portreeve::radius::RequestAuthenticator;
use portreeve::radius::Returned;
use portreeve::radius::Salt;
use portreeve::radius::SharedSecret;
use portreeve::radius::Version11;
use portreeve::radius::next_packet;
use portreeve::radius::realm_of;
use portreeve::radius::verify;

/// One run.
pub fn drive(octets: &[u8]) {
    let (nas, version) = (nas(), Version11::new([3; 8]));
    let mut rest = octets;
    for _ in 0..MAX_PACKETS {
        let Ok(Some(packet)) = next_packet(rest) else {
            break;
        };
        assert!((20..=MAX_PACKET).contains(&packet.len()));
        assert!(rest.starts_with(packet));
        rest = &rest[packet.len()..];
        translated(&version, &nas, packet);
        returned(packet);
    }
    let mut table = RealmTable::default();
    table.add("*", ());
    let name = &octets[..octets.len().min(253)];
    assert_eq!(table.find(name).is_some(), realm_of(name).is_some());
}

/// A request of RADIUS/1.1 becomes one that is believed, and its reply has its Token again.
fn translated(version: &Version11, nas: &Arc<Nas>, packet: &[u8]) {
    let (mut buffer, mut other) = ([0; MAX_PACKET], [0; MAX_PACKET]);
    let _sent = version.demand(packet, &mut buffer).is_ok();
    let _taken = version.answer(packet, &mut buffer).is_ok();
    let Ok(classic) = version.request(packet, &mut buffer) else {
        return;
    };
    let classic = Packet::new_checked(classic).expect("what we write is sound");
    let Ok(verified) = verify(classic, nas) else {
        // Only for what no NAS may send.
        let requests = [
            Code::AccessRequest,
            Code::AccountingRequest,
            Code::StatusServer,
        ];
        assert!(!requests.contains(&classic.code()));
        return;
    };
    forwarded(&verified, nas);
    let secret = nas.secret();
    let reply = if classic.code() == Code::AccountingRequest {
        Reply::accounting_response(&mut other, verified.origin(), secret)
    } else {
        Reply::access_accept(&mut other, verified.origin(), secret)
    };
    let Ok(reply) = reply.finish().map(<[u8]>::to_vec) else {
        return;
    };
    let reply = version.reply(&reply, &mut other).expect("it has our mark");
    assert_eq!(reply[4..8], packet[4..8], "the Token");
    assert_eq!(reply[8..20], [0; 12]);
}

/// A believed request goes on to a home server as one that is believed there.
fn forwarded(verified: &portreeve::radius::Verified<'_>, nas: &Arc<Nas>) {
    let Some(forward) = Forward::new(verified, nas.secret(), b"mark", |_, _| true) else {
        return;
    };
    let authenticator = RequestAuthenticator::new([9; 16]);
    let mut buffer = [0; MAX_PACKET];
    if let Ok(octets) = forward.write(&mut buffer, 1, authenticator, nas.secret()) {
        let packet = Packet::new_checked(octets).expect("what we write is sound");
        assert!(verify(packet, nas).is_ok());
    }
}

/// Whatever a home server answers can be put into a reply, or is refused.
fn returned(packet: &[u8]) {
    let Ok(packet) = Packet::new_checked(packet) else {
        return;
    };
    let secret = SharedSecret::new(Secret::new(b"between proxy and home".to_vec()));
    let authenticator = RequestAuthenticator::new([5; 16]);
    let Some(answer) = Returned::new(&packet, &secret, &authenticator) else {
        return;
    };
    let (nas, mut buffer, mut other) = (nas(), [0; MAX_PACKET], [0; MAX_PACKET]);
    let mut request = portreeve::radius::RequestBuilder::access_request(
        &mut buffer,
        7,
        authenticator,
        nas.secret(),
    );
    request.octets(portreeve::radius::AttributeType::USER_NAME, b"x");
    let request = request.finish().expect("it fits");
    let request = Packet::new_checked(request).expect("what we write is sound");
    let verified = verify(request, &nas).expect("it is signed");
    let mut reply = Reply::access_accept(&mut other, verified.origin(), nas.secret());
    for carried in answer.attributes() {
        assert!(!carried.is_of_authentication() || carried.kind().0 != 64);
        reply.carried(carried, Salt::new(1));
    }
    if let Ok(octets) = reply.finish() {
        assert!(Packet::new_checked(octets).is_ok());
    }
}

fn nas() -> Arc<Nas> {
    let table = NasTable::new(vec![NasConfig {
        name: "peer".into(),
        group: "default".into(),
        network: "192.0.2.1/32".parse().expect("a network"),
        secret: Secret::new(RADSEC_SECRET.to_vec()),
        message_authenticator: MessageAuthenticatorPolicy::Off,
        accounting: true,
        dynamic_authorization: None,
    }]);
    let table = table.expect("one entry is sound");
    Arc::clone(table.iter().next().expect("one entry"))
}

/// Packets of a run, so that one of many small ones ends.
const MAX_PACKETS: usize = 16;
