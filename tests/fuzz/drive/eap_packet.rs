//! Any octets as an EAP packet: what is accepted is what would be encoded.

use portreeve::eap;
use portreeve::eap::Code;
use portreeve::eap::Identity;
use portreeve::eap::Packet;
use portreeve::eap::Wanted;

/// One run.
pub fn drive(octets: &[u8]) {
    let Ok(packet) = Packet::new_checked(octets) else {
        return;
    };
    let encoded = match (packet.code(), packet.kind()) {
        (Code::Request, Some(kind)) => eap::request(packet.identifier(), kind, packet.data()),
        (Code::Response, Some(kind)) => eap::response(packet.identifier(), kind, packet.data()),
        (Code::Success, None) => eap::success(packet.identifier()).to_vec(),
        (Code::Failure, None) => eap::failure(packet.identifier()).to_vec(),
        (Code::Request | Code::Response, None) | (Code::Success | Code::Failure, Some(_)) => {
            panic!("{:?} with type {:?}", packet.code(), packet.kind())
        }
    };
    assert!(
        octets.starts_with(&encoded),
        "padding apart, nothing is lost"
    );
    assert_eq!(Packet::new_checked(&encoded), Ok(packet));

    if let Some(wanted) = Wanted::from_nak(&packet) {
        assert!(wanted.types().len() <= Wanted::MAX);
        assert!(wanted.types().iter().all(|kind| kind.0 != 0));
        assert!(!wanted.to_string().is_empty());
    }
    let identity = Identity::new(packet.data());
    assert_eq!(identity.is_some(), packet.data().len() <= Identity::MAX);
}
