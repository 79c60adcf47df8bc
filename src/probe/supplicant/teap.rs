//! What a peer says inside of TEAP's tunnel, written from the text (RFC 9930) and not from what the
//! server here does: TLVs, two identities one after the other, and the keys that bind them.

use std::sync::Arc;

use aws_lc_rs::hmac;
use rustls::ClientConnection;
use rustls::SupportedCipherSuite;
use rustls::crypto::hash::HashAlgorithm;
use zeroize::Zeroizing;

use super::PeerFailure;
use super::inner::InnerPeer;
use super::inside::InsideSettings;
use super::inside::Scene;
use super::profile::Profile;
use crate::eap;
use crate::eap::Code;
use crate::eap::Inner;
use crate::eap::Packet;
use crate::eap::Type;
use crate::model::Secret;

/// What a peer has besides for TEAP.
#[derive(Clone, Debug, Default)]
pub struct TeapPeer {
    /// The machine, if it has an identity of its own. A user without a name is nobody: the peer has
    /// the machine's identity only.
    pub machine: Option<Machine>,
    /// Whether it has read the text as one chain of keys and not as two.
    pub one_chain: bool,
    /// Whether it derives its keys by the exporter in TLS 1.3 (RFC 9427 section 2.2).
    pub exporter: bool,
    /// What it says beside TLS in its first packet: whole TLVs.
    pub outer_tlvs: Vec<u8>,
    /// Whether it tells that it has no such identity by silence, as wpa_supplicant does, and not by an
    /// empty name, as Windows does.
    pub silent: bool,
}

/// A machine's identity.
#[derive(Clone, Debug)]
pub struct Machine {
    /// What it speaks.
    pub inner: Inner,
    /// Its name.
    pub name: String,
    /// Its password; of [`Inner::Tls`] the machine's credential of the profile counts instead.
    pub password: Secret,
}

/// A peer in its tunnel.
#[derive(Debug)]
pub(super) struct TeapTalk {
    settings: Arc<InsideSettings>,
    profile: Arc<Profile>,
    /// TLVs of the server's first packet and of ours.
    outer: Vec<u8>,
    /// The method that is spoken, or was spoken last.
    eap: Option<InnerPeer>,
    /// Whether that was a password without EAP.
    by_password: bool,
    /// Whom the server wants.
    wanted: u16,
    chain: Option<Secrets>,
    /// Whether the server has bound anything.
    bound: bool,
    /// Whether the last identity was declined.
    declined: bool,
    finished: Option<Zeroizing<[u8; 128]>>,
}

/// S-IMCKs of both kinds.
#[derive(Debug)]
struct Secrets {
    of_msk: [u8; 40],
    of_emsk: [u8; 40],
    last_by_emsk: bool,
}

impl TeapTalk {
    pub(super) fn new(
        settings: &Arc<InsideSettings>,
        profile: &Arc<Profile>,
        outer: &[u8],
    ) -> Self {
        Self {
            settings: Arc::clone(settings),
            profile: Arc::clone(profile),
            outer: [outer, &settings.teap.outer_tlvs].concat(),
            eap: None,
            by_password: false,
            wanted: USER,
            chain: None,
            bound: false,
            declined: false,
            finished: None,
        }
    }

    /// MSK and EMSK, once the server has said that all is well and has bound it.
    pub(super) const fn finished(&self) -> Option<&Zeroizing<[u8; 128]>> {
        self.finished.as_ref()
    }

    pub(super) fn hear(&mut self, scene: &Scene<'_>, words: &[u8]) -> Result<Vec<u8>, PeerFailure> {
        let tlvs = read(words)?;
        let find = |kind: u16| {
            let mut of_kind = tlvs.iter().filter(|(is, _)| *is == kind);
            of_kind.next().map(|(_, value)| *value)
        };
        let result = find(RESULT);
        if result.is_some_and(|status| status != [0, 1]) {
            return Ok(write(RESULT, &[0, 2]));
        }
        let mut answer = Vec::new();
        // Section 4.3: Crypto-Binding, Intermediate-Result, Result, Identity-Type, then the rest.
        if let Some(value) = find(CRYPTO_BINDING) {
            answer.extend(self.bind(scene, value)?);
        }
        if let Some(status) = find(INTERMEDIATE_RESULT) {
            let content = self.eap.as_ref().is_some_and(InnerPeer::is_content);
            if status != [0, 1] || find(CRYPTO_BINDING).is_none() {
                return Err(PeerFailure::Order(
                    "an Intermediate-Result without a binding",
                ));
            }
            if !content && !self.by_password {
                return Err(PeerFailure::Unfinished);
            }
            answer.extend(write(INTERMEDIATE_RESULT, &[0, 1]));
        }
        if result.is_some() {
            let bound = find(CRYPTO_BINDING).is_some() || (self.bound && self.declined);
            let resumed = scene.resumed && self.settings.resumes;
            let spoken = self.by_password || self.eap.as_ref().is_some_and(InnerPeer::is_content);
            let shown = self.profile.shows_certificate();
            if !bound {
                return Err(PeerFailure::Unbound);
            }
            if !spoken && !resumed && !shown && !self.declined {
                return Err(PeerFailure::Unfinished);
            }
            answer.extend(write(RESULT, &[0, 1]));
            self.finished = Some(self.keys(scene)?);
            return Ok(answer);
        }
        if let Some(&[0, wanted @ (1 | 2)]) = find(IDENTITY_TYPE) {
            self.wanted = u16::from(wanted);
        }
        if find(BASIC_PASSWORD_REQ).is_some() {
            answer.extend(self.password());
        } else if let Some(packet) = find(EAP_PAYLOAD) {
            answer.extend(self.payload(scene, packet)?);
        } else if find(NAK).is_some() {
            return Err(PeerFailure::Order("a NAK"));
        }
        Ok(answer)
    }

    /// Whom to be: whoever is wanted, else the other one; and what it speaks.
    fn identity(&self, wanted: u16) -> Option<(u16, InsideSettings)> {
        let machine = self
            .settings
            .teap
            .machine
            .as_ref()
            .map(|machine| InsideSettings {
                inner: machine.inner,
                user: machine.name.clone(),
                password: machine.password.clone(),
                ..InsideSettings::clone(&self.settings)
            });
        let user = (!self.settings.user.is_empty()).then(|| InsideSettings::clone(&self.settings));
        let both = match wanted {
            MACHINE => [(MACHINE, machine), (USER, user)],
            _ => [(USER, user), (MACHINE, machine)],
        };
        let spoken = self.eap.is_some() || self.by_password;
        both.into_iter()
            .take(if spoken { 1 } else { 2 })
            .find_map(|(kind, settings)| Some((kind, settings?)))
    }

    fn password(&mut self) -> Vec<u8> {
        match self.identity(self.wanted) {
            Some((kind, settings)) if settings.inner == Inner::Pap => {
                self.by_password = true;
                self.eap = None;
                let (name, password) = (settings.user.as_bytes(), settings.password.expose());
                let count = |octets: &[u8]| u8::try_from(octets.len()).unwrap_or(u8::MAX);
                let mut value = vec![count(name)];
                value.extend_from_slice(name);
                value.push(count(password));
                value.extend_from_slice(password);
                let mut answer = write(BASIC_PASSWORD_RESP, &value);
                answer.extend(write(IDENTITY_TYPE, &kind.to_be_bytes()));
                answer
            }
            Some(_) => {
                let mut value = vec![0; 4];
                value.extend(BASIC_PASSWORD_REQ.to_be_bytes());
                write(NAK, &value)
            }
            None => {
                self.declined = true;
                write(BASIC_PASSWORD_RESP, &[0, 0])
            }
        }
    }

    fn payload(&mut self, scene: &Scene<'_>, octets: &[u8]) -> Result<Vec<u8>, PeerFailure> {
        let packet = Packet::new_checked(octets)?;
        let (Code::Request, Some(method)) = (packet.code(), packet.kind()) else {
            return Err(PeerFailure::Order(
                "an EAP packet inside that is no request",
            ));
        };
        let mut answer = Vec::new();
        if method == Type::IDENTITY {
            let Some((kind, settings)) = self.identity(self.wanted) else {
                self.declined = true;
                let kind = write(IDENTITY_TYPE, &self.wanted.to_be_bytes());
                if self.settings.teap.silent {
                    return Ok(kind);
                }
                let response = eap::response(packet.identifier(), Type::IDENTITY, &[]);
                return Ok([write(EAP_PAYLOAD, &response), kind].concat());
            };
            answer.extend(write(IDENTITY_TYPE, &kind.to_be_bytes()));
            let profile = match kind {
                MACHINE => self.profile.of_machine(),
                _ => Arc::clone(&self.profile),
            };
            self.by_password = false;
            self.eap = Some(InnerPeer::new(&Arc::new(settings), &profile));
        }
        let eap = self.eap.as_mut();
        let eap = eap.ok_or(PeerFailure::Order("a method before an identity"))?;
        let (kind, data) = eap.take(scene.now, method, packet.data())?;
        let response = eap::response(packet.identifier(), kind, &data);
        answer.extend(write(EAP_PAYLOAD, &response));
        Ok(answer)
    }

    /// Checks the server's Crypto-Binding (section 4.2.13) and answers it: by the EMSK if both have
    /// one.
    fn bind(&mut self, scene: &Scene<'_>, value: &[u8]) -> Result<Vec<u8>, PeerFailure> {
        let value: &[u8; 76] = value.try_into().map_err(|_| PeerFailure::Unbound)?;
        let (head, rest) = value.split_at(4);
        let &[0, 1, 1, flags @ (0x10 | 0x20 | 0x30)] = head else {
            return Err(PeerFailure::Unbound);
        };
        let (nonce, macs) = rest.split_at(32);
        if nonce.last().is_none_or(|last| last & 1 != 0) {
            return Err(PeerFailure::Unbound);
        }
        let (mac_of_emsk, mac_of_msk) = macs.split_at(20);
        let keys = Deriver::new(scene.connection, self.settings.teap.exporter && scene.tls13)?;
        let mut chain = match self.chain.take() {
            Some(chain) => chain,
            None => {
                let mut seed = [0; 40];
                export(
                    scene.connection,
                    "EXPORTER: teap session key seed",
                    None,
                    &mut seed,
                )?;
                Secrets {
                    of_msk: seed,
                    of_emsk: seed,
                    last_by_emsk: false,
                }
            }
        };
        let spoken = self.eap.as_ref().filter(|eap| eap.is_content());
        // Of MSCHAPv2 the server's send key comes first (section 3.6.3).
        let mut msk = spoken.map_or([0; 32], |eap| *eap.key());
        if spoken.is_some_and(InnerPeer::is_ms_chap) {
            let (receive, send) = msk.split_at(16);
            msk = [send, receive].concat().try_into().unwrap_or([0; 32]);
        }
        let by_msk = keys.compound(&chain.of_msk, &msk)?;
        let by_emsk = match spoken.and_then(InnerPeer::emsk) {
            Some(emsk) => {
                let mut imsk = [0; 32];
                keys.derive(emsk, "TEAPbindkey@ietf.org", &[], &[0, 0, 64], &mut imsk)?;
                Some(keys.compound(&chain.of_emsk, &imsk)?)
            }
            None => None,
        };
        let check = |key: &([u8; 40], [u8; 20]), mac: &[u8]| {
            let expected = keys.mac(&key.1, head, nonce, &self.outer);
            if expected == mac {
                Ok(())
            } else {
                Err(PeerFailure::Unbound)
            }
        };
        if flags & 0x20 != 0 {
            check(&by_msk, mac_of_msk)?;
        }
        let chosen = match by_emsk.filter(|_| flags & 0x10 != 0) {
            Some(by_emsk) => {
                check(&by_emsk, mac_of_emsk)?;
                chain.last_by_emsk = true;
                chain.of_emsk = by_emsk.0;
                by_emsk
            }
            None if flags & 0x20 != 0 => {
                chain.last_by_emsk = false;
                by_msk
            }
            None => return Err(PeerFailure::Unbound),
        };
        chain.of_msk = by_msk.0;
        if self.settings.teap.one_chain {
            (chain.of_msk, chain.of_emsk) = (chosen.0, chosen.0);
        } else if let Some(by_emsk) = by_emsk {
            chain.of_emsk = by_emsk.0;
        }
        let flag = if chain.last_by_emsk { 0x11 } else { 0x21 };
        let (head, mut nonce) = ([0, 1, 1, flag], nonce.to_vec());
        if let Some(last) = nonce.last_mut() {
            *last |= 1;
        }
        let mac = keys.mac(&chosen.1, &head, &nonce, &self.outer);
        let macs = if chain.last_by_emsk {
            [mac, vec![0; 20]].concat()
        } else {
            [vec![0; 20], mac].concat()
        };
        self.chain = Some(chain);
        self.bound = true;
        Ok(write(CRYPTO_BINDING, &[&head[..], &nonce, &macs].concat()))
    }

    fn keys(&self, scene: &Scene<'_>) -> Result<Zeroizing<[u8; 128]>, PeerFailure> {
        let chain = self.chain.as_ref().ok_or(PeerFailure::Unbound)?;
        let keys = Deriver::new(scene.connection, self.settings.teap.exporter && scene.tls13)?;
        let secret = if chain.last_by_emsk {
            &chain.of_emsk
        } else {
            &chain.of_msk
        };
        let mut both = Zeroizing::new([0; 128]);
        let (msk, emsk) = both.split_at_mut(64);
        keys.derive(secret, "Session Key Generating Function", &[], &[], msk)?;
        let label = "Extended Session Key Generating Function";
        keys.derive(secret, label, &[], &[], emsk)?;
        Ok(both)
    }
}

/// TLS-PRF with the hash of the suite, or the exporter (sections 6.1 to 6.4).
struct Deriver<'a> {
    connection: &'a ClientConnection,
    mac: hmac::Algorithm,
    exporter: bool,
}

impl<'a> Deriver<'a> {
    fn new(connection: &'a ClientConnection, exporter: bool) -> Result<Self, PeerFailure> {
        let hash = match connection.negotiated_cipher_suite() {
            Some(SupportedCipherSuite::Tls12(suite)) => suite.common.hash_provider.algorithm(),
            Some(SupportedCipherSuite::Tls13(suite)) => suite.common.hash_provider.algorithm(),
            None => return Err(PeerFailure::TooEarly),
        };
        let mac = if hash == HashAlgorithm::SHA384 {
            hmac::HMAC_SHA384
        } else {
            hmac::HMAC_SHA256
        };
        Ok(Self {
            connection,
            mac,
            exporter,
        })
    }

    /// `PRF(secret, label, context | seed)`, or an exporter's octets of secret and context.
    fn derive(
        &self,
        secret: &[u8],
        label: &str,
        context: &[u8],
        seed: &[u8],
        to: &mut [u8],
    ) -> Result<(), PeerFailure> {
        if self.exporter {
            let context = [secret, context].concat();
            let label = format!("EXPORTER: {label}");
            return export(self.connection, &label, Some(&context), to);
        }
        let key = hmac::Key::new(self.mac, secret);
        let seed = [label.as_bytes(), context, seed].concat();
        let (mut stream, mut a) = (Vec::new(), seed.clone());
        while stream.len() < to.len() {
            a = hmac::sign(&key, &a).as_ref().to_vec();
            let block = [&a[..], &seed].concat();
            stream.extend_from_slice(hmac::sign(&key, &block).as_ref());
        }
        to.iter_mut().zip(stream).for_each(|(to, from)| *to = from);
        Ok(())
    }

    /// S-IMCK and CMK.
    fn compound(
        &self,
        before: &[u8; 40],
        imsk: &[u8; 32],
    ) -> Result<([u8; 40], [u8; 20]), PeerFailure> {
        let mut imck = [0; 60];
        self.derive(before, "Inner Methods Compound Keys", imsk, &[], &mut imck)?;
        let (mut simck, mut cmk) = ([0; 40], [0; 20]);
        let (first, second) = imck.split_at(40);
        simck.copy_from_slice(first);
        cmk.copy_from_slice(second);
        Ok((simck, cmk))
    }

    /// Over the TLV without its MACs, TEAP's number and the outer TLVs.
    fn mac(&self, cmk: &[u8; 20], head: &[u8], nonce: &[u8], outer: &[u8]) -> Vec<u8> {
        let mut buffer = write(CRYPTO_BINDING, &[head, nonce, &[0; 40]].concat());
        buffer.push(Type::TEAP.0);
        buffer.extend_from_slice(outer);
        let tag = hmac::sign(&hmac::Key::new(self.mac, cmk), &buffer);
        tag.as_ref().iter().copied().take(20).collect()
    }
}

fn export(
    connection: &ClientConnection,
    label: &str,
    context: Option<&[u8]>,
    to: &mut [u8],
) -> Result<(), PeerFailure> {
    let exported = connection.export_keying_material(to, label.as_bytes(), context);
    exported
        .map(|_| ())
        .map_err(|error| PeerFailure::Internal(error.to_string()))
}

/// Types and values.
fn read(mut octets: &[u8]) -> Result<Vec<(u16, &[u8])>, PeerFailure> {
    let broken = || PeerFailure::Order("TLVs that cannot be read");
    let mut tlvs = Vec::new();
    while !octets.is_empty() {
        let (&[high, low, long, short], rest) =
            octets.split_first_chunk::<4>().ok_or_else(broken)?;
        let length = usize::from(u16::from_be_bytes([long, short]));
        let (value, rest) = rest.split_at_checked(length).ok_or_else(broken)?;
        tlvs.push((u16::from_be_bytes([high & 0x3f, low]), value));
        octets = rest;
    }
    Ok(tlvs)
}

/// One TLV; all that a peer says are mandatory but for Identity-Type.
fn write(kind: u16, value: &[u8]) -> Vec<u8> {
    let flag = if kind == IDENTITY_TYPE { 0 } else { 0x8000 };
    let length = u16::try_from(value.len()).unwrap_or(u16::MAX);
    let head = [(kind | flag).to_be_bytes(), length.to_be_bytes()].concat();
    [&head[..], value].concat()
}

/// Section 4.2.
const IDENTITY_TYPE: u16 = 2;
const RESULT: u16 = 3;
const NAK: u16 = 4;
const EAP_PAYLOAD: u16 = 9;
const INTERMEDIATE_RESULT: u16 = 10;
const CRYPTO_BINDING: u16 = 12;
const BASIC_PASSWORD_REQ: u16 = 13;
const BASIC_PASSWORD_RESP: u16 = 14;

const USER: u16 = 1;
const MACHINE: u16 = 2;
