//! A WBXML document: never a panic, and what is written again says the same. What the gateway reads of
//! its clients' bodies is read as well, and no order to wipe is left where one was taken out.

use portreeve::eas;
use portreeve::eas::body;
use portreeve::wbxml::Event;
use portreeve::wbxml::Malformed;
use portreeve::wbxml::Reader;
use portreeve::wbxml::Writer;

/// Reads `octets`, writes what they say, and reads that.
pub fn drive(octets: &[u8]) {
    let said = body::provision(octets)
        .ok()
        .and_then(|said| said.information);
    let told = body::information(octets).ok().flatten();
    for information in [said, told].into_iter().flatten() {
        // Whatever is told stands in the body.
        let texts = [information.model, information.friendly_name, information.os];
        assert!(texts.iter().all(|text| text.len() < octets.len()));
    }
    for command in [eas::Command::ItemOperations, eas::Command::Search] {
        let fetches = body::fetches_attachment(command, octets);
        assert!(fetches.is_err() || told.is_none());
    }
    if let Ok(sends) = eas::draft::sends(octets) {
        let answer = eas::draft::keep(eas::Version::V16_1, Some(octets)).unwrap();
        let answer = events(&answer).unwrap();
        // A message that may not leave is never answered as if it had.
        let says = |status| answer.contains(&Event::Text(status));
        assert!(!sends || says("16") || says("103"), "{answer:?}");
    }
    if let Ok(Some(rest)) = eas::without_wipe(octets) {
        assert!(
            eas::without_wipe(&rest).unwrap().is_none(),
            "it is still ordered"
        );
    }
    let Ok(events) = events(octets) else {
        return;
    };
    let mut writer = Writer::new();
    for event in &events {
        writer.event(*event);
    }
    let written = writer.finish();
    assert!(written.len() <= octets.len());
    assert_eq!(self::events(&written), Ok(events));
}

fn events(octets: &[u8]) -> Result<Vec<Event<'_>>, Malformed> {
    let mut reader = Reader::new(octets)?;
    let mut events = Vec::new();
    while let Some(event) = reader.next_event()? {
        events.push(event);
    }
    Ok(events)
}
