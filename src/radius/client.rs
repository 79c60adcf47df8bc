//! The other side: requests that we send, and whether a reply may be believed.
//!
//! The probe, the load generator and the tests are clients.

use crate::radius::attribute::AttributeType;
use crate::radius::attribute::VendorId;
use crate::radius::authenticator::RequestAuthenticator;
use crate::radius::authenticator::ResponseAuthenticator;
use crate::radius::authenticator::SharedSecret;
use crate::radius::code::Code;
use crate::radius::encode;
use crate::radius::encode::EncodeError;
use crate::radius::encode::Writer;
use crate::radius::error::Unauthentic;
use crate::radius::hidden;
use crate::radius::hidden::MAX_PASSWORD;
use crate::radius::packet::Packet;
use crate::radius::verify;

/// A request in the making, in the caller's buffer.
///
/// Access-Request and Status-Server begin with a Message-Authenticator. Errors are remembered and
/// returned by [`finish`](Self::finish).
#[derive(Debug)]
pub struct RequestBuilder<'b, 'k> {
    writer: Writer<'b>,
    authenticator: RequestAuthenticator,
    secret: &'k SharedSecret,
}

impl<'b, 'k> RequestBuilder<'b, 'k> {
    /// An Access-Request; `authenticator` is random.
    #[must_use]
    pub fn access_request(
        buffer: &'b mut [u8],
        identifier: u8,
        authenticator: RequestAuthenticator,
        secret: &'k SharedSecret,
    ) -> Self {
        let mut request = Self::unsigned(
            buffer,
            Code::AccessRequest,
            identifier,
            authenticator,
            secret,
        );
        request.writer.message_authenticator();
        request
    }

    /// An Access-Request as old devices send it, without Message-Authenticator.
    #[must_use]
    pub fn unsigned_access_request(
        buffer: &'b mut [u8],
        identifier: u8,
        authenticator: RequestAuthenticator,
        secret: &'k SharedSecret,
    ) -> Self {
        Self::unsigned(
            buffer,
            Code::AccessRequest,
            identifier,
            authenticator,
            secret,
        )
    }

    /// A Status-Server (RFC 5997); `authenticator` is random.
    #[must_use]
    pub fn status_server(
        buffer: &'b mut [u8],
        identifier: u8,
        authenticator: RequestAuthenticator,
        secret: &'k SharedSecret,
    ) -> Self {
        let mut request = Self::unsigned(
            buffer,
            Code::StatusServer,
            identifier,
            authenticator,
            secret,
        );
        request.writer.message_authenticator();
        request
    }

    /// An Accounting-Request; [`finish`](Self::finish) computes its authenticator.
    #[must_use]
    pub fn accounting_request(
        buffer: &'b mut [u8],
        identifier: u8,
        secret: &'k SharedSecret,
    ) -> Self {
        let zeros = RequestAuthenticator::new([0; 16]);
        Self::unsigned(buffer, Code::AccountingRequest, identifier, zeros, secret)
    }

    /// A Disconnect-Request (RFC 5176 section 2.1): signed, its authenticator computed by
    /// [`finish`](Self::finish).
    #[must_use]
    pub fn disconnect_request(
        buffer: &'b mut [u8],
        identifier: u8,
        secret: &'k SharedSecret,
    ) -> Self {
        Self::dynamic(buffer, Code::DisconnectRequest, identifier, secret)
    }

    /// A CoA-Request (RFC 5176 section 2.2), signed in the same way.
    #[must_use]
    pub fn coa_request(buffer: &'b mut [u8], identifier: u8, secret: &'k SharedSecret) -> Self {
        Self::dynamic(buffer, Code::CoaRequest, identifier, secret)
    }

    fn dynamic(buffer: &'b mut [u8], code: Code, identifier: u8, secret: &'k SharedSecret) -> Self {
        let zeros = RequestAuthenticator::new([0; 16]);
        let mut request = Self::unsigned(buffer, code, identifier, zeros, secret);
        // Over zeros in the authenticator's place (RFC 5176 section 3.3).
        request.writer.message_authenticator();
        request
    }

    fn unsigned(
        buffer: &'b mut [u8],
        code: Code,
        identifier: u8,
        authenticator: RequestAuthenticator,
        secret: &'k SharedSecret,
    ) -> Self {
        Self {
            writer: Writer::new(buffer, code, identifier, authenticator.octets(), 0),
            authenticator,
            secret,
        }
    }

    /// Adds a Message-Authenticator here, where the kind of request does not bring one.
    pub fn sign(&mut self) -> &mut Self {
        self.writer.message_authenticator();
        self
    }

    /// An attribute with a value of octets or text, at most 253.
    pub fn octets(&mut self, kind: AttributeType, value: &[u8]) -> &mut Self {
        self.writer.attribute(kind, &[value]);
        self
    }

    /// An attribute with an integer, a time or an enumerated value.
    pub fn integer(&mut self, kind: AttributeType, value: u32) -> &mut Self {
        self.octets(kind, &value.to_be_bytes())
    }

    /// A vendor's attribute, at most 247 octets of value.
    pub fn vendor(&mut self, vendor: VendorId, number: u8, value: &[u8]) -> &mut Self {
        self.writer.vendor(vendor, number, value);
        self
    }

    /// Attributes that are already encoded.
    pub(super) fn encoded(&mut self, attributes: &[u8]) {
        self.writer.encoded(attributes);
    }

    pub(super) fn fail(&mut self, error: EncodeError) {
        self.writer.fail(error);
    }

    /// An EAP packet, in pieces of 253 octets; an empty one is EAP-Start (RFC 3579 section 2.1).
    pub fn eap_message(&mut self, packet: &[u8]) -> &mut Self {
        if packet.is_empty() {
            self.writer.attribute(AttributeType::EAP_MESSAGE, &[]);
        }
        self.writer.eap_message(packet);
        self
    }

    /// User-Password, hidden; at most 128 octets.
    pub fn user_password(&mut self, password: &[u8]) -> &mut Self {
        let mut buffer = [0; MAX_PASSWORD];
        let secret = self.secret.secret();
        match hidden::hide_password(password, secret, &self.authenticator, &mut buffer) {
            Some(value) => self
                .writer
                .attribute(AttributeType::USER_PASSWORD, &[value]),
            None => self.writer.fail(EncodeError::ValueTooLong {
                kind: AttributeType::USER_PASSWORD,
                octets: password.len(),
            }),
        }
        self
    }

    /// Signs.
    ///
    /// # Errors
    ///
    /// The first [`EncodeError`] of any step.
    pub fn finish(self) -> Result<&'b [u8], EncodeError> {
        let code = self.writer.code();
        let packet = self.writer.finish(self.secret)?;
        if matches!(
            code,
            Code::AccountingRequest | Code::DisconnectRequest | Code::CoaRequest
        ) {
            let authenticator = self.secret.request_authenticator(packet);
            encode::set_authenticator(packet, authenticator.octets());
        }
        Ok(packet)
    }
}

/// A reply that comes from the server to which the request went.
#[derive(Clone, Copy, Debug)]
pub struct VerifiedReply<'a> {
    packet: Packet<'a>,
    signature: Signature,
}

/// Whether and where a reply has a Message-Authenticator. Where there is one, it is right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signature {
    /// None: the Response Authenticator alone, which CVE-2024-3596 forges.
    Missing,
    /// After another attribute.
    Later,
    /// The first attribute, as it should be.
    First,
}

impl<'a> VerifiedReply<'a> {
    /// The packet.
    #[must_use]
    pub const fn packet(&self) -> &Packet<'a> {
        &self.packet
    }

    /// How it is signed; the caller decides what it accepts.
    #[must_use]
    pub const fn signature(&self) -> Signature {
        self.signature
    }
}

/// Checks that `reply` answers `request`: the code fits, the identifier is the same, and the
/// Response Authenticator and the Message-Authenticator, if there is one, are right.
///
/// # Errors
///
/// [`Unauthentic`] with the first check that fails.
pub fn verify_reply<'a>(
    reply: Packet<'a>,
    request: &Packet<'_>,
    secret: &SharedSecret,
) -> Result<VerifiedReply<'a>, Unauthentic> {
    if reply.identifier() != request.identifier() || !is_answer(reply.code(), request.code()) {
        return Err(Unauthentic::NotTheAnswer);
    }
    let authenticator = request.request_authenticator();
    let held = ResponseAuthenticator::new(*reply.authenticator_field());
    let right = secret.response_authenticator(reply.octets(), &authenticator);
    if !held.ct_eq(&right) {
        return Err(Unauthentic::ResponseAuthenticator);
    }
    if reply
        .repeated()
        .contains(AttributeType::MESSAGE_AUTHENTICATOR)
    {
        return Err(Unauthentic::MessageAuthenticator);
    }
    let Some(value_at) = reply.message_authenticator_at() else {
        return Ok(VerifiedReply {
            packet: reply,
            signature: Signature::Missing,
        });
    };
    let right = secret.message_authenticator(reply.octets(), authenticator.octets(), value_at);
    let held = verify::message_authenticator(&reply);
    if !held.is_some_and(|held| held.ct_eq(&right)) {
        return Err(Unauthentic::MessageAuthenticator);
    }
    let first = reply.attributes().next();
    let first = first.is_some_and(|first| first.kind == AttributeType::MESSAGE_AUTHENTICATOR);
    Ok(VerifiedReply {
        packet: reply,
        signature: if first {
            Signature::First
        } else {
            Signature::Later
        },
    })
}

/// Whether a packet with this code answers one with that.
pub(super) fn is_answer(reply: Code, request: Code) -> bool {
    let answers: &[Code] = match request {
        Code::AccessRequest => &[
            Code::AccessAccept,
            Code::AccessReject,
            Code::AccessChallenge,
            Code::ProtocolError,
        ],
        Code::AccountingRequest => &[Code::AccountingResponse, Code::ProtocolError],
        Code::StatusServer => &[Code::AccessAccept, Code::AccountingResponse],
        Code::DisconnectRequest => &[Code::DisconnectAck, Code::DisconnectNak],
        Code::CoaRequest => &[Code::CoaAck, Code::CoaNak],
        Code::AccessAccept
        | Code::AccessReject
        | Code::AccountingResponse
        | Code::AccessChallenge
        | Code::DisconnectAck
        | Code::DisconnectNak
        | Code::CoaAck
        | Code::CoaNak
        | Code::ProtocolError => &[],
    };
    answers.contains(&reply)
}
