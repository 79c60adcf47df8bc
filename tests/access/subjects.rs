//! A subject that is kept is judged like the one that asked.

use portreeve::access::OwnedSubject;
use portreeve::model::CertificateId;
use portreeve::model::Credential;
use portreeve::model::EntraDeviceId;
use portreeve::model::Identifier;
use portreeve::model::MailContext;
use portreeve::model::Medium;
use portreeve::model::NasContext;
use portreeve::model::Plane;
use portreeve::model::Presented;
use portreeve::model::Subject;

use crate::house::ALICE;
use crate::house::claimed;
use crate::house::device;
use crate::house::eas;
use crate::house::mac;
use crate::house::proven;

fn every_identifier<'a>() -> Vec<Presented<'a>> {
    let entra: EntraDeviceId = "0f8fad5b-d9cb-469f-a165-70867728950e".parse().unwrap();
    vec![
        proven(Identifier::Device(device(1))),
        proven(Identifier::Entra(entra)),
        proven(Identifier::Certificate(CertificateId::from_octets([7; 32]))),
        claimed(Identifier::Serial("C02ABC")),
        claimed(Identifier::Eas(eas("ApplDNXX12345"), ALICE)),
        claimed(Identifier::Mac(mac("00-00-5E-00-53-01"))),
    ]
}

#[track_caller]
fn assert_same(kept: &Subject<'_>, asked: &Subject<'_>) {
    assert_eq!(kept.plane, asked.plane);
    assert_eq!(kept.user, asked.user);
    assert_eq!(kept.credential, asked.credential);
    assert_eq!(kept.device, asked.device);
    // These have no equality of their own.
    assert_eq!(format!("{:?}", kept.nas), format!("{:?}", asked.nas));
    assert_eq!(format!("{:?}", kept.mail), format!("{:?}", asked.mail));
}

#[test]
fn every_part_comes_back() {
    let presented = every_identifier();
    let nas = NasContext {
        name: "ap-1",
        group: "office",
        medium: Medium::Wireless,
        ssid: Some("corp"),
        claims: None,
    };
    let mail = MailContext {
        device_type: "iPhone",
        user_agent: "Apple-iPhone14C1/1601.405",
        ..MailContext::default()
    };
    for (plane, user, nas, mail) in [
        (Plane::Network, Some(ALICE), Some(nas), None),
        (
            Plane::Network,
            None,
            Some(NasContext { ssid: None, ..nas }),
            None,
        ),
        (Plane::Mail, Some(ALICE), None, Some(mail)),
        (Plane::Web, Some(""), None, None),
    ] {
        for credential in [
            Credential::None,
            Credential::Password,
            Credential::Certificate,
        ] {
            for count in [0, 1, presented.len()] {
                let asked = Subject {
                    plane,
                    user,
                    credential,
                    device: &presented[..count],
                    nas,
                    mail,
                };
                let kept = OwnedSubject::from(&asked);
                kept.with(|kept| assert_same(kept, &asked));
            }
        }
    }
}

#[test]
fn the_best_identifiers_are_kept() {
    let presented: Vec<Presented<'_>> = (0..20)
        .map(|number| claimed(Identifier::Device(device(number))))
        .collect();
    let asked = Subject {
        plane: Plane::Mail,
        user: None,
        credential: Credential::None,
        device: &presented,
        nas: None,
        mail: None,
    };
    let kept = OwnedSubject::from(&asked);
    kept.with(|kept| {
        assert_eq!(kept.device, &presented[..OwnedSubject::MAX_IDENTIFIERS]);
    });
}
