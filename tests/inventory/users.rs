//! Users by their names, and their groups.

use portreeve::inventory::Change;
use portreeve::inventory::Reader;
use portreeve::inventory::Update;
use portreeve::inventory::UserReport;
use portreeve::model::SourceId;
use portreeve::model::Tri;

use crate::at;
use crate::groups;
use crate::inventory;
use crate::name;
use crate::posture;
use crate::said;
use crate::user;

fn own_name(reader: &Reader, asked: &str) -> Option<String> {
    let user = reader.user(asked)?.user;
    Some(reader.user_name(user).unwrap().to_string())
}

#[test]
fn a_user_is_found_by_any_name_in_any_case() {
    let (mut writer, reader) = inventory();
    let entra = writer.name_source("entra");
    let alice = UserReport {
        enabled: Tri::Yes,
        groups: groups(&["staff", "mail"]),
        ..user(
            "Alice@contoso.com",
            &["CONTOSO\\alice", "alice", "a.smith@contoso.com"],
        )
    };
    let changes = writer.apply(entra, at(5), vec![Update::User(alice)]);
    let entry = reader.user("alice@contoso.com").unwrap();
    assert_eq!(changes, [Change::User(entry.user)]);
    for asked in [
        "ALICE@CONTOSO.COM",
        " contoso\\Alice ",
        "alice",
        "A.Smith@contoso.com",
    ] {
        assert_eq!(reader.user(asked), Some(entry), "row {asked}");
    }
    assert_eq!(entry.enabled.value, Tri::Yes);
    assert_eq!(entry.enabled.source, entra);
    assert_eq!(entry.enabled.observed, at(5));
    let mut expected = groups(&["staff", "mail"]);
    expected.sort_unstable();
    assert_eq!(reader.groups(entry.groups), expected);
    for asked in ["bob", "", "alice@contoso.co", &"x".repeat(300)] {
        assert_eq!(reader.user(asked), None, "row {asked}");
    }
}

#[test]
fn an_alias_of_two_users_means_neither() {
    let (mut writer, reader) = inventory();
    let entra = writer.name_source("entra");
    let both = vec![
        Update::User(user("john@a.com", &["john"])),
        Update::User(user("john@b.com", &["john"])),
    ];
    writer.apply(entra, at(1), both);
    assert_eq!(own_name(&reader, "john"), None);
    assert_eq!(
        own_name(&reader, "john@b.com").as_deref(),
        Some("john@b.com")
    );
    let changes = writer.apply(entra, at(2), vec![Update::UserGone(name("john@b.com"))]);
    assert_eq!(
        changes.len(),
        2,
        "both users' names have changed: {changes:?}"
    );
    assert_eq!(own_name(&reader, "john").as_deref(), Some("john@a.com"));
    assert_eq!(own_name(&reader, "john@b.com"), None);
}

#[test]
fn a_user_s_own_name_is_never_another_s_alias() {
    let (mut writer, reader) = inventory();
    let entra = writer.name_source("entra");
    for order in [[0, 1], [1, 0]] {
        let users = [user("alice@x", &[]), user("bob@x", &["alice@x"])];
        for index in order {
            writer.apply(entra, at(1), vec![Update::User(users[index].clone())]);
        }
        assert_eq!(own_name(&reader, "alice@x").as_deref(), Some("alice@x"));
        writer.apply(entra, at(2), vec![Update::UserGone(name("alice@x"))]);
        assert_eq!(own_name(&reader, "alice@x").as_deref(), Some("bob@x"));
        writer.apply(entra, at(3), vec![Update::UserGone(name("bob@x"))]);
        assert_eq!(own_name(&reader, "alice@x"), None);
    }
}

#[test]
fn an_owner_without_account_is_a_user_of_whom_nothing_is_stated_r3() {
    let (mut writer, reader) = inventory();
    let intune = writer.name_source("intune");
    let owned = said(1, |device| device.owner = Some(name("Alice@x")));
    writer.apply(intune, at(1), vec![owned]);
    let entry = reader.user("alice@X").unwrap();
    assert_eq!(posture(&reader, 1).owner, Some(entry.user));
    assert!(!entry.enabled.is_known());
    assert_eq!(reader.user_count(), 0);
    // The account arrives: the same user.
    let account = UserReport {
        enabled: Tri::No,
        ..user("alice@x", &[])
    };
    writer.apply(intune, at(2), vec![Update::User(account)]);
    let known = reader.user("alice@x").unwrap();
    assert_eq!((known.user, known.enabled.value), (entry.user, Tri::No));
    assert_eq!(reader.user_count(), 1);
    // It goes, and so does the device.
    writer.apply(intune, at(3), vec![Update::UserGone(name("alice@x"))]);
    assert_eq!(reader.user("alice@x"), Some(entry));
    writer.apply(intune, at(4), vec![said(1, |_| {})]);
    assert_eq!(reader.user("alice@x"), None);
    assert_eq!(posture(&reader, 1).owner, None);
}

#[test]
fn groups_of_all_sources_count_together_r9() {
    let (mut writer, reader) = inventory();
    let [entra, ad] = ["entra", "ad"].map(|source| writer.name_source(source));
    let stated = |enabled, names: &[&str]| {
        vec![Update::User(UserReport {
            enabled,
            groups: groups(names),
            ..user("alice@x", &[])
        })]
    };
    writer.apply(ad, at(1), stated(Tri::No, &["domain users"]));
    writer.apply(entra, at(2), stated(Tri::Yes, &["staff"]));
    let entry = reader.user("alice@x").unwrap();
    assert_eq!(
        (entry.enabled.value, entry.enabled.source),
        (Tri::Yes, entra)
    );
    let mut expected = groups(&["domain users", "staff"]);
    expected.sort_unstable();
    assert_eq!(reader.groups(entry.groups), expected);
    // The first source stops stating the user: the other's word comes back.
    let changes = writer.apply(entra, at(3), vec![Update::UserGone(name("alice@x"))]);
    assert_eq!(changes, [Change::User(entry.user)]);
    let entry = reader.user("alice@x").unwrap();
    assert_eq!((entry.enabled.value, entry.enabled.source), (Tri::No, ad));
    assert_eq!(reader.groups(entry.groups), groups(&["domain users"]));
}

#[test]
fn a_user_beyond_the_bound_of_groups_is_not_known() {
    let (mut writer, reader) = inventory();
    let entra = writer.name_source("entra");
    let many: Vec<String> = (0..5000).map(|number| format!("group {number}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let alice = UserReport {
        enabled: Tri::Yes,
        groups: groups(&many),
        ..user("alice@x", &[])
    };
    writer.apply(entra, at(1), vec![Update::User(alice)]);
    assert_eq!(reader.user("alice@x"), None);
    assert_eq!(reader.overflowed(), 1);
    // The same of a device: no facts, so nothing it could be let in for.
    let unbounded = said(1, |device| {
        device.groups = groups(&many);
        device.managed = Tri::Yes;
    });
    writer.apply(entra, at(1), vec![unbounded]);
    assert_eq!(posture(&reader, 1).managed.value, Tri::Unknown);
    assert_eq!(posture(&reader, 1).managed.source, SourceId::NONE);
    writer.apply(entra, at(2), vec![Update::User(user("alice@x", &[]))]);
    assert!(reader.user("alice@x").is_some());
}
