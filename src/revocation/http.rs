//! The HTTP client of lists and responders: no redirects, no cookies, every answer bounded in size and
//! time.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
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

use crate::model::causes;

/// The client. A server of `https` is verified against the roots of the system.
pub(super) struct Http {
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
}

/// A whole answer.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) etag: Option<String>,
    pub(super) last_modified: Option<String>,
    pub(super) body: Vec<u8>,
}

/// How much and how long.
#[derive(Clone, Copy)]
pub(super) struct Limits {
    pub(super) octets: usize,
    pub(super) deadline: Duration,
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum HttpError {
    #[error("the address is none: {0}")]
    Address(String),
    #[error("cannot connect: {0}")]
    Connect(String),
    #[error("the connection broke: {0}")]
    Broken(String),
    #[error("no whole answer within {} ms", .0.as_millis())]
    Deadline(Duration),
    #[error("the answer is larger than {0} octets")]
    TooLarge(usize),
}

impl Http {
    pub(super) fn new() -> Self {
        let mut roots = RootCertStore::empty();
        // A system without roots reaches what is served by http alone.
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("the provider has suites for the default versions")
            .with_root_certificates(roots)
            .with_no_client_auth();
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(config)
            .https_or_http()
            .enable_http1()
            .wrap_connector(tcp);
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE)
            .pool_max_idle_per_host(MAX_IDLE)
            .build(connector);
        Self { client }
    }

    /// Gets a document, unless it is the one with these marks of an earlier answer.
    pub(super) async fn get(
        &self,
        address: &str,
        etag: Option<&str>,
        last_modified: Option<&str>,
        limits: Limits,
    ) -> Result<Answer, HttpError> {
        let mut request = Request::get(address).header(header::USER_AGENT, USER_AGENT);
        if let Some(etag) = etag {
            request = request.header(header::IF_NONE_MATCH, etag);
        }
        if let Some(at) = last_modified {
            request = request.header(header::IF_MODIFIED_SINCE, at);
        }
        self.send(request.body(Full::default()), limits).await
    }

    /// Asks a responder (RFC 6960 appendix A.1).
    pub(super) async fn ask(
        &self,
        address: &str,
        question: Vec<u8>,
        limits: Limits,
    ) -> Result<Answer, HttpError> {
        let request = Request::post(address)
            .header(header::USER_AGENT, USER_AGENT)
            .header(header::CONTENT_TYPE, "application/ocsp-request")
            .body(Full::new(Bytes::from(question)));
        self.send(request, limits).await
    }

    async fn send(
        &self,
        request: Result<Request<Full<Bytes>>, http::Error>,
        limits: Limits,
    ) -> Result<Answer, HttpError> {
        let request = request.map_err(|error| HttpError::Address(causes(&error)))?;
        let whole = async {
            let response = self.client.request(request).await.map_err(|error| {
                if error.is_connect() {
                    HttpError::Connect(causes(&error))
                } else {
                    HttpError::Broken(causes(&error))
                }
            })?;
            let (head, body) = response.into_parts();
            let text = |name| {
                let value: &http::HeaderValue = head.headers.get(name)?;
                value.to_str().ok().map(str::to_owned)
            };
            let body = Limited::new(body, limits.octets).collect().await;
            let body = body.map_err(|error| {
                if error.is::<LengthLimitError>() {
                    HttpError::TooLarge(limits.octets)
                } else {
                    HttpError::Broken(causes(&*error))
                }
            })?;
            Ok(Answer {
                status: head.status,
                etag: text(header::ETAG),
                last_modified: text(header::LAST_MODIFIED),
                body: body.to_bytes().to_vec(),
            })
        };
        tokio::time::timeout(limits.deadline, whole)
            .await
            .unwrap_or(Err(HttpError::Deadline(limits.deadline)))
    }
}

/// Idle connections to one server, for the questions of a busy minute.
const MAX_IDLE: usize = 4;

/// How long they are kept.
const IDLE: Duration = Duration::from_secs(30);

const USER_AGENT: &str = concat!("portreeve/", env!("CARGO_PKG_VERSION"));
