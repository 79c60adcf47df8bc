//! Pulling facts from sources.

mod entra;
mod file;
mod intune;
mod json;
mod link;
mod plan;
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
pub use walk::Limits;
pub use walk::Walk;
pub use walk::WalkError;
