//! Any octets as each kind of answer that Graph gives.

use std::fmt::Debug;

use portreeve::sync;
use portreeve::sync::Base;
use portreeve::sync::Page;
use portreeve::sync::PageError;

/// One run.
pub fn drive(octets: &[u8]) {
    let devices = judge(sync::read_managed_devices(octets), octets);
    for device in devices.iter().flat_map(|page| &page.rows) {
        assert_ne!(device.device.as_u128(), 0, "a device has an id");
        assert!(device.entra.is_none_or(|entra| !entra.is_nil()));
        assert!(device.macs.len() <= 2);
    }
    let users = judge(sync::read_users(octets), octets);
    for user in users.iter().flat_map(|page| &page.rows) {
        assert!(!user.object.is_nil());
        assert!(!user.report.aliases.contains(&user.report.user));
        assert!(user.report.groups.is_empty());
    }
    judge(sync::read_groups(octets), octets);
    judge(sync::read_members(octets), octets);
    if let Ok(text) = std::str::from_utf8(octets) {
        follow(text);
    }
}

fn judge<T: Debug>(page: Result<Page<T>, PageError>, octets: &[u8]) -> Option<Page<T>> {
    let page = page.ok()?;
    assert!(octets.trim_ascii().starts_with(b"{"));
    assert!(
        octets.trim_ascii().ends_with(b"}"),
        "a cut answer is no page"
    );
    assert_eq!(page.refused == 0, page.first_refusal.is_none());
    if let Some(next) = &page.next {
        follow(next);
    }
    Some(page)
}

/// A link that is followed is below its base.
fn follow(link: &str) {
    let base = Base::parse("https://graph.example/v1.0").ok();
    let link = base.and_then(|base| base.accept(link).ok());
    if let Some(link) = link {
        let uri = link.uri();
        assert_eq!(uri.scheme_str(), Some("https"));
        assert_eq!(
            uri.host().map(str::to_ascii_lowercase).as_deref(),
            Some("graph.example")
        );
        assert!(matches!(uri.port_u16(), None | Some(443)));
        assert!(uri.path().starts_with("/v1.0/"));
        assert!(!uri.path().split('/').any(|segment| segment == ".."));
    }
}
