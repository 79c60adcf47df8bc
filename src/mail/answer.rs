//! What becomes of a forwarded request: the upstream's answer, the end of the permission, or
//! nothing.

use std::collections::HashMap;
use std::sync::PoisonError;
use std::time::Duration;

use http::HeaderMap;
use http::HeaderValue;
use http::StatusCode;
use http::header::ACCEPT_ENCODING;

use crate::access::Decided;
use crate::eas;
use crate::model::EasDeviceId;
use crate::model::Monotonic;
use crate::model::Now;
use crate::model::Verdict;

use super::action::Binding;
use super::action::Event;
use super::action::Exchange;
use super::action::Outgoing;
use super::action::Promise;
use super::action::Way;
use super::action::mark_waiting;
use super::credential::Key;
use super::gateway::Gateway;
use super::gateway::LONG_WAIT;
use super::gateway::SHORT_WAIT;
use super::header as headers;
use super::reply::Cause;
use super::reply::Reply;
use super::route::Moved;
use super::sighting::proven;
use super::who::Who;

impl Gateway {
    /// The upstream has answered a forwarded request.
    pub fn handle_answer(
        &self,
        now: Now,
        exchange: &Exchange,
        status: StatusCode,
        mut answer: HeaderMap,
    ) -> (Outgoing, Option<Event>) {
        let way = &*exchange.0;
        self.answered(now.monotonic, &way.who, status);
        let location = answer.remove(headers::LOCATION);
        headers::strip_answer(&mut answer);
        headers::speak_from(&mut answer, self.config.oldest_version);
        if status == StatusCode::UNAUTHORIZED {
            self.credentials().forget(way.who.login.key);
            self.challenges.set(&mut answer);
            return (Outgoing::Pass(status, answer), None);
        }
        // 1xx and 3xx have no place in this protocol; 407 is between servers.
        let is_final = status.is_success() || status.is_client_error() || status.is_server_error();
        if !is_final || status == StatusCode::PROXY_AUTHENTICATION_REQUIRED {
            let reply = Reply::unavailable(LONG_WAIT, Cause::Unavailable);
            return (Outgoing::Answer(reply), None);
        }
        if status.as_u16() == REDIRECT {
            let device = Some(way.request.spelled());
            match self.moved(now, &way.who, device, location.as_ref()) {
                Ok(ours) => answer.insert(headers::LOCATION, ours),
                Err((reply, event)) => return (Outgoing::Answer(*reply), Some(event)),
            };
        }
        let Some(promise) = self.promise(now, way).filter(|_| status.is_success()) else {
            return (Outgoing::Pass(status, answer), None);
        };
        if eas::outcome::is_told_by_http(way.request.command, way.request.version) {
            let event = self.keep(now, promise);
            return (Outgoing::Pass(status, answer), event);
        }
        (Outgoing::Watch(status, answer, Box::new(promise)), None)
    }

    /// The body of a watched answer has begun with `octets`: all of it, or
    /// [`eas::outcome::TELLING`] of them and more.
    pub fn handle_beginning(&self, now: Now, promise: Promise, octets: &[u8]) -> Option<Event> {
        if eas::outcome::is_success(promise.command, octets) {
            return self.keep(now, promise);
        }
        // What it may have read counts, whether it was seen or not.
        if let Some(place) = promise.place
            && !eas::outcome::is_refusal(promise.command, octets)
        {
            place.answered(now.wall);
        }
        None
    }

    /// Sees to it that an answer can be read by which something will be known: it must not come
    /// compressed, which the client may have asked for.
    pub(super) fn expect(&self, now: Now, way: &mut Way, headers: &mut HeaderMap) {
        way.unbound = self.unbound(now, way);
        if eas::outcome::is_told_by_http(way.request.command, way.request.version) {
            return;
        }
        if way.unbound.is_some() || Self::wants_success(now.wall, &way.request, &way.decided) {
            headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        }
    }

    /// What is known if the answer is a success.
    fn promise(&self, now: Now, way: &Way) -> Option<Promise> {
        let binding = way.unbound.and_then(|key| Some((key, bound(now, way)?)));
        let wants_success = Self::wants_success(now.wall, &way.request, &way.decided);
        let sighting =
            wants_success.then(|| Self::success(now.wall, &way.who, &way.request, &way.decided));
        let known = way.decided.client.filter(|_| wants_success);
        let place = known
            .filter(|known| !known.counts)
            .and_then(|_| (self.live).place_in_line(&way.who.login.user, way.request.device));
        (binding.is_some() || sighting.is_some()).then_some(Promise {
            command: way.request.command,
            binding,
            sighting,
            place,
        })
    }

    /// It was a success.
    fn keep(&self, now: Now, promise: Promise) -> Option<Event> {
        if let Some(success) = promise.sighting {
            self.note_success(success);
        }
        if let Some(place) = promise.place {
            place.served(now.wall);
        }
        let (key, binding) = promise.binding?;
        let mut told = self.bound.lock().unwrap_or_else(PoisonError::into_inner);
        if told_lately(&told, key, now) == Some(binding.eas) {
            return None;
        }
        if told.len() >= MAX_BOUND {
            told.clear();
        }
        told.insert(key, (binding.eas, now.monotonic));
        Some(Event::Binding(binding))
    }

    /// The permission of a forwarded request was taken back before its answer had begun. Of a Sync it is
    /// told whether it `only_waited`, see [`eas::only_waits`]; where that is not known it did more. One
    /// that is let in with its next request, for some time, is to make that one, and is not told of a block.
    pub fn handle_revoked(
        &self,
        now: Now,
        exchange: &Exchange,
        decided: &Decided,
        only_waited: bool,
    ) -> (Reply, Option<Event>) {
        let way = &*exchange.0;
        self.note_decision(&way.who, &way.request, decided);
        let mut record = way.who.record(self.blank(), &way.request, decided);
        let is_held_back = decided.decision.verdict == Verdict::Quarantine;
        let cut = || {
            let (command, version) = (way.request.command, way.request.version);
            eas::quarantine::cut(command, version, only_waited)
        };
        let reply = if self.begins_to_wait(now, way, decided) {
            mark_waiting(&mut record);
            match cut() {
                (200, body) => Reply::wbxml(200, body, Cause::Revoked),
                (_, _) => Reply::unavailable(SHORT_WAIT, Cause::Revoked),
            }
        } else if is_held_back && self.has_mailbox(&way.request) {
            let (status, body) = cut();
            Reply::held_back(status, body, decided.decision.reason, way.who.id)
        } else {
            self.reply(&way.who, &way.request, decided)
        };
        (reply, Some(Event::Decision(record)))
    }

    /// The upstream did not answer a forwarded request.
    #[must_use]
    pub fn handle_unreachable(&self, now: Now, exchange: &Exchange) -> Reply {
        self.unanswered(now.monotonic, &exchange.0.who);
        self.come_again()
    }

    /// A request ends without the upstream's answer, through no fault of the upstream that is asked for
    /// mail: the client comes again by itself.
    #[must_use]
    pub fn come_again(&self) -> Reply {
        Reply::unavailable(SHORT_WAIT, Cause::Unavailable)
    }

    /// The key of a binding that is worth telling: the device is proven, and it is not by this DeviceId
    /// that it was seen last, be that known or on its way.
    fn unbound(&self, now: Now, way: &Way) -> Option<Key> {
        let device = proven(&way.decided)?;
        let (eas, user) = (way.request.device, &way.who.login.user);
        let key = (self.hasher).key(&[user.as_bytes(), &device.as_u128().to_be_bytes()]);
        let has_place = self.live.has_place(&eas, user, device);
        let mut told = self.bound.lock().unwrap_or_else(PoisonError::into_inner);
        let on_its_way = told_lately(&told, key, now);
        if has_place && on_its_way == Some(eas) {
            // It has arrived. When another one takes its place it is told again, however soon.
            told.remove(&key);
        }
        let is_last = on_its_way.map_or(has_place, |other| other == eas);
        (!is_last).then_some(key)
    }

    /// The upstream sends the user elsewhere: where the client is led, which is here if anywhere.
    pub(super) fn moved(
        &self,
        now: Now,
        who: &Who,
        device: Option<&str>,
        location: Option<&HeaderValue>,
    ) -> Result<HeaderValue, (Box<Reply>, Event)> {
        let (user, from) = (&who.login.user, who.route.upstream);
        let location = location.map(|location| location.to_str().unwrap_or_default());
        let published = &self.config.published;
        let moved = match location {
            Some(location) => self
                .router
                .moved(now.monotonic, user, from, location, published),
            // It would ask Autodiscover, which may lead it past the gateway.
            None => Moved::Refused("another place without saying which".to_owned()),
        };
        let why = match (moved, self.published_url()) {
            (Moved::Here, Some(ours)) => {
                // It may be another upstream that has to accept them now.
                self.credentials().forget(who.login.key);
                return Ok(ours);
            }
            (Moved::Here, None) => "here, which has no name".to_owned(),
            (Moved::Refused(why), _) => why,
        };
        let text = format!("the mail server sends the user to {why}");
        let record = who.mismatch_record(now.wall, device, &text);
        let reply = Reply::unavailable(LONG_WAIT, Cause::SentElsewhere);
        Err((Box::new(reply), Event::Decision(Box::new(record))))
    }

    fn published_url(&self) -> Option<HeaderValue> {
        let name = self.config.published.first()?;
        HeaderValue::from_str(&format!("https://{name}{}", eas::PATH)).ok()
    }
}

/// What the success of a request proves; `None` if its device is not proven.
fn bound(now: Now, way: &Way) -> Option<Binding> {
    Some(Binding {
        eas: way.request.device,
        user: way.who.login.user.clone(),
        device: proven(&way.decided)?,
        at: now.wall,
    })
}

/// The DeviceId that was told of a user and a device, if that may still be on its way.
fn told_lately(
    told: &HashMap<Key, (EasDeviceId, Monotonic)>,
    key: Key,
    now: Now,
) -> Option<EasDeviceId> {
    let (eas, at) = told.get(&key)?;
    (now.monotonic < *at + TOLD_FOR).then_some(*eas)
}

/// "Wrong server": the client is to go to `X-MS-Location` (MS-ASHTTP 3.1.5.2.2).
pub(super) const REDIRECT: u16 = 451;

/// How long a binding is not told again that does not arrive. The inventory may have been too busy for it,
/// or be unable to use it: two devices claim one DeviceId.
const TOLD_FOR: Duration = Duration::from_mins(1);

/// How many bindings are remembered as on their way; when it is full all are forgotten, and those that
/// have not arrived are told once more, which changes nothing in the inventory.
const MAX_BOUND: usize = 65_536;

/// Whether an answer to OPTIONS is none that an ActiveSync server gives, however bad its day: a
/// success (with its versions it was looked at before), a redirection, or a path or method that is
/// not there.
pub(super) fn is_of_another_server(status: StatusCode) -> bool {
    let missing = [
        StatusCode::NOT_FOUND,
        StatusCode::METHOD_NOT_ALLOWED,
        StatusCode::NOT_IMPLEMENTED,
    ];
    status.is_success() || status.is_redirection() || missing.contains(&status)
}
