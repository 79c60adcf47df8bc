//! A WBXML document: never a panic, and what is written again says the same.

use portreeve::wbxml::Event;
use portreeve::wbxml::Malformed;
use portreeve::wbxml::Reader;
use portreeve::wbxml::Writer;

/// Reads `octets`, writes what they say, and reads that.
pub fn drive(octets: &[u8]) {
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
