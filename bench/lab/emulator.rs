//! An emulator of the Microsoft cloud as far as the gateway asks it: the token endpoint of Entra,
//! and of Graph the managed devices, users, groups and their members.
//!
//! It behaves as the service is known to behave, odd parts included: opaque paging, properties
//! that lists withhold, unset dates in year 1 and year 9999, texts that are empty and not absent.
//! Devices and users are made up from their number when they are asked for, so a million of them
//! cost nothing; only what a request to `/_lab` has changed is kept.
//!
//! Under `/_lab` it is told to misbehave:
//!
//! | request | effect |
//! | --- | --- |
//! | `POST /_lab/fault` | the next answers go wrong, see [`fault::Fault`] |
//! | `DELETE /_lab/fault` | they go right again |
//! | `POST /_lab/device/{id or number}` | overrides properties; the device checks in |
//! | `POST /_lab/group/{name}` | replaces the members by `{"users": [numbers]}`, or adds a group |
//! | `POST /_lab/token` | `{"lifetime": seconds}`, `{"revoke": true}` |
//! | `GET /_lab/requests` | what has been asked since the start |
//!
//! It is for loopback: whoever reaches it can change everything.

#[path = "emulator/answer.rs"]
mod answer;
#[path = "emulator/fault.rs"]
mod fault;
#[path = "emulator/made_up.rs"]
mod made_up;
#[path = "emulator/query.rs"]
mod query;
#[path = "emulator/token.rs"]
mod token;
#[path = "emulator/world.rs"]
mod world;

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;

use axum::Router;
use axum::routing::get;
use axum::routing::post;
use tokio::net::TcpListener;

use world::World;

/// What is emulated.
#[derive(Clone, Debug)]
pub(crate) struct Config {
    /// The tenant's name in the token endpoint's address.
    pub(crate) tenant: String,
    /// The application that may ask.
    pub(crate) client_id: String,
    /// Its secret.
    pub(crate) client_secret: String,
    /// How many devices there are.
    pub(crate) devices: u32,
    /// How many users there are.
    pub(crate) users: u32,
    /// Another seed makes other devices.
    pub(crate) seed: u64,
}

/// Serves on `listener` until the future is dropped.
pub(crate) async fn serve(listener: TcpListener, config: Config) -> std::io::Result<()> {
    let base = format!("http://{}/v1.0", listener.local_addr()?);
    let shared = Shared(Arc::new(Mutex::new(World::new(config, base))));
    let managed = "/v1.0/deviceManagement/managedDevices";
    let router = Router::new()
        .route("/{tenant}/oauth2/v2.0/token", post(token::give))
        .route(managed, get(answer::devices))
        .route(&format!("{managed}/{{id}}"), get(answer::device))
        .route("/v1.0/users", get(answer::users))
        .route("/v1.0/groups", get(answer::groups))
        .route("/v1.0/groups/{id}/transitiveMembers", get(answer::members))
        .route("/_lab/fault", post(fault::add).delete(fault::clear))
        .route("/_lab/device/{id}", post(world::change_device))
        .route("/_lab/group/{name}", post(world::change_group))
        .route("/_lab/token", post(token::change))
        .route("/_lab/requests", get(world::requests))
        .with_state(shared);
    axum::serve(listener, router).await
}

/// The world that all requests share.
#[derive(Clone)]
struct Shared(Arc<Mutex<World>>);

impl Shared {
    fn world(&self) -> MutexGuard<'_, World> {
        // A request that panicked leaves nothing half-done that another could trip over.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
