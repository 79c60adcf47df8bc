//! Applications, as text.

use super::describe::Describe;
use crate::policy::condition::AppBits;
use crate::policy::condition::AppCondition;
use crate::policy::condition::apps_of;
use crate::policy::condition::vpn_clients_of;
use crate::policy::words::either;

impl Describe<'_> {
    pub(super) fn app(&self) -> String {
        if let (None, Some(claims)) = (&self.facts.mail, self.facts.claims()) {
            let known = vpn_clients_of(&claims, &self.policy.apps);
            let name = if known == AppBits::default() {
                "no known client".to_owned()
            } else {
                self.app_names(known)
            };
            let (client, host) = (claims.client, claims.host_name);
            return format!("{name} (claimed: client {client:?}, host name {host:?})");
        }
        self.facts.mail.as_ref().map_or_else(
            || "no mail client".to_owned(),
            |mail| {
                let known = apps_of(mail, &self.policy.apps);
                let name = if known == AppBits::default() {
                    "no known application".to_owned()
                } else {
                    self.app_names(known)
                };
                format!(
                    "{name} (device type {:?}, user agent {:?})",
                    mail.device_type, mail.user_agent
                )
            },
        )
    }

    pub(super) fn apps(&self, condition: AppCondition) -> String {
        let with = condition
            .with
            .map_or_else(|| "any application".to_owned(), |with| self.app_names(with));
        if condition.without == AppBits::default() {
            with
        } else {
            format!("{with}, and not {}", self.app_names(condition.without))
        }
    }

    pub(super) fn app_names(&self, bits: AppBits) -> String {
        let apps = self.policy.apps.iter().enumerate();
        either(
            apps.filter(|(position, _)| bits.contains(*position))
                .map(|(_, app)| &*app.name),
        )
    }
}
