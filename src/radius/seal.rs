//! Signatures of whole batches of replies, worked out side by side.

use crate::radius::authenticator::AUTHENTICATOR;
use crate::radius::authenticator::SharedSecret;
use crate::radius::authenticator::Unverified;
use crate::radius::authenticator::message_authenticators;
use crate::radius::authenticator::response_authenticators;
use crate::radius::encode;
use crate::radius::lanes::LANES;
use crate::radius::lanes::Lanes;

/// A reply that is whole but for its signatures; its octets are in the buffer it was begun with.
#[derive(Clone, Copy, Debug)]
pub struct Unsealed {
    pub(super) length: usize,
    /// Where the value of its Message-Authenticator stands, if it has one.
    pub(super) signed_at: Option<usize>,
}

impl Unsealed {
    /// Its octets.
    #[must_use]
    pub const fn length(&self) -> usize {
        self.length
    }
}

/// Signs replies, side by side: what [`Reply::finish`](crate::radius::Reply::finish) does to one of them. Each item is a reply,
/// the buffer that holds it, and the secret of the device that it is for.
pub fn sign_each<'b>(
    lanes: &mut Lanes,
    replies: impl IntoIterator<Item = (Unsealed, &'b mut [u8], &'b SharedSecret)>,
) {
    let mut replies = replies.into_iter().fuse();
    loop {
        let mut group: [Option<(Unsealed, &mut [u8], &SharedSecret)>; LANES] =
            [const { None }; LANES];
        let mut count: usize = 0;
        for (place, (unsealed, buffer, secret)) in group.iter_mut().zip(replies.by_ref()) {
            let packet = buffer.get_mut(..unsealed.length).unwrap_or_default();
            *place = Some((unsealed, packet, secret));
            count = count.saturating_add(1);
        }
        if count == 0 {
            return;
        }
        sign_group(lanes, &mut group);
        if count < LANES {
            return;
        }
    }
}

fn sign_group(
    lanes: &mut Lanes,
    group: &mut [Option<(Unsealed, &mut [u8], &SharedSecret)>; LANES],
) {
    let fields = group.each_ref().map(|one| {
        one.as_ref().map_or([0; AUTHENTICATOR], |(_, packet, _)| {
            encode::authenticator_field(packet)
        })
    });
    let unverified = group.iter().zip(&fields).filter_map(|(one, field)| {
        let (unsealed, packet, secret) = one.as_ref()?;
        Some(Unverified {
            secret,
            packet,
            field,
            value_at: unsealed.signed_at?,
        })
    });
    let mut unverified = unverified.fuse();
    if let Some(first) = unverified.next() {
        let mut signed = [first; LANES];
        let mut count: usize = 1;
        for (place, one) in signed.iter_mut().skip(1).zip(unverified) {
            *place = one;
            count = count.saturating_add(1);
        }
        let signatures = message_authenticators(lanes, signed.get(..count).unwrap_or(&[]));
        let sealed = group.iter_mut().flatten();
        let sealed = sealed.filter_map(|(unsealed, packet, _)| Some((unsealed.signed_at?, packet)));
        for ((signed_at, packet), signature) in sealed.zip(signatures) {
            encode::set_message_authenticator(packet, signed_at, signature.octets());
        }
    }
    let mut whole: [(&SharedSecret, &[u8]); LANES] = match group.iter().flatten().next() {
        Some((_, packet, secret)) => [(secret, packet); LANES],
        None => return,
    };
    let all = group.iter().flatten();
    for (place, (_, packet, secret)) in whole.iter_mut().zip(all) {
        *place = (secret, packet);
    }
    let count = group.iter().flatten().count();
    let authenticators = response_authenticators(lanes, whole.get(..count).unwrap_or(&[]));
    for ((_, packet, _), authenticator) in group.iter_mut().flatten().zip(authenticators) {
        encode::set_authenticator(packet, authenticator.octets());
    }
}
