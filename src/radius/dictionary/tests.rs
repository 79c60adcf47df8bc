use super::*;

/// Reads one text on top of nothing.
fn read(text: &str) -> (Dictionary, Vec<String>) {
    let mut dictionary = Dictionary::default();
    let read = dictionary.read("d", &mut |_| Ok(text.to_owned()));
    let said = read.err().unwrap_or_default();
    (
        dictionary,
        said.iter().map(SyntaxError::to_string).collect(),
    )
}

#[test]
fn the_builtin_dictionary_is_sound() {
    let mut dictionary = Dictionary::default();
    let read = dictionary.read("dictionary", &mut |name| {
        let file = builtin::FILES.iter().find(|(file, _)| *file == name);
        file.map(|(_, text)| (*text).to_owned())
            .ok_or_else(|| "missing".to_owned())
    });
    assert_eq!(read, Ok(()));
    assert!(dictionary.len() > 150, "{}", dictionary.len());
    // Each number has one name, so that messages and configurations speak of the same thing.
    for definition in dictionary.iter() {
        let first = dictionary.at(definition.space, &definition.numbers);
        assert_eq!(first, Some(definition), "row {}", definition.name);
    }
    let lines = builtin::FILES
        .iter()
        .flat_map(|(_, text)| text.lines())
        .filter(|line| line.starts_with("ATTRIBUTE"));
    assert_eq!(lines.count(), dictionary.len(), "a name stands there twice");
}

#[test]
fn statements_are_read_in_every_spelling() {
    let text = "# a comment\n\
                \n\
                vendor\tAcme  0x1234   # trailing\n\
                Begin-Vendor ACME\n\
                ATTRIBUTE\tAcme-Text\t1\tString\n\
                attribute Acme-Tagged 2 integer has_tag\n\
                ATTRIBUTE Acme-Hidden 3 string has_tag,encrypt=2\n\
                ATTRIBUTE Acme-List 4 ipaddr array\n\
                ATTRIBUTE Acme-Fixed 5 octets[16]\n\
                ATTRIBUTE Acme-Tlv 6 tlv\n\
                ATTRIBUTE Acme-Tlv-A 6.1 integer\n\
                BEGIN-TLV Acme-Tlv\n\
                ATTRIBUTE Acme-Tlv-B 2 string\n\
                END-TLV Acme-Tlv\n\
                VALUE Acme-Below Low 5\n\
                ATTRIBUTE Acme-Below 9 byte\n\
                VALUE Acme-Tagged On 0x01\n\
                VALUE Acme-Tagged Off 0\n\
                END-VENDOR Acme\n\
                ATTRIBUTE Old-Style 7 string Acme\n\
                ATTRIBUTE Inside 1000 integer\n\
                ATTRIBUTE Made-Up 9 string virtual\n\
                ATTRIBUTE Nested 241.1 string\n";
    let (dictionary, said) = read(text);
    assert_eq!(said, [""; 0]);
    let acme = Space::Vendor(VendorId(0x1234));
    for (name, space, numbers, kind) in [
        ("acme-text", acme, &[1][..], DataType::Text),
        ("Acme-Tagged", acme, &[2], DataType::Integer),
        ("Acme-Hidden", acme, &[3], DataType::Text),
        ("Acme-List", acme, &[4], DataType::Ipv4),
        ("Acme-Fixed", acme, &[5], DataType::Octets(Some(16))),
        ("Acme-Tlv-A", acme, &[6, 1], DataType::Integer),
        ("Acme-Tlv-B", acme, &[6, 2], DataType::Text),
        ("Old-Style", acme, &[7], DataType::Text),
        ("Inside", Space::Internal, &[1000], DataType::Integer),
        ("Made-Up", Space::Internal, &[9], DataType::Text),
        ("Nested", Space::Extended(241), &[1], DataType::Text),
    ] {
        let found = dictionary.find(name).expect(name);
        let read = (found.space, &*found.numbers, found.kind);
        assert_eq!(read, (space, numbers, kind), "row {name}");
        assert_eq!(dictionary.at(space, numbers), Some(found), "row {name}");
    }
    let tagged = dictionary.find("Acme-Tagged").unwrap();
    assert!(tagged.tagged);
    assert_eq!(
        dictionary.values(tagged),
        [("On".into(), 1), ("Off".into(), 0)]
    );
    let below = dictionary.find("Acme-Below").unwrap();
    assert_eq!(dictionary.values(below), [("Low".into(), 5)]);
    let hidden = dictionary.find("Acme-Hidden").unwrap();
    assert!(hidden.tagged && hidden.hiding == Hiding::Salted);
    assert!(dictionary.find("Acme-List").unwrap().array);
}

#[test]
fn what_is_wrong_is_said_with_file_line_and_what_was_expected() {
    let nested = "ATTRIBUTE T 1 tlv\nBEGIN-TLV T\nATTRIBUTE X 1.1.1.1.1.1 integer\nEND-TLV T";
    let rows = [
        (
            "ATRIBUTE A 1 string",
            "d:1: expected ATTRIBUTE, VALUE, VENDOR,",
        ),
        (
            "\nATTRIBUTE A 1",
            "d:2: expected ATTRIBUTE, a name, a number, a type",
        ),
        (
            "ATTRIBUTE A 1 string array x y",
            "d:1: expected at most five words",
        ),
        (
            "ATTRIBUTE A 1 strin",
            "d:1: expected a type of string, text, octets,",
        ),
        ("ATTRIBUTE A 1 octets[0]", "d:1: expected a type of"),
        ("ATTRIBUTE A 1 octets[256]", "d:1: expected a type of"),
        (
            "ATTRIBUTE A one string",
            "d:1: expected a number, or several with dots",
        ),
        ("ATTRIBUTE A 1..2 string", "d:1: expected a number"),
        ("ATTRIBUTE A 0x string", "d:1: expected a number"),
        (
            "ATTRIBUTE A 0 string",
            "d:1: expected a number from 1 to 255",
        ),
        ("ATTRIBUTE A 4294967296 string", "found \"4294967296\""),
        (
            "ATTRIBUTE A{b} 1 string",
            "d:1: expected a name of up to 128",
        ),
        (
            "ATTRIBUTE A 1 string has_tags",
            "expected has_tag, encrypt=1 to 3",
        ),
        ("ATTRIBUTE A 1 ipaddr has_tag", "has_tag goes with string"),
        (
            "ATTRIBUTE A 1 integer concat",
            "concat goes with string and octets",
        ),
        (
            "ATTRIBUTE A 1 string concat,has_tag",
            "concat goes with standard attributes",
        ),
        ("ATTRIBUTE A 1 vsa", "vsa is 26, extended 241 to 244"),
        ("ATTRIBUTE A 245 extended", "vsa is 26, extended 241 to 244"),
        ("ATTRIBUTE A 241.27 evs", "vsa is 26, extended 241 to 244"),
        ("ATTRIBUTE A 1.1 string", "attribute 1 is not defined here"),
        (
            "ATTRIBUTE A 1 string\nATTRIBUTE B 1.1 string",
            "d:2: A is no tlv",
        ),
        (nested, "d:3: expected TLVs nested at most 6 deep"),
        (
            "ATTRIBUTE A 1 string\nATTRIBUTE a 2 string",
            "d:2: a is attribute 1 already",
        ),
        ("VALUE A x 1", "d:1: attribute A is not defined here"),
        (
            "ATTRIBUTE A 1 string\nVALUE A x 1",
            "a text has no names for its values",
        ),
        (
            "ATTRIBUTE A 1 integer\nVALUE A x y",
            "expected a number, decimal or after 0x",
        ),
        ("VENDOR A", "expected VENDOR, a name, a number"),
        (
            "VENDOR A 0",
            "expected a vendor's number from 1 to 16777215",
        ),
        ("VENDOR A 16777216", "expected a vendor's number"),
        ("VENDOR A 1\nVENDOR a 2", "d:2: a is vendor 1 already"),
        ("VENDOR A 1 format=3,1", "expected format=T,L"),
        ("VENDOR A 1 format=2,1,c", "expected format=T,L"),
        ("VENDOR A 1 1,1", "expected format=T,L"),
        ("BEGIN-VENDOR A", "vendor A is not defined here"),
        (
            "VENDOR A 1\nBEGIN-VENDOR A",
            "BEGIN-VENDOR A has no END-VENDOR",
        ),
        (
            "VENDOR A 1\nBEGIN-VENDOR A\nBEGIN-VENDOR A\nEND-VENDOR A",
            "has no END-VENDOR yet",
        ),
        (
            "VENDOR A 1\nBEGIN-VENDOR A\nEND-VENDOR B",
            "expected END-VENDOR A",
        ),
        ("END-VENDOR A", "there is no BEGIN-VENDOR"),
        (
            "VENDOR A 1\nBEGIN-VENDOR A format=B",
            "attribute B is not defined here",
        ),
        (
            "VENDOR A 1\nBEGIN-VENDOR A\nATTRIBUTE X 256 string\nEND-VENDOR A",
            "0 to 255",
        ),
        ("END-TLV A", "there is no BEGIN-TLV"),
        (
            "ATTRIBUTE A 1 tlv\nBEGIN-TLV A",
            "BEGIN-TLV A has no END-TLV",
        ),
        (
            "$INCLUDE ../other",
            "cannot include ../other: expected a file beside or below",
        ),
        ("$INCLUDE /etc/passwd", "expected a file beside or below"),
        ("$INCLUDE", "expected $INCLUDE and the name"),
        ("$INCLUDE d", "it is being read already"),
    ];
    for (text, expected) in rows {
        let (_, said) = read(text);
        let all = said.join("\n");
        assert!(all.contains(expected), "row {text:?}: {all}");
    }
    // Five mistakes give five reports, and more than twenty twenty.
    let (_, said) = read(&"X\n".repeat(100));
    assert_eq!(said.len(), 20);
}

#[test]
fn includes_are_beside_the_file_that_names_them_and_bounded() {
    let mut asked = Vec::new();
    let mut dictionary = Dictionary::default();
    let read = dictionary.read("top", &mut |name| {
        asked.push(name.to_owned());
        match name {
            "top" => Ok("$INCLUDE a/one\n$INCLUDE- a/gone\n".to_owned()),
            "a/one" => Ok("$INCLUDE two\nATTRIBUTE One 1 string\n".to_owned()),
            "a/two" => Ok("ATTRIBUTE Two 2 strin\n".to_owned()),
            other => Err(format!("no {other}")),
        }
    });
    assert_eq!(asked, ["top", "a/one", "a/two", "a/gone"]);
    let said = read.unwrap_err();
    assert_eq!((said[0].file.as_str(), said[0].line), ("a/two", 1));
    assert!(dictionary.find("One").is_some());

    // Each file names the next: the ninth level is refused.
    let mut files = 0;
    let deep = Dictionary::default().read("f0", &mut |name| {
        files += 1;
        let number: u32 = name.trim_start_matches('f').parse().unwrap();
        Ok(format!("$INCLUDE f{}\n", number + 1))
    });
    assert!(deep.unwrap_err()[0].to_string().contains("nested too deep"));
    assert_eq!(files, 8);

    // Two files that name each other twice end at the bound of files, not of time.
    let mut files = 0;
    let wide = Dictionary::default().read("f", &mut |_| {
        files += 1;
        Ok((0..3000)
            .map(|n| format!("$INCLUDE x{files}-{n}\n"))
            .collect())
    });
    assert!(wide.is_err());
    assert!(files <= 2000, "{files}");
}

#[test]
fn a_site_may_say_more_of_what_is_known() {
    let mut dictionary = Dictionary::builtin().clone();
    let text = "VENDOR Aruba 14823\nBEGIN-VENDOR Aruba\n\
                ATTRIBUTE Aruba-User-Role 1 octets\nATTRIBUTE Aruba-New 200 integer\n\
                VALUE Aruba-New Much 7\nEND-VENDOR Aruba\n\
                VALUE Service-Type Site-Special 99\n";
    assert_eq!(
        dictionary.read("site", &mut |_| Ok(text.to_owned())),
        Ok(())
    );
    let role = dictionary.find("Aruba-User-Role").unwrap();
    assert_eq!(role.kind, DataType::Octets(None));
    let new = dictionary.find("Aruba-New").unwrap();
    assert_eq!(dictionary.values(new), [("Much".into(), 7)]);
    let service = dictionary.find("Service-Type").unwrap();
    assert!(
        dictionary
            .values(service)
            .contains(&("Site-Special".into(), 99))
    );
    assert!(
        dictionary
            .values(service)
            .contains(&("Call-Check".into(), 10))
    );
    // The gateway's own stays as it is.
    assert!(Dictionary::builtin().find("Aruba-New").is_none());
}
