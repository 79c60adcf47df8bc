//! `portreeve-lab load eap-tls`: whole EAP-TLS conversations, many at once, each with the
//! certificate of one device; or those of a tunnel, each with the password of one user.
//!
//! The peer's cryptography is done here and costs as much as the server's. On one machine the two
//! share the cores, so rates and latencies say little about the server; its processor time
//! (`--server-pid`) does.

mod device;
mod talk;

use std::collections::VecDeque;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;

use clap::Args;
use portreeve::eap::Inner;
use portreeve::eap::Outer;
use portreeve::eap::TlsVersion;
use portreeve::model::Now;
use portreeve::net::Clock;
use portreeve::probe::Supplicant;
use portreeve::radius::EncodeError;

use super::drive::Answer;
use super::drive::Driven;
use super::drive::Next;
use super::drive::ServerArguments;
use super::drive::Traffic;
use super::drive::drive;
use super::expect::Expect;
use super::pace::PaceArguments;
use super::pace::Plan;
use super::report::Meter;
use super::report::ReportArguments;
use super::report::Run;
use super::report::Tally;
use super::report::verdict;
use super::udp::Draft;
use super::unusable;
use device::Device;
use talk::Talk;

/// Hold EAP-TLS conversations, each with a device's certificate, or with `--method` those of a tunnel,
/// each with a user's password.
#[derive(Clone, Debug, Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    pub(super) server: ServerArguments,
    /// Folder with the devices' certificates, NAME.pem; `load certs` makes one.
    #[arg(long, value_name = "FOLDER", required_unless_present = "users")]
    devices: Option<PathBuf>,
    /// Make a tunnel instead: eap-ttls, peap or teap.
    #[arg(long, value_name = "METHOD", requires = "users", value_parser = method)]
    method: Option<Outer>,
    /// What is spoken in it.
    #[arg(long, value_name = "METHOD", default_value = "mschapv2", value_parser = inside)]
    inside: Inner,
    /// Users and their passwords: NAME:PASSWORD+COUNT with {n} in them, or a file.
    #[arg(long, value_name = "LOGINS", requires = "method")]
    users: Option<String>,
    /// Folder with their keys, NAME.key [default: that of the certificates].
    #[arg(long, value_name = "FOLDER")]
    keys: Option<PathBuf>,
    /// Authority that issued the server's certificate (PEM).
    #[arg(long, value_name = "FILE")]
    ca: PathBuf,
    /// TLS version, 1.2 or 1.3 [default: the newest that both know].
    #[arg(long, value_name = "VERSION", value_parser = version)]
    tls: Option<TlsVersion>,
    /// Resume: every device first makes a full handshake, which is not counted, and then only
    /// resumed ones. A full handshake is an error then.
    #[arg(long)]
    resume: bool,
    /// Octets of the largest EAP packet that the devices send.
    #[arg(long, value_name = "OCTETS", default_value_t = 1024,
          value_parser = clap::value_parser!(u16).range(256..=3072))]
    fragment: u16,
    /// The right outcome: accept, reject, any, or vlan=20 [default: accept].
    #[arg(long, value_name = "ANSWER", default_value = "accept")]
    expect: Expect,
    /// Take replies whose Message-Authenticator stands behind other attributes, as old servers
    /// send them.
    #[arg(long)]
    signed_later: bool,
    /// Threads that hold conversations.
    #[arg(long, value_name = "N", default_value_t = 1,
          value_parser = clap::value_parser!(u32).range(1..=64))]
    threads: u32,
    #[command(flatten)]
    pub(super) pace: PaceArguments,
    #[command(flatten)]
    pub(super) report: ReportArguments,
}

/// Runs the generator.
pub(super) fn run(arguments: Arguments) -> io::Result<()> {
    let clock = Clock::start();
    let devices = device::read(&arguments)?;
    let in_flight = arguments.pace.most_in_flight(arguments.server.ceiling());
    if arguments.resume && in_flight.min(arguments.server.ceiling()) > devices.len() {
        return Err(unusable(format!(
            "a device resumes one conversation after another: {} devices cannot hold {in_flight} \
             at once; make more with `load certs`, or lower --outstanding",
            devices.len()
        )));
    }
    let mut traffic = split(devices, &arguments);
    if arguments.resume {
        let first = go(&arguments, &mut traffic, clock, |thread, devices| {
            // As many as there are devices, each once, since the idle ones stand in a row.
            arguments
                .pace
                .first_round(clock.now().monotonic, thread, arguments.threads, devices)
        })?;
        verdict(&first.tally)?;
        for conversations in &mut traffic {
            conversations.must_resume = true;
        }
    }
    let meter = Meter::start(&arguments.report)?;
    let driven = go(&arguments, &mut traffic, clock, |thread, _| {
        arguments
            .pace
            .plan(clock.now().monotonic, thread, arguments.threads)
    })?;
    let kind = if arguments.resume { "resumed" } else { "full" };
    let version = arguments
        .tls
        .map_or_else(|| "TLS".to_owned(), |version| version.to_string());
    Run {
        load: &match arguments.method {
            None => format!("eap-tls {version} {kind}"),
            Some(method) => {
                format!(
                    "{}/{} {version} {kind}",
                    method.name(),
                    arguments.inside.name()
                )
            }
        },
        server: &arguments.server.server.to_string(),
        pace: arguments.pace.pace(),
        elapsed: driven.elapsed,
        threads: arguments.threads,
    }
    .report(&arguments.report, &meter, &driven.tally)
}

/// Full handshakes for so many seconds, while something else goes on.
pub(super) fn logins(arguments: &Arguments, clock: Clock, seconds: u64) -> io::Result<Driven> {
    let mut traffic = split(device::read(arguments)?, arguments);
    let pace = arguments.pace.lasting(seconds);
    go(arguments, &mut traffic, clock, |thread, _| {
        pace.plan(clock.now().monotonic, thread, arguments.threads)
    })
}

/// What the first of the devices says first about TLS: an EAP-Response, to be sent with the
/// identifier of the Request in its second octet.
pub(super) fn first_flight(arguments: &Arguments, now: Now) -> io::Result<Vec<u8>> {
    let devices = device::read(arguments)?;
    let device = devices.first().ok_or_else(|| unusable("no device"))?;
    let mut peer = Supplicant::new(Arc::clone(&device.profile));
    drop(peer.identity_response(1));
    /// Flag S of EAP-TLS (RFC 5216 section 3.1).
    const START: [u8; 1] = [0x20];
    match peer.handle(
        now,
        &portreeve::eap::request(2, portreeve::eap::Type::TLS, &START),
    ) {
        portreeve::probe::Answer::Response(hello) => Ok(hello),
        portreeve::probe::Answer::Success(_) | portreeve::probe::Answer::Failure(_) => {
            Err(io::Error::other("the peer does not begin"))
        }
    }
}

/// Runs every thread's plan, and adds up.
fn go(
    arguments: &Arguments,
    traffic: &mut [Conversations],
    clock: Clock,
    plan: impl Fn(u32, u64) -> Plan,
) -> io::Result<Driven> {
    let in_flight = arguments.pace.most_in_flight(arguments.server.ceiling());
    let driven: Vec<io::Result<Driven>> = thread::scope(|scope| {
        let threads: Vec<_> = (0..)
            .zip(traffic)
            .map(|(number, conversations)| {
                let devices = u64::try_from(conversations.devices.len()).unwrap_or(u64::MAX);
                let plan = plan(number, devices);
                scope.spawn(move || {
                    let ports = arguments.server.open(in_flight, arguments.threads)?;
                    drive(&arguments.server, ports, conversations, plan, clock)
                })
            })
            .collect();
        let joined = threads.into_iter().map(thread::ScopedJoinHandle::join);
        joined
            .map(|result| {
                result.unwrap_or_else(|_| Err(io::Error::other("a thread ended by a panic")))
            })
            .collect()
    });
    let mut sum = Driven {
        tally: Tally::new(),
        elapsed: std::time::Duration::ZERO,
    };
    for driven in driven {
        let driven = driven?;
        sum.elapsed = sum.elapsed.max(driven.elapsed);
        sum.tally.add(driven.tally);
    }
    Ok(sum)
}

/// Every device belongs to one thread: what it can resume is remembered with it.
fn split(devices: Vec<Device>, arguments: &Arguments) -> Vec<Conversations> {
    let threads = usize::try_from(arguments.threads).unwrap_or(1);
    let mut parts: Vec<Vec<Arc<Device>>> = vec![Vec::new(); threads];
    let devices: Vec<Arc<Device>> = devices.into_iter().map(Arc::new).collect();
    for (number, part) in parts.iter_mut().enumerate() {
        *part = devices
            .iter()
            .skip(number)
            .step_by(threads)
            .cloned()
            .collect();
        if part.is_empty() && !arguments.resume {
            part.clone_from(&devices);
        }
    }
    let conversations = parts.into_iter().map(|devices| Conversations {
        idle: (0..devices.len()).collect(),
        devices,
        one_at_a_time: arguments.resume,
        must_resume: false,
        version: arguments.tls,
        expect: arguments.expect.clone(),
        signed_later: arguments.signed_later,
    });
    conversations.collect()
}

/// Traffic of whole conversations.
#[derive(Debug)]
struct Conversations {
    devices: Vec<Arc<Device>>,
    /// Devices without a conversation, if each holds one at a time.
    idle: VecDeque<usize>,
    one_at_a_time: bool,
    must_resume: bool,
    version: Option<TlsVersion>,
    expect: Expect,
    signed_later: bool,
}

impl Traffic for Conversations {
    type Task = Talk;

    fn begin(&mut self, number: u64) -> Option<Talk> {
        let place = if self.one_at_a_time {
            self.idle.pop_front()?
        } else {
            let count = u64::try_from(self.devices.len()).ok()?;
            usize::try_from(number.checked_rem(count)?).ok()?
        };
        let device = Arc::clone(self.devices.get(place)?);
        let peer = Supplicant::new(Arc::clone(&device.profile));
        Some(Talk::new(place, device, peer))
    }

    fn write(&mut self, talk: &mut Talk, draft: Draft<'_>) -> Result<usize, EncodeError> {
        talk.write(draft)
    }

    fn read(&mut self, now: Now, talk: &mut Talk, answer: &Answer<'_>) -> Next {
        match talk.read(now, answer, self.signed_later) {
            talk::Heard::Request => Next::Request,
            talk::Heard::Wrong(kind) => Next::Failed(kind),
            talk::Heard::Refused if !self.expect.takes_reject() => Next::Failed("refused"),
            talk::Heard::Accepted if !self.expect.takes_accept() => Next::Failed("not_rejected"),
            talk::Heard::Refused => Next::Done,
            talk::Heard::Accepted => self.check(talk, answer),
        }
    }

    fn end(&mut self, talk: Talk) {
        if self.one_at_a_time {
            self.idle.push_back(talk.place());
        }
    }
}

impl Conversations {
    fn check(&self, talk: &Talk, answer: &Answer<'_>) -> Next {
        let report = talk.report();
        if let Err(kind) = self.expect.check(answer.reply.packet()) {
            return Next::Failed(kind);
        }
        if self.version.is_some() && report.version != self.version {
            return Next::Failed("other_tls_version");
        }
        if report.resumed != self.must_resume {
            let kind = if report.resumed {
                "resumed"
            } else {
                "not_resumed"
            };
            return Next::Failed(kind);
        }
        Next::Done
    }
}

/// A method that makes a tunnel.
fn method(text: &str) -> Result<Outer, String> {
    let mut tunnels = Outer::ALL.into_iter().filter(|outer| *outer != Outer::Tls);
    let found = tunnels.find(|outer| outer.name() == text);
    found.ok_or_else(|| "expected eap-ttls, peap or teap".to_owned())
}

/// What needs a password only.
fn inside(text: &str) -> Result<Inner, String> {
    let mut spoken = Inner::ALL.into_iter().filter(|inner| *inner != Inner::Tls);
    let found = spoken.find(|inner| inner.name() == text);
    found.ok_or_else(|| "expected pap, chap, mschap, mschapv2 or gtc".to_owned())
}

/// A TLS version as arguments have it.
pub(crate) fn version(text: &str) -> Result<TlsVersion, String> {
    match text {
        "1.2" => Ok(TlsVersion::Tls12),
        "1.3" => Ok(TlsVersion::Tls13),
        _ => Err("expected 1.2 or 1.3".to_owned()),
    }
}
