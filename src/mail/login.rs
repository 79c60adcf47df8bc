//! Who signs in, and with what.

use std::fmt;
use std::time::Duration;

use http::HeaderMap;
use http::HeaderValue;
use http::header;

use crate::model::Ambiguity;
use crate::model::CertificateIdentity;
use crate::model::Credential;
use crate::model::EasDeviceId;
use crate::model::Timestamp;
use crate::model::UserId;

use super::authorization::Basic;
use super::challenge::Challenges;
use super::config::Config;
use super::credential::Attempt;
use super::credential::Hasher;
use super::credential::Key;
use super::forwarded::Written;
use super::head::Peer;
use super::head::network;
use super::header::single;
use super::name::Names;
use super::reply::Cause;
use super::reply::Reply;
use super::token::Token;

/// A user who says who it is, with the means for the upstream to check it.
pub(super) struct Login {
    /// The name as sent.
    pub(super) name: String,
    /// The user's own name, as far as the inventory knows the user; else the canonical one.
    pub(super) user: String,
    /// The canonical name, where it is another one of the user's.
    pub(super) alias: Option<String>,
    /// Password or certificate; a token is as good as a password.
    pub(super) credential: Credential,
    /// Under which it is remembered.
    pub(super) key: Key,
    /// What will be said of the certificate once the upstream has accepted the password, and not
    /// before: whose it is is nobody's business who cannot sign in.
    pub(super) objection: Option<Objection>,
    /// For the upstream; absent with a certificate.
    authorization: Option<HeaderValue>,
    /// When a token ends; passwords do not.
    expires: Option<Timestamp>,
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
        challenges: &Challenges,
        now: Timestamp,
        peer: &Peer,
        headers: &HeaderMap,
    ) -> Result<Self, Box<Reply>> {
        let authorization = single(headers, &header::AUTHORIZATION)
            .map_err(|malformed| Box::new(Reply::malformed(malformed)))?;
        let certificate = peer.certificate.as_ref();
        // Verified when the connection began, which may be days ago.
        let is_valid =
            certificate.is_none_or(|names| names.not_before <= now && now <= names.not_after);
        let ambiguity = certificate.and_then(|names| names.ambiguity);
        let certified = certificate.and_then(CertificateIdentity::user);
        let signs_in = config.certificate_user_header.is_some();
        let challenged = |cause| Err(Box::new(Reply::unauthorized(challenges, cause)));
        let Some(authorization) = authorization else {
            return match certificate.zip(certified) {
                Some((certificate, user)) if signs_in && is_valid && ambiguity.is_none() => {
                    let fingerprint = certificate.fingerprint.octets();
                    let secret = [&b"certificate"[..], &fingerprint];
                    Ok(Self::new(
                        config,
                        hasher,
                        user.to_owned(),
                        &secret,
                        None,
                        None,
                    ))
                }
                Some(_) if signs_in => challenged(Cause::Certificate),
                // Most clients send a password only when they are asked for it.
                Some(_) | None => challenged(Cause::NoCredential),
            };
        };
        let Some(mut login) = Self::of(config, hasher, authorization, now) else {
            return challenged(Cause::NoCredential);
        };
        login.objection = match certified {
            _ if !is_valid => Some(Objection::NotValid),
            _ if ambiguity.is_some() => ambiguity.map(Objection::Ambiguous),
            // The certificate's name is the established one.
            Some(user) if !config.names.agree(user, &login.name) => Some(Objection::OtherUser),
            Some(_) | None => None,
        };
        Ok(login)
    }

    /// Of an Authorization header, if it is of a kind that is taken.
    fn of(
        config: &Config,
        hasher: &Hasher,
        authorization: &HeaderValue,
        now: Timestamp,
    ) -> Option<Self> {
        if let Some(basic) = Basic::parse(authorization) {
            let header = Some(basic.header()?);
            let secret = [&b"basic"[..], &basic.octets];
            return Some(Self::new(config, hasher, basic.user, &secret, header, None));
        }
        let token = Token::parse(authorization, config.bearer.as_ref()?, now)?;
        let header = Some(token.header()?);
        let secret = [&b"bearer"[..], &token.octets];
        let ends = Some(token.expires);
        Some(Self::new(config, hasher, token.user, &secret, header, ends))
    }

    /// Who the client certificate says it is, without anybody's word.
    ///
    /// # Errors
    ///
    /// The reply, when there is none that counts.
    pub(super) fn of_certificate(
        config: &Config,
        hasher: &Hasher,
        now: Timestamp,
        peer: &Peer,
    ) -> Result<Self, Box<Reply>> {
        let refused = |body| Err(Box::new(Reply::forbidden(body, Cause::Certificate)));
        let Some(certificate) = &peer.certificate else {
            return refused("This needs a client certificate.");
        };
        let is_valid = certificate.not_before <= now && now <= certificate.not_after;
        if !is_valid {
            return refused(Objection::NotValid.body());
        }
        if let Some(ambiguity) = certificate.ambiguity {
            return refused(Objection::Ambiguous(ambiguity).body());
        }
        let fingerprint = certificate.fingerprint.octets();
        let secret = [&b"certificate"[..], &fingerprint];
        // A device's certificate may name no user; policies judge the device alone then.
        let user = certificate.user().unwrap_or_default();
        let mut login = Self::new(config, hasher, user.to_owned(), &secret, None, None);
        if user.is_empty() {
            login.user = String::new();
        }
        Ok(login)
    }

    fn new(
        config: &Config,
        hasher: &Hasher,
        name: String,
        secret: &[&[u8]; 2],
        authorization: Option<HeaderValue>,
        expires: Option<Timestamp>,
    ) -> Self {
        let user = config.names.canonical(&name);
        let [kind, secret] = secret;
        let credential = match authorization {
            Some(_) => Credential::Password,
            None => Credential::Certificate,
        };
        Self {
            key: hasher.key(&[kind, name.as_bytes(), secret]),
            name,
            user,
            alias: None,
            credential,
            objection: None,
            authorization,
            expires,
        }
    }

    /// For how long the upstream's word on it may be believed at most.
    pub(super) fn lifetime(&self, now: Timestamp) -> Duration {
        self.expires
            .map_or(Duration::MAX, |expires| expires.since(now))
    }

    /// It as something to ask the upstream about, counted by user and by address. `device` is the
    /// user's, and has signed in before.
    pub(super) fn attempt(
        &self,
        hasher: &Hasher,
        peer: &Peer,
        device: Option<EasDeviceId>,
    ) -> Attempt {
        let address = Written::new(network(peer.address));
        // All that the directory may take for one account are guesses at one. First of all, because what
        // is left in the plainest form may be an at sign or a backslash.
        let account = Names::account(&UserId::plainest(&self.user));
        let account = account.as_bytes();
        Attempt {
            credential: self.key,
            user: hasher.key(&[b"user", account]),
            address: hasher.key(&[b"address", address.as_bytes()]),
            place: hasher.key(&[b"place", account, address.as_bytes()]),
            device: device.map(|device| {
                let device = device.as_str().as_bytes();
                hasher.key(&[b"device", account, device])
            }),
            counted: None,
        }
    }

    /// The name that was signed in with, in its canonical spelling.
    pub(super) fn canonical(&self) -> &str {
        self.alias.as_deref().unwrap_or(&self.user)
    }

    /// Drops the credential that is put on requests.
    pub(super) fn forget_authorization(&mut self) {
        self.authorization = None;
    }

    /// Puts the credential on a request to the upstream.
    pub(super) fn add_to(&self, headers: &mut HeaderMap, config: &Config) {
        match (&self.authorization, &config.certificate_user_header) {
            (Some(authorization), _) => {
                headers.insert(header::AUTHORIZATION, authorization.clone());
            }
            (None, Some(name)) => {
                if let Ok(user) = HeaderValue::from_bytes(self.canonical().as_bytes()) {
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

/// Why a certificate is not taken beside a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Objection {
    /// Beside its validity.
    NotValid,
    /// Which device or user it stands for would depend on the order of its names.
    Ambiguous(Ambiguity),
    /// The password is not that of the certificate's user.
    OtherUser,
}

impl Objection {
    /// For the client.
    pub(super) const fn body(self) -> &'static str {
        match self {
            Self::NotValid => "The certificate is not valid now.",
            Self::Ambiguous(Ambiguity::Device) => "The certificate names two devices.",
            Self::Ambiguous(Ambiguity::User) => "The certificate names two users.",
            Self::OtherUser => "The certificate is another user's.",
        }
    }

    /// For the record.
    pub(super) const fn sentence(self) -> &'static str {
        match self {
            Self::NotValid => "the client certificate is not valid now",
            Self::Ambiguous(Ambiguity::Device) => "the client certificate names two devices",
            Self::Ambiguous(Ambiguity::User) => "the client certificate names two users",
            Self::OtherUser => "the client certificate is another user's",
        }
    }
}
