//! The home servers of a configuration: those that a reload does not change stay what they are.

use std::sync::Arc;

use crate::app::material::problem;
use crate::config;
use crate::config::Authorization;
use crate::config::Check;
use crate::config::Config;
use crate::config::HomeServer;
use crate::config::HomeTls;
use crate::config::Radius11;
use crate::config::RadsecFiles;
use crate::model::Fingerprint;
use crate::model::Problem;
use crate::model::causes;
use crate::net::home;
use crate::net::home::Known;
use crate::net::home::Lookups;
use crate::net::home::Trust;
use crate::net::home::Wanted;
use crate::net::radsec::VERSION_10;
use crate::net::radsec::VERSION_11;
use crate::network;
use crate::network::Home;
use crate::network::Route;
use crate::network::Routes;
use crate::network::Way;
use crate::radius::RealmTable;

/// Builds the home servers. One of `previous` stays, with its numbers, its health and its
/// connections, where nothing about it is different.
///
/// # Errors
///
/// Every file that cannot be used.
pub(super) fn known(config: &Config, previous: &[Arc<Home>]) -> Result<Known, Vec<Problem>> {
    let mut known = Known::default();
    let mut problems = Vec::new();
    for HomeServer { server, tls } in &config.homes {
        let mut server = server.clone();
        if let (Way::Tls(way), Some(tls)) = (&mut server.way, tls)
            && tls.is_complete()
        {
            match trust(config, tls) {
                Ok((trust, material)) => {
                    way.material = material;
                    let names = tls.names.iter();
                    let names = names.filter_map(|name| home::server_name(name)).collect();
                    let made_with = (Arc::new(trust), Wanted::Names(names));
                    known.tls.insert(server.name.clone(), made_with);
                }
                Err(message) => {
                    let file = config.folder.join("proxy.toml");
                    problems.push(problem(&file, &tls.place, &message));
                    continue;
                }
            }
        }
        let stays = previous.iter().find(|one| one.config().is_same(&server));
        let home = stays.map_or_else(|| Arc::new(Home::new(server)), Arc::clone);
        known.homes.push(home);
    }
    if let Some(discovery) = &config.discovery
        && discovery.tls.is_complete()
    {
        match lookups(config, discovery) {
            Ok(lookups) => known.lookups = Some(Arc::new(lookups)),
            Err(message) => {
                let file = config.folder.join("proxy.toml");
                problems.push(problem(&file, "discovery", &message));
            }
        }
    }
    if problems.is_empty() {
        Ok(known)
    } else {
        Err(problems)
    }
}

/// How further home servers are looked up.
fn lookups(config: &Config, discovery: &config::Discovery) -> Result<Lookups, String> {
    let (trust, material) = trust(config, &discovery.tls)?;
    let settings = network::Discovery {
        material,
        realms: discovery.max_realms,
        shortest: discovery.shortest,
        longest: discovery.longest,
        retry: discovery.retry,
    };
    let servers = &discovery.name_servers;
    let mut lookups = Lookups::new(settings, Arc::new(trust), servers)
        .map_err(|error| format!("the system's resolver configuration is unusable: {error}"))?;
    lookups.services = discovery.services.clone();
    lookups.by_name = discovery.check == Check::Name;
    lookups.own = config.listen.radsec.clone();
    Ok(lookups)
}

/// What connections are made with, and what names it.
fn trust(config: &Config, tls: &HomeTls) -> Result<(Trust, Fingerprint), String> {
    let files = tls.files(&config.radsec);
    let files = files.map_err(|error| causes(&error))?;
    let material = fingerprint(&files, tls);
    let protocols: &[&[u8]] = match tls.radius_1_1 {
        Radius11::Allow => &[VERSION_11, VERSION_10],
        Radius11::Require => &[VERSION_11],
        Radius11::Forbid => &[],
    };
    let trust = Trust::new(home::Material {
        roots: files.roots,
        revocation_lists: files.revocation_lists,
        chain: files.chain,
        key: files.key,
        protocols: protocols.iter().map(|name| name.to_vec()).collect(),
        only_version_11: tls.radius_1_1 == Radius11::Require,
    });
    let trust = trust.map_err(|error| causes(&error))?;
    Ok((trust, material))
}

/// The same for the same contents of the files, whatever they are called.
fn fingerprint(files: &RadsecFiles, tls: &HomeTls) -> Fingerprint {
    let version = match tls.radius_1_1 {
        Radius11::Allow => 0,
        Radius11::Require => 1,
        Radius11::Forbid => 2,
    };
    let mut all = zeroize::Zeroizing::new(vec![version]);
    let chains = files.chain.iter().chain(&files.roots);
    let parts = chains.map(|one| &**one);
    let lists = files.revocation_lists.iter().map(|list| list.as_ref());
    let names = tls.names.iter().map(String::as_bytes);
    let key = std::iter::once(files.key.secret_der());
    for part in parts.chain(lists).chain(names).chain(key) {
        // Told apart from the next one by its own hash.
        all.extend_from_slice(&Fingerprint::of(part).octets());
    }
    Fingerprint::of(&all)
}

/// Whose requests go to which home servers; nothing where there is none.
pub(super) fn routes(config: &Config, mark: &[u8], homes: &[Arc<Home>]) -> Option<Arc<Routes>> {
    if config.realms.is_empty() {
        return None;
    }
    let mut realms = RealmTable::default();
    for realm in &config.realms {
        let named = |name: &String| homes.iter().find(|home| home.name() == name).cloned();
        let asked: Vec<Arc<Home>> = realm.homes.iter().filter_map(named).collect();
        let route = Route {
            realm: realm.name.as_str().into(),
            homes: asked,
            discovered: realm.discover,
            judged: realm.judge,
            authorization_kept: realm.authorization == Authorization::Home,
            filters: realm.filters.clone(),
        };
        // `check` has refused a realm that stands there twice.
        drop(realms.add(&realm.name, realm.is_forwarded().then(|| Arc::new(route))));
    }
    Some(Arc::new(Routes {
        realms,
        homes: homes.to_vec(),
        mark: mark.into(),
    }))
}
