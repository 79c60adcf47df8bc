//! What becomes of a request that went to an application.

use http::HeaderMap;
use http::HeaderValue;
use http::StatusCode;
use http::Uri;
use http::header as names;

use crate::access::Correlation;
use crate::access::Decided;
use crate::mail::action::Event;
use crate::mail::action::Outgoing;
use crate::mail::gateway::Gateway;
use crate::mail::gateway::LONG_WAIT;
use crate::mail::header as headers;
use crate::mail::reply::Cause;
use crate::mail::reply::Reply;
use crate::mail::route::Routes;
use crate::model::Now;

use super::Asked;
use super::SignIn;
use super::Visit;
use super::Visitor;
use super::cookie;

impl Visit {
    /// The number under which the decision is recorded.
    #[must_use]
    pub fn id(&self) -> Correlation {
        self.0.who.id
    }
}

impl Gateway {
    /// The application has answered.
    pub fn handle_visited(
        &self,
        now: Now,
        visit: &Visit,
        status: StatusCode,
        mut answer: HeaderMap,
    ) -> (Outgoing, Option<Event>) {
        let visitor = &*visit.0;
        let published = &self.config.published;
        let location = answer.remove(names::LOCATION);
        let own_location = answer.remove(names::CONTENT_LOCATION);
        let challenges: Vec<HeaderValue> = answer
            .get_all(names::WWW_AUTHENTICATE)
            .iter()
            .filter(|value| is_of_a_request(value))
            .cloned()
            .collect();
        headers::strip_answer(&mut answer);
        cookie::publish(&mut answer, &visitor.asked.application);
        if status.is_informational() || status == StatusCode::PROXY_AUTHENTICATION_REQUIRED {
            let reply = Reply::unavailable(LONG_WAIT, Cause::Unavailable);
            return (Outgoing::Answer(reply), None);
        }
        if status == StatusCode::UNAUTHORIZED {
            if visitor.asked.application.sign_in == SignIn::Password {
                self.credentials().forget(visitor.who.login.key);
                self.challenges.set(&mut answer);
            } else {
                for challenge in challenges {
                    answer.append(names::WWW_AUTHENTICATE, challenge);
                }
            }
        }
        // The address of what is in the answer takes the client nowhere: one that is not known to clients is
        // left out.
        if let Some(location) = own_location
            && let Ok(ours) = visitor.led(&self.router.routes(), published, &location)
        {
            answer.insert(names::CONTENT_LOCATION, ours);
        }
        if let Some(location) = location {
            match visitor.led(&self.router.routes(), published, &location) {
                Ok(ours) => answer.insert(names::LOCATION, ours),
                Err(host) => {
                    let text = format!(
                        "the application sends the user to {host}, which is none of its redirects"
                    );
                    let mut record = visitor.who.refusal_record(now.wall, &text);
                    visitor.sign(&mut record);
                    let reply = Reply::unavailable(LONG_WAIT, Cause::SentElsewhere);
                    let event = Event::Decision(Box::new(record));
                    return (Outgoing::Answer(reply), Some(event));
                }
            };
        }
        (Outgoing::Pass(status, answer), None)
    }

    /// The permission of a request was taken back before its answer had begun.
    pub fn handle_visit_revoked(&self, visit: &Visit, decided: &Decided) -> (Reply, Option<Event>) {
        let visitor = &*visit.0;
        let record = visitor.record_of(decided);
        let reply = visitor.refused(decided);
        (reply, Some(Event::Decision(Box::new(record))))
    }
}

impl Visitor {
    /// Where a redirection leads the client: names of upstreams become ours, and what clients know the
    /// application by stays.
    ///
    /// # Errors
    ///
    /// The host, if it is none that users may be sent to.
    fn led(
        &self,
        routes: &Routes,
        published: &[String],
        location: &HeaderValue,
    ) -> Result<HeaderValue, String> {
        let odd = || "a place that is none".to_owned();
        let text = location.to_str().map_err(|_| odd())?;
        if text.contains('\\') || text.bytes().any(|octet| octet.is_ascii_control()) {
            return Err(odd());
        }
        let absolute = text
            .strip_prefix("//")
            .map(|rest| format!("https://{rest}"));
        let absolute = absolute.as_deref().unwrap_or(text);
        let has_scheme = absolute.split(['/', '?', '#']).next();
        let has_scheme = has_scheme.is_some_and(|first| first.contains(':'));
        if !has_scheme {
            return HeaderValue::from_str(&self.written(text)).map_err(|_| odd());
        }
        let (place, fragment) = match absolute.split_once('#') {
            Some((place, fragment)) => (place, Some(fragment)),
            None => (absolute, None),
        };
        let uri: Uri = place.parse().map_err(|_| odd())?;
        let is_web = matches!(uri.scheme_str(), Some("http" | "https"));
        let authority = uri.authority().filter(|_| is_web).ok_or_else(odd)?;
        if authority.as_str().contains('@') {
            return Err(odd());
        }
        let host = authority.host();
        let is_one_of = |known: &[String]| known.iter().any(|one| one.eq_ignore_ascii_case(host));
        if is_one_of(&self.asked.application.redirects) {
            return Ok(location.clone());
        }
        let is_upstream = routes.at(host).is_some();
        if !is_one_of(published) && !is_upstream {
            return Err(host.to_owned());
        }
        // An upstream may have a name of ours, at another port.
        let port = |port: Option<u16>| port.unwrap_or(HTTPS);
        let is_known = if is_upstream {
            port(authority.port_u16()) == port(self.asked.port)
                && self.asked.application.below(host, uri.path()).is_some()
        } else {
            let mut applications = routes.applications.iter();
            applications.any(|one| one.below(host, uri.path()).is_some())
        };
        let is_ours = is_one_of(published) && is_known;
        if is_ours && uri.scheme_str() == Some("https") {
            return Ok(location.clone());
        }
        // An address may go on with its query.
        let path = match uri.query() {
            Some(query) => format!("{}?{query}", uri.path()),
            None => uri.path().to_owned(),
        };
        let mut ours = if is_ours { path } else { self.written(&path) };
        if let Some(fragment) = fragment {
            ours.push('#');
            ours.push_str(fragment);
        }
        self.at_ours(&ours).ok_or_else(odd)
    }

    /// A path at the name, and by the port, that the client has come by.
    fn at_ours(&self, path: &str) -> Option<HeaderValue> {
        let Asked { host, port, .. } = &self.asked;
        let whole = match port {
            Some(port) => format!("https://{host}:{port}{path}"),
            None => format!("https://{host}{path}"),
        };
        HeaderValue::from_str(&whole).ok()
    }

    /// A path of the application's upstream as clients know it.
    fn written(&self, path: &str) -> String {
        let application = &self.asked.application;
        let below = path
            .strip_prefix(application.resource.as_str())
            .filter(|below| {
                path.starts_with('/') && !below.starts_with(|c: char| c.is_alphanumeric())
            });
        match below {
            Some(below) => format!("{}{below}", application.path),
            None => path.to_owned(),
        }
    }
}

/// The port of an address without one.
const HTTPS: u16 = 443;

/// Whether a challenge is for the request alone.
fn is_of_a_request(challenge: &HeaderValue) -> bool {
    let text = challenge.as_bytes();
    [&b"basic"[..], b"bearer", b"digest"].iter().any(|known| {
        text.get(..known.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(known))
    })
}
