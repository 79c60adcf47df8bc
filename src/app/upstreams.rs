//! Upstreams, who is where, and what is published, from the configuration.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use aws_lc_rs::digest::Context;
use aws_lc_rs::digest::SHA256;
use http::HeaderName;
use rustls::pki_types::ServerName;

use crate::app::material::problem;
use crate::config::Config;
use crate::config::MailUpstream;
use crate::config::ONE_URL;
use crate::mail::Application;
use crate::mail::Names;
use crate::mail::Origin;
use crate::mail::Resource;
use crate::mail::Routes;
use crate::mail::Rule;
use crate::mail::UpstreamId;
use crate::mail::Whose;
use crate::model::GroupId;
use crate::model::Problem;
use crate::model::causes;
use crate::net::tls;
use crate::net::upstream::Check;
use crate::net::upstream::Discover;
use crate::net::upstream::Settings;
use crate::net::upstream::Tls;

/// Every upstream with its name, the usual one first.
fn all(config: &Config) -> Vec<(String, MailUpstream)> {
    let mail = &config.mail;
    let mut usual = mail
        .upstreams
        .get(UpstreamId::DEFAULT)
        .cloned()
        .unwrap_or_default();
    usual.urls.clone_from(&mail.upstream);
    if usual.ca.is_none() {
        usual.ca.clone_from(&mail.upstream_ca);
    }
    let others = mail
        .upstreams
        .iter()
        .filter(|(name, _)| *name != UpstreamId::DEFAULT);
    let others = others.map(|(name, upstream)| (name.clone(), upstream.clone()));
    std::iter::once((UpstreamId::DEFAULT.to_owned(), usual))
        .chain(others)
        .collect()
}

/// How they are reached.
pub(super) fn settings(config: &Config) -> Result<Vec<Settings>, Vec<Problem>> {
    let file = config.folder.join("gateway.toml");
    let each = all(config).into_iter().map(|(name, upstream)| {
        let key = format!("mail.upstreams.{name}");
        let wrong = |key: &str, error: &str| vec![problem(&file, key, error)];
        let members = members(&file, &key, &upstream)?;
        let discover = match upstream.srv {
            Some(_) if members.len() > 1 => return Err(wrong(&format!("{key}.srv"), ONE_URL)),
            Some(name) => Discover::Services(name.into()),
            None if upstream.each_address => Discover::Addresses,
            None => Discover::Off,
        };
        let roots = match &upstream.ca {
            Some(path) => Some(read(path, &format!("{key}.ca"))?),
            None => None,
        };
        let client = tls::client(roots.as_deref().map_or(tls::Roots::System, tls::Roots::Pem));
        let client = client.map_err(|error| wrong(&format!("{key}.ca"), &causes(&error)))?;
        let server_name = match &upstream.server_name {
            Some(name) => {
                let name = ServerName::try_from(name.clone());
                Some(name.map_err(|error| wrong(&key, &error.to_string()))?)
            }
            None => None,
        };
        Ok(Settings {
            name: name.as_str().into(),
            members,
            discover,
            tls: Tls {
                config: Arc::new(client),
                roots: roots.map(Arc::from),
                server_name,
            },
            check: upstream.check.map(|path| Check {
                path,
                interval: upstream.check_interval,
                deadline: upstream.check_deadline,
            }),
            proxy_header: upstream.proxy_protocol,
            sources: upstream.source_addresses,
            idle: upstream.idle,
        })
    });
    each.collect()
}

/// Who is where, and what is published.
pub(super) fn routes(config: &Config, names: &Names) -> Result<Routes, Vec<Problem>> {
    let file = config.folder.join("gateway.toml");
    let resources = all(config).into_iter().map(|(name, upstream)| {
        let key = format!("mail.upstreams.{name}");
        Ok(Resource {
            members: members(&file, &key, &upstream)?,
            identity: identity(&key, &upstream)?,
            name: name.into(),
            is_discovered: upstream.each_address || upstream.srv.is_some(),
            also_known: upstream.also_known,
            affinity: upstream.affinity,
        })
    });
    let mut rules = Vec::new();
    for route in &config.mail.routes {
        let upstream = UpstreamId::of(&route.upstream);
        let users = route
            .users
            .iter()
            .map(|user| match user.strip_prefix("*@") {
                Some(suffix) => Whose::Suffix(suffix.trim().to_ascii_lowercase()),
                None => Whose::User(names.canonical(user)),
            });
        let groups = route.groups.iter();
        let groups = groups.map(|group| Whose::Group(GroupId::named(group)));
        rules.extend(users.chain(groups).map(|whose| Rule { whose, upstream }));
    }
    let mut applications: Vec<Arc<Application>> = config
        .mail
        .applications
        .iter()
        .map(|(name, application)| {
            let headers = application.pass_headers.iter();
            Arc::new(Application {
                name: name.clone(),
                hosts: application.hosts.clone(),
                path: application.path.clone(),
                upstream: UpstreamId::of(&application.upstream),
                resource: application.upstream_path.trim_end_matches('/').to_owned(),
                sign_in: application.sign_in,
                headers: headers
                    .filter_map(|name| name.parse::<HeaderName>().ok())
                    .collect(),
                redirects: application.redirects.clone(),
            })
        })
        .collect();
    // A path within another's is looked at first.
    applications.sort_by_key(|application| std::cmp::Reverse(application.path.len()));
    Ok(Routes {
        resources: resources.collect::<Result<_, Vec<Problem>>>()?,
        rules,
        learn: config.mail.learn_redirects,
        applications,
        autodiscover: config.mail.autodiscover,
    })
}

/// SHA-256 over what the members do not say of who the servers are: the answers in DNS that name them, and
/// what their certificates are verified by.
fn identity(key: &str, upstream: &MailUpstream) -> Result<[u8; 32], Vec<Problem>> {
    let roots = match &upstream.ca {
        Some(path) => Some(read(path, &format!("{key}.ca"))?),
        None => None,
    };
    let parts = [
        upstream.srv.as_ref().map(String::as_bytes),
        upstream.server_name.as_ref().map(String::as_bytes),
        roots.as_deref(),
        upstream.each_address.then_some(&[]),
    ];
    let mut context = Context::new(&SHA256);
    for part in parts {
        // Each with its length before it, so that no two lists of parts are one text.
        let length = part.map_or(u64::MAX, |part| part.len() as u64);
        context.update(&length.to_be_bytes());
        context.update(part.unwrap_or_default());
    }
    let mut identity = [0; 32];
    identity.copy_from_slice(context.finish().as_ref());
    Ok(identity)
}

fn members(file: &Path, key: &str, upstream: &MailUpstream) -> Result<Vec<Origin>, Vec<Problem>> {
    let origins = upstream.urls.iter().map(|url| url.parse::<Origin>());
    let origins: Result<Vec<_>, _> = origins.collect();
    match origins {
        Ok(origins) if !origins.is_empty() => Ok(origins),
        Ok(_) => Err(vec![problem(file, key, "it has no server")]),
        Err(error) => Err(vec![problem(file, key, &error.to_string())]),
    }
}

fn read(file: &Path, key: &str) -> Result<Vec<u8>, Vec<Problem>> {
    fs::read(file).map_err(|error| vec![problem(file, key, &format!("cannot be read: {error}"))])
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::app::first_start;
    use crate::config;
    use crate::config::Purpose;
    use crate::model::Timestamp;

    const NOW: Timestamp = Timestamp::from_unix_seconds(1_795_253_400);

    type Change = fn(&mut MailUpstream);

    /// They were the same as long as their URLs were, and passwords that the old ones had accepted counted on.
    #[test]
    fn servers_that_are_found_or_verified_otherwise_are_other_ones() {
        let home = tempfile::tempdir().unwrap();
        let conf = home.path().join("conf");
        first_start::make_conf(&conf).unwrap();
        first_start::prepare(&config::read(&conf), NOW).unwrap();
        let loaded = config::read(&conf).complete(Purpose::Start, NOW, &[]);
        let config = loaded.unwrap().config;
        let ca = home.path().join("ca.pem");
        fs::write(&ca, "one").unwrap();
        let resource = |change: Change| {
            let mut config = config.clone();
            let upstream = config.mail.upstreams.entry(UpstreamId::DEFAULT.to_owned());
            let upstream = upstream.or_default();
            upstream.srv = Some("_https._tcp.old.example".to_owned());
            upstream.server_name = Some("mail.example".to_owned());
            upstream.ca = Some(ca.clone());
            change(upstream);
            let routes = routes(&config, &config.mail.names()).unwrap();
            routes.resources.into_iter().next().unwrap()
        };
        let before = resource(|_| {});
        let rows: [(&str, bool, Change); 8] = [
            ("nothing", true, |_| {}),
            ("how long connections are kept", true, |upstream| {
                upstream.idle = Duration::from_secs(9);
            }),
            ("how servers are asked", true, |upstream| {
                upstream.check = Some("/health".to_owned());
            }),
            ("the SRV name", false, |upstream| {
                upstream.srv = Some("_https._tcp.new.example".to_owned());
            }),
            ("addresses for SRV records", false, |upstream| {
                (upstream.srv, upstream.each_address) = (None, true);
            }),
            ("the name of the certificate", false, |upstream| {
                upstream.server_name = Some("other.example".to_owned());
            }),
            ("no name of the certificate", false, |upstream| {
                upstream.server_name = None;
            }),
            ("the system's authorities", false, |upstream| {
                upstream.ca = None;
            }),
        ];
        for (row, is_same, change) in rows {
            assert_eq!(resource(change) == before, is_same, "row {row}");
        }
        fs::write(&ca, "two").unwrap();
        assert_ne!(
            resource(|_| {}),
            before,
            "another authority in the same file"
        );
    }
}
