//! Who proves no device: visitors whom their home lets in, and passwords from devices that nobody knows.

use std::sync::Arc;

use portreeve::eap::Inner;
use portreeve::eap::Outer;
use portreeve::model::Credential;
use portreeve::model::Established;
use portreeve::model::Verdict;
use portreeve::policy;
use portreeve::policy::Policy;
use portreeve::probe::Profile;
use portreeve::radius::AttributeType;
use portreeve::radius::Code;
use portreeve::radius::MppeKeys;
use portreeve::radius::Reply;
use portreeve::radius::Salt;
use portreeve::radius::VendorId;

use crate::lab::ALICE;
use crate::lab::GOOD_MAC;
use crate::lab::Lab;
use crate::lab::STRANGER_MAC;
use crate::lab::verdict;
use crate::proxying::Site;
use crate::tunnels;
use crate::world;

/// Only bob is judged.
fn rules_for_bob() -> Policy {
    let rules = world::POLICY.replace(
        r#"targets = ["all"]"#,
        r#"targets = ["user:bob@contoso.com"]"#,
    );
    match policy::parse("policy.toml", &rules) {
        Ok((policy, _)) => policy,
        Err(problems) => panic!("{problems:?}"),
    }
}

/// All that a home server could say to let its user into another network than ours.
fn authorise(reply: &mut Reply<'_, '_>) {
    reply
        .vlan(0, b"666")
        .octets(AttributeType::FILTER_ID, b"of home")
        .octets(AttributeType::REPLY_MESSAGE, b"be my guest")
        .integer(AttributeType::SESSION_TIMEOUT, 86_400)
        .vendor(VendorId::CISCO, 1, b"priv-lvl=15")
        .octets(AttributeType::CLASS, b"of home")
        .octets(AttributeType::CHARGEABLE_USER_IDENTITY, b"c-1")
        .octets(AttributeType::USER_NAME, ALICE.as_bytes());
}

#[test]
fn what_home_authorises_stays_behind_where_ours_counts_whoever_judges() {
    let keys = MppeKeys::from_msk(&[7; 64]);
    for judged in [false, true] {
        for eap in [false, true] {
            let row = format!("row judged {judged}, EAP {eap}");
            let mut site = Site::with(|route| {
                route.judged = judged;
                route.authorization_kept = false;
            });
            site.lab.point().replace_policy(rules_for_bob());
            let request = site.nas.access(|request| {
                request
                    .octets(AttributeType::USER_NAME, b"anonymous@contoso.com")
                    .octets(AttributeType::CALLING_STATION_ID, STRANGER_MAC.as_bytes())
                    .octets(AttributeType::CHARGEABLE_USER_IDENTITY, &[0]);
                if eap {
                    request.eap_message(&[2, 7, 0, 5, 1]);
                } else {
                    request.user_password(b"known elsewhere");
                }
            });
            site.ask(&request);
            let forwarded = site.only();
            site.answer(&forwarded, Code::AccessAccept, |reply| {
                authorise(reply);
                reply.mppe_keys(&keys, Salt::new(9));
                if eap {
                    reply.eap_message(&[3, 7, 0, 4]);
                    reply.octets(AttributeType::EAP_KEY_NAME, b"session");
                } else {
                    // MS-CHAP2-Success: without it the peer does not believe us (RFC 2759).
                    reply.vendor(VendorId(311), 26, b"\x01S=00");
                }
            });
            let answers = site.answered();
            let accept = site.nas.believe(&request, &answers[0].octets);
            assert_eq!(accept.code, Code::AccessAccept, "{row}");
            let vlans = accept.all(AttributeType::TUNNEL_PRIVATE_GROUP_ID);
            assert_eq!(vlans, [b"limited"], "{row}");
            let filters = accept.all(AttributeType::FILTER_ID);
            assert_eq!(filters, [b"limited"], "{row}");
            for kind in [AttributeType::REPLY_MESSAGE, AttributeType::SESSION_TIMEOUT] {
                assert_eq!(accept.find(kind), None, "{row}: {kind}");
            }
            // What the authentication leaves, and who pays, is the home's to say.
            assert!(accept.keys(&site.nas).is_some(), "{row}");
            assert_eq!(
                accept.text(AttributeType::USER_NAME).as_deref(),
                Some(ALICE)
            );
            let charged = accept.all(AttributeType::CHARGEABLE_USER_IDENTITY);
            assert_eq!(charged, [b"c-1"], "{row}");
            let classes = accept.all(AttributeType::CLASS);
            assert_eq!(classes[0], b"of home", "{row}");
            assert_eq!(classes.len(), 1 + usize::from(judged), "{row}");
            let vendors = accept.all(AttributeType::VENDOR_SPECIFIC);
            let cisco = vendors.iter().any(|one| one.starts_with(&[0, 0, 0, 9]));
            assert!(!cisco, "{row}");
            let success = vendors
                .iter()
                .any(|one| one.starts_with(&[0, 0, 1, 55, 26]));
            assert_eq!(success, !eap, "{row}");
            let name = accept.find(AttributeType::EAP_KEY_NAME);
            assert_eq!(name.is_some(), eap, "{row}");
            assert_eq!(accept.eap().is_some(), eap, "{row}");
        }
    }
}

#[test]
fn a_password_from_an_unknown_device_gets_no_more_than_from_a_known_one() {
    for station in [GOOD_MAC, STRANGER_MAC] {
        let mut lab = Lab::new();
        lab.point().replace_policy(rules_for_bob());
        let mut nas = lab.nas();
        let request = nas.access(|request| {
            request
                .octets(AttributeType::USER_NAME, ALICE.as_bytes())
                .octets(AttributeType::CALLING_STATION_ID, station.as_bytes())
                .user_password(&ALICE.bytes().rev().collect::<Vec<u8>>());
        });
        let reply = lab.ask(&nas, &request).expect("a reply");
        let vlan = reply.text(AttributeType::TUNNEL_PRIVATE_GROUP_ID);
        assert_eq!(vlan.as_deref(), Some("limited"), "row PAP {station}");
        assert_eq!(verdict(&lab.record()), Verdict::Allow);

        for (outer, inner) in [
            (Outer::Ttls, Inner::Pap),
            (Outer::Peap, Inner::Gtc),
            (Outer::Teap, Inner::Pap),
        ] {
            let settings = tunnels::settings(&lab, outer, inner, ALICE);
            let mut pair = lab.pair_of(&Arc::new(Profile::build(settings).unwrap()));
            station.clone_into(&mut pair.station);
            let end = lab.login(&mut pair);
            let reply = end.accepted(&pair.nas);
            let vlan = reply.text(AttributeType::TUNNEL_PRIVATE_GROUP_ID);
            let row = format!("row {outer:?} {station}");
            assert_eq!(vlan.as_deref(), Some("limited"), "{row}");
            let record = lab.record();
            assert_eq!(record.seen.credential, Credential::Password, "{row}");
            let known = station == GOOD_MAC;
            let expected = [Established::None, Established::Claimed][usize::from(known)];
            assert_eq!(record.seen.established, expected, "{row}");
        }
    }
}
