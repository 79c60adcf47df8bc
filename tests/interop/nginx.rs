//! `nginx` as the mail server behind the front: it checks passwords and shows what reached it.

use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;

use nix::sys::signal::Signal;
use nix::sys::signal::kill;
use nix::unistd::Pid;
use tempfile::TempDir;

use crate::gateway::until;
use crate::ports;

/// A running nginx; dropping it ends it.
pub(crate) struct Nginx {
    child: Child,
    folder: TempDir,
    pub(crate) port: u16,
}

impl Nginx {
    /// Starts one that knows alice and bob (EAS OPTIONS and POST, Basic).
    pub(crate) fn start() -> Self {
        Self::with(ports::tcp(), configuration)
    }

    /// Starts one with this configuration, which is told its folder and a port; in the folder alice
    /// and bob stand in `users`.
    pub(crate) fn with(port: u16, configuration: impl FnOnce(&Path, u16) -> String) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        // {PLAIN} is what nginx calls a password that is not hashed.
        let users = "alice@example.com:{PLAIN}alice-mail\nbob@example.com:{PLAIN}bob-mail\n\
                     alice:{PLAIN}alice-mail\n";
        fs::write(root.join("users"), users).unwrap();
        fs::write(root.join("nginx.conf"), configuration(root, port)).unwrap();
        let child = run(root);
        let nginx = Self {
            child,
            folder,
            port,
        };
        until("nginx is up", || nginx.path("pid").exists().then_some(()));
        nginx
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Ends it at once; its folder stays.
    pub(crate) fn stop(&mut self) {
        self.signal(Signal::SIGTERM).unwrap();
        self.child.wait().unwrap();
    }

    /// Starts it again where it was.
    pub(crate) fn resume(&mut self) {
        drop(fs::remove_file(self.path("pid")));
        self.child = run(self.folder.path());
        until("nginx is up again", || {
            self.path("pid").exists().then_some(())
        });
    }

    pub(crate) fn signal(&self, signal: Signal) -> nix::Result<()> {
        let pid = i32::try_from(self.child.id()).map_err(|_| nix::Error::ESRCH)?;
        kill(Pid::from_raw(pid), signal)
    }

    /// One line for each request that reached it: method, target, status, user, own headers.
    pub(crate) fn requests(&self) -> Vec<String> {
        let log = fs::read_to_string(self.folder.path().join("access.log")).unwrap_or_default();
        log.lines().map(str::to_owned).collect()
    }
}

fn run(root: &Path) -> Child {
    Command::new("nginx")
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
        .expect("nginx is installed by tests/run")
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // Workers end with it only if it is asked to end; fails only if it has ended already.
        let _ended = self.signal(Signal::SIGTERM);
        drop(self.child.wait());
    }
}

/// The file around servers: one process in the foreground, everything in its folder.
pub(crate) fn around(root: &Path, servers: &str) -> String {
    let root = root.display();
    format!(
        r#"
daemon off;
master_process off;
pid {root}/pid;
events {{ }}
http {{
    client_body_temp_path {root}/body;
    proxy_temp_path {root}/proxy;
    fastcgi_temp_path {root}/fastcgi;
    uwsgi_temp_path {root}/uwsgi;
    scgi_temp_path {root}/scgi;
{servers}
}}
"#
    )
}

fn configuration(root: &Path, port: u16) -> String {
    let folder = root.display();
    let servers = format!(
        r#"
    log_format eas '$request_method $request_uri $status $remote_user '
                   'host=$host ua=$http_user_agent xff=$http_x_forwarded_for '
                   'evil=$http_x_evil len=$content_length';
    access_log {folder}/access.log eas;
    map $arg_ItemId $retry_after {{ s503 77; }}
    map $arg_ItemId $throttled {{ s503 CommandFrequency; }}
    gzip on;
    gzip_types *;
    gzip_min_length 1;
    server {{
        listen 127.0.0.1:{port};
        auth_basic "mail";
        auth_basic_user_file {folder}/users;
        location = /Microsoft-Server-ActiveSync {{
            proxy_pass http://unix:{folder}/inner:;
        }}
    }}
    # A `return` comes before passwords are checked, so it stands in a server of its own.
    server {{
        listen unix:{folder}/inner;
        access_log off;
        location / {{
            add_header MS-ASProtocolVersions "2.5,12.0,12.1,14.0,14.1,16.0,16.1" always;
            add_header MS-ASProtocolCommands "Sync,FolderSync,Ping,Provision" always;
            add_header Retry-After $retry_after always;
            add_header X-MS-ASThrottle $throttled always;
            default_type application/vnd.ms-sync.wbxml;
            if ($arg_ItemId = sent) {{ return 200; }}
            if ($arg_ItemId = s401) {{ return 401 "sign in"; }}
            if ($arg_ItemId = s449) {{ return 449 "provision"; }}
            if ($arg_ItemId = s503) {{ return 503 "later"; }}
            if ($arg_ItemId = s507) {{ return 507 "full"; }}
            return 200 "answered by the mail server";
        }}
    }}
"#
    );
    around(root, &servers)
}
