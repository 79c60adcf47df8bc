//! A real domain of Active Directory: Samba as its controller, in a network namespace and with a `/run` of
//! its own. It takes some ten seconds to make one, so that the tests of this file share it.

use std::fs;
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::Weak;

use nix::sys::signal::Signal;
use tempfile::TempDir;

use crate::cable::Cable;
use crate::cable::Running;
use crate::cable::ip;
use crate::certificate::Wanted;
use crate::certificate::issue;
use crate::eapol_test::Login;
use crate::eapol_test::Outcome;
use crate::eapol_test::Tunnel;
use crate::eapol_test::run;
use crate::eapol_test::run_tunnel;
use crate::gateway::Conf;
use crate::gateway::Gateway;
use crate::gateway::until;
use crate::ldap::allow_users;
use crate::ldap::ban;
use crate::ldap::last_record;
use crate::ldap::status;
use crate::radclient::SIGNED;
use crate::radclient::send;
use crate::slapd::certificates;

/// The controller of `CONTOSO`, which is `contoso.test`. Alice is in `inner`, which is in `outer`; so
/// is the machine `pc1`. `gone` is an account that is disabled.
struct Domain {
    controller: Running,
    folder: TempDir,
    // After what runs in it.
    _cable: Cable,
}

/// Of the range for tests of network devices (RFC 2544).
const HERE: &str = "198.18.28.1";
const CONTROLLER: &str = "198.18.28.2";

const ALICE: (&str, &str) = ("alice", "Secret-99x");
const GONE: (&str, &str) = ("gone", "Secret-99x");
const MACHINE: (&str, &str) = ("host/pc1.contoso.test", "Machine-77y");

impl Domain {
    /// The one of the tests that run just now. `None` where the system gives no network namespaces.
    fn shared() -> Option<Arc<Self>> {
        static SHARED: Mutex<Weak<Domain>> = Mutex::new(Weak::new());
        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(domain) = shared.upgrade() {
            return Some(domain);
        }
        let Some(domain) = Self::found() else {
            eprintln!("not run: this system gives no network namespaces");
            return None;
        };
        let domain = Arc::new(domain);
        *shared = Arc::downgrade(&domain);
        Some(domain)
    }

    fn found() -> Option<Self> {
        let cable = Cable::lay('d')?;
        let name = &cable.name;
        let (near, far) = (format!("{HERE}/30"), format!("{CONTROLLER}/30"));
        let laid = ip(&["addr", "add", &near, "dev", &cable.near])
            && ip(&["-n", name, "addr", "add", &far, "dev", &cable.far])
            && ip(&["-n", name, "link", "set", "lo", "up"]);
        laid.then_some(())?;
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let target = format!("--targetdir={}", folder.path().display());
        let host = format!("--host-ip={CONTROLLER}");
        tool(&[
            "domain",
            "provision",
            &target,
            &host,
            "--host-name=dc1",
            "--realm=CONTOSO.TEST",
            "--domain=CONTOSO",
            "--server-role=dc",
            "--dns-backend=NONE",
            "--adminpass=Passw0rd-of-tests",
        ]);
        certificates(&folder, CONTROLLER);
        fs::set_permissions(path("server.key"), fs::Permissions::from_mode(0o600)).unwrap();
        for sub in ["run", "log", "cache", "state"] {
            fs::create_dir_all(path(sub)).unwrap();
        }
        let shown = folder.path().display();
        let conf = format!(
            "[global]\nnetbios name = DC1\nrealm = CONTOSO.TEST\nworkgroup = CONTOSO\n\
             server role = active directory domain controller\n\
             interfaces = {} lo\nbind interfaces only = yes\ndisable netbios = yes\n\
             server services = ldap, winbindd, rpc, kdc\nload printers = no\n\
             ntlm auth = mschapv2-and-ntlmv2-only\n\
             lock directory = {shown}\nstate directory = {shown}/state\n\
             cache directory = {shown}/cache\nprivate dir = {shown}/private\n\
             pid directory = {shown}/run\nncalrpc dir = {shown}/run/ncalrpc\n\
             log file = {shown}/log/%m\n\
             tls keyfile = {shown}/server.key\ntls certfile = {shown}/server.pem\n\
             tls cafile = {shown}/ca.pem\n",
            cable.far,
        );
        fs::write(path("etc/smb.conf"), conf).unwrap();
        fill(&folder);
        // The clients of winbind know its socket by a place below /run that cannot be changed.
        let start = format!(
            "mount -t tmpfs none /run && mkdir /run/samba && \
             exec samba --interactive --configfile={shown}/etc/smb.conf --debug-stdout"
        );
        let inside = ["netns", "exec", name, "unshare", "--mount", "bash", "-c"];
        let arguments = [&inside[..], &[start.as_str()]].concat();
        let controller = Running::start("ip", &arguments, &path("log/out"));
        let domain = Self {
            controller,
            folder,
            _cable: cable,
        };
        until("winbind can ask the domain", || {
            let mut command = Command::new("nsenter");
            let trust = command.args(domain.helper()).arg("--username=alice");
            let trust = trust.args(["--domain=CONTOSO", "--password=Secret-99x"]);
            let said = trust.stderr(Stdio::null()).output().unwrap();
            said.status.success().then_some(())
        });
        until("the directory listens", || {
            TcpStream::connect((CONTROLLER, 636)).ok()
        });
        Some(domain)
    }

    /// Arguments by which nsenter runs ntlm_auth beside winbind.
    fn helper(&self) -> [String; 6] {
        let conf = self.folder.path().join("etc/smb.conf");
        [
            "-t".to_owned(),
            self.controller.id().to_string(),
            "-m".to_owned(),
            "/usr/bin/ntlm_auth".to_owned(),
            "--allow-mschapv2".to_owned(),
            format!("--configfile={}", conf.display()),
        ]
    }

    /// The configuration that asks it; `more` is said of the LDAP directory.
    fn configure(&self, conf: &Conf, url: &str, more: &str) {
        allow_users(conf);
        conf.write("users.toml", "");
        conf.replace(
            "gateway.toml",
            r#"inside = ["gtc", "pap", "eap-tls"]"#,
            r#"inside = ["mschapv2", "mschap", "gtc", "pap"]"#,
        );
        let secret = conf.path("ldap.secret");
        fs::write(&secret, "Secret-99x\n").unwrap();
        fs::set_permissions(&secret, fs::Permissions::from_mode(0o600)).unwrap();
        let helper = ["/usr/bin/nsenter".to_owned()].into_iter();
        let helper = helper.chain(self.helper());
        let helper = helper.chain(["--helper-protocol=ntlm-server-1".to_owned()]);
        let helper: Vec<String> = helper.collect();
        let ca: PathBuf = self.folder.path().join("ca.pem");
        conf.write(
            "directory.toml",
            &format!(
                "[[ldap]]\nname = \"contoso\"\nservers = [\"{url}\"]\nca_file = {ca:?}\n\
                 base = \"dc=contoso,dc=test\"\nbind_dn = \"cn=reader,cn=users,dc=contoso,dc=test\"\n\
                 bind_password_file = \"ldap.secret\"\ngroups = \"in-chain\"\n\
                 filter = \"(&(objectClass=user)(sAMAccountName={{user}}))\"\n\
                 machine_filter = \"(&(objectClass=computer)(sAMAccountName={{user}}$))\"\n\
                 user_attribute = \"userPrincipalName\"\n{more}\n\
                 [winbind]\ncommand = {helper:?}\ndomain = \"CONTOSO\"\n"
            ),
        );
    }
}

impl Drop for Domain {
    fn drop(&mut self) {
        // Its many processes end with the first, if that is asked to.
        self.controller.end(Signal::SIGTERM);
    }
}

/// Accounts and groups, written into the files of a controller that does not run yet. By one program, not
/// by a run of samba-tool for each.
const FILL: &str = "\
import sys
from samba.auth import system_session
from samba.param import LoadParm
from samba.samdb import SamDB
folder = sys.argv[1]
lp = LoadParm()
lp.load(folder + '/etc/smb.conf')
sam = SamDB(folder + '/private/sam.ldb', session_info=system_session(), lp=lp)
for user in ['reader', 'alice', 'gone']:
    sam.newuser(user, 'Secret-99x')
sam.disable_account('(sAMAccountName=gone)')
sam.newcomputer('pc1')
sam.setpassword('(sAMAccountName=pc1$)', 'Machine-77y')
for group in ['inner', 'outer']:
    sam.newgroup(group)
sam.add_remove_group_members('inner', ['alice', 'pc1$'], add_members_operation=True)
sam.add_remove_group_members('outer', ['inner'], add_members_operation=True)
";

fn fill(folder: &TempDir) {
    let mut command = Command::new("/usr/bin/python3");
    let output = command.args(["-c", FILL]).arg(folder.path()).output();
    let output = output.expect("samba brings python3");
    assert!(output.status.success(), "{output:?}");
}

fn tool(arguments: &[&str]) {
    let mut command = Command::new("samba-tool");
    let output = command.args(arguments).output();
    let output = output.expect("samba is installed by tests/run");
    assert!(output.status.success(), "{arguments:?}: {output:?}");
}

fn start(domain: &Domain, more: &str, edit: impl FnOnce(&Conf)) -> Gateway {
    Gateway::start(|conf| {
        domain.configure(conf, &format!("ldaps://{CONTROLLER}"), more);
        edit(conf);
    })
}

#[track_caller]
fn ends(gateway: &Gateway, outcome: &Outcome, accepted: bool) {
    let log = gateway.log();
    assert_eq!(outcome.success(), accepted, "{}\n{log}", outcome.output);
    if accepted {
        assert_eq!(outcome.keys(), (1, 0), "{}", outcome.output);
    }
}

#[test]
fn passwords_of_a_domain_are_checked_by_binding_and_groups_found_in_chain() {
    let Some(domain) = Domain::shared() else {
        return;
    };
    for url in ["ldaps", "ldap"] {
        for (group, banned) in [("inner", true), ("outer", true), ("Domain Admins", false)] {
            let gateway = Gateway::start(|conf| {
                domain.configure(conf, &format!("{url}://{CONTROLLER}"), "");
                ban(conf, group);
            });
            let secret = gateway.secret();
            let login = |(user, password): (&str, &str)| {
                let attributes =
                    format!("User-Name = \"{user}\"\nUser-Password = \"{password}\"\n{SIGNED}");
                send(gateway.authentication, "auth", &secret, &attributes)
            };
            for user in ["alice", "alice@contoso.test", "CONTOSO\\\\alice"] {
                let answer = login((user, ALICE.1));
                let row = format!("row {url} {group} {user}: {answer}\n{}", gateway.log());
                assert_eq!(answer.contains("Received Access-Accept"), !banned, "{row}");
            }
            for (login_as, why) in [
                ((ALICE.0, "wrong"), "the password is not this user's"),
                (GONE, "the account is disabled"),
            ] {
                let answer = login(login_as);
                assert!(answer.contains("Received Access-Reject"), "{answer}");
                let record = last_record(&gateway);
                assert!(record.contains(why), "{record}\n{}", status(&gateway));
            }
        }
    }
}

#[test]
fn answers_to_mschapv2_are_checked_by_the_domain_and_leave_the_right_keys() {
    let Some(domain) = Domain::shared() else {
        return;
    };
    let gateway = start(&domain, "", |_| {});
    let spelled = [
        ALICE,
        ("alice@contoso.test", ALICE.1),
        // wpa_supplicant takes what stands between the quotes as it is.
        ("CONTOSO\\alice", ALICE.1),
    ];
    for user in spelled {
        for (method, inside) in [
            ("PEAP", "auth=MSCHAPV2"),
            ("TTLS", "auth=MSCHAPV2"),
            ("TTLS", "autheap=MSCHAPV2"),
        ] {
            let outcome = run_tunnel(&gateway, &Tunnel::new(method, inside, user));
            assert!(
                outcome.success(),
                "{user:?} {method} {inside}: {}",
                last_record(&gateway)
            );
            ends(&gateway, &outcome, true);
        }
    }
    for (user, why) in [
        ((ALICE.0, "wrong"), "the password is not this user's"),
        (
            GONE,
            "the domain refuses: The referenced account is currently disabled",
        ),
    ] {
        let outcome = run_tunnel(&gateway, &Tunnel::new("PEAP", "auth=MSCHAPV2", user));
        ends(&gateway, &outcome, false);
        let record = last_record(&gateway);
        assert!(record.contains(why), "{record}");
    }
    for (group, banned) in [("outer", true), ("Domain Admins", false)] {
        let gateway = start(&domain, "", |conf| ban(conf, group));
        for user in [ALICE, MACHINE] {
            let outcome = run_tunnel(&gateway, &Tunnel::new("PEAP", "auth=MSCHAPV2", user));
            ends(&gateway, &outcome, !banned);
        }
    }
}

#[test]
fn groups_of_a_domain_count_for_certificates_of_users_and_machines() {
    let Some(domain) = Domain::shared() else {
        return;
    };
    for (group, banned) in [("outer", true), ("Domain Admins", false)] {
        let gateway = start(&domain, "certificates = \"require\"", |conf| {
            ban(conf, group);
            let rule = "no_credential          = \"quarantine\"";
            conf.replace("policy.toml", rule, "no_credential = \"allow\"");
        });
        for (name, user, machine) in [
            ("user", "alice@contoso.test", ""),
            ("machine", "", "pc1.contoso.test"),
        ] {
            let files = issue(
                &gateway,
                &Wanted {
                    name,
                    user,
                    machine,
                    device: "",
                    ..Wanted::default()
                },
            );
            let outcome = run(&gateway, &Login::new("anonymous@contoso.test", &files));
            ends(&gateway, &outcome, !banned);
        }
    }
}
