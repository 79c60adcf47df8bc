//! Requests to Graph: a token, a page, and what to do when neither comes.

use std::sync::Arc;

use http::StatusCode;
use serde::Deserialize;

use crate::model::Now;
use crate::model::Timestamp;
use crate::sync::http::Answer;
use crate::sync::http::Http;
use crate::sync::http::HttpError;
use crate::sync::http::TrustError;
use crate::sync::json::Page;
use crate::sync::json::PageError;
use crate::sync::json::RowError;
use crate::sync::json::Scalar;
use crate::sync::link::Base;
use crate::sync::link::Link;
use crate::sync::link::LinkError;
use crate::sync::oauth::Client;
use crate::sync::oauth::Tokens;
use crate::sync::settings::GraphConfig;
use crate::sync::source::AnswerError;
use crate::sync::source::Context;
use crate::sync::source::Failure;
use crate::sync::source::random;
use crate::sync::walk::Limits;
use crate::sync::walk::Walk;
use crate::sync::walk::WalkError;

/// One tenant's Graph, shared by its feeds.
#[derive(Debug)]
pub(in crate::sync) struct Graph {
    http: Http,
    tokens: Tokens,
    base: Base,
    limits: Limits,
    bad_percent: u8,
}

/// A collection read to its end.
#[derive(Debug)]
pub(super) struct Listed<T> {
    pub(super) rows: Vec<T>,
    pub(super) refused: usize,
    pub(super) first_refusal: Option<RowError>,
    /// The server's clock at the first page.
    pub(super) began: Timestamp,
}

/// A walk with what it has read so far.
#[derive(Debug)]
pub(super) struct Reading<T> {
    pub(super) walk: Walk,
    pub(super) listed: Listed<T>,
}

/// Why a Graph source cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum GraphSetupError {
    /// No trusted roots.
    #[error(transparent)]
    Trust(#[from] TrustError),
    /// The tenant does not make an address.
    #[error("the tenant makes no address")]
    Tenant(#[from] LinkError),
}

impl Graph {
    pub(in crate::sync) fn new(config: &GraphConfig) -> Result<Arc<Self>, GraphSetupError> {
        let endpoint = format!("/{}/oauth2/v2.0/token", config.tenant);
        Ok(Arc::new(Self {
            http: Http::new(config.ca_file.as_deref(), config.timing.request_deadline)?,
            tokens: Tokens::new(Client {
                endpoint: config.login.link(&endpoint)?,
                id: config.client_id.clone(),
                secret_file: config.client_secret_file.clone(),
                scope: format!("{}/.default", config.graph.origin()),
            }),
            base: config.graph.clone(),
            limits: config.limits,
            bad_percent: config.bad_percent,
        }))
    }

    /// A walk that has not begun.
    pub(super) fn start<T>(
        &self,
        what: &str,
        query: &str,
        now: Now,
    ) -> Result<Reading<T>, Failure> {
        let start = self.link(what, query)?;
        Ok(Reading {
            walk: Walk::new(now.monotonic, self.base.clone(), start, self.limits),
            listed: Listed {
                rows: Vec::new(),
                refused: 0,
                first_refusal: None,
                began: now.wall,
            },
        })
    }

    /// Reads a collection from `query` to its end.
    pub(super) async fn list<T>(
        &self,
        what: &str,
        query: &str,
        read: fn(&[u8]) -> Result<Page<T>, PageError>,
        context: &Context<'_>,
    ) -> Result<Listed<T>, Failure> {
        let mut reading = self.start(what, query, context.clock.now())?;
        while reading.walk.link().is_some() {
            self.advance(what, &mut reading, read, context).await?;
        }
        self.finish(what, reading)
    }

    /// Reads the next page.
    pub(super) async fn advance<T>(
        &self,
        what: &str,
        reading: &mut Reading<T>,
        read: fn(&[u8]) -> Result<Page<T>, PageError>,
        context: &Context<'_>,
    ) -> Result<(), Failure> {
        let first = reading.walk.progress().0 == 0;
        let (page, date) = self.page(what, &mut reading.walk, read, context).await?;
        if first && let Some(date) = date {
            reading.listed.began = date;
        }
        let now = context.clock.now().monotonic;
        let rows = page.rows.len() + page.refused;
        let walk = &mut reading.walk;
        walk.handle_page(now, rows, page.next.as_deref())
            .map_err(|error| gave_up(what, error, None))?;
        reading.listed.rows.extend(page.rows);
        reading.listed.refused += page.refused;
        let refusal = &mut reading.listed.first_refusal;
        *refusal = refusal.or(page.first_refusal);
        context.board.read(rows, walk.progress());
        Ok(())
    }

    /// Judges a collection that has been read to its end.
    pub(super) fn finish<T>(&self, what: &str, reading: Reading<T>) -> Result<Listed<T>, Failure> {
        let listed = reading.listed;
        let rows = listed.rows.len() + listed.refused;
        let allowed = listed.refused.saturating_mul(100)
            <= rows.saturating_mul(usize::from(self.bad_percent));
        match listed.first_refusal {
            Some(first) if !allowed => Err(Failure::Rows {
                what: what.to_owned(),
                refused: listed.refused,
                rows,
                first,
            }),
            Some(_) | None => Ok(listed),
        }
    }

    /// Asks for one object; `None` when the service says that there is none.
    pub(super) async fn object(
        &self,
        what: &str,
        query: &str,
        context: &Context<'_>,
    ) -> Result<Option<Answer>, Failure> {
        let link = self.link(what, query)?;
        let now = context.clock.now().monotonic;
        let mut walk = Walk::new(now, self.base.clone(), link.clone(), self.limits);
        loop {
            match self.ask(&link, context).await? {
                Ok(answer) => {
                    context.board.answers(context.clock.now());
                    return Ok(Some(answer));
                }
                Err(Trouble {
                    error: AnswerError::Status { status, .. },
                    ..
                }) if status == StatusCode::NOT_FOUND => {
                    context.board.answers(context.clock.now());
                    return Ok(None);
                }
                Err(trouble) => self.wait(what, &mut walk, trouble, context).await?,
            }
        }
    }

    /// The page at the walk's link, asked for until it comes or the walk gives up.
    async fn page<T>(
        &self,
        what: &str,
        walk: &mut Walk,
        read: fn(&[u8]) -> Result<Page<T>, PageError>,
        context: &Context<'_>,
    ) -> Result<(Page<T>, Option<Timestamp>), Failure> {
        while let Some(link) = walk.link().cloned() {
            let trouble = match self.ask(&link, context).await? {
                Ok(answer) => match read(&answer.body) {
                    Ok(page) => {
                        context.board.answers(context.clock.now());
                        return Ok((page, answer.date));
                    }
                    Err(PageError::Cut) => Trouble::passing(AnswerError::Cut),
                    Err(error) => {
                        let what = what.to_owned();
                        return Err(Failure::Page { what, error });
                    }
                },
                Err(trouble) => trouble,
            };
            self.wait(what, walk, trouble, context).await?;
        }
        // A walk without a link is complete, and nobody asks for its next page.
        Ok((Page::empty(), None))
    }

    /// One request, with one more when the token is refused.
    async fn ask(
        &self,
        link: &Link,
        context: &Context<'_>,
    ) -> Result<Result<Answer, Trouble>, Failure> {
        let mut fresh = false;
        loop {
            let now = context.clock.now();
            let token = self.tokens.bearer(now.monotonic, &self.http).await?;
            context.board.requested();
            let answer = match self.http.get(link, &token.bearer).await {
                Ok(answer) => answer,
                Err(error @ (HttpError::TooLarge | HttpError::Token)) => {
                    return Ok(Err(Trouble::lasting(error.into())));
                }
                Err(error) => return Ok(Err(Trouble::passing(error.into()))),
            };
            if let Some(date) = answer.date {
                let ahead = date.unix_millis() - context.clock.now().wall.unix_millis();
                context.board.clock_ahead(ahead);
            }
            if answer.status == StatusCode::OK {
                return Ok(Ok(answer));
            }
            if answer.status == StatusCode::UNAUTHORIZED {
                self.tokens.reject(&token).await;
                if !fresh {
                    fresh = true;
                    continue;
                }
            }
            return Ok(Err(Trouble::of(&answer)));
        }
    }

    /// Waits before the next attempt, or gives up.
    async fn wait(
        &self,
        what: &str,
        walk: &mut Walk,
        trouble: Trouble,
        context: &Context<'_>,
    ) -> Result<(), Failure> {
        if !trouble.passing {
            let what = what.to_owned();
            let error = trouble.error;
            return Err(Failure::Answer { what, error });
        }
        let now = context.clock.now().monotonic;
        let wait = walk.handle_trouble(now, trouble.retry_after, random());
        let wait = wait.map_err(|error| gave_up(what, error, Some(trouble.error.clone())))?;
        let reason = trouble.error.to_string();
        context
            .board
            .retried(context.clock.now(), trouble.throttled, reason);
        tracing::debug!(what, reason = %trouble.error, wait = ?wait, "asks again");
        tokio::time::sleep(wait).await;
        Ok(())
    }

    fn link(&self, what: &str, query: &str) -> Result<Link, Failure> {
        let link = self.base.link(query);
        link.map_err(|error| gave_up(what, error.into(), None))
    }
}

/// An answer that is no success.
#[derive(Debug)]
struct Trouble {
    error: AnswerError,
    retry_after: Option<std::time::Duration>,
    /// Whether asking again may help.
    passing: bool,
    throttled: bool,
}

impl Trouble {
    const fn passing(error: AnswerError) -> Self {
        Self {
            error,
            retry_after: None,
            passing: true,
            throttled: false,
        }
    }

    fn lasting(error: AnswerError) -> Self {
        Self {
            passing: false,
            ..Self::passing(error)
        }
    }

    fn of(answer: &Answer) -> Self {
        let status = answer.status;
        let throttled = matches!(
            status,
            StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE
        );
        Self {
            error: AnswerError::Status {
                status,
                problem: problem(&answer.body),
            },
            retry_after: answer.retry_after.filter(|_| throttled),
            passing: throttled || status.is_server_error() || status == StatusCode::REQUEST_TIMEOUT,
            throttled,
        }
    }
}

fn gave_up(what: &str, error: WalkError, last: Option<AnswerError>) -> Failure {
    Failure::Walk {
        what: what.to_owned(),
        error,
        last,
    }
}

/// `code: message` of a Graph error, fit for a log; empty when there is none.
fn problem(octets: &[u8]) -> String {
    #[derive(Deserialize)]
    struct Body<'a> {
        #[serde(borrow)]
        error: Inner<'a>,
    }
    #[derive(Deserialize)]
    struct Inner<'a> {
        #[serde(borrow, default)]
        code: Scalar<'a>,
        #[serde(borrow, default)]
        message: Scalar<'a>,
    }
    let Ok(body) = serde_json::from_slice::<Body<'_>>(octets) else {
        return String::new();
    };
    let plain = |scalar: &Scalar<'_>| match scalar {
        Scalar::Text(text) => text
            .chars()
            .filter(|c| !c.is_control())
            .take(MAX_MESSAGE)
            .collect(),
        Scalar::Nothing | Scalar::Bool(_) | Scalar::Number(_) | Scalar::Other => String::new(),
    };
    format!(
        "{}: {}",
        plain(&body.error.code),
        plain(&body.error.message)
    )
}

/// Enough for the sentence, not for the blob that Intune wraps it in.
const MAX_MESSAGE: usize = 300;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_of_graph_are_told_in_one_line_r54() {
        for (body, expected) in [
            (
                r#"{"error":{"code":"UnknownError","message":"{\r\n \"Message\": \"Not licensed\"}"}}"#,
                r#"UnknownError: { "Message": "Not licensed"}"#,
            ),
            (r#"{"error":{"code":7}}"#, ": "),
            ("<html>", ""),
        ] {
            assert_eq!(problem(body.as_bytes()), expected, "row {body}");
        }
    }
}
