//! A request that has come back from its home server with an Access-Accept, and what that says.

use crate::access::DecisionPoint;
use crate::model::Credential;
use crate::network::Settings;
use crate::network::charging::Identity;
use crate::network::context::Context;
use crate::network::enforce::Profile;
use crate::network::proxy::Route;
use crate::radius::AttributeType;
use crate::radius::Offered;
use crate::radius::Returned;

/// A request that has come back with an Access-Accept.
pub(super) struct Came<'a> {
    pub(super) route: &'a Route,
    pub(super) context: &'a Context,
    /// User-Name of the request.
    pub(super) named: &'a str,
    pub(super) offered: Offered,
    pub(super) answer: &'a Returned,
}

impl Came<'_> {
    /// What the user is told; nothing along with EAP (RFC 3579 section 2.6.5).
    pub(super) fn may_be_told<'p>(&self, profile: &'p Profile) -> Option<&'p str> {
        let message = profile.reply_message.as_deref();
        message.filter(|_| self.offered != Offered::Eap)
    }

    /// Our identity for charging, unless the home server names one: there is one at most
    /// (RFC 4372 section 3).
    pub(super) fn charged(&self, settings: &Settings, point: &DecisionPoint) -> Option<Identity> {
        let theirs = self.answer.find(AttributeType::CHARGEABLE_USER_IDENTITY);
        let charging = &self.context.charging;
        let ours = || charging.identity(&settings.charging, point, self.user());
        theirs.is_none().then(ours).flatten()
    }

    /// Whom the home server has let in. With EAP the request's User-Name is the outer identity,
    /// which nobody has checked; the home server may name another one.
    pub(super) fn user(&self) -> Option<&str> {
        if self.offered == Offered::Nothing {
            return None;
        }
        let told = self.answer.find(AttributeType::USER_NAME);
        let told = told.and_then(|name| std::str::from_utf8(name).ok());
        let checked = (self.offered != Offered::Eap).then_some(self.named);
        told.or(checked).filter(|name| !name.is_empty())
    }

    /// What the user has proven, and not to us.
    pub(super) fn credential(&self) -> Credential {
        match self.offered {
            Offered::Nothing => Credential::None,
            Offered::Eap | Offered::UserPassword | Offered::ChapPassword | Offered::MsChap => {
                Credential::Password
            }
        }
    }

    /// EAP-Failure in place of the home server's EAP-Success (RFC 3748 section 4.2).
    pub(super) fn eap_failure(&self) -> Option<[u8; 4]> {
        let success = self.answer.find(AttributeType::EAP_MESSAGE)?;
        let identifier = success.get(1).copied().unwrap_or(0);
        Some(eap_failure(identifier))
    }
}

/// EAP-Failure (RFC 3748 section 4.2).
pub(super) const fn eap_failure(identifier: u8) -> [u8; 4] {
    const FAILURE: u8 = 4;
    [FAILURE, identifier, 0, 4]
}
