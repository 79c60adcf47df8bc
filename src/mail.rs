//! The EAS gateway without sockets.
