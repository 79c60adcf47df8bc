//! What NASes are asked when a verdict changes, as their vendors want it, and what follows from
//! their answers (RFC 5176).

use std::time::Duration;

use portreeve::access::DecisionRecord;
use portreeve::model::ComplianceState;
use portreeve::model::Tri;
use portreeve::model::Verdict;
use portreeve::network::Profiles;
use portreeve::network::Reaction;
use portreeve::network::Reactions;
use portreeve::network::Settings;
use portreeve::radius::AttributeType;
use portreeve::radius::Code;
use portreeve::radius::NasTable;
use portreeve::radius::Packet;
use portreeve::radius::Prepared;
use portreeve::radius::Template;
use portreeve::radius::VendorId;

use crate::disconnects::Door;
use crate::disconnects::PORT;
use crate::lab::GOOD_MAC;
use crate::lab::UNMANAGED;
use crate::lab::UNMANAGED_MAC;
use crate::lab::device;
use crate::lab::nas_configs;
use crate::lab::verdict;
use crate::world::nas_config;

const DISCONNECT_ACK: u8 = 41;
const DISCONNECT_NAK: u8 = 42;
const COA_ACK: u8 = 44;
const COA_NAK: u8 = 45;

/// Cisco's word for it.
const REAUTHENTICATE: &[u8] = b"subscriber:command=reauthenticate";

fn command(name: &str, value: &str) -> Reaction {
    let template = Template::parse(name, value).unwrap();
    Reaction::Command(Prepared::new(&[template]))
}

fn reauthenticate() -> Reactions {
    Reactions {
        changed: command("Cisco-AVPair", "subscriber:command=reauthenticate"),
        blocked: Reaction::Disconnect,
    }
}

/// A door whose NAS is asked so, with these profiles.
fn door(reactions: &Reactions, change: impl Fn(&mut Profiles)) -> Door {
    let door = Door::new();
    door.lab.reload(|settings: &mut Settings| {
        let mut config = nas_config("ap-9", "office", "192.0.2.9/32");
        config.dynamic_authorization = Some(PORT.into());
        let all = nas_configs().into_iter().chain([config]).collect();
        settings.nas = NasTable::new(all).unwrap();
        let profiles = &mut settings.enforcement.default;
        profiles.reactions = reactions.clone();
        change(profiles);
    });
    door
}

impl Door {
    /// The device of [`UNMANAGED_MAC`], which is in the quarantine, may leave that now, or has to
    /// go back.
    fn managed(&mut self, managed: Tri) {
        let compliant = ComplianceState::Compliant;
        let changes = self
            .lab
            .said(device(UNMANAGED, UNMANAGED_MAC, managed, compliant));
        let now = self.lab.now.wall;
        self.lab.shared.admissions.sweep(now, &changes);
    }

    /// The one request that leaves now.
    #[track_caller]
    fn request(&mut self) -> Vec<u8> {
        let mut sent = self.sent();
        assert_eq!(sent.len(), 1, "requests");
        sent.remove(0)
    }

    fn methods(&self) -> Vec<String> {
        let records = self.records();
        let method = |record: &DecisionRecord| record.method.as_str().to_owned();
        records.iter().map(method).collect()
    }
}

fn pairs(request: &[u8]) -> Vec<Vec<u8>> {
    let packet = Packet::new_checked(request).unwrap();
    let specific = packet.vendor_specific();
    let specific = specific.filter(|specific| specific.vendor == VendorId::CISCO);
    specific
        .flat_map(|specific| specific.attributes().collect::<Vec<_>>())
        .map(|(_, value)| value.to_vec())
        .collect()
}

#[track_caller]
fn code(request: &[u8]) -> Code {
    Packet::new_checked(request).unwrap().code()
}

#[test]
fn a_device_that_may_have_more_is_authenticated_again_by_a_signed_coa_request_rfc5176_2_2() {
    let mut door = door(&reauthenticate(), |_| {});
    door.enter(UNMANAGED_MAC, "s-1");
    door.managed(Tri::Yes);
    let request = door.request();
    assert_eq!(code(&request), Code::CoaRequest);
    assert_eq!(pairs(&request), [REAUTHENTICATE]);
    let packet = Packet::new_checked(&request).unwrap();
    let session = packet.find(AttributeType::ACCT_SESSION_ID);
    assert_eq!(session, Some(&b"s-1"[..]));
    assert!(packet.find(AttributeType::EVENT_TIMESTAMP).is_some());
    let first = packet.attributes().next().unwrap();
    assert_eq!(first.kind, AttributeType::MESSAGE_AUTHENTICATOR);

    door.answer(&request, COA_ACK, None);
    // It comes anew under another number, and nothing is left to do.
    door.enter(UNMANAGED_MAC, "s-1");
    door.lab.passes(Duration::from_mins(1));
    assert!(door.sent().is_empty());
    assert_eq!(door.methods(), ["coa ack"]);
    assert_eq!(door.dynamic.pending(), 0);
    assert_eq!(door.lab.shared.admissions.len(), 1);
}

#[test]
fn who_does_not_come_anew_is_put_out() {
    let mut door = door(&reauthenticate(), |_| {});
    door.enter(UNMANAGED_MAC, "s-1");
    door.managed(Tri::Yes);
    let request = door.request();
    door.answer(&request, COA_ACK, None);
    door.lab.passes(Duration::from_millis(29_999));
    assert!(door.sent().is_empty());
    door.lab.passes(Duration::from_millis(1));
    let request = door.request();
    assert_eq!(code(&request), Code::DisconnectRequest);
    door.answer(&request, DISCONNECT_ACK, None);
    assert!(door.lab.shared.admissions.is_empty());
    assert_eq!(door.methods(), ["coa ack", "disconnect ack"]);
}

#[test]
fn a_stricter_verdict_does_not_wait_for_who_was_told_to_come_anew_rfc5176_2_1() {
    let mut door = door(&reauthenticate(), |_| {});
    for answered in [true, false] {
        let session = if answered { "s-1" } else { "s-2" };
        door.managed(Tri::No);
        door.enter(UNMANAGED_MAC, session);
        door.managed(Tri::Yes);
        let request = door.request();
        assert_eq!(code(&request), Code::CoaRequest, "row {answered}");
        if answered {
            door.answer(&request, COA_ACK, None);
        }
        door.lab.passes(Duration::from_millis(500));
        assert!(door.sent().is_empty(), "row {answered}");
        let bad = ComplianceState::NonCompliant;
        let changes = door
            .lab
            .said(device(UNMANAGED, UNMANAGED_MAC, Tri::Yes, bad));
        let now = door.lab.now.wall;
        door.lab.shared.admissions.sweep(now, &changes);
        let cut = door.request();
        assert_eq!(code(&cut), Code::DisconnectRequest, "row {answered}");
        door.answer(&cut, DISCONNECT_ACK, None);
        if !answered {
            door.answer(&request, COA_ACK, None);
        }
        assert!(door.lab.shared.admissions.is_empty(), "row {answered}");
        door.lab.passes(Duration::from_mins(1));
        assert!(door.sent().is_empty(), "row {answered}");
        assert_eq!(door.dynamic.pending(), 0, "row {answered}");
    }
}

#[test]
fn a_change_that_asks_for_no_less_leaves_who_was_told_to_come_anew_alone() {
    let mut door = door(&reauthenticate(), |_| {});
    door.enter(UNMANAGED_MAC, "s-1");
    door.managed(Tri::Yes);
    let request = door.request();
    door.answer(&request, COA_ACK, None);
    for managed in [Tri::No, Tri::Yes, Tri::No] {
        door.managed(managed);
        assert!(door.sent().is_empty());
    }
    // It has what it is to have, so nothing follows.
    door.lab.passes(Duration::from_secs(30));
    assert!(door.sent().is_empty());
    assert_eq!(door.dynamic.pending(), 0);
    door.managed(Tri::Yes);
    assert_eq!(code(&door.request()), Code::CoaRequest);
}

#[test]
fn who_may_not_be_in_any_more_is_never_asked_to_authenticate_again() {
    let mut door = door(&reauthenticate(), |_| {});
    door.enter(GOOD_MAC, "s-1");
    door.judged(ComplianceState::NonCompliant);
    assert_eq!(code(&door.request()), Code::DisconnectRequest);
}

#[test]
fn a_port_is_switched_off_where_that_is_wanted_for_who_is_blocked() {
    let reactions = Reactions {
        changed: Reaction::Disconnect,
        blocked: command("Cisco-AVPair", "subscriber:command=disable-host-port"),
    };
    let mut door = door(&reactions, |_| {});
    let class = door.enter(GOOD_MAC, "s-1");
    door.judged(ComplianceState::NonCompliant);
    let request = door.request();
    assert_eq!(pairs(&request), [b"subscriber:command=disable-host-port"]);
    door.answer(&request, COA_ACK, None);
    // The switch reports the end by accounting.
    door.account(2, "s-1", &class);
    door.lab.passes(Duration::from_mins(1));
    assert!(door.sent().is_empty());
    assert_eq!(door.dynamic.pending(), 0);
}

#[test]
fn a_nas_that_cannot_do_it_is_asked_to_disconnect_rfc5176_3_5() {
    for cause in [None, Some(401), Some(405), Some(406), Some(501), Some(507)] {
        let mut door = door(&reauthenticate(), |_| {});
        door.enter(UNMANAGED_MAC, "s-1");
        door.managed(Tri::Yes);
        let request = door.request();
        door.answer(&request, COA_NAK, cause);
        let request = door.request();
        assert_eq!(code(&request), Code::DisconnectRequest, "row {cause:?}");
        door.answer(&request, DISCONNECT_ACK, None);
        let nak = format!("coa nak {}", cause.unwrap_or(0));
        assert_eq!(door.methods(), [nak.as_str(), "disconnect ack"]);
    }
}

#[test]
fn a_nas_that_drops_coa_requests_is_asked_to_disconnect() {
    let mut door = door(&reauthenticate(), |_| {});
    door.enter(UNMANAGED_MAC, "s-1");
    door.managed(Tri::Yes);
    door.request();
    for wait in [1, 2, 4] {
        door.lab.passes(Duration::from_secs(wait));
        assert_eq!(code(&door.request()), Code::CoaRequest, "repeated");
    }
    door.lab.passes(Duration::from_secs(8));
    assert_eq!(code(&door.request()), Code::DisconnectRequest);
    assert_eq!(door.methods(), ["coa unanswered"]);
}

#[test]
fn a_session_that_is_gone_needs_no_second_request_rfc5176_3_5() {
    let mut door = door(&reauthenticate(), |_| {});
    door.enter(UNMANAGED_MAC, "s-1");
    door.managed(Tri::Yes);
    let request = door.request();
    door.answer(&request, COA_NAK, Some(503));
    assert!(door.sent().is_empty());
    assert!(door.lab.shared.admissions.is_empty());
}

#[test]
fn a_nas_without_resources_is_asked_again_later_and_not_for_ever_rfc5176_3_5() {
    let mut door = door(&Reactions::default(), |_| {});
    door.enter(GOOD_MAC, "s-1");
    door.judged(ComplianceState::NonCompliant);
    let mut identifiers = Vec::new();
    for pause in [30, 120, 480] {
        let request = door.request();
        identifiers.push(request[1]);
        door.answer(&request, DISCONNECT_NAK, Some(506));
        door.lab
            .passes(Duration::from_secs(pause) - Duration::from_millis(1));
        assert!(door.sent().is_empty(), "before {pause} s");
        door.lab.passes(Duration::from_millis(1));
    }
    let request = door.request();
    door.answer(&request, DISCONNECT_NAK, Some(506));
    door.lab.passes(Duration::from_hours(1));
    assert!(door.sent().is_empty());
    assert_eq!(door.counters.staying.get(), 1);
    // RFC 5176 section 2.3: other contents, another Identifier.
    identifiers.dedup();
    assert_eq!(identifiers.len(), 3);
    // It is not forgotten: what it never lost it may have, and the next change is carried out.
    door.judged(ComplianceState::Compliant);
    assert!(door.sent().is_empty());
    door.judged(ComplianceState::NonCompliant);
    assert_eq!(door.sent().len(), 1);
}

#[test]
fn a_nas_that_stumbles_over_names_gets_fewer_of_them_rfc5176_3_5() {
    for cause in [401, 403, 404, 407, 508] {
        let mut door = door(&Reactions::default(), |_| {});
        door.enter(GOOD_MAC, "s-1");
        door.judged(ComplianceState::NonCompliant);
        let request = door.request();
        door.answer(&request, DISCONNECT_NAK, Some(cause));
        let request = door.request();
        let packet = Packet::new_checked(&request).unwrap();
        let kinds: Vec<_> = packet
            .attributes()
            .map(|attribute| attribute.kind)
            .collect();
        assert_eq!(
            kinds,
            [
                AttributeType::MESSAGE_AUTHENTICATOR,
                AttributeType::EVENT_TIMESTAMP,
                AttributeType::CALLING_STATION_ID,
                AttributeType::ACCT_SESSION_ID,
            ],
            "row {cause}"
        );
        door.answer(&request, DISCONNECT_NAK, Some(cause));
        assert!(door.sent().is_empty(), "there is nothing left to leave out");
        assert_eq!(door.counters.staying.get(), 1, "row {cause}");
    }
}

/// Both profiles say a role, as a controller of Aruba wants it.
fn roles(profiles: &mut Profiles) {
    for (profile, role) in [
        (&mut profiles.allow_claimed, "things"),
        (&mut profiles.quarantine, "repair"),
    ] {
        profile.attributes = Prepared::new(&[Template::parse("Aruba-User-Role", role).unwrap()]);
        profile.in_coa = true;
    }
}

const PUSH: Reactions = Reactions {
    changed: Reaction::Push,
    blocked: Reaction::Disconnect,
};

#[test]
fn a_session_is_given_its_new_role_in_place_and_goes_on_rfc5176_2_2() {
    let mut door = door(&PUSH, roles);
    door.enter(UNMANAGED_MAC, "s-1");
    // There and back: what was given is what the next change is measured by.
    for (managed, role, outcome) in [
        (Tri::Yes, "things", Verdict::Allow),
        (Tri::No, "repair", Verdict::Quarantine),
    ] {
        door.managed(managed);
        let request = door.request();
        assert_eq!(code(&request), Code::CoaRequest);
        let packet = Packet::new_checked(&request).unwrap();
        let roles: Vec<_> = packet
            .vendor_specific()
            .filter(|specific| specific.vendor == VendorId(14823))
            .flat_map(|specific| specific.attributes().collect::<Vec<_>>())
            .collect();
        assert_eq!(roles, [(1, role.as_bytes())]);
        door.answer(&request, COA_ACK, None);
        let records = door.records();
        assert_eq!(records.len(), 1);
        assert_eq!(verdict(&records[0]), outcome);
        assert_eq!(door.lab.shared.admissions.len(), 1, "it is still in");
        door.lab.passes(Duration::from_mins(1));
        assert!(door.sent().is_empty());
    }
    assert_eq!(door.counters.changes.get(), 2);
    assert_eq!(door.counters.sent.get(), 0);
}

#[test]
fn what_a_coa_request_cannot_say_is_a_disconnect() {
    // A VLAN of before would stay, or nothing would be said at all.
    let before = |profiles: &mut Profiles| {
        roles(profiles);
        profiles.quarantine.in_coa = false;
    };
    let after = |profiles: &mut Profiles| {
        roles(profiles);
        profiles.allow_claimed.in_coa = false;
    };
    let empty = |profiles: &mut Profiles| {
        roles(profiles);
        profiles.allow_claimed.attributes = Prepared::default();
    };
    for (row, mut door) in [
        ("before", door(&PUSH, before)),
        ("after", door(&PUSH, after)),
        ("empty", door(&PUSH, empty)),
    ] {
        door.enter(UNMANAGED_MAC, "s-1");
        door.managed(Tri::Yes);
        assert_eq!(code(&door.request()), Code::DisconnectRequest, "row {row}");
    }
}

#[test]
fn a_verdict_that_is_back_before_the_request_leaves_needs_none() {
    let mut door = door(&reauthenticate(), |_| {});
    door.enter(UNMANAGED_MAC, "s-1");
    door.managed(Tri::Yes);
    door.managed(Tri::No);
    assert!(door.sent().is_empty());
    door.managed(Tri::Yes);
    assert_eq!(code(&door.request()), Code::CoaRequest);
}

#[test]
fn cisco_s_own_name_of_a_session_goes_back_to_it() {
    let mut door = door(&reauthenticate(), |_| {});
    let session = b"audit-session-id=0A0A0A0A000000F4";
    let request = door.nas.access(|request| {
        request
            .octets(AttributeType::USER_NAME, UNMANAGED_MAC.as_bytes())
            .octets(AttributeType::CALLING_STATION_ID, UNMANAGED_MAC.as_bytes())
            .vendor(VendorId::CISCO, 1, b"service-type=Call Check")
            .vendor(VendorId::CISCO, 1, session);
    });
    door.lab.ask(&door.nas, &request).unwrap();
    door.managed(Tri::Yes);
    let request = door.request();
    assert_eq!(pairs(&request), [&session[..], REAUTHENTICATE]);
}

/// 10,000 sessions at 50 NASes in virtual time, one of which answers nothing.
#[test]
fn ten_thousand_sessions_are_cut_within_ten_seconds_and_a_silent_nas_slows_nobody() {
    const NASES: usize = 50;
    const EACH: usize = 200;
    let mut crowd = crate::crowd::Crowd::new(NASES, EACH);
    crowd.cut();
    let mut most_in_a_millisecond = 0;
    let begun = crowd.now();
    while crowd.open() > EACH {
        let sent = crowd.tick(|nas| nas != 7);
        most_in_a_millisecond = most_in_a_millisecond.max(sent);
        assert!(crowd.now().monotonic.since(begun.monotonic) < Duration::from_secs(10));
    }
    assert!(
        most_in_a_millisecond <= 102,
        "{most_in_a_millisecond} at once"
    );
    assert!(
        crowd.now().monotonic.since(begun.monotonic) >= Duration::from_secs(4),
        "bounded"
    );
    // The silent one gets each request, and what of its repetitions is due.
    assert!(
        (EACH..=4 * EACH).contains(&crowd.sent_to(7)),
        "{}",
        crowd.sent_to(7)
    );
    assert_eq!(
        crowd.open(),
        EACH,
        "those of the silent one are not forgotten"
    );
}
