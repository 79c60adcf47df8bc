//! `[sessions]`: when a session of which nothing more is heard is over.

use std::time::Duration;

use crate::access::Silence;
use crate::document::Section;

/// Reads it over the defaults.
pub(super) fn read(silence: &mut Silence, mut section: Section<'_>) {
    let lengths = Duration::from_mins(10)..=Duration::from_hours(24 * 90);
    section.set_within("silence", lengths, &mut silence.longest);
    section.set_within("missed_updates", 0..=1000, &mut silence.missed);
    section.finish();
}
