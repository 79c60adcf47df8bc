//! A whole EAP-TLS conversation, from the first datagram to the Access-Accept: RADIUS, EAP, TLS,
//! revocation and the decision; the peer's work is not counted.

use std::sync::Arc;

use portreeve::eap;
use portreeve::eap::Resumption;
use portreeve::eap::TlsVersion;
use portreeve::probe::Credential;
use portreeve::probe::Profile;
use portreeve::probe::ProfileSettings;

use crate::gateway::AUTHENTICATION;
use crate::gateway::Gateway;
use crate::gateway::SECRET;
use crate::measured;
use crate::nas::Nas;
use crate::pair::End;
use crate::pair::Next;
use crate::pair::Pair;
use crate::pki::Authority;
use crate::pki::Device;
use crate::pki::Holder;

/// TLS 1.3 and 1.2, full and resumed.
pub(crate) fn run(over: &mut dyn FnMut(&str, u32)) {
    let root = Authority::root("Root");
    for version in [TlsVersion::Tls13, TlsVersion::Tls12] {
        let mut gateway = Gateway::new(Some(server(&root, version)));
        for resumed in [false, true] {
            let devices: Vec<Arc<Profile>> = (0..CONVERSATIONS)
                .map(|_| device(&root, if resumed { 4 } else { 0 }))
                .collect();
            // What every cache holds, and the tickets of those that resume.
            let before = if resumed { devices.len() } else { WARM_UP };
            for device in devices.iter().take(before) {
                login(&mut gateway, device, false, |work| work());
            }
            for device in &devices {
                login(&mut gateway, device, resumed, |work| measured(work));
            }
            let kind = if resumed { "resumed" } else { "full" };
            let conversations = u32::try_from(CONVERSATIONS).unwrap_or(1);
            over(&format!("conversation: {version} {kind}"), conversations);
        }
    }
}

/// One login that ends well; `count` is given the server's part of it.
pub(crate) fn login(
    gateway: &mut Gateway,
    device: &Arc<Profile>,
    resumed: bool,
    count: impl Fn(&mut dyn FnMut()),
) {
    let nas = Nas::new("192.0.2.1:1812", SECRET);
    let mut pair = Pair::new(nas, device, "anonymous@contoso.com");
    let mut request = pair.request();
    let end = loop {
        count(&mut || gateway.take_in(AUTHENTICATION, pair.nas.address, &request));
        let reply = gateway.reply();
        count(&mut || gateway.server.clear_transmits());
        gateway.forget_records();
        let reply = pair.nas.believe(&request, &reply);
        match pair.take(gateway.now, reply) {
            Next::Request(next) => request = next,
            Next::End(end) => break end,
        }
    };
    assert!(matches!(end, End::Accepted { .. }), "{end:?}");
    assert_eq!(pair.report().resumed, resumed, "resumed");
}

pub(crate) fn server(root: &Authority, version: TlsVersion) -> eap::Config {
    let Holder { chain, key } = root.server("radius.example.org");
    let mut settings = eap::Settings::new(chain, key, vec![root.certificate()]);
    (settings.lowest, settings.highest) = (version, version);
    settings.teap.tls_max = version;
    settings.resumption = Some(Arc::<Resumption>::default());
    let revoked: Vec<u8> = (100..=250).collect();
    settings.revocation_lists = vec![root.revocation_list(&revoked)];
    settings.demand_revocation = true;
    eap::Config::build(settings).expect("settings of ours")
}

/// A device with a certificate of its own, so that a chain that was verified before helps nobody.
fn device(root: &Authority, remembered: usize) -> Arc<Profile> {
    let Holder { chain, key } = root.device(&Device {
        guid: Some("00000000-0000-0000-0000-000000000001"),
        email: Some("user0@contoso.com"),
        ..Device::default()
    });
    let credential = Some(Credential { chain, key });
    let roots = vec![root.certificate()];
    let mut settings = ProfileSettings::new("anonymous@contoso.com", credential, roots);
    settings.remembered = remembered;
    Arc::new(Profile::build(settings).expect("settings of ours"))
}

/// Signatures differ in what their verification costs; the average of so many moves by less than
/// 1 %.
pub(crate) const CONVERSATIONS: usize = 40;
pub(crate) const WARM_UP: usize = 4;
