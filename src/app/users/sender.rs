//! The sending of mails to users, one by one.

use std::sync::Arc;
use std::time::Duration;

use tracing::debug;
use tracing::warn;

use super::note;
use super::smtp::Smtp;
use crate::config;
use crate::mail::Post;
use crate::mail::Posted;
use crate::model::Timestamp;
use crate::net::Clock;
use crate::net::eas::Front;
use crate::notify::Mailer;
use crate::notify::Outgoing;
use crate::notify::SendError;

/// Sends mails.
pub(super) struct Sender {
    pub(super) front: Arc<Front>,
    pub(super) mailer: Mailer,
    pub(super) notify: config::Notify,
    pub(super) smtp: Arc<Smtp>,
    pub(super) clock: Clock,
}

impl Sender {
    pub(super) async fn run(self) {
        let came = self.mailer.test().await;
        let came = came.map_err(|error| error.to_string());
        self.smtp.note(self.clock.now().wall, came);
        let mut tick = tokio::time::interval(PAUSE);
        let mut warned = None;
        loop {
            tick.tick().await;
            self.warn(&mut warned);
            while let Some(post) = self.front.gateway.poll_post(self.clock.now()) {
                let posted = self.send(&post).await;
                let now = self.clock.now();
                self.front.gateway.handle_posted(now, &post, &posted);
                note(&self.front);
                if matches!(posted, Posted::Later(_)) {
                    // The others would fare no better.
                    break;
                }
            }
        }
    }

    async fn send(&self, post: &Post) -> Posted {
        let Some(to) = self.notify.address_of(&post.user) else {
            return Posted::Refused("the user has no mail address".to_owned());
        };
        let letter = self.front.gateway.write_post(self.clock.now(), post);
        let outgoing = Outgoing {
            to,
            from_name: letter.from,
            subject: letter.subject,
            text: letter.text,
            html: letter.html,
            id: uuid::Uuid::new_v4().to_string(),
        };
        let came = self.mailer.send(&outgoing).await;
        let now = self.clock.now().wall;
        match came {
            Ok(()) => {
                self.smtp.note(now, Ok(()));
                debug!(device = %post.device, kind = post.kind.name(), "a user was told by mail");
                Posted::Sent
            }
            // It answers: the trouble is this one mail's.
            Err(SendError::Refused(why)) => {
                self.smtp.note(now, Ok(()));
                warn!(device = %post.device, why, "a user cannot be told by mail");
                Posted::Refused(why)
            }
            Err(SendError::Unavailable(why)) => {
                self.smtp.note(now, Err(why.clone()));
                Posted::Later(why)
            }
        }
    }

    /// A change that concerns many is sent slowly, and said so.
    fn warn(&self, warned: &mut Option<Timestamp>) {
        let now = self.clock.now().wall;
        let waiting = self.front.gateway.post_counts().waiting;
        let is_due = warned.is_none_or(|at| now.since(at) >= Duration::from_hours(1));
        if waiting > MANY && is_due {
            *warned = Some(now);
            let per_minute = self.notify.care.per_minute;
            warn!(
                waiting,
                per_minute,
                "many mails to users are waiting; mail.notify.per_minute slows them down"
            );
        }
    }
}

/// How often mails are looked for.
const PAUSE: Duration = Duration::from_secs(1);
/// Mails that wait before it is said.
const MANY: usize = 100;
