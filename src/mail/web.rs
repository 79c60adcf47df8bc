//! Applications published beside ActiveSync: OWA, EWS and whatever else speaks HTTP.
//!
//! None is open until it is written down, by a path and everything below it. Its requests carry no
//! DeviceId: the device is that of a client certificate, or there is none, and the policies of the
//! plane `web` judge the user alone. The rest is as for ActiveSync: first who it is, then the
//! decision and its registration, then a request that is written anew; a change of the verdict
//! cuts what is under way. Each record names the application and the upstream resource (R86).
//!
//! How the user signs in is the application's choice ([`SignIn`]). With a certificate the gateway
//! has checked who it is before the application hears anything, and whatever sign-in of its own
//! the application has goes on inside. With a password it is Basic, checked where the user's
//! mailbox is as for ActiveSync.
//!
//! Not here: WebSocket and every other upgrade (501), NTLM and Negotiate, which authenticate a
//! connection and not a request; links inside of bodies, which are not rewritten.

mod answer;
mod cookie;
mod header;
mod path;

pub use header::is_passed_on;

use std::sync::Arc;

use http::HeaderMap;
use http::HeaderName;
use http::Method;
use http::Request;
use http::header as names;

use crate::access::Called;
use crate::access::Decided;
use crate::access::DecisionRecord;
use crate::access::Permit;
use crate::eas::Refusal;
use crate::model::Established;
use crate::model::Identifier;
use crate::model::Now;
use crate::model::Plane;
use crate::model::Presented;
use crate::model::Subject;
use crate::model::Verdict;

use super::action::Action;
use super::action::Event;
use super::action::Pending;
use super::action::Step;
use super::error::Malformed;
use super::forwarded::set_forwarded;
use super::gateway::Gateway;
use super::gateway::LONG_WAIT;
use super::gateway::SHORT_WAIT;
use super::head::Head;
use super::head::Peer;
use super::head::Wanted;
use super::reply::Cause;
use super::reply::Reply;
use super::route::Route;
use super::route::UpstreamId;
use super::who::Who;

/// An application that is published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Application {
    /// Its name, for people and records.
    pub name: String,
    /// Under which of the published names; all of them when empty.
    pub hosts: Vec<String>,
    /// Under which path; what is below it belongs to it.
    pub path: String,
    /// The upstream that has it.
    pub upstream: UpstreamId,
    /// The path that it has there; empty for the root.
    pub resource: String,
    /// How its users say who they are.
    pub sign_in: SignIn,
    /// Request headers that pass beside the usual ones.
    pub headers: Vec<HeaderName>,
    /// Hosts that it may send users to.
    pub redirects: Vec<String>,
}

/// How the users of an application say who they are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SignIn {
    /// By a client certificate, which proves the device too.
    #[default]
    Certificate,
    /// By Basic, as for ActiveSync; a client certificate may prove the device beside it.
    Password,
}

/// The path of an application that Exchange has.
#[must_use]
pub fn known_application(name: &str) -> Option<&'static str> {
    Some(match name {
        "owa" => "/owa",
        "ecp" => "/ecp",
        "ews" => "/ews",
        "mapi" => "/mapi",
        "oab" => "/oab",
        "rpc" => "/rpc",
        "powershell" => "/powershell",
        _ => return None,
    })
}

/// A request for an application that is let through.
#[derive(Debug)]
pub struct Publish {
    /// Where to.
    pub to: Route,
    /// Proof of the decision; while it is held, a change will end the request.
    pub permit: Permit,
    /// The head to send, written anew; the client's body is to follow it.
    pub request: Request<()>,
    /// To be handed back with the answer.
    pub visit: Visit,
}

/// A request of an application under way.
#[derive(Debug)]
pub struct Visit(Box<Visitor>);

/// What is asked of an application.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    application: Arc<Application>,
    method: Method,
    /// Path and query there.
    target: String,
    /// The published name that was asked.
    host: String,
    /// The port by which the client came, if it says so.
    port: Option<u16>,
}

#[derive(Debug)]
struct Visitor {
    who: Who,
    asked: Asked,
    decided: Decided,
    /// For records.
    upstream: String,
}

impl Gateway {
    /// What is served beside ActiveSync, if that is asked for.
    #[cold]
    pub(super) fn elsewhere(&self, now: Now, peer: &Arc<Peer>, head: &Head<'_>) -> Option<Step> {
        self.discover(now, peer, head)
            .or_else(|| self.visit(now, peer, head))
    }

    /// A request for an application; `None` if none is at this path.
    pub(super) fn visit(&self, now: Now, peer: &Arc<Peer>, head: &Head<'_>) -> Option<Step> {
        let routes = self.router.routes();
        if routes.applications.is_empty() {
            return None;
        }
        let malformed = |malformed| Some(Step::answer(Reply::malformed(malformed)));
        let host = match head.check_form(peer, &self.config.published) {
            Ok(host) => host,
            Err(error) => return malformed(error),
        };
        let path = path::clean(head.uri.path())?;
        let found = routes
            .applications
            .iter()
            .find_map(|application| Some((application, application.below(host, &path)?)));
        let (application, below) = found?;
        if head.headers.contains_key(names::UPGRADE) {
            return malformed(Malformed::Upgrade);
        }
        let mut target = path::written(&application.resource, below);
        if let Some(query) = head.uri.query() {
            target.push('?');
            target.push_str(query);
        }
        let asked = Asked {
            application: Arc::clone(application),
            method: head.method.clone(),
            target,
            host: host.to_owned(),
            port: head.stated_port(),
        };
        drop(routes);
        Some(match self.receive(now, peer, head, asked) {
            Ok(step) => step,
            Err(reply) => Step::answer(*reply),
        })
    }

    /// Who it is.
    fn receive(
        &self,
        now: Now,
        peer: &Arc<Peer>,
        head: &Head<'_>,
        asked: Asked,
    ) -> Result<Step, Box<Reply>> {
        let malformed = |malformed| Box::new(Reply::malformed(malformed));
        let mut headers = header::passed(head.headers, &asked.application).map_err(malformed)?;
        set_forwarded(&mut headers, peer, head);
        let user_agent = headers.get(names::USER_AGENT);
        let user_agent = user_agent
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
            .to_owned();
        let id = self.next_correlation();
        match asked.application.sign_in {
            SignIn::Certificate => {
                let login = self.read_certificate(now, peer)?;
                let route = self.place(now, &login, None);
                let who = Who::new(id, Arc::clone(peer), login, &user_agent, route);
                Ok(self.let_in(now, who, asked, headers))
            }
            SignIn::Password => {
                let login = self.read_login(now, peer, head.headers)?;
                headers.remove(names::AUTHORIZATION);
                login.add_to(&mut headers, &self.config);
                let route = self.place(now, &login, None);
                let who = Who::new(id, Arc::clone(peer), login, &user_agent, route);
                let pending = Pending {
                    who,
                    wanted: Wanted::Visit(Box::new(asked)),
                    headers,
                };
                Ok(self.proceed(now, pending))
            }
        }
    }

    /// Decides about somebody who is authenticated.
    pub(super) fn let_in(&self, now: Now, who: Who, asked: Asked, headers: HeaderMap) -> Step {
        let routes = self.router.routes();
        let resource = routes.get(asked.application.upstream);
        let resource = resource.and_then(|resource| Some((resource, resource.members.first()?)));
        let Some((resource, origin)) = resource else {
            return Step::answer(Reply::unavailable(LONG_WAIT, Cause::Unavailable));
        };
        let (decided, permit) = with_subject(&who, |subject| self.judge(now, subject));
        let visitor = Visitor {
            upstream: format!("{} {origin}{}", resource.name, asked.application.resource),
            who,
            asked,
            decided,
        };
        let record = visitor.record();
        let Some(permit) = permit else {
            return Step::recorded(visitor.refused(&visitor.decided), record);
        };
        let Some(uri) = origin.uri(visitor.asked.target.clone()) else {
            return Step::recorded(Reply::malformed(Malformed::Path), record);
        };
        let mut request = Request::new(());
        *request.method_mut() = visitor.asked.method.clone();
        *request.uri_mut() = uri;
        *request.headers_mut() = headers;
        let affinity = UpstreamId::of(&visitor.who.login.user).as_u64();
        let publish = Publish {
            to: Route {
                upstream: visitor.asked.application.upstream,
                affinity,
            },
            permit,
            request,
            visit: Visit(Box::new(visitor)),
        };
        Step {
            action: Action::Publish(publish),
            event: Some(Event::Decision(Box::new(record))),
        }
    }
}

impl Application {
    /// What of a path is below this application's, with the slash that it begins with.
    fn below<'p>(&self, host: &str, path: &'p str) -> Option<&'p str> {
        let mut hosts = self.hosts.iter();
        let is_here = self.hosts.is_empty() || hosts.any(|own| own.eq_ignore_ascii_case(host));
        let (start, below) = path.split_at_checked(self.path.len())?;
        let is_own = start.eq_ignore_ascii_case(&self.path);
        let is_whole = below.is_empty() || below.starts_with('/');
        (is_here && is_own && is_whole).then_some(below)
    }
}

impl Visitor {
    fn record(&self) -> DecisionRecord {
        self.record_of(&self.decided)
    }

    fn record_of(&self, decided: &Decided) -> DecisionRecord {
        let method = format!("web {}", self.asked.method);
        let id = self.who.id;
        let mut record = with_subject(&self.who, |subject| {
            DecisionRecord::new(id, &method, subject, decided)
        });
        self.sign(&mut record);
        record
    }

    /// The refusal that a verdict means; an Allow without permit is a change that came and went.
    fn refused(&self, decided: &Decided) -> Reply {
        let (reason, id) = (decided.decision.reason, self.who.id);
        match decided.decision.verdict {
            Verdict::Block => Reply::refused_page(Refusal::Blocked, reason, id),
            Verdict::Quarantine => Reply::refused_page(Refusal::Quarantined, reason, id),
            Verdict::Allow => Reply::unavailable(SHORT_WAIT, Cause::Revoked),
        }
    }

    /// Puts in what the record of any decision here has.
    fn sign(&self, record: &mut DecisionRecord) {
        let application = &self.asked.application;
        record.from = Some(self.who.peer.address.to_canonical());
        let (name, host, path) = (&application.name, &self.asked.host, &application.path);
        record.called = Some(Box::new(Called {
            application: format!("{name} {host}{path}").into(),
            upstream: self.upstream.as_str().into(),
        }));
    }
}

/// Lends the subject: the device as the certificate proves it, if there is one.
fn with_subject<T>(who: &Who, ask: impl FnOnce(&Subject<'_>) -> T) -> T {
    let certificate = who.peer.certificate.as_ref();
    let proven = |identifier| Presented {
        identifier,
        established: Established::Proven,
    };
    let device = certificate
        .and_then(|names| names.intune_device_id())
        .map(|device| proven(Identifier::Device(device)));
    let certificate = certificate.map(|names| proven(Identifier::Certificate(names.id)));
    let presented = match (device, certificate) {
        (Some(device), Some(certificate)) => &[device, certificate][..],
        (Some(proven), None) | (None, Some(proven)) => &[proven],
        (None, None) => &[],
    };
    let user = &who.login.user;
    ask(&Subject {
        plane: Plane::Web,
        user: (!user.is_empty()).then_some(user),
        credential: who.login.credential,
        device: presented,
        nas: None,
        mail: None,
    })
}
