//! OData as far as the gateway uses it: `$select`, `$top`, `$filter`, `$skiptoken`.

use std::collections::HashMap;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use percent_encoding::NON_ALPHANUMERIC;
use percent_encoding::utf8_percent_encode;
use portreeve::model::Timestamp;
use serde_json::Map;
use serde_json::Value;

/// A query as understood.
#[derive(Debug)]
pub(super) struct Query {
    select: Vec<String>,
    pub(super) top: usize,
    pub(super) filters: Vec<Filter>,
    /// Where the page begins.
    pub(super) start: usize,
    /// Which page it is, from 1.
    pub(super) page: usize,
    /// The query without its skip token, for the next link.
    rest: String,
}

/// One condition.
#[derive(Debug)]
pub(super) enum Filter {
    /// `lastSyncDateTime ge …`
    CheckedInSince(Timestamp),
    /// `name eq 'text'`
    Equals(String, String),
}

impl Query {
    /// Reads the parameters; the error is for the one who asked.
    pub(super) fn read(parameters: &HashMap<String, String>) -> Result<Self, String> {
        let mut query = Self {
            select: Vec::new(),
            top: PAGE,
            filters: Vec::new(),
            start: 0,
            page: 1,
            rest: String::new(),
        };
        for (name, value) in parameters {
            match name.as_str() {
                "$select" => query.select = value.split(',').map(str::to_owned).collect(),
                "$top" => {
                    let top = value.parse().map_err(|_| "bad $top".to_owned())?;
                    query.top = PAGE.min(top);
                }
                "$filter" => {
                    let parts = value.split(" and ");
                    query.filters = parts.map(filter).collect::<Result<_, _>>()?;
                }
                "$skiptoken" => {
                    (query.page, query.start) = open(value).ok_or("bad $skiptoken")?;
                    continue;
                }
                _ => return Err(format!("unknown parameter {name}")),
            }
            let value = utf8_percent_encode(value, NON_ALPHANUMERIC);
            query.rest.push_str(&format!("{name}={value}&"));
        }
        Ok(query)
    }

    /// The query of the next page, which begins at `start`.
    pub(super) fn next(&self, start: usize) -> String {
        let token = BASE64_URL_SAFE_NO_PAD.encode(format!("{} {start}", self.page + 1));
        format!("{}$skiptoken={token}", self.rest)
    }

    /// Leaves the selected properties.
    pub(super) fn select(&self, row: &mut Map<String, Value>) {
        if !self.select.is_empty() {
            row.retain(|name, _| {
                name.starts_with('@') || self.select.iter().any(|selected| selected == name)
            });
        }
    }
}

fn open(token: &str) -> Option<(usize, usize)> {
    let octets = BASE64_URL_SAFE_NO_PAD.decode(token).ok()?;
    let text = String::from_utf8(octets).ok()?;
    let (page, start) = text.split_once(' ')?;
    Some((page.parse().ok()?, start.parse().ok()?))
}

fn filter(text: &str) -> Result<Filter, String> {
    let unsupported = || format!("unsupported filter: {text}");
    if let Some(since) = text.strip_prefix("lastSyncDateTime ge ") {
        let since = Timestamp::parse_rfc3339(since).ok_or_else(unsupported)?;
        return Ok(Filter::CheckedInSince(since));
    }
    let (name, value) = text.split_once(" eq ").ok_or_else(unsupported)?;
    let quoted = value.strip_prefix('\'').and_then(|v| v.strip_suffix('\''));
    let value = quoted.ok_or_else(unsupported)?.replace("''", "'");
    match name {
        "complianceState" | "displayName" => Ok(Filter::Equals(name.to_owned(), value)),
        // The service does not filter by MAC address, and neither does this.
        _ => Err(unsupported()),
    }
}

/// The service's largest page.
const PAGE: usize = 1000;
