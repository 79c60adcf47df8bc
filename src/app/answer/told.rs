//! Whether users can be told by mail, and what this one was told: two checks of why somebody is kept out
//! without a message (R34, R43).

use super::trees::Check;
use super::trees::check;
use crate::mail::Mail;
use crate::mail::MailState;
use crate::mail::Standing;
use crate::model::Timestamp;

/// What is known of the mails to the user of a client.
#[derive(Clone, Debug, Default)]
pub(super) struct Mails {
    /// The server that they leave through, and what came of it last; `None` without one.
    pub(super) server: Option<(String, Came)>,
    /// The latest about this client.
    pub(super) last: Option<Mail>,
    /// What the client has of the mailbox of quarantine.
    pub(super) inbox: Inbox,
    /// Until when it is let in although it is kept out by its verdict, if it is.
    pub(super) let_in_until: Option<Timestamp>,
}

/// Whether a client in quarantine has an Inbox that the message comes into.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Inbox {
    /// It gets one if it asks for its folders anew; it has shown nothing yet.
    #[default]
    Unknown,
    /// It has the made-up one.
    MadeUp,
    /// It has its real folders, into which nothing is put.
    Real,
    /// Quarantine is 403 here.
    Refused,
}

impl Inbox {
    /// Of a client that was let in once, or was not, at a gateway that gives such a mailbox or does not.
    pub(super) fn of(standing: Option<&Standing>, was_served: bool, is_given: bool) -> Self {
        match standing {
            _ if !is_given => Self::Refused,
            Some(one) if one.made_up => Self::MadeUp,
            Some(one) if one.real || one.mail.is_some() || was_served => Self::Real,
            None if was_served => Self::Real,
            Some(_) | None => Self::Unknown,
        }
    }
}

/// When a server was last spoken to, and what came of it.
type Came = Option<(Timestamp, Result<(), String>)>;

impl Mails {
    /// The account that mails leave by.
    pub(super) fn account(&self) -> Check {
        let name = "notification account";
        let Some((server, came)) = &self.server else {
            let found =
                "none: mail.notify.host of gateway.toml is not set, so nobody is told by mail";
            return check(name, found.to_owned(), false);
        };
        match came {
            None => check(name, format!("{server}, not spoken to yet"), false),
            Some((at, Ok(()))) => check(name, format!("{server}, good at {at}"), false),
            Some((at, Err(why))) => check(
                name,
                format!("{server}: {why} ({at}); `portreeve message send-test` tries it"),
                true,
            ),
        }
    }

    /// Where the message is.
    pub(super) fn message(&self, user: &str) -> Check {
        let name = "message";
        let why = match self.inbox {
            Inbox::MadeUp => {
                let found = "lies in the Inbox that a device in quarantine is shown";
                return check(name, found.to_owned(), false);
            }
            Inbox::Unknown => {
                let found = "none yet: the device has not asked for its folders since it is in quarantine, and \
                             gets an Inbox with the message if it begins anew";
                return check(name, found.to_owned(), true);
            }
            Inbox::Real => "the device has its real folders, into which nothing is put",
            Inbox::Refused => "mail.quarantine of gateway.toml gives no mailbox",
        };
        match (&self.last, &self.server) {
            (Some(_), _) => check(name, format!("told by mail to {user}: {why}"), false),
            (None, None) => check(
                name,
                format!("told nowhere: {why}, and mail.notify is off"),
                true,
            ),
            (None, Some(_)) => check(name, format!("told nowhere yet: {why}"), true),
        }
    }

    /// The mail about this client.
    pub(super) fn mail(&self) -> Check {
        let name = "mail to the user";
        let Some(mail) = &self.last else {
            let found = "none was written: those are for devices that have their real folders";
            return check(name, found.to_owned(), false);
        };
        let kind = mail.kind.name();
        let (came, is_cause) = match &mail.state {
            MailState::Pending(at, 0) => (format!("waits to be sent since {at}"), true),
            MailState::Pending(at, tries) => (
                format!("could not be sent {tries} times and is tried again at {at}"),
                true,
            ),
            MailState::Sent(at) => (format!("was taken by the mail server at {at}"), false),
            MailState::Failed(at, why) => (format!("was given up at {at}: {why}"), true),
        };
        check(name, format!("\"{kind}\" {came}"), is_cause)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Kind;

    const AT: Timestamp = Timestamp::from_unix_seconds(1_795_253_400);

    fn mails(came: Came, state: Option<MailState>) -> Mails {
        Mails {
            server: Some(("mail.example.com".to_owned(), came)),
            last: state.map(|state| Mail {
                kind: Kind::Held,
                state,
                while_away: false,
            }),
            ..Mails::default()
        }
    }

    #[test]
    fn where_the_message_is_goes_by_the_folders_that_the_device_has_r43() {
        let real = "the device has its real folders, into which nothing is put";
        for (inbox, server, mail, expected, is_cause) in [
            (
                Inbox::MadeUp,
                false,
                false,
                "lies in the Inbox that a device in quarantine is shown".to_owned(),
                false,
            ),
            (
                Inbox::Real,
                true,
                true,
                format!("told by mail to alice: {real}"),
                false,
            ),
            (
                Inbox::Real,
                true,
                false,
                format!("told nowhere yet: {real}"),
                true,
            ),
            (
                Inbox::Real,
                false,
                false,
                format!("told nowhere: {real}, and mail.notify is off"),
                true,
            ),
        ] {
            let mut mails = mails(None, mail.then_some(MailState::Sent(AT)));
            mails.inbox = inbox;
            mails.server = mails.server.filter(|_| server);
            let check = mails.message("alice");
            assert_eq!((check.found, check.is_cause), (expected, is_cause));
        }
    }

    #[test]
    fn the_account_is_the_cause_when_its_server_takes_nothing_r34() {
        let refused = Err("the password is refused".to_owned());
        for (mails, is_cause) in [
            (Mails::default(), false),
            (mails(None, None), false),
            (mails(Some((AT, Ok(()))), None), false),
            (mails(Some((AT, refused)), None), true),
        ] {
            let check = mails.account();
            assert_eq!(check.is_cause, is_cause, "{check:?}");
        }
    }

    #[test]
    fn a_mail_that_has_not_left_is_the_cause_r43() {
        for (state, is_cause) in [
            (None, false),
            (Some(MailState::Pending(AT, 0)), true),
            (Some(MailState::Pending(AT, 3)), true),
            (Some(MailState::Sent(AT)), false),
            (Some(MailState::Failed(AT, "no such user".into())), true),
        ] {
            let check = mails(None, state).mail();
            assert_eq!(check.is_cause, is_cause, "{check:?}");
        }
    }
}
