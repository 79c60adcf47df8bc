//! Passwords that are not sent: the NAS has challenged the peer, and the answer comes with the
//! challenge (CHAP, MSCHAP, MSCHAPv2, as VPN concentrators send them).

use crate::eap::MsChapV2;
use crate::model::MacAddress;
use crate::model::Now;
use crate::model::NtKey;
use crate::model::Proof;
use crate::network::Method;
use crate::network::Settings;
use crate::network::attempt::Attempt;
use crate::network::away::Asked;
use crate::network::context::Context;
use crate::network::context::Refused;
use crate::network::context::readable;
use crate::network::discard::Discarded;
use crate::network::password::NO_NAME;
use crate::network::server::Server;
use crate::radius::AccessRequest;
use crate::radius::MsChap;
use crate::radius::Reply;
use crate::radius::Salt;
use crate::radius::Verified;

/// What an answer of ours has besides the attributes of its outcome.
#[derive(Clone, Copy)]
pub(super) enum Extra<'a> {
    /// Nothing.
    None,
    /// What MSCHAP of either version says to the peer.
    MsChap {
        /// Of the exchange.
        identifier: u8,
        /// Of version 2, which is told something when it succeeds.
        login: Option<&'a MsChapV2<'a>>,
        /// Once the password is known to be right.
        key: Option<&'a NtKey>,
    },
}

impl Extra<'_> {
    /// The same, with the password known to be right.
    pub(super) fn with<'a>(&'a self, right: Option<&'a NtKey>) -> Extra<'a> {
        match *self {
            Extra::None => Extra::None,
            Extra::MsChap {
                identifier, login, ..
            } => Extra::MsChap {
                identifier,
                login,
                key: right,
            },
        }
    }

    /// Into an Access-Accept.
    pub(super) fn accept(&self, reply: &mut Reply<'_, '_>, random: fn(&mut [u8])) {
        let Self::MsChap {
            identifier,
            login: Some(login),
            key: Some(key),
        } = self
        else {
            return;
        };
        let mut salt = [0; 2];
        random(&mut salt);
        let keys = login.session_keys(key);
        reply.ms_chap2_success(
            *identifier,
            &login.authenticator_response(key),
            (&keys.receive, &keys.send),
            Salt::new(u16::from_be_bytes(salt)),
        );
    }

    /// Into an Access-Reject. `E=691`: the password is wrong; `E=649`: it is right, and there is no
    /// access for this device (RFC 2759 section 6). No challenge to try again with (`R=0`).
    pub(super) fn reject(&self, reply: &mut Reply<'_, '_>) {
        if let Self::MsChap {
            identifier, key, ..
        } = self
        {
            let text = match key {
                None => "E=691 R=0 V=3",
                Some(_) => "E=649 R=0 V=3",
            };
            reply.ms_chap_error(*identifier, text);
        }
    }
}

/// An answer to a challenge.
struct Answer<'a> {
    method: Method,
    proof: Proof<'a>,
    extra: Extra<'a>,
}

impl Server {
    /// Answers an Access-Request with a CHAP-Password.
    pub(super) fn chap(
        &mut self,
        now: Now,
        settings: &Settings,
        asked: &Asked<'_>,
        request: &AccessRequest<'_>,
        verified: &Verified<'_>,
    ) -> Result<(), Discarded> {
        let Some(chap) = request.chap() else {
            self.forget(asked);
            return Ok(());
        };
        // Switches that know CHAP only answer with the MAC address as password.
        let name = request.user_name().unwrap_or(&[]);
        let named = MacAddress::parse(name);
        if named.is_some() && request.calling_mac() == named && chap.is_of(name) {
            self.bypass(now, settings, asked, request);
            return Ok(());
        }
        let answer = Answer {
            method: Method::Chap,
            proof: Proof::Chap {
                identifier: chap.identifier,
                challenge: chap.challenge,
                response: chap.response,
            },
            extra: Extra::None,
        };
        self.answered(now, settings, asked, (request, verified), &answer)
    }

    /// Answers an Access-Request with an MS-CHAP-Response or MS-CHAP2-Response.
    pub(super) fn ms_chap(
        &mut self,
        now: Now,
        settings: &Settings,
        asked: &Asked<'_>,
        request: &AccessRequest<'_>,
        verified: &Verified<'_>,
    ) -> Result<(), Discarded> {
        let (identifier, login) = match request.ms_chap() {
            None => {
                self.forget(asked);
                return Ok(());
            }
            Some(MsChap::V1 {
                identifier,
                challenge,
                response,
            }) => {
                let answer = Answer {
                    method: Method::MsChap,
                    proof: Proof::MsChap {
                        challenge: *challenge,
                        response: *response,
                    },
                    extra: Extra::MsChap {
                        identifier,
                        login: None,
                        key: None,
                    },
                };
                return self.answered(now, settings, asked, (request, verified), &answer);
            }
            Some(MsChap::V2 {
                identifier,
                challenge,
                peer_challenge,
                response,
            }) => {
                let name = request.user_name().unwrap_or(&[]);
                let login = MsChapV2 {
                    challenge,
                    peer_challenge,
                    response,
                    name,
                };
                (identifier, login)
            }
        };
        let answer = Answer {
            method: Method::MsChapV2,
            proof: Proof::MsChap {
                challenge: login.challenge_hash(),
                response: *login.response,
            },
            extra: Extra::MsChap {
                identifier,
                login: Some(&login),
                key: None,
            },
        };
        self.answered(now, settings, asked, (request, verified), &answer)
    }

    fn answered(
        &mut self,
        now: Now,
        settings: &Settings,
        asked: &Asked<'_>,
        (request, verified): (&AccessRequest<'_>, &Verified<'_>),
        answer: &Answer<'_>,
    ) -> Result<(), Discarded> {
        let Answer {
            method,
            proof,
            extra,
        } = answer;
        let context = Context::new(asked.from.ip(), request);
        let sent = request.user_name().unwrap_or(&[]);
        let name = std::str::from_utf8(sent)
            .ok()
            .filter(|name| !name.is_empty());
        let why = match name {
            _ if !settings.methods.allow(asked.nas.group(), *method) => method.is_off(),
            None => NO_NAME,
            Some(user) => {
                let attempt = Attempt {
                    context: &context,
                    method: *method,
                    user,
                    extra: *extra,
                };
                return self.attempt(now, settings, asked, verified, (&attempt, proof));
            }
        };
        let refused = Refused {
            method: method.name(),
            user: name.unwrap_or_else(|| readable(sent)),
            why,
        };
        self.refuse_password(now, settings, asked, (&context, &refused), extra);
        Ok(())
    }
}
