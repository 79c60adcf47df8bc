//! What a client is asked to sign in with.

use http::HeaderMap;
use http::HeaderValue;
use http::header;

use super::config::Config;

/// The challenges of a 401, the same in each.
#[derive(Clone, Debug)]
pub(super) struct Challenges {
    bearer: Option<HeaderValue>,
    basic: HeaderValue,
}

impl Challenges {
    pub(super) fn new(config: &Config) -> Self {
        let realm: String = config
            .realm
            .chars()
            .filter(|c| matches!(c, ' '..='~') && !matches!(c, '"' | '\\'))
            .collect();
        // A quoted string of printable ASCII is always a header value.
        let basic = HeaderValue::from_str(&format!("Basic realm=\"{realm}\", charset=\"UTF-8\""))
            .unwrap_or_else(|_| HeaderValue::from_static("Basic realm=\"Mail\""));
        let bearer = config
            .bearer
            .as_ref()
            .map(|bearer| bearer.challenge.clone());
        Self { bearer, basic }
    }

    /// Puts them on an answer, in place of what stands there.
    pub(super) fn set(&self, headers: &mut HeaderMap) {
        headers.remove(header::WWW_AUTHENTICATE);
        for challenge in self.bearer.iter().chain([&self.basic]) {
            headers.append(header::WWW_AUTHENTICATE, challenge.clone());
        }
    }
}
