//! What holds whatever the other end sends.

use std::sync::Arc;
use std::sync::OnceLock;

use portreeve::eap::Config;
use portreeve::eap::Discard;
use portreeve::eap::Keys;
use portreeve::eap::Step;
use portreeve::eap::Type;
use portreeve::eap::response;
use portreeve::model::Verdict;
use portreeve::probe::Answer;
use portreeve::probe::Profile;
use portreeve::probe::Supplicant;
use proptest::prelude::*;

use crate::pki::Device;
use crate::world::World;

/// Keys are made once: a case must be cheap.
fn shared() -> &'static (World, Arc<Config>, Arc<Profile>) {
    static SHARED: OnceLock<(World, Arc<Config>, Arc<Profile>)> = OnceLock::new();
    SHARED.get_or_init(|| {
        let world = World::new();
        let config = world.config();
        let mut settings = world.profile_settings(Some(world.root.device(&Device::default())));
        settings.max_packet = 400;
        let profile = Arc::new(Profile::build(settings).unwrap());
        (world, config, profile)
    })
}

/// Type-Data that comes near to what is expected.
fn type_data() -> impl Strategy<Value = (u8, Vec<u8>)> {
    let octets = prop::collection::vec(any::<u8>(), 0..40);
    let kind = prop_oneof![Just(13), Just(1), Just(3), any::<u8>()];
    let flags = prop_oneof![Just(0), Just(0x40), Just(0x80), Just(0xc0), any::<u8>()];
    (kind, flags, octets).prop_map(|(kind, flags, mut octets)| {
        if let Some(first) = octets.first_mut() {
            *first = flags;
        }
        if let [_, high @ .., _] = &mut octets[..]
            && high.len() > 4
        {
            high[..3].fill(0);
        }
        (kind, octets)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn no_responses_lead_to_success_without_a_certificate(
        responses in prop::collection::vec(type_data(), 1..150),
    ) {
        let (world, config, _) = shared();
        let mut conversation = world.conversation(config, 256);
        let Step::Request(mut request) = conversation.handle_start(world.now) else {
            panic!("no request");
        };
        let (mut requests, mut invalid) = (1, 0);
        for (kind, data) in responses {
            let mut step = conversation.handle(world.now, &response(request[1], Type(kind), &data));
            if matches!(step, Step::Work) {
                step = conversation.work(world.now);
            }
            match step {
                Step::Request(next) => {
                    prop_assert_ne!(next[1], request[1]);
                    prop_assert!(next.len() <= 256);
                    request = next;
                    requests += 1;
                }
                Step::Discard(Discard::Invalid(_)) => {
                    prop_assert_eq!(conversation.last_request(), &request[..]);
                    invalid += 1;
                }
                Step::Failure(failed) => {
                    prop_assert_eq!(failed.packet, [4, request[1], 0, 4]);
                    break;
                }
                other => prop_assert!(false, "{other:?}"),
            }
        }
        prop_assert!(requests <= 100 && invalid <= 5);
    }

    #[test]
    fn no_requests_lead_the_supplicant_to_success(
        requests in prop::collection::vec((any::<u8>(), type_data()), 1..20),
    ) {
        let (world, _, profile) = shared();
        let mut supplicant = Supplicant::new(Arc::clone(profile));
        supplicant.handle(world.now, &[1, 0, 0, 6, 13, 0x20]);
        for (identifier, (kind, data)) in requests {
            let mut packet = response(identifier, Type(kind), &data);
            packet[0] = 1;
            let answer = supplicant.handle(world.now, &packet);
            prop_assert!(!matches!(answer, Answer::Success(_)));
        }
        let answer = supplicant.handle(world.now, &[3, 0, 0, 4]);
        prop_assert!(matches!(answer, Answer::Failure(_)));
    }

    /// One octet of one packet is changed on its way: the ends agree on keys or one of them fails,
    /// and a device that is blocked succeeds nowhere.
    #[test]
    fn a_changed_octet_never_makes_the_ends_disagree(
        packet in 0_usize..16,
        place in any::<prop::sample::Index>(),
        change in 1_u8..,
        blocked in any::<bool>(),
    ) {
        let (world, config, profile) = shared();
        world.judge.says(if blocked { Verdict::Block } else { Verdict::Allow });
        let (server, peer) = carry(world, config, profile, |count, octets| {
            if count == packet {
                let place = place.index(octets.len());
                octets[place] ^= change;
            }
        });
        prop_assert!(!blocked || (server.is_none() && peer.is_none()));
        if let (Some(server), Some(peer)) = (&server, &peer) {
            prop_assert!(server.msk.ct_eq(&peer.msk) && server.emsk.ct_eq(&peer.emsk));
            prop_assert_eq!(&server.session_id, &peer.session_id);
        }
        prop_assert!(peer.is_none() || server.is_some(), "the peer alone succeeded");
    }
}

/// Carries packets, lost ones not again, until an end is reached; the keys of either end.
fn carry(
    world: &World,
    config: &Arc<Config>,
    profile: &Arc<Profile>,
    spoil: impl Fn(usize, &mut Vec<u8>),
) -> (Option<Keys>, Option<Keys>) {
    let mut supplicant = Supplicant::new(Arc::clone(profile));
    let mut conversation = world.conversation(config, 400);
    let mut octets = supplicant.identity_response(1);
    let mut server = None;
    for count in 0..40 {
        spoil(count, &mut octets);
        if count % 2 == 0 {
            let mut step = conversation.handle(world.now, &octets);
            if matches!(step, Step::Work) {
                step = conversation.work(world.now);
            }
            octets = match step {
                Step::Request(request) => request,
                Step::Success(outcome) => {
                    server = Some(outcome.keys);
                    outcome.packet.to_vec()
                }
                Step::Failure(failed) => failed.packet.to_vec(),
                Step::Work | Step::Ask | Step::Wait | Step::Discard(_) => return (None, None),
            };
        } else {
            match supplicant.handle(world.now, &octets) {
                Answer::Response(response) => octets = response,
                Answer::Success(keys) => return (server, Some(*keys)),
                Answer::Failure(_) => return (server, None),
            }
        }
    }
    panic!("the ends go on for ever");
}

/// The property above would hold if nothing ever succeeded.
#[test]
fn nothing_changed_succeeds() {
    let world = World::new();
    let (_, config, profile) = shared();
    let (server, peer) = carry(&world, config, profile, |_, _| {});
    assert!(server.is_some() && peer.is_some());
}
