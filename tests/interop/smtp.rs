//! Users are told by mail: aiosmtpd as the mail server, with TLS and a login.

use std::fs;
use std::io::BufRead;
use std::io::BufReader;
use std::net::TcpListener;
use std::path::Path;
use std::path::PathBuf;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use tempfile::TempDir;

use crate::gateway::Conf;
use crate::gateway::Gateway;
use crate::gateway::until;
use crate::nginx::Nginx;
use crate::pki::Pki;
use crate::pki::Wrong;

/// A mail server on loopback.
struct Smtp {
    child: Child,
    port: u16,
    folder: TempDir,
}

impl Smtp {
    fn start(begins: &str, wrong: Wrong) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let pki = Pki::new();
        let holder = pki.issue("localhost", 1, wrong);
        let write = |name: &str, text: &str| {
            let path = folder.path().join(name);
            fs::write(&path, text).unwrap();
            path
        };
        let chain = write("chain.pem", &pem("CERTIFICATE", &holder.certificate));
        let key = write("key.pem", &holder.key.serialize_pem());
        write("root.pem", &pki.authority.pem());
        // Given back at once, for the server to take.
        let port = {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            listener.local_addr().unwrap().port()
        };
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/interop/smtp_server.py");
        let mut child = Command::new("/usr/bin/python3")
            .arg(script)
            .arg(port.to_string())
            .args([&chain, &key])
            .arg(begins)
            .arg(folder.path().join("taken"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("python3 and aiosmtpd are installed by tests/run");
        let mut line = String::new();
        let mut lines = BufReader::new(child.stdout.take().unwrap());
        lines.read_line(&mut line).unwrap();
        assert_eq!(line, "ready\n");
        Self {
            child,
            port,
            folder,
        }
    }

    fn root(&self) -> PathBuf {
        self.folder.path().join("root.pem")
    }

    /// What it has taken so far.
    fn taken(&self) -> Vec<Value> {
        let text = fs::read_to_string(self.folder.path().join("taken")).unwrap_or_default();
        let lines = text.lines();
        lines
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    /// Has a gateway use it.
    fn configure(&self, conf: &Conf, security: &str, password: &str) {
        use std::os::unix::fs::PermissionsExt;
        let secret = self.folder.path().join("password");
        fs::write(&secret, format!("{password}\n")).unwrap();
        fs::set_permissions(&secret, fs::Permissions::from_mode(0o600)).unwrap();
        conf.replace(
            "gateway.toml",
            "[mail.notify]\n",
            &format!(
                "[mail.notify]\nhost = \"localhost\"\nport = {}\nca = \"{}\"\nuser = \"portreeve\"\n\
                 password_file = \"{}\"\nfrom = \"mail-access@example.com\"\n\
                 reply_to = \"help@example.com\"\nenvelope_from = \"bounces@example.com\"\n",
                self.port,
                self.root().display(),
                secret.display(),
            ),
        );
        conf.replace(
            "gateway.toml",
            "security = \"starttls\"",
            &format!("security = \"{security}\""),
        );
    }
}

impl Drop for Smtp {
    fn drop(&mut self) {
        // It may have ended by itself.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn pem(label: &str, der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    let lines: Vec<&str> = text
        .as_bytes()
        .chunks(64)
        .map(|line| std::str::from_utf8(line).unwrap())
        .collect();
    format!(
        "-----BEGIN {label}-----\n{}\n-----END {label}-----\n",
        lines.join("\n")
    )
}

/// A gateway whose mail server is this one, before nginx.
fn gateway(smtp: &Smtp, nginx: &Nginx, security: &str, more: impl FnOnce(&Conf)) -> Gateway {
    Gateway::start(|conf| {
        conf.replace(
            "gateway.toml",
            "http://127.0.0.1:18080",
            &format!("http://127.0.0.1:{}", nginx.port),
        );
        smtp.configure(conf, security, "right");
        more(conf);
    })
}

/// alice's phone asks for its folders.
fn ask(gateway: &Gateway) -> String {
    let port = gateway.mail.unwrap().port();
    let output = Command::new("curl")
        .args([
            "-sS",
            "-i",
            "--http1.1",
            "--max-time",
            "10",
            "--data-binary",
            "x",
        ])
        .args(["--cacert", gateway.path("certs/root.pem").to_str().unwrap()])
        .args([
            "--resolve",
            &format!("mail.portreeve.test:{port}:127.0.0.1"),
        ])
        .args(["-u", "alice@example.com:alice-mail"])
        .args([
            "-H",
            "MS-ASProtocolVersion: 14.1",
            "-H",
            "Accept-Language: de",
        ])
        .arg(format!(
            "https://mail.portreeve.test:{port}/Microsoft-Server-ActiveSync?Cmd=FolderSync\
             &User=alice%40example.com&DeviceId=ApplSAMPLE0001&DeviceType=iPhone"
        ))
        .output()
        .expect("curl is installed by tests/run");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn said(gateway: &Gateway, arguments: &[&str]) -> (Option<i32>, String) {
    let output = gateway.command(arguments);
    let text = [output.stdout, output.stderr].concat();
    (
        output.status.code(),
        String::from_utf8_lossy(&text).into_owned(),
    )
}

#[test]
fn a_user_is_told_by_mail_before_the_device_is_kept_out_r33_r34() {
    for security in ["starttls", "tls"] {
        let (smtp, nginx) = (Smtp::start(security, Wrong::Nothing), Nginx::start());
        let gateway = gateway(&smtp, &nginx, security, |conf| {
            conf.replace("gateway.toml", "\ntime = \"0s\"", "\ntime = \"1h\"");
        });
        // The server was tried out at the start, and nothing sent.
        until("the self-test is over", || {
            let (_, status) = said(&gateway, &["status"]);
            status
                .contains("mail server for users localhost: good")
                .then_some(())
        });
        assert_eq!(smtp.taken(), [Value::Null; 0]);
        assert!(ask(&gateway).starts_with("HTTP/1.1 200"));
        let conf = gateway.conf();
        conf.replace("devices.csv", ",compliant,", ",noncompliant,");
        let taken = until("alice is told", || smtp.taken().into_iter().next());
        assert_eq!(taken["from"], "bounces@example.com");
        assert_eq!(taken["to"], serde_json::json!(["alice@example.com"]));
        assert_eq!(
            (&taken["tls"], &taken["signed_in"]),
            (&true.into(), &true.into())
        );
        let message = taken["message"].as_str().unwrap();
        for header in [
            "Reply-To: help@example.com",
            "Auto-Submitted: auto-generated",
            "Content-Type: multipart/alternative",
            "<mail-access@example.com>",
        ] {
            assert!(message.contains(header), "{header}: {message}");
        }
        assert!(
            message.contains("=?utf-8?"),
            "a subject in German: {message}"
        );
        // It is let in until the wait is over, and everybody can see that.
        let answer = ask(&gateway);
        assert!(answer.contains("answered by the mail server"), "{answer}");
        let (_, shown) = said(&gateway, &["device", "ApplSAMPLE0001"]);
        assert!(shown.contains("is let in until 20"), "{shown}");
        let told = "mail \"waiting\" to the user was sent at ";
        until("the mail is noted", || {
            let (_, shown) = said(&gateway, &["device", "ApplSAMPLE0001"]);
            shown.contains(told).then_some(())
        });
        let (_, json) = said(&gateway, &["device", "ApplSAMPLE0001", "--json"]);
        let before: Value = serde_json::from_str(&json).unwrap();
        assert_eq!(before["mail"][0]["phase"], "waiting", "{before}");
        assert_eq!(before["mail"][0]["mail"]["state"], "sent", "{before}");
        let (_, explained) = said(&gateway, &["explain", "ApplSAMPLE0001"]);
        assert!(explained.contains("is let in until 20"), "{explained}");
        // A restart tells nobody twice and keeps the end of the wait.
        let (_, folder) = gateway.stop();
        let again = Gateway::again(folder);
        assert!(ask(&again).contains("answered by the mail server"));
        let (_, json) = said(&again, &["device", "ApplSAMPLE0001", "--json"]);
        let after: Value = serde_json::from_str(&json).unwrap();
        assert_eq!(after["mail"][0]["until"], before["mail"][0]["until"]);
        assert_eq!(after["mail"][0]["mail"]["state"], "sent", "{after}");
        assert_eq!(smtp.taken().len(), 1);
    }
}

#[test]
fn a_test_message_says_what_is_wrong_with_the_mail_server_r34() {
    let nginx = Nginx::start();
    for (begins, wrong, security, password, code, says) in [
        (
            "starttls",
            Wrong::Nothing,
            "starttls",
            "right",
            0,
            "localhost has taken a message",
        ),
        ("starttls", Wrong::Nothing, "starttls", "wrong", 1, "535"),
        (
            "starttls",
            Wrong::Authority,
            "starttls",
            "right",
            1,
            "certificate",
        ),
        (
            "starttls",
            Wrong::Time,
            "starttls",
            "right",
            1,
            "certificate",
        ),
        // It offers no STARTTLS: nothing is sent in the clear, least of all a password.
        ("none", Wrong::Nothing, "starttls", "right", 1, "STARTTLS"),
        (
            "tls",
            Wrong::Nothing,
            "tls",
            "right",
            0,
            "localhost has taken a message",
        ),
        ("tls", Wrong::Authority, "tls", "right", 1, "certificate"),
    ] {
        let smtp = Smtp::start(begins, wrong);
        let gateway = gateway(&smtp, &nginx, security, |_| {});
        smtp.configure_password(password);
        let row = format!("row {begins} {security} {password} {code}");
        let (came, text) = said(&gateway, &["message", "send-test", "admin@example.com"]);
        assert_eq!(came, Some(code), "{row}: {text}");
        assert!(text.contains(says), "{row}: {text}");
        assert_eq!(smtp.taken().len(), usize::from(code == 0), "{row}");
    }
    let smtp = Smtp::start("starttls", Wrong::Nothing);
    let gateway = gateway(&smtp, &nginx, "starttls", |_| {});
    let (came, text) = said(&gateway, &["message", "send-test", "nobody@example.com"]);
    assert_eq!(came, Some(1), "{text}");
    assert!(text.contains("no such user"), "{text}");
    let (came, text) = said(
        &gateway,
        &["message", "send-test", "--no-message", "admin@example.com"],
    );
    assert_eq!((came, smtp.taken().len()), (Some(0), 0), "{text}");
}

impl Smtp {
    fn configure_password(&self, password: &str) {
        fs::write(self.folder.path().join("password"), password).unwrap();
    }
}
