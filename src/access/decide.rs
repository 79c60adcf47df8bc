//! The decision point (NIST SP 800-207): one reader of the inventory, one current policy.

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;

use arc_swap::ArcSwap;

use crate::access::line::Line;
use crate::access::record::DecisionRecord;
use crate::access::seen;
use crate::access::seen::Seen;
use crate::inventory::ClientEntry;
use crate::inventory::Lookup;
use crate::inventory::Reader;
use crate::inventory::Told;
use crate::model::CertificateId;
use crate::model::Decision;
use crate::model::DeviceId;
use crate::model::EasDeviceId;
use crate::model::Established;
use crate::model::Generation;
use crate::model::Identifier;
use crate::model::MacAddress;
use crate::model::OsVersion;
use crate::model::Presented;
use crate::model::Reason;
use crate::model::Subject;
use crate::model::Timestamp;
use crate::model::UserId;
use crate::model::Verdict;
use crate::policy::Explanation;
use crate::policy::Policy;
use crate::policy::Trace;
use crate::policy::evaluate;
use crate::policy::explain;

/// Decides for every plane; shared by all threads.
pub struct DecisionPoint {
    reader: Reader,
    policy: ArcSwap<InForce>,
    /// Certificates of those who are in that have been revoked since. Whoever comes anew with one is
    /// refused before anybody decides.
    revoked: ArcSwap<HashSet<CertificateId>>,
    /// Whether there is one, so that every other decision costs one look.
    any_revoked: AtomicBool,
    /// Mail clients that are let in and have not been served yet.
    pub(super) line: Arc<Line>,
}

/// A policy and the number of its coming into force, swapped as one: a number that stood beside
/// the policy could be read with another policy than its own.
struct InForce {
    policy: Arc<Policy>,
    number: u64,
}

/// A decision, the facts it was made from, and the generation it belongs to.
#[derive(Clone, Copy, Debug)]
pub struct Decided {
    /// The answer.
    pub decision: Decision,
    /// What it was made from.
    pub seen: Seen,
    /// What was known of the mail client; `None` at other doors.
    pub client: Option<ClientEntry>,
    /// Read before the facts: if it is still current later, so is the decision.
    pub generation: Generation,
}

impl DecisionPoint {
    /// A decision point over `reader` that starts with `policy`.
    #[must_use]
    pub fn new(reader: Reader, policy: Policy) -> Self {
        Self {
            reader,
            policy: ArcSwap::from_pointee(InForce {
                policy: Arc::new(policy),
                number: 1,
            }),
            revoked: ArcSwap::default(),
            any_revoked: AtomicBool::new(false),
            line: Arc::default(),
        }
    }

    /// The name by which a user is listed, whichever of their names this is; a name of nobody is itself.
    #[must_use]
    pub fn own_name<'a>(&'a self, name: &'a str) -> &'a str {
        self.known_name(name).unwrap_or(name)
    }

    /// The same of a user that is known by this name.
    #[must_use]
    pub fn known_name(&self, name: &str) -> Option<&str> {
        let entry = self.reader.user(name)?;
        self.reader.user_name(entry.user).map(UserId::as_str)
    }

    /// Frees the place in line that a user's mail client has for nothing but an answer, if its record is gone.
    /// To be called when an administrator has had it forgotten.
    pub fn free_place(&self, user: &str, eas: EasDeviceId) {
        if let Some(user) = self.reader.client_user(user)
            && self.reader.counts_alone(user, &eas).is_none()
        {
            self.line.forget(user, eas);
        }
    }

    /// Decides. Waits for nothing, locks nothing, allocates nothing; but for a mail client that has
    /// no place among its user's devices, while others are about to get one, it looks at their line.
    pub fn decide(&self, now: Timestamp, subject: &Subject<'_>, trace: &mut Trace) -> Decided {
        let in_force = self.policy.load();
        let generation = Generation {
            inventory: self.reader.generation(),
            policy: in_force.number,
        };
        let seen = Seen::look_up(&self.reader, subject, now);
        let client = self.client(now, subject, &seen);
        let mail = subject.mail;
        let mail = mail.map(|mail| seen::with_known(&self.reader, client.as_ref(), mail));
        let facts = seen.facts(&self.reader, subject.user, subject.nas, mail);
        let decision = if self.any_revoked.load(Ordering::Relaxed) && self.is_revoked(subject) {
            Decision::new(Verdict::Block, Reason::CertificateRevoked)
        } else if client.is_some_and(|client| client.wipe.is_some()) {
            // Whatever the policies say of it: an administrator wants it gone (R40, R41).
            Decision::new(Verdict::Block, Reason::DeviceRetired)
        } else {
            evaluate(&in_force.policy, &facts, trace)
        };
        Decided {
            decision,
            seen,
            client,
            generation,
        }
    }

    /// What is known of the mail client that the subject names; if it has no place among its user's
    /// devices, its rank is behind those of its user that stand in line before it.
    fn client(&self, now: Timestamp, subject: &Subject<'_>, seen: &Seen) -> Option<ClientEntry> {
        let named @ (eas, user) = seen::named_client(subject)?;
        let is = seen.device_of_client(subject);
        let known = self.reader.client(eas, user, is);
        if known.counts || self.line.is_empty() {
            return Some(known);
        }
        Some(self.client_in_line(now, named, is))
    }

    #[cold]
    fn client_in_line(
        &self,
        now: Timestamp,
        named: (&EasDeviceId, &str),
        is: Option<DeviceId>,
    ) -> ClientEntry {
        let (eas, user) = named;
        let number = self.reader.client_user(user);
        // Before the inventory is asked: who leaves the line with success counts there by then.
        let ahead = number.map(|number| self.line.ahead(now, number, *eas));
        let ahead = ahead.unwrap_or_default();
        self.reader.client_behind(named, is, &ahead)
    }

    /// Whether a machine is to be judged as the account of this name: a source lists it, and the device
    /// has no owner in whose name it would be judged.
    #[must_use]
    pub fn has_account_of_its_own(&self, machine: &str, device: &[Presented<'_>]) -> bool {
        let owned = |presented: &Presented<'_>| match self.reader.find(&presented.identifier) {
            Lookup::Found(posture, _) => posture.owner.is_some(),
            Lookup::Ambiguous | Lookup::OfAnotherUser | Lookup::Unknown => false,
        };
        let entry = self.reader.user(machine);
        entry.is_some_and(|entry| entry.listed) && !device.iter().any(owned)
    }

    #[cold]
    fn is_revoked(&self, subject: &Subject<'_>) -> bool {
        let revoked = self.revoked.load();
        let mut proven = subject
            .device
            .iter()
            .filter(|one| one.established == Established::Proven);
        proven.any(|one| match &one.identifier {
            Identifier::Certificate(id) => revoked.contains(id),
            Identifier::Device(_)
            | Identifier::Entra(_)
            | Identifier::Serial(_)
            | Identifier::Eas(..)
            | Identifier::Mac(_) => false,
        })
    }

    /// Says which certificates of those who are in have been revoked; says whether others are than
    /// before. Whoever is in is judged again by a sweep.
    pub fn replace_revoked(&self, certificates: HashSet<CertificateId>) -> bool {
        if **self.revoked.load() == certificates {
            return false;
        }
        let any = !certificates.is_empty();
        self.revoked.store(Arc::new(certificates));
        self.any_revoked.store(any, Ordering::Relaxed);
        true
    }

    /// Which those are.
    #[must_use]
    pub fn revoked(&self) -> Arc<HashSet<CertificateId>> {
        self.revoked.load_full()
    }

    /// Whether the policy in force has a word about attachments, so that it must be known of each
    /// request whether it fetches one.
    #[must_use]
    pub fn asks_about_attachments(&self) -> bool {
        self.policy.load().policy.asks_about_attachments()
    }

    /// Whether the policy in force has a word about messages that are sent, so that it must be known of
    /// each Sync whether it sends one.
    #[must_use]
    pub fn asks_about_sending(&self) -> bool {
        self.policy.load().policy.asks_about_sending()
    }

    /// Whether what a mail client tells of its device may change this: every policy that has decided it
    /// goes by that, and all of them are known. The version that a source states counts more than the one
    /// that a client tells.
    #[must_use]
    pub fn rests_on_telling(&self, decided: &Decided) -> bool {
        let set = self.policy.load();
        let posture = decided.seen.posture();
        let has_version = posture.is_some_and(|posture| posture.os_version != OsVersion::UNKNOWN);
        let mut deciding = decided.decision.deciding.iter().flatten().peekable();
        !decided.decision.more_deciding
            && deciding.peek().is_some()
            && deciding.all(|id| set.policy.goes_by_telling(*id, has_version))
    }

    /// Whether a mail client tells of its device what its record does not say.
    #[must_use]
    pub fn is_news(&self, client: &ClientEntry, told: &Told) -> bool {
        let version = told.os_version();
        let model = &*told.model;
        !model.is_empty() && model != self.reader.client_model(client)
            || version != OsVersion::UNKNOWN && version != client.os_version
    }

    /// Whether the policy in force goes by how many mail devices a user has, so that one which does not
    /// count yet needs a place among them.
    #[must_use]
    pub fn counts_devices(&self) -> bool {
        self.policy.load().policy.counts_devices()
    }

    /// Reads ahead what decisions about these addresses will read: a hint, see
    /// [`Reader::read_ahead`].
    pub fn read_ahead(&self, addresses: &[MacAddress]) {
        self.reader.read_ahead(addresses);
    }

    /// The generation that a decision made now would carry.
    #[must_use]
    pub fn generation(&self) -> Generation {
        Generation {
            inventory: self.reader.generation(),
            policy: self.policy.load().number,
        }
    }

    /// Whether nothing has changed since `decided` was made.
    #[must_use]
    pub fn is_current(&self, decided: &Decided) -> bool {
        self.generation() == decided.generation
    }

    /// Puts another policy into force. Decisions under way keep the one they loaded; they notice
    /// by the generation.
    pub fn replace_policy(&self, policy: Policy) {
        let policy = Arc::new(policy);
        self.policy.rcu(|before| InForce {
            policy: Arc::clone(&policy),
            number: before.number.wrapping_add(1),
        });
    }

    /// The policy in force.
    #[must_use]
    pub fn policy(&self) -> Arc<Policy> {
        Arc::clone(&self.policy.load().policy)
    }

    /// The policy of that generation, if it is still in force.
    #[must_use]
    pub fn policy_of(&self, generation: Generation) -> Option<Arc<Policy>> {
        let in_force = self.policy.load();
        (in_force.number == generation.policy).then(|| Arc::clone(&in_force.policy))
    }

    /// The inventory that decisions read.
    #[must_use]
    pub fn reader(&self) -> &Reader {
        &self.reader
    }

    /// The whole trace of a past decision: the facts of its record, judged by the policy in
    /// force now. `None` if the policy has been replaced since: another policy would explain
    /// another decision.
    #[must_use]
    pub fn explain(&self, record: &DecisionRecord) -> Option<Explanation> {
        let policy = self.policy_of(record.generation)?;
        let facts = record.seen.facts(
            &self.reader,
            record.user.as_option(),
            record.nas_context(),
            record
                .mail_context()
                .map(|mail| seen::with_known(&self.reader, record.client(), mail)),
        );
        let name = |source| self.reader.source_name(source);
        Some(explain(&policy, &facts, &name))
    }
}

impl fmt::Debug for DecisionPoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DecisionPoint")
            .field("generation", &self.generation())
            .finish_non_exhaustive()
    }
}
