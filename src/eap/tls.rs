//! EAP-TLS (RFC 5216, RFC 9190): turns of TLS messages in fragments, and what the end means.
//!
//! ```text
//! Receiving --whole message--> Working --flight--> Receiving
//!                                 |--a responder is asked--> Awaiting --its answer--> (as from Working)
//!                                 |--our last flight--> Confirming --empty response--> success
//!                                 |                         +--a message--> Distrusted --> failure
//!                                 |--an alert--> Refusing --any response--> failure
//!                                 +--TLS 1.2 resumed--> success
//! ```

use std::sync::Arc;

use super::carrier::Carried;
use super::carrier::Carrier;
use super::config::Config;
use super::config::TlsVersion;
use super::error::FailureReason;
use super::error::Invalid;
use super::error::Silence;
use super::fragment::Fragment;
use super::fragment::FragmentError;
use super::gate::Gate;
use super::gate::Judge;
use super::hello;
use super::offer::Outer;
use super::proof::Authenticated;
use super::proof::Connection;
use super::shown::Shown;
use super::tunnel::Tunnel;
use super::turnstile::Turnstile;
use crate::model::CertificateIdentity;
use crate::model::Now;
use crate::model::Verdict;
use crate::trust::Settled;

/// The server's side of one EAP-TLS exchange.
#[derive(Debug)]
pub(super) struct EapTls {
    carrier: Carrier,
    state: State,
    link: Option<Link>,
}

/// What a packet or the work on a message led to.
#[derive(Debug)]
pub(super) enum Turn {
    /// Type-Data of the next Request.
    Request(Vec<u8>),
    /// A message is whole: call [`EapTls::work`].
    Work,
    /// A responder is asked about the peer's certificate: call [`EapTls::settle`] when
    /// [`EapTls::waits_for`] has resolved.
    Wait,
    /// Nothing has changed.
    Invalid(Invalid),
    Success(Box<Authenticated>),
    Failure(FailureReason),
}

/// Where a peer has fallen silent amid a handshake, `begun` once its first message is here.
pub(super) const fn handshake_silence(carrier: &Carrier, begun: bool) -> Silence {
    if carrier.is_waiting() {
        Silence::OwnFragments
    } else if carrier.is_sending() {
        Silence::Fragments
    } else if begun {
        Silence::Certificate
    } else {
        Silence::Offer
    }
}

/// TLS and the gate that it asks; made when the first message is here.
#[derive(Debug)]
struct Link {
    tunnel: Tunnel,
    gate: Arc<Gate>,
}

#[derive(Debug)]
enum State {
    /// The peer's next message is due.
    Receiving,
    /// It is here.
    Working(Vec<u8>),
    /// The handshake is complete, and nothing of ours leaves before a responder has answered.
    Awaiting,
    /// Our last flight is out; an empty response is success.
    Confirming(Box<Authenticated>),
    /// The peer had more to say to our last flight.
    Distrusted(Vec<u8>),
    /// An alert is out; any response is failure.
    Refusing(FailureReason),
    Over,
}

impl EapTls {
    /// `room` is the octets of Type-Data that a packet may have.
    pub(super) fn new(room: usize) -> Self {
        Self {
            carrier: Carrier::new(room, 0),
            state: State::Receiving,
            link: None,
        }
    }

    /// Takes one packet's Type-Data. No cryptography.
    pub(super) fn handle(&mut self, type_data: &[u8]) -> Turn {
        let fragment = match Fragment::parse(type_data) {
            Ok(fragment) => fragment,
            Err(error) => return Turn::Invalid(error.into()),
        };
        if !self.carrier.is_sending()
            && let State::Refusing(reason) = &self.state
        {
            return Turn::Failure(reason.clone());
        }
        match self.carrier.take(&fragment) {
            Carried::Next(data) => Turn::Request(data),
            Carried::Invalid(error) => Turn::Invalid(error.into()),
            Carried::Fatal(error) => {
                self.state = State::Over;
                Turn::Failure(FailureReason::Fragment(error))
            }
            Carried::Whole(message) => self.whole(message),
            Carried::Empty => match std::mem::replace(&mut self.state, State::Over) {
                State::Confirming(done) => self.succeed(done),
                state @ (State::Receiving
                | State::Working(_)
                | State::Awaiting
                | State::Distrusted(_)
                | State::Refusing(_)
                | State::Over) => {
                    self.state = state;
                    Turn::Invalid(FragmentError::Empty.into())
                }
            },
        }
    }

    /// Does the cryptography of the message that is whole.
    pub(super) fn work(&mut self, now: Now, config: &Arc<Config>, judge: &Arc<dyn Judge>) -> Turn {
        let first = self.link.is_none();
        let link = match self.link.take() {
            Some(link) => link,
            None => match Link::new(config, judge, now) {
                Ok(link) => link,
                Err(error) => return Turn::Failure(FailureReason::Internal(error.to_string())),
            },
        };
        let link = self.link.insert(link);
        link.gate.set_now(now);
        let _inside = Turnstile::enter(Arc::clone(&link.gate) as _);
        match std::mem::replace(&mut self.state, State::Over) {
            State::Working(message) => {
                let next = link.advance(&message, first, config);
                self.follow(next)
            }
            State::Distrusted(message) => Turn::Failure(link.last_words(&message)),
            State::Receiving
            | State::Awaiting
            | State::Confirming(_)
            | State::Refusing(_)
            | State::Over => Turn::Failure(FailureReason::Internal("worked out of turn".into())),
        }
    }

    fn follow(&mut self, next: Next) -> Turn {
        match next {
            Next::Send(flight, state) => {
                self.state = state;
                Turn::Request(self.carrier.send(flight))
            }
            Next::Wait => {
                self.state = State::Awaiting;
                Turn::Wait
            }
            Next::Succeed(done) => self.succeed(done),
            Next::Fail(reason) => Turn::Failure(reason),
        }
    }

    /// Resolves when the responder that is asked about the peer's certificate has answered.
    pub(super) fn waits_for(&self) -> Option<Settled> {
        self.link.as_ref()?.gate.waits_for()
    }

    /// Goes on when the responder has answered, or will not.
    pub(super) fn settle(&mut self, now: Now) -> Turn {
        let (State::Awaiting, Some(link)) = (
            std::mem::replace(&mut self.state, State::Over),
            &mut self.link,
        ) else {
            return Turn::Failure(FailureReason::Internal("an answer to no question".into()));
        };
        link.gate.set_now(now);
        let _inside = Turnstile::enter(Arc::clone(&link.gate) as _);
        let next = match link.gate.settle() {
            Ok(()) => link.finish(),
            // Without a word of TLS, as of a device that is blocked: see `finish`.
            Err(error) => Next::Fail(error.into()),
        };
        self.follow(next)
    }

    /// Whether the work that is due is symmetric cryptography only: that of a resumed handshake, in
    /// TLS 1.3 its end, or what the peer says to our last flight. At most
    /// [`MAX_MESSAGE`](super::MAX_MESSAGE) is decrypted and some keys are derived.
    ///
    /// A peer that asks for a session that is known here and makes sure that it is not resumed gets
    /// a full handshake where a light one was expected, once: the session is forgotten then.
    pub(super) fn is_light(&self, config: &Config) -> bool {
        match &self.state {
            State::Working(message) => match &self.link {
                Some(link) => link.tunnel.is_resumed(),
                None => hello::is_known(message, config),
            },
            State::Distrusted(_) => true,
            State::Receiving
            | State::Awaiting
            | State::Confirming(_)
            | State::Refusing(_)
            | State::Over => false,
        }
    }

    /// Where the peer has fallen silent, or why it was refused.
    pub(super) fn abandon(&self) -> FailureReason {
        match &self.state {
            State::Refusing(reason) => reason.clone(),
            State::Receiving => handshake_silence(&self.carrier, self.link.is_some()).into(),
            State::Confirming(_) if self.carrier.is_sending() => Silence::Fragments.into(),
            State::Confirming(_) => Silence::LastWord.into(),
            State::Working(_) | State::Awaiting | State::Distrusted(_) | State::Over => {
                Silence::Overload.into()
            }
        }
    }

    /// The certificate that was refused, for the record.
    pub(super) fn take_refused(&self) -> Option<Arc<CertificateIdentity>> {
        self.link.as_ref()?.gate.take_refused()
    }

    /// The chain that it came with.
    pub(super) fn take_shown(&self) -> Option<Arc<Shown>> {
        self.link.as_ref()?.gate.take_shown()
    }

    /// The TLS version in use, once there is one.
    pub(super) fn version(&self) -> Option<TlsVersion> {
        self.link.as_ref()?.tunnel.version()
    }

    fn whole(&mut self, message: Vec<u8>) -> Turn {
        let next = match std::mem::replace(&mut self.state, State::Over) {
            State::Receiving => State::Working(message),
            State::Confirming(_) => State::Distrusted(message),
            State::Working(_)
            | State::Awaiting
            | State::Distrusted(_)
            | State::Refusing(_)
            | State::Over => {
                return Turn::Failure(FailureReason::Internal("handled out of turn".into()));
            }
        };
        self.state = next;
        Turn::Work
    }

    fn succeed(&self, done: Box<Authenticated>) -> Turn {
        if let Some(link) = &self.link {
            link.gate.commit();
        }
        Turn::Success(done)
    }
}

/// What a worked message is followed by.
enum Next {
    /// And what it is followed by.
    Send(Vec<u8>, State),
    Wait,
    Succeed(Box<Authenticated>),
    Fail(FailureReason),
}

impl Link {
    fn new(config: &Arc<Config>, judge: &Arc<dyn Judge>, now: Now) -> Result<Self, rustls::Error> {
        let gate = Gate::new(Arc::clone(config), Arc::clone(judge), now);
        let tunnel = Tunnel::new(Arc::clone(&config.tls))?;
        Ok(Self { tunnel, gate })
    }

    /// Feeds a message of the handshake, the `first` or a later one.
    fn advance(&mut self, message: &[u8], first: bool, config: &Config) -> Next {
        let received = self.tunnel.receive(message);
        if first && !self.tunnel.is_resumed() {
            hello::forget(message, config);
        }
        let received = match received {
            Ok(received) => received,
            Err(error) => return self.refuse(error.into()),
        };
        // Nothing of what TLS would like to send goes out in these cases, tickets least of all.
        if received.plaintext {
            return Next::Fail(FailureReason::ApplicationData);
        }
        if received.closed {
            return Next::Fail(FailureReason::PeerClosed);
        }
        if !self.tunnel.is_handshaking() {
            return self.conclude();
        }
        let flight = self.tunnel.take_output();
        if flight.is_empty() {
            return Next::Fail(FailureReason::Stalled);
        }
        Next::Send(flight, State::Receiving)
    }

    /// The handshake is complete.
    fn conclude(&mut self) -> Next {
        match self.gate.waits_for() {
            Some(_) => Next::Wait,
            None => self.finish(),
        }
    }

    /// The peer's certificate stands as well as it has to.
    fn finish(&mut self) -> Next {
        let resumed = self.tunnel.is_resumed();
        let Some(judged) = self.gate.conclude(resumed, self.tunnel.leaf()) else {
            return Next::Fail(FailureReason::Internal(
                "a handshake without a verdict".into(),
            ));
        };
        match judged.verdict {
            Verdict::Allow | Verdict::Quarantine => {}
            // rustls has no alert of ours to send once the handshake is complete. To a close_notify
            // wpa_supplicant says nothing, and the peer of a resumed handshake of TLS 1.2 is done
            // and passes over a request: it would wait for the end of its own patience.
            Verdict::Block => return Next::Fail(FailureReason::Blocked),
        }
        let Some(version) = self.tunnel.version() else {
            return Next::Fail(FailureReason::Internal(
                "a handshake without a version".into(),
            ));
        };
        let keys = match self.tunnel.keys(Outer::Tls) {
            Ok(keys) => keys,
            Err(error) => return Next::Fail(FailureReason::Internal(error.to_string())),
        };
        let connection = Connection {
            version,
            suite: self.tunnel.suite(),
            resumed,
        };
        let Some(done) = Authenticated::by_certificate(&judged, keys, connection) else {
            return Next::Fail(FailureReason::Blocked);
        };
        let done = Box::new(done);
        match version {
            TlsVersion::Tls13 => {
                // Leaves in one flight with the tickets.
                if let Err(error) = self.tunnel.send(&SUCCESS_INDICATION) {
                    return Next::Fail(FailureReason::Internal(error.to_string()));
                }
                Next::Send(self.tunnel.take_output(), State::Confirming(done))
            }
            TlsVersion::Tls12 => {
                let flight = self.tunnel.take_output();
                if flight.is_empty() {
                    // Resumed: the peer's Finished was the last message.
                    Next::Succeed(done)
                } else {
                    Next::Send(flight, State::Confirming(done))
                }
            }
        }
    }

    /// Sends the alert that TLS made, if it made one, and fails after the peer's answer
    /// (RFC 5216 section 2.1.3, RFC 9190 section 2.1.3).
    fn refuse(&mut self, reason: FailureReason) -> Next {
        let alert = self.tunnel.take_output();
        if alert.is_empty() {
            Next::Fail(reason)
        } else {
            Next::Send(alert, State::Refusing(reason))
        }
    }

    /// The peer answered our last flight with a message of its own: an alert as a rule.
    fn last_words(&mut self, message: &[u8]) -> FailureReason {
        match self.tunnel.receive(message) {
            Err(error) => error.into(),
            Ok(received) if received.plaintext => FailureReason::ApplicationData,
            Ok(received) if received.closed => FailureReason::PeerClosed,
            Ok(_) => FailureReason::Stalled,
        }
    }
}

/// The protected success indication (RFC 9190 section 2.5).
const SUCCESS_INDICATION: [u8; 1] = [0];
