//! Pings that wait: how many are held, which of them end, and when.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io;
use std::io::IsTerminal;
use std::io::Write;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use hdrhistogram::Histogram;
use http::Request;
use http_body_util::Full;
use portreeve::model::Monotonic;
use portreeve::net::Clock;
use serde_json::json;
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::Arguments;
use super::Command;
use super::Door;
use super::connection::Connection;
use super::mix::Mix;
use super::phones;
use super::query;
use super::query::Phones;
use crate::load::histogram::picture;
use crate::load::process::Process;
use crate::load::report::Tally;
use crate::load::report::histogram;
use crate::load::report::nanos;
use crate::load::unusable;

/// What became of the Pings.
struct Ends {
    /// How many ended, by status; `broken` without an answer.
    by_status: BTreeMap<String, u64>,
    /// Nanoseconds from when all were held; those before count as 0.
    after: Histogram<u64>,
    /// When all were held.
    held_at: Option<Monotonic>,
}

/// Opens all connections, sends a Ping on each, and watches for `--seconds`.
pub(super) async fn run(arguments: &Arguments, door: &Arc<Door>, pings: u32) -> io::Result<()> {
    let clock = Clock::start();
    let phones = phones(arguments, door)?;
    let body = query::ping(arguments.heartbeat);
    let server = arguments.report.server_pid.map(Process::of);
    let memory = || server.as_ref().map(Process::memory).transpose();
    let before = memory()?;
    let opened = super::open(door, usize::try_from(pings).unwrap_or(usize::MAX)).await?;
    let ends = Rc::new(RefCell::new(Ends {
        by_status: BTreeMap::new(),
        after: histogram(),
        held_at: None,
    }));
    let mut waiting = JoinSet::new();
    for (index, connection) in (0..).zip(opened) {
        let request = phones.get(index, Command::Ping, body.clone());
        waiting.spawn_local(wait(connection, request, Rc::clone(&ends), clock));
    }
    // Time for every Ping to arrive where it waits.
    sleep(SETTLE).await;
    let all_held = clock.now();
    ends.borrow_mut().held_at = Some(all_held.monotonic);
    let held = memory()?;
    let watch = async { while waiting.join_next().await.is_some() {} };
    // Either all have ended, or the time has.
    let _still_waiting = tokio::time::timeout(arguments.pace.duration(), watch).await;
    waiting.abort_all();
    let ends = ends.borrow();
    let ended: u64 = ends.by_status.values().sum();
    let millis = |quantile| ends.after.value_at_quantile(quantile) / 1_000_000;
    let each = before
        .zip(held)
        .map(|(before, held)| held.saturating_sub(before) / u64::from(pings.max(1)));
    let line = json!({
        "load": format!("eas Ping, {} query, held", arguments.query.name()),
        "server": arguments.url.to_string(),
        "held": pings,
        "held_at": all_held.wall.to_string(),
        "still_waiting": u64::from(pings).saturating_sub(ended),
        "ended": ended,
        "ended_by_status": ends.by_status,
        "ended_after_ms": { "first": millis(0.0), "p50": millis(0.5), "last": millis(1.0) },
        "server_octets_each": each,
    });
    let mut out = io::stdout().lock();
    if !arguments.report.is_json() && out.is_terminal() {
        writeln!(
            out,
            "When Pings ended, counted from when all were held:\n{}",
            picture(&ends.after)
        )?;
    }
    writeln!(out, "{line}")?;
    let broken = ends.by_status.get(BROKEN).copied().unwrap_or(0);
    if broken > 0 {
        return Err(io::Error::other(format!("{broken} of {pings} Pings broke")));
    }
    Ok(())
}

async fn wait(
    mut connection: Connection,
    request: Request<Full<bytes::Bytes>>,
    ends: Rc<RefCell<Ends>>,
    clock: Clock,
) {
    let status = match connection.send(request).await {
        Ok(answer) => answer.status().as_u16().to_string(),
        Err(_) => BROKEN.to_owned(),
    };
    let now = clock.now().monotonic;
    let mut ends = ends.borrow_mut();
    *ends.by_status.entry(status).or_default() += 1;
    let after = ends
        .held_at
        .map_or(Duration::ZERO, |held_at| now.since(held_at));
    ends.after.saturating_record(nanos(after));
}

/// Pings that wait while other requests are made.
pub(super) struct Beside {
    opened: u64,
    waiting: JoinSet<()>,
    ends: Rc<RefCell<Ends>>,
}

impl Beside {
    /// Has `pings` phones that are not blocked wait.
    pub(super) async fn open(
        arguments: &Arguments,
        door: &Arc<Door>,
        phones: &Phones,
        mix: &Mix,
        pings: u32,
    ) -> io::Result<Self> {
        let clock = Clock::start();
        let body = query::ping(arguments.heartbeat);
        let connections = super::open(door, usize::try_from(pings).unwrap_or(usize::MAX)).await?;
        let ends = Rc::new(RefCell::new(Ends {
            by_status: BTreeMap::new(),
            after: histogram(),
            held_at: None,
        }));
        let mut waiting = JoinSet::new();
        for (index, connection) in (0..).zip(connections) {
            let phone = mix.waiting(index);
            let phone = phone.ok_or_else(|| unusable("no phone waits if all are blocked"))?;
            let request = phones.get(phone, Command::Ping, body.clone());
            waiting.spawn_local(wait(connection, request, Rc::clone(&ends), clock));
            // Not all sign-ins at once: a front may take that for guesses.
            if index % AT_ONCE == AT_ONCE - 1 {
                sleep(BETWEEN).await;
            }
        }
        sleep(SETTLE).await;
        Ok(Self {
            opened: pings.into(),
            waiting,
            ends,
        })
    }

    /// How many have waited to the end, which all should.
    pub(super) fn count(mut self, tally: &mut Tally) {
        let ended: u64 = self.ends.borrow().by_status.values().sum();
        self.waiting.abort_all();
        tally.note_many("pings_held_to_the_end", self.opened.saturating_sub(ended));
        tally.fail_many("ping_ended", ended);
    }
}

/// Pings that are sent at once, and how long after them the next.
const AT_ONCE: u64 = 64;
const BETWEEN: Duration = Duration::from_millis(20);

const BROKEN: &str = "broken";

/// Two decisions and a round trip take milliseconds; thousands of Pings at once some more.
const SETTLE: Duration = Duration::from_secs(2);
