//! What the core hands out: what to do with a request, and what it wants back.

use std::time::Duration;

use http::HeaderMap;
use http::Request;
use http::StatusCode;

use crate::access::Correlation;
use crate::access::Decided;
use crate::access::DecisionRecord;
use crate::access::InLine;
use crate::access::Permit;
use crate::access::Sighting;
use crate::access::Text;
use crate::access::WipeOrder;
use crate::eas;
use crate::model::DeviceId;
use crate::model::EasDeviceId;
use crate::model::Timestamp;
use crate::model::Verdict;

use super::autodiscover::Discovery;
use super::check::LookUp;
use super::credential::Attempt;
use super::credential::Key;
use super::head::Wanted;
use super::reply::Reply;
use super::route::Route;
use super::strip::Fetch;
use super::web::Publish;
use super::who::Who;

/// What to do, and what to tell others.
#[derive(Debug)]
pub struct Step {
    /// For the connection.
    pub action: Action,
    /// For the journal.
    pub event: Option<Event>,
}

/// What to do with a request.
#[derive(Debug)]
pub enum Action {
    /// Answer it; its body is not wanted.
    Answer(Reply),
    /// Ask the upstream about its credentials and come back with
    /// [`Gateway::handle_told`](super::Gateway::handle_told).
    Ask(Ask),
    /// Let it through.
    Forward(Forward),
    /// Let it through to an application.
    Publish(Publish),
    /// Read its body and come back with
    /// [`Gateway::handle_discovery`](super::Gateway::handle_discovery).
    Discover(Discovery),
    /// Read its body and come back with [`Gateway::handle_body`](super::Gateway::handle_body).
    Read(Read),
}

/// A request whose body has to be read before it is clear what to do with it.
#[derive(Debug)]
pub struct Read {
    /// The most octets that are read.
    pub limit: usize,
    /// To be handed back with the body.
    pub aside: Aside,
}

/// A request that was set aside until its body is read, with its registration and the headers that
/// it would be sent with.
#[derive(Debug)]
pub struct Aside(pub(super) Box<Way>, pub(super) Permit, pub(super) HeaderMap);

/// What to do with a request whose body was read.
#[derive(Debug)]
pub enum Next {
    /// Answer it.
    Answer(Reply),
    /// Let it wait, and come back with
    /// [`Gateway::handle_released`](super::Gateway::handle_released) when its permit resolves.
    Wait(Wait),
    /// Let it through with the body that was read, or, if that was longer than the limit, with
    /// what was read and what follows.
    Forward(Forward),
    /// Let it through, and come back with
    /// [`Gateway::handle_fetched`](super::Gateway::handle_fetched) when all of its answer is there.
    Fetch(Box<Fetch>),
    /// Have it written down how far a wipe is, and come back with
    /// [`Gateway::handle_attested`](super::Gateway::handle_attested).
    Attest(Box<Attest>),
}

/// An answer about a wipe, which is not given before it is written down.
#[derive(Debug)]
pub struct Attest {
    /// What is to be written down.
    pub news: WipeNews,
    pub(super) answer: Reply,
}

/// How far the wipe of a client is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WipeNews {
    /// Its DeviceId.
    pub eas: EasDeviceId,
    /// The authenticated user's canonical name.
    pub user: String,
    /// The order that it is about, with the stage that the answer tells, or that the request says that
    /// is answered.
    pub order: WipeOrder,
}

/// A request of a device in quarantine that waits for news.
#[derive(Debug)]
pub struct Wait {
    /// For so many seconds at most, 1 to 3540.
    pub seconds: u32,
    /// Resolves when the verdict has changed, or the reason for it.
    pub permit: Permit,
    /// The answer when the time is over.
    pub expired: Reply,
    pub(super) released: Reply,
    /// To be answered anew when the reason has changed, unless it is too long to be kept.
    pub(super) body: Option<Box<[u8]>>,
    pub(super) exchange: Exchange,
}

/// A question to the upstream.
#[derive(Debug)]
pub struct Ask {
    /// Where to.
    pub to: Route,
    /// An OPTIONS of our own, without body.
    pub request: Request<()>,
    /// To be handed back with the answer.
    pub ticket: Ticket,
    /// Too many questions are under way: so long is to be waited instead, and then to be come back with
    /// [`Told::Waited`].
    pub pause: Option<Duration>,
}

/// A request that waits for the upstream's word on its credentials.
#[derive(Debug)]
pub struct Ticket(pub(super) Box<Asked>);

/// The upstream's answer to an [`Ask`].
#[derive(Clone, Copy, Debug)]
pub enum Told<'a> {
    /// It answered.
    Answer(StatusCode, &'a HeaderMap),
    /// It did not, in time or at all.
    Unreachable,
    /// It was not asked; the pause is over.
    Waited,
}

/// A request that is let through.
#[derive(Debug)]
pub struct Forward {
    /// Where to.
    pub to: Route,
    /// Proof of the decision; while it is held, a change will end the request.
    pub permit: Permit,
    /// The head to send, written anew; the client's body is to follow it.
    pub request: Request<()>,
    /// To be handed back with the answer.
    pub exchange: Exchange,
}

/// A request under way.
#[derive(Debug)]
pub struct Exchange(pub(super) Box<Way>);

/// An answer of the upstream on its way to the client.
#[derive(Debug)]
pub enum Outgoing {
    /// With the upstream's body.
    Pass(StatusCode, HeaderMap),
    /// The same; the beginning of the body is to be handed to
    /// [`Gateway::handle_beginning`](super::Gateway::handle_beginning) as it passes.
    Watch(StatusCode, HeaderMap, Box<Promise>),
    /// The upstream's answer is none that a client may see; drop it and close its connection.
    Answer(Reply),
}

/// What is to be told of a command if the body of its answer is that of a success.
#[derive(Debug)]
pub struct Promise {
    pub(super) command: eas::Command,
    pub(super) binding: Option<(Key, Binding)>,
    pub(super) sighting: Option<Sighting>,
    /// Of a client that is served for the first time, among its user's devices.
    pub(super) place: Option<InLine>,
}

/// What others are told.
#[derive(Clone, Debug)]
pub enum Event {
    /// A decision, or a refusal of credentials.
    Decision(Box<DecisionRecord>),
    /// A DeviceId turned out to belong to a proven device.
    Binding(Binding),
    /// Somebody wants to know whether a device is in order now.
    LookUp(LookUp),
    /// Lines for the next start, to be written when the call returns.
    Notes(Vec<u8>),
    /// A client has told of its device, see [`Gateway::is_hurried`](super::Gateway::is_hurried).
    Told,
}

/// A DeviceId that a proven device has used with success as this user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Binding {
    /// The DeviceId.
    pub eas: EasDeviceId,
    /// The authenticated user's canonical name.
    pub user: String,
    /// The device that the client certificate proves.
    pub device: DeviceId,
    /// When.
    pub at: Timestamp,
}

/// What is known of a request before its credentials are.
#[derive(Debug)]
pub(super) struct Pending {
    pub(super) who: Who,
    /// What the query said of the user, and the device, in the case of a command.
    pub(super) wanted: Wanted,
    /// Headers for the upstream, complete.
    pub(super) headers: HeaderMap,
}

/// A request whose credentials the upstream is asked about.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) pending: Pending,
    pub(super) attempt: Attempt,
    pub(super) stage: Stage,
    /// How often it has waited for others' answers.
    pub(super) pauses: u8,
    /// Whether it is the first in this window that has.
    pub(super) is_first: bool,
}

/// What the upstream is being asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// Does the upstream ask for credentials at all?
    Challenge,
    /// Does it accept these?
    Credentials,
}

/// What is known of a request under way.
#[derive(Debug)]
pub(super) struct Way {
    pub(super) who: Who,
    pub(super) request: Box<eas::Request>,
    pub(super) decided: Decided,
    /// It is let in until then, although the verdict is none that lets in.
    pub(super) until: Option<Timestamp>,
    /// Under which its success is remembered as told, if it proves whose the DeviceId is and that
    /// was not told lately.
    pub(super) unbound: Option<Key>,
}

impl Way {
    /// Whether it is allowed, or let in all the same for some time.
    pub(super) fn is_let_in(&self) -> bool {
        self.decided.decision.verdict == Verdict::Allow || self.until.is_some()
    }

    /// Its record, in the place of what `record` holds; of one that is let in although the verdict
    /// does not, it says so.
    pub(super) fn record(&self, record: Box<DecisionRecord>) -> Box<DecisionRecord> {
        let mut record = self.who.record(record, &self.request, &self.decided);
        if self.until.is_some() {
            mark_waiting(&mut record);
        }
        record
    }
}

/// Says of a record that its device is let in, for some time, although the verdict does not.
pub(super) fn mark_waiting(record: &mut DecisionRecord) {
    let method = format!("{}, let in to wait", record.method.as_str());
    record.method = Text::new(&method);
}

impl Step {
    pub(super) fn answer(reply: Reply) -> Self {
        Self {
            action: Action::Answer(reply),
            event: None,
        }
    }

    pub(super) fn recorded(reply: Reply, record: impl Into<Box<DecisionRecord>>) -> Self {
        Self {
            action: Action::Answer(reply),
            event: Some(Event::Decision(record.into())),
        }
    }
}

impl Exchange {
    /// The number under which the decision is recorded.
    #[must_use]
    pub fn id(&self) -> Correlation {
        self.0.who.id
    }

    /// The command.
    #[must_use]
    pub fn command(&self) -> eas::Command {
        self.0.request.command
    }
}
