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

use crate::model::Secret;

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
}

impl SharedSecret {
    /// Keys the HMAC state.
    #[must_use]
    pub fn new(secret: Secret) -> Self {
        let keyed = Hmac::new_from_slice(secret.expose()).expect("HMAC takes a key of any length");
        Self { secret, keyed }
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
