//! Another configuration, taken over while everything goes on.

use std::path::Path;
use std::sync::Arc;

use rustls::ServerConfig;
use tracing::warn;

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
use crate::directory::Directories;
use crate::mail::Routes;
use crate::mail::Words;
use crate::model::Problem;
use crate::net::home::Known;
use crate::net::radsec::Accepts;
use crate::net::upstream::Settings;
use crate::network;
use crate::policy::Policy;
use crate::sync;

use super::Gateway;
use super::restart::is_cut_off;
use super::restart::lost_files;
use super::restart::needs_restart;

/// What another configuration brings, read and found good.
struct Prepared {
    directories: Arc<Directories>,
    known: Known,
    network: network::Settings,
    policy: Policy,
    sources: sync::Config,
    accepts: Option<Accepts>,
    words: Words,
    door: Option<Door>,
}

/// The same of the mail front.
struct Door {
    tls: ServerConfig,
    upstreams: Vec<Settings>,
    routes: Routes,
}

impl Gateway {
    /// Takes over what another configuration changes, all of it or nothing. Conversations,
    /// connections and sessions go on. Gives what only a restart takes over.
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
        let has_directories = !self.radius.directories.load().is_empty();
        let lost = lost_files(folder, &self.config, has_directories);
        if !lost.is_empty() {
            return Err(lost);
        }
        let prepared = self.prepare(&config)?;
        let mut waiting = needs_restart(&self.started, &config);
        if prepared.sources != self.source_settings {
            waiting.push("source.toml".to_owned());
        }
        self.put_in_force(prepared, &config);
        self.config = config;
        Ok(waiting)
    }

    /// Reads all that the configuration names, and changes nothing.
    fn prepare(&self, config: &Config) -> Result<Prepared, Vec<Problem>> {
        let (directories, _) = passwords::load(config)?;
        let clock = directory_clock(self.clock);
        let before = self.radius.directories.load_full();
        let directories = Arc::new(before.renewed(directories, &clock));
        let (resumption, learner) = (&self.radius.resumption, &self.radius.learner);
        let known = homes::known(config, &self.radius.known.borrow().homes)?;
        let proxying = (&*self.radius.mark, &*known.homes);
        let asked = (&directories, learner);
        let data = &self.started.data.folder;
        let network = material::network_settings(
            config,
            data,
            resumption,
            proxying,
            asked,
            &self.revocation,
        )?;
        Ok(Prepared {
            network,
            policy: load_policy(config)?,
            sources: load_sources(config)?,
            accepts: self.radsec.prepare(config, &self.revocation)?,
            door: self.prepare_door(config)?,
            words: mail::words(config)?,
            directories,
            known,
        })
    }

    /// A door that the new configuration closes stays open until the restart, as it is.
    fn prepare_door(&self, config: &Config) -> Result<Option<Door>, Vec<Problem>> {
        if self.mail.front.is_none() || !config.listen.is_open_to_mail() {
            return Ok(None);
        }
        Ok(Some(Door {
            tls: mail::server_tls(config, &self.revocation)?,
            upstreams: upstreams::settings(config)?,
            routes: upstreams::routes(config, &config.mail.names())?,
        }))
    }

    fn put_in_force(&self, prepared: Prepared, config: &Config) {
        let mut network = prepared.network;
        let previous = self.radius.shared.settings.load();
        if network.eap.is_none() {
            network.eap.clone_from(&previous.eap);
            network.eap_groups.clone_from(&previous.eap_groups);
        }
        network.nas.inherit(&previous.nas);
        self.radius.known.send_replace(Arc::new(prepared.known));
        self.radius.shared.settings.store(Arc::new(network));
        self.radsec.replace(prepared.accepts);
        self.revocation.replace(config);
        self.radius.directories.store(prepared.directories);
        self.radius.learner.begin_anew();
        if let Some(front) = &self.mail.front {
            if let Some(door) = prepared.door {
                front.tls.store(Arc::new(door.tls));
                // First where it is, then who goes there.
                front.upstream.replace(&door.upstreams);
                front.gateway.replace_routes(door.routes);
            }
            front.gateway.replace_words(prepared.words);
        }
        self.put_policy_in_force(prepared.policy);
    }

    fn put_policy_in_force(&self, policy: Policy) {
        if policy.hash() == self.point.policy().hash() {
            return;
        }
        self.point.replace_policy(policy);
        let now = self.clock.now().wall;
        self.live.sweep_all(now);
        tell(self.radius.shared.admissions.sweep_all(now));
        for problem in groups::unmet_now(&self.point) {
            warn!("{problem}");
        }
    }
}
