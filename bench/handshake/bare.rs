//! Bare rustls: both ends of a handshake in memory, without EAP, RADIUS or sockets. It is the
//! floor of EAP-TLS, with the same certificates.

use std::io::Read;
use std::sync::Arc;
use std::time::Duration;

use nix::time::ClockId;
use portreeve::eap::TlsVersion;
use rcgen::BasicConstraints;
use rcgen::CertificateParams;
use rcgen::CertifiedIssuer;
use rcgen::ExtendedKeyUsagePurpose;
use rcgen::IsCa;
use rcgen::KeyPair;
use rcgen::KeyUsagePurpose;
use rcgen::SanType;
use rustls::ClientConfig;
use rustls::ClientConnection;
use rustls::ConnectionCommon;
use rustls::HandshakeKind;
use rustls::RootCertStore;
use rustls::ServerConfig;
use rustls::ServerConnection;
use rustls::SideData;
use rustls::SupportedProtocolVersion;
use rustls::client::Resumption;
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::pki_types::ServerName;
use rustls::server::WebPkiClientVerifier;
use rustls::version::TLS12;
use rustls::version::TLS13;

/// TLS without EAP.
pub(crate) struct Bare {
    server: Arc<ServerConfig>,
    client: Arc<ClientConfig>,
    resumes: bool,
    first: bool,
}

impl Bare {
    /// Both ends, of one version.
    pub(crate) fn new(pki: &Pki, version: TlsVersion, resumes: bool) -> Self {
        let versions: &[&SupportedProtocolVersion] = match version {
            TlsVersion::Tls12 => &[&TLS12],
            TlsVersion::Tls13 => &[&TLS13],
        };
        let provider = Arc::new(default_provider());
        let mut roots = RootCertStore::empty();
        roots.add(pki.root()).expect("a root of ours");
        let roots = Arc::new(roots);
        let verifier =
            WebPkiClientVerifier::builder_with_provider(Arc::clone(&roots), Arc::clone(&provider))
                .build()
                .expect("a verifier with one root");
        let (chain, key) = pki.server.parts();
        let mut server = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(versions)
            .expect("versions of rustls")
            .with_client_cert_verifier(verifier)
            .with_single_cert(chain, key)
            .expect("a certificate of ours");
        server.send_tls13_tickets = 1;
        let (chain, key) = pki.device.parts();
        let mut client = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(versions)
            .expect("versions of rustls")
            .with_root_certificates(roots)
            .with_client_auth_cert(chain, key)
            .expect("a certificate of ours");
        client.resumption = if resumes {
            Resumption::in_memory_sessions(4)
        } else {
            Resumption::disabled()
        };
        Self {
            server: Arc::new(server),
            client: Arc::new(client),
            resumes,
            first: true,
        }
    }

    /// One handshake; gives what the server spent.
    pub(crate) fn handshake(&mut self) -> Duration {
        let name = ServerName::try_from(SERVER).expect("a name of ours");
        let mut client =
            ClientConnection::new(Arc::clone(&self.client), name).expect("a configuration of ours");
        let mut spent = Duration::ZERO;
        let mut server = timed(&mut spent, || {
            ServerConnection::new(Arc::clone(&self.server)).expect("a configuration of ours")
        });
        loop {
            let message = drain(&mut client);
            if message.is_empty() {
                break;
            }
            let answer = timed(&mut spent, || {
                feed(&mut server, &message);
                drain(&mut server)
            });
            feed(&mut client, &answer);
        }
        assert!(!client.is_handshaking() && !server.is_handshaking());
        let resumed = server.handshake_kind() == Some(HandshakeKind::Resumed);
        assert_eq!(resumed, self.resumes && !self.first, "bare rustls");
        self.first = false;
        spent
    }
}

/// Everything that TLS wants to send.
fn drain<S: SideData>(connection: &mut ConnectionCommon<S>) -> Vec<u8> {
    let mut octets = Vec::new();
    while connection.wants_write() {
        connection
            .write_tls(&mut octets)
            .expect("a Vec takes everything");
    }
    octets
}

fn feed<S: SideData>(connection: &mut ConnectionCommon<S>, mut octets: &[u8]) {
    while !octets.is_empty() {
        let taken = connection
            .read_tls(&mut octets.by_ref())
            .expect("a slice gives everything");
        assert!(taken > 0);
        connection
            .process_new_packets()
            .expect("the other end is right");
    }
}

/// Runs `work` and adds its processor time to `spent`.
pub(crate) fn timed<T>(spent: &mut Duration, work: impl FnOnce() -> T) -> T {
    let before = processor_time();
    let done = work();
    *spent += processor_time() - before;
    done
}

/// Of this thread, so that other programs do not count.
pub(crate) fn processor_time() -> Duration {
    let now = ClockId::CLOCK_THREAD_CPUTIME_ID.now();
    now.expect("Linux has this clock").into()
}

/// A root, a server, a device.
pub(crate) struct Pki {
    root: CertifiedIssuer<'static, KeyPair>,
    pub(crate) server: Holder,
    pub(crate) device: Holder,
}

pub(crate) struct Holder {
    certificate: CertificateDer<'static>,
    key: KeyPair,
}

impl Pki {
    /// With keys as `key` makes them.
    pub(crate) fn new(key: impl Fn() -> KeyPair) -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let root = CertifiedIssuer::self_signed(params, key()).expect("a root");
        let issue = |name: SanType, usage| {
            let mut params = CertificateParams::default();
            params.subject_alt_names = vec![name];
            params.extended_key_usages = vec![usage];
            let key = key();
            let certificate = params.signed_by(&key, &root).expect("a certificate");
            let certificate = certificate.der().clone();
            Holder { certificate, key }
        };
        let name = SERVER.try_into().expect("an ASCII name");
        let server = issue(SanType::DnsName(name), ExtendedKeyUsagePurpose::ServerAuth);
        let uri = "IntuneDeviceId://0f8fad5b-d9cb-469f-a165-70867728950e";
        let uri = uri.try_into().expect("an ASCII URI");
        let device = issue(SanType::URI(uri), ExtendedKeyUsagePurpose::ClientAuth);
        Self {
            root,
            server,
            device,
        }
    }

    pub(crate) fn root(&self) -> CertificateDer<'static> {
        self.root.der().clone()
    }
}

impl Holder {
    pub(crate) fn parts(&self) -> (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>) {
        let key = PrivatePkcs8KeyDer::from(self.key.serialize_der());
        (vec![self.certificate.clone()], key.into())
    }
}

/// What handshakes cost.
pub(crate) struct Spent {
    pub(crate) mean: f64,
    pub(crate) median: f64,
}

impl Spent {
    pub(crate) fn of(mut times: Vec<Duration>) -> Self {
        times.sort_unstable();
        let count = u32::try_from(times.len()).unwrap_or(u32::MAX).max(1);
        let median = times.get(times.len() / 2).copied().unwrap_or_default();
        let mean = times.iter().sum::<Duration>() / count;
        Self {
            mean: mean.as_secs_f64() * 1e6,
            median: median.as_secs_f64() * 1e6,
        }
    }
}

const SERVER: &str = "radius.example.org";
