//! Another configuration, taken over while everything goes on.

use std::path::Path;
use std::sync::Arc;

use crate::app::core::load_policy;
use crate::app::core::load_sources;
use crate::app::core::tell;
use crate::app::groups;
use crate::app::homes;
use crate::app::mail;
use crate::app::material;
use crate::app::passwords;
use crate::app::radius::directory_clock;
use crate::app::upstreams;
use crate::config::Config;
use crate::model::Problem;

use super::Gateway;
use super::restart::is_cut_off;
use super::restart::needs_restart;

impl Gateway {
    /// Takes over what another configuration changes, all of it or nothing. Conversations,
    /// connections and sessions go on.
    ///
    /// # Errors
    ///
    /// Everything wrong with the new configuration; the old one stays in force.
    pub(in crate::app) fn reload(
        &mut self,
        folder: &Path,
        config: Config,
    ) -> Result<Vec<String>, Vec<Problem>> {
        if let Some(problem) = is_cut_off(folder, &self.config, &config) {
            return Err(vec![problem]);
        }
        let (directories, _) = passwords::load(&config)?;
        let clock = directory_clock(self.clock);
        let before = self.radius.directories.load_full();
        let directories = Arc::new(before.renewed(directories, &clock));
        let (resumption, learner) = (&self.radius.resumption, &self.radius.learner);
        let known = homes::known(&config, &self.radius.known.borrow().homes)?;
        let proxying = (&*self.radius.mark, &*known.homes);
        let asked = (&directories, learner);
        let mut settings =
            material::network_settings(&config, resumption, proxying, asked, &self.revocation)?;
        let policy = load_policy(&config)?;
        let sources = load_sources(&config)?;
        let accepts = self.radsec.prepare(&config, &self.revocation)?;
        // A door that the new configuration closes stays open until the restart, as it is.
        let tls = match &self.mail.front {
            Some(_) if config.listen.is_open_to_mail() => {
                Some(mail::server_tls(&config, &self.revocation)?)
            }
            Some(_) | None => None,
        };
        let words = mail::words(&config)?;
        let upstreams = match &self.mail.front {
            Some(_) if config.listen.is_open_to_mail() => {
                let names = config.mail.names();
                Some((
                    upstreams::settings(&config)?,
                    upstreams::routes(&config, &names)?,
                ))
            }
            Some(_) | None => None,
        };
        let previous = self.radius.shared.settings.load();
        if settings.eap.is_none() {
            settings.eap.clone_from(&previous.eap);
            settings.eap_groups.clone_from(&previous.eap_groups);
        }
        settings.nas.inherit(&previous.nas);
        self.radius.known.send_replace(Arc::new(known));
        self.radius.shared.settings.store(Arc::new(settings));
        self.radsec.replace(accepts);
        self.revocation.replace(&config);
        self.radius.directories.store(directories);
        learner.begin_anew();
        if let (Some(front), Some(tls)) = (&self.mail.front, tls) {
            front.tls.store(Arc::new(tls));
        }
        if let Some(front) = &self.mail.front {
            front.gateway.replace_words(words);
        }
        if let (Some(front), Some((settings, routes))) = (&self.mail.front, upstreams) {
            // First where it is, then who goes there.
            front.upstream.replace(&settings);
            front.gateway.replace_routes(routes);
        }
        if policy.hash() != self.point.policy().hash() {
            self.point.replace_policy(policy);
            let now = self.clock.now().wall;
            self.live.sweep_all(now);
            tell(self.radius.shared.admissions.sweep_all(now));
            for problem in groups::unmet_now(&self.point) {
                tracing::warn!("{problem}");
            }
        }
        let mut waiting = needs_restart(&self.started, &config);
        if sources != self.source_settings {
            waiting.push("source.toml".to_owned());
        }
        self.config = config;
        Ok(waiting)
    }
}
