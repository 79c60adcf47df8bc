//! Asking who a user is.
