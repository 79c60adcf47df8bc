//! EAP conversations and methods, server side.
