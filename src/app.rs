//! Building, wiring, reloading and draining.

pub mod first_start;
mod hook;
pub mod pki;
mod write;

pub use hook::CHECK_HOOKS;
pub use hook::HOOKS;
