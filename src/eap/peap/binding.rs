//! What binds PEAP's tunnel to the method inside of it ([MS-PEAP] sections 2.2.8.1.1, 3.1.5.5.2 and
//! 3.1.5.7): a Cryptobinding TLV of either side, and keys of both together.

use aws_lc_rs::hmac;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// Keys of a tunnel and what is inside.
pub(crate) struct Binding {
    /// Intermediate PEAP MAC Key.
    ipmk: Zeroizing<[u8; 40]>,
    /// Compound MAC Key.
    cmk: Zeroizing<[u8; 20]>,
}

impl Binding {
    /// Of the tunnel's TK and the key of the method inside, zeros if it has none.
    pub(crate) fn new(tunnel_key: &[u8; 60], inner_key: &[u8; 32]) -> Self {
        let (temporal, _) = tunnel_key.split_at(40);
        let seed = Zeroizing::new([INNER_METHODS, inner_key].concat());
        let mut keys = Zeroizing::new([0; 60]);
        expand(temporal, &seed, keys.as_mut_slice());
        Self::split(&keys)
    }

    /// Of a tunnel that is resumed, in which no method is spoken.
    pub(crate) fn resumed(tunnel_key: &[u8; 60]) -> Self {
        Self::split(tunnel_key)
    }

    fn split(keys: &[u8; 60]) -> Self {
        let (mut ipmk, mut cmk) = (Zeroizing::new([0; 40]), Zeroizing::new([0; 20]));
        let (first, second) = keys.split_at(40);
        ipmk.copy_from_slice(first);
        cmk.copy_from_slice(second);
        Self { ipmk, cmk }
    }

    /// The TLV of one side, with its header; `answer` is the peer's.
    pub(crate) fn tlv(&self, nonce: &[u8; 32], answer: bool) -> [u8; TLV] {
        let mut tlv = [0; TLV];
        let (head, rest) = tlv.split_at_mut(8);
        head.copy_from_slice(&[0, CRYPTOBINDING, 0, VALUE, 0, 0, 0, u8::from(answer)]);
        let (to, _) = rest.split_at_mut(32);
        to.copy_from_slice(nonce);
        let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, self.cmk.as_slice());
        let mut context = hmac::Context::with_key(&key);
        context.update(&tlv);
        context.update(&[EAP_TYPE]);
        let (_, mac) = tlv.split_at_mut(TLV - 20);
        mac.copy_from_slice(context.sign().as_ref());
        tlv
    }

    /// Whether a TLV with this value is the peer's answer to ours.
    pub(crate) fn holds(&self, nonce: &[u8; 32], value: &[u8]) -> bool {
        let expected = self.tlv(nonce, true);
        let (_, expected) = expected.split_at(4);
        expected.ct_eq(value).into()
    }

    /// CSK: MSK and EMSK of a conversation that was bound.
    pub(crate) fn keys(&self) -> Zeroizing<[u8; 128]> {
        let mut keys = Zeroizing::new([0; 128]);
        expand(self.ipmk.as_slice(), SESSION_KEYS, keys.as_mut_slice());
        keys
    }
}

/// PRF+ of [MS-PEAP]: blocks of HMAC-SHA-1 over the block before, the seed, a counter and two zeros.
fn expand(key: &[u8], seed: &[u8], to: &mut [u8]) {
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, key);
    let mut before: Option<hmac::Tag> = None;
    for (piece, counter) in to.chunks_mut(20).zip(1_u8..) {
        let mut context = hmac::Context::with_key(&key);
        if let Some(before) = &before {
            context.update(before.as_ref());
        }
        context.update(seed);
        context.update(&[counter, 0, 0]);
        let block = context.sign();
        let octets = block.as_ref().iter();
        piece
            .iter_mut()
            .zip(octets)
            .for_each(|(to, from)| *to = *from);
        before = Some(block);
    }
}

/// Of a TLV with its header, and of its value.
const TLV: usize = 60;
const VALUE: u8 = 56;

/// The number of the TLV.
pub(super) const CRYPTOBINDING: u8 = 12;

/// PEAP's own number is part of what the MAC is over.
const EAP_TYPE: u8 = 25;

const INNER_METHODS: &[u8] = b"Inner Methods Compound Keys";
/// With the zero that ends it, which the other label does without.
const SESSION_KEYS: &[u8] = b"Session Key Generating Function\0";

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    /// `tests/vectors/eap_peap.txt`: indented lines go on.
    fn vectors() -> HashMap<String, Vec<u8>> {
        let text = include_str!("../../../tests/vectors/eap_peap.txt").replace("\n    ", "");
        let lines = text.lines().filter_map(|line| line.split_once(" = "));
        lines
            .map(|(name, digits)| {
                let octets = (0..digits.len()).step_by(2);
                let octets = octets.map(|at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap());
                (name.to_owned(), octets.collect())
            })
            .collect()
    }

    #[test]
    fn bindings_and_keys_are_those_of_the_vectors() {
        let vectors = vectors();
        let tk: &[u8; 60] = vectors["tk"].first_chunk().unwrap();
        let nonce: [u8; 32] = std::array::from_fn(|at| 0xc0 + u8::try_from(at).unwrap());
        for row in ["mschapv2", "gtc", "fast"] {
            let of = |what: &str| &vectors[&format!("{row}.{what}")];
            let binding = match row {
                "fast" => Binding::resumed(tk),
                _ => Binding::new(tk, of("isk").first_chunk().unwrap()),
            };
            assert_eq!(
                binding.tlv(&nonce, false).as_slice(),
                of("request"),
                "{row}"
            );
            assert_eq!(
                binding.tlv(&nonce, true).as_slice(),
                of("response"),
                "{row}"
            );
            assert_eq!(&binding.keys()[..64], of("msk"), "{row}");
            assert!(binding.holds(&nonce, &of("response")[4..]), "{row}");
            assert!(
                !binding.holds(&nonce, &of("request")[4..]),
                "{row}: our own"
            );
            assert!(
                !binding.holds(&[0; 32], &of("response")[4..]),
                "{row}: nonce"
            );
            assert!(!binding.holds(&nonce, &[]), "{row}");
        }
    }
}
