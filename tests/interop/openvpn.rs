//! OpenVPN with its plugin for RADIUS (radiusplugin 2.1): a password brings a tunnel up, which is accounted.
//! More it does not do: it speaks PAP only, knows neither Message-Authenticator nor Class, and takes no
//! Disconnect-Requests.

use std::fs;
use std::net::UdpSocket;
use std::path::Path;

use nix::sys::signal::Signal;

use crate::cable::Cable;
use crate::cable::Running;
use crate::cable::ip;
use crate::gateway::Gateway;
use crate::gateway::until;
use crate::ldap::allow_users;
use crate::ldap::last_record;
use crate::ports;

/// Both ends, of the range for tests of network devices (RFC 2544).
const NEAR: &str = "198.18.29.1";
const FAR: &str = "198.18.29.2";

/// Two ports below 10,000 that nobody listens on.
fn short_ports() -> [u16; 2] {
    let start = 2000 + u16::try_from(std::process::id() % 7000).unwrap();
    let mut sockets = (start..10_000).filter_map(|port| UdpSocket::bind(("127.0.0.1", port)).ok());
    let sockets = [(); 2].map(|()| sockets.next().unwrap());
    sockets.map(|socket| socket.local_addr().unwrap().port())
}

/// A server that is asked to end: the processes of its plugin outlive one that is killed.
struct Server(Running);

impl Drop for Server {
    fn drop(&mut self) {
        self.0.end(Signal::SIGTERM);
    }
}

/// openvpn as the server, which asks the gateway by way of the plugin.
fn server(gateway: &Gateway, port: u16) -> Server {
    let folder = gateway.path("openvpn");
    fs::create_dir_all(folder.join("ccd")).unwrap();
    let shown = folder.display();
    let conf = format!(
        "port {port}\nproto udp\nlocal {NEAR}\ndev tun\nserver 198.18.30.0 255.255.255.0\n\
         topology subnet\ndh none\nca {root}\ncert {certificate}\nkey {key}\n\
         verify-client-cert none\nusername-as-common-name\nclient-config-dir {shown}/ccd\n\
         status {shown}/status 1\nstatus-version 1\nkeepalive 10 60\nscript-security 2\nverb 3\n\
         plugin /usr/lib/openvpn/radiusplugin.so {shown}/radius.conf\n",
        root = gateway.path("certs/root.pem").display(),
        certificate = gateway.path("certs/radius.pem").display(),
        key = gateway.path("certs/keys/radius.key").display(),
    );
    fs::write(folder.join("server.conf"), conf).unwrap();
    let plugin = format!(
        "NAS-Identifier=openvpn\nService-Type=5\nFramed-Protocol=1\nNAS-Port-Type=5\n\
         NAS-IP-Address=127.0.0.1\nOpenVPNConfig={shown}/server.conf\nsubnet=255.255.255.0\n\
         overwriteccfiles=true\nserver\n{{\n\tacctport={}\n\tauthport={}\n\tname=127.0.0.1\n\
         \tretry=1\n\twait=5\n\tsharedsecret={}\n}}\n",
        gateway.accounting.port(),
        gateway.authentication.port(),
        gateway.secret(),
    );
    fs::write(folder.join("radius.conf"), plugin).unwrap();
    let conf = format!("{shown}/server.conf");
    Server(Running::start(
        "openvpn",
        &["--config", &conf],
        &gateway.path("openvpn/server.log"),
    ))
}

/// openvpn at the other end of the cable.
fn client(gateway: &Gateway, cable: &Cable, port: u16, (user, password): (&str, &str)) -> Running {
    let login = gateway.path("openvpn/login");
    fs::write(&login, format!("{user}\n{password}\n")).unwrap();
    let (root, login) = (gateway.path("certs/root.pem"), login.display().to_string());
    let (root, port) = (root.display().to_string(), port.to_string());
    let inside = ["netns", "exec", &cable.name, "openvpn", "--client"];
    let settings = [
        "--dev",
        "tun",
        "--proto",
        "udp",
        "--remote",
        NEAR,
        &port,
        "--nobind",
        "--ca",
        &root,
        "--remote-cert-tls",
        "server",
        "--auth-user-pass",
        &login,
        "--auth-retry",
        "none",
        "--connect-retry-max",
        "2",
        "--verb",
        "3",
    ];
    let log = gateway.path(&format!("openvpn/{user}.log"));
    Running::start("ip", &[&inside[..], &settings].concat(), &log)
}

#[test]
fn a_password_brings_a_tunnel_of_openvpn_up_and_it_is_accounted() {
    let cable = Cable::lay('o').filter(|cable| {
        let far = format!("{FAR}/30");
        Path::new("/dev/net/tun").exists()
            && ip(&["addr", "add", &format!("{NEAR}/30"), "dev", &cable.near])
            && ip(&["-n", &cable.name, "addr", "add", &far, "dev", &cable.far])
    });
    let Some(cable) = cable else {
        eprintln!("not run: this system gives no network namespaces, or no tunnels");
        return;
    };
    let [port] = ports::udp_anywhere();
    let gateway = Gateway::start(|conf| {
        allow_users(conf);
        // It reads four digits of a port and no fifth.
        let [authentication, accounting] = short_ports();
        for (key, port) in [
            ("authentication", authentication),
            ("accounting", accounting),
        ] {
            let written = format!("{key} = [\"127.0.0.1:0\"");
            let short = format!("{key} = [\"127.0.0.1:{port}\"");
            conf.replace("gateway.toml", &written, &short);
        }
        // The plugin knows no Message-Authenticator.
        conf.replace(
            "nas.toml",
            "message_authenticator = \"require\"",
            "message_authenticator = \"off\"",
        );
    });
    let server = server(&gateway, port);
    until("openvpn listens", || {
        (server.0.count("Initialization Sequence Completed") > 0).then_some(())
    });
    let refused = client(&gateway, &cable, port, ("bob", "wrong"));
    until("a wrong password is refused", || {
        (refused.count("AUTH_FAILED") > 0).then_some(())
    });
    let record = last_record(&gateway);
    assert!(record.contains("\"method\":\"pap\""), "{record}");
    drop(refused);

    let up = client(&gateway, &cable, port, ("alice", "alice-sample"));
    until("the tunnel is up", || {
        (up.count("Initialization Sequence Completed") > 0).then_some(())
    });
    let accounting = until("the tunnel is accounted", || {
        let files = fs::read_dir(gateway.path("var/accounting")).unwrap();
        let texts = files.filter_map(|file| fs::read_to_string(file.unwrap().path()).ok());
        let text: String = texts.collect();
        let line = text.lines().find(|line| line.contains("\"start\""))?;
        Some(line.to_owned())
    });
    assert!(accounting.contains("\"user\":\"alice\""), "{accounting}");
}
