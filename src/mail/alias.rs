//! A user of several names is one user here: what the inventory knows as other names of one (a UPN, a mail
//! address, an account of a domain) leads to the user's own name, under which clients are on record, wipes
//! are ordered, devices and wrong passwords are counted.
//!
//! The mail server gets the name as it was typed: which of them it takes is its own business.

use std::sync::Arc;

use http::HeaderMap;

use crate::model::CertificateIdentity;
use crate::model::EasDeviceId;
use crate::model::Now;
use crate::model::UserId;

use super::gateway::Gateway;
use super::head::Peer;
use super::login::Login;
use super::login::Objection;
use super::reply::Reply;
use super::route::Placed;

impl Gateway {
    /// Reads the credential of a request, of a user by its own name.
    ///
    /// # Errors
    ///
    /// As [`Login::read`].
    pub(super) fn read_login(
        &self,
        now: Now,
        peer: &Arc<Peer>,
        headers: &HeaderMap,
    ) -> Result<Login, Box<Reply>> {
        let mut login = Login::read(
            &self.config,
            &self.hasher,
            &self.challenges,
            now.wall,
            peer,
            headers,
        )?;
        self.know(&mut login);
        let certified = peer.certificate.as_ref();
        let certified = certified.and_then(CertificateIdentity::user);
        if login.objection == Some(Objection::OtherUser)
            && certified.is_some_and(|name| self.is_name_of(name, &login.user))
        {
            login.objection = None;
        }
        Ok(login)
    }

    /// The same of a client certificate alone.
    ///
    /// # Errors
    ///
    /// As [`Login::of_certificate`].
    pub(super) fn read_certificate(&self, now: Now, peer: &Arc<Peer>) -> Result<Login, Box<Reply>> {
        let mut login = Login::of_certificate(&self.config, &self.hasher, now.wall, peer)?;
        self.know(&mut login);
        Ok(login)
    }

    /// Whether a name, in whatever spelling, is one of a user.
    pub(super) fn is_name_of(&self, name: &str, user: &str) -> bool {
        let canonical = self.config.names.canonical(name);
        self.own_name(&canonical, name).unwrap_or(&canonical) == user
    }

    /// The own name of a user that the inventory knows by a name in its canonical spelling, or else as it was
    /// typed: there may be no suffix in it that the mail server would add.
    fn own_name(&self, canonical: &str, typed: &str) -> Option<&str> {
        let known = self.live.known_name(canonical);
        known.or_else(|| self.live.known_name(&UserId::folded(typed.trim())))
    }

    /// Where the mailbox of whoever signs in is.
    pub(super) fn place(&self, now: Now, login: &Login, device: Option<&EasDeviceId>) -> Placed {
        let names = [&*login.user, login.canonical()];
        self.router.route(&self.live, now.monotonic, names, device)
    }

    fn know(&self, login: &mut Login) {
        if let Some(own) = self.own_name(&login.user, &login.name)
            && own != login.user
        {
            let own = own.to_owned();
            login.alias = Some(std::mem::replace(&mut login.user, own));
        }
    }
}
