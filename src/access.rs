//! The decision: subject, facts and policy meet.
