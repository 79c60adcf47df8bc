//! Keys of TEAP (RFC 9930 section 6): what binds the tunnel to each inner method, and what both sides
//! have at the end.
//!
//! Each method that ends is a round: IMSK from its key, S-IMCK and CMK from that and the S-IMCK of
//! before, and a Crypto-Binding TLV of either side whose MACs are under the CMK. A method without a key
//! is a round with zeros, and so is a tunnel in which nothing is spoken.
#![warn(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

use aws_lc_rs::hmac;
use rustls::crypto::hash::HashAlgorithm;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::settings::TeapBinding;
use super::settings::TeapKeys;
use super::tlv::BINDING;
use super::tlv::CRYPTO_BINDING;
use crate::eap::config::TlsVersion;
use crate::eap::key::Emsk;
use crate::eap::offer::Inner;
use crate::eap::proof::Proven;
use crate::eap::tunnel::Tunnel;

type Simck = Zeroizing<[u8; 40]>;
type Cmk = Zeroizing<[u8; 20]>;

/// What derives keys.
#[derive(Clone, Copy)]
pub(super) struct Derivation<'a> {
    mac: hmac::Algorithm,
    /// If its exporter takes the place of the PRF.
    exporter: Option<&'a Tunnel>,
}

impl<'a> Derivation<'a> {
    /// `None` of a suite that is not spoken here.
    pub(super) fn of(tunnel: &'a Tunnel, keys: TeapKeys) -> Option<Self> {
        let mac = match tunnel.hash()? {
            HashAlgorithm::SHA256 => hmac::HMAC_SHA256,
            HashAlgorithm::SHA384 => hmac::HMAC_SHA384,
            HashAlgorithm::NONE
            | HashAlgorithm::MD5
            | HashAlgorithm::SHA1
            | HashAlgorithm::SHA224
            | HashAlgorithm::SHA512
            | HashAlgorithm::Unknown(_)
            | _ => return None,
        };
        let tls13 = tunnel.version() == Some(TlsVersion::Tls13);
        let exporter = (tls13 && keys == TeapKeys::Rfc9427).then_some(tunnel);
        Some(Self { mac, exporter })
    }

    /// `seed` is what the PRF has and the exporter has not; both have `context` behind the secret.
    fn derive(
        &self,
        secret: &[u8],
        label: &str,
        (context, seed): (&[u8], &[u8]),
        to: &mut [u8],
    ) -> Result<(), rustls::Error> {
        match self.exporter {
            Some(tunnel) => {
                let label = format!("EXPORTER: {label}");
                let context = Zeroizing::new([secret, context].concat());
                tunnel.export_to(label.as_bytes(), &context, to)
            }
            None => {
                let seed = Zeroizing::new([label.as_bytes(), context, seed].concat());
                p_hash(self.mac, secret, &seed, to);
                Ok(())
            }
        }
    }
}

/// P_hash of RFC 5246 section 5.
fn p_hash(mac: hmac::Algorithm, secret: &[u8], seed: &[u8], to: &mut [u8]) {
    let key = hmac::Key::new(mac, secret);
    let mut a = hmac::sign(&key, seed);
    let length = mac.digest_algorithm().output_len;
    for piece in to.chunks_mut(length) {
        let mut context = hmac::Context::with_key(&key);
        context.update(a.as_ref());
        context.update(seed);
        let block = context.sign();
        let octets = block.as_ref().iter();
        piece
            .iter_mut()
            .zip(octets)
            .for_each(|(to, from)| *to = *from);
        a = hmac::sign(&key, a.as_ref());
    }
}

/// The S-IMCKs that the next round goes on from.
pub(super) struct Chain {
    binding: TeapBinding,
    by_msk: Simck,
    by_emsk: Simck,
    /// Whether the peer's last answer was by the EMSK.
    last: By,
}

/// Which key of an inner method a peer answers with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum By {
    Msk,
    Emsk,
}

/// One round, whose request is out.
pub(super) struct Round {
    mac: hmac::Algorithm,
    nonce: [u8; 32],
    by_msk: (Simck, Cmk),
    by_emsk: Option<(Simck, Cmk)>,
}

impl Chain {
    /// The chain of a tunnel before anything was spoken in it.
    pub(super) fn new(binding: TeapBinding, seed: [u8; 40]) -> Self {
        let seed = Zeroizing::new(seed);
        Self {
            binding,
            by_msk: seed.clone(),
            by_emsk: seed,
            last: By::Msk,
        }
    }

    /// The round of a method with these keys, see [`keys_of`].
    pub(super) fn round(
        &self,
        derivation: Derivation<'_>,
        mut nonce: [u8; 32],
        (imsk, emsk): (&[u8; 32], Option<&[u8; 64]>),
    ) -> Result<Round, rustls::Error> {
        // The last bit tells request and response apart (section 4.2.13).
        let [.., last] = &mut nonce;
        *last &= 0xfe;
        let by_msk = compound(derivation, &self.by_msk, imsk)?;
        let by_emsk = match emsk.filter(|_| self.binding != TeapBinding::Msk) {
            Some(emsk) => {
                let imsk = imsk_of_emsk(derivation, emsk)?;
                Some(compound(derivation, &self.by_emsk, &imsk)?)
            }
            None => None,
        };
        Ok(Round {
            mac: derivation.mac,
            nonce,
            by_msk,
            by_emsk,
        })
    }

    /// Takes the value of the peer's answer; `false` if it is none to this round.
    pub(super) fn answer(&mut self, round: Round, value: &[u8; BINDING], outer: &[u8]) -> bool {
        let by = match value {
            [_, VERSION, VERSION, 0x11 | 0x31, ..] => By::Emsk,
            [_, VERSION, VERSION, 0x21, ..] => By::Msk,
            _ => return false,
        };
        let flags = value.get(3).map_or(0, |octet| octet >> 4);
        if flags & EMSK_MAC != 0 && round.by_emsk.is_none() {
            return false;
        }
        let expected = round.tlv(flags, true, outer);
        let (_, expected) = expected.split_at(4);
        if !bool::from(expected.ct_eq(value)) {
            return false;
        }
        let Round {
            by_msk, by_emsk, ..
        } = round;
        let (by_msk, by_emsk) = (by_msk.0, by_emsk.map(|(simck, _)| simck));
        match (self.binding, by, by_emsk) {
            (TeapBinding::OneChain, By::Emsk, Some(simck)) => {
                self.by_msk = simck.clone();
                self.by_emsk = simck;
            }
            (TeapBinding::OneChain, ..) => {
                self.by_msk = by_msk.clone();
                self.by_emsk = by_msk;
            }
            (TeapBinding::Msk | TeapBinding::TwoChains, _, by_emsk) => {
                self.by_msk = by_msk;
                if let Some(simck) = by_emsk {
                    self.by_emsk = simck;
                }
            }
        }
        self.last = by;
        true
    }

    /// MSK and EMSK of the conversation, one after the other.
    pub(super) fn keys(
        &self,
        derivation: Derivation<'_>,
    ) -> Result<Zeroizing<[u8; 128]>, rustls::Error> {
        let simck = match self.last {
            By::Msk => &self.by_msk,
            By::Emsk => &self.by_emsk,
        };
        let mut keys = Zeroizing::new([0; 128]);
        let (msk, emsk) = keys.split_at_mut(64);
        for (label, to) in [(MSK_LABEL, msk), (EMSK_LABEL, emsk)] {
            derivation.derive(simck.as_slice(), label, (&[], &[]), to)?;
        }
        Ok(keys)
    }
}

impl Round {
    /// Our Crypto-Binding TLV, with its header.
    pub(super) fn request(&self, outer: &[u8]) -> [u8; TLV] {
        let flags = match self.by_emsk {
            Some(_) => EMSK_MAC | MSK_MAC,
            None => MSK_MAC,
        };
        self.tlv(flags, false, outer)
    }

    /// The TLV of one side (section 4.2.13): the MACs are over it without them, our method's number
    /// and the outer TLVs of both sides.
    fn tlv(&self, flags: u8, answer: bool, outer: &[u8]) -> [u8; TLV] {
        let mut tlv = [0; TLV];
        let [_, kind] = CRYPTO_BINDING.to_be_bytes();
        let kinds = (flags << 4) | u8::from(answer);
        let head = [0x80, kind, 0, 76, 0, VERSION, VERSION, kinds];
        let mut nonce = self.nonce;
        let [.., last] = &mut nonce;
        *last |= u8::from(answer);
        let (to, rest) = tlv.split_at_mut(8);
        to.copy_from_slice(&head);
        let (to, _) = rest.split_at_mut(32);
        to.copy_from_slice(&nonce);
        let mac = |cmk: &Cmk| {
            let key = hmac::Key::new(self.mac, cmk.as_slice());
            let mut context = hmac::Context::with_key(&key);
            context.update(&head);
            context.update(&nonce);
            context.update(&[0; 40]);
            context.update(&[EAP_TYPE]);
            context.update(outer);
            context.sign()
        };
        let (_, macs) = tlv.split_at_mut(40);
        let (by_emsk, by_msk) = macs.split_at_mut(20);
        let emsk = self.by_emsk.as_ref().filter(|_| flags & EMSK_MAC != 0);
        let msk = (flags & MSK_MAC != 0).then_some(&self.by_msk);
        for (to, key) in [(by_emsk, emsk), (by_msk, msk)] {
            if let Some((_, cmk)) = key {
                let mac = mac(cmk);
                to.iter_mut()
                    .zip(mac.as_ref())
                    .for_each(|(to, from)| *to = *from);
            }
        }
        tlv
    }
}

/// IMSK of the MSK that a method has left, and its EMSK; of nothing zeros (section 6.2.1).
pub(super) fn keys_of(proven: Option<&Proven>) -> (Zeroizing<[u8; 32]>, Option<&[u8; 64]>) {
    let Some(proven) = proven else {
        return (Zeroizing::new([0; 32]), None);
    };
    let mut key = proven.key().clone();
    if proven.inner() == Inner::MsChapV2 {
        // Our send key before our receive key, as in EAP-FAST (section 3.6.3).
        key.rotate_left(16);
    }
    (key, proven.emsk().map(Emsk::expose))
}

/// S-IMCK and CMK of a round (section 6.2.3).
fn compound(
    derivation: Derivation<'_>,
    before: &Simck,
    imsk: &[u8; 32],
) -> Result<(Simck, Cmk), rustls::Error> {
    let mut imck = Zeroizing::new([0; 60]);
    derivation.derive(
        before.as_slice(),
        COMPOUND_LABEL,
        (imsk, &[]),
        imck.as_mut_slice(),
    )?;
    let (mut simck, mut cmk) = (Simck::new([0; 40]), Cmk::new([0; 20]));
    let (first, second) = imck.split_at(40);
    simck.copy_from_slice(first);
    cmk.copy_from_slice(second);
    Ok((simck, cmk))
}

/// IMSK from an EMSK (section 6.2.1); the seed is a zero and the 64 octets that the text has made.
fn imsk_of_emsk(
    derivation: Derivation<'_>,
    emsk: &[u8; 64],
) -> Result<Zeroizing<[u8; 32]>, rustls::Error> {
    let mut imsk = Zeroizing::new([0; 32]);
    derivation.derive(emsk, EMSK_TO_IMSK, (&[], &[0, 0, 64]), imsk.as_mut_slice())?;
    Ok(imsk)
}

/// Of a Crypto-Binding TLV with its header.
const TLV: usize = 80;

const VERSION: u8 = 1;

const EMSK_MAC: u8 = 1;
const MSK_MAC: u8 = 2;

/// TEAP's own number is part of what the MACs are over.
const EAP_TYPE: u8 = 55;

/// The label that gives the seed of the chain (section 6.1).
pub(super) const SEED_LABEL: &[u8] = b"EXPORTER: teap session key seed";
const EMSK_TO_IMSK: &str = "TEAPbindkey@ietf.org";
const COMPOUND_LABEL: &str = "Inner Methods Compound Keys";
const MSK_LABEL: &str = "Session Key Generating Function";
const EMSK_LABEL: &str = "Extended Session Key Generating Function";

#[cfg(test)]
mod tests;
