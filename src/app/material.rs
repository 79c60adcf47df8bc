//! From the configuration to what the rooms work with: tables, attribute templates, passwords.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use zeroize::Zeroizing;

use crate::app::homes;
use crate::app::passwords::Book;
use crate::app::passwords::Learner;
use crate::app::revocation::Revocation;
use crate::app::write::Existing;
use crate::app::write::write;
use crate::config;
use crate::config::Config;
use crate::config::Radius11;
use crate::config::WhenUnavailable;
use crate::directory::Directories;
use crate::directory::Users;
use crate::eap;
use crate::eap::Resumption;
use crate::model::Problem;
use crate::model::Severity;
use crate::model::causes;
use crate::net::radsec::Accepts;
use crate::net::radsec::Handshake;
use crate::net::radsec::VERSION_10;
use crate::net::radsec::VERSION_11;
use crate::net::tls;
use crate::network;
use crate::network::ChargingKey;
use crate::network::Home;
use crate::network::MethodSet;
use crate::radius::NasTable;
use crate::radius::PeerTable;
use crate::trust::Material;
use crate::trust::Upkeep;

/// Builds what a reload replaces on the network plane. `resumption` outlives reloads, so that
/// devices need not handshake in full because a file was edited; `mark` is what requests to home
/// servers are known by when they come back, `homes` are those servers. What the learner has learned outlives them
/// too. Directories are built anew: what is asked of the earlier ones ends there. `data` is the folder that is in use,
/// whatever the configuration says now.
///
/// # Errors
///
/// Everything that does not fit.
pub(super) fn network_settings(
    config: &Config,
    data: &Path,
    resumption: &Arc<Resumption>,
    (mark, homes): (&[u8], &[Arc<Home>]),
    (directories, learner): (&Arc<Directories>, &Arc<Learner>),
    revocation: &Revocation,
) -> Result<network::Settings, Vec<Problem>> {
    let (eap, eap_groups) = eap_configs(config, resumption, &|| revocation.upkeep(config))?;
    let nas_file = config.folder.join("nas.toml");
    let nas = NasTable::new(config.nas.clone()).map_err(|errors| {
        let problem = |error: &dyn std::error::Error| problem(&nas_file, "nas", &error.to_string());
        errors
            .iter()
            .map(|error| problem(error))
            .collect::<Vec<_>>()
    })?;
    let users = Users::new(config.users.clone()).map_err(|error| {
        vec![problem(
            &config.folder.join("users.toml"),
            "user",
            &error.to_string(),
        )]
    })?;
    Ok(network::Settings {
        nas,
        eap,
        eap_groups,
        enforcement: enforcement(config),
        methods: methods(config),
        charging: charging_key(data)?,
        routes: homes::routes(config, mark, homes),
        passwords: Arc::new(Book::new(
            users,
            Arc::clone(directories),
            Arc::clone(learner),
        )),
        config: network::Config {
            patience: config.eap.timeout,
            eap_packet: config.eap.fragment_size,
            reject_delay: config.passwords.reject_delay,
            free_guesses: config.passwords.free_guesses,
            longest_wait: config.passwords.longest_wait,
            silence: config.sessions,
            reject_when_unavailable: config.passwords.when_unavailable == WhenUnavailable::Reject,
            ..network::Config::default()
        },
    })
}

/// What devices are met with in EAP, and in the groups that have a policy of their own; nothing where no
/// door is open to EAP.
type EapConfigs = (Option<Arc<eap::Config>>, HashMap<String, Arc<eap::Config>>);

fn eap_configs(
    config: &Config,
    resumption: &Arc<Resumption>,
    upkeep: &dyn Fn() -> Option<Upkeep>,
) -> Result<EapConfigs, Vec<Problem>> {
    let mut groups = HashMap::new();
    if !config.listen.is_open_to_eap() {
        return Ok((None, groups));
    }
    let file = config.folder.join("gateway.toml");
    let wrong = |key: &str, error: &(dyn std::error::Error + 'static)| {
        vec![problem(&file, key, &causes(error))]
    };
    let settings = config.eap.settings(resumption);
    let mut settings = settings.map_err(|error| wrong("eap", &error))?;
    settings.upkeep = upkeep();
    let eap = eap::Config::build(settings).map_err(|error| wrong("eap", &error))?;
    let eap = Arc::new(eap);
    for (name, tls) in &config.eap.groups {
        let key = format!("eap.group.{name}");
        let settings = config.eap.settings_of(tls, resumption);
        let mut settings = settings.map_err(|error| wrong(&key, &error))?;
        settings.upkeep = upkeep();
        settings.beside = Some(Arc::clone(&eap));
        let group = eap::Config::build(settings).map_err(|error| wrong(&key, &error))?;
        groups.insert(name.clone(), Arc::new(group));
    }
    Ok((Some(eap), groups))
}

/// Certificates, keys, authorities and lists that are there and cannot be used together.
pub(super) fn unusable_eap(config: &Config) -> Vec<Problem> {
    let own = [&config.eap.tls.certificate, &config.eap.tls.key];
    let groups = config.eap.groups.values();
    let others = groups.flat_map(|tls| [&tls.certificate, &tls.key]);
    let lists = config
        .eap
        .client_ca
        .iter()
        .chain(&config.eap.revocation_lists);
    if own
        .into_iter()
        .chain(others)
        .chain(lists)
        .any(|path| !path.exists())
    {
        // The first start makes them, or they are reported as missing.
        return Vec::new();
    }
    eap_configs(config, &config.eap.resumption(), &|| None)
        .err()
        .unwrap_or_default()
}

/// Builds what RADIUS over TLS lets in; `None` while its door is closed.
///
/// # Errors
///
/// Everything that does not fit.
pub(super) fn radsec(
    config: &Config,
    revocation: &Revocation,
) -> Result<Option<Accepts>, Vec<Problem>> {
    if !config.listen.is_open_to_radsec() {
        return Ok(None);
    }
    let file = config.folder.join("gateway.toml");
    let wrong =
        |error: &(dyn std::error::Error + 'static)| vec![problem(&file, "radsec", &causes(error))];
    let files = config.radsec.files().map_err(|error| wrong(&error))?;
    let upkeep = revocation.upkeep(config);
    let material = tls::Radsec {
        chain: files.chain,
        key: files.key,
        clients: Material {
            roots: &files.roots,
            revocation_lists: &files.revocation_lists,
            demand_revocation: config.radsec.demand_revocation,
            upkeep: upkeep.as_ref(),
            ..Material::default()
        },
        protocols: match config.radsec.radius_1_1 {
            Radius11::Allow => &[VERSION_11, VERSION_10],
            Radius11::Require => &[VERSION_11],
            Radius11::Forbid => &[],
        },
    };
    let (tls, verifier) = tls::radsec(material).map_err(|error| wrong(&error))?;
    let peers = PeerTable::new(config.peers.clone()).map_err(|errors| {
        let file = config.folder.join("nas.toml");
        let errors = errors.iter();
        errors
            .map(|error| problem(&file, "nas", &error.to_string()))
            .collect::<Vec<_>>()
    })?;
    Ok(Some(Accepts {
        tls: Handshake::new(tls),
        verifier,
        peers,
        only_version_11: config.radsec.radius_1_1 == Radius11::Require,
    }))
}

fn methods(config: &Config) -> network::Methods {
    let groups = config.methods.groups.iter();
    network::Methods {
        default: method_set(&config.methods.default),
        groups: groups
            .map(|(name, allowed)| (name.clone(), method_set(allowed)))
            .collect(),
    }
}

fn method_set(allowed: &config::Allowed) -> MethodSet {
    MethodSet::new(&allowed.methods, &allowed.inside)
}

fn enforcement(config: &Config) -> network::Enforcement {
    let groups = config.enforcement.groups.iter();
    network::Enforcement {
        default: profiles(&config.enforcement.default),
        groups: groups
            .map(|(name, group)| (name.clone(), profiles(group)))
            .collect(),
    }
}

fn profiles(written: &config::Profiles) -> network::Profiles {
    let profile = |of: &config::Profile| network::Profile {
        attributes: of.attributes.clone(),
        session_timeout: of.session_timeout,
        recheck: written.recheck,
        reply_message: of.reply_message.clone(),
        in_coa: of.in_coa,
    };
    network::Profiles {
        allow: profile(&written.allow),
        allow_claimed: profile(&written.allow_claimed),
        quarantine: profile(&written.quarantine),
        block: profile(&written.block),
        reactions: written.reactions.clone(),
    }
}

/// The key of the names under which people are charged (RFC 4372), made when it is first needed:
/// it has to outlive every start.
fn charging_key(folder: &Path) -> Result<ChargingKey, Vec<Problem>> {
    let path = folder.join("charging.key");
    let wrong = |message: &str| vec![problem(&path, "", message)];
    if !path.exists() {
        let mut octets = Zeroizing::new([0; ChargingKey::OCTETS]);
        super::fill_random(&mut *octets);
        write(&path, &*octets, 0o600, Existing::Keep).map_err(|error| wrong(&causes(&error)))?;
    }
    let most = u64::try_from(ChargingKey::OCTETS).unwrap_or(u64::MAX);
    let octets = config::read_octets(&path, most).map_err(|error| wrong(&causes(&error)))?;
    let octets = Zeroizing::new(octets);
    let octets = octets.as_slice().try_into().map_err(|_| {
        wrong("has another length than 32 octets: restore it, or remove it to give everybody a new name")
    })?;
    Ok(ChargingKey::new(octets))
}

/// An error of a file.
pub(super) fn problem(file: &Path, key: &str, message: &str) -> Problem {
    Problem {
        file: file.display().to_string(),
        line: None,
        key: key.to_owned(),
        message: message.to_owned(),
        severity: Severity::Error,
    }
}
