//! The page of the check-again link (R39): what is known of one user's device now, and a button that
//! has the sources asked.
//!
//! A GET shows and changes nothing, so that what follows links in mails does no harm; a POST asks,
//! once a minute for a device and once in a few seconds for all. Without a link of ours the page says
//! that the link is not valid, whatever else it names, and so tells nobody anything.

use std::collections::HashMap;
use std::sync::PoisonError;
use std::time::Duration;

use http::HeaderValue;
use http::Method;
use http::StatusCode;
use http::Version;
use http::header;

use crate::access::Decided;
use crate::access::OwnedSubject;
use crate::message;
use crate::message::About;
use crate::message::Language;
use crate::message::Page;
use crate::message::State;
use crate::model::Credential;
use crate::model::DeviceId;
use crate::model::EasDeviceId;
use crate::model::Established;
use crate::model::Identifier;
use crate::model::MailContext;
use crate::model::Monotonic;
use crate::model::Now;
use crate::model::Plane;
use crate::model::Platform;
use crate::model::Presented;
use crate::model::Reason;
use crate::model::Subject;
use crate::model::Verdict;

use super::action::Action;
use super::action::Event;
use super::action::Step;
use super::credential::Key;
use super::error::Malformed;
use super::gateway::Gateway;
use super::head::Head;
use super::head::Peer;
use super::link::CHECK_PATH;
use super::link::Link;
use super::reply::Reply;

/// The sources are to be asked about a device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LookUp {
    /// The device, if it is known.
    pub device: Option<DeviceId>,
    /// The DeviceId of its mail client.
    pub eas: EasDeviceId,
    /// Its user.
    pub user: String,
}

/// When the sources were asked, by device and at all.
#[derive(Debug, Default)]
pub(super) struct Looks {
    by_device: HashMap<Key, Monotonic>,
    /// The last time for a device that nobody knows: a run brings the news of all of them.
    last: Option<Monotonic>,
    /// When the present minute began, and the devices that were asked for in it.
    minute: Option<(Monotonic, u32)>,
}

/// What is to be done about a wish to ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Look {
    /// Ask.
    Now,
    /// Others have just asked, which brings this device's news, too.
    UnderWay,
    /// It was asked for a moment ago.
    TooSoon,
}

impl Looks {
    fn ask(&mut self, now: Monotonic, device: Key, is_known: bool) -> Look {
        let recent = |at: &Monotonic| now.since(*at) < EACH;
        if self.by_device.get(&device).is_some_and(recent) {
            return Look::TooSoon;
        }
        if self.by_device.len() >= MAX_LOOKS {
            self.by_device.retain(|_, at| now.since(*at) < EACH);
        }
        if self.by_device.len() >= MAX_LOOKS {
            return Look::TooSoon;
        }
        if is_known {
            let (begun, count) = self.minute.filter(|(at, _)| recent(at)).unwrap_or((now, 0));
            if count >= MAX_A_MINUTE {
                return Look::TooSoon;
            }
            self.minute = Some((begun, count + 1));
            self.by_device.insert(device, now);
            return Look::Now;
        }
        self.by_device.insert(device, now);
        if self.last.is_some_and(|at| now.since(at) < ALL) {
            return Look::UnderWay;
        }
        self.last = Some(now);
        Look::Now
    }
}

/// Whether a head is for such a page.
pub(super) fn is_for(head: &Head<'_>) -> bool {
    head.uri.path().starts_with(CHECK_PATH)
}

impl Gateway {
    /// The address of the page of a user's device.
    pub(super) fn check_link(&self, now: Now, link: &Link) -> Option<String> {
        let host = self.config.published.first()?;
        debug_assert!(link.expires > now.wall, "a link that is over helps nobody");
        let token = self.roll.signer.write(link);
        Some(format!("https://{host}{CHECK_PATH}{token}"))
    }

    /// A request for such a page.
    pub(super) fn check_again(&self, now: Now, peer: &Peer, head: &Head<'_>) -> Step {
        let mut step = self.answer_page(now, peer, head);
        // In HTTP/1.1 the front leaves the body away and keeps its length; an HTTP/2 stream has to
        // end with its head (RFC 9110 section 9.3.2).
        if *head.method == Method::HEAD
            && head.version == Version::HTTP_2
            && let Action::Answer(reply) = &mut step.action
        {
            reply.body.clear();
        }
        step
    }

    fn answer_page(&self, now: Now, peer: &Peer, head: &Head<'_>) -> Step {
        if let Err(malformed) = head.check_page(peer, &self.config.published) {
            return Step::answer(Reply::malformed(malformed));
        }
        let asks = match *head.method {
            Method::GET | Method::HEAD => false,
            Method::POST => true,
            _ => return Step::answer(not_allowed()),
        };
        let token = head.uri.path().get(CHECK_PATH.len()..).unwrap_or_default();
        let accepted = head
            .headers
            .get(header::ACCEPT_LANGUAGE)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default();
        let mut wanted = Language::wanted(accepted);
        let Some(link) = self.roll.signer.read(now.wall, token) else {
            let page = self.write_page(&wanted, &NOBODY, None, Page::default());
            return Step::answer(Reply::page(StatusCode::NOT_FOUND, page));
        };
        let (itself, of_device) = self.roll.itself(&link.user, link.device);
        wanted.extend(itself.language.clone());
        wanted.extend(of_device);
        let key = self.roll.key(&link.user, link.device);
        let decided = self.judge_link(now, &link, key);
        let state = match decided.decision.verdict {
            Verdict::Allow => State::Allowed,
            verdict @ (Verdict::Quarantine | Verdict::Block) => {
                match self.roll.waits_until(key, now.wall) {
                    Some(until) => State::Waiting(until),
                    None if verdict == Verdict::Block => State::Blocked,
                    None => State::Held,
                }
            }
        };
        let (mut shown, mut event, mut status) = (Page::default(), None, StatusCode::OK);
        if asks && state != State::Allowed {
            let device = decided.seen.posture().map(|posture| posture.device);
            match self.looks().ask(now.monotonic, key, device.is_some()) {
                Look::Now => {
                    shown.asked = true;
                    event = Some(Event::LookUp(LookUp {
                        device,
                        eas: link.device,
                        user: link.user.clone(),
                    }));
                }
                Look::UnderWay => shown.asked = true,
                Look::TooSoon => {
                    shown.too_soon = true;
                    status = StatusCode::TOO_MANY_REQUESTS;
                }
            }
        }
        let described = self.describe(&decided, &link.device_type, itself);
        let about = described.about(
            &link.user,
            &link.spelled,
            &link.device_type,
            decided.decision.reason,
        );
        let page = self.write_page(&wanted, &about, Some(state), shown);
        let mut step = Step::answer(Reply::page(status, page));
        step.event = event;
        step
    }

    /// What would be decided about the device now: as its last request was judged, with whatever
    /// proved it, or else as what its link says of it.
    pub(super) fn judge_link(&self, now: Now, link: &Link, key: Key) -> Decided {
        let point = self.live.point();
        let judge = |subject: &Subject<'_>| {
            let mut trace = crate::access::Trace::default();
            point.decide(now.wall, subject, &mut trace)
        };
        let last: Option<OwnedSubject> = self.roll.subject(key);
        if let Some(subject) = last {
            return subject.with(judge);
        }
        judge(&Subject {
            plane: Plane::Mail,
            user: Some(&link.user),
            credential: Credential::Password,
            device: &[Presented {
                identifier: Identifier::Eas(link.device, &link.user),
                established: Established::Claimed,
            }],
            nas: None,
            mail: Some(MailContext {
                device_type: &link.device_type,
                user_agent: &link.user_agent,
                ..MailContext::default()
            }),
        })
    }

    fn write_page(
        &self,
        wanted: &[Language],
        about: &About<'_>,
        state: Option<State>,
        shown: Page,
    ) -> String {
        let words = self.words.load();
        let texts = words.book.choose(wanted);
        message::page(texts, &words.site, about, state, shown)
    }

    fn looks(&self) -> std::sync::MutexGuard<'_, Looks> {
        self.looks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// 405.
fn not_allowed() -> Reply {
    let mut reply = Reply::malformed(Malformed::Method);
    let methods = HeaderValue::from_static("GET, HEAD, POST");
    reply.headers.insert(header::ALLOW, methods);
    reply
}

/// Whom a page without a link is about.
const NOBODY: About<'static> = About {
    name: None,
    model: None,
    device_type: "",
    device_id: "",
    platform: Platform::Unknown,
    user: "",
    reason: Reason::DeviceUnknown,
    request: None,
    until: None,
    check_again: None,
};

/// How often one device may have the sources asked.
const EACH: Duration = Duration::from_mins(1);
/// How often they are asked for devices that nobody knows, all together.
const ALL: Duration = Duration::from_secs(5);
/// Devices that are asked for one by one within a minute: fewer requests than a source has anyway.
const MAX_A_MINUTE: u32 = 60;
/// Devices that asked within the last minute.
const MAX_LOOKS: usize = 10_000;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mail::credential::Hasher;

    #[test]
    fn a_device_asks_once_a_minute_and_all_together_once_in_five_seconds() {
        let hasher = Hasher::new(&[0; 32]);
        let device = |name: &str| hasher.key(&[name.as_bytes()]);
        let mut looks = Looks::default();
        for (seconds, name, expected) in [
            (0, "a", Look::Now),
            (1, "a", Look::TooSoon),
            (2, "b", Look::UnderWay),
            (4, "c", Look::UnderWay),
            (5, "d", Look::Now),
            (59, "a", Look::TooSoon),
            (60, "a", Look::Now),
        ] {
            let now = Monotonic::from_elapsed(Duration::from_secs(seconds));
            let came = looks.ask(now, device(name), false);
            assert_eq!(came, expected, "row {seconds} {name}");
        }
        // One that is known is asked for alone; of these there are so many a minute.
        let at = |seconds| Monotonic::from_elapsed(Duration::from_secs(seconds));
        for number in 0..MAX_A_MINUTE {
            let came = looks.ask(at(100), device(&format!("known{number}")), true);
            assert_eq!(came, Look::Now, "row {number}");
        }
        assert_eq!(looks.ask(at(159), device("e"), true), Look::TooSoon);
        assert_eq!(looks.ask(at(160), device("e"), true), Look::Now);
    }

    #[test]
    fn the_table_of_those_who_asked_is_bounded() {
        let hasher = Hasher::new(&[0; 32]);
        let mut looks = Looks::default();
        let at = |seconds| Monotonic::from_elapsed(Duration::from_secs(seconds));
        for number in 0..MAX_LOOKS {
            looks.ask(at(0), hasher.key(&[&number.to_be_bytes()]), false);
        }
        assert_eq!(
            looks.ask(at(1), hasher.key(&[b"more"]), false),
            Look::TooSoon
        );
        assert_eq!(looks.ask(at(60), hasher.key(&[b"more"]), false), Look::Now);
        assert_eq!(looks.by_device.len(), 1);
    }
}
