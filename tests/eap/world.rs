//! One server and its devices.

use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;

use portreeve::directory::Argon2Hash;
use portreeve::directory::Entry;
use portreeve::directory::Outcome as Checked;
use portreeve::directory::Password;
use portreeve::directory::Users;
use portreeve::eap;
use portreeve::eap::Config;
use portreeve::eap::Conversation;
use portreeve::eap::Failed;
use portreeve::eap::Inner;
use portreeve::eap::Judge;
use portreeve::eap::Keys;
use portreeve::eap::Offer;
use portreeve::eap::Outcome;
use portreeve::eap::Outer;
use portreeve::eap::Peer;
use portreeve::eap::Question;
use portreeve::eap::Resumption;
use portreeve::eap::Settings;
use portreeve::eap::Stage;
use portreeve::eap::Step;
use portreeve::eap::TlsVersion;
use portreeve::model::Monotonic;
use portreeve::model::Now;
use portreeve::model::ProofKind;
use portreeve::model::Secret;
use portreeve::model::Timestamp;
use portreeve::model::UserId;
use portreeve::model::Verdict;
use portreeve::probe::Answer;
use portreeve::probe::Credential;
use portreeve::probe::PeerFailure;
use portreeve::probe::Profile;
use portreeve::probe::ProfileSettings;
use portreeve::probe::Report;
use portreeve::probe::Supplicant;
use portreeve::trust::Told;
use portreeve::trust::Watch;
use rustls::pki_types::UnixTime;

use crate::pki::Authority;
use crate::pki::Device;
use crate::pki::Holder;
use crate::pki::TODAY;

pub(crate) struct World {
    pub(crate) root: Authority,
    pub(crate) server: Holder,
    pub(crate) judge: Arc<TestJudge>,
    pub(crate) resumption: Arc<Resumption>,
    /// What is offered; EAP-TLS alone if nothing is said.
    pub(crate) offer: Option<Arc<Offer>>,
    /// Whose passwords are known: alice's and bob's is "wonderland"; of bob as a hash that takes no
    /// challenge.
    pub(crate) users: Users,
    /// What an OCSP responder says to those who wait for it, if there is one.
    pub(crate) responder: Option<(Arc<Watch>, Told)>,
    pub(crate) now: Now,
}

/// Answers what it is told to and remembers what it was asked.
pub(crate) struct TestJudge {
    verdict: Mutex<Verdict>,
    tentative: Mutex<Option<Verdict>>,
    asked: Mutex<Vec<Stage>>,
    asked_at: Mutex<Option<Now>>,
    users: Users,
}

impl TestJudge {
    pub(crate) fn says(&self, verdict: Verdict) {
        *self.verdict.lock().unwrap() = verdict;
    }

    /// Another answer to tentative questions than to final ones.
    pub(crate) fn says_tentatively(&self, verdict: Verdict) {
        *self.tentative.lock().unwrap() = Some(verdict);
    }

    /// When the last question was asked.
    pub(crate) fn asked_at(&self) -> Option<Now> {
        *self.asked_at.lock().unwrap()
    }

    /// What was asked since the last call.
    pub(crate) fn take_asked(&self) -> Vec<Stage> {
        std::mem::take(&mut self.asked.lock().unwrap())
    }
}

impl Judge for TestJudge {
    fn suits(&self, user: &str, kind: ProofKind) -> bool {
        self.users.suits(self.users.find(user), kind)
    }

    fn judge(&self, peer: &Peer<'_>) -> Verdict {
        self.asked.lock().unwrap().push(peer.stage);
        *self.asked_at.lock().unwrap() = Some(peer.now);
        let verdict = *self.verdict.lock().unwrap();
        match peer.stage {
            Stage::OfferedTicket => self.tentative.lock().unwrap().unwrap_or(verdict),
            Stage::Full | Stage::Resumed => verdict,
        }
    }
}

/// How a conversation looked from both ends.
pub(crate) struct Seen {
    pub(crate) server: Result<Box<Outcome>, Failed>,
    pub(crate) peer: Result<Box<Keys>, PeerFailure>,
    pub(crate) report: Report,
    /// Octets of the largest response.
    pub(crate) largest_response: usize,
    /// How often the server had work.
    pub(crate) works: usize,
    /// How often a directory was asked.
    pub(crate) asked: usize,
    /// Which of it was light.
    pub(crate) light: Vec<bool>,
}

impl World {
    pub(crate) fn new() -> Self {
        let root = Authority::root("Test Root");
        let server = root.server("radius.example.org");
        Self {
            root,
            server,
            judge: Arc::new(TestJudge {
                verdict: Mutex::new(Verdict::Allow),
                tentative: Mutex::new(None),
                asked: Mutex::default(),
                asked_at: Mutex::default(),
                users: users(),
            }),
            resumption: Arc::default(),
            offer: None,
            users: users(),
            responder: None,
            now: Now {
                monotonic: Monotonic::default(),
                wall: Timestamp::from_unix_seconds(TODAY),
            },
        }
    }

    /// One with all methods.
    pub(crate) fn with_tunnels() -> Self {
        let offer = Arc::new(Offer::new(&Outer::ALL, &Inner::ALL));
        Self {
            offer: Some(offer),
            ..Self::new()
        }
    }

    pub(crate) fn passes(&mut self, by: Duration) {
        self.now = self.now.plus(by);
    }

    pub(crate) fn settings(&self) -> Settings {
        let server = self.server.copy();
        let mut settings = Settings::new(server.chain, server.key, vec![self.root.certificate()]);
        settings.resumption = Some(Arc::clone(&self.resumption));
        settings.teap.tls_max = TlsVersion::Tls13;
        settings
    }

    pub(crate) fn config(&self) -> Arc<Config> {
        Arc::new(Config::build(self.settings()).unwrap())
    }

    pub(crate) fn profile_settings(&self, holder: Option<Holder>) -> ProfileSettings {
        let credential = holder.map(|Holder { chain, key }| Credential { chain, key });
        ProfileSettings::new(
            "host/phone.example.org",
            credential,
            vec![self.root.certificate()],
        )
    }

    pub(crate) fn profile(&self, holder: Holder) -> Arc<Profile> {
        Arc::new(Profile::build(self.profile_settings(Some(holder))).unwrap())
    }

    /// A good device that can resume.
    pub(crate) fn roamer(&self) -> ProfileSettings {
        let mut settings = self.profile_settings(Some(self.root.device(&Device::default())));
        settings.remembered = 8;
        settings
    }

    pub(crate) fn conversation(&self, config: &Arc<Config>, max_packet: usize) -> Conversation {
        let judge = Arc::clone(&self.judge) as Arc<dyn Judge>;
        let conversation = Conversation::new(Arc::clone(config), judge, 100, max_packet);
        match &self.offer {
            Some(offer) => conversation.offering(Arc::clone(offer)),
            None => conversation,
        }
    }

    /// Answers all questions about certificates, for an hour.
    pub(crate) fn answer_responders(&self) {
        let Some((watch, told)) = &self.responder else {
            return;
        };
        let seconds = u64::try_from(self.now.wall.unix_seconds()).unwrap() + 3600;
        let until = UnixTime::since_unix_epoch(Duration::from_secs(seconds));
        while let Some(question) = watch.take_question() {
            watch.told(&question, told.clone(), until);
        }
    }

    fn look_up(&self, question: &Question) -> eap::Answer {
        match self.users.verify(question.user(), &question.proof()).wait() {
            Checked::Accepted(key) => eap::Answer::Accepted(key),
            Checked::Refused | Checked::Unknown => eap::Answer::Refused,
            Checked::Unsuited => eap::Answer::Unsuited,
        }
    }

    /// One conversation that the NAS began with the identity.
    pub(crate) fn connect(&self, config: &Arc<Config>, profile: &Arc<Profile>) -> Seen {
        self.connect_with(config, profile, 1024)
    }

    pub(crate) fn connect_with(
        &self,
        config: &Arc<Config>,
        profile: &Arc<Profile>,
        max_packet: usize,
    ) -> Seen {
        let supplicant = Supplicant::new(Arc::clone(profile));
        let first = supplicant.identity_response(1);
        let conversation = self.conversation(config, max_packet);
        self.run(conversation, supplicant, first)
    }

    /// Carries packets until both ends are done.
    pub(crate) fn run(
        &self,
        mut conversation: Conversation,
        mut supplicant: Supplicant,
        first: Vec<u8>,
    ) -> Seen {
        let mut response = first;
        let mut largest_response = 0;
        let mut light = Vec::new();
        let mut asked = 0;
        loop {
            largest_response = largest_response.max(response.len());
            let mut step = conversation.handle(self.now, &response);
            if matches!(step, Step::Work) {
                light.push(conversation.has_light_work());
                step = conversation.work(self.now);
            }
            while matches!(step, Step::Ask) {
                let question = conversation.question().unwrap();
                let answer = self.look_up(question);
                asked += 1;
                step = conversation.answer(self.now, answer);
            }
            if matches!(step, Step::Wait) {
                self.answer_responders();
                step = conversation.settle(self.now);
            }
            let (packet, server) = match step {
                Step::Request(request) => {
                    let Answer::Response(next) = supplicant.handle(self.now, &request) else {
                        panic!("the peer gave up on a request: {:?}", supplicant.report());
                    };
                    response = next;
                    continue;
                }
                Step::Success(outcome) => (outcome.packet, Ok(outcome)),
                Step::Failure(failed) => (failed.packet, Err(failed)),
                Step::Work | Step::Ask | Step::Wait | Step::Discard(_) => {
                    panic!("unexpected {step:?}")
                }
            };
            let peer = match supplicant.handle(self.now, &packet) {
                Answer::Success(keys) => Ok(keys),
                Answer::Failure(failure) => Err(failure),
                Answer::Response(_) => panic!("a response to the last word"),
            };
            return Seen {
                server,
                peer,
                report: supplicant.report().clone(),
                largest_response,
                works: light.len(),
                asked,
                light,
            };
        }
    }
}

impl Seen {
    /// Success on both sides with the same keys.
    #[track_caller]
    pub(crate) fn succeeded(&self) -> &Outcome {
        let outcome = match &self.server {
            Ok(outcome) => outcome,
            Err(failed) => panic!("{} ({:?})", failed.reason, self.report),
        };
        let peer = self.peer.as_ref().unwrap();
        assert!(outcome.keys.msk.ct_eq(&peer.msk));
        assert!(outcome.keys.emsk.ct_eq(&peer.emsk));
        assert_eq!(outcome.keys.session_id, peer.session_id);
        outcome
    }

    /// Failure on both sides.
    #[track_caller]
    pub(crate) fn failed(&self) -> &Failed {
        assert!(self.peer.is_err(), "the peer succeeded: {:?}", self.report);
        match &self.server {
            Ok(_) => panic!("the server succeeded: {:?}", self.report),
            Err(failed) => failed,
        }
    }
}

fn users() -> Users {
    let secret = || Secret::new(b"wonderland".to_vec());
    let argon2 = Password::Argon2(Box::new(Argon2Hash::new(&secret()).unwrap()));
    let entry = |name, password| Entry {
        name: UserId::parse(name).unwrap(),
        password,
    };
    Users::new(vec![
        entry("alice", Password::Clear(secret())),
        entry("alice@contoso.com", Password::Clear(secret())),
        entry("bob", argon2),
        entry("host/pc", Password::Clear(secret())),
    ])
    .unwrap()
}
