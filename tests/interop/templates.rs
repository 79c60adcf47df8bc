//! What the ready templates send, as FreeRADIUS's `radclient` reads it with its own dictionaries.

use std::fs;

use crate::gateway::Gateway;
use crate::radclient::SIGNED;
use crate::radclient::send;

/// A gateway that lets MAC addresses in with the limited profile.
fn gateway() -> Gateway {
    Gateway::start(|conf| {
        conf.replace(
            "policy.toml",
            "no_credential          = \"quarantine\"",
            "no_credential = \"allow\"",
        );
        conf.replace("gateway.toml", LIMITED, "");
    })
}

/// The limited profile of the sample.
const LIMITED: &str = "[enforce.default.allow-claimed]\nvlan = 30\nfilter_id = \"limited\"\n\
                       session_timeout = \"8h\"\n";

/// Puts another template and limited profile in force, and asks as an access point does.
fn ask(gateway: &Gateway, before: &mut String, template: &str, keys: &str) -> String {
    let conf = gateway.conf();
    let text = conf.read("gateway.toml");
    let now = format!(
        "template = \"{template}\"\n[enforce.default.allow-claimed]\n{keys}\n\
         [enforce.default.quarantine]\nfilter_id = \"q\"\n#"
    );
    conf.write("gateway.toml", &text.replacen(&*before, &now, 1));
    *before = now;
    let log = gateway.reload();
    assert!(log.contains("is in force"), "{template}: {log}");
    let attributes = format!(
        "User-Name = \"00005e005301\"\nUser-Password = \"00005e005301\"\n\
         Calling-Station-Id = \"00-00-5E-00-53-01\"\nNAS-Port-Type = Wireless-802.11\n\
         Called-Station-Id = \"00-00-5E-00-53-FF:corp\"\nService-Type = Call-Check\n{SIGNED}"
    );
    let secret = gateway.secret();
    send(gateway.authentication, "auth", &secret, &attributes)
}

/// The template line and the quarantine profile of the sample, up to the block profile.
fn first(gateway: &Gateway) -> String {
    let text = gateway.conf().read("gateway.toml");
    let start = text.find("template = \"standard\"").unwrap();
    let end = text.find("# Block: an Access-Reject").unwrap();
    text[start..=end].to_owned()
}

#[test]
fn every_ready_template_is_read_by_freeradius_as_it_is_meant() {
    let gateway = gateway();
    let mut before = first(&gateway);
    let vlan = [
        "Tunnel-Type:0 = VLAN",
        "Tunnel-Medium-Type:0 = IEEE-802",
        "Tunnel-Private-Group-Id:0 = \"20\"",
    ];
    // (template, keys, what radclient prints)
    let rows: [(&str, &str, &[&str]); 19] = [
        (
            "standard",
            "vlan = 20\nsession_timeout = \"1h\"",
            &[
                vlan[0],
                vlan[1],
                vlan[2],
                "Session-Timeout = 3600",
                "Termination-Action = RADIUS-Request",
            ],
        ),
        (
            "standard",
            "vlan = \"staff\"\nfilter_id = \"f\"\n\
             acl_lines = [\"deny in tcp from any to any 25\", \"permit in ip from any to any\"]",
            &[
                "Tunnel-Private-Group-Id:0 = \"staff\"",
                "Filter-Id = \"f\"",
                // Parted by a NUL, which FreeRADIUS takes for the end.
                "NAS-Filter-Rule = \"deny in tcp from any to any 25\"",
                "NAS-Filter-Rule = \"permit in ip from any to any\"",
            ],
        ),
        (
            "cisco-ios-xe",
            "vlan = 20\nacl = \"GUEST\"\nacl_lines = [\"permit udp any any eq 53\", \"deny ip any any\"]\n\
             redirect_url = \"https://help.example/?m={mac}&r={reason}\"\nredirect_acl = \"REDIRECT\"\n\
             role = \"LIMITED\"\nsecurity_group = \"0010-00\"",
            &[
                vlan[2],
                "Filter-Id = \"GUEST.in\"",
                "Cisco-AVPair = \"ip:inacl#1=permit udp any any eq 53\"",
                "Cisco-AVPair = \"ip:inacl#2=deny ip any any\"",
                "Cisco-AVPair = \"url-redirect=https://help.example/?m=00%3A00%3A5e%3A00%3A53%3A01&r=",
                "Cisco-AVPair = \"url-redirect-acl=REDIRECT\"",
                "Cisco-AVPair = \"subscriber:service-name=LIMITED\"",
                "Cisco-AVPair = \"cts:security-group-tag=0010-00\"",
            ],
        ),
        (
            "cisco-wlc",
            "acl = \"a\"\nvlan = \"v\"",
            &[
                "Airespace-ACL-Name = \"a\"",
                "Airespace-Interface-Name = \"v\"",
            ],
        ),
        (
            "cisco-asa",
            "vlan = 20\ngroup_policy = \"g\"\naddress_pool = \"p\"",
            &["= 20", "-Group-Policy = \"g\"", "-Address-Pools = \"p\""],
        ),
        (
            "meraki",
            "vlan = 20\ngroup_policy = \"g\"",
            &[vlan[2], "Filter-Id = \"g\""],
        ),
        (
            "aruba",
            "role = \"r\"\nredirect_url = \"https://h.example/{ssid}\"",
            &[
                "Aruba-User-Role = \"r\"",
                "Aruba-Captive-Portal-URL = \"https://h.example/corp\"",
            ],
        ),
        ("aruba", "vlan = \"v\"", &["Aruba-Named-User-Vlan = \"v\""]),
        ("aruba-aos-s", "role = \"r\"", &["HP-User-Role = \"r\""]),
        (
            "ruckus",
            "vlan = 20\nrole = \"r\"",
            &[vlan[2], "Ruckus-User-Groups = \"r\""],
        ),
        (
            "juniper",
            "acl_lines = [\"Match Destination-ip 192.0.2.0/24 Action allow\"]\n\
             redirect_url = \"https://h.example/\"",
            &[
                "Juniper-Switching-Filter = \"Match Destination-ip 192.0.2.0/24 Action allow\"",
                "Juniper-CWA-Redirect",
                "https://h.example/",
            ],
        ),
        ("mist", "role = \"r\"", &["Airespace-ACL-Name = \"r\""]),
        (
            "extreme",
            "vlan = \"v\"\nrole = \"r\"",
            &[
                "Extreme-Netlogin-Vlan = \"v\"",
                "Filter-Id = \"Enterasys:version=1:policy=r\"",
            ],
        ),
        ("fortinet", "role = \"r\"", &["Fortinet-Group-Name = \"r\""]),
        (
            "globalprotect",
            "role = \"r\"",
            &["PaloAlto-User-Group = \"r\""],
        ),
        (
            "mikrotik",
            "vlan = 20\nacl = \"l\"\nrole = \"g\"",
            &[
                vlan[2],
                "Mikrotik-Wireless-VLANID = 20",
                "Mikrotik-Address-List = \"l\"",
                "Mikrotik-Group = \"g\"",
            ],
        ),
        ("netscaler", "role = \"r\"", &["Citrix-User-Groups = \"r\""]),
        ("unifi", "vlan = 20", &vlan),
        (
            "strongswan",
            "role = \"r\"",
            &["Tunnel-Type:0 = ESP", "Filter-Id = \"r\""],
        ),
    ];
    for (template, keys, expected) in rows {
        let answer = ask(&gateway, &mut before, template, keys);
        assert!(
            answer.contains("Received Access-Accept"),
            "{template}:\n{answer}"
        );
        for line in expected {
            assert!(
                answer.contains(line),
                "{template}: {line} is not in\n{answer}"
            );
        }
    }
    let answer = ask(&gateway, &mut before, "hostapd", "vlan = 20");
    assert!(answer.contains(vlan[2]), "{answer}");
}

#[test]
fn hidden_tagged_and_extended_attributes_are_read_by_freeradius_rfc2868_3_5_rfc6929_2() {
    let gateway = gateway();
    let mut before = first(&gateway);
    let folder = gateway.path("dictionaries");
    fs::create_dir(&folder).unwrap();
    // What FreeRADIUS calls so, too.
    let text = "VENDOR FreeRADIUS 11344\n\
                BEGIN-VENDOR FreeRADIUS format=Extended-Vendor-Specific-5\n\
                ATTRIBUTE FreeRADIUS-802.1X-EAPoL-Key-Msg 2 octets\nEND-VENDOR FreeRADIUS\n";
    fs::write(folder.join("dictionary.site"), text).unwrap();
    gateway.conf().replace(
        "gateway.toml",
        "# folder = \"conf/dictionaries\"",
        "folder = \"dictionaries\"",
    );
    // Two fragments: FreeRADIUS 3.2.1 garbles three. What its own radclient sends of 500 octets ends in
    // zeros, where RFC 6929 section 2.2 has the value go on.
    let long = format!("0x{}", "ab".repeat(400));
    let keys = format!(
        "attributes = {{ \"Tunnel-Password:1\" = \"opens the door\", \
         \"Tunnel-Private-Group-Id:2\" = \"t\", Aruba-MPSK-Passphrase = \"phrase\", \
         Delegated-IPv6-Prefix = \"2001:db8::/56\", Response-Length = 7, \
         \"FreeRADIUS-802.1X-EAPoL-Key-Msg\" = \"{long}\" }}"
    );
    let answer = ask(&gateway, &mut before, "standard", &keys);
    let whole = format!("FreeRADIUS-802.1X-EAPoL-Key-Msg = {long}");
    for expected in [
        "Tunnel-Password:1 = \"opens the door\"",
        "Tunnel-Private-Group-Id:2 = \"t\"",
        "Aruba-MPSK-Passphrase = 0x706872617365",
        "Delegated-IPv6-Prefix = 2001:db8::/56",
        "Response-Length = 7",
        &whole,
    ] {
        assert!(answer.contains(expected), "{expected} is not in\n{answer}");
    }
}

#[test]
fn check_names_file_line_and_key_of_what_cannot_be_told() {
    let gateway = gateway();
    let conf = gateway.conf();
    let folder = gateway.path("dictionaries");
    fs::create_dir(&folder).unwrap();
    fs::write(
        folder.join("dictionary.site"),
        "VENDOR Acme 70000\n\nATTRIBUTE A 1 strin\n",
    )
    .unwrap();
    conf.replace(
        "gateway.toml",
        "# folder = \"conf/dictionaries\"",
        "folder = \"dictionaries\"",
    );
    conf.append(
        "gateway.toml",
        "[enforce.default.allow-claimed]\nrole = \"r\"\nattributes = { Fliter-Id = \"x\", Idle-Timeout = \"soon\" }\n",
    );
    let output = gateway.command(&["check"]);
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    let lines = conf.read("gateway.toml").lines().count();
    for expected in [
        "dictionaries/dictionary.site:3: ".to_owned(),
        "expected a type of string, text".to_owned(),
        format!(
            "gateway.toml:{}: enforce.default.allow-claimed.role: template standard has no role",
            lines - 1
        ),
        format!("gateway.toml:{lines}: enforce.default.allow-claimed.attributes.Fliter-Id: "),
        "did you mean Filter-Id?".to_owned(),
        "Idle-Timeout: expected a number from 0 to 4294967295, found \"soon\"".to_owned(),
    ] {
        assert!(said.contains(&expected), "{expected} is not in\n{said}");
    }
    assert!(!output.status.success());
}
