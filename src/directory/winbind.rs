//! Active Directory through winbind: answers to a challenge, checked by Samba's `ntlm_auth`.
//!
//! Only a domain controller has the NT hashes of a domain. Samba's winbind, joined to the domain, asks
//! it; its program `ntlm_auth --helper-protocol=ntlm-server-1` hands the question on. A few of these run,
//! each answering one question at a time; one that dies, or does not answer in time, is replaced.

use std::io;
use std::process::Stdio;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::io::AsyncWriteExt;
use tokio::process::Child;
use tokio::process::ChildStdin;
use tokio::process::ChildStdout;
use tokio::process::Command;
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tracing::info;
use tracing::warn;

use crate::directory::Clock;
use crate::directory::ServerStatus;
use crate::directory::Told;
use crate::directory::breaker::Breaker;
use crate::directory::breaker::Health;
use crate::directory::name::LoginName;
use crate::model::Monotonic;
use crate::model::NtKey;

mod protocol;

pub use protocol::Incomplete;
pub use protocol::Reply;
pub use protocol::read;

/// How the helpers are run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WinbindConfig {
    /// The program and its arguments.
    pub command: Vec<String>,
    /// Realms and domains of its users; empty for all.
    pub realms: Vec<String>,
    /// The NT domain of names without one; empty to leave it to winbind.
    pub domain: String,
    /// How many run at one time.
    pub processes: usize,
    /// How long one has for a user.
    pub deadline: Duration,
}

/// The helpers.
#[derive(Debug)]
pub struct Winbind {
    config: WinbindConfig,
    clock: Clock,
    places: Semaphore,
    idle: Mutex<Vec<Helper>>,
    breaker: Mutex<Breaker>,
    trouble: Mutex<Option<String>>,
    asked: AtomicU64,
    failed: AtomicU64,
}

/// Why a helper gave no answer that can be used.
#[derive(Debug, thiserror::Error)]
enum Trouble {
    #[error("cannot be started: {0}")]
    Start(io::Error),
    #[error("ends or breaks: {0}")]
    Broken(io::Error),
    #[error("does not answer in time")]
    Late,
    #[error("answers what is not its protocol")]
    Malformed,
    #[error("cannot ask the domain: {0}")]
    Domain(String),
}

/// A running program.
#[derive(Debug)]
struct Helper {
    // Killed when it is dropped.
    _process: Child,
    input: ChildStdin,
    output: ChildStdout,
}

impl Helper {
    fn start(command: &[String]) -> Result<Self, Trouble> {
        let (program, arguments) = command
            .split_first()
            .ok_or_else(|| Trouble::Start(io::Error::new(io::ErrorKind::NotFound, "no command")))?;
        let mut process = Command::new(program)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .map_err(Trouble::Start)?;
        let (input, output) = (process.stdin.take(), process.stdout.take());
        let (Some(input), Some(output)) = (input, output) else {
            return Err(Trouble::Start(io::ErrorKind::BrokenPipe.into()));
        };
        Ok(Self {
            _process: process,
            input,
            output,
        })
    }

    /// Puts one question. Whoever is cancelled meanwhile must drop the helper.
    async fn ask(&mut self, question: &[u8]) -> Result<Reply, Trouble> {
        let input = &mut self.input;
        input.write_all(question).await.map_err(Trouble::Broken)?;
        input.flush().await.map_err(Trouble::Broken)?;
        let mut octets = Vec::new();
        loop {
            match read(&octets) {
                Ok(reply) => return Ok(reply),
                Err(Incomplete::Malformed) => return Err(Trouble::Malformed),
                Err(Incomplete::More) => {}
            }
            let read = self.output.read_buf(&mut octets).await;
            if read.map_err(Trouble::Broken)? == 0 {
                return Err(Trouble::Broken(io::ErrorKind::UnexpectedEof.into()));
            }
        }
    }
}

impl Winbind {
    /// Starts nothing yet.
    pub(super) fn new(config: WinbindConfig, clock: Clock) -> Self {
        Self {
            places: Semaphore::new(config.processes),
            idle: Mutex::default(),
            breaker: Mutex::default(),
            trouble: Mutex::default(),
            asked: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            config,
            clock,
        }
    }

    /// Whether it is what `new` would make of this.
    pub(super) fn is(&self, config: &WinbindConfig) -> bool {
        self.config == *config
    }

    pub(super) const fn name(&self) -> &'static str {
        "winbind"
    }

    pub(super) fn serves(&self, name: &LoginName<'_>) -> bool {
        name.is_of(&self.config.realms)
    }

    /// Whether `response` is the user's answer to `challenge`, and the key that it leaves.
    pub(super) async fn check(
        &self,
        name: &LoginName<'_>,
        challenge: &[u8; 8],
        response: &[u8; 24],
    ) -> Result<NtKey, Told> {
        let unavailable = |why: String| Err(Told::Unavailable(format!("winbind {why}")));
        let asked = self.clock.now();
        if !lock(&self.breaker).admits(asked) {
            return unavailable("has not answered lately".to_owned());
        }
        self.asked.fetch_add(1, Ordering::Relaxed);
        let question = protocol::write(name, &self.config.domain, challenge, response);
        let reply = timeout(self.config.deadline, self.ask(&question)).await;
        match reply.unwrap_or(Err(Trouble::Late)) {
            Ok(Reply::Yes(key)) => {
                self.succeeded();
                Ok(NtKey::new(key))
            }
            Ok(Reply::No(why)) if protocol::is_of_user(&why) => {
                self.succeeded();
                Err(Told::Refused(protocol::in_words(&why)))
            }
            Ok(Reply::No(why)) => unavailable(self.failed(asked, &Trouble::Domain(why))),
            Err(trouble) => unavailable(self.failed(asked, &trouble)),
        }
    }

    async fn ask(&self, question: &[u8]) -> Result<Reply, Trouble> {
        // Never closed.
        let _place = self.places.acquire().await.map_err(|_| Trouble::Late)?;
        let idle = lock(&self.idle).pop();
        if let Some(mut helper) = idle {
            match helper.ask(question).await {
                // It has ended meanwhile.
                Err(Trouble::Broken(_)) => {}
                reply => return self.keep(helper, reply),
            }
        }
        let mut helper = Helper::start(&self.config.command)?;
        let reply = helper.ask(question).await;
        self.keep(helper, reply)
    }

    fn keep(&self, helper: Helper, reply: Result<Reply, Trouble>) -> Result<Reply, Trouble> {
        if reply.is_ok() {
            lock(&self.idle).push(helper);
        }
        reply
    }

    fn succeeded(&self) {
        let health = {
            let mut breaker = lock(&self.breaker);
            let health = breaker.health();
            breaker.succeeded();
            health
        };
        if health == Health::Down {
            info!("winbind answers again");
        }
    }

    /// Gives what is to be said of it.
    fn failed(&self, asked: Monotonic, trouble: &Trouble) -> String {
        self.failed.fetch_add(1, Ordering::Relaxed);
        if lock(&self.breaker).failed(self.clock.now(), asked) {
            warn!("winbind is left alone for a while: it {trouble}");
        }
        *lock(&self.trouble) = Some(trouble.to_string());
        trouble.to_string()
    }

    pub(super) fn status(&self) -> ServerStatus {
        let health = lock(&self.breaker).health();
        let trouble = lock(&self.trouble).clone();
        ServerStatus {
            server: self.config.command.first().cloned().unwrap_or_default(),
            health,
            asked: self.asked.load(Ordering::Relaxed),
            failed: self.failed.load(Ordering::Relaxed),
            trouble: trouble.filter(|_| health != Health::Up),
        }
    }
}

/// Nothing here is left half done by a panic.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
