//! Keys against vectors, without the TLS library: the derivations of RFC 5246 section 5 and
//! RFC 8446 section 7 written out here agree with the vectors, and the gateway's keys agree with
//! them for secrets that the peer logs.

use std::sync::Arc;
use std::sync::Mutex;

use aws_lc_rs::digest;
use aws_lc_rs::hmac;
use portreeve::eap::TlsVersion;
use portreeve::probe::Profile;
use rustls::KeyLog;

use crate::pki::Device;
use crate::vectors;
use crate::world::World;

/// P_hash of RFC 5246 section 5.
fn prf(hash: hmac::Algorithm, secret: &[u8], label: &[u8], seed: &[u8], length: usize) -> Vec<u8> {
    let key = hmac::Key::new(hash, secret);
    let seed = [label, seed].concat();
    let mut a = hmac::sign(&key, &seed);
    let mut output = Vec::new();
    while output.len() < length {
        output.extend(hmac::sign(&key, &[a.as_ref(), &seed].concat()).as_ref());
        a = hmac::sign(&key, a.as_ref());
    }
    output.truncate(length);
    output
}

/// HKDF-Expand-Label of RFC 8446 section 7.1.
fn expand_label(
    hash: hmac::Algorithm,
    secret: &[u8],
    label: &[u8],
    context: &[u8],
    length: usize,
) -> Vec<u8> {
    let label = [b"tls13 ", label].concat();
    let mut info = u16::try_from(length).unwrap().to_be_bytes().to_vec();
    info.push(u8::try_from(label.len()).unwrap());
    info.extend(label);
    info.push(u8::try_from(context.len()).unwrap());
    info.extend(context);
    let key = hmac::Key::new(hash, secret);
    let (mut output, mut block) = (Vec::new(), Vec::new());
    for count in 1_u8.. {
        if output.len() >= length {
            break;
        }
        block = hmac::sign(&key, &[&block[..], &info, &[count]].concat())
            .as_ref()
            .to_vec();
        output.extend(&block);
    }
    output.truncate(length);
    output
}

/// TLS-Exporter of RFC 8446 section 7.5.
fn exporter(
    hash: hmac::Algorithm,
    secret: &[u8],
    label: &[u8],
    context: &[u8],
    length: usize,
) -> Vec<u8> {
    let digest = hash.digest_algorithm();
    let empty = digest::digest(digest, b"");
    let secret = expand_label(hash, secret, label, empty.as_ref(), digest.output_len());
    let context = digest::digest(digest, context);
    expand_label(hash, &secret, b"exporter", context.as_ref(), length)
}

const HASHES: [(&str, hmac::Algorithm); 2] =
    [("sha256", hmac::HMAC_SHA256), ("sha384", hmac::HMAC_SHA384)];

const LABEL_1_2: &[u8] = b"client EAP encryption";
const LABEL_1_3: &[u8] = b"EXPORTER_EAP_TLS_Key_Material";
const METHOD_ID: &[u8] = b"EXPORTER_EAP_TLS_Method-Id";

#[test]
fn rfc5216_2_3() {
    let vectors = vectors::keys();
    let randoms = [
        vectors.get("tls12.client_random"),
        vectors.get("tls12.server_random"),
    ]
    .concat();
    for (name, hash) in HASHES {
        let secret = vectors.get("tls12.master_secret");
        let material = prf(hash, secret, LABEL_1_2, &randoms, 128);
        let (msk, emsk) = material.split_at(64);
        assert_eq!(msk, vectors.get(&format!("tls12.{name}.msk")));
        assert_eq!(emsk, vectors.get(&format!("tls12.{name}.emsk")));
    }
    let session_id = [&[13], &randoms[..]].concat();
    assert_eq!(session_id, vectors.get("tls12.session_id"));
}

#[test]
fn rfc9190_2_3() {
    let vectors = vectors::keys();
    for (name, hash) in HASHES {
        let vector = |field: &str| vectors.get(&format!("tls13.{name}.{field}"));
        let secret = vector("exporter_master_secret");
        let material = exporter(hash, secret, LABEL_1_3, &[13], 128);
        let (msk, emsk) = material.split_at(64);
        assert_eq!(msk, vector("msk"));
        assert_eq!(emsk, vector("emsk"));
        let id = exporter(hash, secret, METHOD_ID, &[13], 64);
        assert_eq!([&[13], &id[..]].concat(), vector("session_id"));
        let short = exporter(hash, secret, LABEL_1_3, &[13], 64);
        assert_eq!(short, vector("short"));
    }
}

/// What the peer's TLS says it computed.
#[derive(Debug, Default)]
struct Logged(Mutex<Vec<Line>>);

/// Label, client_random, secret.
type Line = (String, Vec<u8>, Vec<u8>);

impl KeyLog for Logged {
    fn log(&self, label: &str, client_random: &[u8], secret: &[u8]) {
        let line = (label.to_owned(), client_random.to_vec(), secret.to_vec());
        self.0.lock().unwrap().push(line);
    }
}

impl Logged {
    fn take(&self, label: &str) -> (Vec<u8>, Vec<u8>) {
        let lines = std::mem::take(&mut *self.0.lock().unwrap());
        let mut lines = lines.into_iter().filter(|(each, ..)| each == label);
        let (_, random, secret) = lines.next().unwrap();
        assert_eq!(lines.next(), None);
        (random, secret)
    }
}

#[test]
fn keys_of_a_conversation_are_those_of_its_tls_secrets() {
    for version in [TlsVersion::Tls12, TlsVersion::Tls13] {
        let world = World::new();
        let log = Arc::new(Logged::default());
        let mut settings = world.profile_settings(Some(world.root.device(&Device::default())));
        settings.highest = version;
        settings.remembered = 2;
        settings.key_log = Arc::clone(&log) as Arc<dyn KeyLog>;
        let profile = Arc::new(Profile::build(settings).unwrap());
        let config = world.config();
        for resumed in [false, true] {
            let seen = world.connect(&config, &profile);
            let outcome = seen.succeeded();
            assert_eq!(outcome.resumed, resumed);
            let hash = match outcome.suite.rsplit('_').next() {
                Some("SHA384") => hmac::HMAC_SHA384,
                Some("SHA256") => hmac::HMAC_SHA256,
                other => panic!("hash {other:?}"),
            };
            let id = outcome.keys.session_id.as_ref().unwrap().octets();
            let material = match version {
                TlsVersion::Tls12 => {
                    let (client_random, secret) = log.take("CLIENT_RANDOM");
                    assert_eq!(id[1..33], client_random);
                    prf(hash, &secret, LABEL_1_2, &id[1..], 128)
                }
                TlsVersion::Tls13 => {
                    let (_, secret) = log.take("EXPORTER_SECRET");
                    assert_eq!(id[1..], exporter(hash, &secret, METHOD_ID, &[13], 64));
                    exporter(hash, &secret, LABEL_1_3, &[13], 128)
                }
            };
            assert_eq!(id[0], 13);
            let row = format!("row {version}, resumed {resumed}");
            assert_eq!(outcome.keys.msk.expose()[..], material[..64], "{row}");
            assert_eq!(outcome.keys.emsk.expose()[..], material[64..], "{row}");
            assert_eq!(outcome.keys.msk.receive_key(), &material[..32], "{row}");
            assert_eq!(outcome.keys.msk.send_key(), &material[32..64], "{row}");
        }
    }
}
