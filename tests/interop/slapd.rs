//! OpenLDAP's slapd with a small directory, on ports that the system chose.

use std::fmt::Write;
use std::fs;
use std::net::TcpStream;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;

use nix::sys::signal::Signal;
use nix::sys::signal::kill;
use nix::unistd::Pid;
use rcgen::BasicConstraints;
use rcgen::CertificateParams;
use rcgen::CertifiedIssuer;
use rcgen::DnType;
use rcgen::IsCa;
use rcgen::KeyPair;
use tempfile::TempDir;

use crate::gateway::until;
use crate::ports;

/// A running slapd; dropping it kills it.
pub(crate) struct Slapd {
    child: Child,
    folder: TempDir,
    pub(crate) port: u16,
    pub(crate) tls_port: u16,
}

/// Alice is in `inner`, which is in `outer`, which is in `inner` again; `posix` has her by her uid.
/// Bob is in nothing. `star` is a user whose name must be matched as it stands.
const ENTRIES: &str = "\
dn: dc=example,dc=org
objectClass: dcObject
objectClass: organization
o: example
dc: example

dn: ou=people,dc=example,dc=org
objectClass: organizationalUnit
ou: people

dn: ou=groups,dc=example,dc=org
objectClass: organizationalUnit
ou: groups

dn: cn=reader,dc=example,dc=org
objectClass: organizationalRole
objectClass: simpleSecurityObject
cn: reader
userPassword: reader-secret

dn: uid=alice,ou=people,dc=example,dc=org
objectClass: inetOrgPerson
uid: alice
cn: Alice
sn: A
mail: alice@corp.example
userPassword: alice-ldap

dn: uid=bob-ldap,ou=people,dc=example,dc=org
objectClass: inetOrgPerson
uid: bob-ldap
cn: Bob
sn: B
userPassword: bob-ldap

dn: cn=inner,ou=groups,dc=example,dc=org
objectClass: groupOfNames
cn: inner
member: uid=alice,ou=people,dc=example,dc=org
member: cn=outer,ou=groups,dc=example,dc=org

dn: cn=outer,ou=groups,dc=example,dc=org
objectClass: groupOfNames
cn: outer
member: cn=inner,ou=groups,dc=example,dc=org

dn: cn=posix,ou=groups,dc=example,dc=org
objectClass: posixGroup
cn: posix
gidNumber: 1000
memberUid: alice
";

impl Slapd {
    /// Starts one that holds the entries above, with a certificate for `localhost`.
    pub(crate) fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        fs::create_dir(path("db")).unwrap();
        certificates(&folder, "localhost");
        let shown = folder.path().display();
        let mut conf = String::new();
        for schema in ["core", "cosine", "nis", "inetorgperson"] {
            writeln!(conf, "include /etc/ldap/schema/{schema}.schema").unwrap();
        }
        write!(
            conf,
            "modulepath /usr/lib/ldap\nmoduleload back_mdb\nmoduleload memberof\n\
             pidfile {shown}/pid\nargsfile {shown}/args\n\
             TLSCACertificateFile {shown}/ca.pem\nTLSCertificateFile {shown}/server.pem\n\
             TLSCertificateKeyFile {shown}/server.key\n\
             database mdb\ndirectory {shown}/db\nsuffix \"dc=example,dc=org\"\n\
             rootdn \"cn=admin,dc=example,dc=org\"\nrootpw admin-secret\n\
             overlay memberof\n\
             access to attrs=userPassword by anonymous auth by * none\n\
             access to * by dn.exact=\"cn=reader,dc=example,dc=org\" read by * none\n"
        )
        .unwrap();
        fs::write(path("slapd.conf"), conf).unwrap();
        let (port, tls_port) = (ports::tcp(), ports::tcp());
        let child = Command::new("/usr/sbin/slapd")
            .args(["-f"])
            .arg(path("slapd.conf"))
            .args(["-d", "0", "-h"])
            .arg(format!(
                "ldap://127.0.0.1:{port} ldaps://127.0.0.1:{tls_port}"
            ))
            .stdout(Stdio::null())
            .stderr(fs::File::create(path("log")).unwrap())
            .spawn()
            .expect("slapd is installed by tests/run");
        let slapd = Self {
            child,
            folder,
            port,
            tls_port,
        };
        until("slapd listens", || {
            TcpStream::connect(("127.0.0.1", port)).ok()
        });
        // Added over the wire, so that the overlay sees the members.
        slapd.add(ENTRIES);
        slapd
    }

    /// Adds entries in LDIF.
    pub(crate) fn add(&self, entries: &str) {
        let file = self.folder.path().join("entries.ldif");
        fs::write(&file, entries).unwrap();
        self.tool("ldapadd", &["-f", &file.display().to_string()]);
    }

    /// Changes what is there, in LDIF.
    pub(crate) fn modify(&self, changes: &str) {
        let file = self.folder.path().join("changes.ldif");
        fs::write(&file, changes).unwrap();
        self.tool("ldapmodify", &["-f", &file.display().to_string()]);
    }

    fn tool(&self, program: &str, arguments: &[&str]) {
        let output = Command::new(program)
            .args([
                "-x",
                "-D",
                "cn=admin,dc=example,dc=org",
                "-w",
                "admin-secret",
            ])
            .args(["-H", &format!("ldap://127.0.0.1:{}", self.port)])
            .args(arguments)
            .output()
            .expect("ldap-utils are installed by tests/run");
        assert!(output.status.success(), "{output:?}");
    }

    /// The file with the authority that issued its certificate.
    pub(crate) fn ca_file(&self) -> String {
        self.folder.path().join("ca.pem").display().to_string()
    }

    /// Another authority, which has issued nothing.
    pub(crate) fn other_ca_file(&self) -> String {
        self.folder.path().join("other.pem").display().to_string()
    }

    /// Keeps it from answering, with its connections open; or lets it go on.
    pub(crate) fn halt(&self, halts: bool) {
        let pid = i32::try_from(self.child.id()).unwrap();
        let signal = if halts {
            Signal::SIGSTOP
        } else {
            Signal::SIGCONT
        };
        kill(Pid::from_raw(pid), signal).unwrap();
    }

    /// Kills it; its ports are closed afterwards.
    pub(crate) fn kill(&mut self) {
        // Fails only if it has ended already.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

impl Drop for Slapd {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Writes an authority, another one, and a server's certificate of this name.
pub(crate) fn certificates(folder: &TempDir, name: &str) {
    let authority = |name: &str| {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
    };
    let (root, other) = (authority("Directory Root"), authority("Other Root"));
    let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
    let key = KeyPair::generate().unwrap();
    let server = params.signed_by(&key, &root).unwrap();
    for (name, text) in [
        ("ca.pem", root.pem()),
        ("other.pem", other.pem()),
        ("server.pem", server.pem()),
        ("server.key", key.serialize_pem()),
    ] {
        fs::write(folder.path().join(name), text).unwrap();
    }
}
