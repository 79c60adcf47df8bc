//! The Date header (RFC 9110 section 5.6.7).

use http::HeaderValue;
use time::OffsetDateTime;

use crate::model::Timestamp;

/// `Sun, 06 Nov 1994 08:49:37 GMT`; `None` beyond the year 9999.
pub fn date(now: Timestamp) -> Option<HeaderValue> {
    let seconds = now.unix_millis().div_euclid(1000);
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
        let at = Timestamp::from_unix_millis(784_111_777_999);
        assert_eq!(date(at).unwrap(), "Sun, 06 Nov 1994 08:49:37 GMT");
    }
}
