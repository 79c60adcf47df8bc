use proptest::prelude::*;

use super::service::provision;
use super::sync::air_sync;
use super::sync::folder_hierarchy;
use super::sync::ping;
use super::*;

fn events(octets: &[u8]) -> Result<Vec<String>, Malformed> {
    let mut reader = Reader::new(octets)?;
    let mut events = Vec::new();
    while let Some(event) = reader.next_event()? {
        events.push(format!("{event:?}"));
    }
    Ok(events)
}

fn copy(octets: &[u8]) -> Result<Vec<u8>, Malformed> {
    let mut reader = Reader::new(octets)?;
    let mut writer = Writer::new();
    while let Some(event) = reader.next_event()? {
        writer.event(event);
    }
    Ok(writer.finish())
}

/// A document of these octets behind the head.
fn document(octets: &[u8]) -> Vec<u8> {
    [&HEAD[..], octets].concat()
}

#[test]
fn the_examples_of_the_documents_are_written_octet_for_octet() {
    let mut writer = Writer::new();
    writer.element(folder_hierarchy::FOLDER_SYNC, |writer| {
        writer.leaf(folder_hierarchy::STATUS, "142");
    });
    let written = writer.finish();
    // MS-ASPROV section 4.1.1: fifteen octets.
    assert_eq!(
        written,
        b"\x03\x01\x6A\x00\x00\x07\x56\x4C\x03142\x00\x01\x01"
    );
    let mut writer = Writer::new();
    writer.element(ping::PING, |writer| writer.leaf(ping::STATUS, "7"));
    assert_eq!(
        writer.finish(),
        document(b"\x00\x0D\x45\x47\x037\x00\x01\x01")
    );
    let read = events(&written).unwrap();
    assert_eq!(
        read,
        [
            "Start(FolderHierarchy:FolderSync)",
            "Start(FolderHierarchy:Status)",
            "Text(\"142\")",
            "End(FolderHierarchy:Status)",
            "End(FolderHierarchy:FolderSync)",
        ]
    );
}

#[test]
fn everything_but_the_profile_is_refused() {
    let deep = [&[0x45][..], &[0x5C; MAX_DEPTH]].concat();
    for (octets, expected) in [
        (&b""[..], Malformed::CutOff),
        (b"\x45", Malformed::CutOff),
        (b"\x45\x03abc", Malformed::CutOff),
        (b"\x00", Malformed::CutOff),
        (b"\x45\xC3", Malformed::CutOff),
        (b"\x45\xC3\x05abcd", Malformed::CutOff),
        (b"\x45\xC3\x80\x01x\x01", Malformed::Length { at: 6 }),
        (b"\x45\xC3\xFF\xFF\xFF\xFF\x7F", Malformed::Length { at: 6 }),
        // Attributes, an entity, a literal, a table reference, an extension, an instruction.
        (b"\xC5", Malformed::Token { token: 0xC5, at: 4 }),
        (b"\x45\x02", Malformed::Token { token: 0x02, at: 5 }),
        (b"\x45\x44", Malformed::Token { token: 0x44, at: 5 }),
        (b"\x45\x83", Malformed::Token { token: 0x83, at: 5 }),
        (b"\x45\x40", Malformed::Token { token: 0x40, at: 5 }),
        (b"\x45\x43", Malformed::Token { token: 0x43, at: 5 }),
        (
            b"\x3F",
            Malformed::UnknownTag {
                page: 0,
                token: 0x3F,
                at: 4,
            },
        ),
        (
            b"\x00\x03\x05",
            Malformed::UnknownTag {
                page: 3,
                token: 5,
                at: 6,
            },
        ),
        (b"\x45\x03\xFF\x00\x01", Malformed::Text { at: 6 }),
        (b"\x01", Malformed::Outside { at: 4 }),
        (b"\x03a\x00", Malformed::Outside { at: 4 }),
        (b"\xC3\x00", Malformed::Outside { at: 4 }),
        (b"\x45\x01\x01", Malformed::Outside { at: 6 }),
        (b"\x05\x05", Malformed::Outside { at: 5 }),
        (b"\x45\x01\x00", Malformed::Outside { at: 6 }),
        (&deep, Malformed::TooDeep { at: 36 }),
    ] {
        assert_eq!(
            events(&document(octets)),
            Err(expected),
            "row {octets:02X?}"
        );
    }
    for head in [
        &b""[..],
        b"\x03\x01\x6A",
        b"\x02\x01\x6A\x00\x05",
        b"\x03\x00\x00\x6A\x00\x05",
        b"\x03\x01\x03\x00\x05",
        b"\x03\x01\x6A\x02a\x00\x05",
    ] {
        assert_eq!(events(head), Err(Malformed::Head), "row {head:02X?}");
    }
}

#[test]
fn a_reader_that_failed_has_come_to_its_end() {
    let octets = document(b"\x45\x02\x05\x01");
    let mut reader = Reader::new(&octets).unwrap();
    assert_eq!(reader.next_event(), Ok(Some(Event::Start(air_sync::SYNC))));
    assert!(reader.next_event().is_err());
    assert_eq!(reader.next_event(), Ok(None));
}

#[test]
fn an_element_is_skipped_with_all_it_holds() {
    let octets = document(b"\x45\x5C\x4F\x4B\x031\x00\x01\x01\x01\x4E\x031\x00\x01\x01");
    let mut reader = Reader::new(&octets).unwrap();
    reader.next_event().unwrap();
    let collections = reader.next_event().unwrap().unwrap();
    assert_eq!(collections, Event::Start(air_sync::COLLECTIONS));
    reader.skip().unwrap();
    assert_eq!(
        reader.next_event(),
        Ok(Some(Event::Start(air_sync::STATUS)))
    );
}

#[test]
fn tables_are_sorted_and_their_elements_have_one_name() {
    for number in 0..=u8::MAX {
        let Some(page) = code_page::page_of(number) else {
            assert!(number == 3 || number > 25, "page {number}");
            continue;
        };
        assert!(
            page.elements.is_sorted_by(|one, next| one.0 < next.0),
            "{}",
            page.name
        );
        for (token, name) in page.elements {
            assert!(
                (FIRST_TAG..=IDENTITY).contains(token),
                "{}:{name}",
                page.name
            );
            assert_eq!(Tag::new(number, *token).name(), *name);
        }
    }
    assert_eq!(provision::REMOTE_WIPE.to_string(), "Provision:RemoteWipe");
}

/// Octets that are nearly a document.
fn nearly() -> impl Strategy<Value = Vec<u8>> {
    let token = prop_oneof![
        4 => Just(END),
        2 => Just(STR_I),
        2 => Just(SWITCH_PAGE),
        1 => Just(OPAQUE),
        6 => 0x45_u8..0x60,
        4 => 0x05_u8..0x20,
        4 => any::<u8>(),
    ];
    prop::collection::vec(token, 0..60).prop_map(|octets| document(&octets))
}

proptest! {
    #[test]
    fn what_is_read_is_read_again_after_it_was_written(octets in nearly()) {
        if let Ok(written) = copy(&octets) {
            prop_assert_eq!(events(&written), events(&octets));
            prop_assert!(written.len() <= octets.len());
            prop_assert_eq!(copy(&written), Ok(written));
        }
    }

    #[test]
    fn opaque_octets_of_any_length_come_back(length in 0_usize..40_000) {
        let octets = vec![7; length];
        let mut writer = Writer::new();
        writer.element(air_sync::SYNC, |writer| writer.event(Event::Opaque(&octets)));
        let written = writer.finish();
        let mut reader = Reader::new(&written).unwrap();
        reader.next_event().unwrap();
        prop_assert_eq!(reader.next_event(), Ok(Some(Event::Opaque(&octets))));
    }
}
