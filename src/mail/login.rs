//! Who signs in, and with what.

use std::fmt;

use http::HeaderMap;
use http::HeaderValue;
use http::header;

use crate::model::CertificateIdentity;
use crate::model::Credential;
use crate::model::Timestamp;

use super::authorization::Basic;
use super::config::Config;
use super::credential::Attempt;
use super::credential::Hasher;
use super::head::Peer;
use super::head::network;
use super::header::single;
use super::name::Names;
use super::reply::Cause;
use super::reply::Reply;

/// A user who says who it is, with the means for the upstream to check it.
pub(super) struct Login {
    /// The name as sent.
    pub(super) name: String,
    /// The canonical name.
    pub(super) user: String,
    /// Password or certificate.
    pub(super) credential: Credential,
    /// Under which it is remembered.
    pub(super) attempt: Attempt,
    /// For the upstream; absent with a certificate.
    authorization: Option<HeaderValue>,
}

impl Login {
    /// Reads the credential of a request.
    ///
    /// # Errors
    ///
    /// The reply, when there is none that can be put to the upstream.
    pub(super) fn read(
        config: &Config,
        hasher: &Hasher,
        challenge: &HeaderValue,
        now: Timestamp,
        peer: &Peer,
        headers: &HeaderMap,
    ) -> Result<Self, Box<Reply>> {
        let authorization = single(headers, &header::AUTHORIZATION)
            .map_err(|malformed| Box::new(Reply::malformed(malformed)))?;
        let certificate = peer.certificate.as_ref();
        // Verified when the connection began, which may be days ago.
        if certificate.is_some_and(|names| now < names.not_before || names.not_after < now) {
            return Err(certificate_refused("The certificate is not valid now."));
        }
        let certified = certificate.and_then(CertificateIdentity::user);
        match (authorization, certificate.zip(certified)) {
            (None, Some((certificate, user))) if config.certificate_user_header.is_some() => {
                let fingerprint = certificate.fingerprint.octets();
                let secret = [&b"certificate"[..], &fingerprint];
                Ok(Self::new(config, hasher, peer, user, &secret, None))
            }
            (Some(_), Some(_)) if config.certificate_user_header.is_some() => Err(
                certificate_refused("A certificate and a password were sent; one is enough."),
            ),
            (None, Some(_)) => Err(certificate_refused(
                "A password is needed beside the certificate.",
            )),
            (None, None) => Err(Box::new(Reply::unauthorized(
                challenge,
                Cause::NoCredential,
            ))),
            (Some(authorization), certified) => {
                let basic = Basic::parse(authorization);
                let Some((basic, header)) = basic.and_then(|basic| {
                    let header = basic.header()?;
                    Some((basic, header))
                }) else {
                    return Err(Box::new(Reply::unauthorized(
                        challenge,
                        Cause::NoCredential,
                    )));
                };
                // The certificate's name is the established one.
                if certified.is_some_and(|(_, user)| !config.names.agree(user, &basic.user)) {
                    return Err(certificate_refused("The certificate is another user's."));
                }
                let secret = [&b"basic"[..], &basic.octets];
                Ok(Self::new(
                    config,
                    hasher,
                    peer,
                    &basic.user,
                    &secret,
                    Some(header),
                ))
            }
        }
    }

    fn new(
        config: &Config,
        hasher: &Hasher,
        peer: &Peer,
        name: &str,
        secret: &[&[u8]; 2],
        authorization: Option<HeaderValue>,
    ) -> Self {
        let user = config.names.canonical(name);
        let [kind, secret] = secret;
        let attempt = Attempt {
            credential: hasher.key(&[kind, name.as_bytes(), secret]),
            user: hasher.key(&[b"user", Names::account(name).as_bytes()]),
            address: hasher.key(&[b"address", network(peer.address).to_string().as_bytes()]),
            counted: None,
        };
        let credential = match authorization {
            Some(_) => Credential::Password,
            None => Credential::Certificate,
        };
        Self {
            name: name.to_owned(),
            user,
            credential,
            attempt,
            authorization,
        }
    }

    /// Puts the credential on a request to the upstream.
    pub(super) fn add_to(&self, headers: &mut HeaderMap, config: &Config) {
        match (&self.authorization, &config.certificate_user_header) {
            (Some(authorization), _) => {
                headers.insert(header::AUTHORIZATION, authorization.clone());
            }
            (None, Some(name)) => {
                if let Ok(user) = HeaderValue::from_bytes(self.user.as_bytes()) {
                    headers.insert(name.name(), user);
                }
            }
            (None, None) => {}
        }
    }
}

/// Without the password.
impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Login")
            .field("user", &self.user)
            .field("credential", &self.credential)
            .finish_non_exhaustive()
    }
}

fn certificate_refused(body: &str) -> Box<Reply> {
    Box::new(Reply::forbidden(body, Cause::Certificate))
}
