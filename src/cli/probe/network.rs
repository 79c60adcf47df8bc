//! The questions that go to the RADIUS server.

use std::fs;
use std::net::IpAddr;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::LazyLock;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject;
use serde_json::Value;
use serde_json::json;

use super::EapTls;
use super::Known;
use super::Mab;
use super::Pap;
use super::Radius;
use super::Server;
use super::Teap;
use super::Tunnel;
use super::first_line;
use super::reachable;
use crate::cli::output::Answer;
use crate::cli::output::Done;
use crate::cli::output::Failed;
use crate::cli::output::print;
use crate::cli::output::print_json;
use crate::cli::output::say;
use crate::config::Config;
use crate::eap::Inner;
use crate::eap::Outer;
use crate::eap::TlsVersion;
use crate::model::CertificateIdentity;
use crate::model::MacAddress;
use crate::model::Now;
use crate::model::Plain;
use crate::model::Secret;
use crate::model::alert_name;
use crate::model::causes;
use crate::net::Clock;
use crate::probe::Challenged;
use crate::probe::Client;
use crate::probe::Credential;
use crate::probe::InsideSettings;
use crate::probe::Login;
use crate::probe::Machine;
use crate::probe::Profile;
use crate::probe::ProfileSettings;
use crate::probe::Reply;
use crate::probe::TeapPeer;
use crate::radius::AttributeType;
use crate::radius::Code;
use crate::radius::Signature;

pub(super) fn status(arguments: &Radius) -> Done {
    let known = Known::read(arguments.server.conf.folder());
    let reply = client(&arguments.server, &known)?.status()?;
    tell(&arguments.server, "the server is alive", &reply, json!({}))
}

pub(super) fn bypass(arguments: &Mab) -> Done {
    let mac: MacAddress = arguments
        .mac
        .parse()
        .map_err(|error| Failed::new(format!("{}: {error}", arguments.mac)))?;
    let known = Known::read(arguments.server.conf.folder());
    let reply = client(&arguments.server, &known)?.bypass(mac)?;
    tell(
        &arguments.server,
        &format!("{mac} by MAC address"),
        &reply,
        json!({}),
    )
}

pub(super) fn password(arguments: &Pap) -> Done {
    let known = Known::read(arguments.server.conf.folder());
    let password = Secret::new(first_line(arguments.password_file.as_deref())?);
    let reply = client(&arguments.server, &known)?.password(&arguments.user, &password)?;
    tell(
        &arguments.server,
        &format!("{} by password", arguments.user),
        &reply,
        json!({}),
    )
}

pub(super) fn challenged(arguments: &Pap, method: Challenged) -> Done {
    let known = Known::read(arguments.server.conf.folder());
    let password = Secret::new(first_line(arguments.password_file.as_deref())?);
    let user = &arguments.user;
    let reply = client(&arguments.server, &known)?.challenged(method, user, &password)?;
    let name = match method {
        Challenged::Chap => "CHAP",
        Challenged::MsChap => "MSCHAP",
        Challenged::MsChapV2 => "MSCHAPv2",
    };
    let what = format!("{user} by {name}");
    tell(&arguments.server, &what, &reply, json!({}))
}

pub(super) fn eap_tls(arguments: &EapTls) -> Done {
    let known = Known::read(arguments.server.conf.folder());
    let (certificate, key) = credential_files(arguments, &known)?;
    let chain = certificates(&certificate)?;
    let names = chain
        .first()
        .and_then(|leaf| CertificateIdentity::parse(leaf).ok());
    let names =
        names.ok_or_else(|| Failed::new(format!("{}: no certificate", certificate.display())))?;
    let identity = arguments.identity.clone().unwrap_or_else(|| {
        names
            .user()
            .or(names.common_name.as_deref())
            .unwrap_or("anonymous")
            .to_owned()
    });
    let key = private_key(&key)?;
    let ca = known.root(arguments.ca.as_deref())?;
    let credential = Credential { chain, key };
    let mut settings = ProfileSettings::new(&identity, Some(credential), certificates(&ca)?);
    demand(&mut settings, arguments.tls.as_deref());
    let profile = Arc::new(Profile::build(settings)?);
    let login = client(&arguments.server, &known)?.eap(&profile, &identity)?;
    tell_login(&arguments.server, &format!("{identity} by EAP-TLS"), &login)
}

pub(super) fn tunnel(arguments: &Tunnel, method: Outer) -> Done {
    let known = Known::read(arguments.server.conf.folder());
    let settings = tunnel_settings(arguments, method, &known)?;
    log_in(arguments, &known, settings)
}

pub(super) fn teap(arguments: &Teap) -> Done {
    let tunnel = &arguments.tunnel;
    let known = Known::read(tunnel.server.conf.folder());
    let mut settings = tunnel_settings(tunnel, Outer::Teap, &known)?;
    settings.machine = credential(
        arguments.machine_certificate.as_deref(),
        arguments.machine_key.as_deref(),
    )?;
    if let (Some(inside), Some(name)) = (&mut settings.inside, &arguments.machine) {
        let (_, inner) = spoken_inside(&arguments.machine_inside)?;
        let password = match &arguments.machine_password_file {
            Some(file) => first_line(Some(file))?,
            None => Vec::new(),
        };
        inside.teap.machine = Some(Machine {
            inner,
            name: name.clone(),
            password: Secret::new(password),
        });
    }
    log_in(tunnel, &known, settings)
}

/// What `--inside` names, and whether by EAP in EAP-TTLS.
fn spoken_inside(name: &str) -> Result<(bool, Inner), Failed> {
    let (by_eap, inner) = match name {
        "mschapv2-eap" => (true, Some(Inner::MsChapV2)),
        name => (
            false,
            Inner::ALL.into_iter().find(|inner| inner.name() == name),
        ),
    };
    let inner = inner.ok_or_else(|| Failed::new(format!("{name}: no method")))?;
    Ok((by_eap, inner))
}

fn tunnel_settings(
    arguments: &Tunnel,
    method: Outer,
    known: &Known,
) -> Result<ProfileSettings, Failed> {
    let user = &arguments.user;
    let (by_eap, inner) = spoken_inside(&arguments.inside)?;
    let password = if inner == Inner::Tls || user.is_empty() {
        Vec::new()
    } else {
        first_line(arguments.password_file.as_deref())?
    };
    let identity = arguments.identity.clone().unwrap_or_else(|| {
        let realm = user.rsplit_once('@').map(|(_, realm)| realm);
        realm.map_or_else(|| "anonymous".to_owned(), |realm| format!("@{realm}"))
    });
    let credential = credential(arguments.certificate.as_deref(), arguments.key.as_deref())?;
    let ca = known.root(arguments.ca.as_deref())?;
    let mut settings = ProfileSettings::new(&identity, credential, certificates(&ca)?);
    settings.method = method;
    settings.inside = Some(InsideSettings {
        inner,
        by_eap,
        user: user.clone(),
        password: Secret::new(password),
        binding: true,
        resumes: true,
        early: false,
        teap: TeapPeer::default(),
    });
    demand(&mut settings, arguments.tls.as_deref());
    Ok(settings)
}

fn credential(
    certificate: Option<&std::path::Path>,
    key: Option<&std::path::Path>,
) -> Result<Option<Credential>, Failed> {
    let (Some(certificate), Some(key)) = (certificate, key) else {
        return Ok(None);
    };
    let chain = certificates(certificate)?;
    let key = private_key(key)?;
    Ok(Some(Credential { chain, key }))
}

fn log_in(arguments: &Tunnel, known: &Known, settings: ProfileSettings) -> Done {
    let (identity, method) = (settings.identity.clone(), settings.method);
    let identity = String::from_utf8_lossy(&identity).into_owned();
    let machine = settings.inside.as_ref();
    let machine = machine.and_then(|inside| inside.teap.machine.as_ref());
    let machine = machine.map(|machine| format!("{}/{}", machine.name, machine.inner.name()));
    let profile = Arc::new(Profile::build(settings)?);
    let mut client = client(&arguments.server, known)?;
    if let Some(station) = &arguments.station {
        let mac: MacAddress = station
            .parse()
            .map_err(|error| Failed::new(format!("{station}: {error}")))?;
        client = client.from_station(mac);
    }
    let login = client.eap(&profile, &identity)?;
    let user = &arguments.user;
    let what = match machine {
        Some(machine) if user.is_empty() => format!("{machine} by {}", method.name()),
        Some(machine) => format!(
            "{user} with {machine} by {}/{}",
            method.name(),
            arguments.inside
        ),
        None => format!("{user} by {}/{}", method.name(), arguments.inside),
    };
    tell_login(&arguments.server, &what, &login)
}

/// Holds a peer to a TLS version.
fn demand(settings: &mut ProfileSettings, version: Option<&str>) {
    match version {
        Some("1.2") => settings.highest = TlsVersion::Tls12,
        Some("1.3") => settings.lowest = TlsVersion::Tls13,
        Some(_) | None => {}
    }
}

fn private_key(file: &std::path::Path) -> Result<PrivateKeyDer<'static>, Failed> {
    PrivateKeyDer::from_pem_file(file)
        .map_err(|error| Failed::new(format!("{}: {}", file.display(), causes(&error))))
}

fn tell_login(server: &Server, who: &str, login: &Login) -> Done {
    let report = &login.report;
    let version = report.version.map(|version| version.to_string());
    let details = json!({
        "identity": who.split(" by ").next(),
        "tls": version,
        "suite": report.suite,
        "rounds": report.rounds,
        "alerts": report.alerts,
        "tls_error": report.tls_error,
        "keys_agree": login.keys_agree,
        "failure": login.failure.as_ref().map(ToString::to_string),
    });
    if let Some(failure) = &login.failure {
        return Err(Failed::new(format!("the server's EAP is wrong: {failure}")));
    }
    if login.keys_agree == Some(false) {
        return Err(Failed::new(
            "the keys in the Access-Accept are not those of the peer",
        ));
    }
    let mut what = who.to_owned();
    if let Some(version) = version {
        what.push_str(&format!(" in {version}"));
    }
    for alert in &report.alerts {
        what.push_str(&format!(", TLS alert {}", alert_name(*alert)));
    }
    if let Some(error) = report
        .tls_error
        .as_ref()
        .filter(|_| report.alerts.is_empty())
    {
        what.push_str(&format!(", {error}"));
    }
    tell(server, &what, &login.reply, details)
}

/// Certificate and key: those given, or a sample device's.
fn credential_files(arguments: &EapTls, known: &Known) -> Result<(PathBuf, PathBuf), Failed> {
    if let (Some(certificate), Some(key)) = (&arguments.certificate, &arguments.key) {
        return Ok((certificate.clone(), key.clone()));
    }
    let layout = crate::config::Layout::new(&known.config()?.certificates.folder);
    let name = match &arguments.device {
        Some(name) => name.clone(),
        None => first_device(&layout.devices())?,
    };
    Ok((layout.device_certificate(&name), layout.device_key(&name)))
}

fn first_device(folder: &std::path::Path) -> Result<String, Failed> {
    let none = || {
        Failed::new(format!(
            "{}: no sample devices there; name a certificate with --certificate and --key",
            folder.display()
        ))
    };
    let entries = fs::read_dir(folder).map_err(|_| none())?;
    let names = entries.filter_map(|entry| {
        let name = entry.ok()?.file_name().into_string().ok()?;
        name.strip_suffix(".pem").map(str::to_owned)
    });
    let mut names: Vec<String> = names.collect();
    names.sort();
    names.into_iter().next().ok_or_else(none)
}

pub(super) fn certificates(file: &std::path::Path) -> Result<Vec<CertificateDer<'static>>, Failed> {
    CertificateDer::pem_file_iter(file)
        .and_then(|certificates| certificates.collect())
        .map_err(|error| Failed::new(format!("{}: {}", file.display(), causes(&error))))
}

fn client(arguments: &Server, known: &Known) -> Result<Client, Failed> {
    let server = match arguments.server {
        Some(server) => server,
        None => *known
            .config()?
            .listen
            .authentication
            .first()
            .ok_or_else(|| Failed::new("listen.authentication is empty; give --server"))?,
    };
    let server = reachable(server);
    let secret = match &arguments.secret_file {
        Some(file) => Secret::new(first_line(Some(file))?),
        None => secret_of(known.config()?, server)?,
    };
    Ok(Client::new(server, secret, clock)?.patient(arguments.timeout, 1))
}

/// The secret of the NAS that this machine is to a server on the same machine.
fn secret_of(config: &Config, server: SocketAddr) -> Result<Secret, Failed> {
    let us: IpAddr = server.ip();
    let mut fitting: Vec<_> = config
        .nas
        .iter()
        .filter(|nas| nas.network.contains(&us))
        .collect();
    fitting.sort_by_key(|nas| nas.network.prefix_len());
    let secret = fitting.pop().map(|nas| nas.secret.clone());
    secret.ok_or_else(|| Failed::new(format!("no NAS in nas.toml has {us}; give --secret-file")))
}

/// Prints the answer; in only with a signed Access-Accept, and not into a VLAN of quarantine.
fn tell(arguments: &Server, what: &str, reply: &Reply, details: Value) -> Done {
    let accepted = reply.code == Code::AccessAccept;
    if reply.signature != Signature::First {
        return Err(Failed::new(format!(
            "{}: the reply does not begin with a Message-Authenticator and cannot be trusted",
            reply.code
        )));
    }
    let vlan = reply.vlan();
    let filter = reply.text(AttributeType::FILTER_ID);
    let message = reply.text(AttributeType::REPLY_MESSAGE);
    if arguments.json {
        print_json(&json!({
            "question": what,
            "reply": reply.code.name(),
            "vlan": vlan,
            "filter_id": filter,
            "message": message,
            "details": details,
        }))?;
    } else {
        // What a server answers stays in its line.
        let mut line = format!("{}: {}", Plain(what), reply.code);
        for (name, value) in [("VLAN", vlan), ("Filter-Id", filter), ("message", message)] {
            if let Some(value) = value {
                line.push_str(&format!(", {name} {}", Plain(value)));
            }
        }
        print(&line)?;
        if reply.code == Code::AccessReject {
            say(
                "why: `portreeve decisions --limit 1` at the gateway, or `portreeve explain` with its number",
            );
        }
    }
    Ok(if accepted { Answer::Yes } else { Answer::No })
}

fn clock() -> Now {
    static CLOCK: LazyLock<Clock> = LazyLock::new(Clock::start);
    CLOCK.now()
}
