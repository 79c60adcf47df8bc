//! [`Policy`]: a policy file in the form that is evaluated.

use std::fmt;
use std::time::Duration;

use super::availability::Availability;
use super::compliance::CompliancePolicy;
use super::condition::App;
use super::condition::AppBits;
use super::condition::NameTable;
use super::conditional::ConditionalPolicy;
use super::conditional::State;
use super::defaults::Defaults;
use super::groups::Groups;
use super::targeting::Audience;
use crate::document::Written;
use crate::model::GroupId;
use crate::model::PolicyId;
use crate::model::Problem;

/// A whole policy file, checked and compiled. Never changes; [`parse`](super::parse()) is the only
/// way to one, and gives none without every default outcome.
pub struct Policy {
    pub(super) compliance: Box<[CompliancePolicy]>,
    pub(super) conditional: Box<[ConditionalPolicy]>,
    pub(super) defaults: Defaults,
    pub(super) availability: Availability,
    pub(super) break_glass: Audience,
    pub(super) groups: Groups,
    pub(super) nas_groups: NameTable,
    pub(super) ssids: NameTable,
    pub(super) apps: Box<[App]>,
    pub(super) approved_apps: AppBits,
    pub(super) asks_about_attachments: bool,
    pub(super) asks_about_sending: bool,
    pub(super) counts_devices: bool,
    pub(super) hash: [u8; 32],
    /// Where things stand in the file that it was read from.
    pub(super) source: Written,
}

impl Policy {
    /// Most policies in a file, of both kinds together. An evaluation costs some nanoseconds for
    /// each; Entra's own limit is 195 for a tenant.
    pub const MAX_POLICIES: usize = 200;

    /// SHA-256 of the file's content, whatever its comments, blanks and order of keys: two files
    /// that mean the same have the same hash, and a record can name the policy it was made by.
    #[must_use]
    pub const fn hash(&self) -> [u8; 32] {
        self.hash
    }

    /// How many policies there are, of both kinds and in any state.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.compliance.len() + self.conditional.len()
    }

    /// Whether there is no policy, so that only defaults answer.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// A policy's name; empty for a number that is not of this file.
    #[must_use]
    pub fn name(&self, id: PolicyId) -> &str {
        let position = usize::from(id.0);
        match position.checked_sub(self.compliance.len()) {
            None => self.compliance.get(position).map(|policy| &*policy.name),
            Some(position) => self.conditional.get(position).map(|policy| &*policy.name),
        }
        .unwrap_or("")
    }

    /// Whether a policy goes by what a mail client may tell of its device at any time: its model, or the
    /// version of its system where `has_version` does not say that a source states that.
    #[must_use]
    pub fn goes_by_telling(&self, id: PolicyId, has_version: bool) -> bool {
        let position = usize::from(id.0).checked_sub(self.compliance.len());
        let policy = position.and_then(|position| self.conditional.get(position));
        let client = policy.and_then(|policy| policy.when.client.as_deref());
        client.is_some_and(|client| {
            client.models.is_some() || client.os_below.is_some() && !has_version
        })
    }

    /// Whether a policy that is evaluated tells attachments from what else is asked for.
    #[must_use]
    pub const fn asks_about_attachments(&self) -> bool {
        self.asks_about_attachments
    }

    /// Whether a policy that is evaluated tells messages that are sent (SendMail) from what else is
    /// asked for.
    #[must_use]
    pub const fn asks_about_sending(&self) -> bool {
        self.asks_about_sending
    }

    /// Whether a policy that is evaluated goes by how many mail devices a user has.
    #[must_use]
    pub const fn counts_devices(&self) -> bool {
        self.counts_devices
    }

    /// For how long a new mail client may be one of a device that its source has not told of yet (R37);
    /// a quarter of an hour where the file does not say.
    #[must_use]
    pub fn mapping_pending(&self) -> Duration {
        let pending = self.defaults.mapping_pending;
        pending.map_or(Duration::from_mins(15), |pending| pending.wait)
    }

    /// The groups that the file declares, each with its name there.
    pub fn groups(&self) -> impl Iterator<Item = (&str, GroupId)> {
        self.groups.iter()
    }

    /// A problem with a declared group, at its line.
    #[must_use]
    pub fn group_problem(&self, name: &str, message: String) -> Problem {
        self.problem(&format!("groups.{name}"), message)
    }

    /// The groups of NASes that policies name which are evaluated, each with its key there.
    #[must_use]
    pub fn nas_groups(&self) -> Vec<(String, &str)> {
        let mut found = Vec::new();
        for (position, policy) in self.conditional.iter().enumerate() {
            let Some(groups) = &policy.when.nas_groups else {
                continue;
            };
            if policy.state == State::Off {
                continue;
            }
            let key = format!("conditional[{position}].when.nas_groups");
            let names = self.nas_groups.names(groups);
            found.extend(names.map(|name| (key.clone(), name)));
        }
        found
    }

    /// A warning at a key of the file.
    #[must_use]
    pub fn problem(&self, key: &str, message: String) -> Problem {
        self.source.warning(key, message)
    }

    /// The line of the file at which a key stands, such as `conditional[2].require`, or would stand.
    pub(super) fn line(&self, key: &str) -> Option<usize> {
        self.source.line(key)
    }

    /// The number of a compliance policy.
    pub(super) fn compliance_id(&self, position: usize) -> PolicyId {
        number(position)
    }

    /// The number of a conditional policy.
    pub(super) fn conditional_id(&self, position: usize) -> PolicyId {
        number(self.compliance.len() + position)
    }
}

/// The file, the number of policies and the hash; rules are read in the file.
impl fmt::Debug for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Policy")
            .field("file", &self.source.file)
            .field("compliance", &self.compliance.len())
            .field("conditional", &self.conditional.len())
            .finish_non_exhaustive()
    }
}

/// [`Policy::MAX_POLICIES`] keeps every position far below 65535.
fn number(position: usize) -> PolicyId {
    PolicyId(u16::try_from(position).unwrap_or(u16::MAX))
}
