//! `portreeve-lab load flood`: EAP conversations that are begun and not gone on with, from many
//! addresses, and EAP-TLS logins meanwhile.
//!
//! What is reported is what the logins saw, and beside it (`notes`) how many conversations were
//! offered, how many the server answered or put out, and by how much its memory grew.

use std::io;
use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::thread;

use clap::Args;
use portreeve::model::MacAddress;
use portreeve::model::Now;
use portreeve::net::Clock;
use portreeve::radius::AttributeType;
use portreeve::radius::Code;
use portreeve::radius::EncodeError;
use portreeve::radius::MAX_PACKET;
use portreeve::radius::RequestBuilder;

use super::drive::Answer;
use super::drive::Driven;
use super::drive::Next;
use super::drive::Traffic;
use super::drive::drive;
use super::eap_tls;
use super::pace::PaceArguments;
use super::process::Process;
use super::radius::NAS;
use super::radius::station;
use super::report::Meter;
use super::report::Run;
use super::udp::Draft;
use super::unusable;

/// Begin conversations that nobody goes on with, and log in meanwhile (--rate, one after another
/// by default).
#[derive(Clone, Debug, Args)]
pub(super) struct Arguments {
    /// Conversations to begin.
    #[arg(long, value_name = "N", default_value_t = 1_000_000,
          value_parser = clap::value_parser!(u64).range(1..=100_000_000))]
    half_open: u64,
    /// Conversations to begin each second.
    #[arg(long, value_name = "R", default_value_t = 20_000,
          value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    flood_rate: u64,
    /// Addresses of NASes that they come from, of 127.0.0.0/8.
    #[arg(long, value_name = "N", default_value_t = 64,
          value_parser = clap::value_parser!(u16).range(1..=1024))]
    addresses: u16,
    /// Answer the server's first request of TLS too, so that it makes its flight, and stop then.
    #[arg(long)]
    answer: bool,
    #[command(flatten)]
    logins: eap_tls::Arguments,
}

/// Runs flood and logins.
pub(super) fn run(arguments: Arguments) -> io::Result<()> {
    let clock = Clock::start();
    let logins = &arguments.logins;
    let server = logins.report.server_pid.map(Process::of);
    let before = server.as_ref().map(Process::memory).transpose()?;
    let hello = if arguments.answer {
        Some(eap_tls::first_flight(logins, clock.now())?)
    } else {
        None
    };
    let seconds = arguments.half_open / arguments.flood_rate + 1;
    let meter = Meter::start(&logins.report)?;
    let (flood, login) = thread::scope(|scope| {
        let flood = scope.spawn(|| offer(&arguments, hello, clock, seconds));
        let login = eap_tls::logins(logins, clock, seconds);
        let flood = flood
            .join()
            .unwrap_or_else(|_| Err(io::Error::other("the flood ended by a panic")));
        (flood, login)
    });
    let (flood, mut login) = (flood?, login?);
    let tally = &mut login.tally;
    tally.note_many("half_open_answered", flood.tally.succeeded());
    tally.note_many("half_open_refused", flood.tally.noted("refused"));
    tally.note_many("half_open_never_begun", flood.tally.noted("never_begun"));
    // One that was put out gets no answer any more, at the end some may still have got one;
    // whatever else became of them is wrong.
    let put_out = flood.tally.failures("broken_off") + flood.tally.failures("unfinished");
    tally.note_many("half_open_put_out", put_out);
    tally.fail_many("half_open_wrong", flood.tally.failed() - put_out);
    if let (Some(server), Some(before)) = (&server, before) {
        let growth = server.peak_memory()?.saturating_sub(before);
        tally.note_many("server_growth_octets", growth);
    }
    Run {
        load: "flood, EAP-TLS",
        server: &logins.server.server.to_string(),
        pace: logins.pace.pace(),
        elapsed: login.elapsed,
        threads: 1,
    }
    .report(&logins.report, &meter, &login.tally)
}

fn offer(
    arguments: &Arguments,
    hello: Option<Vec<u8>>,
    clock: Clock,
    seconds: u64,
) -> io::Result<Driven> {
    let mut server = arguments.logins.server.clone();
    // What the server does not answer it has refused, which is its right.
    server.shed = true;
    server.tries = 1;
    if !server.server.ip().is_loopback() {
        return Err(unusable("a flood goes to this machine only"));
    }
    let sources: Vec<Option<IpAddr>> = (0..arguments.addresses)
        .map(|number| {
            let [high, low] = number.to_be_bytes();
            Some(IpAddr::V4(Ipv4Addr::new(127, 9, high, low.wrapping_add(1))))
        })
        .collect();
    let ports = server.open_from(&sources)?;
    let pace = PaceArguments::open_loop(arguments.flood_rate, arguments.half_open, seconds);
    let plan = pace.plan(clock.now().monotonic, 0, 1);
    drive(&server, ports, &mut HalfOpen { hello }, plan, clock)
}

/// Conversations that end where they begin.
#[derive(Debug)]
struct HalfOpen {
    hello: Option<Vec<u8>>,
}

/// One of them.
#[derive(Debug)]
struct Begun {
    number: u64,
    response: Vec<u8>,
    state: Option<Vec<u8>>,
}

impl Traffic for HalfOpen {
    type Task = Begun;

    fn begin(&mut self, number: u64) -> Option<Begun> {
        let response =
            portreeve::eap::response(1, portreeve::eap::Type::IDENTITY, IDENTITY.as_bytes());
        Some(Begun {
            number,
            response,
            state: None,
        })
    }

    fn write(&mut self, begun: &mut Begun, draft: Draft<'_>) -> Result<usize, EncodeError> {
        let mut request = RequestBuilder::access_request(
            draft.buffer,
            draft.identifier,
            draft.authenticator,
            draft.secret,
        );
        let [_, _, address @ ..] = begun.number.to_be_bytes();
        request
            .octets(AttributeType::USER_NAME, IDENTITY.as_bytes())
            .octets(
                AttributeType::CALLING_STATION_ID,
                &station(MacAddress::new(address)),
            )
            .octets(AttributeType::NAS_IDENTIFIER, NAS)
            .eap_message(&begun.response);
        if let Some(state) = &begun.state {
            request.octets(AttributeType::STATE, state);
        }
        request.finish().map(<[u8]>::len)
    }

    fn read(&mut self, _: Now, begun: &mut Begun, answer: &Answer<'_>) -> Next {
        let packet = answer.reply.packet();
        if packet.code() != Code::AccessChallenge {
            return Next::Failed("not_challenged");
        }
        let (Some(hello), None) = (&self.hello, &begun.state) else {
            return Next::Done;
        };
        let mut joined = [0; MAX_PACKET];
        let eap = packet.eap_message();
        let asked = eap.and_then(|message| message.join(&mut joined));
        let Some(identifier) = asked.and_then(|eap| eap.get(1).copied()) else {
            return Next::Failed("no_eap_message");
        };
        begun.state = packet.find(AttributeType::STATE).map(<[u8]>::to_vec);
        begun.response.clone_from(hello);
        if let Some(place) = begun.response.get_mut(1) {
            *place = identifier;
        }
        Next::Request
    }
}

const IDENTITY: &str = "nobody@example.com";
