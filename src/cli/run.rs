//! `portreeve run`: the gateway itself.

use clap::Args;

use super::conf::Conf;
use super::output::Answer;
use super::output::Done;
use super::output::Failed;
use super::output::print;
use crate::app;

/// Start the gateway. Without a command, this is what happens.
///
/// Where there is no folder conf, it is made from the samples; on loopback a throw-away PKI and
/// random secrets are made too. Log lines go to standard error.
///
/// SIGHUP reads the configuration again and keeps the running one if it has errors. SIGTERM and
/// SIGINT let requests in flight finish, then end with exit code 0.
#[derive(Clone, Debug, Default, Args)]
pub(super) struct Arguments {
    /// Where the configuration is.
    #[command(flatten)]
    pub conf: Conf,
}

pub(super) fn run(arguments: &Arguments) -> Done {
    let folder = arguments.conf.folder();
    if arguments.conf.given().is_some() && !folder.is_dir() {
        return Err(Failed::new(format!(
            "there is no folder {}",
            folder.display()
        )));
    }
    // A banner that nobody can read is no reason not to start.
    app::run(folder, |line| drop(print(line)))?;
    Ok(Answer::Yes)
}
