//! Pulling facts from sources.
