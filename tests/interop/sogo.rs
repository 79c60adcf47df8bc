//! SOGo with ActiveSync: PostgreSQL, memcached and Dovecot behind it, nginx before it, and somebody
//! who takes the mail that it sends; each on a port that the system chose.

use std::fs;
use std::io::BufRead;
use std::io::BufReader;
use std::io::Read;
use std::io::Write;
use std::net::TcpListener;
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::path::PathBuf;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::Mutex;
use std::thread;

use nix::sys::signal::Signal;
use nix::sys::signal::killpg;
use nix::unistd::Pid;
use nix::unistd::User;
use tempfile::TempDir;

use crate::gateway::until;
use crate::ports;

/// A running SOGo that alice and bob can sign in to; dropping it ends all its programs.
pub(crate) struct Sogo {
    /// Ended last to first.
    programs: Vec<Child>,
    folder: TempDir,
    /// Where nginx takes ActiveSync.
    pub(crate) port: u16,
    imap: u16,
    /// What was handed to the mail server, each message as it came.
    pub(crate) sent: Arc<Mutex<Vec<String>>>,
}

impl Sogo {
    pub(crate) fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        // Programs of other users live in it.
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let mut sogo = Self {
            programs: Vec::new(),
            folder,
            port: ports::tcp(),
            imap: ports::tcp(),
            sent: Arc::default(),
        };
        let smtp = take_mail(Arc::clone(&sogo.sent));
        let database = sogo.postgres();
        let cache = sogo.memcached();
        sogo.dovecot();
        let port = sogo.sogod(&database, cache, smtp);
        sogo.nginx(port);
        sogo
    }

    /// Lays a message into somebody's Inbox.
    pub(crate) fn deliver(&self, user: &str, name: &str, message: &str) {
        let inbox = self.path("mail").join(user).join("new");
        fs::create_dir_all(&inbox).unwrap();
        for folder in ["cur", "tmp"] {
            fs::create_dir_all(inbox.with_file_name(folder)).unwrap();
        }
        fs::write(inbox.join(name), message.replace('\n', "\r\n")).unwrap();
        let mail = User::from_name("mail").unwrap().unwrap();
        let owned = self.path("mail").join(user);
        for path in [
            owned.clone(),
            owned.join("new"),
            owned.join("cur"),
            owned.join("tmp"),
            inbox.join(name),
        ] {
            std::os::unix::fs::chown(path, Some(mail.uid.as_raw()), Some(mail.gid.as_raw()))
                .unwrap();
        }
        self.count_changes(user);
    }

    /// Has Dovecot number the changes of an Inbox (RFC 7162), which SOGo reads and does not ask for.
    fn count_changes(&self, user: &str) {
        let mut stream = TcpStream::connect(("127.0.0.1", self.imap)).unwrap();
        let commands =
            format!("a LOGIN {user} {user}-mail\r\nb SELECT INBOX (CONDSTORE)\r\nc LOGOUT\r\n");
        stream.write_all(commands.as_bytes()).unwrap();
        let mut said = String::new();
        stream.read_to_string(&mut said).unwrap();
        assert!(said.contains("HIGHESTMODSEQ"), "{said}");
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A folder of another user's.
    fn folder_of(&self, user: &str, name: &str) -> PathBuf {
        let path = self.path(name);
        fs::create_dir(&path).unwrap();
        let user = named(user);
        std::os::unix::fs::chown(&path, Some(user.uid.as_raw()), Some(user.gid.as_raw())).unwrap();
        path
    }

    fn spawn(&mut self, log: &str, command: &mut Command) {
        let log = fs::File::create(self.path(log)).unwrap();
        let child = command
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn();
        let program = command.get_program().to_string_lossy();
        self.programs.push(
            child.unwrap_or_else(|error| panic!("{program} is installed by tests/run: {error}")),
        );
    }

    fn postgres(&mut self) -> String {
        let data = self.folder_of("postgres", "pg");
        let run = self.folder_of("postgres", "pg-run");
        let programs = newest(Path::new("/usr/lib/postgresql")).join("bin");
        let made = as_user("postgres", &programs.join("initdb"))
            .args(["--no-sync", "-A", "trust", "-U", "postgres", "-D"])
            .arg(&data)
            .output()
            .expect("postgresql is installed by tests/run");
        assert!(made.status.success(), "{made:?}");
        let port = ports::tcp();
        let mut command = as_user("postgres", &programs.join("postgres"));
        command
            .args(["-c", "listen_addresses=127.0.0.1", "-c", "fsync=off"])
            .args(["-p", &port.to_string(), "-D"])
            .arg(&data)
            .arg("-k")
            .arg(&run);
        self.spawn("pg.log", &mut command);
        let psql = |database: &str, statements: &str| {
            Command::new(programs.join("psql"))
                .args(["-q", "-h", "127.0.0.1", "-U", "postgres"])
                .args(["-v", "ON_ERROR_STOP=1", "-p", &port.to_string()])
                .args(["-d", database])
                .args(["-c", statements])
                .output()
                .unwrap()
        };
        until("PostgreSQL takes a statement", || {
            psql("postgres", "SELECT 1").status.success().then_some(())
        });
        let made = psql("postgres", "CREATE DATABASE sogo");
        assert!(made.status.success(), "{made:?}");
        let made = psql(
            "sogo",
            "CREATE TABLE people (c_uid text PRIMARY KEY, c_name text, c_password text, \
             c_cn text, mail text);\
             INSERT INTO people VALUES \
             ('alice', 'alice', 'alice-mail', 'Alice', 'alice@example.com'), \
             ('bob', 'bob', 'bob-mail', 'Bob', 'bob@example.com');",
        );
        assert!(made.status.success(), "{made:?}");
        format!("postgresql://postgres@127.0.0.1:{port}/sogo")
    }

    fn memcached(&mut self) -> u16 {
        let port = ports::tcp();
        let mut command = Command::new("/usr/bin/memcached");
        command.args(["-u", "nobody", "-l", "127.0.0.1", "-p", &port.to_string()]);
        self.spawn("memcached.log", &mut command);
        listens("memcached", port);
        port
    }

    fn dovecot(&mut self) {
        let port = self.imap;
        self.folder_of("mail", "mail");
        let root = self.folder.path().display();
        fs::write(
            self.path("people"),
            "alice:{PLAIN}alice-mail\nbob:{PLAIN}bob-mail\n",
        )
        .unwrap();
        let conf = format!(
            "base_dir = {root}/dovecot\nstate_dir = {root}/dovecot-state\n\
             log_path = {root}/dovecot.log\nprotocols = imap\nlisten = 127.0.0.1\nssl = no\n\
             disable_plaintext_auth = no\nfirst_valid_uid = 1\nmail_location = maildir:{root}/mail/%n\n\
             passdb {{\n  driver = passwd-file\n  args = {root}/people\n}}\n\
             userdb {{\n  driver = static\n  args = uid=mail gid=mail home={root}/mail/%n\n}}\n\
             service imap-login {{\n  inet_listener imap {{\n    port = {port}\n  }}\n\
             \x20 inet_listener imaps {{\n    port = 0\n  }}\n}}\n\
             namespace inbox {{\n  inbox = yes\n\
             \x20 mailbox Sent {{\n    special_use = \\Sent\n    auto = create\n  }}\n}}\n"
        );
        fs::write(self.path("dovecot.conf"), conf).unwrap();
        let mut command = Command::new("/usr/sbin/dovecot");
        command.arg("-F").arg("-c").arg(self.path("dovecot.conf"));
        self.spawn("dovecot.out", &mut command);
        listens("Dovecot", port);
    }

    fn sogod(&mut self, database: &str, cache: u16, smtp: u16) -> u16 {
        let (port, imap) = (ports::tcp(), self.imap);
        let home = self.folder_of("sogo", "sogo");
        let people = format!(
            "({{type = sql; id = people; viewURL = \"{database}/people\"; canAuthenticate = YES; \
             isAddressBook = NO; userPasswordAlgorithm = none;}})"
        );
        let mut command = as_user("sogo", Path::new("/usr/sbin/sogod"));
        command
            .env("HOME", &home)
            .args([
                "-WONoDetach",
                "YES",
                "-WOLogFile",
                "-",
                "-WOWorkersCount",
                "5",
            ])
            .args(["-WOPort", &format!("127.0.0.1:{port}")])
            .arg("-WOPidFile")
            .arg(home.join("pid"))
            .args(["-SOGoUserSources", &people])
            .args(["-SOGoMailDomain", "example.com"])
            .args(["-SOGoMemcachedHost", &format!("127.0.0.1:{cache}")])
            .args(["-SOGoIMAPServer", &format!("imap://127.0.0.1:{imap}")])
            .args(["-SOGoMailingMechanism", "smtp"])
            .args(["-SOGoSMTPServer", &format!("smtp://127.0.0.1:{smtp}")])
            .args(["-SOGoMaximumPingInterval", "3540"])
            .args(["-SOGoMaximumSyncInterval", "3540"])
            .args(["-SOGoInternalSyncInterval", "2"]);
        for (key, table) in [
            ("-SOGoProfileURL", "profile"),
            ("-OCSFolderInfoURL", "folder"),
            ("-OCSSessionsFolderURL", "sessions"),
            ("-OCSEMailAlarmsFolderURL", "alarms"),
            ("-OCSCacheFolderURL", "cache"),
            ("-OCSStoreURL", "store"),
            ("-OCSAclURL", "acl"),
        ] {
            command.args([key, &format!("{database}/sogo_{table}")]);
        }
        self.spawn("sogo.log", &mut command);
        listens("sogod", port);
        port
    }

    /// As administrators put it before SOGo: the path of Exchange, and requests that wait.
    fn nginx(&mut self, sogod: u16) {
        let (root, port) = (self.folder.path().display(), self.port);
        let conf = format!(
            "daemon off;\nmaster_process off;\npid {root}/nginx.pid;\nevents {{ }}\nhttp {{\n\
             access_log {root}/access.log;\nclient_body_temp_path {root}/body;\n\
             proxy_temp_path {root}/proxy;\nfastcgi_temp_path {root}/fastcgi;\n\
             uwsgi_temp_path {root}/uwsgi;\nscgi_temp_path {root}/scgi;\n\
             server {{\nlisten 127.0.0.1:{port};\nclient_max_body_size 0;\n\
             location = /Microsoft-Server-ActiveSync {{\n\
             proxy_pass http://127.0.0.1:{sogod}/SOGo/Microsoft-Server-ActiveSync;\n\
             proxy_http_version 1.1;\nproxy_read_timeout 3600;\nproxy_buffering off;\n}}\n}}\n}}\n"
        );
        fs::write(self.path("nginx.conf"), conf).unwrap();
        let mut command = Command::new("/usr/sbin/nginx");
        command
            .arg("-p")
            .arg(self.folder.path())
            .args(["-c", "nginx.conf", "-e", "nginx.log"]);
        self.spawn("nginx.out", &mut command);
        listens("nginx", port);
    }
}

impl Drop for Sogo {
    fn drop(&mut self) {
        let database = self.programs.first().map(Child::id);
        for mut child in self.programs.drain(..).rev() {
            // PostgreSQL gives its shared memory back at SIGQUIT; the others have nothing to give.
            let signal = if database == Some(child.id()) {
                Signal::SIGQUIT
            } else {
                Signal::SIGKILL
            };
            let group = Pid::from_raw(i32::try_from(child.id()).unwrap());
            let _gone_before = killpg(group, signal).is_err();
            drop(child.wait());
        }
    }
}

fn named(user: &str) -> User {
    let found = User::from_name(user).unwrap();
    found
        .unwrap_or_else(|| panic!("the user {user} comes with the package that tests/run installs"))
}

fn as_user(user: &str, program: &Path) -> Command {
    let user = named(user);
    let mut command = Command::new(program);
    command.uid(user.uid.as_raw()).gid(user.gid.as_raw());
    command.current_dir("/");
    command
}

fn newest(folder: &Path) -> PathBuf {
    let entries = fs::read_dir(folder).expect("postgresql is installed by tests/run");
    entries.map(|entry| entry.unwrap().path()).max().unwrap()
}

fn listens(what: &str, port: u16) {
    until(&format!("{what} listens"), || {
        TcpStream::connect(("127.0.0.1", port)).ok()
    });
}

/// Somebody who takes whatever mail comes (RFC 5321, as far as it goes).
fn take_mail(taken: Arc<Mutex<Vec<String>>>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
            let mut stream = stream;
            let mut say = |text: &str| stream.write_all(format!("{text}\r\n").as_bytes()).is_ok();
            say("220 mail.example.com");
            while let Some(Ok(line)) = lines.next() {
                let verb = line.get(..4).unwrap_or_default().to_ascii_uppercase();
                match verb.as_str() {
                    "DATA" => {
                        say("354 go on");
                        let message: Vec<String> = lines
                            .by_ref()
                            .map_while(Result::ok)
                            .take_while(|line| line != ".")
                            .collect();
                        taken.lock().unwrap().push(message.join("\n"));
                        say("250 taken");
                    }
                    "QUIT" => {
                        say("221 bye");
                        break;
                    }
                    _ => {
                        say("250 ok");
                    }
                }
            }
        }
    });
    port
}
