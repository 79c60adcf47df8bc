//! The lock-free compliance cache: devices, users, groups and mappings, each fact with its source
//! and time.
//!
//! **Guarantees.** Readers never wait for the writer, never lock and never allocate, while a
//! million devices are refreshed and while the tables grow. There is one [`Writer`]. A look-up
//! returns a whole record that was current at some moment during the call; all identifiers of a
//! device switch to a new record at once. An identifier that two devices have finds none of them,
//! never the newer; a locally administered MAC address is neither kept nor found.
//!
//! **What staleness means.** Every fact carries its source and the time at which that source last
//! stated it, by itself or as part of a complete list. This room only keeps the times: what is
//! too old is the policy's to say. A complete list costs one word for all that it leaves
//! unchanged.
//!
//! **What it must never know.** Where facts come from (`sync`), what they lead to (`policy`), any
//! protocol. It reads no clock and draws no random number: both are arguments.
//!
//! **Mail clients** are beside the devices (`clients`): what a DeviceId and its user have said and
//! done, and the wipe that an administrator has ordered. They are read as devices are.
//!
//! **Order of reading.** [`Reader::find`] in `cache`, `table` and below it `index` and `arena`
//! for the way down; [`Writer`], `devices`, `names` and `merge` for the way in; `store` for what
//! outlives the process. `table`, `index`
//! and `arena` are model-checked in `tests/loom`.

mod arena;
mod atomic;
mod batch;
mod cache;
mod change;
mod clients;
mod description;
mod devices;
mod entry;
mod group;
mod index;
mod key;
mod mapping;
mod merge;
mod names;
mod record;
mod report;
mod state;
mod statement;
mod store;
mod table;
#[cfg(test)]
mod tests;
mod writer;

pub use cache::Config;
pub use cache::Guard;
pub use cache::Lookup;
pub use cache::Reader;
pub use cache::UserEntry;
pub use cache::open;
pub use change::Change;
pub use clients::ClientEntry;
pub use clients::MailClient;
pub use clients::Sighting;
pub use clients::Told;
pub use clients::Wipe;
pub use clients::WipeOrder;
pub use clients::WipeStage;
pub use clients::said_by;
pub use description::Description;
pub use description::EasUse;
pub use group::GroupSet;
pub use report::Complete;
pub use report::DeviceReport;
pub use report::Kind;
pub use report::Refused;
pub use report::Update;
pub use report::UserReport;
pub use state::Origin;
pub use store::Damaged;
pub use store::Run;
pub use store::Saved;
pub use store::reopen;
pub use writer::Writer;
