use super::*;
use crate::model::ComplianceState;
use crate::model::DeviceId;
use crate::model::GroupId;
use crate::model::Join;
use crate::model::Platform;
use crate::model::Retirement;
use crate::model::ThreatLevel;
use crate::model::Tri;
use crate::model::UserId;

fn devices(text: &str) -> Result<Loaded<DeviceReport>, Vec<Problem>> {
    let tolerance = Tolerance::default();
    read_device_file("s", "d.csv", Format::Csv, text.as_bytes(), tolerance)
}

fn json(text: &str) -> Result<Loaded<DeviceReport>, Vec<Problem>> {
    let tolerance = Tolerance::default();
    read_device_file("s", "d.json", Format::Json, text.as_bytes(), tolerance)
}

fn printed(problems: &[Problem]) -> Vec<String> {
    problems.iter().map(Problem::to_string).collect()
}

/// A header and `rows` good rows, numbered from 1.
fn numbered(rows: u32) -> String {
    let mut text = "device_id\n".to_owned();
    for number in 1..=rows {
        text.push_str(&guid(number));
        text.push('\n');
    }
    text
}

fn guid(number: u32) -> String {
    format!("0f8fad5b-d9cb-469f-a165-{number:012}")
}

#[test]
fn all_columns_are_read_in_any_order() {
    let loaded = devices(
        "# a comment\n\
         groups,device_id,entra_device_id,serial,macs,eas_id,owner,name,model,platform,os_version,\
         managed,registered,compliance,grace_until,encrypted,jailbroken,passcode,threat,join,\
         ownership,management_state,eas_activated\n\
         \n\
         # another\n\
         kiosk; Lab,{0F8FAD5B-D9CB-469F-A165-70867728950E},9c5b94b1-35ad-49bb-b118-8e8fc24abf80,\
         c02x1,00-11-22-AA-BB-CC;0011.22aa.bbcd,ApplDN1,Alice@Lab.example,\"Alice's, phone\",\
         iPhone 15,iPadOS,17.0.3,yes,TRUE,InGracePeriod,2026-11-21T09:30:00Z,1,no,0,secured,\
         Workplace,company,retirePending,unknown\n",
    )
    .unwrap();
    assert_eq!(printed(&loaded.problems), [""; 0]);
    let [device] = loaded.rows.as_slice() else {
        panic!("one device");
    };
    assert_eq!(
        device.device.to_string(),
        "0f8fad5b-d9cb-469f-a165-70867728950e"
    );
    assert_eq!(
        device.groups,
        [GroupId::named("kiosk"), GroupId::named("lab")]
    );
    assert_eq!(device.macs.len(), 2);
    assert_eq!(device.owner, UserId::parse("alice@lab.example"));
    assert_eq!(device.name.as_deref(), Some("Alice's, phone"));
    assert_eq!(device.platform, Platform::Ios);
    assert_eq!(device.managed, Tri::Yes);
    assert_eq!(device.registered, Tri::Yes);
    assert_eq!(device.compliance, Some(ComplianceState::InGracePeriod));
    assert!(device.grace_until.is_some());
    assert_eq!(device.encrypted, Tri::Yes);
    assert_eq!(device.jailbroken, Tri::No);
    assert_eq!(device.passcode, Tri::No);
    assert_eq!(device.threat, Some(ThreatLevel::Secured));
    assert_eq!(device.join, Join::Registered);
    assert_eq!(device.retirement, Retirement::Retired);
    assert_eq!(device.eas_activated, Tri::Unknown);
}

#[test]
fn json_says_the_same_as_csv() {
    let csv = devices(&format!(
        "device_id,macs,managed,os_version,groups,name\n{},00:11:22:aa:bb:cc,yes,17,a;b,\n",
        guid(1)
    ))
    .unwrap();
    let json = json(&format!(
        r#"[{{"device_id":"{}","macs":["001122AABBCC"],"managed":true,"os_version":17,
            "groups":["a","b"],"name":null}}]"#,
        guid(1)
    ))
    .unwrap();
    assert_eq!(csv.rows, json.rows);
}

#[test]
fn bad_cells_are_told_with_line_and_column_and_the_rest_is_loaded() {
    let mut text = "# comment\n\ndevice_id,platform,compliance,managed\n".to_owned();
    for number in 1..=40 {
        text.push_str(&format!("{},ios,compliant,yes\n", guid(number)));
    }
    text.push_str("# before the bad rows\n\n");
    text.push_str("not-a-guid,ios,compliant,yes\n");
    text.push_str(&format!("{},amiga,fine,perhaps\n", guid(42)));
    text.push_str(&format!("{},ios,compliant\n", guid(43)));
    text.push_str(&format!("{},ios,compliant,yes\n", guid(44)));
    let loaded = devices(&text).unwrap();
    assert_eq!(loaded.rows.len(), 41);
    assert_eq!(loaded.bad, 3);
    assert_eq!(
        printed(&loaded.problems),
        [
            "d.csv:46: device_id: expected a GUID such as 0f8fad5b-d9cb-469f-a165-70867728950e, \
             not `not-a-guid`",
            "d.csv:47: platform: expected one of unknown, android, ios, macos, windows, \
             windows-phone, linux, chromeos, not `amiga`",
            "d.csv:47: managed: expected yes, no or unknown, not `perhaps`",
            "d.csv:47: compliance: expected one of unknown, compliant, noncompliant, conflict, \
             error, inGracePeriod, configManager, not `fine`",
            "d.csv:48: the row has 3 fields, the header 4",
        ]
    );
}

#[test]
fn a_file_with_too_many_bad_rows_is_not_used() {
    for (good, bad, used) in [
        (9, 1, true),
        (1, 1, true),
        (0, 1, false),
        (18, 2, true),
        (17, 2, false),
        (90, 10, true),
        (90, 11, false),
    ] {
        let text = numbered(good) + &"x\n".repeat(bad);
        let loaded = devices(&text);
        assert_eq!(loaded.is_ok(), used, "row {good} {bad}");
    }
    let problems = devices(&(numbered(17) + "x\nx\n")).unwrap_err();
    assert_eq!(
        printed(&problems)[0],
        "d.csv: 2 of 19 rows are bad (allowed are 10 %); the file is not used"
    );
}

/// Whoever wanted no bad row at all could not have it.
#[test]
fn one_bad_row_is_passed_over_unless_none_may_be() {
    for (good, bad_percent, used) in [(1, 10, true), (1, 1, true), (1, 0, false), (500, 0, false)] {
        let text = format!("{}nonsense\n", numbered(good));
        let tolerance = Tolerance { bad_percent };
        let read = read_device_file("s", "d.csv", Format::Csv, text.as_bytes(), tolerance);
        assert_eq!(read.is_ok(), used, "row {good} {bad_percent}");
    }
    assert!(devices("device_id\nnonsense\n").is_err(), "no usable row");
}

#[test]
fn empty_and_cut_files_are_not_used() {
    for (text, reason) in [
        ("", "the file is empty"),
        (" \r\n\n", "the file is empty"),
        ("# only a comment\n", "no header"),
        ("device_id\n", "no rows"),
        ("device_id\n# nothing yet\n", "no rows"),
        (numbered(3).trim_end(), "no line end"),
        ("\0\0\0\0", "no line end"),
    ] {
        let problems = printed(&devices(text).unwrap_err());
        assert!(problems[0].contains(reason), "row {text:?}: {problems:?}");
    }
    for (text, reason) in [
        ("", "the file is empty"),
        ("[]", "no rows"),
        (r#"[{"device_id":"#, "no end"),
        (r#"[{"device_id":"x"},"#, "no end"),
        (r#"{"device_id":"x"}"#, "expected a list"),
        ("[{}]x", "something follows"),
        ("[,{}]", "a comma"),
        ("[{},]", "a comma"),
    ] {
        let problems = printed(&json(text).unwrap_err());
        assert!(problems[0].contains(reason), "row {text:?}: {problems:?}");
    }
}

#[test]
fn columns_are_known_single_and_identify() {
    for (header, reason) in [
        (
            "device_id,colour",
            "unknown column; the columns are device_id,",
        ),
        ("device_id;owner", "unknown column"),
        ("device_id,owner,device_id", "twice"),
        ("owner,name", "expected a column device_id or serial or"),
    ] {
        let problems = printed(&devices(&format!("{header}\na,b\n")).unwrap_err());
        assert!(problems[0].contains(reason), "row {header}: {problems:?}");
    }
    let problems = printed(&devices("device_id,colour\na,b\n").unwrap_err());
    assert!(
        problems[0].starts_with("d.csv:1: `colour`: "),
        "{problems:?}"
    );
}

#[test]
fn a_byte_order_mark_and_windows_line_ends_are_fine() {
    let text = format!("\u{feff}device_id,name\r\n{},Bär\r\n", guid(1));
    let loaded = devices(&text).unwrap();
    assert_eq!(loaded.rows[0].name.as_deref(), Some("Bär"));
}

#[test]
fn text_that_is_not_utf8_is_a_bad_cell() {
    let mut octets = format!("device_id,name\n{},ok\n{},", guid(1), guid(2)).into_bytes();
    octets.extend(b"B\xe4r\n");
    let loaded =
        read_device_file("s", "d.csv", Format::Csv, &octets, Tolerance::default()).unwrap();
    assert_eq!(printed(&loaded.problems), ["d.csv:3: name: not UTF-8 text"]);
}

#[test]
fn two_rows_for_one_device_are_both_left_out() {
    let text = format!("{}{}\n", numbered(30), guid(7).to_uppercase());
    let loaded = devices(&text).unwrap();
    assert_eq!(loaded.rows.len(), 29);
    let twice: DeviceId = guid(7).parse().unwrap();
    assert!(loaded.rows.iter().all(|row| row.device != twice));
    assert_eq!(
        printed(&loaded.problems),
        ["d.csv:32: device_id: stands in line 8 already; neither row is used"]
    );
}

#[test]
fn an_address_that_a_device_makes_up_is_taken_and_told_of() {
    let loaded = devices(&format!(
        "device_id,macs\n{},52:54:00:12:34:56;00:11:22:aa:bb:cc\n",
        guid(1)
    ))
    .unwrap();
    assert_eq!((loaded.rows.len(), loaded.bad), (1, 0));
    let [hint] = loaded.problems.as_slice() else {
        panic!("{:?}", loaded.problems);
    };
    assert_eq!(hint.severity, Severity::Warning);
    let told = hint.to_string();
    assert!(told.contains("macs: 52:54:00:12:34:56"), "{told}");
    assert!(told.ends_with("no device is known by it"), "{told}");
}

#[test]
fn a_device_without_guid_is_named_by_what_it_has() {
    let loaded =
        devices("device_id,serial,macs,eas_id\n,C02X1,,\n,,00:11:22:aa:bb:cc,\n,,,appl1\n")
            .unwrap();
    let ids: Vec<DeviceId> = loaded.rows.iter().map(|row| row.device).collect();
    assert_eq!(
        ids,
        [
            DeviceId::derived("s", "serial C02X1"),
            DeviceId::derived("s", "mac 00:11:22:aa:bb:cc"),
            DeviceId::derived("s", "eas appl1"),
        ]
    );
    let problems = printed(&devices("device_id,serial\n,\n,\n").unwrap_err());
    assert!(problems[1].contains("expected a device id"), "{problems:?}");
}

#[test]
fn users_have_names_states_and_groups() {
    let loaded = read_user_file(
        "u.csv",
        Format::Csv,
        b"user,aliases,enabled,groups\n\
          Alice@lab.example,alice;LAB\\alice,yes,staff;admins\n\
          bob@lab.example,,no,\n",
        Tolerance::default(),
    )
    .unwrap();
    assert_eq!(loaded.rows.len(), 2);
    assert_eq!(loaded.rows[0].user.as_str(), "alice@lab.example");
    assert_eq!(loaded.rows[0].aliases[1].as_str(), "lab\\alice");
    assert_eq!(
        loaded.rows[0].groups,
        [GroupId::named("staff"), GroupId::named("admins")]
    );
    assert_eq!(loaded.rows[1].enabled, Tri::No);
}

#[test]
fn problems_are_bounded_and_counted() {
    let problems = devices(&("device_id\n".to_owned() + &"x\n".repeat(500))).unwrap_err();
    assert_eq!(problems.len(), 102);
    assert_eq!(
        problems[101].to_string(),
        "d.csv: warning: 400 more problems are not listed"
    );
}

#[test]
fn words_are_quoted_short_and_without_control_characters() {
    let long = format!("device_id,managed\n{},{}\n", guid(1), "x\u{1b}".repeat(90));
    let problems = printed(&devices(&long).unwrap_err());
    assert!(problems[1].contains("control characters"), "{problems:?}");
    let long = format!("device_id,managed\n{},{}\n", guid(1), "x".repeat(90));
    let problems = printed(&devices(&long).unwrap_err());
    assert!(problems[1].ends_with(&format!("`{}…`", "x".repeat(40))));
}
