//! Log lines that any client can cause, kept from filling the log.

use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use crate::model::Monotonic;

/// Says when a line is due: at once, and then once in [`PAUSE`].
#[derive(Debug, Default)]
pub(super) struct Seldom(Mutex<Option<Monotonic>>);

impl Seldom {
    pub(super) fn is_due(&self, now: Monotonic) -> bool {
        let mut next = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if next.is_some_and(|next| now < next) {
            return false;
        }
        *next = Some(now + PAUSE);
        true
    }
}

/// Long enough to leave the log readable, short enough to be seen while somebody is looking.
const PAUSE: Duration = Duration::from_mins(1);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_due_at_once_and_then_once_a_minute() {
        let seldom = Seldom::default();
        for (second, due) in [(0, true), (1, false), (59, false), (60, true), (61, false)] {
            let now = Monotonic::from_elapsed(Duration::from_secs(second));
            assert_eq!(seldom.is_due(now), due, "row {second}");
        }
    }
}
