//! A RADIUS client over UDP that tries a gateway: Status-Server, MAC address, password, EAP.
//!
//! It sends as a NAS does, waits with a deadline, repeats a request that gets no answer, and
//! believes a reply only after both signatures are right.

use std::io;
use std::net::SocketAddr;
use std::net::UdpSocket;
use std::sync::Arc;
use std::time::Duration;

use crate::eap::Keys;
use crate::model::MacAddress;
use crate::model::Now;
use crate::model::Secret;
use crate::probe::supplicant::Answer;
use crate::probe::supplicant::PeerFailure;
use crate::probe::supplicant::Profile;
use crate::probe::supplicant::Report;
use crate::probe::supplicant::Supplicant;
use crate::radius::AttributeType;
use crate::radius::Code;
use crate::radius::EncodeError;
use crate::radius::MAX_PACKET;
use crate::radius::MppeKeys;
use crate::radius::Packet;
use crate::radius::RequestAuthenticator;
use crate::radius::RequestBuilder;
use crate::radius::SharedSecret;
use crate::radius::Signature;
use crate::radius::verify_reply;

mod challenge;

pub use challenge::Challenged;

/// Where to ask, and as whom.
#[derive(Debug)]
pub struct Client {
    socket: UdpSocket,
    secret: SharedSecret,
    identifier: u8,
    /// Calling-Station-Id of requests that state one.
    station: MacAddress,
    clock: fn() -> Now,
    patience: Duration,
    tries: u32,
}

/// A verified reply.
#[derive(Clone, Debug)]
pub struct Reply {
    octets: Vec<u8>,
    /// Its code.
    pub code: Code,
    /// Whether and where it is signed.
    pub signature: Signature,
    request: RequestAuthenticator,
}

impl Reply {
    /// The packet.
    ///
    /// # Errors
    ///
    /// Never for a reply that was received: its shape was checked then.
    pub fn packet(&self) -> Result<Packet<'_>, ProbeError> {
        Packet::new_checked(&self.octets).map_err(|error| ProbeError::Reply(error.to_string()))
    }

    /// The VLAN it assigns, if it does (RFC 3580 section 3.31).
    #[must_use]
    pub fn vlan(&self) -> Option<String> {
        self.text(AttributeType::TUNNEL_PRIVATE_GROUP_ID)
    }

    /// The first value of a text attribute.
    #[must_use]
    pub fn text(&self, kind: AttributeType) -> Option<String> {
        let packet = self.packet().ok()?;
        let value = packet.find(kind)?;
        // A tag of 1 to 31 may stand before the text of a tunnel attribute (RFC 2868).
        let value = match value.split_first() {
            Some((1..=0x1f, rest)) if kind == AttributeType::TUNNEL_PRIVATE_GROUP_ID => rest,
            Some(_) | None => value,
        };
        Some(String::from_utf8_lossy(value).into_owned())
    }
}

/// How a login by EAP went.
#[derive(Debug)]
pub struct Login {
    /// The last reply: Accept or Reject.
    pub reply: Reply,
    /// The peer's keys after success.
    pub keys: Option<Box<Keys>>,
    /// What the peer disliked, if it was not simply refused.
    pub failure: Option<PeerFailure>,
    /// What the peer saw.
    pub report: Report,
    /// Whether the keys in the Access-Accept are the peer's; `None` without success.
    pub keys_agree: Option<bool>,
}

/// Why there is no answer to tell of.
#[derive(Debug, thiserror::Error)]
pub enum ProbeError {
    /// The network.
    #[error("{0}")]
    Socket(#[from] io::Error),
    /// Nothing came back.
    #[error(
        "no answer from {server} after {tries} tries: is it running, is our address in its \
         nas.toml, and is the secret the same?"
    )]
    Silence {
        /// Who was asked.
        server: SocketAddr,
        /// How often.
        tries: u32,
    },
    /// A request could not be written.
    #[error("the request cannot be written: {0}")]
    Encode(#[from] EncodeError),
    /// A reply makes no sense.
    #[error("a reply that makes no sense: {0}")]
    Reply(String),
    /// A password that cannot be used so, or a server that does not know it.
    #[error("{0}")]
    Password(PeerFailure),
    /// No random numbers.
    #[error("the system gives no random numbers")]
    Random,
}

impl Client {
    /// A client of `server`. `clock` reads the time for certificates' validity.
    ///
    /// # Errors
    ///
    /// When no socket can be had.
    pub fn new(server: SocketAddr, secret: Secret, clock: fn() -> Now) -> Result<Self, ProbeError> {
        let any: SocketAddr = if server.is_ipv4() {
            ([0, 0, 0, 0], 0).into()
        } else {
            ([0_u16; 8], 0).into()
        };
        let socket = UdpSocket::bind(any)?;
        socket.connect(server)?;
        let [identifier, ..] = random::<1>()?;
        Ok(Self {
            socket,
            secret: SharedSecret::new(secret),
            identifier,
            station: MacAddress::new([0x00, 0x00, 0x5e, 0x00, 0x53, 0x01]),
            clock,
            patience: Duration::from_secs(3),
            tries: 3,
        })
    }

    /// Sets how long each try waits, and how many there are.
    #[must_use]
    pub fn patient(mut self, patience: Duration, tries: u32) -> Self {
        (self.patience, self.tries) = (patience, tries.max(1));
        self
    }

    /// Sets the Calling-Station-Id of password and EAP requests.
    #[must_use]
    pub fn from_station(mut self, station: MacAddress) -> Self {
        self.station = station;
        self
    }

    /// Status-Server (RFC 5997).
    ///
    /// # Errors
    ///
    /// [`ProbeError`].
    pub fn status(&mut self) -> Result<Reply, ProbeError> {
        self.exchange(|buffer, identifier, authenticator, secret| {
            RequestBuilder::status_server(buffer, identifier, authenticator, secret)
        })
    }

    /// MAC authentication bypass: the address as user and password, Service-Type Call-Check.
    ///
    /// # Errors
    ///
    /// [`ProbeError`].
    pub fn bypass(&mut self, mac: MacAddress) -> Result<Reply, ProbeError> {
        const CALL_CHECK: u32 = 10;
        let plain: String = mac.to_string().replace(':', "");
        let dashed = mac.to_string().replace(':', "-").to_uppercase();
        self.exchange(|buffer, identifier, authenticator, secret| {
            let mut request =
                RequestBuilder::access_request(buffer, identifier, authenticator, secret);
            request
                .octets(AttributeType::USER_NAME, plain.as_bytes())
                .user_password(plain.as_bytes())
                .octets(AttributeType::CALLING_STATION_ID, dashed.as_bytes())
                .integer(AttributeType::SERVICE_TYPE, CALL_CHECK)
                .octets(AttributeType::NAS_IDENTIFIER, NAS_IDENTIFIER);
            request
        })
    }

    /// PAP.
    ///
    /// # Errors
    ///
    /// [`ProbeError`].
    pub fn password(&mut self, user: &str, password: &Secret) -> Result<Reply, ProbeError> {
        self.exchange(|buffer, identifier, authenticator, secret| {
            let mut request =
                RequestBuilder::access_request(buffer, identifier, authenticator, secret);
            request
                .octets(AttributeType::USER_NAME, user.as_bytes())
                .user_password(password.expose())
                .octets(AttributeType::NAS_IDENTIFIER, NAS_IDENTIFIER);
            request
        })
    }

    /// EAP, as an access point carries it: the whole conversation of the profile's method. `user` is
    /// the name outside of a tunnel.
    ///
    /// # Errors
    ///
    /// [`ProbeError`]; a refusal is no error but a [`Login`] with an Access-Reject.
    pub fn eap(&mut self, profile: &Arc<Profile>, user: &str) -> Result<Login, ProbeError> {
        let mut peer = Supplicant::new(Arc::clone(profile));
        let mut response = peer.identity_response(1);
        let mut state: Option<Vec<u8>> = None;
        for _ in 0..MAX_ROUNDS {
            let reply = self.eap_round(user, &response, state.as_deref())?;
            let packet = reply.packet()?;
            state = packet.find(AttributeType::STATE).map(<[u8]>::to_vec);
            let mut joined = [0; MAX_PACKET];
            let eap = packet
                .eap_message()
                .and_then(|message| message.join(&mut joined));
            let Some(eap) = eap else {
                return Err(ProbeError::Reply(format!(
                    "{} without EAP-Message",
                    reply.code
                )));
            };
            match peer.handle((self.clock)(), eap) {
                Answer::Response(next) if reply.code == Code::AccessChallenge => response = next,
                Answer::Response(_) => {
                    return Err(ProbeError::Reply(format!(
                        "{} with an EAP-Request",
                        reply.code
                    )));
                }
                Answer::Success(keys) => {
                    let agree = self.keys_agree(&reply, &keys);
                    let report = peer.report().clone();
                    return Ok(Login {
                        reply,
                        keys: Some(keys),
                        failure: None,
                        report,
                        keys_agree: Some(agree),
                    });
                }
                Answer::Failure(failure) => {
                    let report = peer.report().clone();
                    let failure = (failure != PeerFailure::Refused).then_some(failure);
                    return Ok(Login {
                        reply,
                        keys: None,
                        failure,
                        report,
                        keys_agree: None,
                    });
                }
            }
        }
        Err(ProbeError::Reply(format!("more than {MAX_ROUNDS} rounds")))
    }

    fn eap_round(
        &mut self,
        user: &str,
        response: &[u8],
        state: Option<&[u8]>,
    ) -> Result<Reply, ProbeError> {
        const WIRELESS: u32 = 19;
        let station = self.station.to_string().replace(':', "-").to_uppercase();
        self.exchange(|buffer, identifier, authenticator, secret| {
            let mut request =
                RequestBuilder::access_request(buffer, identifier, authenticator, secret);
            request
                .octets(AttributeType::USER_NAME, user.as_bytes())
                .octets(AttributeType::CALLING_STATION_ID, station.as_bytes())
                .octets(AttributeType::CALLED_STATION_ID, CALLED_STATION)
                .integer(AttributeType::NAS_PORT_TYPE, WIRELESS)
                .octets(AttributeType::NAS_IDENTIFIER, NAS_IDENTIFIER)
                .eap_message(response);
            if let Some(state) = state {
                request.octets(AttributeType::STATE, state);
            }
            request
        })
    }

    fn keys_agree(&self, reply: &Reply, keys: &Keys) -> bool {
        let Ok(packet) = reply.packet() else {
            return false;
        };
        let revealed = MppeKeys::reveal(&packet, self.secret.secret(), &reply.request);
        revealed.is_some_and(|revealed| {
            revealed.receive().as_slice() == keys.msk.receive_key()
                && revealed.send().as_slice() == keys.msk.send_key()
        })
    }

    /// Sends a request until a verified reply to it comes.
    fn exchange(
        &mut self,
        build: impl for<'b, 'k> Fn(
            &'b mut [u8],
            u8,
            RequestAuthenticator,
            &'k SharedSecret,
        ) -> RequestBuilder<'b, 'k>,
    ) -> Result<Reply, ProbeError> {
        self.identifier = self.identifier.wrapping_add(1);
        let authenticator = RequestAuthenticator::new(random()?);
        let mut buffer = [0; MAX_PACKET];
        let request = build(&mut buffer, self.identifier, authenticator, &self.secret)
            .finish()?
            .to_vec();
        let sent =
            Packet::new_checked(&request).map_err(|error| ProbeError::Reply(error.to_string()))?;
        for _ in 0..self.tries {
            self.socket.send(&request)?;
            if let Some(reply) = self.receive(&sent)? {
                return Ok(reply);
            }
        }
        Err(ProbeError::Silence {
            server: self.socket.peer_addr()?,
            tries: self.tries,
        })
    }

    /// Waits for one reply; what is not ours or not genuine is passed over.
    fn receive(&self, request: &Packet<'_>) -> Result<Option<Reply>, ProbeError> {
        let deadline = (self.clock)().monotonic + self.patience;
        let mut buffer = [0; MAX_PACKET];
        loop {
            let left = (self.clock)().monotonic.until(deadline);
            if left.is_zero() {
                return Ok(None);
            }
            self.socket.set_read_timeout(Some(left))?;
            let length = match self.socket.recv(&mut buffer) {
                Ok(length) => length,
                Err(error) if is_timeout(error.kind()) => return Ok(None),
                Err(error) => return Err(error.into()),
            };
            let octets = buffer.get(..length).unwrap_or(&[]);
            let Ok(packet) = Packet::new_checked(octets) else {
                continue;
            };
            if let Ok(verified) = verify_reply(packet, request, &self.secret) {
                return Ok(Some(Reply {
                    octets: octets.to_vec(),
                    code: verified.packet().code(),
                    signature: verified.signature(),
                    request: request.request_authenticator(),
                }));
            }
        }
    }
}

/// A refused port shows as an error of the next call; it is worth another try like silence.
fn is_timeout(kind: io::ErrorKind) -> bool {
    matches!(
        kind,
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut | io::ErrorKind::Interrupted
    )
}

fn random<const N: usize>() -> Result<[u8; N], ProbeError> {
    let mut octets = [0; N];
    aws_lc_rs::rand::fill(&mut octets).map_err(|_| ProbeError::Random)?;
    Ok(octets)
}

/// A conversation of more rounds is going in circles.
const MAX_ROUNDS: usize = 120;

const NAS_IDENTIFIER: &[u8] = b"portreeve-probe";
const CALLED_STATION: &[u8] = b"00-00-5E-00-53-00:portreeve-probe";
