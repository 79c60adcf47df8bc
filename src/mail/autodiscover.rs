//! Autodiscover (MS-OXDISCO, MS-OXDSCLI, MS-ASCMD 2.2.1.2): how a phone finds the gateway by a mail address.
//!
//! Off until it is switched on. Then two exact paths, and nothing of what a client sends goes on as
//! it is, nor anything of what an upstream answers:
//!
//! * `POST /autodiscover/autodiscover.xml`, credentials first as for every command. Of the request
//!   the mail address is read and put into one of our own, which goes to the upstream of who has
//!   signed in. Of the answer the name and the address of the mailbox are read, and that it has
//!   ActiveSync at a place that is known here; the answer that the client gets is our own, with our
//!   URL. One that leads elsewhere, or cannot be read, is refused.
//! * `GET /autodiscover/autodiscover.json`, the same for everybody: it names our URL and asks
//!   nobody.

mod xml;

pub use xml::Answer;
pub use xml::Unreadable;
pub use xml::read_answer;
pub use xml::read_request;

use std::sync::Arc;

use http::HeaderMap;
use http::HeaderValue;
use http::Method;
use http::Request;
use http::StatusCode;
use http::header;

use crate::eas;
use crate::model::Now;

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
use super::header as headers;
use super::reply::Cause;
use super::reply::Reply;
use super::route::Route;
use super::who::Who;

/// An Autodiscover request whose credentials are accepted; its body is to be read.
#[derive(Debug)]
pub struct Discovery {
    who: Box<Who>,
    headers: HeaderMap,
}

/// A question to the upstream on the way.
#[derive(Debug)]
pub struct Discover {
    /// Where to.
    pub to: Route,
    /// A POST of our own.
    pub request: Request<()>,
    /// Its body.
    pub body: Vec<u8>,
    /// To be handed back with the answer.
    pub discovery: Discovery,
}

impl Discovery {
    /// Octets of a request's body; clients send under a kilobyte.
    pub const MAX_REQUEST: usize = 16 << 10;
    /// Octets of an upstream's answer; that of ActiveSync has under two kilobytes.
    pub const MAX_ANSWER: usize = 64 << 10;
}

impl Gateway {
    /// A request for Autodiscover; `None` if it is off, or the path is another one.
    pub(super) fn discover(&self, now: Now, peer: &Arc<Peer>, head: &Head<'_>) -> Option<Step> {
        let routes = self.router.routes();
        if !routes.autodiscover {
            return None;
        }
        let path = head.uri.path();
        let is_json = path.eq_ignore_ascii_case(JSON_PATH);
        if !is_json && !path.eq_ignore_ascii_case(XML_PATH) {
            return None;
        }
        drop(routes);
        let received = if is_json {
            self.answer_json(peer, head)
        } else {
            self.receive_discovery(now, peer, head)
        };
        Some(received.unwrap_or_else(|reply| Step::answer(*reply)))
    }

    fn receive_discovery(
        &self,
        now: Now,
        peer: &Arc<Peer>,
        head: &Head<'_>,
    ) -> Result<Step, Box<Reply>> {
        let malformed = |malformed| Box::new(Reply::malformed(malformed));
        head.check_form(peer, &self.config.published)
            .map_err(malformed)?;
        if head.method != Method::POST {
            return Err(malformed(Malformed::Method));
        }
        let mut sent = headers::passed(head.headers).map_err(malformed)?;
        sent.remove(header::COOKIE);
        sent.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/xml"));
        // An answer that is packed could not be read here.
        sent.remove(header::CONTENT_ENCODING);
        let plain = HeaderValue::from_static("identity");
        sent.insert(header::ACCEPT_ENCODING, plain);
        set_forwarded(&mut sent, peer, head);
        let login = self.read_login(now, peer, head.headers)?;
        login.add_to(&mut sent, &self.config);
        let route = self.place(now, &login, None);
        let user_agent = sent.get(header::USER_AGENT);
        let user_agent = user_agent.and_then(|value| value.to_str().ok());
        let user_agent = user_agent.unwrap_or_default().to_owned();
        let id = self.next_correlation();
        let who = Who::new(id, Arc::clone(peer), login, &user_agent, route);
        let pending = Pending {
            who,
            wanted: Wanted::Discovery,
            headers: sent,
        };
        Ok(self.proceed(now, pending))
    }

    /// The credentials are accepted.
    pub(super) fn read_discovery(who: Who, headers: HeaderMap) -> Step {
        Step {
            action: Action::Discover(Discovery {
                who: Box::new(who),
                headers,
            }),
            event: None,
        }
    }

    /// The body of an Autodiscover request has come: what to ask the upstream.
    ///
    /// # Errors
    ///
    /// The reply, when it is none.
    pub fn handle_discovery(
        &self,
        mut discovery: Discovery,
        body: Option<&[u8]>,
    ) -> Result<Discover, Box<Reply>> {
        let read = body.ok_or(Unreadable::Long).and_then(read_request);
        let address = match read {
            Ok(address) => address,
            // What asks for Outlook's settings is told that nobody has them.
            Err(Unreadable::OtherSchema) => return Err(Box::new(no_provider())),
            Err(_) => return Err(Box::new(Reply::body_malformed())),
        };
        let to = discovery.who.route;
        let routes = self.router.routes();
        let resource = routes.get(to.upstream);
        let origin = resource.and_then(|resource| resource.members.first());
        let uri = origin.and_then(|origin| origin.uri(XML_PATH.to_owned()));
        let uri = uri.ok_or_else(|| Box::new(unavailable()))?;
        let mut request = Request::new(());
        *request.method_mut() = Method::POST;
        *request.uri_mut() = uri;
        *request.headers_mut() = std::mem::take(&mut discovery.headers);
        Ok(Discover {
            to,
            request,
            body: xml::request(&address).into_bytes(),
            discovery,
        })
    }

    /// The upstream has answered; `None` in the place of a body that is too long, and of an answer
    /// that did not come.
    pub fn handle_discovered(
        &self,
        now: Now,
        discovery: &Discovery,
        answer: Option<(StatusCode, &HeaderMap, Option<&[u8]>)>,
    ) -> (Reply, Option<Event>) {
        let Some((status, said, body)) = answer else {
            self.unanswered(now.monotonic, &discovery.who);
            return (self.come_again(), None);
        };
        if status == StatusCode::UNAUTHORIZED {
            self.credentials().forget(discovery.who.login.key);
            let reply = Reply::unauthorized(&self.challenges, Cause::Refused);
            return (reply, None);
        }
        if matches!(
            status,
            StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE
        ) {
            let wait = headers::retry_after(said).unwrap_or(SHORT_WAIT);
            return (Reply::busy(wait), None);
        }
        let refused = |why: &str| {
            let text = format!("Autodiscover of the mail server {why}");
            let record = discovery.who.refusal_record(now.wall, &text);
            let reply = Reply::unavailable(LONG_WAIT, Cause::SentElsewhere);
            (reply, Some(Event::Decision(Box::new(record))))
        };
        if status != StatusCode::OK {
            return refused(&format!("answers {}", status.as_u16()));
        }
        let encoding = said.get(header::CONTENT_ENCODING);
        let is_plain = encoding.is_none_or(|coding| coding == "identity");
        let read = match body.filter(|_| is_plain) {
            Some(body) => read_answer(body),
            None => Err(Unreadable::Long),
        };
        match read {
            Err(error) => refused(&format!("cannot be taken: {error}")),
            Ok(Answer::Error(code)) => (Reply::xml(xml::error(code)), None),
            Ok(Answer::Elsewhere(place)) => refused(&format!("leads to {place}")),
            Ok(Answer::Settings { name, address, url }) => {
                let routes = self.router.routes();
                if let Err(place) = routes.is_here(&url, &self.config.published) {
                    return refused(&format!("leads to {place}"));
                }
                match self.own_url() {
                    Some(ours) => (Reply::xml(xml::settings(&name, &address, &ours)), None),
                    None => (unavailable(), None),
                }
            }
        }
    }

    /// Version 2: which URL a protocol has, whoever asks.
    fn answer_json(&self, peer: &Peer, head: &Head<'_>) -> Result<Step, Box<Reply>> {
        let malformed = |malformed| Box::new(Reply::malformed(malformed));
        head.check_form(peer, &self.config.published)
            .map_err(malformed)?;
        if head.method != Method::GET {
            return Err(malformed(Malformed::Method));
        }
        let name = self.config.published.first();
        let name = name.ok_or_else(|| Box::new(unavailable()))?;
        let protocol = head
            .uri
            .query()
            .unwrap_or_default()
            .split('&')
            .find_map(|pair| {
                let (key, value) = pair.split_once('=')?;
                key.eq_ignore_ascii_case("protocol").then_some(value)
            });
        let protocol = protocol.unwrap_or_default();
        let (status, body) = if protocol.eq_ignore_ascii_case("ActiveSync") {
            let url = format!("https://{name}{}", eas::PATH);
            (200, json("ActiveSync", &url))
        } else if protocol.eq_ignore_ascii_case("AutodiscoverV1") {
            let url = format!("https://{name}{XML_PATH}");
            (200, json("AutodiscoverV1", &url))
        } else {
            let text = "The protocol is not served here.";
            let body = format!(r#"{{"ErrorCode":"InvalidProtocol","ErrorMessage":"{text}"}}"#);
            (400, body)
        };
        Ok(Step::answer(Reply::json(status, body)))
    }

    fn own_url(&self) -> Option<String> {
        let name = self.config.published.first()?;
        Some(format!("https://{name}{}", eas::PATH))
    }
}

fn unavailable() -> Reply {
    Reply::unavailable(LONG_WAIT, Cause::Unavailable)
}

fn no_provider() -> Reply {
    // MS-OXDSCLI 2.2.4.1.1.2.2: no provider for the schema that was asked for.
    Reply::xml(xml::error(601))
}

/// Names are host names, which need no escapes.
fn json(protocol: &str, url: &str) -> String {
    format!(r#"{{"Protocol":"{protocol}","Url":"{url}"}}"#)
}

/// MS-OXDISCO 3.1.5.4; clients write it in several cases.
const XML_PATH: &str = "/autodiscover/autodiscover.xml";
const JSON_PATH: &str = "/autodiscover/autodiscover.json";
