//! Checks of other rooms' files, for every load of the configuration and for `check`.

use std::collections::HashSet;
use std::path::Path;
use std::time::Duration;

use crate::app::core::load_policy;
use crate::app::doubles;
use crate::app::groups;
use crate::app::homes;
use crate::app::material;
use crate::app::passwords;
use crate::app::users;
use crate::config;
use crate::config::Config;
use crate::config::Hook;
use crate::document::show_duration;
use crate::eas::Version;
use crate::model::Problem;
use crate::model::Severity;
use crate::policy;
use crate::policy::Doors;
use crate::policy::Policy;
use crate::sync;
use crate::sync::Format;

/// Run with every load: an error keeps the gateway from starting, or from taking the
/// configuration over.
pub const HOOKS: &[Hook] = &[policies, sources, directories, home_servers, messages];

/// Run by `check`: [`HOOKS`], and the inventory's files. Those have their own rules at run time,
/// when a file that cannot be used leaves the inventory as it was.
pub const CHECK_HOOKS: &[Hook] = &[
    policies,
    sources,
    directories,
    home_servers,
    material,
    messages,
    inventories,
];

/// `policy.toml`: what cannot be read, and what is well-formed and dangerous (R76).
fn policies(config: &Config) -> Vec<Problem> {
    let (file, text) = match config::open(&config.folder, "policy.toml") {
        Ok(found) => found,
        Err(problem) => return vec![problem],
    };
    match policy::parse(&file, &text) {
        Ok((policy, mut problems)) => {
            problems.retain(|problem| !groups::is_of_a_route(problem, &policy, config));
            problems.extend(policy::lint(&policy));
            problems.extend(groups::misnamed(&policy, config));
            problems.extend(groups::unmet_nas(&policy, &config.nas_groups));
            problems.extend(narrowed(&policy, config));
            problems.extend(policy::lint_freshness(&policy, read_every(config)));
            problems
        }
        Err(problems) => problems,
    }
}

/// Policies that let nobody in by what `[mail]` says.
fn narrowed(policy: &Policy, config: &Config) -> Vec<Problem> {
    if !config.listen.is_open_to_mail() {
        return Vec::new();
    }
    let all = Version::ALL.into_iter();
    let spoken = all.filter(|version| *version >= config.mail.oldest_version);
    let doors = Doors {
        web: !config.mail.applications.is_empty(),
        certificates: !config.mail.client_ca.is_empty(),
        versions: &spoken.map(Version::tenths).collect::<Vec<_>>(),
    };
    policy::lint_doors(policy, &doors)
}

/// How often devices are read, by the slowest source of them; of a tenant those that have changed.
fn read_every(config: &Config) -> Option<Duration> {
    let (sources, _) = read_sources(config).ok()?;
    let files = sources.files.iter().filter(|file| file.devices.is_some());
    let files = files.map(|file| file.reload_interval);
    let graphs = sources.graphs.iter().filter(|graph| graph.devices);
    let graphs = graphs.map(|graph| graph.timing.quick_interval.min(graph.timing.full_interval));
    files.chain(graphs).max()
}

/// `source.toml`.
fn sources(config: &Config) -> Vec<Problem> {
    match read_sources(config) {
        Ok((sources, mut problems)) => {
            problems.extend(secrets(config, &sources));
            problems
        }
        Err(problems) => problems,
    }
}

/// `directory.toml`.
fn directories(config: &Config) -> Vec<Problem> {
    let (directories, mut problems) = match passwords::load(config) {
        Ok(found) => found,
        Err(problems) => return problems,
    };
    let (deadline, patience) = (directories.deadline, config.eap.timeout);
    let asks = !directories.ldap.is_empty() || directories.winbind.is_some();
    if asks && deadline >= patience {
        problems.push(Problem {
            file: config.folder.join(passwords::FILE).display().to_string(),
            line: None,
            key: "deadline".to_owned(),
            message: format!(
                "{} is not shorter than eap.timeout of gateway.toml, {}: when no directory answers \
                 the request is given up before, without a record, whatever \
                 passwords.when_unavailable says",
                show_duration(deadline),
                show_duration(patience)
            ),
            severity: Severity::Warning,
        });
    }
    problems
}

/// What devices are met with in EAP. A start and a reload build that themselves.
fn material(config: &Config) -> Vec<Problem> {
    material::unusable_eap(config)
}

/// The certificates and keys that `proxy.toml` names.
fn home_servers(config: &Config) -> Vec<Problem> {
    homes::known(config, &[]).err().unwrap_or_default()
}

/// The texts that people are told, and what speaks to their mail server.
fn messages(config: &Config) -> Vec<Problem> {
    let book = config.mail.message.book(&config.folder);
    let mut problems = book.err().unwrap_or_default();
    problems.extend(users::mailer(config).err().unwrap_or_default());
    problems
}

/// Files with secrets of clouds that are not there.
fn secrets(config: &Config, sources: &sync::Config) -> Vec<Problem> {
    let missing = sources.graphs.iter().enumerate();
    missing
        .filter(|(_, graph)| !graph.client_secret_file.exists())
        .map(|(number, graph)| Problem {
            file: config.folder.join("source.toml").display().to_string(),
            line: None,
            key: format!("graph[{number}].client_secret_file"),
            message: format!("{} does not exist", graph.client_secret_file.display()),
            severity: Severity::Error,
        })
        .collect()
}

fn read_sources(config: &Config) -> Result<(sync::Config, Vec<Problem>), Vec<Problem>> {
    let (file, text) =
        config::open(&config.folder, "source.toml").map_err(|problem| vec![problem])?;
    sync::parse(&file, &config.folder, &text)
}

/// The files that `source.toml` names. A row that is passed over is only worth a warning.
fn inventories(config: &Config) -> Vec<Problem> {
    let Ok((sources, _)) = read_sources(config) else {
        // Reported by `sources`.
        return Vec::new();
    };
    let mut problems = Vec::new();
    let mut known = HashSet::new();
    for source in sources.files {
        let (name, tolerance) = (source.name.as_str(), source.tolerance);
        if let Some(path) = &source.devices {
            problems.extend(inventory(path, |file, format, octets| {
                let loaded = sync::read_device_file(name, file, format, octets, tolerance)?;
                known.extend(
                    loaded
                        .rows
                        .iter()
                        .flat_map(|device| &device.groups)
                        .copied(),
                );
                Ok(with(
                    loaded.problems,
                    file,
                    doubles::of_devices(&loaded.rows),
                ))
            }));
        }
        if let Some(path) = &source.users {
            problems.extend(inventory(path, |file, format, octets| {
                let loaded = sync::read_user_file(file, format, octets, tolerance)?;
                known.extend(loaded.rows.iter().flat_map(|user| &user.groups).copied());
                Ok(with(loaded.problems, file, doubles::of_users(&loaded.rows)))
            }));
        }
    }
    let all_read = problems
        .iter()
        .all(|problem| problem.severity == Severity::Warning);
    if sources.graphs.is_empty()
        && all_read
        && let Ok(policy) = load_policy(config)
    {
        problems.extend(groups::unmet(&policy, |group| known.contains(&group)));
        problems.extend(groups::unmet_routes(&policy, config, |group| {
            known.contains(&group)
        }));
    }
    problems
}

fn with(mut problems: Vec<Problem>, file: &str, told: Vec<String>) -> Vec<Problem> {
    problems.extend(told.into_iter().map(|message| Problem {
        file: file.to_owned(),
        line: None,
        key: String::new(),
        message,
        severity: Severity::Warning,
    }));
    problems
}

fn inventory(
    path: &Path,
    read: impl FnOnce(&str, Format, &[u8]) -> Result<Vec<Problem>, Vec<Problem>>,
) -> Vec<Problem> {
    let file = path.display().to_string();
    let octets = match config::read_octets(path, MAX_INVENTORY) {
        Ok(octets) => octets,
        Err(error) => {
            return vec![Problem {
                file,
                line: None,
                key: String::new(),
                message: error.to_string(),
                severity: Severity::Error,
            }];
        }
    };
    match read(&file, Format::of(path), &octets) {
        Ok(mut problems) => {
            for problem in &mut problems {
                problem.severity = Severity::Warning;
            }
            problems
        }
        Err(problems) => problems,
    }
}

/// A million devices take 200 MiB; `sync` reads no more than this either.
const MAX_INVENTORY: u64 = 1 << 30;
