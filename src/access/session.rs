//! Accounting sessions that are open now, as NASes report them (RFC 2866).

use std::net::IpAddr;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::time::Duration;

use dashmap::DashMap;

use crate::access::record::Correlation;
use crate::access::record::Text;
use crate::model::MacAddress;
use crate::model::Timestamp;

/// Which session: the NAS and its Acct-Session-Id.
///
/// An Acct-Session-Id longer than 64 octets is cut; RFC 2866 section 5.5 asks only that the NAS
/// makes it unique, and NASes send 8 to 40.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SessionKey {
    /// Address the NAS sends from.
    pub nas: IpAddr,
    /// Acct-Session-Id.
    pub id: Text<64>,
}

/// One open session.
#[derive(Clone, Copy, Debug)]
pub struct Session {
    /// User-Name of the accounting packets.
    pub user: Text<128>,
    /// Calling-Station-Id, where it is a MAC address.
    pub station: Option<MacAddress>,
    /// The decision that opened it, from the Class attribute that we gave out.
    pub decision: Option<Correlation>,
    /// When it began: the time of its Start, or of the first packet we saw of it.
    pub started: Timestamp,
    /// When we last heard of it.
    pub heard: Timestamp,
    /// Octets received from the peer so far.
    pub octets_in: u64,
    /// Octets sent to the peer so far.
    pub octets_out: u64,
}

/// What an Accounting-Request said (Acct-Status-Type, RFC 2866 section 5.1).
#[derive(Clone, Copy, Debug)]
pub enum SessionEvent {
    /// Start (1) or Interim-Update (3): the session is open.
    Open(Session),
    /// Stop (2): the session is over.
    Close,
}

/// The table of open sessions, bounded.
#[derive(Debug)]
pub struct Sessions {
    open: DashMap<SessionKey, Session>,
    capacity: usize,
    refused: AtomicU64,
}

impl Sessions {
    /// An empty table for at most `capacity` sessions. Beyond that new sessions are answered and
    /// counted, and not kept: accounting must not fail because a table is full.
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        Self {
            open: DashMap::new(),
            capacity,
            refused: AtomicU64::new(0),
        }
    }

    /// Notes what a NAS reported.
    pub fn note(&self, key: SessionKey, event: SessionEvent) {
        match event {
            SessionEvent::Open(session) => {
                let full = self.open.len() >= self.capacity;
                match self.open.entry(key) {
                    dashmap::Entry::Occupied(mut entry) => {
                        let known = entry.get_mut();
                        let started = known.started.min(session.started);
                        let decision = session.decision.or(known.decision);
                        *known = Session {
                            started,
                            decision,
                            ..session
                        };
                    }
                    dashmap::Entry::Vacant(_) if full => {
                        self.refused.fetch_add(1, Ordering::Relaxed);
                    }
                    dashmap::Entry::Vacant(entry) => {
                        entry.insert(session);
                    }
                }
            }
            SessionEvent::Close => {
                self.open.remove(&key);
            }
        }
    }

    /// Ends every session of a NAS that said Accounting-On or Accounting-Off.
    pub fn close_all_of(&self, nas: IpAddr) {
        self.open.retain(|key, _| key.nas != nas);
    }

    /// Forgets sessions not heard of for `silence`; their NAS lost power or its Stop was lost.
    pub fn expire(&self, now: Timestamp, silence: Duration) {
        self.open
            .retain(|_, session| now.since(session.heard) < silence);
    }

    /// One session.
    #[must_use]
    pub fn get(&self, key: &SessionKey) -> Option<Session> {
        self.open.get(key).map(|entry| *entry)
    }

    /// How many are open.
    #[must_use]
    pub fn len(&self) -> usize {
        self.open.len()
    }

    /// Whether none is open.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    /// How many sessions were not kept because the table was full.
    #[must_use]
    pub fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session(at: i64) -> Session {
        Session {
            user: Text::new("alice"),
            station: None,
            decision: None,
            started: Timestamp::from_unix_seconds(at),
            heard: Timestamp::from_unix_seconds(at),
            octets_in: 0,
            octets_out: 0,
        }
    }

    fn key(id: &str) -> SessionKey {
        SessionKey {
            nas: IpAddr::from([127, 0, 0, 1]),
            id: Text::new(id),
        }
    }

    #[test]
    fn an_interim_update_keeps_the_start_and_the_decision() {
        let sessions = Sessions::new(10);
        let first = Session {
            decision: Some(Correlation(7)),
            ..session(10)
        };
        sessions.note(key("a"), SessionEvent::Open(first));
        sessions.note(key("a"), SessionEvent::Open(session(20)));
        let kept = sessions.get(&key("a")).unwrap();
        assert_eq!(kept.started, Timestamp::from_unix_seconds(10));
        assert_eq!(kept.heard, Timestamp::from_unix_seconds(20));
        assert_eq!(kept.decision, Some(Correlation(7)));
        sessions.note(key("a"), SessionEvent::Close);
        assert!(sessions.is_empty());
    }

    #[test]
    fn a_full_table_keeps_what_it_has() {
        let sessions = Sessions::new(1);
        sessions.note(key("a"), SessionEvent::Open(session(1)));
        sessions.note(key("b"), SessionEvent::Open(session(1)));
        assert_eq!((sessions.len(), sessions.refused()), (1, 1));
        sessions.note(key("a"), SessionEvent::Open(session(2)));
        assert_eq!(
            sessions.refused(),
            1,
            "an update of a kept session needs no place"
        );
    }

    #[test]
    fn silent_sessions_and_those_of_a_restarted_nas_go() {
        let sessions = Sessions::new(10);
        sessions.note(key("a"), SessionEvent::Open(session(0)));
        sessions.note(key("b"), SessionEvent::Open(session(90)));
        sessions.expire(Timestamp::from_unix_seconds(100), Duration::from_secs(60));
        assert_eq!(sessions.len(), 1);
        sessions.close_all_of(IpAddr::from([127, 0, 0, 1]));
        assert!(sessions.is_empty());
    }
}
