//! EAP-TTLS, PEAP and TEAP: the user is the one inside, its device the claimed one, and slow passwords
//! neither stop the loop nor lose a conversation.

use std::sync::Arc;

use portreeve::eap::Inner;
use portreeve::eap::Outer;
use portreeve::model::Credential;
use portreeve::model::Established;
use portreeve::model::Secret;
use portreeve::model::Verdict;
use portreeve::network::Lane;
use portreeve::network::Method;
use portreeve::network::MethodSet;
use portreeve::probe::InsideSettings;
use portreeve::probe::Machine;
use portreeve::probe::Profile;
use portreeve::probe::ProfileSettings;
use portreeve::probe::Spoil;
use portreeve::probe::TeapPeer;
use portreeve::radius::AttributeType;

use crate::lab::ALICE;
use crate::lab::AUTHENTICATION;
use crate::lab::BAD_MAC;
use crate::lab::BOB;
use crate::lab::Book;
use crate::lab::GOOD_MAC;
use crate::lab::Lab;
use crate::lab::STRANGER_MAC;
use crate::lab::refusal;
use crate::lab::verdict;
use crate::pair::End;
use crate::pair::Next;
use crate::pair::Pair;

/// A login of a user whose password is the name backwards, unless it is told otherwise.
pub(crate) fn settings(lab: &Lab, outer: Outer, inner: Inner, user: &str) -> ProfileSettings {
    let roots = lab.profile_settings(crate::lab::GOOD).roots;
    let mut settings = ProfileSettings::new("anonymous@contoso.com", None, roots);
    settings.method = outer;
    settings.remembered = 8;
    settings.inside = Some(InsideSettings {
        inner,
        by_eap: false,
        user: user.into(),
        password: Secret::new(user.bytes().rev().collect()),
        binding: true,
        resumes: true,
        early: false,
        teap: TeapPeer::default(),
    });
    settings
}

fn pair(lab: &Lab, settings: ProfileSettings, station: &str) -> Pair {
    let mut pair = lab.pair_of(&Arc::new(Profile::build(settings).unwrap()));
    station.clone_into(&mut pair.station);
    pair
}

const SPOKEN: [(Outer, Inner, &str); 5] = [
    (Outer::Ttls, Inner::Pap, "eap-ttls/pap 1.3"),
    (Outer::Ttls, Inner::Gtc, "eap-ttls/gtc 1.3"),
    (Outer::Peap, Inner::Gtc, "peap/gtc 1.3"),
    (Outer::Teap, Inner::Gtc, "teap/gtc 1.2"),
    (Outer::Teap, Inner::Pap, "teap/pap 1.2"),
];

#[test]
fn the_user_is_the_one_inside_and_the_device_the_claimed_one() {
    for (outer, inner, method) in SPOKEN {
        for (station, expected) in [
            (GOOD_MAC, Verdict::Allow),
            (BAD_MAC, Verdict::Block),
            (STRANGER_MAC, Verdict::Quarantine),
        ] {
            let mut lab = Lab::new();
            let mut pair = pair(&lab, settings(&lab, outer, inner, ALICE), station);
            let end = lab.login(&mut pair);
            match expected {
                Verdict::Allow | Verdict::Quarantine => drop(end.accepted(&pair.nas)),
                Verdict::Block => drop(end.rejected()),
            }
            let record = lab.record();
            let row = format!("row {method}, {station}");
            assert_eq!(verdict(&record), expected, "{row}");
            assert_eq!(record.method.as_str(), method, "{row}");
            assert_eq!(record.user.as_str(), ALICE, "{row}: not the name outside");
            assert_eq!(record.seen.credential, Credential::Password, "{row}");
            if expected == Verdict::Allow {
                assert_eq!(record.seen.established, Established::Claimed, "{row}");
            }
        }
    }
}

#[test]
fn a_resumed_tunnel_is_the_same_user_and_is_judged_by_todays_facts() {
    let mut lab = Lab::new();
    for (outer, inner, method) in SPOKEN {
        let profile = settings(&lab, outer, inner, ALICE);
        let profile = Arc::new(Profile::build(profile).unwrap());
        for (round, station) in [GOOD_MAC, GOOD_MAC, BAD_MAC].into_iter().enumerate() {
            let mut pair = lab.pair_of(&profile);
            station.clone_into(&mut pair.station);
            let end = lab.login(&mut pair);
            let record = lab.record();
            assert_eq!(record.user.as_str(), ALICE);
            match round {
                0 => drop(end.accepted(&pair.nas)),
                1 => {
                    end.accepted(&pair.nas);
                    let resumed = format!("{method} resumed");
                    assert_eq!(record.method.as_str(), resumed);
                }
                _ => {
                    end.rejected();
                    assert_eq!(verdict(&record), Verdict::Block, "row {method}");
                }
            }
        }
    }
}

#[test]
fn a_wrong_password_is_recorded_with_the_name_inside() {
    let mut lab = Lab::new();
    for (outer, inner, method) in SPOKEN {
        let mut settings = settings(&lab, outer, inner, ALICE);
        settings.inside.as_mut().unwrap().password = Secret::new(b"guess".to_vec());
        let mut pair = pair(&lab, settings, GOOD_MAC);
        lab.login(&mut pair).rejected();
        let record = lab.record();
        assert_eq!(record.user.as_str(), ALICE, "row {method}");
        assert!(refusal(&record).contains("the password is not this user's"));
    }
}

/// Such a login may be one that is relayed: its record was of the name outside.
#[test]
fn a_binding_that_does_not_hold_is_recorded_with_the_name_inside() {
    for outer in [Outer::Peap, Outer::Teap] {
        let mut lab = Lab::new();
        let mut settings = settings(&lab, outer, Inner::Gtc, ALICE);
        settings.spoil = Some(Spoil(Arc::new(|_, said| {
            let binding = |head: &[u8]| head[1] == 12 && matches!(head[2..], [0, 56 | 76]);
            if let Some(at) = said.windows(4).position(binding) {
                // In its nonce.
                said[at + 10] ^= 1;
            }
        })));
        let mut pair = pair(&lab, settings, GOOD_MAC);
        lab.login(&mut pair).rejected();
        let record = lab.record();
        assert_eq!(record.user.as_str(), ALICE, "row {outer:?}");
        let why = refusal(&record);
        assert!(why.contains("binding"), "row {outer:?}: {why}");
    }
}

/// Drives a login by hand, and calls `look` with each job before it is done or refused.
fn drive(lab: &mut Lab, pair: &mut Pair, mut refuse: impl FnMut(Lane) -> bool) -> End {
    let mut request = pair.request();
    for _ in 0..40 {
        let now = lab.now;
        lab.servers[0].handle_datagram(now, AUTHENTICATION, pair.nas.address, &request);
        while let Some(job) = lab.servers[0].poll_job() {
            if refuse(job.lane()) {
                lab.servers[0].handle_refused_job(job);
            } else {
                let done = job.run(|| now);
                lab.servers[0].handle_job(now, done);
            }
        }
        let sent = lab.take_sent(0);
        let Some(sent) = sent.first() else {
            // The NAS asks again.
            continue;
        };
        let reply = pair.nas.believe(&request, &sent.octets);
        match pair.take(now, reply) {
            Next::Request(next) => request = next,
            Next::End(end) => return end,
        }
    }
    panic!("the login goes on for ever");
}

#[test]
fn a_slow_password_inside_is_a_job_of_its_own_lane() {
    for (outer, inner, method) in SPOKEN {
        let mut lab = Lab::new();
        let mut pair = pair(&lab, settings(&lab, outer, inner, BOB), GOOD_MAC);
        let mut lanes = Vec::new();
        let end = drive(&mut lab, &mut pair, |lane| {
            lanes.push(lane);
            false
        });
        assert!(matches!(end, End::Accepted { .. } | End::Rejected { .. }));
        assert_eq!(lab.record().user.as_str(), BOB, "row {method}");
        let slow = lanes.iter().filter(|lane| **lane == Lane::Slow).count();
        assert_eq!(slow, 1, "row {method}: {lanes:?}");
    }
}

#[test]
fn a_password_job_that_is_refused_is_done_when_the_nas_asks_again() {
    for (outer, inner, method) in SPOKEN {
        let mut lab = Lab::new();
        let mut pair = pair(&lab, settings(&lab, outer, inner, BOB), GOOD_MAC);
        let mut refused = 0;
        drive(&mut lab, &mut pair, |lane| {
            let refuse = lane == Lane::Slow && refused < 2;
            refused += usize::from(refuse);
            refuse
        });
        assert_eq!(refused, 2, "row {method}");
        assert_eq!(lab.record().user.as_str(), BOB, "row {method}");
        assert_eq!(lab.dropped("overloaded"), 2);
    }
}

#[test]
fn a_password_job_that_is_lost_leaves_nothing_waiting() {
    let mut lab = Lab::new();
    let profile = settings(&lab, Outer::Ttls, Inner::Pap, BOB);
    let mut pair = pair(&lab, profile, GOOD_MAC);
    let mut request = pair.request();
    loop {
        let now = lab.now;
        lab.servers[0].handle_datagram(now, AUTHENTICATION, pair.nas.address, &request);
        let Some(job) = lab.servers[0].poll_job() else {
            let sent = lab.take_sent(0);
            let reply = pair.nas.believe(&request, &sent[0].octets);
            let Next::Request(next) = pair.take(now, reply) else {
                panic!("the login ended before its password was asked for");
            };
            request = next;
            continue;
        };
        if job.lane() == Lane::Slow {
            let lost = job.loss();
            drop(job);
            lab.servers[0].handle_job(now, lost);
            break;
        }
        let done = job.run(|| now);
        lab.servers[0].handle_job(now, done);
        let sent = lab.take_sent(0);
        let reply = pair.nas.believe(&request, &sent[0].octets);
        let Next::Request(next) = pair.take(now, reply) else {
            panic!("the login ended before its password was asked for");
        };
        request = next;
    }
    assert_eq!(lab.servers[0].counters().lost.get(), 1);
    assert!(lab.servers[0].is_idle());
    let reply = lab.ask(&pair.nas, &request).unwrap();
    assert_eq!(reply.code, portreeve::radius::Code::AccessReject);
}

#[test]
fn a_group_without_tunnels_offers_none() {
    let mut lab = Lab::new();
    lab.reload(|settings| settings.methods.default = MethodSet::of(&[Method::EapTls]));
    let profile = settings(&lab, Outer::Peap, Inner::Gtc, ALICE);
    let mut pair = pair(&lab, profile, GOOD_MAC);
    lab.login(&mut pair).rejected();
    assert!(refusal(&lab.record()).contains("wants PEAP"));
}

#[test]
fn a_user_who_is_gone_does_not_get_in_by_a_ticket() {
    let mut lab = Lab::new();
    for (outer, inner, method) in SPOKEN {
        let profile = settings(&lab, outer, inner, ALICE);
        let profile = Arc::new(Profile::build(profile).unwrap());
        for gone in [false, true] {
            lab.reload(|settings| {
                settings.passwords = Arc::new(Book {
                    nobody: gone,
                    stamp: 0,
                })
            });
            let mut pair = lab.pair_of(&profile);
            GOOD_MAC.clone_into(&mut pair.station);
            let end = lab.login(&mut pair);
            let record = lab.record();
            if gone {
                end.rejected();
                assert!(refusal(&record).contains("password"), "row {method}");
            } else {
                end.accepted(&pair.nas);
            }
        }
    }
}

/// What is resumed is judged by what is allowed and known today (RFC 9190 section 5.7).
#[test]
fn a_password_or_a_method_that_is_gone_ends_resumption() {
    for (outer, inner, method) in SPOKEN {
        let mut lab = Lab::new();
        let profile = settings(&lab, outer, inner, ALICE);
        let profile = Arc::new(Profile::build(profile).unwrap());
        for (number, (stamp, off, resumed)) in [
            (1, false, false),
            (1, false, true),
            (2, false, false),
            (2, false, true),
            (2, true, false),
        ]
        .into_iter()
        .enumerate()
        {
            lab.reload(|settings| {
                settings.passwords = Arc::new(Book {
                    nobody: false,
                    stamp,
                });
                let others = Inner::ALL.into_iter().filter(|one| *one != inner || !off);
                let others: Vec<Inner> = others.collect();
                let methods = MethodSet::new(&Method::ALL, &others);
                settings.methods.default = methods;
            });
            let mut pair = lab.pair_of(&profile);
            GOOD_MAC.clone_into(&mut pair.station);
            let end = lab.login(&mut pair);
            let row = format!("row {method}, login {number}");
            let record = lab.record();
            assert_eq!(pair.report().resumed, resumed, "{row}");
            if off {
                end.rejected();
                assert!(!record.method.as_str().contains("resumed"), "{row}");
            } else {
                end.accepted(&pair.nas);
            }
        }
    }
}

#[test]
fn the_client_of_a_vpn_claims_a_device_in_a_tunnel_too_and_proves_none() {
    let mut lab = Lab::new();
    let words = [
        format!("mdm-tlv=device-mac={}", GOOD_MAC.replace(':', "-")),
        "mdm-tlv=device-platform=win".to_owned(),
        "mdm-tlv=ac-user-agent=AnyConnect Windows 5.0.1".to_owned(),
    ];
    let pairs = words.iter().map(|word| {
        let length = u8::try_from(word.len() + 2).unwrap();
        let value = [&[0, 0, 0, 9, 1, length], word.as_bytes()].concat();
        (AttributeType::VENDOR_SPECIFIC, value)
    });
    let port = (AttributeType::NAS_PORT_TYPE, vec![0, 0, 0, 5]);
    let said: Vec<_> = pairs.chain([port]).collect();

    // A password inside, and no certificate.
    let inside = settings(&lab, Outer::Peap, Inner::Gtc, ALICE);
    let mut peap = pair(&lab, inside, "198.51.100.7");
    peap.extra.clone_from(&said);
    lab.login(&mut peap).accepted(&peap.nas);
    let record = lab.record();
    assert_eq!(record.seen.established, Established::Claimed);
    assert_eq!(record.seen.credential, Credential::Password);
    let claims = record.claims.expect("claims");
    assert_eq!(claims.claims().client, "AnyConnect Windows 5.0.1");

    // The certificate of a device proves that one, whatever the client says; another one proves none, and
    // borrows nothing from the device that it claims.
    for (guid, expected) in [
        (crate::lab::GOOD, Established::Proven),
        ("99999999-6f2e-4b7a-9c31-000000000009", Established::None),
    ] {
        let mut tls = lab.pair(guid);
        tls.extra.clone_from(&said);
        lab.login(&mut tls);
        let record = lab.record();
        assert_eq!(record.seen.established, expected, "row {guid}");
        assert!(record.claims.is_some(), "row {guid}");
    }
}

/// The machine's certificate says which device it is, whatever MAC address it claims; its user is the
/// one whose password was given.
#[test]
fn a_machine_and_its_user_are_the_device_and_the_user_of_one_decision() {
    for (guid, expected) in [
        (crate::lab::GOOD, Verdict::Allow),
        (crate::lab::BAD, Verdict::Block),
    ] {
        let mut lab = Lab::new();
        let mut settings = settings(&lab, Outer::Teap, Inner::Gtc, ALICE);
        settings.machine = lab.profile_settings(guid).credential;
        settings.inside.as_mut().unwrap().teap.machine = Some(Machine {
            inner: Inner::Tls,
            name: "host/pc".into(),
            password: Secret::new(Vec::new()),
        });
        let profile = Arc::new(Profile::build(settings).unwrap());
        for resumed in [false, true] {
            let mut pair = lab.pair_of(&profile);
            BAD_MAC.clone_into(&mut pair.station);
            let end = lab.login(&mut pair);
            let record = lab.record();
            let row = format!("row {guid}, resumed {resumed}");
            assert_eq!(verdict(&record), expected, "{row}");
            assert_eq!(record.user.as_str(), ALICE, "{row}");
            assert_eq!(record.presented.as_str(), guid, "{row}");
            assert_eq!(record.seen.established, Established::Proven, "{row}");
            assert_eq!(record.seen.credential, Credential::Password, "{row}");
            let again = resumed && expected == Verdict::Allow;
            let method = if again {
                "teap/eap-tls+gtc 1.2 resumed"
            } else {
                "teap/eap-tls+gtc 1.2"
            };
            assert_eq!(record.method.as_str(), method, "{row}");
            match expected {
                Verdict::Allow | Verdict::Quarantine => drop(end.accepted(&pair.nas)),
                Verdict::Block => drop(end.rejected()),
            }
        }
    }
}

#[test]
fn a_directory_that_does_not_answer_is_on_record_and_may_be_asked_again() {
    for (outer, inner, method) in SPOKEN {
        let mut lab = Lab::new();
        let user = crate::lab::DAVE;
        let mut pair = pair(&lab, settings(&lab, outer, inner, user), GOOD_MAC);
        lab.login(&mut pair).rejected();
        let why = refusal(&lab.record());
        assert!(
            why.contains("the directory does not answer"),
            "row {method}: {why}"
        );

        // Silence lets the NAS try another server, and the conversation waits for it.
        lab.configure(|config| config.reject_when_unavailable = false);
        let mut pair = self::pair(&lab, settings(&lab, outer, inner, user), GOOD_MAC);
        let mut request = pair.request();
        let silent = loop {
            let Some(reply) = lab.ask(&pair.nas, &request) else {
                break request;
            };
            let Next::Request(next) = pair.take(lab.now, reply) else {
                panic!("row {method}: an end");
            };
            request = next;
        };
        let why = refusal(&lab.record());
        assert!(
            why.contains("the directory does not answer"),
            "row {method}: {why}"
        );
        lab.configure(|config| config.reject_when_unavailable = true);
        let reply = lab.ask(&pair.nas, &silent);
        assert!(reply.is_some(), "row {method}: it is asked again");
    }
}
