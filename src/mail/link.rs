//! The check-again link: a signed, expiring name of one user's device.
//!
//! There is no secret in it but the signature: whoever has the message has the link, and it opens
//! nothing but what the message says. It is bound to a user and a DeviceId together with what a
//! decision about them needs.

use std::time::Duration;

use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::model::EasDeviceId;
use crate::model::Timestamp;

/// Where the check-again pages are, outside the namespace of ActiveSync; the link's token follows.
pub const CHECK_PATH: &str = "/portreeve/check/";

/// How long a link can be used: the message that it is in stays on the device for as long as its
/// reason does.
pub(super) const LIFETIME: Duration = Duration::from_hours(30 * 24);

/// What a link names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Link {
    pub(super) user: String,
    pub(super) device: EasDeviceId,
    /// The same as the device spells it.
    pub(super) spelled: String,
    pub(super) device_type: String,
    /// Policies tell mail applications apart by it.
    pub(super) user_agent: String,
    pub(super) expires: Timestamp,
}

/// Signs links and checks them.
pub(super) struct Signer(hmac::Key);

impl Signer {
    /// `secret` is the gateway's own and outlives its process, so that links do.
    pub(super) fn new(secret: &[u8; 32]) -> Self {
        let purpose = hmac::Key::new(hmac::HMAC_SHA256, secret);
        let key = hmac::sign(&purpose, b"check-again link");
        Self(hmac::Key::new(hmac::HMAC_SHA256, key.as_ref()))
    }

    /// The token of a link.
    pub(super) fn write(&self, link: &Link) -> String {
        let mut octets = vec![VERSION];
        octets.extend_from_slice(&link.expires.unix_seconds().to_be_bytes());
        let agent = link.user_agent.get(..MAX_PART).unwrap_or(&link.user_agent);
        for part in [&*link.spelled, &link.device_type, agent, &link.user] {
            let length = u16::try_from(part.len()).unwrap_or(u16::MAX);
            octets.extend_from_slice(&length.to_be_bytes());
            octets.extend(part.bytes().take(usize::from(length)));
        }
        let tag = hmac::sign(&self.0, &octets);
        octets.extend_from_slice(tag.as_ref());
        URL_SAFE_NO_PAD.encode(octets)
    }

    /// What a token names, if we have written it and it has not expired.
    pub(super) fn read(&self, now: Timestamp, token: &str) -> Option<Link> {
        if token.len() > MAX_TOKEN {
            return None;
        }
        let octets = URL_SAFE_NO_PAD.decode(token).ok()?;
        let (signed, tag) = octets.split_at_checked(octets.len().checked_sub(TAG)?)?;
        // Before anything in it is looked at.
        hmac::verify(&self.0, signed, tag).ok()?;
        let (version, rest) = signed.split_first()?;
        let (expires, mut rest) = rest.split_first_chunk()?;
        let expires = Timestamp::from_unix_seconds(i64::from_be_bytes(*expires));
        if *version != VERSION || expires < now {
            return None;
        }
        let mut part = || {
            let (length, after) = rest.split_first_chunk()?;
            let length = usize::from(u16::from_be_bytes(*length));
            let (part, after) = after.split_at_checked(length)?;
            rest = after;
            String::from_utf8(part.to_vec()).ok()
        };
        let spelled = part()?;
        let device = EasDeviceId::parse(spelled.as_bytes())?;
        let (device_type, user_agent, user) = (part()?, part()?, part()?);
        rest.is_empty().then_some(Link {
            user,
            device,
            spelled,
            device_type,
            user_agent,
            expires,
        })
    }
}

/// Of the form of the octets.
const VERSION: u8 = 1;
/// Octets of a signature.
const TAG: usize = 32;
/// The longest token that is looked at; one of ours has under 300 characters.
const MAX_TOKEN: usize = 2048;
/// Octets of a User-Agent in a link.
const MAX_PART: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;

    fn link() -> Link {
        Link {
            user: "zoë@example.com".into(),
            device: "ApplX1".parse().unwrap(),
            spelled: "ApplX1".into(),
            device_type: "iPhone".into(),
            user_agent: "Apple-iPhone15C2/2201.1".into(),
            expires: Timestamp::from_unix_seconds(1000),
        }
    }

    #[test]
    fn a_link_is_read_as_it_was_written_until_it_expires_r39() {
        let signer = Signer::new(&[1; 32]);
        let token = signer.write(&link());
        assert!(token.len() < 300, "{}", token.len());
        let read = |at| signer.read(Timestamp::from_unix_seconds(at), &token);
        assert_eq!(read(999), Some(link()));
        assert_eq!(read(1000), Some(link()));
        assert_eq!(read(1001), None);
    }

    #[test]
    fn no_octet_of_a_link_can_be_another() {
        let signer = Signer::new(&[1; 32]);
        let now = Timestamp::from_unix_seconds(0);
        let token = signer.write(&link());
        let octets = URL_SAFE_NO_PAD.decode(&token).unwrap();
        for at in 0..octets.len() {
            let mut other = octets.clone();
            other[at] ^= 1;
            assert_eq!(
                signer.read(now, &URL_SAFE_NO_PAD.encode(other)),
                None,
                "octet {at}"
            );
        }
        for length in 0..octets.len() {
            let short = URL_SAFE_NO_PAD.encode(&octets[..length]);
            assert_eq!(signer.read(now, &short), None, "length {length}");
        }
        assert_eq!(
            Signer::new(&[2; 32]).read(now, &token),
            None,
            "another gateway's"
        );
        assert_eq!(signer.read(now, &format!("{token}A")), None);
        assert_eq!(signer.read(now, &"A".repeat(MAX_TOKEN + 1)), None);
    }
}
