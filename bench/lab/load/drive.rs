//! Operations in flight: begun when their time comes, carried on with each reply, counted at
//! their end. An operation is one request and its reply, or a whole conversation.

use std::io;
use std::net::IpAddr;
use std::net::SocketAddr;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use portreeve::model::Monotonic;
use portreeve::model::Now;
use portreeve::model::Secret;
use portreeve::net::Clock;
use portreeve::radius::EncodeError;
use portreeve::radius::RequestAuthenticator;
use portreeve::radius::SharedSecret;
use portreeve::radius::VerifiedReply;

use super::pace::Plan;
use super::report::Tally;
use super::udp::Batch;
use super::udp::Draft;
use super::udp::Patience;
use super::udp::Ports;
use super::udp::Received;
use super::unusable;

/// How to reach a RADIUS server.
#[derive(Clone, Debug, Args)]
pub(super) struct ServerArguments {
    /// Address and port of the server.
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub(super) server: SocketAddr,
    /// File with the shared secret.
    #[arg(long, value_name = "FILE")]
    secret_file: PathBuf,
    /// Source ports to send from; 256 requests can be in flight from each
    /// [default: 4, or more where the operations need more].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    ports: Option<u16>,
    /// Milliseconds to wait for an answer.
    #[arg(long, value_name = "MS", default_value_t = 3000,
          value_parser = clap::value_parser!(u64).range(1..=60_000))]
    timeout: u64,
    /// Times a request is sent; 1 never repeats one.
    #[arg(long, value_name = "N", default_value_t = 1,
          value_parser = clap::value_parser!(u32).range(1..=10))]
    pub(super) tries: u32,
    /// Overload: an operation whose first request gets no answer was refused by the server, and is
    /// counted but no error. One that was begun and not finished still is.
    #[arg(long)]
    pub(super) shed: bool,
}

impl ServerArguments {
    /// The ports of one of `threads`, for `in_flight` operations of all threads at once.
    pub(super) fn open(&self, in_flight: usize, threads: u32) -> io::Result<Ports> {
        let threads = usize::try_from(threads).unwrap_or(1).max(1);
        let count = self.port_count(in_flight).div_ceil(threads);
        self.open_from(&vec![None; count])
    }

    /// Ports at addresses of this machine; the system chooses where there is `None`.
    pub(super) fn open_from(&self, sources: &[Option<IpAddr>]) -> io::Result<Ports> {
        let patience = Patience {
            timeout: Duration::from_millis(self.timeout),
            tries: self.tries,
        };
        let secret = SharedSecret::new(read_secret(&self.secret_file)?);
        Ports::open(self.server, sources, secret, patience)
    }

    /// The most operations that can be in flight at once.
    pub(super) fn ceiling(&self) -> usize {
        self.ports.map_or(DEFAULT_PORTS, usize::from) * 256
    }

    /// Half of the identifiers are kept in reserve: those of lost requests have to rest.
    fn port_count(&self, in_flight: usize) -> usize {
        match self.ports {
            Some(ports) => ports.into(),
            None => in_flight.div_ceil(128).max(DEFAULT_PORTS),
        }
    }

    /// The longest that an operation of one request can take.
    fn longest(&self) -> Duration {
        Duration::from_millis(self.timeout) * self.tries
    }
}

/// The secret in a file; a line end after it does not belong to it.
pub(crate) fn read_secret(path: &Path) -> io::Result<Secret> {
    let mut octets = std::fs::read(path)
        .map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", path.display())))?;
    while octets.last().is_some_and(u8::is_ascii_whitespace) {
        octets.pop();
    }
    if octets.is_empty() {
        return Err(unusable(format!("{} is empty", path.display())));
    }
    Ok(Secret::new(octets))
}

/// What operations consist of.
pub(super) trait Traffic {
    /// What is remembered of one in flight.
    type Task;

    /// Operation `number`; `None` if nobody is there to carry it out just now.
    fn begin(&mut self, number: u64) -> Option<Self::Task>;

    /// Writes its next request; gives the length.
    fn write(&mut self, task: &mut Self::Task, draft: Draft<'_>) -> Result<usize, EncodeError>;

    /// Takes the verified reply to the last request.
    fn read(&mut self, now: Now, task: &mut Self::Task, reply: &Answer<'_>) -> Next;

    /// The operation is over, however it went.
    fn end(&mut self, task: Self::Task) {
        drop(task);
    }
}

/// A reply, and what its attributes were hidden with.
#[derive(Debug)]
pub(super) struct Answer<'a> {
    pub(super) reply: VerifiedReply<'a>,
    pub(super) request: RequestAuthenticator,
    pub(super) secret: &'a SharedSecret,
}

/// How an operation goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// With another request.
    Request,
    /// It is over, and all was right.
    Done,
    /// It is over, and this was wrong.
    Failed(&'static str),
    /// It never began: the server has too much to do, and is allowed to.
    Refused,
}

/// What a thread's run came to.
#[derive(Debug)]
pub(super) struct Driven {
    pub(super) tally: Tally,
    pub(super) elapsed: Duration,
}

struct Running<T> {
    task: T,
    port: usize,
    intended: Monotonic,
    /// Whether the server has answered a request of it.
    answered: bool,
}

struct Drive<'a, T: Traffic> {
    traffic: &'a mut T,
    ports: Ports,
    plan: Plan,
    tally: Tally,
    running: Vec<Option<Running<T::Task>>>,
    /// Places of `running` that are empty.
    places: Vec<usize>,
    next_port: usize,
    last_end: Monotonic,
}

/// Carries `plan` out; ends when every operation has ended or been given up.
pub(super) fn drive<T: Traffic>(
    server: &ServerArguments,
    ports: Ports,
    traffic: &mut T,
    plan: Plan,
    clock: Clock,
) -> io::Result<Driven> {
    // Whoever is still not done then is given up: a conversation may always take one more round.
    let deadline = plan.until() + server.longest() * 2;
    let mut drive = Drive {
        traffic,
        ports,
        last_end: plan.start(),
        plan,
        tally: Tally::new(),
        running: Vec::new(),
        places: Vec::new(),
        next_port: 0,
    };
    let mut batch = Batch::new();
    let mut gone = Vec::new();
    loop {
        let now = clock.now().monotonic;
        drive.ports.expire(now, &mut gone);
        for place in gone.drain(..) {
            let how = drive.given_up(place, server.shed);
            drive.end(now, place, how);
        }
        drive.begin(now)?;
        drive.ports.flush(now)?;
        let over = drive.plan.is_over(now);
        if over && (drive.in_flight() == 0 || now >= deadline) {
            break;
        }
        for port in drive.ports.wait(drive.idle(now))? {
            while drive.ports.receive(port, &mut batch)? {
                drive.receive(clock.now(), port, &batch)?;
                // Answers of a batch set their successors off before the next batch is read.
                drive.begin(clock.now().monotonic)?;
                drive.ports.flush(clock.now().monotonic)?;
            }
        }
    }
    let unfinished = u64::try_from(drive.in_flight()).unwrap_or(u64::MAX);
    drive.tally.fail_many("unfinished", unfinished);
    if server.shed {
        drive.tally.note_many("never_begun", drive.plan.missed());
    } else {
        drive.tally.fail_many("never_begun", drive.plan.missed());
    }
    Ok(Driven {
        tally: drive.tally,
        elapsed: drive.last_end.since(drive.plan.start()),
    })
}

impl<T: Traffic> Drive<'_, T> {
    fn in_flight(&self) -> usize {
        self.running.len() - self.places.len()
    }

    /// What it means that a request was not answered.
    fn given_up(&self, place: usize, shed: bool) -> Next {
        let answered = match self.running.get(place) {
            Some(Some(running)) => running.answered,
            Some(None) | None => false,
        };
        match (shed, answered) {
            (true, false) => Next::Refused,
            (true, true) => Next::Failed("broken_off"),
            (false, _) => Next::Failed("timeout"),
        }
    }

    /// How long there is nothing to do but to wait for replies.
    fn idle(&self, now: Monotonic) -> Duration {
        let expiry = self.ports.next_deadline().map(|at| now.until(at));
        let begin = self.plan.wait(now);
        [expiry, begin, Some(LONGEST_SLEEP)]
            .into_iter()
            .flatten()
            .min()
            .unwrap_or(LONGEST_SLEEP)
    }

    /// Begins what is due and finds room.
    fn begin(&mut self, now: Monotonic) -> io::Result<()> {
        while let Some(port) = self.free_port() {
            let Some((number, intended)) = self.plan.next(now, self.in_flight()) else {
                break;
            };
            self.tally.begin(now.since(intended));
            let Some(task) = self.traffic.begin(number) else {
                self.tally.fail("nobody_idle");
                continue;
            };
            let running = Some(Running {
                task,
                port,
                intended,
                answered: false,
            });
            let place = match self.places.pop() {
                Some(place) => {
                    if let Some(empty) = self.running.get_mut(place) {
                        *empty = running;
                    }
                    place
                }
                None => {
                    self.running.push(running);
                    self.running.len() - 1
                }
            };
            self.request(place)?;
        }
        Ok(())
    }

    /// Goes round the ports that have room.
    fn free_port(&mut self) -> Option<usize> {
        let count = self.ports.count();
        let mut ports = (0..count).map(|step| (self.next_port + step) % count);
        let port = ports.find(|port| self.ports.has_room(*port))?;
        self.next_port = (port + 1) % count;
        Some(port)
    }

    fn request(&mut self, place: usize) -> io::Result<()> {
        let Some(Some(running)) = self.running.get_mut(place) else {
            return Ok(());
        };
        let traffic = &mut *self.traffic;
        self.ports.put(running.port, place, |draft| {
            traffic.write(&mut running.task, draft)
        })
    }

    fn receive(&mut self, now: Now, port: usize, batch: &Batch) -> io::Result<()> {
        for octets in batch.datagrams() {
            match self.ports.accept(port, octets) {
                Received::Reply {
                    task,
                    reply,
                    request,
                } => {
                    let Some(Some(running)) = self.running.get_mut(task) else {
                        continue;
                    };
                    running.answered = true;
                    let answer = Answer {
                        reply,
                        request,
                        secret: self.ports.secret(),
                    };
                    match self.traffic.read(now, &mut running.task, &answer) {
                        Next::Request => self.request(task)?,
                        next @ (Next::Done | Next::Failed(_) | Next::Refused) => {
                            self.end(now.monotonic, task, next);
                        }
                    }
                }
                Received::False { task } => {
                    self.end(now.monotonic, task, Next::Failed("false_signature"));
                }
                Received::Late => self.tally.note("late_replies"),
                Received::Stray => self.tally.note("stray_datagrams"),
            }
        }
        Ok(())
    }

    fn end(&mut self, now: Monotonic, place: usize, how: Next) {
        let Some(running) = self.running.get_mut(place).and_then(Option::take) else {
            return;
        };
        self.places.push(place);
        match how {
            Next::Done | Next::Request => self.tally.succeed(now.since(running.intended)),
            Next::Failed(kind) => self.tally.fail(kind),
            Next::Refused => self.tally.note("refused"),
        }
        // Those who wait in vain do not stretch the time in which the others were served.
        if how != Next::Refused {
            self.last_end = now;
        }
        self.traffic.end(running.task);
    }
}

/// So that the end of the time is noticed.
const LONGEST_SLEEP: Duration = Duration::from_millis(20);

const DEFAULT_PORTS: usize = 4;

#[cfg(test)]
mod tests;
