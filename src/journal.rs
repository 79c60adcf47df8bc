//! Decision records on disk.
