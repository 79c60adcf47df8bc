//! Conditions on the client of a connection: what kind of mail client it is, what it asks for and how
//! long it has been known. Only the version of the operating system is asked at other doors too.

use std::time::Duration;

use super::Answers;
use super::Condition;
use crate::model::MailContext;
use crate::model::OsVersion;
use crate::model::Platform;
use crate::model::Reason;
use crate::policy::facts::Facts;
use crate::policy::glob::Glob;

/// What is configured of it; apart from the other conditions, because most policies have none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::policy) struct Client {
    pub(in crate::policy) device_types: Option<Texts>,
    pub(in crate::policy) models: Option<Texts>,
    pub(in crate::policy) user_agents: Option<Texts>,
    /// By place in [`Platform::ALL`]; unknown where nothing is asked of a platform.
    pub(in crate::policy) os_below: Option<[OsVersion; Platform::ALL.len()]>,
    /// In tenths.
    pub(in crate::policy) versions: Option<Box<[u8]>>,
    pub(in crate::policy) commands: Option<Commands>,
    pub(in crate::policy) devices_over: Option<u16>,
    pub(in crate::policy) inactive_for: Option<Duration>,
}

/// Which texts a condition lets through: any of `with`, if configured, and none of `without`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::policy) struct Texts {
    pub(in crate::policy) with: Option<Box<[Glob]>>,
    pub(in crate::policy) without: Box<[Glob]>,
}

impl Texts {
    /// What is not stated is none of any list.
    fn holds(&self, text: &str) -> bool {
        let fits = |patterns: &[Glob]| patterns.iter().any(|pattern| pattern.matches(text));
        let is_stated = !text.is_empty();
        self.with
            .as_deref()
            .is_none_or(|with| is_stated && fits(with))
            && !(is_stated && fits(&self.without))
    }
}

/// Some commands, a bit each in the order of [`Commands::NAMES`], and attachments.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::policy) struct Commands(u32);

impl Commands {
    /// The word that stands for whatever fetches an attachment.
    pub(in crate::policy) const ATTACHMENTS: &'static str = "attachments";

    /// The commands of mail clients.
    pub(in crate::policy) const NAMES: [&'static str; 24] = [
        "Sync",
        "SendMail",
        "SmartForward",
        "SmartReply",
        "GetAttachment",
        "GetHierarchy",
        "CreateCollection",
        "DeleteCollection",
        "MoveCollection",
        "FolderSync",
        "FolderCreate",
        "FolderDelete",
        "FolderUpdate",
        "MoveItems",
        "GetItemEstimate",
        "MeetingResponse",
        "Search",
        "Settings",
        "Ping",
        "ItemOperations",
        "Provision",
        "ResolveRecipients",
        "ValidateCert",
        "Find",
    ];

    const ATTACHMENT_BIT: u32 = 1 << 31;

    /// `None` for a word that is no command.
    pub(in crate::policy) fn one(word: &str) -> Option<Self> {
        if word == Self::ATTACHMENTS {
            return Some(Self(Self::ATTACHMENT_BIT));
        }
        let place = Self::NAMES.iter().position(|name| *name == word)?;
        Some(Self(1 << place))
    }

    pub(in crate::policy) const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub(in crate::policy) const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether every command is among them, whatever of attachments.
    pub(in crate::policy) fn are_all(self) -> bool {
        Self::NAMES
            .into_iter()
            .all(|name| Self::one(name).is_some_and(|one| self.contains(one)))
    }

    pub(in crate::policy) const fn asks_for_attachments(self) -> bool {
        self.0 & Self::ATTACHMENT_BIT != 0
    }

    /// Whether a SendMail is among them.
    pub(in crate::policy) fn asks_for_sending(self) -> bool {
        Self::one("SendMail").is_some_and(|one| self.contains(one))
    }

    fn holds(self, mail: &MailContext<'_>) -> bool {
        mail.attachment && self.asks_for_attachments()
            || Self::one(mail.command).is_some_and(|one| self.contains(one))
    }

    /// Its words, in the order of the table.
    pub(in crate::policy) fn words(self) -> impl Iterator<Item = &'static str> {
        let names = Self::NAMES.into_iter().chain([Self::ATTACHMENTS]);
        names.filter(move |name| Self::one(name).is_some_and(|one| self.contains(one)))
    }
}

impl Client {
    /// Versions of ActiveSync, in tenths (MS-ASHTTP 2.2.1.1.2.6).
    pub(in crate::policy) const VERSIONS: [(&'static str, u8); 7] = [
        ("2.5", 25),
        ("12.0", 120),
        ("12.1", 121),
        ("14.0", 140),
        ("14.1", 141),
        ("16.0", 160),
        ("16.1", 161),
    ];

    /// Asks every configured condition; bits in the order of the conditions, the first of
    /// [`Condition::FIRST_OF_CLIENT`].
    pub(in crate::policy) fn ask(&self, facts: &Facts<'_>) -> Answers {
        let mut answers = Answers::default();
        let mut note = |condition: Condition, held: Option<bool>| {
            let bit = 1 << (condition as u8 - Condition::FIRST_OF_CLIENT);
            if let Some(held) = held {
                answers.configured |= bit;
                answers.held |= if held { bit } else { 0 };
            }
        };
        // At other doors there is no mail client, and nothing that is asked of one holds.
        let mail = facts.mail.as_ref();
        let fits = |texts: &Option<Texts>, of: fn(&Texts, &MailContext<'_>) -> bool| {
            let texts = texts.as_ref()?;
            Some(mail.is_some_and(|mail| of(texts, mail)))
        };
        note(
            Condition::DeviceType,
            fits(&self.device_types, |texts, mail| {
                texts.holds(mail.device_type)
            }),
        );
        note(
            Condition::Model,
            fits(&self.models, |texts, mail| texts.holds(mail.known.model)),
        );
        note(
            Condition::UserAgent,
            fits(&self.user_agents, |texts, mail| {
                texts.holds(mail.user_agent)
            }),
        );
        note(
            Condition::OsBelow,
            self.os_below.map(|floors| is_below(facts, &floors)),
        );
        note(
            Condition::ProtocolVersion,
            self.versions
                .as_deref()
                .map(|versions| mail.is_some_and(|mail| versions.contains(&mail.version))),
        );
        note(
            Condition::Command,
            self.commands
                .map(|commands| mail.is_some_and(|mail| commands.holds(mail))),
        );
        note(
            Condition::DevicesOver,
            self.devices_over
                .map(|most| mail.is_some_and(|mail| mail.known.rank > most)),
        );
        note(
            Condition::Inactive,
            self.inactive_for.map(|limit| {
                let last = mail.and_then(|mail| mail.known.last_active);
                last.is_some_and(|last| facts.now.since(last) > limit)
            }),
        );
        answers
    }

    /// Whether it is about single commands only.
    pub(in crate::policy) const fn is_of_commands(&self) -> bool {
        self.commands.is_some()
    }

    /// What a client is refused for that these conditions single out; `None` where they say no more
    /// than others do.
    pub(in crate::policy) fn reason(&self, facts: &Facts<'_>) -> Option<Reason> {
        let fetches = facts.mail.is_some_and(|mail| mail.attachment);
        if let Some(commands) = self.commands {
            return Some(if fetches && commands.asks_for_attachments() {
                Reason::AttachmentNotAllowed
            } else {
                Reason::CommandNotAllowed
            });
        }
        let reasons = [
            (self.devices_over.is_some(), Reason::TooManyDevices),
            (self.inactive_for.is_some(), Reason::DeviceInactive),
            (self.os_below.is_some(), Reason::OsVersionNotAllowed),
            (self.versions.is_some(), Reason::ProtocolNotAllowed),
            (self.user_agents.is_some(), Reason::ApplicationNotApproved),
            (self.device_types.is_some(), Reason::PlatformNotAllowed),
            (self.models.is_some(), Reason::PlatformNotAllowed),
        ];
        let found = reasons.into_iter().find(|(configured, _)| *configured);
        found.map(|(_, reason)| reason)
    }
}

/// A version that nobody states is below none.
fn is_below(facts: &Facts<'_>, floors: &[OsVersion; Platform::ALL.len()]) -> bool {
    let floor = floors.get(facts.platform() as usize).copied();
    let (version, _) = facts.os_version();
    version != OsVersion::UNKNOWN && floor.is_some_and(|floor| version < floor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_has_a_bit_of_its_own_and_its_word_again() {
        let mut all = Commands::default();
        for name in Commands::NAMES.into_iter().chain([Commands::ATTACHMENTS]) {
            let one = Commands::one(name).unwrap();
            assert!(!all.contains(one), "row {name}");
            all = all.with(one);
            assert!(one.words().eq([name]), "row {name}");
        }
        assert_eq!(all.words().count(), 25);
        assert_eq!(Commands::one("Wipe"), None);
    }

    #[test]
    fn what_is_not_stated_is_in_no_list() {
        let globs = |text: &str| Box::from([Glob::new(text).unwrap()]);
        let with = Texts {
            with: Some(globs("*")),
            without: Box::default(),
        };
        assert!(with.holds("iPhone15C2"));
        assert!(!with.holds(""));
        let without = Texts {
            with: None,
            without: globs("iPhone*"),
        };
        assert!(without.holds("") && without.holds("SM-G960F"));
        assert!(!without.holds("iPhone15C2"));
    }
}
