//! Entra's users and groups (Graph v1.0): what is asked for and what an answer says.
//!
//! Memberships are flattened by the service (`transitiveMembers`), so nested groups count.
//! Display names of groups are not unique in Entra, and in many tenants any user may make a group.
//! A name is therefore taken only when exactly one group bears it: otherwise somebody could make
//! a second `break-glass` and walk in.

use std::collections::HashMap;

use percent_encoding::NON_ALPHANUMERIC;
use percent_encoding::utf8_percent_encode;
use uuid::Uuid;

use crate::inventory::UserReport;
use crate::model::GroupId;
use crate::model::UserId;
use crate::sync::json::Page;
use crate::sync::json::PageError;
use crate::sync::json::RowError;

/// A user with the object id that memberships refer to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DirectoryUser {
    /// Entra's object id.
    pub object: Uuid,
    /// What is said of the user; the groups come later, from the members of each.
    pub report: UserReport,
}

/// A group as listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DirectoryGroup {
    /// Entra's object id.
    pub object: Uuid,
    /// `displayName`; not unique.
    pub name: Option<String>,
}

/// Reads a page of users.
///
/// # Errors
///
/// When the answer as a whole is not a page.
pub fn read_users(octets: &[u8]) -> Result<Page<DirectoryUser>, PageError> {
    Page::read(octets, |row| {
        let object = object_id(row.text("id"))?;
        let user = row
            .text("userPrincipalName")
            .and_then(UserId::parse)
            .ok_or(RowError::Identifier("userPrincipalName"))?;
        let account = row.text("onPremisesSamAccountName").and_then(UserId::parse);
        let report = UserReport {
            aliases: account.into_iter().filter(|name| *name != user).collect(),
            user,
            enabled: row.truth("accountEnabled").into(),
            groups: Vec::new(),
        };
        Ok(Some(DirectoryUser { object, report }))
    })
}

/// Reads a page of groups.
///
/// # Errors
///
/// When the answer as a whole is not a page.
pub fn read_groups(octets: &[u8]) -> Result<Page<DirectoryGroup>, PageError> {
    Page::read(octets, |row| {
        Ok(Some(DirectoryGroup {
            object: object_id(row.text("id"))?,
            name: row.text("displayName").map(str::to_owned),
        }))
    })
}

/// Reads a page of the members of a group: the object ids of its users. Nested groups and
/// devices are passed over.
///
/// # Errors
///
/// When the answer as a whole is not a page.
pub fn read_members(octets: &[u8]) -> Result<Page<Uuid>, PageError> {
    Page::read(octets, |row| {
        let user = row
            .text("@odata.type")
            .is_none_or(|kind| kind.eq_ignore_ascii_case("#microsoft.graph.user"));
        if user {
            object_id(row.text("id")).map(Some)
        } else {
            Ok(None)
        }
    })
}

/// All users.
pub(super) fn users_query() -> String {
    format!(
        "/users?$select=id,userPrincipalName,accountEnabled,onPremisesSamAccountName&$top={PAGE}"
    )
}

/// All groups.
pub(super) fn groups_query() -> String {
    format!("/groups?$select=id,displayName&$top={PAGE}")
}

/// The groups of a name; two answers mean that the name is ambiguous.
pub(super) fn group_by_name_query(name: &str) -> String {
    // OData doubles the quotes inside a text.
    let quoted = name.replace('\'', "''");
    let quoted = utf8_percent_encode(&quoted, NON_ALPHANUMERIC);
    format!("/groups?$select=id,displayName&$filter=displayName%20eq%20'{quoted}'")
}

/// The members of a group and of the groups in it.
pub(super) fn members_query(group: Uuid) -> String {
    format!(
        "/groups/{}/transitiveMembers?$select=id&$top={PAGE}",
        group.hyphenated()
    )
}

/// A group under the names that policies may use for it, with its members.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Membership {
    /// By object id, and by name when the configuration gives the name.
    pub(super) names: Vec<GroupId>,
    /// Object ids of users.
    pub(super) members: Vec<Uuid>,
}

/// Users with their groups; members that are not among the users are left out.
pub(super) fn join<'a>(
    users: Vec<DirectoryUser>,
    memberships: impl IntoIterator<Item = &'a Membership>,
) -> Vec<UserReport> {
    let mut places = HashMap::with_capacity(users.len());
    let mut reports = Vec::with_capacity(users.len());
    for user in users {
        // A user that is listed twice, because the list moved during the walk, is one user.
        let place = *places.entry(user.object).or_insert(reports.len());
        match reports.get_mut(place) {
            Some(earlier) => *earlier = user.report,
            None => reports.push(user.report),
        }
    }
    for membership in memberships {
        for member in &membership.members {
            let place = places.get(member).copied();
            if let Some(report) = place.and_then(|place| reports.get_mut(place)) {
                report.groups.extend(&membership.names);
            }
        }
    }
    for report in &mut reports {
        report.groups.sort_unstable();
        report.groups.dedup();
    }
    reports
}

fn object_id(text: Option<&str>) -> Result<Uuid, RowError> {
    text.and_then(|text| Uuid::try_parse(text).ok())
        .filter(|id| !id.is_nil())
        .ok_or(RowError::Identifier("id"))
}

/// The largest page that the directory makes.
const PAGE: usize = 999;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Tri;

    const ALICE: Uuid = Uuid::from_u128(0xa11ce);
    const BOB: Uuid = Uuid::from_u128(0xb0b);

    fn user(object: Uuid, name: &str) -> DirectoryUser {
        DirectoryUser {
            object,
            report: UserReport {
                user: UserId::parse(name).unwrap(),
                aliases: Vec::new(),
                enabled: Tri::Yes,
                groups: Vec::new(),
            },
        }
    }

    #[test]
    fn users_have_a_principal_name_an_account_and_a_state() {
        let page = read_users(
            format!(
                r#"{{"value":[
                {{"id":"{ALICE}","userPrincipalName":"Alice@lab.example","accountEnabled":true,
                  "onPremisesSamAccountName":"alice"}},
                {{"id":"{BOB}","userPrincipalName":"bob","accountEnabled":false,
                  "onPremisesSamAccountName":"BOB"}},
                {{"id":"{BOB}","userPrincipalName":""}},
                {{"userPrincipalName":"nobody@lab.example"}}]}}"#
            )
            .as_bytes(),
        )
        .unwrap();
        assert_eq!(page.refused, 2);
        let [alice, bob] = page.rows.as_slice() else {
            panic!("two users");
        };
        assert_eq!(alice.report.user.as_str(), "alice@lab.example");
        assert_eq!(alice.report.aliases, [UserId::parse("alice").unwrap()]);
        assert_eq!(alice.report.enabled, Tri::Yes);
        assert_eq!(bob.report.aliases, [], "no alias of its own name");
        assert_eq!(bob.report.enabled, Tri::No);
    }

    #[test]
    fn only_users_are_members() {
        let page = read_members(
            format!(
                r##"{{"value":[{{"id":"{ALICE}","@odata.type":"#microsoft.graph.user"}},
                {{"id":"{BOB}"}},{{"id":"{BOB}","@odata.type":"#microsoft.graph.group"}},
                {{"id":"x","@odata.type":"#microsoft.graph.user"}}]}}"##
            )
            .as_bytes(),
        )
        .unwrap();
        assert_eq!(page.rows, [ALICE, BOB]);
        assert_eq!(page.refused, 1);
    }

    #[test]
    fn memberships_are_joined_by_object_id() {
        let staff = GroupId::named("staff");
        let guests = GroupId::named("guests");
        let memberships = [
            Membership {
                names: vec![staff],
                members: vec![ALICE, BOB, Uuid::from_u128(7)],
            },
            Membership {
                names: vec![guests, staff],
                members: vec![BOB],
            },
        ];
        let users = vec![
            user(ALICE, "alice"),
            user(BOB, "bob"),
            user(ALICE, "alicia"),
        ];
        let reports = join(users, &memberships);
        assert_eq!(reports.len(), 2);
        assert_eq!(reports[0].user.as_str(), "alicia", "the later row counts");
        assert_eq!(reports[0].groups, [staff]);
        let mut both = [staff, guests];
        both.sort_unstable();
        assert_eq!(reports[1].groups, both);
    }

    #[test]
    fn names_of_groups_cannot_break_out_of_the_query() {
        let query = group_by_name_query("O'Brien & 100% 'x' eq '/../users");
        let (_, filter) = query.split_once("$filter=").unwrap();
        assert_eq!(
            filter,
            "displayName%20eq%20'O%27%27Brien%20%26%20100%25%20%27%27x%27%27%20eq%20%27%27%2F%2E%2E%2Fusers'"
        );
    }
}
