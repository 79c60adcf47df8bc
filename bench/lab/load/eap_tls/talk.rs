//! One conversation, as an access point carries it.

use std::sync::Arc;

use portreeve::eap::Keys;
use portreeve::model::Now;
use portreeve::probe;
use portreeve::probe::PeerFailure;
use portreeve::probe::Report;
use portreeve::probe::Supplicant;
use portreeve::radius::AttributeType;
use portreeve::radius::Code;
use portreeve::radius::EncodeError;
use portreeve::radius::MAX_PACKET;
use portreeve::radius::MppeKeys;
use portreeve::radius::RequestBuilder;
use portreeve::radius::Signature;

use super::device::Device;
use crate::load::drive::Answer;
use crate::load::radius::NAS;
use crate::load::udp::Draft;

/// A conversation that goes on.
#[derive(Debug)]
pub(super) struct Talk {
    /// Which of the devices it is.
    place: usize,
    device: Arc<Device>,
    peer: Supplicant,
    /// What the peer says next.
    response: Vec<u8>,
    /// What the server wants back.
    state: Option<Vec<u8>>,
    rounds: u16,
}

/// What a reply led to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Heard {
    /// Another request.
    Request,
    /// Success with the right keys.
    Accepted,
    /// EAP-Failure in an Access-Reject.
    Refused,
    /// This is not right.
    Wrong(&'static str),
}

impl Talk {
    pub(super) fn new(place: usize, device: Arc<Device>, peer: Supplicant) -> Self {
        let response = peer.identity_response(1);
        Self {
            place,
            device,
            peer,
            response,
            state: None,
            rounds: 0,
        }
    }

    pub(super) const fn place(&self) -> usize {
        self.place
    }

    /// What the peer has seen.
    pub(super) const fn report(&self) -> &Report {
        self.peer.report()
    }

    /// Writes the Access-Request of the next round.
    pub(super) fn write(&self, draft: Draft<'_>) -> Result<usize, EncodeError> {
        /// NAS-Port-Type (RFC 2865 section 5.41).
        const WIRELESS: u32 = 19;
        let mut request = RequestBuilder::access_request(
            draft.buffer,
            draft.identifier,
            draft.authenticator,
            draft.secret,
        );
        request
            .octets(AttributeType::USER_NAME, &self.device.user)
            .octets(AttributeType::CALLING_STATION_ID, &self.device.station)
            .octets(AttributeType::CALLED_STATION_ID, CALLED_STATION)
            .integer(AttributeType::NAS_PORT_TYPE, WIRELESS)
            .octets(AttributeType::NAS_IDENTIFIER, NAS)
            .eap_message(&self.response);
        if let Some(state) = &self.state {
            request.octets(AttributeType::STATE, state);
        }
        request.finish().map(<[u8]>::len)
    }

    /// Gives a reply to the peer.
    pub(super) fn read(&mut self, now: Now, answer: &Answer<'_>, signed_later: bool) -> Heard {
        let packet = answer.reply.packet();
        match answer.reply.signature() {
            Signature::First => {}
            Signature::Later if signed_later => {}
            Signature::Later | Signature::Missing => return Heard::Wrong("not_signed_first"),
        }
        self.rounds += 1;
        if self.rounds > MAX_ROUNDS {
            return Heard::Wrong("endless");
        }
        self.state = packet.find(AttributeType::STATE).map(<[u8]>::to_vec);
        let mut joined = [0; MAX_PACKET];
        let eap = packet.eap_message();
        let Some(eap) = eap.and_then(|message| message.join(&mut joined)) else {
            return Heard::Wrong("no_eap_message");
        };
        match (self.peer.handle(now, eap), packet.code()) {
            (probe::Answer::Response(response), Code::AccessChallenge) => {
                self.response = response;
                Heard::Request
            }
            (probe::Answer::Success(keys), Code::AccessAccept) => {
                if keys_agree(answer, &keys) {
                    Heard::Accepted
                } else {
                    Heard::Wrong("wrong_keys")
                }
            }
            (probe::Answer::Failure(PeerFailure::Refused), Code::AccessReject) => Heard::Refused,
            (probe::Answer::Failure(_), _) => Heard::Wrong("wrong_eap"),
            (probe::Answer::Response(_) | probe::Answer::Success(_), _) => {
                Heard::Wrong("code_and_eap_disagree")
            }
        }
    }
}

/// Whether MS-MPPE keys are the peer's MSK (RFC 2548 section 2.4).
fn keys_agree(answer: &Answer<'_>, keys: &Keys) -> bool {
    let packet = answer.reply.packet();
    let revealed = MppeKeys::reveal(packet, answer.secret.secret(), &answer.request);
    revealed.is_some_and(|revealed| {
        revealed.receive().as_slice() == keys.msk.receive_key()
            && revealed.send().as_slice() == keys.msk.send_key()
    })
}

/// A conversation of more rounds goes in circles.
const MAX_ROUNDS: u16 = 120;

const CALLED_STATION: &[u8] = b"00-00-5E-00-53-00:portreeve-lab";
