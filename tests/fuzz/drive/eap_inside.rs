//! What peers say inside of a tunnel: as octets for the parsers, and in whole conversations in which
//! nobody's password is ever right.
//!
//! The first octet chooses method, what is spoken and TLS version; then come the turns of the peer:
//! a control octet, a length of two octets and so many octets. See [`change`] for what becomes of them.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::OnceLock;

use portreeve::eap;
use portreeve::eap::Answer;
use portreeve::eap::Avps;
use portreeve::eap::Config;
use portreeve::eap::Conversation;
use portreeve::eap::Extensions;
use portreeve::eap::Inner;
use portreeve::eap::Judge;
use portreeve::eap::Offer;
use portreeve::eap::Outer;
use portreeve::eap::Peer;
use portreeve::eap::Resumption;
use portreeve::eap::Step;
use portreeve::eap::TlsVersion;
use portreeve::model::Monotonic;
use portreeve::model::Now;
use portreeve::model::Secret;
use portreeve::model::Timestamp;
use portreeve::model::Verdict;
use portreeve::probe;
use portreeve::probe::InsideSettings;
use portreeve::probe::Profile;
use portreeve::probe::ProfileSettings;
use portreeve::probe::Spoil;
use portreeve::probe::Supplicant;
use portreeve::probe::TeapPeer;

/// Panics if a parser reads what is not there, or a conversation succeeds.
pub fn drive(octets: &[u8]) {
    parse(octets);
    let Some((&choice, rest)) = octets.split_first() else {
        return;
    };
    converse(choice, rest);
}

fn parse(octets: &[u8]) {
    let mut read = 0;
    for avp in Avps::new(octets).flatten() {
        read += 8 + avp.data.len();
        assert!(read <= octets.len(), "more was read than is there");
    }
    if let Some(Extensions { binding, .. }) = Extensions::parse(octets) {
        assert!(binding.unwrap_or(&[]).len() + 4 <= octets.len() + 4);
    }
}

/// What becomes of the words of a turn. 0: they are replaced. 1: something is put before them. 2: they
/// are changed octet by octet. 3: they stay.
fn change(turn: Option<(u8, &[u8])>, identifier: u8, words: &mut Vec<u8>) {
    let Some((control, octets)) = turn else {
        return;
    };
    match control & 3 {
        0 => *words = octets.to_vec(),
        1 => drop(words.splice(0..0, octets.iter().copied())),
        2 => words.iter_mut().zip(octets).for_each(|(to, by)| *to ^= by),
        _ => {}
    }
    // The identifier of PEAP's Extensions, which a fuzzer cannot guess.
    if let Some(place) = words.get_mut(1).filter(|_| control & 4 != 0) {
        *place = identifier;
    }
}

pub(crate) fn turns(mut rest: &[u8]) -> Vec<(u8, Vec<u8>)> {
    let mut turns = Vec::new();
    while let Some((&[control, high, low], after)) = rest.split_first_chunk::<3>() {
        let length = usize::from(u16::from_be_bytes([high, low])).min(after.len());
        let (octets, others) = after.split_at(length);
        turns.push((control, octets.to_vec()));
        rest = others;
        if turns.len() == 16 {
            break;
        }
    }
    turns
}

fn converse(choice: u8, rest: &[u8]) {
    let outer = [Outer::Ttls, Outer::Peap][usize::from(choice & 1)];
    let inner = Inner::ALL[usize::from(choice >> 1 & 7) % 5];
    let version = [TlsVersion::Tls12, TlsVersion::Tls13][usize::from(choice >> 4 & 1)];
    let mut settings = settings();
    settings.method = outer;
    (settings.lowest, settings.highest) = (version, version);
    settings.inside = Some(InsideSettings {
        inner,
        by_eap: choice & 0x20 != 0,
        user: "alice".into(),
        password: Secret::new(b"wonderland".to_vec()),
        binding: choice & 0x40 == 0,
        resumes: true,
        early: choice & 0x80 != 0,
        teap: TeapPeer::default(),
    });
    run(settings, turns(rest));
}

/// A peer that trusts the server of these conversations.
pub(crate) fn settings() -> ProfileSettings {
    ProfileSettings::new("anonymous", None, vec![world().root.clone().into()])
}

/// One conversation of a peer whose words are changed, turn by turn.
pub(crate) fn run(mut settings: ProfileSettings, turns: Vec<(u8, Vec<u8>)>) {
    let world = world();
    let number = Mutex::new(0);
    settings.spoil = Some(Spoil(Arc::new(move |identifier, words| {
        let mut number = number.lock().expect("no other thread has it");
        let turn = turns.get(*number);
        change(
            turn.map(|(control, octets)| (*control, &**octets)),
            identifier,
            words,
        );
        *number += 1;
    })));
    let Ok(profile) = Profile::build(settings) else {
        return;
    };
    let mut peer = Supplicant::new(Arc::new(profile));
    let mut conversation = Conversation::new(
        Arc::clone(&world.config),
        Arc::clone(&world.judge) as Arc<dyn Judge>,
        1,
        1024,
    )
    .offering(Arc::clone(&world.offer));
    let mut response = peer.identity_response(1);
    loop {
        let mut step = conversation.handle(now(), &response);
        if matches!(step, Step::Work) {
            step = conversation.work(now());
        }
        while matches!(step, Step::Ask) {
            assert!(conversation.question().is_some(), "a question");
            step = conversation.answer(now(), Answer::Refused);
        }
        match step {
            Step::Request(request) => match peer.handle(now(), &request) {
                probe::Answer::Response(next) => response = next,
                probe::Answer::Success(_) => panic!("the peer believes in a success"),
                probe::Answer::Failure(_) => break,
            },
            Step::Success(_) => panic!("a success without a password"),
            Step::Failure(_) | Step::Discard(_) => break,
            Step::Work | Step::Ask | Step::Wait => unreachable!("nothing is waited for here"),
        }
    }
    assert!(
        world.resumption.is_empty(),
        "something stands behind a ticket"
    );
}

struct World {
    root: Vec<u8>,
    config: Arc<Config>,
    judge: Arc<Lenient>,
    offer: Arc<Offer>,
    resumption: Arc<Resumption>,
}

struct Lenient;

impl Judge for Lenient {
    fn judge(&self, _: &Peer<'_>) -> Verdict {
        Verdict::Allow
    }
}

fn world() -> &'static World {
    static WORLD: OnceLock<World> = OnceLock::new();
    WORLD.get_or_init(|| {
        let key = rcgen::KeyPair::generate().expect("random numbers");
        let mut params = rcgen::CertificateParams::default();
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        params.not_before = rcgen::date_time_ymd(2020, 1, 1);
        let root = params.self_signed(&key).expect("a certificate");
        let issuer = rcgen::Issuer::new(params, key);
        let names = vec!["radius.example.org".to_owned()];
        let mut params = rcgen::CertificateParams::new(names).expect("a name");
        params.not_before = rcgen::date_time_ymd(2020, 1, 1);
        params.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ServerAuth];
        let key = rcgen::KeyPair::generate().expect("random numbers");
        let leaf = params.signed_by(&key, &issuer).expect("a certificate");
        let key = key.serialize_der().try_into().expect("a key");
        let chain = vec![leaf.der().clone()];
        let mut settings = eap::Settings::new(chain, key, vec![root.der().clone()]);
        settings.max_rounds = 40;
        settings.teap.tls_max = TlsVersion::Tls13;
        let resumption: Arc<Resumption> = Arc::default();
        settings.resumption = Some(Arc::clone(&resumption));
        World {
            root: root.der().to_vec(),
            config: Arc::new(Config::build(settings).expect("a configuration")),
            judge: Arc::new(Lenient),
            offer: Arc::new(Offer::new(&Outer::ALL, &Inner::ALL)),
            resumption,
        }
    })
}

/// In 2026, when the certificates are valid.
fn now() -> Now {
    Now {
        monotonic: Monotonic::default(),
        wall: Timestamp::from_unix_seconds(1_790_000_000),
    }
}
