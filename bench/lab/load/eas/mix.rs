//! What phones ask for, and what each verdict makes of it: a phone that is let in gets the mail
//! server's answers, one in quarantine those of its made-up mailbox, one that is blocked gets 403.

use bytes::Bytes;
use clap::ValueEnum;
use http::HeaderMap;
use http::StatusCode;
use portreeve::wbxml::Event;
use portreeve::wbxml::Reader;
use portreeve::wbxml::Writer;
use portreeve::wbxml::service;
use portreeve::wbxml::sync;

use super::query::Command;
use super::wrong_status;

/// The verdict on a phone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Verdict {
    /// It is let in.
    Allow,
    /// It has to mend something first.
    Quarantine,
    /// It is kept out.
    Block,
}

impl Verdict {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Quarantine => "quarantine",
            Self::Block => "block",
        }
    }
}

/// All that the phones of a run ask for.
pub(super) struct Mix {
    /// Of the phones, round and round.
    verdicts: Vec<Verdict>,
    commands: Vec<(Command, Bytes)>,
    /// Octets of the mail server's answer to a command.
    passed: u64,
}

/// One request.
pub(super) struct Asked {
    pub(super) phone: u64,
    pub(super) command: Command,
    pub(super) body: Bytes,
    pub(super) verdict: Verdict,
}

impl Mix {
    /// Of phones with these verdicts, at least one, before a mail server whose answers are so long.
    pub(super) fn new(verdicts: Vec<Verdict>, passed: u64) -> Self {
        Self {
            verdicts,
            commands: COMMANDS.map(|command| (command, body(command))).to_vec(),
            passed,
        }
    }

    /// Request `number`: each phone asks in turn, and in each round for something else.
    pub(super) fn ask(&self, number: u64, phones: u64) -> Asked {
        let phone = number % phones.max(1);
        // Phones of one verdict ask for all of the commands in a round, or in some if they are few.
        let commands = length(&self.commands).max(1);
        let rounds = number / phones.max(1);
        let turn = number / length(&self.verdicts).max(1) + rounds / commands;
        let turn = usize::try_from(turn).unwrap_or(0) % self.commands.len().max(1);
        let asked = self.commands.get(turn);
        let (command, body) = asked.map_or_else(
            || (Command::Options, Bytes::new()),
            |(command, body)| (*command, body.clone()),
        );
        Asked {
            phone,
            command,
            body,
            verdict: self.verdict(phone),
        }
    }

    /// The phones that a Ping is held of: number `index` of those that are not blocked.
    pub(super) fn waiting(&self, index: u64) -> Option<u64> {
        let numbers = 0..length(&self.verdicts);
        let waiting: Vec<u64> = numbers
            .filter(|phone| self.verdict(*phone) != Verdict::Block)
            .collect();
        let count = length(&waiting);
        let place = usize::try_from(index.checked_rem(count)?).ok()?;
        let first = waiting.get(place)?;
        Some(index / count * length(&self.verdicts) + first)
    }

    /// Of phone number `phone`.
    fn verdict(&self, phone: u64) -> Verdict {
        let place = phone.checked_rem(length(&self.verdicts)).unwrap_or(0);
        let place = usize::try_from(place).unwrap_or(0);
        self.verdicts.get(place).copied().unwrap_or(Verdict::Allow)
    }

    /// Whether an answer is the right one.
    pub(super) fn check(
        &self,
        asked: &Asked,
        status: StatusCode,
        headers: &HeaderMap,
        body: &[u8],
    ) -> Result<(), &'static str> {
        let expected = expected(asked.verdict, asked.command);
        let is_ours = headers.contains_key("x-portreeve-reason");
        match (is_ours, expected) {
            (true, Expected::Passed | Expected::Versions) => return Err("kept_out_wrongly"),
            (false, Expected::Kept(_) | Expected::Nothing | Expected::Refused) => {
                return Err("let_through");
            }
            _ => {}
        }
        let right = if expected == Expected::Refused {
            StatusCode::FORBIDDEN
        } else {
            StatusCode::OK
        };
        if status != right {
            return Err(wrong_status(status.as_u16()));
        }
        let is_right = match expected {
            Expected::Passed => length(body) == self.passed,
            Expected::Versions => headers.contains_key("ms-asprotocolversions"),
            Expected::Kept(status) => root_and_status(body) == Some((asked.command.name(), status)),
            Expected::Nothing => body.is_empty(),
            Expected::Refused => body.starts_with(b"Access blocked."),
        };
        is_right.then_some(()).ok_or("wrong_body")
    }
}

/// What is the right answer to a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Expected {
    /// The mail server's.
    Passed,
    /// The versions of the protocol, as everybody who has signed in may know them.
    Versions,
    /// WBXML of the gateway's own with this status.
    Kept(&'static str),
    /// No octets: nothing has changed.
    Nothing,
    /// 403.
    Refused,
}

const fn expected(verdict: Verdict, command: Command) -> Expected {
    match (verdict, command) {
        (_, Command::Options) => Expected::Versions,
        (Verdict::Allow, _) => Expected::Passed,
        (Verdict::Block, _) => Expected::Refused,
        // What a device is, and the rules for it, are between it and the mail server.
        (Verdict::Quarantine, Command::Settings | Command::Provision) => Expected::Passed,
        (Verdict::Quarantine, Command::Sync) => Expected::Nothing,
        (Verdict::Quarantine, Command::FolderSync | Command::Ping) => Expected::Kept("1"),
        (Verdict::Quarantine, Command::SendMail) => Expected::Kept("120"),
        (Verdict::Quarantine, Command::MoveItems | Command::Search) => Expected::Kept("130"),
    }
}

/// The name of the outermost element, and the first Status in it; `None` if it is no WBXML to its end.
fn root_and_status(body: &[u8]) -> Option<(&'static str, &str)> {
    let mut reader = Reader::new(body).ok()?;
    let mut root = None;
    let mut status = None;
    let mut is_status = false;
    while let Some(event) = reader.next_event().ok()? {
        if let Event::Text(text) = event
            && is_status
        {
            status = status.or(Some(text));
        }
        is_status = false;
        if let Event::Start(tag) = event {
            root = root.or_else(|| Some(tag.name()));
            is_status = tag.name() == "Status";
        }
    }
    root.zip(status)
}

/// The body of a command (MS-ASCMD 2.2.1).
fn body(command: Command) -> Bytes {
    let mut writer = Writer::new();
    match command {
        Command::Options | Command::Ping => return Bytes::new(),
        Command::FolderSync => {
            writer.element(sync::folder_hierarchy::FOLDER_SYNC, |writer| {
                writer.leaf(sync::folder_hierarchy::SYNC_KEY, "0");
            });
        }
        // What is new in a folder of which the phone holds something.
        Command::Sync => {
            writer.element(sync::air_sync::SYNC, |writer| {
                writer.element(sync::air_sync::COLLECTIONS, |writer| {
                    writer.element(sync::air_sync::COLLECTION, |writer| {
                        writer.leaf(sync::air_sync::SYNC_KEY, "{0a1b}17");
                        writer.leaf(sync::air_sync::COLLECTION_ID, "5");
                        writer.leaf(sync::air_sync::WINDOW_SIZE, "25");
                    });
                });
            });
        }
        Command::SendMail => {
            let mail = format!(
                "To: somebody@example.com\r\nSubject: load\r\n\r\n{}",
                "Mail has a few kilobytes, as a rule.\r\n".repeat(200)
            );
            writer.element(service::compose_mail::SEND_MAIL, |writer| {
                writer.leaf(service::compose_mail::CLIENT_ID, "load-1");
                writer.element(service::compose_mail::MIME, |writer| {
                    writer.event(Event::Opaque(mail.as_bytes()));
                });
            });
        }
        Command::MoveItems => {
            writer.element(sync::r#move::MOVE_ITEMS, |writer| {
                writer.element(sync::r#move::MOVE, |writer| {
                    writer.leaf(sync::r#move::SRC_MSG_ID, "5:1");
                    writer.leaf(sync::r#move::SRC_FLD_ID, "5");
                    writer.leaf(sync::r#move::DST_FLD_ID, "6");
                });
            });
        }
        Command::Search => {
            writer.element(service::search::SEARCH, |writer| {
                writer.element(service::search::STORE, |writer| {
                    writer.leaf(service::search::NAME, "GAL");
                    writer.leaf(service::search::QUERY, "anna");
                });
            });
        }
        Command::Settings => {
            writer.element(service::settings::SETTINGS, |writer| {
                writer.element(service::settings::DEVICE_INFORMATION, |writer| {
                    writer.element(service::settings::SET, |writer| {
                        writer.leaf(service::settings::MODEL, "iPhone15,2");
                        writer.leaf(service::settings::OS, "iOS 18.1");
                    });
                });
            });
        }
        Command::Provision => {
            writer.element(service::provision::PROVISION, |writer| {
                writer.element(service::provision::POLICIES, |writer| {
                    writer.element(service::provision::POLICY, |writer| {
                        let kind = "MS-EAS-Provisioning-WBXML";
                        writer.leaf(service::provision::POLICY_TYPE, kind);
                    });
                });
            });
        }
    }
    writer.finish().into()
}

fn length<T>(list: &[T]) -> u64 {
    u64::try_from(list.len()).unwrap_or(u64::MAX)
}

/// In the order of a phone's day; most of it is Sync.
const COMMANDS: [Command; 10] = [
    Command::Options,
    Command::Sync,
    Command::Provision,
    Command::FolderSync,
    Command::Sync,
    Command::Settings,
    Command::SendMail,
    Command::Sync,
    Command::MoveItems,
    Command::Search,
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use portreeve::eas;
    use portreeve::eas::Status;

    use super::*;

    fn mix() -> Mix {
        Mix::new(
            vec![Verdict::Allow, Verdict::Quarantine, Verdict::Block],
            1024,
        )
    }

    #[test]
    fn phones_of_every_verdict_ask_for_everything() {
        let mix = mix();
        for phones in [3, 7, 8000] {
            let asked = (0..phones * 30).map(|number| mix.ask(number, phones));
            let seen: BTreeSet<_> = asked
                .map(|asked| (asked.verdict.name(), asked.command.name()))
                .collect();
            assert_eq!(seen.len(), 3 * 8, "{phones} phones");
        }
    }

    #[test]
    fn pings_wait_of_phones_that_are_not_blocked() {
        let mix = mix();
        let waiting: Vec<_> = (0..5).filter_map(|index| mix.waiting(index)).collect();
        assert_eq!(waiting, [0, 1, 3, 4, 6]);
        let blocked = Mix::new(vec![Verdict::Block], 0);
        assert_eq!(blocked.waiting(0), None);
    }

    #[test]
    fn answers_are_held_against_the_verdict() {
        let mix = mix();
        let origins = vec![0x5a; 1024];
        let kept = |command: eas::Command, status: Status| {
            status.body(command, eas::Version::V14_1).unwrap()
        };
        let denied = kept(eas::Command::Search, Status::AccessDenied);
        let failed = kept(eas::Command::SendMail, Status::MailSubmissionFailed);
        let (ours, others) = (true, false);
        use Command::*;
        use Verdict::*;
        for (row, verdict, command, is_ours, status, body, expected) in [
            (1, Allow, Sync, others, 200, &origins[..], Ok(())),
            (2, Allow, Sync, others, 200, b"short", Err("wrong_body")),
            (3, Allow, Sync, others, 503, b"", Err("status_503")),
            (4, Allow, Sync, ours, 200, b"", Err("kept_out_wrongly")),
            (5, Block, Sync, ours, 403, b"Access blocked. Why.", Ok(())),
            (6, Block, Sync, ours, 403, b"else", Err("wrong_body")),
            (7, Block, Search, others, 200, &origins, Err("let_through")),
            (8, Quarantine, Sync, ours, 200, b"", Ok(())),
            (
                9,
                Quarantine,
                Sync,
                others,
                200,
                &origins,
                Err("let_through"),
            ),
            (10, Quarantine, Search, ours, 200, &denied, Ok(())),
            (
                11,
                Quarantine,
                Search,
                ours,
                200,
                &failed,
                Err("wrong_body"),
            ),
            (12, Quarantine, SendMail, ours, 200, &failed, Ok(())),
            (13, Quarantine, SendMail, ours, 403, b"", Err("status_403")),
            (
                14,
                Quarantine,
                SendMail,
                ours,
                200,
                &failed[..9],
                Err("wrong_body"),
            ),
            (15, Quarantine, Provision, others, 200, &origins, Ok(())),
            (
                16,
                Block,
                Provision,
                others,
                200,
                &origins,
                Err("let_through"),
            ),
            (17, Block, Options, others, 200, b"", Err("wrong_body")),
        ] {
            let mut headers = HeaderMap::new();
            if is_ours {
                headers.insert("x-portreeve-reason", 54001.into());
            }
            let asked = Asked {
                phone: 0,
                command,
                body: Bytes::new(),
                verdict,
            };
            let status = StatusCode::from_u16(status).unwrap();
            let checked = mix.check(&asked, status, &headers, body);
            assert_eq!(checked, expected, "row {row}");
        }
    }
}
