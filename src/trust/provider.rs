//! The one cipher provider: that of aws-lc, with a key schedule of our own for TLS 1.3.
//!
//! A handshake of TLS 1.3 derives some thirty keys, mostly several from one secret (RFC 8446 section
//! 7.1). The library's own HKDF extracts anew for each of them and takes the secret in as a key each
//! time; here both is done once, after which a key costs two blocks of the hash and not eight.

use std::sync::LazyLock;

use aws_lc_rs::hmac;
use rustls::CipherSuiteCommon;
use rustls::SupportedCipherSuite;
use rustls::Tls13CipherSuite;
use rustls::crypto::CryptoProvider;
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::crypto::hash::HashAlgorithm;
use rustls::crypto::hmac::Tag;
use rustls::crypto::tls13::Hkdf;
use rustls::crypto::tls13::HkdfExpander;
use rustls::crypto::tls13::OkmBlock;
use rustls::crypto::tls13::OutputLengthError;
use zeroize::Zeroizing;

/// ECDHE with AES-GCM or ChaCha20-Poly1305 only (RFC 9325).
#[must_use]
pub fn provider() -> CryptoProvider {
    let mut provider = default_provider();
    for suite in &mut provider.cipher_suites {
        *suite = ours(*suite);
    }
    provider
}

/// The same suite with our key schedule, if it is of TLS 1.3.
#[must_use]
pub fn ours(suite: SupportedCipherSuite) -> SupportedCipherSuite {
    let mut ours = SUITES.iter();
    match ours.find(|ours| ours.common.suite == suite.suite()) {
        Some(ours) => SupportedCipherSuite::Tls13(ours),
        None => suite,
    }
}

static SUITES: LazyLock<Vec<Tls13CipherSuite>> = LazyLock::new(|| {
    let suites = default_provider().cipher_suites;
    let of_tls13 = suites.iter().filter_map(SupportedCipherSuite::tls13);
    of_tls13.filter_map(with_our_schedule).collect()
});

fn with_our_schedule(theirs: &'static Tls13CipherSuite) -> Option<Tls13CipherSuite> {
    let hkdf_provider = match theirs.common.hash_provider.algorithm() {
        HashAlgorithm::SHA256 => &SHA256,
        HashAlgorithm::SHA384 => &SHA384,
        HashAlgorithm::NONE
        | HashAlgorithm::MD5
        | HashAlgorithm::SHA1
        | HashAlgorithm::SHA224
        | HashAlgorithm::SHA512
        | HashAlgorithm::Unknown(_)
        | _ => return None,
    };
    Some(Tls13CipherSuite {
        common: CipherSuiteCommon {
            suite: theirs.common.suite,
            hash_provider: theirs.common.hash_provider,
            confidentiality_limit: theirs.common.confidentiality_limit,
        },
        hkdf_provider,
        aead_alg: theirs.aead_alg,
        quic: None,
    })
}

static SHA256: Schedule = Schedule(hmac::HMAC_SHA256);
static SHA384: Schedule = Schedule(hmac::HMAC_SHA384);

/// HKDF (RFC 5869) over one hash.
struct Schedule(hmac::Algorithm);

impl Schedule {
    /// HKDF-Extract; without a salt that is zeros.
    fn extract(&self, salt: Option<&[u8]>, secret: &[u8]) -> Box<dyn HkdfExpander> {
        let salt = hmac::Key::new(self.0, salt.unwrap_or_else(|| self.zeros()));
        let secret = OkmBlock::new(hmac::sign(&salt, secret).as_ref());
        self.expander_for_okm(&secret)
    }

    /// As many as the hash has octets.
    fn zeros(&self) -> &'static [u8] {
        let zeros: &[u8] = &[0; OkmBlock::MAX_LEN];
        zeros.get(..self.0.tag_len()).unwrap_or(zeros)
    }
}

impl Hkdf for Schedule {
    fn extract_from_zero_ikm(&self, salt: Option<&[u8]>) -> Box<dyn HkdfExpander> {
        self.extract(salt, self.zeros())
    }

    fn extract_from_secret(&self, salt: Option<&[u8]>, secret: &[u8]) -> Box<dyn HkdfExpander> {
        self.extract(salt, secret)
    }

    fn expander_for_okm(&self, okm: &OkmBlock) -> Box<dyn HkdfExpander> {
        Box::new(Expander(hmac::Key::new(self.0, okm.as_ref())))
    }

    fn hmac_sign(&self, key: &OkmBlock, message: &[u8]) -> Tag {
        let key = hmac::Key::new(self.0, key.as_ref());
        Tag::new(hmac::sign(&key, message).as_ref())
    }
}

/// A secret that keys are derived from, taken in by the MAC.
struct Expander(hmac::Key);

impl Expander {
    fn length(&self) -> usize {
        self.0.algorithm().tag_len()
    }

    /// HKDF-Expand into at most 255 blocks.
    fn fill(&self, info: &[&[u8]], output: &mut [u8]) {
        let mut before: Option<hmac::Tag> = None;
        for (piece, counter) in output.chunks_mut(self.length()).zip(1..=u8::MAX) {
            let mut context = hmac::Context::with_key(&self.0);
            if let Some(before) = &before {
                context.update(before.as_ref());
            }
            for part in info {
                context.update(part);
            }
            context.update(&[counter]);
            let block = context.sign();
            let octets = block.as_ref().iter();
            piece
                .iter_mut()
                .zip(octets)
                .for_each(|(to, from)| *to = *from);
            before = Some(block);
        }
    }
}

impl HkdfExpander for Expander {
    fn expand_slice(&self, info: &[&[u8]], output: &mut [u8]) -> Result<(), OutputLengthError> {
        if output.len() > 255 * self.length() {
            return Err(OutputLengthError);
        }
        self.fill(info, output);
        Ok(())
    }

    fn expand_block(&self, info: &[&[u8]]) -> OkmBlock {
        let mut block = Zeroizing::new([0; OkmBlock::MAX_LEN]);
        let (block, _) = block.split_at_mut(self.length());
        self.fill(info, block);
        OkmBlock::new(block)
    }

    fn hash_len(&self) -> usize {
        self.length()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 5869, the length of A.1 to A.3 and the salt and info of each.
    #[test]
    fn rfc5869_appendix_a_1_to_3() {
        let count = |from: u8, to: u8| (from..=to).collect::<Vec<u8>>();
        for (name, secret, salt, info, expected) in [
            (
                "A.1",
                vec![0x0b; 22],
                Some(count(0, 0x0c)),
                count(0xf0, 0xf9),
                "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865",
            ),
            (
                "A.2",
                count(0, 0x4f),
                Some(count(0x60, 0xaf)),
                count(0xb0, 0xff),
                "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c\
                 59045a99cac7827271cb41c65e590e09da3275600c2f09b8367793a9aca3db71\
                 cc30c58179ec3e87c14c01d5c1f3434f1d87",
            ),
            (
                "A.3",
                vec![0x0b; 22],
                None,
                Vec::new(),
                "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8",
            ),
        ] {
            let mut output = vec![0; expected.len() / 2];
            let expander = SHA256.extract_from_secret(salt.as_deref(), &secret);
            expander.expand_slice(&[&info], &mut output).unwrap();
            let digits: String = output.iter().map(|octet| format!("{octet:02x}")).collect();
            assert_eq!(digits, expected, "row {name}");
        }
    }

    #[test]
    fn the_schedule_says_what_the_librarys_own_says() {
        let suites = default_provider().cipher_suites;
        let of_tls13 = suites.iter().filter_map(SupportedCipherSuite::tls13);
        let mut met = 0;
        for theirs in of_tls13.map(|suite| suite.hkdf_provider) {
            let length = theirs.extract_from_zero_ikm(None).hash_len();
            let ours: &dyn Hkdf = if length == 32 { &SHA256 } else { &SHA384 };
            let (salt, secret, okm) = ([7; 48], [9; 66], OkmBlock::new(&[5; 48][..length]));
            let info: &[&[u8]] = &[b"tls13 ", b"", b"derived"];
            let both = [ours, theirs].map(|of| {
                let expanders = [
                    of.extract_from_zero_ikm(None),
                    of.extract_from_zero_ikm(Some(&salt)),
                    of.extract_from_secret(None, &secret),
                    of.extract_from_secret(Some(&salt), &secret),
                    of.expander_for_okm(&okm),
                ];
                let mut said = of.hmac_sign(&okm, b"finished").as_ref().to_vec();
                for expander in expanders {
                    said.extend_from_slice(expander.expand_block(info).as_ref());
                    for length in [1, 12, length, length + 1, 255 * length] {
                        let mut output = vec![0; length];
                        expander.expand_slice(info, &mut output).unwrap();
                        said.extend_from_slice(&output);
                    }
                    let mut beyond = vec![0; 255 * length + 1];
                    expander.expand_slice(info, &mut beyond).unwrap_err();
                }
                said
            });
            assert!(both[0] == both[1], "row {length}");
            met += 1;
        }
        assert_eq!(met, 3);
    }

    #[test]
    fn every_suite_of_tls_1_3_has_it_and_the_others_are_as_they_were() {
        let (ours, theirs) = (provider(), default_provider());
        assert_eq!(ours.cipher_suites, theirs.cipher_suites);
        for suite in ours
            .cipher_suites
            .iter()
            .filter_map(SupportedCipherSuite::tls13)
        {
            assert!(SUITES.iter().any(|own| std::ptr::eq(own, suite)));
        }
    }
}
