//! Typed views of verified requests, after the checks that the RFCs ask for.
//!
//! Attributes that may stand once and stand twice, two kinds of credential, and passwords of an
//! impossible length spoil a request; it is dropped and counted. An attribute of a fixed size with
//! another size counts as absent (RFC 8044 section 3). Unknown attributes are ignored.

use std::net::Ipv4Addr;
use std::ops::Deref;

use md5::Digest;
use md5::Md5;

use crate::model::Medium;
use crate::model::Secret;
use crate::model::Timestamp;
use crate::radius::attribute;
use crate::radius::attribute::AttributeType;
use crate::radius::attribute::TypeSet;
use crate::radius::code::Code;
use crate::radius::error::NasMisbehaved;
use crate::radius::hidden;
use crate::radius::hidden::Password;
use crate::radius::mschap::MsChap;
use crate::radius::packet::Packet;

/// A request, by its code.
#[derive(Clone, Copy, Debug)]
pub enum Request<'a> {
    /// May this peer in?
    Access(AccessRequest<'a>),
    /// What an admitted peer does.
    Accounting(AccountingRequest<'a>),
    /// Is the server alive?
    Status(StatusServer<'a>),
}

impl<'a> Request<'a> {
    pub(super) fn new(packet: Packet<'a>) -> Result<Self, NasMisbehaved> {
        match packet.code() {
            Code::AccessRequest => AccessRequest::new(packet).map(Self::Access),
            Code::AccountingRequest => AccountingRequest::new(packet).map(Self::Accounting),
            Code::StatusServer => StatusServer::new(packet).map(Self::Status),
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
}

/// What an Access-Request offers to be judged by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Offered {
    /// An EAP-Message.
    Eap,
    /// A User-Password.
    UserPassword,
    /// A CHAP-Password.
    ChapPassword,
    /// An answer to MSCHAP's challenge, of either version.
    MsChap,
    /// None of them: MAC authentication bypass in the form without a password.
    ///
    /// RFC-DEVIATION: RFC 2865 section 4.1 wants a password or a State in every Access-Request.
    /// Access points leave them out of a MAC address's request (Service-Type Call-Check).
    Nothing,
}

/// CHAP's answer to a challenge (RFC 2865 section 5.3).
#[derive(Clone, Copy, Debug)]
pub struct ChapResponse<'a> {
    /// CHAP Identifier.
    pub identifier: u8,
    /// MD5 over identifier, password and challenge.
    pub response: &'a [u8; 16],
    /// CHAP-Challenge, or the Request Authenticator where there is none (section 5.40).
    pub challenge: &'a [u8],
}

impl ChapResponse<'_> {
    /// Whether it answers with that password (RFC 2865 section 5.3). For a password that is no
    /// secret: the comparison takes as long as the answer is right.
    #[must_use]
    pub fn is_of(&self, password: &[u8]) -> bool {
        let digest = Md5::new()
            .chain_update([self.identifier])
            .chain_update(password)
            .chain_update(self.challenge)
            .finalize();
        digest[..] == self.response[..]
    }
}

/// A verified Access-Request (RFC 2865 section 4.1).
///
/// RFC-DEVIATION: section 4.1 wants a NAS-IP-Address or a NAS-Identifier in it. The source
/// address already names the device and its secret, and test clients send neither, so a request
/// without both is taken.
#[derive(Clone, Copy, Debug)]
pub struct AccessRequest<'a> {
    packet: Packet<'a>,
    ms_chap: Option<MsChap<'a>>,
}

impl<'a> AccessRequest<'a> {
    fn new(packet: Packet<'a>) -> Result<Self, NasMisbehaved> {
        refuse_repeated(&packet, SINGLE_IN_ACCESS)?;
        let ms_chap = MsChap::read(&packet)?;
        let offered = [
            AttributeType::EAP_MESSAGE,
            AttributeType::USER_PASSWORD,
            AttributeType::CHAP_PASSWORD,
        ];
        let offered = offered.iter().filter(|&&kind| packet.contains(kind));
        if offered.count() + usize::from(ms_chap.is_some()) > 1 {
            return Err(NasMisbehaved::ConflictingCredentials);
        }
        if packet.eap_is_split() {
            return Err(NasMisbehaved::SplitEapMessage);
        }
        check_length(&packet, AttributeType::USER_PASSWORD, |octets| {
            hidden::is_hidden_password(octets)
        })?;
        check_length(&packet, AttributeType::CHAP_PASSWORD, |octets| octets == 17)?;
        Ok(Self { packet, ms_chap })
    }

    /// What it offers to be judged by.
    #[must_use]
    pub const fn offered(&self) -> Offered {
        if self.packet.contains(AttributeType::EAP_MESSAGE) {
            Offered::Eap
        } else if self.packet.contains(AttributeType::USER_PASSWORD) {
            Offered::UserPassword
        } else if self.packet.contains(AttributeType::CHAP_PASSWORD) {
            Offered::ChapPassword
        } else if self.ms_chap.is_some() {
            Offered::MsChap
        } else {
            Offered::Nothing
        }
    }

    /// The password in the clear, if there is a User-Password.
    #[must_use]
    pub fn password(&self, secret: &Secret) -> Option<Password> {
        let hidden = self.packet.find(AttributeType::USER_PASSWORD)?;
        Password::reveal(hidden, secret, &self.packet.request_authenticator())
    }

    /// CHAP's answer, if there is a CHAP-Password.
    #[must_use]
    pub fn chap(&self) -> Option<ChapResponse<'a>> {
        let value = self.packet.find(AttributeType::CHAP_PASSWORD)?;
        let (&identifier, response) = value.split_first()?;
        Some(ChapResponse {
            identifier,
            response: response.try_into().ok()?,
            challenge: self
                .packet
                .find(AttributeType::CHAP_CHALLENGE)
                .unwrap_or_else(|| self.packet.authenticator_field()),
        })
    }

    /// MSCHAP's answer, if there is one.
    #[must_use]
    pub const fn ms_chap(&self) -> Option<MsChap<'a>> {
        self.ms_chap
    }

    /// State, as it was sent to the NAS.
    #[must_use]
    pub fn state(&self) -> Option<&'a [u8]> {
        self.packet.find(AttributeType::STATE)
    }

    /// Framed-MTU: the largest packet towards the peer.
    #[must_use]
    pub fn framed_mtu(&self) -> Option<u32> {
        self.packet.integer(AttributeType::FRAMED_MTU)
    }

    /// The largest EAP packet the NAS's link takes, from Framed-MTU. On Ethernet and IEEE 802.11
    /// four octets less, for the header of EAPOL (RFC 3579 section 2.4, RFC 3580 section 3.10).
    #[must_use]
    pub fn eap_mtu(&self) -> Option<u32> {
        let mtu = self.framed_mtu()?;
        match self.packet.medium() {
            Medium::Wired | Medium::Wireless => Some(mtu.saturating_sub(4)),
            Medium::Unknown | Medium::Vpn => Some(mtu),
        }
    }

    /// Whether the NAS asks for a Chargeable-User-Identity (RFC 4372 section 2.1).
    #[must_use]
    pub const fn wants_chargeable_user_identity(&self) -> bool {
        self.packet
            .contains(AttributeType::CHARGEABLE_USER_IDENTITY)
    }

    /// Operator-Name: who runs the network that asks (RFC 5580 section 4.1).
    #[must_use]
    pub fn operator_name(&self) -> Option<&'a [u8]> {
        self.packet.find(AttributeType::OPERATOR_NAME)
    }

    /// Whether the NAS asks for EAP-Key-Name in the Access-Accept (RFC 7268 section 2.2).
    #[must_use]
    pub const fn wants_eap_key_name(&self) -> bool {
        self.packet.contains(AttributeType::EAP_KEY_NAME)
    }
}

/// The attributes that other requests have too.
impl<'a> Deref for AccessRequest<'a> {
    type Target = Packet<'a>;

    fn deref(&self) -> &Packet<'a> {
        &self.packet
    }
}

/// Acct-Status-Type (RFC 2866 section 5.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AcctStatusType {
    /// A session began.
    Start,
    /// A session ended.
    Stop,
    /// A session goes on.
    InterimUpdate,
    /// The device began to account: all its sessions are void.
    AccountingOn,
    /// The device stops to account: all its sessions are void.
    AccountingOff,
    /// Tunnel sessions (RFC 2867), failures and vendors' own: answered, without effect on ours.
    Other(u32),
}

impl From<u32> for AcctStatusType {
    fn from(value: u32) -> Self {
        match value {
            1 => Self::Start,
            2 => Self::Stop,
            3 => Self::InterimUpdate,
            7 => Self::AccountingOn,
            8 => Self::AccountingOff,
            other => Self::Other(other),
        }
    }
}

/// A verified Accounting-Request (RFC 2866 section 4.1).
#[derive(Clone, Copy, Debug)]
pub struct AccountingRequest<'a> {
    packet: Packet<'a>,
    status: AcctStatusType,
    session: &'a [u8],
}

impl<'a> AccountingRequest<'a> {
    fn new(packet: Packet<'a>) -> Result<Self, NasMisbehaved> {
        refuse_repeated(&packet, SINGLE_IN_ACCOUNTING)?;
        let status = packet
            .integer(AttributeType::ACCT_STATUS_TYPE)
            .ok_or(NasMisbehaved::Missing(AttributeType::ACCT_STATUS_TYPE))?;
        let session = packet
            .find(AttributeType::ACCT_SESSION_ID)
            .filter(|value| !value.is_empty())
            .ok_or(NasMisbehaved::Missing(AttributeType::ACCT_SESSION_ID))?;
        Ok(Self {
            packet,
            status: AcctStatusType::from(status),
            session,
        })
    }

    /// What happened.
    #[must_use]
    pub const fn status(&self) -> AcctStatusType {
        self.status
    }

    /// Acct-Session-Id, never empty; unique at its NAS only.
    #[must_use]
    pub const fn session_id(&self) -> &'a [u8] {
        self.session
    }

    /// Acct-Multi-Session-Id: the same over a roam.
    #[must_use]
    pub fn multi_session_id(&self) -> Option<&'a [u8]> {
        self.packet.find(AttributeType::ACCT_MULTI_SESSION_ID)
    }

    /// Acct-Delay-Time, in seconds: how long the NAS has been trying to send this.
    #[must_use]
    pub fn delay_seconds(&self) -> Option<u32> {
        self.packet.integer(AttributeType::ACCT_DELAY_TIME)
    }

    /// Acct-Session-Time, in seconds.
    #[must_use]
    pub fn session_seconds(&self) -> Option<u32> {
        self.packet.integer(AttributeType::ACCT_SESSION_TIME)
    }

    /// Octets from the peer: Acct-Input-Octets with Acct-Input-Gigawords (RFC 2869 section 5.1).
    #[must_use]
    pub fn input_octets(&self) -> Option<u64> {
        self.octets_with(
            AttributeType::ACCT_INPUT_OCTETS,
            AttributeType::ACCT_INPUT_GIGAWORDS,
        )
    }

    /// Octets to the peer: Acct-Output-Octets with Acct-Output-Gigawords (RFC 2869 section 5.2).
    #[must_use]
    pub fn output_octets(&self) -> Option<u64> {
        self.octets_with(
            AttributeType::ACCT_OUTPUT_OCTETS,
            AttributeType::ACCT_OUTPUT_GIGAWORDS,
        )
    }

    /// Acct-Input-Packets.
    #[must_use]
    pub fn input_packets(&self) -> Option<u32> {
        self.packet.integer(AttributeType::ACCT_INPUT_PACKETS)
    }

    /// Acct-Output-Packets.
    #[must_use]
    pub fn output_packets(&self) -> Option<u32> {
        self.packet.integer(AttributeType::ACCT_OUTPUT_PACKETS)
    }

    /// Acct-Terminate-Cause, a number of RFC 2866 section 5.10.
    #[must_use]
    pub fn terminate_cause(&self) -> Option<u32> {
        self.packet.integer(AttributeType::ACCT_TERMINATE_CAUSE)
    }

    /// Event-Timestamp: when it happened by the NAS's clock (RFC 2869 section 5.3).
    #[must_use]
    pub fn event_timestamp(&self) -> Option<Timestamp> {
        let seconds = self.packet.integer(AttributeType::EVENT_TIMESTAMP)?;
        Some(Timestamp::from_unix_seconds(i64::from(seconds)))
    }

    /// Framed-IP-Address: the peer's address.
    #[must_use]
    pub fn framed_ip_address(&self) -> Option<Ipv4Addr> {
        let value = self.packet.find(AttributeType::FRAMED_IP_ADDRESS)?;
        attribute::ipv4(value)
    }

    /// The Class attributes that our Access-Accept gave the NAS, in order.
    pub fn classes(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        self.packet.find_all(AttributeType::CLASS)
    }

    fn octets_with(&self, low: AttributeType, high: AttributeType) -> Option<u64> {
        let low = self.packet.integer(low)?;
        let high = self.packet.integer(high).unwrap_or(0);
        Some(u64::from(high) << 32 | u64::from(low))
    }
}

/// The attributes that other requests have too.
impl<'a> Deref for AccountingRequest<'a> {
    type Target = Packet<'a>;

    fn deref(&self) -> &Packet<'a> {
        &self.packet
    }
}

/// A verified Status-Server (RFC 5997). It is answered and never forwarded.
#[derive(Clone, Copy, Debug)]
pub struct StatusServer<'a> {
    packet: Packet<'a>,
}

impl<'a> StatusServer<'a> {
    /// Refuses one that carries credentials: it asks about the server, not about a user (RFC 5997
    /// section 3).
    fn new(packet: Packet<'a>) -> Result<Self, NasMisbehaved> {
        let credentials = [
            AttributeType::EAP_MESSAGE,
            AttributeType::USER_PASSWORD,
            AttributeType::CHAP_PASSWORD,
        ];
        if credentials.iter().any(|&kind| packet.contains(kind)) {
            return Err(NasMisbehaved::ConflictingCredentials);
        }
        Ok(Self { packet })
    }
}

/// The attributes that other requests have too.
impl<'a> Deref for StatusServer<'a> {
    type Target = Packet<'a>;

    fn deref(&self) -> &Packet<'a> {
        &self.packet
    }
}

fn refuse_repeated(packet: &Packet<'_>, single: TypeSet) -> Result<(), NasMisbehaved> {
    match packet.repeated().first_shared(&single) {
        None => Ok(()),
        Some(kind) => Err(NasMisbehaved::Repeated(kind)),
    }
}

fn check_length(
    packet: &Packet<'_>,
    kind: AttributeType,
    is_right: fn(usize) -> bool,
) -> Result<(), NasMisbehaved> {
    match packet.find(kind).map(<[u8]>::len) {
        Some(octets) if !is_right(octets) => Err(NasMisbehaved::PasswordLength { kind, octets }),
        Some(_) | None => Ok(()),
    }
}

/// "0-1" in the tables of RFC 2865 section 5.44, RFC 2869 section 5.19 and RFC 3579 section 3.3,
/// where two would leave open which is meant.
const SINGLE_IN_ACCESS: TypeSet = TypeSet::of(&[
    AttributeType::USER_NAME,
    AttributeType::USER_PASSWORD,
    AttributeType::CHAP_PASSWORD,
    AttributeType::CHAP_CHALLENGE,
    AttributeType::NAS_IP_ADDRESS,
    AttributeType::NAS_IPV6_ADDRESS,
    AttributeType::NAS_IDENTIFIER,
    AttributeType::NAS_PORT,
    AttributeType::NAS_PORT_ID,
    AttributeType::NAS_PORT_TYPE,
    AttributeType::SERVICE_TYPE,
    AttributeType::FRAMED_MTU,
    AttributeType::STATE,
    AttributeType::CALLED_STATION_ID,
    AttributeType::CALLING_STATION_ID,
    AttributeType::MESSAGE_AUTHENTICATOR,
    AttributeType::EAP_KEY_NAME,
]);

/// "0-1" and "1" in the table of RFC 2866 section 5.13, likewise.
const SINGLE_IN_ACCOUNTING: TypeSet = TypeSet::of(&[
    AttributeType::USER_NAME,
    AttributeType::NAS_IP_ADDRESS,
    AttributeType::NAS_IPV6_ADDRESS,
    AttributeType::NAS_IDENTIFIER,
    AttributeType::CALLING_STATION_ID,
    AttributeType::ACCT_STATUS_TYPE,
    AttributeType::ACCT_SESSION_ID,
    AttributeType::ACCT_SESSION_TIME,
    AttributeType::ACCT_INPUT_OCTETS,
    AttributeType::ACCT_OUTPUT_OCTETS,
    AttributeType::ACCT_INPUT_GIGAWORDS,
    AttributeType::ACCT_OUTPUT_GIGAWORDS,
    AttributeType::ACCT_TERMINATE_CAUSE,
    AttributeType::EVENT_TIMESTAMP,
    AttributeType::MESSAGE_AUTHENTICATOR,
]);
