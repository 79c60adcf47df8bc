//! `radsecproxy`, between UDP and TLS.

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;

use crate::pki::Holder;
use crate::ports;
use crate::radsec::Site;

/// `radsecproxy` between UDP clients and a server over TLS.
pub(crate) struct Proxy {
    pub(crate) child: Child,
    pub(crate) address: SocketAddr,
    pub(crate) log: PathBuf,
}

/// The secret of the UDP side.
pub(crate) const UDP_SECRET: &str = "secret-between-radclient-and-proxy";

impl Drop for Proxy {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

impl Proxy {
    /// Starts it in front of the gateway, with this certificate.
    pub(crate) fn in_front(site: &Site, holder: &Holder) -> Self {
        let file = |name: &str| site.gateway.path(name).display().to_string();
        fs::write(file("proxy.crt"), holder.pem()).unwrap();
        fs::write(file("proxy.key"), holder.key_pem()).unwrap();
        let address = ports::udp();
        let config = format!(
            "ListenUDP 127.0.0.1:{port}\nLogLevel 2\nLogDestination file://{log}\n\
             tls default {{\n CACertificateFile {ca}\n CertificateFile {certificate}\n \
             CertificateKeyFile {key}\n}}\n\
             client 127.0.0.1 {{\n type udp\n secret {UDP_SECRET}\n}}\n\
             server portreeve {{\n host 127.0.0.1\n port {radsec}\n type tls\n secret radsec\n \
             StatusServer on\n}}\n\
             realm * {{\n server portreeve\n accountingServer portreeve\n}}\n",
            port = address.port(),
            log = file("proxy.log"),
            ca = file("conf/nas-ca.crt"),
            certificate = file("proxy.crt"),
            key = file("proxy.key"),
            radsec = site.radsec.port(),
        );
        fs::write(file("radsecproxy.conf"), config).unwrap();
        let child = Command::new("/usr/sbin/radsecproxy")
            .args(["-f", "-c", &file("radsecproxy.conf")])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("radsecproxy is installed by tests/run");
        Self {
            child,
            address,
            log: site.gateway.path("proxy.log"),
        }
    }

    /// Starts it behind the gateway: asked over TLS, it asks a server by UDP.
    pub(crate) fn behind(
        site: &Site,
        holder: &Holder,
        address: SocketAddr,
        (authentication, accounting, secret): (SocketAddr, SocketAddr, &str),
    ) -> Self {
        let file = |name: &str| site.gateway.path(name).display().to_string();
        fs::write(file("behind.crt"), holder.pem()).unwrap();
        fs::write(file("behind.key"), holder.key_pem()).unwrap();
        let config = format!(
            "ListenTLS 127.0.0.1:{port}\nLogLevel 2\nLogDestination file://{log}\n\
             tls default {{\n CACertificateFile {ca}\n CertificateFile {certificate}\n \
             CertificateKeyFile {key}\n}}\n\
             client portreeve {{\n host 127.0.0.1\n type tls\n secret radsec\n \
             certificateNameCheck off\n}}\n\
             server authentication {{\n host 127.0.0.1\n port {auth}\n type udp\n secret {secret}\n}}\n\
             server accounting {{\n host 127.0.0.1\n port {acct}\n type udp\n secret {secret}\n}}\n\
             realm * {{\n server authentication\n accountingServer accounting\n}}\n",
            port = address.port(),
            auth = authentication.port(),
            acct = accounting.port(),
            log = file("behind.log"),
            ca = file("conf/nas-ca.crt"),
            certificate = file("behind.crt"),
            key = file("behind.key"),
        );
        fs::write(file("behind.conf"), config).unwrap();
        let child = Command::new("/usr/sbin/radsecproxy")
            .args(["-f", "-c", &file("behind.conf")])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("radsecproxy is installed by tests/run");
        Self {
            child,
            address,
            log: site.gateway.path("behind.log"),
        }
    }

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }
}
