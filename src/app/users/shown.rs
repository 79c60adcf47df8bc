//! What `status` and `/metrics` say of users.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;

use serde_json::Value;
use serde_json::json;

use super::smtp::Smtp;
use crate::mail::Gateway;
use crate::net::eas::Front;

/// What that is read from.
#[derive(Clone, Debug)]
pub(in crate::app) struct Users {
    pub(super) front: Arc<Front>,
    pub(super) smtp: Option<Arc<Smtp>>,
    pub(super) failed_saves: Arc<AtomicU64>,
}

impl Users {
    pub(in crate::app) fn gateway(&self) -> &Gateway {
        &self.front.gateway
    }

    pub(in crate::app) fn smtp(&self) -> Option<&Smtp> {
        self.smtp.as_deref()
    }

    pub(in crate::app) fn failed_saves(&self) -> u64 {
        self.failed_saves.load(Ordering::Relaxed)
    }

    pub(in crate::app) fn lines(&self) -> String {
        let ([_, waiting, held], untracked) = self.gateway().roll_counts();
        let mut text = String::new();
        if waiting + held > 0 {
            text.push_str(&format!(
                "mail devices: {waiting} let in until their wait is over, {held} kept out\n"
            ));
        }
        if untracked > 0 {
            text.push_str(&format!(
                "{untracked} mail requests of devices that found no place to be remembered\n"
            ));
        }
        let (_, displaced) = self.gateway().roll_crowding();
        if displaced > 0 {
            text.push_str(&format!(
                "{displaced} mail devices made place for others of their user, who has a hundred\n"
            ));
        }
        let Some(smtp) = self.smtp() else {
            return text;
        };
        let counts = self.gateway().post_counts();
        text.push_str(&format!(
            "mails to users: {} sent, {} waiting, {} given up, {} not sent because of too many a day\n",
            counts.sent, counts.waiting, counts.failed, counts.too_many
        ));
        let server = smtp.server();
        text.push_str(&match smtp.state() {
            None => format!("mail server for users {server}: not spoken to yet\n"),
            Some((at, Ok(()))) => format!("mail server for users {server}: good at {at}\n"),
            Some((at, Err(why))) => format!("mail server for users {server}: {why} ({at})\n"),
        });
        text
    }

    pub(in crate::app) fn json(&self) -> Value {
        let ([allowed, waiting, held], untracked) = self.gateway().roll_counts();
        let counts = self.gateway().post_counts();
        let smtp = self.smtp().map(|smtp| {
            let (at, came) = smtp.state().map_or((None, None), |(at, came)| {
                (Some(at.to_string()), Some(came))
            });
            json!({
                "server": smtp.server(),
                "at": at,
                "up": came.as_ref().map(Result::is_ok),
                "error": came.and_then(Result::err),
            })
        });
        json!({
            "devices": { "allowed": allowed, "waiting": waiting, "held": held },
            "untracked": untracked,
            "displaced": self.gateway().roll_crowding().1,
            "mails": {
                "sent": counts.sent,
                "waiting": counts.waiting,
                "tried_again": counts.again,
                "given_up": counts.failed,
                "too_many_a_day": counts.too_many,
            },
            "smtp": smtp,
        })
    }
}
