//! Reads `tests/vectors`: `name = octets` in hexadecimal, blanks ignored, indented lines go on.

use std::collections::HashMap;

pub(crate) struct Vectors(HashMap<String, Vec<u8>>);

impl Vectors {
    pub(crate) fn parse(text: &str) -> Self {
        let mut vectors = HashMap::<String, Vec<u8>>::new();
        let mut name = String::new();
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let octets = if line.starts_with(' ') || line.is_empty() {
                line
            } else {
                let (key, octets) = line.split_once('=').expect("name = octets");
                name = key.trim().to_owned();
                octets
            };
            let digits: Vec<u8> = octets.bytes().filter(|octet| *octet != b' ').collect();
            let octets = digits.chunks(2).map(|pair| {
                let pair = std::str::from_utf8(pair).unwrap();
                u8::from_str_radix(pair, 16).expect("two hexadecimal digits")
            });
            vectors.entry(name.clone()).or_default().extend(octets);
        }
        Self(vectors)
    }

    #[track_caller]
    pub(crate) fn get(&self, name: &str) -> &[u8] {
        self.0
            .get(name)
            .unwrap_or_else(|| panic!("no vector {name}"))
    }
}

pub(crate) fn packets() -> Vectors {
    Vectors::parse(include_str!("../vectors/eap_packet.txt"))
}

pub(crate) fn keys() -> Vectors {
    Vectors::parse(include_str!("../vectors/eap_tls_key.txt"))
}
