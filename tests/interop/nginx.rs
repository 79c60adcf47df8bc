//! `nginx` as the mail server behind the front: it checks passwords and shows what reached it.

use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;

use tempfile::TempDir;

use crate::gateway::until;

/// A running nginx; dropping it ends it.
pub(crate) struct Nginx {
    child: Child,
    folder: TempDir,
    pub(crate) port: u16,
}

impl Nginx {
    /// Starts one that knows alice and bob (EAS OPTIONS and POST, Basic).
    pub(crate) fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        // The port is free now; nginx takes it at once.
        let port = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let root = folder.path();
        // {PLAIN} is what nginx calls a password that is not hashed.
        let users = "alice@example.com:{PLAIN}alice-mail\nbob@example.com:{PLAIN}bob-mail\n";
        fs::write(root.join("users"), users).unwrap();
        fs::write(root.join("nginx.conf"), configuration(root, port)).unwrap();
        let child = Command::new("nginx")
            .env("PATH", format!("{}:/usr/sbin:/sbin", env!("PATH")))
            .args([
                "-p",
                root.to_str().unwrap(),
                "-c",
                "nginx.conf",
                "-e",
                "error.log",
            ])
            .stdin(Stdio::null())
            .spawn()
            .expect("nginx is installed by tests/run");
        until("nginx listens", || {
            std::net::TcpStream::connect(("127.0.0.1", port)).ok()
        });
        Self {
            child,
            folder,
            port,
        }
    }

    /// One line for each request that reached it: method, target, status, user, own headers.
    pub(crate) fn requests(&self) -> Vec<String> {
        let log = fs::read_to_string(self.folder.path().join("access.log")).unwrap_or_default();
        log.lines().map(str::to_owned).collect()
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // Fails only if it has ended already.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn configuration(root: &Path, port: u16) -> String {
    let root = root.display();
    format!(
        r#"
daemon off;
master_process off;
pid {root}/pid;
events {{ }}
http {{
    log_format eas '$request_method $request_uri $status $remote_user '
                   'host=$host ua=$http_user_agent xff=$http_x_forwarded_for '
                   'evil=$http_x_evil len=$content_length';
    access_log {root}/access.log eas;
    map $arg_ItemId $retry_after {{ s503 77; }}
    map $arg_ItemId $throttled {{ s503 CommandFrequency; }}
    gzip on;
    gzip_types *;
    gzip_min_length 1;
    client_body_temp_path {root}/body;
    proxy_temp_path {root}/proxy;
    fastcgi_temp_path {root}/fastcgi;
    uwsgi_temp_path {root}/uwsgi;
    scgi_temp_path {root}/scgi;
    server {{
        listen 127.0.0.1:{port};
        auth_basic "mail";
        auth_basic_user_file {root}/users;
        location = /Microsoft-Server-ActiveSync {{
            proxy_pass http://unix:{root}/inner:;
        }}
    }}
    # A `return` comes before passwords are checked, so it stands in a server of its own.
    server {{
        listen unix:{root}/inner;
        access_log off;
        location / {{
            add_header MS-ASProtocolVersions "2.5,12.0,12.1,14.0,14.1,16.0,16.1" always;
            add_header MS-ASProtocolCommands "Sync,FolderSync,Ping,Provision" always;
            add_header Retry-After $retry_after always;
            add_header X-MS-ASThrottle $throttled always;
            default_type application/vnd.ms-sync.wbxml;
            if ($arg_ItemId = s401) {{ return 401 "sign in"; }}
            if ($arg_ItemId = s449) {{ return 449 "provision"; }}
            if ($arg_ItemId = s503) {{ return 503 "later"; }}
            if ($arg_ItemId = s507) {{ return 507 "full"; }}
            return 200 "answered by the mail server";
        }}
    }}
}}
"#
    )
}
