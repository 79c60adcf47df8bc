//! EAP inside of a tunnel, the peer's side: EAP-MSCHAPv2, EAP-GTC and EAP-TLS.

use std::sync::Arc;

use md5::Digest;
use md5::Md5;

use super::InsideSettings;
use super::PeerFailure;
use super::Profile;
use super::Supplicant;
use crate::directory::NtHash;
use crate::eap::Inner;
use crate::eap::MsChapV2;
use crate::eap::Type;
use crate::model::Now;
use crate::model::NtKey;

/// One conversation inside.
#[derive(Debug)]
pub(super) struct InnerPeer {
    settings: Arc<InsideSettings>,
    profile: Arc<Profile>,
    tls: Option<Box<Supplicant>>,
    login: Option<Box<MsLogin>>,
    content: bool,
    key: [u8; 32],
    emsk: Option<[u8; 64]>,
}

/// An answer of MSCHAPv2.
pub(in crate::probe) struct MsLogin {
    challenge: [u8; 16],
    peer_challenge: [u8; 16],
    response: [u8; 24],
    name: Vec<u8>,
    key: NtKey,
}

impl std::fmt::Debug for MsLogin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("MsLogin")
    }
}

impl InnerPeer {
    pub(super) fn new(settings: &Arc<InsideSettings>, profile: &Arc<Profile>) -> Self {
        Self {
            settings: Arc::clone(settings),
            profile: Arc::clone(profile),
            tls: None,
            login: None,
            content: false,
            key: [0; 32],
            emsk: None,
        }
    }

    /// Whether the method has come to its end.
    pub(super) fn is_content(&self) -> bool {
        self.content
    }

    /// What it leaves for the tunnel to be bound to.
    pub(super) const fn key(&self) -> &[u8; 32] {
        &self.key
    }

    /// Of EAP-TLS.
    pub(super) const fn emsk(&self) -> Option<&[u8; 64]> {
        self.emsk.as_ref()
    }

    /// Whether it is MSCHAPv2.
    pub(super) fn is_ms_chap(&self) -> bool {
        self.settings.inner == Inner::MsChapV2
    }

    /// Answers a request.
    pub(super) fn take(
        &mut self,
        now: Now,
        kind: Type,
        data: &[u8],
    ) -> Result<(Type, Vec<u8>), PeerFailure> {
        match (kind, self.settings.inner) {
            (Type::IDENTITY, _) => Ok((kind, self.settings.user.clone().into_bytes())),
            (Type::MSCHAPV2, Inner::MsChapV2) => Ok((kind, self.ms_chap_v2(data)?)),
            (Type::GTC, Inner::Gtc) => {
                self.content = true;
                Ok((kind, self.settings.password.expose().to_vec()))
            }
            (Type::TLS, Inner::Tls) => {
                let peer = self.tls.get_or_insert_with(|| {
                    let profile = self.profile.outside_of_tunnels();
                    Box::new(Supplicant::new(Arc::new(profile)))
                });
                let answer = peer.tls(now, 0, data)?;
                if let Ok(keys) = peer.succeed() {
                    self.content = true;
                    self.emsk = Some(*keys.emsk.expose());
                    let msk = keys.msk.expose().iter();
                    self.key
                        .iter_mut()
                        .zip(msk)
                        .for_each(|(to, from)| *to = *from);
                }
                Ok((kind, answer))
            }
            (_, Inner::MsChapV2) => Ok((Type::NAK, vec![Type::MSCHAPV2.0])),
            (_, Inner::Tls) => Ok((Type::NAK, vec![Type::TLS.0])),
            (_, Inner::Gtc | Inner::Pap | Inner::Chap | Inner::MsChap) => {
                Ok((Type::NAK, vec![Type::GTC.0]))
            }
        }
    }

    /// draft-kamath-pppext-eap-mschapv2-02 section 2.
    fn ms_chap_v2(&mut self, data: &[u8]) -> Result<Vec<u8>, PeerFailure> {
        const CHALLENGE: u8 = 1;
        const RESPONSE: u8 = 2;
        const SUCCESS: u8 = 3;
        const FAILURE: u8 = 4;
        let ([code, identifier, _, _], rest) = data
            .split_first_chunk::<4>()
            .ok_or(PeerFailure::Order("a short packet of EAP-MSCHAPv2"))?;
        match *code {
            CHALLENGE => {
                let challenge = rest.get(1..).and_then(<[u8]>::first_chunk::<16>);
                let challenge = challenge.ok_or(PeerFailure::Order("a short challenge"))?;
                let user = self.settings.user.as_bytes();
                let login = MsLogin::answer(*challenge, user, self.settings.password.expose())?;
                let length = u16::try_from(54 + user.len()).unwrap_or(u16::MAX);
                let [high, low] = length.to_be_bytes();
                let head = [RESPONSE, *identifier, high, low, 49];
                let value = [login.peer_challenge(), &[0; 8], login.response(), &[0]].concat();
                let packet = [&head[..], &value, user].concat();
                self.login = Some(Box::new(login));
                Ok(packet)
            }
            SUCCESS => {
                let login = self.login.as_ref();
                let login = login.ok_or(PeerFailure::Order("MSCHAPv2 out of turn"))?;
                login.believe(rest)?;
                self.key = login.session_key();
                self.content = true;
                Ok(vec![SUCCESS])
            }
            FAILURE => Ok(vec![FAILURE]),
            _ => Err(PeerFailure::Order("an unknown packet of EAP-MSCHAPv2")),
        }
    }
}

impl MsLogin {
    /// Answers a challenge.
    pub(in crate::probe) fn answer(
        challenge: [u8; 16],
        name: &[u8],
        password: &[u8],
    ) -> Result<Self, PeerFailure> {
        let mut peer_challenge = [0; 16];
        aws_lc_rs::rand::fill(&mut peer_challenge)
            .map_err(|error| PeerFailure::Internal(error.to_string()))?;
        let hash = nt_hash(password)?;
        let mut login = Self {
            challenge,
            peer_challenge,
            response: [0; 24],
            name: name.to_vec(),
            key: hash.key(),
        };
        login.response = hash.response(&login.login().challenge_hash());
        Ok(login)
    }

    pub(in crate::probe) const fn peer_challenge(&self) -> &[u8] {
        &self.peer_challenge
    }

    pub(in crate::probe) const fn response(&self) -> &[u8] {
        &self.response
    }

    /// Whether the server knows the password too.
    pub(in crate::probe) fn believe(&self, proof: &[u8]) -> Result<(), PeerFailure> {
        let expected = self.login().authenticator_response(&self.key);
        if proof.starts_with(&expected) {
            Ok(())
        } else {
            Err(PeerFailure::Impostor)
        }
    }

    /// Receive and send key of the server.
    fn session_key(&self) -> [u8; 32] {
        let keys = self.login().session_keys(&self.key);
        let mut key = [0; 32];
        let both = keys.receive.iter().chain(keys.send.iter());
        key.iter_mut().zip(both).for_each(|(to, from)| *to = *from);
        key
    }

    fn login(&self) -> MsChapV2<'_> {
        MsChapV2 {
            challenge: &self.challenge,
            peer_challenge: &self.peer_challenge,
            response: &self.response,
            name: &self.name,
        }
    }
}

pub(in crate::probe) fn nt_hash(password: &[u8]) -> Result<NtHash, PeerFailure> {
    NtHash::new(password).ok_or(PeerFailure::Order("MSCHAP needs a password that is text"))
}

/// RFC 1994 section 4.1.
pub(in crate::probe) fn chap(identifier: u8, password: &[u8], challenge: &[u8]) -> [u8; 16] {
    let mut digest = Md5::new();
    digest.update([identifier]);
    digest.update(password);
    digest.update(challenge);
    digest.finalize().into()
}
