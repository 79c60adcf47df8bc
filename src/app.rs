//! Building, wiring, reloading and draining.
