//! The HTTP client of all cloud sources.
//!
//! It asks only [`Link`]s, which their configured base has let through, follows no redirects, and
//! sends a token nowhere else. Every request has a deadline from connect to the last octet, and
//! every answer a bound. Answers are zeroed when dropped, for some of them are tokens.

use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;
use http::HeaderValue;
use http::Method;
use http::Request;
use http::StatusCode;
use http::header;
use http_body_util::BodyExt;
use http_body_util::Full;
use http_body_util::LengthLimitError;
use http_body_util::Limited;
use hyper_rustls::HttpsConnector;
use hyper_rustls::HttpsConnectorBuilder;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use hyper_util::rt::TokioTimer;
use rustls::ClientConfig;
use rustls::RootCertStore;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc2822;
use zeroize::Zeroizing;

use crate::model::Secret;
use crate::model::Timestamp;
use crate::model::causes;
use crate::sync::link::Link;

/// One connection pool with one set of trusted roots.
#[derive(Debug)]
pub(super) struct Http {
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    deadline: Duration,
}

/// A whole answer.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    /// The wait that the server asks for.
    pub(super) retry_after: Option<Duration>,
    /// The server's clock.
    pub(super) date: Option<Timestamp>,
    pub(super) body: Zeroizing<Vec<u8>>,
}

impl Http {
    /// A client that trusts the roots of the system, or those in `ca_file` (PEM) and no others.
    pub(super) fn new(ca_file: Option<&Path>, deadline: Duration) -> Result<Self, TrustError> {
        let roots = roots(ca_file)?;
        let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(TrustError::Tls)?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_connect_timeout(Some(CONNECT_DEADLINE));
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(config)
            // Clear text only ever goes to loopback: `Base` refuses the rest.
            .https_or_http()
            .enable_http1()
            .wrap_connector(tcp);
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE)
            .pool_max_idle_per_host(1)
            .build(connector);
        Ok(Self { client, deadline })
    }

    /// Gets `link` with a bearer token.
    pub(super) async fn get(&self, link: &Link, bearer: &Secret) -> Result<Answer, HttpError> {
        let value = Zeroizing::new([b"Bearer ", bearer.expose()].concat());
        let mut value = HeaderValue::from_bytes(&value).map_err(|_| HttpError::Token)?;
        value.set_sensitive(true);
        let request = Request::get(link.uri())
            .header(header::AUTHORIZATION, value)
            .header(header::ACCEPT, "application/json");
        self.send(request, Full::default()).await
    }

    /// Posts a form.
    pub(super) async fn post_form(
        &self,
        link: &Link,
        form: Zeroizing<String>,
    ) -> Result<Answer, HttpError> {
        let request = Request::builder()
            .method(Method::POST)
            .uri(link.uri())
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header(header::ACCEPT, "application/json");
        let body = Bytes::from_owner(ZeroedOnDrop(form));
        self.send(request, Full::new(body)).await
    }

    async fn send(
        &self,
        request: http::request::Builder,
        body: Full<Bytes>,
    ) -> Result<Answer, HttpError> {
        let request = request
            .header(header::USER_AGENT, USER_AGENT)
            .body(body)
            .map_err(|error| HttpError::Broken(causes(&error)))?;
        let whole = async {
            let response = self.client.request(request).await.map_err(|error| {
                if error.is_connect() {
                    HttpError::Connect(causes(&error))
                } else {
                    HttpError::Broken(causes(&error))
                }
            })?;
            let (head, body) = response.into_parts();
            let date = head.headers.get(header::DATE).and_then(date);
            let mut octets = Zeroizing::new(Vec::new());
            let mut body = Limited::new(body, MAX_BODY);
            while let Some(frame) = body.frame().await {
                let frame = frame.map_err(|error| {
                    if error.is::<LengthLimitError>() {
                        HttpError::TooLarge
                    } else {
                        HttpError::Broken(causes(&*error))
                    }
                })?;
                if let Some(data) = frame.data_ref() {
                    octets.extend_from_slice(data);
                }
            }
            Ok(Answer {
                status: head.status,
                retry_after: retry_after(&head.headers, date),
                date,
                body: octets,
            })
        };
        tokio::time::timeout(self.deadline, whole)
            .await
            .unwrap_or(Err(HttpError::Deadline(self.deadline)))
    }
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum HttpError {
    /// No name, no route, nobody listening, or a certificate that is not trusted.
    #[error("cannot connect: {0}")]
    Connect(String),
    /// The connection or the answer broke.
    #[error("the connection broke: {0}")]
    Broken(String),
    /// Not done in time.
    #[error("no whole answer within {} s", .0.as_secs())]
    Deadline(Duration),
    /// A larger answer than any page.
    #[error("the answer is larger than {} MiB", MAX_BODY >> 20)]
    TooLarge,
    /// The token cannot stand in a header.
    #[error("the access token holds characters that no header may carry")]
    Token,
}

/// Why a client cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    /// The file of trusted roots cannot be read.
    #[error("cannot read the certificates in {}", path.display())]
    File {
        /// As configured.
        path: PathBuf,
        /// Why.
        #[source]
        source: rustls::pki_types::pem::Error,
    },
    /// No root at all is trusted, so no server could be.
    #[error("{} holds no certificate that can be a root", path.display())]
    NoRoots {
        /// As configured.
        path: PathBuf,
    },
    /// The system has no list of roots; `ca_file` can name one.
    #[error("the system has no trusted roots (package ca-certificates), and no `ca_file` is set")]
    NoSystemRoots,
    /// The TLS library refuses its own defaults.
    #[error("no TLS configuration")]
    Tls(#[source] rustls::Error),
}

fn roots(ca_file: Option<&Path>) -> Result<RootCertStore, TrustError> {
    let mut roots = RootCertStore::empty();
    if let Some(path) = ca_file {
        let failed = |source| TrustError::File {
            path: path.to_owned(),
            source,
        };
        let certificates: Vec<CertificateDer<'static>> = CertificateDer::pem_file_iter(path)
            .map_err(failed)?
            .collect::<Result<_, _>>()
            .map_err(failed)?;
        roots.add_parsable_certificates(certificates);
    } else {
        // Single unreadable files of the system's store are common and do not matter.
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    }
    if roots.is_empty() {
        return Err(
            ca_file.map_or(TrustError::NoSystemRoots, |path| TrustError::NoRoots {
                path: path.to_owned(),
            }),
        );
    }
    Ok(roots)
}

/// Retry-After as seconds or as a date (RFC 9110 section 10.2.3). A date is measured against the
/// server's own clock, so that a skewed clock here does not stretch it.
fn retry_after(headers: &HeaderMap, server: Option<Timestamp>) -> Option<Duration> {
    let value = headers.get(header::RETRY_AFTER)?;
    let text = value.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    Some(date(value)?.since(server?))
}

fn date(value: &HeaderValue) -> Option<Timestamp> {
    let at = OffsetDateTime::parse(value.to_str().ok()?, &Rfc2822).ok()?;
    Some(Timestamp::from_unix_seconds(at.unix_timestamp()))
}

/// A request body that leaves nothing behind.
struct ZeroedOnDrop(Zeroizing<String>);

impl AsRef<[u8]> for ZeroedOnDrop {
    fn as_ref(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

/// A page of 999 devices takes 1 to 2 MiB; a larger answer than this is cut off and fails.
const MAX_BODY: usize = 16 << 20;

/// Longer than any working route needs; the rest of the deadline is left for the answer.
const CONNECT_DEADLINE: Duration = Duration::from_secs(10);

/// Quick runs come every minute; one connection is kept for them.
const IDLE: Duration = Duration::from_secs(90);

const USER_AGENT: &str = concat!("portreeve/", env!("CARGO_PKG_VERSION"));

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(rows: &[(header::HeaderName, &'static str)]) -> HeaderMap {
        rows.iter()
            .map(|(name, value)| (name.clone(), HeaderValue::from_static(value)))
            .collect()
    }

    #[test]
    fn retry_after_is_seconds_or_a_date_on_the_servers_clock_r59() {
        for (value, expected) in [
            ("120", Some(120)),
            (" 0 ", Some(0)),
            ("Sat, 21 Nov 2026 09:32:00 GMT", Some(120)),
            ("Sat, 21 Nov 2026 09:29:00 GMT", Some(0)),
            ("-5", None),
            ("soon", None),
            ("", None),
        ] {
            let headers = headers(&[(header::RETRY_AFTER, value)]);
            let server = Timestamp::parse_rfc3339("2026-11-21T09:30:00Z");
            let wait = retry_after(&headers, server);
            assert_eq!(wait, expected.map(Duration::from_secs), "row {value}");
        }
        assert_eq!(retry_after(&HeaderMap::new(), None), None);
    }

    #[test]
    fn a_file_without_certificates_is_no_trust() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let error = Http::new(Some(file.path()), Duration::from_secs(1)).unwrap_err();
        assert!(matches!(error, TrustError::NoRoots { .. }), "{error}");
        let missing = Path::new("/nonexistent/ca.pem");
        let error = Http::new(Some(missing), Duration::from_secs(1)).unwrap_err();
        assert!(matches!(error, TrustError::File { .. }), "{error}");
    }
}
