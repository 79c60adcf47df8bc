//! The door of RADIUS over TLS: opened, reloaded, closed.

use std::net::SocketAddr;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Runtime;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::app::StartError;
use crate::app::material;
use crate::app::revocation::Revocation;
use crate::config::Config;
use crate::model::Problem;
use crate::net::Clock;
use crate::net::Streams;
use crate::net::radsec;
use crate::net::radsec::Accepts;
use crate::net::radsec::Counters;
use crate::net::radsec::Front;
use crate::net::radsec::Limits;

/// Listeners that are bound and not yet served.
pub(super) struct Bound {
    accepts: Option<Accepts>,
    listeners: Vec<(SocketAddr, TcpListener)>,
}

impl Bound {
    /// Opens the door, if the configuration has one.
    pub(super) fn open(config: &Config, revocation: &Revocation) -> Result<Self, StartError> {
        let accepts = material::radsec(config, revocation)?;
        let bind = |&address: &SocketAddr| {
            let bound = radsec::bind(address);
            let bound = bound.and_then(|listener| Ok((listener.local_addr()?, listener)));
            bound.map_err(|source| StartError::Bind { address, source })
        };
        let listeners = config.listen.radsec.iter().map(bind);
        Ok(Self {
            accepts,
            listeners: listeners.collect::<Result<_, _>>()?,
        })
    }
}

/// The door, served.
pub(super) struct Radsec {
    /// As bound.
    pub(super) addresses: Vec<SocketAddr>,
    front: Option<Arc<Front>>,
    stop: watch::Sender<bool>,
    serving: Vec<JoinHandle<()>>,
}

impl Radsec {
    pub(super) fn start(
        bound: Bound,
        config: &Config,
        runtime: &Runtime,
        streams: Arc<Streams>,
        clock: Clock,
    ) -> Self {
        let limits = Limits {
            connections: config.radsec.max_connections,
            connections_per_address: config.radsec.max_connections_per_address,
            idle: config.radsec.idle_timeout,
            ..Limits::default()
        };
        let front = bound
            .accepts
            .map(|accepts| Arc::new(Front::new(accepts, streams, clock, limits)));
        let (stop, stopped) = watch::channel(false);
        let (mut addresses, mut serving) = (Vec::new(), Vec::new());
        for (address, listener) in bound.listeners {
            addresses.push(address);
            let Some(front) = front.as_ref().map(Arc::clone) else {
                continue;
            };
            let stopped = stopped.clone();
            serving.push(runtime.spawn(async move {
                if let Err(error) = radsec::serve(listener, front, stopped).await {
                    tracing::error!(%address, %error, "RADIUS over TLS ended early");
                }
            }));
        }
        Self {
            addresses,
            front,
            stop,
            serving,
        }
    }

    /// What has happened at the door, if there is one.
    pub(super) fn counters(&self) -> Option<Arc<Counters>> {
        self.front
            .as_ref()
            .map(|front| Arc::clone(front.counters()))
    }

    /// Reads what a new configuration lets in; `None` where it closes the door, which stays open as
    /// it is until the restart.
    pub(super) fn prepare(
        &self,
        config: &Config,
        revocation: &Revocation,
    ) -> Result<Option<Accepts>, Vec<Problem>> {
        match &self.front {
            Some(_) => material::radsec(config, revocation),
            None => Ok(None),
        }
    }

    /// Lets in whom the new configuration lets in.
    pub(super) fn replace(&self, accepts: Option<Accepts>) {
        if let (Some(front), Some(accepts)) = (&self.front, accepts) {
            front.replace(accepts);
        }
    }

    /// Closes the door and every connection.
    pub(super) fn stop(self, runtime: &Runtime) {
        // Nobody listens only if all have ended.
        let _nobody_listens = self.stop.send(true);
        runtime.block_on(async {
            for serving in self.serving {
                drop(tokio::time::timeout(LONGEST_END, serving).await);
            }
        });
    }
}

/// Connections say that they end within a second; what takes longer is cut with the runtime.
const LONGEST_END: Duration = Duration::from_secs(3);
