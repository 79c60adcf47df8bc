//! Devices in quarantine, and those that come out of it: commands whose bodies are read, waits that
//! are held here, and what goes upstream all the same.
//!
//! The answers themselves are of [`crate::eas::quarantine`], which remembers nothing. Remembered on the
//! roll is what each device was given, so that the bodies of its commands are read once more when it is
//! let in, until it speaks of its real mailbox alone; and what a device tells of itself, so that its
//! message names it as its owner does. A device that finds no place on the roll is given nothing.

use http::HeaderMap;
use http::Method;

use crate::access::Decided;
use crate::access::Permit;
use crate::eas;
use crate::eas::Command;
use crate::eas::Status;
use crate::eas::Version;
use crate::eas::quarantine;
use crate::eas::quarantine::Answer;
use crate::eas::quarantine::Given;
use crate::eas::quarantine::Inbox;
use crate::eas::quarantine::Spoken;
use crate::message::Language;
use crate::model::Now;
use crate::model::Verdict;

use super::action::Action;
use super::action::Aside;
use super::action::Event;
use super::action::Exchange;
use super::action::Forward;
use super::action::Next;
use super::action::Read;
use super::action::Step;
use super::action::Wait;
use super::action::Way;
use super::draft;
use super::gateway::Gateway;
use super::message;
use super::reply::Cause;
use super::reply::Reply;
use super::roll::Itself;
use super::strip;
use super::who::Who;
use super::words::Quarantine;

impl Gateway {
    /// Whether a device in quarantine is given a mailbox for its command, or 403.
    pub(super) fn has_mailbox(&self, request: &eas::Request) -> bool {
        request.version > Version::V2_5 && self.words.load().quarantine == Quarantine::Mailbox
    }

    /// The refusal of a command. In quarantine its device has no mailbox then, and so no message either: its
    /// user is told by mail, as that of one with real folders is.
    pub(super) fn keep_out(&self, now: Now, way: &Way) -> Reply {
        let Way {
            who,
            request,
            decided,
            ..
        } = way;
        if decided.decision.verdict == Verdict::Quarantine {
            let given = Given {
                real: true,
                ..Given::default()
            };
            let care = &self.words.load().care;
            self.roll.give(now.wall, who, request, &given, care);
        }
        self.reply(who, request, decided)
    }

    /// A command of a device in quarantine.
    pub(super) fn hold_back(&self, now: Now, way: Box<Way>, headers: HeaderMap) -> Step {
        let record = way.who.record(self.blank(), &way.request, &way.decided);
        let permit = way.who.with_subject(&way.request, |subject| {
            self.live.hold_for_reason(now.wall, subject, &way.decided)
        });
        let aside = Aside(way, permit, headers);
        // A Provision goes on, and tells what device it is on its way.
        let command = aside.0.request.command;
        let action = if quarantine::needs_body(command) || command == Command::Provision {
            read(aside)
        } else {
            match self.handle_body(now, aside, Some(&[])) {
                (Next::Answer(reply), _) => Action::Answer(reply),
                (Next::Forward(forward), _) => Action::Forward(forward),
                // Only a Provision, whose body is read, is one.
                (Next::Fetch(_) | Next::Attest(_), _) => Action::Answer(self.come_again()),
                // Only what has a body waits.
                (Next::Wait(wait), _) => Action::Answer(wait.expired),
            }
        };
        Step {
            action,
            event: Some(Event::Decision(record)),
        }
    }

    /// Whether the body of an allowed command must be read, because it may speak of the made-up
    /// mailbox.
    pub(super) fn may_be_of_ours(&self, who: &Who, request: &eas::Request) -> bool {
        // A FolderSync is rare and short, and there are servers that take any key for one of
        // theirs: a device that was forgotten here would be left with folders that are none.
        request.command == Command::FolderSync || self.roll.may_name_ours(who, request)
    }

    /// Sets an allowed command aside until its body is read.
    pub(super) fn look_into(way: Box<Way>, permit: Permit, headers: HeaderMap) -> Action {
        read(Aside(way, permit, headers))
    }

    /// The body of a command that was set aside, whole; `None` if it is longer than the limit.
    pub fn handle_body(
        &self,
        now: Now,
        aside: Aside,
        body: Option<&[u8]>,
    ) -> (Next, Option<Event>) {
        let Way { who, request, .. } = &*aside.0;
        if let Some(octets) = body {
            self.note_body(now.wall, who, request, octets);
        }
        let mut aside = aside;
        let fetches = self.fetches_attachment(&aside, body);
        let sends = self.sends_message(&aside.0, body);
        aside.0.who.attachment |= fetches;
        aside.0.who.sends |= sends;
        let hears = self.hears(&mut aside.0, body);
        if fetches || sends || hears || aside.1.revoked().is_some() {
            return self.judge_again(now, aside, body);
        }
        (self.answer_aside(now, aside, body), None)
    }

    /// The body of a command that was set aside is longer than the limit, and begins with these octets.
    pub fn handle_beginning_of_body(
        &self,
        now: Now,
        aside: Aside,
        beginning: &[u8],
    ) -> (Next, Option<Event>) {
        let Way {
            request,
            decided,
            until,
            ..
        } = &*aside.0;
        let is_let_in = decided.decision.verdict == Verdict::Allow || until.is_some();
        if is_let_in && aside.1.revoked().is_none() {
            let (command, version) = (request.command, request.version);
            let spoken = quarantine::spoken_in_part(command, version, beginning);
            if let Spoken::OfOurs(status, body) = spoken {
                let reply = Reply::wbxml(status, body, Cause::Released);
                return (Next::Answer(reply), None);
            }
        }
        self.handle_body(now, aside, None)
    }

    /// The wait of a device is over because its verdict has changed, or the reason for it: its client
    /// is answered as if it had asked now.
    pub fn handle_released(
        &self,
        now: Now,
        wait: Wait,
        decided: &Decided,
    ) -> (Reply, Option<Event>) {
        let (_, event) = self.handle_revoked(now, &wait.exchange, decided, true);
        let mut way = wait.exchange.0;
        way.decided = *decided;
        let reply = match (decided.decision.verdict, wait.body) {
            (Verdict::Allow, _) => wait.released,
            (Verdict::Block, _) => self.reply(&way.who, &way.request, decided),
            (Verdict::Quarantine, Some(body)) => self.answer_again(now, &way, &body),
            (Verdict::Quarantine, None) => wait.expired,
        };
        (reply, event)
    }

    /// The answer to a command that has waited until another reason came.
    fn answer_again(&self, now: Now, way: &Way, body: &[u8]) -> Reply {
        let Way {
            who,
            request,
            decided,
            ..
        } = way;
        // Its headers are not kept with it; what they asked for is.
        let (_, wanted) = self.roll.itself(&who.login.user, request.device);
        let wanted = wanted.into_iter().collect();
        let (status, body) = match self.ask_made_up(now, way, wanted, body) {
            Answer::Reply(status, body) => (status, body),
            Answer::Hold(hold) => (200, hold.expired),
            // Neither waits.
            Answer::Parts(_) | Answer::Forward => (200, Vec::new()),
        };
        Reply::held_back(status, body, decided.decision.reason, who.id)
    }

    /// What the made-up mailbox answers, which is remembered as far as it has to be.
    fn ask_made_up(&self, now: Now, way: &Way, wanted: Vec<Language>, body: &[u8]) -> Answer {
        let Way {
            who,
            request,
            decided,
            ..
        } = way;
        let lacks = self.roll.lacks(who, request, decided.decision.reason);
        if lacks.is_none() && !request.command.may_tell_device() {
            return Answer::Reply(403, Vec::new());
        }
        let message = self.compose(now, way, wanted);
        let inbox = Inbox {
            message: &message,
            is_news: lacks == Some(true),
            multipart: request.accept_multipart,
        };
        let (answer, given) = quarantine::answer(request.command, request.version, body, inbox);
        let care = &self.words.load().care;
        self.roll.give(now.wall, who, request, &given, care);
        answer
    }

    /// The verdict has changed while the body came.
    fn judge_again(&self, now: Now, aside: Aside, body: Option<&[u8]>) -> (Next, Option<Event>) {
        let Aside(mut way, _, headers) = aside;
        let (decided, permit, until) = self.admit(now, &way.who, &way.request, &headers);
        way.decided = decided;
        way.until = until;
        let record = way.record(self.blank());
        let event = Some(Event::Decision(record));
        let permit = match (permit, decided.decision.verdict) {
            (Some(permit), _) => permit,
            (None, Verdict::Quarantine) => way.who.with_subject(&way.request, |subject| {
                self.live.hold_for_reason(now.wall, subject, &decided)
            }),
            (None, Verdict::Block)
                if way.who.sends && decided.decision.reason.is_of_one_command() =>
            {
                return (Next::Answer(draft::kept(&way, body)), event);
            }
            (None, Verdict::Allow | Verdict::Block) => {
                return (
                    Next::Answer(self.reply(&way.who, &way.request, &decided)),
                    event,
                );
            }
        };
        (
            self.answer_aside(now, Aside(way, permit, headers), body),
            event,
        )
    }

    fn answer_aside(&self, now: Now, aside: Aside, body: Option<&[u8]>) -> Next {
        match (aside.0.decided.decision.verdict, aside.0.until) {
            (Verdict::Quarantine, None) if self.has_mailbox(&aside.0.request) => {
                self.answer_held(now, aside, body)
            }
            // It was heard in vain, or let in when it came.
            (Verdict::Quarantine, None) => Next::Answer(self.keep_out(now, &aside.0)),
            // Set aside all the same: it is told that it is to be wiped, or was heard in vain.
            (Verdict::Block, None) => self.answer_wiped(&aside, body),
            (Verdict::Quarantine | Verdict::Block, Some(_)) | (Verdict::Allow, _) => {
                self.answer_returned(aside, body)
            }
        }
    }

    /// Whether it must be judged again, as one that fetches an attachment. A body that is too long or
    /// broken may well ask for one.
    fn fetches_attachment(&self, aside: &Aside, body: Option<&[u8]>) -> bool {
        let way = &*aside.0;
        let command = way.request.command;
        let fetches = |octets| eas::body::fetches_attachment(command, octets).unwrap_or(true);
        eas::body::may_fetch_attachment(command)
            && way.is_let_in()
            && self.live.asks_about_attachments()
            && body.is_none_or(fetches)
    }

    fn answer_held(&self, now: Now, aside: Aside, body: Option<&[u8]>) -> Next {
        let way = &*aside.0;
        let Way {
            who,
            request,
            decided,
            ..
        } = way;
        let (command, version) = (request.command, request.version);
        let reason = decided.decision.reason;
        let reply = |status, body| Reply::held_back(status, body, reason, who.id);
        let answer = match body {
            Some(body) => {
                if let Some(about) = eas::about(command, body) {
                    self.roll.tell(who, request, itself(&about));
                }
                self.ask_made_up(now, way, message::languages(&aside.2, request), body)
            }
            // It carries what the client wants to send up; later, then.
            None => quarantine::refuse(command, version, Status::ServerErrorRetryLater),
        };
        match answer {
            Answer::Reply(status, body) => Next::Answer(reply(status, body)),
            Answer::Parts(body) => Next::Answer(Reply::in_parts(body, reason, who.id)),
            Answer::Hold(hold) => {
                let body = body.filter(|body| body.len() <= MAX_KEPT);
                let expired = reply(200, hold.expired);
                let released = reply(200, hold.released);
                let Aside(way, permit, _) = aside;
                Next::Wait(Wait {
                    seconds: hold.seconds,
                    permit,
                    expired,
                    released,
                    body: body.map(Box::from),
                    exchange: Exchange(way),
                })
            }
            Answer::Forward => {
                // It tells the client nothing of the mailbox, so that nothing is to be taken back when the
                // verdict becomes a better one; by what is told in it that may happen before it is answered.
                let Aside(way, permit, headers) = aside;
                let going_on = way.who.with_subject(&way.request, |subject| {
                    (self.live).hold_until_blocked(now.wall, subject, &way.decided)
                });
                drop(permit);
                self.send_on(Aside(way, going_on, headers), body)
            }
        }
    }

    fn answer_returned(&self, aside: Aside, body: Option<&[u8]>) -> Next {
        let Way { who, request, .. } = &*aside.0;
        let (command, version) = (request.command, request.version);
        let spoken = body.map_or(Spoken::OfOthers, |body| {
            let was_here = self.roll.was_here(who, request);
            quarantine::spoken(command, version, body, was_here)
        });
        if let Spoken::OfOurs(status, body) = spoken {
            return Next::Answer(Reply::wbxml(status, body, Cause::Released));
        }
        let care = &self.words.load().care;
        self.roll.hear(who, request, &spoken, care);
        self.send_on(aside, body)
    }

    fn send_on(&self, aside: Aside, body: Option<&[u8]>) -> Next {
        let Aside(way, permit, headers) = aside;
        let command = way.request.command;
        let to = way.who.route;
        let request = self.request(to, Method::POST, Some(&way.request), headers);
        let Some(request) = request else {
            return Next::Answer(self.come_again());
        };
        let forward = Forward {
            to,
            permit,
            request,
            exchange: Exchange(way),
        };
        match body {
            Some(body) if self.strips(command) => Next::Fetch(strip::fetch(forward, body)),
            None if self.strips(command) => Next::Answer(Reply::body_malformed()),
            Some(_) | None => Next::Forward(forward),
        }
    }
}

pub(super) fn read(aside: Aside) -> Action {
    Action::Read(Read {
        limit: quarantine::MAX_BODY,
        aside,
    })
}

/// What a device has told of itself, to be kept.
fn itself(about: &eas::About<'_>) -> Itself {
    let kept = |text: Option<&str>| -> Option<Box<str>> {
        let text: String = text?.chars().take(MAX_TOLD).collect();
        Some(text.into())
    };
    Itself {
        name: kept(about.friendly_name),
        model: kept(about.model),
        os: kept(about.os),
        language: about.language.and_then(Language::of_device),
    }
}

/// Octets of a body that is kept while it waits. Clients send some hundred; a longer one is answered as
/// if its time were over, and sent again.
const MAX_KEPT: usize = 4 << 10;

/// Characters that are kept of each thing that a device tells.
const MAX_TOLD: usize = 100;
