//! RADIUS/1.1 (RFC 9765): the same attributes in TLS, without MD5 on the wire.
//!
//! ```text
//!  0                   1                   2                   3
//!  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! |     Code      |  Reserved-1   |            Length             |
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! |                             Token                             |
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! |                     Reserved-2 (12 octets)                    |
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! |  Attributes ...
//! ```
//!
//! It is a matter of the connection: a packet that comes in becomes one of RFC 2865 with the secret
//! of RADIUS over TLS, and the reply becomes one of RFC 9765, so that nothing behind knows of two
//! versions. The Token travels along as the last Proxy-State, which every reply repeats. What that
//! takes is room: a request may have 4,063 octets less what hiding its password adds.
#![warn(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

use std::collections::HashMap;
use std::fmt;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;

use crate::model::Secret;
use crate::radius::attribute::Attribute;
use crate::radius::attribute::AttributeType;
use crate::radius::attribute::VendorId;
use crate::radius::attribute::VendorSpecific;
use crate::radius::authenticator::RequestAuthenticator;
use crate::radius::authenticator::SharedSecret;
use crate::radius::code::Code;
use crate::radius::encode;
use crate::radius::encode::EncodeError;
use crate::radius::encode::Writer;
use crate::radius::error::Malformed;
use crate::radius::hidden;
use crate::radius::hidden::MAX_PASSWORD;
use crate::radius::mschap;
use crate::radius::packet::MAX_PACKET;
use crate::radius::packet::Packet;
use crate::radius::transport::RADSEC_SECRET;

/// One connection of RADIUS/1.1.
pub struct Version11 {
    secret: SharedSecret,
    salt: [u8; SALT],
    /// Requests so far: TLS loses and repeats nothing, so one with a Token that was used before is
    /// another one (RFC 9765 section 4.2.1).
    count: AtomicU64,
    /// Authenticators of our own requests, by identifier, for their answers.
    asked: Mutex<HashMap<u8, RequestAuthenticator>>,
}

/// A packet that cannot be brought from one version into the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Untranslatable {
    /// Its lengths do not add up.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// It does not fit, or a password is too long.
    #[error(transparent)]
    TooLong(#[from] EncodeError),
    /// CHAP without CHAP-Challenge: there is no authenticator to stand in (RFC 9765 section 5.1.2).
    #[error("CHAP-Password without CHAP-Challenge")]
    NoChallenge,
    /// A reply without the Token of its request, or an answer to nothing.
    #[error("answers nothing")]
    Stray,
}

impl Version11 {
    /// A connection; `salt` is random.
    #[must_use]
    pub fn new(salt: [u8; SALT]) -> Self {
        Self {
            secret: SharedSecret::new(Secret::new(RADSEC_SECRET.to_vec())),
            salt,
            count: AtomicU64::new(0),
            asked: Mutex::default(),
        }
    }

    /// A request of RADIUS/1.1 as one of RFC 2865, in `buffer`.
    ///
    /// # Errors
    ///
    /// [`Untranslatable`]; one that is malformed ends the connection, others are dropped.
    pub fn request<'b>(
        &self,
        octets: &[u8],
        buffer: &'b mut [u8; MAX_PACKET],
    ) -> Result<&'b [u8], Untranslatable> {
        let packet = Packet::new_checked(octets)?;
        if packet.contains(AttributeType::CHAP_PASSWORD)
            && !packet.contains(AttributeType::CHAP_CHALLENGE)
        {
            return Err(Untranslatable::NoChallenge);
        }
        let token = token(&packet);
        let [.., identifier] = token;
        let signed = packet.code() != Code::AccountingRequest;
        // Nobody sees it: it hides passwords on the way through this process, and tells requests
        // with one identifier apart.
        let number = self.count.fetch_add(1, Ordering::Relaxed).to_be_bytes();
        let authenticator = if signed {
            self.authenticator(number)
        } else {
            RequestAuthenticator::new([0; 16])
        };
        let mut writer = Writer::new(buffer, packet.code(), identifier, authenticator.octets(), 0);
        if signed {
            writer.message_authenticator();
        }
        for Attribute { kind, value } in packet.attributes() {
            match kind {
                AttributeType::MESSAGE_AUTHENTICATOR => {}
                AttributeType::USER_PASSWORD => {
                    let mut hidden = [0; MAX_PASSWORD];
                    let secret = self.secret.secret();
                    match hidden::hide_password(value, secret, &authenticator, &mut hidden) {
                        Some(value) => writer.attribute(kind, &[value]),
                        None => writer.fail(EncodeError::ValueTooLong {
                            kind,
                            octets: value.len(),
                        }),
                    }
                }
                AttributeType(_) => writer.attribute(kind, &[value]),
            }
        }
        writer.attribute(AttributeType::PROXY_STATE, &[MARK, &token, &number]);
        let packet = writer.finish(&self.secret)?;
        if !signed {
            let authenticator = self.secret.request_authenticator(packet);
            encode::set_authenticator(packet, authenticator.octets());
        }
        Ok(packet)
    }

    fn authenticator(&self, number: [u8; 8]) -> RequestAuthenticator {
        let mut field = [0; 16];
        let parts = number.iter().chain(&self.salt);
        field
            .iter_mut()
            .zip(parts)
            .for_each(|(to, from)| *to = *from);
        RequestAuthenticator::new(field)
    }

    /// A reply of RFC 2865 to such a request as one of RADIUS/1.1, in `buffer`.
    ///
    /// # Errors
    ///
    /// [`Untranslatable`]; it is then not sent.
    pub fn reply<'b>(
        &self,
        octets: &[u8],
        buffer: &'b mut [u8; MAX_PACKET],
    ) -> Result<&'b [u8], Untranslatable> {
        let packet = Packet::new_checked(octets)?;
        let last = packet.find_all(AttributeType::PROXY_STATE).last();
        let mark = last.and_then(|value| value.strip_prefix(MARK)?.split_first_chunk::<TOKEN>());
        let (token, number) = mark.ok_or(Untranslatable::Stray)?;
        let number = number.try_into().map_err(|_| Untranslatable::Stray)?;
        let (token, authenticator) = (*token, self.authenticator(number));
        let mut left = packet.find_all(AttributeType::PROXY_STATE).count();
        let mut writer = begin(buffer, packet.code(), token);
        for Attribute { kind, value } in packet.attributes() {
            match kind {
                AttributeType::MESSAGE_AUTHENTICATOR => {}
                AttributeType::PROXY_STATE => {
                    left = left.saturating_sub(1);
                    if left > 0 {
                        writer.attribute(kind, &[value]);
                    }
                }
                AttributeType::VENDOR_SPECIFIC => match mppe_key(value) {
                    Some((number, hidden)) => {
                        let secret = self.secret.secret();
                        if number == mschap::MS_CHAP_MPPE_KEYS {
                            let keys = hidden::reveal_blocks(hidden, secret, &authenticator);
                            let keys = keys.ok_or(Untranslatable::Stray)?;
                            writer.vendor(VendorId::MICROSOFT, number, &keys);
                        } else {
                            let key = hidden::reveal_salted(hidden, secret, &authenticator);
                            let key = key.ok_or(Untranslatable::Stray)?;
                            writer.vendor(VendorId::MICROSOFT, number, key.octets());
                        }
                    }
                    None => writer.attribute(kind, &[value]),
                },
                AttributeType::TUNNEL_PASSWORD => {
                    let secret = self.secret.secret();
                    let (tag, hidden) = value.split_first().ok_or(Untranslatable::Stray)?;
                    let plain = hidden::reveal_salted(hidden, secret, &authenticator);
                    let plain = plain.ok_or(Untranslatable::Stray)?;
                    writer.attribute(kind, &[&[*tag], plain.octets()]);
                }
                AttributeType(_) => writer.attribute(kind, &[value]),
            }
        }
        Ok(writer.finish_unsealed()?.0)
    }

    /// A request of ours (RFC 5176) as one of RADIUS/1.1, in `buffer`.
    ///
    /// # Errors
    ///
    /// [`Untranslatable`]; it is then not sent.
    pub fn demand<'b>(
        &self,
        octets: &[u8],
        buffer: &'b mut [u8; MAX_PACKET],
    ) -> Result<&'b [u8], Untranslatable> {
        let packet = Packet::new_checked(octets)?;
        let identifier = packet.identifier();
        self.asked
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(identifier, packet.request_authenticator());
        let mut writer = begin(buffer, packet.code(), u32::from(identifier).to_be_bytes());
        let attributes = packet.attributes();
        for Attribute { kind, value } in
            attributes.filter(|one| one.kind != AttributeType::MESSAGE_AUTHENTICATOR)
        {
            writer.attribute(kind, &[value]);
        }
        Ok(writer.finish_unsealed()?.0)
    }

    /// The answer to such a request as one of RFC 5176, in `buffer`.
    ///
    /// # Errors
    ///
    /// [`Untranslatable`]; one that is malformed ends the connection, others are dropped.
    pub fn answer<'b>(
        &self,
        octets: &[u8],
        buffer: &'b mut [u8; MAX_PACKET],
    ) -> Result<&'b [u8], Untranslatable> {
        let packet = Packet::new_checked(octets)?;
        let [0, 0, 0, identifier] = token(&packet) else {
            return Err(Untranslatable::Stray);
        };
        let asked = self
            .asked
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&identifier)
            .ok_or(Untranslatable::Stray)?;
        let mut writer = Writer::new(buffer, packet.code(), identifier, asked.octets(), 0);
        let attributes = packet.attributes();
        for Attribute { kind, value } in
            attributes.filter(|one| one.kind != AttributeType::MESSAGE_AUTHENTICATOR)
        {
            writer.attribute(kind, &[value]);
        }
        let (packet, _) = writer.finish_unsealed()?;
        let authenticator = self.secret.response_authenticator(packet, &asked);
        encode::set_authenticator(packet, authenticator.octets());
        Ok(packet)
    }
}

/// Nothing of the secret or the salt.
impl fmt::Debug for Version11 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Version11")
    }
}

pub(super) fn begin(buffer: &mut [u8; MAX_PACKET], code: Code, token: [u8; TOKEN]) -> Writer<'_> {
    let mut field = [0; 16];
    field
        .iter_mut()
        .zip(token)
        .for_each(|(to, from)| *to = from);
    Writer::new(buffer, code, 0, &field, 0)
}

pub(super) fn token(packet: &Packet<'_>) -> [u8; TOKEN] {
    let &[first, second, third, fourth, ..] = packet.authenticator_field();
    [first, second, third, fourth]
}

/// The number and the hidden value, if it is a vendor's attribute with one kind of MPPE key in it.
fn mppe_key(value: &[u8]) -> Option<(u8, &[u8])> {
    let specific = VendorSpecific::parse(value)?;
    let mut attributes = specific.attributes();
    let (number, value) = attributes.next()?;
    let is_key = specific.vendor == VendorId::MICROSOFT
        && [
            hidden::MS_MPPE_SEND_KEY,
            hidden::MS_MPPE_RECV_KEY,
            mschap::MS_CHAP_MPPE_KEYS,
        ]
        .contains(&number);
    (is_key && attributes.next().is_none()).then_some((number, value))
}

pub(super) const TOKEN: usize = 4;
const SALT: usize = 8;

/// What tells our Proxy-State from those of the client.
const MARK: &[u8] = b"radius/1.1 ";
