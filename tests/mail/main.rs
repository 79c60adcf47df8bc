//! The mail plane: heads, the gateway core in virtual time, and the front on loopback.

mod query;
