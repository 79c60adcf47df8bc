//! The groups that a user is in, nested ones included, within bounds.

use std::collections::HashSet;

use crate::directory::ldap::connection::Entry;
use crate::directory::ldap::connection::Trouble;
use crate::directory::ldap::filter::Filter;
use crate::directory::ldap::filter::Places;
use crate::directory::ldap::message::Scope;
use crate::directory::ldap::message::Search;
use crate::directory::ldap::server::Server;
use crate::directory::name::LoginName;
use crate::model::GroupId;

/// How groups are found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Groups {
    /// Where they are written down.
    pub lookup: GroupLookup,
    /// Where they are searched.
    pub base: String,
    /// What finds the groups that have `{dn}`, or `{uid}`, as a member.
    pub filter: Filter,
    /// The attribute that has a group's name.
    pub name: String,
    /// How many levels of groups in groups are followed; 0 for the user's own ones.
    pub nested: u8,
}

/// Where it is written down who is in a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GroupLookup {
    /// Nowhere that is asked.
    Off,
    /// At the members, in `memberOf`: Active Directory, OpenLDAP with its overlay.
    MemberOf,
    /// At the groups, which are searched.
    Search,
}

/// Finds the groups of a user.
pub(super) async fn of(
    server: &Server,
    groups: &Groups,
    login: &LoginName<'_>,
    user: &Entry,
) -> Result<Vec<GroupId>, Trouble> {
    let mut known = Known::default();
    let mut level: Vec<String> = match groups.lookup {
        GroupLookup::Off => return Ok(Vec::new()),
        GroupLookup::MemberOf => user.texts(MEMBER_OF).map(str::to_owned).collect(),
        GroupLookup::Search => {
            let uid = user.texts(UID).next().unwrap_or(login.user);
            let places = Places {
                user: login.user,
                name: login.whole,
                dn: &user.name,
                uid,
            };
            let filter = groups.filter.encode(&places);
            search(server, groups, &filter, &mut known).await?
        }
    };
    for depth in 0..=groups.nested {
        let fresh: Vec<String> = level
            .into_iter()
            .filter(|name| known.names.insert(name.to_lowercase()))
            .collect();
        if known.names.len() > MAX_GROUPS {
            return Err(Trouble::TooMany(MAX_GROUPS));
        }
        if groups.lookup == GroupLookup::MemberOf {
            known.add(fresh.iter().filter_map(|name| first_value(name)));
        }
        if fresh.is_empty() || depth == groups.nested {
            break;
        }
        level = match groups.lookup {
            GroupLookup::Off => Vec::new(),
            GroupLookup::MemberOf => parents(server, &fresh).await?,
            GroupLookup::Search => {
                let mut found = Vec::new();
                for some in fresh.chunks(AT_ONCE) {
                    let places = some.iter().map(|dn| Places {
                        dn,
                        ..Places::default()
                    });
                    let filter = groups.filter.encode_any(places);
                    found.extend(search(server, groups, &filter, &mut known).await?);
                }
                found
            }
        };
    }
    Ok(known.groups)
}

/// What was found so far.
#[derive(Default)]
struct Known {
    /// DNs, in lower case: a group in a circle is looked at once.
    names: HashSet<String>,
    groups: Vec<GroupId>,
}

impl Known {
    fn add(&mut self, names: impl Iterator<Item = impl AsRef<str>>) {
        let groups = names.map(|name| GroupId::named(name.as_ref()));
        self.groups.extend(groups);
    }
}

/// Notes the names of the groups that a filter finds; gives their DNs.
async fn search(
    server: &Server,
    groups: &Groups,
    filter: &[u8],
    known: &mut Known,
) -> Result<Vec<String>, Trouble> {
    let attributes = [groups.name.as_str()];
    let search = Search {
        base: &groups.base,
        scope: Scope::Subtree,
        limit: LIMIT,
        seconds: SECONDS,
        filter,
        attributes: &attributes,
    };
    let found = server.search(&search).await?;
    for group in &found {
        known.add(group.texts(&groups.name));
    }
    Ok(found.into_iter().map(|group| group.name).collect())
}

/// The groups that these groups are in, as `memberOf` of theirs says.
async fn parents(server: &Server, groups: &[String]) -> Result<Vec<String>, Trouble> {
    let mut found = Vec::new();
    for group in groups {
        let search = Search {
            base: group,
            scope: Scope::Base,
            limit: 1,
            seconds: SECONDS,
            // (objectClass=*)
            filter: ANYTHING,
            attributes: &[MEMBER_OF],
        };
        match server.search(&search).await {
            Ok(entries) => {
                let names = entries.iter().flat_map(|entry| entry.texts(MEMBER_OF));
                found.extend(names.map(str::to_owned));
            }
            // A group that the account may not see, or that is of another domain.
            Err(Trouble::Refused {
                code: NO_SUCH_OBJECT,
                ..
            }) => {}
            Err(trouble) => return Err(trouble),
        }
    }
    Ok(found)
}

/// The value of the first part of a DN (RFC 4514): `Staff, all` of `CN=Staff\, all,OU=Groups,...`.
fn first_value(name: &str) -> Option<String> {
    let (_, value) = name.split_once('=')?;
    let mut octets = Vec::new();
    let mut rest = value.as_bytes().iter().copied();
    while let Some(octet) = rest.next() {
        match octet {
            b',' | b'+' | b';' => break,
            b'\\' => {
                let escaped = rest.next()?;
                match char::from(escaped).to_digit(16) {
                    // Two digits, or one of the characters that stand for themselves.
                    Some(high) if !matches!(escaped, b' ' | b'"' | b'#') => {
                        let low = char::from(rest.next()?).to_digit(16)?;
                        octets.push(u8::try_from(high << 4 | low).ok()?);
                    }
                    _ => octets.push(escaped),
                }
            }
            octet => octets.push(octet),
        }
    }
    let text = String::from_utf8(octets).ok()?;
    let text = text.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

/// Attributes of users.
pub(super) const UID: &str = "uid";
pub(super) const MEMBER_OF: &str = "memberOf";

/// Groups of one user, nested ones included: a Windows token cannot carry more (1,015). Beyond, the
/// user is not let in, since a group that is left out may be the one that is kept out.
const MAX_GROUPS: usize = 1_024;
/// The same for one search.
const LIMIT: u32 = 1_024;
/// Groups whose groups are asked for with one filter.
const AT_ONCE: usize = 32;
/// For a server that is slow; the deadline is the caller's.
const SECONDS: u32 = 10;

/// A filter that holds for every entry: `(objectClass=*)`.
const ANYTHING: &[u8] = b"\x87\x0bobjectClass";

const NO_SUCH_OBJECT: u32 = 32;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_value_of_a_dn_is_a_groups_name_rfc4514_2_4() {
        for (name, expected) in [
            ("CN=Staff,OU=Groups,DC=contoso,DC=com", Some("Staff")),
            ("cn=Staff\\, all,ou=g", Some("Staff, all")),
            ("cn=Caf\\c3\\a9,ou=g", Some("Caf\u{e9}")),
            ("cn=a\\+b+uid=1,ou=g", Some("a+b")),
            ("cn=\\#1 group", Some("#1 group")),
            ("cn= Staff ,ou=g", Some("Staff")),
            ("cn=,ou=g", None),
            ("cn=a\\", None),
            ("cn=a\\c", None),
            ("cn=\\ff", None),
            ("Staff", None),
            ("", None),
        ] {
            assert_eq!(first_value(name).as_deref(), expected, "row {name}");
        }
    }
}
