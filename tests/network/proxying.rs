//! Requests of realms that other servers know: carried there and back, and judged on the way.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use portreeve::model::Secret;
use portreeve::model::Verdict;
use portreeve::network::Filters;
use portreeve::network::Health;
use portreeve::network::Home;
use portreeve::network::HomeConfig;
use portreeve::network::MAX_FORWARDS;
use portreeve::network::Proxy;
use portreeve::network::Route;
use portreeve::network::Routes;
use portreeve::network::Via;
use portreeve::network::Way;
use portreeve::radius::AttributeFilter;
use portreeve::radius::AttributeType;
use portreeve::radius::Code;
use portreeve::radius::Dictionary;
use portreeve::radius::MAX_PACKET;
use portreeve::radius::MppeKeys;
use portreeve::radius::Nas as Device;
use portreeve::radius::NasTable;
use portreeve::radius::Packet;
use portreeve::radius::RealmTable;
use portreeve::radius::Reply;
use portreeve::radius::Request;
use portreeve::radius::Salt;
use portreeve::radius::verify;

use crate::lab::ACCOUNTING;
use crate::lab::ALICE;
use crate::lab::AUTHENTICATION;
use crate::lab::BAD_MAC;
use crate::lab::GOOD_MAC;
use crate::lab::Lab;
use crate::lab::Sent;
use crate::lab::verdict;
use crate::nas::Nas;
use crate::world::nas_config;

pub(crate) const HOME_SECRET: &[u8] = b"a secret between proxy and home";
const HOMES: [&str; 2] = ["198.51.100.81:1812", "198.51.100.82:1812"];
const HOME_ACCOUNTING: &str = "198.51.100.81:1813";
pub(crate) const MARK: &[u8] = b"portreeve-under-test";

/// A lab whose users of one realm are known elsewhere.
pub(crate) struct Site {
    pub(crate) lab: Lab,
    pub(crate) proxy: Proxy,
    pub(crate) homes: Vec<Arc<Home>>,
    /// The gateway as its home servers see it.
    gateway: Arc<Device>,
    pub(crate) nas: Nas,
}

impl Site {
    pub(crate) fn new() -> Self {
        Self::with(|_| {})
    }

    pub(crate) fn with(change: impl FnOnce(&mut Route)) -> Self {
        let lab = Lab::new();
        let homes: Vec<Arc<Home>> = HOMES
            .iter()
            .map(|address| {
                Arc::new(Home::new(HomeConfig {
                    name: (*address).to_owned(),
                    way: Way::Udp {
                        authentication: Some(address.parse().unwrap()),
                        accounting: (*address == HOMES[0])
                            .then(|| HOME_ACCOUNTING.parse().unwrap()),
                    },
                    secret: Secret::new(HOME_SECRET.to_vec()),
                    signed: true,
                    status: true,
                }))
            })
            .collect();
        let mut route = Route {
            realm: "contoso.com".into(),
            homes: homes.clone(),
            discovered: false,
            judged: true,
            authorization_kept: true,
            filters: Filters::default(),
        };
        change(&mut route);
        let mut realms = RealmTable::default();
        realms.add("contoso.com", Some(Arc::new(route)));
        let routes = Arc::new(Routes {
            realms,
            homes: homes.clone(),
            mark: MARK.into(),
        });
        lab.reload(|settings| settings.routes = Some(routes));
        let mut config = nas_config("gateway", "x", "192.0.2.200/32");
        config.secret = Secret::new(HOME_SECRET.to_vec());
        let gateway = Arc::clone(NasTable::new(vec![config]).unwrap().iter().next().unwrap());
        Self {
            nas: lab.nas(),
            lab,
            proxy: Proxy::new(random),
            homes,
            gateway,
        }
    }

    /// A request with a password, from a device.
    pub(crate) fn login(&mut self, mac: &str) -> Vec<u8> {
        self.nas.access(|request| {
            request
                .octets(AttributeType::PROXY_STATE, b"first")
                .octets(AttributeType::USER_NAME, ALICE.as_bytes())
                .octets(AttributeType::CALLING_STATION_ID, mac.as_bytes())
                .user_password(b"known elsewhere");
        })
    }

    /// Hands a request in; nothing is answered yet.
    pub(crate) fn ask(&mut self, request: &[u8]) {
        let (door, from) = (AUTHENTICATION, self.nas.address);
        let sent = self.lab.deliver(0, door, from, request);
        assert_eq!(sent, [], "a home server is asked first");
    }

    /// What leaves for home servers now.
    pub(crate) fn sent(&mut self) -> Vec<(Via, Vec<u8>)> {
        let now = self.lab.now.monotonic;
        while let Some(forwarding) = self.lab.servers[0].poll_forward() {
            self.proxy.handle_forward(now, forwarding);
        }
        self.proxy.handle_timeout(now);
        let mut sent = Vec::new();
        while let Some(one) = self.proxy.poll_transmit() {
            sent.push(one);
        }
        sent
    }

    pub(crate) fn only(&mut self) -> (Via, Vec<u8>) {
        let mut sent = self.sent();
        assert_eq!(sent.len(), 1);
        sent.pop().unwrap()
    }

    /// What the gateway answers its NASes now.
    pub(crate) fn answered(&mut self) -> Vec<Sent> {
        let now = self.lab.now;
        while let Some((worker, done)) = self.proxy.poll_done() {
            self.lab.servers[usize::from(worker)].handle_job(now, done);
        }
        self.lab.settle()
    }

    /// A home server answers.
    pub(crate) fn answer(
        &mut self,
        (via, request): &(Via, Vec<u8>),
        code: Code,
        build: impl FnOnce(&mut Reply<'_, '_>),
    ) {
        let answer = reply(&self.gateway, request, code, build);
        let now = self.lab.now.monotonic;
        self.proxy.handle_datagram(now, *via, &answer);
    }

    pub(crate) fn passes(&mut self, seconds: u64) {
        self.lab.passes(Duration::from_secs(seconds));
    }
}

/// What a server says that shares the secret.
pub(crate) fn reply(
    gateway: &Device,
    request: &[u8],
    code: Code,
    build: impl FnOnce(&mut Reply<'_, '_>),
) -> Vec<u8> {
    let verified = verify(Packet::new_checked(request).unwrap(), gateway).unwrap();
    let (mut buffer, secret) = ([0; MAX_PACKET], gateway.secret());
    let buffer = &mut buffer;
    let mut reply = match code {
        Code::AccessAccept => Reply::access_accept(buffer, verified.origin(), secret),
        Code::AccessReject => Reply::access_reject(buffer, verified.origin(), secret),
        Code::AccessChallenge => Reply::access_challenge(buffer, verified.origin(), secret),
        _ => Reply::accounting_response(buffer, verified.origin(), secret),
    };
    build(&mut reply);
    reply.finish().unwrap().to_vec()
}

/// Where a datagram goes.
fn to_of(via: Via) -> SocketAddr {
    match via {
        Via::Udp { to, .. } => to,
        Via::Tls(link) => panic!("not over UDP: {link:?}"),
    }
}

fn random(octets: &mut [u8]) {
    octets.fill(0x5c);
}

#[test]
fn a_request_goes_on_with_all_it_says_under_another_secret_rfc2865_2_3() {
    let mut site = Site::new();
    let request = site.login(GOOD_MAC);
    site.ask(&request);
    let (via, forwarded) = site.only();
    assert_eq!(to_of(via), HOMES[0].parse::<SocketAddr>().unwrap());
    let packet = Packet::new_checked(&forwarded).unwrap();
    let kinds: Vec<u8> = packet.attributes().map(|one| one.kind.0).collect();
    assert_eq!(kinds, [80, 33, 1, 31, 2, 33], "signed first, our mark last");
    let states: Vec<&[u8]> = packet.find_all(AttributeType::PROXY_STATE).collect();
    assert_eq!(states, [&b"first"[..], MARK]);
    let verified = verify(packet, &site.gateway).unwrap();
    let Request::Access(access) = verified.request().unwrap() else {
        panic!("no Access-Request");
    };
    let password = access.password(site.gateway.secret().secret()).unwrap();
    assert_eq!(password.expose(), b"known elsewhere");

    // A retransmission is not asked twice.
    let door = AUTHENTICATION;
    let again = site.lab.deliver(0, door, site.nas.address, &request);
    assert_eq!((again, site.sent()), (vec![], vec![]));

    let keys = MppeKeys::from_msk(&std::array::from_fn(|place| place.try_into().unwrap()));
    site.answer(&(via, forwarded), Code::AccessAccept, |reply| {
        reply
            .octets(AttributeType::CLASS, b"of home")
            .vlan(0, b"77")
            .mppe_keys(&keys, Salt::new(9));
    });
    let answers = site.answered();
    let accept = site.nas.believe(&request, &answers[0].octets);
    assert_eq!(accept.code, Code::AccessAccept);
    assert_eq!(accept.all(AttributeType::PROXY_STATE), [b"first".to_vec()]);
    let vlan = accept.text(AttributeType::TUNNEL_PRIVATE_GROUP_ID);
    assert_eq!(vlan.as_deref(), Some("77"));
    let classes = accept.all(AttributeType::CLASS);
    assert_eq!(classes.len(), 2, "theirs and ours");
    assert_eq!(classes[0], b"of home");
    let told = accept.keys(&site.nas).unwrap();
    assert_eq!((told.receive(), told.send()), (keys.receive(), keys.send()));
    let record = site.lab.record();
    assert_eq!(verdict(&record), Verdict::Allow);
    assert_eq!(record.method.as_str(), "proxied");
    assert_eq!(record.user.as_str(), ALICE);
}

#[test]
fn a_bad_device_gets_our_quarantine_and_none_of_what_home_authorises() {
    let mut site = Site::new();
    let request = site.login(BAD_MAC);
    site.ask(&request);
    let forwarded = site.only();
    site.answer(&forwarded, Code::AccessAccept, |reply| {
        reply
            .vlan(0, b"77")
            .octets(AttributeType::FILTER_ID, b"home");
    });
    let answers = site.answered();
    let answer = site.nas.believe(&request, &answers[0].octets);
    match verdict(&site.lab.record()) {
        Verdict::Quarantine => {
            let vlan = answer.text(AttributeType::TUNNEL_PRIVATE_GROUP_ID);
            assert_eq!(vlan.as_deref(), Some("quarantine"));
            let filter = answer.text(AttributeType::FILTER_ID);
            assert_eq!(filter.as_deref(), Some("quarantine"));
        }
        Verdict::Block => {
            assert_eq!(answer.code, Code::AccessReject);
            assert_eq!(answer.find(AttributeType::FILTER_ID), None);
        }
        Verdict::Allow => panic!("a device that is not compliant"),
    }
}

#[test]
fn a_blocked_peer_gets_a_failure_in_place_of_homes_success_rfc3748_4_2() {
    let mut site = Site::new();
    let closed = crate::world::rules(crate::lab::CLOSED);
    site.lab.point().replace_policy(closed);
    let request = site.nas.access(|request| {
        request
            .octets(AttributeType::USER_NAME, b"anonymous@contoso.com")
            .eap_message(&[2, 7, 0, 5, 1]);
    });
    site.ask(&request);
    let forwarded = site.only();
    let keys = MppeKeys::from_msk(&[7; 64]);
    site.answer(&forwarded, Code::AccessAccept, |reply| {
        reply
            .eap_message(&[3, 7, 0, 4])
            .mppe_keys(&keys, Salt::new(9))
            .octets(AttributeType::USER_NAME, ALICE.as_bytes());
    });
    let answers = site.answered();
    let reject = site.nas.believe(&request, &answers[0].octets);
    assert_eq!(reject.code, Code::AccessReject);
    assert_eq!(reject.eap().unwrap(), [4, 7, 0, 4]);
    assert!(reject.keys(&site.nas).is_none());
    let record = site.lab.record();
    assert_eq!(record.user.as_str(), ALICE, "whom the home server names");
}

#[test]
fn challenges_and_rejects_pass_and_unjudged_realms_do() {
    let mut site = Site::with(|route| route.judged = false);
    for (code, attribute) in [
        (Code::AccessChallenge, AttributeType::STATE),
        (Code::AccessReject, AttributeType::REPLY_MESSAGE),
        (Code::AccessAccept, AttributeType::FILTER_ID),
    ] {
        let request = site.login(BAD_MAC);
        site.ask(&request);
        let forwarded = site.only();
        site.answer(&forwarded, code, |reply| {
            reply.octets(attribute, b"of home");
        });
        let answers = site.answered();
        let answer = site.nas.believe(&request, &answers[0].octets);
        assert_eq!(answer.code, code);
        let carried = answer.text(attribute);
        assert_eq!(carried.as_deref(), Some("of home"), "row {code:?}");
    }
    let counters = site.lab.servers[0].counters();
    assert_eq!(counters.passed_on.get(), 1);
    assert_eq!(site.lab.records().len(), 1, "the reject");
}

#[test]
fn a_silent_home_is_asked_twice_then_the_next_one_rfc5080_2_2_1() {
    let mut site = Site::new();
    let request = site.login(GOOD_MAC);
    site.ask(&request);
    let first = site.only();
    site.passes(2);
    assert_eq!(site.only(), first, "the same octets again");
    site.passes(2);
    let sent = site.sent();
    let to = |address: &str| {
        let address: SocketAddr = address.parse().unwrap();
        let found = sent.iter().find(|(via, _)| to_of(*via) == address);
        found.cloned().unwrap()
    };
    // The next one gets the request, the silent one is asked whether it lives.
    assert_eq!(sent.len(), 2);
    assert_eq!(to(HOMES[0]).1[0], 12);
    let second = to(HOMES[1]);
    assert!(matches!(site.homes[0].health(), Health::Zombie(_)));
    // An answer that comes late answers nothing any more.
    site.answer(&first, Code::AccessAccept, |_| {});
    assert_eq!(site.answered(), []);
    site.answer(&second, Code::AccessAccept, |_| {});
    assert_eq!(site.answered().len(), 1);

    // Whoever lives goes before a zombie.
    let request = site.login(GOOD_MAC);
    site.ask(&request);
    assert_eq!(to_of(site.only().0), HOMES[1].parse().unwrap());
    // It is alive again when it says so.
    let status = to(HOMES[0]);
    site.answer(&status, Code::AccessAccept, |_| {});
    assert_eq!(site.homes[0].health(), Health::Alive);
    let request = site.login(GOOD_MAC);
    site.ask(&request);
    assert_eq!(to_of(site.only().0), HOMES[0].parse().unwrap());
}

#[test]
fn when_all_are_dead_requests_are_dropped_at_once_and_nothing_is_left() {
    let mut site = Site::new();
    let request = site.login(GOOD_MAC);
    site.ask(&request);
    for _ in 0..40 {
        site.sent();
        site.passes(1);
    }
    assert_eq!(site.answered(), []);
    for home in &site.homes {
        assert!(matches!(home.health(), Health::Dead(_)), "{home:?}");
    }
    assert_eq!(site.lab.dropped("home_silent"), 1);
    let request = site.login(GOOD_MAC);
    site.ask(&request);
    let asked = site.sent();
    assert!(
        asked.iter().all(|(_, octets)| octets[0] == 12),
        "status only"
    );
    assert_eq!(site.answered(), []);
    assert_eq!(site.lab.dropped("home_silent"), 2);
    assert!(site.lab.servers[0].is_idle());
}

#[test]
fn answers_that_anybody_can_forge_are_not_believed_cve_2024_3596() {
    let mut site = Site::new();
    let request = site.login(GOOD_MAC);
    site.ask(&request);
    let forwarded = site.only();
    let (via, octets) = &forwarded;
    // Only the Response Authenticator (RFC 2865 section 3).
    let mut unsigned = vec![2, octets[1], 0, 20];
    let signed = [&unsigned, &octets[4..20], HOME_SECRET].concat();
    unsigned.extend_from_slice(&<[u8; 16]>::from(<md5::Md5 as md5::Digest>::digest(signed)));
    let right = reply(&site.gateway, octets, Code::AccessAccept, |_| {});
    let mut forged = right.clone();
    forged[25] ^= 1;
    let Via::Udp { socket, to } = *via else {
        panic!("not over UDP");
    };
    let elsewhere = Via::Udp {
        to: HOMES[1].parse().unwrap(),
        socket,
    };
    let other_socket = Via::Udp {
        socket: socket + 1,
        to,
    };
    for (via, answer) in [
        (*via, &unsigned),
        (*via, &forged),
        (elsewhere, &right),
        (other_socket, &right),
        (*via, &vec![2; 7]),
    ] {
        let now = site.lab.now.monotonic;
        site.proxy.handle_datagram(now, via, answer);
        assert_eq!(site.answered(), []);
    }
    assert_eq!(site.homes[0].counters.stray.get(), 2);
    let now = site.lab.now.monotonic;
    site.proxy.handle_datagram(now, *via, &right);
    assert_eq!(site.answered().len(), 1);
}

#[test]
fn what_comes_back_to_us_is_dropped_as_going_round() {
    let mut site = Site::new();
    let request = site.nas.access(|request| {
        request
            .octets(AttributeType::USER_NAME, ALICE.as_bytes())
            .octets(AttributeType::PROXY_STATE, MARK)
            .octets(AttributeType::PROXY_STATE, b"another proxy")
            .user_password(b"x");
    });
    site.ask(&request);
    assert_eq!(site.sent(), []);
    assert_eq!(site.lab.dropped("proxy_loop"), 1);
}

#[test]
fn more_than_256_are_under_way_at_a_time_and_no_more_than_their_bound() {
    let mut site = Site::new();
    let mut requests = Vec::new();
    for number in 0..=MAX_FORWARDS {
        // A NAS has 256 identifiers for each port.
        let port = u16::try_from(40_000 + number / 256).unwrap();
        site.nas.address.set_port(port);
        let request = site.login(GOOD_MAC);
        site.ask(&request);
        requests.push((site.nas.address, request));
    }
    assert_eq!(site.lab.dropped("overloaded"), 1);
    let sent = site.sent();
    assert_eq!(sent.len(), MAX_FORWARDS);
    let mut keys: Vec<(Via, u8)> = sent.iter().map(|(via, octets)| (*via, octets[1])).collect();
    keys.sort_unstable();
    keys.dedup();
    assert_eq!(keys.len(), MAX_FORWARDS, "each answer is told apart");
    for one in &sent {
        site.answer(one, Code::AccessReject, |_| {});
    }
    let answered = site.answered();
    assert_eq!(answered.len(), MAX_FORWARDS);
    for answer in answered {
        let (_, request) = requests
            .iter()
            .find(|(from, request)| *from == answer.to && request[1] == answer.octets[1])
            .unwrap();
        site.nas.believe(request, &answer.octets);
    }
    assert_eq!(site.proxy.pending(), 0);
}

#[test]
fn accounting_is_recorded_and_answered_when_home_has_answered_rfc2866_2_3() {
    let mut site = Site::new();
    let request = site.nas.accounting(|request| {
        request
            .octets(AttributeType::USER_NAME, ALICE.as_bytes())
            .integer(AttributeType::ACCT_STATUS_TYPE, 1)
            .octets(AttributeType::ACCT_SESSION_ID, b"s-1")
            .octets(AttributeType::CLASS, b"of home")
            .octets(AttributeType::CLASS, b"portreeve:12345678");
    });
    let (door, from) = (ACCOUNTING, site.nas.address);
    assert_eq!(site.lab.deliver(0, door, from, &request), []);
    assert!(site.lab.recorded.is_empty());
    let forwarded = site.only();
    assert_eq!(to_of(forwarded.0), HOME_ACCOUNTING.parse().unwrap());
    let packet = Packet::new_checked(&forwarded.1).unwrap();
    let classes: Vec<&[u8]> = packet.find_all(AttributeType::CLASS).collect();
    assert_eq!(classes, [b"of home"], "ours is nobody else's");
    site.answer(&forwarded, Code::AccountingResponse, |_| {});
    let answers = site.answered();
    let answer = site.nas.believe(&request, &answers[0].octets);
    assert_eq!(answer.code, Code::AccountingResponse);
    assert!(!site.lab.recorded.is_empty());
}

#[test]
fn filters_leave_out_what_they_name_in_both_directions_and_never_the_authentication() {
    let filter = |names: &[&str]| {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        AttributeFilter::new(Dictionary::builtin(), &names).unwrap()
    };
    let keys = MppeKeys::from_msk(&[7; 64]);
    for (row, filters, asked, told) in [
        (
            "none",
            Filters::default(),
            vec![80, 33, 1, 31, 2, 33],
            vec![11, 18, 26, 64, 65, 81],
        ),
        (
            "removed",
            Filters {
                requests: filter(&["Calling-Station-Id"]),
                answers: filter(&["Filter-Id", "Microsoft"]),
                only: AttributeFilter::default(),
            },
            vec![80, 33, 1, 2, 33],
            vec![18, 26, 64, 65, 81],
        ),
        (
            "only these",
            Filters {
                only: filter(&["Reply-Message"]),
                ..Filters::default()
            },
            vec![80, 33, 1, 31, 2, 33],
            vec![18, 26],
        ),
    ] {
        let mut site = Site::with(|route| {
            route.judged = false;
            route.filters = filters;
        });
        let request = site.login(GOOD_MAC);
        site.ask(&request);
        let forwarded = site.only();
        let packet = Packet::new_checked(&forwarded.1).unwrap();
        let kinds: Vec<u8> = packet.attributes().map(|one| one.kind.0).collect();
        assert_eq!(kinds, asked, "row {row}");
        site.answer(&forwarded, Code::AccessAccept, |reply| {
            reply
                .octets(AttributeType::FILTER_ID, b"of home")
                .octets(AttributeType::REPLY_MESSAGE, b"welcome")
                .vlan(0, b"77")
                .mppe_keys(&keys, Salt::new(9));
        });
        let answers = site.answered();
        let accept = site.nas.believe(&request, &answers[0].octets);
        assert!(accept.keys(&site.nas).is_some(), "row {row}");
        let mut kinds: Vec<u8> = accept.kinds().iter().map(|kind| kind.0).collect();
        kinds.retain(|kind| ![80, 33].contains(kind));
        kinds.sort_unstable();
        assert_eq!(kinds, told, "row {row}");
    }
}
