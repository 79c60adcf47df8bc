//! Chargeable-User-Identity (RFC 4372): a name for somebody whom only this gateway can tell, the
//! same each time, for networks that have to count sessions of people they must not know.
//!
//! It is keyed: nobody without the key can find out whose it is by trying names. Networks that name
//! their operator (RFC 5580 section 4.1) get another one each, so that two of them cannot compare.

use std::fmt;

use aws_lc_rs::digest;
use aws_lc_rs::hmac;

use crate::access::DecisionPoint;
use crate::radius::AccessRequest;

/// The key of all identities; it lasts, or everybody would become somebody else.
#[derive(Clone)]
pub struct ChargingKey(hmac::Key);

impl ChargingKey {
    /// Octets of a key.
    pub const OCTETS: usize = 32;

    /// From random octets.
    #[must_use]
    pub fn new(octets: &[u8; Self::OCTETS]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, octets))
    }

    /// The identity of a user, in any case of letters, for an operator: 32 hexadecimal digits.
    fn identity(&self, user: &str, operator: &[u8; DIGEST]) -> Identity {
        let mut context = hmac::Context::with_key(&self.0);
        context.update(operator);
        for octet in user.trim().bytes() {
            context.update(&[octet.to_ascii_lowercase()]);
        }
        let tag = context.sign();
        let mut identity = [0; IDENTITY];
        for (pair, octet) in identity.as_chunks_mut::<2>().0.iter_mut().zip(tag.as_ref()) {
            let digit = |value: u8| b"0123456789abcdef"[usize::from(value & 0xf)];
            *pair = [digit(octet >> 4), digit(*octet)];
        }
        identity
    }
}

impl fmt::Debug for ChargingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ChargingKey(present)")
    }
}

/// What a request says of it.
#[derive(Clone, Copy, Debug)]
pub(super) enum Charging {
    /// Nothing is asked for.
    Unasked,
    /// By that operator; zeros where none is named.
    Asked([u8; DIGEST]),
}

impl Charging {
    pub(super) fn of(request: &AccessRequest<'_>) -> Self {
        if !request.wants_chargeable_user_identity() {
            return Self::Unasked;
        }
        let mut operator = [0; DIGEST];
        if let Some(name) = request.operator_name() {
            let digest = digest::digest(&digest::SHA256, name);
            operator
                .iter_mut()
                .zip(digest.as_ref())
                .for_each(|(to, from)| *to = *from);
        }
        Self::Asked(operator)
    }

    /// The identity of an authenticated user, if it is asked for, the same by whichever of their names
    /// they came; one that the NAS sent is not believed, but replaced by the right one.
    pub(super) fn identity(
        &self,
        key: &ChargingKey,
        point: &DecisionPoint,
        user: Option<&str>,
    ) -> Option<Identity> {
        match (self, user) {
            (Self::Asked(operator), Some(user)) => {
                Some(key.identity(point.own_name(user), operator))
            }
            (Self::Asked(_), None) | (Self::Unasked, _) => None,
        }
    }
}

/// The octets of the attribute.
pub(super) type Identity = [u8; IDENTITY];

/// Octets of an identity: 128 bits, more than there are people.
const IDENTITY: usize = 32;

/// Octets of an operator's name, hashed.
const DIGEST: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identities_are_stable_and_tell_apart_users_operators_and_keys() {
        let key = ChargingKey::new(&[7; 32]);
        let alice = key.identity("alice@example.com", &[0; DIGEST]);
        assert_eq!(key.identity(" Alice@EXAMPLE.com ", &[0; DIGEST]), alice);
        for other in [
            key.identity("bob@example.com", &[0; DIGEST]),
            key.identity("alice@example.com", &[1; DIGEST]),
            ChargingKey::new(&[8; 32]).identity("alice@example.com", &[0; DIGEST]),
        ] {
            assert_ne!(other, alice);
        }
        assert!(alice.iter().all(u8::is_ascii_hexdigit));
    }
}
