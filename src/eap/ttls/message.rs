//! What a peer says in one turn inside of EAP-TTLS, read whole: a name, and one thing that shows it.
#![warn(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

use std::borrow::Cow;

use super::Avps;
use super::CHAP_CHALLENGE;
use super::CHAP_PASSWORD;
use super::EAP_MESSAGE;
use super::MICROSOFT;
use super::MS_CHAP_CHALLENGE;
use super::MS_CHAP_RESPONSE;
use super::MS_CHAP2_RESPONSE;
use super::USER_NAME;
use super::USER_PASSWORD;
use crate::eap::error::InnerRefusal;
use crate::eap::offer::Inner;

/// The pairs of a turn that count here, each of them once.
#[derive(Default)]
pub(super) struct Message<'a> {
    pub(super) user: Option<&'a [u8]>,
    password: Option<&'a [u8]>,
    chap: Option<&'a [u8]>,
    chap_challenge: Option<&'a [u8]>,
    ms_challenge: Option<&'a [u8]>,
    ms_response: Option<&'a [u8]>,
    ms2_response: Option<&'a [u8]>,
    eap: Option<Cow<'a, [u8]>>,
}

/// What shows who the peer is.
pub(super) enum Credential<'m> {
    Pap(&'m [u8]),
    Chap {
        challenge: &'m [u8; 16],
        identifier: u8,
        response: &'m [u8; 16],
    },
    MsChap {
        challenge: &'m [u8; 8],
        identifier: u8,
        response: &'m [u8; 24],
    },
    MsChapV2 {
        challenge: &'m [u8; 16],
        identifier: u8,
        peer_challenge: &'m [u8; 16],
        response: &'m [u8; 24],
    },
    Eap(&'m [u8]),
}

impl Credential<'_> {
    pub(super) const fn inner(&self) -> Inner {
        match self {
            Self::Pap(_) => Inner::Pap,
            Self::Chap { .. } => Inner::Chap,
            Self::MsChap { .. } => Inner::MsChap,
            Self::MsChapV2 { .. } => Inner::MsChapV2,
            // Not known before the identity.
            Self::Eap(_) => Inner::Gtc,
        }
    }
}

impl<'a> Message<'a> {
    /// Reads a turn.
    ///
    /// # Errors
    ///
    /// A pair that cannot be read, one of those that count for the second time, or one that is
    /// mandatory and not known (RFC 5281 section 10.1).
    pub(super) fn parse(octets: &'a [u8]) -> Result<Self, InnerRefusal> {
        let mut message = Self::default();
        for avp in Avps::new(octets) {
            let avp = avp.map_err(|_| InnerRefusal::Malformed("attributes of EAP-TTLS"))?;
            let place = match (avp.vendor, avp.code) {
                (0, USER_NAME) => &mut message.user,
                (0, USER_PASSWORD) => &mut message.password,
                (0, CHAP_PASSWORD) => &mut message.chap,
                (0, CHAP_CHALLENGE) => &mut message.chap_challenge,
                (MICROSOFT, MS_CHAP_CHALLENGE) => &mut message.ms_challenge,
                (MICROSOFT, MS_CHAP_RESPONSE) => &mut message.ms_response,
                (MICROSOFT, MS_CHAP2_RESPONSE) => &mut message.ms2_response,
                (0, EAP_MESSAGE) => {
                    // One packet may be cut into several.
                    match &mut message.eap {
                        Some(joined) => joined.to_mut().extend_from_slice(avp.data),
                        none => *none = Some(Cow::Borrowed(avp.data)),
                    }
                    continue;
                }
                (_, code) if avp.mandatory => return Err(InnerRefusal::Mandatory(code)),
                _ => continue,
            };
            if place.replace(avp.data).is_some() {
                return Err(InnerRefusal::Credential);
            }
        }
        Ok(message)
    }

    /// The one thing that shows who the peer is.
    ///
    /// # Errors
    ///
    /// When there is none or more than one, or its parts do not have their lengths.
    pub(super) fn credential(&self) -> Result<Credential<'_>, InnerRefusal> {
        match (
            self.password,
            self.chap,
            self.ms_response,
            self.ms2_response,
            &self.eap,
        ) {
            (Some(password), None, None, None, None) => Some(Credential::Pap(unpadded(password))),
            (None, Some(chap), None, None, None) => self.chap(chap),
            (None, None, Some(response), None, None) => self.ms_chap(response),
            (None, None, None, Some(response), None) => self.ms_chap_v2(response),
            (None, None, None, None, Some(eap)) => Some(Credential::Eap(eap)),
            _ => return Err(InnerRefusal::Credential),
        }
        .ok_or(InnerRefusal::Malformed("lengths of a password method"))
    }

    fn chap(&self, value: &'a [u8]) -> Option<Credential<'a>> {
        let ([identifier], response) = value.split_first_chunk::<1>()?;
        Some(Credential::Chap {
            challenge: self.chap_challenge?.try_into().ok()?,
            identifier: *identifier,
            response: response.try_into().ok()?,
        })
    }

    /// Identifier, flags, LM-Response, NT-Response (RFC 2548 section 2.1.3).
    fn ms_chap(&self, value: &'a [u8]) -> Option<Credential<'a>> {
        let value: &[u8; 50] = value.try_into().ok()?;
        let ([identifier, flags], rest) = value.split_first_chunk()?;
        if flags & 1 == 0 {
            return None;
        }
        Some(Credential::MsChap {
            challenge: self.ms_challenge?.try_into().ok()?,
            identifier: *identifier,
            response: rest.last_chunk()?,
        })
    }

    /// Identifier, flags, Peer-Challenge, eight reserved octets, Response (section 2.3.2).
    fn ms_chap_v2(&self, value: &'a [u8]) -> Option<Credential<'a>> {
        let value: &[u8; 50] = value.try_into().ok()?;
        let ([identifier, _], rest) = value.split_first_chunk()?;
        Some(Credential::MsChapV2 {
            challenge: self.ms_challenge?.try_into().ok()?,
            identifier: *identifier,
            peer_challenge: rest.first_chunk()?,
            response: rest.last_chunk()?,
        })
    }
}

/// A password is padded with zeros to hide its length (RFC 5281 section 11.2.5).
fn unpadded(password: &[u8]) -> &[u8] {
    let end = password.iter().rposition(|octet| *octet != 0);
    let end = end.map_or(0, |last| last.saturating_add(1));
    password.get(..end).unwrap_or(&[])
}

#[cfg(test)]
mod tests {
    use zeroize::Zeroizing;

    use super::super::avp::push;
    use super::*;

    type Pair<'a> = (u32, u32, &'a [u8]);

    fn octets(pairs: &[Pair<'_>]) -> Zeroizing<Vec<u8>> {
        let mut octets = Zeroizing::default();
        for (vendor, code, data) in pairs {
            push(&mut octets, *vendor, *code, data);
        }
        octets
    }

    fn kind(pairs: &[Pair<'_>]) -> Result<&'static str, InnerRefusal> {
        let octets = octets(pairs);
        let message = Message::parse(&octets)?;
        Ok(match message.credential()? {
            Credential::Eap(_) => "eap",
            other @ (Credential::Pap(_)
            | Credential::Chap { .. }
            | Credential::MsChap { .. }
            | Credential::MsChapV2 { .. }) => other.inner().name(),
        })
    }

    #[test]
    fn one_credential_and_no_more_rfc5281_11_2() {
        let lengths = InnerRefusal::Malformed("lengths of a password method");
        let none = InnerRefusal::Credential;
        let (name, v2) = ((0, USER_NAME, &b"alice"[..]), [0; 50]);
        let v1 = [&[0, 1][..], &[0; 48]].concat();
        for (pairs, expected) in [
            (&[name][..], Err(none.clone())),
            (&[name, (0, USER_PASSWORD, b"x")], Ok("pap")),
            (&[name, (0, CHAP_PASSWORD, &[0; 17])], Err(lengths.clone())),
            (
                &[(0, CHAP_CHALLENGE, &[0; 16]), (0, CHAP_PASSWORD, &[0; 17])],
                Ok("chap"),
            ),
            (
                &[(0, CHAP_CHALLENGE, &[0; 16]), (0, CHAP_PASSWORD, &[0; 16])],
                Err(lengths.clone()),
            ),
            (
                &[(311, MS_CHAP_CHALLENGE, &[0; 8]), (311, 1, &v1)],
                Ok("mschap"),
            ),
            (
                &[(311, MS_CHAP_CHALLENGE, &[0; 8]), (311, 1, &v2)],
                Err(lengths.clone()),
            ),
            (
                &[(311, MS_CHAP_CHALLENGE, &[0; 16]), (311, 25, &v2)],
                Ok("mschapv2"),
            ),
            (
                &[(311, MS_CHAP_CHALLENGE, &[0; 16]), (311, 25, &v2[1..])],
                Err(lengths),
            ),
            (&[(0, EAP_MESSAGE, b"x"), (0, EAP_MESSAGE, b"y")], Ok("eap")),
            (
                &[(0, EAP_MESSAGE, b"x"), (0, USER_PASSWORD, b"y")],
                Err(none.clone()),
            ),
            (&[name, name, (0, USER_PASSWORD, b"x")], Err(none)),
            (&[name, (9, 9, b"x")], Err(InnerRefusal::Mandatory(9))),
        ] {
            assert_eq!(kind(pairs), expected, "row {pairs:?}");
        }
    }

    #[test]
    fn the_padding_of_a_password_is_not_part_of_it() {
        for (sent, password) in [
            (&b"wonderland\0\0\0\0\0\0"[..], &b"wonderland"[..]),
            (b"wonderland", b"wonderland"),
            (b"\0\0", b""),
            (b"", b""),
        ] {
            assert_eq!(unpadded(sent), password);
        }
    }
}
