//! What is kept of every decision: fixed size, made without allocating, queued off the hot path.

use std::net::IpAddr;

use crate::access::claimed::ClaimedTexts;
use crate::access::correlation::Correlation;
use crate::access::decide::Decided;
use crate::access::seen::Seen;
use crate::access::text::Text;
use crate::inventory::ClientEntry;
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

/// One decision, or one refusal before any decision could be made.
///
/// Fields lie as they stand here: what every record fills is together, and what few have is in a box or
/// behind, because the memory of a record that is lent out again has left the caches, and each piece of
/// it that is touched costs a miss.
#[derive(Clone, Debug)]
#[repr(C)]
pub struct DecisionRecord {
    /// Its number.
    pub id: Correlation,
    /// The generation that the decision belongs to.
    pub generation: Generation,
    /// What a VPN's client has said of its device: claims, all of them.
    pub claims: Option<Box<ClaimedTexts>>,
    /// The certificates of a peer whose certificate was refused: subject, issuer, serial number and
    /// validity of each, its own first; nothing in it is proven.
    pub chain: Option<Box<str>>,
    /// What was called, where that is not plain from the rest.
    pub called: Option<Box<Called>>,
    /// What somebody can do about it, where the peer was not authenticated and that is known.
    pub advice: Option<&'static str>,
    /// Where the packet or connection came from.
    pub from: Option<IpAddr>,
    /// The station's address, if one was sent.
    pub station: Option<MacAddress>,
    /// See `nas`.
    pub medium: Medium,
    /// The last round of an EAP conversation that failed; 0 of everything else.
    pub rounds: u16,
    /// Version of a mail client's protocol in tenths; 0 on the other planes.
    pub mail_version: u8,
    /// Whether a mail client fetches an attachment.
    pub attachment: bool,
    /// Whether `known_client` is of this record, and not of an earlier one.
    pub is_of_client: bool,
    /// The facts that were seen; of a refusal, what is filled in without them.
    pub seen: Seen,
    /// How the peer authenticated: `eap-tls 1.3`, `mab`, `pap`, `eas Sync`, …
    pub method: Text<40>,
    /// See `nas`.
    pub nas_group: Text<{ Self::MAX_NAS_GROUP }>,
    /// NAS name, group, port and network name; empty on the other planes.
    pub nas: Text<{ Self::MAX_NAS }>,
    /// See `nas`.
    pub ssid: Text<32>,
    /// The identifier of the device as it was presented, for people.
    pub presented: Text<64>,
    /// The authenticated user, or the name that was tried when `outcome` is a refusal.
    pub user: Text<128>,
    /// DeviceType of a mail client; empty on the other planes.
    pub device_type: Text<32>,
    /// User-Agent of a mail client; empty on the other planes.
    pub user_agent: Text<96>,
    /// What came of it.
    pub outcome: Outcome,
    /// What was known of a mail client, where `is_of_client`.
    pub known_client: ClientEntry,
}

/// What a request was for: the application that was called, and what it was called at (R86).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Called {
    /// Name, host and path of a published application; empty of ActiveSync.
    pub application: Box<str>,
    /// The upstream, and of an application also where it is and the path there.
    pub upstream: Box<str>,
}

/// What a record records.
#[derive(Clone, Copy, Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "a record is of one size and filled in where it stays"
)]
pub enum Outcome {
    /// A decision was made.
    Decided(Decision),
    /// The peer was not authenticated, so there was nothing to decide.
    NotAuthenticated(Text<MAX_WHY>),
}

/// Octets of a sentence that says why a peer was not authenticated.
const MAX_WHY: usize = 255;

impl DecisionRecord {
    /// Longest NAS name in octets; the configuration takes no longer one, so that none is cut.
    pub const MAX_NAS: usize = 64;
    /// Longest name of a group of NASes, likewise.
    pub const MAX_NAS_GROUP: usize = 48;
    /// Most octets of the certificates that were shown: three with names of a common length.
    pub const MAX_CHAIN: usize = 255;

    /// The record of a decision; the caller adds what only its plane knows.
    #[must_use]
    pub fn new(id: Correlation, method: &str, subject: &Subject<'_>, decided: &Decided) -> Self {
        let mut record = Self::blank();
        record.fill(id, method, subject, decided);
        record
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
        let mut record = Self::blank();
        record.fill_refused(id, method, subject, why, now);
        record
    }

    /// As much of the certificates that were shown as a record keeps, [`Self::MAX_CHAIN`] octets: whole
    /// ones, and how many more there were. Certificates stand apart by `; `.
    #[must_use]
    pub fn chain_of(shown: &str) -> Box<str> {
        if shown.len() <= Self::MAX_CHAIN {
            return shown.into();
        }
        let mut items: Vec<&str> = shown.split("; ").collect();
        let counted = items.last().and_then(|last| {
            let count = last.strip_prefix("and ")?.strip_suffix(" more")?;
            count.parse::<usize>().ok()
        });
        if counted.is_some() {
            items.pop();
        }
        for kept in (1..items.len()).rev() {
            let more = items.len() - kept + counted.unwrap_or(0);
            let whole = items.get(..kept).unwrap_or_default().join("; ");
            let text = format!("{whole}; and {more} more");
            if text.len() <= Self::MAX_CHAIN {
                return text.into();
            }
        }
        // Not even the first: as much of it as there is room for.
        let end = shown.floor_char_boundary(Self::MAX_CHAIN);
        shown.get(..end).unwrap_or_default().into()
    }

    /// A record of nothing, to be filled.
    pub(super) fn blank() -> Self {
        Self {
            id: Correlation(0),
            method: Text::EMPTY,
            user: Text::EMPTY,
            nas: Text::EMPTY,
            nas_group: Text::EMPTY,
            medium: Medium::default(),
            ssid: Text::EMPTY,
            from: None,
            station: None,
            presented: Text::EMPTY,
            claims: None,
            device_type: Text::EMPTY,
            user_agent: Text::EMPTY,
            mail_version: 0,
            is_of_client: false,
            known_client: ClientEntry::default(),
            attachment: false,
            seen: Seen::BLANK,
            outcome: Outcome::Decided(Decision::new(Verdict::Block, Reason::UserUnknown)),
            advice: None,
            chain: None,
            called: None,
            rounds: 0,
            generation: Generation::default(),
        }
    }

    /// Turns this into what [`new`](Self::new) gives; nothing is left of what it was.
    pub fn fill(
        &mut self,
        id: Correlation,
        method: &str,
        subject: &Subject<'_>,
        decided: &Decided,
    ) {
        self.fill_subject(id, method, subject);
        self.seen = decided.seen;
        self.outcome = Outcome::Decided(decided.decision);
        self.generation = decided.generation;
        if let Some(client) = decided.client {
            self.is_of_client = true;
            self.known_client = client;
        }
    }

    /// Turns this into what [`not_authenticated`](Self::not_authenticated) gives; nothing is left
    /// of what it was.
    pub fn fill_refused(
        &mut self,
        id: Correlation,
        method: &str,
        subject: &Subject<'_>,
        why: &str,
        now: Timestamp,
    ) {
        self.fill_subject(id, method, subject);
        self.seen = Seen::nothing(subject, now);
        self.outcome = Outcome::NotAuthenticated(Text::new(why));
        self.generation = Generation::default();
    }

    /// All but what was seen and what came of it.
    fn fill_subject(&mut self, number: Correlation, name: &str, subject: &Subject<'_>) {
        // Every field by name: one that is added and forgotten here would keep what it held.
        let Self {
            id,
            method,
            user,
            nas,
            nas_group,
            medium,
            ssid,
            from,
            station,
            presented,
            claims,
            device_type,
            user_agent,
            mail_version,
            is_of_client,
            known_client: _,
            attachment,
            advice,
            chain,
            called,
            rounds,
            seen: _,
            outcome: _,
            generation: _,
        } = self;
        *id = number;
        method.set(name);
        user.set_option(subject.user);
        nas.set_option(subject.nas.map(|nas| nas.name));
        nas_group.set_option(subject.nas.map(|nas| nas.group));
        *medium = subject.nas.map(|nas| nas.medium).unwrap_or_default();
        ssid.set_option(subject.nas.and_then(|nas| nas.ssid));
        *from = None;
        *station = None;
        presented.set("");
        let said = subject.nas.and_then(|nas| nas.claims);
        *claims = said.and_then(|said| ClaimedTexts::new(&said).map(Box::new));
        *advice = None;
        *chain = None;
        *called = None;
        *rounds = 0;
        device_type.set_option(subject.mail.map(|mail| mail.device_type));
        user_agent.set_option(subject.mail.map(|mail| mail.user_agent));
        *is_of_client = false;
        *mail_version = subject.mail.map_or(0, |mail| mail.version);
        *attachment = subject.mail.is_some_and(|mail| mail.attachment);
    }

    /// What was known of the mail client; `None` at other doors.
    #[must_use]
    pub fn client(&self) -> Option<&ClientEntry> {
        self.is_of_client.then_some(&self.known_client)
    }

    pub(super) fn nas_context(&self) -> Option<NasContext<'_>> {
        self.nas.as_option().map(|name| NasContext {
            name,
            group: self.nas_group.as_str(),
            medium: self.medium,
            ssid: self.ssid.as_option(),
            claims: self.claims.as_deref().map(ClaimedTexts::claims),
        })
    }

    pub(super) fn mail_context(&self) -> Option<MailContext<'_>> {
        // Behind a comma it says how the command came or was let in.
        let command = self.method.as_str().strip_prefix("eas ").unwrap_or("");
        let command = command.split(',').next().unwrap_or_default();
        let mail = MailContext {
            device_type: self.device_type.as_str(),
            user_agent: self.user_agent.as_str(),
            version: self.mail_version,
            command,
            attachment: self.attachment,
            ..MailContext::default()
        };
        let stated = !mail.device_type.is_empty() || !mail.user_agent.is_empty();
        stated.then_some(mail)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chain_is_cut_between_certificates_and_says_how_many_more_there_were() {
        let one = |number: usize| format!("CN=device {number}, {}", "x".repeat(80));
        let of = |count: usize| (0..count).map(one).collect::<Vec<_>>().join("; ");
        assert_eq!(&*DecisionRecord::chain_of(&of(2)), of(2));
        assert_eq!(
            &*DecisionRecord::chain_of(&of(4)),
            format!("{}; and 2 more", of(2))
        );
        let counted = format!("{}; and 21 more", of(4));
        assert_eq!(
            &*DecisionRecord::chain_of(&counted),
            format!("{}; and 23 more", of(2))
        );
        let long = "\u{e9}".repeat(300);
        let cut = DecisionRecord::chain_of(&long);
        assert!(cut.len() <= DecisionRecord::MAX_CHAIN && long.starts_with(&*cut));
    }
}
