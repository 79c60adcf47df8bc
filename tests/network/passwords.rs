//! MAC authentication bypass, PAP, and what is not offered.

use md5::Digest;
use md5::Md5;
use portreeve::inventory::Update;
use portreeve::inventory::UserReport;
use portreeve::model::Credential;
use portreeve::model::Established;
use portreeve::model::Tri;
use portreeve::model::UserId;
use portreeve::model::Verdict;
use portreeve::radius::AttributeType;
use portreeve::radius::Code;
use portreeve::radius::Signature;
use portreeve::radius::VendorId;

use crate::lab::ALICE;
use crate::lab::AUTHENTICATION;
use crate::lab::BAD_MAC;
use crate::lab::GOOD;
use crate::lab::GOOD_MAC;
use crate::lab::Lab;
use crate::lab::STRANGER_MAC;
use crate::lab::UNMANAGED_MAC;
use crate::lab::refusal;
use crate::lab::verdict;
use crate::nas::Nas;
use crate::nas::Reply;

const CALL_CHECK: u32 = 10;

/// One attempt of MAC authentication bypass.
struct Attempt<'a> {
    name: &'a [u8],
    password: Option<&'a [u8]>,
    station: Option<&'a str>,
    service: Option<u32>,
}

impl Attempt<'_> {
    fn ask(&self, lab: &mut Lab, nas: &mut Nas) -> Reply {
        let request = nas.access(|request| {
            request.octets(AttributeType::USER_NAME, self.name);
            if let Some(password) = self.password {
                request.user_password(password);
            }
            if let Some(station) = self.station {
                request.octets(AttributeType::CALLING_STATION_ID, station.as_bytes());
            }
            if let Some(service) = self.service {
                request.integer(AttributeType::SERVICE_TYPE, service);
            }
        });
        lab.ask(nas, &request).expect("a reply")
    }
}

fn bypass(lab: &mut Lab, mac: &str) -> Reply {
    let mut nas = lab.nas();
    Attempt {
        name: mac.as_bytes(),
        password: Some(mac.as_bytes()),
        station: Some(mac),
        service: Some(CALL_CHECK),
    }
    .ask(lab, &mut nas)
}

#[test]
fn bypass_gets_the_limited_profile_and_never_that_of_a_proven_device() {
    let mut lab = Lab::new();
    for (mac, code, vlan) in [
        (GOOD_MAC, Code::AccessAccept, Some("limited")),
        (UNMANAGED_MAC, Code::AccessAccept, Some("quarantine")),
        (STRANGER_MAC, Code::AccessAccept, Some("quarantine")),
        (BAD_MAC, Code::AccessReject, None),
    ] {
        let reply = bypass(&mut lab, mac);
        assert_eq!(reply.code, code, "row {mac}");
        assert_eq!(reply.signature, Signature::First, "row {mac}");
        let given = reply.text(AttributeType::TUNNEL_PRIVATE_GROUP_ID);
        assert_eq!(given.as_deref(), vlan, "row {mac}");
        let record = lab.record();
        assert_eq!(record.method.as_str(), "mab", "row {mac}");
        assert_eq!(record.seen.credential, Credential::None);
        assert_ne!(record.seen.established, Established::Proven, "row {mac}");
        assert_eq!(
            record.presented.as_str(),
            mac.replace('-', ":").to_lowercase()
        );
    }
}

#[test]
fn a_blocked_bypass_says_why_and_authorises_nothing_rfc5080_2_6() {
    let mut lab = Lab::new();
    let reply = bypass(&mut lab, BAD_MAC);
    assert_eq!(
        reply.kinds(),
        [
            AttributeType::MESSAGE_AUTHENTICATOR,
            AttributeType::REPLY_MESSAGE
        ],
        "whatever the profile of the outcome says"
    );
    assert_eq!(
        reply.text(AttributeType::REPLY_MESSAGE).as_deref(),
        Some("Go away.")
    );
}

#[test]
fn every_spelling_of_an_address_is_the_same_device() {
    let spellings: [&[u8]; 8] = [
        b"00-00-5E-00-53-01",
        b"00-00-5e-00-53-01",
        b"00:00:5e:00:53:01",
        b"00:00:5E:00:53:01",
        b"0000.5e00.5301",
        b"00005e005301",
        b"00005E005301",
        b"00005e-005301",
    ];
    for name in spellings {
        let mut lab = Lab::new();
        let mut nas = lab.nas();
        // As user and password, with Service-Type, and with neither.
        for (password, service) in [
            (Some(name), None),
            (Some(&b"00005e005301"[..]), None),
            (Some(b"a common secret"), Some(CALL_CHECK)),
            (None, None),
        ] {
            let attempt = Attempt {
                name,
                password,
                station: Some(GOOD_MAC),
                service,
            };
            let reply = attempt.ask(&mut lab, &mut nas);
            let row = String::from_utf8_lossy(name);
            assert_eq!(reply.code, Code::AccessAccept, "row {row} {password:?}");
            assert_eq!(lab.record().method.as_str(), "mab", "row {row}");
        }
    }
}

#[test]
fn devices_of_every_vendor_are_known_by_their_way_of_bypass() {
    // (whose way it is, name, password, Calling-Station-Id, Service-Type)
    type Row = (
        &'static str,
        &'static str,
        Option<&'static str>,
        &'static str,
        Option<u32>,
    );
    let rows: [Row; 13] = [
        (
            "Cisco IOS-XE",
            "00005e005301",
            Some("00005e005301"),
            "00-00-5E-00-53-01",
            Some(10),
        ),
        (
            "Cisco, other format",
            "00-00-5E-00-53-01",
            Some("00-00-5E-00-53-01"),
            "00-00-5E-00-53-01",
            Some(10),
        ),
        (
            "Cisco AireOS without password",
            "00005e005301",
            None,
            "00:00:5e:00:53:01",
            Some(10),
        ),
        (
            "Aruba",
            "00005e005301",
            Some("00005e005301"),
            "00005E005301",
            Some(10),
        ),
        (
            "Aruba AOS-S, single dash",
            "00005e-005301",
            Some("00005e-005301"),
            "00-00-5e-00-53-01",
            Some(10),
        ),
        (
            "Ruckus",
            "00005E005301",
            Some("00005E005301"),
            "00-00-5E-00-53-01",
            None,
        ),
        (
            "Juniper with PAP",
            "00005e005301",
            Some("00005e005301"),
            "00-00-5e-00-53-01",
            Some(10),
        ),
        (
            "RouterOS as-username",
            "00:00:5E:00:53:01",
            Some(""),
            "00-00-5E-00-53-01",
            None,
        ),
        (
            "RouterOS as-username-and-password",
            "00:00:5E:00:53:01",
            Some("00:00:5E:00:53:01"),
            "00-00-5E-00-53-01",
            None,
        ),
        (
            "UniFi",
            "00-00-5e-00-53-01",
            Some("00-00-5e-00-53-01"),
            "00-00-5E-00-53-01",
            None,
        ),
        (
            "Extreme EXOS",
            "00005E005301",
            Some("00005E005301"),
            "00-00-5E-00-53-01",
            None,
        ),
        (
            "Extreme EOS",
            "00-00-5E-00-53-01",
            Some("NOPASSWORD"),
            "00-00-5E-00-53-01",
            None,
        ),
        (
            "Dell OS6 and OS9",
            "0000.5E00.5301",
            Some("0000.5E00.5301"),
            "0000.5E00.5301",
            Some(10),
        ),
    ];
    for (whose, name, password, station, service) in rows {
        let mut lab = Lab::new();
        let mut nas = lab.nas();
        let attempt = Attempt {
            name: name.as_bytes(),
            password: password.map(str::as_bytes),
            station: Some(station),
            service,
        };
        let reply = attempt.ask(&mut lab, &mut nas);
        assert_eq!(reply.code, Code::AccessAccept, "row {whose}");
        assert_eq!(lab.record().method.as_str(), "mab", "row {whose}");
        // Those that know CHAP only answer with the name as the password.
        let request = nas.access(|request| {
            let mut chap = vec![9];
            let challenge = [3; 16];
            chap.extend(Md5::digest([&[9], name.as_bytes(), &challenge].concat()));
            request
                .octets(AttributeType::USER_NAME, name.as_bytes())
                .octets(AttributeType::CHAP_PASSWORD, &chap)
                .octets(AttributeType::CHAP_CHALLENGE, &challenge)
                .octets(AttributeType::CALLING_STATION_ID, station.as_bytes());
        });
        let reply = lab.ask(&nas, &request).expect("a reply");
        assert_eq!(reply.code, Code::AccessAccept, "row {whose} by CHAP");
        assert_eq!(lab.record().method.as_str(), "mab", "row {whose} by CHAP");
    }
}

#[test]
fn no_account_and_no_tunnel_is_entered_by_a_bypass() {
    const VIRTUAL: u32 = 5;
    // (password, Calling-Station-Id, NAS-Port-Type, why not)
    for (password, station, port, why) in [
        (
            Some(GOOD_MAC),
            "198.51.100.7",
            None,
            "Calling-Station-Id is no MAC address",
        ),
        (
            Some(GOOD_MAC),
            GOOD_MAC,
            Some(VIRTUAL),
            "nobody enters a VPN",
        ),
        (None, GOOD_MAC, Some(VIRTUAL), "nobody enters a VPN"),
        (
            Some(""),
            STRANGER_MAC,
            None,
            "the password is not this user's",
        ),
        (
            Some("NOPASSWORD"),
            "198.51.100.7",
            None,
            "the password is not this user's",
        ),
        (
            Some("nopassword"),
            GOOD_MAC,
            None,
            "the password is not this user's",
        ),
    ] {
        let mut lab = Lab::new();
        let mut nas = lab.nas();
        let request = nas.access(|request| {
            request
                .octets(AttributeType::USER_NAME, GOOD_MAC.as_bytes())
                .octets(AttributeType::CALLING_STATION_ID, station.as_bytes());
            if let Some(password) = password {
                request.user_password(password.as_bytes());
            }
            if let Some(port) = port {
                request.integer(AttributeType::NAS_PORT_TYPE, port);
            }
        });
        let reply = lab.ask(&nas, &request).expect("a reply");
        let row = format!("row {password:?} {station} {port:?}");
        assert_eq!(reply.code, Code::AccessReject, "{row}");
        let said = refusal(&lab.record());
        assert!(said.contains(why), "{row}: {said}");
    }
}

#[test]
fn a_vpn_says_which_device_its_client_claims_to_be() {
    const VIRTUAL: u32 = 5;
    const ETHERNET: u32 = 15;
    let mac = format!("mdm-tlv=device-mac={}", GOOD_MAC.replace(':', "-"));
    let uid = format!("mdm-tlv=device-uid={}", GOOD.to_ascii_uppercase());
    let stranger = format!("mdm-tlv=device-mac={STRANGER_MAC}");
    // (what is said, at what port, whether the device is found)
    let rows: [(&[&str], u32, bool); 6] = [
        (&[&mac], VIRTUAL, true),
        (&[&stranger, &mac], VIRTUAL, true),
        (&["mdm-tlv=device-platform=win", &uid], VIRTUAL, true),
        (&[&stranger], VIRTUAL, false),
        (&[], VIRTUAL, false),
        // A switch knows the station itself, and nobody else is asked.
        (&[&mac], ETHERNET, false),
    ];
    for (said, port, found) in rows {
        let mut lab = Lab::new();
        let mut nas = lab.nas();
        let password: String = ALICE.chars().rev().collect();
        let request = nas.access(|request| {
            request
                .octets(AttributeType::USER_NAME, ALICE.as_bytes())
                .user_password(password.as_bytes())
                .octets(AttributeType::CALLING_STATION_ID, b"198.51.100.7")
                .integer(AttributeType::NAS_PORT_TYPE, port);
            for pair in said {
                request.vendor(VendorId::CISCO, 1, pair.as_bytes());
            }
        });
        lab.ask(&nas, &request).expect("a reply");
        let record = lab.record();
        // What names no device is on record all the same, as a claim.
        let platform = record
            .claims
            .map(|claims| claims.claims().platform.to_owned());
        let says = said.contains(&"mdm-tlv=device-platform=win");
        assert_eq!(
            platform.as_deref(),
            says.then_some("win"),
            "row {said:?} {port}"
        );
        let expected = if found {
            Established::Claimed
        } else {
            Established::None
        };
        assert_eq!(record.seen.established, expected, "row {said:?} {port}");
        assert_eq!(record.seen.credential, Credential::Password);
    }
}

#[test]
fn an_identity_for_charging_is_given_to_who_asks_for_it_rfc4372_2() {
    let mut lab = Lab::new();
    let mut nas = lab.nas();
    let mut ask = |user: &str, charging: Option<&[u8]>, operator: Option<&[u8]>| {
        let request = nas.access(|request| {
            request.octets(AttributeType::USER_NAME, user.as_bytes());
            let password: String = user.chars().rev().collect();
            request.user_password(password.as_bytes());
            if let Some(charging) = charging {
                request.octets(AttributeType::CHARGEABLE_USER_IDENTITY, charging);
            }
            if let Some(operator) = operator {
                request.octets(AttributeType::OPERATOR_NAME, operator);
            }
        });
        let reply = lab.ask(&nas, &request).expect("a reply");
        assert_eq!(reply.code, Code::AccessAccept);
        reply.find(AttributeType::CHARGEABLE_USER_IDENTITY)
    };
    let asked: Option<&[u8]> = Some(&[0]);
    assert_eq!(ask(ALICE, None, None), None, "nobody asked");
    let first = ask(ALICE, asked, None).expect("an identity");
    assert_eq!(first.len(), 32);
    assert!(!String::from_utf8_lossy(&first).contains("alice"));
    assert_eq!(
        ask(ALICE, asked, None).as_ref(),
        Some(&first),
        "the same each time"
    );
    // One that the NAS makes up is replaced.
    assert_eq!(ask(ALICE, Some(b"made up"), None).as_ref(), Some(&first));
    let at_home = ask(ALICE, asked, Some(b"1home.example")).expect("an identity");
    let abroad = ask(ALICE, asked, Some(b"1abroad.example")).expect("an identity");
    assert!(
        at_home != first && abroad != at_home,
        "operators cannot compare"
    );

    // A MAC address is nobody to be charged.
    let request = nas.access(|request| {
        request
            .octets(AttributeType::USER_NAME, GOOD_MAC.as_bytes())
            .octets(AttributeType::CALLING_STATION_ID, GOOD_MAC.as_bytes())
            .octets(AttributeType::CHARGEABLE_USER_IDENTITY, &[0]);
    });
    let reply = lab.ask(&nas, &request).expect("a reply");
    assert_eq!(reply.find(AttributeType::CHARGEABLE_USER_IDENTITY), None);
}

#[test]
fn an_identity_for_charging_is_the_users_and_not_the_names_rfc4372_2() {
    let mut lab = Lab::new();
    let mut nas = lab.nas();
    let mut ask = |lab: &mut Lab, user: &str| {
        let request = nas.access(|request| {
            request.octets(AttributeType::USER_NAME, user.as_bytes());
            let password: String = user.chars().rev().collect();
            request
                .user_password(password.as_bytes())
                .octets(AttributeType::CHARGEABLE_USER_IDENTITY, &[0]);
        });
        let reply = lab.ask(&nas, &request).expect("a reply");
        reply.find(AttributeType::CHARGEABLE_USER_IDENTITY)
    };
    let users = [
        (ALICE, &["alice", "contoso\\alice"][..]),
        ("erin@contoso.com", &[]),
    ];
    for (name, aliases) in users {
        let mut user = UserReport::new(UserId::parse(name).unwrap());
        user.enabled = Tri::Yes;
        let aliases = aliases.iter().map(|alias| UserId::parse(alias).unwrap());
        user.aliases = aliases.collect();
        let update = vec![Update::User(user)];
        lab.writer.apply(lab.source, lab.now.wall, update);
    }
    let first = ask(&mut lab, ALICE).expect("an identity");
    for (name, same) in [
        ("alice", true),
        ("CONTOSO\\Alice", true),
        ("erin@contoso.com", false),
    ] {
        let other = ask(&mut lab, name).expect("an identity");
        assert_eq!(other == first, same, "row {name}");
    }
}

#[test]
fn a_name_other_than_the_calling_station_is_refused() {
    let mut lab = Lab::new();
    let mut nas = lab.nas();
    let attempt = Attempt {
        name: GOOD_MAC.as_bytes(),
        password: Some(GOOD_MAC.as_bytes()),
        station: Some(STRANGER_MAC),
        service: Some(CALL_CHECK),
    };
    let reply = attempt.ask(&mut lab, &mut nas);
    assert_eq!(reply.code, Code::AccessReject);
    assert!(refusal(&lab.record()).contains("different addresses"));
    assert_eq!(lab.servers[0].counters().not_authenticated.get(), 1);
}

#[test]
fn a_bypass_needs_no_calling_station() {
    let mut lab = Lab::new();
    let mut nas = lab.nas();
    let attempt = Attempt {
        name: GOOD_MAC.as_bytes(),
        password: None,
        station: None,
        service: Some(CALL_CHECK),
    };
    let reply = attempt.ask(&mut lab, &mut nas);
    assert_eq!(reply.code, Code::AccessAccept);
    assert!(lab.record().station.is_some());
}

#[test]
fn an_account_is_not_let_in_without_its_password() {
    let mut lab = Lab::new();
    let mut nas = lab.nas();
    for (password, service) in [
        (None, None),
        (None, Some(CALL_CHECK)),
        (Some(ALICE.as_bytes()), Some(CALL_CHECK)),
        (Some(&b""[..]), None),
    ] {
        let attempt = Attempt {
            name: ALICE.as_bytes(),
            password,
            station: Some(GOOD_MAC),
            service,
        };
        let reply = attempt.ask(&mut lab, &mut nas);
        assert_eq!(
            reply.code,
            Code::AccessReject,
            "row {password:?} {service:?}"
        );
        refusal(&lab.record());
    }
}

#[test]
fn a_locally_administered_address_is_nobody() {
    let mut lab = Lab::new();
    let reply = bypass(&mut lab, "02-00-5E-00-53-01");
    let given = reply.text(AttributeType::TUNNEL_PRIVATE_GROUP_ID);
    assert_eq!(given.as_deref(), Some("quarantine"));
    assert_eq!(lab.record().seen.established, Established::None);
}

fn login(lab: &mut Lab, nas: &mut Nas, user: &[u8], password: &[u8]) -> Reply {
    let request = nas.access(|request| {
        request
            .octets(AttributeType::USER_NAME, user)
            .user_password(password)
            .octets(AttributeType::CALLING_STATION_ID, GOOD_MAC.as_bytes());
    });
    lab.ask(nas, &request).expect("a reply")
}

#[test]
fn pap_with_the_right_password_is_decided_about() {
    let mut lab = Lab::new();
    let mut nas = lab.nas();
    // Bob's is a slow hash, which leaves the loop and comes back.
    for (user, password) in [
        ("alice@contoso.com", "moc.osotnoc@ecila"),
        ("bob@contoso.com", "moc.osotnoc@bob"),
    ] {
        let reply = login(&mut lab, &mut nas, user.as_bytes(), password.as_bytes());
        assert_eq!(reply.code, Code::AccessAccept, "row {user}");
        assert_eq!(reply.signature, Signature::First);
        assert!(reply.find(AttributeType::CLASS).is_some());
        let record = lab.record();
        assert_eq!(record.user.as_str(), user);
        assert_eq!(record.method.as_str(), "pap");
        assert_eq!(record.seen.credential, Credential::Password);
        assert_eq!(verdict(&record), Verdict::Allow);
    }
}

#[test]
fn pap_with_a_wrong_password_or_an_unknown_name_is_rejected_alike() {
    let mut lab = Lab::new();
    let mut nas = lab.nas();
    let mut replies = Vec::new();
    for (user, password) in [
        ("alice@contoso.com", "wrong"),
        ("bob@contoso.com", "wrong"),
        ("nobody@contoso.com", "wrong"),
    ] {
        let reply = login(&mut lab, &mut nas, user.as_bytes(), password.as_bytes());
        assert_eq!(reply.code, Code::AccessReject, "row {user}");
        assert_eq!(
            reply.kinds(),
            [
                AttributeType::MESSAGE_AUTHENTICATOR,
                AttributeType::REPLY_MESSAGE
            ]
        );
        replies.push(reply.all(AttributeType::REPLY_MESSAGE));
        let why = refusal(&lab.record());
        assert!(why.contains("password"), "{why}");
    }
    replies.dedup();
    assert_eq!(replies.len(), 1, "nothing tells them apart");
    assert_eq!(lab.servers[0].counters().not_authenticated.get(), 3);
}

#[test]
fn names_that_are_no_text_are_rejected() {
    let mut lab = Lab::new();
    let mut nas = lab.nas();
    for name in [&b"\xff\xfe"[..], b"alice\xff@contoso.com", b""] {
        let reply = login(&mut lab, &mut nas, name, b"whatever");
        assert_eq!(reply.code, Code::AccessReject, "row {name:?}");
        refusal(&lab.record());
    }
}

#[test]
fn a_slow_password_is_worked_on_once() {
    let mut lab = Lab::new();
    let mut nas = lab.nas();
    let request = nas.access(|request| {
        request
            .octets(AttributeType::USER_NAME, b"bob@contoso.com")
            .user_password(b"moc.osotnoc@bob");
    });
    let now = lab.now;
    let server = &mut lab.servers[0];
    server.handle_datagram(now, AUTHENTICATION, nas.address, &request);
    let job = server.poll_job().unwrap();
    assert!(!format!("{job:?}").contains("moc"), "{job:?}");
    server.handle_datagram(now, AUTHENTICATION, nas.address, &request);
    assert!(server.poll_job().is_none(), "a retransmission waits");
    let done = job.run(|| now);
    server.handle_job(now, done);
    assert_eq!(lab.dropped("duplicate_in_progress"), 1);
    let sent = lab.take_sent(0);
    let reply = nas.believe(&request, &sent[0].octets);
    assert_eq!(reply.code, Code::AccessAccept);
}

#[test]
fn a_network_name_that_is_no_text_is_no_network() {
    // Was cut at the first octet that is no text, and so made equal to another network's.
    let mut lab = Lab::new();
    lab.point().replace_policy(crate::world::rules(
        r#"
[[conditional]]
name = "Closed network"
planes = ["network"]
targets = ["all"]
when = { ssids = ["corp"] }
action = "block"
"#,
    ));
    let mut nas = lab.nas();
    for (called, code) in [
        (&b"00-00-5E-00-53-00:corp"[..], Code::AccessReject),
        (b"00-00-5E-00-53-00:corp\xff", Code::AccessAccept),
        (b"00-00-5E-00-53-00:corporate", Code::AccessAccept),
        (b"00-00-5E-00-53-00", Code::AccessAccept),
    ] {
        let request = nas.access(|request| {
            request
                .octets(AttributeType::USER_NAME, GOOD_MAC.as_bytes())
                .octets(AttributeType::CALLED_STATION_ID, called)
                .integer(AttributeType::SERVICE_TYPE, CALL_CHECK);
        });
        let row = String::from_utf8_lossy(called);
        assert_eq!(lab.ask(&nas, &request).unwrap().code, code, "row {row}");
    }
}
