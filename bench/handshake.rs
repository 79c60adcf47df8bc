//! What EAP-TLS adds to TLS: the server's processor time for a handshake of
//! `eap::Conversation`, beside that of bare rustls in memory with the same certificates.
//!
//! `cargo bench --bench handshake [-- ROUNDS]` (default 1,000) runs both in turn, so that
//! whatever else the machine does falls on both, and prints mean, median and their ratio. It
//! fails when a full handshake costs more than 1.5 times the bare one. Certificates are P-256,
//! chains have one certificate, nobody checks revocation. Bare rustls keeps sessions in its own
//! memory cache and gives one ticket, as the conversation does.

#[path = "handshake/bare.rs"]
mod bare;

use std::io::Write;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

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
use rcgen::KeyPair;

use bare::Bare;
use bare::Pki;
use bare::Spent;
use bare::processor_time;
use bare::timed;

fn main() -> ExitCode {
    let mut rounds = std::env::args().filter_map(|argument| argument.parse().ok());
    let rounds = rounds.next_back().unwrap_or(1_000);
    let pki = Pki::new(|| KeyPair::generate().expect("the system has random numbers"));
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
                | Step::Ask
                | Step::Wait
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
                Step::Failure(_) | Step::Discard(_) | Step::Work | Step::Ask | Step::Wait => {
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

fn print(line: &str) {
    writeln!(std::io::stdout(), "{line}").expect("standard output is open");
}

/// Octets of an EAP packet, as an access point's link carries it.
const PACKET: usize = 1024;

const WARM_UP: usize = 20;

/// The most that a full handshake may cost, as a multiple of the bare one.
const LIMIT: f64 = 1.5;
