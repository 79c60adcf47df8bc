//! Bearer tokens: signed by openssl, verified by HAProxy in the place of the mail server.

use std::fs;
use std::path::Path;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;
use std::time::SystemTime;
use std::time::UNIX_EPOCH;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use tempfile::TempDir;

use crate::gateway::Gateway;
use crate::gateway::until;
use crate::ports;

/// HAProxy with the issuer's public key; dropping it ends it.
struct Haproxy {
    child: Child,
    folder: TempDir,
    port: u16,
}

impl Haproxy {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        for name in ["issuer", "stranger"] {
            openssl(root, &["genrsa", "-out", name, "2048"]);
        }
        openssl(root, &["rsa", "-in", "issuer", "-pubout", "-out", "public"]);
        let port = ports::tcp();
        fs::write(root.join("conf"), configuration(root, port)).unwrap();
        let child = Command::new("haproxy")
            .env("PATH", format!("{}:/usr/sbin:/sbin", env!("PATH")))
            .args(["-db", "-f"])
            .arg(root.join("conf"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("haproxy is installed by tests/run");
        until("haproxy listens", || {
            std::net::TcpStream::connect(("127.0.0.1", port)).ok()
        });
        Self {
            child,
            folder,
            port,
        }
    }

    /// A token with these claims, signed by one of the keys.
    fn token(&self, key: &str, claims: &str) -> String {
        let root = self.folder.path();
        let head = URL_SAFE_NO_PAD.encode(r#"{"typ":"JWT","alg":"RS256"}"#);
        let signed = format!("{head}.{}", URL_SAFE_NO_PAD.encode(claims));
        fs::write(root.join("signed"), &signed).unwrap();
        openssl(
            root,
            &[
                "dgst",
                "-sha256",
                "-sign",
                key,
                "-out",
                "signature",
                "signed",
            ],
        );
        let signature = fs::read(root.join("signature")).unwrap();
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}

impl Drop for Haproxy {
    fn drop(&mut self) {
        // Fails only if it has ended already.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn openssl(folder: &Path, arguments: &[&str]) {
    let output = Command::new("openssl")
        .current_dir(folder)
        .args(arguments)
        .output()
        .expect("openssl is installed by tests/run");
    assert!(output.status.success(), "{output:?}");
}

/// It says whom it has served, by its own reading of the token.
fn configuration(root: &Path, port: u16) -> String {
    let root = root.display();
    format!(
        r#"
defaults
    mode http
    timeout client 30s
    timeout server 30s
    timeout connect 5s
frontend mail
    bind 127.0.0.1:{port}
    http-request set-var(txn.token) http_auth_bearer
    http-request set-var(txn.alg) var(txn.token),jwt_header_query('$.alg')
    http-request set-var(txn.user) var(txn.token),jwt_payload_query('$.upn')
    acl is_signed var(txn.token),jwt_verify(txn.alg,"{root}/public") 1
    http-request return status 401 hdr WWW-Authenticate "Bearer realm=internal" unless is_signed
    http-request return status 200 hdr MS-ASProtocolVersions "14.1,16.1" hdr MS-ASProtocolCommands "Sync" content-type application/vnd.ms-sync.wbxml lf-string "served %[var(txn.user)]"
"#
    )
}

/// Status and all that came.
fn send(gateway: &Gateway, user: &str, device: &str, authorization: Option<&str>) -> (u16, String) {
    let port = gateway.mail.unwrap().port();
    let header = authorization.map(|value| format!("Authorization: {value}"));
    let header: Vec<&str> = header.iter().flat_map(|line| ["-H", line]).collect();
    // SmartReply, because the gateway reads the body of no such command.
    let target = format!(
        "https://mail.portreeve.test:{port}/Microsoft-Server-ActiveSync?Cmd=SmartReply&User={user}\
         &DeviceId={device}&DeviceType=iPhone"
    );
    let output = Command::new("curl")
        .args(["-sS", "-i", "--http1.1", "--max-time", "10", "--cacert"])
        .arg(gateway.path("certs/root.pem"))
        .args([
            "--resolve",
            &format!("mail.portreeve.test:{port}:127.0.0.1"),
        ])
        .args(["--data-binary", "x", "-H", "MS-ASProtocolVersion: 14.1"])
        .args(header)
        .arg(target)
        .output()
        .expect("curl is installed by tests/run");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let status = text
        .split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok());
    let error = String::from_utf8_lossy(&output.stderr);
    (
        status.unwrap_or_else(|| panic!("no answer: {error}\n{text}")),
        text,
    )
}

#[test]
fn a_token_opens_the_mailbox_of_the_user_that_the_mail_server_reads_in_it_rfc6750() {
    let haproxy = Haproxy::start();
    let gateway = Gateway::start(|conf| {
        let upstream = format!("http://127.0.0.1:{}", haproxy.port);
        conf.replace("gateway.toml", "http://127.0.0.1:18080", &upstream);
        conf.replace(
            "gateway.toml",
            "# bearer_challenge = ",
            "bearer_challenge = ",
        );
    });
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .as_secs();
    let claims = |user: &str, ends: u64| format!(r#"{{"upn":"{user}","exp":{ends},"aud":"mail"}}"#);
    let later = now + 600;
    let (alice, bob) = ("alice@example.com", "bob@example.com");
    let right = haproxy.token("issuer", &claims(alice, later));
    let of_bob = haproxy.token("issuer", &claims(bob, later));
    // Bob's signature under alice's claims.
    let (said, _) = right.rsplit_once('.').unwrap();
    let (_, signature) = of_bob.rsplit_once('.').unwrap();
    let swapped = format!("{said}.{signature}");
    let device = "ApplSAMPLE0001";
    for (row, user, token, status, says) in [
        ("alice", alice, &right, 200, "served alice@example.com"),
        (
            "alice again",
            alice,
            &right,
            200,
            "served alice@example.com",
        ),
        ("bob's query", bob, &right, 403, "another user"),
        ("bob on alice's phone", bob, &of_bob, 403, "54016"),
        ("swapped", alice, &swapped, 401, "authorization_uri="),
        (
            "a stranger's",
            alice,
            &haproxy.token("stranger", &claims(alice, later)),
            401,
            "authorization_uri=",
        ),
        (
            "over",
            alice,
            &haproxy.token("issuer", &claims(alice, now - 1)),
            401,
            "authorization_uri=",
        ),
        (
            "nobody's",
            alice,
            &haproxy.token("issuer", &format!(r#"{{"appid":"x","exp":{later}}}"#)),
            401,
            "authorization_uri=",
        ),
    ] {
        let authorization = format!("Bearer {token}");
        let (got, text) = send(&gateway, user, device, Some(&authorization));
        assert_eq!(got, status, "row {row}: {text}");
        assert!(text.contains(says), "row {row}: {text}");
        assert!(!text.contains("internal"), "row {row}: {text}");
    }
    let (got, text) = send(&gateway, alice, device, None);
    assert_eq!(got, 401, "{text}");
    let offers = text.to_lowercase();
    assert!(
        offers.contains("www-authenticate: bearer authorization_uri="),
        "{text}"
    );
    assert!(offers.contains("www-authenticate: basic realm="), "{text}");
}
