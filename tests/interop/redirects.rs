//! An nginx that sends its users to another one (451), before a real gateway that is stopped and started.

use crate::gateway::Conf;
use crate::gateway::Gateway;
use crate::gateway::until;
use crate::nginx::Nginx;
use crate::ports;
use crate::upstreams::commands;
use crate::upstreams::logged;
use crate::upstreams::mail_server;
use crate::upstreams::nginx;
use crate::upstreams::sync;
use crate::upstreams::upstreams;
use crate::upstreams::url;

/// A mail server that has no mailbox any more and says that all are at `cloud.example`.
fn left() -> Nginx {
    let nginx = Nginx::with(ports::tcp(), |root, port| {
        let served = mail_server(root, &format!("listen 127.0.0.1:{port};"), "");
        let moved = r#"add_header X-MS-Location "https://cloud.example/Microsoft-Server-ActiveSync" always;
            if ($request_method = POST) { return 451; }"#;
        assert!(served.contains("return 200 \"served\";"));
        served.replace(
            "return 200 \"served\";",
            &format!("{moved}\n            return 200 \"served\";"),
        )
    });
    until("nginx listens", || {
        std::net::TcpStream::connect(("127.0.0.1", nginx.port)).ok()
    });
    nginx
}

#[test]
fn who_was_sent_to_another_nginx_goes_there_after_a_restart_r56() {
    let (old, cloud) = (left(), nginx(""));
    let gateway = Gateway::start(|conf| {
        let urls = url(cloud.port);
        let more = format!(
            "[mail.upstreams.cloud]\nurls = [\"{urls}\"]\nalso_known = [\"cloud.example\"]\n"
        );
        upstreams(conf, &[url(old.port)], &more);
        let learn = "learn_redirects = ";
        conf.replace(
            "gateway.toml",
            &format!("{learn}false"),
            &format!("{learn}true"),
        );
    });
    assert_eq!(sync(&gateway, "a1"), 451, "sent to the other one");
    assert_eq!(sync(&gateway, "a1"), 200);
    logged(&[&old, &cloud], 2);
    assert_eq!((commands(&old).len(), commands(&cloud).len()), (1, 1));
    // Each start has other keys, and nothing of the one before but its files.
    let (status, folder) = gateway.stop();
    assert!(status.success());
    let gateway = Gateway::again(folder);
    assert_eq!(sync(&gateway, "a1"), 200);
    logged(&[&old, &cloud], 3);
    assert_eq!((commands(&old).len(), commands(&cloud).len()), (1, 2));
    // With another map nobody's word counts any more.
    let (_, folder) = gateway.stop();
    let conf = Conf::of(&folder);
    conf.append(
        "gateway.toml",
        "\n[[mail.route]]\nusers = [\"bob@example.com\"]\nupstream = \"cloud\"\n",
    );
    let gateway = Gateway::again(folder);
    assert_eq!(sync(&gateway, "a1"), 451);
}
