//! Many sessions at many NASes that take requests, in virtual time.

use std::net::IpAddr;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use portreeve::model::ComplianceState;
use portreeve::model::Now;
use portreeve::network::Admissions;
use portreeve::network::Dynamic;
use portreeve::network::DynamicCounters;
use portreeve::network::Reach;
use portreeve::network::Shared;
use portreeve::radius::AttributeType;
use portreeve::radius::NasTable;

use crate::disconnects::answer;
use crate::lab::GOOD;
use crate::lab::GOOD_MAC;
use crate::lab::Lab;
use crate::nas::Nas;
use crate::world::SECRET;
use crate::world::nas_config;

/// The sessions of one device that is at each NAS behind each proxy.
pub(crate) struct Crowd {
    lab: Lab,
    dynamic: Dynamic,
    admissions: Arc<Admissions>,
    /// Requests that each NAS got, repetitions among them.
    sent: Vec<usize>,
}

impl Crowd {
    pub(crate) fn new(nases: usize, each: usize) -> Self {
        let mut lab = Lab::new();
        // The lab's table has no room for that many.
        let admissions = Arc::new(Admissions::new(Arc::clone(&lab.shared.point), nases * each));
        let shared = &lab.shared;
        lab.shared = Arc::new(Shared {
            settings: shared.settings.load_full().into(),
            point: Arc::clone(&shared.point),
            sessions: Arc::clone(&shared.sessions),
            admissions: Arc::clone(&admissions),
            records: Arc::clone(&shared.records),
            correlations: Arc::clone(&shared.correlations),
            random: shared.random,
            loops: shared.loops,
        });
        lab.servers = vec![portreeve::network::Server::new(0, Arc::clone(&lab.shared))];
        lab.reload(|settings| {
            let mut config = nas_config("switches", "office", "198.18.0.0/24");
            config.dynamic_authorization = Some(3799.into());
            settings.nas = NasTable::new(vec![config]).unwrap();
        });
        for number in 0..nases {
            let mut nas = Nas::new(&format!("{}:50000", address(number)), SECRET);
            for port in 0..each {
                let request = nas.access(|request| {
                    let session = format!("{number} {port}");
                    request
                        .octets(AttributeType::USER_NAME, GOOD_MAC.as_bytes())
                        .octets(AttributeType::NAS_IDENTIFIER, session.as_bytes())
                        .octets(AttributeType::ACCT_SESSION_ID, session.as_bytes());
                });
                lab.ask(&nas, &request).unwrap();
            }
            // Requests of this NAS are remembered for a while, by identifiers that come again.
            lab.passes(Duration::from_secs(11));
        }
        let counters = Arc::new(DynamicCounters::default());
        let dynamic = Dynamic::new(Arc::clone(&lab.shared), counters);
        Self {
            lab,
            dynamic,
            admissions,
            sent: vec![0; nases],
        }
    }

    pub(crate) fn now(&self) -> Now {
        self.lab.now
    }

    /// How many are in.
    pub(crate) fn open(&self) -> usize {
        self.admissions.len()
    }

    pub(crate) fn sent_to(&self, nas: usize) -> usize {
        self.sent[nas]
    }

    /// All of them have to go, and the operator lets them.
    pub(crate) fn cut(&mut self) {
        let changes = self
            .lab
            .judged(GOOD, GOOD_MAC, ComplianceState::NonCompliant);
        let now = self.lab.now.wall;
        self.admissions.sweep(now, &changes);
        assert_eq!(self.admissions.release(now, false), self.open());
    }

    /// A millisecond passes; those NASes answer that `answers`. Gives how much was sent.
    pub(crate) fn tick(&mut self, answers: impl Fn(usize) -> bool) -> usize {
        let now = self.lab.now;
        self.dynamic.handle_due(now);
        self.dynamic.handle_timeout(now);
        let mut sent = 0;
        let mut replies = Vec::new();
        while let Some((to, request)) = self.dynamic.poll_transmit() {
            let Reach::Udp(at) = to else {
                panic!("to {to}")
            };
            let number = number(at.ip());
            sent += 1;
            self.sent[number] += 1;
            if answers(number) {
                replies.push((at, answer(&request, 41, None, SECRET)));
            }
        }
        self.lab.passes(Duration::from_millis(1));
        for (from, reply) in replies {
            self.dynamic.handle_datagram(self.lab.now, from, &reply);
        }
        sent
    }
}

fn address(number: usize) -> IpAddr {
    let last = u8::try_from(number + 1).unwrap();
    SocketAddr::from(([198, 18, 0, last], 0)).ip()
}

fn number(address: IpAddr) -> usize {
    match address {
        IpAddr::V4(address) => usize::from(address.octets()[3]) - 1,
        IpAddr::V6(_) => panic!("{address}"),
    }
}
