//! What is sent for a request or a question whether somebody lives, and which answer is believed.

use std::sync::Arc;
use std::time::Duration;

use super::Proxy;
use super::ask::FIRST_WAIT;
use super::ask::TRIES;
use super::flight::Flight;
use super::flight::Key;
use super::flight::Purpose;
use super::flight::Via;
use super::home::Home;
use super::trunk::Place;
use super::trunk::Spoken;
use crate::model::Monotonic;
use crate::radius::AttributeType;
use crate::radius::Code;
use crate::radius::MAX_PACKET;
use crate::radius::Packet;
use crate::radius::RequestAuthenticator;
use crate::radius::RequestBuilder;
use crate::radius::Returned;
use crate::radius::Signature;
use crate::radius::status_server_11;
use crate::radius::verify_reply;

impl Proxy {
    /// Sends a request from its place, or keeps it until its connection is open.
    pub(super) fn launch(
        &mut self,
        now: Monotonic,
        place: Place,
        home: &Arc<Home>,
        purpose: Purpose,
    ) -> Result<(), Purpose> {
        let key = place.key;
        let over_tls = matches!(key.0, Via::Tls(_));
        let mut octets = Vec::new();
        if !over_tls || place.spoken.is_some() {
            match self.write(&purpose, home, key, place.spoken) {
                Some(written) => octets = written,
                None => {
                    if let Via::Tls(link) = key.0 {
                        self.trunks.landed(now, link);
                    }
                    return Err(purpose);
                }
            }
            self.transmits.push_back((key.0, octets.clone()));
        }
        home.counters.asked.count();
        let wait = if over_tls { WHOLE_WAIT } else { FIRST_WAIT };
        let flight = Flight {
            purpose,
            home: Arc::clone(home),
            octets,
            tries: if over_tls { TRIES } else { 1 },
            first_sent: now,
            due: now + wait,
        };
        self.flights.put(key, flight);
        Ok(())
    }

    /// The octets for a place; `None` if they are too many.
    pub(super) fn write(
        &self,
        purpose: &Purpose,
        home: &Home,
        (_, number): Key,
        spoken: Option<Spoken>,
    ) -> Option<Vec<u8>> {
        let mut buffer = [0; MAX_PACKET];
        if spoken == Some(Spoken::Version11) {
            let written = match purpose {
                Purpose::Request(asking) => asking.forwarding.forward.write_11(&mut buffer, number),
                Purpose::Status => status_server_11(&mut buffer, number, NAME),
            };
            return written.ok().map(<[u8]>::to_vec);
        }
        let mut authenticator = [0; 16];
        (self.random)(&mut authenticator);
        let authenticator = RequestAuthenticator::new(authenticator);
        let identifier = u8::try_from(number).ok()?;
        let written = match purpose {
            Purpose::Request(asking) => {
                let forward = &asking.forwarding.forward;
                forward.write(&mut buffer, identifier, authenticator, &home.secret)
            }
            Purpose::Status => {
                let mut request = RequestBuilder::status_server(
                    &mut buffer,
                    identifier,
                    authenticator,
                    &home.secret,
                );
                // Some servers want to know who asks (RFC 5997 section 3).
                request.octets(AttributeType::NAS_IDENTIFIER, NAME);
                request.finish()
            }
        };
        written.ok().map(<[u8]>::to_vec)
    }
}

/// The answer to this request, if that is what it is and nobody can have forged it; `Some(None)` if it
/// holds a hidden value that is none.
pub(super) fn believe(
    reply: Packet<'_>,
    flight: &Flight,
    home: &Home,
    must_be_signed: bool,
) -> Option<Option<Returned>> {
    let request = Packet::new_checked(&flight.octets).ok()?;
    let verified = verify_reply(reply, &request, &home.secret).ok()?;
    let forgeable = verified.signature() == Signature::Missing
        && request.code() != Code::AccountingRequest
        && must_be_signed;
    if forgeable || reply.code() == Code::ProtocolError {
        return None;
    }
    let authenticator = request.request_authenticator();
    Some(Returned::new(&reply, &home.secret, &authenticator))
}

/// What we call ourselves.
const NAME: &[u8] = b"portreeve";

/// How long the one try over TLS waits: as long as those over UDP together.
const WHOLE_WAIT: Duration = Duration::from_secs(4);
