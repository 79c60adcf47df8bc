//! What a device tells of itself: `DeviceInformation` in Settings and Provision (MS-ASCMD 2.2.3.46,
//! MS-ASPROV 2.2.2.1). All of it is a claim; it names the device to its own user and nothing else.

use crate::eas::Command;
use crate::eas::body;
use crate::eas::body::Element;
use crate::eas::error::BadBody;
use crate::wbxml::Reader;
use crate::wbxml::service::provision;
use crate::wbxml::service::settings;

/// What a device says it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct About<'a> {
    /// Its model.
    pub model: Option<&'a str>,
    /// What its owner calls it.
    pub friendly_name: Option<&'a str>,
    /// Its system with the version.
    pub os: Option<&'a str>,
    /// The language of its system.
    pub language: Option<&'a str>,
}

/// What the body of a command tells; `None` if it tells nothing, cannot be read, or is of a command
/// that never tells.
#[must_use]
pub fn about(command: Command, octets: &[u8]) -> Option<About<'_>> {
    let root = match command {
        Command::Settings => settings::SETTINGS,
        Command::Provision => provision::PROVISION,
        Command::FolderSync
        | Command::Sync
        | Command::Ping
        | Command::GetItemEstimate
        | Command::ItemOperations
        | Command::SendMail
        | Command::SmartForward
        | Command::SmartReply
        | Command::GetAttachment
        | Command::GetHierarchy
        | Command::CreateCollection
        | Command::DeleteCollection
        | Command::MoveCollection
        | Command::FolderCreate
        | Command::FolderDelete
        | Command::FolderUpdate
        | Command::MoveItems
        | Command::MeetingResponse
        | Command::Search
        | Command::ResolveRecipients
        | Command::ValidateCert
        | Command::Find => return None,
    };
    let mut told = None;
    let read = body::document(octets, root, |reader, element| {
        if element.tag != settings::DEVICE_INFORMATION {
            return body::skip(reader, element);
        }
        let about = told.get_or_insert_with(About::default);
        body::children(reader, element, |reader, element| {
            if element.tag == settings::SET {
                set(reader, element, about)
            } else {
                body::skip(reader, element)
            }
        })
    });
    read.ok().and(told)
}

fn set<'a>(
    reader: &mut Reader<'a>,
    element: Element,
    about: &mut About<'a>,
) -> Result<(), BadBody> {
    body::children(reader, element, |reader, element| {
        let slot = match element.tag {
            settings::MODEL => &mut about.model,
            settings::FRIENDLY_NAME => &mut about.friendly_name,
            settings::OS => &mut about.os,
            settings::OS_LANGUAGE => &mut about.language,
            _ => return body::skip(reader, element),
        };
        *slot = Some(body::text(reader, element)?).filter(|text| !text.trim().is_empty());
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wbxml::Tag;
    use crate::wbxml::Writer;

    fn written(root: Tag) -> Vec<u8> {
        let mut writer = Writer::new();
        writer.element(root, |writer| {
            writer.element(settings::DEVICE_INFORMATION, |writer| {
                writer.element(settings::SET, |writer| {
                    writer.leaf(settings::MODEL, "iPhone15C2");
                    writer.leaf(settings::IMEI, "1");
                    writer.leaf(settings::FRIENDLY_NAME, " ");
                    writer.leaf(settings::OS, "iOS 17.1 21B74");
                    writer.leaf(settings::OS_LANGUAGE, "de-DE");
                });
            });
        });
        writer.finish()
    }

    #[test]
    fn settings_and_provision_tell_of_the_device() {
        for (command, root) in [
            (Command::Settings, settings::SETTINGS),
            (Command::Provision, provision::PROVISION),
        ] {
            let octets = written(root);
            let told = about(command, &octets).unwrap();
            assert_eq!(told.model, Some("iPhone15C2"), "{command}");
            assert_eq!(told.friendly_name, None, "{command}");
            assert_eq!(told.os, Some("iOS 17.1 21B74"), "{command}");
            assert_eq!(told.language, Some("de-DE"), "{command}");
            assert_eq!(about(Command::Sync, &octets), None);
        }
        assert_eq!(
            about(Command::Provision, &written(settings::SETTINGS)),
            None
        );
        assert_eq!(about(Command::Settings, b"no WBXML"), None);
        assert_eq!(about(Command::Settings, &[]), None);
    }
}
