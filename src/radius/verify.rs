//! Authenticity: the checks between a sound packet and one that may be believed.

use crate::radius::attribute::Attribute;
use crate::radius::attribute::AttributeType;
use crate::radius::attribute::Attributes;
use crate::radius::authenticator::AUTHENTICATOR;
use crate::radius::authenticator::MessageAuthenticator;
use crate::radius::authenticator::RequestAuthenticator;
use crate::radius::authenticator::Unverified;
use crate::radius::authenticator::message_authenticators;
use crate::radius::code::Code;
use crate::radius::error::DropReason;
use crate::radius::error::NasMisbehaved;
use crate::radius::error::Unauthentic;
use crate::radius::lanes::LANES;
use crate::radius::lanes::Lanes;
use crate::radius::nas::MessageAuthenticatorPolicy;
use crate::radius::nas::Nas;
use crate::radius::packet::Packet;
use crate::radius::request::Request;

/// A request that was shown to come from its network device, as far as its kind allows.
///
/// There is no other way to one than [`verify`], and replies are made for nothing else.
#[derive(Clone, Copy, Debug)]
pub struct Verified<'a> {
    packet: Packet<'a>,
}

/// Checks that `packet` is a request and comes from `nas`, in this order:
///
/// 1. the code is Access-Request, Accounting-Request or Status-Server, and the device may send it;
/// 2. at most one Message-Authenticator;
/// 3. one is there where it must be: always with Status-Server (RFC 5997 section 3) and with
///    EAP-Message (RFC 3579 section 3.1); in other Access-Requests as the device's
///    [`MessageAuthenticatorPolicy`] says;
/// 4. the Request Authenticator of an Accounting-Request (RFC 2866 section 3);
/// 5. the Message-Authenticator, if there is one, whatever the policy and the code.
///
/// A right Message-Authenticator in an Access-Request is what `auto` learns from.
///
/// An Accounting-Request needs no Message-Authenticator: its Request Authenticator is keyed.
///
/// # Errors
///
/// The reason to count; the datagram is then dropped without an answer (RFC 2865 section 3).
pub fn verify<'a>(packet: Packet<'a>, nas: &Nas) -> Result<Verified<'a>, DropReason> {
    if let Some(value_at) = check_unsealed(&packet, nas)? {
        let field = field(&packet);
        let right = nas
            .secret()
            .message_authenticator(packet.octets(), field, value_at);
        check_seal(&packet, nas, &right)?;
    }
    Ok(Verified { packet })
}

/// [`verify`] of packets that came together: `request` gives the packet of an item and where it
/// came from, `verdict` takes what `verify` says of it. Their signatures are computed side by side.
pub fn verify_each<'a, T>(
    lanes: &mut Lanes,
    items: &mut [T],
    request: impl Fn(&T) -> Option<(Packet<'a>, &'a Nas)>,
    mut verdict: impl FnMut(&mut T, Result<Verified<'a>, DropReason>),
) {
    // Those that wait for their signature: which item, and what is signed.
    let mut waiting: [Option<(usize, Packet<'a>, &'a Nas, usize)>; LANES] = [None; LANES];
    let mut count: usize = 0;
    for number in 0..items.len() {
        let Some((packet, nas)) = items.get(number).and_then(&request) else {
            continue;
        };
        if packet.message_authenticator_at().is_none() {
            // Whether it may go on can hang on what those before it teach of their device.
            conclude(lanes, items, &waiting, &mut verdict);
            (waiting, count) = ([None; LANES], 0);
        }
        let judged = check_unsealed(&packet, nas);
        let Some(item) = items.get_mut(number) else {
            break;
        };
        match judged {
            Ok(Some(value_at)) => {
                if let Some(place) = waiting.get_mut(count) {
                    *place = Some((number, packet, nas, value_at));
                    count = count.saturating_add(1);
                }
                if count == LANES {
                    conclude(lanes, items, &waiting, &mut verdict);
                    (waiting, count) = ([None; LANES], 0);
                }
            }
            Ok(None) => verdict(item, Ok(Verified { packet })),
            Err(why) => verdict(item, Err(why)),
        }
    }
    conclude(lanes, items, &waiting, &mut verdict);
}

/// Computes the signatures that are waited for and judges by them.
fn conclude<'a, T>(
    lanes: &mut Lanes,
    items: &mut [T],
    waiting: &[Option<(usize, Packet<'a>, &'a Nas, usize)>; LANES],
    verdict: &mut impl FnMut(&mut T, Result<Verified<'a>, DropReason>),
) {
    let Some((_, packet, nas, value_at)) = waiting.iter().flatten().next() else {
        return;
    };
    let first = Unverified {
        secret: nas.secret(),
        packet: packet.octets(),
        field: field(packet),
        value_at: *value_at,
    };
    let mut signed = [first; LANES];
    for (signed, (_, packet, nas, value_at)) in signed.iter_mut().zip(waiting.iter().flatten()) {
        *signed = Unverified {
            secret: nas.secret(),
            packet: packet.octets(),
            field: field(packet),
            value_at: *value_at,
        };
    }
    let count = waiting.iter().flatten().count();
    let right = message_authenticators(lanes, signed.get(..count).unwrap_or(&[]));
    for ((number, packet, nas, _), right) in waiting.iter().flatten().zip(right) {
        let judged = check_seal(packet, nas, &right).map(|()| Verified { packet: *packet });
        if let Some(item) = items.get_mut(*number) {
            verdict(item, judged);
        }
    }
}

/// All checks but that of the Message-Authenticator's value; gives where it stands, if there is
/// one.
fn check_unsealed(packet: &Packet<'_>, nas: &Nas) -> Result<Option<usize>, DropReason> {
    check_code(packet, nas)?;
    if packet
        .repeated()
        .contains(AttributeType::MESSAGE_AUTHENTICATOR)
    {
        return Err(NasMisbehaved::Repeated(AttributeType::MESSAGE_AUTHENTICATOR).into());
    }
    let signed_at = packet.message_authenticator_at();
    if signed_at.is_none() {
        check_unsigned(packet, nas)?;
    }
    if packet.code() == Code::AccountingRequest {
        let right = nas.secret().request_authenticator(packet.octets());
        if !packet.request_authenticator().ct_eq(&right) {
            return Err(Unauthentic::RequestAuthenticator.into());
        }
    }
    Ok(signed_at)
}

/// Whether the Message-Authenticator is the `right` one.
fn check_seal(
    packet: &Packet<'_>,
    nas: &Nas,
    right: &MessageAuthenticator,
) -> Result<(), DropReason> {
    if !message_authenticator(packet).is_some_and(|held| held.ct_eq(right)) {
        return Err(Unauthentic::MessageAuthenticator.into());
    }
    if packet.code() == Code::AccessRequest {
        nas.learn();
    }
    Ok(())
}

/// What counts as the authenticator field. That of an Accounting-Request is computed last, so it
/// counts as zeros.
fn field<'a>(packet: &Packet<'a>) -> &'a [u8; AUTHENTICATOR] {
    if packet.code() == Code::AccountingRequest {
        &[0; AUTHENTICATOR]
    } else {
        packet.authenticator_field()
    }
}

fn check_code(packet: &Packet<'_>, nas: &Nas) -> Result<(), NasMisbehaved> {
    match packet.code() {
        Code::AccessRequest | Code::StatusServer => Ok(()),
        Code::AccountingRequest if nas.accounting() => Ok(()),
        Code::AccountingRequest => Err(NasMisbehaved::AccountingNotAllowed),
        code @ (Code::AccessAccept
        | Code::AccessReject
        | Code::AccountingResponse
        | Code::AccessChallenge
        | Code::DisconnectRequest
        | Code::DisconnectAck
        | Code::DisconnectNak
        | Code::CoaRequest
        | Code::CoaAck
        | Code::CoaNak
        | Code::ProtocolError) => Err(NasMisbehaved::UnexpectedCode(code)),
    }
}

/// Whether a packet without Message-Authenticator may go on.
fn check_unsigned(packet: &Packet<'_>, nas: &Nas) -> Result<(), Unauthentic> {
    match packet.code() {
        Code::AccountingRequest => return Ok(()),
        Code::AccessRequest => {}
        Code::StatusServer
        | Code::AccessAccept
        | Code::AccessReject
        | Code::AccountingResponse
        | Code::AccessChallenge
        | Code::DisconnectRequest
        | Code::DisconnectAck
        | Code::DisconnectNak
        | Code::CoaRequest
        | Code::CoaAck
        | Code::CoaNak
        | Code::ProtocolError => return Err(Unauthentic::MissingMessageAuthenticator),
    }
    if packet.contains(AttributeType::EAP_MESSAGE) {
        return Err(Unauthentic::MissingMessageAuthenticator);
    }
    match nas.message_authenticator() {
        MessageAuthenticatorPolicy::Require => Err(Unauthentic::MissingMessageAuthenticator),
        MessageAuthenticatorPolicy::Auto if nas.has_learned() => {
            Err(Unauthentic::MissingMessageAuthenticator)
        }
        MessageAuthenticatorPolicy::Auto if packet.contains(AttributeType::PROXY_STATE) => {
            Err(Unauthentic::ProxyStateWithoutMessageAuthenticator)
        }
        MessageAuthenticatorPolicy::Auto | MessageAuthenticatorPolicy::Off => Ok(()),
    }
}

/// The value of the Message-Authenticator; the packet's own check made it 16 octets.
pub(super) fn message_authenticator(packet: &Packet<'_>) -> Option<MessageAuthenticator> {
    let value = packet.find(AttributeType::MESSAGE_AUTHENTICATOR)?;
    value.try_into().ok().map(MessageAuthenticator::new)
}

impl<'a> Verified<'a> {
    /// The packet.
    #[must_use]
    pub const fn packet(&self) -> &Packet<'a> {
        &self.packet
    }

    /// The view that fits its code, after the checks of the attributes' meaning.
    ///
    /// # Errors
    ///
    /// [`NasMisbehaved`]; the datagram is then dropped and counted.
    pub fn request(&self) -> Result<Request<'a>, NasMisbehaved> {
        Request::new(self.packet)
    }

    /// What a reply needs to know, for one that is written while the request's octets are here.
    #[must_use]
    pub const fn origin(&self) -> Origin<'a> {
        Origin {
            code: self.packet.code(),
            identifier: self.packet.identifier(),
            authenticator: self.packet.request_authenticator(),
            attributes: self.packet.attributes(),
        }
    }

    /// What a reply needs to know, for one that is written later. Allocates only if the request
    /// holds a Proxy-State.
    #[must_use]
    pub fn hold(&self) -> HeldOrigin {
        if self.packet.contains(AttributeType::PROXY_STATE) {
            return self.origin().hold();
        }
        HeldOrigin {
            code: self.packet.code(),
            identifier: self.packet.identifier(),
            authenticator: self.packet.request_authenticator(),
            proxy_states: Box::default(),
        }
    }
}

/// What a reply takes over from its verified request.
#[derive(Clone, Debug)]
pub struct Origin<'a> {
    code: Code,
    identifier: u8,
    authenticator: RequestAuthenticator,
    attributes: Attributes<'a>,
}

impl<'a> Origin<'a> {
    /// The request's code.
    #[must_use]
    pub const fn code(&self) -> Code {
        self.code
    }

    /// The same, for a reply that comes later.
    #[must_use]
    pub fn hold(&self) -> HeldOrigin {
        let mut proxy_states = Vec::new();
        let all = self.attributes.clone();
        for attribute in all.filter(|one| one.kind == AttributeType::PROXY_STATE) {
            let value = attribute.value;
            // The value came out of an attribute, so its length fits one again.
            if let Ok(length) = u8::try_from(value.len().saturating_add(2)) {
                proxy_states.extend_from_slice(&[AttributeType::PROXY_STATE.0, length]);
                proxy_states.extend_from_slice(value);
            }
        }
        HeldOrigin {
            code: self.code,
            identifier: self.identifier,
            authenticator: self.authenticator,
            proxy_states: proxy_states.into_boxed_slice(),
        }
    }

    /// The request's identifier.
    #[must_use]
    pub const fn identifier(&self) -> u8 {
        self.identifier
    }

    /// The request's authenticator, which also hides the keys of the reply.
    #[must_use]
    pub const fn authenticator(&self) -> &RequestAuthenticator {
        &self.authenticator
    }

    /// The request's Proxy-State attributes, in order.
    pub(super) fn proxy_states(&self) -> impl Iterator<Item = Attribute<'a>> + use<'a> {
        self.attributes
            .clone()
            .filter(|attribute| attribute.kind == AttributeType::PROXY_STATE)
    }
}

/// An [`Origin`] that outlives the datagram: a request whose answer waits for a job keeps one.
#[derive(Clone, Debug)]
pub struct HeldOrigin {
    code: Code,
    identifier: u8,
    authenticator: RequestAuthenticator,
    /// Whole attributes, as they stood.
    proxy_states: Box<[u8]>,
}

impl HeldOrigin {
    /// The same for the reply's builder.
    #[must_use]
    pub const fn origin(&self) -> Origin<'_> {
        Origin {
            code: self.code,
            identifier: self.identifier,
            authenticator: self.authenticator,
            attributes: Attributes::new(&self.proxy_states),
        }
    }
}
