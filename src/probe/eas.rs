//! An ActiveSync client that sends one request to a front and tells what came back.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http_body_util::BodyExt;
use http_body_util::Full;
use http_body_util::Limited;
use hyper::Request;
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::header;
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::eas::Command;
use crate::model::Secret;
use crate::model::causes;
use crate::model::tls_error;

/// One request, as a phone sends it.
#[derive(Debug)]
pub struct EasRequest {
    /// Where to connect.
    pub address: SocketAddr,
    /// The name in SNI and Host; the certificate must have it.
    pub host: String,
    /// Roots of the front's certificate.
    pub roots: Vec<CertificateDer<'static>>,
    /// Name and password, for Basic.
    pub user: String,
    /// See `user`.
    pub password: Secret,
    /// DeviceId.
    pub device: String,
    /// DeviceType.
    pub device_type: String,
    /// What to ask for.
    pub command: Command,
    /// Whether the query is in its base64 form.
    pub base64: bool,
}

/// What came back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EasAnswer {
    /// HTTP status.
    pub status: u16,
    /// Our reason header, where the gateway answered itself.
    pub reason: Option<String>,
    /// Octets of the body, up to a mebibyte.
    pub body: Vec<u8>,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum EasError {
    /// The network or TLS.
    #[error("{}", causes(.0))]
    Connection(#[from] io::Error),
    /// No answer in time.
    #[error("no answer within {0:?}")]
    Silence(Duration),
    /// HTTP.
    #[error("{}", causes(.0))]
    Http(#[from] hyper::Error),
    /// The request cannot be written.
    #[error("the request cannot be written: {0}")]
    Request(String),
    /// The body.
    #[error("the body cannot be read: {0}")]
    Body(String),
}

/// Sends it and waits for the whole answer, at most `patience`.
///
/// # Errors
///
/// [`EasError`]; a refusal by the gateway is an answer.
pub fn ask(request: &EasRequest, patience: Duration) -> Result<EasAnswer, EasError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let answer = tokio::time::timeout(patience, exchange(request)).await;
        answer.map_err(|_| EasError::Silence(patience))?
    })
}

async fn exchange(request: &EasRequest) -> Result<EasAnswer, EasError> {
    let stream = TcpStream::connect(request.address).await?;
    let name = ServerName::try_from(request.host.clone())
        .map_err(|_| EasError::Request(format!("{} is no host name", request.host)))?;
    let stream = TlsConnector::from(Arc::new(tls(request)?))
        .connect(name, stream)
        .await?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    // Ends with the sender; what it says is said to the sender as well.
    tokio::spawn(connection);
    let answer = sender.send_request(head(request)?).await?;
    let status = answer.status().as_u16();
    let reason = answer
        .headers()
        .get(REASON)
        .and_then(|value| value.to_str().ok());
    let reason = reason.map(str::to_owned);
    let body = Limited::new(answer.into_body(), MAX_BODY).collect().await;
    let body = body
        .map_err(|error| EasError::Body(error.to_string()))?
        .to_bytes()
        .to_vec();
    Ok(EasAnswer {
        status,
        reason,
        body,
    })
}

fn tls(request: &EasRequest) -> Result<ClientConfig, EasError> {
    let wrong = |error: rustls::Error| EasError::Request(tls_error(&error));
    let mut roots = RootCertStore::empty();
    for root in &request.roots {
        roots.add(root.clone()).map_err(wrong)?;
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(wrong)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(config)
}

fn head(request: &EasRequest) -> Result<Request<Full<Bytes>>, EasError> {
    let password = String::from_utf8_lossy(request.password.expose());
    let basic = STANDARD.encode(format!("{}:{password}", request.user));
    let query = if request.base64 {
        base64_query(request)?
    } else {
        plain_query(request)
    };
    let mut head = Request::post(format!("/Microsoft-Server-ActiveSync?{query}"))
        .header(header::HOST, &request.host)
        .header(header::USER_AGENT, "portreeve-probe/1.0")
        .header(header::AUTHORIZATION, format!("Basic {basic}"))
        .header(header::CONTENT_TYPE, "application/vnd.ms-sync.wbxml");
    if !request.base64 {
        head = head.header("MS-ASProtocolVersion", "14.1");
    }
    head.body(Full::new(Bytes::from_static(FOLDER_SYNC)))
        .map_err(|error| EasError::Request(error.to_string()))
}

fn plain_query(request: &EasRequest) -> String {
    let escape = |text: &str| {
        percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
    };
    format!(
        "Cmd={}&User={}&DeviceId={}&DeviceType={}",
        request.command.name(),
        escape(&request.user),
        escape(&request.device),
        escape(&request.device_type)
    )
}

/// MS-ASHTTP 2.2.1.1.1.1: version 14.1, command, locale, DeviceId, no policy key, DeviceType.
fn base64_query(request: &EasRequest) -> Result<String, EasError> {
    let length = |text: &str| {
        u8::try_from(text.len()).map_err(|_| EasError::Request(format!("{text} is too long")))
    };
    let mut octets = vec![141, request.command.code(), 0x09, 0x04];
    octets.push(length(&request.device)?);
    octets.extend_from_slice(request.device.as_bytes());
    octets.push(0);
    octets.push(length(&request.device_type)?);
    octets.extend_from_slice(request.device_type.as_bytes());
    Ok(STANDARD.encode(octets))
}

/// FolderSync with key 0 in WBXML (MS-ASCMD 2.2.1.3): a body that every server understands.
const FOLDER_SYNC: &[u8] = &[
    0x03, 0x01, 0x6a, 0x00, 0x00, 0x07, 0x56, 0x52, 0x03, 0x30, 0x00, 0x01, 0x01,
];

/// Where the gateway says why it refused.
const REASON: &str = "x-portreeve-reason";

/// Bodies are shown by their size; a larger one is not kept.
const MAX_BODY: usize = 1 << 20;
