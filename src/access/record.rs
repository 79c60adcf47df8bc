//! What is kept of every decision: fixed size, made without allocating, queued off the hot path.

use std::fmt;
use std::net::IpAddr;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;

use crossbeam_queue::ArrayQueue;

use crate::access::decide::Decided;
use crate::access::seen::Seen;
use crate::model::Decision;
use crate::model::Generation;
use crate::model::MacAddress;
use crate::model::MailContext;
use crate::model::Medium;
use crate::model::NasContext;
use crate::model::Reason;
use crate::model::Subject;
use crate::model::Timestamp;
use crate::model::Verdict;

/// The number that ties a reply, its record, its session and its explanation together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Correlation(pub u64);

impl Correlation {
    /// Reads the sixteen hexadecimal digits that [`fmt::Display`] writes.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        if text.len() != 16 {
            return None;
        }
        u64::from_str_radix(text, 16).ok().map(Self)
    }
}

/// Sixteen hexadecimal digits.
impl fmt::Display for Correlation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// Gives out correlations, each once; shared by all threads.
#[derive(Debug)]
pub struct CorrelationSource(AtomicU64);

impl CorrelationSource {
    /// Starts from the wall clock, so that numbers are not given out again after a restart
    /// unless the process makes more than 65,536 decisions a millisecond all its life.
    #[must_use]
    pub fn starting_at(now: Timestamp) -> Self {
        let millis = u64::try_from(now.unix_millis()).unwrap_or(0);
        Self(AtomicU64::new(millis << 16))
    }

    /// The next one.
    pub fn next(&self) -> Correlation {
        Correlation(self.0.fetch_add(1, Ordering::Relaxed))
    }
}

/// A short text of at most `N` octets, held in place; longer texts are cut at a character.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Text<const N: usize> {
    octets: [u8; N],
    length: u8,
}

impl<const N: usize> Text<N> {
    /// The empty text.
    pub const EMPTY: Self = Self {
        octets: [0; N],
        length: 0,
    };

    /// Copies as much of `text` as fits.
    #[must_use]
    pub fn new(text: &str) -> Self {
        let end = text.floor_char_boundary(N.min(usize::from(u8::MAX)));
        let mut octets = [0; N];
        if let (Some(to), Some(from)) = (octets.get_mut(..end), text.as_bytes().get(..end)) {
            to.copy_from_slice(from);
        }
        // `end` is at most 255.
        Self {
            octets,
            length: u8::try_from(end).unwrap_or(u8::MAX),
        }
    }

    /// What `value` prints, as much of it as fits; nothing is allocated.
    #[must_use]
    pub fn display(value: &impl fmt::Display) -> Self {
        use fmt::Write;
        let mut text = Self::EMPTY;
        // Stops at the first piece that does not fit whole.
        let _cut = write!(text, "{value}");
        text
    }

    /// Copies as much of `octets` as fits; what is not UTF-8 ends the text.
    #[must_use]
    pub fn from_utf8_prefix(octets: &[u8]) -> Self {
        let valid = octets
            .utf8_chunks()
            .next()
            .map_or("", |chunk| chunk.valid());
        Self::new(valid)
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        let used = self.octets.get(..usize::from(self.length)).unwrap_or(&[]);
        // Only whole characters are ever copied in.
        std::str::from_utf8(used).unwrap_or("")
    }

    /// The text, `None` if it is empty.
    #[must_use]
    pub fn as_option(&self) -> Option<&str> {
        let text = self.as_str();
        (!text.is_empty()).then_some(text)
    }
}

impl<const N: usize> fmt::Write for Text<N> {
    fn write_str(&mut self, piece: &str) -> fmt::Result {
        let used = usize::from(self.length);
        let free = N.min(usize::from(u8::MAX)).saturating_sub(used);
        let end = piece.floor_char_boundary(free);
        let to = self.octets.get_mut(used..used + end).ok_or(fmt::Error)?;
        to.copy_from_slice(piece.as_bytes().get(..end).ok_or(fmt::Error)?);
        self.length = u8::try_from(used + end).map_err(|_| fmt::Error)?;
        if end == piece.len() {
            Ok(())
        } else {
            Err(fmt::Error)
        }
    }
}

impl<const N: usize> fmt::Debug for Text<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl<const N: usize> fmt::Display for Text<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One decision, or one refusal before any decision could be made.
#[derive(Clone, Copy, Debug)]
pub struct DecisionRecord {
    /// Its number.
    pub id: Correlation,
    /// How the peer authenticated: `eap-tls 1.3`, `mab`, `pap`, `eas Sync`, …
    pub method: Text<24>,
    /// The authenticated user, or the name that was tried when `outcome` is a refusal.
    pub user: Text<128>,
    /// NAS name, group, port and network name; empty on the other planes.
    pub nas: Text<{ Self::MAX_NAS }>,
    /// See `nas`.
    pub nas_group: Text<{ Self::MAX_NAS_GROUP }>,
    /// See `nas`.
    pub medium: Medium,
    /// See `nas`.
    pub ssid: Text<32>,
    /// Where the packet or connection came from.
    pub from: Option<IpAddr>,
    /// The station's address, if one was sent.
    pub station: Option<MacAddress>,
    /// The identifier of the device as it was presented, for people.
    pub presented: Text<64>,
    /// DeviceType of a mail client; empty on the other planes.
    pub device_type: Text<32>,
    /// User-Agent of a mail client; empty on the other planes.
    pub user_agent: Text<96>,
    /// The facts that were seen; of a refusal, what is filled in without them.
    pub seen: Seen,
    /// What came of it.
    pub outcome: Outcome,
    /// The generation that the decision belongs to.
    pub generation: Generation,
}

/// What a record records.
#[derive(Clone, Copy, Debug)]
pub enum Outcome {
    /// A decision was made.
    Decided(Decision),
    /// The peer was not authenticated, so there was nothing to decide.
    NotAuthenticated(Text<96>),
}

impl DecisionRecord {
    /// Longest NAS name in octets; the configuration takes no longer one, so that none is cut.
    pub const MAX_NAS: usize = 64;
    /// Longest name of a group of NASes, likewise.
    pub const MAX_NAS_GROUP: usize = 48;

    /// The record of a decision; the caller adds what only its plane knows.
    #[must_use]
    pub fn new(id: Correlation, method: &str, subject: &Subject<'_>, decided: &Decided) -> Self {
        Self {
            id,
            method: Text::new(method),
            user: subject.user.map_or(Text::EMPTY, Text::new),
            nas: subject.nas.map_or(Text::EMPTY, |nas| Text::new(nas.name)),
            nas_group: subject.nas.map_or(Text::EMPTY, |nas| Text::new(nas.group)),
            medium: subject.nas.map(|nas| nas.medium).unwrap_or_default(),
            ssid: subject
                .nas
                .and_then(|nas| nas.ssid)
                .map_or(Text::EMPTY, Text::new),
            from: None,
            station: None,
            presented: Text::EMPTY,
            device_type: subject
                .mail
                .map_or(Text::EMPTY, |mail| Text::new(mail.device_type)),
            user_agent: subject
                .mail
                .map_or(Text::EMPTY, |mail| Text::new(mail.user_agent)),
            seen: decided.seen,
            outcome: Outcome::Decided(decided.decision),
            generation: decided.generation,
        }
    }

    /// The record of a peer that was not authenticated: why, and as much of the subject as it
    /// stated.
    #[must_use]
    pub fn not_authenticated(
        id: Correlation,
        method: &str,
        subject: &Subject<'_>,
        why: &str,
        now: Timestamp,
    ) -> Self {
        let seen = Seen::nothing(subject, now);
        // Stands in the place of a decision nobody made; the outcome says so.
        let decision = Decision::new(Verdict::Block, Reason::UserUnknown);
        let decided = Decided {
            decision,
            seen,
            generation: Generation::default(),
        };
        let outcome = Outcome::NotAuthenticated(Text::new(why));
        Self {
            outcome,
            ..Self::new(id, method, subject, &decided)
        }
    }

    pub(super) fn nas_context(&self) -> Option<NasContext<'_>> {
        self.nas.as_option().map(|name| NasContext {
            name,
            group: self.nas_group.as_str(),
            medium: self.medium,
            ssid: self.ssid.as_option(),
        })
    }

    pub(super) fn mail_context(&self) -> Option<MailContext<'_>> {
        let mail = MailContext {
            device_type: self.device_type.as_str(),
            user_agent: self.user_agent.as_str(),
        };
        let stated = !mail.device_type.is_empty() || !mail.user_agent.is_empty();
        stated.then_some(mail)
    }
}

/// The way of records from the planes to the journal: bounded, never waited for.
#[derive(Debug)]
pub struct RecordQueue {
    queue: ArrayQueue<DecisionRecord>,
    dropped: AtomicU64,
}

impl RecordQueue {
    /// A queue of `capacity` records, about a kilobyte each.
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        Self {
            queue: ArrayQueue::new(capacity.max(1)),
            dropped: AtomicU64::new(0),
        }
    }

    /// Puts a record in; if the queue is full the record is dropped and counted. Decisions are
    /// never slowed down by the disk.
    pub fn push(&self, record: DecisionRecord) {
        if self.queue.push(record).is_err() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Takes the oldest record out.
    pub fn pop(&self) -> Option<DecisionRecord> {
        self.queue.pop()
    }

    /// How many may wait.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.queue.capacity()
    }

    /// Whether no record waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// How many records were dropped so far.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_cut_at_a_character() {
        assert_eq!(Text::<4>::new("abcdef").as_str(), "abcd");
        assert_eq!(Text::<4>::new("abc\u{e9}").as_str(), "abc");
        assert_eq!(Text::<8>::from_utf8_prefix(b"ab\xffcd").as_str(), "ab");
        assert_eq!(Text::<8>::EMPTY.as_option(), None);
        assert_eq!(Text::<8>::display(&12_345).as_str(), "12345");
        assert_eq!(Text::<4>::display(&12_345).as_str(), "1234");
    }

    #[test]
    fn correlations_print_and_parse() {
        let source = CorrelationSource::starting_at(Timestamp::from_unix_seconds(1_795_253_400));
        let first = source.next();
        assert_ne!(first, source.next());
        assert_eq!(Correlation::parse(&first.to_string()), Some(first));
        for bad in ["", "12", "zzzzzzzzzzzzzzzz", "00000000000000001"] {
            assert_eq!(Correlation::parse(bad), None, "row {bad}");
        }
    }
}
