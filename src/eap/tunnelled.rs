//! Methods that make a tunnel and ask inside of it who the peer is: EAP-TTLS, PEAP and TEAP.
//!
//! ```text
//! Handshaking --flights--> Talking --the peer's turn--> Working --our turn--> Talking
//!                             |                            +--a password--> Asking --answer--> ...
//!                             |                            +--Completed--> success
//!                             |                            +--Refusal--> failure
//!                             +-- resumed in TLS 1.3 --> Confirming --empty response--> success
//! ```
//!
//! What is said inside is the business of [`Talk`], which ends in a [`Completed`] or in
//! a [`Refusal`]. A verdict is asked for there, when the peer has proved who it is and before
//! anything tells it so; of a tunnel that is resumed here, when its handshake is complete.

use std::sync::Arc;

use super::carrier::Carried;
use super::carrier::Carrier;
use super::chosen::Round;
use super::chosen::Turn;
use super::config::Config;
use super::config::TlsVersion;
use super::error::FailureReason;
use super::error::InnerRefusal;
use super::fragment::Fragment;
use super::fragment::FragmentError;
use super::hello;
use super::identity::Identity;
use super::key::Keys;
use super::link::Link;
use super::offer::Offer;
use super::offer::Outer;
use super::peap::Peap;
use super::principal::Principal;
use super::proof::Answer;
use super::proof::Authenticated;
use super::proof::Completed;
use super::proof::Connection;
use super::proof::Inners;
use super::proof::Question;
use super::proof::Refusal;
use super::spoken::Spoken;
use super::talk::Next;
use super::talk::Scene;
use super::talk::Talk;
use super::teap;
use super::teap::Teap;
use super::tunnel::Tunnel;
use super::tunnel_gate::Opened;
use super::turnstile::Turnstile;

mod silence;

/// The server's side of one exchange.
pub(super) struct Tunnelled {
    outer: Outer,
    offer: Arc<Offer>,
    identity: Identity,
    carrier: Carrier,
    state: State,
    link: Option<Link>,
    /// What is spoken inside, as far as that is known.
    inners: Inners,
    /// Who the peer has proved to be so far.
    proved: Option<Principal>,
    /// What stood beside TLS in the peer's first packet of TEAP.
    peer_tlvs: Vec<u8>,
}

enum State {
    Handshaking,
    /// The peer's turn inside.
    Talking(Talk),
    Working(Vec<u8>, Work),
    Asking(Question, Talk),
    /// All is said; an empty response is success.
    Confirming(Box<Authenticated>),
    /// An alert is out; any response is failure.
    Refusing(Box<Refusal>),
    Over,
}

/// What a message is for.
enum Work {
    Handshake,
    Talk(Talk),
    /// An answer to our last word, which should have none.
    LastWords,
}

impl Tunnelled {
    pub(super) fn new(outer: Outer, room: usize, offer: Arc<Offer>, identity: Identity) -> Self {
        Self {
            outer,
            offer,
            identity,
            carrier: Carrier::new(room, outer.version()),
            state: State::Handshaking,
            link: None,
            inners: [None; 2],
            proved: None,
            peer_tlvs: Vec::new(),
        }
    }

    pub(super) const fn outer(&self) -> Outer {
        self.outer
    }

    pub(super) fn spoken(&self) -> Spoken {
        let tunnel = self.link.as_ref().map(|link| &link.tunnel);
        let [inner, second] = self.inners;
        Spoken {
            outer: Some(self.outer),
            inner,
            second,
            version: tunnel.and_then(Tunnel::version),
            resumed: tunnel.is_some_and(Tunnel::is_resumed),
        }
    }

    /// Takes one packet's Type-Data. No cryptography.
    pub(super) fn handle(&mut self, type_data: &[u8]) -> Turn {
        let fragment = match self.outer {
            Outer::Teap => self.first_tlvs(type_data),
            Outer::Tls | Outer::Ttls | Outer::Peap => Fragment::parse(type_data),
        };
        let fragment = match fragment {
            Ok(fragment) => fragment,
            Err(error) => return Turn::Invalid(error.into()),
        };
        if fragment.version() != self.outer.version() {
            self.state = State::Over;
            return Turn::fail(Refusal::of(FailureReason::Version));
        }
        if !self.carrier.is_sending()
            && let State::Refusing(refusal) = &mut self.state
        {
            return Turn::Failure(refusal.clone());
        }
        match self.carrier.take(&fragment) {
            Carried::Next(data) => Turn::Request(data),
            Carried::Invalid(error) => Turn::Invalid(error.into()),
            Carried::Fatal(error) => {
                self.state = State::Over;
                Turn::fail(Refusal::of(FailureReason::Fragment(error)))
            }
            Carried::Whole(message) => self.whole(message),
            Carried::Empty => self.empty(),
        }
    }

    /// Reads a packet of TEAP, and remembers the outer TLVs that its peer's first one may have.
    fn first_tlvs<'a>(&mut self, type_data: &'a [u8]) -> Result<Fragment<'a>, FragmentError> {
        let (fragment, outer) = Fragment::parse_with_outer(type_data)?;
        if !outer.is_empty() {
            let first = self.link.is_none() && self.peer_tlvs.is_empty();
            if !first || self.carrier.is_waiting() || !teap::are_outer(outer) {
                return Err(FragmentError::Outer);
            }
            self.peer_tlvs = outer.to_vec();
        }
        Ok(fragment)
    }

    fn whole(&mut self, message: Vec<u8>) -> Turn {
        let work = match std::mem::replace(&mut self.state, State::Over) {
            State::Handshaking => Work::Handshake,
            State::Talking(talk) => Work::Talk(talk),
            State::Confirming(_) => Work::LastWords,
            State::Working(..) | State::Asking(..) | State::Refusing(_) | State::Over => {
                return Turn::fail(Refusal::internal("handled out of turn"));
            }
        };
        self.state = State::Working(message, work);
        Turn::Work
    }

    fn empty(&mut self) -> Turn {
        match std::mem::replace(&mut self.state, State::Over) {
            State::Talking(talk) => {
                self.state = State::Working(Vec::new(), Work::Talk(talk));
                Turn::Work
            }
            State::Confirming(done) => Turn::Success(done),
            state @ (State::Handshaking
            | State::Working(..)
            | State::Asking(..)
            | State::Refusing(_)
            | State::Over) => {
                self.state = state;
                Turn::Invalid(FragmentError::Empty.into())
            }
        }
    }

    /// Does the cryptography of the message that is whole.
    pub(super) fn work(&mut self, round: &Round<'_>) -> Turn {
        match std::mem::replace(&mut self.state, State::Over) {
            State::Working(message, Work::Handshake) => self.handshake(round, &message),
            State::Working(message, Work::Talk(talk)) => self.talk(round, &message, talk),
            State::Working(message, Work::LastWords) => self.last_words(round, &message),
            State::Handshaking
            | State::Talking(_)
            | State::Asking(..)
            | State::Confirming(_)
            | State::Refusing(_)
            | State::Over => Turn::fail(Refusal::internal("worked out of turn")),
        }
    }

    /// Whether that is symmetric cryptography only. See [`EapTls::is_light`](super::tls::EapTls).
    pub(super) fn is_light(&self, config: &Config) -> bool {
        match &self.state {
            State::Working(message, Work::Handshake) => match &self.link {
                Some(link) => {
                    link.tunnel.is_resumed()
                        || link.tunnel.expects_finished() && !config.asks_certificate(self.outer)
                }
                None => hello::is_known(message, config),
            },
            State::Working(_, Work::Talk(talk)) => talk.is_light(),
            State::Working(_, Work::LastWords) => true,
            State::Handshaking
            | State::Talking(_)
            | State::Asking(..)
            | State::Confirming(_)
            | State::Refusing(_)
            | State::Over => false,
        }
    }

    pub(super) const fn question(&self) -> Option<&Question> {
        match &self.state {
            State::Asking(question, _) => Some(question),
            State::Handshaking
            | State::Talking(_)
            | State::Working(..)
            | State::Confirming(_)
            | State::Refusing(_)
            | State::Over => None,
        }
    }

    /// Goes on with what the directory says.
    pub(super) fn answer(&mut self, round: &Round<'_>, answer: Answer) -> Turn {
        let State::Asking(question, talk) = std::mem::replace(&mut self.state, State::Over) else {
            return Turn::fail(Refusal::internal("an answer to no question"));
        };
        self.notes(&talk);
        let answered = question.answered(answer);
        self.inside(round, |scene| talk.answered(scene, answered))
    }

    fn handshake(&mut self, round: &Round<'_>, message: &[u8]) -> Turn {
        let first = self.link.is_none();
        let link = match self.link.take() {
            Some(link) => link,
            None => match Link::new(self.outer, &self.identity, &self.offer, round) {
                Ok(link) => link,
                Err(error) => return Turn::fail(Refusal::internal(&error.to_string())),
            },
        };
        let link = self.link.insert(link);
        link.gate.set_now(round.now);
        let received = {
            let _inside = Turnstile::enter(Arc::clone(&link.gate) as _);
            link.tunnel.receive_inside(message)
        };
        if first && !link.tunnel.is_resumed() {
            hello::forget(message, round.config);
        }
        let inside = match received {
            Ok((received, _)) if received.closed => {
                return Turn::fail(Refusal::of(FailureReason::PeerClosed));
            }
            Ok((_, inside)) => inside,
            Err(error) => {
                let refusal = Refusal {
                    presented: link.gate.take_refused().map(Principal::Certificate),
                    shown: link.gate.take_shown(),
                    ..Refusal::of(FailureReason::from(error))
                };
                return self.refuse(refusal);
            }
        };
        if !link.tunnel.is_handshaking() {
            return self.opened(round, &inside);
        }
        let flight = link.tunnel.take_output();
        if flight.is_empty() {
            return Turn::fail(Refusal::of(FailureReason::Stalled));
        }
        self.state = State::Handshaking;
        Turn::Request(self.carrier.send(flight))
    }

    /// The handshake is complete; the peer may have said something inside with its last flight.
    fn opened(&mut self, round: &Round<'_>, inside: &[u8]) -> Turn {
        let Some(link) = &mut self.link else {
            return Turn::fail(Refusal::internal("a handshake without a connection"));
        };
        let resumed = link.tunnel.is_resumed();
        let opened = link.gate.conclude(resumed, link.tunnel.leaf());
        match opened {
            None => Turn::fail(Refusal::internal("a handshake that does not fit its gate")),
            Some(Opened::New(device)) => {
                link.device = device;
                let version = link.tunnel.version();
                let talk = Talk::new(self.outer);
                self.inside(round, |scene| talk.begin(scene, version, inside))
            }
            Some(Opened::Again(past)) => {
                link.device = past.device().cloned();
                self.inners = past.inners();
                match Completed::resumed(&past, &**round.judge, round.now) {
                    Ok(completed) => self.again(round, completed, inside),
                    Err(refusal) => {
                        // TLS has no alert of ours to send once the handshake is complete.
                        link.tunnel.close();
                        self.refuse(refusal)
                    }
                }
            }
        }
    }

    /// The tunnel of an earlier conversation, whose peer may pass. A peer that wants to say again
    /// who it is does so (RFC 5281 section 7.5).
    fn again(&mut self, round: &Round<'_>, completed: Completed, inside: &[u8]) -> Turn {
        let (outer, Some(link)) = (self.outer, &mut self.link) else {
            return Turn::fail(Refusal::internal("a handshake without a connection"));
        };
        match outer {
            Outer::Peap => self.inside(round, |scene| Peap::again(scene, completed)),
            Outer::Teap => self.inside(round, |scene| Teap::again(scene, completed)),
            Outer::Ttls if !inside.is_empty() => {
                let talk = Talk::new(outer);
                let version = link.tunnel.version();
                self.inside(round, |scene| talk.begin(scene, version, inside))
            }
            Outer::Ttls | Outer::Tls => {
                let tls13 = link.tunnel.version() == Some(TlsVersion::Tls13);
                if tls13 && let Err(error) = link.tunnel.send(&SUCCESS_INDICATION) {
                    return Turn::fail(Refusal::internal(&error.to_string()));
                }
                let flight = link.tunnel.take_output();
                let keys = match link.tunnel.keys(outer) {
                    Ok(keys) => keys,
                    Err(error) => return Turn::fail(Refusal::internal(&error.to_string())),
                };
                match self.authenticated(completed, keys) {
                    Ok(done) if flight.is_empty() => Turn::Success(done),
                    Ok(done) => {
                        self.state = State::Confirming(done);
                        Turn::Request(self.carrier.send(flight))
                    }
                    Err(refusal) => Turn::fail(refusal),
                }
            }
        }
    }

    /// The peer's turn inside; an empty message when it has nothing to say.
    fn talk(&mut self, round: &Round<'_>, message: &[u8], talk: Talk) -> Turn {
        self.notes(&talk);
        let Some(link) = &mut self.link else {
            return Turn::fail(Refusal::internal("a turn without a connection"));
        };
        link.gate.set_now(round.now);
        let received = {
            let _inside = Turnstile::enter(Arc::clone(&link.gate) as _);
            link.tunnel.receive_inside(message)
        };
        match received {
            Ok((received, _)) if received.closed => {
                Turn::fail(Refusal::of(FailureReason::PeerClosed))
            }
            Ok((_, inside)) if inside.is_empty() && !message.is_empty() => {
                Turn::fail(Refusal::of(FailureReason::Stalled))
            }
            Ok((_, inside)) => self.inside(round, |scene| talk.take(scene, &inside)),
            Err(error) => self.refuse(Refusal::of(FailureReason::from(error))),
        }
    }

    /// The peer answered our last word with a message of its own: an alert as a rule.
    fn last_words(&mut self, round: &Round<'_>, message: &[u8]) -> Turn {
        let Some(link) = &mut self.link else {
            return Turn::fail(Refusal::internal("a turn without a connection"));
        };
        link.gate.set_now(round.now);
        let _inside = Turnstile::enter(Arc::clone(&link.gate) as _);
        let reason = match link.tunnel.receive_inside(message) {
            Err(error) => error.into(),
            Ok((received, _)) if received.plaintext => FailureReason::Inner(InnerRefusal::Order),
            Ok((received, _)) if received.closed => FailureReason::PeerClosed,
            Ok(_) => FailureReason::Stalled,
        };
        Turn::fail(Refusal::of(reason))
    }

    /// Remembers what is spoken, and by whom.
    fn notes(&mut self, talk: &Talk) {
        if let Some(proved) = talk.proved() {
            self.proved = Some(proved);
        }
        for (known, now) in self.inners.iter_mut().zip(talk.inners()) {
            *known = now.or(*known);
        }
    }

    /// Lets the inside go on, and carries out what follows.
    fn inside(&mut self, round: &Round<'_>, step: impl FnOnce(&Scene<'_>) -> Next) -> Turn {
        let Some(link) = &mut self.link else {
            return Turn::fail(Refusal::internal("a turn without a connection"));
        };
        let next = step(&Scene {
            round,
            offer: &self.offer,
            identity: &self.identity,
            outer: self.outer,
            peer_tlvs: &self.peer_tlvs,
            tunnel: &link.tunnel,
            device: link.device.as_ref(),
            room: self.carrier.room().saturating_sub(WRAPPING),
        });
        match next {
            Next::Say(words, talk) => {
                if !words.is_empty()
                    && let Err(error) = link.tunnel.send(&words)
                {
                    return Turn::fail(Refusal::internal(&error.to_string()));
                }
                let flight = link.tunnel.take_output();
                self.state = State::Talking(talk);
                Turn::Request(self.carrier.send(flight))
            }
            Next::Ask(question, talk) => {
                self.state = State::Asking(question, talk);
                Turn::Ask
            }
            Next::Succeed(completed, keys) => match self.authenticated(completed, *keys) {
                Ok(done) => Turn::Success(done),
                Err(refusal) => Turn::fail(refusal),
            },
            Next::Fail(refusal) => Turn::fail(refusal),
        }
    }

    /// The only way to success: with a [`Completed`].
    fn authenticated(
        &self,
        completed: Completed,
        keys: Keys,
    ) -> Result<Box<Authenticated>, Refusal> {
        let missing = || Refusal::internal("a success without a connection");
        let link = self.link.as_ref().ok_or_else(missing)?;
        let connection = Connection {
            version: link.tunnel.version().ok_or_else(missing)?,
            suite: link.tunnel.suite(),
            resumed: link.tunnel.is_resumed(),
        };
        let device = link.device.clone();
        link.gate.commit(&completed, device, connection.resumed);
        let done = Authenticated::by_tunnel(completed, keys, connection);
        Ok(Box::new(done))
    }

    /// Sends the alert that TLS made, if it made one, and fails after the peer's answer
    /// (RFC 5216 section 2.1.3).
    fn refuse(&mut self, refusal: Refusal) -> Turn {
        let alert = self.link.as_mut().map(|link| link.tunnel.take_output());
        match alert {
            Some(alert) if !alert.is_empty() => {
                self.state = State::Refusing(Box::new(refusal));
                Turn::Request(self.carrier.send(alert))
            }
            Some(_) | None => Turn::fail(refusal),
        }
    }
}

/// The protected success indication of a resumed tunnel (RFC 9427 section 4).
const SUCCESS_INDICATION: [u8; 1] = [0];

/// What a record of TLS, an AVP and an EAP packet put around what an inner method says, at most.
const WRAPPING: usize = 64;
