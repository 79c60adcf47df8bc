use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;

use rustls::ClientConfig;
use rustls::ClientConnection;
use rustls::RootCertStore;
use rustls::ServerConfig;
use rustls::ServerConnection;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::ServerName;
use rustls::pki_types::pem::PemObject;
use rustls::server::WebPkiClientVerifier;

use super::*;

const NOW: i64 = 1_795_253_400;

fn now() -> Timestamp {
    // Handshakes below verify against the machine's clock.
    let since = std::time::UNIX_EPOCH.elapsed().unwrap();
    Timestamp::from_unix_seconds(i64::try_from(since.as_secs()).unwrap())
}

fn device(id: u128, name: &str, owner: Option<&str>) -> SampleDevice {
    SampleDevice {
        id: DeviceId::from_u128(id),
        owner: owner.map(str::to_owned),
        name: Some(name.to_owned()),
    }
}

fn make(folder: &Path, at: Timestamp, devices: &[SampleDevice]) -> Vec<Made> {
    Pki::new(Layout::new(folder), at, Renewal::Never)
        .make(devices)
        .unwrap()
}

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

/// Every file below `folder` with its octets.
fn contents(folder: &Path) -> std::collections::BTreeMap<PathBuf, Vec<u8>> {
    let mut files = std::collections::BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let octets = std::fs::read(&path).unwrap();
                files.insert(path, octets);
            }
        }
    }
    files
}

#[test]
fn keys_and_secrets_are_the_owners_alone() {
    let folder = tempfile::tempdir().unwrap();
    let layout = Layout::new(folder.path());
    make(folder.path(), now(), &[device(1, "Alice's Phone", None)]);
    make_secrets(&[layout.secrets().join("nas-local")]).unwrap();
    for (path, expected) in [
        (layout.keys(), 0o700),
        (layout.device_keys(), 0o700),
        (layout.secrets(), 0o700),
        (layout.key("root"), 0o600),
        (layout.key("radius"), 0o600),
        (layout.key("eas"), 0o600),
        (layout.device_key("alice-s-phone"), 0o600),
        (layout.secrets().join("nas-local"), 0o600),
    ] {
        assert_eq!(mode(&path), expected, "row {}", path.display());
    }
    assert_eq!(
        contents(folder.path()).len(),
        9,
        "nothing else is left behind"
    );
}

#[test]
fn nothing_that_exists_is_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    let secret = [folder.path().join("secrets/nas-local")];
    let devices = [device(1, "phone", None)];
    assert_eq!(make(folder.path(), now(), &devices).len(), 8);
    assert_eq!(make_secrets(&secret).unwrap().len(), 1);
    let before = contents(folder.path());
    assert_eq!(make(folder.path(), now(), &devices), []);
    assert_eq!(make_secrets(&secret).unwrap(), []);
    assert_eq!(contents(folder.path()), before);
}

#[test]
fn an_interrupted_start_is_finished_with_the_files_it_left() {
    let folder = tempfile::tempdir().unwrap();
    let layout = Layout::new(folder.path());
    let devices = [device(1, "phone", None)];
    make(folder.path(), now(), &devices);
    let whole = contents(folder.path());
    for lost in [
        layout.certificate("root"),
        layout.certificate("radius"),
        layout.certificate("eas"),
        layout.device_certificate("phone"),
    ] {
        std::fs::remove_file(&lost).unwrap();
        let made = make(folder.path(), now(), &devices);
        let paths: Vec<&Path> = made.iter().map(|made| made.path.as_path()).collect();
        assert_eq!(paths, [&lost], "row {}", lost.display());
        let key = layout.key("radius");
        assert_eq!(whole.get(&key), Some(&std::fs::read(&key).unwrap()));
        handshake(&layout, "radius", "radius.portreeve.test", "phone").unwrap();
    }
}

#[test]
fn starts_at_once_end_with_files_that_belong_together() {
    let folder = tempfile::tempdir().unwrap();
    let devices = [device(1, "phone", None)];
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| make(folder.path(), now(), &devices));
        }
    });
    let layout = Layout::new(folder.path());
    handshake(&layout, "radius", "radius.portreeve.test", "phone").unwrap();
    assert_eq!(contents(folder.path()).len(), 8);
}

#[test]
fn both_directions_of_a_handshake_verify() {
    let folder = tempfile::tempdir().unwrap();
    let layout = Layout::new(folder.path());
    make(
        folder.path(),
        now(),
        &[device(1, "phone", Some("alice@contoso.com"))],
    );
    for (server, name, good) in [
        ("radius", "radius.portreeve.test", true),
        ("eas", "mail.portreeve.test", true),
        ("eas", "localhost", true),
        ("eas", "127.0.0.1", true),
        ("eas", "::1", true),
        ("radius", "mail.portreeve.test", false),
        ("eas", "example.org", false),
    ] {
        let outcome = handshake(&layout, server, name, "phone");
        assert_eq!(outcome.is_ok(), good, "row {server} {name}: {outcome:?}");
    }
}

#[test]
fn a_device_of_another_pki_is_not_accepted() {
    let (ours, theirs) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    make(ours.path(), now(), &[]);
    make(theirs.path(), now(), &[device(1, "phone", None)]);
    let (ours, theirs) = (Layout::new(ours.path()), Layout::new(theirs.path()));
    for folder in [ours.devices(), ours.device_keys()] {
        std::fs::create_dir_all(folder).unwrap();
    }
    std::fs::copy(
        theirs.device_certificate("phone"),
        ours.device_certificate("phone"),
    )
    .unwrap();
    std::fs::copy(theirs.device_key("phone"), ours.device_key("phone")).unwrap();
    handshake(&ours, "radius", "radius.portreeve.test", "phone").unwrap_err();
}

#[test]
fn a_servers_certificate_is_no_clients() {
    let folder = tempfile::tempdir().unwrap();
    let layout = Layout::new(folder.path());
    make(folder.path(), now(), &[device(1, "phone", None)]);
    std::fs::copy(
        layout.certificate("eas"),
        layout.device_certificate("phone"),
    )
    .unwrap();
    std::fs::copy(layout.key("eas"), layout.device_key("phone")).unwrap();
    handshake(&layout, "radius", "radius.portreeve.test", "phone").unwrap_err();
}

#[test]
fn a_device_certificate_names_device_and_user() {
    let folder = tempfile::tempdir().unwrap();
    let layout = Layout::new(folder.path());
    let phone = device(7, "phone", Some("alice@contoso.com"));
    let kiosk = device(8, "kiosk", None);
    make(
        folder.path(),
        Timestamp::from_unix_seconds(NOW),
        &[phone.clone(), kiosk.clone()],
    );
    for (device, user) in [(phone, Some("alice@contoso.com")), (kiosk, None)] {
        let path = layout.device_certificate(&device.label());
        let found = inspect(&path).unwrap().remove(0);
        assert_eq!(found.identity.intune_device_id(), Some(device.id));
        assert_eq!(found.identity.user(), user);
        assert!(found.sample && found.usage.client);
        assert!(!found.usage.server && !found.usage.authority);
        assert_eq!(found.days_left(Timestamp::from_unix_seconds(NOW)), 365);
    }
    let root = inspect(&layout.certificate("root")).unwrap().remove(0);
    assert!(root.sample && root.usage.authority);
    assert_eq!(root.days_left(Timestamp::from_unix_seconds(NOW)), 730);
}

#[test]
fn no_certificate_outlives_its_root() {
    let folder = tempfile::tempdir().unwrap();
    let layout = Layout::new(folder.path());
    make(folder.path(), Timestamp::from_unix_seconds(NOW), &[]);
    let later = Timestamp::from_unix_seconds(NOW + 600 * 86_400);
    make(folder.path(), later, &[device(1, "phone", None)]);
    let root = inspect(&layout.certificate("root")).unwrap().remove(0);
    let phone = inspect(&layout.device_certificate("phone"))
        .unwrap()
        .remove(0);
    assert_eq!(phone.identity.not_after, root.identity.not_after);
}

#[test]
fn renewal_keeps_the_keys_and_dates_the_certificates_anew() {
    let folder = tempfile::tempdir().unwrap();
    let layout = Layout::new(folder.path());
    let devices = [device(1, "phone", None)];
    make(folder.path(), Timestamp::from_unix_seconds(NOW), &devices);
    let before = contents(folder.path());
    let later = Timestamp::from_unix_seconds(NOW + 800 * 86_400);
    let renewal = Pki::new(Layout::new(folder.path()), later, Renewal::Sample);
    assert_eq!(renewal.make(&devices).unwrap().len(), 4);
    for (path, octets) in contents(folder.path()) {
        let same = before.get(&path) == Some(&octets);
        let is_key = path.extension().is_some_and(|extension| extension == "key");
        assert_eq!(same, is_key, "row {}", path.display());
    }
    let radius = inspect(&layout.certificate("radius")).unwrap().remove(0);
    assert_eq!(radius.days_left(later), 365);
}

#[test]
fn certificates_of_others_are_never_replaced_or_issued_under() {
    let folder = tempfile::tempdir().unwrap();
    let layout = Layout::new(folder.path());
    make(folder.path(), now(), &[]);
    let own = rcgen::generate_simple_self_signed(vec!["radius.example.org".into()]).unwrap();
    for name in ["radius", "root"] {
        std::fs::write(layout.certificate(name), own.cert.pem()).unwrap();
        let pki = Pki::new(layout.clone(), now(), Renewal::Sample);
        let error = pki.make(&[]).unwrap_err();
        assert!(
            matches!(error, PkiError::NotSample { .. }),
            "row {name}: {error}"
        );
        let kept = std::fs::read_to_string(layout.certificate(name)).unwrap();
        assert_eq!(kept, own.cert.pem(), "row {name}");
    }
    let pki = Pki::new(layout, now(), Renewal::Never);
    let error = pki.make_device(&device(1, "phone", None)).unwrap_err();
    assert!(matches!(error, PkiError::NotSample { .. }), "{error}");
}

#[test]
fn a_root_without_its_key_says_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let layout = Layout::new(folder.path());
    make(folder.path(), now(), &[]);
    std::fs::remove_file(layout.key("root")).unwrap();
    let pki = Pki::new(layout, now(), Renewal::Never);
    let error = pki.make(&[]).unwrap_err().to_string();
    assert!(
        error.ends_with("move root.pem away to begin a new PKI"),
        "{error}"
    );
}

#[test]
fn devices_of_one_name_get_files_of_their_own() {
    let folder = tempfile::tempdir().unwrap();
    let layout = Layout::new(folder.path());
    let one = device(0x1111_1111 << 96, "Phone", None);
    let other = device(0x2222_2222 << 96, "phone", None);
    let devices = [one.clone(), other.clone()];
    make(folder.path(), now(), &devices);
    assert_eq!(device_of(&layout.device_certificate("phone")), Some(one.id));
    let second = layout.device_certificate("phone-22222222");
    assert_eq!(device_of(&second), Some(other.id));
    assert_eq!(make(folder.path(), now(), &devices), []);
}

#[test]
fn file_names_of_devices_table() {
    for (name, expected) in [
        ("Alice's Phone", "alice-s-phone"),
        ("../../etc/passwd", "etc-passwd"),
        ("  LAPTOP--17  ", "laptop-17"),
        ("Grüße", "gr-e"),
        ("…", "00000000-0000-0000-0000-000000000001"),
        ("", "00000000-0000-0000-0000-000000000001"),
    ] {
        assert_eq!(device(1, name, None).file_name(), expected, "row {name}");
    }
    assert_eq!(device(1, &"x".repeat(300), None).file_name().len(), 64);
}

#[test]
fn secrets_are_long_random_and_plain() {
    let folder = tempfile::tempdir().unwrap();
    let paths = [folder.path().join("s/one"), folder.path().join("s/two")];
    assert_eq!(make_secrets(&paths).unwrap().len(), 2);
    let [one, two] = paths.map(|path| std::fs::read_to_string(path).unwrap());
    for secret in [&one, &two] {
        let secret = secret.strip_suffix('\n').unwrap();
        assert_eq!(secret.len(), 32);
        assert!(secret.bytes().all(|octet| octet.is_ascii_alphanumeric()));
        let secret = crate::model::Secret::new(secret.as_bytes().to_vec());
        assert_eq!(secret.weakness(), None);
    }
    assert_ne!(one, two);
    assert_eq!(LETTERS.len(), 32);
}

#[test]
fn devices_are_read_by_the_names_of_their_columns() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("devices.csv");
    assert_eq!(read_devices(&path).unwrap(), []);
    let text = "# a comment\n\
                Name, device_id, serial, owner\n\
                Alice's Phone, 0f8fad5b-d9cb-469f-a165-70867728950e, X, alice@contoso.com\n\
                # another\n\
                broken, not-a-guid, X, bob\n\
                , 0f8fad5b-d9cb-469f-a165-70867728950f, X,\n\
                short, 0f8fad5b-d9cb-469f-a165-708677289510\n";
    std::fs::write(&path, text).unwrap();
    let devices = read_devices(&path).unwrap();
    let shown: Vec<_> = devices
        .iter()
        .map(|device| (device.name.as_deref(), device.owner.as_deref()))
        .collect();
    let expected = [
        (Some("Alice's Phone"), Some("alice@contoso.com")),
        (None, None),
        (Some("short"), None),
    ];
    assert_eq!(shown, expected);

    let row = |n: u32| format!("{},phone {n}\n", DeviceId::from_u128(n.into()));
    let many: String = (0..100).map(row).collect();
    std::fs::write(&path, format!("device_id,name\n{many}")).unwrap();
    assert_eq!(read_devices(&path).unwrap().len(), 64);
}

/// A TLS handshake in memory: the server shows `server`, the client asks for `name` and shows the
/// certificate of `device`; each trusts the root only.
#[expect(
    clippy::unwrap_in_result,
    reason = "the result is that of the handshake; what prepares it must work"
)]
fn handshake(layout: &Layout, server: &str, name: &str, device: &str) -> Result<(), rustls::Error> {
    let chain = |path: &Path| vec![CertificateDer::from_pem_file(path).unwrap()];
    let key = |path: &Path| PrivateKeyDer::from_pem_file(path).unwrap();
    let mut roots = RootCertStore::empty();
    for root in chain(&layout.certificate("root")) {
        roots.add(root).unwrap();
    }
    let roots = Arc::new(roots);
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let verifier =
        WebPkiClientVerifier::builder_with_provider(Arc::clone(&roots), Arc::clone(&provider));
    let server_config = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()?
        .with_client_cert_verifier(verifier.build().unwrap())
        .with_single_cert(chain(&layout.certificate(server)), key(&layout.key(server)))?;
    let client_config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_client_auth_cert(
            chain(&layout.device_certificate(device)),
            key(&layout.device_key(device)),
        )?;
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let mut server = ServerConnection::new(Arc::new(server_config))?;
    let mut client = ClientConnection::new(Arc::new(client_config), name)?;
    while client.is_handshaking() || server.is_handshaking() {
        let mut flight = Vec::new();
        client.write_tls(&mut flight).unwrap();
        server.read_tls(&mut flight.as_slice()).unwrap();
        server.process_new_packets()?;
        let mut flight = Vec::new();
        server.write_tls(&mut flight).unwrap();
        client.read_tls(&mut flight.as_slice()).unwrap();
        client.process_new_packets()?;
    }
    Ok(())
}
