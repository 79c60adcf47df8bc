//! The same module paths as in `portreeve`, so that the sources compile unchanged.

#[path = "../../../src/inventory/arena.rs"]
pub(crate) mod arena;
#[path = "../../../src/inventory/entry.rs"]
pub(crate) mod entry;
#[path = "../../../src/inventory/index.rs"]
pub(crate) mod index;
#[path = "../../../src/inventory/table.rs"]
pub(crate) mod table;

/// Loom's atomics in the place of std's.
pub(crate) mod atomic {
    pub(crate) use loom::sync::atomic::AtomicU64;
    pub(crate) use loom::sync::atomic::Ordering;
    pub(crate) use loom::sync::atomic::fence;
}
