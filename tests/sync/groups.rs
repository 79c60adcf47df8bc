//! Users and the groups they are in.

use portreeve::model::GroupId;
use portreeve::model::Tri;
use portreeve::sync::GraphConfig;
use portreeve::sync::Groups;
use portreeve::sync::Run;
use portreeve::sync::State;
use serde_json::json;

use crate::lab::Lab;
use crate::lab::Tenant;
use crate::lab::USERS;
use crate::lab::reason;

fn users_of(tenant: &Tenant, groups: &[&str]) -> GraphConfig {
    GraphConfig {
        devices: false,
        users: true,
        groups: Groups::Listed(groups.iter().map(|name| (*name).to_owned()).collect()),
        ..tenant.source()
    }
}

fn is_in(lab: &Lab, user: &str, group: &str) -> bool {
    let entry = lab.reader.user(user).unwrap();
    lab.reader
        .groups(entry.groups)
        .contains(&GroupId::named(group))
}

#[tokio::test]
async fn users_come_with_state_aliases_and_all_pages_of_their_groups() {
    let tenant = Tenant::new(0, 2500).await;
    let lab = Lab::filled(users_of(&tenant, &["Staff", "contractors"])).await;
    assert_eq!(lab.reader.user_count(), 2500);
    assert!(is_in(&lab, "user002499@lab.example", "staff"));
    assert!(is_in(&lab, "USER002499", "contractors"), "by its account");
    assert!(!is_in(&lab, "user002498", "contractors"));
    let states: Vec<Tri> = (0..2500)
        .map(|n| lab.reader.user(&format!("user{n:06}")).unwrap())
        .map(|entry| entry.enabled.value)
        .collect();
    assert!(states.contains(&Tri::No) && states.contains(&Tri::Yes));
}

#[tokio::test]
async fn a_group_can_be_named_by_its_id_and_is_then_known_by_it() {
    let tenant = Tenant::new(0, 20).await;
    let lab = Lab::filled(users_of(&tenant, &["contractors"])).await;
    let entry = lab.reader.user("user000009").unwrap();
    let by_name = GroupId::named("contractors");
    let groups = lab.reader.groups(entry.groups);
    let [id] = *groups
        .iter()
        .filter(|id| **id != by_name)
        .collect::<Vec<_>>()
    else {
        panic!("the id beside the name: {groups:?}");
    };
    let id = id.to_string();
    let lab = Lab::filled(users_of(&tenant, &[&id])).await;
    assert!(is_in(&lab, "user000009", &id));
    assert!(
        !is_in(&lab, "user000009", "contractors"),
        "no name was given"
    );
    let lab = Lab::filled(GraphConfig {
        groups: Groups::All,
        ..users_of(&tenant, &[])
    })
    .await;
    assert!(is_in(&lab, "user000009", &id));
}

#[tokio::test]
async fn new_users_and_changed_members_come_with_the_next_run_r48() {
    let tenant = Tenant::new(0, 20).await;
    let lab = Lab::filled(users_of(&tenant, &["contractors"])).await;
    let members = json!({"users": [1, 2]});
    tenant.tell("POST", "group/contractors", &members).await;
    lab.run(USERS, Run::Full).await;
    assert!(is_in(&lab, "user000001", "contractors"));
    assert!(!is_in(&lab, "user000009", "contractors"));
}

#[tokio::test]
async fn a_group_that_cannot_be_read_keeps_its_members() {
    let tenant = Tenant::new(0, 20).await;
    let lab = Lab::filled(users_of(&tenant, &["staff", "contractors"])).await;
    for fault in [
        json!({"kind": "forbidden", "on": "members"}),
        json!({"kind": "noValue", "on": "members"}),
        json!({"kind": "gatewayTimeout", "on": "members", "times": 4}),
        json!({"kind": "forbidden", "on": "groups"}),
    ] {
        tenant.fault(fault.clone()).await;
        let status = lab.run(USERS, Run::Full).await;
        assert_eq!(status.state, State::Connected, "row {fault}");
        assert!(status.note.unwrap().contains("staff"), "row {fault}");
        assert!(is_in(&lab, "user000009", "staff"), "row {fault}");
        assert!(is_in(&lab, "user000009", "contractors"), "row {fault}");
    }
    let status = lab.run(USERS, Run::Full).await;
    assert_eq!(status.note, None);
}

#[tokio::test]
async fn without_the_groups_no_users_are_taken_at_first() {
    let tenant = Tenant::new(0, 20).await;
    tenant
        .fault(json!({"kind": "forbidden", "on": "members"}))
        .await;
    let lab = Lab::of(users_of(&tenant, &["staff"]));
    let status = lab.until(USERS, |s| s.counters.failures > 0).await;
    assert!(reason(&status).contains("the members of staff: 403"));
    assert_eq!(lab.reader.user_count(), 0);
}

#[tokio::test]
async fn a_name_that_two_groups_bear_is_taken_from_neither() {
    let tenant = Tenant::new(0, 20).await;
    let lab = Lab::filled(users_of(&tenant, &["break-glass"])).await;
    assert!(is_in(&lab, "user000000", "break-glass"));
    let members = json!({"users": [5]});
    tenant.tell("POST", "group/break-glass%232", &members).await;
    let status = lab.run(USERS, Run::Full).await;
    let note = status.note.unwrap();
    assert_eq!(note, "2 groups are named `break-glass`; name it by its id");
    assert!(is_in(&lab, "user000000", "break-glass"));
    assert!(!is_in(&lab, "user000005", "break-glass"));

    let lab = Lab::of(users_of(&tenant, &["nobody"]));
    let status = lab.until(USERS, |s| s.counters.failures > 0).await;
    assert!(reason(&status).contains("0 groups are named `nobody`"));
}

#[tokio::test]
async fn users_that_one_list_lacks_stay_until_the_next() {
    let tenant = Tenant::new(0, 40).await;
    let lab = Lab::filled(users_of(&tenant, &["staff"])).await;
    let short = json!({"kind": "shorten", "keep": 39, "on": "users", "times": 2});
    tenant.fault(short).await;
    let status = lab.run(USERS, Run::Full).await;
    assert!(status.note.unwrap().contains("lacks 1 known users"));
    assert_eq!(lab.reader.user_count(), 40);
    lab.run(USERS, Run::Full).await;
    assert_eq!(lab.reader.user_count(), 39);
}
