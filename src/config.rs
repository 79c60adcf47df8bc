//! Files to typed configuration.
