//! Every socket we bind, and every task and thread behind one.
//!
//! | file | binds | runs | ends |
//! | --- | --- | --- | --- |
//! | `radius.rs` | UDP, one socket for each loop and address | one thread for each loop | `Servers::stop` |
//! | `radsec.rs` | TCP, TLS, one listener for each address | one task for each listener and connection | `radsec::serve`, when told |
//! | `streams.rs` | – | nothing: what those tasks and the loops of `radius.rs` share | – |
//! | `pool.rs` | – | handshake workers | with the last `Pool` handle |
//! | `control.rs` | a Unix socket of mode 0600 | one task for each connection | with its runtime |
//! | `dynamic.rs` | UDP, one socket for each family | one task | with its runtime |
//! | `home.rs` | UDP, eight sockets for each family | one task, and one for each socket | with its runtime |
//! | `eas.rs` | TCP, TLS, one listener for each lane and address | one thread for each lane, one task for each connection | `Lanes::stop`, after the drain |
//! | `upstream.rs` | – | nothing: an exchange runs in the task that waits for it | – |
//! | `metrics.rs` | TCP, plain HTTP | one task for each connection | with its runtime |
//!
//! This room turns datagrams and connections into calls of `network` and `mail` and carries out
//! what they answer. It decides nothing.

pub mod body;
mod clock;
pub mod control;
pub mod dynamic;
pub mod eas;
pub mod home;
pub mod http1;
pub mod http2;
pub mod metrics;
mod places;
mod pool;
pub mod proxy_header;
pub mod radius;
pub mod radsec;
mod seldom;
mod streams;
pub mod tls;
pub mod upstream;

pub use clock::Clock;
pub use pool::Pool;
pub use streams::Streams;
