//! `[[ldap]]` of `directory.toml`.

use std::fs::File;
use std::io::Read;
use std::net::IpAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;

use zeroize::Zeroizing;

use super::DEADLINES;
use super::check_deadline;
use super::is_plain;
use crate::directory::ldap::Address;
use crate::directory::ldap::Certificates;
use crate::directory::ldap::Filter;
use crate::directory::ldap::GroupLookup;
use crate::directory::ldap::Groups;
use crate::directory::ldap::LdapConfig;
use crate::directory::ldap::Protection;
use crate::directory::ldap::Scope;
use crate::directory::trust::Trust;
use crate::directory::trust::trust;
use crate::document::Choice;
use crate::document::Section;
use crate::model::Secret;

/// How groups are looked up, in the words of the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lookup {
    Off,
    MemberOf,
    Search,
    InChain,
}

impl Choice for Lookup {
    const ALL: &'static [(&'static str, Self)] = &[
        ("off", Self::Off),
        ("member-of", Self::MemberOf),
        ("search", Self::Search),
        ("in-chain", Self::InChain),
    ];
}

impl Choice for Certificates {
    const ALL: &'static [(&'static str, Self)] = &[
        ("off", Self::Off),
        ("prefer", Self::Prefer),
        ("require", Self::Require),
    ];
}

impl Choice for Scope {
    const ALL: &'static [(&'static str, Self)] = &[
        ("base", Self::Base),
        ("one", Self::One),
        ("subtree", Self::Subtree),
    ];
}

pub(super) fn read_ldap(
    section: &mut Section<'_>,
    folder: &Path,
    longest: Duration,
) -> Option<(LdapConfig, Trust)> {
    let name: Option<String> = section.require("name", "name = \"contoso\"");
    if name.as_ref().is_some_and(|name| !is_plain(name)) {
        section.error("name", "expected 1 to 40 letters, digits, - and _");
    }
    let servers = read_servers(section);
    let tls = read_trust(section, folder);
    let mut realms = Vec::new();
    section.set("realms", &mut realms);
    let mut bind_name = String::new();
    section.set("bind_dn", &mut bind_name);
    let bind_password = read_password(section, folder);
    if bind_name.is_empty() != bind_password.is_none() {
        section.error("bind_dn", "bind_dn and bind_password_file belong together");
    }
    let base: Option<String> = section.require("base", "base = \"dc=contoso,dc=com\"");
    let mut scope = Scope::Subtree;
    section.set("scope", &mut scope);
    let filter = read_filter(section, "filter", USER_FILTER);
    if filter
        .as_ref()
        .is_some_and(|filter| !filter.asks_for_user())
    {
        let message = "has neither {user} nor {name}, so that every user would be the same";
        section.error("filter", message);
    }
    let machine_filter = read_machine_filter(section);
    let user_name: Option<String> = section.read("user_attribute");
    let groups = read_groups(section, base.as_deref().unwrap_or_default());
    let mut certificates = Certificates::Off;
    section.set("certificates", &mut certificates);
    let finds_groups = |groups: &Groups| groups.lookup != GroupLookup::Off;
    if certificates != Certificates::Off && !groups.as_ref().is_none_or(finds_groups) {
        let message = "has nothing to look up: groups is \"off\"";
        section.error("certificates", message);
    }
    let mut connections = 8;
    section.set_within("connections", 1..=MAX_CONNECTIONS, &mut connections);
    let mut server_deadline = Duration::from_secs(2);
    section.set_within("server_deadline", DEADLINES, &mut server_deadline);
    check_deadline(section, "server_deadline", server_deadline, longest);
    let config = LdapConfig {
        name: name?,
        servers,
        realms,
        bind_name,
        bind_password,
        base: base?,
        scope,
        filter: filter?,
        machine_filter,
        user_name,
        groups: groups?,
        certificates,
        connections,
        server_deadline,
    };
    Some((config, tls?))
}

fn read_servers(section: &mut Section<'_>) -> Vec<Address> {
    let example = "servers = [\"ldaps://dc1.contoso.com\"]";
    let written: Vec<String> = section.require("servers", example).unwrap_or_default();
    let mut start_tls = true;
    section.set("start_tls", &mut start_tls);
    if section.has("servers") && (written.is_empty() || written.len() > MAX_SERVERS) {
        section.error("servers", format!("expected 1 to {MAX_SERVERS} servers"));
    }
    let mut servers = Vec::new();
    for url in written {
        match address(&url, start_tls) {
            Ok(address) => servers.push(address),
            Err(message) => section.error("servers", message),
        }
    }
    servers
}

/// `ldaps://name[:636]` or `ldap://name[:389]`.
fn address(url: &str, start_tls: bool) -> Result<Address, String> {
    let shown = url.escape_debug();
    let expected = format!("expected a URL such as \"ldaps://dc1.contoso.com\", found \"{shown}\"");
    let (scheme, rest) = url.split_once("://").ok_or(&expected)?;
    let (protection, usual) = match scheme {
        "ldaps" => (Protection::Tls, 636),
        "ldap" if start_tls => (Protection::StartTls, 389),
        "ldap" => (Protection::Clear, 389),
        _ => return Err(expected),
    };
    let rest = rest.strip_suffix('/').unwrap_or(rest);
    let (host, port) = match rest.strip_prefix('[') {
        Some(rest) => {
            let (host, port) = rest.split_once(']').ok_or(&expected)?;
            (host, port.strip_prefix(':'))
        }
        None => match rest.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (rest, None),
        },
    };
    let port = match port {
        Some(port) => port.parse().map_err(|_| &expected)?,
        None => usual,
    };
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':');
    if host.is_empty() || host.len() > 253 || !host.chars().all(plain) || port == 0 {
        return Err(expected);
    }
    let ip: Option<IpAddr> = host.parse().ok();
    let is_local = host.eq_ignore_ascii_case("localhost") || ip.is_some_and(|ip| ip.is_loopback());
    if protection == Protection::Clear && !is_local {
        return Err(format!(
            "passwords would go to {shown} in the clear: use ldaps:// or start_tls = true"
        ));
    }
    Ok(Address {
        host: host.to_owned(),
        port,
        protection,
    })
}

fn read_trust(section: &mut Section<'_>, folder: &Path) -> Option<Trust> {
    let path: Option<PathBuf> = section.read("ca_file");
    let path = path.map(|path| folder.join(path));
    let pem = match path.as_deref().map(octets_of) {
        Some(Ok(octets)) => Some(octets),
        Some(Err(message)) => {
            section.error("ca_file", message);
            return None;
        }
        None => None,
    };
    match trust(pem.as_ref().map(|octets| octets.as_slice())) {
        Ok(trust) => Some(trust),
        Err(error) => {
            let file = path.map(|path| format!("{} ", path.display()));
            section.error("ca_file", file.unwrap_or_default() + &error.to_string());
            None
        }
    }
}

fn read_password(section: &mut Section<'_>, folder: &Path) -> Option<Secret> {
    let path: PathBuf = section.read("bind_password_file")?;
    let path = folder.join(path);
    let octets = match octets_of(&path) {
        Ok(octets) => octets,
        Err(message) => {
            section.error("bind_password_file", message);
            return None;
        }
    };
    let shown = path.display();
    let mode = std::fs::metadata(&path).map(|data| data.permissions().mode() & 0o777);
    if let Ok(mode) = mode
        && mode & 0o077 != 0
    {
        let message = format!("{shown} has mode {mode:04o}, others may read it: chmod 600 {shown}");
        section.error("bind_password_file", message);
    }
    let line = octets.split(|octet| *octet == b'\n').next();
    let line = line.unwrap_or_default();
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    if line.is_empty() {
        // It would be an anonymous bind (RFC 4513 section 5.1.2).
        section.error("bind_password_file", format!("{shown} is empty"));
        return None;
    }
    Some(Secret::new(line.to_vec()))
}

fn read_machine_filter(section: &mut Section<'_>) -> Option<Filter> {
    if !section.has("machine_filter") {
        return None;
    }
    let filter = read_filter(section, "machine_filter", USER_FILTER);
    if filter
        .as_ref()
        .is_some_and(|filter| !filter.asks_for_user())
    {
        let message = "has neither {user} nor {name}, so that every machine would be the same";
        section.error("machine_filter", message);
    }
    filter
}

fn read_filter(section: &mut Section<'_>, key: &'static str, default: &str) -> Option<Filter> {
    let written: Option<String> = section.read(key);
    match written.as_deref().unwrap_or(default).parse() {
        Ok(filter) => Some(filter),
        Err(error) => {
            section.error(key, format!("is no filter (RFC 4515): {error}"));
            None
        }
    }
}

fn read_groups(section: &mut Section<'_>, base: &str) -> Option<Groups> {
    let mut lookup = Lookup::Off;
    section.set("groups", &mut lookup);
    let mut group_base = base.to_owned();
    section.set("group_base", &mut group_base);
    let default = match lookup {
        Lookup::InChain => IN_CHAIN_FILTER,
        Lookup::Off | Lookup::MemberOf | Lookup::Search => GROUP_FILTER,
    };
    let filter = read_filter(section, "group_filter", default);
    if filter
        .as_ref()
        .is_some_and(|filter| !filter.asks_for_member())
    {
        let message = "has neither {dn} nor {uid}, so that everybody would be in every group";
        section.error("group_filter", message);
    }
    let mut name = "cn".to_owned();
    section.set("group_name", &mut name);
    let mut nested = 5;
    section.set_within("nested", 0..=MAX_NESTED, &mut nested);
    // A domain controller follows them by itself; a filter without {dn} finds no group of a group.
    let follows = match lookup {
        Lookup::Off | Lookup::InChain => false,
        Lookup::MemberOf => true,
        Lookup::Search => filter.as_ref().is_some_and(Filter::asks_for_dn),
    };
    Some(Groups {
        lookup: match lookup {
            Lookup::Off => GroupLookup::Off,
            Lookup::MemberOf => GroupLookup::MemberOf,
            Lookup::Search | Lookup::InChain => GroupLookup::Search,
        },
        base: group_base,
        filter: filter?,
        name,
        nested: if follows { nested } else { 0 },
    })
}

fn octets_of(path: &Path) -> Result<Zeroizing<Vec<u8>>, String> {
    let shown = path.display();
    let mut octets = Zeroizing::new(Vec::new());
    let file = File::open(path).map_err(|error| format!("{shown}: {error}"))?;
    let read = file.take(MAX_FILE + 1).read_to_end(&mut octets);
    read.map_err(|error| format!("{shown}: {error}"))?;
    if octets.len() as u64 > MAX_FILE {
        return Err(format!("{shown} is longer than 1 MiB"));
    }
    Ok(octets)
}

const USER_FILTER: &str = "(uid={user})";
const GROUP_FILTER: &str = "(|(&(objectClass=groupOfNames)(member={dn}))\
                            (&(objectClass=groupOfUniqueNames)(uniqueMember={dn}))\
                            (&(objectClass=posixGroup)(memberUid={uid})))";
/// LDAP_MATCHING_RULE_IN_CHAIN of Active Directory.
const IN_CHAIN_FILTER: &str = "(&(objectClass=group)(member:1.2.840.113556.1.4.1941:={dn}))";

const MAX_SERVERS: usize = 16;
/// Of each kind to each server.
const MAX_CONNECTIONS: usize = 256;
/// Levels of groups in groups; each costs a search.
const MAX_NESTED: u8 = 16;
/// Octets of a file with authorities.
const MAX_FILE: u64 = 1 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_are_urls_and_none_is_spoken_to_in_the_clear_but_on_this_machine() {
        for (url, start_tls, expected) in [
            (
                "ldaps://dc1.contoso.com",
                true,
                Ok("ldaps://dc1.contoso.com:636"),
            ),
            (
                "ldap://dc1.contoso.com/",
                true,
                Ok("ldap://dc1.contoso.com:389"),
            ),
            (
                "ldaps://[2001:db8::1]:1636",
                true,
                Ok("ldaps://[2001:db8::1]:1636"),
            ),
            ("ldap://127.0.0.1:1389", false, Ok("ldap://127.0.0.1:1389")),
            ("ldap://[::1]", false, Ok("ldap://[::1]:389")),
            ("ldap://dc1.contoso.com", false, Err("in the clear")),
            ("ldap://localhost.contoso.com", false, Err("in the clear")),
            ("ldapi:///run/slapd", true, Err("expected a URL")),
            ("dc1.contoso.com", true, Err("expected a URL")),
            ("ldaps://", true, Err("expected a URL")),
            ("ldaps://a:0", true, Err("expected a URL")),
            ("ldaps://a:x", true, Err("expected a URL")),
            ("ldaps://a/dc=b", true, Err("expected a URL")),
            ("ldaps://user@a", true, Err("expected a URL")),
        ] {
            let found = address(url, start_tls).map(|address| address.to_string());
            match (found, expected) {
                (Ok(found), Ok(expected)) => assert_eq!(found, expected, "row {url}"),
                (Err(found), Err(expected)) => assert!(found.contains(expected), "{found}"),
                (found, _) => panic!("row {url}: {found:?}"),
            }
        }
    }
}
