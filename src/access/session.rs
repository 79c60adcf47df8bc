//! Accounting sessions that are open now, as NASes report them (RFC 2866).

use std::fmt;
use std::hash::DefaultHasher;
use std::hash::Hasher;
use std::net::IpAddr;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;

use dashmap::DashMap;

use crate::access::correlation::Correlation;
use crate::access::rhythm::Rhythm;
use crate::access::rhythm::Silence;
use crate::access::text::Text;
use crate::model::Fingerprint;
use crate::model::MacAddress;
use crate::model::Timestamp;

/// By what a NAS is told from the others: behind one address there may be several, with a proxy or an
/// address translator in front.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct NasNames {
    /// Address its packets come from.
    source: IpAddr,
    /// Of its NAS-Identifier, and of its NAS-IP-Address or NAS-IPv6-Address; 0 for one that it does
    /// not send. Numbers and not texts, since they stand at each session.
    names: [u64; 2],
}

impl NasNames {
    /// The NAS whose packets come from `source`, with the NAS-Identifier and the NAS-IP-Address or
    /// NAS-IPv6-Address that it sends, one of which it must (RFC 2866 section 4.1).
    #[must_use]
    pub fn new(source: IpAddr, identifier: Option<&[u8]>, address: Option<&[u8]>) -> Self {
        let number = |name: Option<&[u8]>| {
            name.map_or(0, |name| {
                let mut hasher = DefaultHasher::new();
                hasher.write(name);
                hasher.finish().max(1)
            })
        };
        Self {
            source,
            names: [number(identifier), number(address)],
        }
    }

    /// Whether both can be one: they come from one address, and what both say is the same.
    fn may_be(&self, other: &Self) -> bool {
        let mut names = self.names.iter().zip(&other.names);
        let agree = names.all(|(one, other)| *one == 0 || *other == 0 || one == other);
        agree && self.source == other.source
    }
}

/// Which session: the NAS and its Acct-Session-Id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SessionKey {
    nas: NasNames,
    /// Acct-Session-Id where it is a text that fits, else its SHA-256 in hexadecimal: two that
    /// begin alike are two sessions.
    id: Text<64>,
}

impl SessionKey {
    /// The session that a NAS calls by these octets (RFC 2866 section 5.5).
    #[must_use]
    pub fn new(nas: NasNames, session_id: &[u8]) -> Self {
        let id = match std::str::from_utf8(session_id) {
            Ok(text) if text.len() <= 64 => Text::new(text),
            Ok(_) | Err(_) => Text::display(&Fingerprint::of(session_id)),
        };
        Self { nas, id }
    }
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
    /// When we heard of it.
    pub rhythm: Rhythm,
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

impl Session {
    /// What is known after another packet: one that does not say something, or comes late,
    /// takes nothing back.
    fn continued_by(&self, later: &Self) -> Self {
        let user = later.user.as_option().map_or(self.user, |_| later.user);
        let mut rhythm = self.rhythm;
        rhythm.beats(later.rhythm.heard());
        Self {
            user,
            station: later.station.or(self.station),
            decision: later.decision.or(self.decision),
            started: self.started.min(later.started),
            rhythm,
            octets_in: self.octets_in.max(later.octets_in),
            octets_out: self.octets_out.max(later.octets_out),
        }
    }
}

/// The table of open sessions, bounded.
pub struct Sessions {
    open: DashMap<SessionKey, Session>,
    capacity: usize,
    places: Places,
}

/// How many entries a table of bounded size has; counted beside it, because the table would have to
/// visit all its shards.
#[derive(Debug, Default)]
pub struct Places {
    taken: AtomicUsize,
    refused: AtomicU64,
}

impl Places {
    /// Takes one of `capacity` places; `false`, and counted, if there is none.
    pub fn take(&self, capacity: usize) -> bool {
        let has_room = self.taken.fetch_add(1, Ordering::Relaxed) < capacity;
        if !has_room {
            self.taken.fetch_sub(1, Ordering::Relaxed);
            self.refused.fetch_add(1, Ordering::Relaxed);
        }
        has_room
    }

    /// Gives one back.
    pub fn free(&self) {
        self.taken.fetch_sub(1, Ordering::Relaxed);
    }

    /// How many are taken.
    #[must_use]
    pub fn taken(&self) -> usize {
        self.taken.load(Ordering::Relaxed)
    }

    /// How often there was none.
    #[must_use]
    pub fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }
}

impl Sessions {
    /// An empty table for at most `capacity` sessions. Beyond that new sessions are answered and
    /// counted, and not kept: accounting must not fail because a table is full.
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        Self {
            open: DashMap::new(),
            capacity,
            places: Places::default(),
        }
    }

    /// Notes what a NAS reported.
    pub fn note(&self, key: SessionKey, event: SessionEvent) {
        match event {
            SessionEvent::Open(session) => match self.open.entry(key) {
                dashmap::Entry::Occupied(mut entry) => {
                    let known = entry.get_mut();
                    *known = known.continued_by(&session);
                }
                dashmap::Entry::Vacant(entry) => {
                    if self.places.take(self.capacity) {
                        entry.insert(session);
                    }
                }
            },
            SessionEvent::Close => {
                if self.open.remove(&key).is_some() {
                    self.places.free();
                }
            }
        }
    }

    /// Ends every session of a NAS that said Accounting-On or Accounting-Off, and of no other behind
    /// its address.
    pub fn close_all_of(&self, nas: &NasNames) {
        self.keep(|key, _| !key.nas.may_be(nas));
    }

    /// Forgets sessions that are over by their silence: their NAS lost power, or a Stop was lost.
    pub fn expire(&self, now: Timestamp, silence: &Silence) {
        self.keep(|_, session| !session.rhythm.is_over(now, silence));
    }

    fn keep(&self, wanted: impl Fn(&SessionKey, &Session) -> bool) {
        self.open.retain(|key, session| {
            let kept = wanted(key, session);
            if !kept {
                self.places.free();
            }
            kept
        });
    }

    /// One session.
    #[must_use]
    pub fn get(&self, key: &SessionKey) -> Option<Session> {
        self.open.get(key).map(|entry| *entry)
    }

    /// How many are open.
    #[must_use]
    pub fn len(&self) -> usize {
        self.places.taken()
    }

    /// Whether none is open.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many sessions were not kept because the table was full.
    #[must_use]
    pub fn refused(&self) -> u64 {
        self.places.refused()
    }
}

/// How many there are, and not whose.
impl fmt::Debug for Sessions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sessions")
            .field("open", &self.len())
            .field("capacity", &self.capacity)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn session(at: i64) -> Session {
        Session {
            user: Text::new("alice"),
            station: None,
            decision: None,
            started: Timestamp::from_unix_seconds(at),
            rhythm: Rhythm::begun(Timestamp::from_unix_seconds(at)),
            octets_in: 0,
            octets_out: 0,
        }
    }

    fn key(id: &str) -> SessionKey {
        SessionKey::new(nas(), id.as_bytes())
    }

    fn nas() -> NasNames {
        NasNames::new(IpAddr::from([127, 0, 0, 1]), Some(b"ap"), None)
    }

    #[test]
    fn ids_that_begin_alike_are_different_sessions() {
        // Ids were cut at 64 octets and at the first that is no text.
        let long = [b'a'; 65];
        let mut other = long;
        other[64] = b'b';
        for (one, two) in [
            (&long[..], &other[..]),
            (b"\xff\x01", b"\xff\x02"),
            (b"a\xff", b"a"),
        ] {
            let (one, two) = (SessionKey::new(nas(), one), SessionKey::new(nas(), two));
            assert_ne!(one, two, "row {one:?}");
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
        assert_eq!(kept.rhythm.heard(), Timestamp::from_unix_seconds(20));
        assert_eq!(kept.decision, Some(Correlation(7)));
        sessions.note(key("a"), SessionEvent::Close);
        assert!(sessions.is_empty());
    }

    #[test]
    fn a_packet_that_says_less_or_comes_late_takes_nothing_back() {
        // An update without User-Name or counters emptied them.
        let sessions = Sessions::new(10);
        let first = Session {
            station: Some(MacAddress::new([0, 0, 0x5e, 0, 0x53, 1])),
            octets_in: 7,
            octets_out: 8,
            ..session(20)
        };
        sessions.note(key("a"), SessionEvent::Open(first));
        let late = Session {
            user: Text::EMPTY,
            ..session(10)
        };
        sessions.note(key("a"), SessionEvent::Open(late));
        let kept = sessions.get(&key("a")).unwrap();
        assert_eq!(kept.user.as_str(), "alice");
        assert_eq!(kept.station, first.station);
        assert_eq!((kept.octets_in, kept.octets_out), (7, 8));
        assert_eq!(kept.rhythm.heard(), Timestamp::from_unix_seconds(20));
    }

    #[test]
    fn the_count_follows_the_table() {
        let sessions = Sessions::new(2);
        for id in ["a", "b", "c", "a"] {
            sessions.note(key(id), SessionEvent::Open(session(1)));
        }
        assert_eq!((sessions.len(), sessions.refused()), (2, 1));
        sessions.note(key("c"), SessionEvent::Close);
        assert_eq!(sessions.len(), 2, "it was not kept");
        sessions.note(key("a"), SessionEvent::Close);
        sessions.note(key("c"), SessionEvent::Open(session(1)));
        assert_eq!((sessions.len(), sessions.open.len()), (2, 2));
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
        let silence = Silence {
            longest: Duration::from_secs(60),
            missed: 0,
        };
        sessions.expire(Timestamp::from_unix_seconds(100), &silence);
        assert_eq!(sessions.len(), 1);
        sessions.close_all_of(&nas());
        assert!(sessions.is_empty());
    }

    /// A branch behind one address: a switch that restarted ended the sessions of all the others.
    #[test]
    fn accounting_on_ends_the_sessions_of_one_nas_behind_an_address_rfc2866_5_1() {
        let branch = IpAddr::from([192, 0, 2, 1]);
        let (ap, other): (&[u8], &[u8]) = (b"ap", b"other");
        let (one, two): (&[u8], &[u8]) = (&[10, 0, 0, 1], &[10, 0, 0, 2]);
        for (row, source, identifier, address, left) in [
            ("itself", branch, Some(ap), Some(one), 0),
            ("by its name", branch, Some(ap), None, 0),
            ("by its address", branch, None, Some(one), 0),
            (
                "by neither, which is against the RFC",
                branch,
                None,
                None,
                0,
            ),
            ("another name", branch, Some(other), Some(one), 1),
            ("another address", branch, Some(ap), Some(two), 1),
            (
                "elsewhere",
                IpAddr::from([192, 0, 2, 2]),
                Some(ap),
                Some(one),
                1,
            ),
        ] {
            let sessions = Sessions::new(10);
            let nas = NasNames::new(branch, Some(ap), Some(one));
            sessions.note(SessionKey::new(nas, b"1"), SessionEvent::Open(session(1)));
            sessions.close_all_of(&NasNames::new(source, identifier, address));
            assert_eq!(sessions.len(), left, "row {row}");
        }
    }

    #[test]
    fn two_nases_behind_an_address_may_call_sessions_alike() {
        let branch = IpAddr::from([192, 0, 2, 1]);
        let of = |name| SessionKey::new(NasNames::new(branch, Some(name), None), b"1");
        let sessions = Sessions::new(10);
        sessions.note(of(b"ap-1"), SessionEvent::Open(session(1)));
        sessions.note(of(b"ap-2"), SessionEvent::Open(session(1)));
        sessions.note(of(b"ap-1"), SessionEvent::Close);
        assert_eq!(sessions.len(), 1);
        assert!(sessions.get(&of(b"ap-2")).is_some());
    }
}
