//! The atomics that the table is built from: std's here, loom's in `tests/loom`.

pub(crate) use std::sync::atomic::AtomicU64;
pub(crate) use std::sync::atomic::Ordering;
pub(crate) use std::sync::atomic::fence;
