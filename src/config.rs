//! Files to typed configuration.
//!
//! This room reads `gateway.toml`, `nas.toml`, `users.toml` and `proxy.toml` of one folder and turns them into
//! plain structs with units in their types. It knows what may be written and what goes together;
//! it never binds, spawns or changes anything.
//!
//! It works in two steps, because the first start makes files that the second step looks for:
//!
//! 1. [`read`] gives a [`Draft`]: the files parsed, every problem in them noted with file,
//!    line and key. Nothing that the files point at has been opened.
//! 2. [`Draft::complete`] opens those: secrets, certificates, keys. It applies the rules that look
//!    at several keys and files at once, and gives a [`Loaded`] or everything that is wrong.
//!
//! Between the two, `app::first_start` makes what is missing. Policies, sources and the inventory
//! are files of their own rooms; [`Hook`]s let `check` report their problems along with ours.

mod care;
mod certificate;
mod default;
mod dictionaries;
mod draft;
mod enforcement;
mod error;
mod gateway;
mod host;
mod layout;
mod mail;
mod material;
mod messages;
mod methods;
mod nas;
mod opened;
mod passwords;
mod proxy;
mod revocation;
mod rules;
mod sessions;
mod settings;
mod text;
mod tls_policy;
mod upstreams;
mod users;

use std::path::Path;
use std::path::PathBuf;

use crate::access::Silence;
use crate::directory::Entry;
use crate::document;
use crate::model::Problem;
use crate::model::Severity;
use crate::model::Timestamp;
use crate::radius::NasConfig;
use crate::radius::PeerConfig;

pub use care::Notify;
pub use certificate::FileError;
pub use certificate::Inspected;
pub use certificate::InspectedFile;
pub use certificate::SAMPLE_ORGANIZATION;
pub use certificate::Usage;
pub use certificate::check_key;
pub use certificate::inspect;
pub use certificate::inspect_folder;
pub use default::FILES as DEFAULT_FILES;
pub use enforcement::Enforcement;
pub use enforcement::Profile;
pub use enforcement::Profiles;
pub use error::Refused;
pub use layout::Layout;
pub use material::MaterialError;
pub use material::RadsecFiles;
pub use messages::Messages;
pub use methods::Allowed;
pub use methods::Methods;
pub use nas::NasGroup;
use opened::Opened;
pub use passwords::Passwords;
pub use passwords::WhenUnavailable;
pub use proxy::Authorization;
pub use proxy::Check;
pub use proxy::Discovery;
pub use proxy::HomeServer;
pub use proxy::HomeTls;
pub use proxy::Realm;
pub use revocation::Ocsp;
pub use revocation::Revocation;
pub use revocation::Strictness;
pub use settings::Accounting;
pub use settings::Certificates;
pub use settings::Data;
pub use settings::Eap;
pub use settings::History;
pub use settings::Journal;
pub use settings::Listen;
pub use settings::Log;
pub use settings::LogFormat;
pub use settings::LogLevel;
pub use settings::Mail;
pub use settings::Radius11;
pub use settings::Radsec;
pub use settings::Shutdown;
pub use settings::Workers;
pub use text::ReadError;
pub use text::read_octets;
pub use tls_policy::TlsPolicy;
pub use tls_policy::TlsProfile;
pub use upstreams::Application as MailApplication;
pub use upstreams::MailRoute;
pub use upstreams::ONE_URL;
pub use upstreams::Upstream as MailUpstream;

/// Everything that is set, one field per room; paths can be opened as they stand.
#[derive(Clone, Debug)]
pub struct Config {
    /// The conf folder, where the files of other rooms lie too.
    pub folder: PathBuf,
    /// Doors.
    pub listen: Listen,
    /// What the gateway writes.
    pub data: Data,
    /// The certificates folder.
    pub certificates: Certificates,
    /// EAP.
    pub eap: Eap,
    /// RADIUS over TLS.
    pub radsec: Radsec,
    /// How revoked certificates become known.
    pub revocation: Revocation,
    /// Threads.
    pub workers: Workers,
    /// The mail plane.
    pub mail: Mail,
    /// The record of decisions.
    pub journal: Journal,
    /// The history of decisions.
    pub history: History,
    /// The record of accounting.
    pub accounting: Accounting,
    /// Log output.
    pub log: Log,
    /// Stopping.
    pub shutdown: Shutdown,
    /// When sessions are over of which nothing more is heard.
    pub sessions: Silence,
    /// By which methods a peer may authenticate.
    pub methods: Methods,
    /// What is done about wrong passwords.
    pub passwords: Passwords,
    /// What verdicts become on the network.
    pub enforcement: Enforcement,
    /// Who may ask, in the order of the file; no network twice, no secret weak.
    pub nas: Vec<NasConfig>,
    /// The groups that those, and those over TLS, are in.
    pub nas_groups: Vec<NasGroup>,
    /// Who may ask over TLS, in the order of the file.
    pub peers: Vec<PeerConfig>,
    /// Other RADIUS servers; no name twice.
    pub homes: Vec<HomeServer>,
    /// Whose requests they get, in the order of the file; no realm twice.
    pub realms: Vec<Realm>,
    /// How further home servers are looked up, if they are.
    pub discovery: Option<Discovery>,
    /// Users with passwords; no name twice.
    pub users: Vec<Entry>,
}

/// A configuration that can be used.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The configuration.
    pub config: Config,
    /// What is worth a look all the same.
    pub warnings: Vec<Problem>,
}

/// What a configuration is completed for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// To be told what is wrong. A file that the next start makes is only warned about, and what
    /// depends on it is left out of the result.
    Check,
    /// To be used. Every file must be there.
    Start,
}

/// Another room's check, run along with ours: its own file in the conf folder, or names in ours
/// that only that room can look up.
pub type Hook = fn(&Config) -> Vec<Problem>;

/// The files as parsed; nothing that they point at has been opened.
#[derive(Clone, Debug)]
pub struct Draft {
    folder: PathBuf,
    gateway: gateway::Gateway,
    nas: Vec<nas::Entry>,
    users: Vec<users::Keyed>,
    proxy: proxy::Proxy,
    written: Written,
    problems: Vec<Problem>,
}

/// Lines of the keys of each file.
#[derive(Clone, Debug)]
struct Written {
    gateway: document::Written,
    nas: document::Written,
    users: document::Written,
    proxy: document::Written,
}

/// Reads the conf folder. Problems are kept in the draft.
#[must_use]
pub fn read(folder: &Path) -> Draft {
    let mut problems = rules::unknown_files(folder);
    let gateway = read_file(folder, "gateway.toml", Absent::Defaults, &mut problems);
    let nas = read_file(folder, "nas.toml", Absent::Error, &mut problems);
    let users = read_file(folder, "users.toml", Absent::Empty, &mut problems);
    let proxy = read_file(folder, "proxy.toml", Absent::Empty, &mut problems);
    let (mut gateway, gateway_written, found) =
        document::read(&gateway.0, &gateway.1, gateway::Gateway::read);
    problems.extend(found);
    let (mut nas, nas_written, found) = document::read(&nas.0, &nas.1, nas::read);
    problems.extend(found);
    let (users, users_written, found) = document::read(&users.0, &users.1, users::read);
    problems.extend(found);

    let (mut proxy, proxy_written, found) = document::read(&proxy.0, &proxy.1, proxy::Proxy::read);
    problems.extend(found);

    let base = base_folder(folder, &gateway.base);
    for path in gateway.paths_mut() {
        *path = base.join(&*path);
    }
    for entry in &mut nas {
        for path in entry.secret_files_mut() {
            *path = base.join(&*path);
        }
    }
    for path in proxy.paths_mut() {
        *path = base.join(&*path);
    }
    Draft {
        folder: folder.to_owned(),
        gateway,
        nas,
        users,
        proxy,
        written: Written {
            gateway: gateway_written,
            nas: nas_written,
            users: users_written,
            proxy: proxy_written,
        },
        problems,
    }
}

/// The name for messages and the text of a file of the conf folder, for rooms that read their own.
///
/// # Errors
///
/// When it does not exist, is longer than 16 MiB or is not UTF-8 text.
pub fn open(folder: &Path, name: &str) -> Result<(String, String), Problem> {
    read_text(folder, name).map_err(|(file, error)| whole_file(&file, &error))
}

impl Draft {
    /// Whether gateway.toml is missing or sets nothing, so that all of it is the defaults. One that cannot
    /// be read says something, and so does one with a key that is none.
    #[must_use]
    pub fn says_nothing(&self) -> bool {
        let written = &self.written.gateway;
        let is_wrong =
            |problem: &Problem| problem.severity == Severity::Error && problem.file == written.file;
        written.lines.values().all(Option::is_none) && !self.problems.iter().any(is_wrong)
    }

    /// Opens what the files point at and applies every rule.
    ///
    /// # Errors
    ///
    /// Every problem, when one of them is an error.
    pub fn complete(
        mut self,
        purpose: Purpose,
        now: Timestamp,
        hooks: &[Hook],
    ) -> Result<Loaded, Refused> {
        let mut problems = std::mem::take(&mut self.problems);
        if !error::any_error(&problems) {
            rules::doors(&self, &mut problems);
        }
        problems.extend(nas::check(&self.nas, &self.written.nas));
        problems.extend(self.proxy.check(&self.written.proxy));
        let mut opened = Opened::new(&self, purpose, now);
        let nas = opened.secrets();
        let homes = opened.homes();
        opened.certificates();
        if !error::any_error(&problems) && !error::any_error(&opened.problems) {
            opened.whole_eap();
        }
        let Opened {
            problems: found,
            sample,
            ..
        } = opened;
        problems.extend(found);
        problems.extend(rules::check(&self, &sample));
        let written = &self.written.gateway;
        let dictionary = self.gateway.dictionaries.load(written, &mut problems);
        let enforcement = &self.gateway.enforcement;
        let enforcement = enforcement.encode(&dictionary, written, &mut problems);
        let written = &self.written.proxy;
        self.proxy.look_up(&dictionary, written, &mut problems);
        let order = [
            &self.written.gateway,
            &self.written.nas,
            &self.written.users,
            &self.written.proxy,
        ]
        .map(|written| written.file.clone());
        let written_in = [&self.written.gateway, &self.written.proxy].map(document::Written::clone);
        let config = self.into_config(nas, homes, enforcement);
        let mut found: Vec<Problem> = hooks.iter().flat_map(|hook| hook(&config)).collect();
        // Whoever looks a name of ours up knows its file and key.
        for problem in found.iter_mut().filter(|problem| problem.line.is_none()) {
            let mut written = written_in.iter();
            let written = written.find(|written| written.file == problem.file);
            problem.line = written.and_then(|written| written.line(&problem.key));
        }
        problems.extend(found);
        sort(&order, &mut problems);
        if error::any_error(&problems) {
            return Err(Refused { problems });
        }
        Ok(Loaded {
            config,
            warnings: problems,
        })
    }

    fn into_config(
        self,
        nas: Vec<NasConfig>,
        homes: Vec<HomeServer>,
        enforcement: Enforcement,
    ) -> Config {
        let gateway = self.gateway;
        let set: Vec<&String> = (gateway.enforcement.groups.keys())
            .chain(gateway.methods.groups.keys())
            .chain(gateway.eap.groups.keys())
            .collect();
        let nas_groups = nas::groups(&self.nas, &self.written.nas, &set);
        Config {
            folder: self.folder,
            listen: gateway.listen,
            data: gateway.data,
            certificates: gateway.certificates,
            eap: gateway.eap,
            radsec: gateway.radsec,
            revocation: gateway.revocation,
            workers: gateway.workers,
            mail: gateway.mail,
            journal: gateway.journal,
            history: gateway.history,
            accounting: gateway.accounting,
            log: gateway.log,
            shutdown: gateway.shutdown,
            sessions: gateway.sessions,
            methods: gateway.methods,
            passwords: gateway.passwords,
            enforcement,
            nas,
            nas_groups,
            peers: self.nas.iter().filter_map(nas::Entry::over_tls).collect(),
            homes,
            realms: self.proxy.realms,
            discovery: self.proxy.discovery,
            users: self.users.into_iter().map(|user| user.entry).collect(),
        }
    }
}

/// What the absence of a file means.
#[derive(Clone, Copy)]
enum Absent {
    /// The defaults apply; said as a warning.
    Defaults,
    /// Nothing can work without it.
    Error,
    /// There is simply nothing of its kind.
    Empty,
}

/// The name of a file for messages, and its text; empty if there is none.
fn read_file(
    folder: &Path,
    name: &str,
    absent: Absent,
    problems: &mut Vec<Problem>,
) -> (String, String) {
    let (file, error) = match read_text(folder, name) {
        Ok(found) => return found,
        Err((file, error)) => (file, error),
    };
    let problem = whole_file(&file, &error);
    match (absent, error) {
        (Absent::Empty, ReadError::Missing) => {}
        (Absent::Defaults, ReadError::Missing) => problems.push(Problem {
            message: "does not exist, the defaults apply".to_owned(),
            severity: Severity::Warning,
            ..problem
        }),
        (Absent::Empty | Absent::Defaults | Absent::Error, _) => problems.push(problem),
    }
    (file, String::new())
}

fn read_text(folder: &Path, name: &str) -> Result<(String, String), (String, ReadError)> {
    let path = folder.join(name);
    let file = path.display().to_string();
    match text::read_text(&path, MAX_FILE) {
        Ok(text) => Ok((file, text)),
        Err(error) => Err((file, error)),
    }
}

fn whole_file(file: &str, error: &ReadError) -> Problem {
    Problem {
        file: file.to_owned(),
        line: None,
        key: String::new(),
        message: error.to_string(),
        severity: Severity::Error,
    }
}

/// Where relative paths start. `..` is taken off the name instead of being appended, so that
/// messages say `certs/root.pem` and not `conf/../certs/root.pem`.
fn base_folder(folder: &Path, base: &Path) -> PathBuf {
    match (folder.file_name(), folder.parent()) {
        (Some(_), Some(parent)) if base == Path::new("..") => parent.to_owned(),
        (_, _) => folder.join(base),
    }
}

/// Sorts problems by file, in the order in which one reads the files, then by line.
fn sort(order: &[String], problems: &mut [Problem]) {
    problems.sort_by_cached_key(|problem| {
        let file = order.iter().position(|file| *file == problem.file);
        let file = file.unwrap_or(order.len());
        (file, problem.file.clone(), problem.line)
    });
}

/// Octets of one file: 50,000 NASes or 100,000 users with argon2 hashes fit.
const MAX_FILE: u64 = 16 * 1024 * 1024;

#[cfg(test)]
mod tests;
