//! Signatures: the authenticator field and the Message-Authenticator attribute.
//!
//! All of them are MD5 or HMAC-MD5 over the packet and the shared secret; see CVE-2024-3596 for
//! what that is worth without the second one.
#![warn(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

use std::fmt;

use hmac::Hmac;
use hmac::KeyInit;
use hmac::Mac;
use md5::Digest;
use md5::Md5;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::model::Secret;
use crate::radius::lanes::BLOCK;
use crate::radius::lanes::LANES;
use crate::radius::lanes::LONGEST;
use crate::radius::lanes::Lanes;
use crate::radius::lanes::Message;
use crate::radius::lanes::Midstate;

/// Octets of every authenticator.
pub(super) const AUTHENTICATOR: usize = 16;

/// Declares a 16-octet value that is compared in constant time only.
macro_rules! authenticator {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy)]
        pub struct $name([u8; AUTHENTICATOR]);

        impl $name {
            /// From its octets.
            #[must_use]
            pub const fn new(octets: [u8; AUTHENTICATOR]) -> Self {
                Self(octets)
            }

            /// The octets as on the wire.
            #[must_use]
            pub const fn octets(&self) -> &[u8; AUTHENTICATOR] {
                &self.0
            }

            /// Compares without telling by its duration where the values differ.
            #[must_use]
            pub fn ct_eq(&self, other: &Self) -> bool {
                bool::from(self.0.ct_eq(&other.0))
            }
        }

        /// Hexadecimal: it goes over the wire in the clear.
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({:032x})", stringify!($name), u128::from_be_bytes(self.0))
            }
        }
    };
}

authenticator! {
    /// The authenticator field of a request: random in an Access-Request and a Status-Server
    /// (RFC 2865 section 3, RFC 5997 section 3), MD5 over packet and secret in an
    /// Accounting-Request (RFC 2866 section 3).
    RequestAuthenticator
}

authenticator! {
    /// The authenticator field of a reply: MD5 over the reply, with the request's authenticator
    /// in its place, and the secret (RFC 2865 section 3).
    ResponseAuthenticator
}

authenticator! {
    /// The value of attribute 80: HMAC-MD5 over the whole packet (RFC 3579 section 3.2).
    MessageAuthenticator
}

/// The secret shared with a network device, together with the HMAC state that it keys.
///
/// Keying costs two MD5 blocks, a quarter of the time that signing a usual packet takes, so it
/// is done once for each device.
#[derive(Clone)]
pub struct SharedSecret {
    secret: Secret,
    keyed: Hmac<Md5>,
    /// The same keyed state for several packets side by side: after the inner and the outer pad
    /// (RFC 2104 section 2).
    inner: Midstate,
    outer: Midstate,
}

/// A packet whose Message-Authenticator is wanted: see [`SharedSecret::message_authenticator`].
#[derive(Clone, Copy)]
pub(super) struct Unverified<'p> {
    pub(super) secret: &'p SharedSecret,
    pub(super) packet: &'p [u8],
    pub(super) field: &'p [u8; AUTHENTICATOR],
    pub(super) value_at: usize,
}

/// The Message-Authenticators of up to [`LANES`] packets, in their order.
pub(super) fn message_authenticators(
    lanes: &mut Lanes,
    packets: &[Unverified<'_>],
) -> [MessageAuthenticator; LANES] {
    let alone = |one: &Unverified<'_>| {
        let Unverified {
            secret,
            packet,
            field,
            value_at,
        } = *one;
        secret.message_authenticator(packet, field, value_at)
    };
    let short = |one: &Unverified<'_>| one.packet.len() <= LONGEST;
    if packets.len() < 2 || !packets.iter().all(short) {
        let mut each = packets.iter().map(alone);
        return std::array::from_fn(|_| each.next().unwrap_or(NOTHING));
    }
    let mut messages = [Message::NOTHING; LANES];
    for (message, one) in messages.iter_mut().zip(packets) {
        let after = one.value_at.saturating_add(AUTHENTICATOR);
        *message = Message {
            from: one.secret.inner,
            before: BLOCK,
            parts: [
                one.packet.get(..4).unwrap_or(&[]),
                one.field,
                one.packet.get(20..one.value_at).unwrap_or(&[]),
                &NOTHING.0,
                one.packet.get(after..).unwrap_or(&[]),
            ],
        };
    }
    let inner = lanes.digest(messages.get(..packets.len()).unwrap_or(&[]));
    for ((message, one), inner) in messages.iter_mut().zip(packets).zip(&inner) {
        *message = Message {
            from: one.secret.outer,
            before: BLOCK,
            parts: [inner, &[], &[], &[], &[]],
        };
    }
    let outer = lanes.digest(messages.get(..packets.len()).unwrap_or(&[]));
    outer.map(MessageAuthenticator)
}

/// The Response Authenticators of up to [`LANES`] packets whose authenticator fields are still
/// those of their requests, in their order.
pub(super) fn response_authenticators(
    lanes: &mut Lanes,
    packets: &[(&SharedSecret, &[u8])],
) -> [ResponseAuthenticator; LANES] {
    let length = |(secret, packet): &(&SharedSecret, &[u8])| {
        packet.len().saturating_add(secret.secret.expose().len())
    };
    if packets.len() < 2 || packets.iter().any(|one| length(one) > LONGEST) {
        let mut each = packets.iter().map(|(secret, packet)| {
            let field = packet.get(4..20).and_then(|field| field.try_into().ok());
            secret.digest(packet, field.unwrap_or(&NOTHING.0))
        });
        return std::array::from_fn(|_| ResponseAuthenticator(each.next().unwrap_or_default()));
    }
    let mut messages = [Message::NOTHING; LANES];
    for (message, (secret, packet)) in messages.iter_mut().zip(packets) {
        message.parts = [packet, secret.secret.expose(), &[], &[], &[]];
    }
    let digests = lanes.digest(messages.get(..packets.len()).unwrap_or(&[]));
    digests.map(ResponseAuthenticator)
}

/// Stands in the field while a Message-Authenticator is computed (RFC 3579 section 3.2).
const NOTHING: MessageAuthenticator = MessageAuthenticator([0; AUTHENTICATOR]);

impl SharedSecret {
    /// Keys the HMAC state.
    #[must_use]
    pub fn new(secret: Secret) -> Self {
        let keyed = Hmac::new_from_slice(secret.expose()).expect("HMAC takes a key of any length");
        let mut key = Zeroizing::new([0; BLOCK]);
        let octets = secret.expose();
        // A key longer than a block is hashed first (RFC 2104 section 2).
        let hashed: [u8; AUTHENTICATOR] = Md5::digest(octets).into();
        let octets = if octets.len() > BLOCK {
            &hashed
        } else {
            octets
        };
        key.iter_mut()
            .zip(octets)
            .for_each(|(place, octet)| *place = *octet);
        let padded = |pad: u8| Midstate::START.after(&Zeroizing::new(key.map(|octet| octet ^ pad)));
        Self {
            inner: padded(0x36),
            outer: padded(0x5c),
            secret,
            keyed,
        }
    }

    /// The secret itself.
    #[must_use]
    pub const fn secret(&self) -> &Secret {
        &self.secret
    }

    /// HMAC-MD5 over `packet` with `field` as its authenticator field and zeros where the
    /// Message-Authenticator's value stands, which is at `value_at`.
    pub(super) fn message_authenticator(
        &self,
        packet: &[u8],
        field: &[u8; AUTHENTICATOR],
        value_at: usize,
    ) -> MessageAuthenticator {
        let after = value_at.saturating_add(AUTHENTICATOR);
        let mut mac = self.keyed.clone();
        mac.update(packet.get(..4).unwrap_or(&[]));
        mac.update(field);
        mac.update(packet.get(20..value_at).unwrap_or(&[]));
        mac.update(&[0; AUTHENTICATOR]);
        mac.update(packet.get(after..).unwrap_or(&[]));
        MessageAuthenticator(mac.finalize().into_bytes().into())
    }

    /// MD5 over `packet` with `field` as its authenticator field, then the secret.
    fn digest(&self, packet: &[u8], field: &[u8; AUTHENTICATOR]) -> [u8; AUTHENTICATOR] {
        let mut md5 = Md5::new();
        md5.update(packet.get(..4).unwrap_or(&[]));
        md5.update(field);
        md5.update(packet.get(20..).unwrap_or(&[]));
        md5.update(self.secret.expose());
        md5.finalize().into()
    }

    /// What the authenticator field of an Accounting-Request must hold (RFC 2866 section 3).
    pub(super) fn request_authenticator(&self, packet: &[u8]) -> RequestAuthenticator {
        RequestAuthenticator(self.digest(packet, &[0; AUTHENTICATOR]))
    }

    /// What the authenticator field of a reply must hold (RFC 2865 section 3).
    pub(super) fn response_authenticator(
        &self,
        packet: &[u8],
        request: &RequestAuthenticator,
    ) -> ResponseAuthenticator {
        ResponseAuthenticator(self.digest(packet, request.octets()))
    }
}

/// Says that there is a secret and nothing of it.
impl fmt::Debug for SharedSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SharedSecret").field(&self.secret).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn authenticators_compare_whole() {
        let one = RequestAuthenticator::new([1; 16]);
        assert!(one.ct_eq(&RequestAuthenticator::new([1; 16])));
        let mut other = [1; 16];
        other[15] = 2;
        assert!(!one.ct_eq(&RequestAuthenticator::new(other)));
    }

    #[test]
    fn debug_hides_the_secret() {
        let shared = SharedSecret::new(Secret::new(b"xyzzy5461".to_vec()));
        assert_eq!(format!("{shared:?}"), "SharedSecret(Secret(present))");
    }
}
