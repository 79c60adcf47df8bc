//! What devices are asked when a verdict changes, as it is written down.

use std::time::Duration;

use crate::config::enforcement;
use crate::config::enforcement::Enforcement;
use crate::document::Section;
use crate::document::read;
use crate::network::Reaction;
use crate::radius::Dictionary;
use crate::radius::Prepared;
use crate::radius::Template;

fn enforce(section: &mut Section<'_>) -> enforcement::Written {
    let mut enforce = section.child("enforce");
    let read = enforcement::read(&mut enforce);
    enforce.finish();
    read
}

fn encoded(text: &str) -> (Enforcement, String) {
    let (written, lines, mut problems) = read("f", text, enforce);
    let enforcement = written.encode(Dictionary::builtin(), &lines, &mut problems);
    let said: Vec<String> = problems.iter().map(ToString::to_string).collect();
    (enforcement, said.join("\n"))
}

fn command(name: &str, value: &str) -> Reaction {
    let template = Template::new(Dictionary::builtin(), name, value).unwrap();
    Reaction::Command(Prepared::new(&[template]))
}

fn cisco(what: &str) -> Reaction {
    command("Cisco-AVPair", &format!("subscriber:command={what}"))
}

/// What each vendor's devices are asked unless it is said otherwise.
#[test]
fn every_ready_template_has_its_vendor_s_way() {
    for (template, changed) in [
        ("standard", Reaction::Disconnect),
        ("cisco-ios-xe", cisco("reauthenticate")),
        ("cisco-wlc", cisco("reauthenticate")),
        ("cisco-asa", Reaction::Disconnect),
        ("meraki", cisco("reauthenticate")),
        ("aruba", Reaction::Push),
        ("aruba-aos-s", Reaction::Disconnect),
        ("ruckus", Reaction::Disconnect),
        ("juniper", Reaction::Disconnect),
        ("mist", Reaction::Disconnect),
        ("extreme", Reaction::Push),
        ("fortinet", Reaction::Disconnect),
        (
            "fortiswitch",
            command("Fortinet-Host-Port-AVPair", "action=reauth-port"),
        ),
        ("globalprotect", Reaction::Disconnect),
        ("mikrotik", Reaction::Disconnect),
        ("unifi", Reaction::Disconnect),
        ("netscaler", Reaction::Disconnect),
        ("hostapd", Reaction::Disconnect),
        ("strongswan", Reaction::Disconnect),
    ] {
        let text = format!("[enforce.group.g]\ntemplate = \"{template}\"\n");
        let (enforcement, _) = encoded(&text);
        let reactions = &enforcement.groups["g"].reactions;
        assert_eq!(reactions.changed, changed, "row {template}");
        assert_eq!(reactions.blocked, Reaction::Disconnect, "row {template}");
    }
}

#[test]
fn a_group_chooses_among_what_its_devices_know() {
    let port_bounce = command("Juniper-AV-Pair", "Port-Bounce");
    for (template, keys, changed, blocked) in [
        (
            "cisco-ios-xe",
            "on_block = \"disable\"",
            cisco("reauthenticate"),
            cisco("disable-host-port"),
        ),
        (
            "cisco-ios-xe",
            "on_change = \"bounce\"",
            cisco("bounce-host-port"),
            Reaction::Disconnect,
        ),
        (
            "cisco-ios-xe",
            "on_change = \"disconnect\"",
            Reaction::Disconnect,
            Reaction::Disconnect,
        ),
        (
            "juniper",
            "on_change = \"bounce\"\non_block = \"bounce\"",
            port_bounce.clone(),
            port_bounce,
        ),
        (
            "aruba",
            "on_change = \"bounce\"",
            command("Aruba-Port-Bounce-Host", "12"),
            Reaction::Disconnect,
        ),
    ] {
        let text = format!(
            "[enforce.group.g]\ntemplate = \"{template}\"\n{keys}\n\
             [enforce.group.g.allow-claimed]\nfilter_id = \"x\"\n\
             [enforce.group.g.quarantine]\nfilter_id = \"x\"\n"
        );
        let (enforcement, said) = encoded(&text);
        assert_eq!(said, "", "row {template} {keys}");
        let reactions = &enforcement.groups["g"].reactions;
        assert_eq!(reactions.changed, changed, "row {template} {keys}");
        assert_eq!(reactions.blocked, blocked, "row {template} {keys}");
    }
}

#[test]
fn what_devices_have_no_words_for_is_refused() {
    for (text, expected) in [
        (
            "[enforce.default]\non_change = \"bounce\"\n",
            "f:2: enforce.default.on_change: template standard has no words for it; it has disconnect",
        ),
        (
            "[enforce.default]\ntemplate = \"cisco-wlc\"\non_block = \"disable\"\n",
            "f:3: enforce.default.on_block: template cisco-wlc has no words for it; it has disconnect, reauthenticate",
        ),
        (
            "[enforce.default]\ntemplate = \"aruba\"\non_block = \"push\"\n\
             [enforce.default.allow-claimed]\nrole = \"x\"\n",
            "f:3: enforce.default.on_block: who is blocked has no access that could be given",
        ),
        (
            "[enforce.default]\non_change = \"reboot\"\n",
            "f:2: enforce.default.on_change: expected one of \"disconnect\", \
             \"reauthenticate\", \"bounce\", \"disable\", \"push\", found \"reboot\"",
        ),
        (
            "[enforce.template.x]\nbase = \"aruba\"\npush = [\"roles\"]\n",
            "f:3: enforce.template.x.push: roles is no key of a profile",
        ),
        (
            "[enforce.default]\nrecheck = \"30s\"\n",
            "f:2: enforce.default.recheck: expected 0s, or 1m and more",
        ),
    ] {
        assert_eq!(encoded(text).1, expected, "row {text}");
    }
}

/// Words of the default's devices would be none of another vendor's.
#[test]
fn a_choice_is_inherited_by_groups_of_the_same_template() {
    let text = "[enforce.default]\ntemplate = \"cisco-ios-xe\"\non_change = \"bounce\"\n\
                recheck = \"0s\"\n\
                [enforce.group.same]\n[enforce.group.other]\ntemplate = \"hostapd\"\nrecheck = \"2h\"\n";
    let (enforcement, said) = encoded(text);
    assert_eq!(said, "");
    let of = |group: &str| enforcement.groups[group].clone();
    assert_eq!(of("same").reactions.changed, cisco("bounce-host-port"));
    assert_eq!(of("same").recheck, None);
    assert_eq!(of("other").reactions.changed, Reaction::Disconnect);
    assert_eq!(of("other").recheck, Some(Duration::from_hours(2)));
    let (enforcement, _) = encoded("");
    assert_eq!(enforcement.default.recheck, Some(Duration::from_hours(1)));
}

#[test]
fn a_profile_can_be_pushed_if_the_devices_take_all_of_it() {
    let text = "[enforce.default]\ntemplate = \"aruba\"\n\
                [enforce.default.allow]\nrole = \"staff\"\n\
                [enforce.default.allow-claimed]\nrole = \"things\"\nattributes = { Idle-Timeout = 600 }\n\
                [enforce.default.quarantine]\nrole = \"repair\"\nvlan = 20\n";
    let (enforcement, said) = encoded(text);
    assert_eq!(said, "");
    let profiles = &enforcement.default;
    assert!(profiles.allow.in_coa);
    assert!(!profiles.allow_claimed.in_coa, "another attribute");
    assert!(!profiles.quarantine.in_coa, "a VLAN");
}
