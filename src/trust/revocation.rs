//! Whether a certificate is revoked, as far as lists tell (RFC 5280 section 6.3).
//!
//! A list is bound to the key that signed it: it says something of a certificate if it bears its
//! issuer's name, covers it, and is signed by the issuer that stands in the certificate's path. By
//! which algorithm does not matter, in the 192-bit mode neither: lists are shared with groups that do
//! not use it, and a list that nobody takes lets in what it revokes.
//!
//! Lists come from the configuration and, while the gateway runs, through a [`Watch`]. Both stand in
//! one index, which whoever finds it out of date makes anew: once for each list that has come.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use rustls::crypto::WebPkiSupportedAlgorithms;
use rustls::pki_types::UnixTime;

use super::chain::Link;
use super::list::RevocationList;
use super::list::Scope;
use super::watch::Watch;
use crate::model::CertificateId;

/// What is demanded of lists. By default nothing: a list that is there tells, however old it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Demand {
    /// Whether a certificate that no list covers is refused, and one that only lists out of date
    /// cover.
    pub coverage: bool,
    /// Whether a certificate that lists cover, but only such that are out of date, is refused.
    pub current: bool,
    /// How long after its nextUpdate a list still counts as current.
    pub grace: Duration,
}

/// All lists, found by the issuer's name.
#[derive(Debug)]
pub(super) struct Revocation {
    /// Those of the configuration.
    given: Vec<Arc<RevocationList>>,
    /// Where others come from.
    watch: Option<Arc<Watch>>,
    index: ArcSwap<Index>,
    demand: Demand,
    algorithms: WebPkiSupportedAlgorithms,
}

#[derive(Debug, Default)]
struct Index {
    /// That of the watch's lists here.
    generation: u64,
    /// Those of one scope with the newest first, of which only the first counts.
    lists: HashMap<Box<[u8]>, Vec<Arc<RevocationList>>>,
}

impl Revocation {
    pub(super) fn new(
        given: Vec<RevocationList>,
        watch: Option<Arc<Watch>>,
        demand: Demand,
        algorithms: WebPkiSupportedAlgorithms,
    ) -> Self {
        let new = Self {
            given: given.into_iter().map(Arc::new).collect(),
            watch,
            index: ArcSwap::default(),
            demand,
            algorithms,
        };
        new.index.store(Arc::new(new.indexed()));
        new
    }

    /// Makes the index anew.
    fn indexed(&self) -> Index {
        let (generation, fetched) = match &self.watch {
            Some(watch) => watch.lists(),
            None => (0, Arc::default()),
        };
        let mut lists: HashMap<Box<[u8]>, Vec<_>> = HashMap::new();
        for list in self.given.iter().chain(&*fetched) {
            let same = lists.entry(list.issuer().into()).or_default();
            same.push(Arc::clone(list));
        }
        for lists in lists.values_mut() {
            lists.sort_by(|one, other| other.age.cmp(&one.age));
        }
        Index { generation, lists }
    }

    /// The index, after everything that has come since it was made.
    fn index(&self) -> arc_swap::Guard<Arc<Index>> {
        let index = self.index.load();
        match &self.watch {
            Some(watch) if watch.generation() != index.generation => {
                drop(index);
                self.index.store(Arc::new(self.indexed()));
                self.index.load()
            }
            Some(_) | None => index,
        }
    }

    /// Whether the certificate is good as far as lists tell.
    ///
    /// A list in its issuer's name that its issuer has not signed tells nothing, and then nobody
    /// knows what the right one would say: that refuses the certificate even where no list is
    /// demanded.
    pub(super) fn check(&self, link: &Link, now: UnixTime) -> Result<(), webpki::Error> {
        let issuer = &*link.issuer;
        let index = self.index();
        let lists = index.lists.get(&issuer.name).map_or(&[][..], Vec::as_slice);
        let mut told: Vec<&Scope> = Vec::new();
        let (mut forged, mut outdated) = (false, None);
        let mut current = false;
        for list in lists.iter().filter(|list| list.scope.covers(&link.facts)) {
            if !list.is_signed_by(&issuer.key, &self.algorithms) {
                forged = true;
                continue;
            }
            if !issuer.lists {
                return Err(webpki::Error::IssuerNotCrlSigner);
            }
            if told.contains(&&list.scope) {
                continue;
            }
            if list.revoked.contains(&link.facts.id) {
                return Err(webpki::Error::CertRevoked);
            }
            if self.is_current(list, now) {
                current = true;
            } else {
                outdated = Some(list.next_update);
            }
            told.push(&list.scope);
        }
        let Demand {
            coverage,
            current: timely,
            ..
        } = self.demand;
        match (outdated, forged) {
            _ if current => Ok(()),
            (Some(next_update), _) if coverage || timely => Err(webpki::Error::CrlExpired {
                time: now,
                next_update,
            }),
            (Some(_), _) => Ok(()),
            (None, true) => Err(webpki::Error::InvalidCrlSignatureForPublicKey),
            (None, false) if coverage => Err(webpki::Error::UnknownRevocationStatus),
            (None, false) => Ok(()),
        }
    }

    fn is_current(&self, list: &RevocationList, now: UnixTime) -> bool {
        let end = list.next_update.as_secs();
        now.as_secs() < end.saturating_add(self.demand.grace.as_secs())
    }

    /// The list that revokes a certificate; of several the newest.
    pub(super) fn revoking(&self, id: &CertificateId) -> Option<Arc<RevocationList>> {
        let index = self.index();
        let mut all = index.lists.values().flatten();
        all.find(|list| list.surely_revokes(id)).cloned()
    }
}
