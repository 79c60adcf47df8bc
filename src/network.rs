//! The RADIUS server without sockets.
