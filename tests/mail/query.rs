//! Vectors of MS-ASHTTP.

use portreeve::eas::Form;
use portreeve::eas::Request;
use portreeve::eas::Stated;

#[test]
fn ms_ashttp_2_2_1_1_1() {
    let vectors = include_str!("../vectors/eas-query.txt");
    let mut count = 0;
    for line in vectors.lines() {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let columns: Vec<&str> = line.split(" | ").map(str::trim).collect();
        let [
            form,
            query,
            header,
            version,
            command,
            device,
            kind,
            user,
            key,
            rest @ ..,
        ] = columns.as_slice()
        else {
            panic!("row {line}: nine columns");
        };
        let stated = Stated {
            version: (*header != "-").then_some(header),
            ..Stated::default()
        };
        let request = Request::parse(query.as_bytes(), stated).expect(line);
        let is_plain = matches!(request.form, Form::Plain { .. });
        assert_eq!(is_plain, *form == "plain", "row {line}");
        assert_eq!(request.version.as_str(), *version, "row {line}");
        assert_eq!(request.command.name(), *command, "row {line}");
        assert_eq!(request.device.as_str(), *device, "row {line}");
        assert_eq!(request.device_type, *kind, "row {line}");
        assert_eq!(request.user.as_deref().unwrap_or("-"), *user, "row {line}");
        let shown = request
            .policy_key
            .map_or_else(|| "-".to_owned(), |key| key.to_string());
        assert_eq!(shown, *key, "row {line}");
        let canonical = rest.first().unwrap_or(query);
        assert_eq!(request.query(), *canonical, "row {line}");
        count += 1;
    }
    assert_eq!(count, 10);
}
