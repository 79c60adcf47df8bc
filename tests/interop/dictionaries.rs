//! FreeRADIUS's own dictionaries, as Debian ships them, read by our parser.

use std::fs;
use std::path::Path;

use portreeve::radius::DataType;
use portreeve::radius::Dictionary;
use portreeve::radius::Space;
use portreeve::radius::VendorId;

/// Where `freeradius-common` puts them.
const FOLDER: &str = "/usr/share/freeradius";

fn open(name: &str) -> Result<String, String> {
    let octets = fs::read(Path::new(FOLDER).join(name)).map_err(|error| error.to_string())?;
    Ok(String::from_utf8_lossy(&octets).into_owned())
}

#[test]
fn every_dictionary_that_freeradius_ships_is_read() {
    let mut dictionary = Dictionary::default();
    let read = dictionary.read("dictionary", &mut |name| open(name));
    assert_eq!(read, Ok(()));
    assert!(dictionary.len() > 6000, "{}", dictionary.len());
    let usr = dictionary.vendor("USR").unwrap();
    assert_eq!(dictionary.format(usr).type_octets, 4);
    let inner = dictionary.find("3GPP2-Remote-IP-Address-Value").unwrap();
    assert_eq!(*inner.numbers, [59, 1]);
    let evs = dictionary.at(Space::ExtendedVendor(245, VendorId(11344)), &[1]);
    assert!(evs.is_some(), "the vendor space of an extended attribute");
}

#[test]
fn what_ours_says_of_an_attribute_theirs_says_too() {
    let mut theirs = Dictionary::default();
    let read = theirs.read("dictionary", &mut |name| open(name));
    assert_eq!(read, Ok(()));
    let mut compared = 0;
    let mut different: Vec<String> = Vec::new();
    for ours in Dictionary::builtin().iter() {
        // Theirs may know the number under another name, or not at all.
        let Some(other) = theirs.at(ours.space, &ours.numbers) else {
            continue;
        };
        compared += 1;
        let of_octets = |kind| matches!(kind, DataType::Octets(_));
        let same_kind = ours.kind == other.kind || (of_octets(ours.kind) && of_octets(other.kind));
        if !same_kind || (ours.tagged, ours.hiding) != (other.tagged, other.hiding) {
            different.push(format!("{ours:?} and {other:?}"));
        }
    }
    assert!(different.is_empty(), "{}", different.join("\n"));
    assert!(compared > 200, "{compared}");
}

#[test]
fn a_site_may_put_all_of_theirs_on_top_of_ours() {
    let mut both = Dictionary::builtin().clone();
    let read = both.read("dictionary", &mut |name| open(name));
    assert_eq!(read, Ok(()));
    assert!(both.find("USR-Last-Number-Dialed-Out").is_some());
}
