//! An LDAP directory (RFC 4511): the user is searched, and binds with the password.
//!
//! The client is our own, and small: it asks one question at a time on a connection, and reads answers
//! without recursion and within bounds, because until TLS is up they may be anybody's.
//!
//! | file | owns |
//! | --- | --- |
//! | `ber`, `message` | octets of requests and responses |
//! | `filter` | search filters with places for what users type |
//! | `connection` | one connection, TLS first |
//! | `server` | connections kept, and when a server is left alone |
//! | `groups` | the groups that a user is in |

use std::sync::Arc;
use std::time::Duration;

use crate::directory::Clock;
use crate::directory::Found;
use crate::directory::Told;
use crate::directory::name::LoginName;
use crate::directory::trust::Trust;
use crate::model::Fingerprint;
use crate::model::Secret;
use crate::model::UserId;

mod ber;
mod connection;
mod filter;
mod groups;
mod message;
mod server;

pub use connection::Address;
pub use connection::Protection;
pub use filter::Filter;
pub use filter::FilterError;
pub use filter::Places;
pub use groups::GroupLookup;
pub use groups::Groups;
pub use message::Scope;
pub use server::ServerStatus;

use connection::Entry;
use connection::SUCCESS;
use connection::Trouble;
use message::Search;
use server::Account;
use server::Server;

/// Reads a message of a server, for those who try what it can be given.
#[doc(hidden)]
pub fn is_response(octets: &[u8]) -> bool {
    message::read(octets).is_ok()
}

/// How a directory is asked.
#[derive(Clone, Debug)]
pub struct LdapConfig {
    /// For people.
    pub name: String,
    /// In the order in which they are asked.
    pub servers: Vec<Address>,
    /// Realms and domains of its users; empty for all.
    pub realms: Vec<String>,
    /// DN of the account that searches; empty for nobody in particular.
    pub bind_name: String,
    /// Its password.
    pub bind_password: Option<Secret>,
    /// Where users are searched.
    pub base: String,
    /// How far below.
    pub scope: Scope,
    /// What finds a user.
    pub filter: Filter,
    /// The attribute with the name by which other sources know the user.
    pub user_name: Option<String>,
    /// What finds a machine that logs in as `host/NAME.REALM`; `None` if none are looked for.
    pub machine_filter: Option<Filter>,
    /// How groups are found.
    pub groups: Groups,
    /// Whether the groups of those are looked up whom a certificate proves.
    pub certificates: Certificates,
    /// Connections of each kind to each server.
    pub connections: usize,
    /// How long one server has for a user, from connecting to the last answer.
    pub server_deadline: Duration,
}

/// Whether the groups of those are looked up whom a certificate proves, and what follows if they cannot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Certificates {
    /// They are not: the certificate is enough.
    #[default]
    Off,
    /// They are; if they cannot, the decision is made from what else is known.
    Prefer,
    /// They are; if they cannot, nobody is let in.
    Require,
}

impl LdapConfig {
    /// Whether `other` says the same of every key.
    fn is(&self, other: &Self) -> bool {
        let Self {
            name,
            servers,
            realms,
            bind_name,
            bind_password,
            base,
            scope,
            filter,
            user_name,
            machine_filter,
            groups,
            certificates,
            connections,
            server_deadline,
        } = self;
        let same_password = match (bind_password, &other.bind_password) {
            (Some(one), Some(other)) => one.ct_eq(other.expose()),
            (None, None) => true,
            (Some(_), None) | (None, Some(_)) => false,
        };
        same_password
            && *name == other.name
            && *servers == other.servers
            && *realms == other.realms
            && *bind_name == other.bind_name
            && *base == other.base
            && *scope == other.scope
            && *filter == other.filter
            && *user_name == other.user_name
            && *machine_filter == other.machine_filter
            && *groups == other.groups
            && *certificates == other.certificates
            && *connections == other.connections
            && *server_deadline == other.server_deadline
    }
}

/// A directory.
#[derive(Debug)]
pub struct Ldap {
    config: LdapConfig,
    authorities: Fingerprint,
    servers: Vec<Server>,
}

impl Ldap {
    /// A directory whose servers are trusted by `trust`. Connects to nobody yet.
    pub(super) fn new(config: LdapConfig, trust: &Trust, clock: &Clock) -> Self {
        let account = Account {
            name: config.bind_name.clone(),
            password: config.bind_password.clone(),
        };
        let servers = config.servers.iter().map(|address| {
            Server::new(
                address.clone(),
                Arc::clone(&trust.tls),
                account.clone(),
                config.connections,
                clock.clone(),
            )
        });
        Self {
            servers: servers.collect(),
            authorities: trust.authorities,
            config,
        }
    }

    /// Whether it is what `new` would make of these.
    pub(super) fn is(&self, config: &LdapConfig, trust: &Trust) -> bool {
        self.config.is(config) && self.authorities == trust.authorities
    }

    pub(super) fn name(&self) -> &str {
        &self.config.name
    }

    /// Whether users of such a name are looked for here.
    pub(super) fn serves(&self, name: &LoginName<'_>) -> bool {
        name.is_of(&self.config.realms)
            && (!name.is_machine || self.config.machine_filter.is_some())
    }

    pub(super) fn looks_up_certificates(&self) -> bool {
        self.config.certificates != Certificates::Off
    }

    /// Whether groups of such a name are looked up for a certificate.
    pub(super) fn certificates(&self, name: &LoginName<'_>) -> Certificates {
        if self.has_groups() && self.serves(name) {
            self.config.certificates
        } else {
            Certificates::Off
        }
    }

    pub(super) fn status(&self) -> Vec<ServerStatus> {
        self.servers.iter().map(Server::status).collect()
    }

    /// Checks a password and finds the user's groups; without a password, which somebody else has
    /// checked, only those. Asks the servers one after the other.
    pub(super) async fn answer(&self, name: &LoginName<'_>, password: Option<&Secret>) -> Told {
        if password.is_some_and(|password| password.expose().is_empty()) {
            // A server would take it for an anonymous bind and say yes (RFC 4513 section 5.1.2).
            return Told::Refused("the password is empty".to_owned());
        }
        let mut last = None;
        for server in self.servers.iter().filter(|server| server.admits()) {
            let question = self.login(server, name, password);
            match server.judged(self.config.server_deadline, question).await {
                Ok(told) => return told,
                Err(trouble) => last = Some(format!("{} {trouble}", server.address)),
            }
        }
        let why = last.unwrap_or_else(|| "no server has answered lately".to_owned());
        Told::Unavailable(format!("directory {}: {why}", self.config.name))
    }

    /// Whether groups are looked for here.
    pub(super) fn has_groups(&self) -> bool {
        self.config.groups.lookup != GroupLookup::Off
    }

    async fn login(
        &self,
        server: &Server,
        name: &LoginName<'_>,
        password: Option<&Secret>,
    ) -> Result<Told, Trouble> {
        let user = match self.find(server, name).await? {
            Ok(user) => user,
            Err(told) => return Ok(told),
        };
        if let Some(password) = password {
            let bound = server.bind(&user.name, password).await?;
            if bound.code != SUCCESS {
                return refusal(bound.code, bound.text);
            }
        }
        let groups = match self.config.groups.lookup {
            GroupLookup::Off => None,
            GroupLookup::MemberOf | GroupLookup::Search => {
                Some(groups::of(server, &self.config.groups, name, &user).await?)
            }
        };
        let own = self.config.user_name.as_deref();
        let own = own.and_then(|attribute| user.texts(attribute).next());
        Ok(Told::Accepted(Found {
            key: None,
            name: own.and_then(UserId::parse),
            groups,
            directory: self.config.name.clone(),
        }))
    }

    /// The user's entry, or what is to be said where there is not exactly one.
    async fn find(
        &self,
        server: &Server,
        name: &LoginName<'_>,
    ) -> Result<Result<Entry, Told>, Trouble> {
        let config = &self.config;
        let filter = if name.is_machine {
            config.machine_filter.as_ref().unwrap_or(&config.filter)
        } else {
            &config.filter
        };
        let filter = filter.encode(&Places {
            user: name.user,
            name: name.whole,
            ..Places::default()
        });
        let mut attributes = vec![groups::UID];
        attributes.extend(config.user_name.as_deref());
        if config.groups.lookup == GroupLookup::MemberOf {
            attributes.push(groups::MEMBER_OF);
        }
        let search = Search {
            base: &config.base,
            scope: config.scope,
            limit: 2,
            seconds: seconds(config.server_deadline),
            filter: &filter,
            attributes: &attributes,
        };
        let mut found = match server.search(&search).await {
            Ok(found) => found.into_iter(),
            Err(Trouble::TooMany(_)) => return Ok(Err(ambiguous())),
            Err(trouble) => return Err(trouble),
        };
        Ok(match (found.next(), found.next()) {
            (Some(user), None) => Ok(user),
            (Some(_), Some(_)) => Err(ambiguous()),
            (None, _) => Err(Told::Unknown),
        })
    }

    /// Takes leave of all servers.
    pub(super) async fn close(&self) {
        for server in &self.servers {
            server.close().await;
        }
    }
}

fn ambiguous() -> Told {
    Told::Refused("several entries of the directory have this name".to_owned())
}

/// What a bind with another code than success means.
fn refusal(code: u32, text: String) -> Result<Told, Trouble> {
    match code {
        INVALID_CREDENTIALS => Ok(Told::Refused(active_directory(&text).to_owned())),
        // What a server says that keeps the user from binding, and not the server from working.
        NO_SUCH_OBJECT
        | CONSTRAINT_VIOLATION
        | INAPPROPRIATE_AUTHENTICATION
        | INSUFFICIENT_ACCESS
        | UNWILLING => Ok(Told::Refused(format!(
            "the directory lets this user not in, code {code}: {text}"
        ))),
        code => Err(Trouble::Refused {
            what: "the user's bind",
            code,
            text,
        }),
    }
}

/// Why Active Directory refuses, which it says in the middle of its text: `... data 775, ...`.
fn active_directory(text: &str) -> &'static str {
    let data = text.split("data ").nth(1).unwrap_or_default();
    match data.split([',', ' ', '\0']).next().unwrap_or_default() {
        "530" => "the account may not log in at this time",
        "531" => "the account may not log in from here",
        "532" => "the password has expired",
        "533" => "the account is disabled",
        "701" => "the account has expired",
        "773" => "the user must change the password first",
        "775" => "the account is locked",
        _ => "the password is not this user's",
    }
}

/// Whole seconds, at least one: zero would be no limit.
fn seconds(time: Duration) -> u32 {
    u32::try_from(time.as_secs()).unwrap_or(u32::MAX).max(1)
}

const CONSTRAINT_VIOLATION: u32 = 19;
const NO_SUCH_OBJECT: u32 = 32;
const INAPPROPRIATE_AUTHENTICATION: u32 = 48;
const INVALID_CREDENTIALS: u32 = 49;
const INSUFFICIENT_ACCESS: u32 = 50;
const UNWILLING: u32 = 53;

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn nobody_is_asked_about_an_empty_password_rfc4513_5_1_2() {
        let text = "[[ldap]]\nname = \"a\"\nservers = [\"ldap://127.0.0.1:1\"]\n\
                    start_tls = false\nbase = \"dc=a\"\n";
        let (mut config, _) =
            crate::directory::parse("f", std::path::Path::new("/"), text).unwrap();
        let (config, tls) = config.ldap.remove(0);
        let clock = Clock::new(crate::model::Monotonic::default);
        let ldap = Ldap::new(config, &tls, &clock);
        let name = LoginName::new("alice");
        let told = ldap.answer(&name, Some(&Secret::new(Vec::new()))).await;
        assert!(
            matches!(&told, Told::Refused(why) if why.contains("empty")),
            "{told:?}"
        );
        assert_eq!(ldap.status()[0].asked, 0);
        // Of any other the server is asked, which is not there.
        let told = ldap.answer(&name, Some(&Secret::new(vec![b'x']))).await;
        assert!(matches!(&told, Told::Unavailable(_)), "{told:?}");
        assert_eq!(ldap.status()[0].asked, 1);
    }

    #[test]
    fn active_directory_says_why_in_its_text() {
        for (text, expected) in [
            (
                "80090308: LdapErr: DSID-0C0903A9, comment: AcceptSecurityContext error, data 775, v1db1\0",
                "the account is locked",
            ),
            (
                "80090308: LdapErr: DSID-0C0903A9, comment: AcceptSecurityContext error, data 52e, v1db1",
                "the password is not this user's",
            ),
            ("data 532", "the password has expired"),
            ("", "the password is not this user's"),
            ("data ", "the password is not this user's"),
        ] {
            assert_eq!(active_directory(text), expected, "row {text}");
        }
    }

    #[test]
    fn a_code_is_the_users_or_the_servers() {
        for (code, is_users) in [
            (49, true),
            (19, true),
            (53, true),
            (51, false),
            (52, false),
            (1, false),
        ] {
            let told = refusal(code, String::new());
            assert_eq!(told.is_ok(), is_users, "row {code}");
        }
    }
}
