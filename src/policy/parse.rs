//! `policy.toml` to [`Policy`]: every problem at once, each with line, key and what was expected.
//!
//! The file is read into drafts, which are bound to the tables of groups and names once all of it
//! is known. Nothing that is missing has a default here except what the language leaves optional,
//! and each of those is the safe reading.

mod access;
mod audience;
mod client;
mod general;
mod health;
mod normal;
mod reader;

use toml::de::DeTable;

use super::availability::Availability;
use super::availability::Staleness;
use super::compliance::CompliancePolicy;
use super::condition::AppBits;
use super::condition::Client;
use super::condition::Commands;
use super::condition::NameSet;
use super::condition::NameTable;
use super::conditional::ConditionalPolicy;
use super::conditional::State;
use super::conditional::number_kinds;
use super::set::Policy;
use super::targeting::Audience;
use super::targeting::Targets;
use crate::model::Problem;
use access::ConditionalDraft;
use audience::AudienceDraft;
use audience::Groups;
pub use audience::UNUSED_GROUP;
use general::General;
use health::ComplianceDraft;
use reader::Reader;
use reader::Section;

/// Reads a policy file. `file` is its name as the person knows it; `text` its content.
///
/// A policy that is given has every default outcome; warnings come with it. What is dangerous but
/// well-formed is found by [`lint`](super::lint()).
///
/// # Errors
///
/// All problems of the file, warnings among them, in the order of their lines. Nothing of a file
/// with an error is used.
pub fn parse(file: &str, text: &str) -> Result<(Policy, Vec<Problem>), Vec<Problem>> {
    let mut reader = Reader::new(file, text);
    if text.len() > MAX_TEXT {
        reader.syntax(
            None,
            &format!("{} octets, at most {MAX_TEXT} are read", text.len()),
        );
        return Err(reader
            .finish()
            .map_or_else(|problems| problems, |_| Vec::new()));
    }
    let (document, errors) = DeTable::parse_recoverable(text);
    for error in &errors {
        reader.syntax(error.span(), error.message());
    }
    if !errors.is_empty() {
        // What the parser made of a broken file would give problems that are none.
        return Err(reader
            .finish()
            .map_or_else(|problems| problems, |_| Vec::new()));
    }
    let table = document.get_ref();
    let mut root = reader.root(table);
    let draft = Draft::read(&mut reader, &mut root);
    reader.close(root, &[]);
    draft.bind(reader, normal::hash(table))
}

/// A file as read, before groups and names are numbers.
struct Draft {
    groups: Groups,
    break_glass: AudienceDraft,
    general: Option<General>,
    compliance: Vec<ComplianceDraft>,
    conditional: Vec<ConditionalDraft>,
}

impl Draft {
    fn read(reader: &mut Reader, root: &mut Section<'_>) -> Self {
        let mut groups = Groups::read(reader, root);
        let break_glass = audience::break_glass(reader, root, &mut groups);
        let general = General::read(reader, root);
        let apps = general.as_ref().map_or(&[][..], |general| &general.apps);
        let mut names = Vec::new();
        let compliance = health::read(reader, root, &mut groups, &mut names);
        let conditional = access::read(reader, root, &mut groups, &mut names, apps);
        Self {
            groups,
            break_glass,
            general,
            compliance,
            conditional,
        }
    }

    fn bind(
        self,
        mut reader: Reader,
        hash: [u8; 32],
    ) -> Result<(Policy, Vec<Problem>), Vec<Problem>> {
        self.groups.check(&mut reader);
        let (source, warnings) = reader.finish()?;
        let Some(general) = self.general else {
            // Reading has reported what is missing, so this file has been refused above.
            return Err(warnings);
        };
        let groups = self.groups.into_names();
        let names_of = |choose: fn(&ConditionalDraft) -> &Option<Vec<Box<str>>>| {
            let names = self
                .conditional
                .iter()
                .filter_map(|draft| choose(draft).clone());
            NameTable::new(names.flatten().collect())
        };
        let nas_groups = names_of(|draft| &draft.nas_groups);
        let ssids = names_of(|draft| &draft.ssids);
        let audience = |draft: AudienceDraft| {
            let mut audience = Audience {
                everyone: draft.everyone,
                users: draft.users.into(),
                ..Audience::default()
            };
            for group in draft.groups {
                if let Some(position) = groups.position(group) {
                    audience.groups.insert(position);
                }
            }
            audience
        };
        let compliance = self.compliance.into_iter().map(|draft| CompliancePolicy {
            name: draft.name,
            targets: Targets {
                targeted: audience(draft.targets),
                exempt: audience(draft.exempt),
            },
            platforms: draft.platforms,
            health: draft.health,
        });
        let set = |table: &NameTable, names: Vec<Box<str>>| {
            let positions = names.iter().filter_map(|name| table.position(name));
            NameSet(positions.collect())
        };
        let conditional = self.conditional.into_iter().map(|draft| {
            let mut when = draft.when;
            when.nas_groups = draft.nas_groups.map(|names| set(&nas_groups, names));
            when.ssids = draft.ssids.map(|names| set(&ssids, names));
            ConditionalPolicy {
                name: draft.name,
                state: draft.state,
                planes: draft.planes,
                targets: Targets {
                    targeted: audience(draft.targets),
                    exempt: audience(draft.exempt),
                },
                when,
                then: draft.then,
                accept_lockout_risk: draft.accept_lockout_risk,
                accept_claimed: draft.accept_claimed,
            }
        });
        let compliance = compliance.collect();
        let mut conditional: Box<[ConditionalPolicy]> = conditional.collect();
        number_kinds(&mut conditional);
        let break_glass = audience(self.break_glass);
        let approved = general
            .apps
            .iter()
            .enumerate()
            .filter(|(_, app)| app.approved)
            .fold(0, |bits, (position, _)| bits | 1 << position);
        let any_client = |what: &dyn Fn(&Client) -> bool| {
            conditional.iter().any(|policy| {
                let client = policy.when.client.as_deref();
                policy.state != State::Off && client.is_some_and(what)
            })
        };
        let asks_about =
            |what: fn(Commands) -> bool| any_client(&|client| client.commands.is_some_and(what));
        let policy = Policy {
            asks_about_attachments: asks_about(Commands::asks_for_attachments),
            asks_about_sending: asks_about(Commands::asks_for_sending),
            counts_devices: any_client(&|client| client.devices_over.is_some()),
            compliance,
            conditional,
            defaults: general.defaults,
            availability: general.availability,
            break_glass,
            groups,
            nas_groups,
            ssids,
            apps: general.apps.into(),
            approved_apps: AppBits(approved),
            hash,
            source,
        };
        Ok((policy, warnings))
    }
}

/// Longest file. 200 policies with long lists take about 200 KiB.
const MAX_TEXT: usize = 1 << 20;
