//! `portreeve-lab load eas`: ActiveSync requests over HTTPS, in HTTP/1.1 or HTTP/2, on kept or new
//! connections; and waiting Pings.

mod connection;
mod hold;
pub(super) mod mix;
mod query;
mod source;

use std::cell::RefCell;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use clap::Args;
use http::Uri;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use portreeve::model::Monotonic;
use portreeve::net::Clock;
use tokio::task::JoinSet;
use tokio::task::LocalSet;
use tokio::time::sleep;
use tokio::time::timeout;

use super::pace::PaceArguments;
use super::report::Meter;
use super::report::ReportArguments;
use super::report::Run;
use super::report::Tally;
use crate::login::Logins;
use connection::Connection;
use connection::Door;
use hold::Beside;
use mix::Asked;
use mix::Mix;
use mix::Verdict;
use query::Command;
use query::Form;
use query::Phones;
use source::Source;

/// Send ActiveSync requests through a front, or hold Pings there.
#[derive(Clone, Debug, Args)]
pub(super) struct Arguments {
    /// Where the front is: https://NAME:PORT, or http:// for an origin itself.
    #[arg(long, value_name = "URL")]
    url: Uri,
    /// Authority that issued the front's certificate (PEM).
    #[arg(long, value_name = "FILE")]
    ca: Option<std::path::PathBuf>,
    /// Users: NAME:PASSWORD, NAME:PASSWORD+COUNT where {n} stands for a number, or a file with
    /// NAME PASSWORD in each line.
    #[arg(
        long,
        value_name = "PATTERN|FILE",
        default_value = "load{n}@example.com:password{n}+1000"
    )]
    users: String,
    /// DeviceId of each user; {n} stands for the user's number.
    #[arg(long, value_name = "PATTERN", default_value = "load{n}")]
    device: String,
    /// What to ask for.
    #[arg(long, value_enum, default_value_t = Command::Sync)]
    command: Command,
    /// Form of the query.
    #[arg(long, value_enum, default_value_t = Form::Plain)]
    query: Form,
    /// Octets of the request's body.
    #[arg(long, value_name = "OCTETS", default_value_t = 300,
          value_parser = clap::value_parser!(u32).range(0..=1 << 20))]
    body: u32,
    /// Ask for everything that phones ask for, in turn, with bodies as they send them, and hold each
    /// answer against the verdict on its phone.
    #[arg(long, conflicts_with_all = ["command", "body", "expect", "hold"])]
    mix: bool,
    /// Verdicts on the phones, round and round: allow, quarantine, block.
    #[arg(
        long,
        value_enum,
        value_delimiter = ',',
        value_name = "VERDICTS",
        default_value = "allow"
    )]
    verdicts: Vec<Verdict>,
    /// Hold this many Pings meanwhile, of phones that are not blocked; none may end.
    #[arg(long, value_name = "N", conflicts_with = "hold",
          value_parser = clap::value_parser!(u32).range(1..=100_000))]
    beside: Option<u32>,
    /// Speak HTTP/2.
    #[arg(long)]
    http2: bool,
    /// Requests at once in each HTTP/2 connection.
    #[arg(long, value_name = "N", default_value_t = 4, requires = "http2",
          value_parser = clap::value_parser!(u16).range(1..=100))]
    streams: u16,
    /// Open a connection for each request.
    #[arg(long, conflicts_with = "http2")]
    new_connections: bool,
    /// The right status.
    #[arg(long, value_name = "STATUS", default_value_t = 200)]
    expect: u16,
    /// The right length of the answer's body [default: any].
    #[arg(long, value_name = "OCTETS")]
    expect_body: Option<u64>,
    /// Milliseconds to wait for an answer.
    #[arg(long, value_name = "MS", default_value_t = 10_000,
          value_parser = clap::value_parser!(u64).range(1..=600_000))]
    timeout: u64,
    /// Hold this many Pings for --seconds instead, and tell which of them end, and when.
    #[arg(long, value_name = "N", conflicts_with_all = ["http2", "new_connections", "rate", "count"],
          value_parser = clap::value_parser!(u32).range(1..=100_000))]
    hold: Option<u32>,
    /// Seconds that a held Ping asks the server to wait.
    #[arg(long, value_name = "S", default_value_t = 3540,
          value_parser = clap::value_parser!(u32).range(1..=3540))]
    heartbeat: u32,
    #[command(flatten)]
    pace: PaceArguments,
    #[command(flatten)]
    report: ReportArguments,
}

/// Runs the generator.
pub(super) fn run(arguments: Arguments) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(LocalSet::new().run_until(async {
        let door = Arc::new(Door::new(
            &arguments.url,
            arguments.ca.as_deref(),
            arguments.http2,
        )?);
        match arguments.hold {
            Some(pings) => hold::run(&arguments, &door, pings).await,
            None => requests(&arguments, door).await,
        }
    }))
}

/// What the requests of a run have in common.
struct Shared {
    door: Arc<Door>,
    phones: Phones,
    source: Arc<Source>,
    tally: RefCell<Tally>,
    clock: Clock,
    timeout: Duration,
    right: Right,
}

/// What is asked, and what the right answer to it is.
enum Right {
    /// The same of every phone.
    Same {
        command: Command,
        body: Bytes,
        status: u16,
        length: Option<u64>,
    },
    /// What its verdict says.
    Mixed(Mix),
}

async fn requests(arguments: &Arguments, door: Arc<Door>) -> io::Result<()> {
    let clock = Clock::start();
    let phones = phones(arguments, &door)?;
    let mix = Mix::new(
        arguments.verdicts.clone(),
        arguments.expect_body.unwrap_or(PASSED),
    );
    let beside = match arguments.beside {
        Some(pings) => Some(Beside::open(arguments, &door, &phones, &mix, pings).await?),
        None => None,
    };
    let streams = if arguments.http2 {
        arguments.streams
    } else {
        1
    };
    // In the open loop every connection may be needed at once.
    let most = arguments.pace.most_in_flight(OPEN_LOOP);
    let connections = most.div_ceil(usize::from(streams));
    let opened = if arguments.new_connections {
        Vec::new()
    } else {
        open(&door, connections).await?
    };
    let meter = Meter::start(&arguments.report)?;
    let start = clock.now().monotonic;
    let shared = Rc::new(Shared {
        door,
        phones,
        source: Arc::new(Source::new(arguments.pace.plan(start, 0, 1), clock)),
        tally: RefCell::new(Tally::new()),
        clock,
        timeout: Duration::from_millis(arguments.timeout),
        right: if arguments.mix {
            Right::Mixed(mix)
        } else {
            Right::Same {
                command: arguments.command,
                body: query::filler(arguments.body),
                status: arguments.expect,
                length: arguments.expect_body,
            }
        },
    });
    let mut workers = JoinSet::new();
    if arguments.new_connections {
        for _ in 0..most {
            workers.spawn_local(work_anew(Rc::clone(&shared)));
        }
    } else {
        for connection in opened.into_iter().flat_map(|opened| opened.shares(streams)) {
            workers.spawn_local(work(Rc::clone(&shared), connection));
        }
    }
    shared.source.feed().await?;
    while let Some(ended) = workers.join_next().await {
        ended.map_err(io::Error::other)?;
    }
    let elapsed = clock.now().monotonic.since(start);
    let mut tally = shared.tally.replace(Tally::new());
    tally.fail_many("never_begun", shared.source.missed());
    if let Some(beside) = beside {
        beside.count(&mut tally);
    }
    let http = match (arguments.http2, arguments.new_connections) {
        (true, _) => "HTTP/2",
        (false, true) => "HTTP/1.1, new connections",
        (false, false) => "HTTP/1.1",
    };
    let form = arguments.query.name();
    let command = if arguments.mix {
        "of all kinds"
    } else {
        arguments.command.name()
    };
    Run {
        load: &format!("eas {command}, {form} query, {http}"),
        server: &arguments.url.to_string(),
        pace: arguments.pace.pace(),
        elapsed,
        threads: 1,
    }
    .report(&arguments.report, &meter, &tally)
}

fn phones(arguments: &Arguments, door: &Door) -> io::Result<Phones> {
    Ok(Phones {
        users: Logins::read(&arguments.users)?,
        device: arguments.device.clone(),
        form: arguments.query,
        authority: door.authority().to_owned(),
        absolute: arguments.http2,
    })
}

/// Opens connections, several at a time.
async fn open(door: &Arc<Door>, count: usize) -> io::Result<Vec<Connection>> {
    let mut opening = JoinSet::new();
    let mut opened = Vec::with_capacity(count);
    for begun in 0..count {
        if begun >= OPENING
            && let Some(connection) = opening.join_next().await
        {
            opened.push(connection.map_err(io::Error::other)??);
        }
        let door = Arc::clone(door);
        opening.spawn_local(async move { door.open().await });
    }
    while let Some(connection) = opening.join_next().await {
        opened.push(connection.map_err(io::Error::other)??);
    }
    Ok(opened)
}

/// One request after another on a kept connection, which is opened anew when it breaks.
async fn work(shared: Rc<Shared>, mut connection: Connection) {
    while let Some((number, intended)) = shared.source.next().await {
        shared.begin(intended);
        let task = shared.task(number);
        let outcome = match timeout(shared.timeout, shared.ask(&mut connection, &task)).await {
            Ok(outcome) => outcome,
            Err(_) => Err("timeout"),
        };
        shared.count(&task, outcome, intended);
        if outcome.is_err_and(is_fatal) {
            let opened = timeout(shared.timeout, shared.door.open()).await;
            match opened {
                Ok(Ok(opened)) => connection = opened,
                Ok(Err(_)) | Err(_) => sleep(PAUSE).await,
            }
        }
    }
}

/// Each request on a connection of its own.
async fn work_anew(shared: Rc<Shared>) {
    while let Some((number, intended)) = shared.source.next().await {
        shared.begin(intended);
        let task = shared.task(number);
        let whole = async {
            let mut connection = shared.door.open().await.map_err(|_| "no_connection")?;
            shared.ask(&mut connection, &task).await
        };
        let outcome = match timeout(shared.timeout, whole).await {
            Ok(outcome) => outcome,
            Err(_) => Err("timeout"),
        };
        shared.count(&task, outcome, intended);
        if outcome == Err("no_connection") {
            sleep(PAUSE).await;
        }
    }
}

impl Shared {
    /// What operation `number` asks.
    fn task(&self, number: u64) -> Asked {
        match &self.right {
            Right::Same { command, body, .. } => Asked {
                phone: number,
                command: *command,
                body: body.clone(),
                verdict: Verdict::Allow,
            },
            Right::Mixed(mix) => mix.ask(number, self.phones.users.len()),
        }
    }

    /// One request and its whole answer.
    async fn ask(&self, connection: &mut Connection, task: &Asked) -> Result<(), &'static str> {
        let request = self.phones.get(task.phone, task.command, task.body.clone());
        let answer = connection.send(request).await.map_err(|_| "broken")?;
        let (head, body) = answer.into_parts();
        match &self.right {
            Right::Same { status, length, .. } => {
                let octets = read(body, |_| {}).await?;
                if head.status.as_u16() != *status {
                    return Err(wrong_status(head.status.as_u16()));
                }
                if length.is_some_and(|expected| expected != octets) {
                    return Err("wrong_length");
                }
                Ok(())
            }
            Right::Mixed(mix) => {
                let mut whole = Vec::new();
                read(body, |octets| whole.extend_from_slice(octets)).await?;
                mix.check(task, head.status, &head.headers, &whole)
            }
        }
    }

    fn begin(&self, intended: Monotonic) {
        let now = self.clock.now().monotonic;
        self.tally.borrow_mut().begin(now.since(intended));
    }

    fn count(&self, task: &Asked, outcome: Result<(), &'static str>, intended: Monotonic) {
        let latency = self.clock.now().monotonic.since(intended);
        let mut tally = self.tally.borrow_mut();
        match outcome {
            Ok(()) => tally.succeed(latency),
            Err(kind) => tally.fail(kind),
        }
        if matches!(self.right, Right::Mixed(_)) && outcome.is_ok() {
            tally.succeed_in(task.verdict.name(), latency);
            tally.note(task.command.name());
        }
    }
}

/// Reads a body to its end; gives its length.
async fn read(mut body: Incoming, mut take: impl FnMut(&[u8])) -> Result<u64, &'static str> {
    let mut length = 0;
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| "body_cut")?;
        let octets = frame.data_ref().map_or(&[][..], |octets| octets);
        take(octets);
        length += u64::try_from(octets.len()).unwrap_or(u64::MAX);
    }
    Ok(length)
}

/// After these errors nothing more can be asked on a connection of HTTP/1.1.
fn is_fatal(kind: &str) -> bool {
    matches!(kind, "broken" | "timeout" | "body_cut")
}

const fn wrong_status(status: u16) -> &'static str {
    match status {
        200 => "status_200",
        400 => "status_400",
        401 => "status_401",
        403 => "status_403",
        404 => "status_404",
        429 => "status_429",
        449 => "status_449",
        500 => "status_500",
        502 => "status_502",
        503 => "status_503",
        504 => "status_504",
        _ => "another_status",
    }
}

/// Requests in flight of an open loop; beyond it they begin late, and their latency says so.
const OPEN_LOOP: usize = 256;

/// Connections that are opened at the same time: a front may take more for an attack.
const OPENING: usize = 64;

/// Octets of an answer of the lab's origin, if it was not told otherwise.
const PASSED: u64 = 1024;

/// Before a connection that failed is tried again.
const PAUSE: Duration = Duration::from_millis(100);
