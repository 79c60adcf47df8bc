//! The mail front from its configuration.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use arc_swap::ArcSwap;
use rustls::ServerConfig;
use tracing::debug;
use tracing::warn;

use crate::app::clients::Clients;
use crate::app::core::Core;
use crate::app::material::problem;
use crate::app::notes::Notes;
use crate::app::revocation::Revocation;
use crate::app::upstreams;
use crate::app::users;
use crate::config::Config;
use crate::mail;
use crate::mail::Bearer;
use crate::mail::Event;
use crate::mail::Gateway;
use crate::mail::Memory;
use crate::mail::Words;
use crate::model::Problem;
use crate::model::UserId;
use crate::model::causes;
use crate::net::eas::Counters;
use crate::net::eas::Front;
use crate::net::eas::Limits;
use crate::net::tls;
use crate::net::upstream::Timing;
use crate::net::upstream::Upstream;
use crate::sync::Binding;

/// Builds the front; `None` when no address listens for mail.
pub(super) fn front(
    config: &Config,
    core: &Core,
    clients: &Arc<Clients>,
) -> Result<Option<Arc<Front>>, Vec<Problem>> {
    if !config.listen.is_open_to_mail() {
        return Ok(None);
    }
    let gateway_file = config.folder.join("gateway.toml");
    let names = config.mail.names();
    let upstreams = upstreams::settings(config)?;
    let routes = upstreams::routes(config, &names)?;
    let mut settings = mail::Config::routed(config.mail.published_names.clone(), routes);
    settings.names = names;
    settings.certificate_user_header = match &config.mail.certificate_user_header {
        None => None,
        Some(name) => Some(name.parse().map_err(|error: mail::ConfigError| {
            let key = "mail.certificate_user_header";
            vec![problem(&gateway_file, key, &error.to_string())]
        })?),
    };
    settings.bearer = match &config.mail.bearer_challenge {
        None => None,
        Some(challenge) => {
            let bearer = Bearer::new(challenge, &config.mail.bearer_user_claim);
            Some(bearer.map_err(|error| {
                let key = "mail.bearer_challenge";
                vec![problem(&gateway_file, key, &error.to_string())]
            })?)
        }
    };
    settings.oldest_version = config.mail.oldest_version;
    settings.strip_wipe = config.mail.strip_wipe;
    settings.refused = config.mail.refusals;
    settings.memory = Memory {
        accepted: config.mail.credential_lifetime,
        ..Memory::default()
    };
    settings.words = words(config)?;
    let mut seed = [0; 32];
    super::fill_random(&mut seed);
    let gateway = Gateway::new(
        settings,
        Arc::clone(&core.live),
        Arc::clone(&core.correlations),
        &seed,
    )
    .with_records(Arc::clone(&core.records));
    let gateway = users::restore(gateway, config, core.clock.now());
    let notes = config.data.warm_start.then(|| Notes::open(config));
    let notes = notes.transpose().map_err(|error| {
        let folder = &config.data.folder;
        vec![problem(
            folder,
            "data.folder",
            &format!("cannot be written: {error}"),
        )]
    })?;
    let timing = Timing {
        hold: config.mail.hold_limit,
        ..Timing::default()
    };
    let limits = Limits {
        connections: config.mail.max_connections,
        connections_per_address: config.mail.max_connections_per_address,
        head: config.mail.header_timeout,
        drain: config.shutdown.grace,
        ..Limits::default()
    };
    let clients = Arc::clone(clients);
    Ok(Some(Arc::new(Front {
        gateway,
        upstream: Upstream::new(upstreams, timing)
            .with_name_servers(config.mail.name_servers.clone()),
        balancers: config.mail.proxy_protocol_from.clone(),
        tls: ArcSwap::from_pointee(server_tls(config, &core.revocation)?),
        clock: core.clock,
        events: Box::new(events(core, notes, Arc::clone(&clients))),
        wipes: Box::new(move |news| clients.attest(news)),
        limits,
        counters: Arc::new(Counters::default()),
    })))
}

/// What people are told, from the files of the configuration.
pub(super) fn words(config: &Config) -> Result<Words, Vec<Problem>> {
    let book = config.mail.message.book(&config.folder)?;
    Ok(Words {
        book,
        site: config.mail.message.site.clone(),
        quarantine: config.mail.quarantine,
        care: config.mail.notify.care.clone(),
    })
}

/// The front's certificate and what client certificates must lead to.
pub(super) fn server_tls(
    config: &Config,
    revocation: &Revocation,
) -> Result<ServerConfig, Vec<Problem>> {
    let chain = read(&config.mail.certificate, "mail.certificate")?;
    let key = read(&config.mail.key, "mail.key")?;
    let mut roots = Vec::new();
    for file in &config.mail.client_ca {
        roots.extend(read(file, "mail.client_ca")?);
        roots.push(b'\n');
    }
    let client_roots = (!config.mail.client_ca.is_empty()).then_some(roots.as_slice());
    let upkeep = revocation.upkeep(config);
    let pem = tls::ServerPem {
        chain: &chain,
        key: &key,
        client_roots,
        upkeep: upkeep.as_ref(),
    };
    tls::server(pem).map_err(|error| {
        vec![problem(
            &config.mail.certificate,
            "mail.certificate",
            &causes(&error),
        )]
    })
}

/// Where the front's events go: records to the journal, bindings to the inventory's writer, notes to
/// their files.
fn events(
    core: &Core,
    notes: Option<Notes>,
    clients: Arc<Clients>,
) -> impl Fn(Event) + Send + Sync + use<> {
    let records = Arc::clone(&core.records);
    let sources = core.sources.clone();
    move |event| match event {
        Event::Decision(record) => records.push(record),
        Event::Notes(lines) => {
            if let Some(notes) = &notes {
                notes.write(&lines);
            }
        }
        Event::Told => clients.hurry(),
        Event::LookUp(look_up) => {
            let lists = sources.look_up(look_up.device);
            debug!(lists, "a user has the sources asked about a device");
        }
        Event::Binding(binding) => {
            let Some(user) = UserId::parse(&binding.user) else {
                return;
            };
            let learned = Binding {
                eas: binding.eas,
                user,
                device: binding.device,
            };
            if !sources.bind_eas(learned) {
                warn!("the inventory is too busy to learn a mail device; its next request will do");
            }
        }
    }
}

fn read(file: &Path, key: &str) -> Result<Vec<u8>, Vec<Problem>> {
    fs::read(file).map_err(|error| vec![problem(file, key, &format!("cannot be read: {error}"))])
}
