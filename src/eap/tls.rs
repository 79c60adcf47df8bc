//! EAP-TLS (RFC 5216, RFC 9190): turns of TLS messages in fragments, and what the end means.
//!
//! ```text
//! Receiving --whole message--> Working --flight--> Sending --last fragment--> Receiving
//!                                 |                    |
//!                                 |                    +-- after our last flight --> Confirming
//!                                 |                    +-- after an alert ---------> Refusing
//!                                 +-- TLS 1.2 resumed: success
//! Confirming --empty response--> success        Refusing --any response--> failure
//! ```

use std::sync::Arc;

use super::config::Config;
use super::config::TlsVersion;
use super::error::FailureReason;
use super::error::Invalid;
use super::fragment::ACKNOWLEDGEMENT;
use super::fragment::Fragment;
use super::fragment::FragmentError;
use super::fragment::Fragmenter;
use super::fragment::Progress;
use super::fragment::Reassembler;
use super::gate::Gate;
use super::gate::Judge;
use super::hello;
use super::key::Keys;
use super::tunnel::Tunnel;
use super::turnstile::Turnstile;
use crate::model::CertificateIdentity;
use crate::model::Now;
use crate::model::Verdict;

/// The server's side of one EAP-TLS exchange.
#[derive(Debug)]
pub(super) struct EapTls {
    state: State,
    /// Octets of Type-Data in a packet.
    room: usize,
    link: Option<Link>,
}

/// What a packet or the work on a message led to.
#[derive(Debug)]
pub(super) enum Turn {
    /// Type-Data of the next Request.
    Request(Vec<u8>),
    /// A message is whole: call [`EapTls::work`].
    Work,
    /// Nothing has changed.
    Invalid(Invalid),
    Success(Box<Authenticated>),
    Failure(FailureReason),
}

/// What a success has established.
#[derive(Debug)]
pub(super) struct Authenticated {
    pub(super) keys: Keys,
    pub(super) certificate: Arc<CertificateIdentity>,
    pub(super) verdict: Verdict,
    pub(super) version: TlsVersion,
    pub(super) suite: &'static str,
    pub(super) resumed: bool,
}

/// TLS and the gate that it asks; made when the first message is here.
#[derive(Debug)]
struct Link {
    tunnel: Tunnel,
    gate: Arc<Gate>,
}

#[derive(Debug)]
enum State {
    Receiving(Reassembler),
    Working(Vec<u8>, After),
    Sending(Fragmenter, After),
    Confirming(Box<Authenticated>, Reassembler),
    Refusing(FailureReason),
    Over,
}

/// What the end of a flight is followed by.
#[derive(Debug)]
enum After {
    /// The peer's next message.
    Receive,
    /// An empty response: success.
    Confirm(Box<Authenticated>),
    /// Any response: failure.
    Refuse(FailureReason),
}

impl EapTls {
    /// `room` is the octets of Type-Data that a packet may have.
    pub(super) fn new(room: usize) -> Self {
        Self {
            state: State::Receiving(Reassembler::default()),
            room,
            link: None,
        }
    }

    /// Takes one packet's Type-Data. No cryptography.
    pub(super) fn handle(&mut self, type_data: &[u8]) -> Turn {
        let fragment = match Fragment::parse(type_data) {
            Ok(fragment) => fragment,
            Err(error) => return Turn::Invalid(error.into()),
        };
        match std::mem::replace(&mut self.state, State::Over) {
            State::Receiving(reassembler) => self.join(reassembler, &fragment, None),
            State::Confirming(done, reassembler)
                if fragment.is_acknowledgement() && !reassembler.is_waiting() =>
            {
                self.succeed(done)
            }
            State::Confirming(done, reassembler) => self.join(reassembler, &fragment, Some(done)),
            State::Sending(fragmenter, after) if fragment.is_acknowledgement() => {
                self.send(fragmenter, after)
            }
            State::Sending(fragmenter, after) => {
                self.state = State::Sending(fragmenter, after);
                Turn::Invalid(FragmentError::NotAcknowledged.into())
            }
            State::Refusing(reason) => Turn::Failure(reason),
            State::Working(..) | State::Over => {
                Turn::Failure(FailureReason::Internal("handled out of turn".into()))
            }
        }
    }

    /// Does the cryptography of the message that is whole.
    pub(super) fn work(&mut self, now: Now, config: &Arc<Config>, judge: &Arc<dyn Judge>) -> Turn {
        let State::Working(message, after) = std::mem::replace(&mut self.state, State::Over) else {
            return Turn::Failure(FailureReason::Internal("worked out of turn".into()));
        };
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
        let _inside = Turnstile::enter(&link.gate);
        match after {
            After::Receive => match link.advance(&message, first, config) {
                Next::Send(flight, after) => {
                    let fragmenter = Fragmenter::new(flight, self.room);
                    self.send(fragmenter, after)
                }
                Next::Succeed(done) => self.succeed(done),
                Next::Fail(reason) => Turn::Failure(reason),
            },
            After::Confirm(_) => Turn::Failure(link.last_words(&message)),
            After::Refuse(reason) => Turn::Failure(reason),
        }
    }

    /// Whether the work that is due is symmetric cryptography only: that of a resumed handshake, in
    /// TLS 1.3 its end, or what the peer says to our last flight. At most
    /// [`MAX_MESSAGE`](super::MAX_MESSAGE) is decrypted and some keys are derived.
    ///
    /// A peer that asks for a session that is known here and makes sure that it is not resumed gets
    /// a full handshake where a light one was expected, once: the session is forgotten then.
    pub(super) fn is_light(&self, config: &Config) -> bool {
        match &self.state {
            State::Working(message, After::Receive) => match &self.link {
                Some(link) => link.tunnel.is_resumed(),
                None => config.resumption.as_ref().is_some_and(|known| {
                    hello::session(message).is_some_and(|session| known.holds(&session))
                }),
            },
            State::Working(_, After::Confirm(_) | After::Refuse(_)) => true,
            State::Receiving(_)
            | State::Sending(..)
            | State::Confirming(..)
            | State::Refusing(_)
            | State::Over => false,
        }
    }

    /// The certificate that was refused, for the record.
    pub(super) fn take_refused(&self) -> Option<Box<CertificateIdentity>> {
        self.link.as_ref()?.gate.take_refused()
    }

    fn join(
        &mut self,
        mut reassembler: Reassembler,
        fragment: &Fragment<'_>,
        done: Option<Box<Authenticated>>,
    ) -> Turn {
        let (state, turn) = match reassembler.push(fragment) {
            Ok(Progress::Whole(message)) => {
                let after = done.map_or(After::Receive, After::Confirm);
                (State::Working(message, after), Turn::Work)
            }
            Err(error) if error.is_fatal() => {
                (State::Over, Turn::Failure(FailureReason::Fragment(error)))
            }
            other => (
                match done {
                    Some(done) => State::Confirming(done, reassembler),
                    None => State::Receiving(reassembler),
                },
                match other {
                    Err(error) => Turn::Invalid(error.into()),
                    Ok(_) => Turn::Request(ACKNOWLEDGEMENT.to_vec()),
                },
            ),
        };
        self.state = state;
        turn
    }

    fn send(&mut self, mut fragmenter: Fragmenter, after: After) -> Turn {
        let Some(octets) = fragmenter.next_fragment() else {
            return Turn::Failure(FailureReason::Internal("no fragment is left".into()));
        };
        self.state = if fragmenter.is_done() {
            match after {
                After::Receive => State::Receiving(Reassembler::default()),
                After::Confirm(done) => State::Confirming(done, Reassembler::default()),
                After::Refuse(reason) => State::Refusing(reason),
            }
        } else {
            State::Sending(fragmenter, after)
        };
        Turn::Request(octets)
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
    Send(Vec<u8>, After),
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
        if first
            && !self.tunnel.is_resumed()
            && let Some(known) = &config.resumption
            && let Some(session) = hello::session(message)
        {
            known.remove(&session);
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
        Next::Send(flight, After::Receive)
    }

    /// The handshake is complete.
    fn conclude(&mut self) -> Next {
        let resumed = self.tunnel.is_resumed();
        let Some(judged) = self.gate.conclude(resumed, self.tunnel.leaf()) else {
            return Next::Fail(FailureReason::Internal(
                "a handshake without a verdict".into(),
            ));
        };
        match judged.verdict {
            Verdict::Allow | Verdict::Quarantine => {}
            Verdict::Block => {
                // rustls has no alert of ours to send once the handshake is complete.
                self.tunnel.close();
                return self.refuse(FailureReason::Blocked);
            }
        }
        let Some(version) = self.tunnel.version() else {
            return Next::Fail(FailureReason::Internal(
                "a handshake without a version".into(),
            ));
        };
        let keys = match self.tunnel.keys() {
            Ok(keys) => keys,
            Err(error) => return Next::Fail(FailureReason::Internal(error.to_string())),
        };
        let done = Box::new(Authenticated {
            keys,
            certificate: Arc::clone(judged.chain.certificate()),
            verdict: judged.verdict,
            version,
            suite: self.tunnel.suite(),
            resumed,
        });
        match version {
            TlsVersion::Tls13 => {
                // Leaves in one flight with the tickets.
                if let Err(error) = self.tunnel.send(&SUCCESS_INDICATION) {
                    return Next::Fail(FailureReason::Internal(error.to_string()));
                }
                Next::Send(self.tunnel.take_output(), After::Confirm(done))
            }
            TlsVersion::Tls12 => {
                let flight = self.tunnel.take_output();
                if flight.is_empty() {
                    // Resumed: the peer's Finished was the last message.
                    Next::Succeed(done)
                } else {
                    Next::Send(flight, After::Confirm(done))
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
            Next::Send(alert, After::Refuse(reason))
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
