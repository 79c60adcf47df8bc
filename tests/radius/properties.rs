//! What holds for every input.

use portreeve::radius::Attribute;
use portreeve::radius::AttributeType;
use portreeve::radius::EncodeError;
use portreeve::radius::MAX_PACKET;
use portreeve::radius::Packet;
use portreeve::radius::Reply;
use portreeve::radius::RequestAuthenticator;
use portreeve::radius::RequestBuilder;
use portreeve::radius::Signature;
use portreeve::radius::verify;
use portreeve::radius::verify_reply;
use proptest::prelude::*;

use crate::support;

proptest! {
    /// Build, parse, same; and the signatures hold.
    #[test]
    fn requests_read_back_as_they_were_built(
        identifier in any::<u8>(),
        field in any::<[u8; 16]>(),
        attributes in attributes(),
    ) {
        let mut buffer = [0; MAX_PACKET];
        let secret = support::shared();
        let field = RequestAuthenticator::new(field);
        let mut request = RequestBuilder::access_request(&mut buffer, identifier, field, &secret);
        for (kind, value) in &attributes {
            request.octets(AttributeType(*kind), value);
        }
        let octets = request.finish().unwrap();
        let packet = Packet::new_checked(octets).unwrap();
        prop_assert_eq!(packet.octets(), octets);
        prop_assert_eq!(packet.identifier(), identifier);
        prop_assert!(packet.request_authenticator().ct_eq(&field));
        let read: Vec<_> = packet
            .attributes()
            .skip(1)
            .map(|Attribute { kind, value }| (kind.0, value.to_vec()))
            .collect();
        prop_assert_eq!(&read, &attributes);
        prop_assert!(verify(packet, &support::nas()).is_ok());
    }

    /// Every reply that is written is right and within bounds, whatever it was asked to hold.
    #[test]
    fn replies_are_right_or_not_written(
        size in 0..=MAX_PACKET + 100,
        proxies in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..=253), 0..4),
        attributes in attributes(),
        eap in proptest::collection::vec(any::<u8>(), 0..3000),
    ) {
        let proxies: Vec<_> = proxies
            .iter()
            .map(|value| (AttributeType::PROXY_STATE, &value[..]))
            .collect();
        let asked = support::access(&proxies);
        let request = Packet::new_checked(&asked).unwrap();
        let nas = support::nas();
        let mut buffer = vec![0; size];
        let origin = verify(request, &nas).unwrap().origin();
        let mut reply = Reply::access_accept(&mut buffer, origin, nas.secret());
        reply.eap_message(&eap);
        for (kind, value) in &attributes {
            reply.octets(AttributeType(*kind), value);
        }
        match reply.finish() {
            Ok(octets) => {
                prop_assert!(octets.len() <= size.min(MAX_PACKET));
                let reply = Packet::new_checked(octets).unwrap();
                let verified = verify_reply(reply, &request, nas.secret()).unwrap();
                prop_assert_eq!(verified.signature(), Signature::First);
                let copied: Vec<_> = reply.proxy_states().collect();
                prop_assert_eq!(copied, request.proxy_states().collect::<Vec<_>>());
            }
            Err(EncodeError::Overflow { limit }) => prop_assert_eq!(limit, size.min(MAX_PACKET)),
            Err(EncodeError::NotAllowed { kind, .. }) => {
                prop_assert!(attributes.iter().any(|(number, _)| *number == kind.0));
            }
            Err(error) => prop_assert!(false, "{}", error),
        }
    }

    /// Noise of every length is refused or read, never a panic, and never believed.
    #[test]
    fn noise_is_never_believed(octets in proptest::collection::vec(any::<u8>(), 0..300)) {
        prop_assert!(support::judge(&octets, &support::nas()).is_err());
    }

    /// The same with a sound header, so that the attributes are reached.
    #[test]
    fn framed_noise_is_never_believed(
        code in prop::sample::select(vec![1_u8, 4, 12]),
        attributes in proptest::collection::vec(any::<u8>(), 0..300),
    ) {
        let octets = support::raw(code, 20 + attributes.len(), &attributes);
        prop_assert!(support::judge(&octets, &support::nas()).is_err());
    }
}

/// Up to ten attributes of any type but Message-Authenticator.
fn attributes() -> impl Strategy<Value = Vec<(u8, Vec<u8>)>> {
    let kind = any::<u8>().prop_filter("not 80", |kind| *kind != 80);
    let value = proptest::collection::vec(any::<u8>(), 0..=253);
    proptest::collection::vec((kind, value), 0..10)
}
