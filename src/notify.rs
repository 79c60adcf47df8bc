//! Messages to users: mail by SMTP.
//!
//! This room takes a finished message and hands it to one mail server, or says why that did not
//! work. It knows nothing of devices or reasons, keeps no queue and decides nothing: what waits, what
//! is tried again and how many may leave is on the mail core's roll. It has no task of its own.
//!
//! Each message takes a connection of its own: a server that restarts or a connection that a firewall
//! has forgotten then costs one try and no state. Certificates are verified against the system's
//! authorities or the one that is named, always; STARTTLS that a server does not offer is an error and
//! no reason to go on without.
//!
//! Sources: RFC 5321, RFC 3207 (STARTTLS), RFC 8314 (TLS from the beginning), RFC 4954 (AUTH),
//! RFC 3834 (messages of machines).

use std::fmt;
use std::time::Duration;

use lettre::Address;
use lettre::AsyncSmtpTransport;
use lettre::AsyncTransport;
use lettre::Message;
use lettre::Tokio1Executor;
use lettre::address::Envelope;
use lettre::message::Mailbox;
use lettre::message::MultiPart;
use lettre::message::header::Header;
use lettre::message::header::HeaderName;
use lettre::message::header::HeaderValue;
use lettre::transport::smtp;
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::authentication::Mechanism;
use lettre::transport::smtp::client::Certificate;
use lettre::transport::smtp::client::CertificateStore;
use lettre::transport::smtp::client::Tls;
use lettre::transport::smtp::client::TlsParameters;
use lettre::transport::smtp::extension::ClientId;
use tokio::time::timeout;

use crate::model::Secret;

/// The mail server and how to speak to it.
#[derive(Clone, Debug)]
pub struct Config {
    /// Its name, which its certificate must have.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// When TLS begins.
    pub security: Security,
    /// PEM of the authorities that its certificate must lead to; the system's when `None`.
    pub roots: Option<Vec<u8>>,
    /// Name and password, if it wants them.
    pub login: Option<(String, Secret)>,
    /// The address that messages come from.
    pub from: String,
    /// Where answers go, if not there.
    pub reply_to: Option<String>,
    /// Where the mail server sends what cannot be delivered, if not to `from`.
    pub envelope_from: Option<String>,
    /// What this gateway calls itself (EHLO).
    pub hello: String,
    /// Time for a whole conversation, from connecting to its word on the message.
    pub timeout: Duration,
}

/// When TLS begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Security {
    /// After STARTTLS, which the server must offer.
    Starttls,
    /// At once.
    Tls,
    /// Never; for servers of the same machine only.
    None,
}

/// A finished message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outgoing {
    /// The address of whom it goes to.
    pub to: String,
    /// What the sender is called.
    pub from_name: String,
    /// One line.
    pub subject: String,
    /// As text.
    pub text: String,
    /// As HTML.
    pub html: String,
    /// A part of its Message-ID, which no other message has.
    pub id: String,
}

/// Hands messages to a mail server.
pub struct Mailer {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Address,
    reply_to: Option<Mailbox>,
    envelope_from: Address,
    /// The library's own time is one for connecting.
    patience: Duration,
}

/// Why a mail server cannot be used as configured.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// Not `somebody@example.org`.
    #[error("{0} is no mail address")]
    Address(String),
    /// Not certificates of authorities.
    #[error("the authorities cannot be used")]
    Roots(#[source] smtp::Error),
}

/// Why a message was not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// It never will be: an address that is none, or one that the server refuses.
    #[error("{0}")]
    Refused(String),
    /// It may be later: no connection, no TLS, a login that is refused, a server that is busy.
    #[error("{0}")]
    Unavailable(String),
}

impl Mailer {
    /// Speaks to nobody yet.
    ///
    /// # Errors
    ///
    /// [`SetupError`].
    pub fn new(config: &Config) -> Result<Self, SetupError> {
        let from = address(&config.from)?;
        let envelope_from = match &config.envelope_from {
            Some(text) => address(text)?,
            None => from.clone(),
        };
        let reply_to = match &config.reply_to {
            Some(text) => Some(Mailbox::new(None, address(text)?)),
            None => None,
        };
        let tls = || tls(config).map_err(SetupError::Roots);
        let security = match config.security {
            Security::Starttls => Tls::Required(tls()?),
            Security::Tls => Tls::Wrapper(tls()?),
            Security::None => Tls::None,
        };
        let mut builder =
            AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(config.host.clone())
                .port(config.port)
                .hello_name(ClientId::Domain(config.hello.clone()))
                .timeout(Some(config.timeout))
                .tls(security);
        if let Some((user, password)) = &config.login {
            let password = String::from_utf8_lossy(password.expose()).into_owned();
            builder = builder
                .credentials(Credentials::new(user.clone(), password))
                .authentication(vec![Mechanism::Plain, Mechanism::Login]);
        }
        Ok(Self {
            transport: builder.build(),
            from,
            reply_to,
            envelope_from,
            patience: config.timeout,
        })
    }

    /// Connects, says EHLO, begins TLS, signs in and leaves. No message is sent (R34).
    ///
    /// # Errors
    ///
    /// What did not work, in the words of the server or of the library.
    pub async fn test(&self) -> Result<(), SendError> {
        match timeout(self.patience, self.transport.test_connection()).await {
            Ok(Ok(true)) => Ok(()),
            Ok(Ok(false)) => Err(SendError::Unavailable(
                "the server does not answer as one".to_owned(),
            )),
            Ok(Err(error)) => Err(SendError::Unavailable(causes(&error))),
            Err(_) => Err(self.silent()),
        }
    }

    fn silent(&self) -> SendError {
        let seconds = self.patience.as_secs_f64();
        SendError::Unavailable(format!("the server was not done within {seconds} s"))
    }

    /// Hands a message over. When this returns without an error the server has taken it.
    ///
    /// # Errors
    ///
    /// [`SendError`]; what is to be done about it is the caller's.
    pub async fn send(&self, outgoing: &Outgoing) -> Result<(), SendError> {
        let to: Address = outgoing
            .to
            .parse()
            .map_err(|_| SendError::Refused(format!("{} is no mail address", outgoing.to)))?;
        let envelope = Envelope::new(Some(self.envelope_from.clone()), vec![to.clone()])
            .map_err(|error| SendError::Refused(error.to_string()))?;
        let name = Some(outgoing.from_name.clone()).filter(|name| !name.is_empty());
        let mut builder = Message::builder()
            .from(Mailbox::new(name, self.from.clone()))
            .to(Mailbox::new(None, to))
            .subject(outgoing.subject.clone())
            .message_id(Some(format!("<{}@{}>", outgoing.id, self.from.domain())))
            .date_now()
            .header(AutoSubmitted)
            .envelope(envelope);
        if let Some(reply_to) = &self.reply_to {
            builder = builder.reply_to(reply_to.clone());
        }
        let body = MultiPart::alternative_plain_html(outgoing.text.clone(), outgoing.html.clone());
        let message = builder
            .multipart(body)
            .map_err(|error| SendError::Refused(error.to_string()))?;
        match timeout(self.patience, self.transport.send(message)).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) if error.is_permanent() && !is_of_login(&error) => {
                Err(SendError::Refused(causes(&error)))
            }
            Ok(Err(error)) => Err(SendError::Unavailable(causes(&error))),
            Err(_) => Err(self.silent()),
        }
    }
}

impl fmt::Debug for Mailer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mailer")
            .field("from", &self.from)
            .finish_non_exhaustive()
    }
}

/// `Auto-Submitted: auto-generated`: no machine is to answer it (RFC 3834 section 5).
#[derive(Clone)]
struct AutoSubmitted;

impl Header for AutoSubmitted {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("Auto-Submitted")
    }

    fn parse(_: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Self)
    }

    fn display(&self) -> HeaderValue {
        HeaderValue::new(Self::name(), "auto-generated".to_owned())
    }
}

fn tls(config: &Config) -> Result<TlsParameters, smtp::Error> {
    let mut builder = TlsParameters::builder(config.host.clone());
    if let Some(pem) = &config.roots {
        builder = builder.certificate_store(CertificateStore::None);
        builder = builder.add_root_certificate(Certificate::from_pem(pem)?);
    }
    builder.build_rustls()
}

fn address(text: &str) -> Result<Address, SetupError> {
    let parsed = text.trim().parse().ok();
    let parsed = parsed.filter(|_| !text.contains(char::is_control));
    parsed.ok_or_else(|| SetupError::Address(text.escape_debug().to_string()))
}

/// Whether an address is one that mail can be sent to.
#[must_use]
pub fn is_address(text: &str) -> bool {
    address(text).is_ok()
}

/// A refusal that is about this gateway and not about the message: the login is wrong or wanted
/// (RFC 4954 section 6, RFC 3207 section 4).
fn is_of_login(error: &smtp::Error) -> bool {
    let code = error.status().map(|code| code.to_string());
    code.is_some_and(|code| ["530", "534", "535", "538"].contains(&code.as_str()))
}

/// An error with what caused it, in one line.
fn causes(error: &smtp::Error) -> String {
    // The library's error says what its cause says again.
    crate::model::causes(error).replace("Connection error: Connection error", "connection")
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt;
    use tokio::net::TcpListener;

    use super::*;

    /// One such message was waited for without end, and all others behind it.
    #[tokio::test]
    async fn a_server_that_falls_silent_is_given_up() {
        for greeting in [&b""[..], b"220 here\r\n"] {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let mailer = Mailer::new(&Config {
                host: "127.0.0.1".to_owned(),
                port: listener.local_addr().unwrap().port(),
                security: Security::None,
                roots: None,
                login: None,
                from: "gateway@example.org".to_owned(),
                reply_to: None,
                envelope_from: None,
                hello: "gateway".to_owned(),
                timeout: Duration::from_millis(100),
            })
            .unwrap();
            let outgoing = Outgoing {
                to: "alice@example.org".to_owned(),
                from_name: String::new(),
                subject: "held".to_owned(),
                text: "held".to_owned(),
                html: "held".to_owned(),
                id: "1".to_owned(),
            };
            let serving = async {
                let mut kept = Vec::new();
                loop {
                    let (mut stream, _) = listener.accept().await.unwrap();
                    stream.write_all(greeting).await.unwrap();
                    kept.push(stream);
                }
            };
            let asking = async { (mailer.test().await, mailer.send(&outgoing).await) };
            let (tested, sent) = tokio::select! {
                () = serving => unreachable!(),
                told = asking => told,
            };
            for told in [tested, sent] {
                let SendError::Unavailable(why) = told.unwrap_err() else {
                    panic!("refused");
                };
                assert_eq!(why, "the server was not done within 0.1 s");
            }
        }
    }
}
