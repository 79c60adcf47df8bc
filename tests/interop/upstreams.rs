//! Servers behind the front that others have written: nginx and HAProxy, found by unbound.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;

use nix::sys::signal::Signal;
use portreeve::wbxml::service::provision;
use tempfile::TempDir;

use crate::active_sync::Phone;
use crate::active_sync::written;
use crate::discovery::Unbound;
use crate::gateway::Conf;
use crate::gateway::Gateway;
use crate::gateway::until;
use crate::mail::POST;
use crate::mail::curl;
use crate::mail::plain;
use crate::nginx::Nginx;
use crate::nginx::around;
use crate::pki::Holder;
use crate::pki::Pki;
use crate::pki::Wrong;
use crate::ports;

const ALICE: &str = "alice@example.com";
const PASSWORD: &str = "alice@example.com:alice-mail";
/// Compliant devices of alice.
pub(crate) const DEVICES: [&str; 8] = ["a1", "a2", "a3", "a4", "a5", "a6", "a7", "a8"];

/// An ActiveSync server; `listen` are its doors, `more` what else stands there. Its log has for each
/// command who asked, by which connection, and whose that is.
pub(crate) fn mail_server(root: &Path, listen: &str, more: &str) -> String {
    let folder = root.display();
    let servers = format!(
        r#"
    log_format eas '$request_method device=$arg_DeviceId host=$http_host from=$remote_addr '
                   'whose=$proxy_protocol_addr connection=$connection xff=$http_x_forwarded_for';
    access_log {folder}/access.log eas;
    server {{
        {listen}
        {more}
        auth_basic "mail";
        auth_basic_user_file {folder}/users;
        location = /Microsoft-Server-ActiveSync {{
            proxy_pass http://unix:{folder}/inner:;
        }}
        location = /health {{
            auth_basic off;
            root {folder};
        }}
    }}
    server {{
        listen unix:{folder}/inner;
        access_log off;
        location / {{
            if ($arg_Cmd = Provision) {{ rewrite ^ /provision last; }}
            add_header MS-ASProtocolVersions "14.0,14.1,16.1" always;
            return 200 "served";
        }}
        # A file is no answer to a POST, but for the page that says so.
        location = /provision {{
            root {folder};
            error_page 405 =200 /provision;
            default_type application/vnd.ms-sync.wbxml;
        }}
    }}
"#
    );
    around(root, &servers)
}

pub(crate) fn nginx(more: &str) -> Nginx {
    let nginx = Nginx::with(ports::tcp(), |root, port| {
        fs::write(root.join("health"), "well").unwrap();
        mail_server(root, &format!("listen 127.0.0.1:{port};"), more)
    });
    until("nginx listens", || {
        std::net::TcpStream::connect(("127.0.0.1", nginx.port)).ok()
    });
    nginx
}

/// The sample with these upstreams, more about them, and alice's devices.
pub(crate) fn upstreams(conf: &Conf, urls: &[String], more: &str) {
    let upstream = "upstream = \"http://127.0.0.1:18080\"";
    conf.replace("gateway.toml", upstream, &format!("upstream = {urls:?}"));
    conf.append(
        "gateway.toml",
        &format!("\n[mail.upstreams.default]\n{more}\n"),
    );
    for (number, device) in DEVICES.iter().enumerate() {
        conf.append(
            "devices.csv",
            &format!(
                "5d1c8a40-6f2e-4b7a-9c31-00000000a{number:03},{device},{ALICE},ios,18.1,,,{device},yes,\
                 yes,compliant,yes,no,yes,yes,registered,company,managed\n"
            ),
        );
    }
}

pub(crate) fn url(port: u16) -> String {
    format!("http://127.0.0.1:{port}")
}

pub(crate) fn sync(gateway: &Gateway, device: &str) -> u16 {
    curl(gateway, PASSWORD, &plain(ALICE, device), POST).status
}

/// The commands that reached a server: the words of its log.
pub(crate) fn commands(server: &Nginx) -> Vec<String> {
    let requests = server.requests().into_iter();
    requests.filter(|line| line.starts_with("POST")).collect()
}

/// Waits until that many commands are in the logs: nginx writes them after its answers.
pub(crate) fn logged(servers: &[&Nginx], count: usize) {
    until("nginx has logged every command", || {
        let all: usize = servers.iter().map(|server| commands(server).len()).sum();
        (all >= count).then_some(())
    });
}

/// The devices whose commands reached a server from that line of its log on.
pub(crate) fn devices(server: &Nginx, from: usize) -> Vec<&'static str> {
    let new = commands(server).split_off(from);
    let is_there = |device: &&&str| {
        let word = format!("device={device} ");
        new.iter().any(|line| line.contains(&word))
    };
    DEVICES.iter().filter(is_there).copied().collect()
}

/// How a server of the default upstream is, as `portreeve status` tells.
fn health(gateway: &Gateway, port: u16) -> String {
    let status = gateway.command(&["status"]).stdout;
    let status = String::from_utf8(status).unwrap();
    let here = url(port);
    let line = status.lines().find(|line| line.contains(&here));
    line.unwrap_or_else(|| panic!("{status}")).to_owned()
}

#[test]
fn a_device_stays_with_its_nginx_and_moves_only_while_that_is_gone() {
    let (mut one, other) = (nginx(""), nginx(""));
    let gateway = Gateway::start(|conf| {
        let check = "check = \"/health\"\ncheck_interval = \"1s\"";
        upstreams(conf, &[one.port, other.port].map(url), check);
    });
    let mut sent = 0;
    let mut all = |one: &Nginx| {
        for device in DEVICES {
            assert_eq!(sync(&gateway, device), 200, "row {device}");
        }
        sent += DEVICES.len();
        logged(&[one, &other], sent);
    };
    all(&one);
    let (ours, theirs) = (devices(&one, 0), devices(&other, 0));
    assert_eq!(ours.len() + theirs.len(), DEVICES.len(), "one server each");
    assert!(
        !ours.is_empty() && !theirs.is_empty(),
        "{ours:?} {theirs:?}"
    );
    // Not even the first request after it has gone is lost, nor any while nobody knows yet.
    let before = commands(&other).len();
    one.stop();
    all(&one);
    assert_eq!(devices(&other, before), DEVICES);
    until("its health check has failed", || {
        health(&gateway, one.port).contains("down").then_some(())
    });
    let before = commands(&other).len();
    one.resume();
    until("its health check is answered", || {
        health(&gateway, one.port)
            .contains("up (health")
            .then_some(())
    });
    all(&one);
    assert_eq!(
        devices(&other, before),
        theirs,
        "who was there all the time"
    );
    // A server that is there and says that it is not well gets nothing.
    fs::remove_file(one.path("health")).unwrap();
    until("its health check answers 404", || {
        health(&gateway, one.port).contains("404").then_some(())
    });
    let before = commands(&one).len();
    all(&one);
    assert_eq!(devices(&one, before), [""; 0]);
}

#[test]
fn without_any_server_devices_are_told_when_to_come_again() {
    let mut nginx = nginx("");
    let gateway = Gateway::start(|conf| upstreams(conf, &[url(nginx.port)], ""));
    assert_eq!(sync(&gateway, "a1"), 200);
    nginx.stop();
    for (row, password) in [
        ("known", PASSWORD),
        ("not known", "bob@example.com:bob-mail"),
    ] {
        let user = password.split(':').next().unwrap();
        let got = curl(&gateway, password, &plain(user, "a1"), POST);
        assert_eq!(got.status, 503, "row {row}: {}", got.head);
        let head = got.head.to_lowercase();
        let wait = head.split("retry-after: ").nth(1).unwrap();
        let wait: u32 = wait.lines().next().unwrap().parse().unwrap();
        assert!((1..=300).contains(&wait), "row {row}: {head}");
    }
    nginx.resume();
    assert_eq!(sync(&gateway, "a1"), 200, "and at once when it is there");
}

/// The health check knew better than `status` until the next phone came.
#[test]
fn status_says_that_the_mail_server_is_there_again_before_any_device_has_come() {
    let mut nginx = nginx("");
    let gateway = Gateway::start(|conf| {
        let check = "check = \"/health\"\ncheck_interval = \"1s\"";
        upstreams(conf, &[url(nginx.port)], check);
    });
    let status = || String::from_utf8(gateway.command(&["status"]).stdout).unwrap();
    let is_lost = || status().contains("the mail server cannot be reached");
    assert_eq!(sync(&gateway, "a1"), 200);
    assert!(!is_lost());
    nginx.stop();
    assert_eq!(sync(&gateway, "a1"), 503);
    assert!(is_lost(), "{}", status());
    until("its health check has failed", || {
        health(&gateway, nginx.port).contains("down").then_some(())
    });
    assert_eq!(sync(&gateway, "a1"), 503);
    assert!(is_lost(), "{}", status());
    nginx.resume();
    until("its health check is answered", || {
        health(&gateway, nginx.port)
            .contains("up (health")
            .then_some(())
    });
    assert!(!is_lost(), "{}", status());
}

/// POSTs, one after the other by one connection of the client's, so many a second; their statuses.
fn paced(gateway: &Gateway, device: &str, rate: u32, count: u32) -> Child {
    paced_at(gateway, &plain(ALICE, device), rate, count)
}

fn paced_at(gateway: &Gateway, target: &str, rate: u32, count: u32) -> Child {
    let port = gateway.mail.unwrap().port();
    Command::new("curl")
        .args(["-sS", "--http1.1", "--max-time", "30", "-u", PASSWORD])
        .args(["--rate", &format!("{rate}/s"), "-o", "/dev/null"])
        .args(["-w", "%{http_code} "])
        .args(POST)
        .args(["--cacert", gateway.path("certs/root.pem").to_str().unwrap()])
        .args([
            "--resolve",
            &format!("mail.portreeve.test:{port}:127.0.0.1"),
        ])
        // One query parameter more, of which curl makes as many requests.
        .arg(format!(
            "https://mail.portreeve.test:{port}{target}&ItemId=[1-{count}]"
        ))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .expect("curl is installed by tests/run")
}

/// As many successes as requests, each at the server once.
fn all_served(running: Vec<Child>, each: u32, server: &Nginx) -> usize {
    let mut sent = 0;
    for child in running {
        let output = child.wait_with_output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let statuses: Vec<&str> = text.split_whitespace().collect();
        assert_eq!(statuses.len(), usize::try_from(each).unwrap(), "{text}");
        assert!(statuses.iter().all(|status| *status == "200"), "{text}");
        sent += statuses.len();
    }
    logged(&[server], sent);
    let reached = commands(server);
    assert_eq!(reached.len(), sent, "no command came twice");
    let mut connections: Vec<&str> = reached
        .iter()
        .filter_map(|line| line.split("connection=").nth(1)?.split(' ').next())
        .collect();
    connections.sort_unstable();
    connections.dedup();
    connections.len()
}

#[test]
fn a_connection_that_nginx_closes_costs_no_post_and_none_comes_twice() {
    for (row, more, rate, count, at_least) in [
        // Each comes just as the connection of the one before is closed.
        ("idle", "keepalive_timeout 500ms;", 2, 6, 2),
        ("requests", "keepalive_requests 3;", 50, 30, 40),
        ("none is kept", "keepalive_timeout 0;", 50, 10, 80),
    ] {
        let nginx = nginx(more);
        let gateway = Gateway::start(|conf| {
            upstreams(conf, &[url(nginx.port)], "idle = \"1m\"");
        });
        let running = DEVICES.map(|device| paced(&gateway, device, rate, count));
        let connections = all_served(running.into(), count, &nginx);
        assert!(connections >= at_least, "row {row}: {connections}");
    }
}

/// nginx with a worker that a reload ends, under traffic while it is reloaded again and again; what
/// came of the commands.
fn reloaded(name: &str) -> (Nginx, Vec<String>) {
    let nginx = Nginx::with(ports::tcp(), |root, port| {
        let text = mail_server(root, &format!("listen 127.0.0.1:{port};"), "");
        text.replace("master_process off;", "worker_processes 1;")
    });
    until("nginx listens", || {
        std::net::TcpStream::connect(("127.0.0.1", nginx.port)).ok()
    });
    let gateway = Gateway::start(|conf| upstreams(conf, &[url(nginx.port)], ""));
    let (rate, count) = (100, 400);
    let running = DEVICES.map(|device| {
        let target = plain(ALICE, device).replace("FolderSync", name);
        paced_at(&gateway, &target, rate, count)
    });
    let mut reloads = 0;
    // As many as there is time for beside the traffic, each when the one before is over.
    while reloads < 60 && commands(&nginx).len() < 2800 {
        let before = commands(&nginx).len();
        nginx.signal(Signal::SIGHUP).unwrap();
        reloads += 1;
        until("commands go on", || {
            (commands(&nginx).len() >= before + 20).then_some(())
        });
    }
    assert!(reloads > 10, "{reloads}");
    let mut statuses = Vec::new();
    for child in running {
        let output = child.wait_with_output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        statuses.extend(text.split_whitespace().map(str::to_owned));
    }
    assert_eq!(statuses.len(), 3200);
    (nginx, statuses)
}

/// The workers of before close what is idle, while the next command is on its way.
#[test]
fn a_reload_of_nginx_under_traffic_costs_no_command_that_changes_nothing() {
    let (nginx, statuses) = reloaded("FolderSync");
    assert!(
        statuses.iter().all(|status| status == "200"),
        "{statuses:?}"
    );
    logged(&[&nginx], statuses.len());
    assert_eq!(commands(&nginx).len(), statuses.len(), "none came twice");
}

/// One that may have been read is not sent twice, and its client hears of it.
#[test]
fn a_reload_of_nginx_under_traffic_sends_no_mail_twice() {
    let (nginx, statuses) = reloaded("SendMail");
    let served = statuses.iter().filter(|status| *status == "200").count();
    let told = statuses.iter().filter(|status| *status == "503").count();
    assert_eq!(served + told, statuses.len(), "{statuses:?}");
    assert!(told <= 30, "{told} of {}", statuses.len());
    logged(&[&nginx], served);
    let reached = commands(&nginx).len();
    assert_eq!(reached, served, "{told} were told that it has not come");
}

#[test]
fn connections_leave_from_each_source_address() {
    let nginx = nginx("keepalive_timeout 0;");
    let gateway = Gateway::start(|conf| {
        let more = "source_addresses = [\"127.0.0.11\", \"127.0.0.12\"]";
        upstreams(conf, &[url(nginx.port)], more);
    });
    for device in DEVICES {
        assert_eq!(sync(&gateway, device), 200);
    }
    logged(&[&nginx], DEVICES.len());
    let from = |address: &str| {
        let word = format!("from={address} ");
        let requests = nginx.requests();
        requests.iter().filter(|line| line.contains(&word)).count()
    };
    assert!(from("127.0.0.11") >= 2 && from("127.0.0.12") >= 2);
    assert_eq!(from("127.0.0.1"), 0);
}

#[test]
fn another_address_of_a_name_is_followed_when_unbound_says_so() {
    let name = "exchange.portreeve.test";
    let (dns, port) = (ports::udp(), ports::tcp());
    let server = |address: &'static str| {
        Nginx::with(port, |root, port| {
            let listen = format!("listen {address}:{port};");
            mail_server(root, &listen, "keepalive_timeout 0;")
        })
    };
    let (before, after) = (server("127.0.0.21"), server("127.0.0.22"));
    let gateway = Gateway::start(|conf| {
        upstreams(conf, &[format!("http://{name}:{port}")], "");
        let servers = "name_servers = []           # [\"10.0.0.53:53\"]";
        conf.replace(
            "gateway.toml",
            servers,
            &format!("name_servers = [\"{dns}\"]"),
        );
    });
    let says = |address: &str| {
        let record = format!("{name}. 1 IN A {address}");
        Unbound::start(&gateway, dns, &[record])
    };
    let unbound = says("127.0.0.21");
    assert_eq!(sync(&gateway, "a1"), 200);
    logged(&[&before], 1);
    assert_eq!(devices(&before, 0), ["a1"]);
    drop(unbound);
    let _unbound = says("127.0.0.22");
    until("the new address is used", || {
        assert_eq!(sync(&gateway, "a2"), 200);
        (devices(&after, 0) == ["a2"]).then_some(())
    });
    let host = format!("host={name}:{port} ");
    assert!(commands(&after).iter().all(|line| line.contains(&host)));
}

/// A running HAProxy; dropping it ends it.
struct Haproxy {
    child: Child,
    _folder: TempDir,
    port: u16,
}

impl Haproxy {
    /// Starts one with these lines between a door and a server; `%PORT` in them is its port.
    fn start(lines: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let port = ports::tcp();
        let file = folder.path().join("haproxy.cfg");
        let lines = lines.replace("%PORT", &port.to_string());
        let text = format!(
            "defaults\n timeout connect 5s\n timeout client 60s\n timeout server 60s\n{lines}\n"
        );
        fs::write(&file, text).unwrap();
        let child = Command::new("/usr/sbin/haproxy")
            .args(["-q", "-db", "-f", file.to_str().unwrap()])
            .stdin(Stdio::null())
            .spawn()
            .expect("haproxy is installed by tests/run");
        until("HAProxy listens", || {
            std::net::TcpStream::connect(("127.0.0.1", port)).ok()
        });
        Self {
            child,
            _folder: folder,
            port,
        }
    }
}

impl Drop for Haproxy {
    fn drop(&mut self) {
        // Fails only if it has ended already.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

#[test]
fn haproxy_and_nginx_know_the_client_by_the_proxy_protocol_and_so_do_we_from_haproxy() {
    for (said_to_us, said_by_us, is_nginx) in [
        ("send-proxy", "v1", true),
        ("send-proxy-v2", "v2", true),
        ("send-proxy", "v2", false),
        ("send-proxy-v2", "v1", false),
    ] {
        let row = format!("{said_to_us} {said_by_us} {is_nginx}");
        let listen = if is_nginx { " proxy_protocol" } else { "" };
        let nginx = Nginx::with(ports::tcp(), |root, port| {
            mail_server(root, &format!("listen 127.0.0.1:{port}{listen};"), "")
        });
        // HAProxy takes the client's address from the connection and writes it down for nginx.
        let behind = (!is_nginx).then(|| {
            Haproxy::start(&format!(
                "listen mail\n mode http\n bind 127.0.0.1:%PORT accept-proxy\n \
                 http-request set-header X-Forwarded-For seen-%[src]\n \
                 server mail 127.0.0.1:{}",
                nginx.port
            ))
        });
        let upstream = behind.as_ref().map_or(nginx.port, |haproxy| haproxy.port);
        let gateway = Gateway::start(|conf| {
            let more = format!("proxy_protocol = \"{said_by_us}\"");
            upstreams(conf, &[url(upstream)], &more);
            let from = "proxy_protocol_from = []    # [\"10.0.0.10\"]";
            let balancer = "proxy_protocol_from = [\"127.0.0.1\"]";
            conf.replace("gateway.toml", from, balancer);
        });
        let door = gateway.mail.unwrap();
        let before = Haproxy::start(&format!(
            "listen front\n mode tcp\n bind 127.0.0.1:%PORT\n server gateway {door} {said_to_us}"
        ));
        let output = Command::new("curl")
            .args(["-sS", "--http1.1", "--max-time", "10", "-u", PASSWORD])
            .args(["--interface", "127.0.0.5", "-w", "%{http_code}"])
            .args(POST)
            .args(["--cacert", gateway.path("certs/root.pem").to_str().unwrap()])
            .arg("--connect-to")
            .arg(format!("mail.portreeve.test:443:127.0.0.1:{}", before.port))
            .arg(format!("https://mail.portreeve.test{}", plain(ALICE, "a1")))
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        assert_eq!(said, "served200", "row {row}: {output:?}");
        logged(&[&nginx], 1);
        let line = commands(&nginx).remove(0);
        let expected = if is_nginx {
            "whose=127.0.0.5 "
        } else {
            "xff=seen-127.0.0.5"
        };
        assert!(line.contains(expected), "row {row}: {line}");
        let from = "\"from\":\"127.0.0.5\"";
        until("the decision is on record", || {
            gateway.journal().contains(from).then_some(())
        });
        // Without the header nobody from there is heard.
        let direct = Command::new("curl")
            .args(["-sS", "--max-time", "10", "-k"])
            .arg(format!("https://{door}/"))
            .output()
            .unwrap();
        assert!(!direct.status.success(), "row {row}");
    }
}

/// How a server's certificate comes about.
type Issue = fn(&Pki) -> Holder;

#[test]
fn nginx_must_show_a_certificate_of_the_configured_authority_for_its_name() {
    let pki = Pki::new();
    let name = "exchange.portreeve.test";
    let good: Issue = |pki| pki.issue("exchange.portreeve.test", 2, Wrong::Nothing);
    let rows: [(&str, Issue, &str, u16); 4] = [
        ("good", good, name, 200),
        ("other name", good, "other.portreeve.test", 503),
        (
            "other authority",
            |pki| pki.issue("exchange.portreeve.test", 3, Wrong::Authority),
            name,
            503,
        ),
        (
            "expired",
            |pki| pki.issue("exchange.portreeve.test", 4, Wrong::Time),
            name,
            503,
        ),
    ];
    for (row, holder, name, expected) in rows {
        let holder = holder(&pki);
        let nginx = Nginx::with(ports::tcp(), |root, port| {
            fs::write(root.join("crt"), holder.pem()).unwrap();
            fs::write(root.join("key"), holder.key.serialize_pem()).unwrap();
            let folder = root.display();
            let listen = format!(
                "listen 127.0.0.1:{port} ssl;\nssl_certificate {folder}/crt;\n\
                 ssl_certificate_key {folder}/key;"
            );
            mail_server(root, &listen, "")
        });
        let address = SocketAddr::from(([127, 0, 0, 1], nginx.port));
        let gateway = Gateway::start(|conf| {
            let more = format!("ca = \"conf/upstream-ca.pem\"\nserver_name = \"{name}\"");
            upstreams(conf, &[format!("https://{address}")], &more);
            conf.write("upstream-ca.pem", &pki.authority.pem());
        });
        assert_eq!(sync(&gateway, "a1"), expected, "row {row}");
        let served = usize::from(expected == 200);
        logged(&[&nginx], served);
        assert_eq!(commands(&nginx).len(), served, "row {row}");
    }
}

#[test]
fn an_order_to_wipe_of_the_mail_server_passes_unless_it_is_to_be_taken_out_r41() {
    let nginx = nginx("");
    let orders = |status: &str, policy: bool| {
        let octets = written(provision::PROVISION, |writer| {
            writer.leaf(provision::STATUS, status);
            if policy {
                writer.element(provision::POLICIES, |writer| {
                    writer.element(provision::POLICY, |writer| {
                        writer.leaf(provision::POLICY_KEY, "77");
                    });
                });
            }
            writer.empty(provision::REMOTE_WIPE);
        });
        fs::write(nginx.path("provision"), octets).unwrap();
    };
    for strips in [false, true] {
        let gateway = Gateway::start(|conf| {
            upstreams(conf, &[url(nginx.port)], "");
            let suffix = "# default_suffix = \"example.com\"";
            conf.replace("gateway.toml", suffix, &suffix[2..]);
            let strip = format!("strip_wipe = {strips}");
            conf.replace("gateway.toml", "strip_wipe = false", &strip);
        });
        let phone = Phone::new(&gateway, "abc000d4", false);
        phone.becomes("compliant");
        orders("1", false);
        let ask = || phone.send(20, "Provision", b"");
        let shown = until("the phone is let in", || {
            let got = ask();
            (got.status == 200).then_some(got.shown)
        });
        let expected = if strips {
            "Provision(Status(3))"
        } else {
            "Provision(Status(1)RemoteWipe )"
        };
        assert_eq!(shown, expected);
        orders("1", true);
        let policies = "Provision(Status(1)Policies(Policy(PolicyKey(77)))";
        let rest = if strips { ")" } else { "RemoteWipe )" };
        assert_eq!(ask().shown, format!("{policies}{rest}"));
        if strips {
            // What nobody can read may order anything.
            fs::write(nginx.path("provision"), "<html>").unwrap();
            assert_eq!(ask().status, 503);
            until("it is on record", || {
                let told = "orders a wipe of the device, which was taken out";
                gateway.journal().contains(told).then_some(())
            });
        }
    }
}
