//! One server of a directory: its connections, and whether it is worth asking.

use std::fmt;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::time::Duration;

use rustls::ClientConfig;
use tokio::sync::Semaphore;
use tokio::sync::SemaphorePermit;
use tokio::time::timeout;
use tracing::info;
use tracing::warn;

use crate::directory::Clock;
use crate::directory::breaker::Breaker;
use crate::directory::breaker::Health;
use crate::directory::ldap::connection::Address;
use crate::directory::ldap::connection::Bound;
use crate::directory::ldap::connection::Connection;
use crate::directory::ldap::connection::Entry;
use crate::directory::ldap::connection::SUCCESS;
use crate::directory::ldap::connection::Trouble;
use crate::directory::ldap::connection::close;
use crate::directory::ldap::message::Search;
use crate::model::Monotonic;
use crate::model::Secret;

/// A server.
pub(super) struct Server {
    pub(super) address: Address,
    tls: Arc<ClientConfig>,
    /// Who searches.
    account: Account,
    /// Connections of the account, for searches.
    searching: Pool,
    /// Connections on which users bind.
    binding: Pool,
    clock: Clock,
    breaker: Mutex<Breaker>,
    /// What went wrong last.
    trouble: Mutex<Option<String>>,
    asked: AtomicU64,
    failed: AtomicU64,
}

/// Who searches; nobody in particular when the name is empty.
#[derive(Clone, Debug, Default)]
pub(super) struct Account {
    pub(super) name: String,
    pub(super) password: Option<Secret>,
}

/// How a server is doing.
#[derive(Clone, Debug)]
pub struct ServerStatus {
    /// Its URL.
    pub server: String,
    /// Whether it is asked.
    pub health: Health,
    /// Questions that it was asked.
    pub asked: u64,
    /// Of those, the ones without an answer.
    pub failed: u64,
    /// What went wrong last.
    pub trouble: Option<String>,
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Server").field(&self.address).finish()
    }
}

/// Connections of one kind that are not in use, and how many there may be.
struct Pool {
    places: Semaphore,
    idle: Mutex<Vec<(Connection, Monotonic)>>,
}

impl Pool {
    fn new(connections: usize) -> Self {
        Self {
            places: Semaphore::new(connections),
            idle: Mutex::new(Vec::new()),
        }
    }

    /// A place for a connection in use; waits for one.
    async fn place(&self) -> Result<SemaphorePermit<'_>, Trouble> {
        // Never closed.
        self.places.acquire().await.map_err(|_| Trouble::Late)
    }

    /// One that was used lately; older ones are closed, since a server or a firewall may have
    /// forgotten them.
    fn take(&self, now: Monotonic) -> Option<Connection> {
        let (connection, since) = lock(&self.idle).pop()?;
        if now.since(since) < LONGEST_IDLE {
            return Some(connection);
        }
        // The last that was put back is the youngest.
        lock(&self.idle).clear();
        None
    }

    fn put_back(&self, connection: Connection, now: Monotonic) {
        lock(&self.idle).push((connection, now));
    }
}

impl Server {
    pub(super) fn new(
        address: Address,
        tls: Arc<ClientConfig>,
        account: Account,
        connections: usize,
        clock: Clock,
    ) -> Self {
        Self {
            address,
            tls,
            account,
            searching: Pool::new(connections),
            binding: Pool::new(connections),
            clock,
            breaker: Mutex::default(),
            trouble: Mutex::default(),
            asked: AtomicU64::new(0),
            failed: AtomicU64::new(0),
        }
    }

    /// Whether it is worth asking now.
    pub(super) fn admits(&self) -> bool {
        lock(&self.breaker).admits(self.clock.now())
    }

    /// Drives a question to this server, which has so long to answer it, and takes note of what comes
    /// of it.
    pub(super) async fn judged<T>(
        &self,
        deadline: Duration,
        question: impl Future<Output = Result<T, Trouble>>,
    ) -> Result<T, Trouble> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        let asked = self.clock.now();
        let answer = timeout(deadline, question).await;
        let answer = answer.unwrap_or(Err(Trouble::Late));
        match &answer {
            Ok(_) => {
                let health = {
                    let mut breaker = lock(&self.breaker);
                    let health = breaker.health();
                    breaker.succeeded();
                    health
                };
                if health == Health::Down {
                    info!(server = %self.address, "the directory server answers again");
                }
            }
            Err(trouble) => {
                self.failed.fetch_add(1, Ordering::Relaxed);
                let opens = lock(&self.breaker).failed(self.clock.now(), asked);
                if opens {
                    warn!(server = %self.address, "a directory server is left alone for a while: it {trouble}");
                }
                *lock(&self.trouble) = Some(trouble.to_string());
            }
        }
        answer
    }

    /// Searches on a connection of the account. Whoever is cancelled loses the connection.
    pub(super) async fn search(&self, search: &Search<'_>) -> Result<Vec<Entry>, Trouble> {
        let pool = &self.searching;
        let _place = pool.place().await?;
        if let Some(mut connection) = pool.take(self.clock.now()) {
            match connection.search(search).await {
                // The server has closed it meanwhile: that says nothing of how it is.
                Err(Trouble::Broken(_) | Trouble::Disconnects(_)) => {}
                done => return self.keep(pool, connection, done),
            }
        }
        let mut connection = Connection::open(&self.address, &self.tls).await?;
        let account = &self.account;
        if !account.name.is_empty() {
            let password = account.password.as_ref();
            let bound = connection.bind(&account.name, password).await?;
            if bound.code != SUCCESS {
                return Err(Trouble::Refused {
                    what: "the account that searches",
                    code: bound.code,
                    text: bound.text,
                });
            }
        }
        let done = connection.search(search).await;
        self.keep(pool, connection, done)
    }

    /// Binds as a user, on a connection for that. Whoever is cancelled loses the connection.
    pub(super) async fn bind(&self, name: &str, password: &Secret) -> Result<Bound, Trouble> {
        let pool = &self.binding;
        let _place = pool.place().await?;
        if let Some(mut connection) = pool.take(self.clock.now()) {
            match connection.bind(name, Some(password)).await {
                Err(Trouble::Broken(_) | Trouble::Disconnects(_)) => {}
                done => return self.keep(pool, connection, done),
            }
        }
        let mut connection = Connection::open(&self.address, &self.tls).await?;
        let done = connection.bind(name, Some(password)).await;
        self.keep(pool, connection, done)
    }

    /// Keeps the connection for another question, unless this one has left it in doubt.
    fn keep<T>(
        &self,
        pool: &Pool,
        connection: Connection,
        done: Result<T, Trouble>,
    ) -> Result<T, Trouble> {
        match &done {
            // Refused is the server's last word on that question.
            Ok(_) | Err(Trouble::Refused { .. }) => pool.put_back(connection, self.clock.now()),
            Err(
                Trouble::Connect(_)
                | Trouble::Tls(_)
                | Trouble::Broken(_)
                | Trouble::Late
                | Trouble::Malformed
                | Trouble::Disconnects(_)
                | Trouble::TooMany(_),
            ) => {}
        }
        done
    }

    /// Takes leave of the server.
    pub(super) async fn close(&self) {
        let idle = [&self.searching, &self.binding]
            .into_iter()
            .flat_map(|pool| std::mem::take(&mut *lock(&pool.idle)))
            .collect::<Vec<_>>();
        for (connection, _) in idle {
            close(connection).await;
        }
    }

    pub(super) fn status(&self) -> ServerStatus {
        let health = lock(&self.breaker).health();
        let trouble = lock(&self.trouble).clone();
        ServerStatus {
            server: self.address.to_string(),
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

/// Active Directory closes what was idle for 15 minutes, and some firewalls sooner.
const LONGEST_IDLE: Duration = Duration::from_mins(2);
