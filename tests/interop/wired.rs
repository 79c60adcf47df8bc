//! hostapd and wpa_supplicant on a wire of their own: a port that opens for a compliant device and
//! closes when it is compliant no more.

use std::fs;
use std::net::UdpSocket;

use crate::cable::Cable;
use crate::cable::Running;
use crate::certificate::sample;
use crate::gateway::Gateway;
use crate::gateway::until;

/// hostapd as a switch with one port; it takes Disconnect-Requests at `das`.
fn switch(gateway: &Gateway, cable: &Cable, das: u16) -> Running {
    let secret = gateway.secret();
    let conf = gateway.path("hostapd.conf");
    let text = format!(
        "interface={}\ndriver=wired\nieee8021x=1\nuse_pae_group_addr=1\neapol_version=2\n\
         own_ip_addr=127.0.0.1\nnas_identifier=switch-1\n\
         auth_server_addr=127.0.0.1\nauth_server_port={}\nauth_server_shared_secret={secret}\n\
         acct_server_addr=127.0.0.1\nacct_server_port={}\nacct_server_shared_secret={secret}\n\
         radius_das_port={das}\nradius_das_client=127.0.0.1 {secret}\n\
         radius_das_require_event_timestamp=1\nradius_das_require_message_authenticator=1\n",
        cable.near,
        gateway.authentication.port(),
        gateway.accounting.port(),
    );
    fs::write(&conf, text).unwrap();
    let arguments = ["-dd", conf.to_str().unwrap()];
    Running::start("hostapd", &arguments, &gateway.path("hostapd.log"))
}

/// wpa_supplicant at the other end, with the certificate of a sample device.
fn laptop(gateway: &Gateway, cable: &Cable, device: &str, user: &str) -> Running {
    let files = sample(gateway, device);
    let conf = gateway.path("supplicant.conf");
    let text = format!(
        "ap_scan=0\neapol_version=2\nnetwork={{\nkey_mgmt=IEEE8021X\neap=TLS\nidentity=\"{user}\"\n\
         ca_cert=\"{}\"\nclient_cert=\"{}\"\nprivate_key=\"{}\"\neapol_flags=0\n}}\n",
        gateway.path("certs/root.pem").display(),
        files.certificate.display(),
        files.key.display(),
    );
    fs::write(&conf, text).unwrap();
    let inside = ["netns", "exec", &cable.name, "wpa_supplicant", "-dd"];
    let wired = [
        "-D",
        "wired",
        "-i",
        &cable.far,
        "-c",
        conf.to_str().unwrap(),
    ];
    let arguments = [&inside[..], &wired].concat();
    Running::start("ip", &arguments, &gateway.path("supplicant.log"))
}

#[test]
fn a_port_opens_for_a_compliant_device_and_closes_when_it_is_compliant_no_more_rfc5176() {
    let Some(cable) = Cable::lay('w') else {
        eprintln!("not run: this system gives no network namespaces");
        return;
    };
    // Free a moment ago; hostapd takes no port of the system's choice.
    let das = UdpSocket::bind("127.0.0.1:0").unwrap();
    let port = das.local_addr().unwrap().port();
    drop(das);
    let gateway = Gateway::start(|conf| {
        conf.replace(
            "nas.toml",
            "accounting = true",
            &format!(
                "accounting = true\ndynamic_authorization = true\n\
                 dynamic_authorization_port = {port}"
            ),
        );
        let from = "unknown_device         = \"quarantine\"";
        conf.replace("policy.toml", from, "unknown_device = \"block\"");
    });
    let switch = switch(&gateway, &cable, port);
    let _laptop = laptop(&gateway, &cable, "alice-phone", "alice@example.com");
    until("the port is open", || {
        (switch.count("authorizing port") > switch.count("unauthorizing port")).then_some(())
    });

    let row = gateway.conf().read("devices.csv");
    let row = row
        .lines()
        .find(|line| line.contains("alice-phone"))
        .unwrap();
    let bad = row.replace(",compliant,", ",noncompliant,");
    assert_ne!(row, bad);
    gateway.conf().replace("devices.csv", row, &bad);
    until("the port is closed", || {
        (switch.count("deauthenticated due to local deauth request") > 0).then_some(())
    });
    let journal = gateway.path("var/journal/decisions0.jsonl");
    let record = until("the record of the disconnect", || {
        let text = fs::read_to_string(&journal).ok()?;
        let line = text.lines().find(|line| line.contains("\"disconnect "))?;
        Some(line.to_owned())
    });
    assert!(record.contains("\"method\":\"disconnect ack\""), "{record}");
    assert!(
        record.contains("\"reason\":\"DeviceNotCompliant\""),
        "{record}"
    );
}
