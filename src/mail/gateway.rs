//! The core: heads, decisions, answers.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::time::Duration;

use arc_swap::ArcSwap;
use http::HeaderMap;
use http::HeaderValue;
use http::Method;
use http::Request;
use http::header;

use crate::access::Correlation;
use crate::access::CorrelationSource;
use crate::access::Decided;
use crate::access::DecisionRecord;
use crate::access::Live;
use crate::access::Permit;
use crate::access::RecordQueue;
use crate::access::Trace;
use crate::eas;
use crate::eas::Refusal;
use crate::model::EasDeviceId;
use crate::model::Monotonic;
use crate::model::Now;
use crate::model::Subject;
use crate::model::Timestamp;
use crate::model::Verdict;

use super::action::Action;
use super::action::Event;
use super::action::Exchange;
use super::action::Forward;
use super::action::Pending;
use super::action::Step;
use super::action::Way;
use super::challenge::Challenges;
use super::check;
use super::check::Looks;
use super::config::Config;
use super::credential::Credentials;
use super::credential::Hasher;
use super::credential::Key;
use super::credential::Offer;
use super::forwarded::set_forwarded;
use super::head::Head;
use super::head::Peer;
use super::head::Wanted;
use super::header as headers;
use super::hearing;
use super::message;
use super::reply::Cause;
use super::reply::Reply;
use super::roll::Before;
use super::roll::Care;
use super::roll::Contact;
use super::roll::Restored;
use super::roll::Roll;
use super::route;
use super::route::Route;
use super::route::Router;
use super::sighting::Sightings;
use super::who::Who;
use super::wipe;
use super::words::Words;

/// The gateway; shared by all connections.
pub struct Gateway {
    pub(super) config: Config,
    pub(super) live: Arc<Live>,
    correlations: Arc<CorrelationSource>,
    pub(super) hasher: Hasher,
    pub(super) challenges: Challenges,
    /// Held for a few operations on maps, never across a call.
    credentials: Mutex<Credentials>,
    /// By user and device, what has gone out as a [`Binding`](super::Binding) last, and when.
    pub(super) bound: Mutex<HashMap<Key, (EasDeviceId, Monotonic)>>,
    pub(super) roll: Roll,
    pub(super) looks: Mutex<Looks>,
    pub(super) asked: hearing::Asked,
    pub(super) words: ArcSwap<Words>,
    pub(super) sightings: Sightings,
    pub(super) router: Router,
    /// What lends records; they come back to it from the journal.
    records: Arc<RecordQueue>,
}

impl Gateway {
    /// A gateway that decides by `live`. `seed` is random and nobody else's.
    #[must_use]
    pub fn new(
        config: Config,
        live: Arc<Live>,
        correlations: Arc<CorrelationSource>,
        seed: &[u8; 32],
    ) -> Self {
        let hasher = Hasher::new(seed);
        Self {
            credentials: Mutex::new(Credentials::new(config.memory)),
            bound: Mutex::new(HashMap::new()),
            roll: Roll::new(hasher.secret()),
            looks: Mutex::default(),
            asked: hearing::Asked::default(),
            words: ArcSwap::from_pointee(config.words.clone()),
            sightings: Sightings::default(),
            router: Router::new(config.routes.clone()),
            records: Arc::new(RecordQueue::new(1)),
            hasher,
            challenges: Challenges::new(&config),
            config,
            live,
            correlations,
        }
    }

    /// Takes the records of decisions from `records`, where those come back that nobody needs any
    /// more, and makes new ones only when it has none.
    #[must_use]
    pub fn with_records(mut self, records: Arc<RecordQueue>) -> Self {
        self.records = records;
        self
    }

    /// Takes over what [`Gateway::save`] has written down, and the lines of [`Gateway::poll_notes`]
    /// since, before any request is handled.
    #[must_use]
    pub fn restore(mut self, now: Now, saved: &[u8], notes: &[u8]) -> (Self, Restored) {
        let (saved, learned) = route::split(saved);
        let (roll, mut restored) = Roll::restore(self.hasher.secret(), saved, notes);
        self.roll = roll;
        let (places, unreadable) = self.router.restore(now, learned);
        restored.places = places;
        restored.unreadable += unreadable;
        (self, restored)
    }

    /// Replaces what people are told, from the next answer on.
    pub fn replace_words(&self, words: Words) {
        self.words.store(Arc::new(words));
    }

    /// A request head has arrived.
    pub fn handle_head(&self, now: Now, peer: &Arc<Peer>, head: &Head<'_>) -> Step {
        if !eas::is_path(head.uri.path()) {
            if check::is_for(head) {
                return self.check_again(now, peer, head);
            }
            if let Some(step) = self.elsewhere(now, peer, head) {
                return step;
            }
        }
        match self.understand(now, peer, head) {
            Ok(pending) => self.proceed(now, pending),
            Err(reply) => Step::answer(*reply),
        }
    }

    /// A record to be filled in.
    pub(super) fn blank(&self) -> Box<DecisionRecord> {
        self.records.lend()
    }

    pub(super) fn next_correlation(&self) -> Correlation {
        self.correlations.next()
    }

    /// Everything that can be said of a head without anybody's word, and the headers to send on.
    fn understand(
        &self,
        now: Now,
        peer: &Arc<Peer>,
        head: &Head<'_>,
    ) -> Result<Pending, Box<Reply>> {
        let malformed = |malformed| Box::new(Reply::malformed(malformed));
        let wanted = head
            .check(peer, &self.config.published)
            .map_err(malformed)?;
        let mut headers = headers::passed(head.headers).map_err(malformed)?;
        let login = self.read_login(now, peer, head.headers)?;
        if let Wanted::Command(request) = &wanted {
            if let Some(version) = request.version_header() {
                headers.insert(headers::VERSION, HeaderValue::from_static(version));
            }
            if let Some(key) = request.policy_key_header() {
                headers.insert(headers::POLICY_KEY, HeaderValue::from(key));
            }
            if request.multipart_header() {
                headers.insert(headers::ACCEPT_MULTIPART, HeaderValue::from_static("T"));
            }
        }
        set_forwarded(&mut headers, peer, head);
        login.add_to(&mut headers, &self.config);
        let device = wanted.device();
        let route = self.place(now, &login, device.as_ref());
        let user_agent = headers
            .get(header::USER_AGENT)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default();
        let who = Who::new(
            self.correlations.next(),
            Arc::clone(peer),
            login,
            user_agent,
            route,
        );
        Ok(Pending {
            who,
            wanted,
            headers,
        })
    }

    /// From here on the client is authenticated.
    pub(super) fn accepted(&self, now: Now, pending: Pending, offer: &Offer) -> Step {
        let Pending {
            mut who,
            wanted,
            headers,
        } = pending;
        // It is among the headers, and in nothing that waits with a Ping.
        who.login.forget_authorization();
        if let Some(objection) = who.login.objection {
            let device = wanted.spelled();
            let record = who.mismatch_record(now.wall, device, objection.sentence());
            let reply = Reply::forbidden(objection.body(), Cause::Certificate);
            return Step::recorded(reply, record);
        }
        let request = match wanted {
            Wanted::Offer => {
                return Step::answer(Reply::offered(offer, self.config.oldest_version));
            }
            Wanted::Command(request) => request,
            Wanted::Discovery => return Self::read_discovery(who, headers),
            Wanted::Visit(asked) => return self.let_in(now, who, *asked, headers),
        };
        let named = request.user.as_deref();
        let agrees = |named: &str| {
            let login = &who.login;
            self.config.names.agree(&login.name, named) || self.is_name_of(named, &login.user)
        };
        if named.is_some_and(|named| !agrees(named)) {
            let device = Some(request.spelled());
            let text = "the query names another user";
            let record = who.mismatch_record(now.wall, device, text);
            let body = "The request names another user than the one signed in.";
            return Step::recorded(Reply::forbidden(body, Cause::UserMismatch), record);
        }
        if request.version < self.config.oldest_version {
            return Step::answer(Reply::old_version(&request));
        }
        let (decided, permit, until) = self.admit(now, &who, &request, &headers);
        // In its place from here on: it is large, and goes through many hands.
        let way = Box::new(Way {
            who,
            request,
            decided,
            until,
            unbound: None,
        });
        self.note_decision(&way.who, &way.request, &way.decided);
        match permit {
            Some(permit) => self.take_in(now, way, permit, headers),
            None => self.leave_out(now, way, headers),
        }
    }

    /// A command that is not let in.
    fn leave_out(&self, now: Now, way: Box<Way>, headers: HeaderMap) -> Step {
        if let Some(order) = wipe::due(&way.request, &way.decided) {
            return self.begin_wipe(now, order, way, headers);
        }
        if self.is_heard(&way.request, &way.decided) {
            return self.hear(now, way, headers);
        }
        let is_held_back = way.decided.decision.verdict == Verdict::Quarantine;
        if is_held_back && self.has_mailbox(&way.request) {
            return self.hold_back(now, way, headers);
        }
        let record = way.who.record(self.blank(), &way.request, &way.decided);
        Step::recorded(self.keep_out(now, &way), record)
    }

    /// A command that is let in: on to the mail server, unless something about it is looked at before.
    fn take_in(&self, now: Now, mut way: Box<Way>, permit: Permit, mut headers: HeaderMap) -> Step {
        self.expect(now, &mut way, &mut headers);
        let record = way.record(self.blank());
        if let Some((status, body)) = eas::quarantine::named(&way.request) {
            return Step::recorded(Reply::wbxml(status, body, Cause::Released), record);
        }
        if self.may_be_of_ours(&way.who, &way.request) || self.must_be_read(&way.request) {
            return Step {
                action: Self::look_into(way, permit, headers),
                event: Some(Event::Decision(record)),
            };
        }
        let to = way.who.route;
        match self.request(to, Method::POST, Some(&way.request), headers) {
            Some(head) => {
                let exchange = Exchange(way);
                let forward = Forward {
                    to,
                    permit,
                    request: head,
                    exchange,
                };
                Step {
                    action: Action::Forward(forward),
                    event: Some(Event::Decision(record)),
                }
            }
            None => Step::recorded(Reply::unavailable(LONG_WAIT, Cause::Unavailable), record),
        }
    }

    /// Decides, and registers the request if it is allowed.
    pub(super) fn judge(&self, now: Now, subject: &Subject<'_>) -> (Decided, Option<Permit>) {
        TRACE.with_borrow_mut(|trace| self.live.admit(now.wall, subject, trace))
    }

    /// Decides, and registers the request if it is let in: because it is allowed, or, although it is
    /// not, until the time that is given with it.
    pub(super) fn admit(
        &self,
        now: Now,
        who: &Who,
        request: &eas::Request,
        headers: &HeaderMap,
    ) -> (Decided, Option<Permit>, Option<Timestamp>) {
        who.with_subject(request, |subject| {
            let (mut decided, permit) = self.judge(now, subject);
            // An Allow without permit is a change that came and went: it is no verdict.
            let is_verdict = permit.is_some() == (decided.decision.verdict == Verdict::Allow);
            let lasting = decided.decision.lasting();
            let of_command = lasting.is_of_one_command();
            if of_command && lasting != decided.decision.reason && self.is_let_in(now, who, request)
            {
                decided.decision.reason = lasting;
            }
            let words = self.words.load();
            if !is_verdict || !self.is_for_the_roll(&decided, &words.care) {
                return (decided, permit, None);
            }
            let contact = Contact {
                request,
                who,
                subject,
                wanted: message::languages(headers, request).into_iter().next(),
                before: match decided.client.and_then(|known| known.last_success) {
                    Some(_) => Before::Served,
                    None => Before::Nothing,
                },
            };
            let judged = (decided.decision.verdict, lasting);
            let Some(until) = self.roll.contact(now.wall, &contact, judged, &words.care) else {
                return (decided, permit, None);
            };
            let permit = self.live.let_stay(now.wall, subject, &decided, until);
            (decided, Some(permit), Some(until))
        })
    }

    /// Whether the roll has to know of a decision. It is no verdict on the device if only this command is
    /// refused.
    fn is_for_the_roll(&self, decided: &Decided, care: &Care) -> bool {
        let decision = &decided.decision;
        !decision.lasting().is_of_one_command() && self.roll.wants(decision.verdict, care)
    }

    /// Whether a device whose request is ended by this decision is let in with its next one, for some time:
    /// the time begins now.
    pub(super) fn begins_to_wait(&self, now: Now, way: &Way, decided: &Decided) -> bool {
        let words = self.words.load();
        let care: &Care = &words.care;
        let is_kept_out = decided.decision.verdict != Verdict::Allow;
        if !is_kept_out || care.wait.is_zero() || !self.is_for_the_roll(decided, care) {
            return false;
        }
        let judged = (decided.decision.verdict, decided.decision.lasting());
        way.who.with_subject(&way.request, |subject| {
            let contact = Contact {
                request: &way.request,
                who: &way.who,
                subject,
                wanted: None,
                before: Before::LetIn,
            };
            self.roll
                .contact(now.wall, &contact, judged, care)
                .is_some()
        })
    }

    /// Whether it is let in for some time although it is not allowed.
    fn is_let_in(&self, now: Now, who: &Who, request: &eas::Request) -> bool {
        let key = self.roll.key(&who.login.user, request.device);
        self.roll.waits_until(key, now.wall).is_some()
    }

    /// The refusal that a verdict means; an Allow without permit is a change that came and went.
    pub(super) fn reply(&self, who: &Who, request: &eas::Request, decided: &Decided) -> Reply {
        let reason = decided.decision.reason;
        let order = wipe::due(request, decided);
        match decided.decision.verdict {
            Verdict::Block if let Some(order) = order => {
                wipe::ask_for_orders(order, who, request, decided)
            }
            Verdict::Block if reason.is_of_one_command() => {
                Reply::refused_command(request, reason, who.id)
            }
            Verdict::Block => Reply::blocked(request, self.config.refused, reason, who.id),
            Verdict::Quarantine => Reply::refused(Refusal::Quarantined, reason, who.id),
            Verdict::Allow => Reply::unavailable(SHORT_WAIT, Cause::Revoked),
        }
    }

    /// A request to the upstream, with the query of a command; `None` if its parts do not make one,
    /// which parsed values always do.
    pub(super) fn request(
        &self,
        to: Route,
        method: Method,
        command: Option<&eas::Request>,
        mut headers: HeaderMap,
    ) -> Option<Request<()>> {
        if command.is_some_and(|command| self.looks_for_wipes(command)) {
            let plain = HeaderValue::from_static("identity");
            headers.insert(header::ACCEPT_ENCODING, plain);
        }
        let routes = self.router.routes();
        let origin = routes.get(to.upstream)?.members.first()?;
        let mut target = String::with_capacity(256);
        target.push_str(eas::PATH);
        if let Some(command) = command {
            target.push('?');
            command.write_query(&mut target);
        }
        let uri = origin.uri(target)?;
        let mut request = Request::new(());
        *request.method_mut() = method;
        *request.uri_mut() = uri;
        *request.headers_mut() = headers;
        Some(request)
    }

    pub(super) fn credentials(&self) -> MutexGuard<'_, Credentials> {
        self.credentials
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Gateway {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Gateway")
            .field("published", &self.config.published)
            .finish_non_exhaustive()
    }
}

thread_local! {
    /// One for each thread, because it is large and filled anew by each decision.
    static TRACE: RefCell<Trace> = RefCell::default();
}

/// Retry-After when the upstream may be back any moment.
pub(super) const SHORT_WAIT: Duration = Duration::from_secs(10);
/// Retry-After when a person has to mend something first.
pub(super) const LONG_WAIT: Duration = Duration::from_mins(5);
