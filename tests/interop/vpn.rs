//! What VPN gateways pass on of their clients, in the names of FreeRADIUS's dictionaries.

use crate::gateway::Gateway;
use crate::ldap::allow_users;
use crate::ldap::last_record;
use crate::radclient::SIGNED;
use crate::radclient::send;

const RULES: &str = "
[[app]]
name        = \"current client\"
vpn_clients = [\"AnyConnect Windows 5.*\", \"6.*\"]

[[app]]
name        = \"old client\"
vpn_clients = [\"AnyConnect Windows 4.*\"]

[[conditional]]
name    = \"Old clients stay outside\"
planes  = [\"network\"]
targets = [\"staff\"]
when    = { media = [\"vpn\"], apps = [\"old client\"] }
action  = \"block\"

[[conditional]]
name    = \"No telephones\"
planes  = [\"network\"]
targets = [\"staff\"]
when    = { media = [\"vpn\"], platforms = [\"ios\", \"android\"] }
action  = \"block\"
";

#[test]
fn policies_see_what_asa_and_globalprotect_pass_on_and_records_call_it_claimed() {
    let gateway = Gateway::start(|conf| {
        allow_users(conf);
        conf.append("policy.toml", RULES);
        // Staff is let in by its password; the policies above are what is left.
        conf.replace(
            "policy.toml",
            "name      = \"Network for staff\"",
            "name      = \"Network for staff\"\nstate     = \"off\"",
        );
    });
    let secret = gateway.secret();
    for (said, accepted, claimed) in [
        (
            "Cisco-AVPair += \"mdm-tlv=device-platform=win\"\n\
             Cisco-AVPair += \"mdm-tlv=device-platform-version=10.0.22631\"\n\
             Cisco-AVPair += \"mdm-tlv=ac-user-agent=AnyConnect Windows 5.0.1\"\n",
            true,
            "\"claimed\":{\"platform\":\"win\",\"os_version\":\"10.0.22631\",\
             \"client\":\"AnyConnect Windows 5.0.1\"}",
        ),
        (
            "Cisco-AVPair += \"mdm-tlv=ac-user-agent=AnyConnect Windows 4.10.05085\"\n",
            false,
            "\"claimed\":{\"client\":\"AnyConnect Windows 4.10.05085\"}",
        ),
        (
            "Cisco-AVPair += \"mdm-tlv=device-platform=apple-ios\"\n",
            false,
            "\"claimed\":{\"platform\":\"apple-ios\"}",
        ),
        (
            "PaloAlto-Client-OS = \"Android\"\nPaloAlto-Client-Hostname = \"tablet\"\n",
            false,
            "\"claimed\":{\"platform\":\"Android\",\"host_name\":\"tablet\"}",
        ),
        (
            "PaloAlto-Client-OS = \"Windows\"\nPaloAlto-Client-Hostname = \"CONTOSO-7\"\n\
             PaloAlto-GlobalProtect-Client-Version = \"6.2.1-132\"\n",
            true,
            "\"host_name\":\"CONTOSO-7\",\"client\":\"6.2.1-132\"}",
        ),
    ] {
        let attributes = format!(
            "User-Name = \"alice\"\nUser-Password = \"alice-sample\"\n\
             NAS-Port-Type = Virtual\nCalling-Station-Id = \"198.51.100.7\"\n{said}{SIGNED}"
        );
        let answer = send(gateway.authentication, "auth", &secret, &attributes);
        assert_eq!(
            answer.contains("Received Access-Accept"),
            accepted,
            "row {said}: {answer}"
        );
        let record = last_record(&gateway);
        assert!(record.contains(claimed), "row {said}: {record}");
        assert!(
            record.contains("\"established\":\"none\""),
            "row {said}: {record}"
        );
    }
}
