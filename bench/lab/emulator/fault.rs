//! Ways to misbehave.

use std::io;
use std::pin::Pin;
use std::task::Context;
use std::task::Poll;

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header;
use axum::response::IntoResponse;
use axum::response::Response;
use bytes::Bytes;
use hyper::body::Body as HttpBody;
use hyper::body::Frame;
use serde::Deserialize;
use serde_json::Value;
use serde_json::json;

use super::Shared;

/// One way to misbehave, for a number of answers.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct Fault {
    kind: Kind,
    /// What is asked for; anything when absent.
    on: Option<What>,
    /// Only on this page of a list, from 1.
    page: Option<usize>,
    /// How many answers go wrong; 0 for all until faults are cleared.
    #[serde(default = "once")]
    times: usize,
    /// Retry-After, for `throttle` and `unavailable`.
    retry_after: Option<String>,
    /// The link of `foreignLink`, the target of `redirect`.
    link: Option<String>,
    /// Rows that `shorten` leaves.
    #[serde(default)]
    keep: usize,
}

/// What is asked for.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub(super) enum What {
    Devices,
    Device,
    Users,
    Groups,
    Members,
    Token,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
enum Kind {
    // In place of an answer.
    Throttle,
    Unavailable,
    GatewayTimeout,
    InternalError,
    Unauthorized,
    Forbidden,
    Gone,
    Hang,
    Redirect,
    Html,
    Oversize,
    // In an answer.
    Truncate,
    Disconnect,
    NoValue,
    NullValue,
    ErrorInstead,
    Empty,
    Shorten,
    RepeatLink,
    ForeignLink,
    Duplicate,
    UnknownEnum,
    BadRows,
}

const fn once() -> usize {
    1
}

pub(super) async fn add(State(shared): State<Shared>, Json(fault): Json<Fault>) -> StatusCode {
    shared.world().faults.push(fault);
    StatusCode::NO_CONTENT
}

pub(super) async fn clear(State(shared): State<Shared>) -> StatusCode {
    shared.world().faults.clear();
    StatusCode::NO_CONTENT
}

/// The fault for this answer, which is then used up by one.
pub(super) fn take(faults: &mut Vec<Fault>, what: What, page: usize) -> Option<Fault> {
    let fits = |fault: &Fault| {
        fault.on.is_none_or(|on| on == what) && fault.page.is_none_or(|only| only == page)
    };
    let place = faults.iter().position(fits)?;
    let fault = faults[place].clone();
    match fault.times {
        0 => {}
        1 => drop(faults.remove(place)),
        times => faults[place].times = times - 1,
    }
    Some(fault)
}

impl Fault {
    /// What comes in place of any answer; `None` when the fault is in the answer.
    pub(super) async fn instead(&self) -> Option<Response> {
        let coded = |status: StatusCode, code: &str| {
            let error = json!({"error": {"code": code, "message": "emulated"}});
            let mut response = (status, Json(error)).into_response();
            let wait = self.retry_after.as_deref().and_then(|w| w.parse().ok());
            if let Some(wait) = wait {
                response.headers_mut().insert(header::RETRY_AFTER, wait);
            }
            response
        };
        Some(match self.kind {
            Kind::Throttle => coded(StatusCode::TOO_MANY_REQUESTS, "TooManyRequests"),
            Kind::Unavailable => coded(StatusCode::SERVICE_UNAVAILABLE, "ServiceUnavailable"),
            Kind::GatewayTimeout => coded(StatusCode::GATEWAY_TIMEOUT, "GatewayTimeout"),
            Kind::InternalError => coded(StatusCode::INTERNAL_SERVER_ERROR, "InternalError"),
            Kind::Unauthorized => coded(StatusCode::UNAUTHORIZED, "UnknownError"),
            Kind::Forbidden => coded(StatusCode::FORBIDDEN, "Authorization_RequestDenied"),
            Kind::Gone => coded(StatusCode::GONE, "resyncRequired"),
            Kind::Hang => std::future::pending().await,
            Kind::Redirect => {
                let link = self.link.clone().unwrap_or_default();
                (StatusCode::FOUND, [(header::LOCATION, link)]).into_response()
            }
            Kind::Html => ([(header::CONTENT_TYPE, "text/html")], "<html></html>").into_response(),
            Kind::Oversize => vec![b' '; 17 << 20].into_response(),
            Kind::Truncate
            | Kind::Disconnect
            | Kind::NoValue
            | Kind::NullValue
            | Kind::ErrorInstead
            | Kind::Empty
            | Kind::Shorten
            | Kind::RepeatLink
            | Kind::ForeignLink
            | Kind::Duplicate
            | Kind::UnknownEnum
            | Kind::BadRows => return None,
        })
    }

    /// Spoils an answer. `asked` is the address that was asked.
    pub(super) fn spoil(&self, mut body: Value, asked: &str) -> Response {
        let link = "@odata.nextLink";
        match self.kind {
            Kind::Truncate => return half_of(&body).into_response(),
            Kind::Disconnect => {
                let length = [(header::CONTENT_LENGTH, body.to_string().len().to_string())];
                let broken = Body::new(Broken::Half(half_of(&body)));
                return (length, broken).into_response();
            }
            Kind::NoValue => remove(&mut body, "value"),
            Kind::NullValue => body["value"] = Value::Null,
            Kind::ErrorInstead => body["error"] = json!({"code": "UnknownError"}),
            Kind::Empty => body = json!({"value": []}),
            Kind::Shorten => {
                if let Some(rows) = rows_of(&mut body) {
                    rows.truncate(self.keep);
                }
                remove(&mut body, link);
            }
            Kind::RepeatLink => body[link] = asked.into(),
            Kind::ForeignLink => body[link] = self.link.clone().into(),
            Kind::Duplicate => {
                if let Some(rows) = rows_of(&mut body) {
                    rows.extend(rows.clone());
                }
            }
            Kind::UnknownEnum => {
                for row in rows_of(&mut body).into_iter().flatten() {
                    row["complianceState"] = "almostCompliant".into();
                    row["managementAgent"] = "agentOfTheFuture".into();
                }
            }
            Kind::BadRows => {
                let rows = rows_of(&mut body).into_iter().flatten();
                for row in rows.step_by(4) {
                    row["id"] = Value::Null;
                }
            }
            Kind::Throttle
            | Kind::Unavailable
            | Kind::GatewayTimeout
            | Kind::InternalError
            | Kind::Unauthorized
            | Kind::Forbidden
            | Kind::Gone
            | Kind::Hang
            | Kind::Redirect
            | Kind::Html
            | Kind::Oversize => {}
        }
        Json(body).into_response()
    }
}

fn remove(body: &mut Value, name: &str) {
    if let Some(body) = body.as_object_mut() {
        body.remove(name);
    }
}

/// The rows of a list; a single object has none.
fn rows_of(body: &mut Value) -> Option<&mut Vec<Value>> {
    body.get_mut("value")?.as_array_mut()
}

fn half_of(body: &Value) -> String {
    let mut text = body.to_string();
    text.truncate(text.floor_char_boundary(text.len() / 2));
    text
}

/// A body that breaks after its first part. The server takes a body whose length it knows and
/// whose head says another for a mistake of ours, so this one does not tell its length.
enum Broken {
    Half(String),
    /// What came so far is sent before the connection breaks.
    Sent,
    Over,
}

impl HttpBody for Broken {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        match std::mem::replace(&mut *self, Self::Over) {
            Self::Half(text) => {
                *self = Self::Sent;
                Poll::Ready(Some(Ok(Frame::data(Bytes::from(text)))))
            }
            Self::Sent => {
                context.waker().wake_by_ref();
                Poll::Pending
            }
            Self::Over => Poll::Ready(Some(Err(io::ErrorKind::ConnectionReset.into()))),
        }
    }
}
