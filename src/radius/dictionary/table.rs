//! The dictionary: standard numbers from IANA's registry of RADIUS types, vendors' numbers from
//! their own guides. It lists what the gateway reads, writes or lets an operator configure.

use super::Entry;
use super::Setting;
use super::ValueKind;
use crate::radius::attribute::VendorId;

/// An attribute an operator may put into replies.
const fn reply(number: u8, name: &'static str, kind: ValueKind) -> Entry {
    entry(None, number, name, kind, Setting::Reply)
}

/// One that the gateway writes by itself.
const fn gateway(number: u8, name: &'static str) -> Entry {
    entry(None, number, name, ValueKind::Octets, Setting::Gateway)
}

/// One that only network devices send.
const fn nas(number: u8, name: &'static str) -> Entry {
    entry(None, number, name, ValueKind::Octets, Setting::Nas)
}

/// A vendor's attribute that an operator may put into replies.
const fn vendor(vendor: VendorId, number: u8, name: &'static str, kind: ValueKind) -> Entry {
    entry(Some(vendor), number, name, kind, Setting::Reply)
}

const fn entry(
    vendor: Option<VendorId>,
    number: u8,
    name: &'static str,
    kind: ValueKind,
    setting: Setting,
) -> Entry {
    Entry {
        vendor,
        number,
        name,
        kind,
        setting,
    }
}

const TEXT: ValueKind = ValueKind::Text;
const NUMBER: ValueKind = ValueKind::Integer(&[]);

const HP: VendorId = VendorId(11);
const JUNIPER: VendorId = VendorId(2636);
const EXTREME: VendorId = VendorId(1916);
const FORTINET: VendorId = VendorId(12356);
const WISPR: VendorId = VendorId(14122);
const AIRESPACE: VendorId = VendorId(14179);
const ARUBA: VendorId = VendorId(14823);
const MIKROTIK: VendorId = VendorId(14988);
const RUCKUS: VendorId = VendorId(25053);
const PALO_ALTO: VendorId = VendorId(25461);

pub(super) const ENTRIES: &[Entry] = &[
    // RFC 2865
    reply(1, "User-Name", TEXT),
    nas(2, "User-Password"),
    nas(3, "CHAP-Password"),
    nas(4, "NAS-IP-Address"),
    nas(5, "NAS-Port"),
    reply(6, "Service-Type", ValueKind::Integer(SERVICE_TYPE)),
    reply(
        7,
        "Framed-Protocol",
        ValueKind::Integer(&[("PPP", 1), ("SLIP", 2)]),
    ),
    reply(8, "Framed-IP-Address", ValueKind::Ipv4),
    reply(9, "Framed-IP-Netmask", ValueKind::Ipv4),
    reply(10, "Framed-Routing", NUMBER),
    reply(11, "Filter-Id", TEXT),
    reply(12, "Framed-MTU", NUMBER),
    reply(13, "Framed-Compression", NUMBER),
    reply(14, "Login-IP-Host", ValueKind::Ipv4),
    reply(15, "Login-Service", NUMBER),
    reply(16, "Login-TCP-Port", NUMBER),
    reply(18, "Reply-Message", TEXT),
    reply(19, "Callback-Number", TEXT),
    reply(20, "Callback-Id", TEXT),
    reply(22, "Framed-Route", TEXT),
    reply(23, "Framed-IPX-Network", NUMBER),
    gateway(24, "State"),
    reply(25, "Class", ValueKind::Octets),
    gateway(26, "Vendor-Specific"),
    reply(27, "Session-Timeout", NUMBER),
    reply(28, "Idle-Timeout", NUMBER),
    reply(
        29,
        "Termination-Action",
        ValueKind::Integer(TERMINATION_ACTION),
    ),
    nas(30, "Called-Station-Id"),
    nas(31, "Calling-Station-Id"),
    nas(32, "NAS-Identifier"),
    gateway(33, "Proxy-State"),
    reply(34, "Login-LAT-Service", TEXT),
    reply(35, "Login-LAT-Node", TEXT),
    reply(36, "Login-LAT-Group", ValueKind::Octets),
    reply(37, "Framed-AppleTalk-Link", NUMBER),
    reply(38, "Framed-AppleTalk-Network", NUMBER),
    reply(39, "Framed-AppleTalk-Zone", TEXT),
    nas(60, "CHAP-Challenge"),
    nas(61, "NAS-Port-Type"),
    reply(62, "Port-Limit", NUMBER),
    reply(63, "Login-LAT-Port", TEXT),
    // RFC 2866
    nas(40, "Acct-Status-Type"),
    nas(41, "Acct-Delay-Time"),
    nas(42, "Acct-Input-Octets"),
    nas(43, "Acct-Output-Octets"),
    nas(44, "Acct-Session-Id"),
    nas(45, "Acct-Authentic"),
    nas(46, "Acct-Session-Time"),
    nas(47, "Acct-Input-Packets"),
    nas(48, "Acct-Output-Packets"),
    nas(49, "Acct-Terminate-Cause"),
    nas(50, "Acct-Multi-Session-Id"),
    nas(51, "Acct-Link-Count"),
    // RFC 2868
    reply(64, "Tunnel-Type", ValueKind::TaggedInteger(TUNNEL_TYPE)),
    reply(
        65,
        "Tunnel-Medium-Type",
        ValueKind::TaggedInteger(TUNNEL_MEDIUM_TYPE),
    ),
    reply(66, "Tunnel-Client-Endpoint", ValueKind::TaggedText),
    reply(67, "Tunnel-Server-Endpoint", ValueKind::TaggedText),
    gateway(69, "Tunnel-Password"),
    reply(81, "Tunnel-Private-Group-Id", ValueKind::TaggedText),
    reply(82, "Tunnel-Assignment-Id", ValueKind::TaggedText),
    reply(83, "Tunnel-Preference", ValueKind::TaggedInteger(&[])),
    reply(90, "Tunnel-Client-Auth-Id", ValueKind::TaggedText),
    reply(91, "Tunnel-Server-Auth-Id", ValueKind::TaggedText),
    // RFC 2869, RFC 3579
    nas(52, "Acct-Input-Gigawords"),
    nas(53, "Acct-Output-Gigawords"),
    nas(55, "Event-Timestamp"),
    nas(77, "Connect-Info"),
    reply(78, "Configuration-Token", TEXT),
    gateway(79, "EAP-Message"),
    gateway(80, "Message-Authenticator"),
    reply(85, "Acct-Interim-Interval", NUMBER),
    nas(87, "NAS-Port-Id"),
    reply(88, "Framed-Pool", TEXT),
    // RFC 3162
    nas(95, "NAS-IPv6-Address"),
    reply(97, "Framed-IPv6-Prefix", ValueKind::Ipv6Prefix),
    reply(98, "Login-IPv6-Host", ValueKind::Ipv6),
    reply(99, "Framed-IPv6-Route", TEXT),
    reply(100, "Framed-IPv6-Pool", TEXT),
    // RFC 4372, RFC 4675, RFC 4849, RFC 5176, RFC 7268
    gateway(89, "Chargeable-User-Identity"),
    reply(56, "Egress-VLANID", NUMBER),
    reply(
        57,
        "Ingress-Filters",
        ValueKind::Integer(&[("Enabled", 1), ("Disabled", 2)]),
    ),
    reply(58, "Egress-VLAN-Name", TEXT),
    reply(59, "User-Priority-Table", ValueKind::Octets),
    reply(92, "NAS-Filter-Rule", TEXT),
    gateway(101, "Error-Cause"),
    gateway(102, "EAP-Key-Name"),
    // Vendors
    vendor(VendorId::CISCO, 1, "Cisco-AVPair", TEXT),
    vendor(HP, 61, "HP-Nas-Filter-Rule", TEXT),
    vendor(HP, 64, "HP-Egress-VLANID", NUMBER),
    vendor(HP, 65, "HP-Egress-VLAN-Name", TEXT),
    entry(
        Some(VendorId::MICROSOFT),
        16,
        "MS-MPPE-Send-Key",
        ValueKind::Octets,
        Setting::Gateway,
    ),
    entry(
        Some(VendorId::MICROSOFT),
        17,
        "MS-MPPE-Recv-Key",
        ValueKind::Octets,
        Setting::Gateway,
    ),
    vendor(EXTREME, 203, "Extreme-Netlogin-Vlan", TEXT),
    vendor(EXTREME, 209, "Extreme-Netlogin-Vlan-Tag", NUMBER),
    vendor(EXTREME, 211, "Extreme-Netlogin-Extended-Vlan", TEXT),
    vendor(EXTREME, 212, "Extreme-Security-Profile", TEXT),
    vendor(JUNIPER, 48, "Juniper-Switching-Filter", TEXT),
    vendor(FORTINET, 1, "Fortinet-Group-Name", TEXT),
    vendor(WISPR, 4, "WISPr-Redirection-URL", TEXT),
    vendor(WISPR, 7, "WISPr-Bandwidth-Max-Up", NUMBER),
    vendor(WISPR, 8, "WISPr-Bandwidth-Max-Down", NUMBER),
    vendor(AIRESPACE, 1, "Airespace-WLAN-Id", NUMBER),
    vendor(AIRESPACE, 2, "Airespace-QOS-Level", NUMBER),
    vendor(AIRESPACE, 3, "Airespace-DSCP", NUMBER),
    vendor(AIRESPACE, 4, "Airespace-8021p-Tag", NUMBER),
    vendor(AIRESPACE, 5, "Airespace-Interface-Name", TEXT),
    vendor(AIRESPACE, 6, "Airespace-ACL-Name", TEXT),
    vendor(ARUBA, 1, "Aruba-User-Role", TEXT),
    vendor(ARUBA, 2, "Aruba-User-Vlan", NUMBER),
    vendor(ARUBA, 9, "Aruba-Named-User-Vlan", TEXT),
    vendor(MIKROTIK, 3, "Mikrotik-Group", TEXT),
    vendor(MIKROTIK, 8, "Mikrotik-Rate-Limit", TEXT),
    vendor(MIKROTIK, 19, "Mikrotik-Address-List", TEXT),
    vendor(RUCKUS, 1, "Ruckus-User-Groups", TEXT),
    vendor(PALO_ALTO, 5, "PaloAlto-User-Group", TEXT),
];

const SERVICE_TYPE: &[(&str, u32)] = &[
    ("Login", 1),
    ("Framed", 2),
    ("Callback-Login", 3),
    ("Callback-Framed", 4),
    ("Outbound", 5),
    ("Administrative", 6),
    ("NAS-Prompt", 7),
    ("Authenticate-Only", 8),
    ("Callback-NAS-Prompt", 9),
    ("Call-Check", 10),
    ("Callback-Administrative", 11),
    ("Authorize-Only", 17),
];

const TERMINATION_ACTION: &[(&str, u32)] = &[("Default", 0), ("RADIUS-Request", 1)];

const TUNNEL_TYPE: &[(&str, u32)] = &[
    ("PPTP", 1),
    ("L2TP", 3),
    ("ESP", 9),
    ("GRE", 10),
    ("VLAN", 13),
];

const TUNNEL_MEDIUM_TYPE: &[(&str, u32)] = &[("IPv4", 1), ("IPv6", 2), ("IEEE-802", 6)];
