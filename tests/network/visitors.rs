//! Who proves no device: passwords from devices that nobody knows.

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

use crate::lab::ALICE;
use crate::lab::GOOD_MAC;
use crate::lab::Lab;
use crate::lab::STRANGER_MAC;
use crate::lab::verdict;
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
