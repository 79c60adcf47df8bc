//! The lock-free compliance cache.
