//! The query of an ActiveSync request: never a panic, one canonical spelling.

use portreeve::eas::MAX_QUERY;
use portreeve::eas::Request;
use portreeve::eas::Stated;

/// Parses `octets` as a query, and what it gives once more.
pub fn drive(octets: &[u8]) {
    let stated = Stated {
        version: Some("14.1"),
        policy_key: Some("0"),
        accept_multipart: Some("T"),
    };
    let Ok(request) = Request::parse(octets, stated) else {
        return;
    };
    let canonical = request.query();
    assert!(canonical.len() <= MAX_QUERY);
    assert!(canonical.bytes().all(|octet| (0x21..0x7f).contains(&octet)));
    assert!(!canonical.contains('#') && !canonical.contains('?'));
    let again = Request::parse(canonical.as_bytes(), stated);
    assert_eq!(again.as_ref(), Ok(&request));
    assert_eq!(again.map(|again| again.query()), Ok(canonical));
}
