//! The verifier that both doors ask.

use std::cell::Cell;
use std::cell::RefCell;
use std::sync::Arc;
use std::time::Duration;

use rustls::CertificateError;
use rustls::DigitallySignedStruct;
use rustls::DistinguishedName;
use rustls::RootCertStore;
use rustls::SignatureScheme;
use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::CryptoProvider;
use rustls::crypto::WebPkiSupportedAlgorithms;
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::crypto::verify_tls12_signature;
use rustls::crypto::verify_tls13_signature;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::UnixTime;
use webpki::EndEntityCert;
use webpki::VerifiedPath;

use super::chain::Asked;
use super::chain::Chain;
use super::chain::Facts;
use super::chain::Issuer;
use super::chain::Link;
use super::chain::Points;
use super::error::Online;
use super::error::OnlineRefusal;
use super::error::Unusable;
use super::error::in_tls;
use super::error::refusal;
use super::key_usage::KeyMisused;
use super::material::Fail;
use super::material::Material;
use super::material::Upkeep;
use super::material::anchor;
use super::material::read_lists;
use super::material::trust;
use super::memory::Key;
use super::memory::Memory;
use super::ocsp::Question;
use super::revocation::Demand;
use super::revocation::Revocation;
use super::status::Settled;
use super::status::Told;
use super::strength::check_key;
use super::strength::explained;
use crate::model::CertificateId;
use crate::model::Fingerprint;

/// Verifies chains of client certificates. One for each configuration: after a reload handshakes
/// ask another one, which remembers nothing of this, so no other roots and lists than its own have
/// ever stood behind what it remembers.
pub struct Verifier {
    roots: RootCertStore,
    /// Names the roots.
    trust: Fingerprint,
    /// The certificates of the roots: some devices present theirs too.
    root_certificates: Box<[CertificateDer<'static>]>,
    /// The roots as issuers, in the order of the store.
    anchors: Vec<Arc<Issuer>>,
    hints: Vec<DistinguishedName>,
    strong: bool,
    revocation: Revocation,
    upkeep: Option<Upkeep>,
    waiting: Vec<(usize, String)>,
    algorithms: WebPkiSupportedAlgorithms,
    memory: Memory,
    /// Chains whose holder has not signed yet, by its certificate.
    unproven: Memory,
}

impl Verifier {
    /// Checks the material.
    ///
    /// # Errors
    ///
    /// The first thing that cannot be used.
    pub fn build(material: Material<'_>, provider: &Arc<CryptoProvider>) -> Result<Self, Unusable> {
        if material.roots.is_empty() {
            return Err(Unusable::NoRoots);
        }
        let mut roots = RootCertStore::empty();
        for (position, root) in (1..).zip(material.roots) {
            roots
                .add(root.clone())
                .map_err(|source| Unusable::Root { position, source })?;
        }
        let anchors: Vec<_> = roots.roots.iter().map(anchor).collect();
        let algorithms = provider.signature_verification_algorithms;
        let for_lists = default_provider().signature_verification_algorithms;
        let (lists, waiting) = read_lists(&material, &anchors, for_lists)?;
        let upkeep = material.upkeep.cloned();
        if let Some(upkeep) = &upkeep {
            // Authorities below a root are known once a path has shown them.
            anchors.iter().for_each(|anchor| upkeep.watch.knows(anchor));
        }
        let demand = Demand {
            coverage: material.demand_revocation,
            current: upkeep.as_ref().is_some_and(|upkeep| upkeep.demand_current),
            grace: upkeep
                .as_ref()
                .map_or(Duration::ZERO, |upkeep| upkeep.grace),
        };
        let watch = upkeep.as_ref().map(|upkeep| Arc::clone(&upkeep.watch));
        Ok(Self {
            hints: roots.subjects(),
            roots,
            trust: trust(material.roots, material.strong),
            strong: material.strong,
            root_certificates: material.roots.into(),
            anchors,
            revocation: Revocation::new(lists, watch, demand, for_lists),
            upkeep,
            waiting,
            algorithms,
            memory: Memory::new(material.remembered),
            unproven: Memory::new(material.remembered.min(UNPROVEN)),
        })
    }

    /// Revocation lists whose issuer is not known: their places, from 1, and the issuers' names.
    /// Such a list begins to tell something when the first chain comes that carries its issuer.
    #[must_use]
    pub fn waiting_lists(&self) -> &[(usize, String)] {
        &self.waiting
    }

    /// Verifies the chain that a client presents at `now`, whether it is remembered or not.
    ///
    /// # Errors
    ///
    /// What is wrong with it, as rustls's own verifier would say; a key that is misused is told as
    /// [`CertificateError::Other`] with a [`KeyMisused`].
    pub fn verify(
        &self,
        holder: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<Arc<Chain>, rustls::Error> {
        let presented = [holder].into_iter().chain(others).map(|one| &**one);
        let key = Key::of(self.trust, presented);
        if let Some(chain) = self.memory.find(&key)
            && self.verify_again(&chain, now).is_ok()
        {
            return Ok(chain);
        }
        // One that is not good any more may lead to a root in another way, or is told why not.
        self.verify_signatures(holder, others, now, key)
    }

    /// The same for a caller that has no place of its own in which to keep the chain until its
    /// holder has signed: [`remember_proven`](Self::remember_proven) finds it.
    ///
    /// # Errors
    ///
    /// As [`verify`](Self::verify).
    pub fn verify_and_keep(
        &self,
        holder: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<(), rustls::Error> {
        let chain = self.verify(holder, others, now)?;
        match self.online(&chain, now)? {
            Online::Passes => {}
            Online::Waits => return Err(refusal(OnlineRefusal::Asking)),
        }
        self.unproven.put(Key::of(self.trust, [&**holder]), chain);
        Ok(())
    }

    /// Remembers the chain of a holder that has just proved to hold its key, if
    /// [`verify_and_keep`](Self::verify_and_keep) saw it not long ago.
    pub fn remember_proven(&self, holder: &CertificateDer<'_>) {
        if let Some(chain) = self.unproven.find(&Key::of(self.trust, [&**holder])) {
            self.remember(&chain);
        }
    }

    /// Remembers a chain that [`verify`](Self::verify) gave and whose holder has since proved to
    /// hold its key.
    pub fn remember(&self, chain: &Arc<Chain>) {
        if let Some(key) = chain.key()
            && self.memory.find(&key).is_none()
        {
            self.memory.put(key, Arc::clone(chain));
        }
    }

    fn verify_signatures(
        &self,
        holder: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        now: UnixTime,
        key: Key,
    ) -> Result<Arc<Chain>, rustls::Error> {
        if self.strong {
            // The keys of those who have signed are looked at by their signatures, which tell less.
            let mut all = [holder].into_iter().chain(others);
            all.try_for_each(|one| check_key(one).map_err(refusal))?;
        }
        let read = Facts::of_holder(holder);
        let authorities: Vec<_> = others.iter().map(|der| Facts::of_authority(der)).collect();
        let links = RefCell::new(Vec::new());
        let direct = Cell::new(false);
        let check = |path: &VerifiedPath<'_>| {
            let Ok((_, facts)) = &read else {
                return Err(webpki::Error::BadDer);
            };
            let found = self.links(path, facts, (others, &authorities))?;
            found
                .iter()
                .try_for_each(|link| self.revocation.check(link, now))?;
            links.replace(found);
            direct.set(self.is_direct(path, others));
            Ok(())
        };
        EndEntityCert::try_from(holder)
            .and_then(|holder| {
                holder.verify_for_usage(
                    self.algorithms.all,
                    &self.roots.roots,
                    others,
                    now,
                    webpki::KeyUsage::client_auth(),
                    None,
                    Some(&check),
                )?;
                Ok(())
            })
            .map_err(|error| explained(in_tls(error), [holder].into_iter().chain(others)))?;
        let (identity, facts) = read.map_err(|_| CertificateError::BadEncoding)?;
        if !facts.usages.signs {
            return Err(refusal(KeyMisused::Signing));
        }
        // All that were presented: which of them lead to the root is the client's business.
        if authorities.iter().flatten().any(|one| !one.usages.issues) {
            return Err(refusal(KeyMisused::Issuing));
        }
        let key = direct.get().then_some(key);
        let links = links.into_inner();
        self.learn(&links);
        let question = self.question(holder, &links);
        Ok(Arc::new(Chain::new(identity, links, key, question)))
    }

    /// What a path that leads to a root tells of where lists are, and whose.
    fn learn(&self, links: &[Link]) {
        let Some(upkeep) = &self.upkeep else { return };
        for link in links {
            upkeep.watch.knows(&link.issuer);
            if let (true, Points::Stated(points)) = (upkeep.follow_points, &link.facts.points) {
                upkeep.watch.saw_points(points.iter().map(|point| &**point));
            }
        }
    }

    /// What a responder is asked about the holder.
    fn question(&self, holder: &CertificateDer<'_>, links: &[Link]) -> Option<Arc<Question>> {
        self.upkeep.as_ref()?.online?;
        let link = links.first()?;
        let Asked { serial, responder } = Asked::of(holder)?;
        Some(Arc::new(Question {
            id: link.facts.id,
            issuer: Arc::clone(&link.issuer),
            serial,
            responder,
        }))
    }

    /// How the holder of a chain stands with its OCSP responder, as far as that has been asked; if it
    /// has not, it is asked now, and nobody waits here.
    ///
    /// # Errors
    ///
    /// [`CertificateError::Revoked`], or an [`OnlineRefusal`] where nothing is known and nobody
    /// passes then.
    pub fn online(&self, chain: &Chain, now: UnixTime) -> Result<Online, rustls::Error> {
        let Some(upkeep) = &self.upkeep else {
            return Ok(Online::Passes);
        };
        let (Some(check), watch) = (upkeep.online, &upkeep.watch) else {
            return Ok(Online::Passes);
        };
        let unknown = |why: OnlineRefusal| match check.fail {
            Fail::Soft => Ok(Online::Passes),
            Fail::Hard => Err(refusal(why)),
        };
        let question = chain
            .question()
            .filter(|question| question.responder.is_some() || check.has_responder);
        let Some(question) = question else {
            return unknown(OnlineRefusal::NoResponder);
        };
        let standing = watch.standing(&question.id, now);
        if standing.ask {
            watch.ask(question);
        }
        match (standing.told, check.fail) {
            (Some(Told::Good), _) | (None, Fail::Soft) => Ok(Online::Passes),
            (Some(Told::Revoked), _) => Err(CertificateError::Revoked.into()),
            (Some(Told::Nothing(why)), _) => unknown(OnlineRefusal::Nothing(why)),
            (None, Fail::Hard) => Ok(Online::Waits),
        }
    }

    /// Resolves when the responder of a chain for which [`online`](Self::online) waits has answered,
    /// or will not. `None` if nobody is asked here.
    #[must_use]
    pub fn settled(&self, chain: &Chain) -> Option<Settled> {
        Some(self.upkeep.as_ref()?.watch.settled(chain.question()?))
    }

    /// Whether a certificate is known to be revoked: on a list whose issuer has signed it, or by a
    /// responder. For those who are in already.
    #[must_use]
    pub fn is_revoked(&self, id: &CertificateId) -> bool {
        self.revoking(id).is_some()
    }

    /// Who says that a certificate is revoked: where the list comes from, or OCSP.
    #[must_use]
    pub fn revoking(&self, id: &CertificateId) -> Option<String> {
        if let Some(list) = self.revocation.revoking(id) {
            return Some(format!(
                "the list of {} in {}",
                list.issuer_name(),
                list.source()
            ));
        }
        let upkeep = self.upkeep.as_ref()?;
        upkeep
            .watch
            .is_revoked_online(id)
            .then(|| "the OCSP responder".to_owned())
    }

    /// Whether what was presented is the path itself, in its order, with or without the root.
    fn is_direct(&self, path: &VerifiedPath<'_>, others: &[CertificateDer<'_>]) -> bool {
        let mut rest = others.iter();
        let leads = path
            .intermediate_certificates()
            .all(|authority| rest.next().is_some_and(|next| *next == authority.der()));
        let ends = match rest.as_slice() {
            [] => true,
            [last] => self.root_certificates.iter().any(|root| root == last),
            [..] => false,
        };
        leads && ends
    }

    /// Whether a chain that was verified earlier, by this verifier or another one with the same
    /// roots, is good at `now`: validity, purpose, revocation of each certificate.
    ///
    /// # Errors
    ///
    /// What is wrong with it.
    pub fn verify_again(&self, chain: &Chain, now: UnixTime) -> Result<(), rustls::Error> {
        chain
            .links()
            .iter()
            .try_for_each(|link| {
                link.check(now)?;
                self.revocation.check(link, now)
            })
            .map_err(in_tls)
    }

    /// Names the set of roots, whatever their order.
    #[must_use]
    pub const fn trust(&self) -> Fingerprint {
        self.trust
    }

    /// The names of the roots, for the request of a certificate.
    #[must_use]
    pub fn hints(&self) -> &[DistinguishedName] {
        &self.hints
    }

    /// Signature schemes for CertificateVerify.
    #[must_use]
    pub fn schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }

    /// Verifies the CertificateVerify of TLS 1.2.
    ///
    /// # Errors
    ///
    /// When the holder has not signed.
    pub fn verify_tls12_signature(
        &self,
        message: &[u8],
        holder: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, holder, signature, &self.algorithms)
            .map_err(|error| explained(error, [holder]))
    }

    /// Verifies the CertificateVerify of TLS 1.3.
    ///
    /// # Errors
    ///
    /// When the holder has not signed.
    pub fn verify_tls13_signature(
        &self,
        message: &[u8],
        holder: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, holder, signature, &self.algorithms)
            .map_err(|error| explained(error, [holder]))
    }

    /// The certificates of a path, each with its issuer. `presented` are the authorities that
    /// came, and what was read of them.
    fn links(
        &self,
        path: &VerifiedPath<'_>,
        holder: &Facts,
        presented: (&[CertificateDer<'_>], &[Option<Facts>]),
    ) -> Result<Vec<Link>, webpki::Error> {
        let mut links = Vec::with_capacity(1);
        let mut facts = holder.clone();
        for authority in path.intermediate_certificates() {
            let der = authority.der();
            let (ders, read) = presented;
            let next = ders
                .iter()
                .zip(read)
                .find_map(|(one, facts)| (*one == der).then_some(facts.as_ref()))
                .flatten()
                .ok_or(webpki::Error::BadDer)?;
            let issuer = Arc::new(Issuer {
                name: authority.subject().into(),
                key: authority.subject_public_key_info().as_ref().into(),
                lists: next.usages.lists,
            });
            links.push(Link { facts, issuer });
            facts = next.clone();
        }
        let position = self.roots.roots.iter();
        let issuer = position
            .zip(&self.anchors)
            .find_map(|(root, issuer)| std::ptr::eq(root, path.anchor()).then_some(issuer))
            .ok_or(webpki::Error::UnknownIssuer)?;
        let issuer = Arc::clone(issuer);
        links.push(Link { facts, issuer });
        Ok(links)
    }
}

/// Shows how much there is only: names of authorities say little, lists say too much.
impl std::fmt::Debug for Verifier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Verifier")
            .field("roots", &self.anchors.len())
            .field("memory", &self.memory)
            .field("waiting_lists", &self.waiting)
            .finish_non_exhaustive()
    }
}

/// Connections of a shared door that are between Certificate and CertificateVerify, a moment of one
/// round trip at most. One that is pushed out is remembered when it comes again.
const UNPROVEN: usize = 256;
