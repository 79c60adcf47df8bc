//! `portreeve message`: what people whose mail is held back are told.

use clap::Args;
use clap::Subcommand;
use clap::ValueEnum;
use serde_json::json;

use super::conf::ConfOption;
use super::output::Answer;
use super::output::Done;
use super::output::Failed;
use super::output::now;
use super::output::print;
use super::output::print_json;
use super::output::say;
use crate::app::HOOKS;
use crate::config;
use crate::config::Config;
use crate::config::Purpose;
use crate::message::About;
use crate::message::Kind;
use crate::message::Language;
use crate::message::Letter;
use crate::model::Platform;
use crate::model::Reason;
use crate::model::Severity;
use crate::model::Timestamp;
use crate::notify::Outgoing;

/// Show what people whose mail is held back are told, or send a test.
#[derive(Clone, Debug, Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Clone, Debug, Subcommand)]
enum Command {
    Preview(Preview),
    SendTest(SendTest),
}

/// Try the mail server of mail.notify out: connect, begin TLS, sign in, and send one message.
///
/// Exit code 0: the server has taken it. 1: it has not; why is printed. 2: there is no server, or the
/// configuration has errors.
#[derive(Clone, Debug, Args)]
struct SendTest {
    /// Whom it goes to.
    #[arg(value_name = "ADDRESS")]
    address: String,
    /// Only connect, begin TLS and sign in; send nothing.
    #[arg(long)]
    no_message: bool,
    /// Where the server is configured.
    #[command(flatten)]
    conf: ConfOption,
}

/// Show a message as it would be written, with the texts and links of the configuration.
///
/// Exit code 0: it was written. 2: there is no such reason or language, or the configuration has errors;
/// they are printed.
#[derive(Clone, Debug, Args)]
struct Preview {
    /// Which message.
    #[arg(long, value_enum, default_value_t = Which::Mailbox)]
    which: Which,
    /// Its language, such as de or pt-BR; that of mail.message.language when left out.
    #[arg(long)]
    language: Option<Language>,
    /// Why mail is held back: the number or the name of a reason, such as 54003 or DeviceUnknown.
    #[arg(long, default_value = "DeviceUnknown")]
    reason: String,
    /// The device's ActiveSync DeviceId.
    #[arg(long, default_value = "ApplDNPK3XYZ0001")]
    device: String,
    /// The device's type, which also says its platform.
    #[arg(long = "type", default_value = "iPhone")]
    device_type: String,
    /// What the owner calls the device.
    #[arg(long)]
    name: Option<String>,
    /// The user.
    #[arg(long, default_value = "alice@example.com")]
    user: String,
    /// The message as HTML.
    #[arg(long, conflicts_with = "json")]
    html: bool,
    /// Print one JSON object with all forms.
    #[arg(long)]
    json: bool,
    /// Where the texts are configured.
    #[command(flatten)]
    conf: ConfOption,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Which {
    /// In the Inbox of a device in quarantine.
    Mailbox,
    /// The mail that says that access has ended.
    Held,
    /// The mail that says that access will end.
    Waiting,
    /// The mail that says that access is back.
    Restored,
}

pub(super) fn run(arguments: &Arguments) -> Done {
    match &arguments.command {
        Command::Preview(preview) => preview.run(),
        Command::SendTest(test) => test.run(),
    }
}

impl Preview {
    fn run(&self) -> Done {
        let config = load(&self.conf)?;
        let book = config.mail.message.book(&config.folder);
        let book = book.map_err(|_| Failed::new("the texts have errors"))?;
        let reason = reason(&self.reason).ok_or_else(|| {
            let names: Vec<&str> = Reason::ALL.iter().map(|reason| reason.name()).collect();
            Failed::new(format!(
                "{} is no reason; there are {}",
                self.reason,
                names.join(", ")
            ))
        })?;
        let name = config.mail.published_names.first();
        let name = name.map_or("mail.example.org", String::as_str);
        let link = format!("https://{name}{}EXAMPLE", crate::mail::CHECK_PATH);
        let about = About {
            name: self.name.as_deref(),
            model: None,
            device_type: &self.device_type,
            device_id: &self.device,
            platform: platform(&self.device_type),
            user: &self.user,
            reason,
            request: Some("0123456789abcdef"),
            until: Some(Timestamp::from_unix_seconds(
                now().unix_seconds().saturating_add(86_400),
            )),
            check_again: Some(&link),
        };
        let texts = match &self.language {
            Some(language) => book.find(language).ok_or_else(|| {
                let there: Vec<&str> = book.languages().map(Language::as_str).collect();
                Failed::new(format!(
                    "there are no texts in the language \"{language}\"; there are {}; whoever reads none of them is told in {}",
                    there.join(", "),
                    book.choose([]).language
                ))
            })?,
            None => book.choose([]),
        };
        let letter = Letter::write(texts, &config.mail.message.site, self.which.kind(), &about);
        if self.json {
            print_json(&json!({
                "language": letter.language.as_str(),
                "from": letter.from,
                "subject": letter.subject,
                "text": letter.text,
                "html": letter.html,
            }))?;
        } else if self.html {
            print(letter.html.trim_end())?;
        } else {
            print(&format!(
                "From: {}\nSubject: {}\nLanguage: {}\n\n{}",
                letter.from,
                letter.subject,
                letter.language,
                letter.text.replace("\r\n", "\n")
            ))?;
        }
        Ok(Answer::Yes)
    }
}

impl SendTest {
    fn run(&self) -> Done {
        let config = load(&self.conf)?;
        let mailer = crate::app::mailer(&config).map_err(|problems| {
            let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
            Failed::new(problems.join("; "))
        })?;
        let mailer =
            mailer.ok_or_else(|| Failed::new("mail.notify.host is not set: no mail is sent"))?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let came = runtime.block_on(async {
            mailer.test().await?;
            if self.no_message {
                return Ok(());
            }
            let text = "This is a test of the messages to users whose mail is held back.";
            mailer
                .send(&Outgoing {
                    to: self.address.clone(),
                    from_name: "Portreeve".to_owned(),
                    subject: "Test of Portreeve's messages".to_owned(),
                    text: text.to_owned(),
                    html: format!("<p>{text}</p>"),
                    id: uuid::Uuid::new_v4().to_string(),
                })
                .await
        });
        let host = config.mail.notify.host.unwrap_or_default();
        match came {
            Ok(()) if self.no_message => print(&format!("{host} takes the login"))?,
            Ok(()) => print(&format!("{host} has taken a message to {}", self.address))?,
            Err(error) => {
                say(&format!("{host}: {error}"));
                return Ok(Answer::No);
            }
        }
        Ok(Answer::Yes)
    }
}

impl Which {
    const fn kind(self) -> Kind {
        match self {
            Self::Mailbox => Kind::Mailbox,
            Self::Held => Kind::Held,
            Self::Waiting => Kind::Waiting,
            Self::Restored => Kind::Restored,
        }
    }
}

/// The configuration; what is wrong with it is said.
fn load(conf: &ConfOption) -> Result<Config, Failed> {
    let draft = config::read(conf.folder());
    match draft.complete(Purpose::Check, now(), HOOKS) {
        Ok(loaded) => Ok(loaded.config),
        Err(refused) => {
            let errors = refused.problems.iter();
            for problem in errors.filter(|problem| problem.severity == Severity::Error) {
                say(&problem.to_string());
            }
            Err(Failed::new("the configuration has errors"))
        }
    }
}

fn reason(text: &str) -> Option<Reason> {
    let mut all = Reason::ALL.into_iter();
    all.find(|reason| reason.name().eq_ignore_ascii_case(text) || reason.code().to_string() == text)
}

fn platform(device_type: &str) -> Platform {
    crate::mail::platform_of(device_type)
}
