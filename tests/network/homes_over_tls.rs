//! Home servers that are asked over TLS (RFC 6614), in virtual time: connections that come late, break,
//! fall silent or lie, and requests that get their one answer all the same.

use std::collections::HashMap;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use portreeve::model::Fingerprint;
use portreeve::model::Secret;
use portreeve::network::Filters;
use portreeve::network::Health;
use portreeve::network::Home;
use portreeve::network::HomeConfig;
use portreeve::network::LinkId;
use portreeve::network::Proxy;
use portreeve::network::Route;
use portreeve::network::Routes;
use portreeve::network::Spoken;
use portreeve::network::TlsWay;
use portreeve::network::Via;
use portreeve::network::Way;
use portreeve::radius::AttributeType;
use portreeve::radius::Code;
use portreeve::radius::MAX_PACKET;
use portreeve::radius::MppeKeys;
use portreeve::radius::Nas as Device;
use portreeve::radius::NasTable;
use portreeve::radius::Packet;
use portreeve::radius::RealmTable;
use portreeve::radius::RequestBuilder;
use portreeve::radius::Salt;
use portreeve::radius::SharedSecret;
use proptest::prelude::*;

use crate::lab::ALICE;
use crate::lab::AUTHENTICATION;
use crate::lab::GOOD_MAC;
use crate::lab::Lab;
use crate::lab::Sent;
use crate::lab::refusal;
use crate::nas::Nas;
use crate::proxying::MARK;
use crate::proxying::reply;
use crate::world::nas_config;

const RADSEC: &[u8] = b"radsec";

/// A lab whose users of one realm are known to two servers over TLS.
pub(crate) struct Site {
    pub(crate) lab: Lab,
    pub(crate) proxy: Proxy,
    pub(crate) homes: Vec<Arc<Home>>,
    /// The gateway as its home servers see it.
    gateway: Arc<Device>,
    pub(crate) nas: Nas,
    /// Connections in the order in which they were asked for, and what was sent on each.
    pub(crate) links: Vec<(LinkId, Arc<Home>)>,
    sent: HashMap<LinkId, VecDeque<Vec<u8>>>,
    closed: Vec<LinkId>,
}

pub(crate) fn home(name: &str, connections: u8) -> HomeConfig {
    HomeConfig {
        name: name.to_owned(),
        way: Way::Tls(TlsWay {
            host: name.into(),
            port: 2083,
            addresses: Box::default(),
            realm: None,
            connections,
            material: Fingerprint::of(b"certificates"),
        }),
        secret: Secret::new(RADSEC.to_vec()),
        signed: true,
        status: true,
    }
}

impl Site {
    fn new() -> Self {
        Self::of(vec![home("one", 1), home("two", 1)])
    }

    fn of(configs: Vec<HomeConfig>) -> Self {
        Self::with(configs, |_| {})
    }

    pub(crate) fn with(configs: Vec<HomeConfig>, change: impl FnOnce(&mut Route)) -> Self {
        let lab = Lab::new();
        let homes: Vec<Arc<Home>> = configs.into_iter().map(Home::new).map(Arc::new).collect();
        let mut route = Route {
            realm: "contoso.com".into(),
            homes: homes.clone(),
            discovered: false,
            judged: false,
            authorization_kept: true,
            filters: Filters::default(),
        };
        change(&mut route);
        let mut realms = RealmTable::default();
        realms.add(&route.realm.clone(), Some(Arc::new(route)));
        let routes = Arc::new(Routes {
            realms,
            homes: homes.clone(),
            mark: MARK.into(),
        });
        lab.reload(|settings| settings.routes = Some(routes));
        let mut config = nas_config("gateway", "x", "192.0.2.200/32");
        config.secret = Secret::new(RADSEC.to_vec());
        let gateway = Arc::clone(NasTable::new(vec![config]).unwrap().iter().next().unwrap());
        let mut site = Self {
            nas: lab.nas(),
            lab,
            proxy: Proxy::new(|octets| octets.fill(0x5c)),
            homes,
            gateway,
            links: Vec::new(),
            sent: HashMap::new(),
            closed: Vec::new(),
        };
        let now = site.lab.now.monotonic;
        site.proxy.handle_homes(now, &site.homes);
        site.turn();
        site
    }

    /// Lets the core do what is due, and takes what it wants done.
    pub(crate) fn turn(&mut self) {
        let now = self.lab.now.monotonic;
        while let Some(forwarding) = self.lab.servers[0].poll_forward() {
            self.proxy.handle_forward(now, forwarding);
        }
        self.proxy.handle_timeout(now);
        while let Some(connect) = self.proxy.poll_connect() {
            self.links.push(connect);
        }
        while let Some(link) = self.proxy.poll_close() {
            self.closed.push(link);
        }
        while let Some((via, octets)) = self.proxy.poll_transmit() {
            let Via::Tls(link) = via else {
                panic!("over UDP");
            };
            self.sent.entry(link).or_default().push_back(octets);
        }
    }

    pub(crate) fn passes(&mut self, time: Duration) {
        self.lab.passes(time);
        self.turn();
    }

    /// The connection to a home server that was asked for last.
    pub(crate) fn link(&self, home: usize) -> LinkId {
        let mut all = self.links.iter().rev();
        let found = all.find(|(_, to)| Arc::ptr_eq(to, &self.homes[home]));
        found.expect("a connection was asked for").0
    }

    fn connects(&mut self, home: usize, spoken: Spoken) -> LinkId {
        let link = self.link(home);
        let now = self.lab.now.monotonic;
        assert!(self.proxy.handle_connected(now, link, spoken));
        self.turn();
        link
    }

    pub(crate) fn breaks(&mut self, link: LinkId) {
        let now = self.lab.now.monotonic;
        self.proxy.handle_closed(now, link, "it broke");
        self.turn();
    }

    fn login(&mut self, state: Option<&[u8]>) -> Vec<u8> {
        self.login_of(ALICE, state)
    }

    pub(crate) fn login_of(&mut self, user: &str, state: Option<&[u8]>) -> Vec<u8> {
        let request = self.nas.access(|request| {
            request
                .octets(AttributeType::USER_NAME, user.as_bytes())
                .octets(AttributeType::CALLING_STATION_ID, GOOD_MAC.as_bytes());
            if let Some(state) = state {
                request.octets(AttributeType::STATE, state);
            }
            request.user_password(b"known elsewhere");
        });
        self.ask(&request);
        request
    }

    /// Hands a request in; nothing is answered at once.
    pub(crate) fn ask(&mut self, request: &[u8]) {
        let (door, from) = (AUTHENTICATION, self.nas.address);
        assert_eq!(self.lab.deliver(0, door, from, request), []);
        self.turn();
    }

    /// The next packet that was sent on a connection.
    pub(crate) fn next(&mut self, link: LinkId) -> Option<Vec<u8>> {
        self.sent.get_mut(&link)?.pop_front()
    }

    fn gets(&mut self, link: LinkId, octets: &[u8]) -> bool {
        let now = self.lab.now.monotonic;
        let stays = self.proxy.handle_packet(now, link, octets);
        self.turn();
        stays
    }

    /// A home server of the historic kind answers.
    pub(crate) fn answers(&mut self, link: LinkId, request: &[u8], code: Code) {
        let answer = reply(&self.gateway, request, code, |_| {});
        assert!(self.gets(link, &answer));
    }

    /// What the gateway answers its NASes now.
    pub(crate) fn answered(&mut self) -> Vec<Sent> {
        let now = self.lab.now;
        while let Some((worker, done)) = self.proxy.poll_done() {
            self.lab.servers[usize::from(worker)].handle_job(now, done);
        }
        self.lab.settle()
    }
}

impl Site {
    /// The NAS believes the one answer that it gets now.
    pub(crate) fn believes(&mut self, request: &[u8]) -> crate::nas::Reply {
        let answers = self.answered();
        assert_eq!(answers.len(), 1);
        self.nas.believe(request, &answers[0].octets)
    }
}

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn a_request_waits_for_its_connection_and_is_sent_once_rfc6613_2_1() {
    let mut site = Site::new();
    assert_eq!(
        site.links.len(),
        2,
        "both are connected before anybody asks"
    );
    let request = site.login(None);
    assert!(site.sent.is_empty());
    let link = site.connects(0, Spoken::Historic);
    let forwarded = site.next(link).unwrap();
    assert_eq!(site.homes[0].in_flight(), 1);
    // TCP repeats; we do not.
    site.passes(3 * SECOND);
    assert_eq!(site.next(link), None);
    site.answers(link, &forwarded, Code::AccessAccept);
    let answers = site.answered();
    let accept = site.nas.believe(&request, &answers[0].octets);
    assert_eq!(accept.code, Code::AccessAccept);
    let home = &site.homes[0];
    assert_eq!((home.in_flight(), home.connections()), (0, 1));
    assert_eq!(home.round_trip(), Some(3 * SECOND));
    assert!(home.is_up() && !site.homes[1].is_up());
}

/// A packet of RADIUS/1.1 as the RFC draws it.
fn version_11(code: u8, token: &[u8], attributes: &[u8]) -> Vec<u8> {
    let length = u16::try_from(20 + attributes.len()).unwrap().to_be_bytes();
    [&[code, 0], &length[..], token, &[0; 12], attributes].concat()
}

#[test]
fn radius_1_1_hides_and_signs_nothing_and_tells_answers_by_token_rfc9765_4_2() {
    let mut site = Site::new();
    let link = site.connects(0, Spoken::Version11);
    let request = site.login(None);
    let forwarded = site.next(link).unwrap();
    let packet = Packet::new_checked(&forwarded).unwrap();
    assert_eq!(packet.find(AttributeType::MESSAGE_AUTHENTICATOR), None);
    let password = packet.find(AttributeType::USER_PASSWORD);
    assert_eq!(password, Some(&b"known elsewhere"[..]));
    assert_eq!(forwarded[8..20], [0; 12]);
    let token = forwarded[4..8].to_vec();
    // Keys in the clear: MS-MPPE-Send-Key and -Recv-Key, in one attribute.
    let keys = MppeKeys::from_msk(&std::array::from_fn(|place| place.try_into().unwrap()));
    let inner = [&[16, 34][..], keys.send(), &[17, 34], keys.receive()].concat();
    let vendor = [&[26, 74, 0, 0, 1, 55][..], &inner].concat();
    let mut other = token.clone();
    other[0] ^= 1;
    assert!(site.gets(link, &version_11(2, &other, &vendor)));
    assert_eq!(site.answered(), [], "another Token");
    assert!(site.gets(link, &version_11(5, &token, &[])));
    assert_eq!(site.answered(), [], "an Accounting-Response");
    assert!(site.gets(link, &version_11(2, &token, &vendor)));
    let answers = site.answered();
    let accept = site.nas.believe(&request, &answers[0].octets);
    let told = accept.keys(&site.nas).unwrap();
    assert_eq!((told.send(), told.receive()), (keys.send(), keys.receive()));
    assert_eq!(site.homes[0].counters.stray.get(), 2);
    assert_eq!(site.homes[0].transport(), "tls, RADIUS/1.1");
}

#[test]
fn what_was_under_way_on_a_connection_that_ends_is_asked_again_rfc6613_2_6_1() {
    let mut site = Site::new();
    let first = site.connects(0, Spoken::Historic);
    let other = site.connects(1, Spoken::Historic);
    let warm = site.login(None);
    let sent = site.next(first).unwrap();
    site.answers(first, &sent, Code::AccessAccept);
    site.believes(&warm);

    let request = site.login(None);
    assert!(site.next(first).is_some());
    site.breaks(first);
    // The other one is there; the first is connected to again, at once, because it had answered.
    let again = site.next(other).unwrap();
    assert_ne!(site.link(0), first);
    site.answers(other, &again, Code::AccessAccept);
    let answers = site.answered();
    assert_eq!(answers.len(), 1);
    site.nas.believe(&request, &answers[0].octets);
    assert_eq!(site.homes[0].counters.cut.get(), 1);
    // What comes late on a connection that is gone answers nothing.
    site.answers(first, &again, Code::AccessAccept);
    assert_eq!(site.answered(), []);
}

#[test]
fn attempts_that_fail_come_later_each_time_and_the_record_says_why_nobody_answered() {
    let mut site = Site::of(vec![home("one", 1)]);
    let mut pauses = Vec::new();
    for attempt in 1..=6 {
        assert_eq!(site.links.len(), attempt);
        let link = site.link(0);
        site.breaks(link);
        let began = site.lab.now.monotonic;
        while site.links.len() == attempt {
            site.passes(Duration::from_millis(100));
        }
        pauses.push(site.lab.now.monotonic.since(began).as_secs());
    }
    assert_eq!(pauses, [1, 2, 4, 8, 17, 34]);
    let link = site.link(0);
    site.breaks(link);
    site.login(None);
    assert_eq!(site.answered(), []);
    assert_eq!(site.lab.dropped("home_silent"), 1, "at once");
    let why = refusal(&site.lab.record());
    assert!(
        why.contains("no home server of realm \"contoso.com\" has answered")
            && why.contains("one is not connected (it broke)"),
        "{why}"
    );
}

#[test]
fn a_server_that_hangs_is_passed_over_and_its_connection_given_up_rfc3539_3_4_1() {
    let mut site = Site::new();
    let hangs = site.connects(0, Spoken::Historic);
    let other = site.connects(1, Spoken::Historic);
    let request = site.login(None);
    assert!(site.next(hangs).is_some());
    site.passes(4 * SECOND);
    let again = site.next(other).unwrap();
    site.answers(other, &again, Code::AccessAccept);
    site.believes(&request);
    assert!(matches!(site.homes[0].health(), Health::Zombie(_)));
    assert_eq!(site.next(hangs).unwrap()[0], 12, "a Status-Server");
    site.passes(4 * SECOND);
    assert_eq!(site.closed, [hangs]);
    // Connected to again, it is asked whether it lives before it gets anything else.
    site.passes(2 * SECOND);
    let new = site.connects(0, Spoken::Historic);
    assert_ne!(new, hangs);
    let status = site.next(new).unwrap();
    assert_eq!(status[0], 12);
    site.answers(new, &status, Code::AccessAccept);
    assert_eq!(site.homes[0].health(), Health::Alive);
    // A connection on which nothing happens is asked after too.
    site.passes(31 * SECOND);
    assert_eq!(site.next(new).unwrap()[0], 12);
}

#[test]
fn no_more_than_256_are_under_way_on_a_connection_and_a_second_one_opens_rfc6613_2_6_1() {
    let mut site = Site::of(vec![home("one", 2)]);
    let first = site.connects(0, Spoken::Historic);
    for number in 0..130 {
        site.nas.address.set_port(40_000 + number / 256);
        site.login(None);
    }
    assert_eq!(site.links.len(), 2, "half full");
    for number in 130..=256 {
        site.nas.address.set_port(40_000 + number / 256);
        site.login(None);
    }
    assert_eq!(site.sent[&first].len(), 256, "one waits for the second");
    let mut identifiers: Vec<u8> = site.sent[&first].iter().map(|octets| octets[1]).collect();
    identifiers.sort_unstable();
    identifiers.dedup();
    assert_eq!(identifiers.len(), 256);
    let second = site.connects(0, Spoken::Historic);
    assert_eq!(site.sent[&second].len(), 1);
    // All places of both.
    for number in 257..=512 {
        site.nas.address.set_port(40_000 + number / 256);
        site.login(None);
    }
    assert_eq!(site.sent[&second].len(), 256);
    assert_eq!(site.answered(), []);
    assert_eq!(site.homes[0].counters.full.get(), 1);
    assert_eq!(site.homes[0].in_flight(), 512);
}

#[test]
fn a_conversation_stays_with_the_home_server_that_began_it() {
    let mut site = Site::new();
    let one = site.link(0);
    let two = site.connects(1, Spoken::Historic);
    site.breaks(one);
    let request = site.login(None);
    let sent = site.next(two).unwrap();
    let challenge = reply(&site.gateway, &sent, Code::AccessChallenge, |reply| {
        reply.octets(AttributeType::STATE, b"round 1");
    });
    assert!(site.gets(two, &challenge));
    site.believes(&request);
    // The preferred one is back: new conversations go there, this one goes on where it was.
    site.passes(2 * SECOND);
    let one = site.connects(0, Spoken::Historic);
    site.login(Some(b"round 1"));
    assert_eq!(site.next(one), None);
    let sent = site.next(two).unwrap();
    let challenge = reply(&site.gateway, &sent, Code::AccessChallenge, |reply| {
        reply.octets(AttributeType::STATE, b"round 2");
    });
    assert!(site.gets(two, &challenge));
    assert_eq!(site.answered().len(), 1);
    site.login(None);
    assert!(site.next(one).is_some());
    // Its home dies in the middle: nobody else can go on, and nobody else is asked.
    site.breaks(two);
    let gone = site.link(1);
    site.breaks(gone);
    site.login(Some(b"round 2"));
    assert_eq!(site.next(one), None);
    assert_eq!(site.answered(), []);
    let why = refusal(site.lab.records().last().unwrap());
    assert!(
        why.contains("the home server of this conversation"),
        "{why}"
    );
}

#[test]
fn a_reload_keeps_what_did_not_change_and_lets_the_rest_finish() {
    let mut site = Site::new();
    let one = site.connects(0, Spoken::Historic);
    let two = site.connects(1, Spoken::Historic);
    let request = site.login(None);
    let sent = site.next(one).unwrap();
    let now = site.lab.now.monotonic;
    let kept = vec![Arc::clone(&site.homes[1])];
    site.proxy.handle_homes(now, &kept);
    site.turn();
    assert_eq!(site.closed, [], "a request is under way");
    site.answers(one, &sent, Code::AccessAccept);
    site.believes(&request);
    site.turn();
    assert_eq!(site.closed, [one]);
    assert_eq!(site.links.len(), 2, "nothing is connected to again");
    assert_eq!(site.homes[1].connections(), 1);
    assert_eq!(site.homes[0].connections(), 0);
    assert_ne!(one, two);
}

#[test]
fn garbage_ends_its_connection_and_nothing_else_rfc6613_2_6_4() {
    let mut site = Site::new();
    let link = site.connects(0, Spoken::Historic);
    site.login(None);
    let sent = site.next(link).unwrap();
    let right = reply(&site.gateway, &sent, Code::AccessAccept, |_| {});
    let mut forged = right;
    forged[25] ^= 1;
    let unknown_code = [&[99, sent[1], 0, 20][..], &[0; 16]].concat();
    for (row, octets, stays) in [
        ("no packet", &[2, 0, 0, 19][..], false),
        (
            "lengths that lie",
            &[&[2, 1, 0, 22][..], &[0; 16], &[1, 1]].concat(),
            false,
        ),
        ("an unknown code", &unknown_code, true),
        ("a wrong signature", &forged, true),
    ] {
        assert_eq!(site.gets(link, octets), stays, "row {row}");
        assert_eq!(site.answered(), [], "row {row}");
    }
    // Somebody who sends nothing but what answers nothing.
    let left = (0..1000).take_while(|_| site.gets(link, &forged)).count();
    assert_eq!(left, 254);
    site.breaks(link);
    assert_eq!(site.homes[0].counters.cut.get(), 1);
}

#[test]
fn a_disconnect_from_a_home_server_is_refused_with_its_reason_rfc8559_3_3() {
    let mut site = Site::new();
    let link = site.connects(0, Spoken::Historic);
    let secret = SharedSecret::new(Secret::new(RADSEC.to_vec()));
    let mut buffer = [0; MAX_PACKET];
    let mut request = RequestBuilder::disconnect_request(&mut buffer, 77, &secret);
    request.octets(AttributeType::USER_NAME, ALICE.as_bytes());
    let request = request.finish().unwrap().to_vec();
    assert!(site.gets(link, &request));
    let refused = site.next(link).unwrap();
    let refused = Packet::new_checked(&refused).unwrap();
    assert_eq!(
        (refused.code(), refused.identifier()),
        (Code::DisconnectNak, 77)
    );
    let cause = refused.find(AttributeType::ERROR_CAUSE).unwrap();
    assert_eq!(cause, 502_u32.to_be_bytes());
    assert_eq!(site.homes[0].counters.reversed.get(), 1);
    // In RADIUS/1.1 the Token tells which one is refused.
    let link = site.connects(1, Spoken::Version11);
    assert!(site.gets(link, &version_11(43, &[9, 8, 7, 6], &[])));
    let refused = site.next(link).unwrap();
    assert_eq!((refused[0], &refused[4..8]), (45, &[9, 8, 7, 6][..]));
}

#[test]
fn keys_go_round_by_either_kind_of_connection() {
    let keys = MppeKeys::from_msk(&[7; 64]);
    let mut site = Site::new();
    let link = site.connects(0, Spoken::Historic);
    let request = site.login(None);
    let sent = site.next(link).unwrap();
    let answer = reply(&site.gateway, &sent, Code::AccessAccept, |reply| {
        reply.mppe_keys(&keys, Salt::new(9));
    });
    assert!(site.gets(link, &answer));
    let accept = site.believes(&request);
    let told = accept.keys(&site.nas).unwrap();
    assert_eq!((told.send(), told.receive()), (keys.send(), keys.receive()));
}

/// What may happen between two moments.
#[derive(Clone, Copy, Debug)]
enum Event {
    Asked,
    /// The oldest or the newest packet on some connection is answered.
    Answered(bool),
    Lost,
    Connected(bool),
    Broken,
    Garbage,
    Passed(u8),
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let event = prop_oneof![
        3 => Just(Event::Asked),
        3 => any::<bool>().prop_map(Event::Answered),
        1 => Just(Event::Lost),
        3 => any::<bool>().prop_map(Event::Connected),
        1 => Just(Event::Broken),
        1 => Just(Event::Garbage),
        2 => (1_u8..60).prop_map(Event::Passed),
    ];
    prop::collection::vec(event, 0..60)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever connections do: each request is given back once, in time, and nothing stays behind.
    #[test]
    fn each_request_is_given_back_once_and_in_time(happens in events()) {
        let mut site = Site::new();
        let (mut asked, mut given_back) = (0, 0);
        let mut open: Vec<LinkId> = Vec::new();
        let mut known = 0;
        for event in happens {
            match event {
                Event::Asked => {
                    site.login(None);
                    asked += 1;
                }
                Event::Answered(oldest) => {
                    let waiting = open.iter().copied().find(|link| {
                        site.sent.get(link).is_some_and(|sent| !sent.is_empty())
                    });
                    if let Some(link) = waiting {
                        let sent = site.sent.get_mut(&link).unwrap();
                        let request = if oldest { sent.pop_front() } else { sent.pop_back() };
                        let request = request.unwrap();
                        let is_status = request[0] == 12;
                        let code = if is_status { Code::AccessAccept } else { Code::AccessReject };
                        site.answers(link, &request, code);
                    }
                }
                Event::Lost => {
                    if let Some(link) = open.first().copied() {
                        site.next(link);
                    }
                }
                Event::Connected(good) => {
                    if let Some((link, _)) = site.links.get(known).cloned() {
                        known += 1;
                        if good {
                            let now = site.lab.now.monotonic;
                            if site.proxy.handle_connected(now, link, Spoken::Historic) {
                                open.push(link);
                            }
                            site.turn();
                        } else {
                            site.breaks(link);
                        }
                    }
                }
                Event::Broken => {
                    if let Some(link) = open.pop() {
                        site.breaks(link);
                    }
                }
                Event::Garbage => {
                    if let Some(link) = open.first().copied() {
                        site.gets(link, &[2; 30]);
                    }
                }
                Event::Passed(tenths) => site.passes(Duration::from_millis(u64::from(tenths) * 100)),
            }
            open.retain(|link| !site.closed.contains(link));
            let now = site.lab.now;
            while let Some((worker, done)) = site.proxy.poll_done() {
                given_back += 1;
                site.lab.servers[usize::from(worker)].handle_job(now, done);
            }
            site.lab.settle();
        }
        for _ in 0..170 {
            site.passes(Duration::from_millis(100));
            let now = site.lab.now;
            while let Some((worker, done)) = site.proxy.poll_done() {
                given_back += 1;
                site.lab.servers[usize::from(worker)].handle_job(now, done);
            }
        }
        site.lab.settle();
        prop_assert_eq!(asked, given_back);
        prop_assert!(site.lab.servers[0].is_idle());
    }
}
