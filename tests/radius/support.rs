//! A network device with a secret, and packets by hand.

use std::sync::Arc;

use portreeve::model::Secret;
use portreeve::radius::AttributeType;
use portreeve::radius::DropReason;
use portreeve::radius::MAX_PACKET;
use portreeve::radius::MessageAuthenticatorPolicy;
use portreeve::radius::Nas;
use portreeve::radius::NasConfig;
use portreeve::radius::NasTable;
use portreeve::radius::Packet;
use portreeve::radius::RequestAuthenticator;
use portreeve::radius::RequestBuilder;
use portreeve::radius::SharedSecret;
use portreeve::radius::verify;

/// The secret of [`nas`] and [`shared`].
pub(crate) const SECRET: &[u8] = b"a secret of 24 octets...";

/// A fixed authenticator; tests need no randomness.
pub(crate) const FIELD: RequestAuthenticator = RequestAuthenticator::new([0x5a; 16]);

pub(crate) fn shared() -> SharedSecret {
    SharedSecret::new(Secret::new(SECRET.to_vec()))
}

pub(crate) fn config(name: &str, network: &str) -> NasConfig {
    NasConfig {
        name: name.into(),
        group: "access-points".into(),
        network: network.parse().expect("a network"),
        secret: Secret::new(SECRET.to_vec()),
        message_authenticator: MessageAuthenticatorPolicy::Require,
        accounting: true,
        dynamic_authorization: None,
    }
}

/// A device with that secret and policy.
pub(crate) fn nas_with(secret: &[u8], policy: MessageAuthenticatorPolicy) -> Arc<Nas> {
    let table = NasTable::new(vec![NasConfig {
        secret: Secret::new(secret.to_vec()),
        message_authenticator: policy,
        ..config("nas", "192.0.2.1/32")
    }]);
    let table = table.expect("one entry is sound");
    Arc::clone(table.iter().next().expect("one entry"))
}

pub(crate) fn nas() -> Arc<Nas> {
    nas_with(SECRET, MessageAuthenticatorPolicy::Require)
}

/// A signed Access-Request with these attributes.
pub(crate) fn access(attributes: &[(AttributeType, &[u8])]) -> Vec<u8> {
    let mut buffer = [0; MAX_PACKET];
    let secret = shared();
    let mut request = RequestBuilder::access_request(&mut buffer, 7, FIELD, &secret);
    for (kind, value) in attributes {
        request.octets(*kind, value);
    }
    request.finish().expect("it fits").to_vec()
}

/// The same without Message-Authenticator.
pub(crate) fn unsigned_access(attributes: &[(AttributeType, &[u8])]) -> Vec<u8> {
    let mut buffer = [0; MAX_PACKET];
    let secret = shared();
    let mut request = RequestBuilder::unsigned_access_request(&mut buffer, 7, FIELD, &secret);
    for (kind, value) in attributes {
        request.octets(*kind, value);
    }
    request.finish().expect("it fits").to_vec()
}

/// An Accounting-Request with these attributes.
pub(crate) fn accounting(attributes: &[(AttributeType, &[u8])]) -> Vec<u8> {
    let mut buffer = [0; MAX_PACKET];
    let secret = shared();
    let mut request = RequestBuilder::accounting_request(&mut buffer, 7, &secret);
    for (kind, value) in attributes {
        request.octets(*kind, value);
    }
    request.finish().expect("it fits").to_vec()
}

/// Every check that a server makes, in its order.
pub(crate) fn judge(octets: &[u8], nas: &Nas) -> Result<(), DropReason> {
    let packet = Packet::new_checked(octets)?;
    verify(packet, nas)?.request()?;
    Ok(())
}

/// A header by hand, with `length` in its Length field, and what follows.
pub(crate) fn raw(code: u8, length: usize, attributes: &[u8]) -> Vec<u8> {
    let mut octets = vec![code, 7];
    octets.extend_from_slice(&u16::try_from(length).expect("16 bits").to_be_bytes());
    octets.extend_from_slice(&[0x5a; 16]);
    octets.extend_from_slice(attributes);
    octets
}
