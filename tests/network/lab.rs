//! A gateway's network plane with its inventory and rules, and the ways to ask it.

use std::cell::Cell;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use portreeve::access::DecisionPoint;
use portreeve::access::DecisionRecord;
use portreeve::access::Outcome;
use portreeve::eap;
use portreeve::eap::Resumption;
use portreeve::inventory::Change;
use portreeve::inventory::Update;
use portreeve::inventory::UserReport;
use portreeve::inventory::Writer;
use portreeve::model::ComplianceState;
use portreeve::model::Now;
use portreeve::model::NtKey;
use portreeve::model::Proof;
use portreeve::model::SourceId;
use portreeve::model::Tri;
use portreeve::model::UserId;
use portreeve::model::Verdict;
use portreeve::network::Answer;
use portreeve::network::ChargingKey;
use portreeve::network::Check;
use portreeve::network::Config;
use portreeve::network::Door;
use portreeve::network::Enforcement;
use portreeve::network::Inquiry;
use portreeve::network::Methods;
use portreeve::network::Passwords;
use portreeve::network::Profile;
use portreeve::network::Profiles;
use portreeve::network::Role;
use portreeve::network::Server;
use portreeve::network::Settings;
use portreeve::network::Shared;
use portreeve::network::Why;
use portreeve::probe;
use portreeve::probe::Credential;
use portreeve::probe::ProfileSettings;
use portreeve::radius::MessageAuthenticatorPolicy;
use portreeve::radius::NasConfig;
use portreeve::radius::NasTable;
use portreeve::radius::Prepared;
use portreeve::radius::Template;

use crate::nas::Nas;
use crate::nas::Reply;
use crate::pair::End;
use crate::pair::Next;
use crate::pair::Pair;
use crate::pki::Authority;
use crate::pki::Device;
use crate::pki::Holder;
use crate::world::SECRET;
use crate::world::World;
use crate::world::nas_config;
use crate::world::noon;
use crate::world::report;

pub(crate) const AUTHENTICATION: Door = Door {
    role: Role::Authentication,
    socket: 0,
    local: None,
};
pub(crate) const ACCOUNTING: Door = Door {
    role: Role::Accounting,
    socket: 1,
    local: None,
};

/// The devices of the inventory, by what becomes of them; the MAC address ends in the number.
pub(crate) const GOOD: &str = "0f8fad5b-d9cb-469f-a165-70867728950e";
pub(crate) const UNMANAGED: &str = "0f8fad5b-d9cb-469f-a165-708677289502";
pub(crate) const BAD: &str = "0f8fad5b-d9cb-469f-a165-708677289503";
/// In no inventory.
pub(crate) const STRANGER: &str = "0f8fad5b-d9cb-469f-a165-7086772895ff";

/// Global MAC addresses of the devices.
pub(crate) const GOOD_MAC: &str = "00-00-5E-00-53-01";
pub(crate) const UNMANAGED_MAC: &str = "00-00-5E-00-53-02";
pub(crate) const BAD_MAC: &str = "00-00-5E-00-53-03";
pub(crate) const STRANGER_MAC: &str = "00-00-5E-00-53-FF";

pub(crate) const ALICE: &str = "alice@contoso.com";

/// Nobody gets in.
pub(crate) const CLOSED: &str = r#"
[[conditional]]
name = "Closed"
planes = ["network"]
targets = ["all"]
action = "block"
accept_lockout_risk = true
"#;

pub(crate) struct Lab {
    pub(crate) root: Authority,
    server: Holder,
    pub(crate) writer: Writer,
    pub(crate) source: SourceId,
    pub(crate) shared: Arc<Shared>,
    pub(crate) servers: Vec<Server>,
    pub(crate) resumption: Arc<Resumption>,
    pub(crate) now: Now,
    /// The accounting that was put on record, and whether none can be.
    pub(crate) recorded: Vec<u8>,
    pub(crate) disk_is_full: bool,
}

/// One reply on its way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Sent {
    pub(crate) door: Door,
    pub(crate) to: SocketAddr,
    pub(crate) octets: Vec<u8>,
}

impl Lab {
    pub(crate) fn new() -> Self {
        Self::with_loops(1)
    }

    pub(crate) fn with_loops(loops: u8) -> Self {
        let root = Authority::root("Test Root");
        let server = root.server("radius.example.org");
        let users = ["alice", "bob", "carol", "dave"].map(|name| {
            let mut user = UserReport::new(UserId::parse(&format!("{name}@contoso.com")).unwrap());
            user.enabled = Tri::Yes;
            Update::User(user)
        });
        let devices = [
            device(GOOD, GOOD_MAC, Tri::Yes, ComplianceState::Compliant),
            device(
                UNMANAGED,
                UNMANAGED_MAC,
                Tri::No,
                ComplianceState::Compliant,
            ),
            device(BAD, BAD_MAC, Tri::Yes, ComplianceState::NonCompliant),
        ];
        let world = World::new(users.into_iter().chain(devices).collect());
        let resumption = Arc::<Resumption>::default();
        let settings = settings(&root, &server, &resumption);
        let shared = world.shared(settings, 10_000, loops, random);
        let servers = (0..loops)
            .map(|number| Server::new(number, Arc::clone(&shared)))
            .collect();
        Self {
            root,
            server,
            writer: world.writer,
            source: world.source,
            shared,
            servers,
            resumption,
            now: noon(),
            recorded: Vec::new(),
            disk_is_full: false,
        }
    }

    pub(crate) fn point(&self) -> &DecisionPoint {
        &self.shared.point
    }

    pub(crate) fn passes(&mut self, by: Duration) {
        self.now = self.now.plus(by);
    }

    /// Puts other settings into force, as a reload does.
    pub(crate) fn reload(&self, change: impl FnOnce(&mut Settings)) {
        let mut settings = settings(&self.root, &self.server, &self.resumption);
        let previous = self.shared.settings.load();
        settings.config = previous.config;
        change(&mut settings);
        settings.nas.inherit(&previous.nas);
        self.shared.settings.store(Arc::new(settings));
    }

    pub(crate) fn configure(&self, change: impl FnOnce(&mut Config)) {
        self.reload(|settings| change(&mut settings.config));
    }

    /// The same for the settings of EAP.
    pub(crate) fn reload_eap(&self, change: impl FnOnce(&mut eap::Settings)) {
        let mut eap = eap_settings(&self.root, &self.server, &self.resumption);
        change(&mut eap);
        let eap = Arc::new(eap::Config::build(eap).unwrap());
        self.reload(|settings| settings.eap = Some(eap));
    }

    /// The source says something new.
    pub(crate) fn said(&mut self, update: Update) -> Vec<Change> {
        self.writer.apply(self.source, self.now.wall, vec![update])
    }

    /// The source has changed its mind about a device's compliance.
    pub(crate) fn judged(&mut self, guid: &str, mac: &str, state: ComplianceState) -> Vec<Change> {
        self.said(device(guid, mac, Tri::Yes, state))
    }

    /// A NAS of the table.
    pub(crate) fn nas(&self) -> Nas {
        Nas::new("192.0.2.1:1812", SECRET)
    }

    /// A supplicant's profile for a device with this id, and its user.
    pub(crate) fn profile_settings(&self, guid: &'static str) -> ProfileSettings {
        let holder = self.root.device(&Device {
            guid: Some(guid),
            email: Some(ALICE),
            ..Device::default()
        });
        self.profile_of(holder)
    }

    pub(crate) fn profile_of(&self, holder: Holder) -> ProfileSettings {
        let Holder { chain, key } = holder;
        ProfileSettings::new(
            "anonymous@contoso.com",
            Some(Credential { chain, key }),
            vec![self.root.certificate()],
        )
    }

    pub(crate) fn profile(&self, guid: &'static str) -> Arc<probe::Profile> {
        Arc::new(probe::Profile::build(self.profile_settings(guid)).unwrap())
    }

    /// A login that has not begun.
    pub(crate) fn pair(&self, guid: &'static str) -> Pair {
        self.pair_of(&self.profile(guid))
    }

    pub(crate) fn pair_of(&self, profile: &Arc<probe::Profile>) -> Pair {
        Pair::new(self.nas(), profile, "anonymous@contoso.com")
    }

    /// Hands a datagram to a loop; jobs are done at once and handovers carried.
    pub(crate) fn deliver(
        &mut self,
        worker: usize,
        door: Door,
        from: SocketAddr,
        octets: &[u8],
    ) -> Vec<Sent> {
        let now = self.now;
        self.servers[worker].handle_datagram(now, door, from, octets);
        self.settle()
    }

    /// Does all jobs, carries all handovers, and gives what is to be sent.
    pub(crate) fn settle(&mut self) -> Vec<Sent> {
        let now = self.now;
        let mut sent = Vec::new();
        loop {
            let mut quiet = true;
            for worker in 0..self.servers.len() {
                sent.extend(self.take_sent(worker));
                while let Some(job) = self.servers[worker].poll_job() {
                    quiet = false;
                    let done = job.run(|| now);
                    self.servers[worker].handle_job(now, done);
                }
                while let Some(handover) = self.servers[worker].poll_handover() {
                    quiet = false;
                    let other = usize::from(handover.worker());
                    self.servers[other].handle_handover(now, handover);
                }
            }
            if quiet {
                return sent;
            }
        }
    }

    pub(crate) fn take_sent(&mut self, worker: usize) -> Vec<Sent> {
        let server = &mut self.servers[worker];
        if !server.accounting().is_empty() {
            if self.disk_is_full {
                server.handle_unrecorded();
            } else {
                self.recorded.extend_from_slice(server.accounting());
                server.handle_recorded(self.now);
            }
        }
        let sent = server
            .transmits()
            .map(|transmit| Sent {
                door: transmit.door,
                to: transmit.to,
                octets: transmit.octets.to_vec(),
            })
            .collect();
        server.clear_transmits();
        sent
    }

    /// Asks at the authentication door of the first loop.
    #[track_caller]
    pub(crate) fn ask(&mut self, nas: &Nas, request: &[u8]) -> Option<Reply> {
        self.ask_at(0, AUTHENTICATION, nas, request)
    }

    #[track_caller]
    pub(crate) fn ask_at(
        &mut self,
        worker: usize,
        door: Door,
        nas: &Nas,
        request: &[u8],
    ) -> Option<Reply> {
        let sent = self.deliver(worker, door, nas.address, request);
        assert!(sent.len() <= 1, "{} replies to one request", sent.len());
        let sent = sent.first()?;
        assert_eq!((sent.to, sent.door), (nas.address, door));
        Some(nas.believe(request, &sent.octets))
    }

    /// Carries a login to its end; nothing is lost.
    #[track_caller]
    pub(crate) fn login(&mut self, pair: &mut Pair) -> End {
        let request = pair.request();
        self.go_on(pair, request)
    }

    /// The same from this request on.
    #[track_caller]
    pub(crate) fn go_on(&mut self, pair: &mut Pair, mut request: Vec<u8>) -> End {
        loop {
            let reply = self.ask(&pair.nas, &request).expect("a reply");
            match pair.take(self.now, reply) {
                Next::Request(next) => request = next,
                Next::End(end) => return end,
            }
        }
    }

    /// Carries a login up to its `rounds`-th challenge and gives the request that answers it.
    #[track_caller]
    pub(crate) fn login_up_to(&mut self, pair: &mut Pair, rounds: usize) -> Vec<u8> {
        let mut request = pair.request();
        while pair.challenges < rounds {
            let reply = self.ask(&pair.nas, &request).expect("a reply");
            match pair.take(self.now, reply) {
                Next::Request(next) => request = next,
                Next::End(end) => panic!("the login ended after {} rounds: {end:?}", rounds),
            }
        }
        request
    }

    /// The records since the last call.
    pub(crate) fn records(&self) -> Vec<DecisionRecord> {
        std::iter::from_fn(|| self.shared.records.pop())
            .map(|record| *record)
            .collect()
    }

    /// The only record since the last call.
    #[track_caller]
    pub(crate) fn record(&self) -> DecisionRecord {
        let records = self.records();
        assert_eq!(records.len(), 1, "records");
        records[0].clone()
    }

    /// Datagrams dropped by the first loop for this reason.
    pub(crate) fn dropped(&self, reason: &str) -> u64 {
        self.dropped_at(0, reason)
    }

    pub(crate) fn dropped_at(&self, worker: usize, reason: &str) -> u64 {
        let counters = self.servers[worker].counters();
        counters
            .discarded()
            .find(|(name, _)| *name == reason)
            .unwrap_or_else(|| panic!("no reason {reason}"))
            .1
    }
}

/// What was decided.
#[track_caller]
pub(crate) fn verdict(record: &DecisionRecord) -> Verdict {
    match &record.outcome {
        Outcome::Decided(decision) => decision.verdict,
        Outcome::NotAuthenticated(why) => panic!("not authenticated: {why}"),
    }
}

/// Why a peer was not authenticated.
#[track_caller]
pub(crate) fn refusal(record: &DecisionRecord) -> String {
    match &record.outcome {
        Outcome::NotAuthenticated(why) => why.to_string(),
        Outcome::Decided(decision) => panic!("decided: {decision:?}"),
    }
}

pub(crate) fn device(guid: &str, mac: &str, managed: Tri, state: ComplianceState) -> Update {
    let (guid, mac) = (guid.parse().unwrap(), mac.parse().unwrap());
    Update::Device(report(guid, mac, managed, state))
}

/// The network devices of every lab.
pub(crate) fn nas_configs() -> Vec<NasConfig> {
    let mut silent = nas_config("no-accounting", "office", "198.51.100.3/32");
    silent.accounting = false;
    let mut learning = nas_config("auto", "office", "198.51.100.1/32");
    learning.message_authenticator = MessageAuthenticatorPolicy::Auto;
    let mut old = nas_config("off", "office", "198.51.100.2/32");
    old.message_authenticator = MessageAuthenticatorPolicy::Off;
    vec![
        nas_config("ap-1", "office", "192.0.2.1/32"),
        nas_config("aps", "office", "192.0.2.0/24"),
        nas_config("six", "office", "2001:db8::/64"),
        nas_config("lab-switch", "lab", "203.0.113.1/32"),
        silent,
        learning,
        old,
    ]
}

fn settings(root: &Authority, server: &Holder, resumption: &Arc<Resumption>) -> Settings {
    let eap = eap::Config::build(eap_settings(root, server, resumption)).unwrap();
    Settings {
        nas: NasTable::new(nas_configs()).unwrap(),
        eap: Some(Arc::new(eap)),
        eap_groups: HashMap::new(),
        enforcement: enforcement(),
        charging: ChargingKey::new(&[7; 32]),
        methods: Methods::default(),
        passwords: Arc::new(Book::default()),
        routes: None,
        // Rejects wait in tests of their own only.
        config: Config {
            reject_delay: Duration::ZERO,
            ..Config::default()
        },
    }
}

fn eap_settings(root: &Authority, server: &Holder, resumption: &Arc<Resumption>) -> eap::Settings {
    let server = server.copy();
    let mut settings = eap::Settings::new(server.chain, server.key, vec![root.certificate()]);
    settings.resumption = Some(Arc::clone(resumption));
    settings
}

fn enforcement() -> Enforcement {
    let profile = |vlan: &str, message: Option<&str>| Profile {
        attributes: Prepared::new(
            &[
                ("Tunnel-Type", "13"),
                ("Tunnel-Medium-Type", "6"),
                ("Tunnel-Private-Group-Id", vlan),
                ("Filter-Id", vlan),
            ]
            .map(|(name, value)| Template::parse(name, value).unwrap()),
        ),
        reply_message: message.map(str::to_owned),
        ..Profile::default()
    };
    let office = Profiles {
        allow: profile("staff", None),
        allow_claimed: profile("limited", None),
        quarantine: Profile {
            session_timeout: Some(Duration::from_secs(3600)),
            ..profile("quarantine", Some("Mend your device."))
        },
        block: Profile {
            reply_message: Some("Go away.".into()),
            // A mistake of the configuration must not leak into an Access-Reject.
            ..profile("blocked", None)
        },
        ..Profiles::default()
    };
    let lab = Profiles {
        allow: profile("lab", None),
        ..office.clone()
    };
    Enforcement {
        default: office,
        groups: HashMap::from([("lab".to_owned(), lab)]),
    }
}

/// The answers to challenges that are right, and what MSCHAP's leaves: bob's password is not stored
/// in a form that can tell.
pub(crate) const CHAP_RESPONSE: [u8; 16] = [0xc1; 16];
pub(crate) const NT_RESPONSE: [u8; 24] = [0xc2; 24];
pub(crate) const NT_KEY: [u8; 16] = [0xc3; 16];
pub(crate) const BOB: &str = "bob@contoso.com";
/// A server knows this user's password.
pub(crate) const CAROL: &str = "carol@contoso.com";
/// A server that does not answer knows this user's.
pub(crate) const DAVE: &str = "dave@contoso.com";

/// Passwords: the user's own name backwards. Those of `bob` are slow to check; of `carol` and `dave` a
/// server is asked.
#[derive(Debug, Default)]
pub(crate) struct Book {
    pub(crate) nobody: bool,
    /// Another one after every change of all passwords.
    pub(crate) stamp: u64,
}

impl Passwords for Book {
    fn knows(&self, _: &str) -> bool {
        !self.nobody
    }

    fn stamp(&self, _: &str) -> u64 {
        self.stamp
    }

    fn check(&self, user: &str, proof: &Proof<'_>) -> Check {
        if user.starts_with("carol") || user == DAVE {
            return elsewhere(user, proof);
        }
        let password = match proof {
            Proof::Password(password) => *password,
            Proof::Chap { response, .. } if **response == CHAP_RESPONSE => {
                return Check::Accepted(None);
            }
            Proof::MsChap { response, .. } if *response == NT_RESPONSE => {
                return Check::Accepted(Some(NtKey::new(NT_KEY)));
            }
            Proof::Chap { .. } | Proof::MsChap { .. } if user == BOB => return Check::Unsuited,
            Proof::Chap { .. } | Proof::MsChap { .. } => return Check::Refused,
        };
        let right = !self.nobody && user.bytes().rev().eq(password.iter().copied());
        match user {
            BOB => Check::Slow(Box::new(move || right.into())),
            _ if right => Check::Accepted(None),
            _ => Check::Refused,
        }
    }
}

fn elsewhere(user: &str, proof: &Proof<'_>) -> Check {
    let answer = match proof {
        _ if user == DAVE => Answer::Unavailable(Why::new("the directory does not answer")),
        Proof::Password(password) => Answer::from(user.bytes().rev().eq(password.iter().copied())),
        Proof::Chap { .. } => Answer::Unsuited,
        Proof::MsChap { response, .. } if *response == NT_RESPONSE => {
            Answer::Accepted(Some(NtKey::new(NT_KEY)))
        }
        Proof::MsChap { .. } => Answer::Refused(Why::new("the account is locked")),
    };
    Check::Elsewhere(Inquiry::new(std::future::ready(answer)))
}

/// Octets that differ each time, the same in every run of a test: each runs on its own thread.
fn random(octets: &mut [u8]) {
    thread_local! {
        static STATE: Cell<u64> = const { Cell::new(0x9e37_79b9_7f4a_7c15) };
    }
    for chunk in octets.chunks_mut(8) {
        let mut word = STATE.get();
        word ^= word << 13;
        word ^= word >> 7;
        word ^= word << 17;
        STATE.set(word);
        let source = word.wrapping_mul(0x2545_f491_4f6c_dd1d).to_be_bytes();
        chunk.copy_from_slice(&source[..chunk.len()]);
    }
}
