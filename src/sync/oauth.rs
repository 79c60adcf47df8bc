//! Access tokens by client credentials (RFC 6749 section 4.4), as Entra gives them.
//!
//! One token is kept, renewed when four fifths of its life are over, and thrown away when it is
//! refused. A renewal that fails is no harm while the old token still lives. The client secret is
//! read from its file for each request, so that it can be changed without a restart.

use std::borrow::Cow;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;
use percent_encoding::NON_ALPHANUMERIC;
use percent_encoding::percent_encode;
use serde::Deserialize;
use tokio::sync::Mutex;
use zeroize::Zeroizing;

use crate::model::Monotonic;
use crate::model::Secret;
use crate::sync::http::Answer;
use crate::sync::http::Http;
use crate::sync::http::HttpError;
use crate::sync::json::Scalar;
use crate::sync::link::Link;

/// Who we are to the token endpoint.
#[derive(Clone, Debug)]
pub(super) struct Client {
    /// The token endpoint.
    pub(super) endpoint: Link,
    /// Application id.
    pub(super) id: String,
    /// The file with the secret.
    pub(super) secret_file: PathBuf,
    /// What the token is for.
    pub(super) scope: String,
}

/// The token at hand.
#[derive(Debug)]
pub(super) struct Tokens {
    client: Client,
    /// Held across a request for a token, so that two feeds never ask for one at once.
    current: Mutex<Option<Arc<Token>>>,
}

/// A token and its life.
#[derive(Debug)]
pub(super) struct Token {
    pub(super) bearer: Secret,
    renew_at: Monotonic,
    ends_at: Monotonic,
}

impl Tokens {
    pub(super) fn new(client: Client) -> Self {
        Self {
            client,
            current: Mutex::new(None),
        }
    }

    /// A token that is still good at `now`.
    pub(super) async fn bearer(
        &self,
        now: Monotonic,
        http: &Http,
    ) -> Result<Arc<Token>, TokenError> {
        let mut current = self.current.lock().await;
        let living = current.as_ref().filter(|token| now < token.ends_at);
        if let Some(token) = living.filter(|token| now < token.renew_at) {
            return Ok(Arc::clone(token));
        }
        match self.request(now, http).await {
            Ok(token) => {
                let token = Arc::new(token);
                *current = Some(Arc::clone(&token));
                Ok(token)
            }
            Err(error) => match living {
                Some(token) => {
                    tracing::warn!(reason = %error, "token not renewed, the old one still lives");
                    Ok(Arc::clone(token))
                }
                None => Err(error),
            },
        }
    }

    /// Throws `token` away if it is still the one at hand.
    pub(super) async fn reject(&self, token: &Arc<Token>) {
        let mut current = self.current.lock().await;
        current.take_if(|at_hand| Arc::ptr_eq(at_hand, token));
    }

    async fn request(&self, now: Monotonic, http: &Http) -> Result<Token, TokenError> {
        let path = &self.client.secret_file;
        let read = tokio::fs::read(path).await;
        let secret = read
            .map(Zeroizing::new)
            .map_err(|source| TokenError::SecretFile {
                path: path.clone(),
                source,
            })?;
        let secret = secret.trim_ascii();
        if secret.is_empty() || secret.len() > MAX_SECRET {
            return Err(TokenError::Secret { path: path.clone() });
        }
        let form = form(&[
            ("grant_type", b"client_credentials"),
            ("client_id", self.client.id.as_bytes()),
            ("scope", self.client.scope.as_bytes()),
            ("client_secret", secret),
        ]);
        let answer = http.post_form(&self.client.endpoint, form).await?;
        read_token(now, &answer)
    }
}

/// Why there is no token.
#[derive(Debug, thiserror::Error)]
pub(super) enum TokenError {
    /// The file with the client secret cannot be read.
    #[error("cannot read the client secret {}: {source}", path.display())]
    SecretFile {
        path: PathBuf,
        source: std::io::Error,
    },
    /// The file holds no secret.
    #[error("{} holds no client secret, or one of more than {MAX_SECRET} octets", path.display())]
    Secret { path: PathBuf },
    /// No answer from the token endpoint.
    #[error("no access token: {0}")]
    Http(#[from] HttpError),
    /// The token endpoint said no.
    #[error("no access token: {status} {problem}")]
    Refused {
        status: StatusCode,
        problem: Refusal,
        retry_after: Option<Duration>,
    },
    /// The token endpoint said yes, and no token is in its answer.
    #[error("no access token: the answer is not one of a token endpoint")]
    Malformed,
}

/// What a token endpoint says when it says no.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Refusal {
    /// `invalid_client`, …
    error: String,
    /// `AADSTS7000215: …`: this tells a wrong secret from a revoked consent.
    description: String,
}

/// The code, then the first line of the description.
impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.error, self.description)
    }
}

#[derive(Deserialize)]
struct Answered<'a> {
    #[serde(borrow, default)]
    access_token: Scalar<'a>,
    #[serde(borrow, default)]
    token_type: Scalar<'a>,
    #[serde(borrow, default)]
    expires_in: Scalar<'a>,
    #[serde(borrow, default)]
    error: Scalar<'a>,
    #[serde(borrow, default)]
    error_description: Scalar<'a>,
}

fn read_token(now: Monotonic, answer: &Answer) -> Result<Token, TokenError> {
    let read: Result<Answered<'_>, _> = serde_json::from_slice(&answer.body);
    if answer.status != StatusCode::OK {
        let problem = read.map_or_else(|_| Refusal::default(), |answered| refusal(&answered));
        return Err(TokenError::Refused {
            status: answer.status,
            problem,
            retry_after: answer.retry_after,
        });
    }
    let answered = read.map_err(|_| TokenError::Malformed)?;
    let Scalar::Text(token) = answered.access_token else {
        return Err(TokenError::Malformed);
    };
    let bearer = match &answered.token_type {
        Scalar::Text(kind) => kind.eq_ignore_ascii_case("Bearer"),
        Scalar::Nothing | Scalar::Bool(_) | Scalar::Number(_) | Scalar::Other => false,
    };
    let graphic = token.bytes().all(|octet| octet.is_ascii_graphic());
    if !bearer || token.is_empty() || !graphic {
        return Err(TokenError::Malformed);
    }
    let life = match answered.expires_in {
        Scalar::Number(seconds) => Some(seconds),
        // Some endpoints of version 1 send a text.
        Scalar::Text(text) => text.parse().ok(),
        Scalar::Nothing | Scalar::Bool(_) | Scalar::Other => None,
    };
    let life = Duration::from_secs(life.ok_or(TokenError::Malformed)?).min(LONGEST_LIFE);
    let octets = match token {
        Cow::Borrowed(text) => text.as_bytes().to_vec(),
        Cow::Owned(text) => text.into_bytes(),
    };
    Ok(Token {
        bearer: Secret::new(octets),
        renew_at: now + life.mul_f64(0.8),
        ends_at: now + life,
    })
}

fn refusal(answered: &Answered<'_>) -> Refusal {
    Refusal {
        error: plain(&answered.error, 64),
        description: plain(&answered.error_description, 200),
    }
}

/// The first line of a text from outside, cut short and fit for a log.
fn plain(scalar: &Scalar<'_>, longest: usize) -> String {
    let Scalar::Text(text) = scalar else {
        return String::new();
    };
    let line = text.lines().next().unwrap_or("");
    line.chars()
        .filter(|c| !c.is_control())
        .take(longest)
        .collect()
}

/// `application/x-www-form-urlencoded`, every octet but letters and digits encoded.
fn form(fields: &[(&str, &[u8])]) -> Zeroizing<String> {
    let longest = fields
        .iter()
        .map(|(name, value)| name.len() + 3 * value.len() + 2)
        .sum();
    // Sized beforehand: a string that grows leaves copies of the secret behind.
    let mut form = Zeroizing::new(String::with_capacity(longest));
    for (index, (name, value)) in fields.iter().enumerate() {
        if index > 0 {
            form.push('&');
        }
        form.push_str(name);
        form.push('=');
        for part in percent_encode(value, NON_ALPHANUMERIC) {
            form.push_str(part);
        }
    }
    form
}

/// Entra's secrets have 40 octets; nothing longer than this is one.
const MAX_SECRET: usize = 4096;

/// Entra gives 60 to 90 minutes; a longer life is not believed, so that a revoked consent shows.
const LONGEST_LIFE: Duration = Duration::from_hours(24);

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: StatusCode, body: &str) -> Answer {
        Answer {
            status,
            retry_after: None,
            date: None,
            body: Zeroizing::new(body.as_bytes().to_vec()),
        }
    }

    fn at(seconds: u64) -> Monotonic {
        Monotonic::from_elapsed(Duration::from_secs(seconds))
    }

    #[test]
    fn tokens_are_renewed_at_four_fifths_of_their_life() {
        for expires in ["3600", "\"3600\""] {
            let body =
                format!(r#"{{"token_type":"bearer","access_token":"t","expires_in":{expires}}}"#);
            let token = read_token(at(100), &answer(StatusCode::OK, &body)).unwrap();
            assert_eq!(token.renew_at, at(100 + 2880), "row {expires}");
            assert_eq!(token.ends_at, at(100 + 3600), "row {expires}");
        }
    }

    #[test]
    fn answers_without_a_usable_token_are_malformed() {
        for body in [
            "",
            "{}",
            "<html>",
            r#"{"token_type":"Bearer","access_token":"","expires_in":1}"#,
            r#"{"token_type":"Bearer","access_token":"a\nb","expires_in":1}"#,
            r#"{"token_type":"Bearer","access_token":7,"expires_in":1}"#,
            r#"{"token_type":"mac","access_token":"t","expires_in":1}"#,
            r#"{"token_type":"Bearer","access_token":"t"}"#,
            r#"{"token_type":"Bearer","access_token":"t","expires_in":-1}"#,
        ] {
            let read = read_token(at(0), &answer(StatusCode::OK, body));
            assert!(matches!(read, Err(TokenError::Malformed)), "row {body}");
        }
    }

    #[test]
    fn refusals_say_which_code_in_one_line() {
        let body = r#"{"error":"invalid_client",
            "error_description":"AADSTS7000215: Invalid client secret.\r\nTrace ID: 1"}"#;
        let error = read_token(at(0), &answer(StatusCode::UNAUTHORIZED, body)).unwrap_err();
        assert_eq!(
            error.to_string(),
            "no access token: 401 Unauthorized invalid_client: AADSTS7000215: Invalid client secret."
        );
    }

    #[test]
    fn forms_are_encoded_whole() {
        let form = form(&[("a", b"x y&z=1"), ("b", b"\xff+")]);
        assert_eq!(*form, "a=x%20y%26z%3D1&b=%FF%2B");
    }

    #[test]
    fn no_part_shows_the_token() {
        let body = r#"{"token_type":"Bearer","access_token":"hunter2","expires_in":60}"#;
        let token = read_token(at(0), &answer(StatusCode::OK, body)).unwrap();
        assert!(!format!("{token:?}").contains("hunter2"));
    }
}
