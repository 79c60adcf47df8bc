#![allow(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "tests fail by panic"
)]

use std::collections::HashMap;

use super::*;

/// `tests/vectors/eap_teap.txt`: indented lines go on.
fn vectors() -> HashMap<String, Vec<u8>> {
    let text = include_str!("../../../../tests/vectors/eap_teap.txt").replace("\n    ", "");
    let lines = text.lines().filter_map(|line| line.split_once(" = "));
    lines
        .map(|(name, digits)| {
            let octets = (0..digits.len()).step_by(2);
            let octets = octets.map(|at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap());
            (name.to_owned(), octets.collect())
        })
        .collect()
}

const SHA256: Derivation<'_> = Derivation {
    mac: hmac::HMAC_SHA256,
    exporter: None,
};
const SHA384: Derivation<'_> = Derivation {
    mac: hmac::HMAC_SHA384,
    exporter: None,
};

fn nonce() -> [u8; 32] {
    std::array::from_fn(|at| 0xc0 + u8::try_from(at).unwrap())
}

/// The answer of a peer that takes these MACs: `0x11`, `0x21` or `0x31`.
fn answers(chain: &mut Chain, round: Round, kinds: u8, outer: &[u8]) -> bool {
    let tlv = round.tlv(kinds >> 4, true, outer);
    let value: &[u8; 76] = tlv[4..].try_into().unwrap();
    assert_eq!(value[3], kinds);
    chain.answer(round, value, outer)
}

#[test]
fn one_method_gives_the_keys_of_the_vectors_rfc9930_6() {
    let vectors = vectors();
    let outer = &vectors["outer_tlvs"];
    for (suite, derivation) in [("sha256", SHA256), ("sha384", SHA384)] {
        let of = |what: &str| vectors[&format!("{suite}.{what}")].as_slice();
        let seed: [u8; 40] = vectors["session_key_seed"][..].try_into().unwrap();
        let msk = vectors["inner1.msk"].first_chunk().unwrap();
        let emsk: &[u8; 64] = vectors["inner1.emsk"].first_chunk().unwrap();
        let imsk = imsk_of_emsk(derivation, emsk).unwrap();
        assert_eq!(imsk.as_slice(), of("imsk_emsk[1]"), "{suite}");
        for (kinds, chosen, answer) in [(0x11, "emsk", "emsk"), (0x21, "msk", "msk")] {
            let mut chain = Chain::new(TeapBinding::TwoChains, seed);
            let round = chain.round(derivation, nonce(), (msk, Some(emsk))).unwrap();
            assert_eq!(round.request(outer).as_slice(), of("1.request.tlv"));
            assert_eq!(round.by_msk.0.as_slice(), of("s_imck_msk[1]"), "{suite}");
            assert_eq!(round.by_msk.1.as_slice(), of("cmk_msk[1]"), "{suite}");
            let by_emsk = round.by_emsk.as_ref().unwrap();
            assert_eq!(by_emsk.0.as_slice(), of("s_imck_emsk[1]"), "{suite}");
            assert_eq!(by_emsk.1.as_slice(), of("cmk_emsk[1]"), "{suite}");
            let expected = of(&format!("1.response.tlv.{answer}"));
            assert_eq!(round.tlv(kinds >> 4, true, outer).as_slice(), expected);
            let value: &[u8; 76] = expected[4..].try_into().unwrap();
            assert!(chain.answer(round, value, outer), "{suite} {chosen}");
            let keys = chain.keys(derivation).unwrap();
            let expected = of(&format!("1.final.msk.{chosen}_chosen"));
            assert_eq!(&keys[..64], expected, "{suite} {chosen}");
            let expected = of(&format!("1.final.emsk.{chosen}_chosen"));
            assert_eq!(&keys[64..], expected, "{suite} {chosen}");
        }
    }
}

#[test]
fn a_second_method_follows_by_either_reading_rfc9930_6_2() {
    let vectors = vectors();
    let outer = &vectors["outer_tlvs"];
    for (suite, derivation) in [("sha256", SHA256), ("sha384", SHA384)] {
        for (name, binding) in [
            ("one_chain", TeapBinding::OneChain),
            ("two_chains", TeapBinding::TwoChains),
        ] {
            let of = |what: &str| vectors[&format!("{suite}.2.{name}.{what}")].as_slice();
            let seed: [u8; 40] = vectors["session_key_seed"][..].try_into().unwrap();
            let msk = vectors["inner1.msk"].first_chunk().unwrap();
            let emsk = vectors["inner1.emsk"].first_chunk().unwrap();
            let mut chain = Chain::new(binding, seed);
            let round = chain.round(derivation, nonce(), (msk, Some(emsk))).unwrap();
            assert!(answers(&mut chain, round, 0x11, outer));
            let msk = vectors["inner2.msk"].first_chunk().unwrap();
            let round = chain.round(derivation, nonce(), (msk, None)).unwrap();
            assert_eq!(round.by_msk.0.as_slice(), of("s_imck_msk[2]"), "{name}");
            assert_eq!(round.by_msk.1.as_slice(), of("cmk_msk[2]"), "{name}");
            assert_eq!(round.request(outer).as_slice(), of("request.tlv"), "{name}");
            assert!(answers(&mut chain, round, 0x21, outer));
            let keys = chain.keys(derivation).unwrap();
            assert_eq!(&keys[..64], of("final.msk"), "{suite} {name}");
            assert_eq!(&keys[64..], of("final.emsk"), "{suite} {name}");
        }
    }
}

#[test]
fn a_method_without_keys_is_a_round_of_zeros() {
    let vectors = vectors();
    for (suite, derivation) in [("sha256", SHA256), ("sha384", SHA384)] {
        let of = |what: &str| vectors[&format!("{suite}.password.{what}")].as_slice();
        let seed: [u8; 40] = vectors["session_key_seed"][..].try_into().unwrap();
        let mut chain = Chain::new(TeapBinding::Msk, seed);
        let round = chain.round(derivation, nonce(), (&[0; 32], None)).unwrap();
        assert_eq!(round.by_msk.0.as_slice(), of("s_imck[1]"), "{suite}");
        assert_eq!(round.by_msk.1.as_slice(), of("cmk[1]"), "{suite}");
        assert!(answers(&mut chain, round, 0x21, &[]));
        let keys = chain.keys(derivation).unwrap();
        assert_eq!(&keys[..64], of("final.msk"), "{suite}");
    }
}

/// Conversations of other programs, with suites of SHA-384.
#[test]
fn live_conversations_give_the_same() {
    let vectors = vectors();
    for (name, binding, has_emsk) in [
        ("two_chains", TeapBinding::TwoChains, [true, false]),
        ("one_chain", TeapBinding::OneChain, [false, true]),
    ] {
        let of = |what: &str| vectors[&format!("live.{name}.{what}")].as_slice();
        let outer = of("outer_tlvs");
        let seed: [u8; 40] = of("session_key_seed").try_into().unwrap();
        let mut chain = Chain::new(binding, seed);
        for (number, has_emsk) in (1..).zip(has_emsk) {
            let msk: &[u8; 32] = of(&format!("inner{number}.msk")).first_chunk().unwrap();
            let emsk = has_emsk.then(|| of(&format!("inner{number}.emsk")).first_chunk().unwrap());
            let request = of(&format!("{number}.request.value"));
            let nonce = request[4..36].try_into().unwrap();
            let round = chain.round(SHA384, nonce, (msk, emsk)).unwrap();
            assert_eq!(&round.request(outer)[4..], request, "{name} {number}");
            let kinds = if has_emsk { 0x11 } else { 0x21 };
            assert!(answers(&mut chain, round, kinds, outer), "{name} {number}");
        }
        let keys = chain.keys(SHA384).unwrap();
        assert_eq!(&keys[..64], of("final.msk"), "{name}");
        assert_eq!(&keys[64..], of("final.emsk"), "{name}");
    }
}

#[test]
fn an_answer_that_is_not_to_this_round_is_none() {
    let seed = [7; 40];
    let (msk, emsk, outer) = ([1; 32], [2; 64], [0, 1, 0, 1, 9]);
    for binding in [
        TeapBinding::Msk,
        TeapBinding::TwoChains,
        TeapBinding::OneChain,
    ] {
        let start = || {
            let chain = Chain::new(binding, seed);
            let round = chain.round(SHA256, nonce(), (&msk, Some(&emsk))).unwrap();
            (chain, round)
        };
        let (_, round) = start();
        let good = round.tlv(MSK_MAC, true, &outer);
        for place in 4..good.len() {
            for bit in 0..8 {
                let mut bad = good;
                bad[place] ^= 1 << bit;
                let (mut chain, round) = start();
                let value = bad[4..].try_into().unwrap();
                assert!(
                    !chain.answer(round, value, &outer),
                    "{binding:?} {place} {bit}"
                );
            }
        }
        // Our own, and one of other outer TLVs.
        let own = round.request(&outer);
        let (mut chain, round) = start();
        assert!(!chain.answer(round, own[4..].try_into().unwrap(), &outer));
        let (mut chain, round) = start();
        assert!(!chain.answer(round, good[4..].try_into().unwrap(), &[]));
        // By an EMSK that was not bound.
        let (mut chain, round) = start();
        let by_emsk = round.by_emsk.is_some();
        assert_eq!(by_emsk, binding != TeapBinding::Msk);
        assert_eq!(answers(&mut chain, round, 0x11, &outer), by_emsk);
    }
}
