//! The mail server that users are told through: what speaks to it, and how it is doing.

use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;

use tracing::error;
use tracing::info;

use crate::app::material;
use crate::config::Config;
use crate::model::Problem;
use crate::model::Timestamp;
use crate::model::causes;
use crate::notify::Mailer;

/// What speaks to the mail server; `None` without one.
pub fn mailer(config: &Config) -> Result<Option<Mailer>, Vec<Problem>> {
    let file = config.folder.join("gateway.toml");
    let hello = config.mail.published_names.first();
    let hello = hello.map_or("localhost", String::as_str);
    let settings = config
        .mail
        .notify
        .mailer(&file.display().to_string(), hello)?;
    let Some(settings) = settings else {
        return Ok(None);
    };
    let mailer = Mailer::new(&settings).map_err(|error| {
        let why = causes(&error);
        vec![material::problem(&file, "mail.notify", &why)]
    })?;
    Ok(Some(mailer))
}

/// How the mail server that users are told through is doing.
#[derive(Debug)]
pub(in crate::app) struct Smtp {
    server: String,
    state: Mutex<Option<(Timestamp, Result<(), String>)>>,
}

impl Smtp {
    /// One that was not spoken to yet.
    pub(super) fn new(server: String) -> Self {
        Self {
            server,
            state: Mutex::default(),
        }
    }

    pub(super) fn note(&self, at: Timestamp, came: Result<(), String>) {
        let before = self.lock().replace((at, came.clone()));
        let was_good = before.is_none_or(|(_, came)| came.is_ok());
        match (&came, was_good) {
            (Err(why), true) => {
                let server = &self.server;
                error!(server, why, "users cannot be told by mail");
            }
            (Ok(()), false) => info!(server = self.server, "users can be told by mail again"),
            (Err(_), false) | (Ok(()), true) => {}
        }
    }

    /// Which it is.
    pub(in crate::app) fn server(&self) -> String {
        self.server.clone()
    }

    /// When it was last spoken to, and what came of it.
    pub(in crate::app) fn state(&self) -> Option<(Timestamp, Result<(), String>)> {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Option<(Timestamp, Result<(), String>)>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
