//! Building, wiring, reloading and draining.

pub mod first_start;
pub mod pki;
mod write;

use crate::config::Hook;

/// Checks of other rooms' files, run with every load of the configuration and by `check`.
pub const HOOKS: &[Hook] = &[];
