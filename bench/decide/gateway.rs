//! A gateway's network plane without sockets, in the world of `world.rs`, and the requests that it
//! is asked.
#![allow(dead_code, reason = "each bench takes the parts that it needs")]

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::LazyLock;
use std::time::Duration;

use portreeve::access::CorrelationSource;
use portreeve::access::DecisionPoint;
use portreeve::access::RecordQueue;
use portreeve::access::Sessions;
use portreeve::directory::Entry;
use portreeve::directory::Outcome;
use portreeve::directory::Password;
use portreeve::directory::Users;
use portreeve::directory::Verification;
use portreeve::eap;
use portreeve::model::MacAddress;
use portreeve::model::Monotonic;
use portreeve::model::Now;
use portreeve::model::Proof;
use portreeve::model::Secret;
use portreeve::model::UserId;
use portreeve::network::Admissions;
use portreeve::network::ChargingKey;
use portreeve::network::Check;
use portreeve::network::Config;
use portreeve::network::Door;
use portreeve::network::Enforcement;
use portreeve::network::Methods;
use portreeve::network::Passwords;
use portreeve::network::Profile;
use portreeve::network::Profiles;
use portreeve::network::Role;
use portreeve::network::Server;
use portreeve::network::Settings;
use portreeve::network::Shared;
use portreeve::radius::AttributeType;
use portreeve::radius::MessageAuthenticatorPolicy;
use portreeve::radius::NasConfig;
use portreeve::radius::NasTable;
use portreeve::radius::Prepared;
use portreeve::radius::RequestBuilder;
use portreeve::radius::Template;

use crate::nas::Nas;
use crate::world;
use crate::world::World;
use crate::world::mac;

/// A server of one loop, and what it shares with others.
pub(crate) struct Gateway {
    pub(crate) shared: Arc<Shared>,
    pub(crate) server: Server,
    pub(crate) now: Now,
}

impl Gateway {
    /// With a world of [`DEVICES`], 5 policies, and EAP if it is wanted.
    pub(crate) fn new(eap: Option<eap::Config>) -> Self {
        Self::with(Arc::new(World::load(DEVICES).point(5)), eap)
    }

    /// With another world.
    pub(crate) fn with(point: Arc<DecisionPoint>, eap: Option<eap::Config>) -> Self {
        Self::offering(Methods::default(), point, eap)
    }

    /// With other methods.
    pub(crate) fn offering(
        methods: Methods,
        point: Arc<DecisionPoint>,
        eap: Option<eap::Config>,
    ) -> Self {
        let now = noon();
        let settings = Settings {
            nas: table(),
            eap: eap.map(Arc::new),
            eap_groups: HashMap::new(),
            enforcement: enforcement(),
            methods,
            passwords: Arc::new(OneForAll),
            charging: ChargingKey::new(&[7; 32]),
            routes: None,
            config: Config {
                conversations: 100_000,
                ..Config::default()
            },
        };
        let shared = Arc::new(Shared {
            settings: Arc::new(settings).into(),
            point: Arc::clone(&point),
            sessions: Arc::new(Sessions::new(1_000_000)),
            admissions: Arc::new(Admissions::new(point, 100_000)),
            records: Arc::new(RecordQueue::new(1_000)),
            correlations: Arc::new(CorrelationSource::starting_at(now.wall)),
            random,
            loops: 1,
        });
        Self::of(shared)
    }

    /// One more loop.
    pub(crate) fn of(shared: Arc<Shared>) -> Self {
        Self {
            server: Server::new(0, Arc::clone(&shared)),
            shared,
            now: noon(),
        }
    }

    /// What a packet loop does with a datagram.
    pub(crate) fn take_in(&mut self, door: Door, from: SocketAddr, octets: &[u8]) {
        self.server.handle_datagram(self.now, door, from, octets);
        while let Some(job) = self.server.poll_job() {
            let done = job.run(|| self.now);
            self.server.handle_job(self.now, done);
        }
        if !self.server.accounting().is_empty() {
            self.server.handle_recorded(self.now);
        }
        self.server.handle_timeout(self.now);
    }

    /// The reply that is to be sent, if there is one.
    pub(crate) fn reply(&self) -> Vec<u8> {
        let reply = self.server.transmits().next();
        reply.map_or_else(Vec::new, |transmit| transmit.octets.to_vec())
    }

    /// Takes the records away, as the journal's thread does.
    pub(crate) fn forget_records(&self) {
        while self.shared.records.pop().is_some() {}
    }
}

/// As a switch sends it: name and password are the address.
pub(crate) fn bypass(nas: &mut Nas, number: u32) -> Vec<u8> {
    bypass_of(nas, mac(number % DEVICES))
}

/// The same of any device.
pub(crate) fn bypass_of(nas: &mut Nas, station: MacAddress) -> Vec<u8> {
    let name = station.to_string().replace(':', "");
    nas.access(|request| {
        request
            .octets(AttributeType::USER_NAME, name.as_bytes())
            .user_password(name.as_bytes())
            .integer(AttributeType::SERVICE_TYPE, 10);
        switch_port(request, station);
    })
}

pub(crate) fn password(nas: &mut Nas, number: u32) -> Vec<u8> {
    let mut name = [0; 32];
    let name = world::user_name(&mut name, number % DEVICES).to_owned();
    nas.access(|request| {
        request
            .octets(AttributeType::USER_NAME, name.as_bytes())
            .user_password(PASSWORD);
        switch_port(request, mac(number % DEVICES));
    })
}

fn switch_port(request: &mut RequestBuilder<'_, '_>, station: MacAddress) {
    request
        .octets(
            AttributeType::CALLING_STATION_ID,
            station.to_string().as_bytes(),
        )
        .octets(AttributeType::CALLED_STATION_ID, b"00-11-22-33-44-55:corp")
        .octets(AttributeType::NAS_IP_ADDRESS, &[192, 0, 2, 1])
        .integer(AttributeType::NAS_PORT, 13)
        .integer(AttributeType::NAS_PORT_TYPE, 19);
}

/// Start, Interim-Update and Stop of a hundred sessions in turn.
pub(crate) fn accounting(nas: &mut Nas, number: u32) -> Vec<u8> {
    let (session, status) = (format!("session-{}", number % 100), [1, 3, 2]);
    let status = status[usize::try_from(number / 100 % 3).unwrap_or(0)];
    nas.accounting(|request| {
        request
            .integer(AttributeType::ACCT_STATUS_TYPE, status)
            .octets(AttributeType::ACCT_SESSION_ID, session.as_bytes())
            .octets(AttributeType::USER_NAME, b"alice@contoso.com")
            .integer(AttributeType::ACCT_INPUT_OCTETS, number);
        switch_port(request, mac(number % DEVICES));
    })
}

/// The NASes, of which one asks.
pub(crate) fn table() -> NasTable {
    let networks = ["192.0.2.1/32", "192.0.2.0/24", "198.51.100.0/24"];
    let configs = networks.map(|network| NasConfig {
        name: network.into(),
        group: "office".into(),
        network: network.parse().expect("a network"),
        secret: Secret::new(SECRET.to_vec()),
        message_authenticator: MessageAuthenticatorPolicy::Require,
        accounting: true,
        dynamic_authorization: None,
    });
    NasTable::new(configs.to_vec()).expect("sound entries")
}

fn enforcement() -> Enforcement {
    let vlan = |vlan: &str| Profile {
        attributes: Prepared::new(
            &[
                ("Tunnel-Type", "13"),
                ("Tunnel-Medium-Type", "6"),
                ("Tunnel-Private-Group-Id", vlan),
            ]
            .map(|(name, value)| Template::parse(name, value).expect("an attribute of ours")),
        ),
        session_timeout: Some(Duration::from_secs(3600)),
        ..Profile::default()
    };
    Enforcement {
        default: Profiles {
            allow: vlan("10"),
            allow_claimed: vlan("20"),
            quarantine: vlan("30"),
            block: vlan("40"),
            ..Profiles::default()
        },
        groups: HashMap::new(),
    }
}

/// A password in the clear, compared at once; of MSCHAP as the users file compares it.
#[derive(Debug)]
struct OneForAll;

impl Passwords for OneForAll {
    fn check(&self, _: &str, proof: &Proof<'_>) -> Check {
        match proof {
            Proof::Password(PASSWORD) => Check::Accepted(None),
            Proof::Password(_) | Proof::Chap { .. } => Check::Refused,
            Proof::MsChap { .. } => match USERS.verify(ANYBODY, proof) {
                Verification::Immediate(Outcome::Accepted(key)) => Check::Accepted(key),
                Verification::Immediate(_) | Verification::Slow(_) => Check::Refused,
            },
        }
    }
}

static USERS: LazyLock<Users> = LazyLock::new(|| {
    let entry = Entry {
        name: UserId::parse(ANYBODY).expect("a name of ours"),
        password: Password::Clear(Secret::new(PASSWORD.to_vec())),
    };
    Users::new(vec![entry]).expect("one name")
});

const ANYBODY: &str = "anybody";

/// When the facts of the world are fresh and the certificates of `pki` valid.
pub(crate) fn noon() -> Now {
    Now {
        monotonic: Monotonic::from_elapsed(Duration::from_secs(3600)),
        wall: world::NOW,
    }
}

/// As the gateway takes them, of the TLS library's generator.
fn random(octets: &mut [u8]) {
    aws_lc_rs::rand::fill(octets).expect("the system has random numbers");
}

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

/// What NAS and gateway share.
pub(crate) const SECRET: &[u8] = b"a secret of 24 octets...";

/// Everybody's.
pub(crate) const PASSWORD: &[u8] = b"correct horse battery";

/// Enough for look-ups that find no neighbour's cache line.
pub(crate) const DEVICES: u32 = 2_000;
