//! The gateway's own dictionaries: numbers from IANA's registry of RADIUS types and from vendors'
//! guides. They list what the gateway reads, writes or has templates for.

use std::sync::LazyLock;

use super::Dictionary;

/// Read once, when it is first needed: at the start.
pub(super) static DICTIONARY: LazyLock<Dictionary> = LazyLock::new(|| {
    let mut dictionary = Dictionary::default();
    let read = dictionary.read("dictionary", &mut |name| {
        let mut files = FILES.iter();
        files
            .find(|(file, _)| *file == name)
            .map(|(_, text)| (*text).to_owned())
            .ok_or_else(|| "there is no such file".to_owned())
    });
    if let Err(errors) = read {
        // Compiled in, and read by a test.
        debug_assert!(errors.is_empty(), "{errors:?}");
    }
    dictionary
});

/// Name and text of each file; the first includes the others.
pub(super) const FILES: &[(&str, &str)] = &[
    ("dictionary", include_str!("builtin/dictionary")),
    ("standard", include_str!("builtin/standard")),
    ("tunnel", include_str!("builtin/tunnel")),
    ("extended", include_str!("builtin/extended")),
    ("microsoft", include_str!("builtin/microsoft")),
    ("cisco", include_str!("builtin/cisco")),
    ("aruba", include_str!("builtin/aruba")),
    ("ruckus", include_str!("builtin/ruckus")),
    ("juniper", include_str!("builtin/juniper")),
    ("extreme", include_str!("builtin/extreme")),
    ("fortinet", include_str!("builtin/fortinet")),
    ("paloalto", include_str!("builtin/paloalto")),
    ("mikrotik", include_str!("builtin/mikrotik")),
    ("citrix", include_str!("builtin/citrix")),
    ("wispr", include_str!("builtin/wispr")),
];
