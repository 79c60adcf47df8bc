//! Rules and their evaluation.
