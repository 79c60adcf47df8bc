//! Values hidden with the shared secret: User-Password (RFC 2865 section 5.2) and the salted
//! MS-MPPE keys (RFC 2548 sections 2.4.2 and 2.4.3).
//!
//! Both are the same chain: each block of 16 octets is combined with an MD5 over the secret and
//! the block before it. They hide from a listener only as well as the secret is long.
#![warn(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

use std::fmt;

use md5::Digest;
use md5::Md5;
use zeroize::Zeroizing;

use crate::model::Secret;
use crate::radius::attribute::VendorId;
use crate::radius::authenticator::RequestAuthenticator;
use crate::radius::packet::Packet;

/// The longest password that can be hidden (RFC 2865 section 5.2).
pub const MAX_PASSWORD: usize = 128;

/// Octets of the value of a hidden MPPE key: salt, and three blocks of length, key and zeros.
pub(super) const HIDDEN_KEY: usize = 50;

/// MS-MPPE-Send-Key (RFC 2548 section 2.4.2).
pub(super) const MS_MPPE_SEND_KEY: u8 = 16;

/// MS-MPPE-Recv-Key (RFC 2548 section 2.4.3).
pub(super) const MS_MPPE_RECV_KEY: u8 = 17;

/// A password in the clear: zeroed on drop, never printed.
#[derive(Clone)]
pub struct Password {
    octets: Zeroizing<[u8; MAX_PASSWORD]>,
    length: usize,
}

impl Password {
    /// Takes the hiding off a User-Password; `None` unless it has 16 to 128 octets in steps of
    /// 16. Zeros at the end are padding and are cut off, so a password cannot end in one.
    ///
    /// With a wrong secret the result is arbitrary octets, not an error.
    #[must_use]
    pub fn reveal(
        hidden: &[u8],
        secret: &Secret,
        authenticator: &RequestAuthenticator,
    ) -> Option<Self> {
        if !is_hidden_password(hidden.len()) {
            return None;
        }
        let mut octets = Zeroizing::new([0; MAX_PASSWORD]);
        let plain = octets.get_mut(..hidden.len())?;
        plain.copy_from_slice(hidden);
        reveal(plain, secret, authenticator, &[]);
        let length = plain
            .iter()
            .rposition(|&octet| octet != 0)
            .map_or(0, |last| last.saturating_add(1));
        Some(Self { octets, length })
    }

    /// The octets, for the one comparison that needs them.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        self.octets.get(..self.length).unwrap_or(&[])
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(present)")
    }
}

/// Whether a User-Password may have that many octets.
pub(super) const fn is_hidden_password(octets: usize) -> bool {
    octets != 0 && octets <= MAX_PASSWORD && octets.is_multiple_of(16)
}

/// Hides a password of at most 128 octets at the start of the buffer and returns the octets used:
/// 16 for an empty one.
pub(super) fn hide_password<'b>(
    password: &[u8],
    secret: &Secret,
    authenticator: &RequestAuthenticator,
    buffer: &'b mut [u8; MAX_PASSWORD],
) -> Option<&'b [u8]> {
    let length = password.len().max(1).checked_next_multiple_of(16)?;
    let hidden = buffer.get_mut(..length)?;
    let (text, padding) = hidden.split_at_mut_checked(password.len())?;
    text.copy_from_slice(password);
    padding.fill(0);
    hide(hidden, secret, authenticator, &[]);
    Some(hidden)
}

/// Two octets that make each salted value of a packet different; the top bit is always set
/// (RFC 2548 section 2.4.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Salt(u16);

impl Salt {
    /// From random bits.
    #[must_use]
    pub const fn new(random: u16) -> Self {
        Self(random | 0x8000)
    }

    /// Another one for the next value of the same packet.
    #[must_use]
    pub const fn next(self) -> Self {
        Self::new(self.0.wrapping_add(1))
    }

    const fn octets(self) -> [u8; 2] {
        self.0.to_be_bytes()
    }
}

/// The keys that an EAP method hands to the NAS; the names are seen from the NAS.
#[derive(Clone)]
pub struct MppeKeys {
    receive: Zeroizing<[u8; Self::OCTETS]>,
    send: Zeroizing<[u8; Self::OCTETS]>,
}

impl MppeKeys {
    /// Octets of each key.
    pub const OCTETS: usize = 32;

    /// From a Master Session Key of 64 octets: the first half is what the NAS receives with, the
    /// PMK of IEEE 802.11 (RFC 5216 section 2.3, RFC 2548 section 2.4).
    #[must_use]
    pub fn from_msk(msk: &[u8; 64]) -> Self {
        let (receive, send) = msk.split_at(Self::OCTETS);
        Self {
            receive: Zeroizing::new(receive.try_into().expect("half of 64 octets is 32")),
            send: Zeroizing::new(send.try_into().expect("half of 64 octets is 32")),
        }
    }

    /// Reads both keys of an Access-Accept that answers a request with `authenticator`; `None`
    /// if either is missing or is not 32 octets.
    #[must_use]
    pub fn reveal(
        accept: &Packet<'_>,
        secret: &Secret,
        authenticator: &RequestAuthenticator,
    ) -> Option<Self> {
        let key = |kind| {
            let value = accept.find_vendor(VendorId::MICROSOFT, kind)?;
            reveal_key(value, secret, authenticator)
        };
        Some(Self {
            receive: key(MS_MPPE_RECV_KEY)?,
            send: key(MS_MPPE_SEND_KEY)?,
        })
    }

    /// MS-MPPE-Recv-Key.
    #[must_use]
    pub fn receive(&self) -> &[u8; Self::OCTETS] {
        &self.receive
    }

    /// MS-MPPE-Send-Key.
    #[must_use]
    pub fn send(&self) -> &[u8; Self::OCTETS] {
        &self.send
    }
}

impl fmt::Debug for MppeKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MppeKeys(present)")
    }
}

/// A key of at most 32 octets, hidden: salt, then its length, itself and zeros in whole blocks.
pub(super) struct HiddenKey {
    value: [u8; HIDDEN_KEY],
    length: usize,
}

impl HiddenKey {
    pub(super) fn octets(&self) -> &[u8] {
        self.value.get(..self.length).unwrap_or(&[])
    }
}

/// Hides a key of 16 or 32 octets.
pub(super) fn hide_key<const N: usize>(
    key: &[u8; N],
    secret: &Secret,
    authenticator: &RequestAuthenticator,
    salt: Salt,
) -> HiddenKey {
    const { assert!(N <= MppeKeys::OCTETS, "a longer key has no room") };
    let mut value = [0; HIDDEN_KEY];
    let [high, low, length, rest @ ..] = &mut value;
    let salt = salt.octets();
    [*high, *low] = salt;
    // Asserted above to be at most 32.
    *length = u8::try_from(N).unwrap_or(0);
    for (place, octet) in rest.iter_mut().zip(key) {
        *place = *octet;
    }
    let length = const { 2 + (N + 1).next_multiple_of(16) };
    if let Some(chain) = value.get_mut(2..length) {
        hide(chain, secret, authenticator, &salt);
    }
    HiddenKey { value, length }
}

/// Hides a value of any length in `place`, which has room for the salt and whole blocks of its
/// length, itself and zeros (RFC 2868 section 3.5); `None` if it has not.
pub(super) fn hide_salted(
    place: &mut [u8],
    plain: &[u8],
    secret: &Secret,
    authenticator: &RequestAuthenticator,
    salt: Salt,
) -> Option<()> {
    let (first, chain) = place.split_first_chunk_mut::<2>()?;
    let salt = salt.octets();
    *first = salt;
    if !chain.len().is_multiple_of(16) {
        return None;
    }
    let (length, rest) = chain.split_first_mut()?;
    *length = u8::try_from(plain.len()).ok()?;
    let (value, padding) = rest.split_at_mut_checked(plain.len())?;
    value.copy_from_slice(plain);
    padding.fill(0);
    hide(chain, secret, authenticator, &salt);
    Some(())
}

fn reveal_key(
    value: &[u8],
    secret: &Secret,
    authenticator: &RequestAuthenticator,
) -> Option<Zeroizing<[u8; MppeKeys::OCTETS]>> {
    let mut value: Zeroizing<[u8; HIDDEN_KEY]> = Zeroizing::new(value.try_into().ok()?);
    let (salt, chain) = value.split_first_chunk_mut::<2>()?;
    reveal(chain, secret, authenticator, salt);
    let (length, rest) = chain.split_first()?;
    if usize::from(*length) != MppeKeys::OCTETS {
        return None;
    }
    let (key, padding) = rest.split_first_chunk::<{ MppeKeys::OCTETS }>()?;
    padding
        .iter()
        .all(|&octet| octet == 0)
        .then(|| Zeroizing::new(*key))
}

/// Hides `chain` in place: `c(1) = p(1) ^ MD5(secret | authenticator | salt)`,
/// `c(i) = p(i) ^ MD5(secret | c(i-1))`.
fn hide(chain: &mut [u8], secret: &Secret, authenticator: &RequestAuthenticator, salt: &[u8]) {
    let mut mask = first_mask(secret, authenticator, salt);
    for block in chain.chunks_mut(16) {
        combine(block, &mask);
        mask = Md5::new()
            .chain_update(secret.expose())
            .chain_update(&*block)
            .finalize()
            .into();
    }
}

/// The inverse of [`hide`].
fn reveal(chain: &mut [u8], secret: &Secret, authenticator: &RequestAuthenticator, salt: &[u8]) {
    let mut mask = first_mask(secret, authenticator, salt);
    for block in chain.chunks_mut(16) {
        let next = Md5::new()
            .chain_update(secret.expose())
            .chain_update(&*block)
            .finalize()
            .into();
        combine(block, &mask);
        mask = next;
    }
}

fn first_mask(secret: &Secret, authenticator: &RequestAuthenticator, salt: &[u8]) -> [u8; 16] {
    Md5::new()
        .chain_update(secret.expose())
        .chain_update(authenticator.octets())
        .chain_update(salt)
        .finalize()
        .into()
}

fn combine(block: &mut [u8], mask: &[u8; 16]) {
    for (octet, mask) in block.iter_mut().zip(mask) {
        *octet ^= mask;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret() -> Secret {
        Secret::new(b"testing123".to_vec())
    }

    fn authenticator() -> RequestAuthenticator {
        RequestAuthenticator::new(std::array::from_fn(|place| place.try_into().unwrap()))
    }

    #[test]
    fn passwords_of_every_length_come_back_rfc2865_5_2() {
        for length in 0..=MAX_PASSWORD {
            let password = vec![b'p'; length];
            let mut buffer = [0xff; MAX_PASSWORD];
            let hidden = hide_password(&password, &secret(), &authenticator(), &mut buffer)
                .expect("at most 128 octets");
            assert_eq!(
                hidden.len(),
                length.max(1).next_multiple_of(16),
                "row {length}"
            );
            let plain = Password::reveal(hidden, &secret(), &authenticator()).unwrap();
            assert_eq!(plain.expose(), password, "row {length}");
        }
        let mut buffer = [0; MAX_PASSWORD];
        assert!(hide_password(&[b'p'; 129], &secret(), &authenticator(), &mut buffer).is_none());
    }

    #[test]
    fn hidden_passwords_of_other_lengths_are_refused_rfc2865_5_2() {
        for length in [0, 1, 15, 17, 31, 127, 129, 144, 253] {
            let hidden = vec![0; length];
            assert!(
                Password::reveal(&hidden, &secret(), &authenticator()).is_none(),
                "row {length}"
            );
        }
    }

    #[test]
    fn salts_have_the_top_bit_and_differ_rfc2548_2_4_2() {
        for random in [0, 1, 0x7fff, 0x8000, 0xffff] {
            let salt = Salt::new(random);
            assert!(salt.octets()[0] >= 0x80, "row {random}");
            assert!(salt.next().octets()[0] >= 0x80, "row {random}");
            assert_ne!(salt, salt.next(), "row {random}");
        }
    }
}
