//! What is learned of revocation while the gateway runs: lists that were fetched, and what OCSP
//! responders say.
//!
//! A meeting place without sockets. Handshakes look up what is here and say what they miss; a shell
//! ([`Watch::take_question`], [`Watch::points`]) fetches it and puts it here. Nobody who decides waits
//! for it, but for a conversation that waits off the packet loop ([`Watch::settled`]). It outlives
//! verifiers, so that a reload forgets nothing.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::OnceLock;
use std::sync::PoisonError;

use arc_swap::ArcSwap;
use rustls::crypto::WebPkiSupportedAlgorithms;
use rustls::pki_types::UnixTime;

use super::chain::Issuer;
use super::list::RevocationList;
use super::list::signed_by_one;
use super::ocsp::Question;
use super::status::Settled;
use super::status::Standing;
use super::status::Statuses;
use super::status::Told;
use crate::model::CertificateId;

/// Fetched lists and OCSP statuses.
pub struct Watch {
    lists: ArcSwap<Fetched>,
    desk: Mutex<Desk>,
    statuses: Statuses,
    algorithms: WebPkiSupportedAlgorithms,
    bell: OnceLock<Box<dyn Fn() + Send + Sync>>,
}

#[derive(Default)]
struct Fetched {
    generation: u64,
    lists: Arc<Vec<Arc<RevocationList>>>,
}

#[derive(Default)]
struct Desk {
    /// Lists in use, by where they come from.
    used: BTreeMap<Box<str>, Arc<RevocationList>>,
    /// Lists whose issuer is not known yet.
    held: BTreeMap<Box<str>, Arc<RevocationList>>,
    /// Authorities that are roots, or have stood in a path to one.
    issuers: Vec<Arc<Issuer>>,
    /// Distribution points that certificates of such paths have named.
    points: BTreeSet<Box<str>>,
}

/// What became of a list that was put in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Installed {
    /// It counts from now on.
    Used,
    /// It counts once a certificate chain has shown its issuer.
    Held,
}

/// Why a list was not put in; what was there before still counts.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotInstalled {
    /// Nobody who bears its issuer's name has signed it.
    #[error("the list is in the name of {issuer}, who has not signed it")]
    Forged {
        /// In whose name it is.
        issuer: String,
    },
    /// An older one than that in use: a server that was set back, or somebody who replays.
    #[error("the list is older than the one in use")]
    Older,
}

impl Watch {
    /// Nothing is known.
    #[must_use]
    pub fn new(algorithms: WebPkiSupportedAlgorithms) -> Self {
        Self {
            lists: ArcSwap::default(),
            desk: Mutex::default(),
            statuses: Statuses::default(),
            algorithms,
            bell: OnceLock::new(),
        }
    }

    /// Has `bell` rung whenever there is something to fetch or something has changed; the first one
    /// stays.
    pub fn ring(&self, bell: Box<dyn Fn() + Send + Sync>) {
        // A second one would be a mistake of the wiring, and the first still rings.
        drop(self.bell.set(bell));
    }

    fn rings(&self) {
        if let Some(bell) = self.bell.get() {
            bell();
        }
    }

    fn desk(&self) -> MutexGuard<'_, Desk> {
        // Every change of the desk is one call, so a panic elsewhere leaves it whole.
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes with every list that comes or goes.
    pub fn generation(&self) -> u64 {
        self.lists.load().generation
    }

    /// The lists in use, and the generation they are of.
    pub(super) fn lists(&self) -> (u64, Arc<Vec<Arc<RevocationList>>>) {
        let fetched = self.lists.load();
        (fetched.generation, Arc::clone(&fetched.lists))
    }

    fn publish(&self, desk: &Desk) {
        let lists = Arc::new(desk.used.values().cloned().collect());
        self.lists.rcu(|before| Fetched {
            generation: before.generation.wrapping_add(1),
            lists: Arc::clone(&lists),
        });
    }

    /// Puts in a list that was fetched from `place`, in the place of the one of before.
    ///
    /// # Errors
    ///
    /// When it is forged or older; nothing has changed then.
    pub fn install(
        &self,
        place: &str,
        list: Arc<RevocationList>,
    ) -> Result<Installed, NotInstalled> {
        let mut desk = self.desk();
        let before = desk.used.get(place);
        if before.is_some_and(|before| list.is_older_than(before)) {
            return Err(NotInstalled::Older);
        }
        match signed_by_one(&list, &desk.issuers, &self.algorithms) {
            Some(true) => {
                desk.held.remove(place);
                desk.used.insert(place.into(), list);
                self.publish(&desk);
                drop(desk);
                self.rings();
                Ok(Installed::Used)
            }
            Some(false) => Err(NotInstalled::Forged {
                issuer: list.issuer_name().to_owned(),
            }),
            None => {
                desk.held.insert(place.into(), list);
                Ok(Installed::Held)
            }
        }
    }

    /// Forgets the lists of all other places.
    pub fn retain(&self, keep: impl Fn(&str) -> bool) {
        let mut desk = self.desk();
        let before = desk.used.len();
        desk.used.retain(|place, _| keep(place));
        desk.held.retain(|place, _| keep(place));
        if desk.used.len() != before {
            self.publish(&desk);
        }
    }

    /// An authority that is trusted, directly or below one that is.
    pub(super) fn knows(&self, issuer: &Arc<Issuer>) {
        let mut desk = self.desk();
        if desk.issuers.len() >= MAX_ISSUERS || desk.issuers.contains(issuer) {
            return;
        }
        desk.issuers.push(Arc::clone(issuer));
        let known = |list: &RevocationList| {
            signed_by_one(list, &desk.issuers, &self.algorithms) == Some(true)
        };
        let freed: Vec<_> = desk
            .held
            .iter()
            .filter(|(_, list)| known(list))
            .map(|(place, list)| (place.clone(), Arc::clone(list)))
            .collect();
        if freed.is_empty() {
            return;
        }
        for (place, list) in freed {
            desk.held.remove(&place);
            desk.used.insert(place, list);
        }
        self.publish(&desk);
        drop(desk);
        self.rings();
    }

    /// A certificate that leads to a root says that lists about it are to be had here.
    pub(super) fn saw_points<'p>(&self, points: impl IntoIterator<Item = &'p str>) {
        let mut desk = self.desk();
        let before = desk.points.len();
        for point in points {
            let usable = point.len() <= MAX_POINT && point.starts_with("http://");
            if usable && desk.points.len() < MAX_POINTS && !desk.points.contains(point) {
                desk.points.insert(point.into());
            }
        }
        if desk.points.len() != before {
            drop(desk);
            self.rings();
        }
    }

    /// Remembers a distribution point from before a restart; says whether there was room.
    pub fn remember_point(&self, point: &str) -> bool {
        let mut desk = self.desk();
        let room = desk.points.len() < MAX_POINTS && point.len() <= MAX_POINT;
        if room {
            desk.points.insert(point.into());
        }
        room
    }

    /// The distribution points that certificates have named, `http` only.
    #[must_use]
    pub fn points(&self) -> Vec<Box<str>> {
        self.desk().points.iter().cloned().collect()
    }

    /// What is known of a certificate by OCSP.
    pub(super) fn standing(&self, id: &CertificateId, now: UnixTime) -> Standing {
        self.statuses.standing(id, now)
    }

    /// Has a responder asked, unless it is being asked already. If too many wait, this one does not.
    pub(super) fn ask(&self, question: &Arc<Question>) {
        if self.statuses.ask(question) {
            self.rings();
        }
    }

    /// Resolves when nobody is asked about this certificate any more.
    pub fn settled(self: &Arc<Self>, question: &Question) -> Settled {
        Settled::new(Arc::clone(self), question.id)
    }

    pub(super) const fn statuses(&self) -> &Statuses {
        &self.statuses
    }

    /// The next certificate to ask a responder about.
    #[must_use]
    pub fn take_question(&self) -> Option<Arc<Question>> {
        self.statuses.take_question()
    }

    /// What came of a question; it counts until then.
    pub fn told(&self, question: &Question, told: Told, until: UnixTime) {
        let is_revoked = matches!(told, Told::Revoked);
        self.statuses.told(question.id, told, until);
        if is_revoked {
            self.rings();
        }
    }

    /// Whether a responder has said last that this certificate is revoked.
    #[must_use]
    pub fn is_revoked_online(&self, id: &CertificateId) -> bool {
        self.statuses.is_revoked(id)
    }

    /// Whether a list that was fetched, or a responder, says that this certificate is revoked.
    #[must_use]
    pub fn is_revoked(&self, id: &CertificateId) -> bool {
        let fetched = self.lists.load();
        let mut lists = fetched.lists.iter();
        lists.any(|list| list.surely_revokes(id)) || self.is_revoked_online(id)
    }

    /// Whether the list of a place counts; else it waits for its issuer, or there is none.
    #[must_use]
    pub fn uses(&self, place: &str) -> bool {
        self.desk().used.contains_key(place)
    }

    /// How many certificates' statuses are known.
    #[must_use]
    pub fn statuses_known(&self) -> usize {
        self.statuses.len()
    }
}

/// How much there is, and of whom not.
impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watch")
            .field("generation", &self.generation())
            .field("statuses", &self.statuses_known())
            .finish_non_exhaustive()
    }
}

/// Authorities that are known: those of a large company and of those it has bought. A list by one
/// beyond them is held.
const MAX_ISSUERS: usize = 256;

/// Distribution points that are remembered: some authorities have one for every thousand
/// certificates. Of those beyond them no list is fetched.
const MAX_POINTS: usize = 64;

/// Octets of the address of one.
const MAX_POINT: usize = 1024;
