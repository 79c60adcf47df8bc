//! A home server: how it is reached, how it is, and what it was asked.

use std::net::SocketAddr;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::model::Fingerprint;
use crate::model::Monotonic;
use crate::model::Secret;
use crate::network::Counter;
use crate::radius::SharedSecret;

/// A home server, as configured or as found.
#[derive(Clone, Debug)]
pub struct HomeConfig {
    /// Its name in records, metrics and the log.
    pub name: String,
    /// How it is reached.
    pub way: Way,
    /// The shared secret; over TLS it protects nothing.
    pub secret: Secret,
    /// Whether its answers to Access-Requests must have a Message-Authenticator (CVE-2024-3596).
    /// Over TLS nobody can forge one, and it does not count.
    pub signed: bool,
    /// Whether it knows Status-Server (RFC 5997).
    pub status: bool,
}

/// How a home server is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Way {
    /// By datagrams (RFC 2865).
    Udp {
        /// Where it takes Access-Requests, if it does.
        authentication: Option<SocketAddr>,
        /// Where it takes Accounting-Requests, if it does.
        accounting: Option<SocketAddr>,
    },
    /// By TLS connections that we open, for both (RFC 6614).
    Tls(TlsWay),
}

/// Where the connections to a home server lead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsWay {
    /// Its DNS name or address.
    pub host: Box<str>,
    /// Its port.
    pub port: u16,
    /// Its addresses, where they are known; else they are looked up for each connection.
    pub addresses: Box<[SocketAddr]>,
    /// The realm that it was found for, which its certificate has to bear out (RFC 7585); `None` for
    /// one that is configured.
    pub realm: Option<Box<str>>,
    /// Connections at most, 1 to 16: the second one is opened when the first is half full.
    pub connections: u8,
    /// Names everything else that the connection is made with: certificates, keys, versions. Two
    /// homes are the same only if it is.
    pub material: Fingerprint,
}

impl HomeConfig {
    /// Whether nothing is different: what is known of one is true of the other.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        self.name == other.name
            && self.way == other.way
            && self.signed == other.signed
            && self.status == other.status
            && self.secret.ct_eq(other.secret.expose())
    }
}

/// A home server in use.
#[derive(Debug)]
pub struct Home {
    pub(super) config: HomeConfig,
    pub(super) secret: SharedSecret,
    health: Mutex<Health>,
    trouble: Mutex<Option<Box<str>>>,
    /// What it was asked and has answered.
    pub counters: HomeCounters,
    pub(super) gauges: Gauges,
}

/// What a home server was asked and has answered.
#[derive(Debug, Default)]
pub struct HomeCounters {
    /// Requests, repetitions not counted.
    pub asked: Counter,
    /// Those that were sent once more.
    pub repeated: Counter,
    /// Answers that were believed.
    pub answered: Counter,
    /// Requests without an answer.
    pub silent: Counter,
    /// Packets from it that answer nothing, or are signed wrongly or not at all.
    pub stray: Counter,
    /// Requests that were under way on a connection that ended.
    pub cut: Counter,
    /// Requests for which it had no place.
    pub full: Counter,
    /// Connections that were opened.
    pub opened: Counter,
    /// Attempts at one that failed, and connections that broke.
    pub broken: Counter,
    /// Disconnect- and CoA-Requests of its own that were refused (RFC 8559).
    pub reversed: Counter,
}

/// How things stand, written by the proxy and read by whoever asks.
#[derive(Debug, Default)]
pub(super) struct Gauges {
    pub(super) in_flight: AtomicUsize,
    pub(super) connections: AtomicUsize,
    pub(super) version_11: AtomicBool,
    /// Microseconds; 0 before the first answer.
    pub(super) round_trip: AtomicU64,
}

/// Whether a home server is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Health {
    /// It answers.
    Alive,
    /// It has left a request without an answer, at that time.
    Zombie(Monotonic),
    /// It has answered nothing for long, since that time.
    Dead(Monotonic),
}

impl Health {
    /// The word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Alive => "alive",
            Self::Zombie(_) => "zombie",
            Self::Dead(_) => "dead",
        }
    }
}

impl Home {
    /// A home server of which nothing bad is known.
    #[must_use]
    pub fn new(config: HomeConfig) -> Self {
        Self {
            secret: SharedSecret::new(config.secret.clone()),
            config,
            health: Mutex::new(Health::Alive),
            trouble: Mutex::new(None),
            counters: HomeCounters::default(),
            gauges: Gauges::default(),
        }
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.config.name
    }

    /// What it was made from.
    #[must_use]
    pub const fn config(&self) -> &HomeConfig {
        &self.config
    }

    /// Where its TLS connections lead; `None` for one over UDP.
    #[must_use]
    pub const fn tls(&self) -> Option<&TlsWay> {
        match &self.config.way {
            Way::Tls(way) => Some(way),
            Way::Udp { .. } => None,
        }
    }

    /// How it is reached, in a word: `udp`, `tls`, or `tls 1.1` where RADIUS/1.1 is spoken.
    #[must_use]
    pub fn transport(&self) -> &'static str {
        match &self.config.way {
            Way::Udp { .. } => "udp",
            Way::Tls(_) if self.gauges.version_11.load(Ordering::Relaxed) => "tls, RADIUS/1.1",
            Way::Tls(_) => "tls",
        }
    }

    /// Whether it is asked.
    #[must_use]
    pub fn health(&self) -> Health {
        *self.health.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether it answers, and over TLS can be reached.
    #[must_use]
    pub fn is_up(&self) -> bool {
        self.health() == Health::Alive && (self.tls().is_none() || self.connections() > 0)
    }

    /// Requests under way.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.gauges.in_flight.load(Ordering::Relaxed)
    }

    /// TLS connections that are open.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.gauges.connections.load(Ordering::Relaxed)
    }

    /// How long answers take, a moving mean; `None` before the first one.
    #[must_use]
    pub fn round_trip(&self) -> Option<Duration> {
        let micros = self.gauges.round_trip.load(Ordering::Relaxed);
        (micros > 0).then(|| Duration::from_micros(micros))
    }

    /// Why there is no connection to it, in a sentence.
    #[must_use]
    pub fn trouble(&self) -> Option<Box<str>> {
        let trouble = self.trouble.lock();
        trouble.unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn set_trouble(&self, trouble: Option<&str>) {
        *self.trouble.lock().unwrap_or_else(PoisonError::into_inner) = trouble.map(Into::into);
    }

    pub(super) fn set(&self, health: Health) {
        *self.health.lock().unwrap_or_else(PoisonError::into_inner) = health;
    }

    /// Takes an answer's time into the mean: an eighth of it, as TCP does (RFC 6298).
    pub(super) fn took(&self, time: Duration) {
        let sample = u64::try_from(time.as_micros()).unwrap_or(u64::MAX).max(1);
        let held = self.gauges.round_trip.load(Ordering::Relaxed);
        let mean = if held == 0 {
            sample
        } else {
            held - held / 8 + sample / 8
        };
        self.gauges.round_trip.store(mean.max(1), Ordering::Relaxed);
    }

    /// Where it takes datagrams of that kind.
    pub(super) const fn address(&self, accounting: bool) -> Option<SocketAddr> {
        match self.config.way {
            Way::Udp { accounting: to, .. } if accounting => to,
            Way::Udp { authentication, .. } => authentication,
            Way::Tls(_) => None,
        }
    }

    /// Whether it is asked such things at all.
    pub(super) const fn takes(&self, accounting: bool) -> bool {
        self.tls().is_some() || self.address(accounting).is_some()
    }
}
