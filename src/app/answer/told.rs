//! Whether users can be told by mail, and what this one was told: two checks of why somebody is kept out
//! without a message (R34, R43).

use super::trees::Check;
use super::trees::check;
use crate::mail::Mail;
use crate::mail::MailState;
use crate::model::Timestamp;

/// What is known of the mails to the user of a client.
#[derive(Clone, Debug, Default)]
pub(super) struct Mails {
    /// The server that they leave through, and what came of it last; `None` without one.
    pub(super) server: Option<(String, Came)>,
    /// The latest about this client.
    pub(super) last: Option<Mail>,
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

    /// The mail about this client.
    pub(super) fn mail(&self) -> Check {
        let name = "mail to the user";
        let Some(mail) = &self.last else {
            let found = "none was written: those are for devices that were let in before";
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
