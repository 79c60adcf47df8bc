//! `portreeve-lab load radius`: MAC authentication bypass, PAP, Status-Server and accounting, one
//! request an operation.

mod request;

use std::io;

use clap::Args;
use clap::ValueEnum;
use portreeve::model::Now;
use portreeve::net::Clock;
use portreeve::radius::Code;
use portreeve::radius::EncodeError;
use portreeve::radius::RequestBuilder;
use portreeve::radius::Signature;

use super::drive::Answer;
use super::drive::Next;
use super::drive::ServerArguments;
use super::drive::Traffic;
use super::drive::drive;
use super::expect::Expect;
use super::pace::PaceArguments;
use super::report::Meter;
use super::report::ReportArguments;
use super::report::Run;
use super::udp::Draft;
use super::udp::scramble;
use super::unusable;
use crate::login::Logins;
use request::Macs;

pub(super) use request::NAS;
pub(super) use request::station;

/// Send requests of one datagram each: MAC addresses, passwords, accounting, Status-Server.
#[derive(Clone, Debug, Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    server: ServerArguments,
    /// What to send.
    #[arg(long, value_enum, default_value_t = Kind::Mab)]
    kind: Kind,
    /// MAC addresses: FIRST+COUNT, or a file with one in each line.
    #[arg(
        long,
        value_name = "RANGE|FILE",
        default_value = "00:00:5e:10:00:00+10000"
    )]
    macs: String,
    /// Users of PAP: NAME:PASSWORD, NAME:PASSWORD+COUNT where {n} stands for a number, or a file
    /// with NAME PASSWORD in each line.
    #[arg(
        long,
        value_name = "PATTERN|FILE",
        default_value = "load{n}@example.com:password{n}+1000"
    )]
    users: String,
    /// The right answer: accept, reject, any, or vlan=20 [default: accept].
    #[arg(long, value_name = "ANSWER", default_value = "accept")]
    expect: Expect,
    /// Take replies without a Message-Authenticator at their beginning, as old servers send them.
    #[arg(long)]
    unsigned_replies: bool,
    #[command(flatten)]
    pace: PaceArguments,
    #[command(flatten)]
    report: ReportArguments,
}

/// The kinds of requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Kind {
    /// MAC authentication bypass: the address as name and password, Service-Type Call-Check.
    Mab,
    /// User-Password.
    Pap,
    /// Status-Server (RFC 5997).
    Status,
    /// Accounting: Start, Interim-Update and Stop of each address in turn.
    Accounting,
}

/// Runs the generator.
pub(super) fn run(arguments: Arguments) -> io::Result<()> {
    let clock = Clock::start();
    let in_flight = arguments.pace.most_in_flight(arguments.server.ceiling());
    let ports = arguments.server.open(in_flight, 1)?;
    let mut traffic = Requests::new(&arguments)?;
    let meter = Meter::start(&arguments.report)?;
    let plan = arguments.pace.plan(clock.now().monotonic, 0, 1);
    let driven = drive(&arguments.server, ports, &mut traffic, plan, clock)?;
    Run {
        load: &format!("radius {}", traffic.kind.name()),
        server: &arguments.server.server.to_string(),
        pace: arguments.pace.pace(),
        elapsed: driven.elapsed,
        threads: 1,
    }
    .report(&arguments.report, &meter, &driven.tally)
}

impl Kind {
    const fn name(self) -> &'static str {
        match self {
            Self::Mab => "mab",
            Self::Pap => "pap",
            Self::Status => "status",
            Self::Accounting => "accounting",
        }
    }
}

/// Traffic of one request an operation.
#[derive(Debug)]
struct Requests {
    kind: Kind,
    macs: Macs,
    users: Logins,
    expect: Expect,
    unsigned_replies: bool,
    /// Sets the accounting sessions of this run apart from those of others.
    run: u32,
}

impl Requests {
    fn new(arguments: &Arguments) -> io::Result<Self> {
        let mut run = [0; 4];
        aws_lc_rs::rand::fill(&mut run)
            .map_err(|_| unusable("the system gives no random numbers"))?;
        Ok(Self {
            kind: arguments.kind,
            macs: Macs::read(&arguments.macs)?,
            users: Logins::read(&arguments.users)?,
            expect: arguments.expect.clone(),
            unsigned_replies: arguments.unsigned_replies,
            run: u32::from_ne_bytes(run),
        })
    }
}

impl Traffic for Requests {
    /// The number of the operation.
    type Task = u64;

    fn begin(&mut self, number: u64) -> Option<u64> {
        Some(number)
    }

    fn write(&mut self, number: &mut u64, draft: Draft<'_>) -> Result<usize, EncodeError> {
        let Draft {
            buffer,
            identifier,
            authenticator,
            secret,
        } = draft;
        // Who asks is spread over all there are, the same way in each run, so that neither end
        // finds the next one in its processor's cache.
        let anyone = scramble(*number);
        let packet = match self.kind {
            Kind::Mab => {
                let mut packet =
                    RequestBuilder::access_request(buffer, identifier, authenticator, secret);
                request::bypass(&mut packet, self.macs.get(anyone));
                packet.finish()
            }
            Kind::Pap => {
                let (name, password) = self.users.get(anyone);
                let mut packet =
                    RequestBuilder::access_request(buffer, identifier, authenticator, secret);
                request::password(&mut packet, &name, &password);
                packet.finish()
            }
            Kind::Status => {
                let mut packet =
                    RequestBuilder::status_server(buffer, identifier, authenticator, secret);
                request::status(&mut packet);
                packet.finish()
            }
            Kind::Accounting => {
                let mut packet = RequestBuilder::accounting_request(buffer, identifier, secret);
                request::accounting(&mut packet, &self.macs, self.run, *number);
                packet.finish()
            }
        };
        packet.map(<[u8]>::len)
    }

    fn read(&mut self, _: Now, _: &mut u64, answer: &Answer<'_>) -> Next {
        let packet = answer.reply.packet();
        // In an Accounting-Response the Response Authenticator is enough: CVE-2024-3596 is about
        // Access-Requests.
        let signed = answer.reply.signature() == Signature::First
            || self.unsigned_replies
            || self.kind == Kind::Accounting;
        if !signed {
            return Next::Failed("not_signed_first");
        }
        let checked = match self.kind {
            Kind::Mab | Kind::Pap => self.expect.check(packet),
            Kind::Status if packet.code() == Code::AccessAccept => Ok(()),
            Kind::Accounting if packet.code() == Code::AccountingResponse => Ok(()),
            Kind::Status | Kind::Accounting => Err("wrong_code"),
        };
        match checked {
            Ok(()) => Next::Done,
            Err(kind) => Next::Failed(kind),
        }
    }
}
