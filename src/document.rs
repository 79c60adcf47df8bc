//! A TOML text read key by key, every problem with file, line and key.
//!
//! A derived mirror stops at the first wrong key; here reading goes on, and a file with five
//! mistakes gives five problems in one run. Start at [`read`]: it hands a [`Section`] to whoever
//! knows the keys. `policy` keeps the values of its language itself and takes [`Lines`],
//! [`Written`] and [`suggestion`] from here.
//!
//! This room opens no file and knows no key.

mod duration;
mod lines;
mod nearest;
mod section;
mod value;
mod written;

pub use duration::DurationError;
pub use duration::Octets;
pub use duration::OctetsError;
pub use duration::parse_duration;
pub use duration::show_duration;
pub use lines::Lines;
pub use nearest::suggestion;
pub use section::Entry;
pub use section::Section;
pub use section::read;
pub use value::Bounded;
pub use value::Choice;
pub use value::Complaint;
pub use value::Value;
pub use value::integer;
pub use value::kind;
pub use written::Written;
