//! What the upstream is asked about credentials: whether they are known already, how many are asked
//! about at once, who waits, and what its word comes to.

use std::time::Duration;

use http::HeaderMap;
use http::HeaderValue;
use http::Method;
use http::StatusCode;
use http::header;

use crate::model::EasDeviceId;
use crate::model::Now;

use super::action::Action;
use super::action::Ask;
use super::action::Asked;
use super::action::Pending;
use super::action::Stage;
use super::action::Step;
use super::action::Ticket;
use super::action::Told;
use super::answer::REDIRECT;
use super::answer::is_of_another_server;
use super::credential::Excess;
use super::credential::Offer;
use super::credential::Standing;
use super::gateway::Gateway;
use super::gateway::LONG_WAIT;
use super::gateway::SHORT_WAIT;
use super::header as headers;
use super::reply::Cause;
use super::reply::Reply;

impl Gateway {
    pub(super) fn proceed(&self, now: Now, pending: Pending) -> Step {
        self.sign_in(now, pending, 0, false)
    }

    /// Goes on if the credentials are known, asks about them, or waits until fewer are asked about.
    pub(super) fn sign_in(&self, now: Now, pending: Pending, pauses: u8, was_first: bool) -> Step {
        let login = &pending.who.login;
        let standing = self.credentials().standing(now.monotonic, login.key);
        match standing {
            Standing::Accepted(offer) => return self.accepted(now, pending, &offer),
            Standing::Refused => {
                return Step::answer(Reply::unauthorized(&self.challenges, Cause::Refused));
            }
            Standing::Unknown => {}
        }
        let device = pending.wanted.device();
        let device = device.filter(|device| self.has_signed_in(&login.user, device));
        let mut attempt = login.attempt(&self.hasher, &pending.who.peer, device);
        let mut credentials = self.credentials();
        if let Err(throttle) = credentials.begin(now.monotonic, &mut attempt) {
            drop(credentials);
            let is_first = throttle.first || was_first;
            if throttle.excess == Excess::AtOnce && pauses < MAX_PAUSES {
                return self.ask(Asked {
                    pending,
                    attempt,
                    stage: Stage::Credentials,
                    pauses: pauses + 1,
                    is_first,
                });
            }
            let reply = Reply::throttled(throttle);
            // Once a window: a flood of guesses must not become one of records.
            return if is_first {
                let text = throttle.excess.sentence();
                Step::recorded(reply, pending.who.refusal_record(now.wall, text))
            } else {
                Step::answer(reply)
            };
        }
        let at = pending.who.route.upstream;
        let stage = if credentials.wants_challenge(now.monotonic, at) {
            Stage::Challenge
        } else {
            Stage::Credentials
        };
        drop(credentials);
        self.ask(Asked {
            pending,
            attempt,
            stage,
            pauses: 0,
            is_first: false,
        })
    }

    /// The upstream has answered an [`Ask`].
    pub fn handle_told(&self, now: Now, ticket: Ticket, told: Told<'_>) -> Step {
        let mut asked = *ticket.0;
        let who = &asked.pending.who;
        let (status, answer) = match told {
            Told::Waited => {
                return self.sign_in(now, asked.pending, asked.pauses, asked.is_first);
            }
            Told::Unreachable => {
                self.unanswered(now.monotonic, who);
                self.credentials().release(&asked.attempt);
                return Step::answer(Reply::unavailable(SHORT_WAIT, Cause::Unavailable));
            }
            Told::Answer(status, answer) => (status, answer),
        };
        if is_of_another_server(status) && !answer.contains_key(headers::VERSIONS) {
            self.unanswered(now.monotonic, who);
        } else {
            self.answered(now.monotonic, who, status);
        }
        match asked.stage {
            Stage::Challenge if status == StatusCode::UNAUTHORIZED => {
                let at = who.route.upstream;
                self.credentials().challenged(now.monotonic, at);
                asked.stage = Stage::Credentials;
                self.ask(asked)
            }
            Stage::Challenge if is_offer(status, answer) => {
                let mut credentials = self.credentials();
                credentials.release(&asked.attempt);
                credentials.distrust();
                drop(credentials);
                Step::answer(Reply::unavailable(LONG_WAIT, Cause::NoChallenge))
            }
            Stage::Challenge => self.told_nothing(&asked, status, answer),
            Stage::Credentials => self.told_of_credentials(now, asked, status, answer),
        }
    }

    /// What the upstream says of credentials that it was shown.
    fn told_of_credentials(
        &self,
        now: Now,
        asked: Asked,
        status: StatusCode,
        answer: &HeaderMap,
    ) -> Step {
        let attempt = &asked.attempt;
        let refused = |text| asked.pending.who.refusal_record(now.wall, text);
        match status {
            StatusCode::UNAUTHORIZED => {
                self.credentials().refuse(now.monotonic, attempt);
                let reply = Reply::unauthorized(&self.challenges, Cause::Refused);
                Step::recorded(reply, refused("refused by the mail server"))
            }
            StatusCode::FORBIDDEN => {
                // The password may be right, so it is no guess that failed; and the user may be
                // enabled any moment, so nothing is remembered.
                self.credentials().release(attempt);
                let body = "The mail server does not enable this user for ActiveSync.";
                let reply = Reply::forbidden(body, Cause::UserNotEnabled);
                Step::recorded(
                    reply,
                    refused("not enabled for ActiveSync by the mail server"),
                )
            }
            status if is_offer(status, answer) => {
                let offer = Offer(headers::offered(answer));
                let most = asked.pending.who.login.lifetime(now.wall);
                let mut credentials = self.credentials();
                let offer = credentials.accept(now.monotonic, attempt, offer, most);
                drop(credentials);
                self.accepted(now, asked.pending, &offer)
            }
            status if status.as_u16() == REDIRECT => {
                self.credentials().release(attempt);
                self.ask_elsewhere(now, asked.pending, answer.get(headers::LOCATION))
            }
            status => self.told_nothing(&asked, status, answer),
        }
    }

    /// The upstream's answer is none to what it was asked.
    fn told_nothing(&self, asked: &Asked, status: StatusCode, answer: &HeaderMap) -> Step {
        self.credentials().release(&asked.attempt);
        Step::answer(match status {
            status if is_of_another_server(status) => {
                Reply::unavailable(LONG_WAIT, Cause::NotActiveSync(status))
            }
            StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
                let wait = headers::retry_after(answer).unwrap_or(SHORT_WAIT);
                let mut reply = Reply::busy(wait.min(LONGEST_WAIT));
                if let Some(why) = answer.get(headers::THROTTLE) {
                    reply.headers.insert(headers::THROTTLE, why.clone());
                }
                reply
            }
            _ => Reply::unavailable(SHORT_WAIT, Cause::Unavailable),
        })
    }

    /// The upstream has answered that the user's mailbox is elsewhere: the credentials are shown there, if
    /// that is an upstream of ours and another one than before, which is learned.
    fn ask_elsewhere(
        &self,
        now: Now,
        mut pending: Pending,
        location: Option<&HeaderValue>,
    ) -> Step {
        let Pending { who, wanted, .. } = &mut pending;
        let before = who.route.upstream;
        if let Err((reply, event)) = self.moved(now, who, wanted.spelled(), location) {
            return Step {
                action: Action::Answer(*reply),
                event: Some(event),
            };
        }
        who.move_to(self.place(now, &who.login, wanted.device().as_ref()));
        if who.route.upstream == before {
            let text = "the mail server sends the user to where the question has come from";
            let record = who.mismatch_record(now.wall, wanted.spelled(), text);
            return Step::recorded(Reply::unavailable(LONG_WAIT, Cause::SentElsewhere), record);
        }
        self.proceed(now, pending)
    }

    /// Whether a device has signed in as the user before: only then there is a record of it, which
    /// outlives a restart.
    fn has_signed_in(&self, user: &str, device: &EasDeviceId) -> bool {
        let known = self.live.point().reader().client(device, user, None);
        known.first_seen.is_some()
    }

    pub(super) fn ask(&self, asked: Asked) -> Step {
        let pending = &asked.pending;
        let mut own = HeaderMap::with_capacity(4);
        own.insert(header::USER_AGENT, HeaderValue::from_static("Portreeve"));
        if let Some(address) = pending.headers.get(headers::FORWARDED_FOR) {
            own.insert(headers::FORWARDED_FOR, address.clone());
        }
        if asked.stage == Stage::Credentials {
            pending.who.login.add_to(&mut own, &self.config);
        }
        let to = pending.who.route;
        match self.request(to, Method::OPTIONS, None, own) {
            Some(request) => Step {
                action: Action::Ask(Ask {
                    to,
                    request,
                    pause: (asked.pauses > 0).then(|| pause(asked.pauses)),
                    ticket: Ticket(Box::new(asked)),
                }),
                event: None,
            },
            None => {
                self.credentials().release(&asked.attempt);
                Step::answer(Reply::unavailable(LONG_WAIT, Cause::Unavailable))
            }
        }
    }
}

/// Whether an answer offers ActiveSync.
fn is_offer(status: StatusCode, answer: &HeaderMap) -> bool {
    status.is_success() && answer.contains_key(headers::VERSIONS)
}

/// How long the wait number `number` for others' answers is: 50 ms at first, a second at most.
fn pause(number: u8) -> Duration {
    let doubled = 2_u32.saturating_pow(u32::from(number.saturating_sub(1)));
    FIRST_PAUSE.saturating_mul(doubled).min(LONGEST_PAUSE)
}

/// Some answers to a question.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
/// Some 18 seconds in all. After a restart all clients sign in at once, and thousands of them may come
/// from one address; a hundred questions of a millisecond each are answered long before.
const MAX_PAUSES: u8 = 20;
/// The longest Retry-After that is passed on from an answer to our own question.
const LONGEST_WAIT: Duration = Duration::from_hours(1);
