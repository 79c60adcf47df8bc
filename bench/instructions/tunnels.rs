//! Whole conversations in which a user's password is shown inside of a tunnel: PEAP with MSCHAPv2,
//! EAP-TTLS with PAP and TEAP with MSCHAPv2, from the first datagram to the Access-Accept.

use std::sync::Arc;

use portreeve::eap::Inner;
use portreeve::eap::Outer;
use portreeve::eap::TlsVersion;
use portreeve::model::Secret;
use portreeve::network::Method;
use portreeve::network::MethodSet;
use portreeve::network::Methods;
use portreeve::probe::InsideSettings;
use portreeve::probe::Profile;
use portreeve::probe::ProfileSettings;
use portreeve::probe::TeapPeer;

use crate::gateway::DEVICES;
use crate::gateway::Gateway;
use crate::gateway::PASSWORD;
use crate::handshake::CONVERSATIONS;
use crate::handshake::WARM_UP;
use crate::handshake::login;
use crate::handshake::server;
use crate::measured;
use crate::pki::Authority;
use crate::world::World;

/// Over TLS 1.3 and 1.2, full and resumed.
pub(crate) fn run(over: &mut dyn FnMut(&str, u32)) {
    let root = Authority::root("Root");
    let point = Arc::new(World::load(DEVICES).point(5));
    for (outer, method, inner) in SPOKEN {
        for version in [TlsVersion::Tls13, TlsVersion::Tls12] {
            let methods = Methods {
                default: MethodSet::new(&[method], &[inner]),
                ..Methods::default()
            };
            let settings = server(&root, version);
            let mut gateway = Gateway::offering(methods, Arc::clone(&point), Some(settings));
            for resumed in [false, true] {
                let users: Vec<Arc<Profile>> = (0..CONVERSATIONS)
                    .map(|_| user(&root, outer, inner, if resumed { 4 } else { 0 }))
                    .collect();
                // What every cache holds, and the tickets of those that resume.
                let before = if resumed { users.len() } else { WARM_UP };
                for user in users.iter().take(before) {
                    login(&mut gateway, user, false, |work| work());
                }
                for user in &users {
                    login(&mut gateway, user, resumed, |work| measured(work));
                }
                let kind = if resumed { "resumed" } else { "full" };
                let (outer, inner) = (outer.name(), inner.name());
                let conversations = u32::try_from(CONVERSATIONS).unwrap_or(1);
                over(&format!("{outer}/{inner}: {version} {kind}"), conversations);
            }
        }
    }
}

/// One who shows no certificate.
fn user(root: &Authority, outer: Outer, inner: Inner, remembered: usize) -> Arc<Profile> {
    let roots = vec![root.certificate()];
    let mut settings = ProfileSettings::new("anonymous@contoso.com", None, roots);
    settings.method = outer;
    settings.remembered = remembered;
    settings.inside = Some(InsideSettings {
        inner,
        by_eap: false,
        user: "user0@contoso.com".into(),
        password: Secret::new(PASSWORD.to_vec()),
        binding: true,
        resumes: true,
        early: false,
        teap: TeapPeer::default(),
    });
    Arc::new(Profile::build(settings).expect("settings of ours"))
}

const SPOKEN: [(Outer, Method, Inner); 3] = [
    (Outer::Peap, Method::Peap, Inner::MsChapV2),
    (Outer::Ttls, Method::EapTtls, Inner::Pap),
    (Outer::Teap, Method::Teap, Inner::MsChapV2),
];
