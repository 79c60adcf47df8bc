//! Passwords that are not sent: the client challenges itself, as a NAS does its peer, and sends the
//! challenge with the answer (RFC 2865 section 2.2, RFC 2548 sections 2.1 and 2.3).

use crate::model::Secret;
use crate::probe::radius::Client;
use crate::probe::radius::NAS_IDENTIFIER;
use crate::probe::radius::ProbeError;
use crate::probe::radius::Reply;
use crate::probe::radius::random;
use crate::probe::supplicant::MsLogin;
use crate::probe::supplicant::chap;
use crate::probe::supplicant::nt_hash;
use crate::radius::AttributeType;
use crate::radius::Code;
use crate::radius::VendorId;

/// How a password answers a challenge without EAP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Challenged {
    /// CHAP (RFC 1994 section 4.1).
    Chap,
    /// MSCHAP (RFC 2433), the NT-Response alone.
    MsChap,
    /// MSCHAPv2 (RFC 2759): the server has to know the password, too.
    MsChapV2,
}

impl Client {
    /// CHAP, MSCHAP or MSCHAPv2 without EAP.
    ///
    /// # Errors
    ///
    /// [`ProbeError`]; with MSCHAPv2 also when an Access-Accept does not prove that the server knows the
    /// password. MSCHAP of either version needs a password that is text.
    pub fn challenged(
        &mut self,
        method: Challenged,
        user: &str,
        password: &Secret,
    ) -> Result<Reply, ProbeError> {
        let password = password.expose();
        match method {
            Challenged::Chap => {
                let challenge: [u8; 16] = random()?;
                let [identifier] = random()?;
                let response = chap(identifier, password, &challenge);
                let value = [&[identifier][..], &response].concat();
                self.say(
                    user,
                    &[
                        Said::Plain(AttributeType::CHAP_CHALLENGE, &challenge),
                        Said::Plain(AttributeType::CHAP_PASSWORD, &value),
                    ],
                )
            }
            Challenged::MsChap => {
                let challenge: [u8; 8] = random()?;
                let [identifier] = random()?;
                let hash = nt_hash(password).map_err(ProbeError::Password)?;
                let response = hash.response(&challenge);
                let value = [&[identifier, USE_NT_RESPONSE][..], &[0; 24], &response].concat();
                self.say(
                    user,
                    &[
                        Said::Microsoft(MS_CHAP_CHALLENGE, &challenge),
                        Said::Microsoft(MS_CHAP_RESPONSE, &value),
                    ],
                )
            }
            Challenged::MsChapV2 => {
                let challenge: [u8; 16] = random()?;
                let [identifier] = random()?;
                let login = MsLogin::answer(challenge, user.as_bytes(), password)
                    .map_err(ProbeError::Password)?;
                let head = [&[identifier, 0][..], login.peer_challenge()].concat();
                let value = [&head[..], &[0; 8], login.response()].concat();
                let reply = self.say(
                    user,
                    &[
                        Said::Microsoft(MS_CHAP_CHALLENGE, &challenge),
                        Said::Microsoft(MS_CHAP2_RESPONSE, &value),
                    ],
                )?;
                if reply.code == Code::AccessAccept {
                    let proof = reply.microsoft(MS_CHAP2_SUCCESS)?.unwrap_or_default();
                    // An identifier stands before the proof.
                    let proof = proof.get(1..).unwrap_or(&[]);
                    login.believe(proof).map_err(ProbeError::Password)?;
                }
                Ok(reply)
            }
        }
    }

    fn say(&mut self, user: &str, said: &[Said<'_>]) -> Result<Reply, ProbeError> {
        self.exchange(|buffer, identifier, authenticator, secret| {
            let mut request = crate::radius::RequestBuilder::access_request(
                buffer,
                identifier,
                authenticator,
                secret,
            );
            request
                .octets(AttributeType::USER_NAME, user.as_bytes())
                .octets(AttributeType::NAS_IDENTIFIER, NAS_IDENTIFIER);
            for one in said {
                match *one {
                    Said::Plain(kind, value) => request.octets(kind, value),
                    Said::Microsoft(kind, value) => {
                        request.vendor(VendorId::MICROSOFT, kind, value)
                    }
                };
            }
            request
        })
    }
}

impl Reply {
    /// The first value of an attribute of Microsoft's.
    fn microsoft(&self, kind: u8) -> Result<Option<Vec<u8>>, ProbeError> {
        let packet = self.packet()?;
        let mut values = packet
            .vendor_specific()
            .filter(|specific| specific.vendor == VendorId::MICROSOFT)
            .flat_map(|specific| specific.attributes())
            .filter(|(number, _)| *number == kind);
        Ok(values.next().map(|(_, value)| value.to_vec()))
    }
}

/// An attribute of the answer.
enum Said<'a> {
    Plain(AttributeType, &'a [u8]),
    Microsoft(u8, &'a [u8]),
}

/// Attributes of Microsoft's (RFC 2548 sections 2.1 and 2.3).
const MS_CHAP_RESPONSE: u8 = 1;
const MS_CHAP_CHALLENGE: u8 = 11;
const MS_CHAP2_RESPONSE: u8 = 25;
const MS_CHAP2_SUCCESS: u8 = 26;

/// Flags of MS-CHAP-Response: the NT-Response counts.
const USE_NT_RESPONSE: u8 = 1;
