//! Any octets as dictionaries that include each other, and attributes of theirs as templates.

use portreeve::radius::AttributeType;
use portreeve::radius::Dictionary;
use portreeve::radius::Packet;
use portreeve::radius::Prepared;
use portreeve::radius::Template;

/// One run: files are separated by zeros, the first is `0`, the others are named by their number.
/// Lines of the last one are attributes to be set, `NAME=VALUE`.
pub fn drive(octets: &[u8]) {
    let text = String::from_utf8_lossy(octets);
    let files: Vec<&str> = text.split('\0').take(64).collect();
    let mut opened = 0;
    let mut dictionary = Dictionary::builtin().clone();
    let known = dictionary.len();
    let read = dictionary.read("0", &mut |name| {
        opened += 1;
        let number = name.rsplit('/').next().and_then(|name| name.parse().ok());
        let file = number.and_then(|number: usize| files.get(number));
        file.map(|text| (*text).to_owned())
            .ok_or_else(|| "there is no such file".to_owned())
    });
    assert!(opened <= 2_050, "files are bounded");
    if let Err(faults) = read {
        assert!((1..=20).contains(&faults.len()), "faults are bounded");
        for fault in faults {
            let said = fault.to_string();
            assert!(!said.contains('\n') && said.len() < 600, "{said}");
        }
    }
    assert!(dictionary.len() >= known, "nothing known is lost");

    let mut templates = Vec::new();
    for definition in dictionary.iter().skip(known).take(64) {
        assert_eq!(dictionary.find(&definition.name), Some(definition));
        for value in ["1", "192.0.2.1", "x", "0xab"] {
            templates.extend(Template::new(&dictionary, &definition.name, value));
        }
    }
    for line in files.last().unwrap_or(&"").lines().take(64) {
        let (name, value) = line.split_once('=').unwrap_or((line, "x"));
        match Template::new(&dictionary, name, value) {
            Ok(template) => templates.push(template),
            Err(error) => assert!(!error.to_string().is_empty()),
        }
    }
    for template in &templates {
        let whole = template.octets();
        assert!(whole.len() <= template.size());
        well_formed(whole, template.kind());
    }
    let prepared = Prepared::new(&templates);
    if let Some(octets) = prepared.octets() {
        assert!(octets.len() <= prepared.size());
    }
}

/// Octets of a template are whole attributes of its number.
fn well_formed(whole: &[u8], kind: AttributeType) {
    let length = u16::try_from(20 + whole.len()).expect("a template is shorter than a packet");
    let mut packet = vec![2, 0];
    packet.extend_from_slice(&length.to_be_bytes());
    packet.resize(20, 0);
    packet.extend_from_slice(whole);
    if length <= 4096 {
        let packet = Packet::new_checked(&packet).expect("its lengths are sound");
        assert!(packet.attributes().all(|attribute| attribute.kind == kind));
    }
}
