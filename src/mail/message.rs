//! The message that a device in quarantine finds in its Inbox.

use std::fmt::Write;

use crate::access::Decided;
use crate::eas;
use crate::eas::quarantine::Message;

use super::who::Who;

/// Writes it: which device, why, and what happens next. One revision for each reason, so that a
/// device gets another message only when there is another reason.
pub(super) fn compose(who: &Who, request: &eas::Request, decided: &Decided, host: &str) -> Message {
    let reason = decided.decision.reason;
    let (device, kind) = (request.device.as_str(), &request.device_type);
    let lines = [
        format!(
            "Your {kind} is not given mail for now: {}",
            reason.sentence()
        ),
        "Mail arrives by itself as soon as the device meets the rules. What you write on it \
         meanwhile stays on it and is sent then."
            .to_owned(),
        format!(
            "For the help desk: device {device}, user {}, reason {}, request {}.",
            who.login.user,
            reason.code(),
            who.id
        ),
    ];
    Message {
        revision: u32::from(reason.code()),
        from: format!("Mail access <no-reply@{host}>"),
        to: who.login.user.clone(),
        subject: format!("Mail is held back on your {kind}"),
        text: lines.join("\r\n\r\n"),
        html: html(&lines),
        sent: decided.seen.at,
    }
}

fn html(lines: &[String]) -> String {
    let mut html = String::from("<html><body>");
    for line in lines {
        // Writing to a string cannot fail.
        let _infallible = write!(html, "<p>{}</p>", escaped(line));
    }
    html.push_str("</body></html>");
    html
}

/// A device names itself and its kind; neither may become markup.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            letter => escaped.push(letter),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_device_calls_itself_is_no_markup() {
        let lines = ["a <b onclick='x'> & \"c\"".to_owned()];
        assert_eq!(
            html(&lines),
            "<html><body><p>a &lt;b onclick=&#39;x&#39;&gt; &amp; &quot;c&quot;</p></body></html>"
        );
    }
}
