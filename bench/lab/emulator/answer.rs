//! The answers of Graph.

use std::collections::HashMap;

use axum::Json;
use axum::extract::Path;
use axum::extract::Query as Parameters;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::StatusCode;
use axum::http::Uri;
use axum::response::IntoResponse;
use axum::response::Response;
use serde_json::Map;
use serde_json::Value;
use serde_json::json;

use super::Shared;
use super::fault;
use super::fault::What;
use super::made_up::Kind;
use super::made_up::WITHHELD;
use super::query::Filter;
use super::query::Query;
use super::world::World;

type Asked = Parameters<HashMap<String, String>>;

pub(super) async fn devices(
    State(shared): State<Shared>,
    uri: Uri,
    headers: HeaderMap,
    Parameters(parameters): Asked,
) -> Response {
    list(
        &shared,
        &uri,
        &headers,
        &parameters,
        What::Devices,
        |world, query| {
            let mut rows = Vec::new();
            let mut number = u32::try_from(query.start).unwrap_or(u32::MAX);
            while number < world.config.devices && rows.len() < query.top {
                if world.lists(number, &query.filters)
                    && let Some(mut device) = world.device(number)
                {
                    for name in WITHHELD {
                        device.insert(name.to_owned(), Value::Null);
                    }
                    rows.push(device);
                }
                number += 1;
            }
            let more = number < world.config.devices;
            Some((rows, more.then_some(number as usize)))
        },
    )
    .await
}

pub(super) async fn device(
    State(shared): State<Shared>,
    uri: Uri,
    Path(id): Path<String>,
    headers: HeaderMap,
    Parameters(parameters): Asked,
) -> Response {
    one(&shared, &uri, &headers, &parameters, &id).await
}

pub(super) async fn users(
    State(shared): State<Shared>,
    uri: Uri,
    headers: HeaderMap,
    Parameters(parameters): Asked,
) -> Response {
    list(
        &shared,
        &uri,
        &headers,
        &parameters,
        What::Users,
        |world, query| {
            let first = u32::try_from(query.start).unwrap_or(u32::MAX);
            let users = (first..world.config.users).take(query.top);
            let rows: Vec<_> = users.map(|number| world.made_up.user(number)).collect();
            let next = query.start + rows.len();
            let more = next < world.config.users as usize;
            Some((rows, more.then_some(next)))
        },
    )
    .await
}

pub(super) async fn groups(
    State(shared): State<Shared>,
    uri: Uri,
    headers: HeaderMap,
    Parameters(parameters): Asked,
) -> Response {
    list(
        &shared,
        &uri,
        &headers,
        &parameters,
        What::Groups,
        |world, query| {
            let name = query.filters.iter().find_map(|filter| match filter {
                Filter::Equals(name, value) if name == "displayName" => Some(value.as_str()),
                Filter::Equals(..) | Filter::CheckedInSince(_) => None,
            });
            let groups = world.groups(name);
            let rows = groups
                .into_iter()
                .filter_map(|group| group.as_object().cloned());
            Some((rows.collect(), None))
        },
    )
    .await
}

pub(super) async fn members(
    State(shared): State<Shared>,
    uri: Uri,
    Path(id): Path<String>,
    headers: HeaderMap,
    Parameters(parameters): Asked,
) -> Response {
    list(
        &shared,
        &uri,
        &headers,
        &parameters,
        What::Members,
        |world, query| {
            let members = world.members(&id)?;
            let page = members.iter().skip(query.start).take(query.top);
            let rows: Vec<Map<String, Value>> = page
                .filter_map(|&user| {
                    let id = world.made_up.id(Kind::User, user);
                    let row = json!({"@odata.type": "#microsoft.graph.user", "id": id});
                    row.as_object().cloned()
                })
                .collect();
            let next = query.start + rows.len();
            Some((rows, (next < members.len()).then_some(next)))
        },
    )
    .await
}

/// Rows of a page and where the next one begins.
type Rows = (Vec<Map<String, Value>>, Option<usize>);

/// Answers a list, with the fault that is due.
async fn list(
    shared: &Shared,
    uri: &Uri,
    headers: &HeaderMap,
    parameters: &HashMap<String, String>,
    what: What,
    rows: impl FnOnce(&World, &Query) -> Option<Rows>,
) -> Response {
    let query = match Query::read(parameters) {
        Ok(query) => query,
        Err(message) => return error(StatusCode::BAD_REQUEST, "BadRequest", &message),
    };
    let fault = match admit(shared, uri, headers, what, query.page).await {
        Ok(fault) => fault,
        Err(response) => return response,
    };
    let world = shared.world();
    let Some((mut rows, next)) = rows(&world, &query) else {
        return not_found();
    };
    for row in &mut rows {
        query.select(row);
    }
    let host = world.base.trim_end_matches("/v1.0");
    let mut body = json!({"@odata.context": format!("{}/$metadata", world.base), "value": rows});
    if let Some(next) = next {
        let next = format!("{host}{}?{}", uri.path(), query.next(next));
        body["@odata.nextLink"] = next.into();
    }
    match fault {
        Some(fault) => fault.spoil(body, &format!("{host}{uri}")),
        None => Json(body).into_response(),
    }
}

async fn one(
    shared: &Shared,
    uri: &Uri,
    headers: &HeaderMap,
    parameters: &HashMap<String, String>,
    id: &str,
) -> Response {
    let query = match Query::read(parameters) {
        Ok(query) => query,
        Err(message) => return error(StatusCode::BAD_REQUEST, "BadRequest", &message),
    };
    let fault = match admit(shared, uri, headers, What::Device, 1).await {
        Ok(fault) => fault,
        Err(response) => return response,
    };
    let world = shared.world();
    let number = world.made_up.number(Kind::Device, id);
    let Some(mut device) = number.and_then(|number| world.device(number)) else {
        return not_found();
    };
    query.select(&mut device);
    let host = world.base.trim_end_matches("/v1.0");
    match fault {
        Some(fault) => fault.spoil(device.into(), &format!("{host}{uri}")),
        None => Json(device).into_response(),
    }
}

/// Lets a request in, or answers it: with a fault, or because of its token.
async fn admit(
    shared: &Shared,
    uri: &Uri,
    headers: &HeaderMap,
    what: What,
    page: usize,
) -> Result<Option<fault::Fault>, Response> {
    let (fault, admitted) = {
        let mut world = shared.world();
        let admitted = world.tokens.admit(headers);
        world.note(uri.path(), uri.query().unwrap_or(""), admitted);
        (fault::take(&mut world.faults, what, page), admitted)
    };
    if let Some(fault) = &fault
        && let Some(response) = fault.instead().await
    {
        return Err(response);
    }
    if admitted {
        Ok(fault)
    } else {
        let message = "Lifetime validation failed, the token is expired.";
        Err(error(
            StatusCode::UNAUTHORIZED,
            "InvalidAuthenticationToken",
            message,
        ))
    }
}

fn not_found() -> Response {
    error(StatusCode::NOT_FOUND, "ResourceNotFound", "No such object.")
}

fn error(status: StatusCode, code: &str, message: &str) -> Response {
    (
        status,
        Json(json!({"error": {"code": code, "message": message}})),
    )
        .into_response()
}
