//! `source.toml`: which sources there are and how often each is asked.
//!
//! Two kinds: `[[file]]`, a pair of local files, and `[[graph]]`, a Microsoft tenant. Each gives
//! up to two feeds, `<name>/devices` and `<name>/users`.

mod values;

use std::collections::HashSet;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;

use uuid::Uuid;

use crate::document;
use crate::document::Section;
use crate::model::Problem;
use crate::model::Severity;
use crate::sync::file::Tolerance;
use crate::sync::link::Base;
use crate::sync::plan::Backoff;
use crate::sync::settings::values::Values;
use crate::sync::walk::Limits;

/// All sources.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Config {
    /// Local files.
    pub files: Vec<FileConfig>,
    /// Microsoft tenants.
    pub graphs: Vec<GraphConfig>,
}

/// A source of local files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileConfig {
    /// Names the source in facts and status.
    pub name: String,
    /// Device file, `.csv` or `.json`.
    pub devices: Option<PathBuf>,
    /// User file, `.csv` or `.json`.
    pub users: Option<PathBuf>,
    /// Bad rows up to which a file is used.
    pub tolerance: Tolerance,
    /// How often the files are looked at besides being watched, for folders where watching does
    /// not work.
    pub look_interval: Duration,
    /// How often unchanged files are read again, so that their facts do not grow old.
    pub reload_interval: Duration,
}

impl FileConfig {
    /// A source without files.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            devices: None,
            users: None,
            tolerance: Tolerance::default(),
            look_interval: Duration::from_secs(5),
            reload_interval: Duration::from_mins(10),
        }
    }
}

/// A Microsoft tenant, asked through Graph.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GraphConfig {
    /// Names the source in facts and status.
    pub name: String,
    /// Tenant id or domain.
    pub tenant: String,
    /// Application (client) id of the registration.
    pub client_id: String,
    /// File with the client secret.
    pub client_secret_file: PathBuf,
    /// Where tokens come from; national clouds have their own.
    pub login: Base,
    /// Where Graph is, with its version.
    pub graph: Base,
    /// PEM file with the only roots to trust; the system's when `None`.
    pub ca_file: Option<PathBuf>,
    /// Whether Intune's devices are read.
    pub devices: bool,
    /// Whether Entra's users and groups are read.
    pub users: bool,
    /// Groups whose members are read.
    pub groups: Groups,
    /// How often, and how long.
    pub timing: Timing,
    /// Percent of the rows of a list that may be unusable.
    pub bad_percent: u8,
    /// How far a walk may go.
    pub limits: Limits,
}

/// How often a tenant is asked, and how long one waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// Between two full walks of the devices.
    pub full_interval: Duration,
    /// Between two quick runs over the devices.
    pub quick_interval: Duration,
    /// How far a quick run looks back before the last one.
    pub overlap: Duration,
    /// Between two walks of users and groups.
    pub users_interval: Duration,
    /// For one request, from connect to the last octet.
    pub request_deadline: Duration,
    /// The waits after failed runs.
    pub backoff: Backoff,
}

/// Every 24 hours all devices, every minute those that changed, every quarter of an hour users
/// and groups.
impl Default for Timing {
    fn default() -> Self {
        Self {
            full_interval: Duration::from_hours(24),
            quick_interval: Duration::from_mins(1),
            overlap: Duration::from_mins(10),
            users_interval: Duration::from_mins(15),
            request_deadline: Duration::from_secs(90),
            backoff: Backoff {
                first: Duration::from_secs(5),
                cap: Duration::from_mins(5),
            },
        }
    }
}

/// Which groups are read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Groups {
    /// These, by id or by name.
    Listed(Vec<String>),
    /// Every group of the tenant, known to policies by id only: names are not unique.
    All,
}

/// Reads `source.toml`. `file` names it in problems; paths in it are relative to `folder`.
///
/// # Errors
///
/// Every problem, when one of them is an error; without errors the warnings come along.
pub fn parse(
    file: &str,
    folder: &Path,
    text: &str,
) -> Result<(Config, Vec<Problem>), Vec<Problem>> {
    let (config, _, mut problems) = document::read(file, text, |root| {
        let mut config = Config::default();
        let mut names = HashSet::new();
        for mut section in root.children("file") {
            let read = read_file(&mut section, folder, &mut names);
            config.files.extend(read);
            section.finish();
        }
        for mut section in root.children("graph") {
            let read = read_graph(&mut section, folder, &mut names);
            config.graphs.extend(read);
            section.finish();
        }
        if names.len() > MAX_SOURCES {
            root.error("", format!("expected at most {MAX_SOURCES} sources"));
        }
        config
    });
    if problems
        .iter()
        .any(|problem| problem.severity == Severity::Error)
    {
        return Err(problems);
    }
    if config.files.is_empty() && config.graphs.is_empty() {
        problems.push(Problem {
            file: file.to_owned(),
            line: None,
            key: String::new(),
            message: "no source is configured: every device stays unknown".to_owned(),
            severity: Severity::Warning,
        });
    }
    Ok((config, problems))
}

fn read_file(
    section: &mut Section<'_>,
    folder: &Path,
    names: &mut HashSet<String>,
) -> Option<FileConfig> {
    let name = read_name(section, names);
    let mut config = FileConfig::new(name.as_deref().unwrap_or(""));
    config.devices = section.text("devices").map(|path| folder.join(path));
    config.users = section.text("users").map(|path| folder.join(path));
    section.duration("look_interval", LOOK, &mut config.look_interval);
    section.duration("reload_interval", RELOAD, &mut config.reload_interval);
    section.percent("bad_percent", &mut config.tolerance.bad_percent);
    if config.devices.is_none() && config.users.is_none() {
        section.error("", "expected `devices`, `users` or both");
    }
    name.map(|_| config)
}

fn read_graph(
    section: &mut Section<'_>,
    folder: &Path,
    names: &mut HashSet<String>,
) -> Option<GraphConfig> {
    let name = read_name(section, names);
    let tenant = section.required("tenant");
    if tenant.as_ref().is_some_and(|tenant| !is_tenant(tenant)) {
        let message = "expected a tenant id or domain: letters, digits, `-` and `.`";
        section.error("tenant", message.to_owned());
    }
    let client_id = section.required("client_id");
    let client_secret_file = section.required("client_secret_file");
    let login = read_base(section, "login", "https://login.microsoftonline.com");
    let graph = read_base(section, "graph", "https://graph.microsoft.com/v1.0");
    let ca_file = section.text("ca_file").map(|path| folder.join(path));
    let devices = section.read("devices").unwrap_or(true);
    let users = section.read("users").unwrap_or(true);
    if !devices && !users {
        section.error("", "expected `devices`, `users` or both to be true");
    }
    let groups = read_groups(section);
    let mut timing = Timing::default();
    section.duration("full_interval", FULL, &mut timing.full_interval);
    section.duration("quick_interval", QUICK, &mut timing.quick_interval);
    section.duration("overlap", OVERLAP, &mut timing.overlap);
    section.duration("users_interval", QUICK, &mut timing.users_interval);
    section.duration("request_deadline", DEADLINE, &mut timing.request_deadline);
    let mut limits = Limits::default();
    section.duration("max_time", FULL, &mut limits.time);
    section.count("max_pages", &mut limits.pages);
    section.count("max_rows", &mut limits.rows);
    let mut bad_percent = 10;
    section.percent("bad_percent", &mut bad_percent);
    Some(GraphConfig {
        name: name?,
        tenant: tenant?,
        client_id: client_id?,
        client_secret_file: folder.join(client_secret_file?),
        login: login?,
        graph: graph?,
        ca_file,
        devices,
        users,
        groups,
        timing,
        bad_percent,
        limits,
    })
}

fn read_name(section: &mut Section<'_>, names: &mut HashSet<String>) -> Option<String> {
    let name = section.required("name")?;
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if name.len() > MAX_NAME || !name.chars().all(plain) {
        let message = format!("expected up to {MAX_NAME} letters, digits, `-`, `_` and `.`");
        section.error("name", message);
    }
    if !names.insert(name.clone()) {
        section.error("name", format!("`{name}` names another source already"));
    }
    Some(name)
}

fn read_base(section: &mut Section<'_>, key: &'static str, default: &str) -> Option<Base> {
    let text = section.text(key);
    match Base::parse(text.as_deref().unwrap_or(default)) {
        Ok(base) => Some(base),
        Err(error) => {
            section.error(key, error.to_string());
            None
        }
    }
}

fn read_groups(section: &mut Section<'_>) -> Groups {
    let names = section.texts("groups");
    match names.as_slice() {
        [all] if all == "*" => Groups::All,
        names => {
            if names.len() > MAX_GROUPS {
                section.error("groups", format!("expected at most {MAX_GROUPS} groups"));
            }
            for name in names {
                let known = Uuid::try_parse(name).is_ok() || !name.trim().is_empty();
                if !known || name == "*" || name.len() > MAX_GROUP_NAME {
                    let message = "expected names or ids of groups, or [\"*\"] for all";
                    section.error("groups", message.to_owned());
                }
            }
            Groups::Listed(names.to_vec())
        }
    }
}

fn is_tenant(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.');
    !text.is_empty() && text.len() <= 253 && text.chars().all(plain) && !text.contains("..")
}

/// The inventory numbers 255 feeds, and each source has two.
const MAX_SOURCES: usize = 120;

/// Names stand in every record; short ones keep it readable.
const MAX_NAME: usize = 40;

/// Each group costs requests in every run.
const MAX_GROUPS: usize = 1000;

/// Entra's longest display name.
const MAX_GROUP_NAME: usize = 256;

type Bounds = (Duration, Duration);
const LOOK: Bounds = (Duration::from_secs(1), Duration::from_hours(1));
const RELOAD: Bounds = (Duration::from_secs(10), Duration::from_hours(24));
const FULL: Bounds = (Duration::from_mins(1), Duration::from_hours(24 * 31));
/// A tenant allows 2000 requests in 20 seconds to all applications together.
const QUICK: Bounds = (Duration::from_secs(1), Duration::from_hours(24));
const OVERLAP: Bounds = (Duration::ZERO, Duration::from_hours(24));
const DEADLINE: Bounds = (Duration::from_secs(1), Duration::from_mins(10));

#[cfg(test)]
mod tests;
