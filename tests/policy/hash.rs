//! The hash names what a file says.

use crate::support::DEFAULTS;
use crate::support::policy;
use crate::support::read;

#[test]
fn comments_blanks_quotes_and_order_of_keys_do_not_count() {
    let rules = "[[conditional]]\nname = \"a\"\ntargets = [\"staff\"]\naction = \"block\"\n";
    let expected = policy(rules).hash();
    for (row, text) in [
        ("comments", format!("# one\n{DEFAULTS}\n{rules} # two")),
        (
            "line ends",
            format!("{DEFAULTS}\n{rules}").replace('\n', "\r\n"),
        ),
        (
            "quotes and order",
            format!("{DEFAULTS}[[conditional]]\naction='block'\n\ntargets=['staff',]\nname='a'"),
        ),
        (
            "inline",
            format!(
                "conditional = [{{ name = 'a', targets = ['staff'], action = 'block' }}]\n{DEFAULTS}"
            ),
        ),
    ] {
        assert_eq!(read(&text).hash(), expected, "row {row}");
    }
}

#[test]
fn every_change_of_meaning_counts() {
    let texts = [
        "[[conditional]]\nname = \"a\"\ntargets = [\"staff\"]\naction = \"block\"",
        "[[conditional]]\nname = \"a\"\ntargets = [\"staff\"]\naction = \"quarantine\"",
        "[[conditional]]\nname = \"a\"\ntargets = [\"staff\", \"guests\"]\naction = \"block\"",
        "[[conditional]]\nname = \"a\"\ntargets = [\"guests\", \"staff\"]\naction = \"block\"",
        "[[conditional]]\nname = \"b\"\ntargets = [\"staff\"]\naction = \"block\"",
        "[[conditional]]\nname = \"a\"\ntargets = [\"staff\"]\naction = \"block\"\nplanes = [\"web\"]",
        "",
    ];
    let mut hashes: Vec<_> = texts.iter().map(|text| policy(text).hash()).collect();
    hashes.sort_unstable();
    hashes.dedup();
    assert_eq!(hashes.len(), texts.len());
}

#[test]
fn the_hash_stays_from_release_to_release() {
    let text: String = read(FIXED)
        .hash()
        .iter()
        .map(|octet| format!("{octet:02x}"))
        .collect();
    // Worked out by another program from the description of the form.
    assert_eq!(
        text,
        "58d6d3a1281c664364b88625a15811b829464a25ba9f001a641da72c688976c4"
    );
}

const FIXED: &str = "\
groups = { staff = 'staff' }
stale.network = { fresh_for = '1h', grace_for = '0s', then = 'block' }
stale.mail = { fresh_for = '1h', grace_for = '0s', then = 'block' }
stale.web = { fresh_for = '1h', grace_for = '0s', then = 'block' }
[defaults]
not_targeted = 'allow'
no_policy_applies = 'block'
no_credential = 'block'
unknown_user = 'block'
unknown_device = 'block'
ambiguous_device = 'block'
device_of_another_user = 'block'
unmanaged_device = 'block'
evaluating = 'block'
no_compliance_policy = 'noncompliant'
[[conditional]]
name = 'Réseau'
targets = ['staff']
accept_lockout_risk = false
action = 'block'
";
