//! From the configuration to what the rooms work with: tables, attribute templates, passwords.

use std::path::Path;
use std::sync::Arc;

use crate::app::passwords::Book;
use crate::app::passwords::Learner;
use crate::config;
use crate::config::Config;
use crate::config::WhenUnavailable;
use crate::directory::Directories;
use crate::directory::Users;
use crate::eap;
use crate::eap::Resumption;
use crate::model::Problem;
use crate::model::Severity;
use crate::model::causes;
use crate::network;
use crate::network::MethodSet;
use crate::radius::NasTable;

/// Builds what a reload replaces on the network plane. `resumption` outlives reloads, so that
/// devices need not handshake in full because a file was edited; so does what `learner` has learned.
/// Directories are built anew: what is asked of the earlier ones ends there.
///
/// # Errors
///
/// Everything that does not fit.
pub(super) fn network_settings(
    config: &Config,
    resumption: &Arc<Resumption>,
    directories: &Arc<Directories>,
    learner: &Arc<Learner>,
) -> Result<network::Settings, Vec<Problem>> {
    let file = config.folder.join("gateway.toml");
    let wrong = |key: &str, error: &(dyn std::error::Error + 'static)| {
        vec![problem(&file, key, &causes(error))]
    };
    let eap = if config.listen.is_open_to_eap() {
        let settings = config.eap.settings(resumption);
        let settings = settings.map_err(|error| wrong("eap", &error))?;
        let eap = eap::Config::build(settings).map_err(|error| wrong("eap", &error))?;
        Some(Arc::new(eap))
    } else {
        None
    };
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
        enforcement: enforcement(config),
        methods: methods(config),
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
            reject_when_unavailable: config.passwords.when_unavailable == WhenUnavailable::Reject,
            ..network::Config::default()
        },
    })
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
    network::Profiles {
        allow: profile(&written.allow),
        allow_claimed: profile(&written.allow_claimed),
        quarantine: profile(&written.quarantine),
        block: profile(&written.block),
    }
}

fn profile(written: &config::Profile) -> network::Profile {
    network::Profile {
        attributes: written.attributes.clone(),
        session_timeout: written.session_timeout,
        reply_message: written.reply_message.clone(),
    }
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
