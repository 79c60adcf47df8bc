//! What a verified request may hold, and what the views make of it.

use portreeve::model::MacAddress;
use portreeve::model::Medium;
use portreeve::model::Timestamp;
use portreeve::radius::AcctStatusType;
use portreeve::radius::AttributeType;
use portreeve::radius::DropReason;
use portreeve::radius::MAX_PACKET;
use portreeve::radius::NasMisbehaved;
use portreeve::radius::Offered;
use portreeve::radius::Packet;
use portreeve::radius::Request;
use portreeve::radius::RequestBuilder;
use portreeve::radius::VendorId;
use portreeve::radius::verify;

use crate::support;
use crate::support::FIELD;

const PASSWORD: (AttributeType, &[u8]) = (AttributeType::USER_PASSWORD, &[1; 16]);
const CHAP: (AttributeType, &[u8]) = (AttributeType::CHAP_PASSWORD, &[1; 17]);
const EAP: (AttributeType, &[u8]) = (AttributeType::EAP_MESSAGE, &[2, 1, 0, 4]);

#[test]
fn one_kind_of_credential_rfc2865_4_1_and_rfc3579_3_3() {
    let two = Err(NasMisbehaved::ConflictingCredentials);
    let rows: [(&[_], _); 8] = [
        (&[], Ok(Offered::Nothing)),
        (&[PASSWORD], Ok(Offered::UserPassword)),
        (&[CHAP], Ok(Offered::ChapPassword)),
        (&[EAP], Ok(Offered::Eap)),
        (&[PASSWORD, CHAP], two),
        (&[PASSWORD, EAP], two),
        (&[CHAP, EAP], two),
        (&[PASSWORD, CHAP, EAP], two),
    ];
    for (attributes, expected) in rows {
        let octets = support::access(attributes);
        let offered = request(&octets).map(|request| match request {
            Request::Access(access) => access.offered(),
            Request::Accounting(_) | Request::Status(_) => panic!("an Access-Request"),
        });
        assert_eq!(offered, expected, "row {attributes:?}");
    }
}

#[test]
fn password_lengths_rfc2865_5_2_and_5_3() {
    let rows = [
        (AttributeType::USER_PASSWORD, 0, false),
        (AttributeType::USER_PASSWORD, 1, false),
        (AttributeType::USER_PASSWORD, 15, false),
        (AttributeType::USER_PASSWORD, 16, true),
        (AttributeType::USER_PASSWORD, 17, false),
        (AttributeType::USER_PASSWORD, 112, true),
        (AttributeType::USER_PASSWORD, 127, false),
        (AttributeType::USER_PASSWORD, 128, true),
        (AttributeType::USER_PASSWORD, 129, false),
        (AttributeType::USER_PASSWORD, 144, false),
        (AttributeType::CHAP_PASSWORD, 0, false),
        (AttributeType::CHAP_PASSWORD, 16, false),
        (AttributeType::CHAP_PASSWORD, 17, true),
        (AttributeType::CHAP_PASSWORD, 18, false),
    ];
    for (kind, octets, good) in rows {
        let packet = support::access(&[(kind, &vec![1; octets])]);
        let expected = if good {
            Ok(())
        } else {
            Err(NasMisbehaved::PasswordLength { kind, octets })
        };
        let seen = request(&packet).map(|_| ());
        assert_eq!(seen, expected, "row {kind}, {octets} octets");
    }
}

#[test]
fn what_may_stand_once_stands_once_rfc2865_5_44() {
    // (attribute, value, whether two are accepted)
    let rows: [(AttributeType, &[u8], bool); 14] = [
        (AttributeType::USER_NAME, b"a", false),
        (AttributeType::USER_PASSWORD, &[1; 16], false),
        (AttributeType::CHAP_PASSWORD, &[1; 17], false),
        (AttributeType::NAS_IP_ADDRESS, &[1; 4], false),
        (AttributeType::NAS_PORT, &[1; 4], false),
        (AttributeType::STATE, b"s", false),
        (AttributeType::CALLED_STATION_ID, b"c", false),
        (AttributeType::CALLING_STATION_ID, b"c", false),
        (AttributeType::NAS_IDENTIFIER, b"n", false),
        (AttributeType::FRAMED_MTU, &[1; 4], false),
        (AttributeType::EAP_KEY_NAME, &[0], false),
        (AttributeType::PROXY_STATE, b"p", true),
        (AttributeType::VENDOR_SPECIFIC, b"v", true),
        (AttributeType(200), b"u", true),
    ];
    for (kind, value, good) in rows {
        let octets = support::access(&[(kind, value), (kind, value)]);
        let expected = if good {
            Ok(())
        } else {
            Err(NasMisbehaved::Repeated(kind))
        };
        assert_eq!(request(&octets).map(|_| ()), expected, "row {kind}");
    }
}

#[test]
fn eap_pieces_are_adjacent_and_joined_in_order_rfc3579_3_1() {
    let name = (AttributeType::USER_NAME, &b"a"[..]);
    fn piece(octets: &[u8]) -> (AttributeType, &[u8]) {
        (AttributeType::EAP_MESSAGE, octets)
    }
    // (attributes, what is joined)
    type Row<'a> = (
        &'a [(AttributeType, &'a [u8])],
        Result<Option<&'a [u8]>, NasMisbehaved>,
    );
    let rows: [Row<'_>; 7] = [
        (&[name], Ok(None)),
        (&[piece(b"")], Ok(Some(b""))),
        (&[name, piece(b"ab")], Ok(Some(b"ab"))),
        (&[piece(b"ab"), piece(b"cd"), name], Ok(Some(b"abcd"))),
        (&[piece(b"ab"), piece(b""), piece(b"c")], Ok(Some(b"abc"))),
        (
            &[piece(b"ab"), name, piece(b"cd")],
            Err(NasMisbehaved::SplitEapMessage),
        ),
        (
            &[piece(b"a"), piece(b"b"), name, piece(b"c")],
            Err(NasMisbehaved::SplitEapMessage),
        ),
    ];
    for (attributes, expected) in rows {
        let octets = support::access(attributes);
        let mut buffer = [0; MAX_PACKET];
        let joined = request(&octets).map(|_| {
            let packet = Packet::new_checked(&octets).unwrap();
            let eap = packet.eap_message()?;
            let joined = eap.join(&mut buffer)?;
            assert_eq!(
                (joined.len(), joined.is_empty()),
                (eap.len(), eap.is_empty())
            );
            Some(joined.to_vec())
        });
        let expected = expected.map(|joined| joined.map(<[u8]>::to_vec));
        assert_eq!(joined, expected, "row {attributes:?}");
    }
}

#[test]
fn accounting_needs_status_and_session_rfc2866_5_13() {
    let status = (AttributeType::ACCT_STATUS_TYPE, &[0, 0, 0, 1][..]);
    let session = (AttributeType::ACCT_SESSION_ID, &b"s"[..]);
    let no_status = Err(NasMisbehaved::Missing(AttributeType::ACCT_STATUS_TYPE));
    let no_session = Err(NasMisbehaved::Missing(AttributeType::ACCT_SESSION_ID));
    let rows: [(&[_], _); 8] = [
        (&[status, session], Ok(())),
        (&[session], no_status),
        (&[status], no_session),
        (&[], no_status),
        (
            &[(AttributeType::ACCT_STATUS_TYPE, &[1]), session],
            no_status,
        ),
        (&[status, (AttributeType::ACCT_SESSION_ID, b"")], no_session),
        (
            &[status, status, session],
            Err(NasMisbehaved::Repeated(AttributeType::ACCT_STATUS_TYPE)),
        ),
        (
            &[status, session, session],
            Err(NasMisbehaved::Repeated(AttributeType::ACCT_SESSION_ID)),
        ),
    ];
    for (attributes, expected) in rows {
        let octets = support::accounting(attributes);
        assert_eq!(request(&octets).map(|_| ()), expected, "row {attributes:?}");
    }
}

#[test]
fn status_server_carries_no_credentials_rfc5997_3() {
    let secret = support::shared();
    for (more, expected) in [
        (None, Ok(())),
        (Some(PASSWORD), Err(DropReason::ConflictingCredentials)),
        (Some(CHAP), Err(DropReason::ConflictingCredentials)),
        (Some(EAP), Err(DropReason::ConflictingCredentials)),
    ] {
        let mut buffer = [0; MAX_PACKET];
        let mut status = RequestBuilder::status_server(&mut buffer, 1, FIELD, &secret);
        if let Some((kind, value)) = more {
            status.octets(kind, value);
        }
        let judged = support::judge(status.finish().unwrap(), &support::nas());
        assert_eq!(judged, expected, "row {more:?}");
    }
}

#[test]
fn an_access_request_says_who_and_where() {
    let octets = support::access(&[
        (AttributeType::USER_NAME, b"alice"),
        (AttributeType::NAS_IP_ADDRESS, &[192, 0, 2, 7]),
        (AttributeType::NAS_IPV6_ADDRESS, &[0x20; 16]),
        (AttributeType::NAS_IDENTIFIER, b"ap-7"),
        (AttributeType::NAS_PORT, &[0, 0, 0, 9]),
        (AttributeType::NAS_PORT_ID, b"wlan0"),
        (AttributeType::NAS_PORT_TYPE, &[0, 0, 0, 19]),
        (AttributeType::SERVICE_TYPE, &[0, 0, 0, 2]),
        (AttributeType::FRAMED_MTU, &[0, 0, 5, 120]),
        (AttributeType::CALLED_STATION_ID, b"00-11-22-33-44-55:corp"),
        (AttributeType::CALLING_STATION_ID, b"00-AA-BB-CC-DD-EE"),
        (AttributeType::CONNECT_INFO, b"CONNECT 54Mbps 802.11a"),
        (AttributeType::STATE, b"state"),
        (AttributeType::EAP_KEY_NAME, &[0]),
        EAP,
        (AttributeType::PROXY_STATE, b"one"),
        (AttributeType::PROXY_STATE, b"two"),
    ]);
    let Ok(Request::Access(access)) = request(&octets) else {
        panic!("an Access-Request");
    };
    assert_eq!(access.user_name(), Some(&b"alice"[..]));
    assert_eq!(access.nas_ip_address(), Some([192, 0, 2, 7].into()));
    assert_eq!(access.nas_ipv6_address(), Some([0x20; 16].into()));
    assert_eq!(access.nas_identifier(), Some(&b"ap-7"[..]));
    assert_eq!(access.nas_port(), Some(9));
    assert_eq!(access.nas_port_id(), Some(&b"wlan0"[..]));
    assert_eq!(access.nas_port_type(), Some(19));
    assert_eq!(access.medium(), Medium::Wireless);
    assert_eq!(access.service_type(), Some(2));
    assert_eq!(access.framed_mtu(), Some(1400));
    assert_eq!(access.eap_mtu(), Some(1396));
    assert_eq!(
        access.called_station_id(),
        Some(&b"00-11-22-33-44-55:corp"[..])
    );
    assert_eq!(access.ssid(), Some(&b"corp"[..]));
    assert_eq!(access.calling_station_id(), Some(&b"00-AA-BB-CC-DD-EE"[..]));
    let mac = MacAddress::new([0, 0xaa, 0xbb, 0xcc, 0xdd, 0xee]);
    assert_eq!(access.calling_mac(), Some(mac));
    assert_eq!(access.connect_info(), Some(&b"CONNECT 54Mbps 802.11a"[..]));
    assert_eq!(access.state(), Some(&b"state"[..]));
    assert!(access.wants_eap_key_name());
    assert_eq!(access.proxy_states().collect::<Vec<_>>(), [b"one", b"two"]);
    assert!(access.chap().is_none());
    assert!(access.password(support::shared().secret()).is_none());
}

#[test]
fn a_request_without_any_name_of_its_nas_is_taken_rfc2865_4_1() {
    let octets = support::access(&[]);
    let Ok(Request::Access(access)) = request(&octets) else {
        panic!("an Access-Request");
    };
    assert_eq!(access.user_name(), None);
    assert_eq!(access.medium(), Medium::Unknown);
    assert_eq!(access.ssid(), None);
    assert_eq!(access.eap_mtu(), None);
    assert!(access.eap_message().is_none());
    assert!(!access.wants_eap_key_name());
}

#[test]
fn a_value_of_the_wrong_size_counts_as_absent_rfc8044_3() {
    for size in [0, 1, 3, 5, 8] {
        let value = vec![1; size];
        let octets = support::access(&[
            (AttributeType::NAS_IP_ADDRESS, &value),
            (AttributeType::NAS_IPV6_ADDRESS, &value),
            (AttributeType::NAS_PORT, &value),
            (AttributeType::NAS_PORT_TYPE, &value),
            (AttributeType::FRAMED_MTU, &value),
        ]);
        let Ok(Request::Access(access)) = request(&octets) else {
            panic!("an Access-Request");
        };
        assert_eq!(access.nas_ip_address(), None, "row {size}");
        assert_eq!(access.nas_ipv6_address(), None, "row {size}");
        assert_eq!(access.nas_port(), None, "row {size}");
        assert_eq!(access.medium(), Medium::Unknown, "row {size}");
        assert_eq!(access.framed_mtu(), None, "row {size}");
    }
}

#[test]
fn media_and_mtu_rfc3580_3_10() {
    let rows = [
        (5, Medium::Vpn, 1500),
        (15, Medium::Wired, 1496),
        (18, Medium::Wireless, 1496),
        (19, Medium::Wireless, 1496),
        (0, Medium::Unknown, 1500),
        (99, Medium::Unknown, 1500),
    ];
    for (number, medium, mtu) in rows {
        let octets = support::access(&[
            (AttributeType::NAS_PORT_TYPE, &[0, 0, 0, number]),
            (AttributeType::FRAMED_MTU, &1500_u32.to_be_bytes()),
        ]);
        let Ok(Request::Access(access)) = request(&octets) else {
            panic!("an Access-Request");
        };
        assert_eq!(access.medium(), medium, "row {number}");
        assert_eq!(access.eap_mtu(), Some(mtu), "row {number}");
    }
}

#[test]
fn network_names_follow_the_address_rfc3580_3_20() {
    let rows: [(&[u8], Option<&[u8]>); 10] = [
        (b"00-11-22-33-44-55:corp", Some(b"corp")),
        (b"00:11:22:33:44:55:corp:east", Some(b"corp:east")),
        (b"0011.2233.4455:corp", Some(b"corp")),
        (b"001122334455:corp", Some(b"corp")),
        (b"00-11-22-33-44-55:", None),
        (b"00-11-22-33-44-55", None),
        (b"00:11:22:33:44:55", None),
        (b"corp", None),
        (b"zz-11-22-33-44-55:corp", None),
        (b"", None),
    ];
    for (value, expected) in rows {
        let octets = support::access(&[(AttributeType::CALLED_STATION_ID, value)]);
        let packet = Packet::new_checked(&octets).unwrap();
        let name = String::from_utf8_lossy(value);
        assert_eq!(packet.ssid(), expected, "row {name}");
    }
}

#[test]
fn an_accounting_request_says_what_happened() {
    let octets = support::accounting(&[
        (AttributeType::ACCT_STATUS_TYPE, &[0, 0, 0, 3]),
        (AttributeType::ACCT_SESSION_ID, b"s-1"),
        (AttributeType::ACCT_MULTI_SESSION_ID, b"m-1"),
        (AttributeType::ACCT_DELAY_TIME, &[0, 0, 0, 2]),
        (AttributeType::ACCT_SESSION_TIME, &[0, 0, 1, 0]),
        (AttributeType::ACCT_INPUT_OCTETS, &[0, 0, 0, 5]),
        (AttributeType::ACCT_INPUT_GIGAWORDS, &[0, 0, 0, 2]),
        (AttributeType::ACCT_OUTPUT_OCTETS, &[0xff; 4]),
        (AttributeType::ACCT_INPUT_PACKETS, &[0, 0, 0, 6]),
        (AttributeType::ACCT_OUTPUT_PACKETS, &[0, 0, 0, 7]),
        (AttributeType::ACCT_TERMINATE_CAUSE, &[0, 0, 0, 1]),
        (AttributeType::EVENT_TIMESTAMP, &[0x6a, 0, 0, 0]),
        (AttributeType::FRAMED_IP_ADDRESS, &[198, 51, 100, 1]),
        (AttributeType::CLASS, b"c1"),
        (AttributeType::CLASS, b"c2"),
        (AttributeType::USER_NAME, b"alice"),
    ]);
    let Ok(Request::Accounting(accounting)) = request(&octets) else {
        panic!("an Accounting-Request");
    };
    assert_eq!(accounting.status(), AcctStatusType::InterimUpdate);
    assert_eq!(accounting.session_id(), b"s-1");
    assert_eq!(accounting.multi_session_id(), Some(&b"m-1"[..]));
    assert_eq!(accounting.delay_seconds(), Some(2));
    assert_eq!(accounting.session_seconds(), Some(256));
    assert_eq!(accounting.input_octets(), Some((2 << 32) + 5));
    assert_eq!(accounting.output_octets(), Some(0xffff_ffff));
    assert_eq!(accounting.input_packets(), Some(6));
    assert_eq!(accounting.output_packets(), Some(7));
    assert_eq!(accounting.terminate_cause(), Some(1));
    let at = Timestamp::from_unix_seconds(0x6a00_0000);
    assert_eq!(accounting.event_timestamp(), Some(at));
    assert_eq!(
        accounting.framed_ip_address(),
        Some([198, 51, 100, 1].into())
    );
    assert_eq!(accounting.classes().collect::<Vec<_>>(), [b"c1", b"c2"]);
    assert_eq!(accounting.user_name(), Some(&b"alice"[..]));
}

#[test]
fn kinds_of_accounting_rfc2866_5_1() {
    for (number, status) in [
        (1, AcctStatusType::Start),
        (2, AcctStatusType::Stop),
        (3, AcctStatusType::InterimUpdate),
        (7, AcctStatusType::AccountingOn),
        (8, AcctStatusType::AccountingOff),
        (9, AcctStatusType::Other(9)),
        (0, AcctStatusType::Other(0)),
        (u32::MAX, AcctStatusType::Other(u32::MAX)),
    ] {
        assert_eq!(AcctStatusType::from(number), status, "row {number}");
    }
}

#[test]
fn vendor_attributes_are_found_by_vendor_and_number_rfc2865_5_26() {
    let mut buffer = [0; MAX_PACKET];
    let secret = support::shared();
    let mut builder = RequestBuilder::access_request(&mut buffer, 1, FIELD, &secret);
    builder
        .vendor(VendorId(14823), 1, b"wrong vendor")
        .octets(AttributeType::VENDOR_SPECIFIC, &[0, 0, 0])
        .octets(AttributeType::VENDOR_SPECIFIC, &[0, 0, 0, 9, 1, 200, 1])
        .vendor(VendorId::CISCO, 2, b"wrong number")
        .vendor(VendorId::CISCO, 1, b"right")
        .vendor(VendorId::CISCO, 1, b"second");
    let octets = builder.finish().unwrap();
    let packet = Packet::new_checked(octets).unwrap();
    assert_eq!(packet.find_vendor(VendorId::CISCO, 1), Some(&b"right"[..]));
    assert_eq!(packet.find_vendor(VendorId::CISCO, 3), None);
    assert_eq!(packet.find_vendor(VendorId::MICROSOFT, 1), None);
    assert_eq!(packet.vendor_specific().count(), 5, "one has no vendor");
}

fn request(octets: &[u8]) -> Result<Request<'_>, NasMisbehaved> {
    let packet = Packet::new_checked(octets).expect("sound lengths");
    let nas = support::nas();
    let verified = verify(packet, &nas).expect("authentic");
    verified.request()
}
