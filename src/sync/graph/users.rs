//! The feed of users and their groups.
//!
//! A membership that cannot be read is taken from the last run in which it could: a group that
//! seems empty would take its people out of every policy that names it.

use std::collections::BTreeMap;
use std::collections::HashSet;
use std::sync::Arc;

use uuid::Uuid;

use crate::inventory::Complete;
use crate::inventory::Update;
use crate::model::GroupId;
use crate::model::UserId;
use crate::sync::entra;
use crate::sync::entra::Membership;
use crate::sync::graph::Absences;
use crate::sync::graph::Earlier;
use crate::sync::graph::Graph;
use crate::sync::graph::SECOND_LOOK;
use crate::sync::plan::Run;
use crate::sync::settings::Groups;
use crate::sync::source::Brought;
use crate::sync::source::Content;
use crate::sync::source::Context;
use crate::sync::source::Delivery;
use crate::sync::source::Failure;
use crate::sync::source::Source;

/// The users of one tenant.
#[derive(Debug)]
pub(in crate::sync) struct UserFeed {
    graph: Arc<Graph>,
    groups: Groups,
    /// Memberships as read last, by what the group is asked for.
    last: BTreeMap<String, Membership>,
    absences: Absences<Uuid>,
    /// What was known before the start, until the first run asks for it.
    earlier: Option<Earlier>,
    /// Those of them that no list since has had. The inventory knows users by name only.
    unseen: Absences<UserId>,
}

impl UserFeed {
    pub(in crate::sync) fn new(graph: Arc<Graph>, groups: Groups, earlier: Earlier) -> Self {
        Self {
            graph,
            groups,
            last: BTreeMap::new(),
            absences: Absences::new(),
            earlier: Some(earlier),
            unseen: Absences::new(),
        }
    }

    /// The memberships of all groups that are asked for, and what was wrong with some.
    async fn memberships(
        &self,
        context: &Context<'_>,
    ) -> Result<(BTreeMap<String, Membership>, Vec<String>), Failure> {
        let mut read = BTreeMap::new();
        let mut kept = Vec::new();
        let asked = match &self.groups {
            Groups::Listed(names) => names.clone(),
            Groups::All => {
                let query = entra::groups_query();
                let groups = self
                    .graph
                    .list("the list of groups", &query, entra::read_groups, context)
                    .await?;
                let ids = groups.rows.into_iter();
                ids.map(|group| group.object.to_string()).collect()
            }
        };
        for name in asked {
            let membership = match self.membership(&name, context).await {
                Ok(membership) => membership,
                Err(failure) => {
                    // Without an earlier membership the users would be judged without the group.
                    let Some(earlier) = self.last.get(&name) else {
                        return Err(failure);
                    };
                    kept.push(failure.to_string());
                    earlier.clone()
                }
            };
            read.insert(name, membership);
        }
        Ok((read, kept))
    }

    /// The members of one group, given by its id or its name.
    async fn membership(&self, name: &str, context: &Context<'_>) -> Result<Membership, Failure> {
        let mut names = vec![GroupId::named(name)];
        let object = if let Ok(id) = Uuid::try_parse(name) {
            id
        } else {
            let query = entra::group_by_name_query(name);
            let what = format!("the group {name}");
            let found = self
                .graph
                .list(&what, &query, entra::read_groups, context)
                .await?;
            let [group] = found.rows.as_slice() else {
                return Err(Failure::Group {
                    name: name.to_owned(),
                    found: found.rows.len(),
                });
            };
            names.push(GroupId::named(&group.object.to_string()));
            group.object
        };
        let what = format!("the members of {name}");
        let query = entra::members_query(object);
        let members = self
            .graph
            .list(&what, &query, entra::read_members, context)
            .await?;
        Ok(Membership {
            names,
            members: members.rows,
        })
    }
}

impl Source for UserFeed {
    async fn run(&mut self, _run: Run, context: &Context<'_>) -> Result<Brought, Failure> {
        let query = entra::users_query();
        let users = self
            .graph
            .list("the list of users", &query, entra::read_users, context)
            .await?;
        let (memberships, kept) = self.memberships(context).await?;
        let present: HashSet<Uuid> = users.rows.iter().map(|user| user.object).collect();
        let mut missing = self.absences.compare(&present);
        if let Some(earlier) = self.earlier.take() {
            self.unseen.seen(earlier.users());
        }
        let names = users.rows.iter().map(|user| user.report.user.clone());
        let mut unseen = self.unseen.compare(&names.collect());
        if context.accept {
            missing.first.clear();
            unseen.first.clear();
        }
        let entries = present.len();
        let reports = entra::join(users.rows, memberships.values());
        self.last = memberships;
        self.absences
            .propose(present, &missing.first, &missing.again);
        self.unseen
            .propose(HashSet::new(), &unseen.first, &unseen.again);
        let mut notes = kept;
        let (content, again_in) = if missing.first.is_empty() && unseen.first.is_empty() {
            let all = Complete {
                users: reports,
                ..Complete::default()
            };
            (Content::Complete(all), None)
        } else {
            notes.push(format!(
                "the list lacks {} known users; they stay until a second list agrees",
                missing.count() + unseen.count()
            ));
            let updates = reports.into_iter().map(Update::User).collect();
            (Content::Delta(updates), Some(SECOND_LOOK))
        };
        Ok(Brought::Delivery(Delivery {
            content,
            entries: Some(entries),
            bad: users.refused,
            first_bad: users.first_refusal.map(|refusal| refusal.to_string()),
            problems: Vec::new(),
            note: (!notes.is_empty()).then(|| notes.join("; ")),
            again_in,
        }))
    }

    fn settle(&mut self, accepted: bool) {
        self.absences.settle(accepted);
        self.unseen.settle(accepted);
    }
}
