//! A mail server's answer to a Provision without the order to wipe that stands in it.

use crate::eas::error::BadBody;
use crate::wbxml::Event;
use crate::wbxml::Reader;
use crate::wbxml::Writer;
use crate::wbxml::service::provision;

/// The answer without `RemoteWipe` and `AccountOnlyRemoteWipe`, wherever they stand; `None` if it has
/// neither. Everything else is as it was. One that has nothing else to say, no policy, gets the
/// `Status` 3, "an error of the server" (MS-ASPROV 2.2.2.54.2): with the 1 of the mail server its
/// client would go on, be sent here at once, and so round and round.
///
/// # Errors
///
/// [`BadBody`]: it is no answer to a Provision, or cannot be read to its end.
pub fn without_wipe(octets: &[u8]) -> Result<Option<Vec<u8>>, BadBody> {
    if octets.is_empty() {
        return Ok(None);
    }
    let mut events = Vec::new();
    let mut reader = Reader::new(octets)?;
    while let Some(event) = reader.next_event()? {
        events.push(event);
    }
    let root = events.first();
    if !matches!(root, Some(Event::Start(tag) | Event::Empty(tag)) if *tag == provision::PROVISION)
    {
        return Err(BadBody::OtherCommand);
    }
    let is_wipe = |tag| tag == provision::REMOTE_WIPE || tag == provision::ACCOUNT_ONLY_REMOTE_WIPE;
    let has = |wanted: &dyn Fn(&Event<'_>) -> bool| events.iter().any(wanted);
    if !has(&|event| matches!(event, Event::Start(tag) | Event::Empty(tag) if is_wipe(*tag))) {
        return Ok(None);
    }
    let has_policies =
        has(&|event| matches!(event, Event::Start(tag) if *tag == provision::POLICIES));
    let mut writer = Writer::new();
    let mut open = Vec::new();
    for event in &events {
        let is_dropped = open.iter().copied().any(is_wipe);
        match *event {
            Event::Start(tag) => {
                open.push(tag);
                if is_dropped || is_wipe(tag) {
                    continue;
                }
            }
            Event::End(_) => {
                open.pop();
                if is_dropped {
                    continue;
                }
            }
            Event::Empty(tag) if is_dropped || is_wipe(tag) => continue,
            Event::Text(_) if !is_dropped && !has_policies && open == OF_ALL => {
                writer.event(Event::Text("3"));
                continue;
            }
            Event::Empty(_) | Event::Text(_) | Event::Opaque(_) if is_dropped => continue,
            Event::Empty(_) | Event::Text(_) | Event::Opaque(_) => {}
        }
        writer.event(*event);
    }
    Ok(Some(writer.finish()))
}

/// Where the status of the whole answer stands.
const OF_ALL: [crate::wbxml::Tag; 2] = [provision::PROVISION, provision::STATUS];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wbxml::service::settings;

    fn answer(status: &str, wipes: impl Fn(&mut Writer), policy: bool) -> Vec<u8> {
        let mut writer = Writer::new();
        writer.element(provision::PROVISION, |writer| {
            writer.element(settings::DEVICE_INFORMATION, |writer| {
                writer.leaf(settings::STATUS, "1");
            });
            writer.leaf(provision::STATUS, status);
            if policy {
                writer.element(provision::POLICIES, |writer| {
                    writer.element(provision::POLICY, |writer| {
                        writer.leaf(provision::STATUS, "1");
                        writer.leaf(provision::POLICY_KEY, "77");
                    });
                });
            }
            wipes(writer);
        });
        writer.finish()
    }

    #[test]
    fn a_wipe_goes_and_everything_else_stays_octet_for_octet() {
        let forms: [fn(&mut Writer); 4] = [
            |writer| writer.empty(provision::REMOTE_WIPE),
            |writer| writer.empty(provision::ACCOUNT_ONLY_REMOTE_WIPE),
            |writer| {
                writer.element(provision::REMOTE_WIPE, |writer| {
                    writer.leaf(provision::STATUS, "1");
                    writer.empty(provision::ACCOUNT_ONLY_REMOTE_WIPE);
                    writer.event(Event::Opaque(b"x"));
                })
            },
            |writer| {
                writer.leaf(provision::REMOTE_WIPE, "");
                writer.element(provision::REMOTE_WIPE, |_| {});
            },
        ];
        for (row, form) in forms.into_iter().enumerate() {
            let with = answer("1", form, true);
            let expected = Some(answer("1", |_| {}, true));
            assert_eq!(without_wipe(&with).unwrap(), expected, "row {row}");
            // One that brings no policy is no success.
            let bare = without_wipe(&answer("1", form, false)).unwrap();
            assert_eq!(bare, Some(answer("3", |_| {}, false)), "row {row}");
        }
    }

    #[test]
    fn an_answer_without_a_wipe_is_left_alone_and_what_cannot_be_read_is_an_error() {
        assert_eq!(without_wipe(&answer("1", |_| {}, true)).unwrap(), None);
        assert_eq!(without_wipe(b"").unwrap(), None);
        let with = answer("1", |writer| writer.empty(provision::REMOTE_WIPE), true);
        for end in 1..with.len() {
            assert!(without_wipe(&with[..end]).is_err(), "cut at {end}");
        }
        assert!(without_wipe(b"<html>").is_err());
        let mut other = Writer::new();
        other.leaf(settings::SETTINGS, "1");
        assert!(without_wipe(&other.finish()).is_err());
        assert!(without_wipe(&[&with[..], &[0x4c, 1]].concat()).is_err());
    }
}
