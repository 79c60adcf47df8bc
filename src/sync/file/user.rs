//! The columns of a user file.

use crate::inventory::UserReport;
use crate::model::GroupId;
use crate::model::UserId;
use crate::sync::file::Columns;
use crate::sync::file::row::Row;

pub(super) const COLUMNS: Columns = Columns {
    names: &["user", "aliases", "enabled", "groups"],
    identifiers: &["user"],
};

/// What a row says; `None` when any of its cells is bad.
pub(super) fn report(row: &mut Row<'_>) -> Option<UserReport> {
    let user = row.text("user").and_then(|text| name(row, "user", &text));
    if user.is_none() && row.is_sound() {
        row.refuse("user", "expected a name".to_owned());
    }
    let aliases = row.names("aliases");
    let aliases = aliases
        .iter()
        .filter_map(|text| name(row, "aliases", text))
        .collect();
    let enabled = row.tri("enabled");
    let groups = row.names("groups");
    let groups = groups.iter().map(|name| GroupId::named(name)).collect();
    if !row.is_sound() {
        return None;
    }
    Some(UserReport {
        user: user?,
        aliases,
        enabled,
        groups,
    })
}

fn name(row: &mut Row<'_>, column: &'static str, text: &str) -> Option<UserId> {
    let user = UserId::parse(text);
    if user.is_none() {
        row.refuse(column, "expected names of at most 253 octets".to_owned());
    }
    user
}
