//! Values of `source.toml`, each with words for what was expected.

use std::time::Duration;

use crate::document::Section;
use crate::document::integer;
use crate::document::parse_duration;

/// What the keys of `source.toml` hold.
pub(super) trait Values {
    /// A text that is not empty, if it is there.
    fn text(&mut self, key: &'static str) -> Option<String>;

    /// A text that must be there.
    fn required(&mut self, key: &'static str) -> Option<String>;

    /// A list of texts; empty when it is not there.
    fn texts(&mut self, key: &'static str) -> Vec<String>;

    /// Replaces `slot` by a number from 1 on.
    fn count(&mut self, key: &'static str, slot: &mut usize);

    /// Replaces `slot` by a number of 0 to 100.
    fn percent(&mut self, key: &'static str, slot: &mut u8);

    /// Replaces `slot` by a duration within `bounds`, both included.
    fn duration(&mut self, key: &'static str, bounds: (Duration, Duration), slot: &mut Duration);
}

impl Values for Section<'_> {
    fn text(&mut self, key: &'static str) -> Option<String> {
        let value = self.raw(key)?;
        let text = value.get_ref().as_str().map(str::to_owned);
        let text = text.filter(|text| !text.trim().is_empty());
        if text.is_none() {
            self.error(key, "expected a text in quotes that is not empty");
        }
        text
    }

    fn required(&mut self, key: &'static str) -> Option<String> {
        let text = self.text(key);
        if !self.has(key) {
            self.error("", format!("expected a key `{key}`"));
        }
        text
    }

    fn texts(&mut self, key: &'static str) -> Vec<String> {
        let Some(value) = self.raw(key) else {
            return Vec::new();
        };
        let texts = value.get_ref().as_array().and_then(|list| {
            list.iter()
                .map(|element| element.get_ref().as_str().map(str::to_owned))
                .collect()
        });
        texts.unwrap_or_else(|| {
            self.error(key, "expected a list of texts: [\"a\", \"b\"]");
            Vec::new()
        })
    }

    fn count(&mut self, key: &'static str, slot: &mut usize) {
        let Some(value) = self.raw(key) else { return };
        let count = integer(value.get_ref()).and_then(|count| usize::try_from(count).ok());
        match count.filter(|&count| count > 0) {
            Some(count) => *slot = count,
            None => self.error(key, "expected a whole number from 1 on"),
        }
    }

    fn percent(&mut self, key: &'static str, slot: &mut u8) {
        let Some(value) = self.raw(key) else { return };
        let percent = integer(value.get_ref()).and_then(|percent| u8::try_from(percent).ok());
        match percent.filter(|percent| *percent <= 100) {
            Some(percent) => *slot = percent,
            None => self.error(key, "expected a whole number from 0 to 100"),
        }
    }

    fn duration(&mut self, key: &'static str, bounds: (Duration, Duration), slot: &mut Duration) {
        let Some(value) = self.raw(key) else { return };
        let duration = value.get_ref().as_str();
        let duration = duration.and_then(|text| parse_duration(text).ok());
        let (least, most) = bounds;
        match duration.filter(|duration| (least..=most).contains(duration)) {
            Some(duration) => *slot = duration,
            None => self.error(
                key,
                format!(
                    "expected a duration such as \"90s\" or \"1h30m\", from {} s to {} s",
                    least.as_secs(),
                    most.as_secs()
                ),
            ),
        }
    }
}
