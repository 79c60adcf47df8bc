//! ChallengeResponse of RFC 2759 section 8.5, the same in RFC 2433 appendix A.5.

use des::Des;
use des::cipher::BlockCipherEncrypt;
use des::cipher::KeyInit;
use zeroize::Zeroizing;

/// The challenge, encrypted with DES under three keys that the hash and five zeros make.
pub(super) fn response(nt_hash: &[u8; 16], challenge: &[u8; 8]) -> [u8; 24] {
    let mut keys = Zeroizing::new([0; 21]);
    for (octet, hash) in keys.iter_mut().zip(nt_hash) {
        *octet = *hash;
    }
    let mut response = [0; 24];
    let (blocks, _) = response.as_chunks_mut::<8>();
    let (keys, _) = keys.as_chunks::<7>();
    for (block, key) in blocks.iter_mut().zip(keys) {
        *block = *challenge;
        Des::new(&(*spread(key)).into()).encrypt_block(block.into());
    }
    response
}

/// 56 bits as the eight octets of a DES key; the parity bits are ignored (RFC 2759 section 8.6).
fn spread(key: &[u8; 7]) -> Zeroizing<[u8; 8]> {
    let mut bits: u64 = 0;
    for octet in key {
        bits = bits << 8 | u64::from(*octet);
    }
    let mut spread = Zeroizing::new([0; 8]);
    for (octet, place) in spread.iter_mut().rev().zip(0..) {
        // Seven bits are left of the shifted number.
        *octet = u8::try_from(bits >> (7 * place) & 0x7f).unwrap_or(0) << 1;
    }
    spread
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex<const N: usize>(digits: &str) -> [u8; N] {
        let value = u128::from_str_radix(digits, 16).unwrap().to_be_bytes();
        value[16 - N..].try_into().unwrap()
    }

    #[test]
    fn rfc2759_9_2_nt_response() {
        let hash = hex("44ebba8d5312b8d611474411f56989ae");
        let response = response(&hash, &hex("d02e4386bce91226"));
        let (high, low) = response.split_at(8);
        assert_eq!(high, hex::<8>("82309ecd8d708b5e"));
        assert_eq!(low, hex::<16>("a08faa3981cd83544233114a3d85d6df"));
    }
}
