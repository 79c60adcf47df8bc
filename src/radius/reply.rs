//! Replies: Access-Accept, Access-Reject, Access-Challenge and Accounting-Response.

use std::net::Ipv4Addr;
use std::net::Ipv6Addr;

use zeroize::Zeroizing;

use crate::model::Secret;
use crate::radius::attribute::AttributeType;
use crate::radius::attribute::MAX_VALUE;
use crate::radius::attribute::TypeSet;
use crate::radius::attribute::VendorId;
use crate::radius::authenticator::RequestAuthenticator;
use crate::radius::authenticator::SharedSecret;
use crate::radius::code::Code;
use crate::radius::encode;
use crate::radius::encode::EncodeError;
use crate::radius::encode::Writer;
use crate::radius::hidden;
use crate::radius::hidden::MAX_SALTED;
use crate::radius::hidden::MppeKeys;
use crate::radius::hidden::Salt;
use crate::radius::home::Carried;
use crate::radius::home::Hiding;
use crate::radius::mschap;
use crate::radius::seal::Unsealed;
use crate::radius::template::Template;
use crate::radius::verify::Origin;

/// A reply in the making, in the caller's buffer; 4096 octets are always enough for one.
///
/// - Message-Authenticator is the first attribute, so that nothing an attacker chooses stands
///   before it (CVE-2024-3596).
/// - The request's Proxy-State attributes are the last ones, unmodified and in order (RFC 2865
///   section 5.33); their room is set aside from the start.
/// - Errors are remembered and returned by [`finish`](Self::finish); nothing panics.
///
/// The reply to an Accounting-Request carries no Message-Authenticator. No RFC defines one there
/// (RFC 2869 section 5.19 has 0), and clients that find one disagree on what it is computed over
/// and drop the reply: radclient 3.2.1 does. Its Response Authenticator answers a keyed request,
/// which the attack cannot do.
#[derive(Debug)]
pub struct Reply<'b, 'r> {
    writer: Writer<'b>,
    origin: Origin<'r>,
    secret: &'r SharedSecret,
    /// The last salt of this packet: each hidden value has another one (RFC 2868 section 3.5).
    salt: Option<Salt>,
}

impl<'b, 'r> Reply<'b, 'r> {
    /// In. It also answers a Status-Server on the authentication port (RFC 5997 section 3).
    #[must_use]
    pub fn access_accept(
        buffer: &'b mut [u8],
        origin: Origin<'r>,
        secret: &'r SharedSecret,
    ) -> Self {
        Self::new(buffer, Code::AccessAccept, origin, secret)
    }

    /// Out. It holds no attribute that authorises anything (RFC 2865 section 5.44).
    #[must_use]
    pub fn access_reject(
        buffer: &'b mut [u8],
        origin: Origin<'r>,
        secret: &'r SharedSecret,
    ) -> Self {
        Self::new(buffer, Code::AccessReject, origin, secret)
    }

    /// Go on.
    #[must_use]
    pub fn access_challenge(
        buffer: &'b mut [u8],
        origin: Origin<'r>,
        secret: &'r SharedSecret,
    ) -> Self {
        Self::new(buffer, Code::AccessChallenge, origin, secret)
    }

    /// Recorded. It also answers a Status-Server on the accounting port (RFC 5997 section 3).
    #[must_use]
    pub fn accounting_response(
        buffer: &'b mut [u8],
        origin: Origin<'r>,
        secret: &'r SharedSecret,
    ) -> Self {
        Self::new(buffer, Code::AccountingResponse, origin, secret)
    }

    fn new(buffer: &'b mut [u8], code: Code, origin: Origin<'r>, secret: &'r SharedSecret) -> Self {
        let proxy_states = origin
            .proxy_states()
            .map(|attribute| attribute.value.len() + 2)
            .sum();
        // The request's authenticator stands in the field while both signatures are computed.
        let field = origin.authenticator().octets();
        let mut writer = Writer::new(buffer, code, origin.identifier(), field, proxy_states);
        if !answers(code, origin.code()) {
            writer.fail(EncodeError::WrongAnswer {
                reply: code,
                request: origin.code(),
            });
        }
        if origin.code() != Code::AccountingRequest {
            writer.message_authenticator();
        }
        Self {
            writer,
            origin,
            secret,
            salt: None,
        }
    }

    /// An attribute with a value of octets or text, at most 253.
    pub fn octets(&mut self, kind: AttributeType, value: &[u8]) -> &mut Self {
        if self.permit(kind) {
            self.writer.attribute(kind, &[value]);
        }
        self
    }

    /// An attribute with an integer, a time or an enumerated value.
    pub fn integer(&mut self, kind: AttributeType, value: u32) -> &mut Self {
        self.octets(kind, &value.to_be_bytes())
    }

    /// An attribute with an IPv4 address.
    pub fn ipv4(&mut self, kind: AttributeType, value: Ipv4Addr) -> &mut Self {
        self.octets(kind, &value.octets())
    }

    /// An attribute with an IPv6 address.
    pub fn ipv6(&mut self, kind: AttributeType, value: Ipv6Addr) -> &mut Self {
        self.octets(kind, &value.octets())
    }

    /// A vendor's attribute, at most 247 octets of value.
    pub fn vendor(&mut self, vendor: VendorId, number: u8, value: &[u8]) -> &mut Self {
        if self.permit(AttributeType::VENDOR_SPECIFIC) {
            self.writer.vendor(vendor, number, value);
        }
        self
    }

    /// An EAP packet, in pieces of 253 octets.
    pub fn eap_message(&mut self, packet: &[u8]) -> &mut Self {
        if self.permit(AttributeType::EAP_MESSAGE) {
            self.writer.eap_message(packet);
        }
        self
    }

    /// The peer's VLAN, by number or name: Tunnel-Type, Tunnel-Medium-Type and
    /// Tunnel-Private-Group-Id under one tag (RFC 3580 section 3.31). Tag 0 stands for none, as
    /// most NASes expect; the RFC's tags are 1 to 31 (RFC 2868 section 3.1).
    pub fn vlan(&mut self, tag: u8, vlan: &[u8]) -> &mut Self {
        const VLAN: u8 = 13;
        const IEEE_802: u8 = 6;
        self.octets(AttributeType::TUNNEL_TYPE, &[tag, 0, 0, VLAN]);
        self.octets(AttributeType::TUNNEL_MEDIUM_TYPE, &[tag, 0, 0, IEEE_802]);
        if self.permit(AttributeType::TUNNEL_PRIVATE_GROUP_ID) {
            // Without a tag the text begins at once (RFC 2868 section 3.6).
            let tag: &[u8] = if tag == 0 { &[] } else { &[tag] };
            self.writer
                .attribute(AttributeType::TUNNEL_PRIVATE_GROUP_ID, &[tag, vlan]);
        }
        self
    }

    /// MS-MPPE-Recv-Key and MS-MPPE-Send-Key, hidden (RFC 2548 sections 2.4.2 and 2.4.3); `salt`
    /// comes from random bits.
    pub fn mppe_keys(&mut self, keys: &MppeKeys, salt: Salt) -> &mut Self {
        let [send_salt, receive_salt] = [(); 2].map(|()| self.another_salt(|| salt));
        let (secret, authenticator) = self.hides_with();
        let receive = hidden::hide_key(keys.receive(), secret, authenticator, receive_salt);
        let send = hidden::hide_key(keys.send(), secret, authenticator, send_salt);
        self.vendor(
            VendorId::MICROSOFT,
            hidden::MS_MPPE_RECV_KEY,
            receive.octets(),
        )
        .vendor(VendorId::MICROSOFT, hidden::MS_MPPE_SEND_KEY, send.octets())
    }

    /// What MSCHAPv2 hands to the NAS (RFC 2548 sections 2.3.3 and 2.4): the answer that shows
    /// the peer that this side has its password, and session keys of 128 bits, hidden.
    pub fn ms_chap2_success(
        &mut self,
        identifier: u8,
        answer: &[u8; 42],
        (receive, send): (&[u8; 16], &[u8; 16]),
        salt: Salt,
    ) -> &mut Self {
        let mut success = [identifier; 43];
        success
            .iter_mut()
            .skip(1)
            .zip(answer)
            .for_each(|(to, from)| *to = *from);
        let [send_salt, receive_salt] = [(); 2].map(|()| self.another_salt(|| salt));
        let (secret, authenticator) = self.hides_with();
        let receive = hidden::hide_key(receive, secret, authenticator, receive_salt);
        let send = hidden::hide_key(send, secret, authenticator, send_salt);
        let vendor = VendorId::MICROSOFT;
        self.vendor(vendor, mschap::MS_CHAP2_SUCCESS, &success)
            .vendor(vendor, mschap::MS_MPPE_ENCRYPTION_POLICY, &ALLOWED)
            .vendor(vendor, mschap::MS_MPPE_ENCRYPTION_TYPES, &RC4_40_OR_128)
            .vendor(vendor, hidden::MS_MPPE_RECV_KEY, receive.octets())
            .vendor(vendor, hidden::MS_MPPE_SEND_KEY, send.octets())
    }

    /// Why MSCHAP failed, for the peer (RFC 2548 section 2.1.5): in an Access-Reject.
    pub fn ms_chap_error(&mut self, identifier: u8, text: &str) -> &mut Self {
        let mut value = [0; MAX_VALUE];
        let length = text.len().min(MAX_ERROR);
        let (first, rest) = (&[identifier], text.as_bytes().iter().take(length));
        value
            .iter_mut()
            .zip(first.iter().chain(rest))
            .for_each(|(to, from)| *to = *from);
        if let Some(value) = value.get(..=length) {
            self.writer
                .vendor(VendorId::MICROSOFT, mschap::MS_CHAP_ERROR, value);
        }
        self
    }

    /// An attribute that another server has answered with, if such a reply may hold it; what was
    /// hidden for us is hidden for the NAS. `salt` comes from random bits, another one each time.
    pub fn carried(&mut self, carried: &Carried, salt: Salt) -> &mut Self {
        let kind = carried.kind();
        if !is_allowed(self.writer.code(), kind) {
            return self;
        }
        let secret = self.secret.secret();
        let authenticator = *self.origin.authenticator();
        let mut buffer = [0; MAX_SALTED + 2];
        let salted = hidden::salted(carried.value(), secret, &authenticator, salt, &mut buffer);
        match (carried.hiding(), salted) {
            (Hiding::None, _) => self.octets(kind, carried.value()),
            (Hiding::MsChapKeys, _) => {
                let mut keys: Zeroizing<Box<[u8]>> = Zeroizing::new(carried.value().into());
                hidden::hide_blocks(&mut keys, secret, &authenticator);
                self.vendor(VendorId::MICROSOFT, mschap::MS_CHAP_MPPE_KEYS, &keys)
            }
            (Hiding::Mppe(number), Some(value)) => self.vendor(VendorId::MICROSOFT, number, value),
            (Hiding::TunnelPassword(tag), Some(value)) => {
                self.writer.attribute(kind, &[&[tag], value]);
                self
            }
            (Hiding::Mppe(_) | Hiding::TunnelPassword(_), None) => {
                let octets = carried.value().len();
                self.writer.fail(EncodeError::ValueTooLong { kind, octets });
                self
            }
        }
    }

    /// An attribute from the configuration that is the same in every packet.
    pub fn template(&mut self, template: &Template) -> &mut Self {
        if self.permit(template.kind()) {
            self.writer.encoded(template.octets());
        }
        self
    }

    /// Attributes that were encoded, and permitted, when the configuration was loaded.
    pub(super) fn encoded(&mut self, attributes: &[u8]) {
        if self.writer.code() == Code::AccessAccept {
            self.writer.encoded(attributes);
        } else {
            self.permit(AttributeType::PROXY_STATE);
        }
    }

    pub(super) fn fail(&mut self, error: EncodeError) {
        self.writer.fail(error);
    }

    /// With what values of this packet are hidden.
    pub(super) const fn hides_with(&self) -> (&'r Secret, &RequestAuthenticator) {
        (self.secret.secret(), self.origin.authenticator())
    }

    /// A salt that no other value of this packet has; `first` gives the first.
    pub(super) fn another_salt(&mut self, first: impl Fn() -> Salt) -> Salt {
        let salt = self.salt.map_or_else(first, Salt::next);
        self.salt = Some(salt);
        salt
    }

    /// Octets that are left for attributes, headers of attributes included.
    #[must_use]
    pub const fn room(&self) -> usize {
        self.writer.room()
    }

    /// Adds the Proxy-State attributes and signs.
    ///
    /// # Errors
    ///
    /// The first [`EncodeError`] of any step; nothing usable stands in the buffer then.
    pub fn finish(mut self) -> Result<&'b [u8], EncodeError> {
        self.add_proxy_states();
        let packet = self.writer.finish(self.secret)?;
        let authenticator = self
            .secret
            .response_authenticator(packet, self.origin.authenticator());
        encode::set_authenticator(packet, authenticator.octets());
        Ok(packet)
    }

    /// Adds the Proxy-State attributes and leaves the signatures to [`sign_each`](crate::radius::sign_each): until then the
    /// octets are no reply that any NAS takes.
    ///
    /// # Errors
    ///
    /// As [`finish`](Self::finish).
    pub fn finish_unsealed(mut self) -> Result<Unsealed, EncodeError> {
        self.add_proxy_states();
        let (packet, signed_at) = self.writer.finish_unsealed()?;
        Ok(Unsealed {
            length: packet.len(),
            signed_at,
        })
    }

    fn add_proxy_states(&mut self) {
        self.writer.release();
        for attribute in self.origin.proxy_states() {
            self.writer.attribute(attribute.kind, &[attribute.value]);
        }
    }

    fn permit(&mut self, kind: AttributeType) -> bool {
        let code = self.writer.code();
        let permitted = is_allowed(code, kind);
        if !permitted {
            self.writer.fail(EncodeError::NotAllowed { kind, code });
        }
        permitted
    }
}

/// Whether a caller may put that attribute into that reply: the tables of RFC 2865 section 5.44,
/// RFC 2866 section 5.13 and RFC 3579 section 3.3, and never what the builder writes itself.
pub(super) const fn is_allowed(code: Code, kind: AttributeType) -> bool {
    match code {
        Code::AccessAccept => !NOT_IN_ACCEPT.contains(kind),
        Code::AccessReject => IN_REJECT.contains(kind),
        Code::AccessChallenge => IN_CHALLENGE.contains(kind),
        Code::AccountingResponse => kind.0 == AttributeType::VENDOR_SPECIFIC.0,
        Code::AccessRequest
        | Code::AccountingRequest
        | Code::StatusServer
        | Code::DisconnectRequest
        | Code::DisconnectAck
        | Code::DisconnectNak
        | Code::CoaRequest
        | Code::CoaAck
        | Code::CoaNak
        | Code::ProtocolError => false,
    }
}

fn answers(reply: Code, request: Code) -> bool {
    match request {
        Code::AccessRequest => reply != Code::AccountingResponse,
        Code::AccountingRequest => reply == Code::AccountingResponse,
        Code::StatusServer => matches!(reply, Code::AccessAccept | Code::AccountingResponse),
        Code::AccessAccept
        | Code::AccessReject
        | Code::AccountingResponse
        | Code::AccessChallenge
        | Code::DisconnectRequest
        | Code::DisconnectAck
        | Code::DisconnectNak
        | Code::CoaRequest
        | Code::CoaAck
        | Code::CoaNak
        | Code::ProtocolError => false,
    }
}

/// MS-MPPE-Encryption-Policy and -Types (RFC 2548 sections 2.4.4 and 2.4.5).
const ALLOWED: [u8; 4] = [0, 0, 0, 1];
const RC4_40_OR_128: [u8; 4] = [0, 0, 0, 6];

/// Octets of the text of MS-CHAP-Error: what a vendor's attribute holds, less the identifier.
const MAX_ERROR: usize = MAX_VALUE - 7;

/// Attributes of requests, and those the builder writes.
const NOT_IN_ACCEPT: TypeSet = TypeSet::of(&[
    AttributeType::USER_PASSWORD,
    AttributeType::CHAP_PASSWORD,
    AttributeType::CHAP_CHALLENGE,
    AttributeType::NAS_IP_ADDRESS,
    AttributeType::NAS_IPV6_ADDRESS,
    AttributeType::NAS_IDENTIFIER,
    AttributeType::NAS_PORT,
    AttributeType::NAS_PORT_ID,
    AttributeType::NAS_PORT_TYPE,
    AttributeType::CALLED_STATION_ID,
    AttributeType::CALLING_STATION_ID,
    AttributeType::ACCT_STATUS_TYPE,
    AttributeType::PROXY_STATE,
    AttributeType::MESSAGE_AUTHENTICATOR,
]);

const IN_REJECT: TypeSet = TypeSet::of(&[
    AttributeType::REPLY_MESSAGE,
    AttributeType::EAP_MESSAGE,
    AttributeType::ERROR_CAUSE,
]);

const IN_CHALLENGE: TypeSet = TypeSet::of(&[
    AttributeType::REPLY_MESSAGE,
    AttributeType::STATE,
    AttributeType::VENDOR_SPECIFIC,
    AttributeType::SESSION_TIMEOUT,
    AttributeType::IDLE_TIMEOUT,
    AttributeType::EAP_MESSAGE,
    AttributeType::ERROR_CAUSE,
]);
