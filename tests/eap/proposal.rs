//! What is proposed inside of a tunnel: what the user's password can be told by, as it is stored.

use std::sync::Arc;
use std::sync::Mutex;

use portreeve::eap::FailureReason;
use portreeve::eap::Inner;
use portreeve::eap::InnerRefusal;
use portreeve::eap::Offer;
use portreeve::eap::Outer;
use portreeve::probe::Profile;
use portreeve::probe::Spoil;

use crate::tunnel::settings;
use crate::world::Seen;
use crate::world::World;

const NAK: u8 = 3;

/// One login, and how often its peer said inside that it wants another method.
fn login(inside: &[Inner], (outer, inner): (Outer, Inner), user: &str) -> (Seen, usize) {
    let mut world = World::with_tunnels();
    world.offer = Some(Arc::new(Offer::new(&[outer], inside)));
    let mut settings = settings(&world, (outer, inner, true));
    user.clone_into(&mut settings.inside.as_mut().unwrap().user);
    let naks = Arc::new(Mutex::new(0));
    let counted = Arc::clone(&naks);
    settings.spoil = Some(Spoil(Arc::new(move |_, said| {
        // Without a header in PEAP; in an EAP packet of six octets in the others.
        let bare = said.len() == 2 && said[0] == NAK;
        let headed = said.windows(3).any(|octets| octets == [0, 6, NAK]);
        *counted.lock().unwrap() += usize::from(bare || headed);
    })));
    let profile = Arc::new(Profile::build(settings).unwrap());
    let seen = world.connect(&world.config(), &profile);
    let naks = *naks.lock().unwrap();
    (seen, naks)
}

const TUNNELS: [Outer; 3] = [Outer::Peap, Outer::Ttls, Outer::Teap];

/// A user with a hash was offered MSCHAPv2, which could never succeed.
#[test]
fn a_user_with_a_hash_is_proposed_what_a_hash_can_tell() {
    for outer in TUNNELS {
        let inside = [Inner::MsChapV2, Inner::Gtc];
        // Alice's password is known in clear: the order of the configuration counts.
        for (user, naks_before) in [("alice", 1), ("bob", 0)] {
            let (seen, naks) = login(&inside, (outer, Inner::Gtc), user);
            seen.succeeded();
            assert_eq!(naks, naks_before, "row {outer:?}, {user}");
        }
        let (seen, naks) = login(&inside, (outer, Inner::MsChapV2), "alice");
        seen.succeeded();
        assert_eq!(naks, 0, "row {outer:?}");
    }
}

/// Whoever insists learns no sooner than with a wrong password, and the record says why.
#[test]
fn what_cannot_be_told_is_refused_as_a_wrong_password_is() {
    for outer in TUNNELS {
        for (inside, naks_before) in [
            (&[Inner::MsChapV2, Inner::Gtc][..], 1),
            (&[Inner::MsChapV2], 0),
        ] {
            let (seen, naks) = login(inside, (outer, Inner::MsChapV2), "bob");
            let reason = FailureReason::Inner(InnerRefusal::Unsuited(Inner::MsChapV2));
            assert_eq!(seen.failed().reason, reason, "row {outer:?}");
            assert_eq!((naks, seen.asked), (naks_before, 1), "row {outer:?}");
        }
    }
}

#[test]
fn nobody_is_proposed_what_a_user_with_a_hash_is() {
    for outer in TUNNELS {
        let inside = [Inner::MsChapV2, Inner::Gtc];
        let (seen, naks) = login(&inside, (outer, Inner::Gtc), "nobody");
        let reason = FailureReason::Inner(InnerRefusal::Password);
        assert_eq!(seen.failed().reason, reason, "row {outer:?}");
        assert_eq!(naks, 0, "row {outer:?}");
    }
}

/// RFC 9930 section 3.6.2: a password without EAP, which TEAP has besides.
#[test]
fn teap_asks_for_the_password_where_no_method_of_eap_can_tell() {
    let inside = [Inner::MsChapV2, Inner::Pap];
    for (user, naks_before) in [("alice", 1), ("bob", 0)] {
        let (seen, naks) = login(&inside, (Outer::Teap, Inner::Pap), user);
        let spoken = seen.succeeded().spoken;
        assert_eq!(
            (spoken.inner, naks),
            (Some(Inner::Pap), naks_before),
            "row {user}"
        );
    }
}
