//! Two questions that administrators of mail ask most, each as checks in a fixed order with what was
//! found (R42, R43): why is a device not blocked although it is not compliant, and why is a device kept
//! out without a message.

use serde::Serialize;

use super::told::Inbox;
use super::told::Mails;
use crate::inventory::Lookup;
use crate::inventory::MailClient;
use crate::inventory::Reader;
use crate::model::Identifier;
use crate::model::Timestamp;
use crate::model::Verdict;
use crate::policy::Explanation;

/// What is known of a mail client when one of the questions is asked.
pub(super) struct Evidence<'a> {
    pub(super) client: Option<&'a MailClient>,
    pub(super) found: Option<Lookup>,
    /// Of its latest decision that is kept.
    pub(super) explanation: Option<&'a Explanation>,
    pub(super) now: Timestamp,
    pub(super) mails: Mails,
}

/// One check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Check {
    pub(super) check: &'static str,
    pub(super) found: String,
    /// Whether this is the answer.
    pub(super) is_cause: bool,
}

impl<'a> Evidence<'a> {
    pub(super) fn of(
        client: Option<&'a MailClient>,
        reader: &Reader,
        explanation: Option<&'a Explanation>,
        now: Timestamp,
    ) -> Self {
        Self {
            found: client.map(|client| reader.find(&Identifier::Eas(client.eas, &client.user))),
            client,
            explanation,
            now,
            mails: Mails::default(),
        }
    }

    /// Not blocked although it is not compliant: groups, discovery, the device's record, its state.
    pub(super) fn not_blocked(&self) -> Vec<Check> {
        let mut checks = vec![self.groups(), self.discovery(), self.record(), self.state()];
        first_only(&mut checks);
        checks
    }

    /// Kept out without a message: the rule that answered, the account that mails leave by, the message,
    /// the device, the mail to its user, its visits.
    pub(super) fn no_message(&self) -> Vec<Check> {
        let mut checks = vec![
            self.rule(),
            self.mails.account(),
            self.message(),
            self.record(),
            self.mails.mail(),
            self.visits(),
        ];
        first_only(&mut checks);
        checks
    }

    fn groups(&self) -> Check {
        let Some(explanation) = self.explanation else {
            return check(
                "target and exempt groups",
                "no decision is kept".to_owned(),
                false,
            );
        };
        let policies = explanation.policies.iter();
        let policies = policies.filter(|policy| policy.kind == "conditional");
        let (mut by_groups, mut asked) = (Vec::new(), Vec::new());
        for policy in policies {
            if policy.not_applied.contains(&"users") {
                by_groups.push(policy.name.as_str());
            } else if policy.not_applied.is_empty() {
                asked.push(policy.name.as_str());
            }
        }
        let is_cause = asked.is_empty() && !by_groups.is_empty();
        check(
            "target and exempt groups",
            format!(
                "policies that apply: {}; that the user is not targeted by, or exempt from: {}",
                list(&asked),
                list(&by_groups)
            ),
            is_cause,
        )
    }

    fn discovery(&self) -> Check {
        match self.client {
            Some(client) => check(
                "discovery",
                format!(
                    "seen here since {}, last {} s ago",
                    client.first_seen,
                    self.now.since(client.last_seen).as_secs()
                ),
                false,
            ),
            None => check(
                "discovery",
                "never seen here: its mail takes another way than this gateway".to_owned(),
                true,
            ),
        }
    }

    fn record(&self) -> Check {
        let name = "device record";
        match &self.found {
            None => check(
                name,
                "without a client there is nothing to map".to_owned(),
                false,
            ),
            Some(Lookup::Found(posture, _)) => {
                let compliance = &posture.compliance;
                check(
                    name,
                    format!(
                        "mapped to device {}, which is {} (told {} s ago)",
                        posture.device,
                        compliance.value,
                        compliance.age(self.now).as_secs()
                    ),
                    compliance.value.as_tri() == crate::model::Tri::Yes,
                )
            }
            Some(Lookup::Unknown) => check(
                name,
                "no source has told which device this DeviceId is on".to_owned(),
                true,
            ),
            Some(Lookup::Ambiguous) => {
                check(name, "two devices have this DeviceId".to_owned(), true)
            }
            Some(Lookup::OfAnotherUser) => check(
                name,
                "the DeviceId is that of another user's device".to_owned(),
                true,
            ),
        }
    }

    fn state(&self) -> Check {
        let name = "access state";
        let Some((verdict, reason)) = self.client.and_then(|client| client.state) else {
            return check(name, "nothing has been decided".to_owned(), false);
        };
        let mut found = format!("{verdict}: {reason}. {}", reason.sentence());
        let rehearsed = self.explanation.and_then(|one| one.rehearsed.as_ref());
        if let Some(rehearsed) = rehearsed {
            found.push_str(&format!(
                " {:?} would {}, and is report-only.",
                rehearsed.policy, rehearsed.verdict
            ));
        }
        let until = self.mails.let_in_until;
        if let Some(until) = until {
            found.push_str(&format!(
                " It is let in until {until} all the same (mail.wait)."
            ));
        }
        let is_let_in = verdict == Verdict::Allow || rehearsed.is_some() || until.is_some();
        check(name, found, is_let_in)
    }

    fn rule(&self) -> Check {
        let name = "rule that answered";
        let Some(explanation) = self.explanation else {
            return check(name, "no decision is kept".to_owned(), false);
        };
        let by = match explanation.answered_by {
            Some(key) => format!("{key} in policy.toml"),
            None => list(
                &explanation
                    .decided_by
                    .iter()
                    .map(String::as_str)
                    .collect::<Vec<_>>(),
            ),
        };
        // Only a device in quarantine has a mailbox with a message in it.
        let is_blocked = explanation.verdict == Verdict::Block.as_str();
        let is_told = self.mails.last.is_some();
        let why = match (is_blocked, is_told) {
            (false, _) => "",
            (true, false) => {
                "; a device that is blocked gets no message, one that is in quarantine does"
            }
            (true, true) => "; a device that is blocked gets no message, but its user had a mail",
        };
        check(
            name,
            format!("{}, by {by}{why}", explanation.verdict),
            is_blocked && !is_told,
        )
    }

    fn message(&self) -> Check {
        let name = "message";
        match self.client {
            Some(client) if client.version > 0 && client.version < FIRST_WITH_MAILBOX => check(
                name,
                "the client speaks version 2.5, which has no mailbox in quarantine".to_owned(),
                true,
            ),
            Some(client)
                if self.mails.let_in_until.is_some()
                    || client
                        .state
                        .is_some_and(|(verdict, _)| verdict == Verdict::Allow) =>
            {
                check(name, "none: the device is let in".to_owned(), false)
            }
            Some(client) => self.mails.message(&client.user),
            None => check(name, "nobody has been there to get it".to_owned(), false),
        }
    }

    fn visits(&self) -> Check {
        let name = "visits";
        match self.client {
            None => check(name, "none".to_owned(), true),
            Some(client) => {
                let ago = self.now.since(client.last_seen).as_secs();
                let fetched = match self.mails.inbox {
                    Inbox::MadeUp => "; the message is fetched with the next Sync of the Inbox",
                    Inbox::Unknown | Inbox::Real | Inbox::Refused => "",
                };
                check(name, format!("last {ago} s ago{fetched}"), ago > OVERDUE)
            }
        }
    }
}

/// Checks as lines, and the first cause in words.
pub(super) fn text(question: &str, checks: &[Check]) -> String {
    let mut text = format!("{question}\n");
    for (number, one) in (1..).zip(checks) {
        let mark = if one.is_cause { "  <- this is why" } else { "" };
        text.push_str(&format!("{number}. {}: {}{mark}\n", one.check, one.found));
    }
    if checks.iter().all(|one| !one.is_cause) {
        text.push_str("none of these: look at `portreeve explain` of the latest decision\n");
    }
    text
}

pub(super) fn check(check: &'static str, found: String, is_cause: bool) -> Check {
    Check {
        check,
        found,
        is_cause,
    }
}

/// The first cause in the order of the checks is the answer.
fn first_only(checks: &mut [Check]) {
    let mut causes = checks.iter_mut().filter(|one| one.is_cause);
    causes.next();
    for later in causes {
        later.is_cause = false;
    }
}

fn list(names: &[&str]) -> String {
    if names.is_empty() {
        "none".to_owned()
    } else {
        names.join(", ")
    }
}

/// Version 12.0, in tenths.
const FIRST_WITH_MAILBOX: u8 = 120;

/// A phone asks several times an hour.
const OVERDUE: u64 = 3600;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ComplianceState;
    use crate::model::DeviceId;
    use crate::model::Fact;
    use crate::model::Posture;
    use crate::model::Reason;
    use crate::model::SourceId;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_unix_seconds(1_795_253_400 + seconds)
    }

    fn client(change: impl FnOnce(&mut MailClient)) -> MailClient {
        let mut client = MailClient::new("applf2lx".parse().unwrap(), "alice", at(-7200));
        client.version = 141;
        client.last_seen = at(-60);
        client.state = Some((Verdict::Allow, Reason::NotTargeted));
        change(&mut client);
        client
    }

    fn mapped(state: ComplianceState) -> Lookup {
        let mut posture = Posture::unknown(DeviceId::from_u128(7));
        posture.compliance = Fact::new(state, SourceId(1), at(-600));
        Lookup::Found(posture, crate::inventory::GroupSet::EMPTY)
    }

    fn evidence<'a>(client: Option<&'a MailClient>, found: Option<Lookup>) -> Evidence<'a> {
        Evidence {
            client,
            found,
            explanation: None,
            now: at(0),
            mails: Mails::default(),
        }
    }

    #[test]
    fn a_device_that_is_not_blocked_is_looked_for_in_order_r42() {
        let known = client(|_| {});
        for (client, found, expected) in [
            (
                None,
                None,
                "q\n\
                 1. target and exempt groups: no decision is kept\n\
                 2. discovery: never seen here: its mail takes another way than this gateway  <- this is why\n\
                 3. device record: without a client there is nothing to map\n\
                 4. access state: nothing has been decided\n",
            ),
            (
                Some(&known),
                Some(mapped(ComplianceState::Compliant)),
                "q\n\
                 1. target and exempt groups: no decision is kept\n\
                 2. discovery: seen here since 2026-11-21T07:30:00.000Z, last 60 s ago\n\
                 3. device record: mapped to device 00000000-0000-0000-0000-000000000007, which is \
                 compliant (told 600 s ago)  <- this is why\n\
                 4. access state: allow: 54002 NotTargeted. No policy targets this user or device.\n",
            ),
            (
                Some(&known),
                Some(mapped(ComplianceState::NonCompliant)),
                "q\n\
                 1. target and exempt groups: no decision is kept\n\
                 2. discovery: seen here since 2026-11-21T07:30:00.000Z, last 60 s ago\n\
                 3. device record: mapped to device 00000000-0000-0000-0000-000000000007, which is \
                 noncompliant (told 600 s ago)\n\
                 4. access state: allow: 54002 NotTargeted. No policy targets this user or device.  \
                 <- this is why\n",
            ),
        ] {
            assert_eq!(text("q", &evidence(client, found).not_blocked()), expected);
        }
    }

    #[test]
    fn a_device_that_is_let_in_to_wait_is_not_blocked_for_that_r42() {
        let held = client(|client| {
            client.state = Some((Verdict::Quarantine, Reason::DeviceNotCompliant));
        });
        let found = Some(mapped(ComplianceState::NonCompliant));
        let mut evidence = evidence(Some(&held), found);
        let is_answer = |evidence: &Evidence<'_>| evidence.not_blocked()[3].is_cause;
        assert!(!is_answer(&evidence));
        evidence.mails.let_in_until = Some(at(60));
        assert!(is_answer(&evidence), "{:?}", evidence.not_blocked());
    }

    #[test]
    fn a_device_without_a_message_is_looked_for_in_order_r43() {
        let old = client(|client| client.version = 25);
        let silent = client(|client| {
            client.last_seen = at(-7200);
            client.state = Some((Verdict::Quarantine, Reason::DeviceNotCompliant));
        });
        for (client, found, expected) in [
            (
                Some(&old),
                Some(Lookup::Unknown),
                "q\n\
                 1. rule that answered: no decision is kept\n\
                 2. notification account: none: mail.notify.host of gateway.toml is not set, so nobody is told \
                 by mail\n\
                 3. message: the client speaks version 2.5, which has no mailbox in quarantine  <- this is why\n\
                 4. device record: no source has told which device this DeviceId is on\n\
                 5. mail to the user: none was written: those are for devices that have their real folders\n\
                 6. visits: last 60 s ago\n",
            ),
            (
                Some(&silent),
                Some(mapped(ComplianceState::NonCompliant)),
                "q\n\
                 1. rule that answered: no decision is kept\n\
                 2. notification account: none: mail.notify.host of gateway.toml is not set, so nobody is told \
                 by mail\n\
                 3. message: lies in the Inbox that a device in quarantine is shown\n\
                 4. device record: mapped to device 00000000-0000-0000-0000-000000000007, which is \
                 noncompliant (told 600 s ago)\n\
                 5. mail to the user: none was written: those are for devices that have their real folders\n\
                 6. visits: last 7200 s ago; the message is fetched with the next Sync of the Inbox  \
                 <- this is why\n",
            ),
            (
                None,
                None,
                "q\n\
                 1. rule that answered: no decision is kept\n\
                 2. notification account: none: mail.notify.host of gateway.toml is not set, so nobody is told \
                 by mail\n\
                 3. message: nobody has been there to get it\n\
                 4. device record: without a client there is nothing to map\n\
                 5. mail to the user: none was written: those are for devices that have their real folders\n\
                 6. visits: none  <- this is why\n",
            ),
        ] {
            let mut evidence = evidence(client, found);
            if client.is_some_and(|client| client.version >= FIRST_WITH_MAILBOX) {
                evidence.mails.inbox = Inbox::MadeUp;
            }
            assert_eq!(text("q", &evidence.no_message()), expected);
        }
    }
}
