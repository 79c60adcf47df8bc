//! What EAP-TLS adds to TLS: the server's processor time for a handshake of
//! `eap::Conversation`, beside that of bare rustls in memory with the same certificates.
//!
//! `cargo bench --bench handshake [-- ROUNDS]` (default 1,000) runs both in turn, so that
//! whatever else the machine does falls on both, and prints mean, median and their ratio. It
//! fails when a full handshake costs more than 1.5 times the bare one. Certificates are P-256,
//! chains have one certificate, nobody checks revocation. Bare rustls keeps sessions in its own
//! memory cache and gives one ticket, as the conversation does.

use std::io::Read;
use std::io::Write;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use nix::time::ClockId;
use portreeve::eap;
use portreeve::eap::Conversation;
use portreeve::eap::Judge;
use portreeve::eap::Peer;
use portreeve::eap::Step;
use portreeve::eap::TlsVersion;
use portreeve::model::Verdict;
use portreeve::net::Clock;
use portreeve::probe::Answer;
use portreeve::probe::Credential;
use portreeve::probe::Profile;
use portreeve::probe::ProfileSettings;
use portreeve::probe::Supplicant;
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

fn main() -> ExitCode {
    let mut rounds = std::env::args().filter_map(|argument| argument.parse().ok());
    let rounds = rounds.next_back().unwrap_or(1_000);
    let pki = Pki::new();
    let mut good = true;
    for (version, resumed) in [
        (TlsVersion::Tls12, false),
        (TlsVersion::Tls13, false),
        (TlsVersion::Tls12, true),
        (TlsVersion::Tls13, true),
    ] {
        let mut bare = Bare::new(&pki, version, resumed);
        let mut ours = Ours::new(&pki, version, resumed);
        // The first handshake of those that resume is a full one, and every cache is cold.
        for _ in 0..WARM_UP {
            bare.handshake();
            ours.handshake();
        }
        let (mut bare_times, mut our_times) = (Vec::new(), Vec::new());
        for _ in 0..rounds {
            bare_times.push(bare.handshake());
            our_times.push(ours.handshake());
        }
        let (bare, ours) = (Spent::of(bare_times), Spent::of(our_times));
        let ratio = ours.median / bare.median;
        let holds = resumed || ratio <= LIMIT;
        good &= holds;
        let kind = if resumed { "resumed" } else { "full" };
        print(&format!(
            "{version} {kind:>7}: bare mean {:.1} median {:.1} µs, conversation mean {:.1} median \
             {:.1} µs, ratio {ratio:.2}{}",
            bare.mean,
            bare.median,
            ours.mean,
            ours.median,
            if holds { "" } else { " (too much)" }
        ));
    }
    let clock = processor_time();
    for _ in 0..1_000 {
        processor_time();
    }
    print(&format!(
        "reading the clock costs {} ns: twice for each turn of the server, of which a bare \
         handshake has 3 and a conversation 4 to 6",
        (processor_time() - clock).as_nanos() / 1_000
    ));
    if good {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// TLS without EAP.
struct Bare {
    server: Arc<ServerConfig>,
    client: Arc<ClientConfig>,
    resumes: bool,
    first: bool,
}

impl Bare {
    fn new(pki: &Pki, version: TlsVersion, resumes: bool) -> Self {
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
    fn handshake(&mut self) -> Duration {
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

/// TLS inside an EAP conversation.
struct Ours {
    server: Arc<eap::Config>,
    judge: Arc<dyn Judge>,
    profile: Arc<Profile>,
    clock: Clock,
    resumes: bool,
    first: bool,
}

/// Lets everybody in: the decision is measured elsewhere.
struct Allow;

impl Judge for Allow {
    fn judge(&self, _: &Peer<'_>) -> Verdict {
        Verdict::Allow
    }
}

impl Ours {
    fn new(pki: &Pki, version: TlsVersion, resumes: bool) -> Self {
        let (chain, key) = pki.server.parts();
        let mut settings = eap::Settings::new(chain, key, vec![pki.root()]);
        (settings.lowest, settings.highest) = (version, version);
        let server = eap::Config::build(settings).expect("settings of ours");
        let (chain, key) = pki.device.parts();
        let credential = Some(Credential { chain, key });
        let mut settings = ProfileSettings::new("device", credential, vec![pki.root()]);
        settings.remembered = if resumes { 4 } else { 0 };
        Self {
            server: Arc::new(server),
            judge: Arc::new(Allow),
            profile: Arc::new(Profile::build(settings).expect("settings of ours")),
            clock: Clock::start(),
            resumes,
            first: true,
        }
    }

    /// One conversation; gives what the server spent.
    fn handshake(&mut self) -> Duration {
        let mut peer = Supplicant::new(Arc::clone(&self.profile));
        let mut response = peer.identity_response(1);
        let mut spent = Duration::ZERO;
        let (server, judge) = (Arc::clone(&self.server), Arc::clone(&self.judge));
        let mut conversation = timed(&mut spent, || Conversation::new(server, judge, 1, PACKET));
        let outcome = loop {
            let now = self.clock.now();
            let step = timed(&mut spent, || match conversation.handle(now, &response) {
                Step::Work => conversation.work(now),
                step @ (Step::Request(_)
                | Step::Success(_)
                | Step::Failure(_)
                | Step::Discard(_)) => step,
            });
            match step {
                Step::Request(request) => match peer.handle(now, &request) {
                    Answer::Response(next) => response = next,
                    Answer::Success(_) | Answer::Failure(_) => {
                        unreachable!("the peer goes on: {:?}", peer.report())
                    }
                },
                Step::Success(outcome) => break outcome,
                Step::Failure(_) | Step::Discard(_) | Step::Work => {
                    unreachable!("the server accepts: {step:?}, {:?}", peer.report())
                }
            }
        };
        let Answer::Success(keys) = peer.handle(self.clock.now(), &outcome.packet) else {
            unreachable!("the peer accepts: {:?}", peer.report());
        };
        assert!(keys.msk.ct_eq(&outcome.keys.msk));
        assert_eq!(outcome.resumed, self.resumes && !self.first, "conversation");
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
fn timed<T>(spent: &mut Duration, work: impl FnOnce() -> T) -> T {
    let before = processor_time();
    let done = work();
    *spent += processor_time() - before;
    done
}

/// Of this thread, so that other programs do not count.
fn processor_time() -> Duration {
    let now = ClockId::CLOCK_THREAD_CPUTIME_ID.now();
    now.expect("Linux has this clock").into()
}

struct Spent {
    mean: f64,
    median: f64,
}

impl Spent {
    fn of(mut times: Vec<Duration>) -> Self {
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

/// A root, a server, a device.
struct Pki {
    root: CertifiedIssuer<'static, KeyPair>,
    server: Holder,
    device: Holder,
}

struct Holder {
    certificate: CertificateDer<'static>,
    key: KeyPair,
}

impl Pki {
    fn new() -> Self {
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

    fn root(&self) -> CertificateDer<'static> {
        self.root.der().clone()
    }
}

impl Holder {
    fn parts(&self) -> (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>) {
        let key = PrivatePkcs8KeyDer::from(self.key.serialize_der());
        (vec![self.certificate.clone()], key.into())
    }
}

fn key() -> KeyPair {
    KeyPair::generate().expect("the system has random numbers")
}

fn print(line: &str) {
    writeln!(std::io::stdout(), "{line}").expect("standard output is open");
}

const SERVER: &str = "radius.example.org";

/// Octets of an EAP packet, as an access point's link carries it.
const PACKET: usize = 1024;

const WARM_UP: usize = 20;

/// The most that a full handshake may cost, as a multiple of the bare one.
const LIMIT: f64 = 1.5;
