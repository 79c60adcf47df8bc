//! A value as the text that it prints, for whoever serialises it.

use std::fmt::Display;

use serde::Serialize;
use serde::Serializer;

/// Serialises as the text of its value's [`Display`], written where it is to stand.
#[derive(Clone, Copy, Debug)]
pub struct Shown<T>(pub T);

impl<T: Display> Serialize for Shown<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}
