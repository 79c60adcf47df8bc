//! FreeRADIUS: as a home server behind the gateway, and as a proxy in front of it.

use std::fs;
use std::net::SocketAddr;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;

use crate::gateway::Gateway;
use crate::gateway::until;
use crate::pki::Holder;
use crate::ports;
use crate::radclient::SIGNED;
use crate::radclient::send;
use crate::radsec::Site;
use crate::radsecproxy::Proxy;
use crate::radsecproxy::UDP_SECRET;

/// FreeRADIUS in a folder of the gateway's.
pub(crate) struct FreeRadius(Child);

impl Drop for FreeRadius {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// The secret between the gateway and its home server.
pub(crate) const SECRET: &str = "secret-between-gateway-and-home";

/// Those whom the home server knows, all with this password, and what it authorises.
const USERS: [&str; 3] = ["alice", "bob", "mallory"];
const AUTHORISED: &str = "\tTunnel-Type = VLAN, Tunnel-Medium-Type = IEEE-802, \
                          Tunnel-Private-Group-Id = \"77\", Filter-Id = \"home-staff\", \
                          Class = \"of home\", Session-Timeout = 7200\n";

impl FreeRadius {
    pub(crate) fn start(
        gateway: &Gateway,
        authentication: SocketAddr,
        accounting: SocketAddr,
    ) -> Self {
        Self::listening(gateway, (authentication, accounting), "")
    }

    /// One that is asked over TLS too, there, and shows this certificate.
    pub(crate) fn over_tls(gateway: &Gateway, address: SocketAddr, holder: &Holder) -> Self {
        fs::write(gateway.path("home.crt"), holder.pem()).unwrap();
        fs::write(gateway.path("home.key"), holder.key_pem()).unwrap();
        let file = |name: &str| gateway.path(name).display().to_string();
        let listen = format!(
            "thread pool {{\n start_servers = 2\n max_servers = 4\n min_spare_servers = 1\n \
             max_spare_servers = 2\n max_requests_per_server = 0\n}}\n\
             clients radsec {{\n client gateway {{\n ipaddr = 127.0.0.1\n proto = tls\n \
             secret = radsec\n}}\n}}\n\
             listen {{\n type = auth+acct\n ipaddr = 127.0.0.1\n port = {port}\n proto = tcp\n \
             virtual_server = home\n clients = radsec\n tls {{\n private_key_file = {key}\n \
             certificate_file = {certificate}\n ca_file = {ca}\n fragment_size = 8192\n \
             require_client_cert = yes\n tls_min_version = \"1.2\"\n tls_max_version = \"1.3\"\n \
             ecdh_curve = \"\"\n}}\n limit {{\n max_connections = 16\n lifetime = 0\n \
             idle_timeout = 0\n}}\n}}\n",
            port = address.port(),
            key = file("home.key"),
            certificate = file("home.crt"),
            ca = file("conf/nas-ca.crt"),
        );
        Self::listening(gateway, (ports::udp(), ports::udp()), &listen)
    }

    fn listening(
        gateway: &Gateway,
        (authentication, accounting): (SocketAddr, SocketAddr),
        more: &str,
    ) -> Self {
        let folder = gateway.path("home");
        fs::create_dir_all(&folder).unwrap();
        let path = folder.display();
        let users: String = USERS
            .iter()
            .map(|user| {
                format!("{user}@example.com Cleartext-Password := \"of-home\"\n{AUTHORISED}\n")
            })
            .collect();
        // EAP-TLS needs no password, and gets the same.
        fs::write(
            folder.join("users"),
            format!("{users}DEFAULT EAP-Message =* ANY\n{AUTHORISED}\n"),
        )
        .unwrap();
        let certs = gateway.path("certs");
        let certs = certs.display();
        let config = format!(
            "prefix = {path}\nlogdir = {path}\nrun_dir = {path}\nraddbdir = {path}\n\
             libdir = /usr/lib/freeradius\nhostname_lookups = no\nmax_request_time = 30\n\
             cleanup_delay = 5\nmax_requests = 65536\n\
             log {{\n destination = files\n file = {path}/radius.log\n auth = no\n}}\n\
             security {{\n max_attributes = 200\n reject_delay = 0\n status_server = yes\n}}\n\
             client gateway {{\n ipaddr = 127.0.0.1\n secret = {SECRET}\n \
             require_message_authenticator = yes\n}}\n\
             modules {{\n always ok {{\n rcode = ok\n }}\n files {{\n usersfile = {path}/users\n}}\n pap {{\n normalise = no\n}}\n \
             eap {{\n default_eap_type = tls\n timer_expire = 60\n max_sessions = 4096\n \
             tls-config common {{\n private_key_file = {certs}/keys/radius.key\n \
             certificate_file = {certs}/radius.pem\n ca_file = {certs}/root.pem\n \
             fragment_size = 1024\n tls_min_version = \"1.2\"\n tls_max_version = \"1.3\"\n \
             ecdh_curve = \"\"\n }}\n tls {{\n tls = common\n }}\n}}\n}}\n\
             server home {{\n listen {{\n type = auth\n ipaddr = 127.0.0.1\n port = {auth}\n}}\n\
             listen {{\n type = acct\n ipaddr = 127.0.0.1\n port = {acct}\n}}\n\
             authorize {{\n files\n eap\n pap\n}}\n\
             authenticate {{\n Auth-Type PAP {{\n pap\n }}\n eap\n}}\n\
             post-auth {{\n update reply {{\n Message-Authenticator := 0x00\n }}\n \
             Post-Auth-Type REJECT {{\n update reply {{\n Message-Authenticator := 0x00\n }}\n \
             }}\n}}\n\
             accounting {{\n ok\n}}\n}}\n{more}",
            auth = authentication.port(),
            acct = accounting.port(),
        );
        fs::write(folder.join("radiusd.conf"), config).unwrap();
        let child = Command::new("/usr/sbin/freeradius")
            .args(["-f", "-d", &path.to_string()])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("freeradius is installed by tests/run");
        let started = Self(child);
        until("FreeRADIUS answers", || {
            let answer = send(authentication, "status", SECRET, SIGNED);
            answer.contains("Received Access-Accept").then_some(())
        });
        started
    }
}

/// FreeRADIUS as proxy in front of the gateway, over TLS.
pub(crate) fn in_front(site: &Site, holder: &Holder) -> Proxy {
    let folder = site.gateway.path("front");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("front.crt"), holder.pem()).unwrap();
    fs::write(folder.join("front.key"), holder.key_pem()).unwrap();
    let (path, address) = (folder.display(), ports::udp());
    let ca = site.gateway.path("conf/nas-ca.crt");
    let config = format!(
        "prefix = {path}\nlogdir = {path}\nrun_dir = {path}\nraddbdir = {path}\n\
         libdir = /usr/lib/freeradius\nhostname_lookups = no\nmax_request_time = 30\n\
         cleanup_delay = 5\nmax_requests = 65536\nproxy_requests = yes\n\
         log {{\n destination = files\n file = {path}/radius.log\n auth = no\n}}\n\
         security {{\n max_attributes = 200\n reject_delay = 0\n status_server = yes\n}}\n\
         client nas {{\n ipaddr = 127.0.0.1\n secret = {UDP_SECRET}\n}}\n\
         proxy server {{\n default_fallback = no\n}}\n\
         home_server portreeve {{\n type = auth+acct\n ipaddr = 127.0.0.1\n port = {port}\n \
         proto = tcp\n secret = radsec\n response_window = 5\n status_check = none\n \
         tls {{\n private_key_file = {path}/front.key\n certificate_file = {path}/front.crt\n \
         ca_file = {ca}\n fragment_size = 8192\n }}\n}}\n\
         home_server_pool pool {{\n type = fail-over\n home_server = portreeve\n}}\n\
         realm all {{\n pool = pool\n nostrip\n}}\n\
         thread pool {{\n start_servers = 2\n max_servers = 4\n min_spare_servers = 1\n \
         max_spare_servers = 2\n max_requests_per_server = 0\n}}\n\
         modules {{\n}}\n\
         server front {{\n listen {{\n type = auth\n ipaddr = 127.0.0.1\n port = {own}\n}}\n\
         authorize {{\n update control {{\n Proxy-To-Realm := \"all\"\n }}\n}}\n}}\n",
        port = site.radsec.port(),
        ca = ca.display(),
        own = address.port(),
    );
    fs::write(folder.join("radiusd.conf"), config).unwrap();
    let child = Command::new("/usr/sbin/freeradius")
        .args(["-f", "-d", &path.to_string()])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("freeradius is installed by tests/run");
    Proxy {
        child,
        address,
        log: site.gateway.path("front/radius.log"),
    }
}
