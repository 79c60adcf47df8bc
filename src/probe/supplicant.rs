//! An EAP peer without sockets: requests in, responses out. EAP-TLS (RFC 5216, RFC 9190), EAP-TTLS
//! (RFC 5281), PEAP and TEAP (RFC 9930), with what each may have inside.
//!
//! It is as strict as a good device: it checks the server's certificate, refuses EAP-Success
//! before the handshake is complete, in EAP-TLS over TLS 1.3 without the protected success
//! indication, and in a tunnel before the method inside has come to its end.

use std::io::Read;
use std::io::Write;
use std::sync::Arc;

use rustls::ClientConnection;
use rustls::HandshakeKind;
use rustls::pki_types::ServerName;

use crate::eap;
use crate::eap::Code;
use crate::eap::Fragment;
use crate::eap::FragmentError;
use crate::eap::Fragmenter;
use crate::eap::Keys;
use crate::eap::Malformed;
use crate::eap::Outer;
use crate::eap::Packet;
use crate::eap::Progress;
use crate::eap::Randoms;
use crate::eap::Reassembler;
use crate::eap::TlsVersion;
use crate::eap::Type;
use crate::model::Now;
use crate::model::tls_error;
pub(super) use inner::MsLogin;
pub(super) use inner::chap;
pub(super) use inner::nt_hash;
use inside::InsidePeer;
pub use inside::InsideSettings;
use inside::Scene;
pub use profile::Change;
pub use profile::Credential;
pub use profile::Profile;
pub use profile::ProfileSettings;
pub use profile::Spoil;
pub use teap::Machine;
pub use teap::TeapPeer;

mod inner;
mod inside;
mod profile;
mod teap;
mod verifier;

/// One conversation of a peer.
#[derive(Debug)]
pub struct Supplicant {
    profile: Arc<Profile>,
    /// Once its tunnel is made.
    inside: Option<Box<InsidePeer>>,
    connection: Option<Box<ClientConnection>>,
    randoms: Randoms,
    incoming: Reassembler,
    outgoing: Option<Fragmenter>,
    /// What stood beside TLS in the server's first packet of TEAP.
    outer_tlvs: Vec<u8>,
    /// The last answer and the identifier of its request, for a request that comes again.
    last: Option<(u8, Vec<u8>)>,
    report: Report,
}

/// What a request led to.
#[derive(Debug)]
pub enum Answer {
    /// Send this EAP-Response.
    Response(Vec<u8>),
    /// EAP-Success, with the keys.
    Success(Box<Keys>),
    /// The end without success.
    Failure(PeerFailure),
}

/// What the peer has seen.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// TLS version agreed on.
    pub version: Option<TlsVersion>,
    /// Cipher suite, as rustls spells it.
    pub suite: Option<&'static str>,
    /// Whether the handshake was complete, seen from here.
    pub complete: bool,
    /// Whether an earlier handshake was resumed.
    pub resumed: bool,
    /// Numbers of the alerts that the server sent; 0 is close_notify.
    pub alerts: Vec<u8>,
    /// TLS 1.3 tickets received.
    pub tickets: u32,
    /// Whether the protected success indication came (RFC 9190 section 2.5).
    pub indicated: bool,
    /// What TLS disliked, ours or the server's words.
    pub tls_error: Option<String>,
    /// Requests handled.
    pub rounds: u16,
    /// Octets of the largest request.
    pub largest_request: usize,
}

/// Why a conversation ended without success.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PeerFailure {
    /// EAP-Failure; the report may have an alert that says why.
    #[error("the server refused")]
    Refused,
    /// EAP-Success before the handshake was complete.
    #[error("EAP-Success before the handshake was complete")]
    TooEarly,
    /// EAP-Success in TLS 1.3 without the octet 0x00 before.
    #[error("EAP-Success without the protected success indication")]
    NotIndicated,
    /// Application data that is not the indication.
    #[error("application data from the server")]
    ApplicationData,
    /// EAP-Success before the method inside of the tunnel has come to its end.
    #[error("EAP-Success before the method inside of the tunnel has come to its end")]
    Unfinished,
    /// The server does not know the password.
    #[error("the server does not know the password")]
    Impostor,
    /// The crypto-binding is wrong.
    #[error("the server's crypto-binding is wrong")]
    Unbound,
    /// Not an EAP packet.
    #[error("malformed EAP packet: {0}")]
    Malformed(#[from] Malformed),
    /// A packet that only peers send.
    #[error("an EAP packet that only peers send")]
    NotRequest,
    /// Fragments that do not add up.
    #[error("fragments: {0}")]
    Fragment(#[from] FragmentError),
    /// The server's order of things is wrong.
    #[error("out of order: {0}")]
    Order(&'static str),
    /// TLS could not go on for a reason of ours.
    #[error("internal: {0}")]
    Internal(String),
}

impl Supplicant {
    /// A conversation that has not begun.
    #[must_use]
    pub fn new(profile: Arc<Profile>) -> Self {
        Self {
            profile,
            inside: None,
            connection: None,
            randoms: Randoms::default(),
            incoming: Reassembler::default(),
            outgoing: None,
            outer_tlvs: Vec::new(),
            last: None,
            report: Report::default(),
        }
    }

    /// The response to a Request/Identity that a NAS made itself.
    #[must_use]
    pub fn identity_response(&self, identifier: u8) -> Vec<u8> {
        eap::response(identifier, Type::IDENTITY, &self.profile.identity)
    }

    /// Takes a packet of the server.
    pub fn handle(&mut self, now: Now, octets: &[u8]) -> Answer {
        match self.answer(now, octets) {
            Ok(answer) => answer,
            Err(failure) => Answer::Failure(failure),
        }
    }

    /// What was seen so far.
    #[must_use]
    pub const fn report(&self) -> &Report {
        &self.report
    }

    fn answer(&mut self, now: Now, octets: &[u8]) -> Result<Answer, PeerFailure> {
        let packet = Packet::new_checked(octets)?;
        match packet.code() {
            Code::Request => {}
            Code::Response => return Err(PeerFailure::NotRequest),
            Code::Success => return Ok(Answer::Success(Box::new(self.succeed()?))),
            Code::Failure => return Err(PeerFailure::Refused),
        }
        self.report.largest_request = self.report.largest_request.max(octets.len());
        let identifier = packet.identifier();
        if let Some((last, response)) = &self.last
            && *last == identifier
        {
            return Ok(Answer::Response(response.clone()));
        }
        self.report.rounds = self.report.rounds.saturating_add(1);
        let (kind, data) = match packet.kind() {
            Some(Type::IDENTITY) => (Type::IDENTITY, self.profile.identity.clone()),
            Some(Type::NOTIFICATION) => (Type::NOTIFICATION, Vec::new()),
            Some(kind) if kind == self.profile.method.kind() => {
                (kind, self.tls(now, identifier, packet.data())?)
            }
            Some(Type(_)) | None => (Type::NAK, vec![self.profile.method.kind().0]),
        };
        let response = eap::response(identifier, kind, &data);
        self.last = Some((identifier, response.clone()));
        Ok(Answer::Response(response))
    }

    /// Type-Data of a method with TLS in and out.
    fn tls(&mut self, now: Now, identifier: u8, type_data: &[u8]) -> Result<Vec<u8>, PeerFailure> {
        self.profile.clock.set(now);
        let version = self.profile.method.version();
        let fragment = if self.profile.method == Outer::Teap {
            let (fragment, outer) = Fragment::parse_with_outer(type_data)?;
            if fragment.is_start() {
                self.outer_tlvs = outer.to_vec();
            }
            fragment
        } else {
            Fragment::parse(type_data)?
        };
        if fragment.version() != version {
            return Err(PeerFailure::Order("another version of the method"));
        }
        if fragment.is_start() {
            let first = self.start()?;
            return Ok(self.with_outer_tlvs(first));
        }
        if let Some(outgoing) = &mut self.outgoing {
            if !fragment.is_acknowledgement() {
                return Err(FragmentError::NotAcknowledged.into());
            }
            let next = outgoing.next_fragment();
            if outgoing.is_done() {
                self.outgoing = None;
            }
            return next.ok_or(PeerFailure::Order("nothing is left to send"));
        }
        if fragment.is_acknowledgement() && self.inside.is_some() {
            self.talk(now, identifier, &[])?;
            return self.flight();
        }
        match self.incoming.push(&fragment)? {
            Progress::More => Ok(vec![version]),
            Progress::Whole(message) => {
                self.receive(now, identifier, &message)?;
                self.flight()
            }
        }
    }

    fn start(&mut self) -> Result<Vec<u8>, PeerFailure> {
        if self.connection.is_some() {
            return Err(PeerFailure::Order("a second start"));
        }
        // Names the memory of what can be resumed; it is not sent.
        let name = ServerName::try_from("eap.invalid")
            .map_err(|error| PeerFailure::Internal(error.to_string()))?;
        let connection = ClientConnection::new(Arc::clone(&self.profile.tls), name)
            .map_err(|error| PeerFailure::Internal(error.to_string()))?;
        self.connection = Some(Box::new(connection));
        self.flight()
    }

    /// Puts what the peer says beside TLS behind its first packet, if that is no fragment.
    fn with_outer_tlvs(&self, first: Vec<u8>) -> Vec<u8> {
        const OUTER_TLVS: u8 = 0x10;
        let inside = self.profile.inside.as_ref();
        let tlvs = inside.map_or(&[][..], |inside| &inside.teap.outer_tlvs);
        match first.split_first() {
            Some((flags, hello)) if !tlvs.is_empty() && self.outgoing.is_none() => {
                let length = u32::try_from(tlvs.len()).unwrap_or(0).to_be_bytes();
                [&[*flags | OUTER_TLVS][..], &length, hello, tlvs].concat()
            }
            _ => first,
        }
    }

    fn receive(&mut self, now: Now, identifier: u8, message: &[u8]) -> Result<(), PeerFailure> {
        self.randoms.observe(message);
        let connection = self
            .connection
            .as_mut()
            .ok_or(PeerFailure::Order("TLS before the start"))?;
        let mut rest = message;
        let mut plaintext = Vec::new();
        while !rest.is_empty() {
            let taken = connection.read_tls(&mut rest);
            match connection.process_new_packets() {
                Ok(state) => {
                    if state.plaintext_bytes_to_read() > 0 {
                        let mut octets = vec![0; state.plaintext_bytes_to_read()];
                        connection
                            .reader()
                            .read_exact(&mut octets)
                            .map_err(|error| PeerFailure::Internal(error.to_string()))?;
                        plaintext.append(&mut octets);
                    }
                    if state.peer_has_closed() {
                        self.report.alerts.push(0);
                        break;
                    }
                }
                Err(error) => {
                    if let rustls::Error::AlertReceived(description) = error {
                        self.report.alerts.push(description.into());
                    }
                    self.report.tls_error = Some(tls_error(&error));
                    break;
                }
            }
            match taken {
                Ok(0) | Err(_) => return Err(PeerFailure::Order("octets that TLS does not take")),
                Ok(_) => {}
            }
        }
        self.report.observe(connection);
        match *plaintext {
            _ if self.profile.method != Outer::Tls && self.report.tls_error.is_none() => {
                self.talk(now, identifier, &plaintext)
            }
            [] => Ok(()),
            [0] if self.report.version == Some(TlsVersion::Tls13) && !self.report.indicated => {
                self.report.indicated = true;
                Ok(())
            }
            _ => Err(PeerFailure::ApplicationData),
        }
    }

    /// What the server said inside of the tunnel, and what is said to it.
    fn talk(&mut self, now: Now, identifier: u8, words: &[u8]) -> Result<(), PeerFailure> {
        let Some(connection) = &mut self.connection else {
            return Err(PeerFailure::Order("TLS before the start"));
        };
        if !self.report.complete || self.report.alerts.contains(&0) {
            return Ok(());
        }
        let tls13 = self.report.version == Some(TlsVersion::Tls13);
        if words == [0] && tls13 && self.report.resumed && !self.report.indicated {
            self.report.indicated = true;
            return Ok(());
        }
        let keys = Keys::derive(connection, &self.randoms, self.profile.method)
            .map_err(|error| PeerFailure::Internal(error.to_string()))?;
        let scene = Scene {
            now,
            connection,
            keys: &keys,
            identifier,
            resumed: self.report.resumed,
            tls13,
        };
        let mut words = match &mut self.inside {
            Some(inside) => inside.hear(&scene, words)?,
            None => {
                let Some(settings) = &self.profile.inside else {
                    return Err(PeerFailure::Order("a tunnel with nothing to say inside"));
                };
                let (method, profile) = (self.profile.method, &self.profile);
                let inside = InsidePeer::new(method, settings, profile, &self.outer_tlvs);
                let inside = self.inside.insert(Box::new(inside));
                let begin = inside.begin(&scene)?;
                if words.is_empty() {
                    begin
                } else {
                    inside.hear(&scene, words)?
                }
            }
        };
        if let Some(Spoil(spoil)) = &self.profile.spoil {
            spoil(identifier, &mut words);
        }
        connection
            .writer()
            .write_all(&words)
            .map_err(|error| PeerFailure::Internal(error.to_string()))
    }

    /// What TLS wants to send, or an empty response.
    fn flight(&mut self) -> Result<Vec<u8>, PeerFailure> {
        let mut flight = Vec::new();
        if let Some(connection) = &mut self.connection {
            while connection.wants_write() {
                connection
                    .write_tls(&mut flight)
                    .map_err(|error| PeerFailure::Internal(error.to_string()))?;
            }
        }
        self.randoms.observe(&flight);
        let room = self.profile.max_packet.saturating_sub(5);
        let version = self.profile.method.version();
        let mut fragmenter = Fragmenter::new(flight, room).of_version(version);
        let first = fragmenter
            .next_fragment()
            .ok_or(PeerFailure::Order("nothing is left to send"))?;
        self.outgoing = (!fragmenter.is_done()).then_some(fragmenter);
        Ok(first)
    }

    fn succeed(&self) -> Result<Keys, PeerFailure> {
        let connection = self.connection.as_ref().ok_or(PeerFailure::TooEarly)?;
        if !self.report.complete || self.report.tls_error.is_some() {
            return Err(PeerFailure::TooEarly);
        }
        let method = self.profile.method;
        let tls13 = self.report.version == Some(TlsVersion::Tls13);
        let due = match method {
            Outer::Tls => tls13,
            Outer::Ttls => tls13 && self.report.resumed && self.resumes_inside(),
            Outer::Peap | Outer::Teap => false,
        };
        if due && !self.report.indicated {
            return Err(PeerFailure::NotIndicated);
        }
        let done = |inside: &InsidePeer| inside.may_succeed();
        if method != Outer::Tls && !self.inside.as_deref().is_some_and(done) {
            return Err(PeerFailure::Unfinished);
        }
        let keys = Keys::derive(connection, &self.randoms, method)
            .map_err(|error| PeerFailure::Internal(error.to_string()))?;
        let bound = self.inside.as_deref().and_then(InsidePeer::bound);
        Ok(match bound {
            Some(material) if method == Outer::Teap => Keys::of_chain(material),
            Some(material) => keys.bound(material),
            None => keys,
        })
    }

    fn resumes_inside(&self) -> bool {
        self.profile
            .inside
            .as_ref()
            .is_some_and(|inside| inside.resumes)
    }
}

impl Report {
    fn observe(&mut self, connection: &ClientConnection) {
        self.version = TlsVersion::of(connection);
        self.suite = connection
            .negotiated_cipher_suite()
            .and_then(|suite| suite.suite().as_str());
        self.complete = !connection.is_handshaking();
        self.resumed = connection.handshake_kind() == Some(HandshakeKind::Resumed);
        self.tickets = connection.tls13_tickets_received();
    }
}
