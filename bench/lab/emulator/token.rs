//! The token endpoint: client credentials, with the refusals of Entra.

use std::collections::HashMap;
use std::time::Duration;

use axum::Json;
use axum::extract::Path;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::StatusCode;
use axum::http::header;
use axum::response::IntoResponse;
use axum::response::Response;
use percent_encoding::percent_decode_str;
use portreeve::model::Timestamp;
use serde_json::Value;
use serde_json::json;
use uuid::Uuid;

use super::Shared;
use super::fault;
use super::fault::What;
use super::world;

/// Tokens given, with their ends.
#[derive(Debug)]
pub(super) struct Tokens {
    given: HashMap<String, Timestamp>,
    lifetime: Duration,
}

impl Default for Tokens {
    fn default() -> Self {
        Self {
            given: HashMap::new(),
            lifetime: Duration::from_secs(3599),
        }
    }
}

impl Tokens {
    /// Whether a request carries a token that is still good.
    pub(super) fn admit(&self, headers: &HeaderMap) -> bool {
        let value = headers
            .get(header::AUTHORIZATION)
            .and_then(|v| v.to_str().ok());
        let token = value.and_then(|value| value.strip_prefix("Bearer "));
        let end = token.and_then(|token| self.given.get(token));
        end.is_some_and(|end| world::now() < *end)
    }
}

/// Gives a token.
pub(super) async fn give(
    State(shared): State<Shared>,
    Path(tenant): Path<String>,
    body: String,
) -> Response {
    let fault = fault::take(&mut shared.world().faults, What::Token, 1);
    if let Some(fault) = &fault
        && let Some(response) = fault.instead().await
    {
        return response;
    }
    let mut world = shared.world();
    world.note(&format!("/{tenant}/oauth2/v2.0/token"), "", false);
    let form = read_form(&body);
    let field = |name: &str| form.get(name).map_or("", String::as_str);
    if tenant != world.config.tenant {
        return refuse(
            StatusCode::BAD_REQUEST,
            "invalid_request",
            "AADSTS90002: Tenant not found.",
        );
    }
    if field("grant_type") != "client_credentials" || !field("scope").ends_with("/.default") {
        return refuse(
            StatusCode::BAD_REQUEST,
            "invalid_scope",
            "AADSTS70011: The provided request must include a valid scope.",
        );
    }
    if field("client_id") != world.config.client_id {
        return refuse(
            StatusCode::BAD_REQUEST,
            "unauthorized_client",
            "AADSTS700016: Application was not found in the directory.",
        );
    }
    if field("client_secret") != world.config.client_secret {
        return refuse(
            StatusCode::UNAUTHORIZED,
            "invalid_client",
            "AADSTS7000215: Invalid client secret provided.",
        );
    }
    let token = format!("lab-token-{}", Uuid::new_v4().simple());
    let lifetime = world.tokens.lifetime;
    let end = world::now() + lifetime;
    world.tokens.given.insert(token.clone(), end);
    let seconds = lifetime.as_secs();
    let body = json!({"token_type": "Bearer", "expires_in": seconds, "access_token": token});
    match fault {
        Some(fault) => fault.spoil(body, ""),
        None => Json(body).into_response(),
    }
}

/// Changes how long tokens live, or ends those given.
pub(super) async fn change(State(shared): State<Shared>, Json(change): Json<Value>) -> StatusCode {
    let mut world = shared.world();
    if let Some(seconds) = change["lifetime"].as_u64() {
        world.tokens.lifetime = Duration::from_secs(seconds);
    }
    if change["revoke"] == true {
        world.tokens.given.clear();
    }
    if let Some(secret) = change["secret"].as_str() {
        world.config.client_secret = secret.to_owned();
    }
    StatusCode::NO_CONTENT
}

/// The fields of a form.
fn read_form(body: &str) -> HashMap<String, String> {
    let plain = |text: &str| {
        let text = text.replace('+', " ");
        percent_decode_str(&text).decode_utf8_lossy().into_owned()
    };
    body.split('&')
        .filter_map(|field| field.split_once('='))
        .map(|(name, value)| (plain(name), plain(value)))
        .collect()
}

fn refuse(status: StatusCode, error: &str, description: &str) -> Response {
    let description = format!("{description}\r\nTrace ID: {}", Uuid::new_v4());
    let body = json!({"error": error, "error_description": description});
    (status, Json(body)).into_response()
}
