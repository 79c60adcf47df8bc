//! The Date header (RFC 9110 section 5.6.7).

use std::cell::RefCell;

use http::HeaderValue;
use time::OffsetDateTime;

use crate::model::Timestamp;

/// `Sun, 06 Nov 1994 08:49:37 GMT`; `None` beyond the year 9999. Written once a second by each thread.
pub fn date(now: Timestamp) -> Option<HeaderValue> {
    let seconds = now.unix_millis().div_euclid(1000);
    LAST.with_borrow_mut(|last| {
        if last.0 != seconds {
            *last = (seconds, write(seconds));
        }
        last.1.clone()
    })
}

thread_local! {
    /// The second that was written last, and how.
    static LAST: RefCell<(i64, Option<HeaderValue>)> = const { RefCell::new((i64::MIN, None)) };
}

fn write(seconds: i64) -> Option<HeaderValue> {
    let at = OffsetDateTime::from_unix_timestamp(seconds).ok()?;
    let (weekday, month) = (at.weekday().to_string(), at.month().to_string());
    let text = format!(
        "{}, {:02} {} {:04} {:02}:{:02}:{:02} GMT",
        weekday.get(..3)?,
        at.day(),
        month.get(..3)?,
        at.year(),
        at.hour(),
        at.minute(),
        at.second(),
    );
    HeaderValue::try_from(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_http() {
        for (millis, expected) in [
            (784_111_777_999, Some("Sun, 06 Nov 1994 08:49:37 GMT")),
            (784_111_777_000, Some("Sun, 06 Nov 1994 08:49:37 GMT")),
            (784_111_778_000, Some("Sun, 06 Nov 1994 08:49:38 GMT")),
            (i64::MAX, None),
            (784_111_777_999, Some("Sun, 06 Nov 1994 08:49:37 GMT")),
        ] {
            let date = date(Timestamp::from_unix_millis(millis));
            let expected = expected.map(HeaderValue::from_static);
            assert_eq!(date, expected, "row {millis}");
        }
    }
}
