//! The message that a device in quarantine finds in its Inbox.

use http::HeaderMap;
use http::header;

use crate::access::Decided;
use crate::eas;
use crate::eas::Command;
use crate::eas::quarantine::Message;
use crate::message::About;
use crate::message::Kind;
use crate::message::Language;
use crate::message::Letter;
use crate::model::Now;
use crate::model::Platform;
use crate::model::Reason;

use super::action::Way;
use super::gateway::Gateway;
use super::link::LIFETIME;
use super::link::Link;
use super::roll::Itself;
use super::roll::Post;

/// Whether the answer to a command may hold the message, and not only how much of it the client has.
const fn may_be_delivered(command: Command) -> bool {
    matches!(command, Command::Sync | Command::ItemOperations)
}

/// The languages that a request asks for, the most wanted first.
pub(super) fn languages(headers: &HeaderMap, request: &eas::Request) -> Vec<Language> {
    let accepted = headers
        .get(header::ACCEPT_LANGUAGE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let mut wanted = Language::wanted(accepted);
    // Last: a phone sends the locale of its software there, which its owner may never have chosen.
    if let eas::Form::Base64 { locale, .. } = request.form {
        wanted.extend(Language::of_locale(locale));
    }
    wanted
}

/// The platform of a device by what it calls itself; `Unknown` if that says nothing.
pub(super) fn platform(device_type: &str, os: Option<&str>) -> Platform {
    let of = |text: &str| {
        let text = text.trim().to_ascii_lowercase();
        let begins = |with: &str| text.starts_with(with);
        if ["iphone", "ipad", "ipod", "ios", "ipados"]
            .into_iter()
            .any(begins)
        {
            Platform::Ios
        } else if begins("android") || begins("samsung") {
            Platform::Android
        } else if begins("mac") {
            Platform::MacOs
        } else if begins("wp") || begins("windowsphone") || begins("windows phone") {
            Platform::WindowsPhone
        } else if begins("windows") {
            Platform::Windows
        } else {
            Platform::Unknown
        }
    };
    let stated = os.map_or(Platform::Unknown, of);
    if stated == Platform::Unknown {
        of(device_type)
    } else {
        stated
    }
}

/// The platform of a device whose type is all that is known.
#[must_use]
pub fn platform_of(device_type: &str) -> Platform {
    platform(device_type, None)
}

/// What is known of a device beside its request: by the inventory, and by what it told itself.
pub(super) struct Described {
    name: Option<String>,
    model: Option<String>,
    platform: Platform,
}

impl Described {
    /// As a message needs it; `device` is the DeviceId as the device spells it.
    pub(super) fn about<'a>(
        &'a self,
        user: &'a str,
        device: &'a str,
        device_type: &'a str,
        reason: Reason,
    ) -> About<'a> {
        About {
            name: self.name.as_deref(),
            model: self.model.as_deref(),
            device_type,
            device_id: device,
            platform: self.platform,
            user,
            reason,
            request: None,
            until: None,
            check_again: None,
        }
    }
}

impl Gateway {
    /// What is known of a device that was decided about. The management system's word on its name
    /// counts before the device's own.
    pub(super) fn describe(
        &self,
        decided: &Decided,
        device_type: &str,
        itself: Itself,
    ) -> Described {
        let known = decided.seen.posture();
        let described =
            known.and_then(|posture| self.live.point().reader().describe(posture.device));
        let (name, model) = described.map_or((None, None), |device| (device.name, device.model));
        let stated = known.map_or(Platform::Unknown, |posture| posture.platform);
        Described {
            name: name.or_else(|| itself.name.map(String::from)),
            model: model.or_else(|| itself.model.map(String::from)),
            platform: if stated == Platform::Unknown {
                platform(device_type, itself.os.as_deref())
            } else {
                stated
            },
        }
    }

    /// Writes it: which device, why, and what to do. One revision for each reason, so that a device
    /// gets another message only when there is another reason.
    pub(super) fn compose(&self, now: Now, way: &Way, asked: Vec<Language>) -> Message {
        let Way {
            who,
            request,
            decided,
            ..
        } = way;
        let reason = decided.decision.reason;
        let user = &who.login.user;
        let mut message = Message {
            revision: u32::from(reason.code()),
            from: String::new(),
            to: user.clone(),
            subject: String::new(),
            text: String::new(),
            html: String::new(),
            sent: decided.seen.at,
        };
        if !may_be_delivered(request.command) {
            return message;
        }
        let words = self.words.load();
        let (itself, _) = self.roll.itself(user, request.device);
        let mut wanted: Vec<Language> = itself.language.iter().cloned().collect();
        wanted.extend(asked);
        let described = self.describe(decided, &request.device_type, itself);
        let id = who.id.to_string();
        let link = self.check_link(
            now,
            &Link {
                user: user.clone(),
                device: request.device,
                spelled: request.spelled().to_owned(),
                device_type: request.device_type.clone(),
                user_agent: who.user_agent.clone(),
                expires: now.wall + LIFETIME,
            },
        );
        let about = About {
            request: Some(&id),
            check_again: link.as_deref(),
            ..described.about(user, request.spelled(), &request.device_type, reason)
        };
        let texts = words.book.choose(&wanted);
        let letter = Letter::write(texts, &words.site, Kind::Mailbox, &about);
        let host = self.config.published.first().map_or("", String::as_str);
        message.from = format!(
            "\"{}\" <no-reply@{host}>",
            letter.from.replace(['"', '\\'], "")
        );
        message.subject = letter.subject;
        message.text = letter.text;
        message.html = letter.html;
        message
    }

    /// Writes a mail to a user.
    #[must_use]
    pub fn write_post(&self, now: Now, post: &Post) -> Letter {
        let words = self.words.load();
        let itself = Itself {
            name: post.name.clone(),
            model: post.model.clone(),
            os: post.os.clone(),
            language: None,
        };
        let link = Link {
            user: post.user.clone(),
            device: post.device,
            spelled: post.spelled.clone(),
            device_type: post.device_type.clone(),
            user_agent: String::new(),
            expires: now.wall + LIFETIME,
        };
        let decided = self.judge_link(now, &link, post.key);
        let described = self.describe(&decided, &post.device_type, itself);
        let link = self.check_link(now, &link);
        let about = About {
            until: post.until,
            check_again: link.as_deref(),
            ..described.about(&post.user, &post.spelled, &post.device_type, post.reason)
        };
        let texts = words.book.choose(&post.languages);
        Letter::write(texts, &words.site, post.kind, &about)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_say_what_they_are_in_their_type_or_system() {
        for (device_type, os, expected) in [
            ("iPhone", None, Platform::Ios),
            ("iPad", None, Platform::Ios),
            ("Android", None, Platform::Android),
            ("SAMSUNGSMG991B", None, Platform::Android),
            ("WP8", None, Platform::WindowsPhone),
            ("WindowsMail", None, Platform::Windows),
            ("Outlook", None, Platform::Unknown),
            ("Outlook", Some("iOS 17.1"), Platform::Ios),
            ("iPhone", Some("???"), Platform::Ios),
            ("", None, Platform::Unknown),
        ] {
            assert_eq!(
                platform(device_type, os),
                expected,
                "row {device_type} {os:?}"
            );
        }
    }
}
