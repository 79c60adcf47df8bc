//! A folder with a conf folder of its own, and what the tests do with it.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::process::Output;
use std::process::Stdio;

use portreeve::app::first_start;
use portreeve::config;
use portreeve::config::Loaded;
use portreeve::config::Purpose;
use portreeve::config::Refused;
use portreeve::model::Problem;
use portreeve::model::Timestamp;
use rcgen::BasicConstraints;
use rcgen::CertificateParams;
use rcgen::CertificateRevocationListParams;
use rcgen::DnType;
use rcgen::ExtendedKeyUsagePurpose;
use rcgen::IsCa;
use rcgen::Issuer;
use rcgen::KeyIdMethod;
use rcgen::KeyPair;
use rcgen::KeyUsagePurpose;
use rcgen::SerialNumber;

/// A folder with a conf folder of its own, and the throw-away PKI beside it.
pub(crate) struct Home(pub(crate) tempfile::TempDir);

impl Home {
    pub(crate) fn new() -> Self {
        let home = Self::bare();
        let made = first_start::prepare(&config::read(&home.conf()), now()).unwrap();
        assert!(!made.is_empty());
        home
    }

    /// Without the PKI.
    pub(crate) fn bare() -> Self {
        let home = Self(tempfile::tempdir().unwrap());
        first_start::make_conf(&home.conf()).unwrap();
        home
    }

    pub(crate) fn conf(&self) -> PathBuf {
        self.0.path().join("conf")
    }

    pub(crate) fn path(&self, below: &str) -> PathBuf {
        self.0.path().join(below)
    }

    pub(crate) fn edit(&self, file: &str, from: &str, to: &str) {
        let path = self.conf().join(file);
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "{file} has no {from}");
        fs::write(path, text.replacen(from, to, 1)).unwrap();
    }

    pub(crate) fn append(&self, file: &str, text: &str) {
        let path = self.conf().join(file);
        let before = fs::read_to_string(&path).unwrap();
        fs::write(path, before + text).unwrap();
    }

    pub(crate) fn complete(&self) -> Result<Loaded, Refused> {
        config::read(&self.conf()).complete(Purpose::Start, now(), &[])
    }

    pub(crate) fn loaded(&self) -> Loaded {
        self.complete()
            .unwrap_or_else(|refused| panic!("{refused}"))
    }

    pub(crate) fn refused(&self) -> Refused {
        self.complete().unwrap_err()
    }

    pub(crate) fn remove_sample_users(&self) {
        fs::write(self.conf().join("users.toml"), "").unwrap();
    }

    /// Puts certificates that are no sample in the place of the sample.
    pub(crate) fn own_pki(&self) {
        let root = self.write_root();
        for (name, host) in [
            ("radius", "radius.example.org"),
            ("eas", "mail.example.org"),
        ] {
            self.write_leaf(&root, name, host, &[ExtendedKeyUsagePurpose::ServerAuth]);
        }
        self.edit(
            "gateway.toml",
            "\"mail.portreeve.test\", \"localhost\"",
            "\"mail.example.org\"",
        );
    }

    /// Replaces one server's certificate by one that is no sample.
    pub(crate) fn write_own(&self, name: &str, usages: &[ExtendedKeyUsagePurpose]) {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec!["own root".to_owned()]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let root = Issuer::new(params, key);
        self.write_leaf(&root, name, "radius.example.org", usages);
    }

    /// An empty revocation list of the sample root, good for `hours`.
    pub(crate) fn write_revocation_list(&self, name: &str, hours: u64) {
        let key = fs::read_to_string(self.path("certs/keys/root.key")).unwrap();
        let key = KeyPair::from_pem(&key).unwrap();
        self.write_list_signed_with(key, name, hours);
    }

    /// The same with any key.
    pub(crate) fn write_list_signed_with(&self, key: KeyPair, name: &str, hours: u64) {
        let root = fs::read_to_string(self.path("certs/root.pem")).unwrap();
        self.write_list(&Issuer::from_ca_cert_pem(&root, key).unwrap(), name, hours);
    }

    /// The same of an authority that nobody knows.
    pub(crate) fn write_strange_list(&self, name: &str, hours: u64) {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params
            .distinguished_name
            .push(DnType::CommonName, "Strange CA");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::CrlSign];
        self.write_list(&Issuer::new(params, key), name, hours);
    }

    fn write_list(&self, issuer: &Issuer<'_, KeyPair>, name: &str, hours: u64) {
        let begin = time::OffsetDateTime::from_unix_timestamp(now().unix_seconds()).unwrap();
        let list = CertificateRevocationListParams {
            this_update: begin,
            next_update: begin + std::time::Duration::from_secs(hours * 3600),
            crl_number: SerialNumber::from(1),
            issuing_distribution_point: None,
            revoked_certs: Vec::new(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        let list = list.signed_by(issuer).unwrap();
        fs::write(self.path(&format!("certs/{name}.pem")), list.pem().unwrap()).unwrap();
    }

    pub(crate) fn write_root(&self) -> Issuer<'static, KeyPair> {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let root = params.self_signed(&key).unwrap();
        fs::write(self.path("certs/root.pem"), root.pem()).unwrap();
        Issuer::new(params, key)
    }

    pub(crate) fn write_leaf(
        &self,
        root: &Issuer<'static, KeyPair>,
        name: &str,
        host: &str,
        usages: &[ExtendedKeyUsagePurpose],
    ) {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec![host.to_owned()]).unwrap();
        params.extended_key_usages = usages.to_vec();
        let certificate = params.signed_by(&key, root).unwrap();
        fs::write(self.path(&format!("certs/{name}.pem")), certificate.pem()).unwrap();
        fs::write(
            self.path(&format!("certs/keys/{name}.key")),
            key.serialize_pem(),
        )
        .unwrap();
    }
}

pub(crate) fn only(problems: Vec<Problem>) -> Problem {
    let [problem] = problems
        .try_into()
        .unwrap_or_else(|problems: Vec<Problem>| {
            let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
            panic!(
                "expected one problem, found {}:\n{}",
                lines.len(),
                lines.join("\n")
            )
        });
    problem
}

pub(crate) fn assert_only(problems: &[Problem], end: &str) {
    let problem = only(problems.to_vec()).to_string();
    assert!(problem.ends_with(end), "{problem}");
}

pub(crate) fn now() -> Timestamp {
    let since = std::time::UNIX_EPOCH.elapsed().unwrap();
    Timestamp::from_unix_seconds(i64::try_from(since.as_secs()).unwrap())
}

pub(crate) fn run(home: &Home, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_portreeve"))
        .args(arguments)
        .current_dir(home.0.path())
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

pub(crate) fn run_with_input(arguments: &[&str], input: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_portreeve"))
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    std::io::Write::write_all(&mut stdin, input.as_bytes()).unwrap();
    drop(stdin);
    child.wait_with_output().unwrap()
}

pub(crate) fn text_of(octets: &[u8]) -> String {
    String::from_utf8(octets.to_vec()).unwrap()
}
