//! What is pulled from whom, how often, and what happens when it fails.
//!
//! A *source* is a configured place that facts come from: a pair of local files, a Microsoft
//! tenant. A *feed* is one list of a source, its devices or its users. Each feed has a task that
//! asks when its [`Plan`] says so; what it brings goes through one bounded queue to the one thread
//! that owns the inventory's writer. Nothing on the way to a verdict ever waits for this room.
//!
//! What holds whatever a source does:
//!
//! - A failure removes nothing. What was said before stays, with its age, and the status says why.
//! - A list counts when its last page is in. What a list lacks is removed only when a second look
//!   agrees, and the inventory holds back a list that lacks too much.
//! - A device that changes is seen by the next quick run, one `quick_interval` later at most, also
//!   while a full walk of hours is under way. What the service changes without a check-in of the
//!   device, other than to not compliant, waits for the next full walk.
//! - Times in answers are not believed: the age of a fact counts from when it arrived here.
//! - A token goes to the configured origin and nowhere else; links and redirects that lead away
//!   end the run.
//!
//! Start at [`start`]; then `run` (tasks), `plan` and `walk` (no I/O), `graph` and `file`.

mod entra;
mod feed;
mod file;
mod graph;
mod handle;
mod http;
mod intune;
mod json;
mod link;
mod oauth;
mod plan;
mod run;
mod settings;
mod source;
mod status;
mod told;
mod walk;

pub use entra::DirectoryGroup;
pub use entra::DirectoryUser;
pub use entra::read_groups;
pub use entra::read_members;
pub use entra::read_users;
pub use file::Format;
pub use file::Loaded;
pub use file::Tolerance;
pub use file::read_device_file;
pub use file::read_user_file;
pub use graph::GraphSetupError;
pub use handle::Binding;
pub use handle::ClientOrder;
pub use handle::Handle;
pub use handle::SyncNowError;
pub use http::TrustError;
pub use intune::read_managed_devices;
pub use json::Page;
pub use json::PageError;
pub use json::RowError;
pub use link::Base;
pub use link::BaseError;
pub use link::Link;
pub use link::LinkError;
pub use plan::Backoff;
pub use plan::Plan;
pub use plan::Run;
pub use plan::Schedule;
pub use run::StartError;
pub use run::Tasks;
pub use run::start;
pub use settings::Config;
pub use settings::FileConfig;
pub use settings::GraphConfig;
pub use settings::Groups;
pub use settings::Timing;
pub use settings::parse;
pub use source::Clock;
pub use status::Answered;
pub use status::Counters;
pub use status::Outcome;
pub use status::RunError;
pub use status::RunStatus;
pub use status::State;
pub use status::Status;
pub use walk::Limits;
pub use walk::Walk;
pub use walk::WalkError;
