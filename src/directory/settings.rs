//! `directory.toml`: which directories there are, and what the files are that it names.

use std::path::Path;
use std::time::Duration;

use crate::directory::Config;
use crate::directory::WinbindConfig;
use crate::document;
use crate::document::Section;
use crate::model::Problem;
use crate::model::Severity;

mod ldap;

impl Default for Config {
    fn default() -> Self {
        Self {
            ldap: Vec::new(),
            winbind: None,
            deadline: Duration::from_secs(5),
            most_waiting: 256,
            groups_fresh_for: Duration::from_mins(10),
            groups_kept_for: Duration::from_hours(24),
        }
    }
}

/// Reads the file; relative paths in it start at `folder`. The files that it names are read too.
///
/// # Errors
///
/// Everything that is wrong.
pub fn parse(
    file: &str,
    folder: &Path,
    text: &str,
) -> Result<(Config, Vec<Problem>), Vec<Problem>> {
    let (config, _, problems) = document::read(file, text, |root| read(root, folder));
    if problems
        .iter()
        .any(|problem| problem.severity == Severity::Error)
    {
        return Err(problems);
    }
    Ok((config, problems))
}

fn read(root: &mut Section<'_>, folder: &Path) -> Config {
    let mut config = Config::default();
    root.set_within("deadline", DEADLINES, &mut config.deadline);
    root.set_within("most_waiting", 1..=MOST_WAITING, &mut config.most_waiting);
    let fresh = Duration::from_secs(1)..=LONGEST_KEPT;
    root.set_within("groups_fresh_for", fresh, &mut config.groups_fresh_for);
    let kept = Duration::ZERO..=LONGEST_KEPT;
    root.set_within("groups_kept_for", kept, &mut config.groups_kept_for);
    let mut names = Vec::new();
    let tables = root.children("ldap");
    if tables.len() > MAX_DIRECTORIES {
        root.error("ldap", format!("more than {MAX_DIRECTORIES} directories"));
    }
    for mut section in tables.into_iter().take(MAX_DIRECTORIES) {
        let ldap = ldap::read_ldap(&mut section, folder, config.deadline);
        section.finish();
        if let Some((ldap, tls)) = ldap {
            if names.contains(&ldap.name) {
                let message = format!("{} is the name of another directory", ldap.name);
                section.error("name", message);
            }
            names.push(ldap.name.clone());
            config.ldap.push((ldap, tls));
        }
    }
    if root.has("winbind") {
        let mut section = root.child("winbind");
        config.winbind = read_winbind(&mut section, config.deadline);
        section.finish();
    }
    config
}

fn read_winbind(section: &mut Section<'_>, longest: Duration) -> Option<WinbindConfig> {
    let mut command = vec![
        "/usr/bin/ntlm_auth".to_owned(),
        "--allow-mschapv2".to_owned(),
        "--helper-protocol=ntlm-server-1".to_owned(),
    ];
    section.set("command", &mut command);
    match command.first() {
        Some(program) if Path::new(program).is_absolute() => {
            if !Path::new(program).is_file() {
                let message =
                    format!("{program} does not exist: it is of Debian's package winbind");
                section.error("command", message);
            }
        }
        Some(_) | None => section.error("command", "expected a program with its whole path"),
    }
    let mut realms = Vec::new();
    section.set("realms", &mut realms);
    let mut domain = String::new();
    section.set("domain", &mut domain);
    let mut processes = 4;
    section.set_within("processes", 1..=MAX_PROCESSES, &mut processes);
    let mut deadline = Duration::from_secs(3);
    section.set_within("deadline", DEADLINES, &mut deadline);
    check_deadline(section, "deadline", deadline, longest);
    Some(WinbindConfig {
        command,
        realms,
        domain,
        processes,
        deadline,
    })
}

/// Whoever is given up by the deadline of all is never seen to be late.
fn check_deadline(section: &Section<'_>, key: &str, own: Duration, longest: Duration) {
    if own > longest {
        section.error(key, "is longer than the deadline of all directories");
    }
}

fn is_plain(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    (1..=40).contains(&name.len()) && name.chars().all(plain)
}

/// A NAS gives a request up after some ten seconds.
const DEADLINES: std::ops::RangeInclusive<Duration> =
    Duration::from_millis(100)..=Duration::from_secs(20);
/// Whoever has left is to be gone from everywhere after a month.
const LONGEST_KEPT: Duration = Duration::from_hours(30 * 24);
/// With a kilobyte each; beyond, a user waits for longer than the NAS does.
const MOST_WAITING: usize = 100_000;
/// Each one that does not know a user costs a search.
const MAX_DIRECTORIES: usize = 16;
const MAX_PROCESSES: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::directory::ldap::GroupLookup;

    const LEAST: &str = "[[ldap]]\nname = \"a\"\nservers = [\"ldap://localhost\"]\n\
                         start_tls = false\nbase = \"dc=a\"\n";

    fn said(text: &str) -> String {
        match parse("f", Path::new("/nowhere"), text) {
            Ok((_, problems)) => problems.iter().map(|one| format!("{one}\n")).collect(),
            Err(problems) => problems.iter().map(|one| format!("{one}\n")).collect(),
        }
    }

    #[test]
    fn the_least_that_must_be_written_has_sensible_defaults() {
        let (config, problems) = parse("f", Path::new("/"), LEAST).unwrap();
        assert_eq!(problems, []);
        let (ldap, _) = &config.ldap[0];
        assert_eq!(ldap.filter.to_string(), "(uid={user})");
        assert_eq!(ldap.groups.lookup, GroupLookup::Off);
        assert_eq!(ldap.servers[0].to_string(), "ldap://localhost:389");
        assert!(config.winbind.is_none());
        let chain = format!("{LEAST}groups = \"in-chain\"\n");
        let (config, _) = parse("f", Path::new("/"), &chain).unwrap();
        assert_eq!(config.ldap[0].0.groups.lookup, GroupLookup::Search);
        assert_eq!(config.ldap[0].0.groups.nested, 0);
        let empty = parse("f", Path::new("/"), "").unwrap().0;
        assert!(empty.ldap.is_empty() && empty.winbind.is_none());
    }

    #[test]
    fn mistakes_are_told_with_line_and_key() {
        for (text, expected) in [
            ("[[ldap]]\n", "f:1: ldap[0].name: this key is needed"),
            ("[[ldap]]\n", "f:1: ldap[0].servers: this key is needed"),
            ("[[ldap]]\n", "f:1: ldap[0].base: this key is needed"),
            (
                "[[ldap]]\nservers = []\n",
                "f:2: ldap[0].servers: expected 1 to 16 servers",
            ),
            (
                &format!("{LEAST}filter = \"(uid=alice)\"\n"),
                "f:6: ldap[0].filter: has neither {user} nor {name}",
            ),
            (
                &format!("{LEAST}filter = \"uid={{user}}\"\n"),
                "f:6: ldap[0].filter: is no filter (RFC 4515): expected an opening parenthesis",
            ),
            (
                &format!("{LEAST}group_filter = \"(cn=all)\"\n"),
                "f:6: ldap[0].group_filter: has neither {dn} nor {uid}",
            ),
            (
                &format!("{LEAST}bind_dn = \"cn=a\"\n"),
                "f:6: ldap[0].bind_dn: bind_dn and bind_password_file belong together",
            ),
            (
                &format!("{LEAST}bind_password_file = \"missing\"\n"),
                "f:6: ldap[0].bind_password_file: /nowhere/missing: No such file",
            ),
            (
                &format!("{LEAST}ca_file = \"missing\"\n"),
                "f:6: ldap[0].ca_file: /nowhere/missing: No such file",
            ),
            (
                &format!("{LEAST}{LEAST}"),
                "f:7: ldap[1].name: a is the name of another directory",
            ),
            (
                &format!("{LEAST}groups = \"nested\"\n"),
                "f:6: ldap[0].groups: ",
            ),
            (
                &format!("{LEAST}filtr = \"\"\n"),
                "f:6: ldap[0].filtr: unknown key",
            ),
            (
                &format!("{LEAST}certificates = \"require\"\n"),
                "f:6: ldap[0].certificates: has nothing to look up",
            ),
            (
                &format!("{LEAST}machine_filter = \"(cn=pc)\"\n"),
                "f:6: ldap[0].machine_filter: has neither {user} nor {name}",
            ),
            (
                "[winbind]\ncommand = [\"ntlm_auth\"]\n",
                "f:2: winbind.command: expected a program",
            ),
            (
                "[winbind]\ncommand = [\"/nowhere/ntlm_auth\"]\n",
                "f:2: winbind.command: /nowhere/ntlm_auth does not exist",
            ),
            ("deadline = \"1h\"\n", "f:1: deadline: expected"),
            (
                &format!("{LEAST}server_deadline = \"6s\"\n"),
                "f:6: ldap[0].server_deadline: is longer than the deadline of all",
            ),
        ] {
            let found = said(text);
            assert!(found.contains(expected), "row {text}\n{found}");
        }
    }
}
