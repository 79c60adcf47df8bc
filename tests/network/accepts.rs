//! What replies carry, by verdict and method.

use std::sync::Arc;
use std::time::Duration;

use portreeve::eap::TlsVersion;
use portreeve::inventory::Update;
use portreeve::model::ComplianceState;
use portreeve::model::DeviceId;
use portreeve::model::Established;
use portreeve::model::Tri;
use portreeve::model::UserId;
use portreeve::model::Verdict;
use portreeve::probe::PeerFailure;
use portreeve::probe::Profile;
use portreeve::radius::AttributeType;
use portreeve::radius::Code;
use portreeve::radius::Prepared;
use portreeve::radius::Signature;
use portreeve::radius::Template;
use portreeve::radius::VendorId;

use crate::lab::ALICE;
use crate::lab::BAD;
use crate::lab::GOOD;
use crate::lab::GOOD_MAC;
use crate::lab::Lab;
use crate::lab::STRANGER;
use crate::lab::UNMANAGED;
use crate::lab::device;
use crate::lab::refusal;
use crate::lab::verdict;
use crate::nas::Nas;
use crate::nas::Reply;
use crate::pair::End;
use crate::pki::Device;
use crate::world::rules;

#[test]
fn an_accept_of_eap_has_exactly_these_attributes_rfc3579_3_3() {
    for highest in [TlsVersion::Tls12, TlsVersion::Tls13] {
        let mut lab = Lab::new();
        let mut settings = lab.profile_settings(GOOD);
        settings.highest = highest;
        let mut pair = lab.pair_of(&Profile::build(settings).unwrap().into());
        let end = lab.login(&mut pair);
        let reply = end.accepted(&pair.nas);
        assert_eq!(reply.code, Code::AccessAccept);
        assert_eq!(reply.signature, Signature::First, "row {highest}");
        assert_eq!(
            reply.kinds(),
            [
                AttributeType::MESSAGE_AUTHENTICATOR,
                AttributeType::EAP_MESSAGE,
                AttributeType::VENDOR_SPECIFIC,
                AttributeType::USER_NAME,
                AttributeType::TUNNEL_TYPE,
                AttributeType::TUNNEL_MEDIUM_TYPE,
                AttributeType::TUNNEL_PRIVATE_GROUP_ID,
                AttributeType::FILTER_ID,
                // A fact behind the decision expires.
                AttributeType::SESSION_TIMEOUT,
                AttributeType::TERMINATION_ACTION,
                AttributeType::CLASS,
            ],
            "row {highest}: no State, no Reply-Message, no EAP-Key-Name"
        );
        // EAP-Success with the identifier of the last request.
        let identifier = pair.response[1];
        assert_eq!(reply.eap(), Some(vec![3, identifier, 0, 4]));
        assert_eq!(pair.report().version, Some(highest));
        let record = lab.record();
        assert_eq!(verdict(&record), Verdict::Allow);
        assert_eq!(record.seen.established, Established::Proven);
        assert_eq!(
            record.seen.posture().unwrap().device,
            GOOD.parse::<DeviceId>().unwrap()
        );
    }
}

#[test]
fn keys_are_hidden_with_different_salts_rfc2548_2_4_2() {
    let mut lab = Lab::new();
    let mut pair = lab.pair(GOOD);
    let end = lab.login(&mut pair);
    let reply = end.accepted(&pair.nas);
    let packet = reply.packet();
    let send = packet.find_vendor(VendorId::MICROSOFT, 16).unwrap();
    let receive = packet.find_vendor(VendorId::MICROSOFT, 17).unwrap();
    assert_eq!((send.len(), receive.len()), (50, 50));
    assert_ne!(send[..2], receive[..2], "salts");
    assert!(send[0] & receive[0] & 0x80 != 0, "the top bit of a salt");
}

#[test]
fn the_user_in_an_accept_is_the_authenticated_one_rfc2865_5_1() {
    let mut lab = Lab::new();
    let mut pair = lab.pair(GOOD);
    let end = lab.login(&mut pair);
    assert_eq!(
        end.accepted(&pair.nas)
            .text(AttributeType::USER_NAME)
            .as_deref(),
        Some(ALICE),
        "not the outer identity, anonymous@contoso.com"
    );
    lab.configure(|config| config.user_name_in_accept = false);
    let mut pair = lab.pair(GOOD);
    let end = lab.login(&mut pair);
    assert_eq!(
        end.accepted(&pair.nas).find(AttributeType::USER_NAME),
        None,
        "where privacy is wanted"
    );
}

#[test]
fn a_user_that_no_attribute_can_carry_is_left_out() {
    // The reply could not be written and the device got no answer at all.
    for length in [241, 242] {
        let email: &'static str = format!("{}@contoso.com", "a".repeat(length)).leak();
        let mut lab = Lab::new();
        let holder = lab.root.device(&Device {
            email: Some(email),
            ..Device::default()
        });
        let settings = lab.profile_of(holder);
        let mut pair = lab.pair_of(&Profile::build(settings).unwrap().into());
        let end = lab.login(&mut pair);
        let user = end.accepted(&pair.nas).text(AttributeType::USER_NAME);
        let fits = email.len() <= 253;
        assert_eq!(user.as_deref(), fits.then_some(email), "row {length}");
    }
}

#[test]
fn the_key_name_is_given_to_who_asks_for_it_rfc7268_2_2() {
    let mut lab = Lab::new();
    let mut pair = lab.pair(GOOD);
    pair.extra.push((AttributeType::EAP_KEY_NAME, vec![0]));
    let end = lab.login(&mut pair);
    let given = end.accepted(&pair.nas).find(AttributeType::EAP_KEY_NAME);
    let End::Accepted { keys, .. } = &end else {
        panic!("rejected");
    };
    assert_eq!(
        given.as_deref(),
        keys.session_id.as_ref().map(|id| &id.octets()[..])
    );
}

#[test]
fn quarantine_is_an_accept_with_its_own_attributes_rfc3580_3_31() {
    let mut lab = Lab::new();
    for (guid, email) in [(UNMANAGED, ALICE), (STRANGER, ALICE)] {
        let mut pair = lab.pair(guid);
        let end = lab.login(&mut pair);
        let reply = end.accepted(&pair.nas);
        assert_eq!(vlan(reply).as_deref(), Some("quarantine"), "row {guid}");
        assert_eq!(
            reply.integer(AttributeType::SESSION_TIMEOUT),
            Some(3600),
            "row {guid}"
        );
        assert_eq!(
            reply.integer(AttributeType::TERMINATION_ACTION),
            Some(1),
            "row {guid}: RADIUS-Request"
        );
        assert_eq!(reply.text(AttributeType::USER_NAME).as_deref(), Some(email));
        assert_eq!(
            reply.find(AttributeType::REPLY_MESSAGE),
            None,
            "row {guid}: never with EAP (RFC 3579 section 2.6.5)"
        );
        assert_eq!(verdict(&lab.record()), Verdict::Quarantine);
    }
    assert_eq!(lab.servers[0].counters().quarantined.get(), 2);
}

#[test]
fn a_reject_authorises_nothing_rfc5080_2_6() {
    let mut lab = Lab::new();
    let mut pair = lab.pair(BAD);
    let end = lab.login(&mut pair);
    let reply = end.rejected();
    assert_eq!(reply.signature, Signature::First);
    assert_eq!(
        reply.kinds(),
        [
            AttributeType::MESSAGE_AUTHENTICATOR,
            AttributeType::EAP_MESSAGE
        ]
    );
    assert_eq!(reply.eap().unwrap()[0], 4, "EAP-Failure");
    assert!(matches!(
        end,
        End::Rejected {
            failure: PeerFailure::Refused,
            ..
        }
    ));
    // No 0x00, no ticket, and an alert that says why: access_denied.
    let report = pair.report();
    assert_eq!((report.indicated, report.tickets), (false, 0));
    assert_eq!(report.alerts, [49]);
    assert_eq!(verdict(&lab.record()), Verdict::Block);
    assert_eq!(lab.servers[0].counters().blocked.get(), 1);
}

#[test]
fn a_challenge_has_a_request_and_a_state_rfc3579_3_3() {
    let mut lab = Lab::new();
    let mut pair = lab.pair(GOOD);
    let request = pair.request();
    let reply = lab.ask(&pair.nas, &request).unwrap();
    assert_eq!(reply.code, Code::AccessChallenge);
    assert_eq!(reply.signature, Signature::First);
    assert_eq!(
        reply.kinds(),
        [
            AttributeType::MESSAGE_AUTHENTICATOR,
            AttributeType::EAP_MESSAGE,
            AttributeType::STATE
        ]
    );
    // Start of EAP-TLS (RFC 5216 section 3.1).
    assert_eq!(reply.eap().unwrap()[4..], [13, 0x20]);
    assert_eq!(reply.find(AttributeType::STATE).unwrap().len(), 19);
}

#[test]
fn who_has_no_certificate_or_a_bad_one_fails_rfc5216_2_1_1() {
    let rows = [
        ("none", None, "the peer has no certificate"),
        (
            "expired",
            Some(Device {
                expired: true,
                ..Device::default()
            }),
            "the certificate is expired",
        ),
        (
            "not yet valid",
            Some(Device {
                not_yet_valid: true,
                ..Device::default()
            }),
            "the certificate is not valid yet",
        ),
        (
            "for servers",
            Some(Device {
                for_servers: true,
                ..Device::default()
            }),
            "the certificate is not for clients",
        ),
    ];
    for (row, holder, why) in rows {
        let mut lab = Lab::new();
        let mut settings = lab.profile_settings(GOOD);
        settings.credential = None;
        if let Some(holder) = &holder {
            settings = lab.profile_of(lab.root.device(holder));
        }
        let mut pair = lab.pair_of(&Profile::build(settings).unwrap().into());
        lab.login(&mut pair).rejected();
        assert!(!pair.report().alerts.is_empty(), "row {row}: an alert");
        assert!(refusal(&lab.record()).starts_with(&format!("server: {why}")));
        assert_eq!(lab.servers[0].counters().not_authenticated.get(), 1);
    }
}

#[test]
fn a_revoked_certificate_is_refused_rfc5216_5_3() {
    let mut lab = Lab::new();
    let list = lab.root.revocation_list(&[7]);
    lab.reload_eap(|settings| settings.revocation_lists = vec![list]);
    let mut pair = lab.pair(GOOD);
    lab.login(&mut pair).rejected();
    let why =
        "server: the certificate is revoked, by the list of CN=Test Root in the configuration";
    assert_eq!(refusal(&lab.record()), why);
}

#[test]
fn a_group_of_nases_has_its_own_profiles() {
    let mut lab = Lab::new();
    let mut pair = lab.pair(GOOD);
    pair.nas = Nas::new("203.0.113.1:1812", crate::world::SECRET);
    let end = lab.login(&mut pair);
    assert_eq!(vlan(end.accepted(&pair.nas)).as_deref(), Some("lab"));
}

#[test]
fn a_group_with_a_long_name_keeps_its_profiles() {
    // Names of groups were cut at 48 octets before they were looked up.
    let mut lab = Lab::new();
    let long: String = "group-".repeat(20);
    lab.reload(|settings| {
        let mut nas = crate::lab::nas_configs();
        nas[0].group.clone_from(&long);
        settings.nas = portreeve::radius::NasTable::new(nas).unwrap();
        let profiles = settings.enforcement.groups["lab"].clone();
        settings.enforcement.groups.insert(long, profiles);
    });
    let mut pair = lab.pair(GOOD);
    let end = lab.login(&mut pair);
    assert_eq!(vlan(end.accepted(&pair.nas)).as_deref(), Some("lab"));
}

#[test]
fn a_session_ends_when_a_fact_behind_it_expires() {
    let mut lab = Lab::new();
    // Fresh for 24 hours and used for another 24: half of it has passed.
    lab.passes(Duration::from_secs(24 * 3600));
    let mut pair = lab.pair(GOOD);
    let end = lab.login(&mut pair);
    let reply = end.accepted(&pair.nas);
    assert_eq!(
        reply.integer(AttributeType::SESSION_TIMEOUT),
        Some(24 * 3600)
    );
}

#[test]
fn a_session_ends_when_the_certificate_does() {
    // It went on for as long as the facts did.
    let mut lab = Lab::new();
    let holder = lab.root.device(&Device {
        guid: Some(GOOD),
        ends: Some((2026, 6, 2)),
        ..Device::default()
    });
    let settings = lab.profile_of(holder);
    let mut pair = lab.pair_of(&Profile::build(settings).unwrap().into());
    let end = lab.login(&mut pair);
    let reply = end.accepted(&pair.nas);
    // Midnight, seen from noon.
    let left = reply.integer(AttributeType::SESSION_TIMEOUT);
    assert_eq!(left, Some(12 * 3600));
}

#[test]
fn what_does_not_fit_a_packet_sends_nothing_and_records_no_allow() {
    let mut lab = Lab::new();
    lab.reload(|settings| {
        let filler = Template::parse("Filter-Id", "staff").unwrap();
        settings.enforcement.default.allow.attributes = Prepared::new(&vec![filler; 900]);
    });
    let mut pair = lab.pair(GOOD);
    let last = lab.login_up_to(&mut pair, 3);
    assert!(lab.ask(&pair.nas, &last).is_none());
    assert_eq!(lab.dropped("reply_too_long"), 1);
    assert_eq!(lab.servers[0].counters().allowed.get(), 0);
    assert!(refusal(&lab.record()).contains("longer than a packet"));
}

#[test]
fn a_device_is_found_by_its_certificate_without_a_device_id() {
    let mut lab = Lab::new();
    let holder = lab.root.device(&Device {
        guid: None,
        email: Some(ALICE),
        ..Device::default()
    });
    let certificate = portreeve::model::CertificateIdentity::parse(&holder.chain[0]).unwrap();
    let Update::Device(mut report) = device(GOOD, GOOD_MAC, Tri::Yes, ComplianceState::Compliant)
    else {
        panic!("a device");
    };
    report.certificates = vec![certificate.id];
    lab.said(Update::Device(report));
    let settings = lab.profile_of(holder);
    let mut pair = lab.pair_of(&Profile::build(settings).unwrap().into());
    let end = lab.login(&mut pair);
    assert_eq!(vlan(end.accepted(&pair.nas)).as_deref(), Some("staff"));
}

#[test]
fn a_device_certificate_without_user_is_judged_for_the_owner_r3() {
    let mut lab = Lab::new();
    lab.shared.point.replace_policy(rules(
        "[[conditional]]\nname = \"Not Alice\"\nplanes = [\"network\"]\n\
         targets = [\"user:alice@contoso.com\"]\naction = \"quarantine\"\n",
    ));
    let holder = lab.root.device(&Device {
        guid: Some(GOOD),
        ..Device::default()
    });
    let profile = Arc::new(Profile::build(lab.profile_of(holder)).unwrap());
    for (owner, expected) in [
        (Some(ALICE), "quarantine"),
        (Some("bob@contoso.com"), "staff"),
        (None, "staff"),
    ] {
        let Update::Device(mut report) =
            device(GOOD, GOOD_MAC, Tri::Yes, ComplianceState::Compliant)
        else {
            panic!("a device");
        };
        report.owner = owner.and_then(UserId::parse);
        lab.said(Update::Device(report));
        let mut pair = lab.pair_of(&profile);
        let end = lab.login(&mut pair);
        let reply = end.accepted(&pair.nas);
        assert_eq!(vlan(reply).as_deref(), Some(expected), "row {owner:?}");
        assert_eq!(
            reply.text(AttributeType::USER_NAME),
            None,
            "row {owner:?}: nobody signed in"
        );
        let record = lab.record();
        assert_eq!(record.user.as_option(), None, "row {owner:?}");
        assert_eq!(record.seen.user_name(lab.point().reader()), owner);
    }
}

#[test]
fn a_proven_stranger_does_not_borrow_the_posture_behind_its_mac_address() {
    let mut lab = Lab::new();
    let mut pair = lab.pair(STRANGER);
    pair.station = GOOD_MAC.into();
    let end = lab.login(&mut pair);
    assert_eq!(vlan(end.accepted(&pair.nas)).as_deref(), Some("quarantine"));
}

fn vlan(reply: &Reply) -> Option<String> {
    reply.text(AttributeType::TUNNEL_PRIVATE_GROUP_ID)
}
