//! strongSwan as a VPN gateway with eap-radius, and as its client: a tunnel that comes up with the groups
//! of the decision, is accounted, and goes down when its device is compliant no more.
//!
//! Both ends carry their ESP in user space (kernel-libipsec), so that the kernel needs none.

use std::fs;
use std::io::Read;
use std::net::TcpListener;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;

use crate::cable::Cable;
use crate::cable::Running;
use crate::cable::ip;
use crate::certificate::Files;
use crate::certificate::sample;
use crate::gateway::Conf;
use crate::gateway::Gateway;
use crate::gateway::until;
use crate::ldap::last_record;
use crate::ports;

/// One charon with its folder and control socket.
struct Charon {
    _process: Running,
    folder: PathBuf,
}

/// What both ends load; the gateway adds eap-radius, the client its methods.
const PLUGINS: &str = "random nonce openssl pem pkcs1 pkcs8 x509 revocation constraints pubkey kdf md5 sha1 \
                       vici kernel-libipsec kernel-netlink socket-default eap-identity";

impl Charon {
    /// Starts one at `place`, in a namespace or here, and gives it its certificate and connections.
    fn start(place: &Place<'_>) -> Self {
        let folder = place.gateway.path(place.name);
        for sub in ["x509", "x509ca", "private"] {
            fs::create_dir_all(folder.join(sub)).unwrap();
        }
        let root = place.gateway.path("certs/root.pem");
        fs::copy(root, folder.join("x509ca/root.pem")).unwrap();
        if let Some(files) = &place.files {
            fs::copy(&files.certificate, folder.join("x509/own.pem")).unwrap();
            fs::copy(&files.key, folder.join("private/own.pem")).unwrap();
        }
        let shown = folder.display();
        let conf = format!(
            "charon-systemd {{\n load = {PLUGINS} {}\n {}\n install_routes = no\n\
             journal {{\n default = -1\n }}\n\
             filelog {{\n out {{\n path = {shown}/charon.log\n default = 1\n ike = 2\n flush_line = yes\n }}\n }}\n\
             plugins {{\n vici {{\n socket = unix://{shown}/vici\n }}\n {}\n }}\n}}\n",
            place.plugins, place.settings, place.plugin_settings,
        );
        fs::write(folder.join("strongswan.conf"), conf).unwrap();
        fs::write(folder.join("swanctl.conf"), &place.connections).unwrap();
        let conf = format!("STRONGSWAN_CONF={shown}/strongswan.conf");
        let mut arguments = vec!["env", conf.as_str(), "charon-systemd"];
        if let Some(namespace) = place.namespace {
            arguments.splice(0..0, ["ip", "netns", "exec", namespace]);
        }
        let log = place.gateway.path(&format!("{}.out", place.name));
        let process = Running::start(arguments[0], &arguments[1..], &log);
        let charon = Self {
            _process: process,
            folder,
        };
        until("charon listens", || {
            charon.folder.join("vici").exists().then_some(())
        });
        let loaded = charon.swanctl(&["--load-all", "--noprompt"]);
        assert!(loaded.contains("successfully loaded"), "{loaded}");
        charon
    }

    /// What a command says; charon does it.
    fn swanctl(&self, arguments: &[&str]) -> String {
        let shown = self.folder.display();
        let output = Command::new("swanctl")
            .args(arguments)
            .args(["--uri", &format!("unix://{shown}/vici")])
            .args(if arguments.contains(&"--load-all") {
                vec!["--file".to_owned(), format!("{shown}/swanctl.conf")]
            } else {
                Vec::new()
            })
            .env("SWANCTL_DIR", &self.folder)
            .env("STRONGSWAN_CONF", self.folder.join("strongswan.conf"))
            .output()
            .expect("strongswan-swanctl is installed by tests/run");
        let text = [output.stdout, output.stderr].concat();
        String::from_utf8_lossy(&text).into_owned()
    }

    fn log(&self) -> String {
        fs::read_to_string(self.folder.join("charon.log")).unwrap_or_default()
    }
}

/// Where and how a charon runs.
struct Place<'a> {
    gateway: &'a Gateway,
    name: &'a str,
    namespace: Option<&'a str>,
    files: Option<Files>,
    plugins: &'a str,
    settings: String,
    plugin_settings: String,
    connections: String,
}

/// Both ends' inner and outer addresses, of the range for tests of network devices (RFC 2544).
const NEAR: &str = "198.18.25.1";
const FAR: &str = "198.18.25.2";
/// What the tunnel leads to.
const INSIDE: &str = "198.18.26.1";
const POOL: &str = "198.18.27.0/28";

/// A cable whose ends have addresses. `None` where the system gives no namespaces or no tunnels.
fn cable() -> Option<Cable> {
    let cable = Cable::lay('s')?;
    let addressed = Path::new("/dev/net/tun").exists()
        && ip(&["addr", "add", &format!("{NEAR}/30"), "dev", &cable.near])
        && ip(&["addr", "add", &format!("{INSIDE}/32"), "dev", &cable.near])
        && ip(&[
            "-n",
            &cable.name,
            "addr",
            "add",
            &format!("{FAR}/30"),
            "dev",
            &cable.far,
        ]);
    addressed.then_some(cable)
}

/// The gateway's settings: groups by Filter-Id, and who is unknown is out.
fn configure(conf: &Conf, das: u16) {
    conf.replace(
        "nas.toml",
        "accounting = true",
        &format!(
            "accounting = true\ndynamic_authorization = true\ndynamic_authorization_port = {das}"
        ),
    );
    for (from, to) in [
        ("template = \"standard\"", "template = \"strongswan\""),
        ("vlan = 20\nfilter_id = \"quarantine\"", "role = \"mend\""),
        ("vlan = 30\nfilter_id = \"limited\"", "role = \"claimed\""),
        (
            "[enforce.default.allow]\n",
            "[enforce.default.allow]\nrole = \"staff\"\n",
        ),
        (
            r#"inside = ["gtc", "pap", "eap-tls"]"#,
            r#"inside = ["mschapv2"]"#,
        ),
    ] {
        conf.replace("gateway.toml", from, to);
    }
}

/// charon as the VPN gateway, which asks ours for everybody; a connection for each group.
fn concentrator(gateway: &Gateway, [ike, port, das]: [u16; 3]) -> Charon {
    let secret = gateway.secret();
    let connection = |group: &str| {
        format!(
            "{group} {{\n local_addrs = {NEAR}\n pools = pool\n mobike = no\n\
             local {{\n auth = pubkey\n certs = own.pem\n id = radius.portreeve.test\n }}\n\
             remote {{\n auth = eap-radius\n eap_id = %any\n groups = {group}\n }}\n\
             children {{\n net {{\n local_ts = {INSIDE}/32\n }}\n }}\n}}\n"
        )
    };
    let groups = ["staff", "mend", "claimed"].map(connection).concat();
    Charon::start(&Place {
        gateway,
        name: "concentrator",
        namespace: None,
        files: Some(Files {
            certificate: gateway.path("certs/radius.pem"),
            key: gateway.path("certs/keys/radius.key"),
        }),
        plugins: "eap-radius",
        settings: format!("port = {ike}\n port_nat_t = {port}\n"),
        plugin_settings: format!(
            "eap-radius {{\n accounting = yes\n accounting_send_class = yes\n filter_id = yes\n\
             dae {{\n enable = yes\n listen = 127.0.0.1\n port = {das}\n secret = {secret}\n }}\n\
             servers {{\n one {{\n address = 127.0.0.1\n auth_port = {}\n acct_port = {}\n\
             nas_identifier = concentrator\n secret = {secret}\n }}\n }}\n }}\n",
            gateway.authentication.port(),
            gateway.accounting.port(),
        ),
        connections: format!(
            "connections {{\n{groups}}}\npools {{\n pool {{\n addrs = {POOL}\n }}\n}}\n"
        ),
    })
}

/// charon as the client, by the method and the settings of `local`.
fn client(
    gateway: &Gateway,
    cable: &Cable,
    port: u16,
    (name, files, local, more): (&str, Option<Files>, &str, &str),
) -> Charon {
    Charon::start(&Place {
        gateway,
        name,
        namespace: Some(&cable.name),
        files,
        plugins: "eap-tls eap-ttls eap-mschapv2 eap-md5",
        settings: String::new(),
        plugin_settings: String::new(),
        connections: format!(
            "connections {{\n home {{\n remote_addrs = {NEAR}\n remote_port = {port}\n\
             local_port = 4500\n vips = 0.0.0.0\n mobike = no\n\
             local {{\n {local}\n aaa_id = radius.portreeve.test\n }}\n\
             remote {{\n auth = pubkey\n id = radius.portreeve.test\n }}\n\
             children {{\n net {{\n remote_ts = {INSIDE}/32\n }}\n }}\n }}\n}}\n{more}"
        ),
    })
}

impl Charon {
    /// Asks for the tunnel; whether it is up.
    fn dial(&self) -> bool {
        let said = self.swanctl(&["--initiate", "--child", "net", "--timeout", "20"]);
        said.contains("initiate completed successfully")
    }

    /// The connections that are up.
    fn tunnels(&self) -> String {
        self.swanctl(&["--list-sas"])
    }
}

/// What has been accounted so far.
fn accounted(gateway: &Gateway) -> String {
    let files = fs::read_dir(gateway.path("var/accounting")).unwrap();
    let paths = files.map(|file| file.unwrap().path());
    let logs = paths.filter(|path| path.extension().is_some_and(|kind| kind == "jsonl"));
    logs.map(|path| fs::read_to_string(path).unwrap()).collect()
}

#[test]
fn a_tunnel_comes_up_in_the_group_of_its_device_and_goes_down_with_its_compliance_rfc5176() {
    let Some(cable) = cable() else {
        eprintln!("not run: this system gives no network namespaces, or no tunnels");
        return;
    };
    // Of IKE, of IKE behind a NAT, and of Disconnect-Requests.
    let ports: [u16; 3] = ports::udp_anywhere();
    let [_, port, das] = ports;
    let gateway = Gateway::start(|conf| configure(conf, das));
    let concentrator = concentrator(&gateway, ports);
    let by_certificate = |device: &str, user: &str| {
        let local = format!("auth = eap-tls\n certs = own.pem\n id = {user}\n eap_id = {user}");
        (sample(&gateway, device), local)
    };

    // A device that is to mend itself gets in by the connection for those.
    let (files, local) = by_certificate("bob-laptop", "bob@example.com");
    let bob = client(&gateway, &cable, port, ("bob", Some(files), &local, ""));
    assert!(bob.dial(), "{}\n{}", bob.log(), concentrator.log());
    let tunnels = concentrator.tunnels();
    let log = concentrator.log();
    assert!(tunnels.contains("mend: #"), "{tunnels}\n{log}");
    drop(bob);

    // A password inside of TTLS proves no device.
    let local = "auth = eap-ttls\n id = carol\n eap_id = carol";
    let more = "secrets {\n eap {\n id = carol\n secret = carol-sample\n }\n}\n";
    let carol = client(&gateway, &cable, port, ("carol", None, local, more));
    assert!(carol.dial(), "{}\n{}", carol.log(), concentrator.log());
    let tunnels = concentrator.tunnels();
    assert_eq!(tunnels.matches("mend: #").count(), 2, "{tunnels}");
    assert!(tunnels.contains("remote 'carol'"), "{tunnels}");
    drop(carol);

    let (files, local) = by_certificate("alice-phone", "alice@example.com");
    let alice = client(&gateway, &cable, port, ("alice", Some(files), &local, ""));
    assert!(alice.dial(), "{}\n{}", alice.log(), concentrator.log());
    let tunnels = concentrator.tunnels();
    assert!(tunnels.contains("staff: #"), "{tunnels}");
    assert!(tunnels.contains("remote 'alice@example.com'"), "{tunnels}");
    let record = last_record(&gateway);
    assert!(record.contains("\"established\":\"proven\""), "{record}");
    assert!(record.contains("\"method\":\"eap-tls 1.2\""), "{record}");
    carries(&cable);

    // The accounting has the Class that ties it to the decision.
    let accounting = until("the tunnel is accounted", || {
        let text = accounted(&gateway);
        let line = text.lines().rfind(|line| line.contains("alice"))?;
        Some(line.to_owned())
    });
    assert!(accounting.contains("\"start\""), "{accounting}");
    let id = record.split("\"id\":\"").nth(1).unwrap();
    let id = id.split('"').next().unwrap();
    let decision = format!("\"decision\":\"{id}\"");
    assert!(accounting.contains(&decision), "{record}\n{accounting}");

    let row = gateway.conf().read("devices.csv");
    let row = row.lines().find(|line| line.contains("alice-phone"));
    let row = row.unwrap();
    let bad = row.replace(",compliant,", ",noncompliant,");
    assert_ne!(row, bad);
    gateway.conf().replace("devices.csv", row, &bad);
    until("the tunnel is down", || {
        let gone = |text: String| !text.contains("alice@example.com");
        (gone(concentrator.tunnels()) && gone(alice.tunnels())).then_some(())
    });
    let record = until("the record of the disconnect", || {
        let text = gateway.journal();
        let line = text.lines().find(|line| line.contains("\"disconnect "))?;
        Some(line.to_owned())
    });
    assert!(record.contains("\"method\":\"disconnect ack\""), "{record}");
    until("its end is accounted", || {
        let text = accounted(&gateway);
        text.lines()
            .any(|line| line.contains("alice") && line.contains("\"stop\""))
            .then_some(())
    });
}

/// Sends a word through the tunnel.
fn carries(cable: &Cable) {
    // The concentrator's kernel has to know where the clients are.
    assert!(ip(&["route", "add", POOL, "dev", "ipsec0"]));
    // And the client's where the tunnel leads.
    let namespace = ["-n", &cable.name, "route", "add"];
    assert!(ip(&[&namespace[..], &[INSIDE, "dev", "ipsec0"]].concat()));
    let listener = TcpListener::bind((INSIDE, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let inside = ["netns", "exec", &cable.name, "bash", "-c"];
    let word = format!("echo over >/dev/tcp/{INSIDE}/{port}");
    assert!(
        ip(&[&inside[..], &[word.as_str()]].concat()),
        "no way through"
    );
    let (mut stream, from) = listener.accept().unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    assert_eq!(text, "over\n");
    assert!(from.ip().to_string().starts_with("198.18.27."), "{from}");
}
