//! What peers say inside of TEAP's tunnel: as octets for the parser, and in whole conversations in which
//! nobody's password is ever right.
//!
//! The first octet chooses what user and machine speak, TLS version and what kind of peer it is; then
//! come the turns of the peer, as in `eap_inside`.

use portreeve::eap::Inner;
use portreeve::eap::Outer;
use portreeve::eap::TeapMessage;
use portreeve::eap::TlsVersion;
use portreeve::model::Secret;
use portreeve::probe::InsideSettings;
use portreeve::probe::Machine;
use portreeve::probe::TeapPeer;

#[path = "eap_inside.rs"]
#[allow(
    dead_code,
    clippy::duplicate_mod,
    reason = "its conversations are taken, its parsers are not"
)]
mod inside;

/// Panics if the parser reads what is not there, or a conversation succeeds.
pub fn drive(octets: &[u8]) {
    if let Some(message) = TeapMessage::parse(octets) {
        let read = message.eap.map_or(0, <[u8]>::len)
            + message.binding.map_or(0, |value| value.len())
            + message
                .password
                .map_or(0, |(name, password)| name.len() + password.len())
            + message.hint.map_or(0, <[u8]>::len);
        assert!(read <= octets.len(), "more was read than is there");
    }
    let Some((&choice, rest)) = octets.split_first() else {
        return;
    };
    converse(choice, rest);
}

fn converse(choice: u8, rest: &[u8]) {
    let spoken =
        |bits: u8| [Inner::MsChapV2, Inner::Gtc, Inner::Pap, Inner::Tls][usize::from(bits & 3)];
    let password = || Secret::new(b"wonderland".to_vec());
    let version = [TlsVersion::Tls12, TlsVersion::Tls13][usize::from(choice >> 4 & 1)];
    let mut settings = inside::settings();
    settings.method = Outer::Teap;
    (settings.lowest, settings.highest) = (version, version);
    settings.inside = Some(InsideSettings {
        inner: spoken(choice),
        by_eap: true,
        user: "alice".into(),
        password: password(),
        binding: true,
        resumes: true,
        early: false,
        teap: TeapPeer {
            machine: (choice & 0x20 != 0).then(|| Machine {
                inner: spoken(choice >> 2),
                name: "host/pc".into(),
                password: password(),
            }),
            silent: choice & 0x40 != 0,
            one_chain: false,
            exporter: false,
            outer_tlvs: if choice & 0x80 == 0 {
                Vec::new()
            } else {
                vec![0x3f, 0xff, 0, 1, choice]
            },
        },
    });
    inside::run(settings, inside::turns(rest));
}
