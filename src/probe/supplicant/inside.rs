//! What a peer says inside of a tunnel: EAP-TTLS (RFC 5281 section 11) and PEAP ([MS-PEAP] section
//! 3.2.5), TEAP by its own file, and whether it has reason to believe in a success.

use std::sync::Arc;

use rustls::ClientConnection;
use zeroize::Zeroizing;

use super::PeerFailure;
use super::Profile;
use super::inner::InnerPeer;
use super::inner::MsLogin;
use super::teap::TeapPeer;
use super::teap::TeapTalk;
use crate::eap;
use crate::eap::Avps;
use crate::eap::Binding;
use crate::eap::Code;
use crate::eap::Extensions;
use crate::eap::Inner;
use crate::eap::Keys;
use crate::eap::Outer;
use crate::eap::Packet;
use crate::eap::Type;
use crate::eap::ttls;
use crate::model::Now;
use crate::model::Secret;

/// How a peer says inside of a tunnel who it is.
#[derive(Clone, Debug)]
pub struct InsideSettings {
    /// What it speaks.
    pub inner: Inner,
    /// Whether EAP-TTLS carries MSCHAPv2 in EAP instead of by itself.
    pub by_eap: bool,
    /// The name inside.
    pub user: String,
    /// The password; of [`Inner::Tls`] the credential of the profile counts instead.
    pub password: Secret,
    /// Whether PEAP answers the crypto-binding.
    pub binding: bool,
    /// Whether a resumed tunnel is used without saying again who it is.
    pub resumes: bool,
    /// Whether EAP-TTLS over TLS 1.3 speaks with the Finished, and does not wait for the server
    /// (RFC 5281 section 7.4).
    pub early: bool,
    /// What TEAP has besides.
    pub teap: TeapPeer,
}

/// A peer in its tunnel.
#[derive(Debug)]
pub(super) struct InsidePeer {
    settings: Arc<InsideSettings>,
    outer: Outer,
    eap: InnerPeer,
    login: Option<Box<MsLogin>>,
    teap: Option<Box<TeapTalk>>,
    /// Whether all of our own has been said.
    spoken: bool,
    /// Whether the server has shown what it has to.
    content: bool,
    bound: Option<Zeroizing<[u8; 128]>>,
}

/// What a turn may need.
pub(super) struct Scene<'a> {
    pub(super) now: Now,
    pub(super) connection: &'a ClientConnection,
    /// Keys of the tunnel.
    pub(super) keys: &'a Keys,
    /// Identifier of the request.
    pub(super) identifier: u8,
    /// Whether the tunnel is one of before.
    pub(super) resumed: bool,
    /// Whether it is of TLS 1.3.
    pub(super) tls13: bool,
}

impl InsidePeer {
    pub(super) fn new(
        outer: Outer,
        settings: &Arc<InsideSettings>,
        profile: &Arc<Profile>,
        outer_tlvs: &[u8],
    ) -> Self {
        let teap = || Box::new(TeapTalk::new(settings, profile, outer_tlvs));
        Self {
            settings: Arc::clone(settings),
            outer,
            eap: InnerPeer::new(settings, profile),
            login: None,
            teap: (outer == Outer::Teap).then(teap),
            spoken: false,
            content: false,
            bound: None,
        }
    }

    /// Whether EAP-Success may be believed.
    pub(super) const fn may_succeed(&self) -> bool {
        self.spoken && self.content
    }

    /// The keys of a tunnel that was bound to what was said inside.
    pub(super) fn bound(&self) -> Option<&Zeroizing<[u8; 128]>> {
        let of_teap = self.teap.as_ref().and_then(|teap| teap.finished());
        self.bound.as_ref().or(of_teap)
    }

    /// The handshake is complete: what is said without being asked.
    pub(super) fn begin(&mut self, scene: &Scene<'_>) -> Result<Vec<u8>, PeerFailure> {
        match self.outer {
            Outer::Tls | Outer::Peap | Outer::Teap => Ok(Vec::new()),
            Outer::Ttls if scene.resumed && self.settings.resumes => {
                (self.spoken, self.content) = (true, true);
                Ok(Vec::new())
            }
            Outer::Ttls if scene.tls13 && !scene.resumed && !self.settings.early => Ok(Vec::new()),
            Outer::Ttls => self.speak_first(scene),
        }
    }

    /// The server's turn; gives ours. Nothing said is answered by nothing.
    pub(super) fn hear(&mut self, scene: &Scene<'_>, words: &[u8]) -> Result<Vec<u8>, PeerFailure> {
        match self.outer {
            Outer::Ttls if !self.spoken && words.is_empty() => self.speak_first(scene),
            _ if words.is_empty() => Ok(Vec::new()),
            Outer::Tls => Err(PeerFailure::ApplicationData),
            Outer::Ttls => self.hear_ttls(scene, words),
            Outer::Peap => self.hear_peap(scene, words),
            Outer::Teap => self.hear_teap(scene, words),
        }
    }

    fn speak_first(&mut self, scene: &Scene<'_>) -> Result<Vec<u8>, PeerFailure> {
        let settings = Arc::clone(&self.settings);
        let mut words = Zeroizing::default();
        let export = |octets: &mut [u8]| {
            (scene.connection)
                .export_keying_material(&mut *octets, ttls::CHALLENGE, None)
                .map(|_| ())
                .map_err(|error| PeerFailure::Internal(error.to_string()))
        };
        let user = settings.user.as_bytes();
        let password = settings.password.expose();
        let by_eap = settings.by_eap || matches!(settings.inner, Inner::Gtc | Inner::Tls);
        if by_eap {
            let identity = eap::response(0, Type::IDENTITY, user);
            ttls::push(&mut words, 0, ttls::EAP_MESSAGE, &identity);
            self.spoken = true;
            return Ok(words.to_vec());
        }
        ttls::push(&mut words, 0, ttls::USER_NAME, user);
        self.spoken = true;
        self.content = true;
        match settings.inner {
            Inner::Pap | Inner::Gtc | Inner::Tls => {
                let mut padded = Zeroizing::new(password.to_vec());
                padded.resize(password.len().next_multiple_of(16), 0);
                ttls::push(&mut words, 0, ttls::USER_PASSWORD, &padded);
            }
            Inner::Chap => {
                let mut challenge = [0; 17];
                export(&mut challenge)?;
                let [challenge @ .., identifier] = challenge;
                let response = super::inner::chap(identifier, password, &challenge);
                let value = [&[identifier][..], &response].concat();
                ttls::push(&mut words, 0, ttls::CHAP_CHALLENGE, &challenge);
                ttls::push(&mut words, 0, ttls::CHAP_PASSWORD, &value);
            }
            Inner::MsChap => {
                let mut challenge = [0; 9];
                export(&mut challenge)?;
                let [challenge @ .., identifier] = challenge;
                let response = super::inner::nt_hash(password)?.response(&challenge);
                let value = [&[identifier, 1][..], &[0; 24], &response].concat();
                let microsoft = ttls::MICROSOFT;
                ttls::push(&mut words, microsoft, ttls::MS_CHAP_CHALLENGE, &challenge);
                ttls::push(&mut words, microsoft, ttls::MS_CHAP_RESPONSE, &value);
            }
            Inner::MsChapV2 => {
                let mut challenge = [0; 17];
                export(&mut challenge)?;
                let [challenge @ .., identifier] = challenge;
                let login = MsLogin::answer(challenge, user, password)?;
                let head = [&[identifier, 0][..], login.peer_challenge()].concat();
                let value = [&head[..], &[0; 8], login.response()].concat();
                let microsoft = ttls::MICROSOFT;
                ttls::push(&mut words, microsoft, ttls::MS_CHAP_CHALLENGE, &challenge);
                ttls::push(&mut words, microsoft, ttls::MS_CHAP2_RESPONSE, &value);
                self.login = Some(Box::new(login));
                // Until the server has shown that it knows the password.
                self.content = false;
            }
        }
        Ok(words.to_vec())
    }

    fn hear_ttls(&mut self, scene: &Scene<'_>, words: &[u8]) -> Result<Vec<u8>, PeerFailure> {
        let mut joined = Vec::new();
        for avp in Avps::new(words) {
            let avp = avp.map_err(|_| PeerFailure::Order("attributes that cannot be read"))?;
            match (avp.vendor, avp.code) {
                (0, ttls::EAP_MESSAGE) => joined.extend_from_slice(avp.data),
                (ttls::MICROSOFT, ttls::MS_CHAP2_SUCCESS) => {
                    let login = self.login.as_ref();
                    let login = login.ok_or(PeerFailure::Order("MSCHAPv2 out of turn"))?;
                    // An identifier stands before the proof.
                    login.believe(avp.data.get(1..).unwrap_or(&[]))?;
                    self.content = true;
                }
                _ => return Err(PeerFailure::Order("an attribute that was not asked for")),
            }
        }
        if joined.is_empty() {
            return Ok(Vec::new());
        }
        let packet = Packet::new_checked(&joined)?;
        let (Code::Request, Some(kind)) = (packet.code(), packet.kind()) else {
            return Err(PeerFailure::Order(
                "an EAP packet inside that is no request",
            ));
        };
        let (kind, data) = self.eap.take(scene.now, kind, packet.data())?;
        self.content = self.eap.is_content();
        let response = eap::response(packet.identifier(), kind, &data);
        let mut words = Zeroizing::default();
        ttls::push(&mut words, 0, ttls::EAP_MESSAGE, &response);
        Ok(words.to_vec())
    }

    fn hear_teap(&mut self, scene: &Scene<'_>, words: &[u8]) -> Result<Vec<u8>, PeerFailure> {
        let teap = self.teap.as_mut();
        let teap = teap.ok_or(PeerFailure::Order("TEAP in another tunnel"))?;
        let answer = teap.hear(scene, words)?;
        let finished = teap.finished().is_some();
        (self.spoken, self.content) = (finished, finished);
        Ok(answer)
    }

    fn hear_peap(&mut self, scene: &Scene<'_>, words: &[u8]) -> Result<Vec<u8>, PeerFailure> {
        let headed = Packet::new_checked(words)
            .ok()
            .filter(|packet| packet.code() == Code::Request)
            .filter(|packet| packet.identifier() == scene.identifier);
        if let Some(packet) = headed
            && packet.kind() == Some(Type::EXTENSIONS)
        {
            return self.conclude(scene, packet.data());
        }
        let (kind, data) = match words.split_first() {
            Some((kind, data)) => (Type(*kind), data),
            None => return Ok(Vec::new()),
        };
        let (kind, mut data) = self.eap.take(scene.now, kind, data)?;
        self.spoken = true;
        data.insert(0, kind.0);
        Ok(data)
    }

    /// The server's Result, which ends what is said inside.
    fn conclude(&mut self, scene: &Scene<'_>, data: &[u8]) -> Result<Vec<u8>, PeerFailure> {
        let said = Extensions::parse(data).ok_or(PeerFailure::Order("TLVs that cannot be read"))?;
        let resumed = scene.resumed && !self.spoken;
        let done = (resumed && self.settings.resumes) || self.eap.is_content();
        let success = said.success == Some(true) && done;
        let mut binding = Vec::new();
        if let Some(value) = said.binding.filter(|_| success && self.settings.binding) {
            let key = scene.keys.tunnel_key();
            let keys = if resumed {
                Binding::resumed(key)
            } else {
                Binding::new(key, self.eap.key())
            };
            let nonce = value.get(4..).and_then(<[u8]>::first_chunk::<32>);
            let nonce = nonce.ok_or(PeerFailure::Order("a crypto-binding without a nonce"))?;
            if keys.tlv(nonce, false).get(4..) != Some(value) {
                return Err(PeerFailure::Unbound);
            }
            binding = keys.tlv(nonce, true).to_vec();
            self.bound = Some(keys.keys());
        }
        (self.spoken, self.content) = (success, success);
        let tlvs = eap::result_tlvs(success, &binding);
        Ok(eap::response(scene.identifier, Type::EXTENSIONS, &tlvs))
    }
}
