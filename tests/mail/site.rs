//! A front and a mail server on loopback.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::Mutex;
use std::task::Context;
use std::task::Poll;
use std::time::Duration;

use arc_swap::ArcSwap;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::HeaderMap;
use http_body_util::BodyExt;
use http_body_util::Full;
use hyper::Request;
use hyper::Response;
use hyper::StatusCode;
use hyper::body::Body;
use hyper::body::Bytes;
use hyper::body::Frame;
use hyper::body::Incoming;
use hyper::body::SizeHint;
use hyper::client::conn::http1;
use hyper::client::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::TokioExecutor;
use hyper_util::rt::TokioIo;
use portreeve::mail::Config;
use portreeve::mail::Event;
use portreeve::mail::UpstreamId;
use portreeve::mail::WipeNews;
use portreeve::net::Clock;
use portreeve::net::eas;
use portreeve::net::eas::Front;
use portreeve::net::eas::Limits;
use portreeve::net::tls;
use portreeve::net::upstream::Settings;
use portreeve::net::upstream::Timing;
use portreeve::net::upstream::Upstream;
use rcgen::BasicConstraints;
use rcgen::CertificateParams;
use rcgen::CertifiedIssuer;
use rcgen::DnType;
use rcgen::ExtendedKeyUsagePurpose;
use rcgen::IsCa;
use rcgen::KeyPair;
use rcgen::SanType;
use rustls::ClientConfig;
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::ServerName;
use rustls::pki_types::pem::PemObject;
use tokio::io::AsyncReadExt;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::world::HOST;
use crate::world::World;
use crate::world::offer;

/// An authority that issues whatever a test needs.
pub(crate) struct Pki {
    root: CertifiedIssuer<'static, KeyPair>,
}

/// A certificate and its key, as PEM.
pub(crate) struct Pem {
    pub(crate) chain: String,
    pub(crate) key: String,
}

impl Pki {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::default();
        params
            .distinguished_name
            .push(DnType::CommonName, "test root");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        Self {
            root: CertifiedIssuer::self_signed(params, key).unwrap(),
        }
    }

    pub(crate) fn root(&self) -> String {
        self.root.pem()
    }

    fn issue(&self, usage: ExtendedKeyUsagePurpose, names: Vec<SanType>) -> Pem {
        let mut params = CertificateParams::default();
        params.extended_key_usages = vec![usage];
        params.subject_alt_names = names;
        let key = KeyPair::generate().unwrap();
        let signed = params.signed_by(&key, &self.root).unwrap();
        Pem {
            chain: signed.pem(),
            key: key.serialize_pem(),
        }
    }

    pub(crate) fn server(&self, name: &str) -> Pem {
        let name = match name.parse() {
            Ok(address) => SanType::IpAddress(address),
            Err(_) => SanType::DnsName(name.try_into().unwrap()),
        };
        self.issue(ExtendedKeyUsagePurpose::ServerAuth, vec![name])
    }

    /// A device's certificate.
    pub(crate) fn device(&self, device: &str) -> Pem {
        let uri = format!("IntuneDeviceId://{device}");
        let names = vec![SanType::URI(uri.try_into().unwrap())];
        self.issue(ExtendedKeyUsagePurpose::ClientAuth, names)
    }

    /// A device's certificate that names its user, too.
    pub(crate) fn device_of(&self, user: &str, device: &str) -> Pem {
        let uri = format!("IntuneDeviceId://{device}");
        let names = vec![
            SanType::URI(uri.try_into().unwrap()),
            SanType::Rfc822Name(user.try_into().unwrap()),
        ];
        self.issue(ExtendedKeyUsagePurpose::ClientAuth, names)
    }

    pub(crate) fn client(&self, alpn: &[u8], certificate: Option<&Pem>) -> Arc<ClientConfig> {
        let mut roots = RootCertStore::empty();
        roots
            .add(CertificateDer::from_pem_slice(self.root().as_bytes()).unwrap())
            .unwrap();
        let provider = rustls::crypto::aws_lc_rs::default_provider();
        let builder = ClientConfig::builder_with_provider(Arc::new(provider))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots);
        let mut config = match certificate {
            None => builder.with_no_client_auth(),
            Some(pem) => {
                let chain = CertificateDer::pem_slice_iter(pem.chain.as_bytes());
                let chain: Vec<_> = chain.map(Result::unwrap).collect();
                let key = PrivateKeyDer::from_pem_slice(pem.key.as_bytes()).unwrap();
                builder.with_client_auth_cert(chain, key).unwrap()
            }
        };
        config.alpn_protocols = vec![alpn.to_vec()];
        Arc::new(config)
    }
}

/// What the mail server has seen of a POST.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) target: String,
    pub(crate) headers: HeaderMap,
}

/// A small mail server: it knows the password `right`, and does what `ItemId` says.
#[derive(Default)]
pub(crate) struct Origin {
    seen: Mutex<VecDeque<Seen>>,
    arrived: Notify,
    release: Notify,
}

impl Origin {
    /// Waits for the next POST.
    pub(crate) async fn next(&self) -> Seen {
        loop {
            let arrived = self.arrived.notified();
            if let Some(seen) = self.seen.lock().unwrap().pop_front() {
                return seen;
            }
            arrived.await;
        }
    }

    /// How many POSTs have come and were not looked at.
    pub(crate) fn waiting(&self) -> usize {
        self.seen.lock().unwrap().len()
    }

    /// Lets one held answer go.
    pub(crate) fn release(&self) {
        self.release.notify_one();
    }

    async fn serve(self: Arc<Self>, listener: TcpListener, tls: Option<TlsAcceptor>) {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let origin = Arc::clone(&self);
            match tls.clone() {
                None => drop(tokio::spawn(origin.connection(TokioIo::new(stream)))),
                Some(tls) => drop(tokio::spawn(async move {
                    let stream = tls.accept(stream).await.unwrap();
                    origin.connection(TokioIo::new(stream)).await;
                })),
            }
        }
    }

    async fn connection<I>(self: Arc<Self>, stream: I)
    where
        I: hyper::rt::Read + hyper::rt::Write + Unpin,
    {
        let service = service_fn(|request| {
            let origin = Arc::clone(&self);
            async move { Ok::<_, Infallible>(origin.answer(request).await) }
        });
        let builder = hyper::server::conn::http1::Builder::new();
        // The gateway closes its idle connections when it likes.
        drop(builder.serve_connection(stream, service).await);
    }

    async fn answer(&self, request: Request<Incoming>) -> Response<Reply> {
        let authorization = request.headers().get("authorization");
        let right = authorization.is_some_and(|value| {
            let token = value.to_str().unwrap().strip_prefix("Basic ").unwrap();
            STANDARD.decode(token).unwrap().ends_with(b":right")
        });
        if !right {
            let mut response = Response::new(text(""));
            *response.status_mut() = StatusCode::UNAUTHORIZED;
            response
                .headers_mut()
                .insert("www-authenticate", "Negotiate".parse().unwrap());
            return response;
        }
        if request.method() == "OPTIONS" {
            let mut response = Response::new(text(""));
            *response.headers_mut() = offer();
            return response;
        }
        let seen = Seen {
            target: request.uri().to_string(),
            headers: request.headers().clone(),
        };
        self.seen.lock().unwrap().push_back(seen);
        self.arrived.notify_one();
        self.act(request).await
    }

    async fn act(&self, request: Request<Incoming>) -> Response<Reply> {
        let query = request.uri().query().unwrap_or_default().to_owned();
        let act = query.split("ItemId=").nth(1).unwrap_or("length");
        match act {
            "echo" => Response::new(Reply::Echo(request.into_body())),
            "hold" => {
                self.release.notified().await;
                Response::new(text("released"))
            }
            "trickle" => Response::new(Reply::Trickle(Some(Bytes::from_static(b"first")))),
            "hop" => {
                let mut response = Response::new(text("x"));
                for (name, value) in [
                    ("connection", "x-internal"),
                    ("x-internal", "1"),
                    ("keep-alive", "timeout=5"),
                    ("set-cookie", "a=1"),
                    ("alt-svc", "h3=\":443\""),
                ] {
                    response.headers_mut().insert(name, value.parse().unwrap());
                }
                response
            }
            _ => {
                let body = request.into_body().collect().await;
                let length = body.map_or(0, |body| body.to_bytes().len());
                Response::new(text(&format!("{length} octets")))
            }
        }
    }
}

/// The body of an answer of the mail server.
enum Reply {
    Text(Full<Bytes>),
    Echo(Incoming),
    /// One frame, and then nothing for ever.
    Trickle(Option<Bytes>),
}

fn text(text: &str) -> Reply {
    Reply::Text(Full::new(Bytes::from(text.to_owned())))
}

impl Body for Reply {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        match self.get_mut() {
            Self::Text(text) => Pin::new(text)
                .poll_frame(context)
                .map_err(|never| match never {}),
            Self::Echo(body) => Pin::new(body).poll_frame(context),
            Self::Trickle(first) => match first.take() {
                Some(first) => Poll::Ready(Some(Ok(Frame::data(first)))),
                None => Poll::Pending,
            },
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Text(text) => text.size_hint(),
            Self::Echo(body) => body.size_hint(),
            Self::Trickle(_) => SizeHint::default(),
        }
    }
}

/// What differs between sites.
pub(crate) struct Plan {
    pub(crate) limits: Limits,
    pub(crate) timing: Timing,
    /// How long an idle connection to the mail server is kept.
    pub(crate) idle: Duration,
    pub(crate) client_certificates: bool,
    /// Whether orders to wipe are kept from devices.
    pub(crate) strip_wipe: bool,
    /// Another address than that of the mail server that is started.
    pub(crate) upstream: Option<String>,
    /// Whether the mail server that is started speaks TLS, under the name `localhost`.
    pub(crate) upstream_tls: bool,
    /// Who is asked for the mail server's name.
    pub(crate) name_servers: Vec<SocketAddr>,
    /// Load balancers before the front.
    pub(crate) balancers: Vec<ipnet::IpNet>,
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            limits: Limits {
                drain: Duration::from_secs(5),
                ..Limits::default()
            },
            timing: Timing::default(),
            idle: Duration::from_secs(4),
            client_certificates: false,
            strip_wipe: false,
            upstream: None,
            upstream_tls: false,
            name_servers: Vec::new(),
            balancers: Vec::new(),
        }
    }
}

/// A front before a mail server.
pub(crate) struct Site {
    pub(crate) world: World,
    pub(crate) front: Arc<Front>,
    pub(crate) origin: Arc<Origin>,
    pub(crate) pki: Pki,
    pub(crate) address: SocketAddr,
    pub(crate) stop: watch::Sender<bool>,
    pub(crate) served: JoinHandle<io::Result<()>>,
    pub(crate) events: Arc<Mutex<Vec<Event>>>,
    /// What was written down of wipes.
    pub(crate) wipes: Arc<Mutex<Vec<WipeNews>>>,
}

impl Site {
    pub(crate) async fn start() -> Self {
        Self::with(Plan::default()).await
    }

    pub(crate) async fn with(plan: Plan) -> Self {
        let clock = Clock::start();
        let world = World::at(clock.now().wall);
        let pki = Pki::new();
        let origin = Arc::new(Origin::default());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut own = format!("http://{}", listener.local_addr().unwrap());
        let acceptor = plan.upstream_tls.then(|| {
            own = format!(
                "https://localhost:{}",
                listener.local_addr().unwrap().port()
            );
            let pem = pki.server("localhost");
            let config = tls::server(tls::ServerPem {
                chain: pem.chain.as_bytes(),
                key: pem.key.as_bytes(),
                client_roots: None,
                upkeep: None,
            });
            TlsAcceptor::from(Arc::new(config.unwrap()))
        });
        tokio::spawn(Arc::clone(&origin).serve(listener, acceptor));
        let upstream = plan.upstream.unwrap_or(own);
        let upstream: portreeve::mail::Origin = upstream.parse().unwrap();
        let mut config = Config::new(vec![HOST.to_owned()], upstream.clone());
        config.strip_wipe = plan.strip_wipe;
        let pem = pki.server(HOST);
        let root = pki.root();
        let server = tls::server(tls::ServerPem {
            chain: pem.chain.as_bytes(),
            key: pem.key.as_bytes(),
            client_roots: plan.client_certificates.then_some(root.as_bytes()),
            upkeep: None,
        });
        let towards = tls::client(tls::Roots::Pem(root.as_bytes())).unwrap();
        let mut settings = Settings::single(UpstreamId::DEFAULT, upstream, Arc::new(towards));
        settings.idle = plan.idle;
        let events = Arc::new(Mutex::new(Vec::new()));
        let sink = Arc::clone(&events);
        let wipes = Arc::new(Mutex::new(Vec::new()));
        let written = Arc::clone(&wipes);
        let front = Arc::new(Front {
            gateway: world.gateway_with(config),
            upstream: Upstream::new(vec![settings], plan.timing)
                .with_name_servers(plan.name_servers),
            tls: ArcSwap::from_pointee(server.unwrap()),
            clock,
            events: Box::new(move |event| sink.lock().unwrap().push(event)),
            wipes: Box::new(move |news| {
                written.lock().unwrap().push(news.clone());
                true
            }),
            balancers: plan.balancers,
            limits: plan.limits,
            counters: Arc::new(eas::Counters::default()),
        });
        let listener = eas::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = watch::channel(false);
        let served = tokio::spawn(eas::serve(listener, Arc::clone(&front), stopped));
        Self {
            world,
            front,
            origin,
            pki,
            address,
            stop,
            served,
            events,
            wipes,
        }
    }

    /// A TLS connection to the front.
    pub(crate) async fn tls(&self, alpn: &[u8], certificate: Option<&Pem>) -> TlsStream<TcpStream> {
        self.named(HOST, alpn, certificate).await.unwrap()
    }

    /// The same, asking for a name.
    pub(crate) async fn named(
        &self,
        name: &'static str,
        alpn: &[u8],
        certificate: Option<&Pem>,
    ) -> io::Result<TlsStream<TcpStream>> {
        let stream = TcpStream::connect(self.address).await?;
        let connector = TlsConnector::from(self.pki.client(alpn, certificate));
        connector
            .connect(ServerName::try_from(name).unwrap(), stream)
            .await
    }

    /// A connection for HTTP/1.1.
    pub(crate) async fn http1<B>(&self) -> http1::SendRequest<B>
    where
        B: Body<Data = Bytes> + Send + Unpin + 'static,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let stream = TokioIo::new(self.tls(b"http/1.1", None).await);
        let (sender, connection) = http1::handshake(stream).await.unwrap();
        tokio::spawn(connection);
        sender
    }

    /// A connection for HTTP/2.
    pub(crate) async fn http2(&self) -> http2::SendRequest<Full<Bytes>> {
        let stream = TokioIo::new(self.tls(b"h2", None).await);
        let (sender, connection) = http2::handshake(TokioExecutor::new(), stream)
            .await
            .unwrap();
        tokio::spawn(connection);
        sender
    }

    /// Sends octets, and reads until the front closes the connection or has sent `until`.
    pub(crate) async fn raw(&self, octets: &str, until: &str) -> String {
        let mut stream = self.tls(b"http/1.1", None).await;
        stream.write_all(octets.as_bytes()).await.unwrap();
        let mut received = Vec::new();
        let mut buffer = [0; 4096];
        loop {
            let text = String::from_utf8_lossy(&received).into_owned();
            if !until.is_empty() && text.contains(until) {
                return text;
            }
            // A close without a closing alert is a close.
            match stream.read(&mut buffer).await {
                Ok(0) | Err(_) => return text,
                Ok(count) => received.extend(&buffer[..count]),
            }
        }
    }

    /// Stops the front and waits for its end.
    pub(crate) async fn drain(self) {
        self.stop.send(true).unwrap();
        self.served.await.unwrap().unwrap();
    }
}

/// Sends one request on a connection of its own.
pub(crate) async fn over_http1(
    stream: TlsStream<TcpStream>,
    mut request: Request<Full<Bytes>>,
) -> Response<Incoming> {
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let target = request.uri().path_and_query().unwrap().to_string();
    *request.uri_mut() = target.parse().unwrap();
    request.headers_mut().insert("host", HOST.parse().unwrap());
    sender.send_request(request).await.unwrap()
}

/// The same over HTTP/2.
pub(crate) async fn over_http2(
    stream: TlsStream<TcpStream>,
    request: Request<Full<Bytes>>,
) -> Response<Incoming> {
    let (mut sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
        .await
        .unwrap();
    tokio::spawn(connection);
    sender.send_request(request).await.unwrap()
}

/// A command of a device of alice, whose password is right; `act` is what the mail server does.
pub(crate) fn command<B>(device: &str, command: &str, act: &str, body: B) -> Request<B> {
    Request::post(target(device, command, act))
        .header("host", HOST)
        .header("ms-asprotocolversion", "14.1")
        .header("user-agent", "Test/1")
        .header("authorization", basic("right"))
        .body(body)
        .unwrap()
}

pub(crate) fn target(device: &str, command: &str, act: &str) -> String {
    format!(
        "/Microsoft-Server-ActiveSync?Cmd={command}&User=alice&DeviceId={device}\
         &DeviceType=phone&ItemId={act}"
    )
}

pub(crate) fn basic(password: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("alice:{password}")))
}
